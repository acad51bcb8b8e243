/*
 * host.c: commands about the host, the hypervisor and the connection
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "virtsh.h"

static bool
cmdCapabilities(struct virtsh *sh)
{
    char *xml = virtshOwn(sh, virConnectGetCapabilities(sh->conn));

    if (xml == NULL)
        return virtshFail(sh, "failed to get capabilities");
    virtshPrint(sh, "%s\n", xml);
    return true;
}

static bool
cmdSysinfo(struct virtsh *sh)
{
    char *xml = virtshOwn(sh, virConnectGetSysinfo(sh->conn, 0));

    if (xml == NULL)
        return virtshFail(sh, "failed to get sysinfo");
    virtshPrint(sh, "%s", xml);
    return true;
}

static bool
cmdHostname(struct virtsh *sh)
{
    char *name = virtshOwn(sh, virConnectGetHostname(sh->conn));

    if (name == NULL)
        return virtshFail(sh, "failed to get hostname");
    virtshPrint(sh, "%s\n", name);
    return true;
}

static bool
cmdUri(struct virtsh *sh)
{
    char *uri = virtshOwn(sh, virConnectGetURI(sh->conn));

    if (uri == NULL)
        return virtshFail(sh, "failed to get URI");
    virtshPrint(sh, "%s\n", uri);
    return true;
}

static void
printVersion(struct virtsh *sh, const char *what, const char *whose, unsigned long version)
{
    virtshPrint(sh, "%s: %s %lu.%lu.%lu\n", what, whose, version / 1000000, version / 1000 % 1000,
                version % 1000);
}

static bool
cmdVersion(struct virtsh *sh)
{
    const char *type = virConnectGetType(sh->conn);
    unsigned long library, api, hypervisor, daemon;

    if (type == NULL)
        return virtshFail(sh, "failed to get hypervisor type");
    printVersion(sh, "Compiled against library", "libvirt", LIBVIR_VERSION_NUMBER);
    if (virGetVersion(&library, type, &api) < 0)
        return virtshFail(sh, "failed to get the library version");
    printVersion(sh, "Using library", "libvirt", library);
    printVersion(sh, "Using API", type, api);
    if (virConnectGetVersion(sh->conn, &hypervisor) < 0)
        return virtshFail(sh, "failed to get the hypervisor version");
    if (hypervisor == 0)
        virtshPrint(sh, "Cannot extract running %s hypervisor version\n", type);
    else
        printVersion(sh, "Running hypervisor", type, hypervisor);
    if (virtshHas(sh, "daemon")) {
        if (virConnectGetLibVersion(sh->conn, &daemon) < 0)
            return virtshFail(sh, "failed to get the daemon version");
        virtshPrint(sh, "Running against daemon: %lu.%lu.%lu\n", daemon / 1000000,
                    daemon / 1000 % 1000, daemon % 1000);
    }
    return true;
}

static const struct virtshOption versionOptions[] = {
    { .name = "daemon", VIRTSH_FLAG, "report daemon version too" },
    VIRTSH_END,
};

static bool
cmdMaxvcpus(struct virtsh *sh)
{
    int count = virConnectGetMaxVcpus(sh->conn, virtshString(sh, "type"));

    if (count < 0)
        return false;
    virtshPrint(sh, "%d\n", count);
    return true;
}

static const struct virtshOption maxvcpusOptions[] = {
    { .name = "type", VIRTSH_STRING, "domain type" },
    VIRTSH_END,
};

static bool
cmdNodeinfo(struct virtsh *sh)
{
    virNodeInfo info;

    if (virNodeGetInfo(sh->conn, &info) < 0)
        return virtshFail(sh, "failed to get node information");
    virtshPrint(sh, "%-20s %s\n", "CPU model:", info.model);
    virtshPrint(sh, "%-20s %u\n", "CPU(s):", info.cpus);
    if (info.mhz != 0)
        virtshPrint(sh, "%-20s %u MHz\n", "CPU frequency:", info.mhz);
    virtshPrint(sh, "%-20s %u\n", "CPU socket(s):", info.sockets);
    virtshPrint(sh, "%-20s %u\n", "Core(s) per socket:", info.cores);
    virtshPrint(sh, "%-20s %u\n", "Thread(s) per core:", info.threads);
    virtshPrint(sh, "%-20s %u\n", "NUMA cell(s):", info.nodes);
    virtshPrint(sh, "%-20s %lu KiB\n", "Memory size:", info.memory);
    return true;
}

static bool
cmdNodecpumap(struct virtsh *sh)
{
    unsigned char *map = NULL;
    unsigned int online = 0;
    int count = virNodeGetCPUMap(sh->conn, &map, &online, 0);

    if (count < 0)
        return virtshFail(sh, "Unable to get cpu map");
    virtshOwn(sh, map);
    virtshPrint(sh, "%-15s %d\n%-15s %u\n%-15s ", "CPUs present:", count, "CPUs online:", online,
                "CPU map:");
    if (virtshHas(sh, "pretty")) {
        virtshPrint(sh, "%s\n", virtshCpuList(sh, map, count));
        return true;
    }
    for (int i = 0; i < count; i++)
        virtshPrint(sh, "%c", VIR_CPU_USED(map, i) ? 'y' : '-');
    virtshPrint(sh, "\n");
    return true;
}

static const struct virtshOption nodecpumapOptions[] = {
    { .name = "pretty", VIRTSH_FLAG, "return human readable output" },
    VIRTSH_END,
};

static bool
printAllCells(struct virtsh *sh)
{
    virNodeInfo info;
    unsigned long long *cells, total = 0;
    int count;

    if (virNodeGetInfo(sh->conn, &info) < 0)
        return virtshFail(sh, "failed to get NUMA nodes count");
    cells = virtshOwn(sh, virtshAlloc(info.nodes * sizeof(*cells)));
    if ((count = virNodeGetCellsFreeMemory(sh->conn, cells, 0, (int) info.nodes)) < 0)
        return virtshFail(sh, "failed to get information about free memory of the NUMA nodes");
    for (int i = 0; i < count; i++) {
        virtshPrint(sh, "%5d: %10llu KiB\n", i, cells[i] / 1024);
        total += cells[i];
    }
    virtshRemark(sh, "--------------------\n%5s: %10llu KiB\n", "Total", total / 1024);
    return true;
}

static bool
cmdFreecell(struct virtsh *sh)
{
    unsigned long long cell = 0, memory = 0;

    if (!virtshExclusive(sh, "all", "cellno") || !virtshNumber(sh, "cellno", INT_MAX, &cell))
        return false;
    if (virtshHas(sh, "all"))
        return printAllCells(sh);
    if (virtshHas(sh, "cellno")) {
        if (virNodeGetCellsFreeMemory(sh->conn, &memory, (int) cell, 1) != 1)
            return false;
        virtshPrint(sh, "%llu: %llu KiB\n", cell, memory / 1024);
        return true;
    }
    if ((memory = virNodeGetFreeMemory(sh->conn)) == 0)
        return false;
    virtshPrint(sh, "Total: %llu KiB\n", memory / 1024);
    return true;
}

static const struct virtshOption freecellOptions[] = {
    { .name = "cellno", VIRTSH_NUMBER, "NUMA cell number" },
    { .name = "all", VIRTSH_FLAG, "show free memory for all NUMA cells" },
    VIRTSH_END,
};

const struct virtshCommand virtshHostCommands[] = {
    { .name = "capabilities", "capabilities", "Returns capabilities of hypervisor/driver.", NULL,
      cmdCapabilities },
    { .name = "freecell", "NUMA free memory", "display available free memory for the NUMA cell.",
      freecellOptions, cmdFreecell },
    { .name = "hostname", "print the hypervisor hostname", NULL, NULL, cmdHostname },
    { .name = "maxvcpus", "connection vcpu maximum",
      "Show maximum number of virtual CPUs for guests on this connection.", maxvcpusOptions,
      cmdMaxvcpus },
    { .name = "nodecpumap", "node cpu map",
      "Displays the node's total number of CPUs, the number of online CPUs and the list of online "
      "CPUs.", nodecpumapOptions, cmdNodecpumap },
    { .name = "nodeinfo", "node information", "Returns basic information about the node.", NULL,
      cmdNodeinfo },
    { .name = "sysinfo", "print the hypervisor sysinfo",
      "output an XML string for the hypervisor sysinfo, if available", NULL, cmdSysinfo },
    { .name = "uri", "print the hypervisor canonical URI", NULL, NULL, cmdUri },
    { .name = "version", "show version", "Display the system version information.", versionOptions,
      cmdVersion },
    VIRTSH_END,
};
