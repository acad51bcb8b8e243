/*
 * A live migration at its source: Begin, Perform and Confirm, on QEMU's monitor. See migration.c for what the phases have in common.
 *
 * What makes Perform's success mean something is QEMU's return path: with it the source says `completed` only when the destination has
 * acknowledged that it has loaded everything. What makes the way back safe is the order: QEMU resumes the source by itself when a
 * switchover fails, while the destination may hold a complete copy. So Finish (cancelled) ends the destination's QEMU
 * before Confirm (cancelled) looks whether the guest runs here again.
 */
#include "migration.h"
#include "process.h"

#include "../common/document.h"
#include "../common/json.h"
#include "../common/params.h"

#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_ASK        100000     /* us after which the progress is asked for again */

/* ---------- Begin ---------- */

/* What cannot move, said before anything is done. */
static int
qemuMigrationCheckDevices(struct virDomainObj *vm)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    xmlNodePtr devices;

    if (doc == NULL)
        return -1;
    devices = virXmlFind(virXmlRoot(doc), "devices");
    VIRT_XML_EACH(hostdev, devices, "hostdev") {
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' has a device of this host (hostdev '%s'): it cannot be migrated",
                              vm->name, virXmlString(hostdev, "alias/@name"));
    }
    VIRT_XML_EACH(filesystem, devices, "filesystem") {
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' sees a folder of this host (filesystem '%s'): it cannot be migrated",
                              vm->name, virXmlString(filesystem, "alias/@name"));
    }
    return 0;
}

static int
qemuMigrationCheckGuest(struct virDomainObj *vm, const struct virMigrationCall *call)
{
    bool offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0;
    int state = atomic_load(&vm->state);

    if (offline && vm->id >= 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is running: an offline migration is for one that is not", vm->name);
    if (offline)
        return 0;
    if (vm->id < 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is not running", vm->name);
    if (state != VIR_DOMAIN_RUNNING && state != VIR_DOMAIN_PAUSED)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is neither running nor paused: it cannot be migrated", vm->name);
    if (state == VIR_DOMAIN_PAUSED && (call->flags & VIR_MIGRATE_ABORT_ON_ERROR) != 0 && vm->reason == VIR_DOMAIN_PAUSED_IOERROR)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is paused by an I/O error", vm->name);
    return qemuMigrationCheckDevices(vm);
}

/* The guest's job is held. */
static int
qemuMigrationBeginHeld(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call, char **cookieout)
{
    struct qemuMigration *m;
    int rc = VIR_MIGRATION_FAILED;

    if (qemuMigrationCheckGuest(vm, call) < 0 || qemuDomainOf(vm) == NULL || (m = qemuMigrationNew(host, vm, call, false, QEMU_STAGE_BEGUN)) == NULL)
        return VIR_MIGRATION_FAILED;
    m->state = atomic_load(&vm->state);
    m->reason = atomic_load(&vm->reason);
    m->wasRunning = m->state == VIR_DOMAIN_RUNNING;
    if ((m->cookie = qemuMigrationFormatCookie(m, call)) != NULL
        && virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, m->uuid) == 0)
        rc = qemuMigrationAnswer(m, cookieout, NULL);
    if (rc == VIR_MIGRATION_FAILED) {
        qemuMigrationFailed(m);
        qemuMigrationEnd(m, QEMU_STAGE_STAYED);
    }
    qemuMigrationUnlock(m);
    return rc;
}

VIRT_INTERNAL int
qemuMigrationBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout)
{
    struct qemuHost *host = qemuHostOf(domain->conn);
    struct qemuMigration *m = qemuMigrationLock(host, call->uuid, false);
    struct virDomainObj *vm;
    int rc;

    if (m != NULL) {
        rc = m->error.code != VIR_ERR_OK ? qemuMigrationFailed(m) : qemuMigrationAnswer(m, cookieout, NULL);
        qemuMigrationUnlock(m);
        return rc;
    }
    if (qemuMigrationCheckCall(call) < 0 || (vm = virDomainObjOf(domain)) == NULL
        || virDomainObjBeginJob(vm, "virDomainMigrate", false) < 0)
        return VIR_MIGRATION_FAILED;
    rc = qemuMigrationBeginHeld(host, vm, call, cookieout);
    if (rc == VIR_MIGRATION_FAILED)
        virDomainObjEndJob(vm);
    return rc;
}

/* ---------- Perform ---------- */

static int
qemuMigrationStart(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);

    if (uri == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "migration %s: the destination has given no URI", m->uuid);
    if (qemuMigrationSaveRecord(m, false) < 0)
        return -1;
    m->started = virTimeNowUs();
    if (m->wasRunning && (call->flags & VIR_MIGRATE_LIVE) == 0) {
        m->pausedByUs = true;
        m->stopped = qemuMigrationWallClock();
        if (qemuMigrationSend(m, mon, "stop", NULL) < 0)
            return -1;
    }
    qemuMigrationReset(priv);
    m->asked = virTimeNowUs();
    return qemuMigrationSendMigrate(m, mon, call, uri);
}

/*
 * Now and then query-migrate is sent: for the progress, and because events are not repeated. The reply is taken when it comes; a QEMU that
 * stands still keeps nobody waiting. A status that QEMU told by an event since the question is the newer one.
 */
static void
qemuMigrationAsk(struct qemuMigration *m, struct qemuMonitor *mon)
{
    m->asked = virTimeNowUs();
    m->askedAt = atomic_load(&qemuDomainPeek(m->vm)->migrationEvents);
    if ((m->asking = qemuMonitorSend(mon, "query-migrate", NULL, false)) == 0)
        virResetLastError();          /* no answer is no failure; a monitor that has ended is noticed by the caller */
}

static void
qemuMigrationTakeInfo(struct qemuMigration *m, const cJSON *info)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    const char *name = virJsonString(info, "status"), *why = virJsonString(info, "error-desc");
    int status = name != NULL ? qemuMigrationStatusFromName(name) : -1, n = 0;
    virTypedParameterPtr params = NULL;

    if (status >= 0 && m->askedAt == atomic_load(&priv->migrationEvents))
        atomic_store(&priv->migrationStatus, status);
    if (why != NULL && m->why == NULL)
        m->why = strdup(why);
    if (virJsonGet(info, "ram") != NULL && qemuMigrationStats(m->vm, m, info, &params, &n) == 0)
        qemuMigrationKeepStats(m, params, n);
}

/* Takes the answer in, after at most timeout ms. 1: nothing is asked any more; 0: it has not come. */
static int
qemuMigrationAnswered(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;
    int rc;

    if (m->asking == 0)
        return 1;
    if ((rc = qemuMonitorReceive(mon, m->asking, timeout, &info)) == 0)
        return 0;
    m->asking = 0;
    if (rc > 0)
        qemuMigrationTakeInfo(m, info);
    virResetLastError();
    return 1;
}

/* The transfer has ended: what QEMU has to say of it, asked for once more. 1: it has said it, or cannot; 0: not within timeout ms. */
static int
qemuMigrationLastInfo(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    if (!m->final) {
        if (m->asking != 0)
            qemuMonitorForget(mon, m->asking);
        qemuMigrationAsk(m, mon);
        m->final = true;
    }
    return qemuMigrationAnswered(m, mon, timeout);
}

/* Why QEMU gave up, in its words. */
static void
qemuMigrationReportFailure(struct qemuMigration *m)
{
    if (atomic_load(&m->aborted))
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted by its user", m->vm->name);
    else if (atomic_load(&m->ioError))
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' was aborted: the guest met an I/O error", m->vm->name);
    else
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' failed: %s", m->vm->name,
                       m->why != NULL ? m->why : "the connection to the destination broke");
}

/* Whatever else was noticed of it: the guest's QEMU has ended, and the guest with it. */
static void
qemuMigrationReportDeath(struct qemuMigration *m)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    VIRT_CLEANUP_FREE char *words = NULL;

    pthread_mutex_lock(&priv->lock);
    if (priv->lastWords != NULL)
        words = strdup(priv->lastWords);
    pthread_mutex_unlock(&priv->lock);
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': its QEMU has ended during the migration, and the guest with it: it runs nowhere%s%s",
                   m->vm->name, words != NULL ? ": " : "", words != NULL ? words : "");
}

/* All is there: what is told to the destination. */
static int
qemuMigrationTransferred(struct qemuMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    virTypedParameterPtr params = virTypedParamsCopy(m->stats, m->nstats);       /* only this thread replaces them */
    int n = params != NULL ? m->nstats : 0;

    json = virJsonObject("i:version", 1, "s:migration", m->uuid, "u:stopped", m->stopped, "A:stats", qemuMigrationStatsToJson(params, n), NULL);
    if (params != NULL)
        virDomainObjSetCompleted(m->vm, VIR_DOMAIN_JOB_COMPLETED, params, n);
    free(m->cookie);
    if ((m->cookie = json != NULL ? virJsonFormat(json) : NULL) == NULL)
        return -1;
    m->stage = QEMU_STAGE_TRANSFERRED;
    return 1;
}

/* What the status asks for: 1 all is there, 0 it goes on, -1 it failed. Waits at most timeout ms for QEMU's last words on it. */
static int
qemuMigrationJudge(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);

    switch (atomic_load(&priv->migrationStatus)) {
    case QEMU_MIGRATION_PRE_SWITCHOVER:
        if (m->switched != 0)
            return 0;
        if (m->stopped == 0)
            m->stopped = qemuMigrationWallClock();
        m->switched = virTimeNowUs();
        if (atomic_load(&m->aborted))
            return qemuMonitorPost(mon, "migrate_cancel", NULL);
        return qemuMonitorPost(mon, "migrate-continue", virJsonObject("s:state", "pre-switchover", NULL));
    case QEMU_MIGRATION_COMPLETED:
        return qemuMigrationLastInfo(m, mon, timeout) > 0 ? qemuMigrationTransferred(m) : 0;
    case QEMU_MIGRATION_FAILED:
    case QEMU_MIGRATION_CANCELLED:
        if (qemuMigrationLastInfo(m, mon, timeout) == 0)
            return 0;
        qemuMigrationReportFailure(m);
        return -1;
    default:
        /* a guest that stands because of its disk: the caller said that this ends it */
        if ((m->flags & VIR_MIGRATE_ABORT_ON_ERROR) != 0 && atomic_load(&m->vm->state) == VIR_DOMAIN_PAUSED
            && atomic_load(&m->vm->reason) == VIR_DOMAIN_PAUSED_IOERROR && !atomic_exchange(&m->ioError, true))
            return qemuMonitorPost(mon, "migrate_cancel", NULL);
        return 0;
    }
}

static int
qemuMigrationPerformRun(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    unsigned long long end = qemuMigrationUntil(call->timeout);
    /* who waits for the end looks around now and then; who steps wants numbers to show */
    const int most = call->timeout < 0 ? 1000 : QEMU_MIGRATE_ASK / 1000;
    int rc = 0, left;

    if (m->stage == QEMU_STAGE_BEGUN) {
        if (atomic_load(&m->aborted)) {
            qemuMigrationReportFailure(m);
            return -1;
        }
        m->stage = QEMU_STAGE_TRANSFER;
        if (qemuMigrationStart(m, mon, call, uri) < 0)
            return -1;
    }
    for (;;) {
        left = qemuMigrationLeft(end, most);
        if (m->npending > 0 && (rc = qemuMigrationCollect(m, mon, left)) < 0)
            return -1;
        /* an abort that came before `migrate` was carried out had nothing to cancel */
        if (m->npending == 0 && atomic_load(&m->aborted) && !m->cancelSent) {
            m->cancelSent = true;
            if (qemuMonitorPost(mon, "migrate_cancel", NULL) < 0)
                return -1;
        }
        if (m->npending == 0 && (rc = qemuMigrationJudge(m, mon, left)) != 0)
            return rc;
        if (!qemuMonitorIsOpen(mon) || atomic_load(&m->ended)) {
            m->asking = 0;
            m->final = false;
            m->asked = 0;
            if (m->npending == 0 && !atomic_load(&m->ended) && !qemuMonitorHasEnded(mon))
                return 0;             /* QEMU goes on: it is asked by a new monitor */
            return virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' failed: its monitor was lost", m->vm->name);
        }
        left = qemuMigrationLeft(end, most);
        if (m->npending == 0 && !m->final) {
            if (m->asking == 0 && virTimeNowUs() - m->asked >= QEMU_MIGRATE_ASK)
                qemuMigrationAsk(m, mon);
            qemuMigrationListen(m, mon, left);
            qemuMigrationAnswered(m, mon, 0);
        }
        if (left == 0 && call->timeout >= 0)
            return m->npending == 0 ? qemuMigrationJudge(m, mon, 0) : 0;
    }
}

VIRT_INTERNAL int
qemuMigrationPerform(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, const char *uri,
                     char **cookieout)
{
    struct qemuMigration *m = qemuMigrationLock(qemuHostOf(domain->conn), call->uuid, false);
    struct qemuMonitor *mon = NULL;
    int rc;

    (void)cookiein;
    if (m == NULL) {
        virReportError(VIR_ERR_OPERATION_INVALID, "no migration %s has begun here", call->uuid);
        return VIR_MIGRATION_FAILED;
    }
    if (m->stage == QEMU_STAGE_TRANSFERRED || m->stage == QEMU_STAGE_LEFT) {
        rc = qemuMigrationAnswer(m, cookieout, NULL);
    } else if (m->stage != QEMU_STAGE_BEGUN && m->stage != QEMU_STAGE_TRANSFER) {
        if (m->error.code == VIR_ERR_OK)
            virReportError(VIR_ERR_OPERATION_INVALID, "migration %s is over", call->uuid);
        rc = qemuMigrationFailed(m);
    } else if ((mon = qemuDomainMonitor(m->vm)) == NULL && m->stage == QEMU_STAGE_TRANSFER && !atomic_load(&m->ended)) {
        virResetLastError();
        poll(NULL, 0, call->timeout < 0 || call->timeout > 100 ? 100 : call->timeout);
        rc = VIR_MIGRATION_AGAIN;     /* no answer is not no */
    } else if (mon == NULL || (rc = qemuMigrationPerformRun(m, mon, call, uri)) < 0) {
        m->stage = QEMU_STAGE_BROKEN;
        if (atomic_load(&m->ended) || (mon != NULL && qemuMonitorHasEnded(mon)))
            qemuMigrationReportDeath(m);
        rc = qemuMigrationFailed(m);
    } else {
        rc = rc > 0 ? qemuMigrationAnswer(m, cookieout, NULL) : VIR_MIGRATION_AGAIN;
    }
    if (mon != NULL)
        qemuMonitorUnref(mon);
    qemuMigrationUnlock(m);
    return rc;
}

/* ---------- Confirm ---------- */

/* The guest is at the destination: it ends here, and so does its document, if that was asked for. 1, or -1: its QEMU cannot be killed. */
static int
qemuMigrationLeave(struct qemuMigration *m)
{
    struct virDomainObj *vm = m->vm;

    /* what runs under its name after its end is not what has left */
    if (!atomic_load(&m->ended) && qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_MIGRATED, QEMU_PROCESS_STOP_KILL) < 0) {
        atomic_store(&m->dropped, true);          /* it stays held, until its QEMU has ended after all */
        return -1;
    }
    if ((m->flags & VIR_MIGRATE_UNDEFINE_SOURCE) != 0 && vm->persistent && virDomainObjUndefine(vm) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' stays defined here: %s", m->uuid, vm->name,
               virGetLastErrorMessage());
    virDomainObjEndMigration(vm);
    qemuMigrationEnd(m, QEMU_STAGE_LEFT);
    return 1;
}

/* With its job given back. The statistics of what failed are no statistics of a completed job. */
VIRT_INTERNAL void
qemuMigrationStay(struct qemuMigration *m)
{
    qemuMigrationEnd(m, QEMU_STAGE_STAYED);
    virDomainObjEndMigration(m->vm);
}

/* Brings the guest back to what it was. 1 done, 0 not yet, -1 it cannot be (its QEMU is gone, or does not go on). */
static int
qemuMigrationResume(struct qemuMigration *m, const struct virMigrationCall *call)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    struct qemuMonitor *mon = NULL;
    int status, rc = 1;

    if (atomic_load(&m->ended))
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' cannot go on: its QEMU has ended", m->vm->name);
    if ((mon = qemuDomainMonitor(m->vm)) == NULL)
        return -1;
    status = atomic_load(&priv->migrationStatus);
    if (m->stage == QEMU_STAGE_TRANSFER && status != QEMU_MIGRATION_COMPLETED && status != QEMU_MIGRATION_FAILED
        && status != QEMU_MIGRATION_CANCELLED && status != QEMU_MIGRATION_NONE) {
        /* nobody waited for its end: cancel it, and wait */
        if (!m->cancelSent)
            qemuMonitorPost(mon, "migrate_cancel", NULL);
        m->cancelSent = true;
        qemuMigrationListen(m, mon, call->timeout < 0 || call->timeout > 1000 ? 1000 : call->timeout);
        rc = qemuMonitorIsOpen(mon) ? 0 : -1;
    } else if (!m->wasRunning) {
        virDomainObjSetState(m->vm, m->state, m->reason);
    } else if (m->stage == QEMU_STAGE_RESUMING || atomic_load(&m->vm->state) != VIR_DOMAIN_RUNNING) {
        if (m->stage != QEMU_STAGE_RESUMING) {
            atomic_store(&priv->resumeReason, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
            for (; m->npending > 0; m->npending--)
                qemuMonitorForget(mon, m->pending[m->npending - 1]);
            m->stage = QEMU_STAGE_RESUMING;
            rc = qemuMigrationSend(m, mon, "cont", NULL);
        }
        if (rc >= 0 && (rc = qemuMigrationCollect(m, mon, call->timeout)) > 0)
            qemuEventRunning(m->vm, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
        if (rc != 0)
            atomic_store(&priv->resumeReason, -1);
    }
    qemuMonitorUnref(mon);
    return rc;
}

VIRT_INTERNAL int
qemuMigrationConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, int cancelled)
{
    struct qemuMigration *m = qemuMigrationLock(qemuHostOf(domain->conn), call->uuid, false);
    int rc = 1;

    (void)cookiein;
    if (m == NULL)
        return VIR_MIGRATION_DONE;
    if (!qemuMigrationIsOver(m)) {
        if (!cancelled) {
            rc = qemuMigrationLeave(m);
        } else if (m->offline || m->stage == QEMU_STAGE_BEGUN || (rc = qemuMigrationResume(m, call)) != 0) {
            if (rc < 0)
                qemuMigrationFailed(m);
            qemuMigrationStay(m);
            if (!m->offline)
                qemuMigrationForgetRecord(m);
        }
    }
    qemuMigrationUnlock(m);
    return rc < 0 ? VIR_MIGRATION_FAILED : rc == 0 ? VIR_MIGRATION_AGAIN : VIR_MIGRATION_DONE;
}

#undef QEMU_MIGRATE_ASK
#undef VIRT_FROM
