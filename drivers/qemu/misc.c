/*
 * Small devices: memory balloon, random numbers, watchdog, panic notifier, vsock, shared memory, crypto; and those that hang on
 * USB and smart card buses.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifdef __linux__
# include <linux/vhost.h>
#endif

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- memory balloon ---------- */

/*
 * How often the guest is asked for its memory statistics is set over the monitor: the device has no
 * property for it when it is made.
 */
VIRT_INTERNAL int
qemuBuildMemballoon(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const struct qemuProperty properties[] = {
        { QEMU_PROPERTY_BOOL, "@autodeflate",       "deflate-on-oom" },
        { QEMU_PROPERTY_BOOL, "@freePageReporting", "free-page-reporting" },
        { 0, NULL, NULL },
    };
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    VIRT_CLEANUP_FREE char *path = NULL;
    unsigned long long period = 0;

    if (virXmlEquals(device, "@model", "none"))
        return 0;
    if ((object = qemuVirtioObject(command, device, "virtio-balloon", false)) == NULL ||
        qemuAddProperties(device, object, properties) < 0 ||
        virXmlULongLong(device, "stats/@period", &period) < 0 ||
        (path = qemuDeviceId(device, "/machine/peripheral/")) == NULL)
        return -1;
    if (period > 0 &&
        qemuCommandAddQmp(command, "qom-set",
                          virJsonObject("s:path", path, "s:property", "guest-stats-polling-interval",
                                        "u:value", period, NULL)) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* ---------- random numbers, crypto ---------- */

/* The source of the numbers: adds an OBJECT with this id. */
static int
qemuRngBackend(struct qemuCommand *command, xmlNodePtr device, const char *id, struct qemuDeviceSet *set)
{
    xmlNodePtr backend = virXmlFirst(device, "backend");
    const char *model = backend != NULL ? virXmlString(backend, "@model") : NULL, *path;
    VIRT_CLEANUP_FREE char *chardev = NULL;

    if (model == NULL)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR, "it needs a <backend model=...>");
    if (strcmp(model, "random") == 0) {
        path = virXmlString(backend, ".");
        return qemuDeviceSetAdd(set, QEMU_OPTION_OBJECT,
                                virJsonObject("s:qom-type", "rng-random", "s:id", id,
                                              "s:filename", path != NULL ? path : "/dev/random", NULL));
    }
    if (strcmp(model, "builtin") == 0)
        return qemuDeviceSetAdd(set, QEMU_OPTION_OBJECT,
                                virJsonObject("s:qom-type", "rng-builtin", "s:id", id, NULL));
    if (strcmp(model, "egd") != 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "unknown backend model '%s'", model);
    if ((chardev = qemuDeviceId(device, "char")) == NULL ||
        qemuBuildChardev(command, backend, chardev, set) < 0)
        return -1;
    return qemuDeviceSetAdd(
        set, QEMU_OPTION_OBJECT,
        virJsonObject("s:qom-type", "rng-egd", "s:id", id, "s:chardev", chardev, NULL));
}

/* A rate without a period counts per second. */
VIRT_INTERNAL int
qemuBuildRng(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "obj");
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    unsigned long long bytes = 0, period = 1000;
    int rc;

    if (id == NULL || qemuRngBackend(command, device, id, set) < 0 ||
        (object = qemuVirtioObject(command, device, "virtio-rng", false)) == NULL ||
        virJsonAdd(object, "s:rng", id, NULL) < 0 ||
        (rc = virXmlULongLong(device, "rate/@bytes", &bytes)) < 0 ||
        virXmlULongLong(device, "rate/@period", &period) < 0)
        return -1;
    if (rc > 0 && virJsonAdd(object, "u:max-bytes", bytes, "u:period", period, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* A back end that computes, and the device through which the guest asks it to. */
VIRT_INTERNAL int
qemuBuildCrypto(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const char *const models[] = { "builtin", "lkcf", NULL };
    static const char *const types[] = { "qemu", NULL };
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "obj");
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    unsigned long long queues = 0;
    int model = 0, type = 0;

    if (id == NULL || virXmlEnum(device, "@type", types, &type) < 0 ||
        virXmlEnum(device, "backend/@model", models, &model) < 0 ||
        virXmlULongLong(device, "backend/@queues", &queues) < 0 ||
        qemuDeviceSetAdd(
            set, QEMU_OPTION_OBJECT,
            virJsonObject("s:qom-type",
                          model == 0 ? "cryptodev-backend-builtin" : "cryptodev-backend-lkcf", "s:id",
                          id, "U:queues", queues, NULL)) < 0 ||
        (object = qemuVirtioObject(command, device, "virtio-crypto", false)) == NULL ||
        virJsonAdd(object, "s:cryptodev", id, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* ---------- watchdog, panic ---------- */

/* What happens when it bites is a setting of QEMU, not of the device: a guest has one watchdog. */
VIRT_INTERNAL int
qemuBuildWatchdog(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const char *const models[] = { "i6300esb", "ib700", "diag288", "itco", NULL };
    static const char *const actions[] = { "reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi", NULL };
    int model = 0, action = 0;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (virXmlEnum(device, "@model", models, &model) < 0 ||
        virXmlEnum(device, "@action", actions, &action) < 0)
        return -1;
    if (model == 3) {                 /* part of the q35 chip set: only to be let loose */
        if (qemuDeviceSetArguments(set, "-global", virStringCopy("ICH9-LPC.noreboot=off")) < 0)
            return -1;
    } else {
        if ((object = qemuDeviceObject(command, device, models[model], false)) == NULL ||
            qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object) < 0)
            return -1;
    }
    /* QEMU does not dump by itself: the guest is paused, so that there is something to be dumped */
    return qemuDeviceSetArguments(
        set, "-action", virStringFormat("watchdog=%s", action == 4 ? "pause" : actions[action]));
}

/* The guest writes to a port to say that it has crashed; QEMU turns that into an event. */
VIRT_INTERNAL int
qemuBuildPanic(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *model = virXmlString(device, "@model");
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    cJSON *base;

    /* these are part of the CPU, or of the machine */
    if (model != NULL &&
        (strcmp(model, "hyperv") == 0 || strcmp(model, "pseries") == 0 || strcmp(model, "s390") == 0))
        return 0;
    if (model != NULL && strcmp(model, "isa") != 0 && strcmp(model, "pvpanic") != 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "unknown model '%s'", model);
    object = qemuDeviceObject(
        command, device, model != NULL && strcmp(model, "pvpanic") == 0 ? "pvpanic-pci" : "pvpanic",
        false);
    if (object == NULL)
        return -1;
    /* the one ISA device whose port has another name */
    if ((base = cJSON_DetachItemFromObjectCaseSensitive(object, "iobase")) != NULL &&
        virJsonAdd(object, "a:ioport", base, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* ---------- vsock ---------- */

/* Gives the descriptor its context id: the one asked for, or the first that is free. */
static int
qemuVsockSetCid(xmlNodePtr device, int fd, bool automatic, unsigned long long *cid)
{
#ifdef VHOST_VSOCK_SET_GUEST_CID
    for (; ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, cid) < 0; (*cid)++)
        if (!automatic || errno != EADDRINUSE || *cid >= 0x7fffffff)
            return qemuDeviceReportSystem(device, errno, "cannot use the context id %llu", *cid);
    return 0;
#else
    (void)fd;
    (void)automatic;
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "vsock %llu: not on this host", *cid);
#endif
}

/*
 * A guest's number on the host's vsock must be its own: the kernel knows who has which, so it is
 * claimed here, and the claim goes to QEMU with the descriptor.
 */
VIRT_INTERNAL int
qemuBuildVsock(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    unsigned long long cid = 3;
    bool automatic = false;
    int fd, rc;
    VIRT_CLEANUP_FREE char *number = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (virXmlBool(device, "cid/@auto", &automatic) < 0 ||
        (rc = virXmlULongLong(device, "cid/@address", &cid)) < 0)
        return -1;
    if (!automatic && rc == 0)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR,
                                "it needs <cid auto='yes'/> or <cid address=...>");
    if (cid < 3)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR, "context ids below 3 are reserved");
    if ((object = qemuVirtioObject(command, device, "vhost-vsock", false)) == NULL)
        return -1;
    if (!command->dry) {
        if (automatic)
            cid = 3;
        if ((fd = qemuOpenFor(device, "/dev/vhost-vsock", O_RDWR)) < 0)
            return -1;
        if (qemuVsockSetCid(device, fd, automatic, &cid) < 0) {
            close(fd);
            return -1;
        }
        if ((number = qemuPassFdText(command, fd)) == NULL ||
            (automatic && virXmlSet(device, "cid/@address", "%llu", cid) < 0))
            return -1;
    }
    if (virJsonAdd(object, "u:guest-cid", cid, "S:vhostfd", number, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* ---------- shared memory ---------- */

/* Memory under a name, shared with whoever opens it on this host. */
static int
qemuShmemPlain(struct qemuCommand *command, xmlNodePtr device, const char *name,
               struct qemuDeviceSet *set)
{
    unsigned long long size = 4 << 20;
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "shmmem-");
    VIRT_CLEANUP_FREE char *path = virStringFormat("/dev/shm/%s", name);
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    const char *role = virXmlString(device, "@role");

    if (id == NULL || path == NULL || virXmlSize(device, "size", "b", &size) < 0 ||
        qemuDeviceSetAdd(set, QEMU_OPTION_OBJECT,
                         virJsonObject("s:qom-type", "memory-backend-file", "s:id", id, "s:mem-path",
                                       path, "u:size", size, "b:share", 1, NULL)) < 0 ||
        (object = qemuDeviceObject(command, device, "ivshmem-plain", false)) == NULL ||
        virJsonAdd(object, "s:memdev", id, NULL) < 0)
        return -1;
    if (role != NULL &&
        virJsonAdd(object, "s:master", strcmp(role, "master") == 0 ? "on" : "off", NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* The same with interrupts, by a server that all guests connect to. */
static int
qemuShmemDoorbell(struct qemuCommand *command, xmlNodePtr device, const char *name,
                  struct qemuDeviceSet *set)
{
    static const struct qemuProperty msi[] = {
        { QEMU_PROPERTY_NUMBER, "msi/@vectors",   "vectors" },
        { QEMU_PROPERTY_SWITCH, "msi/@ioeventfd", "ioeventfd" },
        { 0, NULL, NULL },
    };
    const char *path = virXmlString(device, "server/@path");
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "char");
    VIRT_CLEANUP_FREE char *usual = virStringFormat("/var/lib/libvirt/shmem-%s-sock", name);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (id == NULL || usual == NULL ||
        qemuChardevAddUnix(set, id, path != NULL ? path : usual, false, 0) < 0 ||
        (object = qemuDeviceObject(command, device, "ivshmem-doorbell", false)) == NULL ||
        virJsonAdd(object, "s:chardev", id, NULL) < 0 || qemuAddProperties(device, object, msi) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* The name is a file's in /dev/shm, so it must not lead elsewhere. */
VIRT_INTERNAL int
qemuBuildShmem(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *name = virXmlNeed(device, "@name"), *model = virXmlString(device, "model/@type");

    if (name == NULL)
        return -1;
    if (strchr(name, '/') != NULL)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR, "the name '%s' has a slash", name);
    if (model == NULL)
        model = virXmlFirst(device, "server") != NULL ? "ivshmem-doorbell" : "ivshmem-plain";
    if (strcmp(model, "ivshmem-plain") == 0)
        return qemuShmemPlain(command, device, name, set);
    if (strcmp(model, "ivshmem-doorbell") == 0)
        return qemuShmemDoorbell(command, device, name, set);
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "this QEMU has no model '%s'", model);
}

/* ---------- on USB ---------- */

/* <redirfilter>: "class:vendor:product:version:allow|...", -1 for any. A version is two decimal numbers in one of 16 bits (BCD). */
static char *
qemuRedirFilter(xmlNodePtr filter)
{
    struct virText text = { 0 };
    const char *separator = "";

    VIRT_XML_EACH(rule, filter, "usbdev") {
        static const char *const paths[] = { "@class", "@vendor", "@product" };
        const char *version = virXmlString(rule, "@version");
        unsigned int major = 0, minor = 0;
        bool allow = false;

        virTextAdd(&text, "%s", separator);
        for (int i = 0; i < 3; i++) {
            unsigned int value = 0;
            const char *given = virXmlString(rule, paths[i]);

            if (given == NULL || strcmp(given, "-1") == 0)
                virTextAdd(&text, "-1:");
            else if (virXmlUInt(rule, paths[i], &value) < 0)
                goto failed;
            else
                virTextAdd(&text, i == 0 ? "0x%02X:" : "0x%04X:", value);
        }
        if (version != NULL && strcmp(version, "-1") != 0 &&
            sscanf(version, "%2u.%2u", &major, &minor) >= 1)
            virTextAdd(&text, "0x%04X:",
                       (major / 10) << 12 | (major % 10) << 8 | (minor / 10) << 4 | minor % 10);
        else
            virTextAdd(&text, "-1:");
        if (virXmlBool(rule, "@allow", &allow) < 0)
            goto failed;
        virTextAdd(&text, "%d", (int)allow);
        separator = "|";
    }
    return virTextTake(&text);
failed:
    virTextFree(&text);
    return NULL;
}

/*
 * A USB device of the client's machine. One filter of the guest, if it has any, holds for all of them.
 */
VIRT_INTERNAL int
qemuBuildRedirdev(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *bus = virXmlString(device, "@bus");
    xmlNodePtr filter = virXmlFirst(virXmlFirst(virXmlRoot(command->doc), "devices"), "redirfilter");
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "char");
    VIRT_CLEANUP_FREE char *rules = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (bus != NULL && strcmp(bus, "usb") != 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "bus '%s' is not supported", bus);
    if (id == NULL || qemuBuildChardev(command, device, id, set) < 0 ||
        (filter != NULL && (rules = qemuRedirFilter(filter)) == NULL) ||
        (object = qemuDeviceObject(command, device, "usb-redir", true)) == NULL ||
        virJsonAdd(object, "s:chardev", id, "S:filter", rules, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* More ports for a bus that has run out of them; completion adds these too. */
VIRT_INTERNAL int
qemuBuildHub(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    if (!virXmlEquals(device, "@type", "usb"))
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "only type='usb' is supported");
    return qemuDeviceSetAdd(set, QEMU_OPTION_DEVICE, qemuDeviceObject(command, device, "usb-hub", false));
}

/* ---------- smart cards ---------- */

/* A card made of three certificates of the host's database. */
static int
qemuSmartcardCertificates(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *database = virXmlString(device, "database");
    VIRT_CLEANUP_JSON cJSON *object = qemuDeviceObject(command, device, "ccid-card-emulated", false);
    unsigned int count = 0;

    if (object == NULL || virJsonAdd(object, "s:backend", "certificates", NULL) < 0)
        return -1;
    VIRT_XML_EACH(certificate, device, "certificate") {
        char key[16];

        snprintf(key, sizeof(key), "S:cert%u", ++count);
        if (virJsonAdd(object, key, virXmlString(certificate, "."), NULL) < 0)
            return -1;
    }
    if (count != 3)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR,
                                "host-certificates needs exactly three certificates");
    if (virJsonAdd(object, "s:db", database != NULL ? database : "/etc/pki/nssdb", NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

/* The host's own cards, cards made of certificates, or cards at the other end of a connection. */
VIRT_INTERNAL int
qemuBuildSmartcard(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const char *const modes[] = { "host", "host-certificates", "passthrough", NULL };
    int mode = -1;
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "char");
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (id == NULL || virXmlEnum(device, "@mode", modes, &mode) < 0)
        return -1;
    if (mode < 0)
        return qemuDeviceReport(device, VIR_ERR_XML_ERROR, "it needs a mode");
    if (mode == 1)
        return qemuSmartcardCertificates(command, device, set);
    if (mode == 2 && qemuBuildChardev(command, device, id, set) < 0)
        return -1;
    if ((object = qemuDeviceObject(command, device,
                                   mode == 0 ? "ccid-card-emulated" : "ccid-card-passthru", false)) ==
            NULL ||
        virJsonAdd(object, mode == 0 ? "s:backend" : "s:chardev", mode == 0 ? "nss-emulated" : id,
                   NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

#undef VIRT_FROM
