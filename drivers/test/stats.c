/*
 * What the simulated guests and hosts use. The figures are libvirt's test driver's: some stand still, some grow with the clock, so
 * that programs that draw curves have something to draw.
 */
#include "test.h"

#include "../common/file.h"
#include "../common/stats.h"

#include <stdio.h>
#include <sys/time.h>

#define VIRT_FROM VIR_FROM_TEST

/* An active guest's live document; NULL with the error set. */
static xmlDocPtr
testStatsDocument(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    return vm == NULL || virDomainObjCheckActive(vm) < 0 ? NULL : virDomainObjDocument(vm, false);
}

/* The element in <devices> that has this target; NULL: there is none. */
static xmlNodePtr
testStatsDevice(xmlDocPtr doc, const char *element, const char *target)
{
    VIRT_XML_EACH(device, virXmlFind(virXmlRoot(doc), "devices"), element) {
        if (virXmlEquals(device, "target/@dev", target))
            return device;
    }
    return NULL;
}

/* The microseconds of the clock, in the way in which libvirt's figures grow. */
static long long
testStatsClock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (long long)now.tv_sec * 1000 * 1000 + now.tv_nsec / 1000;
}

/* ---------- disks ---------- */

VIRT_INTERNAL int
testDomainBlockStats(virDomainPtr dom, const char *disk, virDomainBlockStatsPtr stats, size_t size)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    virDomainBlockStatsStruct whole;
    long long clock = testStatsClock();

    if (*disk == '\0')
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "summary statistics are not supported yet");
    if ((doc = testStatsDocument(dom)) == NULL)
        return -1;
    if (testStatsDevice(doc, "disk", disk) == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "invalid path: %s", disk);
    whole = (virDomainBlockStatsStruct){ clock / 10, clock / 20, clock / 30, clock / 40, clock / 1000000 / 2 };
    memcpy(stats, &whole, size);
    return 0;
}

VIRT_INTERNAL int
testDomainGetBlockInfo(virDomainPtr domain, const char *name, virDomainBlockInfoPtr info, unsigned int flags)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    xmlNodePtr disk;

    virCheckFlags(0, -1);
    if ((doc = testStatsDocument(domain)) == NULL)
        return -1;
    disk = testStatsDevice(doc, "disk", name);
    if (disk == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "invalid path %s not assigned to domain", name);
    if (virXmlFirst(disk, "source") == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "disk '%s' does not currently have a source assigned", name);
    info->capacity = 1099506450432;                  /* a qcow2 image of 1 TiB, with its tables */
    info->allocation = info->physical = 1099511627776;
    return 0;
}

/* The first disk has an error, the second no room, and so on. */
VIRT_INTERNAL int
testDomainGetDiskErrors(virDomainPtr dom, virDomainDiskErrorPtr errors, unsigned int max, unsigned int flags)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    xmlNodePtr devices;
    unsigned int n = 0;

    virCheckFlags(0, -1);
    if ((doc = testStatsDocument(dom)) == NULL)
        return -1;
    devices = virXmlFind(virXmlRoot(doc), "devices");
    if (errors == NULL)
        return (int)virXmlCount(devices, "disk");
    VIRT_XML_EACH(disk, devices, "disk") {
        if (n >= max)
            break;
        if ((errors[n].disk = virStringCopy(virXmlString(disk, "target/@dev"))) == NULL) {
            while (n > 0)
                free(errors[--n].disk);
            return -1;
        }
        errors[n].error = (int)(n % (VIR_DOMAIN_DISK_ERROR_LAST - 1)) + 1;
        n++;
    }
    return (int)n;
}

/* ---------- interfaces ---------- */

VIRT_INTERNAL int
testDomainInterfaceStats(virDomainPtr dom, const char *name, virDomainInterfaceStatsPtr stats, size_t size)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = testStatsDocument(dom);
    virDomainInterfaceStatsStruct whole;
    long long clock = testStatsClock();
    bool found = false;

    if (doc == NULL)
        return -1;
    VIRT_XML_EACH(device, virXmlFind(virXmlRoot(doc), "devices"), "interface")
        found = found || virXmlEquals(device, "target/@dev", name) || virXmlEquals(device, "mac/@address", name);
    if (!found)
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' is not a known interface", name);
    whole = (virDomainInterfaceStatsStruct){ clock / 10, clock / 100, clock / 1000000, clock / 1000000 / 2,
                                             clock / 20, clock / 110, clock / 1000000 / 3, clock / 1000000 / 4 };
    memcpy(stats, &whole, size);
    return 0;
}

/* ---------- memory ---------- */

VIRT_INTERNAL int
testDomainMemoryStats(virDomainPtr dom, virDomainMemoryStatPtr stats, unsigned int max, unsigned int flags)
{
    struct virDomainObj *vm;
    unsigned long long memory;
    unsigned int n;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(dom)) == NULL || virDomainObjCheckActive(vm) < 0)
        return -1;
    memory = vm->memory;
    {
        const virDomainMemoryStatStruct all[VIR_DOMAIN_MEMORY_STAT_NR] = {
            { VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, memory }, { VIR_DOMAIN_MEMORY_STAT_SWAP_IN, 0 },
            { VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, 0 },            { VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, 0 },
            { VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT, 0 },         { VIR_DOMAIN_MEMORY_STAT_UNUSED, memory / 2 },
            { VIR_DOMAIN_MEMORY_STAT_AVAILABLE, memory },      { VIR_DOMAIN_MEMORY_STAT_USABLE, memory / 2 },
            { VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE, 627319920 }, { VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, memory / 8 },
            { VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC, 0 },     { VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL, 0 },
            { VIR_DOMAIN_MEMORY_STAT_RSS, memory / 2 },
        };

        for (n = 0; n < VIR_DOMAIN_MEMORY_STAT_NR && n < max; n++)
            stats[n] = all[n];
    }
    return (int)n;
}

/* The balloon obeys at once. */
VIRT_INTERNAL int
testDomainSetMemory(virDomainPtr domain, unsigned long memory, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    bool live, config;
    int rc = -1;

    if (vm == NULL || virDomainObjBeginJob(vm, "virDomainSetMemoryFlags", false) < 0)
        return -1;
    if (virDomainObjCheckMemory(vm, memory, flags, &live, &config) == 0)
        rc = virDomainObjSetMemory(vm, memory, (flags & VIR_DOMAIN_MEM_MAXIMUM) != 0, live, config);
    if (rc == 0 && live)
        atomic_store(&vm->memory, memory);
    virDomainObjEndJob(vm);
    return rc;
}

VIRT_INTERNAL int
testDomainSetMemoryStatsPeriod(virDomainPtr domain, int period, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    bool live, config;
    int rc = -1;

    if (vm == NULL || virDomainObjBeginJob(vm, "virDomainSetMemoryStatsPeriod", false) < 0)
        return -1;
    if (virDomainObjAffected(vm, flags, &live, &config) == 0)
        rc = virDomainObjSetBalloonPeriod(vm, period, live, config);
    virDomainObjEndJob(vm);
    return rc;
}

/* ---------- CPU time ---------- */

/* As of libvirt: the sum has three figures, a CPU two; CPUs differ by a nanosecond. */
VIRT_INTERNAL int
testDomainGetCPUStats(virDomainPtr domain, virTypedParameterPtr params, unsigned int max, int start, unsigned int count,
                      unsigned int flags)
{
    const unsigned long long cpuTime = 48772617035ull, vcpuTime = 46303481255ull;
    struct virDomainObj *vm;
    struct virStats list = { 0 };
    int cpus, room = (int)(max * (count > 0 ? count : 1)), each;

    virCheckFlags(VIR_TYPED_PARAM_STRING_OKAY, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjCheckActive(vm) < 0)
        return -1;
    cpus = (int)vm->vcpus;
    if (start == -1) {
        virStatsAddULL(&list, cpuTime, VIR_DOMAIN_CPU_STATS_CPUTIME);
        virStatsAddULL(&list, 5540000000ull, VIR_DOMAIN_CPU_STATS_USERTIME);
        virStatsAddULL(&list, 6460000000ull, VIR_DOMAIN_CPU_STATS_SYSTEMTIME);
        if (room > 0 && list.n > room)
            list.n = room;
        return virStatsMove(&list, params, &room) < 0 ? -1 : room;
    }
    if (count == 0)
        return cpus;
    if (params == NULL)
        return 2;
    if (start >= cpus)
        return virReportError(VIR_ERR_INVALID_ARG, "start_cpu %d is beyond the last CPU, %d", start, cpus - 1);
    each = max < 2 ? (int)max : 2;
    memset(params, 0, (size_t)room * sizeof(*params));
    for (int i = 0; i < (int)count && start + i < cpus; i++) {
        const unsigned long long values[2] = { cpuTime / (unsigned int)cpus + (unsigned int)(start + i),
                                               vcpuTime / (unsigned int)cpus + (unsigned int)(start + i) };

        for (int f = 0; f < each; f++) {
            virTypedParameterPtr param = &params[(unsigned int)i * max + (unsigned int)f];

            snprintf(param->field, sizeof(param->field), "%s", f == 0 ? VIR_DOMAIN_CPU_STATS_CPUTIME : VIR_DOMAIN_CPU_STATS_VCPUTIME);
            param->type = VIR_TYPED_PARAM_ULLONG;
            param->value.ul = values[f];
        }
    }
    return each;
}

VIRT_INTERNAL char *
testDomainGetSchedulerType(virDomainPtr domain, int *nparams)
{
    if (virDomainObjOf(domain) == NULL)
        return NULL;
    if (nparams != NULL)
        *nparams = 0;
    return virStringCopy("fair");
}

/* ---------- all together ---------- */

VIRT_INTERNAL int
testDomainListGetStats(virDomainPtr *domains, unsigned int stats, virDomainStatsRecordPtr **list, unsigned int flags)
{
    struct virStatsRecords records = { 0 };
    int rc = 0;

    if (virStatsGroups(&stats, VIR_DOMAIN_STATS_STATE, flags) < 0)
        return -1;
    for (size_t i = 0; domains[i] != NULL && rc == 0; i++) {
        struct virDomainObj *vm = virDomainObjOf(domains[i]);
        struct virStats figures = { 0 };

        virResetLastError();           /* one that is gone is left out */
        if (vm == NULL || !virStatsMatch(vm, flags))
            continue;
        if ((stats & VIR_DOMAIN_STATS_STATE) != 0)
            virStatsAddState(&figures, vm);
        rc = virStatsRecordsAdd(&records, domains[i]->conn, vm, &figures);
    }
    if (rc < 0 || (rc = virStatsRecordsTake(&records, list)) < 0)
        virStatsRecordsFree(&records);
    return rc;
}

/* ---------- a hand on the keyboard: nobody is there who would notice ---------- */

VIRT_INTERNAL int
testDomainSendKey(virDomainPtr domain, unsigned int set, unsigned int hold, unsigned int *codes, int count, unsigned int flags)
{
    struct virDomainObj *vm;

    (void)hold;
    virCheckFlags(0, -1);
    if (set >= VIR_KEYCODE_SET_LAST || count < 1 || count > VIR_DOMAIN_SEND_KEY_MAX_KEYS)
        return virReportError(VIR_ERR_INVALID_ARG, "%d keys of set %u cannot be pressed", count, set);
    for (int i = 0; i < count; i++) {
        if (codes[i] == 0 || codes[i] > 0xffff)
            return virReportError(VIR_ERR_INVALID_ARG, "there is no key %u in set %u", codes[i], set);
    }
    return (vm = virDomainObjOf(domain)) == NULL || virDomainObjCheckActive(vm) < 0 ? -1 : 0;
}

VIRT_INTERNAL int
testDomainInjectNMI(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm;

    virCheckFlags(0, -1);
    return (vm = virDomainObjOf(domain)) == NULL || virDomainObjCheckActive(vm) < 0 ? -1 : 0;
}

/* ---------- the host ---------- */

VIRT_INTERNAL int
testNodeGetCPUStats(virConnectPtr conn, int cpu, virNodeCPUStatsPtr params, int *room, unsigned int flags)
{
    static const struct { const char *name; unsigned long long value; } figures[] = {
        { VIR_NODE_CPU_STATS_USER, 9797400000ull },  { VIR_NODE_CPU_STATS_KERNEL, 34678723400000ull },
        { VIR_NODE_CPU_STATS_IDLE, 87264900000ull }, { VIR_NODE_CPU_STATS_IOWAIT, 763600000ull },
    };
    int count = (int)(sizeof(figures) / sizeof(figures[0]));

    virCheckFlags(0, -1);
    if (cpu < VIR_NODE_CPU_STATS_ALL_CPUS || (cpu >= 0 && (unsigned int)cpu >= testHostOf(conn)->info.cpus))
        return virReportError(VIR_ERR_INVALID_ARG, "there is no CPU %d: this host has %u", cpu, testHostOf(conn)->info.cpus);
    if (*room != 0 && *room < count)
        return virReportError(VIR_ERR_INVALID_ARG, "there are %d parameters, and room for %d", count, *room);
    for (int i = 0; *room != 0 && i < count; i++) {
        snprintf(params[i].field, sizeof(params[i].field), "%s", figures[i].name);
        params[i].value = figures[i].value;
    }
    *room = count;
    return 0;
}

/* The models of x86 that libvirt knows by name; of the other architectures' no list is kept. */
static const char *const testCpuModels[] = {
    "486", "pentium", "pentium2", "pentium3", "pentiumpro", "coreduo", "n270", "core2duo", "qemu32", "kvm32", "cpu64-rhel5",
    "cpu64-rhel6", "qemu64", "kvm64", "Conroe", "Penryn", "Nehalem", "Nehalem-IBRS", "Westmere", "Westmere-IBRS", "SandyBridge",
    "SandyBridge-IBRS", "IvyBridge", "IvyBridge-IBRS", "Haswell-noTSX", "Haswell-noTSX-IBRS", "Haswell", "Haswell-IBRS",
    "Broadwell-noTSX", "Broadwell-noTSX-IBRS", "Broadwell", "Broadwell-IBRS", "Skylake-Client", "Skylake-Client-IBRS",
    "Skylake-Client-noTSX-IBRS", "Skylake-Server", "Skylake-Server-IBRS", "Skylake-Server-noTSX-IBRS", "Cascadelake-Server",
    "Cascadelake-Server-noTSX", "Icelake-Client", "Icelake-Client-noTSX", "Icelake-Server", "Icelake-Server-noTSX", "Cooperlake",
    "Snowridge", "athlon", "phenom", "Opteron_G1", "Opteron_G2", "Opteron_G3", "Opteron_G4", "Opteron_G5", "EPYC", "EPYC-IBPB",
    "EPYC-Rome", "EPYC-Milan", "Dhyana",
};

VIRT_INTERNAL int
testConnectGetCPUModelNames(virConnectPtr conn, const char *arch, char ***models, unsigned int flags)
{
    char **list = NULL;
    size_t n = 0;

    (void)conn;
    virCheckFlags(0, -1);
    if (strcmp(arch, "i686") != 0 && strcmp(arch, "x86_64") != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "no CPU models are known of architecture %s", arch);
    for (size_t i = 0; i < sizeof(testCpuModels) / sizeof(testCpuModels[0]); i++) {
        if (virStringsAdd(&list, &n, virStringCopy(testCpuModels[i])) < 0) {
            virStringsFree(list);
            return -1;
        }
    }
    if (models != NULL)
        *models = list;
    else
        virStringsFree(list);
    return (int)n;
}

#undef VIRT_FROM
