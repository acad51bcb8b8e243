/*
 * Addresses other than PCI and USB: drives by their target name, ports of virtio-serial controllers, slots of memory and of smartcards, and the flat
 * spaces of s390 and POWER. Part of completion; what has an address keeps it.
 */
#include "complete.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- drives ---------- */

/* How many drives a controller of each kind has, and how they are counted. */
static const struct qemuDriveBus {
    const char *bus;
    unsigned int units, buses;        /* per bus, buses per controller */
} qemuDriveBuses[] = {
    { "ide", 2, 2 }, { "sata", 6, 1 }, { "scsi", 7, 1 }, { "fdc", 2, 1 },
};

/* The number in a target's name: "sda" 0, "sdb" 1, "sdaa" 26; -1: none. */
static int
qemuDriveIndex(const char *target)
{
    int index = 0;
    const char *at = target;

    if (at == NULL || strlen(at) < 3)
        return -1;
    for (at += strncmp(at, "xvd", 3) == 0 || strncmp(at, "ubd", 3) == 0 ? 3 : 2; *at >= 'a' && *at <= 'z' && index < 20000; at++)
        index = index * 26 + (*at - 'a' + 1);
    return index > 0 ? index - 1 : -1;
}

static bool
qemuDriveIsTaken(xmlNodePtr devices, xmlNodePtr self, const char *bus, unsigned int controller, unsigned int at, unsigned int unit)
{
    QEMU_PEEK_EACH(other, devices, NULL) {
        xmlNodePtr address = qemuPeekFirst(other, "address");
        bool disk = strcmp((const char *)other->name, "disk") == 0;
        const char *otherBus = disk ? qemuPeek(qemuPeekFirst(other, "target"), "bus") : strcmp((const char *)other->name, "hostdev") == 0 ? "scsi" : NULL;

        if (other == self || address == NULL || otherBus == NULL || strcmp(otherBus, bus) != 0 || !qemuPeekIs(address, "type", "drive"))
            continue;
        if (qemuPeekUInt(address, "controller", 0) == controller && qemuPeekUInt(address, "bus", 0) == at && qemuPeekUInt(address, "target", 0) == 0 &&
            qemuPeekUInt(address, "unit", 0) == unit)
            return true;
    }
    return false;
}

static int
qemuDriveSet(xmlNodePtr device, unsigned int controller, unsigned int bus, unsigned int unit)
{
    return virXmlSet(device, "address/@type", "drive") < 0 || virXmlSet(device, "address/@controller", "%u", controller) < 0 ||
           virXmlSet(device, "address/@bus", "%u", bus) < 0 || virXmlSet(device, "address/@target", "0") < 0 ||
           virXmlSet(device, "address/@unit", "%u", unit) < 0 ? -1 : 0;
}

/* The place that the number stands for, or, if it is taken, the next that is free. */
static int
qemuDrivePlace(xmlNodePtr devices, xmlNodePtr device, const struct qemuDriveBus *bus, unsigned int index)
{
    for (unsigned int tries = 0; tries < 4096; tries++, index++) {
        unsigned int perController = bus->units * bus->buses;
        unsigned int controller = index / perController, at = index % perController / bus->units, unit = index % bus->units;

        if (!qemuDriveIsTaken(devices, device, bus->bus, controller, at, unit))
            return qemuDriveSet(device, controller, at, unit);
    }
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "there are more %s drives than controllers can take", bus->bus);
}

/* Every controller up to the highest that is named. */
static int
qemuDriveEnsure(xmlDocPtr doc, xmlNodePtr devices, const char *bus)
{
    unsigned int count = 0;

    QEMU_PEEK_EACH(device, devices, NULL) {
        xmlNodePtr address = qemuPeekFirst(device, "address");
        bool disk = strcmp((const char *)device->name, "disk") == 0, host = strcmp((const char *)device->name, "hostdev") == 0;
        const char *on = disk ? qemuPeek(qemuPeekFirst(device, "target"), "bus") : host ? "scsi" : NULL;

        if (on != NULL && strcmp(on, bus) == 0 && qemuPeekIs(address, "type", "drive") && qemuPeekUInt(address, "controller", 0) >= count &&
            qemuPeekUInt(address, "controller", 0) < 1024)
            count = qemuPeekUInt(address, "controller", 0) + 1;
    }
    for (unsigned int i = 0; i < count; i++)
        if (qemuEnsureController(doc, bus, i, NULL) == NULL)
            return -1;
    return 0;
}

VIRT_INTERNAL int
qemuDriveAssign(xmlDocPtr doc)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");

    for (size_t i = 0; i < sizeof(qemuDriveBuses) / sizeof(qemuDriveBuses[0]); i++) {
        const struct qemuDriveBus *bus = &qemuDriveBuses[i];

        QEMU_PEEK_EACH(disk, devices, "disk") {
            xmlNodePtr target = qemuPeekFirst(disk, "target");
            int index = qemuDriveIndex(qemuPeek(target, "dev"));

            if (!qemuPeekIs(target, "bus", bus->bus) || qemuPeekFirst(disk, "address") != NULL)
                continue;
            if (qemuDrivePlace(devices, disk, bus, index < 0 ? 0 : (unsigned int)index) < 0)
                return -1;
        }
        QEMU_PEEK_EACH(hostdev, devices, "hostdev")
            if (strcmp(bus->bus, "scsi") == 0 && qemuPeekIs(hostdev, "type", "scsi") && qemuPeekFirst(hostdev, "address") == NULL &&
                qemuDrivePlace(devices, hostdev, bus, 0) < 0)
                return -1;
        if (qemuDriveEnsure(doc, devices, bus->bus) < 0)
            return -1;
    }
    return 0;
}

/* ---------- ports and slots ---------- */

/* Whether another device of this kind of address has the number. */
static bool
qemuSlotIsTaken(xmlNodePtr devices, const char *type, unsigned int controller, const char *attribute, unsigned int number)
{
    QEMU_PEEK_EACH(device, devices, NULL) {
        xmlNodePtr address = qemuPeekFirst(device, "address");

        if (qemuPeekIs(address, "type", type) && qemuPeekUInt(address, "controller", 0) == controller &&
            qemuPeekUInt(address, attribute, ~0u) == number)
            return true;
    }
    return false;
}

/* A port of a virtio-serial controller. Port 0 of each is for a console, for the sake of old guests. */
static int
qemuSerialPlace(xmlDocPtr doc, xmlNodePtr devices, xmlNodePtr device, bool zero)
{
    xmlNodePtr address = qemuPeekFirst(device, "address");
    unsigned int first = 0, last = 255, ports;

    if (qemuPeek(address, "port") != NULL && qemuPeekUInt(address, "port", 0) != 0)
        return qemuEnsureController(doc, "virtio-serial", qemuPeekUInt(address, "controller", 0), NULL) == NULL ? -1 : 0;
    if (zero && qemuPeek(address, "port") != NULL)
        return qemuEnsureController(doc, "virtio-serial", qemuPeekUInt(address, "controller", 0), NULL) == NULL ? -1 : 0;
    if (address != NULL && qemuPeek(address, "controller") != NULL)
        first = last = qemuPeekUInt(address, "controller", 0);
    for (unsigned int index = first; index <= last; index++) {
        xmlNodePtr controller = qemuEnsureController(doc, "virtio-serial", index, NULL);

        if (controller == NULL)
            return -1;
        ports = qemuPeekUInt(controller, "ports", 31);
        for (unsigned int port = zero ? 0 : 1; port < ports; port++)
            if (!qemuSlotIsTaken(devices, "virtio-serial", index, "port", port))
                return virXmlSet(device, "address/@type", "virtio-serial") < 0 || virXmlSet(device, "address/@controller", "%u", index) < 0 ||
                       (qemuPeek(address, "bus") == NULL && virXmlSet(device, "address/@bus", "0") < 0) ||
                       virXmlSet(device, "address/@port", "%u", port) < 0 ? -1 : 0;
    }
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "no port of a virtio-serial controller is left for a <%s>", (const char *)device->name);
}

static int
qemuSlotPlace(xmlNodePtr devices, xmlNodePtr device, const char *type)
{
    for (unsigned int slot = 0; slot < 65536; slot++)
        if (!qemuSlotIsTaken(devices, type, 0, "slot", slot)) {
            if (virXmlSet(device, "address/@type", "%s", type) < 0 ||
                (strcmp(type, "ccid") == 0 && virXmlSet(device, "address/@controller", "0") < 0) ||
                virXmlSet(device, "address/@slot", "%u", slot) < 0)
                return -1;
            return 0;
        }
    return -1;
}

static bool
qemuIsSerialPort(xmlNodePtr device, const char *element)
{
    xmlNodePtr address = qemuPeekFirst(device, "address");

    return strcmp((const char *)device->name, element) == 0 && qemuPeekIs(qemuPeekFirst(device, "target"), "type", "virtio") &&
           (address == NULL || qemuPeekIs(address, "type", "virtio-serial"));
}

VIRT_INTERNAL int
qemuSerialAssign(xmlDocPtr doc)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");

    QEMU_PEEK_EACH(channel, devices, "channel")
        if (qemuIsSerialPort(channel, "channel") && qemuSerialPlace(doc, devices, channel, false) < 0)
            return -1;
    QEMU_PEEK_EACH(console, devices, "console")
        if (qemuIsSerialPort(console, "console") && qemuSerialPlace(doc, devices, console, true) < 0)
            return -1;
    QEMU_PEEK_EACH(smartcard, devices, "smartcard") {
        if (qemuPeekFirst(smartcard, "address") == NULL && qemuSlotPlace(devices, smartcard, "ccid") < 0)
            return -1;
        if (qemuEnsureController(doc, "ccid", qemuPeekUInt(qemuPeekFirst(smartcard, "address"), "controller", 0), NULL) == NULL)
            return -1;
    }
    QEMU_PEEK_EACH(memory, devices, "memory") {
        bool slots = qemuPeekIs(memory, "model", "dimm") || qemuPeekIs(memory, "model", "nvdimm");

        if (slots && (qemuPeekFirst(memory, "address") == NULL || qemuPeek(qemuPeekFirst(memory, "address"), "slot") == NULL) &&
            qemuSlotPlace(devices, memory, "dimm") < 0)
            return -1;
    }
    return 0;
}

/* ---------- flat spaces ---------- */

/* Whether this device is virtio, and so goes where the machine keeps such devices. */
static bool
qemuIsVirtio(xmlNodePtr device)
{
    const char *name = (const char *)device->name, *model = qemuPeek(device, "model"), *type = qemuPeek(device, "type");

    if (strcmp(name, "disk") == 0)
        return qemuPeekIs(qemuPeekFirst(device, "target"), "bus", "virtio");
    if (strcmp(name, "interface") == 0) {
        model = qemuPeek(qemuPeekFirst(device, "model"), "type");
        return model != NULL && strncmp(model, "virtio", 6) == 0;
    }
    if (strcmp(name, "controller") == 0)
        return type != NULL && (strcmp(type, "virtio-serial") == 0 || (strcmp(type, "scsi") == 0 && model != NULL && strncmp(model, "virtio", 6) == 0));
    if (strcmp(name, "memballoon") == 0 || strcmp(name, "rng") == 0)
        return model != NULL && strncmp(model, "virtio", 6) == 0;
    if (strcmp(name, "input") == 0)
        return qemuPeekIs(device, "bus", "virtio");
    if (strcmp(name, "video") == 0)
        return qemuPeekIs(qemuPeekFirst(device, "model"), "type", "virtio");
    if (strcmp(name, "hostdev") == 0)
        return type != NULL && (strcmp(type, "scsi_host") == 0 || (strcmp(type, "mdev") == 0 && model != NULL && strcmp(model, "vfio-ccw") == 0));
    return strcmp(name, "filesystem") == 0 || strcmp(name, "vsock") == 0;
}

static bool
qemuCcwIsTaken(xmlNodePtr devices, unsigned int devno)
{
    QEMU_PEEK_EACH(device, devices, NULL) {
        xmlNodePtr address = qemuPeekFirst(device, "address");

        if (qemuPeekIs(address, "type", "ccw") && qemuPeekUInt(address, "cssid", 0) == 0xfe && qemuPeekUInt(address, "ssid", 0) == 0 &&
            qemuPeekUInt(address, "devno", ~0u) == devno)
            return true;
    }
    return false;
}

static int
qemuCcwAssign(xmlNodePtr devices)
{
    static const char *const order[] = { "disk", "interface", "hostdev", "video", "controller", "input", "filesystem", "memballoon", "rng", "vsock" };
    unsigned int devno = 0;

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        QEMU_PEEK_EACH(device, devices, order[i]) {
            xmlNodePtr address = qemuPeekFirst(device, "address");

            if (!qemuIsVirtio(device) || (address != NULL && (!qemuPeekIs(address, "type", "ccw") || qemuPeek(address, "devno") != NULL)))
                continue;
            while (qemuCcwIsTaken(devices, devno))
                devno++;
            if (virXmlSet(device, "address/@type", "ccw") < 0 || virXmlSet(device, "address/@cssid", "0xfe") < 0 ||
                virXmlSet(device, "address/@ssid", "0x0") < 0 || virXmlSet(device, "address/@devno", "0x%04x", devno) < 0)
                return -1;
        }
    return 0;
}

/* POWER's virtual I/O: each kind of device begins at an address of its own. 0: not such a device. */
static unsigned long long
qemuVioBase(xmlNodePtr device)
{
    xmlNodePtr address = qemuPeekFirst(device, "address");
    const char *name = (const char *)device->name;

    if (address != NULL && !qemuPeekIs(address, "type", "spapr-vio"))
        return 0;
    if (strcmp(name, "interface") == 0 && qemuPeekIs(qemuPeekFirst(device, "model"), "type", "spapr-vlan"))
        return 0x1000;
    if (strcmp(name, "controller") == 0 && qemuPeekIs(device, "model", "ibmvscsi"))
        return 0x2000;
    if (strcmp(name, "nvram") == 0)
        return 0x3000;
    if (strcmp(name, "serial") == 0 && qemuPeekIs(qemuPeekFirst(device, "target"), "type", "spapr-vio-serial"))
        return 0x30000000;
    return 0;
}

static bool
qemuVioIsTaken(xmlNodePtr devices, unsigned long long reg)
{
    QEMU_PEEK_EACH(device, devices, NULL) {
        xmlNodePtr address = qemuPeekFirst(device, "address");
        const char *text = qemuPeek(address, "reg");
        unsigned long long value;

        if (qemuPeekIs(address, "type", "spapr-vio") && text != NULL && virStringToULL(text, 0, &value) == 0 && value == reg)
            return true;
    }
    return false;
}

static int
qemuVioAssign(xmlNodePtr devices)
{
    QEMU_PEEK_EACH(device, devices, NULL) {
        unsigned long long reg = qemuVioBase(device);

        if (reg == 0 || qemuPeek(qemuPeekFirst(device, "address"), "reg") != NULL)
            continue;
        while (qemuVioIsTaken(devices, reg))
            reg += 0x1000;
        if (virXmlSet(device, "address/@type", "spapr-vio") < 0 || virXmlSet(device, "address/@reg", "0x%08llx", reg) < 0)
            return -1;
    }
    return 0;
}

VIRT_INTERNAL int
qemuBusTypeAssign(xmlDocPtr doc)
{
    struct qemuMachine machine = qemuMachineOf(doc);
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");

    if (machine.family == QEMU_MACHINE_CCW)
        return qemuCcwAssign(devices);
    if (machine.family == QEMU_MACHINE_PSERIES)
        return qemuVioAssign(devices);
    /* Machines without PCI have a row of virtio slots. */
    if (machine.family != QEMU_MACHINE_MICROVM && !(machine.arm && machine.family == QEMU_MACHINE_OTHER && !machine.pciRoot))
        return 0;
    QEMU_PEEK_EACH(device, devices, NULL)
        if (qemuIsVirtio(device) && qemuPeekFirst(device, "address") == NULL && virXmlSet(device, "address/@type", "virtio-mmio") < 0)
            return -1;
    return 0;
}

#undef VIRT_FROM
