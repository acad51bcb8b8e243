/*
 * What a guest can have with an emulator: the document of virConnectGetDomainCapabilities. It says no more than the code that makes the
 * command line can do and the binary has; the tables name the QOM type that a value needs.
 */
#include "domstats.h"
#include "command.h"

#include "../common/host.h"
#include "../common/json.h"

#include <ctype.h>

#define VIRT_FROM VIR_FROM_QEMU

/* What was asked for, with the usual in the place of NULL. */
struct qemuDomcaps {
    const struct qemuCapabilities *caps;
    const char *machine;               /* in full */
    bool kvm;
    struct virText text;
};

/* A value of an enum, and the type without which it is not there; NULL: always. */
struct qemuDomcapsValue { const char *value, *type; };

static void
qemuDomcapsEnum(struct qemuDomcaps *what, const char *name, const struct qemuDomcapsValue *values)
{
    virTextAdd(&what->text, "      <enum name='%s'>\n", name);
    for (; values->value != NULL; values++) {
        if (values->type == NULL || qemuCapabilitiesHasDevice(what->caps, values->type))
            virTextAdd(&what->text, "        <value>%s</value>\n", values->value);
    }
    virTextAdd(&what->text, "      </enum>\n");
}

/* ---------- devices ---------- */

#define QEMU_DOMCAPS_VIRTIO(type) { { "virtio", type }, { "virtio-transitional", type }, { "virtio-non-transitional", type }, { NULL, NULL } }

/* An element of <devices> with its enums. */
static const struct qemuDomcapsDevice {
    const char *element;
    struct { const char *name; struct qemuDomcapsValue values[12]; } enums[4];
} qemuDomcapsDevices[] = {
    { "disk", {
        { "diskDevice", { { "disk", NULL }, { "cdrom", NULL }, { "floppy", "isa-fdc" }, { "lun", NULL } } },
        { "bus", { { "ide", "ide-hd" }, { "fdc", "isa-fdc" }, { "scsi", "scsi-hd" }, { "virtio", "virtio-blk-device" },
                   { "usb", "usb-storage" }, { "sata", "ich9-ahci" } } },
        { "model", QEMU_DOMCAPS_VIRTIO("virtio-blk-device") },
    } },
    { "graphics", { { "type", { { "sdl", NULL }, { "vnc", NULL }, { "spice", "chardev-spicevmc" }, { "egl-headless", NULL } } } } },
    { "video", { { "modelType", { { "vga", "VGA" }, { "cirrus", "cirrus-vga" }, { "vmvga", "vmware-svga" }, { "qxl", "qxl-vga" },
                                  { "virtio", "virtio-gpu-device" }, { "none", NULL }, { "bochs", "bochs-display" },
                                  { "ramfb", "ramfb" } } } } },
    { "hostdev", {
        { "mode", { { "subsystem", NULL } } },
        { "startupPolicy", { { "default", NULL }, { "mandatory", NULL }, { "requisite", NULL }, { "optional", NULL } } },
        { "subsysType", { { "usb", "usb-host" }, { "pci", "vfio-pci" }, { "scsi", "scsi-generic" } } },
    } },
    { "rng", {
        { "model", QEMU_DOMCAPS_VIRTIO("virtio-rng-device") },
        { "backendModel", { { "random", "rng-random" }, { "egd", "rng-egd" }, { "builtin", "rng-builtin" } } },
    } },
    { "filesystem", { { "driverType", { { "path", "virtio-9p-device" }, { "virtiofs", "vhost-user-fs-device" } } } } },
    { "tpm", {
        { "model", { { "tpm-tis", "tpm-tis" }, { "tpm-crb", "tpm-crb" }, { "tpm-spapr", "tpm-spapr" } } },
        { "backendModel", { { "passthrough", "tpm-passthrough" }, { "emulator", "tpm-emulator" }, { "external", "tpm-emulator" } } },
        { "backendVersion", { { "1.2", "tpm-emulator" }, { "2.0", "tpm-emulator" } } },
    } },
    { "redirdev", { { "bus", { { "usb", "usb-redir" } } } } },
    { "channel", { { "type", { { "pty", "virtserialport" }, { "unix", "virtserialport" }, { "spicevmc", "chardev-spicevmc" } } } } },
};

static bool
qemuDomcapsHas(struct qemuDomcaps *what, const struct qemuDomcapsValue *values)
{
    bool found = false;

    for (; values->value != NULL; values++)
        found = found || values->type == NULL || qemuCapabilitiesHasDevice(what->caps, values->type);
    return found;
}

static void
qemuDomcapsAddDevices(struct qemuDomcaps *what)
{
    virTextAdd(&what->text, "  <devices>\n");
    for (size_t i = 0; i < sizeof(qemuDomcapsDevices) / sizeof(qemuDomcapsDevices[0]); i++) {
        const struct qemuDomcapsDevice *device = &qemuDomcapsDevices[i];

        if (!qemuDomcapsHas(what, device->enums[0].values)) {
            virTextAdd(&what->text, "    <%s supported='no'/>\n", device->element);
            continue;
        }
        virTextAdd(&what->text, "    <%s supported='yes'>\n", device->element);
        for (size_t e = 0; e < 4 && device->enums[e].name != NULL; e++)
            qemuDomcapsEnum(what, device->enums[e].name, device->enums[e].values);
        virTextAdd(&what->text, "    </%s>\n", device->element);
    }
    virTextAdd(&what->text, "  </devices>\n");
}

/* ---------- machine, firmware, CPU ---------- */

static int
qemuDomcapsAddOs(struct qemuDomcaps *what)
{
    static const struct qemuDomcapsValue types[] = { { "rom", NULL }, { "pflash", NULL }, { NULL, NULL } };
    static const struct qemuDomcapsValue readonly[] = { { "yes", NULL }, { "no", NULL }, { NULL, NULL } };
    char **loaders = NULL;
    bool secure = false;
    int n = qemuFirmwareLoaders(qemuCapabilitiesArch(what->caps), what->machine, &loaders, &secure);

    if (n < 0)
        return -1;
    virTextAdd(&what->text, "  <os supported='yes'>\n    <enum name='firmware'%s", n > 0 ? ">\n      <value>efi</value>\n    </enum>\n" : "/>\n");
    virTextAdd(&what->text, "    <loader supported='yes'>\n");
    for (int i = 0; i < n; i++) {
        virTextAdd(&what->text, "      <value>");
        virTextAddXml(&what->text, loaders[i]);
        virTextAdd(&what->text, "</value>\n");
    }
    virStringsFree(loaders);
    qemuDomcapsEnum(what, "type", types);
    qemuDomcapsEnum(what, "readonly", readonly);
    qemuDomcapsEnum(what, "secure", secure ? readonly : readonly + 1);
    virTextAdd(&what->text, "    </loader>\n  </os>\n");
    return 0;
}

/* Whether it is a model of its own: not a mode of ours, nor one version of another model ("Haswell-v2"). */
static bool
qemuDomcapsIsModel(const char *name)
{
    const char *end = strrchr(name, '-');

    if (strcmp(name, "host") == 0 || strcmp(name, "max") == 0 || strcmp(name, "base") == 0)
        return false;
    return end == NULL || end[1] != 'v' || !isdigit((unsigned char)end[2]);
}

/* The type of a CPU is named after it: "Haswell" of "Haswell-x86_64-cpu". The answer to query-cpu-definitions has the names. */
static const char *
qemuDomcapsModel(const cJSON *entry)
{
    const char *name = cJSON_IsString(entry) ? entry->valuestring : virJsonString(entry, "name");

    return name != NULL && qemuDomcapsIsModel(name) ? name : NULL;
}

/* host-model is what QEMU itself calls the host's CPU, or, without KVM, all that it can emulate (cpu.c). */
static void
qemuDomcapsAddCpu(struct qemuDomcaps *what)
{
    static const struct qemuDomcapsValue migratable[] = { { "on", NULL }, { "off", NULL }, { NULL, NULL } };
    const cJSON *each, *cpus = virJsonGet(qemuCapabilitiesJson(what->caps), "cpus");

    virTextAdd(&what->text, "  <cpu>\n    <mode name='host-passthrough' supported='%s", what->kvm ? "yes'>\n" : "no'/>\n");
    if (what->kvm) {
        qemuDomcapsEnum(what, "hostPassthroughMigratable", migratable);
        virTextAdd(&what->text, "    </mode>\n");
    }
    virTextAdd(&what->text, "    <mode name='maximum' supported='yes'>\n");
    qemuDomcapsEnum(what, "maximumMigratable", migratable);
    virTextAdd(&what->text, "    </mode>\n    <mode name='host-model' supported='yes'>\n      <model fallback='forbid'>%s</model>\n    </mode>\n",
               what->kvm ? "host" : "max");
    virTextAdd(&what->text, "    <mode name='custom' supported='%s'>\n", cpus != NULL && cpus->child != NULL ? "yes" : "no");
    cJSON_ArrayForEach(each, cpus) {
        if (qemuDomcapsModel(each) == NULL)
            continue;
        virTextAdd(&what->text, "      <model usable='unknown'>");
        virTextAddXml(&what->text, qemuDomcapsModel(each));
        virTextAdd(&what->text, "</model>\n");
    }
    virTextAdd(&what->text, "    </mode>\n  </cpu>\n");
}

static char *
qemuDomcapsFormat(struct qemuDomcaps *what)
{
    static const struct qemuDomcapsValue sources[] = {
        { "file", "memory-backend-file" }, { "anonymous", "memory-backend-ram" }, { "memfd", "memory-backend-memfd" }, { NULL, NULL },
    };
    unsigned int max = qemuCapabilitiesMaxVcpus(what->caps, what->machine);

    virTextAdd(&what->text, "<domainCapabilities>\n  <path>");
    virTextAddXml(&what->text, qemuCapabilitiesEmulator(what->caps));
    virTextAdd(&what->text, "</path>\n  <domain>%s</domain>\n  <machine>", what->kvm ? "kvm" : "qemu");
    virTextAddXml(&what->text, what->machine);
    virTextAdd(&what->text, "</machine>\n  <arch>%s</arch>\n  <vcpu max='%u'/>\n  <iothreads supported='%s'/>\n",
               qemuCapabilitiesArch(what->caps), max > 0 ? max : 1, qemuCapabilitiesHasDevice(what->caps, "iothread") ? "yes" : "no");
    if (qemuDomcapsAddOs(what) < 0) {
        virTextFree(&what->text);
        return NULL;
    }
    qemuDomcapsAddCpu(what);
    virTextAdd(&what->text, "  <memoryBacking supported='yes'>\n");
    qemuDomcapsEnum(what, "sourceType", sources);
    virTextAdd(&what->text, "  </memoryBacking>\n");
    qemuDomcapsAddDevices(what);
    virTextAdd(&what->text, "  <features>\n    <gic supported='no'/>\n    <vmcoreinfo supported='%s'/>\n    <genid supported='%s'/>\n"
               "    <backingStoreInput supported='yes'/>\n    <backup supported='no'/>\n    <sev supported='no'/>\n  </features>\n"
               "</domainCapabilities>\n", qemuCapabilitiesHasDevice(what->caps, "vmcoreinfo") ? "yes" : "no",
               qemuCapabilitiesHasDevice(what->caps, "vmgenid") ? "yes" : "no");
    return virTextTake(&what->text);
}

/* ---------- the slots ---------- */

/* Who wants a program that is no QEMU for this architecture has made a mistake in the arguments. */
static const struct qemuCapabilities *
qemuDomcapsFind(virConnectPtr conn, const char *emulator, const char *arch)
{
    VIRT_CLEANUP_FREE char *found = NULL;
    const struct qemuCapabilities *caps;

    if (emulator == NULL) {
        if ((found = qemuCapabilitiesFindEmulator(arch != NULL ? arch : virHostGetArch())) == NULL) {
            virReportError(VIR_ERR_INVALID_ARG, "there is no emulator for architecture '%s'", arch != NULL ? arch : virHostGetArch());
            return NULL;
        }
        emulator = found;
    }
    if ((caps = qemuHostCapabilities(qemuHostOf(conn), emulator)) == NULL || arch == NULL ||
        strcmp(arch, qemuCapabilitiesArch(caps)) == 0)
        return caps;
    virReportError(VIR_ERR_INVALID_ARG, "emulator '%s' is for architecture '%s', not '%s'", emulator, qemuCapabilitiesArch(caps), arch);
    qemuCapabilitiesUnref(caps);
    return NULL;
}

VIRT_INTERNAL char *
qemuConnectGetDomainCapabilities(virConnectPtr conn, const char *emulator, const char *arch, const char *machine, const char *type,
                                 unsigned int flags)
{
    struct qemuDomcaps what = { 0 };
    bool hasKvm;
    char *text = NULL;

    virCheckFlags(0, NULL);
    if (type != NULL && strcmp(type, "kvm") != 0 && strcmp(type, "qemu") != 0) {
        virReportError(VIR_ERR_INVALID_ARG, "domain type '%s' is neither 'kvm' nor 'qemu'", type);
        return NULL;
    }
    if ((what.caps = qemuDomcapsFind(conn, emulator, arch)) == NULL)
        return NULL;
    hasKvm = qemuCapabilitiesHasKvm(what.caps);
    what.kvm = type != NULL ? strcmp(type, "kvm") == 0 : hasKvm;
    what.machine = qemuCapabilitiesMachine(what.caps, machine);
    if (what.machine == NULL && machine == NULL)
        what.machine = qemuCapabilitiesMachine(what.caps, "virt");       /* of arm and riscv, which have no default */
    if (what.kvm && !hasKvm)
        virReportError(VIR_ERR_INVALID_ARG, "emulator '%s' does not support domain type 'kvm' on this host",
                       qemuCapabilitiesEmulator(what.caps));
    else if (what.machine == NULL)
        virReportError(VIR_ERR_INVALID_ARG, "emulator '%s' has no machine '%s'", qemuCapabilitiesEmulator(what.caps),
                       machine != NULL ? machine : "that is the usual one");
    else
        text = qemuDomcapsFormat(&what);
    qemuCapabilitiesUnref(what.caps);
    return text;
}

VIRT_INTERNAL int
qemuConnectGetCPUModelNames(virConnectPtr conn, const char *arch, char ***models, unsigned int flags)
{
    const struct qemuCapabilities *caps;
    const cJSON *each;
    char **list = NULL;
    size_t n = 0;
    int rc = 0;

    virCheckFlags(0, -1);
    if ((caps = qemuDomcapsFind(conn, NULL, arch)) == NULL)
        return -1;
    cJSON_ArrayForEach(each, virJsonGet(qemuCapabilitiesJson(caps), "cpus")) {
        if (rc == 0 && qemuDomcapsModel(each) != NULL)
            rc = virStringsAdd(&list, &n, virStringCopy(qemuDomcapsModel(each)));
    }
    qemuCapabilitiesUnref(caps);
    if (rc == 0 && list == NULL && models != NULL && (list = virAllocate(sizeof(*list))) == NULL)
        rc = -1;
    if (rc < 0 || models == NULL)
        virStringsFree(list);
    else
        *models = list;
    return rc < 0 ? -1 : (int)n;
}

#undef QEMU_DOMCAPS_VIRTIO
#undef VIRT_FROM
