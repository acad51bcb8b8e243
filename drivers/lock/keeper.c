/*
 * The keeper of a lease: a process that keeps it as long as the hypervisor lives, gives it back then, and sees to it that
 * the guest's CPUs stand before the lease can be somebody else's, when it is lost. What keeping is, its service says:
 * etcd_keeper.c, sanlock_keeper.c.
 *
 * It outlives the process that makes it, as the hypervisor does, and is made by fork without exec, perhaps from a
 * process of many threads: it makes system calls and touches its own memory, and nothing else. It allocates nothing,
 * has no stdio, no lock; what it will need was put into its service's data before.
 *
 * The seat's descriptor is one end of a socket pair; the hypervisor inherits it and serves a QMP monitor on it. The
 * keeper has the other end, and learns from it all it needs:
 *
 *   - whether the hypervisor lives: end of file comes when nobody has the seat any more, be it that the hypervisor has
 *     ended, or that it was never started (the library process closed the seat, or died with it; a process that it forks
 *     meanwhile, without exec, has the seat too);
 *   - which process it is: the kernel adds the sender's pid to what comes by the socket, QMP's greeting for one. So the
 *     keeper can end a hypervisor whose library process died before it could say the pid. A library process that lives
 *     sends a pidfd, for a hypervisor that has not greeted yet, or has no monitor there.
 *
 * When the lease is lost the hypervisor is told to stop or to quit, and killed where it has not by the time that the
 * service gives it. "restart" is carried out as "poweroff": to start the guest again is up to whoever can have its lease.
 *
 * A keeper that is killed itself leaves a guest that runs without a lease: it is the last process the kernel takes for
 * want of memory (where this process may say so), and nothing else should end it; it stays in the control group of the
 * library process, whose manager must not end it with that. A host that comes back from suspend, or whose keeper was
 * stopped, beyond that time lets a guest run for the moment until the keeper has had the CPU. So does a library that
 * resumes a guest in spite of a lost lease: the keeper hears of it, and stops it again.
 *
 * Its memory is that of the library process at the fork, shared until one of the two writes: a process with much memory
 * that changes pays for that, once for each guest.
 */
#include "keeper.h"

#if VIRT_WITH_KEEPER

#include "../common/file.h"
#include "../common/process.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

/* What must lie at the beginning of a page: a service may read and write disks with it. */
#define VIRT_KEEPER_DATA 4096

_Static_assert(sizeof(struct virKeeper) <= VIRT_KEEPER_DATA, "a keeper, and then its service's data");

VIRT_INTERNAL unsigned long long
virKeeperNow(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec;
}

/* ---------- the hypervisor ---------- */

static void
virKeeperSay(struct virKeeper *k, const char *command)
{
    if (k->monitor >= 0)
        send(k->monitor, command, strlen(command), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * What has to become of the hypervisor while the lease is lost; called whenever something has changed, until killAt is
 * 0. One whose pid is not known yet is still starting, and is ended as soon as it is.
 */
static void
virKeeperAct(struct virKeeper *k)
{
    if (k->killAt == 0 || k->killed)
        return;
    if (virKeeperNow() < k->killAt) {
        if (k->greeted && !k->asked) {
            k->asked = true;
            virKeeperSay(k, k->failure == VIRT_LOCK_PAUSE ? "{\"execute\":\"stop\",\"id\":\"stop\"}\n"
                                                               : "{\"execute\":\"quit\"}\n");
        }
    } else if (k->pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, k->pidfd, SIGKILL, NULL, 0);
        k->killed = true;
    }
}

VIRT_INTERNAL void
virKeeperLose(struct virKeeper *k, unsigned long long killAt)
{
    k->lost = true;
    k->asked = false;
    if (k->failure == VIRT_LOCK_IGNORE)
        return;
    k->killAt = killAt;
    virKeeperAct(k);
}

/* One line of its monitor. A name in quotes stands there as such only when it is not part of a string. */
static void
virKeeperHearLine(struct virKeeper *k, pid_t sender)
{
    if (!k->greeted && strncmp(k->line, "{\"QMP\"", 6) == 0) {
        k->greeted = true;
        if (k->pidfd < 0)
            k->pidfd = (int)syscall(SYS_pidfd_open, sender, 0);
        virKeeperSay(k, "{\"execute\":\"qmp_capabilities\"}\n");
    } else if (k->asked && strstr(k->line, "\"id\": \"stop\"") != NULL) {
        if (strstr(k->line, "\"return\"") != NULL)
            k->killAt = 0;
        else
            k->killAt = virKeeperNow();
    } else if (k->lost && k->failure == VIRT_LOCK_PAUSE && strstr(k->line, "\"event\": \"RESUME\"") != NULL) {
        k->asked = false;
        k->killAt = virKeeperNow() + k->patience;
    }
}

/*
 * What came by the socket beside the text: the sender's pid is returned, a descriptor becomes the hypervisor's. That is the library process's to say:
 * a hypervisor that named another process would have that killed in its place, or its own lease given back while it runs.
 */
static pid_t
virKeeperTakeControl(struct virKeeper *k, struct msghdr *message)
{
    int given[2] = { -1, -1 };                 /* for so many the control data has room */
    pid_t sender = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET)
            continue;
        if (part->cmsg_type == SCM_CREDENTIALS) {
            struct ucred from;

            memcpy(&from, CMSG_DATA(part), sizeof(from));
            sender = from.pid;
        } else if (part->cmsg_type == SCM_RIGHTS) {
            const size_t bytes = part->cmsg_len - CMSG_LEN(0);

            memcpy(given, CMSG_DATA(part), bytes < sizeof(given) ? bytes : sizeof(given));
        }
    }
    if (given[0] >= 0 && sender == k->library) {
        if (k->pidfd >= 0)
            close(k->pidfd);
        k->pidfd = given[0];
        given[0] = -1;
    }
    for (size_t i = 0; i < 2; i++)
        if (given[i] >= 0)
            close(given[i]);
    return sender;
}

/* Takes in what the hypervisor, or the library process, has said. */
static void
virKeeperHear(struct virKeeper *k)
{
    char text[4096];
    union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))]; } control;
    struct iovec part = { .iov_base = text, .iov_len = sizeof(text) };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
    };
    const ssize_t n = recvmsg(k->monitor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    pid_t sender;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        /* one that has only closed its monitor keeps its lease, if it can be told that it lives */
        close(k->monitor);
        k->monitor = -1;
        k->greeted = false;
        k->over = k->over || k->pidfd < 0;
        return;
    }
    sender = virKeeperTakeControl(k, &message);
    if (sender == k->library)
        return;
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] != '\n') {
            if (k->nline < sizeof(k->line) - 1)
                k->line[k->nline++] = text[i];
            continue;
        }
        k->line[k->nline] = '\0';
        k->nline = 0;
        virKeeperHearLine(k, sender);
    }
}

/* ---------- waiting ---------- */

static void
virKeeperArm(struct virKeeper *k, unsigned long long until)
{
    struct itimerspec when = { .it_value = { 0, 0 } };

    if (until == 0)
        until = 1;                             /* 0 would be never */
    when.it_value.tv_sec = (time_t)(until / 1000000000ULL);
    when.it_value.tv_nsec = (long)(until % 1000000000ULL);
    timerfd_settime(k->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* By a timer, since poll's own time stands still while the host is suspended. */
VIRT_INTERNAL int
virKeeperWait(struct virKeeper *k, int fd, short events, unsigned long long until)
{
    for (;;) {
        struct pollfd fds[] = {
            { .fd = k->timer, .events = POLLIN },
            { .fd = k->monitor, .events = POLLIN },
            { .fd = k->pidfd, .events = POLLIN },
            { .fd = fd, .events = events },
        };

        virKeeperArm(k, k->killAt != 0 && !k->killed && k->pidfd >= 0 && k->killAt < until ? k->killAt : until);
        if (poll(fds, 4, -1) < 0)
            continue;
        if (fds[2].revents != 0)
            k->over = true;
        if (fds[1].revents != 0)
            virKeeperHear(k);
        virKeeperAct(k);
        if (k->over)
            return -1;
        if (fds[3].revents != 0)
            return 1;
        if (virKeeperNow() >= until)
            return 0;
    }
}

/* ---------- the process ---------- */

/* Nothing of the library process's is kept: descriptors, terminal, directory, signals. */
static void
virKeeperDetach(struct virKeeper *k)
{
    struct sigaction standard;
    unsigned int low, high;
    sigset_t none;
    int fd;

    memset(&standard, 0, sizeof(standard));
    standard.sa_handler = SIG_DFL;
    for (int signum = 1; signum < NSIG; signum++)
        sigaction(signum, &standard, NULL);
    k->monitor = fcntl(k->monitor, F_DUPFD_CLOEXEC, 10);
    k->timer = fcntl(k->timer, F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 3; i++)
        dup2(k->null, i);
    low = (unsigned int)(k->monitor < k->timer ? k->monitor : k->timer);
    high = (unsigned int)(k->monitor < k->timer ? k->timer : k->monitor);
    virProcessCloseRange(3, low - 1, k->maxFd);
    virProcessCloseRange(low + 1, high - 1, k->maxFd);
    virProcessCloseRange(high + 1, UINT_MAX, k->maxFd);
    if (chdir("/") < 0)
        k->error = 0;                          /* it stays where it is, then */
    prctl(PR_SET_NAME, "virt-keeper");
    if ((fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)) >= 0) {
        if (write(fd, "-1000", 5) < 0)
            k->error = 0;                      /* not permitted: it may be killed as others are */
        close(fd);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void
virKeeperMain(struct virKeeper *k)
{
    virKeeperDetach(k);
    if (k->monitor < 0 || k->timer < 0)
        _exit(1);
    k->run(k);
    _exit(0);
}

VIRT_INTERNAL void
virKeeperLetGo(struct virKeeper *k)
{
    k->killAt = 0;
    k->over = false;
    if (k->monitor >= 0)
        close(k->monitor);
    if (k->pidfd >= 0)
        close(k->pidfd);
    k->monitor = k->pidfd = -1;
}

/* Nobody's child, so that nobody finds a child that it does not know, or has to wait for it. */
static _Noreturn void
virKeeperFork(struct virKeeper *k)
{
    pid_t pid;

    if (setsid() < 0 || (pid = fork()) < 0) {
        k->error = errno;
        _exit(1);
    }
    if (pid == 0)
        virKeeperMain(k);
    k->pid = pid;
    _exit(0);
}

static int
virKeeperBegin(struct virKeeper *k)
{
    sigset_t all, before;
    pid_t child;
    int saved;

    /* no handler of the application's may run in the child */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    child = fork();
    saved = errno;
    if (child == 0)
        virKeeperFork(k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child < 0)
        return virReportSystemError(saved, "cannot make a process that keeps a lease");
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (k->pid <= 0)
        return virReportSystemError(k->error != 0 ? k->error : ECHILD, "cannot make a process that keeps a lease");
    return 0;
}

VIRT_INTERNAL int
virKeeperCheck(const char *manager)
{
    const int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (self < 0)
        return virReportSystemError(errno, "lock manager '%s' needs to watch processes (pidfd_open, Linux 5.3)", manager);
    close(self);
    return 0;
}

VIRT_INTERNAL int
virKeeperStart(void (*run)(struct virKeeper *k), const void *data, size_t size, enum virLockFailure failure, struct virLockSeat *seat)
{
    VIRT_CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    VIRT_CLEANUP_CLOSE int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    struct virKeeper *k = mmap(NULL, VIRT_KEEPER_DATA + size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int pair[2] = { -1, -1 }, on = 1, rc = -1;

    if (null < 0 || timer < 0 || k == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0
        || setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
        virReportSystemError(errno, "cannot make what the keeper of a lease needs");
    } else {
        *k = (struct virKeeper){
            .run = run, .data = (char *)k + VIRT_KEEPER_DATA, .failure = failure, .library = getpid(), .maxFd = virProcessMaxFd(),
            .monitor = pair[1], .timer = timer, .null = null, .pidfd = -1, .patience = VIRT_KEEPER_PATIENCE,
        };
        memcpy(k->data, data, size);
        rc = virKeeperBegin(k);
    }
    if (rc == 0) {
        *seat = (struct virLockSeat){ .fd = pair[0], .monitor = true, .keeper = (int)k->pid };
        pair[0] = -1;
    }
    virFileCleanupClose(&pair[0]);
    virFileCleanupClose(&pair[1]);
    if (k != MAP_FAILED)
        munmap(k, VIRT_KEEPER_DATA + size);
    return rc;
}

VIRT_INTERNAL int
virKeeperSeated(const struct virLockSeat *seat, int pid)
{
    VIRT_CLEANUP_CLOSE int process = (int)syscall(SYS_pidfd_open, pid, 0);
    union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(int))]; } control = { .space = { 0 } };
    char nothing = '\n';
    struct iovec part = { .iov_base = &nothing, .iov_len = 1 };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
    };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    if (process < 0)
        return errno == ESRCH ? 0 : virReportSystemError(errno, "cannot watch process %d", pid);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &process, sizeof(int));
    if (sendmsg(seat->fd, &message, MSG_NOSIGNAL) < 0)
        return virReportSystemError(errno, "the keeper of a lease (process %d) does not listen", seat->keeper);
    return 0;
}

#undef VIRT_KEEPER_DATA
#undef VIRT_FROM
#endif
