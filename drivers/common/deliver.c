/*
 * Domain events as callbacks get them: each id has a signature of its own.
 */
#include "deliver.h"

#define VIRT_FROM VIR_FROM_NONE

VIRT_INTERNAL void
virEventCall(virConnectDomainEventGenericCallback cb, void *opaque, virConnectPtr conn, virDomainPtr domain, struct virDomainEvent *event)
{
    const int *detail = event->detail;

#define VIRT_AS(type, ...) ((type)(void (*)(void))cb)(conn, domain, __VA_ARGS__)
    switch (event->eventID) {
    case VIR_DOMAIN_EVENT_ID_LIFECYCLE:
        VIRT_AS(virConnectDomainEventCallback, detail[0], detail[1], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_RTC_CHANGE:
        VIRT_AS(virConnectDomainEventRTCChangeCallback, event->number, opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_IO_ERROR:
        VIRT_AS(virConnectDomainEventIOErrorCallback, event->text[0], event->text[1], detail[0], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON:
        VIRT_AS(virConnectDomainEventIOErrorReasonCallback, event->text[0], event->text[1], detail[0], event->text[2], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_BLOCK_JOB:
    case VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2:
        VIRT_AS(virConnectDomainEventBlockJobCallback, event->text[0], detail[0], detail[1], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_TRAY_CHANGE:
        VIRT_AS(virConnectDomainEventTrayChangeCallback, event->text[0], detail[0], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_WATCHDOG:
    case VIR_DOMAIN_EVENT_ID_PMWAKEUP:
    case VIR_DOMAIN_EVENT_ID_PMSUSPEND:
    case VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK:
    case VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION:
        VIRT_AS(virConnectDomainEventMigrationIterationCallback, detail[0], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE:
        VIRT_AS(virConnectDomainEventMigrationPhaseCallback, event->text[0], detail[0], detail[1], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE:
        VIRT_AS(virConnectDomainEventBalloonChangeCallback, (unsigned long long)event->number, opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_DEVICE_ADDED:
    case VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED:
    case VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED:
        VIRT_AS(virConnectDomainEventDeviceAddedCallback, event->text[0], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_TUNABLE:
    case VIR_DOMAIN_EVENT_ID_JOB_COMPLETED:
        VIRT_AS(virConnectDomainEventJobCompletedCallback, event->params, event->nparams, opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE:
        VIRT_AS(virConnectDomainEventAgentLifecycleCallback, detail[0], detail[1], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_METADATA_CHANGE:
        VIRT_AS(virConnectDomainEventMetadataChangeCallback, detail[0], event->text[0], opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE:
        VIRT_AS(virConnectDomainEventMemoryFailureCallback, detail[0], detail[1], (unsigned int)event->number, opaque);
        break;
    case VIR_DOMAIN_EVENT_ID_REBOOT:
    case VIR_DOMAIN_EVENT_ID_CONTROL_ERROR:
        cb(conn, domain, opaque);
        break;
    default:
        virLog(VIR_LOG_ERROR, "event", "event id %d has no delivery", event->eventID);
        break;
    }
#undef VIRT_AS
}

#undef VIRT_FROM
