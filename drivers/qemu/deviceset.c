/*
 * Sets of QEMU objects, and what all device builders use: see device.h and command.h.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- sets ---------- */

/*
 * Everything enters a set here. Ownership passes first, so that a caller never has to clean up after a
 * failed addition.
 */
static int
qemuDeviceSetAppend(struct qemuDeviceSet *set, enum qemuDeviceOption option, cJSON *json, char *text)
{
    void *items;

    if (json == NULL && text == NULL)
        return -1;
    if ((items = realloc(set->items, (set->count + 1) * sizeof(*set->items))) == NULL) {
        cJSON_Delete(json);
        free(text);
        return virReportNoMemory();
    }
    set->items = items;
    set->items[set->count].option = option;
    set->items[set->count].json = json;
    set->items[set->count].text = text;
    set->count++;
    return 0;
}

VIRT_INTERNAL int
qemuDeviceSetAdd(struct qemuDeviceSet *set, enum qemuDeviceOption option, cJSON *json)
{
    return qemuDeviceSetAppend(set, option, json, NULL);
}

VIRT_INTERNAL int
qemuDeviceSetTake(struct qemuDeviceSet *set, enum qemuDeviceOption option, cJSON **object)
{
    return qemuDeviceSetAppend(set, option, qemuTake(object), NULL);
}

VIRT_INTERNAL int
qemuDeviceSetArgument(struct qemuDeviceSet *set, char *text)
{
    return qemuDeviceSetAppend(set, QEMU_OPTION_ARGUMENT, NULL, text);
}

/*
 * An option and its value are two arguments; either both are in the set, or neither matters, because
 * the command is given up.
 */
VIRT_INTERNAL int
qemuDeviceSetArguments(struct qemuDeviceSet *set, const char *option, char *valueTaken)
{
    if (valueTaken == NULL)
        return -1;
    if (qemuDeviceSetArgument(set, virStringCopy(option)) < 0) {
        free(valueTaken);
        return -1;
    }
    return qemuDeviceSetArgument(set, valueTaken);
}

VIRT_INTERNAL void
qemuDeviceSetFree(struct qemuDeviceSet *set)
{
    for (size_t i = 0; i < set->count; i++) {
        cJSON_Delete(set->items[i].json);
        free(set->items[i].text);
    }
    free(set->items);
    set->items = NULL;
    set->count = 0;
}

/* ---------- objects ---------- */

/* The variable that would free the object at the end of its scope lets go of it. */
VIRT_INTERNAL cJSON *
qemuTake(cJSON **json)
{
    cJSON *taken = *json;

    *json = NULL;
    return taken;
}

/* One value; the key that virJsonAdd wants begins with the letter of its type. */
static int
qemuAddProperty(xmlNodePtr node, cJSON *object, const struct qemuProperty *property)
{
    char key[64];
    const char *text;
    unsigned long long number = 0;
    bool flag = false;
    int rc;

    switch (property->kind) {
    case QEMU_PROPERTY_STRING:
        text = virXmlString(node, property->path);
        snprintf(key, sizeof(key), "S:%s", property->name);
        return virJsonAdd(object, key, text, NULL);
    case QEMU_PROPERTY_NUMBER:
        if ((rc = virXmlULongLong(node, property->path, &number)) <= 0)
            return rc;
        snprintf(key, sizeof(key), "u:%s", property->name);
        return virJsonAdd(object, key, number, NULL);
    default:
        if ((rc = virXmlBool(node, property->path, &flag)) <= 0)
            return rc;
        if (property->kind == QEMU_PROPERTY_BOOL) {
            snprintf(key, sizeof(key), "b:%s", property->name);
            return virJsonAdd(object, key, (int)flag, NULL);
        }
        snprintf(key, sizeof(key), "s:%s", property->name);
        return virJsonAdd(object, key, flag ? "on" : "off", NULL);
    }
}

/*
 * What the document leaves out is left out here too: the default is QEMU's, and it is tied to the
 * machine type, so that it stays the same on another host.
 */
VIRT_INTERNAL int
qemuAddProperties(xmlNodePtr node, cJSON *object, const struct qemuProperty *table)
{
    for (; table->path != NULL; table++)
        if (qemuAddProperty(node, object, table) < 0)
            return -1;
    return 0;
}

/*
 * The transport (PCI, CCW, MMIO) follows from the address; what all virtio devices have in common is
 * added at once.
 */
VIRT_INTERNAL cJSON *
qemuVirtioObject(struct qemuCommand *command, xmlNodePtr device, const char *base, bool bootindex)
{
    VIRT_CLEANUP_FREE char *driver = qemuVirtioDriver(device, base);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (driver == NULL || (object = qemuDeviceObject(command, device, driver, bootindex)) == NULL ||
        qemuAddVirtioOptions(device, object) < 0)
        return NULL;
    return qemuTake(&object);
}

VIRT_INTERNAL char *
qemuDeviceId(xmlNodePtr device, const char *prefix)
{
    const char *alias = qemuDeviceAlias(device);

    return alias == NULL ? NULL : virStringFormat("%s%s", prefix, alias);
}

VIRT_INTERNAL void
qemuTextOption(struct virText *text, const char *key, const char *value)
{
    virTextAdd(text, ",%s=", key);
    for (; *value != '\0'; value++)
        virTextAdd(text, "%s%c", *value == ',' ? "," : "", *value);
}

/* A ROM that is switched off is an empty file name to QEMU. */
VIRT_INTERNAL int
qemuAddRom(xmlNodePtr device, cJSON *object)
{
    bool enabled = true, bar = true;
    int rc;

    if (virXmlBool(device, "rom/@enabled", &enabled) < 0 ||
        (rc = virXmlBool(device, "rom/@bar", &bar)) < 0)
        return -1;
    if (!enabled)
        return virJsonAdd(object, "s:romfile", "", NULL);
    if (rc > 0 && virJsonAdd(object, "i:rombar", (int)bar, NULL) < 0)
        return -1;
    return virJsonAdd(object, "S:romfile", virXmlString(device, "rom/@file"), NULL);
}

/* Parts that are missing are 0, as in libvirt's documents. */
VIRT_INTERNAL char *
qemuPciAddressText(xmlNodePtr address)
{
    unsigned int part[4] = { 0, 0, 0, 0 };
    static const char *const paths[4] = { "@domain", "@bus", "@slot", "@function" };

    for (int i = 0; i < 4; i++)
        if (virXmlUInt(address, paths[i], &part[i]) < 0)
            return NULL;
    return virStringFormat("%04x:%02x:%02x.%x", part[0], part[1], part[2], part[3]);
}

/* ---------- errors ---------- */

/* The name a user knows the device by. */
static const char *
qemuDeviceName(xmlNodePtr device)
{
    const char *name = virXmlIs(device, "disk") ? virXmlString(device, "target/@dev") : NULL;

    if (name == NULL)
        name = virXmlString(device, "alias/@name");
    if (name == NULL)
        name = virXmlString(device, "@type");
    return name != NULL ? name : "?";
}

/*
 * The text is put together first, because the one function that sets errors wants the device's name
 * before it.
 */
VIRT_INTERNAL int
qemuDeviceReport(xmlNodePtr device, int code, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return virReportError(code, "%s '%s': %s", virXmlName(device), qemuDeviceName(device), text);
}

VIRT_INTERNAL int
qemuDeviceReportSystem(xmlNodePtr device, int errnum, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return virReportSystemError(errnum, "%s '%s': %s", virXmlName(device), qemuDeviceName(device), text);
}

/* ---------- files, descriptors, processes ---------- */

/* QEMU finds an inherited descriptor by its number; a number in an option is text. */
VIRT_INTERNAL char *
qemuPassFdText(struct qemuCommand *command, int fd)
{
    if (qemuCommandPassFd(command, fd) < 0)
        return NULL;
    return virStringFormat("%d", fd);
}

VIRT_INTERNAL int
qemuOpenFor(xmlNodePtr device, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0)
        return qemuDeviceReportSystem(device, errno, "cannot open '%s'", path);
    return fd;
}

/*
 * Names in the run directory are made from aliases: no two devices of a guest have the same, and the
 * guest's next start finds them again.
 */
VIRT_INTERNAL char *
qemuRunPath(struct qemuCommand *command, xmlNodePtr device, const char *suffix)
{
    const char *alias = qemuDeviceAlias(device);

    if (alias == NULL || (!command->dry && virFileMakePath(command->runDirectory, 0700) < 0))
        return NULL;
    return virStringFormat("%s/%s%s", command->runDirectory != NULL ? command->runDirectory : "", alias,
                           suffix);
}

/*
 * Not by PATH: some of these helpers live where no shell looks, and a service's PATH may be empty.
 */
VIRT_INTERNAL char *
qemuFindProgram(const char *name)
{
    static const char *const folders[] = {
        "/usr/bin",           "/bin",      "/usr/libexec", "/usr/lib/qemu", "/usr/local/bin",
        "/usr/local/libexec", "/usr/sbin", NULL,
    };

    for (size_t i = 0; folders[i] != NULL; i++) {
        char *path = virStringFormat("%s/%s", folders[i], name);

        if (path == NULL)
            return NULL;
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/*
 * A helper has a session of its own, as the guest has: both outlive the program that started them.
 * What it says is kept beside the guest's files, for without it a helper that gives up would leave no
 * reason.
 */
VIRT_INTERNAL int
qemuStartHelper(struct qemuCommand *command, xmlNodePtr device, const char *const *argv, int fd)
{
    VIRT_CLEANUP_FREE char *log = NULL;
    VIRT_CLEANUP_CLOSE int logFd = -1;
    struct virProcessSpawn spawn = {
        .argv = argv, .fds = &fd, .nfds = fd >= 0 ? 1 : 0, .stdinFd = -1, .newSession = true,
    };
    struct virProcess *helpers;

    if ((log = qemuRunPath(command, device, ".log")) == NULL)
        return -1;
    /* helpers wait in accept(), and take "nobody there yet" for an error */
    if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
        return qemuDeviceReportSystem(device, errno, "cannot prepare its socket");
    if ((logFd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        return qemuDeviceReportSystem(device, errno, "cannot create '%s'", log);
    if ((helpers = realloc(command->helpers, (command->nhelpers + 1) * sizeof(*helpers))) == NULL)
        return virReportNoMemory();
    command->helpers = helpers;
    spawn.stdoutFd = spawn.stderrFd = logFd;
    if (virProcessStart(&spawn, &helpers[command->nhelpers]) < 0)
        return -1;
    command->nhelpers++;
    return 0;
}

/*
 * Some things can be said only over the monitor: what has to be hidden (passwords), what has no option
 * (an unplugged cable).
 */
VIRT_INTERNAL int
qemuCommandAddQmp(struct qemuCommand *command, const char *execute, cJSON *arguments)
{
    if (command->qmp == NULL && (command->qmp = virJsonArray()) == NULL) {
        cJSON_Delete(arguments);
        return -1;
    }
    return virJsonAppend(command->qmp,
                         virJsonObject("s:execute", execute, "A:arguments", arguments, NULL));
}

/* Helpers that nobody has taken over belong to a guest that never came up. */
VIRT_INTERNAL void
qemuCommandFreeDevices(struct qemuCommand *command)
{
    for (size_t i = 0; i < command->nhelpers; i++) {
        virProcessSignal(&command->helpers[i], SIGKILL);
        virProcessWait(&command->helpers[i], 1000, NULL);
    }
    free(command->helpers);
    command->helpers = NULL;
    command->nhelpers = 0;
    cJSON_Delete(command->qmp);
    command->qmp = NULL;
}

/*
 * Called when a guest has ended, and when its start failed halfway; each device knows whether there is
 * anything to give back.
 */
VIRT_INTERNAL void
qemuDevicesRelease(xmlDocPtr liveDoc)
{
    xmlNodePtr devices = virXmlFirst(virXmlRoot(liveDoc), "devices");

    VIRT_XML_EACH(net, devices, "interface")
        qemuNetRelease(net);
    VIRT_XML_EACH(hostdev, devices, "hostdev")
        qemuHostdevRelease(hostdev);
}

#undef VIRT_FROM
