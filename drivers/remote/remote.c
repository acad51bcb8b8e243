/*
 * The driver behind "qemu+unix:///system" and its like: what a connection's URI says, where its server is, and opening and closing. The
 * functions that it offers are stubs, made for each connection from what its server has (codec.c), and go over a link (link.c).
 */
#include "link.h"

#if VIRT_WITH_REMOTE

#include "front.h"
#include "../common/file.h"
#include "../common/process.h"
#include "../common/text.h"
#include "../common/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_SYSTEM_SOCKET "/run/virt/virt-sock"
#define REMOTE_GRACE         10                   /* seconds that a server may be away: ?reconnect= */
#define REMOTE_GRACE_MOST    86400
#define REMOTE_OPEN          20                   /* seconds that opening may take, */
#define REMOTE_OPEN_ASKING   120                  /* where ssh may ask for a password */
#define REMOTE_FOLDER_TRIES  5
#define REMOTE_ERRORS        4096                 /* bytes of what ssh said */

VIRT_INTERNAL_DATA const struct virDriver virRemoteDriver;

/* ---------- what the URI says ---------- */

enum remoteTransport { REMOTE_UNIX, REMOTE_TCP, REMOTE_WS, REMOTE_SSH };

static const struct remoteTransportRow {
    const char *name;
    int port;                         /* where none is given */
    const char *const *params;
} remoteTransports[] = {
    [REMOTE_UNIX] = { "unix", 0, (const char *const[]){ "name", "socket", "reconnect", NULL } },
    [REMOTE_TCP] = { "tcp", 16510, (const char *const[]){ "name", "keyfile", "known_hosts", "reconnect", NULL } },
    [REMOTE_WS] = { "ws", 16511, (const char *const[]){ "name", "keyfile", "known_hosts", "reconnect", NULL } },
    [REMOTE_SSH] = { "ssh", 0, (const char *const[]){ "name", "socket", "command", "keyfile", "no_tty", "no_verify", "known_hosts", "reconnect",
                                                NULL } },
};

static int
remoteUriCheck(const struct virUri *uri, enum remoteTransport transport)
{
    for (size_t i = 0; i < uri->nparams; i++) {
        const char *const *known = remoteTransports[transport].params;

        while (*known != NULL && strcmp(*known, uri->params[i].name) != 0)
            known++;
        if (*known == NULL)
            return virReportError(VIR_ERR_INVALID_ARG, "the URI's parameter '%s' is none of transport '%s'", uri->params[i].name, uri->transport);
    }
    if (transport == REMOTE_UNIX && (uri->server != NULL || uri->user != NULL || uri->port != 0))
        return virReportError(VIR_ERR_INVALID_ARG, "a Unix socket is on this host: '%s+unix://%s' may not name another", uri->scheme,
                              uri->server != NULL ? uri->server : "");
    if (transport != REMOTE_UNIX && uri->server == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "transport '%s' needs a host: %s+%s://HOST%s", uri->transport, uri->scheme, uri->transport,
                              uri->path);
    if ((transport == REMOTE_TCP || transport == REMOTE_WS) && uri->user != NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "with transport '%s' it is the key that says who you are, not the URI's user '%s'",
                              uri->transport, uri->user);
    return 0;
}

static int
remoteUriGrace(const struct virUri *uri, unsigned int *grace)
{
    const char *text = virUriParam(uri, "reconnect");
    unsigned long long value = REMOTE_GRACE;

    if (text != NULL && (virStringToULL(text, 10, &value) < 0 || value > REMOTE_GRACE_MOST))
        return virReportError(VIR_ERR_INVALID_ARG, "reconnect=%s: the seconds must be a number from 0 to %d", text, REMOTE_GRACE_MOST);
    *grace = (unsigned int)value;
    return 0;
}

static int
remoteUriFlag(const struct virUri *uri, const char *name, bool *value)
{
    const char *text = virUriParam(uri, name);

    if (text != NULL && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "%s=%s: must be 0 or 1", name, text);
    *value = text != NULL && *text == '1';
    return 0;
}

/* The URI at the server: ?name=, or without transport, host and our parameters. The path stays as it was written. */
static char *
remoteUriServed(const char *text, const struct virUri *uri)
{
    const char *path = strchr(text, ':') + 1, *name = virUriParam(uri, "name");

    if (name != NULL)
        return virStringCopy(name);
    if (strncmp(path, "//", 2) == 0)
        path += 2 + strcspn(path + 2, "/?#");
    return virStringFormat("%s://%.*s", uri->scheme, (int)strcspn(path, "?#"), path);
}

/* ---------- Unix ---------- */

/* The system's server has its socket at one place; a user's own is in the user's folder. */
static char *
remoteDefaultSocket(const struct virUri *uri)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0 || strcmp(uri->path, "/system") == 0)
        return virStringCopy(REMOTE_SYSTEM_SOCKET);
    if (folder == NULL || *folder != '/') {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "XDG_RUNTIME_DIR does not say where your server's socket is: use ?socket=PATH");
        return NULL;
    }
    return virStringFormat("%s/virt/virt-sock", folder);
}

static char *
remoteUnixPath(virConnectPtr conn, const struct virUri *uri)
{
    const char *given = virUriParam(uri, "socket");
    char *path, *readOnly;

    if (given != NULL && *given != '/') {
        virReportError(VIR_ERR_INVALID_ARG, "socket=%s: the path must be absolute", given);
        return NULL;
    }
    if (given != NULL)
        return virStringCopy(given);
    if ((path = remoteDefaultSocket(uri)) == NULL || !conn->readOnly)
        return path;
    if ((readOnly = virStringFormat("%s-ro", path)) != NULL && access(readOnly, F_OK) == 0) {
        free(path);
        return readOnly;
    }
    free(readOnly);
    return path;
}

/* ---------- folders for sockets ---------- */

static int
remoteFolderUnlink(const char *name, void *opaque)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/%s", (const char *)opaque, name);

    if (path != NULL)
        unlink(path);
    return 0;
}

VIRT_INTERNAL void
remoteFolderRemove(const char *folder, int lock)
{
    virFileEach(folder, remoteFolderUnlink, (void *)(uintptr_t)folder);
    rmdir(folder);
    if (lock >= 0)
        close(lock);
}

/* Holds the folder, if it is ours and nobody does; or -1. */
static int
remoteFolderLock(const char *folder)
{
    VIRT_CLEANUP_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info, again;
    int result = fd;

    if (fd < 0 || fstat(fd, &info) < 0 || info.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0 || lstat(folder, &again) < 0
        || again.st_ino != info.st_ino || again.st_dev != info.st_dev)
        return -1;
    fd = -1;
    return result;
}

struct remoteFolderSweep {
    const char *base, *what;
};

/* One like ours that its process has left behind. */
static int
remoteFolderSweep(const char *name, void *opaque)
{
    const struct remoteFolderSweep *sweep = opaque;
    size_t length = strlen(sweep->what);
    VIRT_CLEANUP_FREE char *folder = NULL;
    int lock;

    if (strncmp(name, sweep->what, length) == 0 && strlen(name) == length + strlen("-XXXXXX") && name[length] == '-'
        && (folder = virStringFormat("%s/%s", sweep->base, name)) != NULL && (lock = remoteFolderLock(folder)) >= 0)
        remoteFolderRemove(folder, lock);
    return 0;
}

VIRT_INTERNAL char *
remoteFolderMake(const char *what, int *lock)
{
    struct remoteFolderSweep sweep = { getenv("XDG_RUNTIME_DIR"), what };
    char *folder = NULL;

    if (sweep.base == NULL || *sweep.base != '/' || access(sweep.base, W_OK) < 0)
        sweep.base = "/tmp";
    virFileEach(sweep.base, remoteFolderSweep, &sweep);
    virResetLastError();
    for (int i = 0; i < REMOTE_FOLDER_TRIES; i++) {       /* another's sweep may come between */
        if ((folder = virStringFormat("%s/%s-XXXXXX", sweep.base, what)) == NULL)
            return NULL;
        if (mkdtemp(folder) != NULL && (*lock = remoteFolderLock(folder)) >= 0)
            return folder;
        free(folder);
    }
    virReportSystemError(errno, "cannot make a folder in '%s'", sweep.base);
    return NULL;
}

/* ---------- ssh ---------- */

/* A child that forwards two sockets of a folder that only we enter. */
struct remoteTunnel {
    char *folder, *socket, *who, *errors;         /* the first is removed with the tunnel */
    int lock;                                     /* of it */
    char *host, *behind;                          /* what the sockets lead to */
    char **argv;
    bool mayAsk;                                  /* for a password, on the terminal */
    struct virProcess process;
};

static void
remoteTunnelEnd(struct remoteTunnel *tunnel)
{
    if (tunnel->process.pid == 0)
        return;
    if (virProcessSignal(&tunnel->process, SIGTERM) < 0 || virProcessWait(&tunnel->process, 2000, NULL) == 0) {
        virProcessSignal(&tunnel->process, SIGKILL);
        virProcessWait(&tunnel->process, 2000, NULL);
    }
    tunnel->process.pid = 0;
}

static void
remoteTunnelFree(struct remoteTunnel *tunnel)
{
    if (tunnel == NULL)
        return;
    remoteTunnelEnd(tunnel);
    if (tunnel->folder != NULL)
        remoteFolderRemove(tunnel->folder, tunnel->lock);
    virStringsFree(tunnel->argv);
    free(tunnel->folder);
    free(tunnel->socket);
    free(tunnel->who);
    free(tunnel->errors);
    free(tunnel->host);
    free(tunnel->behind);
    free(tunnel);
}

static int
remoteTunnelStart(struct remoteTunnel *tunnel)
{
    VIRT_CLEANUP_CLOSE int errors = open(tunnel->errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct virProcessSpawn spawn = { .argv = (const char *const *)tunnel->argv, .stdinFd = -1, .stdoutFd = -1, .stderrFd = errors };

    if (errors < 0)
        return virReportSystemError(errno, "cannot write '%s'", tunnel->errors);
    unlink(tunnel->socket);
    unlink(tunnel->who);
    return virProcessStart(&spawn, &tunnel->process);
}

/* What ssh said, in one line; malloc'd, or NULL. */
static char *
remoteTunnelWords(const struct remoteTunnel *tunnel)
{
    char *text = virFileRead(tunnel->errors, REMOTE_ERRORS, NULL), *end;

    if (text == NULL) {
        virResetLastError();
        return NULL;
    }
    for (end = text + strlen(text); end > text && (unsigned char)end[-1] <= ' '; end--)
        ;
    *end = '\0';
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = *c == '\n' ? ';' : ' ';
    return text;
}

/* For the link: whether the tunnel is there. One that has ended is begun anew, but not while the connection is being opened. */
static bool
remoteTunnelIsThere(void *opaque, bool opening, bool refused)
{
    struct remoteTunnel *tunnel = opaque;
    bool ended = tunnel->process.pid == 0 || virProcessWait(&tunnel->process, 0, NULL) != 0;
    VIRT_CLEANUP_FREE char *words = ended || refused ? remoteTunnelWords(tunnel) : NULL;

    if (!ended && !refused)
        return true;
    if (ended && !opening) {
        tunnel->process.pid = 0;
        return remoteTunnelStart(tunnel) == 0;
    }
    if (ended) {
        tunnel->process.pid = 0;
        virReportError(VIR_ERR_RPC, "ssh does not reach '%s': %s", tunnel->host, words != NULL && *words != '\0' ? words : "it says nothing");
    } else {
        virReportError(VIR_ERR_RPC, "there is no server at '%s' of '%s' (a virtd, or any program that calls virServerListen with \"unix:%s\")%s%s",
                       tunnel->behind, tunnel->host, tunnel->behind, words != NULL && *words != '\0' ? ": ssh: " : "",
                       words != NULL ? words : "");
    }
    return false;
}

static int
remoteArgument(char ***argv, size_t *n, const char *text)
{
    return virStringsAdd(argv, n, virStringCopy(text));
}

static int
remoteTunnelCommand(struct remoteTunnel *tunnel, const struct virUri *uri)
{
    const char *keyFile = virUriParam(uri, "keyfile"), *knownHosts = virUriParam(uri, "known_hosts"), *command = virUriParam(uri, "command");
    bool noTty, noVerify;
    size_t n = 0;
    char ***argv = &tunnel->argv;

    if (remoteUriFlag(uri, "no_tty", &noTty) < 0 || remoteUriFlag(uri, "no_verify", &noVerify) < 0)
        return -1;
    tunnel->mayAsk = !noTty;
    if (remoteArgument(argv, &n, command != NULL ? command : "/usr/bin/ssh") < 0 || remoteArgument(argv, &n, "-N") < 0
        || remoteArgument(argv, &n, "-T") < 0 || remoteArgument(argv, &n, "-e") < 0 || remoteArgument(argv, &n, "none") < 0
        || remoteArgument(argv, &n, "-o") < 0 || remoteArgument(argv, &n, "ExitOnForwardFailure=yes") < 0
        || remoteArgument(argv, &n, "-o") < 0 || remoteArgument(argv, &n, "ControlPath=none") < 0
        || remoteArgument(argv, &n, "-o") < 0 || remoteArgument(argv, &n, "ForwardX11=no") < 0
        || (noTty && (remoteArgument(argv, &n, "-o") < 0 || remoteArgument(argv, &n, "BatchMode=yes") < 0))
        || (noVerify && (remoteArgument(argv, &n, "-o") < 0 || remoteArgument(argv, &n, "StrictHostKeyChecking=no") < 0))
        || (knownHosts != NULL && (remoteArgument(argv, &n, "-o") < 0
                                   || virStringsAdd(argv, &n, virStringFormat("UserKnownHostsFile=%s", knownHosts)) < 0))
        || (keyFile != NULL && (remoteArgument(argv, &n, "-i") < 0 || remoteArgument(argv, &n, keyFile) < 0))
        || (uri->port != 0 && (remoteArgument(argv, &n, "-p") < 0 || virStringsAdd(argv, &n, virStringFormat("%d", uri->port)) < 0))
        || (uri->user != NULL && (remoteArgument(argv, &n, "-l") < 0 || remoteArgument(argv, &n, uri->user) < 0)))
        return -1;
    if (remoteArgument(argv, &n, "-L") < 0 || virStringsAdd(argv, &n, virStringFormat("%s:%s", tunnel->socket, tunnel->behind)) < 0
        || remoteArgument(argv, &n, "-L") < 0 || virStringsAdd(argv, &n, virStringFormat("%s:%s.who", tunnel->who, tunnel->behind)) < 0
        || remoteArgument(argv, &n, "--") < 0 || remoteArgument(argv, &n, uri->server) < 0)
        return -1;
    return 0;
}

static int
remoteTunnelFolder(struct remoteTunnel *tunnel)
{
    if ((tunnel->folder = remoteFolderMake("virt-ssh", &tunnel->lock)) == NULL || (tunnel->socket = virStringFormat("%s/s", tunnel->folder)) == NULL
        || (tunnel->who = virStringFormat("%s/s.who", tunnel->folder)) == NULL
        || (tunnel->errors = virStringFormat("%s/errors", tunnel->folder)) == NULL)
        return -1;
    return 0;
}

static struct remoteTunnel *
remoteTunnelNew(const struct virUri *uri)
{
    const char *behind = virUriParam(uri, "socket");
    struct remoteTunnel *tunnel;

    if (behind != NULL && *behind != '/') {
        virReportError(VIR_ERR_INVALID_ARG, "socket=%s: the path must be absolute", behind);
        return NULL;
    }
    if ((tunnel = virAllocate(sizeof(*tunnel))) == NULL)
        return NULL;
    if ((tunnel->behind = virStringCopy(behind != NULL ? behind : REMOTE_SYSTEM_SOCKET)) == NULL
        || (tunnel->host = virStringCopy(uri->server)) == NULL || remoteTunnelFolder(tunnel) < 0 || remoteTunnelCommand(tunnel, uri) < 0
        || remoteTunnelStart(tunnel) < 0) {
        remoteTunnelFree(tunnel);
        return NULL;
    }
    return tunnel;
}

/* ---------- tcp and ws ---------- */

#if VIRT_WITH_NOISE
/* The URI names the files of the keys, or they are where they always are. */
static struct remoteNoiseClient *
remoteSecretOpen(const struct virUri *uri, int port)
{
    const char *keyFile = virUriParam(uri, "keyfile"), *knownHosts = virUriParam(uri, "known_hosts");
    VIRT_CLEANUP_FREE char *keyPath = keyFile != NULL ? virStringCopy(keyFile) : remoteKeyPath("key");
    VIRT_CLEANUP_FREE char *hostsPath = knownHosts != NULL ? virStringCopy(knownHosts) : remoteKeyPath("known_hosts");
    unsigned char server[REMOTE_KEY_SIZE];
    struct remoteNoiseClient *noise = NULL;
    struct remoteKey key;
    int rc;

    if (keyPath == NULL || hostsPath == NULL || remoteKeyRead(keyPath, &key) < 0)
        return NULL;
    if ((rc = remoteKnownHostsFind(hostsPath, uri->server, port, server)) == 0)
        virReportError(VIR_ERR_AUTH_FAILED, "the key of the server at %s, port %d, is not in '%s': a line \"%s%s%s:%d KEY\" with the key that it "
                       "shows is to be added there", uri->server, port, hostsPath, strchr(uri->server, ':') != NULL ? "[" : "", uri->server,
                       strchr(uri->server, ':') != NULL ? "]" : "", port);
    if (rc > 0)
        noise = remoteNoiseClientNew(&key, server);
    remoteKeyErase(&key);
    return noise;
}
#endif

/* ---------- opening and closing ---------- */

/* Whether this file is root's or this user's own; and, of a folder, whether nobody else can put something there. */
static bool
remoteIsOurs(const char *path, bool folder)
{
    struct stat info;

    return stat(path, &info) == 0 && (info.st_uid == 0 || info.st_uid == geteuid()) && (!folder || (info.st_mode & 0022) == 0);
}

/* What another user may listen at now, or one day when this server has gone. */
static bool
remoteIsStrangers(const char *path)
{
    VIRT_CLEANUP_FREE char *folder = virStringSlice(path, (size_t)(strrchr(path, '/') - path) + 1);

    return folder == NULL || !remoteIsOurs(folder, true) || (access(path, F_OK) == 0 && !remoteIsOurs(path, false));
}

/* The front that nanomsg connects to instead, and its address there; NULL with the error set. */
static char *
remoteFrontBegin(struct remoteConnection *mine, const struct remoteFrontOptions *to)
{
    struct remoteFrontOptions options = *to;
    int fd;

    options.client = true;
    options.most = REMOTE_LINK_ENDPOINTS + 2;        /* nanomsg may be about to have another */
    options.largest = REMOTE_LINK_MESSAGE;
    options.greeting = REMOTE_OPEN * 1000000ULL;
    if ((mine->folder = remoteFolderMake("virt-front", &mine->folderLock)) == NULL || (mine->socket = virStringFormat("%s/s", mine->folder)) == NULL
        || (fd = virFileListen(mine->socket, 4)) < 0 || (mine->front = remoteFrontNew(&options, fd)) == NULL)
        return NULL;
    return virStringFormat("ipc://%s", mine->socket);
}

static void
remoteFrontEnd(struct remoteConnection *mine)
{
    remoteFrontFree(mine->front);
    if (mine->folder != NULL)
        remoteFolderRemove(mine->folder, mine->folderLock);
    free(mine->socket);
    free(mine->folder);
}

static int
remoteFillOptions(virConnectPtr conn, const struct virUri *uri, enum remoteTransport transport, struct remoteConnection *mine,
                  struct remoteLinkOptions *options, char **path, char **address, char **where)
{
    int port = uri->port != 0 ? uri->port : remoteTransports[transport].port;

    options->opening = REMOTE_OPEN;
    if (remoteUriGrace(uri, &options->grace) < 0)
        return -1;
    if (transport == REMOTE_UNIX || transport == REMOTE_SSH) {
        if (transport == REMOTE_SSH) {
            if ((mine->tunnel = remoteTunnelNew(uri)) == NULL)
                return -1;
            options->tunnel = remoteTunnelIsThere;
            options->tunnelOpaque = mine->tunnel;
            options->opening = mine->tunnel->mayAsk ? REMOTE_OPEN_ASKING : REMOTE_OPEN;
        }
        *path = transport == REMOTE_SSH ? virStringCopy(mine->tunnel->socket) : remoteUnixPath(conn, uri);
        if (*path != NULL && (transport == REMOTE_SSH || remoteIsStrangers(*path)))
            *address = remoteFrontBegin(mine, &(struct remoteFrontOptions){ .kind = REMOTE_WIRE_SP, .path = *path });
        else if (*path != NULL)
            *address = virStringFormat("ipc://%s", *path);
        mine->encrypted = transport == REMOTE_SSH;
    } else {
#if VIRT_WITH_NOISE
        char service[12];

        if ((options->noise = remoteSecretOpen(uri, port)) == NULL)
            return -1;
        snprintf(service, sizeof(service), "%d", port);
        *where = virStringFormat(strchr(uri->server, ':') != NULL ? "%s://[%s]:%d" : "%s://%s:%d", uri->transport, uri->server, port);
        if (transport == REMOTE_WS)
            *address = remoteFrontBegin(mine, &(struct remoteFrontOptions){ .kind = REMOTE_WIRE_WS, .host = uri->server, .port = service });
        else if (*where != NULL)
            *address = virStringCopy(*where);
        if ((options->where = *where) == NULL)
            return -1;
        mine->encrypted = true;
#else
        (void)where;
        return virReportError(VIR_ERR_NO_SUPPORT, "transport '%s' to '%s', port %d: this library was built without its encryption "
                              "(VIRT_WITH_NOISE), and without it nothing goes over a network; there is '%s+ssh://%s%s'", uri->transport,
                              uri->server, port, uri->scheme, uri->server, uri->path);
#endif
    }
    options->path = *path;
    if (*path != NULL)
        options->where = *path;
    return (options->address = *address) != NULL ? 0 : -1;
}

/* The connection's own table: what the server's driver has. */
static int
remoteTakeHello(struct remoteConnection *mine, const cJSON *hello)
{
    const char *name = virJsonString(hello, "driver");
    bool *has = virAllocate(remoteMethodCount() * sizeof(*has));
    const struct remoteMethod *method;
    cJSON *item;

    if (has == NULL)
        return -1;
    cJSON_ArrayForEach(item, virJsonGet(hello, "methods")) {
        if (cJSON_IsString(item) && (method = remoteMethodFind(item->valuestring)) != NULL)
            has[method - remoteMethods] = true;
    }
    mine->driver = virRemoteDriver;
    remoteStubsFill(&mine->driver, has);
    free(has);
    if (mine->driver.migration.begin == NULL && mine->driver.migration.perform == NULL && mine->driver.migration.prepare == NULL)
        mine->driver.migration.wait = NULL;
    if ((mine->name = virStringCopy(name != NULL && *name != '\0' ? name : "remote")) == NULL)
        return -1;
    mine->driver.name = mine->name;
    return 0;
}

static void
remoteConnectionFree(struct remoteConnection *mine)
{
    if (mine->link != NULL)
        remoteLinkClose(mine->link);
    remoteFrontEnd(mine);
    remoteTunnelFree(mine->tunnel);
    free(mine->name);
    free(mine);
}

static int
remoteConnectOpen(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    VIRT_CLEANUP_FREE char *path = NULL, *address = NULL, *where = NULL, *served = NULL;
    struct remoteLinkOptions options = { 0 };
    struct remoteConnection *mine;
    virErrorPtr before;
    size_t transport = 0;

    (void)auth;                       /* whose connection it is, the socket, ssh or the key says */
    (void)flags;
    while (transport < sizeof(remoteTransports) / sizeof(remoteTransports[0]) && strcmp(remoteTransports[transport].name, uri->transport) != 0)
        transport++;
    if (transport == sizeof(remoteTransports) / sizeof(remoteTransports[0]))
        return 0;
    if (remoteUriCheck(uri, (enum remoteTransport)transport) < 0 || (options.served = served = remoteUriServed(conn->uri, uri)) == NULL
        || (mine = virAllocate(sizeof(*mine))) == NULL)
        return -1;
    if (remoteFillOptions(conn, uri, (enum remoteTransport)transport, mine, &options, &path, &address, &where) < 0
        || (mine->link = remoteLinkOpen(conn, &options)) == NULL || remoteTakeHello(mine, mine->link->hello) < 0) {
        before = virSaveLastError();
        remoteConnectionFree(mine);
        virRestoreLastError(before);
        return -1;
    }
    conn->priv = mine;
    conn->hub = mine->link->hub;
    conn->driver = &mine->driver;
    remoteLinkSettle(mine->link);
    return 1;
}

static void
remoteConnectClose(virConnectPtr conn)
{
    struct remoteConnection *mine = remoteConnectionOf(conn);

    conn->driver = &virRemoteDriver;
    conn->priv = NULL;
    conn->hub = NULL;
    if (mine->link->pid == getpid()) {
        remoteConnectionFree(mine);
    } else {
        /* a forked child lets go of what is the parent's */
        remoteLinkClose(mine->link);
        free(mine->name);
        free(mine);
    }
}

/* ---------- the connection itself ---------- */

static int
remoteConnectIsAlive(virConnectPtr conn)
{
    return remoteLinkIsAlive(remoteConnectionOf(conn)->link);
}

static int
remoteConnectIsEncrypted(virConnectPtr conn)
{
    return remoteConnectionOf(conn)->encrypted;
}

/* A Unix socket does not leave the host, and all others are encrypted. */
static int
remoteConnectIsSecure(virConnectPtr conn)
{
    (void)conn;
    return 1;
}

static int
remoteConnectSetKeepAlive(virConnectPtr conn, int interval, unsigned int count)
{
    return remoteLinkSetKeepAlive(remoteConnectionOf(conn)->link, interval, count);
}

static int
remoteConnectSubscribe(virConnectPtr conn, const char *wanted)
{
    return remoteLinkSubscribe(remoteConnectionOf(conn)->link, wanted);
}

VIRT_INTERNAL const struct virDriver virRemoteDriver = {
    .version = VIRT_DRIVER_VERSION,
    .name = "remote",
    .schemes = (const char *const[]){ "+unix", "+tcp", "+ws", "+ssh", NULL },
    .open = remoteConnectOpen,
    .close = remoteConnectClose,
    .connect = {
        .isAlive = remoteConnectIsAlive,
        .isEncrypted = remoteConnectIsEncrypted,
        .isSecure = remoteConnectIsSecure,
        .setKeepAlive = remoteConnectSetKeepAlive,
        .subscribe = remoteConnectSubscribe,
    },
    .migration = {
        .wait = remoteLinkWait,
    },
};

#undef REMOTE_SYSTEM_SOCKET
#undef REMOTE_GRACE
#undef REMOTE_GRACE_MOST
#undef REMOTE_OPEN
#undef REMOTE_OPEN_ASKING
#undef REMOTE_ERRORS
#undef VIRT_FROM

#endif
