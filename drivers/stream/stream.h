/*
 * Streams: what the files of this folder and virt.c have in common.
 *
 *   stream.c      the handle, its far end and its callback
 *   whole.c       all of the data in one call
 */
#ifndef VIRT_STREAM_STREAM_H
#define VIRT_STREAM_STREAM_H

#include "../driver.h"
#include "../common/core.h"

/* Whether an argument is a stream of this connection; the error is set if not. */
VIRT_INTERNAL bool virCallHasStream(const char *function, virStreamPtr stream, virConnectPtr conn);
/* For every function on a stream: resets the thread's error, and says what is wrong with the pointer. */
VIRT_INTERNAL bool virStreamIs(const char *function, virStreamPtr stream);

#endif
