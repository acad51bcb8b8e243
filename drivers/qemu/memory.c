/*
 * The guest's memory: how much (-m), of what it is made (memory-backend objects), and memory devices (dimm, nvdimm, virtio-mem, ...).
 *
 * Plain memory needs no object: QEMU makes one itself. Where the document asks for huge pages, sharing, host nodes or the like, or has
 * numa cells, objects of our own replace it.
 */
#include "machine.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MEMORY_LIST_MAX 16384    /* numbers in lists of cpus and nodes */
#define QEMU_MIB(bytes) (((bytes) + (1 << 20) - 1) >> 20 << 20)

/* ---------- lists like "0-3,^2,7" ---------- */

static int
qemuListBad(const char *list)
{
    return virReportError(VIR_ERR_XML_ERROR, "'%s' is not a list of numbers like '0-3,^2,7'", list);
}

static int
qemuListParse(const char *list, unsigned char *bits)
{
    const char *at = list;

    for (;;) {
        bool remove = *at == '^';
        char *end;
        unsigned long first, last;

        at += remove;
        if (*at < '0' || *at > '9')
            return qemuListBad(list);
        first = last = strtoul(at, &end, 10);
        if (*end == '-' && !remove) {
            if (end[1] < '0' || end[1] > '9')
                return qemuListBad(list);
            last = strtoul(end + 1, &end, 10);
        }
        if (last >= QEMU_MEMORY_LIST_MAX || first > last || (*end != '\0' && *end != ','))
            return qemuListBad(list);
        memset(bits + first, !remove, last - first + 1);
        if (*end == '\0')
            return 0;
        at = end + 1;
    }
}

VIRT_INTERNAL int
qemuEachRange(const char *list, int (*visit)(unsigned int first, unsigned int last, void *opaque), void *opaque)
{
    unsigned char *bits = virAllocate(QEMU_MEMORY_LIST_MAX + 1);
    int rc = bits == NULL ? -1 : qemuListParse(list, bits);

    for (unsigned int i = 0, first; rc == 0 && i < QEMU_MEMORY_LIST_MAX; i++) {
        if (!bits[i])
            continue;
        for (first = i; bits[i + 1]; i++)
            ;
        rc = visit(first, i, opaque);
    }
    free(bits);
    return rc;
}

static int
qemuAppendRange(unsigned int first, unsigned int last, void *opaque)
{
    for (; first <= last; first++)
        if (virJsonAppend(opaque, cJSON_CreateNumber(first)) < 0)
            return -1;
    return 0;
}

VIRT_INTERNAL int
qemuAddNodes(cJSON *object, const char *name, const char *list)
{
    VIRT_CLEANUP_JSON cJSON *array = virJsonArray();

    if (array == NULL || qemuEachRange(list, qemuAppendRange, array) < 0)
        return -1;
    if (!cJSON_AddItemToObject(object, name, array))
        return virReportNoMemory();
    array = NULL;
    return 0;
}

static int
qemuRangeHas(unsigned int first, unsigned int last, void *opaque)
{
    const int *number = opaque;

    return *number >= (int)first && *number <= (int)last ? 1 : 0;
}

/* ---------- huge pages ---------- */

/* Where a hugetlbfs with pages of this size is mounted; 0: any. */
static char *
qemuHugePath(struct qemuCommand *command, unsigned long long bytes)
{
    VIRT_CLEANUP_FREE char *mounts = NULL;
    char *line, *save = NULL;

    if (command->dry)
        return virStringCopy("/dev/hugepages");
    if ((mounts = virFileRead("/proc/self/mounts", 1 << 20, NULL)) == NULL)
        return NULL;
    for (line = strtok_r(mounts, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char path[512], type[64], options[512], *at;
        unsigned long long size = 2048 * 1024;

        if (sscanf(line, "%*s %511s %63s %511s", path, type, options) != 3 || strcmp(type, "hugetlbfs") != 0)
            continue;
        if ((at = strstr(options, "pagesize=")) != NULL) {
            size = strtoull(at + strlen("pagesize="), &at, 10);
            size <<= *at == 'G' ? 30 : *at == 'M' ? 20 : *at == 'K' ? 10 : 0;
        }
        if (bytes == 0 || size == bytes)
            return virStringCopy(path);
    }
    virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "memoryBacking asks for huge pages of %llu KiB, but no hugetlbfs of them is mounted", bytes / 1024);
    return NULL;
}

/* The page size for a numa cell, from the <page> that names it or the one that names none. 1: huge pages, 0: not, -1: malformed. */
static int
qemuHugePages(struct qemuCommand *command, int cell, xmlNodePtr over, unsigned long long *bytes)
{
    xmlNodePtr hugepages = virXmlFind(virXmlRoot(command->doc), "memoryBacking/hugepages");
    int rc, number = cell < 0 ? 0 : cell, found = 0;

    *bytes = 0;
    if (over != NULL && (rc = virXmlSize(over, "source/pagesize", "KiB", bytes)) != 0)
        return rc < 0 ? -1 : *bytes > 4096;
    if (hugepages == NULL)
        return 0;
    if (virXmlFirst(hugepages, "page") == NULL)
        return 1;
    for (int pass = 0; pass < 2 && !found; pass++)
        VIRT_XML_EACH(page, hugepages, "page") {
            const char *nodes = virXmlString(page, "@nodeset");

            if ((nodes == NULL) != (pass == 1) || found)
                continue;
            if (nodes != NULL && (rc = qemuEachRange(nodes, qemuRangeHas, &number)) <= 0) {
                if (rc < 0)
                    return -1;
                continue;
            }
            if (virXmlSize(page, "@size", "KiB", bytes) < 0)
                return -1;
            found = *bytes > 4096;
        }
    return found;
}

/* ---------- host nodes ---------- */

static int
qemuMemoryAddPolicy(struct qemuCommand *command, cJSON *object, int cell, xmlNodePtr over)
{
    static const char *const policies[][2] = { { "strict", "bind" }, { "preferred", "preferred" }, { "interleave", "interleave" } };
    xmlNodePtr tune = virXmlFind(virXmlRoot(command->doc), "numatune"), from = NULL;
    const char *nodes = over != NULL ? virXmlString(over, "source/nodemask") : NULL, *mode;

    QEMU_PEEK_EACH(memnode, tune, "memnode")
        if (cell >= 0 && qemuPeekUInt(memnode, "cellid", ~0u) == (unsigned int)cell)
            from = memnode;
    /* What <memory> says of the whole guest holds where nothing else is said. */
    if (from == NULL && tune != NULL && qemuPeek(qemuPeekFirst(tune, "memory"), "nodeset") != NULL)
        from = qemuPeekFirst(tune, "memory");
    if (nodes == NULL && from != NULL)
        nodes = virXmlString(from, "@nodeset");
    if (nodes == NULL)
        return 0;
    mode = from != NULL ? virXmlString(from, "@mode") : NULL;
    if (mode == NULL)
        mode = "strict";
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (strcmp(mode, policies[i][0]) == 0)
            return qemuAddNodes(object, "host-nodes", nodes) < 0 ? -1 : virJsonAdd(object, "s:policy", policies[i][1], NULL);
    return 0;                                   /* "restrictive" leaves it to cgroups */
}

/* ---------- the object ---------- */

static bool
qemuMemoryIsShared(struct qemuCommand *command, xmlNodePtr over, int *shared)
{
    const char *mode = NULL;

    if (over != NULL && virXmlIs(over, "cell"))
        mode = virXmlString(over, "@memAccess");
    else if (over != NULL)
        mode = virXmlString(over, "@access");
    if (mode == NULL)
        mode = virXmlString(virXmlRoot(command->doc), "memoryBacking/access/@mode");
    *shared = mode == NULL ? -1 : strcmp(mode, "shared") == 0;
    return *shared == 1;
}

static int
qemuMemoryAddAllocation(struct qemuCommand *command, cJSON *object, bool huge)
{
    xmlNodePtr root = virXmlRoot(command->doc);
    bool now = huge || virXmlEquals(root, "memoryBacking/allocation/@mode", "immediate");
    unsigned int threads = 0;

    virXmlFind(root, "memoryBacking/allocation/@mode");
    if (!now)
        return 0;
    if (virXmlUInt(root, "memoryBacking/allocation/@threads", &threads) < 0)
        return -1;
    return virJsonAdd(object, "b:prealloc", 1, "U:prealloc-threads", (unsigned long long)threads, NULL);
}

static int
qemuMemoryAddPath(struct qemuCommand *command, cJSON *object, bool huge, unsigned long long page, const char *path)
{
    VIRT_CLEANUP_FREE char *mount = NULL;

    if (path != NULL)
        return virJsonAdd(object, "s:mem-path", path, NULL);
    if (huge) {
        if ((mount = qemuHugePath(command, page)) == NULL)
            return -1;
        return virJsonAdd(object, "s:mem-path", mount, NULL);
    }
    /* Given a directory, QEMU makes a file there and removes its name at once. */
    if (!command->dry && command->runDirectory != NULL && virFileMakePath(command->runDirectory, 0700) < 0)
        return -1;
    return virJsonAdd(object, "s:mem-path", command->runDirectory != NULL ? command->runDirectory : "/tmp", NULL);
}

VIRT_INTERNAL cJSON *
qemuMemoryBackend(struct qemuCommand *command, const char *id, unsigned long long bytes, int cell, xmlNodePtr over)
{
    xmlNodePtr root = virXmlRoot(command->doc);
    const char *source = virXmlString(root, "memoryBacking/source/@type");
    const char *path = over != NULL ? virXmlString(over, "source/path") : NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    unsigned long long page = 0;
    int shared, huge = path != NULL ? 0 : qemuHugePages(command, cell, over, &page);
    bool memfd = path == NULL && source != NULL && strcmp(source, "memfd") == 0;
    bool file = path != NULL || (huge > 0 && !memfd) || (source != NULL && strcmp(source, "file") == 0);
    bool discard = virXmlFind(root, "memoryBacking/discard") != NULL;
    cJSON *result;

    qemuMemoryIsShared(command, over, &shared);
    if (huge < 0 || (over != NULL && virXmlBool(over, "@discard", &discard) < 0))
        return NULL;
    object = virJsonObject("s:qom-type", memfd ? "memory-backend-memfd" : file ? "memory-backend-file" : "memory-backend-ram",
                           "s:id", id, "u:size", bytes, "T:share", shared, NULL);
    if (object == NULL || (file && !memfd && qemuMemoryAddPath(command, object, huge > 0, page, path) < 0) ||
        (memfd && huge > 0 && virJsonAdd(object, "b:hugetlb", 1, "U:hugetlbsize", page, NULL) < 0) ||
        (file && !memfd && discard && virJsonAdd(object, "b:discard-data", 1, NULL) < 0) ||
        (path == NULL && qemuMemoryAddAllocation(command, object, huge > 0) < 0) ||
        qemuMemoryAddPolicy(command, object, cell, over) < 0)
        return NULL;
    result = object;
    object = NULL;
    return result;
}

VIRT_INTERNAL bool
qemuMemoryIsSpecial(xmlDocPtr doc)
{
    static const char *const special[] = { "hugepages", "source", "access", "allocation", "discard" };
    xmlNodePtr root = xmlDocGetRootElement(doc), backing = qemuPeekFirst(root, "memoryBacking");

    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
        if (qemuPeekFirst(backing, special[i]) != NULL)
            return true;
    return qemuPeek(qemuPeekFirst(qemuPeekFirst(root, "numatune"), "memory"), "nodeset") != NULL;
}

/* ---------- -m ---------- */

/* What is in sockets of its own, from -device, and so is not part of -m; sgx-epc and virtio-pmem are no RAM. */
VIRT_INTERNAL int
qemuMemoryDevicesSize(xmlDocPtr doc, unsigned long long *bytes)
{
    xmlNodePtr devices = qemuPeekFirst(virXmlRoot(doc), "devices");

    *bytes = 0;
    QEMU_PEEK_EACH(memory, devices, "memory") {
        unsigned long long size = 0;

        if (qemuPeekIs(memory, "model", "virtio-pmem") || qemuPeekIs(memory, "model", "sgx-epc"))
            continue;
        if (virXmlSize(memory, "target/size", "KiB", &size) < 0)
            return -1;
        *bytes += size;
    }
    return 0;
}

/* The RAM that the machine begins with: the cells' where there are cells, else all that is not in devices. */
static int
qemuMemoryInitial(struct qemuCommand *command, unsigned long long *bytes)
{
    xmlNodePtr root = virXmlRoot(command->doc), numa = qemuPeekFirst(qemuPeekFirst(root, "cpu"), "numa");
    unsigned long long devices = 0, cells = 0, size;

    *bytes = 0;
    if (virXmlSize(root, "memory", "KiB", bytes) < 0 || qemuMemoryDevicesSize(command->doc, &devices) < 0)
        return -1;
    VIRT_XML_EACH(cell, numa, "cell") {
        size = 0;
        if (virXmlSize(cell, "@memory", "KiB", &size) < 0)
            return -1;
        cells += QEMU_MIB(size);
    }
    if (cells > 0)
        *bytes = cells;
    else if (devices >= *bytes && devices > 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "memory devices of %llu KiB leave nothing of a memory of %llu KiB to start with", devices / 1024,
                              *bytes / 1024);
    else
        *bytes -= devices;
    *bytes = QEMU_MIB(*bytes);
    return 0;
}

/* QEMU's name for the machine's RAM: part of the migration stream. */
static const char *
qemuMemoryName(const struct qemuMachine *machine)
{
    switch (machine->family) {
    case QEMU_MACHINE_PC: case QEMU_MACHINE_Q35: case QEMU_MACHINE_ISAPC: return "pc.ram";
    case QEMU_MACHINE_MICROVM: return "microvm.ram";
    case QEMU_MACHINE_VIRT: return machine->arm ? "mach-virt.ram" : "riscv_virt_board.ram";
    case QEMU_MACHINE_CCW: return "s390.ram";
    case QEMU_MACHINE_PSERIES: return "ppc_spapr.ram";
    case QEMU_MACHINE_OTHER: break;
    }
    return "ram";
}

static bool
qemuMemoryHasObject(xmlDocPtr doc)
{
    xmlNodePtr cpu = qemuPeekFirst(xmlDocGetRootElement(doc), "cpu");

    return qemuMemoryIsSpecial(doc) && qemuPeekFirst(qemuPeekFirst(cpu, "numa"), "cell") == NULL;
}

VIRT_INTERNAL int
qemuMemoryMachineOptions(struct qemuCommand *command, struct virText *text)
{
    struct qemuMachine machine = qemuMachineOf(command->doc);
    xmlNodePtr root = virXmlRoot(command->doc), devices = qemuPeekFirst(root, "devices");
    xmlNodePtr numa = qemuPeekFirst(qemuPeekFirst(root, "cpu"), "numa");
    bool hmat = qemuPeekFirst(numa, "interconnects") != NULL;

    if (virXmlFind(root, "memoryBacking/nosharepages") != NULL)
        virTextAdd(text, ",mem-merge=off");
    QEMU_PEEK_EACH(memory, devices, "memory")
        if (qemuPeekIs(memory, "model", "nvdimm")) {
            virTextAdd(text, ",nvdimm=on");
            break;
        }
    QEMU_PEEK_EACH(cell, numa, "cell")
        hmat = hmat || qemuPeekFirst(cell, "cache") != NULL;
    if (hmat)
        virTextAdd(text, ",hmat=on");
    if (qemuMemoryHasObject(command->doc))
        virTextAdd(text, ",memory-backend=%s", qemuMemoryName(&machine));
    return 0;
}

VIRT_INTERNAL int
qemuAddMemory(struct qemuCommand *command)
{
    struct qemuMachine machine = qemuMachineOf(command->doc);
    xmlNodePtr root = virXmlRoot(command->doc);
    unsigned long long bytes, max = 0;
    unsigned int slots = 0;
    bool locked = virXmlFind(root, "memoryBacking/locked") != NULL;
    cJSON *object;

    if (qemuMemoryInitial(command, &bytes) < 0 || virXmlSize(root, "maxMemory", "KiB", &max) < 0 ||
        virXmlUInt(root, "maxMemory/@slots", &slots) < 0)
        return -1;
    if (max > 0 ? qemuCommandAddFormat(command, "-m", "size=%lluk,slots=%u,maxmem=%lluk", bytes / 1024, slots, QEMU_MIB(max) / 1024) < 0 :
        qemuCommandAddFormat(command, "-m", "size=%lluk", bytes / 1024) < 0)
        return -1;
    if (qemuMemoryHasObject(command->doc)) {
        if ((object = qemuMemoryBackend(command, qemuMemoryName(&machine), bytes, -1, NULL)) == NULL)
            return -1;
        if (qemuCommandAdd(command, "-object") < 0) {
            cJSON_Delete(object);
            return -1;
        }
        char *text = virJsonFormat(object);

        cJSON_Delete(object);
        if (virStringsAdd(&command->argv, &command->argc, text) < 0)
            return -1;
    }
    return qemuCommandAddFormat(command, "-overcommit", "mem-lock=%s", locked ? "on" : "off");
}

/* ---------- memory devices ---------- */

static int
qemuMemoryAddNvdimm(xmlNodePtr memory, cJSON *object, cJSON *backend)
{
    unsigned long long label = 0, align = 0;

    if (virXmlSize(memory, "target/label/size", "KiB", &label) < 0 || virXmlSize(memory, "source/alignsize", "KiB", &align) < 0 ||
        virJsonAdd(backend, "B:pmem", virXmlFind(memory, "source/pmem") != NULL, "U:align", align, NULL) < 0)
        return -1;
    return virJsonAdd(object, "U:label-size", label, "S:uuid", virXmlString(memory, "uuid"),
                      "B:unarmed", virXmlFind(memory, "target/readonly") != NULL, NULL);
}

/* virtio-mem: a block that the guest gives back and takes in parts. */
static int
qemuMemoryAddVirtio(xmlNodePtr memory, cJSON *object)
{
    unsigned long long block = 0, requested = 0;

    if (virXmlSize(memory, "target/block", "KiB", &block) < 0 || virXmlSize(memory, "target/requested", "KiB", &requested) < 0)
        return -1;
    return virJsonAdd(object, "U:block-size", block, "u:requested-size", requested, NULL);
}

static cJSON *
qemuMemoryDevice(struct qemuCommand *command, xmlNodePtr memory, const char *model, const char *backend)
{
    VIRT_CLEANUP_FREE char *driver = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    unsigned int node = 0, slot = 0;
    unsigned long long base = 0;
    bool virtio = strncmp(model, "virtio", 6) == 0, pmem = strcmp(model, "virtio-pmem") == 0;
    int rc;

    driver = virtio ? qemuVirtioDriver(memory, model) : virStringCopy(strcmp(model, "dimm") == 0 ? "pc-dimm" : model);
    if (driver == NULL || (object = qemuDeviceObject(command, memory, driver, false)) == NULL ||
        virJsonAdd(object, "s:memdev", backend, NULL) < 0)
        return NULL;
    if ((rc = virXmlUInt(memory, "target/node", &node)) < 0 || (rc > 0 && !pmem && virJsonAdd(object, "i:node", (int)node, NULL) < 0))
        return NULL;
    if (!virtio && ((rc = virXmlUInt(memory, "address/@slot", &slot)) < 0 || (rc > 0 && virJsonAdd(object, "i:slot", (int)slot, NULL) < 0) ||
        virXmlULongLong(memory, "address/@base", &base) < 0 || virJsonAdd(object, "U:addr", base, NULL) < 0))
        return NULL;
    if (strcmp(model, "virtio-mem") == 0 && qemuMemoryAddVirtio(memory, object) < 0)
        return NULL;
    return qemuTake(&object);
}

VIRT_INTERNAL int
qemuBuildMemoryDevice(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *model = virXmlNeed(device, "@model"), *alias = qemuDeviceAlias(device);
    unsigned long long size = 0;
    unsigned int node = ~0u;
    char id[128];
    VIRT_CLEANUP_JSON cJSON *object = NULL, *backend = NULL;

    if (model == NULL || alias == NULL || virXmlSize(device, "target/size", "KiB", &size) < 0 || virXmlUInt(device, "target/node", &node) < 0)
        return -1;
    if (strcmp(model, "sgx-epc") == 0)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "model 'sgx-epc' needs a host with SGX and domain type 'kvm'");
    snprintf(id, sizeof(id), "mem%.100s", alias);
    /* A dimm's size is a multiple of its pages, an nvdimm's that of the file. */
    if (strcmp(model, "dimm") == 0)
        size = QEMU_MIB(size);
    if ((backend = qemuMemoryBackend(command, id, size, node == ~0u ? -1 : (int)node, device)) == NULL ||
        (object = qemuMemoryDevice(command, device, model, id)) == NULL ||
        (strcmp(model, "nvdimm") == 0 && qemuMemoryAddNvdimm(device, object, backend) < 0))
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_OBJECT, &backend) < 0 || qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object) < 0 ? -1 : 0;
}

#undef QEMU_MIB
#undef QEMU_MEMORY_LIST_MAX
#undef VIRT_FROM
