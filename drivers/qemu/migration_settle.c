/*
 * What is made of the records of migrations when the state directory is opened, and of a migration that nobody steps any more.
 *
 * The source is judged by its QEMU's migration status, never by whether its CPUs stand. What can still go either way is left as it is, for a
 * controller to go on with: a transfer under way goes on, a copy that waits for Finish waits. What was decided is carried out: a destination
 * that was told to start starts, a guest that was to go back goes back, one that was to leave leaves. Nothing is decided on a record that
 * cannot be read.
 */
#include "migration.h"
#include "process.h"
#include "lease.h"
#include "storage.h"

#include "../common/json.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_SETTLE_ANSWER 2000            /* ms for QEMU to answer: one that is hung must not keep the directory from being opened */
#define QEMU_SWEEP_EVERY   200000          /* us between two looks at what may have expired */

VIRT_INTERNAL int
qemuMigrationQuery(struct virDomainObj *vm, const char *command, int timeout, cJSON **reply)
{
    struct qemuMonitor *mon = qemuDomainMonitor(vm);
    qemuMonitorId id = mon != NULL ? qemuMonitorSend(mon, command, NULL, false) : 0;
    int rc = id != 0 ? qemuMonitorReceive(mon, id, timeout, reply) : -1;

    if (rc == 0) {
        qemuMonitorForget(mon, id);
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': QEMU has not answered '%s'", vm->name, command);
    }
    qemuMonitorUnref(mon);
    return rc > 0 ? 0 : -1;
}

/* The error that is kept of a migration that ends because of what was found. */
static void
qemuSettleKeepError(struct qemuMigration *m)
{
    if (m->error.code == VIR_ERR_OK)
        virCopyLastError(&m->error);
    virResetLastError();
}

/* What QEMU's status is, asked for, since events that came while nobody listened are not repeated. -1: no answer. */
static int
qemuSettleAsk(struct qemuMigration *m, int timeout, cJSON **info)
{
    const char *name;
    int status;

    if (qemuMigrationQuery(m->vm, "query-migrate", timeout, info) < 0) {
        virLog(VIR_LOG_WARN, "qemu.migration", "%s: domain '%s': %s", m->uuid, m->name, virGetLastErrorMessage());
        virResetLastError();
        return -1;
    }
    name = virJsonString(*info, "status");
    status = !m->incoming ? qemuMigrationStatusOfSource(*info) : name != NULL ? qemuMigrationStatusFromName(name) : QEMU_MIGRATION_NONE;
    if (status < 0)
        return -1;
    atomic_store(&qemuDomainPeek(m->vm)->migrationStatus, status);
    return status;
}

/* It may run at the destination: nothing lets it run here until that is known. */
static void
qemuSettleHold(struct qemuMigration *m)
{
    virLog(VIR_LOG_WARN, "qemu.migration", "%s: domain '%s' was transferred; whether it runs at the destination is not known here", m->uuid, m->name);
    if (!atomic_load(&m->ended))
        virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
    pthread_mutex_lock(&m->vm->lock);
    m->vm->undecided = true;
    pthread_mutex_unlock(&m->vm->lock);
    m->announce = true;
}

VIRT_INTERNAL int
qemuMigrationSettleSource(struct qemuMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;
    int status;

    if (m->offline || m->vm == NULL || atomic_load(&m->ended))
        return 0;
    m->unknown = true;
    if ((status = qemuSettleAsk(m, QEMU_SETTLE_ANSWER, &info)) < 0)
        return -1;
    m->unknown = false;
    m->sent = status != QEMU_MIGRATION_NONE;
    m->askedAt = atomic_load(&qemuDomainPeek(m->vm)->migrationEvents);
    qemuMigrationTakeInfo(m, info);
    if (m->stage == QEMU_STAGE_TRANSFER && (status == QEMU_MIGRATION_COMPLETED || qemuMigrationIsPostCopy(status)))
        qemuMigrationTransferred(m);
    if (m->stage == QEMU_STAGE_TRANSFER && (status == QEMU_MIGRATION_FAILED || status == QEMU_MIGRATION_CANCELLED)) {
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' %s: %s", m->name, virJsonString(info, "status"),
                       m->why != NULL ? m->why : "nobody was there to be told why");
        qemuSettleKeepError(m);
        if (qemuMigrationEnter(m, QEMU_STAGE_BROKEN) < 0)
            virResetLastError();
    }
    if (m->stage == QEMU_STAGE_TRANSFERRED) {
        qemuSettleHold(m);
        qemuPostcopyUpdate(m->vm);
    }
    return 0;
}

/* ---------- opening: the guest of a record ---------- */

/* A record's guest, as it was found: m->vm with the migration's job, unless it is another start of it, or unknown here. */
static void
qemuSettleFindGuest(struct qemuMigration *m)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    struct virDomainObj *vm;
    bool same;

    virUuidParse(m->guest, uuid);
    vm = virDomainListFindUuid(m->host->domains, uuid);
    same = vm != NULL && vm->id >= 0 && vm->id == m->id;
    if (!m->offline)
        atomic_store(&m->ended, !same);
    if (vm == NULL)
        return;
    /* one that has ended here but may be at the destination must not be started here: its name is held as well */
    if ((m->offline || same || (vm->id < 0 && !m->incoming)) && !(m->offline && m->incoming) && !qemuMigrationIsOver(m)
        && virDomainObjBeginJob(vm, "migration", false) == 0) {
        if (virDomainObjBeginMigration(vm, m->incoming ? VIR_DOMAIN_JOB_KIND_MIGRATION_IN : VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, m->uuid) == 0)
            m->vm = virDomainObjRef(vm);
        else
            virDomainObjEndJob(vm);
    }
    virDomainObjUnref(vm);
}

/* ---------- opening: the source ---------- */

static void
qemuSettleOpenedSource(struct qemuMigration *m)
{
    bool known = qemuMigrationSettleSource(m) == 0, gone = atomic_load(&m->ended);

    switch (atomic_load(&m->stage)) {
    case QEMU_STAGE_LEAVING:
        if (qemuMigrationLeave(m, 0) < 0)
            virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' cannot be ended: %s", m->uuid, m->name, virGetLastErrorMessage());
        break;
    case QEMU_STAGE_HALTED:
    case QEMU_STAGE_RESUMING:
        if (known && qemuMigrationStayDropped(m) < 0)
            virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' does not go on: %s", m->uuid, m->name, virGetLastErrorMessage());
        break;
    case QEMU_STAGE_TRANSFER:
        m->sent |= gone;              /* it may have sent all of it before it ended: the destination is asked */
        break;
    case QEMU_STAGE_TRANSFERRED:
        if (qemuLeaseIsThere(m) && qemuMigrationEnter(m, QEMU_STAGE_LEAVING) == 0)
            qemuMigrationLeave(m, 0);
        else if (gone && m->vm != NULL)
            qemuSettleHold(m);
        break;
    case QEMU_STAGE_BEGUN:
    case QEMU_STAGE_BROKEN:
        if (gone)
            qemuMigrationEnd(m, QEMU_STAGE_LOST);
        break;
    }
    virResetLastError();
}

/* ---------- opening: the destination ---------- */

static void
qemuSettleRemove(struct qemuMigration *m, const char *why)
{
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': %s", m->name, why);
    qemuSettleKeepError(m);
    qemuMigrationRemoveIncoming(m, 0);
    virResetLastError();
}

static void
qemuSettleOpenedDestination(struct qemuMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;

    if (m->stage == QEMU_STAGE_REMOVING) {
        qemuMigrationRemoveIncoming(m, 0);
    } else if (atomic_load(&m->ended)) {
        qemuSettleRemove(m, "the QEMU that received it has ended");
    } else if (m->stage == QEMU_STAGE_PREPARED && !m->offline) {
        qemuSettleAsk(m, QEMU_SETTLE_ANSWER, &info);
    } else if (m->stage == QEMU_STAGE_STARTING) {
        if (qemuMigrationStartIncoming(m, qemuMigrationUntil(QEMU_SETTLE_ANSWER), NULL) < 0)
            qemuSettleRemove(m, virGetLastErrorMessage());
    }
    virResetLastError();
}

/* ---------- opening: all of them ---------- */

struct qemuSettleOpen {
    struct qemuHost *host;
    bool unreadable;                  /* some record says nothing: what it was about is not known */
};

static int
qemuSettleLoad(const char *file, void *opaque)
{
    struct qemuSettleOpen *all = opaque;
    struct qemuMigration *m;
    size_t length = strlen(file);

    if (length < 5 || strcmp(file + length - 5, ".json") != 0)
        return 0;
    if ((m = qemuMigrationLoad(all->host, file)) == NULL) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "'%s/%s' cannot be read, nothing is decided on it: %s", all->host->migrations, file,
               virGetLastErrorMessage());
        virResetLastError();
        all->unreadable = true;
        return 0;
    }
    if (m->stage == QEMU_STAGE_SPAWNED || m->stage == QEMU_STAGE_LISTENING) {    /* Prepare has not answered: it may be asked anew */
        qemuStorageRemove(m, true);
        qemuMigrationForgetSockets(m);
        qemuMigrationRemoveRecord(m);
        qemuMigrationFree(m);
        return 0;
    }
    if (!qemuMigrationIsOver(m) && (m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: no descriptor: errno %d", m->uuid, errno);
    atomic_store(&m->dropped, true);
    atomic_store(&m->heard, virTimeNowUs());
    qemuMigrationInsert(m);
    return 0;
}

/* A guest that no readable record is about: one that was arriving, or one whose memory was sent somewhere. */
static int
qemuSettleVisitGuest(struct virDomainObj *vm, void *opaque)
{
    const struct qemuSettleOpen *all = opaque;
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct qemuMigration *m = qemuMigrationOf(vm);
    bool arriving;

    if (priv == NULL || vm->id < 0 || m != NULL) {
        qemuMigrationPut(m);
        return 0;
    }
    pthread_mutex_lock(&priv->lock);
    arriving = priv->incoming;
    pthread_mutex_unlock(&priv->lock);
    if (all->unreadable && (arriving || (atomic_load(&vm->state) == VIR_DOMAIN_PAUSED && atomic_load(&vm->reason) == VIR_DOMAIN_PAUSED_MIGRATION))) {
        virLog(VIR_LOG_ERROR, "qemu.migration", "domain '%s': its migration record cannot be read; it is left as it is", vm->name);
        if (virDomainObjHold(vm, "of an unreadable record") < 0)
            virLog(VIR_LOG_ERROR, "qemu.migration", "domain '%s': %s", vm->name, virGetLastErrorMessage());
    } else if (arriving) {
        virLog(VIR_LOG_WARN, "qemu.migration", "domain '%s' was arriving, and never prepared: it is ended", vm->name);
        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
    }
    return 0;
}

/* One that is over had its guest started here: what its status says of its arrival may be older. */
static void
qemuSettleStarted(struct qemuMigration *m)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    struct virDomainObj *vm;
    struct qemuDomain *priv;

    virUuidParse(m->guest, uuid);
    if (m->stage != QEMU_STAGE_STARTED || (vm = virDomainListFindUuid(m->host->domains, uuid)) == NULL)
        return;
    if (vm->id >= 0 && vm->id == m->id && (priv = qemuDomainPeek(vm)) != NULL) {
        pthread_mutex_lock(&priv->lock);
        priv->incoming = false;
        pthread_mutex_unlock(&priv->lock);
        qemuPostcopySettle(vm, QEMU_SETTLE_ANSWER);
    }
    virDomainObjUnref(vm);
}

VIRT_INTERNAL void
qemuMigrationOpened(struct qemuHost *host)
{
    struct qemuSettleOpen all = { host, false };

    if (virFileEach(host->migrations, qemuSettleLoad, &all) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s", virGetLastErrorMessage());
    for (struct qemuMigration *m = host->migrationList; m != NULL; m = m->next) {        /* nobody else knows the host yet */
        if (qemuMigrationIsOver(m)) {
            qemuSettleStarted(m);
            qemuTlsSettle(m);
            continue;
        }
        pthread_mutex_lock(&m->lock);
        qemuSettleFindGuest(m);
        if (m->incoming)
            qemuSettleOpenedDestination(m);
        else
            qemuSettleOpenedSource(m);
        pthread_mutex_unlock(&m->lock);
    }
    virDomainListEach(host->domains, qemuSettleVisitGuest, &all);
    qemuMigrationPrune(host);
    qemuMigrationWatch(host);
    virResetLastError();
}

/* ---------- what nobody steps ---------- */

/* All of it was sent, and nobody asks for it: the lease says where it is, or is taken back. */
static void
qemuSweepByLease(struct qemuMigration *m)
{
    const int there = qemuLeaseDecide(m);

    if (there > 0 && qemuMigrationEnter(m, QEMU_STAGE_LEAVING) == 0)
        qemuMigrationLeave(m, 0);
    else if (there == 0 && qemuMigrationStayDropped(m) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' does not go on: %s", m->uuid, m->name, virGetLastErrorMessage());
    virResetLastError();
}

/* The source: it is halted, and goes back. What was sent completely stays until somebody knows more. */
static void
qemuSweepSource(struct qemuMigration *m)
{
    bool gone = atomic_load(&m->ended);

    if (m->unknown && qemuMigrationSettleSource(m) < 0)
        return;
    if (m->stage == QEMU_STAGE_TRANSFERRED && m->told != 0)
        qemuSweepByLease(m);
    else if (m->stage == QEMU_STAGE_LEAVING)
        qemuMigrationLeave(m, 0);
    else if (m->stage != QEMU_STAGE_TRANSFERRED && !(gone && m->stage == QEMU_STAGE_TRANSFER && !atomic_load(&m->ownAgain)))
        qemuMigrationAbortDropped(m);
}

/* The destination: removed, but only if its copy is known to be incomplete, and not being received. */
static void
qemuSweepDestination(struct qemuMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;
    int status = QEMU_MIGRATION_NONE;

    if (m->stage == QEMU_STAGE_STARTING) {
        if (qemuMigrationStartIncoming(m, qemuMigrationUntil(0), NULL) < 0)
            qemuSettleRemove(m, virGetLastErrorMessage());
        return;
    }
    if (m->stage == QEMU_STAGE_PREPARED && !m->offline && !atomic_load(&m->ended)
        && ((status = qemuSettleAsk(m, QEMU_SETTLE_ANSWER / 4, &info)) < 0
            || (status != QEMU_MIGRATION_NONE && status != QEMU_MIGRATION_SETUP && status != QEMU_MIGRATION_FAILED))
        && !qemuLeaseIsStale(m))
        return;
    qemuSettleRemove(m, "it has not come, and nobody has asked for it: it has expired");
}

/* The next one that is to be looked at, counted. */
static struct qemuMigration *
qemuSweepNext(struct qemuHost *host, unsigned long long now)
{
    const unsigned long long expiry = (unsigned long long)atomic_load(&host->migrationExpiry) * 1000000;
    struct qemuMigration *m;

    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL; m = m->next)
        if (!qemuMigrationIsOver(m) && (m->announce || atomic_load(&m->heard) + expiry < now))
            break;
    if (m != NULL)
        m->users++;
    pthread_mutex_unlock(&host->lock);
    return m;
}

static void
qemuSweepOne(struct qemuMigration *m, unsigned long long now)
{
    const unsigned long long expiry = (unsigned long long)atomic_load(&m->host->migrationExpiry) * 1000000;
    bool locked = pthread_mutex_trylock(&m->lock) == 0, expired = atomic_load(&m->heard) + expiry < now;

    if (locked && !qemuMigrationIsOver(m)) {
        if (m->announce && m->vm != NULL && !atomic_load(&m->ended))
            qemuEventLifecycle(m->vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED);
        if (expired) {
            virLog(VIR_LOG_WARN, "qemu.migration", "%s: domain '%s': nobody has stepped it for %d s", m->uuid, m->name,
                   atomic_load(&m->host->migrationExpiry));
            atomic_store(&m->dropped, true);
            if (m->incoming)
                qemuSweepDestination(m);
            else
                qemuSweepSource(m);
        }
    }
    if (expired)                      /* or somebody is at work on it */
        atomic_store(&m->heard, now);
    m->announce = false;
    if (locked)
        pthread_mutex_unlock(&m->lock);
    if (locked && !m->incoming && m->vm != NULL && qemuDomainPeek(m->vm) != NULL)
        qemuMigrationSettleDropped(m);
}

VIRT_INTERNAL void
qemuMigrationSweep(struct qemuHost *host)
{
    unsigned long long now = virTimeNowUs(), before = atomic_load(&host->migrationSwept);
    struct qemuMigration *m;
    virErrorPtr error;

    if (now < before + QEMU_SWEEP_EVERY || !atomic_compare_exchange_strong(&host->migrationSwept, &before, now)
        || (m = qemuSweepNext(host, now)) == NULL)
        return;
    error = virSaveLastError();
    for (; m != NULL; m = qemuSweepNext(host, now)) {
        qemuSweepOne(m, now);
        qemuMigrationPut(m);
    }
    virRestoreLastError(error);
}

/* ---------- the event loop looks as well ---------- */

struct qemuMigrationTimer {
    pthread_mutex_t lock;             /* held while it runs */
    struct qemuHost *host;            /* NULL: it has been closed */
    int id;
};

static void
qemuTimerFree(void *opaque)
{
    struct qemuMigrationTimer *timer = opaque;

    pthread_mutex_destroy(&timer->lock);
    free(timer);
}

static void
qemuTimerRun(int id, void *opaque)
{
    struct qemuMigrationTimer *timer = opaque;
    struct qemuHost *host;
    bool idle = false;

    pthread_mutex_lock(&timer->lock);
    if ((host = timer->host) != NULL) {
        qemuMigrationSweep(host);
        pthread_mutex_lock(&host->lock);
        idle = true;
        for (struct qemuMigration *m = host->migrationList; m != NULL && idle; m = m->next)
            idle = qemuMigrationIsOver(m);
        if (idle) {
            host->migrationTimer = NULL;
            timer->host = NULL;
        }
        pthread_mutex_unlock(&host->lock);
    }
    pthread_mutex_unlock(&timer->lock);
    if (idle)
        virEventRemoveTimeout(id);
}

VIRT_INTERNAL void
qemuMigrationWatch(struct qemuHost *host)
{
    struct qemuMigrationTimer *timer;
    bool wanted = false;

    if (!virEventLoopIsRegistered() || (timer = calloc(1, sizeof(*timer))) == NULL)
        return;
    pthread_mutex_init(&timer->lock, NULL);
    pthread_mutex_lock(&host->lock);
    for (struct qemuMigration *m = host->migrationList; m != NULL && !wanted; m = m->next)
        wanted = !qemuMigrationIsOver(m) && host->migrationTimer == NULL;
    if (wanted) {
        timer->host = host;
        host->migrationTimer = timer;
    }
    pthread_mutex_unlock(&host->lock);
    if (!wanted) {
        qemuTimerFree(timer);
        return;
    }
    pthread_mutex_lock(&timer->lock);
    timer->id = virEventAddTimeout(1000, qemuTimerRun, timer, qemuTimerFree);
    pthread_mutex_unlock(&timer->lock);
    if (timer->id < 0) {
        pthread_mutex_lock(&host->lock);
        host->migrationTimer = NULL;
        pthread_mutex_unlock(&host->lock);
        qemuTimerFree(timer);
        virResetLastError();
    }
}

VIRT_INTERNAL void
qemuMigrationUnwatch(struct qemuHost *host)
{
    struct qemuMigrationTimer *timer;
    int id;

    pthread_mutex_lock(&host->lock);
    timer = host->migrationTimer;
    host->migrationTimer = NULL;
    pthread_mutex_unlock(&host->lock);
    if (timer == NULL)
        return;
    pthread_mutex_lock(&timer->lock);
    timer->host = NULL;
    id = timer->id;
    pthread_mutex_unlock(&timer->lock);
    virEventRemoveTimeout(id);
}

#undef QEMU_SETTLE_ANSWER
#undef QEMU_SWEEP_EVERY
#undef VIRT_FROM
