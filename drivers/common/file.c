/*
 * Files and Unix sockets, for systems with POSIX; on Windows, where no guests are kept, there is nothing of this but reading, which
 * is in windows.c. See file.h.
 */
#include "file.h"

#ifndef _WIN32

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_NONE

#define VIRT_FILE_LOCK_TRIES 400           /* each of 5 ms */

VIRT_INTERNAL void
virFileCleanupClose(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

/* ---------- reading and writing ---------- */

/* Reads to the end of the file; the size that fstat tells is only a first guess (files in /proc have none). */
VIRT_INTERNAL char *
virFileRead(const char *path, size_t max, size_t *length)
{
    VIRT_CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    VIRT_CLEANUP_FREE char *data = NULL;
    size_t used = 0, size = 0;
    struct stat info;
    char *result;

    if (fd < 0 || fstat(fd, &info) < 0) {
        virReportSystemError(errno, "cannot read '%s'", path);
        return NULL;
    }
    for (;;) {
        ssize_t got;

        if (used + 1 >= size) {
            size_t grown = size == 0 ? (info.st_size > 0 && (size_t)info.st_size < max ? (size_t)info.st_size + 2 : 4096) : size * 2;
            char *bigger = realloc(data, grown);

            if (bigger == NULL) {
                virReportNoMemory();
                return NULL;
            }
            data = bigger;
            size = grown;
        }
        got = read(fd, data + used, size - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            virReportSystemError(errno, "cannot read '%s'", path);
            return NULL;
        }
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > max) {
            virReportSystemError(EFBIG, "cannot read '%s': it has more than %zu bytes", path, max);
            return NULL;
        }
    }
    data[used] = '\0';
    if (length != NULL)
        *length = used;
    result = data;
    data = NULL;
    return result;
}

static int
virFileWriteAll(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, data, length);

        if (put < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        data += put;
        length -= (size_t)put;
    }
    return 0;
}

/* The directory a path is in, opened for fsync or as a base. *name is the last component. -1 with errno set. */
static int
virFileOpenDirectory(const char *path, int flags, const char **name)
{
    const char *slash = strrchr(path, '/');
    VIRT_CLEANUP_FREE char *directory = NULL;

    *name = slash != NULL ? slash + 1 : path;
    if (slash == NULL)
        directory = strdup(".");
    else
        directory = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    return directory == NULL ? -1 : open(directory, flags | O_DIRECTORY | O_CLOEXEC);
}

static int
virFileSyncDirectory(const char *path)
{
    const char *name;
    VIRT_CLEANUP_CLOSE int fd = virFileOpenDirectory(path, O_RDONLY, &name);

    return fd < 0 ? -1 : fsync(fd);
}

static int
virFileReplace(const char *path, const char *data, size_t length, mode_t mode, bool durable)
{
    VIRT_CLEANUP_FREE char *temporary = virStringFormat("%s.XXXXXX.new", path);
    VIRT_CLEANUP_CLOSE int fd = -1;
    int saved;

    if (temporary == NULL)
        return -1;
    if ((fd = mkostemps(temporary, 4, O_CLOEXEC)) < 0)
        return virReportSystemError(errno, "cannot create a temporary file for '%s'", path);
    if (virFileWriteAll(fd, data, length) < 0 || fchmod(fd, mode) < 0 || (durable && fsync(fd) < 0) ||
        rename(temporary, path) < 0) {
        saved = errno;
        unlink(temporary);
        return virReportSystemError(saved, "cannot write '%s'", path);
    }
    /* From here on the new file is in place; what can still fail is the promise that it outlives a power cut. */
    if (durable && virFileSyncDirectory(path) < 0)
        return virReportSystemError(errno, "cannot make '%s' durable", path);
    return 0;
}

VIRT_INTERNAL int
virFileWrite(const char *path, const char *data, size_t length, mode_t mode)
{
    return virFileReplace(path, data, length, mode, true);
}

VIRT_INTERNAL int
virFileWriteVolatile(const char *path, const char *data, size_t length, mode_t mode)
{
    return virFileReplace(path, data, length, mode, false);
}

VIRT_INTERNAL int
virFileRemove(const char *path)
{
    if (unlink(path) < 0)
        return errno == ENOENT ? 0 : virReportSystemError(errno, "cannot remove '%s'", path);
    if (virFileSyncDirectory(path) < 0)
        return virReportSystemError(errno, "cannot make the removal of '%s' durable", path);
    return 0;
}

VIRT_INTERNAL int
virFileMakePath(const char *path, mode_t mode)
{
    VIRT_CLEANUP_FREE char *copy = virStringCopy(path);
    struct stat info;

    if (copy == NULL)
        return -1;
    for (char *end = copy + strlen(copy); end > copy + 1 && end[-1] == '/'; end--)
        end[-1] = '\0';
    if (stat(copy, &info) == 0 && S_ISDIR(info.st_mode))
        return 0;
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return virReportSystemError(errno, "cannot create directory '%s'", copy);
        *slash = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST)
        return virReportSystemError(errno, "cannot create directory '%s'", copy);
    if (stat(copy, &info) < 0)
        return virReportSystemError(errno, "cannot create directory '%s'", copy);
    if (!S_ISDIR(info.st_mode))
        return virReportSystemError(ENOTDIR, "cannot create directory '%s'", copy);
    return 0;
}

/*
 * An open file description lock belongs to the descriptor, not to the process: it ends when the process does, however
 * that happens, and another descriptor of this same process does not get it. It cannot tell who holds it, so the file does.
 */
/* The pid that the holder of a lock file has written; -1: none yet. */
static int
virFileHolder(int fd)
{
    char text[32] = "";
    ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
    int holder;

    return length >= 0 && virStringToInt(text, 10, &holder) == 0 && holder > 0 ? holder : -1;
}

VIRT_INTERNAL int
virFileLock(const char *path, pid_t *owner)
{
    VIRT_CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char text[32] = "";
    ssize_t length;
    int holder = 0, result, rc;

    if (owner != NULL)
        *owner = 0;
    if (fd < 0)
        return virReportSystemError(errno, "cannot open lock file '%s'", path);
    /* of one that was killed, a child that has not begun its program yet may have it for an instant more */
    for (int i = 0; (rc = fcntl(fd, F_OFD_SETLK, &lock)) < 0 && (errno == EAGAIN || errno == EACCES) && i < VIRT_FILE_LOCK_TRIES; i++) {
        if ((holder = virFileHolder(fd)) > 0 && (kill(holder, 0) == 0 || errno != ESRCH))
            break;
        poll(NULL, 0, 5);
    }
    if (rc < 0) {
        if (holder == 0)
            return virReportSystemError(errno, "cannot lock '%s'", path);
        if (owner == NULL)
            return virReportError(VIR_ERR_OPERATION_FAILED, "'%s' is locked by process %d", path, holder);
        *owner = holder;
        return -1;
    }
    length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return virReportSystemError(errno, "cannot write lock file '%s'", path);
    result = fd;
    fd = -1;
    return result;
}

static int
virFileCompareNames(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

VIRT_INTERNAL int
virFileEach(const char *directory, int (*visit)(const char *name, void *opaque), void *opaque)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    char **names = NULL;
    size_t count = 0;
    int rc = 0;

    if (dir == NULL)
        return virReportSystemError(errno, "cannot read directory '%s'", directory);
    errno = 0;
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = virStringsAdd(&names, &count, virStringCopy(entry->d_name));
        errno = 0;
    }
    if (rc == 0 && errno != 0)
        rc = virReportSystemError(errno, "cannot read directory '%s'", directory);
    closedir(dir);
    if (rc == 0 && count > 1)
        qsort(names, count, sizeof(*names), virFileCompareNames);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = visit(names[i], opaque);
    virStringsFree(names);
    return rc;
}

/* ---------- Unix sockets ---------- */

/*
 * The address of a path. sun_path holds 107 bytes only; a longer path is named by way of its directory's descriptor, which
 * the caller keeps open until the call that uses the address is done.
 */
static int
virFileSocketAddress(const char *path, struct sockaddr_un *address, int *directory)
{
    const char *name;
    int length;

    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (strlen(path) < sizeof(address->sun_path)) {
        memcpy(address->sun_path, path, strlen(path));
        return 0;
    }
    if ((*directory = virFileOpenDirectory(path, O_PATH, &name)) < 0)
        return -1;
    length = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", *directory, name);
    if (length >= (int)sizeof(address->sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

/* A socket file that a dead process left behind would keep the address taken for ever; other kinds of files are not touched. */
VIRT_INTERNAL int
virFileListen(const char *path, int backlog)
{
    VIRT_CLEANUP_CLOSE int fd = -1;
    VIRT_CLEANUP_CLOSE int directory = -1;
    struct sockaddr_un address;
    struct stat info;
    int result;

    if (virFileSocketAddress(path, &address, &directory) < 0 ||
        (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return virReportSystemError(errno, "cannot make socket '%s'", path);
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, backlog) < 0)
        return virReportSystemError(errno, "cannot listen on socket '%s'", path);
    result = fd;
    fd = -1;
    return result;
}

VIRT_INTERNAL int
virFileConnect(const char *path)
{
    VIRT_CLEANUP_CLOSE int fd = -1;
    VIRT_CLEANUP_CLOSE int directory = -1;
    struct sockaddr_un address;
    int result;

    if (virFileSocketAddress(path, &address, &directory) < 0 ||
        (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return virReportSystemError(errno, "cannot connect to socket '%s'", path);
    result = fd;
    fd = -1;
    return result;
}

#undef VIRT_FILE_LOCK_TRIES
#undef VIRT_FROM
#endif
