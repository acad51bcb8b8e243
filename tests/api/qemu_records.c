/*
 * What each side of a migration has on record, with real guests: a controller that is killed at each stage, the state directories opened by
 * another process, which goes on from what it finds there; records of what was decided but not carried out; expiry; what comes too late;
 * records that cannot be read, and old ones.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../counting.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <time.h>
#include <unistd.h>

/* ---- two hosts, one guest ---- */

struct pair { virConnectPtr source, destination; virDomainPtr domain; char serial[1024]; };

static virConnectPtr
openSide(int side, int expiry)
{
    char uri[1100], more[40] = "";

    if (expiry > 0)
        snprintf(more, sizeof(more), "&migration-expiry=%d", expiry);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s%s", scratchRoot("host%d", side), more);
    return virConnectOpen(uri);
}

static void
countsOn(const char *serial)
{
    long first = countingNewest(serial);

    WAIT_FOR(countingNewest(serial) >= first + 20, 20000);
}

static void
startWith(struct pair *pair, int expiry, const char *name)
{
    char xml[4096], image[2048];

    CHECK_NOT_NULL(realpath(name, image));
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    snprintf(xml, sizeof(xml), "<domain type='qemu'><name>guest</name><uuid>3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a002</uuid>"
             "<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
             "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/><readonly/></disk>"
             "<serial type='file'><source path='%s' append='on'/></serial></devices></domain>", image, pair->serial);
    CHECK_PTR(pair->source = openSide(0, expiry));
    CHECK_PTR(pair->destination = openSide(1, expiry));
    CHECK_PTR(pair->domain = virDomainCreateXML(pair->source, xml, 0));
    countsOn(pair->serial);
}

static void
start(struct pair *pair, int expiry)
{
    needsQemu();
    startWith(pair, expiry, guestImage("light.img"));
}

static void
openBoth(struct pair *pair, int expiry)
{
    memset(pair, 0, sizeof(*pair));
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair->destination = openSide(1, expiry));
    CHECK_PTR(pair->source = openSide(0, expiry));
}

static void
closeBoth(struct pair *pair)
{
    if (pair->domain != NULL)
        virDomainFree(pair->domain);
    pair->domain = NULL;
    CHECK_INT(virConnectClose(pair->source), 0);
    CHECK_INT(virConnectClose(pair->destination), 0);
}

static void
end(struct pair *pair)
{
    for (int side = 0; side < 2; side++) {
        virDomainPtr guest = virDomainLookupByName(side == 0 ? pair->source : pair->destination, "guest");

        if (guest != NULL) {
            virDomainDestroy(guest);
            virDomainFree(guest);
        }
    }
    closeBoth(pair);
}

/* ABSENT, or its state + 1 */
#define ABSENT  0
#define RUNNING (VIR_DOMAIN_RUNNING + 1)
#define PAUSED  (VIR_DOMAIN_PAUSED + 1)
static int
stateAt(virConnectPtr conn)
{
    virDomainPtr guest = virDomainLookupByName(conn, "guest");
    int state = 0;

    if (guest == NULL)
        return 0;
    if (virDomainGetState(guest, &state, NULL, 0) < 0) {
        CHECK_ERROR(VIR_ERR_NO_DOMAIN);                /* it has just ended */
        state = ABSENT - 1;
    }
    virDomainFree(guest);
    return state + 1;
}

/* ---- records ---- */

/* The only migration that the host has on record, as JSON text; NULL: none. */
static char *
recordOf(virConnectPtr conn, unsigned int flags)
{
    char **records = NULL, *only = NULL;
    int n = virConnectListMigrations(conn, &records, flags);

    CHECK_OK(n);
    CHECK_LESS(n, 2);
    if (n == 1)
        only = records[0];
    free(records);
    return only;
}

static bool
isAt(virConnectPtr conn, const char *stage)
{
    char *record = recordOf(conn, 0), word[64];
    bool yes;

    snprintf(word, sizeof(word), "\"stage\":\"%s\"", stage);
    yes = record == NULL ? stage[0] == '\0' : strstr(record, word) != NULL;
    if (!yes)
        fprintf(stderr, "not '%s' but: %s\n", stage, record != NULL ? record : "none");
    free(record);
    return yes;
}

/* The path of the only record of this side in its state directory. */
static const char *
recordPath(int side)
{
    DIR *dir = opendir(scratchPath("host%d/migrations", side));
    static char name[300];
    struct dirent *entry;

    CHECK_NOT_NULL(dir);
    name[0] = '\0';
    while ((entry = readdir(dir)) != NULL)
        if (strstr(entry->d_name, ".json") != NULL)
            snprintf(name, sizeof(name), "%s", entry->d_name);
    closedir(dir);
    CHECK(name[0] != '\0');
    return scratchPath("host%d/migrations/%s", side, name);
}

/* As if the process had been killed after it had written this stage, and before its effect. */
static void
decide(int side, const char *from, const char *to)
{
    char path[1200], before[64], after[4 << 10], *text, *at;
    size_t length;

    snprintf(path, sizeof(path), "%s", recordPath(side));
    text = readFile(path);
    length = (size_t)snprintf(before, sizeof(before), "\"stage\":\"%s\"", from);
    CHECK_NOT_NULL(at = strstr(text, before));
    snprintf(after, sizeof(after), "%.*s\"stage\":\"%s\"", (int)(at - text), text, to);
    {
        char *whole = malloc(strlen(text) + 64);

        CHECK_NOT_NULL(whole);
        snprintf(whole, strlen(text) + 64, "%s%s", after, at + length);
        writeFile(path, whole);
        free(whole);
    }
    free(text);
}

/* ---- controllers ---- */

static virMigrationPtr
slow(struct pair *pair)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virMigrationPtr m;

    CHECK_OK(virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, 1));
    CHECK_PTR(m = virMigrationNew(pair->domain, pair->destination, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    virTypedParamsFree(params, n);
    return m;
}

static void
stepInto(virMigrationPtr m, virMigrationPhase phase)
{
    while (virMigrationGetPhase(m) != phase)
        CHECK_INT(virMigrationStep(m, 1000), 1);
}

static void
stepToEnd(virMigrationPtr m, virMigrationOutcome outcome)
{
    int rc;

    while ((rc = virMigrationStep(m, 100)) > 0)
        ;
    CHECK_INT(rc, 0);
    CHECK_MSG(virMigrationGetOutcome(m) == outcome, "outcome %d, expected %d: %s", (int)virMigrationGetOutcome(m), (int)outcome,
              virMigrationGetError(m) != NULL ? virMigrationGetError(m)->message : "no error");
}

/* Another process steps a migration to this phase, and is killed there; `transferring`: in the middle of it. */
static void
killedIn(virMigrationPhase phase, bool transferring)
{
    pid_t pid;
    int status = 0;

    needsQemu();
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct pair pair;
        virMigrationPtr m;

        start(&pair, 0);
        m = transferring ? slow(&pair) : NULL;
        if (m == NULL)
            CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
        stepInto(m, phase);
        if (transferring)
            CHECK_INT(virMigrationStep(m, 300), 1);
        fflush(NULL);
        kill(getpid(), SIGKILL);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_MSG(WIFSIGNALED(status), "the other process failed");
}

/* A fresh controller takes up what the source has on record. */
static virMigrationPtr
takeUp(struct pair *pair)
{
    char *record = recordOf(pair->source, 0);
    virMigrationPtr m;

    CHECK_NOT_NULL(record);
    CHECK_PTR(m = virMigrationNewFromRecord(record, pair->source, pair->destination));
    free(record);
    return m;
}

TEST_LIMIT(another_process_goes_on_wherever_the_first_was_killed, 120)
{
    static const struct { virMigrationPhase phase; bool transferring; const char *source, *destination; int s, d; } cases[] = {
        { VIR_MIGRATION_PHASE_PREPARE, false, "begun", "", RUNNING, ABSENT },
        { VIR_MIGRATION_PHASE_PERFORM, false, "begun", "prepared", RUNNING, PAUSED },
        { VIR_MIGRATION_PHASE_PERFORM, true, "transfer", "prepared", RUNNING, PAUSED },
        { VIR_MIGRATION_PHASE_FINISH, false, "transferred", "prepared", PAUSED, PAUSED },
        { VIR_MIGRATION_PHASE_CONFIRM, false, "transferred", "started", PAUSED, RUNNING },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;
        virMigrationPtr m;

        harnessContext("case %d", (int)i);
        killedIn(cases[i].phase, cases[i].transferring);
        for (int round = 0; round < 2; round++) {      /* opening changes nothing */
            openBoth(&pair, 0);
            CHECK(isAt(pair.source, cases[i].source));
            CHECK(isAt(pair.destination, cases[i].destination));
            CHECK_INT(stateAt(pair.source), cases[i].s);
            CHECK_INT(stateAt(pair.destination), cases[i].d);
            if (round == 0)
                closeBoth(&pair);
        }
        CHECK_PTR(pair.domain = virDomainLookupByName(pair.source, "guest"));
        CHECK_FAILS(virDomainReset(pair.domain, 0), VIR_ERR_OPERATION_INVALID);
        m = takeUp(&pair);
        if (cases[i].transferring)
            CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 1000, 0));
        stepToEnd(m, VIR_MIGRATION_OUTCOME_MIGRATED);
        virMigrationFree(m);
        CHECK_INT(stateAt(pair.source), ABSENT);
        CHECK_INT(stateAt(pair.destination), RUNNING);
        CHECK(isAt(pair.source, "left"));
        CHECK(isAt(pair.destination, "started"));
        countsOn(pair.serial);
        end(&pair);
        CHECK_OK(unlink(recordPath(0)));
        CHECK_OK(unlink(recordPath(1)));
        CHECK_OK(unlink(scratchPath("serial")));
    }
}

/* ---- decided, but not carried out ---- */

TEST(a_destination_that_was_told_to_start_starts)
{
    struct pair pair;

    killedIn(VIR_MIGRATION_PHASE_FINISH, false);
    decide(1, "prepared", "starting");
    openBoth(&pair, 0);
    CHECK_INT(stateAt(pair.destination), RUNNING);
    CHECK_INT(stateAt(pair.source), PAUSED);
    CHECK(isAt(pair.destination, "started"));
    countsOn(pair.serial);
    end(&pair);
}

TEST(a_source_that_was_to_leave_leaves)
{
    struct pair pair;

    killedIn(VIR_MIGRATION_PHASE_CONFIRM, false);
    decide(0, "transferred", "leaving");
    openBoth(&pair, 0);
    CHECK_INT(stateAt(pair.source), ABSENT);
    CHECK_INT(stateAt(pair.destination), RUNNING);
    CHECK(isAt(pair.source, "left"));
    end(&pair);
}

TEST(a_source_that_was_to_go_back_goes_back_and_the_other_side_goes)
{
    struct pair pair;

    killedIn(VIR_MIGRATION_PHASE_FINISH, false);
    decide(0, "transferred", "resuming");
    decide(1, "prepared", "removing");
    openBoth(&pair, 0);
    CHECK_INT(stateAt(pair.destination), ABSENT);
    WAIT_FOR(stateAt(pair.source) == RUNNING, 5000);
    CHECK(isAt(pair.source, "stayed"));
    CHECK(isAt(pair.destination, "removed"));
    countsOn(pair.serial);
    end(&pair);
}

TEST(a_source_that_was_halted_goes_on)
{
    struct pair pair;

    killedIn(VIR_MIGRATION_PHASE_PERFORM, false);
    decide(0, "begun", "halted");
    openBoth(&pair, 0);
    CHECK(isAt(pair.source, "stayed"));
    CHECK_PTR(pair.domain = virDomainLookupByName(pair.source, "guest"));
    CHECK_OK(virDomainSuspend(pair.domain));
    CHECK_OK(virDomainResume(pair.domain));
    countsOn(pair.serial);
    end(&pair);
}

TEST(a_source_that_died_after_the_transfer_has_left_it_to_the_destination)
{
    struct pair pair;
    virMigrationPtr m;
    char *pid;

    killedIn(VIR_MIGRATION_PHASE_FINISH, false);
    pid = readFile(scratchPath("host0/run/guest.pid"));
    CHECK_OK(kill((pid_t)atoi(pid), SIGKILL));
    free(pid);
    usleep(200000);
    openBoth(&pair, 0);
    CHECK_INT(stateAt(pair.source), ABSENT);
    m = takeUp(&pair);
    stepToEnd(m, VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    CHECK_INT(stateAt(pair.destination), RUNNING);
    countsOn(pair.serial);
    end(&pair);
}

/* ---- expiry ---- */

TEST(what_nobody_steps_goes_back_but_a_complete_copy_stays)
{
    struct pair pair;
    virMigrationPtr m;

    needsQemu();
    startWith(&pair, 1, countingQuietImage());               /* which is cancelled and migrated again */
    for (int i = 0; i < 2; i++) {
        harnessContext(i == 0 ? "before the transfer" : "in it");
        m = slow(&pair);
        stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
        if (i == 1)
            CHECK_INT(virMigrationStep(m, 300), 1);
        virMigrationFree(m);
        /* without an event loop, each host looks when it is asked */
        WAIT_FOR(stateAt(pair.source) == RUNNING && stateAt(pair.destination) == ABSENT, 10000);
        WAIT_FOR(virDomainSuspend(pair.domain) == 0 && virDomainResume(pair.domain) == 0, 10000);
        CHECK_INT(stateAt(pair.source), RUNNING);
        countsOn(pair.serial);
    }
    harnessContext("after it");
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    stepInto(m, VIR_MIGRATION_PHASE_FINISH);
    for (int i = 0; i < 30; i++) {
        CHECK_INT(stateAt(pair.source), PAUSED);
        CHECK_INT(stateAt(pair.destination), PAUSED);
        usleep(100000);
    }
    stepToEnd(m, VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    countsOn(pair.serial);
    end(&pair);
}

/* ---- what comes too late ---- */

TEST(after_the_way_back_nothing_begins_again)
{
    static const virMigrationPhase phases[] = { VIR_MIGRATION_PHASE_PREPARE, VIR_MIGRATION_PHASE_PERFORM };
    struct pair pair;
    virMigrationPtr m, late;
    char *record;

    start(&pair, 0);
    for (size_t i = 0; i < 2; i++) {
        harnessContext("case %d", (int)i);
        CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
        stepInto(m, phases[i]);
        CHECK_PTR(record = virMigrationGetRecord(m));
        CHECK_OK(virMigrationAbort(m));
        stepToEnd(m, VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        virMigrationFree(m);
        CHECK_PTR(late = virMigrationNewFromRecord(record, pair.source, pair.destination));
        stepToEnd(late, VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        virMigrationFree(late);
        free(record);
        CHECK_INT(stateAt(pair.source), RUNNING);
        CHECK_INT(stateAt(pair.destination), ABSENT);
    }
    countsOn(pair.serial);
    end(&pair);
}

/* ---- records that are no good ---- */

TEST(nothing_is_decided_on_a_record_that_cannot_be_read)
{
    struct pair pair;

    killedIn(VIR_MIGRATION_PHASE_FINISH, false);
    writeFile(recordPath(0), "{\"version\":1,\"migration\":");
    writeFile(recordPath(1), "{\"version\":2}");
    openBoth(&pair, 0);
    CHECK_INT(stateAt(pair.source), PAUSED);
    CHECK_INT(stateAt(pair.destination), PAUSED);
    CHECK_NULL(recordOf(pair.source, 0));
    CHECK_PTR(pair.domain = virDomainLookupByName(pair.source, "guest"));
    CHECK_FAILS(virDomainResume(pair.domain), VIR_ERR_OPERATION_INVALID);
    CHECK(fileExists(recordPath(0)));
    CHECK(fileExists(recordPath(1)));
    end(&pair);
}

static int
countRecords(int side)
{
    DIR *dir = opendir(scratchPath("host%d/migrations", side));
    struct dirent *entry;
    int n = 0;

    CHECK_NOT_NULL(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strstr(entry->d_name, ".json") != NULL;
    closedir(dir);
    return n;
}

TEST(records_of_what_is_over_are_kept_for_a_day_and_not_more_than_a_thousand)
{
    static const char format[] =
        "{\"version\":1,\"migration\":\"%s\",\"side\":\"source\",\"name\":\"x\",\"uuid\":\"3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a002\",\"id\":1,"
        "\"flags\":0,\"params\":[],\"stage\":\"left\",\"over\":true,\"since\":%llu,\"changed\":%llu,\"state\":1,\"reason\":1,\"running\":true}";
    unsigned long long now = (unsigned long long)time(NULL) * 1000;
    char uuid[40], text[1024];
    virConnectPtr conn;

    needsQemu();
    CHECK_PTR(conn = openSide(0, 0));
    CHECK_INT(virConnectListMigrations(conn, NULL, 0), 0);
    CHECK_INT(virConnectClose(conn), 0);
    for (int i = 0; i < 1010; i++) {
        unsigned long long at = now - (i < 3 ? 86400000ull + 1000 : 1000 + (unsigned long long)i);

        snprintf(uuid, sizeof(uuid), "00000000-0000-4000-8000-%012d", i);
        snprintf(text, sizeof(text), format, uuid, at, at);
        writeFile(scratchPath("host0/migrations/%s.source.json", uuid), text);
    }
    CHECK_PTR(conn = openSide(0, 0));
    CHECK_INT(virConnectListMigrations(conn, NULL, VIR_CONNECT_LIST_MIGRATIONS_OVER), 1000);
    CHECK_INT(virConnectListMigrations(conn, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
    CHECK_INT(countRecords(0), 1000);
    CHECK(!fileExists(scratchPath("host0/migrations/00000000-0000-4000-8000-000000000000.source.json")));
    CHECK(fileExists(scratchPath("host0/migrations/00000000-0000-4000-8000-000000000003.source.json")));
    CHECK_INT(virConnectClose(conn), 0);
}
