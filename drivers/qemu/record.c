/*
 * What survives this process of a migration: a record in the guest's status, and what is made of it when the state directory is opened
 * again. The source is judged by its hypervisor's migration status, never by whether its CPUs stand; a destination that was told to start
 * starts, one that was never told does not.
 *
 *   migration   its uuid
 *   side        "source" or "destination"
 *   running     the guest ran before
 *   state, reason   ... or was paused so
 *   told        destination: Finish has said "start" (or "stay paused", if paused is true)
 */
#include "migration.h"
#include "process.h"
#include "state.h"

#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_RECORD_WAIT   5000000         /* us for QEMU to end a transfer that was cancelled */
#define QEMU_RECORD_ANSWER 2000            /* ms for QEMU to answer: one that is hung must not keep the directory from being opened */

/* Takes text over. */
static int
qemuRecordSet(struct virDomainObj *vm, char *text)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    pthread_mutex_lock(&priv->lock);
    free(priv->record);
    priv->record = text;
    pthread_mutex_unlock(&priv->lock);
    return qemuStateSaveStatus(vm, false);
}

VIRT_INTERNAL int
qemuMigrationSaveRecord(struct qemuMigration *m, bool told)
{
    VIRT_CLEANUP_JSON cJSON *json = virJsonObject("s:migration", m->uuid, "s:side", m->incoming ? "destination" : "source",
                                                  "b:running", m->wasRunning, "i:state", m->state, "i:reason", m->reason,
                                                  "b:told", told, "b:paused", m->startPaused, NULL);
    char *text = json != NULL ? virJsonFormat(json) : NULL;

    return text != NULL ? qemuRecordSet(m->vm, text) : -1;
}

VIRT_INTERNAL void
qemuMigrationForgetRecord(struct qemuMigration *m)
{
    if (m->vm->id >= 0 && qemuRecordSet(m->vm, NULL) < 0)
        virLog(VIR_LOG_WARN, "qemu.migration", "%s: %s", m->uuid, virGetLastErrorMessage());
}

static int
qemuRecordAsk(struct virDomainObj *vm, const char *command, cJSON **reply)
{
    struct qemuMonitor *mon = qemuDomainMonitor(vm);
    qemuMonitorId id = mon != NULL ? qemuMonitorSend(mon, command, NULL, false) : 0;
    int rc = id != 0 ? qemuMonitorReceive(mon, id, QEMU_RECORD_ANSWER, reply) : -1;

    if (rc == 0) {
        qemuMonitorForget(mon, id);
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': QEMU has not answered '%s'", vm->name, command);
    }
    qemuMonitorUnref(mon);
    return rc > 0 ? 0 : -1;
}

/* The status of the source's QEMU, once it has come to an end: a transfer under way is cancelled. -1: no answer. */
static int
qemuRecordJudge(struct virDomainObj *vm)
{
    unsigned long long end = virTimeNowUs() + QEMU_RECORD_WAIT;
    bool cancelled = false;
    int status;

    do {
        VIRT_CLEANUP_JSON cJSON *info = NULL;
        const char *name;

        if (qemuRecordAsk(vm, "query-migrate", &info) < 0)
            return -1;
        name = virJsonString(info, "status");
        status = name != NULL ? qemuMigrationStatusFromName(name) : QEMU_MIGRATION_NONE;
        if (status == QEMU_MIGRATION_NONE || status == QEMU_MIGRATION_COMPLETED || status == QEMU_MIGRATION_FAILED
            || status == QEMU_MIGRATION_CANCELLED)
            return status;
        if (!cancelled && qemuRecordAsk(vm, "migrate_cancel", NULL) < 0)
            return -1;
        cancelled = true;
        usleep(10000);
    } while (virTimeNowUs() < end);
    return -1;
}

/* It may run at the destination: nothing lets it run here, until somebody who knows ends it. */
static void
qemuRecordHold(struct virDomainObj *vm, const cJSON *record, bool complete)
{
    const char *uuid = virJsonString(record, "migration");

    virLog(VIR_LOG_WARN, "qemu.migration", "domain '%s': its migration %s; whether it runs at the destination is not known here",
           vm->name, complete ? "was complete" : "cannot be asked for");
    if (complete)
        virDomainObjSetState(vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
    if (!virDomainObjIsHeld(vm) && virDomainObjHold(vm, uuid != NULL ? uuid : "unknown") < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "domain '%s': %s", vm->name, virGetLastErrorMessage());
}

static void
qemuRecordSettleSource(struct virDomainObj *vm, const cJSON *record)
{
    VIRT_CLEANUP_JSON cJSON *reply = NULL;
    int status = qemuRecordJudge(vm), state = VIR_DOMAIN_PAUSED, reason = VIR_DOMAIN_PAUSED_UNKNOWN;
    bool running = false, runs = false;

    virJsonBool(record, "running", &running);
    virJsonInt(record, "state", &state);
    virJsonInt(record, "reason", &reason);
    if (status >= 0 && qemuRecordAsk(vm, "query-status", &reply) == 0)
        virJsonBool(reply, "running", &runs);
    if (!runs && (status < 0 || status == QEMU_MIGRATION_COMPLETED)) {
        qemuRecordHold(vm, record, status >= 0);
        return;
    }
    if (runs)
        qemuEventRunning(vm, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED, -1);
    else if (!running)
        virDomainObjSetState(vm, state, reason);
    else if ( qemuProcessCont(vm, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "domain '%s' does not go on: %s", vm->name, virGetLastErrorMessage());
    virDomainObjEndMigration(vm);
    qemuRecordSet(vm, NULL);
}

static void
qemuRecordSettleDestination(struct virDomainObj *vm, const cJSON *record)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    bool told = false, paused = false;
    int reason = VIR_DOMAIN_PAUSED_UNKNOWN;

    virJsonBool(record, "told", &told);
    virJsonBool(record, "paused", &paused);
    virJsonInt(record, "reason", &reason);
    if (!told) {
        virLog(VIR_LOG_WARN, "qemu.migration", "domain '%s' was arriving, and never told to start: it is ended", vm->name);
        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
        return;
    }
    if (paused) {
        virDomainObjSetState(vm, VIR_DOMAIN_PAUSED, reason);
    } else if (qemuProcessCont(vm, VIR_DOMAIN_RUNNING_MIGRATED) < 0) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "domain '%s' has arrived, but does not run: %s", vm->name, virGetLastErrorMessage());
        return;                       /* the record stays: the next who opens the directory tries again */
    }
    pthread_mutex_lock(&priv->lock);
    priv->incoming = false;
    pthread_mutex_unlock(&priv->lock);
    qemuRecordSet(vm, NULL);
}

/* The guest's record, NULL if there is none or it cannot be read. */
static cJSON *
qemuRecordGet(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_FREE char *text = NULL;

    pthread_mutex_lock(&priv->lock);
    text = priv->record != NULL ? strdup(priv->record) : NULL;
    pthread_mutex_unlock(&priv->lock);
    return text != NULL ? virJsonParse(text, strlen(text), "migration record") : NULL;
}

VIRT_INTERNAL int
qemuMigrationSettleAgain(struct virDomainObj *vm, const char *api)
{
    VIRT_CLEANUP_JSON cJSON *record = qemuRecordGet(vm);

    if (record != NULL)
        qemuRecordSettleSource(vm, record);
    return virDomainObjIsHeld(vm) ? virDomainObjReportHeld(vm, api) : 0;
}

VIRT_INTERNAL void
qemuMigrationReconnected(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_JSON cJSON *record = qemuRecordGet(vm);
    const char *side;

    side = record != NULL ? virJsonString(record, "side") : NULL;
    if (side != NULL && strcmp(side, "source") == 0)
        qemuRecordSettleSource(vm, record);
    else if (side != NULL || priv->record == NULL)
        qemuRecordSettleDestination(vm, record);
    else                              /* nothing is decided on a record that cannot be read */
        virLog(VIR_LOG_ERROR, "qemu.migration", "domain '%s': its migration record cannot be read; it is left as it is", vm->name);
    virResetLastError();
}

#undef QEMU_RECORD_WAIT
#undef QEMU_RECORD_ANSWER
#undef VIRT_FROM
