/*
 * The leases of simulated guests, on hosts that were opened with a lock manager (lock=...): see ../lock/lock.h.
 *
 * A simulated hypervisor sits on its lease as a real one does: it has a copy of the seat's descriptor, which is closed when it ends,
 * whatever becomes of those who manage it. But it does not notice when a lock manager cannot keep its seat any more: nothing stops a
 * simulated guest, and only what is to run next is refused.
 */
#include "test.h"

#include "../common/process.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

/* ---------- the lock manager of a host ---------- */

VIRT_INTERNAL int
testLeasesOpen(struct testHost *host, const char *place, const char *owner, bool disks)
{
    /* hosts of one name in two processes are two hosts, and so are two that the same file describes */
    VIRT_CLEANUP_FREE char *root = virStringFormat("test-%ld-%p-%s", (long)getpid(), (void *)host, host->name);

    if (root == NULL)
        return -1;
    return (host->leases = virLockOpen(place, owner, root, disks)) != NULL ? 0 : -1;
}

VIRT_INTERNAL void
testLeasesClose(struct testHost *host)
{
    virLockClose(host->leases);
    host->leases = NULL;
}

/* ---------- a guest's life ---------- */

/* As the lock manager knows it, to be cleared. doc: NULL: the live one. */
static int
testLeaseGuest(struct testHost *host, struct virDomainObj *vm, xmlDocPtr doc, struct virLeaseGuest *guest)
{
    VIRT_CLEANUP_XML xmlDocPtr live = doc == NULL ? virDomainObjDocument(vm, false) : NULL;

    if (doc == NULL && live == NULL)
        return -1;
    return virLeaseGuestRead(doc != NULL ? doc : live, host->leases->disks, guest);
}

/* With its pid, what names for good the process that keeps the seat; 0: there is none. */
static unsigned long long
testLeaseKeeperSince(const struct virLockSeat *seat)
{
#ifndef _WIN32
    struct virProcess keeper;

    if (seat->keeper > 0 && virProcessIdentify(seat->keeper, &keeper) == 0)
        return keeper.startTime;
#else
    (void)seat;
#endif
    return 0;
}

/* The simulated hypervisor inherits the seat. */
static int
testLeaseInherit(struct testHost *host, struct virDomainObj *vm, struct virLockSeat *seat)
{
    struct testDomain *test = testDomainOf(vm);
    virErrorPtr before;
    int fd = -1;

#ifndef _WIN32
    if (test != NULL && (fd = fcntl(seat->fd, F_DUPFD_CLOEXEC, 0)) < 0)
        virReportSystemError(errno, "domain '%s': cannot keep the seat at its lease", vm->name);
#endif
    /* it is no process of its own: who keeps the lease must not take this one for it */
    if (fd >= 0 && virLeaseSeated(host->leases, seat, 0) == 0) {
        test->seat = *seat;
        test->seat.fd = fd;
        test->keeperSince = testLeaseKeeperSince(seat);
        test->epoch = 0;
        return 0;
    }
    before = testErrorPut();
    virLeaseSeated(host->leases, seat, 0);
    if (fd >= 0)
        close(fd);
    virRestoreLastError(before);
    return -1;
}

static void
testLeaseReleaseEpoch(struct testHost *host, struct virDomainObj *vm, unsigned long long epoch)
{
    char key[VIR_UUID_STRING_BUFLEN];
    virErrorPtr before;

    if (host->leases == NULL || epoch == 0)
        return;
    before = testErrorPut();
    virUuidFormat(vm->uuid, key);
    if (virLeaseRelease(host->leases, key, epoch) < 0)
        virLog(VIR_LOG_WARN, "test.lease", "domain '%s': its lease is not given back: %s", vm->name, virGetLastErrorMessage());
    virRestoreLastError(before);
}

VIRT_INTERNAL int
testLeaseAcquire(struct testHost *host, struct virDomainObj *vm, xmlDocPtr doc)
{
    struct virLockSeat seat;
    struct virLeaseGuest guest;
    unsigned long long epoch;
    int rc;

    if (host->leases == NULL)
        return 0;
    if (testLeaseGuest(host, vm, doc, &guest) < 0)
        return -1;
    rc = virLeaseAcquire(host->leases, &guest, &epoch, &seat);
    virLeaseGuestClear(&guest);
    if (rc < 0)
        return -1;
    if (testLeaseInherit(host, vm, &seat) < 0) {
        testLeaseReleaseEpoch(host, vm, epoch);
        return -1;
    }
    testDomainOf(vm)->epoch = epoch;
    return 0;
}

VIRT_INTERNAL int
testLeaseResume(struct testHost *host, struct virDomainObj *vm)
{
    struct virLeaseGuest guest;
    int rc;

    if (host->leases == NULL)
        return 0;
    if (testDomainOf(vm) == NULL || testLeaseGuest(host, vm, NULL, &guest) < 0)
        return -1;
    rc = virLeaseResume(host->leases, &guest, &testDomainOf(vm)->epoch);
    virLeaseGuestClear(&guest);
    return rc;
}

VIRT_INTERNAL void
testLeaseLeaveSeat(struct virDomainObj *vm)
{
    struct testDomain *test = vm->priv;

    if (test == NULL || test->seat.fd < 0)
        return;
    close(test->seat.fd);
    test->seat = (struct virLockSeat){ .fd = -1 };
    test->keeperSince = 0;
}

/* What keeps the seat is gone in the same instant, and cannot give it back: a lock manager that counts time does so. */
VIRT_INTERNAL void
testLeaseLosePower(struct virDomainObj *vm)
{
#ifndef _WIN32
    struct testDomain *test = vm->priv;

    if (test != NULL && test->seat.keeper > 0 && test->keeperSince != 0)
        virProcessSignal(&(struct virProcess){ .pid = test->seat.keeper, .startTime = test->keeperSince }, SIGKILL);
#endif
    testLeaseLeaveSeat(vm);
}

VIRT_INTERNAL void
testLeaseEnd(struct testHost *host, struct virDomainObj *vm)
{
    struct testDomain *test = vm->priv;

    if (host->leases == NULL || test == NULL)
        return;
    testLeaseLeaveSeat(vm);
    testLeaseReleaseEpoch(host, vm, test->epoch);
    test->epoch = 0;
}

/* ---------- migration ---------- */

VIRT_INTERNAL cJSON *
testLeaseFormat(struct testHost *host, struct virDomainObj *vm, unsigned long long *epoch)
{
    char key[VIR_UUID_STRING_BUFLEN];

    virUuidFormat(vm->uuid, key);
    return virLeaseOwn(host->leases, key, vm->name, epoch) == 0 ? virLeaseFormat(host->leases, *epoch) : NULL;
}

/* Older protocols tell the destination nothing of leases, or have no step at which one could move. */
VIRT_INTERNAL int
testLeaseCheckProtocol(const struct testConnect *test, const struct testMigration *m, unsigned int needed)
{
    if (m->epochTold == 0 || test->protocol >= needed)
        return 0;
    return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' has a lease, which cannot be moved by protocol %llu", m->vm->name,
                          test->protocol);
}

VIRT_INTERNAL int
testLeaseSit(struct testHost *host, struct testMigration *m, xmlDocPtr doc)
{
    struct virLeaseGuest guest;
    struct virLockSeat seat;
    int rc;

    if (!m->leased)
        return 0;
    if (testLeaseGuest(host, m->vm, doc, &guest) < 0)
        return -1;
    rc = virLeaseSit(host->leases, &guest, &seat);
    virLeaseGuestClear(&guest);
    return rc == 0 ? testLeaseInherit(host, m->vm, &seat) : -1;
}

/* What the lock manager has answered; no answer is logged, and not forgotten. */
static int
testLeaseAnswer(struct testHost *host, const struct testMigration *m, int rc)
{
    if (rc >= 0)
        return rc;
    virLog(VIR_LOG_WARN, "test.lease", "%s: domain '%s': its lease: %s", m->uuid, m->vm->name, virGetLastErrorMessage());
    virResetLastError();
    atomic_store(&host->unsettled, true);
    return -1;
}

VIRT_INTERNAL int
testLeaseTransfer(struct testHost *host, struct testMigration *m)
{
    struct virLeaseGuest guest;
    int rc = -1;

    if (!m->leased)
        return 1;
    if (testDomainOf(m->vm) != NULL && testLeaseGuest(host, m->vm, NULL, &guest) == 0) {
        rc = virLeaseTransfer(host->leases, &guest, m->peer, m->epochTold, &m->epochMine);
        virLeaseGuestClear(&guest);
    }
    return testLeaseAnswer(host, m, rc);
}

VIRT_INTERNAL int
testLeaseGiveBack(struct testHost *host, struct testMigration *m)
{
    char key[VIR_UUID_STRING_BUFLEN];

    if (!m->leased)
        return 1;
    virUuidFormat(m->vm->uuid, key);
    return testLeaseAnswer(host, m, virLeaseGiveBack(host->leases, key, m->peer, m->epochTold));
}

VIRT_INTERNAL int
testLeaseKeep(struct testHost *host, struct testMigration *m)
{
    struct virLeaseGuest guest;
    int rc = -1;

    if (!m->leased)
        return 1;
    if (testDomainOf(m->vm) != NULL && testLeaseGuest(host, m->vm, NULL, &guest) == 0) {
        rc = virLeaseKeep(host->leases, &guest, m->peer, m->epochTold, &m->epochMine);
        virLeaseGuestClear(&guest);
    }
    if (rc > 0)
        testDomainOf(m->vm)->epoch = m->epochMine;
    return testLeaseAnswer(host, m, rc);
}

VIRT_INTERNAL void
testLeaseRelease(struct testHost *host, struct testMigration *m)
{
    if (!m->leased)
        return;
    testLeaseReleaseEpoch(host, m->vm, m->epochMine);
    if (m->vm->id < 0)
        testLeaseReleaseEpoch(host, m->vm, m->epochTold + 2);        /* taken by the destination, and given back */
}

VIRT_INTERNAL enum testLeaseView
testLeaseLook(struct testHost *host, struct testMigration *m)
{
    const char *source = m->source ? host->leases->owner : m->peer, *destination = m->source ? m->peer : host->leases->owner;
    char key[VIR_UUID_STRING_BUFLEN];
    struct virLockState state;
    bool nobody;

    virUuidFormat(m->vm->uuid, key);
    if (virLockInquire(host->leases, key, &state) < 0) {
        virResetLastError();
        return TEST_LEASE_UNKNOWN;
    }
    nobody = state.holder[0] == '\0';
    if (destination != NULL && strcmp(state.holder, destination) == 0 && state.epoch == m->epochTold + 1) {
        if (!m->source)
            return TEST_LEASE_DESTINATION;
        /* if its hypervisor has died, only the destination can say whether the guest had run by then */
        nobody = virLeaseIsWith(host->leases, key, &state, destination, &m->mind.beat) != 1;
        virResetLastError();
        return nobody ? TEST_LEASE_UNKNOWN : TEST_LEASE_DESTINATION;
    }
    if (state.epoch == m->epochTold && (nobody || strcmp(state.holder, source) == 0))
        return TEST_LEASE_OPEN;
    if (strcmp(state.holder, source) == 0 || (nobody && m->source && state.epoch == m->epochMine))
        return TEST_LEASE_SOURCE;
    return TEST_LEASE_NEITHER;
}

#undef VIRT_FROM
