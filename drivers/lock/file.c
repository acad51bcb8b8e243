/*
 * The lock manager "file": leases in a directory that hosts share.
 *
 *   KEY.lease         the state, replaced atomically and durably
 *   KEY.change        locked by whoever changes it
 *   KEY.OWNER.seat    locked by the descriptor that the owner's hypervisor has inherited
 *
 * The locks are those of open file descriptions: they end with the last copy of the descriptor, and shared file systems
 * know them as byte-range locks. Files that are locked are never replaced or removed: who opens one meets all others there.
 * A lease here is not lost as long as its hypervisor lives, so on_lockfailure has no occasion.
 */
#include "lock.h"

#ifndef _WIN32

#include "../common/file.h"
#include "../common/json.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

#define VIRT_LOCK_FILE_WAIT 10000          /* ms for whoever is changing a lease */
#define VIRT_LOCK_FILE_NAME 200            /* bytes of a file's name before its ending */

/* Adds a name, as the part of a file's name that it alone makes. */
static void
virLockFileAddName(struct virText *text, const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_')
            virTextAdd(text, "%c", *p);
        else
            virTextAdd(text, "%%%02x", *p);
    }
}

static char *
virLockFilePath(const struct virLock *lock, const char *key, const char *owner, const char *ending)
{
    VIRT_CLEANUP_FREE char *name = NULL;
    struct virText text = { 0 };

    virLockFileAddName(&text, key);
    if (owner != NULL) {
        virTextAdd(&text, ".");
        virLockFileAddName(&text, owner);
    }
    if ((name = virTextTake(&text)) == NULL)
        return NULL;
    if (strlen(name) > VIRT_LOCK_FILE_NAME) {
        virReportError(VIR_ERR_INVALID_ARG, "lease '%s'%s%s: too long for a file's name", key, owner != NULL ? " of " : "",
                       owner != NULL ? owner : "");
        return NULL;
    }
    return virStringFormat("%s/%s.%s", (const char *)lock->priv, name, ending);
}

static int
virLockFileOpenPart(struct virLock *lock, const char *key, const char *owner, const char *ending)
{
    VIRT_CLEANUP_FREE char *path = virLockFilePath(lock, key, owner, ending);
    int fd;

    if (path == NULL)
        return -1;
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600)) < 0)
        return virReportSystemError(errno, "cannot open '%s'", path);
    return fd;
}

/* 1: locked; 0: somebody else has it; -1 with the error. */
static int
virLockFileTry(int fd, const char *key)
{
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

    if (fcntl(fd, F_OFD_SETLK, &range) == 0)
        return 1;
    if (errno == EAGAIN || errno == EACCES)
        return 0;
    return virReportSystemError(errno, "cannot lock the lease '%s'", key);
}

/* The right to change the lease, until the descriptor is closed. */
static int
virLockFileEnter(struct virLock *lock, const char *key)
{
    int fd = virLockFileOpenPart(lock, key, NULL, "change"), rc = 0;

    for (int i = 0; fd >= 0 && i < VIRT_LOCK_FILE_WAIT && (rc = virLockFileTry(fd, key)) == 0; i++)
        poll(NULL, 0, 1);
    if (fd < 0 || rc > 0)
        return fd;
    close(fd);
    return rc < 0 ? -1 : virReportError(VIR_ERR_OPERATION_TIMEOUT, "lease '%s' of '%s' is being changed by somebody", key, lock->place);
}

static int
virLockFileInquire(struct virLock *lock, const char *key, struct virLockState *state)
{
    VIRT_CLEANUP_FREE char *path = virLockFilePath(lock, key, NULL, "lease"), *text = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    const char *holder;
    size_t length;

    if (path == NULL)
        return -1;
    memset(state, 0, sizeof(*state));
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return access(lock->priv, F_OK) == 0 ? 0 : virReportSystemError(errno, "cannot read the leases in '%s'", (const char *)lock->priv);
    if ((text = virFileRead(path, 4096, &length)) == NULL || (json = virJsonParse(text, length, path)) == NULL)
        return -1;
    holder = virJsonString(json, "holder");
    if (holder == NULL || strlen(holder) >= sizeof(state->holder) || virJsonULongLong(json, "epoch", &state->epoch) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "lease '%s' is damaged", path);
    strcpy(state->holder, holder);
    return 0;
}

static int
virLockFileChange(struct virLock *lock, const char *key, struct virLockState *from, const struct virLockState *to)
{
    VIRT_CLEANUP_CLOSE int change = virLockFileEnter(lock, key);
    VIRT_CLEANUP_FREE char *path = NULL, *text = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    struct virLockState now;

    if (change < 0 || virLockFileInquire(lock, key, &now) < 0)
        return -1;
    if (now.epoch != from->epoch || strcmp(now.holder, from->holder) != 0) {
        *from = now;
        return 0;
    }
    if ((path = virLockFilePath(lock, key, NULL, "lease")) == NULL
        || (json = virJsonObject("s:holder", to->holder, "u:epoch", to->epoch, "s:key", key, NULL)) == NULL
        || (text = virJsonFormat(json)) == NULL || virFileWrite(path, text, strlen(text), 0600) < 0)
        return -1;
    return 1;
}

static int
virLockFileLives(struct virLock *lock, const char *key, const char *owner)
{
    VIRT_CLEANUP_FREE char *path = virLockFilePath(lock, key, owner, "seat");
    VIRT_CLEANUP_CLOSE int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW) : -1;
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

    if (path == NULL)
        return -1;
    if (fd < 0)
        return errno == ENOENT ? 0 : virReportSystemError(errno, "cannot open '%s'", path);
    /* only asked: who looks must not be taken for who sits */
    if (fcntl(fd, F_OFD_GETLK, &range) < 0)
        return virReportSystemError(errno, "cannot ask for the lock of '%s'", path);
    return range.l_type != F_UNLCK;
}

static int
virLockFileSit(struct virLock *lock, const char *key, enum virLockFailure failure, struct virLockSeat *seat)
{
    VIRT_CLEANUP_CLOSE int fd = virLockFileOpenPart(lock, key, lock->owner, "seat");
    int rc;

    (void)failure;
    if (fd < 0 || (rc = virLockFileTry(fd, key)) < 0)
        return -1;
    if (rc == 0)
        return virReportError(VIR_ERR_RESOURCE_BUSY, "the seat of '%s' at lease '%s' is taken", lock->owner, key);
    seat->fd = fd;
    fd = -1;
    return 0;
}

static int
virLockFileOpen(struct virLock *lock, const char *place)
{
    struct stat info;

    if (place[0] != '/')
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'file': '%s' is not an absolute path", place);
    if (stat(place, &info) < 0)
        return virReportSystemError(errno, "lock manager 'file': cannot use '%s'", place);
    if (!S_ISDIR(info.st_mode))
        return virReportSystemError(ENOTDIR, "lock manager 'file': cannot use '%s'", place);
    return (lock->priv = virStringCopy(place)) != NULL ? 0 : -1;
}

static void
virLockFileClose(struct virLock *lock)
{
    free(lock->priv);
}

VIRT_INTERNAL const struct virLockManager virLockFile = {
    .name    = "file",
    .open    = virLockFileOpen,
    .close   = virLockFileClose,
    .inquire = virLockFileInquire,
    .change  = virLockFileChange,
    .lives   = virLockFileLives,
    .sit     = virLockFileSit,
};

#undef VIRT_LOCK_FILE_WAIT
#undef VIRT_LOCK_FILE_NAME
#undef VIRT_FROM
#endif
