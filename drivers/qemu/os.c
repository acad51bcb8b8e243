/*
 * What the guest boots, what its firmware tells it about the machine (SMBIOS, fw_cfg), and what happens when it powers off.
 */
#include "machine.h"
#include "../common/host.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- booting ---------- */

static int
qemuAddBootMenu(struct qemuCommand *command)
{
    xmlNodePtr os = virXmlFind(virXmlRoot(command->doc), "os");
    struct virText text = { 0 };
    bool menu = false;
    unsigned int splash = 0;
    int timeout = 0, rc = virXmlBool(os, "bootmenu/@enable", &menu), again = virXmlInt(os, "bios/@rebootTimeout", &timeout);

    if (rc < 0 || again < 0 || virXmlUInt(os, "bootmenu/@timeout", &splash) < 0)
        return -1;
    if (rc > 0)
        virTextAdd(&text, "menu=%s,", menu ? "on" : "off");
    if (rc > 0 && splash > 0)
        virTextAdd(&text, "splash-time=%u,", splash);
    if (again > 0)
        virTextAdd(&text, "reboot-timeout=%d,", timeout);
    virTextAdd(&text, "strict=on");
    if (qemuCommandAdd(command, "-boot") < 0) {
        virTextFree(&text);
        return -1;
    }
    return virStringsAdd(&command->argv, &command->argc, virTextTake(&text));
}

static int
qemuAddAcpiTables(struct qemuCommand *command, xmlNodePtr os)
{
    xmlNodePtr acpi = virXmlFirst(os, "acpi");

    VIRT_XML_EACH(table, acpi, "table") {
        const char *type = virXmlString(table, "@type"), *path = virXmlNeed(table, "");
        struct virText text = { 0 };

        if (path == NULL)
            return -1;
        if (type != NULL && strcmp(type, "slic") != 0)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "unknown ACPI table type '%s'", type);
        virTextAdd(&text, "sig=SLIC");
        qemuTextOption(&text, "file", path);
        if (qemuCommandAdd(command, "-acpitable") < 0) {
            virTextFree(&text);
            return -1;
        }
        if (virStringsAdd(&command->argv, &command->argc, virTextTake(&text)) < 0)
            return -1;
    }
    return 0;
}

VIRT_INTERNAL int
qemuAddBoot(struct qemuCommand *command)
{
    static const char *const options[][2] = { { "kernel", "-kernel" }, { "initrd", "-initrd" }, { "cmdline", "-append" }, { "dtb", "-dtb" } };
    struct qemuMachine machine = qemuMachineOf(command->doc);
    xmlNodePtr os = virXmlFind(virXmlRoot(command->doc), "os");
    bool kernel = virXmlString(os, "kernel") != NULL;

    /* Carried out by the devices' boot indexes, as far as there are such devices. */
    VIRT_XML_EACH(boot, os, "boot")
        virXmlMark(boot);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *value = virXmlString(os, options[i][0]);

        if (value == NULL)
            continue;
        if (i > 0 && i < 3 && !kernel)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "os/%s needs os/kernel", options[i][0]);
        if (qemuCommandAddFormat(command, options[i][1], "%s", value) < 0)
            return -1;
    }
    /* The serial console of SeaBIOS is a device of old, or its answer to a machine without graphics. */
    if (machine.x86 && virXmlEquals(os, "bios/@useserial", "yes")) {
        bool sga = qemuCapabilitiesHasDevice(command->caps, "sga");

        if (qemuCommandAddFormat(command, sga ? "-device" : "-machine", "%s", sga ? "sga" : "graphics=off") < 0)
            return -1;
    }
    return qemuAddBootMenu(command) < 0 || qemuAddAcpiTables(command, os) < 0 ? -1 : 0;
}

/* ---------- SMBIOS ---------- */

/* The blocks of <sysinfo>, QEMU's number for each, and the entries that both know. */
static const struct qemuSmbiosBlock {
    const char *element;
    int type;
    const char *entries[9];
} qemuSmbiosBlocks[] = {
    { "bios", 0, { "vendor", "version", "date", "release" } },
    { "system", 1, { "manufacturer", "product", "version", "serial", "uuid", "sku", "family" } },
    { "baseBoard", 2, { "manufacturer", "product", "version", "serial", "asset", "location" } },
    { "chassis", 3, { "manufacturer", "version", "serial", "asset", "sku" } },
};

static int
qemuAddSmbiosText(struct qemuCommand *command, const char *option, struct virText *text)
{
    if (qemuCommandAdd(command, option) < 0) {
        virTextFree(text);
        return -1;
    }
    return virStringsAdd(&command->argv, &command->argc, virTextTake(text));
}

static int
qemuAddSmbiosBlock(struct qemuCommand *command, xmlNodePtr element, const struct qemuSmbiosBlock *block)
{
    struct virText text = { 0 };
    size_t found = 0;

    virTextAdd(&text, "type=%d", block->type);
    QEMU_PEEK_EACH(entry, element, "entry") {
        const char *name = qemuPeek(entry, "name");

        for (size_t i = 0; name != NULL && block->entries[i] != NULL; i++) {
            const char *value;

            if (strcmp(name, block->entries[i]) != 0)
                continue;
            virXmlString(entry, "@name");
            value = virXmlString(entry, "");
            qemuTextOption(&text, name, value != NULL ? value : "");
            found++;
        }
    }
    if (found == 0) {
        virTextFree(&text);
        return 0;
    }
    return qemuAddSmbiosText(command, "-smbios", &text);
}

static int
qemuAddSmbiosInfo(struct qemuCommand *command, xmlNodePtr sysinfo)
{
    xmlNodePtr strings = virXmlFirst(sysinfo, "oemStrings");
    struct virText text = { 0 };

    for (size_t i = 0; i < sizeof(qemuSmbiosBlocks) / sizeof(qemuSmbiosBlocks[0]); i++)
        VIRT_XML_EACH(element, sysinfo, qemuSmbiosBlocks[i].element)
            if (qemuAddSmbiosBlock(command, element, &qemuSmbiosBlocks[i]) < 0)
                return -1;
    if (strings == NULL || qemuPeekFirst(strings, "entry") == NULL)
        return 0;
    virTextAdd(&text, "type=11");
    VIRT_XML_EACH(entry, strings, "entry") {
        const char *value = virXmlString(entry, "");

        qemuTextOption(&text, "value", value != NULL ? value : "");
    }
    return qemuAddSmbiosText(command, "-smbios", &text);
}

static int
qemuAddSmbiosHost(struct qemuCommand *command)
{
    VIRT_CLEANUP_FREE char *xml = virHostGetSysinfo();
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;

    if (xml == NULL || (doc = virXmlParse(xml, "sysinfo")) == NULL)
        return -1;
    return qemuAddSmbiosInfo(command, virXmlRoot(doc));
}

/* Files of the firmware's own file system. */
static int
qemuAddFwCfg(struct qemuCommand *command, xmlNodePtr sysinfo)
{
    VIRT_XML_EACH(entry, sysinfo, "entry") {
        const char *name = virXmlNeed(entry, "@name"), *file = virXmlString(entry, "@file"), *value = virXmlString(entry, "");
        struct virText text = { 0 };

        if (name == NULL)
            return -1;
        virTextAdd(&text, "name=");
        virTextAdd(&text, "%s", name);
        qemuTextOption(&text, file != NULL ? "file" : "string", file != NULL ? file : value != NULL ? value : "");
        if (qemuAddSmbiosText(command, "-fw_cfg", &text) < 0)
            return -1;
    }
    return 0;
}

VIRT_INTERNAL int
qemuAddSmbios(struct qemuCommand *command)
{
    xmlNodePtr root = virXmlRoot(command->doc);
    const char *mode = virXmlString(root, "os/smbios/@mode");
    bool found = false;

    if (mode != NULL && strcmp(mode, "host") == 0 && !command->dry && qemuAddSmbiosHost(command) < 0)
        return -1;
    QEMU_PEEK_EACH(sysinfo, root, "sysinfo") {
        if (qemuPeekIs(sysinfo, "type", "fwcfg")) {
            virXmlString(sysinfo, "@type");
            if (qemuAddFwCfg(command, sysinfo) < 0)
                return -1;
        } else if (mode != NULL && strcmp(mode, "sysinfo") == 0) {
            virXmlString(sysinfo, "@type");
            if (qemuAddSmbiosInfo(command, sysinfo) < 0)
                return -1;
            found = true;
        }
    }
    if (mode != NULL && strcmp(mode, "sysinfo") == 0 && !found)
        return virReportError(VIR_ERR_XML_ERROR, "smbios mode 'sysinfo' needs a <sysinfo type='smbios'>");
    return 0;
}

/* ---------- power ---------- */

/*
 * What QEMU does by itself when the guest powers off, reboots or crashes. QEMU ends where the guest is to end, so that it does so with nobody there
 * to look after it; it stops and waits (pause) where something remains to be done for the document's sake: see the SHUTDOWN and GUEST_PANICKED events.
 */
static int
qemuAddActions(struct qemuCommand *command)
{
    xmlNodePtr root = virXmlRoot(command->doc);
    const char *off = virXmlString(root, "on_poweroff"), *reboot = virXmlString(root, "on_reboot"), *crash = virXmlString(root, "on_crash");
    bool stay = off != NULL && strcmp(off, "destroy") != 0, end = reboot != NULL && strcmp(reboot, "destroy") == 0;
    bool keep = crash != NULL && strcmp(crash, "destroy") != 0;

    virXmlFind(root, "on_lockfailure");
    return qemuCommandAddFormat(command, "-action", "reboot=%s,shutdown=%s,panic=%s", end ? "shutdown" : "reset",
                                stay ? "pause" : "poweroff", keep ? "pause" : "shutdown");
}

VIRT_INTERNAL int
qemuAddPower(struct qemuCommand *command)
{
    static const char *const states[][2] = { { "pm/suspend-to-mem/@enabled", "disable_s3" }, { "pm/suspend-to-disk/@enabled", "disable_s4" } };
    struct qemuMachine machine = qemuMachineOf(command->doc);
    const char *device = machine.family == QEMU_MACHINE_PC ? "PIIX4_PM" : machine.family == QEMU_MACHINE_Q35 ? "ICH9-LPC" : NULL;

    for (size_t i = 0; i < 2 && device != NULL; i++) {
        bool enabled = true;
        int rc = virXmlBool(virXmlRoot(command->doc), states[i][0], &enabled);

        if (rc < 0 || (rc > 0 && qemuCommandAddFormat(command, "-global", "%s.%s=%d", device, states[i][1], !enabled) < 0))
            return -1;
    }
    return qemuAddActions(command);
}

#undef VIRT_FROM
