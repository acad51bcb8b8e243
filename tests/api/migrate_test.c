/*
 * Migration between simulated hosts, beyond the table: progress, time, settings, documents, protection, and what is left behind.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../fault.h"

#include <limits.h>
#include <pthread.h>

static virConnectPtr
openHost(const char *name, const char *parameters)
{
    virConnectPtr conn;
    char uri[256];

    snprintf(uri, sizeof(uri), "test:///default?host=%s%s", name, parameters);
    CHECK_PTR(conn = virConnectOpen(uri));
    return conn;
}

/* A destination without the default guest, so that the source's can come. */
static virConnectPtr
openEmpty(const char *name, const char *parameters)
{
    virConnectPtr conn = openHost(name, parameters);
    virDomainPtr domain;

    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    return conn;
}

static virDomainPtr
guestOf(virConnectPtr conn)
{
    virDomainPtr domain;

    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    return domain;
}

static unsigned long long
stat(virMigrationPtr m, const char *name)
{
    virTypedParameterPtr params = NULL;
    unsigned long long value = ULLONG_MAX;
    int number, n = 0;

    CHECK_OK(virMigrationGetStats(m, &params, &n));
    if (virTypedParamsGetULLong(params, n, name, &value) != 1 && virTypedParamsGetInt(params, n, name, &number) == 1)
        value = (unsigned long long)number;
    virTypedParamsFree(params, n);
    return value;
}

static void
stepTo(virMigrationPtr m, virMigrationPhase phase)
{
    while (virMigrationGetPhase(m) != phase)
        CHECK_OK(virMigrationStep(m, 20));
}

static void
stepToEnd(virMigrationPtr m)
{
    int rc;

    while ((rc = virMigrationStep(m, 50)) > 0)
        ;
    CHECK_OK(rc);
}

TEST(passes_and_downtime_are_the_same_in_every_run)
{
    unsigned long long first[3] = { 0 };

    for (int run = 0; run < 2; run++) {
        virConnectPtr a = openHost("a", "&memory-mib=64&bandwidth=512&dirty-rate=128"), b = openEmpty("b", "");
        virDomainPtr domain = guestOf(a);
        virMigrationPtr m;

        CHECK_OK(virDomainMigrateSetMaxDowntime(domain, 3, 0));
        CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
        stepToEnd(m);
        CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
        unsigned long long now[3] = { stat(m, VIR_DOMAIN_JOB_MEMORY_ITERATION), stat(m, VIR_DOMAIN_JOB_MEMORY_PROCESSED),
                                      stat(m, VIR_DOMAIN_JOB_DOWNTIME) };
        /* 64 MiB at 512 MiB/s with a quarter of it written again: 64 + 16 + 4, and 1 MiB fits into 3 ms */
        CHECK_UINT(now[0], 3);
        CHECK_UINT(now[1] >> 20, 84 + 1);
        CHECK_LESS(now[2], 4);
        for (int i = 0; i < 3; i++)
            CHECK(run == 0 || now[i] == first[i]);
        memcpy(first, now, sizeof(now));
        virMigrationFree(m);
        virDomainFree(domain);
        virConnectClose(a);
        virConnectClose(b);
    }
}

TEST(a_step_never_takes_longer_than_asked)
{
    virConnectPtr a = openHost("a", "&memory-mib=1024&bandwidth=512"), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m;
    long long start;
    int fd, events, timeout;

    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    stepTo(m, VIR_MIGRATION_PHASE_PERFORM);
    start = harnessOwnMs();
    for (int i = 0; i < 100; i++)
        CHECK_INT(virMigrationStep(m, 0), 1);
    CHECK_LESS(harnessOwnMs() - start, harnessSlow(100));
    start = harnessOwnMs();
    CHECK_INT(virMigrationStep(m, 30), 1);
    CHECK_LESS(harnessOwnMs() - start, harnessSlow(100));
    CHECK_OK(virMigrationGetWait(m, &fd, &events, &timeout));
    CHECK_INT(fd, -1);
    CHECK(timeout > 0 && timeout <= 100);
    CHECK_OK(virMigrationAbort(m));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_ABORTED);
    CHECK_INT(virMigrationStep(m, 0), 0);
    CHECK_OK(virMigrationGetWait(m, &fd, &events, &timeout));
    CHECK_INT(timeout, -1);
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

/* A guest that writes faster than the wire: seen as such, and ended by each of the means there are. */
static void
checkDoesNotConverge(unsigned int flags, int (*help)(virDomainPtr domain), virMigrationOutcome outcome)
{
    virConnectPtr a = openHost("a", "&memory-mib=16&bandwidth=1024&dirty-rate=4096"), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m;

    CHECK_OK(virDomainMigrateSetMaxDowntime(domain, 1, 0));
    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE | flags));
    if (flags == 0) {
        stepTo(m, VIR_MIGRATION_PHASE_PERFORM);
        while (stat(m, VIR_DOMAIN_JOB_MEMORY_ITERATION) == ULLONG_MAX || stat(m, VIR_DOMAIN_JOB_MEMORY_ITERATION) < 4)
            CHECK_INT(virMigrationStep(m, 20), 1);
        CHECK_INT(stat(m, VIR_DOMAIN_JOB_CONVERGENCE), VIR_MIGRATION_CONVERGENCE_NO);
        CHECK_OK(help(domain));
    }
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), outcome);
    if (outcome == VIR_MIGRATION_OUTCOME_MIGRATED)
        CHECK_INT(stat(m, VIR_DOMAIN_JOB_CONVERGENCE), VIR_MIGRATION_CONVERGENCE_YES);
    if (flags != 0)
        CHECK(stat(m, VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE) > 20);
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

static int moreDowntime(virDomainPtr domain) { return virDomainMigrateSetMaxDowntime(domain, 1000, 0); }

TEST(what_does_not_converge_is_seen_and_can_be_ended)
{
    checkDoesNotConverge(0, moreDowntime, VIR_MIGRATION_OUTCOME_MIGRATED);
    checkDoesNotConverge(0, virDomainSuspend, VIR_MIGRATION_OUTCOME_MIGRATED);
    checkDoesNotConverge(0, virDomainAbortJob, VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    checkDoesNotConverge(VIR_MIGRATE_AUTO_CONVERGE, NULL, VIR_MIGRATION_OUTCOME_MIGRATED);
}

TEST(a_guest_under_way_cannot_be_changed)
{
    virConnectPtr a = openHost("a", "&memory-mib=1024&bandwidth=512"), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a), there;
    virDomainControlInfo control;
    virMigrationPtr m, second;
    virDomainJobInfo info;
    char *xml;
    int state, reason;

    CHECK_FAILS(virDomainAbortJob(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE | VIR_MIGRATE_CHANGE_PROTECTION));
    stepTo(m, VIR_MIGRATION_PHASE_PERFORM);
    do {
        CHECK_INT(virMigrationStep(m, 10), 1);
        CHECK_OK(virDomainGetJobInfo(domain, &info));
    } while (info.memProcessed == 0);
    CHECK_FAILS(virDomainShutdown(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainUndefine(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "x", NULL, NULL, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE));
    CHECK_FAILS_NULL(virDomainDefineXML(a, xml), VIR_ERR_OPERATION_INVALID);
    free(xml);
    CHECK_OK(virDomainGetJobInfo(domain, &info));
    CHECK_INT(info.type, VIR_DOMAIN_JOB_UNBOUNDED);
    CHECK_UINT(info.memTotal, 1024ULL << 20);
    CHECK(info.memProcessed > 0 && info.memRemaining > 0);
    CHECK_OK(virDomainGetControlInfo(domain, &control, 0));
    CHECK_INT(control.state, VIR_DOMAIN_CONTROL_JOB);
    /* what arrives is there to be seen, and nobody's to command */
    there = guestOf(b);
    CHECK_OK(virDomainGetState(there, &state, &reason, 0));
    CHECK_INT(state, VIR_DOMAIN_PAUSED);
    CHECK_INT(reason, VIR_DOMAIN_PAUSED_MIGRATION);
    CHECK_FAILS(virDomainResume(there), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainSuspend(there), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainAbortJob(there), VIR_ERR_OPERATION_INVALID);
    /* a second migration of it is refused at its first step */
    CHECK_PTR(second = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    stepToEnd(second);
    CHECK_INT(virMigrationGetOutcome(second), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(virMigrationGetError(second)->code, VIR_ERR_OPERATION_INVALID);
    virMigrationFree(second);
    /* the destination's user ends it: the source's guest goes on */
    CHECK_OK(virDomainDestroy(there));
    virDomainFree(there);
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_OK(virDomainGetState(domain, &state, &reason, 0));
    CHECK_INT(state, VIR_DOMAIN_RUNNING);
    CHECK_FAILS_NULL(virDomainLookupByName(b, "test"), VIR_ERR_NO_DOMAIN);
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(a_guest_destroyed_under_way_is_over_on_both_sides)
{
    virConnectPtr a = openHost("a", "&memory-mib=1024&bandwidth=512"), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    stepTo(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_INT(virMigrationStep(m, 10), 1);
    CHECK_OK(virDomainDestroy(domain));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_LOST);
    CHECK_INT(virDomainIsActive(domain), 0);
    CHECK_INT(virConnectListAllDomains(b, NULL, 0), 0);
    CHECK_OK(virDomainCreate(domain));
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

static virMigrationPtr
migrateWith(virDomainPtr domain, virConnectPtr dconn, unsigned int flags, const char *name, const char *value)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virMigrationPtr m;

    CHECK_OK(virTypedParamsAddString(&params, &n, &max, name, value));
    CHECK_PTR(m = virMigrationNew(domain, dconn, params, (unsigned int)n, flags));
    virTypedParamsFree(params, n);
    stepToEnd(m);
    return m;
}

TEST(the_destination_gets_the_name_and_documents_asked_for)
{
    virConnectPtr a = openHost("a", ""), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a), there;
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virMigrationPtr m;
    char *xml, *at;

    /* a name that none may have is refused at once */
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_NAME, "a\nb"));
    CHECK_FAILS_NULL(virMigrationNew(domain, b, params, (unsigned int)n, VIR_MIGRATE_LIVE), VIR_ERR_XML_DETAIL);
    virTypedParamsFree(params, n);
    /* another machine is refused before anything happens */
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE));
    CHECK_NOT_NULL(at = strstr(xml, ">8388608<"));
    at[1] = '7';
    m = migrateWith(domain, b, VIR_MIGRATE_LIVE, VIR_MIGRATE_PARAM_DEST_XML, xml);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_CONFIG_UNSUPPORTED);
    virMigrationFree(m);
    CHECK_INT(virConnectListAllDomains(b, NULL, 0), 0);

    /* host paths may differ */
    at[1] = '8';
    CHECK_NOT_NULL(at = strstr(xml, "diskimage1"));
    at[9] = '7';
    m = migrateWith(domain, b, VIR_MIGRATE_LIVE, VIR_MIGRATE_PARAM_DEST_XML, xml);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    free(xml);
    CHECK_PTR(there = virMigrationGetDomain(m));
    CHECK_PTR(xml = virDomainGetXMLDesc(there, 0));
    CHECK_CONTAINS(xml, "diskimage7");
    free(xml);
    virMigrationFree(m);

    /* back, under another name: the source still has it defined under the old one */
    m = migrateWith(there, a, VIR_MIGRATE_LIVE, VIR_MIGRATE_PARAM_DEST_NAME, "moved");
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(m);
    CHECK_OK(virDomainUndefine(domain));
    m = migrateWith(there, a, VIR_MIGRATE_LIVE, VIR_MIGRATE_PARAM_DEST_NAME, "moved");
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    virDomainFree(there);
    CHECK_PTR(there = virDomainLookupByName(a, "moved"));
    virDomainFree(there);
    CHECK_INT(virConnectListAllDomains(b, NULL, 0), 0);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(an_address_serves_one_migration_at_a_time)
{
    virConnectPtr a = openHost("a", "&memory-mib=1024&bandwidth=512"), b = openEmpty("b", ""), c = openHost("c", "");
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virDomainPtr domain = guestOf(a), other;
    virMigrationPtr m, second;

    CHECK_PTR(other = virDomainCreateXML(c, "<domain type='test'><name>other</name><memory>64</memory><os><type>hvm</type></os></domain>", 0));
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_URI, "tcp:b:49152"));
    CHECK_PTR(m = virMigrationNew(domain, b, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    stepTo(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_PTR(second = virMigrationNew(other, b, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    stepToEnd(second);
    CHECK_CONTAINS(virMigrationGetError(second)->message, "in use");
    virMigrationFree(second);
    CHECK_OK(virMigrationAbort(m));
    stepToEnd(m);
    virMigrationFree(m);
    CHECK_PTR(second = virMigrationNew(other, b, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    stepToEnd(second);
    CHECK_INT(virMigrationGetOutcome(second), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(second);
    virTypedParamsFree(params, n);
    virDomainFree(other);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
    virConnectClose(c);
}

TEST(offline_moves_the_definition)
{
    virConnectPtr a = openHost("a", ""), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a), there;
    virMigrationPtr m;
    int state;

    CHECK_OK(virDomainDestroy(domain));
    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    stepToEnd(m);
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_INVALID);
    virMigrationFree(m);
    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_OFFLINE));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(m);
    CHECK_INT(virConnectListAllDomains(b, NULL, 0), 0);
    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_OFFLINE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    there = guestOf(b);
    CHECK_OK(virDomainGetState(there, &state, NULL, 0));
    CHECK_INT(state, VIR_DOMAIN_SHUTOFF);
    CHECK_INT(virDomainIsPersistent(there), 1);
    CHECK_OK(virDomainCreate(there));
    virDomainFree(there);
    CHECK_INT(virConnectListAllDomains(a, NULL, 0), 0);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(what_is_not_supported_is_said)
{
    virConnectPtr a = openHost("a", ""), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_TLS));
    stepToEnd(m);
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_UNSUPPORTED);
    virMigrationFree(m);
    m = migrateWith(domain, b, VIR_MIGRATE_LIVE, VIR_MIGRATE_PARAM_COMPRESSION, "mt");
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_UNSUPPORTED);
    virMigrationFree(m);
    m = migrateWith(domain, b, VIR_MIGRATE_LIVE, VIR_MIGRATE_PARAM_URI, "rdma://b");
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_INVALID_ARG);
    virMigrationFree(m);
    /* to where it runs already */
    CHECK_PTR(m = virMigrationNew(domain, a, NULL, 0, VIR_MIGRATE_LIVE));
    stepToEnd(m);
    CHECK_CONTAINS(virMigrationGetError(m)->message, "already active");
    virMigrationFree(m);
    CHECK_INT(virDomainIsActive(domain), 1);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(settings_are_the_running_guests)
{
    virConnectPtr conn = openHost("a", "");
    virDomainPtr domain = guestOf(conn);
    unsigned long long number;
    unsigned long speed;

    CHECK_OK(virDomainMigrateSetMaxDowntime(domain, 123, 0));
    CHECK_OK(virDomainMigrateGetMaxDowntime(domain, &number, 0));
    CHECK_UINT(number, 123);
    CHECK_OK(virDomainMigrateSetMaxSpeed(domain, 77, 0));
    CHECK_OK(virDomainMigrateGetMaxSpeed(domain, &speed, 0));
    CHECK_UINT(speed, 77);
    CHECK_OK(virDomainMigrateSetCompressionCache(domain, 1 << 20, 0));
    CHECK_OK(virDomainMigrateGetCompressionCache(domain, &number, 0));
    CHECK_UINT(number, 1 << 20);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_FAILS(virDomainMigrateSetMaxDowntime(domain, 1, 0), VIR_ERR_OPERATION_INVALID);
    virDomainFree(domain);
    virConnectClose(conn);
}

static int
onJob(virConnectPtr conn, virDomainPtr domain, virTypedParameterPtr params, int nparams, void *opaque)
{
    unsigned long long processed = 0;

    (void)conn;
    (void)domain;
    virTypedParamsGetULLong(params, nparams, VIR_DOMAIN_JOB_MEMORY_PROCESSED, &processed);
    *(unsigned long long *)opaque = processed;
    return 0;
}

static void
onIteration(virConnectPtr conn, virDomainPtr domain, int iteration, void *opaque)
{
    (void)conn;
    (void)domain;
    *(int *)opaque = iteration;
}

static void
onTimer(int timer, void *opaque)
{
    (void)timer;
    *(bool *)opaque = true;
}

TEST(passes_and_the_end_are_told)
{
    unsigned long long processed = 0;
    int iteration = 0, timer, type, n = 0, job, pass;
    virTypedParameterPtr params = NULL;
    virConnectPtr a, b;
    virDomainPtr domain;
    bool over = false;

    CHECK_OK(virInitialize());
    CHECK_OK(virEventRegisterDefaultImpl());
    a = openHost("a", "&memory-mib=64&bandwidth=1024&dirty-rate=256");
    b = openEmpty("b", "");
    domain = guestOf(a);
    CHECK_OK(job = virConnectDomainEventRegisterAny(a, domain, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(onJob),
                                                    &processed, NULL));
    CHECK_OK(pass = virConnectDomainEventRegisterAny(a, domain, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
                                                     VIR_DOMAIN_EVENT_CALLBACK(onIteration), &iteration, NULL));
    CHECK_OK(virDomainMigrateSetMaxDowntime(domain, 2, 0));
    virDomainFree(virDomainMigrate3(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_OK(timer = virEventAddTimeout(20, onTimer, &over, NULL));
    while (!over)
        CHECK_OK(virEventRunDefaultImpl());
    virEventRemoveTimeout(timer);
    CHECK(processed >= 64ULL << 20);
    CHECK_INT(iteration, 3);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(virDomainGetJobStats(domain, &type, &params, &n,
                                      VIR_DOMAIN_JOB_STATS_COMPLETED | (i == 0 ? VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED : 0)));
        CHECK_INT(type, VIR_DOMAIN_JOB_COMPLETED);
        CHECK_INT(virTypedParamsGetBoolean(params, n, VIR_DOMAIN_JOB_SUCCESS, &type), 1);
        virTypedParamsFree(params, n);
        params = NULL;
    }
    CHECK_OK(virDomainGetJobStats(domain, &type, &params, &n, VIR_DOMAIN_JOB_STATS_COMPLETED));
    CHECK_INT(type, VIR_DOMAIN_JOB_NONE);
    CHECK_INT(n, 0);
    CHECK_OK(virConnectDomainEventDeregisterAny(a, job));
    CHECK_OK(virConnectDomainEventDeregisterAny(a, pass));
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(a_hundred_times_back_and_forth_leaves_nothing_behind)
{
    virConnectPtr side[2] = { openHost("a", "&memory-mib=1"), openEmpty("b", "&memory-mib=1") };
    virDomainPtr domain = guestOf(side[0]);
    size_t heap = 0;

    for (int i = 0; i < 100; i++) {
        virDomainPtr next = virDomainMigrate(domain, side[(i + 1) % 2],
                                             VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE, NULL, NULL, 0);

        CHECK_PTR(next);
        virDomainFree(domain);
        domain = next;
        if (i == 25)
            heap = heapInUse();
    }
    if (!harnessIsSanitized())
        CHECK_LESS(heapInUse(), heap + 16384);
    virDomainFree(domain);
    virConnectClose(side[0]);
    virConnectClose(side[1]);
}

/* From the opening of the hosts to the outcome; the guest is never lost, nor twice there. */
static int
migrateOnce(void *opaque)
{
    const unsigned int flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
    virConnectPtr a = virConnectOpen("test:///default?host=a&memory-mib=1"), b = NULL;
    virDomainPtr domain = NULL;
    virMigrationPtr m = NULL;
    int rc = -1, limit = 1000;

    (void)opaque;
    faultPause();
    if (a != NULL)
        b = openEmpty("b", "&memory-mib=1");
    faultResume();
    if (a != NULL && (domain = virDomainLookupByName(a, "test")) != NULL &&
        (m = virMigrationNew(domain, b, NULL, 0, flags)) != NULL) {
        while (virMigrationStep(m, 50) != 0)
            CHECK(limit-- > 0);
        rc = virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED ? 0 : -1;
        CHECK(rc == 0 || virMigrationGetError(m) != NULL);
    } else {
        CHECK(virGetLastErrorCode() != VIR_ERR_OK);
    }
    faultPause();
    if (a != NULL) {
        CHECK_INT(virConnectNumOfDomains(a), rc == 0 ? 0 : 1);
        CHECK_INT(virConnectNumOfDomains(b), rc == 0 ? 1 : 0);
    }
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
    if (rc < 0)
        virDomainFree(NULL);                               /* an error again, for the one that has been cleared */
    faultResume();
    return rc;
}

TEST_LIMIT(migration_survives_every_failing_allocation, 300)
{
    faultSpare("libxml2");
    FAULT_EACH_ALLOCATION(migrateOnce, NULL);
}

TEST(the_job_of_a_migration_that_was_freed_can_be_aborted)
{
    virConnectPtr source = openHost("one", "&memory-mib=4096"), destination = openEmpty("two", "");
    virDomainPtr domain = guestOf(source), other;
    virMigrationPtr m;

    for (int i = 0; i < 2; i++) {
        CHECK_PTR(m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE));
        stepTo(m, i == 0 ? VIR_MIGRATION_PHASE_PREPARE : VIR_MIGRATION_PHASE_PERFORM);
        if (i == 1)
            CHECK_INT(virMigrationStep(m, 10), 1);
        virMigrationFree(m);
        CHECK_FAILS(virDomainReset(domain, 0), VIR_ERR_OPERATION_INVALID);
        CHECK_OK(virDomainAbortJob(domain));
        CHECK_OK(virDomainSuspend(domain));
        CHECK_OK(virDomainResume(domain));
        CHECK_FAILS(virDomainAbortJob(domain), VIR_ERR_OPERATION_INVALID);
        if ((other = virDomainLookupByName(destination, "test")) != NULL) {
            CHECK_OK(virDomainAbortJob(other));            /* what waits there */
            CHECK_INT(virDomainIsActive(other), -1);
            virDomainFree(other);
        }
    }
    virDomainFree(domain);
    CHECK_INT(virConnectClose(source), 0);
    CHECK_INT(virConnectClose(destination), 0);
}

/* ---- fifty at once ---- */

#define FIFTY 50

struct traveller {
    virDomainPtr domain;
    virMigrationPtr m;
    pthread_t thread;
};

static void *
travel(void *opaque)
{
    struct traveller *one = opaque;

    while (virMigrationStep(one->m, 20) > 0)
        ;
    return NULL;
}

static void
checkFifty(bool threads)
{
    virConnectPtr a = openEmpty("a", "&memory-mib=64&bandwidth=512&dirty-rate=64"), b = openEmpty("b", "");
    struct traveller all[FIFTY];
    int under = FIFTY;

    for (int i = 0; i < FIFTY; i++) {
        char xml[256];

        snprintf(xml, sizeof(xml), "<domain type='test'><name>t%d</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>", i);
        CHECK_PTR(all[i].domain = virDomainCreateXML(a, xml, 0));
        CHECK_PTR(all[i].m = virMigrationNew(all[i].domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    }
    for (int i = 0; i < FIFTY && threads; i++)
        CHECK_INT(pthread_create(&all[i].thread, NULL, travel, &all[i]), 0);
    for (int i = 0; i < FIFTY && threads; i++)
        CHECK_INT(pthread_join(all[i].thread, NULL), 0);
    while (under > 0) {
        under = 0;
        for (int i = 0; i < FIFTY; i++)
            under += virMigrationStep(all[i].m, 0) > 0;
        harnessSleepMs(1);
    }
    for (int i = 0; i < FIFTY; i++) {
        CHECK_INT(virMigrationGetOutcome(all[i].m), VIR_MIGRATION_OUTCOME_MIGRATED);
        virMigrationFree(all[i].m);
        virDomainFree(all[i].domain);
    }
    CHECK_INT(virConnectNumOfDomains(a), 0);
    CHECK_INT(virConnectNumOfDomains(b), FIFTY);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(fifty_guests_migrate_at_once_stepped_in_turn)
{
    checkFifty(false);
}

TEST(fifty_guests_migrate_at_once_from_fifty_threads)
{
    checkFifty(true);
}

TEST(the_migration_that_began_last_is_listed_first)
{
    virConnectPtr conns[2] = { openHost("a", ""), openEmpty("b", "") };
    char newest[VIR_UUID_STRING_BUFLEN] = "", **records;
    virMigrationPtr m;

    for (int i = 0; i < 5; i++) {
        virDomainPtr guest = guestOf(conns[i % 2]);

        CHECK_PTR(m = virMigrationNew(guest, conns[1 - i % 2], NULL, 0, VIR_MIGRATE_LIVE | VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_PERSIST_DEST));
        snprintf(newest, sizeof(newest), "%s", virMigrationGetUUID(m));
        while (virMigrationStep(m, 100) > 0)
            ;
        CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
        virMigrationFree(m);
        virDomainFree(guest);
        for (int side = 0; side < 2; side++) {
            CHECK_INT(virConnectListMigrations(conns[side], &records, 0), i + 1);
            CHECK_CONTAINS(records[0], newest);
            for (int k = 0; k <= i; k++)
                free(records[k]);
            free(records);
        }
    }
    virConnectClose(conns[0]);
    virConnectClose(conns[1]);
}
