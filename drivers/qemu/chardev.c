/*
 * Character backends: what stands behind a serial line, a channel, a random generator's daemon, a redirected USB device.
 *
 * The document says it with a type on the device and one or two <source> elements below it; QEMU takes it as the
 * {type, data} object of chardev-add, and on the command line, where -chardev knows no JSON, as flat text. The text is
 * made from the object by renaming a few members, so that the two can never say different things.
 */
#include "device.h"

#include <stdio.h>
#include <sys/un.h>

#define VIRT_FROM VIR_FROM_QEMU

/* Each gives the data member for one type, or NULL with the error set. */
typedef cJSON *(*qemuChardevMaker)(struct qemuCommand *command, xmlNodePtr element);

/* ---------- sockets ---------- */

/*
 * The nested form, with type and data, is that of chardev-add alone; block devices take the flat one
 * (blocknet.c).
 */
static cJSON *
qemuChardevInet(const char *host, const char *port)
{
    return virJsonObject("s:type", "inet", "a:data",
                         virJsonObject("s:host", host != NULL ? host : "", "s:port", port, NULL), NULL);
}

static cJSON *
qemuChardevUnixAddress(const char *path)
{
    return virJsonObject("s:type", "unix", "a:data", virJsonObject("s:path", path, NULL), NULL);
}

/*
 * How a socket is used. As a server QEMU never waits for its client: a guest whose console nobody looks at starts all the same. As a
 * client it connects once, at the start, unless it is to try again every so many seconds.
 */
struct qemuChardevEnd {
    xmlNodePtr source;
    bool server, telnet;
    unsigned int reconnect;
};

/* The data of a "socket" backend; takes the address over. */
static cJSON *
qemuChardevSocket(cJSON *address, const struct qemuChardevEnd *end)
{
    VIRT_CLEANUP_JSON cJSON *data = virJsonObject("a:addr", address, "b:server", (int)end->server, NULL);

    if (data == NULL || (end->server && virJsonAdd(data, "b:wait", 0, NULL) < 0) ||
        virJsonAdd(data, "U:reconnect", (unsigned long long)end->reconnect, "B:telnet", (int)end->telnet, NULL) < 0)
        return NULL;
    return qemuTake(&data);
}

/* libvirt's default is a second. */
VIRT_INTERNAL int
qemuReadReconnect(xmlNodePtr node, unsigned int *seconds)
{
    bool enabled = false;

    *seconds = 0;
    if (virXmlBool(node, "reconnect/@enabled", &enabled) < 0)
        return -1;
    if (!enabled)
        return 0;
    *seconds = 1;
    return virXmlUInt(node, "reconnect/@timeout", seconds) < 0 ? -1 : 0;
}

/* The <source> with this mode; one without a mode counts as `connect`. */
static xmlNodePtr
qemuChardevSourceOf(xmlNodePtr element, const char *mode)
{
    VIRT_XML_EACH(source, element, "source") {
        const char *own = virXmlString(source, "@mode");

        if (strcmp(own != NULL ? own : "connect", mode) == 0)
            return source;
    }
    return NULL;
}

/* Reads the socket's one source, which side QEMU is, and what is spoken over it. */
static int
qemuChardevReadSocket(xmlNodePtr element, struct qemuChardevEnd *end)
{
    static const char *const modes[] = { "connect", "bind", NULL };
    static const char *const protocols[] = { "raw", "telnet", "telnets", "tls", NULL };
    int mode = 0, protocol = 0;
    bool tls = false;

    if ((end->source = virXmlFirst(element, "source")) == NULL)
        return qemuDeviceReport(element, VIR_ERR_XML_ERROR, "a socket needs a <source>");
    if (virXmlEnum(end->source, "@mode", modes, &mode) < 0 || virXmlBool(end->source, "@tls", &tls) < 0 ||
        virXmlEnum(element, "protocol/@type", protocols, &protocol) < 0 ||
        qemuReadReconnect(end->source, &end->reconnect) < 0)
        return -1;
    if (tls || protocol >= 2)
        return qemuDeviceReport(element, VIR_ERR_CONFIG_UNSUPPORTED,
                                "TLS for character devices is not supported");
    end->server = mode == 1;
    end->telnet = protocol == 1;
    if (end->server && end->reconnect > 0)
        return qemuDeviceReport(element, VIR_ERR_CONFIG_UNSUPPORTED, "only mode='connect' can reconnect");
    return 0;
}

static cJSON *
qemuChardevTcp(struct qemuCommand *command, xmlNodePtr element)
{
    struct qemuChardevEnd end = { 0 };
    const char *service;

    (void)command;
    if (qemuChardevReadSocket(element, &end) < 0 || (service = virXmlNeed(end.source, "@service")) == NULL)
        return NULL;
    return qemuChardevSocket(qemuChardevInet(virXmlString(end.source, "@host"), service), &end);
}

/*
 * A channel without a path gets one in the guest's run directory, and the live document says which. Its name tells that
 * the choice was ours, so that another host, or the next start, makes its own.
 */
static int
qemuChardevChannelPath(struct qemuCommand *command, xmlNodePtr element, xmlNodePtr source)
{
    const char *path = source != NULL ? virXmlString(source, "@path") : NULL;
    const char *name = path != NULL ? strrchr(path, '/') : NULL;
    VIRT_CLEANUP_FREE char *own = NULL;
    VIRT_CLEANUP_FREE char *made = NULL;

    if (!virXmlIs(element, "channel"))
        return 0;
    if ((own = qemuDeviceId(element, "/")) == NULL)
        return -1;
    if (path != NULL && (name == NULL || strncmp(name, own, strlen(own)) != 0 ||
                         strcmp(name + strlen(own), ".channel") != 0))
        return 0;
    if (command->dry)
        return 0;
    if ((made = qemuRunPath(command, element, ".channel")) == NULL)
        return -1;
    return virXmlSet(element, "source/@path", "%s", made) < 0 ||
                   virXmlSet(element, "source/@mode", "bind") < 0
               ? -1
               : 0;
}

static cJSON *
qemuChardevUnix(struct qemuCommand *command, xmlNodePtr element)
{
    xmlNodePtr source = virXmlFirst(element, "source");
    struct qemuChardevEnd end = { .server = true };
    const char *path;
    int fd;
    VIRT_CLEANUP_FREE char *number = NULL;

    if (qemuChardevChannelPath(command, element, source) < 0)
        return NULL;
    if (command->dry && virXmlIs(element, "channel") && source == NULL)
        return qemuChardevSocket(qemuChardevUnixAddress("channel"), &end);
    if (qemuChardevReadSocket(element, &end) < 0)
        return NULL;
    if (command->dry && virXmlIs(element, "channel") && virXmlString(source, "@path") == NULL)
        return qemuChardevSocket(qemuChardevUnixAddress("channel"), &end);
    if ((path = virXmlNeed(end.source, "@path")) == NULL)
        return NULL;
    if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return qemuChardevSocket(qemuChardevUnixAddress(path), &end);

    /* Longer than an address can be: a descriptor that listens there already. */
    if (!end.server || command->dry) {
        qemuDeviceReport(element, VIR_ERR_CONFIG_UNSUPPORTED,
                         "the path of the socket is too long: '%s'", path);
        return NULL;
    }
    if ((fd = virFileListen(path, 8)) < 0 || (number = qemuPassFdText(command, fd)) == NULL)
        return NULL;
    return qemuChardevSocket(
        virJsonObject("s:type", "fd", "a:data", virJsonObject("s:str", number, NULL), NULL), &end);
}

/*
 * Datagrams go to the source with mode='connect', and are taken in at the one with mode='bind', if
 * there is one.
 */
static cJSON *
qemuChardevUdp(struct qemuCommand *command, xmlNodePtr element)
{
    xmlNodePtr local = qemuChardevSourceOf(element, "bind"),
               remote = qemuChardevSourceOf(element, "connect");
    const char *port, *localPort;
    VIRT_CLEANUP_JSON cJSON *data = NULL;

    (void)command;
    if (remote == NULL) {
        qemuDeviceReport(element, VIR_ERR_XML_ERROR, "udp needs a <source mode='connect'>");
        return NULL;
    }
    if ((port = virXmlNeed(remote, "@service")) == NULL ||
        (data = virJsonObject("a:remote", qemuChardevInet(virXmlString(remote, "@host"), port),
                              NULL)) == NULL)
        return NULL;
    if (local != NULL) {
        localPort = virXmlString(local, "@service");
        if (virJsonAdd(data, "a:local", qemuChardevInet(virXmlString(local, "@host"),
                                                        localPort != NULL ? localPort : "0"), NULL) < 0)
            return NULL;
    }
    return qemuTake(&data);
}

/* ---------- the others ---------- */

/*
 * Backends that need to know nothing. (A pty says its path when QEMU has made it; the runtime asks.)
 */
static cJSON *
qemuChardevPlain(struct qemuCommand *command, xmlNodePtr element)
{
    (void)command;
    (void)element;
    return virJsonObject("S:", NULL, NULL);
}

static const char *
qemuChardevPath(xmlNodePtr element)
{
    xmlNodePtr source = virXmlFirst(element, "source");

    if (source == NULL) {
        qemuDeviceReport(element, VIR_ERR_XML_ERROR, "type '%s' needs a <source path=...>",
                         virXmlString(element, "@type"));
        return NULL;
    }
    return virXmlNeed(source, "@path");
}

static cJSON *
qemuChardevDevice(struct qemuCommand *command, xmlNodePtr element)
{
    const char *path = qemuChardevPath(element);

    (void)command;
    return path == NULL ? NULL : virJsonObject("s:device", path, NULL);
}

/* Without append, QEMU empties the file when the guest starts. */
static cJSON *
qemuChardevFile(struct qemuCommand *command, xmlNodePtr element)
{
    const char *path = qemuChardevPath(element);
    bool append = false;

    (void)command;
    if (path == NULL || virXmlBool(element, "source/@append", &append) < 0)
        return NULL;
    return virJsonObject("s:out", path, "B:append", (int)append, NULL);
}

/* SPICE tells its channels apart by these names. */
static cJSON *
qemuChardevSpice(struct qemuCommand *command, xmlNodePtr element)
{
    const char *kind = virXmlIs(element, "redirdev")    ? "usbredir"
                       : virXmlIs(element, "smartcard") ? "smartcard"
                                                        : "vdagent";

    (void)command;
    return virJsonObject("s:type", kind, NULL);
}

static cJSON *
qemuChardevSpicePort(struct qemuCommand *command, xmlNodePtr element)
{
    const char *channel = virXmlNeed(element, "source/@channel");

    (void)command;
    return channel == NULL ? NULL : virJsonObject("s:fqdn", channel, NULL);
}

static cJSON *
qemuChardevDbus(struct qemuCommand *command, xmlNodePtr element)
{
    const char *channel = virXmlNeed(element, "source/@channel");

    (void)command;
    return channel == NULL ? NULL : virJsonObject("s:name", channel, NULL);
}

/*
 * An agent's channel that QEMU itself serves: the clipboard of a VNC or D-Bus display. Both parts are
 * off unless asked for.
 */
static cJSON *
qemuChardevAgent(struct qemuCommand *command, xmlNodePtr element)
{
    static const char *const modes[] = { "server", "client", NULL };
    bool clipboard = false;
    int mode = 0;

    (void)command;
    if (virXmlBool(element, "source/clipboard/@copypaste", &clipboard) < 0 ||
        virXmlEnum(element, "source/mouse/@mode", modes, &mode) < 0)
        return NULL;
    return virJsonObject("b:clipboard", (int)clipboard, "b:mouse", mode == 1, NULL);
}

static const struct qemuChardevType {
    const char *name, *backend;       /* ours and QEMU's */
    qemuChardevMaker make;
} qemuChardevTypes[] = {
    { "null",         "null",         qemuChardevPlain },
    { "vc",           "vc",           qemuChardevPlain },
    { "pty",          "pty",          qemuChardevPlain },
    { "stdio",        "stdio",        qemuChardevPlain },
    { "dev",          "serial",       qemuChardevDevice },
    { "file",         "file",         qemuChardevFile },
    { "pipe",         "pipe",         qemuChardevDevice },
    { "unix",         "socket",       qemuChardevUnix },
    { "tcp",          "socket",       qemuChardevTcp },
    { "udp",          "udp",          qemuChardevUdp },
    { "spicevmc",     "spicevmc",     qemuChardevSpice },
    { "spiceport",    "spiceport",    qemuChardevSpicePort },
    { "dbus",         "dbus",         qemuChardevDbus },
    { "qemu-vdagent", "qemu-vdagent", qemuChardevAgent },
};

static int
qemuChardevAdd(struct qemuDeviceSet *set, const char *id, const char *backend, cJSON *data)
{
    return qemuDeviceSetAdd(set, QEMU_OPTION_CHARDEV,
                            virJsonObject("s:id", id, "a:backend",
                                          virJsonObject("s:type", backend, "a:data", data, NULL), NULL));
}

VIRT_INTERNAL int
qemuChardevAddUnix(struct qemuDeviceSet *set, const char *id, const char *path, bool server, unsigned int reconnect)
{
    struct qemuChardevEnd end = { .server = server, .reconnect = reconnect };

    return qemuChardevAdd(set, id, "socket", qemuChardevSocket(qemuChardevUnixAddress(path), &end));
}

/* The descriptor is connected already, so there is nothing to wait for and nothing to try again. */
VIRT_INTERNAL int
qemuChardevAddFd(struct qemuCommand *command, struct qemuDeviceSet *set, const char *id, int fd)
{
    struct qemuChardevEnd end = { 0 };
    VIRT_CLEANUP_FREE char *number = qemuPassFdText(command, fd);

    if (number == NULL)
        return -1;
    return qemuChardevAdd(set, id, "socket",
                          qemuChardevSocket(virJsonObject("s:type", "fd", "a:data",
                                                          virJsonObject("s:str", number, NULL), NULL), &end));
}

/* <log> belongs to every type: QEMU copies to the file what the guest writes. */
VIRT_INTERNAL int
qemuBuildChardev(struct qemuCommand *command, xmlNodePtr source, const char *id,
                 struct qemuDeviceSet *set)
{
    static const struct qemuProperty log[] = {
        { QEMU_PROPERTY_STRING, "log/@file",   "logfile" },
        { QEMU_PROPERTY_BOOL,   "log/@append", "logappend" },
        { 0, NULL, NULL },
    };
    const char *type = virXmlNeed(source, "@type"), *backend;
    const struct qemuChardevType *entry = NULL;
    VIRT_CLEANUP_JSON cJSON *data = NULL;

    if (type == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(qemuChardevTypes) / sizeof(*qemuChardevTypes); i++)
        if (strcmp(qemuChardevTypes[i].name, type) == 0)
            entry = &qemuChardevTypes[i];
    if (entry == NULL)
        return qemuDeviceReport(source, VIR_ERR_CONFIG_UNSUPPORTED, "type '%s' is not supported", type);
    backend = virXmlIs(source, "parallel") && strcmp(type, "dev") == 0 ? "parallel" : entry->backend;
    if ((data = entry->make(command, source)) == NULL || qemuAddProperties(source, data, log) < 0)
        return -1;
    return qemuChardevAdd(set, id, backend, qemuTake(&data));
}

/* ---------- the text for -chardev ---------- */

/*
 * Members of the object in the order in which they were added. Addresses are objects within the
 * object; their members come out at the same level, under the names that -chardev has for them.
 */
static void
qemuChardevFlatten(struct virText *text, const cJSON *object, const char *host, const char *port)
{
    static const char *const renamed[][2] = {
        { "out", "path" }, { "device", "path" }, { "type", "name" }, { "fqdn", "name" }, { "str", "fd" },
    };
    const cJSON *member;

    cJSON_ArrayForEach(member, object) {
        const char *key = member->string;

        for (size_t i = 0; i < sizeof(renamed) / sizeof(*renamed); i++)
            if (strcmp(key, renamed[i][0]) == 0)
                key = renamed[i][1];
        key = strcmp(key, "host") == 0 ? host : strcmp(key, "port") == 0 ? port : key;
        if (strcmp(key, "addr") == 0)
            qemuChardevFlatten(text, virJsonGet(member, "data"), host, port);
        else if (strcmp(key, "remote") == 0)
            qemuChardevFlatten(text, virJsonGet(member, "data"), "host", "port");
        else if (strcmp(key, "local") == 0)
            qemuChardevFlatten(text, virJsonGet(member, "data"), "localaddr", "localport");
        else if (cJSON_IsString(member))
            qemuTextOption(text, key, member->valuestring);
        else if (cJSON_IsBool(member))
            qemuTextOption(text, key, cJSON_IsTrue(member) ? "on" : "off");
        else if (cJSON_IsRaw(member))
            qemuTextOption(text, key, member->valuestring);
        else
            virTextAdd(text, ",%s=%.0f", key, member->valuedouble);
    }
}

VIRT_INTERNAL char *
qemuChardevFormat(const cJSON *chardev)
{
    const cJSON *backend = virJsonGet(chardev, "backend");
    const char *id = virJsonString(chardev, "id"), *type = virJsonString(backend, "type");
    struct virText text = { 0 };

    virTextAdd(&text, "%s", type != NULL ? type : "");
    qemuTextOption(&text, "id", id != NULL ? id : "");
    qemuChardevFlatten(&text, virJsonGet(backend, "data"), "host", "port");
    return virTextTake(&text);
}

#undef VIRT_FROM
