/*
 * The state directory:
 *
 *   lock                      held by the process that owns the directory
 *   qemu/NAME.xml             persistent documents
 *   qemu/autostart/NAME.xml   links to those that start when the directory is first opened after the host has booted
 *   run/NAME.xml              of each running guest: state, reason, pid, and its document; replaced whenever one changes
 *   run/NAME.monitor          the QMP socket;  run/NAME.pid is QEMU's own: it removes it when it ends in good order
 *   run/NAME.d/               sockets of its devices
 *   run/UUID.migrate          where a migration with this uuid comes in
 *   *.XXXXXX.new              a file that is being written; one that was left is removed when the directory is opened
 *   run/boot                  the boot of the host for which autostart has been done
 *   log/NAME.log              what QEMU printed
 *   cache/                    what the emulators can do
 *   hooks/qemu                the hook script
 *   nvram/                    variables of UEFI firmware
 *   migrations/UUID.SIDE.json what each side of a migration has on record (record.c)
 *
 * Documents are written durably. A status is only replaced atomically: no guest survives a power
 * cut, so its record need not either.
 */
#ifndef VIRT_QEMU_STATE_H
#define VIRT_QEMU_STATE_H

#include "qemu.h"

/*
 * Makes the folders and takes the lock; the error names the process that has it. NULL on failure.
 * Loads nothing yet.
 */
VIRT_INTERNAL struct qemuHost *qemuStateOpen(const char *root);
/* Closes and frees the host; guests go on. */
VIRT_INTERNAL void qemuStateClose(struct qemuHost *host);
/*
 * Reads the persistent documents into the list. A file that cannot be used is named in the log and
 * left alone.
 */
VIRT_INTERNAL void qemuStateLoadDefinitions(struct qemuHost *host);

/* struct virDomainListConfig's: opaque is the host. */
VIRT_INTERNAL int qemuStateSaveDefinition(struct virDomainObj *vm, const char *name,
                                          const char *xml, void *opaque);
VIRT_INTERNAL int qemuStateRemoveDefinition(struct virDomainObj *vm, const char *name, void *opaque);
VIRT_INTERNAL int qemuStateSaveAutostart(struct virDomainObj *vm, bool autostart, void *opaque);
VIRT_INTERNAL int qemuStateSaveLive(struct virDomainObj *vm, const char *xml, void *opaque);

/* What is kept of a running guest. */
struct qemuStatus {
    char *name;
    int id, state, reason;
    struct virProcess process;
    struct virProcess *helpers;
    size_t nhelpers;
    bool starting, incoming, sameBoot;
    unsigned long long leaseEpoch; /* 0: none */
    xmlDocPtr doc;                 /* the live document */
};
/*
 * Replaces the status of a running guest by what its fields say now. durable: also survives a power
 * cut (a migration's record). 0 or -1.
 */
VIRT_INTERNAL int qemuStateSaveStatus(struct virDomainObj *vm, bool durable);
VIRT_INTERNAL int qemuStateLoadStatus(struct qemuHost *host, const char *name, struct qemuStatus *status);
VIRT_INTERNAL void qemuStatusFree(struct qemuStatus *status);
/* Removes status, sockets and pid file of a guest that no longer runs. */
VIRT_INTERNAL void qemuStateForget(struct qemuHost *host, const char *name, const unsigned char *uuid);
/*
 * Calls visit for the stem of every file in run/ that ends so: ".xml" the guests with a status,
 * ".monitor" the sockets.
 */
VIRT_INTERNAL int qemuStateEachStatus(struct qemuHost *host, const char *suffix,
                                      int (*visit)(const char *name, void *opaque), void *opaque);

/* The folder of the sockets of a guest's devices, run/NAME.d; the caller's. */
VIRT_INTERNAL char *qemuStateDeviceDirectory(struct qemuHost *host, const char *name);
/*
 * The monitor socket: run/NAME.monitor; with a very long name, which no socket can have,
 * run/UUID.monitor. The caller's.
 */
VIRT_INTERNAL char *qemuStateMonitorPath(struct qemuHost *host, const char *name, const unsigned char *uuid);
/*
 * Whether no guest was started from this directory since the host has booted; notes that it is no
 * longer so.
 */
VIRT_INTERNAL bool qemuStateIsFirstOfBoot(struct qemuHost *host);

/* Paths, the caller's; NULL with the error set. */
VIRT_INTERNAL char *qemuStatePath(const char *directory, const char *name, const char *suffix);

#endif
