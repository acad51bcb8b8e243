/*
 * The server: its addresses, and the threads of the application that serve them.
 *
 * Each address has a raw nanomsg socket, from which any thread may take a message and into which any may put a reply: a request is taken,
 * carried out and answered by one and the same thread, without another in between. A thread waits in an epoll of its own, in which the
 * sockets are exclusive: a message wakes one of them. Since that happens for the first message of several only, who takes one looks for a
 * second, and leaves it in the server's queue for another thread. (Elsewhere than on Linux they wait by poll.) The event loop, if the
 * server is attached to it, is one more such thread, whose waiting is done by the loop.
 */
#include "server.h"
#include "../common/file.h"
#include "../common/text.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <stdio.h>
#ifdef __linux__
# include <sys/epoll.h>
#endif
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

/* ---------- messages ---------- */

VIRT_INTERNAL void
remoteServerSend(const struct remoteFrom *from, const char *text, size_t length)
{
    struct nn_iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = length };
    struct nn_msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = (void *)(uintptr_t)from->control,
                                 .msg_controllen = from->length };

    if (from->length > 0)
        nn_sendmsg(from->listener->socket, &message, NN_DONTWAIT);
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
        from->length = header->cmsg_len;
        *length = (size_t)got;
        if (from->length > 0 && from->length <= sizeof(from->control))
            return payload;
        nn_freemsg(payload);
        atomic_fetch_add(&listener->server->stats.invalid, 1);
    }
}

static void
remoteServerTakeMessage(virServerPtr server, const struct remoteFrom *from, void *payload, size_t length)
{
    remoteSessionTake(server, from, payload, length);
    nn_freemsg(payload);
}

/* ---------- the queue ---------- */

VIRT_INTERNAL void
remoteWorkFree(struct remoteWork *work)
{
    if (work->payload != NULL)
        nn_freemsg(work->payload);
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
    remoteSessionTake(server, &work->from, work->payload, work->length);
    remoteWorkFree(work);
}

/* Leaves a second message for a thread that waits. Without memory it is carried out here, one after the other. */
static void
remoteServerShare(virServerPtr server, struct remoteListener *listener)
{
    struct remoteFrom from;
    struct remoteWork *work;
    size_t length;
    void *payload;

    if (atomic_load(&server->idle) == 0 || (payload = remoteListenerReceive(listener, &from, &length)) == NULL)
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
        if (more && atomic_load(&server->idle) > 0)
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
        remoteServerShare(server, listener);
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
    int rc;

    pthread_mutex_lock(&server->lock);
    if ((rc = remoteWorkerOpen(server, worker)) == 0)
        atomic_fetch_add(&server->runners, 1);
    pthread_mutex_unlock(&server->lock);
    return rc == 0 ? 0 : virReportSystemError(errno, "cannot wait for clients");
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

/* What virServerListen was asked for. */
struct remoteListenOptions {
    unsigned int mode, owner, group;
};

struct remoteParam {
    const char *name;
    size_t offset;                    /* of an unsigned int in what it is for */
    unsigned int least, most;
};

/* Reads the parameters into the struct that the table is about: 0, or -1 with the error set. */
static int
remoteParamsRead(const struct remoteParam *table, size_t n, virTypedParameterPtr params, unsigned int nparams, void *into)
{
    for (unsigned int i = 0; i < nparams; i++) {
        size_t at;

        for (at = 0; at < n && strcmp(table[at].name, params[i].field) != 0; at++)
            ;
        if (at == n)
            return virReportError(VIR_ERR_INVALID_ARG, "there is no parameter '%s'", params[i].field);
        if (params[i].type != VIR_TYPED_PARAM_UINT)
            return virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' must be an unsigned int", params[i].field);
        if (params[i].value.ui < table[at].least || params[i].value.ui > table[at].most)
            return virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' must be from %u to %u, not %u", params[i].field, table[at].least,
                                  table[at].most, params[i].value.ui);
        memcpy((char *)into + table[at].offset, &params[i].value.ui, sizeof(unsigned int));
    }
    return 0;
}

static void
remoteListenerFree(struct remoteListener *listener)
{
    if (listener->socket >= 0)
        nn_close(listener->socket);
    if (listener->whoFd >= 0) {
        unlink(listener->whoPath);
        close(listener->whoFd);
    }
    if (listener->bound)
        unlink(listener->path);
    if (listener->lockFd >= 0) {
        unlink(listener->lockPath);
        close(listener->lockFd);
    }
    if (listener->spareFd >= 0)
        close(listener->spareFd);
    free(listener->address);
    free(listener->path);
    free(listener->whoPath);
    free(listener->lockPath);
    free(listener);
}

/* The usual place, whose folder is made. */
static char *
remoteListenerUsual(bool readOnly)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    VIRT_CLEANUP_FREE char *folder = NULL;

    if (geteuid() == 0)
        folder = virStringCopy("/run/virt");
    else if (runtime != NULL && runtime[0] == '/')
        folder = virStringFormat("%s/virt", runtime);
    else
        virReportError(VIR_ERR_INVALID_ARG, "XDG_RUNTIME_DIR is not set: say where to listen, as 'unix:PATH'");
    if (folder == NULL || virFileMakePath(folder, geteuid() == 0 ? 0755 : 0700) < 0)
        return NULL;
    return virStringFormat("%s/virt-sock%s", folder, readOnly ? "-ro" : "");
}

/* Another server may be there that knows nothing of our lock. */
static int
remoteListenerProbe(const char *path)
{
    int fd = virFileConnect(path);

    if (fd < 0) {
        virResetLastError();
        return 0;
    }
    close(fd);
    return virReportError(VIR_ERR_OPERATION_INVALID, "'%s': another server listens there", path);
}

/* Owner, group and permissions of a socket's file that nobody reaches yet. */
static int
remoteListenerPermit(const struct remoteListener *listener, const char *path)
{
    if ((listener->owner >= 0 || listener->group >= 0) && lchown(path, (uid_t)listener->owner, (gid_t)listener->group) < 0)
        return virReportSystemError(errno, "cannot give '%s' to user %lld, group %lld", listener->path, listener->owner, listener->group);
    if (chmod(path, listener->mode) < 0)
        return virReportSystemError(errno, "cannot set the permissions of '%s'", listener->path);
    return 0;
}

/* nanomsg's socket, with its limits. -1 with the error set. */
static int
remoteListenerSocket(struct remoteListener *listener)
{
    int buffer = 1 << 20, largest = (int)listener->server->limits.message;
    size_t size = sizeof(listener->ready);

    if ((listener->socket = nn_socket(AF_SP_RAW, NN_REP)) < 0
        || nn_setsockopt(listener->socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, &largest, sizeof(largest)) < 0
        || nn_setsockopt(listener->socket, NN_SOL_SOCKET, NN_SNDBUF, &buffer, sizeof(buffer)) < 0
        || nn_setsockopt(listener->socket, NN_SOL_SOCKET, NN_RCVBUF, &buffer, sizeof(buffer)) < 0
        || nn_getsockopt(listener->socket, NN_SOL_SOCKET, NN_RCVFD, &listener->ready, &size) < 0)
        return virReportError(VIR_ERR_SYSTEM_ERROR, "cannot make a socket of nanomsg: %s", nn_strerror(nn_errno()));
    return 0;
}

/*
 * Both sockets are made in a folder that only we enter, and moved to where clients find them when their permissions are set: nobody gets in
 * between, whatever the umask. PATH.who comes last: with it a client begins.
 */
static int
remoteListenerBind(struct remoteListener *listener, const char *folder)
{
    VIRT_CLEANUP_FREE char *socket = virStringFormat("%s/s", folder), *who = virStringFormat("%s/w", folder);
    VIRT_CLEANUP_FREE char *address = virStringFormat("ipc://%s/s", folder);
    int rc = -1;

    if (socket == NULL || who == NULL || address == NULL)
        return -1;
    if (strlen(address) >= NN_SOCKADDR_MAX || strlen(socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)
        || strlen(listener->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path) - strlen(".who"))
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' is too long for a Unix socket", listener->path);
    if (nn_bind(listener->socket, address) < 0)
        return virReportError(VIR_ERR_SYSTEM_ERROR, "cannot listen on '%s': %s", listener->path, nn_strerror(nn_errno()));
    if ((listener->whoFd = virFileListen(who, 64)) >= 0 && remoteListenerPermit(listener, socket) == 0
        && remoteListenerPermit(listener, who) == 0) {
        if (rename(socket, listener->path) < 0)
            virReportSystemError(errno, "cannot make '%s'", listener->path);
        else if (listener->bound = true, rename(who, listener->whoPath) < 0)
            virReportSystemError(errno, "cannot make '%s'", listener->whoPath);
        else
            rc = 0;
    }
    unlink(socket);
    unlink(who);
    return rc;
}

static int
remoteListenerUnix(struct remoteListener *listener)
{
    VIRT_CLEANUP_FREE char *folder = NULL;
    const char *slash = strrchr(listener->path, '/');
    pid_t owner;
    int rc = -1;

    listener->whoPath = virStringFormat("%s.who", listener->path);
    listener->lockPath = virStringFormat("%s.lock", listener->path);
    folder = virStringFormat("%.*s.vXXXXXX", slash != NULL ? (int)(slash + 1 - listener->path) : 0, listener->path);
    if (listener->whoPath == NULL || listener->lockPath == NULL || folder == NULL || remoteListenerSocket(listener) < 0)
        return -1;
    if ((listener->lockFd = virFileLock(listener->lockPath, &owner)) < 0)
        return owner == 0 ? -1 : virReportError(VIR_ERR_OPERATION_INVALID, "'%s': process %lld listens there already", listener->path, (long long)owner);
    if (remoteListenerProbe(listener->path) < 0 || remoteListenerProbe(listener->whoPath) < 0)
        return -1;
    if ((listener->spareFd = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
        return virReportSystemError(errno, "cannot open '/dev/null'");
    if (mkdtemp(folder) == NULL)
        return virReportSystemError(errno, "cannot make a folder beside '%s'", listener->path);
    rc = remoteListenerBind(listener, folder);
    rmdir(folder);
    return rc;
}

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
    if (remoteWorkerWatch(server->control, listener->whoFd, EPOLLIN) < 0)
        return virReportSystemError(errno, "cannot wait for clients");
    for (struct remoteWorker *worker = server->workers; worker != NULL; worker = worker->next)
        if (remoteWorkerWatch(worker->epoll, listener->ready, EPOLLIN | EPOLLEXCLUSIVE) < 0)
            return virReportSystemError(errno, "cannot wait for clients");
#else
    if (server->attached && remoteServerAttachFd(server, listener->whoFd) < 0)
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
    for (int i = 0; i < 64 && !atomic_load(&server->stopped) && remoteServerOne(server, &turn); i++)
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
    if ((begins = server->attached))
        server->turning++;
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

/* With server->lock held. */
static int
remoteServerAttachFd(virServerPtr server, int fd)
{
    int watch = virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, remoteServerReady, server, remoteServerUnref);

    if (watch < 0)
        return -1;
    atomic_fetch_add(&server->handle.refs, 1);
    server->watches[server->nwatches++] = watch;
    return 0;
}

/* ---------- the public functions ---------- */

static const struct remoteParam remoteServerParams[] = {
    { VIR_SERVER_PARAM_CLIENTS, offsetof(struct remoteLimits, clients), 1, 100000 },
    { VIR_SERVER_PARAM_PARALLEL, offsetof(struct remoteLimits, parallel), 1, 100000 },
    { VIR_SERVER_PARAM_MESSAGE, offsetof(struct remoteLimits, message), 1 << 20, 1 << 30 },
    { VIR_SERVER_PARAM_DOCUMENT, offsetof(struct remoteLimits, document), 1024, 1 << 30 },
    { VIR_SERVER_PARAM_MEMORY, offsetof(struct remoteLimits, memory), 1024, 1 << 30 },
    { VIR_SERVER_PARAM_DEPTH, offsetof(struct remoteLimits, depth), 4, 500 },
    { VIR_SERVER_PARAM_SUBSCRIPTIONS, offsetof(struct remoteLimits, subscriptions), 1, 100000 },
    { VIR_SERVER_PARAM_STREAMS, offsetof(struct remoteLimits, streams), 1, 100000 },
    { VIR_SERVER_PARAM_EXPIRY, offsetof(struct remoteLimits, expiry), 100, 86400000 },
};

static const struct remoteParam remoteListenParams[] = {
    { VIR_SERVER_PARAM_MODE, offsetof(struct remoteListenOptions, mode), 0, 0777 },
    { VIR_SERVER_PARAM_OWNER, offsetof(struct remoteListenOptions, owner), 0, UINT_MAX - 1 },
    { VIR_SERVER_PARAM_GROUP, offsetof(struct remoteListenOptions, group), 0, UINT_MAX - 1 },
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

/* The listener for an address; NULL with the error set. */
static struct remoteListener *
remoteListenerNew(virServerPtr server, const char *address, const struct remoteListenOptions *options, unsigned int flags)
{
    struct remoteListener *listener;
    bool usual = strcmp(address, "unix:") == 0;

    if (strncmp(address, "tcp:", 4) == 0 || strncmp(address, "ws:", 3) == 0) {
        virReportError(VIR_ERR_NO_SUPPORT, "'%s': a server listens there with encryption and authentication only, which are not in this library",
                       address);
        return NULL;
    }
    if (strncmp(address, "unix:", 5) != 0) {
        virReportError(VIR_ERR_INVALID_ARG, "'%s' is no address: it is unix:PATH, tcp:HOST:PORT or ws:HOST:PORT", address);
        return NULL;
    }
    if ((listener = virAllocate(sizeof(*listener))) == NULL)
        return NULL;
    listener->server = server;
    listener->socket = listener->whoFd = listener->lockFd = listener->spareFd = -1;
    listener->readOnly = (flags & VIR_SERVER_LISTEN_READONLY) != 0;
    listener->mode = options->mode;
    listener->owner = options->owner == UINT_MAX ? -1 : (long long)options->owner;
    listener->group = options->group == UINT_MAX ? -1 : (long long)options->group;
    listener->path = usual ? remoteListenerUsual(listener->readOnly) : virStringCopy(address + 5);
    if (listener->path != NULL && (listener->address = virStringFormat("unix:%s", listener->path)) != NULL
        && remoteListenerUnix(listener) == 0)
        return listener;
    remoteListenerFree(listener);
    return NULL;
}

int
virServerListen(virServerPtr server, const char *address, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    struct remoteListenOptions options = { .mode = 0600, .owner = UINT_MAX, .group = UINT_MAX };
    struct remoteListener *listener = NULL;
    int rc = -1;

    if (!remoteServerIs(__func__, server))
        return -1;
    if ((flags & ~(unsigned int)VIR_SERVER_LISTEN_READONLY) != 0)
        virReportUnsupportedFlags(__func__, flags & ~(unsigned int)VIR_SERVER_LISTEN_READONLY);
    else if (virCallHas(__func__, address, "address")
             && remoteParamsRead(remoteListenParams, sizeof(remoteListenParams) / sizeof(remoteListenParams[0]), params, nparams, &options) == 0
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

    if (!remoteServerIs(__func__, server))
        return -1;
    if (remoteServerEnter(server, &worker) < 0) {
        remoteWorkerClose(server, &worker);
        virErrorDispatch(NULL);
        return -1;
    }
    while (waits && !atomic_load(&server->stopped)) {
        remoteServerLook(server, who);
        while (!atomic_load(&server->stopped) && remoteServerOne(server, &turn))
            if (virTimeNowUs() >= atomic_load(&server->due))
                remoteServerTick(server);
        who = false;
        if (!remoteServerIdle(server))
            continue;
        waits = remoteWorkerWait(server, &worker, remoteServerTimeout(server), &who);
        atomic_fetch_sub(&server->idle, 1);
    }
    remoteWorkerClose(server, &worker);
    virResetLastError();
    if (!waits)
        virReportSystemError(errno, "cannot wait for clients");
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
    virServerStop(server);
    remoteServerDetach(server);
    pthread_mutex_lock(&server->lock);
    while (atomic_load(&server->runners) > 0 || server->turning > 0)
        pthread_cond_wait(&server->left, &server->lock);
    pthread_mutex_unlock(&server->lock);
    server->handle.magic = 0;
    n = atomic_load(&server->nlisteners);
    for (int i = 0; i < n; i++)
        unlink(server->listeners[i]->whoPath);           /* nobody begins any more */
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
#else

/* Without nanomsg (or on Windows) there are no servers. */
#define VIRT_FROM VIR_FROM_RPC

static int
remoteServerNone(const char *function)
{
    virResetLastError();
    virReportError(VIR_ERR_NO_SUPPORT, "%s: this library has no servers, since it was built without nanomsg", function);
    virErrorDispatch(NULL);
    return -1;
}

virServerPtr
virServerNew(virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    (void)params;
    (void)nparams;
    (void)flags;
    remoteServerNone(__func__);
    return NULL;
}

int
virServerAddConnect(virServerPtr server, virConnectPtr conn)
{
    (void)server;
    (void)conn;
    return remoteServerNone(__func__);
}

int
virServerListen(virServerPtr server, const char *address, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    (void)server;
    (void)address;
    (void)params;
    (void)nparams;
    (void)flags;
    return remoteServerNone(__func__);
}

int
virServerSetAccess(virServerPtr server, virServerAccessFunc cb, void *opaque, virFreeCallback ff)
{
    (void)server;
    (void)cb;
    (void)opaque;
    (void)ff;
    return remoteServerNone(__func__);
}

int
virServerSetAudit(virServerPtr server, virServerAuditFunc cb, void *opaque, virFreeCallback ff)
{
    (void)server;
    (void)cb;
    (void)opaque;
    (void)ff;
    return remoteServerNone(__func__);
}

int
virServerRun(virServerPtr server)
{
    (void)server;
    return remoteServerNone(__func__);
}

int
virServerAttach(virServerPtr server)
{
    (void)server;
    return remoteServerNone(__func__);
}

int
virServerStop(virServerPtr server)
{
    (void)server;
    return -1;
}

int
virServerGetStats(virServerPtr server, virTypedParameterPtr *params, int *nparams, unsigned int flags)
{
    (void)server;
    (void)params;
    (void)nparams;
    (void)flags;
    return remoteServerNone(__func__);
}

void
virServerFree(virServerPtr server)
{
    (void)server;
}

#undef VIRT_FROM
#endif
