/*
 * PCI addresses: which slot of which bus each device gets, and the bridges and ports that this takes. Part of completion.
 *
 * Machines differ in their root bus. A conventional one (i440fx, pseries) takes any device in its slots, and bridges when it is full. An
 * Express one (q35, virt) takes only what is part of the chipset; every other device gets a port of its own, and devices of the old kind
 * a bridge to a conventional bus. The places of a chipset's own devices are fixed; the rest is placed in a fixed order of kinds of
 * devices, first come first served, so that the same document always gives the same machine. What has an address keeps it.
 */
#include "complete.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

/* What a device can be plugged into, and what a bus takes. */
#define QEMU_PCI_CONVENTIONAL 1
#define QEMU_PCI_EXPRESS      2
#define QEMU_PCI_INTEGRATED   4       /* a part of the root complex */
#define QEMU_PCI_PORT         8       /* a root port: on a root bus, several in one slot */
#define QEMU_PCI_DOWNSTREAM  16       /* a port of a switch */

#define QEMU_PCI_BUSES 256

/* The buses that controllers make. `automatic`: devices are placed there without being told to. */
static const struct qemuPciBusModel {
    const char *model, *name;         /* name: default of <model name> */
    unsigned int takes, first, last;
    bool automatic;
    unsigned int plug;                /* how the controller itself is connected */
} qemuPciBusModels[] = {
    { "pci-root", NULL, QEMU_PCI_CONVENTIONAL | QEMU_PCI_EXPRESS | QEMU_PCI_INTEGRATED, 1, 31, true, 0 },
    { "pcie-root", NULL, QEMU_PCI_INTEGRATED | QEMU_PCI_PORT, 1, 31, true, 0 },
    { "pci-bridge", "pci-bridge", QEMU_PCI_CONVENTIONAL | QEMU_PCI_EXPRESS, 1, 31, true, QEMU_PCI_CONVENTIONAL },
    { "dmi-to-pci-bridge", "i82801b11-bridge", QEMU_PCI_CONVENTIONAL, 0, 31, false, QEMU_PCI_INTEGRATED },
    { "pcie-to-pci-bridge", "pcie-pci-bridge", QEMU_PCI_CONVENTIONAL, 1, 31, true, QEMU_PCI_EXPRESS },
    { "pcie-root-port", "pcie-root-port", QEMU_PCI_EXPRESS, 0, 0, true, QEMU_PCI_PORT },
    { "pcie-switch-upstream-port", "x3130-upstream", QEMU_PCI_DOWNSTREAM, 0, 31, true, QEMU_PCI_EXPRESS },
    { "pcie-switch-downstream-port", "xio3130-downstream", QEMU_PCI_EXPRESS, 0, 0, true, QEMU_PCI_DOWNSTREAM },
    { "pci-expander-bus", "pxb", QEMU_PCI_CONVENTIONAL, 0, 31, false, QEMU_PCI_CONVENTIONAL },
    { "pcie-expander-bus", "pxb-pcie", QEMU_PCI_PORT, 0, 31, false, QEMU_PCI_INTEGRATED },
};

struct qemuPci {
    xmlDocPtr doc;
    xmlNodePtr devices;
    struct qemuMachine machine;
    struct qemuPciBus {
        const struct qemuPciBusModel *model;    /* NULL: there is no such bus */
        unsigned char used[32];                 /* by slot: bits of functions */
        unsigned char ports[32];                /* of these, the ones that are root ports */
    } buses[QEMU_PCI_BUSES];
    bool grown;                                 /* controllers were added */
};

static const struct qemuPciBusModel *
qemuPciModelOf(xmlNodePtr controller)
{
    for (size_t i = 0; i < sizeof(qemuPciBusModels) / sizeof(qemuPciBusModels[0]); i++)
        if (qemuPeekIs(controller, "model", qemuPciBusModels[i].model))
            return &qemuPciBusModels[i];
    return NULL;
}

/* ---------- what is what ---------- */

static bool
qemuPciIsVirtioModel(const char *model)
{
    return model != NULL && strncmp(model, "virtio", 6) == 0;
}

/* virtio devices that can still be driven by the oldest drivers have to be on a conventional bus. */
static unsigned int
qemuPciVirtio(const char *model)
{
    return model != NULL && strcmp(model, "virtio-transitional") == 0 ? QEMU_PCI_CONVENTIONAL : QEMU_PCI_EXPRESS;
}

static unsigned int
qemuPciInterface(xmlNodePtr device)
{
    static const char *const express[] = { "e1000e", "vmxnet3", "igb" };
    static const char *const others[] = { "spapr-vlan", "lan9118", "scm91c111", "usb-net", "netfront", "ne2k_isa" };
    const char *model = qemuPeek(qemuPeekFirst(device, "model"), "type");

    if (qemuPeekIs(device, "type", "hostdev") || model == NULL)
        return QEMU_PCI_EXPRESS;
    if (qemuPciIsVirtioModel(model))
        return qemuPciVirtio(model);
    for (size_t i = 0; i < sizeof(express) / sizeof(express[0]); i++)
        if (strcmp(model, express[i]) == 0)
            return QEMU_PCI_EXPRESS;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(model, others[i]) == 0)
            return 0;
    return QEMU_PCI_CONVENTIONAL;
}

static unsigned int
qemuPciController(xmlNodePtr device)
{
    const char *type = qemuPeek(device, "type"), *model = qemuPeek(device, "model");

    if (type == NULL || (model != NULL && strcmp(model, "none") == 0))
        return 0;
    if (strcmp(type, "virtio-serial") == 0)
        return qemuPciVirtio(model);
    if (strcmp(type, "sata") == 0)
        return QEMU_PCI_EXPRESS;
    if (strcmp(type, "scsi") == 0) {
        if (qemuPciIsVirtioModel(model))
            return qemuPciVirtio(model);
        if (model != NULL && strcmp(model, "ibmvscsi") == 0)
            return 0;
        return model != NULL && strncmp(model, "lsisas", 6) == 0 ? QEMU_PCI_EXPRESS : QEMU_PCI_CONVENTIONAL;
    }
    if (strcmp(type, "usb") == 0) {
        if (model != NULL && strncmp(model, "ich9", 4) == 0)
            return QEMU_PCI_INTEGRATED;
        return model != NULL && strstr(model, "xhci") != NULL ? QEMU_PCI_EXPRESS : model != NULL ? QEMU_PCI_CONVENTIONAL : 0;
    }
    return 0;
}

static unsigned int
qemuPciHostdev(xmlNodePtr device)
{
    const char *type = qemuPeek(device, "type");

    if (type == NULL || qemuPeekIs(device, "mode", "capabilities"))
        return 0;
    if (strcmp(type, "scsi_host") == 0)
        return qemuPciVirtio(qemuPeek(device, "model"));
    if (strcmp(type, "mdev") == 0)
        return qemuPeekIs(device, "model", "vfio-pci") ? QEMU_PCI_EXPRESS : 0;
    return strcmp(type, "pci") == 0 ? QEMU_PCI_EXPRESS : 0;
}

static unsigned int
qemuPciVideo(xmlNodePtr device)
{
    const char *type = qemuPeek(qemuPeekFirst(device, "model"), "type");

    if (type == NULL || strcmp(type, "none") == 0 || strcmp(type, "ramfb") == 0 || strcmp(type, "gop") == 0)
        return 0;
    return strcmp(type, "virtio") == 0 ? QEMU_PCI_EXPRESS : QEMU_PCI_CONVENTIONAL;
}

/* Elements whose connection hangs on one attribute. */
static unsigned int
qemuPciSimple(xmlNodePtr device)
{
    const char *name = (const char *)device->name, *model = qemuPeek(device, "model"), *bus = qemuPeek(device, "bus");

    if (strcmp(name, "sound") == 0)
        return model != NULL && (strncmp(model, "ich", 3) == 0 || strcmp(model, "ac97") == 0 || strcmp(model, "es1370") == 0) ?
               QEMU_PCI_CONVENTIONAL : 0;
    if (strcmp(name, "disk") == 0)
        return qemuPeekIs(qemuPeekFirst(device, "target"), "bus", "virtio") ? qemuPciVirtio(model) : 0;
    if (strcmp(name, "memballoon") == 0 || strcmp(name, "rng") == 0 || strcmp(name, "vsock") == 0)
        return qemuPciIsVirtioModel(model) || (model == NULL && strcmp(name, "vsock") == 0) ? qemuPciVirtio(model) : 0;
    if (strcmp(name, "watchdog") == 0)
        return model != NULL && strcmp(model, "i6300esb") == 0 ? QEMU_PCI_CONVENTIONAL : 0;
    if (strcmp(name, "shmem") == 0)
        return QEMU_PCI_CONVENTIONAL;
    if (strcmp(name, "input") == 0)
        return bus != NULL && strcmp(bus, "virtio") == 0 ? qemuPciVirtio(model) : 0;
    if (strcmp(name, "serial") == 0)
        return qemuPeekIs(qemuPeekFirst(device, "target"), "type", "pci-serial") ? QEMU_PCI_CONVENTIONAL : 0;
    if (strcmp(name, "iommu") == 0)
        return model != NULL && strcmp(model, "virtio") == 0 ? QEMU_PCI_INTEGRATED : 0;
    if (strcmp(name, "filesystem") == 0)
        return qemuPciVirtio(model);
    if (strcmp(name, "memory") == 0)
        return qemuPciIsVirtioModel(model) ? QEMU_PCI_EXPRESS : 0;
    if (strcmp(name, "panic") == 0)
        return model != NULL && strcmp(model, "pvpanic") == 0 ? QEMU_PCI_INTEGRATED : 0;
    return strcmp(name, "crypto") == 0 ? QEMU_PCI_EXPRESS : 0;
}

/* The order in which devices are placed. */
static const struct qemuPciKind {
    const char *element;
    unsigned int (*plug)(xmlNodePtr device);
} qemuPciKinds[] = {
    { "filesystem", qemuPciSimple }, { "interface", qemuPciInterface }, { "sound", qemuPciSimple }, { "controller", qemuPciController },
    { "disk", qemuPciSimple }, { "hostdev", qemuPciHostdev }, { "memballoon", qemuPciSimple }, { "rng", qemuPciSimple },
    { "watchdog", qemuPciSimple }, { "iommu", qemuPciSimple }, { "video", qemuPciVideo }, { "shmem", qemuPciSimple },
    { "input", qemuPciSimple }, { "serial", qemuPciSimple }, { "vsock", qemuPciSimple }, { "memory", qemuPciSimple },
    { "crypto", qemuPciSimple }, { "panic", qemuPciSimple },
};

#define QEMU_PCI_KINDS (sizeof(qemuPciKinds) / sizeof(qemuPciKinds[0]))

/* Whether the device is still to be placed on PCI: it has no address, or only says "pci". */
static bool
qemuPciIsOpen(xmlNodePtr device)
{
    xmlNodePtr address = qemuPeekFirst(device, "address");

    return address == NULL || (qemuPeekIs(address, "type", "pci") && qemuPeek(address, "slot") == NULL);
}

/* ---------- places ---------- */

static int
qemuPciSet(struct qemuPci *pci, xmlNodePtr device, unsigned int bus, unsigned int slot, unsigned int function, bool multifunction)
{
    pci->buses[bus].used[slot] |= (unsigned char)(1 << function);
    if (virXmlSet(device, "address/@type", "pci") < 0 || virXmlSet(device, "address/@domain", "0x0000") < 0 ||
        virXmlSet(device, "address/@bus", "0x%02x", bus) < 0 || virXmlSet(device, "address/@slot", "0x%02x", slot) < 0 ||
        virXmlSet(device, "address/@function", "0x%x", function) < 0 ||
        (multifunction && virXmlSet(device, "address/@multifunction", "on") < 0))
        return -1;
    return 0;
}

static int
qemuPciReserve(struct qemuPci *pci, xmlNodePtr device)
{
    struct qemuPciPlace place;
    int rc = qemuPciPlaceOf(device, &place);

    if (rc <= 0)
        return rc;
    if (place.slot > 31 || place.function > 7 || place.bus >= QEMU_PCI_BUSES)
        return virReportError(VIR_ERR_XML_ERROR, "%s: PCI address %04x:%02x:%02x.%x is out of range", (const char *)device->name,
                              place.domain, place.bus, place.slot, place.function);
    pci->buses[place.bus].used[place.slot] |= (unsigned char)(1 << place.function);
    if (qemuPciModelOf(device) != NULL && (qemuPciModelOf(device)->plug & QEMU_PCI_PORT))
        pci->buses[place.bus].ports[place.slot] |= (unsigned char)(1 << place.function);
    return 0;
}

/* A free slot of a bus that takes such a device; false: there is none. */
static bool
qemuPciFind(struct qemuPci *pci, unsigned int plug, unsigned int *bus, unsigned int *slot)
{
    for (*bus = 0; *bus < QEMU_PCI_BUSES; (*bus)++) {
        const struct qemuPciBus *at = &pci->buses[*bus];

        if (at->model == NULL || !at->model->automatic || !(at->model->takes & plug))
            continue;
        /* The bridge's own bus takes Express devices only where the root is a conventional one. */
        if (plug == QEMU_PCI_EXPRESS && (at->model->takes & QEMU_PCI_CONVENTIONAL) && pci->machine.pcieRoot)
            continue;
        for (*slot = at->model->first; *slot <= at->model->last; (*slot)++)
            if (at->used[*slot] == 0)
                return true;
    }
    return false;
}

/* ---------- controllers of our own ---------- */

static xmlNodePtr
qemuPciAddController(struct qemuPci *pci, const char *model)
{
    xmlNodePtr last = NULL, controller;
    unsigned int index = 0;

    QEMU_PEEK_EACH(other, pci->devices, "controller")
        last = other;
    while (index < QEMU_PCI_BUSES && pci->buses[index].model != NULL)
        index++;
    if (index == QEMU_PCI_BUSES) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "there are more devices than 256 PCI buses can take");
        return NULL;
    }
    controller = last != NULL ? virXmlAddAfter(last, "controller") : virXmlAdd(pci->devices, "controller");
    if (controller == NULL || virXmlSet(controller, "@type", "pci") < 0 || virXmlSet(controller, "@index", "%u", index) < 0 ||
        virXmlSet(controller, "@model", "%s", model) < 0)
        return NULL;
    pci->buses[index].model = qemuPciModelOf(controller);
    pci->grown = true;
    return controller;
}

/* A root port: the next function of a slot of root ports, or the first of a free slot. */
static int
qemuPciPlacePort(struct qemuPci *pci, xmlNodePtr controller)
{
    struct qemuPciBus *root = &pci->buses[0];
    unsigned int bus, slot;

    for (slot = 1; slot < 32; slot++) {
        if (root->used[slot] == 0 || root->used[slot] != root->ports[slot] || !(root->used[slot] & 1))
            continue;
        for (unsigned int function = 1; function < 8; function++)
            if (!(root->used[slot] & 1 << function)) {
                root->ports[slot] |= (unsigned char)(1 << function);
                return qemuPciSet(pci, controller, 0, slot, function, false);
            }
    }
    if (!qemuPciFind(pci, QEMU_PCI_PORT, &bus, &slot))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "no slot is left for a PCIe root port");
    pci->buses[bus].ports[slot] |= 1;
    return qemuPciSet(pci, controller, bus, slot, 0, false);
}

static int
qemuPciAddPort(struct qemuPci *pci)
{
    xmlNodePtr controller = qemuPciAddController(pci, "pcie-root-port");

    return controller == NULL ? -1 : qemuPciPlacePort(pci, controller);
}

static int qemuPciPlace(struct qemuPci *pci, xmlNodePtr device, unsigned int plug);

/* One more bus that takes such devices. */
static int
qemuPciGrow(struct qemuPci *pci, unsigned int plug)
{
    xmlNodePtr controller;

    if (!pci->machine.pcieRoot)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "no PCI slot is left");
    if (plug & QEMU_PCI_EXPRESS)
        return qemuPciAddPort(pci);
    if (!(plug & QEMU_PCI_CONVENTIONAL))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "no slot of the PCIe root bus is left");
    /* Where the user has the older kind of bridge, it goes on with that. */
    for (unsigned int bus = 0; bus < QEMU_PCI_BUSES; bus++)
        if (pci->buses[bus].model != NULL && strcmp(pci->buses[bus].model->model, "dmi-to-pci-bridge") == 0)
            for (unsigned int slot = 1; slot < 32; slot++)
                if (pci->buses[bus].used[slot] == 0)
                    return (controller = qemuPciAddController(pci, "pci-bridge")) == NULL ? -1 :
                           qemuPciSet(pci, controller, bus, slot, 0, false);
    if (qemuPciFind(pci, QEMU_PCI_EXPRESS, &(unsigned int){ 0 }, &(unsigned int){ 0 }) == false && qemuPciAddPort(pci) < 0)
        return -1;
    if ((controller = qemuPciAddController(pci, "pcie-to-pci-bridge")) == NULL)
        return -1;
    return qemuPciPlace(pci, controller, QEMU_PCI_EXPRESS);
}

static int
qemuPciPlace(struct qemuPci *pci, xmlNodePtr device, unsigned int plug)
{
    unsigned int bus, slot;

    if (plug & QEMU_PCI_PORT)
        return qemuPciPlacePort(pci, device);
    if (!qemuPciFind(pci, plug, &bus, &slot)) {
        if (qemuPciGrow(pci, plug) < 0)
            return -1;
        if (!qemuPciFind(pci, plug, &bus, &slot))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "no PCI slot is left for a <%s>", (const char *)device->name);
    }
    return qemuPciSet(pci, device, bus, slot, 0, false);
}

/* ---------- the chipset's own ---------- */

/* A fixed place, if the device has none yet and nobody else is there. 1: done, 0: not, -1: error. */
static int
qemuPciSetFixed(struct qemuPci *pci, xmlNodePtr device, unsigned int slot, unsigned int function, bool multifunction)
{
    if (device == NULL || !qemuPciIsOpen(device) || (pci->buses[0].used[slot] & 1 << function))
        return 0;
    return qemuPciSet(pci, device, 0, slot, function, multifunction) < 0 ? -1 : 1;
}

static xmlNodePtr
qemuPciPrimaryVideo(struct qemuPci *pci)
{
    xmlNodePtr first = qemuPeekFirst(pci->devices, "video");

    QEMU_PEEK_EACH(video, pci->devices, "video")
        if (qemuPeekIs(qemuPeekFirst(video, "model"), "primary", "yes"))
            first = video;
    return first != NULL && qemuPciVideo(first) != 0 ? first : NULL;
}

/* The ICH9 set: one USB 2 controller and its three companions share a slot, the chipset's on q35. */
static int
qemuPciPlaceIch9(struct qemuPci *pci)
{
    static const struct { const char *model; unsigned int function; } functions[] = {
        { "ich9-ehci1", 7 }, { "ich9-uhci1", 0 }, { "ich9-uhci2", 1 }, { "ich9-uhci3", 2 },
    };
    static const unsigned int chipset[] = { 0x1d, 0x1a };

    QEMU_PEEK_EACH(controller, pci->devices, "controller") {
        unsigned int index = qemuPeekUInt(controller, "index", 0), bus = 0, slot = 32;
        const char *model = qemuPeek(controller, "model");
        size_t which = 0;

        if (!qemuPeekIs(controller, "type", "usb") || model == NULL || strncmp(model, "ich9-", 5) != 0 || !qemuPciIsOpen(controller))
            continue;
        while (which < 3 && strcmp(functions[which].model, model) != 0)
            which++;
        /* Where one of the set already is, the others go. */
        QEMU_PEEK_EACH(other, pci->devices, "controller") {
            struct qemuPciPlace place;

            if (qemuPeekIs(other, "type", "usb") && qemuPeekUInt(other, "index", 0) == index && qemuPciPlaceOf(other, &place) == 1 &&
                place.bus < QEMU_PCI_BUSES && place.slot < 32 && !(pci->buses[place.bus].used[place.slot] & 1 << functions[which].function)) {
                bus = place.bus;
                slot = place.slot;
            }
        }
        for (size_t i = 0; i < 2 && slot == 32 && pci->machine.family == QEMU_MACHINE_Q35; i++)
            if (pci->buses[0].used[chipset[i]] == 0)
                slot = chipset[i];
        if (slot == 32 && !qemuPciFind(pci, QEMU_PCI_CONVENTIONAL, &bus, &slot) &&
            (qemuPciGrow(pci, QEMU_PCI_CONVENTIONAL) < 0 || !qemuPciFind(pci, QEMU_PCI_CONVENTIONAL, &bus, &slot)))
            return -1;
        if (qemuPciSet(pci, controller, bus, slot, functions[which].function, functions[which].function == 0) < 0)
            return -1;
    }
    return 0;
}

static int
qemuPciPlaceChipset(struct qemuPci *pci)
{
    struct qemuPciBus *root = &pci->buses[0];
    xmlNodePtr video = qemuPciPrimaryVideo(pci), usb = qemuFindController(pci->doc, "usb", 0);

    root->used[0] = 0xff;
    if (pci->machine.family == QEMU_MACHINE_PC) {
        if (qemuPciSetFixed(pci, qemuFindController(pci->doc, "ide", 0), 1, 1, false) < 0 ||
            (qemuPeekIs(usb, "model", "piix3-uhci") && qemuPciSetFixed(pci, usb, 1, 2, false) < 0))
            return -1;
        root->used[1] = 0xff;
        if (qemuPciSetFixed(pci, video, 2, 0, false) < 0)
            return -1;
        return 0;
    }
    if (pci->machine.family != QEMU_MACHINE_Q35)
        return 0;
    if (qemuPciSetFixed(pci, qemuFindController(pci->doc, "sata", 0), 0x1f, 2, false) < 0)
        return -1;
    root->used[0x1f] = 0xff;
    if (qemuPciSetFixed(pci, video, 1, 0, false) < 0)
        return -1;
    QEMU_PEEK_EACH(sound, pci->devices, "sound")
        if (qemuPeekIs(sound, "model", "ich9"))
            return qemuPciSetFixed(pci, sound, 0x1b, 0, false) < 0 ? -1 : 0;
    return 0;
}

/* ---------- all of it ---------- */

static bool
qemuPciIsBus(xmlNodePtr device)
{
    return strcmp((const char *)device->name, "controller") == 0 && qemuPeekIs(device, "type", "pci");
}

/* Fills the map of buses and of what is taken. */
static int
qemuPciCollect(struct qemuPci *pci)
{
    QEMU_PEEK_EACH(device, pci->devices, NULL) {
        unsigned int index = qemuPeekUInt(device, "index", 0);

        if (qemuPciIsBus(device)) {
            if (qemuPciModelOf(device) == NULL || index >= QEMU_PCI_BUSES)
                return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "PCI controller %u: unknown model '%s'", index,
                                      qemuPeek(device, "model") != NULL ? qemuPeek(device, "model") : "");
            pci->buses[index].model = qemuPciModelOf(device);
        }
    }
    QEMU_PEEK_EACH(device, pci->devices, NULL)
        if (qemuPciReserve(pci, device) < 0)
            return -1;
    return 0;
}

/* On a conventional root bus, as many bridges as the devices will need: they have to be there before the slots are gone. */
static int
qemuPciAddBridges(struct qemuPci *pci)
{
    unsigned int open = 0, free = 0, bridges = 0;

    for (size_t i = 0; i < QEMU_PCI_KINDS; i++)
        QEMU_PEEK_EACH(device, pci->devices, qemuPciKinds[i].element)
            open += qemuPciIsOpen(device) && qemuPciKinds[i].plug(device) != 0;
    QEMU_PEEK_EACH(device, pci->devices, "controller")
        open += qemuPciIsBus(device) && qemuPeekUInt(device, "index", 0) != 0 && qemuPciIsOpen(device) &&
                strcmp(qemuPciModelOf(device)->model, "pci-root") != 0;
    for (unsigned int bus = 0; bus < QEMU_PCI_BUSES; bus++) {
        const struct qemuPciBusModel *model = pci->buses[bus].model;

        for (unsigned int slot = model != NULL && model->automatic ? model->first : 32; slot <= (model != NULL ? model->last : 0); slot++)
            free += pci->buses[bus].used[slot] == 0;
    }
    /* The last slot is kept for a bridge, so that there is a way on. */
    while (open > 0 && open + (bridges > 0 ? bridges : 1) > free + 31 * bridges)
        bridges++;
    for (; bridges > 0; bridges--)
        if (qemuPciAddController(pci, "pci-bridge") == NULL)
            return -1;
    return 0;
}

/* Buses that addresses name but no controller makes: up to the highest. */
static int
qemuPciAddNamedBuses(struct qemuPci *pci)
{
    unsigned int highest = 0;

    QEMU_PEEK_EACH(device, pci->devices, NULL) {
        struct qemuPciPlace place;

        if (qemuPciPlaceOf(device, &place) == 1 && place.bus > highest && place.bus < QEMU_PCI_BUSES)
            highest = place.bus;
    }
    for (unsigned int bus = 1; bus <= highest; bus++) {
        xmlNodePtr controller;

        if (pci->buses[bus].model != NULL)
            continue;
        /* The first free index is this one, because all below it exist. */
        if ((controller = qemuPciAddController(pci, pci->machine.pcieRoot ? "pcie-root-port" : "pci-bridge")) == NULL)
            return -1;
    }
    return 0;
}

/* Ports of a switch, bridges and root ports in the document that have no place yet, in the order of their indexes. */
static int
qemuPciPlaceBuses(struct qemuPci *pci)
{
    for (unsigned int index = 1; index < QEMU_PCI_BUSES; index++) {
        xmlNodePtr controller = pci->buses[index].model != NULL ? qemuFindController(pci->doc, "pci", index) : NULL;
        unsigned int plug = controller != NULL ? pci->buses[index].model->plug : 0;

        if (plug == 0 || !qemuPciIsOpen(controller))
            continue;
        if (plug == QEMU_PCI_CONVENTIONAL && pci->machine.pcieRoot) {
            /* A bridge of the older kind sits on the one that leads there from PCI Express. */
            unsigned int bus = 1;

            while (bus < QEMU_PCI_BUSES && (pci->buses[bus].model == NULL || bus == index ||
                   strcmp(pci->buses[bus].model->model, "dmi-to-pci-bridge") != 0))
                bus++;
            if (bus < QEMU_PCI_BUSES) {
                unsigned int slot = 0;

                while (slot < 31 && pci->buses[bus].used[slot] != 0)
                    slot++;
                if (qemuPciSet(pci, controller, bus, slot, 0, false) < 0)
                    return -1;
                continue;
            }
        }
        if (pci->machine.family == QEMU_MACHINE_Q35 && strcmp(pci->buses[index].model->model, "dmi-to-pci-bridge") == 0 &&
            pci->buses[0].used[0x1e] == 0) {
            if (qemuPciSet(pci, controller, 0, 0x1e, 0, false) < 0)
                return -1;
        } else if (qemuPciPlace(pci, controller, plug) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What QEMU has to be told of a bus beyond its place: chassis and port numbers, the implementation. */
static int
qemuPciSetTargets(struct qemuPci *pci)
{
    unsigned int expander = 256, host = 1;

    /* Each needs two bus numbers, its own and that of a bridge: they are counted down from the top. */
    QEMU_PEEK_EACH(controller, pci->devices, "controller")
        if (qemuPeekUInt(qemuPeekFirst(controller, "target"), "busNr", 256) < expander)
            expander = qemuPeekUInt(qemuPeekFirst(controller, "target"), "busNr", 256);

    QEMU_PEEK_EACH(controller, pci->devices, "controller") {
        const struct qemuPciBusModel *model = qemuPciIsBus(controller) ? qemuPciModelOf(controller) : NULL;
        unsigned int index = qemuPeekUInt(controller, "index", 0);
        xmlNodePtr target = qemuPeekFirst(controller, "target");
        struct qemuPciPlace place;

        if (model == NULL)
            continue;
        if (model->name != NULL && qemuPeek(qemuPeekFirst(controller, "model"), "name") == NULL &&
            virXmlSet(controller, "model/@name", "%s", model->name) < 0)
            return -1;
        if (strcmp(model->model, "pci-root") == 0 && pci->machine.family == QEMU_MACHINE_PSERIES) {
            if ((qemuPeek(target, "index") == NULL && virXmlSet(controller, "target/@index", "%u", index == 0 ? 0 : host) < 0) ||
                virXmlSet(controller, "model/@name", "spapr-pci-host-bridge") < 0)
                return -1;
            host += index != 0;
        }
        if (qemuPciPlaceOf(controller, &place) < 1)
            continue;
        if (strcmp(model->model, "pci-bridge") == 0 && qemuPeek(target, "chassisNr") == NULL &&
            virXmlSet(controller, "target/@chassisNr", "%u", index) < 0)
            return -1;
        if (model->takes == QEMU_PCI_EXPRESS && ((qemuPeek(target, "chassis") == NULL && virXmlSet(controller, "target/@chassis", "%u", index) < 0) ||
            (qemuPeek(target, "port") == NULL && virXmlSet(controller, "target/@port", "0x%x", place.slot << 3 | place.function) < 0)))
            return -1;
        if (strstr(model->model, "expander") != NULL && qemuPeek(target, "busNr") == NULL &&
            virXmlSet(controller, "target/@busNr", "%u", expander -= 2) < 0)
            return -1;
    }
    return 0;
}

/* Disks are placed in the order of their names, as the guest is to see them. */
static int
qemuPciPlaceDisks(struct qemuPci *pci)
{
    for (;;) {
        xmlNodePtr first = NULL;
        const char *name = NULL;

        QEMU_PEEK_EACH(disk, pci->devices, "disk") {
            const char *dev = qemuPeek(qemuPeekFirst(disk, "target"), "dev");

            if (!qemuPciIsOpen(disk) || qemuPciSimple(disk) == 0)
                continue;
            if (dev == NULL)
                dev = "";
            if (first == NULL || strlen(dev) < strlen(name) || (strlen(dev) == strlen(name) && strcmp(dev, name) < 0)) {
                first = disk;
                name = dev;
            }
        }
        if (first == NULL)
            return 0;
        if (qemuPciPlace(pci, first, qemuPciSimple(first)) < 0)
            return -1;
    }
}

static int
qemuPciPlaceAll(struct qemuPci *pci)
{
    for (size_t i = 0; i < QEMU_PCI_KINDS; i++)
        QEMU_PEEK_EACH(device, pci->devices, qemuPciKinds[i].element) {
            unsigned int plug = qemuPciIsOpen(device) ? qemuPciKinds[i].plug(device) : 0;

            if (strcmp(qemuPciKinds[i].element, "disk") == 0) {
                if (qemuPciPlaceDisks(pci) < 0)
                    return -1;
                break;
            }
            if (plug != 0 && qemuPciPlace(pci, device, plug) < 0)
                return -1;
        }
    return 0;
}

/* The first function of a slot has to say that there are others. */
static int
qemuPciSetMultifunction(struct qemuPci *pci)
{
    QEMU_PEEK_EACH(device, pci->devices, NULL) {
        struct qemuPciPlace place;

        if (qemuPciPlaceOf(device, &place) != 1 || place.function != 0 || place.bus >= QEMU_PCI_BUSES || place.slot > 31 ||
            qemuPeek(qemuPeekFirst(device, "address"), "multifunction") != NULL)
            continue;
        /* The slots that the chipset itself fills. */
        if (place.bus == 0 && (place.slot == 0 || (pci->machine.family == QEMU_MACHINE_PC && place.slot == 1) ||
                               (pci->machine.family == QEMU_MACHINE_Q35 && place.slot == 0x1f)))
            continue;
        if ((pci->buses[place.bus].used[place.slot] & 0xfe) != 0 && virXmlSet(device, "address/@multifunction", "on") < 0)
            return -1;
    }
    return 0;
}

static int
qemuPciRun(struct qemuPci *pci)
{
    unsigned int bus, slot;
    bool bare = true;

    if (qemuPciCollect(pci) < 0)
        return -1;
    for (bus = 1; bus < QEMU_PCI_BUSES; bus++)
        bare = bare && pci->buses[bus].model == NULL;
    if (qemuPciAddNamedBuses(pci) < 0 || qemuPciPlaceChipset(pci) < 0 ||
        (!pci->machine.pcieRoot && qemuPciAddBridges(pci) < 0) || qemuPciPlaceBuses(pci) < 0 || qemuPciPlaceIch9(pci) < 0 ||
        qemuPciPlaceAll(pci) < 0)
        return -1;
    /* One port stays free, to plug something in later. */
    if (pci->machine.pcieRoot && bare && pci->grown && !qemuPciFind(pci, QEMU_PCI_EXPRESS, &bus, &slot) && qemuPciAddPort(pci) < 0)
        return -1;
    return qemuPciSetMultifunction(pci) < 0 ? -1 : qemuPciSetTargets(pci);
}

VIRT_INTERNAL int
qemuPciAssign(xmlDocPtr doc)
{
    struct qemuPci *pci = virAllocate(sizeof(*pci));
    int rc = 0;

    if (pci == NULL)
        return -1;
    pci->doc = doc;
    pci->devices = virXmlFind(virXmlRoot(doc), "devices");
    pci->machine = qemuMachineOf(doc);
    /* A machine without PCI, or one whose root bus is nothing we know, gets no addresses. */
    if (pci->devices != NULL && qemuFindController(doc, "pci", 0) != NULL)
        rc = qemuPciRun(pci);
    free(pci);
    return rc;
}

#undef QEMU_PCI_CONVENTIONAL
#undef QEMU_PCI_EXPRESS
#undef QEMU_PCI_INTEGRATED
#undef QEMU_PCI_PORT
#undef QEMU_PCI_DOWNSTREAM
#undef QEMU_PCI_BUSES
#undef QEMU_PCI_KINDS
#undef VIRT_FROM
