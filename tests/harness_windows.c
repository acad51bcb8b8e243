/*
 * The harness on Windows: each test is this program once more, started with the name of the memory that both see. Nothing fails on
 * purpose here (fault.h): tests that want that are skipped, and what they check in addition is checked elsewhere.
 */
#include "fault.h"
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <malloc.h>
#include <stdarg.h>
#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
#include <windows.h>
#include <process.h>
#include <tlhelp32.h>

static bool harnessVerbose;

/* ---- what there is to test with ---- */

void
needsQemu(void)
{
    harnessSkip("no QEMU driver on Windows");
}

void
needsPty(void)
{
    harnessSkip("no pseudo terminals on Windows");
}

/* A connection to itself; loopback is all there is. */
void
streamOpen(int fds[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int size = sizeof(address);
    WSADATA data;
    SOCKET listener, ends[2];

    CHECK_INT(WSAStartup(MAKEWORD(2, 2), &data), 0);
    CHECK((listener = socket(AF_INET, SOCK_STREAM, 0)) != INVALID_SOCKET);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    CHECK((ends[1] = socket(AF_INET, SOCK_STREAM, 0)) != INVALID_SOCKET);
    CHECK_INT(connect(ends[1], (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK((ends[0] = accept(listener, NULL, NULL)) != INVALID_SOCKET);
    closesocket(listener);
    fds[0] = (int)ends[0];
    fds[1] = (int)ends[1];
}

void
streamWrite(int fd, const char *data, size_t size)
{
    CHECK_INT(send((SOCKET)fd, data, (int)size, 0), size);
}

int
streamRead(int fd, char *data, size_t size)
{
    int got = recv((SOCKET)fd, data, (int)size, 0);

    CHECK(got >= 0);
    return got;
}

void
streamClose(int fd)
{
    CHECK_INT(closesocket((SOCKET)fd), 0);
}

int
setenv(const char *name, const char *value, int overwrite)
{
    return overwrite || getenv(name) == NULL ? _putenv_s(name, value) : 0;
}

const char *
buildPath(const char *name)
{
    static _Thread_local char path[1024];
    const char *dir = getenv("VIRT_TEST_BUILD");

    snprintf(path, sizeof(path), "%s/%s", dir != NULL ? dir : "build", name);
    return path;
}

const char *
guestImage(const char *name)
{
    harnessSkip("no guest to run '%s' on Windows", name);
}

int
runShell(const char *command, char **output)
{
    (void)output;
    harnessSkip("no shell on Windows for '%.40s...'", command);
}

int
countDescriptors(void)
{
    DWORD count = 0;

    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (int)count;
}

int
countThreads(void)
{
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 entry = { .dwSize = sizeof(entry) };
    int n = 0;

    for (BOOL more = Thread32First(all, &entry); more; more = Thread32Next(all, &entry))
        n += entry.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return n;
}

size_t
heapInUse(void)
{
    _HEAPINFO entry = { 0 };
    size_t sum = 0;

    while (_heapwalk(&entry) == _HEAPOK)
        sum += entry._useflag == _USEDENTRY ? entry._size : 0;
    return sum;
}

/* Tests do not start processes here. */
int
countProcesses(pid_t *pids, int max)
{
    (void)pids;
    (void)max;
    return 0;
}

/* ---- faults: none ---- */

void
faultArm(enum faultKind kind, unsigned long n, bool andAllThatFollow)
{
    (void)kind;
    (void)n;
    (void)andAllThatFollow;
    harnessSkip("nothing can be made to fail on Windows");
}

unsigned long
faultDisarm(void)
{
    return 0;
}

bool
faultWasHit(void)
{
    return false;
}

void
faultPause(void)
{
}

void
faultResume(void)
{
}

void
faultSpare(const char *library)
{
    (void)library;
}

/* That the body succeeds at all is checked. */
void
faultEach(const char *file, int line, enum faultKind kind, faultBody body, void *opaque, int (*errorCode)(void),
          const char *(*errorMessage)(void), void (*errorReset)(void))
{
    (void)kind;
    (void)errorCode;
    errorReset();
    if (body(opaque) != 0)
        harnessFail(file, line, "the undisturbed run failed: %s", errorMessage());
    harnessSkip("nothing can be made to fail on Windows");
}

/* ---- running a test ---- */

static struct harnessShared *
harnessMap(const char *name, bool create)
{
    HANDLE mapping = create ? CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(struct harnessShared), name)
                            : OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name);

    return mapping != NULL ? MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof(struct harnessShared)) : NULL;
}

/* The other process: PROGRAM --test NAME MEMORY SCRATCH. */
static int
harnessChild(char **words)
{
    char log[160];

    harnessShared = harnessMap(words[1], false);
    snprintf(harnessScratch, sizeof(harnessScratch), "%s", words[2]);
    snprintf(log, sizeof(log), "%s.log", harnessScratch);
    if (harnessShared == NULL || freopen(log, "ab", stdout) == NULL || _dup2(_fileno(stdout), 2) < 0)
        return 125;
    setvbuf(stdout, NULL, _IONBF, 0);
    setvbuf(stderr, NULL, _IONBF, 0);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    for (struct harnessTest *test = harnessTests; test != NULL; test = test->next) {
        if (strcmp(test->name, words[0]) != 0)
            continue;
        test->body();
        return harnessShared->failures > 0 ? 1 : 0;
    }
    return 125;
}

/* A scratch directory holds files, and perhaps directories with files. */
static void
harnessRemove(const char *path)
{
    WIN32_FIND_DATAA entry;
    char inner[MAX_PATH + 300];
    HANDLE find;

    snprintf(inner, sizeof(inner), "%s/*", path);
    if ((find = FindFirstFileA(inner, &entry)) != INVALID_HANDLE_VALUE) {
        do {
            snprintf(inner, sizeof(inner), "%s/%s", path, entry.cFileName);
            if ((entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
                DeleteFileA(inner);
            else if (strcmp(entry.cFileName, ".") != 0 && strcmp(entry.cFileName, "..") != 0)
                harnessRemove(inner);
        } while (FindNextFileA(find, &entry));
        FindClose(find);
    }
    RemoveDirectoryA(path);
}

enum harnessResult { HARNESS_PASSED, HARNESS_FAILED, HARNESS_SKIPPED };

/* Slashes the right way round, so that a path can be put behind test:// as it is. */
static bool
harnessMakeScratch(void)
{
    char directory[MAX_PATH];
    DWORD length = GetTempPathA(sizeof(directory), directory);

    if (length == 0 || length > 90)
        snprintf(directory, sizeof(directory), ".\\");
    snprintf(harnessScratch, sizeof(harnessScratch), "%svt-%lx-%lx", directory, GetCurrentProcessId(), GetTickCount());
    for (char *c = harnessScratch; *c != '\0'; c++)
        *c = *c == '\\' ? '/' : *c;
    return CreateDirectoryA(harnessScratch, NULL);
}

static enum harnessResult
harnessRun(const char *program, const char *memory, const struct harnessTest *test)
{
    long long start = harnessNowMs();
    enum harnessResult result = HARNESS_FAILED;
    char log[160];
    DWORD code = 0;
    intptr_t child;
    bool ended;

    memset(harnessShared, 0, sizeof(*harnessShared));
    if (!harnessMakeScratch() ||
        (child = _spawnl(_P_NOWAIT, program, program, "--test", test->name, memory, harnessScratch, (char *)NULL)) == -1) {
        printf("FAIL  %s: cannot be started\n", test->name);
        return HARNESS_FAILED;
    }
    snprintf(log, sizeof(log), "%s.log", harnessScratch);
    ended = WaitForSingleObject((HANDLE)child, (DWORD)harnessSlow((long long)test->seconds * 1000)) == WAIT_OBJECT_0;
    if (!ended) {
        TerminateProcess((HANDLE)child, 124);
        WaitForSingleObject((HANDLE)child, INFINITE);
    }
    GetExitCodeProcess((HANDLE)child, &code);
    CloseHandle((HANDLE)child);
    if (ended && harnessShared->skip[0] != '\0' && harnessShared->failures == 0) {
        printf("skip  %s: %s\n", test->name, harnessShared->skip);
        result = HARNESS_SKIPPED;
    } else if (ended && code == 0 && harnessShared->failures == 0) {
        result = HARNESS_PASSED;
        if (harnessVerbose)
            printf("ok    %s (%.2f s)\n", test->name, (double)(harnessNowMs() - start) / 1000);
    } else {
        printf("FAIL  %s (%s:%d): %s, code 0x%lx, %d failed checks%s%s\n", test->name, test->file, test->line,
               ended ? "ended" : "not finished in time", code, harnessShared->failures,
               harnessShared->context[0] != '\0' ? ", at: " : "", harnessShared->context);
    }
    if (result == HARNESS_FAILED || harnessVerbose)
        harnessShow(log, true);
    fflush(stdout);
    DeleteFileA(log);
    harnessRemove(harnessScratch);
    return result;
}

int
main(int argc, char **argv)
{
    int counts[3] = { 0, 0, 0 }, first = 1;
    char memory[64];
    bool list = false;

    if (argc == 5 && strcmp(argv[1], "--test") == 0)
        return harnessChild(argv + 2);
    _setmode(_fileno(stdout), _O_BINARY);
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (strcmp(argv[first], "-v") == 0 || strcmp(argv[first], "--verbose") == 0)
            harnessVerbose = true;
        else if (strcmp(argv[first], "-l") == 0 || strcmp(argv[first], "--list") == 0)
            list = true;
        else
            return harnessUsage(argv[0]);
    }
    snprintf(memory, sizeof(memory), "virt-test-%lu", GetCurrentProcessId());
    if ((harnessShared = harnessMap(memory, true)) == NULL)
        return 2;
    for (struct harnessTest *test = harnessTests; test != NULL; test = test->next) {
        if (!harnessWanted(test, argv + first, argc - first))
            continue;
        if (list)
            printf("%s\n", test->name);
        else
            counts[harnessRun(argv[0], memory, test)]++;
    }
    if (!list)
        printf("%d passed, %d failed, %d skipped\n", counts[HARNESS_PASSED], counts[HARNESS_FAILED], counts[HARNESS_SKIPPED]);
    return counts[HARNESS_FAILED] > 0 ? 1 : 0;
}
