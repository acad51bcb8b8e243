/*
 * Real QEMUs on a seat, which count on their serial lines: for tests of what becomes of a guest whose lease is lost. After virt.c.
 */
#ifndef TESTS_KEEPER_GUEST_H
#define TESTS_KEEPER_GUEST_H

#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef UNUSED_HERE
# define UNUSED_HERE __attribute__((unused))
#endif

/* Whether there is no such process any more; one that its reaper has not taken yet is none. */
UNUSED_HERE static bool
hasEnded(int pid)
{
    const struct virProcess process = { .pid = pid };

    return !virProcessIsAlive(&process);
}

struct qemu {
    struct virProcess process;
    char out[200];                          /* where it counts */
    int qmp;                                /* a monitor of the test's */
};

/* One command's answer; events before it are skipped. Empty: QEMU has ended. */
UNUSED_HERE static void
qmpSay(struct qemu *q, const char *command, char *answer, size_t size)
{
    bool gone = send(q->qmp, command, strlen(command), MSG_NOSIGNAL) != (ssize_t)strlen(command);
    FILE *file;

    CHECK_NOT_NULL(file = fdopen(dup(q->qmp), "r"));
    setvbuf(file, NULL, _IONBF, 0);
    do
        gone = gone || fgets(answer, (int)size, file) == NULL;
    while (!gone && strstr(answer, "\"return\"") == NULL && strstr(answer, "\"error\"") == NULL);
    fclose(file);
    if (!gone)
        return;
    answer[0] = '\0';
    WAIT_FOR(hasEnded(q->process.pid), 2000);
}

UNUSED_HERE static bool
isIn(struct qemu *q, const char *state)
{
    char answer[1000];

    qmpSay(q, "{\"execute\":\"query-status\"}\n", answer, sizeof(answer));
    return strstr(answer, state) != NULL;
}

/* Only starts it, with the seat's monitor. */
UNUSED_HERE static void
spawn(struct qemu *q, const struct virLockSeat *seat, int number)
{
    char lease[60], disk[300], serial[220], qmp[300];
    const char *const argv[] = {
        "/usr/bin/qemu-system-x86_64", "-machine", "pc,accel=tcg", "-m", "32", "-nodefaults", "-no-user-config", "-display", "none",
        "-drive", disk, "-serial", serial, "-chardev", lease, "-mon", "chardev=lease,mode=control", "-qmp", qmp, NULL,
    };
    const struct virProcessSpawn start = {
        .argv = argv, .fds = &seat->fd, .nfds = 1, .stdinFd = -1, .stdoutFd = -1, .stderrFd = 2, .newSession = true,
    };

    snprintf(lease, sizeof(lease), "socket,id=lease,fd=%d", seat->fd);
    snprintf(disk, sizeof(disk), "file=%s,format=raw,if=virtio,snapshot=on", buildPath("guest/idle.img"));
    snprintf(q->out, sizeof(q->out), "%s", scratchPath("count-%d", number));
    snprintf(serial, sizeof(serial), "file:%s", q->out);
    snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", scratchPath("qmp-%d", number));
    CHECK_OK(virProcessStart(&start, &q->process));
}

UNUSED_HERE static off_t
counted(const struct qemu *q)
{
    struct stat info;

    return stat(q->out, &info) == 0 ? info.st_size : 0;
}

/* A guest that counts, and whose keeper has been told. */
UNUSED_HERE static void
startGuest(struct qemu *q, struct virLock *lock, struct virLockSeat *seat, int number)
{
    char answer[1000];

    needsQemu();
    spawn(q, seat, number);
    CHECK_OK(virLeaseSeated(lock, seat, q->process.pid));
    WAIT_FOR((q->qmp = virFileConnect(scratchPath("qmp-%d", number))) >= 0, 20000);
    fcntl(q->qmp, F_SETFL, 0);
    qmpSay(q, "{\"execute\":\"qmp_capabilities\"}\n", answer, sizeof(answer));
    WAIT_FOR(counted(q) > 50, 40000);
}

UNUSED_HERE static void
endGuest(struct qemu *q)
{
    close(q->qmp);
    kill(q->process.pid, SIGKILL);
    virProcessWait(&q->process, -1, NULL);
}

/*
 * Watches until its CPUs stand for certain, as QEMU is paused or has ended: when it was counted last, in the harness's time. A machine that is
 * busy lets a guest stand for a while, which says nothing.
 */
UNUSED_HERE static long long
lastCount(struct qemu *q, bool paused, int limitMs)
{
    long long last = harnessNowMs(), begin = last;
    off_t size = counted(q);

    while (harnessNowMs() - last < 100 || !(paused ? isIn(q, "\"paused\"") : hasEnded(q->process.pid))) {
        if (counted(q) != size) {
            size = counted(q);
            last = harnessNowMs();
        }
        CHECK_MSG(last - begin < limitMs, "it counts on after %d ms", limitMs);
        CHECK_MSG(harnessNowMs() - begin < harnessSlow(10 * limitMs), "it is not paused, and has not ended");
        harnessSleepMs(1);
    }
    return last;
}

UNUSED_HERE static bool
countsOn(const struct qemu *q)
{
    off_t size = counted(q);

    for (int i = 0; i < 500; i++, harnessSleepMs(1))
        if (counted(q) != size)
            return true;
    return false;
}

#endif
