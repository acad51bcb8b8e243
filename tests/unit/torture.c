/*
 * The fault matrix on simulated hosts: every durable step of a migration and every call of a phase, times every fault, alone and in pairs, on
 * the way there and on every way back. The points are the driver's own table (testMigrationSteps) and the machine's (virMigrationPhases).
 *
 * Whatever happens: never two copies run; never none, where no fault has destroyed the last complete one; and nothing is left over.
 */
#define VIRT_STATIC
#include "../../virt.c"
#include "../harness.h"

/* ---- the faults ---- */

struct point {
    char fault[48];                   /* for the URI; empty: none */
    int side;                         /* whose URI: 0 source, 1 destination */
    const char *kind;
    int place;                        /* one fault a place and side */
    int newController;                /* the controller dies in this phase; -1 */
    bool byHosts;                     /* ... and its record with it: the next one goes by what the hosts have */
    bool mayLose;                     /* what it destroys may be the last complete copy */
};

static struct point points[256];
static size_t npoints;

static struct point *
addPoint(const char *kind, int side, int place)
{
    struct point *point = &points[npoints++];

    CHECK(npoints < sizeof(points) / sizeof(points[0]));
    *point = (struct point){ .kind = kind, .side = side, .place = place, .newController = -1 };
    return point;
}

static void
makePoints(void)
{
    static const char *const kinds[] = { "crash", "power" };
    int number = 0, place = -1;

    npoints = 0;
    for (int mark = 0; mark < TEST_MARKS; mark++) {
        const struct testMigrationStep *step = &testMigrationSteps[mark];

        number = (int)step->place == place ? number + 1 : 1;
        place = (int)step->place;
        for (int k = 0; k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "side crashes" : "side loses power", step->source ? 0 : 1, place);

            snprintf(point->fault, sizeof(point->fault), "%s:%s:%d", step->phase, kinds[k], number);
            point->mayLose = k == 1 && (step->source || mark == TEST_MARK_STARTING || mark == TEST_MARK_STARTED || mark == TEST_MARK_ARRIVED);
        }
    }
    for (int phase = 0; phase < VIR_MIGRATION_PHASE_OVER; phase++) {
        const struct virMigrationPhaseRow *row = &virMigrationPhases[phase];
        int side = row->side == VIR_MIGRATION_SIDE_DESTINATION;

        for (int k = 0; k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "call lost" : "reply lost", side, 100 + phase);

            snprintf(point->fault, sizeof(point->fault), "%s:%s:1", row->name, k == 0 ? "again" : "lost");
        }
        for (int k = 0; k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "controller dies" : "controller and record", 0, 200 + k);

            point->newController = phase;
            point->byHosts = k == 1;
        }
    }
    snprintf(addPoint("destination's hypervisor", 1, TEST_FAULT_PERFORM)->fault, sizeof(points[0].fault), "perform:die:50");
    snprintf(addPoint("source's hypervisor", 0, TEST_FAULT_PERFORM)->fault, sizeof(points[0].fault), "perform:die:50");
    points[npoints - 1].mayLose = true;
}

/* ---- the ways ---- */

static const struct way { const char *name, *source, *destination; int abortIn; } ways[] = {
    { "there", "", "", -1 },
    { "back from prepare", "", "prepare:fail", -1 },
    { "back from perform", "perform:fail:50", "", -1 },
    { "back from finish", "", "finish:fail", -1 },
    { "aborted in perform", "", "", VIR_MIGRATION_PHASE_PERFORM },
    { "aborted in finish", "", "", VIR_MIGRATION_PHASE_FINISH },
};

/* ---- a run ---- */

struct hosts { virConnectPtr keep[2], conn[2]; virDomainPtr domain; };

static void
openHosts(struct hosts *hosts, const struct way *way, const struct point *a, const struct point *b)
{
    const char *const given[2] = { way->source, way->destination };

    for (int side = 0; side < 2; side++) {
        char uri[512], faults[256] = "";

        for (int k = 0; k < 3; k++) {
            const char *text = k == 0 ? given[side] : k == 1 ? (a->side == side ? a->fault : "") : b != NULL && b->side == side ? b->fault : "";

            if (text[0] != '\0')
                snprintf(faults + strlen(faults), sizeof(faults) - strlen(faults), "%s%s", faults[0] != '\0' ? "," : "", text);
        }
        snprintf(uri, sizeof(uri), "test:///default?host=%s", side == 0 ? "a" : "b");
        CHECK_PTR(hosts->keep[side] = virConnectOpen(uri));
        snprintf(uri, sizeof(uri), "test:///default?host=%s&memory-mib=1&bandwidth=2048%s%s", side == 0 ? "a" : "b",
                 faults[0] != '\0' ? "&fault=" : "", faults);
        CHECK_PTR(hosts->conn[side] = virConnectOpen(uri));
    }
    CHECK_PTR(hosts->domain = virDomainLookupByName(hosts->keep[1], "test"));
    CHECK_OK(virDomainDestroy(hosts->domain));
    CHECK_OK(virDomainUndefine(hosts->domain));
    virDomainFree(hosts->domain);
    CHECK_PTR(hosts->domain = virDomainLookupByName(hosts->conn[0], "test"));
}

static void
closeHosts(struct hosts *hosts)
{
    virDomainFree(hosts->domain);
    for (int side = 0; side < 2; side++) {
        virConnectClose(hosts->conn[side]);
        virConnectClose(hosts->keep[side]);
    }
}

/* The record of a host that knows the migration, the source's first; NULL: none has begun. */
static char *
hostRecord(struct hosts *hosts)
{
    char **records = NULL, *record = NULL;

    for (int side = 0; side < 2 && record == NULL; side++) {
        if (virConnectListMigrations(hosts->conn[side], &records, 0) < 0)
            continue;
        for (size_t i = 0; records[i] != NULL; i++) {
            if (record == NULL)
                record = records[i];
            else
                free(records[i]);
        }
        free(records);
    }
    return record;
}

static virMigrationPtr
nextController(virMigrationPtr m, struct hosts *hosts, bool byHosts)
{
    char *record = byHosts ? hostRecord(hosts) : virMigrationGetRecord(m);
    virMigrationPtr next;

    if (record == NULL && byHosts)
        return m;
    CHECK_PTR(record);
    virMigrationFree(m);
    CHECK_PTR(next = virMigrationNewFromRecord(record, hosts->conn[0], hosts->conn[1]));
    free(record);
    return next;
}

static bool
runsAt(virConnectPtr conn, int *state)
{
    virDomainPtr domain = virDomainLookupByName(conn, "test");

    *state = 0;
    if (domain == NULL)
        return false;
    CHECK_OK(virDomainGetState(domain, state, NULL, 0));
    virDomainFree(domain);
    return *state == VIR_DOMAIN_RUNNING;
}

/* What is wrong, or NULL. */
static const char *
judge(struct hosts *hosts, virMigrationOutcome outcome, bool mayLose)
{
    static char text[256];
    int state[2];
    bool here = runsAt(hosts->keep[0], &state[0]), there = runsAt(hosts->keep[1], &state[1]);

    snprintf(text, sizeof(text), "outcome %d, states %d and %d", outcome, state[0], state[1]);
    if ((here && there) || (!here && !there && !mayLose))
        return text;
    if ((outcome == VIR_MIGRATION_OUTCOME_MIGRATED && here) || (outcome == VIR_MIGRATION_OUTCOME_ROLLED_BACK && !here && !mayLose)
        || (outcome == VIR_MIGRATION_OUTCOME_ROLLED_BACK && there) || (outcome == VIR_MIGRATION_OUTCOME_LOST && (here || there)))
        return text;
    if (state[0] == VIR_DOMAIN_PAUSED || state[1] == VIR_DOMAIN_PAUSED)
        return text;
    for (int side = 0; side < 2; side++) {
        int n = virConnectListMigrations(hosts->keep[side], NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE);

        if (n == 0)
            continue;
        snprintf(text, sizeof(text), "%d migrations are not over at the %s", n, side == 0 ? "source" : "destination");
        return text;
    }
    return NULL;
}

static const char *
torture(const struct way *way, const struct point *a, const struct point *b)
{
    bool mayLose = a->mayLose || (b != NULL && b->mayLose), aborted = false, died[2] = { false };
    long long limit = harnessNowMs() + harnessSlow(15000);
    virMigrationOutcome outcome;
    struct hosts hosts;
    const char *wrong;
    virMigrationPtr m;

    openHosts(&hosts, way, a, b);
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.conn[1], NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationStep(m, 2) > 0 && harnessNowMs() < limit) {
        for (int k = 0; k < 2; k++) {
            const struct point *point = k == 0 ? a : b;

            if (point == NULL || point->newController != (int)virMigrationGetPhase(m) || died[k])
                continue;
            died[k] = true;
            m = nextController(m, &hosts, point->byHosts);
        }
        if (way->abortIn == (int)virMigrationGetPhase(m) && !aborted)
            aborted = virMigrationAbort(m) == 0;
    }
    outcome = virMigrationGetOutcome(m);
    wrong = virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_OVER ? "not over" : judge(&hosts, outcome, mayLose);
    virMigrationFree(m);
    closeHosts(&hosts);
    return wrong;
}

/* ---- the matrix ---- */

static bool
goTogether(const struct point *a, const struct point *b)
{
    return a->side != b->side || a->place % 100 != b->place % 100;
}

/* Every n-th run. */
static void
runMatrix(unsigned int every, unsigned int seed, bool pairs)
{
    int runs = 0, bad = 0;
    unsigned int all = 0;

    makePoints();
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        int ran = 0, failed = 0;

        for (size_t i = 0; i < npoints; i++) {
            for (size_t k = pairs ? i + 1 : i; k < (pairs ? npoints : i + 1); k++) {
                const struct point *second = pairs ? &points[k] : NULL;
                const char *wrong;

                if ((pairs && !goTogether(&points[i], second)) || (all++ + seed) % every != 0)
                    continue;
                ran++;
                harnessContext("%s: %s %s", ways[w].name, points[i].fault, pairs ? second->fault : "");
                wrong = torture(&ways[w], &points[i], second);
                failed += wrong != NULL;
                EXPECT(wrong == NULL, "%s; %s %s%s%s %s: %s", ways[w].name, points[i].kind, points[i].fault, pairs ? "; " : "",
                       pairs ? second->kind : "", pairs ? second->fault : "", wrong);
            }
        }
        printf("%-20s %5d runs, %d failed\n", ways[w].name, ran, failed);
        runs += ran;
        bad += failed;
    }
    printf("%d of %u runs (each %uth, seed %u), %d failed\n", runs, all, every, seed, bad);
}

static unsigned int
chosenSeed(void)
{
    return getenv("VIRT_TORTURE_SEED") != NULL ? (unsigned int)atoi(getenv("VIRT_TORTURE_SEED")) : 1;
}

TEST_LIMIT(no_fault_loses_or_doubles_the_guest, 600)
{
    runMatrix(1, chosenSeed(), false);
}

TEST_LIMIT(no_two_faults_lose_or_double_the_guest, 3600)
{
    runMatrix(harnessIsSanitized() ? 50 : 1, chosenSeed(), true);
}
