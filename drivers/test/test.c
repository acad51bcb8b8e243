/*
 * The test driver: hosts and guests that exist in this process only. They need nothing and do
 * nothing, but answer like real ones, so that programs can be tried on them, and tests can make
 * everything go wrong.
 *
 * A guest is its document and a state. What changes the state is one function for all calls,
 * testDomainChange: it takes the guest's job and the host's lock, and the transition does the
 * rest. The hosts are in config.c, migration in migration.c and its kin.
 */
#include "test.h"

#include "../common/document.h"
#include "../common/file.h"
#include "../common/stats.h"

#include <stdint.h>
#include <time.h>

#define VIRT_FROM VIR_FROM_TEST

/* libvirt's default: as fast as it goes. */
#define TEST_MAX_SPEED ((unsigned long)8796093022207ULL)     /* where a long has 32 bits: all of them */

/* ---------- connections ---------- */

static void *
testHostCreate(const char *key, void *opaque)
{
    (void)key;
    return testHostNewDefault(opaque);           /* struct testHostSettings */
}

static void
testHostDestroy(void *host)
{
    testHostFree(host);
}

static int
testConnectOpenHost(struct testConnect *test, const struct virUri *uri)
{
    struct testHostSettings settings;
    VIRT_CLEANUP_FREE char *key = NULL;

    if (testHostConfigure(&settings, uri) < 0)
        return -1;
    if (strcmp(uri->path, "/default") != 0) {
        test->host = testHostNewFromFile(uri->path, &settings);
        return test->host != NULL ? 0 : -1;
    }
    if ((key = virStringFormat("test:%s", settings.name != NULL ? settings.name : "")) == NULL)
        return -1;
    test->shared = true;
    test->host = virSharedAcquire(key, testHostCreate, &settings, testHostDestroy);
    if (test->host != NULL && testHostCheckSettings(test->host, &settings) < 0) {
        virErrorPtr before = testErrorPut();

        virSharedRelease(test->host);
        virRestoreLastError(before);
        return -1;
    }
    return test->host != NULL ? 0 : -1;
}

/*
 * Older versions of the migration protocol are this one without what came later: the second has no begin and
 * no way back for the source, the first has no finish either.
 */
static int
testConnectForget(virConnectPtr conn, struct testConnect *test)
{
    if (test->protocol == 3)
        return 0;
    if ((test->older = virAllocate(sizeof(*test->older))) == NULL)
        return -1;
    *test->older = virTestDriver;
    test->older->migration.begin = NULL;
    test->older->migration.halt = NULL;
    test->older->migration.confirm = NULL;
    test->older->migration.decide = NULL;
    test->older->migration.startPostCopy = NULL;
    if (test->protocol < 2)
        test->older->migration.finish = NULL;
    conn->driver = test->older;
    return 0;
}

static int
testConnectOpen(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    struct testConnect *test;

    (void)auth;
    (void)flags;
    if (uri->server != NULL || uri->transport != NULL)
        return 0;
    if (uri->path[0] != '/' || uri->path[1] == '\0')
        return virReportError(VIR_ERR_INVALID_ARG, "supply a path or use test:///default");
    if ((test = virAllocate(sizeof(*test))) == NULL)
        return -1;
    if (testConnectConfigure(test, uri) < 0 || testConnectForget(conn, test) < 0 || testConnectOpenHost(test, uri) < 0) {
        free(test->older);
        free(test);
        return -1;
    }
    test->base.domains = test->host->domains;
    conn->priv = test;
    conn->hub = test->host->hub;
    return 1;
}

static void
testConnectClose(virConnectPtr conn)
{
    struct testConnect *test = testConnectOf(conn);

    if (test->shared)
        virSharedRelease(test->host);
    else
        testHostFree(test->host);
    conn->driver = &virTestDriver;
    free(test->older);
    free(test);
    conn->priv = NULL;
}

static int
testConnectIsAlive(virConnectPtr conn)
{
    (void)conn;
    return 1;
}

static int
testConnectIsEncrypted(virConnectPtr conn)
{
    (void)conn;
    return 0;
}

static int
testConnectIsSecure(virConnectPtr conn)
{
    (void)conn;
    return 1;
}

static int
testConnectGetVersion(virConnectPtr conn, unsigned long *version)
{
    (void)conn;
    *version = 2;
    return 0;
}

static char *
testConnectGetHostname(virConnectPtr conn)
{
    return virStringCopy(testHostOf(conn)->name);
}

static char *
testConnectGetCapabilities(virConnectPtr conn)
{
    return testHostFormatCapabilities(testHostOf(conn));
}

static int
testConnectGetMaxVcpus(virConnectPtr conn, const char *type)
{
    (void)conn;
    (void)type;
    return 32;
}

static char *
testConnectGetSysinfo(virConnectPtr conn, unsigned int flags)
{
    (void)conn;
    virCheckFlags(0, NULL);
    return virStringCopy("<sysinfo type='smbios'>\n"
                         "  <bios>\n"
                         "    <entry name='vendor'>LENOVO</entry>\n"
                         "    <entry name='version'>G4ETA1WW (2.61 )</entry>\n"
                         "    <entry name='date'>05/07/2014</entry>\n"
                         "    <entry name='release'>2.61</entry>\n"
                         "  </bios>\n"
                         "</sysinfo>\n");
}

/* ---------- the host ---------- */

static int
testNodeGetInfo(virConnectPtr conn, virNodeInfoPtr info)
{
    *info = testHostOf(conn)->info;
    return 0;
}

/*
 * In each cell half is free; libvirt's figures, which count what the capabilities call KiB as
 * bytes.
 */
static unsigned long long
testNodeGetFreeMemory(virConnectPtr conn)
{
    struct testHost *host = testHostOf(conn);
    unsigned long long sum = 0;

    for (int i = 0; i < host->cells; i++)
        sum += host->cellMemory[i] / 2;
    return sum != 0 ? sum : (unsigned long long)host->info.memory * 1024 / 2;
}

static int
testNodeGetCellsFreeMemory(virConnectPtr conn, unsigned long long *freeMems, int startCell, int maxCells)
{
    struct testHost *host = testHostOf(conn);
    int n = 0;

    if (startCell < 0 || startCell >= (host->cells > 0 ? host->cells : 1))
        return virReportError(VIR_ERR_INVALID_ARG, "there is no cell %d: this host has %d", startCell, host->cells);
    for (int cell = startCell; cell < host->cells && n < maxCells; cell++)
        freeMems[n++] = host->cellMemory[cell];
    return n;
}

static int
testNodeGetCPUMap(virConnectPtr conn, unsigned char **cpumap, unsigned int *online, unsigned int flags)
{
    (void)conn;
    virCheckFlags(0, -1);
    if (cpumap != NULL) {
        if ((*cpumap = virAllocate(1)) == NULL)
            return -1;
        (*cpumap)[0] = 0x15;                               /* 0, 2 and 4 of 8 */
    }
    if (online != NULL)
        *online = 3;
    return 8;
}

/* ---------- what changes a guest's state ---------- */

VIRT_INTERNAL struct testDomain *
testDomainOf(struct virDomainObj *vm)
{
    struct testDomain *test = vm->priv;

    if (test == NULL && (test = virAllocate(sizeof(*test))) != NULL) {
        *test = (struct testDomain){ .maxDowntime = 300, .maxSpeed = TEST_MAX_SPEED, .cache = 64 * 1024 * 1024, .seat = { .fd = -1 } };
        vm->priv = test;
    }
    return test;
}

/*
 * The guest is over: its state, its event, and what follows for a transient one. The host is
 * locked.
 */
static void
testDomainEnd(struct testHost *host, struct virDomainObj *vm, int reason, int detail)
{
    testMigrationGuestEnds(host, vm);
    testDomainStopped(vm, reason);
    testLeaseEnd(host, vm);
    virDomainObjEmit(vm, VIR_DOMAIN_EVENT_STOPPED, detail);
}

static int
testDomainStart(struct testHost *host, struct virDomainObj *vm, xmlDocPtr doc, bool paused)
{
    int id = virDomainListNextId(host->domains);

    if (testLeaseAcquire(host, vm, doc) < 0)
        return -1;
    if (paused ? virDomainObjStarted(vm, doc, id, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP) < 0
               : virDomainObjStarted(vm, doc, id, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED) < 0) {
        testLeaseEnd(host, vm);
        return -1;
    }
    virDomainObjEmit(vm, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
    if (paused) {
        virDomainObjSetState(vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
        virDomainObjEmit(vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    }
    return 0;
}

typedef int (*testTransition)(struct testHost *host, struct virDomainObj *vm);

/* Job, lock, transition: of a guest that is active. */
static int
testDomainChange(virDomainPtr domain, const char *api, bool duringMigration, testTransition transition)
{
    struct testHost *host = testHostOf(domain->conn);
    struct virDomainObj *vm = virDomainObjOf(domain);
    int rc;

    if (vm == NULL || virDomainObjBeginJob(vm, api, duringMigration) < 0)
        return -1;
    pthread_mutex_lock(&host->lock);
    if ((rc = virDomainObjCheckActive(vm)) == 0)
        rc = transition(host, vm);
    pthread_mutex_unlock(&host->lock);
    atomic_store(&domain->id, vm->id);
    virDomainObjEndJob(vm);
    return rc;
}

static int
testDomainCreate(virDomainPtr domain, unsigned int flags)
{
    struct testHost *host = testHostOf(domain->conn);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;
    int rc = -1;

    virCheckFlags(VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_BYPASS_CACHE | VIR_DOMAIN_START_FORCE_BOOT, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjBeginJob(vm, "virDomainCreateWithFlags", false) < 0)
        return -1;
    pthread_mutex_lock(&host->lock);
    if (vm->id >= 0)
        virDomainObjReportActive(vm);
    else if ((doc = virDomainObjDocument(vm, true)) != NULL)
        rc = testDomainStart(host, vm, doc, (flags & VIR_DOMAIN_START_PAUSED) != 0);
    pthread_mutex_unlock(&host->lock);
    atomic_store(&domain->id, vm->id);
    virDomainObjEndJob(vm);
    return rc;
}

static virDomainPtr
testDomainCreateXML(virConnectPtr conn, const char *xml, unsigned int flags)
{
    struct testHost *host = testHostOf(conn);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;
    virDomainPtr domain = NULL;
    bool isNew;

    virCheckFlags(VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_VALIDATE, NULL);
    if ((doc = virDocumentParse(xml, NULL)) == NULL ||
        (vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE, "virDomainCreateXML", &isNew)) == NULL)
        return NULL;
    pthread_mutex_lock(&host->lock);
    testHostSettle(host);
    if ((domain = virDomainObjHandle(conn, vm)) != NULL &&
        testDomainStart(host, vm, doc, (flags & VIR_DOMAIN_START_PAUSED) != 0) == 0) {
        atomic_store(&domain->id, vm->id);
    } else {
        if (isNew)
            virDomainListRemove(host->domains, vm);
        if (domain != NULL) {
            virErrorPtr error = virSaveLastError();

            virDomainFree(domain);
            virRestoreLastError(error);
            domain = NULL;
        }
    }
    pthread_mutex_unlock(&host->lock);
    virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    return domain;
}

/*
 * While it migrates, pausing is what helps a guest that writes too much; it will run at the
 * destination.
 */
static int
testTransitionSuspend(struct testHost *host, struct virDomainObj *vm)
{
    bool migrating = vm->job == VIR_DOMAIN_JOB_KIND_MIGRATION_OUT;

    if (vm->job == VIR_DOMAIN_JOB_KIND_MIGRATION_IN)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is still arriving", vm->name);
    if (vm->state == VIR_DOMAIN_PAUSED)
        return 0;
    if (vm->state != VIR_DOMAIN_RUNNING)
        return virDomainObjReportInactive(vm);
    virDomainObjSetState(vm, VIR_DOMAIN_PAUSED, migrating ? VIR_DOMAIN_PAUSED_MIGRATION : VIR_DOMAIN_PAUSED_USER);
    virDomainObjEmit(vm, VIR_DOMAIN_EVENT_SUSPENDED,
                     migrating ? VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED : VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    pthread_cond_broadcast(&host->changed);
    return 0;
}

static int
testDomainSuspend(virDomainPtr domain)
{
    return testDomainChange(domain, "virDomainSuspend", true, testTransitionSuspend);
}

static int
testTransitionResume(struct testHost *host, struct virDomainObj *vm)
{
    if (vm->state == VIR_DOMAIN_RUNNING)
        return 0;
    if (vm->state != VIR_DOMAIN_PAUSED)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is not paused", vm->name);
    if (testLeaseResume(host, vm) < 0)
        return -1;
    virDomainObjSetState(vm, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    virDomainObjEmit(vm, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    return 0;
}

static int
testDomainResume(virDomainPtr domain)
{
    return testDomainChange(domain, "virDomainResume", false, testTransitionResume);
}

/* What the guest's document wants when the guest powers off or reboots. */
static const char *
testDomainAction(struct virDomainObj *vm, const char *element, const char *fallback, xmlDocPtr *doc)
{
    const char *action = NULL;

    if ((*doc = virDomainObjDocument(vm, false)) == NULL)
        return NULL;
    action = virXmlString(virXmlRoot(*doc), element);
    return action != NULL ? action : fallback;
}

static void
testDomainReboots(struct virDomainObj *vm)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_REBOOT, .name = vm->name, .id = vm->id };

    memcpy(event.uuid, vm->uuid, VIR_UUID_BUFLEN);
    virDomainObjSetState(vm, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    virDomainEventEmit(virDomainObjConfig(vm)->hub, &event);
}

/*
 * The simulated guest obeys at once: destroy ends it, restart boots it again, preserve leaves it
 * standing.
 */
static int
testDomainObey(struct testHost *host, struct virDomainObj *vm, const char *element, const char *fallback)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    const char *action = testDomainAction(vm, element, fallback, &doc);

    if (action == NULL)
        return -1;
    if (vm->state == VIR_DOMAIN_PAUSED)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is paused: it cannot obey", vm->name);
    if (strcmp(action, "restart") == 0 || strcmp(action, "rename-restart") == 0 || strcmp(action, "coredump-restart") == 0) {
        testDomainReboots(vm);
    } else if (strcmp(action, "preserve") == 0) {
        virDomainObjSetState(vm, VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_USER);
        virDomainObjEmit(vm, VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_GUEST);
    } else {
        testDomainEnd(host, vm, VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
    }
    return 0;
}

static int
testTransitionShutdown(struct testHost *host, struct virDomainObj *vm)
{
    return testDomainObey(host, vm, "on_poweroff", "destroy");
}

static int
testDomainShutdown(virDomainPtr domain, unsigned int flags)
{
    virCheckFlags(VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN, -1);
    return testDomainChange(domain, "virDomainShutdownFlags", false, testTransitionShutdown);
}

static int
testTransitionReboot(struct testHost *host, struct virDomainObj *vm)
{
    return testDomainObey(host, vm, "on_reboot", "restart");
}

static int
testDomainReboot(virDomainPtr domain, unsigned int flags)
{
    virCheckFlags(VIR_DOMAIN_REBOOT_ACPI_POWER_BTN, -1);
    return testDomainChange(domain, "virDomainReboot", false, testTransitionReboot);
}

/* The reset button: a paused guest stays paused. */
static int
testTransitionReset(struct testHost *host, struct virDomainObj *vm)
{
    int state = vm->state, reason = vm->reason;

    (void)host;
    testDomainReboots(vm);
    if (state == VIR_DOMAIN_PAUSED)
        virDomainObjSetState(vm, state, reason);
    return 0;
}

static int
testDomainReset(virDomainPtr domain, unsigned int flags)
{
    virCheckFlags(0, -1);
    return testDomainChange(domain, "virDomainReset", false, testTransitionReset);
}

static int
testTransitionDestroy(struct testHost *host, struct virDomainObj *vm)
{
    testDomainEnd(host, vm, VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
    return 0;
}

static int
testDomainDestroy(virDomainPtr domain, unsigned int flags)
{
    virCheckFlags(VIR_DOMAIN_DESTROY_GRACEFUL | VIR_DOMAIN_DESTROY_REMOVE_LOGS, -1);
    return testDomainChange(domain, "virDomainDestroyFlags", true, testTransitionDestroy);
}

/* ---------- how a guest is ---------- */

static char *
testDomainGetOSType(virDomainPtr domain)
{
    return virDomainObjOf(domain) != NULL ? virStringCopy("linux") : NULL;
}

/* A simulated guest has been busy since the beginning of the epoch, as libvirt's are. */
static unsigned long long
testDomainCpuTime(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec;
}

static int
testDomainGetInfo(virDomainPtr domain, virDomainInfoPtr info)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    if (vm == NULL || virDomainObjMemory(vm, &info->maxMem, &info->memory) < 0)
        return -1;
    info->state = (unsigned char)vm->state;
    info->nrVirtCpu = (unsigned short)vm->vcpus;
    info->cpuTime = vm->id >= 0 ? testDomainCpuTime() : 0;
    return 0;
}

static int
testDomainGetVcpus(virDomainPtr domain, virVcpuInfoPtr info, int max, unsigned char *cpumaps, int maplen)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    int count;

    if (vm == NULL)
        return -1;
    if (vm->id < 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "cannot list vcpus for an inactive domain");
    count = (int)vm->vcpus < max ? (int)vm->vcpus : max;
    if (cpumaps != NULL &&
        virDomainObjSlotGetVcpuPinInfo(domain, count, cpumaps, maplen, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        info[i].number = (unsigned int)i;
        info[i].state = VIR_VCPU_RUNNING;
        info[i].cpu = (int)testHostOf(domain->conn)->info.cpus - 1;
        info[i].cpuTime = testDomainCpuTime() / 10000;
    }
    return count;
}

/* ---------- the driver ---------- */

VIRT_INTERNAL const struct virDriver virTestDriver = {
    .version = VIRT_DRIVER_VERSION,
    .name = "TEST",
    .schemes = (const char *const[]){ "test", NULL },
    .open = testConnectOpen,
    .close = testConnectClose,
    .connect = {
        .isAlive = testConnectIsAlive,
        .isEncrypted = testConnectIsEncrypted,
        .isSecure = testConnectIsSecure,
        .getVersion = testConnectGetVersion,
        .getHostname = testConnectGetHostname,
        .getCapabilities = testConnectGetCapabilities,
        .getMaxVcpus = testConnectGetMaxVcpus,
        .getSysinfo = testConnectGetSysinfo,
        .getCPUModelNames = testConnectGetCPUModelNames,
    },
    .node = {
        .getInfo = testNodeGetInfo,
        .getFreeMemory = testNodeGetFreeMemory,
        .getCellsFreeMemory = testNodeGetCellsFreeMemory,
        .getCPUMap = testNodeGetCPUMap,
        .getCPUStats = testNodeGetCPUStats,
    },
    .domain = {
        .numOfDomains = virDomainObjSlotNumOfDomains,
        .listDomains = virDomainObjSlotListDomains,
        .numOfDefinedDomains = virDomainObjSlotNumOfDefinedDomains,
        .listDefinedDomains = virDomainObjSlotListDefinedDomains,
        .listAll = virDomainObjSlotListAll,
        .lookupByID = virDomainObjSlotLookupByID,
        .lookupByUUID = virDomainObjSlotLookupByUUID,
        .lookupByName = virDomainObjSlotLookupByName,
        .defineXML = virDomainObjSlotDefineXML,
        .undefine = virDomainObjSlotUndefine,
        .createXML = testDomainCreateXML,
        .create = testDomainCreate,
        .suspend = testDomainSuspend,
        .resume = testDomainResume,
        .shutdown = testDomainShutdown,
        .reboot = testDomainReboot,
        .reset = testDomainReset,
        .destroy = testDomainDestroy,
        .getOSType = testDomainGetOSType,
        .isActive = virDomainObjSlotIsActive,
        .isPersistent = virDomainObjSlotIsPersistent,
        .isUpdated = virDomainObjSlotIsUpdated,
        .getState = virDomainObjSlotGetState,
        .getInfo = testDomainGetInfo,
        .getControlInfo = virDomainObjSlotGetControlInfo,
        .getXMLDesc = virDomainObjSlotGetXMLDesc,
        .getAutostart = virDomainObjSlotGetAutostart,
        .setAutostart = virDomainObjSlotSetAutostart,
        .getMaxMemory = virDomainObjSlotGetMaxMemory,
        .setMemory = testDomainSetMemory,
        .setMemoryStatsPeriod = testDomainSetMemoryStatsPeriod,
        .getMaxVcpus = virDomainObjSlotGetMaxVcpus,
        .getVcpusFlags = virDomainObjSlotGetVcpusFlags,
        .getVcpus = testDomainGetVcpus,
        .getVcpuPinInfo = virDomainObjSlotGetVcpuPinInfo,
        .getEmulatorPinInfo = virDomainObjSlotGetEmulatorPinInfo,
        .getMetadata = virDomainObjSlotGetMetadata,
        .setMetadata = virDomainObjSlotSetMetadata,
        .rename = virDomainObjSlotRename,
        .blockStats = testDomainBlockStats,
        .interfaceStats = testDomainInterfaceStats,
        .memoryStats = testDomainMemoryStats,
        .getBlockInfo = testDomainGetBlockInfo,
        .getDiskErrors = testDomainGetDiskErrors,
        .getCPUStats = testDomainGetCPUStats,
        .getSchedulerType = testDomainGetSchedulerType,
        .getAllStats = virStatsOfAll,
        .listGetStats = testDomainListGetStats,
        .sendKey = testDomainSendKey,
        .injectNMI = testDomainInjectNMI,
        .openConsole = testDomainOpenConsole,
        .screenshot = testDomainScreenshot,
        .getJobInfo = testDomainGetJobInfo,
        .getJobStats = testDomainGetJobStats,
        .abortJob = testDomainAbortJob,
    },
    .migration = {
        .begin = testDomainMigrateBegin,
        .prepare = testDomainMigratePrepare,
        .perform = testDomainMigratePerform,
        .finish = testDomainMigrateFinish,
        .halt = testDomainMigrateHalt,
        .confirm = testDomainMigrateConfirm,
        .wait = testDomainMigrateWait,
        .drop = testDomainMigrateDrop,
        .decide = testDomainMigrateDecide,
        .list = testConnectListMigrations,
        .check = testDomainMigrateCheck,
        .checkIncoming = testDomainMigrateCheckIncoming,
        .startPostCopy = testDomainMigrateStartPostCopy,
        .setMaxDowntime = testDomainMigrateSetMaxDowntime,
        .getMaxDowntime = testDomainMigrateGetMaxDowntime,
        .setMaxSpeed = testDomainMigrateSetMaxSpeed,
        .getMaxSpeed = testDomainMigrateGetMaxSpeed,
        .getCompressionCache = testDomainMigrateGetCompressionCache,
        .setCompressionCache = testDomainMigrateSetCompressionCache,
    },
};

#undef TEST_MAX_SPEED
#undef VIRT_FROM
