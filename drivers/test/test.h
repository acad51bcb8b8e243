/*
 * The simulated hosts of the test driver: what its files share.
 */
#ifndef VIRT_TEST_TEST_H
#define VIRT_TEST_TEST_H

#include "../driver.h"
#include "../lock/lock.h"
#include "../common/domain.h"
#include "../common/json.h"
#include "../common/problems.h"
#include "../common/uri.h"

#define TEST_CELLS_MAX 8
#define TEST_PAGE 4096
#define TEST_MIB (1024 * 1024)

/* What goes wrong on purpose; the grammar is at the top of fault.c. */
enum testFaultKind {
    TEST_FAULT_NONE,
    TEST_FAULT_FAIL,
    TEST_FAULT_DIE,
    TEST_FAULT_AGAIN,
    TEST_FAULT_LOST,
    TEST_FAULT_HANG,
    TEST_FAULT_BREAK,
    TEST_FAULT_CRASH,
    TEST_FAULT_POWER,
};

enum testFaultPlace {
    TEST_FAULT_BEGIN,
    TEST_FAULT_PREPARE,
    TEST_FAULT_PERFORM,
    TEST_FAULT_FINISH,
    TEST_FAULT_CONFIRM,
    TEST_FAULT_HALT,
    TEST_FAULT_CANCEL,
    TEST_FAULT_ROLLBACK,
    TEST_FAULT_PLACES,
};

struct testFault {
    enum testFaultKind kind;
    int number;                          /* -1: none was given */
    unsigned long long since;            /* HANG: virTimeNowUs of the first call; 0: not called yet */
};

/* The durable steps of the phases, in the order of testMigrationSteps. */
enum testMark {
    TEST_MARK_BEGUN, TEST_MARK_HELD,
    TEST_MARK_PREPARED, TEST_MARK_LISTENS,
    TEST_MARK_PERFORMING, TEST_MARK_TRANSFERRING, TEST_MARK_PERFORMED,
    TEST_MARK_STARTING, TEST_MARK_STARTED, TEST_MARK_ARRIVED,
    TEST_MARK_LEAVING, TEST_MARK_ENDED, TEST_MARK_LEFT,
    TEST_MARK_CANCELLED, TEST_MARK_HALTED,
    TEST_MARK_REFUSING, TEST_MARK_REMOVED, TEST_MARK_REFUSED,
    TEST_MARK_RESUMING, TEST_MARK_RESUMED, TEST_MARK_STAYED,
    TEST_MARK_TAKEN, TEST_MARK_GIVEN, TEST_MARK_KEPT,       /* with a lock manager only */
    TEST_MARKS,
};

/* A place at which a host may crash: something is on record, or has been carried out. */
struct testMigrationStep {
    const char *phase;
    enum testFaultPlace place;
    bool source;                         /* on whose URI the fault is asked for */
    const char *name;
};
VIRT_INTERNAL_DATA const struct testMigrationStep testMigrationSteps[TEST_MARKS];

struct testMigration;

/*
 * A host, shared by the connections to it. Its lock guards its migrations, and is held while a
 * guest's state changes.
 */
struct testHost {
    struct virDomainList *domains;
    struct virEventHub *hub;
    char *name;
    virNodeInfo info;
    int cells;
    unsigned long long cellMemory[TEST_CELLS_MAX];
    struct virLock *leases;              /* NULL: no lock manager. Constant */

    pthread_mutex_t lock;
    pthread_cond_t changed;              /* something a transfer may be waiting for: an abort, a destroy */
    struct testMigration *migrations;
    atomic_int arriving;                 /* how many of them are prepared here, or have memory on its way */
    atomic_bool crashed;                 /* nobody manages it: whoever calls next settles the records first */
    atomic_bool unsettled;               /* the lock manager did not answer when a record was to be settled, and may later */
};

/* A connection: conn->priv. */
struct testConnect {
    struct virDomainHost base;           /* first: domain.c finds the list by it */
    struct testHost *host;
    bool shared;                         /* given back with virSharedRelease */
    unsigned long long memory;           /* bytes a guest has to move; 0: as its document says */
    unsigned long long dirtyRate;        /* bytes a second that a running guest writes */
    unsigned long long bandwidth;        /* bytes a second of the wire */
    struct testFault faults[TEST_FAULT_PLACES];       /* host->lock */
    unsigned long long expiry;           /* seconds that a prepared guest waits for the next word */
    unsigned long long protocol;         /* 1, 2 or 3 */
    struct virDriver *older;             /* the table without the slots that its protocol has not; NULL: protocol 3 */
};

/* What the driver keeps for a domain: vm->priv, made when it is first needed. host->lock. */
struct testDomain {
    unsigned long long maxDowntime;      /* ms */
    unsigned long maxSpeed;              /* MiB/s */
    unsigned long long cache;            /* bytes */
    struct virLockSeat seat;             /* its hypervisor's, as long as that lives */
    unsigned long long keeperSince;      /* when the process that keeps it was started, as virProcessIdentify has it; 0: there is none */
    unsigned long long epoch;            /* of the guest's lease, when it became this host's; 0: it has not */
    struct testStream *console;          /* the newest stream that has opened it; a reference; NULL: none */
};

/* ---------- migrations: one on one side (host->lock) ---------- */

/* How far this side has come, as its record says; testStages has what may follow on each. */
enum testStage {
    TEST_BEGUN,                          /* source: nothing has happened yet */
    TEST_PERFORMING,                     /* source: under way */
    TEST_PERFORMED,                      /* source: all is there, or given away; the guest stands still here */
    TEST_HALTED,                         /* source: nothing is sent any more; to be rolled back */
    TEST_RESUMING,                       /* source: is to go on here */
    TEST_LEAVING,                        /* source: is to end here */
    TEST_STAYED,                         /* source, over: the guest is here, as it was */
    TEST_LEFT,                           /* source, over: the guest is there */
    TEST_GONE,                           /* source, over: the guest is nowhere */
    TEST_PREPARED,                       /* destination: ready, or receiving */
    TEST_STARTING,                       /* destination: the guest is to run here */
    TEST_REFUSING,                       /* destination: what is here is to be removed */
    TEST_ARRIVED,                        /* destination, over: the guest is here */
    TEST_REFUSED,                        /* destination, over: nothing is here */
    TEST_STAGES,
    TEST_NOTHING = TEST_STAGES,          /* as the stage before the first: there was no record */
};

/*
 * A stage in the record, what tests/model/migration.pml calls it, and what may follow on it, as 1u << stage. The model has each
 * step of `next`, and no other; `shortcuts` leave out stages in which there is nothing to do.
 */
struct testStageRow {
    const char *name, *model;
    unsigned int next, shortcuts;
    bool over;
};
VIRT_INTERNAL_DATA const struct testStageRow testStages[TEST_STAGES + 1];

/* What the source's hypervisor says of the transfer. */
enum testStatus {
    TEST_IDLE,
    TEST_ACTIVE,
    TEST_SPREAD,                         /* post-copy: the guest has been given away, memory follows */
    TEST_BROKE,                          /* post-copy: ... and has stopped to follow */
    TEST_COMPLETED,
    TEST_CANCELLED,                      /* the source has everything, and its guest goes on */
};

/* What the destination's hypervisor has of the guest. */
enum testCopy {
    TEST_COPY_OPEN,                      /* not all of it */
    TEST_COPY_SPREAD,                    /* it can be started; memory follows */
    TEST_COPY_COMPLETE,
    TEST_COPY_DEAD,                      /* it is gone */
};

/* The wire between two hosts: made by the destination, found by the source under its URI. Neither host's lock guards it. */
struct testChannel {
    char *migration;                     /* uuid of the one it belongs to */
    int dieAt;                           /* the receiver dies after so many per cent; -1: it does not */
    atomic_int copy;                     /* enum testCopy; leaves OPEN and SPREAD by compare-and-exchange only */
    atomic_bool paused;                  /* the guest that was sent was paused: part of what a hypervisor sends */
    atomic_bool cut;                     /* the sender is gone, or sends no more */
    _Atomic unsigned long long heard;    /* virTimeNowUs of the last word */
};

struct testTransfer {
    double total, left, dirtied, sent;   /* bytes: in all; of this pass; written meanwhile; sent so far */
    int pass;                            /* 1: the first, which sends everything */
    int throttle;                        /* per cent of its time that the guest is not allowed to run */
    bool last;                           /* the guest stands still, the rest is being sent */
    double lasted, downtime;             /* simulated seconds */
    unsigned long long seen;             /* virTimeNowUs up to which it has been simulated */
};

struct testMigration {
    struct testMigration *next;

    /* the record, as if it were on disk: changes under a new stage, before what that announces */
    char *uuid;                          /* of the migration */
    bool source;
    enum testStage stage;
    struct virDomainObj *vm;             /* NULL: never begun or prepared, and now it never will be */
    char *name;                          /* of the guest at the source, and its uuid, as the calls have them */
    unsigned char guest[VIR_UUID_BUFLEN];
    bool leased;                         /* its lease moves with it */
    char *peer;                          /* with a lease: its owner on the other side; source: NULL before perform */
    unsigned long long epochTold, epochMine;   /* what the destination was told; source: of its last hold */
    bool ran;                            /* destination, with a lease: its CPUs have run, or have been about to */
    unsigned int flags;
    virTypedParameterPtr params;
    int nparams;
    long long since;                     /* ms since 1970 */
    int id;                              /* of the guest's run that it is about */
    int state, reason;                   /* the guest's, before */
    bool offline, isNew;
    bool alone;                          /* an older protocol: no other phase will settle it */
    bool lost;                           /* the guest was lost with what becomes of it here */
    char *cookie, *uri;                  /* as they were given out */
    char *definition;                    /* destination: what is to be defined; NULL: nothing */
    unsigned long long expiry;           /* us */
    virErrorPtr error;                   /* why it ended badly */

    /* what this side's management has in mind: gone with a crash */
    struct testMind {
        bool aborted;
        bool dropped;                    /* nobody steps it */
        struct virLockBeat beat;         /* source: of the destination, since that has the lease */
    } mind;
    bool holds;                          /* it has the guest's job */
    bool told;                           /* its end as a job was told */
    int users;                           /* threads that wait inside a phase: not to be freed */
    struct testConnect *at;              /* the connection whose phase is at work, for its faults; NULL: none */

    /* the hypervisor's, which goes on whatever becomes of those who manage it */
    struct testChannel *channel;
    enum testStatus status;
    struct testTransfer transfer;
    double bandwidth, dirtyRate;         /* bytes a second, of the wire and the guest */
    double speed;                        /* bytes a second that are allowed */
    double downtime;                     /* seconds that are allowed */
    int failAt, dieAt, breakAt;          /* per cent; -1: never */
};

static inline struct testConnect *testConnectOf(virConnectPtr conn) { return conn->priv; }
static inline struct testHost *testHostOf(virConnectPtr conn) { return testConnectOf(conn)->host; }

/* test.c */
VIRT_INTERNAL_DATA const struct virDriver virTestDriver;
/* console.c; host->lock is held: the guest does not run any more: virDomainObjStopped, and its console's stream ends. */
VIRT_INTERNAL void testDomainStopped(struct virDomainObj *vm, int reason);
VIRT_INTERNAL void testStreamUnref(void *stream);
VIRT_INTERNAL int testDomainOpenConsole(virDomainPtr domain, const char *name, virStreamPtr stream, unsigned int flags);
VIRT_INTERNAL char *testDomainScreenshot(virDomainPtr domain, virStreamPtr stream, unsigned int screen, unsigned int flags);
VIRT_INTERNAL struct testDomain *testDomainOf(struct virDomainObj *vm);   /* host->lock is held; NULL with the error set */

/* stats.c: what they use */
VIRT_INTERNAL int testDomainBlockStats(virDomainPtr dom, const char *disk, virDomainBlockStatsPtr stats, size_t size);
VIRT_INTERNAL int testDomainGetBlockInfo(virDomainPtr domain, const char *name, virDomainBlockInfoPtr info, unsigned int flags);
VIRT_INTERNAL int testDomainGetDiskErrors(virDomainPtr dom, virDomainDiskErrorPtr errors, unsigned int max, unsigned int flags);
VIRT_INTERNAL int testDomainInterfaceStats(virDomainPtr dom, const char *name, virDomainInterfaceStatsPtr stats, size_t size);
VIRT_INTERNAL int testDomainMemoryStats(virDomainPtr dom, virDomainMemoryStatPtr stats, unsigned int max, unsigned int flags);
VIRT_INTERNAL int testDomainSetMemory(virDomainPtr domain, unsigned long memory, unsigned int flags);
VIRT_INTERNAL int testDomainSetMemoryStatsPeriod(virDomainPtr domain, int period, unsigned int flags);
VIRT_INTERNAL int testDomainGetCPUStats(virDomainPtr domain, virTypedParameterPtr params, unsigned int max, int start,
                                        unsigned int count, unsigned int flags);
VIRT_INTERNAL char *testDomainGetSchedulerType(virDomainPtr domain, int *nparams);
VIRT_INTERNAL int testDomainListGetStats(virDomainPtr *domains, unsigned int stats, virDomainStatsRecordPtr **list,
                                         unsigned int flags);
VIRT_INTERNAL int testDomainSendKey(virDomainPtr domain, unsigned int set, unsigned int hold, unsigned int *codes, int count,
                                    unsigned int flags);
VIRT_INTERNAL int testDomainInjectNMI(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int testNodeGetCPUStats(virConnectPtr conn, int cpu, virNodeCPUStatsPtr params, int *room, unsigned int flags);
VIRT_INTERNAL int testConnectGetCPUModelNames(virConnectPtr conn, const char *arch, char ***models, unsigned int flags);

/* What a connection's URI says of its host. */
struct testHostSettings {
    const char *name;                    /* NULL: this computer's */
    const char *locks, *owner;           /* lock manager; NULL: none */
    bool disks;                          /* they have leases of their own */
};
/* config.c: hosts from nothing and from a file; the settings of a connection from its URI */
VIRT_INTERNAL struct testHost *testHostNewDefault(const struct testHostSettings *settings);
VIRT_INTERNAL struct testHost *testHostNewFromFile(const char *path, const struct testHostSettings *settings);
VIRT_INTERNAL int testHostConfigure(struct testHostSettings *settings, const struct virUri *uri);
VIRT_INTERNAL int testHostCheckSettings(const struct testHost *host, const struct testHostSettings *settings);
VIRT_INTERNAL void testHostFree(struct testHost *host);
VIRT_INTERNAL int testConnectConfigure(struct testConnect *test, const struct virUri *uri);
VIRT_INTERNAL char *testHostFormatCapabilities(const struct testHost *host);

/* job.c */
VIRT_INTERNAL double testTransferRate(const struct testMigration *m);          /* bytes a second, as things stand */
VIRT_INTERNAL double testTransferDirtyRate(const struct testMigration *m);
/*
 * The statistics of the whole become those of the guest's last job, and are told. Nothing depends
 * on it: lost without memory.
 */
VIRT_INTERNAL void testMigrationComplete(struct testMigration *m, int type);

/* fault.c */
VIRT_INTERNAL int testMigrationParseFaults(struct testConnect *test, const char *text);
/*
 * How every phase begins: locks the host, and settles it after a crash. 1: to be carried out; *kind is then a fault that the
 * phase itself has to act out. Else its result, and the host is not locked.
 */
VIRT_INTERNAL int testPhaseEnter(virConnectPtr conn, const struct virMigrationCall *call, enum testFaultPlace place,
                                 enum testFaultKind *kind);
/* Whether the answer of a phase that was carried out gets lost. The host is locked. */
VIRT_INTERNAL bool testFaultLost(struct testConnect *test, enum testFaultPlace place);
/* The mark is reached. Whether the host has crashed there: then nothing more is done, and the phase answers AGAIN. */
VIRT_INTERNAL bool testMigrationReached(struct testHost *host, struct testMigration *m, enum testMark mark);

/* record.c; the host is locked */
VIRT_INTERNAL bool testMigrationIsOver(const struct testMigration *m);
/* The one way in which a stage changes: as testStages has it. */
VIRT_INTERNAL void testMigrationEnter(struct testMigration *m, enum testStage stage);
VIRT_INTERNAL struct testMigration *testMigrationFind(struct testHost *host, const char *uuid, bool source);
/* Whether the migration, if it is known here, is of the guest that the call names. 0 or -1. */
VIRT_INTERNAL int testMigrationCheckOwn(struct testHost *host, const struct virMigrationCall *call);
VIRT_INTERNAL struct testMigration *testMigrationOf(struct testHost *host, const struct virDomainObj *vm);   /* the one that has the guest now */
/* A new record, not in the list yet; vm may be NULL. Insert puts it in, and drops what is too old. */
VIRT_INTERNAL struct testMigration *testMigrationNew(const struct virMigrationCall *call, enum testStage stage, struct virDomainObj *vm);
VIRT_INTERNAL void testMigrationInsert(struct testHost *host, struct testMigration *m);
VIRT_INTERNAL void testMigrationFree(struct testHost *host, struct testMigration *m);
VIRT_INTERNAL void testMigrationsFree(struct testHost *host);
VIRT_INTERNAL void testMigrationEndJob(struct testMigration *m);
/* The thread's error becomes the one that this side gives for the end of the migration; the thread has none then. */
VIRT_INTERNAL void testMigrationKeepError(struct testMigration *m);
VIRT_INTERNAL int testMigrationFailed(const struct testMigration *m);         /* sets that error; FAILED */
VIRT_INTERNAL int testConnectListMigrations(virConnectPtr conn, char ***records, unsigned int flags);

/* transfer.c; the host is locked */
VIRT_INTERNAL struct testChannel *testChannelListen(const char *uri, const char *migration);
VIRT_INTERNAL bool testChannelChange(struct testChannel *channel, enum testCopy from, enum testCopy to);
VIRT_INTERNAL void testChannelClose(struct testHost *host, struct testMigration *m);
VIRT_INTERNAL bool testSourceIsHere(const struct testMigration *m);            /* the guest's run has not ended */
VIRT_INTERNAL void testSourceResume(struct testMigration *m);                  /* the guest goes on here as it did before */
VIRT_INTERNAL int testTransferStart(struct testMigration *m, const char *uri);
/* Lets the transfer run up to now, or to the first thing that goes wrong: status tells. */
VIRT_INTERNAL void testTransferLook(struct testHost *host, struct testMigration *m);
/* The source goes on, for the error that is set. */
VIRT_INTERNAL void testTransferCancel(struct testMigration *m);
VIRT_INTERNAL unsigned long long testTransferNext(const struct testMigration *m);     /* when to look again: virTimeNowUs */
VIRT_INTERNAL void testTransferRecover(struct testMigration *m);               /* post-copy goes on after the network broke */
VIRT_INTERNAL int testDomainMigrateStartPostCopy(virDomainPtr domain, unsigned int flags);

/* migration.c */
/*
 * The guest is about to end by itself or by its user: whoever transfers it learns of it.
 * host->lock is held.
 */
VIRT_INTERNAL void testMigrationGuestEnds(struct testHost *host, struct virDomainObj *vm);
/* What has happened by itself: guests that arrive died, expired, or are complete. Takes host->lock. */
VIRT_INTERNAL void testMigrationRefresh(struct testHost *host);
/* The same with the host locked; after a crash, every record is settled first. */
VIRT_INTERNAL void testHostSettle(struct testHost *host);

/* What the source has said of the guest: testGuestParse, after which the caller clears it, also on failure. */
struct testGuest {
    cJSON *cookie;                       /* NULL: there is none but the document */
    char *document, *definition;
    int state;                           /* VIR_DOMAIN_NOSTATE: it was not said */
    struct virLeaseSaid lease;           /* parts of the cookie */
};
VIRT_INTERNAL int testGuestParse(const char *text, const struct virMigrationCall *call, struct testGuest *guest);
VIRT_INTERNAL void testGuestClear(struct testGuest *guest);
/* Without problems it stops at the first error. */
VIRT_INTERNAL int testMigrationCheckCall(const struct virMigrationCall *call, struct virProblems *problems);
/* epoch: of its lease, 0 without one. */
VIRT_INTERNAL char *testMigrationFormatCookie(struct testHost *host, struct virDomainObj *vm, const struct virMigrationCall *call,
                                              unsigned long long *epoch);
/* For what is done by the way: until virRestoreLastError() there is no error. */
VIRT_INTERNAL virErrorPtr testErrorPut(void);
/*
 * lease.c: a host with a lock manager; without one they succeed and do nothing. The host is locked, as it is while a guest's state changes: who
 * asks a lock manager waits for it.
 */
VIRT_INTERNAL int testLeasesOpen(struct testHost *host, const char *place, const char *owner, bool disks);
VIRT_INTERNAL void testLeasesClose(struct testHost *host);
/* The hypervisor of this guest starts: it sits, and its lease is this host's, or -1. */
VIRT_INTERNAL int testLeaseAcquire(struct testHost *host, struct virDomainObj *vm, xmlDocPtr doc);
VIRT_INTERNAL int testLeaseResume(struct testHost *host, struct virDomainObj *vm);
VIRT_INTERNAL void testLeaseLeaveSeat(struct virDomainObj *vm);        /* the hypervisor is gone */
VIRT_INTERNAL void testLeaseLosePower(struct virDomainObj *vm);        /* ... with its host */
/* ... and whoever manages the host knows it: the lease is nobody's. What cannot be told is logged: a holder without a seat is followed by anybody. */
VIRT_INTERNAL void testLeaseEnd(struct testHost *host, struct virDomainObj *vm);
/* Of a migration: what begin says of it; NULL with the error set: it is not this host's. */
VIRT_INTERNAL cJSON *testLeaseFormat(struct testHost *host, struct virDomainObj *vm, unsigned long long *epoch);
VIRT_INTERNAL int testLeaseCheckProtocol(const struct testConnect *test, const struct testMigration *m, unsigned int needed);
VIRT_INTERNAL int testLeaseSit(struct testHost *host, struct testMigration *m, xmlDocPtr doc);
/* As in lock.h: 1; 0: it cannot be (with the error set); -1: to be asked again, and the host is unsettled. Without a lease: 1. */
VIRT_INTERNAL int testLeaseTransfer(struct testHost *host, struct testMigration *m);
VIRT_INTERNAL int testLeaseGiveBack(struct testHost *host, struct testMigration *m);
VIRT_INTERNAL int testLeaseKeep(struct testHost *host, struct testMigration *m);
VIRT_INTERNAL void testLeaseRelease(struct testHost *host, struct testMigration *m);          /* the source's last hold */
/* Who may have the guest of a migration with a lease. */
enum testLeaseView {
    TEST_LEASE_UNKNOWN,                  /* the lock manager does not answer */
    TEST_LEASE_OPEN,                     /* both sides still can */
    TEST_LEASE_SOURCE,                   /* the destination cannot any more */
    TEST_LEASE_DESTINATION,              /* it has it */
    TEST_LEASE_NEITHER,                  /* somebody else has it, or has had it */
};
VIRT_INTERNAL enum testLeaseView testLeaseLook(struct testHost *host, struct testMigration *m);

/* check.c */
VIRT_INTERNAL int testDomainMigrateCheck(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout, char ***problems);
VIRT_INTERNAL int testDomainMigrateCheckIncoming(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein,
                                                 char ***problems);
VIRT_INTERNAL int testDomainMigrateBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout);
VIRT_INTERNAL int testDomainMigratePrepare(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein,
                                           char **cookieout, char **uri);
VIRT_INTERNAL int testDomainMigratePerform(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein,
                                           const char *uri, char **cookieout);
VIRT_INTERNAL int testDomainMigrateFinish(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein,
                                          int cancelled, char **cookieout, virDomainPtr *guest);
VIRT_INTERNAL int testDomainMigrateConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein,
                                           int cancelled);
VIRT_INTERNAL int testDomainMigrateHalt(virDomainPtr domain, const struct virMigrationCall *call);
VIRT_INTERNAL int testDomainMigrateDecide(virDomainPtr domain, const struct virMigrationCall *call, int *started);
VIRT_INTERNAL int testDomainMigrateDrop(virConnectPtr conn, const struct virMigrationCall *call);
/* The guest goes on here: ends the source's side, for a migration that nobody steps. host->lock is held. */
VIRT_INTERNAL void testMigrationAbortDropped(struct testHost *host, struct testMigration *m);
/* The same for the destination's side: what is not complete here is removed, for good. Whether it was not. */
VIRT_INTERNAL bool testMigrationRefuseDropped(struct testHost *host, struct testMigration *m);
VIRT_INTERNAL int testDomainMigrateWait(virConnectPtr conn, const struct virMigrationCall *call, int *fd, int *events,
                                        int *milliseconds);
VIRT_INTERNAL int testDomainGetJobInfo(virDomainPtr domain, virDomainJobInfoPtr info);
VIRT_INTERNAL int testDomainGetJobStats(virDomainPtr domain, int *type, virTypedParameterPtr *params, int *nparams,
                                        unsigned int flags);
VIRT_INTERNAL int testDomainAbortJob(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int testDomainMigrateSetMaxDowntime(virDomainPtr domain, unsigned long long downtime, unsigned int flags);
VIRT_INTERNAL int testDomainMigrateGetMaxDowntime(virDomainPtr domain, unsigned long long *downtime, unsigned int flags);
VIRT_INTERNAL int testDomainMigrateSetMaxSpeed(virDomainPtr domain, unsigned long bandwidth, unsigned int flags);
VIRT_INTERNAL int testDomainMigrateGetMaxSpeed(virDomainPtr domain, unsigned long *bandwidth, unsigned int flags);
VIRT_INTERNAL int testDomainMigrateGetCompressionCache(virDomainPtr domain, unsigned long long *size, unsigned int flags);
VIRT_INTERNAL int testDomainMigrateSetCompressionCache(virDomainPtr domain, unsigned long long size, unsigned int flags);

#endif
