/*
 * The far end of a stream that is a descriptor. Nothing runs between the application and the descriptor: a call reads or writes it, and waits
 * with poll() where the stream blocks; a callback is the event loop's watch on it. A file is always ready, which not every loop can watch, so
 * there, and where the far end was ended by its driver, a timer calls instead.
 *
 * The descriptor is closed when the stream has ended and nobody uses it any more: another thread may be waiting for it, and is woken by a pipe first.
 */
#include "fdstream.h"

#ifndef _WIN32

#include "platform.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_STREAMS

struct virFdStream {
    atomic_int refs;                  /* the stream's, the driver's, and one for each watch and timer */
    mode_t type;                      /* S_IFMT of the descriptor */
    void (*closed)(void *opaque);
    void *opaque;

    pthread_mutex_t lock;             /* guards what follows */
    virStreamPtr stream;              /* NULL once it is freed; no reference */
    int fd;                           /* -1: closed */
    int wake[2];                      /* of a stream that blocks: written to at the end, never read */
    int users;                        /* threads that have the descriptor in hand */
    bool over;                        /* no new user */
    const char *why;                  /* ... because the far end has gone */
    int watch, timer;                 /* -1: none */
    int events;                       /* virStreamEventType that the application waits for */
};

VIRT_INTERNAL void
virFdStreamUnref(void *opaque)
{
    struct virFdStream *end = opaque;

    if (end == NULL || atomic_fetch_sub(&end->refs, 1) > 1)
        return;
    if (end->fd >= 0)
        close(end->fd);
    for (size_t i = 0; i < 2; i++)
        if (end->wake[i] >= 0)
            close(end->wake[i]);
    pthread_mutex_destroy(&end->lock);
    free(end);
}

/* ---------- reading and writing ---------- */

/* The descriptor for one use, or -1, without an error: the stream is over. */
static int
virFdStreamEnter(struct virFdStream *end)
{
    int fd;

    pthread_mutex_lock(&end->lock);
    fd = end->over ? -1 : end->fd;
    if (fd >= 0)
        end->users++;
    pthread_mutex_unlock(&end->lock);
    return fd;
}

/* With the lock held. */
static void
virFdStreamCloseIfUnused(struct virFdStream *end)
{
    if (end->over && end->users == 0 && end->fd >= 0) {
        close(end->fd);
        end->fd = -1;
    }
}

static void
virFdStreamLeave(struct virFdStream *end)
{
    pthread_mutex_lock(&end->lock);
    end->users--;
    virFdStreamCloseIfUnused(end);
    pthread_mutex_unlock(&end->lock);
}

static int
virFdStreamNotOpen(struct virFdStream *end)
{
    const char *why;

    pthread_mutex_lock(&end->lock);
    why = end->why;
    pthread_mutex_unlock(&end->lock);
    return virReportError(VIR_ERR_INTERNAL_ERROR, "stream is not open%s%s", why != NULL ? ": " : "", why != NULL ? why : "");
}

/* Waits until the descriptor is ready (1) or the stream is over (0); -1 with errno set. */
static int
virFdStreamWait(struct virFdStream *end, int fd, short events)
{
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = end->wake[0], .events = POLLIN } };

    while (virPlatformPoll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return -1;
    return fds[1].revents == 0;
}

/* A pipe without a reader would end the application by SIGPIPE: this thread takes none meanwhile, and takes back one that comes of this. */
static ssize_t
virFdStreamWritePipe(int fd, const char *data, size_t nbytes)
{
    static const struct timespec now = { 0, 0 };
    sigset_t mask, before, pending;
    ssize_t n;
    int saved;

    sigemptyset(&mask);
    sigaddset(&mask, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    n = write(fd, data, nbytes);
    saved = errno;
    if (n < 0 && saved == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        while (sigtimedwait(&mask, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return n;
}

static ssize_t
virFdStreamWrite(struct virFdStream *end, int fd, const char *data, size_t nbytes)
{
    if (end->type == S_IFSOCK)
        return send(fd, data, nbytes, MSG_NOSIGNAL);
    return end->type == S_IFIFO ? virFdStreamWritePipe(fd, data, nbytes) : write(fd, data, nbytes);
}

/* One read (out NULL) or write, when it can be done; as the slots answer. */
static int
virFdStreamTransfer(virStreamPtr stream, char *in, const char *out, size_t nbytes)
{
    struct virFdStream *end = stream->priv;
    int fd = virFdStreamEnter(end), ready = 1, saved;
    ssize_t n;

    if (fd < 0)
        return virFdStreamNotOpen(end);
    for (;;) {
        n = out != NULL ? virFdStreamWrite(end, fd, out, nbytes) : read(fd, in, nbytes);
        saved = errno;
        if (n < 0 && saved == EINTR)
            continue;
        if (n >= 0 || (saved != EAGAIN && saved != EWOULDBLOCK) || (stream->flags & VIR_STREAM_NONBLOCK) != 0)
            break;
        ready = virFdStreamWait(end, fd, out != NULL ? POLLOUT : POLLIN);
        saved = errno;
        if (ready <= 0)
            break;
    }
    virFdStreamLeave(end);
    if (n >= 0)
        return (int)n;
    if (ready == 0)
        return virFdStreamNotOpen(end);
    if (ready > 0 && (saved == EAGAIN || saved == EWOULDBLOCK))
        return -2;
    return virReportSystemError(saved, out != NULL ? "cannot write to stream" : "cannot read from stream");
}

static int
virFdStreamSend(virStreamPtr stream, const char *data, size_t nbytes)
{
    return virFdStreamTransfer(stream, NULL, data, nbytes);
}

static int
virFdStreamRecv(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags)
{
    (void)flags;
    return virFdStreamTransfer(stream, data, NULL, nbytes);
}

/* ---------- events ---------- */

/* The stream for a callback: with a reference, or NULL if it has gone. The lock is held. */
static virStreamPtr
virFdStreamHold(struct virFdStream *end)
{
    return end->stream != NULL && virStreamTryRef(end->stream) ? end->stream : NULL;
}

static void
virFdStreamReady(int watch, int fd, int events, void *opaque)
{
    struct virFdStream *end = opaque;
    virStreamPtr stream = NULL;

    (void)fd;
    pthread_mutex_lock(&end->lock);
    if (watch == end->watch)
        stream = virFdStreamHold(end);
    pthread_mutex_unlock(&end->lock);
    if (stream == NULL)
        return;
    virStreamDeliver(stream, events); /* both count the bits alike */
    virStreamFree(stream);
}

static void
virFdStreamTick(int timer, void *opaque)
{
    struct virFdStream *end = opaque;
    virStreamPtr stream = NULL;
    int events = 0;

    pthread_mutex_lock(&end->lock);
    if (timer == end->timer) {
        events = end->why != NULL ? VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP : end->events;
        stream = virFdStreamHold(end);
    }
    if (end->why != NULL)
        virEventUpdateTimeout(timer, -1);        /* that is told once */
    pthread_mutex_unlock(&end->lock);
    if (stream == NULL)
        return;
    virStreamDeliver(stream, events);
    virStreamFree(stream);
}

/* With the lock held: the watch, or the timer, as it has to be now. */
static void
virFdStreamUnwatch(struct virFdStream *end, bool timerToo)
{
    if (end->watch >= 0)
        virEventRemoveHandle(end->watch);
    end->watch = -1;
    if (timerToo && end->timer >= 0) {
        virEventRemoveTimeout(end->timer);
        end->timer = -1;
    }
}

static int
virFdStreamSetTimer(struct virFdStream *end, int timeout)
{
    if (end->timer >= 0) {
        virEventUpdateTimeout(end->timer, timeout);
        return 0;
    }
    atomic_fetch_add(&end->refs, 1);
    end->timer = virEventAddTimeout(timeout, virFdStreamTick, end, virFdStreamUnref);
    if (end->timer < 0)
        atomic_fetch_sub(&end->refs, 1);
    return end->timer < 0 ? -1 : 0;
}

static int
virFdStreamSetWatch(struct virFdStream *end, int events)
{
    if (end->watch >= 0) {
        virEventUpdateHandle(end->watch, events);
        return 0;
    }
    atomic_fetch_add(&end->refs, 1);
    end->watch = virEventAddHandle(end->fd, events, virFdStreamReady, end, virFdStreamUnref);
    if (end->watch < 0)
        atomic_fetch_sub(&end->refs, 1);
    return end->watch < 0 ? -1 : 0;
}

static int
virFdStreamWatch(virStreamPtr stream, int events)
{
    struct virFdStream *end = stream->priv;
    int rc = 0;

    pthread_mutex_lock(&end->lock);
    end->events = events;
    if (events == 0)
        virFdStreamUnwatch(end, true);
    else if (end->over || end->type == S_IFREG)
        rc = virFdStreamSetTimer(end, 0);
    else
        rc = virFdStreamSetWatch(end, events);
    pthread_mutex_unlock(&end->lock);
    return rc == 0 ? 0 : virReportError(VIR_ERR_INTERNAL_ERROR, "cannot watch the stream: %s",
                                        virEventLoopIsRegistered() ? "the event loop takes no watch" : "no event loop is registered");
}

/* ---------- the end ---------- */

/* With the lock held: no new user, and those that wait are woken. */
static void
virFdStreamStop(struct virFdStream *end)
{
    end->over = true;
    if (end->wake[1] >= 0)
        virPlatformWakeSend(end->wake);
    virFdStreamCloseIfUnused(end);
}

VIRT_INTERNAL void
virFdStreamEnd(struct virFdStream *end, const char *why)
{
    bool watched;

    pthread_mutex_lock(&end->lock);
    if (!end->over) {
        watched = end->watch >= 0 || end->timer >= 0;
        end->why = why;
        virFdStreamUnwatch(end, false);
        virFdStreamStop(end);
        if (watched && virFdStreamSetTimer(end, 0) < 0)
            virLog(VIR_LOG_WARN, "stream", "the event loop takes no timer: the end of a stream is not told");
    }
    pthread_mutex_unlock(&end->lock);
}

VIRT_INTERNAL bool
virFdStreamHasHungUp(struct virFdStream *end)
{
    struct pollfd fd = { .fd = -1, .events = POLLIN };
    bool gone;

    pthread_mutex_lock(&end->lock);
    fd.fd = end->fd;
    gone = end->over || (fd.fd >= 0 && virPlatformPoll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0);
    pthread_mutex_unlock(&end->lock);
    return gone;
}

static int
virFdStreamClose(virStreamPtr stream)
{
    struct virFdStream *end = stream->priv;

    pthread_mutex_lock(&end->lock);
    virFdStreamUnwatch(end, true);
    virFdStreamStop(end);
    pthread_mutex_unlock(&end->lock);
    if (end->closed != NULL)
        end->closed(end->opaque);
    return 0;
}

static void
virFdStreamFree(virStreamPtr stream)
{
    struct virFdStream *end = stream->priv;

    pthread_mutex_lock(&end->lock);
    end->stream = NULL;
    pthread_mutex_unlock(&end->lock);
    virFdStreamUnref(end);
}

static const struct virStreamDriver virFdStreamDriver = {
    .send   = virFdStreamSend,
    .recv   = virFdStreamRecv,
    .finish = virFdStreamClose,
    .abort  = virFdStreamClose,
    .watch  = virFdStreamWatch,
    .free   = virFdStreamFree,
};

VIRT_INTERNAL struct virFdStream *
virFdStreamNew(virStreamPtr stream, int fd, void (*closed)(void *opaque), void *opaque)
{
    struct virFdStream *end = virAllocate(sizeof(*end));
    struct stat info;
    int flags;

    if (end == NULL) {
        close(fd);
        return NULL;
    }
    *end = (struct virFdStream){ .closed = closed, .opaque = opaque, .stream = stream, .fd = fd, .wake = { -1, -1 }, .watch = -1, .timer = -1 };
    atomic_init(&end->refs, 1);
    pthread_mutex_init(&end->lock, NULL);
    if (fstat(fd, &info) < 0 || (flags = fcntl(fd, F_GETFL)) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0
        || ((stream->flags & VIR_STREAM_NONBLOCK) == 0 && virPlatformWakeOpen(end->wake) < 0)) {
        virReportSystemError(errno, "cannot make a stream of a descriptor");
        virFdStreamUnref(end);
        return NULL;
    }
    end->type = info.st_mode & S_IFMT;
    return end;
}

VIRT_INTERNAL int
virFdStreamAttach(struct virFdStream *end)
{
    atomic_fetch_add(&end->refs, 1);
    if (virStreamAttach(end->stream, &virFdStreamDriver, end) == 0)
        return 0;
    virFdStreamUnref(end);
    return -1;
}

#undef VIRT_FROM
#endif
