/*
 * Lock managers: who may run a guest, on all hosts together. A lease is {holder, epoch}; each change is one
 * compare-and-set on the pair, and the epoch never goes back. Functions return 0, or -1 with the error set.
 */
#ifndef VIRT_LOCK_LOCK_H
#define VIRT_LOCK_LOCK_H

#include "../driver.h"

#include <stdbool.h>

struct virLock { char *directory; };

struct virLockState {
    char holder[256];                      /* "" is nobody */
    unsigned long long epoch;
};

struct virLockManager {
    const char *scheme;
    struct virLock *(*open)(const char *place);
    void (*close)(struct virLock *lock);
    /*
     * Becomes the holder, if nobody is or who was is dead. *fd is for the hypervisor to inherit (it is
     * close-on-exec, the caller closes its own): the holder lives as long as a copy of it is open.
     */
    int (*acquire)(struct virLock *lock, const char *key, const char *owner, unsigned long long *epoch, int *fd);
    /* Nobody holds it, at the same epoch. A lease that is not the owner's at that epoch stays as it is. */
    int (*release)(struct virLock *lock, const char *key, const char *owner, unsigned long long epoch);
    /* To the destination: if nobody has had it since `told`, or it is the destination's already. */
    int (*transfer)(struct virLock *lock, const char *key, const char *from, const char *to,
                    unsigned long long told, unsigned long long *epoch);
    /* The source wants to go on: what the destination was told becomes stale. *mine is read and raised. */
    int (*keep)(struct virLock *lock, const char *key, const char *owner, unsigned long long told,
                unsigned long long *mine);
    int (*inquire)(struct virLock *lock, const char *key, struct virLockState *state);
};

VIRT_INTERNAL_DATA const struct virLockManager virLockFile;

#endif
