/*
 * What a row of absent.def becomes in the libraries: a function that fails as any other function of
 * virt does, with the error in the thread, on the connection, and told to the error handler.
 */
#ifndef VIRT_COMPAT_ABSENT_H
#define VIRT_COMPAT_ABSENT_H

#include "../../drivers/driver.h"
#include "include/libvirt/libvirt.h"

/* The connection of a handle, if it is one of that kind, as far as one can tell: a freed one has another magic. */
static inline virConnectPtr
absentConnect(virConnectPtr conn)
{
    return conn != NULL && conn->handle.magic == VIRT_MAGIC_CONNECT ? conn : NULL;
}

static inline virConnectPtr
absentDomain(virDomainPtr domain)
{
    return domain != NULL && domain->handle.magic == VIRT_MAGIC_DOMAIN ? absentConnect(domain->conn) : NULL;
}

static inline void
absentReport(int from, const char *name, virConnectPtr conn)
{
    virReportErrorFrom(from, VIR_ERR_NO_SUPPORT, __FILE__, __LINE__, "%s (driver %s)", name,
                       conn != NULL ? conn->driver->name : "none");
    virErrorDispatch(conn);
}

#define CONNECT(handle) absentConnect(handle)
#define DOMAIN(handle)  absentDomain(handle)
#define NONE            NULL
#define ABSENT_FUNCTION(failure, type, name, from, handle, parameters)  \
    type name parameters                                               \
    {                                                                  \
        absentReport(from, #name, handle);                             \
        return failure;                                                \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"

#endif
