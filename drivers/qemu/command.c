/*
 * The command line of a guest, from its completed document.
 *
 * qemuCommandBuild walks two tables: the parts of the machine (machine.c, cpu.c, memory.c, ...), then the device elements in the order in
 * which QEMU has to make them. Devices are described as JSON, the same that QMP takes; nothing in JSON needs escaping, which is why
 * names with commas work. What no part reads has no effect, and virXmlUnread lists it.
 */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- a command under construction ---------- */

VIRT_INTERNAL int
qemuCommandAdd(struct qemuCommand *command, const char *argument)
{
    return virStringsAdd(&command->argv, &command->argc, virStringCopy(argument));
}

VIRT_INTERNAL int
qemuCommandAddFormat(struct qemuCommand *command, const char *option, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    int rc;

    if (option != NULL && qemuCommandAdd(command, option) < 0)
        return -1;
    va_start(args, fmt);
    rc = vasprintf(&text, fmt, args);
    va_end(args);
    if (rc < 0)
        return virReportNoMemory();
    return virStringsAdd(&command->argv, &command->argc, text);
}

VIRT_INTERNAL int
qemuCommandPassFd(struct qemuCommand *command, int fd)
{
    int *fds = realloc(command->fds, (command->nfds + 1) * sizeof(*fds));

    if (fds == NULL) {
        close(fd);
        return virReportNoMemory();
    }
    command->fds = fds;
    fds[command->nfds++] = fd;
    return 0;
}

VIRT_INTERNAL void
qemuCommandFree(struct qemuCommand *command)
{
    qemuCommandFreeDevices(command);
    for (size_t i = 0; i < command->nfds; i++)
        close(command->fds[i]);
    free(command->fds);
    virStringsFree(command->argv);
    virStringsFree(command->env);
    command->fds = NULL;
    command->nfds = 0;
    command->argv = command->env = NULL;
    command->argc = command->nenv = 0;
}

/* ---------- sets ---------- */

/* One <qemu:property> of <qemu:override>: replaces a property of the device, or removes it. */
static int
qemuOverrideProperty(xmlNodePtr property, cJSON *object)
{
    const char *name = virXmlNeed(property, "@name"), *type = virXmlNeed(property, "@type");
    const char *value = virXmlString(property, "@value");
    cJSON *json;

    if (name == NULL || type == NULL)
        return -1;
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    if (strcmp(type, "remove") == 0)
        return 0;
    if (value == NULL)
        value = "";
    if (strcmp(type, "string") == 0)
        json = cJSON_CreateString(value);
    else if (strcmp(type, "bool") == 0)
        json = cJSON_CreateBool(strcmp(value, "true") == 0);
    else if (strcmp(type, "signed") == 0 || strcmp(type, "unsigned") == 0) {
        if (*value == '\0' || value[strspn(value, "-0123456789")] != '\0')
            return virReportError(VIR_ERR_XML_ERROR, "override of property '%s': '%s' is no number", name, value);
        json = cJSON_CreateRaw(value);
    } else
        return virReportError(VIR_ERR_XML_ERROR, "override of property '%s': unknown type '%s'", name, type);
    if (json == NULL || !cJSON_AddItemToObject(object, name, json)) {
        cJSON_Delete(json);
        return virReportNoMemory();
    }
    return 0;
}

static int
qemuOverrideDevice(struct qemuCommand *command, cJSON *object)
{
    const char *id = virJsonString(object, "id");
    xmlNodePtr override = command->doc != NULL ? virXmlFind(virXmlRoot(command->doc), "qemu:override") : NULL;

    if (id == NULL || override == NULL)
        return 0;
    VIRT_XML_EACH(device, override, "qemu:device") {
        xmlNodePtr frontend = virXmlFirst(device, "qemu:frontend");

        if (!virXmlEquals(device, "@alias", id))
            continue;
        VIRT_XML_EACH(property, frontend, "qemu:property")
            if (qemuOverrideProperty(property, object) < 0)
                return -1;
    }
    return 0;
}

VIRT_INTERNAL int
qemuCommandAddSet(struct qemuCommand *command, const struct qemuDeviceSet *set)
{
    static const char *const options[] = {
        [QEMU_OPTION_OBJECT] = "-object", [QEMU_OPTION_CHARDEV] = "-chardev", [QEMU_OPTION_BLOCKDEV] = "-blockdev",
        [QEMU_OPTION_NETDEV] = "-netdev", [QEMU_OPTION_DEVICE] = "-device",
    };

    for (size_t i = 0; i < set->count; i++) {
        enum qemuDeviceOption option = set->items[i].option;
        cJSON *json = set->items[i].json;

        if (option == QEMU_OPTION_ARGUMENT) {
            if (qemuCommandAdd(command, set->items[i].text) < 0)
                return -1;
            continue;
        }
        if (option == QEMU_OPTION_DEVICE && qemuOverrideDevice(command, json) < 0)
            return -1;
        if (qemuCommandAdd(command, options[option]) < 0 ||
            virStringsAdd(&command->argv, &command->argc,
                          option == QEMU_OPTION_CHARDEV ? qemuChardevFormat(json) : virJsonFormat(json)) < 0)
            return -1;
    }
    return 0;
}

/* ---------- the devices ---------- */

/*
 * In this order QEMU makes them: what provides a bus before what sits on it. Elements of the devices section that are not here have no effect, and
 * are listed as such, but for those marked NULL, which are information.
 */
static const struct qemuCommandDevice {
    const char *element;
    qemuDeviceBuilder build;
} qemuCommandDevices[] = {
    { "emulator", NULL },
    { "memory", qemuBuildMemoryDevice },
    { "iommu", qemuBuildIommu },
    { "controller", qemuBuildController },
    { "hub", qemuBuildHub },
    { "crypto", qemuBuildCrypto },
    { "audio", qemuBuildAudio },
    { "disk", qemuBuildDisk },
    { "filesystem", qemuBuildFilesystem },
    { "interface", qemuBuildInterface },
    { "smartcard", qemuBuildSmartcard },
    { "serial", qemuBuildSerial },
    { "parallel", qemuBuildParallel },
    { "channel", qemuBuildChannel },
    { "console", qemuBuildConsole },
    { "tpm", qemuBuildTpm },
    { "input", qemuBuildInput },
    { "graphics", qemuBuildGraphics },
    { "video", qemuBuildVideo },
    { "sound", qemuBuildSound },
    { "watchdog", qemuBuildWatchdog },
    { "redirdev", qemuBuildRedirdev },
    { "hostdev", qemuBuildHostdev },
    { "memballoon", qemuBuildMemballoon },
    { "rng", qemuBuildRng },
    { "panic", qemuBuildPanic },
    { "shmem", qemuBuildShmem },
    { "vsock", qemuBuildVsock },
};

static int
qemuAddDevice(struct qemuCommand *command, xmlNodePtr device, qemuDeviceBuilder build)
{
    struct qemuDeviceSet set = { 0 };
    int rc;

    virXmlString(device, "alias/@name");
    rc = build(command, device, &set);
    if (rc == 0)
        rc = qemuCommandAddSet(command, &set);
    qemuDeviceSetFree(&set);
    return rc;
}

/*
 * Controllers: a PCI bridge after the bus it sits on, then the others; the USB companions after their master. Controllers are few, so
 * the passes are cheap: pass by pass those whose bus has been made.
 */
static int
qemuAddControllers(struct qemuCommand *command, xmlNodePtr devices)
{
    unsigned char *made;                        /* by PCI index */
    bool progress = true;
    int rc = 0;

    if ((made = virAllocate(257)) == NULL)
        return -1;
    while (progress && rc == 0) {
        progress = false;
        QEMU_PEEK_EACH(controller, devices, "controller") {
            unsigned int index = qemuPeekUInt(controller, "index", 0);
            unsigned int bus = qemuPeekUInt(qemuPeekFirst(controller, "address"), "bus", 0);

            if (!qemuPeekIs(controller, "type", "pci") || index > 255 || made[index] || (index != 0 && bus < 256 && bus != index && !made[bus] &&
                qemuFindController(command->doc, "pci", bus) != NULL))
                continue;
            made[index] = 1;
            progress = true;
            if ((rc = qemuAddDevice(command, controller, qemuBuildController)) < 0)
                break;
        }
    }
    free(made);
    for (int pass = 0; pass < 2 && rc == 0; pass++)
        QEMU_PEEK_EACH(controller, devices, "controller")
            if (!qemuPeekIs(controller, "type", "pci") && (qemuPeekFirst(controller, "master") != NULL) == (pass == 1) &&
                (rc = qemuAddDevice(command, controller, qemuBuildController)) < 0)
                break;
    return rc;
}

static int
qemuAddDevices(struct qemuCommand *command)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(command->doc), "devices");

    for (size_t i = 0; i < sizeof(qemuCommandDevices) / sizeof(qemuCommandDevices[0]); i++) {
        const struct qemuCommandDevice *kind = &qemuCommandDevices[i];

        if (kind->build == qemuBuildController) {
            if (qemuAddControllers(command, devices) < 0)
                return -1;
            continue;
        }
        VIRT_XML_EACH(device, devices, kind->element) {
            if (kind->build == NULL)
                virXmlMark(device);
            else if (qemuAddDevice(command, device, kind->build) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---------- small parts ---------- */

static int
qemuAddName(struct qemuCommand *command)
{
    const char *name = virXmlNeed(virXmlRoot(command->doc), "name");
    struct virText text = { 0 };

    if (name == NULL || qemuCommandAdd(command, "-name") < 0)
        return -1;
    virTextAdd(&text, "guest=");
    for (; *name != '\0'; name++)
        virTextAdd(&text, "%s%c", *name == ',' ? "," : "", *name);
    virTextAdd(&text, ",debug-threads=on");
    return virStringsAdd(&command->argv, &command->argc, virTextTake(&text));
}

static int
qemuAddIdentity(struct qemuCommand *command)
{
    xmlNodePtr root = virXmlRoot(command->doc);
    const char *genid = virXmlString(root, "genid");
    unsigned char uuid[VIR_UUID_BUFLEN];
    char text[VIR_UUID_STRING_BUFLEN];
    int rc = virXmlUuid(root, "uuid", uuid);

    if (rc < 0)
        return -1;
    if (rc > 0) {
        virUuidFormat(uuid, text);
        if (qemuCommandAddFormat(command, "-uuid", "%s", text) < 0)
            return -1;
    }
    if (genid != NULL && qemuCommandAddFormat(command, "-device", "vmgenid,guid=%s,id=vmgenid0", genid) < 0)
        return -1;
    return virXmlFind(root, "features/vmcoreinfo") != NULL && !virXmlEquals(root, "features/vmcoreinfo/@state", "off") ?
           qemuCommandAddFormat(command, "-device", "vmcoreinfo") : 0;
}

/* Threads for disk I/O: <iothreads> says how many, <iothreadids> which numbers; numbers not named are the lowest free ones. */
static int
qemuAddIothread(struct qemuCommand *command, xmlNodePtr thread, const char *type, const char *id)
{
    int min = -1, max = -1;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (thread != NULL && (virXmlInt(thread, "@thread_pool_min", &min) < 0 || virXmlInt(thread, "@thread_pool_max", &max) < 0))
        return -1;
    if ((object = virJsonObject("s:qom-type", type, "s:id", id, NULL)) == NULL ||
        (min >= 0 && virJsonAdd(object, "i:thread-pool-min", min, NULL) < 0) ||
        (max >= 0 && virJsonAdd(object, "i:thread-pool-max", max, NULL) < 0) || qemuCommandAdd(command, "-object") < 0)
        return -1;
    return virStringsAdd(&command->argv, &command->argc, virJsonFormat(object));
}

static bool
qemuHasIothread(xmlNodePtr ids, unsigned int id)
{
    QEMU_PEEK_EACH(thread, ids, "iothread")
        if (qemuPeekUInt(thread, "id", 0) == id)
            return true;
    return false;
}

static int
qemuAddIothreads(struct qemuCommand *command)
{
    xmlNodePtr root = virXmlRoot(command->doc), ids = virXmlFind(root, "iothreadids");
    xmlNodePtr mainLoop = virXmlFind(root, "defaultiothread");
    unsigned int count = 0, named = 0, id = 0;
    char name[32];

    if (virXmlUInt(root, "iothreads", &count) < 0)
        return -1;
    VIRT_XML_EACH(thread, ids, "iothread") {
        if (virXmlUInt(thread, "@id", &id) <= 0)
            return virReportError(VIR_ERR_XML_ERROR, "an <iothread> has no id");
        snprintf(name, sizeof(name), "iothread%u", id);
        if (qemuAddIothread(command, thread, "iothread", name) < 0)
            return -1;
        named++;
    }
    for (id = 1; named < count; id++) {
        if (qemuHasIothread(ids, id))
            continue;
        snprintf(name, sizeof(name), "iothread%u", id);
        if (qemuAddIothread(command, NULL, "iothread", name) < 0)
            return -1;
        named++;
    }
    return mainLoop == NULL ? 0 : qemuAddIothread(command, mainLoop, "main-loop", "main-loop");
}

/* What the user says to QEMU directly. Arguments stand as they are, at the end, so that they can add to all that is before. */
static int
qemuAddPassthrough(struct qemuCommand *command)
{
    xmlNodePtr line = virXmlFind(virXmlRoot(command->doc), "qemu:commandline");

    VIRT_XML_EACH(arg, line, "qemu:arg") {
        const char *value = virXmlNeed(arg, "@value");

        if (value == NULL || qemuCommandAdd(command, value) < 0)
            return -1;
    }
    VIRT_XML_EACH(env, line, "qemu:env") {
        const char *name = virXmlNeed(env, "@name"), *value = virXmlString(env, "@value");

        if (name == NULL || virStringsAdd(&command->env, &command->nenv, virStringFormat("%s=%s", name, value != NULL ? value : "")) < 0)
            return -1;
    }
    return 0;
}

/* Behaviour with deprecated features; libvirt's names for QEMU's -compat. */
static int
qemuAddDeprecation(struct qemuCommand *command)
{
    static const char *const policies[][2] = {
        { "omit", "deprecated-output=hide" }, { "reject", "deprecated-output=hide,deprecated-input=reject" },
        { "crash", "deprecated-output=hide,deprecated-input=crash" }, { "none", NULL },
    };
    const char *behavior = virXmlString(virXmlRoot(command->doc), "qemu:deprecation/@behavior");

    for (size_t i = 0; behavior != NULL && i < sizeof(policies) / sizeof(policies[0]); i++)
        if (strcmp(behavior, policies[i][0]) == 0)
            return policies[i][1] == NULL ? 0 : qemuCommandAddFormat(command, "-compat", "%s", policies[i][1]);
    return behavior == NULL ? 0 : virReportError(VIR_ERR_XML_ERROR, "unknown deprecation behavior '%s'", behavior);
}

/* Elements that are information for people, or are carried out by the library itself, not by QEMU. */
static void
qemuMarkInformation(struct qemuCommand *command)
{
    static const char *const names[] = { "title", "description", "metadata", "currentMemory" };
    xmlNodePtr root = virXmlRoot(command->doc);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        VIRT_XML_EACH(node, root, names[i])
            virXmlMark(node);
    virXmlString(root, "@type");
    virXmlString(root, "@id");
}

static int
qemuCheckSecurity(struct qemuCommand *command)
{
    const char *type = virXmlString(virXmlRoot(command->doc), "launchSecurity/@type");

    if (type == NULL)
        return 0;
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                          "launchSecurity type '%s': memory encryption needs hardware and KVM support that is not here", type);
}

/* ---------- all of it ---------- */

static int (*const qemuCommandParts[])(struct qemuCommand *command) = {
    qemuCheckSecurity, qemuAddFirmware, qemuAddMachine, qemuAddCpu, qemuAddMemory, qemuAddVcpus, qemuAddIothreads, qemuAddNuma, qemuAddIdentity,
    qemuAddClock, qemuAddPower, qemuAddSmbios, qemuAddBoot, qemuAddHotplugVcpus, qemuAddDevices, qemuAddDeprecation,
    qemuAddPassthrough,
};

static int
qemuAddStart(struct qemuCommand *command, const struct qemuCommandOptions *options)
{
    if (qemuCommandAdd(command, qemuCapabilitiesEmulator(command->caps)) < 0 || qemuAddName(command) < 0 ||
        (options->paused && qemuCommandAdd(command, "-S") < 0) || qemuCommandAdd(command, "-no-user-config") < 0 ||
        qemuCommandAdd(command, "-nodefaults") < 0 || qemuCommandAddFormat(command, "-display", "none") < 0)
        return -1;
    if (options->monitorChardev != NULL &&
        (qemuCommandAddFormat(command, "-chardev", "%s", options->monitorChardev) < 0 ||
         qemuCommandAddFormat(command, "-mon", "chardev=monitor,mode=control") < 0))
        return -1;
    return options->incoming == NULL ? 0 : qemuCommandAddFormat(command, "-incoming", "%s", options->incoming);
}

VIRT_INTERNAL int
qemuCommandBuild(struct qemuCommand *command, const struct qemuCommandOptions *options)
{
    if (qemuAddStart(command, options) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(qemuCommandParts) / sizeof(qemuCommandParts[0]); i++)
        if (qemuCommandParts[i](command) < 0)
            return -1;
    qemuMarkInformation(command);
    /* A guest that breaks out of QEMU must not be able to start programs. */
    return qemuCommandAddFormat(command, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

#undef VIRT_FROM
