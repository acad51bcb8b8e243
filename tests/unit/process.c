/* Child processes: nothing leaks into them, none is mistaken for another, none is left behind. */
#include "../../drivers/common/process.h"
#include "../fault.h"
#include "../harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static int
start(struct virProcess *process, const char *command, const int *fds, size_t nfds)
{
    return virProcessStart(&(struct virProcessSpawn){ .argv = (const char *const[]){ "/bin/sh", "-c", command, NULL }, .fds = fds, .nfds = nfds,
                                                      .stdinFd = -1, .stdoutFd = -1, .stderrFd = -1 }, process);
}

TEST(output_errors_and_status_are_collected)
{
    static const char *const argv[] = { "/bin/sh", "-c", "cat; echo oops >&2; exit 3", NULL };
    char *out = NULL, *err = NULL;
    int status;

    CHECK_OK(status = virProcessRun(argv, NULL, "hello", &out, &err, 1000, 10000));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK_STR(out, "hello");
    CHECK_STR(err, "oops\n");
    free(out);
    free(err);
}

TEST(more_output_than_asked_for_is_dropped)
{
    static const char *const argv[] = { "/bin/sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done",
                                        NULL };
    char *out = NULL;

    CHECK_INT(virProcessRun(argv, NULL, NULL, &out, NULL, 100, 20000), 0);
    CHECK_UINT(strlen(out), 100);
    free(out);
}

TEST(a_program_that_cannot_be_executed_is_an_error_at_once)
{
    static const char *const argv[] = { "/nonexistent/program", NULL };
    struct virProcess process;
    int before = countDescriptors();

    if (harnessSlow(1) > 4)
        SKIP("TSan and valgrind turn vfork into fork, and a failing exec cannot be told then");
    CHECK_FAILS(virProcessStart(&(struct virProcessSpawn){ .argv = argv, .stdinFd = -1, .stdoutFd = -1, .stderrFd = -1 }, &process),
                VIR_ERR_SYSTEM_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "/nonexistent/program");
    CHECK_INT(countDescriptors(), before);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

TEST(a_hung_program_is_ended_when_its_time_is_up)
{
    static const char *const argv[] = { "/bin/sleep", "1000", NULL };
    char *out = NULL;

    CHECK_FAILS(virProcessRun(argv, NULL, NULL, &out, NULL, 100, 100), VIR_ERR_OPERATION_TIMEOUT);
    CHECK_INT(countProcesses(NULL, 0), 0);
}

TEST(only_the_listed_descriptors_are_inherited)
{
    static const char *const argv[] = { "/bin/sh", "-c", "ls /proc/self/fd", NULL };
    int leak = open("/dev/null", O_RDONLY), kept = open("/dev/null", O_RDONLY | O_CLOEXEC), out[2], status;
    struct virProcess process;
    char text[200] = "", expected[40];
    ssize_t length = 0, got;

    CHECK(leak > 2 && kept > 2);
    CHECK_INT(pipe2(out, O_CLOEXEC), 0);
    CHECK_OK(virProcessStart(&(struct virProcessSpawn){ .argv = argv, .fds = &kept, .nfds = 1, .stdinFd = -1, .stdoutFd = out[1], .stderrFd = -1 },
                             &process));
    close(out[1]);
    while ((got = read(out[0], text + length, sizeof(text) - 1 - (size_t)length)) > 0)
        length += got;
    CHECK_INT(virProcessWait(&process, 10000, &status), 1);
    /* ls has one more, for the directory it lists: the lowest that is free */
    snprintf(expected, sizeof(expected), "%d\n", kept);
    CHECK_CONTAINS(text, expected);
    snprintf(expected, sizeof(expected), "\n%d\n", leak);
    if (leak != 3)
        CHECK(strstr(text, expected) == NULL);
    close(leak);
    close(kept);
    close(out[0]);
}

TEST(a_process_is_known_by_pid_and_start)
{
    struct virProcess process, other;
    int status = 0;

    CHECK_OK(start(&process, "exec sleep 1000", NULL, 0));
    CHECK(process.startTime != 0);
    CHECK(virProcessIsAlive(&process));
    other = process;
    other.startTime++;
    CHECK(!virProcessIsAlive(&other));
    CHECK_INT(virProcessSignal(&other, SIGKILL), 1);
    CHECK(virProcessIsAlive(&process));
    CHECK_INT(virProcessWait(&process, 20, &status), 0);
    CHECK_INT(virProcessSignal(&process, SIGKILL), 0);
    CHECK_INT(virProcessWait(&process, 10000, &status), 1);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(!virProcessIsAlive(&process));
    CHECK_INT(virProcessSignal(&process, SIGKILL), 1);
    CHECK_INT(virProcessWait(&process, -1, &status), 1);
    CHECK_INT(status, -1);
    CHECK_INT(virProcessIdentify(process.pid, &process), -1);
}

TEST(a_zombie_is_not_alive)
{
    struct virProcess process;

    CHECK_OK(start(&process, "exit 0", NULL, 0));
    WAIT_FOR(!virProcessIsAlive(&process), 5000);
    CHECK_INT(virProcessWait(&process, 0, NULL), 1);
}

/* The runner's, that is: tests make keepers and guests by the thousand, which would use up the system's process ids. */
TEST(an_orphan_that_ends_is_taken_while_the_test_runs)
{
    pid_t child, orphan;
    int pipe_[2];

    CHECK_INT(pipe(pipe_), 0);
    if ((child = fork()) == 0) {
        if ((orphan = fork()) == 0)
            _exit(0);
        _exit(write(pipe_[1], &orphan, sizeof(orphan)) != sizeof(orphan));
    }
    CHECK_INT(waitpid(child, NULL, 0), child);
    CHECK(read(pipe_[0], &orphan, sizeof(orphan)) == sizeof(orphan));
    WAIT_FOR(kill(orphan, 0) < 0 && errno == ESRCH, 5000);
    close(pipe_[0]);
    close(pipe_[1]);
}

TEST(signals_are_as_a_program_expects_them)
{
    static const char *const argv[] = { "/bin/sh", "-c", "kill -TERM $$; sleep 0; exit 7", NULL };
    sigset_t blocked;
    int status;

    signal(SIGTERM, SIG_IGN);
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    CHECK_OK(status = virProcessRun(argv, NULL, NULL, NULL, NULL, 0, 10000));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(processor_time_is_counted)
{
    struct virProcess self;
    unsigned long long before = 0, after = 0;

    CHECK_OK(virProcessIdentify(getpid(), &self));
    CHECK_OK(virProcessCpuTime(&self, &before));
    for (volatile int i = 0; i < 10000000; i++)
        ;
    CHECK_OK(virProcessCpuTime(&self, &after));
    CHECK(after > before);
    self.pid = 0;
    CHECK_INT(virProcessCpuTime(&self, &after), -1);
}

static int
runTrue(void *opaque)
{
    static const char *const argv[] = { "/bin/true", NULL };
    char *out = NULL, *err = NULL;
    int rc = virProcessRun(argv, NULL, "x", &out, &err, 100, 10000);

    (void)opaque;
    free(out);
    free(err);
    return rc;
}

TEST(failures_leave_no_process_and_no_descriptor)
{
    FAULT_EACH_ALLOCATION(runTrue, NULL);
    FAULT_EACH(FAULT_SPAWN, runTrue, NULL);
    FAULT_EACH(FAULT_SOCKET, runTrue, NULL);
    FAULT_EACH(FAULT_OPEN, runTrue, NULL);
    CHECK_INT(countProcesses(NULL, 0), 0);
}
