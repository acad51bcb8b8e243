/*
 * The simulated hosts of the test driver: what its files share.
 */
#ifndef VIRT_TEST_TEST_H
#define VIRT_TEST_TEST_H

#include "../driver.h"
#include "../common/domain.h"
#include "../common/uri.h"

#define TEST_CELLS_MAX 8
#define TEST_PAGE 4096
#define TEST_MIB (1024 * 1024)

/* What goes wrong on purpose; the grammar is at the top of migration.c. */
enum testFaultKind {
    TEST_FAULT_NONE,
    TEST_FAULT_FAIL,
    TEST_FAULT_DIE,
    TEST_FAULT_AGAIN,
    TEST_FAULT_LOST,
    TEST_FAULT_HANG,
};

enum testFaultPlace {
    TEST_FAULT_BEGIN,
    TEST_FAULT_PREPARE,
    TEST_FAULT_PERFORM,
    TEST_FAULT_FINISH,
    TEST_FAULT_CONFIRM,
    TEST_FAULT_CANCEL,
    TEST_FAULT_ROLLBACK,
    TEST_FAULT_PLACES,
};

struct testFault {
    enum testFaultKind kind;
    int number;                          /* -1: none was given */
    unsigned long long since;            /* HANG: virTimeNowUs of the first call; 0: not called yet */
};

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

    pthread_mutex_t lock;
    pthread_cond_t changed;              /* something a transfer may be waiting for: an abort, a destroy */
    struct testMigration *migrations;
    atomic_int arriving;                 /* how many of them are prepared here and not settled */
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
};

/* What the driver keeps for a domain: vm->priv, made when it is first needed. host->lock. */
struct testDomain {
    unsigned long long maxDowntime;      /* ms */
    unsigned long maxSpeed;              /* MiB/s */
    unsigned long long cache;            /* bytes */
};

/* ---------- migrations: the record of one on one side (host->lock) ---------- */

enum testStep {
    TEST_BEGUN,                          /* source: nothing has happened yet */
    TEST_PERFORMING,                     /* source: under way */
    TEST_PERFORMED,                      /* source: all is there, the guest stands still here */
    TEST_LEFT,                           /* source: the guest is there, and over here */
    TEST_STAYED,                         /* source: the guest is here, as it was */
    TEST_PREPARED,                       /* destination: ready, or receiving */
    TEST_ARRIVED,                        /* destination: the guest is here */
    TEST_REFUSED,                        /* destination: nothing is here */
};

/* The wire between two hosts: made by the destination, found by the source under its URI. */
struct testChannel {
    char *migration;                     /* uuid of the one it belongs to */
    int dieAt;                           /* the receiver dies after so many per cent; -1: it does not */
    atomic_bool dead;                    /* the receiver is gone */
    atomic_bool complete;                /* the receiver has everything, and has said so */
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
    char *uuid;                          /* of the migration */
    bool source;
    enum testStep step;
    int users;                           /* threads that wait inside a phase: not to be freed */
    struct virDomainObj *vm;
    unsigned int flags;
    int id;                              /* of the guest's run that it is about */
    int state, reason;                   /* the guest's, before */
    bool offline, isNew;
    char *cookie, *uri;                  /* as they were given out */
    char *definition;                    /* destination: what is to be defined; NULL: nothing */
    struct testChannel *channel;
    bool aborted;
    bool dropped;                        /* nobody steps it */
    virErrorPtr error;                   /* why it ended badly */

    struct testTransfer transfer;
    double bandwidth, dirtyRate;         /* bytes a second, of the wire and the guest */
    double speed;                        /* bytes a second that are allowed */
    double downtime;                     /* seconds that are allowed */
    int failAt, dieAt;                   /* per cent; -1: never */
};

static inline struct testConnect *testConnectOf(virConnectPtr conn) { return conn->priv; }
static inline struct testHost *testHostOf(virConnectPtr conn) { return testConnectOf(conn)->host; }

/* test.c */
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

/* config.c: hosts from nothing and from a file; the settings of a connection from its URI */
VIRT_INTERNAL struct testHost *testHostNewDefault(const char *name);
VIRT_INTERNAL struct testHost *testHostNewFromFile(const char *path);
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

/* migration.c */
VIRT_INTERNAL struct testMigration *testMigrationOf(struct testHost *host, const struct virDomainObj *vm);   /* the one that has the guest now */
VIRT_INTERNAL void testMigrationsFree(struct testHost *host);
/*
 * The guest is about to end by itself or by its user: whoever transfers it learns of it.
 * host->lock is held.
 */
VIRT_INTERNAL void testMigrationGuestEnds(struct testHost *host, struct virDomainObj *vm);
/* Ends an incoming guest whose simulated process has died. Takes host->lock. */
VIRT_INTERNAL void testMigrationRefresh(struct testHost *host, struct virDomainObj *vm);
VIRT_INTERNAL int testMigrationParseFaults(struct testConnect *test, const char *text);

VIRT_INTERNAL int testDomainMigrateBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout);
VIRT_INTERNAL int testDomainMigratePrepare(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein,
                                           char **cookieout, char **uri);
VIRT_INTERNAL int testDomainMigratePerform(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein,
                                           const char *uri, char **cookieout);
VIRT_INTERNAL int testDomainMigrateFinish(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein,
                                          int cancelled, char **cookieout, virDomainPtr *guest);
VIRT_INTERNAL int testDomainMigrateConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein,
                                           int cancelled);
VIRT_INTERNAL int testDomainMigrateDrop(virConnectPtr conn, const struct virMigrationCall *call);
/* The guest goes on here: ends the source's side, for a migration that nobody steps. host->lock is held. */
VIRT_INTERNAL void testMigrationAbortDropped(struct testHost *host, struct testMigration *m);
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
