/*
 * Child processes: started without leaking descriptors, told apart from a later process of the same pid, ended and reaped.
 */
#ifndef VIRT_COMMON_PROCESS_H
#define VIRT_COMMON_PROCESS_H

#include "../driver.h"

#ifndef _WIN32

#include <sys/syscall.h>
#include <sys/types.h>

/* Numbers that older C libraries do not know; they are the same on all architectures that Linux still runs on. */
#ifndef SYS_close_range
# define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
# define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
# define SYS_pidfd_send_signal 424
#endif

struct virProcess {
    pid_t pid;                         /* 0: none */
    unsigned long long startTime;      /* field 22 of /proc/PID/stat: with pid it names a process for good */
};

struct virProcessSpawn {
    const char *const *argv;           /* argv[0] is the path */
    const char *const *env;            /* NULL: the caller's */
    const int *fds;                    /* descriptors the child inherits, as the same numbers */
    size_t nfds;
    int stdinFd, stdoutFd, stderrFd;   /* -1: /dev/null */
    const char *directory;             /* working directory or NULL */
    bool newSession;                   /* setsid: it outlives the caller's terminal */
    bool endsWithUs;                   /* it is killed when the thread that starts it ends, however that comes (on Linux) */
};

/*
 * Starts a program: all other descriptors closed (close_range or the like, also those without close-on-exec), signals at their defaults
 * and unblocked. A program that cannot be executed is an error here (not an exit status later). 0 or -1 with the error set.
 * Never runs anything but async-signal-safe code between fork and exec (or uses posix_spawn/vfork semantics); fast with a large parent.
 */
VIRT_INTERNAL int virProcessStart(const struct virProcessSpawn *spawn, struct virProcess *process);
/*
 * For a child, between fork and exec or without one: closes first to last, up to maxFd where the kernel cannot do it in one go. MaxFd
 * says how far that has to go, and is asked before the fork.
 */
VIRT_INTERNAL unsigned int virProcessMaxFd(void);
VIRT_INTERNAL void virProcessCloseRange(unsigned int first, unsigned int last, unsigned int maxFd);
/* Fills in startTime for a pid; -1, without error, if there is no such process. */
VIRT_INTERNAL int virProcessIdentify(pid_t pid, struct virProcess *process);
/* Whether this very process still runs (a zombie does not). */
VIRT_INTERNAL bool virProcessIsAlive(const struct virProcess *process);
/* Sends a signal to this very process; a process that is gone already counts as success (returns 1 then, 0 sent, -1 error set). */
VIRT_INTERNAL int virProcessSignal(const struct virProcess *process, int signum);
/* Waits until it has ended, and reaps it if it is our child (never anybody else's). 1 ended, 0 still there when the time is up. *status (may be NULL) is the
 * wait status where we are the parent, else -1. Uses a pidfd where the kernel has it. timeout in ms, -1 for ever, 0 only looks. */
VIRT_INTERNAL int virProcessWait(struct virProcess *process, int timeout, int *status);
/* CPU time in ns of the whole process, by its CPU clock: one system call. -1 if it is gone. */
VIRT_INTERNAL int virProcessCpuTime(const struct virProcess *process, unsigned long long *ns);
/* Runs a program to its end with input on stdin, and collects at most max bytes of stdout and of stderr (may be NULL). Returns the wait status, or -1 with the
 * error set (also when timeout ms passed: the child is killed then). */
VIRT_INTERNAL int virProcessRun(const char *const *argv, const char *const *env, const char *input, char **output, char **errors,
                                size_t max, int timeout);

#endif
#endif
