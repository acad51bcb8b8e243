/*
 * Leases with real guests: a guest runs on one host at a time, whatever becomes of those who manage it; and a migration in doubt is settled by
 * its lease, without the other side.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../counting.h"
#include "../qemu_guest.h"

#include <signal.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char serial[1024];

static virConnectPtr
openHost(char name)
{
    char uri[2200];

    mkdir(scratchPath("leases"), 0700);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&lock-owner=%c&migration-expiry=2", scratchRoot("host-%c", name), name);
    snprintf(uri + strlen(uri), sizeof(uri) - strlen(uri), "&lock=file:%s", scratchPath("leases"));
    return virConnectOpen(uri);
}

static virDomainPtr
startGuest(virConnectPtr conn)
{
    virDomainPtr domain;
    char *xml;

    needsQemu();
    snprintf(serial, sizeof(serial), "%s", scratchPath("serial"));
    xml = strdup(countingDocument("guest", guestImage("light.img"), serial, 64));
    CHECK_NOT_NULL(xml);
    CHECK_PTR(domain = virDomainDefineXML(conn, xml));
    free(xml);
    CHECK_OK(virDomainCreate(domain));
    countingGoesOn(serial);
    return domain;
}

/* Who has the guest's lease, of all that there are: the guest has no others. */
static void
checkHolder(const char *holder)
{
    char command[1200], text[400] = "", expected[100];
    FILE *f;

    snprintf(expected, sizeof(expected), "\"holder\":\"%s\"", holder);
    snprintf(command, sizeof(command), "cat %s/*.lease", scratchPath("leases"));
    CHECK_NOT_NULL(f = popen(command, "r"));
    CHECK(fread(text, 1, sizeof(text) - 1, f) > 0);
    pclose(f);
    CHECK_CONTAINS(text, expected);
}

TEST(a_guest_starts_where_nobody_else_runs_it)
{
    virConnectPtr a, b;
    virDomainPtr guest, other;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    guest = startGuest(a);
    other = defineSame(b, guest);
    CHECK_FAILS(virDomainCreate(other), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'guest' belongs to host 'a'");
    CHECK_INT(virDomainIsActive(other), 0);
    /* a process that only looks after it may go: the hypervisor has the seat */
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_FAILS(virDomainCreate(other), VIR_ERR_RESOURCE_BUSY);
    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(guest = virDomainLookupByName(a, "guest"));
    CHECK_OK(virDomainSuspend(guest));
    CHECK_FAILS(virDomainCreate(other), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virDomainResume(guest));
    /* its host loses it */
    virConnectClose(a);
    CHECK_INT(kill(pidOf("host-a", "guest"), SIGKILL), 0);
    WAIT_FOR(virDomainCreate(other) == 0, 5000);
    checkHolder("b");
    CHECK_FAILS(virDomainCreate(guest), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virDomainDestroy(other));
    checkHolder("");
    CHECK_OK(virDomainCreate(guest));
    CHECK_OK(virDomainDestroy(guest));
    virDomainFree(guest);
    virDomainFree(other);
    CHECK_INT(virConnectClose(b), 0);
}

TEST(a_start_that_fails_holds_nothing)
{
    virConnectPtr a;
    virDomainPtr guest;

    needsQemu();
    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(guest = virDomainDefineXML(a, "<domain type='qemu'><name>guest</name><memory unit='MiB'>64</memory>"
                                         "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
                                         "<disk type='file' device='disk'><source file='/does/not/exist'/><target dev='vda' bus='virtio'/></disk>"
                                         "</devices></domain>"));
    CHECK(virDomainCreate(guest) < 0);
    checkHolder("");
    CHECK(virDomainCreate(guest) < 0 && virGetLastErrorCode() != VIR_ERR_RESOURCE_BUSY);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
}

TEST(two_guests_do_not_share_what_is_meant_for_one)
{
    const char *format = "<domain type='qemu'><name>%s</name><memory unit='MiB'>32</memory>"
                         "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
                         "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/>%s</disk>"
                         "%s</devices></domain>";
    const char *lease = "<lease><lockspace>space</lockspace><key>key</key><target path='/x'/></lease>";
    virDomainPtr one, two;
    virConnectPtr a, b;
    char xml[3000];

    needsQemu();
    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    CHECK(close(creat(scratchPath("disk"), 0600)) == 0 && truncate(scratchPath("disk"), 1 << 20) == 0);
    CHECK(close(creat(scratchPath("other"), 0600)) == 0 && truncate(scratchPath("other"), 1 << 20) == 0);
    snprintf(xml, sizeof(xml), format, "one", scratchPath("disk"), "", lease);
    CHECK_PTR(one = virDomainCreateXML(a, xml, 0));
    snprintf(xml, sizeof(xml), format, "two", scratchPath("disk"), "", "");
    CHECK_FAILS_NULL(virDomainCreateXML(b, xml, 0), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "/disk");
    CHECK_CONTAINS(virGetLastErrorMessage(), "is in use by");
    snprintf(xml, sizeof(xml), format, "two", scratchPath("other"), "", lease);
    CHECK_FAILS_NULL(virDomainCreateXML(b, xml, 0), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "space");
    CHECK_OK(virDomainDestroy(one));
    CHECK_PTR(two = virDomainCreateXML(b, xml, 0));
    CHECK_OK(virDomainDestroy(two));
    virDomainFree(one);
    virDomainFree(two);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}

TEST(it_moves_with_the_guest)
{
    virDomainPtr guest, moved, third;
    virConnectPtr a, b, c;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    CHECK_PTR(c = openHost('c'));
    guest = startGuest(a);
    third = defineSame(c, guest);
    CHECK_PTR(moved = virDomainMigrate(guest, b, VIR_MIGRATE_LIVE, NULL, NULL, 0));
    checkHolder("b");
    countingGoesOn(serial);
    CHECK_FAILS(virDomainCreate(guest), VIR_ERR_RESOURCE_BUSY);
    CHECK_FAILS(virDomainCreate(third), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "host 'b'");
    virDomainFree(guest);
    CHECK_PTR(guest = virDomainMigrate(moved, a, VIR_MIGRATE_LIVE, NULL, NULL, 0));
    checkHolder("a");
    countingGoesOn(serial);
    CHECK_OK(virDomainSuspend(guest));
    CHECK_OK(virDomainResume(guest));
    CHECK_OK(virDomainDestroy(guest));
    checkHolder("");
    virDomainFree(moved);
    virDomainFree(guest);
    virDomainFree(third);
    virConnectClose(a);
    virConnectClose(b);
    virConnectClose(c);
}

TEST(both_sides_keep_leases_or_neither)
{
    virConnectPtr a, plain;
    virDomainPtr guest;
    char uri[1200];

    CHECK_PTR(a = openHost('a'));
    guest = startGuest(a);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("plain"));
    CHECK_PTR(plain = virConnectOpen(uri));
    CHECK_FAILS_NULL(virDomainMigrate(guest, plain, VIR_MIGRATE_LIVE, NULL, NULL, 0), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "lock manager 'file', this one with 'none'");
    CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
    CHECK_INT(virConnectClose(plain), 0);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    /* without the lock manager it is looked after, but neither moved nor resumed */
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("host-a"));
    CHECK_PTR(a = virConnectOpen(uri));
    CHECK_PTR(guest = virDomainLookupByName(a, "guest"));
    CHECK_OK(virDomainSuspend(guest));
    CHECK_FAILS(virDomainResume(guest), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "opened without the lock manager");
    CHECK_OK(virDomainDestroy(guest));
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
}

TEST(parameters_of_the_lock_manager_are_checked)
{
    static const struct { const char *params; int code; } bad[] = {
        { "lock=file:relative", VIR_ERR_INVALID_ARG }, { "lock=paper:/tmp", VIR_ERR_CONFIG_UNSUPPORTED },
        { "lock=file:/does/not/exist", VIR_ERR_SYSTEM_ERROR }, { "lock=", VIR_ERR_CONFIG_UNSUPPORTED },
        { "lock-disks=perhaps", VIR_ERR_INVALID_ARG }, { "locks=1", VIR_ERR_INVALID_ARG },
    };
    char uri[1200];
    virConnectPtr a;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&%s", scratchRoot("host-x"), bad[i].params);
        CHECK_FAILS_NULL(virConnectOpen(uri), bad[i].code);
    }
    CHECK_PTR(a = openHost('a'));
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&lock=file:%s", scratchRoot("host-a"), "/tmp");
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "is open in this process, with lock manager file:");
    CHECK_INT(virConnectClose(a), 0);
}

/* ---- a migration whose other side does not answer ---- */

/* Steps the source until it is in this phase, or over; the destination gets its messages, and answers when it is to. */
static void
carry(virMigrationPtr source, virMigrationPtr destination, virMigrationPhase until)
{
    char *message;

    for (int i = 0; i < 3000 && virMigrationGetPhase(source) != until; i++) {
        CHECK_OK(virMigrationStep(source, 10));
        if (virMigrationGetPhase(source) == until)
            break;
        if (virMigrationGetMessage(source, &message) > 0) {
            CHECK_OK(virMigrationPutMessage(destination, message));
            free(message);
        }
        CHECK_OK(virMigrationStep(destination, 10));
        if (virMigrationGetMessage(destination, &message) > 0) {
            CHECK_OK(virMigrationPutMessage(source, message));
            free(message);
        }
    }
    CHECK_INT(virMigrationGetPhase(source), until);
}

static virMigrationPtr
newSource(virDomainPtr guest)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virMigrationPtr m;

    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_URI, "tcp:127.0.0.1"));
    CHECK_PTR(m = virMigrationNewSource(guest, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    virTypedParamsFree(params, n);
    return m;
}

/* The request for Finish is carried out (or not), and its answer never comes. */
static void
inDoubt(bool carriedOut, bool reopened)
{
    virMigrationPtr source, destination;
    virConnectPtr a, b;
    virDomainPtr guest, moved;
    char *request = NULL, *reply = NULL;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    guest = startGuest(a);
    source = newSource(guest);
    CHECK_PTR(destination = virMigrationNewDestination(b));
    carry(source, destination, VIR_MIGRATION_PHASE_FINISH);
    for (int i = 0; i < 100 && request == NULL; i++) {
        CHECK_OK(virMigrationStep(source, 10));
        CHECK_OK(virMigrationGetMessage(source, &request));
    }
    CHECK_NOT_NULL(request);
    if (carriedOut) {
        CHECK_OK(virMigrationPutMessage(destination, request));
        WAIT_FOR(virMigrationStep(destination, 100) >= 0 && virMigrationGetMessage(destination, &reply) > 0, 10000);
        free(reply);
        checkHolder("b");
    }
    if (reopened) {                            /* whoever was at the source is gone, and nobody comes */
        virMigrationFree(source);
        source = NULL;
        virDomainFree(guest);
        CHECK_INT(virConnectClose(a), 0);
        CHECK_PTR(a = openHost('a'));
        guest = virDomainLookupByName(a, "guest");
        if (!carriedOut) {
            CHECK_INT(stateOf(guest), VIR_DOMAIN_PAUSED);
            WAIT_FOR(stateOf(guest) == VIR_DOMAIN_RUNNING, 20000);
        }
    } else {
        WAIT_FOR(virMigrationStep(source, 50) == 0, 20000);
        CHECK_INT(virMigrationGetOutcome(source), carriedOut ? VIR_MIGRATION_OUTCOME_MIGRATED : VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    }
    if (!carriedOut) {
        CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
        checkHolder("a");
        countingGoesOn(serial);
        /* it comes at last: too late */
        CHECK_OK(virMigrationPutMessage(destination, request));
        for (int i = 0; i < 100 && virMigrationStep(destination, 50) > 0; i++)
            ;
        CHECK_INT(virMigrationGetOutcome(destination), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        CHECK_INT(virConnectNumOfDomains(b), 0);
        checkHolder("a");
        countingGoesOn(serial);
        CHECK_OK(virDomainDestroy(guest));
    } else {
        CHECK_INT(virConnectNumOfDomains(a), 0);
        countingGoesOn(serial);
        CHECK_PTR(moved = virDomainLookupByName(b, "guest"));
        CHECK_OK(virDomainDestroy(moved));
        virDomainFree(moved);
    }
    checkHolder("");
    free(request);
    virMigrationFree(source);
    virMigrationFree(destination);
    if (guest != NULL)
        virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}

TEST(no_answer_and_nothing_was_started_there)
{
    inDoubt(false, false);
}

TEST(no_answer_and_it_was_started_there)
{
    inDoubt(true, false);
}

TEST(nobody_comes_back_and_nothing_was_started_there)
{
    inDoubt(false, true);
}

TEST(nobody_comes_back_and_it_was_started_there)
{
    inDoubt(true, true);
}

TEST(a_complete_copy_that_nobody_can_start_any_more_expires)
{
    virMigrationPtr source, destination;
    virConnectPtr a, b;
    virDomainPtr guest;
    char *lost = NULL;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    guest = startGuest(a);
    source = newSource(guest);
    CHECK_PTR(destination = virMigrationNewDestination(b));
    carry(source, destination, VIR_MIGRATION_PHASE_FINISH);
    CHECK_INT(virMigrationGetMessage(source, &lost), 1);
    free(lost);
    WAIT_FOR(virMigrationStep(source, 50) == 0, 20000);
    CHECK_INT(virMigrationGetOutcome(source), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(virMigrationGetError(source)->message, "did not answer");
    virMigrationFree(destination);
    WAIT_FOR(virConnectNumOfDomains(b) == 0 && virConnectListMigrations(b, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE) == 0, 20000);
    countingGoesOn(serial);
    CHECK_OK(virDomainDestroy(guest));
    virMigrationFree(source);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}

/* The destination is told to start, and its QEMU dies just then: the lease goes back with the guest. */
TEST(a_destination_that_dies_gives_it_back)
{
    virMigrationPtr source, destination;
    virConnectPtr a, b;
    virDomainPtr guest;
    pid_t pid;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    guest = startGuest(a);
    source = newSource(guest);
    CHECK_PTR(destination = virMigrationNewDestination(b));
    carry(source, destination, VIR_MIGRATION_PHASE_FINISH);
    pid = pidOf("host-b", "guest");
    CHECK_INT(kill(pid, SIGKILL), 0);
    carry(source, destination, VIR_MIGRATION_PHASE_OVER);
    CHECK_INT(virMigrationGetOutcome(source), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    checkHolder("a");
    countingGoesOn(serial);
    CHECK_OK(virDomainDestroy(guest));
    checkHolder("");
    virMigrationFree(source);
    virMigrationFree(destination);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}
