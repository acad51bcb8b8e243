/* Without nanomsg, or on Windows, there are no servers: each call says so. server.c has them. */
#include "../driver.h"

#if !VIRT_WITH_REMOTE || defined _WIN32

#define VIRT_FROM VIR_FROM_RPC

static int
remoteServerNone(const char *function)
{
    virResetLastError();
    virReportError(VIR_ERR_NO_SUPPORT, "%s: this library has no servers, since it was built without nanomsg", function);
    virErrorDispatch(NULL);
    return -1;
}

virServerPtr
virServerNew(virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    (void)params;
    (void)nparams;
    (void)flags;
    remoteServerNone(__func__);
    return NULL;
}

int
virServerAddConnect(virServerPtr server, virConnectPtr conn)
{
    (void)server;
    (void)conn;
    return remoteServerNone(__func__);
}

int
virServerListen(virServerPtr server, const char *address, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    (void)server;
    (void)address;
    (void)params;
    (void)nparams;
    (void)flags;
    return remoteServerNone(__func__);
}

int
virServerSetAccess(virServerPtr server, virServerAccessFunc cb, void *opaque, virFreeCallback ff)
{
    (void)server;
    (void)cb;
    (void)opaque;
    (void)ff;
    return remoteServerNone(__func__);
}

int
virServerSetAudit(virServerPtr server, virServerAuditFunc cb, void *opaque, virFreeCallback ff)
{
    (void)server;
    (void)cb;
    (void)opaque;
    (void)ff;
    return remoteServerNone(__func__);
}

int
virServerRun(virServerPtr server)
{
    (void)server;
    return remoteServerNone(__func__);
}

int
virServerAttach(virServerPtr server)
{
    (void)server;
    return remoteServerNone(__func__);
}

int
virServerStop(virServerPtr server)
{
    (void)server;
    return -1;
}

int
virServerGetStats(virServerPtr server, virTypedParameterPtr *params, int *nparams, unsigned int flags)
{
    (void)server;
    (void)params;
    (void)nparams;
    (void)flags;
    return remoteServerNone(__func__);
}

void
virServerFree(virServerPtr server)
{
    (void)server;
}

#undef VIRT_FROM
#endif
