/*
 * Disks over the network: one function per protocol turns <source protocol= name=><host/></source> into QEMU's protocol node.
 */
#include "blockdev.h"

#define VIRT_FROM VIR_FROM_QEMU

/* What every protocol gets; the first host is looked up once. */
struct qemuBlockNet {
    xmlNodePtr device, source, host;
    const char *protocol, *name, *server, *port;
};
typedef cJSON *(*qemuBlockNetMaker)(const struct qemuBlockNet *net);

/*
 * The two things that nearly every protocol cannot do without. NULL, so that a maker can return it.
 */
static cJSON *
qemuBlockNetNeedHost(const struct qemuBlockNet *net)
{
    if (net->server == NULL)
        qemuDeviceReport(net->device, VIR_ERR_XML_ERROR, "protocol '%s' needs a <host name=...>",
                         net->protocol);
    else if (net->name == NULL)
        qemuDeviceReport(net->device, VIR_ERR_XML_ERROR, "protocol '%s' needs a name", net->protocol);
    return NULL;
}

#define QEMU_BLOCK_NET_NEED(net)                                \
    do {                                                        \
        if ((net)->server == NULL || (net)->name == NULL)       \
            return qemuBlockNetNeedHost(net);                   \
    } while (0)

/* A SocketAddress: a Unix socket where the host says so, else host and port. */
static cJSON *
qemuBlockNetAddress(const struct qemuBlockNet *net, xmlNodePtr host, const char *defaultPort)
{
    const char *port = virXmlString(host, "@port"), *name = virXmlString(host, "@name");

    if (virXmlEquals(host, "@transport", "unix")) {
        const char *path = virXmlNeed(host, "@socket");

        return path == NULL ? NULL : virJsonObject("s:type", "unix", "s:path", path, NULL);
    }
    if (virXmlEquals(host, "@transport", "rdma")) {
        qemuDeviceReport(net->device, VIR_ERR_CONFIG_UNSUPPORTED, "transport 'rdma' is not supported");
        return NULL;
    }
    if (name == NULL) {
        qemuDeviceReport(net->device, VIR_ERR_XML_ERROR, "a <host> needs a name");
        return NULL;
    }
    return virJsonObject("s:type", "inet", "s:host", name, "s:port", port != NULL ? port : defaultPort,
                         NULL);
}

/* The one protocol that a Unix socket makes sense for: the server is often on the same host. */
static cJSON *
qemuBlockNetNbd(const struct qemuBlockNet *net)
{
    unsigned long long delay = 0;
    bool tls = false;

    if (net->host == NULL)
        return qemuBlockNetNeedHost(net);
    if (virXmlBool(net->source, "@tls", &tls) < 0 ||
        virXmlULongLong(net->source, "reconnect/@delay", &delay) < 0)
        return NULL;
    if (tls) {
        qemuDeviceReport(net->device, VIR_ERR_CONFIG_UNSUPPORTED, "TLS for NBD is not supported");
        return NULL;
    }
    return virJsonObject("s:driver", "nbd", "a:server", qemuBlockNetAddress(net, net->host, "10809"),
                         "S:export", net->name, "U:reconnect-delay", delay, NULL);
}

/*
 * libvirt's name is "target" or "target/unit"; QEMU has them apart. An address with colons is an IPv6
 * one, and needs brackets.
 */
static cJSON *
qemuBlockNetIscsi(const struct qemuBlockNet *net)
{
    const char *slash;
    VIRT_CLEANUP_FREE char *portal = NULL;
    VIRT_CLEANUP_FREE char *target = NULL;
    unsigned long long lun = 0;

    QEMU_BLOCK_NET_NEED(net);
    slash = strchr(net->name, '/');
    if (slash != NULL && virStringToULL(slash + 1, 10, &lun) < 0) {
        qemuDeviceReport(net->device, VIR_ERR_XML_ERROR, "'%s' does not end in a unit number", net->name);
        return NULL;
    }
    if ((portal = virStringFormat(strchr(net->server, ':') != NULL ? "[%s]:%s" : "%s:%s", net->server,
                                  net->port != NULL ? net->port : "3260")) == NULL ||
        (target =
             virStringFormat("%.*s", slash != NULL ? (int)(slash - net->name) : (int)strlen(net->name),
                             net->name)) == NULL)
        return NULL;
    return virJsonObject("s:driver", "iscsi", "s:transport", "tcp", "s:portal", portal, "s:target",
                         target, "u:lun", lun, "S:initiator-name",
                         virXmlString(net->source, "initiator/iqn/@name"), NULL);
}

/*
 * http, https, ftp and ftps are one driver each, all by libcurl, and take a URL. The name in the
 * document is its path.
 */
static cJSON *
qemuBlockNetUrl(const struct qemuBlockNet *net)
{
    static const struct qemuProperty options[] = {
        { QEMU_PROPERTY_BOOL,   "ssl/@verify",      "sslverify" },
        { QEMU_PROPERTY_NUMBER, "readahead/@size",  "readahead" },
        { QEMU_PROPERTY_NUMBER, "timeout/@seconds", "timeout" },
        { 0, NULL, NULL },
    };
    const char *query = virXmlString(net->source, "@query");
    VIRT_CLEANUP_FREE char *url = NULL;
    VIRT_CLEANUP_JSON cJSON *node = NULL;

    QEMU_BLOCK_NET_NEED(net);
    if ((url = virStringFormat(strchr(net->server, ':') != NULL ? "%s://[%s]%s%s/%s%s%s"
                                                                : "%s://%s%s%s/%s%s%s",
                               net->protocol, net->server, net->port != NULL ? ":" : "",
                               net->port != NULL ? net->port : "", net->name + (net->name[0] == '/'),
                               query != NULL ? "?" : "", query != NULL ? query : "")) == NULL ||
        (node = virJsonObject("s:driver", net->protocol, "s:url", url, NULL)) == NULL ||
        qemuAddProperties(net->source, node, options) < 0)
        return NULL;
    return qemuTake(&node);
}

/* The key comes from the agent or the files of whoever runs QEMU: there is no password here. */
static cJSON *
qemuBlockNetSsh(const struct qemuBlockNet *net)
{
    QEMU_BLOCK_NET_NEED(net);
    return virJsonObject(
        "s:driver", "ssh", "s:path", net->name, "a:server",
        virJsonObject("s:host", net->server, "s:port", net->port != NULL ? net->port : "22", NULL),
        "S:user", virXmlString(net->source, "identity/@username"), NULL);
}

/* "volume/path/of/image" */
static cJSON *
qemuBlockNetGluster(const struct qemuBlockNet *net)
{
    const char *slash = net->name != NULL ? strchr(net->name, '/') : NULL;
    VIRT_CLEANUP_FREE char *volume = NULL;
    VIRT_CLEANUP_JSON cJSON *servers = virJsonArray();

    if (slash == NULL || net->host == NULL) {
        qemuDeviceReport(net->device, VIR_ERR_XML_ERROR,
                         "gluster needs a <host> and a name 'volume/path'");
        return NULL;
    }
    VIRT_XML_EACH(host, net->source, "host")
        if (servers == NULL || virJsonAppend(servers, qemuBlockNetAddress(net, host, "24007")) < 0)
            return NULL;
    if ((volume = virStringFormat("%.*s", (int)(slash - net->name), net->name)) == NULL)
        return NULL;
    return virJsonObject("s:driver", "gluster", "s:volume", volume, "s:path", slash + 1,
                         "a:server", qemuTake(&servers), NULL);
}

/* A number after "+" or bare, as NFS wants it; a name is refused, for it would be this host's. */
static int
qemuBlockNetId(const struct qemuBlockNet *net, const char *path, const char *key, cJSON *node)
{
    const char *text = virXmlString(net->source, path);
    unsigned long long id;

    if (text == NULL)
        return 0;
    if (virStringToULL(text + (text[0] == '+'), 10, &id) < 0)
        return qemuDeviceReport(net->device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "identity '%s' is not a number", text);
    return virJsonAdd(node, key, id, NULL);
}

static cJSON *
qemuBlockNetNfs(const struct qemuBlockNet *net)
{
    VIRT_CLEANUP_JSON cJSON *node = NULL;

    QEMU_BLOCK_NET_NEED(net);
    if ((node = virJsonObject("s:driver", "nfs", "s:path", net->name, "a:server",
                              virJsonObject("s:host", net->server, "s:type", "inet", NULL), NULL)) ==
            NULL ||
        qemuBlockNetId(net, "identity/@user", "u:user", node) < 0 ||
        qemuBlockNetId(net, "identity/@group", "u:group", node) < 0)
        return NULL;
    return qemuTake(&node);
}

/* "pool/image" or "pool/namespace/image" */
static cJSON *
qemuBlockNetRbd(const struct qemuBlockNet *net)
{
    const char *slash = net->name != NULL ? strchr(net->name, '/') : NULL;
    const char *last = net->name != NULL ? strrchr(net->name, '/') : NULL;
    VIRT_CLEANUP_FREE char *pool = NULL;
    VIRT_CLEANUP_FREE char *space = NULL;
    VIRT_CLEANUP_JSON cJSON *servers = NULL;

    if (slash == NULL) {
        qemuDeviceReport(net->device, VIR_ERR_XML_ERROR, "rbd needs a name 'pool/image'");
        return NULL;
    }
    if ((pool = virStringFormat("%.*s", (int)(slash - net->name), net->name)) == NULL ||
        (last != slash && (space = virStringFormat("%.*s", (int)(last - slash - 1), slash + 1)) == NULL))
        return NULL;
    VIRT_XML_EACH(host, net->source, "host") {
        const char *port = virXmlString(host, "@port"), *name = virXmlNeed(host, "@name");

        if (name == NULL || (servers == NULL && (servers = virJsonArray()) == NULL) ||
            virJsonAppend(servers, virJsonObject("s:host", name, "s:port", port != NULL ? port : "6789",
                                                 NULL)) < 0)
            return NULL;
    }
    return virJsonObject("s:driver", "rbd", "s:pool", pool, "S:namespace", space, "s:image", last + 1,
                         "A:server", qemuTake(&servers), "S:conf",
                         virXmlString(net->source, "config/@file"), "S:snapshot",
                         virXmlString(net->source, "snapshot/@name"), NULL);
}

static const struct { const char *name; qemuBlockNetMaker make; } qemuBlockNetProtocols[] = {
    { "nbd", qemuBlockNetNbd },   { "iscsi", qemuBlockNetIscsi },     { "http", qemuBlockNetUrl },
    { "https", qemuBlockNetUrl }, { "ftp", qemuBlockNetUrl },         { "ftps", qemuBlockNetUrl },
    { "ssh", qemuBlockNetSsh },   { "gluster", qemuBlockNetGluster }, { "nfs", qemuBlockNetNfs },
    { "rbd", qemuBlockNetRbd },
};

VIRT_INTERNAL cJSON *
qemuBlockdevNetwork(xmlNodePtr device, xmlNodePtr source)
{
    struct qemuBlockNet net = {
        .device = device, .source = source, .host = virXmlFirst(source, "host"),
        .protocol = virXmlNeed(source, "@protocol"), .name = virXmlString(source, "@name"),
    };

    if (net.protocol == NULL)
        return NULL;
    if (net.host != NULL) {
        net.server = virXmlString(net.host, "@name");
        net.port = virXmlString(net.host, "@port");
    }
    for (size_t i = 0; i < sizeof(qemuBlockNetProtocols) / sizeof(*qemuBlockNetProtocols); i++)
        if (strcmp(qemuBlockNetProtocols[i].name, net.protocol) == 0)
            return qemuBlockNetProtocols[i].make(&net);
    qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "this QEMU has no block protocol '%s'",
                     net.protocol);
    return NULL;
}

#undef QEMU_BLOCK_NET_NEED
#undef VIRT_FROM
