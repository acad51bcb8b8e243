/*
 * monitor.c: commands that tell how domains are
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "virtsh.h"

static const struct virtshOption anyDomain[] = { VIRTSH_DOMAIN_OPTION(0), VIRTSH_END };

/* -- list -------------------------------------------------------------------------------------- */

/* Active ones by their ids, then the others by their names. */
static int
compareDomains(const void *left, const void *right)
{
    virDomainPtr one = *(virDomainPtr *) left, other = *(virDomainPtr *) right;
    unsigned int oneId = virDomainGetID(one), otherId = virDomainGetID(other);

    if (oneId != otherId)
        return oneId < otherId ? -1 : 1;        /* -1, for none, is the greatest of all */
    return oneId != (unsigned int) -1 ? 0
           : strcasecmp(virDomainGetName(one), virDomainGetName(other));
}

/* Whether there is a saved image, as the library's own filter has it. */
static bool
hasManagedSave(struct virtsh *sh, virDomainPtr dom)
{
    virDomainPtr *saved = NULL;
    int count = virConnectListAllDomains(sh->conn, &saved, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE);
    char uuid[VIR_UUID_STRING_BUFLEN], savedUuid[VIR_UUID_STRING_BUFLEN];
    bool found = false;

    if (count < 0)
        return false;
    virtshOwnDomains(sh, saved, count);
    for (int i = 0; i < count && virDomainGetUUIDString(dom, uuid) == 0; i++)
        found = found || (virDomainGetUUIDString(saved[i], savedUuid) == 0
                          && strcmp(uuid, savedUuid) == 0);
    return found;
}

static const char *
listState(struct virtsh *sh, virDomainPtr dom)
{
    int state = VIR_DOMAIN_NOSTATE;

    if (virDomainGetState(dom, &state, NULL, 0) < 0)
        state = VIR_DOMAIN_NOSTATE;     /* it may have gone just now */
    return virtshHas(sh, "managed-save") && virDomainGetID(dom) == (unsigned int) -1
           && hasManagedSave(sh, dom) ? "saved" : virtshStateName(state);
}

static void
listAsTable(struct virtsh *sh, virDomainPtr *domains, int count)
{
    static const char *const titles[] = { "Id", "Name", "State", NULL };
    static const char *const moreTitles[] = { "Id", "Name", "State", "Title", NULL };
    bool withTitle = virtshHas(sh, "title");
    struct virtshTable *table = virtshTableNew(sh, withTitle ? moreTitles : titles);

    for (int i = 0; i < count; i++) {
        unsigned int id = virDomainGetID(domains[i]);

        virtshTableCell(table, id == (unsigned int) -1 ? "-" : virtshOwn(sh, virtshFormat("%u", id)));
        virtshTableCell(table, virDomainGetName(domains[i]));
        virtshTableCell(table, listState(sh, domains[i]));
        if (withTitle) {
            char *title = virtshOwn(sh, virDomainGetMetadata(domains[i], VIR_DOMAIN_METADATA_TITLE,
                                                             NULL, 0));

            virtshTableCell(table, title != NULL ? title : "");
        }
    }
    virtshTablePrint(sh, table);
}

/* --uuid, --id and --name: one domain a line, for scripts. --id alone has nothing to say of those that
 * have none. */
static void
listAsLines(struct virtsh *sh, virDomainPtr *domains, int count)
{
    bool wantUuid = virtshHas(sh, "uuid"), wantName = virtshHas(sh, "name");
    bool wantId = virtshHas(sh, "id");

    for (int i = 0; i < count; i++) {
        unsigned int id = virDomainGetID(domains[i]);
        char uuid[VIR_UUID_STRING_BUFLEN] = "";
        char *idText = virtshOwn(sh, id == (unsigned int) -1 ? virtshCopy("-")
                                                             : virtshFormat("%u", id));

        if (wantId && !wantUuid && !wantName && id == (unsigned int) -1)
            continue;
        virDomainGetUUIDString(domains[i], uuid);
        virtshPrint(sh, "%s%s%s%s%s\n", wantUuid ? uuid : "", wantUuid && wantId ? " " : "",
                    wantId ? idText : "", (wantUuid || wantId) && wantName ? " " : "",
                    wantName ? virDomainGetName(domains[i]) : "");
    }
}

static bool
cmdList(struct virtsh *sh)
{
    unsigned int flags = virtshFlags(sh);
    virDomainPtr *domains = NULL;
    int count;

    if (!virtshExclusive(sh, "table", "name") || !virtshExclusive(sh, "table", "id")
        || !virtshExclusive(sh, "table", "uuid"))
        return false;
    if (virtshHas(sh, "all"))
        flags |= VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    else if (virtshHas(sh, "inactive") || virtshHas(sh, "state-shutoff"))
        flags |= VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    else
        flags |= VIR_CONNECT_LIST_DOMAINS_ACTIVE;
    if ((count = virConnectListAllDomains(sh->conn, &domains, flags)) < 0)
        return virtshFail(sh, "Failed to list domains");
    virtshOwnDomains(sh, domains, count);
    if (count > 0)
        qsort(domains, (size_t) count, sizeof(*domains), compareDomains);
    if (virtshHas(sh, "uuid") || virtshHas(sh, "name") || virtshHas(sh, "id"))
        listAsLines(sh, domains, count);
    else
        listAsTable(sh, domains, count);
    return true;
}

static const struct virtshOption listOptions[] = {
    { .name = "inactive", VIRTSH_FLAG, "list inactive domains" },
    { .name = "all", VIRTSH_FLAG, "list inactive & active domains" },
    { .name = "transient", VIRTSH_FLAG, "list transient domains",
      .bit = VIR_CONNECT_LIST_DOMAINS_TRANSIENT },
    { .name = "persistent", VIRTSH_FLAG, "list persistent domains",
      .bit = VIR_CONNECT_LIST_DOMAINS_PERSISTENT },
    { .name = "with-snapshot", VIRTSH_FLAG, "list domains with existing snapshot",
      .bit = VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT },
    { .name = "without-snapshot", VIRTSH_FLAG, "list domains without a snapshot",
      .bit = VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT },
    { .name = "with-checkpoint", VIRTSH_FLAG, "list domains with existing checkpoint",
      .bit = VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT },
    { .name = "without-checkpoint", VIRTSH_FLAG, "list domains without a checkpoint",
      .bit = VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT },
    { .name = "state-running", VIRTSH_FLAG, "list domains in running state",
      .bit = VIR_CONNECT_LIST_DOMAINS_RUNNING },
    { .name = "state-paused", VIRTSH_FLAG, "list domains in paused state",
      .bit = VIR_CONNECT_LIST_DOMAINS_PAUSED },
    { .name = "state-shutoff", VIRTSH_FLAG, "list domains in shutoff state",
      .bit = VIR_CONNECT_LIST_DOMAINS_SHUTOFF },
    { .name = "state-other", VIRTSH_FLAG, "list domains in other states",
      .bit = VIR_CONNECT_LIST_DOMAINS_OTHER },
    { .name = "autostart", VIRTSH_FLAG, "list domains with autostart enabled",
      .bit = VIR_CONNECT_LIST_DOMAINS_AUTOSTART },
    { .name = "no-autostart", VIRTSH_FLAG, "list domains with autostart disabled",
      .bit = VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART },
    { .name = "with-managed-save", VIRTSH_FLAG, "list domains with managed save state",
      .bit = VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE },
    { .name = "without-managed-save", VIRTSH_FLAG, "list domains without managed save",
      .bit = VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE },
    { .name = "uuid", VIRTSH_FLAG, "list uuid's only" },
    { .name = "name", VIRTSH_FLAG, "list domain names only" },
    { .name = "id", VIRTSH_FLAG, "list domain IDs only" },
    { .name = "table", VIRTSH_FLAG, "list table (default)" },
    { .name = "managed-save", VIRTSH_FLAG, "mark inactive domains with managed save state" },
    { .name = "title", VIRTSH_FLAG, "show domain title" },
    VIRTSH_END,
};

/* -- one domain -------------------------------------------------------------------------------- */

static bool
cmdDominfo(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    char uuid[VIR_UUID_STRING_BUFLEN], *osType;
    virDomainInfo info;
    unsigned int id;
    int persistent, autostart;

    if (dom == NULL)
        return false;
    if ((id = virDomainGetID(dom)) == (unsigned int) -1)
        virtshPrint(sh, "%-15s %s\n", "Id:", "-");
    else
        virtshPrint(sh, "%-15s %u\n", "Id:", id);
    virtshPrint(sh, "%-15s %s\n", "Name:", virDomainGetName(dom));
    if (virDomainGetUUIDString(dom, uuid) == 0)
        virtshPrint(sh, "%-15s %s\n", "UUID:", uuid);
    if ((osType = virtshOwn(sh, virDomainGetOSType(dom))) != NULL)
        virtshPrint(sh, "%-15s %s\n", "OS Type:", osType);
    virtshForgetError(sh);
    if (virDomainGetInfo(dom, &info) < 0)
        return false;
    virtshPrint(sh, "%-15s %s\n", "State:", virtshStateName(info.state));
    virtshPrint(sh, "%-15s %d\n", "CPU(s):", info.nrVirtCpu);
    if (info.cpuTime != 0)
        virtshPrint(sh, "%-15s %.1fs\n", "CPU time:", (double) info.cpuTime / 1e9);
    if (info.maxMem != UINT_MAX)
        virtshPrint(sh, "%-15s %lu KiB\n", "Max memory:", info.maxMem);
    else
        virtshPrint(sh, "%-15s %s\n", "Max memory:", "no limit");
    virtshPrint(sh, "%-15s %lu KiB\n", "Used memory:", info.memory);
    persistent = virDomainIsPersistent(dom);
    virtshPrint(sh, "%-15s %s\n", "Persistent:",
                persistent < 0 ? "unknown" : persistent != 0 ? "yes" : "no");
    if (virDomainGetAutostart(dom, &autostart) == 0)
        virtshPrint(sh, "%-15s %s\n", "Autostart:", autostart != 0 ? "enable" : "disable");
    virtshPrint(sh, "%-15s %s\n", "Managed save:", hasManagedSave(sh, dom) ? "yes" : "no");
    return true;
}

static bool
cmdDomstate(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    int state, reason;

    if (dom == NULL || virDomainGetState(dom, &state, &reason, 0) < 0)
        return false;
    if (virtshHas(sh, "reason"))
        virtshPrint(sh, "%s (%s)\n", virtshStateName(state), virtshReasonName(state, reason));
    else
        virtshPrint(sh, "%s\n", virtshStateName(state));
    return true;
}

static const struct virtshOption domstateOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "reason", VIRTSH_FLAG, "also print reason for the state" },
    VIRTSH_END,
};

static bool
cmdDomcontrol(struct virtsh *sh)
{
    static const char *const names[] = { "ok", "background job", "occupied", "error" };
    static const char *const reasons[] = { NULL, NULL, "monitor failure",
                                           "internal (locking) error" };
    virDomainPtr dom = virtshDomain(sh);
    virDomainControlInfo info;
    const char *name;

    if (dom == NULL || virDomainGetControlInfo(dom, &info, 0) < 0)
        return false;
    name = virtshWord(names, VIRTSH_COUNT(names), (int) info.state);
    if (info.state == VIR_DOMAIN_CONTROL_OK)
        virtshPrint(sh, "%s\n", name);
    else if (info.state == VIR_DOMAIN_CONTROL_ERROR && info.details > 0)
        virtshPrint(sh, "%s: %s (%0.3fs)\n", name,
                    virtshWord(reasons, VIRTSH_COUNT(reasons), (int) info.details),
                    (double) info.stateTime / 1000);
    else
        virtshPrint(sh, "%s (%0.3fs)\n", name, (double) info.stateTime / 1000);
    return true;
}

/* -- virtual CPUs ------------------------------------------------------------------------------ */

/* One row of the table of vcpucount. What does not exist, such as the stored count of a transient
 * domain, has no row. */
static bool
printVcpuCount(struct virtsh *sh, virDomainPtr dom, const char *what, const char *where,
               unsigned int flags)
{
    int count = virDomainGetVcpusFlags(dom, flags);

    if (count < 0)
        return false;
    virtshPrint(sh, "%-12s %-12s %3d\n", what, where, count);
    return true;
}

static bool
printVcpuCounts(struct virtsh *sh, virDomainPtr dom)
{
    int active = virDomainIsActive(dom), persistent = virDomainIsPersistent(dom);
    const unsigned int max = VIR_DOMAIN_VCPU_MAXIMUM;

    if (active < 0 || persistent < 0)
        return false;
    return (persistent == 0
            || printVcpuCount(sh, dom, "maximum", "config", VIR_DOMAIN_AFFECT_CONFIG | max))
        && (active == 0
            || printVcpuCount(sh, dom, "maximum", "live", VIR_DOMAIN_AFFECT_LIVE | max))
        && (persistent == 0
            || printVcpuCount(sh, dom, "current", "config", VIR_DOMAIN_AFFECT_CONFIG))
        && (active == 0
            || printVcpuCount(sh, dom, "current", "live", VIR_DOMAIN_AFFECT_LIVE));
}

static bool
cmdVcpucount(struct virtsh *sh)
{
    virDomainPtr dom;
    int count;

    if (!virtshExclusive(sh, "live", "config") || !virtshExclusive(sh, "active", "maximum")
        || !virtshExclusive(sh, "guest", "config") || (dom = virtshDomain(sh)) == NULL)
        return false;
    if (sh->call->count == 1)       /* nothing but the domain */
        return printVcpuCounts(sh, dom);
    if ((count = virDomainGetVcpusFlags(dom, virtshFlags(sh))) < 0)
        return virtshHas(sh, "guest") ? virtshFail(sh, "Failed to retrieve vCPU count from the guest")
                                      : false;
    virtshPrint(sh, "%d\n", count);
    return true;
}

static const struct virtshOption vcpucountOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "maximum", VIRTSH_FLAG,
      "get maximum count of vcpus", .bit = VIR_DOMAIN_VCPU_MAXIMUM },
    { .name = "active", VIRTSH_FLAG, "get number of currently active vcpus" },
    { .name = "live", VIRTSH_FLAG, "get value from running domain", .bit = VIR_DOMAIN_AFFECT_LIVE },
    { .name = "config", VIRTSH_FLAG, "get value to be used on next boot",
      .bit = VIR_DOMAIN_AFFECT_CONFIG },
    { .name = "current", VIRTSH_FLAG, "get value according to current domain state" },
    { .name = "guest", VIRTSH_FLAG, "retrieve vcpu count from the guest instead of the hypervisor",
      .bit = VIR_DOMAIN_VCPU_GUEST },
    VIRTSH_END,
};

/* How many CPUs the host has: so many bits of an affinity mean something. */
static int
hostCpus(struct virtsh *sh)
{
    virNodeInfo info;
    int count = virNodeGetCPUMap(sh->conn, NULL, NULL, 0);

    if (count >= 0)
        return count;
    virtshForgetError(sh);
    return virNodeGetInfo(sh->conn, &info) < 0 ? -1 : (int) VIR_NODEINFO_MAXCPUS(info);
}

static void
printAffinity(struct virtsh *sh, const unsigned char *map, int cpus)
{
    virtshPrint(sh, "%-15s ", "CPU Affinity:");
    if (virtshHas(sh, "pretty")) {
        virtshPrint(sh, "%s (out of %d)\n", virtshCpuList(sh, map, cpus), cpus);
        return;
    }
    for (int i = 0; i < cpus; i++)
        virtshPrint(sh, "%c", VIR_CPU_USED(map, i) ? 'y' : '-');
    virtshPrint(sh, "\n");
}

static void
printVcpu(struct virtsh *sh, int number, const virVcpuInfo *info)
{
    static const char *const states[] = { "offline", "running", "blocked" };

    virtshPrint(sh, "%-15s %d\n", "VCPU:", number);
    if (info == NULL) {
        virtshPrint(sh, "%-15s %s\n%-15s %s\n%-15s %s\n", "CPU:", "N/A", "State:", "N/A", "CPU time",
                    "N/A");
        return;
    }
    virtshPrint(sh, "%-15s %d\n%-15s %s\n", "CPU:", info->cpu, "State:",
                virtshWord(states, VIRTSH_COUNT(states), info->state));
    if (info->cpuTime != 0)
        virtshPrint(sh, "%-15s %.1fs\n", "CPU time:", (double) info->cpuTime / 1e9);
}

static bool
cmdVcpuinfo(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    virDomainInfo domainInfo;
    virVcpuInfo *info;
    unsigned char *maps;
    int cpus, length, count, active;

    if (dom == NULL || (cpus = hostCpus(sh)) < 0 || virDomainGetInfo(dom, &domainInfo) < 0)
        return false;
    count = domainInfo.nrVirtCpu;
    length = VIR_CPU_MAPLEN(cpus);
    info = virtshOwn(sh, virtshAlloc((size_t) count * sizeof(*info)));
    maps = virtshOwn(sh, virtshAlloc((size_t) count * (size_t) length));
    if ((active = virDomainIsActive(dom)) < 0)
        return false;
    count = active != 0 ? virDomainGetVcpus(dom, info, count, maps, length)
                        : virDomainGetVcpuPinInfo(dom, count, maps, length, VIR_DOMAIN_AFFECT_CONFIG);
    for (int i = 0; i < count; i++) {
        printVcpu(sh, active != 0 ? (int) info[i].number : i, active != 0 ? &info[i] : NULL);
        printAffinity(sh, VIR_GET_CPUMAP(maps, length, i), cpus);
        if (i + 1 < count)
            virtshPrint(sh, "\n");
    }
    return count >= 0;
}

static const struct virtshOption vcpuinfoOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "pretty", VIRTSH_FLAG, "return human readable output" },
    VIRTSH_END,
};

static bool
cmdVcpupin(struct virtsh *sh)
{
    static const char *const titles[] = { "VCPU", "CPU Affinity", NULL };
    struct virtshTable *table = virtshTableNew(sh, titles);
    unsigned long long vcpu = 0;
    unsigned int flags = virtshFlags(sh);
    unsigned char *maps;
    virDomainPtr dom;
    int cpus, count;

    if (!virtshExclusive(sh, "current", "live") || !virtshExclusive(sh, "current", "config")
        || !virtshExclusive(sh, "live", "config") || !virtshNumber(sh, "vcpu", INT_MAX, &vcpu)
        || (dom = virtshDomain(sh)) == NULL || (cpus = hostCpus(sh)) < 0)
        return false;
    if ((count = virDomainGetVcpusFlags(dom, flags | VIR_DOMAIN_VCPU_MAXIMUM)) < 0)
        return false;
    if (vcpu >= (unsigned long long) count)
        return virtshFail(sh, "vcpu %llu is out of range of %s cpu count %d", vcpu,
                          (flags & VIR_DOMAIN_AFFECT_CONFIG) != 0 || virDomainIsActive(dom) != 1
                          ? "persistent" : "live", count);
    maps = virtshOwn(sh, virtshAlloc((size_t) count * (size_t) VIR_CPU_MAPLEN(cpus)));
    if ((count = virDomainGetVcpuPinInfo(dom, count, maps, VIR_CPU_MAPLEN(cpus), flags)) < 0)
        return false;
    for (int i = 0; i < count; i++) {
        if (virtshHas(sh, "vcpu") && i != (int) vcpu)
            continue;
        virtshTableCell(table, virtshOwn(sh, virtshFormat("%d", i)));
        virtshTableCell(table, virtshCpuList(sh, VIR_GET_CPUMAP(maps, VIR_CPU_MAPLEN(cpus), i),
                                             cpus));
    }
    virtshTablePrint(sh, table);
    return true;
}

#define AFFECT_OPTIONS \
    { .name = "config", VIRTSH_FLAG, "of the next boot", .bit = VIR_DOMAIN_AFFECT_CONFIG }, \
    { .name = "live", VIRTSH_FLAG, "of the running domain", .bit = VIR_DOMAIN_AFFECT_LIVE }, \
    { .name = "current", VIRTSH_FLAG, "of the current domain" }

static const struct virtshOption vcpupinOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "vcpu", VIRTSH_NUMBER, "vcpu number" },
    AFFECT_OPTIONS,
    VIRTSH_END,
};

static bool
cmdEmulatorpin(struct virtsh *sh)
{
    unsigned char *map;
    virDomainPtr dom;
    int cpus;

    if (!virtshExclusive(sh, "current", "live") || !virtshExclusive(sh, "current", "config")
        || (dom = virtshDomain(sh)) == NULL || (cpus = hostCpus(sh)) < 0)
        return false;
    map = virtshOwn(sh, virtshAlloc((size_t) VIR_CPU_MAPLEN(cpus)));
    if (virDomainGetEmulatorPinInfo(dom, map, VIR_CPU_MAPLEN(cpus), virtshFlags(sh)) < 0)
        return false;
    virtshRemark(sh, "emulator: CPU Affinity\n----------------------------------\n       *: ");
    virtshPrint(sh, "%s\n", virtshCpuList(sh, map, cpus));
    return true;
}

static const struct virtshOption emulatorpinOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    AFFECT_OPTIONS,
    VIRTSH_END,
};

const struct virtshCommand virtshMonitorCommands[] = {
    { .name = "domcontrol", "domain control interface state",
      "Returns state of a control interface to the domain.", anyDomain, cmdDomcontrol },
    { .name = "dominfo", "domain information",
      "Returns basic information about the domain.", anyDomain,
      cmdDominfo },
    { .name = "domstate", "domain state",
      "Returns state about a domain.", domstateOptions, cmdDomstate },
    { .name = "emulatorpin", "query domain emulator affinity",
      "Show the host physical CPUs of domain emulator threads.", emulatorpinOptions,
      cmdEmulatorpin },
    { .name = "list", "list domains", "Returns list of domains.", listOptions, cmdList },
    { .name = "vcpucount", "domain vcpu counts",
      "Returns the number of virtual CPUs used by the domain.",
      vcpucountOptions, cmdVcpucount },
    { .name = "vcpuinfo", "detailed domain vcpu information",
      "Returns basic information about the domain virtual CPUs.", vcpuinfoOptions, cmdVcpuinfo },
    { .name = "vcpupin", "query domain vcpu affinity",
      "Show the host physical CPUs of domain VCPUs.",
      vcpupinOptions, cmdVcpupin },
    VIRTSH_END,
};
