/*
 * What stands between nanomsg and strangers, where the transport is ipc or ws: wire.c reads what they send, and nothing but whole messages in good order
 * goes on to nanomsg, by a connection of its own for each. Both ends see what they would see of each other.
 *
 * At a server, nanomsg listens where only we come in, and the strangers connect here. At a client, nanomsg connects here, and from here a connection
 * goes to the stranger; nanomsg is not greeted before that one has been, so it is connected when the server is.
 *
 * A front has one thread, as nanomsg has: bytes pass whether or not the application does something just now. It holds no lock, and calls nobody. A
 * connection has one message under way in each direction: who is not listened to is not read, so that a stream is as slow as its slower end.
 */
#include "../driver.h"

#if VIRT_WITH_REMOTE
#include "front.h"
#include "wire.h"
#include "../common/file.h"
#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_FRONT_HELD      (64u << 20)       /* bytes of messages that nanomsg does not have yet, of all connections; or two of the largest */
#define REMOTE_FRONT_ACCEPTS   64                /* at a time */
#define REMOTE_FRONT_PAUSE     20000ull          /* us until nanomsg, or a new connection, is tried again */
#define REMOTE_FRONT_CONNECT_MS 5000             /* that a connection over TCP may take */
#define REMOTE_FRONT_FIXED     2                 /* descriptors before those of connections */

/* What has connected, and what it is connected to: at a server from its first message on, at a client before it is greeted itself. */
struct remoteFrontPair {
    struct remoteWire outer, inner;
    bool met, connected;              /* the outer one is greeted, and there is an inner one */
    void *first;                      /* the message that waits for it; nothing is read meanwhile */
    size_t firstLength;
    unsigned long long heard;         /* us: something of a message came, or the connection did */
    size_t outerAt, innerAt;          /* their places in the front's fds; 0: none */
};

struct remoteFront {
    struct remoteFrontOptions options;         /* its texts are the next three */
    char *path, *host, *port;
    char *authority;                  /* host and port as HTTP has them */
    int fd;                           /* that listens */
    int wake[2];
    atomic_bool stopped;
    bool threaded;
    pthread_t thread;

    /* the thread's */
    size_t n;                         /* pairs, at the beginning of the array; its room is options.most */
    struct remoteFrontPair **pairs;
    struct pollfd *fds;
    bool starved;                     /* no descriptor was left: somebody has to go */
    unsigned long long acceptAt, lookAt;         /* us: when to accept again, and when to look after those who wait */
};

/* ---------- connections ---------- */

static void
remoteFrontPairFree(struct remoteFrontPair *pair)
{
    free(pair->first);
    if (pair->connected)
        remoteWireClose(&pair->inner);
    remoteWireClose(&pair->outer);
    free(pair);
}

static void
remoteFrontDrop(struct remoteFront *front, size_t at)
{
    remoteFrontPairFree(front->pairs[at]);
    front->pairs[at] = front->pairs[--front->n];
}

/* Bytes that have come from it and are not with nanomsg yet. */
static size_t
remoteFrontHolds(const struct remoteFrontPair *pair)
{
    return (pair->outer.body != NULL ? pair->outer.have : 0) + (pair->first != NULL ? pair->firstLength : 0)
           + (pair->connected && pair->inner.first != NULL ? pair->inner.first->length : 0);
}

/* Who was silent for longest, of those that hold something, or else of those that have asked nothing so far before all others; front->n: there is none. */
static size_t
remoteFrontSilent(const struct remoteFront *front, bool holding)
{
    size_t silent = front->n;

    for (size_t i = 0; i < front->n; i++) {
        const struct remoteFrontPair *pair = front->pairs[i], *before = silent < front->n ? front->pairs[silent] : NULL;

        if (holding && remoteFrontHolds(pair) == 0)
            continue;
        if (before == NULL || (!holding && pair->connected != before->connected ? !pair->connected : pair->heard < before->heard))
            silent = i;
    }
    return silent;
}

/* Because of what came, or did not. */
static void
remoteFrontRefuse(struct remoteFront *front, size_t at)
{
    if (front->options.refused != NULL)
        atomic_fetch_add(front->options.refused, 1);
    remoteFrontDrop(front, at);
}

/* So that there is room for another. */
static void
remoteFrontRefuseSilent(struct remoteFront *front)
{
    if (front->n > 0)
        remoteFrontRefuse(front, remoteFrontSilent(front, false));
}

static void
remoteFrontLookAt(struct remoteFront *front, unsigned long long when)
{
    if (when < front->lookAt)
        front->lookAt = when;
}

/* Small messages at once, and a look now and then whether the other host is there at all. */
static void
remoteFrontSetTcp(int fd)
{
    int yes = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
}

/* Waits until it is connected, the front is freed, or too long. */
static bool
remoteFrontConnects(struct remoteFront *front, int fd)
{
    struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT }, { .fd = front->wake[0], .events = POLLIN } };
    socklen_t size = sizeof(int);
    int error = 0;

    return virPlatformPoll(fds, 2, REMOTE_FRONT_CONNECT_MS) > 0 && fds[1].revents == 0
           && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

/* A connection to the other end; -1: not now. Over TCP it is waited for: at a client there is nothing else to do. */
static int
remoteFrontReach(struct remoteFront *front)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *list;
    int fd = -1;

    if (front->path != NULL) {
        fd = virFileConnect(front->path);
        front->starved = front->starved || (fd < 0 && (virGetLastError()->int1 == EMFILE || virGetLastError()->int1 == ENFILE));
        virResetLastError();
        return fd;
    }
    if (getaddrinfo(front->host, front->port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
        if ((fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
            continue;
        remoteFrontSetTcp(fd);
        if ((connect(fd, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS) && remoteFrontConnects(front, fd))
            break;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd;
}

/* The outer connection is greeted. */
static int
remoteFrontGreet(struct remoteFront *front, struct remoteFrontPair *pair)
{
    const struct remoteFrontOptions *options = &front->options;

    pair->met = true;
    return remoteWireOpen(&pair->outer, pair->outer.fd, options->client ? REMOTE_WIRE_SP : options->kind, false, NULL,
                          options->client ? SIZE_MAX : options->largest);
}

/* The inner connection, if it can be had now. -1: it is over. */
static int
remoteFrontConnect(struct remoteFront *front, struct remoteFrontPair *pair)
{
    const struct remoteFrontOptions *options = &front->options;
    int fd = remoteFrontReach(front);

    if (fd < 0 && options->client)
        return -1;                    /* nanomsg tries again */
    if (fd < 0) {                     /* nanomsg has not accepted those before yet, or there are no descriptors */
        remoteFrontLookAt(front, virTimeNowUs() + REMOTE_FRONT_PAUSE);
        return 0;
    }
    pair->connected = true;
    return remoteWireOpen(&pair->inner, fd, options->client ? options->kind : REMOTE_WIRE_SP, true, front->authority,
                          options->client ? options->largest : SIZE_MAX);
}

/* Takes one who has connected; fd is taken over. */
static void
remoteFrontMeet(struct remoteFront *front, int fd, unsigned long long now)
{
    struct remoteFrontPair *pair = calloc(1, sizeof(*pair));

    if (pair == NULL) {
        close(fd);
        return;
    }
    if (front->n == front->options.most)
        remoteFrontRefuseSilent(front);
    if (!front->options.client && front->options.kind == REMOTE_WIRE_WS)
        remoteFrontSetTcp(fd);
    pair->outer.fd = fd;
    pair->heard = now;
    front->pairs[front->n++] = pair;
    if ((front->options.client ? remoteFrontConnect(front, pair) : remoteFrontGreet(front, pair)) < 0)
        remoteFrontDrop(front, front->n - 1);
    else
        remoteFrontLookAt(front, now + front->options.greeting);
}

VIRT_INTERNAL int
remoteFrontTakeNext(int listening)
{
#ifdef SOCK_CLOEXEC
    return accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    int fd = accept(listening, NULL, NULL);

    if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)) {
        close(fd);
        errno = ECONNABORTED;
        return -1;
    }
    return fd;
#endif
}

static void
remoteFrontAccept(struct remoteFront *front, unsigned long long now)
{
    int fd = -1, saved;

    for (int i = 0; i < REMOTE_FRONT_ACCEPTS; i++) {
        if ((fd = remoteFrontTakeNext(front->fd)) >= 0)
            remoteFrontMeet(front, fd, now);
        else if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
    saved = errno;
    if (fd >= 0 || saved == EAGAIN || saved == EWOULDBLOCK)
        return;
    front->acceptAt = now + REMOTE_FRONT_PAUSE;
    if (saved == EMFILE || saved == ENFILE)
        front->starved = true;
}

/* ---------- messages ---------- */

/* The first message, and the connection that it waits for. */
static int
remoteFrontPassFirst(struct remoteFront *front, struct remoteFrontPair *pair)
{
    void *first = pair->first;

    if (remoteFrontConnect(front, pair) < 0)
        return -1;
    if (!pair->connected)
        return 0;
    pair->first = NULL;
    return remoteWireSend(&pair->inner, first, pair->firstLength);
}

/* Takes the message over. */
static int
remoteFrontPass(struct remoteFront *front, struct remoteFrontPair *pair, void *body, size_t length)
{
    if (pair->connected)
        return remoteWireSend(&pair->inner, body, length);
    pair->first = body;
    pair->firstLength = length;
    return remoteFrontPassFirst(front, pair);
}

static bool
remoteFrontListensOuter(const struct remoteFrontPair *pair)
{
    return pair->met && pair->first == NULL && !pair->outer.closing && (!pair->connected || pair->inner.first == NULL);
}

static bool
remoteFrontListensInner(const struct remoteFrontPair *pair)
{
    return pair->connected && !pair->inner.closing && pair->outer.first == NULL;
}

/* What a wire's descriptor may do now. 1: a message, which is the caller's; 0; -1: it is over; -2: it has to be, because of what came. */
static int
remoteFrontTurnWire(struct remoteWire *wire, bool listens, short events, void **body, size_t *length)
{
    if ((events & POLLOUT) != 0 && remoteWireFlush(wire) < 0)
        return -1;
    if (!listens)
        return (events & (POLLHUP | POLLERR | POLLNVAL)) != 0 ? -1 : 0;
    return remoteWireRead(wire, body, length);
}

/* 0, -1, -2: the same. */
static int
remoteFrontTurnOuter(struct remoteFront *front, struct remoteFrontPair *pair, short events)
{
    bool listens = remoteFrontListensOuter(pair);
    void *body;
    size_t length;
    int rc = remoteFrontTurnWire(&pair->outer, listens, events, &body, &length);

    if (rc >= 0 && listens && pair->outer.state != REMOTE_WIRE_GREETING)
        pair->heard = virTimeNowUs();
    return rc == 1 ? remoteFrontPass(front, pair, body, length) : rc;
}

static int
remoteFrontTurnInner(struct remoteFront *front, struct remoteFrontPair *pair, short events)
{
    void *body;
    size_t length;
    int rc = remoteFrontTurnWire(&pair->inner, remoteFrontListensInner(pair), events, &body, &length);

    if (rc >= 0 && !pair->met && pair->inner.state != REMOTE_WIRE_GREETING && remoteFrontGreet(front, pair) < 0) {
        if (rc == 1)
            free(body);
        return -1;
    }
    return rc == 1 ? remoteWireSend(&pair->outer, body, length) : rc;
}

/* Messages that are not with nanomsg yet must not be too many bytes: whoever was silent for longest loses its own. */
static void
remoteFrontBound(struct remoteFront *front)
{
    size_t held = 0, most = front->options.largest < REMOTE_FRONT_HELD / 2 ? REMOTE_FRONT_HELD : 2 * front->options.largest, silent;

    for (size_t i = 0; i < front->n; i++)
        held += remoteFrontHolds(front->pairs[i]);
    while (held > most && (silent = remoteFrontSilent(front, true)) < front->n) {
        held -= remoteFrontHolds(front->pairs[silent]);
        remoteFrontRefuse(front, silent);
    }
}

/* Those who wait: to be greeted, or for nanomsg. */
static void
remoteFrontLook(struct remoteFront *front, unsigned long long now)
{
    front->lookAt = UINT64_MAX;
    for (size_t i = front->n; i-- > 0;) {
        struct remoteFrontPair *pair = front->pairs[i];
        bool greets = pair->outer.state == REMOTE_WIRE_GREETING;

        if ((greets || pair->first != NULL) && now >= pair->heard + front->options.greeting) {
            remoteFrontRefuse(front, i);
        } else if (greets) {
            remoteFrontLookAt(front, pair->heard + front->options.greeting);
        } else if (pair->first != NULL && remoteFrontPassFirst(front, pair) < 0) {
            remoteFrontDrop(front, i);
        }
    }
}

/* ---------- the thread ---------- */

/* A place for what is open, and no more: poll() takes no more than there may be descriptors. */
static size_t
remoteFrontPoll(struct remoteFront *front, size_t *n, const struct remoteWire *wire, bool open, bool listens)
{
    if (!open)
        return 0;
    front->fds[*n] = (struct pollfd){ .fd = wire->fd, .events = (short)((listens ? POLLIN : 0) | (wire->first != NULL ? POLLOUT : 0)) };
    return (*n)++;
}

/* Until something happens, or for so many ms; -1: as long as it takes. */
static bool
remoteFrontWait(struct remoteFront *front, int timeout)
{
    unsigned long long now = virTimeNowUs(), due = front->lookAt;
    bool accepts = now >= front->acceptAt;
    size_t n = REMOTE_FRONT_FIXED;

    front->fds[0] = (struct pollfd){ .fd = front->wake[0], .events = POLLIN };
    front->fds[1] = (struct pollfd){ .fd = accepts ? front->fd : -1, .events = POLLIN };
    for (size_t i = 0; i < front->n; i++) {
        struct remoteFrontPair *pair = front->pairs[i];

        pair->outerAt = remoteFrontPoll(front, &n, &pair->outer, pair->met, remoteFrontListensOuter(pair));
        pair->innerAt = remoteFrontPoll(front, &n, &pair->inner, pair->connected, remoteFrontListensInner(pair));
    }
    due = accepts || due < front->acceptAt ? due : front->acceptAt;
    if (timeout < 0 && due != UINT64_MAX)
        timeout = due <= now ? 0 : (int)((due - now + 999) / 1000);
    return virPlatformPoll(front->fds, n, timeout) >= 0;
}

/* From the last to the first, since the last one comes to the place of one that is dropped. */
static void
remoteFrontTurn(struct remoteFront *front)
{
    unsigned long long now;
    bool holds = false;

    for (size_t i = front->n; i-- > 0;) {
        struct remoteFrontPair *pair = front->pairs[i];
        short outer = pair->outerAt > 0 ? front->fds[pair->outerAt].revents : 0, inner = pair->innerAt > 0 ? front->fds[pair->innerAt].revents : 0;
        int rc = 0;

        if (inner != 0)
            rc = remoteFrontTurnInner(front, pair, inner);
        if (rc == 0 && outer != 0)
            rc = remoteFrontTurnOuter(front, pair, outer);
        if (rc == -2)
            remoteFrontRefuse(front, i);
        else if (rc < 0)
            remoteFrontDrop(front, i);
        else
            holds = holds || remoteFrontHolds(pair) > 0;
    }
    if (holds)
        remoteFrontBound(front);
    now = virTimeNowUs();
    if (now >= front->lookAt)
        remoteFrontLook(front, now);
    if (front->fds[1].revents != 0)
        remoteFrontAccept(front, now);
    if (front->starved)
        remoteFrontRefuseSilent(front);
    front->starved = false;
}

static void *
remoteFrontRun(void *opaque)
{
    struct remoteFront *front = opaque;

    while (!atomic_load(&front->stopped)) {
        if (remoteFrontWait(front, -1))
            remoteFrontTurn(front);
        else if (errno != EINTR)
            virPlatformPoll(front->fds, 1, (int)(REMOTE_FRONT_PAUSE / 1000));
    }
    if (remoteFrontWait(front, 0))                /* the last answers */
        remoteFrontTurn(front);
    return NULL;
}

/* ---------- what others call ---------- */

VIRT_INTERNAL void
remoteFrontFree(struct remoteFront *front)
{
    if (front == NULL)
        return;
    if (front->threaded) {
        atomic_store(&front->stopped, true);
        virPlatformWakeSend(front->wake);
        pthread_join(front->thread, NULL);
    }
    while (front->n > 0)
        remoteFrontDrop(front, front->n - 1);
    for (int i = 0; i < 2; i++)
        if (front->wake[i] >= 0)
            close(front->wake[i]);
    close(front->fd);
    free(front->pairs);
    free(front->fds);
    free(front->path);
    free(front->host);
    free(front->port);
    free(front->authority);
    free(front);
}

VIRT_INTERNAL struct remoteFront *
remoteFrontNew(const struct remoteFrontOptions *options, int fd)
{
    struct remoteFront *front = virAllocate(sizeof(*front));
    int rc;

    if (front == NULL) {
        close(fd);
        return NULL;
    }
    front->options = *options;
    front->fd = fd;
    front->wake[0] = front->wake[1] = -1;
    front->lookAt = UINT64_MAX;
    if ((options->path != NULL && (front->path = virStringCopy(options->path)) == NULL)
        || (options->host != NULL && (front->host = virStringCopy(options->host)) == NULL)
        || (options->port != NULL && (front->port = virStringCopy(options->port)) == NULL)
        || (front->host != NULL
            && (front->authority = virStringFormat(strchr(front->host, ':') != NULL ? "[%s]:%s" : "%s:%s", front->host, front->port)) == NULL)
        || (front->pairs = virAllocate(options->most * sizeof(*front->pairs))) == NULL
        || (front->fds = virAllocate((2 * options->most + REMOTE_FRONT_FIXED) * sizeof(*front->fds))) == NULL) {
        remoteFrontFree(front);
        return NULL;
    }
    if (virPlatformWakeOpen(front->wake) < 0) {
        virReportSystemError(errno, "no descriptors for connections");
        front->wake[0] = front->wake[1] = -1;
    } else if ((rc = virPlatformThread(&front->thread, remoteFrontRun, front)) != 0) {
        virReportSystemError(rc, "cannot start a thread for connections");
    } else {
        front->threaded = true;
        return front;
    }
    remoteFrontFree(front);
    return NULL;
}

#undef REMOTE_FRONT_HELD
#undef REMOTE_FRONT_ACCEPTS
#undef REMOTE_FRONT_PAUSE
#undef REMOTE_FRONT_CONNECT_MS
#undef REMOTE_FRONT_FIXED
#undef VIRT_FROM
#endif
