/*
 * Leases in a directory that hosts share: KEY.lease is the state, replaced atomically; KEY.lock serializes the
 * changes; KEY.OWNER.live is locked by the descriptor that the hypervisor inherits. All are open file description
 * locks, which end with the last copy of the descriptor. No file but the state is ever replaced or removed.
 */
#include "lock.h"

#ifndef _WIN32

#include "../common/file.h"
#include "../common/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

static int
virLockFileOpenPart(struct virLock *lock, const char *key, const char *owner, const char *ending)
{
    VIRT_CLEANUP_FREE char *path = NULL;
    int fd;

    if (key[0] == '\0' || key[0] == '.' || strchr(key, '/') != NULL || strchr(owner, '/') != NULL ||
        strlen(owner) >= sizeof(((struct virLockState *)0)->holder))
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' of '%s' cannot name a lease", key, owner);
    path = virStringFormat("%s/%s%s.%s", lock->directory, key, owner, ending);
    if (path == NULL)
        return -1;
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600)) < 0)
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
    int fd = virLockFileOpenPart(lock, key, "", "lock"), rc = 0;

    for (int i = 0; fd >= 0 && i < 10000; i++) {
        if ((rc = virLockFileTry(fd, key)) == 1)
            return fd;
        if (rc < 0)
            break;
        usleep(1000);
    }
    if (fd >= 0)
        close(fd);
    return fd < 0 || rc < 0 ? -1 : virReportError(VIR_ERR_OPERATION_TIMEOUT, "lease '%s' is being changed", key);
}

/* What cannot be read is an error, never a free lease. */
static int
virLockFileInquire(struct virLock *lock, const char *key, struct virLockState *state)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/%s.lease", lock->directory, key), *text = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    const char *holder;
    size_t length;

    if (path == NULL)
        return -1;
    memset(state, 0, sizeof(*state));
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if ((text = virFileRead(path, 4096, &length)) == NULL || (json = virJsonParse(text, length, path)) == NULL)
        return -1;
    holder = virJsonString(json, "holder");
    if (holder == NULL || strlen(holder) >= sizeof(state->holder) ||
        virJsonULongLong(json, "epoch", &state->epoch) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "lease '%s' is damaged", path);
    strcpy(state->holder, holder);
    return 0;
}

static int
virLockFileStore(struct virLock *lock, const char *key, const char *holder, unsigned long long epoch)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/%s.lease", lock->directory, key), *text = NULL;
    VIRT_CLEANUP_JSON cJSON *json = virJsonObject("s:holder", holder, "u:epoch", epoch, NULL);

    if (path == NULL || json == NULL || (text = virJsonFormat(json)) == NULL)
        return -1;
    return virFileWrite(path, text, strlen(text), 0600);
}

static int
virLockFileBusy(struct virLock *lock, const char *key, const struct virLockState *state)
{
    return virReportError(VIR_ERR_RESOURCE_BUSY, "the guest belongs to '%s' (epoch %llu), lease '%s/%s'",
                          state->holder[0] != '\0' ? state->holder : "nobody", state->epoch, lock->directory, key);
}

static int
virLockFileAcquire(struct virLock *lock, const char *key, const char *owner, unsigned long long *epoch, int *fd)
{
    VIRT_CLEANUP_CLOSE int change = virLockFileEnter(lock, key);
    VIRT_CLEANUP_CLOSE int live = -1;
    VIRT_CLEANUP_CLOSE int other = -1;
    struct virLockState state;
    int rc;

    if (change < 0 || virLockFileInquire(lock, key, &state) < 0 ||
        (live = virLockFileOpenPart(lock, key, owner, "live")) < 0 || (rc = virLockFileTry(live, key)) < 0)
        return -1;
    if (rc == 1 && state.holder[0] != '\0' && strcmp(state.holder, owner) != 0 &&
        ((other = virLockFileOpenPart(lock, key, state.holder, "live")) < 0 || (rc = virLockFileTry(other, key)) < 0))
        return -1;
    if (rc == 0)
        return virLockFileBusy(lock, key, &state);
    if (virLockFileStore(lock, key, owner, state.epoch + 1) < 0)
        return -1;
    *epoch = state.epoch + 1;
    *fd = live;
    live = -1;
    return 0;
}

static int
virLockFileRelease(struct virLock *lock, const char *key, const char *owner, unsigned long long epoch)
{
    VIRT_CLEANUP_CLOSE int change = virLockFileEnter(lock, key);
    struct virLockState state;

    if (change < 0 || virLockFileInquire(lock, key, &state) < 0)
        return -1;
    if (state.epoch != epoch || strcmp(state.holder, owner) != 0)
        return 0;
    return virLockFileStore(lock, key, "", epoch);
}

static int
virLockFileTransfer(struct virLock *lock, const char *key, const char *from, const char *to,
                    unsigned long long told, unsigned long long *epoch)
{
    VIRT_CLEANUP_CLOSE int change = virLockFileEnter(lock, key);
    struct virLockState state;

    if (change < 0 || virLockFileInquire(lock, key, &state) < 0)
        return -1;
    if (strcmp(state.holder, to) != 0) {
        if (state.epoch != told || (state.holder[0] != '\0' && strcmp(state.holder, from) != 0))
            return virLockFileBusy(lock, key, &state);
        if (virLockFileStore(lock, key, to, ++state.epoch) < 0)
            return -1;
    }
    *epoch = state.epoch;
    return 0;
}

static int
virLockFileKeep(struct virLock *lock, const char *key, const char *owner, unsigned long long told,
                unsigned long long *mine)
{
    VIRT_CLEANUP_CLOSE int change = virLockFileEnter(lock, key);
    struct virLockState state;
    bool held;

    if (change < 0 || virLockFileInquire(lock, key, &state) < 0)
        return -1;
    held = strcmp(state.holder, owner) == 0;
    if (!held && (state.holder[0] != '\0' || state.epoch != *mine))
        return virLockFileBusy(lock, key, &state);
    if ((!held || state.epoch == told) && virLockFileStore(lock, key, owner, ++state.epoch) < 0)
        return -1;
    *mine = state.epoch;
    return 0;
}

static struct virLock *
virLockFileOpen(const char *place)
{
    struct virLock *lock = virAllocate(sizeof(*lock));

    if (lock != NULL && (lock->directory = virStringCopy(place)) == NULL) {
        free(lock);
        return NULL;
    }
    return lock;
}

static void
virLockFileClose(struct virLock *lock)
{
    free(lock->directory);
    free(lock);
}

VIRT_INTERNAL const struct virLockManager virLockFile = {
    .scheme   = "file",
    .open     = virLockFileOpen,
    .close    = virLockFileClose,
    .acquire  = virLockFileAcquire,
    .release  = virLockFileRelease,
    .transfer = virLockFileTransfer,
    .keep     = virLockFileKeep,
    .inquire  = virLockFileInquire,
};

#undef VIRT_FROM
#endif
