/*
 * The fault matrix on simulated hosts: every durable step of a migration and every call of a phase, times every fault, alone and in pairs, on
 * the way there and on every way back, in pre-copy and in post-copy, without leases and with each lock manager, for a guest that is
 * defined and for one that is transient. The points are the driver's own table (testMigrationSteps) and the machine's (virMigrationPhases).
 *
 * Whatever happens: never two copies run; never none, where no fault has destroyed the last complete one; and nothing is left over. With a
 * lease: each run ends, also when the destination is silent for good, as long as the lock manager answers; a third host, which takes the guest
 * as soon as its holder is dead, is never joined by a copy that is too old; and the lease is where the guest is.
 *
 * make check takes samples (VIRT_TORTURE_SEED chooses others), make torture all of it, but for most pairs with leases in etcd; both print a table of steps and faults.
 */
#define VIRT_SEPARATE_OBJECTS
#define VIRT_MIGRATION_PATIENCE 10000u            /* us; it is asked of the lease soon */
#define _GNU_SOURCE 1
#include <unistd.h>
#define fsync(fd) ((void)(fd), 0)                 /* here a crash spares the files */
#include "../../virt.c"
#include "../../drivers/common/file.c"
#undef fsync
#include "../../drivers/test/fault.c"
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

#define ETCD_TTL 5                                /* s; a keeper without the CPU for half of it has lost its lease */

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
        snprintf(text, sizeof(text), "etcd:http://127.0.0.1:%d/run%d?ttl=%d", etcd.port, ++etcdRuns, ETCD_TTL);
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

/* The columns of the table. */
enum harm { CRASH, POWER, CALL_LOST, REPLY_LOST, CONTROLLER, NEWCOMER, OTHER, HARMS };

static const char *const harmNames[HARMS] = { "crash", "power", "call lost", "no reply", "controller", "+ record", "other" };

struct point {
    char fault[48];                   /* for the URI; empty: none */
    enum harm harm;
    char row[48];                     /* ... of the table */
    int mark;                         /* the durable step at which a host crashes; -1 */
    int side;                         /* whose URI: 0 source, 1 destination */
    const char *kind;
    int place;                        /* one fault a place and side */
    int newController;                /* the controller dies in this phase; -1 */
    bool byHosts;                     /* ... and its record with it: the next one goes by what the hosts have */
    bool mayLose;                     /* what it destroys may be the last complete copy; of a crash mayBeLost knows */
    bool silent;                      /* the destination does not answer any more: only a lease helps, and only a source that lives */
    bool sourceDies;
    int third;                        /* a third host wants the guest; 2: only for a moment */
    int outage;                       /* the lock manager is away for a while, from this phase on; -1 */
};

static struct point points[256];
static size_t npoints;

static struct point *
addPoint(const char *kind, int side, int place, enum harm harm, const char *phase, const char *step)
{
    struct point *point = &points[npoints++];

    CHECK(npoints < sizeof(points) / sizeof(points[0]));
    *point = (struct point){ .kind = kind, .side = side, .place = place, .harm = harm, .mark = -1, .newController = -1, .outage = -1 };
    snprintf(point->row, sizeof(point->row), "%-8s %s", phase, step);
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
            struct point *point = addPoint(k == 0 ? "side crashes" : "side loses power", step->source ? 0 : 1, (int)step->place,
                                           k == 0 ? CRASH : POWER, step->phase, step->name);

            snprintf(point->fault, sizeof(point->fault), "%s:%s:%d", step->phase, k == 0 ? "crash" : "power", testMarkNumber((enum testMark)mark));
            point->sourceDies = k == 1 && step->source;
            point->mark = mark;
        }
    }
}

/* So many calls, one after the other, meet with it. */
static void
addCalls(int times)
{
    for (int phase = 0; phase < VIR_MIGRATION_PHASE_OVER; phase++) {
        const struct virMigrationPhaseRow *row = &virMigrationPhases[phase];
        int side = row->side == VIR_MIGRATION_SIDE_DESTINATION;

        for (int k = 0; k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "call lost" : "reply lost", side, 100 + phase, k == 0 ? CALL_LOST : REPLY_LOST, row->name,
                                           "the call");

            snprintf(point->fault, sizeof(point->fault), "%s:%s:%d", row->name, k == 0 ? "again" : "lost", times);
        }
        for (int k = 0; times == 2 && k < 2; k++) {
            struct point *point = addPoint(k == 0 ? "controller dies" : "controller and record", 0, 60 + k, k == 0 ? CONTROLLER : NEWCOMER,
                                           row->name, "the call");

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
        struct point *point = addPoint("destination silent", 1, 100 + silences[i].phase, OTHER, virMigrationPhases[silences[i].phase].name,
                                       "the destination is silent for good");

        snprintf(point->fault, sizeof(point->fault), "%s", silences[i].fault);
        point->silent = true;
    }
    for (int k = 1; k <= 2; k++)
        addPoint(k == 1 ? "third host" : "third host, shortly", 0, 50, OTHER, "any", "a third host takes the lease")->third = k;
    for (int phase = 0; lease == FILE_LEASE && phase < VIR_MIGRATION_PHASE_OVER; phase++)
        addPoint("lock manager away", 0, 51, OTHER, virMigrationPhases[phase].name, "the lock manager is away")->outage = phase;
}

/* For pairs, calls are lost twice; alone once and twice. */
static void
makePoints(enum kind lease, bool pairs)
{
    npoints = 0;
    addSteps(lease);
    addCalls(2);
    if (!pairs)
        addCalls(1);
    for (int side = 1; side >= 0; side--)
        snprintf(addPoint(side == 0 ? "source's hypervisor" : "destination's hypervisor", side, TEST_FAULT_PERFORM, OTHER, "perform",
                          side == 0 ? "the source's hypervisor dies" : "the destination's hypervisor dies")->fault, sizeof(points[0].fault),
                 "perform:die:50");
    points[npoints - 1].mayLose = true;
    points[npoints - 1].sourceDies = true;
    if (lease != NO_LEASE)
        addDoubts(lease);
}

/* ---- the ways ---- */

static const struct way {
    const char *name, *source, *destination;     /* and a fault that is always there */
    int abortIn;
    bool paused, postcopy, late;                  /* late: aborted when memory is on its way */
} ways[] = {
    { "there", "", "", -1, false, false, false },
    { "there, paused", "", "", -1, true, false, false },
    { "back from prepare", "", "prepare:fail", -1, false, false, false },
    { "back from perform", "perform:fail:50", "", -1, false, false, false },
    { "back from finish", "", "finish:fail", -1, false, false, false },
    { "aborted in perform", "", "", VIR_MIGRATION_PHASE_PERFORM, false, false, false },
    { "aborted under way", "", "", VIR_MIGRATION_PHASE_PERFORM, false, false, true },
    { "aborted in finish", "", "", VIR_MIGRATION_PHASE_FINISH, false, false, false },
    { "post-copy", "", "", -1, false, true, false },
    { "post-copy, broken", "perform:break:300", "", -1, false, true, false },
};

/* ---- a run ---- */

struct hosts {
    enum kind lease;
    const struct way *way;
    const struct point *points[2];    /* the second may be NULL */
    bool transient;
    virConnectPtr keep[2], conn[2];
    virDomainPtr domain;
    struct virLock *third;            /* c; NULL: no leases */
    struct virLockSeat seat;          /* its hypervisor's; fd -1: it does not run there */
    unsigned long long epoch;
    bool elsewhere;                   /* c has run the guest: every other copy is too old */
    int away;                         /* steps until the lock manager answers again */
    const char *wrong;
};

/* In its place: one that is not defined. */
static void
makeTransient(struct hosts *hosts)
{
    struct virLock *leases = testHostOf(hosts->conn[0])->leases;
    char *xml = virDomainGetXMLDesc(hosts->domain, 0);

    CHECK_PTR(xml);
    CHECK_OK(virDomainDestroy(hosts->domain));
    if (leases != NULL)                   /* who keeps its seat gives it back a moment later */
        WAIT_FOR(leases->manager->lives(leases, UUID, leases->owner) == 0, 10000);
    CHECK_OK(virDomainUndefine(hosts->domain));
    virDomainFree(hosts->domain);
    CHECK_PTR(hosts->domain = virDomainCreateXML(hosts->conn[0], xml, 0));
    free(xml);
}

static void
openHosts(struct hosts *hosts)
{
    const struct way *way = hosts->way;
    const struct point *a = hosts->points[0], *b = hosts->points[1];
    const char *const given[2] = { way->source, way->destination }, *place = makePlace(hosts->lease);
    const char *speed = way->postcopy ? "&bandwidth=512&dirty-rate=100000" : way->late ? "&bandwidth=8" : "&bandwidth=2048";
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
        snprintf(uri, sizeof(uri), "test:///default?host=%s&memory-mib=1%s%s%s%s", side == 0 ? "a" : "b", speed, lock,
                 faults[0] != '\0' ? "&fault=" : "", faults);
        CHECK_PTR(hosts->conn[side] = virConnectOpen(uri));
    }
    CHECK_PTR(hosts->domain = virDomainLookupByName(hosts->keep[1], "test"));
    if (place == NULL)
        CHECK_OK(virDomainDestroy(hosts->domain));
    CHECK_OK(virDomainUndefine(hosts->domain));
    virDomainFree(hosts->domain);
    CHECK_PTR(hosts->domain = virDomainLookupByName(hosts->conn[0], "test"));
    if (hosts->transient)
        makeTransient(hosts);
    if (way->paused)
        CHECK_OK(virDomainSuspend(hosts->domain));
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
        if (virConnectListMigrations(hosts->conn[side], &records, hosts->transient ? VIR_CONNECT_LIST_MIGRATIONS_ACTIVE : 0) < 0)
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

/* It is there as it was before; nobody works on it. */
static bool
isAt(struct hosts *hosts, int side, int *state, const char **wrong)
{
    virDomainPtr domain = virDomainLookupByName(hosts->keep[side], "test");
    virDomainJobInfo info;

    *state = 0;
    if (domain == NULL)
        return false;
    CHECK_OK(virDomainGetState(domain, state, NULL, 0));
    CHECK_OK(virDomainGetJobInfo(domain, &info));
    if (info.type != VIR_DOMAIN_JOB_NONE && *wrong == NULL)
        *wrong = side == 0 ? "a job is left at the source" : "a job is left at the destination";
    virDomainFree(domain);
    return *state == (hosts->way->paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING);
}

/* A crash that has happened is used up. */
static bool
hasHappened(struct hosts *hosts, const struct point *point)
{
    return point != NULL && point->mark >= 0
           && testConnectOf(hosts->conn[point->side])->faults[testMigrationSteps[point->mark].place].kind == TEST_FAULT_NONE;
}

/*
 * Whether a loss of power has taken the guest's last complete copy: the source's before the destination had everything, or when that was not
 * to be had any more; the destination's once the guest was there. In post-copy either takes it.
 */
static bool
mayBeLost(struct hosts *hosts)
{
    const struct way *way = hosts->way;
    bool alone = hosts->points[1] == NULL && way->source[0] == '\0' && way->destination[0] == '\0' && way->abortIn < 0 && !way->postcopy;

    for (int i = 0; i < 2; i++) {
        const struct point *point = hosts->points[i];
        bool keeps;

        if (point == NULL)
            continue;
        if (point->mayLose)
            return true;
        if (point->harm != POWER || !hasHappened(hosts, point))
            continue;
        if (point->side == 0)
            keeps = point->mark == TEST_MARK_LEAVING || point->mark == TEST_MARK_ENDED || point->mark == TEST_MARK_LEFT
                    || (point->mark == TEST_MARK_PERFORMED && alone);
        else
            keeps = point->mark != TEST_MARK_ARRIVED && !way->postcopy && (point->mark != TEST_MARK_STARTED || hosts->lease == NO_LEASE);
        if (!keeps)
            return true;
    }
    return false;
}

/* ---- what happens beside it ---- */

/* In every other run both hosts are asked, as others do: whoever looks at a host that has crashed settles what the crash has left. */
static void
look(struct hosts *hosts)
{
    for (int side = 0; side < 2 && hosts->transient; side++)
        CHECK_OK(virConnectListAllDomains(hosts->keep[side], NULL, VIR_CONNECT_LIST_DOMAINS_RUNNING));
}

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
        /* in etcd that of a host that has lost its power lasts until its time is up */
        long long end = harnessNowMs() + harnessSlow(hosts->lease == ETCD_LEASE ? 2 * ETCD_TTL * 1000 : 0);

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
judge(struct hosts *hosts, virMigrationOutcome outcome, bool away)
{
    static char text[256];
    const int other = hosts->way->paused ? VIR_DOMAIN_RUNNING : VIR_DOMAIN_PAUSED;
    const char *wrong = NULL;
    int state[2];
    bool here = isAt(hosts, 0, &state[0], &wrong), there = isAt(hosts, 1, &state[1], &wrong), mayLose = mayBeLost(hosts) || hosts->elsewhere;
    snprintf(text, sizeof(text), "outcome %d, states %d and %d", outcome, state[0], state[1]);
    if ((here && there) || (!here && !there && !mayLose))
        return text;
    if ((outcome == VIR_MIGRATION_OUTCOME_MIGRATED && here) || (outcome == VIR_MIGRATION_OUTCOME_ROLLED_BACK && !here && !mayLose)
        || (outcome == VIR_MIGRATION_OUTCOME_ROLLED_BACK && there) || (outcome == VIR_MIGRATION_OUTCOME_LOST && (here || there)))
        return text;
    if (state[0] == other || state[1] == other)
        return text;
    if (outcome == VIR_MIGRATION_OUTCOME_NONE || outcome == VIR_MIGRATION_OUTCOME_UNDECIDED)
        return text;
    if (wrong != NULL)
        return wrong;
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

static bool happened[TEST_MARKS][2];     /* crash, power */
static int outcomes[VIR_MIGRATION_OUTCOME_LAST];

/* What the user does, in this phase, for so many steps. */
static void
useWay(struct hosts *hosts, virMigrationPtr m, bool *aborted, int *steps)
{
    const struct way *way = hosts->way;
    const int phase = (int)virMigrationGetPhase(m);

    if (way->postcopy && phase == VIR_MIGRATION_PHASE_PERFORM) {
        virDomainMigrateStartPostCopy(hosts->domain, 0);
        virResetLastError();
    }
    if (way->abortIn != phase || *aborted || (way->late && ++*steps < 2))
        return;
    *aborted = virMigrationAbort(m) == 0;
}

static const char *
torture(enum kind lease, const struct way *way, const struct point *a, const struct point *b, bool transient)
{
    bool aborted = false, done[2] = { false };
    long long limit = harnessNowMs() + harnessSlow(15000);
    struct hosts hosts = { .lease = lease, .way = way, .points = { a, b }, .transient = transient, .seat = { .fd = -1 } };
    virMigrationOutcome outcome;
    virMigrationPtr m;
    int steps = 0;

    openHosts(&hosts);
    CHECK_PTR(m = virMigrationNew(hosts.domain, hosts.conn[1], NULL, 0, VIR_MIGRATE_LIVE | (way->postcopy ? VIR_MIGRATE_POSTCOPY : 0)));
    while (virMigrationStep(m, 2) > 0 && harnessNowMs() < limit) {
        look(&hosts);
        watch(&hosts);
        bringBack(&hosts);
        m = disturb(&hosts, m, a, &done[0]);
        if (b != NULL)
            m = disturb(&hosts, m, b, &done[1]);
        useWay(&hosts, m, &aborted, &steps);
    }
    while (hosts.away > 0)
        bringBack(&hosts);
    outcome = virMigrationGetOutcome(m);
    outcomes[outcome]++;
    for (int i = 0; i < 2; i++)
        if (hasHappened(&hosts, hosts.points[i]))
            happened[hosts.points[i]->mark][hosts.points[i]->harm == POWER] = true;
    if (lease != NO_LEASE)
        letTimePass(&hosts);
    if (hosts.wrong == NULL)
        hosts.wrong = virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_OVER ? "not over" : judge(&hosts, outcome, a->outage >= 0 || (b != NULL && b->outage >= 0));
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

/* In post-copy the source, in doubt, has nothing to go on with: it waits, and a lease does not help. */
static bool
isOfWay(const struct point *point, const struct way *way)
{
    return !way->postcopy || !point->silent;
}

/* ---- the table ---- */

static struct { char name[48]; int runs[HARMS], failed[HARMS]; } rows[128];
static size_t nrows;

static void
count(const struct point *point, bool failed)
{
    size_t i = 0;

    while (i < nrows && strcmp(rows[i].name, point->row) != 0)
        i++;
    CHECK(i < sizeof(rows) / sizeof(rows[0]));
    if (i == nrows)
        snprintf(rows[nrows++].name, sizeof(rows[0].name), "%s", point->row);
    rows[i].runs[point->harm]++;
    rows[i].failed[point->harm] += failed;
}

/* In how many runs each fault took part, at each step; with an exclamation mark, in how many that failed. */
static void
printTable(enum kind lease, bool pairs)
{
    char line[200];

    snprintf(line, sizeof(line), "%s, %s", kindNames[lease], pairs ? "pairs of faults" : "one fault");
    printf("\n%-44s", line);
    for (int harm = 0; harm < HARMS; harm++)
        printf(" %10s", harmNames[harm]);
    for (size_t i = 0; i < nrows; i++) {
        printf("\n%-44s", rows[i].name);
        for (int harm = 0; harm < HARMS; harm++) {
            char cell[24] = "-";

            if (rows[i].failed[harm] > 0)
                snprintf(cell, sizeof(cell), "!%d of %d", rows[i].failed[harm], rows[i].runs[harm]);
            else if (rows[i].runs[harm] > 0)
                snprintf(cell, sizeof(cell), "%d", rows[i].runs[harm]);
            printf(" %10s", cell);
        }
    }
    printf("\n\n");
}

/* ---- the matrix ---- */

struct matrix { enum kind lease; bool pairs; unsigned int every, seed, all, runs, bad; };

static bool
runPoint(struct matrix *matrix, const struct way *way, const struct point *a, const struct point *b, bool transient)
{
    const char *wrong;

    harnessContext("%s: %s %s; %s %s; %s", way->name, a->kind, a->fault, b != NULL ? b->kind : "", b != NULL ? b->fault : "",
                   transient ? "transient" : "defined");
    wrong = torture(matrix->lease, way, a, b, transient);
    count(a, wrong != NULL);
    if (b != NULL)
        count(b, wrong != NULL);
    EXPECT(wrong == NULL, "%s, %s, %s; %s %s%s%s %s: %s", kindNames[matrix->lease], way->name, transient ? "transient" : "defined", a->kind,
           a->fault, b != NULL ? "; " : "", b != NULL ? b->kind : "", b != NULL ? b->fault : "", wrong);
    return wrong == NULL;
}

/* One fault: with a guest that is defined, and with a transient one; of the pairs every other with the one and the other. */
static void
runWay(struct matrix *matrix, const struct way *way)
{
    unsigned int ran = 0, failed = 0;

    for (size_t i = 0; i < npoints; i++) {
        for (size_t k = matrix->pairs ? i + 1 : 0; k < (matrix->pairs ? npoints : 2); k++) {
            const struct point *second = matrix->pairs ? &points[k] : NULL;
            bool transient = matrix->pairs ? (matrix->all / matrix->every & 1) != 0 : k == 1;

            if (!isOfWay(&points[i], way) || (second != NULL && (!isOfWay(second, way) || !goTogether(&points[i], second)))
                || (matrix->all++ + matrix->seed) % matrix->every != 0)
                continue;
            ran++;
            failed += !runPoint(matrix, way, &points[i], second, transient);
        }
    }
    printf("%-12s %-20s %5u runs, %u failed; migrated %d, rolled back %d, lost with the fault %d\n", kindNames[matrix->lease], way->name, ran,
           failed, outcomes[VIR_MIGRATION_OUTCOME_MIGRATED], outcomes[VIR_MIGRATION_OUTCOME_ROLLED_BACK], outcomes[VIR_MIGRATION_OUTCOME_LOST]);
    memset(outcomes, 0, sizeof(outcomes));
    matrix->runs += ran;
    matrix->bad += failed;
}

/* Every n-th run. */
static void
runMatrix(enum kind lease, unsigned int every, bool pairs)
{
    struct matrix matrix = { .lease = lease, .pairs = pairs, .every = every };

    matrix.seed = getenv("VIRT_TORTURE_SEED") != NULL ? (unsigned int)atoi(getenv("VIRT_TORTURE_SEED")) : 1;
    makePoints(lease, pairs);
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
        runWay(&matrix, &ways[w]);
    printTable(lease, pairs);
    harnessTell("%-10s %-15s %5u of %5u runs (each %uth, seed %u), %u failed", kindNames[lease], pairs ? "pairs of faults" : "one fault",
                matrix.runs, matrix.all, every, matrix.seed, matrix.bad);
    harnessContext("all ways");
    for (int mark = 0; mark < (lease == NO_LEASE ? TEST_MARK_TAKEN : TEST_MARKS) && every == 1; mark++)
        for (int k = 0; k < 2; k++)
            EXPECT(happened[mark][k], "%s at '%s: %s' never happened", k == 1 ? "power" : "crash", testMigrationSteps[mark].phase,
                   testMigrationSteps[mark].name);
}

/* A sample of so many-th in make check; a small one where everything takes many times as long. */
static unsigned int
sample(unsigned int every)
{
    return getenv("VIRT_TORTURE") != NULL ? 1 : harnessIsSanitized() || harnessSlow(100) > 100 ? every * 5 : every;
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
    runMatrix(NO_LEASE, sample(10), true);
}

TEST_LIMIT(no_fault_leaves_a_guest_with_a_lease_in_doubt, 600)
{
    runMatrix(FILE_LEASE, 1, false);
}

TEST_LIMIT(no_two_faults_leave_a_guest_with_a_lease_in_doubt, 3600)
{
    runMatrix(FILE_LEASE, sample(20), true);
}

TEST_LIMIT(no_fault_leaves_a_guest_with_a_lease_in_etcd_in_doubt, 3600)
{
    needsEtcd();
    etcdStart(&etcd);
    runMatrix(ETCD_LEASE, sample(42), false);
    etcdStop(&etcd);
    WAIT_FOR(countProcesses(NULL, 0) == 0, 5000);
}

TEST_LIMIT(no_two_faults_leave_a_guest_with_a_lease_in_etcd_in_doubt, 36000)
{
    needsEtcd();
    etcdStart(&etcd);
    runMatrix(ETCD_LEASE, getenv("VIRT_TORTURE") != NULL ? everyPair() : sample(4000), true);
    etcdStop(&etcd);
    WAIT_FOR(countProcesses(NULL, 0) == 0, 5000);
}

/* ---- several controllers at once ---- */

struct rival {
    pthread_t thread;
    virMigrationPtr m;
    int abortAfter;                   /* steps; -1: it does not */
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

/* Three with one record, one of which may want it over. */
static void
runRivals(struct hosts *hosts, int abortAfter)
{
    struct rival rivals[3] = { { .abortAfter = -1 }, { .abortAfter = abortAfter }, { .abortAfter = -1 } };
    virMigrationOutcome outcome;
    const char *wrong;
    char *record;

    CHECK_PTR(rivals[0].m = virMigrationNew(hosts->domain, hosts->conn[1], NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_PTR(record = virMigrationGetRecord(rivals[0].m));
    for (int r = 1; r < 3; r++)
        CHECK_PTR(rivals[r].m = virMigrationNewFromRecord(record, hosts->conn[0], hosts->conn[1]));
    free(record);
    for (int r = 0; r < 3; r++)
        CHECK_INT(pthread_create(&rivals[r].thread, NULL, rivalRun, &rivals[r]), 0);
    for (int r = 0; r < 3; r++)
        CHECK_INT(pthread_join(rivals[r].thread, NULL), 0);
    outcome = virMigrationGetOutcome(rivals[0].m);
    for (int r = 0; r < 3; r++) {
        EXPECT(rivals[r].ended, "controller %d does not end", r);
        /* one that was aborted before its first step has asked nobody, and says nothing of the guest */
        EXPECT(virMigrationGetOutcome(rivals[r].m) == outcome || rivals[r].abortAfter == 0, "controller %d: %d, not %d", r,
               virMigrationGetOutcome(rivals[r].m), outcome);
        virMigrationFree(rivals[r].m);
    }
    wrong = judge(hosts, outcome, false);
    EXPECT(wrong == NULL, "%s", wrong);
}

/* The hosts crash under them. They end with the same outcome. */
TEST_LIMIT(rivals_with_one_record_end_alike, 240)
{
    unsigned int seed = 7;

    makePoints(NO_LEASE, true);
    for (int i = 0; i < (harnessIsSanitized() ? 60 : 300); i++) {
        const struct point *point = &points[((seed = seed * 1664525 + 1013904223) >> 8) % npoints];
        struct hosts hosts = { .lease = NO_LEASE, .way = &ways[seed >> 20 & 1], .points = { point }, .transient = i % 2 != 0, .seat = { .fd = -1 } };
        int abortAfter = (int)(seed >> 16) % 6 - 1;

        harnessContext("round %d, %s, %s %s, aborted after %d steps", i, hosts.way->name, point->kind, point->fault, abortAfter);
        openHosts(&hosts);
        runRivals(&hosts, abortAfter);
        closeHosts(&hosts);
    }
}
