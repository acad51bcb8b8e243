/*
 * From a disk's <source>, <driver> and <backingStore> elements to QEMU's graph of block nodes.
 *
 * Each image is a protocol node ("storage": where the bytes are) under a format node ("format": what they mean). Backing
 * images that the document names are nodes of their own, given bottom up; where it says nothing, QEMU follows the image's
 * header. On top come filters: copy-on-read, throttling.
 */
#include "blockdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
# include <linux/cdrom.h>
#endif

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- names ---------- */

/* QEMU's identifiers begin with a letter and go on with letters, digits, '-', '.' and '_'. */
static bool
qemuBlockdevIsId(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return text[0] != '\0' && strchr(letters, text[0]) != NULL && strspn(text, "-._0123456789"
           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text);
}

/* What does not fit, or is no identifier, is replaced by its FNV-1a hash. */
static void
qemuBlockdevId(const char *text, size_t room, char *id)
{
    if (strlen(text) <= room && qemuBlockdevIsId(text)) {
        strcpy(id, text);
        return;
    }
    snprintf(id, 20, "d%016llx", virStringHash(text));
}

/*
 * Stable names matter to whoever refers to a node while the guest runs: jobs, statistics, events. An
 * alias that is too long, or has characters that QEMU refuses, is replaced by a hash of itself, never
 * cut: two cut aliases could be the same.
 */
VIRT_INTERNAL int
qemuBlockdevName(xmlNodePtr disk, unsigned int depth, const char *layer, char *name)
{
    const char *alias = qemuDeviceAlias(disk);
    char id[QEMU_NODE_NAME_SIZE];

    if (alias == NULL)
        return -1;
    qemuBlockdevId(alias, 18, id);
    if (depth == 0)
        snprintf(name, QEMU_NODE_NAME_SIZE, "%.20s-%s", id, layer);
    else
        snprintf(name, QEMU_NODE_NAME_SIZE, "%.20s-%u-%s", id, depth % 1000, layer);
    return 0;
}

/* ---------- local sources ---------- */

/* A file is opened by what it is, not by what the document calls it: QEMU refuses either driver for the other. */
static const char *
qemuBlockdevFileDriver(struct qemuCommand *command, const char *path, bool block, bool cdrom)
{
    struct stat st;
    const char *driver = block ? "host_device" : "file";

    if (command->dry || stat(path, &st) < 0)
        return driver;
    if (S_ISREG(st.st_mode))
        return "file";
#ifdef CDROM_DRIVE_STATUS
    if (S_ISBLK(st.st_mode) && cdrom) {
        VIRT_CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

        if (fd >= 0 && ioctl(fd, CDROM_DRIVE_STATUS, CDSL_CURRENT) >= 0)
            return "host_cdrom";
    }
#endif
    return "host_device";
}

static cJSON *
qemuBlockdevFile(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr source, bool block)
{
    const char *path = virXmlNeed(source, block ? "@dev" : "@file");
    bool cdrom = virXmlEquals(device, "@device", "cdrom");

    return path == NULL ? NULL
                        : virJsonObject("s:driver", qemuBlockdevFileDriver(command, path, block, cdrom),
                                        "s:filename", path, NULL);
}

/*
 * QEMU makes up a FAT file system from the directory. Writing to it has never been safe, so only
 * reading is offered; floppies are read-only to begin with.
 */
static cJSON *
qemuBlockdevDirectory(xmlNodePtr device, xmlNodePtr source)
{
    const char *path = virXmlNeed(source, "@dir");

    if (path == NULL)
        return NULL;
    if (virXmlFirst(device, "readonly") == NULL && !virXmlEquals(device, "@device", "floppy")) {
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                         "a directory can only be a floppy or <readonly/>");
        return NULL;
    }
    return virJsonObject("s:driver", "vvfat", "s:dir", path, "b:floppy",
                         (int)virXmlEquals(device, "@device", "floppy"), NULL);
}

/* QEMU's own driver takes the whole controller away from the host, by VFIO. */
static cJSON *
qemuBlockdevNvme(xmlNodePtr device, xmlNodePtr source)
{
    xmlNodePtr address = virXmlFirst(source, "address");
    VIRT_CLEANUP_FREE char *pci = NULL;
    unsigned long long space = 1;

    if (!virXmlEquals(source, "@type", "pci") || address == NULL) {
        qemuDeviceReport(device, VIR_ERR_XML_ERROR, "an NVMe source needs type='pci' and an <address>");
        return NULL;
    }
    if ((pci = qemuPciAddressText(address)) == NULL || virXmlULongLong(source, "@namespace", &space) < 0)
        return NULL;
    return virJsonObject("s:driver", "nvme", "s:device", pci, "u:namespace", space, NULL);
}

VIRT_INTERNAL cJSON *
qemuBlockdevSource(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr owner, xmlNodePtr source)
{
    const char *type = virXmlString(owner, "@type");

    if (type == NULL || strcmp(type, "file") == 0)
        return qemuBlockdevFile(command, device, source, false);
    if (strcmp(type, "block") == 0)
        return qemuBlockdevFile(command, device, source, true);
    if (strcmp(type, "dir") == 0)
        return qemuBlockdevDirectory(device, source);
    if (strcmp(type, "nvme") == 0)
        return qemuBlockdevNvme(device, source);
    if (strcmp(type, "network") == 0)
        return qemuBlockdevNetwork(device, source);
    if (strcmp(type, "volume") == 0)
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                         "volume '%s' of pool '%s': storage pools are not supported",
                         virXmlString(source, "@volume"), virXmlString(source, "@pool"));
    else
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "source type '%s' is not supported", type);
    return NULL;
}

/* ---------- common options ---------- */

/* What one chain is built with. */
struct qemuBlockdevChain {
    struct qemuCommand *command;
    xmlNodePtr disk;
    struct qemuDeviceSet *set;
};

/* cache= of <driver>: host cache and flushes are the nodes' part, the guest's write cache is the device's (disk.c). */
static int
qemuBlockdevAddCache(xmlNodePtr disk, cJSON *node)
{
    static const struct { const char *mode; bool direct, noFlush; } modes[] = {
        { "none", true, false }, { "writethrough", false, false }, { "writeback", false, false },
        { "directsync", true, false }, { "unsafe", false, true },
    };
    const char *mode = virXmlString(disk, "driver/@cache");

    if (mode == NULL || strcmp(mode, "default") == 0)
        return 0;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (strcmp(modes[i].mode, mode) == 0)
            return virJsonAdd(node, "a:cache",
                              virJsonObject("b:direct", (int)modes[i].direct, "b:no-flush",
                                            (int)modes[i].noFlush, NULL),
                              NULL);
    return qemuDeviceReport(disk, VIR_ERR_CONFIG_UNSUPPORTED, "unknown cache mode '%s'", mode);
}

/* SCSI reservations go through a helper: ours, or one that listens somewhere already. */
static int
qemuBlockdevAddReservations(struct qemuBlockdevChain *chain, xmlNodePtr source, cJSON *node)
{
    xmlNodePtr reservations = virXmlFirst(source, "reservations");
    VIRT_CLEANUP_FREE char *id = NULL;
    VIRT_CLEANUP_FREE char *own = NULL;
    VIRT_CLEANUP_FREE char *program = NULL;
    const char *path;
    bool managed = false;

    if (reservations == NULL)
        return 0;
    if (virXmlBool(reservations, "@managed", &managed) < 0 ||
        (id = qemuDeviceId(chain->disk, "pr-")) == NULL)
        return -1;
    if (managed) {
        if ((own = qemuRunPath(chain->command, chain->disk, ".pr")) == NULL)
            return -1;
        if ((program = qemuFindProgram("qemu-pr-helper")) == NULL && !chain->command->dry)
            return qemuDeviceReport(chain->disk, VIR_ERR_CONFIG_UNSUPPORTED,
                                    "managed reservations need qemu-pr-helper, which is not installed");
        if (!chain->command->dry &&
            qemuStartHelper(chain->command, chain->disk,
                            (const char *const[]){ program, "-k", own, NULL }, -1) < 0)
            return -1;
        path = own;
    } else if ((path = virXmlNeed(reservations, "source/@path")) == NULL) {
        return -1;
    }
    if (qemuDeviceSetAdd(
            chain->set, QEMU_OPTION_OBJECT,
            virJsonObject("s:qom-type", "pr-manager-helper", "s:id", id, "s:path", path, NULL)) < 0)
        return -1;
    return virJsonAdd(node, "s:pr-manager", id, NULL);
}

/* Only the top of a chain is ever written to. */
static bool
qemuBlockdevIsReadOnly(struct qemuBlockdevChain *chain, unsigned int depth)
{
    bool readOnly = virXmlFirst(chain->disk, "readonly") != NULL;

    return readOnly || depth > 0 || virXmlEquals(chain->disk, "@device", "cdrom");
}

/* Said before QEMU is started, by the disk's name and with the reason; QEMU opens it as whoever we are. */
static int
qemuBlockdevCheckFile(struct qemuBlockdevChain *chain, xmlNodePtr owner, xmlNodePtr source, unsigned int depth)
{
    const char *type = virXmlString(owner, "@type"), *path = NULL;
    int mode = qemuBlockdevIsReadOnly(chain, depth) ? R_OK : R_OK | W_OK;
    struct stat st;

    if (type == NULL || strcmp(type, "file") == 0)
        path = virXmlString(source, "@file");
    else if (strcmp(type, "block") == 0)
        path = virXmlString(source, "@dev");
    if (path == NULL || chain->command->dry)
        return 0;
    if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 || stat(path, &st) < 0)
        return qemuDeviceReportSystem(chain->disk, errno, "cannot open '%s'", path);
    if (S_ISDIR(st.st_mode))
        return qemuDeviceReportSystem(chain->disk, EISDIR, "cannot open '%s'", path);
    return 0;
}

/* Adds the storage node; `file` gets the name that the format node refers to. */
static int
qemuBlockdevAddStorage(struct qemuBlockdevChain *chain, xmlNodePtr owner, xmlNodePtr source,
                       unsigned int depth, char *file)
{
    static const char *const ios[] = { "threads", "native", "io_uring", NULL };
    VIRT_CLEANUP_JSON cJSON *node = qemuBlockdevCheckFile(chain, owner, source, depth) < 0
                                    ? NULL : qemuBlockdevSource(chain->command, chain->disk, owner, source);
    const char *driver;
    int io = -1;

    if (node == NULL || qemuBlockdevName(chain->disk, depth, "storage", file) < 0 ||
        virJsonAdd(node, "s:node-name", file, "b:auto-read-only", 1, "s:discard", "unmap", NULL) < 0 ||
        qemuBlockdevAddCache(chain->disk, node) < 0)
        return -1;
    driver = virJsonString(node, "driver");
    if (strcmp(driver, "file") == 0 || strcmp(driver, "host_device") == 0 ||
        strcmp(driver, "host_cdrom") == 0) {
        if (virXmlEnum(chain->disk, "driver/@io", ios, &io) < 0 ||
            virJsonAdd(node, "S:aio", io < 0 ? NULL : ios[io], NULL) < 0 ||
            qemuBlockdevAddReservations(chain, source, node) < 0)
            return -1;
    }
    return qemuDeviceSetTake(chain->set, QEMU_OPTION_BLOCKDEV, &node);
}

/* <slices>: the image is only a part of the storage: one more node cuts it out. */
static int
qemuBlockdevAddSlice(struct qemuBlockdevChain *chain, xmlNodePtr source, unsigned int depth, char *file)
{
    xmlNodePtr slice = virXmlFind(source, "slices/slice");
    unsigned long long offset = 0, size = 0;
    char name[QEMU_NODE_NAME_SIZE];

    if (slice == NULL)
        return 0;
    if (!virXmlEquals(slice, "@type", "storage"))
        return qemuDeviceReport(chain->disk, VIR_ERR_CONFIG_UNSUPPORTED,
                                "only slices of type='storage' are supported");
    if (virXmlULongLong(slice, "@offset", &offset) < 0 || virXmlULongLong(slice, "@size", &size) < 0 ||
        qemuBlockdevName(chain->disk, depth, "slice", name) < 0 ||
        qemuDeviceSetAdd(chain->set, QEMU_OPTION_BLOCKDEV,
                         virJsonObject("s:driver", "raw", "s:node-name", name, "s:file", file,
                                       "u:offset", offset, "U:size", size, "b:auto-read-only", 1,
                                       "s:discard", "unmap", NULL)) < 0)
        return -1;
    strcpy(file, name);
    return 0;
}

/* ---------- the format node ---------- */

/* libvirt's names of formats and QEMU's drivers. */
static const struct qemuBlockdevFormat {
    const char *name, *driver;
    bool backing;                     /* images of it can have one */
} qemuBlockdevFormats[] = {
    { "raw", "raw", false },         { "iso", "raw", false },           { "fat", "raw", false },
    { "dir", "raw", false },         { "qcow2", "qcow2", true },        { "qcow", "qcow", true },
    { "qed", "qed", true },          { "vmdk", "vmdk", true },          { "vdi", "vdi", false },
    { "vpc", "vpc", false },         { "vhd", "vpc", false },           { "vhdx", "vhdx", false },
    { "bochs", "bochs", false },     { "cloop", "cloop", false },       { "dmg", "dmg", false },
    { "ploop", "parallels", false },
};

/*
 * No format means raw. It is never guessed: a guest could write a header into its raw disk that names
 * a file of the host as what backs it.
 */
static const struct qemuBlockdevFormat *
qemuBlockdevFormat(xmlNodePtr disk, const char *name)
{
    for (size_t i = 0; i < sizeof(qemuBlockdevFormats) / sizeof(*qemuBlockdevFormats); i++)
        if (strcmp(qemuBlockdevFormats[i].name, name != NULL ? name : "raw") == 0)
            return &qemuBlockdevFormats[i];
    qemuDeviceReport(disk, VIR_ERR_CONFIG_UNSUPPORTED, "QEMU cannot read images of format '%s'", name);
    return NULL;
}

/* discard= and detect_zeroes= of the disk's own image. Zeroes are unmapped only where discarding is allowed. */
static int
qemuBlockdevAddDiscard(xmlNodePtr disk, cJSON *node)
{
    static const char *const discards[] = { "ignore", "unmap", NULL };
    static const char *const zeroes[] = { "off", "on", "unmap", NULL };
    int discard = -1, detect = -1;

    if (virXmlEnum(disk, "driver/@discard", discards, &discard) < 0 ||
        virXmlEnum(disk, "driver/@detect_zeroes", zeroes, &detect) < 0)
        return -1;
    if (detect == 2 && discard != 1)
        detect = 1;
    return virJsonAdd(node, "S:discard", discard < 0 ? NULL : discards[discard],
                      "S:detect-zeroes", detect < 0 ? NULL : zeroes[detect], NULL);
}

static int qemuBlockdevAddImage(struct qemuBlockdevChain *chain, xmlNodePtr owner, unsigned int depth,
                                char *top);

/*
 * What backs an image: a named image, nothing (an empty <backingStore/> ends the chain), or, when the document does not
 * say, what the image's own header says.
 */
static int
qemuBlockdevAddBacking(struct qemuBlockdevChain *chain, xmlNodePtr owner, unsigned int depth, cJSON *node)
{
    xmlNodePtr store = virXmlFirst(owner, "backingStore");
    char name[QEMU_NODE_NAME_SIZE];

    if (store == NULL)
        return 0;
    if (virXmlFirst(store, "source") == NULL)
        return cJSON_AddNullToObject(node, "backing") == NULL ? virReportNoMemory() : 0;
    if (qemuBlockdevAddImage(chain, store, depth + 1, name) < 0)
        return -1;
    return virJsonAdd(node, "s:backing", name, NULL);
}

/* What needs parts that this library does not have is refused by name, for each image. */
static int
qemuBlockdevCheckSource(xmlNodePtr disk, xmlNodePtr owner, xmlNodePtr source)
{
    if (virXmlFirst(source, "encryption") != NULL || virXmlFirst(owner, "encryption") != NULL)
        return qemuDeviceReport(disk, VIR_ERR_CONFIG_UNSUPPORTED,
                                "encrypted images need secrets, which are not supported");
    if (virXmlFirst(source, "auth") != NULL || virXmlFirst(owner, "auth") != NULL)
        return qemuDeviceReport(disk, VIR_ERR_CONFIG_UNSUPPORTED,
                                "<auth> needs secrets, which are not supported");
    if (virXmlFirst(source, "cookies") != NULL)
        return qemuDeviceReport(disk, VIR_ERR_CONFIG_UNSUPPORTED, "<cookies> are not supported");
    return 0;
}

/*
 * Bottom up, because a node must exist before another refers to it: first what backs the image, then
 * where it is stored, the part of the storage that it is, and last the format.
 */
static int
qemuBlockdevAddImage(struct qemuBlockdevChain *chain, xmlNodePtr owner, unsigned int depth, char *top)
{
    xmlNodePtr source = virXmlFirst(owner, "source");
    const char *driver = depth == 0 ? "driver" : "format";
    xmlNodePtr options = virXmlFirst(owner, driver);
    const struct qemuBlockdevFormat *format;
    unsigned long long cacheSize = 0;
    char file[QEMU_NODE_NAME_SIZE];
    VIRT_CLEANUP_JSON cJSON *node = NULL;

    if ((format = qemuBlockdevFormat(chain->disk, options != NULL ? virXmlString(options, "@type")
                                                                  : NULL)) == NULL ||
        qemuBlockdevCheckSource(chain->disk, owner, source) < 0 ||
        qemuBlockdevName(chain->disk, depth, "format", top) < 0 ||
        (node = virJsonObject("s:driver", format->driver, "s:node-name", top, "b:read-only",
                              (int)qemuBlockdevIsReadOnly(chain, depth), NULL)) == NULL)
        return -1;
    if (format->backing && qemuBlockdevAddBacking(chain, owner, depth, node) < 0)
        return -1;
    if (qemuBlockdevAddStorage(chain, owner, source, depth, file) < 0 ||
        qemuBlockdevAddSlice(chain, source, depth, file) < 0 ||
        virJsonAdd(node, "s:file", file, NULL) < 0 || qemuBlockdevAddCache(chain->disk, node) < 0 ||
        (depth == 0 && qemuBlockdevAddDiscard(chain->disk, node) < 0))
        return -1;
    if (options != NULL && strcmp(format->driver, "qcow2") == 0 &&
        (virXmlSize(options, "metadata_cache/max_size", "b", &cacheSize) < 0 ||
         virJsonAdd(node, "U:cache-size", cacheSize, NULL) < 0))
        return -1;
    return qemuDeviceSetTake(chain->set, QEMU_OPTION_BLOCKDEV, &node);
}

/* ---------- filters ---------- */

static const struct qemuProperty qemuBlockdevLimits[] = {
#define QEMU_LIMIT(ours, theirs) { QEMU_PROPERTY_NUMBER, "iotune/" ours, theirs }
#define QEMU_LIMITS(ours, theirs)                              \
    QEMU_LIMIT(ours "_sec", theirs),                           \
    QEMU_LIMIT(ours "_sec_max", theirs "-max"),                \
    QEMU_LIMIT(ours "_sec_max_length", theirs "-max-length")
    QEMU_LIMITS("total_bytes", "bps-total"),
    QEMU_LIMITS("read_bytes", "bps-read"),
    QEMU_LIMITS("write_bytes", "bps-write"),
    QEMU_LIMITS("total_iops", "iops-total"),
    QEMU_LIMITS("read_iops", "iops-read"),
    QEMU_LIMITS("write_iops", "iops-write"),
    QEMU_LIMIT("size_iops_sec", "iops-size"),
    { 0, NULL, NULL },
#undef QEMU_LIMITS
#undef QEMU_LIMIT
};

/* Whether another disk of the guest, before this one, has made the group already. */
static bool
qemuBlockdevHasGroup(struct qemuCommand *command, xmlNodePtr disk, const char *group)
{
    xmlNodePtr devices = command->doc != NULL ? virXmlFirst(virXmlRoot(command->doc), "devices") : NULL;

    if (devices == NULL)
        return false;
    VIRT_XML_EACH(other, devices, "disk") {
        if (other == disk)
            return false;
        if (virXmlEquals(other, "iotune/group_name", group))
            return true;
    }
    return false;
}

/* Throttling is a filter node in a group; a disk without a group's name has one of its own. */
static int
qemuBlockdevAddThrottle(struct qemuBlockdevChain *chain, char *top)
{
    xmlNodePtr iotune = virXmlFirst(chain->disk, "iotune");
    const char *group = iotune != NULL ? virXmlString(iotune, "group_name") : NULL;
    char id[80], name[QEMU_NODE_NAME_SIZE], node[QEMU_NODE_NAME_SIZE];
    VIRT_CLEANUP_JSON cJSON *limits = NULL;
    const char *alias = qemuDeviceAlias(chain->disk);

    if (iotune == NULL)
        return 0;
    if (alias == NULL || (limits = virJsonObject("S:", NULL, NULL)) == NULL ||
        qemuAddProperties(chain->disk, limits, qemuBlockdevLimits) < 0)
        return -1;
    qemuBlockdevId(group != NULL ? group : alias, sizeof(name) - 1, name);
    snprintf(id, sizeof(id), "%s-%s", group != NULL ? "group" : "throttle", name);
    if ((group == NULL || !qemuBlockdevHasGroup(chain->command, chain->disk, group)) &&
        qemuDeviceSetAdd(chain->set, QEMU_OPTION_OBJECT,
                         virJsonObject("s:qom-type", "throttle-group", "s:id", id,
                                       "a:limits", qemuTake(&limits), NULL)) < 0)
        return -1;
    if (qemuBlockdevName(chain->disk, 0, "throttle", node) < 0 ||
        qemuDeviceSetAdd(chain->set, QEMU_OPTION_BLOCKDEV,
                         virJsonObject("s:driver", "throttle", "s:node-name", node, "s:throttle-group",
                                       id, "s:file", top, NULL)) < 0)
        return -1;
    strcpy(top, node);
    return 0;
}

/*
 * What is read from a backing image is kept in the disk's own, so that it need not be fetched again.
 */
static int
qemuBlockdevAddCopyOnRead(struct qemuBlockdevChain *chain, char *top)
{
    bool on = false;
    char node[QEMU_NODE_NAME_SIZE];

    if (virXmlBool(chain->disk, "driver/@copy_on_read", &on) < 0)
        return -1;
    if (!on)
        return 0;
    if (qemuBlockdevName(chain->disk, 0, "cor", node) < 0 ||
        qemuDeviceSetAdd(
            chain->set, QEMU_OPTION_BLOCKDEV,
            virJsonObject("s:driver", "copy-on-read", "s:node-name", node, "s:file", top, NULL)) < 0)
        return -1;
    strcpy(top, node);
    return 0;
}

/*
 * Filters are in this order so that throttling counts what the guest asks for, not what copying
 * causes.
 */
VIRT_INTERNAL int
qemuBlockdevBuild(struct qemuCommand *command, xmlNodePtr disk, struct qemuDeviceSet *set, char *top)
{
    struct qemuBlockdevChain chain = { .command = command, .disk = disk, .set = set };

    if (virXmlFirst(disk, "transient") != NULL)
        return qemuDeviceReport(disk, VIR_ERR_CONFIG_UNSUPPORTED, "<transient/> is not supported");
    if (qemuBlockdevAddImage(&chain, disk, 0, top) < 0 || qemuBlockdevAddCopyOnRead(&chain, top) < 0)
        return -1;
    return qemuBlockdevAddThrottle(&chain, top);
}

/*
 * A type of source without its attribute (<source/>, or none) is how a document says that a drive is
 * empty.
 */
VIRT_INTERNAL bool
qemuBlockdevHasMedium(struct qemuCommand *command, xmlNodePtr disk)
{
    static const char *const where[] = { "@file", "@dev", "@dir", "@protocol", "@volume", "@type", NULL };
    xmlNodePtr source = virXmlFirst(disk, "source");
    const char *path;
    bool cdrom = virXmlEquals(disk, "@device", "cdrom") || virXmlEquals(disk, "@device", "floppy");

    virXmlFirst(disk, "readonly");    /* true of an empty drive as well */
    if (source == NULL || (cdrom && virXmlEquals(disk, "target/@tray", "open")))
        return false;
    path = virXmlString(source, "@file");
    if (virXmlEquals(source, "@startupPolicy", "optional") && cdrom && path != NULL && !command->dry &&
        access(path, F_OK) < 0)
        return false;
    for (size_t i = 0; where[i] != NULL; i++)
        if (virXmlString(source, where[i]) != NULL)
            return true;
    return false;
}

#undef VIRT_FROM
