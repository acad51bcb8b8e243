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
