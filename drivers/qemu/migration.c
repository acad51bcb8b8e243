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
#include "storage.h"

#include "../common/migrate_flags.h"
#include "../common/params.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_FLAGS                                                                                      \
    (VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_PAUSED |             \
     VIR_MIGRATE_CHANGE_PROTECTION | VIR_MIGRATE_UNSAFE | VIR_MIGRATE_OFFLINE | VIR_MIGRATE_COMPRESSED |          \
     VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_AUTO_CONVERGE | VIR_MIGRATE_PARALLEL | VIR_MIGRATE_ZEROCOPY |        \
     VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_POSTCOPY_RESUME | VIR_MIGRATE_TLS | VIR_MIGRATE_NON_SHARED_DISK |      \
     VIR_MIGRATE_NON_SHARED_INC | VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES)

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
    struct virMigrateFlagsText text;

    if (qemuStorageCheckCall(call) < 0)
        return -1;
    if ((flags & ~(unsigned int)QEMU_MIGRATE_FLAGS) != 0)
        return virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED, "the QEMU driver does not support migration flags %s",
                              virMigrateFlagsText(flags & ~(unsigned int)QEMU_MIGRATE_FLAGS, &text));
    if ((flags & VIR_MIGRATE_OFFLINE) != 0 && (flags & VIR_MIGRATE_PERSIST_DEST) == 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "an offline migration moves the persistent document: it needs VIR_MIGRATE_PERSIST_DEST");
    return qemuMigrationCheckParameters(call);
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

VIRT_INTERNAL int
qemuMigrationSendStream(struct qemuMigration *m, struct qemuMonitor *mon, int fd)
{
    qemuMonitorId id;

    if (m->npending == sizeof(m->pending) / sizeof(m->pending[0]))
        return virReportError(VIR_ERR_INTERNAL_ERROR, "too many commands under way");
    if ((id = qemuMonitorSendFd(mon, QEMU_MIGRATION_STREAM_NAME, fd)) == 0)
        return -1;
    m->pending[m->npending++] = id;
    return 0;
}

/* All replies: 1; not all within timeout ms: 0; a command was refused: -1, and the replies to those behind it are dropped. */
VIRT_INTERNAL int
qemuMigrationCollect(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    const unsigned long long end = qemuMigrationUntil(timeout);
    int rc = 1;

    while (rc > 0 && m->npending > 0) {
        if ((rc = qemuMonitorReceive(mon, m->pending[0], qemuMigrationLeft(end, -1), NULL)) == 0)
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

/* Milliseconds left until `end` (us; 0: no end), at most `most` (-1: so many there are; without an end -1, for ever). */
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

/*
 * Between two rounds of a phase that has not come to its end: whether there is to be another. One that ends before its time has no monitor to wait
 * at: whoever goes on at once would only spin.
 */
VIRT_INTERNAL bool
qemuMigrationAgain(unsigned long long end)
{
    const int left = qemuMigrationLeft(end, 10);

    if (left > 0)
        poll(NULL, 0, left);
    return end == 0;
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

/*
 * What becomes readable when there is something to step for: the monitor's descriptor alone would not do, as any other thread may read what has come
 * there; what it told of the migration is written to `wake`, which only the next step empties. Stays the same from call to call. -1: none.
 */
static int
qemuMigrationWaitFd(struct qemuMigration *m, int monitor)
{
    const int fds[] = { monitor, m->wake };

    pthread_mutex_lock(&m->host->lock);
    if (m->wait < 0 && m->wake >= 0)
        m->wait = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; m->wait >= 0 && i < 2; i++) {
        struct epoll_event readable = { .events = EPOLLIN };

        if (fds[i] >= 0 && epoll_ctl(m->wait, EPOLL_CTL_ADD, fds[i], &readable) < 0 && errno != EEXIST)
            virLog(VIR_LOG_WARN, "qemu.migration", "%s: epoll: errno %d", m->uuid, errno);
    }
    pthread_mutex_unlock(&m->host->lock);
    return m->wait >= 0 ? m->wait : monitor;
}

VIRT_INTERNAL int
qemuMigrationWait(virConnectPtr conn, const struct virMigrationCall *call, int *fd, int *events, int *milliseconds)
{
    struct qemuHost *host = qemuHostOf(conn);
    struct qemuMigration *m;
    struct virDomainObj *vm;
    struct qemuDomain *priv;

    *milliseconds = (call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0 ? 100 : 0;
    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL && (strcmp(m->uuid, call->uuid) != 0 || qemuMigrationIsOver(m)); m = m->next)
        ;
    if (m != NULL)
        m->users++;
    vm = m != NULL ? m->vm : NULL;
    pthread_mutex_unlock(&host->lock);
    if (vm != NULL && (priv = qemuDomainPeek(vm)) != NULL) {
        pthread_mutex_lock(&priv->lock);
        if (priv->monitor != NULL && (*fd = qemuMigrationWaitFd(m, qemuMonitorGetFd(priv->monitor))) >= 0) {
            *events = VIR_EVENT_HANDLE_READABLE;
            /*
             * An abort of Perform is heard here; of the others, when this is over. A reply may be read by another thread, who knows nothing of whom
             * it is for.
             */
            *milliseconds = m->incoming || atomic_load(&m->asking) != 0 || atomic_load(&m->npending) > 0 || atomic_load(&m->askingJobs) != 0
                                ? 100 : 1000;
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
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is in post-copy: an abort would destroy it (VIR_DOMAIN_ABORT_JOB_POSTCOPY "
                            "interrupts it)", vm->name);
    } else {
        atomic_store(&m->aborted, true);
        rc = qemuMonitorPost(mon, "migrate_cancel", NULL);
        qemuMigrationWake(vm);
    }
    qemuMonitorUnref(mon);
    return rc;
}

/* ---------- migrations that nobody steps ---------- */

/*
 * Its QEMU has ended, and nobody steps it. Where the destination may have all of it, or whoever goes on with it still has to be told what became
 * of it, it stays; but a guest that its user has destroyed is what the user has decided.
 */
static void
qemuMigrationEndDropped(struct qemuMigration *m, bool destroyed)
{
    virErrorPtr error;
    bool undecided;

    if (!atomic_load(&m->dropped) || !atomic_load(&m->ended) || pthread_mutex_trylock(&m->lock) != 0)
        return;                       /* who has the lock is at work on its end */
    undecided = !m->incoming && (m->stage == QEMU_STAGE_TRANSFERRED || (m->stage == QEMU_STAGE_TRANSFER && !atomic_load(&m->ownAgain)));
    if (!qemuMigrationIsOver(m) && m->incoming && !atomic_load(&m->ownAgain)) {
        /* with it go its images, its definition and its lease; what cannot go now, the sweep asks for again */
        error = virSaveLastError();
        virResetLastError();
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the QEMU that received it has ended", m->name);
        qemuMigrationFailed(m);
        qemuMigrationRemoveIncoming(m, 0);
        virRestoreLastError(error);
    } else if (!qemuMigrationIsOver(m) && m->stage == QEMU_STAGE_LEAVING) {
        qemuMigrationLeave(m, 0);     /* with its document, if that was asked for */
    } else if (!qemuMigrationIsOver(m) && (destroyed || !undecided)) {
        qemuMigrationEnd(m, m->incoming ? (m->stage != QEMU_STAGE_REMOVING ? QEMU_STAGE_STARTED : QEMU_STAGE_REMOVED) : QEMU_STAGE_LOST);
    }
    pthread_mutex_unlock(&m->lock);
}

VIRT_INTERNAL int
qemuMigrationDrop(virConnectPtr conn, const struct virMigrationCall *call)
{
    struct qemuHost *host = qemuHostOf(conn);
    struct qemuMigration *m;

    if (qemuMigrationCheckOwn(host, call) < 0)
        return -1;
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
            qemuMigrationEndDropped(m, false);
        qemuMigrationPut(m);
    }
    return 0;
}

/* The transfer has ended badly, or never began: the guest goes on here. Nothing waits: this is also called when an event is delivered. */
VIRT_INTERNAL int
qemuMigrationStayDropped(struct qemuMigration *m)
{
    bool touched = m->sent || m->pausedByUs;
    struct qemuMonitor *mon;
    int rc = 0;

    if (atomic_load(&m->ended) || m->vm == NULL) {
        qemuMigrationEnd(m, QEMU_STAGE_LOST);
        return 0;
    }
    if (qemuMigrationEnter(m, QEMU_STAGE_RESUMING) < 0)
        return -1;
    if (m->sent && (rc = qemuMigrationKeepLease(m, qemuMigrationUntil(0))) <= 0) {
        if (rc < 0)
            qemuMigrationEnd(m, QEMU_STAGE_LOST);
        return rc < 0 ? 0 : virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': whose lease it is, is not known", m->name);
    }
    if (m->copying && (mon = qemuDomainMonitor(m->vm)) != NULL) {
        qemuStorageAbandon(m, mon);
        qemuMonitorUnref(mon);
    }
    if (touched && !m->wasRunning) {
        virDomainObjSetState(m->vm, m->state, m->reason);
    } else if (touched && atomic_load(&m->vm->state) != VIR_DOMAIN_RUNNING) {
        if ((mon = qemuDomainMonitor(m->vm)) == NULL)
            return -1;
        atomic_store(&qemuDomainPeek(m->vm)->resumeReason, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
        rc = qemuMonitorPost(mon, "cont", NULL);
        qemuMonitorUnref(mon);
    }
    if (rc < 0)
        return -1;
    qemuMigrationEnd(m, QEMU_STAGE_STAYED);
    return 0;
}

/* A destination whose copy is not known to be incomplete may be the only one: not removed. */
static int
qemuMigrationReportUndecided(struct qemuMigration *m)
{
    if (m->vm != NULL && virDomainObjIsHeld(m->vm))
        return virDomainObjReportHeld(m->vm, "virDomainAbortJob");
    return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': migration %s had moved all of it when it was left: whether it runs at "
                          "the other side is not known here. End the copy that is not wanted with virDomainDestroy", m->name, m->uuid);
}

/* Ends one as far as that can be done without the other side; with its lock held. 0: it is over, or will be when QEMU has cancelled it. */
VIRT_INTERNAL int
qemuMigrationAbortDropped(struct qemuMigration *m)
{
    int status = m->vm != NULL && qemuDomainPeek(m->vm) != NULL ? atomic_load(&qemuDomainPeek(m->vm)->migrationStatus) : QEMU_MIGRATION_NONE;

    if (qemuMigrationIsOver(m))
        return 0;
    if (m->incoming && m->stage != QEMU_STAGE_STARTING)
        return qemuMigrationRemoveIncoming(m, 0);
    if (m->incoming || m->stage == QEMU_STAGE_LEAVING)
        return qemuMigrationReportUndecided(m);
    if (atomic_load(&m->ended)) {     /* whoever says this knows that it can be let go of here */
        qemuMigrationEnd(m, QEMU_STAGE_LOST);
        return 0;
    }
    if (m->stage == QEMU_STAGE_TRANSFERRED || status == QEMU_MIGRATION_COMPLETED)
        return qemuMigrationReportUndecided(m);
    if (!m->sent || status == QEMU_MIGRATION_FAILED || status == QEMU_MIGRATION_CANCELLED
        || (status == QEMU_MIGRATION_NONE && m->stage != QEMU_STAGE_TRANSFER))
        return qemuMigrationStayDropped(m);
    return qemuMigrationCancel(m->vm, m);
}

/* QEMU has told something: if that ends the transfer of one that was aborted and has nobody else, it is over. */
VIRT_INTERNAL void
qemuMigrationSettleDropped(struct qemuMigration *m)
{
    int status = atomic_load(&qemuDomainPeek(m->vm)->migrationStatus);

    if (m->incoming || !atomic_load(&m->dropped) || !atomic_load(&m->aborted)
        || (status != QEMU_MIGRATION_CANCELLED && status != QEMU_MIGRATION_FAILED) || pthread_mutex_trylock(&m->lock) != 0)
        return;                       /* whoever has the lock looks again when it is free */
    if (!qemuMigrationIsOver(m) && m->stage != QEMU_STAGE_TRANSFERRED && m->stage != QEMU_STAGE_LEAVING && qemuMigrationStayDropped(m) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' does not go on: %s", m->uuid, m->vm->name, virGetLastErrorMessage());
    pthread_mutex_unlock(&m->lock);
}

/* One that was found again may not have been asked how it stands, or not have answered. */
static int
qemuMigrationAbortFound(struct qemuMigration *m)
{
    if (m->unknown && !m->incoming && qemuMigrationSettleSource(m) < 0)
        return virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': its QEMU does not say how migration %s stands", m->name, m->uuid);
    return qemuMigrationAbortDropped(m);
}

VIRT_INTERNAL int
qemuMigrationAbortJob(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct qemuMigration *m;
    int rc;

    virCheckFlags(VIR_DOMAIN_ABORT_JOB_POSTCOPY, -1);
    if (vm == NULL)
        return -1;
    if ((m = qemuMigrationOf(vm)) != NULL && (flags & VIR_DOMAIN_ABORT_JOB_POSTCOPY) != 0) {
        rc = qemuPostcopyInterrupt(vm, m);
        qemuMigrationPut(m);
        return rc;
    }
    if (m == NULL && virDomainObjIsHeld(vm))
        return virDomainObjReportHeld(vm, "virDomainAbortJob");
    if (m == NULL)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no job that could be aborted", vm->name);
    if (atomic_load(&m->dropped)) {
        pthread_mutex_lock(&m->lock);
        rc = qemuMigrationAbortFound(m);
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
    qemuPostcopyUpdate(vm);
    if (m != NULL)
        qemuMigrationSettleDropped(m);
    qemuMigrationPut(m);
    qemuMigrationWake(vm);
}

/* Its QEMU has ended, by itself, by destroy, or by us. The job is given back, unless the guest may be, or go on, at the destination. */
static void
qemuMigrationOnStopped(struct virDomainObj *vm, int reason)
{
    struct qemuMigration *m = qemuMigrationOf(vm);
    int stage = m != NULL ? atomic_load(&m->stage) : 0, status = atomic_load(&qemuDomainPeek(vm)->migrationStatus);
    bool runs = atomic_load(&vm->state) == VIR_DOMAIN_RUNNING, destroyed = reason == VIR_DOMAIN_SHUTOFF_DESTROYED, keeps = false;

    if (m != NULL) {
        if (m->incoming ? stage == QEMU_STAGE_STARTING && runs
                        : status == QEMU_MIGRATION_CANCELLED || status == QEMU_MIGRATION_FAILED || (runs && m->stopped != 0))
            atomic_store(&m->ownAgain, true);
        keeps = !m->incoming && (stage == QEMU_STAGE_TRANSFERRED || (stage == QEMU_STAGE_TRANSFER && !atomic_load(&m->ownAgain)))
                && !(destroyed && atomic_load(&m->dropped));
        atomic_store(&m->ended, true);
    }
    qemuPostcopyKeep(qemuDomainPeek(vm), NULL, NULL, NULL);
    qemuMigrationWake(vm);
    if (m != NULL)
        qemuMigrationEndDropped(m, destroyed);
    qemuMigrationPut(m);
    if (!keeps)                       /* else Confirm lets go of its name here */
        virDomainObjEndMigration(vm);
}

VIRT_INTERNAL const struct qemuMigrationHooks qemuMigrationHooks = {
    .event = qemuMigrationOnEvent,
    .stopped = qemuMigrationOnStopped,
    .opened = qemuMigrationOpened,
};

#undef QEMU_MIGRATE_FLAGS
#undef VIRT_FROM
