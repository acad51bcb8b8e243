/*
 * What sanlock.c hands to the processes that deal with the daemon: see sanlock_keeper.c.
 */
#ifndef VIRT_LOCK_SANLOCK_H
#define VIRT_LOCK_SANLOCK_H

#include "keeper.h"

#if VIRT_WITH_SANLOCK

#include <sanlock.h>

#define VIRT_SANLOCK_SECTOR 4096           /* bytes of the largest */
#define VIRT_SANLOCK_TEXT   512            /* bytes of a state's text, the NUL included: it fits the smallest */

/* A resource lease: 1 MiB or more of a file or a device, whose last sector, which sanlock does not use, has the state. */
struct virSanlockResource {
    struct sanlk_resource resource;
    struct sanlk_disk disk;                /* resource.disks[0] */
    unsigned long long state;              /* where its state is in the file or the device */
    unsigned int sector;                   /* bytes */
};

/* What is to be done. The sectors come first, as they must be aligned. */
struct virSanlockTask {
    char sector[VIRT_SANLOCK_SECTOR];      /* what the state is to be; then what it was */
    char read[VIRT_SANLOCK_SECTOR];
    char from[VIRT_SANLOCK_TEXT];          /* the state's text from which it is changed; "": never written */
    struct virSanlockResource where;
};

enum virSanlockStage { VIRT_SANLOCK_REGISTER, VIRT_SANLOCK_ACQUIRE, VIRT_SANLOCK_OPEN, VIRT_SANLOCK_READ, VIRT_SANLOCK_WRITE };

/* What has become of it, by the seat's socket. */
struct virSanlockAnswer {
    int rc;                                /* negative: sanlock's or the system's, of `stage`. A change: 1: done; 0: the state was `text` */
    int stage;                             /* enum virSanlockStage */
    char text[VIRT_SANLOCK_TEXT];
};

/* Processes for virKeeperStart, with a task as the data. Each sends one answer. */
VIRT_INTERNAL void virSanlockSit(struct virKeeper *k);         /* holds the resource as long as the hypervisor lives */
VIRT_INTERNAL void virSanlockChange(struct virKeeper *k);      /* changes the state, and ends */

#endif
#endif
