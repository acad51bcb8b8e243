/*
 * A client as the server has it, for session.c (its calls), subscribe.c (its events) and session_stream.c. session.c tells how it works.
 */
#ifndef VIRT_REMOTE_SESSION_H
#define VIRT_REMOTE_SESSION_H

#include "server.h"

/* A call by its id: running, or what was answered. */
struct remoteAnswer {
    struct remoteAnswer *next;        /* in its bucket */
    struct remoteAnswer *older, *newer;        /* among the answered ones that may be forgotten */
    unsigned long long id;
    bool repeats;
    bool running;                     /* or waiting for its turn */
    bool unwanted;                    /* the client has given it up: the reply is not kept */
    bool over;                        /* the client has its reply, but a copy of the call may still be on its way: it stays until `floor` is past it */
    char *reply;                      /* the whole message */
    size_t length;
};

/* A call that comes in parts. */
struct remoteParts {
    struct remoteParts *next;
    unsigned long long call;
    size_t total, length;
    char *text;                       /* grows with what comes: who announces much has to send it */
};

/* An event, shared by all sessions that get it. */
struct remoteEvent {
    struct remoteEvent *next;         /* in the server's queue */
    atomic_int refs;
    struct remoteHost *host;
    unsigned long long number;        /* in the order in which they happened */
    int eventID;
    unsigned char uuid[VIR_UUID_BUFLEN];
    char *name, *text;
    size_t length;
};

struct remoteQueued {
    struct remoteQueued *next;
    unsigned long long sequence;
    struct remoteEvent *event;
};

struct remoteSubscription {
    int eventID;
    bool oneDomain;
    unsigned char uuid[VIR_UUID_BUFLEN];
    unsigned long long since;         /* the number of the last event before it */
};

struct remoteServedStream;

struct remoteSession {
    atomic_int refs;
    char id[33];                      /* this and what follows are constant */
    virServerPtr server;
    struct remoteHost *host;
    virConnectPtr conn;               /* a reference */
    struct remoteListener *listener;
    virServerWho who;                 /* its strings: the listener's, and program */
    char *program, *keyName;
    unsigned char key[32];            /* of a client who has proved to have it */
    unsigned long long hello, noiseIndex;      /* of such a client: the hello that made it, and in which session of Noise */
    bool expires;                     /* by silence: its connection cannot be seen to close */
    struct remoteSession *next;       /* in its bucket; server->lock */
    bool listed;                      /* server->lock */

    pthread_mutex_t lock;             /* guards what follows */
    bool gone;
    unsigned long long heard;         /* us: the last message */
    unsigned long long floor;         /* ids up to this one are over */
    struct remoteAnswer *answers[REMOTE_SERVER_BUCKETS];
    struct remoteAnswer *oldest, *newest;
    size_t kept, arriving, queued;    /* bytes of replies, of parts, of events */
    unsigned int running, waiting;
    struct remoteWork *first, **last; /* calls that wait for their turn */
    struct remoteParts *parts;
    unsigned int nparts;
    struct remoteSubscription *subscriptions;
    size_t nsubscriptions;
    struct remoteQueued *events, **lastEvent;
    unsigned long long sequence, lost, missed;       /* missed: of the host's, those that are counted */
    struct {
        bool waits;
        unsigned long long id, due;
        struct remoteFrom from;
    } poll;
    struct remoteServedStream *streams;
    unsigned int nstreams;
};

/* A method of the session itself. */
struct remoteSessionMethod {
    const char *name;
    void (*serve)(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params);
};

/* ---------- session.c ---------- */

/* {"jsonrpc":"2.0","id":ID,"KEY":BODY}, sent; id 0: null. body is taken over. */
VIRT_INTERNAL void remoteReply(const struct remoteFrom *from, unsigned long long id, const char *key, cJSON *body);
/* An error of the protocol. */
VIRT_INTERNAL void remoteReplyError(const struct remoteFrom *from, unsigned long long id, int code, const char *fmt, ...) VIRT_PRINTF(4, 5);
/* The thread's error as a reply's. */
VIRT_INTERNAL cJSON *remoteReplyLastError(void);
/*
 * With the session's lock held, for those who carry out requests of the session's own at most once: whether the id is known (the client has been
 * answered then, or will be); a new one is running from now on (false: it has been told why not); and is answered. body is taken over.
 */
VIRT_INTERNAL bool remoteSessionKnows(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id);
VIRT_INTERNAL bool remoteSessionEnter(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id);
VIRT_INTERNAL void remoteSessionAnswer(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const char *key,
                                       cJSON *body);
VIRT_INTERNAL struct remoteSession **remoteSessionsAll(virServerPtr server, const struct remoteHost *host);

/* ---------- subscribe.c ---------- */

VIRT_INTERNAL void remoteSessionSubscribe(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params);
VIRT_INTERNAL void remoteSessionEvents(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params);
/* With the session's lock held: the oldest event is dropped; who waits for events is answered. */
VIRT_INTERNAL void remoteQueuedDrop(struct remoteSession *session);
VIRT_INTERNAL void remoteSessionAnswerPoll(struct remoteSession *session);

/* ---------- session_stream.c ---------- */

enum { REMOTE_STREAM_METHODS = 6 };
VIRT_INTERNAL_DATA const struct remoteSessionMethod remoteStreamMethods[REMOTE_STREAM_METHODS];

/* A stream for a call that is to open it, or NULL with the error set. Kept once the call has succeeded; ended when the call is over, in any case. */
VIRT_INTERNAL void *remoteStreamsBegin(struct remoteSession *session, unsigned long long number, virStreamPtr *stream);
VIRT_INTERNAL void remoteStreamsKeep(void *opaque);
VIRT_INTERNAL void remoteStreamsEnd(void *opaque);
/* The descriptor of one that virt.stream.open made, a copy, or -1; and the end of it. */
VIRT_INTERNAL int remoteStreamsHand(struct remoteSession *session, unsigned long long number);
VIRT_INTERNAL void remoteStreamsHanded(struct remoteSession *session, unsigned long long number);
/* Those of a session that ends: taken with the lock held, aborted without it. */
VIRT_INTERNAL struct remoteServedStream *remoteStreamsTake(struct remoteSession *session);
VIRT_INTERNAL void remoteStreamsAbort(struct remoteServedStream *list);
/* Looks after those that nothing calls, and those that have waited for too long; when to look again. */
VIRT_INTERNAL unsigned long long remoteStreamsTick(struct remoteSession *session, unsigned long long now);

#endif
