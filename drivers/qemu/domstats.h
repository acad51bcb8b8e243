/*
 * What guests use, by QMP and /proc: domstats.c (memory, CPUs, interfaces, all at once), block.c (disks); and slots of their own files. Not to be
 * mixed up with stats.c, a migration's statistics.
 */
#ifndef VIRT_QEMU_DOMSTATS_H
#define VIRT_QEMU_DOMSTATS_H

#include "qemu.h"
#include "../common/stats.h"

/* The block group of virConnectGetAllDomainStats; stats and block are the replies to query-blockstats and query-block, NULL: none. */
VIRT_INTERNAL void qemuBlockAddStats(struct virStats *list, xmlDocPtr doc, const cJSON *stats, const cJSON *block, bool backing);

/* A device by its alias under QOM's /machine/peripheral, in malloc'd memory; NULL with the error set. */
VIRT_INTERNAL char *qemuBalloonPath(xmlDocPtr doc);

/* ---- slots ---- */
VIRT_INTERNAL int qemuDomainBlockStats(virDomainPtr dom, const char *disk, virDomainBlockStatsPtr stats, size_t size);
VIRT_INTERNAL int qemuDomainBlockStatsFlags(virDomainPtr dom, const char *disk, virTypedParameterPtr params, int *nparams,
                                            unsigned int flags);
VIRT_INTERNAL int qemuDomainGetBlockInfo(virDomainPtr domain, const char *disk, virDomainBlockInfoPtr info, unsigned int flags);
VIRT_INTERNAL int qemuDomainGetDiskErrors(virDomainPtr dom, virDomainDiskErrorPtr errors, unsigned int max, unsigned int flags);
VIRT_INTERNAL int qemuDomainInterfaceStats(virDomainPtr dom, const char *device, virDomainInterfaceStatsPtr stats, size_t size);
VIRT_INTERNAL int qemuDomainMemoryStats(virDomainPtr dom, virDomainMemoryStatPtr stats, unsigned int max, unsigned int flags);
VIRT_INTERNAL int qemuDomainGetCPUStats(virDomainPtr domain, virTypedParameterPtr params, unsigned int max, int start,
                                        unsigned int count, unsigned int flags);
VIRT_INTERNAL char *qemuDomainGetSchedulerType(virDomainPtr domain, int *nparams);
VIRT_INTERNAL int qemuDomainListGetStats(virDomainPtr *domains, unsigned int stats, virDomainStatsRecordPtr **list,
                                         unsigned int flags);
/* domcaps.c */
VIRT_INTERNAL char *qemuConnectGetDomainCapabilities(virConnectPtr conn, const char *emulator, const char *arch, const char *machine,
                                                     const char *type, unsigned int flags);
VIRT_INTERNAL int qemuConnectGetCPUModelNames(virConnectPtr conn, const char *arch, char ***models, unsigned int flags);
/* control.c */
VIRT_INTERNAL int qemuDomainSetMemory(virDomainPtr domain, unsigned long memory, unsigned int flags);
VIRT_INTERNAL int qemuDomainSetMemoryStatsPeriod(virDomainPtr domain, int period, unsigned int flags);
VIRT_INTERNAL int qemuDomainSendKey(virDomainPtr domain, unsigned int set, unsigned int hold, unsigned int *codes, int count,
                                    unsigned int flags);
VIRT_INTERNAL int qemuDomainInjectNMI(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int qemuDomainMonitorCommand(virDomainPtr domain, const char *cmd, char **result, unsigned int flags);
/* console.c, screenshot.c */
VIRT_INTERNAL int qemuDomainOpenConsole(virDomainPtr dom, const char *name, virStreamPtr stream, unsigned int flags);
VIRT_INTERNAL int qemuDomainOpenChannel(virDomainPtr dom, const char *name, virStreamPtr stream, unsigned int flags);
VIRT_INTERNAL char *qemuDomainScreenshot(virDomainPtr domain, virStreamPtr stream, unsigned int screen, unsigned int flags);

#endif
