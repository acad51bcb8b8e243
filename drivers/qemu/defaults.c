/*
 * What a document leaves open: the models of devices, and the devices that every machine of its kind has without being told. These are libvirt's
 * choices, which people know: a guest defined here is the one that they would have got there.
 */
#include "complete.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

static int
qemuDefault(xmlNodePtr node, const char *path, const char *value)
{
    return virXmlString(node, path) != NULL ? 0 : virXmlSet(node, path, "%s", value);
}

/* A new element after all of its own kind, or at the end of the devices. */
static xmlNodePtr
qemuDefaultAdd(xmlNodePtr devices, const char *name)
{
    xmlNodePtr last = NULL;

    QEMU_PEEK_EACH(node, devices, name)
        last = node;
    return last != NULL ? virXmlAddAfter(last, name) : virXmlAdd(devices, name);
}

/* ---------- the processor ---------- */

static int
qemuDefaultCpu(xmlDocPtr doc, const struct qemuMachine *machine)
{
    xmlNodePtr root = virXmlRoot(doc), cpu = virXmlFirst(root, "cpu"), after = NULL, model;

    if (!machine->x86 || (cpu != NULL && (virXmlString(cpu, "model") != NULL ||
                          (virXmlString(cpu, "@mode") != NULL && !virXmlEquals(cpu, "@mode", "custom")))))
        return 0;
    if (cpu == NULL) {
        if ((after = virXmlFirst(root, "features")) == NULL)
            after = virXmlFirst(root, "os");
        cpu = after != NULL ? virXmlAddAfter(after, "cpu") : virXmlAdd(root, "cpu");
    }
    if (cpu == NULL || qemuDefault(cpu, "@mode", "custom") < 0 || qemuDefault(cpu, "@match", "exact") < 0 || qemuDefault(cpu, "@check", "none") < 0)
        return -1;
    model = virXmlFirst(cpu, "model");
    if (virXmlSet(cpu, "model", "%s", strcmp(machine->arch, "i686") == 0 ? "qemu32" : "qemu64") < 0 || qemuDefault(cpu, "model/@fallback", "forbid") < 0)
        return -1;
    /* The model comes first. */
    if (model == NULL && (model = virXmlFirst(cpu, "model")) != NULL && cpu->children != model)
        xmlAddPrevSibling(cpu->children, model);
    return 0;
}

/* ---------- models ---------- */

static int
qemuDefaultInterface(xmlNodePtr interface, const struct qemuMachine *machine)
{
    const char *model = "rtl8139";

    if (virXmlEquals(interface, "@type", "hostdev") || virXmlString(interface, "model/@type") != NULL)
        return 0;
    if (machine->family == QEMU_MACHINE_CCW || machine->family == QEMU_MACHINE_VIRT || machine->family == QEMU_MACHINE_MICROVM ||
        virXmlEquals(interface, "@type", "vdpa") || virXmlEquals(interface, "@type", "vhostuser"))
        model = "virtio";
    else if (machine->arm)
        model = strncmp(machine->name, "versatile", 9) == 0 ? "smc91c111" : "lan9118";
    return virXmlSet(interface, "model/@type", "%s", model);
}

static int
qemuDefaultVideo(xmlNodePtr video, const struct qemuMachine *machine, bool first)
{
    const char *type = virXmlString(video, "model/@type");

    if (type == NULL) {
        type = machine->x86 ? "cirrus" : machine->family == QEMU_MACHINE_PSERIES ? "vga" : "virtio";
        if (virXmlSet(video, "model/@type", "%s", type) < 0)
            return -1;
    }
    if (strcmp(type, "none") == 0)
        return 0;
    if (strcmp(type, "qxl") == 0) {
        if (qemuDefault(video, "model/@ram", "65536") < 0 || qemuDefault(video, "model/@vram", "65536") < 0 || qemuDefault(video, "model/@vgamem", "16384") < 0)
            return -1;
    } else if ((strcmp(type, "vga") == 0 || strcmp(type, "cirrus") == 0 || strcmp(type, "vmvga") == 0) && qemuDefault(video, "model/@vram", "16384") < 0) {
        return -1;
    }
    return first ? qemuDefault(video, "model/@primary", "yes") : 0;
}

static int
qemuDefaultInput(xmlNodePtr input, const struct qemuMachine *machine)
{
    const char *type = virXmlString(input, "@type");
    bool ps2 = machine->x86 && type != NULL && (strcmp(type, "mouse") == 0 || strcmp(type, "keyboard") == 0);

    if (type == NULL || virXmlString(input, "@bus") != NULL || strcmp(type, "evdev") == 0)
        return 0;
    if (strcmp(type, "passthrough") == 0 || machine->family == QEMU_MACHINE_CCW)
        return virXmlSet(input, "@bus", "virtio");
    return virXmlSet(input, "@bus", "%s", ps2 ? "ps2" : "usb");
}

/* The kind of serial port a machine has, and what QEMU calls it. */
static const char *
qemuDefaultSerialType(xmlNodePtr serial, const struct qemuMachine *machine)
{
    xmlNodePtr address = qemuPeekFirst(serial, "address");

    if (qemuPeekIs(address, "type", "usb"))
        return "usb-serial";
    if (qemuPeekIs(address, "type", "pci"))
        return "pci-serial";
    if (machine->family == QEMU_MACHINE_PSERIES)
        return "spapr-vio-serial";
    if (machine->family == QEMU_MACHINE_CCW)
        return "sclp-serial";
    return machine->x86 ? "isa-serial" : "system-serial";
}

static int
qemuDefaultSerial(xmlNodePtr serial, const struct qemuMachine *machine)
{
    static const struct { const char *type, *model; } models[] = {
        { "isa-serial", "isa-serial" }, { "usb-serial", "usb-serial" }, { "pci-serial", "pci-serial" }, { "spapr-vio-serial", "spapr-vty" },
        { "sclp-serial", "sclpconsole" },
    };
    const char *type = virXmlString(serial, "target/@type");

    if (type == NULL || strcmp(type, "serial") == 0) {
        type = qemuDefaultSerialType(serial, machine);
        if (virXmlSet(serial, "target/@type", "%s", type) < 0)
            return -1;
    }
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
        if (strcmp(type, models[i].type) == 0)
            return qemuDefault(serial, "target/model/@name", models[i].model);
    if (strcmp(type, "system-serial") == 0 && (machine->arm || machine->family == QEMU_MACHINE_VIRT))
        return qemuDefault(serial, "target/model/@name", machine->arm ? "pl011" : "16550a");
    return 0;
}

/* Ports count from 0; what is taken stays. */
static int
qemuDefaultPorts(xmlNodePtr devices, const char *element)
{
    QEMU_PEEK_EACH(device, devices, element) {
        unsigned int port = 0;
        bool taken = true;

        if (qemuPeek(qemuPeekFirst(device, "target"), "port") != NULL)
            continue;
        while (taken) {
            taken = false;
            QEMU_PEEK_EACH(other, devices, element)
                taken = taken || qemuPeekUInt(qemuPeekFirst(other, "target"), "port", ~0u) == port;
            port += taken;
        }
        if (virXmlSet(device, "target/@port", "%u", port) < 0)
            return -1;
    }
    return 0;
}

/* ---------- consoles ---------- */

/* A <console> that is the serial port `serial` under another name. */
static int
qemuDefaultAddConsole(xmlNodePtr devices, xmlNodePtr serial, xmlNodePtr before)
{
    static const char *const backend[] = { "source", "protocol", "log" };
    xmlNodePtr console, twin, last = serial;

    QEMU_PEEK_EACH(other, devices, "serial")
        last = other;
    if ((console = virXmlAddAfter(last, "console")) == NULL || (before != NULL && xmlAddPrevSibling(before, console) == NULL) ||
        virXmlSet(console, "@type", "%s", qemuPeek(serial, "type") != NULL ? qemuPeek(serial, "type") : "pty") < 0 ||
        virXmlSet(console, "target/@type", "serial") < 0 || virXmlSet(console, "target/@port", "0") < 0)
        return -1;
    QEMU_PEEK_EACH(source, serial, NULL)
        for (size_t i = 0; i < sizeof(backend) / sizeof(backend[0]); i++) {
            if (strcmp((const char *)source->name, backend[i]) != 0)
                continue;
            if ((twin = xmlDocCopyNode(source, devices->doc, 1)) == NULL)
                return virReportNoMemory();
            xmlAddPrevSibling(qemuPeekFirst(console, "target"), twin);
        }
    return 0;
}

/*
 * The first <console> of most machines is their first serial port: where there is one of the two, there is the other. s390 has its own kind of console
 * instead of a port.
 */
static int
qemuDefaultConsole(xmlNodePtr devices, const struct qemuMachine *machine)
{
    xmlNodePtr console = qemuPeekFirst(devices, "console"), serial = qemuPeekFirst(devices, "serial"), copy;
    bool first = true;

    for (xmlNodePtr each = console; each != NULL; each = qemuPeekNext(each, "console")) {
        if (qemuDefault(each, "target/@type", first ? machine->family == QEMU_MACHINE_CCW && serial == NULL ? "sclp" : "serial" : "virtio") < 0)
            return -1;
        first = false;
    }
    if (console != NULL && serial == NULL && qemuPeekIs(qemuPeekFirst(console, "target"), "type", "serial")) {
        /* The console's backend becomes the port's. */
        if ((copy = xmlDocCopyNode(console, devices->doc, 1)) == NULL)
            return virReportNoMemory();
        xmlNodeSetName(copy, BAD_CAST "serial");
        if (xmlAddPrevSibling(console, copy) == NULL) {
            xmlFreeNode(copy);
            return virReportNoMemory();
        }
        virXmlRemove(copy, "target/@type");
        virXmlRemove(copy, "alias/@name");
        virXmlRemove(copy, "address");
        return 0;
    }
    if (serial == NULL || machine->family == QEMU_MACHINE_CCW || qemuPeekIs(qemuPeekFirst(console, "target"), "type", "serial") ||
        qemuPeekIs(qemuPeekFirst(serial, "target"), "type", "usb-serial") || qemuPeekIs(qemuPeekFirst(serial, "target"), "type", "pci-serial"))
        return 0;
    return qemuDefaultAddConsole(devices, serial, console);
}

/* ---------- devices every machine has ---------- */

static bool
qemuDefaultHasInput(xmlNodePtr devices, const char *type, const char *bus)
{
    QEMU_PEEK_EACH(input, devices, "input")
        if (qemuPeekIs(input, "type", type) && qemuPeekIs(input, "bus", bus))
            return true;
    return false;
}

static int
qemuDefaultInputs(xmlNodePtr devices, const struct qemuMachine *machine)
{
    static const char *const types[] = { "mouse", "keyboard" };
    const char *bus = machine->x86 ? "ps2" : "usb";

    if (!machine->x86 && !(machine->family == QEMU_MACHINE_PSERIES && qemuPeekFirst(devices, "graphics") != NULL))
        return 0;
    for (size_t i = 0; i < 2; i++) {
        xmlNodePtr input;

        if (qemuDefaultHasInput(devices, types[i], bus))
            continue;
        if ((input = qemuDefaultAdd(devices, "input")) == NULL || virXmlSet(input, "@type", "%s", types[i]) < 0 || virXmlSet(input, "@bus", "%s", bus) < 0)
            return -1;
    }
    return 0;
}

static int
qemuDefaultPanic(xmlNodePtr devices, const struct qemuMachine *machine)
{
    const char *model = machine->family == QEMU_MACHINE_PSERIES ? "pseries" : machine->family == QEMU_MACHINE_CCW ? "s390" : NULL;
    xmlNodePtr panic = qemuPeekFirst(devices, "panic");

    if (panic == NULL && model != NULL && (panic = virXmlAdd(devices, "panic")) == NULL)
        return -1;
    QEMU_PEEK_EACH(each, devices, "panic")
        if (qemuDefault(each, "@model", model != NULL ? model : machine->x86 ? "isa" : "pvpanic") < 0)
            return -1;
    return 0;
}

static int
qemuDefaultDevices(xmlNodePtr devices, const struct qemuMachine *machine)
{
    xmlNodePtr made;

    if (qemuPeekFirst(devices, "memballoon") == NULL && machine->family != QEMU_MACHINE_ISAPC && (machine->family != QEMU_MACHINE_OTHER || machine->x86) &&
        ((made = virXmlAdd(devices, "memballoon")) == NULL || virXmlSet(made, "@model", "virtio") < 0))
        return -1;
    if (qemuPeekFirst(devices, "graphics") != NULL && qemuPeekFirst(devices, "video") == NULL && virXmlAdd(devices, "video") == NULL)
        return -1;
    return qemuDefaultInputs(devices, machine) < 0 ? -1 : qemuDefaultPanic(devices, machine);
}

/* ---------- controllers ---------- */

static const char *
qemuDefaultScsi(const struct qemuMachine *machine)
{
    return machine->family == QEMU_MACHINE_PSERIES ? "ibmvscsi" : machine->x86 ? "lsilogic" : "virtio-scsi";
}

static const char *
qemuDefaultUsb(const struct qemuMachine *machine, unsigned int index)
{
    if (machine->family == QEMU_MACHINE_CCW)
        return index == 0 ? "none" : NULL;
    if (machine->family == QEMU_MACHINE_PSERIES || machine->family == QEMU_MACHINE_VIRT || machine->family == QEMU_MACHINE_MICROVM)
        return "qemu-xhci";
    return machine->x86 ? "piix3-uhci" : NULL;
}

static int
qemuDefaultControllerModels(xmlNodePtr devices, const struct qemuMachine *machine)
{
    QEMU_PEEK_EACH(controller, devices, "controller") {
        const char *model = NULL;
        unsigned int index = qemuPeekUInt(controller, "index", 0);

        if (qemuPeekIs(controller, "type", "scsi") && (qemuPeek(controller, "model") == NULL || qemuPeekIs(controller, "model", "auto")))
            model = qemuDefaultScsi(machine);
        else if (qemuPeekIs(controller, "type", "usb") && qemuPeek(controller, "model") == NULL)
            model = qemuDefaultUsb(machine, index);
        else if (qemuPeekIs(controller, "type", "pci") && qemuPeek(controller, "model") == NULL && index == 0)
            model = machine->pcieRoot ? "pcie-root" : "pci-root";
        if (model != NULL && virXmlSet(controller, "@model", "%s", model) < 0)
            return -1;
    }
    return 0;
}

/*
 * The index of a controller of the ICH9 set that has none: that of the set begun last, unless this model is in it already. -1: a set of
 * its own.
 */
static int
qemuDefaultIch9Index(xmlNodePtr devices, xmlNodePtr controller)
{
    const char *model = qemuPeek(controller, "model");
    xmlNodePtr begun = NULL;

    if (!qemuPeekIs(controller, "type", "usb") || model == NULL || strncmp(model, "ich9-", 5) != 0)
        return -1;
    for (xmlNodePtr other = qemuPeekFirst(devices, "controller"); other != NULL && other != controller; other = qemuPeekNext(other, "controller"))
        if (qemuPeekIs(other, "type", "usb") && qemuPeek(other, "model") != NULL && strncmp(qemuPeek(other, "model"), "ich9-", 5) == 0)
            begun = other;
    if (begun == NULL)
        return -1;
    QEMU_PEEK_EACH(other, devices, "controller")
        if (other != controller && qemuPeekIs(other, "type", "usb") && qemuPeekIs(other, "model", model) && qemuPeek(other, "index") != NULL &&
            qemuPeekUInt(other, "index", 0) == qemuPeekUInt(begun, "index", 0))
            return -1;
    return (int)qemuPeekUInt(begun, "index", 0);
}

/* An index for those that have none: the next free one of their type. */
static int
qemuDefaultControllerIndexes(xmlNodePtr devices)
{
    QEMU_PEEK_EACH(controller, devices, "controller") {
        const char *type = qemuPeek(controller, "type"), *model = qemuPeek(controller, "model");
        int set = qemuDefaultIch9Index(devices, controller);
        unsigned int index = set >= 0 ? (unsigned int)set : 0;
        bool taken = set < 0;

        if (type == NULL)
            continue;
        for (; taken && qemuPeek(controller, "index") == NULL; index += taken) {
            taken = false;
            QEMU_PEEK_EACH(other, devices, "controller")
                taken = taken || (other != controller && qemuPeekIs(other, "type", type) && qemuPeekUInt(other, "index", ~0u) == index);
        }
        if (qemuPeek(controller, "index") == NULL && virXmlSet(controller, "@index", "%u", index) < 0)
            return -1;
        if (strcmp(type, "usb") == 0 && model != NULL && strncmp(model, "ich9-uhci", 9) == 0 && qemuPeekFirst(controller, "master") == NULL &&
            virXmlSet(controller, "master/@startport", "%d", 2 * (model[9] - '1')) < 0)
            return -1;
    }
    return 0;
}

/* Companions that the model of the first implies: an EHCI controller of ICH9 serves old devices through three others. */
static int
qemuDefaultCompanions(xmlNodePtr devices)
{
    QEMU_PEEK_EACH(controller, devices, "controller") {
        unsigned int index = qemuPeekUInt(controller, "index", 0);
        bool alone = true;
        xmlNodePtr after = controller;

        if (!qemuPeekIs(controller, "type", "usb") || !qemuPeekIs(controller, "model", "ich9-ehci1"))
            continue;
        QEMU_PEEK_EACH(other, devices, "controller")
            alone = alone && (other == controller || !qemuPeekIs(other, "type", "usb") || qemuPeekUInt(other, "index", 0) != index);
        for (unsigned int i = 0; alone && i < 3; i++)
            if ((after = virXmlAddAfter(after, "controller")) == NULL || virXmlSet(after, "@type", "usb") < 0 ||
                virXmlSet(after, "@index", "%u", index) < 0 || virXmlSet(after, "@model", "ich9-uhci%u", i + 1) < 0 ||
                virXmlSet(after, "master/@startport", "%u", 2 * i) < 0)
                return -1;
    }
    return 0;
}

static int
qemuDefaultControllers(xmlDocPtr doc, xmlNodePtr devices, const struct qemuMachine *machine)
{
    const char *usb = machine->family == QEMU_MACHINE_Q35 ? "qemu-xhci" : qemuDefaultUsb(machine, 0);
    bool defaultUsb = machine->family == QEMU_MACHINE_PC || machine->family == QEMU_MACHINE_Q35 || machine->family == QEMU_MACHINE_PSERIES;

    if (qemuDefaultControllerIndexes(devices) < 0)
        return -1;
    if (defaultUsb && qemuFindController(doc, "usb", 0) == NULL && qemuEnsureController(doc, "usb", 0, usb) == NULL)
        return -1;
    if (machine->family == QEMU_MACHINE_Q35 && qemuEnsureController(doc, "sata", 0, NULL) == NULL)
        return -1;
    if ((machine->pciRoot || machine->pcieRoot) && qemuEnsureController(doc, "pci", 0, machine->pcieRoot ? "pcie-root" : "pci-root") == NULL)
        return -1;
    return qemuDefaultControllerModels(devices, machine) < 0 ? -1 : qemuDefaultCompanions(devices);
}

/* ---------- all of it ---------- */

static const struct qemuDefaultAttribute {
    const char *element, *path, *value;
} qemuDefaultAttributes[] = {
    { "watchdog", "@model", NULL }, { "watchdog", "@action", "reset" }, { "rng", "@model", "virtio" }, { "vsock", "@model", "virtio" },
    { "memballoon", "@model", "virtio" }, { "channel", "target/@type", "virtio" }, { "hostdev", "@mode", "subsystem" }, { "redirdev", "@bus", "usb" },
};

static int
qemuDefaultModels(xmlNodePtr devices, const struct qemuMachine *machine)
{
    bool first = true;

    for (size_t i = 0; i < sizeof(qemuDefaultAttributes) / sizeof(qemuDefaultAttributes[0]); i++) {
        const struct qemuDefaultAttribute *each = &qemuDefaultAttributes[i];
        const char *value = each->value != NULL ? each->value : machine->family == QEMU_MACHINE_CCW ? "diag288" : "i6300esb";

        QEMU_PEEK_EACH(device, devices, each->element)
            if (qemuDefault(device, each->path, value) < 0)
                return -1;
    }
    QEMU_PEEK_EACH(interface, devices, "interface")
        if (qemuDefaultInterface(interface, machine) < 0)
            return -1;
    QEMU_PEEK_EACH(video, devices, "video")
        if (qemuPeekIs(qemuPeekFirst(video, "model"), "primary", "yes"))
            first = false;
    QEMU_PEEK_EACH(video, devices, "video") {
        if (qemuDefaultVideo(video, machine, first) < 0)
            return -1;
        first = false;
    }
    QEMU_PEEK_EACH(input, devices, "input")
        if (qemuDefaultInput(input, machine) < 0)
            return -1;
    QEMU_PEEK_EACH(serial, devices, "serial")
        if (qemuDefaultSerial(serial, machine) < 0)
            return -1;
    return 0;
}

VIRT_INTERNAL int
qemuDefaultsComplete(xmlDocPtr doc)
{
    struct qemuMachine machine = qemuMachineOf(doc);
    xmlNodePtr root = virXmlRoot(doc), devices = virXmlFirst(root, "devices");

    if (devices == NULL && (devices = virXmlAdd(root, "devices")) == NULL)
        return -1;
    if (qemuDefaultCpu(doc, &machine) < 0 || qemuDefaultConsole(devices, &machine) < 0 || qemuDefaultModels(devices, &machine) < 0 ||
        qemuDefaultDevices(devices, &machine) < 0 ||
        /* once more, for what has been added */
        qemuDefaultModels(devices, &machine) < 0)
        return -1;
    if (qemuDefaultPorts(devices, "serial") < 0 || qemuDefaultPorts(devices, "parallel") < 0 || qemuDefaultPorts(devices, "console") < 0)
        return -1;
    return qemuDefaultControllers(doc, devices, &machine);
}

#undef VIRT_FROM
