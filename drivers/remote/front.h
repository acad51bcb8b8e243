/* front.c: what reads strangers' bytes before nanomsg does. */
#ifndef VIRT_REMOTE_FRONT_H
#define VIRT_REMOTE_FRONT_H

#include "wire.h"

#include <stdatomic.h>

struct remoteFront;

struct remoteFrontOptions {
    bool client;                      /* nanomsg connects here, and the stranger is the server; else the strangers connect */
    enum remoteWireKind kind;         /* of the strangers; nanomsg's is always REMOTE_WIRE_SP */
    const char *path;                 /* of the other end's Unix socket: nanomsg's, or the server's, */
    const char *host, *port;          /* or the server's address, where path is NULL */
    size_t most;                      /* connections; for one more goes, of those that have asked nothing or else of all, the one longest silent */
    size_t largest;                   /* bytes of a message */
    unsigned long long greeting;      /* us: who does not greet is gone after that; or whose first message nanomsg does not take */
    atomic_ullong *refused;           /* counts connections that are closed because of what came, or did not; or NULL */
};

/* fd listens, and is taken over, also where this fails. NULL with the error set. */
VIRT_INTERNAL struct remoteFront *remoteFrontNew(const struct remoteFrontOptions *options, int fd);
VIRT_INTERNAL void remoteFrontFree(struct remoteFront *front);
/* One who has connected, for no program that the application starts, and not to be waited for; -1 with errno set. */
VIRT_INTERNAL int remoteFrontTakeNext(int fd);

#endif
