/*
 * The harness where there is POSIX: options, one child process per test, and what a test leaves behind.
 *
 * The runner makes itself the reaper of orphans (PR_SET_CHILD_SUBREAPER). Guests put themselves
 * into sessions of their own, so a process group cannot find what a test left behind; but whatever
 * loses its parent becomes the runner's child, and only that is ever ended, by its pid.
 */
#include "harness.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HARNESS_GRACE_MS 1500           /* for children that are about to be gone */

static bool harnessVerbose;
static const char *harnessProgram;
static pid_t harnessServer;             /* of harnessThrough */

/* ---- what there is to test with ---- */

void
needsQemu(void)
{
    const char *why = getenv("VIRT_TEST_NO_QEMU");

    if (why != NULL && why[0] != '\0')
        harnessSkip("%s", why);
    if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0 &&
        system("command -v qemu-system-x86_64 > /dev/null") != 0)
        harnessSkip("no qemu-system-x86_64");
}

void
needsPty(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        harnessSkip("no pseudo terminals here (/dev/pts)");
    close(fd);
}

void
streamOpen(int fds[2])
{
    CHECK_INT(pipe(fds), 0);
}

void
streamWrite(int fd, const char *data, size_t size)
{
    CHECK_INT(write(fd, data, size), size);
}

int
streamRead(int fd, char *data, size_t size)
{
    ssize_t got = read(fd, data, size);

    CHECK(got >= 0);
    return (int)got;
}

void
streamClose(int fd)
{
    CHECK_INT(close(fd), 0);
}

const char *
buildPath(const char *name)
{
    static _Thread_local char paths[16][1024];
    static _Thread_local unsigned int turn;
    char *path = paths[turn++ % 16];
    const char *dir = getenv("VIRT_TEST_BUILD");

    snprintf(path, sizeof(paths[0]), "%s/%s", dir != NULL ? dir : "build", name);
    if (path[0] != '/') {
        char *full = realpath(path, NULL);

        if (full != NULL)
            snprintf(path, sizeof(paths[0]), "%s", full);
        free(full);
    }
    return path;
}

const char *
guestImage(const char *name)
{
    const char *copy = scratchPath("%s", name);
    char command[2304], *output;

    if (fileExists(copy))
        return copy;
    snprintf(command, sizeof(command), "cp --sparse=always '%s/%s' '%s' 2>&1", buildPath("guest"), name, copy);
    if (runShell(command, &output) != 0)
        harnessFail(HARNESS_AT, "%s", output);
    free(output);
    return copy;
}

int
runShell(const char *command, char **output)
{
    size_t size = 0, got, room = 4096;
    char *text = malloc(room);
    FILE *pipe = popen(command, "re");
    int rc;

    if (pipe == NULL || text == NULL)
        harnessFail(HARNESS_AT, "cannot run '%s': %s", command, strerror(errno));
    while ((got = fread(text + size, 1, room - size - 1, pipe)) > 0) {
        size += got;
        if (size == room - 1 && (text = realloc(text, room *= 2)) == NULL)
            harnessFail(HARNESS_AT, "out of memory");
    }
    text[size] = '\0';
    rc = pclose(pipe);
    if (output != NULL)
        *output = text;
    else
        free(text);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : 128 + WTERMSIG(rc);
}

static int
harnessRemoveEntry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    if (remove(path) < 0 && errno != ENOENT)
        fprintf(stderr, "cannot remove '%s': %s\n", path, strerror(errno));
    return 0;
}

/* ---- counting ---- */

static int
harnessCountEntries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    if (dir == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

int
countDescriptors(void)
{
    return harnessCountEntries("/proc/self/fd") - 1;        /* the one that reads */
}

int
countThreads(void)
{
    return harnessCountEntries("/proc/self/task");
}

size_t
heapInUse(void)
{
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
#else
    return 0;                   /* musl does not tell: growth is judged where it can be seen */
#endif
}

/* Parent and state of a process from /proc/PID/stat; -1 if it is gone. */
static pid_t
harnessParent(pid_t pid, char *state, char *name, size_t nameSize)
{
    char path[64], line[512];
    const char *begin, *end;
    int fd, ppid = -1;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return -1;
    n = read(fd, line, sizeof(line) - 1);
    close(fd);
    if (n <= 0)
        return -1;
    line[n] = '\0';
    if ((begin = strchr(line, '(')) == NULL || (end = strrchr(line, ')')) == NULL ||
        sscanf(end + 1, " %c %d", state, &ppid) != 2)
        return -1;
    if (name != NULL)
        snprintf(name, nameSize, "%.*s", (int)(end - begin - 1), begin + 1);
    return ppid;
}

int
countProcesses(pid_t *pids, int max)
{
    DIR *dir = opendir("/proc");
    int n = 0;

    if (dir == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        pid_t pid = (pid_t)atoi(entry->d_name), up = pid;
        char state, upState;

        if (pid <= 0 || pid == getpid() || harnessParent(pid, &state, NULL, 0) < 0 || state == 'Z')
            continue;
        /* An orphan of the test is the runner's child; the runner has no other but the test. */
        for (int depth = 0; depth < 64 && up > 1 && up != getpid() && up != getppid(); depth++)
            up = harnessParent(up, &upState, NULL, 0);
        if (up != getpid() && up != getppid())
            continue;
        if (pid == getppid() || (pid == harnessServer && pid > 0))
            continue;
        if (pids != NULL && n < max)
            pids[n] = pid;
        n++;
    }
    closedir(dir);
    return n;
}

static bool
harnessHasStopped(pid_t pid)
{
    char path[64];
    bool all = true;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    if ((dir = opendir(path)) == NULL)
        return true;                              /* it has ended */
    for (struct dirent *entry; all && (entry = readdir(dir)) != NULL;) {
        char state;

        if (atoi(entry->d_name) > 0 && harnessParent((pid_t)atoi(entry->d_name), &state, NULL, 0) >= 0)
            all = strchr("TtZX", state) != NULL;
    }
    closedir(dir);
    return all;
}

void
harnessStop(pid_t pid)
{
    if (kill(pid, SIGSTOP) < 0)
        FAIL("process %d cannot be stopped: %s", (int)pid, strerror(errno));
    WAIT_FOR(harnessHasStopped(pid), 5000);
}

/* ---- running a test ---- */

/* Reaps what has ended; returns a child that still runs, 0 if none. */
static pid_t
harnessReap(char *name, size_t nameSize)
{
    DIR *dir;
    pid_t found = 0;

    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
        return 0;
    if ((dir = opendir("/proc")) == NULL)
        return 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(dir)) != NULL;) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        char state;

        if (pid > 0 && harnessParent(pid, &state, name, nameSize) == getpid() && state != 'Z')
            found = pid;
    }
    closedir(dir);
    return found;
}

/* Who it is, for who wants to know why. */
static void
harnessTellCommand(pid_t pid)
{
    char path[40], line[700];
    size_t length;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    if ((f = fopen(path, "r")) == NULL)
        return;
    length = fread(line, 1, sizeof(line) - 1, f);
    fclose(f);
    for (size_t i = 0; i < length; i++)
        line[i] = line[i] != '\0' ? line[i] : ' ';
    line[length] = '\0';
    printf("    process %d: %s\n", (int)pid, line);
}

/* Ends what the test left running, by pid; the number of processes that had to be ended. */
static int
harnessEndLeftovers(int graceMs, char *names, size_t size)
{
    long long end = harnessNowMs() + harnessSlow(graceMs);
    char name[64];
    int n = 0;
    pid_t pid;

    while ((pid = harnessReap(name, sizeof(name))) > 0 && harnessNowMs() < end)
        harnessSleepMs(10);
    while ((pid = harnessReap(name, sizeof(name))) > 0) {
        size_t used = strlen(names);

        snprintf(names + used, size - used, " %s[%d]", name, (int)pid);
        if (graceMs > 0)              /* this is what fails the test */
            harnessTellCommand(pid);
        n++;
        kill(pid, SIGKILL);
        for (int i = 0; i < 500 && waitpid(pid, NULL, WNOHANG) == 0; i++)
            harnessSleepMs(10);
    }
    return n;
}

/*
 * Waits for the test until its time is up; true if it ended by itself. Its orphans are taken when they end: one that makes thousands would
 * use up the system's process ids.
 */
static bool
harnessWait(pid_t pid, int seconds, int *status)
{
    long long end = harnessNowMs() + harnessSlow((long long)seconds * 1000);
    struct timespec tick = { 0, 50000000 };
    sigset_t set;
    pid_t ended;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    while ((ended = waitpid(-1, status, WNOHANG)) != pid) {
        if (ended > 0)
            continue;
        if (harnessNowMs() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, status, 0);
            return false;
        }
        sigtimedwait(&set, NULL, &tick);
    }
    return true;
}

static _Noreturn void
harnessChild(const struct harnessTest *test, const char *log, const sigset_t *mask)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
    if (harnessThrough != NULL)
        harnessThrough->child();
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(125);
    close(fd);
    close(null);
    setvbuf(stdout, NULL, _IOLBF, 0);
    test->body();
    fflush(NULL);
    /* exit(), not _exit(): here sanitizers look for leaks. */
    exit(harnessShared->failures > 0 ? 1 : 0);
}

enum harnessResult { HARNESS_PASSED, HARNESS_FAILED, HARNESS_SKIPPED };

static enum harnessResult
harnessJudge(const struct harnessTest *test, bool ended, int status, double seconds)
{
    /* Whatever the code: valgrind puts its own in place when a test leaves by SKIP with memory in use. */
    if (ended && WIFEXITED(status) && harnessShared->skip[0] != '\0' && harnessShared->failures == 0) {
        printf("skip  %s: %s\n", test->name, harnessShared->skip);
        return HARNESS_SKIPPED;
    }
    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0 && harnessShared->failures == 0)
        return HARNESS_PASSED;
    printf("FAIL  %s (%s:%d, %.2f s): ", test->name, test->file, test->line, seconds);
    if (!ended)
        printf("not finished in time");
    else if (WIFSIGNALED(status))
        printf("killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (harnessShared->failures > 0)
        printf("%d failed check%s", harnessShared->failures, harnessShared->failures > 1 ? "s" : "");
    else
        printf("exit code %d", WEXITSTATUS(status));
    if (harnessShared->context[0] != '\0')
        printf(", at: %s", harnessShared->context);
    printf("\n");
    return HARNESS_FAILED;
}

/* The server has to end by itself, and well. */
static void
harnessEndServer(void)
{
    int status = 0;
    bool ended;

    if (harnessServer <= 0)
        return;
    harnessThrough->end();
    ended = harnessWait(harnessServer, 20, &status);
    harnessServer = 0;
    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    harnessShared->failures++;
    snprintf(harnessShared->context, sizeof(harnessShared->context), "the server %s, status %d", ended ? "ended badly" : "does not end", status);
}

static enum harnessResult
harnessRun(const struct harnessTest *test, const sigset_t *mask)
{
    const char *tmp = getenv("TMPDIR");
    long long start = harnessNowMs();
    char log[160], left[1024] = "";
    enum harnessResult result;
    int status = 0, leftovers;
    double seconds;
    pid_t pid = -1;
    bool ended;
    const char *why = harnessThrough != NULL ? harnessThrough->skip(harnessProgram, test->name) : NULL;

    if (why != NULL) {
        printf("skip  %s: %s\n", test->name, why);
        return HARNESS_SKIPPED;
    }

    /* Short, because sockets live here and their paths end at 107 bytes. */
    if (tmp == NULL || strlen(tmp) > 40)
        tmp = "/tmp";
    snprintf(harnessScratch, sizeof(harnessScratch), "%s/vt-XXXXXX", tmp);
    if (mkdtemp(harnessScratch) == NULL) {
        printf("FAIL  %s: cannot make '%s': %s\n", test->name, harnessScratch, strerror(errno));
        return HARNESS_FAILED;
    }
    snprintf(log, sizeof(log), "%s.log", harnessScratch);
    memset(harnessShared, 0, sizeof(*harnessShared));
    fflush(NULL);
    if (harnessThrough != NULL)
        harnessServer = harnessThrough->start(log);
    if (harnessServer >= 0 && (pid = fork()) == 0)
        harnessChild(test, log, mask);
    ended = pid > 0 && harnessWait(pid, test->seconds, &status);
    harnessEndServer();
    leftovers = harnessEndLeftovers(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
                                    !test->leavesProcesses ? HARNESS_GRACE_MS : 0,
                                    left, sizeof(left));
    seconds = (double)(harnessNowMs() - start) / 1000;
    result = harnessJudge(test, ended, status, seconds);
    if (result == HARNESS_PASSED && leftovers > 0 && !test->leavesProcesses) {
        printf("FAIL  %s (%s:%d): left running:%s\n", test->name, test->file, test->line, left);
        result = HARNESS_FAILED;
    }
    if (result == HARNESS_PASSED && harnessVerbose)
        printf("ok    %s (%.2f s)\n", test->name, seconds);
    harnessShow(log, result == HARNESS_FAILED || harnessVerbose);
    fflush(stdout);
    unlink(log);
    nftw(harnessScratch, harnessRemoveEntry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return result;
}

/*
 * glibc keeps freed blocks in caches that count as in use, so that the heap seems to grow for a while: heapInUse wants them off, and
 * that can only be said before the program starts.
 */
static void
harnessWithoutCaches(char **argv)
{
    static const char tunables[] = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0";

    if (getenv("GLIBC_TUNABLES") == NULL && !harnessIsSanitized() && setenv("GLIBC_TUNABLES", tunables, 1) == 0)
        execv("/proc/self/exe", argv);
}

int
main(int argc, char **argv)
{
    int counts[3] = { 0, 0, 0 }, first = 1;
    bool list = false;
    sigset_t block, mask;

    harnessWithoutCaches(argv);
    harnessProgram = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (strcmp(argv[first], "-v") == 0 || strcmp(argv[first], "--verbose") == 0)
            harnessVerbose = true;
        else if (strcmp(argv[first], "-l") == 0 || strcmp(argv[first], "--list") == 0)
            list = true;
        else
            return harnessUsage(argv[0]);
    }
    harnessShared = mmap(NULL, sizeof(*harnessShared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* QEMU's user emulation does not know the call; there no guest is started that could be left behind */
    if (harnessShared == MAP_FAILED ||
        (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 && getenv("VIRT_TEST_NO_QEMU") == NULL)) {
        perror(argv[0]);
        return 2;
    }
    sigemptyset(&block);
    sigaddset(&block, SIGCHLD);
    sigprocmask(SIG_BLOCK, &block, &mask);
    for (struct harnessTest *test = harnessTests; test != NULL; test = test->next) {
        if (!harnessWanted(test, argv + first, argc - first))
            continue;
        if (list)
            printf("%s\n", test->name);
        else
            counts[harnessRun(test, &mask)]++;
    }
    if (!list)
        printf("%d passed, %d failed, %d skipped\n", counts[HARNESS_PASSED],
               counts[HARNESS_FAILED], counts[HARNESS_SKIPPED]);
    return counts[HARNESS_FAILED] > 0 ? 1 : 0;
}
