/*
 * The client's end of a connection: what link.c, link_session.c and remote.c share.
 *
 * A link is one raw nanomsg socket, a session on the server that is made anew when it is lost, and a list of calls under way. There is no
 * thread of its own: of those who wait for replies one reads for all (link.c), and whoever is at it does what is due at that time (asks
 * again for what was not answered, looks for a server that has gone, proves that it is there: link_session.c). With an event loop
 * registered, events and keep-alive come by it.
 *
 * Everything is guarded by the link's lock, which is held for moments only. What calls the application (events, the close callback) or its
 * event loop is done without it, by remoteLinkSettle.
 */
#ifndef VIRT_REMOTE_LINK_H
#define VIRT_REMOTE_LINK_H

#include "remote.h"
#include "noise.h"

#include <sys/types.h>

struct remoteLink;
struct remoteCall;
struct remoteStream;
struct remoteCarry;

enum {
    REMOTE_LINK_DONE = 16,
    REMOTE_LINK_ENDPOINTS = 4,        /* connections of nanomsg's, at most: the first, and those made because another seemed dead */
    REMOTE_LINK_MESSAGE = 4 << 20,    /* bytes of a message, whatever the server says */
};

/*
 * Sees that the tunnel is there, with the lock held: begins one anew that has ended. While the connection is being opened it does not, and
 * says why there is none; refused: the other end takes nothing. false with the error set: no.
 */
typedef bool (*remoteTunnelFunc)(void *opaque, bool opening, bool refused);

enum remoteLinkState {
    REMOTE_LINK_AWAY,                 /* there is no server: it is looked for */
    REMOTE_LINK_TICKET,               /* PATH.who has us: its ticket is to come */
    REMOTE_LINK_SECRET,               /* the handshake of the encryption is under way */
    REMOTE_LINK_HELLO,                /* virt.hello was sent */
    REMOTE_LINK_UP,
    REMOTE_LINK_LOST,                 /* for good */
};

/* Why a call ends without a reply. */
enum remoteCallFailure {
    REMOTE_CALL_GOES_ON,
    REMOTE_CALL_STARVED,              /* no memory to seal it with; it was not sent */
    REMOTE_CALL_UNSENT,               /* the link was lost before it was sent */
    REMOTE_CALL_UNKNOWN,              /* it was sent, and what became of it is not known */
    REMOTE_CALL_SILENCE,              /* the same; the server is there and says nothing */
    REMOTE_CALL_BROKEN,               /* the server's answer makes no sense */
};

/* What arrived for a call: a message of nanomsg's, or malloc'd where it was encrypted. */
struct remoteBody {
    char *text;                       /* NULL: nothing */
    size_t length;
    bool own;                         /* malloc'd */
};

/* A call under way. Those of the session itself ("virt.ping") have no method of calls.def. */
struct remoteCall {
    unsigned long long id;            /* unique in the life of the link, also over sessions */
    unsigned long long subId;         /* of the last question about it, virt.ask; 0: none */
    const struct remoteMethod *method;/* NULL: of the session itself: may be carried out twice */
    const char *name;
    char *params;                     /* JSON */
    size_t length;
    char *migration;                  /* a phase: of this one */
    bool pending;                     /* a phase that nobody waits for at present */
    bool aside;                       /* ... and it is no step of the migration, but figures of it */
    bool kept;                        /* of the session itself, but the server keeps the reply: carried out once */
    struct remoteStream *stream;      /* a reference: what it is about; without `took`: who waits for that to change */
    bool mayTakeLong;                 /* virt.events: an answer may take REMOTE_POLL */
    /* Nobody waits: called with the lock held when there is a body, a failure; the call is freed then. */
    void (*took)(struct remoteLink *link, struct remoteCall *call);

    enum { REMOTE_CALL_WAITS, REMOTE_CALL_SENT, REMOTE_CALL_HELD, REMOTE_CALL_OVER } state;   /* HELD: its caller fetches or sends parts */
    unsigned int generation;          /* of the session that it was sent under */
    unsigned int sends, pulls;        /* how often it was sent, and the parts of its reply begun to be fetched */
    unsigned long long sentAt, askAt, askEvery, overAt;          /* virTimeNowUs */
    struct remoteBody body;
    enum remoteCallFailure failure;

    bool follows;                     /* its caller waits on `changed` for another to read */
    pthread_cond_t changed;
    struct remoteCall *next;
};

struct remoteLink {
    atomic_int refs;                  /* the connection's, and one of each thing that an event loop holds */
    pid_t pid;                        /* who opened it; constant, as the next ones. nanomsg does not survive a fork */
    char *uri, *served;               /* the connection's, and the one that the server is asked for */
    bool readOnly;
    char *path;                       /* of the Unix socket; NULL: tcp, ws */
    char *who;                        /* PATH.who */
    char *address;                    /* nanomsg's */
    unsigned long long grace;         /* us that a server may be away */
    int socket, receiveFd, sendFd;    /* of nanomsg */
    int endpoints[REMOTE_LINK_ENDPOINTS];         /* guarded by lock, as the next four: nanomsg's connections, or its attempts at one */
    size_t nendpoints;
    unsigned long long connectedAt;   /* since then */
    unsigned int unanswered;          /* steps on the way to a session, one after the other */
    int wake[2];                      /* to the leader: what it waits for has changed */
    struct virEventHub *hub;

    pthread_mutex_t lock;             /* guards what follows */
    virConnectPtr conn;               /* no reference; NULL once it is closed */
    enum remoteLinkState state;
    unsigned int generation;          /* of the session: how many there were */
    char *session;
    cJSON *hello;                     /* what the server said of itself, at first */
    size_t partSize, parallel;        /* the server's limits */
    unsigned long long messageSize;
    bool opening;                     /* the first session is being made */
    virErrorPtr refusal;              /* why it was not */
    remoteTunnelFunc tunnel;          /* NULL: none */
    void *tunnelOpaque;

    int whoFd;                        /* -1: none */
    char ticket[40];
    size_t ticketLength;
    unsigned long long stepAt;        /* when the next step towards a session is due, whatever happens */
    unsigned long long giveUpAt;      /* when the server has been away for too long */
    unsigned long long goneAt;        /* when calls under way are given up, whose outcome nobody knows; 0: not */
    unsigned long long heardAt;       /* the last message of the server */
    int reason;                       /* LOST: virConnectCloseReason */
    char *why;

    struct remoteCall *calls, **callsEnd;      /* in the order of their ids */
    unsigned long long lastId;
    unsigned long long done[REMOTE_LINK_DONE];     /* calls answered while an earlier one is not, of which the server has not been told */
    size_t ndone;
    size_t underWay;                  /* calls of calls.def that were sent and not answered */
    bool reading;                     /* there is a leader */
    bool starved;                     /* the last message could not be sealed, which is for want of memory */
    bool stuck;                       /* nanomsg takes nothing at present, and something is to be sent */

#if VIRT_WITH_NOISE
    struct remoteNoiseClient *noise;  /* NULL: not encrypted */
#endif

    struct remoteStream *streams;     /* of this session */
    unsigned long long lastStream;    /* number */
    unsigned int watched;             /* streams whose readiness the event loop tells */
    struct remoteCarry *carries;

    char *wanted;                     /* the events that are subscribed, JSON; NULL: none */
    bool polling;                     /* a virt.events is under way */
    unsigned long long eventSeen;     /* of this session */
    struct remoteCall *news, **newsEnd;        /* answers to virt.events that nobody has read yet */
    bool delivering;

    unsigned long long keepInterval;  /* us; 0: off */
    unsigned int keepCount, keepMissed;
    unsigned long long keepAt;

    bool told;                        /* the close callback has been called, or is about to be */
    bool closed;
    /* What the event loop has of ours, and what it should: loopLock guards the first; taken outside lock. */
    pthread_mutex_t loopLock;
    int watchReceive, watchWho, watchedWho, timer;
    unsigned long long timerAt;       /* when the timer will run; 0: not at all; UINT64_MAX: it has run and is to be set */
    bool loopStale;                   /* guarded by lock */
    int newsPipe[2];                  /* readable when a phase's reply came to somebody else; -1: not asked for */
};

/* ---------- link.c ---------- */

VIRT_INTERNAL struct remoteCall *remoteCallNew(const struct remoteMethod *method, const char *name, char *params);
VIRT_INTERNAL void remoteCallFree(struct remoteCall *call);
/* The lock is held in those that follow. */
VIRT_INTERNAL void remoteLinkAdd(struct remoteLink *link, struct remoteCall *call);          /* under way from now on; sends it if it can */
VIRT_INTERNAL void remoteLinkRemove(struct remoteLink *link, struct remoteCall *call);
VIRT_INTERNAL void remoteLinkRenumber(struct remoteLink *link, struct remoteCall *call);     /* a new id, to be sent again */
VIRT_INTERNAL void remoteLinkPush(struct remoteLink *link);                                  /* sends what waits for that */
VIRT_INTERNAL void remoteLinkEndCall(struct remoteLink *link, struct remoteCall *call, enum remoteCallFailure failure);
/* Does what is due now. */
VIRT_INTERNAL void remoteLinkTick(struct remoteLink *link, unsigned long long now);
/* When that is next; 0: never. */
VIRT_INTERNAL unsigned long long remoteLinkDue(struct remoteLink *link);
/* Takes in what has arrived, without waiting, if nobody else reads. */
VIRT_INTERNAL void remoteLinkPump(struct remoteLink *link);
/* Waits for something to arrive or until `end`, and takes it in; call: the caller's, or NULL where no other thread can be. */
VIRT_INTERNAL void remoteLinkWaitStep(struct remoteLink *link, struct remoteCall *call, unsigned long long end);
/*
 * A call of the session itself, with its answer waited for, until `end` if that is not 0. params is taken over (NULL is a failure that has
 * been reported). Without the lock. The whole message; NULL: the time is up, or the error is set.
 */
VIRT_INTERNAL cJSON *remoteLinkAsk(struct remoteLink *link, const char *name, cJSON *params, unsigned long long end);
/* With the lock held, as the next two: who waits for a stream has a call in the list that nothing answers; while its state is HELD he goes on waiting. */
VIRT_INTERNAL void remoteLinkAddWaiter(struct remoteLink *link, struct remoteCall *waiter);
VIRT_INTERNAL void remoteLinkRemoveWaiter(struct remoteLink *link, struct remoteCall *waiter);
VIRT_INTERNAL void remoteLinkWakeWaiters(struct remoteLink *link, const struct remoteStream *stream);
/* Sends a message: head alone, as the encryption's, or head, body and the brace that ends a request. */
VIRT_INTERNAL bool remoteLinkTransmit(struct remoteLink *link, unsigned long long id, const void *head, size_t headLength,
                                      const void *body, size_t bodyLength);
/* The error of a reply, as the thread's. */
VIRT_INTERNAL void remoteLinkReportReply(const struct remoteLink *link, const char *name, const cJSON *error);
/* 0, or -1 with the error set: this is a forked child. */
VIRT_INTERNAL int remoteLinkCheckProcess(const struct remoteLink *link);

/* ---------- link_session.c ---------- */

struct remoteLinkOptions {
    const char *address;              /* of nanomsg: "ipc:///run/virt/virt-sock" */
    const char *where;                /* the server is, for errors */
    const char *path;                 /* of the Unix socket, or NULL */
    const char *served;               /* the URI at the server */
    unsigned int grace;               /* seconds */
    unsigned int opening;             /* seconds that the first session may take */
    remoteTunnelFunc tunnel;          /* what the socket is reached through, or NULL */
    void *tunnelOpaque;
    struct remoteNoiseClient *noise;  /* taken over, also on failure */
};
/* Connects and makes the first session; NULL with the error set. */
VIRT_INTERNAL struct remoteLink *remoteLinkOpen(virConnectPtr conn, const struct remoteLinkOptions *options);
VIRT_INTERNAL void remoteLinkClose(struct remoteLink *link);
VIRT_INTERNAL int remoteLinkIsAlive(struct remoteLink *link);
VIRT_INTERNAL int remoteLinkSetKeepAlive(struct remoteLink *link, int interval, unsigned int count);
/* The events that are wanted from now on, as driver.h has it for connect.subscribe. 0, or -1 with the error set. */
VIRT_INTERNAL int remoteLinkSubscribe(struct remoteLink *link, const char *wanted);

/* The lock is held in those that follow. */
VIRT_INTERNAL void remoteLinkSessionTick(struct remoteLink *link, unsigned long long now);
VIRT_INTERNAL void remoteLinkConnectAnew(struct remoteLink *link, unsigned long long now);    /* once in a second at most */
VIRT_INTERNAL unsigned long long remoteLinkSessionDue(const struct remoteLink *link);
VIRT_INTERNAL void remoteLinkTakeWho(struct remoteLink *link);                               /* PATH.who has something to say, or has closed */
VIRT_INTERNAL void remoteLinkRenew(struct remoteLink *link, const char *why);                /* the session is gone: a new one */
VIRT_INTERNAL void remoteLinkLose(struct remoteLink *link, int reason, const char *why);
#if VIRT_WITH_NOISE
VIRT_INTERNAL void remoteLinkTakeSecret(struct remoteLink *link, enum remoteNoiseTaken taken);
#endif
/* Without the lock: what had to wait until it was let go. Keeps the thread's error. */
VIRT_INTERNAL void remoteLinkSettle(struct remoteLink *link);
/* The same: what the event loop has of the link's becomes what it should. */
VIRT_INTERNAL void remoteLinkSyncLoop(struct remoteLink *link);
VIRT_INTERNAL void remoteLinkUnref(void *opaque);

/* ---------- stream.c ---------- */

VIRT_INTERNAL void remoteStreamUnref(struct remoteStream *s);
/* With the lock held: the session is over, and its streams with it; their calls are in the list no more, or are about to end. */
VIRT_INTERNAL void remoteStreamsLose(struct remoteLink *link);
/*
 * A stream of the library's own, whose far end is a socket that a phase at the server can have (virt.stream.open). With the lock held: asks for
 * one: a reference, or NULL with the error set; waits until it is there, or until `end` if that is not 0: 1 and its number, 0: not yet, -1: it
 * was refused, the error is set, -2: its session is over; ends it, with whatever is under way, without waiting for the server; and here alone.
 */
VIRT_INTERNAL struct remoteStream *remoteStreamBegin(struct remoteLink *link);
VIRT_INTERNAL int remoteStreamAwait(struct remoteStream *s, unsigned long long end, unsigned long long *number);
VIRT_INTERNAL void remoteStreamAbandon(struct remoteStream *s);
VIRT_INTERNAL void remoteStreamShut(struct remoteStream *s);
/* Without the lock, and as virStreamSend, Recv and Finish, of one that blocks. */
VIRT_INTERNAL int remoteStreamSendOwn(struct remoteStream *s, const char *data, size_t nbytes);
VIRT_INTERNAL int remoteStreamRecvOwn(struct remoteStream *s, char *data, size_t nbytes);
VIRT_INTERNAL int remoteStreamFinishOwn(struct remoteStream *s);

/* ---------- carry.c ---------- */

/*
 * A phase is to be called with a stream: it is at the server, under a number in params, and is carried. 1; 0: it is not there yet, and the phase
 * is to be called again; -1: the error is set.
 */
VIRT_INTERNAL int remoteCarryBegin(struct remoteLink *link, const struct remoteMethod *method, const struct virMigrationCall *phase, cJSON *params);
/* The phase is over (rc 1 or -1): what is on its way goes on, if the phase went well. */
VIRT_INTERNAL void remoteCarrySettle(struct remoteLink *link, const struct remoteMethod *method, const char *migration, int rc);
/* Nobody steps the migration here any more. */
VIRT_INTERNAL void remoteCarryDrop(struct remoteLink *link, const char *migration);
/* The connection is being closed: all that is carried ends. */
VIRT_INTERNAL void remoteCarryEnd(struct remoteLink *link);

/* ---------- remote.c ---------- */

/* A connection's own: conn->priv. */
struct remoteConnection {
    struct virDriver driver;          /* conn->driver: what the server has */
    char *name;                       /* of the served driver */
    struct remoteLink *link;
    struct remoteTunnel *tunnel;      /* ssh's; NULL: none */
    struct remoteFront *front;        /* reads the server's bytes before nanomsg does; NULL: nanomsg reads them */
    char *folder, *socket;            /* that it has for that */
    int folderLock;
    bool encrypted;
};

static inline struct remoteConnection *
remoteConnectionOf(virConnectPtr conn)
{
    return conn->priv;
}

#endif
