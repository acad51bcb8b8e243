/* The names of migration flags: see migrate_flags.h. */
#include "migrate_flags.h"

#include <stdio.h>

#define FLAG(name) { name, #name }
static const struct { unsigned int flag; const char *name; } virMigrateFlagNames[] = {
    FLAG(VIR_MIGRATE_LIVE),
    FLAG(VIR_MIGRATE_PEER2PEER),
    FLAG(VIR_MIGRATE_TUNNELLED),
    FLAG(VIR_MIGRATE_PERSIST_DEST),
    FLAG(VIR_MIGRATE_UNDEFINE_SOURCE),
    FLAG(VIR_MIGRATE_PAUSED),
    FLAG(VIR_MIGRATE_NON_SHARED_DISK),
    FLAG(VIR_MIGRATE_NON_SHARED_INC),
    FLAG(VIR_MIGRATE_CHANGE_PROTECTION),
    FLAG(VIR_MIGRATE_UNSAFE),
    FLAG(VIR_MIGRATE_OFFLINE),
    FLAG(VIR_MIGRATE_COMPRESSED),
    FLAG(VIR_MIGRATE_ABORT_ON_ERROR),
    FLAG(VIR_MIGRATE_AUTO_CONVERGE),
    FLAG(VIR_MIGRATE_RDMA_PIN_ALL),
    FLAG(VIR_MIGRATE_POSTCOPY),
    FLAG(VIR_MIGRATE_TLS),
    FLAG(VIR_MIGRATE_PARALLEL),
    FLAG(VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES),
    FLAG(VIR_MIGRATE_POSTCOPY_RESUME),
    FLAG(VIR_MIGRATE_ZEROCOPY),
};
#undef FLAG

VIRT_INTERNAL const char *
virMigrateFlagsText(unsigned int flags, struct virMigrateFlagsText *room)
{
    int length = snprintf(room->text, sizeof(room->text), "0x%x", flags);
    const char *before = ": ";

    for (size_t i = 0; i < sizeof(virMigrateFlagNames) / sizeof(virMigrateFlagNames[0]); i++) {
        if ((flags & virMigrateFlagNames[i].flag) == 0)
            continue;
        length += snprintf(room->text + length, sizeof(room->text) - (size_t)length, "%s%s", before, virMigrateFlagNames[i].name);
        before = ", ";
    }
    return room->text;
}
