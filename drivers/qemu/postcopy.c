/*
 * Post-copy: the guest runs at the destination before all of its memory is there, and what it touches is fetched. Perform counts as done when the
 * guest has been given away; Finish starts it; Confirm waits until the source has nothing left that is needed.
 *
 * If the stream breaks, both halves of the guest wait, and neither is anything without the other. The migration itself is over then as far as
 * its controller is concerned: Confirm fails, and says how to go on. That is a migration of its own, with VIR_MIGRATE_POSTCOPY_RESUME, whose phases are
 * here: it keeps no record, as it decides nothing. Each phase looks at how QEMU stands, and does what is left to do; its way back leaves everything
 * as it was, waiting.
 */
#include "migration.h"
#include "state.h"

#include "../common/document.h"
#include "../common/host.h"
#include "../common/json.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_POSTCOPY_CONNECT 10000000     /* us for the source to find the destination again */
#define QEMU_POSTCOPY_ANSWER  5000         /* ms for a command that QEMU carries out at once, whatever else it is doing */

/* ---------- states and events ---------- */

/* The same state for another reason, told as libvirt tells it. */
static void
qemuPostcopyChange(struct virDomainObj *vm, int state, int reason, int event, int detail)
{
    pthread_mutex_lock(&vm->lock);
    virDomainObjSetState(vm, state, reason);
    pthread_mutex_unlock(&vm->lock);
    qemuEventLifecycle(vm, event, detail);
    if (qemuStateSaveStatus(vm, false) < 0)
        virLog(VIR_LOG_WARN, "qemu.migration", "domain '%s': %s", vm->name, virGetLastErrorMessage());
}

VIRT_INTERNAL void
qemuPostcopyUpdate(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    const int status = atomic_load(&priv->migrationStatus);
    int state, reason;
    bool incoming;

    pthread_mutex_lock(&priv->lock);
    incoming = priv->incoming;
    pthread_mutex_unlock(&priv->lock);
    pthread_mutex_lock(&vm->lock);
    state = atomic_load(&vm->state);
    reason = atomic_load(&vm->reason);
    pthread_mutex_unlock(&vm->lock);
    if (state == VIR_DOMAIN_RUNNING && (reason == VIR_DOMAIN_RUNNING_POSTCOPY || reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED)) {
        if (status == QEMU_MIGRATION_COMPLETED) {
            qemuPostcopyChange(vm, state, VIR_DOMAIN_RUNNING_MIGRATED, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
            qemuPostcopyKeep(priv, NULL, NULL, NULL);
            qemuTlsForgetGuest(vm);
        } else if (status == QEMU_MIGRATION_POSTCOPY_PAUSED && reason == VIR_DOMAIN_RUNNING_POSTCOPY) {
            qemuPostcopyChange(vm, state, VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, VIR_DOMAIN_EVENT_RESUMED,
                               VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED);
        } else if (status == QEMU_MIGRATION_POSTCOPY_ACTIVE && reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED) {
            qemuPostcopyChange(vm, state, VIR_DOMAIN_RUNNING_POSTCOPY, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_POSTCOPY);
        }
    } else if (state == VIR_DOMAIN_PAUSED && !incoming) {
        if (status == QEMU_MIGRATION_POSTCOPY_ACTIVE
            && (reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED))
            qemuPostcopyChange(vm, state, VIR_DOMAIN_PAUSED_POSTCOPY, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY);
        else if (status == QEMU_MIGRATION_POSTCOPY_PAUSED
                 && (reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_POSTCOPY))
            qemuPostcopyChange(vm, state, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, VIR_DOMAIN_EVENT_SUSPENDED,
                               VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED);
    }
}

VIRT_INTERNAL int
qemuPostcopyRunningReason(struct virDomainObj *vm)
{
    return qemuMigrationIsPostCopy(atomic_load(&qemuDomainPeek(vm)->migrationStatus)) ? VIR_DOMAIN_RUNNING_POSTCOPY : VIR_DOMAIN_RUNNING_MIGRATED;
}

VIRT_INTERNAL bool
qemuPostcopyIsIncomplete(struct virDomainObj *vm)
{
    const int state = atomic_load(&vm->state), reason = atomic_load(&vm->reason);

    return state == VIR_DOMAIN_RUNNING && (reason == VIR_DOMAIN_RUNNING_POSTCOPY || reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED);
}

VIRT_INTERNAL int
qemuPostcopyCheckWhole(struct virDomainObj *vm)
{
    const int reason = atomic_load(&vm->reason);

    if (!qemuPostcopyIsIncomplete(vm))
        return 0;
    return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has not arrived completely: its memory %s", vm->name,
                          reason == VIR_DOMAIN_RUNNING_POSTCOPY ? "is still coming" : "waits for its source (VIR_MIGRATE_POSTCOPY_RESUME)");
}

/* What has become of it while nobody listened: QEMU does not repeat its events. One that waits for a page may not even answer. */
VIRT_INTERNAL void
qemuPostcopySettle(struct virDomainObj *vm, int timeout)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;
    const char *name;
    int status = QEMU_MIGRATION_POSTCOPY_PAUSED;

    if (!qemuPostcopyIsIncomplete(vm))
        return;
    if (qemuMigrationQuery(vm, "query-migrate", timeout, &info) == 0)
        status = (name = virJsonString(info, "status")) != NULL ? qemuMigrationStatusFromName(name) : QEMU_MIGRATION_NONE;
    virResetLastError();
    if (status >= 0)
        atomic_store(&qemuDomainPeek(vm)->migrationStatus, status);
    qemuPostcopyUpdate(vm);
}

/* ---------- its beginning and its interruption ---------- */

VIRT_INTERNAL int
qemuMigrationStartPostCopy(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct qemuMigration *m;
    int status, rc;

    virCheckFlags(0, -1);
    if (vm == NULL)
        return -1;
    m = qemuMigrationOf(vm);
    status = m != NULL ? atomic_load(&qemuDomainPeek(vm)->migrationStatus) : QEMU_MIGRATION_NONE;
    if (m == NULL || m->incoming)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is not being migrated from here", vm->name);
    else if ((m->flags & VIR_MIGRATE_POSTCOPY) == 0)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': its migration was begun without VIR_MIGRATE_POSTCOPY", vm->name);
    else if (qemuMigrationIsPostCopy(status))
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is in post-copy already", vm->name);
    else if (atomic_load(&m->stage) != QEMU_STAGE_TRANSFER)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': its memory is not on its way%s", vm->name,
                            atomic_load(&m->stage) == QEMU_STAGE_BEGUN ? " yet" : " any more");
    else
        rc = qemuDomainCommand(vm, "migrate-start-postcopy", NULL, NULL);
    qemuMigrationPut(m);
    return rc;
}

/* A command that QEMU carries out though the others stand: 0 or -1. */
static int
qemuPostcopyAtOnce(struct qemuMonitor *mon, const char *command, cJSON *args)
{
    qemuMonitorId id = qemuMonitorSend(mon, command, args, true);
    int rc = id != 0 ? qemuMonitorReceive(mon, id, QEMU_POSTCOPY_ANSWER, NULL) : -1;

    if (rc == 0) {
        qemuMonitorForget(mon, id);
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "QEMU has not answered '%s'", command);
    }
    return rc > 0 ? 0 : -1;
}

VIRT_INTERNAL int
qemuPostcopyInterrupt(struct virDomainObj *vm, const struct qemuMigration *m)
{
    struct qemuMonitor *mon;
    int rc;

    if (m == NULL || m->incoming || atomic_load(&qemuDomainPeek(vm)->migrationStatus) != QEMU_MIGRATION_POSTCOPY_ACTIVE)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no migration from here in post-copy that could be interrupted", vm->name);
    /* until the destination has all of the devices' state, an interruption costs the guest, and QEMU does not ask */
    if (!atomic_load(&m->runsThere))
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': the destination has not said yet that it runs there: to interrupt post-copy now "
                              "would destroy it", vm->name);
    if ((mon = qemuDomainMonitor(vm)) == NULL)
        return -1;
    rc = qemuPostcopyAtOnce(mon, "migrate-pause", NULL);
    qemuMonitorUnref(mon);
    return rc;
}

VIRT_INTERNAL int
qemuPostcopyWait(struct qemuMigration *m)
{
    atomic_store(&m->runsThere, true);
    if (atomic_load(&qemuDomainPeek(m->vm)->migrationStatus) != QEMU_MIGRATION_POSTCOPY_PAUSED)
        return 0;
    atomic_store(&m->dropped, true);  /* nobody waits any more: whoever destroys what is left here has decided */
    return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': post-copy was interrupted: it waits at the destination for memory that is here. Go on "
                          "with VIR_MIGRATE_POSTCOPY_RESUME", m->name);
}

VIRT_INTERNAL int
qemuPostcopyExplain(const struct qemuMigration *m)
{
    VIRT_CLEANUP_FREE char *words = virStringCopy(virGetLastErrorMessage());

    if ((m->flags & VIR_MIGRATE_POSTCOPY) == 0 || words == NULL || strstr(words, "Postcopy is not supported") == NULL)
        return -1;
    return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s': this host does not do post-copy: %s. QEMU needs the system call userfaultfd: "
                          "CAP_SYS_PTRACE, or vm.unprivileged_userfaultfd=1, and memory whose kind supports it", m->name, words);
}

/* ---------- going on: what the phases have in common ---------- */

/* The migration in post-copy that holds this guest here, counted and locked. NULL: none (with the error set), or (*busy) somebody is at it. */
static struct qemuMigration *
qemuPostcopySource(virDomainPtr domain, bool *busy)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct qemuMigration *m = vm != NULL ? qemuMigrationOf(vm) : NULL;

    *busy = false;
    if (vm == NULL)
        return NULL;
    if (m != NULL && !m->incoming && (m->flags & VIR_MIGRATE_POSTCOPY) != 0) {
        if (pthread_mutex_trylock(&m->lock) == 0)
            return m;
        *busy = true;
    } else {
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no migration from here in post-copy", vm->name);
    }
    qemuMigrationPut(m);
    return NULL;
}

static char *
qemuPostcopyCookie(const struct virMigrationCall *call, const char *guest, const char *uri)
{
    VIRT_CLEANUP_FREE char *hostname = virHostGetHostname(), *place = qemuCookiePlace();
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    if (hostname == NULL || place == NULL)
        return NULL;
    json = virJsonObject("i:version", 1, "s:migration", call->uuid, "s:uuid", guest, "s:hostname", hostname, "s:place", place, "S:uri", uri, NULL);
    return json != NULL ? virJsonFormat(json) : NULL;
}

/* The other side's cookie: the guest's uuid, and whether the two can meet at a path. 0 or -1. */
static int
qemuPostcopyParse(const char *text, const struct virMigrationCall *call, unsigned char *guest, bool *sameHost)
{
    VIRT_CLEANUP_JSON cJSON *json = virJsonParse(text, strlen(text), "migration cookie");
    VIRT_CLEANUP_FREE char *place = qemuCookiePlace();
    const char *migration = virJsonString(json, "migration"), *uuid = virJsonString(json, "uuid"), *theirs = virJsonString(json, "place");

    if (json == NULL || place == NULL)
        return -1;
    if (migration == NULL || strcmp(migration, call->uuid) != 0 || uuid == NULL || virUuidParse(uuid, guest) < 0 || theirs == NULL)
        return virReportError(VIR_ERR_OPERATION_FAILED, "the migration cookie is of another migration, or lacks uuid or place");
    if (virMigrationCallIsOf(call, guest, NULL) < 0)
        return -1;
    *sameHost = strcmp(place, theirs) == 0;
    return 0;
}

/* ---------- going on: the source ---------- */

/* With m->lock held. 0, or -1: there is nothing to go on with. */
static int
qemuPostcopyCheckSource(const struct qemuMigration *m)
{
    const int status = m->vm != NULL && qemuDomainPeek(m->vm) != NULL ? atomic_load(&qemuDomainPeek(m->vm)->migrationStatus) : QEMU_MIGRATION_NONE;

    if (!atomic_load(&m->ended) && (status == QEMU_MIGRATION_POSTCOPY_PAUSED || status == QEMU_MIGRATION_POSTCOPY_RECOVER))
        return 0;
    if (atomic_load(&m->ended))
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the QEMU that has its memory has ended", m->name);
    return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': its post-copy was not interrupted", m->name);
}

VIRT_INTERNAL int
qemuPostcopyBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout)
{
    bool busy;
    struct qemuMigration *m = qemuPostcopySource(domain, &busy);
    int rc = VIR_MIGRATION_FAILED;

    if (m == NULL)
        return busy ? VIR_MIGRATION_AGAIN : VIR_MIGRATION_FAILED;
    if (((call->flags ^ m->flags) & VIR_MIGRATE_TLS) != 0)
        virReportError(VIR_ERR_INVALID_ARG, "domain '%s': its post-copy was begun %s VIR_MIGRATE_TLS, and goes on so", m->name,
                       (m->flags & VIR_MIGRATE_TLS) != 0 ? "with" : "without");
    else if (qemuMigrationCheckCall(call) == 0 && (strcmp(m->resumed, call->uuid) == 0 || qemuPostcopyCheckSource(m) == 0))
        rc = (*cookieout = qemuPostcopyCookie(call, m->guest, NULL)) != NULL ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
    pthread_mutex_unlock(&m->lock);
    qemuMigrationPut(m);
    return rc;
}

/* `migrate` once more. With m->lock held. */
static int
qemuPostcopySend(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    unsigned long long bandwidth = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, 0);

    if (uri == NULL || (call->stream < 0 && strncmp(uri, "fd:", 3) == 0))
        return virReportError(VIR_ERR_OPERATION_INVALID, "migration %s: the destination has given no URI to go on at, and there is no stream",
                              call->uuid);
    for (; m->npending > 0; m->npending--)
        qemuMonitorForget(mon, m->pending[m->npending - 1]);
    snprintf(m->resumed, sizeof(m->resumed), "%s", call->uuid);
    m->resumedAt = virTimeNowUs();
    m->recovering = false;
    if (qemuTlsSendHostname(m, mon, call, call->stream >= 0 ? QEMU_MIGRATION_STREAM : uri) < 0)
        return -1;
    if (bandwidth != 0
        && qemuMigrationSend(m, mon, "migrate-set-parameters", virJsonObject("u:max-postcopy-bandwidth", bandwidth << 20, NULL)) < 0)
        return -1;
    if (call->stream >= 0 && qemuMigrationSendStream(m, mon, call->stream) < 0)
        return -1;
    return qemuMigrationSend(m, mon, "migrate", virJsonObject("s:uri", call->stream >= 0 ? QEMU_MIGRATION_STREAM : uri, "b:resume", true, NULL));
}

/* What the status says: 1 it goes on, 0 not yet, -1 it does not. */
static int
qemuPostcopyJudge(struct qemuMigration *m, const char *uri)
{
    switch (atomic_load(&qemuDomainPeek(m->vm)->migrationStatus)) {
    case QEMU_MIGRATION_POSTCOPY_ACTIVE:
    case QEMU_MIGRATION_COMPLETED:
        return 1;
    case QEMU_MIGRATION_POSTCOPY_RECOVER:
        m->recovering = true;
        return 0;
    case QEMU_MIGRATION_POSTCOPY_PAUSED:
        if (m->recovering || virTimeNowUs() - m->resumedAt > QEMU_POSTCOPY_CONNECT)
            return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': post-copy does not go on: %s '%s'", m->name,
                                  m->recovering ? "the connection broke again, to" : "no connection to", uri);
        return 0;
    default:
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': its migration is not in post-copy", m->name);
    }
}

/* With m->lock held. 1, 0 or -1 as above. */
static int
qemuPostcopyPerformRun(struct qemuMigration *m, const struct virMigrationCall *call, const char *uri)
{
    unsigned long long end = qemuMigrationUntil(call->timeout);
    struct qemuMonitor *mon;
    int rc = 0, left;

    if (atomic_load(&m->ended))
        return qemuPostcopyCheckSource(m);
    if ((mon = qemuDomainMonitor(m->vm)) == NULL) {
        virResetLastError();
        poll(NULL, 0, call->timeout < 0 || call->timeout > 100 ? 100 : call->timeout);
        return 0;
    }
    if (strcmp(m->resumed, call->uuid) != 0 && ((rc = qemuPostcopyCheckSource(m)) < 0 || (rc = qemuPostcopySend(m, mon, call, uri)) < 0)) {
        qemuMonitorUnref(mon);
        return rc;
    }
    do {
        left = qemuMigrationLeft(end, 100);
        if (m->npending > 0 && (rc = qemuMigrationCollect(m, mon, left)) < 0)
            break;
        rc = m->npending == 0 ? qemuPostcopyJudge(m, uri) : 0;
        if (rc == 0 && m->npending == 0)
            qemuMigrationListen(m, mon, left);
    } while (rc == 0 && left > 0 && qemuMonitorIsOpen(mon));
    if (rc < 0 && !qemuMonitorIsOpen(mon)) {
        virResetLastError();
        rc = 0;                       /* if QEMU has ended, the next call knows */
    }
    qemuMonitorUnref(mon);
    return rc;
}

VIRT_INTERNAL int
qemuPostcopyPerform(virDomainPtr domain, const struct virMigrationCall *call, const char *uri, char **cookieout)
{
    struct qemuMigration *m;
    bool busy;
    int rc;

    do {
        if ((m = qemuPostcopySource(domain, &busy)) == NULL && !busy)
            return VIR_MIGRATION_FAILED;
        if (m == NULL) {
            poll(NULL, 0, call->timeout < 0 || call->timeout > 100 ? 100 : call->timeout);
            rc = 0;
            continue;
        }
        if ((rc = qemuPostcopyPerformRun(m, call, uri)) > 0 && (*cookieout = qemuPostcopyCookie(call, m->guest, NULL)) == NULL)
            rc = 0;
        if (rc < 0)
            m->resumed[0] = '\0';
        pthread_mutex_unlock(&m->lock);
        qemuMigrationPut(m);
    } while (rc == 0 && call->timeout < 0);
    return rc < 0 ? VIR_MIGRATION_FAILED : rc == 0 ? VIR_MIGRATION_AGAIN : VIR_MIGRATION_DONE;
}

/* As long as nothing goes on, everything waits as it did before. */
VIRT_INTERNAL int
qemuPostcopyHalt(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct qemuDomain *priv = vm != NULL ? qemuDomainPeek(vm) : NULL;
    int status = priv != NULL && vm->id >= 0 ? atomic_load(&priv->migrationStatus) : QEMU_MIGRATION_POSTCOPY_PAUSED;

    virResetLastError();
    if (status != QEMU_MIGRATION_POSTCOPY_ACTIVE && status != QEMU_MIGRATION_COMPLETED)
        return VIR_MIGRATION_DONE;
    virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' goes on in post-copy: there is no way back", vm->name);
    return VIR_MIGRATION_FAILED;
}

/* The migration that was interrupted ends; that is its own Confirm. */
VIRT_INTERNAL int
qemuPostcopyConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, int cancelled)
{
    struct virMigrationCall first = *call;
    struct virDomainObj *vm = domain->obj;
    struct qemuMigration *m = vm != NULL ? qemuMigrationOf(vm) : NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];
    int rc = VIR_MIGRATION_DONE;

    if (m != NULL && !m->incoming && !cancelled) {
        snprintf(uuid, sizeof(uuid), "%s", m->uuid);
        first.uuid = uuid;
        first.flags &= ~(unsigned int)VIR_MIGRATE_POSTCOPY_RESUME;
        rc = qemuMigrationConfirm(domain, &first, cookiein, 0);
    }
    qemuMigrationPut(m);
    return rc;
}

/* ---------- going on: the destination ---------- */

/* The guest as it stands here, a reference; NULL with the error set. */
static struct virDomainObj *
qemuPostcopyArriving(struct qemuHost *host, const unsigned char *uuid)
{
    struct virDomainObj *vm = virDomainListFindUuid(host->domains, uuid);
    char text[VIR_UUID_STRING_BUFLEN];

    if (vm != NULL && vm->id >= 0 && qemuDomainPeek(vm) != NULL)
        return vm;
    virUuidFormat(uuid, text);
    virReportError(VIR_ERR_OPERATION_INVALID, "domain %s does not run here: there is nothing that could go on", text);
    virDomainObjUnref(vm);
    return NULL;
}

/*
 * 1: it waits for its memory; 0: not yet; -1: it does not. A stream of which only the source knows that it is broken is given up here as well: else
 * QEMU would not listen again.
 */
static int
qemuPostcopyGiveUp(struct virDomainObj *vm)
{
    const int state = atomic_load(&vm->state), reason = atomic_load(&vm->reason);
    struct qemuMonitor *mon;
    int rc;

    if (state == VIR_DOMAIN_RUNNING && reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED)
        return 1;
    if (state != VIR_DOMAIN_RUNNING || reason != VIR_DOMAIN_RUNNING_POSTCOPY)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is not one that waits here for the memory of an interrupted post-copy", vm->name);
    if ((mon = qemuDomainMonitor(vm)) == NULL)
        return -1;
    if ((rc = qemuPostcopyAtOnce(mon, "migrate-pause", NULL)) < 0)
        virResetLastError();          /* it may have noticed by itself meanwhile */
    poll(NULL, 0, 10);
    qemuMonitorPump(mon);
    qemuMonitorUnref(mon);
    return 0;
}

/* Listens again. 1, or -1; short, as QEMU carries it out whatever else it waits for. */
static int
qemuPostcopyListen(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call, bool sameHost, char **found)
{
    struct qemuMigration m = { .host = host, .port = QEMU_MIGRATE_PORT_FIRST };
    const struct qemuMigrationCookie cookie = { .sameHost = sameHost };
    struct qemuMonitor *mon = qemuDomainMonitor(vm);
    int rc = mon != NULL ? 0 : -1;

    snprintf(m.uuid, sizeof(m.uuid), "%s", call->uuid);
    while (rc == 0) {
        VIRT_CLEANUP_FREE char *uri = qemuMigrationListenUri(&m, call, &cookie);
        qemuMonitorId fd = 0;

        if (uri == NULL || (call->stream >= 0 && (fd = qemuMonitorSendFd(mon, QEMU_MIGRATION_STREAM_NAME, call->stream)) == 0)) {
            rc = -1;
        } else if (qemuPostcopyAtOnce(mon, "migrate-recover", virJsonObject("s:uri", uri, NULL)) == 0) {
            rc = 1;
        } else if (m.port == 0 || strstr(virGetLastErrorMessage(), "Address already in use") == NULL) {
            rc = -1;
        }
        if (fd != 0)
            qemuMonitorForget(mon, fd);
    }
    qemuMonitorUnref(mon);
    if (rc > 0) {
        *found = m.uri;
        m.uri = NULL;
        qemuPostcopyKeep(qemuDomainPeek(vm), call->uuid, *found, m.listening);
        m.listening = NULL;
    }
    free(m.uri);
    free(m.listening);
    return rc;
}

VIRT_INTERNAL int
qemuPostcopyPrepare(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, char **cookieout, char **uri)
{
    struct qemuHost *host = qemuHostOf(dconn);
    unsigned char raw[VIR_UUID_BUFLEN];
    char guest[VIR_UUID_STRING_BUFLEN];
    VIRT_CLEANUP_FREE char *found = NULL;
    struct virDomainObj *vm;
    bool sameHost = false;
    int rc;

    if (qemuMigrationCheckCall(call) < 0 || qemuPostcopyParse(cookiein, call, raw, &sameHost) < 0
        || (vm = qemuPostcopyArriving(host, raw)) == NULL)
        return VIR_MIGRATION_FAILED;
    virUuidFormat(raw, guest);
    do {
        if ((found = qemuPostcopyKept(qemuDomainPeek(vm), call->uuid)) != NULL)
            rc = 1;                   /* asked again: it listens already */
        else if ((rc = qemuPostcopyGiveUp(vm)) > 0)
            rc = qemuPostcopyListen(host, vm, call, sameHost, &found);
    } while (rc == 0 && call->timeout < 0);
    virDomainObjUnref(vm);
    if (rc < 0)
        return VIR_MIGRATION_FAILED;
    if (rc == 0 || (*cookieout = qemuPostcopyCookie(call, guest, found)) == NULL)
        return VIR_MIGRATION_AGAIN;
    *uri = found;
    found = NULL;
    return VIR_MIGRATION_DONE;
}

/* The guest runs here as it did. */
VIRT_INTERNAL int
qemuPostcopyFinish(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, int cancelled, char **cookieout,
                   virDomainPtr *guest)
{
    struct qemuHost *host = qemuHostOf(dconn);
    unsigned char raw[VIR_UUID_BUFLEN];
    struct virDomainObj *vm;
    bool sameHost;

    *guest = NULL;
    if (cancelled)
        return VIR_MIGRATION_DONE;
    if (cookiein == NULL) {
        virReportError(VIR_ERR_OPERATION_INVALID, "migration %s: it is not known which guest is to go on", call->uuid);
        return VIR_MIGRATION_FAILED;
    }
    if (qemuPostcopyParse(cookiein, call, raw, &sameHost) < 0)
        return VIR_MIGRATION_FAILED;
    if ((vm = virDomainListFindUuid(host->domains, raw)) == NULL) {
        virReportError(VIR_ERR_NO_DOMAIN, "the guest of migration %s is not here any more", call->uuid);
        return VIR_MIGRATION_FAILED;
    }
    if ((*guest = virDomainObjHandle(dconn, vm)) != NULL)
        *cookieout = virStringFormat("{\"version\":1,\"migration\":\"%s\",\"started\":true}", call->uuid);
    virDomainObjUnref(vm);
    return *guest != NULL ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
}

/* ---------- where the destination listens again ---------- */

VIRT_INTERNAL void
qemuPostcopyKeep(struct qemuDomain *priv, const char *migration, const char *uri, char *listening)
{
    char *copy = uri != NULL ? virStringCopy(uri) : NULL, *before;

    pthread_mutex_lock(&priv->lock);
    snprintf(priv->recovery, sizeof(priv->recovery), "%s", migration != NULL ? migration : "");
    free(priv->recoveryUri);
    priv->recoveryUri = copy;
    before = priv->recoverySocket;
    priv->recoverySocket = listening;
    pthread_mutex_unlock(&priv->lock);
    if (before != NULL)
        unlink(before);
    free(before);
}

VIRT_INTERNAL char *
qemuPostcopyKept(struct qemuDomain *priv, const char *migration)
{
    char *uri = NULL;

    pthread_mutex_lock(&priv->lock);
    if (strcmp(priv->recovery, migration) == 0)
        uri = virStringCopy(priv->recoveryUri);
    pthread_mutex_unlock(&priv->lock);
    return uri;
}

#undef QEMU_POSTCOPY_CONNECT
#undef QEMU_POSTCOPY_ANSWER
#undef VIRT_FROM
