/*
 * The promise between the core and a driver: the table a driver fills in, and what the core offers it.
 *
 * A driver is one constant struct virDriver, registered with virRegisterDriver(). Its slots are grouped by object; an
 * absent slot means "not supported by this driver", and the caller gets VIR_ERR_NO_SUPPORT that names function and driver.
 * Presence is the capability: a driver never has a function that only reports that it cannot.
 *
 * When a slot is called, the core has checked the handles, that required pointers are there, that the flags are ones the
 * call knows, and that a read-only connection may make the call; and it holds no lock. A slot
 *   - is called by any number of threads at once;
 *   - must refuse flags it does not support (virCheckFlags), and set the error once if it fails;
 *   - sets outputs only on success; what it allocates for the caller is the caller's, to free with free();
 *   - must not call public vir* functions to do its own work, the helpers of this file excepted.
 */
#ifndef VIRT_DRIVER_H
#define VIRT_DRIVER_H

#ifndef _GNU_SOURCE
# define _GNU_SOURCE 1
#endif
/* Where a long has 32 bits: files and folders of today's size, and times after 2038. */
#if !defined __LP64__ && !defined _WIN32
# ifndef _FILE_OFFSET_BITS
#  define _FILE_OFFSET_BITS 64
# endif
# if !defined _TIME_BITS && _FILE_OFFSET_BITS == 64
#  define _TIME_BITS 64
# endif
#endif

#include "../virt.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#ifdef VIRT_ONE_UNIT                       /* set by virt.c unless VIRT_SEPARATE_OBJECTS */
# define VIRT_INTERNAL      static __attribute__((unused))
# define VIRT_INTERNAL_DATA static __attribute__((unused))
#elif defined _WIN32                       /* a DLL exports only what says so */
# define VIRT_INTERNAL
# define VIRT_INTERNAL_DATA extern
#else
# define VIRT_INTERNAL      __attribute__((visibility("hidden")))
# define VIRT_INTERNAL_DATA extern __attribute__((visibility("hidden")))
#endif

/* For functions that take a format and what belongs to it. _GNU_SOURCE gives Windows the printf that C describes; the attribute has to be told. */
#ifdef _WIN32
# define VIRT_PRINTF(at, first) __attribute__((format(gnu_printf, at, first)))
#else
# define VIRT_PRINTF(at, first) __attribute__((format(printf, at, first)))
#endif

/* The parts, each on by default where the platform has what it needs. */
#ifndef VIRT_WITH_TEST
# define VIRT_WITH_TEST 1
#endif
#ifndef VIRT_WITH_QEMU
# ifdef __linux__
#  define VIRT_WITH_QEMU 1
# else
#  define VIRT_WITH_QEMU 0
# endif
#endif

/* The same API in another process or on another host; needs nanomsg: on where the build says that it is there. */
#if !defined VIRT_WITH_REMOTE
# define VIRT_WITH_REMOTE 0
#endif

/* ---------- handles ---------- */

struct virEventHub;
struct virUri;

/* What every handle begins with. `magic` tells the kind and is cleared when the last reference goes. */
struct virHandle {
    unsigned int magic;
    atomic_int refs;
};
enum {
    VIRT_MAGIC_CONNECT = 0x76c0a001,
    VIRT_MAGIC_DOMAIN = 0x76c0a002,
    VIRT_MAGIC_MIGRATION = 0x76c0a003,
    VIRT_MAGIC_STREAM = 0x76c0a004,
    VIRT_MAGIC_SERVER = 0x76c0a005,
};

struct _virConnect {
    struct virHandle handle;
    const struct virDriver *driver;   /* constant from open's return to close's, as are uri and readOnly */
    char *uri;                        /* as virConnectGetURI gives it: in full */
    bool readOnly;
    void *priv;                       /* the driver's: set by open, freed by close */

    pthread_mutex_t lock;             /* guards what follows */
    virError error;                   /* the last error on this connection */
    virErrorFunc errorFunc;
    void *errorFuncData;
    virConnectCloseFunc closeFunc;
    void *closeFuncData;
    virFreeCallback closeFuncFree;

    struct virEventHub *hub;          /* set by open of a driver that has events; the core attaches and detaches */
    struct virEventClient *events;    /* the core's: callbacks and the queue of this connection */
};

struct _virDomain {
    struct virHandle handle;
    virConnectPtr conn;               /* a reference */
    unsigned char uuid[VIR_UUID_BUFLEN];
    atomic_int id;                    /* -1: not running */
    void *obj;                        /* the driver's own object behind this handle, or NULL */
    void (*objFree)(void *obj);       /* gives back the handle's reference on obj */
    char name[];
};

struct virStreamDriver;
struct virStreamCallback;

struct _virStream {
    struct virHandle handle;
    virConnectPtr conn;               /* a reference */
    unsigned int flags;               /* virStreamFlags */
    void *priv;                       /* the far end's: set by virStreamAttach, given back by its free */

    pthread_mutex_t lock;             /* guards what follows */
    const struct virStreamDriver *driver;        /* the far end; NULL until a call attaches one, then the same for good */
    bool over;                        /* finished or aborted */
    struct virStreamCallback *callback;          /* the core's */
};

/* ---------- the table ---------- */

/* What a phase of a migration is called with. */
struct virMigrationCall {
    const char *uuid;                 /* of the migration: under it each side keeps its state and its record */
    virTypedParameterPtr params;      /* VIR_MIGRATE_PARAM_*, checked by the core */
    int nparams;
    unsigned int flags;               /* virDomainMigrateFlags; of the two sides' own only those meant for it */
    int timeout;                      /* ms this call may wait; 0: not at all; -1: until the phase ends */
    int stream;                       /* a descriptor of this side's end of the memory stream, the application's; -1: none */
    const char *name;                 /* of the guest at the source, and its uuid: also what was never begun is recorded under them */
    const unsigned char *guest;
};
/*
 * Whether the call is about this guest: who may move one guest may not settle another's migration. name: of the guest at the destination, where it
 * may be that of VIR_MIGRATE_PARAM_DEST_NAME; NULL: not compared. 0, or -1 with the error set. A call that names no guest (zeros: from a record
 * that says none) is about any; a server takes no such call.
 */
VIRT_INTERNAL bool virMigrationCallNamesNone(const unsigned char *guest);
VIRT_INTERNAL int virMigrationCallIsOf(const struct virMigrationCall *call, const unsigned char *guest, const char *name);

/* What a phase answers. No answer from a hypervisor or a peer is AGAIN, never FAILED. */
enum virMigrationResult {
    VIR_MIGRATION_FAILED = -1,        /* it ended badly, for certain; the error says why */
    VIR_MIGRATION_AGAIN = 0,          /* not over when the time was up: to be called again with the same arguments */
    VIR_MIGRATION_DONE = 1,
};

/*
 * The slots' types come from calls.def: for CALL(INT, virDomainSuspend, domain, suspend, ...) the group `domain` has
 * the member `int (*suspend)(virDomainPtr domain)`. What a slot must do is what virt.h says of the public function.
 *
 * The five phases (group migration; "Migration" in virt.h tells the story):
 *   begin    source: takes the migration job of the guest, checks that it can be moved, gives the cookie that describes it. FAILED also if
 *            it was halted or is over here as "stayed".
 *   prepare  destination: makes ready to receive: gives its cookie and the URI at which the source finds it. FAILED if it was cancelled or
 *            the copy is gone. What was prepared and hears nothing expires, but only while its copy is incomplete.
 *   perform  source: transfers; DONE only when the destination has acknowledged that it has everything (the source's CPUs stand then), or, in
 *            post-copy, as soon as the guest has been given away. Also DONE if the source's hypervisor has died without having taken the guest
 *            back: whether it has everything only the destination knows. FAILED: the transfer broke or was halted, for certain, with the
 *            source in possession of all of it. AGAIN: still on the way. After virDomainAbortJob it ends FAILED soon.
 *   finish   destination: cancelled == 0: if the copy is complete (or in post-copy) starts the guest (or leaves it paused), gives a new handle
 *            on it in *guest; the intent is on record before the CPUs run. FAILED: the guest is gone here for certain. cancelled != 0:
 *            removes what was prepared, for good: a later prepare is refused; *guest stays NULL; if it had been started already, or in
 *            post-copy, DONE with *guest set: too late. A migration never heard of is DONE.
 *   confirm  source: cancelled == 0: the guest runs there: ends it here, once the transfer is complete (post-copy outlives finish: AGAIN).
 *            Else: makes it here again as it was before. FAILED: it cannot be: it is lost. Either is on record before its effect.
 * The way back begins at the source:
 *   halt     source: nothing more is sent: a transfer under way is cancelled and its end awaited. DONE: this may be rolled back (or the transfer
 *            was complete before: the destination still has to say whether it started). FAILED: there is no way back, the guest has been given
 *            away (post-copy, or the hypervisor is gone): finish decides. A migration never begun here is DONE. May be absent: nothing to do.
 * And around them:
 *   decide   source, when the destination does not answer: DONE with *started, if something that both sides obey (a lease) says how it
 *            ended; it is on record then. AGAIN: not known. May be absent.
 *   check    source: everything that begin would refuse (OUT problems: as virMigrationCheck gives them; the number is the result), and the cookie
 *            that begin would give, or NULL where there is none. Changes nothing, takes no job, writes no record. -1: the check itself failed.
 *   checkIncoming  destination: the same of prepare, for that cookie. Both may be absent: there is no virMigrationCheck then.
 *   list     either side: what it has on record, each as JSON text: version 1, migration, side ("source", "destination"), name and uuid of
 *            the guest, flags, params (virTypedParamsToJson), stage (the driver's own word), over (bool), performed (bool:
 *            source: perform has ended well), since (ms since 1970).
 *            flags: VIR_CONNECT_LIST_MIGRATIONS_*.
 *   stats    either side: what is known of its progress (VIR_DOMAIN_JOB_*), without waiting; nothing is no error. May be absent: then
 *            domain.getJobStats is asked, which must not wait either.
 *   drop     either side: nobody steps it any more, until a phase is called again; virDomainAbortJob may then end it here. Must not wait.
 *   wait     either side: what to wait for until this side's phase can go on: descriptor (-1 none), VIR_EVENT_HANDLE_*, ms (-1 none).
 *   toURI    source: all of virDomainMigrateToURI3 with VIR_MIGRATE_PEER2PEER, by whoever can reach both hosts by itself. Only where
 *            the driver's guests are another process's: everywhere else the core does it.
 * A driver may lack some, as the older protocols did: without begin the guest's XML is the only cookie; without confirm perform ends the source;
 * without finish the guest runs at the destination when all of it is there.
 * connect.subscribe: which events the callbacks of the connection want from now on, all of them as a JSON text: [[eventID, uuid of the guest, or
 * null for all], ...]. Called when callbacks come and go, one call at a time; a failure is that of the callback that came. May be absent: a
 * driver that has the hypervisor's events at hand emits them all.
 * A record is durable before the effect that it announces, and survives the process; whoever opens the host again finds each migration where
 * its record says, and every phase goes on from there.
 * Every phase is safe to repeat: asked again it answers as it did.
 */
#include "calls.h"

/* Which table layout a driver was compiled against; virRegisterDriver refuses another. */
#define VIRT_DRIVER_VERSION 3

struct virDriver {
    int version;                      /* VIRT_DRIVER_VERSION */
    const char *name;                 /* what virConnectGetType answers: "QEMU" */
    const char *const *schemes;       /* URI schemes, NULL-terminated */
    /* May provide: the URI to open when the application names none, in malloc'd memory; NULL if this hypervisor is not here. */
    char *(*probe)(void);
    /*
     * Must provide: 1: the connection is open; 0: not this driver's (the next one is asked); -1: it is, and failed, with an error
     * set and nothing left behind. conn->uri may be replaced. flags: VIR_CONNECT_RO, already in conn->readOnly. So may conn->driver be, by
     * a table of the connection's own (what it can do is known only now): its close is the one that is called, and frees it.
     */
    int (*open)(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags);
    /* Must provide. Called once, when the last reference goes. No domain handle exists any more. */
    void (*close)(virConnectPtr conn);

#define VIRT_GROUP(name) struct virDriver_##name name;
    VIRT_GROUPS
#undef VIRT_GROUP
};

/* ---------- what the core offers a driver ---------- */

/*
 * Errors. Each sets the calling thread's error (replacing none that the same call has set: the first one stays
 * only if you stop at it, so stop at it) and returns -1, so that `return virReportError(...)` reads well.
 */
VIRT_API int virReportErrorFrom(int domain, int code, const char *file, int line, const char *fmt, ...)
    VIRT_PRINTF(5, 6);
VIRT_API int virReportSystemErrorFrom(int domain, int errnum, const char *file, int line, const char *fmt, ...)
    VIRT_PRINTF(5, 6);
/* A .c file defines VIRT_FROM (VIR_FROM_QEMU, ...) before its first use and #undefs it at its end. */
#define virReportError(code, ...)         virReportErrorFrom(VIRT_FROM, code, __FILE__, __LINE__, __VA_ARGS__)
#define virReportSystemError(errnum, ...) virReportSystemErrorFrom(VIRT_FROM, errnum, __FILE__, __LINE__, __VA_ARGS__)
/* Out of memory: needs no memory itself. */
VIRT_API int virReportNoMemory(void);
/* Sets the thread's error to a copy (the error of a phase that was kept, say). */
VIRT_API void virSetLastError(const virError *error);
/* Undoing something must not replace the error that it is for, nor leave one of its own: the thread's error becomes again what
 * virSaveLastError() found (none, if there was none), and that is freed. Without memory to save it, it is left as it is. */
VIRT_API void virRestoreLastError(virErrorPtr saved);
/* `return -1`-style refusal of unsupported flags: VIR_ERR_INVALID_ARG naming function and flags. */
#define virCheckFlags(supported, failure)                                                   \
    do {                                                                                    \
        if ((flags & ~(unsigned int)(supported)) != 0) {                                    \
            virReportUnsupportedFlags(__func__, flags & ~(unsigned int)(supported));        \
            return failure;                                                                 \
        }                                                                                   \
    } while (0)
VIRT_API int virReportUnsupportedFlags(const char *function, unsigned int flags);

/* The log, for what is neither an error of a call nor an event; goes to virSetLogFunc's function, or nowhere. Keeps errno and
 * the thread's error. priority: VIR_LOG_*; source: "qemu.monitor" or the like. */
VIRT_API void virLog(int priority, const char *source, const char *fmt, ...) VIRT_PRINTF(3, 4);

/* A new handle on a domain, whose name has no line break, with one reference; takes over obj's reference also on failure (objFree(obj) is called then). */
VIRT_API virDomainPtr virNewDomain(virConnectPtr conn, const char *name, const unsigned char *uuid, int id,
                                   void *obj, void (*objFree)(void *obj));
/* As virDomainFree, for a handle that is one; the thread's error stays. */
VIRT_INTERNAL void virDomainUnref(virDomainPtr domain);

/*
 * State that all connections to one host share in this process (a state directory has one owner). The key names it: "qemu:/var/lib/x".
 * virSharedAcquire gives the state with one more reference, calling create(key, opaque) if there is none yet (NULL with the error set
 * if that failed); creations and destructions of one key never overlap. virSharedRelease gives one reference back; with the last one
 * destroy(state) runs.
 */
VIRT_API void *virSharedAcquire(const char *key, void *(*create)(const char *key, void *opaque), void *opaque,
                                void (*destroy)(void *state));
VIRT_API void virSharedRelease(void *state);

/* A reference, unless the last one is already gone: for those who hold a pointer without a reference. */
VIRT_INTERNAL bool virHandleTryRef(struct virHandle *handle);

/* A public function outside virt.c has failed: hands the thread's error to who wants to know. */
VIRT_API void virErrorDispatch(virConnectPtr conn);

/* ---- domain events ---- */

/*
 * What happened to a domain, told to every connection of the hub whose application asked for it. The strings stay the caller's (they
 * are copied). The members used by each event id stand beside them.
 */
struct virDomainEvent {
    int eventID;                      /* virDomainEventID */
    const char *name;                 /* the domain: always */
    unsigned char uuid[VIR_UUID_BUFLEN];
    int id;
    int detail[2];                    /* LIFECYCLE event, detail; WATCHDOG action; IO_ERROR action; BLOCK_JOB type, status; MIGRATION_ITERATION
                                         iteration; AGENT_LIFECYCLE state, reason; PMWAKEUP/PMSUSPEND 0; TRAY_CHANGE reason */
    const char *text[3];              /* IO_ERROR path, alias, reason; BLOCK_JOB path (1: target device); DEVICE_* alias; TRAY_CHANGE alias */
    long long number;                 /* RTC_CHANGE offset; BALLOON_CHANGE actual */
    virTypedParameterPtr params;      /* JOB_COMPLETED */
    int nparams;
};

VIRT_API struct virEventHub *virEventHubNew(void);
VIRT_API void virEventHubFree(struct virEventHub *hub);
/* Every event of the hub, as it is emitted, under the hub's lock: func may only put it aside. Until Untap with the same two. 0 or -1. */
typedef void (*virEventHubFunc)(void *opaque, const struct virDomainEvent *event);
VIRT_INTERNAL int virEventHubTap(struct virEventHub *hub, virEventHubFunc func, void *opaque);
VIRT_INTERNAL void virEventHubUntap(struct virEventHub *hub, virEventHubFunc func, void *opaque);
/* Queues the event for delivery from the event loop; never calls the application itself, so any lock may be held. Does not fail:
 * without memory the event is lost, and the log says so. */
VIRT_API void virDomainEventEmit(struct virEventHub *hub, const struct virDomainEvent *event);
/* The usual one: VIR_DOMAIN_EVENT_ID_LIFECYCLE. */
VIRT_API void virDomainEventEmitLifecycle(struct virEventHub *hub, const char *name, const unsigned char *uuid, int id,
                                          int event, int detail);
/* ---- streams ---- */

/*
 * The far end of a stream: what the functions of virt.h's chapter "Streams" come down to. A slot that is given a stream (virDomainOpenConsole and
 * the like) makes its end ready and attaches it as the last thing it does. Slots may be called by several threads at once, and one may
 * wait in recv while another calls send, finish or abort; without VIR_STREAM_NONBLOCK in stream->flags send, recv, sendHole and recvHole wait until they
 * can go on, with it they answer -2 instead, without an error. An absent slot is VIR_ERR_NO_SUPPORT, unless said otherwise here.
 */
struct virStreamDriver {
    /* Bytes sent, 1 or more, perhaps not all; -1; -2. nbytes is 1 to INT_MAX. */
    int (*send)(virStreamPtr stream, const char *data, size_t nbytes);
    /* Bytes received; 0: the end; -1; -2; -3: a hole comes next, and flags have VIR_STREAM_RECV_STOP_AT_HOLE (else the hole is read as zeros). */
    int (*recv)(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags);
    int (*sendHole)(virStreamPtr stream, long long length, unsigned int flags);
    /* *length 0: data comes next. */
    int (*recvHole)(virStreamPtr stream, long long *length, unsigned int flags);
    /* Each is called at most once with success, and never both: finish waits until all that was sent has arrived, and fails if something was wrong.
     * No other slot but free is called afterwards, but a call under way in another thread must return. May be absent: nothing to do. */
    int (*finish)(virStreamPtr stream);
    int (*abort)(virStreamPtr stream);
    /*
     * From now on virStreamDeliver is to be called, from the event loop, for any of these virStreamEventType bits (and for ERROR and HANGUP),
     * for as long as they hold; 0: for none. Called with stream->lock held: must not wait. With 0 it cannot fail.
     */
    int (*watch)(virStreamPtr stream, int events);
    /* Must provide: the last reference on the stream goes, no other slot is running; it was aborted if it had not ended. Gives back stream->priv. */
    void (*free)(virStreamPtr stream);
};

/* Gives the stream its far end. 0, or -1 with the error set if it had one before; priv is then still the caller's. */
VIRT_API int virStreamAttach(virStreamPtr stream, const struct virStreamDriver *driver, void *priv);
/* Tells the application's callback, if it has one and wants to hear of these. From the event loop, with a reference on the stream. */
VIRT_API void virStreamDeliver(virStreamPtr stream, int events);
/* For those who hold a pointer without a reference, and a lock that the far end's free takes before the stream goes: a reference, to be
 * given back with virStreamFree; false if the last one has gone already. */
VIRT_API bool virStreamTryRef(virStreamPtr stream);

/* Whether an event loop is registered in this process, so that descriptors can be watched with virEventAddHandle. */
VIRT_API bool virEventLoopIsRegistered(void);

#endif
