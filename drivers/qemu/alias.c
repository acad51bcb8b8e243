/*
 * Names of devices, as libvirt forms them: "virtio-disk0", "net1", "pci.3". They are ids in QEMU, so they are fixed in the document with the
 * addresses: the other side of a migration has to use the same. A name of the user's own begins with "ua-" and is kept.
 */
#include "complete.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

/* Devices that are numbered through, with their prefixes. */
static const struct { const char *element, *prefix; } qemuAliasPrefixes[] = {
    { "interface", "net" }, { "filesystem", "fs" }, { "sound", "sound" }, { "video", "video" }, { "hostdev", "hostdev" }, { "input", "input" },
    { "serial", "serial" }, { "parallel", "parallel" }, { "channel", "channel" }, { "console", "console" }, { "redirdev", "redir" },
    { "smartcard", "smartcard" }, { "watchdog", "watchdog" }, { "memballoon", "balloon" }, { "rng", "rng" }, { "tpm", "tpm" }, { "panic", "panic" },
    { "shmem", "shmem" }, { "hub", "hub" }, { "iommu", "iommu" }, { "vsock", "vsock" }, { "crypto", "crypto" }, { "nvram", "nvram" },
    { "graphics", "graphics" },
};

static const struct { const char *model, *prefix; } qemuAliasMemory[] = {
    { "dimm", "dimm" }, { "nvdimm", "nvdimm" }, { "virtio-mem", "virtiomem" }, { "virtio-pmem", "virtiopmem" }, { "sgx-epc", "epc" },
};

static const char *
qemuAliasOf(xmlNodePtr device)
{
    return qemuPeek(qemuPeekFirst(device, "alias"), "name");
}

/* A console that is a serial port shares its name. */
static bool
qemuAliasMayRepeat(xmlNodePtr device)
{
    return qemuPeekIs(qemuPeekFirst(device, "target"), "type", "serial");
}

static bool
qemuAliasIsTaken(xmlNodePtr devices, xmlNodePtr self, const char *alias)
{
    QEMU_PEEK_EACH(other, devices, NULL) {
        const char *name = qemuAliasOf(other);

        if (other != self && name != NULL && strcmp(name, alias) == 0 && !qemuAliasMayRepeat(other))
            return true;
    }
    return false;
}

/* "prefix<number>", or the next number that is free. */
static int
qemuAliasNumber(xmlNodePtr devices, xmlNodePtr device, const char *prefix, unsigned int number)
{
    char alias[128];

    do
        snprintf(alias, sizeof(alias), "%.100s%u", prefix, number++);
    while (qemuAliasIsTaken(devices, device, alias));
    return virXmlSet(device, "alias/@name", "%s", alias);
}

static int
qemuAliasController(xmlDocPtr doc, xmlNodePtr devices, xmlNodePtr device)
{
    const char *type = qemuPeek(device, "type");
    unsigned int index = qemuPeekUInt(device, "index", 0);
    char prefix[64];

    if (type == NULL)
        return 0;
    if (strcmp(type, "pci") == 0)
        return virXmlSet(device, "alias/@name", index == 0 && qemuPeekIs(device, "model", "pcie-root") ? "pcie.%u" : "pci.%u", index);
    /* Companions have no bus, so nobody calls them by name. */
    if (strcmp(type, "usb") == 0 && qemuPeekFirst(device, "master") != NULL) {
        snprintf(prefix, sizeof(prefix), "usb%u-uhci", index);
        return qemuAliasNumber(devices, device, prefix, 1);
    }
    if (strcmp(type, "usb") == 0)
        return index == 0 ? virXmlSet(device, "alias/@name", "usb") : virXmlSet(device, "alias/@name", "usb%u", index);
    if ((strcmp(type, "ide") == 0 || strcmp(type, "sata") == 0) && qemuControllerIsBuiltin(doc, device))
        return virXmlSet(device, "alias/@name", "ide");
    snprintf(prefix, sizeof(prefix), "%.60s", type);
    return qemuAliasNumber(devices, device, prefix, index);
}

static int
qemuAliasDisk(xmlDocPtr doc, xmlNodePtr devices, xmlNodePtr device)
{
    xmlNodePtr address = qemuPeekFirst(device, "address"), target = qemuPeekFirst(device, "target");
    const char *bus = qemuPeek(target, "bus"), *dev = qemuPeek(target, "dev");
    unsigned int controller = qemuPeekUInt(address, "controller", 0), index = 0, unit = qemuPeekUInt(address, "unit", 0);
    char alias[96];

    if (bus == NULL)
        bus = "virtio";
    if (qemuPeekIs(address, "type", "drive")) {
        if (strcmp(bus, "scsi") == 0 && !qemuPeekIs(qemuFindController(doc, "scsi", controller), "model", "lsilogic"))
            snprintf(alias, sizeof(alias), "scsi%u-%u-%u-%u", controller, qemuPeekUInt(address, "bus", 0), qemuPeekUInt(address, "target", 0), unit);
        else
            snprintf(alias, sizeof(alias), "%.16s%u-%u-%u", bus, controller, qemuPeekUInt(address, "bus", 0), unit);
        if (!qemuAliasIsTaken(devices, device, alias))
            return virXmlSet(device, "alias/@name", "%s", alias);
    }
    /* By the letter of its target: vdb is virtio-disk1. */
    for (dev = dev != NULL && strlen(dev) > 2 ? dev + 2 : ""; *dev >= 'a' && *dev <= 'z' && index < 20000; dev++)
        index = index * 26 + (unsigned int)(*dev - 'a' + 1);
    snprintf(alias, sizeof(alias), "%.16s-disk", bus);
    return qemuAliasNumber(devices, device, alias, index > 0 ? index - 1 : 0);
}

static int
qemuAliasMemoryDevice(xmlNodePtr devices, xmlNodePtr device, unsigned int position)
{
    xmlNodePtr address = qemuPeekFirst(device, "address");

    for (size_t i = 0; i < sizeof(qemuAliasMemory) / sizeof(qemuAliasMemory[0]); i++)
        if (qemuPeekIs(device, "model", qemuAliasMemory[i].model))
            return qemuAliasNumber(devices, device, qemuAliasMemory[i].prefix, qemuPeekUInt(address, "slot", position));
    return qemuAliasNumber(devices, device, "mem", position);
}

/* The first console of x86 and its like is the first serial port under another name. */
static int
qemuAliasConsole(xmlNodePtr devices, xmlNodePtr device, unsigned int position)
{
    xmlNodePtr serial = qemuPeekFirst(devices, "serial");

    if (qemuPeekIs(qemuPeekFirst(device, "target"), "type", "serial") && serial != NULL && qemuAliasOf(serial) != NULL)
        return virXmlSet(device, "alias/@name", "%s", qemuAliasOf(serial));
    return qemuAliasNumber(devices, device, "console", position);
}

static int
qemuAliasDevice(xmlDocPtr doc, xmlNodePtr devices, xmlNodePtr device)
{
    const char *name = (const char *)device->name;
    unsigned int position = 0;

    if (strcmp(name, "controller") == 0)
        return qemuAliasController(doc, devices, device);
    if (strcmp(name, "disk") == 0)
        return qemuAliasDisk(doc, devices, device);
    for (xmlNodePtr before = device->prev; before != NULL; before = before->prev)
        position += before->type == XML_ELEMENT_NODE && strcmp((const char *)before->name, name) == 0;
    if (strcmp(name, "memory") == 0)
        return qemuAliasMemoryDevice(devices, device, position);
    if (strcmp(name, "console") == 0)
        return qemuAliasConsole(devices, device, position);
    if (strcmp(name, "audio") == 0)
        return virXmlSet(device, "alias/@name", "audio%u", qemuPeekUInt(device, "id", position + 1));
    for (size_t i = 0; i < sizeof(qemuAliasPrefixes) / sizeof(qemuAliasPrefixes[0]); i++)
        if (strcmp(name, qemuAliasPrefixes[i].element) == 0)
            return qemuAliasNumber(devices, device, qemuAliasPrefixes[i].prefix, position);
    return 0;                                   /* emulator, lease: nobody asks for them by name */
}

/* Alias and address stand last in an element, as people are used to read them. */
static void
qemuAliasArrange(xmlNodePtr device)
{
    static const char *const last[] = { "alias", "address" };

    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        xmlNodePtr node = qemuPeekFirst(device, last[i]);

        if (node != NULL && qemuPeekNext(node, NULL) != NULL) {
            xmlUnlinkNode(node);
            xmlAddChild(device, node);
        }
    }
}

VIRT_INTERNAL int
qemuAliasesAssign(xmlDocPtr doc)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");

    /* A copy of a device in the same document has a copy of its name: the later one gets another. */
    QEMU_PEEK_EACH(device, devices, NULL) {
        const char *alias = qemuAliasOf(device);

        if (alias == NULL || qemuAliasMayRepeat(device))
            continue;
        for (xmlNodePtr before = qemuPeekFirst(devices, NULL); before != device; before = qemuPeekNext(before, NULL)) {
            const char *other = qemuAliasOf(before);

            if (other == NULL || strcmp(other, alias) != 0 || qemuAliasMayRepeat(before))
                continue;
            if (strncmp(alias, "ua-", 3) == 0)
                return virReportError(VIR_ERR_XML_ERROR, "two devices have the alias '%s'", alias);
            virXmlRemove(qemuPeekFirst(device, "alias"), "@name");
            break;
        }
    }
    QEMU_PEEK_EACH(device, devices, NULL) {
        if (qemuAliasOf(device) == NULL && qemuAliasDevice(doc, devices, device) < 0)
            return -1;
        qemuAliasArrange(device);
    }
    return 0;
}

#undef VIRT_FROM
