/*
 * The event of a phase, told on both hosts that the object has: whoever watches a host sees what comes to it and what leaves it from the
 * very start, before anything has been asked of a hypervisor.
 */
#include "migration.h"

VIRT_INTERNAL void
virMigrationEmit(virMigrationPtr m, virMigrationPhase phase, virMigrationPhaseState state)
{
    struct virDomainEvent event = {
        .eventID = VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE, .name = m->name, .id = -1, .detail = { (int)phase, (int)state }, .text = { m->uuid },
    };

    if (m->name == NULL)
        return;
    memcpy(event.uuid, m->guestUuid, sizeof(event.uuid));
    if (m->domain != NULL) {
        event.id = atomic_load(&m->domain->id);
        virDomainEventEmit(m->domain->conn->hub, &event);
    }
    if (m->dconn != NULL && (m->domain == NULL || m->dconn->hub != m->domain->conn->hub)) {
        event.id = m->guest != NULL ? atomic_load(&m->guest->id) : -1;
        virDomainEventEmit(m->dconn->hub, &event);
    }
}
