/*
 * All of a stream's data in one call: from a function of the application's to the stream, or from the stream to a function; with holes or without.
 * A failure aborts the stream, as the application has nothing else left to do with it but to free it.
 */
#include "stream.h"
#include "../common/text.h"

#include <errno.h>
#include <stdint.h>

#define VIRT_FROM VIR_FROM_STREAMS

enum { VIRT_STREAM_PIECE = 262120 };  /* bytes at a time, libvirt's */

struct virStreamFunctions {
    virStreamSourceFunc source;
    virStreamSourceHoleFunc sourceHole;          /* with skip, or neither */
    virStreamSourceSkipFunc skip;
    virStreamSinkFunc sink;
    virStreamSinkHoleFunc sinkHole;              /* may be absent */
    void *opaque;
};

/* A function of the application's has failed; errno says why, if it says anything. */
static int
virStreamHandlerFailed(const char *which)
{
    return virReportSystemError(errno != 0 ? errno : EIO, "%s failed", which);
}

static int
virStreamSendPiece(virStreamPtr stream, const char *data, size_t length)
{
    size_t done = 0;
    int sent;

    while (done < length) {
        if ((sent = virStreamSend(stream, data + done, length - done)) < 0)
            return -1;
        done += (size_t)sent;
    }
    return 0;
}

static int
virStreamSendWhole(virStreamPtr stream, const struct virStreamFunctions *f, char *piece)
{
    long long left = 0;               /* of the data before the next hole */
    int got, inData = 0;
    size_t want;

    for (;;) {
        want = VIRT_STREAM_PIECE;
        if (f->sourceHole != NULL && left == 0) {
            errno = 0;
            if (f->sourceHole(stream, &inData, &left, f->opaque) < 0)
                return virStreamHandlerFailed("send holeHandler");
            if (!inData && left > 0) {
                if (virStreamSendHole(stream, left, 0) < 0)
                    return -1;
                errno = 0;
                if (f->skip(stream, left, f->opaque) < 0)
                    return virStreamHandlerFailed("send skipHandler");
                left = 0;
                continue;
            }
        }
        if (f->sourceHole != NULL && left < (long long)want)
            want = left > 0 ? (size_t)left : 0;
        errno = 0;
        if ((got = f->source(stream, piece, want, f->opaque)) < 0)
            return virStreamHandlerFailed("send handler");
        if (got == 0)
            return 0;
        if ((size_t)got > want)
            return virReportError(VIR_ERR_INTERNAL_ERROR, "send handler gave %d bytes where there was room for %zu", got, want);
        if (virStreamSendPiece(stream, piece, (size_t)got) < 0)
            return -1;
        left -= f->sourceHole != NULL ? got : 0;
    }
}

static int
virStreamRecvWhole(virStreamPtr stream, const struct virStreamFunctions *f, char *piece)
{
    long long hole;
    int got, took, done;

    for (;;) {
        got = virStreamRecvFlags(stream, piece, VIRT_STREAM_PIECE, f->sinkHole != NULL ? VIR_STREAM_RECV_STOP_AT_HOLE : 0);
        if (got == -3) {
            if (virStreamRecvHole(stream, &hole, 0) < 0)
                return -1;
            errno = 0;
            if (f->sinkHole(stream, hole, f->opaque) < 0)
                return virStreamHandlerFailed("recv holeHandler");
            continue;
        }
        if (got <= 0)
            return got;
        for (done = 0; done < got; done += took) {
            errno = 0;
            if ((took = f->sink(stream, piece + done, (size_t)(got - done), f->opaque)) < 0)
                return virStreamHandlerFailed("recv handler");
            if (took == 0 || took > got - done)
                return virReportError(VIR_ERR_INTERNAL_ERROR, "recv handler took %d of %d bytes", took, got - done);
        }
    }
}

static int
virStreamWhole(virStreamPtr stream, const struct virStreamFunctions *f, const char *what,
               int (*run)(virStreamPtr stream, const struct virStreamFunctions *f, char *piece))
{
    virError failure;
    char *piece;
    int rc = -1;

    if ((stream->flags & VIR_STREAM_NONBLOCK) != 0) {
        virReportError(VIR_ERR_OPERATION_INVALID, "%s cannot be used for non-blocking streams", what);
        virErrorDispatch(stream->conn);
        return -1;
    }
    if ((piece = virAllocate(VIRT_STREAM_PIECE)) != NULL)
        rc = run(stream, f, piece);
    free(piece);
    if (rc < 0) {
        virErrorCopy(&failure, virThreadError());
        virStreamAbort(stream);
        virSetLastError(&failure);
        virErrorClear(&failure);
        virErrorDispatch(stream->conn);
    }
    return rc;
}

/* `present` is the outcome of checking what must not be NULL. */
static int
virStreamWholeChecked(virStreamPtr stream, bool present, const struct virStreamFunctions *f)
{
    if (!present) {
        virErrorDispatch(stream->conn);
        return -1;
    }
    return f->source != NULL ? virStreamWhole(stream, f, "data sources", virStreamSendWhole)
                             : virStreamWhole(stream, f, "data sinks", virStreamRecvWhole);
}

#define VIRT_STREAM_HAS(argument) virCallHas(__func__, (const void *)(uintptr_t)argument, #argument)

int
virStreamSendAll(virStreamPtr stream, virStreamSourceFunc handler, void *opaque)
{
    if (!virStreamIs(__func__, stream))
        return -1;
    return virStreamWholeChecked(stream, VIRT_STREAM_HAS(handler), &(struct virStreamFunctions){ .source = handler, .opaque = opaque });
}

int
virStreamSparseSendAll(virStreamPtr stream, virStreamSourceFunc handler, virStreamSourceHoleFunc holeHandler,
                       virStreamSourceSkipFunc skipHandler, void *opaque)
{
    if (!virStreamIs(__func__, stream))
        return -1;
    return virStreamWholeChecked(stream, VIRT_STREAM_HAS(handler) && VIRT_STREAM_HAS(holeHandler) && VIRT_STREAM_HAS(skipHandler),
                                 &(struct virStreamFunctions){ .source = handler, .sourceHole = holeHandler, .skip = skipHandler,
                                                               .opaque = opaque });
}

int
virStreamRecvAll(virStreamPtr stream, virStreamSinkFunc handler, void *opaque)
{
    if (!virStreamIs(__func__, stream))
        return -1;
    return virStreamWholeChecked(stream, VIRT_STREAM_HAS(handler), &(struct virStreamFunctions){ .sink = handler, .opaque = opaque });
}

int
virStreamSparseRecvAll(virStreamPtr stream, virStreamSinkFunc handler, virStreamSinkHoleFunc holeHandler, void *opaque)
{
    if (!virStreamIs(__func__, stream))
        return -1;
    return virStreamWholeChecked(stream, VIRT_STREAM_HAS(handler) && VIRT_STREAM_HAS(holeHandler),
                                 &(struct virStreamFunctions){ .sink = handler, .sinkHole = holeHandler, .opaque = opaque });
}

#undef VIRT_STREAM_HAS
#undef VIRT_FROM
