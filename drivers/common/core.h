/*
 * What virt.c lends to the other files of the core, which stand in folders of their own; see there.
 */
#ifndef VIRT_COMMON_CORE_H
#define VIRT_COMMON_CORE_H

#include "../driver.h"

VIRT_INTERNAL bool virHandleIs(const void *handle, unsigned int magic);
VIRT_INTERNAL void virHandleInit(struct virHandle *handle, unsigned int magic);
VIRT_INTERNAL void virHandleRef(struct virHandle *handle);
VIRT_INTERNAL int virHandleUnref(struct virHandle *handle);
VIRT_INTERNAL virConnectPtr virCallOnConnect(const char *function, virConnectPtr conn, bool writes);
VIRT_INTERNAL virConnectPtr virCallOnDomain(const char *function, virDomainPtr domain, bool writes);
VIRT_INTERNAL bool virCallHas(const char *function, const void *argument, const char *name);
VIRT_INTERNAL virErrorPtr virThreadError(void);
VIRT_INTERNAL void virErrorCopy(virErrorPtr to, const virError *from);
VIRT_INTERNAL void virErrorClear(virErrorPtr error);

#endif
