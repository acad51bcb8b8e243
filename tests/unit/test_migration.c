/*
 * Migration between simulated hosts: what the records promise, asked of the slots themselves; what is said of a transfer
 * under way; older protocols. The fault matrix is in torture.c.
 */
#define VIRT_TRACE_STALL 300000                   /* us; nobody waits here for five seconds */
#include "../../drivers/common/platform.h"
#include "../../drivers/common/process.h"
#include "../../drivers/migration/trace.c"
#include "../../drivers/test/test.h"
#include "../harness.h"

#include <unistd.h>
#ifndef _WIN32
# include <sys/wait.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---------- hosts and a guest ---------- */

#define GUEST "<domain type='test'><name>m</name><uuid>3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a002</uuid><memory unit='MiB'>1</memory>" \
              "<os><type arch='i686'>hvm</type></os></domain>"

static virConnectPtr
openHost(const char *name, const char *parameters)
{
    virConnectPtr conn;
    char uri[256];

    snprintf(uri, sizeof(uri), "test:///default?host=%s%s", name, parameters);
    CHECK_PTR(conn = virConnectOpen(uri));
    return conn;
}

/* 1: runs, 0: stands paused, -1: not active */
static int
guestOn(virConnectPtr conn)
{
    virDomainPtr domain = virDomainLookupByName(conn, "m");
    int state = VIR_DOMAIN_NOSTATE, active;

    if (domain == NULL)
        return -1;
    active = virDomainIsActive(domain);
    if (virDomainGetState(domain, &state, NULL, 0) < 0 || active != 1)
        state = VIR_DOMAIN_NOSTATE;
    virDomainFree(domain);
    return state == VIR_DOMAIN_RUNNING ? 1 : state == VIR_DOMAIN_PAUSED ? 0 : -1;
}

static int
recordsOf(virConnectPtr conn, unsigned int flags)
{
    return virConnectListMigrations(conn, NULL, flags);
}

static void
takeAway(virConnectPtr conn)
{
    virDomainPtr domain = virDomainLookupByName(conn, "m");

    if (domain != NULL) {
        if (virDomainIsActive(domain) == 1)
            EXPECT(virDomainDestroy(domain) == 0, "destroy: %s", virGetLastErrorMessage());
        virDomainFree(domain);
    }
    if ((domain = virDomainLookupByName(conn, "m")) != NULL) {
        EXPECT(virDomainUndefine(domain) == 0, "undefine: %s", virGetLastErrorMessage());
        virDomainFree(domain);
    }
}

/* ---------- the slots themselves: what the records promise ---------- */

struct pair {
    virConnectPtr source, destination;
    virDomainPtr domain;
    struct virMigrationCall call;
    char *cookie, *uri;
};

static void
openPair(struct pair *pair, const char *source, const char *destination, unsigned int flags)
{
    static const unsigned char guest[VIR_UUID_BUFLEN] = { 0x3f, 0x0a, 0x2b, 0x44, 0x6c, 0x53, 0x4d, 0x0f,
                                                          0x8a, 0x35, 0x1f, 0x5b, 0x1e, 0xe1, 0xa0, 0x02 };

    *pair = (struct pair){ .call = { .uuid = "3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0ff", .flags = flags, .timeout = 1000, .stream = -1,
                                     .name = "m", .guest = guest } };
    pair->source = openHost("source", source);
    pair->destination = openHost("destination", destination);
    CHECK_PTR(pair->domain = virDomainCreateXML(pair->source, GUEST, 0));
}

static void
closePair(struct pair *pair)
{
    free(pair->cookie);
    free(pair->uri);
    virDomainFree(pair->domain);
    takeAway(pair->source);
    takeAway(pair->destination);
    CHECK_INT(virConnectClose(pair->source), 0);
    CHECK_INT(virConnectClose(pair->destination), 0);
}

static int
begin(struct pair *pair)
{
    char *cookie = NULL;
    int rc = virTestDriver.migration.begin(pair->domain, &pair->call, &cookie);

    CHECK_INT(cookie != NULL, rc == VIR_MIGRATION_DONE);
    if (cookie != NULL) {
        free(pair->cookie);
        pair->cookie = cookie;
    }
    return rc;
}

static int
prepare(struct pair *pair)
{
    char *cookie = NULL, *uri = NULL;
    int rc = virTestDriver.migration.prepare(pair->destination, &pair->call, pair->cookie, &cookie, &uri);

    CHECK_INT(uri != NULL, rc == VIR_MIGRATION_DONE);
    free(cookie);
    if (uri != NULL) {
        free(pair->uri);
        pair->uri = uri;
    }
    return rc;
}

static int
perform(struct pair *pair)
{
    char *cookie = NULL;
    int rc = virTestDriver.migration.perform(pair->domain, &pair->call, NULL, pair->uri, &cookie);

    free(cookie);
    return rc;
}

/* *started: the guest is there. */
static int
finish(struct pair *pair, int cancelled, bool *started)
{
    virDomainPtr guest = NULL;
    char *cookie = NULL;
    int rc = virTestDriver.migration.finish(pair->destination, &pair->call, NULL, cancelled, &cookie, &guest);

    free(cookie);
    *started = guest != NULL;
    if (guest != NULL)
        virDomainFree(guest);
    return rc;
}

static int halt(struct pair *pair) { return virTestDriver.migration.halt(pair->domain, &pair->call); }
static int confirm(struct pair *pair, int cancelled) { return virTestDriver.migration.confirm(pair->domain, &pair->call, NULL, cancelled); }

/* The only record of the host is at this stage. */
static void
checkStage(virConnectPtr conn, const char *stage, bool over)
{
    char **records = NULL, text[64];

    CHECK_INT(virConnectListMigrations(conn, &records, 0), 1);
    snprintf(text, sizeof(text), "\"stage\":\"%s\",\"over\":%s", stage, over ? "true" : "false");
    CHECK_CONTAINS(records[0], text);
    virStringsFree(records);
    CHECK_INT(recordsOf(conn, over ? VIR_CONNECT_LIST_MIGRATIONS_ACTIVE : VIR_CONNECT_LIST_MIGRATIONS_OVER), 0);
}

TEST(what_was_halted_is_not_begun_or_performed_any_more)
{
    struct pair pair;
    bool started;

    openPair(&pair, "", "", VIR_MIGRATE_LIVE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
    checkStage(pair.source, "halted", false);
    CHECK_INT(perform(&pair), VIR_MIGRATION_FAILED);
    CHECK_INT(begin(&pair), VIR_MIGRATION_FAILED);
    CHECK_INT(finish(&pair, 1, &started), VIR_MIGRATION_DONE);
    CHECK(!started);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);
    CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
    checkStage(pair.source, "stayed", true);
    CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_FAILED);
    CHECK_INT(guestOn(pair.source), 1);
    CHECK_INT(guestOn(pair.destination), -1);
    closePair(&pair);
}

TEST(what_was_halted_or_cancelled_before_it_was_known_never_comes)
{
    struct pair pair;
    bool started;

    openPair(&pair, "", "", VIR_MIGRATE_LIVE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(finish(&pair, 1, &started), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_FAILED);
    checkStage(pair.destination, "refused", true);
    CHECK_INT(guestOn(pair.destination), -1);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_FAILED);
    CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);

    pair.call.uuid = "3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0fe";
    CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_FAILED);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_FAILED);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_FAILED);
    CHECK_OK(virDomainSuspend(pair.domain));
    closePair(&pair);
}

TEST(an_incomplete_copy_is_refused_and_removed)
{
    struct pair pair;
    bool started;

    openPair(&pair, "&bandwidth=1", "", VIR_MIGRATE_LIVE);
    pair.call.timeout = 0;
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(perform(&pair), VIR_MIGRATION_AGAIN);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_FAILED);
    CHECK_INT(guestOn(pair.destination), -1);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_FAILED);
    CHECK_INT(perform(&pair), VIR_MIGRATION_FAILED);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);
    CHECK_INT(guestOn(pair.source), 1);
    closePair(&pair);
}

/* The destination has everything, and the source's hypervisor ends: whether it goes on there only the destination knows. */
TEST(a_source_that_died_leaves_it_to_the_destination)
{
    struct pair pair;
    bool started;

    openPair(&pair, "", "", VIR_MIGRATE_LIVE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
    CHECK_OK(virDomainDestroy(pair.domain));
    CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(halt(&pair), VIR_MIGRATION_FAILED);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_DONE);
    CHECK(started);
    CHECK_INT(finish(&pair, 1, &started), VIR_MIGRATION_DONE);
    CHECK(started);
    CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_DONE);
    CHECK_INT(guestOn(pair.destination), 1);
    closePair(&pair);

    openPair(&pair, "&fault=perform:die:50&memory-mib=1", "", VIR_MIGRATE_LIVE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_FAILED);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "died while it was being migrated");
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_FAILED);
    checkStage(pair.source, "gone", true);
    closePair(&pair);
}

/* ---- after a crash whoever looks at the host finds it settled, with nobody asking for the phase again ---- */

static int starts;

static int
onStart(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    (void)conn;
    (void)domain;
    (void)detail;
    (void)opaque;
    starts += event == VIR_DOMAIN_EVENT_RESUMED;
    return 0;
}

static void
onTimer(int timer, void *opaque)
{
    (void)timer;
    *(bool *)opaque = true;
}

static void
runLoop(void)
{
    bool over = false;
    int timer;

    CHECK_OK(timer = virEventAddTimeout(20, onTimer, &over, NULL));
    while (!over)
        CHECK_OK(virEventRunDefaultImpl());
    virEventRemoveTimeout(timer);
}

TEST(what_was_told_to_start_starts_after_a_crash_and_once)
{
    CHECK_OK(virInitialize());
    CHECK_OK(virEventRegisterDefaultImpl());
    for (int mark = 1; mark <= 3; mark++) {
        struct pair pair;
        char fault[64];
        bool started;
        int callback;

        snprintf(fault, sizeof(fault), "&fault=finish:crash:%d", mark);
        openPair(&pair, "", fault, VIR_MIGRATE_LIVE);
        CHECK_OK(callback = virConnectDomainEventRegisterAny(pair.destination, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                             VIR_DOMAIN_EVENT_CALLBACK(onStart), NULL, NULL));
        starts = 0;
        CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_AGAIN);
        CHECK_INT(guestOn(pair.destination), 1);
        CHECK_INT(guestOn(pair.source), 0);
        checkStage(pair.destination, "arrived", true);
        CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_DONE);
        CHECK(started);
        runLoop();
        CHECK_INT(starts, 1);
        CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_DONE);
        CHECK_OK(virConnectDomainEventDeregisterAny(pair.destination, callback));
        closePair(&pair);
    }
}

TEST(what_was_told_to_end_or_go_on_does_so_after_a_crash)
{
    for (int mark = 1; mark <= 3; mark++) {
        struct pair pair;
        char fault[64];
        bool started;

        snprintf(fault, sizeof(fault), "&fault=confirm:crash:%d", mark);
        openPair(&pair, fault, "", VIR_MIGRATE_LIVE);
        CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_DONE);
        CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_AGAIN);
        CHECK_INT(guestOn(pair.source), -1);
        checkStage(pair.source, "left", true);
        closePair(&pair);

        snprintf(fault, sizeof(fault), "&fault=rollback:crash:%d", mark);
        openPair(&pair, fault, "", 0);                     /* not live: it stands as long as it moves */
        CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(finish(&pair, 1, &started), VIR_MIGRATION_DONE);
        CHECK_INT(guestOn(pair.source), 0);
        CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_AGAIN);
        CHECK_OK(recordsOf(pair.source, 0));
        checkStage(pair.source, "stayed", true);
        CHECK_INT(guestOn(pair.source), 1);
        closePair(&pair);

        snprintf(fault, sizeof(fault), "&fault=cancel:crash:%d", mark);
        openPair(&pair, "", fault, VIR_MIGRATE_LIVE);
        CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(finish(&pair, 1, &started), VIR_MIGRATION_AGAIN);
        CHECK_INT(guestOn(pair.destination), -1);
        checkStage(pair.destination, "refused", true);
        CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
        CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);
        closePair(&pair);
    }
}

/* The transfer is the hypervisors': it goes on while nobody manages the source. */
TEST(a_source_is_judged_by_its_transfer_after_a_crash)
{
    struct pair pair;
    bool started;

    openPair(&pair, "&memory-mib=1&fault=perform:crash:2", "", VIR_MIGRATE_LIVE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(perform(&pair), VIR_MIGRATION_AGAIN);
    harnessSleepMs(10);
    CHECK_INT(guestOn(pair.source), 0);
    checkStage(pair.source, "performing", false);
    CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_DONE);
    CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_DONE);
    closePair(&pair);
}

TEST(an_incomplete_copy_expires_and_a_complete_one_does_not)
{
    struct pair pair;
    bool started;

    openPair(&pair, "", "&migration-expiry=2", VIR_MIGRATE_LIVE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(guestOn(pair.destination), 0);
    harnessSleepMs(1200);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);         /* it has heard something */
    harnessSleepMs(1200);
    CHECK_INT(guestOn(pair.destination), 0);
    harnessSleepMs(2100);
    CHECK_INT(guestOn(pair.destination), -1);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "nothing was heard");
    CHECK_INT(perform(&pair), VIR_MIGRATION_FAILED);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);

    pair.call.uuid = "3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0fe";
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(perform(&pair), VIR_MIGRATION_DONE);
    harnessSleepMs(2100);
    CHECK_INT(guestOn(pair.destination), 0);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_DONE);
    CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_DONE);
    closePair(&pair);
}

/* ---- post-copy ---- */

static int
reasonOn(virConnectPtr conn)
{
    virDomainPtr domain = virDomainLookupByName(conn, "m");
    int state, reason = -1;

    CHECK_PTR(domain);
    CHECK_OK(virDomainGetState(domain, &state, &reason, 0));
    virDomainFree(domain);
    return reason;
}

static void
givenAway(struct pair *pair)
{
    CHECK_INT(begin(pair), VIR_MIGRATION_DONE);
    CHECK_FAILS(virDomainMigrateStartPostCopy(pair->domain, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_INT(prepare(pair), VIR_MIGRATION_DONE);
    pair->call.timeout = 0;
    CHECK_INT(perform(pair), VIR_MIGRATION_AGAIN);
    CHECK_OK(virDomainMigrateStartPostCopy(pair->domain, 0));
    CHECK_INT(perform(pair), VIR_MIGRATION_DONE);
    CHECK_INT(reasonOn(pair->source), VIR_DOMAIN_PAUSED_POSTCOPY);
    CHECK_FAILS(virDomainAbortJob(pair->domain), VIR_ERR_OPERATION_INVALID);
    CHECK_INT(halt(pair), VIR_MIGRATION_FAILED);
}

TEST(post_copy_runs_there_and_ends_here_when_all_is_there)
{
    struct pair pair;
    bool started;

    openPair(&pair, "&memory-mib=64&bandwidth=128&dirty-rate=4096", "", VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY);
    givenAway(&pair);
    CHECK_INT(finish(&pair, 1, &started), VIR_MIGRATION_DONE);   /* it is too late to cancel it */
    CHECK(started);
    CHECK_INT(guestOn(pair.destination), 1);
    CHECK_INT(reasonOn(pair.destination), VIR_DOMAIN_RUNNING_POSTCOPY);
    CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_AGAIN);
    CHECK_INT(guestOn(pair.source), 0);
    pair.call.timeout = 10000;
    CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_DONE);
    CHECK_INT(guestOn(pair.source), -1);
    CHECK_INT(reasonOn(pair.destination), VIR_DOMAIN_RUNNING_MIGRATED);
    closePair(&pair);
}

TEST(post_copy_waits_when_the_network_breaks_and_recovers)
{
    struct pair pair;
    bool started;

    openPair(&pair, "&memory-mib=8&bandwidth=16&dirty-rate=4096&fault=perform:break:60", "", VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY);
    givenAway(&pair);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_DONE);
    while (reasonOn(pair.source) != VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)
        CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_AGAIN);
    CHECK_INT(reasonOn(pair.destination), VIR_DOMAIN_RUNNING_POSTCOPY_FAILED);
    pair.call.timeout = 10000;
    pair.call.flags |= VIR_MIGRATE_POSTCOPY_RESUME;
    CHECK_INT(confirm(&pair, 0), VIR_MIGRATION_DONE);
    CHECK_INT(guestOn(pair.source), -1);
    CHECK_INT(reasonOn(pair.destination), VIR_DOMAIN_RUNNING_MIGRATED);
    closePair(&pair);
}

TEST(post_copy_to_a_host_that_dies_loses_the_guest_and_says_so)
{
    struct pair pair;
    bool started;

    openPair(&pair, "&memory-mib=64&bandwidth=128&dirty-rate=4096", "&fault=finish:power:1", VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY);
    givenAway(&pair);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_AGAIN);
    CHECK_INT(finish(&pair, 0, &started), VIR_MIGRATION_FAILED);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "lost in post-copy");
    CHECK_INT(guestOn(pair.source), -1);
    CHECK_INT(guestOn(pair.destination), -1);
    closePair(&pair);
}

TEST(post_copy_must_have_been_allowed)
{
    struct pair pair;

    openPair(&pair, "&memory-mib=64&bandwidth=64", "", VIR_MIGRATE_LIVE);
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    pair.call.timeout = 0;
    CHECK_INT(perform(&pair), VIR_MIGRATION_AGAIN);
    CHECK_FAILS(virDomainMigrateStartPostCopy(pair.domain, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "VIR_MIGRATE_POSTCOPY");
    CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);
    closePair(&pair);
}

/* ---- how it gets on ---- */

struct progress { unsigned long long left, remaining; int convergence, stalled; bool told; };

static struct progress
progressOf(virMigrationPtr m)
{
    struct progress progress = { .convergence = -1, .stalled = -1 };
    virTypedParameterPtr params = NULL;
    int n = 0;

    CHECK_OK(virMigrationGetStats(m, &params, &n));
    progress.told = virTypedParamsGetULLong(params, n, VIR_DOMAIN_JOB_TIME_REMAINING, &progress.left) == 1;
    virTypedParamsGetULLong(params, n, VIR_DOMAIN_JOB_MEMORY_REMAINING, &progress.remaining);
    virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_CONVERGENCE, &progress.convergence);
    virTypedParamsGetBoolean(params, n, VIR_DOMAIN_JOB_STALLED, &progress.stalled);
    virTypedParamsFree(params, n);
    return progress;
}

static virMigrationPtr
stepIntoPerform(struct pair *pair, int ms)
{
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(pair->domain, pair->destination, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 100), 1);
    CHECK_INT(virMigrationStep(m, ms), 1);
    CHECK_INT(virMigrationGetPhase(m), VIR_MIGRATION_PHASE_PERFORM);
    return m;
}

static void
abortIt(virMigrationPtr m)
{
    CHECK_OK(virMigrationAbort(m));
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(m);
}

/* By what is left and how fast it becomes less: 60 MiB of 64 or so at 16 MiB/s, of which the guest writes 4 anew. */
TEST(the_time_that_is_left_is_estimated)
{
    virDomainJobInfo info;
    struct progress progress;
    struct pair pair;
    virMigrationPtr m;

    openPair(&pair, "&memory-mib=64&bandwidth=16&dirty-rate=4", "", 0);
    m = stepIntoPerform(&pair, 50);
    progress = progressOf(m);
    CHECK(progress.told);
    CHECK(progress.left > 0 && progress.left <= 5400);
    CHECK_INT(progress.left, (long long)((double)progress.remaining * 1000 / (12 * 1048576) + 0.5));
    CHECK_INT(progress.stalled, 0);
    CHECK_OK(virDomainGetJobInfo(pair.domain, &info));
    CHECK(info.timeRemaining > 0 && info.timeRemaining <= progress.left);
    abortIt(m);
    closePair(&pair);
}

TEST(what_does_not_converge_has_no_time_left_but_never)
{
    struct progress progress;
    struct pair pair;
    virMigrationPtr m;

    openPair(&pair, "&memory-mib=32&bandwidth=64&dirty-rate=128", "", 0);
    m = stepIntoPerform(&pair, 700);
    progress = progressOf(m);
    CHECK_INT(progress.convergence, VIR_MIGRATION_CONVERGENCE_NO);
    CHECK(!progress.told);
    CHECK_OK(virDomainSuspend(pair.domain));               /* now it writes no more */
    CHECK_OK(virMigrationStep(m, 1));
    progress = progressOf(m);
    CHECK_INT(progress.convergence, VIR_MIGRATION_CONVERGENCE_YES);
    CHECK(progress.told);
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    closePair(&pair);
}

TEST(a_transfer_that_does_not_move_has_stalled)
{
    long long end;
    struct pair pair;
    virMigrationPtr m;

    openPair(&pair, "&memory-mib=64&bandwidth=64&fault=perform:hang", "", 0);
    m = stepIntoPerform(&pair, 1);
    CHECK_INT(progressOf(m).stalled, 0);
    for (end = harnessNowMs() + 400; harnessNowMs() < end;)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_INT(progressOf(m).stalled, 1);
    abortIt(m);
    closePair(&pair);

    openPair(&pair, "&memory-mib=64&bandwidth=64", "", 0);
    m = stepIntoPerform(&pair, 1);
    for (end = harnessNowMs() + 500; harnessNowMs() < end;)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_INT(progressOf(m).stalled, 0);
    abortIt(m);
    closePair(&pair);
}

/* ---- what is listed ---- */

TEST(what_was_refused_before_it_began_is_on_record_under_its_guests_name)
{
    struct pair pair;
    virMigrationPtr m;

    openPair(&pair, "&fault=begin:fail", "", 0);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    for (int side = 0; side < 2; side++) {
        virConnectPtr conn = side == 0 ? pair.source : pair.destination;
        char **records = NULL;

        CHECK_INT(virConnectListMigrations(conn, &records, 0), 1);
        CHECK_CONTAINS(records[0], "\"name\":\"m\",\"uuid\":\"3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a002\"");
        virStringsFree(records);
    }
    virMigrationFree(m);
    closePair(&pair);
}

TEST(who_is_not_running_is_named)
{
    struct pair pair;

    openPair(&pair, "", "", 0);
    CHECK_FAILS(virDomainCreate(pair.domain), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'm' is already running");
    CHECK_OK(virDomainDestroy(pair.domain));
    virDomainFree(pair.domain);
    CHECK_PTR(pair.domain = virDomainDefineXML(pair.source, GUEST));
    CHECK_FAILS(virDomainSuspend(pair.domain), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'm' is not running");
    CHECK_FAILS(virDomainDestroy(pair.domain), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'm' is not running");
    closePair(&pair);
}

TEST(a_record_says_what_another_controller_must_know)
{
    virTypedParameterPtr params = NULL;
    char **records = NULL;
    int n = 0, max = 0;
    struct pair pair;

    openPair(&pair, "", "", VIR_MIGRATE_LIVE);
    CHECK_INT(virConnectListMigrations(pair.source, &records, 0), 0);
    CHECK_NULL(records[0]);
    virStringsFree(records);
    CHECK_OK(virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, 1ULL << 40));
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_NAME, "m"));
    pair.call.params = params;
    pair.call.nparams = n;
    CHECK_INT(begin(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(prepare(&pair), VIR_MIGRATION_DONE);
    for (int side = 0; side < 2; side++) {
        virConnectPtr conn = side == 0 ? pair.source : pair.destination;
        unsigned long long since = 0;
        cJSON *json;

        CHECK_INT(virConnectListMigrations(conn, &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 1);
        CHECK_PTR(json = virJsonParse(records[0], strlen(records[0]), "a record"));
        CHECK_STR(virJsonString(json, "migration"), pair.call.uuid);
        CHECK_STR(virJsonString(json, "side"), side == 0 ? "source" : "destination");
        CHECK_STR(virJsonString(json, "name"), "m");
        CHECK_STR(virJsonString(json, "uuid"), "3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a002");
        CHECK_STR(virJsonString(json, "stage"), side == 0 ? "begun" : "prepared");
        CHECK_OK(virJsonULongLong(json, "since", &since));
        CHECK(since > 1500000000000ULL);
        virTypedParamsFree(params, n);
        CHECK_OK(virTypedParamsFromJson(virJsonGet(json, "params"), &params, &n, "a record"));
        CHECK_INT(n, 2);
        CHECK_UINT(params[0].value.ul, 1ULL << 40);
        cJSON_Delete(json);
        virStringsFree(records);
        pair.call.params = params;
    }
    CHECK_INT(halt(&pair), VIR_MIGRATION_DONE);
    CHECK_INT(confirm(&pair, 1), VIR_MIGRATION_DONE);
    closePair(&pair);
    virTypedParamsFree(params, n);
}

/* ---- the process that keeps a lease ---- */

#ifndef _WIN32
TEST(a_host_that_loses_power_ends_the_keeper_and_not_whoever_has_its_pid_since)
{
    virConnectPtr conn = virConnectOpen("test:///default");
    virDomainPtr domain = virDomainLookupByName(conn, "test");
    struct testDomain *test;
    struct virProcess other;
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    CHECK_PTR(domain);
    CHECK_PTR(test = testDomainOf(domain->obj));
    CHECK_OK(virProcessIdentify(pid, &other));
    test->seat.keeper = pid;
    test->keeperSince = other.startTime - 1;
    testLeaseLosePower(domain->obj);
    test->seat.keeper = pid;
    test->keeperSince = 0;            /* it had gone before it could be told apart */
    testLeaseLosePower(domain->obj);
    usleep(50000);
    CHECK_INT(waitpid(pid, &status, WNOHANG), 0);
    test->seat.keeper = pid;
    test->keeperSince = other.startTime;
    testLeaseLosePower(domain->obj);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}
#endif

/* ---- older protocols, the grammar of faults ---- */

TEST(an_older_protocol_is_a_table_with_fewer_slots)
{
    virConnectPtr one = openHost("old", "&protocol=1"), two = openHost("old", "&protocol=2"), three = openHost("old", "&protocol=3");

    CHECK(one->driver->migration.prepare != NULL && one->driver->migration.perform != NULL);
    CHECK(one->driver->migration.begin == NULL && one->driver->migration.finish == NULL && one->driver->migration.confirm == NULL);
    CHECK(two->driver->migration.begin == NULL && two->driver->migration.finish != NULL && two->driver->migration.confirm == NULL);
    CHECK(one->driver->migration.halt == NULL && two->driver->migration.halt == NULL);
    CHECK(three->driver == &virTestDriver);
    CHECK_FAILS_NULL(virConnectOpen("test:///default?protocol=4"), VIR_ERR_INVALID_ARG);
    virConnectClose(one);
    virConnectClose(two);
    virConnectClose(three);
}

/* From each to each; the guest may have been paused, and may fail on its way. */
TEST(every_protocol_moves_a_guest_to_every_other)
{
    static const char *const faults[] = { "", "&fault=perform:fail:50" };

    for (int i = 0; i < 3 * 3 * 2 * 2; i++) {
        int from = i % 3 + 1, to = i / 3 % 3 + 1;
        bool paused = i / 9 % 2 != 0, fails = i / 18 != 0;
        char source[128], destination[128];
        virMigrationPtr m;
        struct pair pair;

        harnessContext("from protocol %d to %d%s%s", from, to, paused ? ", paused" : "", fails ? ", perform fails" : "");
        snprintf(source, sizeof(source), "&protocol=%d%s", from, faults[fails]);
        snprintf(destination, sizeof(destination), "&protocol=%d", to);
        openPair(&pair, source, destination, 0);
        if (paused)
            CHECK_OK(virDomainSuspend(pair.domain));
        CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
        while (virMigrationStep(m, 50) > 0)
            ;
        CHECK_INT(virMigrationGetOutcome(m), fails ? VIR_MIGRATION_OUTCOME_ROLLED_BACK : VIR_MIGRATION_OUTCOME_MIGRATED);
        CHECK_INT(guestOn(pair.source), fails ? !paused : -1);
        CHECK_INT(guestOn(pair.destination), fails ? -1 : !paused);
        virMigrationFree(m);
        closePair(&pair);
    }
}

TEST(faults_that_cannot_be_are_refused)
{
    static const char *const wrong[] = {
        "prepare:crash:3", "begin:power:0", "finish:break", "halt:fail", "rollback:die", "perform:crash:x", "nothing", "perform:melt",
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        char uri[128];

        snprintf(uri, sizeof(uri), "test:///default?fault=%s", wrong[i]);
        CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_INVALID_ARG);
        if (i == 0)
            CHECK_CONTAINS(virGetLastErrorMessage(), "1 prepared is on record, 2 the hypervisor listens");
    }
}
