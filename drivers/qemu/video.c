/*
 * Video cards.
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* Each model as the first card of a guest, which its firmware uses, and as a further one; NULL where that cannot be. */
static const struct qemuVideoModel {
    const char *name, *primary, *secondary;
    const struct qemuProperty *properties;
    bool resolution;
} qemuVideoModels[] = {
    { "vga",    "VGA",           NULL,         NULL, true },
    { "cirrus", "cirrus-vga",    NULL,         NULL, false },
    { "vmvga",  "vmware-svga",   NULL,         NULL, false },
    { "qxl",    "qxl-vga",       "qxl",        NULL, true },
    { "virtio", "virtio-vga",    "virtio-gpu", (const struct qemuProperty[]){
        { QEMU_PROPERTY_NUMBER, "model/@heads", "max_outputs" },
        { QEMU_PROPERTY_BOOL,   "model/@blob",  "blob" },
        { 0, NULL, NULL } }, true },
    { "bochs",  "bochs-display", "bochs-display", NULL, true },
    { "ramfb",  "ramfb",         NULL,         NULL, false },
};

static const struct qemuProperty qemuVideoHeads[] = {
    { QEMU_PROPERTY_NUMBER, "model/@heads", "max_outputs" },
    { 0, NULL, NULL },
};
static const struct qemuProperty qemuVideoResolution[] = {
    { QEMU_PROPERTY_NUMBER, "model/resolution/@x", "xres" },
    { QEMU_PROPERTY_NUMBER, "model/resolution/@y", "yres" },
    { 0, NULL, NULL },
};

/* The card marked as primary, or else the first. */
static bool
qemuVideoIsPrimary(xmlNodePtr device)
{
    VIRT_XML_EACH(video, device->parent, "video")
        if (virXmlEquals(video, "model/@primary", "yes"))
            return video == device;
    return virXmlFirst(device->parent, "video") == device;
}

/* A size given in KiB, as QEMU's property wants it: in units of `unit` bytes. */
static int
qemuVideoAddSize(xmlNodePtr device, cJSON *object, const char *path, const char *key,
                 unsigned long long unit)
{
    unsigned long long kib = 0;

    if (virXmlULongLong(device, path, &kib) < 0)
        return -1;
    if (kib > (1ULL << 40))
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR, "%llu KiB are too much", kib);
    return virJsonAdd(object, key, kib * 1024 / unit, NULL);
}

/* The document counts in KiB, and each device in a unit of its own. */
static int
qemuVideoAddMemory(xmlNodePtr device, const char *model, cJSON *object)
{
    const unsigned long long mib = 1024 * 1024;

    if (strcmp(model, "vga") == 0 || strcmp(model, "vmvga") == 0)
        return qemuVideoAddSize(device, object, "model/@vram", "U:vgamem_mb", mib);
    if (strcmp(model, "bochs") == 0)
        return qemuVideoAddSize(device, object, "model/@vram", "U:vgamem", 1);
    if (strcmp(model, "qxl") != 0)
        return 0;
    if (qemuVideoAddSize(device, object, "model/@ram", "U:ram_size", 1) < 0 ||
        qemuVideoAddSize(device, object, "model/@vram", "U:vram_size", 1) < 0 ||
        qemuVideoAddSize(device, object, "model/@vram64", "U:vram64_size_mb", mib) < 0 ||
        qemuVideoAddSize(device, object, "model/@vgamem", "U:vgamem_mb", mib) < 0)
        return -1;
    return qemuAddProperties(device, object, qemuVideoHeads);
}

/* The device's driver: with 3D acceleration virtio's has another name, and not every machine has the one with VGA. */
static char *
qemuVideoDriver(struct qemuCommand *command, xmlNodePtr device, const struct qemuVideoModel *model)
{
    const char *driver = qemuVideoIsPrimary(device) ? model->primary : model->secondary;
    bool accel = false;

    if (driver == NULL) {
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "model '%s' can only be the primary card",
                         model->name);
        return NULL;
    }
    if (strcmp(model->name, "virtio") != 0)
        return virStringCopy(driver);
    if (virXmlBool(device, "model/acceleration/@accel3d", &accel) < 0)
        return NULL;
    if (strcmp(driver, "virtio-vga") == 0 && qemuCapabilitiesHasDevice(command->caps, "virtio-vga") &&
        virXmlEquals(device, "address/@type", "pci"))
        return virStringCopy(accel ? "virtio-vga-gl" : "virtio-vga");
    return qemuVirtioDriver(device, accel ? "virtio-gpu-gl" : "virtio-gpu");
}

/* driver name='vhostuser': another process draws; it and QEMU share a pair of sockets. */
static int
qemuVideoVhostUser(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *node = virXmlString(device, "model/acceleration/@rendernode");
    const char *render = node != NULL ? "--render-node" : NULL;
    bool primary = qemuVideoIsPrimary(device), accel = false;
    int pair[2], rc;
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "chr-vu-");
    VIRT_CLEANUP_FREE char *program = qemuFindProgram("vhost-user-gpu");
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    char number[32];

    if (id == NULL || virXmlBool(device, "model/acceleration/@accel3d", &accel) < 0)
        return -1;
    if (command->dry) {
        rc = qemuChardevAddUnix(set, id, "gpu", false, 0);
    } else {
        if (program == NULL)
            return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                    "it needs vhost-user-gpu, which is not installed");
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            return virReportSystemError(errno, "cannot create a pair of sockets");
        snprintf(number, sizeof(number), "--fd=%d", pair[0]);
        rc = qemuStartHelper(command, device,
                             (const char *const[]){ program, number, accel ? "--virgl" : render,
                                                    accel ? render : node, accel ? node : NULL, NULL },
                             pair[0]);
        close(pair[0]);
        if (qemuChardevAddFd(command, set, id, pair[1]) < 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    object = primary ? qemuDeviceObject(command, device, "vhost-user-vga", false) :
             qemuVirtioObject(command, device, "vhost-user-gpu", false);
    if (object == NULL || (primary && qemuAddVirtioOptions(device, object) < 0) ||
        virJsonAdd(object, "s:chardev", id, NULL) < 0 ||
        qemuAddProperties(device, object, qemuVideoHeads) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* One card. Which driver it is depends on whether it is the primary one. */
static int
qemuVideoAdd(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *name = virXmlNeed(device, "model/@type"), *backend = virXmlString(device, "driver/@name");
    const struct qemuVideoModel *model = NULL;
    VIRT_CLEANUP_FREE char *driver = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (name == NULL)
        return -1;
    if (strcmp(name, "none") == 0)
        return 0;
    if (backend != NULL && strcmp(backend, "vhostuser") == 0 && strcmp(name, "virtio") == 0)
        return qemuVideoVhostUser(command, device, set);
    if (backend != NULL && strcmp(backend, "qemu") != 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "backend '%s' is not supported",
                                backend);
    for (size_t i = 0; i < sizeof(qemuVideoModels) / sizeof(*qemuVideoModels); i++)
        if (strcmp(qemuVideoModels[i].name, name) == 0)
            model = &qemuVideoModels[i];
    if (model == NULL)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "QEMU has no video model '%s'", name);
    if ((driver = qemuVideoDriver(command, device, model)) == NULL ||
        (object = qemuDeviceObject(command, device, driver, false)) == NULL ||
        qemuVideoAddMemory(device, name, object) < 0 ||
        (strcmp(name, "virtio") == 0 && qemuAddVirtioOptions(device, object) < 0) ||
        (model->properties != NULL && qemuAddProperties(device, object, model->properties) < 0) ||
        (model->resolution && qemuAddProperties(device, object, qemuVideoResolution) < 0))
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/*
 * QEMU wants the primary card before the others, wherever it stands in the document. So the first element brings them all, and those
 * that follow have been made already.
 */
VIRT_INTERNAL int
qemuBuildVideo(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    if (virXmlFirst(device->parent, "video") != device)
        return 0;
    for (int primary = 1; primary >= 0; primary--)
        VIRT_XML_EACH(video, device->parent, "video")
            if (qemuVideoIsPrimary(video) == (primary == 1) && qemuVideoAdd(command, video, set) < 0)
                return -1;
    return 0;
}

#undef VIRT_FROM
