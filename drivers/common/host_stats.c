/* What the host has been doing: /proc/stat and the meminfo files. Elsewhere than on Linux nobody tells. */
#include "stats.h"
#include "file.h"

#ifndef _WIN32

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_NONE

#define VIR_HOST_CPU_FIGURES 4

/* ---------- processors ---------- */

VIRT_INTERNAL int
virHostGetCPUStats(int cpu, virNodeCPUStatsPtr params, int *room)
{
    static const char *const names[VIR_HOST_CPU_FIGURES] = {
        VIR_NODE_CPU_STATS_KERNEL, VIR_NODE_CPU_STATS_USER, VIR_NODE_CPU_STATS_IDLE, VIR_NODE_CPU_STATS_IOWAIT,
    };
    VIRT_CLEANUP_FREE char *text = NULL;
    unsigned long long user = 0, nice = 0, kernel = 0, idle = 0, wait = 0, irq = 0, softirq = 0, tick;
    char name[32] = "cpu ";
    const char *line;

    if (cpu < VIR_NODE_CPU_STATS_ALL_CPUS)
        return virReportError(VIR_ERR_INVALID_ARG, "there is no CPU %d", cpu);
    if (*room == 0) {
        *room = VIR_HOST_CPU_FIGURES;
        return 0;
    }
    if (*room < VIR_HOST_CPU_FIGURES)
        return virReportError(VIR_ERR_INVALID_ARG, "there are %d parameters, and room for %d", VIR_HOST_CPU_FIGURES, *room);
    if ((text = virFileRead("/proc/stat", 16u * 1024 * 1024, NULL)) == NULL)
        return -1;
    if (cpu >= 0)
        snprintf(name, sizeof(name), "\ncpu%d ", cpu);
    if ((line = strstr(text, name)) == NULL ||
        sscanf(line + strlen(name), "%llu %llu %llu %llu %llu %llu %llu", &user, &nice, &kernel, &idle, &wait, &irq, &softirq) < 4)
        return virReportError(VIR_ERR_INVALID_ARG, "there is no CPU %d, or it is offline", cpu);
    tick = 1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK);
    {
        const unsigned long long values[VIR_HOST_CPU_FIGURES] = { kernel + irq + softirq, user + nice, idle, wait };

        for (int i = 0; i < VIR_HOST_CPU_FIGURES; i++) {
            snprintf(params[i].field, sizeof(params[i].field), "%s", names[i]);
            params[i].value = values[i] * tick;
        }
    }
    *room = VIR_HOST_CPU_FIGURES;
    return 0;
}

/* ---------- memory ---------- */

VIRT_INTERNAL int
virHostGetMemoryStats(int cell, virNodeMemoryStatsPtr params, int *room)
{
    static const struct { const char *name, *line; } figures[] = {
        { VIR_NODE_MEMORY_STATS_TOTAL, "MemTotal:" }, { VIR_NODE_MEMORY_STATS_FREE, "MemFree:" },
        { VIR_NODE_MEMORY_STATS_BUFFERS, "\nBuffers:" }, { VIR_NODE_MEMORY_STATS_CACHED, "\nCached:" },
    };
    int count = cell == VIR_NODE_MEMORY_STATS_ALL_CELLS ? 4 : 2;      /* a cell tells no more */
    VIRT_CLEANUP_FREE char *text = NULL;
    char path[96];

    if (cell < VIR_NODE_MEMORY_STATS_ALL_CELLS)
        return virReportError(VIR_ERR_INVALID_ARG, "there is no cell %d", cell);
    snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", cell);
    if (cell == VIR_NODE_MEMORY_STATS_ALL_CELLS || (cell == 0 && access(path, R_OK) < 0))
        snprintf(path, sizeof(path), "/proc/meminfo");
    else if (access(path, R_OK) < 0)
        return virReportError(VIR_ERR_INVALID_ARG, "there is no cell %d", cell);
    if (*room == 0) {
        *room = count;
        return 0;
    }
    if (*room < count)
        return virReportError(VIR_ERR_INVALID_ARG, "there are %d parameters, and room for %d", count, *room);
    if ((text = virFileRead(path, 1024 * 1024, NULL)) == NULL)
        return -1;
    for (int i = 0; i < count; i++) {
        const char *line = strstr(text, figures[i].line);

        snprintf(params[i].field, sizeof(params[i].field), "%s", figures[i].name);
        params[i].value = line != NULL ? strtoull(line + strlen(figures[i].line), NULL, 10) : 0;
    }
    *room = count;
    return 0;
}

#undef VIR_HOST_CPU_FIGURES
#undef VIRT_FROM
#endif
