/*
 * Rules among the devices of a domain: where they are, how many of a kind there may be, and what two of them cannot share.
 */
#include "check.h"
#include "file.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* for (each device of a domain) */
#define VIR_CHECK_EACH_DEVICE(device, domain)                                                                   \
    for (xmlNodePtr device = virXmlFirst(virXmlFirst(domain, "devices"), NULL); device != NULL;                 \
         device = virXmlNext(device, NULL))

/* ---------- places that only one device can have ---------- */

/* The places seen so far, as texts: "pci 0000:00:05.0". There are few of them, so that a list will do. */
struct virCheckPlaces {
    char **list;
    size_t count;
};

/* 1: it was there already; 0: it is now; -1: no memory. */
static int
virCheckPlaceTaken(struct virCheckPlaces *places, char *taken)
{
    for (size_t i = 0; taken != NULL && i < places->count; i++)
        if (strcmp(places->list[i], taken) == 0) {
            free(taken);
            return 1;
        }
    return virStringsAdd(&places->list, &places->count, taken) < 0 ? -1 : 0;
}

/* One number of an address, with its greatest value; 0 where it is absent. */
static int
virCheckAddressPart(xmlNodePtr address, const char *kind, const char *name, unsigned int max, unsigned int *value)
{
    char path[32];
    const char *text;
    unsigned long long number;

    snprintf(path, sizeof(path), "@%s", name);
    *value = 0;
    if ((text = virXmlString(address, path)) == NULL) {
        if (xmlHasProp(address, (const xmlChar *)name) == NULL)
            return 0;
        text = "";
    }
    if (virStringToULL(text, 0, &number) < 0)
        return virReportError(VIR_ERR_XML_ERROR,
                              "Invalid value for attribute '%s' in element 'address': '%.80s'. Expected non-negative integer value", name, text);
    if (number > max)
        return virReportError(VIR_ERR_XML_ERROR, "Invalid %s address %s='0x%llx', must be <= 0x%X", kind, name, number, max);
    *value = (unsigned int)number;
    return 0;
}

struct virCheckPci {
    unsigned int domain, bus, slot, function;
};

static int
virCheckParsePci(xmlNodePtr address, struct virCheckPci *pci)
{
    if (virCheckAddressPart(address, "PCI", "domain", 0xffff, &pci->domain) < 0 || virCheckAddressPart(address, "PCI", "bus", 0xff, &pci->bus) < 0 ||
        virCheckAddressPart(address, "PCI", "slot", 0x1f, &pci->slot) < 0)
        return -1;
    return virCheckAddressPart(address, "PCI", "function", 7, &pci->function);
}

/* An address of zeros only stands for "to be chosen". */
static bool
virCheckPciIsChosen(xmlNodePtr address, const struct virCheckPci *pci)
{
    return virXmlString(address, "@slot") != NULL && (pci->domain | pci->bus | pci->slot | pci->function) != 0;
}

static int
virCheckPciAddress(xmlNodePtr address, struct virCheckPlaces *places)
{
    struct virCheckPci pci;
    xmlNodePtr zpci = virXmlFirst(address, "zpci");
    int rc;

    if (virCheckParsePci(address, &pci) < 0)
        return -1;
    if (virXmlString(zpci, "@uid") != NULL) {
        if ((rc = virCheckPlaceTaken(places, virStringFormat("zpci %s", virXmlString(zpci, "@uid")))) == 1)
            virReportError(VIR_ERR_XML_ERROR, "The zPCI user-defined identifier '%s' is used by more than one device", virXmlString(zpci, "@uid"));
        if (rc != 0)
            return -1;
    }
    if (!virCheckPciIsChosen(address, &pci))
        return 0;
    rc = virCheckPlaceTaken(places, virStringFormat("pci %04x:%02x:%02x.%u", pci.domain, pci.bus, pci.slot, pci.function));
    if (rc == 1)
        virReportError(VIR_ERR_XML_ERROR, "Attempted double use of PCI Address %04x:%02x:%02x.%u", pci.domain, pci.bus, pci.slot, pci.function);
    return rc == 0 ? 0 : -1;
}

/* Disks of different buses have drive addresses of their own; SCSI devices of the host are among the SCSI disks. */
static int
virCheckDriveAddress(xmlNodePtr device, xmlNodePtr address, struct virCheckPlaces *places)
{
    const char *bus = virXmlIs(device, "disk") ? virXmlString(device, "target/@bus") : "scsi";
    const char *name = virXmlString(device, "target/@dev");
    unsigned int controller, number, target, unit;
    int rc;

    if (virCheckAddressPart(address, "drive", "controller", 0xffffffff, &controller) < 0 ||
        virCheckAddressPart(address, "drive", "bus", 0xffffffff, &number) < 0 ||
        virCheckAddressPart(address, "drive", "target", 0xffffffff, &target) < 0 ||
        virCheckAddressPart(address, "drive", "unit", 0xffffffff, &unit) < 0)
        return -1;
    if (bus == NULL && name != NULL)
        bus = strncmp(name, "sd", 2) == 0 ? "scsi" : strncmp(name, "hd", 2) == 0 ? "ide" : strncmp(name, "fd", 2) == 0 ? "fdc" : "";
    rc = virCheckPlaceTaken(places, virStringFormat("%s %u %u %u %u", bus != NULL ? bus : "", controller, number, target, unit));
    if (rc == 1 && name != NULL)
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Found duplicate drive address for disk with target name '%s' controller='%u' bus='%u' "
                                                   "target='%u' unit='%u'", name, controller, number, target, unit);
    else if (rc == 1)
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "SCSI host address controller='%u' bus='%u' target='%u' unit='%u' in use by another "
                                                   "SCSI host device", controller, number, target, unit);
    return rc == 0 ? 0 : -1;
}

/* A port such as 1.2.3: at most four numbers; each but the last belongs to a hub. */
static int
virCheckUsbPort(const char *port)
{
    for (int level = 0; level < 4; level++) {
        char *end;

        if (*port < '0' || *port > '9' || strtoul(port, &end, 10) > 65535)
            return -1;
        if (*end == '\0')
            return 0;
        if (*end != '.')
            return -1;
        port = end + 1;
    }
    return -1;
}

static bool
virCheckHasHub(xmlNodePtr domain, unsigned int bus, const char *port, size_t length)
{
    VIRT_XML_EACH(hub, virXmlFirst(domain, "devices"), "hub") {
        unsigned int number = 0;
        const char *at = virXmlString(hub, "address/@port");

        virXmlUInt(hub, "address/@bus", &number);
        if (at != NULL && number == bus && strlen(at) == length && strncmp(at, port, length) == 0)
            return true;
    }
    return false;
}

static int
virCheckUsbAddress(xmlNodePtr domain, xmlNodePtr address, struct virCheckPlaces *places)
{
    const char *port = virXmlString(address, "@port");
    unsigned int bus;
    int rc;

    if (virCheckAddressPart(address, "USB", "bus", 0xffffffff, &bus) < 0)
        return -1;
    if (port == NULL)
        return 0;
    if (virCheckUsbPort(port) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "Cannot parse <address> 'port' attribute: '%.80s'", port);
    for (const char *dot = strchr(port, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
        if (!virCheckHasHub(domain, bus, port, (size_t)(dot - port)))
            return virReportError(VIR_ERR_XML_ERROR, "there is no hub at port %.*s in USB address bus: %u port: %s", (int)(dot - port), port, bus,
                                  port);
    rc = virCheckPlaceTaken(places, virStringFormat("usb %u %s", bus, port));
    if (rc == 1)
        virReportError(VIR_ERR_XML_ERROR, "Duplicate USB address bus %u port %s", bus, port);
    return rc == 0 ? 0 : -1;
}

static int
virCheckCcwAddress(xmlNodePtr address, struct virCheckPlaces *places)
{
    unsigned int cssid, ssid, devno;
    int rc;

    if (virXmlString(address, "@devno") == NULL && virXmlString(address, "@cssid") == NULL && virXmlString(address, "@ssid") == NULL)
        return 0;                                /* to be chosen */
    if (virXmlNeed(address, "@cssid") == NULL || virXmlNeed(address, "@ssid") == NULL || virXmlNeed(address, "@devno") == NULL)
        return -1;
    if (virCheckAddressPart(address, "ccw", "cssid", 0xfe, &cssid) < 0 || virCheckAddressPart(address, "ccw", "ssid", 3, &ssid) < 0 ||
        virCheckAddressPart(address, "ccw", "devno", 0xffff, &devno) < 0)
        return -1;
    rc = virCheckPlaceTaken(places, virStringFormat("ccw %x.%x.%04x", cssid, ssid, devno));
    if (rc == 1)
        virReportError(VIR_ERR_XML_ERROR, "The CCW devno '%x.%x.%04x' is in use already", cssid, ssid, devno);
    return rc == 0 ? 0 : -1;
}

/*
 * A disk without an address has the one that belongs to its name, so that a later disk cannot claim it: sda is the first unit of
 * the first controller. Only buses with a fixed number of units count that way.
 */
static int
virCheckImpliedDrive(xmlNodePtr disk, struct virCheckPlaces *places)
{
    static const struct { const char *bus, *prefix; unsigned int buses, units; } drives[] = {
        { "ide", "hd", 2, 2 }, { "sata", "sd", 1, 6 }, { "scsi", "sd", 1, 7 }, { "fdc", "fd", 1, 2 },
    };
    const char *target = virXmlString(disk, "target/@dev"), *bus = virXmlString(disk, "target/@bus");
    unsigned int index = 0;

    for (size_t i = 0; target != NULL && bus != NULL && i < sizeof(drives) / sizeof(drives[0]); i++) {
        if (strcmp(drives[i].bus, bus) != 0 || strncmp(target, drives[i].prefix, 2) != 0)
            continue;
        for (const char *c = target + 2; *c >= 'a' && *c <= 'z' && index < 10000; c++)
            index = index * 26 + (unsigned int)(*c - 'a') + (c[1] >= 'a' && c[1] <= 'z');
        if (virCheckPlaceTaken(places, virStringFormat("%s %u %u %u %u", bus, index / (drives[i].buses * drives[i].units),
                                                       index / drives[i].units % drives[i].buses, 0u, index % drives[i].units)) == 1)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Found duplicate drive address for disk with target name '%s': another disk has "
                                                              "the address that belongs to this name", target);
    }
    return 0;
}

static int
virCheckPlace(xmlNodePtr domain, xmlNodePtr device, struct virCheckPlaces *places)
{
    static const struct { const char *type, *parts; } numbers[] = {
        { "virtio-serial", "controller|bus|port" }, { "ccid", "controller|slot" }, { "isa", "iobase|irq" }, { "spapr-vio", "reg" },
        { "dimm", "slot|base" },
    };
    xmlNodePtr address = virXmlFirst(device, "address");
    const char *type = virXmlString(address, "@type");

    if (type == NULL)
        return virXmlIs(device, "disk") ? virCheckImpliedDrive(device, places) : 0;
    if (strcmp(type, "pci") == 0)
        return virCheckPciAddress(address, places);
    if (strcmp(type, "drive") == 0)
        return virCheckDriveAddress(device, address, places);
    if (strcmp(type, "usb") == 0)
        return virCheckUsbAddress(domain, address, places);
    if (strcmp(type, "ccw") == 0)
        return virCheckCcwAddress(address, places);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const char *part = strcmp(type, numbers[i].type) == 0 ? numbers[i].parts : "";

        while (*part != '\0') {
            size_t length = strcspn(part, "|");
            char path[32];
            unsigned long long value;

            snprintf(path, sizeof(path), "@%.*s", (int)length, part);
            if (virXmlULongLong(address, path, &value) < 0)
                return -1;
            part += length + (part[length] != '\0');
        }
    }
    return 0;
}

static int
virCheckPlaces(xmlNodePtr domain)
{
    struct virCheckPlaces places = { NULL, 0 };
    int rc = 0;

    VIR_CHECK_EACH_DEVICE(device, domain) {
        const char *alias = virXmlString(device, "alias/@name");

        if ((rc = virCheckPlace(domain, device, &places)) < 0)
            break;
        if (alias == NULL)
            continue;
        rc = virCheckPlaceTaken(&places, virStringFormat("alias %s", alias));
        /* a console repeats the serial device that it is */
        if (rc == 1 && !virXmlIs(device, "console"))
            virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "non unique alias detected: %s", alias);
        else if (rc == 1)
            rc = 0;
        if (rc != 0)
            break;
    }
    virStringsFree(places.list);
    return rc == 0 ? 0 : -1;
}

/* ---------- controllers ---------- */

/* USB 1 controllers that stand beside a USB 2 one under the same index. */
static bool
virCheckIsCompanion(xmlNodePtr controller)
{
    const char *model = virXmlString(controller, "@model");

    return model != NULL && virCheckIsWord(model, "ich9-uhci1|ich9-uhci2|ich9-uhci3");
}

static bool
virCheckIsMaster(xmlNodePtr controller)
{
    return virXmlEquals(controller, "@model", "ich9-ehci1");
}

static int
virCheckUsbControllers(xmlNodePtr devices)
{
    bool none = false;
    size_t others = 0;

    VIRT_XML_EACH(controller, devices, "controller") {
        const char *model = virXmlString(controller, "@model");
        unsigned int ports = 0, index = 0;
        bool master = false;

        if (!virXmlEquals(controller, "@type", "usb"))
            continue;
        none = none || (model != NULL && strcmp(model, "none") == 0);
        others += model == NULL || strcmp(model, "none") != 0;
        if (model != NULL && virCheckIsWord(model, "nec-xhci|qemu-xhci") && virXmlUInt(controller, "@ports", &ports) > 0 && ports > 15)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "'%s' controller only supports up to '15' ports, not %u", model, ports);
        if (!virCheckIsCompanion(controller) || virXmlUInt(controller, "@index", &index) <= 0)
            continue;
        VIRT_XML_EACH(other, devices, "controller") {
            unsigned int its = 0;

            if (virXmlEquals(other, "@type", "usb") && virCheckIsMaster(other) && (virXmlUInt(other, "@index", &its), its == index))
                master = true;
        }
        if (!master)
            return virReportError(VIR_ERR_XML_DETAIL, "No master USB controller specified for the '%s' controller with index '%u'", model, index);
    }
    if (none && others > 0)
        return virReportError(VIR_ERR_XML_DETAIL, "Can't add another USB controller: USB is disabled for this domain");
    if (none)
        for (xmlNodePtr device = virXmlFirst(devices, NULL); device != NULL; device = virXmlNext(device, NULL))
            if (virXmlIs(device, "hub") || (virXmlIs(device, "redirdev") && !virXmlEquals(device, "@bus", "xen")) ||
                (virXmlIs(device, "input") && virXmlEquals(device, "@bus", "usb")) ||
                (virXmlIs(device, "disk") && virXmlEquals(device, "target/@bus", "usb")))
                return virReportError(VIR_ERR_XML_DETAIL, "Device configuration is not compatible: Domain has USB device <%s> but USB is disabled",
                                      virXmlName(device));
    return 0;
}

/* The controllers that others are plugged into. Only pSeries guests can have more than one root. */
static int
virCheckPciController(xmlNodePtr domain, xmlNodePtr controller)
{
    const char *model = virXmlString(controller, "@model");
    const char *arch = virXmlString(domain, "os/type/@arch");
    size_t cells = virXmlCount(virXmlFind(domain, "cpu/numa"), "cell");
    unsigned int index = 0, node = 0;

    virXmlUInt(controller, "@index", &index);
    if (model != NULL && virCheckIsWord(model, "pci-root|pcie-root")) {
        if (virXmlFirst(controller, "address") != NULL)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "pci-root and pcie-root controllers should not have an address");
        if (index != 0 && (arch == NULL || !virCheckIsWord(arch, "ppc64|ppc64le")))
            return virReportError(VIR_ERR_XML_ERROR, "pci-root and pcie-root controllers should have index 0, not %u", index);
    }
    if (virXmlUInt(controller, "target/node", &node) > 0 && node >= cells)
        return virReportError(VIR_ERR_XML_ERROR, "%s with index %u is configured for a NUMA node (%u) not present in the domain's "
                                                 "<cpu><numa> array (%zu)", model != NULL ? model : "PCI controller", index, node, cells);
    return 0;
}

static int
virCheckControllers(xmlNodePtr domain)
{
    xmlNodePtr devices = virXmlFirst(domain, "devices");

    VIRT_XML_EACH(controller, devices, "controller") {
        const char *type = virXmlString(controller, "@type");
        unsigned int index = 0, its = 0;

        if (type == NULL)
            continue;
        if (strcmp(type, "pci") == 0 && virCheckPciController(domain, controller) < 0)
            return -1;
        if (virXmlUInt(controller, "@index", &index) <= 0 || virCheckIsCompanion(controller) || virCheckIsMaster(controller))
            continue;
        for (xmlNodePtr other = virXmlNext(controller, "controller"); other != NULL; other = virXmlNext(other, "controller"))
            if (virXmlEquals(other, "@type", type) && virXmlUInt(other, "@index", &its) > 0 && its == index && !virCheckIsCompanion(other) &&
                !virXmlEquals(controller, "@model", "none") && !virXmlEquals(other, "@model", "none"))
                return virReportError(VIR_ERR_XML_ERROR, "Multiple '%s' controllers with index '%u'", type, index);
    }
    return virCheckUsbControllers(devices);
}

/* ---------- how many, and which twice ---------- */

static int
virCheckNumbers(xmlNodePtr devices)
{
    static const struct { const char *kind; int code; const char *message; } single[] = {
        { "memballoon", VIR_ERR_INTERNAL_ERROR, "only a single memory balloon device is supported" },
        { "nvram", VIR_ERR_INTERNAL_ERROR, "only a single nvram device is supported" },
        { "watchdog", VIR_ERR_INTERNAL_ERROR, "only a single watchdog device is supported" },
        { "iommu", VIR_ERR_XML_ERROR, "only a single IOMMU device is supported" },
        { "vsock", VIR_ERR_XML_ERROR, "only a single vsock device is supported" },
        { "redirfilter", VIR_ERR_XML_ERROR, "only one set of redirection filter rule is supported" },
    };
    size_t tpms = 0, primaries = 0;

    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
        if (virXmlCount(devices, single[i].kind) > 1)
            return virReportError(single[i].code, "%s", single[i].message);
    VIRT_XML_EACH(tpm, devices, "tpm") {
        tpms += !virXmlEquals(tpm, "@model", "spapr-tpm-proxy");
    }
    if (tpms > 1)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "only a single TPM non-proxy device is supported");
    VIRT_XML_EACH(video, devices, "video") {
        primaries += virXmlEquals(video, "model/@primary", "yes");
    }
    if (primaries > 1)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Only one primary video device is supported");
    VIRT_XML_EACH(audio, devices, "audio") {
        for (xmlNodePtr other = virXmlNext(audio, "audio"); other != NULL; other = virXmlNext(other, "audio"))
            if (virXmlString(audio, "@id") != NULL && virXmlEquals(other, "@id", virXmlString(audio, "@id")))
                return virReportError(VIR_ERR_XML_ERROR, "duplicate audio backend id '%s'", virXmlString(audio, "@id"));
    }
    return 0;
}

static const char *
virCheckDiskData(xmlNodePtr disk)
{
    static const char *const paths[] = { "source/@file", "source/@dev", "source/@dir", "source/@name", "source/@volume" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (virXmlString(disk, paths[i]) != NULL)
            return virXmlString(disk, paths[i]);
    return "<null>";
}

static int
virCheckTargets(xmlNodePtr devices)
{
    VIRT_XML_EACH(disk, devices, "disk") {
        const char *target = virXmlString(disk, "target/@dev");

        for (xmlNodePtr other = virXmlNext(disk, "disk"); target != NULL && other != NULL; other = virXmlNext(other, "disk"))
            if (virXmlEquals(other, "target/@dev", target))
                return virReportError(VIR_ERR_XML_ERROR, "target '%s' duplicated for disk sources '%s' and '%s'", target, virCheckDiskData(disk),
                                      virCheckDiskData(other));
    }
    return 0;
}

/* Whether two devices of the host are the same one: what their sources say, apart from what does not identify. */
static bool
virCheckSameHostdev(xmlNodePtr a, xmlNodePtr b)
{
    static const char *const paths[] = {
        "@mode", "@type", "source/address/@uuid", "source/address/@domain", "source/address/@bus", "source/address/@slot",
        "source/address/@function", "source/address/@device", "source/address/@target", "source/address/@unit", "source/address/@port",
        "source/adapter/@name", "source/vendor/@id", "source/product/@id", "source/@protocol", "source/@name", "source/@wwpn", "source/block",
        "source/char", "source/interface", "source/host/@name",
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *x = virXmlString(a, paths[i]), *y = virXmlString(b, paths[i]);

        if ((x == NULL) != (y == NULL) || (x != NULL && strcmp(x, y) != 0))
            return false;
    }
    return true;
}

static int
virCheckHostdevs(xmlNodePtr devices)
{
    VIRT_XML_EACH(hostdev, devices, "hostdev") {
        xmlNodePtr address = virXmlFind(hostdev, "source/address");
        struct virCheckPci pci;

        if (virXmlEquals(hostdev, "@type", "pci") && address != NULL && virCheckParsePci(address, &pci) < 0)
            return -1;
        for (xmlNodePtr other = virXmlNext(hostdev, "hostdev"); other != NULL; other = virXmlNext(other, "hostdev"))
            if (virCheckSameHostdev(hostdev, other))
                return virReportError(VIR_ERR_XML_ERROR, "Hostdev already exists in the domain configuration");
    }
    return 0;
}

VIRT_INTERNAL int
virCheckAddresses(xmlNodePtr domain)
{
    xmlNodePtr devices = virXmlFirst(domain, "devices");

    if (virCheckTargets(devices) < 0 || virCheckControllers(domain) < 0 || virCheckNumbers(devices) < 0 || virCheckHostdevs(devices) < 0)
        return -1;
    return virCheckPlaces(domain);
}

#undef VIR_CHECK_EACH_DEVICE
#undef VIRT_FROM
