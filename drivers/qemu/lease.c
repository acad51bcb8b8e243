/*
 * A guest's lease, around the life of its QEMU and the phases of a migration. See lease.h.
 */
#include "lease.h"
#include "state.h"

#include "../common/document.h"
#include "../common/json.h"

#include <errno.h>
#include <fcntl.h>

#define VIRT_FROM VIR_FROM_LOCKING

static struct virLock *
qemuLeaseLock(struct virDomainObj *vm)
{
    return qemuDomainPeek(vm)->host->leases;
}

static unsigned long long
qemuLeaseEpoch(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    unsigned long long epoch;

    pthread_mutex_lock(&priv->lock);
    epoch = priv->leaseEpoch;
    pthread_mutex_unlock(&priv->lock);
    return epoch;
}

static void
qemuLeaseSetEpoch(struct virDomainObj *vm, unsigned long long epoch)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    pthread_mutex_lock(&priv->lock);
    priv->leaseEpoch = epoch;
    pthread_mutex_unlock(&priv->lock);
}

/* As the lock manager knows it, to be cleared. doc: NULL: the live one. */
static int
qemuLeaseGuest(struct virDomainObj *vm, xmlDocPtr doc, struct virLeaseGuest *guest)
{
    VIRT_CLEANUP_XML xmlDocPtr live = doc == NULL ? virDomainObjDocument(vm, false) : NULL;

    if (doc == NULL && live == NULL)
        return -1;
    return virLeaseGuestRead(doc != NULL ? doc : live, qemuLeaseLock(vm)->disks, guest);
}

/* ---------- start and end ---------- */

VIRT_INTERNAL int
qemuLeaseTake(struct virDomainObj *vm, const struct qemuProcessStart *start, struct virLockSeat *seat)
{
    struct virLeaseGuest guest;
    unsigned long long epoch = 0;
    int rc;

    *seat = (struct virLockSeat){ .fd = -1 };
    qemuLeaseSetEpoch(vm, 0);
    if (qemuLeaseLock(vm) == NULL)
        return 0;
    if (qemuLeaseGuest(vm, start->doc, &guest) < 0)
        return -1;
    if (start->incoming != NULL)
        rc = virLeaseSit(qemuLeaseLock(vm), &guest, seat);
    else if ((rc = virLeaseAcquire(qemuLeaseLock(vm), &guest, &epoch, seat)) == 0)
        qemuLeaseSetEpoch(vm, epoch);
    virLeaseGuestClear(&guest);
    return rc;
}

VIRT_INTERNAL int
qemuLeasePass(struct qemuCommand *command, const struct virLockSeat *seat)
{
    VIRT_CLEANUP_FREE char *chardev = NULL;
    int fd;

    if (seat->fd < 0)
        return 0;
    if ((fd = fcntl(seat->fd, F_DUPFD_CLOEXEC, 3)) < 0)
        return virReportSystemError(errno, "cannot hand the seat at a lease to QEMU");
    if (qemuCommandPassFd(command, fd) < 0)
        return -1;
    if (!seat->monitor)
        return 0;
    /* who keeps the lease must be able to stop the CPUs when it is lost, whoever manages the guest */
    if ((chardev = virStringFormat("socket,id=lease,fd=%d", fd)) == NULL || qemuCommandAdd(command, "-chardev") < 0
        || qemuCommandAdd(command, chardev) < 0 || qemuCommandAdd(command, "-mon") < 0
        || qemuCommandAdd(command, "chardev=lease,mode=control") < 0)
        return -1;
    return 0;
}

VIRT_INTERNAL int
qemuLeaseSeated(struct virDomainObj *vm, struct virLockSeat *seat, int pid)
{
    virErrorPtr error;
    int rc = 0;

    if (seat->fd < 0)
        return 0;
    if (pid != 0)
        return virLeaseSeated(qemuLeaseLock(vm), seat, pid);
    error = virSaveLastError();
    virLeaseSeated(qemuLeaseLock(vm), seat, 0);
    qemuLeaseRelease(vm);
    virRestoreLastError(error);
    return rc;
}

VIRT_INTERNAL void
qemuLeaseRelease(struct virDomainObj *vm)
{
    const unsigned long long epoch = qemuLeaseEpoch(vm);
    char key[VIR_UUID_STRING_BUFLEN];
    virErrorPtr error;

    qemuLeaseSetEpoch(vm, 0);
    if (epoch == 0 || qemuLeaseLock(vm) == NULL)
        return;
    error = virSaveLastError();
    virUuidFormat(vm->uuid, key);
    /* nobody is kept out by a holder without a hypervisor */
    if (virLeaseRelease(qemuLeaseLock(vm), key, epoch) < 0)
        virLog(VIR_LOG_WARN, "qemu.lease", "domain '%s': its lease is not given back: %s", vm->name, virGetLastErrorMessage());
    virRestoreLastError(error);
}

/* Notes a new hold of a guest that is here. */
static void
qemuLeaseHeld(struct virDomainObj *vm, unsigned long long epoch)
{
    if (epoch == qemuLeaseEpoch(vm))
        return;
    qemuLeaseSetEpoch(vm, epoch);
    if (qemuStateSaveStatus(vm, false) < 0)
        virLog(VIR_LOG_WARN, "qemu.lease", "domain '%s': %s", vm->name, virGetLastErrorMessage());
    virResetLastError();
}

VIRT_INTERNAL int
qemuLeaseResume(struct virDomainObj *vm)
{
    struct virLeaseGuest guest;
    unsigned long long epoch = qemuLeaseEpoch(vm);
    int rc;

    if (epoch == 0 && qemuLeaseLock(vm) == NULL)
        return 0;
    if (qemuLeaseLock(vm) == NULL)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' runs by a lease: its host was opened without the lock manager", vm->name);
    if (qemuLeaseGuest(vm, NULL, &guest) < 0)
        return -1;
    if ((rc = virLeaseResume(qemuLeaseLock(vm), &guest, &epoch)) == 0)
        qemuLeaseHeld(vm, epoch);
    virLeaseGuestClear(&guest);
    return rc;
}

/* ---------- migration: what the sides tell each other ---------- */

VIRT_INTERNAL int
qemuLeaseBegin(struct qemuMigration *m)
{
    if (m->offline)
        return 0;
    if (m->host->leases == NULL)
        return qemuLeaseEpoch(m->vm) == 0 ? 0 : qemuLeaseResume(m->vm);
    if (virLeaseOwn(m->host->leases, m->guest, m->name, &m->told) < 0)
        return -1;
    m->mine = m->told;
    return 0;
}

VIRT_INTERNAL int
qemuLeaseCookie(const struct qemuMigration *m, cJSON *cookie)
{
    return m->told != 0 ? virJsonAdd(cookie, "a:lease", virLeaseFormat(m->host->leases, m->told), NULL) : 0;
}

VIRT_INTERNAL int
qemuLeaseAgree(const struct qemuHost *host, const struct qemuMigrationCookie *cookie)
{
    struct virLeaseSaid said;

    if (cookie->offline)
        return 0;
    return virLeaseParse(cookie->json, &said) < 0 ? -1 : virLeaseAgree(host->leases, &said, cookie->name);
}

VIRT_INTERNAL int
qemuLeaseTold(struct qemuMigration *m, const struct qemuMigrationCookie *cookie)
{
    struct virLeaseSaid said;

    if (m->offline)
        return 0;
    if (virLeaseParse(cookie->json, &said) < 0 || (said.owner != NULL && (m->peer = virStringCopy(said.owner)) == NULL))
        return -1;
    m->told = said.epoch;
    return 0;
}

VIRT_INTERNAL int
qemuLeasePeer(struct qemuMigration *m, const char *cookie)
{
    if (m->told == 0 || m->peer != NULL)
        return 0;
    if (m->host->leases == NULL)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' runs by a lease: its host was opened without the lock manager", m->name);
    return (m->peer = virLeaseMeet(m->host->leases, cookie, m->name)) != NULL ? 0 : -1;
}

/* ---------- migration: who has it ---------- */

enum qemuLeaseChange { QEMU_LEASE_TRANSFER, QEMU_LEASE_KEEP };

static int
qemuLeaseChange(struct qemuMigration *m, enum qemuLeaseChange change)
{
    struct virLeaseGuest guest;
    int rc;

    if (m->told == 0)
        return 1;
    if (m->host->leases == NULL || qemuLeaseGuest(m->vm, NULL, &guest) < 0) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s': the lease cannot be changed: %s", m->uuid, m->name,
               m->host->leases == NULL ? "the host was opened without the lock manager" : virGetLastErrorMessage());
        virResetLastError();
        return -1;
    }
    if (change == QEMU_LEASE_TRANSFER)
        rc = virLeaseTransfer(m->host->leases, &guest, m->peer, m->told, &m->mine);
    else if ((rc = virLeaseKeep(m->host->leases, &guest, m->peer, m->told, &m->mine)) > 0)
        qemuLeaseHeld(m->vm, m->mine);
    virLeaseGuestClear(&guest);
    if (rc < 0) {
        virLog(VIR_LOG_WARN, "qemu.migration", "%s: domain '%s': its lease: %s", m->uuid, m->name, virGetLastErrorMessage());
        virResetLastError();
    }
    return rc;
}

VIRT_INTERNAL int
qemuLeaseTransfer(struct qemuMigration *m)
{
    return qemuLeaseChange(m, QEMU_LEASE_TRANSFER);
}

/* Not before: a guest that has ended without having run gives its lease back to the source, not to anybody. */
VIRT_INTERNAL void
qemuLeaseArrived(struct qemuMigration *m)
{
    if (m->told != 0 && !atomic_load(&m->ended))
        qemuLeaseSetEpoch(m->vm, m->mine);
}

VIRT_INTERNAL int
qemuLeaseKeep(struct qemuMigration *m)
{
    return qemuLeaseChange(m, QEMU_LEASE_KEEP);
}

VIRT_INTERNAL int
qemuLeaseGiveBack(struct qemuMigration *m)
{
    int rc;

    if (m->told == 0 || !m->moving)
        return 1;
    rc = m->host->leases != NULL ? virLeaseGiveBack(m->host->leases, m->guest, m->peer, m->told) : -1;
    virResetLastError();
    return rc;
}

/* What the service says, or false. */
static bool
qemuLeaseLook(const struct qemuMigration *m, struct virLockState *state)
{
    bool known = m->told != 0 && m->host->leases != NULL && virLockInquire(m->host->leases, m->guest, state) == 0;

    virResetLastError();
    return known;
}

/* By that state: whether the peer has it, and lives. 1, 0; -1: not known. */
static int
qemuLeaseWithPeer(struct qemuMigration *m, const struct virLockState *state)
{
    int rc = m->peer != NULL ? virLeaseIsWith(m->host->leases, m->guest, state, m->peer, &m->peerBeat) : 0;

    virResetLastError();
    return rc;
}

VIRT_INTERNAL bool
qemuLeaseIsThere(struct qemuMigration *m)
{
    struct virLockState state;

    return qemuLeaseLook(m, &state) && qemuLeaseWithPeer(m, &state) > 0;
}

VIRT_INTERNAL bool
qemuLeaseIsStale(const struct qemuMigration *m)
{
    struct virLockState state;

    if (!qemuLeaseLook(m, &state))
        return false;
    return state.epoch > m->told + (strcmp(state.holder, m->host->leases->owner) == 0);
}

VIRT_INTERNAL int
qemuLeaseDecide(struct qemuMigration *m)
{
    struct virLockState state;
    bool whole = m->stage == QEMU_STAGE_TRANSFERRED, gone = atomic_load(&m->ended);
    int rc = 0;

    switch (atomic_load(&m->stage)) {
    case QEMU_STAGE_LEAVING:
    case QEMU_STAGE_LEFT:
        return 1;
    case QEMU_STAGE_RESUMING:
    case QEMU_STAGE_STAYED:
    case QEMU_STAGE_LOST:
        return 0;
    }
    if (!qemuLeaseLook(m, &state) || (whole && (rc = qemuLeaseWithPeer(m, &state)) < 0))
        return -1;
    if (rc > 0)
        return 1;
    /* it runs here, as far as is known, but it could not be taken hold of when it was found again */
    if (m->vm == NULL && !gone)
        return -1;
    if ((!whole && m->stage != QEMU_STAGE_HALTED)
        || (whole && !gone && qemuMigrationIsPostCopy(atomic_load(&qemuDomainPeek(m->vm)->migrationStatus))))
        return -1;
    /* a source that is gone cannot take it back: the destination may still start it, unless somebody else has got it */
    if (gone)
        return state.epoch > m->told ? 0 : -1;
    if (qemuLeaseKeep(m) < 0)
        return -1;
    virResetLastError();
    return 0;                         /* also if somebody has it: the way back notices, and ends it */
}

VIRT_INTERNAL int
qemuMigrationDecide(virDomainPtr domain, const struct virMigrationCall *call, int *started)
{
    struct qemuMigration *m;
    int rc;

    if (qemuMigrationCheckOwn(qemuHostOf(domain->conn), call) < 0)
        return VIR_MIGRATION_FAILED;
    m = qemuMigrationLock(qemuHostOf(domain->conn), call->uuid, false);
    rc = m != NULL ? qemuLeaseDecide(m) : -1;
    /* on record before it is said */
    if (rc > 0 && m->stage == QEMU_STAGE_TRANSFERRED
        && !qemuMigrationIsPostCopy(m->vm != NULL && !atomic_load(&m->ended) ? atomic_load(&qemuDomainPeek(m->vm)->migrationStatus) : 0)
        && qemuMigrationEnter(m, QEMU_STAGE_LEAVING) < 0)
        rc = -1;
    if (rc == 0 && (m->stage == QEMU_STAGE_TRANSFERRED || m->stage == QEMU_STAGE_HALTED) && qemuMigrationEnter(m, QEMU_STAGE_RESUMING) < 0)
        rc = -1;
    qemuMigrationUnlock(m);
    virResetLastError();
    if (rc < 0)
        return VIR_MIGRATION_AGAIN;
    *started = rc;
    return VIR_MIGRATION_DONE;
}

#undef VIRT_FROM
