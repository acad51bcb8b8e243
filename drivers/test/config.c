/*
 * Where the simulated hosts come from: the well-known default one, or a <node> file; and what a
 * connection's URI says.
 *
 *     test:///default                 the default host, one for the whole process, as it was at
 *                                     its first connection
 *     test:///default?host=NAME       another host of the same kind, called NAME
 *     test:///path/of/file.xml        a host of this connection alone, as the file describes it
 *
 * Parameters of a host, which its first connection gives:
 *
 *     lock=MANAGER:PLACE              its guests run only while it holds their leases: "file:/srv/leases"
 *     lock-owner=NAME                 what it is called there (otherwise a name that no other host has)
 *     lock-disks=no                   disks have no leases of their own
 *
 * Parameters that tell how guests of this connection migrate: memory-mib=N, dirty-rate=N and
 * bandwidth=N (both in MiB/s, see transfer.c), migration-expiry=N (seconds), protocol=1|2|3 (test.c),
 * fault=... (fault.c)
 */
#include "test.h"

#include "../common/document.h"
#include "../common/file.h"
#include "../common/host.h"
#include "../common/platform.h"

#include <limits.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_TEST

/* What programs and courses written for libvirt expect to find. */
static const char testDefaultDomain[] =
    "<domain type='test'>\n"
    "  <name>test</name>\n"
    "  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>\n"
    "  <memory unit='KiB'>8388608</memory>\n"
    "  <currentMemory unit='KiB'>2097152</currentMemory>\n"
    "  <vcpu placement='static'>2</vcpu>\n"
    "  <os>\n"
    "    <type arch='i686'>hvm</type>\n"
    "    <boot dev='hd'/>\n"
    "  </os>\n"
    "  <clock offset='utc'/>\n"
    "  <on_poweroff>destroy</on_poweroff>\n"
    "  <on_reboot>restart</on_reboot>\n"
    "  <on_crash>destroy</on_crash>\n"
    "  <devices>\n"
    "    <disk type='file' device='disk'>\n"
    "      <source file='/guest/diskimage1'/>\n"
    "      <target dev='vda' bus='virtio'/>\n"
    "      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>\n"
    "    </disk>\n"
    "    <interface type='network'>\n"
    "      <mac address='aa:bb:cc:dd:ee:ff'/>\n"
    "      <source network='default'/>\n"
    "      <target dev='testnet0'/>\n"
    "      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>\n"
    "    </interface>\n"
    "    <memballoon model='virtio'>\n"
    "      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>\n"
    "    </memballoon>\n"
    "  </devices>\n"
    "</domain>\n";

/* ---------- hosts ---------- */

static void
testDomainRefresh(struct virDomainObj *vm, void *opaque)
{
    struct testHost *host = opaque;

    (void)vm;
    if (host->arriving > 0 || host->crashed || host->unsettled)        /* else there is nothing to look for, and nothing to lock */
        testMigrationRefresh(host);
}

static void
testDomainFree(void *priv)
{
    struct testDomain *test = priv;

    if (test != NULL && test->seat.fd >= 0)
        close(test->seat.fd);
    if (test != NULL)
        testStreamUnref(test->console);
    free(test);
}

static struct testHost *
testHostNew(const struct testHostSettings *settings)
{
    struct testHost *host = virAllocate(sizeof(*host));
    struct virDomainListConfig config = { .freePriv = testDomainFree, .refresh = testDomainRefresh };

    if (host == NULL)
        return NULL;
    pthread_mutex_init(&host->lock, NULL);
    virPlatformCondInit(&host->changed);

    host->info = (virNodeInfo){ .model = "i686", .memory = 3145728, .cpus = 16, .mhz = 1400, .nodes = 2, .sockets = 2,
                                .cores = 2, .threads = 2 };
    host->name = settings->name != NULL ? virStringCopy(settings->name) : virHostGetHostname();
    host->hub = virEventHubNew();
    config.hub = host->hub;
    config.opaque = host;
    if (host->name == NULL || host->hub == NULL || (host->domains = virDomainListNew(&config)) == NULL ||
        (settings->locks != NULL && testLeasesOpen(host, settings->locks, settings->owner, settings->disks) < 0)) {
        testHostFree(host);
        return NULL;
    }
    return host;
}

/* A host that is shut down orderly. */
static int
testDomainSwitchOff(struct virDomainObj *vm, void *opaque)
{
    testLeaseEnd(opaque, vm);
    return 0;
}

VIRT_INTERNAL void
testHostFree(struct testHost *host)
{
    if (host == NULL)
        return;
    testMigrationsFree(host);
    if (host->leases != NULL)
        virDomainListEach(host->domains, testDomainSwitchOff, host);
    virDomainListFree(host->domains);
    testLeasesClose(host);
    virEventHubFree(host->hub);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    free(host->name);
    free(host);
}

/* Its guest would run: 1: it may; 0: it has a lease that another host's has got, and stays off; -1. */
static int
testHostMayRun(struct testHost *host, struct virDomainObj *vm, xmlDocPtr doc)
{
    if (testLeaseAcquire(host, vm, doc) == 0)
        return 1;
    if (virGetLastErrorCode() != VIR_ERR_RESOURCE_BUSY)
        return -1;
    virLog(VIR_LOG_WARN, "test.lease", "%s", virGetLastErrorMessage());
    virResetLastError();
    return 0;
}

/* Takes a domain in as a host finds it at the beginning: nothing is told to anybody. */
static int
testHostAddDomain(struct testHost *host, const char *xml, int state, bool transient)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDocumentParse(xml, NULL);
    struct virDomainObj *vm;
    bool isNew;
    int rc = 0, runs = 0;

    if (doc == NULL || (vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE, "virConnectOpen", &isNew)) == NULL)
        return -1;
    if (!transient)
        rc = virDomainObjDefine(vm, doc);
    if (rc == 0 && state != VIR_DOMAIN_SHUTOFF && (runs = testHostMayRun(host, vm, doc)) < 0)
        rc = -1;
    if (rc == 0 && runs > 0)
        rc = virDomainObjStarted(vm, doc, virDomainListNextId(host->domains), state, 0);
    else if (rc == 0 && transient)
        virDomainListRemove(host->domains, vm);
    else if (rc == 0)
        virDomainObjSetState(vm, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_UNKNOWN);
    virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    return rc;
}

VIRT_INTERNAL struct testHost *
testHostNewDefault(const struct testHostSettings *settings)
{
    struct testHost *host = testHostNew(settings);

    if (host == NULL)
        return NULL;
    host->cells = 2;
    host->cellMemory[0] = 2097152;
    host->cellMemory[1] = 4194304;
    if (testHostAddDomain(host, testDefaultDomain, VIR_DOMAIN_RUNNING, false) < 0) {
        testHostFree(host);
        return NULL;
    }
    return host;
}

/* ---------- a <node> file ---------- */

static int
testNodeParseInfo(struct testHost *host, xmlNodePtr root)
{
    const struct { const char *path; unsigned int *value; } numbers[] = {
        { "cpu/mhz", &host->info.mhz },
        { "cpu/active", &host->info.cpus },
        { "cpu/nodes", &host->info.nodes },
        { "cpu/sockets", &host->info.sockets },
        { "cpu/cores", &host->info.cores },
        { "cpu/threads", &host->info.threads },
    };
    unsigned long long memory = host->info.memory;
    const char *model = virXmlString(root, "cpu/model");

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (virXmlUInt(root, numbers[i].path, numbers[i].value) < 0)
            return -1;
    }
    if (virXmlULongLong(root, "memory", &memory) < 0)
        return -1;
    host->info.memory = (unsigned long)memory;
    if (model != NULL) {
        if (strlen(model) >= sizeof(host->info.model))
            return virReportError(VIR_ERR_INTERNAL_ERROR, "CPU model '%s' is longer than %zu characters", model,
                                  sizeof(host->info.model) - 1);
        memset(host->info.model, 0, sizeof(host->info.model));
        memcpy(host->info.model, model, strlen(model));
    }
    return 0;
}

/*
 * A domain as it is found at the beginning: in this state (test:runstate), defined or not
 * (test:transient).
 */
static int
testNodeParseDomain(struct testHost *host, xmlNodePtr element, const char *directory)
{
    const char *file = virXmlString(element, "@file");
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    VIRT_CLEANUP_FREE char *path = NULL, *text = NULL;
    xmlNodePtr domain = element, option;
    unsigned int state = VIR_DOMAIN_RUNNING;
    bool transient;

    if (file != NULL) {
        path = virPlatformIsAbsolute(file) ? virStringCopy(file) : virStringFormat("%s/%s", directory, file);
        if (path == NULL || (doc = virXmlParseFile(path, "domain")) == NULL)
            return -1;
        domain = virXmlRoot(doc);
    }
    if ((option = virXmlFind(domain, "test:runstate")) != NULL) {
        if (virXmlUInt(option, "", &state) < 0)
            return -1;
        if (state >= VIR_DOMAIN_LAST)
            return virReportError(VIR_ERR_XML_ERROR, "runstate '%u' is not a domain's state", state);
    }
    transient = virXmlFind(domain, "test:transient") != NULL;
    if (transient && state == VIR_DOMAIN_SHUTOFF)
        return virReportError(VIR_ERR_XML_ERROR, "transient domain cannot have runstate 'shutoff'");
    if ((text = virXmlFormatNode(domain)) == NULL)
        return -1;
    return testHostAddDomain(host, text, (int)state, transient);
}

VIRT_INTERNAL struct testHost *
testHostNewFromFile(const char *path, const struct testHostSettings *settings)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virXmlParseFile(path, "node");
    VIRT_CLEANUP_FREE char *directory = NULL;
    struct testHost *host;

    if (doc == NULL || (directory = virStringCopy(path)) == NULL || (host = testHostNew(settings)) == NULL)
        return NULL;
    *strrchr(directory, '/') = '\0';                       /* the path of a URI begins with a slash */
    if (testNodeParseInfo(host, virXmlRoot(doc)) < 0)
        goto error;
    VIRT_XML_EACH(element, virXmlRoot(doc), "domain") {
        if (testNodeParseDomain(host, element, directory) < 0)
            goto error;
    }
    return host;

error:
    testHostFree(host);
    return NULL;
}

/* ---------- the settings of a connection ---------- */

VIRT_INTERNAL int
testHostConfigure(struct testHostSettings *settings, const struct virUri *uri)
{
    const char *disks = virUriParam(uri, "lock-disks");

    *settings = (struct testHostSettings){ .locks = virUriParam(uri, "lock"), .owner = virUriParam(uri, "lock-owner"), .disks = true };
    if (strcmp(uri->path, "/default") == 0)
        settings->name = virUriParam(uri, "host");
    if (settings->locks == NULL && (settings->owner != NULL || disks != NULL))
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter %s: there is no lock manager without URI parameter lock",
                              disks != NULL ? "lock-disks" : "lock-owner");
    if (disks != NULL && strcmp(disks, "yes") != 0 && strcmp(disks, "no") != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter lock-disks: '%s' is not yes or no", disks);
    settings->disks = disks == NULL || strcmp(disks, "yes") == 0;
    return 0;
}

/* Of a host that somebody may have opened before. */
VIRT_INTERNAL int
testHostCheckSettings(const struct testHost *host, const struct testHostSettings *settings)
{
    const struct virLock *leases = host->leases;

    if (settings->locks == NULL || (leases != NULL && strcmp(leases->place, settings->locks) == 0 && leases->disks == settings->disks &&
                                    (settings->owner == NULL || strcmp(leases->owner, settings->owner) == 0)))
        return 0;
    if (leases == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter lock: host '%s' was opened before without a lock manager", host->name);
    return virReportError(VIR_ERR_INVALID_ARG, "URI parameter lock: host '%s' was opened before with lock manager '%s', lock-owner '%s', "
                          "lock-disks=%s", host->name, leases->place, leases->owner, leases->disks ? "yes" : "no");
}

static int
testConnectNumber(const struct virUri *uri, const char *name, unsigned long long unit, unsigned long long *value)
{
    const char *text = virUriParam(uri, name);
    unsigned long long number;

    if (text == NULL)
        return 0;
    if (virStringToULL(text, 10, &number) < 0 || number > ULLONG_MAX / unit)
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter %s: '%s' is not a number", name, text);
    *value = number * unit;
    return 0;
}

VIRT_INTERNAL int
testConnectConfigure(struct testConnect *test, const struct virUri *uri)
{
    static const char *const known[] = { "host", "memory-mib", "dirty-rate", "bandwidth", "fault", "protocol",
                                         "migration-expiry", "lock", "lock-owner", "lock-disks" };
    const unsigned long long mib = 1024 * 1024;
    const char *fault = virUriParam(uri, "fault");

    for (size_t i = 0; i < uri->nparams; i++) {
        size_t k = 0;

        while (k < sizeof(known) / sizeof(known[0]) && strcmp(known[k], uri->params[i].name) != 0)
            k++;
        if (k == sizeof(known) / sizeof(known[0]))
            return virReportError(VIR_ERR_INVALID_ARG, "URI parameter '%s' is not one of the test driver "
                                  "(host, memory-mib, dirty-rate, bandwidth, fault, protocol, migration-expiry, lock, lock-owner, lock-disks)", uri->params[i].name);
    }
    test->dirtyRate = 256 * mib;
    test->bandwidth = 64 * 1024 * mib;
    test->expiry = 300;
    test->protocol = 3;
    if (testConnectNumber(uri, "memory-mib", mib, &test->memory) < 0 ||
        testConnectNumber(uri, "dirty-rate", mib, &test->dirtyRate) < 0 ||
        testConnectNumber(uri, "bandwidth", mib, &test->bandwidth) < 0 ||
        testConnectNumber(uri, "migration-expiry", 1, &test->expiry) < 0 ||
        testConnectNumber(uri, "protocol", 1, &test->protocol) < 0)
        return -1;
    if (test->expiry > ULLONG_MAX / 1000000)
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter migration-expiry: %llu seconds are too many", test->expiry);
    if (test->protocol < 1 || test->protocol > 3)
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter protocol: '%llu' is not 1, 2 or 3", test->protocol);
    if (test->bandwidth == 0)
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter bandwidth: nothing moves at 0 MiB/s");
    return fault != NULL ? testMigrationParseFaults(test, fault) : 0;
}

/* ---------- capabilities ---------- */

static void
testFormatCell(struct virText *text, const struct testHost *host, int cell)
{
    int cpus = (int)host->info.cpus / host->cells;

    virTextAdd(text, "        <cell id='%d'>\n", cell);
    virTextAdd(text, "          <memory unit='KiB'>%llu</memory>\n", host->cellMemory[cell]);
    virTextAdd(text, "          <pages unit='KiB' size='%d'>524288</pages>\n", cell == 0 ? 4 : 8);
    virTextAdd(text, "          <pages unit='KiB' size='2048'>0</pages>\n");
    virTextAdd(text, "          <pages unit='KiB' size='1048576'>0</pages>\n");
    virTextAdd(text, "          <cpus num='%d'>\n", cpus);
    for (int i = 0; i < cpus; i++)
        virTextAdd(text, "            <cpu id='%d' socket_id='%d' die_id='0' core_id='%d' siblings='%d'/>\n",
                   cell * cpus + i, cell, i, cell * cpus + i);
    virTextAdd(text, "          </cpus>\n        </cell>\n");
}

VIRT_INTERNAL char *
testHostFormatCapabilities(const struct testHost *host)
{
    static const char *const osTypes[] = { "hvm", "xen" };
    struct virText text = { 0 };

    virTextAdd(&text, "<capabilities>\n\n  <host>\n    <cpu>\n      <arch>i686</arch>\n      <features>\n"
               "        <pae/>\n        <nonpae/>\n      </features>\n");
    for (int i = 0; i < 4; i++)
        virTextAdd(&text, "      <pages unit='KiB' size='%d'/>\n", (const int[]){ 4, 8, 2048, 1048576 }[i]);
    virTextAdd(&text, "    </cpu>\n    <power_management/>\n    <iommu support='no'/>\n"
               "    <migration_features>\n      <live/>\n    </migration_features>\n"
               "    <topology>\n      <cells num='%d'>\n", host->cells);
    for (int i = 0; i < host->cells; i++)
        testFormatCell(&text, host, i);
    virTextAdd(&text, "      </cells>\n    </topology>\n    <secmodel>\n      <model>testSecurity</model>\n"
               "      <doi></doi>\n    </secmodel>\n  </host>\n\n");
    for (int i = 0; i < 2; i++)
        virTextAdd(&text, "  <guest>\n    <os_type>%s</os_type>\n    <arch name='i686'>\n      <wordsize>32</wordsize>\n"
                   "      <emulator>/usr/bin/test-hv</emulator>\n      <domain type='test'/>\n    </arch>\n    <features>\n"
                   "      <pae/>\n      <nonpae/>\n    </features>\n  </guest>\n\n", osTypes[i]);
    virTextAdd(&text, "</capabilities>\n");
    return virTextTake(&text);
}

#undef VIRT_FROM
