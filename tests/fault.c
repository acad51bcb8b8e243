/*
 * Failing allocations and system calls; fault.h tells how to use it.
 *
 * Two ways to get between a caller and the C library, chosen by the Makefile:
 *
 * - FAULT_INTERPOSE: this file defines malloc and its family for the whole program, shared libraries
 *   included, on top of glibc's __libc_malloc. Blocks allocated while armed are kept in a table, so
 *   that what is left can be counted and named.
 * - otherwise (sanitizers and valgrind, which replace malloc themselves): the linker's --wrap, which
 *   reaches virt's objects and the test's only.
 *
 * System calls always go through --wrap. The Makefile reads their names from the lines that begin
 * with WRAP( and ALLOC( here; no other list exists.
 */
#include "fault.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FAULT_NOTES_MAX 20

static _Thread_local struct {
    bool armed, hit, onwards;
    int paused;
    enum faultKind kind;
    unsigned long n, seen;
} fault;

/* Address ranges of libraries whose own allocations are spared. */
static struct {
    uintptr_t begin, end;
} faultSpared[8];
static int faultSparedCount;

static bool
faultIsSpared(const void *caller)
{
    for (int i = 0; i < faultSparedCount; i++) {
        if ((uintptr_t)caller >= faultSpared[i].begin && (uintptr_t)caller < faultSpared[i].end)
            return true;
    }
    return false;
}

/* Counts one call; true if this is one that has to fail. */
static bool
faultHit(enum faultKind kind, const void *caller)
{
    if (!fault.armed || fault.paused > 0 || fault.kind != kind || faultIsSpared(caller))
        return false;
    fault.seen++;
    if (fault.n == 0 || fault.seen < fault.n || (fault.seen > fault.n && !fault.onwards))
        return false;
    fault.hit = true;
    return true;
}

/* ---- the table of blocks, when we are malloc ---- */

#ifdef FAULT_INTERPOSE

# include <execinfo.h>

# define FAULT_BLOCKS 65536             /* a power of two; more blocks than this are not watched */
# define FAULT_FRAMES 10

static struct faultBlock {
    void *pointer;
    unsigned long nth;
    void *frames[FAULT_FRAMES];
} faultBlocks[FAULT_BLOCKS];
static size_t faultBlockCount;
static atomic_bool faultTracking;       /* so that programs without faults pay nothing */
static atomic_flag faultLock = ATOMIC_FLAG_INIT;
static bool faultTrace;
static _Thread_local bool faultInTrace;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

static size_t
faultSlot(const void *pointer)
{
    return (size_t)(((uintptr_t)pointer >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % FAULT_BLOCKS;
}

static void
faultRemember(void *pointer)
{
    void *frames[FAULT_FRAMES] = { NULL };
    size_t i;

    if (pointer == NULL || !fault.armed || fault.kind != FAULT_ALLOCATION || faultInTrace)
        return;
    if (faultTrace) {
        faultInTrace = true;
        backtrace(frames, FAULT_FRAMES);
        faultInTrace = false;
    }
    while (atomic_flag_test_and_set_explicit(&faultLock, memory_order_acquire))
        continue;
    if (faultBlockCount < FAULT_BLOCKS / 2) {
        for (i = faultSlot(pointer); faultBlocks[i].pointer != NULL; i = (i + 1) % FAULT_BLOCKS)
            continue;
        faultBlocks[i].pointer = pointer;
        faultBlocks[i].nth = fault.seen;
        memcpy(faultBlocks[i].frames, frames, sizeof(frames));
        faultBlockCount++;
    }
    atomic_flag_clear_explicit(&faultLock, memory_order_release);
}

/* Linear probing: what follows a freed place moves up, or it would no longer be found. */
static void
faultForget(const void *pointer)
{
    size_t i, j;

    if (pointer == NULL || !atomic_load_explicit(&faultTracking, memory_order_relaxed))
        return;
    while (atomic_flag_test_and_set_explicit(&faultLock, memory_order_acquire))
        continue;
    for (i = faultSlot(pointer); faultBlocks[i].pointer != NULL; i = (i + 1) % FAULT_BLOCKS) {
        if (faultBlocks[i].pointer == pointer)
            break;
    }
    if (faultBlocks[i].pointer != NULL) {
        faultBlockCount--;
        faultBlocks[i].pointer = NULL;
        for (j = (i + 1) % FAULT_BLOCKS; faultBlocks[j].pointer != NULL; j = (j + 1) % FAULT_BLOCKS) {
            size_t home = faultSlot(faultBlocks[j].pointer);

            if (((j - home) % FAULT_BLOCKS) >= ((j - i) % FAULT_BLOCKS)) {
                faultBlocks[i] = faultBlocks[j];
                faultBlocks[j].pointer = NULL;
                i = j;
            }
        }
    }
    atomic_flag_clear_explicit(&faultLock, memory_order_release);
}

# define FAULT_FAILS() (faultHit(FAULT_ALLOCATION, __builtin_return_address(0)) && (errno = ENOMEM))

__attribute__((noinline)) void *
malloc(size_t size)
{
    void *pointer;

    if (FAULT_FAILS())
        return NULL;
    pointer = __libc_malloc(size);
    faultRemember(pointer);
    return pointer;
}

__attribute__((noinline)) void *
calloc(size_t count, size_t size)
{
    void *pointer;

    if (FAULT_FAILS())
        return NULL;
    pointer = __libc_calloc(count, size);
    faultRemember(pointer);
    return pointer;
}

/* Forgotten before and not after: as soon as it is free, another thread may get the same address. */
__attribute__((noinline)) void *
realloc(void *old, size_t size)
{
    void *pointer;

    if (FAULT_FAILS())
        return NULL;
    faultForget(old);
    pointer = __libc_realloc(old, size);
    faultRemember(pointer != NULL || size == 0 ? pointer : old);
    return pointer;
}

__attribute__((noinline)) void *
aligned_alloc(size_t alignment, size_t size)
{
    void *pointer;

    if (FAULT_FAILS())
        return NULL;
    pointer = __libc_memalign(alignment, size);
    faultRemember(pointer);
    return pointer;
}

__attribute__((noinline)) int
posix_memalign(void **pointer, size_t alignment, size_t size)
{
    if (FAULT_FAILS())
        return ENOMEM;
    *pointer = __libc_memalign(alignment, size);
    faultRemember(*pointer);
    return *pointer != NULL ? 0 : ENOMEM;
}

void
free(void *pointer)
{
    faultForget(pointer);
    __libc_free(pointer);
}

static void
faultTrackStart(void)
{
    static void *warm[4];
    const char *trace = getenv("VIRT_FAULT_TRACE");

    if (trace != NULL && *trace != '\0' && !faultTrace) {
        backtrace(warm, 4);                 /* its first call loads a library */
        faultTrace = true;
    }
    if (faultBlockCount > 0)                /* what the run before leaked; six megabytes are slow where a run forks */
        memset(faultBlocks, 0, sizeof(faultBlocks));
    faultBlockCount = 0;
    atomic_store(&faultTracking, true);
}

/* The number of blocks that are still there; with `show` they are listed on stderr. */
static size_t
faultTrackEnd(bool show)
{
    size_t n = faultBlockCount;

    atomic_store(&faultTracking, false);
    for (size_t i = 0; show && n > 0 && faultTrace && i < FAULT_BLOCKS; i++) {
        if (faultBlocks[i].pointer == NULL)
            continue;
        fprintf(stderr, "block %p, allocation %lu, from:\n", faultBlocks[i].pointer,
                faultBlocks[i].nth);
        for (int f = 1; f < FAULT_FRAMES && faultBlocks[i].frames[f] != NULL; f++) {
            Dl_info where;

            if (dladdr(faultBlocks[i].frames[f], &where) != 0)
                fprintf(stderr, "    %s+0x%tx %s\n", where.dli_fname,
                        (char *)faultBlocks[i].frames[f] - (char *)where.dli_fbase,
                        where.dli_sname != NULL ? where.dli_sname : "");
        }
    }
    return n;
}

# undef FAULT_FAILS

#else /* the tool at work finds the leaks */

static void
faultTrackStart(void)
{
}

static size_t
faultTrackEnd(bool show)
{
    (void)show;
    return 0;
}

/* A line is ALLOC(name, type, parameters, arguments, what a failure returns) */
# define ALLOC(name, type, params, args, failure)                                               \
    type __real_##name params;                                                                  \
    type __wrap_##name params;                                                                  \
    type                                                                                        \
    __wrap_##name params                                                                        \
    {                                                                                           \
        if (faultHit(FAULT_ALLOCATION, NULL)) {                                                 \
            errno = ENOMEM;                                                                     \
            return failure;                                                                     \
        }                                                                                       \
        return __real_##name args;                                                              \
    }

ALLOC(malloc, void *, (size_t size), (size), NULL)
ALLOC(calloc, void *, (size_t count, size_t size), (count, size), NULL)
ALLOC(realloc, void *, (void *old, size_t size), (old, size), NULL)
ALLOC(reallocarray, void *, (void *old, size_t count, size_t size), (old, count, size), NULL)
ALLOC(aligned_alloc, void *, (size_t alignment, size_t size), (alignment, size), NULL)
ALLOC(posix_memalign, int, (void **out, size_t alignment, size_t size), (out, alignment, size), ENOMEM)
ALLOC(strdup, char *, (const char *text), (text), NULL)
ALLOC(strndup, char *, (const char *text, size_t max), (text, max), NULL)
ALLOC(vasprintf, int, (char **out, const char *format, va_list list), (out, format, list), -1)
ALLOC(open_memstream, FILE *, (char **out, size_t *size), (out, size), NULL)

/* ALLOC(asprintf): */
int __wrap_asprintf(char **out, const char *format, ...);
int
__wrap_asprintf(char **out, const char *format, ...)
{
    va_list list;
    int rc;

    va_start(list, format);
    rc = __wrap_vasprintf(out, format, list);
    va_end(list);
    return rc;
}
# undef ALLOC
#endif

/* ---- system calls ---- */

/* A line is WRAP(name, kind, errno, type, parameters, arguments, what a failure returns) */
#define WRAP(name, kind, error, type, params, args, failure)                                    \
    type __real_##name params;                                                                  \
    type __wrap_##name params;                                                                  \
    type                                                                                        \
    __wrap_##name params                                                                        \
    {                                                                                           \
        if (faultHit(kind, NULL)) {                                                             \
            errno = error;                                                                      \
            return failure;                                                                     \
        }                                                                                       \
        return __real_##name args;                                                              \
    }

WRAP(fopen, FAULT_OPEN, EMFILE, FILE *, (const char *path, const char *mode), (path, mode), NULL)
WRAP(opendir, FAULT_OPEN, EMFILE, DIR *, (const char *path), (path), NULL)
WRAP(mkstemp, FAULT_OPEN, EMFILE, int, (char *path), (path), -1)
WRAP(mkostemp, FAULT_OPEN, EMFILE, int, (char *path, int flags), (path, flags), -1)
WRAP(memfd_create, FAULT_OPEN, EMFILE, int, (const char *name, unsigned int flags), (name, flags), -1)
#ifdef __GLIBC__                        /* what it calls instead where a long has 32 bits */
WRAP(fopen64, FAULT_OPEN, EMFILE, FILE *, (const char *path, const char *mode), (path, mode), NULL)
WRAP(mkstemp64, FAULT_OPEN, EMFILE, int, (char *path), (path), -1)
WRAP(mkostemp64, FAULT_OPEN, EMFILE, int, (char *path, int flags), (path, flags), -1)
#endif
WRAP(write, FAULT_WRITE, ENOSPC, ssize_t, (int fd, const void *data, size_t size), (fd, data, size), -1)
WRAP(pwrite, FAULT_WRITE, ENOSPC, ssize_t, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), -1)
WRAP(writev, FAULT_WRITE, ENOSPC, ssize_t, (int fd, const struct iovec *parts, int count), (fd, parts, count), -1)
WRAP(ftruncate, FAULT_WRITE, ENOSPC, int, (int fd, off_t size), (fd, size), -1)
WRAP(read, FAULT_READ, EIO, ssize_t, (int fd, void *data, size_t size), (fd, data, size), -1)
WRAP(pread, FAULT_READ, EIO, ssize_t, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), -1)
WRAP(fsync, FAULT_FSYNC, EIO, int, (int fd), (fd), -1)
WRAP(fdatasync, FAULT_FSYNC, EIO, int, (int fd), (fd), -1)
WRAP(rename, FAULT_RENAME, EIO, int, (const char *from, const char *to), (from, to), -1)
WRAP(renameat, FAULT_RENAME, EIO, int, (int a, const char *from, int b, const char *to), (a, from, b, to), -1)
WRAP(link, FAULT_RENAME, EIO, int, (const char *from, const char *to), (from, to), -1)
WRAP(mkdir, FAULT_MKDIR, ENOSPC, int, (const char *path, mode_t mode), (path, mode), -1)
WRAP(mkdirat, FAULT_MKDIR, ENOSPC, int, (int dir, const char *path, mode_t mode), (dir, path, mode), -1)
WRAP(unlink, FAULT_UNLINK, EIO, int, (const char *path), (path), -1)
WRAP(unlinkat, FAULT_UNLINK, EIO, int, (int dir, const char *path, int flags), (dir, path, flags), -1)
WRAP(rmdir, FAULT_UNLINK, EIO, int, (const char *path), (path), -1)
WRAP(fork, FAULT_SPAWN, EAGAIN, pid_t, (void), (), -1)
WRAP(pipe, FAULT_SPAWN, EAGAIN, int, (int *fds), (fds), -1)
WRAP(pipe2, FAULT_SPAWN, EAGAIN, int, (int *fds, int flags), (fds, flags), -1)
WRAP(socket, FAULT_SOCKET, ENOBUFS, int, (int domain, int type, int protocol), (domain, type, protocol), -1)
WRAP(socketpair, FAULT_SOCKET, ENOBUFS, int, (int domain, int type, int protocol, int *fds), (domain, type, protocol, fds), -1)
WRAP(bind, FAULT_SOCKET, ENOBUFS, int, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)
WRAP(listen, FAULT_SOCKET, ENOBUFS, int, (int fd, int backlog), (fd, backlog), -1)
WRAP(connect, FAULT_SOCKET, ENOBUFS, int, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)
WRAP(accept4, FAULT_SOCKET, ENOBUFS, int, (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags), -1)
WRAP(posix_spawn, FAULT_SPAWN, EAGAIN, int, (pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const *argv, char *const *env), (pid, path, actions, attributes, argv, env), EAGAIN)
WRAP(posix_spawnp, FAULT_SPAWN, EAGAIN, int, (pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const *argv, char *const *env), (pid, path, actions, attributes, argv, env), EAGAIN)
#undef WRAP

/* The two whose mode is there only sometimes. */
#define WRAP(name, params, args)                                                                \
    int __real_##name params;                                                                   \
    int __wrap_##name params;                                                                   \
    int                                                                                         \
    __wrap_##name params                                                                        \
    {                                                                                           \
        va_list list;                                                                           \
        mode_t mode = 0;                                                                        \
                                                                                                \
        if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {                       \
            va_start(list, flags);                                                              \
            mode = va_arg(list, mode_t);                                                        \
            va_end(list);                                                                       \
        }                                                                                       \
        if (faultHit(FAULT_OPEN, NULL)) {                                                       \
            errno = EMFILE;                                                                     \
            return -1;                                                                          \
        }                                                                                       \
        return __real_##name args;                                                              \
    }

WRAP(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
#ifdef __GLIBC__                        /* see above */
WRAP(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
#endif
#undef WRAP

/* ---- by hand ---- */

void
faultArm(enum faultKind kind, unsigned long n, bool andAllThatFollow)
{
    fault.kind = kind;
    fault.n = n;
    fault.onwards = andAllThatFollow;
    fault.seen = 0;
    fault.hit = false;
    fault.paused = 0;
    fault.armed = true;
}

unsigned long
faultDisarm(void)
{
    fault.armed = false;
    return fault.seen;
}

bool
faultWasHit(void)
{
    return fault.hit;
}

void
faultPause(void)
{
    fault.paused++;
}

void
faultResume(void)
{
    fault.paused--;
}

static int
faultSpareOne(struct dl_phdr_info *info, size_t size, void *opaque)
{
    (void)size;
    if (info->dlpi_name == NULL || strstr(info->dlpi_name, (const char *)opaque) == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 && faultSparedCount < 8) {
            faultSpared[faultSparedCount].begin = info->dlpi_addr + part->p_vaddr;
            faultSpared[faultSparedCount].end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
            faultSparedCount++;
        }
    }
    return 0;
}

void
faultSpare(const char *library)
{
    char name[64];

    snprintf(name, sizeof(name), "%s", library);
    dl_iterate_phdr(faultSpareOne, name);
}

/* ---- every n ---- */

static const char *const faultNames[FAULT_KINDS] = {
    [FAULT_ALLOCATION] = "allocation", [FAULT_OPEN] = "open", [FAULT_WRITE] = "write",
    [FAULT_READ] = "read", [FAULT_FSYNC] = "fsync", [FAULT_RENAME] = "rename",
    [FAULT_MKDIR] = "mkdir", [FAULT_UNLINK] = "unlink", [FAULT_SPAWN] = "spawn",
    [FAULT_SOCKET] = "socket call",
};

struct faultRun {
    const char *file;
    int line;
    enum faultKind kind;
    faultBody body;
    void *opaque;
    int (*errorCode)(void);
    const char *(*errorMessage)(void);
    void (*errorReset)(void);
    int notes;
};

/* libxml2 keeps a copy of the thread's last error, for whoever may ask: not a leak. Absent in programs without it. */
void xmlResetLastError(void) __attribute__((weak));

/* One disturbed run; false when it made fewer than n calls, so that nothing failed. */
static bool
faultOnce(struct faultRun *run, unsigned long n, bool onwards)
{
    int fds = countDescriptors(), rc, code, grown;
    size_t blocks;

    harnessContext("%s %lu failing%s", faultNames[run->kind], n, onwards ? " and all after it" : "");
    run->errorReset();
    faultTrackStart();
    faultArm(run->kind, n, onwards);
    rc = run->body(run->opaque);
    fault.n = 0;                                /* from here nothing fails, but frees are noted */
    code = run->errorCode();
    run->errorReset();
    if (xmlResetLastError != NULL)
        xmlResetLastError();
    faultDisarm();
    blocks = faultTrackEnd(true);
    grown = countDescriptors() - fds;
    if (rc < 0 && code == 0)
        harnessNote(run->file, run->line, "failed without an error"), run->notes++;
    if (rc > 0 || rc < -1)
        harnessNote(run->file, run->line, "the body returned %d", rc), run->notes++;
    if (blocks > 0)
        harnessNote(run->file, run->line, "%zu blocks leaked", blocks), run->notes++;
    if (grown > 0)
        harnessNote(run->file, run->line, "%d descriptors leaked", grown), run->notes++;
    if (run->notes >= FAULT_NOTES_MAX)
        harnessFail(run->file, run->line, "enough of this");
    return fault.hit;
}

void
faultEach(const char *file, int line, enum faultKind kind, faultBody body, void *opaque,
          int (*errorCode)(void), const char *(*errorMessage)(void), void (*errorReset)(void))
{
    struct faultRun run = { file, line, kind, body, opaque, errorCode, errorMessage, errorReset, 0 };
    const char *word = getenv("VIRT_FAULT_STRIDE");
    unsigned long stride = word != NULL ? strtoul(word, NULL, 10) : 1, total = 0;

    if (stride == 0)
        stride = 1;
    if (xmlResetLastError != NULL)
        xmlResetLastError();                    /* sets libxml2 up, which is no part of any run */
    harnessContext("before any %s fails", faultNames[kind]);
    for (int i = 0; i < 2; i++) {
        if (body(opaque) != 0)
            harnessFail(file, line, "the undisturbed run failed: %s", errorMessage());
    }
    faultOnce(&run, 0, false);
    total = fault.seen;
    if (total == 0)
        harnessFail(file, line, "the body makes no %s", faultNames[kind]);
    for (int onwards = 0; onwards < 2; onwards++) {
        for (unsigned long n = 1; faultOnce(&run, n, onwards != 0); n += stride)
            continue;
    }
    harnessContext("after every %s failed", faultNames[kind]);
    if (body(opaque) != 0)
        harnessFail(file, line, "the run after the faults failed: %s", errorMessage());
    harnessContext("%s", "");
    printf("%s:%d: each of %lu %ss failed, alone and with all after it\n", file, line, total,
           faultNames[kind]);
}
