/*
 * A live migration at its source: Begin, Perform, Halt and Confirm, on QEMU's monitor. See migration.c for what the phases have in common.
 *
 * What makes Perform's success mean something is QEMU's return path: with it the source says `completed` only when the destination has
 * acknowledged that it has loaded everything. What makes the way back safe is the order: QEMU resumes the source by itself when a
 * switchover fails, while the destination may hold a complete copy. So after Halt, Finish (cancelled) ends the destination's QEMU
 * before Confirm (cancelled) looks whether the guest runs here again.
 */
#include "migration.h"
#include "process.h"
#include "hooks.h"
#include "lease.h"
#include "storage.h"

#include "../common/document.h"
#include "../common/json.h"
#include "../common/params.h"

#include <stdint.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_ASK        100000     /* us after which the progress is asked for again */

/* ---------- Begin ---------- */

/* Whoever runs this host is asked before anything has happened. */
static int
qemuMigrationAskHook(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call)
{
    VIRT_CLEANUP_FREE char *xml = NULL;

    if (!qemuHooksPresent(host))
        return 0;
    if ((xml = virDomainObjText(vm, vm->id < 0)) == NULL)
        return -1;
    return qemuHooksRun(host, vm->name, "migrate-out", "begin", call->uuid, xml, NULL);
}

/* With its lock held: what Begin answers, also again; and an error that is kept, or, without one, that it is over. */
static int
qemuMigrationBegun(struct qemuMigration *m, char **cookieout)
{
    if (m->begun != NULL && m->error.code == VIR_ERR_OK && m->stage != QEMU_STAGE_HALTED && m->stage != QEMU_STAGE_RESUMING)
        return (*cookieout = virStringCopy(m->begun)) != NULL ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
    if (m->error.code == VIR_ERR_OK)
        virReportError(VIR_ERR_OPERATION_INVALID, "migration %s was halted, or is over", m->uuid);
    return qemuMigrationFailed(m);
}

/* The guest's job is held. */
static int
qemuMigrationBeginHeld(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call, char **cookieout)
{
    char guest[VIR_UUID_STRING_BUFLEN];
    struct qemuMigration *m;
    int rc = VIR_MIGRATION_FAILED;

    virUuidFormat(vm->uuid, guest);
    if (qemuPostcopyCheckWhole(vm) < 0 || qemuMigrationCheckSourceParameters(call) < 0 || qemuMigrationCheckGuest(vm, call, NULL) < 0
        || qemuMigrationAskHook(host, vm, call) < 0 || qemuDomainOf(vm) == NULL
        || (m = qemuMigrationNew(host, vm, call, vm->name, guest, false, QEMU_STAGE_BEGUN)) == NULL)
        return VIR_MIGRATION_FAILED;
    m->id = vm->id;
    m->state = atomic_load(&vm->state);
    m->reason = atomic_load(&vm->reason);
    m->wasRunning = m->state == VIR_DOMAIN_RUNNING;
    if (qemuMigrationCheckEmulator(m, NULL, NULL) == 0 && qemuLeaseBegin(m) == 0 && qemuStorageBegin(m, call) == 0
        && (m->begun = qemuMigrationFormatCookie(m, call)) != NULL && qemuMigrationSaveRecord(m) == 0
        && virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, m->uuid) == 0) {
        rc = qemuMigrationBegun(m, cookieout);
    } else {
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
    struct qemuMigration *m;
    struct virDomainObj *vm;
    int rc;

    if (qemuMigrationCheckOwn(host, call) < 0)
        return VIR_MIGRATION_FAILED;
    m = qemuMigrationLock(host, call->uuid, false);
    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0) {
        qemuMigrationUnlock(m);
        return qemuPostcopyBegin(domain, call, cookieout);
    }
    if (m != NULL) {
        rc = qemuMigrationBegun(m, cookieout);
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
    if (m->wasRunning && (call->flags & VIR_MIGRATE_LIVE) == 0) {
        m->pausedByUs = true;
        m->stopped = qemuMigrationWallClock();
    }
    if (qemuMigrationEnter(m, QEMU_STAGE_TRANSFER) < 0)
        return -1;
    m->sent = true;
    if (m->started == 0)
        m->started = virTimeNowUs();
    if (m->pausedByUs) {
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
    m->asking = qemuMonitorSend(mon, "query-migrate", NULL, false);
    if (m->asking == 0)
        virResetLastError();          /* no answer is no failure; a monitor that has ended is noticed by the caller */
}

/*
 * Until `migrate` has been carried out, the QEMU of a guest that has arrived by a migration tells of that one: it is `completed`, but only one
 * that has left has a time that it took. Taken for the migration from here, nothing would be sent, and the destination asked to start it.
 */
VIRT_INTERNAL int
qemuMigrationStatusOfSource(const cJSON *info)
{
    const char *name = virJsonString(info, "status");
    int status = name != NULL ? qemuMigrationStatusFromName(name) : QEMU_MIGRATION_NONE;

    return status == QEMU_MIGRATION_COMPLETED && virJsonGet(info, "total-time") == NULL ? QEMU_MIGRATION_NONE : status;
}

VIRT_INTERNAL void
qemuMigrationTakeInfo(struct qemuMigration *m, const cJSON *info)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    const char *why = virJsonString(info, "error-desc");
    int status = virJsonString(info, "status") != NULL ? qemuMigrationStatusOfSource(info) : -1, n = 0;
    virTypedParameterPtr params = NULL;

    if (status >= 0 && m->askedAt == atomic_load(&priv->migrationEvents))
        atomic_store(&priv->migrationStatus, status);
    if (why != NULL && m->why == NULL)
        m->why = strdup(why);
    if (virJsonGet(info, "ram") != NULL && qemuMigrationStats(m->vm, m, info, &params, &n) == 0)
        qemuMigrationKeepStats(m, params, n);
}

/* Takes the answer in, after at most timeout ms. 1: it has come; 0: not yet; -1: nothing is asked, or it is not answered any more. */
static int
qemuMigrationAnswered(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;
    int rc = m->asking != 0 ? qemuMonitorReceive(mon, m->asking, timeout, &info) : -1;

    if (rc == 0)
        return 0;
    m->asking = 0;
    if (rc > 0)
        qemuMigrationTakeInfo(m, info);
    virResetLastError();
    return rc;
}

/* The monitor has closed, and what was said by it is not answered any more. If QEMU goes on, it is asked by a new one, whose numbers begin anew. */
static void
qemuMigrationForgetAsked(struct qemuMigration *m)
{
    m->asking = 0;
    m->final = false;
    m->asked = 0;
    m->npending = 0;
    virResetLastError();
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
    return qemuMigrationAnswered(m, mon, timeout) != 0;
}

/* Why QEMU gave up, in its words. */
static void
qemuMigrationReportFailure(struct qemuMigration *m)
{
    if (atomic_load(&m->aborted))
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted by its user", m->name);
    else if (atomic_load(&m->ioError))
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' was aborted: the guest met an I/O error", m->name);
    else
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' failed: %s%s", m->name,
                       m->why != NULL ? m->why : "the connection to the destination broke", qemuTlsHint(m));
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
                   m->name, words != NULL ? ": " : "", words != NULL ? words : "");
}

VIRT_INTERNAL bool
qemuMigrationIsPostCopy(int status)
{
    return status == QEMU_MIGRATION_POSTCOPY_ACTIVE || status == QEMU_MIGRATION_POSTCOPY_PAUSED || status == QEMU_MIGRATION_POSTCOPY_RECOVER;
}

/* The destination has all of it (or, in post-copy, or with QEMU dead here, has to say so itself): what it is told. 1; 0: not on record yet. */
VIRT_INTERNAL int
qemuMigrationTransferred(struct qemuMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    virTypedParameterPtr params = virTypedParamsCopy(m->stats, m->nstats);       /* only this thread replaces them */
    int n = params != NULL ? m->nstats : 0;

    virResetLastError();
    json = virJsonObject("i:version", 1, "s:migration", m->uuid, "u:stopped", m->stopped, "A:stats", qemuMigrationStatsToJson(params, n), NULL);
    free(m->cookie);
    if ((m->cookie = json != NULL ? virJsonFormat(json) : NULL) == NULL || qemuMigrationEnter(m, QEMU_STAGE_TRANSFERRED) < 0) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: the end of the transfer cannot be recorded: %s", m->uuid, virGetLastErrorMessage());
        virTypedParamsFree(params, n);
        return 0;
    }
    if (params != NULL && m->vm != NULL)
        virDomainObjSetCompleted(m->vm, VIR_DOMAIN_JOB_COMPLETED, params, n);
    else
        virTypedParamsFree(params, n);
    return 1;
}

/* Something else than QEMU's migration has failed, and the error is set: the transfer is cancelled, and will say so when it has ended. */
static int
qemuMigrationGiveUp(struct qemuMigration *m, struct qemuMonitor *mon)
{
    if (m->why == NULL)
        m->why = strdup(virGetLastErrorMessage());
    virResetLastError();
    m->cancelSent = true;
    return qemuMonitorPost(mon, "migrate_cancel", NULL);
}

/* What the status asks for: 1 all is there, 0 it goes on, -1 it failed. Waits at most timeout ms for QEMU's last words on it. */
static int
qemuMigrationJudge(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    int rc = 1;

    switch (atomic_load(&priv->migrationStatus)) {
    case QEMU_MIGRATION_PRE_SWITCHOVER:
        if (m->switched != 0)
            return 0;
        if (m->stopped == 0)
            m->stopped = qemuMigrationWallClock();
        if (!atomic_load(&m->aborted) && (rc = qemuStorageSwitch(m, mon, timeout)) == 0)
            return 0;
        m->switched = virTimeNowUs();
        if (rc < 0)
            return qemuMigrationGiveUp(m, mon);
        if (atomic_load(&m->aborted))
            return qemuMonitorPost(mon, "migrate_cancel", NULL);
        return qemuMonitorPost(mon, "migrate-continue", virJsonObject("s:state", "pre-switchover", NULL));
    case QEMU_MIGRATION_POSTCOPY_ACTIVE:
    case QEMU_MIGRATION_POSTCOPY_PAUSED:
    case QEMU_MIGRATION_POSTCOPY_RECOVER:
        return qemuMigrationTransferred(m);      /* it is given away; what is still on its way, Confirm waits for */
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
qemuMigrationPerformRun(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri,
                        unsigned long long end)
{
    /* who waits for the end looks around now and then; who steps wants numbers to show */
    const int most = call->timeout < 0 ? 1000 : QEMU_MIGRATE_ASK / 1000;
    int rc = 0;

    if (!m->sent) {
        if (atomic_load(&m->aborted)) {
            qemuMigrationReportFailure(m);
            return -1;
        }
        if ((rc = qemuStorageCopy(m, mon, call, end)) <= 0)
            return rc;
        if (qemuMigrationStart(m, mon, call, uri) < 0)
            return -1;
    }
    for (;;) {
        if (m->npending > 0 && (rc = qemuMigrationCollect(m, mon, qemuMigrationLeft(end, most))) < 0 && qemuMonitorIsOpen(mon))
            return -1;
        /* an abort that came before `migrate` was carried out had nothing to cancel */
        if (m->npending == 0 && atomic_load(&m->aborted) && !m->cancelSent) {
            m->cancelSent = true;
            if (qemuMonitorPost(mon, "migrate_cancel", NULL) < 0)
                return -1;
        }
        if (m->npending == 0 && (rc = qemuMigrationJudge(m, mon, qemuMigrationLeft(end, most))) != 0)
            return rc;
        if (!qemuMonitorIsOpen(mon) || atomic_load(&m->ended)) {
            qemuMigrationForgetAsked(m);
            return 0;
        }
        if (m->npending == 0 && !m->final) {
            if (m->asking == 0 && virTimeNowUs() - m->asked >= QEMU_MIGRATE_ASK)
                qemuMigrationAsk(m, mon);
            qemuMigrationListen(m, mon, qemuMigrationLeft(end, m->mirrorsEnding ? 5 : most));
            qemuMigrationAnswered(m, mon, 0);
            if (qemuStorageLook(m, mon) < 0 && qemuMigrationGiveUp(m, mon) < 0)
                return -1;
        }
        if (qemuMigrationLeft(end, 1) == 0)
            return m->npending == 0 ? qemuMigrationJudge(m, mon, 0) : 0;
    }
}

/* Its QEMU has ended. Unless it had the guest back before, only the destination knows whether it has all of it: it is asked, by Finish. */
static int
qemuMigrationPerformDead(struct qemuMigration *m)
{
    if (m->sent && !atomic_load(&m->ownAgain))
        return qemuMigrationTransferred(m);
    qemuMigrationReportDeath(m);
    return -1;
}

/* One stage further: 1 it is there, 0 not yet, -1 it failed. */
static int
qemuMigrationPerformStep(struct qemuMigration *m, const struct virMigrationCall *call, const char *uri, unsigned long long end)
{
    struct qemuMonitor *mon = NULL;
    int rc;

    if (!atomic_load(&m->ended))
        mon = qemuDomainMonitor(m->vm);
    if (atomic_load(&m->ended)) {
        qemuMonitorUnref(mon);
        return qemuMigrationPerformDead(m);
    }
    if (mon == NULL) {                /* no answer is not no */
        virResetLastError();
        return 0;
    }
    rc = qemuMigrationPerformRun(m, mon, call, uri, end);
    qemuMonitorUnref(mon);
    return rc;
}

VIRT_INTERNAL int
qemuMigrationPerform(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, const char *uri,
                     char **cookieout)
{
    const unsigned long long end = qemuMigrationUntil(call->timeout);
    struct qemuMigration *m;
    int rc;

    if (qemuMigrationCheckOwn(qemuHostOf(domain->conn), call) < 0)
        return VIR_MIGRATION_FAILED;
    m = qemuMigrationLock(qemuHostOf(domain->conn), call->uuid, false);
    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0) {
        qemuMigrationUnlock(m);
        return qemuPostcopyPerform(domain, call, uri, cookieout);
    }
    if (m == NULL) {
        virReportError(VIR_ERR_OPERATION_INVALID, "no migration %s has begun here", call->uuid);
        return VIR_MIGRATION_FAILED;
    }
    if (m->stage == QEMU_STAGE_BEGUN || m->stage == QEMU_STAGE_TRANSFER) {
        do
            rc = qemuLeasePeer(m, cookiein) < 0 || qemuStoragePeer(m, cookiein) < 0 ? -1 : qemuMigrationPerformStep(m, call, uri, end);
        while (rc == 0 && qemuMigrationAgain(end));
        if (rc < 0) {
            qemuMigrationFailed(m);
            if (qemuMigrationEnter(m, QEMU_STAGE_BROKEN) < 0)
                qemuMigrationMove(m, QEMU_STAGE_BROKEN);         /* the record's "transfer" is judged to the same by QEMU's status */
            rc = qemuMigrationFailed(m);
        } else {
            rc = rc > 0 ? qemuMigrationAnswer(m, cookieout, NULL) : VIR_MIGRATION_AGAIN;
        }
    } else if (m->stage == QEMU_STAGE_TRANSFERRED || m->stage == QEMU_STAGE_LEAVING || m->stage == QEMU_STAGE_LEFT) {
        rc = qemuMigrationAnswer(m, cookieout, NULL);
    } else {
        if (m->error.code == VIR_ERR_OK)
            virReportError(VIR_ERR_OPERATION_INVALID, "migration %s was halted, or is over", call->uuid);
        rc = qemuMigrationFailed(m);
    }
    qemuMigrationUnlock(m);
    return rc;
}

/* ---------- Halt ---------- */

/* The transfer is under way: it is cancelled, and its end awaited. The status that it ended with, or 0. */
static int
qemuMigrationHaltTransfer(struct qemuMigration *m, unsigned long long end)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    struct qemuMonitor *mon = qemuDomainMonitor(m->vm);
    int status, rc = 0;

    for (;;) {
        int left = qemuMigrationLeft(end, 100);

        if (mon == NULL || !qemuMonitorIsOpen(mon)) {
            qemuMigrationForgetAsked(m);
            m->cancelSent = false;    /* and may have been lost */
            break;
        }
        if (m->npending > 0 && qemuMigrationCollect(m, mon, left) == 0) {
            if (left == 0)
                break;
            continue;
        }
        virResetLastError();          /* a command that was refused has changed nothing */
        status = atomic_load(&priv->migrationStatus);
        if (status == QEMU_MIGRATION_COMPLETED || status == QEMU_MIGRATION_CANCELLED || status == QEMU_MIGRATION_FAILED
            || qemuMigrationIsPostCopy(status)) {
            rc = status;
            break;
        }
        if (!m->cancelSent && qemuMonitorPost(mon, "migrate_cancel", NULL) < 0)
            break;
        m->cancelSent = true;
        /* a status of "none" is one that QEMU has not told: `migrate` may have been refused */
        if (m->asking == 0)
            qemuMigrationAsk(m, mon);
        if (qemuMigrationAnswered(m, mon, left) > 0 && atomic_load(&priv->migrationStatus) == QEMU_MIGRATION_NONE) {
            rc = QEMU_MIGRATION_CANCELLED;
            break;
        }
        qemuMigrationListen(m, mon, 0);
        if (left == 0)
            break;
    }
    qemuMonitorUnref(mon);
    virResetLastError();
    return rc;
}

static int
qemuMigrationHaltLocked(struct qemuMigration *m, unsigned long long end)
{
    int status = 0;

    if (m->stage == QEMU_STAGE_TRANSFER && m->sent && !atomic_load(&m->ended)
        && (status = qemuMigrationHaltTransfer(m, end)) == 0 && !atomic_load(&m->ended))
        return VIR_MIGRATION_AGAIN;
    if (m->stage == QEMU_STAGE_TRANSFER && m->sent && atomic_load(&m->ended) && !atomic_load(&m->ownAgain))
        status = QEMU_MIGRATION_COMPLETED;       /* perhaps: the destination is asked */
    if (m->stage == QEMU_STAGE_TRANSFER && (status == QEMU_MIGRATION_COMPLETED || qemuMigrationIsPostCopy(status))
        && qemuMigrationTransferred(m) == 0)
        return VIR_MIGRATION_AGAIN;
    if (m->stage != QEMU_STAGE_TRANSFERRED && qemuStorageEnd(m, end) == 0)
        return VIR_MIGRATION_AGAIN;
    if (m->stage == QEMU_STAGE_BEGUN || m->stage == QEMU_STAGE_TRANSFER || m->stage == QEMU_STAGE_BROKEN)
        return qemuMigrationEnter(m, QEMU_STAGE_HALTED) == 0 ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
    if (m->stage != QEMU_STAGE_TRANSFERRED)
        return VIR_MIGRATION_DONE;
    status = m->vm != NULL ? atomic_load(&qemuDomainPeek(m->vm)->migrationStatus) : 0;
    if (!atomic_load(&m->ended) && !qemuMigrationIsPostCopy(status))
        return VIR_MIGRATION_DONE;    /* it can go on here, if it is not started there */
    virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' cannot go on here: %s. Whether it runs, the destination decides", m->name,
                   atomic_load(&m->ended) ? "its QEMU has ended" : "it is in post-copy");
    return VIR_MIGRATION_FAILED;
}

VIRT_INTERNAL int
qemuMigrationHalt(virDomainPtr domain, const struct virMigrationCall *call)
{
    const unsigned long long end = qemuMigrationUntil(call->timeout);
    struct qemuHost *host = qemuHostOf(domain->conn);
    struct qemuMigration *m;
    int rc;

    if (qemuMigrationCheckOwn(host, call) < 0)
        return VIR_MIGRATION_FAILED;
    m = qemuMigrationLock(host, call->uuid, false);
    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0) {
        qemuMigrationUnlock(m);
        return qemuPostcopyHalt(domain);
    }
    if (m == NULL) {
        qemuMigrationRefuse(host, call, false);
        return VIR_MIGRATION_DONE;
    }
    do
        rc = qemuMigrationHaltLocked(m, end);
    while (rc == VIR_MIGRATION_AGAIN && qemuMigrationAgain(end));
    qemuMigrationUnlock(m);
    return rc;
}

/* ---------- Confirm ---------- */

VIRT_INTERNAL int
qemuMigrationLeave(struct qemuMigration *m, unsigned long long end)
{
    struct virDomainObj *vm = m->vm;
    int rc;

    /* what runs under its name after its end is not what has left */
    if (vm != NULL && !m->offline && !atomic_load(&m->ended)
        && (rc = qemuProcessStopWithin(vm, VIR_DOMAIN_SHUTOFF_MIGRATED, qemuMigrationLeft(end, -1))) <= 0) {
        if (rc < 0)
            atomic_store(&m->dropped, true);      /* it stays held, until its QEMU has ended after all */
        return rc;
    }
    if (vm != NULL && (m->flags & VIR_MIGRATE_UNDEFINE_SOURCE) != 0 && vm->persistent && virDomainObjUndefine(vm) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' stays defined here: %s", m->uuid, vm->name,
               virGetLastErrorMessage());
    qemuMigrationEnd(m, QEMU_STAGE_LEFT);
    return 1;
}

/* It goes on at the destination: ends it here, once all of it is there. 1; 0: not yet; -1: its QEMU cannot be killed. */
static int
qemuMigrationLeaveWhenSent(struct qemuMigration *m, unsigned long long end)
{
    struct qemuDomain *priv = m->vm != NULL ? qemuDomainPeek(m->vm) : NULL;
    struct qemuMonitor *mon;

    if (priv != NULL && !atomic_load(&m->ended) && qemuMigrationIsPostCopy(atomic_load(&priv->migrationStatus))) {
        if ((mon = qemuDomainMonitor(m->vm)) != NULL) {
            if (m->asking == 0 && virTimeNowUs() - m->asked >= QEMU_MIGRATE_ASK)
                qemuMigrationAsk(m, mon);
            qemuMigrationListen(m, mon, qemuMigrationLeft(end, 100));
            qemuMigrationAnswered(m, mon, 0);
            qemuMonitorUnref(mon);
        }
        virResetLastError();
        if (!atomic_load(&m->ended) && qemuMigrationIsPostCopy(atomic_load(&priv->migrationStatus)))
            return qemuPostcopyWait(m);
    }
    if (qemuMigrationEnter(m, QEMU_STAGE_LEAVING) < 0) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: %s", m->uuid, virGetLastErrorMessage());
        virResetLastError();
        return 0;
    }
    return qemuMigrationLeave(m, end);
}

/*
 * What the destination was told becomes stale, before the CPUs run again. 1; 0: not known; -1: somebody else has the guest: it ends here, by `end`,
 * and is 0 until then.
 */
VIRT_INTERNAL int
qemuMigrationKeepLease(struct qemuMigration *m, unsigned long long end)
{
    virErrorPtr error;
    int rc = qemuLeaseKeep(m);

    if (rc != 0)
        return rc > 0;
    error = virSaveLastError();
    rc = qemuProcessStopWithin(m->vm, VIR_DOMAIN_SHUTOFF_FAILED, qemuMigrationLeft(end, -1));
    virRestoreLastError(error);
    return rc <= 0 && !atomic_load(&m->ended) ? 0 : -1;
}

VIRT_INTERNAL int
qemuMigrationResume(struct qemuMigration *m, unsigned long long end)
{
    struct qemuDomain *priv = m->vm != NULL ? qemuDomainPeek(m->vm) : NULL;
    struct qemuMonitor *mon = NULL;
    int rc = 1;

    if (m->offline || !m->sent) {     /* nothing was done to it */
        if (!m->pausedByUs)
            return 1;
    }
    if (atomic_load(&m->ended) || priv == NULL)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' cannot go on: its QEMU has ended", m->name);
    if ((rc = qemuMigrationKeepLease(m, end)) <= 0 || (rc = qemuStorageEnd(m, end)) == 0)
        return rc;
    if ((mon = qemuDomainMonitor(m->vm)) == NULL) {
        if (atomic_load(&m->ended))
            return -1;
        virResetLastError();
        return 0;
    }
    if (!m->wasRunning) {
        virDomainObjSetState(m->vm, m->state, m->reason);
    } else if (m->resuming || atomic_load(&m->vm->state) != VIR_DOMAIN_RUNNING) {
        if (!m->resuming) {
            atomic_store(&priv->resumeReason, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
            for (; m->npending > 0; m->npending--)
                qemuMonitorForget(mon, m->pending[m->npending - 1]);
            rc = qemuMigrationSend(m, mon, "cont", NULL);
            m->resuming = rc == 0;
        }
        if (rc >= 0 && (rc = qemuMigrationCollect(m, mon, qemuMigrationLeft(end, -1))) > 0)
            qemuEventRunning(m->vm, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
        if (rc != 0) {
            atomic_store(&priv->resumeReason, -1);
            m->resuming = false;
        }
    }
    qemuMonitorUnref(mon);
    return rc;
}

/* It is to be here again as it was. 1; 0: not yet; -1: it cannot be, and is over. */
static int
qemuMigrationGoBack(struct qemuMigration *m, unsigned long long end)
{
    int rc;

    if (m->stage == QEMU_STAGE_LEAVING)
        return qemuMigrationLeave(m, end) > 0;                   /* what was said first counts */
    /* whoever goes back has halted it, so this answers at once; a transfer that goes on must not be taken for one that has ended */
    if ((rc = qemuMigrationHaltLocked(m, end)) == VIR_MIGRATION_AGAIN)
        return 0;
    if (rc == VIR_MIGRATION_FAILED && !atomic_load(&m->ended))
        return -1;                    /* post-copy: there is nothing to go on with; the answer stands until QEMU has ended */
    virResetLastError();
    if (qemuMigrationEnter(m, QEMU_STAGE_RESUMING) < 0) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: %s", m->uuid, virGetLastErrorMessage());
        virResetLastError();
        return 0;
    }
    if ((rc = qemuMigrationResume(m, end)) < 0)
        qemuMigrationFailed(m);
    if (rc < 0 && !atomic_load(&m->ended)) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' does not go on: %s", m->uuid, m->name, virGetLastErrorMessage());
        rc = -1;
    }
    if (rc != 0)
        qemuMigrationEnd(m, rc < 0 && atomic_load(&m->ended) ? QEMU_STAGE_LOST : QEMU_STAGE_STAYED);
    return rc;
}

VIRT_INTERNAL int
qemuMigrationConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, int cancelled)
{
    const unsigned long long end = qemuMigrationUntil(call->timeout);
    struct qemuMigration *m;
    int rc = 1;

    if (qemuMigrationCheckOwn(qemuHostOf(domain->conn), call) < 0)
        return VIR_MIGRATION_FAILED;
    m = qemuMigrationLock(qemuHostOf(domain->conn), call->uuid, false);
    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0) {
        qemuMigrationUnlock(m);
        return qemuPostcopyConfirm(domain, call, cookiein, cancelled);
    }
    if (m == NULL)
        return VIR_MIGRATION_DONE;
    do {
        if (m->stage == QEMU_STAGE_LOST || (m->stage == QEMU_STAGE_LEFT && cancelled)) {
            if (m->error.code == VIR_ERR_OK || m->stage == QEMU_STAGE_LEFT)
                virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' has ended here: it cannot go on", m->name);
            else
                qemuMigrationFailed(m);
            rc = cancelled ? -1 : 1;
        } else if (!qemuMigrationIsOver(m)) {
            rc = cancelled || m->stage == QEMU_STAGE_RESUMING ? qemuMigrationGoBack(m, end)
                                                              : qemuMigrationLeaveWhenSent(m, end);
        }
    } while (rc == 0 && qemuMigrationAgain(end));
    qemuMigrationUnlock(m);
    return rc < 0 ? VIR_MIGRATION_FAILED : rc == 0 ? VIR_MIGRATION_AGAIN : VIR_MIGRATION_DONE;
}

#undef QEMU_MIGRATE_ASK
#undef VIRT_FROM
