/*
 * The harness: registration, options, one child process per test, and the checks.
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

#define HARNESS_EXIT_SKIP 77
#define HARNESS_GRACE_MS 1500           /* for children that are about to be gone */

/* What a test tells the runner; shared memory, so that it survives a crash. */
struct harnessShared {
    int failures;
    char context[512];
    char skip[512];
};

static struct harnessTest *harnessTests;
static struct harnessShared *harnessShared;
static char harnessScratch[128];
static bool harnessVerbose;

void
harnessRegister(struct harnessTest *test)
{
    struct harnessTest **at = &harnessTests;

    while (*at != NULL)
        at = &(*at)->next;
    *at = test;
}

/* ---- time ---- */

long long
harnessNowMs(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
harnessSleepMs(int ms)
{
    struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

long long
harnessSlow(long long ms)
{
    const char *factor = getenv("VIRT_TEST_SLOW");
    int n = factor != NULL ? atoi(factor) : 1;

    return n > 1 ? ms * n : ms;
}

bool
harnessIsSanitized(void)
{
    return harnessSlow(1) > 1;
}

/* ---- checks ---- */

static void
harnessPrint(const char *file, int line, const char *format, va_list args)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    if (harnessShared != NULL && harnessShared->context[0] != '\0')
        fprintf(stderr, " (at: %s)", harnessShared->context);
    fputc('\n', stderr);
    fflush(stderr);
}

/* Ends the process without the leak check of a sanitizer, which a test cut short would not pass. */
void
harnessFail(const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    harnessPrint(file, line, format, args);
    va_end(args);
    harnessShared->failures++;
    _exit(1);
}

void
harnessNote(const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    harnessPrint(file, line, format, args);
    va_end(args);
    harnessShared->failures++;
}

void
harnessSkip(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(harnessShared->skip, sizeof(harnessShared->skip), format, args);
    va_end(args);
    _exit(HARNESS_EXIT_SKIP);
}

void
harnessContext(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(harnessShared->context, sizeof(harnessShared->context), format, args);
    va_end(args);
}

void
harnessCheckInt(const char *file, int line, const char *what, long long a, long long b)
{
    if (a != b)
        harnessFail(file, line, "%s is %lld, expected %lld", what, a, b);
}

void
harnessCheckUInt(const char *file, int line, const char *what, unsigned long long a,
                 unsigned long long b)
{
    if (a != b)
        harnessFail(file, line, "%s is %llu (0x%llx), expected %llu (0x%llx)", what, a, a, b, b);
}

void
harnessCheckLess(const char *file, int line, const char *what, long long a, long long b)
{
    if (a >= b)
        harnessFail(file, line, "%s is %lld, expected less than %lld", what, a, b);
}

void
harnessCheckStr(const char *file, int line, const char *what, const char *a, const char *b)
{
    if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0))
        harnessFail(file, line, "%s is %s%s%s, expected %s%s%s", what,
                    a != NULL ? "'" : "", a != NULL ? a : "NULL", a != NULL ? "'" : "",
                    b != NULL ? "'" : "", b != NULL ? b : "NULL", b != NULL ? "'" : "");
}

void
harnessCheckContains(const char *file, int line, const char *what, const char *a, const char *b)
{
    if (a == NULL || strstr(a, b) == NULL)
        harnessFail(file, line, "%s is '%s', which does not contain '%s'", what,
                    a != NULL ? a : "(NULL)", b);
}

void
harnessCheckMem(const char *file, int line, const char *what, const void *a, const void *b,
                size_t length)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < length; i++) {
        if (x[i] != y[i])
            harnessFail(file, line, "%s: byte %zu of %zu is 0x%02x, expected 0x%02x", what, i,
                        length, x[i], y[i]);
    }
}

void
harnessCheckNull(const char *file, int line, const char *what, const void *pointer)
{
    if (pointer != NULL)
        harnessFail(file, line, "%s is %p, expected NULL", what, pointer);
}

void
harnessCheckError(const char *file, int line, const char *what, int code, int expected,
                  const char *message)
{
    if (code != expected)
        harnessFail(file, line, "%s: error %d (%s), expected error %d", what, code,
                    message != NULL ? message : "no message", expected);
}

/* ---- files ---- */

const char *
scratchDir(void)
{
    return harnessScratch;
}

const char *
scratchPath(const char *format, ...)
{
    static _Thread_local char paths[16][1024];
    static _Thread_local unsigned int turn;
    char *path = paths[turn++ % 16];
    int used = snprintf(path, sizeof(paths[0]), "%s/", harnessScratch);
    va_list args;

    va_start(args, format);
    vsnprintf(path + used, sizeof(paths[0]) - (size_t)used, format, args);
    va_end(args);
    return path;
}

char *
readFile(const char *path)
{
    size_t size = 0, room = 4096;
    char *text = malloc(room);
    FILE *file = fopen(path, "re");

    if (file == NULL || text == NULL)
        harnessFail(HARNESS_AT, "cannot read '%s': %s", path, strerror(errno));
    for (;;) {
        size += fread(text + size, 1, room - size - 1, file);
        if (size < room - 1)
            break;
        if ((text = realloc(text, room *= 2)) == NULL)
            harnessFail(HARNESS_AT, "cannot read '%s': out of memory", path);
    }
    fclose(file);
    text[size] = '\0';
    return text;
}

void
writeFile(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    if (file == NULL || fputs(text, file) == EOF || fclose(file) == EOF)
        harnessFail(HARNESS_AT, "cannot write '%s': %s", path, strerror(errno));
}

bool
fileExists(const char *path)
{
    return access(path, F_OK) == 0;
}

const char *
corpusDir(void)
{
    const char *path = getenv("VIRT_CORPUS");

    if (path == NULL || path[0] == '\0')
        path = "../shared/corpus";
    if (!fileExists(path))
        harnessSkip("no corpus at '%s' (VIRT_CORPUS says where it is)", path);
    return path;
}

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
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
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
        if (pid == getppid())
            continue;
        if (pids != NULL && n < max)
            pids[n] = pid;
        n++;
    }
    closedir(dir);
    return n;
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
        n++;
        kill(pid, SIGKILL);
        for (int i = 0; i < 500 && waitpid(pid, NULL, WNOHANG) == 0; i++)
            harnessSleepMs(10);
    }
    return n;
}

/* Waits for the test until its time is up; true if it ended by itself. */
static bool
harnessWait(pid_t pid, int seconds, int *status)
{
    long long end = harnessNowMs() + harnessSlow((long long)seconds * 1000);
    struct timespec tick = { 0, 50000000 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    while (waitpid(pid, status, WNOHANG) != pid) {
        if (harnessNowMs() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, status, 0);
            return false;
        }
        sigtimedwait(&set, NULL, &tick);
    }
    return true;
}

static void
harnessShow(const char *path)
{
    char buffer[4096];
    size_t n;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return;
    while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
        fwrite(buffer, 1, n, stdout);
    fclose(file);
}

static _Noreturn void
harnessChild(const struct harnessTest *test, const char *log, const sigset_t *mask)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
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

static enum harnessResult
harnessRun(const struct harnessTest *test, const sigset_t *mask)
{
    const char *tmp = getenv("TMPDIR");
    long long start = harnessNowMs();
    char log[160], left[1024] = "";
    enum harnessResult result;
    int status = 0, leftovers;
    double seconds;
    pid_t pid;
    bool ended;

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
    if ((pid = fork()) == 0)
        harnessChild(test, log, mask);
    ended = pid > 0 && harnessWait(pid, test->seconds, &status);
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
    if (result == HARNESS_FAILED || harnessVerbose)
        harnessShow(log);
    fflush(stdout);
    unlink(log);
    nftw(harnessScratch, harnessRemoveEntry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return result;
}

static bool
harnessWanted(const struct harnessTest *test, char **words, int nwords)
{
    for (int i = 0; i < nwords; i++) {
        if (strstr(test->name, words[i]) != NULL)
            return true;
    }
    return nwords == 0;
}

static int
harnessUsage(const char *program)
{
    printf("usage: %s [-v] [--list] [word...]\n"
           "Runs the tests whose names contain one of the words; all without words.\n"
           "  -v, --verbose   name every test and show what it prints\n"
           "  -l, --list      only print the names\n", program);
    return 0;
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
    if (harnessShared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
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
