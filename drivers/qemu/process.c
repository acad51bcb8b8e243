/*
 * From a document to a running QEMU, and to its end. See process.h.
 *
 * The time of a start is QEMU's own: everything else is done before the program is spawned, or
 * while it starts. The socket of the monitor is listened on first, QEMU inherits it, and we are
 * connected to it, with all that is to be asked already written, before QEMU runs.
 */
#include "process.h"
#include "command.h"
#include "hooks.h"
#include "lease.h"
#include "state.h"

#include "../common/document.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/*
 * How long QEMU may take to end in good order before it is killed, and if it may not be killed
 * (ms).
 */
#define QEMU_PROCESS_GRACE    2000
#define QEMU_PROCESS_GRACEFUL 15000
#define QEMU_PROCESS_KILLED   30000
/* A log longer than this is begun anew at the next start. */
#define QEMU_PROCESS_LOG_SIZE (4 * 1024 * 1024)

/* ---- the log ---- */

static char *
qemuProcessLogPath(struct virDomainObj *vm)
{
    return qemuStatePath(qemuDomainPeek(vm)->host->log, vm->name, ".log");
}

/*
 * The guest's log, with the command line written to it. The descriptor is for QEMU's stdout and
 * stderr.
 */
static int
qemuProcessOpenLog(struct virDomainObj *vm, const struct qemuCommand *command, long long *offset)
{
    VIRT_CLEANUP_FREE char *path = qemuProcessLogPath(vm);
    VIRT_CLEANUP_FREE char *line = NULL;
    struct virText text = { 0 };
    char date[32] = "";
    time_t now = time(NULL);
    struct tm parts;
    struct stat info;
    int fd;

    if (path == NULL)
        return -1;
    if ((fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        return virReportSystemError(errno, "domain '%s': cannot open its log '%s'", vm->name, path);
    if (fstat(fd, &info) == 0 && info.st_size > QEMU_PROCESS_LOG_SIZE && ftruncate(fd, 0) < 0)
        virLog(VIR_LOG_WARN, "qemu.process", "cannot begin '%s' anew", path);
    if (gmtime_r(&now, &parts) != NULL)
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &parts);
    virTextAdd(&text, "%s+0000: starting", date);
    for (size_t i = 0; i < command->argc; i++)
        virTextAdd(&text, " %s", command->argv[i]);
    virTextAdd(&text, "\n");
    if ((line = virTextTake(&text)) == NULL || write(fd, line, strlen(line)) < 0) {
        if (line != NULL)
            virReportSystemError(errno, "domain '%s': cannot write its log '%s'", vm->name, path);
        close(fd);
        return -1;
    }
    *offset = lseek(fd, 0, SEEK_END);
    return fd;
}

VIRT_INTERNAL char *
qemuProcessLastWords(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_FREE char *path = priv != NULL ? qemuProcessLogPath(vm) : NULL;
    VIRT_CLEANUP_CLOSE int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[1024];
    struct stat info;
    off_t from;
    ssize_t length;

    if (fd < 0 || fstat(fd, &info) < 0)
        return NULL;
    from = info.st_size - (off_t)sizeof(text) + 1;
    if (from < priv->logOffset)
        from = priv->logOffset;
    if ((length = pread(fd, text, sizeof(text) - 1, from)) <= 0)
        return NULL;
    text[length] = '\0';
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    for (ssize_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    }
    return length > 0 ? strdup(text) : NULL;
}

/* ---- phases ---- */

/*
 * Lets the caller, who holds the job, begin a start: waits until an end that is under way is over.
 */
static void
qemuProcessBegin(struct qemuDomain *priv)
{
    pthread_mutex_lock(&priv->lock);
    while (priv->phase == QEMU_PHASE_STOPPING)
        pthread_cond_wait(&priv->changed, &priv->lock);
    priv->incoming = priv->announced = priv->shutdownSeen = false;
    priv->rebootWanted = priv->restarting = false;
    free(priv->crashed);
    free(priv->lastWords);
    priv->crashed = priv->lastWords = NULL;
    priv->autodestroy = NULL;
    pthread_mutex_unlock(&priv->lock);
    atomic_store(&priv->stopReason, -1);
    atomic_store(&priv->resumeReason, -1);
    qemuMigrationReset(priv);
}

static void
qemuProcessSetPhase(struct qemuDomain *priv, enum qemuPhase phase)
{
    pthread_mutex_lock(&priv->lock);
    priv->phase = phase;
    pthread_cond_broadcast(&priv->changed);
    pthread_mutex_unlock(&priv->lock);
}

/* ---- start: what QEMU is asked with the handshake ---- */

static int
qemuProcessAsk(struct qemuDomain *priv, const char *command, cJSON *args, qemuMonitorId *id)
{
    qemuMonitorId *more;

    if ((*id = qemuMonitorSend(priv->monitor, command, args, false)) == 0)
        return -1;
    if ((more = realloc(priv->startup, (priv->nstartup + 1) * sizeof(*more))) == NULL)
        return virReportNoMemory();
    priv->startup = more;
    priv->startup[priv->nstartup++] = *id;
    return 0;
}

/*
 * What becomes of QEMU when the guest powers off, reboots or panics. It ends by itself wherever the
 * document says destroy, so that no dead guest waits for a library that may not be there; else it
 * stops and waits for events.c.
 */
static cJSON *
qemuProcessActions(xmlDocPtr doc)
{
    xmlNodePtr root = virXmlRoot(doc);
    const char *poweroff = virXmlString(root, "on_poweroff"), *reboot = virXmlString(root, "on_reboot");
    const char *crash = virXmlString(root, "on_crash");
    bool ends = poweroff == NULL || strcmp(poweroff, "destroy") == 0;
    bool again = reboot == NULL || strcmp(reboot, "restart") == 0 || strcmp(reboot, "rename-restart") == 0;
    bool dies = crash == NULL || strcmp(crash, "destroy") == 0;

    if (!again && strcmp(reboot, "destroy") != 0)
        ends = false;                 /* preserve: the shutdown that a reboot becomes must not be the end */
    return virJsonObject("s:reboot", again ? "reset" : "shutdown", "s:shutdown", ends ? "poweroff" : "pause",
                         "s:panic", dies ? "shutdown" : "pause", NULL);
}

VIRT_INTERNAL void
qemuProcessReadDocument(xmlDocPtr doc)
{
    cJSON_Delete(qemuProcessActions(doc));
}

/*
 * Sends all that has to be known or set before the CPUs run. `qmp`: what the device builders have
 * left.
 */
static int
qemuProcessAskAll(struct qemuDomain *priv, xmlDocPtr doc, const cJSON *qmp)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");
    cJSON *actions = qemuProcessActions(doc);
    const cJSON *each;
    qemuMonitorId id;

    free(priv->startup);
    priv->startup = NULL;
    priv->nstartup = 0;
    priv->startupChardevs = priv->startupVnc = 0;
    if (actions == NULL || qemuMonitorPost(priv->monitor, "set-action", actions) < 0)
        return -1;
    cJSON_ArrayForEach(each, qmp) {
        cJSON *args = cJSON_Duplicate(virJsonGet(each, "arguments"), 1);

        if (qemuProcessAsk(priv, virJsonString(each, "execute"), args, &id) < 0)
            return -1;
    }
    VIRT_XML_EACH(device, devices, NULL) {
        if (virXmlEquals(device, "@type", "pty") && priv->startupChardevs == 0
            && qemuProcessAsk(priv, "query-chardev", NULL, &priv->startupChardevs) < 0)
            return -1;
        if (virXmlIs(device, "graphics") && virXmlEquals(device, "@type", "vnc") && priv->startupVnc == 0
            && qemuProcessAsk(priv, "query-vnc", NULL, &priv->startupVnc) < 0)
            return -1;
    }
    return 0;
}

/* ---- start: spawn ---- */

/* Hands the document to a hook; does nothing where there is no script. */
static int
qemuProcessHook(struct virDomainObj *vm, const char *operation, const char *sub, const char *extra,
                xmlDocPtr doc)
{
    struct qemuHost *host = qemuDomainPeek(vm)->host;
    VIRT_CLEANUP_FREE char *xml = NULL;

    if (!qemuHooksPresent(host))
        return 0;
    if (doc != NULL && (xml = virXmlFormat(doc)) == NULL)
        return -1;
    if (xml == NULL && (xml = virDomainObjText(vm, false)) == NULL)
        return -1;
    return qemuHooksRun(host, vm->name, operation, sub, extra, xml, NULL);
}

/* The same where nobody can be told that it failed. */
static void
qemuProcessHookQuietly(struct virDomainObj *vm, const char *operation, const char *sub,
                       const char *extra, xmlDocPtr doc)
{
    virErrorPtr error;

    if (!qemuHooksPresent(qemuDomainPeek(vm)->host))
        return;
    error = virSaveLastError();
    if (qemuProcessHook(vm, operation, sub, extra, doc) < 0)
        virLog(VIR_LOG_WARN, "qemu.process", "%s", virGetLastErrorMessage());
    virRestoreLastError(error);
}

/* Builds the command line, with its monitor on the socket at monitorPath, and connects to that. */
static int
qemuProcessBuild(struct virDomainObj *vm, struct qemuCommand *command, const struct qemuProcessStart *start,
                 const char *monitorPath, struct qemuMonitor **mon)
{
    struct qemuHost *host = qemuDomainPeek(vm)->host;
    VIRT_CLEANUP_FREE char *chardev = NULL;
    VIRT_CLEANUP_FREE char *pidFile = qemuStatePath(host->run, vm->name, ".pid");
    struct qemuCommandOptions options = { .incoming = start->incoming, .paused = true };
    int fd;

    if (pidFile == NULL || (fd = virFileListen(monitorPath, 1)) < 0)
        return -1;
    if (qemuCommandPassFd(command, fd) < 0
        || (chardev = virStringFormat("socket,id=monitor,fd=%d,server=on,wait=off", fd)) == NULL)
        return -1;
    options.monitorChardev = chardev;
    if (qemuCommandBuild(command, &options) < 0 || qemuCommandAdd(command, "-pidfile") < 0
        || qemuCommandAdd(command, pidFile) < 0)
        return -1;
    *mon = qemuMonitorOpen(monitorPath, vm->name, qemuEventDispatch, virDomainObjRef(vm), virDomainObjUnref);
    return *mon == NULL ? -1 : 0;
}

/*
 * Our environment with what the command adds to it, in malloc'd memory (the array only). NULL with
 * the error set.
 */
static const char **
qemuProcessEnvironment(const struct qemuCommand *command)
{
    size_t count = 0, n = 0;
    const char **env;

    while (environ[count] != NULL)
        count++;
    if ((env = virAllocate((count + command->nenv + 1) * sizeof(*env))) == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;

        for (size_t k = 0; k < command->nenv && !replaced; k++)
            replaced = strncmp(environ[i], command->env[k], strcspn(command->env[k], "=") + 1) == 0;
        if (!replaced)
            env[n++] = environ[i];
    }
    for (size_t k = 0; k < command->nenv; k++)
        env[n++] = command->env[k];
    return env;
}

/* Starts the program and makes it the guest's. */
static int
qemuProcessExec(struct virDomainObj *vm, struct qemuCommand *command, const struct qemuProcessStart *start,
                struct qemuMonitor *mon)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    long long offset = 0;
    VIRT_CLEANUP_CLOSE int log = qemuProcessOpenLog(vm, command, &offset);
    struct virProcessSpawn spawn = { .argv = (const char *const *)command->argv, .fds = command->fds,
                                     .nfds = command->nfds, .stdinFd = -1, .stdoutFd = log, .stderrFd = log,
                                     .newSession = true };
    VIRT_CLEANUP_FREE const char **env = NULL;
    struct virProcess process = { 0 };

    if (log < 0 || (command->nenv > 0 && (env = qemuProcessEnvironment(command)) == NULL))
        return -1;
    spawn.env = env;
    if (virProcessStart(&spawn, &process) < 0)
        return -1;
    pthread_mutex_lock(&priv->lock);
    priv->logOffset = offset;
    priv->process = process;
    priv->monitor = mon;
    priv->helpers = command->helpers;
    priv->nhelpers = command->nhelpers;
    command->helpers = NULL;
    command->nhelpers = 0;
    priv->autodestroy = start->autodestroy;
    priv->incoming = start->incoming != NULL;
    priv->phase = QEMU_PHASE_STARTING;
    pthread_mutex_unlock(&priv->lock);
    atomic_store(&priv->pid, (int)process.pid);
    atomic_store(&priv->monitorFd, qemuMonitorIsWatched(mon) ? -1 : qemuMonitorSocket(mon));
    return 0;
}

/* The error of what has just failed stays; QEMU, if it runs, does not. */
static void
qemuProcessUndo(struct virDomainObj *vm)
{
    virErrorPtr error = virSaveLastError();

    qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
    virRestoreLastError(error);
}

VIRT_INTERNAL int
qemuProcessSpawn(struct virDomainObj *vm, const struct qemuProcessStart *start)
{
    struct qemuDomain *priv = qemuDomainOf(vm);
    VIRT_CLEANUP_FREE char *emulator = NULL, *monitorPath = NULL, *folder = NULL;
    struct qemuCommand command = { .doc = start->doc };
    struct virLockSeat seat = { .fd = -1 };
    struct qemuMonitor *mon = NULL;
    int reason = start->incoming != NULL ? VIR_DOMAIN_PAUSED_MIGRATION : VIR_DOMAIN_PAUSED_STARTING_UP;
    int rc = -1;

    if (priv == NULL || (emulator = qemuDocumentEmulator(start->doc)) == NULL
        || (monitorPath = qemuStateMonitorPath(priv->host, vm->name, vm->uuid)) == NULL
        || (folder = qemuStateDeviceDirectory(priv->host, vm->name)) == NULL
        || (command.caps = qemuHostCapabilities(priv->host, emulator)) == NULL)
        return -1;
    qemuProcessBegin(priv);
    if (qemuProcessHook(vm, "prepare", "begin", NULL, start->doc) < 0)
        goto release;
    command.runDirectory = folder;
    command.nvramDirectory = priv->host->nvram;
    command.logDirectory = priv->host->log;
    if (qemuLeaseTake(vm, start, &seat) < 0 || qemuProcessBuild(vm, &command, start, monitorPath, &mon) < 0
        || qemuLeasePass(&command, &seat) < 0 || qemuProcessHook(vm, "start", "begin", NULL, start->doc) < 0
        || qemuProcessExec(vm, &command, start, mon) < 0)
        goto forget;
    mon = NULL;
    if (qemuLeaseSeated(vm, &seat, (int)priv->process.pid) < 0 || qemuProcessAskAll(priv, start->doc, command.qmp) < 0
        || virDomainObjStarted(vm, start->doc, virDomainListNextId(priv->host->domains),
                               VIR_DOMAIN_PAUSED, reason) < 0
        || qemuStateSaveStatus(vm, false) < 0)
        qemuProcessUndo(vm);
    else
        rc = 0;
    goto cleanup;

 forget:
    qemuLeaseSeated(vm, &seat, 0);
    qemuStateForget(priv->host, vm->name, vm->uuid);
    qemuDevicesRelease(start->doc);
 release:
    qemuProcessHookQuietly(vm, "release", "end", "failed", start->doc);
 cleanup:
    if (mon != NULL) {
        qemuMonitorClose(mon);
        qemuMonitorUnref(mon);
    }
    qemuCommandFree(&command);
    qemuCapabilitiesUnref(command.caps);
    return rc;
}

/* ---- start: negotiate ---- */

/*
 * Where QEMU has put the guest's ptys: "pty:/dev/pts/3" of chardev "charserial0" becomes <source
 * path=.../> of the device serial0.
 */
static int
qemuProcessTakeChardevs(xmlDocPtr doc, const cJSON *reply)
{
    VIRT_XML_EACH(device, virXmlFind(virXmlRoot(doc), "devices"), NULL) {
        const char *alias = virXmlString(device, "alias/@name");
        const cJSON *each;

        if (!virXmlEquals(device, "@type", "pty") || alias == NULL)
            continue;
        cJSON_ArrayForEach(each, reply) {
            const char *label = virJsonString(each, "label"), *file = virJsonString(each, "filename");

            if (label == NULL || file == NULL || strncmp(label, "char",
                                                         4) != 0 || strcmp(label + 4, alias) != 0
                || strncmp(file, "pty:", 4) != 0)
                continue;
            if (virXmlSet(device, "source/@path", "%s", file + 4) < 0
                || (virXmlIs(device, "console") && virXmlSet(device, "@tty", "%s", file + 4) < 0))
                return -1;
        }
    }
    return 0;
}

static int
qemuProcessTakeVnc(xmlDocPtr doc, const cJSON *reply)
{
    const char *port = virJsonString(reply, "service");

    if (port == NULL)
        return 0;
    VIRT_XML_EACH(device, virXmlFind(virXmlRoot(doc), "devices"), "graphics") {
        if (virXmlEquals(device, "@type", "vnc") && !virXmlEquals(device, "listen/@type", "socket"))
            return virXmlSet(device, "@port", "%s", port);
    }
    return 0;
}

/* Collects the replies to qemuProcessAskAll's commands. 1, 0 (time is up), -1. */
static int
qemuProcessCollect(struct virDomainObj *vm, struct qemuMonitor *mon, unsigned long long end, xmlDocPtr *doc)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    while (priv->nstartup > 0) {
        VIRT_CLEANUP_JSON cJSON *reply = NULL;
        qemuMonitorId id = priv->startup[0];
        unsigned long long now = virTimeNowUs();
        int timeout = end == 0 ? -1 : now >= end ? 0 : (int)((end - now + 999) / 1000);
        int rc = qemuMonitorReceive(mon, id, timeout, &reply);

        if (rc <= 0)
            return rc;
        priv->nstartup--;
        memmove(priv->startup, priv->startup + 1, priv->nstartup * sizeof(*priv->startup));
        if (id != priv->startupChardevs && id != priv->startupVnc)
            continue;
        if (*doc == NULL && (*doc = virDomainObjDocument(vm, false)) == NULL)
            return -1;
        if ((id == priv->startupChardevs ? qemuProcessTakeChardevs(*doc,
                                                                   reply) : qemuProcessTakeVnc(*doc, reply)) < 0)
            return -1;
    }
    return 1;
}

/* Replaces the error by one with QEMU's own last words, where it had any. */
static void
qemuProcessReportFailure(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_FREE char *words = NULL;
    VIRT_CLEANUP_FREE char *why = strdup(virGetLastErrorMessage());

    pthread_mutex_lock(&priv->lock);
    if (priv->lastWords != NULL)
        words = strdup(priv->lastWords);
    pthread_mutex_unlock(&priv->lock);
    if (words != NULL)
        virReportError(VIR_ERR_INTERNAL_ERROR, "domain '%s': QEMU did not start: %s", vm->name, words);
    else
        virReportError(VIR_ERR_INTERNAL_ERROR, "domain '%s': QEMU did not start: %s", vm->name,
                       why != NULL ? why : "");
}

/* The monitor is up: the live document with what only QEMU knew, the hook, the record. */
static int
qemuProcessUp(struct virDomainObj *vm, xmlDocPtr doc)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    bool stillThere;

    if (doc != NULL) {
        virXmlIndent(doc);
        if (virDomainObjStarted(vm, doc, vm->id, vm->state, vm->reason) < 0)
            return -1;
    }
    pthread_mutex_lock(&priv->lock);
    if ((stillThere = priv->phase == QEMU_PHASE_STARTING))
        priv->phase = QEMU_PHASE_RUNNING;
    pthread_mutex_unlock(&priv->lock);
    if (!stillThere)
        return virReportError(VIR_ERR_OPERATION_FAILED,
                              "domain '%s': it was ended while it started", vm->name);
    if (qemuProcessHook(vm, "started", "begin", NULL, NULL) < 0)
        return -1;
    /*
     * A fresh start is recorded as finished when its CPUs run, or are meant not to: left behind
     * before that, it is ended.
     */
    return priv->incoming ? qemuStateSaveStatus(vm, false) : 0;
}

VIRT_INTERNAL int
qemuProcessNegotiate(struct virDomainObj *vm, int timeout)
{
    struct qemuDomain *priv = qemuDomainOf(vm);
    unsigned long long end = timeout < 0 ? 0 : virTimeNowUs() + (unsigned long long)timeout * 1000;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct qemuMonitor *mon = NULL;
    enum qemuPhase phase;
    int rc;

    if (priv == NULL)
        return -1;
    pthread_mutex_lock(&priv->lock);
    phase = priv->phase;
    if (phase == QEMU_PHASE_STARTING)
        mon = qemuMonitorRef(priv->monitor);
    pthread_mutex_unlock(&priv->lock);
    if (phase == QEMU_PHASE_RUNNING)
        return 1;
    if (phase == QEMU_PHASE_STARTING) {
        if ((rc = qemuMonitorNegotiate(mon, timeout)) > 0 && (rc = qemuProcessCollect(vm, mon, end,
                                                                                      &doc)) > 0)
            rc = qemuProcessUp(vm, doc) < 0 ? -1 : 1;
        qemuMonitorUnref(mon);
        if (rc >= 0)
            return rc;
        qemuProcessUndo(vm);
    } else {
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': it has ended", vm->name);
    }
    qemuProcessReportFailure(vm);
    return -1;
}

/* ---- running and pausing ---- */

VIRT_INTERNAL int
qemuProcessCont(struct virDomainObj *vm, int reason)
{
    struct qemuDomain *priv = qemuDomainOf(vm);
    int rc;

    if (priv == NULL)
        return -1;
    atomic_store(&priv->resumeReason, reason);
    if ((rc = qemuDomainCommand(vm, "cont", NULL, NULL)) == 0) {
        pthread_mutex_lock(&priv->lock);
        priv->incoming = false;
        pthread_mutex_unlock(&priv->lock);
        qemuEventRunning(vm, reason, -1);
    }
    atomic_store(&priv->resumeReason, -1);
    return rc;
}

VIRT_INTERNAL int
qemuProcessPause(struct virDomainObj *vm, int reason)
{
    struct qemuDomain *priv = qemuDomainOf(vm);
    int rc;

    if (priv == NULL)
        return -1;
    atomic_store(&priv->stopReason, reason);
    if ((rc = qemuDomainCommand(vm, "stop", NULL, NULL)) == 0)
        qemuEventPaused(vm, reason, -1);
    atomic_store(&priv->stopReason, -1);
    return rc;
}

/* ---- end ---- */

/*
 * Asks QEMU to end, in good order: by its monitor, where that can be used. A signal that comes
 * while QEMU's main loop is about to sleep is noticed only when something else wakes it, up to
 * seconds later; and a command that meets the end which a signal has begun can hang QEMU 7.2 in its
 * clean-up. So it is one or the other, never both.
 */
static void
qemuProcessAskToEnd(struct qemuDomain *priv, const struct virProcess *process)
{
    struct qemuMonitor *mon = NULL;

    pthread_mutex_lock(&priv->lock);
    if (priv->monitor != NULL)
        mon = qemuMonitorRef(priv->monitor);
    pthread_mutex_unlock(&priv->lock);
    if (mon == NULL || !qemuMonitorIsOpen(mon) || qemuMonitorPost(mon, "quit", NULL) < 0)
        virProcessSignal(process, SIGTERM);
    qemuMonitorUnref(mon);
}

/* Asked, and where that does not help, killed. 1: it has ended; 0: it goes on (GRACEFUL, or the kernel does not let it go). */
static int
qemuProcessKill(struct virDomainObj *vm, struct virProcess *process, unsigned int flags)
{
    bool graceful = (flags & QEMU_PROCESS_STOP_GRACEFUL) != 0;

    if (process->pid <= 0)
        return 1;
    if ((flags & QEMU_PROCESS_STOP_KILL) == 0) {
        qemuProcessAskToEnd(qemuDomainPeek(vm), process);
        if (virProcessWait(process, graceful ? QEMU_PROCESS_GRACEFUL : QEMU_PROCESS_GRACE, NULL) > 0)
            return 1;
    }
    if (graceful)
        return 0;
    virProcessSignal(process, SIGKILL);
    if (virProcessWait(process, QEMU_PROCESS_KILLED, NULL) > 0)
        return 1;
    virLog(VIR_LOG_ERROR, "qemu.process", "domain '%s': process %d cannot be killed", vm->name, (int)process->pid);
    return 0;
}

static void
qemuProcessEndHelpers(struct qemuDomain *priv)
{
    for (size_t i = 0; i < priv->nhelpers; i++)
        virProcessSignal(&priv->helpers[i], SIGTERM);
    for (size_t i = 0; i < priv->nhelpers; i++) {
        if (virProcessWait(&priv->helpers[i], 500, NULL) <= 0) {
            virProcessSignal(&priv->helpers[i], SIGKILL);
            virProcessWait(&priv->helpers[i], 1000, NULL);
        }
    }
    free(priv->helpers);
    priv->helpers = NULL;
    priv->nhelpers = 0;
}

static int
qemuProcessStoppedDetail(const struct qemuDomain *priv, int reason)
{
    switch (reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:  return VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN;
    case VIR_DOMAIN_SHUTOFF_DESTROYED: return VIR_DOMAIN_EVENT_STOPPED_DESTROYED;
    case VIR_DOMAIN_SHUTOFF_MIGRATED:  return VIR_DOMAIN_EVENT_STOPPED_MIGRATED;
    case VIR_DOMAIN_SHUTOFF_SAVED:     return VIR_DOMAIN_EVENT_STOPPED_SAVED;
    case VIR_DOMAIN_SHUTOFF_CRASHED:
        /* The guest has crashed; or QEMU has ended without a word. */
        return priv->crashed != NULL ? VIR_DOMAIN_EVENT_STOPPED_CRASHED : VIR_DOMAIN_EVENT_STOPPED_FAILED;
    default:                           return VIR_DOMAIN_EVENT_STOPPED_FAILED;
    }
}

static const char *
qemuProcessStoppedName(int reason)
{
    switch (reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:  return "shutdown";
    case VIR_DOMAIN_SHUTOFF_DESTROYED: return "destroyed";
    case VIR_DOMAIN_SHUTOFF_MIGRATED:  return "migrated";
    case VIR_DOMAIN_SHUTOFF_SAVED:     return "saved";
    case VIR_DOMAIN_SHUTOFF_CRASHED:   return "crashed";
    case VIR_DOMAIN_SHUTOFF_DAEMON:    return "daemon";
    default:                           return "failed";
    }
}

/* Everything after QEMU's death. The calling thread is the stopper. */
static void
qemuProcessCleanUp(struct virDomainObj *vm, int reason)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    const struct qemuMigrationHooks *migration = priv->host->migration;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct qemuMonitor *mon;
    char *words = qemuProcessLastWords(vm);

    pthread_mutex_lock(&priv->lock);
    mon = priv->monitor;
    priv->monitor = NULL;
    free(priv->lastWords);
    priv->lastWords = words;
    priv->nstartup = 0;
    pthread_mutex_unlock(&priv->lock);
    atomic_store(&priv->monitorFd, -1);
    if (mon != NULL) {
        qemuMonitorClose(mon);
        qemuMonitorUnref(mon);
    }
    qemuProcessEndHelpers(priv);
    qemuLeaseRelease(vm);
    if (migration != NULL && migration->stopped != NULL)
        migration->stopped(vm, reason);
    pthread_mutex_lock(&vm->lock);
    if (vm->live != NULL && (strstr(vm->live, "<interface") != NULL || qemuHooksPresent(priv->host)))
        doc = virXmlParse(vm->live, "domain");
    pthread_mutex_unlock(&vm->lock);
    if (doc != NULL)
        qemuDevicesRelease(doc);

    /*
     * The lock waits for a status that is just being written; later ones see the phase and are not.
     */
    pthread_mutex_lock(&priv->statusLock);
    qemuStateForget(priv->host, vm->name, vm->uuid);
    pthread_mutex_unlock(&priv->statusLock);
    qemuProcessHookQuietly(vm, "stopped", "end", qemuProcessStoppedName(reason), doc);
    virDomainObjStopped(vm, reason);
    qemuProcessHookQuietly(vm, "release", "end", qemuProcessStoppedName(reason), doc);
    if (priv->announced)
        qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_STOPPED, qemuProcessStoppedDetail(priv, reason));
}

VIRT_INTERNAL int
qemuProcessStop(struct virDomainObj *vm, int reason, unsigned int flags)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct virProcess process;
    enum qemuPhase before;

    if (priv == NULL)
        return 0;
    pthread_mutex_lock(&priv->lock);
    if (priv->phase == QEMU_PHASE_STOPPING && (flags & QEMU_PROCESS_STOP_NOWAIT) == 0
        && !pthread_equal(priv->stopper, pthread_self())) {
        while (priv->phase == QEMU_PHASE_STOPPING)
            pthread_cond_wait(&priv->changed, &priv->lock);
    }
    before = priv->phase;
    if (before == QEMU_PHASE_STARTING || before == QEMU_PHASE_RUNNING) {
        priv->phase = QEMU_PHASE_STOPPING;
        priv->stopper = pthread_self();
        process = priv->process;
        if (priv->killedFor != 0)
            reason = priv->killedFor;
    }
    pthread_mutex_unlock(&priv->lock);
    if (before != QEMU_PHASE_STARTING && before != QEMU_PHASE_RUNNING)
        return 0;

    if (qemuProcessKill(vm, &process, flags) == 0) {
        qemuProcessSetPhase(priv, before);
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': process %d does not end%s within %d s", vm->name,
                              (int)process.pid, (flags & QEMU_PROCESS_STOP_GRACEFUL) != 0 ? "" : ", though it was killed,",
                              ((flags & QEMU_PROCESS_STOP_GRACEFUL) != 0 ? QEMU_PROCESS_GRACEFUL : QEMU_PROCESS_KILLED) / 1000);
    }
    atomic_store(&priv->pid, 0);
    qemuProcessCleanUp(vm, reason);
    pthread_mutex_lock(&priv->lock);
    memset(&priv->process, 0, sizeof(priv->process));
    free(priv->startup);
    priv->startup = NULL;
    priv->autodestroy = NULL;
    priv->killedFor = 0;
    priv->phase = QEMU_PHASE_OFF;
    pthread_cond_broadcast(&priv->changed);
    pthread_mutex_unlock(&priv->lock);
    return 1;
}

VIRT_INTERNAL int
qemuProcessStopWithin(struct virDomainObj *vm, int reason, int timeout)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct virProcess process;
    enum qemuPhase phase;
    int rc;

    if (priv == NULL || timeout < 0)
        return qemuProcessStop(vm, reason, QEMU_PROCESS_STOP_KILL) < 0 ? -1 : 1;
    pthread_mutex_lock(&priv->lock);
    phase = priv->phase;
    process = priv->process;
    if (phase == QEMU_PHASE_STARTING || phase == QEMU_PHASE_RUNNING)
        priv->killedFor = reason;
    pthread_mutex_unlock(&priv->lock);
    if (phase != QEMU_PHASE_STARTING && phase != QEMU_PHASE_RUNNING)
        return phase != QEMU_PHASE_STOPPING;
    if (process.pid > 0) {
        virProcessSignal(&process, SIGKILL);
        if ((rc = virProcessWait(&process, timeout, NULL)) <= 0)
            return rc;
    }
    return qemuProcessStop(vm, reason, QEMU_PROCESS_STOP_KILL) < 0 ? -1 : 1;
}

#undef QEMU_PROCESS_GRACE
#undef QEMU_PROCESS_GRACEFUL
#undef QEMU_PROCESS_KILLED
#undef QEMU_PROCESS_LOG_SIZE
#undef VIRT_FROM
