/*
 * Devices of the host handed to the guest: USB, PCI and mediated devices by VFIO, SCSI.
 */
#include "blockdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* NULL, so that the makers below can return it. */
static cJSON *
qemuHostdevNeedSource(xmlNodePtr device)
{
    qemuDeviceReport(device, VIR_ERR_XML_ERROR, "its <source> does not name a device");
    return NULL;
}

/* ---------- USB ---------- */

/*
 * By place (bus and device), or by kind (vendor and product): then QEMU takes the first that fits,
 * also one that is plugged in later.
 */
static cJSON *
qemuHostdevUsb(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr source)
{
    static const struct qemuProperty properties[] = {
        { QEMU_PROPERTY_NUMBER, "address/@bus",    "hostbus" },
        { QEMU_PROPERTY_NUMBER, "address/@device", "hostaddr" },
        { QEMU_PROPERTY_NUMBER, "vendor/@id",      "vendorid" },
        { QEMU_PROPERTY_NUMBER, "product/@id",     "productid" },
        { 0, NULL, NULL },
    };
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (virXmlFirst(source, "address") == NULL && virXmlFirst(source, "vendor") == NULL)
        return qemuHostdevNeedSource(device);
    if ((object = qemuDeviceObject(command, device, "usb-host", true)) == NULL ||
        qemuAddProperties(source, object, properties) < 0)
        return NULL;
    return qemuTake(&object);
}

/* ---------- PCI ---------- */

static int
qemuHostdevWrite(const char *path, const char *text)
{
    VIRT_CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* Whether the host's driver of the device is vfio-pci. */
static bool
qemuHostdevIsVfio(const char *address)
{
    char link[128], path[128];
    ssize_t length;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
    if ((length = readlink(path, link, sizeof(link) - 1)) < 0)
        return false;
    link[length] = '\0';
    return strcmp(strrchr(link, '/') != NULL ? strrchr(link, '/') + 1 : link, "vfio-pci") == 0;
}

/* Gives the device to this driver, or to the host's own when driver is empty. It may have had none. */
static int
qemuHostdevBind(const char *address, const char *driver)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", address);
    if (qemuHostdevWrite(path, *driver != '\0' ? driver : "\n") < 0)
        return -1;
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", address);
    qemuHostdevWrite(path, address);
    return qemuHostdevWrite("/sys/bus/pci/drivers_probe", address);
}

/*
 * A device must be in the hands of VFIO before QEMU can open it. managed='yes' allows taking it from
 * the host's driver.
 */
static int
qemuHostdevPrepare(xmlNodePtr device, const char *address, bool managed)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
    if (access(path, F_OK) < 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "the host has no PCI device %s",
                                address);
    if (qemuHostdevIsVfio(address))
        return 0;
    if (!managed)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "PCI device %s is not bound to vfio-pci, and managed='yes' is not set",
                                address);
    if (qemuHostdevBind(address, "vfio-pci") < 0)
        return qemuDeviceReportSystem(device, errno, "cannot hand PCI device %s to vfio-pci", address);
    if (!qemuHostdevIsVfio(address))
        return qemuDeviceReport(device, VIR_ERR_OPERATION_FAILED,
                                "vfio-pci does not take PCI device %s", address);
    return 0;
}

/* A managed device goes back to the host's driver. */
VIRT_INTERNAL void
qemuHostdevRelease(xmlNodePtr device)
{
    xmlNodePtr address = virXmlFind(device, "source/address");
    VIRT_CLEANUP_FREE char *text = NULL;

    if (!virXmlEquals(device, "@type", "pci") || !virXmlEquals(device, "@managed", "yes") ||
        address == NULL || (text = qemuPciAddressText(address)) == NULL || !qemuHostdevIsVfio(text))
        return;
    if (qemuHostdevBind(text, "") < 0)
        virLog(VIR_LOG_WARN, "qemu.hostdev", "cannot give PCI device %s back to the host: %s", text,
               strerror(errno));
}

/*
 * A device that is to stand in for a virtio card, which takes over during migrations, names that
 * card's alias.
 */
static cJSON *
qemuHostdevPci(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr source)
{
    const char *driver = virXmlString(device, "driver/@name"), *pair;
    xmlNodePtr address = virXmlFirst(source, "address");
    bool managed = false;
    VIRT_CLEANUP_FREE char *host = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (address == NULL)
        return qemuHostdevNeedSource(device);
    if (driver != NULL && strcmp(driver, "vfio") != 0) {
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "driver '%s' is not supported", driver);
        return NULL;
    }
    if ((host = qemuPciAddressText(address)) == NULL || virXmlBool(device, "@managed", &managed) < 0 ||
        (!command->dry && qemuHostdevPrepare(device, host, managed) < 0) ||
        (object = qemuDeviceObject(command, device, "vfio-pci", true)) == NULL ||
        virJsonAdd(object, "s:host", host, NULL) < 0 || qemuAddRom(device, object) < 0)
        return NULL;
    if (virXmlEquals(device, "teaming/@type", "transient") &&
        ((pair = virXmlNeed(device, "teaming/@persistent")) == NULL ||
         virJsonAdd(object, "s:failover_pair_id", pair, NULL) < 0))
        return NULL;
    return qemuTake(&object);
}

/* ---------- mediated devices ---------- */

/* Part of a device, made by the host's administrator beforehand. */
static cJSON *
qemuHostdevMdev(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr source)
{
    static const struct qemuProperty properties[] = {
        { QEMU_PROPERTY_SWITCH, "@display", "display" },
        { QEMU_PROPERTY_BOOL,   "@ramfb",   "ramfb" },
        { 0, NULL, NULL },
    };
    const char *model = virXmlNeed(device, "@model"), *uuid = virXmlNeed(source, "address/@uuid");
    bool ramfb = false;
    VIRT_CLEANUP_FREE char *path = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (model == NULL || uuid == NULL ||
        (path = virStringFormat("/sys/bus/mdev/devices/%s", uuid)) == NULL)
        return NULL;
    if (!command->dry && access(path, F_OK) < 0) {
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "the host has no mediated device %s", uuid);
        return NULL;
    }
    if (virXmlBool(device, "@ramfb", &ramfb) < 0 ||
        (object = qemuDeviceObject(command, device, ramfb ? "vfio-pci-nohotplug" : model, true)) ==
            NULL ||
        virJsonAdd(object, "s:sysfsdev", path, NULL) < 0 ||
        qemuAddProperties(device, object, properties) < 0)
        return NULL;
    return qemuTake(&object);
}

/* ---------- SCSI ---------- */

/* The directory has one entry: the unit's name as a generic device. */
static int
qemuHostdevFirstName(const char *name, void *opaque)
{
    char *found = opaque;

    snprintf(found, 64, "%s", name);
    return 1;
}

/* The node that passes commands through: /dev/sgN of a unit of a host adapter, or an iSCSI unit. */
static cJSON *
qemuHostdevScsiNode(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr source)
{
    const char *adapter = virXmlString(source, "adapter/@name");
    unsigned int place[4] = { 0, 0, 0, 0 };
    char name[64] = "";
    VIRT_CLEANUP_FREE char *directory = NULL;
    VIRT_CLEANUP_FREE char *path = NULL;

    if (virXmlString(source, "@protocol") != NULL) {
        if (virXmlFirst(source, "auth") != NULL) {
            qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                             "<auth> needs secrets, which are not supported");
            return NULL;
        }
        return qemuBlockdevNetwork(device, source);
    }
    if (adapter == NULL || sscanf(adapter, "scsi_host%u", &place[0]) != 1)
        return qemuHostdevNeedSource(device);
    if (virXmlUInt(source, "address/@bus", &place[1]) < 0 ||
        virXmlUInt(source, "address/@target", &place[2]) < 0 ||
        virXmlUInt(source, "address/@unit", &place[3]) < 0 ||
        (directory = virStringFormat("/sys/bus/scsi/devices/%u:%u:%u:%u/scsi_generic", place[0],
                                     place[1], place[2], place[3])) == NULL)
        return NULL;
    if (!command->dry &&
        (access(directory, F_OK) < 0 || virFileEach(directory, qemuHostdevFirstName, name) < 0)) {
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "the host has no SCSI unit %u:%u:%u:%u",
                         place[0], place[1], place[2], place[3]);
        return NULL;
    }
    if ((path = virStringFormat("/dev/%s", name)) == NULL)
        return NULL;
    return virJsonObject("s:driver", "host_device", "s:filename", path, NULL);
}

/* The guest's commands go to the unit as they are; the node must be there first. */
static cJSON *
qemuHostdevScsi(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr source,
                struct qemuDeviceSet *set)
{
    char name[QEMU_NODE_NAME_SIZE];
    VIRT_CLEANUP_JSON cJSON *node = qemuHostdevScsiNode(command, device, source);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (node == NULL || qemuBlockdevName(device, 0, "storage", name) < 0 ||
        virJsonAdd(node, "s:node-name", name, "b:read-only", virXmlFirst(device, "readonly") != NULL,
                   NULL) < 0 ||
        qemuDeviceSetTake(set, QEMU_OPTION_BLOCKDEV, &node) < 0 ||
        (object = qemuDeviceObject(command, device, "scsi-generic", true)) == NULL ||
        virJsonAdd(object, "s:drive", name, "B:share-rw", virXmlFirst(device, "shareable") != NULL,
                   NULL) < 0)
        return NULL;
    return qemuTake(&object);
}

/* A whole virtual adapter that the host's kernel serves. */
static cJSON *
qemuHostdevScsiHost(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr source)
{
    static const char *const protocols[] = { "vhost", NULL };
    const char *wwpn = virXmlNeed(source, "@wwpn");
    int protocol = 0;
    VIRT_CLEANUP_FREE char *number = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    int fd;

    if (wwpn == NULL || virXmlEnum(source, "@protocol", protocols, &protocol) < 0 ||
        (object = qemuVirtioObject(command, device, "vhost-scsi", false)) == NULL)
        return NULL;
    if (!command->dry && ((fd = qemuOpenFor(device, "/dev/vhost-scsi", O_RDWR)) < 0 ||
                          (number = qemuPassFdText(command, fd)) == NULL))
        return NULL;
    if (virJsonAdd(object, "s:wwpn", wwpn, "S:vhostfd", number, NULL) < 0)
        return NULL;
    return qemuTake(&object);
}

/* ---------- all ---------- */

VIRT_INTERNAL int
qemuBuildHostdev(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    /* an <interface type='hostdev'> has its kind in the address */
    bool interface = virXmlIs(device, "interface");
    const char *mode = interface ? NULL : virXmlString(device, "@mode");
    xmlNodePtr source = virXmlFirst(device, "source");
    const char *type = interface && source != NULL ? virXmlString(source, "address/@type")
                                                   : virXmlNeed(device, "@type");
    cJSON *object = NULL;

    if (mode != NULL && strcmp(mode, "subsystem") != 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "mode '%s' is not supported by QEMU", mode);
    if (source == NULL || type == NULL) {
        qemuHostdevNeedSource(device);
        return -1;
    }
    if (strcmp(type, "usb") == 0)
        object = qemuHostdevUsb(command, device, source);
    else if (strcmp(type, "pci") == 0)
        object = qemuHostdevPci(command, device, source);
    else if (strcmp(type, "mdev") == 0)
        object = qemuHostdevMdev(command, device, source);
    else if (strcmp(type, "scsi") == 0)
        object = qemuHostdevScsi(command, device, source, set);
    else if (strcmp(type, "scsi_host") == 0)
        object = qemuHostdevScsiHost(command, device, source);
    else
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "type '%s' is not supported", type);
    return qemuDeviceSetAdd(set, QEMU_OPTION_DEVICE, object);
}

#undef VIRT_FROM
