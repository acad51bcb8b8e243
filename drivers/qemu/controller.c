/*
 * Controllers: what provides a bus. The tables say which QEMU device each type and model is, and the properties that the document gives it.
 *
 * Some are part of the machine (qemuControllerIsBuiltin) and become no -device; their properties, if any, are -global options.
 */
#include "machine.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

static const struct qemuControllerModel {
    const char *type, *model, *driver;
    bool virtio;
} qemuControllerModels[] = {
    { "usb", "piix3-uhci", "piix3-usb-uhci", false },
    { "usb", "piix4-uhci", "piix4-usb-uhci", false },
    { "usb", "ehci", "usb-ehci", false },
    { "usb", "ich9-ehci1", "ich9-usb-ehci1", false },
    { "usb", "ich9-uhci1", "ich9-usb-uhci1", false },
    { "usb", "ich9-uhci2", "ich9-usb-uhci2", false },
    { "usb", "ich9-uhci3", "ich9-usb-uhci3", false },
    { "usb", "vt82c686b-uhci", "vt82c686b-usb-uhci", false },
    { "usb", "pci-ohci", "pci-ohci", false },
    { "usb", "nec-xhci", "nec-usb-xhci", false },
    { "usb", "qemu-xhci", "qemu-xhci", false },
    { "scsi", "virtio-scsi", "virtio-scsi", true },
    { "scsi", "virtio-transitional", "virtio-scsi", true },
    { "scsi", "virtio-non-transitional", "virtio-scsi", true },
    { "scsi", "lsilogic", "lsi53c895a", false },
    { "scsi", "lsisas1068", "mptsas1068", false },
    { "scsi", "lsisas1078", "megasas", false },
    { "scsi", "ibmvscsi", "spapr-vscsi", false },
    { "scsi", "dc390", "dc390", false },
    { "scsi", "am53c974", "am53c974", false },
    { "virtio-serial", NULL, "virtio-serial", true },
    { "sata", NULL, "ich9-ahci", false },
    { "ccid", NULL, "usb-ccid", false },
    { "fdc", NULL, "isa-fdc", false },
    { "pci", "pci-bridge", "pci-bridge", false },
    { "pci", "dmi-to-pci-bridge", "i82801b11-bridge", false },
    { "pci", "pcie-to-pci-bridge", "pcie-pci-bridge", false },
    { "pci", "pcie-root-port", "pcie-root-port", false },
    { "pci", "pcie-switch-upstream-port", "x3130-upstream", false },
    { "pci", "pcie-switch-downstream-port", "xio3130-downstream", false },
    { "pci", "pci-expander-bus", "pxb", false },
    { "pci", "pcie-expander-bus", "pxb-pcie", false },
    { "pci", "pci-root", "spapr-pci-host-bridge", false },
};

/* The properties of each type, copied as they stand. Index 0 of <driver> is the only one. */
static const struct qemuControllerProperties {
    const char *type;
    struct qemuProperty properties[8];
} qemuControllerProperties[] = {
    { "scsi", {
        { QEMU_PROPERTY_NUMBER, "driver/@queues", "num_queues" }, { QEMU_PROPERTY_NUMBER, "driver/@cmd_per_lun", "cmd_per_lun" },
        { QEMU_PROPERTY_NUMBER, "driver/@max_sectors", "max_sectors" }, { QEMU_PROPERTY_BOOL, "driver/@ioeventfd", "ioeventfd" },
        { QEMU_PROPERTY_BOOL, "driver/@event_idx", "event_idx" } } },
    { "virtio-serial", {
        { QEMU_PROPERTY_NUMBER, "@ports", "max_ports" }, { QEMU_PROPERTY_NUMBER, "@vectors", "vectors" } } },
    { "usb", { { QEMU_PROPERTY_NUMBER, "@ports", "p2" }, { QEMU_PROPERTY_NUMBER, "@ports", "p3" } } },
    { "pci-bridge", { { QEMU_PROPERTY_NUMBER, "target/@chassisNr", "chassis_nr" } } },
    { "pcie-root-port", {
        { QEMU_PROPERTY_NUMBER, "target/@port", "port" }, { QEMU_PROPERTY_NUMBER, "target/@chassis", "chassis" },
        { QEMU_PROPERTY_BOOL, "target/@hotplug", "hotplug" } } },
    { "pcie-switch-downstream-port", {
        { QEMU_PROPERTY_NUMBER, "target/@port", "port" }, { QEMU_PROPERTY_NUMBER, "target/@chassis", "chassis" },
        { QEMU_PROPERTY_BOOL, "target/@hotplug", "hotplug" } } },
    { "pci-expander-bus", {
        { QEMU_PROPERTY_NUMBER, "target/@busNr", "bus_nr" }, { QEMU_PROPERTY_NUMBER, "target/node", "numa_node" } } },
    { "pcie-expander-bus", {
        { QEMU_PROPERTY_NUMBER, "target/@busNr", "bus_nr" }, { QEMU_PROPERTY_NUMBER, "target/node", "numa_node" } } },
    { "pci-root", {
        { QEMU_PROPERTY_NUMBER, "target/@index", "index" }, { QEMU_PROPERTY_NUMBER, "target/node", "numa_node" } } },
};

static const struct qemuControllerModel *
qemuControllerModelOf(const char *type, const char *model)
{
    for (size_t i = 0; i < sizeof(qemuControllerModels) / sizeof(qemuControllerModels[0]); i++) {
        const struct qemuControllerModel *entry = &qemuControllerModels[i];

        if (strcmp(entry->type, type) == 0 && (entry->model == NULL || (model != NULL && strcmp(entry->model, model) == 0)))
            return entry;
    }
    return NULL;
}

static int
qemuControllerAddProperties(xmlNodePtr device, const char *type, const char *model, cJSON *object)
{
    /* PCI controllers differ by model; of USB only the xhci ones have a choice of ports. */
    const char *name = strcmp(type, "pci") == 0 && model != NULL ? model : type;

    if (strcmp(type, "usb") == 0 && (model == NULL || strstr(model, "xhci") == NULL))
        return 0;
    for (size_t i = 0; i < sizeof(qemuControllerProperties) / sizeof(qemuControllerProperties[0]); i++)
        if (strcmp(qemuControllerProperties[i].type, name) == 0)
            return qemuAddProperties(device, object, qemuControllerProperties[i].properties);
    return 0;
}

/* A USB 1 companion shares the ports of its USB 2 master, and has no bus, so no name, of its own. */
static int
qemuControllerAddMaster(struct qemuCommand *command, xmlNodePtr device, cJSON *object)
{
    unsigned int index = 0, port = 0;
    xmlNodePtr master;
    const char *alias;
    VIRT_CLEANUP_FREE char *bus = NULL;

    if (virXmlFirst(device, "master") == NULL)
        return 0;
    if (virXmlUInt(device, "@index", &index) < 0 || virXmlUInt(device, "master/@startport", &port) < 0)
        return -1;
    if ((master = qemuFindController(command->doc, "usb", index)) == device || master == NULL ||
        qemuPeekFirst(master, "master") != NULL) {
        xmlNodePtr devices = device->parent;

        master = NULL;
        QEMU_PEEK_EACH(other, devices, "controller")
            if (qemuPeekIs(other, "type", "usb") && qemuPeekUInt(other, "index", 0) == index && qemuPeekFirst(other, "master") == NULL)
                master = other;
    }
    if (master == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "USB controller %u has companions, but no master", index);
    if ((alias = qemuDeviceAlias(master)) == NULL || (bus = virStringFormat("%s.0", alias)) == NULL)
        return -1;
    cJSON_DeleteItemFromObjectCaseSensitive(object, "id");
    return virJsonAdd(object, "s:masterbus", bus, "i:firstport", (int)port, NULL);
}

static int
qemuControllerAddIothread(xmlNodePtr device, cJSON *object)
{
    unsigned int thread = 0;
    char name[32];

    if (virXmlUInt(device, "driver/@iothread", &thread) < 0)
        return -1;
    if (thread == 0)
        return 0;
    snprintf(name, sizeof(name), "iothread%u", thread);
    return virJsonAdd(object, "s:iothread", name, NULL);
}

/* The floppy controller says which of its drives is booted from. */
static int
qemuControllerBuildFloppy(struct qemuCommand *command, xmlNodePtr device, bool builtin, struct qemuDeviceSet *set)
{
    xmlNodePtr devices = device->parent;
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    unsigned int order;

    if (!builtin && (object = qemuDeviceObject(command, device, "isa-fdc", false)) == NULL)
        return -1;
    QEMU_PEEK_EACH(disk, devices, "disk") {
        unsigned int unit = qemuPeekUInt(qemuPeekFirst(disk, "address"), "unit", 0);

        if (!qemuPeekIs(qemuPeekFirst(disk, "target"), "bus", "fdc"))
            continue;
        if (qemuBootIndex(command->doc, disk, &order) < 0)
            return -1;
        if (order == 0)
            continue;
        if (object != NULL ? virJsonAdd(object, unit == 0 ? "i:bootindexA" : "i:bootindexB", (int)order, NULL) < 0 :
            qemuDeviceSetArguments(set, "-global", virStringFormat("isa-fdc.bootindex%c=%u", unit == 0 ? 'A' : 'B', order)) < 0)
            return -1;
    }
    return object == NULL ? 0 : qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

VIRT_INTERNAL int
qemuBuildController(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *type = virXmlNeed(device, "@type"), *model = virXmlString(device, "@model"), *name;
    bool builtin = qemuControllerIsBuiltin(command->doc, device);
    const struct qemuControllerModel *entry;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (type == NULL)
        return -1;
    virXmlString(device, "@index");
    virXmlString(device, "model/@name");
    virXmlString(device, "alias/@name");
    if (strcmp(type, "fdc") == 0)
        return qemuControllerBuildFloppy(command, device, builtin, set);
    if (builtin || (model != NULL && strcmp(model, "none") == 0)) {
        if (virXmlFirst(device, "address") != NULL)
            virXmlMark(virXmlFirst(device, "address"));
        return 0;
    }
    if ((entry = qemuControllerModelOf(type, model)) == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "machine type '%s' has no %s controller%s%s", qemuMachineOf(command->doc).name, type,
                              model != NULL ? " of model " : "", model != NULL ? model : "");
    name = entry->driver;
    /* Two implementations of a root port; the document says which. */
    if (strcmp(name, "pcie-root-port") == 0 && virXmlEquals(device, "model/@name", "ioh3420"))
        name = "ioh3420";
    if (!entry->virtio && !qemuCapabilitiesHasDevice(command->caps, name))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "emulator '%s' has no device '%s'", qemuCapabilitiesEmulator(command->caps), name);
    object = entry->virtio ? qemuVirtioObject(command, device, name, false) : qemuDeviceObject(command, device, name, false);
    if (object == NULL || qemuControllerAddProperties(device, type, model, object) < 0 || qemuControllerAddMaster(command, device, object) < 0 ||
        (strcmp(type, "scsi") == 0 && entry->virtio && qemuControllerAddIothread(device, object) < 0))
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* ---------- iommu ---------- */

VIRT_INTERNAL int
qemuBuildIommu(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const struct qemuProperty intel[] = {
        { QEMU_PROPERTY_SWITCH, "driver/@intremap", "intremap" }, { QEMU_PROPERTY_BOOL, "driver/@caching_mode", "caching-mode" },
        { QEMU_PROPERTY_SWITCH, "driver/@eim", "eim" }, { QEMU_PROPERTY_BOOL, "driver/@iotlb", "device-iotlb" },
        { QEMU_PROPERTY_NUMBER, "driver/@aw_bits", "aw-bits" }, { 0 },
    };
    const char *model = virXmlNeed(device, "@model");
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (model == NULL)
        return -1;
    if (strcmp(model, "smmuv3") == 0)
        return 0;                                       /* -machine iommu=smmuv3 */
    if (strcmp(model, "intel") == 0) {
        if (qemuMachineOf(command->doc).family != QEMU_MACHINE_Q35)
            return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "model 'intel' needs a q35 machine");
        if ((object = qemuDeviceObject(command, device, "intel-iommu", false)) == NULL || qemuAddProperties(device, object, intel) < 0)
            return -1;
    } else if (strcmp(model, "virtio") == 0) {
        if ((object = qemuVirtioObject(command, device, "virtio-iommu", false)) == NULL)
            return -1;
    } else {
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "unknown model '%s'", model);
    }
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

#undef VIRT_FROM
