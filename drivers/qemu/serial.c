/*
 * Serial and parallel lines, consoles and channels: a character backend and the device in front of it.
 */
#include "device.h"

#define VIRT_FROM VIR_FROM_QEMU

/* The backend of a device, under the name that its front end refers to. */
static char *
qemuSerialChardev(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    char *id = qemuDeviceId(device, "char");

    if (id != NULL && qemuBuildChardev(command, device, id, set) < 0) {
        free(id);
        return NULL;
    }
    return id;
}

/* A front end that has nothing but a driver, a backend and perhaps an index. */
static int
qemuSerialDevice(struct qemuCommand *command, xmlNodePtr device, const char *driver, bool indexed,
                 struct qemuDeviceSet *set)
{
    static const struct qemuProperty port[] = { { QEMU_PROPERTY_NUMBER, "target/@port", "index" }, { 0, NULL, NULL } };
    VIRT_CLEANUP_FREE char *chardev = qemuSerialChardev(command, device, set);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    virXmlString(device, "target/@port");       /* at the least it is the line's number in the document */
    if (chardev == NULL || (object = qemuDeviceObject(command, device, driver, false)) == NULL ||
        virJsonAdd(object, "s:chardev", chardev, NULL) < 0 ||
        (indexed && qemuAddProperties(device, object, port) < 0))
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* ---------- serial ---------- */

/*
 * What a <target type> is in QEMU: the default model, the models that may be asked for. A model without a device is
 * part of the board: its backend is given with -serial.
 */
static const struct qemuSerialTarget {
    const char *type, *model, *driver;
} qemuSerialTargets[] = {
    { "isa-serial",       "isa-serial",    "isa-serial" },
    { "usb-serial",       "usb-serial",    "usb-serial" },
    { "pci-serial",       "pci-serial",    "pci-serial" },
    { "spapr-vio-serial", "spapr-vty",     "spapr-vty" },
    { "sclp-serial",      "sclpconsole",   "sclpconsole" },
    { "sclp-serial",      "sclplmconsole", "sclplmconsole" },
    { "isa-debug",        "isa-debugcon",  "isa-debugcon" },
    { "system-serial",    "pl011",         NULL },
    { "system-serial",    "16550a",        NULL },
};

/* What a machine of this kind has on board, or takes on its most common bus. */
static const char *
qemuSerialDefaultType(struct qemuCommand *command)
{
    const char *arch = qemuCapabilitiesArch(command->caps);

    if (strncmp(arch, "ppc", 3) == 0)
        return "spapr-vio-serial";
    if (strncmp(arch, "s390", 4) == 0)
        return "sclp-serial";
    if (strcmp(arch, "x86_64") == 0 || strcmp(arch, "i686") == 0)
        return "isa-serial";
    return "system-serial";
}

/*
 * The type says which bus, the model which device on it; a document from before models has only the
 * type.
 */
static const struct qemuSerialTarget *
qemuSerialFindTarget(struct qemuCommand *command, xmlNodePtr device)
{
    const char *type = virXmlString(device, "target/@type"),
               *model = virXmlString(device, "target/model/@name");

    if (type == NULL || strcmp(type, "serial") == 0)
        type = qemuSerialDefaultType(command);
    for (size_t i = 0; i < sizeof(qemuSerialTargets) / sizeof(*qemuSerialTargets); i++)
        if (strcmp(qemuSerialTargets[i].type, type) == 0 &&
            (model == NULL || strcmp(qemuSerialTargets[i].model, model) == 0))
            return &qemuSerialTargets[i];
    qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "target type '%s' with model '%s' is not known",
                     type, model != NULL ? model : "default");
    return NULL;
}

/*
 * ISA ports have a number, and with it their usual addresses and interrupts; the others are known by
 * their place on a bus.
 */
VIRT_INTERNAL int
qemuBuildSerial(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const struct qemuSerialTarget *target = qemuSerialFindTarget(command, device);
    VIRT_CLEANUP_FREE char *chardev = NULL;

    if (target == NULL)
        return -1;
    if (target->driver != NULL)
        return qemuSerialDevice(command, device, target->driver,
                                strcmp(target->driver, "isa-serial") == 0, set);
    if ((chardev = qemuSerialChardev(command, device, set)) == NULL)
        return -1;
    return qemuDeviceSetArguments(set, "-serial", virStringFormat("chardev:%s", chardev));
}

VIRT_INTERNAL int
qemuBuildParallel(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    return qemuSerialDevice(command, device, "isa-parallel", true, set);
}

/* ---------- console ---------- */

/*
 * The first console of a guest that has serial lines is another view of the first of them, kept for old programs: there
 * is nothing to build. Without any serial line it is the serial line.
 */
static int
qemuConsoleSerial(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    xmlNodePtr first = virXmlFirst(device->parent, "console");

    if (first != device)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "only the first console can be a serial port");
    if (virXmlFirst(device->parent, "serial") == NULL)
        return qemuBuildSerial(command, device, set);
    virXmlMark(device);
    return 0;
}

/*
 * Consoles are front ends of other kinds than serial lines: a virtio port with line discipline, or the
 * mainframe's.
 */
VIRT_INTERNAL int
qemuBuildConsole(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const struct { const char *type, *driver; } targets[] = {
        { "virtio", "virtconsole" }, { "sclp", "sclpconsole" }, { "sclplm", "sclplmconsole" },
    };
    const char *type = virXmlString(device, "target/@type");

    if (type == NULL || strcmp(type, "serial") == 0)
        return qemuConsoleSerial(command, device, set);
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
        if (strcmp(targets[i].type, type) == 0)
            return qemuSerialDevice(command, device, targets[i].driver, false, set);
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                            "target type '%s' is not supported by QEMU", type);
}

/* ---------- channel ---------- */

/*
 * Guests find a channel by its name (/dev/virtio-ports/<name>); the address (controller and port) is
 * only its place.
 */
static int
qemuChannelVirtio(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *name = virXmlString(device, "target/@name"), *type = virXmlString(device, "@type");
    VIRT_CLEANUP_FREE char *chardev = qemuSerialChardev(command, device, set);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    /* The agent's two kinds go by a name that the guest's tools look for. */
    if (name == NULL && type != NULL &&
        (strcmp(type, "spicevmc") == 0 || strcmp(type, "qemu-vdagent") == 0))
        name = "com.redhat.spice.0";
    if (chardev == NULL ||
        (object = qemuDeviceObject(command, device, "virtserialport", false)) == NULL ||
        virJsonAdd(object, "s:chardev", chardev, "S:name", name, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* Connections of the guest to an address of the user network are handed to the backend. */
static int
qemuChannelGuestForward(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *alias = qemuDeviceAlias(device), *address, *port;
    VIRT_CLEANUP_FREE char *chardev = NULL;
    VIRT_CLEANUP_FREE char *rule = NULL;
    VIRT_CLEANUP_JSON cJSON *rules = NULL;

    if (alias == NULL || (address = virXmlNeed(device, "target/@address")) == NULL ||
        (port = virXmlNeed(device, "target/@port")) == NULL ||
        (chardev = qemuSerialChardev(command, device, set)) == NULL ||
        (rule = virStringFormat("tcp:%s:%s-chardev:%s", address, port, chardev)) == NULL ||
        (rules = virJsonArray()) == NULL ||
        virJsonAppend(rules, virJsonObject("s:str", rule, NULL)) < 0)
        return -1;
    return qemuDeviceSetAdd(
        set, QEMU_OPTION_NETDEV,
        virJsonObject("s:type", "user", "s:id", alias, "a:guestfwd", qemuTake(&rules), NULL));
}

VIRT_INTERNAL int
qemuBuildChannel(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *type = virXmlString(device, "target/@type");

    if (type == NULL || strcmp(type, "virtio") == 0)
        return qemuChannelVirtio(command, device, set);
    if (strcmp(type, "guestfwd") == 0)
        return qemuChannelGuestForward(command, device, set);
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                            "target type '%s' is not supported by QEMU", type);
}

#undef VIRT_FROM
