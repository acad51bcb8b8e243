/*
 * The keeper of a lease: a process that renews it as long as the hypervisor lives, gives it back then, and sees to it
 * that the guest's CPUs stand before the lease can be somebody else's, when it cannot be renewed.
 *
 * It outlives the process that makes it, as the hypervisor does, and is made by fork without exec, perhaps from a
 * process of many threads: it makes system calls and touches its own memory, and nothing else. It allocates nothing,
 * has no stdio, no libcurl, no lock; what it says to the service was put into text before (struct virKeeperPlan).
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
 * Time is counted from when the last renewal that succeeded was sent, in twelfths of the lease's time to live: from 2 on
 * it is renewed, at 6 it counts as lost, and the hypervisor is told to stop or to quit; if it has not by 7 it is killed,
 * so that by 8 no CPU runs. Others may have the lease from 12 on. A lease that the service does not know any more is
 * lost at once. "restart" is carried out as "poweroff": to start the guest again is up to whoever can have its lease.
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

#if VIRT_WITH_ETCD

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
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

#define VIRT_KEEPER_LINE  512              /* bytes of a QMP message that are looked at */
#define VIRT_KEEPER_REPLY 16384

/* Twelfths of the time to live. */
#define VIRT_KEEPER_RENEW 2
#define VIRT_KEEPER_LOST  6
#define VIRT_KEEPER_KILL  7

struct virKeeper {
    struct virKeeperPlan plan;
    pid_t library;                         /* the process that makes it */
    unsigned int maxFd;                    /* for kernels without close_range */
    volatile pid_t pid;                    /* the keeper's, or why there is none: the library reads them */
    volatile int error;

    int monitor, timer, null;
    int pidfd;                             /* the hypervisor's; -1: not known yet */
    unsigned long long unit;               /* ns: a twelfth */
    unsigned long long sent;               /* the last renewal that succeeded */
    unsigned long long killAt;             /* while it is being stopped or ended; 0: it is not */
    size_t at;                             /* the address that answered last */
    bool over;                             /* the hypervisor has ended */
    bool lost;
    bool greeted, asked, killed;           /* asked: to stop, or to quit */
    char line[VIRT_KEEPER_LINE];
    size_t nline;
    char request[VIRT_KEEPER_BODY * 2 + 1024];
    char reply[VIRT_KEEPER_REPLY];
};

VIRT_INTERNAL unsigned long long
virKeeperNow(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec;
}

VIRT_INTERNAL ssize_t
virKeeperDecode(const char *text, size_t length, char *data, size_t size)
{
    unsigned int bits = 0, have = 0;
    size_t n = 0;

    for (size_t i = 0; i < length && text[i] != '='; i++) {
        const char c = text[i];
        unsigned int value;

        if (c >= 'A' && c <= 'Z')
            value = (unsigned int)(c - 'A');
        else if (c >= 'a' && c <= 'z')
            value = (unsigned int)(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            value = (unsigned int)(c - '0') + 52;
        else if (c == '+' || c == '/')
            value = c == '+' ? 62 : 63;
        else
            return -1;
        bits = (bits << 6 | value) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (n == size)
                return -1;
            data[n++] = (char)(bits >> have);
        }
    }
    return (ssize_t)n;
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
            virKeeperSay(k, k->plan.failure == VIRT_LOCK_PAUSE ? "{\"execute\":\"stop\",\"id\":\"stop\"}\n"
                                                               : "{\"execute\":\"quit\"}\n");
        }
    } else if (k->pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, k->pidfd, SIGKILL, NULL, 0);
        k->killed = true;
    }
}

static void
virKeeperLose(struct virKeeper *k, bool gone)
{
    const unsigned long long now = virKeeperNow(), late = k->sent + VIRT_KEEPER_KILL * k->unit;

    k->lost = true;
    k->asked = false;
    if (k->plan.failure == VIRT_LOCK_IGNORE)
        return;
    if (!gone && now < late)
        k->killAt = late;
    else                                       /* it may be another's: what a quit would still write could do harm */
        k->killAt = k->plan.failure == VIRT_LOCK_PAUSE ? now + k->unit / 4 : now;
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
    } else if (k->lost && k->plan.failure == VIRT_LOCK_PAUSE && strstr(k->line, "\"event\": \"RESUME\"") != NULL) {
        k->asked = false;
        k->killAt = virKeeperNow() + k->unit / 4;
    }
}

/* What came by the socket beside the text: the sender's pid is returned, a descriptor becomes the hypervisor's. */
static pid_t
virKeeperTakeControl(struct virKeeper *k, struct msghdr *message)
{
    pid_t sender = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET)
            continue;
        if (part->cmsg_type == SCM_CREDENTIALS) {
            struct ucred from;

            memcpy(&from, CMSG_DATA(part), sizeof(from));
            sender = from.pid;
        } else if (part->cmsg_type == SCM_RIGHTS) {
            if (k->pidfd >= 0)
                close(k->pidfd);
            memcpy(&k->pidfd, CMSG_DATA(part), sizeof(k->pidfd));
        }
    }
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

/*
 * Waits for a descriptor (-1: none), and serves the hypervisor meanwhile. 1: it is ready; 0: the time is up; -1: the
 * hypervisor has ended. By a timer, since poll's own time stands still while the host is suspended.
 */
static int
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

/* ---------- the service ---------- */

static void
virKeeperAdd(struct virKeeper *k, size_t *length, const char *text)
{
    const size_t n = strlen(text);

    if (*length + n < sizeof(k->request)) {
        memcpy(k->request + *length, text, n + 1);
        *length += n;
    }
}

static size_t
virKeeperMakeRequest(struct virKeeper *k, const char *path, const char *const body[3])
{
    char digits[24];
    size_t length = 0, size = 0, at = sizeof(digits) - 1;

    for (int i = 0; i < 3; i++)
        size += strlen(body[i]);
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + size % 10);
        size /= 10;
    } while (size != 0);
    virKeeperAdd(k, &length, "POST /v3/");
    virKeeperAdd(k, &length, path);
    virKeeperAdd(k, &length, " HTTP/1.1\r\nHost: ");
    virKeeperAdd(k, &length, k->plan.addresses[k->at].host);
    virKeeperAdd(k, &length, "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ");
    virKeeperAdd(k, &length, digits + at);
    virKeeperAdd(k, &length, "\r\n\r\n");
    for (int i = 0; i < 3; i++)
        virKeeperAdd(k, &length, body[i]);
    return length;
}

/* Puts the chunks of a body together, in place. False if it is not complete. */
static bool
virKeeperJoinChunks(char *body)
{
    char *to = body, *from = body;

    for (;;) {
        size_t size = 0, digits = 0;

        for (;; from++, digits++) {
            if (*from >= '0' && *from <= '9')
                size = size * 16 + (size_t)(*from - '0');
            else if ((*from | 32) >= 'a' && (*from | 32) <= 'f')
                size = size * 16 + (size_t)((*from | 32) - 'a') + 10;
            else
                break;
        }
        if (digits == 0 || digits > 6 || (from = strchr(from, '\n')) == NULL)
            return false;
        from++;
        if (size == 0)
            break;
        if (strlen(from) < size + 2)
            return false;
        memmove(to, from, size);
        to += size;
        from += size + 2;
    }
    *to = '\0';
    return true;
}

/* The body of a whole answer with status 200, a JSON object; NULL for anything else. */
static const char *
virKeeperParseReply(struct virKeeper *k, size_t length)
{
    char *body;

    k->reply[length] = '\0';
    if (strlen(k->reply) != length || strncmp(k->reply, "HTTP/1.", 7) != 0 || strncmp(k->reply + 8, " 200", 4) != 0
        || (body = strstr(k->reply, "\r\n\r\n")) == NULL)
        return NULL;
    *body = '\0';
    body += 4;
    for (char *p = k->reply; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 'a' - 'A');
    if (strstr(k->reply, "\r\ntransfer-encoding: chunked") != NULL && !virKeeperJoinChunks(body))
        return NULL;
    for (length = strlen(body); length > 0 && (body[length - 1] == '\n' || body[length - 1] == '\r'); length--)
        ;
    return length >= 2 && body[0] == '{' && body[length - 1] == '}' ? body : NULL;
}

static int
virKeeperConnect(struct virKeeper *k, unsigned long long until)
{
    const struct virKeeperAddress *address = &k->plan.addresses[k->at];
    int fd = socket(address->where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    socklen_t size = sizeof(error);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address->where, address->length) == 0)
        return fd;
    if (errno == EINPROGRESS && virKeeperWait(k, fd, POLLOUT, until) > 0
        && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

/* Sends the request and takes in the answer, up to its end. Its length, or -1. */
static ssize_t
virKeeperExchange(struct virKeeper *k, int fd, size_t length, unsigned long long until)
{
    size_t done = 0, got = 0;
    ssize_t n;

    while (done < length) {
        if (virKeeperWait(k, fd, POLLOUT, until) <= 0)
            return -1;
        if ((n = send(fd, k->request + done, length - done, MSG_NOSIGNAL)) < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    while (got < sizeof(k->reply) - 1) {
        if (virKeeperWait(k, fd, POLLIN, until) <= 0)
            return -1;
        if ((n = recv(fd, k->reply + got, sizeof(k->reply) - 1 - got, 0)) == 0)
            return (ssize_t)got;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        got += n > 0 ? (size_t)n : 0;
    }
    return -1;
}

/* One request to the address that answered last. What it says, or NULL: the next one is asked then, next time. */
static const char *
virKeeperAsk3(struct virKeeper *k, const char *path, const char *const body[3], unsigned long long until)
{
    const size_t length = virKeeperMakeRequest(k, path, body);
    const char *answer = NULL;
    int fd = virKeeperConnect(k, until);
    ssize_t got = -1;

    if (fd >= 0) {
        got = virKeeperExchange(k, fd, length, until);
        close(fd);
    }
    if (got >= 0)
        answer = virKeeperParseReply(k, (size_t)got);
    if (answer == NULL)
        k->at = (k->at + 1) % k->plan.naddresses;
    return answer;
}

static const char *
virKeeperAsk(struct virKeeper *k, const char *path, const char *body, unsigned long long until)
{
    const char *const parts[3] = { body, "", "" };

    return virKeeperAsk3(k, path, parts, until);
}

/* The first character behind this text in the answer, or NULL. */
static const char *
virKeeperFind(const char *answer, const char *member)
{
    const char *found = strstr(answer, member);

    return found != NULL ? found + strlen(member) : NULL;
}

/* 1: the lease lives; 0: the service does not know it; -1: no answer. */
static int
virKeeperRenewLease(struct virKeeper *k, unsigned long long until)
{
    const char *answer = virKeeperAsk(k, "lease/keepalive", k->plan.keepalive, until);

    if (answer == NULL || virKeeperFind(answer, "{\"result\":{\"header\":{") == NULL
        || virKeeperFind(answer, k->plan.id) == NULL)
        return -1;
    return virKeeperFind(answer, "\"TTL\":\"") != NULL;
}

/* 1: the seat is there, by this lease; 0: it is not; -1: no answer. */
static int
virKeeperLook(struct virKeeper *k, unsigned long long until)
{
    const char *answer = virKeeperAsk(k, "kv/range", k->plan.seat, until), *lease;

    if (answer == NULL || strncmp(answer, "{\"header\":{", 11) != 0)
        return -1;
    return (lease = virKeeperFind(answer, "\"lease\":\"")) != NULL
           && strncmp(lease, k->plan.id, strlen(k->plan.id)) == 0 && lease[strlen(k->plan.id)] == '"';
}

static void
virKeeperRenew(struct virKeeper *k)
{
    const unsigned long long start = virKeeperNow(), end = k->sent + VIRT_KEEPER_LOST * k->unit;
    const unsigned long long share = (VIRT_KEEPER_LOST - VIRT_KEEPER_RENEW) * k->unit / (k->plan.naddresses + 1);
    unsigned long long until = start + (share > k->unit / 2 ? share : k->unit / 2);
    int rc;

    if (until > end)
        until = end;
    if ((rc = virKeeperRenewLease(k, until)) > 0 && (rc = virKeeperLook(k, until)) > 0)
        k->sent = start;
    else if (rc == 0 && !k->over)
        virKeeperLose(k, true);
}

/* Whether this host still is the guest's holder: the revision of the state that says so is in text. */
static bool
virKeeperHolds(struct virKeeper *k, char *text, size_t size, unsigned long long until)
{
    const char *answer = virKeeperAsk(k, "kv/range", k->plan.state, until), *value, *revision;
    char state[VIRT_KEEPER_BODY];
    const size_t length = strlen(k->plan.holder);
    ssize_t n;

    if (answer == NULL || (value = virKeeperFind(answer, "\"value\":\"")) == NULL || strchr(value, '"') == NULL
        || (revision = virKeeperFind(answer, "\"mod_revision\":\"")) == NULL || strspn(revision, "0123456789") >= size)
        return false;
    n = virKeeperDecode(value, (size_t)(strchr(value, '"') - value), state, sizeof(state));
    if (n < (ssize_t)length || memcmp(state, k->plan.holder, length) != 0)
        return false;
    memcpy(text, revision, strspn(revision, "0123456789"));
    text[strspn(revision, "0123456789")] = '\0';
    return true;
}

/* A seat that was lost is taken again, if it is free and the guest is still this host's. */
static void
virKeeperRegain(struct virKeeper *k)
{
    const unsigned long long start = virKeeperNow(), until = start + VIRT_KEEPER_RENEW * k->unit;
    const char *take[3] = { k->plan.take[0], "", k->plan.take[1] }, *answer;
    char revision[24];
    int lease, seat;

    if ((lease = virKeeperRenewLease(k, until)) < 0 || (seat = virKeeperLook(k, until)) < 0)
        return;
    if (lease == 0 || seat == 0) {
        if (!virKeeperHolds(k, revision, sizeof(revision), until))
            return;
        if (lease == 0 && virKeeperAsk(k, "lease/grant", k->plan.grant, until) == NULL)
            return;
        take[1] = revision;
        if ((answer = virKeeperAsk3(k, "kv/txn", take, until)) == NULL
            || virKeeperFind(answer, "\"succeeded\":true") == NULL)
            return;
    }
    k->sent = start;
    k->lost = false;
}

/* ---------- the process ---------- */

/* Until the hypervisor has ended. */
static void
virKeeperServe(struct virKeeper *k)
{
    unsigned long long next = k->sent + VIRT_KEEPER_RENEW * k->unit, end = k->sent + VIRT_KEEPER_LOST * k->unit;

    while (!k->over) {
        if (virKeeperWait(k, -1, 0, next) < 0)
            break;
        next = virKeeperNow() + k->unit / 4;
        if (!k->lost) {
            if (virKeeperNow() < end)
                virKeeperRenew(k);
            end = k->sent + VIRT_KEEPER_LOST * k->unit;
            if (!k->over && !k->lost && virKeeperNow() >= end)
                virKeeperLose(k, false);
        } else if (k->plan.failure == VIRT_LOCK_PAUSE || k->plan.failure == VIRT_LOCK_IGNORE) {
            virKeeperRegain(k);
            end = k->sent + VIRT_KEEPER_LOST * k->unit;
        }
        if (k->lost || k->sent + VIRT_KEEPER_RENEW * k->unit > next)
            next = (k->lost ? virKeeperNow() : k->sent) + VIRT_KEEPER_RENEW * k->unit;
    }
}

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
        k->at = 0;                             /* it stays where it is, then */
    prctl(PR_SET_NAME, "virt-keeper");
    if ((fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)) >= 0) {
        if (write(fd, "-1000", 5) < 0)
            k->at = 0;                         /* not permitted: it may be killed as others are */
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
    virKeeperServe(k);
    /* the lease is given back, by whoever answers in time; else it runs out */
    k->killAt = 0;
    k->over = false;
    if (k->monitor >= 0)
        close(k->monitor);
    if (k->pidfd >= 0)
        close(k->pidfd);
    k->monitor = k->pidfd = -1;
    for (size_t i = 0; i < k->plan.naddresses; i++)
        if (virKeeperAsk(k, "lease/revoke", k->plan.revoke, virKeeperNow() + VIRT_KEEPER_RENEW * k->unit) != NULL)
            break;
    _exit(0);
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
virKeeperStart(const struct virKeeperPlan *plan, struct virLockSeat *seat)
{
    VIRT_CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    VIRT_CLEANUP_CLOSE int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    struct virKeeper *k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int pair[2] = { -1, -1 }, on = 1, rc = -1;

    if (null < 0 || timer < 0 || k == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0
        || setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
        virReportSystemError(errno, "cannot make what the keeper of a lease needs");
    } else {
        k->plan = *plan;
        k->library = getpid();
        k->maxFd = virProcessMaxFd();
        k->monitor = pair[1];
        k->timer = timer;
        k->null = null;
        k->pidfd = -1;
        k->unit = (unsigned long long)plan->ttl * 1000000000ULL / 12;
        k->sent = plan->sent;
        rc = virKeeperBegin(k);
    }
    if (rc == 0) {
        *seat = (struct virLockSeat){ .fd = pair[0], .monitor = true, .keeper = (int)k->pid };
        pair[0] = -1;
    }
    virFileCleanupClose(&pair[0]);
    virFileCleanupClose(&pair[1]);
    if (k != MAP_FAILED)
        munmap(k, sizeof(*k));
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

#undef VIRT_KEEPER_LINE
#undef VIRT_KEEPER_REPLY
#undef VIRT_KEEPER_RENEW
#undef VIRT_KEEPER_LOST
#undef VIRT_KEEPER_KILL
#undef VIRT_FROM
#endif
