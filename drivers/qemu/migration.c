/*
 * The five phases of a live migration, on QEMU's monitor: what they have in common. migration_source.c and migration_destination.c have
 * the phases, migration_parameters.c what QEMU is told of how to do it, migrations.c the list, record.c what is durable.
 *
 * A phase never waits longer than it is told to: it sends its commands, and where the replies or the events it needs are not there yet,
 * it answers AGAIN and goes on from its stage when it is called again. Judged is by query-migrate's status and MIGRATION events
 * alone, never by whether CPUs stand or by what a command returned.
 */
#include "migration.h"
#include "process.h"

#include "../common/params.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_FLAGS                                                                                      \
    (VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_PAUSED |             \
     VIR_MIGRATE_CHANGE_PROTECTION | VIR_MIGRATE_UNSAFE | VIR_MIGRATE_OFFLINE | VIR_MIGRATE_COMPRESSED |          \
     VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_AUTO_CONVERGE)

/* ---------- answers ---------- */

/* With its lock held: answers DONE with copies of what was answered before. */
VIRT_INTERNAL int
qemuMigrationAnswer(struct qemuMigration *m, char **cookie, char **uri)
{
    char *cookieCopy = virStringCopy(m->cookie), *uriCopy = uri != NULL ? virStringCopy(m->uri) : NULL;

    if ((m->cookie != NULL && cookieCopy == NULL) || (uri != NULL && m->uri != NULL && uriCopy == NULL)) {
        free(cookieCopy);
        free(uriCopy);
        return VIR_MIGRATION_AGAIN;
    }
    *cookie = cookieCopy;
    if (uri != NULL)
        *uri = uriCopy;
    return VIR_MIGRATION_DONE;
}

/* With its lock held: keeps the thread's error, so that the phase answers it again. */
VIRT_INTERNAL int
qemuMigrationFailed(struct qemuMigration *m)
{
    if (m->error.code == VIR_ERR_OK)
        virCopyLastError(&m->error);
    else
        virSetLastError(&m->error);
    return VIR_MIGRATION_FAILED;
}

VIRT_INTERNAL int
qemuMigrationCheckCall(const struct virMigrationCall *call)
{
    const unsigned int flags = call->flags;

    if ((flags & ~(unsigned int)QEMU_MIGRATE_FLAGS) != 0)
        return virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED, "migration flags 0x%x are not supported by this driver",
                              flags & ~(unsigned int)QEMU_MIGRATE_FLAGS);
    if ((flags & VIR_MIGRATE_OFFLINE) != 0 && (flags & VIR_MIGRATE_PERSIST_DEST) == 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "an offline migration moves the persistent document: it needs VIR_MIGRATE_PERSIST_DEST");
    return 0;
}

/* ---------- commands under way ---------- */

/* Sends one more command; its reply is collected by qemuMigrationCollect. args is taken over. */
VIRT_INTERNAL int
qemuMigrationSend(struct qemuMigration *m, struct qemuMonitor *mon, const char *command, cJSON *args)
{
    qemuMonitorId id;

    if (m->npending == sizeof(m->pending) / sizeof(m->pending[0])) {
        cJSON_Delete(args);
        return virReportError(VIR_ERR_INTERNAL_ERROR, "too many commands under way");
    }
    if ((id = qemuMonitorSend(mon, command, args, false)) == 0)
        return -1;
    m->pending[m->npending++] = id;
    return 0;
}

/* All replies: 1; not all within timeout ms: 0; a command was refused: -1, and the replies to those behind it are dropped. */
VIRT_INTERNAL int
qemuMigrationCollect(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    int rc = 1;

    while (rc > 0 && m->npending > 0) {
        if ((rc = qemuMonitorReceive(mon, m->pending[0], timeout, NULL)) == 0)
            return 0;
        m->npending--;
        memmove(m->pending, m->pending + 1, m->npending * sizeof(m->pending[0]));
    }
    for (; rc < 0 && m->npending > 0; m->npending--)
        qemuMonitorForget(mon, m->pending[m->npending - 1]);
    return rc;
}

/* Takes in what QEMU has said, after waiting for it for at most timeout ms. */
VIRT_INTERNAL void
qemuMigrationListen(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    struct pollfd fds[2] = { { .fd = qemuMonitorGetFd(mon), .events = POLLIN }, { .fd = m->wake, .events = POLLIN } };
    bool own = fds[0].fd >= 0 && fds[0].fd != qemuMonitorSocket(mon);
    uint64_t count;

    if (timeout != 0 && poll(fds, 2, timeout) < 0 && errno != EINTR)
        virLog(VIR_LOG_WARN, "qemu.migration", "%s: poll: errno %d", m->uuid, errno);
    if (read(m->wake, &count, sizeof(count)) < 0)
        count = 0;                    /* nothing there */
    if (own && read(fds[0].fd, &count, sizeof(count)) < 0)
        count = 0;
    qemuMonitorPump(mon);
}

/* Milliseconds left until `end` (us; 0: no end), at most `most`. */
VIRT_INTERNAL int
qemuMigrationLeft(unsigned long long end, int most)
{
    unsigned long long now = virTimeNowUs();

    if (end == 0)
        return most;
    if (now >= end)
        return 0;
    return (end - now) / 1000 >= (unsigned long long)most ? most : (int)((end - now + 999) / 1000);
}

VIRT_INTERNAL unsigned long long
qemuMigrationUntil(int timeout)
{
    return timeout < 0 ? 0 : virTimeNowUs() + (unsigned long long)timeout * 1000;
}

VIRT_INTERNAL unsigned long long
qemuMigrationWallClock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

/* ---------- waiting, aborting ---------- */

VIRT_INTERNAL int
qemuMigrationWait(virConnectPtr conn, const struct virMigrationCall *call, int *fd, int *events, int *milliseconds)
{
    struct qemuHost *host = qemuHostOf(conn);
    struct qemuMigration *m;
    struct qemuDomain *priv;

    *milliseconds = 0;
    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL && (strcmp(m->uuid, call->uuid) != 0 || qemuMigrationIsOver(m)); m = m->next)
        ;
    if (m != NULL)
        m->users++;
    pthread_mutex_unlock(&host->lock);
    if (m != NULL && m->vm != NULL && (priv = qemuDomainPeek(m->vm)) != NULL) {
        pthread_mutex_lock(&priv->lock);
        if (priv->monitor != NULL) {
            *fd = qemuMonitorGetFd(priv->monitor);
            *events = VIR_EVENT_HANDLE_READABLE;
            *milliseconds = m->incoming ? 100 : 1000;            /* an abort of Perform is heard here; of the others, when this is over */
        }
        pthread_mutex_unlock(&priv->lock);
    }
    qemuMigrationPut(m);
    return 0;
}

static int
qemuMigrationCancel(struct virDomainObj *vm, struct qemuMigration *m)
{
    struct qemuMonitor *mon;
    int status, rc;

    if (m->incoming)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is arriving: its migration is aborted at the source", vm->name);
    if ((mon = qemuDomainMonitor(vm)) == NULL)
        return -1;
    status = atomic_load(&qemuDomainPeek(vm)->migrationStatus);
    if (status == QEMU_MIGRATION_POSTCOPY_ACTIVE || status == QEMU_MIGRATION_POSTCOPY_PAUSED || status == QEMU_MIGRATION_POSTCOPY_RECOVER) {
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is in post-copy: aborting would destroy it", vm->name);
    } else {
        atomic_store(&m->aborted, true);
        rc = qemuMonitorPost(mon, "migrate_cancel", NULL);
    }
    qemuMonitorUnref(mon);
    return rc;
}

/* ---------- migrations that nobody steps ---------- */

/* Its QEMU has ended and nobody will ask for the outcome: nothing is left to be done. */
static void
qemuMigrationEndDropped(struct qemuMigration *m)
{
    if (!atomic_load(&m->dropped) || !atomic_load(&m->ended) || pthread_mutex_trylock(&m->lock) != 0)
        return;                       /* who has the lock is at work on its end */
    if (!qemuMigrationIsOver(m)) {
        qemuMigrationEnd(m, m->incoming ? QEMU_STAGE_REMOVED : m->stage == QEMU_STAGE_TRANSFERRED ? QEMU_STAGE_LEFT : QEMU_STAGE_STAYED);
        virDomainObjEndMigration(m->vm);
    }
    pthread_mutex_unlock(&m->lock);
}

VIRT_INTERNAL int
qemuMigrationDrop(virConnectPtr conn, const struct virMigrationCall *call)
{
    struct qemuHost *host = qemuHostOf(conn);
    struct qemuMigration *m;

    for (int incoming = 0; incoming < 2; incoming++) {
        pthread_mutex_lock(&host->lock);
        for (m = host->migrationList; m != NULL && (m->incoming != (incoming != 0) || strcmp(m->uuid, call->uuid) != 0); m = m->next)
            ;
        if (m != NULL) {
            m->users++;
            atomic_store(&m->dropped, true);
        }
        pthread_mutex_unlock(&host->lock);
        if (m != NULL)
            qemuMigrationEndDropped(m);
        qemuMigrationPut(m);
    }
    return 0;
}

/* The transfer has ended badly, or never began: the guest goes on here. Nothing waits: this is also called when an event is delivered. */
static int
qemuMigrationStayDropped(struct qemuMigration *m)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    struct qemuMonitor *mon;
    int rc = 0;

    if (m->stage != QEMU_STAGE_BEGUN && !m->wasRunning) {
        virDomainObjSetState(m->vm, m->state, m->reason);
    } else if (m->stage != QEMU_STAGE_BEGUN && atomic_load(&m->vm->state) != VIR_DOMAIN_RUNNING) {
        if ((mon = qemuDomainMonitor(m->vm)) == NULL)
            return -1;
        atomic_store(&priv->resumeReason, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
        rc = qemuMonitorPost(mon, "cont", NULL);
        qemuMonitorUnref(mon);
    }
    if (rc < 0)
        return -1;
    qemuMigrationStay(m);
    qemuMigrationForgetRecord(m);
    return 0;
}

/* Ends one as far as that can be done without the other side; with its lock held. 0: it is over, or will be when QEMU has cancelled it. */
static int
qemuMigrationAbortDropped(struct qemuMigration *m)
{
    int status = atomic_load(&qemuDomainPeek(m->vm)->migrationStatus);

    if (qemuMigrationIsOver(m))
        return 0;
    if (m->incoming && m->stage != QEMU_STAGE_STARTING)
        return qemuMigrationRemoveIncoming(m);
    if (m->incoming || m->stage == QEMU_STAGE_TRANSFERRED || status == QEMU_MIGRATION_COMPLETED)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': migration %s had moved all of it when it was left: whether it runs at "
                              "the other side is not known here. End the copy that is not wanted with virDomainDestroy", m->vm->name, m->uuid);
    if (m->stage == QEMU_STAGE_BEGUN || status == QEMU_MIGRATION_FAILED || status == QEMU_MIGRATION_CANCELLED
        || (status == QEMU_MIGRATION_NONE && m->stage == QEMU_STAGE_BROKEN))
        return qemuMigrationStayDropped(m);
    return qemuMigrationCancel(m->vm, m);
}

/* QEMU has told something: if that ends the transfer of one that was aborted and has nobody else, it is over. */
static void
qemuMigrationSettleDropped(struct qemuMigration *m)
{
    int status = atomic_load(&qemuDomainPeek(m->vm)->migrationStatus);

    if (m->incoming || !atomic_load(&m->dropped) || !atomic_load(&m->aborted)
        || (status != QEMU_MIGRATION_CANCELLED && status != QEMU_MIGRATION_FAILED) || pthread_mutex_trylock(&m->lock) != 0)
        return;                       /* whoever has the lock looks again when it is free */
    if (!qemuMigrationIsOver(m) && m->stage != QEMU_STAGE_TRANSFERRED && qemuMigrationStayDropped(m) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' does not go on: %s", m->uuid, m->vm->name, virGetLastErrorMessage());
    pthread_mutex_unlock(&m->lock);
}

VIRT_INTERNAL int
qemuMigrationAbortJob(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct qemuMigration *m;
    int rc;

    virCheckFlags(0, -1);
    if (vm == NULL)
        return -1;
    if ((m = qemuMigrationOf(vm)) == NULL && virDomainObjIsHeld(vm))
        return qemuMigrationSettleAgain(vm, "virDomainAbortJob");
    if (m == NULL)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no job that could be aborted", vm->name);
    if (atomic_load(&m->dropped)) {
        pthread_mutex_lock(&m->lock);
        rc = qemuMigrationAbortDropped(m);
        pthread_mutex_unlock(&m->lock);
        qemuMigrationSettleDropped(m);                /* its end may have come meanwhile */
    } else {
        rc = qemuMigrationCancel(vm, m);
    }
    qemuMigrationPut(m);
    return rc;
}

/* ---------- what the runtime calls ---------- */

static void
qemuMigrationOnEvent(struct virDomainObj *vm, const char *event, const cJSON *data)
{
    struct qemuMigration *m = qemuMigrationOf(vm);

    (void)event;
    (void)data;
    if (m != NULL)
        qemuMigrationSettleDropped(m);
    qemuMigrationPut(m);
    qemuMigrationWake(vm);
}

/* Its QEMU has ended, by itself, by destroy, or by us. The job is given back: what is left of the migration needs no guest. */
static void
qemuMigrationOnStopped(struct virDomainObj *vm, int reason)
{
    struct qemuMigration *m = qemuMigrationOf(vm);

    (void)reason;
    bool leaving = m != NULL && atomic_load(&m->stage) == QEMU_STAGE_TRANSFERRED && !atomic_load(&m->dropped);

    if (m != NULL)
        atomic_store(&m->ended, true);
    qemuMigrationWake(vm);
    if (m != NULL)
        qemuMigrationEndDropped(m);
    qemuMigrationPut(m);
    if (!leaving)                     /* the guest may run at the destination: Confirm lets go of its name here */
        virDomainObjEndMigration(vm);
}

VIRT_INTERNAL const struct qemuMigrationHooks qemuMigrationHooks = {
    .event = qemuMigrationOnEvent,
    .stopped = qemuMigrationOnStopped,
    .reconnected = qemuMigrationReconnected,
};

#undef QEMU_MIGRATE_FLAGS
#undef VIRT_FROM
