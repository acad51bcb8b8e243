/*
 * What a row of absent.def becomes in the libraries: a function that fails as any other function of
 * virt does, with the error in the thread, on the connection, and told to the error handler.
 */
#ifndef VIRT_COMPAT_ABSENT_H
#define VIRT_COMPAT_ABSENT_H

#include "../../drivers/driver.h"
#include <stdint.h>

#include "include/libvirt/libvirt.h"

/* The connection of a handle, as far as one can tell whether it is one: a freed handle has no magic. */
static inline virConnectPtr
absentConnect(const void *handle)
{
    return handle != NULL && ((const struct virHandle *)handle)->magic != 0 ? (virConnectPtr)(uintptr_t)handle : NULL;
}

static inline virConnectPtr
absentDomain(const void *handle)
{
    return handle != NULL && ((const struct virHandle *)handle)->magic != 0
               ? absentConnect(((const struct _virDomain *)handle)->conn) : NULL;
}

static inline void
absentReport(int from, const char *name, virConnectPtr conn)
{
    if (conn != NULL)
        virReportErrorFrom(from, VIR_ERR_NO_SUPPORT, __FILE__, __LINE__, "%s (driver %s)", name, conn->driver->name);
    else
        virReportErrorFrom(from, VIR_ERR_NO_SUPPORT, __FILE__, __LINE__, "%s", name);
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
