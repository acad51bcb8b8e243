/*
 * The stream's handle: a channel for bytes between the application and a far end, which the call that is given the stream attaches (see struct
 * virStreamDriver). Here are what all far ends have in common: the handle, whether it has ended, and the application's callback.
 */
#include "stream.h"
#include "../common/text.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>

#define VIRT_FROM VIR_FROM_STREAMS

struct virStreamCallback {
    atomic_int refs;                  /* the registration's, and one for each call under way */
    int events;                       /* virStreamEventType, with the stream's lock */
    virStreamEventCallback cb;
    void *opaque;
    virFreeCallback ff;
};

static void
virStreamCallbackUnref(struct virStreamCallback *callback)
{
    if (callback == NULL || atomic_fetch_sub(&callback->refs, 1) > 1)
        return;
    if (callback->ff != NULL)
        callback->ff(callback->opaque);
    free(callback);
}

VIRT_INTERNAL bool
virStreamIs(const char *function, virStreamPtr stream)
{
    virResetLastError();
    if (virHandleIs(stream, VIRT_MAGIC_STREAM))
        return true;
    virReportError(VIR_ERR_INVALID_STREAM, "%s", function);
    virErrorDispatch(NULL);
    return false;
}

VIRT_INTERNAL bool
virCallHasStream(const char *function, virStreamPtr stream, virConnectPtr conn)
{
    if (!virHandleIs(stream, VIRT_MAGIC_STREAM))
        virReportError(VIR_ERR_INVALID_STREAM, "%s", function);
    else if (stream->conn != conn)
        virReportError(VIR_ERR_INVALID_ARG, "stream in %s must match the connection of the domain", function);
    else
        return true;
    return false;
}

/* ---------- what drivers call ---------- */

int
virStreamAttach(virStreamPtr stream, const struct virStreamDriver *driver, void *priv)
{
    bool taken;

    pthread_mutex_lock(&stream->lock);
    taken = stream->driver != NULL;
    if (!taken) {
        stream->priv = priv;
        stream->driver = driver;
    }
    pthread_mutex_unlock(&stream->lock);
    return taken ? virReportError(VIR_ERR_OPERATION_INVALID, "the stream is in use already: each call needs a new one") : 0;
}

void
virStreamDeliver(virStreamPtr stream, int events)
{
    struct virStreamCallback *callback;

    pthread_mutex_lock(&stream->lock);
    callback = stream->callback;
    if (callback != NULL) {
        events &= callback->events | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP;
        if (events != 0)
            atomic_fetch_add(&callback->refs, 1);
    }
    pthread_mutex_unlock(&stream->lock);
    if (callback == NULL || events == 0)
        return;
    callback->cb(stream, events, callback->opaque);
    virStreamCallbackUnref(callback);
}

bool
virStreamTryRef(virStreamPtr stream)
{
    return virHandleTryRef(&stream->handle);
}

/* ---------- the handle ---------- */

virStreamPtr
virStreamNew(virConnectPtr conn, unsigned int flags)
{
    virStreamPtr stream = NULL;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return NULL;
    if ((flags & ~(unsigned int)VIR_STREAM_NONBLOCK) != 0)
        virReportUnsupportedFlags(__func__, flags & ~(unsigned int)VIR_STREAM_NONBLOCK);
    else
        stream = virAllocate(sizeof(*stream));
    if (stream == NULL) {
        virErrorDispatch(conn);
        return NULL;
    }
    virHandleInit(&stream->handle, VIRT_MAGIC_STREAM);
    pthread_mutex_init(&stream->lock, NULL);
    virHandleRef(&conn->handle);
    stream->conn = conn;
    stream->flags = flags;
    return stream;
}

int
virStreamRef(virStreamPtr stream)
{
    if (!virStreamIs(__func__, stream))
        return -1;
    virHandleRef(&stream->handle);
    return 0;
}

int
virStreamFree(virStreamPtr stream)
{
    virConnectPtr conn;

    if (!virStreamIs(__func__, stream))
        return -1;
    if (virHandleUnref(&stream->handle) > 0)
        return 0;
    conn = stream->conn;
    if (stream->driver != NULL) {
        pthread_mutex_lock(&stream->lock);
        if (stream->callback != NULL)
            stream->driver->watch(stream, 0);
        pthread_mutex_unlock(&stream->lock);
        if (!stream->over && stream->driver->abort != NULL && stream->driver->abort(stream) < 0)
            virLog(VIR_LOG_WARN, "stream", "a stream that was freed before its end could not be aborted: %s", virGetLastErrorMessage());
        stream->driver->free(stream);
    }
    virStreamCallbackUnref(stream->callback);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
    virConnectClose(conn);
    return 0;
}

/* ---------- the far end ---------- */

/* The far end of a stream that is open, or NULL with the error set. */
static const struct virStreamDriver *
virStreamFarEnd(const char *function, virStreamPtr stream)
{
    const struct virStreamDriver *driver;
    bool over;

    pthread_mutex_lock(&stream->lock);
    driver = stream->driver;
    over = stream->over;
    pthread_mutex_unlock(&stream->lock);
    if (driver == NULL)
        virReportError(VIR_ERR_NO_SUPPORT, "%s (the stream was given to no call yet)", function);
    else if (over)
        virReportError(VIR_ERR_INTERNAL_ERROR, "stream is not open");
    return over ? NULL : driver;
}

static int
virStreamNoSupport(const char *function, virStreamPtr stream)
{
    return virReportError(VIR_ERR_NO_SUPPORT, "%s (driver %s)", function, stream->conn->driver->name);
}

/* How a public function ends: -1 is told to who wants to know. */
static int
virStreamEnd(virStreamPtr stream, int rc)
{
    if (rc == -1)
        virErrorDispatch(stream->conn);
    return rc;
}

int
virStreamSend(virStreamPtr stream, const char *data, size_t nbytes)
{
    const struct virStreamDriver *driver;
    int rc = -1;

    if (!virStreamIs(__func__, stream))
        return -1;
    if (virCallHas(__func__, data, "data") && (driver = virStreamFarEnd(__func__, stream)) != NULL) {
        if (driver->send == NULL)
            virStreamNoSupport(__func__, stream);
        else
            rc = nbytes == 0 ? 0 : driver->send(stream, data, nbytes < INT_MAX ? nbytes : INT_MAX);
    }
    return virStreamEnd(stream, rc);
}

static int
virStreamReceive(const char *function, virStreamPtr stream, char *data, size_t nbytes, unsigned int flags)
{
    const struct virStreamDriver *driver;
    int rc = -1;

    if (!virStreamIs(function, stream))
        return -1;
    if ((flags & ~(unsigned int)VIR_STREAM_RECV_STOP_AT_HOLE) != 0)
        virReportUnsupportedFlags(function, flags & ~(unsigned int)VIR_STREAM_RECV_STOP_AT_HOLE);
    else if (virCallHas(function, data, "data") && (driver = virStreamFarEnd(function, stream)) != NULL) {
        if (driver->recv == NULL)
            virStreamNoSupport(function, stream);
        else
            rc = nbytes == 0 ? 0 : driver->recv(stream, data, nbytes < INT_MAX ? nbytes : INT_MAX, flags);
    }
    return virStreamEnd(stream, rc);
}

int
virStreamRecv(virStreamPtr stream, char *data, size_t nbytes)
{
    return virStreamReceive(__func__, stream, data, nbytes, 0);
}

int
virStreamRecvFlags(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags)
{
    return virStreamReceive(__func__, stream, data, nbytes, flags);
}

int
virStreamSendHole(virStreamPtr stream, long long length, unsigned int flags)
{
    const struct virStreamDriver *driver;
    int rc = -1;

    if (!virStreamIs(__func__, stream))
        return -1;
    if (flags != 0)
        virReportUnsupportedFlags(__func__, flags);
    else if (length < 0)
        virReportError(VIR_ERR_INVALID_ARG, "length in %s must not be negative", __func__);
    else if ((driver = virStreamFarEnd(__func__, stream)) != NULL)
        rc = driver->sendHole != NULL ? driver->sendHole(stream, length, flags) : virStreamNoSupport(__func__, stream);
    return virStreamEnd(stream, rc);
}

int
virStreamRecvHole(virStreamPtr stream, long long *length, unsigned int flags)
{
    const struct virStreamDriver *driver;
    int rc = -1;

    if (!virStreamIs(__func__, stream))
        return -1;
    if (flags != 0)
        virReportUnsupportedFlags(__func__, flags);
    else if (virCallHas(__func__, length, "length") && (driver = virStreamFarEnd(__func__, stream)) != NULL)
        rc = driver->recvHole != NULL ? driver->recvHole(stream, length, flags) : virStreamNoSupport(__func__, stream);
    return virStreamEnd(stream, rc);
}

/*
 * The end, by finish or by abort. Whoever marks the stream as over first is the one who tells the far end; only a finish that fails leaves it as
 * it was, for the abort. The callback goes with the end: nothing is watched any more.
 */
static int
virStreamClose(virStreamPtr stream, const struct virStreamDriver *driver, int (*close)(virStreamPtr stream), bool mayFail)
{
    struct virStreamCallback *callback;
    int rc;

    pthread_mutex_lock(&stream->lock);
    if (stream->over) {
        pthread_mutex_unlock(&stream->lock);
        return 0;
    }
    stream->over = true;
    callback = stream->callback;
    if (callback != NULL)
        driver->watch(stream, 0);
    stream->callback = NULL;
    pthread_mutex_unlock(&stream->lock);
    virStreamCallbackUnref(callback);
    rc = close != NULL ? close(stream) : 0;
    if (rc < 0 && mayFail) {
        pthread_mutex_lock(&stream->lock);
        stream->over = false;
        pthread_mutex_unlock(&stream->lock);
    }
    return rc;
}

int
virStreamFinish(virStreamPtr stream)
{
    const struct virStreamDriver *driver;
    int rc = -1;

    if (!virStreamIs(__func__, stream))
        return -1;
    pthread_mutex_lock(&stream->lock);
    driver = stream->driver;
    pthread_mutex_unlock(&stream->lock);
    if (driver == NULL)
        virReportError(VIR_ERR_NO_SUPPORT, "%s (the stream was given to no call yet)", __func__);
    else
        rc = virStreamClose(stream, driver, driver->finish, true);
    return virStreamEnd(stream, rc);
}

int
virStreamAbort(virStreamPtr stream)
{
    const struct virStreamDriver *driver;

    if (!virStreamIs(__func__, stream))
        return -1;
    pthread_mutex_lock(&stream->lock);
    driver = stream->driver;
    pthread_mutex_unlock(&stream->lock);
    return driver != NULL ? virStreamEnd(stream, virStreamClose(stream, driver, driver->abort, false)) : 0;
}

/* ---------- the callback ---------- */

/* With the stream's lock held. */
static int
virStreamRegister(virStreamPtr stream, struct virStreamCallback *callback)
{
    if (stream->over)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "stream is not open");
    if (stream->callback != NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "stream already has a callback registered");
    if (stream->driver->watch(stream, callback->events) < 0)
        return -1;
    stream->callback = callback;
    return 0;
}

int
virStreamEventAddCallback(virStreamPtr stream, int events, virStreamEventCallback cb, void *opaque, virFreeCallback ff)
{
    const struct virStreamDriver *driver;
    struct virStreamCallback *callback = NULL;
    int rc = -1;

    if (!virStreamIs(__func__, stream))
        return -1;
    if (!virCallHas(__func__, (const void *)(uintptr_t)cb, "cb") || (driver = virStreamFarEnd(__func__, stream)) == NULL)
        return virStreamEnd(stream, -1);
    if (driver->watch == NULL)
        return virStreamEnd(stream, virStreamNoSupport(__func__, stream));
    if ((callback = virAllocate(sizeof(*callback))) == NULL)
        return virStreamEnd(stream, -1);
    *callback = (struct virStreamCallback){ .events = events, .cb = cb, .opaque = opaque, .ff = ff };
    atomic_init(&callback->refs, 1);
    pthread_mutex_lock(&stream->lock);
    rc = virStreamRegister(stream, callback);
    pthread_mutex_unlock(&stream->lock);
    if (rc < 0)
        free(callback);
    return virStreamEnd(stream, rc);
}

/* The registration with other events, or taken away (events -1). */
static int
virStreamChange(const char *function, virStreamPtr stream, int events)
{
    struct virStreamCallback *callback, *gone = NULL;
    int rc = -1;

    if (!virStreamIs(function, stream))
        return -1;
    if (virStreamFarEnd(function, stream) == NULL)
        return virStreamEnd(stream, -1);
    pthread_mutex_lock(&stream->lock);
    callback = stream->callback;
    if (callback == NULL) {
        virReportError(VIR_ERR_INTERNAL_ERROR, "stream does not have a callback registered");
    } else if ((rc = stream->driver->watch(stream, events >= 0 ? events : 0)) >= 0) {
        if (events >= 0) {
            callback->events = events;
        } else {
            stream->callback = NULL;
            gone = callback;
        }
    }
    pthread_mutex_unlock(&stream->lock);
    virStreamCallbackUnref(gone);
    return virStreamEnd(stream, rc);
}

int
virStreamEventUpdateCallback(virStreamPtr stream, int events)
{
    return virStreamChange(__func__, stream, events & INT_MAX);
}

int
virStreamEventRemoveCallback(virStreamPtr stream)
{
    return virStreamChange(__func__, stream, -1);
}

#undef VIRT_FROM
