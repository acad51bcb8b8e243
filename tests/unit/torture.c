/*
 * The fault matrix on simulated hosts: every durable step of a migration and every call of a phase, times every fault, alone and in pairs, on
 * the way there and on every way back, without leases and with each lock manager. The points are the driver's own table (testMigrationSteps)
 * and the machine's (virMigrationPhases).
 *
 * Whatever happens: never two copies run; never none, where no fault has destroyed the last complete one; and nothing is left over. With a
 * lease: each run ends, also when the destination is silent for good, as long as the lock manager answers; a third host, which takes the guest
 * as soon as its holder is dead, is never joined by a copy that is too old; and the lease is where the guest is.
 *
 * make check takes samples (VIRT_TORTURE_SEED chooses others), make torture all of it.
 */
#define VIRT_STATIC
#define VIRT_MIGRATION_PATIENCE 10000u            /* us; it is asked of the lease soon */
#define _GNU_SOURCE 1
#include <unistd.h>
#define fsync(fd) ((void)(fd), 0)                 /* here a crash spares the files */
#include "../../virt.c"
#undef fsync
#include "../etcd_server.h"
#include "../harness.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"       /* the default guest's */

/* Scratch files in memory, where there is room: a disk makes each change of a lease wait. */
__attribute__((constructor)) static void
chooseScratch(void)
{
    struct statvfs room;

    if (statvfs("/dev/shm", &room) == 0 && access("/dev/shm", W_OK) == 0 && room.f_bavail * room.f_frsize > (1ULL << 30))
        setenv("TMPDIR", "/dev/shm", 0);
}

/* ---- the lock managers ---- */

enum kind { NO_LEASE, FILE_LEASE, ETCD_LEASE, KINDS };

static const char *const kindNames[KINDS] = { "no lease", "file lease", "etcd lease" };
static struct etcdServer etcd;
static int etcdRuns;

/* A fresh place for leases; the text is valid until the next call. */
static const char *
makePlace(enum kind kind)
{
    static char text[300];

    if (kind == NO_LEASE)
        return NULL;
    if (kind == ETCD_LEASE) {
        snprintf(text, sizeof(text), "etcd:http://127.0.0.1:%d/run%d", etcd.port, ++etcdRuns);
        return text;
    }
    CHECK(mkdir(scratchPath("leases"), 0700) == 0 || errno == EEXIST);
    snprintf(text, sizeof(text), "file:%s", scratchPath("leases"));
    return text;
}

static void
removePlace(enum kind kind)
{
    DIR *folder;

    if (kind != FILE_LEASE)
        return;
    CHECK((folder = opendir(scratchPath("leases"))) != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

/* ---- the faults ---- */

struct point {
    char fault[48];                   /* for the URI; empty: none */
    int side;                         /* whose URI: 0 source, 1 destination */
    const char *kind;
    int place;                        /* one fault a place and side */
    int newController;                /* the controller dies in this phase; -1 */
    bool byHosts;                     /* ... and its record with it: the next one goes by what the hosts have */
    bool mayLose;                     /* what it destroys may be the last complete copy */
    bool silent;                      /* the destination does not answer any more: only a lease helps, and only a source that lives */
    bool sourceDies;
    int third;                        /* a third host wants the guest; 2: only for a moment */
    int outage;                       /* the lock manager is away for a while, from this phase on; -1 */
};

static struct point points[256];
static size_t npoints;

static struct point *
addPoint(const char *kind, int side, int place)
{
    struct point *point = &points[npoints++];

    CHECK(npoints < sizeof(points) / sizeof(points[0]));
    *point = (struct point){ .kind = kind, .side = side, .place = place, .newController = -1, .outage = -1 };
    return point;
}

static void
addSteps(enum kind lease)
{
    for (int mark = 0; mark < TEST_MARKS; mark++) {
        const struct testMigrationStep *step = &testMigrationSteps[mark];

        if (mark >= TEST_MARK_TAKEN && lease == NO_LEASE)
            continue;
        for (int k = 0; k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "side crashes" : "side loses power", step->source ? 0 : 1, (int)step->place);

            snprintf(point->fault, sizeof(point->fault), "%s:%s:%d", step->phase, k == 0 ? "crash" : "power", testMarkNumber((enum testMark)mark));
            point->sourceDies = k == 1 && step->source;
            /* in etcd a seat lasts for a moment after its hypervisor, in which a source that looks leaves the guest to it */
            point->mayLose = k == 1 && (step->source || mark == TEST_MARK_STARTED || mark == TEST_MARK_ARRIVED
                                        || (lease == ETCD_LEASE && mark == TEST_MARK_TAKEN));
        }
    }
}

static void
addCalls(void)
{
    for (int phase = 0; phase < VIR_MIGRATION_PHASE_OVER; phase++) {
        const struct virMigrationPhaseRow *row = &virMigrationPhases[phase];
        int side = row->side == VIR_MIGRATION_SIDE_DESTINATION;

        for (int k = 0; k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "call lost" : "reply lost", side, 100 + phase);

            snprintf(point->fault, sizeof(point->fault), "%s:%s:1", row->name, k == 0 ? "again" : "lost");
        }
        for (int k = 0; k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "controller dies" : "controller and record", 0, 60 + k);

            point->newController = phase;
            point->byHosts = k == 1;
        }
    }
}

/* What a lease is for. */
static void
addDoubts(enum kind lease)
{
    static const struct { const char *fault; int phase; } silences[] = {
        { "finish:hang", VIR_MIGRATION_PHASE_FINISH }, { "finish:lost:1000000", VIR_MIGRATION_PHASE_FINISH },
        { "cancel:hang", VIR_MIGRATION_PHASE_CANCEL }, { "cancel:lost:1000000", VIR_MIGRATION_PHASE_CANCEL },
    };

    for (size_t i = 0; i < sizeof(silences) / sizeof(silences[0]); i++) {
        struct point *point = addPoint("destination silent", 1, 100 + silences[i].phase);

        snprintf(point->fault, sizeof(point->fault), "%s", silences[i].fault);
        point->silent = true;
    }
    for (int k = 1; k <= 2; k++)
        addPoint(k == 1 ? "third host" : "third host, shortly", 0, 50)->third = k;
    for (int phase = 0; lease == FILE_LEASE && phase < VIR_MIGRATION_PHASE_OVER; phase++)
        addPoint("lock manager away", 0, 51)->outage = phase;
}

static void
makePoints(enum kind lease)
{
    npoints = 0;
    addSteps(lease);
    addCalls();
    snprintf(addPoint("destination's hypervisor", 1, TEST_FAULT_PERFORM)->fault, sizeof(points[0].fault), "perform:die:50");
    snprintf(addPoint("source's hypervisor", 0, TEST_FAULT_PERFORM)->fault, sizeof(points[0].fault), "perform:die:50");
    points[npoints - 1].mayLose = true;
    points[npoints - 1].sourceDies = true;
    if (lease != NO_LEASE)
        addDoubts(lease);
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

struct hosts {
    enum kind lease;
    virConnectPtr keep[2], conn[2];
    virDomainPtr domain;
    struct virLock *third;            /* c; NULL: no leases */
    struct virLockSeat seat;          /* its hypervisor's; fd -1: it does not run there */
    unsigned long long epoch;
    bool elsewhere;                   /* c has run the guest: every other copy is too old */
    int away;                         /* steps until the lock manager answers again */
    const char *wrong;
};

static void
openHosts(struct hosts *hosts, const struct way *way, const struct point *a, const struct point *b)
{
    const char *const given[2] = { way->source, way->destination }, *place = makePlace(hosts->lease);
    char lock[400] = "";

    for (int side = 0; side < 2; side++) {
        char uri[900], faults[256] = "";

        for (int k = 0; k < 3; k++) {
            const char *text = k == 0 ? given[side] : k == 1 ? (a->side == side ? a->fault : "") : b != NULL && b->side == side ? b->fault : "";

            if (text[0] != '\0')
                snprintf(faults + strlen(faults), sizeof(faults) - strlen(faults), "%s%s", faults[0] != '\0' ? "," : "", text);
        }
        if (place != NULL)
            snprintf(lock, sizeof(lock), "&lock=%s&lock-owner=%s", place, side == 0 ? "a" : "b");
        snprintf(uri, sizeof(uri), "test:///default?host=%s%s", side == 0 ? "a" : "b", lock);
        CHECK_PTR(hosts->keep[side] = virConnectOpen(uri));
        snprintf(uri, sizeof(uri), "test:///default?host=%s&memory-mib=1&bandwidth=2048%s%s%s", side == 0 ? "a" : "b", lock,
                 faults[0] != '\0' ? "&fault=" : "", faults);
        CHECK_PTR(hosts->conn[side] = virConnectOpen(uri));
    }
    CHECK_PTR(hosts->domain = virDomainLookupByName(hosts->keep[1], "test"));
    if (place == NULL)
        CHECK_OK(virDomainDestroy(hosts->domain));
    CHECK_OK(virDomainUndefine(hosts->domain));
    virDomainFree(hosts->domain);
    CHECK_PTR(hosts->domain = virDomainLookupByName(hosts->conn[0], "test"));
    if (place != NULL)
        CHECK_PTR(hosts->third = virLockOpen(place, "c", "/", false));
}

static void
closeHosts(struct hosts *hosts)
{
    virDomainFree(hosts->domain);
    for (int side = 0; side < 2; side++) {
        virConnectClose(hosts->conn[side]);
        virConnectClose(hosts->keep[side]);
    }
    if (hosts->third != NULL && hosts->seat.fd >= 0)
        virLeaseSeated(hosts->third, &hosts->seat, 0);
    virLockClose(hosts->third);
    removePlace(hosts->lease);
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

/* Without asking, which would settle what a crash has left. */
static bool
runsNow(virConnectPtr conn)
{
    struct virDomainObj *vm = virDomainListFindName(testHostOf(conn)->domains, "test");
    bool runs = vm != NULL && vm->state == VIR_DOMAIN_RUNNING;

    virDomainObjUnref(vm);
    return runs;
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

/* ---- what happens beside it ---- */

static void
watch(struct hosts *hosts)
{
    bool here = runsNow(hosts->keep[0]), there = runsNow(hosts->keep[1]);

    if (hosts->wrong == NULL && here && there)
        hosts->wrong = "both run on the way";
    if (hosts->wrong == NULL && hosts->elsewhere && (here || there))
        hosts->wrong = here ? "the source's copy runs after the third host's" : "the destination's copy runs after the third host's";
}

/* The third host starts the guest, if it may, and in a moment ends it. */
static void
tryThird(struct hosts *hosts, int third)
{
    static const struct virLeaseGuest guest = { .key = UUID, .what = "test" };

    if (hosts->seat.fd >= 0 && third == 2) {
        virLeaseSeated(hosts->third, &hosts->seat, 0);
        virLeaseRelease(hosts->third, UUID, hosts->epoch);
    } else if (!hosts->elsewhere && virLeaseAcquire(hosts->third, &guest, &hosts->epoch, &hosts->seat) == 0) {
        hosts->elsewhere = true;
        watch(hosts);
    }
    virResetLastError();
}

static void
takeAway(struct hosts *hosts, int steps)
{
    CHECK_INT(rename(scratchPath("leases"), scratchPath("away")), 0);
    hosts->away = steps;
}

static void
bringBack(struct hosts *hosts)
{
    if (hosts->away > 0 && --hosts->away == 0)
        CHECK_INT(rename(scratchPath("away"), scratchPath("leases")), 0);
}

/* ---- the judgement ---- */

/* What the destination has not been told any more goes when nobody has asked for it for long. */
static void
letTimePass(struct hosts *hosts)
{
    struct testHost *host = testHostOf(hosts->keep[1]);

    pthread_mutex_lock(&host->lock);
    for (struct testMigration *m = host->migrations; m != NULL; m = m->next)
        m->expiry = 0;
    pthread_mutex_unlock(&host->lock);
}

/* Whoever runs it holds the lease and sits on it, and nobody else does either; where nobody runs it, nobody holds it, if that could be said. */
static const char *
judgeLease(struct hosts *hosts, bool here, bool there, bool away)
{
    static char text[500];
    const struct virLockManager *manager = hosts->third->manager;
    const char *const owners[] = { "a", "b", "c" };
    const bool runs[] = { here, there, hosts->seat.fd >= 0 };
    struct virLockState state;
    bool sits;

    CHECK_OK(virLockInquire(hosts->third, UUID, &state));
    for (int i = 0; i < 3; i++) {
        long long end = harnessNowMs() + harnessSlow(hosts->lease == ETCD_LEASE ? 3000 : 0);

        do
            sits = manager->lives(hosts->third, UUID, owners[i]) != 0;
        while (sits != runs[i] && harnessNowMs() < end);
        snprintf(text, sizeof(text), "host %s %s and %s on the lease, whose holder is '%s' (epoch %llu)", owners[i],
                 runs[i] ? "runs it" : "does not run it", sits ? "sits" : "does not sit", state.holder, state.epoch);
        if (sits != runs[i] || (runs[i] && strcmp(state.holder, owners[i]) != 0))
            return text;
    }
    snprintf(text, sizeof(text), "nobody runs it, and the lease's holder is '%s' (epoch %llu)", state.holder, state.epoch);
    return here || there || hosts->seat.fd >= 0 || away || state.holder[0] == '\0' ? NULL : text;
}

/* What is wrong, or NULL. */
static const char *
judge(struct hosts *hosts, virMigrationOutcome outcome, bool mayLose, bool away)
{
    static char text[256];
    int state[2];
    bool here = runsAt(hosts->keep[0], &state[0]), there = runsAt(hosts->keep[1], &state[1]);

    mayLose = mayLose || hosts->elsewhere;
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
    return hosts->third != NULL ? judgeLease(hosts, here, there, away) : NULL;
}

/* What a point does beside the faults of calls, in this phase. */
static virMigrationPtr
disturb(struct hosts *hosts, virMigrationPtr m, const struct point *point, bool *done)
{
    const int phase = (int)virMigrationGetPhase(m);

    if (point->third != 0)
        tryThird(hosts, point->third);
    if (*done)
        return m;
    if (point->outage == phase) {
        *done = true;
        takeAway(hosts, 8);
    }
    if (point->newController == phase) {
        *done = true;
        m = nextController(m, hosts, point->byHosts);
    }
    return m;
}

static const char *
torture(enum kind lease, const struct way *way, const struct point *a, const struct point *b)
{
    bool mayLose = a->mayLose || (b != NULL && b->mayLose), aborted = false, done[2] = { false };
    long long limit = harnessNowMs() + harnessSlow(15000);
    struct hosts hosts = { .lease = lease, .seat = { .fd = -1 } };
    virMigrationOutcome outcome;
    virMigrationPtr m;

    openHosts(&hosts, way, a, b);
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.conn[1], NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationStep(m, 2) > 0 && harnessNowMs() < limit) {
        watch(&hosts);
        bringBack(&hosts);
        m = disturb(&hosts, m, a, &done[0]);
        if (b != NULL)
            m = disturb(&hosts, m, b, &done[1]);
        if (way->abortIn == (int)virMigrationGetPhase(m) && !aborted)
            aborted = virMigrationAbort(m) == 0;
    }
    while (hosts.away > 0)
        bringBack(&hosts);
    outcome = virMigrationGetOutcome(m);
    if (lease != NO_LEASE)
        letTimePass(&hosts);
    if (hosts.wrong == NULL)
        hosts.wrong = virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_OVER ? "not over" : judge(&hosts, outcome, mayLose, a->outage >= 0 || (b != NULL && b->outage >= 0));
    virMigrationFree(m);
    closeHosts(&hosts);
    return hosts.wrong;
}

/* ---- the matrix ---- */

/* A source that is gone cannot know what a destination that is silent for good has: that run has no end. */
static bool
goTogether(const struct point *a, const struct point *b)
{
    if ((a->silent && b->sourceDies) || (b->silent && a->sourceDies))
        return false;
    return a->side != b->side || a->place % 100 != b->place % 100;
}

/* Every n-th run. */
static void
runMatrix(enum kind lease, unsigned int every, bool pairs)
{
    unsigned int seed = getenv("VIRT_TORTURE_SEED") != NULL ? (unsigned int)atoi(getenv("VIRT_TORTURE_SEED")) : 1, all = 0;
    int runs = 0, bad = 0;

    makePoints(lease);
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        int ran = 0, failed = 0;

        for (size_t i = 0; i < npoints; i++) {
            for (size_t k = pairs ? i + 1 : i; k < (pairs ? npoints : i + 1); k++) {
                const struct point *second = pairs ? &points[k] : NULL;
                const char *wrong;

                if ((pairs && !goTogether(&points[i], second)) || (all++ + seed) % every != 0)
                    continue;
                ran++;
                harnessContext("%s: %s %s; %s %s", ways[w].name, points[i].kind, points[i].fault, pairs ? second->kind : "",
                               pairs ? second->fault : "");
                wrong = torture(lease, &ways[w], &points[i], second);
                failed += wrong != NULL;
                EXPECT(wrong == NULL, "%s, %s; %s %s%s%s %s: %s", kindNames[lease], ways[w].name, points[i].kind, points[i].fault,
                       pairs ? "; " : "", pairs ? second->kind : "", pairs ? second->fault : "", wrong);
            }
        }
        printf("%-12s %-20s %5d runs, %d failed\n", kindNames[lease], ways[w].name, ran, failed);
        runs += ran;
        bad += failed;
    }
    printf("%-12s %d of %u runs (each %uth, seed %u), %d failed\n", kindNames[lease], runs, all, every, seed, bad);
}

/* A sample of so many-th in make check; a small one where everything takes many times as long. */
static unsigned int
sample(unsigned int every)
{
    return getenv("VIRT_TORTURE") != NULL ? 1 : harnessIsSanitized() || harnessSlow(100) > 100 ? every * 25 : every;
}

/* Of the pairs with leases in etcd, all of which take hours: VIRT_TORTURE's value is how many times fewer. */
static unsigned int
everyPair(void)
{
    return atoi(getenv("VIRT_TORTURE")) > 1 ? (unsigned int)atoi(getenv("VIRT_TORTURE")) : 1;
}

TEST_LIMIT(no_fault_loses_or_doubles_the_guest, 600)
{
    runMatrix(NO_LEASE, 1, false);
}

TEST_LIMIT(no_two_faults_lose_or_double_the_guest, 3600)
{
    runMatrix(NO_LEASE, sample(2), true);
}

TEST_LIMIT(no_fault_leaves_a_guest_with_a_lease_in_doubt, 600)
{
    runMatrix(FILE_LEASE, 1, false);
}

TEST_LIMIT(no_two_faults_leave_a_guest_with_a_lease_in_doubt, 3600)
{
    runMatrix(FILE_LEASE, sample(4), true);
}

TEST_LIMIT(no_fault_leaves_a_guest_with_a_lease_in_etcd_in_doubt, 3600)
{
    needsEtcd();
    etcdStart(&etcd);
    runMatrix(ETCD_LEASE, sample(20), false);
    etcdStop(&etcd);
    WAIT_FOR(countProcesses(NULL, 0) == 0, 5000);
}

TEST_LIMIT(no_two_faults_leave_a_guest_with_a_lease_in_etcd_in_doubt, 36000)
{
    needsEtcd();
    etcdStart(&etcd);
    runMatrix(ETCD_LEASE, getenv("VIRT_TORTURE") != NULL ? everyPair() : sample(2000), true);
    etcdStop(&etcd);
    WAIT_FOR(countProcesses(NULL, 0) == 0, 5000);
}
