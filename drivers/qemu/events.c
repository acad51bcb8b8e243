/*
 * What QEMU tells without being asked: each event becomes a state with its reason, and an event of
 * the domain.
 *
 * The functions here are called from whichever thread reads the monitor, one at a time for a guest,
 * with no lock held. They never wait for a reply. A state changes only where it differs, under the
 * object's lock: so the call that stopped a guest and the event STOP that it caused may both report
 * it, in any order, and the application hears of it once.
 */
#include "process.h"
#include "state.h"
#include "storage.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---- states ---- */

VIRT_INTERNAL void
qemuEventLifecycle(struct virDomainObj *vm, int event, int detail)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    if (event == VIR_DOMAIN_EVENT_STARTED) {
        pthread_mutex_lock(&priv->lock);
        priv->announced = true;
        pthread_mutex_unlock(&priv->lock);
    }
    pthread_mutex_lock(&vm->lock);
    virDomainEventEmitLifecycle(priv->host->hub, vm->name, vm->uuid, vm->id, event, detail);
    pthread_mutex_unlock(&vm->lock);
}

static void
qemuEventEmit(struct virDomainObj *vm, struct virDomainEvent *event)
{
    pthread_mutex_lock(&vm->lock);
    event->name = vm->name;
    memcpy(event->uuid, vm->uuid, VIR_UUID_BUFLEN);
    event->id = vm->id;
    virDomainEventEmit(qemuDomainPeek(vm)->host->hub, event);
    pthread_mutex_unlock(&vm->lock);
}

static int
qemuEventSuspendedDetail(int reason)
{
    switch (reason) {
    case VIR_DOMAIN_PAUSED_MIGRATION:       return VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED;
    case VIR_DOMAIN_PAUSED_IOERROR:         return VIR_DOMAIN_EVENT_SUSPENDED_IOERROR;
    case VIR_DOMAIN_PAUSED_WATCHDOG:        return VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG;
    case VIR_DOMAIN_PAUSED_FROM_SNAPSHOT:   return VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT;
    case VIR_DOMAIN_PAUSED_POSTCOPY:        return VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY;
    case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: return VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED;
    default:                                return VIR_DOMAIN_EVENT_SUSPENDED_PAUSED;
    }
}

static int
qemuEventResumedDetail(int reason)
{
    switch (reason) {
    case VIR_DOMAIN_RUNNING_MIGRATED:
    case VIR_DOMAIN_RUNNING_MIGRATION_CANCELED: return VIR_DOMAIN_EVENT_RESUMED_MIGRATED;
    case VIR_DOMAIN_RUNNING_FROM_SNAPSHOT:
    case VIR_DOMAIN_RUNNING_RESTORED:           return VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT;
    case VIR_DOMAIN_RUNNING_POSTCOPY:           return VIR_DOMAIN_EVENT_RESUMED_POSTCOPY;
    default:                                    return VIR_DOMAIN_EVENT_RESUMED_UNPAUSED;
    }
}

/* Whether the guest now has this state for the first time; the reason is taken over either way. */
static bool
qemuEventChangeState(struct virDomainObj *vm, int state, int reason)
{
    bool changed;

    pthread_mutex_lock(&vm->lock);
    changed = vm->id >= 0 && vm->state != state;
    if (changed)
        virDomainObjSetState(vm, state, reason);
    pthread_mutex_unlock(&vm->lock);
    return changed;
}

static void
qemuEventSave(struct virDomainObj *vm)
{
    if (qemuStateSaveStatus(vm, false) < 0)
        virLog(VIR_LOG_WARN, "qemu.events", "domain '%s': %s", vm->name, virGetLastErrorMessage());
}

VIRT_INTERNAL void
qemuEventPaused(struct virDomainObj *vm, int reason, int detail)
{
    if (!qemuEventChangeState(vm, VIR_DOMAIN_PAUSED, reason))
        return;
    qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_SUSPENDED,
                       detail >= 0 ? detail : qemuEventSuspendedDetail(reason));
    qemuEventSave(vm);
}

VIRT_INTERNAL void
qemuEventRunning(struct virDomainObj *vm, int reason, int detail)
{
    if (!qemuEventChangeState(vm, VIR_DOMAIN_RUNNING, reason))
        return;
    qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_RESUMED, detail >= 0 ? detail : qemuEventResumedDetail(reason));
    qemuEventSave(vm);
}

static bool
qemuEventIsMigrating(struct virDomainObj *vm)
{
    bool migrating;

    pthread_mutex_lock(&vm->lock);
    migrating = vm->job == VIR_DOMAIN_JOB_KIND_MIGRATION_OUT || vm->job == VIR_DOMAIN_JOB_KIND_MIGRATION_IN;
    pthread_mutex_unlock(&vm->lock);
    return migrating;
}

static void
qemuEventStop(struct virDomainObj *vm, struct qemuDomain *priv, const cJSON *data)
{
    int reason = atomic_exchange(&priv->stopReason, -1);

    (void)data;
    /*
     * The machine stands because the guest is off; what comes of that was decided when it said so.
     */
    if (priv->shutdownSeen || priv->restarting)
        return;
    if (reason < 0)
        reason = qemuEventIsMigrating(vm) ? VIR_DOMAIN_PAUSED_MIGRATION : VIR_DOMAIN_PAUSED_UNKNOWN;
    if (reason == VIR_DOMAIN_PAUSED_CRASHED) {
        if (qemuEventChangeState(vm, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED))
            qemuEventSave(vm);
        return;
    }
    qemuEventPaused(vm, reason, -1);
}

static void
qemuEventResume(struct virDomainObj *vm, struct qemuDomain *priv, const cJSON *data)
{
    int reason = atomic_exchange(&priv->resumeReason, -1);

    (void)data;
    if (reason < 0)
        reason = qemuEventIsMigrating(vm) ? VIR_DOMAIN_RUNNING_MIGRATION_CANCELED : VIR_DOMAIN_RUNNING_UNPAUSED;
    qemuEventRunning(vm, reason, -1);
}

/* ---- power ---- */

/*
 * What the document wants when the guest does this: "destroy", "restart", "preserve", ...;
 * `otherwise` where it says nothing.
 */
static void
qemuEventWanted(struct virDomainObj *vm, const char *element, const char *otherwise, char wanted[32])
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    const char *text = doc != NULL ? virXmlString(virXmlRoot(doc), element) : NULL;

    snprintf(wanted, 32, "%s", text != NULL ? text : otherwise);
}

static bool
qemuEventIsRestart(const char *wanted)
{
    return strcmp(wanted, "restart") == 0 || strcmp(wanted,
                                                    "rename-restart") == 0 || strcmp(wanted, "coredump-restart") == 0;
}

/*
 * The guest is off but its machine stays: it is reset now, and goes on when RESET says that this is
 * done.
 */
static void
qemuEventRestart(struct qemuDomain *priv, struct qemuMonitor *mon)
{
    pthread_mutex_lock(&priv->lock);
    priv->restarting = true;
    pthread_mutex_unlock(&priv->lock);
    qemuMonitorPost(mon, "system_reset", NULL);
}

/*
 * Where the document says destroy, QEMU ends by itself, and the end of the monitor follows. Else it
 * waits, stopped (qemuProcessActions).
 */
static void
qemuEventShutdown(struct virDomainObj *vm, struct qemuDomain *priv, struct qemuMonitor *mon,
                  const cJSON *data)
{
    const char *cause = virJsonString(data, "reason");
    bool reset = cause != NULL && strcmp(cause, "guest-reset") == 0;
    bool guest = false, reboot, ended;
    char wanted[32];

    virJsonBool(data, "guest", &guest);
    pthread_mutex_lock(&priv->lock);
    ended = priv->phase == QEMU_PHASE_STOPPING;
    reboot = priv->rebootWanted;
    pthread_mutex_unlock(&priv->lock);
    if (ended)
        return;
    if (reset)
        qemuEventWanted(vm, "on_reboot", "restart", wanted);
    else
        qemuEventWanted(vm, "on_poweroff", "destroy", wanted);
    if (guest && (reboot || qemuEventIsRestart(wanted))) {
        qemuEventRestart(priv, mon);
        return;
    }
    pthread_mutex_lock(&priv->lock);
    priv->shutdownSeen = true;
    pthread_mutex_unlock(&priv->lock);
    if (qemuEventChangeState(vm, VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_UNKNOWN))
        qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_SHUTDOWN,
                           cause == NULL ? VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED
                           : guest       ? VIR_DOMAIN_EVENT_SHUTDOWN_GUEST : VIR_DOMAIN_EVENT_SHUTDOWN_HOST);
    qemuEventSave(vm);
    /*
     * It may wait only because another action must not be the end; this one is. Where QEMU ends on
     * its own, this is not even read.
     */
    if (guest && strcmp(wanted, "preserve") != 0)
        qemuMonitorPost(mon, "quit", NULL);
}

static void
qemuEventReset(struct virDomainObj *vm, struct qemuDomain *priv, struct qemuMonitor *mon)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_REBOOT };
    bool restarted, wanted;

    pthread_mutex_lock(&priv->lock);
    restarted = priv->restarting;
    wanted = priv->rebootWanted;
    priv->restarting = priv->rebootWanted = false;
    pthread_mutex_unlock(&priv->lock);
    if (restarted) {
        atomic_store(&priv->resumeReason, VIR_DOMAIN_RUNNING_BOOTED);
        if (wanted)
            qemuMonitorPost(mon, "set-action", virJsonObject("s:shutdown", "poweroff", NULL));
        qemuMonitorPost(mon, "cont", NULL);
    }
    qemuEventEmit(vm, &event);
}

static void
qemuEventPanicked(struct virDomainObj *vm, struct qemuDomain *priv, struct qemuMonitor *mon,
                  const cJSON *data)
{
    const char *action = virJsonString(data, "action"), *type = virJsonString(virJsonGet(data,
                                                                                         "info"), "type");
    char wanted[32];

    pthread_mutex_lock(&priv->lock);
    free(priv->crashed);
    priv->crashed = strdup(type != NULL ? type : "panic");
    pthread_mutex_unlock(&priv->lock);
    qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
    if (action == NULL || strcmp(action, "pause") != 0)
        return;
    qemuEventWanted(vm, "on_crash", "destroy", wanted);
    if (strncmp(wanted, "coredump", 8) == 0)
        virLog(VIR_LOG_WARN, "qemu.events", "domain '%s': no core is dumped", vm->name);
    if (qemuEventIsRestart(wanted)) {
        qemuEventRestart(priv, mon);
    } else if (strcmp(wanted, "preserve") == 0) {
        atomic_store(&priv->stopReason, VIR_DOMAIN_PAUSED_CRASHED);
    } else {
        qemuMonitorPost(mon, "quit", NULL);
    }
}

static void
qemuEventSleep(struct virDomainObj *vm, bool disk)
{
    struct virDomainEvent event = { .eventID = disk ? VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK : VIR_DOMAIN_EVENT_ID_PMSUSPEND };

    if (qemuEventChangeState(vm, VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN)) {
        qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_PMSUSPENDED,
                           disk ? VIR_DOMAIN_EVENT_PMSUSPENDED_DISK : VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY);
        qemuEventSave(vm);
    }
    qemuEventEmit(vm, &event);
}

static void
qemuEventWakeup(struct virDomainObj *vm)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_PMWAKEUP };

    if (vm->state == VIR_DOMAIN_PMSUSPENDED && qemuEventChangeState(vm, VIR_DOMAIN_RUNNING,
                                                                    VIR_DOMAIN_RUNNING_WAKEUP)) {
        qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_WAKEUP);
        qemuEventSave(vm);
    }
    qemuEventEmit(vm, &event);
}

/* ---- devices ---- */

/* The index of text in names, or `otherwise`. */
static int
qemuEventIndex(const char *const *names, const char *text, int otherwise)
{
    for (int i = 0; text != NULL && names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0)
            return i;
    }
    return otherwise;
}

static void
qemuEventWatchdog(struct virDomainObj *vm, struct qemuDomain *priv, const cJSON *data)
{
    /* in the order of virDomainEventWatchdogAction */
    static const char *const actions[] = { "none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi", NULL };
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_WATCHDOG };

    event.detail[0] = qemuEventIndex(actions, virJsonString(data, "action"), VIR_DOMAIN_EVENT_WATCHDOG_NONE);
    if (event.detail[0] == VIR_DOMAIN_EVENT_WATCHDOG_PAUSE)
        atomic_store(&priv->stopReason, VIR_DOMAIN_PAUSED_WATCHDOG);
    qemuEventEmit(vm, &event);
}

/* The disk behind a node ("<alias>-format", ...) or a device id. */
static xmlNodePtr
qemuEventFindDisk(xmlDocPtr doc, const char *name)
{
    VIRT_XML_EACH(disk, virXmlFind(virXmlRoot(doc), "devices"), "disk") {
        const char *alias = virXmlString(disk, "alias/@name");
        size_t length = alias != NULL ? strlen(alias) : 0;

        if (length > 0 && name != NULL && strncmp(name, alias,
                                                  length) == 0 && (name[length] == '-' || name[length] == '\0'))
            return disk;
    }
    return NULL;
}

static const char *
qemuEventDiskPath(xmlNodePtr disk)
{
    static const char *const paths[] = { "source/@file", "source/@dev", "source/@name", "source/@dir" };

    for (size_t i = 0; disk != NULL && i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (virXmlString(disk, paths[i]) != NULL)
            return virXmlString(disk, paths[i]);
    }
    return "";
}

static void
qemuEventIoError(struct virDomainObj *vm, struct qemuDomain *priv, const cJSON *data)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    /* virDomainEventIOErrorAction */
    static const char *const actions[] = { "ignore", "stop", "report", NULL };
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_IO_ERROR };
    const char *device = virJsonString(data, "device"), *node = virJsonString(data, "node-name");
    xmlNodePtr disk = qemuEventFindDisk(doc, device != NULL && *device != '\0' ? device : node);
    const char *alias = disk != NULL ? virXmlString(disk, "alias/@name") : NULL;
    bool full = false;

    virJsonBool(data, "nospace", &full);
    event.detail[0] = qemuEventIndex(actions, virJsonString(data, "action"),
                                     VIR_DOMAIN_EVENT_IO_ERROR_REPORT);
    event.text[0] = qemuEventDiskPath(disk);
    event.text[1] = alias != NULL ? alias : node != NULL ? node : "";
    event.text[2] = full ? "enospc" : "";
    if (event.detail[0] == VIR_DOMAIN_EVENT_IO_ERROR_PAUSE)
        atomic_store(&priv->stopReason, VIR_DOMAIN_PAUSED_IOERROR);
    qemuEventEmit(vm, &event);
    event.eventID = VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON;
    qemuEventEmit(vm, &event);
}

static void
qemuEventBlockJob(struct virDomainObj *vm, const char *name, const cJSON *data)
{
    static const char *const types[] = { "", "stream", "mirror", "commit", "active-commit", "backup", NULL };
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_BLOCK_JOB };
    xmlNodePtr disk = qemuEventFindDisk(doc, virJsonString(data, "device"));

    if (disk == NULL)
        return;                       /* not a job on a disk of the guest: a migration's copy has a name of its own */
    event.detail[0] = qemuEventIndex(types, virJsonString(data, "type"), 0);
    event.detail[1] = strcmp(name, "BLOCK_JOB_READY") == 0       ? VIR_DOMAIN_BLOCK_JOB_READY
                      : strcmp(name, "BLOCK_JOB_CANCELLED") == 0 ? VIR_DOMAIN_BLOCK_JOB_CANCELED
                      : virJsonString(data, "error") != NULL     ? VIR_DOMAIN_BLOCK_JOB_FAILED
                                                                 : VIR_DOMAIN_BLOCK_JOB_COMPLETED;
    event.text[0] = qemuEventDiskPath(disk);
    qemuEventEmit(vm, &event);
    event.eventID = VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2;
    event.text[0] = virXmlString(disk, "target/@dev");
    qemuEventEmit(vm, &event);
}

/*
 * A port of a virtio-serial channel was opened or closed in the guest; on the agent's, the agent
 * has come or gone.
 */
static void
qemuEventChannel(struct virDomainObj *vm, const cJSON *data)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
                                    .detail = { VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
                                                VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL } };
    const char *id = virJsonString(data, "id");
    bool open = false;
    char *text;

    virJsonBool(data, "open", &open);
    VIRT_XML_EACH(channel, virXmlFind(virXmlRoot(doc), "devices"), "channel") {
        if (id == NULL || !virXmlEquals(channel, "alias/@name", id))
            continue;
        if (virXmlSet(channel, "target/@state", "%s", open ? "connected" : "disconnected") < 0
            || (text = virXmlFormat(doc)) == NULL)
            return;
        pthread_mutex_lock(&vm->lock);
        if (vm->live != NULL) {
            free(vm->live);
            vm->live = text;
            text = NULL;
        }
        pthread_mutex_unlock(&vm->lock);
        free(text);
        qemuEventSave(vm);
        if (!virXmlEquals(channel, "target/@name", "org.qemu.guest_agent.0"))
            return;
        if (open)
            event.detail[0] = VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED;
        qemuEventEmit(vm, &event);
        return;
    }
}

static void
qemuEventDevice(struct virDomainObj *vm, const char *name, const cJSON *data)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED };
    bool open = false;

    event.text[0] = virJsonString(data, "device");
    if (strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR") == 0) {
        event.eventID = VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED;
    } else if (strcmp(name, "DEVICE_TRAY_MOVED") == 0) {
        virJsonBool(data, "tray-open", &open);
        event.eventID = VIR_DOMAIN_EVENT_ID_TRAY_CHANGE;
        event.detail[0] = open ? VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN : VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE;
        event.text[0] = virJsonString(data, "id");
    }
    if (event.text[0] != NULL)        /* parts of a device that have no id of their own are not the application's business */
        qemuEventEmit(vm, &event);
}

static void
qemuEventBalloon(struct virDomainObj *vm, const cJSON *data)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE };
    unsigned long long actual = 0;

    if (virJsonULongLong(data, "actual", &actual) < 0)
        return;
    atomic_store(&vm->memory, actual / 1024);
    event.number = (long long)(actual / 1024);
    qemuEventEmit(vm, &event);
}

static void
qemuEventMemoryFailure(struct virDomainObj *vm, const cJSON *data)
{
    static const char *const recipients[] = { "hypervisor", "guest", NULL };
    static const char *const actions[] = { "ignore", "inject", "fatal", "reset", NULL };
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE };
    const cJSON *flags = virJsonGet(data, "flags");
    bool required = false, recursive = false;

    virJsonBool(flags, "action-required", &required);
    virJsonBool(flags, "recursive", &recursive);
    event.detail[0] = qemuEventIndex(recipients, virJsonString(data, "recipient"), 0);
    event.detail[1] = qemuEventIndex(actions, virJsonString(data, "action"), 0);
    event.number = (required ? VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED : 0)
                   | (recursive ? VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE : 0);
    qemuEventEmit(vm, &event);
}

static void
qemuEventRtc(struct virDomainObj *vm, const cJSON *data)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_RTC_CHANGE };
    const cJSON *offset = virJsonGet(data, "offset");

    if (!cJSON_IsNumber(offset))
        return;
    event.number = (long long)offset->valuedouble;
    qemuEventEmit(vm, &event);
}

/* ---- migration ---- */

/* in the order of enum qemuMigrationStatus */
static const char *const qemuMigrationStatusNames[QEMU_MIGRATION_LAST] = {
    "none", "setup", "cancelling", "cancelled", "active", "postcopy-active", "postcopy-paused", "postcopy-recover",
    "completed", "failed", "colo", "pre-switchover", "device", "wait-unplug",
};

VIRT_INTERNAL int
qemuMigrationStatusFromName(const char *name)
{
    for (int i = 0; name != NULL && i < QEMU_MIGRATION_LAST; i++) {
        if (strcmp(qemuMigrationStatusNames[i], name) == 0)
            return i;
    }
    return -1;
}

VIRT_INTERNAL void
qemuMigrationReset(struct qemuDomain *priv)
{
    atomic_store(&priv->migrationStatus, QEMU_MIGRATION_NONE);
}

static void
qemuEventMigration(struct virDomainObj *vm, struct qemuDomain *priv, const char *name, const cJSON *data)
{
    const struct qemuMigrationHooks *hooks = priv->host->migration;

    if (strcmp(name, "MIGRATION_PASS") == 0) {
        struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION };

        if (virJsonInt(data, "pass", &event.detail[0]) == 0)
            qemuEventEmit(vm, &event);
    } else {
        int status = qemuMigrationStatusFromName(virJsonString(data, "status"));

        if (status >= 0)
            atomic_store(&priv->migrationStatus, status);
        atomic_fetch_add(&priv->migrationEvents, 1);
    }
    if (hooks != NULL && hooks->event != NULL)
        hooks->event(vm, name, data);
}

/* ---- the end ---- */

/* QEMU goes on; whoever needs its monitor next opens a new one (qemuDomainMonitor). */
static void
qemuEventLoseMonitor(struct qemuDomain *priv, struct qemuMonitor *mon)
{
    bool ours;

    pthread_mutex_lock(&priv->lock);
    if ((ours = priv->monitor == mon && priv->phase == QEMU_PHASE_RUNNING))
        priv->monitor = NULL;
    pthread_mutex_unlock(&priv->lock);
    if (!ours)
        return;
    atomic_store(&priv->monitorFd, -1);
    qemuMonitorClose(mon);
    qemuMonitorUnref(mon);
}

/* The conversation is over: QEMU has ended, or what speaks there is no QEMU. */
static void
qemuEventEnd(struct virDomainObj *vm, struct qemuDomain *priv, struct qemuMonitor *mon)
{
    int reason = VIR_DOMAIN_SHUTOFF_CRASHED;

    if (!qemuMonitorHasEnded(mon)) {
        struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_CONTROL_ERROR };

        virLog(VIR_LOG_ERROR, "qemu.events", "domain '%s': its monitor cannot be used any more", vm->name);
        qemuEventEmit(vm, &event);
        qemuEventLoseMonitor(priv, mon);
        return;
    }
    pthread_mutex_lock(&priv->lock);
    if (priv->phase == QEMU_PHASE_STARTING && !priv->incoming)
        reason = VIR_DOMAIN_SHUTOFF_FAILED;
    else if (priv->crashed != NULL)
        reason = VIR_DOMAIN_SHUTOFF_CRASHED;
    else if (priv->shutdownSeen)
        reason = VIR_DOMAIN_SHUTOFF_SHUTDOWN;
    pthread_mutex_unlock(&priv->lock);
    qemuProcessStop(vm, reason, QEMU_PROCESS_STOP_NOWAIT);
}

VIRT_INTERNAL void
qemuEventDispatch(struct qemuMonitor *mon, const char *event, const cJSON *data, void *opaque)
{
    struct virDomainObj *vm = opaque;
    struct qemuDomain *priv = qemuDomainPeek(vm);

    if (priv == NULL)
        return;
    virLog(VIR_LOG_INFO, "qemu.events", "domain '%s': %s", vm->name,
           event != NULL ? event : "end of the monitor");
    if (event == NULL)
        qemuEventEnd(vm, priv, mon);
    else if (strcmp(event, "STOP") == 0)
        qemuEventStop(vm, priv, data);
    else if (strcmp(event, "RESUME") == 0)
        qemuEventResume(vm, priv, data);
    else if (strncmp(event, "MIGRATION", 9) == 0)
        qemuEventMigration(vm, priv, event, data);
    else if (strcmp(event, "SHUTDOWN") == 0)
        qemuEventShutdown(vm, priv, mon, data);
    else if (strcmp(event, "RESET") == 0)
        qemuEventReset(vm, priv, mon);
    else if (strcmp(event, "GUEST_PANICKED") == 0)
        qemuEventPanicked(vm, priv, mon, data);
    else if (strcmp(event, "SUSPEND") == 0 || strcmp(event, "SUSPEND_DISK") == 0)
        qemuEventSleep(vm, event[7] != '\0');
    else if (strcmp(event, "WAKEUP") == 0)
        qemuEventWakeup(vm);
    else if (strcmp(event, "WATCHDOG") == 0)
        qemuEventWatchdog(vm, priv, data);
    else if (strcmp(event, "BLOCK_IO_ERROR") == 0)
        qemuEventIoError(vm, priv, data);
    else if (strncmp(event, "BLOCK_JOB_", 10) == 0 && strcmp(event, "BLOCK_JOB_PENDING") != 0
             && strcmp(event, "BLOCK_JOB_ERROR") != 0)
        qemuEventBlockJob(vm, event, data);
    else if (strcmp(event, "JOB_STATUS_CHANGE") == 0)
        qemuStorageOnJob(vm, mon, data);
    else if (strcmp(event, "VSERPORT_CHANGE") == 0)
        qemuEventChannel(vm, data);
    else if (strncmp(event, "DEVICE_", 7) == 0)
        qemuEventDevice(vm, event, data);
    else if (strcmp(event, "BALLOON_CHANGE") == 0)
        qemuEventBalloon(vm, data);
    else if (strcmp(event, "MEMORY_FAILURE") == 0)
        qemuEventMemoryFailure(vm, data);
    else if (strcmp(event, "RTC_CHANGE") == 0)
        qemuEventRtc(vm, data);
    /*
     * What went wrong here is in the log; the call that happened to read the monitor has not failed
     * by it.
     */
    virResetLastError();
}

#undef VIRT_FROM
