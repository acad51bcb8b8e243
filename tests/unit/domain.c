/* Domain objects and their list: jobs, tables, and what happens when the driver cannot store something. */
#include "../../drivers/common/domain_calls.c"
#include "../harness.h"

static const char *const unitTypes[] = { "test", NULL };

/* A store that can fail. */
static struct { bool failSave, failRemove; char names[64]; int saved, removed; } unitStore;

static int
unitSave(struct virDomainObj *vm, const char *name, const char *xml, void *opaque)
{
    (void)vm;
    (void)opaque;
    CHECK_CONTAINS(xml, name);
    if (unitStore.failSave)
        return virReportErrorFrom(VIR_FROM_NONE, VIR_ERR_OPERATION_FAILED, __FILE__, __LINE__, "the disk is full");
    unitStore.saved++;
    return 0;
}

static int
unitRemove(struct virDomainObj *vm, const char *name, void *opaque)
{
    (void)vm;
    (void)opaque;
    if (unitStore.failRemove)
        return virReportErrorFrom(VIR_FROM_NONE, VIR_ERR_OPERATION_FAILED, __FILE__, __LINE__, "cannot remove %s", name);
    unitStore.removed++;
    return 0;
}

/* A connection whose domains are a list of ours. */
static struct virDomainList *unitOwn;
static virConnectPtr unitConn;

static virConnectPtr
unitOpen(void)
{
    struct virDomainListConfig config = { .types = unitTypes, .saveDefinition = unitSave, .removeDefinition = unitRemove };

    CHECK_PTR(unitConn = virConnectOpen("test:///default"));
    CHECK_PTR(config.hub = unitConn->hub);
    CHECK_PTR(unitOwn = virDomainListNew(&config));
    ((struct virDomainHost *)unitConn->priv)->domains = unitOwn;
    return unitConn;
}

static void
unitClose(void)
{
    virDomainListFree(unitOwn);
    virConnectClose(unitConn);
}

static virDomainPtr
unitDefine(const char *name)
{
    char xml[256];

    snprintf(xml, sizeof(xml), "<domain type='test'><name>%s</name><memory>64</memory><os><type>hvm</type></os></domain>", name);
    return virDomainDefineXML(unitConn, xml);
}

static struct virDomainObj *
unitObj(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    CHECK_PTR(vm);
    return vm;
}

TEST(every_table_finds_each_of_thousands)
{
    enum { COUNT = 3000 };
    static virDomainPtr all[COUNT];
    char name[32];

    unitOpen();
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        CHECK_PTR(all[i] = unitDefine(name));
        if (i % 3 == 0) {
            xmlDocPtr doc = virDomainObjDocument(unitObj(all[i]), true);

            CHECK_OK(virDomainObjStarted(unitObj(all[i]), doc, virDomainListNextId(unitOwn), VIR_DOMAIN_RUNNING, 0));
            virXmlFree(doc);
        }
    }
    CHECK_INT(virConnectListAllDomains(unitConn, NULL, 0), COUNT);
    CHECK_INT(virConnectNumOfDomains(unitConn), COUNT / 3);
    for (int i = 0; i < COUNT; i++) {
        virDomainPtr found;

        snprintf(name, sizeof(name), "d%d", i);
        CHECK_PTR(found = virDomainLookupByName(unitConn, name));
        CHECK_MEM(found->uuid, all[i]->uuid, VIR_UUID_BUFLEN);
        virDomainFree(found);
        CHECK_PTR(found = virDomainLookupByUUID(unitConn, all[i]->uuid));
        CHECK_STR(virDomainGetName(found), name);
        virDomainFree(found);
        if (i % 3 == 0) {
            CHECK_PTR(found = virDomainLookupByID(unitConn, i / 3 + 1));
            CHECK_STR(virDomainGetName(found), name);
            virDomainFree(found);
        }
    }
    CHECK_FAILS_NULL(virDomainLookupByID(unitConn, COUNT), VIR_ERR_NO_DOMAIN);
    for (int i = COUNT - 1; i >= 0; i -= 2) {
        virDomainObjStopped(unitObj(all[i]), VIR_DOMAIN_SHUTOFF_DESTROYED);
        CHECK_OK(virDomainUndefine(all[i]));
    }
    CHECK_INT(virConnectListAllDomains(unitConn, NULL, 0), COUNT / 2);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        CHECK_INT(virDomainIsPersistent(all[i]), i % 2 == 0 ? 1 : -1);
        virDomainFree(all[i]);
    }
    unitClose();
}

TEST(a_definition_that_cannot_be_stored_changes_nothing)
{
    virDomainPtr domain, again;

    unitOpen();
    unitStore.failSave = true;
    CHECK_NULL(unitDefine("a"));
    CHECK_ERROR(VIR_ERR_OPERATION_FAILED);
    CHECK_INT(virConnectListAllDomains(unitConn, NULL, 0), 0);
    unitStore.failSave = false;
    CHECK_PTR(domain = unitDefine("a"));
    unitStore.failSave = true;
    CHECK_PTR(again = virDomainLookupByName(unitConn, "a"));
    CHECK_FAILS(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "x", NULL, NULL, 0), VIR_ERR_OPERATION_FAILED);
    CHECK_NULL(virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, 0));
    CHECK_FAILS(virDomainRename(domain, "b", 0), VIR_ERR_OPERATION_FAILED);
    CHECK_FAILS_NULL(virDomainLookupByName(unitConn, "b"), VIR_ERR_NO_DOMAIN);
    unitStore.failSave = false;
    unitStore.failRemove = true;
    CHECK_FAILS(virDomainRename(domain, "b", 0), VIR_ERR_OPERATION_FAILED);
    CHECK_FAILS_NULL(virDomainLookupByName(unitConn, "b"), VIR_ERR_NO_DOMAIN);
    CHECK_FAILS(virDomainUndefine(domain), VIR_ERR_OPERATION_FAILED);
    CHECK_INT(virDomainIsPersistent(domain), 1);
    unitStore.failRemove = false;
    CHECK_OK(virDomainRename(domain, "b", 0));
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(again);
    virDomainFree(domain);
    unitClose();
}

static void *
unitTakeJob(void *opaque)
{
    struct virDomainObj *vm = opaque;

    if (virDomainObjBeginJob(vm, "second", false) < 0)
        return (void *)"the job was not given";
    virDomainObjEndJob(vm);
    return NULL;
}

TEST(jobs_come_one_after_the_other)
{
    virDomainPtr domain;
    struct virDomainObj *vm;
    pthread_t thread;
    void *failure;

    unitOpen();
    CHECK_PTR(domain = unitDefine("a"));
    vm = unitObj(domain);
    CHECK_OK(virDomainObjBeginJob(vm, "first", false));
    CHECK_INT(pthread_create(&thread, NULL, unitTakeJob, vm), 0);
    harnessSleepMs(20);
    virDomainObjEndJob(vm);
    pthread_join(thread, &failure);
    CHECK_NULL(failure);

    /* who waits while the domain goes away is told so */
    CHECK_OK(virDomainObjBeginJob(vm, "first", false));
    CHECK_INT(pthread_create(&thread, NULL, unitTakeJob, vm), 0);
    harnessSleepMs(20);
    CHECK_OK(virDomainObjUndefine(vm));
    virDomainObjEndJob(vm);
    pthread_join(thread, &failure);
    CHECK_NOT_NULL(failure);
    virDomainFree(domain);
    unitClose();
}

TEST(a_migration_holds_the_job_without_a_thread)
{
    virDomainPtr domain;
    struct virDomainObj *vm;

    unitOpen();
    CHECK_PTR(domain = unitDefine("a"));
    vm = unitObj(domain);
    CHECK_OK(virDomainObjBeginJob(vm, "begin", false));
    CHECK_OK(virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, "uuid"));
    CHECK_FAILS(virDomainObjBeginJob(vm, "change", false), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainUndefine(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virDomainObjBeginJob(vm, "suspend", true));
    virDomainObjEndJob(vm);
    CHECK_INT(vm->job, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT);
    /* ended by a thread that is inside: it keeps the job it has */
    CHECK_OK(virDomainObjBeginJob(vm, "confirm", true));
    virDomainObjEndMigration(vm);
    CHECK_INT(vm->job, VIR_DOMAIN_JOB_KIND_MODIFY);
    virDomainObjEndJob(vm);
    CHECK_INT(vm->job, VIR_DOMAIN_JOB_KIND_NONE);
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    unitClose();
}

TEST(what_is_on_its_way_in_is_not_shown)
{
    const char *xml = "<domain type='test'><name>new</name><memory>64</memory><os><type>hvm</type></os></domain>";
    struct virDomainObj *vm, *other;
    xmlDocPtr doc;
    bool isNew;

    unitOpen();
    CHECK_PTR(doc = virDocumentParse(xml, unitTypes));
    CHECK_PTR(vm = virDomainListAdd(unitOwn, doc, VIR_DOMAIN_ADD_CREATE, "create", &isNew));
    CHECK(isNew);
    CHECK_INT(virConnectListAllDomains(unitConn, NULL, 0), 0);
    CHECK_FAILS_NULL(virDomainLookupByName(unitConn, "new"), VIR_ERR_NO_DOMAIN);
    CHECK_PTR(other = virDomainListFindName(unitOwn, "new"));
    CHECK(other == vm);
    virDomainObjUnref(other);
    CHECK_OK(virDomainObjStarted(vm, doc, virDomainListNextId(unitOwn), VIR_DOMAIN_RUNNING, 0));
    CHECK_INT(virConnectListAllDomains(unitConn, NULL, 0), 1);
    virDomainObjStopped(vm, VIR_DOMAIN_SHUTOFF_DESTROYED);
    CHECK(vm->removed);
    virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    virXmlFree(doc);
    unitClose();
}

TEST(ids_are_given_once)
{
    unitOpen();
    CHECK_INT(virDomainListNextId(unitOwn), 1);
    virDomainListReserveId(unitOwn, 7);
    virDomainListReserveId(unitOwn, 3);
    CHECK_INT(virDomainListNextId(unitOwn), 8);
    unitClose();
}

TEST(cpu_sets_become_maps)
{
    unsigned char map[2];

    unitOpen();
    CHECK_OK(virDomainCpuMap(unitConn, "0-3,^2,8", map, 2));
    CHECK_INT(map[0], 0x0b);
    CHECK_INT(map[1], 0x01);
    CHECK_OK(virDomainCpuMap(unitConn, "1-4000000000", map, 2));
    CHECK_INT(map[0], 0xfe);
    CHECK_OK(virDomainCpuMap(unitConn, NULL, map, 2));
    CHECK_INT(map[0], 0xff);
    CHECK_INT(map[1], 0);
    CHECK_FAILS(virDomainCpuMap(unitConn, "all", map, 2), VIR_ERR_XML_ERROR);
    unitClose();
}

TEST(memory_of_a_defined_domain_is_its_text_and_little_more)
{
    enum { COUNT = 1000 };
    size_t before, text = 0;
    char name[32];

    if (harnessIsSanitized())
        SKIP("memory is not judged under sanitizers");
    if (heapInUse() == 0)
        SKIP("this C library does not tell how much memory is in use");
    unitOpen();
    virDomainFree(unitDefine("warm"));
    before = heapInUse();
    for (int i = 0; i < COUNT; i++) {
        virDomainPtr domain;

        snprintf(name, sizeof(name), "d%d", i);
        CHECK_PTR(domain = unitDefine(name));
        text += strlen(unitObj(domain)->definition);
        virDomainFree(domain);
    }
    CHECK_LESS((heapInUse() - before - text) / COUNT, 700);
    unitClose();
}
