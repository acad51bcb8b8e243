/*
 * Child processes. A child is started with vfork: the parent's memory is shared until the program is executed, so that the
 * start costs the same whatever the parent's size, and the child can say what failed by writing to it. See process.h.
 */
#include "process.h"
#include "file.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#ifdef __linux__
# include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_NONE

extern char **environ;

/* ---------- starting ---------- */

/* All that the child needs, prepared beforehand: it may call nothing but system calls. */
struct virProcessChild {
    const struct virProcessSpawn *spawn;
    int stdio[3];
    int *keep;                         /* sorted: the descriptors above 2 that stay */
    size_t nkeep;
    unsigned int maxFd;                /* for kernels without close_range */
    sigset_t noSignals;
    pid_t parent;
    const char *volatile failed;       /* written by the child: what failed, and why */
    volatile int error;
};

VIRT_INTERNAL unsigned int
virProcessMaxFd(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1048576 ? (unsigned int)limit.rlim_cur : 1048576;
}

VIRT_INTERNAL void
virProcessCloseRange(unsigned int first, unsigned int last, unsigned int maxFd)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    if (last > maxFd)
        last = maxFd;
    for (unsigned int fd = first; fd <= last; fd++)
        close((int)fd);
}

/*
 * Puts the three standard descriptors in their places. Sources that are themselves among 0..2 are moved out of the way
 * first, else one dup2 could overwrite the source of the next.
 */
static int
virProcessArrangeStdio(const int *wanted)
{
    int source[3];

    for (int i = 0; i < 3; i++) {
        source[i] = wanted[i];
        if (source[i] <= 2 && (source[i] = fcntl(source[i], F_DUPFD, 3)) < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(source[i], i) < 0)
            return -1;
    return 0;
}

static _Noreturn void
virProcessChildFailed(struct virProcessChild *child, const char *what)
{
    child->error = errno;
    child->failed = what;
    _exit(127);
}

/* In the child. Never returns. */
static _Noreturn void
virProcessRunChild(struct virProcessChild *child)
{
    const struct virProcessSpawn *spawn = child->spawn;
    struct sigaction standard;
    unsigned int next = 3;

    if (spawn->newSession && setsid() < 0)
        virProcessChildFailed(child, "cannot make a session for");
#ifdef __linux__
    if (spawn->endsWithUs && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        virProcessChildFailed(child, "cannot bind to this process");
    if (spawn->endsWithUs && getppid() != child->parent)         /* killed before the child could ask to be told */
        _exit(127);
#endif
    memset(&standard, 0, sizeof(standard));
    standard.sa_handler = SIG_DFL;
    for (int signum = 1; signum < NSIG; signum++)
        sigaction(signum, &standard, NULL);       /* those that cannot be changed are at their defaults */
    if (virProcessArrangeStdio(child->stdio) < 0)
        virProcessChildFailed(child, "cannot arrange the standard streams of");
    for (size_t i = 0; i < child->nkeep; i++) {
        unsigned int fd = (unsigned int)child->keep[i];

        if (fd > next)
            virProcessCloseRange(next, fd - 1, child->maxFd);
        next = fd + 1;
        if (fcntl(child->keep[i], F_SETFD, 0) < 0)
            virProcessChildFailed(child, "cannot hand a descriptor to");
    }
    virProcessCloseRange(next, UINT_MAX, child->maxFd);
    if (spawn->directory != NULL && chdir(spawn->directory) < 0)
        virProcessChildFailed(child, "cannot change the directory for");
    sigprocmask(SIG_SETMASK, &child->noSignals, NULL);
    execve(spawn->argv[0], (char *const *)(uintptr_t)spawn->argv,
           spawn->env != NULL ? (char *const *)(uintptr_t)spawn->env : environ);
    virProcessChildFailed(child, "cannot execute");
}

/* vfork's caller must not return in the child and has no locals worth clobbering: hence a function of its own. */
static __attribute__((noinline)) pid_t
virProcessFork(struct virProcessChild *child)
{
    pid_t pid = vfork();

    if (pid == 0)
        virProcessRunChild(child);
    return pid;
}

static int
virProcessCompareFds(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static int
virProcessKeepFds(struct virProcessChild *child)
{
    const struct virProcessSpawn *spawn = child->spawn;

    if (spawn->nfds == 0)
        return 0;
    if ((child->keep = virAllocate(spawn->nfds * sizeof(*child->keep))) == NULL)
        return -1;
    for (size_t i = 0; i < spawn->nfds; i++)
        if (spawn->fds[i] > 2)
            child->keep[child->nkeep++] = spawn->fds[i];
    qsort(child->keep, child->nkeep, sizeof(*child->keep), virProcessCompareFds);
    return 0;
}

VIRT_INTERNAL int
virProcessStart(const struct virProcessSpawn *spawn, struct virProcess *process)
{
    struct virProcessChild child = {
        .spawn = spawn,
        .parent = getpid(),
        .stdio = { spawn->stdinFd, spawn->stdoutFd, spawn->stderrFd },
    };
    VIRT_CLEANUP_CLOSE int null = -1;
    VIRT_CLEANUP_FREE int *keep = NULL;
    sigset_t all, before;
    pid_t pid;
    int saved;

    if (virProcessKeepFds(&child) < 0)
        return -1;
    keep = child.keep;
    for (int i = 0; i < 3; i++) {
        if (child.stdio[i] >= 0)
            continue;
        if (null < 0 && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
            return virReportSystemError(errno, "cannot open '/dev/null'");
        child.stdio[i] = null;
    }
    child.maxFd = virProcessMaxFd();
    sigemptyset(&child.noSignals);
    /* A handler of the application must not run in the child, which shares its memory. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = virProcessFork(&child);
    saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return virReportSystemError(saved, "cannot start '%s'", spawn->argv[0]);
    if (child.failed != NULL) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return virReportSystemError(child.error, "%s '%s'", child.failed, spawn->argv[0]);
    }
    process->pid = pid;
    process->startTime = 0;
    virProcessIdentify(pid, process);             /* it may have ended already; as our child it still has its number */
    return 0;
}

/* ---------- telling processes apart ---------- */

/* State letter and start time of a process. -1: there is none; -2: that cannot be told now (no descriptors left, say). */
static int
virProcessReadStat(pid_t pid, char *state, unsigned long long *startTime)
{
    char path[40], text[1024];
    VIRT_CLEANUP_CLOSE int fd = -1;
    ssize_t length;
    char *field;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid <= 0)
        return -1;
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return errno == ENOENT || errno == ESRCH ? -1 : -2;
    if ((length = read(fd, text, sizeof(text) - 1)) <= 0)
        return length == 0 || errno == ESRCH ? -1 : -2;
    text[length] = '\0';
    /* the second field, the name, may hold blanks and parentheses: the third begins after the last of them */
    if ((field = strrchr(text, ')')) == NULL || field[1] != ' ')
        return -1;
    field += 2;
    *state = *field;
    for (int i = 3; i < 22; i++)
        if ((field = strchr(field, ' ')) == NULL || *++field == '\0')
            return -1;
    *startTime = strtoull(field, NULL, 10);
    return 0;
}

VIRT_INTERNAL int
virProcessIdentify(pid_t pid, struct virProcess *process)
{
    unsigned long long startTime;
    char state;

    if (virProcessReadStat(pid, &state, &startTime) < 0)
        return -1;
    process->pid = pid;
    process->startTime = startTime;
    return 0;
}

/* Whether the pid still is this process, be it a zombie; *zombie says so. In doubt it is: to take it for dead would do the greater harm. */
static bool
virProcessIsSame(const struct virProcess *process, bool *zombie)
{
    unsigned long long startTime;
    char state;
    int rc = virProcessReadStat(process->pid, &state, &startTime);

    *zombie = false;
    if (rc == -1)
        return false;
    if (rc < 0)
        return kill(process->pid, 0) == 0 || errno != ESRCH;
    *zombie = state == 'Z' || state == 'X';
    return process->startTime == 0 || process->startTime == startTime;
}

VIRT_INTERNAL bool
virProcessIsAlive(const struct virProcess *process)
{
    bool zombie = false;

    return virProcessIsSame(process, &zombie) && !zombie;
}

/*
 * A descriptor for this very process: opened first and compared then, it cannot mean a later process of the same pid. -1 with errno:
 * ESRCH when the process is gone, ENOSYS where none can be had (only the pid was compared then).
 */
static int
virProcessOpen(const struct virProcess *process)
{
    int fd = -1;
    bool zombie;

    if (process->pid <= 0) {
        errno = ESRCH;
        return -1;
    }
    if ((fd = (int)syscall(SYS_pidfd_open, process->pid, 0)) < 0 && errno == ESRCH)
        return -1;
    if (!virProcessIsSame(process, &zombie)) {
        if (fd >= 0)
            close(fd);
        errno = ESRCH;
        return -1;
    }
    if (fd < 0)
        errno = ENOSYS;
    return fd;
}

VIRT_INTERNAL int
virProcessSignal(const struct virProcess *process, int signum)
{
    VIRT_CLEANUP_CLOSE int fd = virProcessOpen(process);
    int rc;

    if (fd >= 0)
        rc = (int)syscall(SYS_pidfd_send_signal, fd, signum, NULL, 0);
    else
        rc = errno == ENOSYS ? kill(process->pid, signum) : -1;
    if (rc == 0)
        return 0;
    if (errno == ESRCH)
        return 1;
    return virReportSystemError(errno, "cannot send signal %d to process %d", signum, (int)process->pid);
}

/* ---------- waiting ---------- */

/* Milliseconds left until the deadline, for poll; -1: none. */
static int
virProcessTimeLeft(unsigned long long start, int timeout)
{
    unsigned long long passed;

    if (timeout < 0)
        return -1;
    passed = (virTimeNowUs() - start) / 1000;
    return passed >= (unsigned long long)timeout ? 0 : timeout - (int)passed;
}

/* Reaps our child if it has ended. 1 it had ended, 0 it still runs, -1 it is no child of ours. */
static int
virProcessReap(const struct virProcess *process, int *status)
{
    int got;
    pid_t pid = waitpid(process->pid, &got, WNOHANG);

    if (pid == process->pid) {
        if (status != NULL)
            *status = got;
        return 1;
    }
    return pid == 0 ? 0 : -1;
}

VIRT_INTERNAL int
virProcessWait(struct virProcess *process, int timeout, int *status)
{
    unsigned long long start = virTimeNowUs();
    VIRT_CLEANUP_CLOSE int fd = virProcessOpen(process);

    if (status != NULL)
        *status = -1;
    if (fd < 0 && errno == ESRCH)
        return 1;
    if (fd < 0 && errno != ENOSYS)
        return virReportSystemError(errno, "cannot wait for process %d", (int)process->pid);
    for (;;) {
        int left = virProcessTimeLeft(start, timeout);
        struct pollfd waiting = { .fd = fd, .events = POLLIN };
        struct timespec moment = { .tv_nsec = 2000000 };

        switch (virProcessReap(process, status)) {
        case 1: return 1;
        case 0: break;
        default:
            if (!virProcessIsAlive(process))
                return 1;
        }
        if (left == 0)
            return 0;
        if (fd < 0)
            nanosleep(&moment, NULL);
        else if (poll(&waiting, 1, left) < 0 && errno != EINTR)
            return virReportSystemError(errno, "cannot wait for process %d", (int)process->pid);
    }
}

VIRT_INTERNAL int
virProcessCpuTime(const struct virProcess *process, unsigned long long *ns)
{
    /* what clock_getcpuclockid computes, without the system call it makes to see whether the process is there */
    clockid_t clock = (clockid_t)((~(unsigned int)process->pid << 3) | 2u);
    struct timespec time;

    if (process->pid <= 0 || clock_gettime(clock, &time) < 0)
        return -1;
    *ns = (unsigned long long)time.tv_sec * 1000000000u + (unsigned long long)time.tv_nsec;
    return 0;
}

/* ---------- running to the end ---------- */

/* One of the streams that virProcessRun collects. */
struct virProcessStream {
    int fd;
    struct virText text;
};

/* 0, or -1 with errno set; at the stream's end its descriptor becomes -1. What is beyond max is read and dropped. */
static int
virProcessCollect(struct virProcessStream *stream, size_t max)
{
    char buffer[4096];
    ssize_t got = read(stream->fd, buffer, sizeof(buffer));
    size_t room = max - stream->text.length;

    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -1;
    if (got == 0) {
        close(stream->fd);
        stream->fd = -1;
        return 0;
    }
    virTextAppend(&stream->text, buffer, (size_t)got < room ? (size_t)got : room);
    return 0;
}

static int
virProcessFeed(int *fd, const char **input)
{
    ssize_t put = send(*fd, *input, strlen(*input), MSG_NOSIGNAL | MSG_DONTWAIT);

    if (put < 0 && errno != EPIPE && errno != ECONNRESET)
        return errno == EINTR || errno == EAGAIN ? 0 : -1;
    *input = put < 0 ? "" : *input + put;         /* a program that does not want its input is no error */
    if (**input == '\0') {
        close(*fd);
        *fd = -1;
    }
    return 0;
}

/* Serves the streams until the input is taken and both outputs have ended. 0, or -1 with the error set. */
static int
virProcessServe(const char *name, int *stdinFd, const char *input, struct virProcessStream streams[2], size_t max,
                unsigned long long start, int timeout)
{
    while (*stdinFd >= 0 || streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd fds[3] = {
            { .fd = *stdinFd, .events = POLLOUT },
            { .fd = streams[0].fd, .events = POLLIN },
            { .fd = streams[1].fd, .events = POLLIN },
        };
        int ready = poll(fds, 3, virProcessTimeLeft(start, timeout));
        int rc = 0;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return virReportError(VIR_ERR_OPERATION_TIMEOUT, "'%s' has not ended within %d ms", name, timeout);
        if (ready < 0)
            return virReportSystemError(errno, "cannot wait for '%s'", name);
        if (fds[0].revents != 0)
            rc = virProcessFeed(stdinFd, &input);
        for (int i = 0; rc == 0 && i < 2; i++)
            if (fds[i + 1].revents != 0)
                rc = virProcessCollect(&streams[i], max);
        if (rc < 0)
            return virReportSystemError(errno, "cannot talk to '%s'", name);
    }
    return 0;
}

/* Waits for our child after its streams have ended. The wait status, or -1 with the error set. */
static int
virProcessFinish(const char *name, struct virProcess *process, unsigned long long start, int timeout)
{
    int status = -1;

    switch (virProcessWait(process, virProcessTimeLeft(start, timeout), &status)) {
    case 0:
        return virReportError(VIR_ERR_OPERATION_TIMEOUT, "'%s' has not ended within %d ms", name, timeout);
    case 1:
        break;
    default:
        return -1;
    }
    while (status == -1 && waitpid(process->pid, &status, 0) < 0)
        if (errno != EINTR)                      /* the application reaps all children: how this one ended is lost */
            status = 0;
    return status;
}

/* Our child, not yet reaped, or the number would not be its own any more. */
static void
virProcessGiveUp(const struct virProcess *process)
{
    kill(process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* A pipe whose reading end goes to the stream and whose writing end is for the child; none where output is not wanted. */
static int
virProcessOpenStream(const char *name, char **output, struct virProcessStream *stream, int *childFd)
{
    int ends[2];

    if (output == NULL)
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return virReportSystemError(errno, "cannot make a pipe for '%s'", name);
    stream->fd = ends[0];
    *childFd = ends[1];
    return 0;
}

/* What was collected becomes the caller's: both or none. */
static int
virProcessTakeOutput(struct virProcessStream streams[2], char **output, char **errors)
{
    VIRT_CLEANUP_FREE char *out = NULL;

    if (output != NULL && (out = virTextTake(&streams[0].text)) == NULL)
        return -1;
    if (errors != NULL && (*errors = virTextTake(&streams[1].text)) == NULL)
        return -1;
    if (output != NULL) {
        *output = out;
        out = NULL;
    }
    return 0;
}

VIRT_INTERNAL int
virProcessRun(const char *const *argv, const char *const *env, const char *input, char **output, char **errors,
              size_t max, int timeout)
{
    struct virProcessStream streams[2] = { { .fd = -1 }, { .fd = -1 } };
    VIRT_CLEANUP_CLOSE int childIn = -1, childOut = -1, childErr = -1, stdinFd = -1;
    struct virProcess process;
    unsigned long long start = virTimeNowUs();
    int in[2] = { -1, -1 }, status = -1;

    /* a socket, because writing to it can be kept from raising SIGPIPE */
    if (input != NULL && *input != '\0' && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
        return virReportSystemError(errno, "cannot make a pipe for '%s'", argv[0]);
    stdinFd = in[0];
    childIn = in[1];
    if (virProcessOpenStream(argv[0], output, &streams[0], &childOut) < 0 ||
        virProcessOpenStream(argv[0], errors, &streams[1], &childErr) < 0 ||
        virProcessStart(&(struct virProcessSpawn){ .argv = argv, .env = env, .stdinFd = childIn, .stdoutFd = childOut,
                                                   .stderrFd = childErr }, &process) < 0)
        goto cleanup;
    virFileCleanupClose(&childIn);
    virFileCleanupClose(&childOut);
    virFileCleanupClose(&childErr);
    if (virProcessServe(argv[0], &stdinFd, input, streams, max, start, timeout) < 0 ||
        (status = virProcessFinish(argv[0], &process, start, timeout)) < 0) {
        virProcessGiveUp(&process);
        goto cleanup;
    }
    if (virProcessTakeOutput(streams, output, errors) < 0)
        status = -1;

cleanup:
    for (int i = 0; i < 2; i++) {
        virFileCleanupClose(&streams[i].fd);
        virTextFree(&streams[i].text);
    }
    return status;
}

#undef VIRT_FROM
#endif
