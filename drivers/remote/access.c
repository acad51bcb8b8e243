/*
 * The server: who is there, what he may do, and what he did.
 *
 * nanomsg does not tell who is at the other end of a Unix socket. So beside each of its sockets stands a plain one, PATH.who: a client
 * connects there first, the kernel says which process it is, and it gets a ticket that it shows in its virt.hello. The connection stays:
 * when it closes, the client is gone. A ticket is good for one session, on the socket that it was given for.
 */
#include "../driver.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include "server.h"
#include "../common/file.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#ifdef __linux__
# include <sys/epoll.h>
#endif
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

VIRT_INTERNAL int
remoteAccessSecret(char text[33])
{
    unsigned char bytes[16];

    if (virPlatformRandom(bytes, sizeof(bytes)) < 0)
        return virReportSystemError(errno, "cannot make a secret");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* ---------- may it? ---------- */

static bool
remoteAccessAsk(virServerPtr server, const virServerWho *who, const char *call, const char *permission, const char *name,
                const unsigned char *uuid)
{
    return server->access == NULL || server->access(who, call, permission, name, uuid, server->accessOpaque) == 1;
}

VIRT_INTERNAL bool
remoteAccessSees(virServerPtr server, const virServerWho *who, const char *call, const char *name, const unsigned char *uuid)
{
    return remoteAccessAsk(server, who, call, "domain.getattr", name, uuid);
}

VIRT_INTERNAL bool
remoteAccessVisible(struct remoteServing *serving, virDomainPtr domain)
{
    struct remoteCarrying *carrying = serving->client;

    return remoteAccessSees(carrying->server, carrying->who, carrying->call, domain->name, domain->uuid);
}

/* A longer name is cut: this is for people who read it. */
static void
remoteAccessName(struct remoteCarrying *carrying, const char *name)
{
    size_t length = strnlen(name, sizeof(carrying->name) - 1);

    memcpy(carrying->name, name, length);
    carrying->name[length] = '\0';
}

/*
 * A guest that it may not even see comes here where it is described only (codec.c): it gets the same answer as one that is not there and may not
 * be made, with nothing in it but the name that the client has given.
 */
VIRT_INTERNAL int
remoteAccessAllowed(struct remoteServing *serving, virDomainPtr domain, const char *permission)
{
    struct remoteCarrying *carrying = serving->client;
    const char *name = domain != NULL ? domain->name : NULL;
    const unsigned char *uuid = domain != NULL ? domain->uuid : NULL;
    bool hidden = domain != NULL && domain->obj != NULL && !remoteAccessVisible(serving, domain);

    if (domain != NULL) {
        remoteAccessName(carrying, name);
        memcpy(carrying->uuid, uuid, VIR_UUID_BUFLEN);
    }
    if (!hidden && remoteAccessAsk(carrying->server, carrying->who, carrying->call, permission, name, uuid))
        return 0;
    return virReportError(VIR_ERR_ACCESS_DENIED, "%s needs '%s'%s%s", carrying->call, permission, name != NULL ? " for domain " : "",
                          name != NULL ? name : "");
}

/* A call that gave a guest was about that one. */
static void
remoteAccessNoteResult(struct remoteCarrying *carrying, const cJSON *result)
{
    const char *text = virJsonString(result, "return"), *name;
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (text == NULL || strlen(text) < VIR_UUID_STRING_BUFLEN || text[VIR_UUID_STRING_BUFLEN - 1] != ' ')
        return;
    memcpy(uuid, text, sizeof(uuid) - 1);
    uuid[sizeof(uuid) - 1] = '\0';
    name = strchr(text + VIR_UUID_STRING_BUFLEN, ' ');
    if (name != NULL && virUuidParse(uuid, carrying->uuid) == 0)
        remoteAccessName(carrying, name + 1);
}

VIRT_INTERNAL void
remoteAccessAudit(struct remoteCarrying *carrying, const cJSON *result, const virError *error, unsigned long long elapsed)
{
    virServerPtr server = carrying->server;
    virServerAudit record = { .who = carrying->who, .call = carrying->call, .elapsedUs = elapsed };

    if (server->audit == NULL)
        return;
    if (carrying->name[0] == '\0')
        remoteAccessNoteResult(carrying, result);
    if (carrying->name[0] != '\0') {
        record.name = carrying->name;
        record.uuid = carrying->uuid;
    }
    if (error != NULL) {
        record.code = error->code;
        record.message = error->message;
    }
    server->audit(&record, server->auditOpaque);
}

/* ---------- the .who sockets ---------- */

/* Whether the peer's groups have this one. */
static bool
remoteAccessInGroup(int fd, long long gid, long long group)
{
    bool found = gid == group;
#ifdef SO_PEERGROUPS
    gid_t groups[256];
    socklen_t size = sizeof(groups);

    if (!found && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        for (size_t i = 0; i < size / sizeof(groups[0]); i++)
            found = found || (long long)groups[i] == group;
#else
    (void)fd;
#endif
    return found;
}

/* What the file's permissions mean, asked once more: they may let through more than was meant where the file is reached another way. */
static bool
remoteAccessMayConnect(const struct remoteListener *listener, int fd, long long uid, long long gid)
{
    long long own = (long long)geteuid(), owner = listener->owner >= 0 ? listener->owner : own;
    long long group = listener->group >= 0 ? listener->group : (long long)getegid();

    if (uid == 0 || uid == own)
        return true;
    if (uid == owner)
        return (listener->mode & 0200) != 0;
    if (remoteAccessInGroup(fd, gid, group))
        return (listener->mode & 0020) != 0;
    return (listener->mode & 0002) != 0;
}

static int
remoteAccessCredentials(int fd, struct remotePeer *peer)
{
#ifdef __linux__
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return -1;
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    peer->pid = credentials.pid;
#else
    uid_t uid;
    gid_t gid;

    if (getpeereid(fd, &uid, &gid) < 0)
        return -1;
    peer->uid = uid;
    peer->gid = gid;
    peer->pid = -1;
#endif
    return 0;
}

/* Who waits for a message waits for this connection as well. */
static int
remoteAccessWatch(virServerPtr server, int fd, int *watch)
{
    *watch = -1;
#ifdef __linux__
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };

    return epoll_ctl(server->control, EPOLL_CTL_ADD, fd, &event);
#else
    if (server->attached && (*watch = remoteServerWatch(server, fd)) < 0)
        return -1;
    remoteServerWake(server);
    return 0;
#endif
}

static void
remoteAccessPeerFree(struct remotePeer *peer)
{
    if (peer->watch >= 0)
        virEventRemoveHandle(peer->watch);
    close(peer->fd);
    virPlatformErase(peer->ticket, sizeof(peer->ticket));
    free(peer);
}

/* With server->lock held: makes room where many have connected and said nothing. The one that is to go, out of the list, or NULL. */
static struct remotePeer *
remoteAccessOldestSilent(virServerPtr server)
{
    struct remotePeer **link, **oldest = NULL, *peer;

    for (link = &server->peers; *link != NULL; link = &(*link)->next)
        if ((*link)->session == NULL && !(*link)->helloing && (oldest == NULL || (*link)->due < (*oldest)->due))
            oldest = link;
    if (oldest == NULL)
        return NULL;
    peer = *oldest;
    *oldest = peer->next;
    server->npeers--;
    return peer;
}

/* Its buffer is empty: it fails only for one who has gone again, which must not raise SIGPIPE. */
static void
remoteAccessTell(const struct remotePeer *peer, const char *line)
{
    if (send(peer->fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        virLog(VIR_LOG_DEBUG, "remote.server", "%s: process %lld has gone again", peer->listener->address, peer->pid);
}

/* Takes one who has connected; fd is taken over. */
static void
remoteAccessMeet(struct remoteListener *listener, int fd)
{
    virServerPtr server = listener->server;
    struct remotePeer *peer = calloc(1, sizeof(*peer)), *silent = NULL;
    char line[40];

    if (peer == NULL) {
        close(fd);
        return;
    }
    peer->listener = listener;
    peer->fd = fd;
    peer->watch = -1;
    peer->due = virTimeNowUs() + REMOTE_SERVER_HELLO_MS * 1000ULL;
    if (remoteAccessCredentials(fd, peer) < 0 || remoteAccessSecret(peer->ticket) < 0) {
        remoteAccessPeerFree(peer);
        return;
    }
    if (!remoteAccessMayConnect(listener, fd, peer->uid, peer->gid)) {
        virLog(VIR_LOG_WARN, "remote.server", "%s: user %lld, process %lld may not connect", listener->address, peer->uid, peer->pid);
        atomic_fetch_add(&server->stats.refused, 1);
        remoteAccessTell(peer, "refused\n");
        remoteAccessPeerFree(peer);
        return;
    }
    snprintf(line, sizeof(line), "%s\n", peer->ticket);
    pthread_mutex_lock(&server->lock);
    if (server->npeers >= 2 * server->limits.clients)
        silent = remoteAccessOldestSilent(server);
    if (server->npeers >= 2 * server->limits.clients || remoteAccessWatch(server, fd, &peer->watch) < 0) {
        pthread_mutex_unlock(&server->lock);
        atomic_fetch_add(&server->stats.refused, 1);
        remoteAccessPeerFree(peer);
    } else {
        peer->next = server->peers;
        server->peers = peer;
        server->npeers++;
        remoteServerDue(server, peer->due);
        remoteAccessTell(peer, line);
        pthread_mutex_unlock(&server->lock);
    }
    virPlatformErase(line, sizeof(line));
    if (silent != NULL)
        remoteAccessPeerFree(silent);
}

/*
 * Some of those who wait; for more the socket stays readable. With no descriptor left nobody can be accepted: then who waits is sent away by
 * means of one kept in reserve for that.
 */
static void
remoteAccessAccept(struct remoteListener *listener)
{
    int fd, spare;

    for (int i = 0; i < REMOTE_SERVER_ACCEPTS; i++) {
        if ((fd = remoteFrontTakeNext(listener->whoFd)) >= 0)
            remoteAccessMeet(listener, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
    if (fd >= 0)
        return;
    if (errno != EMFILE && errno != ENFILE)
        return;
    virLog(VIR_LOG_WARN, "remote.server", "%s: too many files are open: a client is sent away", listener->address);
    spare = listener->spareFd;
    listener->spareFd = -1;
    close(spare);
    if ((fd = remoteFrontTakeNext(listener->whoFd)) >= 0)
        close(fd);
    listener->spareFd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* With server->lock held: takes the peer of this descriptor out of the list if it is still this one. */
static bool
remoteAccessTakeOut(virServerPtr server, struct remotePeer *peer)
{
    struct remotePeer **link;

    for (link = &server->peers; *link != NULL && *link != peer; link = &(*link)->next)
        ;
    if (*link == NULL)
        return false;
    *link = peer->next;
    server->npeers--;
    return true;
}

static void
remoteAccessPart(struct remotePeer *peer, const char *why)
{
    struct remoteSession *session = peer->session;

    remoteAccessPeerFree(peer);
    if (session != NULL) {
        remoteSessionEnd(session, why);
        remoteSessionUnref(session);
    }
}

VIRT_INTERNAL void
remoteAccessLook(virServerPtr server)
{
    struct remotePeer *peer, *gone = NULL;
    struct pollfd *fds = NULL;
    size_t count = 0;
    int n = atomic_load(&server->nlisteners);

    if (pthread_mutex_trylock(&server->controlling) != 0)
        return;
    for (int i = 0; i < n; i++)
        if (server->listeners[i]->whoFd >= 0)
            remoteAccessAccept(server->listeners[i]);
    pthread_mutex_lock(&server->lock);
    if (server->npeers > 0 && (fds = calloc(server->npeers, sizeof(*fds))) != NULL) {
        for (peer = server->peers; peer != NULL; peer = peer->next)
            fds[count++] = (struct pollfd){ .fd = peer->fd, .events = POLLIN };
        if (virPlatformPoll(fds, count, 0) > 0) {
            struct remotePeer **link = &server->peers;

            for (size_t i = 0; i < count; i++) {                 /* nobody says anything there: readable is closed */
                peer = *link;
                if (fds[i].revents == 0) {
                    link = &peer->next;
                    continue;
                }
                *link = peer->next;
                server->npeers--;
                peer->next = gone;
                gone = peer;
            }
        }
    }
    pthread_mutex_unlock(&server->lock);
    free(fds);
    pthread_mutex_unlock(&server->controlling);
    while ((peer = gone) != NULL) {
        gone = peer->next;
        remoteAccessPart(peer, "its connection was closed");
    }
}

VIRT_INTERNAL unsigned long long
remoteAccessTick(virServerPtr server, unsigned long long now)
{
    struct remotePeer **link, *peer, *gone = NULL;
    unsigned long long due = UINT64_MAX;

    pthread_mutex_lock(&server->lock);
    for (link = &server->peers; (peer = *link) != NULL;) {
        if (peer->session == NULL && !peer->helloing && peer->due <= now) {
            *link = peer->next;
            server->npeers--;
            peer->next = gone;
            gone = peer;
            continue;
        }
        if (peer->session == NULL && peer->due < due)
            due = peer->due > now ? peer->due : now + 1000000;
        link = &peer->next;
    }
    pthread_mutex_unlock(&server->lock);
    while ((peer = gone) != NULL) {
        gone = peer->next;
        remoteAccessPart(peer, "it said nothing");
    }
    return due;
}

VIRT_INTERNAL void
remoteAccessCloseAll(virServerPtr server)
{
    struct remotePeer *peer;

    pthread_mutex_lock(&server->lock);
    while ((peer = server->peers) != NULL) {
        remoteAccessTakeOut(server, peer);
        pthread_mutex_unlock(&server->lock);
        remoteAccessPart(peer, "the server ends");
        pthread_mutex_lock(&server->lock);
    }
    pthread_mutex_unlock(&server->lock);
}

/* ---------- hello ---------- */

/* With server->lock held. */
static struct remotePeer *
remoteAccessPeer(struct remoteListener *listener, const char *ticket)
{
    struct remotePeer *peer;

    for (peer = listener->server->peers; peer != NULL; peer = peer->next)
        if (peer->listener == listener && strcmp(peer->ticket, ticket) == 0)
            return peer;
    return NULL;
}

/* Asked twice because its reply was lost, a hello has the session that it made. */
VIRT_INTERNAL int
remoteAccessHello(struct remoteListener *listener, const char *ticket, unsigned long long id, virServerWho *who,
                  struct remoteSession **session)
{
    virServerPtr server = listener->server;
    struct remotePeer *peer;
    int rc = 1;

    *session = NULL;
    pthread_mutex_lock(&server->lock);
    if ((peer = remoteAccessPeer(listener, ticket)) == NULL) {
        rc = virReportError(VIR_ERR_AUTH_FAILED, "this is no ticket of %s.who, or its connection there was closed", listener->path);
    } else if (peer->hello != 0 && (peer->hello != id || (peer->session == NULL && !peer->helloing))) {
        rc = virReportError(VIR_ERR_AUTH_FAILED, "the ticket has been used: a new session needs a new connection to %s.who", listener->path);
    } else if (peer->hello == 0) {
        rc = 0;
        peer->hello = id;
        peer->helloing = true;
        *who = (virServerWho){ .transport = "unix", .address = listener->address, .uid = peer->uid, .gid = peer->gid, .pid = peer->pid,
                               .readonly = listener->readOnly };
    } else if (peer->session != NULL) {
        *session = peer->session;
        remoteSessionRef(*session);
    }
    pthread_mutex_unlock(&server->lock);
    return rc;
}

VIRT_INTERNAL bool
remoteAccessHelloEnd(struct remoteListener *listener, const char *ticket, unsigned long long id, struct remoteSession *session)
{
    virServerPtr server = listener->server;
    struct remotePeer *peer;

    pthread_mutex_lock(&server->lock);
    if ((peer = remoteAccessPeer(listener, ticket)) != NULL && peer->hello == id) {
        peer->helloing = false;
        if (session != NULL) {
            peer->session = session;
            remoteSessionRef(session);
        } else {
            peer->hello = 0;
        }
    }
    pthread_mutex_unlock(&server->lock);
    return peer != NULL;
}

/* The session is over, by bye or by a silence: its connection has no use any more, but the client may be the one to close it. */
VIRT_INTERNAL void
remoteAccessLeave(struct remoteSession *session, virServerPtr server)
{
    struct remotePeer *peer;
    bool found = false;

    pthread_mutex_lock(&server->lock);
    for (peer = server->peers; peer != NULL && !found; peer = peer->next)
        if (peer->session == session) {
            peer->session = NULL;
            peer->due = virTimeNowUs() + REMOTE_SERVER_HELLO_MS * 1000ULL;
            remoteServerDue(server, peer->due);
            found = true;
        }
    pthread_mutex_unlock(&server->lock);
    if (found)
        remoteSessionUnref(session);
}

#undef VIRT_FROM
#endif
