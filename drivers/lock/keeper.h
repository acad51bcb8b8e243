/*
 * Who keeps a lease: a process for each guest, which lives as long as its hypervisor. The managers that need one say in a function of
 * theirs what it does; what all have in common is in keeper.c.
 */
#ifndef VIRT_LOCK_KEEPER_H
#define VIRT_LOCK_KEEPER_H

#include "lock.h"

#if VIRT_WITH_ETCD || VIRT_WITH_SANLOCK
# define VIRT_WITH_KEEPER 1
#else
# define VIRT_WITH_KEEPER 0
#endif

#if VIRT_WITH_KEEPER

#include <sys/types.h>

#define VIRT_KEEPER_LINE     512           /* bytes of a QMP message that are looked at */
#define VIRT_KEEPER_PATIENCE 1000000000ULL /* ns, where a service has no time of its own */

struct virKeeper {
    void (*run)(struct virKeeper *k);      /* until there is nothing to keep; the process ends then */
    void *data;                            /* the service's, at the beginning of a page */
    enum virLockFailure failure;
    pid_t library;                         /* the process that makes it */
    unsigned int maxFd;                    /* for kernels without close_range */
    volatile pid_t pid;                    /* the keeper's, or why there is none: the library reads them */
    volatile int error;

    int monitor, timer, null;
    int pidfd;                             /* the hypervisor's; -1: not known yet */
    unsigned long long patience;           /* ns that a guest which was resumed all the same may take to stop */
    unsigned long long killAt;             /* while it is being stopped or ended; 0: it is not */
    bool over;                             /* the hypervisor has ended */
    bool lost;                             /* the lease; the service resets it */
    bool greeted, asked, killed;           /* asked: to stop, or to quit */
    char line[VIRT_KEEPER_LINE];
    size_t nline;
};

/* ---- for the library ---- */

/* Nanoseconds of a clock that goes on while the host is suspended. */
VIRT_INTERNAL unsigned long long virKeeperNow(void);
/* Whether this system has what a keeper needs. 0, or -1 with the error set, which names the manager. */
VIRT_INTERNAL int virKeeperCheck(const char *manager);
/* Makes the keeper, with a copy of the data, and the seat: its fd is the hypervisor's end of a socket pair. 0, or -1 with the error set. */
VIRT_INTERNAL int virKeeperStart(void (*run)(struct virKeeper *k), const void *data, size_t size, enum virLockFailure failure,
                                 struct virLockSeat *seat);
/* Tells it which process has inherited the seat. */
VIRT_INTERNAL int virKeeperSeated(const struct virLockSeat *seat, int pid);

/* ---- for a service, in the keeper ---- */

/*
 * Waits for a descriptor (-1: none), and serves the hypervisor meanwhile. 1: it is ready; 0: the time is up; -1: the hypervisor has
 * ended.
 */
VIRT_INTERNAL int virKeeperWait(struct virKeeper *k, int fd, short events, unsigned long long until);
/* The lease is lost: the guest stops as its document says, and is killed at killAt where it has not. */
VIRT_INTERNAL void virKeeperLose(struct virKeeper *k, unsigned long long killAt);
/* The hypervisor has ended: it is not waited for any more. */
VIRT_INTERNAL void virKeeperLetGo(struct virKeeper *k);

#endif
#endif
