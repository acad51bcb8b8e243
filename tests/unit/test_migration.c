/*
 * Migration between simulated hosts, with everything going wrong: the fault matrix, generated from the driver's own table of
 * durable steps, and what the records promise, asked of the slots themselves.
 */
#define VIRT_STATIC
#include "../../virt.c"
#include "../harness.h"

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

/* ---------- the matrix ---------- */

/* Something that goes wrong; made from the table of durable steps, and from the phases in it. */
struct wrong {
    char text[64];                       /* for the URI; "controller" and "newcomer" with a phase's name: another goes on, from the
                                          * object's record or from the host's */
    enum testFaultPlace place;
    bool source, power;
    int mark;                            /* -1: none */
};

static struct wrong wrongs[256];
static size_t nwrongs;

static void
makeWrongs(void)
{
    static const char *const kinds[] = { "crash", "power" }, *const calls[] = { "again:2", "lost:2", "controller", "newcomer" };
    int number = 0;

    nwrongs = 0;
    for (int i = 0; i < TEST_MARKS; i++) {
        const struct testMigrationStep *step = &testMigrationSteps[i];
        bool first = i == 0 || step->place != testMigrationSteps[i - 1].place;

        number = first ? 1 : number + 1;
        for (size_t k = 0; k < COUNT(kinds); k++) {
            struct wrong *w = &wrongs[nwrongs++];

            *w = (struct wrong){ .place = step->place, .source = step->source, .power = k == 1, .mark = i };
            snprintf(w->text, sizeof(w->text), "%s:%s:%d", step->phase, kinds[k], number);
        }
        for (size_t k = 0; first && k < COUNT(calls); k++) {
            struct wrong *w = &wrongs[nwrongs++];

            *w = (struct wrong){ .place = step->place, .source = step->source, .mark = -1 };
            if (k < 2)
                snprintf(w->text, sizeof(w->text), "%s:%s", step->phase, calls[k]);
            else
                snprintf(w->text, sizeof(w->text), "%s %s", calls[k], step->phase);
        }
    }
    CHECK(nwrongs < COUNT(wrongs));
}

struct course {
    const char *name;
    const char *source, *destination;    /* a fault that is always there */
    virMigrationPhase abortIn;
    bool paused, postcopy, late;         /* late: aborted when memory is on its way */
};

static const struct course courses[] = {
    { "there", "", "", VIR_MIGRATION_PHASE_LAST, false, false, false },
    { "there, paused", "", "", VIR_MIGRATION_PHASE_LAST, true, false, false },
    { "aborted in perform", "", "", VIR_MIGRATION_PHASE_PERFORM, false, false, false },
    { "aborted in finish", "", "", VIR_MIGRATION_PHASE_FINISH, false, false, false },
    { "aborted under way", "", "", VIR_MIGRATION_PHASE_PERFORM, false, false, true },
    { "perform fails", "perform:fail:50", "", VIR_MIGRATION_PHASE_LAST, false, false, false },
    { "finish fails", "", "finish", VIR_MIGRATION_PHASE_LAST, false, false, false },
    { "post-copy", "", "", VIR_MIGRATION_PHASE_LAST, false, true, false },
    { "post-copy, broken", "perform:break:300", "", VIR_MIGRATION_PHASE_LAST, false, true, false },
};

struct run {
    const struct course *course;
    const struct wrong *wrong[2];
    virConnectPtr keep[2], conn[2];
    virDomainPtr domain;
    virMigrationOutcome outcome;
    bool dead[2];                        /* the controller that was to die has */
};

static void
openSide(struct run *run, int side)
{
    char fault[256] = "", uri[512];
    const char *always = side == 0 ? run->course->source : run->course->destination;

    snprintf(fault, sizeof(fault), "%s", always);
    for (int i = 0; i < 2; i++) {
        const struct wrong *w = run->wrong[i];

        if (w != NULL && w->source == (side == 0) && strchr(w->text, ' ') == NULL)
            snprintf(fault + strlen(fault), sizeof(fault) - strlen(fault), "%s%s", fault[0] != '\0' ? "," : "", w->text);
    }
    snprintf(uri, sizeof(uri), "&memory-mib=1%s%s%s", run->course->postcopy ? "&bandwidth=512&dirty-rate=100000" :
             run->course->late ? "&bandwidth=8" : "",
             fault[0] != '\0' ? "&fault=" : "", fault);
    run->keep[side] = openHost(side == 0 ? "source" : "destination", "");
    run->conn[side] = openHost(side == 0 ? "source" : "destination", uri);
}

/* NULL, "controller" or "newcomer". */
static const char *
controllerDies(struct run *run, virMigrationPhase phase)
{
    for (int i = 0; i < 2; i++) {
        const char *blank = run->wrong[i] != NULL ? strchr(run->wrong[i]->text, ' ') : NULL;

        if (blank == NULL || run->dead[i] || strcmp(blank + 1, virMigrationPhaseGetName(phase)) != 0)
            continue;
        run->dead[i] = true;
        return run->wrong[i]->text;
    }
    return NULL;
}

/* Another controller goes on from what the object knew, or from what a host knows. */
static virMigrationPtr
nextController(struct run *run, virMigrationPtr m, bool newcomer)
{
    char **records = NULL, *record = virMigrationGetRecord(m);

    CHECK_PTR(record);
    virMigrationFree(m);
    for (int side = 0; side < 2 && newcomer && records == NULL; side++) {
        CHECK_OK(virConnectListMigrations(run->keep[side], &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE));
        if (records[0] == NULL)
            virStringsFree(records), records = NULL;
    }
    CHECK_PTR(m = virMigrationNewFromRecord(records != NULL ? records[0] : record, run->conn[0], run->conn[1]));
    virStringsFree(records);
    free(record);
    return m;
}

static void
carryOut(struct run *run)
{
    unsigned int flags = VIR_MIGRATE_LIVE | (run->course->postcopy ? VIR_MIGRATE_POSTCOPY : 0);
    virMigrationPhase phase, before = VIR_MIGRATION_PHASE_LAST;
    const char *dies;
    virMigrationPtr m;
    int rc, limit = 3000;

    CHECK_PTR(m = virMigrationNew(run->domain, run->conn[1], NULL, 0, flags));
    do {
        phase = virMigrationGetPhase(m);
        if (phase == run->course->abortIn && (!run->course->late || phase == before))
            CHECK_OK(virMigrationAbort(m));
        CHECK_OK(rc = virMigrationStep(m, phase == VIR_MIGRATION_PHASE_PERFORM ? 1 : 5));
        if (phase != before && rc > 0 && (dies = controllerDies(run, phase)) != NULL)
            m = nextController(run, m, dies[0] == 'n');
        before = phase;
        /* whoever looks at a host that has crashed brings it back */
        EXPECT(guestOn(run->keep[0]) != 1 || guestOn(run->keep[1]) != 1, "it runs twice in phase %s", virMigrationPhaseGetName(phase));
        if (run->course->postcopy && virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM)
            virDomainMigrateStartPostCopy(run->domain, 0);
    } while (rc > 0 && limit-- > 0);
    EXPECT(rc == 0, "it does not end: phase %s", virMigrationPhaseGetName(virMigrationGetPhase(m)));
    run->outcome = virMigrationGetOutcome(m);
    virMigrationFree(m);
}

/* A crash that has happened is used up. */
static bool
hasHappened(const struct run *run, const struct wrong *w)
{
    return w != NULL && w->mark >= 0 && testConnectOf(run->conn[w->source ? 0 : 1])->faults[w->place].kind == TEST_FAULT_NONE;
}

/*
 * Whether a loss of power has taken the guest's last complete copy: the source's before the destination had everything, or
 * when that was not to be had any more; the destination's once the guest was there. In post-copy either takes it.
 */
static bool
mayBeLost(const struct run *run)
{
    bool alone = run->wrong[1] == NULL && run->course->source[0] == '\0' && run->course->destination[0] == '\0' &&
                 run->course->abortIn == VIR_MIGRATION_PHASE_LAST;

    for (int i = 0; i < 2; i++) {
        const struct wrong *w = run->wrong[i];
        bool keeps;

        if (w == NULL || !w->power || !hasHappened(run, w))
            continue;
        if (w->source)
            keeps = w->mark == TEST_MARK_LEAVING || w->mark == TEST_MARK_ENDED || w->mark == TEST_MARK_LEFT ||
                    (w->mark == TEST_MARK_PERFORMED && alone && !run->course->postcopy);
        else
            keeps = w->mark != TEST_MARK_ARRIVED && !run->course->postcopy;
        if (!keeps)
            return true;
    }
    return false;
}

static void
judge(struct run *run)
{
    int source = guestOn(run->keep[0]), destination = guestOn(run->keep[1]), expected = run->course->paused ? 0 : 1;

    if (run->outcome == VIR_MIGRATION_OUTCOME_MIGRATED) {
        EXPECT(source < 0, "migrated, but at the source it is %d", source);
        EXPECT(destination == expected || mayBeLost(run), "migrated, but at the destination it is %d", destination);
    } else if (run->outcome == VIR_MIGRATION_OUTCOME_ROLLED_BACK) {
        EXPECT(source == expected || mayBeLost(run), "rolled back, but at the source it is %d", source);
        EXPECT(destination < 0, "rolled back, but at the destination it is %d", destination);
    } else {
        EXPECT(run->outcome == VIR_MIGRATION_OUTCOME_LOST, "the outcome is %d", run->outcome);
        EXPECT(mayBeLost(run), "it is lost");
        EXPECT(source < 0 && destination < 0, "lost, but it is %d at the source and %d at the destination", source, destination);
    }
    for (int side = 0; side < 2; side++) {
        virDomainPtr domain = virDomainLookupByName(run->keep[side], "m");
        virDomainJobInfo info = { 0 };

        EXPECT(recordsOf(run->keep[side], VIR_CONNECT_LIST_MIGRATIONS_ACTIVE) == 0, "side %d: a record is left", side);
        if (domain == NULL)
            continue;
        EXPECT(virDomainGetJobInfo(domain, &info) == 0 && info.type == VIR_DOMAIN_JOB_NONE, "side %d: a job is left", side);
        virDomainFree(domain);
    }
}

static bool happened[TEST_MARKS][2];     /* crash, power */

static int runs, outcomes[VIR_MIGRATION_OUTCOME_LAST];

static void
runOnce(const struct course *course, const struct wrong *a, const struct wrong *b)
{
    struct run run = { .course = course, .wrong = { a, b } };

    harnessContext("%s, %s, %s", course->name, a != NULL ? a->text : "nothing", b != NULL ? b->text : "nothing");
    openSide(&run, 0);
    openSide(&run, 1);
    CHECK_PTR(run.domain = virDomainCreateXML(run.conn[0], GUEST, 0));
    if (course->paused)
        CHECK_OK(virDomainSuspend(run.domain));
    carryOut(&run);
    judge(&run);
    for (int i = 0; i < 2; i++) {
        if (hasHappened(&run, run.wrong[i]))
            happened[run.wrong[i]->mark][run.wrong[i]->power] = true;
    }
    runs++;
    outcomes[run.outcome]++;
    for (int side = 0; side < 2; side++)
        takeAway(run.keep[side]);
    virDomainFree(run.domain);
    for (int side = 0; side < 2; side++) {
        virConnectClose(run.conn[side]);
        virConnectClose(run.keep[side]);
    }
}

static void
printTable(const char *what)
{
    printf("%s: %d runs; migrated %d, rolled back %d, lost with the fault %d\n", what, runs, outcomes[VIR_MIGRATION_OUTCOME_MIGRATED],
           outcomes[VIR_MIGRATION_OUTCOME_ROLLED_BACK], outcomes[VIR_MIGRATION_OUTCOME_LOST]);
}

/* A connection has one fault for each phase. */
static bool
clash(const struct course *course, const struct wrong *w)
{
    return (course->source[0] != '\0' && w->place == TEST_FAULT_PERFORM) ||
           (course->destination[0] != '\0' && w->place == TEST_FAULT_FINISH);
}

TEST_LIMIT(one_fault_at_each_durable_step_leaves_one_guest, 120)
{
    makeWrongs();
    for (size_t c = 0; c < COUNT(courses); c++) {
        runs = 0;
        memset(outcomes, 0, sizeof(outcomes));
        runOnce(&courses[c], NULL, NULL);
        for (size_t i = 0; i < nwrongs; i++) {
            if (!clash(&courses[c], &wrongs[i]))
                runOnce(&courses[c], &wrongs[i], NULL);
        }
        printTable(courses[c].name);
    }
    harnessContext("all courses");
    for (int i = 0; i < 2 * TEST_MARKS; i++)
        EXPECT(happened[i / 2][i % 2], "%s at '%s: %s' never happened", i % 2 ? "power" : "crash", testMigrationSteps[i / 2].phase,
               testMigrationSteps[i / 2].name);
}

/* Any two of them; every pair in the plain course, a sample with a fixed seed in the others. VIRT_TEST_TORTURE: all. */
TEST_LIMIT(two_faults_leave_one_guest, 600)
{
    unsigned int seed = 20261123, stride = harnessIsSanitized() ? 40 : 8;

    makeWrongs();
    for (size_t c = 0; c < COUNT(courses); c++) {
        runs = 0;
        memset(outcomes, 0, sizeof(outcomes));
        for (size_t i = 0; i < nwrongs; i++) {
            for (size_t j = i + 1; j < nwrongs; j++) {
                const struct wrong *a = &wrongs[i], *b = &wrongs[j];

                seed = seed * 1664525 + 1013904223;
                if (clash(&courses[c], a) || clash(&courses[c], b) || (a->place == b->place && a->source == b->source) ||
                    (getenv("VIRT_TEST_TORTURE") == NULL && (seed >> 16) % (c == 0 ? stride / 8 : stride) != 0))
                    continue;
                runOnce(&courses[c], a, b);
            }
        }
        printTable(courses[c].name);
    }
    printf("seed 20261123\n");
}

/* ---------- several controllers at once ---------- */

struct rival {
    pthread_t thread;
    virMigrationPtr m;
    int abortAfter;                      /* steps; -1: it does not */
    bool ended;
};

static void *
rivalRun(void *opaque)
{
    struct rival *rival = opaque;
    int rc = 1;

    for (int i = 0; i < 5000 && rc > 0; i++) {
        if (i == rival->abortAfter)
            virMigrationAbort(rival->m);
        rc = virMigrationStep(rival->m, 2);
    }
    rival->ended = rc == 0;
    return NULL;
}

/* Each has the same record; one of them wants it over; the hosts crash under them. They end with the same outcome. */
TEST_LIMIT(rivals_with_one_record_end_alike, 120)
{
    unsigned int seed = 7;

    makeWrongs();
    for (int i = 0; i < (harnessIsSanitized() ? 60 : 300); i++) {
        const struct wrong *w = &wrongs[((seed = seed * 1664525 + 1013904223) >> 8) % nwrongs];
        struct run run = { .course = &courses[(seed >> 20) % 2 == 0 ? 0 : 1], .wrong = { strchr(w->text, ' ') == NULL ? w : NULL } };
        struct rival rivals[3] = { { .abortAfter = -1 }, { .abortAfter = (int)(seed >> 16) % 6 - 1 }, { .abortAfter = -1 } };
        char *record;

        harnessContext("round %d, %s, aborted after %d steps", i, w->text, rivals[1].abortAfter);
        openSide(&run, 0);
        openSide(&run, 1);
        CHECK_PTR(run.domain = virDomainCreateXML(run.conn[0], GUEST, 0));
        if (run.course->paused)
            CHECK_OK(virDomainSuspend(run.domain));
        CHECK_PTR(rivals[0].m = virMigrationNew(run.domain, run.conn[1], NULL, 0, VIR_MIGRATE_LIVE));
        CHECK_PTR(record = virMigrationGetRecord(rivals[0].m));
        for (int r = 1; r < 3; r++)
            CHECK_PTR(rivals[r].m = virMigrationNewFromRecord(record, run.conn[0], run.conn[1]));
        free(record);
        for (int r = 0; r < 3; r++)
            CHECK_INT(pthread_create(&rivals[r].thread, NULL, rivalRun, &rivals[r]), 0);
        for (int r = 0; r < 3; r++)
            CHECK_INT(pthread_join(rivals[r].thread, NULL), 0);
        /* one that was aborted before its first step has asked nobody, and says nothing of the guest */
        run.outcome = virMigrationGetOutcome(rivals[0].m);
        for (int r = 0; r < 3; r++) {
            EXPECT(rivals[r].ended, "controller %d does not end", r);
            EXPECT(virMigrationGetOutcome(rivals[r].m) == run.outcome || rivals[r].abortAfter == 0, "controller %d: %d, not %d", r,
                   virMigrationGetOutcome(rivals[r].m), run.outcome);
            virMigrationFree(rivals[r].m);
        }
        judge(&run);
        for (int side = 0; side < 2; side++)
            takeAway(run.keep[side]);
        virDomainFree(run.domain);
        for (int side = 0; side < 2; side++) {
            virConnectClose(run.conn[side]);
            virConnectClose(run.keep[side]);
        }
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
    *pair = (struct pair){ .call = { .uuid = "3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0ff", .flags = flags, .timeout = 1000, .stream = -1 } };
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

/* ---- what is listed ---- */

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
