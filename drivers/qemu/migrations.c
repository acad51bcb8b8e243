/*
 * The migrations a host knows: those under way, and of each guest and side the newest that is over, so that a question whose answer was
 * lost can still be answered. Whoever works with one is counted, and one that has left the list is freed by the last.
 */
#include "migration.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

VIRT_INTERNAL bool
qemuMigrationIsOver(const struct qemuMigration *m)
{
    switch (atomic_load(&m->stage)) {
    case QEMU_STAGE_LEFT:
    case QEMU_STAGE_STAYED:
    case QEMU_STAGE_STARTED:
    case QEMU_STAGE_REMOVED:
        return true;
    default:
        return false;
    }
}

static void
qemuMigrationFree(struct qemuMigration *m)
{
    if (m->wake >= 0)
        close(m->wake);
    virDomainObjUnref(m->vm);
    virResetError(&m->error);
    free(m->cookie);
    free(m->uri);
    free(m->document);
    free(m->definition);
    free(m->previous);
    free(m->listening);
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
qemuMigrationFreeAll(struct qemuHost *host)
{
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

VIRT_INTERNAL struct qemuMigration *
qemuMigrationLock(struct qemuHost *host, const char *uuid, bool incoming)
{
    struct qemuMigration *m;

    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL && (m->incoming != incoming || strcmp(m->uuid, uuid) != 0); m = m->next)
        ;
    if (m != NULL)
        m->users++;
    pthread_mutex_unlock(&host->lock);
    if (m != NULL) {
        pthread_mutex_lock(&m->lock);
        atomic_store(&m->dropped, false);
    }
    return m;
}

VIRT_INTERNAL void
qemuMigrationUnlock(struct qemuMigration *m)
{
    if (m == NULL)
        return;
    pthread_mutex_unlock(&m->lock);
    qemuMigrationPut(m);
}

VIRT_INTERNAL struct qemuMigration *
qemuMigrationNew(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call, bool incoming,
                 enum qemuMigrationStage stage)
{
    struct qemuMigration *m = virAllocate(sizeof(*m));

    if (m == NULL)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->host = host;
    m->incoming = incoming;
    m->flags = call->flags;
    m->offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0;
    atomic_init(&m->stage, stage);
    snprintf(m->uuid, sizeof(m->uuid), "%s", call->uuid);
    if ((m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        virReportSystemError(errno, "no descriptor for migration %s", call->uuid);
        qemuMigrationFree(m);
        return NULL;
    }
    if (vm != NULL)
        m->vm = virDomainObjRef(vm);
    m->users = 1;
    pthread_mutex_lock(&m->lock);
    pthread_mutex_lock(&host->lock);
    m->next = host->migrationList;
    host->migrationList = m;
    pthread_mutex_unlock(&host->lock);
    return m;
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
    m->asking = 0;
    qemuMonitorUnref(mon);
}

VIRT_INTERNAL void
qemuMigrationEnd(struct qemuMigration *m, enum qemuMigrationStage stage)
{
    struct qemuHost *host = m->host;
    struct qemuMigration **link;

    if (m->listening != NULL)
        unlink(m->listening);
    free(m->listening);
    free(m->document);
    free(m->definition);
    free(m->previous);
    m->listening = m->document = m->definition = m->previous = NULL;
    qemuMigrationForgetCommands(m);
    pthread_mutex_lock(&host->lock);
    if (m->wake >= 0)
        close(m->wake);
    m->wake = -1;
    atomic_store(&m->stage, stage);
    for (link = &host->migrationList; *link != NULL;) {
        struct qemuMigration *old = *link;
        bool sameGuest = old->vm == m->vm
                         || (old->vm != NULL && m->vm != NULL && memcmp(old->vm->uuid, m->vm->uuid, VIR_UUID_BUFLEN) == 0);

        if (old != m && old->incoming == m->incoming && sameGuest && qemuMigrationIsOver(old))
            qemuMigrationUnlink(link);
        else
            link = &old->next;
    }
    pthread_mutex_unlock(&host->lock);
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

#undef VIRT_FROM
