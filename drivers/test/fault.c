/*
 * What goes wrong on purpose in a migration between simulated hosts, by the URI of the connection that a phase is called on
 * (the source's: begin, perform, confirm, halt, rollback; the destination's: prepare, perform, finish, cancel):
 *
 *     fault=PHASE[:WHAT[:N]][,...]
 *
 *     PHASE   begin, prepare, perform, finish, confirm; and of the way back: halt, cancel (finish, after the migration
 *             has been given up), rollback (confirm, likewise)
 *     fail    the phase fails (the default). perform: after N per cent of the memory, 50 if N is not given
 *     die     the hypervisor's process of that side dies. perform: after N per cent; finish: when the guest is to be started
 *     again   the first N calls (1) are not answered and not carried out
 *     lost    the first N calls that carry it out (1) are not answered
 *     hang    no answer and nothing carried out for N milliseconds; for ever, without N
 *     break   perform, in post-copy: the network breaks after N per cent (50), until the next confirm
 *     crash   whoever manages that host is gone at the N-th durable step (1) of the phase, testMigrationSteps below:
 *             the call is not answered, what was only in mind is forgotten, and the next call on the host finds the
 *             records and the hypervisors
 *     power   the same, and the guest's hypervisor on that host is gone as well
 *
 * confirm, halt, cancel and rollback cannot fail or die: only their answers can be missing. On the destination's URI,
 * perform can only die.
 */
#include "test.h"

#include "../common/platform.h"
#include "../common/text.h"

#define VIRT_FROM VIR_FROM_TEST

/*
 * Every durable step, phase by phase, and at last those that there are with a lock manager: a record is written before what it
 * announces, and what is announced is safe to do again. A migration that turns back by itself in perform, or is refused in finish, takes the steps of rollback and
 * cancel.
 */
VIRT_INTERNAL const struct testMigrationStep testMigrationSteps[TEST_MARKS] = {
    [TEST_MARK_BEGUN]        = { "begin",    TEST_FAULT_BEGIN,    true,  "begun is on record" },
    [TEST_MARK_HELD]         = { "begin",    TEST_FAULT_BEGIN,    true,  "the guest is held" },
    [TEST_MARK_PREPARED]     = { "prepare",  TEST_FAULT_PREPARE,  false, "prepared is on record" },
    [TEST_MARK_LISTENS]      = { "prepare",  TEST_FAULT_PREPARE,  false, "the hypervisor listens" },
    [TEST_MARK_PERFORMING]   = { "perform",  TEST_FAULT_PERFORM,  true,  "performing is on record" },
    [TEST_MARK_TRANSFERRING] = { "perform",  TEST_FAULT_PERFORM,  true,  "the transfer has begun" },
    [TEST_MARK_PERFORMED]    = { "perform",  TEST_FAULT_PERFORM,  true,  "performed is on record" },
    [TEST_MARK_STARTING]     = { "finish",   TEST_FAULT_FINISH,   false, "starting is on record" },
    [TEST_MARK_STARTED]      = { "finish",   TEST_FAULT_FINISH,   false, "the guest runs" },
    [TEST_MARK_ARRIVED]      = { "finish",   TEST_FAULT_FINISH,   false, "arrived is on record" },
    [TEST_MARK_LEAVING]      = { "confirm",  TEST_FAULT_CONFIRM,  true,  "leaving is on record" },
    [TEST_MARK_ENDED]        = { "confirm",  TEST_FAULT_CONFIRM,  true,  "the guest has ended" },
    [TEST_MARK_LEFT]         = { "confirm",  TEST_FAULT_CONFIRM,  true,  "left is on record" },
    [TEST_MARK_CANCELLED]    = { "halt",     TEST_FAULT_HALT,     true,  "the transfer has been cancelled" },
    [TEST_MARK_HALTED]       = { "halt",     TEST_FAULT_HALT,     true,  "halted is on record" },
    [TEST_MARK_REFUSING]     = { "cancel",   TEST_FAULT_CANCEL,   false, "refusing is on record" },
    [TEST_MARK_REMOVED]      = { "cancel",   TEST_FAULT_CANCEL,   false, "the copy is gone" },
    [TEST_MARK_REFUSED]      = { "cancel",   TEST_FAULT_CANCEL,   false, "refused is on record" },
    [TEST_MARK_RESUMING]     = { "rollback", TEST_FAULT_ROLLBACK, true,  "resuming is on record" },
    [TEST_MARK_RESUMED]      = { "rollback", TEST_FAULT_ROLLBACK, true,  "the guest goes on" },
    [TEST_MARK_STAYED]       = { "rollback", TEST_FAULT_ROLLBACK, true,  "stayed is on record" },
    [TEST_MARK_TAKEN]        = { "finish",   TEST_FAULT_FINISH,   false, "the lease is here" },
    [TEST_MARK_GIVEN]        = { "cancel",   TEST_FAULT_CANCEL,   false, "the lease is given back" },
    [TEST_MARK_KEPT]         = { "rollback", TEST_FAULT_ROLLBACK, true,  "the lease is kept" },
};

/* ---------- the grammar ---------- */

static const char *const testFaultPlaces[TEST_FAULT_PLACES + 1] = {
    [TEST_FAULT_BEGIN] = "begin", [TEST_FAULT_PREPARE] = "prepare", [TEST_FAULT_PERFORM] = "perform",
    [TEST_FAULT_FINISH] = "finish", [TEST_FAULT_CONFIRM] = "confirm", [TEST_FAULT_HALT] = "halt",
    [TEST_FAULT_CANCEL] = "cancel", [TEST_FAULT_ROLLBACK] = "rollback",
};

static const char *const testFaultKinds[] = {
    [TEST_FAULT_NONE] = "none", [TEST_FAULT_FAIL] = "fail", [TEST_FAULT_DIE] = "die", [TEST_FAULT_AGAIN] = "again",
    [TEST_FAULT_LOST] = "lost", [TEST_FAULT_HANG] = "hang", [TEST_FAULT_BREAK] = "break", [TEST_FAULT_CRASH] = "crash",
    [TEST_FAULT_POWER] = "power", NULL,
};

static int
testFaultWord(const char *const *names, const char *text, size_t length)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strlen(names[i]) == length && strncmp(names[i], text, length) == 0)
            return i;
    }
    return -1;
}

/* Which of its phase's durable steps it is, from 1. */
static int
testMarkNumber(enum testMark mark)
{
    int number = 1;

    for (int i = 0; i < (int)mark; i++)
        number += testMigrationSteps[i].place == testMigrationSteps[mark].place;
    return number;
}

/* The N of crash and power; the error names what there is. */
static int
testFaultCheckStep(const char *text, enum testFaultPlace place, int number)
{
    struct virText steps = { 0 };
    VIRT_CLEANUP_FREE char *list = NULL;
    int count = 0;

    for (int i = 0; i < TEST_MARKS; i++) {
        if (testMigrationSteps[i].place == place)
            virTextAdd(&steps, "%s%d %s", count++ > 0 ? ", " : "", testMarkNumber((enum testMark)i), testMigrationSteps[i].name);
    }
    if ((list = virTextTake(&steps)) == NULL)
        return -1;
    if (number == 0 || number > count)
        return virReportError(VIR_ERR_INVALID_ARG, "URI parameter fault: '%s': the durable steps of %s are: %s", text,
                              testFaultPlaces[place], list);
    return 0;
}

static bool
testFaultFits(int place, int kind)
{
    if (place < 0 || kind < 0)
        return false;
    if (kind == TEST_FAULT_FAIL || kind == TEST_FAULT_DIE)
        return place < TEST_FAULT_CONFIRM;
    return kind != TEST_FAULT_BREAK || place == TEST_FAULT_PERFORM;
}

VIRT_INTERNAL int
testMigrationParseFaults(struct testConnect *test, const char *text)
{
    for (const char *at = text; *at != '\0'; at += *at == ',') {
        size_t length = strcspn(at, ":,");
        int place = testFaultWord(testFaultPlaces, at, length), kind = TEST_FAULT_FAIL, number = -1;

        at += length;
        if (*at == ':') {
            length = strcspn(++at, ":,");
            kind = testFaultWord(testFaultKinds, at, length);
            at += length;
        }
        if (*at == ':') {
            char *end;

            number = (int)strtol(at + 1, &end, 10);
            if (end == at + 1 || number < 0)
                kind = -1;
            at = end;
        }
        if (!testFaultFits(place, kind) || (*at != ',' && *at != '\0'))
            return virReportError(VIR_ERR_INVALID_ARG, "URI parameter fault: '%s' is not of the form "
                                  "PHASE[:fail|die|again|lost|hang|break|crash|power[:N]][,...]", text);
        if ((kind == TEST_FAULT_CRASH || kind == TEST_FAULT_POWER) &&
            testFaultCheckStep(text, (enum testFaultPlace)place, number) < 0)
            return -1;
        test->faults[place] = (struct testFault){ .kind = (enum testFaultKind)kind, .number = number };
    }
    return 0;
}

/* ---------- faults of calls ---------- */

static bool
testFaultCounts(struct testFault *fault)
{
    if (fault->number < 0)
        fault->number = 1;
    return fault->number > 0 && fault->number-- > 0;
}

/* What happens instead of the phase. The host is locked. */
static enum testFaultKind
testFaultBefore(struct testConnect *test, enum testFaultPlace place)
{
    struct testFault *fault = &test->faults[place];
    unsigned long long now = virTimeNowUs();

    switch (fault->kind) {
    case TEST_FAULT_AGAIN:
        return testFaultCounts(fault) ? TEST_FAULT_AGAIN : TEST_FAULT_NONE;
    case TEST_FAULT_HANG:
        if (fault->since == 0)
            fault->since = now;
        if (fault->number < 0 || now - fault->since < (unsigned long long)fault->number * 1000)
            return TEST_FAULT_HANG;
        return TEST_FAULT_NONE;
    case TEST_FAULT_FAIL:
    case TEST_FAULT_DIE:
        return fault->kind;
    default:
        return TEST_FAULT_NONE;
    }
}

VIRT_INTERNAL bool
testFaultLost(struct testConnect *test, enum testFaultPlace place)
{
    return test->faults[place].kind == TEST_FAULT_LOST && testFaultCounts(&test->faults[place]);
}

/* Somebody steps it, and the destination has heard of it. */
static void
testMigrationSetStepped(struct testHost *host, const char *uuid)
{
    for (struct testMigration *m = host->migrations; m != NULL; m = m->next) {
        if (strcmp(m->uuid, uuid) != 0)
            continue;
        m->mind.dropped = false;
        if (!m->source && m->channel != NULL)
            atomic_store(&m->channel->heard, virTimeNowUs());
    }
}

VIRT_INTERNAL int
testPhaseEnter(virConnectPtr conn, const struct virMigrationCall *call, enum testFaultPlace place, enum testFaultKind *kind)
{
    struct testConnect *test = testConnectOf(conn);
    unsigned long long now = virTimeNowUs(), end;

    pthread_mutex_lock(&test->host->lock);
    *kind = testFaultBefore(test, place);
    if (*kind == TEST_FAULT_HANG && call->timeout != 0) {
        /* Somebody who waits without end is let out now and then, to look around. */
        end = now + (call->timeout > 0 && call->timeout < 1000 ? (unsigned int)call->timeout : 1000) * 1000ULL;
        while (virTimeNowUs() < end && (*kind = testFaultBefore(test, place)) == TEST_FAULT_HANG) {
            unsigned long long next = virTimeNowUs() + 10000;

            virPlatformCondWait(&test->host->changed, &test->host->lock, next < end ? next : end);
        }
    }
    if (*kind == TEST_FAULT_HANG || *kind == TEST_FAULT_AGAIN) {
        pthread_mutex_unlock(&test->host->lock);
        return VIR_MIGRATION_AGAIN;
    }
    testHostSettle(test->host);
    if (testMigrationCheckOwn(test->host, call) < 0) {
        pthread_mutex_unlock(&test->host->lock);
        return VIR_MIGRATION_FAILED;
    }
    testMigrationSetStepped(test->host, call->uuid);
    return 1;
}

/* ---------- crashes ---------- */

/* The guest's hypervisor goes with the host. */
static void
testHostLosesPower(struct testMigration *m)
{
    if (m->channel != NULL && m->source)
        atomic_store(&m->channel->cut, true);
    if (m->channel != NULL && !m->source &&
        !testChannelChange(m->channel, TEST_COPY_OPEN, TEST_COPY_DEAD) &&
        !testChannelChange(m->channel, TEST_COPY_SPREAD, TEST_COPY_DEAD))
        testChannelChange(m->channel, TEST_COPY_COMPLETE, TEST_COPY_DEAD);
    if (m->vm != NULL && m->vm->id >= 0 && m->vm->id == m->id) {
        testDomainStopped(m->vm, VIR_DOMAIN_SHUTOFF_CRASHED);
        testLeaseLosePower(m->vm);
        virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
    }
}

VIRT_INTERNAL bool
testMigrationReached(struct testHost *host, struct testMigration *m, enum testMark mark)
{
    struct testFault *fault = m->at != NULL ? &m->at->faults[testMigrationSteps[mark].place] : NULL;

    if (fault == NULL || (fault->kind != TEST_FAULT_CRASH && fault->kind != TEST_FAULT_POWER) ||
        (fault->number < 0 ? 1 : fault->number) != testMarkNumber(mark))
        return false;
    if (fault->kind == TEST_FAULT_POWER)
        testHostLosesPower(m);
    fault->kind = TEST_FAULT_NONE;
    for (struct testMigration *each = host->migrations; each != NULL; each = each->next) {
        each->mind = (struct testMind){ .dropped = true };
        each->at = NULL;
    }
    atomic_store(&host->crashed, true);
    pthread_cond_broadcast(&host->changed);
    return true;
}

#undef VIRT_FROM
