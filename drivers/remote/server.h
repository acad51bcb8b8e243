/*
 * What server.c, session.c and access.c share: the server, what it listens on, its clients.
 *
 * Locks, in the order in which they may be taken: server->control (one thread at a time looks after the .who sockets and the times),
 * server->distribute (one hands out events), server->lock (the tables), session->lock. None is held while a call is carried out or
 * while a function of the application runs, except `distribute`, which only other events wait for.
 */
#ifndef VIRT_REMOTE_SERVER_H
#define VIRT_REMOTE_SERVER_H

#include "remote.h"
#include "noise.h"
#include "front.h"
#include "../common/platform.h"
#include "../migration/migration.h"      /* the core's checks of handles and arguments */

#include <stdint.h>

enum {
    REMOTE_SERVER_PROTOCOL = 1,
    REMOTE_SERVER_LISTENERS = 16,            /* addresses of one server */
    REMOTE_SERVER_BUCKETS = 256,             /* of the table of sessions, and of each one's calls */
    REMOTE_SERVER_TURN = 64,                 /* messages that a thread takes before it looks after all else */
    REMOTE_SERVER_CONTROL = 192,             /* room for a request's header, as nanomsg gives it */
    REMOTE_SERVER_PART = 256 << 10,          /* text of one part */
    REMOTE_SERVER_VALUES = 1 << 18,          /* of one message: no list that a client sends has as many */
    REMOTE_SERVER_UNTOLD = 32 << 20,         /* text of events that nobody has had time to hand out */
    REMOTE_SERVER_ACCEPTS = 64,              /* clients that are met at a time, before all else is looked after */
    REMOTE_SERVER_HELLO_MS = 10 * 1000,      /* who has connected and does not say hello is gone after that */
    REMOTE_SERVER_EVENTS_MS = 10 * 1000,     /* virt.events is answered after that in any case */
    REMOTE_SERVER_PHASE_ALONE_MS = 20,       /* a migration's phase waits that long in one call where one thread serves all */
    REMOTE_SERVER_TCP_PORT = 16510,
    REMOTE_SERVER_WS_PORT = 16511,
};

struct remoteSession;
struct remoteWork;

/* What virServerNew's parameters say. */
struct remoteLimits {
    unsigned int clients, parallel, message, document, memory, depth, subscriptions, streams;
    unsigned int expiry;              /* ms */
};

/* A connection that is served. Constant once it is in the list. */
struct remoteHost {
    struct remoteHost *next;
    virServerPtr server;
    virConnectPtr conn;               /* a reference */
    virConnectPtr readOnly;           /* the twin, opened when the first client wants it; server->lock */
    char *uri;
    bool tapped;                      /* it has events */
    atomic_int subscribers;           /* sessions that want events */
    atomic_ullong missed;             /* events that were too many before they could be handed out */
};

struct remoteListener {
    virServerPtr server;
    const char *transport;            /* "unix", "tcp", "ws" */
    char *address;                    /* "unix:/run/virt/virt-sock" */
    char *path, *whoPath, *lockPath;  /* NULL but for a Unix socket */
    struct remoteNoiseServer *noise;  /* NULL: not encrypted, a Unix socket */
    bool readOnly;
    unsigned int mode;
    long long owner, group;           /* -1: as they come */
    struct remoteFront *front;        /* takes the connections; NULL: nanomsg does */
    char *inner, *folder;             /* nanomsg's own socket where it does not, and for ws the folder that it has to itself */
    bool innerBound;                  /* the file is ours */
    int folderLock;
    int socket;                       /* nanomsg's */
    int ready;                        /* its NN_RCVFD */
    int whoFd, lockFd;
    bool bound;                       /* the file at path is ours */
    int spareFd;                      /* given up to send one away where no descriptor is left */
};

/* A connection to a .who socket: a process that may be a client, known by its credentials. server->lock guards the list and all of it. */
struct remotePeer {
    struct remotePeer *next;
    struct remoteListener *listener;
    int fd;
    int watch;                        /* in the event loop, where there is no epoll; -1: none */
    long long uid, gid, pid;
    char ticket[33];
    bool helloing;                    /* a hello with the ticket is being carried out */
    unsigned long long hello;         /* the id of the one that was; 0: none yet */
    struct remoteSession *session;    /* a reference */
    unsigned long long due;           /* us: without a session it is closed then */
};

/* Where a reply goes. Who keeps one copies it by remoteFromCopy and clears the copy. */
struct remoteFrom {
    struct remoteListener *listener;
    struct remoteNoiseSession *noise; /* a reference: of an encrypted message */
    size_t length;                    /* 0: nowhere, the message had no header */
    _Alignas(max_align_t) unsigned char control[REMOTE_SERVER_CONTROL];
};

/* What waits for a thread: a message as it came, or a call that its session had to put back. */
struct remoteWork {
    struct remoteWork *next;
    struct remoteFrom from;
    void *payload;                    /* nanomsg's memory, as it came */
    size_t length;
    struct remoteSession *session;    /* a reference, of a call */
    cJSON *request;
};

struct remoteWorker {
    struct remoteWorker *next;
    int epoll;
    pthread_t thread;
};

struct _virServer {
    struct virHandle handle;
    struct remoteLimits limits;
    char id[33];
    int wake[2];                      /* readable from virServerStop on */
    int work[2];                      /* readable when something waits for a thread: a call, an event, a nearer time */
    int control;                      /* an epoll of the .who sockets and connections; -1 where there is none */
    atomic_bool stopped;
    atomic_int runners;               /* threads in virServerRun, and one for the event loop */
    atomic_int idle;                  /* of those, the ones that wait */
    atomic_ullong due;                /* us: when somebody has to look at the times; UINT64_MAX: never */

    virServerAccessFunc access;       /* constant while the server is served */
    void *accessOpaque;
    virFreeCallback accessFree;
    virServerAuditFunc audit;
    void *auditOpaque;
    virFreeCallback auditFree;

    struct remoteListener *listeners[REMOTE_SERVER_LISTENERS];     /* appended to under the lock, read without */
    atomic_int nlisteners;

    pthread_mutex_t controlling;      /* `control` in the order of locks */
    pthread_mutex_t distribute;
    pthread_mutex_t lock;             /* guards what follows */
    pthread_cond_t left;              /* a runner has left */
    struct remoteHost *hosts;
    struct remotePeer *peers;
    unsigned int npeers;
    struct remoteSession *sessions[REMOTE_SERVER_BUCKETS];
    unsigned int nsessions;
    struct remoteWork *first, **last;
    struct remoteWorker *workers;
    int watches[2 * REMOTE_SERVER_LISTENERS + 3], nwatches, timer;     /* in the event loop; timer -1: none */
    bool attached;
    unsigned int turning;             /* turns of the event loop that are under way */
    pthread_t turner;                 /* the loop's thread, in the last one */

    pthread_mutex_t eventsLock;       /* taken with a driver's locks held: nothing else is taken inside */
    struct remoteEvent *events, **lastEvent;
    unsigned long long happened;      /* how many there were */
    size_t untold;                    /* bytes of their texts */

    struct {
        atomic_ullong clients, calls, refused, invalid, eventsLost;
        atomic_int running;
    } stats;
};

/* ---------- server.c ---------- */

VIRT_INTERNAL void remoteServerPush(virServerPtr server, struct remoteWork *work);      /* takes it over */
VIRT_INTERNAL void remoteWorkFree(struct remoteWork *work);
/* Somebody has to look at the times then at the latest. */
VIRT_INTERNAL void remoteServerDue(virServerPtr server, unsigned long long due);
VIRT_INTERNAL void remoteServerWake(virServerPtr server);
/* With server->lock held: the event loop takes a turn when this is readable; what to remove it by, or -1. */
VIRT_INTERNAL int remoteServerWatch(virServerPtr server, int fd);
VIRT_INTERNAL void remoteFromCopy(struct remoteFrom *to, const struct remoteFrom *from);
VIRT_INTERNAL void remoteFromClear(struct remoteFrom *from);
/* Sends a text; what cannot be sent at once is lost, and asked for again. */
VIRT_INTERNAL void remoteServerSend(const struct remoteFrom *from, const char *text, size_t length);

/* ---------- listen.c ---------- */

struct remoteParam {
    const char *name;
    size_t offset;                    /* in what it is for */
    unsigned int least, most;
    bool text;                        /* a const char *, else an unsigned int */
};
/* What virServerListen is asked for; owner and group UINT_MAX: as they come. */
struct remoteListenOptions {
    unsigned int mode, owner, group;
    const char *key, *authorized;
};
VIRT_INTERNAL int remoteParamsRead(const struct remoteParam *table, size_t n, virTypedParameterPtr params, unsigned int nparams, void *into);
VIRT_INTERNAL int remoteListenOptionsRead(struct remoteListenOptions *options, virTypedParameterPtr params, unsigned int nparams);
/* NULL with the error set. */
VIRT_INTERNAL struct remoteListener *remoteListenerNew(virServerPtr server, const char *address, const struct remoteListenOptions *options,
                                                       unsigned int flags);
VIRT_INTERNAL void remoteListenerFree(struct remoteListener *listener);

/* ---------- session.c ---------- */

/* A message as it came: plain text of JSON. */
VIRT_INTERNAL void remoteSessionTake(virServerPtr server, const struct remoteFrom *from, const char *text, size_t length);
/* A call that was put back; takes it over. */
VIRT_INTERNAL void remoteSessionResume(struct remoteWork *work);
VIRT_INTERNAL void remoteSessionEnd(struct remoteSession *session, const char *why);
VIRT_INTERNAL void remoteSessionEndAll(virServerPtr server);
VIRT_INTERNAL void remoteSessionRef(struct remoteSession *session);
VIRT_INTERNAL void remoteSessionUnref(struct remoteSession *session);
/* Ends what was silent for too long, answers who waits for events for too long; when to look again. */
VIRT_INTERNAL unsigned long long remoteSessionTick(virServerPtr server, unsigned long long now);
/* Hands out what the hosts' taps have queued. */
VIRT_INTERNAL void remoteEventsDistribute(virServerPtr server);
VIRT_INTERNAL void remoteEventsDrop(virServerPtr server);
/* The tap of a host's hub: opaque is the struct remoteHost. */
VIRT_INTERNAL void remoteEventsTake(void *opaque, const struct virDomainEvent *event);

/* ---------- access.c ---------- */

/* A call while it is carried out: remoteServing.client. */
struct remoteCarrying {
    virServerPtr server;
    struct remoteSession *session;
    const virServerWho *who;
    const char *call;
    char name[256];                   /* the guest that it is about; "": none so far */
    unsigned char uuid[VIR_UUID_BUFLEN];
};

VIRT_INTERNAL int remoteAccessAllowed(struct remoteServing *serving, virDomainPtr domain, const char *permission);
VIRT_INTERNAL bool remoteAccessVisible(struct remoteServing *serving, virDomainPtr domain);
/* The same for an event's guest. */
VIRT_INTERNAL bool remoteAccessSees(virServerPtr server, const virServerWho *who, const char *call, const char *name, const unsigned char *uuid);
VIRT_INTERNAL void remoteAccessAudit(struct remoteCarrying *carrying, const cJSON *result, const virError *error,
                                     unsigned long long elapsed);
/* Takes in who connects to and leaves the .who sockets; never waits. */
VIRT_INTERNAL void remoteAccessLook(virServerPtr server);
/* The same for times: when to look again. */
VIRT_INTERNAL unsigned long long remoteAccessTick(virServerPtr server, unsigned long long now);
/*
 * A hello with this ticket. 0: it may go on: *who is filled in, and remoteAccessHelloEnd must follow. 1: it has been carried out already,
 * or is: *session is a reference then, or NULL. -1 with the error set.
 */
VIRT_INTERNAL int remoteAccessHello(struct remoteListener *listener, const char *ticket, unsigned long long id, virServerWho *who,
                                    struct remoteSession **session);
/* session NULL: it has failed. false: the client has gone meanwhile. */
VIRT_INTERNAL bool remoteAccessHelloEnd(struct remoteListener *listener, const char *ticket, unsigned long long id,
                                        struct remoteSession *session);
/* A session that ended by itself: its connection there has none any more. */
VIRT_INTERNAL void remoteAccessLeave(struct remoteSession *session, virServerPtr server);
VIRT_INTERNAL void remoteAccessCloseAll(virServerPtr server);
/* 32 hex digits nobody can guess; -1 with the error set. */
VIRT_INTERNAL int remoteAccessSecret(char text[33]);

#endif
