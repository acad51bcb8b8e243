/*
 * What migration means, as one table for every driver that can migrate: {transient, persistent} x
 * {running, paused} x {destination empty, defined} x {flags}, for success, and for failures in
 * each phase.
 *
 * A program that includes this file says with struct tableDriver how to open the two hosts and how
 * to make a phase fail, and calls tableRunSuccess and tableRunFailures from its tests. The event
 * loop must be registered before.
 */
#ifndef TESTS_MIGRATION_TABLE_H
#define TESTS_MIGRATION_TABLE_H

#include "../virt.h"
#include "harness.h"

/* A failure, and what must be true after it. */
struct tableFault {
    const char *name;
    const char *source, *destination;    /* for tableDriver.open; NULL: none on this side */
    virMigrationPhase abortIn;           /* or: aborted by the user as soon as it is in this phase; LAST: not */
    bool survives;                       /* it only takes longer: the guest is migrated all the same */
    bool sourceDies;                     /* the guest itself is lost with its process */
    int error;                           /* the code expected of virMigrationGetError; -1: any */
};

struct tableDriver {
    /*
     * A connection to the host of that side (0 source, 1 destination), the same host while one to
     * it is open; fault may be NULL.
     */
    virConnectPtr (*open)(int side, const char *fault);
    const char *xml;                     /* a guest called "table" */
    const struct tableFault *faults;     /* ends with a NULL name */
};

struct tableCase {
    bool persistent, paused, defined;    /* the guest; and whether the destination has it defined already */
    unsigned int flags;
};

static const unsigned int tableFlags[] = {
    0,
    VIR_MIGRATE_LIVE,
    VIR_MIGRATE_LIVE | VIR_MIGRATE_PAUSED,
    VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST,
    VIR_MIGRATE_LIVE | VIR_MIGRATE_UNDEFINE_SOURCE,
    VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE,
    VIR_MIGRATE_PAUSED | VIR_MIGRATE_PERSIST_DEST,
    VIR_MIGRATE_LIVE | VIR_MIGRATE_CHANGE_PROTECTION | VIR_MIGRATE_UNSAFE | VIR_MIGRATE_ABORT_ON_ERROR,
    VIR_MIGRATE_LIVE | VIR_MIGRATE_AUTO_CONVERGE,
};

#define TABLE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the lifecycle events of one side, as text: "event/detail event/detail" ---- */

struct tableEvents { char text[512]; int count; };

static int
tableOnEvent(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    static const char *const names[] = { "DEFINED", "UNDEFINED", "STARTED", "SUSPENDED", "RESUMED", "STOPPED", "SHUTDOWN" };
    struct tableEvents *events = opaque;
    size_t length = strlen(events->text);

    (void)conn;
    (void)domain;
    snprintf(events->text + length, sizeof(events->text) - length, "%s%s/%d", length > 0 ? " " : "",
             (size_t)event < TABLE_COUNT(names) ? names[event] : "?", detail);
    events->count++;
    return 0;
}

static void
tableOnTimer(int timer, void *opaque)
{
    (void)timer;
    *(bool *)opaque = true;
}

/* Runs the event loop until nothing has come for a while. */
static void
tableDrainEvents(struct tableEvents *a, struct tableEvents *b)
{
    int before = -1;

    while (before != a->count + b->count) {
        bool over = false;
        int timer = virEventAddTimeout(5, tableOnTimer, &over, NULL);

        before = a->count + b->count;
        while (!over)
            CHECK_OK(virEventRunDefaultImpl());
        virEventRemoveTimeout(timer);
    }
}

/* Events of another process are under way for a moment. */
static void
tableAwaitEvents(struct tableEvents *a, const char *textA, struct tableEvents *b, const char *textB)
{
    long long end = harnessNowMs() + harnessSlow(5000);

    while ((strcmp(a->text, textA) != 0 || strcmp(b->text, textB) != 0) && harnessNowMs() < end)
        tableDrainEvents(a, b);
}

/* ---- one migration ---- */

struct tableRun {
    const struct tableDriver *driver;
    struct tableCase c;
    virConnectPtr keep[2], conn[2];      /* without faults, so that the hosts stay and can be looked at; and the ones that are used */
    struct tableEvents events[2];
    int callback[2];
    virDomainPtr domain;                 /* on conn[0] */
    virMigrationOutcome outcome;
    int error;
};

static void
tableBegin(struct tableRun *run, const struct tableDriver *driver, const struct tableCase *c, const struct tableFault *fault)
{
    virDomainPtr domain;

    memset(run, 0, sizeof(*run));
    run->driver = driver;
    run->c = *c;
    for (int side = 0; side < 2; side++) {
        const char *what = fault == NULL ? NULL : side == 0 ? fault->source : fault->destination;

        CHECK_PTR(run->keep[side] = driver->open(side, NULL));
        CHECK_PTR(run->conn[side] = driver->open(side, what));
    }
    if (c->defined) {
        CHECK_PTR(domain = virDomainDefineXML(run->keep[1], driver->xml));
        virDomainFree(domain);
    }
    if (c->persistent) {
        CHECK_PTR(run->domain = virDomainDefineXML(run->conn[0], driver->xml));
        CHECK_OK(virDomainCreate(run->domain));
    } else {
        CHECK_PTR(run->domain = virDomainCreateXML(run->conn[0], driver->xml, 0));
    }
    if (c->paused)
        CHECK_OK(virDomainSuspend(run->domain));
    for (int side = 0; side < 2; side++)
        CHECK_OK(run->callback[side] = virConnectDomainEventRegisterAny(run->keep[side], NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                                        VIR_DOMAIN_EVENT_CALLBACK(tableOnEvent),
                                                                        &run->events[side], NULL));
}

static void
tableMigrate(struct tableRun *run, virMigrationPhase abortIn)
{
    virMigrationPtr m;
    int rc;

    CHECK_PTR(m = virMigrationNew(run->domain, run->conn[1], NULL, 0, run->c.flags));
    do {
        if (virMigrationGetPhase(m) == abortIn)
            CHECK_OK(virMigrationAbort(m));
        CHECK_OK(rc = virMigrationStep(m, 20));
    } while (rc > 0);
    run->outcome = virMigrationGetOutcome(m);
    run->error = virMigrationGetError(m) != NULL ? virMigrationGetError(m)->code : 0;
    virMigrationFree(m);
    tableDrainEvents(&run->events[0], &run->events[1]);
}

/* Takes the guest away on both sides, whatever became of it. */
static void
tableEnd(struct tableRun *run)
{
    for (int side = 0; side < 2; side++) {
        virDomainPtr domain = virDomainLookupByName(run->keep[side], "table");

        if (domain != NULL) {
            if (virDomainIsActive(domain) == 1)
                EXPECT(virDomainDestroy(domain) == 0, "destroy: %s", virGetLastErrorMessage());
            virDomainFree(domain);
        }
        if ((domain = virDomainLookupByName(run->keep[side], "table")) != NULL) {
            EXPECT(virDomainUndefine(domain) == 0, "undefine: %s", virGetLastErrorMessage());
            virDomainFree(domain);
        }
    }
    virDomainFree(run->domain);
    for (int side = 0; side < 2; side++) {
        CHECK_OK(virConnectDomainEventDeregisterAny(run->keep[side], run->callback[side]));
        virConnectClose(run->conn[side]);
        virConnectClose(run->keep[side]);
    }
}

/* ---- what must be true ---- */

/* active: 1 runs or stands paused, 0 defined only, -1 not there at all */
static void
tableExpect(struct tableRun *run, int side, int active, int persistent, int state, int reason)
{
    virDomainPtr domain = virDomainLookupByName(run->keep[side], "table");
    const char *where = side == 0 ? "source" : "destination";
    int isState = -1, isReason = -1, autostart = -1;

    if (domain == NULL || active < 0) {
        EXPECT((domain == NULL) == (active < 0), "%s: the guest is %s", where, domain == NULL ? "gone" : "still there");
        if (domain != NULL)
            virDomainFree(domain);
        return;
    }
    EXPECT(virDomainIsActive(domain) == active, "%s: active is %d, not %d", where, virDomainIsActive(domain), active);
    EXPECT(virDomainIsPersistent(domain) == persistent, "%s: persistent is %d, not %d", where,
           virDomainIsPersistent(domain), persistent);
    virDomainGetState(domain, &isState, &isReason, 0);
    EXPECT(isState == state, "%s: state is %d, not %d", where, isState, state);
    EXPECT(reason < 0 || isReason == reason, "%s: reason is %d, not %d", where, isReason, reason);
    virDomainGetAutostart(domain, &autostart);
    EXPECT(autostart == 0, "%s: autostart is %d", where, autostart);
    virDomainFree(domain);
}

static void
tableExpectMigrated(struct tableRun *run)
{
    const struct tableCase *c = &run->c;
    bool paused = c->paused || (c->flags & VIR_MIGRATE_PAUSED) != 0, undefine = (c->flags & VIR_MIGRATE_UNDEFINE_SOURCE) != 0;
    bool persist = (c->flags & VIR_MIGRATE_PERSIST_DEST) != 0;
    char source[128], destination[128];

    EXPECT(run->outcome == VIR_MIGRATION_OUTCOME_MIGRATED, "the outcome is %d", run->outcome);
    EXPECT(run->error == 0, "there is an error, code %d", run->error);
    tableExpect(run, 0, c->persistent && !undefine ? 0 : -1, 1, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED);
    tableExpect(run, 1, 1, c->defined || persist, paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING,
                paused ? (int)VIR_DOMAIN_PAUSED_USER : (int)VIR_DOMAIN_RUNNING_MIGRATED);

    snprintf(source, sizeof(source), "%sSTOPPED/%d%s", c->paused ? "" : "SUSPENDED/1 ", VIR_DOMAIN_EVENT_STOPPED_MIGRATED,
             c->persistent && undefine ? " UNDEFINED/0" : "");
    snprintf(destination, sizeof(destination), "STARTED/%d%s%s", VIR_DOMAIN_EVENT_STARTED_MIGRATED,
             !persist ? "" : c->defined ? " DEFINED/1" : " DEFINED/0", paused ? " SUSPENDED/0" : " RESUMED/1");
    tableAwaitEvents(&run->events[0], source, &run->events[1], destination);
    EXPECT(strcmp(run->events[0].text, source) == 0, "source: events are %s, not %s", run->events[0].text, source);
    EXPECT(strcmp(run->events[1].text, destination) == 0, "destination: events are %s, not %s", run->events[1].text, destination);
}

/* As it was where it was, unless it was lost there, and nothing at the other side. */
static void
tableExpectRolledBack(struct tableRun *run, const struct tableFault *fault)
{
    const struct tableCase *c = &run->c;
    virDomainJobInfo job = { 0 };

    EXPECT(run->outcome == (fault->sourceDies ? VIR_MIGRATION_OUTCOME_LOST : VIR_MIGRATION_OUTCOME_ROLLED_BACK), "the outcome is %d",
           run->outcome);
    EXPECT(run->error != 0 && (fault->error < 0 || run->error == fault->error), "the error is %d, not %d", run->error, fault->error);
    tableExpect(run, 1, c->defined ? 0 : -1, 1, VIR_DOMAIN_SHUTOFF, -1);
    if (fault->sourceDies) {
        tableExpect(run, 0, c->persistent ? 0 : -1, 1, VIR_DOMAIN_SHUTOFF, -1);
        return;
    }
    tableExpect(run, 0, 1, c->persistent, c->paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING,
                c->paused ? (int)VIR_DOMAIN_PAUSED_USER : -1);
    EXPECT(virDomainGetJobInfo(run->domain, &job) == 0 && job.type == VIR_DOMAIN_JOB_NONE, "a job is left: %d", job.type);
    /* and it can be changed again */
    EXPECT(virDomainSuspend(run->domain) == 0, "suspend: %s", virGetLastErrorMessage());
    EXPECT(virDomainResume(run->domain) == 0, "resume: %s", virGetLastErrorMessage());
}

/* ---- the table ---- */

static void
tableContext(const struct tableCase *c, const char *what)
{
    harnessContext("%s, %s, destination %s, flags 0x%x, %s", c->persistent ? "persistent" : "transient",
                   c->paused ? "paused" : "running", c->defined ? "defined" : "empty", c->flags, what);
}

static __attribute__((unused)) void
tableRunSuccess(const struct tableDriver *driver)
{
    for (size_t i = 0; i < 8 * TABLE_COUNT(tableFlags); i++) {
        struct tableCase c = { (i & 1) != 0, (i & 2) != 0, (i & 4) != 0, tableFlags[i / 8] };
        struct tableRun run;

        tableContext(&c, "no fault");
        tableBegin(&run, driver, &c, NULL);
        tableMigrate(&run, VIR_MIGRATION_PHASE_LAST);
        tableExpectMigrated(&run);
        tableEnd(&run);
    }
}

static __attribute__((unused)) void
tableRunFailures(const struct tableDriver *driver)
{
    static const unsigned int flags[] = { VIR_MIGRATE_LIVE, VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE };

    for (const struct tableFault *fault = driver->faults; fault->name != NULL; fault++) {
        for (size_t i = 0; i < 8 * TABLE_COUNT(flags); i++) {
            struct tableCase c = { (i & 1) != 0, (i & 2) != 0, (i & 4) != 0, flags[i / 8] };
            struct tableRun run;

            tableContext(&c, fault->name);
            tableBegin(&run, driver, &c, fault);
            tableMigrate(&run, fault->abortIn);
            if (fault->survives)
                tableExpectMigrated(&run);
            else
                tableExpectRolledBack(&run, fault);
            tableEnd(&run);
        }
    }
}

#endif
