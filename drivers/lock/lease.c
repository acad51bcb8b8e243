/*
 * What is done with a guest's lease, in terms of a lock manager's few operations. See lock.h.
 */
#include "lock.h"

#include "../common/host.h"
#include "../common/text.h"

#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

#define VIRT_LOCK_TRIES 1000               /* of a compare-and-set, before the lease counts as contended */

static const struct virLockManager *const virLockManagers[] = {
#ifndef _WIN32
    &virLockFile,
#if VIRT_WITH_ETCD
    &virLockEtcd,
#endif
#if VIRT_WITH_SANLOCK
    &virLockSanlock,
#endif
#endif
    NULL
};

/* ---------- opening ---------- */

static const struct virLockManager *
virLockFindManager(const char *place, size_t length)
{
    for (size_t i = 0; virLockManagers[i] != NULL; i++)
        if (strlen(virLockManagers[i]->name) == length && strncmp(virLockManagers[i]->name, place, length) == 0)
            return virLockManagers[i];
    virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "lock manager '%.*s' of '%s' is not known, or not compiled in", (int)length, place, place);
    return NULL;
}

VIRT_INTERNAL bool
virLockIsOwner(const char *name)
{
    return name != NULL && name[0] != '\0' && strlen(name) < VIRT_LOCK_NAME_MAX;
}

static char *
virLockMakeOwner(const char *owner, const char *root)
{
    VIRT_CLEANUP_FREE char *name = NULL;
    VIRT_CLEANUP_FREE char *made = NULL;

    if (owner == NULL && (name = virHostGetHostname()) == NULL)
        return NULL;
    if ((made = owner != NULL ? virStringCopy(owner) : virStringFormat("%s:%s", name, root)) == NULL)
        return NULL;
    if (!virLockIsOwner(made)) {
        virReportError(VIR_ERR_INVALID_ARG, "'%s' cannot be the owner of leases: 1 to %d bytes name one", made, VIRT_LOCK_NAME_MAX - 1);
        return NULL;
    }
    return virStringCopy(made);
}

VIRT_INTERNAL struct virLock *
virLockOpen(const char *place, const char *owner, const char *root, bool disks)
{
    const size_t length = strcspn(place, ":");
    const struct virLockManager *manager = virLockFindManager(place, length);
    struct virLock *lock;

    if (manager == NULL)
        return NULL;
    if (place[length] == '\0' || place[length + 1] == '\0') {
        virReportError(VIR_ERR_INVALID_ARG, "lock manager '%s' needs a place: '%s:...'", manager->name, manager->name);
        return NULL;
    }
    if ((lock = virAllocate(sizeof(*lock))) == NULL)
        return NULL;
    lock->manager = manager;
    lock->disks = disks;
    if ((lock->place = virStringCopy(place)) == NULL || (lock->owner = virLockMakeOwner(owner, root)) == NULL
        || manager->open(lock, place + length + 1) < 0) {
        free(lock->place);
        free(lock->owner);
        free(lock);
        return NULL;
    }
    return lock;
}

VIRT_INTERNAL void
virLockClose(struct virLock *lock)
{
    if (lock == NULL)
        return;
    lock->manager->close(lock);
    free(lock->place);
    free(lock->owner);
    free(lock);
}

VIRT_INTERNAL int
virLockInquire(struct virLock *lock, const char *key, struct virLockState *state)
{
    return lock->manager->inquire(lock, key, state);
}

VIRT_INTERNAL enum virLockFailure
virLockFailureFromName(const char *name)
{
    static const char *const names[] = { "poweroff", "restart", "pause", "ignore" };

    for (int i = 0; name != NULL && i < 4; i++)
        if (strcmp(names[i], name) == 0)
            return (enum virLockFailure)i;
    return VIRT_LOCK_POWEROFF;
}

/* ---------- one lease ---------- */

/* What makes of a state the one that is wanted: 1: *to is it; 0: it is so already; -1: it may not be. */
typedef int (*virLeaseRule)(struct virLock *lock, const char *key, const struct virLockState *from, struct virLockState *to,
                            const void *opaque);

/* Applies a rule by compare-and-set, whoever else is at it. 1: it is as wanted, and *state says how; 0: it may not be; -1: not known. */
static int
virLeaseApply(struct virLock *lock, const char *key, virLeaseRule rule, const void *opaque, struct virLockState *state)
{
    struct virLockState to;
    int rc;

    if (lock->manager->inquire(lock, key, state) < 0)
        return -1;
    for (int i = 0; i < VIRT_LOCK_TRIES; i++) {
        to = *state;
        if ((rc = rule(lock, key, state, &to, opaque)) <= 0)
            return rc == 0 ? 1 : 0;
        if ((rc = lock->manager->change(lock, key, state, &to)) < 0)
            return -1;
        if (rc > 0) {
            *state = to;
            return 1;
        }
    }
    return virReportError(VIR_ERR_OPERATION_TIMEOUT, "lease '%s' of '%s' is being changed all the time", key, lock->place);
}

static void
virLeaseSet(struct virLockState *to, const char *holder)
{
    snprintf(to->holder, sizeof(to->holder), "%s", holder);
    to->epoch++;
}

static int
virLeaseBusy(const struct virLock *lock, const char *what, const struct virLockState *state)
{
    if (state->holder[0] == '\0')
        return virReportError(VIR_ERR_RESOURCE_BUSY, "domain '%s' has run elsewhere since: its lease in '%s' has epoch %llu", what, lock->place,
                              state->epoch);
    return virReportError(VIR_ERR_RESOURCE_BUSY, "domain '%s' belongs to host '%s', which holds its lease in '%s' (epoch %llu)", what,
                          state->holder, lock->place, state->epoch);
}

/* ---------- starting and ending ---------- */

/* Who is nobody, or dead, is followed. The owner's own seat has been taken before: its former one is known to be free. */
static int
virLeaseRuleAcquire(struct virLock *lock, const char *key, const struct virLockState *from, struct virLockState *to, const void *opaque)
{
    (void)opaque;
    if (from->holder[0] != '\0' && strcmp(from->holder, lock->owner) != 0 && lock->manager->lives(lock, key, from->holder) != 0)
        return -1;
    virLeaseSet(to, lock->owner);
    return 1;
}

/*
 * A resource is held by a guest; it is free when that one's own lease has no living holder. One that is held already is taken
 * anew, so that whoever has just found its guest dead, and wants it, fails.
 */
static int
virLeaseRuleResource(struct virLock *lock, const char *key, const struct virLockState *from, struct virLockState *to, const void *opaque)
{
    const char *guest = opaque;
    struct virLockState other;

    (void)key;
    if (from->holder[0] != '\0' && strcmp(from->holder, guest) != 0
        && (lock->manager->inquire(lock, from->holder, &other) < 0
            || (other.holder[0] != '\0' && lock->manager->lives(lock, from->holder, other.holder) != 0)))
        return -1;
    virLeaseSet(to, guest);
    return 1;
}

/* With the guest's own lease held. 1, 0 (somebody lives with one of them), -1. */
static int
virLeaseTakeResources(struct virLock *lock, const struct virLeaseGuest *guest)
{
    struct virLockState state;
    int rc = 1;

    for (size_t i = 0; i < guest->nresources && rc > 0; i++) {
        virResetLastError();
        if ((rc = virLeaseApply(lock, guest->resources[i], virLeaseRuleResource, guest->key, &state)) == 0)
            virReportError(VIR_ERR_RESOURCE_BUSY, "domain '%s': %s is in use by domain %s, by its lease in '%s'", guest->what,
                           guest->resources[i], state.holder, lock->place);
    }
    return rc;
}

VIRT_INTERNAL int
virLeaseSit(struct virLock *lock, const struct virLeaseGuest *guest, struct virLockSeat *seat)
{
    *seat = (struct virLockSeat){ .fd = -1 };
    if (lock->manager->sit(lock, guest->key, guest->failure, seat) == 0)
        return 0;
    if (virGetLastErrorCode() == VIR_ERR_RESOURCE_BUSY)
        virReportError(VIR_ERR_RESOURCE_BUSY, "domain '%s' has a hypervisor on this host ('%s') that still sits on its lease in '%s'",
                       guest->what, lock->owner, lock->place);
    return -1;
}

VIRT_INTERNAL int
virLeaseSeated(struct virLock *lock, struct virLockSeat *seat, int pid)
{
    int rc = pid != 0 && lock->manager->seated != NULL ? lock->manager->seated(lock, seat, pid) : 0;

    if (seat->fd >= 0)
        close(seat->fd);
    seat->fd = -1;
    return rc;
}

VIRT_INTERNAL int
virLeaseAcquire(struct virLock *lock, const struct virLeaseGuest *guest, unsigned long long *epoch, struct virLockSeat *seat)
{
    struct virLockState state;
    virErrorPtr error;
    int rc;

    if (virLeaseSit(lock, guest, seat) < 0)
        return -1;
    if ((rc = virLeaseApply(lock, guest->key, virLeaseRuleAcquire, NULL, &state)) == 0)
        virLeaseBusy(lock, guest->what, &state);
    if (rc > 0 && virLeaseTakeResources(lock, guest) > 0) {
        *epoch = state.epoch;
        return 0;
    }
    error = virSaveLastError();
    if (rc > 0 && virLeaseRelease(lock, guest->key, state.epoch) < 0)            /* without its seat anybody can have it */
        virLog(VIR_LOG_WARN, "lock", "%s", virGetLastErrorMessage());
    virLeaseSeated(lock, seat, 0);
    virRestoreLastError(error);
    return -1;
}

static int
virLeaseRuleRelease(struct virLock *lock, const char *key, const struct virLockState *from, struct virLockState *to, const void *opaque)
{
    const unsigned long long *epoch = opaque;

    (void)key;
    if (strcmp(from->holder, lock->owner) != 0 || from->epoch != *epoch)
        return 0;
    to->holder[0] = '\0';                      /* at the same epoch: nobody has had it since */
    return 1;
}

VIRT_INTERNAL int
virLeaseRelease(struct virLock *lock, const char *key, unsigned long long epoch)
{
    struct virLockState state;

    return virLeaseApply(lock, key, virLeaseRuleRelease, &epoch, &state) > 0 ? 0 : -1;
}

/* Before CPUs run by a seat that was taken some time ago. 1, or -1. */
static int
virLeaseHolds(struct virLock *lock, const struct virLeaseGuest *guest)
{
    int rc = lock->manager->holds != NULL ? lock->manager->holds(lock, guest->key) : 1;

    if (rc == 0)
        return virReportError(VIR_ERR_RESOURCE_BUSY, "domain '%s': this host ('%s') has lost its seat at the lease in '%s'", guest->what,
                              lock->owner, lock->place);
    return rc;
}

/* ---------- migration ---------- */

struct virLeaseTold { const char *source, *destination; unsigned long long told, mine; };

static int
virLeaseRuleTransfer(struct virLock *lock, const char *key, const struct virLockState *from, struct virLockState *to, const void *opaque)
{
    const struct virLeaseTold *t = opaque;

    (void)key;
    if (strcmp(from->holder, lock->owner) == 0 && from->epoch == t->told + 1)
        return 0;
    if (from->epoch != t->told || (from->holder[0] != '\0' && strcmp(from->holder, t->source) != 0))
        return -1;
    virLeaseSet(to, lock->owner);
    return 1;
}

/* By this rule the guest is to run here, with all it needs, by the seat that it has. 1, 0 (RESOURCE_BUSY is set), -1. */
static int
virLeaseTake(struct virLock *lock, const struct virLeaseGuest *guest, virLeaseRule rule, const struct virLeaseTold *t,
             unsigned long long *epoch)
{
    struct virLockState state;
    int rc = virLeaseApply(lock, guest->key, rule, t, &state);

    if (rc == 0)
        virLeaseBusy(lock, guest->what, &state);
    if (rc <= 0)
        return rc;
    *epoch = state.epoch;
    return (rc = virLeaseHolds(lock, guest)) > 0 ? virLeaseTakeResources(lock, guest) : rc;
}

VIRT_INTERNAL int
virLeaseTransfer(struct virLock *lock, const struct virLeaseGuest *guest, const char *source, unsigned long long told,
                 unsigned long long *epoch)
{
    return virLeaseTake(lock, guest, virLeaseRuleTransfer, &(struct virLeaseTold){ .source = source, .told = told }, epoch);
}

static int
virLeaseRuleGiveBack(struct virLock *lock, const char *key, const struct virLockState *from, struct virLockState *to, const void *opaque)
{
    const struct virLeaseTold *t = opaque;

    (void)key;
    if (strcmp(from->holder, lock->owner) != 0 || from->epoch != t->told + 1)
        return 0;
    virLeaseSet(to, t->source);
    return 1;
}

VIRT_INTERNAL int
virLeaseGiveBack(struct virLock *lock, const char *key, const char *source, unsigned long long told)
{
    const struct virLeaseTold t = { .source = source, .told = told };
    struct virLockState state;

    return virLeaseApply(lock, key, virLeaseRuleGiveBack, &t, &state);
}

static int
virLeaseRuleKeep(struct virLock *lock, const char *key, const struct virLockState *from, struct virLockState *to, const void *opaque)
{
    const struct virLeaseTold *t = opaque;
    const bool held = strcmp(from->holder, lock->owner) == 0;
    const bool moved = t->destination != NULL && strcmp(from->holder, t->destination) == 0 && from->epoch == t->told + 1;

    if (held && from->epoch != t->told)
        return 0;
    if (!held && !(from->holder[0] == '\0' && from->epoch == t->mine) && !(moved && lock->manager->lives(lock, key, from->holder) == 0))
        return -1;
    virLeaseSet(to, lock->owner);
    return 1;
}

VIRT_INTERNAL int
virLeaseKeep(struct virLock *lock, const struct virLeaseGuest *guest, const char *destination, unsigned long long told,
             unsigned long long *mine)
{
    const struct virLeaseTold t = { .destination = destination, .told = told, .mine = *mine };

    return virLeaseTake(lock, guest, virLeaseRuleKeep, &t, mine);
}

VIRT_INTERNAL int
virLeaseIsWith(struct virLock *lock, const char *key, const struct virLockState *state, const char *host, struct virLockBeat *beat)
{
    if (strcmp(state->holder, host) != 0)
        return 0;
    /* a host that has lost its power with the lease has a seat for a while, and the guest may not have run there */
    if (lock->manager->beats != NULL)
        return lock->manager->beats(lock, key, host, beat) > 0 ? 1 : -1;
    return lock->manager->lives(lock, key, host) > 0 ? 1 : -1;
}

VIRT_INTERNAL int
virLeaseResume(struct virLock *lock, const struct virLeaseGuest *guest, unsigned long long *epoch)
{
    return virLeaseKeep(lock, guest, NULL, 0, epoch) > 0 ? 0 : -1;         /* nobody was ever told epoch 0 */
}

/* ---------- what the sides of a migration tell each other ---------- */

VIRT_INTERNAL int
virLeaseOwn(struct virLock *lock, const char *key, const char *what, unsigned long long *epoch)
{
    struct virLockState state;

    if (lock->manager->inquire(lock, key, &state) < 0)
        return -1;
    if (strcmp(state.holder, lock->owner) != 0)
        return virReportError(VIR_ERR_RESOURCE_BUSY, "domain '%s': this host ('%s') does not hold its lease in '%s', %s does", what, lock->owner,
                              lock->place, state.holder[0] != '\0' ? state.holder : "nobody");
    *epoch = state.epoch;
    return 0;
}

VIRT_INTERNAL cJSON *
virLeaseFormat(const struct virLock *lock, unsigned long long epoch)
{
    return virJsonObject("s:manager", lock->manager->name, "s:owner", lock->owner, "u:epoch", epoch, NULL);
}

VIRT_INTERNAL int
virLeaseParse(const cJSON *cookie, struct virLeaseSaid *said)
{
    const cJSON *lease = virJsonGet(cookie, "lease");

    *said = (struct virLeaseSaid){ 0 };
    if (lease == NULL)
        return 0;
    if (virJsonString(lease, "manager") == NULL || !virLockIsOwner(virJsonString(lease, "owner"))
        || virJsonULongLong(lease, "epoch", &said->epoch) < 0 || said->epoch == 0)
        return virReportError(VIR_ERR_OPERATION_FAILED, "the lease in the migration cookie lacks its manager, owner or epoch");
    said->manager = virJsonString(lease, "manager");
    said->owner = virJsonString(lease, "owner");
    return 0;
}

/* Two hosts of one name could take the lease from each other unseen. */
static int
virLeaseCheckPeer(const struct virLock *lock, const char *owner)
{
    if (strcmp(owner, lock->owner) == 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "both hosts call themselves '%s' to the lock manager: lock-owner tells them apart",
                              lock->owner);
    return 0;
}

VIRT_INTERNAL int
virLeaseAgree(const struct virLock *lock, const struct virLeaseSaid *said, const char *what)
{
    const char *ours = lock != NULL ? lock->manager->name : NULL;

    if (said->manager == NULL && ours == NULL)
        return 0;
    if (said->manager == NULL || ours == NULL || strcmp(said->manager, ours) != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "domain '%s': its host keeps leases with lock manager '%s', this one with '%s'", what,
                              said->manager != NULL ? said->manager : "none", ours != NULL ? ours : "none");
    return virLeaseCheckPeer(lock, said->owner);
}

VIRT_INTERNAL char *
virLeaseMeet(const struct virLock *lock, const char *cookie, const char *what)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    const char *owner;

    if (cookie == NULL || (json = virJsonParse(cookie, strlen(cookie), "migration cookie")) == NULL
        || !virLockIsOwner(owner = virJsonString(virJsonGet(json, "lease"), "owner"))) {
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the destination has not said who it is to the lock manager", what);
        return NULL;
    }
    return virLeaseCheckPeer(lock, owner) == 0 ? virStringCopy(owner) : NULL;
}

#undef VIRT_LOCK_TRIES
#undef VIRT_FROM
