/*
 * VIR_MIGRATE_TUNNELLED: the guest's memory goes over a connection of the library's instead of one between the hypervisors. Where both hosts are
 * connections of this process that is a pair of sockets, made when Prepare is first run, one for each side; the drivers know it as a stream that
 * they were handed, and never hear of the flag.
 *
 * This process keeps neither socket longer than it takes to hand it over, so that each hypervisor sees the other's end. If the process dies between
 * Prepare and Perform, the sockets are gone: whoever goes on with the migration has none to give, Perform fails, and the way back is taken. A pair that
 * Prepare did not want, as it had been run before, has nobody at its other end, and the transfer breaks at once.
 */
#include "migration.h"
#include "../common/platform.h"

#include <errno.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_NONE

static void
virMigrationTunnelClose(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

VIRT_INTERNAL int
virMigrationTunnelCheck(virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    for (unsigned int i = 0; (flags & VIR_MIGRATE_TUNNELLED) != 0 && i < nparams; i++)
        if (strcmp(params[i].field, VIR_MIGRATE_PARAM_URI) == 0 || strcmp(params[i].field, VIR_MIGRATE_PARAM_LISTEN_ADDRESS) == 0)
            return virReportError(VIR_ERR_INVALID_ARG, "migration parameter '%s' has no effect with VIR_MIGRATE_TUNNELLED", params[i].field);
    return 0;
}

VIRT_INTERNAL int
virMigrationTunnelBefore(virMigrationPtr m, struct virMigrationCall *call)
{
    if ((m->flags & VIR_MIGRATE_TUNNELLED) == 0)
        return 0;
    if (m->ends != VIR_MIGRATION_ENDS_BOTH) {
        if (m->phase != VIR_MIGRATION_PHASE_BEGIN || m->stream >= 0)
            return 0;
        return virReportError(VIR_ERR_INVALID_ARG, "migration %s: with VIR_MIGRATE_TUNNELLED, two ends that are apart each need a stream of the "
                              "application's (virMigrationSetStream)", m->uuid);
    }
    if (m->phase == VIR_MIGRATION_PHASE_PREPARE) {
        if (m->tunnel[1] < 0 && virPlatformSocketPair(m->tunnel) < 0)
            return virReportSystemError(errno, "migration %s: cannot make a pair of sockets", m->uuid);
        call->stream = m->tunnel[1];
    } else if (m->phase == VIR_MIGRATION_PHASE_PERFORM) {
        call->stream = m->tunnel[0];
    }
    return 0;
}

VIRT_INTERNAL void
virMigrationTunnelAfter(virMigrationPtr m, virMigrationPhase phase, enum virMigrationResult result)
{
    if (result == VIR_MIGRATION_AGAIN)
        return;
    if (phase == VIR_MIGRATION_PHASE_PREPARE)
        virMigrationTunnelClose(&m->tunnel[1]);
    if (phase != VIR_MIGRATION_PHASE_PREPARE || result == VIR_MIGRATION_FAILED)
        virMigrationTunnelClose(&m->tunnel[0]);
}

VIRT_INTERNAL void
virMigrationTunnelFree(virMigrationPtr m)
{
    virMigrationTunnelClose(&m->tunnel[0]);
    virMigrationTunnelClose(&m->tunnel[1]);
}

#undef VIRT_FROM
