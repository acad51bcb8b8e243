/*
 * What etcd.c puts into words for the keeper of a lease in etcd, which can allocate nothing.
 */
#ifndef VIRT_LOCK_ETCD_H
#define VIRT_LOCK_ETCD_H

#include "keeper.h"

#if VIRT_WITH_ETCD

#include <sys/socket.h>

#define VIRT_ETCD_ADDRESSES 16             /* of the service, all endpoints together */
#define VIRT_ETCD_BODY      4096           /* bytes of a request's body, the NUL included */

struct virEtcdAddress {
    struct sockaddr_storage where;
    socklen_t length;
    char host[280];                        /* for the request's head */
};

/* From `keepalive` on these are bodies of requests. */
struct virEtcdPlan {
    struct virEtcdAddress addresses[VIRT_ETCD_ADDRESSES];
    size_t naddresses;
    unsigned int ttl;                      /* of the lease, in seconds */
    unsigned long long sent;               /* virKeeperNow(), before the lease was asked for */
    char id[24];                           /* of the lease */
    char holder[VIRT_LOCK_NAME_MAX * 6 + 16];        /* how the state's text begins while this host is the holder */
    char keepalive[VIRT_ETCD_BODY];
    char grant[VIRT_ETCD_BODY];            /* the same lease once more, after its end */
    char revoke[VIRT_ETCD_BODY];
    char seat[VIRT_ETCD_BODY];             /* who sits there */
    char state[VIRT_ETCD_BODY];            /* who is the holder */
    char take[2][VIRT_ETCD_BODY];          /* the seat once more, if it is free and the state has the revision put between */
};

/* The keeper, and its seat. 0, or -1 with the error set. */
VIRT_INTERNAL int virEtcdKeep(const struct virEtcdPlan *plan, enum virLockFailure failure, struct virLockSeat *seat);
/* Base64 to bytes: how many, or -1. Of use to the keeper, as it allocates nothing. */
VIRT_INTERNAL ssize_t virEtcdDecode(const char *text, size_t length, char *data, size_t size);

#endif
#endif
