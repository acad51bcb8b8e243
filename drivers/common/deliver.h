/* How a callback for domain events is called. */
#ifndef VIRT_COMMON_DELIVER_H
#define VIRT_COMMON_DELIVER_H

#include "../driver.h"

/* One call of an application's function; no lock is held. */
VIRT_INTERNAL void virEventCall(virConnectDomainEventGenericCallback cb, void *opaque, virConnectPtr conn, virDomainPtr domain,
                                struct virDomainEvent *event);

#endif
