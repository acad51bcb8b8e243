/*
 * Directories of the host in the guest: by 9p, which QEMU serves itself, or by virtiofs, which a daemon serves.
 */
#include "device.h"

#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- 9p ---------- */

/*
 * The security model says whose the files are that the guest makes: QEMU's user (squash), the guest's
 * as noted in attributes (mapped), or the guest's in earnest, for which QEMU must be root
 * (passthrough).
 */
static int
qemuFilesystem9p(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const char *const modes[] = { "passthrough", "mapped", "squash", NULL };
    static const char *const models[] = { "passthrough", "mapped", "none" };
    const char *path = virXmlNeed(device, "source/@dir"), *tag = virXmlNeed(device, "target/@dir"),
               *value;
    int mode = 0;
    struct virText text = { 0 };
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "fsdev-");
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (id == NULL || path == NULL || tag == NULL || virXmlEnum(device, "@accessmode", modes, &mode) < 0)
        return -1;
    virTextAdd(&text, "local,id=%s,security_model=%s", id, models[mode]);
    qemuTextOption(&text, "path", path);
    if ((value = virXmlString(device, "@multidevs")) != NULL && strcmp(value, "default") != 0)
        qemuTextOption(&text, "multidevs", value);
    if ((value = virXmlString(device, "@fmode")) != NULL)
        qemuTextOption(&text, "fmode", value);
    if ((value = virXmlString(device, "@dmode")) != NULL)
        qemuTextOption(&text, "dmode", value);
    if (virXmlEquals(device, "driver/@wrpolicy", "immediate"))
        virTextAdd(&text, ",writeout=immediate");
    if (virXmlFirst(device, "readonly") != NULL)
        virTextAdd(&text, ",readonly=on");
    if (qemuDeviceSetArguments(set, "-fsdev", virTextTake(&text)) < 0 ||
        (object = qemuVirtioObject(command, device, "virtio-9p", false)) == NULL ||
        virJsonAdd(object, "s:fsdev", id, "s:mount_tag", tag, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* ---------- virtiofs ---------- */

/* The daemon's options, in the form that both its implementations understand. */
static char *
qemuFilesystemOptions(xmlNodePtr device)
{
    static const struct { const char *path, *on, *off; } switches[] = {
        { "binary/@xattr", "xattr", "no_xattr" },
        { "binary/lock/@posix", "posix_lock", "no_posix_lock" },
        { "binary/lock/@flock", "flock", "no_flock" },
    };
    const char *path = virXmlNeed(device, "source/@dir"), *value;
    struct virText text = { 0 };

    if (path == NULL)
        return NULL;
    virTextAdd(&text, "source=");
    for (; *path != '\0'; path++)
        virTextAdd(&text, "%s%c", *path == ',' ? "\\" : "", *path);
    if ((value = virXmlString(device, "binary/cache/@mode")) != NULL)
        virTextAdd(&text, ",cache=%s", value);
    if ((value = virXmlString(device, "binary/sandbox/@mode")) != NULL)
        virTextAdd(&text, ",sandbox=%s", value);
    for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
        bool on = false;
        int rc = virXmlBool(device, switches[i].path, &on);

        if (rc < 0) {
            virTextFree(&text);
            return NULL;
        }
        if (rc > 0)
            virTextAdd(&text, ",%s", on ? switches[i].on : switches[i].off);
    }
    return virTextTake(&text);
}

/* Starts the daemon on a socket that listens already. */
static int
qemuFilesystemStart(struct qemuCommand *command, xmlNodePtr device, const char *given, const char *socket,
                    const char *options)
{
    VIRT_CLEANUP_FREE char *program = given != NULL ? virStringCopy(given) : qemuFindProgram("virtiofsd");
    VIRT_CLEANUP_FREE char *number = NULL;
    VIRT_CLEANUP_CLOSE int fd = -1;

    if (program == NULL)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "virtiofs needs virtiofsd, which is not installed");
    unlink(socket);
    if ((fd = virFileListen(socket, 1)) < 0 || (number = virStringFormat("--fd=%d", fd)) == NULL)
        return -1;
    return qemuStartHelper(command, device,
                           (const char *const[]){ program, number, "-o", options, NULL }, fd);
}

/* The daemon reads the guest's memory, so that has to be shared (<memoryBacking>). */
static int
qemuFilesystemVirtiofs(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const struct qemuProperty properties[] = {
        { QEMU_PROPERTY_NUMBER, "driver/@queue", "queue-size" },
        { 0, NULL, NULL },
    };
    const char *path = virXmlString(device, "source/@socket"), *tag = virXmlNeed(device, "target/@dir");
    static const char *const modes[] = { "passthrough", NULL };
    const char *program = path == NULL ? virXmlString(device, "binary/@path") : NULL;
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "chr-vu-");
    VIRT_CLEANUP_FREE char *own = NULL;
    VIRT_CLEANUP_FREE char *options = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    int mode = 0;

    if (id == NULL || tag == NULL || virXmlEnum(device, "@accessmode", modes, &mode) < 0)
        return -1;
    if (path == NULL) {
        if ((own = qemuRunPath(command, device, ".fs")) == NULL ||
            (options = qemuFilesystemOptions(device)) == NULL ||
            (!command->dry && qemuFilesystemStart(command, device, program, own, options) < 0))
            return -1;
        path = own;
    }
    if (qemuChardevAddUnix(set, id, path, false, 0) < 0 ||
        (object = qemuVirtioObject(command, device, "vhost-user-fs", true)) == NULL ||
        virJsonAdd(object, "s:chardev", id, "s:tag", tag, NULL) < 0 ||
        qemuAddProperties(device, object, properties) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* Without a driver it is 9p, which every QEMU has. */
VIRT_INTERNAL int
qemuBuildFilesystem(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *type = virXmlString(device, "@type"), *driver = virXmlString(device, "driver/@type");

    if (type != NULL && strcmp(type, "mount") != 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "QEMU has no filesystem of type '%s'", type);
    if (driver == NULL || strcmp(driver, "path") == 0)
        return qemuFilesystem9p(command, device, set);
    if (strcmp(driver, "virtiofs") == 0)
        return qemuFilesystemVirtiofs(command, device, set);
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                            "this QEMU has no filesystem driver '%s'", driver);
}

#undef VIRT_FROM
