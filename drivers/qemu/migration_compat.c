/*
 * Whether this host can have a guest that comes from another: the machine and the devices that the guest has seen must be there, under the same names,
 * and what it needs of the host. QEMU would say most of it as well, but one thing at a time, and when its process has been started.
 *
 * The devices are those of the command line that would be made of the document, dry, each looked up among the types that the emulator has.
 */
#include "command.h"
#include "migration.h"

#include "../common/document.h"
#include "../common/host.h"
#include "../common/json.h"
#include "../common/problems.h"
#include "../common/xml.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- machine and devices ---------- */

/* "driver" or "qom-type" of an argument, as JSON or as text before the first comma. The caller frees it; NULL: it names none. */
static char *
qemuCompatType(const char *argument, bool object)
{
    VIRT_CLEANUP_JSON cJSON *json = *argument == '{' ? virJsonParse(argument, strlen(argument), "argument") : NULL;
    const char *type = virJsonString(json, object ? "qom-type" : "driver");

    if (*argument == '{')
        return type != NULL ? virStringCopy(type) : NULL;
    return virStringFormat("%.*s", (int)strcspn(argument, ","), argument);
}

static int
qemuCompatCheckTypes(const struct qemuCommand *command, struct virProblems *problems)
{
    for (size_t i = 0; i + 1 < command->argc; i++) {
        const bool object = strcmp(command->argv[i], "-object") == 0;
        VIRT_CLEANUP_FREE char *type = NULL;

        if (!object && strcmp(command->argv[i], "-device") != 0)
            continue;
        if ((type = qemuCompatType(command->argv[i + 1], object)) == NULL || qemuCapabilitiesHasDevice(command->caps, type))
            continue;
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "the emulator '%s' of the destination has no %s '%s', which the guest has",
                       qemuCapabilitiesEmulator(command->caps), object ? "object" : "device", type);
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return 0;
}

/* What the emulator itself must have. */
static int
qemuCompatCheckMachine(struct qemuHost *host, const struct qemuCapabilities *caps, xmlDocPtr doc, struct virProblems *problems)
{
    const char *machine = virXmlString(virXmlRoot(doc), "os/type/@machine");
    VIRT_CLEANUP_XML xmlDocPtr copy = virXmlCopy(doc);
    struct qemuCommand command = { .doc = copy, .caps = caps, .runDirectory = host->run, .logDirectory = host->log, .nvramDirectory = host->nvram,
                                   .dry = true };
    const struct qemuCommandOptions options = { .paused = true };
    int rc;

    if (copy == NULL)
        return -1;
    if (machine != NULL && qemuCapabilitiesMachine(caps, machine) == NULL) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "the emulator '%s' of the destination has no machine type '%s', which the guest has",
                       qemuCapabilitiesEmulator(caps), machine);
        return virProblemsNote(problems);
    }
    rc = qemuCommandBuild(&command, &options) < 0 ? virProblemsNote(problems) : qemuCompatCheckTypes(&command, problems);
    qemuCommandFree(&command);
    return rc;
}

/* ---------- the CPU ---------- */

/* The value of a line of /proc/cpuinfo, as malloc'd text; "" if there is none. */
static char *
qemuCompatCpuinfo(const char *text, const char *key)
{
    const size_t length = strlen(key);

    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, length) == 0 && (line[length] == '\t' || line[length] == ' ' || line[length] == ':')) {
            const char *value = line + strcspn(line, ":\n");

            value += *value == ':';
            value += strspn(value, " \t");
            return virStringFormat("%.*s", (int)strcspn(value, "\n"), value);
        }
    return virStringCopy("");
}

/* The CPU that the guest may see through to: {"arch", "model", "flags"}. NULL with the error set. */
static cJSON *
qemuCompatHostCpu(void)
{
    VIRT_CLEANUP_FREE char *text = virFileRead("/proc/cpuinfo", 8 << 20, NULL), *model = NULL, *flags = NULL;

    if (text == NULL || (model = qemuCompatCpuinfo(text, "model name")) == NULL
        || (flags = qemuCompatCpuinfo(text, strstr(text, "\nFeatures") != NULL ? "Features" : "flags")) == NULL)
        return NULL;
    return virJsonObject("s:arch", virHostGetArch(), "s:model", model, "s:flags", flags, NULL);
}

VIRT_INTERNAL int
qemuCompatCookie(const struct qemuMigration *m, cJSON *cookie)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    VIRT_CLEANUP_FREE char *emulator = NULL;
    const struct qemuCapabilities *caps;
    cJSON *cpu;
    int rc;

    if (m->offline)
        return 0;
    if ((doc = virDomainObjDocument(m->vm, false)) == NULL || (emulator = qemuDocumentEmulator(doc)) == NULL
        || (caps = qemuHostCapabilities(m->host, emulator)) == NULL)
        return -1;
    rc = virJsonAdd(cookie, "u:emulatorVersion", (unsigned long long)qemuCapabilitiesVersion(caps), NULL);
    qemuCapabilitiesUnref(caps);
    if (rc == 0 && virXmlEquals(virXmlRoot(doc), "@type", "kvm")
        && ((cpu = qemuCompatHostCpu()) == NULL || virJsonAdd(cookie, "a:cpu", cpu, NULL) < 0))
        return -1;
    return rc;
}

static bool
qemuCompatHasFlag(const char *flags, const char *flag, size_t length)
{
    for (const char *at = flags; (at = strstr(at, flag)) != NULL; at += length)
        if ((at == flags || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* The features of theirs that ours lacks, separated by spaces; NULL with the error set. */
static char *
qemuCompatMissingFlags(const char *theirs, const char *ours)
{
    struct virText missing = { 0 };

    for (size_t length; *theirs != '\0'; theirs += length + strspn(theirs + length, " ")) {
        char flag[64];

        length = strcspn(theirs, " ");
        if (length == 0 || length >= sizeof(flag))
            continue;
        memcpy(flag, theirs, length);
        flag[length] = '\0';
        if (!qemuCompatHasFlag(ours, flag, length))
            virTextAdd(&missing, "%s%s", missing.length > 0 ? " " : "", flag);
    }
    return missing.length > 0 ? virTextTake(&missing) : virStringCopy("");
}

/* A guest that sees its host's CPU, and may rely on all of it. */
static int
qemuCompatCheckHostCpu(const cJSON *theirs, const char *mode)
{
    VIRT_CLEANUP_JSON cJSON *ours = qemuCompatHostCpu();
    const char *arch = virJsonString(theirs, "arch"), *model = virJsonString(theirs, "model"), *flags = virJsonString(theirs, "flags");
    VIRT_CLEANUP_FREE char *missing = NULL;

    if (ours == NULL)
        return -1;
    if (arch == NULL || model == NULL || flags == NULL)
        return virReportError(VIR_ERR_OPERATION_FAILED, "the migration cookie does not say what CPU the guest has");
    if (strcmp(arch, virJsonString(ours, "arch")) != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode '%s': the source's host is '%s', this one '%s'", mode, arch,
                              virJsonString(ours, "arch"));
    if ((missing = qemuCompatMissingFlags(flags, virJsonString(ours, "flags"))) == NULL)
        return -1;
    if (*missing != '\0')
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode '%s': the destination's CPU '%s' has not all of the source's '%s', but lacks: %s",
                              mode, virJsonString(ours, "model"), model, missing);
    if (strcmp(mode, "host-passthrough") == 0 && strcmp(model, virJsonString(ours, "model")) != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode 'host-passthrough': the destination's CPU is '%s', the source's '%s'",
                              virJsonString(ours, "model"), model);
    return 0;
}

/* A CPU that has no name is whatever the host, or the emulator, has. */
static int
qemuCompatCheckCpu(const struct qemuMigrationCookie *cookie, const struct qemuCapabilities *caps, xmlDocPtr doc)
{
    const char *mode = virXmlString(virXmlRoot(doc), "cpu/@mode");
    unsigned long long version = 0;

    if (mode == NULL || strcmp(mode, "custom") == 0)
        return 0;
    if (virXmlEquals(virXmlRoot(doc), "@type", "kvm"))
        return cookie->sameHost ? 0 : qemuCompatCheckHostCpu(virJsonGet(cookie->json, "cpu"), mode);
    if (virJsonULongLong(cookie->json, "emulatorVersion", &version) == 0 && version != qemuCapabilitiesVersion(caps))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode '%s' is what the emulator can: that of the source is QEMU %llu.%llu.%llu, "
                              "'%s' is QEMU %u.%u.%u", mode, version / 1000000, version / 1000 % 1000, version % 1000, qemuCapabilitiesEmulator(caps),
                              qemuCapabilitiesVersion(caps) / 1000000, qemuCapabilitiesVersion(caps) / 1000 % 1000,
                              qemuCapabilitiesVersion(caps) % 1000);
    return 0;
}

/* ---------- what it needs of the host ---------- */

/* Files that QEMU opens when it starts. */
static int
qemuCompatCheckFiles(xmlDocPtr doc, struct virProblems *problems)
{
    static const char *const paths[] = { "os/loader", "os/nvram/@template", "os/kernel", "os/initrd", "os/dtb", "os/acpi/table" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *path = virXmlString(virXmlRoot(doc), paths[i]);

        if (path == NULL || *path != '/' || access(path, R_OK) == 0)
            continue;
        virReportSystemError(errno, "the destination cannot read '%s' (<%.*s>), which the guest was started from", path,
                             (int)strcspn(paths[i] + 3, "/"), paths[i] + 3);
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return 0;
}

/* What a network card hangs on: a bridge, or a card of the host. */
static int
qemuCompatCheckNetworks(xmlDocPtr doc, struct virProblems *problems)
{
    VIRT_XML_EACH(card, virXmlFind(virXmlRoot(doc), "devices"), "interface") {
        const char *type = virXmlString(card, "@type"), *name = NULL;

        if (type != NULL && strcmp(type, "bridge") == 0)
            name = virXmlString(card, "source/@bridge");
        else if (type != NULL && strcmp(type, "direct") == 0)
            name = virXmlString(card, "source/@dev");
        else if (type != NULL && strcmp(type, "ethernet") == 0 && virXmlEquals(card, "target/@managed", "no"))
            name = virXmlString(card, "target/@dev");
        if (name == NULL || if_nametoindex(name) != 0)
            continue;
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "interface '%s': the destination has no %s '%s'", virXmlString(card, "mac/@address"),
                       strcmp(type, "bridge") == 0 ? "bridge" : "network device", name);
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return 0;
}

/* Huge pages of a size that is named; whether enough are free, and where they are mounted, QEMU and who starts it find out. */
static int
qemuCompatCheckHugePages(xmlDocPtr doc, struct virProblems *problems)
{
    VIRT_XML_EACH(page, virXmlFind(virXmlRoot(doc), "memoryBacking/hugepages"), "page") {
        unsigned long long size = 0, pages = 0, length = 0;
        VIRT_CLEANUP_FREE char *path = NULL, *text = NULL;
        size_t read;

        if (virXmlSize(page, "@size", "KiB", &size) < 0)
            return virProblemsNote(problems);
        length = size / 1024;
        if (length <= 4 || (path = virStringFormat("/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages", length)) == NULL)
            continue;
        if (access(path, R_OK) == 0 && (text = virFileRead(path, 64, &read)) != NULL)
            pages = strtoull(text, NULL, 10);
        virResetLastError();
        if (pages > 0)
            continue;
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "the guest's memory is in huge pages of %llu KiB: the destination has none", length);
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return 0;
}

static int
qemuCompatCheckKvm(const struct qemuCapabilities *caps, xmlDocPtr doc)
{
    if (!virXmlEquals(virXmlRoot(doc), "@type", "kvm") || qemuCapabilitiesHasKvm(caps))
        return 0;
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "the guest runs with KVM, which the destination has not (/dev/kvm cannot be used)");
}

VIRT_INTERNAL int
qemuCompatCheck(struct qemuHost *host, const struct qemuMigrationCookie *cookie, xmlDocPtr doc, struct virProblems *problems)
{
    VIRT_CLEANUP_FREE char *emulator = qemuDocumentEmulator(doc);
    const struct qemuCapabilities *caps;
    int rc;

    if (cookie->offline)
        return 0;
    if (emulator == NULL || (caps = qemuHostCapabilities(host, emulator)) == NULL) {
        virResetLastError();          /* qemuMigrationCheckEmulator says it */
        return 0;
    }
    rc = qemuCompatCheckMachine(host, caps, doc, problems);
    if (rc == 0 && qemuCompatCheckKvm(caps, doc) < 0)
        rc = virProblemsNote(problems);
    if (rc == 0 && qemuCompatCheckCpu(cookie, caps, doc) < 0)
        rc = virProblemsNote(problems);
    if (rc == 0)
        rc = qemuCompatCheckFiles(doc, problems) < 0 || qemuCompatCheckNetworks(doc, problems) < 0 || qemuCompatCheckHugePages(doc, problems) < 0
             ? -1 : 0;
    qemuCapabilitiesUnref(caps);
    return rc;
}

/* ---------- the source ---------- */

VIRT_INTERNAL int
qemuCompatCheckSource(struct virDomainObj *vm, xmlDocPtr doc, struct virProblems *problems)
{
    static const struct { const char *element, *path, *value, *why; } bound[] = {
        { "shmem", NULL, NULL, "shares memory with others on this host (shmem)" },
        { "interface", "@type", "hostdev", "has a network card of this host (interface of type hostdev)" },
        { "interface", "@type", "vdpa", "has a network card of this host (interface of type vdpa)" },
        { "tpm", "backend/@type", "passthrough", "has the TPM of this host" },
        { "smartcard", "@mode", "host", "has a smart card of this host" },
    };
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");

    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
        VIRT_XML_EACH(device, devices, bound[i].element) {
            if (bound[i].path != NULL && !virXmlEquals(device, bound[i].path, bound[i].value))
                continue;
            virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' %s: it cannot be migrated", vm->name, bound[i].why);
            if (virProblemsNote(problems) < 0)
                return -1;
        }
    /* a counter that the guest is told never changes its pace, unless its frequency is a promise as well */
    VIRT_XML_EACH(feature, virXmlFind(virXmlRoot(doc), "cpu"), "feature") {
        bool frequency = false;

        VIRT_XML_EACH(timer, virXmlFind(virXmlRoot(doc), "clock"), "timer")
            frequency |= virXmlEquals(timer, "@name", "tsc") && virXmlString(timer, "@frequency") != NULL;
        if (frequency || !virXmlEquals(feature, "@name", "invtsc") || virXmlEquals(feature, "@policy", "disable")
            || virXmlEquals(feature, "@policy", "forbid"))
            continue;
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' has the CPU feature invtsc without a frequency of its tsc timer: it cannot be "
                       "migrated", vm->name);
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return 0;
}

#undef VIRT_FROM
