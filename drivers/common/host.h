/* The host this process runs on, as the drivers of local hypervisors report it. Functions have the shape of the vtable's slots where there is one. */
#ifndef VIRT_COMMON_HOST_H
#define VIRT_COMMON_HOST_H

#include "../driver.h"
#include "file.h"

VIRT_INTERNAL char *virHostGetHostname(void);
VIRT_INTERNAL const char *virHostGetArch(void);                                   /* "x86_64", ... as libvirt names it */

#ifndef _WIN32                                                                    /* where no driver of a local hypervisor asks */
VIRT_INTERNAL int virHostGetInfo(virNodeInfoPtr info);
VIRT_INTERNAL unsigned long long virHostGetFreeMemory(void);                      /* bytes; 0 with error set */
VIRT_INTERNAL int virHostGetCellsFreeMemory(unsigned long long *freeMems, int startCell, int maxCells);
VIRT_INTERNAL int virHostGetCPUMap(unsigned char **cpumap, unsigned int *online);
VIRT_INTERNAL char *virHostGetSysinfo(void);                                      /* <sysinfo type='smbios'> from /sys/class/dmi, as libvirt's */
/* The <host> element of a capabilities document: uuid, cpu, power_management, migration_features, topology with cells, ... */
VIRT_INTERNAL int virHostFormatCapabilities(struct virText *text);
VIRT_INTERNAL int virHostGetUuid(unsigned char *uuid);                            /* of the machine: dmi product_uuid or /etc/machine-id based; stable */
#endif

#endif
