/*
 * The same API in another process or on another host: what the files of this folder have in common.
 *
 *   codec.c    from calls.def: the client's stubs and the server's dispatch; guests, events and errors as JSON
 *   kinds.c    how each kind of argument becomes JSON and back
 *   lists.c    the same of structs and lists
 *   link.c     client: the socket, calls under way, asking again, sessions renewed, events
 *   stream.c   client: the far end of a stream
 *   carry.c    client: the memory of a migration whose stream ends at a server
 *   remote.c   the driver: URIs, opening and closing
 *   server.c   virServer*: addresses, clients, replies that may be asked for again; server_none.c where there are none
 *   session.c  server: one client: its calls; subscribe.c its events, session_stream.c its streams
 *   front.c    both: what stands between nanomsg and strangers; wire.c what it reads and writes
 *   access.c   server: who may do what, and the audit; listen.c its addresses
 *   noise.c    authentication and encryption for tcp and ws (noise.h); noise_ends.c what a client and a server keep for it
 *   keys.c     whose key is whose
 *
 * Messages are JSON-RPC 2.0, as examples/virtd/PROTOCOL.md has them. Every one of them may be lost: a raw nanomsg socket drops what it cannot
 * send. So whoever waits asks again, and the server keeps each answer until the client has said that it has it.
 */
#ifndef VIRT_REMOTE_REMOTE_H
#define VIRT_REMOTE_REMOTE_H

#include "../driver.h"
#include "../common/json.h"

/* What a message of the protocol is refused with: JSON-RPC's codes, and those of ours. Errors of calls have virErrorNumber. */
enum {
    REMOTE_BAD_TEXT = -32700,
    REMOTE_BAD_REQUEST = -32600,
    REMOTE_BAD_METHOD = -32601,
    REMOTE_BAD_PARAMS = -32602,
    REMOTE_NO_SESSION = -32001,
    REMOTE_IS_RUNNING = -32002,
    REMOTE_TOO_MUCH = -32003,
    REMOTE_NOT_HEARD = -32004,
};

struct remoteServing;

/* Their numbers, in the order of calls.def. What a connection answers by itself (LINK) is none of them. */
enum {
#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, ...) REMOTE_METHOD_##function,
#include "../calls.def"
    REMOTE_METHODS
};

enum remoteResult { REMOTE_RESULT_INT, REMOTE_RESULT_COUNT_ACTIVE, REMOTE_RESULT_COUNT_INACTIVE, REMOTE_RESULT_ULONG, REMOTE_RESULT_ULL,
                    REMOTE_RESULT_STRING, REMOTE_RESULT_DOMAIN };

/* A call of calls.def as both ends know it. */
struct remoteMethod {
    const char *name;                 /* "virDomainGetInfo" */
    const char *permission;           /* what the access callback is asked: "domain.read"; several with a blank between them */
    unsigned char length;             /* of the name */
    unsigned char result;             /* enum remoteResult */
    bool writes;                      /* not on a read-only connection */
    bool repeats;                     /* safe to be carried out again when its outcome is not known */
    bool phase;                       /* of a migration: may answer VIR_MIGRATION_AGAIN */
    size_t slot;                      /* where its pointer stands in struct virDriver */
    size_t needs;                     /* the slot that a driver has that serves it: the same one, except for a CORE call */
    /* Carries it out on serving->conn: the result object, the caller's; or NULL with the thread's error set. */
    cJSON *(*serve)(struct remoteServing *serving, const cJSON *params);
};
VIRT_INTERNAL_DATA const struct remoteMethod remoteMethods[REMOTE_METHODS];
VIRT_INTERNAL size_t remoteMethodCount(void);
VIRT_INTERNAL const struct remoteMethod *remoteMethodFind(const char *name);      /* NULL: no such call */
VIRT_INTERNAL bool remoteMethodIsIn(const struct remoteMethod *method, const struct virDriver *driver);   /* a server of that driver has it */

/* ---------- the client's side of the codec ---------- */

/*
 * The slots of `driver` become stubs where `has` (by index of remoteMethods) says so, and NULL elsewhere. Those of the LINK and LINK_PHASE
 * lines are left as they are: the driver's own functions (migration.wait: remoteLinkWait).
 */
VIRT_INTERNAL void remoteStubsFill(struct virDriver *driver, const bool *has);

/*
 * What a stub calls (link.c): sends the call and waits for its result. params is taken over, and refers to nothing of the caller's. phase: the
 * migration phase that it is, or NULL (a check of virMigrationCheck is none); how long the server waits in it is params' call.timeout, at
 * most REMOTE_PHASE_WAIT. 1: *result is the result object, the caller's. 0: a phase is not over (AGAIN). -1: the error is set.
 */
VIRT_INTERNAL int remoteLinkCall(virConnectPtr conn, const struct remoteMethod *method, cJSON *params, const struct virMigrationCall *phase,
                                 cJSON **result);

#define REMOTE_PHASE_WAIT 1000        /* ms that a server may wait in a phase until it answers AGAIN */

/* The slot migration.wait: what to wait for until the phase can go on is the connection's own descriptor. */
VIRT_INTERNAL int remoteLinkWait(virConnectPtr conn, const struct virMigrationCall *call, int *fd, int *events, int *milliseconds);

/* For an argument that is a stream: its number on the connection (0 with the error set: it is in use already), and its far end, once the call has
 * succeeded: 0, or -1 with the error set. holes: the far end has some. (stream.c) */
VIRT_INTERNAL unsigned long long remoteStreamNumber(virStreamPtr stream);
VIRT_INTERNAL int remoteStreamOpened(virStreamPtr stream, unsigned long long number, bool sends, bool receives);

/* ---------- the server's side of the codec ---------- */

/* Who a call is carried out for. */
struct remoteServing {
    virConnectPtr conn;               /* of the client's host; read-only if the client is */
    const struct remoteMethod *method;     /* set by its serve */
    void *client;                     /* the session, for the functions below */
    /*
     * Whether the client may do this to this guest (NULL: the host as a whole). The handle may be of a guest that is not there yet, or any
     * more: it has name and uuid then (of a document that names no uuid: zeros), and no object. 0, or -1 with VIR_ERR_ACCESS_DENIED set. NULL: everything is allowed.
     */
    int (*allowed)(struct remoteServing *serving, virDomainPtr domain, const char *permission);
    /* Whether the client may know that there is this guest; nothing is set. NULL: all of them. */
    bool (*visible)(struct remoteServing *serving, virDomainPtr domain);
    /* The stream that a call is to open, under the client's number: what the next two are called with, or NULL with the error set. */
    void *(*streamBegin)(struct remoteServing *serving, unsigned long long number, virStreamPtr *stream);
    void (*streamKeep)(void *opened);                /* the call has succeeded: the client goes on with it */
    void (*streamEnd)(void *opened);                 /* the call is over */
    /*
     * The socket of a stream that virt.stream.open made, for a phase: a descriptor of the caller's, or -1: there is none (any more). And: no
     * phase will want it again.
     */
    int (*streamHand)(struct remoteServing *serving, unsigned long long number);
    void (*streamHanded)(struct remoteServing *serving, unsigned long long number);
};

/* A guest as "UUID ID NAME", and a handle for such a text: looked up, or without an object where it is gone. NULL with the error set. */
VIRT_INTERNAL char *remoteDomainFormat(virDomainPtr domain);
VIRT_INTERNAL virDomainPtr remoteDomainParse(virConnectPtr conn, const char *text);
/* An event as an object, and back; the strings of *event are those of the JSON, its parameters the caller's. 0 or -1 with the error set. */
VIRT_INTERNAL cJSON *remoteEventFormat(const struct virDomainEvent *event);
VIRT_INTERNAL int remoteEventParse(const cJSON *json, struct virDomainEvent *event);
/* The thread's error as JSON-RPC's error object, and back into the thread's error. */
VIRT_INTERNAL cJSON *remoteErrorFormat(const virError *error);
VIRT_INTERNAL void remoteErrorParse(const cJSON *json);
/* Bytes as base64, and back: malloc'd, *length bytes; NULL with the error set. */
VIRT_INTERNAL char *remoteBytesFormat(const void *bytes, size_t length);
VIRT_INTERNAL unsigned char *remoteBytesParse(const char *text, size_t *length);

/*
 * A folder that only we enter, in the user's runtime directory or in /tmp: its path, malloc'd; NULL with the error set. It is removed with the files in
 * it, or, where its process was killed, when another is made. *lock is what holds it meanwhile.
 */
VIRT_INTERNAL char *remoteFolderMake(const char *what, int *lock);
VIRT_INTERNAL void remoteFolderRemove(const char *folder, int lock);

#endif
