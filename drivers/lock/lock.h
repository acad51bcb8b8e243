/*
 * Leases: who may run a guest, on all hosts together.
 *
 * A lease has a key (the guest's uuid) and a state {holder, epoch}; each change is one compare-and-set on the pair, and
 * the epoch never goes back. A holder is dead when its hypervisor does not sit on the lease any more: a seat is taken
 * before the hypervisor starts, and lasts as long as it lives, whatever becomes of the process that started it. What
 * else a guest needs for itself alone (its <lease> elements, its disks) is held by the guest, not by the host: when the
 * guest moves, only its own lease changes hands.
 *
 *   lease.c      what is done with a lease, in terms of the few operations of a lock manager
 *   resources.c  what a guest's document says of its leases
 *   file.c       the manager "file": a directory that hosts share
 *   etcd.c       the manager "etcd": a key-value store that hosts share
 *   sanlock.c    the manager "sanlock": storage that hosts share, and a daemon on each that fences it
 *   keeper.c     who keeps the leases of those two: a process for each guest, whose two halves are etcd_keeper.c and sanlock_keeper.c
 *
 * Functions return 0, or -1 with the error set (VIR_FROM_LOCKING), where nothing else is said; they may block for as
 * long as the service needs, and can be called by several threads.
 */
#ifndef VIRT_LOCK_LOCK_H
#define VIRT_LOCK_LOCK_H

#include "../driver.h"
#include "../common/json.h"
#include "../common/xml.h"

#include <stdbool.h>

/* Needs libcurl (its headers; the library itself when it is used) and Linux 5.3 at run time: on where the build says that libcurl is there. */
#if !defined VIRT_WITH_ETCD
# define VIRT_WITH_ETCD 0
#endif
/* Needs libsanlock_client, and Linux 5.3 at run time: on where the build says that the library is there. */
#if !defined VIRT_WITH_SANLOCK
# define VIRT_WITH_SANLOCK 0
#endif

#define VIRT_LOCK_NAME_MAX 256             /* bytes of a key or an owner, the NUL included */

struct virLockState {
    char holder[VIRT_LOCK_NAME_MAX];       /* "" is nobody */
    unsigned long long epoch;              /* 0: never held */
};

/* What becomes of a guest whose lease is lost: the document's on_lockfailure. */
enum virLockFailure { VIRT_LOCK_POWEROFF, VIRT_LOCK_RESTART, VIRT_LOCK_PAUSE, VIRT_LOCK_IGNORE };

/* A place at a lease for a hypervisor that is about to start. */
struct virLockSeat {
    int fd;                                /* for it to inherit; close-on-exec here; -1: none. The caller closes its own */
    bool monitor;                          /* it is one end of a socket pair, on which the hypervisor must serve a monitor
                                              of its own: who keeps the lease stops the guest by it */
    int keeper;                            /* the process that keeps the lease alive, nobody's child; 0: none */
};

/* What a manager has seen of the life of a seat: its own affair. */
struct virLockBeat {
    unsigned long long seen;
    unsigned int times;
};

struct virLock;

/* A lock manager: what a service of leases can do. All keys and owners are shorter than VIRT_LOCK_NAME_MAX and not empty. */
struct virLockManager {
    const char *name;                      /* "file" of "file:/srv/leases" */
    /* place: what follows the colon. Sets lock->priv. */
    int (*open)(struct virLock *lock, const char *place);
    void (*close)(struct virLock *lock);
    /* The state; nobody and epoch 0 for a key never seen. What cannot be read is an error, never a free lease. */
    int (*inquire)(struct virLock *lock, const char *key, struct virLockState *state);
    /*
     * 1: it was *from, exactly, and is *to now, durably. 0: it was something else, which *from is now. -1: whether it was
     * changed is not known: inquire says.
     */
    int (*change)(struct virLock *lock, const char *key, struct virLockState *from, const struct virLockState *to);
    /* Whether the owner sits on the key: 1, 0, or -1. In doubt it does. */
    int (*lives)(struct virLock *lock, const char *key, const char *owner);
    /* Takes a seat for lock->owner. An error (RESOURCE_BUSY) if it has one already. */
    int (*sit)(struct virLock *lock, const char *key, enum virLockFailure failure, struct virLockSeat *seat);
    /* The hypervisor that has inherited the seat has this pid. May be absent. */
    int (*seated)(struct virLock *lock, const struct virLockSeat *seat, int pid);
    /* Whether the seat of lock->owner is kept alive, so that CPUs may start to run by it. 1, 0, or -1. Absent: it cannot be lost before its hypervisor ends. */
    int (*holds)(struct virLock *lock, const char *key);
    /*
     * Whether the owner's seat was kept alive after the first call with this *beat, which is all zeros then. 1, 0 (not yet, as it seems), or -1.
     * Absent: a seat does not last longer than its hypervisor.
     */
    int (*beats)(struct virLock *lock, const char *key, const char *owner, struct virLockBeat *beat);
};

struct virLock {
    const struct virLockManager *manager;
    char *place;
    char *owner;                           /* this host, as others see it */
    bool disks;                            /* disks have leases of their own */
    void *priv;                            /* the manager's */
};

VIRT_INTERNAL_DATA const struct virLockManager virLockFile;
#if VIRT_WITH_ETCD
VIRT_INTERNAL_DATA const struct virLockManager virLockEtcd;
#endif
#if VIRT_WITH_SANLOCK
VIRT_INTERNAL_DATA const struct virLockManager virLockSanlock;
#endif

/* lease.c */

/* place: "file:DIRECTORY", "etcd:http://HOST:PORT,...", "sanlock:DIRECTORY"; owner: NULL: this host's name and `root`. NULL with the error set. */
VIRT_INTERNAL struct virLock *virLockOpen(const char *place, const char *owner, const char *root, bool disks);
VIRT_INTERNAL void virLockClose(struct virLock *lock);

/* Whether this can be a host's name; NULL cannot. What the other host of a migration calls itself is looked at before it is used. */
VIRT_INTERNAL bool virLockIsOwner(const char *name);
VIRT_INTERNAL int virLockInquire(struct virLock *lock, const char *key, struct virLockState *state);
VIRT_INTERNAL enum virLockFailure virLockFailureFromName(const char *name);        /* NULL: POWEROFF */

/* A guest, as its leases know it. */
struct virLeaseGuest {
    const char *key;                       /* its uuid */
    const char *what;                      /* its name, for errors */
    char *const *resources;                /* keys of what it needs for itself alone */
    size_t nresources;
    enum virLockFailure failure;
};

/*
 * resources.c: the guest that a completed document describes. Resources: its <lease> elements ("lease:LOCKSPACE/KEY") and, if `disks`, the files,
 * devices and folders behind its disks ("disk:PATH"), where they are neither read only nor shareable. The caller clears it; not after a failure.
 */
VIRT_INTERNAL int virLeaseGuestRead(xmlDocPtr doc, bool disks, struct virLeaseGuest *guest);
VIRT_INTERNAL void virLeaseGuestClear(struct virLeaseGuest *guest);

/*
 * It is to start here: its lease becomes this host's, unless a holder lives, and the resources become the guest's.
 * RESOURCE_BUSY names who has what; nothing is held then.
 */
VIRT_INTERNAL int virLeaseAcquire(struct virLock *lock, const struct virLeaseGuest *guest, unsigned long long *epoch,
                                  struct virLockSeat *seat);
/* It has ended here: nobody's, unless somebody else has got it since. Its resources are anybody's then. */
VIRT_INTERNAL int virLeaseRelease(struct virLock *lock, const char *key, unsigned long long epoch);
/* It goes on here, if nobody has had it since *epoch, which is updated, and its seat holds: RESOURCE_BUSY otherwise. */
VIRT_INTERNAL int virLeaseResume(struct virLock *lock, const struct virLeaseGuest *guest, unsigned long long *epoch);

/* A seat for a guest that is to arrive. */
VIRT_INTERNAL int virLeaseSit(struct virLock *lock, const struct virLeaseGuest *guest, struct virLockSeat *seat);
/* The hypervisor runs (pid), or did not start (0): the descriptor is closed. */
VIRT_INTERNAL int virLeaseSeated(struct virLock *lock, struct virLockSeat *seat, int pid);

/*
 * Of a migration, whose Begin told the destination the epoch `told`. 1; 0: it cannot be, for certain; -1: not known, to be
 * asked again.
 *
 * Transfer, by the destination, before the CPUs run: from the source (or nobody) to this host, if nobody has had it since;
 * 0: RESOURCE_BUSY is set. GiveBack, by the destination, whose CPUs have never run and never will: to the source; 0: never.
 * Keep, by the source, before its CPUs run again: what the destination was told becomes stale; *mine is the epoch of its
 * last hold, and updated; it is taken from the destination, too, if that has it and its hypervisor has died; 0: RESOURCE_BUSY
 * is set. Both are -1 as long as this host's seat is not kept alive.
 */
VIRT_INTERNAL int virLeaseTransfer(struct virLock *lock, const struct virLeaseGuest *guest, const char *source, unsigned long long told,
                                   unsigned long long *epoch);
VIRT_INTERNAL int virLeaseGiveBack(struct virLock *lock, const char *key, const char *source, unsigned long long told);
VIRT_INTERNAL int virLeaseKeep(struct virLock *lock, const struct virLeaseGuest *guest, const char *destination, unsigned long long told,
                               unsigned long long *mine);
/*
 * For a source in doubt, by the state that it has just asked for: whether this host has it, and has been seen to live since. 1, 0; -1: not known
 * (yet: to be asked again, with the same beat, which is all zeros at first), also if it has died: whether the guest had run by then only that host
 * can say.
 */
VIRT_INTERNAL int virLeaseIsWith(struct virLock *lock, const char *key, const struct virLockState *state, const char *host, struct virLockBeat *beat);

/*
 * What the sides of a migration tell each other of the lease, as member "lease" of their cookies; lock NULL: the host has no lock manager. Own: this
 * host is the holder, by this epoch. Format: for a cookie. Parse: what the other one's cookie says; all of it NULL and 0 if there is nothing, else parts
 * of the cookie. Agree: whether a guest with that can come to this host. Meet: who the destination is, by its cookie; the caller frees it.
 * -1, or NULL, with the error set.
 */
struct virLeaseSaid {
    const char *manager, *owner;
    unsigned long long epoch;
};
VIRT_INTERNAL int virLeaseOwn(struct virLock *lock, const char *key, const char *what, unsigned long long *epoch);
VIRT_INTERNAL cJSON *virLeaseFormat(const struct virLock *lock, unsigned long long epoch);
VIRT_INTERNAL int virLeaseParse(const cJSON *cookie, struct virLeaseSaid *said);
VIRT_INTERNAL int virLeaseAgree(const struct virLock *lock, const struct virLeaseSaid *said, const char *what);
VIRT_INTERNAL char *virLeaseMeet(const struct virLock *lock, const char *cookie, const char *what);

#endif
