/*
 * The two ends of a migration as objects of their own, over a wire that loses, doubles, delays and reorders; and objects that are made
 * again from their record. Hosts are simulated; tests/api/qemu_halves.c does it with real guests.
 */
#include "../../virt.h"
#include "../harness.h"

/* ---- hosts ---- */

struct pair {
    virConnectPtr a, b;
    virDomainPtr domain;
};

static void
open(struct pair *hosts, const char *a, const char *b)
{
    virDomainPtr there;
    char uri[256];

    snprintf(uri, sizeof(uri), "test:///default?host=a%s", a);
    CHECK_PTR(hosts->a = virConnectOpen(uri));
    snprintf(uri, sizeof(uri), "test:///default?host=b%s", b);
    CHECK_PTR(hosts->b = virConnectOpen(uri));
    CHECK_PTR(there = virDomainLookupByName(hosts->b, "test"));
    CHECK_OK(virDomainDestroy(there));
    CHECK_OK(virDomainUndefine(there));
    virDomainFree(there);
    CHECK_PTR(hosts->domain = virDomainLookupByName(hosts->a, "test"));
}

static void
leave(struct pair *hosts)
{
    virDomainFree(hosts->domain);
    virConnectClose(hosts->a);
    virConnectClose(hosts->b);
}

static int
runsOn(virConnectPtr conn)
{
    virDomainPtr domain = virDomainLookupByName(conn, "test");
    int state = 0;

    if (domain == NULL)
        return 0;
    CHECK_OK(virDomainGetState(domain, &state, NULL, 0));
    virDomainFree(domain);
    return state == VIR_DOMAIN_RUNNING;
}

/* ---- a bad wire ---- */

struct wire {
    unsigned int seed;
    int bad;                          /* of ten messages, how many meet with something */
    char *way[16];
    int n;
};

static unsigned int
chance(struct wire *wire, unsigned int of)
{
    wire->seed = wire->seed * 1103515245u + 12345u;
    return (wire->seed >> 16) % of;
}

static void
sendOver(struct wire *wire, char *text)
{
    unsigned int what = chance(wire, 10) < (unsigned int)wire->bad ? chance(wire, 3) : 3;

    if (what == 0 || wire->n == 15) {            /* lost */
        free(text);
        return;
    }
    if (what == 1)                               /* comes twice */
        CHECK_NOT_NULL(wire->way[wire->n++] = strdup(text));
    if (what == 2 && wire->n > 0) {              /* overtakes */
        char *last = wire->way[wire->n - 1];

        wire->way[wire->n - 1] = text;
        text = last;
    }
    wire->way[wire->n++] = text;
}

static char *
receiveFrom(struct wire *wire)
{
    char *text;

    if (wire->n == 0 || (wire->bad > 0 && chance(wire, 3) == 0))
        return NULL;
    text = wire->way[0];
    memmove(wire->way, wire->way + 1, (size_t)--wire->n * sizeof(wire->way[0]));
    return text;
}

static int
turn(virMigrationPtr m, struct wire *in, struct wire *out)
{
    char *text = receiveFrom(in);
    int rc;

    if (text != NULL)
        CHECK_OK(virMigrationPutMessage(m, text));
    free(text);
    CHECK_OK(rc = virMigrationStep(m, 1));
    if (virMigrationGetMessage(m, &text) > 0)
        sendOver(out, text);
    return rc;
}

static void
carry(virMigrationPtr source, virMigrationPtr destination, struct wire *there, struct wire *back)
{
    while (turn(source, back, there) > 0)
        turn(destination, there, back);
    for (struct wire *wire = there; wire != NULL; wire = wire == there ? back : NULL)
        while (wire->n > 0)
            free(wire->way[--wire->n]);
}

/* ---- the tests ---- */

TEST(two_ends_migrate_by_messages)
{
    struct wire there = { .seed = 1 }, back = { .seed = 2 };
    virMigrationPtr source, destination;
    virDomainPtr guest;
    struct pair hosts;

    open(&hosts, "&memory-mib=16", "");
    CHECK_PTR(source = virMigrationNewSource(hosts.domain, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_PTR(destination = virMigrationNewDestination(hosts.b));
    CHECK_NULL(virMigrationGetUUID(destination));
    carry(source, destination, &there, &back);
    CHECK_INT(virMigrationGetOutcome(source), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_INT(virMigrationGetOutcome(destination), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_STR(virMigrationGetUUID(destination), virMigrationGetUUID(source));
    CHECK_PTR(guest = virMigrationGetDomain(destination));
    CHECK(virDomainGetConnect(guest) == hosts.b);
    virDomainFree(guest);
    CHECK_INT(runsOn(hosts.a), 0);
    CHECK_INT(runsOn(hosts.b), 1);
    virMigrationFree(source);
    virMigrationFree(destination);
    leave(&hosts);
}

static const struct { const char *a, *b; virMigrationOutcome outcome; } wireFaults[] = {
    { "&memory-mib=16", "", VIR_MIGRATION_OUTCOME_MIGRATED },
    { "&memory-mib=16&fault=perform:fail:50", "", VIR_MIGRATION_OUTCOME_ROLLED_BACK },
    { "&memory-mib=16", "&fault=prepare:fail", VIR_MIGRATION_OUTCOME_ROLLED_BACK },
    { "&memory-mib=16", "&fault=finish:fail", VIR_MIGRATION_OUTCOME_ROLLED_BACK },
    { "&memory-mib=16", "&fault=finish:lost:2", VIR_MIGRATION_OUTCOME_MIGRATED },
    { "&fault=begin:fail", "", VIR_MIGRATION_OUTCOME_ROLLED_BACK },
};

TEST_LIMIT(a_bad_wire_changes_nothing_of_the_outcome, 300)
{
    for (unsigned int seed = 0; seed < 30; seed++) {
        size_t k = seed % (sizeof(wireFaults) / sizeof(wireFaults[0]));
        struct wire there = { .seed = seed, .bad = 5 }, back = { .seed = seed + 1000, .bad = 5 };
        virMigrationPtr source, destination;
        struct pair hosts;

        open(&hosts, wireFaults[k].a, wireFaults[k].b);
        CHECK_PTR(source = virMigrationNewSource(hosts.domain, NULL, 0, VIR_MIGRATE_LIVE));
        CHECK_PTR(destination = virMigrationNewDestination(hosts.b));
        carry(source, destination, &there, &back);
        EXPECT(virMigrationGetOutcome(source) == wireFaults[k].outcome, "seed %u: the outcome is %d", seed, virMigrationGetOutcome(source));
        EXPECT(runsOn(hosts.a) + runsOn(hosts.b) == 1, "seed %u: it runs %d times", seed, runsOn(hosts.a) + runsOn(hosts.b));
        virMigrationFree(source);
        virMigrationFree(destination);
        leave(&hosts);
    }
}

TEST(an_end_refuses_what_is_not_meant_for_it)
{
    static const char reply[] = "{\"version\":1,\"migration\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"reply\":\"prepare\",\"done\":true}";
    virMigrationPtr source, destination, both;
    struct pair hosts;
    char *text;

    open(&hosts, "", "");
    CHECK_PTR(source = virMigrationNewSource(hosts.domain, NULL, 0, 0));
    CHECK_PTR(destination = virMigrationNewDestination(hosts.b));
    CHECK_PTR(both = virMigrationNew(hosts.domain, hosts.b, NULL, 0, 0));
    CHECK_FAILS(virMigrationPutMessage(source, reply), VIR_ERR_INVALID_ARG);          /* of another migration */
    CHECK_FAILS(virMigrationPutMessage(destination, reply), VIR_ERR_INVALID_ARG);     /* a reply */
    CHECK_FAILS(virMigrationPutMessage(source, NULL), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virMigrationPutMessage(both, reply), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virMigrationGetMessage(both, &text), VIR_ERR_OPERATION_INVALID);
    CHECK_INT(virMigrationGetMessage(destination, &text), 0);
    CHECK_INT(virMigrationStep(destination, 100), 1);
    CHECK_FAILS_NULL(virMigrationGetRecord(destination), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virMigrationSettle(destination, VIR_MIGRATION_OUTCOME_MIGRATED), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virMigrationSettle(source, VIR_MIGRATION_OUTCOME_MIGRATED), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virMigrationSettle(source, VIR_MIGRATION_OUTCOME_UNDECIDED), VIR_ERR_INVALID_ARG);
    CHECK_INT(virMigrationStep(source, 100), 1);                                       /* begin */
    CHECK_INT(virMigrationGetMessage(source, &text), 1);
    CHECK_INT(virMigrationGetMessage(source, &text), 0);                               /* not again at once */
    CHECK_FAILS(virMigrationPutMessage(source, text), VIR_ERR_INVALID_ARG);            /* its own */
    free(text);
    virMigrationFree(source);
    virMigrationFree(destination);
    virMigrationFree(both);
    leave(&hosts);
}

TEST_LIMIT(an_object_is_made_again_from_its_record_at_every_step, 120)
{
    for (size_t k = 0; k < sizeof(wireFaults) / sizeof(wireFaults[0]); k++) {
        virMigrationPtr m;
        struct pair hosts;
        int rc;

        open(&hosts, wireFaults[k].a, wireFaults[k].b);
        CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
        do {
            char *record = virMigrationGetRecord(m);
            virMigrationPtr again;

            CHECK_PTR(record);
            CHECK_PTR(again = virMigrationNewFromRecord(record, hosts.a, hosts.b));
            CHECK_STR(virMigrationGetUUID(again), virMigrationGetUUID(m));
            CHECK_INT(virMigrationGetPhase(again), virMigrationGetPhase(m));
            virMigrationFree(m);
            free(record);
            m = again;
            CHECK_OK(rc = virMigrationStep(m, 5));
        } while (rc > 0);
        EXPECT(virMigrationGetOutcome(m) == wireFaults[k].outcome, "%s %s: the outcome is %d", wireFaults[k].a, wireFaults[k].b,
               virMigrationGetOutcome(m));
        EXPECT(runsOn(hosts.a) + runsOn(hosts.b) == 1, "%s %s: it does not run once", wireFaults[k].a, wireFaults[k].b);
        virMigrationFree(m);
        leave(&hosts);
    }
}

TEST(an_old_record_leads_to_the_end_that_has_been)
{
    virMigrationPtr m, again;
    struct pair hosts;
    char *record;

    open(&hosts, "&memory-mib=16", "");
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_PTR(record = virMigrationGetRecord(m));
    while (virMigrationStep(m, 50) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_PTR(again = virMigrationNewFromRecord(record, hosts.a, hosts.b));
    while (virMigrationStep(again, 50) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(again), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_INT(runsOn(hosts.a), 0);
    CHECK_INT(runsOn(hosts.b), 1);
    free(record);
    virMigrationFree(m);
    virMigrationFree(again);
    leave(&hosts);
}

/* The source has its answer and does not ask again: whoever goes on at the destination must not wait for a question to know how it ended. */
TEST(a_destination_made_from_its_hosts_record_knows_how_it_ended)
{
    static const struct { bool abort; virMigrationOutcome outcome; } ways[] = {
        { false, VIR_MIGRATION_OUTCOME_MIGRATED }, { true, VIR_MIGRATION_OUTCOME_ROLLED_BACK },
    };

    for (size_t i = 0; i < 2; i++) {
        virMigrationPtr source, destination, again;
        char **records = NULL, *text, *last = NULL;
        struct pair hosts;
        int rc;

        open(&hosts, "&memory-mib=16", "");
        CHECK_PTR(source = virMigrationNewSource(hosts.domain, NULL, 0, VIR_MIGRATE_LIVE));
        CHECK_PTR(destination = virMigrationNewDestination(hosts.b));
        do {
            if (ways[i].abort && virMigrationGetPhase(source) == VIR_MIGRATION_PHASE_PERFORM)
                CHECK_OK(virMigrationAbort(source));
            CHECK_OK(rc = virMigrationStep(source, 1));
            if (virMigrationGetMessage(source, &text) > 0) {
                CHECK_OK(virMigrationPutMessage(destination, text));
                free(last);
                last = text;
            }
            CHECK_OK(virMigrationStep(destination, 1));
            if (virMigrationGetMessage(destination, &text) > 0) {
                CHECK_OK(virMigrationPutMessage(source, text));
                free(text);
            }
        } while (rc > 0);
        CHECK_INT(virMigrationGetOutcome(source), ways[i].outcome);
        CHECK_INT(virConnectListMigrations(hosts.b, &records, VIR_CONNECT_LIST_MIGRATIONS_OVER), 1);
        CHECK_PTR(again = virMigrationNewFromRecord(records[0], NULL, hosts.b));
        CHECK_INT(virMigrationStep(again, 0), 0);
        CHECK_INT(virMigrationGetOutcome(again), ways[i].outcome);
        CHECK_INT(virMigrationGetPhase(again), VIR_MIGRATION_PHASE_OVER);
        CHECK_OK(virMigrationPutMessage(again, last));           /* and it answers, if it is asked */
        CHECK_INT(virMigrationStep(again, 100), 0);
        CHECK_INT(virMigrationGetMessage(again, &text), 1);
        CHECK_INT(virMigrationGetOutcome(again), ways[i].outcome);
        free(text);
        free(last);
        free(records[0]);
        free(records);
        virMigrationFree(source);
        virMigrationFree(destination);
        virMigrationFree(again);
        leave(&hosts);
    }
}

TEST(a_doubt_is_said_and_settled)
{
    static const struct { virMigrationOutcome said; int here; } words[] = {
        { VIR_MIGRATION_OUTCOME_ROLLED_BACK, 1 }, { VIR_MIGRATION_OUTCOME_MIGRATED, 0 },
    };

    for (size_t i = 0; i < 2; i++) {
        virMigrationPtr m;
        struct pair hosts;
        char *doubt;

        open(&hosts, "&memory-mib=16", "&fault=finish:hang");
        CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
        while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_FINISH)
            CHECK_INT(virMigrationStep(m, 20), 1);
        CHECK_NULL(virMigrationGetDoubt(m));
        CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_NONE);
        while (virMigrationGetOutcome(m) != VIR_MIGRATION_OUTCOME_UNDECIDED)
            CHECK_INT(virMigrationStep(m, 200), 1);
        CHECK_INT(runsOn(hosts.a), 0);
        CHECK_PTR(doubt = virMigrationGetDoubt(m));
        CHECK_CONTAINS(doubt, "asked to start domain 'test'");
        free(doubt);
        CHECK_OK(virMigrationSettle(m, words[i].said));
        while (virMigrationStep(m, 200) > 0)
            ;
        CHECK_INT(virMigrationGetOutcome(m), words[i].said);
        CHECK_INT(runsOn(hosts.a), words[i].here);
        virMigrationFree(m);
        leave(&hosts);
    }
}

TEST(the_course_is_told_as_a_table_and_as_a_picture)
{
    virMigrationPtr m;
    struct pair hosts;
    char *text;

    open(&hosts, "&memory-mib=64&bandwidth=256&dirty-rate=32", "");
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_PTR(text = virMigrationGetTrace(m, 0));
    for (int phase = VIR_MIGRATION_PHASE_BEGIN; phase <= VIR_MIGRATION_PHASE_CONFIRM; phase++)
        CHECK_CONTAINS(text, virMigrationPhaseGetName((virMigrationPhase)phase));
    CHECK_CONTAINS(text, "iteration");
    CHECK_CONTAINS(text, "downtime ");
    free(text);
    CHECK_PTR(text = virMigrationGetTrace(m, VIR_MIGRATION_TRACE_SVG));
    CHECK_INT(strncmp(text, "<svg ", 5), 0);
    CHECK_CONTAINS(text, "perform, source");
    CHECK_CONTAINS(text, "</svg>");
    free(text);
    CHECK_FAILS_NULL(virMigrationGetTrace(m, 2), VIR_ERR_INVALID_ARG);
    virMigrationFree(m);
    leave(&hosts);
}

/* Also of one that never moved: what happened, and why. */
TEST(the_course_of_a_migration_that_never_moved_says_why)
{
    static const char *const words[] = {
        "begin     source ", "  failed\n", "error     ", "a fault was injected into begin", "outcome   rolled back\n", "nothing has moved\n",
    };
    virMigrationPtr m;
    struct pair hosts;
    char *text;

    open(&hosts, "&fault=begin:fail", "");
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_PTR(text = virMigrationGetTrace(m, 0));
    CHECK_CONTAINS(text, "outcome   not over\n");
    free(text);
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_PTR(text = virMigrationGetTrace(m, 0));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        CHECK_CONTAINS(text, words[i]);
    CHECK_NULL(strstr(text, "iteration"));
    free(text);
    CHECK_PTR(text = virMigrationGetTrace(m, VIR_MIGRATION_TRACE_SVG));
    CHECK_CONTAINS(text, "rolled back: ");
    CHECK_CONTAINS(text, "a fault was injected into begin</text>");
    free(text);
    virMigrationFree(m);
    leave(&hosts);
}

TEST(the_course_has_the_phase_that_is_at_work)
{
    virMigrationPtr m;
    struct pair hosts;
    char *text;

    open(&hosts, "", "&fault=prepare:hang");
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PREPARE)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_PTR(text = virMigrationGetTrace(m, 0));
    CHECK_CONTAINS(text, "prepare   destination ");
    CHECK_CONTAINS(text, "  at work\n");
    free(text);
    CHECK_OK(virMigrationAbort(m));
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_PTR(text = virMigrationGetTrace(m, 0));
    CHECK_CONTAINS(text, "  failed\n");
    CHECK_CONTAINS(text, "was aborted in phase prepare\n");
    free(text);
    virMigrationFree(m);
    leave(&hosts);
}

/* ---- events ---- */

struct phases { char text[512]; };

static void
onPhase(virConnectPtr conn, virDomainPtr domain, const char *migration, int phase, int state, void *opaque)
{
    struct phases *phases = opaque;
    size_t length = strlen(phases->text);

    (void)conn;
    CHECK_STR(virDomainGetName(domain), "test");
    CHECK_INT(strlen(migration), VIR_UUID_STRING_BUFLEN - 1);
    snprintf(phases->text + length, sizeof(phases->text) - length, "%s%c ", virMigrationPhaseGetName((virMigrationPhase)phase), "+.!"[state]);
}

static void
onTimer(int timer, void *opaque)
{
    (void)timer;
    *(bool *)opaque = true;
}

TEST(each_phase_is_an_event_at_both_ends)
{
    static const struct { const char *b, *text; } cases[] = {
        { "", "begin+ begin. prepare+ prepare. perform+ perform. finish+ finish. confirm+ confirm. " },
        { "&fault=prepare:fail", "begin+ begin. prepare+ prepare! halt+ halt. cancel+ cancel. rollback+ rollback. " },
    };

    CHECK_OK(virEventRegisterDefaultImpl());
    for (size_t k = 0; k < 2; k++) {
        struct phases seen[2] = { { "" }, { "" } };
        struct pair hosts;
        virMigrationPtr m;
        bool over = false;
        int timer;

        open(&hosts, "&memory-mib=16", cases[k].b);
        for (int side = 0; side < 2; side++)
            CHECK_OK(virConnectDomainEventRegisterAny(side == 0 ? hosts.a : hosts.b, NULL, VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE,
                                                      VIR_DOMAIN_EVENT_CALLBACK(onPhase), &seen[side], NULL));
        CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
        while (virMigrationStep(m, 50) > 0)
            ;
        virMigrationFree(m);
        CHECK_OK(timer = virEventAddTimeout(20, onTimer, &over, NULL));
        while (!over)
            CHECK_OK(virEventRunDefaultImpl());
        virEventRemoveTimeout(timer);
        CHECK_STR(seen[0].text, cases[k].text);
        CHECK_STR(seen[1].text, cases[k].text);
        leave(&hosts);
    }
}

TEST(what_was_not_moved_completely_is_not_settled_as_migrated)
{
    virMigrationPtr m;
    struct pair hosts;

    open(&hosts, "&memory-mib=64&bandwidth=16", "&fault=cancel:hang");
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_OK(virMigrationAbort(m));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_CANCEL)
        CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_INT(virMigrationStep(m, 20), 1);
    CHECK_FAILS(virMigrationSettle(m, VIR_MIGRATION_OUTCOME_MIGRATED), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virMigrationSettle(m, VIR_MIGRATION_OUTCOME_ROLLED_BACK));
    while (virMigrationStep(m, 20) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(runsOn(hosts.a), 1);
    virMigrationFree(m);
    leave(&hosts);
}

TEST(a_source_alone_is_settled_from_what_its_host_knows)
{
    static const struct { virMigrationOutcome said; int here; } words[] = {
        { VIR_MIGRATION_OUTCOME_ROLLED_BACK, 1 }, { VIR_MIGRATION_OUTCOME_MIGRATED, 0 },
    };

    for (size_t i = 0; i < 2; i++) {
        char **records = NULL, *text;
        virMigrationPtr m;
        struct pair hosts;

        open(&hosts, "&memory-mib=16", "");
        CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.b, NULL, 0, VIR_MIGRATE_LIVE));
        while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_FINISH)
            CHECK_INT(virMigrationStep(m, 20), 1);
        virMigrationFree(m);                     /* its controller is gone, and the destination with it */
        CHECK_INT(virConnectListMigrations(hosts.a, &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 1);
        CHECK_PTR(m = virMigrationNewFromRecord(records[0], hosts.a, NULL));
        free(records[0]);
        free(records);
        while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_FINISH)
            CHECK_INT(virMigrationStep(m, 20), 1);
        CHECK_INT(virMigrationGetMessage(m, &text), 1);
        free(text);
        CHECK_OK(virMigrationSettle(m, words[i].said));
        while (virMigrationStep(m, 20) > 0)
            ;
        CHECK_INT(virMigrationGetOutcome(m), words[i].said);
        CHECK_INT(runsOn(hosts.a), words[i].here);
        virMigrationFree(m);
        leave(&hosts);
    }
}
