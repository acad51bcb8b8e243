/*
 * What a virtual machine of a given architecture and machine type cannot have, as far as its document alone can tell. These rules are for full
 * machines (types qemu and kvm) only; what the installed emulator can do is its driver's business.
 */
#include "check.h"
#include "file.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* The families of machines that differ in what they can have. */
enum virCheckFamily {
    VIR_CHECK_OTHER = 0,
    VIR_CHECK_I440FX = 1 << 0,
    VIR_CHECK_Q35 = 1 << 1,
    VIR_CHECK_PSERIES = 1 << 2,
    VIR_CHECK_ARM_VIRT = 1 << 3,
    VIR_CHECK_S390 = 1 << 4,
};

static bool
virCheckStarts(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The name of a machine type begins with its family, or is an alias of one; "pc" is the older family, as QEMU has it. */
static int
virCheckFamilyOf(const char *arch, const char *machine)
{
    if (virCheckIsWord(arch, "i686|x86_64"))
        return virCheckStarts(machine, "pc-q35") || strcmp(machine, "q35") == 0       ? VIR_CHECK_Q35
             : virCheckStarts(machine, "pc-") || virCheckIsWord(machine, "pc|i440fx") ? VIR_CHECK_I440FX
                                                                                      : VIR_CHECK_OTHER;
    if (virCheckIsWord(arch, "ppc64|ppc64le"))
        return virCheckStarts(machine, "pseries") ? VIR_CHECK_PSERIES : VIR_CHECK_OTHER;
    if (virCheckIsWord(arch, "aarch64|armv7l|armv6l"))
        return virCheckStarts(machine, "virt") ? VIR_CHECK_ARM_VIRT : VIR_CHECK_OTHER;
    return virCheckIsWord(arch, "s390|s390x") ? VIR_CHECK_S390 : VIR_CHECK_OTHER;
}

/* ---------- tables of what only some families have ---------- */

/* A part of the document (value NULL), or this text at a path: only these families, or all but these. */
static const struct virCheckPlacement {
    const char *path, *value;
    int only, never;
    const char *what;
} virCheckPlacements[] = {
    { "features/hpt", NULL, VIR_CHECK_PSERIES, 0, "The 'hpt' feature" },
    { "features/htm", NULL, VIR_CHECK_PSERIES, 0, "The 'htm' feature" },
    { "features/nested-hv", NULL, VIR_CHECK_PSERIES, 0, "The 'nested-hv' feature" },
    { "features/ccf-assist", NULL, VIR_CHECK_PSERIES, 0, "The 'ccf-assist' feature" },
    { "features/cfpc", NULL, VIR_CHECK_PSERIES, 0, "The 'cfpc' feature" },
    { "features/sbbc", NULL, VIR_CHECK_PSERIES, 0, "The 'sbbc' feature" },
    { "features/ibs", NULL, VIR_CHECK_PSERIES, 0, "The 'ibs' feature" },
    { "features/gic", NULL, VIR_CHECK_ARM_VIRT, 0, "The 'gic' feature" },
    { "features/smm/tseg", NULL, VIR_CHECK_Q35, 0, "SMM TSEG" },
    { "devices/parallel", NULL, 0, VIR_CHECK_S390 | VIR_CHECK_PSERIES, "A parallel port" },
    { "devices/panic/address", NULL, 0, VIR_CHECK_S390, "The panic device's address" },
    { "devices/nvram", NULL, VIR_CHECK_PSERIES, 0, "The nvram device" },
    { "devices/serial/target/@type", "spapr-vio-serial", VIR_CHECK_PSERIES, 0, "A serial device of type 'spapr-vio-serial'" },
    { "devices/serial/target/@type", "sclp-serial", VIR_CHECK_S390, 0, "A serial device of type 'sclp-serial'" },
    { "devices/iommu/@model", "intel", VIR_CHECK_Q35, 0, "IOMMU device: 'intel'" },
    { "devices/iommu/@model", "smmuv3", VIR_CHECK_ARM_VIRT, 0, "IOMMU device: 'smmuv3'" },
    { "devices/panic/@model", "pseries", VIR_CHECK_PSERIES, 0, "The panic model 'pseries'" },
    { "devices/panic/@model", "s390", VIR_CHECK_S390, 0, "The panic model 's390'" },
    { "devices/panic/@model", "isa", VIR_CHECK_I440FX | VIR_CHECK_Q35, 0, "The panic model 'isa'" },
    { "devices/watchdog/@model", "diag288", VIR_CHECK_S390, 0, "The watchdog 'diag288'" },
    { "devices/tpm/@model", "tpm-spapr", VIR_CHECK_PSERIES, 0, "The TPM model 'tpm-spapr'" },
    { "devices/hostdev/address/zpci", NULL, VIR_CHECK_S390, 0, "A zPCI address" },
    { "clock/timer/@name", "tsc", 0, VIR_CHECK_S390 | VIR_CHECK_PSERIES | VIR_CHECK_ARM_VIRT, "The timer 'tsc'" },
    { "clock/timer/@name", "hpet", 0, VIR_CHECK_S390 | VIR_CHECK_PSERIES | VIR_CHECK_ARM_VIRT, "The timer 'hpet'" },
    { "clock/timer/@name", "kvmclock", 0, VIR_CHECK_S390 | VIR_CHECK_PSERIES | VIR_CHECK_ARM_VIRT, "The timer 'kvmclock'" },
    { "clock/timer/@name", "hypervclock", 0, VIR_CHECK_S390 | VIR_CHECK_PSERIES | VIR_CHECK_ARM_VIRT, "The timer 'hypervclock'" },
    { "clock/timer/@name", "armvtimer", VIR_CHECK_ARM_VIRT, 0, "The timer 'armvtimer'" },
};

/* Whether any element the path leads to, by all its branches, is there (or has the value). */
static bool
virCheckOccurs(xmlNodePtr node, const char *path, const char *value)
{
    size_t length = strcspn(path, "/");
    char name[40];

    if (*path == '@')
        return virXmlEquals(node, path, value);
    snprintf(name, sizeof(name), "%.*s", (int)length, path);
    VIRT_XML_EACH(child, node, name) {
        if (path[length] == '\0' || virCheckOccurs(child, path + length + 1, value))
            return true;
    }
    return false;
}

static int
virCheckPlacement(xmlNodePtr domain, int family, const char *arch, const char *machine)
{
    for (size_t i = 0; i < sizeof(virCheckPlacements) / sizeof(virCheckPlacements[0]); i++) {
        const struct virCheckPlacement *rule = &virCheckPlacements[i];
        bool allowed = rule->only != 0 ? (family & rule->only) != 0 : (family & rule->never) == 0;

        if (!allowed && virCheckOccurs(domain, rule->path, rule->value))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "%s is not supported for architecture '%s' or machine type '%s'", rule->what,
                                  arch, machine);
    }
    return 0;
}

/* ---------- PCI ---------- */

/* The model of the PCI controller with this index; NULL: the document does not say. */
static const char *
virCheckPciModel(xmlNodePtr devices, unsigned int index)
{
    VIRT_XML_EACH(controller, devices, "controller") {
        unsigned int its = 0;

        if (virXmlEquals(controller, "@type", "pci") && virXmlUInt(controller, "@index", &its) > 0 && its == index)
            return virXmlString(controller, "@model");
    }
    return NULL;
}

static int
virCheckPciTree(xmlNodePtr domain, int family)
{
    xmlNodePtr devices = virXmlFirst(domain, "devices");
    const char *root = virCheckPciModel(devices, 0);
    const char *expected = family == VIR_CHECK_Q35 ? "pcie-root" : family == VIR_CHECK_I440FX ? "pci-root" : NULL;
    unsigned int bus;

    if (expected != NULL && root != NULL && strcmp(root, expected) != 0)
        return virReportError(VIR_ERR_XML_ERROR, "The PCI controller with index='0' must be model='%s' for this machine type, "
                                                 "but model='%s' was found instead", expected, root);
    VIRT_XML_EACH(controller, devices, "controller") {
        const char *model = virXmlString(controller, "@model");

        if (model == NULL || !virCheckIsWord(model, "dmi-to-pci-bridge|pcie-expander-bus|pci-expander-bus"))
            continue;
        bus = 0;
        virXmlUInt(controller, "address/@bus", &bus);
        if (bus != 0)
            return virReportError(VIR_ERR_XML_ERROR, "The device at PCI address 0000:%02x:00.0 cannot be plugged into the PCI controller with "
                                                     "index='%u'. It requires a controller that accepts a %s.", bus, bus, model);
    }
    VIRT_XML_EACH(iommu, devices, "iommu") {
        bus = 0;
        virXmlUInt(iommu, "address/@bus", &bus);
        if (virXmlEquals(iommu, "@model", "virtio") && bus != 0)
            return virReportError(VIR_ERR_XML_ERROR, "The device at PCI address 0000:%02x:00.0 needs to be an integrated device (bus=0)", bus);
    }
    return 0;
}

/* pSeries: each PCI root is a host bridge of its own; the first is always there and belongs to no NUMA node. */
static int
virCheckHostBridges(xmlNodePtr devices)
{
    VIRT_XML_EACH(controller, devices, "controller") {
        unsigned int index = 0, target = 0;
        bool has;

        if (!virXmlEquals(controller, "@model", "pci-root"))
            continue;
        virXmlUInt(controller, "@index", &index);
        has = virXmlUInt(controller, "target/@index", &target) > 0;
        if (has && (index == 0) != (target == 0))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Invalid target index '%u' for the pci-root controller with index '%u': the default "
                                                              "one has 0, and only that", target, index);
        if (index == 0 && virXmlFind(controller, "target/node") != NULL)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "The PCI controller with index '0' does not support a NUMA node");
    }
    return 0;
}

/* ---------- processors and memory ---------- */

/* What is passed through has the host's numbers, and what is emulated has those of the document. */
static int
virCheckMachineCpu(xmlNodePtr cpu)
{
    xmlNodePtr cache = virXmlFirst(cpu, "cache"), bits = virXmlFirst(cpu, "maxphysaddr");
    const char *level = virXmlString(cache, "@level");

    if (virXmlEquals(cache, "@mode", "emulate") && (level == NULL || strcmp(level, "3") != 0))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU cache mode 'emulate' can only be used with level='3'");
    if (level != NULL && (virXmlEquals(cache, "@mode", "passthrough") || virXmlEquals(cache, "@mode", "disable")))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "unsupported CPU cache level for mode '%s'", virXmlString(cache, "@mode"));
    if (virXmlEquals(bits, "@mode", "emulate") && virXmlString(bits, "@bits") == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                              "if using CPU maximum physical address mode='emulate', bits= must be specified too");
    if (virXmlEquals(bits, "@mode", "passthrough") && virXmlString(bits, "@bits") != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU maximum physical address bits number specification cannot be used "
                                                          "with mode='passthrough'");
    return 0;
}

/* sockets * dies * cores * threads are all the processors the guest can ever have */
static int
virCheckTopology(xmlNodePtr domain)
{
    static const char *const parts[] = { "@sockets", "@dies", "@cores", "@threads" };
    xmlNodePtr topology = virXmlFind(domain, "cpu/topology");
    unsigned long long product = 1, vcpus = 1;

    if (topology == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        unsigned int part = 1;

        virXmlUInt(topology, parts[i], &part);
        product *= part;
    }
    virXmlULongLong(domain, "vcpu", &vcpus);
    if (product != vcpus)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU topology doesn't match maximum vcpu count: %llu, <vcpu> is %llu", product, vcpus);
    return 0;
}

static int
virCheckMachineCpus(xmlNodePtr domain, int family)
{
    unsigned int current = 0, threads = 1;
    bool disabled = false, length = false;

    if (virCheckMachineCpu(virXmlFirst(domain, "cpu")) < 0 || virCheckTopology(domain) < 0)
        return -1;
    if (virXmlEquals(domain, "vcpu/@current", "0"))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "vcpu 0 can't be offline: <vcpu current='0'>");
    if (family == VIR_CHECK_PSERIES) {
        virXmlUInt(domain, "cpu/topology/@threads", &threads);
        if (virXmlUInt(domain, "vcpu/@current", &current) > 0 && threads > 1 && current % threads != 0)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "vCPUs count must be a multiple of the vCPU hotplug granularity (%u)", threads);
    }
    VIRT_XML_EACH(feature, virXmlFirst(domain, "cpu"), "feature") {
        const char *name = virXmlString(feature, "@name");

        if (name == NULL || !virCheckStarts(name, "sve"))
            continue;
        if (name[3] == '\0')
            disabled = virXmlEquals(feature, "@policy", "disable");
        else
            length = length || !virXmlEquals(feature, "@policy", "disable");
    }
    if (disabled && length)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "SVE disabled, but SVE vector lengths provided");
    return 0;
}

static int
virCheckMachineMemory(xmlNodePtr domain, int family)
{
    if (family != VIR_CHECK_PSERIES && virXmlFirst(domain, "maxMemory") != NULL && virXmlCount(virXmlFind(domain, "cpu/numa"), "cell") == 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "At least one numa node has to be configured when enabling memory hotplug");
    return 0;
}

/* UEFI finds its devices through ACPI, and an ARM machine has ACPI only with UEFI. */
static int
virCheckMachineFirmware(xmlNodePtr domain, int family)
{
    bool uefi = virXmlEquals(domain, "os/loader/@type", "pflash") || virXmlEquals(domain, "os/@firmware", "efi");
    bool acpi = virXmlFind(domain, "features/acpi") != NULL;

    if (virXmlEquals(domain, "os/loader/@type", "pflash") && !acpi && family == VIR_CHECK_Q35)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "UEFI requires ACPI on this architecture");
    if (!uefi && acpi && family == VIR_CHECK_ARM_VIRT)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "ACPI requires UEFI on this architecture");
    return 0;
}

/* ---------- devices ---------- */

static int
virCheckMachineDisks(xmlNodePtr devices)
{
    VIRT_XML_EACH(disk, devices, "disk") {
        const char *format = virXmlString(disk, "driver/@type"), *bus = virXmlString(disk, "target/@bus");
        const char *address = virXmlString(disk, "address/@type"), *target = virXmlString(disk, "target/@dev");
        const char *serial = virXmlString(disk, "serial");

        if (format != NULL && strcmp(format, "iso") == 0)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "storage format 'iso' is not directly supported by QEMU, use 'raw' instead "
                                                              "(disk '%s')", target);
        if (format != NULL && virCheckIsWord(format, "cow|aio"))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "'%s' storage format is not supported (disk '%s')", format, target);
        if (virXmlString(disk, "driver/@name") != NULL && !virXmlEquals(disk, "driver/@name", "qemu"))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "unsupported driver name '%s' for disk '%s'", virXmlString(disk, "driver/@name"),
                                  target);
        if (bus != NULL && address != NULL && virCheckIsWord(bus, "ide|sata|scsi|fdc") && strcmp(address, "drive") != 0)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Invalid address type '%s' for the disk '%s' with the bus type '%s'", address, target,
                                  bus);
        if (bus != NULL && address != NULL && strcmp(bus, "usb") == 0 && strcmp(address, "usb") != 0)
            return virReportError(VIR_ERR_INTERNAL_ERROR, "unexpected address type '%s' for usb disk '%s'", address, target);
        if (serial != NULL && serial[strspn(serial, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ .+")] != '\0')
            return virReportError(VIR_ERR_INTERNAL_ERROR, "driver serial '%.80s' contains unsafe characters (disk '%s')", serial, target);
    }
    return 0;
}

/* An OpenGL display belongs to the one display that shows it. */
static int
virCheckMachineDisplays(xmlNodePtr devices)
{
    size_t gl = 0, headless = 0, remote = 0;

    VIRT_XML_EACH(graphics, devices, "graphics") {
        const char *type = virXmlString(graphics, "@type");

        headless += strcmp(type, "egl-headless") == 0;
        remote += virCheckIsWord(type, "vnc|spice");
        gl += strcmp(type, "egl-headless") == 0 || virXmlEquals(graphics, "gl/@enable", "yes");
    }
    if (gl > 1)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "multiple OpenGL displays are not supported by QEMU");
    if (headless > 0 && remote == 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                              "graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' graphics types");
    VIRT_XML_EACH(hostdev, devices, "hostdev") {
        if (virXmlEquals(hostdev, "@display", "on") && virXmlFirst(devices, "graphics") == NULL)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "graphics device is needed for attribute value 'display=on' in <hostdev>");
    }
    return 0;
}

static int
virCheckMachineDevices(xmlNodePtr devices)
{
    VIRT_XML_EACH(interface, devices, "interface") {
        static const char *const sizes[] = { "rx_queue_size", "tx_queue_size" };

        for (size_t i = 0; i < 2; i++) {
            unsigned int size = 0;
            char path[32];

            snprintf(path, sizeof(path), "driver/@%s", sizes[i]);
            virXmlUInt(interface, path, &size);
            if ((size & (size - 1)) != 0)
                return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "%s has to be a power of two, not %u", sizes[i], size);
        }
    }
    for (xmlNodePtr device = virXmlFirst(devices, NULL); device != NULL; device = virXmlNext(device, NULL)) {
        const char *loadparm = virXmlString(device, "boot/@loadparm");

        if (loadparm != NULL && (strlen(loadparm) > 8 || loadparm[strspn(loadparm, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                                                                  "0123456789 .")] != '\0'))
            return virReportError(VIR_ERR_INTERNAL_ERROR, "loadparm value '%.80s' must be between 1 and 8 characters, letters, digits, blanks and dots",
                                  loadparm);
        if (virXmlIs(device, "hostdev") && virXmlEquals(device, "@model", "vfio-ap") && virXmlFirst(device, "boot") != NULL)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "<boot> is not supported for a host device of model 'vfio-ap'");
    }
    return 0;
}

VIRT_INTERNAL int
virCheckMachine(xmlNodePtr domain)
{
    const char *type = virXmlString(domain, "@type"), *arch = virXmlString(domain, "os/type/@arch");
    const char *machine = virXmlString(domain, "os/type/@machine");
    xmlNodePtr devices = virXmlFirst(domain, "devices");
    int family;

    if (type == NULL || !virCheckIsWord(type, "qemu|kvm"))
        return 0;
    if (arch == NULL)
        arch = "x86_64";
    if (machine == NULL)
        machine = virCheckIsWord(arch, "i686|x86_64") ? "pc" : virCheckIsWord(arch, "ppc64|ppc64le") ? "pseries" : "";
    family = virCheckFamilyOf(arch, machine);
    if (virCheckPlacement(domain, family, arch, machine) < 0 || virCheckPciTree(domain, family) < 0 || virCheckMachineCpus(domain, family) < 0 ||
        virCheckMachineMemory(domain, family) < 0 || virCheckMachineFirmware(domain, family) < 0 || virCheckMachineDisks(devices) < 0 ||
        virCheckMachineDisplays(devices) < 0 || virCheckMachineDevices(devices) < 0)
        return -1;
    return family == VIR_CHECK_PSERIES ? virCheckHostBridges(devices) : 0;
}

#undef VIRT_FROM
