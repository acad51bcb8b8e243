/*
 * Flags of virDomainMigrateFlags in the words of who gave them, for messages.
 */
#ifndef VIRT_COMMON_MIGRATE_FLAGS_H
#define VIRT_COMMON_MIGRATE_FLAGS_H

#include "../driver.h"

/* Room for the text; it lives as long as this. */
struct virMigrateFlagsText { char text[768]; };

/* "0x6: VIR_MIGRATE_PEER2PEER, VIR_MIGRATE_TUNNELLED"; bits that have no name are in the number alone. */
VIRT_INTERNAL const char *virMigrateFlagsText(unsigned int flags, struct virMigrateFlagsText *room);

#endif
