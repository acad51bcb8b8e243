/*
 * The machine type and its switches, the accelerator, and the properties of chipsets that have no element of their own.
 *
 * Most of it is tables: an element of <features>, and what QEMU calls it. A feature that this machine does not have is refused; one that QEMU
 * cannot act upon in this configuration is left unread.
 */
#include "machine.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

VIRT_INTERNAL bool
qemuIsKvm(xmlDocPtr doc)
{
    return virXmlEquals(virXmlRoot(doc), "@type", "kvm");
}

/* ---------- -machine ---------- */

/* Switches: an element with @state (on, where it is absent) that is a property of some machine types. */
static const struct qemuMachineSwitch {
    const char *path, *property;
    unsigned int families;            /* bits 1 << enum qemuMachineFamily; 0: all */
} qemuMachineSwitches[] = {
    { "features/smm", "smm", 1 << QEMU_MACHINE_PC | 1 << QEMU_MACHINE_Q35 },
    { "features/vmport", "vmport", 1 << QEMU_MACHINE_PC | 1 << QEMU_MACHINE_Q35 },
    { "features/htm", "cap-htm", 1 << QEMU_MACHINE_PSERIES },
    { "features/nested-hv", "cap-nested-hv", 1 << QEMU_MACHINE_PSERIES },
    { "features/ccf-assist", "cap-ccf-assist", 1 << QEMU_MACHINE_PSERIES },
    { "features/ras", "ras", 1 << QEMU_MACHINE_VIRT },
};

/* Settings: a text that is a property's value as it stands, with the path of the text. */
static const struct qemuMachineSwitch qemuMachineSettings[] = {
    { "features/hpt/@resizing", "resize-hpt", 1 << QEMU_MACHINE_PSERIES },
    { "features/cfpc/@value", "cap-cfpc", 1 << QEMU_MACHINE_PSERIES },
    { "features/sbbc/@value", "cap-sbbc", 1 << QEMU_MACHINE_PSERIES },
    { "features/ibs/@value", "cap-ibs", 1 << QEMU_MACHINE_PSERIES },
    { "os/loadparm", "loadparm", 1 << QEMU_MACHINE_CCW },
};

static int
qemuMachineRefuse(const struct qemuMachine *machine, const char *what)
{
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "machine type '%s' of architecture '%s' does not have '%s'", machine->name, machine->arch, what);
}

static int
qemuMachineAddFeatures(struct qemuCommand *command, const struct qemuMachine *machine, struct virText *text)
{
    xmlNodePtr root = virXmlRoot(command->doc);

    for (size_t i = 0; i < sizeof(qemuMachineSwitches) / sizeof(qemuMachineSwitches[0]); i++) {
        const struct qemuMachineSwitch *feature = &qemuMachineSwitches[i];
        xmlNodePtr node = virXmlFind(root, feature->path);
        bool state = true;

        if (node == NULL)
            continue;
        if (!(feature->families >> machine->family & 1))
            return qemuMachineRefuse(machine, feature->path);
        if (virXmlBool(node, "@state", &state) < 0)
            return -1;
        virTextAdd(text, ",%s=%s", feature->property, state ? "on" : "off");
    }
    for (size_t i = 0; i < sizeof(qemuMachineSettings) / sizeof(qemuMachineSettings[0]); i++) {
        const struct qemuMachineSwitch *setting = &qemuMachineSettings[i];
        const char *value = virXmlString(root, setting->path);

        if (value == NULL)
            continue;
        if (!(setting->families >> machine->family & 1))
            return qemuMachineRefuse(machine, setting->path);
        qemuTextOption(text, setting->property, value);
    }
    return 0;
}

/* ACPI is on where the document has <acpi/>; x86 and the virt machines can be without. */
static int
qemuMachineAddAcpi(struct qemuCommand *command, const struct qemuMachine *machine, struct virText *text)
{
    bool acpi = virXmlFind(virXmlRoot(command->doc), "features/acpi") != NULL;

    if (machine->family == QEMU_MACHINE_PC || machine->family == QEMU_MACHINE_Q35 || machine->family == QEMU_MACHINE_VIRT ||
        machine->family == QEMU_MACHINE_MICROVM)
        virTextAdd(text, ",acpi=%s", acpi ? "on" : "off");
    else if (acpi && machine->family != QEMU_MACHINE_OTHER && machine->family != QEMU_MACHINE_ISAPC)
        return qemuMachineRefuse(machine, "acpi");
    return 0;
}

static int
qemuMachineAddGic(struct qemuCommand *command, const struct qemuMachine *machine, struct virText *text)
{
    xmlNodePtr gic = virXmlFind(virXmlRoot(command->doc), "features/gic");
    const char *version = gic != NULL ? virXmlString(gic, "@version") : NULL;

    if (gic == NULL)
        return 0;
    if (machine->family != QEMU_MACHINE_VIRT || !machine->arm)
        return qemuMachineRefuse(machine, "gic");
    if (version != NULL)
        virTextAdd(text, ",gic-version=%s", version);
    return 0;
}

static int
qemuMachineAddKeywrap(struct qemuCommand *command, const struct qemuMachine *machine, struct virText *text)
{
    xmlNodePtr keywrap = virXmlFind(virXmlRoot(command->doc), "keywrap");

    if (machine->family == QEMU_MACHINE_CCW && keywrap == NULL)
        return 0;
    VIRT_XML_EACH(cipher, keywrap, "cipher") {
        const char *name = virXmlNeed(cipher, "@name");
        bool state = true;

        if (name == NULL || virXmlBool(cipher, "@state", &state) < 0)
            return -1;
        if (machine->family != QEMU_MACHINE_CCW)
            return qemuMachineRefuse(machine, "keywrap");
        virTextAdd(text, ",%s-key-wrap=%s", name, state ? "on" : "off");
    }
    return 0;
}

static int
qemuMachineAddHpt(struct qemuCommand *command, struct virText *text)
{
    unsigned long long bytes = 0;
    int rc = virXmlSize(virXmlRoot(command->doc), "features/hpt/maxpagesize", "KiB", &bytes);

    if (rc > 0)
        virTextAdd(text, ",cap-hpt-max-page-size=%lluk", bytes / 1024);
    return rc < 0 ? -1 : 0;
}

/* The model of an IOMMU that is part of the machine rather than a device. */
static void
qemuMachineAddIommu(struct qemuCommand *command, struct virText *text)
{
    xmlNodePtr iommu = virXmlFind(virXmlRoot(command->doc), "devices/iommu");

    if (iommu != NULL && virXmlEquals(iommu, "@model", "smmuv3"))
        virTextAdd(text, ",iommu=smmuv3");
}

static int
qemuAddMachineOption(struct qemuCommand *command, const struct qemuMachine *machine)
{
    struct virText text = { 0 };
    bool core = false;
    int rc;

    virTextAdd(&text, "%s,usb=off", machine->name);
    rc = virXmlBool(virXmlRoot(command->doc), "memory/@dumpCore", &core);
    if (rc < 0)
        goto fail;
    virTextAdd(&text, ",dump-guest-core=%s", core ? "on" : "off");
    if (qemuMachineAddFeatures(command, machine, &text) < 0 || qemuMachineAddAcpi(command, machine, &text) < 0 ||
        qemuMachineAddGic(command, machine, &text) < 0 || qemuMachineAddKeywrap(command, machine, &text) < 0 ||
        qemuMachineAddHpt(command, &text) < 0 || qemuFirmwareMachineOptions(command, &text) < 0 ||
        qemuClockMachineOptions(command, &text) < 0 || qemuMemoryMachineOptions(command, &text) < 0)
        goto fail;
    qemuMachineAddIommu(command, &text);
    if (qemuCommandAdd(command, "-machine") < 0)
        goto fail;
    return virStringsAdd(&command->argv, &command->argc, virTextTake(&text));
fail:
    virTextFree(&text);
    return -1;
}

/* ---------- -accel ---------- */

static int
qemuAddKvm(struct qemuCommand *command, xmlNodePtr features)
{
    struct virText text = { 0 };
    const char *ioapic = virXmlString(features, "ioapic/@driver");
    unsigned int ring = 0;

    if (!command->dry && !qemuCapabilitiesHasKvm(command->caps))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                              "domain type 'kvm' needs /dev/kvm, which cannot be used here; type 'qemu' runs without it");
    virTextAdd(&text, "kvm");
    if (ioapic != NULL)
        virTextAdd(&text, ",kernel-irqchip=%s", strcmp(ioapic, "qemu") == 0 ? "split" : "on");
    if (virXmlEquals(features, "kvm/dirty-ring/@state", "on")) {
        if (virXmlUInt(features, "kvm/dirty-ring/@size", &ring) < 0) {
            virTextFree(&text);
            return -1;
        }
        virTextAdd(&text, ",dirty-ring-size=%u", ring);
    }
    if (qemuCommandAdd(command, "-accel") < 0) {
        virTextFree(&text);
        return -1;
    }
    return virStringsAdd(&command->argv, &command->argc, virTextTake(&text));
}

static int
qemuAddAccelerator(struct qemuCommand *command)
{
    xmlNodePtr features = virXmlFind(virXmlRoot(command->doc), "features");
    unsigned long long cache = 0;

    if (qemuIsKvm(command->doc))
        return qemuAddKvm(command, features);
    if (features != NULL && virXmlSize(features, "tcg/tb-cache", "KiB", &cache) < 0)
        return -1;
    return cache == 0 ? qemuCommandAddFormat(command, "-accel", "tcg") :
           qemuCommandAddFormat(command, "-accel", "tcg,tb-size=%llu", (cache + (1 << 20) - 1) >> 20);
}

/* ---------- the chipset ---------- */

/* <pcihole64> of the root bus, <target hotplug> of the root bus of i440fx, <tseg> of q35. */
static int
qemuAddChipset(struct qemuCommand *command, const struct qemuMachine *machine)
{
    xmlNodePtr root = virXmlRoot(command->doc), pci = qemuFindController(command->doc, "pci", 0);
    const char *host = machine->family == QEMU_MACHINE_Q35 ? "q35-pcihost" : machine->family == QEMU_MACHINE_PC ? "i440FX-pcihost" : NULL;
    unsigned long long hole = 0, tseg = 0;
    bool hotplug = true;
    int rc = 0;

    if (pci != NULL && host != NULL && (rc = virXmlSize(pci, "pcihole64", "KiB", &hole)) < 0)
        return -1;
    if (rc > 0 && qemuCommandAddFormat(command, "-global", "%s.pci-hole64-size=%lluK", host, hole / 1024) < 0)
        return -1;
    if (pci != NULL && machine->family == QEMU_MACHINE_PC) {
        if ((rc = virXmlBool(pci, "target/@hotplug", &hotplug)) < 0 ||
            (rc > 0 && qemuCommandAddFormat(command, "-global", "PIIX4_PM.acpi-root-pci-hotplug=%s", hotplug ? "on" : "off") < 0))
            return -1;
    }
    if (machine->family == QEMU_MACHINE_Q35) {
        if ((rc = virXmlSize(root, "features/smm/tseg", "MiB", &tseg)) < 0 ||
            (rc > 0 && qemuCommandAddFormat(command, "-global", "mch.extended-tseg-mbytes=%llu", tseg >> 20) < 0))
            return -1;
        /* Secure boot firmware is only safe in memory that the guest's system cannot write. */
        if (virXmlEquals(root, "os/loader/@secure", "yes") &&
            qemuCommandAddFormat(command, "-global", "driver=cfi.pflash01,property=secure,value=on") < 0)
            return -1;
    }
    return 0;
}

VIRT_INTERNAL int
qemuAddMachine(struct qemuCommand *command)
{
    struct qemuMachine machine = qemuMachineOf(command->doc);
    const char *os = virXmlString(virXmlRoot(command->doc), "os/type");
    const char *name = qemuCapabilitiesMachine(command->caps, *machine.name != '\0' ? machine.name : NULL);

    if (os != NULL && strcmp(os, "hvm") != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "QEMU runs guests of os type 'hvm', not '%s'", os);
    if (name == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "emulator '%s' has no machine type '%s'", qemuCapabilitiesEmulator(command->caps), machine.name);
    machine.name = name;
    /* 32-bit x86 may be without PAE to libvirt; every CPU model here has it. */
    virXmlFind(virXmlRoot(command->doc), "features/pae");
    virXmlFind(virXmlRoot(command->doc), "features/apic");
    return qemuAddMachineOption(command, &machine) < 0 || qemuAddAccelerator(command) < 0 || qemuAddChipset(command, &machine) < 0 ? -1 : 0;
}

#undef VIRT_FROM
