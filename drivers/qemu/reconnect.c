/*
 * A state directory is opened: which of its guests still run?
 *
 * A process is believed to be a guest's when its pid and start time are the recorded ones, of this
 * boot of the host, and when the monitor at the guest's socket tells the guest's uuid. One that
 * does not answer (stopped, or busy with its storage) is believed if its command line has the uuid;
 * it stays listed as it was last known, and is asked again whenever somebody needs it. Asking all
 * at once and waiting once keeps a hung guest from delaying the others.
 */
#include "process.h"
#include "command.h"
#include "hooks.h"
#include "migration.h"
#include "state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_RECONNECT_DEADLINE 3000        /* ms, for all guests together */

/* One guest that may still run, between question and answer. */
struct qemuReconnectGuest {
    struct qemuReconnectGuest *next;
    struct virDomainObj *vm;
    struct qemuMonitor *mon;          /* NULL: nobody is there */
    struct qemuStatus status;
    qemuMonitorId uuid, state;
};

struct qemuReconnect {
    struct qemuHost *host;
    struct qemuReconnectGuest *guests;
};

static void
qemuReconnectWarn(const char *name, const char *what)
{
    virLog(VIR_LOG_WARN, "qemu.reconnect", "domain '%s': %s", name, what);
    virResetLastError();
}

/* ---- guests that are gone ---- */

/*
 * QEMU removes its pid file when it ends in good order: where it is still there, QEMU was killed or
 * has crashed.
 */
static int
qemuReconnectReason(struct qemuHost *host, const struct qemuStatus *status)
{
    VIRT_CLEANUP_FREE char *pidFile = qemuStatePath(host->run, status->name, ".pid");

    if (!status->sameBoot)
        return VIR_DOMAIN_SHUTOFF_UNKNOWN;
    if (status->starting)
        return VIR_DOMAIN_SHUTOFF_FAILED;
    if (status->state == VIR_DOMAIN_CRASHED || (pidFile != NULL && access(pidFile, F_OK) == 0))
        return VIR_DOMAIN_SHUTOFF_CRASHED;
    return VIR_DOMAIN_SHUTOFF_SHUTDOWN;
}

static void
qemuReconnectGone(struct qemuHost *host, const struct qemuStatus *status, const unsigned char *uuid)
{
    int reason = qemuReconnectReason(host, status);
    struct virDomainObj *vm = virDomainListFindUuid(host->domains, uuid);
    VIRT_CLEANUP_FREE char *xml = qemuHooksPresent(host) ? virXmlFormat(status->doc) : NULL;

    virLog(VIR_LOG_INFO, "qemu.reconnect", "domain '%s' has ended meanwhile", status->name);
    for (size_t i = 0; i < status->nhelpers; i++)
        if (status->sameBoot)
            virProcessSignal(&status->helpers[i], SIGTERM);
    if (xml != NULL && (qemuHooksRun(host, status->name, "stopped", "end", "crashed", xml, NULL) < 0
                        || qemuHooksRun(host, status->name, "release", "end", "crashed", xml, NULL) < 0))
        qemuReconnectWarn(status->name, virGetLastErrorMessage());
    qemuDevicesRelease(status->doc);
    qemuStateForget(host, status->name, uuid);
    if (vm != NULL) {
        virDomainObjSetState(vm, VIR_DOMAIN_SHUTOFF, reason);
        virDomainObjUnref(vm);
    }
}

/* ---- guests that may run ---- */

/*
 * Puts the guest into the list as its status has it, and asks. Takes the contents of status over.
 */
static int
qemuReconnectAsk(struct qemuReconnect *all, struct qemuStatus *status)
{
    struct qemuReconnectGuest *guest = virAllocate(sizeof(*guest));
    VIRT_CLEANUP_FREE char *path = NULL;
    struct qemuDomain *priv;
    bool isNew;

    if (guest == NULL)
        return -1;
    if ((guest->vm = virDomainListAdd(all->host->domains, status->doc, VIR_DOMAIN_ADD_CREATE,
                                      "open", &isNew)) == NULL) {
        free(guest);
        return -1;
    }
    if ((priv = qemuDomainOf(guest->vm)) == NULL
        || (path = qemuStateMonitorPath(all->host, guest->vm->name, guest->vm->uuid)) == NULL
        || virDomainObjStarted(guest->vm, status->doc, status->id, status->state, status->reason) < 0) {
        if (isNew)
            virDomainListRemove(all->host->domains, guest->vm);
        virDomainObjEndJob(guest->vm);
        virDomainObjUnref(guest->vm);
        free(guest);
        return -1;
    }
    virDomainListReserveId(all->host->domains, status->id);
    guest->status = *status;
    memset(status, 0, sizeof(*status));
    status = &guest->status;
    guest->next = all->guests;
    all->guests = guest;

    pthread_mutex_lock(&priv->lock);
    priv->process = status->process;
    priv->helpers = status->helpers;
    priv->nhelpers = status->nhelpers;
    priv->incoming = status->incoming;
    priv->leaseEpoch = status->leaseEpoch;
    priv->announced = true;
    priv->phase = QEMU_PHASE_RUNNING;
    pthread_mutex_unlock(&priv->lock);
    status->helpers = NULL;
    atomic_store(&priv->pid, (int)status->process.pid);
    if ((guest->mon = qemuMonitorOpen(path, guest->vm->name, qemuEventDispatch, virDomainObjRef(guest->vm),
                                      virDomainObjUnref)) != NULL) {
        guest->uuid = qemuMonitorSend(guest->mon, "query-uuid", NULL, false);
        guest->state = qemuMonitorSend(guest->mon, "query-status", NULL, false);
    } else {
        qemuReconnectWarn(guest->vm->name, virGetLastErrorMessage());
    }
    return 0;
}

static int
qemuReconnectVisit(const char *name, void *opaque)
{
    struct qemuReconnect *all = opaque;
    unsigned char uuid[VIR_UUID_BUFLEN];
    struct qemuStatus status;

    if (qemuStateLoadStatus(all->host, name, &status) < 0 || virXmlUuid(virXmlRoot(status.doc),
                                                                        "uuid", uuid) <= 0) {
        qemuReconnectWarn(name, virGetLastErrorMessage());
        return 0;                     /* if it runs, its socket says so */
    }
    if (!status.sameBoot || !virProcessIsAlive(&status.process))
        qemuReconnectGone(all->host, &status, uuid);
    else if (qemuReconnectAsk(all, &status) < 0)
        qemuReconnectWarn(name, virGetLastErrorMessage());
    qemuStatusFree(&status);
    return 0;
}

/* Whether the process was started for this uuid, by its command line. */
static bool
qemuReconnectHasUuid(const struct virProcess *process, const unsigned char *uuid)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("/proc/%d/cmdline", (int)process->pid);
    VIRT_CLEANUP_FREE char *line = NULL;
    char text[VIR_UUID_STRING_BUFLEN];
    size_t length = 0;

    if (path == NULL || (line = virFileRead(path, 4u * 1024 * 1024, &length)) == NULL)
        return true;                  /* pid, start time and boot are the guest's: not being able to look does not make it another's */
    virUuidFormat(uuid, text);
    return memmem(line, length, text, strlen(text)) != NULL;
}

/* 1: it is the guest; 0: somebody else; -1: no answer. */
static int
qemuReconnectCheckUuid(struct qemuReconnectGuest *guest, unsigned long long end)
{
    VIRT_CLEANUP_JSON cJSON *reply = NULL;
    unsigned long long now = virTimeNowUs();
    unsigned char uuid[VIR_UUID_BUFLEN];
    int timeout = now < end ? (int)((end - now) / 1000) : 0;
    const char *text;

    if (guest->mon == NULL || guest->uuid == 0 || qemuMonitorNegotiate(guest->mon, timeout) <= 0
        || qemuMonitorReceive(guest->mon, guest->uuid, timeout, &reply) <= 0)
        return -1;
    text = virJsonString(reply, "UUID");
    return text != NULL && virUuidParse(text, uuid) == 0 && memcmp(uuid, guest->vm->uuid,
                                                                   VIR_UUID_BUFLEN) == 0;
}

/* What QEMU's run state says, where it differs from what was recorded. */
static void
qemuReconnectSetState(struct virDomainObj *vm, const char *status)
{
    static const struct { const char *name; int state, reason; } states[] = {
        { "running", VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED },
        { "paused", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN },
        { "prelaunch", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN },
        { "debug", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN },
        { "internal-error", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN },
        { "io-error", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR },
        { "watchdog", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG },
        { "save-vm", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE },
        { "restore-vm", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_FROM_SNAPSHOT },
        { "inmigrate", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION },
        { "postmigrate", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION },
        { "finish-migrate", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION },
        { "guest-panicked", VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED },
        { "shutdown", VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_UNKNOWN },
        { "suspended", VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN },
    };

    for (size_t i = 0; status != NULL && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i].name, status) == 0 && vm->state != states[i].state)
            virDomainObjSetState(vm, states[i].state, states[i].reason);
    }
}

/*
 * It is not the guest, or was never finished: the record goes, and, if it is ours, the process too.
 */
static void
qemuReconnectEnd(struct qemuReconnectGuest *guest, bool ours)
{
    struct qemuDomain *priv = qemuDomainPeek(guest->vm);

    pthread_mutex_lock(&priv->lock);
    priv->announced = false;
    if (!ours)
        memset(&priv->process, 0, sizeof(priv->process));
    pthread_mutex_unlock(&priv->lock);
    qemuProcessStop(guest->vm, ours ? VIR_DOMAIN_SHUTOFF_FAILED : VIR_DOMAIN_SHUTOFF_UNKNOWN,
                    ours ? QEMU_PROCESS_STOP_KILL : 0);
}

static void
qemuReconnectSettle(struct qemuHost *host, struct qemuReconnectGuest *guest, unsigned long long end)
{
    struct virDomainObj *vm = guest->vm;
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_JSON cJSON *reply = NULL;
    VIRT_CLEANUP_FREE char *xml = NULL;
    int believed = qemuReconnectCheckUuid(guest, end);

    virResetLastError();
    if (guest->mon != NULL) {
        pthread_mutex_lock(&priv->lock);
        if (priv->phase == QEMU_PHASE_RUNNING && believed != 0)
            priv->monitor = qemuMonitorRef(guest->mon);
        pthread_mutex_unlock(&priv->lock);
        if (priv->monitor != NULL && !qemuMonitorIsWatched(guest->mon))
            atomic_store(&priv->monitorFd, qemuMonitorSocket(guest->mon));
    }
    if (believed == 0 || (believed < 0 && !qemuReconnectHasUuid(&priv->process, vm->uuid))) {
        qemuReconnectWarn(vm->name, "its process is not the one that was recorded");
        if (guest->mon != NULL)
            qemuMonitorClose(guest->mon);
        qemuReconnectEnd(guest, false);
        return;
    }
    if ((guest->status.starting && !guest->status.incoming) || (guest->status.incoming && host->migration == NULL)) {
        qemuReconnectWarn(vm->name, "its start was never finished: it is ended");
        qemuReconnectEnd(guest, true);
        return;
    }
    if (believed > 0 && qemuMonitorReceive(guest->mon, guest->state, 1000, &reply) > 0)
        qemuReconnectSetState(vm, virJsonString(reply, "status"));
    if (vm->state == VIR_DOMAIN_SHUTDOWN) {
        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_SHUTDOWN, 0);
        return;
    }
    if (qemuHooksPresent(host) && (xml = virDomainObjText(vm, false)) != NULL
        && qemuHooksRun(host, vm->name, "reconnect", "begin", NULL, xml, NULL) < 0)
        qemuReconnectWarn(vm->name, virGetLastErrorMessage());
    if (qemuStateSaveStatus(vm, false) < 0)
        qemuReconnectWarn(vm->name, virGetLastErrorMessage());
    virResetLastError();
}

/*
 * A guest whose monitor could not be reached when the directory was opened, or was lost since: it is tried again when somebody needs it,
 * once a second at most. That its QEMU has ended meanwhile is noticed here as well. A new reference, or NULL with the error set.
 */
VIRT_INTERNAL struct qemuMonitor *
qemuReconnectMonitor(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_FREE char *path = qemuStateMonitorPath(priv->host, vm->name, vm->uuid);
    struct qemuReconnectGuest guest = { .vm = vm };
    struct virProcess process;
    bool tooSoon;

    pthread_mutex_lock(&priv->lock);
    process = priv->process;
    tooSoon = virTimeNowUs() < priv->monitorRetry;
    if (!tooSoon)                      /* or whoever asks again and again would never be let through */
        priv->monitorRetry = virTimeNowUs() + 1000000;
    pthread_mutex_unlock(&priv->lock);
    if (process.pid > 0 && !virProcessIsAlive(&process)) {
        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_CRASHED, QEMU_PROCESS_STOP_NOWAIT);
        virDomainObjReportInactive(vm);
        return NULL;
    }
    if (tooSoon) {
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': its monitor does not answer", vm->name);
        return NULL;
    }
    if (path == NULL || (guest.mon = qemuMonitorOpen(path, vm->name, qemuEventDispatch, virDomainObjRef(vm),
                                                     virDomainObjUnref)) == NULL)
        return NULL;
    guest.uuid = qemuMonitorSend(guest.mon, "query-uuid", NULL, false);
    if (qemuReconnectCheckUuid(&guest, virTimeNowUs() + 1000000) <= 0) {
        qemuMonitorClose(guest.mon);
        qemuMonitorUnref(guest.mon);
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': its monitor does not answer", vm->name);
        return NULL;
    }
    pthread_mutex_lock(&priv->lock);
    priv->monitorRetry = 0;
    if (priv->monitor == NULL && priv->phase == QEMU_PHASE_RUNNING) {
        priv->monitor = qemuMonitorRef(guest.mon);
        atomic_store(&priv->monitorFd, qemuMonitorIsWatched(guest.mon) ? -1 : qemuMonitorSocket(guest.mon));
    }
    pthread_mutex_unlock(&priv->lock);
    return guest.mon;
}

/* ---- starts that were never recorded ---- */

/* A socket without a guest: a QEMU behind it is told to quit. */
static int
qemuReconnectOrphan(const char *name, void *opaque)
{
    struct qemuReconnect *all = opaque;
    struct virDomainObj *vm = virDomainListFindName(all->host->domains, name);
    VIRT_CLEANUP_FREE char *path = qemuStatePath(all->host->run, name, ".monitor");
    VIRT_CLEANUP_FREE char *status = qemuStatePath(all->host->run, name, ".xml");
    unsigned char uuid[VIR_UUID_BUFLEN] = { 0 };
    struct qemuMonitor *mon;

    if (vm == NULL && virUuidParse(name, uuid) == 0)
        vm = virDomainListFindUuid(all->host->domains, uuid);
    if (vm != NULL && vm->id >= 0) {
        virDomainObjUnref(vm);
        return 0;
    }
    virDomainObjUnref(vm);
    if (path == NULL || status == NULL || access(status, F_OK) == 0)
        return 0;                     /* one with a status is a guest, even if the status could not be used just now */
    if ((mon = qemuMonitorOpen(path, name, NULL, NULL, NULL)) != NULL) {
        qemuReconnectWarn(name, "a start of it was never recorded: it is ended");
        if (qemuMonitorNegotiate(mon, 2000) > 0)
            qemuMonitorReceive(mon, qemuMonitorSend(mon, "quit", NULL, false), 2000, NULL);
        qemuMonitorClose(mon);
        qemuMonitorUnref(mon);
    }
    virResetLastError();
    qemuStateForget(all->host, name, uuid);
    return 0;
}

/* ---- sockets of migrations that are over ---- */

/* A copy that still waits for its memory listens there; it cannot be tried out, since QEMU takes whoever connects for the source. */
static int
qemuReconnectSocketVisit(const char *name, void *opaque)
{
    struct qemuHost *host = opaque;
    VIRT_CLEANUP_FREE char *path = qemuStatePath(host->run, name, ".migrate");

    if (!qemuMigrationIsComing(host, name) && path != NULL && unlink(path) < 0)
        qemuReconnectWarn(name, "the socket of its migration cannot be removed");
    return 0;
}

VIRT_INTERNAL void
qemuProcessReconnectAll(struct qemuHost *host)
{
    unsigned long long end = virTimeNowUs() + QEMU_RECONNECT_DEADLINE * 1000ull;
    struct qemuReconnect all = { host, NULL };
    struct qemuReconnectGuest *guest;

    qemuStateEachStatus(host, ".xml", qemuReconnectVisit, &all);
    for (guest = all.guests; guest != NULL; guest = guest->next)
        qemuReconnectSettle(host, guest, end);
    qemuStateEachStatus(host, ".monitor", qemuReconnectOrphan, &all);
    while ((guest = all.guests) != NULL) {
        all.guests = guest->next;
        virDomainObjEndJob(guest->vm);
        qemuMonitorUnref(guest->mon);
        virDomainObjUnref(guest->vm);
        qemuStatusFree(&guest->status);
        free(guest);
    }
    if (host->migration != NULL && host->migration->opened != NULL)
        host->migration->opened(host);
    qemuStateEachStatus(host, ".migrate", qemuReconnectSocketVisit, host);
    virResetLastError();
}

#undef QEMU_RECONNECT_DEADLINE
#undef VIRT_FROM
