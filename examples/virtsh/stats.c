/*
 * stats.c: commands that tell what domains use, and the host
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "virtsh.h"

#define ACTIVE VIR_CONNECT_LIST_DOMAINS_ACTIVE

static const struct virtshOption activeDomain[] = { VIRTSH_DOMAIN_OPTION(ACTIVE), VIRTSH_END };

/* -- domstats ---------------------------------------------------------------------------------- */

static void
printParam(struct virtsh *sh, const char *before, const virTypedParameter *param)
{
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:     virtshPrint(sh, "%s%s=%d\n", before, param->field, param->value.i); break;
    case VIR_TYPED_PARAM_UINT:    virtshPrint(sh, "%s%s=%u\n", before, param->field, param->value.ui); break;
    case VIR_TYPED_PARAM_LLONG:   virtshPrint(sh, "%s%s=%lld\n", before, param->field, param->value.l); break;
    case VIR_TYPED_PARAM_ULLONG:  virtshPrint(sh, "%s%s=%llu\n", before, param->field, param->value.ul); break;
    case VIR_TYPED_PARAM_DOUBLE:  virtshPrint(sh, "%s%s=%f\n", before, param->field, param->value.d); break;
    case VIR_TYPED_PARAM_BOOLEAN:
        virtshPrint(sh, "%s%s=%s\n", before, param->field, param->value.b ? "yes" : "no");
        break;
    default:
        virtshPrint(sh, "%s%s=%s\n", before, param->field, param->value.s != NULL ? param->value.s : "");
    }
}

/* An option and the group of figures that it asks for; the other options are flags of the call. */
static const struct { const char *name; unsigned int group; } statsGroups[] = {
    { "state", VIR_DOMAIN_STATS_STATE }, { "cpu-total", VIR_DOMAIN_STATS_CPU_TOTAL },
    { "balloon", VIR_DOMAIN_STATS_BALLOON }, { "vcpu", VIR_DOMAIN_STATS_VCPU },
    { "interface", VIR_DOMAIN_STATS_INTERFACE }, { "block", VIR_DOMAIN_STATS_BLOCK },
    { "perf", VIR_DOMAIN_STATS_PERF }, { "iothread", VIR_DOMAIN_STATS_IOTHREAD },
    { "memory", VIR_DOMAIN_STATS_MEMORY }, { "dirtyrate", VIR_DOMAIN_STATS_DIRTYRATE },
    { "vm", VIR_DOMAIN_STATS_VM },
};

/* The domains that were named, ended by NULL; NULL after a message. The shell's. */
static virDomainPtr *
namedDomains(struct virtsh *sh)
{
    virDomainPtr *domains = virtshOwn(sh, virtshAlloc((sh->call->count + 1) * sizeof(*domains)));
    size_t n = 0;

    for (size_t i = 0; i < sh->call->count; i++) {
        const struct virtshValue *value = &sh->call->values[i];

        if (strcmp(value->option->name, "domain") != 0)
            continue;
        domains[n] = virtshLookup(sh, value->text, VIRTSH_BY_ID | VIRTSH_BY_UUID | VIRTSH_BY_NAME);
        if (domains[n++] == NULL)
            return NULL;
    }
    return domains;
}

static bool
cmdDomstats(struct virtsh *sh)
{
    unsigned int groups = 0, flags = virtshFlags(sh);
    virDomainStatsRecordPtr *records = NULL;
    virDomainPtr *domains;
    int count;

    for (size_t i = 0; i < VIRTSH_COUNT(statsGroups); i++)
        groups |= virtshHas(sh, statsGroups[i].name) ? statsGroups[i].group : 0;
    if ((domains = namedDomains(sh)) == NULL)
        return false;
    count = domains[0] != NULL ? virDomainListGetStats(domains, groups, &records, flags)
                               : virConnectGetAllDomainStats(sh->conn, groups, &records, flags);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        virtshPrint(sh, "%sDomain: '%s'\n", i > 0 ? "\n" : "", virDomainGetName(records[i]->dom));
        for (int p = 0; p < records[i]->nparams; p++)
            printParam(sh, "  ", &records[i]->params[p]);
    }
    virDomainStatsRecordListFree(records);
    return true;
}

static const struct virtshOption domstatsOptions[] = {
    { .name = "state", VIRTSH_FLAG, "report domain state" },
    { .name = "cpu-total", VIRTSH_FLAG, "report domain physical cpu usage" },
    { .name = "balloon", VIRTSH_FLAG, "report domain balloon statistics" },
    { .name = "vcpu", VIRTSH_FLAG, "report domain virtual cpu information" },
    { .name = "interface", VIRTSH_FLAG, "report domain network interface information" },
    { .name = "block", VIRTSH_FLAG, "report domain block device statistics" },
    { .name = "perf", VIRTSH_FLAG, "report domain perf event statistics" },
    { .name = "iothread", VIRTSH_FLAG, "report domain IOThread information" },
    { .name = "memory", VIRTSH_FLAG, "report domain memory usage" },
    { .name = "dirtyrate", VIRTSH_FLAG, "report domain dirty rate information" },
    { .name = "vm", VIRTSH_FLAG, "report hypervisor-specific statistics" },
    { .name = "list-active", VIRTSH_FLAG, "list only active domains",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE },
    { .name = "list-inactive", VIRTSH_FLAG, "list only inactive domains",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE },
    { .name = "list-persistent", VIRTSH_FLAG, "list only persistent domains",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT },
    { .name = "list-transient", VIRTSH_FLAG, "list only transient domains",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT },
    { .name = "list-running", VIRTSH_FLAG, "list only running domains",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING },
    { .name = "list-paused", VIRTSH_FLAG, "list only paused domains",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED },
    { .name = "list-shutoff", VIRTSH_FLAG, "list only shutoff domains",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF },
    { .name = "list-other", VIRTSH_FLAG, "list only domains in other states",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER },
    { .name = "raw", VIRTSH_FLAG, "do not pretty-print the fields" },
    { .name = "enforce", VIRTSH_FLAG, "enforce requested stats parameters",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS },
    { .name = "backing", VIRTSH_FLAG, "add backing chain information to block stats",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING },
    { .name = "nowait", VIRTSH_FLAG, "report only stats that are accessible instantly",
      .bit = VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT },
    { .name = "domain", VIRTSH_WORDS, "list of domains to get stats for", .unnamed = true },
    VIRTSH_END,
};

/* -- disks, interfaces, memory ----------------------------------------------------------------- */

static const struct { const char *param, *name, *words; } diskFigures[] = {
    { VIR_DOMAIN_BLOCK_STATS_READ_REQ, "rd_req", "number of read operations:" },
    { VIR_DOMAIN_BLOCK_STATS_READ_BYTES, "rd_bytes", "number of bytes read:" },
    { VIR_DOMAIN_BLOCK_STATS_WRITE_REQ, "wr_req", "number of write operations:" },
    { VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES, "wr_bytes", "number of bytes written:" },
    { VIR_DOMAIN_BLOCK_STATS_ERRS, "errs", "error count:" },
    { VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ, "flush_operations", "number of flush operations:" },
    { VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES, "rd_total_times", "total duration of reads (ns):" },
    { VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES, "wr_total_times", "total duration of writes (ns):" },
    { VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES, "flush_total_times", "total duration of flushes (ns):" },
};

static void
printDiskFigure(struct virtsh *sh, const char *device, size_t which, long long value)
{
    if (value >= 0 && virtshHas(sh, "human"))
        virtshPrint(sh, " %-31s %lld\n", diskFigures[which].words, value);
    else if (value >= 0)
        virtshPrint(sh, "%s %s %lld\n", device, diskFigures[which].name, value);
}

static bool
cmdDomblkstat(struct virtsh *sh)
{
    const char *device = virtshString(sh, "device") != NULL ? virtshString(sh, "device") : "";
    virDomainPtr dom = virtshDomain(sh);
    virDomainBlockStatsStruct disk;
    virTypedParameter params[16];
    int count = (int) VIRTSH_COUNT(params);
    long long value;

    if (dom == NULL)
        return false;
    if (virDomainBlockStatsFlags(dom, device, params, &count, 0) < 0) {
        if (virGetLastErrorCode() != VIR_ERR_NO_SUPPORT)
            return false;
        virtshForgetError(sh);
        if (virDomainBlockStats(dom, device, &disk, sizeof(disk)) < 0)
            return virtshFail(sh, "Failed to get block stats %s %s", virDomainGetName(dom), device);
        count = 0;
    } else {
        disk = (virDomainBlockStatsStruct) { -1, -1, -1, -1, -1 };
    }
    if (virtshHas(sh, "human"))
        virtshPrint(sh, "Device: %s\n", device);
    const long long plain[] = { disk.rd_req, disk.rd_bytes, disk.wr_req, disk.wr_bytes, disk.errs };
    for (size_t i = 0; i < VIRTSH_COUNT(diskFigures); i++) {
        if (virTypedParamsGetLLong(params, count, diskFigures[i].param, &value) == 1)
            printDiskFigure(sh, device, i, value);
        else if (i < VIRTSH_COUNT(plain))
            printDiskFigure(sh, device, i, plain[i]);
    }
    return true;
}

static const struct virtshOption domblkstatOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "device", VIRTSH_STRING, "block device", .emptyAllowed = true },
    { .name = "human", VIRTSH_FLAG, "print a more human readable output" },
    VIRTSH_END,
};

static bool
cmdDomblkinfo(struct virtsh *sh)
{
    static const char *const names[] = { "Capacity:", "Allocation:", "Physical:" };
    virDomainPtr dom = virtshDomain(sh);
    virDomainBlockInfo info;

    if (dom == NULL || virDomainGetBlockInfo(dom, virtshString(sh, "device"), &info, 0) < 0)
        return false;
    const unsigned long long sizes[] = { info.capacity, info.allocation, info.physical };
    for (size_t i = 0; i < VIRTSH_COUNT(sizes); i++) {
        const char *unit;
        double size = virtshScale(sizes[i], &unit);

        if (virtshHas(sh, "human"))
            virtshPrint(sh, "%-15s %.3f %s\n", names[i], size, unit);
        else
            virtshPrint(sh, "%-15s %llu\n", names[i], sizes[i]);
    }
    return true;
}

static const struct virtshOption domblkinfoOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "device", VIRTSH_STRING, "block device", .required = true },
    { .name = "human", VIRTSH_FLAG, "Human readable output" },
    VIRTSH_END,
};

static bool
cmdDomblkerror(struct virtsh *sh)
{
    static const char *const words[] = { "no error", "unspecified error", "no space" };
    virDomainPtr dom = virtshDomain(sh);
    virDomainDiskErrorPtr errors;
    int count;

    if (dom == NULL || (count = virDomainGetDiskErrors(dom, NULL, 0, 0)) < 0)
        return false;
    errors = virtshOwn(sh, virtshAlloc(((size_t) count + 1) * sizeof(*errors)));
    if (count > 0 && (count = virDomainGetDiskErrors(dom, errors, (unsigned int) count, 0)) < 0)
        return false;
    for (int i = 0; i < count; i++) {
        virtshPrint(sh, "%s: %s\n", errors[i].disk, virtshWord(words, VIRTSH_COUNT(words), errors[i].error));
        virtshOwn(sh, errors[i].disk);
    }
    if (count == 0)
        virtshPrint(sh, "No errors found\n");
    return true;
}

static bool
cmdDomifstat(struct virtsh *sh)
{
    static const char *const names[] = { "rx_bytes", "rx_packets", "rx_errs", "rx_drop",
                                         "tx_bytes", "tx_packets", "tx_errs", "tx_drop" };
    const char *device = virtshString(sh, "interface");
    virDomainPtr dom = virtshDomain(sh);
    virDomainInterfaceStatsStruct net;

    if (dom == NULL)
        return false;
    if (virDomainInterfaceStats(dom, device, &net, sizeof(net)) < 0)
        return virtshFail(sh, "Failed to get interface stats %s %s", virDomainGetName(dom), device);
    const long long values[] = { net.rx_bytes, net.rx_packets, net.rx_errs, net.rx_drop,
                                 net.tx_bytes, net.tx_packets, net.tx_errs, net.tx_drop };
    for (size_t i = 0; i < VIRTSH_COUNT(values); i++) {
        if (values[i] >= 0)
            virtshPrint(sh, "%s %s %lld\n", device, names[i], values[i]);
    }
    return true;
}

static const struct virtshOption domifstatOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "interface", VIRTSH_STRING, "interface device specified by name or MAC Address", .required = true },
    VIRTSH_END,
};

static bool
cmdDommemstat(struct virtsh *sh)
{
    static const char *const names[VIR_DOMAIN_MEMORY_STAT_NR] = {
        "swap_in", "swap_out", "major_fault", "minor_fault", "unused", "available", "actual", "rss", "usable",
        "last_update", "disk_caches", "hugetlb_pgalloc", "hugetlb_pgfail",
    };
    virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
    unsigned long long period = 0;
    virDomainPtr dom;
    int count;

    if (!virtshExclusive(sh, "current", "live") || !virtshExclusive(sh, "current", "config")
        || !virtshNumber(sh, "period", INT_MAX, &period) || (dom = virtshDomain(sh)) == NULL)
        return false;
    if (virtshHas(sh, "period")) {
        if (virDomainSetMemoryStatsPeriod(dom, (int) period, virtshFlags(sh)) < 0)
            return virtshFail(sh, "Unable to change balloon collection period.");
        return true;
    }
    if ((count = virDomainMemoryStats(dom, stats, VIR_DOMAIN_MEMORY_STAT_NR, 0)) < 0)
        return virtshFail(sh, "Failed to get memory statistics for domain %s", virDomainGetName(dom));
    for (int i = 0; i < count; i++)
        virtshPrint(sh, "%s %llu\n", virtshWord(names, VIRTSH_COUNT(names), stats[i].tag), stats[i].val);
    return true;
}

#define AFFECT_OPTIONS \
    { .name = "config", VIRTSH_FLAG, "affect next boot", .bit = VIR_DOMAIN_AFFECT_CONFIG }, \
    { .name = "live", VIRTSH_FLAG, "affect running domain", .bit = VIR_DOMAIN_AFFECT_LIVE }, \
    { .name = "current", VIRTSH_FLAG, "affect current domain" }

static const struct virtshOption dommemstatOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "period", VIRTSH_NUMBER, "period in seconds to set collection", .named = true },
    AFFECT_OPTIONS,
    VIRTSH_END,
};

/* A size with its unit, in KiB. */
static bool
sizeOption(struct virtsh *sh, unsigned long long *kib)
{
    static const struct { const char *unit; unsigned long long bytes; } units[] = {
        { "", 1024 }, { "b", 1 }, { "bytes", 1 }, { "k", 1024 }, { "KiB", 1024 }, { "KB", 1000 },
        { "M", 1048576 }, { "MiB", 1048576 }, { "MB", 1000000 }, { "G", 1073741824 }, { "GiB", 1073741824 },
        { "GB", 1000000000 }, { "T", 1099511627776 }, { "TiB", 1099511627776 }, { "TB", 1000000000000 },
    };
    const char *text = virtshString(sh, "size");
    unsigned long long value;
    char *end;

    value = strtoull(text, &end, 10);
    for (size_t i = 0; end != text && *text != '-' && i < VIRTSH_COUNT(units); i++) {
        if (strcasecmp(end, units[i].unit) == 0 && value <= (1ull << 62) / units[i].bytes) {
            *kib = (value * units[i].bytes + 1023) / 1024;
            return true;
        }
    }
    return virtshFail(sh, "Scaled numeric value '%s' for <size> option is malformed or out of range", text);
}

static bool
cmdSetmem(struct virtsh *sh)
{
    unsigned long long kib = 0;
    virDomainPtr dom;

    return virtshExclusive(sh, "current", "live") && virtshExclusive(sh, "current", "config")
           && (dom = virtshDomain(sh)) != NULL && sizeOption(sh, &kib)
           && virDomainSetMemoryFlags(dom, (unsigned long) kib, virtshFlags(sh)) == 0;
}

static bool
cmdSetmaxmem(struct virtsh *sh)
{
    unsigned long long kib = 0;
    virDomainPtr dom;

    if (!virtshExclusive(sh, "current", "live") || !virtshExclusive(sh, "current", "config")
        || (dom = virtshDomain(sh)) == NULL || !sizeOption(sh, &kib))
        return false;
    if (virDomainSetMemoryFlags(dom, (unsigned long) kib, virtshFlags(sh) | VIR_DOMAIN_MEM_MAXIMUM) < 0)
        return virtshFail(sh, "Unable to change MaxMemorySize");
    return true;
}

static const struct virtshOption setmemOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "size", VIRTSH_STRING, "new memory size, as scaled integer (default KiB)", .required = true },
    AFFECT_OPTIONS,
    VIRTSH_END,
};
static const struct virtshOption setmaxmemOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "size", VIRTSH_STRING, "new maximum memory size, as scaled integer (default KiB)", .required = true },
    AFFECT_OPTIONS,
    VIRTSH_END,
};

/* -- CPU time ---------------------------------------------------------------------------------- */

static void
printTimes(struct virtsh *sh, const virTypedParameter *params, int count)
{
    for (int i = 0; i < count; i++) {
        if (params[i].type == VIR_TYPED_PARAM_ULLONG)
            virtshPrint(sh, "\t%-12s %9llu.%09llu seconds\n", params[i].field, params[i].value.ul / 1000000000,
                        params[i].value.ul % 1000000000);
    }
}

/* Of the host's CPUs one by one. */
static bool
printCpuTimes(struct virtsh *sh, virDomainPtr dom)
{
    int cpus = virDomainGetCPUStats(dom, NULL, 0, 0, 0, 0), each;
    unsigned long long start = 0, count = INT_MAX;
    virTypedParameterPtr params;

    if (cpus < 0 || !virtshNumber(sh, "start", INT_MAX, &start) || !virtshNumber(sh, "count", INT_MAX, &count))
        return false;
    if (start >= (unsigned long long) cpus)
        return virtshFail(sh, "Start CPU %llu is out of range (min: 0, max: %d)", start, cpus - 1);
    if (virtshHas(sh, "count") && count > (unsigned long long) cpus - start)
        virtshPrint(sh, "Only %d CPUs available to show\n", cpus - (int) start);
    if (count > (unsigned long long) cpus - start)
        count = (unsigned long long) cpus - start;
    if ((each = virDomainGetCPUStats(dom, NULL, 0, 0, 1, 0)) < 0)
        return false;
    params = virtshOwn(sh, virtshAlloc(((size_t) each * count + 1) * sizeof(*params)));
    if (each > 0 && count > 0
        && virDomainGetCPUStats(dom, params, (unsigned int) each, (int) start, (unsigned int) count, 0) < 0)
        return false;
    for (unsigned long long cpu = 0; cpu < count; cpu++) {
        virtshPrint(sh, "CPU%llu:\n", start + cpu);
        printTimes(sh, params + cpu * (unsigned long long) each, each);
    }
    return true;
}

static bool
cmdCpuStats(struct virtsh *sh)
{
    bool some = virtshHas(sh, "start") || virtshHas(sh, "count"), total = virtshHas(sh, "total");
    virDomainPtr dom = virtshDomain(sh);
    virTypedParameter params[8];
    int count;

    if (dom == NULL)
        return false;
    if ((some || !total) && !printCpuTimes(sh, dom))
        return false;
    if (some && !total)
        return true;
    if ((count = virDomainGetCPUStats(dom, params, VIRTSH_COUNT(params), -1, 1, 0)) < 0)
        return virtshFail(sh, "Failed to retrieve CPU statistics for domain '%s'", virDomainGetName(dom));
    virtshPrint(sh, "Total:\n");
    printTimes(sh, params, count);
    return true;
}

static const struct virtshOption cpuStatsOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "total", VIRTSH_FLAG, "Show total statistics only" },
    { .name = "start", VIRTSH_NUMBER, "Show statistics from this CPU" },
    { .name = "count", VIRTSH_NUMBER, "Number of shown CPUs at most" },
    VIRTSH_END,
};

/* -- the host ---------------------------------------------------------------------------------- */

/* user, system, idle, interrupts, waiting, in this order; what is not told stays 0. Negative: failed. */
static int
readCpus(struct virtsh *sh, int cpu, unsigned long long *values, bool *present)
{
    static const char *const names[] = { VIR_NODE_CPU_STATS_USER, VIR_NODE_CPU_STATS_KERNEL, VIR_NODE_CPU_STATS_IDLE,
                                         VIR_NODE_CPU_STATS_INTR, VIR_NODE_CPU_STATS_IOWAIT };
    virNodeCPUStats stats[16];
    int count = (int) VIRTSH_COUNT(stats);

    if (virNodeGetCPUStats(sh->conn, cpu, stats, &count, 0) < 0)
        return -1;
    for (size_t i = 0; i < VIRTSH_COUNT(names); i++) {
        for (int s = 0; s < count; s++) {
            if (strcmp(stats[s].field, names[i]) == 0) {
                values[i] = stats[s].value;
                present[i] = true;
            }
        }
    }
    return 0;
}

static bool
cmdNodecpustats(struct virtsh *sh)
{
    static const char *const names[] = { "user:", "system:", "idle:", "intr:", "iowait:" };
    unsigned long long before[5] = { 0 }, after[5] = { 0 }, cpu = 0, total = 0;
    bool present[5] = { false };
    int which;

    if (!virtshNumber(sh, "cpu", INT_MAX, &cpu))
        return false;
    which = virtshHas(sh, "cpu") ? (int) cpu : VIR_NODE_CPU_STATS_ALL_CPUS;
    if (readCpus(sh, which, before, present) < 0)
        return virtshFail(sh, "Unable to get node cpu stats");
    if (!virtshHas(sh, "percent")) {
        for (int i = 0; i < 5; i++) {
            if (present[i])
                virtshPrint(sh, "%-15s %20llu\n", names[i], before[i]);
        }
        return true;
    }
    sleep(1);
    if (readCpus(sh, which, after, present) < 0)
        return virtshFail(sh, "Unable to get node cpu stats");
    for (int i = 0; i < 5; i++)
        total += after[i] - before[i];
    total = total > 0 ? total : 1;
    virtshPrint(sh, "%-15s %5.1f%%\n", "usage:",
                100.0 * (double) (after[0] - before[0] + after[1] - before[1]) / (double) total);
    for (int i = 0; i < 5; i++) {
        if (present[i])
            virtshPrint(sh, "%-15s %5.1f%%\n", names[i], 100.0 * (double) (after[i] - before[i]) / (double) total);
    }
    return true;
}

static const struct virtshOption nodecpustatsOptions[] = {
    { .name = "cpu", VIRTSH_NUMBER, "prints specified cpu statistics only." },
    { .name = "percent", VIRTSH_FLAG, "prints by percentage during 1 second." },
    VIRTSH_END,
};

static bool
cmdNodememstats(struct virtsh *sh)
{
    virNodeMemoryStats stats[16];
    int count = (int) VIRTSH_COUNT(stats);
    unsigned long long cell = 0;

    if (!virtshNumber(sh, "cell", INT_MAX, &cell))
        return false;
    if (virNodeGetMemoryStats(sh->conn, virtshHas(sh, "cell") ? (int) cell : VIR_NODE_MEMORY_STATS_ALL_CELLS, stats,
                              &count, 0) < 0)
        return virtshFail(sh, "Unable to get number of memory stats");
    for (int i = 0; i < count; i++)
        virtshPrint(sh, "%-7s: %20llu KiB\n", stats[i].field, stats[i].value);
    return true;
}

static const struct virtshOption nodememstatsOptions[] = {
    { .name = "cell", VIRTSH_NUMBER, "prints specified cell statistics only." },
    VIRTSH_END,
};

static bool
cmdDomcapabilities(struct virtsh *sh)
{
    char *xml = virtshOwn(sh, virConnectGetDomainCapabilities(sh->conn, virtshString(sh, "emulatorbin"),
                                                              virtshString(sh, "arch"), virtshString(sh, "machine"),
                                                              virtshString(sh, "virttype"), 0));

    if (xml == NULL)
        return virtshFail(sh, "failed to get emulator capabilities");
    virtshPrint(sh, "%s\n", xml);
    return true;
}

static const struct virtshOption domcapabilitiesOptions[] = {
    { .name = "virttype", VIRTSH_STRING, "virtualization type (/domain/@type)" },
    { .name = "emulatorbin", VIRTSH_STRING, "path to emulator binary (/domain/devices/emulator)" },
    { .name = "arch", VIRTSH_STRING, "domain architecture (/domain/os/type/@arch)" },
    { .name = "machine", VIRTSH_STRING, "machine type (/domain/os/type/@machine)" },
    VIRTSH_END,
};

static bool
cmdCpuModels(struct virtsh *sh)
{
    char **models = NULL;
    int count = virConnectGetCPUModelNames(sh->conn, virtshString(sh, "arch"), &models, 0);

    if (count < 0)
        return virtshFail(sh, "failed to get CPU model names");
    for (int i = 0; i < count; i++) {
        virtshPrint(sh, "%s\n", models[i]);
        free(models[i]);
    }
    free(models);
    return true;
}

static const struct virtshOption cpuModelsOptions[] = {
    { .name = "arch", VIRTSH_STRING, "architecture", .required = true },
    VIRTSH_END,
};

/* -- QEMU's monitor ---------------------------------------------------------------------------- */

static bool
cmdQemuMonitorCommand(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    char *cmd = NULL, *result = NULL;

    if (dom == NULL)
        return false;
    for (size_t i = 0; i < sh->call->count; i++) {
        const struct virtshValue *value = &sh->call->values[i];

        if (strcmp(value->option->name, "cmd") == 0)
            cmd = virtshOwn(sh, virtshFormat("%s%s%s", cmd != NULL ? cmd : "", cmd != NULL ? " " : "", value->text));
    }
    if (virDomainQemuMonitorCommand(dom, cmd, &result, virtshFlags(sh)) < 0)
        return false;
    virtshOwn(sh, result);
    virtshPrint(sh, "%s\n", result);
    return true;
}

static const struct virtshOption qemuMonitorCommandOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "hmp", VIRTSH_FLAG, "command is in human monitor protocol", .bit = VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP },
    { .name = "cmd", VIRTSH_WORDS, "command", .required = true },
    VIRTSH_END,
};

const struct virtshCommand virtshStatsCommands[] = {
    { .name = "cpu-models", "CPU models", "Get the CPU models for an arch.", cpuModelsOptions, cmdCpuModels },
    { .name = "cpu-stats", "show domain cpu statistics",
      "Display per-CPU and total statistics about the domain's CPUs", cpuStatsOptions, cmdCpuStats },
    { .name = "domblkerror", "Show errors on block devices", "Show block device errors", activeDomain,
      cmdDomblkerror },
    { .name = "domblkinfo", "domain block device size information", "Get block device size info for a domain.",
      domblkinfoOptions, cmdDomblkinfo },
    { .name = "domblkstat", "get device block stats for a domain",
      "Get device block stats for a running domain. See man page or use --human for explanation of fields",
      domblkstatOptions, cmdDomblkstat },
    { .name = "domcapabilities", "domain capabilities",
      "Returns capabilities of emulator with respect to host and libvirt.", domcapabilitiesOptions,
      cmdDomcapabilities },
    { .name = "domifstat", "get network interface stats for a domain",
      "Get network interface stats for a running domain.", domifstatOptions, cmdDomifstat },
    { .name = "dommemstat", "get memory statistics for a domain", "Get memory statistics for a running domain.",
      dommemstatOptions, cmdDommemstat },
    { .name = "domstats", "get statistics about one or multiple domains",
      "Gets statistics about one or more (or all) domains", domstatsOptions, cmdDomstats },
    { .name = "nodecpustats", "Prints cpu stats of the node.", "Returns cpu stats of the node, in nanoseconds.",
      nodecpustatsOptions, cmdNodecpustats },
    { .name = "nodememstats", "Prints memory stats of the node.", "Returns memory stats of the node, in kilobytes.",
      nodememstatsOptions, cmdNodememstats },
    { .name = "qemu-monitor-command", "QEMU Monitor Command", "QEMU Monitor Command", qemuMonitorCommandOptions,
      cmdQemuMonitorCommand },
    { .name = "setmaxmem", "change maximum memory limit",
      "Change the maximum memory allocation limit in the guest domain.", setmaxmemOptions, cmdSetmaxmem },
    { .name = "setmem", "change memory allocation", "Change the current memory allocation in the guest domain.",
      setmemOptions, cmdSetmem },
    VIRTSH_END,
};
