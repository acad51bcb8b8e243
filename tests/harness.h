/*
 * The test harness. One program is one subject; every test is a child process of its own.
 *
 * A unit test reaches the internals, an API test sees what an application sees:
 *
 *     tests/unit/xml.c                                tests/api/domain.c
 *     #define VIRT_STATIC                             #include "../../virt.h"
 *     #include "../../virt.c"                         #include "../harness.h"
 *     #include "../harness.h"
 *
 *     TEST(reboot_keeps_the_device_addresses)         the name states the promise
 *     {
 *         virConnectPtr conn = virConnectOpen("test:///default");
 *
 *         CHECK_PTR(conn);
 *         CHECK_INT(virConnectNumOfDomains(conn), 1);     actual first, then expected
 *         CHECK_OK(virConnectClose(conn));
 *     }
 *
 * That is all: any tests/unit/NAME.c and tests/api/NAME.c is built into build/tests/ and run by
 * `make check`; the harness has the main(). `make check TESTS="unit/xml api/domain"` runs some
 * programs, `build/tests/unit/xml -v reboot` some tests (those whose name contains the word).
 *
 * What a test can rely on:
 * - it runs in a child, in a session of its own, with 60 seconds (TEST_LIMIT(name, seconds) for
 *   more; sanitizers and valgrind multiply it);
 * - a failing check prints both values, file and line, and ends the test there; EXPECT notes a
 *   failure and goes on, for tests that walk a table;
 * - scratchPath("a/%d.xml", i) is a path in a fresh directory, removed afterwards in any case;
 * - the working directory is the root of the source tree;
 * - what it prints is shown only when it fails, or with -v;
 * - processes that it leaves behind, even ones with a session of their own, are ended, and make a
 *   test fail that would have passed (TEST_LEAVES_PROCESSES(name) when that is what it is about);
 * - SKIP("why") ends the test and is counted; a skip nobody sees is a defect, so the runner lists
 *   each with its reason.
 *
 * Failing allocations and system calls: see fault.h.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#ifdef _WIN32
# define HARNESS_PRINTF(at, first) __attribute__((format(gnu_printf, at, first)))
#else
# define HARNESS_PRINTF(at, first) __attribute__((format(printf, at, first)))
#endif

struct harnessTest {
    const char *name;
    void (*body)(void);
    const char *file;
    int line;
    int seconds;                    /* its time limit */
    bool leavesProcesses;           /* what is left running is ended without a failure */
    struct harnessTest *next;
};

void harnessRegister(struct harnessTest *test);

#define HARNESS_TEST(ident, limit, leaves)                                                      \
    static void case_##ident(void);                                                             \
    static struct harnessTest entry_##ident = { #ident, case_##ident, __FILE__, __LINE__,       \
                                                limit, leaves, NULL };                          \
    __attribute__((constructor)) static void register_##ident(void)                             \
    {                                                                                           \
        harnessRegister(&entry_##ident);                                                        \
    }                                                                                           \
    static void case_##ident(void)

#define TEST(ident)                     HARNESS_TEST(ident, 60, false)
#define TEST_LIMIT(ident, seconds)      HARNESS_TEST(ident, seconds, false)
#define TEST_LEAVES_PROCESSES(ident)    HARNESS_TEST(ident, 60, true)

/*
 * Checks. Each evaluates its arguments once. They may be used in helper functions and in any thread
 * of the test.
 */
#define HARNESS_AT __FILE__, __LINE__

#define CHECK(cond)                                                                             \
    ((cond) ? (void)0 : harnessFail(HARNESS_AT, "%s is not so", #cond))
#define CHECK_MSG(cond, ...)                                                                    \
    ((cond) ? (void)0 : harnessFail(HARNESS_AT, __VA_ARGS__))
#define FAIL(...)                       harnessFail(HARNESS_AT, __VA_ARGS__)
#define EXPECT(cond, ...)                                                                       \
    ((cond) ? (void)0 : harnessNote(HARNESS_AT, __VA_ARGS__))
#define SKIP(...)                       harnessSkip(__VA_ARGS__)

/* Signed and unsigned whole numbers of any width. */
#define CHECK_INT(actual, expected)                                                             \
    harnessCheckInt(HARNESS_AT, #actual, (long long)(actual), (long long)(expected))
#define CHECK_UINT(actual, expected)                                                            \
    harnessCheckUInt(HARNESS_AT, #actual, (unsigned long long)(actual),                         \
                     (unsigned long long)(expected))
#define CHECK_LESS(actual, bound)       /* actual < bound */                                    \
    harnessCheckLess(HARNESS_AT, #actual, (long long)(actual), (long long)(bound))

/* Strings; NULL equals only NULL. */
#define CHECK_STR(actual, expected)                                                             \
    harnessCheckStr(HARNESS_AT, #actual, actual, expected)
#define CHECK_CONTAINS(actual, part)                                                            \
    harnessCheckContains(HARNESS_AT, #actual, actual, part)
#define CHECK_MEM(actual, expected, length)                                                     \
    harnessCheckMem(HARNESS_AT, #actual, actual, expected, length)
#define CHECK_NULL(pointer)             harnessCheckNull(HARNESS_AT, #pointer, (const void *)(pointer))
#define CHECK_NOT_NULL(pointer)                                                                 \
    ((pointer) != NULL ? (void)0 : harnessFail(HARNESS_AT, "%s is NULL", #pointer))

/*
 * For calls of the library: on failure they print its error. CHECK_OK wants a result that is not
 * negative, CHECK_PTR one that is not NULL; CHECK_FAILS wants the negative one and this error code.
 */
#define CHECK_OK(call)                                                                          \
    ((call) >= 0 ? (void)0 : harnessFail(HARNESS_AT, "%s: %s", #call, virGetLastErrorMessage()))
#define CHECK_PTR(call)                                                                         \
    ((call) != NULL ? (void)0 : harnessFail(HARNESS_AT, "%s: %s", #call, virGetLastErrorMessage()))
#define CHECK_FAILS(call, code)                                                                 \
    (virResetLastError(),                                                                       \
     (call) < 0 ? (void)0 : harnessFail(HARNESS_AT, "%s succeeded", #call),                     \
     harnessCheckError(HARNESS_AT, #call, virGetLastErrorCode(), code, virGetLastErrorMessage()))
#define CHECK_FAILS_NULL(call, code)                                                            \
    (virResetLastError(),                                                                       \
     (call) == NULL ? (void)0 : harnessFail(HARNESS_AT, "%s succeeded", #call),                 \
     harnessCheckError(HARNESS_AT, #call, virGetLastErrorCode(), code, virGetLastErrorMessage()))
#define CHECK_ERROR(code)                                                                       \
    harnessCheckError(HARNESS_AT, "the last error", virGetLastErrorCode(), code,                \
                      virGetLastErrorMessage())

/* Looks every 2 ms until cond holds; fails after so many milliseconds (more under sanitizers). */
#define WAIT_FOR(cond, ms)                                                                      \
    do {                                                                                        \
        long long harnessEnd = harnessNowMs() + harnessSlow(ms);                                \
        while (!(cond)) {                                                                       \
            if (harnessNowMs() > harnessEnd)                                                    \
                harnessFail(HARNESS_AT, "not within %d ms: %s", (int)(ms), #cond);              \
            harnessSleepMs(2);                                                                  \
        }                                                                                       \
    } while (0)

/* ---- what tests have in common ---- */

/* The test's scratch directory, and a path in it; up to 16 paths are valid at a time. */
const char *scratchDir(void);
const char *scratchPath(const char *format, ...) HARNESS_PRINTF(1, 2);

/*
 * scratchPath() of a directory for a host of QEMU's (root=). It is made, and has in it what the build has learned of the emulators: asking one takes
 * as long as half a guest's start, and each test would ask anew.
 */
#define scratchRoot(...) knowingEmulators(scratchPath(__VA_ARGS__))
const char *knowingEmulators(const char *root);

/* Whole files. Both fail the test on an error; the text is the caller's to free. */
char *readFile(const char *path);
void writeFile(const char *path, const char *text);
bool fileExists(const char *path);

/* The folder of libvirt documents (VIRT_CORPUS, or ../shared/corpus); skips the test if absent. */
const char *corpusDir(void);

/* Skips the test where QEMU is not there or not wanted (valgrind). First line of tests that start it. */
void needsQemu(void);

/* Skips the test where no pseudo terminals are to be had, as in a bare chroot. */
void needsPty(void);

/* A file that the build makes for tests, for example buildPath("guest/light.img"). */
const char *buildPath(const char *name);

/*
 * A copy of build/guest/NAME in the scratch directory, for this test alone: QEMU locks a disk's image, and
 * other tests run at the same time. light.img counts 100 times a second and writes little, heavy.img
 * writes much; tests/guest/mkguest makes others.
 */
const char *guestImage(const char *name);

/* Runs a shell command; its output (the caller's to free) goes to *output unless that is NULL. */
int runShell(const char *command, char **output);

/* What a leak would make grow: open descriptors and threads of this process, bytes of its heap. */
int countDescriptors(void);
int countThreads(void);
size_t heapInUse(void);

/* Processes that descend from the test, zombies not counted; pids (may be NULL) gets the first of them. */
int countProcesses(pid_t *pids, int max);
/* SIGSTOP that has taken effect in every thread: kill() comes back before it. SIGCONT goes on. */
void harnessStop(pid_t pid);

/* A name for the step a test is at; it is printed if the test fails, crashes or hangs there. */
void harnessContext(const char *format, ...) HARNESS_PRINTF(1, 2);
/* A line that is shown also where the test has passed: figures that a person wants to see of each run. */
void harnessTell(const char *format, ...) HARNESS_PRINTF(1, 2);

/* Time; harnessSlow multiplies by the factor for sanitizers and valgrind (VIRT_TEST_SLOW). */
long long harnessNowMs(void);
/*
 * A clock that stands while this thread waits for a processor, which on a busy machine is not the library's fault: what it sleeps and what it
 * runs count. (Outside Linux it is harnessNowMs().)
 */
long long harnessOwnMs(void);
void harnessSleepMs(int ms);
long long harnessSlow(long long ms);
bool harnessIsSanitized(void);          /* ASan, TSan or valgrind: do not judge speed or memory */

/*
 * A connection between two descriptors, of the kind that an event loop watches: sockets on Windows, a
 * pipe elsewhere, from the second to the first. They fail the test on an error.
 */
void streamOpen(int fds[2]);
void streamWrite(int fd, const char *data, size_t size);
int streamRead(int fd, char *data, size_t size);
void streamClose(int fd);

#ifdef _WIN32
int setenv(const char *name, const char *value, int overwrite);
#endif

/* ---- between the files of the harness ---- */

#define HARNESS_EXIT_SKIP 77

/* What a test tells the runner: in memory that both see, so that it survives a crash. */
struct harnessShared {
    int failures;
    char context[512];
    char skip[512];
};

/*
 * A process that the runner starts before each test and ends after it: see through.c, which API tests are linked with. skip says why a test
 * is left out (NULL: it is not); start gives the pid, or -1; child is called in the test's process; end makes the other one end by itself.
 */
struct harnessThrough {
    const char *(*skip)(const char *program, const char *test);
    pid_t (*start)(const char *log);
    void (*child)(void);
    void (*end)(void);
};

extern const struct harnessThrough *harnessThrough;      /* NULL but where it is wanted */
extern struct harnessTest *harnessTests;
extern struct harnessShared *harnessShared;
extern char harnessScratch[128];

#define HARNESS_TOLD "\x1etold "          /* before a line of harnessTell */
void harnessShow(const char *path, bool all);    /* or only what was told */
bool harnessWanted(const struct harnessTest *test, char **words, int nwords);
int harnessUsage(const char *program);

/* ---- behind the macros ---- */

_Noreturn void harnessFail(const char *file, int line, const char *format, ...)
    HARNESS_PRINTF(3, 4);
void harnessNote(const char *file, int line, const char *format, ...)
    HARNESS_PRINTF(3, 4);
_Noreturn void harnessSkip(const char *format, ...) HARNESS_PRINTF(1, 2);
void harnessCheckInt(const char *file, int line, const char *what, long long a, long long b);
void harnessCheckUInt(const char *file, int line, const char *what, unsigned long long a,
                      unsigned long long b);
void harnessCheckLess(const char *file, int line, const char *what, long long a, long long b);
void harnessCheckStr(const char *file, int line, const char *what, const char *a, const char *b);
void harnessCheckContains(const char *file, int line, const char *what, const char *a, const char *b);
void harnessCheckMem(const char *file, int line, const char *what, const void *a, const void *b,
                     size_t length);
void harnessCheckNull(const char *file, int line, const char *what, const void *pointer);
void harnessCheckError(const char *file, int line, const char *what, int code, int expected,
                       const char *message);

#endif /* TESTS_HARNESS_H */
