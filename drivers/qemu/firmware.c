/*
 * The guest's firmware: a ROM file, or flash memory with variables of the guest's own.
 *
 * <os firmware='efi'> leaves the choice to the descriptors that firmware packages install (docs/interop/firmware.json of QEMU): of those that fit
 * architecture, machine and what the document asks for, the first by file name is taken, as their authors have ordered them.
 */
#include "blockdev.h"
#include "machine.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* What is to be loaded; the texts are the caller's to free. */
struct qemuFirmware {
    char *loader, *loaderFormat;      /* loader NULL: QEMU's own */
    char *nvram, *template;           /* nvram NULL: none */
    xmlNodePtr nvramSource;           /* instead of nvram: <source> of a network disk */
    bool flash, readonly, secure;
};

static void
qemuFirmwareFree(struct qemuFirmware *firmware)
{
    free(firmware->loader);
    free(firmware->loaderFormat);
    free(firmware->nvram);
    free(firmware->template);
}

/* ---------- descriptors ---------- */

static const char *const qemuFirmwareDirectories[] = { "/etc/qemu/firmware", "/usr/share/qemu/firmware" };

/* What a descriptor must fit, and the answer. */
struct qemuFirmwareSearch {
    xmlNodePtr os;
    const char *directory, *arch, *machine;
    const char *kind;                 /* uefi or bios */
    const char *path;                 /* search by executable instead, for its template */
    bool smm;                         /* the machine can have it on */
    bool stateless;
    struct qemuFirmware *firmware;
};

static bool
qemuFirmwareHas(const cJSON *list, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
        if (cJSON_IsString(item) && strcmp(item->valuestring, text) == 0)
            return true;
    return false;
}

static bool
qemuFirmwareFitsMachine(const struct qemuFirmwareSearch *search, const cJSON *targets)
{
    const cJSON *target, *machine;

    cJSON_ArrayForEach(target, targets) {
        const char *arch = virJsonString(target, "architecture");

        if (arch == NULL || strcmp(arch, search->arch) != 0)
            continue;
        cJSON_ArrayForEach(machine, virJsonGet(target, "machines"))
            if (cJSON_IsString(machine) && fnmatch(machine->valuestring, search->machine, 0) == 0)
                return true;
    }
    return false;
}

/* <firmware><feature enabled= name=>, <loader secure=>: what the user wants or does not want. */
static bool
qemuFirmwareFitsFeatures(const struct qemuFirmwareSearch *search, const cJSON *features)
{
    xmlNodePtr wanted = virXmlFirst(search->os, "firmware");
    const char *secure = virXmlString(search->os, "loader/@secure");

    VIRT_XML_EACH(feature, wanted, "feature") {
        const char *name = virXmlString(feature, "@name");
        bool enabled = virXmlEquals(feature, "@enabled", "yes");

        if (name != NULL && qemuFirmwareHas(features, name) != enabled)
            return false;
    }
    if (qemuFirmwareHas(features, "requires-smm") && !search->smm)
        return false;
    if (secure != NULL && strcmp(secure, "yes") == 0)
        return qemuFirmwareHas(features, "requires-smm") && qemuFirmwareHas(features, "secure-boot");
    return secure == NULL || !qemuFirmwareHas(features, "requires-smm");
}

/* Takes over the paths of a descriptor that fits. */
static int
qemuFirmwareTake(const struct qemuFirmwareSearch *search, const cJSON *json)
{
    const cJSON *mapping = virJsonGet(json, "mapping"), *executable = virJsonGet(mapping, "executable");
    const char *device = virJsonString(mapping, "device"), *path, *template = virJsonString(virJsonGet(mapping, "nvram-template"), "filename");
    struct qemuFirmware *firmware = search->firmware;

    firmware->flash = device != NULL && strcmp(device, "flash") == 0;
    path = virJsonString(firmware->flash ? executable : mapping, "filename");
    if (path == NULL || (search->stateless && template != NULL && firmware->flash))
        return 0;
    firmware->readonly = true;
    firmware->secure = qemuFirmwareHas(virJsonGet(json, "features"), "requires-smm");
    if ((firmware->loader = virStringCopy(path)) == NULL ||
        (firmware->loaderFormat = virStringCopy(virJsonString(executable, "format") != NULL ? virJsonString(executable, "format") : "raw")) == NULL ||
        (template != NULL && firmware->template == NULL && (firmware->template = virStringCopy(template)) == NULL))
        return -1;
    return 1;
}

static int
qemuFirmwareTry(const char *name, void *opaque)
{
    struct qemuFirmwareSearch *search = opaque;
    size_t length = strlen(name);
    VIRT_CLEANUP_FREE char *path = NULL, *text = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    const cJSON *mapping;
    const char *executable;

    if (length < 5 || strcmp(name + length - 5, ".json") != 0)
        return 0;
    if ((path = virStringFormat("%s/%s", search->directory, name)) == NULL || (text = virFileRead(path, 1 << 20, &length)) == NULL)
        return -1;
    if (length == 0)
        return 0;                                       /* an empty file masks one of the same name */
    if ((json = virJsonParse(text, length, path)) == NULL)
        return -1;
    mapping = virJsonGet(json, "mapping");
    if (search->path != NULL) {
        executable = virJsonString(virJsonGet(mapping, "executable"), "filename");
        if (executable == NULL || strcmp(executable, search->path) != 0 ||
            virJsonString(virJsonGet(mapping, "nvram-template"), "filename") == NULL)
            return 0;
        search->firmware->template = virStringCopy(virJsonString(virJsonGet(mapping, "nvram-template"), "filename"));
        return search->firmware->template != NULL ? 1 : -1;
    }
    if (!qemuFirmwareHas(virJsonGet(json, "interface-types"), search->kind) || !qemuFirmwareFitsMachine(search, virJsonGet(json, "targets")) ||
        !qemuFirmwareFitsFeatures(search, virJsonGet(json, "features")))
        return 0;
    return qemuFirmwareTake(search, json);
}

/* 1 found, 0 not, -1 error. */
static int
qemuFirmwareSearch(struct qemuFirmwareSearch *search)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(qemuFirmwareDirectories) / sizeof(qemuFirmwareDirectories[0]); i++) {
        search->directory = qemuFirmwareDirectories[i];
        if (access(search->directory, R_OK) == 0)
            rc = virFileEach(search->directory, qemuFirmwareTry, search);
    }
    return rc;
}

/* Templates of loaders that have no descriptor: CODE and VARS stand side by side. */
static int
qemuFirmwareGuessTemplate(struct qemuFirmware *firmware)
{
    char *copy = virStringCopy(firmware->loader), *at;

    if (copy == NULL)
        return -1;
    if ((at = strstr(copy, "CODE")) == NULL) {
        free(copy);
        return 0;
    }
    memcpy(at, "VARS", 4);
    /* OVMF_CODE.secboot.fd goes with OVMF_VARS.fd */
    if ((at = strstr(copy, ".secboot")) != NULL && access(copy, R_OK) < 0)
        memmove(at, at + strlen(".secboot"), strlen(at + strlen(".secboot")) + 1);
    if (access(copy, R_OK) < 0)
        free(copy);
    else
        firmware->template = copy;
    return 0;
}

/* ---------- what the document says ---------- */

static int
qemuFirmwareAuto(struct qemuCommand *command, xmlNodePtr os, const char *kind, struct qemuFirmware *firmware)
{
    struct qemuMachine machine = qemuMachineOf(command->doc);
    bool smm = machine.family == QEMU_MACHINE_Q35, state = true;
    const char *name = qemuCapabilitiesMachine(command->caps, *machine.name != '\0' ? machine.name : NULL);
    struct qemuFirmwareSearch search = {
        .os = os, .arch = machine.arch, .machine = name != NULL ? name : machine.name, .kind = strcmp(kind, "efi") == 0 ? "uefi" : kind,
        .firmware = firmware, .stateless = virXmlEquals(os, "loader/@stateless", "yes"),
    };
    int rc;

    if (virXmlBool(virXmlRoot(command->doc), "features/smm/@state", &state) < 0)
        return -1;
    search.smm = smm && state;
    if ((rc = qemuFirmwareSearch(&search)) != 0)
        return rc < 0 ? -1 : 0;
    if (strcmp(kind, "bios") == 0)
        return 0;                                       /* QEMU comes with SeaBIOS */
    return virReportError(VIR_ERR_OPERATION_FAILED, "no firmware of kind '%s' for machine type '%s' that has what is asked for is installed",
                          kind, search.machine);
}

static int
qemuFirmwareNvram(struct qemuCommand *command, xmlNodePtr os, struct qemuFirmware *firmware)
{
    const char *path = virXmlString(os, "nvram"), *template = virXmlString(os, "nvram/@template");
    const char *name = virXmlString(virXmlRoot(command->doc), "name");
    const char *directory = command->nvramDirectory != NULL ? command->nvramDirectory : command->runDirectory;
    xmlNodePtr source = virXmlFind(os, "nvram/source");

    if (template != NULL && (firmware->template = virStringCopy(template)) == NULL)
        return -1;
    if (source != NULL && virXmlString(source, "@file") != NULL)
        path = virXmlString(source, "@file");
    else if (source != NULL) {
        firmware->nvramSource = source;
        return 0;
    }
    if (path != NULL && path[strspn(path, " \t\n")] != '\0')
        return (firmware->nvram = virStringCopy(path)) != NULL ? 0 : -1;
    /* A file of the guest's own, where none is named. */
    firmware->nvram = virStringFormat("%s/%s_VARS.fd", directory != NULL ? directory : "/var/lib/libvirt/qemu/nvram", name);
    return firmware->nvram != NULL ? 0 : -1;
}

static int
qemuFirmwareOf(struct qemuCommand *command, struct qemuFirmware *firmware)
{
    xmlNodePtr os = virXmlFind(virXmlRoot(command->doc), "os");
    const char *kind = virXmlString(os, "@firmware"), *loader = virXmlString(os, "loader"), *type = virXmlString(os, "loader/@type");
    bool stateless = virXmlEquals(os, "loader/@stateless", "yes");

    memset(firmware, 0, sizeof(*firmware));
    if (loader != NULL && loader[strspn(loader, " \t\n")] == '\0')
        loader = NULL;
    if (loader != NULL) {
        firmware->flash = type != NULL && strcmp(type, "pflash") == 0;
        if ((firmware->loader = virStringCopy(loader)) == NULL || (firmware->loaderFormat = virStringCopy("raw")) == NULL)
            return -1;
        if (virXmlBool(os, "loader/@readonly", &firmware->readonly) < 0)
            return -1;
        firmware->secure = virXmlEquals(os, "loader/@secure", "yes");
    } else if (kind != NULL && qemuFirmwareAuto(command, os, kind, firmware) < 0) {
        return -1;
    }
    if (!firmware->flash || stateless || (loader != NULL && !firmware->readonly && qemuPeekFirst(os, "nvram") == NULL))
        return 0;
    return qemuFirmwareNvram(command, os, firmware);
}

/* ---------- the command line ---------- */

/* The guest's variables begin as a copy of the firmware's template. */
static int
qemuFirmwareMakeNvram(struct qemuFirmware *firmware)
{
    struct qemuFirmwareSearch search = { .path = firmware->loader, .firmware = firmware };
    VIRT_CLEANUP_FREE char *data = NULL;
    char *slash;
    size_t length;
    int rc;

    if (firmware->nvram == NULL || access(firmware->nvram, F_OK) == 0)
        return 0;
    if (firmware->template == NULL && (qemuFirmwareSearch(&search) < 0 || (firmware->template == NULL && qemuFirmwareGuessTemplate(firmware) < 0)))
        return -1;
    if (firmware->template == NULL)
        return virReportError(VIR_ERR_OPERATION_FAILED, "'%s' does not exist, and no template of variables for loader '%s' is known",
                              firmware->nvram, firmware->loader);
    if ((data = virFileRead(firmware->template, 64 << 20, &length)) == NULL)
        return -1;
    if ((slash = strrchr(firmware->nvram, '/')) != NULL && slash != firmware->nvram) {
        *slash = '\0';
        rc = virFileMakePath(firmware->nvram, 0700);
        *slash = '/';
        if (rc < 0)
            return -1;
    }
    return virFileWrite(firmware->nvram, data, length, 0600);
}

static int
qemuFirmwareAddNode(struct qemuCommand *command, const char *name, cJSON *storage, const char *format, bool readonly)
{
    char text[64];
    VIRT_CLEANUP_JSON cJSON *node = NULL, *taken = storage;

    snprintf(text, sizeof(text), "libvirt-%s-storage", name);
    if (taken == NULL || virJsonAdd(taken, "s:node-name", text, "b:auto-read-only", 1, "s:discard", "unmap", NULL) < 0 ||
        qemuCommandAdd(command, "-blockdev") < 0 || virStringsAdd(&command->argv, &command->argc, virJsonFormat(taken)) < 0)
        return -1;
    if ((node = virJsonObject("s:driver", format, "b:read-only", (int)readonly, "s:file", text, NULL)) == NULL)
        return -1;
    snprintf(text, sizeof(text), "libvirt-%s-format", name);
    if (virJsonAdd(node, "s:node-name", text, NULL) < 0 || qemuCommandAdd(command, "-blockdev") < 0)
        return -1;
    return virStringsAdd(&command->argv, &command->argc, virJsonFormat(node));
}

static int
qemuFirmwareAddFlash(struct qemuCommand *command, struct qemuFirmware *firmware)
{
    cJSON *storage;

    if (!command->dry && qemuFirmwareMakeNvram(firmware) < 0)
        return -1;
    storage = virJsonObject("s:driver", "file", "s:filename", firmware->loader, NULL);
    if (qemuFirmwareAddNode(command, "pflash0", storage, firmware->loaderFormat, firmware->readonly) < 0)
        return -1;
    if (firmware->nvramSource != NULL)
        return qemuFirmwareAddNode(command, "pflash1", qemuBlockdevNetwork(firmware->nvramSource, firmware->nvramSource), "raw", false);
    if (firmware->nvram == NULL)
        return 0;
    storage = virJsonObject("s:driver", "file", "s:filename", firmware->nvram, NULL);
    return qemuFirmwareAddNode(command, "pflash1", storage, "raw", false);
}

VIRT_INTERNAL int
qemuAddFirmware(struct qemuCommand *command)
{
    struct qemuFirmware firmware;
    int rc = qemuFirmwareOf(command, &firmware);

    if (rc == 0 && firmware.loader != NULL)
        rc = firmware.flash ? qemuFirmwareAddFlash(command, &firmware) : qemuCommandAddFormat(command, "-bios", "%s", firmware.loader);
    qemuFirmwareFree(&firmware);
    return rc;
}

VIRT_INTERNAL int
qemuFirmwareMachineOptions(struct qemuCommand *command, struct virText *text)
{
    struct qemuFirmware firmware;
    int rc = qemuFirmwareOf(command, &firmware);

    if (rc == 0 && firmware.loader != NULL && firmware.flash) {
        virTextAdd(text, ",pflash0=libvirt-pflash0-format");
        if (firmware.nvram != NULL || firmware.nvramSource != NULL)
            virTextAdd(text, ",pflash1=libvirt-pflash1-format");
        if (firmware.secure && qemuPeekFirst(qemuPeekFirst(virXmlRoot(command->doc), "features"), "smm") == NULL)
            virTextAdd(text, ",smm=on");
    }
    qemuFirmwareFree(&firmware);
    return rc;
}

VIRT_INTERNAL char *
qemuFirmwareNvramPath(xmlDocPtr doc, const char *directory)
{
    struct qemuCommand command = { .doc = doc, .nvramDirectory = directory };
    xmlNodePtr os = virXmlFind(virXmlRoot(doc), "os");
    struct qemuFirmware firmware = { 0 };
    char *path = NULL;

    if (virXmlString(os, "@firmware") != NULL ? virXmlEquals(os, "@firmware", "efi") : virXmlEquals(os, "loader/@type", "pflash")) {
        if (!virXmlEquals(os, "loader/@stateless", "yes") && qemuFirmwareNvram(&command, os, &firmware) == 0 && firmware.nvram != NULL)
            path = virStringCopy(firmware.nvram);
    }
    qemuFirmwareFree(&firmware);
    return path;
}

/* ---------- what there is ---------- */

struct qemuFirmwareList {
    struct qemuFirmwareSearch search;
    char **paths;
    size_t n;
    bool secure;
};

static int
qemuFirmwareCollect(const char *name, void *opaque)
{
    struct qemuFirmwareList *list = opaque;
    size_t length = strlen(name);
    VIRT_CLEANUP_FREE char *file = NULL, *text = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    const cJSON *features;
    const char *path;

    if (length < 5 || strcmp(name + length - 5, ".json") != 0)
        return 0;
    if ((file = virStringFormat("%s/%s", list->search.directory, name)) == NULL || (text = virFileRead(file, 1 << 20, &length)) == NULL)
        return -1;
    if (length == 0 || (json = virJsonParse(text, length, file)) == NULL) {
        virResetLastError();                            /* a descriptor that nobody can read describes nothing */
        return 0;
    }
    features = virJsonGet(json, "features");
    path = virJsonString(virJsonGet(virJsonGet(json, "mapping"), "executable"), "filename");
    if (path == NULL || !qemuFirmwareHas(virJsonGet(json, "interface-types"), "uefi") ||
        !qemuFirmwareFitsMachine(&list->search, virJsonGet(json, "targets")) ||
        (qemuFirmwareHas(features, "requires-smm") && !list->search.smm) || access(path, R_OK) < 0)
        return 0;
    list->secure = list->secure || (qemuFirmwareHas(features, "requires-smm") && qemuFirmwareHas(features, "secure-boot"));
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->paths[i], path) == 0)
            return 0;
    }
    return virStringsAdd(&list->paths, &list->n, virStringCopy(path));
}

VIRT_INTERNAL int
qemuFirmwareLoaders(const char *arch, const char *machine, char ***paths, bool *secure)
{
    struct qemuFirmwareList list = { .search = { .arch = arch, .machine = machine, .smm = strstr(machine, "q35") != NULL } };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(qemuFirmwareDirectories) / sizeof(qemuFirmwareDirectories[0]); i++) {
        list.search.directory = qemuFirmwareDirectories[i];
        if (access(list.search.directory, R_OK) == 0)
            rc = virFileEach(list.search.directory, qemuFirmwareCollect, &list);
    }
    if (rc < 0) {
        virStringsFree(list.paths);
        return -1;
    }
    *paths = list.paths;
    *secure = list.secure;
    return (int)list.n;
}

#undef VIRT_FROM
