/*
 * Rules about single devices. What concerns several of them at once (addresses, controllers, numbers of their kind) is in check_addresses.c.
 */
#include "check.h"
#include "file.h"

#include <ctype.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* The name by which messages call a disk: its target, or where its data is. */
static const char *
virCheckDiskName(xmlNodePtr disk)
{
    static const char *const paths[] = { "target/@dev", "source/@file", "source/@dev", "source/@dir", "source/@name", "source/@volume" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (virXmlString(disk, paths[i]) != NULL)
            return virXmlString(disk, paths[i]);
    return "";
}

/* ---------- disks ---------- */

/* Each kind of disk names its data by another attribute of <source>. */
static const struct { const char *type, *paths[2]; } virCheckDiskSources[] = {
    { "file", { "source/@file" } },
    { "block", { "source/@dev" } },
    { "dir", { "source/@dir" } },
    { "network", { "source/@protocol" } },
    { "volume", { "source/@pool", "source/@volume" } },
    { "nvme", { "source/address", "source/@namespace" } },
    { "vhostuser", { "source/@path" } },
};

static int
virCheckDiskSource(xmlNodePtr disk)
{
    const char *type = virXmlString(disk, "@type"), *device = virXmlString(disk, "@device");
    bool removable = device != NULL && virCheckIsWord(device, "cdrom|floppy");

    if (type == NULL)
        type = "file";
    if (strcmp(type, "network") == 0 && virXmlFirst(disk, "source") != NULL && virXmlString(disk, "source/@protocol") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Missing required attribute 'protocol' in element 'source' of disk '%s'",
                              virCheckDiskName(disk));
    if (removable)                               /* it can be empty */
        return 0;
    for (size_t i = 0; i < sizeof(virCheckDiskSources) / sizeof(virCheckDiskSources[0]); i++) {
        if (strcmp(type, virCheckDiskSources[i].type) != 0)
            continue;
        for (size_t j = 0; j < 2 && virCheckDiskSources[i].paths[j] != NULL; j++) {
            const char *path = virCheckDiskSources[i].paths[j];

            if (virXmlString(disk, path) == NULL && (strchr(path, '@') != NULL || virXmlFind(disk, path) == NULL))
                return virReportError(VIR_ERR_NO_SOURCE, "%s", virCheckDiskName(disk));
        }
    }
    return 0;
}

/* Names such as vda: known letters, then letters that count; digits would be a partition. */
static int
virCheckDiskTarget(xmlNodePtr disk)
{
    static const char *const prefixes[] = { "fd", "hd", "vd", "sd", "xvd", "ubd" };
    const char *target = virXmlString(disk, "target/@dev"), *bus = virXmlString(disk, "target/@bus");
    const char *device = virXmlString(disk, "@device");
    const char *rest = NULL;

    if (target == NULL)
        return virReportError(VIR_ERR_NO_TARGET, "%s", virCheckDiskName(disk));
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(target, prefixes[i], strlen(prefixes[i])) == 0)
            rest = target + strlen(prefixes[i]);
    if (rest != NULL && (!islower((unsigned char)*rest) || rest[strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789")] != '\0'))
        rest = NULL;
    if (rest == NULL && virXmlFirst(disk, "address") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Unknown disk name '%s' and no address specified", target);
    if (rest != NULL && bus != NULL && strcmp(bus, "xen") != 0 && rest[strcspn(rest, "0123456789")] != '\0')
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "invalid disk target '%s', partitions can't appear in disk targets", target);
    if (device != NULL && bus != NULL) {
        bool floppy = strcmp(device, "floppy") == 0;

        if (floppy != (strcmp(bus, "fdc") == 0))
            return virReportError(VIR_ERR_INTERNAL_ERROR, "Invalid bus type '%s' for %s disk '%s'", bus, floppy ? "floppy" : device, target);
    }
    return 0;
}

/* Who may read a disk: said once, in <source> or beside it, with a secret of the protocol's own kind. */
static int
virCheckDiskAuth(xmlNodePtr disk)
{
    xmlNodePtr inner = virXmlFind(disk, "source/auth"), outer = virXmlFirst(disk, "auth");
    xmlNodePtr auth = inner != NULL ? inner : outer;
    const char *type = virXmlString(auth, "secret/@type");
    const char *expected = virXmlEquals(disk, "source/@protocol", "iscsi") ? "iscsi"
                         : virXmlEquals(disk, "source/@protocol", "rbd")   ? "ceph"
                         : virXmlEquals(disk, "@type", "volume")           ? "iscsi"
                                                                           : NULL;
    xmlNodePtr secret = virXmlFirst(auth, "secret");

    if (inner != NULL && outer != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "an <auth> definition already found for disk source of '%s'", virCheckDiskName(disk));
    if (virXmlFind(disk, "source/encryption") != NULL && virXmlFirst(disk, "encryption") != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "an <encryption> definition already found for disk source of '%s'",
                              virCheckDiskName(disk));
    if (auth == NULL)
        return 0;
    if (virXmlString(auth, "@username") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "missing username for auth of disk '%s'", virCheckDiskName(disk));
    if (secret == NULL)
        return 0;
    if (type == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "unknown secret type '<null>' of disk '%s'", virCheckDiskName(disk));
    if ((virXmlString(secret, "@uuid") != NULL) == (virXmlString(secret, "@usage") != NULL))
        return virReportError(VIR_ERR_XML_ERROR, "either secret uuid or usage expected for disk '%s'", virCheckDiskName(disk));
    if (expected != NULL && strcmp(type, expected) != 0 && !virXmlEquals(disk, "@type", "volume"))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "invalid secret type '%s' for disk '%s': '%s' is needed", type,
                              virCheckDiskName(disk), expected);
    return 0;
}

/* The two elements, in <source> or beside it. */
static int
virCheckDiskEncryption(xmlNodePtr disk)
{
    xmlNodePtr encryption = virXmlFind(disk, "source/encryption");
    const char *format = virXmlString(disk, "driver/@type");

    if (encryption == NULL)
        encryption = virXmlFirst(disk, "encryption");
    if (encryption == NULL)
        return 0;
    if (virXmlFirst(encryption, "cipher") != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "supplying <cipher> for domain disk definition is unnecessary (disk '%s')",
                              virCheckDiskName(disk));
    if (format != NULL && !virXmlEquals(encryption, "@engine", "librbd") && !virCheckIsWord(format, "raw|qcow2|qcow"))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "encryption is supported only with 'raw' and 'qcow2' image format (disk '%s' is '%s')",
                              virCheckDiskName(disk), format);
    return 0;
}

static bool
virCheckIotuneIsSet(xmlNodePtr tune, const char *prefix, const char *what)
{
    unsigned long long value = 0;
    char path[48];

    snprintf(path, sizeof(path), "%s_%s", prefix, what);
    return virXmlULongLong(tune, path, &value) > 0 && value > 0;
}

/* A limit for everything, and one for reading or writing, exclude each other. */
static int
virCheckDiskIotune(xmlNodePtr disk)
{
    static const char *const limits[] = { "bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max" };
    xmlNodePtr tune = virXmlFirst(disk, "iotune");

    for (size_t i = 0; tune != NULL && i < sizeof(limits) / sizeof(limits[0]); i++)
        if (virCheckIotuneIsSet(tune, "total", limits[i]) &&
            (virCheckIotuneIsSet(tune, "read", limits[i]) || virCheckIotuneIsSet(tune, "write", limits[i])))
            return virReportError(VIR_ERR_XML_ERROR, "total and read/write %s cannot be set at the same time (disk '%s')", limits[i],
                                  virCheckDiskName(disk));
    return 0;
}

static int
virCheckDisk(xmlNodePtr disk)
{
    const char *wwn = virXmlString(disk, "wwn"), *serial = virXmlString(disk, "serial");

    if (virCheckDiskSource(disk) < 0 || virCheckDiskTarget(disk) < 0 || virCheckDiskAuth(disk) < 0 || virCheckDiskEncryption(disk) < 0 ||
        virCheckDiskIotune(disk) < 0)
        return -1;
    if (wwn != NULL) {
        if (strncmp(wwn, "0x", 2) == 0)
            wwn += 2;
        if (strlen(wwn) != 16 || wwn[strspn(wwn, "0123456789abcdefABCDEF")] != '\0')
            return virReportError(VIR_ERR_INTERNAL_ERROR, "Malformed wwn: %.80s (16 hexadecimal digits are needed)", wwn);
    }
    if (serial != NULL && strpbrk(serial, "\n\r\t") != NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "serial of disk '%s' contains unsafe characters", virCheckDiskName(disk));
    return 0;
}

/* ---------- interfaces ---------- */

VIRT_INTERNAL int
virCheckParseMac(const char *text, unsigned char *mac)
{
    for (int i = 0; i < 6; i++) {
        char *end;
        unsigned long byte;

        if (!isxdigit((unsigned char)*text))
            return -1;
        byte = strtoul(text, &end, 16);
        if (byte > 255 || end - text > 2 || *end != (i < 5 ? ':' : '\0'))
            return -1;
        mac[i] = (unsigned char)byte;
        text = end + (i < 5);
    }
    return 0;
}

/* What the <source> of each type must say; without any path the element itself must be there. */
static const struct { const char *type, *path; } virCheckInterfaceSources[] = {
    { "network", "source/@network" },   { "bridge", "source/@bridge" },   { "direct", "source/@dev" },
    { "internal", "source/@name" },     { "vhostuser", "source/@path" },  { "vdpa", "source/@dev" },
    { "server", "source/@port" },       { "client", "source/@port" },     { "client", "source/@address" },
    { "mcast", "source/@port" },        { "mcast", "source/@address" },   { "udp", "source/@port" },
    { "udp", "source/@address" },       { "hostdev", "source/address/@type" },
};

static int
virCheckInterface(xmlNodePtr interface)
{
    const char *type = virXmlString(interface, "@type"), *mac = virXmlString(interface, "mac/@address");
    const char *model = virXmlString(interface, "model/@type");
    unsigned char bytes[6];

    for (size_t i = 0; type != NULL && i < sizeof(virCheckInterfaceSources) / sizeof(virCheckInterfaceSources[0]); i++) {
        if (strcmp(type, virCheckInterfaceSources[i].type) != 0 || virXmlString(interface, virCheckInterfaceSources[i].path) != NULL)
            continue;
        if (virXmlFirst(interface, "source") == NULL)
            return virReportError(VIR_ERR_XML_ERROR, "interface type='%s' requires a 'source' element", type);
        return virReportError(VIR_ERR_XML_ERROR, "Missing required attribute '%s' in element 'source' of <interface type='%s'>",
                              strchr(virCheckInterfaceSources[i].path, '@') + 1, type);
    }
    if (mac != NULL) {
        if (virCheckParseMac(mac, bytes) < 0)
            return virReportError(VIR_ERR_XML_ERROR, "unable to parse mac address '%.80s'", mac);
        if ((bytes[0] & 1) != 0)
            return virReportError(VIR_ERR_XML_ERROR, "expected unicast mac address, found multicast '%s'", mac);
    }
    if (model != NULL && model[strspn(model, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] != '\0')
        return virReportError(VIR_ERR_INVALID_ARG, "Model name contains invalid characters: '%.80s'", model);
    return 0;
}

/* ---------- character devices ---------- */

static const struct { const char *type, *attribute; } virCheckChardevSources[] = {
    { "dev", "path" }, { "file", "path" }, { "pipe", "path" }, { "unix", "path" }, { "tcp", "host" },
    { "tcp", "service" }, { "spiceport", "channel" },
};

/* A reconnecting end must be one that connects. */
static int
virCheckReconnect(xmlNodePtr source, const char *mode)
{
    xmlNodePtr reconnect = virXmlFirst(source, "reconnect");
    unsigned int timeout = 0;

    if (!virXmlEquals(reconnect, "@enabled", "yes"))
        return 0;
    if (mode == NULL || strcmp(mode, "connect") != 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "chardev reconnect is possible only for connect mode");
    if (virXmlString(reconnect, "@timeout") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Missing required attribute 'timeout' in element 'reconnect'");
    if (virXmlUInt(reconnect, "@timeout", &timeout) < 0)
        return -1;
    if (timeout == 0)
        return virReportError(VIR_ERR_INVALID_ARG, "chardev reconnect source timeout cannot be '0'");
    return 0;
}

/* Any device that talks to a stream of the host; device is the element with the type, or the backend of a random number generator. */
static int
virCheckChardev(xmlNodePtr device)
{
    const char *type = virXmlString(device, "@type"), *connect = NULL;
    bool generated = virXmlIs(device, "channel") && (virXmlEquals(device, "target/@type", "virtio") || virXmlEquals(device, "target/@type", "xen"));
    xmlNodePtr source = virXmlFirst(device, "source");

    if (type == NULL)
        return 0;
    if (virXmlCount(device, "source") > 2)
        return virReportError(VIR_ERR_XML_ERROR, "only two source elements are allowed for character device");
    for (size_t i = 0; i < sizeof(virCheckChardevSources) / sizeof(virCheckChardevSources[0]); i++) {
        const char *attribute = virCheckChardevSources[i].attribute;
        char path[32];

        snprintf(path, sizeof(path), "source/@%s", attribute);
        if (strcmp(type, virCheckChardevSources[i].type) != 0 || virXmlString(device, path) != NULL)
            continue;
        if (generated && strcmp(type, "unix") == 0)  /* such a path is made when the guest starts */
            continue;
        return virReportError(VIR_ERR_INTERNAL_ERROR, "Missing source %s attribute for char device of type '%s'", attribute, type);
    }
    if (strcmp(type, "udp") == 0) {
        VIRT_XML_EACH(end, device, "source") {
            if (virXmlString(end, "@mode") == NULL || virXmlEquals(end, "@mode", "connect"))
                connect = virXmlString(end, "@service");
        }
        if (connect == NULL)
            return virReportError(VIR_ERR_INTERNAL_ERROR, "Missing source service attribute for char device of type 'udp'");
    }
    return virCheckReconnect(source, virXmlString(source, "@mode") != NULL ? virXmlString(source, "@mode")
                                                                           : strcmp(type, "tcp") == 0 ? "connect" : NULL);
}

static int
virCheckChannel(xmlNodePtr channel)
{
    if (virXmlString(channel, "target/@type") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "target type must be specified for channel device");
    return virCheckChardev(channel);
}

static int
virCheckRng(xmlNodePtr rng)
{
    xmlNodePtr backend = virXmlFirst(rng, "backend");

    if (virXmlCount(rng, "backend") != 1)
        return virReportError(VIR_ERR_XML_ERROR, "only one RNG backend is supported");
    return virCheckChardev(backend);
}

static int
virCheckSmartcard(xmlNodePtr card)
{
    size_t certificates = virXmlCount(card, "certificate");
    const char *database = virXmlString(card, "database");

    if (virXmlEquals(card, "@mode", "host-certificates") && certificates != 3)
        return virReportError(VIR_ERR_XML_ERROR, "host-certificates mode needs exactly three certificates, not %zu", certificates);
    if (database != NULL && *database != '/')
        return virReportError(VIR_ERR_XML_ERROR, "expecting absolute path: %.80s", database);
    if (virXmlEquals(card, "@mode", "passthrough") && virXmlString(card, "@type") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "passthrough mode requires a character device type attribute");
    return virCheckChardev(card);
}

/* ---------- displays ---------- */

static int
virCheckGraphics(xmlNodePtr graphics)
{
    const char *listen = virXmlString(graphics, "@listen"), *socket = virXmlString(graphics, "@socket");
    xmlNodePtr first = virXmlFirst(graphics, "listen");

    if (listen != NULL && virXmlEquals(first, "@type", "address") && !virXmlEquals(first, "@address", listen))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                              "graphics 'listen' attribute '%s' must match 'address' attribute of first listen element (found '%s')",
                              listen, virXmlString(first, "@address") != NULL ? virXmlString(first, "@address") : "none");
    if (socket != NULL && virXmlEquals(first, "@type", "socket") && virXmlString(first, "@socket") != NULL &&
        !virXmlEquals(first, "@socket", socket))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                              "graphics 'socket' attribute '%s' must match 'socket' attribute of first listen element (found '%s')",
                              socket, virXmlString(first, "@socket"));
    VIRT_XML_EACH(element, graphics, "listen") {
        const char *type = virXmlString(element, "@type");

        if (type != NULL && strcmp(type, "network") != 0 && virXmlString(element, "@network") != NULL)
            return virReportError(VIR_ERR_XML_ERROR, "'network' attribute is valid only for listen type 'network'");
        if (type != NULL && strcmp(type, "socket") != 0 && virXmlString(element, "@socket") != NULL)
            return virReportError(VIR_ERR_XML_ERROR, "'socket' attribute is valid only for listen type 'socket'");
    }
    return 0;
}

static int
virCheckVideo(xmlNodePtr video)
{
    static const char *const ofQxl[] = { "ram", "vgamem", "vram64" };

    for (size_t i = 0; i < sizeof(ofQxl) / sizeof(ofQxl[0]); i++) {
        unsigned int size = 0;
        char path[20];

        snprintf(path, sizeof(path), "model/@%s", ofQxl[i]);
        if (virXmlUInt(video, path, &size) > 0 && size > 0 && !virXmlEquals(video, "model/@type", "qxl"))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "%s attribute only supported for video type qxl", ofQxl[i]);
    }
    if (virXmlEquals(video, "model/@type", "ramfb") && virXmlFirst(video, "address") != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "address not supported for video type ramfb");
    return 0;
}

/* ---------- the rest ---------- */

static int
virCheckFilesystem(xmlNodePtr filesystem)
{
    const char *type = virXmlString(filesystem, "@type");

    if (virXmlFirst(filesystem, "source") == NULL && (type == NULL || !virCheckIsWord(type, "mount|bind|ram")))
        return virReportError(VIR_ERR_NO_SOURCE, "filesystem");
    if (virXmlString(filesystem, "target/@dir") == NULL && virXmlFirst(filesystem, "source") == NULL)
        return virReportError(VIR_ERR_NO_SOURCE, "filesystem");
    if (virXmlString(filesystem, "target/@dir") == NULL)
        return virReportError(VIR_ERR_NO_TARGET, "filesystem");
    if (virXmlEquals(filesystem, "driver/@type", "virtiofs") && virXmlFirst(filesystem, "readonly") != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "virtiofs does not yet support read-only mode");
    return 0;
}

static int
virCheckHostdev(xmlNodePtr hostdev)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    const char *text = virXmlString(hostdev, "source/address/@uuid");

    if (virXmlFirst(hostdev, "source") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Missing <source> element in hostdev device");
    if (!virXmlEquals(hostdev, "@type", "mdev"))
        return 0;
    if (virXmlString(hostdev, "@model") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Missing 'model' attribute in mediated device's <hostdev> element");
    if (text == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Missing 'uuid' attribute for element <address>");
    if (virUuidParse(text, uuid) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "Cannot parse uuid attribute of element <address>: '%.80s'", text);
    return 0;
}

static int
virCheckShmem(xmlNodePtr shmem)
{
    const char *name = virXmlString(shmem, "@name");

    if (name == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "shmem element must contain 'name' attribute");
    if (strchr(name, '/') != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "shmem name cannot include '/' character: '%s'", name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "shmem name cannot be equal to '%s'", name);
    return 0;
}

static int
virCheckVsock(xmlNodePtr vsock)
{
    unsigned int cid = 3;

    if (virXmlUInt(vsock, "cid/@address", &cid) < 0)
        return -1;
    return cid >= 3 ? 0 : virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "guest CIDs must be >= 3, not %u", cid);
}

static int
virCheckMemory(xmlNodePtr memory)
{
    unsigned long long size = 0;
    const char *model = virXmlString(memory, "@model");

    if (virXmlSize(memory, "target/size", "KiB", &size) < 0)
        return -1;
    if (size == 0)
        return virReportError(VIR_ERR_XML_ERROR, "missing size of memory device of model '%s'", model);
    if (virCheckIsWord(model, "nvdimm|virtio-pmem") && virXmlString(memory, "source/path") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "path is required for model '%s'", model);
    return 0;
}

static int
virCheckIommu(xmlNodePtr iommu)
{
    const char *type = virXmlString(iommu, "address/@type");

    if (!virXmlEquals(iommu, "@model", "virtio"))
        return type == NULL ? 0 : virReportError(VIR_ERR_XML_ERROR, "iommu model '%s' can't have address", virXmlString(iommu, "@model"));
    if (type != NULL && strcmp(type, "pci") != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "IOMMU device: 'virtio' needs a PCI address");
    return 0;
}

static int
virCheckInput(xmlNodePtr input)
{
    const char *type = virXmlString(input, "@type"), *bus = virXmlString(input, "@bus");

    if (type != NULL && virCheckIsWord(type, "passthrough|evdev") && virXmlFirst(input, "source") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "missing evdev path for input device %s", type);
    if (type != NULL && bus != NULL && strcmp(bus, "ps2") == 0 && virCheckIsWord(type, "tablet|passthrough"))
        return virReportError(VIR_ERR_INTERNAL_ERROR, "ps2 bus does not support %s input device", type);
    return 0;
}

static int
virCheckLease(xmlNodePtr lease)
{
    if (virXmlString(lease, "key") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Missing 'key' element for lease");
    if (virXmlString(lease, "target/@path") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Missing 'target' element for lease");
    return 0;
}

static const struct { const char *kind; int (*check)(xmlNodePtr device); } virCheckKinds[] = {
    { "disk", virCheckDisk },             { "interface", virCheckInterface },   { "serial", virCheckChardev },
    { "parallel", virCheckChardev },      { "console", virCheckChardev },       { "channel", virCheckChannel },
    { "smartcard", virCheckSmartcard },   { "redirdev", virCheckChardev },      { "rng", virCheckRng },
    { "graphics", virCheckGraphics },     { "video", virCheckVideo },           { "filesystem", virCheckFilesystem },
    { "hostdev", virCheckHostdev },       { "shmem", virCheckShmem },           { "vsock", virCheckVsock },
    { "memory", virCheckMemory },         { "iommu", virCheckIommu },           { "input", virCheckInput },
    { "lease", virCheckLease },
};

VIRT_INTERNAL int
virCheckDevices(xmlNodePtr domain)
{
    xmlNodePtr devices = virXmlFirst(domain, "devices");

    for (xmlNodePtr device = virXmlFirst(devices, NULL); device != NULL; device = virXmlNext(device, NULL))
        for (size_t i = 0; i < sizeof(virCheckKinds) / sizeof(virCheckKinds[0]); i++)
            if (strcmp(virCheckKinds[i].kind, virXmlName(device)) == 0 && virCheckKinds[i].check(device) < 0)
                return -1;
    return 0;
}

#undef VIRT_FROM
