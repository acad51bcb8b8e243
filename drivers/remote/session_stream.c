/*
 * The server: streams. A call that has a stream among its arguments names one by a number, and the session has it from then on: virt.stream.read,
 * .write, .hole, .finish and .abort say what is to be done with it. Each is answered when it is done, so one read and one write of a stream
 * wait here at most, and nothing is read that nobody has asked for.
 *
 * The streams are opened with VIR_STREAM_NONBLOCK. What cannot go on waits for the stream's callback, by the event loop; where there is none,
 * or the far end cannot be watched, it is tried again from time to time (`due`). Who waits for too long is answered that nothing was done.
 * Requests have ids in the session's table, as calls do: the same id again is the same data again.
 *
 * virt.stream.open makes a stream without a call: its far end is one of a pair of sockets, and the other is for a phase of a migration that names the
 * number, until that phase is over. Then only the hypervisor has it, and what it closes is closed.
 */
#include "../driver.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include "../common/fdstream.h"
#include "../common/platform.h"
#include "session.h"
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

enum {
    REMOTE_STREAM_READ = 128 << 10,          /* bytes of one answer at most: it fits into one message */
    REMOTE_STREAM_SOON = 1000,               /* us: when to try again where nothing calls, at first and at last */
    REMOTE_STREAM_LATE = 32000,
};

/* A request that waits: a read, or a write (or a hole) with what is left of it. */
struct remoteStreamWait {
    bool waits;
    unsigned long long id, due;
    struct remoteFrom from;
    size_t max;                       /* read */
    unsigned char *data;              /* write */
    size_t length, done;
    long long hole;                   /* write: instead of data; -1: none */
};

struct remoteServedStream {
    atomic_int refs;                  /* the session's list, the callback's, and of those who use it at present */
    struct remoteSession *session;    /* a reference, as the next */
    virStreamPtr stream;
    unsigned long long number;

    struct remoteServedStream *next;  /* guarded by session->lock, as what follows */
    bool open;                        /* the call that it was given to has succeeded */
    bool closed;                      /* it is in the list no more */
    bool busy, again;                 /* a thread is at it; and is to look once more */
    bool watched;                     /* it has a callback; only whoever is busy changes it */
    bool unwatchable;
    unsigned int pause;               /* us between two attempts */
    unsigned long long retry;         /* 0: not */
    int handed;                       /* for a phase, or -1 */
    struct remoteStreamWait read, write;
};

static void
remoteServedUnref(void *opaque)
{
    struct remoteServedStream *served = opaque;

    if (atomic_fetch_sub(&served->refs, 1) > 1)
        return;
    virErrorPtr saved = virSaveLastError();
    if (served->stream != NULL)
        virStreamFree(served->stream);
    virRestoreLastError(saved);
    remoteFromClear(&served->read.from);
    remoteFromClear(&served->write.from);
    free(served->write.data);
    if (served->handed >= 0)
        close(served->handed);
    remoteSessionUnref(served->session);
    free(served);
}

/* ---------- answers ---------- */

/* With the lock held: the request is over. body is taken over; NULL: the thread's error. */
static void
remoteServedAnswer(struct remoteServedStream *served, struct remoteStreamWait *wait, cJSON *body)
{
    struct remoteSession *session = served->session;

    if (!wait->waits) {
        cJSON_Delete(body);
        return;
    }
    wait->waits = false;
    if (!session->gone)
        remoteSessionAnswer(session, &wait->from, wait->id, body != NULL ? "result" : "error", body != NULL ? body : remoteReplyLastError());
    else
        cJSON_Delete(body);
    session->arriving -= session->gone ? 0 : wait->length;
    free(wait->data);
    wait->data = NULL;
    wait->length = wait->done = 0;
    remoteFromClear(&wait->from);
}

static void
remoteServedNotOpen(void)
{
    virReportErrorFrom(VIR_FROM_STREAMS, VIR_ERR_INTERNAL_ERROR, __FILE__, __LINE__, "stream is not open");
}

/* With the lock held: takes it off the session's list, whose reference becomes the caller's. Who waits is told that it is over. */
static bool
remoteServedUnlist(struct remoteServedStream *served)
{
    struct remoteServedStream **link = &served->session->streams;

    if (served->closed)
        return false;
    while (*link != served)
        link = &(*link)->next;
    *link = served->next;
    served->closed = true;
    served->session->nstreams--;
    remoteServedNotOpen();
    remoteServedAnswer(served, &served->read, NULL);
    remoteServedNotOpen();
    remoteServedAnswer(served, &served->write, NULL);
    virResetLastError();
    return true;
}

/* ---------- what the far end gives and takes ---------- */

/* The far end's next data, or hole, as an answer; *rc -2: there is nothing. NULL with the error set. Without the lock. */
static cJSON *
remoteServedReceive(struct remoteServedStream *served, size_t max, int *rc)
{
    bool holes = served->stream->driver->recvHole != NULL;
    VIRT_CLEANUP_FREE char *data = virAllocate(max);
    VIRT_CLEANUP_FREE char *text = NULL;
    long long hole = 0;

    *rc = -1;
    if (data == NULL)
        return NULL;
    *rc = holes ? virStreamRecvFlags(served->stream, data, max, VIR_STREAM_RECV_STOP_AT_HOLE) : virStreamRecv(served->stream, data, max);
    if (*rc > 0)
        return (text = remoteBytesFormat(data, (size_t)*rc)) != NULL ? virJsonObject("s:data", text, NULL) : NULL;
    if (*rc == -3)
        return virStreamRecvHole(served->stream, &hole, 0) == 0 ? virJsonObject("u:hole", (unsigned long long)hole, NULL) : NULL;
    return *rc == 0 ? virJsonObject("b:end", 1, NULL) : NULL;
}

/* Lock held, let go meanwhile. Whether something went on. */
static bool
remoteServedRead(struct remoteServedStream *served)
{
    size_t max = served->read.max;
    cJSON *answer;
    int rc;

    pthread_mutex_unlock(&served->session->lock);
    answer = remoteServedReceive(served, max, &rc);
    pthread_mutex_lock(&served->session->lock);
    if (rc == -2)
        return false;
    remoteServedAnswer(served, &served->read, answer);
    return true;
}

static bool
remoteServedWrite(struct remoteServedStream *served)
{
    struct remoteStreamWait *wait = &served->write;
    size_t left = wait->length - wait->done;
    unsigned char *data = wait->data;
    size_t done = wait->done;
    long long hole = wait->hole;
    int rc;

    /* ours while it is sent: a close meanwhile answers, and finds nothing to free */
    wait->data = NULL;
    pthread_mutex_unlock(&served->session->lock);
    if (hole >= 0)
        rc = virStreamSendHole(served->stream, hole, 0);
    else
        rc = left > 0 ? virStreamSend(served->stream, (const char *)data + done, left) : 0;
    pthread_mutex_lock(&served->session->lock);
    if (!wait->waits) {
        free(data);
        return false;
    }
    wait->data = data;
    if (rc == -2)
        return false;
    if (rc > 0 && hole < 0)
        wait->done += (size_t)rc;
    if (rc < 0 && wait->done == 0)
        remoteServedAnswer(served, wait, NULL);
    else if (rc < 0 || hole >= 0 || wait->done == wait->length)        /* what was taken before an error counts: the rest will meet it again */
        remoteServedAnswer(served, wait, virJsonObject("u:written", (unsigned long long)wait->done, NULL));
    return true;
}

/* ---------- waiting ---------- */

static void remoteServedPump(struct remoteServedStream *served);

static void
remoteServedReady(virStreamPtr stream, int events, void *opaque)
{
    (void)stream;
    (void)events;
    remoteServedPump(opaque);
}

/* What waits is to be woken. Lock held, let go meanwhile; the caller is the one who is busy. */
static void
remoteServedWatch(struct remoteServedStream *served)
{
    int events = (served->read.waits ? VIR_STREAM_EVENT_READABLE : 0) | (served->write.waits ? VIR_STREAM_EVENT_WRITABLE : 0), rc = 0;
    bool loop = !served->unwatchable && virEventLoopIsRegistered();

    if (!loop || (!served->watched && events == 0))
        return;
    pthread_mutex_unlock(&served->session->lock);
    if (served->watched) {
        rc = virStreamEventUpdateCallback(served->stream, events);
    } else {
        atomic_fetch_add(&served->refs, 1);
        rc = virStreamEventAddCallback(served->stream, events, remoteServedReady, served, remoteServedUnref);
        if (rc < 0)
            atomic_fetch_sub(&served->refs, 1);
    }
    virResetLastError();
    pthread_mutex_lock(&served->session->lock);
    if (rc == 0)
        served->watched = true;
    else
        served->unwatchable = true;
}

/* With the lock held: when somebody has to look at it. */
static void
remoteServedSetDue(struct remoteServedStream *served, bool wentOn)
{
    unsigned long long now = virTimeNowUs(), due = UINT64_MAX;

    served->retry = 0;
    if (!served->read.waits && !served->write.waits)
        return;
    if (served->read.waits)
        due = served->read.due;
    if (served->write.waits && served->write.due < due)
        due = served->write.due;
    if (served->unwatchable || !virEventLoopIsRegistered()) {
        served->pause = wentOn || served->pause == 0 ? REMOTE_STREAM_SOON : served->pause < REMOTE_STREAM_LATE ? served->pause * 2 : REMOTE_STREAM_LATE;
        if (now + served->pause < due)
            due = now + served->pause;
    }
    served->retry = due;
    remoteServerDue(served->session->server, due);
}

/* Does what can be done; one thread at a time. With a reference of the caller's, without locks. */
static void
remoteServedPump(struct remoteServedStream *served)
{
    struct remoteSession *session = served->session;
    bool wentOn = false, reads, writes;

    pthread_mutex_lock(&session->lock);
    served->again = true;
    if (served->busy || served->closed) {
        pthread_mutex_unlock(&session->lock);
        return;
    }
    served->busy = true;
    while (served->again && !served->closed) {
        served->again = false;
        reads = served->read.waits && remoteServedRead(served);
        writes = !served->closed && served->write.waits && remoteServedWrite(served);
        served->again = served->again || (writes && served->write.waits);
        wentOn = wentOn || reads || writes;
        if (!served->again && !served->closed)
            remoteServedWatch(served);
    }
    served->busy = false;
    if (!served->closed)
        remoteServedSetDue(served, wentOn);
    pthread_mutex_unlock(&session->lock);
    virResetLastError();
}

VIRT_INTERNAL unsigned long long
remoteStreamsTick(struct remoteSession *session, unsigned long long now)
{
    struct remoteServedStream *served, *list[16];
    unsigned long long due = UINT64_MAX;
    size_t n = 0;

    pthread_mutex_lock(&session->lock);
    for (served = session->streams; served != NULL; served = served->next) {
        if (served->retry == 0)
            continue;
        if (served->retry > now || n == sizeof(list) / sizeof(list[0])) {
            due = served->retry < due ? served->retry : due;
            continue;
        }
        served->retry = 0;
        if (served->read.waits && served->read.due <= now && !served->busy)
            remoteServedAnswer(served, &served->read, cJSON_CreateObject());
        if (served->write.waits && served->write.due <= now && !served->busy)
            remoteServedAnswer(served, &served->write, virJsonObject("u:written", (unsigned long long)served->write.done, NULL));
        atomic_fetch_add(&served->refs, 1);
        list[n++] = served;
    }
    pthread_mutex_unlock(&session->lock);
    for (size_t i = 0; i < n; i++) {
        remoteServedPump(list[i]);
        pthread_mutex_lock(&session->lock);
        if (list[i]->retry != 0 && list[i]->retry < due)
            due = list[i]->retry;
        pthread_mutex_unlock(&session->lock);
        remoteServedUnref(list[i]);
    }
    return due;
}

/* ---------- the methods ---------- */

/* The stream that is meant, a reference; NULL: the client has been told that there is none. With the lock held. */
static struct remoteServedStream *
remoteServedFind(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    struct remoteServedStream *served = session->streams;
    unsigned long long number = 0;

    if (virJsonULongLong(params, "stream", &number) < 0) {
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'stream' must be the number of a stream");
        return NULL;
    }
    while (served != NULL && !(served->open && served->number == number))
        served = served->next;
    if (served == NULL)
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "there is no stream %llu", number);
    else
        atomic_fetch_add(&served->refs, 1);
    return served;
}

/* With the lock held: a request that came before, and is known by its id. */
static bool
remoteServedKnows(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id)
{
    for (struct remoteServedStream *served = session->streams; served != NULL; served = served->next) {
        struct remoteStreamWait *wait = served->read.waits && served->read.id == id ? &served->read
                                        : served->write.waits && served->write.id == id ? &served->write : NULL;

        if (wait == NULL)
            continue;
        remoteFromClear(&wait->from); /* it waits on, and is answered where it was asked last */
        remoteFromCopy(&wait->from, from);
        return true;
    }
    return remoteSessionKnows(session, from, id);
}

/* With the lock held: a new request waits from now on; false: the client has been told why not. */
static bool
remoteServedBegin(struct remoteServedStream *served, struct remoteStreamWait *wait, const struct remoteFrom *from, unsigned long long id)
{
    if (wait->waits) {
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "stream %llu has a request of this kind that waits, as many as may", served->number);
        return false;
    }
    if (!remoteSessionEnter(served->session, from, id))
        return false;
    wait->waits = true;
    wait->id = id;
    wait->due = virTimeNowUs() + REMOTE_SERVER_EVENTS_MS * 1000ULL;
    remoteFromCopy(&wait->from, from);
    return true;
}

static void
remoteSessionRead(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    struct remoteServedStream *served = NULL;
    unsigned long long max = REMOTE_STREAM_READ;
    bool begins = false;

    pthread_mutex_lock(&session->lock);
    if (!remoteServedKnows(session, from, id) && (served = remoteServedFind(session, from, id, params)) != NULL) {
        if (virJsonGet(params, "max") != NULL && (virJsonULongLong(params, "max", &max) < 0 || max == 0))
            remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'max' must be a number of bytes");
        else if ((begins = remoteServedBegin(served, &served->read, from, id)))
            served->read.max = max < REMOTE_STREAM_READ ? (size_t)max : REMOTE_STREAM_READ;
    }
    pthread_mutex_unlock(&session->lock);
    if (begins)
        remoteServedPump(served);
    if (served != NULL)
        remoteServedUnref(served);
}

/* data is taken over, NULL: a hole. */
static void
remoteSessionPut(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params, unsigned char *data,
                size_t length, long long hole)
{
    struct remoteServedStream *served = NULL;
    bool begins = false;

    pthread_mutex_lock(&session->lock);
    if (!remoteServedKnows(session, from, id) && (served = remoteServedFind(session, from, id, params)) != NULL) {
        if (session->arriving + length > session->server->limits.memory) {
            remoteReplyError(from, id, REMOTE_TOO_MUCH, "%zu bytes that this client writes are waiting, as many as may be", session->arriving);
        } else if ((begins = remoteServedBegin(served, &served->write, from, id))) {
            served->write.data = data;
            served->write.length = length;
            served->write.done = 0;
            served->write.hole = hole;
            session->arriving += length;
            data = NULL;
        }
    }
    pthread_mutex_unlock(&session->lock);
    free(data);
    if (begins)
        remoteServedPump(served);
    if (served != NULL)
        remoteServedUnref(served);
}

static void
remoteSessionWrite(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    const char *text = virJsonString(params, "data");
    size_t length = 0;
    unsigned char *data = text != NULL ? remoteBytesParse(text, &length) : NULL;

    if (data != NULL) {
        remoteSessionPut(session, from, id, params, data, length, -1);
        return;
    }
    remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'data' must be bytes as base64");
    virResetLastError();
}

static void
remoteSessionHole(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    unsigned long long length = 0;

    if (virJsonULongLong(params, "length", &length) < 0 || length > LLONG_MAX)
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'length' must be a number of bytes");
    else
        remoteSessionPut(session, from, id, params, NULL, 0, (long long)length);
}

/* A finish that fails leaves the stream as it was. */
static void
remoteSessionClose(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params,
                  int (*close)(virStreamPtr stream), bool mayFail)
{
    struct remoteServedStream *served = NULL;
    bool begins = false, listed = false;
    int rc;

    pthread_mutex_lock(&session->lock);
    if (!remoteServedKnows(session, from, id) && (served = remoteServedFind(session, from, id, params)) != NULL)
        begins = remoteSessionEnter(session, from, id);
    pthread_mutex_unlock(&session->lock);
    if (begins) {
        rc = close(served->stream);
        pthread_mutex_lock(&session->lock);
        if (rc == 0 || !mayFail)
            listed = remoteServedUnlist(served);
        if (!session->gone)
            remoteSessionAnswer(session, from, id, rc == 0 ? "result" : "error", rc == 0 ? virJsonObject("b:ok", 1, NULL) : remoteReplyLastError());
        pthread_mutex_unlock(&session->lock);
        virResetLastError();
    }
    if (listed)
        remoteServedUnref(served);
    if (served != NULL)
        remoteServedUnref(served);
}

static void
remoteSessionFinish(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    remoteSessionClose(session, from, id, params, virStreamFinish, true);
}

static void
remoteSessionAbort(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    remoteSessionClose(session, from, id, params, virStreamAbort, false);
}

/* ---------- one for a phase ---------- */

static int
remoteServedOpenPair(struct remoteServedStream *served)
{
    struct virFdStream *end;
    int pair[2], rc;

    if (virPlatformSocketPair(pair) < 0)
        return virReportSystemError(errno, "cannot make a pair of sockets");
    served->handed = pair[1];
    if ((end = virFdStreamNew(served->stream, pair[0], NULL, NULL)) == NULL)
        return -1;
    if ((rc = virFdStreamAttach(end)) == 0)
        remoteStreamsKeep(served);
    virFdStreamUnref(end);
    return rc;
}

static void
remoteSessionOpen(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    struct remoteServedStream *served;
    unsigned long long number = 0;
    virStreamPtr stream;
    bool begins = false;
    int rc;

    pthread_mutex_lock(&session->lock);
    if (!remoteServedKnows(session, from, id)) {
        if (virJsonULongLong(params, "stream", &number) < 0 || number == 0)
            remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'stream' must be a number from 1");
        else
            begins = remoteSessionEnter(session, from, id);
    }
    pthread_mutex_unlock(&session->lock);
    if (!begins)
        return;
    served = remoteStreamsBegin(session, number, &stream);
    rc = served != NULL ? remoteServedOpenPair(served) : -1;
    pthread_mutex_lock(&session->lock);
    if (!session->gone)
        remoteSessionAnswer(session, from, id, rc == 0 ? "result" : "error", rc == 0 ? virJsonObject("b:ok", 1, NULL) : remoteReplyLastError());
    pthread_mutex_unlock(&session->lock);
    if (served != NULL)
        remoteStreamsEnd(served);
    virResetLastError();
}

/* With the lock held; NULL: it is no such stream, or not any more. */
static struct remoteServedStream *
remoteServedHanded(struct remoteSession *session, unsigned long long number)
{
    struct remoteServedStream *served = session->streams;

    while (served != NULL && !(served->open && served->number == number && served->handed >= 0))
        served = served->next;
    return served;
}

VIRT_INTERNAL int
remoteStreamsHand(struct remoteSession *session, unsigned long long number)
{
    struct remoteServedStream *served;
    int fd = -1;

    pthread_mutex_lock(&session->lock);
    if ((served = remoteServedHanded(session, number)) != NULL)
        fd = fcntl(served->handed, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_unlock(&session->lock);
    return fd;
}

VIRT_INTERNAL void
remoteStreamsHanded(struct remoteSession *session, unsigned long long number)
{
    struct remoteServedStream *served;

    pthread_mutex_lock(&session->lock);
    if ((served = remoteServedHanded(session, number)) != NULL) {
        close(served->handed);
        served->handed = -1;
    }
    pthread_mutex_unlock(&session->lock);
}

VIRT_INTERNAL const struct remoteSessionMethod remoteStreamMethods[REMOTE_STREAM_METHODS] = {
    { "virt.stream.open", remoteSessionOpen },
    { "virt.stream.read", remoteSessionRead },
    { "virt.stream.write", remoteSessionWrite },
    { "virt.stream.hole", remoteSessionHole },
    { "virt.stream.finish", remoteSessionFinish },
    { "virt.stream.abort", remoteSessionAbort },
};

/* ---------- from the call that opens it to its end ---------- */

VIRT_INTERNAL void *
remoteStreamsBegin(struct remoteSession *session, unsigned long long number, virStreamPtr *stream)
{
    unsigned int most = session->server->limits.streams;
    struct remoteServedStream *served = virAllocate(sizeof(*served)), *other;
    int rc = 0;

    if (served == NULL)
        return NULL;
    atomic_init(&served->refs, 2);    /* the list's and the caller's */
    served->number = number;
    served->handed = -1;
    served->write.hole = -1;
    served->session = session;
    remoteSessionRef(session);
    if ((served->stream = virStreamNew(session->conn, VIR_STREAM_NONBLOCK)) == NULL) {
        atomic_store(&served->refs, 1);
        remoteServedUnref(served);
        return NULL;
    }
    pthread_mutex_lock(&session->lock);
    for (other = session->streams; other != NULL && other->number != number; other = other->next)
        ;
    if (session->gone)
        rc = virReportError(VIR_ERR_RPC, "the session is over");
    else if (other != NULL)
        rc = virReportError(VIR_ERR_INVALID_ARG, "the stream %llu is in use already", number);
    else if (session->nstreams >= most)
        rc = virReportError(VIR_ERR_RESOURCE_BUSY, "this client has %u streams open, as many as it may have", session->nstreams);
    if (rc == 0) {
        served->next = session->streams;
        session->streams = served;
        session->nstreams++;
    } else {
        served->closed = true;
    }
    pthread_mutex_unlock(&session->lock);
    if (rc < 0) {
        atomic_store(&served->refs, 1);
        remoteServedUnref(served);
        return NULL;
    }
    *stream = served->stream;
    return served;
}

VIRT_INTERNAL void
remoteStreamsKeep(void *opaque)
{
    struct remoteServedStream *served = opaque;

    pthread_mutex_lock(&served->session->lock);
    served->open = true;
    pthread_mutex_unlock(&served->session->lock);
}

/* The call is over; one that has failed leaves no stream. */
VIRT_INTERNAL void
remoteStreamsEnd(void *opaque)
{
    struct remoteServedStream *served = opaque;
    virErrorPtr saved = virSaveLastError();
    bool listed = false, closed;

    pthread_mutex_lock(&served->session->lock);
    closed = served->closed;
    if (!served->open)
        listed = remoteServedUnlist(served);
    pthread_mutex_unlock(&served->session->lock);
    if (listed)
        remoteServedUnref(served);
    else if (closed)                  /* the client went away meanwhile */
        virStreamAbort(served->stream);
    remoteServedUnref(served);
    virRestoreLastError(saved);
}

/* With the lock held: the streams of a session that ends; ended by remoteStreamsAbort, without it. */
VIRT_INTERNAL struct remoteServedStream *
remoteStreamsTake(struct remoteSession *session)
{
    struct remoteServedStream *list = NULL, *served;

    while ((served = session->streams) != NULL) {
        remoteServedUnlist(served);
        served->next = list;
        list = served;
    }
    return list;
}

VIRT_INTERNAL void
remoteStreamsAbort(struct remoteServedStream *list)
{
    virErrorPtr saved = virSaveLastError();
    struct remoteServedStream *served;

    while ((served = list) != NULL) {
        list = served->next;
        virStreamAbort(served->stream);
        remoteServedUnref(served);
    }
    virRestoreLastError(saved);
}

#undef VIRT_FROM
#endif
