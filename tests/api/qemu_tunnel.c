/*
 * Tunnelled migrations of a real guest: its memory goes over a pair of sockets that the library makes and hands to both QEMUs. And what becomes of one
 * whose library is killed at any moment, and the sockets with it.
 */
#include "../qemu_pair.h"

#include <sys/socket.h>
#include <sys/wait.h>

#define TUNNELLED (VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_TUNNELLED)

/* None of its hosts listens anywhere for a migration. */
static void
checkNoSocket(void)
{
    char command[1200];

    snprintf(command, sizeof(command), "! ls %s/*/run/*.migrate", scratchDir());
    CHECK_INT(runShell(command, NULL), 0);
}

TEST(memory_goes_through_the_tunnel_and_nothing_is_left_of_it)
{
    struct pair pair;
    virMigrationPtr m;
    char *record = NULL;
    int before;

    pairWrites = 0;
    startPair(&pair, 8, "");
    before = countDescriptors();
    m = newMigration(&pair, "bandwidth=2", VIR_MIGRATE_LIVE | TUNNELLED);
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 1000), 1);
    CHECK_INT(virMigrationStep(m, 100), 1);
    CHECK_PTR(record = virMigrationGetRecord(m));
    CHECK_CONTAINS(record, "\"uri\":\"fd:");
    free(record);
    checkNoSocket();
    CHECK_OK(virMigrationAbort(m));
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(m);
    CHECK_INT(stateOf(pair.domain), VIR_DOMAIN_RUNNING);
    WAIT_FOR(countDescriptors() == before, 5000);      /* at once, but where it goes through servers */
    waitForMore(&pair, 20);

    m = newMigration(&pair, "", VIR_MIGRATE_LIVE | TUNNELLED | VIR_MIGRATE_COMPRESSED);
    while (virMigrationStep(m, 100) > 0)
        ;
    checkMigrated(&pair, m);
    virMigrationFree(m);
    WAIT_FOR(countDescriptors() == before, 5000);      /* at once, but where it goes through servers */
    endPair(&pair);
}

TEST(libvirts_blocking_calls_tunnel)
{
    struct pair pair;
    char uri[1400];
    virDomainPtr guest;

    startPair(&pair, 2, "");
    CHECK_FAILS_NULL(virDomainMigrate(pair.domain, pair.destination, VIR_MIGRATE_LIVE | VIR_MIGRATE_TUNNELLED, NULL, NULL, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "needs VIR_MIGRATE_PEER2PEER");
    CHECK_PTR(guest = virDomainMigrate(pair.domain, pair.destination, VIR_MIGRATE_LIVE | TUNNELLED, NULL, NULL, 0));
    waitForMore(&pair, 20);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("host0"));
    CHECK_FAILS(virDomainMigrateToURI(guest, uri, VIR_MIGRATE_LIVE | VIR_MIGRATE_TUNNELLED, NULL, 0), VIR_ERR_NO_SUPPORT);
    CHECK_CONTAINS(virGetLastErrorMessage(), "without VIR_MIGRATE_PEER2PEER");
    CHECK_OK(virDomainMigrateToURI(guest, uri, VIR_MIGRATE_LIVE | TUNNELLED, NULL, 0));
    CHECK_INT(virConnectListAllDomains(pair.destination, NULL, 0), 0);
    waitForMore(&pair, 20);
    virDomainFree(guest);
    endPair(&pair);
}

TEST(what_cannot_be_tunnelled_is_refused)
{
    static const struct { unsigned int flags; int code; const char *words; } cases[] = {
        { VIR_MIGRATE_PARALLEL, VIR_ERR_INVALID_ARG, "parallel connections" },
        { VIR_MIGRATE_PARALLEL | VIR_MIGRATE_ZEROCOPY, VIR_ERR_INVALID_ARG, "parallel connections" },
        { VIR_MIGRATE_TLS, VIR_ERR_INVALID_ARG, "VIR_MIGRATE_TLS" },
        { VIR_MIGRATE_POSTCOPY, VIR_ERR_ARGUMENT_UNSUPPORTED, "post-copy" },
        { VIR_MIGRATE_NON_SHARED_DISK, VIR_ERR_OPERATION_UNSUPPORTED, "disks" },
        { VIR_MIGRATE_NON_SHARED_INC, VIR_ERR_OPERATION_UNSUPPORTED, "disks" },
    };
    virTypedParameterPtr params;
    char **problems = NULL;
    struct pair pair;
    int n;

    startPair(&pair, 0, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        harnessContext("%s", cases[i].words);
        CHECK_FAILS_NULL(virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE | TUNNELLED | cases[i].flags), cases[i].code);
        CHECK_CONTAINS(virGetLastErrorMessage(), cases[i].words);
    }
    CHECK_FAILS_NULL(virMigrationNew(pair.domain, pair.destination, NULL, 0, TUNNELLED | VIR_MIGRATE_OFFLINE), VIR_ERR_OPERATION_INVALID);
    n = readParams("migrate_uri=tcp:127.0.0.1", &params);
    CHECK_FAILS_NULL(virMigrationNew(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE | TUNNELLED), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virMigrationCheck(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE | TUNNELLED, &problems), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "'migrate_uri' has no effect");
    virTypedParamsFree(params, n);
    CHECK_INT(virMigrationCheck(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE | TUNNELLED, &problems), 0);
    free(problems);
    endPair(&pair);
}

TEST(ends_that_are_apart_need_a_stream_of_the_callers)
{
    struct pair pair;
    virMigrationPtr source, destination;
    char *text;
    int ends[2];

    pairWrites = 0;
    startPair(&pair, 2, "");
    CHECK_PTR(source = virMigrationNewSource(pair.domain, NULL, 0, VIR_MIGRATE_LIVE | TUNNELLED));
    while (virMigrationStep(source, 100) > 0 && virMigrationGetPhase(source) == VIR_MIGRATION_PHASE_BEGIN)
        ;
    CHECK_NOT_NULL(virMigrationGetError(source));
    CHECK_CONTAINS(virMigrationGetError(source)->message, "virMigrationSetStream");
    virMigrationFree(source);

    for (int round = 0; round < 2; round++) {                   /* first with a stream for the source alone; then what it asks is asked twice */
        harnessContext("round %d", round);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        CHECK_PTR(source = virMigrationNewSource(pair.domain, NULL, 0, VIR_MIGRATE_LIVE | TUNNELLED));
        CHECK_PTR(destination = virMigrationNewDestination(pair.destination));
        CHECK_OK(virMigrationSetStream(source, ends[0]));
        if (round == 1)
            CHECK_OK(virMigrationSetStream(destination, ends[1]));
        for (int goes = 1; goes > 0;) {
            CHECK_OK(goes = virMigrationStep(source, 20));
            for (int i = 0; i < 2; i++) {
                if (virMigrationGetMessage(i == 0 ? source : destination, &text) > 0) {
                    CHECK_OK(virMigrationPutMessage(i == 0 ? destination : source, text));
                    for (int k = 0; k < 25 && round == 1 && i == 0; k++)
                        CHECK_OK(virMigrationStep(destination, 20));
                    if (round == 1 && i == 0)
                        CHECK_OK(virMigrationPutMessage(destination, text));
                    free(text);
                }
                CHECK_OK(virMigrationStep(destination, 20));
            }
        }
        if (round == 0) {
            CHECK_INT(virMigrationGetOutcome(source), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
            CHECK_CONTAINS(virMigrationGetError(source)->message, "was handed a stream, but the destination receives at");
            CHECK_INT(stateOf(pair.domain), VIR_DOMAIN_RUNNING);
        } else {
            checkMigrated(&pair, destination);
        }
        virMigrationFree(source);
        virMigrationFree(destination);
        close(ends[0]);
        close(ends[1]);
    }
    endPair(&pair);
}

/* ---------- the library is killed, and the sockets go with it ---------- */

enum { BEFORE_PREPARE, AFTER_PREPARE, LATE_RECORD, IN_PERFORM, MOMENTS };

/* In a process of its own, which does not come back. */
static void
migrateAndDie(int moment)
{
    struct pair pair;
    virMigrationPtr m;
    char *record = NULL;

    startPair(&pair, 4, "");
    m = newMigration(&pair, "bandwidth=4", VIR_MIGRATE_LIVE | TUNNELLED);
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PREPARE)
        CHECK_INT(virMigrationStep(m, 1000), 1);
    CHECK_PTR(record = virMigrationGetRecord(m));
    while (moment != BEFORE_PREPARE && virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 1000), 1);
    if (moment == IN_PERFORM)
        CHECK_INT(virMigrationStep(m, 200), 1);
    if (moment == IN_PERFORM || moment == AFTER_PREPARE) {
        free(record);
        CHECK_PTR(record = virMigrationGetRecord(m));
    }
    writeFile(scratchPath("record"), record);
    kill(getpid(), SIGKILL);
}

TEST_LIMIT(a_tunnel_that_died_with_its_library_is_judged_right, 120)
{
    static const char *const names[MOMENTS] = { "before Prepare", "after Prepare", "after Prepare, with an older record", "in Perform" };

    needsQemu();
    pairWrites = 0;
    for (int moment = 0; moment < MOMENTS; moment++) {
        struct pair pair;
        virMigrationPtr m;
        char *record;
        int status;
        pid_t pid;
        /* what was not prepared can be; what is on its way needs nobody; and between the two there is no way on */
        bool moves = moment == BEFORE_PREPARE || moment == IN_PERFORM;

        harnessContext("killed %s", names[moment]);
        if ((pid = fork()) == 0) {
            migrateAndDie(moment);
            _exit(1);
        }
        CHECK(pid > 0);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child did not come to its end: status %d", status);
        record = readFile(scratchPath("record"));
        snprintf(pair.serial, sizeof(pair.serial), "%s", scratchPath("serial"));
        CHECK_PTR(pair.source = openHost("host0", ""));
        CHECK_PTR(pair.destination = openHost("host1", ""));
        CHECK_PTR(m = virMigrationNewFromRecord(record, pair.source, pair.destination));
        CHECK_PTR(pair.domain = virDomainLookupByName(pair.source, "pair"));
        free(record);
        while (virMigrationStep(m, 100) > 0)
            ;
        if (moves) {
            checkMigrated(&pair, m);
        } else {
            CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
            CHECK_NOT_NULL(virMigrationGetError(m));
            CHECK_INT(stateOf(pair.domain), VIR_DOMAIN_RUNNING);
            CHECK_INT(virConnectListAllDomains(pair.destination, NULL, 0), 0);
            waitForMore(&pair, 20);
        }
        virMigrationFree(m);
        endPair(&pair);
        remove(pair.serial);
    }
}
