/*
 * What guests use. A figure comes from QEMU where QEMU alone knows it, and from /proc where the kernel does: that waits for nobody.
 *
 * virConnectGetAllDomainStats may be asked of many guests, one of which hangs. So all of them are asked before any is waited for,
 * and all together have QEMU_STATS_DEADLINE; who has not answered by then does without what QEMU would have told.
 */
#include "domstats.h"

#include "../common/json.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_STATS_DEADLINE 5000       /* ms */

/* ---------- /proc ---------- */

struct qemuUsage {
    unsigned long long user, system;   /* ns */
    unsigned long long rss;            /* KiB */
};

/* Of a process (thread 0) or of one thread of it. False: it is gone; no error is set. */
static bool
qemuUsageRead(int pid, int thread, struct qemuUsage *usage)
{
    unsigned long long tick = 1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK), user, system;
    char path[80], text[1024];
    const char *end;
    size_t length;
    FILE *file;
    long rss = 0;

    if (thread > 0)
        snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, thread);
    else
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (pid <= 0 || (file = fopen(path, "re")) == NULL)
        return false;
    length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    /* After the name: field 3 is the state, 14 and 15 are times, 24 is what it has in memory. */
    if ((end = strrchr(text, ')')) == NULL ||
        sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
               &user, &system, &rss) != 3)
        return false;
    usage->user = user * tick;
    usage->system = system * tick;
    usage->rss = (unsigned long long)rss * (unsigned long long)sysconf(_SC_PAGESIZE) / 1024;
    return true;
}

/* How long a thread has waited for a CPU, in ns; false where the kernel does not tell. */
static bool
qemuUsageDelay(int pid, int thread, unsigned long long *delay)
{
    char path[80], text[128] = "";
    FILE *file;
    bool found;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, thread);
    if ((file = fopen(path, "re")) == NULL)
        return false;
    found = fgets(text, sizeof(text), file) != NULL && sscanf(text, "%*u %llu", delay) == 1;
    fclose(file);
    return found;
}

/* How long it has slept for want of something, in ns, where the kernel counts that; else 0. */
static unsigned long long
qemuUsageWait(int pid, int thread)
{
    char path[80], line[256];
    double wait = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/sched", pid, thread);
    if ((file = fopen(path, "re")) == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        char *colon = strchr(line, ':');

        if (strstr(line, "wait_sum") != NULL && colon != NULL) {
            colon[1 + strcspn(colon + 1, "\n")] = '\0';
            virDoubleParse(colon + 1, &wait);
            break;
        }
    }
    fclose(file);
    return (unsigned long long)(wait * 1000000);
}

static int
qemuUsagePid(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    return priv != NULL ? atomic_load(&priv->pid) : 0;
}

/* ---------- interfaces ---------- */

/*
 * The host's counters of a device, seen from the guest: what the host has sent to a tap device the guest has received. A macvtap
 * device already sees it as the guest does.
 */
static int
qemuInterfaceRead(xmlNodePtr interface, const char *device, virDomainInterfaceStatsPtr stats)
{
    virDomainInterfaceStatsStruct host;
    size_t length = strlen(device);
    bool found = false;
    char line[512];
    FILE *file = fopen("/proc/net/dev", "re");

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        const char *name = line + strspn(line, " ");

        found = strncmp(name, device, length) == 0 && name[length] == ':' &&
                sscanf(name + length + 1, "%lld %lld %lld %lld %*d %*d %*d %*d %lld %lld %lld %lld", &host.rx_bytes, &host.rx_packets,
                       &host.rx_errs, &host.rx_drop, &host.tx_bytes, &host.tx_packets, &host.tx_errs, &host.tx_drop) == 8;
    }
    if (file != NULL)
        fclose(file);
    if (!found)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "interface '%s' is not a device of this host", device);
    if (virXmlEquals(interface, "@type", "direct"))
        *stats = host;
    else
        *stats = (virDomainInterfaceStatsStruct){ host.tx_bytes, host.tx_packets, host.tx_errs, host.tx_drop,
                                                  host.rx_bytes, host.rx_packets, host.rx_errs, host.rx_drop };
    return 0;
}

VIRT_INTERNAL int
qemuDomainInterfaceStats(virDomainPtr dom, const char *device, virDomainInterfaceStatsPtr stats, size_t size)
{
    struct virDomainObj *vm = virDomainObjOf(dom);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    virDomainInterfaceStatsStruct whole;
    const char *target = NULL;
    xmlNodePtr found = NULL;

    if (vm == NULL || virDomainObjCheckActive(vm) < 0 || (doc = virDomainObjDocument(vm, false)) == NULL)
        return -1;
    VIRT_XML_EACH(interface, virXmlFind(virXmlRoot(doc), "devices"), "interface") {
        const char *mac = virXmlString(interface, "mac/@address");

        if (found == NULL && (virXmlEquals(interface, "target/@dev", device) || (mac != NULL && strcasecmp(mac, device) == 0)))
            found = interface;
    }
    if (found == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' is not a known interface", device);
    if ((target = virXmlString(found, "target/@dev")) == NULL)
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "interface '%s' has no device on the host: nobody counts what it carries",
                              device);
    if (qemuInterfaceRead(found, target, &whole) < 0)
        return -1;
    memcpy(stats, &whole, size);
    return 0;
}

static void
qemuInterfaceAddStats(struct virStats *list, xmlDocPtr doc)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");
    unsigned int n = 0;

    virStatsAdd(list, VIR_TYPED_PARAM_UINT, virXmlCount(devices, "interface"), "net.count");
    VIRT_XML_EACH(interface, devices, "interface") {
        const char *device = virXmlString(interface, "target/@dev");
        virDomainInterfaceStatsStruct stats;
        unsigned int at = n++;

        if (device == NULL)
            continue;
        virStatsAddText(list, device, "net.%u.name", at);
        if (list->failed || qemuInterfaceRead(interface, device, &stats) < 0)
            continue;
        virStatsAddULL(list, stats.rx_bytes, "net.%u.rx.bytes", at);
        virStatsAddULL(list, stats.rx_packets, "net.%u.rx.pkts", at);
        virStatsAddULL(list, stats.rx_errs, "net.%u.rx.errs", at);
        virStatsAddULL(list, stats.rx_drop, "net.%u.rx.drop", at);
        virStatsAddULL(list, stats.tx_bytes, "net.%u.tx.bytes", at);
        virStatsAddULL(list, stats.tx_packets, "net.%u.tx.pkts", at);
        virStatsAddULL(list, stats.tx_errs, "net.%u.tx.errs", at);
        virStatsAddULL(list, stats.tx_drop, "net.%u.tx.drop", at);
    }
}

/* ---------- memory ---------- */

VIRT_INTERNAL char *
qemuBalloonPath(xmlDocPtr doc)
{
    xmlNodePtr balloon = virXmlFind(virXmlRoot(doc), "devices/memballoon");
    const char *alias = balloon != NULL ? virXmlString(balloon, "alias/@name") : NULL;

    if (alias != NULL && !virXmlEquals(balloon, "@model", "none"))
        return virStringFormat("/machine/peripheral/%s", alias);
    virReportError(VIR_ERR_OPERATION_INVALID, "the domain has no memory balloon");
    return NULL;
}

/* What the guest tells of itself; sizes become KiB. In the order in which they are given. */
static const struct qemuMemoryFigure {
    int tag;
    const char *key, *figure;
    unsigned int unit;
} qemuMemoryFigures[] = {
    { VIR_DOMAIN_MEMORY_STAT_SWAP_IN,         "stat-swap-in",          "swap_in", 1024 },
    { VIR_DOMAIN_MEMORY_STAT_SWAP_OUT,        "stat-swap-out",         "swap_out", 1024 },
    { VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT,     "stat-major-faults",     "major_fault", 1 },
    { VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT,     "stat-minor-faults",     "minor_fault", 1 },
    { VIR_DOMAIN_MEMORY_STAT_UNUSED,          "stat-free-memory",      "unused", 1024 },
    { VIR_DOMAIN_MEMORY_STAT_AVAILABLE,       "stat-total-memory",     "available", 1024 },
    { VIR_DOMAIN_MEMORY_STAT_USABLE,          "stat-available-memory", "usable", 1024 },
    { VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE,     "last-update",           "last-update", 1 },
    { VIR_DOMAIN_MEMORY_STAT_DISK_CACHES,     "stat-disk-caches",      "disk_caches", 1024 },
    { VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC, "stat-htlb-pgalloc",     "hugetlb_pgalloc", 1 },
    { VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL,  "stat-htlb-pgfail",      "hugetlb_pgfail", 1 },
};
enum { QEMU_MEMORY_FIGURES = sizeof(qemuMemoryFigures) / sizeof(qemuMemoryFigures[0]) };

/* One figure of the answer to qom-get guest-stats; false where the guest has not told it, for which QEMU says all ones. */
static bool
qemuMemoryFigure(const cJSON *reply, const struct qemuMemoryFigure *figure, unsigned long long *value)
{
    const cJSON *from = figure->tag == VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE ? reply : virJsonGet(reply, "stats");

    if (from == NULL || virJsonULongLong(from, figure->key, value) < 0 || *value == ULLONG_MAX)
        return false;
    *value /= figure->unit;
    return true;
}

/* KiB, from the answer to query-balloon; what was there last where there is no answer. */
static unsigned long long
qemuMemoryActual(struct virDomainObj *vm, const cJSON *reply)
{
    unsigned long long actual;

    return reply != NULL && virJsonULongLong(reply, "actual", &actual) == 0 ? actual / 1024 : vm->memory;
}

static void
qemuMemoryAddStats(struct virStats *list, struct virDomainObj *vm, const cJSON *balloon, const cJSON *guest)
{
    struct qemuUsage usage;
    unsigned long long value;

    virStatsAddULL(list, qemuMemoryActual(vm, balloon), "balloon.current");
    virStatsAddULL(list, vm->maxMemory, "balloon.maximum");
    for (int i = 0; i < QEMU_MEMORY_FIGURES; i++) {
        if (qemuMemoryFigure(guest, &qemuMemoryFigures[i], &value))
            virStatsAddULL(list, value, "balloon.%s", qemuMemoryFigures[i].figure);
    }
    if (qemuUsageRead(qemuUsagePid(vm), 0, &usage))
        virStatsAddULL(list, usage.rss, "balloon.rss");
}

VIRT_INTERNAL int
qemuDomainMemoryStats(virDomainPtr dom, virDomainMemoryStatPtr stats, unsigned int max, unsigned int flags)
{
    struct virDomainObj *vm;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    VIRT_CLEANUP_FREE char *path = NULL;
    VIRT_CLEANUP_JSON cJSON *balloon = NULL, *guest = NULL;
    struct qemuUsage usage;
    unsigned long long value;
    cJSON *args;
    int n = 0, room = max > VIR_DOMAIN_MEMORY_STAT_NR ? VIR_DOMAIN_MEMORY_STAT_NR : (int)max;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(dom)) == NULL || virDomainObjCheckActive(vm) < 0 || (doc = virDomainObjDocument(vm, false)) == NULL)
        return -1;
    if ((path = qemuBalloonPath(doc)) == NULL) {
        virResetLastError();           /* its memory is what it was given */
    } else if (qemuDomainCommand(vm, "query-balloon", NULL, &balloon) < 0 ||
               (args = virJsonObject("s:path", path, "s:property", "guest-stats", NULL)) == NULL ||
               qemuDomainCommand(vm, "qom-get", args, &guest) < 0) {
        return -1;
    }
    if (n < room)
        stats[n++] = (virDomainMemoryStatStruct){ VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, qemuMemoryActual(vm, balloon) };
    for (int i = 0; i < QEMU_MEMORY_FIGURES && n < room; i++) {
        if (qemuMemoryFigure(guest, &qemuMemoryFigures[i], &value))
            stats[n++] = (virDomainMemoryStatStruct){ qemuMemoryFigures[i].tag, value };
    }
    if (n < room && qemuUsageRead(qemuUsagePid(vm), 0, &usage))
        stats[n++] = (virDomainMemoryStatStruct){ VIR_DOMAIN_MEMORY_STAT_RSS, usage.rss };
    return n;
}

/* ---------- CPU time ---------- */

static unsigned long long
qemuCpuTime(int pid, const struct qemuUsage *usage)
{
    struct virProcess process = { .pid = pid };
    unsigned long long ns;

    return virProcessCpuTime(&process, &ns) == 0 ? ns : usage->user + usage->system;
}

/* The kernel counts by host CPUs only in control groups, and guests are in none. */
VIRT_INTERNAL int
qemuDomainGetCPUStats(virDomainPtr domain, virTypedParameterPtr params, unsigned int max, int start, unsigned int count,
                      unsigned int flags)
{
    struct virDomainObj *vm;
    struct virStats list = { 0 };
    struct qemuUsage usage;
    int room = (int)max, pid;

    virCheckFlags(VIR_TYPED_PARAM_STRING_OKAY, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjCheckActive(vm) < 0)
        return -1;
    if (start >= 0)
        return count == 0 ? (int)sysconf(_SC_NPROCESSORS_CONF)
                          : virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "the domain is in no control group: its CPU time is known as "
                                           "a whole only (start_cpu -1)");
    if ((pid = qemuUsagePid(vm)) <= 0 || !qemuUsageRead(pid, 0, &usage))
        return virDomainObjReportInactive(vm);
    virStatsAddULL(&list, qemuCpuTime(pid, &usage), VIR_DOMAIN_CPU_STATS_CPUTIME);
    virStatsAddULL(&list, usage.user, VIR_DOMAIN_CPU_STATS_USERTIME);
    virStatsAddULL(&list, usage.system, VIR_DOMAIN_CPU_STATS_SYSTEMTIME);
    if (room > 0 && list.n > room)
        list.n = room;                 /* fewer may be asked for: the first ones */
    return virStatsMove(&list, params, &room) < 0 ? -1 : room;
}

/* The kernel's own, with nothing to be set. */
VIRT_INTERNAL char *
qemuDomainGetSchedulerType(virDomainPtr domain, int *nparams)
{
    if (virDomainObjOf(domain) == NULL)
        return NULL;
    if (nparams != NULL)
        *nparams = 0;
    return virStringCopy("posix");
}

static void
qemuCpuAddStats(struct virStats *list, struct virDomainObj *vm)
{
    int pid = qemuUsagePid(vm);
    struct qemuUsage usage;

    if (pid <= 0 || !qemuUsageRead(pid, 0, &usage))
        return;
    virStatsAddULL(list, qemuCpuTime(pid, &usage), "cpu.time");
    virStatsAddULL(list, usage.user, "cpu.user");
    virStatsAddULL(list, usage.system, "cpu.system");
}

static void
qemuVcpuAddStats(struct virStats *list, struct virDomainObj *vm, const cJSON *reply)
{
    int pid = qemuUsagePid(vm);
    const cJSON *each;

    virStatsAdd(list, VIR_TYPED_PARAM_UINT, vm->vcpus, "vcpu.current");
    virStatsAdd(list, VIR_TYPED_PARAM_UINT, vm->maxVcpus, "vcpu.maximum");
    cJSON_ArrayForEach(each, reply) {
        int index = 0, thread = 0;
        struct qemuUsage usage;
        unsigned long long delay;

        if (virJsonInt(each, "cpu-index", &index) < 0 || virJsonInt(each, "thread-id", &thread) < 0 ||
            !qemuUsageRead(pid, thread, &usage))
            continue;
        virStatsAdd(list, VIR_TYPED_PARAM_INT, vm->state == VIR_DOMAIN_RUNNING ? VIR_VCPU_RUNNING : VIR_VCPU_BLOCKED, "vcpu.%d.state", index);
        virStatsAddULL(list, usage.user + usage.system, "vcpu.%d.time", index);
        virStatsAddULL(list, qemuUsageWait(pid, thread), "vcpu.%d.wait", index);
        if (qemuUsageDelay(pid, thread, &delay))
            virStatsAddULL(list, delay, "vcpu.%d.delay", index);
    }
}

/* ---------- what QEMU alone knows ---------- */

static void
qemuIothreadAddStats(struct virStats *list, const cJSON *reply)
{
    const cJSON *each;

    if (reply == NULL || cJSON_GetArraySize(reply) == 0)
        return;
    virStatsAdd(list, VIR_TYPED_PARAM_UINT, (unsigned int)cJSON_GetArraySize(reply), "iothread.count");
    cJSON_ArrayForEach(each, reply) {
        const char *name = virJsonString(each, "id");
        unsigned long long value;
        unsigned int id;

        if (name == NULL || sscanf(name, "iothread%u", &id) != 1)
            continue;
        if (virJsonULongLong(each, "poll-max-ns", &value) == 0)
            virStatsAddULL(list, value, "iothread.%u.poll-max-ns", id);
        if (virJsonULongLong(each, "poll-grow", &value) == 0)
            virStatsAdd(list, VIR_TYPED_PARAM_UINT, value, "iothread.%u.poll-grow", id);
        if (virJsonULongLong(each, "poll-shrink", &value) == 0)
            virStatsAdd(list, VIR_TYPED_PARAM_UINT, value, "iothread.%u.poll-shrink", id);
    }
}

static void
qemuDirtyRateAddStats(struct virStats *list, const cJSON *reply)
{
    static const char *const statuses[] = { "unstarted", "measuring", "measured" };
    const char *status = virJsonString(reply, "status"), *mode = virJsonString(reply, "mode");
    unsigned long long value;

    for (unsigned int i = 0; status != NULL && i < 3; i++) {
        if (strcmp(status, statuses[i]) == 0)
            virStatsAdd(list, VIR_TYPED_PARAM_INT, i, "dirtyrate.calc_status");
    }
    if (virJsonULongLong(reply, "start-time", &value) == 0)
        virStatsAdd(list, VIR_TYPED_PARAM_LLONG, value, "dirtyrate.calc_start_time");
    if (virJsonULongLong(reply, "calc-time", &value) == 0)
        virStatsAdd(list, VIR_TYPED_PARAM_INT, value, "dirtyrate.calc_period");
    if (mode != NULL)
        virStatsAddText(list, mode, "dirtyrate.calc_mode");
    if (virJsonULongLong(reply, "dirty-rate", &value) == 0)
        virStatsAdd(list, VIR_TYPED_PARAM_LLONG, value, "dirtyrate.megabytes_per_second");
}

/* ---------- all together ---------- */

#define QEMU_STATS_GROUPS (VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU | \
                           VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK | VIR_DOMAIN_STATS_IOTHREAD | VIR_DOMAIN_STATS_DIRTYRATE)

/* The commands that a group needs. */
enum qemuStatsQuery {
    QEMU_STATS_BALLOON, QEMU_STATS_GUEST, QEMU_STATS_CPUS, QEMU_STATS_BLOCKSTATS, QEMU_STATS_BLOCK, QEMU_STATS_IOTHREADS,
    QEMU_STATS_DIRTYRATE, QEMU_STATS_QUERIES
};
static const struct { const char *command; unsigned int group; } qemuStatsQueries[QEMU_STATS_QUERIES] = {
    [QEMU_STATS_BALLOON]    = { "query-balloon", VIR_DOMAIN_STATS_BALLOON },
    [QEMU_STATS_GUEST]      = { "qom-get", VIR_DOMAIN_STATS_BALLOON },
    [QEMU_STATS_CPUS]       = { "query-cpus-fast", VIR_DOMAIN_STATS_VCPU },
    [QEMU_STATS_BLOCKSTATS] = { "query-blockstats", VIR_DOMAIN_STATS_BLOCK },
    [QEMU_STATS_BLOCK]      = { "query-block", VIR_DOMAIN_STATS_BLOCK },
    [QEMU_STATS_IOTHREADS]  = { "query-iothreads", VIR_DOMAIN_STATS_IOTHREAD },
    [QEMU_STATS_DIRTYRATE]  = { "query-dirty-rate", VIR_DOMAIN_STATS_DIRTYRATE },
};

/* A guest whose statistics are being put together. */
struct qemuStatsGuest {
    struct virDomainObj *vm;           /* the handle's */
    bool active;
    xmlDocPtr doc;
    struct qemuMonitor *monitor;       /* a reference; NULL: QEMU is not asked */
    qemuMonitorId ids[QEMU_STATS_QUERIES];
    cJSON *replies[QEMU_STATS_QUERIES];
};

/* Sends what the groups need; what cannot be sent is not waited for. A guest that has been silent for long is left alone. */
static void
qemuStatsAsk(struct qemuStatsGuest *guest, unsigned int stats, unsigned int flags)
{
    VIRT_CLEANUP_FREE char *path = NULL;
    unsigned long long busy;
    bool overdue;

    if (!guest->active || (guest->monitor = qemuDomainMonitor(guest->vm)) == NULL)
        return;
    busy = qemuMonitorBusy(guest->monitor, &overdue);
    if (busy > QEMU_STATS_DEADLINE * 1000ull || (busy > 0 && (flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) != 0))
        return;
    if ((stats & VIR_DOMAIN_STATS_BALLOON) != 0)
        path = qemuBalloonPath(guest->doc);
    for (int i = 0; i < QEMU_STATS_QUERIES; i++) {
        cJSON *args = NULL;

        if ((stats & qemuStatsQueries[i].group) == 0 || (path == NULL && qemuStatsQueries[i].group == VIR_DOMAIN_STATS_BALLOON))
            continue;
        if (i == QEMU_STATS_GUEST && (args = virJsonObject("s:path", path, "s:property", "guest-stats", NULL)) == NULL)
            continue;
        guest->ids[i] = qemuMonitorSend(guest->monitor, qemuStatsQueries[i].command, args, false);
    }
}

/* Collects the replies until `end` (virTimeNowUs). A refusal is a figure less. */
static void
qemuStatsCollect(struct qemuStatsGuest *guest, unsigned long long end)
{
    for (int i = 0; i < QEMU_STATS_QUERIES; i++) {
        unsigned long long now = virTimeNowUs();

        if (guest->ids[i] != 0 &&
            qemuMonitorReceive(guest->monitor, guest->ids[i], now < end ? (int)((end - now) / 1000) : 0, &guest->replies[i]) == 0)
            qemuMonitorForget(guest->monitor, guest->ids[i]);
    }
}

static int
qemuStatsRecord(struct virStatsRecords *records, virConnectPtr conn, struct qemuStatsGuest *guest, unsigned int stats,
                unsigned int flags)
{
    cJSON *const *replies = guest->replies;
    struct virStats list = { 0 };

    virResetLastError();
    if ((stats & VIR_DOMAIN_STATS_STATE) != 0)
        virStatsAddState(&list, guest->vm);
    if ((stats & VIR_DOMAIN_STATS_CPU_TOTAL) != 0 && guest->active)
        qemuCpuAddStats(&list, guest->vm);
    if ((stats & VIR_DOMAIN_STATS_BALLOON) != 0)
        qemuMemoryAddStats(&list, guest->vm, replies[QEMU_STATS_BALLOON], replies[QEMU_STATS_GUEST]);
    if ((stats & VIR_DOMAIN_STATS_VCPU) != 0)
        qemuVcpuAddStats(&list, guest->vm, replies[QEMU_STATS_CPUS]);
    if ((stats & VIR_DOMAIN_STATS_INTERFACE) != 0 && guest->active)
        qemuInterfaceAddStats(&list, guest->doc);
    if ((stats & VIR_DOMAIN_STATS_BLOCK) != 0)
        qemuBlockAddStats(&list, guest->doc, replies[QEMU_STATS_BLOCKSTATS], replies[QEMU_STATS_BLOCK],
                          (flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING) != 0);
    if ((stats & VIR_DOMAIN_STATS_IOTHREAD) != 0)
        qemuIothreadAddStats(&list, replies[QEMU_STATS_IOTHREADS]);
    if ((stats & VIR_DOMAIN_STATS_DIRTYRATE) != 0 && replies[QEMU_STATS_DIRTYRATE] != NULL)
        qemuDirtyRateAddStats(&list, replies[QEMU_STATS_DIRTYRATE]);
    return virStatsRecordsAdd(records, conn, guest->vm, &list);
}

static void
qemuStatsRelease(struct qemuStatsGuest *guests, size_t n)
{
    for (size_t g = 0; g < n; g++) {
        for (int i = 0; i < QEMU_STATS_QUERIES; i++)
            cJSON_Delete(guests[g].replies[i]);
        qemuMonitorUnref(guests[g].monitor);
        virXmlFree(guests[g].doc);
    }
    free(guests);
}

/* The guests of the list that are still there and that the flags mean; NULL with the error set. */
static struct qemuStatsGuest *
qemuStatsChoose(virDomainPtr *domains, unsigned int stats, unsigned int flags, size_t *count)
{
    const unsigned int documents = VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;
    struct qemuStatsGuest *guests;
    size_t all = 0, n = 0;

    while (domains[all] != NULL)
        all++;
    if ((guests = virAllocate((all + 1) * sizeof(*guests))) == NULL)
        return NULL;
    for (size_t i = 0; i < all; i++) {
        struct virDomainObj *vm = virDomainObjOf(domains[i]);

        if (vm == NULL || !virStatsMatch(vm, flags))
            continue;
        guests[n].vm = vm;
        guests[n].active = vm->id >= 0;
        if ((stats & documents) != 0 && (guests[n].doc = virDomainObjDocument(vm, false)) == NULL) {
            qemuStatsRelease(guests, n);
            return NULL;
        }
        n++;
    }
    *count = n;
    return guests;
}

VIRT_INTERNAL int
qemuDomainListGetStats(virDomainPtr *domains, unsigned int stats, virDomainStatsRecordPtr **list, unsigned int flags)
{
    struct virStatsRecords records = { 0 };
    struct qemuStatsGuest *guests;
    int rc = 0;
    unsigned long long end;
    size_t n = 0;

    if (virStatsGroups(&stats, QEMU_STATS_GROUPS, flags) < 0 || (guests = qemuStatsChoose(domains, stats, flags, &n)) == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        qemuStatsAsk(&guests[i], stats, flags);
    end = virTimeNowUs() + QEMU_STATS_DEADLINE * 1000ull;
    for (size_t i = 0; i < n; i++)
        qemuStatsCollect(&guests[i], end);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = qemuStatsRecord(&records, domains[0]->conn, &guests[i], stats, flags);
    qemuStatsRelease(guests, n);
    if (rc < 0 || (rc = virStatsRecordsTake(&records, list)) < 0)
        virStatsRecordsFree(&records);
    else
        virResetLastError();           /* of a figure that could not be had */
    return rc < 0 ? -1 : rc;
}

#undef QEMU_STATS_GROUPS
#undef QEMU_STATS_DEADLINE
#undef VIRT_FROM
