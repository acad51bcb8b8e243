/*
 * Network links of the host: tap devices, bridges and macvtap, by ioctl and netlink.
 *
 * All of it needs CAP_NET_ADMIN. An error says which link could not be made or changed, and why the kernel refused.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>

#define VIRT_FROM VIR_FROM_QEMU

VIRT_INTERNAL int
qemuParseMac(const char *text, unsigned char *mac)
{
    unsigned int part[6];
    int end = 0;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1], &part[2], &part[3], &part[4],
               &part[5], &end) != 6 ||
        text[end] != '\0')
        return -1;
    for (int i = 0; i < 6; i++)
        mac[i] = (unsigned char)part[i];
    return 0;
}

static void
qemuLinkCloseAll(int *fds, size_t count)
{
    while (count > 0)
        close(fds[--count]);
}

/* ---------- tap ---------- */

/*
 * Each queue of a tap device is a descriptor of its own, got by opening the control device and asking
 * for the name again. The kernel completes a pattern ("vnet%d") and says what it has made of it. The
 * header between QEMU and the kernel is virtio's with the count of buffers; the kernel keeps the size
 * for all queues.
 */
static int
qemuTapOpenQueue(xmlNodePtr device, char **name, bool fresh, bool multi)
{
    struct ifreq request = { 0 };
    VIRT_CLEANUP_CLOSE int fd = -1;
    int result;
    unsigned int header = 12;         /* virtio's, with the number of buffers */

    if (strlen(*name) >= IFNAMSIZ)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR,
                                "the name '%s' is too long for a network device", *name);
    if (!fresh && if_nametoindex(*name) == 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "there is no network device '%s'",
                                *name);
    if ((fd = qemuOpenFor(device, "/dev/net/tun", O_RDWR | O_NONBLOCK)) < 0)
        return -1;
    request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi ? IFF_MULTI_QUEUE : 0));
    strcpy(request.ifr_name, *name);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        return qemuDeviceReportSystem(device, errno, "cannot %s the tap device '%s'",
                                      fresh ? "create" : "open", *name);
    ioctl(fd, TUNSETVNETHDRSZ, &header);
    if (strcmp(*name, request.ifr_name) != 0) {
        char *copy = virStringCopy(request.ifr_name);

        if (copy == NULL)
            return -1;
        free(*name);
        *name = copy;
    }
    result = fd;
    fd = -1;
    return result;
}

/*
 * Only the first queue makes the device; it vanishes when the last descriptor is closed, so nothing is
 * left behind when this fails, or when the guest ends.
 */
VIRT_INTERNAL int
qemuTapOpen(xmlNodePtr device, char **name, bool fresh, size_t count, int *fds)
{
    for (size_t i = 0; i < count; i++)
        if ((fds[i] = qemuTapOpenQueue(device, name, fresh && i == 0, count > 1)) < 0) {
            qemuLinkCloseAll(fds, i);
            return -1;
        }
    return 0;
}

/* One request about a link, on a socket that serves only for asking. */
static int
qemuLinkIoctl(const char *name, unsigned long code, struct ifreq *request)
{
    VIRT_CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    snprintf(request->ifr_name, IFNAMSIZ, "%.15s", name);
    return ioctl(fd, code, request);
}

/* Before the link is up nobody can see it: that is why the address and the MTU come first. */
VIRT_INTERNAL int
qemuLinkSetup(xmlNodePtr device, const char *name, const unsigned char *mac, unsigned int mtu, bool up)
{
    struct ifreq request = { 0 };

    if (mac != NULL) {
        request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        memcpy(request.ifr_hwaddr.sa_data, mac, 6);
        if (qemuLinkIoctl(name, SIOCSIFHWADDR, &request) < 0)
            return qemuDeviceReportSystem(device, errno, "cannot set the MAC address of '%s'", name);
    }
    if (mtu > 0) {
        request.ifr_mtu = (int)mtu;
        if (qemuLinkIoctl(name, SIOCSIFMTU, &request) < 0)
            return qemuDeviceReportSystem(device, errno, "cannot set the MTU of '%s' to %u", name, mtu);
    }
    if (!up)
        return 0;
    if (qemuLinkIoctl(name, SIOCGIFFLAGS, &request) < 0)
        return qemuDeviceReportSystem(device, errno, "cannot read the state of '%s'", name);
    request.ifr_flags |= IFF_UP;
    if (qemuLinkIoctl(name, SIOCSIFFLAGS, &request) < 0)
        return qemuDeviceReportSystem(device, errno, "cannot bring up '%s'", name);
    return 0;
}

/* The sign by which a link is known as ours. */
VIRT_INTERNAL bool
qemuLinkHasMac(const char *name, const unsigned char *mac)
{
    struct ifreq request = { 0 };

    return qemuLinkIoctl(name, SIOCGIFHWADDR, &request) == 0 &&
           memcmp(request.ifr_hwaddr.sa_data, mac, 6) == 0;
}

VIRT_INTERNAL int
qemuLinkAddToBridge(xmlNodePtr device, const char *name, const char *bridge)
{
    struct ifreq request = { 0 };

    request.ifr_ifindex = (int)if_nametoindex(name);
    if (request.ifr_ifindex == 0 || qemuLinkIoctl(bridge, SIOCBRADDIF, &request) < 0)
        return qemuDeviceReportSystem(device, errno, "cannot add '%s' to the bridge '%s'", name, bridge);
    return 0;
}

/* ---------- netlink ---------- */

struct qemuNetlink {
    struct nlmsghdr header;
    struct ifinfomsg info;
    char attributes[512];
};

/* Attributes are appended in order; a nest is closed by writing its length. The messages here always fit. */
static struct rtattr *
qemuNetlinkAdd(struct qemuNetlink *message, int type, const void *data, size_t length)
{
    struct rtattr *attr = (void *)((char *)message + NLMSG_ALIGN(message->header.nlmsg_len));

    attr->rta_type = (unsigned short)type;
    attr->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length > 0)
        memcpy(RTA_DATA(attr), data, length);
    message->header.nlmsg_len =
        (unsigned int)(NLMSG_ALIGN(message->header.nlmsg_len) + RTA_ALIGN(attr->rta_len));
    return attr;
}

/* The length of a nest is known only when all within it is there. */
static void
qemuNetlinkEnd(struct qemuNetlink *message, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)message + message->header.nlmsg_len - (char *)nest);
}

/* Sends the request and waits for the kernel's acknowledgement: 0, or -1 with errno. */
static int
qemuNetlinkCall(struct qemuNetlink *message)
{
    struct { struct nlmsghdr header; struct nlmsgerr error; char rest[1024]; } reply;
    VIRT_CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    message->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (fd < 0 || send(fd, message, message->header.nlmsg_len, 0) < 0 ||
        recv(fd, &reply, sizeof(reply), 0) < 0)
        return -1;
    if (reply.header.nlmsg_type == NLMSG_ERROR && reply.error.error != 0) {
        errno = -reply.error.error;
        return -1;
    }
    return 0;
}

/* Equivalent to: ip link add link LOWER name NAME address MAC type macvtap mode MODE */
static int
qemuMacvtapCreate(const char *name, unsigned int lower, unsigned int mode, const unsigned char *mac)
{
    struct qemuNetlink message = { .header = {
        .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_NEWLINK,
        .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL,
    } };
    struct rtattr *info, *data;

    qemuNetlinkAdd(&message, IFLA_LINK, &lower, sizeof(lower));
    qemuNetlinkAdd(&message, IFLA_IFNAME, name, strlen(name) + 1);
    qemuNetlinkAdd(&message, IFLA_ADDRESS, mac, 6);
    info = qemuNetlinkAdd(&message, IFLA_LINKINFO, NULL, 0);
    qemuNetlinkAdd(&message, IFLA_INFO_KIND, "macvtap", 7);
    data = qemuNetlinkAdd(&message, IFLA_INFO_DATA, NULL, 0);
    qemuNetlinkAdd(&message, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
    qemuNetlinkEnd(&message, data);
    qemuNetlinkEnd(&message, info);
    return qemuNetlinkCall(&message);
}

/* Part of giving back: a failure is logged, for there is nobody who could do better. */
VIRT_INTERNAL void
qemuLinkDelete(const char *name)
{
    struct qemuNetlink message = { .header = {
        .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_DELLINK,
    } };

    message.info.ifi_index = (int)if_nametoindex(name);
    if (message.info.ifi_index != 0 && qemuNetlinkCall(&message) < 0)
        virLog(VIR_LOG_WARN, "qemu.net", "cannot delete the link '%s': %s", name, strerror(errno));
}

/* ---------- macvtap ---------- */

/* Each link's character device is /dev/tapN, N its index. */
static int
qemuMacvtapOpenQueues(xmlNodePtr device, const char *name, size_t count, int *fds)
{
    char path[32];
    struct ifreq request = { 0 };

    snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex(name));
    request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (count > 1 ? IFF_MULTI_QUEUE : 0));
    for (size_t i = 0; i < count; i++) {
        if ((fds[i] = qemuOpenFor(device, path, O_RDWR | O_NONBLOCK)) < 0) {
            qemuLinkCloseAll(fds, i);
            return -1;
        }
        if (ioctl(fds[i], TUNSETIFF, &request) < 0) {
            int saved = errno;

            qemuLinkCloseAll(fds, i + 1);
            return qemuDeviceReportSystem(device, saved, "cannot set up '%s'", path);
        }
    }
    return 0;
}

/* The first free name for a pattern. Another process may take it meanwhile; the kernel then says EEXIST, and the next is tried. */
static int
qemuMacvtapCreateNamed(xmlNodePtr device, char **name, unsigned int lower, unsigned int mode,
                       const unsigned char *mac)
{
    bool pattern = strchr(*name, '%') != NULL;
    char candidate[IFNAMSIZ];

    for (unsigned int i = 0; i < 8192; i++) {
        if (pattern)
            snprintf(candidate, sizeof(candidate), "macvtap%u", i);
        else
            snprintf(candidate, sizeof(candidate), "%s", *name);
        if (qemuMacvtapCreate(candidate, lower, mode, mac) == 0) {
            char *copy = virStringCopy(candidate);

            if (copy == NULL) {
                qemuLinkDelete(candidate);
                return -1;
            }
            free(*name);
            *name = copy;
            return 0;
        }
        if (!pattern || errno != EEXIST)
            return qemuDeviceReportSystem(device, errno, "cannot create the macvtap device '%s'",
                                          candidate);
    }
    return qemuDeviceReport(device, VIR_ERR_OPERATION_FAILED, "all names for macvtap devices are taken");
}

/* From here on the link exists, and goes again if anything later fails. */
VIRT_INTERNAL int
qemuMacvtapOpen(xmlNodePtr device, const char *lower, const char *mode, const unsigned char *mac,
                char **name, size_t count, int *fds)
{
    static const struct { const char *name; unsigned int mode; } modes[] = {
        { "vepa", MACVLAN_MODE_VEPA },       { "bridge", MACVLAN_MODE_BRIDGE },
        { "private", MACVLAN_MODE_PRIVATE }, { "passthrough", MACVLAN_MODE_PASSTHRU },
    };
    unsigned int index = if_nametoindex(lower);
    size_t i = 0;

    if (index == 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "there is no network device '%s'",
                                lower);
    if (strlen(*name) >= IFNAMSIZ)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR,
                                "the name '%s' is too long for a network device", *name);
    while (strcmp(modes[i].name, mode) != 0)
        i++;
    if (qemuMacvtapCreateNamed(device, name, index, modes[i].mode, mac) < 0)
        return -1;
    if (qemuLinkSetup(device, *name, NULL, 0, true) < 0 ||
        qemuMacvtapOpenQueues(device, *name, count, fds) < 0) {
        qemuLinkDelete(*name);
        return -1;
    }
    return 0;
}

#undef VIRT_FROM
