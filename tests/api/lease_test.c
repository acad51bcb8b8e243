/*
 * Leases of simulated guests: who may start what, what becomes of a lease when a guest ends, moves or is lost, and what is said when
 * somebody else has it. The lock manager is "file"; the hosts are a and b.
 */
#include "../../virt.h"
#include "../fault.h"
#include "../harness.h"

#include <sys/stat.h>

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"       /* the default guest's */

static virConnectPtr
openHost(const char *name, const char *parameters)
{
    virConnectPtr conn;
    char uri[512];

    mkdir(scratchPath("leases"), 0700);
    snprintf(uri, sizeof(uri), "test:///default?host=%s&lock=file:%s&lock-owner=%s%s", name, scratchPath("leases"), name, parameters);
    CHECK_PTR(conn = virConnectOpen(uri));
    return conn;
}

static virDomainPtr
guestOf(virConnectPtr conn)
{
    virDomainPtr domain;

    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    return domain;
}

/* b without the default guest, so that a's can come. */
static virConnectPtr
openEmpty(const char *name, const char *parameters)
{
    virConnectPtr conn = openHost(name, parameters);
    virDomainPtr domain = guestOf(conn);

    if (virDomainIsActive(domain) == 1)
        CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    return conn;
}

/* -1: there is no such guest, or has not been any more between two calls. */
static int
stateOf(virConnectPtr conn, const char *name)
{
    virDomainPtr domain = virDomainLookupByName(conn, name);
    int state = -1;

    if (domain == NULL)
        return -1;
    if (virDomainGetState(domain, &state, NULL, 0) < 0)
        CHECK_INT(virGetLastErrorCode(), VIR_ERR_NO_DOMAIN);
    virDomainFree(domain);
    return state;
}

/* What the file says; "" is nobody. */
static void
checkHolder(const char *key, const char *holder)
{
    char *text = readFile(scratchPath("leases/%s.lease", key)), wanted[100];

    snprintf(wanted, sizeof(wanted), "\"holder\":\"%s\"", holder);
    CHECK_CONTAINS(text, wanted);
    free(text);
}

static void
setHolder(const char *key, const char *holder, int epoch)
{
    char text[200];

    snprintf(text, sizeof(text), "{\"holder\":\"%s\",\"epoch\":%d,\"key\":\"%s\"}", holder, epoch, key);
    writeFile(scratchPath("leases/%s.lease", key), text);
}

/* ---- start and end ---- */

TEST(a_guest_runs_on_one_host_at_a_time)
{
    virConnectPtr a = openHost("a", ""), b = openHost("b", "");
    virDomainPtr here = guestOf(a), there = guestOf(b);

    /* the default host comes with the guest running, but not where another host has its lease */
    CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_RUNNING);
    CHECK_INT(stateOf(b, "test"), VIR_DOMAIN_SHUTOFF);
    checkHolder(UUID, "a");
    CHECK_FAILS(virDomainCreate(there), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'test' belongs to host 'a'");
    CHECK_INT(stateOf(b, "test"), VIR_DOMAIN_SHUTOFF);
    CHECK_OK(virDomainDestroy(here));
    checkHolder(UUID, "");
    CHECK_OK(virDomainCreate(there));
    checkHolder(UUID, "b");
    CHECK_FAILS(virDomainCreateWithFlags(here, VIR_DOMAIN_START_PAUSED), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "host 'b'");
    CHECK_OK(virDomainReboot(there, 0));
    checkHolder(UUID, "b");
    CHECK_OK(virDomainShutdown(there));
    CHECK_OK(virDomainCreate(here));
    checkHolder(UUID, "a");
    virDomainFree(here);
    virDomainFree(there);
    virConnectClose(b);
    virConnectClose(a);
    checkHolder(UUID, "");                     /* a host that is shut down */
}

TEST(a_paused_guest_keeps_its_lease)
{
    virConnectPtr a = openHost("a", ""), b = openHost("b", "");
    virDomainPtr here = guestOf(a), there = guestOf(b);

    CHECK_OK(virDomainSuspend(here));
    CHECK_FAILS(virDomainCreate(there), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virDomainResume(here));
    CHECK_OK(virDomainDestroy(here));
    CHECK_OK(virDomainCreateWithFlags(here, VIR_DOMAIN_START_PAUSED));
    CHECK_FAILS(virDomainCreate(there), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virDomainResume(here));
    virDomainFree(here);
    virDomainFree(there);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(a_paused_guest_goes_on_only_if_nobody_has_had_its_lease)
{
    virConnectPtr a = openHost("a", "");
    virDomainPtr domain = guestOf(a);

    CHECK_OK(virDomainSuspend(domain));
    setHolder(UUID, "", 1);                    /* lost, and still to be had */
    CHECK_OK(virDomainResume(domain));
    checkHolder(UUID, "a");
    CHECK_OK(virDomainSuspend(domain));
    setHolder(UUID, "c", 3);
    CHECK_FAILS(virDomainResume(domain), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'c'");
    CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_PAUSED);
    setHolder(UUID, "", 3);
    CHECK_FAILS(virDomainResume(domain), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "has run elsewhere");
    CHECK_OK(virDomainDestroy(domain));
    checkHolder(UUID, "");
    virDomainFree(domain);
    virConnectClose(a);
}

TEST(what_a_dead_host_held_is_free)
{
    virConnectPtr a = openHost("a", "&fault=begin:power:1"), b = openEmpty("b", ""), c = openHost("c", "");
    virDomainPtr here = guestOf(a), there = guestOf(c);
    virMigrationPtr m;

    CHECK_FAILS(virDomainCreate(there), VIR_ERR_RESOURCE_BUSY);
    CHECK_PTR(m = virMigrationNew(here, b, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_INT(virMigrationStep(m, 0), 1);      /* a loses its power, on another host a moment later */
    WAIT_FOR(stateOf(a, "test") == VIR_DOMAIN_SHUTOFF, 5000);
    checkHolder(UUID, "a");
    CHECK_OK(virDomainCreate(there));
    checkHolder(UUID, "c");
    while (virMigrationStep(m, 10) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_LOST);
    CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_SHUTOFF);
    CHECK_FAILS(virDomainCreate(here), VIR_ERR_RESOURCE_BUSY);
    virMigrationFree(m);
    virDomainFree(here);
    virDomainFree(there);
    virConnectClose(a);
    virConnectClose(b);
    virConnectClose(c);
}

/* ---- what a guest needs for itself ---- */

static int
start(virConnectPtr conn, const char *name, const char *devices)
{
    virDomainPtr domain;
    char xml[2000];

    snprintf(xml, sizeof(xml), "<domain type='test'><name>%s</name><memory>1024</memory><os><type>hvm</type></os>"
             "<devices>%s</devices></domain>", name, devices);
    if ((domain = virDomainCreateXML(conn, xml, 0)) == NULL)
        return -1;
    virDomainFree(domain);
    return 0;
}

static void
end(virConnectPtr conn, const char *name)
{
    virDomainPtr domain = virDomainLookupByName(conn, name);

    CHECK_PTR(domain);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
}

#define DISK(path, more) "<disk type='file' device='disk'><source file='" path "'/><target dev='vda' bus='virtio'/>" more "</disk>"
#define LEASE(space, key) "<lease><lockspace>" space "</lockspace><key>" key "</key><target path='/x' offset='0'/></lease>"

TEST(two_guests_do_not_write_to_one_disk)
{
    virConnectPtr a = openHost("a", ""), b = openHost("b", "");

    CHECK_OK(start(a, "one", DISK("/shared/disk.img", "")));
    CHECK_FAILS(start(a, "two", DISK("/shared/disk.img", "")), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'two': disk:/shared/disk.img is in use by domain ");
    CHECK_FAILS(start(b, "two", DISK("/shared/disk.img", "")), VIR_ERR_RESOURCE_BUSY);
    CHECK_INT(stateOf(b, "two"), -1);
    CHECK_OK(start(b, "two", DISK("/shared/other.img", "")));
    end(b, "two");
    end(a, "one");
    CHECK_OK(start(b, "two", DISK("/shared/disk.img", "")));
    end(b, "two");
    /* one that both may write to, and one that neither does */
    CHECK_OK(start(a, "one", DISK("/shared/cluster.img", "<shareable/>")));
    CHECK_OK(start(b, "two", DISK("/shared/cluster.img", "<shareable/>")));
    CHECK_OK(start(a, "three", DISK("/shared/base.img", "<readonly/>")));
    CHECK_OK(start(b, "four", DISK("/shared/base.img", "<readonly/>")));
    virConnectClose(a);
    virConnectClose(b);
}

TEST(disks_have_no_leases_where_the_host_says_so)
{
    virConnectPtr a = openHost("a", "&lock-disks=no"), b = openHost("b", "&lock-disks=no");

    CHECK_OK(start(a, "one", DISK("/shared/disk.img", "")));
    CHECK_OK(start(b, "two", DISK("/shared/disk.img", "")));
    CHECK_OK(start(a, "three", LEASE("s", "k")));
    CHECK_FAILS(start(b, "four", LEASE("s", "k")), VIR_ERR_RESOURCE_BUSY);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(a_lease_element_is_one_guests)
{
    virConnectPtr a = openHost("a", ""), b = openHost("b", "");

    CHECK_OK(start(a, "one", LEASE("space", "key")));
    CHECK_FAILS(start(b, "two", LEASE("space", "key")), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "lease:space/key is in use by domain ");
    CHECK_OK(start(b, "two", LEASE("other", "key")));
    CHECK_OK(start(b, "three", LEASE("space", "another")));
    end(a, "one");
    CHECK_OK(start(b, "four", LEASE("space", "key")));
    virConnectClose(a);
    virConnectClose(b);
}

/* ---- when the service is away ---- */

TEST(nothing_starts_without_the_lock_manager_and_everything_ends)
{
    virConnectPtr a = openHost("a", "");
    virDomainPtr domain = guestOf(a);

    CHECK_INT(rename(scratchPath("leases"), scratchPath("gone")), 0);
    CHECK_FAILS(start(a, "one", ""), VIR_ERR_SYSTEM_ERROR);
    CHECK_INT(stateOf(a, "one"), -1);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_SYSTEM_ERROR);
    CHECK_INT(rename(scratchPath("gone"), scratchPath("leases")), 0);
    checkHolder(UUID, "a");                    /* nobody could be told; without a hypervisor it keeps nobody out */
    CHECK_OK(virDomainCreate(domain));
    virDomainFree(domain);
    virConnectClose(a);
}

TEST(parameters_that_are_wrong_are_refused)
{
    static const struct { const char *uri; int code; const char *says; } bad[] = {
        { "lock=file:relative", VIR_ERR_INVALID_ARG, "not an absolute path" },
        { "lock=file:/does/not/exist", VIR_ERR_SYSTEM_ERROR, "/does/not/exist" },
        { "lock=file:", VIR_ERR_INVALID_ARG, "needs a place" },
        { "lock=file", VIR_ERR_INVALID_ARG, "needs a place" },
        { "lock=", VIR_ERR_CONFIG_UNSUPPORTED, "lock manager ''" },
        { "lock=paper:/x", VIR_ERR_CONFIG_UNSUPPORTED, "lock manager 'paper'" },
        { "lock-owner=me", VIR_ERR_INVALID_ARG, "without URI parameter lock" },
        { "lock-disks=no", VIR_ERR_INVALID_ARG, "without URI parameter lock" },
        { "lock=file:/tmp&lock-disks=maybe", VIR_ERR_INVALID_ARG, "'maybe' is not yes or no" },
        { "lock=file:/tmp&lock-owner=", VIR_ERR_INVALID_ARG, "cannot be the owner" },
        { "lock-place=/x", VIR_ERR_INVALID_ARG, "'lock-place'" },
    };
    virConnectPtr a, plain;
    char uri[300];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(uri, sizeof(uri), "test:///default?host=x&%s", bad[i].uri);
        harnessContext("%s", uri);
        CHECK_FAILS_NULL(virConnectOpen(uri), bad[i].code);
        CHECK_CONTAINS(virGetLastErrorMessage(), bad[i].says);
    }
    /* a host has one lock manager, that of its first connection */
    a = openHost("a", "");
    CHECK_FAILS_NULL(virConnectOpen("test:///default?host=a&lock=file:/tmp"), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "host 'a' was opened before with lock manager 'file:");
    CHECK_PTR(plain = virConnectOpen("test:///default?host=a"));
    CHECK_FAILS(start(plain, "x", DISK("/guest/diskimage1", "")), VIR_ERR_RESOURCE_BUSY);
    virConnectClose(plain);
    virConnectClose(a);
    CHECK_PTR(plain = virConnectOpen("test:///default?host=a"));
    snprintf(uri, sizeof(uri), "test:///default?host=a&lock=file:%s", scratchPath("leases"));
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "opened before without a lock manager");
    virConnectClose(plain);
}

TEST(hosts_without_a_name_for_it_are_told_apart)
{
    virConnectPtr conn[2];
    char uri[300];

    mkdir(scratchPath("leases"), 0700);
    writeFile(scratchPath("node.xml"), "<node><domain type='test'><name>x</name><uuid>" UUID "</uuid><memory>1024</memory>"
              "<os><type>hvm</type></os></domain></node>");
    snprintf(uri, sizeof(uri), "test://%s?lock=file:%s", scratchPath("node.xml"), scratchPath("leases"));
    for (int i = 0; i < 2; i++)
        CHECK_PTR(conn[i] = virConnectOpen(uri));
    CHECK_INT(stateOf(conn[0], "x"), VIR_DOMAIN_RUNNING);
    CHECK_INT(stateOf(conn[1], "x"), VIR_DOMAIN_SHUTOFF);
    virConnectClose(conn[0]);
    virConnectClose(conn[1]);
}

/* ---- migration ---- */

static char reason[500];                         /* why the last one did not go through */

static virMigrationOutcome
migrate(virConnectPtr a, virConnectPtr b, int timeout)
{
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE);
    virMigrationOutcome outcome;
    virErrorPtr error;

    CHECK_PTR(m);
    while (virMigrationStep(m, timeout) > 0)
        ;
    outcome = virMigrationGetOutcome(m);
    error = virMigrationGetError(m);
    snprintf(reason, sizeof(reason), "%s", error != NULL ? error->message : "");
    virMigrationFree(m);
    virDomainFree(domain);
    return outcome;
}

TEST(a_lease_moves_with_its_guest)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", ""), c = openHost("c", "");
    virDomainPtr domain = guestOf(c);

    CHECK_INT(migrate(a, b, 20), VIR_MIGRATION_OUTCOME_MIGRATED);
    checkHolder(UUID, "b");
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "host 'b'");
    CHECK_FAILS(start(c, "x", DISK("/guest/diskimage1", "")), VIR_ERR_RESOURCE_BUSY);
    CHECK_INT(migrate(b, a, 20), VIR_MIGRATION_OUTCOME_MIGRATED);
    checkHolder(UUID, "a");
    end(a, "test");
    checkHolder(UUID, "");
    CHECK_OK(virDomainCreate(domain));
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
    virConnectClose(c);
}

TEST(a_guest_that_does_not_start_there_brings_its_lease_back)
{
    static const char *const faults[] = { "finish:fail", "finish:die", "finish:power:4", "prepare:fail" };

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        char parameter[100];
        virConnectPtr a = openHost("a", "&memory-mib=1"), b;

        harnessContext("%s", faults[i]);
        snprintf(parameter, sizeof(parameter), "&fault=%s", faults[i]);
        b = openEmpty("b", parameter);
        CHECK_INT(migrate(a, b, 20), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_RUNNING);
        checkHolder(UUID, "a");
        CHECK_INT(stateOf(b, "test"), -1);
        virConnectClose(a);
        virConnectClose(b);
    }
}

/* It has written to its disks: what the source has is too old. */
TEST(a_guest_that_has_run_there_does_not_come_back)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", "&fault=finish:power:2"), c = openHost("c", "");
    virDomainPtr domain = guestOf(c);

    CHECK_INT(migrate(a, b, 20), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_SHUTOFF);
    CHECK_INT(stateOf(b, "test"), -1);
    checkHolder(UUID, "");
    CHECK_OK(virDomainCreate(domain));
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
    virConnectClose(c);
}

TEST(both_hosts_keep_leases_or_neither_does)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), plain, same;
    virDomainPtr domain = guestOf(a), foreign;
    char **problems = NULL, uri[300];

    CHECK_PTR(plain = virConnectOpen("test:///default?host=p"));
    CHECK_PTR(foreign = virDomainLookupByName(plain, "test"));
    CHECK_OK(virDomainDestroy(foreign));
    CHECK_OK(virDomainUndefine(foreign));
    virDomainFree(foreign);
    CHECK_INT(migrate(a, plain, 20), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(reason, "keeps leases with lock manager 'file', this one with 'none'");
    CHECK_INT(virMigrationCheck(domain, plain, NULL, 0, VIR_MIGRATE_LIVE, &problems), 1);
    CHECK_CONTAINS(problems[0], "lock manager");
    free(problems[0]);
    free(problems);
    checkHolder(UUID, "a");

    CHECK_OK(start(plain, "one", ""));
    CHECK_PTR(foreign = virDomainLookupByName(plain, "one"));
    CHECK_FAILS_NULL(virDomainMigrate(foreign, a, VIR_MIGRATE_LIVE, NULL, NULL, 0), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "keeps leases with lock manager 'none', this one with 'file'");
    virDomainFree(foreign);

    snprintf(uri, sizeof(uri), "test:///default?host=s&lock=file:%s&lock-owner=a", scratchPath("leases"));
    CHECK_PTR(same = virConnectOpen(uri));
    CHECK_PTR(foreign = virDomainLookupByName(same, "test"));
    if (virDomainIsActive(foreign) == 1)
        CHECK_OK(virDomainDestroy(foreign));
    CHECK_OK(virDomainUndefine(foreign));
    virDomainFree(foreign);
    CHECK_INT(migrate(a, same, 20), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(reason, "both hosts call themselves 'a'");
    virDomainFree(domain);
    virConnectClose(same);
    virConnectClose(plain);
    virConnectClose(a);
}

TEST(older_protocols_do_not_move_leases)
{
    for (int protocol = 1; protocol < 3; protocol++) {
        char parameter[50];
        virConnectPtr a, b;

        snprintf(parameter, sizeof(parameter), "&memory-mib=1&protocol=%d", protocol);
        a = openHost("a", parameter);
        b = openEmpty("b", "");
        CHECK_INT(migrate(a, b, 20), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        CHECK_CONTAINS(reason, "keeps leases with lock manager 'none'");
        CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_RUNNING);
        checkHolder(UUID, "a");
        virConnectClose(a);
        virConnectClose(b);
    }
}

TEST(the_cookies_say_what_the_lease_is)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_CONTAINS(virMigrationGetCookie(m, VIR_MIGRATION_PHASE_BEGIN, 1), "\"lease\":{\"manager\":\"file\",\"owner\":\"a\",\"epoch\":1}");
    CHECK_CONTAINS(virMigrationGetCookie(m, VIR_MIGRATION_PHASE_PREPARE, 1), "\"lease\":{\"manager\":\"file\",\"owner\":\"b\"");
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

/* ---- doubt ---- */

TEST(a_source_in_doubt_takes_its_lease_back)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", "&fault=finish:hang&migration-expiry=1"), look;

    CHECK_INT(migrate(a, b, 20), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(reason, "the lease was taken back");
    CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_RUNNING);
    checkHolder(UUID, "a");
    /* what is left there can never run, and goes when nobody asks for it */
    look = openHost("b", "");
    WAIT_FOR(stateOf(look, "test") == -1, 5000);
    CHECK_INT(virConnectListMigrations(look, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
    checkHolder(UUID, "a");
    virConnectClose(look);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(a_source_in_doubt_sees_by_the_lease_that_it_runs_there)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", "&fault=finish:lost:100000"), look;

    CHECK_INT(migrate(a, b, 20), VIR_MIGRATION_OUTCOME_MIGRATED);
    look = openHost("b", "");
    CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_SHUTOFF);
    CHECK_INT(stateOf(look, "test"), VIR_DOMAIN_RUNNING);
    checkHolder(UUID, "b");
    virConnectClose(look);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(an_aborted_migration_needs_no_answer_from_there)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", "&fault=cancel:hang&migration-expiry=1"), look;
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 5), 1);
    CHECK_OK(virMigrationAbort(m));
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(stateOf(a, "test"), VIR_DOMAIN_RUNNING);
    checkHolder(UUID, "a");
    look = openHost("b", "");
    WAIT_FOR(stateOf(look, "test") == -1, 5000);
    virConnectClose(look);
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

TEST(a_migration_waits_for_the_lock_manager)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", "");
    virDomainPtr domain = guestOf(a);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_FINISH)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_INT(rename(scratchPath("leases"), scratchPath("gone")), 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_INT(virMigrationGetPhase(m), VIR_MIGRATION_PHASE_FINISH);
    CHECK(stateOf(a, "test") != VIR_DOMAIN_RUNNING && stateOf(b, "test") != VIR_DOMAIN_RUNNING);
    CHECK_INT(rename(scratchPath("gone"), scratchPath("leases")), 0);
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    checkHolder(UUID, "b");
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}

/* The source's host dies between the transfer and Finish, and somebody starts the guest anew: the copy is too old. */
TEST(a_copy_whose_lease_somebody_has_had_never_runs)
{
    virConnectPtr a = openHost("a", "&memory-mib=1"), b = openEmpty("b", ""), c = openHost("c", "");
    virDomainPtr domain = guestOf(a), third = guestOf(c);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_FINISH)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_FAILS(virDomainCreate(third), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainCreate(third));
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_LOST);
    CHECK_CONTAINS(virMigrationGetError(m)->message, "host 'c'");
    CHECK_INT(stateOf(b, "test"), -1);
    CHECK_INT(stateOf(c, "test"), VIR_DOMAIN_RUNNING);
    checkHolder(UUID, "c");
    virMigrationFree(m);
    virDomainFree(domain);
    virDomainFree(third);
    virConnectClose(a);
    virConnectClose(b);
    virConnectClose(c);
}

/* ---- failures ---- */

struct started { virConnectPtr conn; virDomainPtr domain; };

static int
startAndEnd(void *opaque)
{
    const struct started *s = opaque;
    int rc;

    faultPause();
    CHECK_INT(virDomainIsActive(s->domain), 0);
    faultResume();
    rc = virDomainCreate(s->domain);
    faultPause();
    if (rc == 0)
        CHECK_OK(virDomainDestroy(s->domain));
    faultResume();
    virConnResetLastError(s->conn);                    /* the connection has a copy */
    return rc;
}

TEST_LIMIT(failures_of_the_system_start_a_guest_or_say_so, 120)
{
    static const enum faultKind kinds[] = { FAULT_ALLOCATION, FAULT_OPEN, FAULT_WRITE, FAULT_READ, FAULT_FSYNC, FAULT_RENAME };
    struct started s = { .conn = openHost("a", "") };

    s.domain = guestOf(s.conn);
    CHECK_OK(virDomainDestroy(s.domain));
    faultSpare("libxml2");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        FAULT_EACH(kinds[i], startAndEnd, &s);
    virDomainFree(s.domain);
    virConnectClose(s.conn);
}
