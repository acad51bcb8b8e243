/*
 * nanomsg's framing on one connection, read and written without nanomsg: what its ipc transport has on a Unix socket, and what its ws transport has in a
 * WebSocket. nanomsg 1.1.5 trusts whoever is at the other end of those two: a byte in the wrong place ends the process by an assertion. So where a
 * stranger may be there, this reads, which believes nothing (front.c).
 *
 * No thread and no waiting: the caller polls the descriptor. One thread at a time uses a wire.
 */
#ifndef VIRT_REMOTE_WIRE_H
#define VIRT_REMOTE_WIRE_H

#include "noise.h"

#include <stdint.h>

enum {
    REMOTE_WIRE_CONTROL = 125,            /* bytes of a WebSocket's control frame, at most */
    REMOTE_WIRE_REQUEST = 4096,           /* of the request that a WebSocket begins with */
};

enum remoteWireKind {
    REMOTE_WIRE_SP,                       /* 8 bytes of greeting; then a byte 1, a length of 8 bytes, a message */
    REMOTE_WIRE_WS,                       /* RFC 6455, subprotocol rep.sp.nanomsg.org, a message in binary frames; only with OpenSSL's libcrypto */
};

/* A message, or an answer to a control frame, on its way. */
struct remoteWireOut {
    struct remoteWireOut *next;
    unsigned char head[14];
    size_t headLength, length, sent;      /* sent: of both */
    void *body;
};

struct remoteWire {
    int fd;
    enum remoteWireKind kind;
    bool client;                          /* this end is a client's */
    size_t largest;                       /* bytes of a message that is read */
    enum { REMOTE_WIRE_GREETING, REMOTE_WIRE_HEAD, REMOTE_WIRE_BODY, REMOTE_WIRE_PAYLOAD } state;
    unsigned char head[14 + REMOTE_WIRE_CONTROL];         /* a greeting, a frame's head, a control frame */
    size_t headLength;
    char *request;                        /* until a WebSocket is open: the request, or the answer to ours */
    size_t requestLength;
    char key[25];                         /* of ours */
    void *body;                           /* the message that is being read */
    size_t have, want;                    /* bytes of it that are there, and with the frame that is being read, */
    size_t mark;                          /* which begins there */
    bool begun;                           /* a WebSocket's message of several frames is under way */
    unsigned int frames;                  /* how many */
    struct remoteWireOut *first, **last;
    bool closing;                         /* what is queued is sent yet, and nothing is read any more */
};

/*
 * Takes the descriptor over, which does not block, and greets as a server's end or a client's; host: what a WebSocket's client says it has connected to.
 * -1: it is over; remoteWireClose() follows in any case.
 */
VIRT_INTERNAL int remoteWireOpen(struct remoteWire *wire, int fd, enum remoteWireKind kind, bool client, const char *host, size_t largest);
VIRT_INTERNAL void remoteWireClose(struct remoteWire *wire);
/* Reads until there is a message. 1: it is the caller's, malloc'd; 0: not yet, or ask again; -1: it is over; -2: it is nonsense. */
VIRT_INTERNAL int remoteWireRead(struct remoteWire *wire, void **body, size_t *length);
/* Takes the message over, which is malloc'd, and sends what can be sent at once. -1: it is over. */
VIRT_INTERNAL int remoteWireSend(struct remoteWire *wire, void *body, size_t length);
/* Sends what waits. -1: it is over. */
VIRT_INTERNAL int remoteWireFlush(struct remoteWire *wire);

#endif
