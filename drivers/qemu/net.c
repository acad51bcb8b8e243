/*
 * Network interfaces: a backend on the host (-netdev) and a card in the guest (-device).
 *
 * One function per type of interface makes the backend; the card is the same for all. What needs the kernel's help (tap, macvtap,
 * vhost) is opened here and handed to QEMU as descriptors, so that QEMU itself needs no privilege.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_NET_MAX_QUEUES 256

/* One interface while it is built. */
struct qemuNet {
    struct qemuCommand *command;
    xmlNodePtr node;
    struct qemuDeviceSet *set;
    char *id;                         /* of the netdev: "hostnet0" */
    bool virtio;                      /* the card's model */
    unsigned int queues;              /* at least 1; above 1 only with virtio */
};

/* The backend: adds NETDEV, and what it refers to, to the set. */
typedef int (*qemuNetBackend)(struct qemuNet *net);

/* What every backend begins with. */
static cJSON *
qemuNetObject(struct qemuNet *net, const char *type)
{
    return virJsonObject("s:type", type, "s:id", net->id, NULL);
}

/* ---------- user ---------- */

/* QEMU has no ranges: every port is a rule of its own. */
static int
qemuNetAddForward(struct qemuNet *net, xmlNodePtr forward, cJSON *rules)
{
    const char *proto = virXmlString(forward, "@proto"), *address = virXmlString(forward, "@address");
    unsigned int start, end, to;
    bool exclude = false;

    VIRT_XML_EACH(range, forward, "range") {
        start = 0;
        if (virXmlUInt(range, "@start", &start) < 0)
            return -1;
        end = to = start;
        if (virXmlUInt(range, "@end", &end) < 0 || virXmlUInt(range, "@to", &to) < 0 ||
            virXmlBool(range, "@exclude", &exclude) < 0)
            return -1;
        if (exclude || start == 0 || end < start || end > 65535)
            return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                    "QEMU's user network cannot forward ports %u to %u%s", start, end,
                                    exclude ? " by exclusion" : "");
        for (unsigned int port = start; port <= end; port++) {
            VIRT_CLEANUP_FREE char *rule =
                virStringFormat("%s:%s:%u-:%u", proto != NULL ? proto : "tcp",
                                address != NULL ? address : "", port, to + port - start);

            if (rule == NULL || virJsonAppend(rules, virJsonObject("s:str", rule, NULL)) < 0)
                return -1;
        }
    }
    return 0;
}

/* <ip>: the network that the guest finds itself in. */
static int
qemuNetAddUserAddresses(struct qemuNet *net, cJSON *netdev)
{
    VIRT_XML_EACH(ip, net->node, "ip") {
        const char *address = virXmlNeed(ip, "@address");
        bool v6 = virXmlEquals(ip, "@family", "ipv6");
        unsigned int prefix = v6 ? 64 : 24;
        VIRT_CLEANUP_FREE char *network = NULL;

        if (address == NULL || virXmlUInt(ip, "@prefix", &prefix) < 0)
            return -1;
        if (v6 ? virJsonAdd(netdev, "s:ipv6-prefix", address, "u:ipv6-prefixlen",
                            (unsigned long long)prefix, NULL) < 0
               : (network = virStringFormat("%s/%u", address, prefix)) == NULL ||
                     virJsonAdd(netdev, "s:net", network, NULL) < 0)
            return -1;
    }
    return 0;
}

/*
 * QEMU's own network for those without privileges: the guest reaches out, and only forwarded ports
 * reach in.
 */
static int
qemuNetUser(struct qemuNet *net)
{
    const char *backend = virXmlString(net->node, "backend/@type");
    VIRT_CLEANUP_JSON cJSON *netdev = qemuNetObject(net, "user");
    VIRT_CLEANUP_JSON cJSON *rules = virJsonArray();

    if (backend != NULL && strcmp(backend, "default") != 0)
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED, "backend '%s' is not supported",
                                backend);
    if (netdev == NULL || rules == NULL || qemuNetAddUserAddresses(net, netdev) < 0)
        return -1;
    VIRT_XML_EACH(forward, net->node, "portForward")
        if (qemuNetAddForward(net, forward, rules) < 0)
            return -1;
    if (cJSON_GetArraySize(rules) > 0 && virJsonAdd(netdev, "a:hostfwd", qemuTake(&rules), NULL) < 0)
        return -1;
    return qemuDeviceSetTake(net->set, QEMU_OPTION_NETDEV, &netdev);
}

/* ---------- sockets between guests ---------- */

/*
 * Guests talk to each other through a connection of their QEMUs; libvirt's four types are four members
 * of one backend.
 */
static int
qemuNetSocket(struct qemuNet *net)
{
    static const struct { const char *type, *member; bool local; } kinds[] = {
        { "client", "connect", false }, { "server", "listen", false }, { "mcast", "mcast", false }, { "udp", "udp", true },
    };
    const char *type = virXmlString(net->node, "@type"),
               *address = virXmlString(net->node, "source/@address");
    const char *port = virXmlNeed(net->node, "source/@port"), *localPort;
    VIRT_CLEANUP_FREE char *to = NULL;
    VIRT_CLEANUP_FREE char *from = NULL;
    VIRT_CLEANUP_JSON cJSON *netdev = NULL;
    size_t i = 0;

    while (strcmp(kinds[i].type, type) != 0)
        i++;
    if (port == NULL || (to = virStringFormat("%s:%s", address != NULL ? address : "", port)) == NULL ||
        (netdev = qemuNetObject(net, "socket")) == NULL)
        return -1;
    if (kinds[i].local) {
        address = virXmlString(net->node, "source/local/@address");
        if ((localPort = virXmlNeed(net->node, "source/local/@port")) == NULL ||
            (from = virStringFormat("%s:%s", address != NULL ? address : "", localPort)) == NULL ||
            virJsonAdd(netdev, "s:localaddr", from, NULL) < 0)
            return -1;
    }
    if (cJSON_AddStringToObject(netdev, kinds[i].member, to) == NULL)
        return virReportNoMemory();
    return qemuDeviceSetTake(net->set, QEMU_OPTION_NETDEV, &netdev);
}

/* ---------- tap ---------- */

/* Descriptors become the members "fd", or "fds" with colons between them, as QEMU has it. Takes them over. */
static int
qemuNetAddFds(struct qemuNet *net, cJSON *netdev, const char *one, const char *many, int *fds,
              size_t count)
{
    struct virText text = { 0 };
    VIRT_CLEANUP_FREE char *list = NULL;
    int rc = 0;

    for (size_t i = 0; i < count; i++) {
        if (qemuCommandPassFd(net->command, fds[i]) < 0)
            rc = -1;
        virTextAdd(&text, "%s%d", i > 0 ? ":" : "", fds[i]);
        fds[i] = -1;
    }
    if ((list = virTextTake(&text)) == NULL || rc < 0)
        return -1;
    return cJSON_AddStringToObject(netdev, count > 1 ? many : one, list) == NULL ? virReportNoMemory()
                                                                                 : 0;
}

/*
 * The kernel's own virtio backend, where the host has it and the card is virtio. It must be opened here: QEMU, told to
 * use a vhost that is not there, ends itself by an assertion.
 */
static int
qemuNetAddVhost(struct qemuNet *net, cJSON *netdev)
{
    const char *name = virXmlString(net->node, "driver/@name"),
               *path = virXmlString(net->node, "backend/@vhost");
    int fds[QEMU_NET_MAX_QUEUES];
    size_t count = 0;

    if (name != NULL && strcmp(name, "vhost") != 0 && strcmp(name, "qemu") != 0)
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "driver name '%s' is not supported", name);
    if (!net->virtio || (name != NULL && strcmp(name, "qemu") == 0) || net->command->dry)
        return 0;
    for (; count < net->queues; count++) {
        fds[count] = open(path != NULL ? path : "/dev/vhost-net", O_RDWR | O_CLOEXEC);
        if (fds[count] < 0)
            break;
    }
    if (count < net->queues) {
        int saved = errno;

        while (count > 0)
            close(fds[--count]);
        return name == NULL ? 0
                            : qemuDeviceReportSystem(net->node, saved,
                                                     "vhost was asked for, but cannot be opened");
    }
    if (virJsonAdd(netdev, "b:vhost", 1, NULL) < 0) {
        while (count > 0)
            close(fds[--count]);
        return -1;
    }
    return qemuNetAddFds(net, netdev, "vhostfd", "vhostfds", fds, count);
}

/* Adds the tap netdev for open queues; takes them over. */
static int
qemuNetAddTap(struct qemuNet *net, int *fds)
{
    static const struct qemuProperty tune[] = { { QEMU_PROPERTY_NUMBER, "tune/sndbuf", "sndbuf" }, { 0, NULL, NULL } };
    VIRT_CLEANUP_JSON cJSON *netdev = qemuNetObject(net, "tap");
    int rc = netdev == NULL ? -1 : 0;

    if (net->command->dry) {
        if (rc == 0)
            rc = virJsonAdd(netdev, "s:fd", "0", NULL);
    } else if (rc == 0) {
        rc = qemuNetAddFds(net, netdev, "fd", "fds", fds, net->queues);
    } else {
        for (size_t i = 0; i < net->queues; i++)
            close(fds[i]);
    }
    if (rc < 0 || qemuAddProperties(net->node, netdev, tune) < 0 || qemuNetAddVhost(net, netdev) < 0)
        return -1;
    return qemuDeviceSetTake(net->set, QEMU_OPTION_NETDEV, &netdev);
}

/* The name that the document wants for the host's end; names of our own pattern are made anew each time. */
static const char *
qemuNetTarget(struct qemuNet *net, const char *pattern)
{
    const char *name = virXmlString(net->node, "target/@dev");

    return name == NULL || strncmp(name, pattern, strlen(pattern)) == 0 ? NULL : name;
}

/* The host's end has the guest's address with the first byte fe: high, so that a bridge never takes it for its own. */
static int
qemuNetHostMac(struct qemuNet *net, unsigned char *mac)
{
    const char *text = virXmlNeed(net->node, "mac/@address");

    if (text == NULL || qemuParseMac(text, mac) < 0)
        return text == NULL
                   ? -1
                   : qemuDeviceReport(net->node, VIR_ERR_XML_ERROR, "'%s' is not a MAC address", text);
    mac[0] = 0xfe;
    return 0;
}

/* A cable that is plugged in is the rule. */
static bool
qemuNetLinkIsUp(struct qemuNet *net)
{
    return !virXmlEquals(net->node, "link/@state", "down");
}

/* The link joins the bridge before it comes up, so that it never is a network of its own. */
static int
qemuNetBridge(struct qemuNet *net)
{
    const char *bridge = virXmlNeed(net->node, "source/@bridge"), *wanted = qemuNetTarget(net, "vnet");
    const char *port = virXmlString(net->node, "virtualport/@type");
    VIRT_CLEANUP_FREE char *name = NULL;
    int fds[QEMU_NET_MAX_QUEUES];
    unsigned char mac[6];
    unsigned int mtu = 0;

    if (bridge == NULL || qemuNetHostMac(net, mac) < 0 || virXmlUInt(net->node, "mtu/@size", &mtu) < 0)
        return -1;
    if (port != NULL)
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "virtualport type '%s' is not supported", port);
    if (net->command->dry)
        return qemuNetAddTap(net, fds);
    if ((name = virStringCopy(wanted != NULL ? wanted : "vnet%d")) == NULL ||
        qemuTapOpen(net->node, &name, true, net->queues, fds) < 0)
        return -1;
    if (qemuLinkSetup(net->node, name, mac, mtu, false) < 0 ||
        qemuLinkAddToBridge(net->node, name, bridge) < 0 ||
        qemuLinkSetup(net->node, name, NULL, 0, qemuNetLinkIsUp(net)) < 0 ||
        virXmlSet(net->node, "target/@dev", "%s", name) < 0) {
        for (size_t i = 0; i < net->queues; i++)
            close(fds[i]);
        return -1;
    }
    return qemuNetAddTap(net, fds);
}

/* A script gets the new device's name, and does with it what it likes. */
static int
qemuNetRunScript(struct qemuNet *net, const char *script, const char *name)
{
    VIRT_CLEANUP_FREE char *errors = NULL;
    int status = virProcessRun((const char *const[]){ script, name, NULL }, NULL, NULL, NULL, &errors,
                               1024, 30000);

    if (status > 0)
        return qemuDeviceReport(net->node, VIR_ERR_OPERATION_FAILED, "script '%s' failed: %s", script,
                                errors != NULL ? errors : "");
    return status;
}

/*
 * A tap device and nothing else: whoever asks for it routes or bridges as he likes, by a script, or by
 * having made the device himself (managed='no').
 */
static int
qemuNetEthernet(struct qemuNet *net)
{
    const char *wanted = qemuNetTarget(net, "vnet"), *script = virXmlString(net->node, "script/@path");
    VIRT_CLEANUP_FREE char *name = NULL;
    int fds[QEMU_NET_MAX_QUEUES];
    unsigned char mac[6];
    unsigned int mtu = 0;
    bool managed = true;

    if (virXmlBool(net->node, "target/@managed", &managed) < 0 || qemuNetHostMac(net, mac) < 0 ||
        virXmlUInt(net->node, "mtu/@size", &mtu) < 0)
        return -1;
    if (!managed && wanted == NULL)
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "managed='no' needs the name of a device that exists");
    if (net->command->dry)
        return qemuNetAddTap(net, fds);
    if ((name = virStringCopy(wanted != NULL ? wanted : "vnet%d")) == NULL ||
        qemuTapOpen(net->node, &name, managed, net->queues, fds) < 0)
        return -1;
    if ((managed &&
         qemuLinkSetup(net->node, name, mac, mtu, script == NULL && qemuNetLinkIsUp(net)) < 0) ||
        (script != NULL && qemuNetRunScript(net, script, name) < 0) ||
        virXmlSet(net->node, "target/@dev", "%s", name) < 0) {
        for (size_t i = 0; i < net->queues; i++)
            close(fds[i]);
        return -1;
    }
    return qemuNetAddTap(net, fds);
}

/* ---------- macvtap ---------- */

/*
 * A link of the guest's own on a card of the host, without a bridge. The guest's address is the
 * link's.
 */
static int
qemuNetDirect(struct qemuNet *net)
{
    static const char *const modes[] = { "vepa", "bridge", "private", "passthrough", NULL };
    const char *lower = virXmlNeed(net->node, "source/@dev"), *wanted = qemuNetTarget(net, "macvtap");
    const char *text = virXmlNeed(net->node, "mac/@address"),
               *port = virXmlString(net->node, "virtualport/@type");
    VIRT_CLEANUP_FREE char *name = NULL;
    int fds[QEMU_NET_MAX_QUEUES], mode = 0;
    unsigned char mac[6];

    if (lower == NULL || text == NULL || virXmlEnum(net->node, "source/@mode", modes, &mode) < 0)
        return -1;
    if (port != NULL)
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "virtualport type '%s' is not supported", port);
    if (qemuParseMac(text, mac) < 0)
        return qemuDeviceReport(net->node, VIR_ERR_XML_ERROR, "'%s' is not a MAC address", text);
    if (net->command->dry)
        return qemuNetAddTap(net, fds);
    if ((name = virStringCopy(wanted != NULL ? wanted : "macvtap%d")) == NULL ||
        qemuMacvtapOpen(net->node, lower, modes[mode], mac, &name, net->queues, fds) < 0)
        return -1;
    if (virXmlSet(net->node, "target/@dev", "%s", name) < 0) {
        for (size_t i = 0; i < net->queues; i++)
            close(fds[i]);
        qemuLinkDelete(name);
        return -1;
    }
    if (qemuNetAddTap(net, fds) < 0) {
        qemuLinkDelete(name);
        return -1;
    }
    return 0;
}

/*
 * A macvtap link, unlike a tap, does not go with its last descriptor. The name alone does not make it ours (a start may have failed
 * because somebody else has a link of that name); the guest's own address does.
 */
VIRT_INTERNAL void
qemuNetRelease(xmlNodePtr device)
{
    const char *name =
        virXmlEquals(device, "@type", "direct") ? virXmlString(device, "target/@dev") : NULL;
    const char *text = virXmlString(device, "mac/@address");
    unsigned char mac[6];

    if (name != NULL && text != NULL && qemuParseMac(text, mac) == 0 && qemuLinkHasMac(name, mac))
        qemuLinkDelete(name);
}

/* ---------- vhost-user, vdpa ---------- */

/*
 * Another process is the network: it reads the guest's memory, which must be shared for that, and
 * speaks over a Unix socket.
 */
static int
qemuNetVhostUser(struct qemuNet *net)
{
    static const char *const modes[] = { "server", "client", NULL };
    xmlNodePtr source = virXmlFirst(net->node, "source");
    const char *path;
    VIRT_CLEANUP_FREE char *chardev = qemuDeviceId(net->node, "char");
    unsigned int reconnect = 0;
    int mode = 1;

    if (source == NULL || (path = virXmlNeed(source, "@path")) == NULL)
        return source != NULL ? -1
                              : qemuDeviceReport(net->node, VIR_ERR_XML_ERROR,
                                                 "a vhostuser interface needs a <source>");
    if (!virXmlEquals(source, "@type", "unix"))
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED, "type='vhostuser' needs <source type='unix'>");
    if (!net->virtio)
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "type='vhostuser' needs a virtio model");
    if (chardev == NULL || virXmlEnum(source, "@mode", modes, &mode) < 0 ||
        qemuReadReconnect(source, &reconnect) < 0 ||
        qemuChardevAddUnix(net->set, chardev, path, mode == 0, reconnect) < 0)
        return -1;
    return qemuDeviceSetAdd(
        net->set, QEMU_OPTION_NETDEV,
        virJsonObject("s:type", "vhost-user", "s:id", net->id, "s:chardev", chardev, "U:queues",
                      net->queues > 1 ? (unsigned long long)net->queues : 0ULL, NULL));
}

/* A card of the host that speaks virtio by itself. */
static int
qemuNetVdpa(struct qemuNet *net)
{
    const char *path = virXmlNeed(net->node, "source/@dev");
    unsigned long long queues = net->queues > 1 ? net->queues : 0;

    return path == NULL ? -1
                        : qemuDeviceSetAdd(net->set, QEMU_OPTION_NETDEV,
                                           virJsonObject("s:type", "vhost-vdpa", "s:id", net->id,
                                                         "s:vhostdev", path, "U:queues", queues, NULL));
}

/* ---------- the card ---------- */

static const struct qemuProperty qemuNetCard[] = {
    { QEMU_PROPERTY_STRING, "mac/@address", "mac" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuNetVirtio[] = {
    { QEMU_PROPERTY_NUMBER, "mtu/@size",               "host_mtu" },
    { QEMU_PROPERTY_NUMBER, "driver/@rx_queue_size",   "rx_queue_size" },
    { QEMU_PROPERTY_NUMBER, "driver/@tx_queue_size",   "tx_queue_size" },
    { QEMU_PROPERTY_BOOL,   "driver/@ioeventfd",       "ioeventfd" },
    { QEMU_PROPERTY_BOOL,   "driver/@event_idx",       "event_idx" },
    { QEMU_PROPERTY_BOOL,   "driver/@rss",             "rss" },
    { QEMU_PROPERTY_BOOL,   "driver/@rss_hash_report", "hash" },
    { QEMU_PROPERTY_BOOL,   "driver/host/@csum",       "csum" },
    { QEMU_PROPERTY_BOOL,   "driver/host/@gso",        "gso" },
    { QEMU_PROPERTY_BOOL,   "driver/host/@tso4",       "host_tso4" },
    { QEMU_PROPERTY_BOOL,   "driver/host/@tso6",       "host_tso6" },
    { QEMU_PROPERTY_BOOL,   "driver/host/@ecn",        "host_ecn" },
    { QEMU_PROPERTY_BOOL,   "driver/host/@ufo",        "host_ufo" },
    { QEMU_PROPERTY_BOOL,   "driver/host/@mrg_rxbuf",  "mrg_rxbuf" },
    { QEMU_PROPERTY_BOOL,   "driver/guest/@csum",      "guest_csum" },
    { QEMU_PROPERTY_BOOL,   "driver/guest/@tso4",      "guest_tso4" },
    { QEMU_PROPERTY_BOOL,   "driver/guest/@tso6",      "guest_tso6" },
    { QEMU_PROPERTY_BOOL,   "driver/guest/@ecn",       "guest_ecn" },
    { QEMU_PROPERTY_BOOL,   "driver/guest/@ufo",       "guest_ufo" },
    { 0, NULL, NULL },
};

/*
 * Offloads are what a virtio card leaves to the host; they can be switched off one by one. "iothread"
 * is libvirt's word for sending in a bottom half.
 */
static int
qemuNetAddVirtio(struct qemuNet *net, cJSON *object)
{
    static const char *const modes[] = { "iothread", "timer", NULL };
    int mode = -1;

    if (virXmlEnum(net->node, "driver/@txmode", modes, &mode) < 0 ||
        qemuAddProperties(net->node, object, qemuNetVirtio) < 0 ||
        virJsonAdd(object, "S:tx", mode < 0 ? NULL : mode == 0 ? "bh" : "timer", NULL) < 0)
        return -1;
    if (virXmlEquals(net->node, "teaming/@type", "persistent") &&
        virJsonAdd(object, "b:failover", 1, NULL) < 0)
        return -1;
    /* one vector for each direction of each queue, one for control, one for configuration */
    if (net->queues > 1 &&
        virJsonAdd(object, "b:mq", 1, "u:vectors", 2ULL * net->queues + 2, NULL) < 0)
        return -1;
    return 0;
}

/*
 * Any card that QEMU has can be named; QEMU is asked whether it has it, so that a wrong name is an
 * error of ours, which says for which interface.
 */
static int
qemuNetAddCard(struct qemuNet *net)
{
    const char *model = virXmlNeed(net->node, "model/@type");
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (model == NULL)
        return -1;
    if (!net->virtio && !qemuCapabilitiesHasDevice(net->command->caps, model))
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "this QEMU has no network card '%s'", model);
    object = net->virtio ? qemuVirtioObject(net->command, net->node, "virtio-net", true) :
             qemuDeviceObject(net->command, net->node, model, true);
    if (object == NULL || virJsonAdd(object, "s:netdev", net->id, NULL) < 0 ||
        qemuAddProperties(net->node, object, qemuNetCard) < 0 || qemuAddRom(net->node, object) < 0 ||
        (net->virtio && qemuNetAddVirtio(net, object) < 0))
        return -1;
    return qemuDeviceSetTake(net->set, QEMU_OPTION_DEVICE, &object);
}

/* A cable that is unplugged at the start: only the monitor can pull it. */
static int
qemuNetAddLink(struct qemuNet *net)
{
    if (qemuNetLinkIsUp(net) || net->command->dry)
        return 0;
    return qemuCommandAddQmp(net->command, "set_link",
                             virJsonObject("s:name", qemuDeviceAlias(net->node), "b:up", 0, NULL));
}

static const struct { const char *type; qemuNetBackend backend; bool queues; } qemuNetTypes[] = {
    { "user",      qemuNetUser,      false }, { "bridge", qemuNetBridge, true },  { "ethernet", qemuNetEthernet, true },
    { "direct",    qemuNetDirect,    true },  { "client", qemuNetSocket, false }, { "server",   qemuNetSocket,   false },
    { "mcast",     qemuNetSocket,    false }, { "udp",    qemuNetSocket, false }, { "vdpa",     qemuNetVdpa,     true },
    { "vhostuser", qemuNetVhostUser, true },
};

/* Other cards than virtio's have one queue, and the attribute is without effect on them. */
static int
qemuNetReadQueues(struct qemuNet *net, const char *type, bool allowed)
{
    net->queues = 1;
    if (!net->virtio)
        return 0;
    if (virXmlUInt(net->node, "driver/@queues", &net->queues) < 0)
        return -1;
    if (net->queues == 0 || net->queues > QEMU_NET_MAX_QUEUES || (net->queues > 1 && !allowed))
        return qemuDeviceReport(net->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "%u queues are not possible with type='%s'", net->queues, type);
    return 0;
}

/* The netdev must be there before the card; the cable is pulled, if it is to be, when both are. */
VIRT_INTERNAL int
qemuBuildInterface(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *type = virXmlNeed(device, "@type"), *model = virXmlString(device, "model/@type");
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "host");
    struct qemuNet net = { .command = command, .node = device, .set = set, .id = id };

    if (type == NULL || id == NULL)
        return -1;
    if (strcmp(type, "hostdev") == 0)
        return qemuBuildHostdev(command, device, set);
    if (strcmp(type, "network") == 0)
        return qemuDeviceReport(
            device, VIR_ERR_CONFIG_UNSUPPORTED,
            "network '%s': virtual networks are not supported; use type='bridge' or type='user'",
            virXmlString(device, "source/@network"));
    net.virtio = model != NULL && strncmp(model, "virtio", 6) == 0;
    for (size_t i = 0; i < sizeof(qemuNetTypes) / sizeof(*qemuNetTypes); i++)
        if (strcmp(qemuNetTypes[i].type, type) == 0)
            return qemuNetReadQueues(&net, type, qemuNetTypes[i].queues) < 0 ||
                           qemuNetTypes[i].backend(&net) < 0 || qemuNetAddCard(&net) < 0 ||
                           qemuNetAddLink(&net) < 0
                       ? -1
                       : 0;
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "type='%s' is not supported by QEMU",
                            type);
}

#undef QEMU_NET_MAX_QUEUES
#undef VIRT_FROM
