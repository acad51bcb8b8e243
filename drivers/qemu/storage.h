/*
 * Disks that are copied with the guest; see migration_storage.c. All with the entry's lock held. Without such disks everything succeeds and does
 * nothing.
 */
#ifndef VIRT_QEMU_STORAGE_H
#define VIRT_QEMU_STORAGE_H

#include "migration.h"

/* `end`: as qemuMigrationLeft has it. Whether flags and parameters fit together; destination: whether this disk is copied. */
VIRT_INTERNAL int qemuStorageCheckCall(const struct virMigrationCall *call);
VIRT_INTERNAL bool qemuStorageIsCopied(const struct qemuMigrationCookie *cookie, xmlNodePtr disk);
/* Begin: which they are. For either side's cookie; and, Peer: what the other has said. For the record: ours, and back. */
VIRT_INTERNAL int qemuStorageBegin(struct qemuMigration *m, const struct virMigrationCall *call);
VIRT_INTERNAL int qemuStorageCookie(const struct qemuMigration *m, cJSON *cookie);
VIRT_INTERNAL int qemuStoragePeer(struct qemuMigration *m, const char *cookie);
VIRT_INTERNAL cJSON *qemuStorageToJson(const struct qemuMigration *m);
VIRT_INTERNAL int qemuStorageFromJson(struct qemuMigration *m, const cJSON *list, bool ours);
VIRT_INTERNAL void qemuStorageFree(struct qemuMigration *m);

/*
 * The destination. Expect: what is to come, and which images are to be made for it; MakeAll makes them, Remove removes them again
 * (recorded: by what another process has left of it). Serve: 1 QEMU is ready to receive, 0 not yet, -1. Close, before the CPUs run. Ended: the socket goes.
 */
VIRT_INTERNAL int qemuStorageExpect(struct qemuMigration *m, const struct qemuMigrationCookie *cookie, xmlDocPtr doc);
VIRT_INTERNAL int qemuStorageMakeAll(struct qemuMigration *m, const struct virMigrationCall *call, xmlDocPtr doc);
VIRT_INTERNAL void qemuStorageRemove(struct qemuMigration *m, bool recorded);
VIRT_INTERNAL int qemuStorageServe(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call,
                                   const struct qemuMigrationCookie *cookie, unsigned long long end);
VIRT_INTERNAL int qemuStorageClose(struct qemuMigration *m, struct qemuMonitor *mon);
VIRT_INTERNAL void qemuStorageEnded(struct qemuMigration *m);

/*
 * The source. Copy, before the memory: 1 all are in step, 0 not yet, -1 failed. Look, now and then meanwhile: -1: one has failed. Switch, when the
 * CPUs stand: 1 all have ended well. End: 1 nothing is left of them, 0 not yet. Abandon: the same without waiting, OnJob sees to the rest.
 */
VIRT_INTERNAL int qemuStorageCopy(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, unsigned long long end);
VIRT_INTERNAL int qemuStorageLook(struct qemuMigration *m, struct qemuMonitor *mon);
VIRT_INTERNAL int qemuStorageSwitch(struct qemuMigration *m, struct qemuMonitor *mon, int timeout);
VIRT_INTERNAL int qemuStorageEnd(struct qemuMigration *m, unsigned long long end);
VIRT_INTERNAL void qemuStorageAbandon(struct qemuMigration *m, struct qemuMonitor *mon);
VIRT_INTERNAL void qemuStorageForget(struct qemuMonitor *mon, const char *job, bool ended, bool known);
/* JOB_STATUS_CHANGE, from the monitor: must not wait. */
VIRT_INTERNAL void qemuStorageOnJob(struct virDomainObj *vm, struct qemuMonitor *mon, const cJSON *data);

#endif
