/*
 * The migrations a host knows: those under way, and those that are over, so that a question whose answer was lost can still be answered.
 * Whoever works with one is counted, and one that has left the list is freed by the last.
 */
#include "storage.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../common/json.h"
#include "../common/params.h"

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATIONS_AGE  86400000ull   /* ms for which they are kept */

#define A(stage) (1u << QEMU_STAGE_ ## stage)

VIRT_INTERNAL const struct qemuStageRow qemuStages[QEMU_STAGE_COUNT + 1] = {
    /*
     * Source. One that could not begin, or that nobody steps, goes on as it was: nothing has been sent that would have to be halted; an offline
     * guest leaves without a transfer. A guest whose QEMU has ended is lost at once, if it cannot be elsewhere or its user says so.
     */
    [QEMU_STAGE_BEGUN]       = { "begun",       "S_BEGUN",      A(TRANSFER) | A(BROKEN) | A(HALTED), A(RESUMING) | A(LEAVING) | A(STAYED) | A(LOST), false },
    [QEMU_STAGE_TRANSFER]    = { "transfer",    "S_PERFORMING", A(TRANSFERRED) | A(BROKEN) | A(HALTED) | A(RESUMING) | A(LEAVING), A(LOST), false },
    [QEMU_STAGE_TRANSFERRED] = { "transferred", "S_PERFORMED",  A(RESUMING) | A(LEAVING), A(LOST), false },
    [QEMU_STAGE_BROKEN]      = { "broken",      "S_PERFORMING", A(HALTED) | A(RESUMING), A(LOST), false },
    [QEMU_STAGE_HALTED]      = { "halted",      "S_HALTED",     A(RESUMING), A(LOST), false },
    [QEMU_STAGE_RESUMING]    = { "resuming",    "S_RESUMING",   A(STAYED) | A(LOST), 0, false },
    [QEMU_STAGE_LEAVING]     = { "leaving",     "S_KILLING",    A(LEFT), 0, false },
    [QEMU_STAGE_LEFT]        = { "left",        "S_KILLED",     0, 0, true },
    [QEMU_STAGE_STAYED]      = { "stayed",      "S_RESUMED",    0, 0, true },
    [QEMU_STAGE_LOST]        = { "lost",        "S_KILLED",     0, 0, true },
    /* Destination. What could not be made, or has ended by itself, needs no removing; an offline guest is only defined, in one step. */
    [QEMU_STAGE_SPAWNED]     = { "spawned",     "D_PREPARED",   A(LISTENING) | A(PREPARED) | A(REMOVING), A(REMOVED), false },
    [QEMU_STAGE_LISTENING]   = { "listening",   "D_PREPARED",   A(PREPARED) | A(REMOVING), A(REMOVED), false },
    [QEMU_STAGE_PREPARED]    = { "prepared",    "D_PREPARED",   A(STARTING) | A(REMOVING), A(STARTED) | A(REMOVED), false },
    [QEMU_STAGE_STARTING]    = { "starting",    "D_STARTING",   A(STARTED) | A(REMOVING), A(REMOVED), false },
    [QEMU_STAGE_REMOVING]    = { "removing",    "D_KILLING",    A(REMOVED), 0, false },
    [QEMU_STAGE_STARTED]     = { "started",     "D_STARTED",    0, 0, true },
    [QEMU_STAGE_REMOVED]     = { "removed",     "D_KILLED",     0, 0, true },
    /* What is refused before it began leaves a record of its end. */
    [QEMU_STAGE_NOTHING]     = { "",            "_IDLE",        A(BEGUN) | A(SPAWNED), A(STAYED) | A(REMOVED), false },
};
#undef A

VIRT_INTERNAL bool
qemuMigrationIsOver(const struct qemuMigration *m)
{
    return qemuStages[atomic_load(&m->stage)].over;
}

VIRT_INTERNAL void
qemuMigrationFree(struct qemuMigration *m)
{
    if (m->wake >= 0)
        close(m->wake);
    if (m->wait >= 0)
        close(m->wait);
    virDomainObjUnref(m->vm);
    virResetError(&m->error);
    virTypedParamsFree(m->params, m->nparams);
    free(m->name);
    free(m->begun);
    free(m->cookie);
    free(m->uri);
    free(m->document);
    free(m->definition);
    free(m->previous);
    free(m->listening);
    free(m->peer);
    qemuStorageFree(m);
    free(m->why);
    virTypedParamsFree(m->stats, m->nstats);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* With host->lock held: takes it out of the list. */
static void
qemuMigrationUnlink(struct qemuMigration **link)
{
    struct qemuMigration *m = *link;

    *link = m->next;
    m->unlisted = true;
    if (m->users == 0)
        qemuMigrationFree(m);
}

VIRT_INTERNAL void
qemuMigrationPrune(struct qemuHost *host)
{
    const unsigned long long now = qemuMigrationWallClock();
    struct qemuMigration **link;
    int kept = 0;

    pthread_mutex_lock(&host->lock);
    for (link = &host->migrationList; *link != NULL;) {          /* the newest first */
        struct qemuMigration *m = *link;

        if (!qemuMigrationIsOver(m) || m->users > 0) {
            link = &m->next;
        } else if (++kept > atomic_load(&host->migrationRecords) || atomic_load(&m->changed) + QEMU_MIGRATIONS_AGE < now) {
            qemuMigrationRemoveRecord(m);
            qemuMigrationUnlink(link);
        } else {
            virDomainObjUnref(m->vm);            /* what is answered later needs no guest */
            m->vm = NULL;
            link = &m->next;
        }
    }
    pthread_mutex_unlock(&host->lock);
}

VIRT_INTERNAL void
qemuMigrationFreeAll(struct qemuHost *host)
{
    qemuMigrationUnwatch(host);
    while (host->migrationList != NULL)
        qemuMigrationUnlink(&host->migrationList);
}

VIRT_INTERNAL void
qemuMigrationPut(struct qemuMigration *m)
{
    struct qemuHost *host;
    bool last;

    if (m == NULL)
        return;
    host = m->host;
    pthread_mutex_lock(&host->lock);
    last = --m->users == 0 && m->unlisted;
    pthread_mutex_unlock(&host->lock);
    if (last)
        qemuMigrationFree(m);
}

VIRT_INTERNAL struct qemuMigration *
qemuMigrationOf(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct qemuMigration *m;

    if (priv == NULL)
        return NULL;
    pthread_mutex_lock(&priv->host->lock);
    for (m = priv->host->migrationList; m != NULL && (m->vm != vm || qemuMigrationIsOver(m)); m = m->next)
        ;
    if (m != NULL)
        m->users++;
    pthread_mutex_unlock(&priv->host->lock);
    return m;
}

VIRT_INTERNAL int
qemuMigrationCheckOwn(struct qemuHost *host, const struct virMigrationCall *call)
{
    unsigned char guest[VIR_UUID_BUFLEN];
    int rc = 0;

    pthread_mutex_lock(&host->lock);
    for (const struct qemuMigration *m = host->migrationList; m != NULL && rc == 0; m = m->next)
        if (strcmp(m->uuid, call->uuid) == 0 && virUuidParse(m->guest, guest) == 0 && !virMigrationCallNamesNone(guest))
            rc = virMigrationCallIsOf(call, guest, m->incoming ? m->name : NULL);
    pthread_mutex_unlock(&host->lock);
    return rc;
}

VIRT_INTERNAL struct qemuMigration *
qemuMigrationLock(struct qemuHost *host, const char *uuid, bool incoming)
{
    struct qemuMigration *m;
    uint64_t count;

    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL && (m->incoming != incoming || strcmp(m->uuid, uuid) != 0); m = m->next)
        ;
    if (m != NULL)
        m->users++;
    pthread_mutex_unlock(&host->lock);
    if (m != NULL) {
        pthread_mutex_lock(&m->lock);
        /* what has happened until now, this call looks at */
        if (m->wake >= 0 && read(m->wake, &count, sizeof(count)) < 0)
            count = 0;
        atomic_store(&m->dropped, false);
        atomic_store(&m->heard, virTimeNowUs());
    }
    return m;
}

VIRT_INTERNAL bool
qemuMigrationIsComing(struct qemuHost *host, const char *uuid)
{
    struct qemuMigration *m;

    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL && (!m->incoming || qemuMigrationIsOver(m) || strcmp(m->uuid, uuid) != 0); m = m->next)
        ;
    pthread_mutex_unlock(&host->lock);
    return m != NULL;
}

VIRT_INTERNAL void
qemuMigrationUnlock(struct qemuMigration *m)
{
    if (m == NULL)
        return;
    atomic_store(&m->heard, virTimeNowUs());
    pthread_mutex_unlock(&m->lock);
    qemuMigrationPut(m);
}

VIRT_INTERNAL void
qemuMigrationInsert(struct qemuMigration *m)
{
    struct qemuMigration **link;

    pthread_mutex_lock(&m->host->lock);
    for (link = &m->host->migrationList; *link != NULL && (*link)->since > m->since; link = &(*link)->next)
        ;
    m->next = *link;
    *link = m;
    pthread_mutex_unlock(&m->host->lock);
}

VIRT_INTERNAL struct qemuMigration *
qemuMigrationNew(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call, const char *name,
                 const char *guest, bool incoming, enum qemuMigrationStage stage)
{
    struct qemuMigration *m = virAllocate(sizeof(*m));

    if (m == NULL)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->host = host;
    m->incoming = incoming;
    m->flags = call->flags;
    m->offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0;
    m->id = -1;
    m->since = qemuMigrationWallClock();
    atomic_init(&m->changed, m->since);
    atomic_init(&m->heard, virTimeNowUs());
    atomic_init(&m->stage, QEMU_STAGE_NOTHING);
    qemuMigrationMove(m, stage);
    snprintf(m->uuid, sizeof(m->uuid), "%s", call->uuid);
    snprintf(m->guest, sizeof(m->guest), "%s", guest);
    m->nparams = call->nparams;
    m->wake = m->wait = -1;
    if ((m->name = virStringCopy(name)) == NULL
        || (call->nparams > 0 && (m->params = virTypedParamsCopy(call->params, call->nparams)) == NULL)) {
        m->nparams = m->params != NULL ? m->nparams : 0;
        qemuMigrationFree(m);
        return NULL;
    }
    if (!qemuMigrationIsOver(m) && (m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        virReportSystemError(errno, "no descriptor for migration %s", call->uuid);
        qemuMigrationFree(m);
        return NULL;
    }
    if (vm != NULL)
        m->vm = virDomainObjRef(vm);
    qemuMigrationPrune(host);
    m->users = 1;
    pthread_mutex_lock(&m->lock);
    qemuMigrationInsert(m);
    qemuMigrationWatch(host);
    return m;
}

VIRT_INTERNAL void
qemuMigrationRefuse(struct qemuHost *host, const struct virMigrationCall *call, bool incoming)
{
    char guest[VIR_UUID_STRING_BUFLEN];

    virUuidFormat(call->guest, guest);
    qemuMigrationUnlock(qemuMigrationNew(host, NULL, call, call->name, guest, incoming, incoming ? QEMU_STAGE_REMOVED : QEMU_STAGE_STAYED));
    virResetLastError();
}

VIRT_INTERNAL void
qemuMigrationKeepStats(struct qemuMigration *m, virTypedParameterPtr params, int nparams)
{
    virTypedParameterPtr before;
    int nbefore;

    pthread_mutex_lock(&m->host->lock);
    before = m->stats;
    nbefore = m->nstats;
    m->stats = params;
    m->nstats = nparams;
    pthread_mutex_unlock(&m->host->lock);
    virTypedParamsFree(before, nbefore);
}

/* Nobody will collect the replies that are still to come. */
static void
qemuMigrationForgetCommands(struct qemuMigration *m)
{
    struct qemuDomain *priv = m->vm != NULL ? qemuDomainPeek(m->vm) : NULL;
    struct qemuMonitor *mon = NULL;

    if (priv != NULL) {
        pthread_mutex_lock(&priv->lock);
        if (priv->monitor != NULL)
            mon = qemuMonitorRef(priv->monitor);
        pthread_mutex_unlock(&priv->lock);
    }
    for (; m->npending > 0; m->npending--)
        if (mon != NULL)
            qemuMonitorForget(mon, m->pending[m->npending - 1]);
    if (mon != NULL && m->asking != 0)
        qemuMonitorForget(mon, m->asking);
    if (mon != NULL && m->askingJobs != 0)
        qemuMonitorForget(mon, m->askingJobs);
    m->asking = m->askingJobs = 0;
    qemuMonitorUnref(mon);
}

VIRT_INTERNAL void
qemuMigrationMove(struct qemuMigration *m, enum qemuMigrationStage stage)
{
    const struct qemuStageRow *row = &qemuStages[atomic_load(&m->stage)];

    assert(row == &qemuStages[stage] || ((row->next | row->shortcuts) & 1u << stage) != 0);
    atomic_store(&m->stage, stage);
}

VIRT_INTERNAL int
qemuMigrationEnter(struct qemuMigration *m, enum qemuMigrationStage stage)
{
    int before = atomic_load(&m->stage);

    qemuMigrationMove(m, stage);
    if (before == (int)stage || qemuMigrationSaveRecord(m) == 0)
        return 0;
    atomic_store(&m->stage, before);             /* not on record, not entered */
    return -1;
}

/* Gives the guest's job back, if this migration has it. */
static void
qemuMigrationRelease(struct virDomainObj *vm, const char *uuid)
{
    bool ours;

    if (vm == NULL)
        return;
    pthread_mutex_lock(&vm->lock);
    ours = vm->migration != NULL && strcmp(vm->migration, uuid) == 0;
    pthread_mutex_unlock(&vm->lock);
    if (ours)
        virDomainObjEndMigration(vm);
}

VIRT_INTERNAL void
qemuMigrationEnd(struct qemuMigration *m, enum qemuMigrationStage stage)
{
    struct qemuHost *host = m->host;
    virErrorPtr error = virSaveLastError();

    qemuMigrationRemoveSocket(m->listening);
    free(m->listening);
    free(m->begun);
    free(m->document);
    free(m->definition);
    free(m->previous);
    m->listening = m->begun = m->document = m->definition = m->previous = NULL;
    qemuMigrationForgetCommands(m);
    pthread_mutex_lock(&host->lock);
    if (m->wake >= 0)
        close(m->wake);
    if (m->wait >= 0)
        close(m->wait);
    m->wake = m->wait = -1;
    qemuMigrationMove(m, stage);
    pthread_mutex_unlock(&host->lock);
    /* the effect has happened: if this cannot be written, the stage before it is settled to the same end */
    if (qemuMigrationSaveRecord(m) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: its end cannot be recorded: %s", m->uuid, virGetLastErrorMessage());
    qemuTlsForget(m);
    qemuZeroCopyForget(m);
    qemuMigrationRelease(m->vm, m->uuid);
    virRestoreLastError(error);
}

VIRT_INTERNAL void
qemuMigrationWake(struct virDomainObj *vm)
{
    struct qemuMigration *m = qemuMigrationOf(vm);
    const uint64_t one = 1;

    if (m == NULL)
        return;
    pthread_mutex_lock(&m->host->lock);
    if (m->wake >= 0 && write(m->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
        virLog(VIR_LOG_WARN, "qemu.migration", "%s: cannot wake: errno %d", m->uuid, errno);
    pthread_mutex_unlock(&m->host->lock);
    qemuMigrationPut(m);
}

/* ---------- what a host has on record ---------- */

VIRT_INTERNAL int
qemuMigrationList(virConnectPtr conn, char ***records, unsigned int flags)
{
    const unsigned int both = VIR_CONNECT_LIST_MIGRATIONS_ACTIVE | VIR_CONNECT_LIST_MIGRATIONS_OVER;
    struct qemuHost *host = qemuHostOf(conn);
    char **texts = NULL;
    int n = 0, count = 0;

    virCheckFlags(both, -1);
    qemuMigrationSweep(host);
    if ((flags & both) == 0)
        flags |= both;
    pthread_mutex_lock(&host->lock);
    for (struct qemuMigration *m = host->migrationList; m != NULL; m = m->next)
        count++;
    if ((texts = virAllocate(((size_t)count + 1) * sizeof(*texts))) == NULL)
        n = -1;
    for (struct qemuMigration *m = host->migrationList; n >= 0 && m != NULL; m = m->next) {
        VIRT_CLEANUP_JSON cJSON *json = NULL;

        if ((flags & (qemuMigrationIsOver(m) ? VIR_CONNECT_LIST_MIGRATIONS_OVER : VIR_CONNECT_LIST_MIGRATIONS_ACTIVE)) == 0)
            continue;
        if ((json = qemuMigrationHead(m)) == NULL || (texts[n] = virJsonFormat(json)) == NULL) {
            for (; n > 0; n--)
                free(texts[n - 1]);
            n = -1;
        } else {
            n++;
        }
    }
    pthread_mutex_unlock(&host->lock);
    if (n < 0 || records == NULL) {
        for (int i = 0; i < n; i++)
            free(texts[i]);
        free(texts);
    } else {
        *records = texts;
    }
    return n;
}

#undef QEMU_MIGRATIONS_AGE
#undef VIRT_FROM
