/*
 * The processes that sanlock knows: who sits on a lease, and who changes a state.
 *
 * sanlock grants a lease to a process that has registered. When it cannot renew its own lease on the storage it sends each of them a
 * SIGTERM, later a SIGKILL, and lets the host's watchdog fire if one is still there; only then may other hosts have what they held. So
 * neither the application nor, for its simulated guests, a program of the test driver's may be such a process; nor could QEMU pause.
 *
 * Who sits (keeper.c has what all keepers do) has forbidden the SIGKILL, and on a SIGTERM stops the guest, or ends it, and kills it
 * where it has not obeyed in ten seconds. It gives the lease back when the guest's CPUs stand for certain, and not before: a
 * hypervisor that cannot be killed, since its storage hangs, has the host reset by the watchdog. A guest that is to be paused, or to run
 * on (on_lockfailure), gets its seat again as soon as the host has joined the lockspace again and nobody else sits there. A daemon that
 * ends is as a lease that is lost.
 *
 * Who changes a state lives as long as the change. It must be a process, since what is written must be written by somebody who is dead
 * for certain when the lease is somebody else's. It is killed as it is.
 *
 * libsanlock_client's functions make system calls and use the stack, and so may be called after a fork without exec.
 */
#include "sanlock.h"

#if VIRT_WITH_SANLOCK

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sanlock_resource.h>
#include <sanlock_rv.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define VIRT_SANLOCK_MS      1000000ULL    /* ns */
#define VIRT_SANLOCK_LEAVE   1000          /* ms for a former seat of this host to be given back */
#define VIRT_SANLOCK_CHANGE  10000         /* ms for whoever is changing a state */
#define VIRT_SANLOCK_GRACE   10000         /* ms for a hypervisor to obey: well before the daemon's kill_grace_seconds are over */
#define VIRT_SANLOCK_AGAIN   1000          /* ms between two tries for a seat that was lost */

/* ---------- common ---------- */

static void
virSanlockAnswerIt(struct virKeeper *k, int rc, enum virSanlockStage stage, const char *text)
{
    struct virSanlockAnswer answer;

    memset(&answer, 0, sizeof(answer));
    answer.rc = rc;
    answer.stage = (int)stage;
    if (text != NULL)
        memcpy(answer.text, text, sizeof(answer.text) - 1);
    send(k->monitor, &answer, sizeof(answer), MSG_NOSIGNAL);
}

/* Somebody has it, or has just had it, on this host or another. */
static bool
virSanlockIsTaken(int rc)
{
    switch (rc) {
    case -EEXIST: case -EBUSY: case -EAGAIN:
    case SANLK_ACQUIRE_IDLIVE: case SANLK_ACQUIRE_OWNED: case SANLK_ACQUIRE_OTHER: case SANLK_ACQUIRE_OWNED_RETRY:
    case SANLK_ACQUIRE_LVER: case SANLK_ACQUIRE_SHRETRY: case SANLK_DBLOCK_LVER: case SANLK_DBLOCK_MBAL:
        return true;
    default:
        return false;
    }
}

/* Tries for so many milliseconds while somebody has it. sanlock's result: negative is none. */
static int
virSanlockAcquire(struct virKeeper *k, int sock, struct virSanlockResource *where, unsigned int ms)
{
    const unsigned long long end = virKeeperNow() + ms * VIRT_SANLOCK_MS;
    struct sanlk_resource *list[] = { &where->resource };
    unsigned long long pause = 5 + (unsigned long long)getpid() % 7;           /* hosts that wait together try at different times */
    int rc;

    while (virSanlockIsTaken(rc = sanlock_acquire(sock, -1, SANLK_ACQUIRE_OWNER_NOWAIT, 1, list, NULL)) && virKeeperNow() < end) {
        if (virKeeperWait(k, -1, 0, virKeeperNow() + pause * VIRT_SANLOCK_MS) < 0)
            break;
        pause = pause < 100 ? pause * 2 : pause;
    }
    return rc;
}

/* ---------- who changes a state ---------- */

/* By the only one who may. 1, 0: *task->read has it; negative: what failed, and *stage where. */
static int
virSanlockExchange(struct virSanlockTask *task, enum virSanlockStage *stage)
{
    const struct virSanlockResource *where = &task->where;
    const int fd = open(where->disk.path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC | O_NOCTTY);
    int rc = 1;

    *stage = VIRT_SANLOCK_OPEN;
    if (fd < 0)
        return -errno;
    errno = EIO;                               /* what a short read or write means */
    if (pread(fd, task->read, where->sector, (off_t)where->state) != (ssize_t)where->sector) {
        *stage = VIRT_SANLOCK_READ;
        rc = -errno;
    } else if (memcmp(task->read, task->from, sizeof(task->from)) != 0) {
        rc = 0;
    } else if (pwrite(fd, task->sector, where->sector, (off_t)where->state) != (ssize_t)where->sector) {
        *stage = VIRT_SANLOCK_WRITE;
        rc = -errno;
    }
    close(fd);
    return rc;
}

VIRT_INTERNAL void
virSanlockChange(struct virKeeper *k)
{
    struct virSanlockTask *task = k->data;
    enum virSanlockStage stage = VIRT_SANLOCK_REGISTER;
    int sock, rc;

    signal(SIGPIPE, SIG_IGN);
    if ((rc = sock = sanlock_register()) >= 0) {
        stage = VIRT_SANLOCK_ACQUIRE;
        if ((rc = virSanlockAcquire(k, sock, &task->where, VIRT_SANLOCK_CHANGE)) >= 0) {
            rc = virSanlockExchange(task, &stage);
            sanlock_release(sock, -1, SANLK_REL_ALL, 0, NULL);
        }
    }
    virSanlockAnswerIt(k, rc, stage, task->read);
}

/* ---------- who sits ---------- */

/*
 * Whether the guest's CPUs stand, or nothing has to become of it. Nobody has ever been seen on a seat whose hypervisor did not start,
 * or is no process of its own; one that starts after all is ended as soon as it greets.
 */
static bool
virSanlockStands(const struct virKeeper *k)
{
    return k->failure == VIRT_LOCK_IGNORE || k->killAt == 0 || (k->pidfd < 0 && !k->greeted && virKeeperNow() >= k->killAt);
}

struct virSanlockSeat {
    int sock;                              /* -1: the daemon is gone */
    int signals, both;                     /* both: an epoll of the two */
    bool held;
};

static int
virSanlockRegister(struct virSanlockSeat *seat)
{
    struct epoll_event event = { .events = EPOLLRDHUP };
    int rc;

    if ((seat->sock = sanlock_register()) < 0)
        return seat->sock;
    if ((rc = sanlock_restrict(seat->sock, SANLK_RESTRICT_SIGKILL)) >= 0 && epoll_ctl(seat->both, EPOLL_CTL_ADD, seat->sock, &event) == 0)
        return 0;
    rc = rc < 0 ? rc : -errno;
    close(seat->sock);
    seat->sock = -1;
    return rc;
}

/* Takes in what the daemon has sent, or that it is gone: true if the lease is lost by it. */
static bool
virSanlockHear(struct virSanlockSeat *seat)
{
    struct pollfd daemon = { .fd = seat->sock, .events = POLLRDHUP };
    struct signalfd_siginfo info;
    bool told = false;

    while (read(seat->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        told = true;
    if (seat->sock >= 0 && poll(&daemon, 1, 0) > 0) {
        close(seat->sock);
        seat->sock = -1;
        told = told || seat->held;
        seat->held = false;
    }
    return told;
}

static void
virSanlockRegain(struct virKeeper *k, struct virSanlockSeat *seat)
{
    struct virSanlockTask *task = k->data;

    if (seat->sock < 0 && virSanlockRegister(seat) < 0)
        return;
    if (virSanlockAcquire(k, seat->sock, &task->where, 0) < 0)
        return;
    seat->held = true;
    k->lost = false;
}

/* Until the hypervisor has ended. */
static void
virSanlockServe(struct virKeeper *k, struct virSanlockSeat *seat)
{
    const bool stays = k->failure == VIRT_LOCK_PAUSE || k->failure == VIRT_LOCK_IGNORE;
    unsigned long long pause = VIRT_SANLOCK_AGAIN;

    while (virKeeperWait(k, seat->both, POLLIN, virKeeperNow() + pause * VIRT_SANLOCK_MS) >= 0) {
        const bool told = virSanlockHear(seat);

        if (told && !k->lost)
            virKeeperLose(k, virKeeperNow() + VIRT_SANLOCK_GRACE * VIRT_SANLOCK_MS);
        if (k->lost && seat->held && virSanlockStands(k)) {
            sanlock_release(seat->sock, -1, SANLK_REL_ALL, 0, NULL);
            seat->held = false;
        } else if (k->lost && !seat->held && stays && virSanlockStands(k)) {
            virSanlockRegain(k, seat);
        }
        pause = k->lost && seat->held ? 20 : VIRT_SANLOCK_AGAIN;
    }
}

VIRT_INTERNAL void
virSanlockSit(struct virKeeper *k)
{
    struct virSanlockTask *task = k->data;
    enum virSanlockStage stage = VIRT_SANLOCK_REGISTER;
    struct virSanlockSeat seat = { .sock = -1 };
    struct epoll_event event = { .events = EPOLLIN };
    sigset_t term;
    int rc;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    if ((seat.signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK)) < 0 || (seat.both = epoll_create1(EPOLL_CLOEXEC)) < 0
        || epoll_ctl(seat.both, EPOLL_CTL_ADD, seat.signals, &event) < 0)
        rc = -errno;
    else if ((rc = virSanlockRegister(&seat)) >= 0) {
        stage = VIRT_SANLOCK_ACQUIRE;
        rc = virSanlockAcquire(k, seat.sock, &task->where, VIRT_SANLOCK_LEAVE);
    }
    virSanlockAnswerIt(k, virSanlockIsTaken(rc) ? -EEXIST : rc, stage, NULL);
    if (rc < 0)
        return;
    seat.held = true;
    virSanlockServe(k, &seat);
    virKeeperLetGo(k);
    if (seat.held)
        sanlock_release(seat.sock, -1, SANLK_REL_ALL, 0, NULL);
}

#undef VIRT_SANLOCK_MS
#undef VIRT_SANLOCK_LEAVE
#undef VIRT_SANLOCK_CHANGE
#undef VIRT_SANLOCK_GRACE
#undef VIRT_SANLOCK_AGAIN
#endif
