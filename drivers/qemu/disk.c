/*
 * Disks as the guest sees them: the device in front of the block nodes that blockdev.c makes.
 */
#include "blockdev.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

enum qemuDiskKind { QEMU_DISK_HARD, QEMU_DISK_CDROM, QEMU_DISK_FLOPPY, QEMU_DISK_LUN };
static const char *const qemuDiskKinds[] = { "disk", "cdrom", "floppy", "lun", NULL };

/* The driver of each bus for each kind; an absent one cannot be. Virtio's name is completed by its transport. */
static const struct qemuDiskBus {
    const char *name, *driver[4];
    bool errors;                      /* it has werror and rerror */
} qemuDiskBuses[] = {
    { "virtio", { [QEMU_DISK_HARD] = "virtio-blk", [QEMU_DISK_LUN] = "virtio-blk" }, true },
    { "ide",    { [QEMU_DISK_HARD] = "ide-hd", [QEMU_DISK_CDROM] = "ide-cd" }, true },
    { "sata",   { [QEMU_DISK_HARD] = "ide-hd", [QEMU_DISK_CDROM] = "ide-cd" }, true },
    { "scsi",   { [QEMU_DISK_HARD] = "scsi-hd", [QEMU_DISK_CDROM] = "scsi-cd", [QEMU_DISK_LUN] = "scsi-block" }, true },
    { "usb",    { [QEMU_DISK_HARD] = "usb-storage", [QEMU_DISK_CDROM] = "scsi-cd" }, true },
    { "fdc",    { [QEMU_DISK_FLOPPY] = "floppy" }, false },
};

/* What a disk is, read once. */
struct qemuDisk {
    struct qemuCommand *command;
    xmlNodePtr node;
    enum qemuDiskKind kind;
    const struct qemuDiskBus *bus;
};

/* ---------- properties ---------- */

static const struct qemuProperty qemuDiskCommon[] = {
    { QEMU_PROPERTY_NUMBER, "blockio/@logical_block_size",  "logical_block_size" },
    { QEMU_PROPERTY_NUMBER, "blockio/@physical_block_size", "physical_block_size" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuDiskGeometry[] = {
    { QEMU_PROPERTY_NUMBER, "geometry/@cyls",  "cyls" },
    { QEMU_PROPERTY_NUMBER, "geometry/@heads", "heads" },
    { QEMU_PROPERTY_NUMBER, "geometry/@secs",  "secs" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuDiskTranslation[] = {
    { QEMU_PROPERTY_STRING, "geometry/@trans", "bios-chs-trans" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuDiskVirtio[] = {
    { QEMU_PROPERTY_NUMBER, "driver/@queues",     "num-queues" },
    { QEMU_PROPERTY_NUMBER, "driver/@queue_size", "queue-size" },
    { QEMU_PROPERTY_BOOL,   "driver/@ioeventfd",  "ioeventfd" },
    { QEMU_PROPERTY_BOOL,   "driver/@event_idx",  "event_idx" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuDiskScsi[] = {
    { QEMU_PROPERTY_STRING, "vendor",  "vendor" },
    { QEMU_PROPERTY_STRING, "product", "product" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuDiskRemovable[] = {
    { QEMU_PROPERTY_BOOL, "target/@removable", "removable" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuDiskRotation[] = {
    { QEMU_PROPERTY_NUMBER, "target/@rotation_rate", "rotation_rate" },
    { 0, NULL, NULL },
};

/*
 * A world wide name has 64 bits, which JSON's numbers, read as doubles, would not keep: they are
 * written as digits.
 */
static int
qemuDiskAddWwn(const struct qemuDisk *disk, cJSON *object)
{
    const char *text = virXmlString(disk->node, "wwn");
    unsigned long long wwn;

    if (text == NULL)
        return 0;
    if (virStringToULL(text, 16, &wwn) < 0)
        return qemuDeviceReport(disk->node, VIR_ERR_XML_ERROR, "wwn '%s' is not a hexadecimal number",
                                text);
    return virJsonAdd(object, "u:wwn", wwn, NULL);
}

/* What to do when writing or reading fails. QEMU's word for enospace is shorter, and it is no policy for reads. */
static int
qemuDiskAddErrors(const struct qemuDisk *disk, cJSON *object)
{
    static const char *const policies[] = { "stop", "report", "ignore", "enospace", NULL };
    static const char *const theirs[] = { "stop", "report", "ignore", "enospc" };
    int write = -1, read = -1;

    if (virXmlEnum(disk->node, "driver/@error_policy", policies, &write) < 0 ||
        virXmlEnum(disk->node, "driver/@rerror_policy", policies, &read) < 0)
        return -1;
    if (read < 0 && write >= 0 && write < 3)
        read = write;
    return virJsonAdd(object, "S:werror", write < 0 ? NULL : theirs[write], "S:rerror",
                      read < 0 ? NULL : theirs[read], NULL);
}

/* The guest's write cache, the other half of cache= (blockdev.c). */
static int
qemuDiskAddWriteCache(const struct qemuDisk *disk, cJSON *object)
{
    const char *mode = virXmlString(disk->node, "driver/@cache");

    if (mode == NULL || strcmp(mode, "default") == 0 || disk->kind == QEMU_DISK_LUN)
        return 0;
    return virJsonAdd(
        object, "s:write-cache",
        strcmp(mode, "writethrough") == 0 || strcmp(mode, "directsync") == 0 ? "off" : "on", NULL);
}

/*
 * An iothread takes the disk's work out of QEMU's main loop; the thread itself comes from <iothreads>.
 */
static int
qemuDiskAddVirtio(const struct qemuDisk *disk, cJSON *object)
{
    unsigned int iothread = 0;
    char name[32];
    int rc = virXmlUInt(disk->node, "driver/@iothread", &iothread);

    if (rc < 0 || qemuAddProperties(disk->node, object, qemuDiskVirtio) < 0)
        return -1;
    if (rc == 0)
        return 0;
    snprintf(name, sizeof(name), "iothread%u", iothread);
    return virJsonAdd(object, "s:iothread", name, NULL);
}

/*
 * SCSI disks tell their guest an identifier of the device. It is the serial number if there is one; without, and without
 * this, it would be the name of a block node.
 */
static int
qemuDiskAddScsi(const struct qemuDisk *disk, cJSON *object, const char *serial)
{
    VIRT_CLEANUP_FREE char *id = NULL;

    if (qemuAddProperties(disk->node, object, qemuDiskScsi) < 0)
        return -1;
    if (serial != NULL)
        return 0;
    if ((id = qemuDeviceId(disk->node, "drive-")) == NULL)
        return -1;
    return virJsonAdd(object, "s:device_id", id, NULL);
}

/* What only a hard disk with a name of its own has: a passed-through unit answers for itself. */
static int
qemuDiskAddIdentity(const struct qemuDisk *disk, cJSON *object, const char *driver)
{
    const char *serial;
    bool hard = disk->kind == QEMU_DISK_HARD, virtio = strcmp(disk->bus->name, "virtio") == 0;
    bool ide = strncmp(driver, "ide-", 4) == 0, scsi = strncmp(driver, "scsi-", 5) == 0;

    if (disk->kind == QEMU_DISK_LUN)
        return virtio ? 0 : qemuAddProperties(disk->node, object, qemuDiskRotation);
    serial = disk->kind != QEMU_DISK_FLOPPY ? virXmlString(disk->node, "serial") : NULL;
    if (qemuAddProperties(disk->node, object, qemuDiskCommon) < 0 ||
        virJsonAdd(object, "S:serial", serial, NULL) < 0)
        return -1;
    if ((ide || scsi) && qemuDiskAddWwn(disk, object) < 0)
        return -1;
    if ((ide || scsi) && hard && qemuAddProperties(disk->node, object, qemuDiskRotation) < 0)
        return -1;
    if ((ide || scsi || virtio) && hard && qemuAddProperties(disk->node, object, qemuDiskGeometry) < 0)
        return -1;
    if (ide && hard && qemuAddProperties(disk->node, object, qemuDiskTranslation) < 0)
        return -1;
    if (hard && (scsi || strcmp(disk->bus->name, "usb") == 0) &&
        qemuAddProperties(disk->node, object, qemuDiskRemovable) < 0)
        return -1;
    return scsi ? qemuDiskAddScsi(disk, object, serial) : 0;
}

/* ---------- devices ---------- */

/*
 * What cannot be is refused here, with words a user knows; QEMU would speak of drivers and properties.
 */
static int
qemuDiskCheck(const struct qemuDisk *disk, const char *driver)
{
    const char *type = virXmlString(disk->node, "@type");

    if (driver == NULL)
        return qemuDeviceReport(disk->node, VIR_ERR_CONFIG_UNSUPPORTED, "a %s cannot be on bus '%s'",
                                qemuDiskKinds[disk->kind], disk->bus->name);
    if (disk->kind == QEMU_DISK_LUN &&
        (type == NULL || (strcmp(type, "block") != 0 && strcmp(type, "network") != 0)))
        return qemuDeviceReport(disk->node, VIR_ERR_CONFIG_UNSUPPORTED,
                                "device='lun' needs a block device");
    if (!qemuBlockdevHasMedium(disk->command, disk->node) &&
        (disk->kind == QEMU_DISK_HARD || disk->kind == QEMU_DISK_LUN))
        return qemuDeviceReport(disk->node, VIR_ERR_XML_ERROR, "it has no source");
    return 0;
}

/*
 * QEMU's USB disk is always a hard disk. A CD drive is a SCSI one behind an adapter of its own: the adapter, which has the address,
 * is added here; the drive's object, which has the alias, is returned.
 */
static cJSON *
qemuDiskUsbCdrom(const struct qemuDisk *disk, struct qemuDeviceSet *set)
{
    VIRT_CLEANUP_JSON cJSON *adapter = qemuDeviceObject(disk->command, disk->node, "usb-bot", true);
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(disk->node, "bot-");
    VIRT_CLEANUP_FREE char *bus = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    cJSON *order;

    if (adapter == NULL || id == NULL || (bus = virStringFormat("%s.0", id)) == NULL ||
        (object = virJsonObject("s:driver", "scsi-cd", "s:id", qemuDeviceAlias(disk->node), "s:bus",
                                bus, NULL)) == NULL)
        return NULL;
    if ((order = cJSON_DetachItemFromObjectCaseSensitive(adapter, "bootindex")) != NULL &&
        virJsonAdd(object, "a:bootindex", order, NULL) < 0)
        return NULL;
    cJSON_DeleteItemFromObjectCaseSensitive(adapter, "id");
    if (virJsonAdd(adapter, "s:id", id, NULL) < 0 ||
        qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &adapter) < 0)
        return NULL;
    return qemuTake(&object);
}

/*
 * First the nodes, then the device in front: QEMU looks for the drive at once when the device is made.
 */
static int
qemuDiskDevice(const struct qemuDisk *disk, struct qemuDeviceSet *set)
{
    const char *driver = disk->bus->driver[disk->kind];
    char top[QEMU_NODE_NAME_SIZE];
    bool virtio = strcmp(disk->bus->name, "virtio") == 0,
         medium = qemuBlockdevHasMedium(disk->command, disk->node);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (qemuDiskCheck(disk, driver) < 0 ||
        (medium && qemuBlockdevBuild(disk->command, disk->node, set, top) < 0))
        return -1;
    object = virtio ? qemuVirtioObject(disk->command, disk->node, driver, true)
             : strcmp(disk->bus->name, "usb") == 0 && disk->kind == QEMU_DISK_CDROM
                 ? qemuDiskUsbCdrom(disk, set)
                 : qemuDeviceObject(disk->command, disk->node, driver, true);
    if (object == NULL || (medium && virJsonAdd(object, "s:drive", top, NULL) < 0))
        return -1;
    if (disk->kind != QEMU_DISK_CDROM && virXmlFirst(disk->node, "shareable") != NULL &&
        virJsonAdd(object, "b:share-rw", 1, NULL) < 0)
        return -1;
    if (qemuDiskAddWriteCache(disk, object) < 0 ||
        (disk->bus->errors && qemuDiskAddErrors(disk, object) < 0) ||
        qemuDiskAddIdentity(disk, object, driver) < 0 ||
        (virtio && qemuDiskAddVirtio(disk, object) < 0))
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* Another process serves the disk: only a socket, and the device that talks over it. */
static int
qemuDiskVhostUser(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const struct qemuProperty properties[] = {
        { QEMU_PROPERTY_NUMBER, "driver/@queues",     "num-queues" },
        { QEMU_PROPERTY_NUMBER, "driver/@queue_size", "queue-size" },
        { 0, NULL, NULL },
    };
    xmlNodePtr source = virXmlFirst(device, "source");
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "chr-vu-");
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    unsigned int reconnect = 0;
    const char *path;

    if (source == NULL || !virXmlEquals(source, "@type", "unix"))
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR,
                                "a vhostuser disk needs <source type='unix' path=...>");
    if (id == NULL || (path = virXmlNeed(source, "@path")) == NULL ||
        qemuReadReconnect(source, &reconnect) < 0 ||
        qemuChardevAddUnix(set, id, path, false, reconnect) < 0 ||
        (object = qemuVirtioObject(command, device, "vhost-user-blk", true)) == NULL ||
        virJsonAdd(object, "s:chardev", id, NULL) < 0 ||
        qemuAddProperties(device, object, properties) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* SD cards sit on the board's controller, which takes nothing but the old -drive. */
static int
qemuDiskSd(xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *path = virXmlString(device, "source/@file"),
               *format = virXmlString(device, "driver/@type");
    struct virText text = { 0 };

    if (path == NULL && (path = virXmlString(device, "source/@dev")) == NULL)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "an SD card needs a file or block device as its source");
    virTextAdd(&text, "if=sd,format=%s,readonly=%s", format != NULL ? format : "raw",
               virXmlFirst(device, "readonly") != NULL ? "on" : "off");
    qemuTextOption(&text, "file", path);
    return qemuDeviceSetArguments(set, "-drive", virTextTake(&text));
}

/*
 * The bus is in the document: completion derives it from the target's name (hda, sda, vda) where the
 * user has not said it.
 */
VIRT_INTERNAL int
qemuBuildDisk(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    struct qemuDisk disk = { .command = command, .node = device };
    const char *bus = virXmlNeed(device, "target/@bus"), *driver = virXmlString(device, "driver/@name");
    int kind = QEMU_DISK_HARD;

    if (bus == NULL || virXmlNeed(device, "target/@dev") == NULL ||
        virXmlEnum(device, "@device", qemuDiskKinds, &kind) < 0)
        return -1;
    disk.kind = (enum qemuDiskKind)kind;
    if (driver != NULL && strcmp(driver, "qemu") != 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "driver name '%s' is not QEMU's",
                                driver);
    if (virXmlEquals(device, "@type", "vhostuser"))
        return qemuDiskVhostUser(command, device, set);
    if (strcmp(bus, "sd") == 0)
        return qemuDiskSd(device, set);
    for (size_t i = 0; i < sizeof(qemuDiskBuses) / sizeof(*qemuDiskBuses); i++)
        if (strcmp(qemuDiskBuses[i].name, bus) == 0)
            disk.bus = &qemuDiskBuses[i];
    if (disk.bus == NULL)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "QEMU has no disks on bus '%s'", bus);
    return qemuDiskDevice(&disk, set);
}

#undef VIRT_FROM
