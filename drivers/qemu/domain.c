/* The slots of group domain that need QEMU; those that do not are in common/domain_calls.c. */
#include "lease.h"
#include "process.h"
#include "command.h"
#include "state.h"

#include "../common/document.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* How long QEMU may take until its monitor answers (ms): it may have much memory to clear first. */
#define QEMU_DOMAIN_START_DEADLINE 120000

/* ---- start ---- */

/* From a document to a running (or paused) guest. The job is held. */
static int
qemuDomainStart(struct virDomainObj *vm, xmlDocPtr doc, virConnectPtr conn, unsigned int flags)
{
    struct qemuProcessStart start = {
        .doc = doc, .autodestroy = (flags & VIR_DOMAIN_START_AUTODESTROY) != 0 ? conn : NULL,
    };
    int rc;

    if (vm->id >= 0)
        return virDomainObjReportActive(vm);
    if (qemuProcessSpawn(vm, &start) < 0 || (rc = qemuProcessNegotiate(vm, QEMU_DOMAIN_START_DEADLINE)) < 0)
        return -1;
    if (rc == 0) {
        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
        return virReportError(VIR_ERR_OPERATION_TIMEOUT,
                              "domain '%s': QEMU's monitor did not answer within %d s",
                              vm->name, QEMU_DOMAIN_START_DEADLINE / 1000);
    }
    qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
    if ((flags & VIR_DOMAIN_START_PAUSED) != 0) {
        virDomainObjSetState(vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
        qemuEventLifecycle(vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
        rc = qemuStateSaveStatus(vm, false);
    } else {
        rc = qemuProcessCont(vm, VIR_DOMAIN_RUNNING_BOOTED);
    }
    if (rc < 0) {
        virErrorPtr error = virSaveLastError();

        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
        virRestoreLastError(error);
    }
    return rc;
}

VIRT_INTERNAL virDomainPtr
qemuDomainCreateXML(virConnectPtr conn, const char *xml, unsigned int flags)
{
    struct qemuHost *host = qemuHostOf(conn);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    virDomainPtr domain = NULL;
    struct virDomainObj *vm;
    bool isNew;

    /* There is no saved state that could be restored instead (FORCE_BOOT, BYPASS_CACHE). */
    virCheckFlags(VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY | VIR_DOMAIN_START_BYPASS_CACHE
                  | VIR_DOMAIN_START_FORCE_BOOT | VIR_DOMAIN_START_VALIDATE, NULL);
    if ((doc = virDocumentParse(xml, qemuDocumentTypes())) == NULL
        || qemuHostCompleteDocument(doc, (flags & VIR_DOMAIN_START_VALIDATE) != 0, host) < 0
        || (vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE, "virDomainCreateXML",
                                  &isNew)) == NULL)
        return NULL;
    if (qemuDomainStart(vm, doc, conn, flags) < 0) {
        if (isNew && vm->id < 0)
            virDomainListRemove(host->domains, vm);
    } else if ((domain = virDomainObjHandle(conn, vm)) == NULL) {
        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
        virReportNoMemory();
    }
    virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    return domain;
}

/* Starts a defined guest for a call, or, without a connection, for autostart. */
static int
qemuDomainStartDefined(struct virDomainObj *vm, virConnectPtr conn, unsigned int flags, const char *api)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    int rc = -1;

    if (virDomainObjBeginJob(vm, api, false) < 0)
        return -1;
    if (vm->id >= 0)
        virDomainObjReportActive(vm);
    else if ((doc = virDomainObjDocument(vm, true)) != NULL)
        rc = qemuDomainStart(vm, doc, conn, flags);
    virDomainObjEndJob(vm);
    return rc;
}

VIRT_INTERNAL int
qemuDomainCreate(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm;
    int rc;

    virCheckFlags(VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY | VIR_DOMAIN_START_BYPASS_CACHE
                  | VIR_DOMAIN_START_FORCE_BOOT, -1);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return -1;
    if ((rc = qemuDomainStartDefined(vm, domain->conn, flags, "virDomainCreateWithFlags")) == 0)
        atomic_store(&domain->id, vm->id);
    return rc;
}

static int
qemuDomainAutostartVisit(struct virDomainObj *vm, void *opaque)
{
    (void)opaque;
    if (vm->autostart && vm->persistent && vm->id < 0 && qemuDomainStartDefined(vm, NULL, 0, "autostart") < 0)
        virLog(VIR_LOG_ERROR, "qemu.domain", "autostart of domain '%s': %s", vm->name,
               virGetLastErrorMessage());
    return 0;
}

VIRT_INTERNAL void
qemuDomainAutostart(struct qemuHost *host)
{
    virDomainListEach(host->domains, qemuDomainAutostartVisit, NULL);
    virResetLastError();
}

/* ---- pause, resume ---- */

/* The object of a running guest, its job taken; NULL with the error set. */
static struct virDomainObj *
qemuDomainBegin(virDomainPtr domain, const char *api, bool duringMigration)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    if (vm == NULL || virDomainObjBeginJob(vm, api, duringMigration) < 0)
        return NULL;
    if (vm->id >= 0)
        return vm;
    virDomainObjEndJob(vm);
    virDomainObjReportInactive(vm);
    return NULL;
}

/*
 * The variables of a guest's firmware outlive its starts: with the definition they would be without an owner, so the caller says what becomes
 * of them, as libvirt wants it.
 */
VIRT_INTERNAL int
qemuDomainUndefine(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    VIRT_CLEANUP_FREE char *nvram = NULL;

    if (vm == NULL)
        return -1;
    if (vm->persistent) {
        if ((doc = virDomainObjDocument(vm, true)) == NULL)
            return -1;
        nvram = qemuFirmwareNvramPath(doc, qemuHostOf(domain->conn)->nvram);
        if (nvram != NULL && access(nvram, F_OK) == 0 && (flags & (VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)) == 0)
            return virReportError(VIR_ERR_OPERATION_INVALID, "cannot undefine domain '%s' with nvram: say VIR_DOMAIN_UNDEFINE_NVRAM or "
                                  "VIR_DOMAIN_UNDEFINE_KEEP_NVRAM", vm->name);
    }
    if (virDomainObjSlotUndefine(domain, flags) < 0)
        return -1;
    if (nvram != NULL && (flags & VIR_DOMAIN_UNDEFINE_NVRAM) != 0 && unlink(nvram) < 0 && errno != ENOENT)
        virLog(VIR_LOG_WARN, "qemu.domain", "cannot remove '%s': errno %d", nvram, errno);
    return 0;
}

VIRT_INTERNAL int
qemuDomainSuspend(virDomainPtr domain)
{
    struct virDomainObj *vm = qemuDomainBegin(domain, "virDomainSuspend", true);
    int rc = 0;

    if (vm == NULL)
        return -1;
    if (vm->state == VIR_DOMAIN_PMSUSPENDED)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is pmsuspended", vm->name);
    else if (vm->state != VIR_DOMAIN_PAUSED)
        rc = qemuProcessPause(vm, VIR_DOMAIN_PAUSED_USER);
    virDomainObjEndJob(vm);
    return rc;
}

VIRT_INTERNAL int
qemuDomainResume(virDomainPtr domain)
{
    struct virDomainObj *vm = qemuDomainBegin(domain, "virDomainResume", false);
    int rc;

    if (vm == NULL)
        return -1;
    if (vm->state == VIR_DOMAIN_PMSUSPENDED)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is pmsuspended", vm->name);
    else if (vm->state == VIR_DOMAIN_RUNNING)
        rc = virDomainObjReportActive(vm);
    else if ((rc = qemuLeaseResume(vm)) == 0)
        rc = qemuProcessCont(vm, VIR_DOMAIN_RUNNING_UNPAUSED);
    virDomainObjEndJob(vm);
    return rc;
}

/* ---- power ---- */

static void
qemuDomainWantReboot(struct virDomainObj *vm, bool wanted)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    pthread_mutex_lock(&priv->lock);
    priv->rebootWanted = wanted;
    pthread_mutex_unlock(&priv->lock);
}

static int
qemuDomainNoAgent(void)
{
    return virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED,
                          "the guest agent is not supported: leave the flag out, "
                          "and the power button is pressed");
}

VIRT_INTERNAL int
qemuDomainShutdown(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm;
    int rc;

    virCheckFlags(VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN | VIR_DOMAIN_SHUTDOWN_GUEST_AGENT, -1);
    if (flags == VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
        return qemuDomainNoAgent();
    if ((vm = qemuDomainBegin(domain, "virDomainShutdownFlags", false)) == NULL)
        return -1;
    qemuDomainWantReboot(vm, false);
    rc = qemuDomainCommand(vm, "system_powerdown", NULL, NULL);
    virDomainObjEndJob(vm);
    return rc;
}

/*
 * The power button is pressed, and when the guest is off, it is not the end: events.c resets the
 * machine and lets it run on.
 */
VIRT_INTERNAL int
qemuDomainReboot(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm;
    cJSON *action;
    int rc = -1;

    virCheckFlags(VIR_DOMAIN_REBOOT_ACPI_POWER_BTN | VIR_DOMAIN_REBOOT_GUEST_AGENT, -1);
    if (flags == VIR_DOMAIN_REBOOT_GUEST_AGENT)
        return qemuDomainNoAgent();
    if ((vm = qemuDomainBegin(domain, "virDomainReboot", false)) == NULL)
        return -1;
    if ((action = virJsonObject("s:shutdown", "pause", NULL)) != NULL
        && qemuDomainCommand(vm, "set-action", action, NULL) == 0) {
        qemuDomainWantReboot(vm, true);
        if ((rc = qemuDomainCommand(vm, "system_powerdown", NULL, NULL)) < 0)
            qemuDomainWantReboot(vm, false);
    }
    virDomainObjEndJob(vm);
    return rc;
}

VIRT_INTERNAL int
qemuDomainReset(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm;
    int rc;

    virCheckFlags(0, -1);
    if ((vm = qemuDomainBegin(domain, "virDomainReset", false)) == NULL)
        return -1;
    rc = qemuDomainCommand(vm, "system_reset", NULL, NULL);
    /* What had panicked stands, reset, and can be resumed. */
    if (rc == 0 && vm->state == VIR_DOMAIN_CRASHED) {
        virDomainObjSetState(vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED);
        rc = qemuStateSaveStatus(vm, false);
    }
    virDomainObjEndJob(vm);
    return rc;
}

/*
 * A guest whose job is held by a call that waits for a hung QEMU must be killed for that call to
 * end, so destroy does not queue behind it. A guest that is just starting is waited for.
 */
static bool
qemuDomainIsStuck(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    bool busy, running;

    pthread_mutex_lock(&vm->lock);
    busy = vm->job == VIR_DOMAIN_JOB_KIND_MODIFY || vm->nested;
    pthread_mutex_unlock(&vm->lock);
    if (!busy || priv == NULL)
        return false;
    pthread_mutex_lock(&priv->lock);
    running = priv->phase == QEMU_PHASE_RUNNING;
    pthread_mutex_unlock(&priv->lock);
    return running;
}

static void
qemuDomainRemoveLog(struct virDomainObj *vm)
{
    VIRT_CLEANUP_FREE char *log = qemuStatePath(qemuDomainPeek(vm)->host->log, vm->name, ".log");

    if (log != NULL && unlink(log) < 0 && errno != ENOENT)
        virLog(VIR_LOG_WARN, "qemu.domain", "cannot remove '%s'", log);
}

VIRT_INTERNAL int
qemuDomainDestroy(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm;
    bool stuck;
    int rc;

    virCheckFlags(VIR_DOMAIN_DESTROY_GRACEFUL | VIR_DOMAIN_DESTROY_REMOVE_LOGS, -1);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return -1;
    virDomainObjRef(vm);              /* a transient one leaves the list */
    stuck = vm->id >= 0 && qemuDomainIsStuck(vm);
    if (!stuck && virDomainObjBeginJob(vm, "virDomainDestroyFlags", true) < 0) {
        virDomainObjUnref(vm);
        return -1;
    }
    rc = qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_DESTROYED,
                         (flags & VIR_DOMAIN_DESTROY_GRACEFUL) != 0 ? QEMU_PROCESS_STOP_GRACEFUL : 0);
    if (rc == 0)
        rc = virDomainObjReportInactive(vm);
    else if (rc > 0 && (flags & VIR_DOMAIN_DESTROY_REMOVE_LOGS) != 0)
        qemuDomainRemoveLog(vm);
    if (rc > 0)
        atomic_store(&domain->id, -1);
    if (!stuck)
        virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    return rc < 0 ? -1 : 0;
}

/* ---- queries ---- */

/*
 * No lock and one system call (and one more to see whether QEMU has news): programs that watch many
 * guests make little else but this call.
 */
VIRT_INTERNAL int
qemuDomainGetInfo(virDomainPtr domain, virDomainInfoPtr info)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct qemuDomain *priv;
    struct virProcess process = { 0 };
    unsigned long long ns = 0;

    if (vm == NULL || virDomainObjMemory(vm, &info->maxMem, &info->memory) < 0)
        return -1;
    info->state = (unsigned char)vm->state;
    info->nrVirtCpu = (unsigned short)vm->vcpus;
    priv = qemuDomainPeek(vm);
    if (priv != NULL && (process.pid = atomic_load(&priv->pid)) > 0 && virProcessCpuTime(&process, &ns) < 0)
        ns = 0;
    info->cpuTime = ns;
    return 0;
}

VIRT_INTERNAL int
qemuDomainGetControlInfo(virDomainPtr domain, virDomainControlInfoPtr info, unsigned int flags)
{
    struct virDomainObj *vm;
    struct qemuDomain *priv;
    struct qemuMonitor *mon = NULL;
    unsigned long long busy;
    bool overdue, open;

    if (virDomainObjSlotGetControlInfo(domain, info, flags) < 0 || (vm = virDomainObjOf(domain)) == NULL
        || (priv = qemuDomainPeek(vm)) == NULL)
        return -1;
    pthread_mutex_lock(&priv->lock);
    if (priv->monitor != NULL)
        mon = qemuMonitorRef(priv->monitor);
    pthread_mutex_unlock(&priv->lock);
    if (mon == NULL) {
        info->state = VIR_DOMAIN_CONTROL_ERROR;
        info->details = VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR;
        return 0;
    }
    busy = qemuMonitorBusy(mon, &overdue);
    open = qemuMonitorIsOpen(mon);
    qemuMonitorUnref(mon);
    if (!open || overdue) {
        info->state = VIR_DOMAIN_CONTROL_ERROR;
        info->details = VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR;
        info->stateTime = busy / 1000;
    } else if (busy > 0) {
        info->state = VIR_DOMAIN_CONTROL_OCCUPIED;
        info->stateTime = busy / 1000;
    }
    return 0;
}

VIRT_INTERNAL int
qemuDomainGetVcpusFlags(virDomainPtr domain, unsigned int flags)
{
    if ((flags & VIR_DOMAIN_VCPU_GUEST) != 0)
        return qemuDomainNoAgent();
    return virDomainObjSlotGetVcpusFlags(domain, flags);
}

/* What the kernel says of one thread: CPU time in ns, and the CPU it was last on. */
static int
qemuDomainReadThread(pid_t pid, pid_t thread, unsigned long long *ns, int *cpu)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("/proc/%d/task/%d/stat", (int)pid, (int)thread);
    VIRT_CLEANUP_FREE char *text = path != NULL ? virFileRead(path, 4096, NULL) : NULL;
    unsigned long long user = 0, system = 0;
    const char *end = text != NULL ? strrchr(text, ')') : NULL;

    /* After the name: field 3 is the state; 14 and 15 are times, 39 the CPU. */
    if (end == NULL
        || sscanf(end + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u %*u %*d %*u %*u "
                  "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d", &user, &system, cpu) != 3)
        return -1;
    *ns = (user + system) * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK));
    return 0;
}

static void
qemuDomainReadAffinity(pid_t thread, unsigned char *map, int length)
{
    cpu_set_t set;

    memset(map, 0, (size_t)length);
    if (sched_getaffinity(thread, sizeof(set), &set) < 0)
        return;
    for (int cpu = 0; cpu < length * 8 && cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set))
            map[cpu / 8] |= (unsigned char)(1 << (cpu % 8));
    }
}

VIRT_INTERNAL int
qemuDomainGetVcpus(virDomainPtr domain, virVcpuInfoPtr info, int max, unsigned char *maps, int length)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    VIRT_CLEANUP_JSON cJSON *reply = NULL;
    const cJSON *each;
    int count = 0, pid;

    if (vm == NULL)
        return -1;
    if (vm->id < 0)
        return virReportError(VIR_ERR_OPERATION_INVALID,
                              "cannot retrieve vcpu information for inactive domain");
    if (qemuDomainCommand(vm, "query-cpus-fast", NULL, &reply) < 0)
        return -1;
    pid = atomic_load(&qemuDomainPeek(vm)->pid);
    cJSON_ArrayForEach(each, reply) {
        int thread = 0, index = count;

        if (count >= max)
            break;
        virJsonInt(each, "thread-id", &thread);
        virJsonInt(each, "cpu-index", &index);
        if (info != NULL) {
            memset(&info[count], 0, sizeof(info[count]));
            info[count].number = (unsigned int)index;
            info[count].state = vm->state == VIR_DOMAIN_RUNNING ? VIR_VCPU_RUNNING : VIR_VCPU_BLOCKED;
            info[count].cpu = -1;
            if (qemuDomainReadThread(pid, thread, &info[count].cpuTime, &info[count].cpu) < 0)
                virResetLastError();
        }
        if (maps != NULL && length > 0)
            qemuDomainReadAffinity(thread, maps + (size_t)count * (size_t)length, length);
        count++;
    }
    return count;
}

#undef QEMU_DOMAIN_START_DEADLINE
#undef VIRT_FROM
