/*
 * The host this process runs on, read from /proc and /sys. What a kernel or a container does not show is left out or takes the
 * value that a machine without it would have: one memory cell, one thread a core.
 */
#include "host.h"

#ifndef _WIN32

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_NONE

#define VIR_HOST_CPUS  "/sys/devices/system/cpu"
#define VIR_HOST_NODES "/sys/devices/system/node"
#define VIR_HOST_MAX_CPUS 8192

/* ---------- small files ---------- */

/* The first bytes of a small file without the newline at its end; false, without an error, where it is not there. */
static bool VIRT_PRINTF(3, 4)
virHostRead(char *text, size_t size, const char *fmt, ...)
{
    char path[256];
    va_list args;
    size_t length;
    FILE *file;

    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    if ((file = fopen(path, "re")) == NULL)
        return false;
    length = fread(text, 1, size - 1, file);
    fclose(file);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    text[length] = '\0';
    return length > 0;
}

static int
virHostReadCpuInt(unsigned int cpu, const char *name, int absent)
{
    char text[32];
    int value;

    if (!virHostRead(text, sizeof(text), VIR_HOST_CPUS "/cpu%u/%s", cpu, name) || virStringToInt(text, 10, &value) < 0 || value < 0)
        return absent;
    return value;
}

/* "0-3,8" as one byte for each number; returns the highest number, -1 when there is none. */
static int
virHostParseList(const char *text, unsigned char *members, unsigned int max)
{
    int highest = -1;

    memset(members, 0, max);
    while (*text != '\0') {
        char *end;
        unsigned long first = strtoul(text, &end, 10);
        unsigned long last = first;

        if (end == text)
            break;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        for (unsigned long i = first; i <= last && i < max; i++) {
            members[i] = 1;
            highest = (int)i > highest ? (int)i : highest;
        }
        text = end + (*end == ',');
        if (end[0] != ',')
            break;
    }
    return highest;
}

/* A line "Name:   123 kB" of a meminfo file, in KiB; 0 where there is none. */
static unsigned long long
virHostMeminfo(const char *path, const char *name)
{
    char text[4096];
    const char *line;

    if (!virHostRead(text, sizeof(text), "%s", path) || (line = strstr(text, name)) == NULL)
        return 0;
    return strtoull(line + strlen(name), NULL, 10);
}

static unsigned long long
virHostNodeMemory(int node, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), VIR_HOST_NODES "/node%d/meminfo", node);
    return virHostMeminfo(path, name);
}

/* ---------- processors ---------- */

struct virHostCpu {
    int number, node, package, die, core;
};

struct virHostTopology {
    struct virHostCpu *cpus;           /* online, by number */
    size_t ncpus;
    int highestNode;                   /* nodes are 0..this, perhaps with gaps */
    unsigned char nodes[1024];         /* 1: this node is there */
};

/* Which node a processor belongs to: the nodes' own lists say so. */
static void
virHostPlaceCpus(struct virHostTopology *host, unsigned char *scratch)
{
    char text[4096];

    for (int node = 0; node <= host->highestNode; node++) {
        if (!host->nodes[node] || !virHostRead(text, sizeof(text), VIR_HOST_NODES "/node%d/cpulist", node))
            continue;
        virHostParseList(text, scratch, VIR_HOST_MAX_CPUS);
        for (size_t i = 0; i < host->ncpus; i++)
            if (scratch[host->cpus[i].number])
                host->cpus[i].node = node;
    }
}

static int
virHostLoadTopology(struct virHostTopology *host)
{
    VIRT_CLEANUP_FREE unsigned char *online = virAllocate(VIR_HOST_MAX_CPUS);
    char text[4096];
    int highest = -1;

    memset(host, 0, sizeof(*host));
    if (online == NULL)
        return -1;
    if (virHostRead(text, sizeof(text), VIR_HOST_CPUS "/online"))
        highest = virHostParseList(text, online, VIR_HOST_MAX_CPUS);
    if (highest < 0) {
        long count = sysconf(_SC_NPROCESSORS_ONLN);

        highest = count > 0 && count <= VIR_HOST_MAX_CPUS ? (int)count - 1 : 0;
        memset(online, 1, (size_t)highest + 1);
    }
    if ((host->cpus = virAllocate(((size_t)highest + 1) * sizeof(*host->cpus))) == NULL)
        return -1;
    for (unsigned int i = 0; i <= (unsigned int)highest; i++) {
        if (!online[i])
            continue;
        host->cpus[host->ncpus++] = (struct virHostCpu){
            .number = (int)i,
            .package = virHostReadCpuInt(i, "topology/physical_package_id", 0),
            .die = virHostReadCpuInt(i, "topology/die_id", 0),
            .core = virHostReadCpuInt(i, "topology/core_id", (int)i),
        };
    }
    if (virHostRead(text, sizeof(text), VIR_HOST_NODES "/online"))
        host->highestNode = virHostParseList(text, host->nodes, sizeof(host->nodes));
    if (host->highestNode < 0 || !host->nodes[host->highestNode]) {
        host->highestNode = 0;
        host->nodes[0] = 1;
    }
    virHostPlaceCpus(host, online);
    return 0;
}

static bool
virHostSameCore(const struct virHostCpu *a, const struct virHostCpu *b)
{
    return a->node == b->node && a->package == b->package && a->die == b->die && a->core == b->core;
}

/* Per node the packages, per package the cores, per core the threads: the greatest numbers found. */
static void
virHostCountTopology(const struct virHostTopology *host, virNodeInfoPtr info)
{
    info->nodes = 0;
    for (int node = 0; node <= host->highestNode; node++)
        info->nodes += host->nodes[node];
    info->sockets = info->cores = info->threads = 1;
    for (size_t i = 0; i < host->ncpus; i++) {
        const struct virHostCpu *cpu = &host->cpus[i];
        unsigned int sockets = 0, cores = 0, threads = 0;

        for (size_t j = 0; j < host->ncpus; j++) {
            const struct virHostCpu *other = &host->cpus[j];
            bool firstOfCore = true, firstOfPackage = true;

            for (size_t k = 0; k < j; k++) {
                const struct virHostCpu *earlier = &host->cpus[k];

                firstOfCore = firstOfCore && !virHostSameCore(earlier, other);
                firstOfPackage = firstOfPackage && (earlier->node != other->node || earlier->package != other->package);
            }
            sockets += firstOfPackage && other->node == cpu->node;
            cores += firstOfCore && other->node == cpu->node && other->package == cpu->package;
            threads += virHostSameCore(other, cpu);
        }
        info->sockets = sockets > info->sockets ? sockets : info->sockets;
        info->cores = cores > info->cores ? cores : info->cores;
        info->threads = threads > info->threads ? threads : info->threads;
        if (host->ncpus > 64)                    /* large hosts are regular: one processor tells of all */
            break;
    }
}

/* MHz of the first processor: what it can reach, or where that is not told, what it runs at. */
static unsigned int
virHostMhz(void)
{
    char text[8192];
    const char *line;
    unsigned long long kHz;

    if (virHostRead(text, sizeof(text), VIR_HOST_CPUS "/cpu0/cpufreq/cpuinfo_max_freq") && virStringToULL(text, 10, &kHz) == 0)
        return (unsigned int)(kHz / 1000);
    if (virHostRead(text, sizeof(text), "/proc/cpuinfo") &&
        ((line = strstr(text, "cpu MHz")) != NULL || (line = strstr(text, "clock")) != NULL) && (line = strchr(line, ':')) != NULL)
        return (unsigned int)strtoul(line + 1, NULL, 10);
    return 0;
}

VIRT_INTERNAL int
virHostGetInfo(virNodeInfoPtr info)
{
    struct virHostTopology host;
    VIRT_CLEANUP_FREE struct virHostCpu *cpus = NULL;

    if (virHostLoadTopology(&host) < 0)
        return -1;
    cpus = host.cpus;
    memset(info, 0, sizeof(*info));
    snprintf(info->model, sizeof(info->model), "%s", virHostGetArch());
    info->memory = (unsigned long)virHostMeminfo("/proc/meminfo", "MemTotal:");
    info->cpus = (unsigned int)host.ncpus;
    info->mhz = virHostMhz();
    virHostCountTopology(&host, info);
    /* The product must cover all processors, also where some are offline or the kernel tells nonsense. */
    if (info->nodes * info->sockets * info->cores * info->threads < info->cpus) {
        info->nodes = info->sockets = info->threads = 1;
        info->cores = info->cpus;
    }
    return 0;
}

VIRT_INTERNAL int
virHostGetCPUMap(unsigned char **cpumap, unsigned int *online)
{
    VIRT_CLEANUP_FREE unsigned char *members = virAllocate(VIR_HOST_MAX_CPUS);
    char text[4096];
    int present = -1;
    unsigned char *map = NULL;
    unsigned int count = 0;

    if (members == NULL)
        return -1;
    if (virHostRead(text, sizeof(text), VIR_HOST_CPUS "/present"))
        present = virHostParseList(text, members, VIR_HOST_MAX_CPUS);
    if (present < 0)
        present = (int)sysconf(_SC_NPROCESSORS_CONF) - 1;
    if (present < 0 || present >= VIR_HOST_MAX_CPUS)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "cannot tell which processors this host has");
    if (virHostRead(text, sizeof(text), VIR_HOST_CPUS "/online"))
        virHostParseList(text, members, VIR_HOST_MAX_CPUS);
    else
        memset(members, 1, (size_t)present + 1);
    if (cpumap != NULL && (map = virAllocate(VIR_CPU_MAPLEN((size_t)present + 1))) == NULL)
        return -1;
    for (int i = 0; i <= present; i++) {
        count += members[i];
        if (map != NULL && members[i])
            VIR_USE_CPU(map, i);
    }
    if (cpumap != NULL)
        *cpumap = map;
    if (online != NULL)
        *online = count;
    return present + 1;
}

/* ---------- memory ---------- */

VIRT_INTERNAL unsigned long long
virHostGetFreeMemory(void)
{
    unsigned long long free = virHostMeminfo("/proc/meminfo", "MemFree:");

    if (free == 0) {
        virReportError(VIR_ERR_INTERNAL_ERROR, "cannot tell how much memory is free: '/proc/meminfo' does not say");
        return 0;
    }
    return free * 1024;
}

VIRT_INTERNAL int
virHostGetCellsFreeMemory(unsigned long long *freeMems, int startCell, int maxCells)
{
    struct virHostTopology host;
    VIRT_CLEANUP_FREE struct virHostCpu *cpus = NULL;
    int count = 0;

    if (virHostLoadTopology(&host) < 0)
        return -1;
    cpus = host.cpus;
    if (startCell < 0 || startCell > host.highestNode)
        return virReportError(VIR_ERR_INVALID_ARG, "start cell %d out of range (0-%d)", startCell, host.highestNode);
    for (int cell = startCell; cell <= host.highestNode && count < maxCells; cell++) {
        unsigned long long free = virHostNodeMemory(cell, "MemFree:");

        if (free == 0 && host.highestNode == 0)
            free = virHostMeminfo("/proc/meminfo", "MemFree:");
        freeMems[count++] = free * 1024;
    }
    return count;
}

/* ---------- names ---------- */

VIRT_INTERNAL char *
virHostGetHostname(void)
{
    char name[HOST_NAME_MAX + 1];

    if (gethostname(name, sizeof(name)) < 0) {
        virReportSystemError(errno, "cannot tell the host's name");
        return NULL;
    }
    name[sizeof(name) - 1] = '\0';
    return virStringCopy(name);
}

/* The kernel's names for machines, where libvirt has another, come first. */
VIRT_INTERNAL const char *
virHostGetArch(void)
{
    static const char *const names[][2] = {
        { "i386", "i686" }, { "i486", "i686" }, { "i586", "i686" }, { "amd64", "x86_64" }, { "arm64", "aarch64" },
        { "aarch64", NULL }, { "alpha", NULL }, { "armv6l", NULL }, { "armv7b", NULL }, { "armv7l", NULL }, { "i686", NULL },
        { "loongarch64", NULL }, { "m68k", NULL }, { "mips", NULL }, { "mips64", NULL }, { "ppc", NULL }, { "ppc64", NULL },
        { "ppc64le", NULL }, { "riscv32", NULL }, { "riscv64", NULL }, { "s390", NULL }, { "s390x", NULL }, { "sparc", NULL },
        { "sparc64", NULL }, { "x86_64", NULL },
    };
    struct utsname host;

    if (uname(&host) < 0)
        return "none";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i][0], host.machine) == 0)
            return names[i][1] != NULL ? names[i][1] : names[i][0];
    return "none";
}

/* The machine's own uuid, or the installation's; without either one made of the host's name, so that it stays the same. */
VIRT_INTERNAL int
virHostGetUuid(unsigned char *uuid)
{
    char text[256];
    VIRT_CLEANUP_FREE char *name = NULL;

    if (virHostRead(text, sizeof(text), "/sys/class/dmi/id/product_uuid") && virUuidParse(text, uuid) == 0)
        return 0;
    if (virHostRead(text, sizeof(text), "/etc/machine-id") && virUuidParse(text, uuid) == 0)
        return 0;
    if ((name = virHostGetHostname()) == NULL)
        return -1;
    for (size_t i = 0; i < VIR_UUID_BUFLEN; i++) {
        unsigned int hash = 2166136261u + (unsigned int)i;

        for (const char *c = name; *c != '\0'; c++)
            hash = (hash ^ (unsigned char)*c) * 16777619u;
        uuid[i] = (unsigned char)(hash >> 16);
    }
    return 0;
}

/* ---------- the documents ---------- */

/* Which file of the firmware's tables is which entry of <sysinfo>. */
static const struct {
    const char *section;
    const char *entries[8][2];
} virHostDmi[] = {
    { "bios", { { "vendor", "bios_vendor" }, { "version", "bios_version" }, { "date", "bios_date" }, { "release", "bios_release" } } },
    { "system", { { "manufacturer", "sys_vendor" }, { "product", "product_name" }, { "version", "product_version" },
                  { "serial", "product_serial" }, { "uuid", "product_uuid" }, { "sku", "product_sku" },
                  { "family", "product_family" } } },
    { "baseBoard", { { "manufacturer", "board_vendor" }, { "product", "board_name" }, { "version", "board_version" },
                     { "serial", "board_serial" }, { "asset", "board_asset_tag" } } },
    { "chassis", { { "manufacturer", "chassis_vendor" }, { "version", "chassis_version" }, { "serial", "chassis_serial" },
                   { "asset", "chassis_asset_tag" } } },
};

VIRT_INTERNAL char *
virHostGetSysinfo(void)
{
    struct virText text = { 0 };
    char value[512];
    bool any = false;

    virTextAdd(&text, "<sysinfo type='smbios'>\n");
    for (size_t i = 0; i < sizeof(virHostDmi) / sizeof(virHostDmi[0]); i++) {
        bool opened = false;

        for (size_t j = 0; j < 8 && virHostDmi[i].entries[j][0] != NULL; j++) {
            if (!virHostRead(value, sizeof(value), "/sys/class/dmi/id/%s", virHostDmi[i].entries[j][1]))
                continue;
            if (!opened)
                virTextAdd(&text, "  <%s>\n", virHostDmi[i].section);
            opened = any = true;
            virTextAdd(&text, "    <entry name='%s'>", virHostDmi[i].entries[j][0]);
            virTextAddXml(&text, value);
            virTextAdd(&text, "</entry>\n");
        }
        if (opened)
            virTextAdd(&text, "  </%s>\n", virHostDmi[i].section);
    }
    virTextAdd(&text, "</sysinfo>\n");
    if (!any) {
        virTextFree(&text);
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Host SMBIOS information is not available");
        return NULL;
    }
    return virTextTake(&text);
}

/* The sizes of pages: the processor's own, and the huge ones that the kernel offers. For a cell (not -1) with the numbers there. */
static void
virHostFormatPages(struct virText *text, const char *indent, int cell, unsigned long long cellKiB)
{
    unsigned long long own = (unsigned long long)sysconf(_SC_PAGESIZE) / 1024;
    unsigned long long size = own;

    /* sizes that exist are powers of two, so they are asked for in order instead of listing a directory */
    for (; size <= 16ULL * 1024 * 1024; size *= 2) {
        char value[64];
        unsigned long long count = 0;

        if (size != own) {
            if (!virHostRead(value, sizeof(value), "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages", size))
                continue;
            if (cell >= 0 && virHostRead(value, sizeof(value), VIR_HOST_NODES "/node%d/hugepages/hugepages-%llukB/nr_hugepages",
                                         cell, size))
                virStringToULL(value, 10, &count);
        }
        if (cell < 0)
            virTextAdd(text, "%s<pages unit='KiB' size='%llu'/>\n", indent, size);
        else if (size != own)
            virTextAdd(text, "%s<pages unit='KiB' size='%llu'>%llu</pages>\n", indent, size, count);
        else
            virTextAdd(text, "%s<pages unit='KiB' size='%llu'>%llu</pages>\n", indent, size, cellKiB / own);
    }
}

static void
virHostFormatCpu(struct virText *text, const virNodeInfo *info)
{
    static const char *const keys[] = { "\ncpu family", "\nmodel\t", "\nstepping" };
    char cpuinfo[8192] = "";
    int values[3] = { -1, -1, -1 };
    const char *line;

    virTextAdd(text, "    <cpu>\n      <arch>%s</arch>\n", virHostGetArch());
    virHostRead(cpuinfo, sizeof(cpuinfo), "/proc/cpuinfo");
    if (strstr(cpuinfo, "GenuineIntel") != NULL)
        virTextAdd(text, "      <vendor>Intel</vendor>\n");
    else if (strstr(cpuinfo, "AuthenticAMD") != NULL)
        virTextAdd(text, "      <vendor>AMD</vendor>\n");
    for (size_t i = 0; i < 3; i++)
        if ((line = strstr(cpuinfo, keys[i])) != NULL && (line = strchr(line, ':')) != NULL)
            values[i] = atoi(line + 1);
    if (values[0] >= 0 && values[1] >= 0 && values[2] >= 0)
        virTextAdd(text, "      <signature family='%d' model='%d' stepping='%d'/>\n", values[0], values[1], values[2]);
    virTextAdd(text, "      <topology sockets='%u' dies='1' cores='%u' threads='%u'/>\n", info->sockets, info->cores, info->threads);
    virHostFormatPages(text, "      ", -1, 0);
    virTextAdd(text, "    </cpu>\n");
}

static void
virHostFormatCell(struct virText *text, const struct virHostTopology *host, int cell)
{
    unsigned long long memory = virHostNodeMemory(cell, "MemTotal:");
    char distances[1024], siblings[256];
    size_t count = 0;

    if (memory == 0)
        memory = virHostMeminfo("/proc/meminfo", "MemTotal:");
    virTextAdd(text, "        <cell id='%d'>\n          <memory unit='KiB'>%llu</memory>\n", cell, memory);
    virHostFormatPages(text, "          ", cell, memory);
    if (virHostRead(distances, sizeof(distances), VIR_HOST_NODES "/node%d/distance", cell)) {
        char *next = distances, *end;

        virTextAdd(text, "          <distances>\n");
        for (int node = 0; node <= host->highestNode; node++) {
            if (!host->nodes[node])
                continue;
            virTextAdd(text, "            <sibling id='%d' value='%ld'/>\n", node, strtol(next, &end, 10));
            next = end;
        }
        virTextAdd(text, "          </distances>\n");
    }
    for (size_t i = 0; i < host->ncpus; i++)
        count += host->cpus[i].node == cell;
    virTextAdd(text, "          <cpus num='%zu'>\n", count);
    for (size_t i = 0; i < host->ncpus; i++) {
        const struct virHostCpu *cpu = &host->cpus[i];

        if (cpu->node != cell)
            continue;
        if (!virHostRead(siblings, sizeof(siblings), VIR_HOST_CPUS "/cpu%d/topology/thread_siblings_list", cpu->number))
            snprintf(siblings, sizeof(siblings), "%d", cpu->number);
        virTextAdd(text, "            <cpu id='%d' socket_id='%d' die_id='%d' core_id='%d' siblings='%s'/>\n",
                   cpu->number, cpu->package, cpu->die, cpu->core, siblings);
    }
    virTextAdd(text, "          </cpus>\n        </cell>\n");
}

VIRT_INTERNAL int
virHostFormatCapabilities(struct virText *text)
{
    struct virHostTopology host;
    VIRT_CLEANUP_FREE struct virHostCpu *cpus = NULL;
    unsigned char uuid[VIR_UUID_BUFLEN];
    char uuidText[VIR_UUID_STRING_BUFLEN];
    virNodeInfo info;

    if (virHostGetUuid(uuid) < 0 || virHostGetInfo(&info) < 0 || virHostLoadTopology(&host) < 0)
        return -1;
    cpus = host.cpus;
    virUuidFormat(uuid, uuidText);
    virTextAdd(text, "  <host>\n    <uuid>%s</uuid>\n", uuidText);
    virHostFormatCpu(text, &info);
    virTextAdd(text,
               "    <power_management/>\n"
               "    <iommu support='%s'/>\n"
               "    <migration_features>\n"
               "      <live/>\n"
               "      <uri_transports>\n"
               "        <uri_transport>tcp</uri_transport>\n"
               "      </uri_transports>\n"
               "    </migration_features>\n"
               "    <topology>\n"
               "      <cells num='%u'>\n", access("/sys/kernel/iommu_groups/0", F_OK) == 0 ? "yes" : "no", info.nodes);
    for (int cell = 0; cell <= host.highestNode; cell++)
        if (host.nodes[cell])
            virHostFormatCell(text, &host, cell);
    virTextAdd(text,
               "      </cells>\n"
               "    </topology>\n"
               "    <secmodel>\n"
               "      <model>none</model>\n"
               "      <doi>0</doi>\n"
               "    </secmodel>\n"
               "  </host>\n");
    return 0;
}

#undef VIR_HOST_CPUS
#undef VIR_HOST_NODES
#undef VIR_HOST_MAX_CPUS
#undef VIRT_FROM
#endif
