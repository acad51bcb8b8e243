/*
 * How a device is told to QEMU: its id, the bus and place its <address> names, its boot index.
 *
 * The builders of devices start every -device object with qemuDeviceObject. One table per kind of address does the rest: completion
 * has given each device an address (place.c, pci.c), so nothing is chosen here.
 */
#include "address.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- looking through a document without marking it as read ---------- */

VIRT_INTERNAL xmlNodePtr
qemuPeekNext(xmlNodePtr node, const char *name)
{
    for (node = node->next; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE && (name == NULL || strcmp((const char *)node->name, name) == 0))
            return node;
    return NULL;
}

VIRT_INTERNAL xmlNodePtr
qemuPeekFirst(xmlNodePtr parent, const char *name)
{
    xmlNodePtr node = parent != NULL ? parent->children : NULL;

    if (node == NULL || (node->type == XML_ELEMENT_NODE && (name == NULL || strcmp((const char *)node->name, name) == 0)))
        return node;
    return qemuPeekNext(node, name);
}

VIRT_INTERNAL const char *
qemuPeek(xmlNodePtr node, const char *attribute)
{
    for (xmlAttrPtr attr = node != NULL ? node->properties : NULL; attr != NULL; attr = attr->next)
        if (strcmp((const char *)attr->name, attribute) == 0 && attr->children != NULL)
            return (const char *)attr->children->content;
    return NULL;
}

VIRT_INTERNAL bool
qemuPeekIs(xmlNodePtr node, const char *attribute, const char *value)
{
    const char *text = qemuPeek(node, attribute);

    return text != NULL && strcmp(text, value) == 0;
}

VIRT_INTERNAL unsigned int
qemuPeekUInt(xmlNodePtr node, const char *attribute, unsigned int missing)
{
    const char *text = qemuPeek(node, attribute);
    unsigned long long value;

    if (text == NULL || virStringToULL(text, 0, &value) < 0 || value > (unsigned int)-1)
        return missing;
    return (unsigned int)value;
}

/* ---------- the machine ---------- */

/* By the beginning of the machine type's name; the first that fits counts. */
static const struct qemuMachineName {
    const char *arch, *prefix;
    enum qemuMachineFamily family;
} qemuMachineNames[] = {
    { "x86_64", "pc-q35", QEMU_MACHINE_Q35 },        { "x86_64", "q35", QEMU_MACHINE_Q35 },
    { "x86_64", "isapc", QEMU_MACHINE_ISAPC },       { "x86_64", "microvm", QEMU_MACHINE_MICROVM },
    { "x86_64", "pc", QEMU_MACHINE_PC },             { "x86_64", "xenfv", QEMU_MACHINE_PC },
    { "aarch64", "virt", QEMU_MACHINE_VIRT },        { "riscv64", "virt", QEMU_MACHINE_VIRT },
    { "s390x", "s390-ccw", QEMU_MACHINE_CCW },       { "ppc64", "pseries", QEMU_MACHINE_PSERIES },
};

/* Architectures with the machines of another. */
static const char *
qemuMachineArchClass(const char *arch)
{
    static const char *const same[][2] = {
        { "i686", "x86_64" }, { "armv7l", "aarch64" }, { "armv6l", "aarch64" }, { "armv7b", "aarch64" },
        { "riscv32", "riscv64" }, { "ppc64le", "ppc64" }, { "s390", "s390x" },
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        if (strcmp(arch, same[i][0]) == 0)
            return same[i][1];
    return arch;
}

VIRT_INTERNAL struct qemuMachine
qemuMachineOf(xmlDocPtr doc)
{
    xmlNodePtr root = virXmlRoot(doc);
    const char *arch = virXmlString(root, "os/type/@arch"), *name = virXmlString(root, "os/type/@machine");
    struct qemuMachine machine = { .arch = arch != NULL ? arch : "", .name = name != NULL ? name : "" };
    const char *class = qemuMachineArchClass(machine.arch);

    for (size_t i = 0; i < sizeof(qemuMachineNames) / sizeof(qemuMachineNames[0]); i++) {
        const struct qemuMachineName *entry = &qemuMachineNames[i];

        if (strcmp(entry->arch, class) == 0 && strncmp(machine.name, entry->prefix, strlen(entry->prefix)) == 0) {
            machine.family = entry->family;
            break;
        }
    }
    machine.x86 = strcmp(class, "x86_64") == 0;
    machine.arm = strcmp(class, "aarch64") == 0;
    machine.pcieRoot = machine.family == QEMU_MACHINE_Q35 || machine.family == QEMU_MACHINE_VIRT;
    machine.pciRoot = machine.family == QEMU_MACHINE_PC || machine.family == QEMU_MACHINE_PSERIES ||
                      machine.family == QEMU_MACHINE_CCW || strncmp(machine.name, "versatilepb", 11) == 0 ||
                      strncmp(class, "sparc", 5) == 0 || strncmp(class, "mips", 4) == 0 ||
                      strcmp(machine.arch, "ppc") == 0 || strcmp(machine.arch, "alpha") == 0;
    return machine;
}

/* ---------- controllers ---------- */

VIRT_INTERNAL xmlNodePtr
qemuFindController(xmlDocPtr doc, const char *type, unsigned int index)
{
    xmlNodePtr devices = qemuPeekFirst(xmlDocGetRootElement(doc), "devices");

    QEMU_PEEK_EACH(controller, devices, "controller")
        if (qemuPeekIs(controller, "type", type) && qemuPeekUInt(controller, "index", 0) == index)
            return controller;
    return NULL;
}

VIRT_INTERNAL bool
qemuControllerIsBuiltin(xmlDocPtr doc, xmlNodePtr controller)
{
    struct qemuMachine machine = qemuMachineOf(doc);
    const char *type = qemuPeek(controller, "type"), *model = qemuPeek(controller, "model");
    unsigned int index = qemuPeekUInt(controller, "index", 0);

    if (type == NULL || index != 0)
        return false;
    if (strcmp(type, "pci") == 0)
        return true;
    if (strcmp(type, "isa") == 0)
        return machine.x86;
    if (strcmp(type, "ide") == 0)
        return machine.family == QEMU_MACHINE_PC || machine.family == QEMU_MACHINE_ISAPC || !machine.x86;
    if (strcmp(type, "sata") == 0)
        return machine.family == QEMU_MACHINE_Q35;
    if (strcmp(type, "fdc") == 0)
        return machine.family == QEMU_MACHINE_PC || machine.family == QEMU_MACHINE_ISAPC;
    /* The machine has a USB controller only if it is told so ("-machine usb=on"), which is never done for x86. */
    if (strcmp(type, "usb") == 0)
        return model == NULL && machine.family == QEMU_MACHINE_OTHER && !machine.x86;
    return false;
}

VIRT_INTERNAL int
qemuPciPlaceOf(xmlNodePtr device, struct qemuPciPlace *place)
{
    xmlNodePtr address = virXmlFirst(device, "address");

    memset(place, 0, sizeof(*place));
    if (address == NULL || !virXmlEquals(address, "@type", "pci") || qemuPeek(address, "slot") == NULL)
        return 0;
    if (virXmlUInt(address, "@domain", &place->domain) < 0 || virXmlUInt(address, "@bus", &place->bus) < 0 ||
        virXmlUInt(address, "@slot", &place->slot) < 0 || virXmlUInt(address, "@function", &place->function) < 0)
        return -1;
    return 1;
}

/* ---------- boot order ---------- */

/* What a device counts as in <os><boot dev>; NULL: it is nothing to boot from. */
static const char *
qemuBootKind(xmlNodePtr device)
{
    const char *kind;

    if (strcmp((const char *)device->name, "interface") == 0)
        return "network";
    if (strcmp((const char *)device->name, "disk") != 0)
        return NULL;
    kind = qemuPeek(device, "device");
    if (kind == NULL || strcmp(kind, "disk") == 0 || strcmp(kind, "lun") == 0)
        return "hd";
    return strcmp(kind, "floppy") == 0 ? "fd" : kind;
}

VIRT_INTERNAL int
qemuBootIndex(xmlDocPtr doc, xmlNodePtr device, unsigned int *order)
{
    const char *kind = qemuBootKind(device), *other;
    xmlNodePtr os = qemuPeekFirst(xmlDocGetRootElement(doc), "os");
    unsigned int position = 0;

    *order = 0;
    if (virXmlUInt(device, "boot/@order", order) != 0)
        return *order != 0 ? 0 : -1;
    if (kind == NULL)
        return 0;
    /* The list names kinds; the first device of a kind is meant. */
    for (xmlNodePtr before = device->prev; before != NULL; before = before->prev)
        if (before->type == XML_ELEMENT_NODE && (other = qemuBootKind(before)) != NULL && strcmp(other, kind) == 0)
            return 0;
    VIRT_XML_EACH(boot, os, "boot") {
        position++;
        if (virXmlEquals(boot, "@dev", kind)) {
            *order = position;
            return 0;
        }
    }
    return 0;
}

/* ---------- a place on a bus, one function per kind of address ---------- */

/* The bus that a controller provides: its alias, with what QEMU appends to it. Caller frees. */
static char *
qemuBusOf(struct qemuCommand *command, const char *type, unsigned int index, const char *suffix)
{
    xmlNodePtr controller = qemuFindController(command->doc, type, index);
    const char *alias;

    if (controller == NULL) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "there is no controller of type '%s' with index %u", type, index);
        return NULL;
    }
    if ((alias = qemuDeviceAlias(controller)) == NULL)
        return NULL;
    /* Built-in controllers have names that QEMU gave them. */
    if (qemuControllerIsBuiltin(command->doc, controller)) {
        if (strcmp(type, "ide") == 0 || strcmp(type, "sata") == 0)
            alias = "ide";
        else if (strcmp(type, "usb") == 0)
            alias = "usb-bus";
    }
    return virStringFormat("%s%s", alias, suffix);
}

static int
qemuAddPciBus(struct qemuCommand *command, const struct qemuPciPlace *place, cJSON *object)
{
    struct qemuMachine machine = qemuMachineOf(command->doc);
    xmlNodePtr bus = qemuFindController(command->doc, "pci", place->bus);
    VIRT_CLEANUP_FREE char *name = NULL;

    if (place->domain != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                              "PCI address %04x:%02x:%02x.%x: QEMU has PCI domain 0 only",
                              place->domain, place->bus, place->slot, place->function);
    if (place->bus == 0 && bus != NULL) {
        const char *root = machine.pcieRoot ? "pcie.0" : strcmp(machine.arch, "ppc") == 0 || strncmp(machine.arch, "sparc", 5) == 0 ?
                           "pci" : "pci.0";

        return virJsonAdd(object, "s:bus", root, NULL);
    }
    /* The bus of a further host bridge of pseries is named after the bridge, plus ".0". */
    if ((name = qemuBusOf(command, "pci", place->bus, bus != NULL && qemuPeekIs(bus, "model", "pci-root") ? ".0" : "")) == NULL)
        return -1;
    return virJsonAdd(object, "s:bus", name, NULL);
}

static int
qemuAddPciAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    struct qemuPciPlace place;
    char addr[32];
    bool multifunction = false;
    int rc = qemuPciPlaceOf(device, &place);
    unsigned int acpi = 0;

    if (rc <= 0)
        return rc;
    if (place.function != 0)
        snprintf(addr, sizeof(addr), "0x%x.0x%x", place.slot, place.function);
    else
        snprintf(addr, sizeof(addr), "0x%x", place.slot);
    if (virXmlBool(address, "@multifunction", &multifunction) < 0 || virXmlUInt(device, "acpi/@index", &acpi) < 0 ||
        qemuAddPciBus(command, &place, object) < 0 ||
        virJsonAdd(object, "B:multifunction", (int)multifunction, "s:addr", addr, "U:acpi-index", (unsigned long long)acpi,
                   NULL) < 0)
        return -1;
    return 0;
}

/* Disks and what sits on a SCSI bus. */
static int
qemuAddDriveAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    unsigned int controller = 0, bus = 0, target = 0, unit = 0;
    const char *kind = virXmlIs(device, "disk") ? virXmlString(device, "target/@bus") : "scsi";
    VIRT_CLEANUP_FREE char *name = NULL;
    char suffix[32];

    if (virXmlUInt(address, "@controller", &controller) < 0 || virXmlUInt(address, "@bus", &bus) < 0 ||
        virXmlUInt(address, "@target", &target) < 0 || virXmlUInt(address, "@unit", &unit) < 0)
        return -1;
    if (kind == NULL || strcmp(kind, "fdc") == 0)
        return virJsonAdd(object, "i:unit", (int)unit, NULL);
    if (strcmp(kind, "ide") == 0 || strcmp(kind, "sata") == 0) {
        bool sata = strcmp(kind, "sata") == 0;

        snprintf(suffix, sizeof(suffix), ".%u", sata ? unit : bus);
        if ((name = qemuBusOf(command, kind, controller, suffix)) == NULL || virJsonAdd(object, "s:bus", name, NULL) < 0)
            return -1;
        return sata ? 0 : virJsonAdd(object, "i:unit", (int)unit, NULL);
    }
    if ((name = qemuBusOf(command, "scsi", controller, ".0")) == NULL || virJsonAdd(object, "s:bus", name, NULL) < 0)
        return -1;
    if (qemuPeekIs(qemuFindController(command->doc, "scsi", controller), "model", "lsilogic"))
        return virJsonAdd(object, "i:scsi-id", (int)unit, NULL);
    return virJsonAdd(object, "i:channel", (int)bus, "i:scsi-id", (int)target, "i:lun", (int)unit, NULL);
}

static int
qemuAddPortAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    unsigned int controller = 0, port = 0;
    VIRT_CLEANUP_FREE char *name = NULL;

    (void)device;
    if (virXmlUInt(address, "@controller", &controller) < 0 || virXmlUInt(address, "@bus", &port) < 0)
        return -1;
    port = 0;
    if (virXmlUInt(address, "@port", &port) < 0 ||
        (name = qemuBusOf(command, "virtio-serial", controller, ".0")) == NULL)
        return -1;
    return virJsonAdd(object, "s:bus", name, "i:nr", (int)port, NULL);
}

static int
qemuAddCcidAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    unsigned int controller = 0, slot = 0;
    VIRT_CLEANUP_FREE char *name = NULL;

    (void)device;
    if (virXmlUInt(address, "@controller", &controller) < 0 || virXmlUInt(address, "@slot", &slot) < 0 ||
        (name = qemuBusOf(command, "ccid", controller, ".0")) == NULL)
        return -1;
    return virJsonAdd(object, "s:bus", name, NULL);
}

static int
qemuAddUsbAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    unsigned int bus = 0;
    const char *port = virXmlString(address, "@port");
    VIRT_CLEANUP_FREE char *name = NULL;

    (void)device;
    if (virXmlUInt(address, "@bus", &bus) < 0 || (name = qemuBusOf(command, "usb", bus, ".0")) == NULL)
        return -1;
    return virJsonAdd(object, "s:bus", name, "S:port", port, NULL);
}

static int
qemuAddVioAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    unsigned long long reg = 0;
    int rc = virXmlULongLong(address, "@reg", &reg);

    (void)command;
    (void)device;
    return rc <= 0 ? rc : virJsonAdd(object, "u:reg", reg, NULL);
}

static int
qemuAddCcwAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    unsigned int cssid = 0, ssid = 0, devno = 0;
    char text[32];

    (void)command;
    (void)device;
    if (virXmlUInt(address, "@cssid", &cssid) < 0 || virXmlUInt(address, "@ssid", &ssid) < 0 ||
        virXmlUInt(address, "@devno", &devno) < 0)
        return -1;
    snprintf(text, sizeof(text), "%x.%x.%04x", cssid, ssid, devno);
    return virJsonAdd(object, "s:devno", text, NULL);
}

static int
qemuAddIsaAddress(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object)
{
    unsigned long long iobase = 0, irq = 0;

    (void)command;
    (void)device;
    if (virXmlULongLong(address, "@iobase", &iobase) < 0 || virXmlULongLong(address, "@irq", &irq) < 0)
        return -1;
    return virJsonAdd(object, "U:iobase", iobase, "U:irq", irq, NULL);
}

static const struct qemuAddressKind {
    const char *type;
    int (*add)(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr address, cJSON *object);
} qemuAddressKinds[] = {
    { "pci", qemuAddPciAddress },
    { "drive", qemuAddDriveAddress },
    { "virtio-serial", qemuAddPortAddress },
    { "ccid", qemuAddCcidAddress },
    { "usb", qemuAddUsbAddress },
    { "spapr-vio", qemuAddVioAddress },
    { "ccw", qemuAddCcwAddress },
    { "isa", qemuAddIsaAddress },
    { "virtio-mmio", NULL },              /* QEMU chooses the next free one */
    { "virtio-s390", NULL },
    { "dimm", NULL },                     /* see memory.c */
    { "unassigned", NULL },
};

static int
qemuAddAddress(struct qemuCommand *command, xmlNodePtr device, cJSON *object)
{
    xmlNodePtr address = virXmlFirst(device, "address");
    const char *type;

    if (address == NULL)
        return 0;
    type = virXmlNeed(address, "@type");
    for (size_t i = 0; type != NULL && i < sizeof(qemuAddressKinds) / sizeof(qemuAddressKinds[0]); i++)
        if (strcmp(type, qemuAddressKinds[i].type) == 0)
            return qemuAddressKinds[i].add == NULL ? 0 : qemuAddressKinds[i].add(command, device, address, object);
    return type == NULL ? -1 : virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "%s: unknown address type '%s'",
                                              (const char *)device->name, type);
}

/* ---------- what the builders call ---------- */

VIRT_INTERNAL const char *
qemuDeviceAlias(xmlNodePtr device)
{
    const char *alias = virXmlString(device, "alias/@name");

    if (alias == NULL)
        virReportError(VIR_ERR_INTERNAL_ERROR, "a <%s> has no alias", (const char *)device->name);
    return alias;
}

VIRT_INTERNAL cJSON *
qemuDeviceObject(struct qemuCommand *command, xmlNodePtr device, const char *driver, bool bootindex)
{
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    const char *alias = qemuDeviceAlias(device), *loadparm;
    unsigned int order = 0;
    cJSON *result;

    if (alias == NULL || driver == NULL || (object = virJsonObject("s:driver", driver, "s:id", alias, NULL)) == NULL ||
        qemuAddAddress(command, device, object) < 0)
        return NULL;
    /* The index of a floppy drive is the controller's business (controller.c). */
    if (bootindex && !(virXmlIs(device, "disk") && virXmlEquals(device, "target/@bus", "fdc"))) {
        if (qemuBootIndex(command->doc, device, &order) < 0 ||
            virJsonAdd(object, "U:bootindex", (unsigned long long)order, NULL) < 0)
            return NULL;
        if ((loadparm = virXmlString(device, "boot/@loadparm")) != NULL &&
            virJsonAdd(object, "s:loadparm", loadparm, NULL) < 0)
            return NULL;
    }
    result = object;
    object = NULL;
    return result;
}

VIRT_INTERNAL char *
qemuVirtioDriver(xmlNodePtr device, const char *base)
{
    xmlNodePtr address = virXmlFirst(device, "address");
    const char *type = address != NULL ? virXmlString(address, "@type") : NULL;
    const char *model = strcmp((const char *)device->name, "interface") == 0 ? virXmlString(device, "model/@type") :
                        virXmlString(device, "@model");
    const char *variant = "";

    if (model != NULL && strcmp(model, "virtio-transitional") == 0)
        variant = "-transitional";
    else if (model != NULL && strcmp(model, "virtio-non-transitional") == 0)
        variant = "-non-transitional";
    if (type == NULL || strcmp(type, "pci") == 0 || strcmp(type, "unassigned") == 0)
        return virStringFormat("%s-pci%s", base, variant);
    if (*variant != '\0') {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "%s model '%s' needs a PCI address, not one of type '%s'",
                       (const char *)device->name, model, type);
        return NULL;
    }
    if (strcmp(type, "ccw") == 0)
        return virStringFormat("%s-ccw", base);
    if (strcmp(type, "virtio-mmio") == 0)
        return virStringFormat("%s-device", base);
    virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "a virtio %s cannot have an address of type '%s'",
                   (const char *)device->name, type);
    return NULL;
}

VIRT_INTERNAL int
qemuAddVirtioOptions(xmlNodePtr device, cJSON *object)
{
    static const char *const options[][2] = {
        { "@iommu", "T:iommu_platform" }, { "@ats", "T:ats" }, { "@packed", "T:packed" },
        { "@page_per_vq", "T:page-per-vq" },
    };
    xmlNodePtr driver = virXmlFirst(device, "driver");
    const char *name = virJsonString(object, "driver");
    size_t length = name != NULL ? strlen(name) : 0;
    bool modern = length > 4 && strcmp(name + length - 4, "-pci") == 0;

    for (size_t i = 0; driver != NULL && i < sizeof(options) / sizeof(options[0]); i++) {
        bool value = false;
        int rc = virXmlBool(driver, options[i][0], &value);

        if (rc < 0 || (rc > 0 && virJsonAdd(object, options[i][1], (int)value, NULL) < 0))
            return -1;
        /* An IOMMU is out of the old interface's reach, and on a conventional bus QEMU has that on by default. */
        if (i == 0 && value && modern && virJsonAdd(object, "s:disable-legacy", "on", NULL) < 0)
            return -1;
    }
    return 0;
}

#undef VIRT_FROM
