/*
 * The client: the far end of a stream is at the server. Data comes by virt.stream.read, one request at a time, as soon as the application has
 * begun to receive: what has come waits here until it is fetched, and when there is too much of it nothing more is asked for. What is sent
 * goes by virt.stream.write, one at a time: with VIR_STREAM_NONBLOCK what comes meanwhile is put together for the next one, up to a bound;
 * without it the call ends when the far end has taken it. So each side is as fast as the other lets it be.
 *
 * Requests are calls that nobody waits for (remoteCall.took); the server keeps their replies, so that asked again they are the same data again.
 * Whoever waits here waits for the stream to change, with a call in the link's list that stands for him (`waiter`). A stream belongs to a
 * session: it ends with it. One without a virStream is the library's own, for carry.c.
 *
 * Readiness comes by a pipe that the event loop watches: whoever takes in a reply writes to it, whatever locks he has.
 */
#include "link.h"

#if VIRT_WITH_REMOTE

#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_STREAMS

#define REMOTE_STREAM_AHEAD  (256u << 10)         /* bytes that wait here, of either direction */
#define REMOTE_STREAM_PIECE  (128u << 10)         /* of one request */
#define REMOTE_STREAM_FINISH 15000000ull          /* us without any progress until finish gives up */
#define REMOTE_STREAM_ABORT  5000000ull

/* Bytes, the oldest first. */
struct remoteBuffer {
    char *data;
    size_t first, length, size;
};

struct remoteStream {
    atomic_int refs;                  /* the stream's, the watch's, and of its calls */
    struct remoteLink *link;          /* lives as long as the stream's connection, and the watch has a reference */
    unsigned long long number;
    bool own;                         /* there is no virStream, and none of the application's code is called for it */
    virStreamPtr stream;              /* no reference; guarded by the link's lock, as what follows */
    struct remoteStream *next;        /* in the link's list */
    bool listed;
    bool closed;                      /* finished or aborted */
    bool lost;                        /* its session has ended */

    struct remoteBuffer in, out;
    struct remoteCall *open, *read, *write, *end;        /* under way */
    unsigned long long hole;          /* comes after what is in `in`; 0: none */
    bool ended;                       /* so does the end */
    bool receives;                    /* the application has asked for data */
    virErrorPtr readError, writeError, endError;
    bool readFailed;                  /* nothing is read ahead any more */
    char *flight;                     /* what is being written: bytes, or a hole */
    size_t flightLength;
    long long sendHole;               /* to be sent when `out` is empty; -1: none */
    bool holeFlies;
    unsigned long long progress;      /* how often something was written */

    int wake[2];                      /* -1: never watched */
    int watch;                        /* guarded by the stream's lock; -1: none */
    int events;                       /* virStreamEventType that the application waits for */
    bool told;                        /* ... and it has heard of the error */
};

static void
remoteStreamFreeErrors(struct remoteStream *s)
{
    virFreeError(s->readError);
    virFreeError(s->writeError);
    virFreeError(s->endError);
    s->readError = s->writeError = s->endError = NULL;
}

VIRT_INTERNAL void
remoteStreamUnref(struct remoteStream *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    for (int i = 0; i < 2; i++)
        if (s->wake[i] >= 0)
            close(s->wake[i]);
    remoteStreamFreeErrors(s);
    free(s->in.data);
    free(s->out.data);
    free(s->flight);
    free(s);
}

/* ---------- bytes ---------- */

static int
remoteBufferAdd(struct remoteBuffer *buffer, const void *data, size_t length)
{
    char *grown;

    if (buffer->first > 0 && buffer->first + buffer->length + length > buffer->size) {
        memmove(buffer->data, buffer->data + buffer->first, buffer->length);
        buffer->first = 0;
    }
    if (buffer->length + length > buffer->size) {
        if ((grown = realloc(buffer->data, buffer->length + length)) == NULL)
            return virReportNoMemory();
        buffer->data = grown;
        buffer->size = buffer->length + length;
    }
    memcpy(buffer->data + buffer->first + buffer->length, data, length);
    buffer->length += length;
    return 0;
}

static size_t
remoteBufferTake(struct remoteBuffer *buffer, void *data, size_t most)
{
    size_t n = buffer->length < most ? buffer->length : most;

    memcpy(data, buffer->data + buffer->first, n);
    buffer->length -= n;
    buffer->first = buffer->length > 0 ? buffer->first + n : 0;
    return n;
}

/* ---------- readiness, with the link's lock held as in what follows ---------- */

static int
remoteStreamReady(const struct remoteStream *s)
{
    bool broken = s->lost || s->readError != NULL || s->writeError != NULL, more = s->in.length > 0 || s->hole > 0;

    return (more || s->ended || s->readError != NULL || s->lost ? VIR_STREAM_EVENT_READABLE : 0)
           | (s->out.length < REMOTE_STREAM_AHEAD ? VIR_STREAM_EVENT_WRITABLE : 0)
           | (broken && !more ? VIR_STREAM_EVENT_ERROR : 0)
           | ((s->lost || s->ended || s->readError != NULL) && !more ? VIR_STREAM_EVENT_HANGUP : 0);
}

/* What the application is to be told now. */
static int
remoteStreamNews(const struct remoteStream *s)
{
    int ready = remoteStreamReady(s);

    if (s->events == 0 || s->closed || ((ready & VIR_STREAM_EVENT_ERROR) != 0 && s->told))
        return 0;
    return ready & (s->events | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP);
}

/* Something has changed: whoever waits looks again. */
static void
remoteStreamChanged(struct remoteStream *s)
{
    remoteLinkWakeWaiters(s->link, s);
    if (s->wake[1] >= 0 && remoteStreamNews(s) != 0)
        virPlatformWakeSend(s->wake);
}

/* ---------- requests ---------- */

/* What went wrong becomes *error; keeps the thread's. */
static void
remoteStreamFail(const struct remoteStream *s, const struct remoteCall *call, const cJSON *error, virErrorPtr *into)
{
    if (error != NULL)
        remoteLinkReportReply(s->link, call->name, error);
    else
        virReportErrorFrom(VIR_FROM_RPC, VIR_ERR_RPC, __FILE__, __LINE__, "the answer of the server to %s makes no sense (%s)", call->name, s->link->uri);
    virFreeError(*into);
    *into = virSaveLastError();
}

static void
remoteStreamLose(struct remoteStream *s)
{
    s->lost = true;
    s->open = s->read = s->write = s->end = NULL;          /* they are the list's */
    s->out.length = s->out.first = 0;
    remoteStreamChanged(s);
}

VIRT_INTERNAL void
remoteStreamsLose(struct remoteLink *link)
{
    for (struct remoteStream *s = link->streams; s != NULL; s = s->next)
        remoteStreamLose(s);
}

static void remoteStreamGo(struct remoteStream *s);

static void
remoteStreamTookRead(struct remoteStream *s, const struct remoteCall *call, const cJSON *result, const cJSON *error)
{
    const char *text = virJsonString(result, "data");
    unsigned long long hole = 0;
    unsigned char *data = NULL;
    size_t length = 0;
    bool end = false, wrong = result == NULL;

    if (virJsonGet(result, "hole") != NULL)
        wrong = virJsonULongLong(result, "hole", &hole) < 0 || hole > LLONG_MAX;
    if (text != NULL)
        wrong = (data = remoteBytesParse(text, &length)) == NULL || length > REMOTE_STREAM_PIECE || remoteBufferAdd(&s->in, data, length) < 0;
    virJsonBool(result, "end", &end);
    free(data);
    if (wrong) {
        remoteStreamFail(s, call, error, &s->readError);
        s->readFailed = true;
        return;
    }
    s->hole = hole;
    s->ended = end;
}

static void
remoteStreamTookWrite(struct remoteStream *s, const struct remoteCall *call, const cJSON *result, const cJSON *error)
{
    unsigned long long written = 0;

    if (virJsonULongLong(result, "written", &written) < 0 || written > s->flightLength) {
        remoteStreamFail(s, call, error, &s->writeError);
        s->flightLength = s->out.length = s->out.first = 0;
        s->holeFlies = false;
        s->sendHole = -1;
        return;
    }
    s->progress += written > 0 || s->holeFlies;
    s->flightLength -= (size_t)written;
    if (s->flightLength > 0)
        memmove(s->flight, s->flight + written, s->flightLength);
    if (s->holeFlies)
        s->sendHole = -1;
    s->holeFlies = false;
}

static void
remoteStreamTook(struct remoteLink *link, struct remoteCall *call)
{
    virErrorPtr before = virSaveLastError();
    struct remoteStream *s = call->stream;
    cJSON *message = call->body.text != NULL ? virJsonParse(call->body.text, call->body.length, "the server") : NULL;
    const cJSON *result = virJsonGet(message, "result"), *error = virJsonGet(message, "error");
    unsigned long long id = 0;
    int code = 0;

    virJsonInt(error, "code", &code);
    if (call->failure != REMOTE_CALL_GOES_ON) {
        remoteStreamLose(s);
    } else if (code == -32001) {
        if (link->state == REMOTE_LINK_UP && call->generation == link->generation)
            remoteLinkRenew(link, "the server does not know the session any more");
        remoteStreamLose(s);
    } else {
        if (virJsonULongLong(message, "id", &id) < 0 || id != call->id)
            result = error = NULL;
        if (call == s->read) {
            s->read = NULL;
            remoteStreamTookRead(s, call, result, error);
        } else if (call == s->write) {
            s->write = NULL;
            remoteStreamTookWrite(s, call, result, error);
        } else if (call == s->open || call == s->end) {
            s->open = s->end = NULL;
            if (result == NULL)
                remoteStreamFail(s, call, error, &s->endError);
        }
        remoteStreamGo(s);
    }
    remoteStreamChanged(s);
    cJSON_Delete(message);
    remoteCallFree(call);
    virRestoreLastError(before);
}

/* A request under way; NULL with the error set. params is taken over. */
static struct remoteCall *
remoteStreamAsk(struct remoteStream *s, const char *name, cJSON *params)
{
    struct remoteCall *call = remoteCallNew(NULL, name, params != NULL ? virJsonFormat(params) : NULL);

    cJSON_Delete(params);
    if (call == NULL)
        return NULL;
    call->took = remoteStreamTook;
    call->kept = true;
    call->stream = s;
    atomic_fetch_add(&s->refs, 1);
    return call;
}

static struct remoteCall *
remoteStreamAskWrite(struct remoteStream *s)
{
    VIRT_CLEANUP_FREE char *text = NULL;
    size_t piece = s->link->partSize / 4 * 3 > 1024 ? s->link->partSize / 4 * 3 - 512 : 512;

    if (s->flightLength == 0 && s->out.length > 0) {
        piece = piece < REMOTE_STREAM_PIECE ? piece : REMOTE_STREAM_PIECE;
        if (s->flight == NULL && (s->flight = malloc(REMOTE_STREAM_PIECE)) == NULL) {
            virReportNoMemory();
            return NULL;
        }
        s->flightLength = remoteBufferTake(&s->out, s->flight, piece);
    }
    if (s->flightLength > 0) {
        text = remoteBytesFormat(s->flight, s->flightLength);
        return text != NULL ? remoteStreamAsk(s, "virt.stream.write", virJsonObject("u:stream", s->number, "s:data", text, NULL)) : NULL;
    }
    s->holeFlies = true;
    return remoteStreamAsk(s, "virt.stream.hole", virJsonObject("u:stream", s->number, "u:length", (unsigned long long)s->sendHole, NULL));
}

/* Begins what can be begun. */
static void
remoteStreamGo(struct remoteStream *s)
{
    virErrorPtr before;

    if (s->lost || s->closed || s->open != NULL || s->end != NULL)
        return;
    before = virSaveLastError();
    s->link->loopStale = s->link->loopStale || s->events != 0;
    if (s->read == NULL && s->receives && !s->readFailed && !s->ended && s->hole == 0 && s->in.length + REMOTE_STREAM_PIECE <= REMOTE_STREAM_AHEAD) {
        s->read = remoteStreamAsk(s, "virt.stream.read", virJsonObject("u:stream", s->number, "u:max", (unsigned long long)REMOTE_STREAM_PIECE, NULL));
        if (s->read != NULL) {
            remoteLinkAdd(s->link, s->read);
        } else {
            virFreeError(s->readError);
            s->readError = virSaveLastError();
            s->readFailed = true;
        }
    }
    if (s->write == NULL && s->writeError == NULL && (s->flightLength > 0 || s->out.length > 0 || s->sendHole >= 0)) {
        if ((s->write = remoteStreamAskWrite(s)) != NULL)
            remoteLinkAdd(s->link, s->write);
        else
            s->writeError = virSaveLastError();
    }
    virRestoreLastError(before);
}

/* ---------- the slots ---------- */

static int
remoteStreamNotOpen(const struct remoteStream *s)
{
    if (s->closed)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "stream is not open");
    return virReportErrorFrom(VIR_FROM_RPC, VIR_ERR_RPC, __FILE__, __LINE__,
                              "the connection to the server was lost, and the stream with it (%s)", s->link->uri);
}

/* The error becomes the thread's: once, where the next attempt has its own. */
static int
remoteStreamThrow(struct remoteStream *s, virErrorPtr *error, bool once)
{
    virSetLastError(*error);
    if (once) {
        virFreeError(*error);
        *error = NULL;
    }
    s->told = false;
    return -1;
}

/* What had to wait until the lock was let go. A thread of carry.c leaves to others what calls the application. */
static void
remoteStreamSettle(const struct remoteStream *s)
{
    if (!s->own || virEventLoopIsRegistered())
        remoteLinkSettle(s->link);
}

/* Lock held, let go meanwhile: until something of the stream changes, or `end`. -1 with the error set. */
static int
remoteStreamWait(struct remoteStream *s, unsigned long long end)
{
    struct remoteLink *link = s->link;
    struct remoteCall *waiter = remoteCallNew(NULL, "a stream", virStringCopy("{}"));

    if (waiter == NULL)
        return -1;
    waiter->stream = s;
    atomic_fetch_add(&s->refs, 1);
    remoteLinkAddWaiter(link, waiter);
    while (waiter->state == REMOTE_CALL_HELD && (end == 0 || virTimeNowUs() < end))
        remoteLinkWaitStep(link, waiter, end);
    remoteLinkRemoveWaiter(link, waiter);
    pthread_mutex_unlock(&link->lock);
    remoteStreamSettle(s);
    pthread_mutex_lock(&link->lock);
    remoteCallFree(waiter);
    return 0;
}

/* What has come, as the slots answer; -4: nothing yet. */
static int
remoteStreamGive(struct remoteStream *s, char *data, size_t nbytes, unsigned int flags)
{
    size_t n;

    if (s->closed)
        return remoteStreamNotOpen(s);
    if (s->in.length > 0) {
        n = remoteBufferTake(&s->in, data, nbytes);
    } else if (s->hole > 0) {
        if ((flags & VIR_STREAM_RECV_STOP_AT_HOLE) != 0)
            return -3;
        n = nbytes < s->hole ? nbytes : (size_t)s->hole;
        memset(data, 0, n);
        s->hole -= n;
    } else if (s->readError != NULL) {
        return remoteStreamThrow(s, &s->readError, true);
    } else if (s->ended) {
        return 0;
    } else if (s->lost) {
        return remoteStreamNotOpen(s);
    } else {
        return -4;
    }
    return (int)n;
}

static int
remoteStreamHole(struct remoteStream *s, long long *length)
{
    if (s->closed)
        return remoteStreamNotOpen(s);
    if (s->in.length == 0 && s->hole == 0) {
        if (s->readError != NULL)
            return remoteStreamThrow(s, &s->readError, true);
        if (!s->ended)
            return s->lost ? remoteStreamNotOpen(s) : -4;
    }
    *length = s->in.length > 0 ? 0 : (long long)s->hole;
    if (*length > 0)
        s->hole = 0;
    return 0;
}

/* data NULL: a hole. */
static int
remoteStreamReceive(struct remoteStream *s, bool blocks, char *data, size_t nbytes, unsigned int flags, long long *hole)
{
    struct remoteLink *link = s->link;
    bool pumped = false;
    int rc;

    if (remoteLinkCheckProcess(link) < 0)
        return -1;
    pthread_mutex_lock(&link->lock);
    s->receives = true;
    while ((rc = data != NULL ? remoteStreamGive(s, data, nbytes, flags) : remoteStreamHole(s, hole)) == -4) {
        s->readFailed = false;
        remoteStreamGo(s);
        if (blocks) {
            if ((rc = remoteStreamWait(s, 0)) < 0)
                break;
        } else if (pumped) {
            rc = -2;
            break;
        } else {
            remoteLinkPump(link);
            pumped = true;
        }
    }
    if (rc >= 0)
        remoteStreamGo(s);
    pthread_mutex_unlock(&link->lock);
    remoteStreamSettle(s);
    return rc;
}

static bool
remoteStreamBlocks(virStreamPtr stream)
{
    return (stream->flags & VIR_STREAM_NONBLOCK) == 0;
}

static int
remoteStreamRecv(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags)
{
    return remoteStreamReceive(stream->priv, remoteStreamBlocks(stream), data, nbytes, flags, NULL);
}

static int
remoteStreamRecvHole(virStreamPtr stream, long long *length, unsigned int flags)
{
    (void)flags;
    return remoteStreamReceive(stream->priv, remoteStreamBlocks(stream), NULL, 0, 0, length);
}

static bool
remoteStreamIsIdle(const struct remoteStream *s)
{
    return s->write == NULL && s->out.length == 0 && s->flightLength == 0 && s->sendHole < 0;
}

/* Why nothing can be sent: -1 with the error set. */
static int
remoteStreamCanSend(struct remoteStream *s, bool blocks)
{
    if (s->closed || s->lost)
        return remoteStreamNotOpen(s);
    return s->writeError != NULL ? remoteStreamThrow(s, &s->writeError, blocks) : 0;
}

/* Takes in what is sent: how much, -2: no room, -1. */
static int
remoteStreamAccept(struct remoteStream *s, const char *data, size_t nbytes, long long hole)
{
    size_t room = s->out.length < REMOTE_STREAM_AHEAD ? REMOTE_STREAM_AHEAD - s->out.length : 0, n = nbytes < room ? nbytes : room;

    if (s->sendHole >= 0 || (data != NULL && n == 0))
        return -2;
    if (data == NULL) {
        s->sendHole = hole;
        return 0;
    }
    return remoteBufferAdd(&s->out, data, n) < 0 ? -1 : (int)n;
}

/* data NULL: a hole. */
static int
remoteStreamPut(struct remoteStream *s, bool blocks, const char *data, size_t nbytes, long long hole)
{
    struct remoteLink *link = s->link;
    int rc;

    if (remoteLinkCheckProcess(link) < 0)
        return -1;
    pthread_mutex_lock(&link->lock);
    if (!blocks)
        remoteLinkPump(link);
    while ((rc = remoteStreamCanSend(s, blocks)) == 0 && blocks && !remoteStreamIsIdle(s))
        if ((rc = remoteStreamWait(s, 0)) < 0)
            break;
    if (rc == 0 && (rc = remoteStreamAccept(s, data, nbytes < REMOTE_STREAM_PIECE ? nbytes : REMOTE_STREAM_PIECE, hole)) >= 0) {
        remoteStreamGo(s);
        while (blocks && rc >= 0 && !remoteStreamIsIdle(s))
            if (remoteStreamCanSend(s, true) < 0 || remoteStreamWait(s, 0) < 0)
                rc = -1;
        if (blocks && rc >= 0 && remoteStreamCanSend(s, true) < 0)
            rc = -1;
    }
    pthread_mutex_unlock(&link->lock);
    remoteStreamSettle(s);
    return rc;
}

static int
remoteStreamSend(virStreamPtr stream, const char *data, size_t nbytes)
{
    return remoteStreamPut(stream->priv, remoteStreamBlocks(stream), data, nbytes, -1);
}

static int
remoteStreamSendHole(virStreamPtr stream, long long length, unsigned int flags)
{
    (void)flags;
    return remoteStreamPut(stream->priv, remoteStreamBlocks(stream), NULL, 0, length);
}

/* ---------- events ---------- */

static void
remoteStreamReadable(int watch, int fd, int events, void *opaque)
{
    struct remoteStream *s = opaque;
    virStreamPtr stream = NULL;
    int news;

    (void)watch;
    (void)fd;
    (void)events;
    if (s->link->pid != getpid())
        return;
    pthread_mutex_lock(&s->link->lock);
    if ((news = remoteStreamNews(s)) == 0)
        virPlatformWakeDrain(s->wake);
    else if (s->stream != NULL && virStreamTryRef(s->stream))
        stream = s->stream;
    if (stream != NULL && (news & VIR_STREAM_EVENT_ERROR) != 0)
        s->told = true;
    pthread_mutex_unlock(&s->link->lock);
    if (stream == NULL)
        return;
    virStreamDeliver(stream, news);
    virStreamFree(stream);
}

static void
remoteStreamUnwatched(void *opaque)
{
    struct remoteStream *s = opaque;
    struct remoteLink *link = s->link;

    remoteStreamUnref(s);
    remoteLinkUnref(link);
}

/* With the stream's lock held. */
static int
remoteStreamAddWatch(struct remoteStream *s)
{
    if (s->wake[0] < 0 && virPlatformWakeOpen(s->wake) < 0) {
        s->wake[0] = s->wake[1] = -1;
        return virReportSystemError(errno, "cannot watch the stream");
    }
    atomic_fetch_add(&s->refs, 1);
    atomic_fetch_add(&s->link->refs, 1);
    s->watch = virEventAddHandle(s->wake[0], VIR_EVENT_HANDLE_READABLE, remoteStreamReadable, s, remoteStreamUnwatched);
    if (s->watch >= 0)
        return 0;
    atomic_fetch_sub(&s->refs, 1);
    atomic_fetch_sub(&s->link->refs, 1);
    return virReportError(VIR_ERR_INTERNAL_ERROR, "cannot watch the stream: %s",
                          virEventLoopIsRegistered() ? "the event loop takes no watch" : "no event loop is registered");
}

static int
remoteStreamWatch(virStreamPtr stream, int events)
{
    struct remoteStream *s = stream->priv;
    struct remoteLink *link = s->link;
    bool begins;

    if (link->pid != getpid())
        return events != 0 ? remoteLinkCheckProcess(link) : 0;
    if (events != 0 && s->watch < 0 && remoteStreamAddWatch(s) < 0)
        return -1;
    pthread_mutex_lock(&link->lock);
    begins = s->events == 0 && events != 0;
    link->watched += (events != 0) - (s->events != 0);
    s->events = events;
    s->receives = s->receives || (events & VIR_STREAM_EVENT_READABLE) != 0;
    if (begins)
        s->told = false;
    remoteStreamGo(s);
    remoteStreamChanged(s);
    pthread_mutex_unlock(&link->lock);
    if (events == 0 && s->watch >= 0) {
        virEventRemoveHandle(s->watch);
        s->watch = -1;
    }
    if (virEventLoopIsRegistered())
        remoteLinkSyncLoop(link);     /* replies are to be taken in with nobody calling */
    return 0;
}

/* ---------- the end ---------- */

/* Sends the last request and waits for its answer. Lock held, let go meanwhile. 1: done; 0: the time is up; -1: it failed, endError says why. */
static int
remoteStreamSendEnd(struct remoteStream *s, const char *name, unsigned long long limit)
{
    unsigned long long end = virTimeNowUs() + limit;

    virFreeError(s->endError);
    s->endError = NULL;
    if (s->lost || (s->end = remoteStreamAsk(s, name, virJsonObject("u:stream", s->number, NULL))) == NULL)
        return -1;
    remoteLinkAdd(s->link, s->end);
    while (s->end != NULL && virTimeNowUs() < end)
        if (remoteStreamWait(s, end) < 0)
            break;
    if (s->end != NULL)
        return 0;
    return s->endError == NULL && !s->lost ? 1 : -1;
}

static void
remoteStreamDrop(struct remoteStream *s, struct remoteCall **call)
{
    struct remoteCall *dropped = *call;

    *call = NULL;
    if (dropped == NULL)
        return;
    remoteLinkRemove(s->link, dropped);
    remoteCallFree(dropped);
}

/* No data is under way any more, and nobody waits for any. */
static void
remoteStreamStop(struct remoteStream *s)
{
    s->closed = true;
    remoteStreamDrop(s, &s->open);
    remoteStreamDrop(s, &s->read);
    remoteStreamDrop(s, &s->write);
    remoteStreamChanged(s);
}

static void
remoteStreamUnlist(struct remoteStream *s)
{
    struct remoteStream **at = &s->link->streams;

    if (!s->listed)
        return;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->listed = false;
}

/* The link has nothing to do with it any more. */
VIRT_INTERNAL void
remoteStreamShut(struct remoteStream *s)
{
    remoteStreamStop(s);
    remoteStreamDrop(s, &s->end);
    remoteStreamUnlist(s);
}

/* All that was sent arrives first: as long as that goes on. 0, or -1 with the error set. */
static int
remoteStreamFlush(struct remoteStream *s)
{
    unsigned long long progress = s->progress, end = virTimeNowUs() + REMOTE_STREAM_FINISH;

    while (!s->lost && s->writeError == NULL && !remoteStreamIsIdle(s)) {
        if (s->progress != progress) {
            progress = s->progress;
            end = virTimeNowUs() + REMOTE_STREAM_FINISH;
        }
        if (virTimeNowUs() >= end)
            return virReportError(VIR_ERR_OPERATION_TIMEOUT, "the far end does not take what was sent to the stream");
        if (remoteStreamWait(s, end) < 0)
            return -1;
    }
    return remoteStreamCanSend(s, true);
}

VIRT_INTERNAL int
remoteStreamFinishOwn(struct remoteStream *s)
{
    struct remoteLink *link = s->link;
    int rc;

    if (remoteLinkCheckProcess(link) < 0)
        return -1;
    pthread_mutex_lock(&link->lock);
    if ((rc = remoteStreamFlush(s)) == 0 && (rc = remoteStreamSendEnd(s, "virt.stream.finish", REMOTE_STREAM_FINISH)) <= 0) {
        if (rc == 0)
            virReportError(VIR_ERR_OPERATION_TIMEOUT, "the server has not answered that the stream is finished");
        else if (s->endError != NULL)
            virSetLastError(s->endError);
        else
            remoteStreamNotOpen(s);
        remoteStreamDrop(s, &s->end);
        rc = -1;
    }
    if (rc >= 0)
        remoteStreamShut(s);
    pthread_mutex_unlock(&link->lock);
    remoteStreamSettle(s);
    return rc < 0 ? -1 : 0;
}

static int
remoteStreamFinish(virStreamPtr stream)
{
    return remoteStreamFinishOwn(stream->priv);
}

/* A server that does not answer, or is not there, ends it with the session. */
static int
remoteStreamAbort(virStreamPtr stream)
{
    struct remoteStream *s = stream->priv;
    struct remoteLink *link = s->link;
    virErrorPtr before, error = NULL;

    if (link->pid != getpid())
        return 0;
    before = virSaveLastError();
    pthread_mutex_lock(&link->lock);
    remoteStreamStop(s);
    if (!s->lost && remoteStreamSendEnd(s, "virt.stream.abort", REMOTE_STREAM_ABORT) < 0 && s->endError != NULL) {
        error = s->endError;
        s->endError = NULL;
    }
    remoteStreamShut(s);
    pthread_mutex_unlock(&link->lock);
    virRestoreLastError(before);
    remoteStreamSettle(s);
    if (error == NULL)
        return 0;
    virSetLastError(error);
    virFreeError(error);
    return -1;
}

static void
remoteStreamFree(virStreamPtr stream)
{
    struct remoteStream *s = stream->priv;

    if (s->link->pid != getpid())
        return;                       /* a forked child: a lock may be held by a thread that is not here */
    pthread_mutex_lock(&s->link->lock);
    remoteStreamShut(s);
    s->stream = NULL;
    pthread_mutex_unlock(&s->link->lock);
    remoteStreamUnref(s);
}

#define REMOTE_STREAM_SLOTS .send = remoteStreamSend, .recv = remoteStreamRecv, .finish = remoteStreamFinish, .abort = remoteStreamAbort, \
                            .watch = remoteStreamWatch, .free = remoteStreamFree

/* By what the far end has: holes that are sent, and those that are received. */
static const struct virStreamDriver remoteStreamDrivers[4] = {
    { REMOTE_STREAM_SLOTS },
    { REMOTE_STREAM_SLOTS, .sendHole = remoteStreamSendHole },
    { REMOTE_STREAM_SLOTS, .recvHole = remoteStreamRecvHole },
    { REMOTE_STREAM_SLOTS, .sendHole = remoteStreamSendHole, .recvHole = remoteStreamRecvHole },
};

/* With the link's lock held: a stream that the link looks after; a reference, or NULL with the error set. */
static struct remoteStream *
remoteStreamNew(struct remoteLink *link, unsigned long long number, virStreamPtr stream)
{
    struct remoteStream *s = virAllocate(sizeof(*s));

    if (s == NULL)
        return NULL;
    *s = (struct remoteStream){ .link = link, .number = number, .own = stream == NULL, .stream = stream, .wake = { -1, -1 }, .watch = -1,
                                .sendHole = -1, .listed = true, .next = link->streams };
    atomic_init(&s->refs, 1);
    link->streams = s;
    return s;
}

VIRT_INTERNAL unsigned long long
remoteStreamNumber(virStreamPtr stream)
{
    struct remoteLink *link = remoteConnectionOf(stream->conn)->link;
    unsigned long long number;
    bool taken;

    if (remoteLinkCheckProcess(link) < 0)
        return 0;
    pthread_mutex_lock(&stream->lock);
    taken = stream->driver != NULL;
    pthread_mutex_unlock(&stream->lock);
    if (taken) {
        virReportError(VIR_ERR_OPERATION_INVALID, "the stream is in use already: each call needs a new one");
        return 0;
    }
    pthread_mutex_lock(&link->lock);
    number = ++link->lastStream;
    pthread_mutex_unlock(&link->lock);
    return number;
}

VIRT_INTERNAL int
remoteStreamOpened(virStreamPtr stream, unsigned long long number, bool sends, bool receives)
{
    struct remoteLink *link = remoteConnectionOf(stream->conn)->link;
    struct remoteStream *s;
    int rc = -1;

    pthread_mutex_lock(&link->lock);
    if ((s = remoteStreamNew(link, number, stream)) != NULL)
        s->lost = link->state != REMOTE_LINK_UP;
    pthread_mutex_unlock(&link->lock);
    if (s != NULL) {
        if ((rc = virStreamAttach(stream, &remoteStreamDrivers[sends + 2 * receives], s)) == 0)
            return 0;
        pthread_mutex_lock(&link->lock);
        remoteStreamShut(s);
        pthread_mutex_unlock(&link->lock);
        remoteStreamUnref(s);
    }
    /* another thread was faster, or there is no memory */
    virErrorPtr saved = virSaveLastError();
    cJSON_Delete(remoteLinkAsk(link, "virt.stream.abort", virJsonObject("u:stream", number, NULL), virTimeNowUs() + REMOTE_STREAM_ABORT));
    virRestoreLastError(saved);
    return rc;
}

/* ---------- the library's own ---------- */

VIRT_INTERNAL struct remoteStream *
remoteStreamBegin(struct remoteLink *link)
{
    struct remoteStream *s = remoteStreamNew(link, link->lastStream + 1, NULL);

    if (s == NULL)
        return NULL;
    link->lastStream++;
    if ((s->open = remoteStreamAsk(s, "virt.stream.open", virJsonObject("u:stream", s->number, NULL))) == NULL) {
        remoteStreamUnlist(s);
        remoteStreamUnref(s);
        return NULL;
    }
    remoteLinkAdd(link, s->open);
    return s;
}

VIRT_INTERNAL int
remoteStreamAwait(struct remoteStream *s, unsigned long long end, unsigned long long *number)
{
    while (s->open != NULL && (end == 0 || virTimeNowUs() < end))
        if (remoteStreamWait(s, end) < 0)
            return -1;
    *number = s->number;
    if (s->endError != NULL)
        return remoteStreamThrow(s, &s->endError, false);
    return s->lost ? -2 : s->open == NULL;
}

VIRT_INTERNAL int
remoteStreamSendOwn(struct remoteStream *s, const char *data, size_t nbytes)
{
    return remoteStreamPut(s, true, data, nbytes, -1);
}

VIRT_INTERNAL int
remoteStreamRecvOwn(struct remoteStream *s, char *data, size_t nbytes)
{
    return remoteStreamReceive(s, true, data, nbytes, 0, NULL);
}

VIRT_INTERNAL void
remoteStreamAbandon(struct remoteStream *s)
{
    virErrorPtr before;

    if (!s->listed)
        return;
    before = virSaveLastError();
    remoteStreamStop(s);
    if (!s->lost && s->end == NULL && (s->end = remoteStreamAsk(s, "virt.stream.abort", virJsonObject("u:stream", s->number, NULL))) != NULL)
        remoteLinkAdd(s->link, s->end);          /* which has a reference until it is answered */
    remoteStreamUnlist(s);
    virRestoreLastError(before);
}

#undef REMOTE_STREAM_AHEAD
#undef REMOTE_STREAM_PIECE
#undef REMOTE_STREAM_FINISH
#undef REMOTE_STREAM_ABORT
#undef REMOTE_STREAM_SLOTS
#undef VIRT_FROM

#endif
