/*
 * What a guest's disks have done and how large they are. QEMU tells by devices, which are found by their alias; of a guest that does
 * not run, the images are looked into.
 */
#include "domstats.h"

#include "../common/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- disks in the document and in QEMU's answers ---------- */

/* Where the bytes of a disk are on this host; NULL: nowhere (no medium, or another host). */
static const char *
qemuBlockPath(xmlNodePtr disk)
{
    const char *path = virXmlString(disk, "source/@file");

    return path != NULL ? path : virXmlString(disk, "source/@dev");
}

/* The disk of this target or source. NULL: there is none; no error is set. */
static xmlNodePtr
qemuBlockDisk(xmlDocPtr doc, const char *name)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");

    if (*name == '\0')
        return NULL;
    VIRT_XML_EACH(disk, devices, "disk") {
        const char *path = qemuBlockPath(disk);

        if (virXmlEquals(disk, "target/@dev", name) || (path != NULL && strcmp(path, name) == 0))
            return disk;
    }
    return NULL;
}

/* QEMU names a device by its id, or, where the drive is behind a part of it, by that part's path. */
static const cJSON *
qemuBlockFind(const cJSON *reply, xmlNodePtr disk)
{
    static const char folder[] = "/machine/peripheral/";
    const char *alias = virXmlString(disk, "alias/@name");
    size_t length = alias != NULL ? strlen(alias) : 0;
    const cJSON *each;

    if (alias == NULL || reply == NULL)
        return NULL;
    cJSON_ArrayForEach(each, reply) {
        const char *device = virJsonString(each, "qdev");

        if (device != NULL && strncmp(device, folder, sizeof(folder) - 1) == 0)
            device += sizeof(folder) - 1;
        if (device != NULL && strncmp(device, alias, length) == 0 && (device[length] == '\0' || device[length] == '/'))
            return each;
    }
    return NULL;
}

static long long
qemuBlockNumber(const cJSON *object, const char *key)
{
    unsigned long long value;

    return virJsonULongLong(object, key, &value) == 0 ? (long long)value : -1;
}

/* ---------- what they have done ---------- */

/* In the order in which the parameters are given. */
static const struct { const char *key, *param, *figure; } qemuBlockFigures[] = {
    { "rd_operations",       VIR_DOMAIN_BLOCK_STATS_READ_REQ,          "rd.reqs" },
    { "rd_bytes",            VIR_DOMAIN_BLOCK_STATS_READ_BYTES,        "rd.bytes" },
    { "rd_total_time_ns",    VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES,  "rd.times" },
    { "wr_operations",       VIR_DOMAIN_BLOCK_STATS_WRITE_REQ,         "wr.reqs" },
    { "wr_bytes",            VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES,       "wr.bytes" },
    { "wr_total_time_ns",    VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES, "wr.times" },
    { "flush_operations",    VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ,         "fl.reqs" },
    { "flush_total_time_ns", VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES, "fl.times" },
};
enum { QEMU_BLOCK_FIGURES = sizeof(qemuBlockFigures) / sizeof(qemuBlockFigures[0]) };

/* Of one disk, or of all for "". A figure that nobody tells is -1. */
static int
qemuBlockGather(virDomainPtr dom, const char *name, long long *figures)
{
    struct virDomainObj *vm = virDomainObjOf(dom);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    VIRT_CLEANUP_JSON cJSON *reply = NULL;
    xmlNodePtr disk = NULL;

    if (vm == NULL || virDomainObjCheckActive(vm) < 0 || (doc = virDomainObjDocument(vm, false)) == NULL)
        return -1;
    if (*name != '\0' && (disk = qemuBlockDisk(doc, name)) == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "invalid path: %s", name);
    if (qemuDomainCommand(vm, "query-blockstats", NULL, &reply) < 0)
        return -1;
    for (int i = 0; i < QEMU_BLOCK_FIGURES; i++)
        figures[i] = -1;
    VIRT_XML_EACH(each, virXmlFind(virXmlRoot(doc), "devices"), "disk") {
        const cJSON *stats = disk == NULL || each == disk ? virJsonGet(qemuBlockFind(reply, each), "stats") : NULL;

        for (int i = 0; stats != NULL && i < QEMU_BLOCK_FIGURES; i++) {
            long long value = qemuBlockNumber(stats, qemuBlockFigures[i].key);

            if (value >= 0)
                figures[i] = value + (figures[i] > 0 ? figures[i] : 0);
        }
    }
    if (disk != NULL && figures[0] < 0)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': QEMU tells nothing of disk '%s'", vm->name, name);
    return 0;
}

VIRT_INTERNAL int
qemuDomainBlockStats(virDomainPtr dom, const char *disk, virDomainBlockStatsPtr stats, size_t size)
{
    long long figures[QEMU_BLOCK_FIGURES];
    virDomainBlockStatsStruct whole;

    if (qemuBlockGather(dom, disk, figures) < 0)
        return -1;
    whole = (virDomainBlockStatsStruct){ .rd_req = figures[0], .rd_bytes = figures[1], .wr_req = figures[3], .wr_bytes = figures[4],
                                         .errs = -1 };
    memcpy(stats, &whole, size);
    return 0;
}

VIRT_INTERNAL int
qemuDomainBlockStatsFlags(virDomainPtr dom, const char *disk, virTypedParameterPtr params, int *nparams, unsigned int flags)
{
    /* the numbers of bytes and requests first, as libvirt has them */
    static const int order[QEMU_BLOCK_FIGURES] = { 4, 3, 1, 0, 6, 5, 2, 7 };
    long long figures[QEMU_BLOCK_FIGURES];
    struct virStats list = { 0 };

    virCheckFlags(VIR_TYPED_PARAM_STRING_OKAY, -1);
    if (qemuBlockGather(dom, disk, figures) < 0)
        return -1;
    for (int i = 0; i < QEMU_BLOCK_FIGURES; i++) {
        if (figures[order[i]] >= 0)
            virStatsAdd(&list, VIR_TYPED_PARAM_LLONG, (unsigned long long)figures[order[i]], "%s", qemuBlockFigures[order[i]].param);
    }
    return virStatsMove(&list, params, nparams);
}

/* ---------- how large they are ---------- */

/* The length of a file, the size of a device; what a file takes. -1 with errno. */
static int
qemuBlockMeasure(const char *path, virDomainBlockInfoPtr info)
{
    VIRT_CLEANUP_CLOSE int fd = -1;
    struct stat st;
    off_t end;

    if (stat(path, &st) < 0)
        return -1;
    info->physical = (unsigned long long)st.st_size;
    info->allocation = (unsigned long long)st.st_blocks * 512;
    if (S_ISBLK(st.st_mode)) {
        if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 || (end = lseek(fd, 0, SEEK_END)) < 0)
            return -1;
        info->physical = info->allocation = (unsigned long long)end;
    }
    info->capacity = info->physical;
    return 0;
}

/* The same of an image of which the document says the format; a qcow2 image says its size in its header. */
static int
qemuBlockInspect(xmlNodePtr disk, const char *path, virDomainBlockInfoPtr info)
{
    VIRT_CLEANUP_CLOSE int fd = -1;
    unsigned char header[32];

    if (qemuBlockMeasure(path, info) < 0)
        return -1;
    if (!virXmlEquals(disk, "driver/@type", "qcow2"))
        return 0;
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
        return -1;
    if (pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header) || memcmp(header, "QFI\xfb", 4) != 0) {
        errno = EINVAL;
        return -1;
    }
    info->capacity = 0;
    for (int i = 24; i < 32; i++)
        info->capacity = info->capacity << 8 | header[i];
    return 0;
}

/* Of a running guest: QEMU knows the capacity, and how far the guest has written. */
static int
qemuBlockAsk(struct virDomainObj *vm, xmlNodePtr disk, const char *path, virDomainBlockInfoPtr info)
{
    VIRT_CLEANUP_JSON cJSON *block = NULL, *stats = NULL;
    const cJSON *image;
    struct stat st;
    long long value;

    if (qemuDomainCommand(vm, "query-block", NULL, &block) < 0)
        return -1;
    if ((image = virJsonGet(virJsonGet(qemuBlockFind(block, disk), "inserted"), "image")) == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "disk '%s' does not currently have a source assigned",
                              virXmlString(disk, "target/@dev"));
    info->capacity = (value = qemuBlockNumber(image, "virtual-size")) > 0 ? (unsigned long long)value : 0;
    info->allocation = (value = qemuBlockNumber(image, "actual-size")) > 0 ? (unsigned long long)value : 0;
    info->physical = info->allocation;
    if (path != NULL) {
        unsigned long long capacity = info->capacity;

        if (qemuBlockMeasure(path, info) < 0)
            return virReportSystemError(errno, "disk '%s': cannot look at '%s'", virXmlString(disk, "target/@dev"), path);
        info->capacity = capacity;
        if (!virXmlEquals(disk, "driver/@type", "qcow2") || stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
            return 0;
        if (qemuDomainCommand(vm, "query-blockstats", NULL, &stats) < 0)
            return -1;
        value = qemuBlockNumber(virJsonGet(virJsonGet(qemuBlockFind(stats, disk), "parent"), "stats"), "wr_highest_offset");
        if (value >= 0)
            info->allocation = (unsigned long long)value;
    }
    return 0;
}

VIRT_INTERNAL int
qemuDomainGetBlockInfo(virDomainPtr domain, const char *name, virDomainBlockInfoPtr info, unsigned int flags)
{
    struct virDomainObj *vm;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    virDomainBlockInfo found = { 0 };
    xmlNodePtr disk;
    const char *path;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || (doc = virDomainObjDocument(vm, false)) == NULL)
        return -1;
    if ((disk = qemuBlockDisk(doc, name)) == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "invalid path %s not assigned to domain", name);
    path = qemuBlockPath(disk);
    if (vm->id >= 0) {
        if (qemuBlockAsk(vm, disk, path, &found) < 0)
            return -1;
    } else if (virXmlFirst(disk, "source") == NULL) {
        return virReportError(VIR_ERR_INVALID_ARG, "disk '%s' does not currently have a source assigned", name);
    } else if (path == NULL) {
        return virReportError(VIR_ERR_OPERATION_INVALID, "disk '%s' is on no storage of this host: start the domain, and QEMU tells",
                              name);
    } else if (qemuBlockInspect(disk, path, &found) < 0) {
        return virReportSystemError(errno, "disk '%s': cannot look into '%s'", name, path);
    }
    *info = found;
    return 0;
}

/* ---------- all together ---------- */

static void
qemuBlockAddSizes(struct virStats *list, unsigned int n, const cJSON *stats, const cJSON *image, const char *path)
{
    long long high = qemuBlockNumber(virJsonGet(virJsonGet(stats, "parent"), "stats"), "wr_highest_offset");
    long long capacity = qemuBlockNumber(image, "virtual-size"), physical = qemuBlockNumber(image, "actual-size");
    virDomainBlockInfo info = { 0 };

    if (high >= 0)
        virStatsAddULL(list, high, "block.%u.allocation", n);
    if (capacity >= 0)
        virStatsAddULL(list, capacity, "block.%u.capacity", n);
    if (physical > 0)
        virStatsAddULL(list, physical, "block.%u.physical", n);
    else if (image != NULL && path != NULL && qemuBlockMeasure(path, &info) == 0)
        virStatsAddULL(list, info.physical, "block.%u.physical", n);
}

/* Of a guest that does not run, as far as its images can be read. */
static void
qemuBlockAddIdle(struct virStats *list, unsigned int n, xmlNodePtr disk, const char *path)
{
    virDomainBlockInfo info = { 0 };

    if (path == NULL || qemuBlockInspect(disk, path, &info) < 0)
        return;
    virStatsAddULL(list, info.allocation, "block.%u.allocation", n);
    virStatsAddULL(list, info.capacity, "block.%u.capacity", n);
    virStatsAddULL(list, info.physical, "block.%u.physical", n);
}

/* The images below, each with a number of its own. */
static void
qemuBlockAddBacking(struct virStats *list, unsigned int *n, xmlNodePtr disk, const cJSON *stats, const cJSON *image)
{
    unsigned int depth = 0;

    while ((image = virJsonGet(image, "backing-image")) != NULL) {
        const char *path = virJsonString(image, "filename");

        stats = virJsonGet(stats, "backing");
        virStatsAddText(list, virXmlString(disk, "target/@dev"), "block.%u.name", *n);
        if (path != NULL && *path == '/')
            virStatsAddText(list, path, "block.%u.path", *n);
        virStatsAdd(list, VIR_TYPED_PARAM_UINT, ++depth, "block.%u.backingIndex", *n);
        qemuBlockAddSizes(list, *n, stats, image, path);
        (*n)++;
    }
}

VIRT_INTERNAL void
qemuBlockAddStats(struct virStats *list, xmlDocPtr doc, const cJSON *stats, const cJSON *block, bool backing)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");
    int place = list->n;
    unsigned int n = 0;

    virStatsAdd(list, VIR_TYPED_PARAM_UINT, 0, "block.count");
    VIRT_XML_EACH(disk, devices, "disk") {
        const cJSON *entry = qemuBlockFind(stats, disk), *image = virJsonGet(virJsonGet(qemuBlockFind(block, disk), "inserted"), "image");
        const char *name = virXmlString(disk, "target/@dev"), *path = qemuBlockPath(disk);
        unsigned int top = n++;

        virStatsAddText(list, name != NULL ? name : "", "block.%u.name", top);
        if (path != NULL)
            virStatsAddText(list, path, "block.%u.path", top);
        for (int i = 0; entry != NULL && i < QEMU_BLOCK_FIGURES; i++) {
            long long value = qemuBlockNumber(virJsonGet(entry, "stats"), qemuBlockFigures[i].key);

            if (value >= 0)
                virStatsAddULL(list, value, "block.%u.%s", top, qemuBlockFigures[i].figure);
        }
        if (virXmlString(virXmlRoot(doc), "@id") == NULL)
            qemuBlockAddIdle(list, top, disk, path);
        else if (image != NULL)
            qemuBlockAddSizes(list, top, entry, image, path);
        if (backing)
            qemuBlockAddBacking(list, &n, disk, entry, image);
    }
    if (!list->failed)
        list->params[place].value.ui = n;
}

/* ---------- errors ---------- */

/* What stands still because of a disk: QEMU keeps it until the guest goes on. */
static int
qemuBlockErrorOf(const cJSON *entry)
{
    const char *status = virJsonString(entry, "io-status");

    if (status == NULL || strcmp(status, "ok") == 0)
        return VIR_DOMAIN_DISK_ERROR_NONE;
    return strcmp(status, "nospace") == 0 ? VIR_DOMAIN_DISK_ERROR_NO_SPACE : VIR_DOMAIN_DISK_ERROR_UNSPEC;
}

VIRT_INTERNAL int
qemuDomainGetDiskErrors(virDomainPtr dom, virDomainDiskErrorPtr errors, unsigned int max, unsigned int flags)
{
    struct virDomainObj *vm;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    VIRT_CLEANUP_JSON cJSON *reply = NULL;
    xmlNodePtr devices;
    unsigned int n = 0;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(dom)) == NULL || virDomainObjCheckActive(vm) < 0 || (doc = virDomainObjDocument(vm, false)) == NULL)
        return -1;
    devices = virXmlFind(virXmlRoot(doc), "devices");
    if (errors == NULL)
        return (int)virXmlCount(devices, "disk");
    if (qemuDomainCommand(vm, "query-block", NULL, &reply) < 0)
        return -1;
    VIRT_XML_EACH(disk, devices, "disk") {
        int error = qemuBlockErrorOf(qemuBlockFind(reply, disk));

        if (error == VIR_DOMAIN_DISK_ERROR_NONE || n >= max)
            continue;
        if ((errors[n].disk = virStringCopy(virXmlString(disk, "target/@dev"))) == NULL) {
            while (n > 0)
                free(errors[--n].disk);
            return -1;
        }
        errors[n++].error = error;
    }
    return (int)n;
}

#undef VIRT_FROM
