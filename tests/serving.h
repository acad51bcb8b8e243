/*
 * The threads of a process that serves: those that carry out calls, and one that turns the event loop. Who includes this has included virt.h.
 */
#ifndef VIRT_TESTS_SERVING_H
#define VIRT_TESTS_SERVING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Carries out calls until the server is stopped. */
static inline void *
servingRun(void *server)
{
    return (void *)(intptr_t)virServerRun(server);
}

static inline void
servingTick(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

/* There is an event loop from now on, with a timer: it turns even when nothing else is in it. */
static inline bool
servingHasLoop(void)
{
    return virEventRegisterDefaultImpl() == 0 && virEventAddTimeout(1000, servingTick, NULL, NULL) >= 0;
}

/* Turns it for as long as the process lives. */
static inline void *
servingLoop(void *opaque)
{
    for (;;)
        if (virEventRunDefaultImpl() < 0)
            abort();
    return opaque;
}

#endif
