/*
 * Who keeps a lease of the manager "etcd" alive: a process for each guest, which lives as long as its hypervisor.
 */
#ifndef VIRT_LOCK_KEEPER_H
#define VIRT_LOCK_KEEPER_H

#include "lock.h"

#if VIRT_WITH_ETCD

#include <sys/socket.h>

#define VIRT_KEEPER_ADDRESSES 16           /* of the service, all endpoints together */
#define VIRT_KEEPER_BODY      4096         /* bytes of a request's body, the NUL included */

struct virKeeperAddress {
    struct sockaddr_storage where;
    socklen_t length;
    char host[280];                        /* for the request's head */
};

/* All that it will need, made before it is: it can allocate nothing. From `keepalive` on these are bodies of requests. */
struct virKeeperPlan {
    struct virKeeperAddress addresses[VIRT_KEEPER_ADDRESSES];
    size_t naddresses;
    unsigned int ttl;                      /* of the lease, in seconds */
    unsigned long long sent;               /* virKeeperNow(), before the lease was asked for */
    enum virLockFailure failure;
    char id[24];                           /* of the lease */
    char holder[VIRT_LOCK_NAME_MAX * 6 + 16];        /* how the state's text begins while this host is the holder */
    char keepalive[VIRT_KEEPER_BODY];
    char grant[VIRT_KEEPER_BODY];          /* the same lease once more, after its end */
    char revoke[VIRT_KEEPER_BODY];
    char seat[VIRT_KEEPER_BODY];           /* who sits there */
    char state[VIRT_KEEPER_BODY];          /* who is the holder */
    char take[2][VIRT_KEEPER_BODY];        /* the seat once more, if it is free and the state has the revision put between */
};

/* Nanoseconds of a clock that goes on while the host is suspended. */
VIRT_INTERNAL unsigned long long virKeeperNow(void);
/* Makes the keeper, and the seat: its fd is the hypervisor's end of a socket pair. 0, or -1 with the error set. */
VIRT_INTERNAL int virKeeperStart(const struct virKeeperPlan *plan, struct virLockSeat *seat);
/* Tells it which process has inherited the seat. */
VIRT_INTERNAL int virKeeperSeated(const struct virLockSeat *seat, int pid);
/* Base64 to bytes: how many, or -1. Of use to the keeper, as it allocates nothing. */
VIRT_INTERNAL ssize_t virKeeperDecode(const char *text, size_t length, char *data, size_t size);

#endif
#endif
