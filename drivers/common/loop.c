/*
 * The default event loop, for applications that have none of their own: poll() over one table of sources, each a watched descriptor or
 * a time. Callbacks run without the lock, so they may add and remove anything, themselves included: what is removed is
 * marked, and freed by the round that finds the mark.
 */
#include "../driver.h"
#include "platform.h"
#include "text.h"

#include <errno.h>
#include <limits.h>

#define VIRT_FROM VIR_FROM_EVENT

struct virPollSource {
    int id;                           /* watch or timer */
    int fd;                           /* -1: a time */
    int events;                       /* VIR_EVENT_HANDLE_*; 0: not now */
    int interval;                     /* ms; -1: not now */
    unsigned long long due;           /* us, when interval >= 0 */
    size_t slot;                      /* in the table that poll() was given last; 0: not there */
    bool removed;
    union {
        virEventHandleCallback handle;
        virEventTimeoutCallback timeout;
    } cb;
    void *opaque;
    virFreeCallback ff;
};

static struct {
    pthread_mutex_t lock;
    struct virPollSource **sources;
    size_t count, size;
    int nextId;
    int wake[2];                      /* written to by whoever changes the table while the loop sleeps */
    bool running;
    pthread_t runner;
    struct pollfd *fds;               /* the runner's own */
    size_t fdsSize;
} virPoll = { .lock = PTHREAD_MUTEX_INITIALIZER, .nextId = 1, .wake = { -1, -1 } };

/* With the lock held: lets a sleeping loop look again. */
static void
virPollWake(void)
{
    if (virPoll.running && !pthread_equal(virPoll.runner, pthread_self()) && virPlatformWakeSend(virPoll.wake) < 0)
        virLog(VIR_LOG_WARN, "event", "cannot wake the event loop: errno %d", errno);
}

static int
virPollAdd(const struct virPollSource *template)
{
    struct virPollSource *source = calloc(1, sizeof(*source)), **grown;
    int id = -1;

    if (source == NULL)
        return -1;
    *source = *template;
    pthread_mutex_lock(&virPoll.lock);
    if (virPoll.count == virPoll.size) {
        grown = realloc(virPoll.sources, (virPoll.size * 2 + 16) * sizeof(*grown));
        if (grown != NULL) {
            virPoll.sources = grown;
            virPoll.size = virPoll.size * 2 + 16;
        }
    }
    if (virPoll.count < virPoll.size) {
        id = source->id = virPoll.nextId++;
        virPoll.sources[virPoll.count++] = source;
        virPollWake();
    }
    pthread_mutex_unlock(&virPoll.lock);
    if (id < 0)
        free(source);
    return id;
}

static unsigned long long
virPollDue(int interval)
{
    return interval >= 0 ? virTimeNowUs() + (unsigned long long)interval * 1000 : 0;
}

static int
virPollAddHandle(int fd, int events, virEventHandleCallback cb, void *opaque, virFreeCallback ff)
{
    return virPollAdd(&(struct virPollSource){ .fd = fd, .events = events, .interval = -1, .cb.handle = cb, .opaque = opaque, .ff = ff });
}

static int
virPollAddTimeout(int timeout, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    return virPollAdd(&(struct virPollSource){ .fd = -1, .interval = timeout, .due = virPollDue(timeout), .cb.timeout = cb,
                                               .opaque = opaque, .ff = ff });
}

/* With the lock held: the source of this id and kind. */
static struct virPollSource *
virPollFind(int id, bool isHandle)
{
    size_t i;

    for (i = 0; i < virPoll.count; i++)
        if (virPoll.sources[i]->id == id && !virPoll.sources[i]->removed && (virPoll.sources[i]->fd >= 0) == isHandle)
            return virPoll.sources[i];
    return NULL;
}

static void
virPollUpdateHandle(int watch, int events)
{
    struct virPollSource *source;

    pthread_mutex_lock(&virPoll.lock);
    if ((source = virPollFind(watch, true)) != NULL && source->events != events) {
        source->events = events;
        virPollWake();
    }
    pthread_mutex_unlock(&virPoll.lock);
}

static void
virPollUpdateTimeout(int timer, int timeout)
{
    struct virPollSource *source;

    pthread_mutex_lock(&virPoll.lock);
    if ((source = virPollFind(timer, false)) != NULL) {
        source->interval = timeout;
        source->due = virPollDue(timeout);
        virPollWake();
    }
    pthread_mutex_unlock(&virPoll.lock);
}

static int
virPollRemove(int id, bool isHandle)
{
    struct virPollSource *source;

    pthread_mutex_lock(&virPoll.lock);
    if ((source = virPollFind(id, isHandle)) != NULL) {
        source->removed = true;
        virPollWake();
    }
    pthread_mutex_unlock(&virPoll.lock);
    return source != NULL ? 0 : -1;
}

static int
virPollRemoveHandle(int watch)
{
    return virPollRemove(watch, true);
}

static int
virPollRemoveTimeout(int timer)
{
    return virPollRemove(timer, false);
}

int
virEventRegisterDefaultImpl(void)
{
    virInitialize();
    virResetLastError();
    pthread_mutex_lock(&virPoll.lock);
    if (virPoll.wake[0] < 0 && virPlatformWakeOpen(virPoll.wake) < 0) {
        pthread_mutex_unlock(&virPoll.lock);
        virReportSystemError(errno, "cannot make a pipe for the event loop");
        virErrorDispatch(NULL);
        return -1;
    }
    pthread_mutex_unlock(&virPoll.lock);
    virEventRegisterImpl(virPollAddHandle, virPollUpdateHandle, virPollRemoveHandle, virPollAddTimeout, virPollUpdateTimeout,
                         virPollRemoveTimeout);
    return 0;
}

/* With the lock held: takes out what was removed; the free functions run without it. */
static void
virPollReap(void)
{
    struct virPollSource *source;
    size_t i = 0;

    while (i < virPoll.count) {
        source = virPoll.sources[i];
        if (!source->removed) {
            i++;
            continue;
        }
        memmove(&virPoll.sources[i], &virPoll.sources[i + 1], (virPoll.count - i - 1) * sizeof(*virPoll.sources));
        virPoll.count--;
        if (source->ff != NULL) {
            pthread_mutex_unlock(&virPoll.lock);
            source->ff(source->opaque);
            pthread_mutex_lock(&virPoll.lock);
            i = 0;
        }
        free(source);
    }
}

static short
virPollToSystem(int events)
{
    return (short)((events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0) | (events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0));
}

static int
virPollFromSystem(short events)
{
    return (events & POLLIN ? VIR_EVENT_HANDLE_READABLE : 0) | (events & POLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0)
           | (events & (POLLERR | POLLNVAL) ? VIR_EVENT_HANDLE_ERROR : 0) | (events & POLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);
}

/* With the lock held: fills the table for poll() and says how long it may wait, in ms. -1 when there is no memory. */
static int
virPollCollect(size_t *nfds, int *wait)
{
    unsigned long long now = virTimeNowUs(), soonest = 0;
    struct pollfd *grown;
    bool timed = false;
    size_t i, n = 0;

    if (virPoll.fdsSize < virPoll.count + 1) {
        if ((grown = realloc(virPoll.fds, (virPoll.count + 17) * sizeof(*grown))) == NULL)
            return virReportNoMemory();
        virPoll.fds = grown;
        virPoll.fdsSize = virPoll.count + 17;
    }
    virPoll.fds[n++] = (struct pollfd){ .fd = virPoll.wake[0], .events = POLLIN };
    for (i = 0; i < virPoll.count; i++) {
        struct virPollSource *source = virPoll.sources[i];

        source->slot = source->fd >= 0 && source->events != 0 ? n : 0;
        if (source->slot != 0) {
            virPoll.fds[n++] = (struct pollfd){ .fd = source->fd, .events = virPollToSystem(source->events) };
        } else if (source->fd >= 0) {
            continue;
        } else if (source->interval >= 0 && (!timed || source->due < soonest)) {
            soonest = source->due;
            timed = true;
        }
    }
    *nfds = n;
    *wait = !timed ? -1 : soonest <= now ? 0 : (soonest - now) / 1000 >= INT_MAX ? INT_MAX : (int)((soonest - now + 999) / 1000);
    return 0;
}

/* With the lock held, which is let go for each callback. `i` counts sources that were there when poll() began: new ones are behind them. */
static void
virPollDispatch(size_t count)
{
    unsigned long long now = virTimeNowUs();
    size_t i;

    for (i = 0; i < count; i++) {
        struct virPollSource *source = virPoll.sources[i];
        int events = 0;

        if (source->fd >= 0) {
            if (source->slot != 0)
                events = virPollFromSystem(virPoll.fds[source->slot].revents);
            if (events == 0 || source->events == 0 || source->removed)
                continue;
            pthread_mutex_unlock(&virPoll.lock);
            source->cb.handle(source->id, source->fd, events, source->opaque);
            pthread_mutex_lock(&virPoll.lock);
        } else if (source->interval >= 0 && source->due <= now && !source->removed) {
            source->due = virPollDue(source->interval);
            pthread_mutex_unlock(&virPoll.lock);
            source->cb.timeout(source->id, source->opaque);
            pthread_mutex_lock(&virPoll.lock);
        }
    }
}

int
virEventRunDefaultImpl(void)
{
    size_t nfds = 0, count;
    int wait = -1, ready;

    virResetLastError();
    pthread_mutex_lock(&virPoll.lock);
    if (virPoll.running || virPoll.wake[0] < 0) {
        pthread_mutex_unlock(&virPoll.lock);
        virReportError(VIR_ERR_OPERATION_INVALID, virPoll.wake[0] < 0 ? "the default event loop is not registered"
                                                                      : "another thread runs the event loop");
        goto failed;
    }
    virPollReap();
    if (virPollCollect(&nfds, &wait) < 0) {
        pthread_mutex_unlock(&virPoll.lock);
        goto failed;
    }
    count = virPoll.count;
    virPoll.running = true;
    virPoll.runner = pthread_self();
    pthread_mutex_unlock(&virPoll.lock);

    while ((ready = virPlatformPoll(virPoll.fds, nfds, wait)) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&virPoll.lock);
    if (ready > 0 && virPoll.fds[0].revents != 0)
        virPlatformWakeDrain(virPoll.wake);
    if (ready >= 0)
        virPollDispatch(count);
    virPollReap();
    virPoll.running = false;
    pthread_mutex_unlock(&virPoll.lock);
    if (ready >= 0)
        return 0;
    virReportSystemError(errno, "cannot poll for events");

failed:
    virErrorDispatch(NULL);
    return -1;
}

#undef VIRT_FROM
