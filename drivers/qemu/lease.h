/*
 * A guest's lease, around the life of its QEMU and the phases of a migration; see ../lock/lock.h. Where the host has no lock
 * manager, all of it succeeds and does nothing.
 */
#ifndef VIRT_QEMU_LEASE_H
#define VIRT_QEMU_LEASE_H

#include "migration.h"
#include "process.h"
#include "command.h"

#include "../lock/lock.h"

/*
 * Around a start, in this order. Take: the lease, for a guest that starts; for one that arrives, a seat only. Pass: what QEMU
 * inherits of it. Seated: QEMU runs as pid; 0: it does not, and what was taken is given back. 0, or -1 with the error set.
 */
VIRT_INTERNAL int qemuLeaseTake(struct virDomainObj *vm, const struct qemuProcessStart *start, struct virLockSeat *seat);
VIRT_INTERNAL int qemuLeasePass(struct qemuCommand *command, const struct virLockSeat *seat);
VIRT_INTERNAL int qemuLeaseSeated(struct virDomainObj *vm, struct virLockSeat *seat, int pid);
/* QEMU has ended. */
VIRT_INTERNAL void qemuLeaseRelease(struct virDomainObj *vm);
/* Whether the guest may go on: 0, or -1 with the error set, which names who has it. */
VIRT_INTERNAL int qemuLeaseResume(struct virDomainObj *vm);

/*
 * Migration, with m->lock held. Begin: the source is the holder, and what the destination is told is noted. Cookie: for the Begin cookie,
 * or for Prepare's; NULL, without error, where there is none. Agree: whether both sides keep leases of the same kind; Told: what the
 * Begin cookie says; Peer: what Prepare's says.
 */
VIRT_INTERNAL int qemuLeaseBegin(struct qemuMigration *m);
VIRT_INTERNAL int qemuLeaseCookie(const struct qemuMigration *m, cJSON *cookie);
VIRT_INTERNAL int qemuLeaseAgree(const struct qemuHost *host, const struct qemuMigrationCookie *cookie);
VIRT_INTERNAL int qemuLeaseTold(struct qemuMigration *m, const struct qemuMigrationCookie *cookie);
VIRT_INTERNAL int qemuLeasePeer(struct qemuMigration *m, const char *cookie);
/* 1, 0 (it cannot be, for certain: the error is set), -1 (not known; no error is set): virLeaseTransfer, GiveBack and Keep. */
VIRT_INTERNAL int qemuLeaseTransfer(struct qemuMigration *m);
VIRT_INTERNAL void qemuLeaseArrived(struct qemuMigration *m);       /* after Transfer, when the CPUs run */
VIRT_INTERNAL int qemuLeaseGiveBack(struct qemuMigration *m);
VIRT_INTERNAL int qemuLeaseKeep(struct qemuMigration *m);
/* What the lease says of a source in doubt: 1 the guest went to the destination, 0 it may go on here (and nowhere else any more), -1 nothing. */
VIRT_INTERNAL int qemuLeaseDecide(struct qemuMigration *m);
/* Source: whether the destination has got it. */
VIRT_INTERNAL bool qemuLeaseIsThere(struct qemuMigration *m);
/* Destination: whether its copy can never be started any more. */
VIRT_INTERNAL bool qemuLeaseIsStale(const struct qemuMigration *m);
VIRT_INTERNAL int qemuMigrationDecide(virDomainPtr domain, const struct virMigrationCall *call, int *started);

#endif
