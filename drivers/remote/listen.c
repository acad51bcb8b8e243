/*
 * The server: its addresses. A Unix socket of nanomsg's has a plain one beside it (access.c tells why), and a file by which servers know of
 * each other. tcp and ws are never without Noise: whose key it is takes the place of the credentials.
 */
#include "../driver.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include "server.h"
#include "../common/file.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

/* Reads the parameters into the struct that the table is about: 0, or -1 with the error set. */
VIRT_INTERNAL int
remoteParamsRead(const struct remoteParam *table, size_t n, virTypedParameterPtr params, unsigned int nparams, void *into)
{
    for (unsigned int i = 0; i < nparams; i++) {
        size_t at;
        char *to;

        for (at = 0; at < n && strcmp(table[at].name, params[i].field) != 0; at++)
            ;
        if (at == n)
            return virReportError(VIR_ERR_INVALID_ARG, "there is no parameter '%s'", params[i].field);
        to = (char *)into + table[at].offset;
        if (params[i].type != (table[at].text ? VIR_TYPED_PARAM_STRING : VIR_TYPED_PARAM_UINT))
            return virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' must be %s", params[i].field, table[at].text ? "a string" : "an unsigned int");
        if (table[at].text) {
            memcpy(to, &params[i].value.s, sizeof(char *));
            continue;
        }
        if (params[i].value.ui < table[at].least || params[i].value.ui > table[at].most)
            return virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' must be from %u to %u, not %u", params[i].field, table[at].least,
                                  table[at].most, params[i].value.ui);
        memcpy(to, &params[i].value.ui, sizeof(unsigned int));
    }
    return 0;
}

static const struct remoteParam remoteListenParams[] = {
    { VIR_SERVER_PARAM_MODE, offsetof(struct remoteListenOptions, mode), 0, 0777, false },
    { VIR_SERVER_PARAM_OWNER, offsetof(struct remoteListenOptions, owner), 0, UINT_MAX - 1, false },
    { VIR_SERVER_PARAM_GROUP, offsetof(struct remoteListenOptions, group), 0, UINT_MAX - 1, false },
    { VIR_SERVER_PARAM_KEY, offsetof(struct remoteListenOptions, key), 0, 0, true },
    { VIR_SERVER_PARAM_AUTHORIZED, offsetof(struct remoteListenOptions, authorized), 0, 0, true },
};

VIRT_INTERNAL int
remoteListenOptionsRead(struct remoteListenOptions *options, virTypedParameterPtr params, unsigned int nparams)
{
    *options = (struct remoteListenOptions){ .mode = 0600, .owner = UINT_MAX, .group = UINT_MAX };
    return remoteParamsRead(remoteListenParams, sizeof(remoteListenParams) / sizeof(remoteListenParams[0]), params, nparams, options);
}

VIRT_INTERNAL void
remoteListenerFree(struct remoteListener *listener)
{
    remoteFrontFree(listener->front);
    if (listener->socket >= 0)
        nn_close(listener->socket);
    if (listener->innerBound)
        unlink(listener->inner);
    if (listener->folder != NULL)
        remoteFolderRemove(listener->folder, listener->folderLock);
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
#if VIRT_WITH_NOISE
    remoteNoiseServerFree(listener->noise);
#endif
    free(listener->address);
    free(listener->path);
    free(listener->inner);
    free(listener->folder);
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

/* Bytes of a message, with room for what encryption adds. */
static size_t
remoteListenerLargest(const struct remoteListener *listener)
{
    return (size_t)listener->server->limits.message + 64;
}

/* nanomsg's socket, with its limits. -1 with the error set. */
static int
remoteListenerSocket(struct remoteListener *listener)
{
    int buffer = 1 << 20, largest = (int)remoteListenerLargest(listener), no = 0;
    size_t size = sizeof(listener->ready);

    if ((listener->socket = nn_socket(AF_SP_RAW, NN_REP)) < 0
        || nn_setsockopt(listener->socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, &largest, sizeof(largest)) < 0
        || nn_setsockopt(listener->socket, NN_SOL_SOCKET, NN_SNDBUF, &buffer, sizeof(buffer)) < 0
        || nn_setsockopt(listener->socket, NN_SOL_SOCKET, NN_IPV4ONLY, &no, sizeof(no)) < 0
        || nn_setsockopt(listener->socket, NN_SOL_SOCKET, NN_RCVBUF, &buffer, sizeof(buffer)) < 0
        || nn_getsockopt(listener->socket, NN_SOL_SOCKET, NN_RCVFD, &listener->ready, &size) < 0)
        return virReportError(VIR_ERR_SYSTEM_ERROR, "cannot make a socket of nanomsg: %s", nn_strerror(nn_errno()));
    return 0;
}

/* Whether others than we ourselves (and root) may connect: those are strangers to nanomsg. */
static bool
remoteListenerIsOpen(const struct remoteListener *listener)
{
    return (listener->mode & 0077) != 0 || (listener->owner >= 0 && listener->owner != (long long)geteuid());
}

/* Connections to a front: each has up to four descriptors, and those of one address must not be all that the process may have. */
static size_t
remoteListenerMost(const struct remoteListener *listener)
{
    size_t most = 2 * (size_t)listener->server->limits.clients + 64;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur / 6 >= most)
        return most;
    return limit.rlim_cur / 6 > 4 ? (size_t)limit.rlim_cur / 6 : 4;
}

/* nanomsg listens on listener->inner already. fd is taken over. */
static int
remoteListenerFront(struct remoteListener *listener, int fd, enum remoteWireKind kind)
{
    virServerPtr server = listener->server;
    struct remoteFrontOptions options = { .kind = kind, .path = listener->inner, .most = remoteListenerMost(listener),
                                          .largest = remoteListenerLargest(listener), .greeting = REMOTE_SERVER_HELLO_MS * 1000ULL, .refused = &server->stats.invalid };

    return fd >= 0 && (listener->front = remoteFrontNew(&options, fd)) != NULL ? 0 : -1;
}

static int
remoteListenerMove(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : virReportSystemError(errno, "cannot make '%s'", to);
}

/* The file that becomes PATH: nanomsg's own socket, or that of a front, before which nanomsg's goes to PATH.in. NULL with the error set. */
static const char *
remoteListenerFace(struct remoteListener *listener, const char *socket, const char *face)
{
    if (listener->inner == NULL)
        return socket;
    if (chmod(socket, 0600) < 0) {
        virReportSystemError(errno, "cannot set the permissions of '%s'", listener->inner);
        return NULL;
    }
    if (remoteListenerMove(socket, listener->inner) < 0)
        return NULL;
    listener->innerBound = true;
    return remoteListenerFront(listener, virFileListen(face, 64), REMOTE_WIRE_SP) == 0 ? face : NULL;
}

/*
 * The sockets are made in a folder that only we enter, and moved to where clients find them when their permissions are set: nobody gets in
 * between, whatever the umask. PATH.who comes last: with it a client begins.
 */
static int
remoteListenerBind(struct remoteListener *listener, const char *folder)
{
    VIRT_CLEANUP_FREE char *socket = virStringFormat("%s/s", folder), *who = virStringFormat("%s/w", folder);
    VIRT_CLEANUP_FREE char *address = virStringFormat("ipc://%s/s", folder), *face = virStringFormat("%s/f", folder);
    const char *file;
    int rc = -1;

    if (socket == NULL || who == NULL || address == NULL || face == NULL)
        return -1;
    if (strlen(address) >= NN_SOCKADDR_MAX || strlen(socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)
        || strlen(listener->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path) - strlen(".who"))
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' is too long for a Unix socket", listener->path);
    if (nn_bind(listener->socket, address) < 0)
        return virReportError(VIR_ERR_SYSTEM_ERROR, "cannot listen on '%s': %s", listener->path, nn_strerror(nn_errno()));
    if ((file = remoteListenerFace(listener, socket, face)) != NULL && (listener->whoFd = virFileListen(who, 64)) >= 0
        && remoteListenerPermit(listener, file) == 0 && remoteListenerPermit(listener, who) == 0 && remoteListenerMove(file, listener->path) == 0) {
        listener->bound = true;
        rc = remoteListenerMove(who, listener->whoPath);
    }
    unlink(socket);
    unlink(face);
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

    if (remoteListenerIsOpen(listener) && (listener->inner = virStringFormat("%s.in", listener->path)) == NULL)
        return -1;
    listener->whoPath = virStringFormat("%s.who", listener->path);
    listener->lockPath = virStringFormat("%s.lock", listener->path);
    folder = virStringFormat("%.*s.vXXXXXX", slash != NULL ? (int)(slash + 1 - listener->path) : 0, listener->path);
    if (listener->whoPath == NULL || listener->lockPath == NULL || folder == NULL || remoteListenerSocket(listener) < 0)
        return -1;
    if ((listener->lockFd = virFileLock(listener->lockPath, &owner)) < 0)
        return owner == 0 ? -1 : virReportError(VIR_ERR_OPERATION_INVALID, "'%s': process %lld listens there already", listener->path,
                                                (long long)owner);
    if (remoteListenerProbe(listener->path) < 0 || remoteListenerProbe(listener->whoPath) < 0
        || (listener->inner != NULL && remoteListenerProbe(listener->inner) < 0))
        return -1;
    if ((listener->spareFd = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
        return virReportSystemError(errno, "cannot open '/dev/null'");
    if (mkdtemp(folder) == NULL)
        return virReportSystemError(errno, "cannot make a folder beside '%s'", listener->path);
    rc = remoteListenerBind(listener, folder);
    rmdir(folder);
    return rc;
}

/* ---------- tcp and ws ---------- */

#if VIRT_WITH_NOISE
/* Keys: the server's own, and those that are let in. */
static int
remoteListenerKeys(struct remoteListener *listener, const struct remoteListenOptions *options)
{
    struct remoteKey key;

    if (options->key == NULL || options->authorized == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' needs the parameters '%s' and '%s': files with the server's key, and with "
                              "those of its clients", listener->address, VIR_SERVER_PARAM_KEY, VIR_SERVER_PARAM_AUTHORIZED);
    if (remoteKeyRead(options->key, &key) < 0)
        return -1;
    listener->noise = remoteNoiseServerNew(&key, options->authorized, 2 * (size_t)listener->server->limits.clients + 64);
    remoteKeyErase(&key);
    return listener->noise != NULL ? 0 : -1;
}

static int
remoteListenerTry(const struct addrinfo *at, bool both)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1, no = 0, saved;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0
        && (!both || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) == 0) && bind(fd, at->ai_addr, at->ai_addrlen) == 0
        && listen(fd, 64) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* A listening socket at an address of this host, an IPv6 one in brackets; "*": at all of them. -1 with the error set. */
static int
remoteListenerTcp(const struct remoteListener *listener, const char *host, int port)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *list = NULL;
    bool all = strcmp(host, "*") == 0, brackets = host[0] == '[' && host[strlen(host) - 1] == ']';
    VIRT_CLEANUP_FREE char *bare = brackets ? virStringSlice(host + 1, strlen(host) - 2) : virStringCopy(host);
    char service[12];
    int fd = -1, rc;

    snprintf(service, sizeof(service), "%d", port);
    if (bare == NULL)
        return -1;
    if ((rc = getaddrinfo(all ? NULL : bare, service, &hints, &list)) != 0)
        return virReportError(VIR_ERR_SYSTEM_ERROR, "cannot listen on '%s': %s", listener->address, gai_strerror(rc));
    for (const struct addrinfo *at = list; all && fd < 0 && at != NULL; at = at->ai_next)
        fd = at->ai_family == AF_INET6 ? remoteListenerTry(at, true) : -1;
    for (const struct addrinfo *at = list; fd < 0 && at != NULL; at = at->ai_next)
        fd = remoteListenerTry(at, false);
    rc = errno;
    freeaddrinfo(list);
    return fd >= 0 ? fd : virReportSystemError(rc, "cannot listen on '%s'", listener->address);
}

/* nanomsg listens at an address; 0, or -1 with the error set. */
static int
remoteListenerNanomsg(struct remoteListener *listener, const char *address)
{
    if (address == NULL)
        return -1;
    if (strlen(address) >= NN_SOCKADDR_MAX)
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' is too long", listener->address);
    if (nn_bind(listener->socket, address) < 0)
        return virReportError(VIR_ERR_SYSTEM_ERROR, "cannot listen on '%s': %s", listener->address, nn_strerror(nn_errno()));
    return 0;
}

/* The front takes the connections, nanomsg has a Unix socket that nobody else reaches. */
static int
remoteListenerWs(struct remoteListener *listener, const char *host, int port)
{
    VIRT_CLEANUP_FREE char *address = NULL;

    if ((listener->folder = remoteFolderMake("virt-ws", &listener->folderLock)) == NULL || (listener->inner = virStringFormat("%s/s", listener->folder)) == NULL
        || (address = virStringFormat("ipc://%s", listener->inner)) == NULL || remoteListenerNanomsg(listener, address) < 0)
        return -1;
    listener->innerBound = true;
    return remoteListenerFront(listener, remoteListenerTcp(listener, host, port), REMOTE_WIRE_WS);
}

/* Nothing can be wrong but a length in the framing that nanomsg has for tcp, and it sees to that. It says "*" for all addresses. */
static int
remoteListenerNet(struct remoteListener *listener, const struct remoteListenOptions *options)
{
    bool tcp = strncmp(listener->address, "tcp:", 4) == 0;
    const char *place = listener->address + (tcp ? 4 : 3), *colon = strrchr(place, ':'), *bracket = strrchr(place, ']');
    VIRT_CLEANUP_FREE char *host = NULL, *address = NULL;
    int port = tcp ? REMOTE_SERVER_TCP_PORT : REMOTE_SERVER_WS_PORT;
    const char *name;

    listener->transport = tcp ? "tcp" : "ws";
    if (colon != NULL && bracket != NULL && colon < bracket)
        colon = NULL;
    if (colon != NULL && (virStringToInt(colon + 1, 10, &port) < 0 || port < 1 || port > 65535))
        return virReportError(VIR_ERR_INVALID_ARG, "'%s': '%s' is no port", listener->address, colon + 1);
    if ((host = virStringSlice(place, colon != NULL ? (size_t)(colon - place) : strlen(place))) == NULL
        || remoteListenerKeys(listener, options) < 0 || remoteListenerSocket(listener) < 0)
        return -1;
    name = host[0] == '\0' ? "*" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (!tcp)
        return remoteListenerWs(listener, name, port);
    return remoteListenerNanomsg(listener, address = virStringFormat("tcp://%s:%d", name, port));
}
#else
static int
remoteListenerNet(struct remoteListener *listener, const struct remoteListenOptions *options)
{
    (void)options;
    return virReportError(VIR_ERR_NO_SUPPORT, "'%s': a server listens there with encryption and authentication only, which need OpenSSL's "
                          "libcrypto: this library was built without it", listener->address);
}
#endif

/* The listener for an address; NULL with the error set. */
VIRT_INTERNAL struct remoteListener *
remoteListenerNew(virServerPtr server, const char *address, const struct remoteListenOptions *options, unsigned int flags)
{
    struct remoteListener *listener;
    bool unixSocket = strncmp(address, "unix:", 5) == 0;

    if (!unixSocket && strncmp(address, "tcp:", 4) != 0 && strncmp(address, "ws:", 3) != 0) {
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
    if (unixSocket) {
        listener->transport = "unix";
        listener->path = address[5] == '\0' ? remoteListenerUsual(listener->readOnly) : virStringCopy(address + 5);
        if (listener->path != NULL && (listener->address = virStringFormat("unix:%s", listener->path)) != NULL
            && remoteListenerUnix(listener) == 0)
            return listener;
    } else if ((listener->address = virStringCopy(address)) != NULL && remoteListenerNet(listener, options) == 0) {
        return listener;
    }
    remoteListenerFree(listener);
    return NULL;
}

#undef VIRT_FROM
#endif
