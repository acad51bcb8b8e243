/*
 * The far end of a stream that is a descriptor: a socket, a pseudo terminal, a pipe, a file.
 */
#ifndef VIRT_COMMON_FDSTREAM_H
#define VIRT_COMMON_FDSTREAM_H

#include "../driver.h"

struct virFdStream;

/*
 * A far end for this stream. It takes the descriptor over, also on failure, and makes it non-blocking. closed(opaque), which may be NULL, is called once,
 * when the stream is finished or aborted, without locks. A reference of the caller's, or NULL with the error set.
 */
VIRT_INTERNAL struct virFdStream *virFdStreamNew(virStreamPtr stream, int fd, void (*closed)(void *opaque), void *opaque);
/* Attaches it. 0, or -1 with the error set: closed is not called then. */
VIRT_INTERNAL int virFdStreamAttach(struct virFdStream *end);
/* The far end is gone, whatever the descriptor says: whoever waits is woken, every function fails from now on. `why` stays the caller's, a constant. */
VIRT_INTERNAL void virFdStreamEnd(struct virFdStream *end, const char *why);
/* Whether whoever had the other side of the descriptor has gone; what he has left can still be read. */
VIRT_INTERNAL bool virFdStreamHasHungUp(struct virFdStream *end);
VIRT_INTERNAL void virFdStreamUnref(void *end);

#endif
