/*
 * USB addresses: a bus and a port, "1.3" being port 3 of the hub at port 1. Part of completion. Hubs come first, those that are missing included:
 * as many as the devices will need, because a hub takes a port itself.
 */
#include "complete.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_USB_PORTS 15
#define QEMU_USB_HUB_PORTS 8

/* Something with ports: a controller ("" as its port) or a hub. */
struct qemuUsbHub {
    unsigned int bus, ports;
    char port[64];
    bool used[QEMU_USB_PORTS + 1];
};

struct qemuUsb {
    xmlDocPtr doc;
    xmlNodePtr devices;
    struct qemuUsbHub hubs[256];
    size_t count;
};

static const struct { const char *model; unsigned int ports; } qemuUsbModels[] = {
    { "piix3-uhci", 2 }, { "piix4-uhci", 2 }, { "ehci", 6 }, { "ich9-ehci1", 6 }, { "vt82c686b-uhci", 2 }, { "pci-ohci", 3 }, { "nec-xhci", 4 },
    { "qemu-xhci", 4 }, { "ich9-uhci1", 2 }, { "ich9-uhci2", 2 }, { "ich9-uhci3", 2 },
};

static bool
qemuUsbIsDevice(xmlNodePtr device)
{
    const char *name = (const char *)device->name, *type = qemuPeek(device, "type");

    if (strcmp(name, "hostdev") == 0)
        return type != NULL && strcmp(type, "usb") == 0;
    if (strcmp(name, "disk") == 0)
        return qemuPeekIs(qemuPeekFirst(device, "target"), "bus", "usb");
    if (strcmp(name, "controller") == 0)
        return type != NULL && strcmp(type, "ccid") == 0;
    if (strcmp(name, "input") == 0 || strcmp(name, "redirdev") == 0)
        return qemuPeekIs(device, "bus", "usb");
    if (strcmp(name, "serial") == 0)
        return qemuPeekIs(qemuPeekFirst(device, "target"), "type", "usb-serial");
    return strcmp(name, "sound") == 0 && qemuPeekIs(device, "model", "usb");
}

static bool
qemuUsbIsOpen(xmlNodePtr device)
{
    return qemuPeek(qemuPeekFirst(device, "address"), "port") == NULL;
}

static int
qemuUsbAddHub(struct qemuUsb *usb, unsigned int bus, const char *port, unsigned int ports)
{
    struct qemuUsbHub *hub = &usb->hubs[usb->count];

    if (usb->count == sizeof(usb->hubs) / sizeof(usb->hubs[0]))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "there are more than 256 USB hubs");
    memset(hub, 0, sizeof(*hub));
    hub->bus = bus;
    hub->ports = ports > QEMU_USB_PORTS ? QEMU_USB_PORTS : ports;
    snprintf(hub->port, sizeof(hub->port), "%.63s", port);
    usb->count++;
    return 0;
}

static int
qemuUsbCollect(struct qemuUsb *usb)
{
    QEMU_PEEK_EACH(controller, usb->devices, "controller") {
        const char *model = qemuPeek(controller, "model");
        unsigned int ports = 2;

        if (!qemuPeekIs(controller, "type", "usb") || qemuPeekFirst(controller, "master") != NULL || (model != NULL && strcmp(model, "none") == 0))
            continue;
        for (size_t i = 0; model != NULL && i < sizeof(qemuUsbModels) / sizeof(qemuUsbModels[0]); i++)
            if (strcmp(model, qemuUsbModels[i].model) == 0)
                ports = qemuUsbModels[i].ports;
        if (qemuUsbAddHub(usb, qemuPeekUInt(controller, "index", 0), "", qemuPeekUInt(controller, "ports", ports)) < 0)
            return -1;
    }
    return 0;
}

/* Notes that a port is taken. 1: noted, 0: there is no such hub. */
static int
qemuUsbReserve(struct qemuUsb *usb, xmlNodePtr device)
{
    xmlNodePtr address = qemuPeekFirst(device, "address");
    const char *port = qemuPeek(address, "port"), *dot = strrchr(port, '.'), *last = dot != NULL ? dot + 1 : port;
    unsigned int bus = qemuPeekUInt(address, "bus", 0);
    unsigned long long number;

    for (size_t i = 0; i < usb->count; i++) {
        struct qemuUsbHub *hub = &usb->hubs[i];
        size_t length = dot != NULL ? (size_t)(dot - port) : 0;

        if (hub->bus != bus || strlen(hub->port) != length || strncmp(hub->port, port, length) != 0)
            continue;
        if (virStringToULL(last, 10, &number) < 0 || number == 0 || number > hub->ports)
            return virReportError(VIR_ERR_XML_ERROR, "USB bus %u has no port '%s'", bus, port);
        if (hub->used[number])
            return virReportError(VIR_ERR_XML_ERROR, "port '%s' of USB bus %u is used twice", port, bus);
        hub->used[number] = true;
        return 1;
    }
    return 0;
}

/* Hubs that have a port, the ones nearer to the controller first, then all other devices that have one. */
static int
qemuUsbReserveAll(struct qemuUsb *usb)
{
    for (size_t depth = 0; depth < 5; depth++)
        QEMU_PEEK_EACH(hub, usb->devices, "hub") {
            const char *port = qemuPeek(qemuPeekFirst(hub, "address"), "port");
            size_t dots = 0;
            int rc;

            for (const char *at = port; at != NULL && *at != '\0'; at++)
                dots += *at == '.';
            if (port == NULL || dots != depth)
                continue;
            if ((rc = qemuUsbReserve(usb, hub)) < 0)
                return -1;
            if (rc == 0)
                return virReportError(VIR_ERR_XML_ERROR, "there is no USB hub for the hub at port '%s'", port);
            if (qemuUsbAddHub(usb, qemuPeekUInt(qemuPeekFirst(hub, "address"), "bus", 0), port, QEMU_USB_HUB_PORTS) < 0)
                return -1;
        }
    QEMU_PEEK_EACH(device, usb->devices, NULL) {
        int rc = qemuUsbIsDevice(device) && !qemuUsbIsOpen(device) ? qemuUsbReserve(usb, device) : 1;

        if (rc < 0)
            return -1;
        if (rc == 0)
            return virReportError(VIR_ERR_XML_ERROR, "%s: there is no USB controller or hub for port '%s' of bus %u", (const char *)device->name,
                                  qemuPeek(qemuPeekFirst(device, "address"), "port"), qemuPeekUInt(qemuPeekFirst(device, "address"), "bus", 0));
    }
    return 0;
}

static int
qemuUsbPlace(struct qemuUsb *usb, xmlNodePtr device)
{
    xmlNodePtr address = qemuPeekFirst(device, "address");
    unsigned int bus = qemuPeekUInt(address, "bus", ~0u);

    for (size_t i = 0; i < usb->count; i++) {
        struct qemuUsbHub *hub = &usb->hubs[i];

        if (bus != ~0u && hub->bus != bus)
            continue;
        for (unsigned int port = 1; port <= hub->ports; port++) {
            char text[80];

            if (hub->used[port])
                continue;
            hub->used[port] = true;
            snprintf(text, sizeof(text), "%s%s%u", hub->port, *hub->port != '\0' ? "." : "", port);
            if (virXmlSet(device, "address/@type", "usb") < 0 || virXmlSet(device, "address/@bus", "%u", hub->bus) < 0 ||
                virXmlSet(device, "address/@port", "%s", text) < 0)
                return -1;
            return strcmp((const char *)device->name, "hub") == 0 ? qemuUsbAddHub(usb, hub->bus, text, QEMU_USB_HUB_PORTS) : 0;
        }
    }
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "%s: no USB port is left", (const char *)device->name);
}

/* As many hubs as the open devices need. */
static int
qemuUsbAddHubs(struct qemuUsb *usb)
{
    unsigned int open = 0, free = 0;
    xmlNodePtr hub, last = NULL;

    QEMU_PEEK_EACH(device, usb->devices, NULL) {
        open += qemuUsbIsDevice(device) && qemuUsbIsOpen(device);
        last = device;
    }
    for (size_t i = 0; i < usb->count; i++)
        for (unsigned int port = 1; port <= usb->hubs[i].ports; port++)
            free += !usb->hubs[i].used[port];
    while (open > free && free > 0) {
        if ((hub = virXmlAddAfter(last, "hub")) == NULL || virXmlSet(hub, "@type", "usb") < 0 || qemuUsbPlace(usb, hub) < 0)
            return -1;
        free += QEMU_USB_HUB_PORTS - 1;
    }
    return 0;
}

static int
qemuUsbRun(struct qemuUsb *usb)
{
    static const char *const order[] = { "hostdev", "disk", "controller", "input", "serial", "sound", "redirdev" };

    QEMU_PEEK_EACH(device, usb->devices, NULL)
        if ((qemuUsbIsDevice(device) || strcmp((const char *)device->name, "hub") == 0) && qemuPeekIs(qemuPeekFirst(device, "address"), "type", "usb") &&
            qemuEnsureController(usb->doc, "usb", qemuPeekUInt(qemuPeekFirst(device, "address"), "bus", 0), NULL) == NULL)
            return -1;
    if (qemuUsbCollect(usb) < 0 || qemuUsbReserveAll(usb) < 0)
        return -1;
    QEMU_PEEK_EACH(hub, usb->devices, "hub")
        if (qemuUsbIsOpen(hub) && qemuUsbPlace(usb, hub) < 0)
            return -1;
    if (qemuUsbAddHubs(usb) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        QEMU_PEEK_EACH(device, usb->devices, order[i])
            if (qemuUsbIsDevice(device) && qemuUsbIsOpen(device) && qemuUsbPlace(usb, device) < 0)
                return -1;
    return 0;
}

VIRT_INTERNAL int
qemuUsbAssign(xmlDocPtr doc)
{
    struct qemuUsb *usb = virAllocate(sizeof(*usb));
    int rc = 0;

    if (usb == NULL)
        return -1;
    usb->doc = doc;
    if ((usb->devices = virXmlFind(virXmlRoot(doc), "devices")) != NULL)
        rc = qemuUsbRun(usb);
    free(usb);
    return rc;
}

#undef QEMU_USB_PORTS
#undef QEMU_USB_HUB_PORTS
#undef VIRT_FROM
