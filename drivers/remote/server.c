/*
 * The server: its addresses, and the threads of the application that serve them.
 *
 * Each address has a raw nanomsg socket, from which any thread may take a message and into which any may put a reply: a request is taken,
 * carried out and answered by one and the same thread, without another in between. A thread waits in an epoll of its own, in which the
 * sockets are exclusive: a message wakes one of them. Since that happens for the first message of several only, who takes one looks for a
 * second, and leaves it in the server's queue for another thread. (Elsewhere than on Linux they wait by poll.) The event loop, if the
 * server is attached to it, is one more such thread, whose waiting is done by the loop.
 */
#include "../driver.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include "server.h"
#include "../common/file.h"
#include "../common/text.h"

#include <errno.h>
#include <limits.h>
#include <nanomsg/nn.h>
#include <stdio.h>
#ifdef __linux__
# include <sys/epoll.h>
#endif
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

/* ---------- messages ---------- */

VIRT_INTERNAL void
remoteFromCopy(struct remoteFrom *to, const struct remoteFrom *from)
{
    *to = *from;
#if VIRT_WITH_NOISE
    if (to->noise != NULL)
        remoteNoiseSessionRef(to->noise);
#endif
}

VIRT_INTERNAL void
remoteFromClear(struct remoteFrom *from)
{
#if VIRT_WITH_NOISE
    if (from->noise != NULL)
        remoteNoiseSessionUnref(from->noise);
#endif
    from->noise = NULL;
}

static void
remoteServerSendRaw(const struct remoteFrom *from, const void *text, size_t length)
{
    struct nn_iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = length };
    struct nn_msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = (void *)(uintptr_t)from->control,
                                 .msg_controllen = from->length };

    if (from->length > 0)
        nn_sendmsg(from->listener->socket, &message, NN_DONTWAIT);
}

VIRT_INTERNAL void
remoteServerSend(const struct remoteFrom *from, const char *text, size_t length)
{
    if (from->listener->noise == NULL) {
        remoteServerSendRaw(from, text, length);
        return;
    }
#if VIRT_WITH_NOISE
    unsigned char *record = NULL;
    size_t size = 0;

    if (from->noise != NULL && remoteNoiseServerSeal(from->listener->noise, from->noise, text, length, &record, &size) == 0) {
        remoteServerSendRaw(from, record, size);
        free(record);
    }
    virResetLastError();
#endif
}

/* Takes a message that is there: its bytes, nanomsg's memory; NULL: there is none. What has no header cannot be answered, and is dropped. */
static void *
remoteListenerReceive(struct remoteListener *listener, struct remoteFrom *from, size_t *length)
{
    struct nn_cmsghdr *header = (struct nn_cmsghdr *)from->control;
    void *payload;

    for (;;) {
        struct nn_iovec iov = { .iov_base = &payload, .iov_len = NN_MSG };
        struct nn_msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = from->control, .msg_controllen = sizeof(from->control) };
        int got;

        header->cmsg_len = 0;
        if ((got = nn_recvmsg(listener->socket, &message, NN_DONTWAIT)) < 0)
            return NULL;
        from->listener = listener;
        from->noise = NULL;
        from->length = header->cmsg_len;
        *length = (size_t)got;
        if (from->length > 0 && from->length <= sizeof(from->control))
            return payload;
        nn_freemsg(payload);
        atomic_fetch_add(&listener->server->stats.invalid, 1);
    }
}

#if VIRT_WITH_NOISE
/* Nothing but records that their sender has proved to be his is looked at. */
static void
remoteServerTakeSealed(virServerPtr server, struct remoteFrom *from, const void *payload, size_t length)
{
    char *data = NULL;
    size_t size = 0;

    switch (remoteNoiseServerTake(from->listener->noise, payload, length, &data, &size, &from->noise)) {
    case REMOTE_NOISE_TEXT:
        remoteSessionTake(server, from, data, size);
        remoteFromClear(from);
        break;
    case REMOTE_NOISE_REPLY:
        remoteServerSendRaw(from, data, size);
        break;
    default:
        atomic_fetch_add(&server->stats.invalid, 1);
        break;
    }
    free(data);
    virResetLastError();
}
#endif

/* Takes over the payload. */
static void
remoteServerTakeMessage(virServerPtr server, struct remoteFrom *from, void *payload, size_t length)
{
#if VIRT_WITH_NOISE
    if (from->listener->noise != NULL)
        remoteServerTakeSealed(server, from, payload, length);
    else
#endif
        remoteSessionTake(server, from, payload, length);
    nn_freemsg(payload);
}

/* ---------- the queue ---------- */

VIRT_INTERNAL void
remoteWorkFree(struct remoteWork *work)
{
    if (work->payload != NULL)
        nn_freemsg(work->payload);
    remoteFromClear(&work->from);
    cJSON_Delete(work->request);
    if (work->session != NULL)
        remoteSessionUnref(work->session);
    free(work);
}

VIRT_INTERNAL void
remoteServerWake(virServerPtr server)
{
    if (virPlatformWakeSend(server->work) < 0)
        virLog(VIR_LOG_WARN, "remote.server", "cannot wake a thread: errno %d", errno);
}

VIRT_INTERNAL void
remoteServerPush(virServerPtr server, struct remoteWork *work)
{
    work->next = NULL;
    pthread_mutex_lock(&server->lock);
    *server->last = work;
    server->last = &work->next;
    pthread_mutex_unlock(&server->lock);
    if (atomic_load(&server->idle) > 0)
        remoteServerWake(server);
}

/* The first of the queue, or NULL; more: there are others. */
static struct remoteWork *
remoteServerPop(virServerPtr server, bool *more)
{
    struct remoteWork *work;

    pthread_mutex_lock(&server->lock);
    if ((work = server->first) != NULL && (server->first = work->next) == NULL)
        server->last = &server->first;
    *more = server->first != NULL;
    pthread_mutex_unlock(&server->lock);
    return work;
}

static void
remoteWorkDo(virServerPtr server, struct remoteWork *work)
{
    if (work->session != NULL) {
        remoteSessionResume(work);
        return;
    }
    remoteServerTakeMessage(server, &work->from, work->payload, work->length);
    work->payload = NULL;
    remoteWorkFree(work);
}

/*
 * Before a thread carries something out, it leaves a further message that is there for one that waits: that thread was not woken for it, if
 * it came before the first one was taken. The one that is woken does the same. Without memory it is carried out here, one after the other.
 */
static void
remoteServerShare(virServerPtr server)
{
    struct remoteFrom from;
    struct remoteWork *work;
    void *payload = NULL;
    size_t length;
    int n = atomic_load(&server->nlisteners);

    for (int i = 0; payload == NULL && i < n; i++) {
        if (atomic_load(&server->idle) == 0)
            return;
        payload = remoteListenerReceive(server->listeners[i], &from, &length);
    }
    if (payload == NULL)
        return;
    if ((work = calloc(1, sizeof(*work))) == NULL) {
        remoteServerTakeMessage(server, &from, payload, length);
        return;
    }
    work->from = from;
    work->payload = payload;
    work->length = length;
    remoteServerPush(server, work);
}

/* Does one thing of what is there: whether there was any. *turn goes round the addresses, so that none of them has to wait for another. */
static bool
remoteServerOne(virServerPtr server, unsigned int *turn)
{
    unsigned int n = (unsigned int)atomic_load(&server->nlisteners);
    struct remoteWork *work;
    bool more;

    if ((work = remoteServerPop(server, &more)) != NULL) {
        if (!more)
            remoteServerShare(server);
        else if (atomic_load(&server->idle) > 0)
            remoteServerWake(server);
        remoteWorkDo(server, work);
        return true;
    }
    for (unsigned int i = 0; i < n; i++) {
        struct remoteListener *listener = server->listeners[(*turn + i) % n];
        struct remoteFrom from;
        size_t length;
        void *payload = remoteListenerReceive(listener, &from, &length);

        if (payload == NULL)
            continue;
        *turn = *turn + i + 1;
        remoteServerShare(server);
        remoteServerTakeMessage(server, &from, payload, length);
        return true;
    }
    return false;
}

/* ---------- times ---------- */

VIRT_INTERNAL void
remoteServerDue(virServerPtr server, unsigned long long due)
{
    unsigned long long before = atomic_load(&server->due);

    while (due < before)
        if (atomic_compare_exchange_weak(&server->due, &before, due)) {
            remoteServerWake(server);                    /* who waits by then waits for too long */
            return;
        }
}

static void
remoteServerTick(virServerPtr server)
{
    unsigned long long due = atomic_load(&server->due), now = virTimeNowUs(), first, second;

    if (now < due || !atomic_compare_exchange_strong(&server->due, &due, UINT64_MAX))
        return;
    first = remoteAccessTick(server, now);
    second = remoteSessionTick(server, now);
    due = first < second ? first : second;
    if (due != UINT64_MAX)
        remoteServerDue(server, due);
}

/* ms until somebody has to look, -1: never. */
static int
remoteServerTimeout(virServerPtr server)
{
    unsigned long long due = atomic_load(&server->due), now = virTimeNowUs();

    if (due == UINT64_MAX)
        return -1;
    if (due <= now)
        return 0;
    return due - now < 3600000000ULL ? (int)((due - now + 999) / 1000) : 3600000;
}

/* ---------- waiting ---------- */

#ifdef __linux__
static int
remoteWorkerWatch(int epoll, int fd, unsigned int events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}
#endif

/* With server->lock held: one more waiting thread, told of everything there is. -1 with errno set. */
static int
remoteWorkerOpen(virServerPtr server, struct remoteWorker *worker)
{
#ifdef __linux__
    if ((worker->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return -1;
    if (remoteWorkerWatch(worker->epoll, server->wake[0], EPOLLIN) < 0
        || remoteWorkerWatch(worker->epoll, server->work[0], EPOLLIN | EPOLLEXCLUSIVE) < 0
        || remoteWorkerWatch(worker->epoll, server->control, EPOLLIN) < 0)
        return -1;
    for (int i = 0; i < atomic_load(&server->nlisteners); i++)
        if (remoteWorkerWatch(worker->epoll, server->listeners[i]->ready, EPOLLIN | EPOLLEXCLUSIVE) < 0)
            return -1;
#else
    worker->epoll = -1;
#endif
    worker->next = server->workers;
    server->workers = worker;
    return 0;
}

/* Waits until there may be something to do; false: it cannot. *who: somebody has come to or left a .who socket, or may have. */
static bool
remoteWorkerWait(virServerPtr server, struct remoteWorker *worker, int timeout, bool *who)
{
#ifdef __linux__
    struct epoll_event events[REMOTE_SERVER_LISTENERS + 3];
    int n = epoll_wait(worker->epoll, events, (int)(sizeof(events) / sizeof(events[0])), timeout);

    *who = false;
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == server->work[0])
            virPlatformWakeDrain(server->work);
        *who = *who || events[i].data.fd == server->control;
    }
    return n >= 0 || errno == EINTR;
#else
    unsigned int n = 0, listeners, peers;
    struct pollfd *fds;
    int rc;

    (void)worker;
    *who = true;
    pthread_mutex_lock(&server->lock);
    listeners = (unsigned int)atomic_load(&server->nlisteners);
    peers = server->npeers;
    if ((fds = calloc(2 * listeners + peers + 2, sizeof(*fds))) == NULL) {
        pthread_mutex_unlock(&server->lock);
        return false;
    }
    fds[n++] = (struct pollfd){ .fd = server->wake[0], .events = POLLIN };
    fds[n++] = (struct pollfd){ .fd = server->work[0], .events = POLLIN };
    for (unsigned int i = 0; i < listeners; i++) {
        fds[n++] = (struct pollfd){ .fd = server->listeners[i]->ready, .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = server->listeners[i]->whoFd, .events = POLLIN };
    }
    for (struct remotePeer *peer = server->peers; peer != NULL; peer = peer->next)
        fds[n++] = (struct pollfd){ .fd = peer->fd, .events = POLLIN };
    pthread_mutex_unlock(&server->lock);
    rc = virPlatformPoll(fds, n, timeout);
    if (rc > 0 && fds[1].revents != 0)
        virPlatformWakeDrain(server->work);
    free(fds);
    return rc >= 0 || errno == EINTR;
#endif
}

/* With server->lock held: nothing waits in the queue, so that whoever puts something there finds this thread idle. */
static bool
remoteServerIdle(virServerPtr server)
{
    bool idle;

    pthread_mutex_lock(&server->lock);
    if ((idle = server->first == NULL))
        atomic_fetch_add(&server->idle, 1);
    pthread_mutex_unlock(&server->lock);
    return idle;
}

static void
remoteServerLook(virServerPtr server, bool who)
{
    if (who)
        remoteAccessLook(server);
    remoteServerTick(server);
    remoteEventsDistribute(server);
}

static void
remoteServerLeave(virServerPtr server)
{
    pthread_mutex_lock(&server->lock);
    atomic_fetch_sub(&server->runners, 1);
    pthread_cond_broadcast(&server->left);
    pthread_mutex_unlock(&server->lock);
}

static int
remoteServerEnter(virServerPtr server, struct remoteWorker *worker)
{
    int rc, saved;

    worker->thread = pthread_self();
    pthread_mutex_lock(&server->lock);
    if ((rc = remoteWorkerOpen(server, worker)) == 0)
        atomic_fetch_add(&server->runners, 1);
    saved = errno;
    pthread_mutex_unlock(&server->lock);
    return rc == 0 ? 0 : virReportSystemError(saved, "cannot wait for clients");
}

static void
remoteWorkerClose(virServerPtr server, struct remoteWorker *worker)
{
    struct remoteWorker **link;

    pthread_mutex_lock(&server->lock);
    for (link = &server->workers; *link != NULL && *link != worker; link = &(*link)->next)
        ;
    if (*link != NULL)
        *link = worker->next;
    pthread_mutex_unlock(&server->lock);
    if (worker->epoll >= 0)
        close(worker->epoll);
}

/* ---------- addresses ---------- */

static int remoteServerAttachFd(virServerPtr server, int fd);

/* With server->lock held: from now on it is served. */
static int
remoteListenerStart(struct remoteListener *listener)
{
    virServerPtr server = listener->server;
    int n = atomic_load(&server->nlisteners);

    if (n == REMOTE_SERVER_LISTENERS)
        return virReportError(VIR_ERR_OPERATION_INVALID, "the server has %d addresses already", n);
#ifdef __linux__
    if (listener->whoFd >= 0 && remoteWorkerWatch(server->control, listener->whoFd, EPOLLIN) < 0)
        return virReportSystemError(errno, "cannot wait for clients");
    for (struct remoteWorker *worker = server->workers; worker != NULL; worker = worker->next)
        if (remoteWorkerWatch(worker->epoll, listener->ready, EPOLLIN | EPOLLEXCLUSIVE) < 0)
            return virReportSystemError(errno, "cannot wait for clients");
#else
    if (server->attached && listener->whoFd >= 0 && remoteServerAttachFd(server, listener->whoFd) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "the event loop takes no descriptors of the server");
#endif
    if (server->attached && remoteServerAttachFd(server, listener->ready) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "the event loop takes no descriptors of the server");
    server->listeners[n] = listener;
    atomic_store(&server->nlisteners, n + 1);
    return 0;
}

static bool
remoteServerIs(const char *function, virServerPtr server)
{
    virResetLastError();
    if (virHandleIs(server, VIRT_MAGIC_SERVER))
        return true;
    virReportError(VIR_ERR_INVALID_ARG, "invalid server pointer in %s", function);
    virErrorDispatch(NULL);
    return false;
}

/* ---------- the event loop ---------- */

/* The loop's turn: as much as there is, but not for ever, since others have to do in the loop as well. */
static void
remoteServerTurn(virServerPtr server)
{
    unsigned int turn = 0;

    remoteServerLook(server, true);
    for (int i = 0; i < REMOTE_SERVER_TURN && !atomic_load(&server->stopped) && remoteServerOne(server, &turn); i++)
        ;
    pthread_mutex_lock(&server->lock);
    if (server->first != NULL)
        remoteServerWake(server);
    if (server->timer >= 0)
        virEventUpdateTimeout(server->timer, remoteServerTimeout(server));
    pthread_mutex_unlock(&server->lock);
}

static void
remoteServerUnref(void *opaque)
{
    virServerPtr server = opaque;

    if (atomic_fetch_sub(&server->handle.refs, 1) > 1)
        return;
    pthread_mutex_destroy(&server->controlling);
    pthread_mutex_destroy(&server->distribute);
    pthread_mutex_destroy(&server->lock);
    pthread_mutex_destroy(&server->eventsLock);
    pthread_cond_destroy(&server->left);
    free(server);
}

/* The loop lets go of the server. */
static void
remoteServerDetach(virServerPtr server)
{
    int watches[sizeof(server->watches) / sizeof(server->watches[0])], n, timer;
    bool attached;

    pthread_mutex_lock(&server->lock);
    attached = server->attached;
    n = server->nwatches;
    memcpy(watches, server->watches, sizeof(watches));
    timer = server->timer;
    server->attached = false;
    server->nwatches = 0;
    server->timer = -1;
    pthread_mutex_unlock(&server->lock);
    for (int i = 0; i < n; i++)
        virEventRemoveHandle(watches[i]);
    if (timer >= 0)
        virEventRemoveTimeout(timer);
    if (attached) {
        atomic_fetch_sub(&server->idle, 1);
        remoteServerLeave(server);
    }
}

/* A turn that virServerFree waits for. */
static bool
remoteServerTurnBegin(virServerPtr server)
{
    bool begins;

    pthread_mutex_lock(&server->lock);
    if ((begins = server->attached)) {
        server->turning++;
        server->turner = pthread_self();
    }
    pthread_mutex_unlock(&server->lock);
    return begins;
}

static void
remoteServerTurnEnd(virServerPtr server)
{
    pthread_mutex_lock(&server->lock);
    server->turning--;
    pthread_cond_broadcast(&server->left);
    pthread_mutex_unlock(&server->lock);
}

static void
remoteServerReady(int watch, int fd, int events, void *opaque)
{
    virServerPtr server = opaque;

    (void)watch;
    (void)events;
    if (!remoteServerTurnBegin(server))
        return;
    if (fd == server->work[0])
        virPlatformWakeDrain(server->work);
    if (atomic_load(&server->stopped))
        remoteServerDetach(server);
    else
        remoteServerTurn(server);
    remoteServerTurnEnd(server);
}

static void
remoteServerTime(int timer, void *opaque)
{
    virServerPtr server = opaque;

    (void)timer;
    if (!remoteServerTurnBegin(server))
        return;
    remoteServerTurn(server);
    remoteServerTurnEnd(server);
}

VIRT_INTERNAL int
remoteServerWatch(virServerPtr server, int fd)
{
    int watch = virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, remoteServerReady, server, remoteServerUnref);

    if (watch >= 0)
        atomic_fetch_add(&server->handle.refs, 1);
    return watch;
}

/* With server->lock held. */
static int
remoteServerAttachFd(virServerPtr server, int fd)
{
    int watch = remoteServerWatch(server, fd);

    if (watch < 0)
        return -1;
    server->watches[server->nwatches++] = watch;
    return 0;
}

/* ---------- the public functions ---------- */

static const struct remoteParam remoteServerParams[] = {
    { VIR_SERVER_PARAM_CLIENTS, offsetof(struct remoteLimits, clients), 1, 100000, false },
    { VIR_SERVER_PARAM_PARALLEL, offsetof(struct remoteLimits, parallel), 1, 100000, false },
    { VIR_SERVER_PARAM_MESSAGE, offsetof(struct remoteLimits, message), 1 << 20, 1 << 30, false },
    { VIR_SERVER_PARAM_DOCUMENT, offsetof(struct remoteLimits, document), 1024, 1 << 30, false },
    { VIR_SERVER_PARAM_MEMORY, offsetof(struct remoteLimits, memory), 1024, 1 << 30, false },
    { VIR_SERVER_PARAM_DEPTH, offsetof(struct remoteLimits, depth), 4, 500, false },
    { VIR_SERVER_PARAM_SUBSCRIPTIONS, offsetof(struct remoteLimits, subscriptions), 1, 100000, false },
    { VIR_SERVER_PARAM_STREAMS, offsetof(struct remoteLimits, streams), 1, 100000, false },
    { VIR_SERVER_PARAM_EXPIRY, offsetof(struct remoteLimits, expiry), 100, 86400000, false },
};

/* What the server waits with; -1 with the error set. */
static int
remoteServerOpen(virServerPtr server)
{
    server->wake[0] = server->wake[1] = server->work[0] = server->work[1] = server->control = -1;
    if (remoteAccessSecret(server->id) < 0)
        return -1;
    if (virPlatformWakeOpen(server->wake) < 0 || virPlatformWakeOpen(server->work) < 0)
        return virReportSystemError(errno, "cannot make a server");
#ifdef __linux__
    if ((server->control = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return virReportSystemError(errno, "cannot make a server");
#endif
    return 0;
}

static void
remoteServerClose(virServerPtr server)
{
    int *const fds[] = { &server->wake[0], &server->wake[1], &server->work[0], &server->work[1], &server->control };

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (*fds[i] >= 0)
            close(*fds[i]);
}

virServerPtr
virServerNew(virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    struct remoteLimits limits = { .clients = 256, .parallel = 64, .message = 4 << 20, .document = 16 << 20, .memory = 32 << 20, .depth = 32,
                                   .subscriptions = 256, .streams = 16, .expiry = 60000 };
    virServerPtr server = NULL;

    virResetLastError();
    if (flags != 0)
        virReportUnsupportedFlags(__func__, flags);
    else if (remoteParamsRead(remoteServerParams, sizeof(remoteServerParams) / sizeof(remoteServerParams[0]), params, nparams, &limits) == 0)
        server = virAllocate(sizeof(*server));
    if (server != NULL) {
        server->limits = limits;
        server->handle.magic = VIRT_MAGIC_SERVER;
        atomic_init(&server->handle.refs, 1);
        atomic_init(&server->due, UINT64_MAX);
        pthread_mutex_init(&server->controlling, NULL);
        pthread_mutex_init(&server->distribute, NULL);
        pthread_mutex_init(&server->lock, NULL);
        pthread_mutex_init(&server->eventsLock, NULL);
        pthread_cond_init(&server->left, NULL);
        server->last = &server->first;
        server->lastEvent = &server->events;
        server->timer = -1;
        if (remoteServerOpen(server) == 0)
            return server;
        remoteServerClose(server);
        remoteServerUnref(server);
    }
    virErrorDispatch(NULL);
    return NULL;
}

/* Keeps the thread's error. */
static void
remoteHostFree(struct remoteHost *host)
{
    virErrorPtr saved = virSaveLastError();

    if (host->tapped)
        virEventHubUntap(host->conn->hub, remoteEventsTake, host);
    if (host->readOnly != NULL)
        virConnectClose(host->readOnly);
    if (host->conn != NULL)
        virConnectClose(host->conn);
    free(host->uri);
    free(host);
    virRestoreLastError(saved);
}

/* A host for the connection; NULL with the error set. */
static struct remoteHost *
remoteHostNew(virServerPtr server, virConnectPtr conn)
{
    struct remoteHost *host = virAllocate(sizeof(*host));

    if (host == NULL)
        return NULL;
    host->server = server;
    if ((host->uri = virConnectGetURI(conn)) == NULL || virConnectRef(conn) < 0) {
        remoteHostFree(host);
        return NULL;
    }
    host->conn = conn;
    if (conn->hub != NULL && virEventHubTap(conn->hub, remoteEventsTake, host) < 0) {
        remoteHostFree(host);
        return NULL;
    }
    host->tapped = conn->hub != NULL;
    return host;
}

int
virServerAddConnect(virServerPtr server, virConnectPtr conn)
{
    struct remoteHost *host, **link;
    bool there = false;

    if (!remoteServerIs(__func__, server) || virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    if ((host = remoteHostNew(server, conn)) == NULL) {
        virErrorDispatch(conn);
        return -1;
    }
    pthread_mutex_lock(&server->lock);
    for (link = &server->hosts; *link != NULL && !there; link = &(*link)->next)
        there = strcmp((*link)->uri, host->uri) == 0;
    if (!there)
        *link = host;
    pthread_mutex_unlock(&server->lock);
    if (!there)
        return 0;
    remoteHostFree(host);
    virReportError(VIR_ERR_OPERATION_INVALID, "a connection to '%s' is served already", conn->uri);
    virErrorDispatch(conn);
    return -1;
}

int
virServerListen(virServerPtr server, const char *address, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    struct remoteListenOptions options;
    struct remoteListener *listener = NULL;
    int rc = -1;

    if (!remoteServerIs(__func__, server))
        return -1;
    if ((flags & ~(unsigned int)VIR_SERVER_LISTEN_READONLY) != 0)
        virReportUnsupportedFlags(__func__, flags & ~(unsigned int)VIR_SERVER_LISTEN_READONLY);
    else if (virCallHas(__func__, address, "address")
             && remoteListenOptionsRead(&options, params, nparams) == 0
             && (listener = remoteListenerNew(server, address, &options, flags)) != NULL) {
        pthread_mutex_lock(&server->lock);
        rc = remoteListenerStart(listener);
        pthread_mutex_unlock(&server->lock);
    }
    if (rc < 0) {
        if (listener != NULL)
            remoteListenerFree(listener);
        virErrorDispatch(NULL);
        return -1;
    }
    virLog(VIR_LOG_INFO, "remote.server", "listens on %s%s", listener->address, listener->readOnly ? ", read-only" : "");
    return 0;
}

/* Whether what threads look at without a lock may change. */
static bool
remoteServerRests(virServerPtr server)
{
    if (atomic_load(&server->runners) == 0)
        return true;
    virReportError(VIR_ERR_OPERATION_INVALID, "the server is being served");
    virErrorDispatch(NULL);
    return false;
}

int
virServerSetAccess(virServerPtr server, virServerAccessFunc cb, void *opaque, virFreeCallback ff)
{
    if (!remoteServerIs(__func__, server) || !remoteServerRests(server))
        return -1;
    if (server->accessFree != NULL)
        server->accessFree(server->accessOpaque);
    server->access = cb;
    server->accessOpaque = opaque;
    server->accessFree = ff;
    return 0;
}

int
virServerSetAudit(virServerPtr server, virServerAuditFunc cb, void *opaque, virFreeCallback ff)
{
    if (!remoteServerIs(__func__, server) || !remoteServerRests(server))
        return -1;
    if (server->auditFree != NULL)
        server->auditFree(server->auditOpaque);
    server->audit = cb;
    server->auditOpaque = opaque;
    server->auditFree = ff;
    return 0;
}

int
virServerRun(virServerPtr server)
{
    struct remoteWorker worker = { .epoll = -1 };
    unsigned int turn = 0;
    bool who = true, waits = true;
    int n, saved = 0;

    if (!remoteServerIs(__func__, server))
        return -1;
    if (remoteServerEnter(server, &worker) < 0) {
        remoteWorkerClose(server, &worker);
        virErrorDispatch(NULL);
        return -1;
    }
    while (waits && !atomic_load(&server->stopped)) {
        remoteServerLook(server, who);
        for (n = 0; n < REMOTE_SERVER_TURN && !atomic_load(&server->stopped) && remoteServerOne(server, &turn); n++)
            if (virTimeNowUs() >= atomic_load(&server->due))
                remoteServerTick(server);
        /* clients that always have something to say keep neither events from others nor the server from seeing who comes and goes */
        if ((who = n == REMOTE_SERVER_TURN) || !remoteServerIdle(server))
            continue;
        waits = remoteWorkerWait(server, &worker, remoteServerTimeout(server), &who);
        saved = errno;
        atomic_fetch_sub(&server->idle, 1);
    }
    remoteWorkerClose(server, &worker);
    virResetLastError();
    if (!waits) {
        virReportSystemError(saved, "cannot wait for clients");
        virErrorDispatch(NULL);
    }
    remoteServerLeave(server);
    return waits ? 0 : -1;
}

int
virServerAttach(virServerPtr server)
{
    int n, rc = 0;

    if (!remoteServerIs(__func__, server))
        return -1;
    if (!virEventLoopIsRegistered()) {
        virReportError(VIR_ERR_OPERATION_INVALID, "there is no event loop: call virEventRegisterDefaultImpl or virEventRegisterImpl first");
        virErrorDispatch(NULL);
        return -1;
    }
    pthread_mutex_lock(&server->lock);
    if (server->attached) {
        pthread_mutex_unlock(&server->lock);
        return 0;
    }
    server->attached = true;
    atomic_fetch_add(&server->runners, 1);
    atomic_fetch_add(&server->idle, 1);
    n = atomic_load(&server->nlisteners);
    if ((server->timer = virEventAddTimeout(0, remoteServerTime, server, remoteServerUnref)) >= 0)
        atomic_fetch_add(&server->handle.refs, 1);
    else
        rc = -1;
    if (rc == 0)
        rc = remoteServerAttachFd(server, server->wake[0]);
    if (rc == 0)
        rc = remoteServerAttachFd(server, server->work[0]);
#ifdef __linux__
    if (rc == 0)
        rc = remoteServerAttachFd(server, server->control);
#else
    for (int i = 0; rc == 0 && i < n; i++)
        if (server->listeners[i]->whoFd >= 0)
            rc = remoteServerAttachFd(server, server->listeners[i]->whoFd);
#endif
    for (int i = 0; rc == 0 && i < n; i++)
        rc = remoteServerAttachFd(server, server->listeners[i]->ready);
    pthread_mutex_unlock(&server->lock);
    if (rc == 0)
        return 0;
    remoteServerDetach(server);
    virReportError(VIR_ERR_INTERNAL_ERROR, "the event loop takes no descriptors of the server");
    virErrorDispatch(NULL);
    return -1;
}

/* Only what a signal handler may do. */
int
virServerStop(virServerPtr server)
{
    int saved = errno;

    if (!virHandleIs(server, VIRT_MAGIC_SERVER))
        return -1;
    atomic_store(&server->stopped, true);
    (void)virPlatformWakeSend(server->wake);
    errno = saved;
    return 0;
}

int
virServerGetStats(virServerPtr server, virTypedParameterPtr *params, int *nparams, unsigned int flags)
{
    virTypedParameterPtr list = NULL;
    int n = 0, size = 0;
    unsigned int clients;

    if (!remoteServerIs(__func__, server))
        return -1;
    if (flags != 0)
        virReportUnsupportedFlags(__func__, flags);
    else if (virCallHas(__func__, params, "params") && virCallHas(__func__, nparams, "nparams")) {
        pthread_mutex_lock(&server->lock);
        clients = server->nsessions;
        pthread_mutex_unlock(&server->lock);
        if (virTypedParamsAddUInt(&list, &n, &size, "clients", clients) == 0
            && virTypedParamsAddUInt(&list, &n, &size, "running", (unsigned int)atomic_load(&server->stats.running)) == 0
            && virTypedParamsAddULLong(&list, &n, &size, "clients-total", atomic_load(&server->stats.clients)) == 0
            && virTypedParamsAddULLong(&list, &n, &size, "calls", atomic_load(&server->stats.calls)) == 0
            && virTypedParamsAddULLong(&list, &n, &size, "refused", atomic_load(&server->stats.refused)) == 0
            && virTypedParamsAddULLong(&list, &n, &size, "invalid", atomic_load(&server->stats.invalid)) == 0
            && virTypedParamsAddULLong(&list, &n, &size, "events-lost", atomic_load(&server->stats.eventsLost)) == 0) {
            *params = list;
            *nparams = n;
            return 0;
        }
        virTypedParamsFree(list, n);
    }
    virErrorDispatch(NULL);
    return -1;
}

/* Whether this thread serves right now: it is in a function of the application's (access, audit), or in a driver's event. */
static bool
remoteServerIsInside(virServerPtr server)
{
    bool inside;

    pthread_mutex_lock(&server->lock);
    inside = server->turning > 0 && pthread_equal(server->turner, pthread_self());
    for (struct remoteWorker *worker = server->workers; worker != NULL; worker = worker->next)
        inside = inside || pthread_equal(worker->thread, pthread_self());
    pthread_mutex_unlock(&server->lock);
    return inside;
}

void
virServerFree(virServerPtr server)
{
    struct remoteWork *work;
    struct remoteHost *host;
    bool more;
    int n;

    virResetLastError();
    if (server == NULL || !remoteServerIs(__func__, server))
        return;
    if (remoteServerIsInside(server)) {
        virReportError(VIR_ERR_OPERATION_INVALID, "a server cannot be freed by a thread that is serving it: it would wait for itself");
        virErrorDispatch(NULL);
        return;
    }
    virServerStop(server);
    remoteServerDetach(server);
    pthread_mutex_lock(&server->lock);
    while (atomic_load(&server->runners) > 0 || server->turning > 0)
        pthread_cond_wait(&server->left, &server->lock);
    pthread_mutex_unlock(&server->lock);
    server->handle.magic = 0;
    n = atomic_load(&server->nlisteners);
    for (int i = 0; i < n; i++)
        if (server->listeners[i]->whoPath != NULL)       /* nobody begins any more */
            unlink(server->listeners[i]->whoPath);
    remoteAccessCloseAll(server);
    remoteSessionEndAll(server);
    while ((work = remoteServerPop(server, &more)) != NULL)
        remoteWorkFree(work);
    for (host = server->hosts; host != NULL; host = host->next)
        if (host->tapped) {
            virEventHubUntap(host->conn->hub, remoteEventsTake, host);
            host->tapped = false;
        }
    remoteEventsDrop(server);
    for (int i = 0; i < n; i++)
        remoteListenerFree(server->listeners[i]);
    while ((host = server->hosts) != NULL) {
        server->hosts = host->next;
        remoteHostFree(host);
    }
    if (server->accessFree != NULL)
        server->accessFree(server->accessOpaque);
    if (server->auditFree != NULL)
        server->auditFree(server->auditOpaque);
    remoteServerClose(server);
    remoteServerUnref(server);
}

#undef VIRT_FROM
#endif
