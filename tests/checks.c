/*
 * The checks, and what tests have in common, as far as it is the same on every system. harness.c runs
 * the tests on systems with POSIX, harness_windows.c on Windows.
 */
#include "harness.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct harnessThrough *harnessThrough;
struct harnessTest *harnessTests;
struct harnessShared *harnessShared;
char harnessScratch[128];

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

long long
harnessOwnMs(void)
{
    unsigned long long waited = 0;
    FILE *f = fopen("/proc/thread-self/schedstat", "r");

    if (f != NULL) {
        if (fscanf(f, "%*u %llu", &waited) != 1)
            waited = 0;
        fclose(f);
    }
    return harnessNowMs() - (long long)(waited / 1000000);
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
harnessTell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("%s", HARNESS_TOLD);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
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

const char *
knowingEmulators(const char *root)
{
#ifndef _WIN32
    DIR *known = opendir(buildPath("emulators/cache"));
    char path[1400], *text;

    snprintf(path, sizeof(path), "%s/cache", root);
    /* copies, because the library may replace what it finds; and not where it has been already */
    if (known != NULL && mkdir(root, 0700) == 0 && mkdir(path, 0700) == 0) {
        for (struct dirent *each; (each = readdir(known)) != NULL; ) {
            if (strstr(each->d_name, ".json") == NULL)
                continue;
            snprintf(path, sizeof(path), "%s/%s", buildPath("emulators/cache"), each->d_name);
            text = readFile(path);
            snprintf(path, sizeof(path), "%s/cache/%s", root, each->d_name);
            writeFile(path, text);
            free(text);
        }
    }
    if (known != NULL)
        closedir(known);
#endif
    return root;
}

char *
readFile(const char *path)
{
    size_t size = 0, room = 4096;
    char *text = malloc(room);
    FILE *file = fopen(path, "rb");

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
    FILE *file = fopen(path, "wb");

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

/* ---- running ---- */

void
harnessShow(const char *path, bool all)
{
    const size_t mark = strlen(HARNESS_TOLD);
    char line[4096];
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        bool told = strncmp(line, HARNESS_TOLD, mark) == 0;

        if (told || all)
            fputs(line + (told ? mark : 0), stdout);
    }
    fclose(file);
}

bool
harnessWanted(const struct harnessTest *test, char **words, int nwords)
{
    for (int i = 0; i < nwords; i++) {
        if (strstr(test->name, words[i]) != NULL)
            return true;
    }
    return nwords == 0;
}

int
harnessUsage(const char *program)
{
    printf("usage: %s [-v] [--list] [word...]\n"
           "Runs the tests whose names contain one of the words; all without words.\n"
           "  -v, --verbose   name every test and show what it prints\n"
           "  -l, --list      only print the names\n", program);
    return 0;
}
