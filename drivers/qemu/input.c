/*
 * Keyboards, mice, tablets, and input devices of the host.
 */
#include "device.h"

#define VIRT_FROM VIR_FROM_QEMU

enum {
    QEMU_INPUT_MOUSE,
    QEMU_INPUT_TABLET,
    QEMU_INPUT_KEYBOARD,
    QEMU_INPUT_PASSTHROUGH,
    QEMU_INPUT_EVDEV
};
static const char *const qemuInputTypes[] = { "mouse", "tablet", "keyboard", "passthrough", "evdev", NULL };

/* A host's device whose events QEMU takes for itself. */
static int
qemuInputEvdev(xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const struct qemuProperty properties[] = {
        { QEMU_PROPERTY_BOOL,   "source/@repeat",     "repeat" },
        { QEMU_PROPERTY_STRING, "source/@grabToggle", "grab-toggle" },
        { 0, NULL, NULL },
    };
    const char *path = virXmlNeed(device, "source/@dev"), *alias = qemuDeviceAlias(device);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (path == NULL || alias == NULL ||
        (object = virJsonObject("s:qom-type", "input-linux", "s:id", alias, "s:evdev", path, NULL)) ==
            NULL ||
        qemuAddProperties(device, object, properties) < 0 ||
        virJsonAdd(object, "B:grab_all", (int)virXmlEquals(device, "source/@grab", "all"), NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_OBJECT, &object);
}

/*
 * passthrough hands an event device of the host to the guest whole; the others are made of what the
 * displays send.
 */
static int
qemuInputVirtio(struct qemuCommand *command, xmlNodePtr device, int type, struct qemuDeviceSet *set)
{
    static const char *const drivers[] = { "virtio-mouse", "virtio-tablet", "virtio-keyboard", "virtio-input-host" };
    VIRT_CLEANUP_JSON cJSON *object = qemuVirtioObject(command, device, drivers[type], false);
    const char *path = NULL;

    if (object == NULL ||
        (type == QEMU_INPUT_PASSTHROUGH && (path = virXmlNeed(device, "source/@evdev")) == NULL) ||
        virJsonAdd(object, "S:evdev", path, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/*
 * Keyboard and mouse on PS/2 are part of every PC: their elements are there because libvirt's
 * documents have them.
 */
VIRT_INTERNAL int
qemuBuildInput(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const char *const usb[] = { "usb-mouse", "usb-tablet", "usb-kbd" };
    const char *bus;
    int type = -1;

    if (virXmlEnum(device, "@type", qemuInputTypes, &type) < 0)
        return -1;
    if (type < 0)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR, "it has no type");
    if (type == QEMU_INPUT_EVDEV)
        return qemuInputEvdev(device, set);
    if ((bus = virXmlNeed(device, "@bus")) == NULL)
        return -1;
    if (strcmp(bus, "ps2") == 0 && (type == QEMU_INPUT_MOUSE || type == QEMU_INPUT_KEYBOARD))
        return 0;                     /* part of the machine */
    if (strcmp(bus, "usb") == 0 && type <= QEMU_INPUT_KEYBOARD)
        return qemuDeviceSetAdd(set, QEMU_OPTION_DEVICE,
                                qemuDeviceObject(command, device, usb[type], false));
    if (strcmp(bus, "virtio") == 0)
        return qemuInputVirtio(command, device, type, set);
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "QEMU has no %s on bus '%s'",
                            qemuInputTypes[type], bus);
}

#undef VIRT_FROM
