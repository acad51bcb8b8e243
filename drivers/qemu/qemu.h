/*
 * What the files of this driver share: the state directory with its guests (struct qemuHost, one
 * per directory and process, shared by all connections to it), and what a running guest has beyond
 * the common domain object (struct qemuDomain).
 */
#ifndef VIRT_QEMU_QEMU_H
#define VIRT_QEMU_QEMU_H

#include "../common/domain.h"
#include "../common/file.h"
#include "../common/process.h"
#include "capabilities.h"
#include "monitor.h"

VIRT_INTERNAL_DATA const struct virDriver virQemuDriver;

struct qemuHost;
struct qemuDomain;
struct qemuConsole;
struct virLock;

/*
 * What migration.c has to say when something happens to a guest that a migration holds. All are
 * called without locks.
 */
struct qemuMigrationHooks {
    /*
     * MIGRATION, MIGRATION_PASS; migrationStatus is up to date already. From the
     * monitor: must not wait for a reply.
     */
    void (*event)(struct virDomainObj *vm, const char *event, const cJSON *data);
    /*
     * QEMU has ended (by itself, or by destroy): before the guest counts as stopped; job and
     * documents are still there. Ends the migration's job if it holds one.
     */
    void (*stopped)(struct virDomainObj *vm, int reason);
    /* The state directory was opened, and what still runs of its guests is known. */
    void (*opened)(struct qemuHost *host);
};

struct qemuEmulator;               /* a binary whose capabilities are known: qemu.c */

/* conn->priv of every connection. Constant after open, but for what the lock guards. */
struct qemuHost {
    struct virDomainList *domains; /* first: struct virDomainHost */
    struct virEventHub *hub;
    char *root;                    /* absolute */
    char *definitions;             /* <root>/qemu: NAME.xml, autostart/NAME.xml */
    /* NAME.xml (status), NAME.monitor, NAME.pid, NAME.d/ (sockets of its devices) */
    char *run;
    char *log;                     /* NAME.log: what QEMU printed */
    char *cache;                   /* of capabilities */
    char *hooks;                   /* the folder of hook scripts: <root>/hooks */
    char *migrations;              /* records of migrations: UUID.source.json, UUID.destination.json */
    char *nvram;                   /* UUID or name of guests with UEFI: their firmware's variables, kept from start to start */
    int lockFd;                    /* this process owns the directory */
    struct virLock *leases;        /* the lock manager, as the connection said that opened the directory; NULL: none */
    char bootId[40];
    const struct qemuMigrationHooks *migration;      /* NULL: none */

    pthread_mutex_t lock;
    struct qemuEmulator *emulators;
    /* migration.c's; freed by qemuMigrationFreeAll before the list of domains */
    struct qemuMigration *migrationList;
    struct qemuMigrationTimer *migrationTimer;       /* NULL: nothing is waited for, or there is no event loop */
    atomic_int migrationExpiry;    /* s */
    atomic_int migrationRecords;   /* of migrations that are over, as many are kept */
    char *tlsCertificates;         /* a folder, for encrypted migrations; NULL: where libvirt has them. migration_tls.c */
    atomic_bool tlsAnybody;        /* as a destination it asks nobody for a certificate */
    _Atomic unsigned long long migrationSwept;       /* us: when expiry was last looked for */
};

enum qemuPhase {                   /* of the QEMU process behind a guest */
    QEMU_PHASE_OFF,
    QEMU_PHASE_STARTING,           /* spawned; its monitor has not answered yet */
    QEMU_PHASE_RUNNING,
    QEMU_PHASE_STOPPING,           /* somebody takes it down */
};

/* Same order as QAPI's MigrationStatus in qemuMigrationStatusNames (events.c). */
enum qemuMigrationStatus {
    QEMU_MIGRATION_NONE, QEMU_MIGRATION_SETUP, QEMU_MIGRATION_CANCELLING, QEMU_MIGRATION_CANCELLED, QEMU_MIGRATION_ACTIVE,
    QEMU_MIGRATION_POSTCOPY_ACTIVE, QEMU_MIGRATION_POSTCOPY_PAUSED, QEMU_MIGRATION_POSTCOPY_RECOVER, QEMU_MIGRATION_COMPLETED,
    QEMU_MIGRATION_FAILED, QEMU_MIGRATION_COLO, QEMU_MIGRATION_PRE_SWITCHOVER, QEMU_MIGRATION_DEVICE, QEMU_MIGRATION_WAIT_UNPLUG,
    QEMU_MIGRATION_LAST
};

/* vm->priv: made when a guest is first started or found again, freed with the object. */
struct qemuDomain {
    struct virDomainObj *vm;       /* the owner; not a reference */
    struct qemuHost *host;         /* outlives it */

    atomic_int monitorFd;          /* to peek at without a lock; -1: none */
    atomic_int pid;                /* a copy of process.pid for getInfo; 0: none */

    /*
     * The migration's side of the monitor; reset by qemuMigrationReset (events.c) before a
     * `migrate`.
     */
    atomic_int migrationStatus;    /* enum qemuMigrationStatus, from MIGRATION events */
    atomic_int migrationEvents;    /* how many of them there were */
    /* ms, by virDomainMigrateSetMaxDowntime; 0: the default */
    _Atomic unsigned long long migrationDowntime;
    _Atomic unsigned long long migrationBandwidth;   /* MiB/s, by virDomainMigrateSetMaxSpeed; 0: no limit */
    _Atomic unsigned long long migrationBandwidthPostcopy;       /* the same of post-copy */
    /*
     * virDomainPausedReason for the next STOP event; -1: what the event suggests (a migration:
     * MIGRATION)
     */
    atomic_int stopReason;
    /*
     * virDomainRunningReason for the next RESUME event; -1: UNPAUSED (during a migration:
     * MIGRATION_CANCELED)
     */
    atomic_int resumeReason;
    _Atomic unsigned long long lockedSoft, lockedHard;           /* what QEMU might lock before a migration raised that; 0: not raised */
    atomic_bool migrationTls;      /* QEMU has been given certificates for a migration, to be taken back when that is over */
    atomic_bool tainted;           /* it has been given commands past the library: said in the log once */

    /*
     * held while the status file is written: a later state is never overwritten by an earlier
     * one
     */
    pthread_mutex_t statusLock;
    /* guards what follows; taken after the object's lock; never held across a wait */
    pthread_mutex_t lock;
    pthread_cond_t changed;        /* broadcast with each change of phase */
    enum qemuPhase phase;
    pthread_t stopper;             /* STOPPING: the thread that does it */
    struct virProcess process;
    struct virProcess *helpers;    /* swtpm, virtiofsd, ...: they end with it */
    size_t nhelpers;
    struct qemuMonitor *monitor;
    unsigned long long monitorRetry; /* us: a lost one is not opened again before; 0: at once */
    virConnectPtr autodestroy;     /* the connection with whose close it ends; compared, never used */
    bool announced;                /* STARTED was emitted: its end will be as well */
    long long logOffset;           /* where in its log this start begins */
    char *lastWords;               /* what QEMU printed last, once it has ended */
    int killedFor;                 /* the reason of an end that nobody waits for; 0: none was ordered */
    qemuMonitorId *startup;        /* STARTING: commands sent with the handshake, whose replies are awaited */
    size_t nstartup;
    qemuMonitorId startupChardevs, startupVnc;       /* 0: not asked */
    /* an interrupted post-copy is to go on: the migration that asked last, where it is listened for, and a socket to remove then */
    char recovery[VIR_UUID_STRING_BUFLEN], *recoveryUri, *recoverySocket;
    bool incoming;                 /* started to receive a migration, not run yet */
    unsigned long long leaseEpoch; /* of this host's hold of the guest's lease; 0: it has none */
    bool shutdownSeen;             /* SHUTDOWN event: what follows is no crash */
    bool rebootWanted;             /* the next shutdown is the first half of a reboot */
    bool restarting;               /* off, and about to be reset instead of ended: until RESET */
    char *crashed;                 /* what GUEST_PANICKED told */
    struct qemuConsole *consoles;  /* those that streams have open: console.c */
};

/*
 * The host behind a connection, and the private part of a domain (made if there is none yet; NULL:
 * no memory).
 */
VIRT_INTERNAL struct qemuHost *qemuHostOf(virConnectPtr conn);
VIRT_INTERNAL struct qemuDomain *qemuDomainOf(struct virDomainObj *vm);
/* The same, but NULL, without an error, when it never ran. */
VIRT_INTERNAL struct qemuDomain *qemuDomainPeek(struct virDomainObj *vm);
/*
 * A new reference on a running guest's monitor; NULL with VIR_ERR_OPERATION_INVALID "domain is not
 * running".
 */
VIRT_INTERNAL struct qemuMonitor *qemuDomainMonitor(struct virDomainObj *vm);
/* One command on a running guest: qemuMonitorCommand. */
VIRT_INTERNAL int qemuDomainCommand(struct virDomainObj *vm, const char *command, cJSON *args, cJSON **reply);

/*
 * What this emulator can do; asked once in this process. A new reference, or NULL with the error
 * set.
 */
VIRT_INTERNAL const struct qemuCapabilities *qemuHostCapabilities(struct qemuHost *host,
                                                                  const char *emulator);
/* The emulator that a document names or implies, in malloc'd memory; NULL with the error set. */
VIRT_INTERNAL char *qemuDocumentEmulator(xmlDocPtr doc);
/* The document's types, for virDocumentParse. */
VIRT_INTERNAL const char *const *qemuDocumentTypes(void);
/*
 * Completes and checks a document: struct virDomainListConfig's completeDocument. opaque: the host.
 */
VIRT_INTERNAL int qemuHostCompleteDocument(xmlDocPtr doc, bool validate, void *opaque);
/* Takes in what QEMU has said; struct virDomainListConfig's refresh. */
VIRT_INTERNAL void qemuDomainRefresh(struct virDomainObj *vm, void *opaque);

/* ---- events.c: from QMP's events to states and domain events ---- */

VIRT_INTERNAL void qemuEventDispatch(struct qemuMonitor *mon, const char *event, const cJSON *data, void *vm);
/*
 * The CPUs stand / run: sets state and reason and emits the event, once, whoever notices first.
 * detail: virDomainEventSuspendedDetailType, -1: as the reason suggests.
 */
VIRT_INTERNAL void qemuEventPaused(struct virDomainObj *vm, int reason, int detail);
VIRT_INTERNAL void qemuEventRunning(struct virDomainObj *vm, int reason, int detail);
VIRT_INTERNAL void qemuEventLifecycle(struct virDomainObj *vm, int event, int detail);
VIRT_INTERNAL void qemuMigrationReset(struct qemuDomain *priv);
VIRT_INTERNAL int qemuMigrationStatusFromName(const char *name);      /* -1: unknown */

/* ---- domain.c: the slots ---- */
/* starts the guests that are marked and do not run */
VIRT_INTERNAL void qemuDomainAutostart(struct qemuHost *host);
VIRT_INTERNAL virDomainPtr qemuDomainCreateXML(virConnectPtr conn, const char *xml, unsigned int flags);
VIRT_INTERNAL int qemuDomainCreate(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainUndefine(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainSuspend(virDomainPtr domain);
VIRT_INTERNAL int qemuDomainResume(virDomainPtr domain);
VIRT_INTERNAL int qemuDomainShutdown(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainReboot(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainReset(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainDestroy(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainGetInfo(virDomainPtr domain, virDomainInfoPtr info);
VIRT_INTERNAL int qemuDomainGetControlInfo(virDomainPtr domain, virDomainControlInfoPtr info,
                                           unsigned int flags);
VIRT_INTERNAL int qemuDomainGetVcpusFlags(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainGetVcpus(virDomainPtr domain, virVcpuInfoPtr info, int max,
                                     unsigned char *maps, int length);
/* qemuDomainGetJobInfo, qemuDomainGetJobStats and qemuMigrationAbortJob are in migration.h. */

#endif
