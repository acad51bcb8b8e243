/*
 * Graphics: how a guest's screen is seen from outside. QEMU takes these as text on its command line; passwords go by the
 * monitor, before the CPUs start, so that no process list shows them.
 */
#include "device.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_GRAPHICS_FIRST_PORT 5900
#define QEMU_GRAPHICS_FIRST_WEB_PORT 5700
#define QEMU_GRAPHICS_CERTIFICATES "/etc/pki/libvirt-spice"

/* Where a display listens: a socket's path, or an address with ports. */
struct qemuGraphicsListen {
    const char *socket;
    const char *address;
    int port, web;                    /* -1: none */
    bool none;
    char *own;                        /* a socket's path of our own making */
};

/* ---------- ports ---------- */

/*
 * Whether somebody could listen there now. An address that is not this host's counts as free: QEMU then says what is wrong with it,
 * which is more than "all ports are taken".
 */
static bool
qemuGraphicsPortIsFree(const char *address, int port)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST, .ai_socktype = SOCK_STREAM },
                    *info = NULL;
    char service[16];
    bool isFree = false;
    int fd, on = 1;

    snprintf(service, sizeof(service), "%d", port);
    if (getaddrinfo(address, service, &hints, &info) != 0)
        return true;                  /* a name: QEMU resolves it, and complains if it must */
    if ((fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        isFree = (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 1) == 0) || errno != EADDRINUSE;
        close(fd);
    }
    freeaddrinfo(info);
    return isFree;
}

/*
 * Between the choice of a port and QEMU's listening there, another guest's start could choose the same. So each choice is marked by
 * an abstract socket of that name, which QEMU inherits and which goes with it; whoever comes second cannot bind it.
 * 1: marked; 0: taken; -1: error.
 */
static int
qemuGraphicsReserve(struct qemuCommand *command, int port)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "virt-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return virReportSystemError(errno, "cannot reserve port %d", port);
    if (bind(fd, (struct sockaddr *)&name,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) < 0) {
        close(fd);
        return 0;
    }
    return qemuCommandPassFd(command, fd) < 0 ? -1 : 1;
}

/* The port in an attribute; with `automatic`, the first free one from `first` on, which the document then shows. */
static int
qemuGraphicsPort(struct qemuCommand *command, xmlNodePtr device, const char *attribute,
                 const char *address, int first, bool automatic, int *port)
{
    int rc = virXmlInt(device, attribute, port);

    if (rc < 0)
        return -1;
    if (rc > 0 && *port >= 0 && !automatic) {
        if (*port > 65535 || (*port > 0 && *port < first && first == QEMU_GRAPHICS_FIRST_PORT))
            return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "port %d is out of range", *port);
        return 0;
    }
    *port = first;
    if (command->dry)
        return 0;
    for (; *port <= 65535; ++*port) {
        if (!qemuGraphicsPortIsFree(address, *port) || (rc = qemuGraphicsReserve(command, *port)) == 0)
            continue;
        return rc < 0 ? -1 : virXmlSet(device, attribute, "%d", *port);
    }
    return qemuDeviceReport(device, VIR_ERR_OPERATION_FAILED, "there is no free port from %d on", first);
}

/* ---------- where to listen ---------- */

/* <listen type='socket'> without a path: one in the run directory; its name tells that it is ours to choose. */
static int
qemuGraphicsSocket(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr listen,
                   struct qemuGraphicsListen *where)
{
    const char *path = virXmlString(listen, "@socket");
    size_t length = path != NULL ? strlen(path) : 0;

    where->socket = path;
    if (length > 0 && (length < 9 || strcmp(path + length - 9, ".graphics") != 0))
        return 0;
    /* graphics have no alias; a guest has at most one of a kind that listens */
    if (!command->dry && virFileMakePath(command->runDirectory, 0700) < 0)
        return -1;
    if ((where->own = virStringFormat("%s/%s.graphics", command->runDirectory, virXmlString(device, "@type"))) == NULL)
        return -1;
    where->socket = where->own;
    return command->dry ? 0 : virXmlSet(listen, "@socket", "%s", where->own);
}

/*
 * <listen> has the last word; the attributes of <graphics> are how documents said it before there was
 * one.
 */
static int
qemuGraphicsReadListen(struct qemuCommand *command, xmlNodePtr device, struct qemuGraphicsListen *where)
{
    static const char *const types[] = { "address", "socket", "none", "network", NULL };
    xmlNodePtr listen = virXmlFirst(device, "listen");
    int type = 0;

    where->address = virXmlString(device, "@listen");
    where->socket = virXmlString(device, "@socket");
    if (listen == NULL)
        return 0;
    if (virXmlEnum(listen, "@type", types, &type) < 0)
        return -1;
    switch (type) {
    case 0:
        if (virXmlString(listen, "@address") != NULL)
            where->address = virXmlString(listen, "@address");
        return 0;
    case 1:
        return qemuGraphicsSocket(command, device, listen, where);
    case 2:
        where->none = true;
        return 0;
    default:
        if (virXmlString(listen, "@address") != NULL) {
            where->address = virXmlString(listen, "@address");
            return 0;
        }
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "listening on a virtual network is not supported; give the address");
    }
}

/* ---------- passwords ---------- */

/* "2010-04-09T15:51:00", in UTC. */
static int
qemuGraphicsExpiry(xmlNodePtr device, const char *text, char *seconds, size_t size)
{
    struct tm tm = { 0 };

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR, "'%s' is not a date and time", text);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    snprintf(seconds, size, "%lld", (long long)timegm(&tm));
    return 0;
}

/* 1: there is one; 0: there is none. */
static int
qemuGraphicsPassword(struct qemuCommand *command, xmlNodePtr device, const char *protocol)
{
    const char *password = virXmlString(device, "@passwd"),
               *until = virXmlString(device, "@passwdValidTo");
    const char *connected = virXmlString(device, "@connected");
    char time[32] = "never";

    /* an empty password is one that nobody can give: the display is closed until the monitor sets another */
    if (password == NULL)
        return xmlHasProp(device, (const xmlChar *)"passwd") != NULL;
    if (strcmp(protocol, "vnc") == 0 && strlen(password) > 8)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "a VNC password has at most 8 characters");
    if ((until != NULL && qemuGraphicsExpiry(device, until, time, sizeof(time)) < 0) ||
        qemuCommandAddQmp(command, "set_password",
                          virJsonObject("s:protocol", protocol, "s:password", password, "S:connected",
                                        connected, NULL)) < 0 ||
        qemuCommandAddQmp(command, "expire_password",
                          virJsonObject("s:protocol", protocol, "s:time", time, NULL)) < 0)
        return -1;
    return 1;
}

/* ---------- VNC ---------- */

/* VNC counts displays from port 5900 on, and takes IPv6 addresses in brackets. */
static int
qemuGraphicsVncAddress(struct qemuCommand *command, xmlNodePtr device, struct qemuGraphicsListen *where,
                       struct virText *text)
{
    const char *address;
    bool automatic = false;

    if (where->none) {
        virTextAdd(text, "none");
        return 0;
    }
    if (where->socket != NULL) {
        virTextAdd(text, "vnc=unix:");     /* with the key, or a '=' in the path would end one */
        for (const char *p = where->socket; *p != '\0'; p++)
            virTextAdd(text, "%s%c", *p == ',' ? "," : "", *p);
        return 0;
    }
    address = where->address != NULL ? where->address : "127.0.0.1";
    if (virXmlBool(device, "@autoport", &automatic) < 0 ||
        qemuGraphicsPort(command, device, "@port", address, QEMU_GRAPHICS_FIRST_PORT, automatic,
                         &where->port) < 0)
        return -1;
    virTextAdd(text, strchr(address, ':') != NULL ? "[%s]:%d" : "%s:%d", address,
               where->port - QEMU_GRAPHICS_FIRST_PORT);
    if (virXmlString(device, "@websocket") == NULL)
        return 0;
    where->web = -1;
    if (qemuGraphicsPort(command, device, "@websocket", address, QEMU_GRAPHICS_FIRST_WEB_PORT,
                         virXmlEquals(device, "@websocket", "-1"), &where->web) < 0)
        return -1;
    virTextAdd(text, ",websocket=%d", where->web);
    return 0;
}

/* password=on only says that there will be one: until the monitor has set it, nobody comes in. */
static int
qemuGraphicsVncOptions(struct qemuCommand *command, xmlNodePtr device, struct virText *text)
{
    const char *share = virXmlString(device, "@sharePolicy"), *audio = virXmlString(device, "audio/@id");
    bool power = false;
    int rc = qemuGraphicsPassword(command, device, "vnc");

    if (rc < 0 || virXmlBool(device, "@powerControl", &power) < 0)
        return -1;
    if (rc > 0)
        virTextAdd(text, ",password=on");
    if (share != NULL)
        qemuTextOption(text, "share", share);
    if (power)
        virTextAdd(text, ",power-control=on");
    if (audio != NULL)
        virTextAdd(text, ",audiodev=audio%s", audio);
    return 0;
}

/* The keyboard's layout is QEMU's, not a display's; both displays have it in the document. */
static int
qemuGraphicsKeymap(xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *keymap = virXmlString(device, "@keymap");

    return keymap == NULL ? 0 : qemuDeviceSetArguments(set, "-k", virStringCopy(keymap));
}

/* One -vnc for each element; QEMU can have several. */
static int
qemuGraphicsVnc(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    struct qemuGraphicsListen where = { 0 };
    struct virText text = { 0 };
    int rc = -1;

    if (qemuGraphicsReadListen(command, device, &where) == 0 &&
        qemuGraphicsVncAddress(command, device, &where, &text) == 0 &&
        qemuGraphicsVncOptions(command, device, &text) == 0 &&
        qemuDeviceSetArguments(set, "-vnc", virTextTake(&text)) == 0)
        rc = qemuGraphicsKeymap(device, set);
    virTextFree(&text);
    free(where.own);
    return rc;
}

/* ---------- SPICE ---------- */

/* Values that SPICE takes as they stand in the document, and those it has the other way round. */
static int
qemuGraphicsSpiceValues(xmlNodePtr device, struct virText *text)
{
    static const char *const plain[][2] = {
        { "image/@compression", "image-compression" }, { "jpeg/@compression", "jpeg-wan-compression" },
        { "zlib/@compression", "zlib-glz-wan-compression" }, { "playback/@compression", "playback-compression" },
        { "streaming/@mode", "streaming-video" }, { "gl/@rendernode", "rendernode" },
    };
    static const struct { const char *path, *option; bool wanted; } flags[] = {
        { "clipboard/@copypaste", "disable-copy-paste", false },
        { "filetransfer/@enable", "disable-agent-file-xfer", false },
        { "gl/@enable", "gl", true },
    };
    const char *mouse = virXmlString(device, "mouse/@mode"), *value;
    bool flag;

    if (mouse != NULL)
        qemuTextOption(text, "agent-mouse", strcmp(mouse, "client") == 0 ? "on" : "off");
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        if ((value = virXmlString(device, plain[i][0])) != NULL)
            qemuTextOption(text, plain[i][1], value);
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        flag = !flags[i].wanted;
        if (virXmlBool(device, flags[i].path, &flag) < 0)
            return -1;
        if (flag == flags[i].wanted)
            virTextAdd(text, ",%s=on", flags[i].option);
    }
    return 0;
}

/* Encryption needs the host's certificates, where the usual place for them is. */
static int
qemuGraphicsSpiceTls(struct qemuCommand *command, xmlNodePtr device, struct virText *text)
{
    int port = -1;

    if (virXmlInt(device, "@tlsPort", &port) < 0)
        return -1;
    if (port <= 0)
        return 0;
    if (!command->dry && access(QEMU_GRAPHICS_CERTIFICATES "/server-cert.pem", R_OK) < 0)
        return qemuDeviceReportSystem(device, errno, "tlsPort needs the host's certificates in '%s'",
                                      QEMU_GRAPHICS_CERTIFICATES);
    virTextAdd(text, ",tls-port=%d,x509-dir=%s", port, QEMU_GRAPHICS_CERTIFICATES);
    return 1;
}

/* Which channels must, or must not, be encrypted. */
static int
qemuGraphicsSpiceChannel(xmlNodePtr device, struct virText *text, const char *name, const char *mode,
                         bool tls)
{
    if (mode == NULL || strcmp(mode, "any") == 0)
        return 0;
    if (strcmp(mode, "secure") == 0 && !tls)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "channel '%s' is to be encrypted, but there is no tlsPort", name);
    qemuTextOption(text, strcmp(mode, "secure") == 0 ? "tls-channel" : "plaintext-channel", name);
    return 0;
}

static int
qemuGraphicsSpiceChannels(struct qemuCommand *command, xmlNodePtr device, struct virText *text)
{
    int tls = qemuGraphicsSpiceTls(command, device, text);

    if (tls < 0 || qemuGraphicsSpiceChannel(device, text, "default",
                                            virXmlString(device, "@defaultMode"), tls > 0) < 0)
        return -1;
    VIRT_XML_EACH(channel, device, "channel") {
        const char *name = virXmlNeed(channel, "@name");

        if (name == NULL ||
            qemuGraphicsSpiceChannel(device, text, name, virXmlString(channel, "@mode"), tls > 0) < 0)
            return -1;
    }
    return 0;
}

static int
qemuGraphicsSpiceText(struct qemuCommand *command, xmlNodePtr device, struct qemuGraphicsListen *where,
                      struct virText *text)
{
    const char *address = where->address != NULL ? where->address : "127.0.0.1";
    bool automatic = false;
    int rc;

    /* no port, and none to be chosen: only programs that get a descriptor from the monitor come in */
    if ((rc = virXmlBool(device, "@autoport", &automatic)) < 0)
        return -1;
    if (rc > 0 && !automatic && virXmlString(device, "@port") == NULL)
        where->none = true;
    if (where->socket != NULL) {
        virTextAdd(text, "unix=on");
        qemuTextOption(text, "addr", where->socket);
    } else if (!where->none) {
        if (qemuGraphicsPort(command, device, "@port", address, QEMU_GRAPHICS_FIRST_PORT, automatic,
                             &where->port) < 0)
            return -1;
        virTextAdd(text, "port=%d", where->port);
        qemuTextOption(text, "addr", address);
    } else {
        virTextAdd(text, "port=0");
    }
    if ((rc = qemuGraphicsPassword(command, device, "spice")) < 0 ||
        qemuGraphicsSpiceChannels(command, device, text) < 0 ||
        qemuGraphicsSpiceValues(device, text) < 0)
        return -1;
    /* a password that the monitor sets switches ticketing on by itself only if it is not disabled here */
    if (rc == 0)
        virTextAdd(text, ",disable-ticketing=on");
    virTextAdd(text, ",seamless-migration=on");
    return 0;
}

/* SPICE is a module of its own in many builds of QEMU, and may not be installed. */
static int
qemuGraphicsSpice(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    struct qemuGraphicsListen where = { 0 };
    struct virText text = { 0 };
    int rc = -1;

    if (!qemuCapabilitiesHasDevice(command->caps, "chardev-spicevmc"))
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "this QEMU has no SPICE");
    if (qemuGraphicsReadListen(command, device, &where) == 0 &&
        qemuGraphicsSpiceText(command, device, &where, &text) == 0 &&
        qemuDeviceSetArguments(set, "-spice", virTextTake(&text)) == 0)
        rc = qemuGraphicsKeymap(device, set);
    virTextFree(&text);
    free(where.own);
    return rc;
}

/* ---------- the others ---------- */

/*
 * Draws for other displays, with the host's graphics card. It takes the place of "-display none".
 */
static int
qemuGraphicsHeadless(xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *node = virXmlString(device, "gl/@rendernode");
    struct virText text = { 0 };

    virTextAdd(&text, "egl-headless");
    if (node != NULL)
        qemuTextOption(&text, "rendernode", node);
    return qemuDeviceSetArguments(set, "-display", virTextTake(&text));
}

/* A display for a desktop's programs: over a bus that is given, or from peer to peer. */
static int
qemuGraphicsDbus(xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *address = virXmlString(device, "@address"),
               *node = virXmlString(device, "gl/@rendernode");
    const char *audio = virXmlString(device, "audio/@id");
    bool peer = false, gl = false;
    struct virText text = { 0 };

    if (virXmlBool(device, "@p2p", &peer) < 0 || virXmlBool(device, "gl/@enable", &gl) < 0)
        return -1;
    if (!peer && address == NULL)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "it needs p2p='yes' or the address of a bus");
    virTextAdd(&text, "dbus");
    if (peer)
        virTextAdd(&text, ",p2p=on");
    else
        qemuTextOption(&text, "addr", address);
    if (gl)
        virTextAdd(&text, ",gl=on");
    if (node != NULL)
        qemuTextOption(&text, "rendernode", node);
    if (audio != NULL)
        virTextAdd(&text, ",audiodev=audio%s", audio);
    return qemuDeviceSetArguments(set, "-display", virTextTake(&text));
}

/*
 * Windows on the host's own screen (SDL) need somebody's desktop session, which a guest that outlives
 * its starter cannot have.
 */
VIRT_INTERNAL int
qemuBuildGraphics(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *type = virXmlNeed(device, "@type");

    if (type == NULL)
        return -1;
    if (strcmp(type, "vnc") == 0)
        return qemuGraphicsVnc(command, device, set);
    if (strcmp(type, "spice") == 0)
        return qemuGraphicsSpice(command, device, set);
    if (strcmp(type, "egl-headless") == 0)
        return qemuGraphicsHeadless(device, set);
    if (strcmp(type, "dbus") == 0)
        return qemuGraphicsDbus(device, set);
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                          "graphics of type '%s' are not supported; use vnc or spice", type);
}

#undef QEMU_GRAPHICS_FIRST_PORT
#undef QEMU_GRAPHICS_FIRST_WEB_PORT
#undef QEMU_GRAPHICS_CERTIFICATES
#undef VIRT_FROM
