/*
 * Live migration with QEMU: the five phases of drivers/driver.h on both sides.
 *
 * Each side keeps what it knows of a migration in a struct qemuMigration under the migration's uuid, in a list of the host, and what another
 * process needs to go on from in a file of its own: ROOT/migrations/UUID.source.json or UUID.destination.json (record.c), replaced durably
 * before the effect that it announces. A phase that is asked again finds it there and answers as it did, also after the guest has gone, and
 * also by another process. Those that are over are kept for a day, and no more than the newest 1000.
 *
 *   migrations.c              the list
 *   record.c                  an entry as JSON text, and back
 *   migration_settle.c        what is made of the records when the directory is opened, and of what nobody steps any more
 *   migration_source.c        Begin, Perform, Halt, Confirm
 *   migration_destination.c   Prepare, Finish
 *   migration_check.c         what keeps a guest from being moved
 *   migration_compat.c        whether the destination can have such a guest
 *   migration_parameters.c    what QEMU is told of how to migrate
 *   migration_tls.c           encryption
 *   migration_zerocopy.c      memory that is sent without being copied
 *   postcopy.c                post-copy, and how it goes on after an interruption
 *   migration_storage.c       disks that are copied with the guest
 *   lease.c                   the guest's lease, where the host has a lock manager
 *   migration.c               what the phases have in common; abort, wait, drop
 */
#ifndef VIRT_QEMU_MIGRATION_H
#define VIRT_QEMU_MIGRATION_H

#include "qemu.h"
#include "../lock/lock.h"

enum qemuMigrationStage {
    /* source */
    QEMU_STAGE_BEGUN,             /* Begin has answered; nothing has changed but that the guest is held */
    QEMU_STAGE_TRANSFER,          /* `migrate` was sent */
    QEMU_STAGE_TRANSFERRED,       /* the destination has acknowledged all of it; the CPUs stand here */
    QEMU_STAGE_BROKEN,            /* the transfer failed or was cancelled; the destination must be gone before the guest goes on here */
    QEMU_STAGE_HALTED,            /* Halt has answered: nothing more is sent, the guest is all here */
    QEMU_STAGE_RESUMING,          /* Confirm, cancelled: the guest is made as it was */
    QEMU_STAGE_LEAVING,           /* Confirm: the guest is ended here */
    QEMU_STAGE_LEFT,              /* over: the guest is at the destination */
    QEMU_STAGE_STAYED,            /* over: the guest is here */
    QEMU_STAGE_LOST,              /* over: the guest has ended here, and did not go anywhere */
    /* destination */
    QEMU_STAGE_SPAWNED,           /* QEMU starts */
    QEMU_STAGE_LISTENING,         /* it has been told where to listen */
    QEMU_STAGE_PREPARED,          /* Prepare has answered */
    QEMU_STAGE_STARTING,          /* Finish: the copy is complete, and is started */
    QEMU_STAGE_REMOVING,          /* Finish, cancelled (or failed): it is ended */
    QEMU_STAGE_STARTED,           /* over: the guest is here */
    QEMU_STAGE_REMOVED,           /* over: nothing is left of it here */
    QEMU_STAGE_COUNT,
    QEMU_STAGE_NOTHING = QEMU_STAGE_COUNT         /* as the stage before the first: there was no record */
};

/*
 * A stage in the record, what tests/model/migration.pml calls it, and what may follow on it, as 1u << stage. The model has each step of
 * `next`, and no other; `shortcuts` leave out stages in which there is nothing to do.
 */
struct qemuStageRow {
    const char *name, *model;
    unsigned int next, shortcuts;
    bool over;
};
VIRT_INTERNAL_DATA const struct qemuStageRow qemuStages[QEMU_STAGE_COUNT + 1];

/* A disk that moves with the guest: storage.h. */
struct qemuStorageDisk {
    char *target;                 /* "vda" */
    char node[32];                /* of its image, at this side */
    char job[32];                 /* source: the mirror, and the node that it writes to; destination: the export */
    unsigned long long size;      /* bytes, as the guest sees it */
    bool mirrored;                /* source: its mirror was started */
    char *created;                /* destination: the image was made for it, and goes on the way back ... */
    unsigned long long device, inode;                    /* ... if it is still that file; 0: it was about to be made */
};

struct qemuMigration {
    struct qemuMigration *next;   /* host->lock, as the next three */
    int users;                    /* threads that work with it */
    bool unlisted;                /* out of the list: the last user frees it */
    int wake;                     /* an eventfd: written when an event of this guest has come, or an abort; -1: it is over */
    int wait;                     /* an epoll descriptor, of that and the monitor's, for who waits in a loop of his own; -1: none yet */
    struct qemuHost *host;
    virTypedParameterPtr stats;   /* the newest; host->lock */
    int nstats;
    struct virDomainObj *vm;      /* a reference; NULL: offline, at the destination; or it has ended, and is no longer known here */
    char uuid[VIR_UUID_STRING_BUFLEN];
    char *name, guest[VIR_UUID_STRING_BUFLEN];       /* of the guest; constant, as the next four */
    virTypedParameterPtr params;
    int nparams;
    unsigned int flags;
    unsigned long long since;     /* wall clock, ms: when it began here */
    bool incoming;
    bool offline;
    atomic_bool ended;            /* its QEMU has ended */
    atomic_bool ownAgain;         /* ... but before, the source had the guest back, or the destination had it running: QEMU said so */
    _Atomic unsigned long long heard;               /* us: when a phase was last called; after a while without, it expires */
    _Atomic unsigned long long changed;             /* wall clock, ms: when its record was last written */
    bool announce;                /* the next look at it tells of a guest that was found paused by its transfer */
    atomic_bool aborted;          /* virDomainAbortJob */
    atomic_bool dropped;          /* nobody steps it */
    atomic_bool ioError;          /* the guest has met an error of its disk while it migrates */

    pthread_mutex_t lock;         /* held by the phase that is at work; guards what follows */
    atomic_int stage;             /* enum qemuMigrationStage; read also without the lock */
    int id;                       /* the guest's, so that a later start of it is not taken for this one; -1: none yet */
    bool unknown;                 /* source: found again, and QEMU has not said yet how the transfer stands */
    bool sent;                    /* `migrate` was sent */
    bool resuming;                /* `cont` was, and its reply is awaited */
    char *begun;                  /* source: what Begin answered */
    char *cookie, *uri;           /* what Perform, or Prepare, answered */
    virError error;               /* of a phase that failed */
    char *document;               /* destination: of the guest (offline); its persistent document */
    char *definition;
    char *previous;               /* destination: the persistent document that Finish replaces */
    bool persisted;               /* ... has done so, or is about to */
    bool defined;                 /* ... has done so in this process */
    bool cancelSent;              /* migrate_cancel, after `migrate` */
    char *listening;              /* a Unix socket of ours to remove */
    bool wasRunning;              /* before the migration */
    int state, reason;            /* the same in full */
    bool pausedByUs;              /* not LIVE: the CPUs were stopped before the transfer */
    bool startPaused;             /* destination: it stays paused */
    unsigned long long told;      /* the epoch of the guest's lease in the Begin cookie; 0: there is no lease */
    unsigned long long mine;      /* ... of this side's last hold */
    char *peer;                   /* the other side, as the lock manager knows it */
    struct virLockBeat peerBeat;  /* ... and what has been seen of its life since it has the lease; not on record */
    struct qemuStorageDisk *disks;                  /* those that are copied; constant once Begin or Prepare has answered */
    size_t ndisks;
    bool copying;                 /* source: there may be mirrors in QEMU */
    bool mirrorsKnown, mirrorsEnding, inStep;       /* ... what is known of them: asked for; told to end; all in step with the disks */
    unsigned long long mirrorsLooked;               /* us: when they were last asked for */
    _Atomic qemuMonitorId askingJobs;               /* ... and not answered yet; 0: it was; read also without the lock */
    atomic_bool mirrorsNews;      /* ... and QEMU has told something of them since */
    _Atomic unsigned long long diskTotal, diskDone; /* bytes */
    char *nbd;                    /* where the source finds the exports: "tcp:host:port" or "unix:path" */
    char *nbdSocket;              /* destination: a Unix socket of ours to remove */
    int nbdPort;                  /* ... the next port to try; 0: no other will do */
    size_t serving;               /* ... 0: nothing; 1: the server runs; and so many exports */
    bool moving;                  /* destination: the lease has been, or may have been, moved here */
    qemuMonitorId pending[8];     /* commands under way, answered in this order */
    atomic_size_t npending;       /* read also without the lock */
    int port;                     /* the next to try; 0: no other will do */
    _Atomic unsigned long long started;             /* us: Perform began; read also without the lock */
    unsigned long long stopped;   /* wall clock, ms: when the CPUs stopped */
    unsigned long long switched;  /* us: told to go on with the switchover */
    unsigned long long asked;     /* us: when query-migrate was last sent */
    _Atomic qemuMonitorId asking; /* ... and not answered yet; 0: it was; read also without the lock */
    int askedAt;                  /* priv->migrationEvents then */
    bool final;                   /* asked for the last time, since the transfer has ended */
    char *why;                    /* what QEMU says of its failure */
    unsigned long long finishing; /* us: destination: Finish was first asked */
    char resumed[VIR_UUID_STRING_BUFLEN];           /* source: the migration that lets an interrupted post-copy go on */
    unsigned long long resumedAt; /* us: when it sent `migrate` */
    bool recovering;              /* ... and QEMU has found the destination since */
    atomic_bool runsThere;        /* source: in post-copy, and the destination has said that it runs */
};

/* The phases and settings, as slots. */
VIRT_INTERNAL int qemuMigrationBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout);
VIRT_INTERNAL int qemuMigrationPrepare(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, char **cookieout,
                                       char **uri);
VIRT_INTERNAL int qemuMigrationPerform(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein,
                                       const char *uri, char **cookieout);
VIRT_INTERNAL int qemuMigrationFinish(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, int cancelled,
                                      char **cookieout, virDomainPtr *guest);
VIRT_INTERNAL int qemuMigrationHalt(virDomainPtr domain, const struct virMigrationCall *call);
VIRT_INTERNAL int qemuMigrationCheck(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout, char ***problems);
VIRT_INTERNAL int qemuMigrationCheckIncoming(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein,
                                             char ***problems);
VIRT_INTERNAL int qemuMigrationList(virConnectPtr conn, char ***records, unsigned int flags);
VIRT_INTERNAL int qemuMigrationConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein,
                                       int cancelled);
VIRT_INTERNAL int qemuMigrationProgress(virConnectPtr conn, const struct virMigrationCall *call, virTypedParameterPtr *params, int *nparams);
VIRT_INTERNAL int qemuMigrationDrop(virConnectPtr conn, const struct virMigrationCall *call);
VIRT_INTERNAL int qemuMigrationWait(virConnectPtr conn, const struct virMigrationCall *call, int *fd, int *events, int *milliseconds);
VIRT_INTERNAL int qemuMigrationSetMaxDowntime(virDomainPtr domain, unsigned long long downtime, unsigned int flags);
VIRT_INTERNAL int qemuMigrationGetMaxDowntime(virDomainPtr domain, unsigned long long *downtime, unsigned int flags);
VIRT_INTERNAL int qemuMigrationSetMaxSpeed(virDomainPtr domain, unsigned long bandwidth, unsigned int flags);
VIRT_INTERNAL int qemuMigrationGetMaxSpeed(virDomainPtr domain, unsigned long *bandwidth, unsigned int flags);
VIRT_INTERNAL int qemuMigrationGetCompressionCache(virDomainPtr domain, unsigned long long *cacheSize, unsigned int flags);
VIRT_INTERNAL int qemuMigrationSetCompressionCache(virDomainPtr domain, unsigned long long cacheSize, unsigned int flags);
VIRT_INTERNAL int qemuMigrationAbortJob(virDomainPtr domain, unsigned int flags);

/*
 * Statistics of the migration that holds a guest, in libvirt's names, from a reply to query-migrate (NULL: it is asked for). 0, or -1 with
 * the error set. *type: virDomainJobType. In stats.c.
 */
VIRT_INTERNAL int qemuMigrationStats(struct virDomainObj *vm, const struct qemuMigration *m, const cJSON *info, virTypedParameterPtr *params,
                                     int *nparams);
VIRT_INTERNAL int qemuDomainGetJobInfo(virDomainPtr domain, virDomainJobInfoPtr info);
VIRT_INTERNAL int qemuDomainGetJobStats(virDomainPtr domain, int *type, virTypedParameterPtr *params, int *nparams, unsigned int flags);
/* The statistics as a JSON object for a cookie, and back. */
VIRT_INTERNAL cJSON *qemuMigrationStatsToJson(virTypedParameterPtr params, int nparams);
VIRT_INTERNAL int qemuMigrationStatsFromJson(const cJSON *json, virTypedParameterPtr *params, int *nparams);

/* What the phases have in common, in migration.c. All with the entry's lock held. */
/* Answers DONE with copies of what was answered before; AGAIN without memory. */
VIRT_INTERNAL int qemuMigrationAnswer(struct qemuMigration *m, char **cookie, char **uri);
/* Keeps the thread's error, or sets the one that was kept: the phase answers it again. */
VIRT_INTERNAL int qemuMigrationFailed(struct qemuMigration *m);
VIRT_INTERNAL int qemuMigrationCheckCall(const struct virMigrationCall *call);
/* Sends one more command, whose reply Collect takes; args is taken over. */
VIRT_INTERNAL int qemuMigrationSend(struct qemuMigration *m, struct qemuMonitor *mon, const char *command, cJSON *args);
/* Hands QEMU the application's stream; the URI for it is QEMU_MIGRATION_STREAM. */
#define QEMU_MIGRATION_STREAM_NAME "virt-stream"
#define QEMU_MIGRATION_STREAM      "fd:" QEMU_MIGRATION_STREAM_NAME
VIRT_INTERNAL int qemuMigrationSendStream(struct qemuMigration *m, struct qemuMonitor *mon, int fd);
/* All replies: 1; not all within timeout ms: 0; a command was refused: -1, and the replies to those behind it are dropped. */
VIRT_INTERNAL int qemuMigrationCollect(struct qemuMigration *m, struct qemuMonitor *mon, int timeout);
/* Takes in what QEMU has said, after waiting for it for at most timeout ms. */
VIRT_INTERNAL void qemuMigrationListen(struct qemuMigration *m, struct qemuMonitor *mon, int timeout);
/*
 * Milliseconds left until `end` (us; 0: no end), at most `most` (-1: all of them; without an end -1, for ever); the end of a time of so many ms; and,
 * after a round of a phase that is not at its end, whether there is to be another before it answers AGAIN.
 */
VIRT_INTERNAL int qemuMigrationLeft(unsigned long long end, int most);
VIRT_INTERNAL bool qemuMigrationAgain(unsigned long long end);
VIRT_INTERNAL unsigned long long qemuMigrationUntil(int timeout);
VIRT_INTERNAL unsigned long long qemuMigrationWallClock(void);       /* ms */

/* What QEMU is told of how to migrate, in migration_parameters.c. */
VIRT_INTERNAL cJSON *qemuMigrationCapabilities(const struct qemuMigration *m);
/* Whether flags and parameters fit together; those of the source alone; whether the emulator of a document (NULL: of the guest) can. */
VIRT_INTERNAL int qemuMigrationCheckParameters(const struct virMigrationCall *call);
VIRT_INTERNAL int qemuMigrationCheckSourceParameters(const struct virMigrationCall *call);
struct virProblems;
VIRT_INTERNAL int qemuMigrationCheckEmulator(const struct qemuMigration *m, xmlDocPtr doc, struct virProblems *problems);
/* Sends them to either side's QEMU. */
VIRT_INTERNAL int qemuMigrationSendSettings(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call);
VIRT_INTERNAL int qemuMigrationSendMigrate(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call,
                                           const char *uri);

/*
 * Post-copy, in postcopy.c. Update: what QEMU has said of a migration as state and event; Settle: it is asked; RunningReason: for a guest that arrives now; IsIncomplete: it
 * still lacks memory; CheckWhole: that is an error; Interrupt: virDomainAbortJobFlags; Wait: with m->lock held, 0: it is still on its way, -1: it was interrupted;
 * Explain: Prepare failed: why, if that can be said better; -1. The phases of VIR_MIGRATE_POSTCOPY_RESUME; Keep, Kept: where the destination
 * listens (Keep takes listening over; NULL, NULL, NULL: not any more; Kept: a copy, or NULL).
 */
VIRT_INTERNAL int qemuMigrationStartPostCopy(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL void qemuPostcopyUpdate(struct virDomainObj *vm);
VIRT_INTERNAL void qemuPostcopySettle(struct virDomainObj *vm, int timeout);
VIRT_INTERNAL int qemuPostcopyRunningReason(struct virDomainObj *vm);
VIRT_INTERNAL int qemuPostcopyCheckWhole(struct virDomainObj *vm);
VIRT_INTERNAL bool qemuPostcopyIsIncomplete(struct virDomainObj *vm);
VIRT_INTERNAL int qemuPostcopyInterrupt(struct virDomainObj *vm, const struct qemuMigration *m);
VIRT_INTERNAL int qemuPostcopyWait(struct qemuMigration *m);
VIRT_INTERNAL int qemuPostcopyExplain(const struct qemuMigration *m);
VIRT_INTERNAL int qemuPostcopyBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout);
VIRT_INTERNAL int qemuPostcopyPrepare(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, char **cookieout,
                                      char **uri);
VIRT_INTERNAL int qemuPostcopyPerform(virDomainPtr domain, const struct virMigrationCall *call, const char *uri, char **cookieout);
VIRT_INTERNAL int qemuPostcopyFinish(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, int cancelled,
                                     char **cookieout, virDomainPtr *guest);
VIRT_INTERNAL int qemuPostcopyHalt(virDomainPtr domain);
VIRT_INTERNAL int qemuPostcopyConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, int cancelled);
VIRT_INTERNAL void qemuPostcopyKeep(struct qemuDomain *priv, const char *migration, const char *uri, char *listening);
VIRT_INTERNAL char *qemuPostcopyKept(struct qemuDomain *priv, const char *migration);

/*
 * Encryption, in migration_tls.c; without VIR_MIGRATE_TLS they do nothing. Configure: what a URI says (NULL: nothing; host NULL: is only checked).
 * CheckCall: arguments; Check: emulator and certificates of this side. SendObject: before the parameters, which are given Object ("": none);
 * SendHostname: whose certificate the source expects at this URI. Forget: it is over; Settle: it was found to be over when the directory was opened;
 * ForgetGuest: the last page of a post-copy has come. None of these waits. Hint: what else a failure of the transfer may mean, or "".
 */
VIRT_INTERNAL int qemuTlsConfigure(struct qemuHost *host, const char *certificates, const char *verify);
VIRT_INTERNAL int qemuTlsCheckCall(const struct virMigrationCall *call);
VIRT_INTERNAL int qemuTlsCheck(const struct qemuMigration *m, const struct qemuCapabilities *caps, struct virProblems *problems);
VIRT_INTERNAL int qemuTlsSendObject(struct qemuMigration *m, struct qemuMonitor *mon);
VIRT_INTERNAL const char *qemuTlsObject(const struct qemuMigration *m);
VIRT_INTERNAL int qemuTlsSendHostname(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri);
VIRT_INTERNAL const char *qemuTlsHint(const struct qemuMigration *m);
VIRT_INTERNAL void qemuTlsForget(const struct qemuMigration *m);
VIRT_INTERNAL void qemuTlsSettle(const struct qemuMigration *m);
VIRT_INTERNAL void qemuTlsForgetGuest(struct virDomainObj *vm);

/* Sending without copying, in migration_zerocopy.c: the source's; without VIR_MIGRATE_ZEROCOPY they do nothing. Check: whether it can; Raise, Forget:
 * what QEMU may lock. */
VIRT_INTERNAL int qemuZeroCopyCheck(const struct qemuMigration *m, struct virProblems *problems);
VIRT_INTERNAL int qemuZeroCopyRaise(struct qemuMigration *m);
VIRT_INTERNAL void qemuZeroCopyForget(const struct qemuMigration *m);

/* The destination, in migration_destination.c. ListenUri: where to listen, for QEMU, and (m->uri) where the source finds that. */
#define QEMU_MIGRATE_PORT_FIRST 49152      /* libvirt's range, which firewalls know */
#define QEMU_MIGRATE_PORT_LAST  49215
struct qemuMigrationCookie;
/* Splits "tcp:host:port", "tcp://host[:port]", "tcp:[v6]:port"; host is malloc'd, "" for any; port 0: none. */
VIRT_INTERNAL int qemuMigrationParseTcp(const char *uri, char **host, int *port);
/* The same the other way round: "tcp:host:port"; host NULL: any. */
VIRT_INTERNAL char *qemuMigrationFormatTcp(const char *host, int port);
/* The path of "unix:PATH" or "unix://PATH", a part of it. */
VIRT_INTERNAL const char *qemuMigrationUnixPath(const char *uri);
/* The address to listen on for one who comes by this host; NULL: any. */
VIRT_INTERNAL const char *qemuMigrationFamily(const char *host);
VIRT_INTERNAL int qemuMigrationCheckUnix(const char *param, const char *uri);
VIRT_INTERNAL char *qemuMigrationListenUri(struct qemuMigration *m, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie);
/* Where something is to be listened for, as far as the caller has said it. */
struct qemuMigrationPlace {
    const char *what;                 /* for errors */
    const char *given, *like;         /* its URI; without one, a tcp: URI whose host it shares; NULL */
    const char *address;              /* to listen on; NULL: as the host suggests */
    int port;                         /* without a URI; 0: any of the range */
    bool local;                       /* the source is on this host, and nothing else was said */
    const char *own;                  /* ... and this socket will do; NULL */
    int *next;                        /* the next port of the range to try; 0 afterwards: no other than this one will do */
};
/* For QEMU, in malloc'd memory; *uri: for the source; *path: the Unix socket that will be made, or NULL. What they were before is freed. */
VIRT_INTERNAL char *qemuMigrationListenAt(const struct qemuMigrationPlace *place, char **uri, char **path);
VIRT_INTERNAL char *qemuMigrationOwnSocket(const struct qemuMigration *m, const char *ending);
/* One that QEMU has made at this path, or was to make there; what is no socket is somebody else's. NULL: none. */
VIRT_INTERNAL void qemuMigrationRemoveSocket(const char *path);
VIRT_INTERNAL void qemuMigrationForgetSockets(const struct qemuMigration *m);
/* Ends what Prepare has started, by `end`. The error that is set stays. 0, or -1: it is not gone. */
VIRT_INTERNAL int qemuMigrationRemoveIncoming(struct qemuMigration *m, unsigned long long end);
/* It was told to start: does so, by `end`. 1 it is here for good, 0 not yet, -1 it cannot be started. */
VIRT_INTERNAL int qemuMigrationStartIncoming(struct qemuMigration *m, unsigned long long end, const char *cookiein);

/* The source, in migration_source.c: what its QEMU says of the transfer is taken in. 0, or -1 (it asks itself for another look). */
VIRT_INTERNAL void qemuMigrationTakeInfo(struct qemuMigration *m, const cJSON *info);
/* Which of enum qemuMigrationStatus that is, NONE if it is of the guest's arrival; -1: an unknown one. */
VIRT_INTERNAL int qemuMigrationStatusOfSource(const cJSON *info);
VIRT_INTERNAL int qemuMigrationTransferred(struct qemuMigration *m);
VIRT_INTERNAL int qemuMigrationKeepLease(struct qemuMigration *m, unsigned long long end);
/* Brings the guest back to what it was, by `end`. 1 done, 0 not yet, -1 it cannot be (its QEMU is gone, or does not go on). */
VIRT_INTERNAL int qemuMigrationResume(struct qemuMigration *m, unsigned long long end);
/* The guest is at the destination: it ends here, and so does its document, if that was asked for. 1; 0: not by `end`; -1: its QEMU cannot be killed. */
VIRT_INTERNAL int qemuMigrationLeave(struct qemuMigration *m, unsigned long long end);
VIRT_INTERNAL bool qemuMigrationIsPostCopy(int status);

/*
 * The list, in migrations.c. Lock gives the migration of this uuid and side, counted and with its lock held, or NULL; Unlock gives it back. Of
 * gives the one under way that holds this guest, counted, without its lock; Put gives it back. New puts one into the list, counted and locked.
 */
VIRT_INTERNAL struct qemuMigration *qemuMigrationNew(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call,
                                                     const char *name, const char *guest, bool incoming, enum qemuMigrationStage stage);
VIRT_INTERNAL struct qemuMigration *qemuMigrationLock(struct qemuHost *host, const char *uuid, bool incoming);
/* Whether the migration, if it is known here, is of the guest that the call names. 0 or -1. */
VIRT_INTERNAL int qemuMigrationCheckOwn(struct qemuHost *host, const struct virMigrationCall *call);
VIRT_INTERNAL void qemuMigrationUnlock(struct qemuMigration *m);
VIRT_INTERNAL struct qemuMigration *qemuMigrationOf(struct virDomainObj *vm);
VIRT_INTERNAL void qemuMigrationPut(struct qemuMigration *m);
/* Whether one with this uuid is under way to here. */
VIRT_INTERNAL bool qemuMigrationIsComing(struct qemuHost *host, const char *uuid);
VIRT_INTERNAL bool qemuMigrationIsOver(const struct qemuMigration *m);
/* A migration that was halted or cancelled before it was begun here: what comes late is refused. Kept in memory only. */
VIRT_INTERNAL void qemuMigrationRefuse(struct qemuHost *host, const struct virMigrationCall *call, bool incoming);
/* Puts one into the list, which has the newest first. */
VIRT_INTERNAL void qemuMigrationInsert(struct qemuMigration *m);
VIRT_INTERNAL void qemuMigrationFree(struct qemuMigration *m);
/* Those that are over go: the oldest, and the records with them. */
VIRT_INTERNAL void qemuMigrationPrune(struct qemuHost *host);
/* With its lock held: the next stage, durably; 0, or -1 with the stage as it was, and nothing to be done yet. */
VIRT_INTERNAL int qemuMigrationEnter(struct qemuMigration *m, enum qemuMigrationStage stage);
/* The same in memory alone, where the stage on record comes to the same after a crash. The one way in which a stage changes: as qemuStages has it. */
VIRT_INTERNAL void qemuMigrationMove(struct qemuMigration *m, enum qemuMigrationStage stage);
/* With its lock held: it is over, as `stage` says, and the guest's job is given back. Only what answers need is kept. */
VIRT_INTERNAL void qemuMigrationEnd(struct qemuMigration *m, enum qemuMigrationStage stage);
/* Keeps these as its newest statistics; takes them over. */
VIRT_INTERNAL void qemuMigrationKeepStats(struct qemuMigration *m, virTypedParameterPtr params, int nparams);
/* Tells whoever waits in Perform that something has happened to this guest. */
VIRT_INTERNAL void qemuMigrationWake(struct virDomainObj *vm);
VIRT_INTERNAL void qemuMigrationFreeAll(struct qemuHost *host);

/*
 * The record, in record.c. Head: what a list of migrations tells; Save: durable, before the effect it announces; Load: an entry from its file,
 * not in the list yet, or NULL with the error set.
 */
VIRT_INTERNAL cJSON *qemuMigrationHead(const struct qemuMigration *m);
VIRT_INTERNAL int qemuMigrationSaveRecord(struct qemuMigration *m);
VIRT_INTERNAL void qemuMigrationRemoveRecord(const struct qemuMigration *m);
VIRT_INTERNAL struct qemuMigration *qemuMigrationLoad(struct qemuHost *host, const char *file);

/*
 * In migration_settle.c. Opened: the state directory was opened, and all its guests are known. Sweep: looks after those that nobody has stepped for
 * host->migrationExpiry, now and then, whoever calls it how often. Watch: the event loop does so while there is one under way.
 */
VIRT_INTERNAL void qemuMigrationOpened(struct qemuHost *host);
VIRT_INTERNAL void qemuMigrationSweep(struct qemuHost *host);
VIRT_INTERNAL void qemuMigrationWatch(struct qemuHost *host);
VIRT_INTERNAL void qemuMigrationUnwatch(struct qemuHost *host);
/* With its lock held: what QEMU says of the transfer of one that was found again decides on its stage. 0, or -1: it says nothing. */
VIRT_INTERNAL int qemuMigrationSettleSource(struct qemuMigration *m);
/* One command to a guest that may be hung: waits for at most timeout ms. 0 or -1. */
VIRT_INTERNAL int qemuMigrationQuery(struct virDomainObj *vm, const char *command, int timeout, cJSON **reply);
/* One that nobody steps is ended as far as that can be done without the other side; with its lock held. In migration.c. */
VIRT_INTERNAL int qemuMigrationAbortDropped(struct qemuMigration *m);
VIRT_INTERNAL int qemuMigrationStayDropped(struct qemuMigration *m);
/* Without its lock: looks whether one that was aborted and is left has come to its end. */
VIRT_INTERNAL void qemuMigrationSettleDropped(struct qemuMigration *m);
#define QEMU_MIGRATION_RECORDS 1000        /* kept of migrations that are over */
#define QEMU_MIGRATION_EXPIRY 300          /* s without a call after which one counts as left by its controller */

/* What the runtime calls; see qemu.h. */
VIRT_INTERNAL_DATA const struct qemuMigrationHooks qemuMigrationHooks;

/* Documents and cookies. In cookie.c. */
/* Takes out what this host alone has given the guest: ptys, ports it chose, sockets in its run folder, tap devices it named. */
VIRT_INTERNAL void qemuMigrationStripDocument(const struct qemuHost *host, xmlDocPtr doc);
/* What two processes that can meet at a path have in common. */
VIRT_INTERNAL char *qemuCookiePlace(void);
VIRT_INTERNAL char *qemuMigrationFormatCookie(struct qemuMigration *m, const struct virMigrationCall *call);
struct qemuMigrationCookie {
    cJSON *json;
    const char *name, *hostname, *xml, *definition;
    bool running, offline, sameHost;
    int state, reason;
};
VIRT_INTERNAL int qemuMigrationParseCookie(const char *text, const char *uuid, struct qemuMigrationCookie *cookie);
/* Whether the phase is called for what the cookie is about: what both say must be the same. */
VIRT_INTERNAL int qemuCookieFits(const struct qemuMigrationCookie *cookie, const struct virMigrationCall *call);
/*
 * What keeps a guest from being moved, in migration_check.c: without problems they stop at the first error, with it they note all of them.
 * Guest: the source's; Safe: the destination's, of the document as it is to run there.
 */
struct virProblems;
VIRT_INTERNAL int qemuMigrationCheckGuest(struct virDomainObj *vm, const struct virMigrationCall *call, struct virProblems *problems);
VIRT_INTERNAL int qemuMigrationCheckSafe(const struct qemuMigrationCookie *cookie, xmlDocPtr doc, unsigned int flags,
                                         struct virProblems *problems);
/* In migration_compat.c: the destination has what the guest has seen, and needs; what only the source can say of that, for the cookie; and what keeps
 * a guest at the source. */
VIRT_INTERNAL int qemuCompatCheck(struct qemuHost *host, const struct qemuMigrationCookie *cookie, xmlDocPtr doc, struct virProblems *problems);
VIRT_INTERNAL int qemuCompatCookie(const struct qemuMigration *m, cJSON *cookie);
VIRT_INTERNAL int qemuCompatCheckSource(struct virDomainObj *vm, xmlDocPtr doc, struct virProblems *problems);
VIRT_INTERNAL const char *qemuMigrationParam(const struct virMigrationCall *call, const char *name);
VIRT_INTERNAL unsigned long long qemuMigrationNumber(const struct virMigrationCall *call, const char *name, unsigned long long otherwise);

#endif
