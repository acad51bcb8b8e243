/*
 * The records of migrations on a simulated host. Each side has one for a migration, under its uuid. It says how far the
 * side has come and what it has answered, so that a phase that is asked again answers as it did, also after the guest has
 * left, and so that who finds it after a crash knows what was promised. A side that was told to give up what it had never
 * heard of keeps that in mind, too: what comes late is refused.
 *
 * What is over is kept for a day, so that late questions are answered, but no more than a few of the same guest.
 */
#include "test.h"

#include "../common/json.h"
#include "../common/params.h"
#include "../common/text.h"

#include <assert.h>
#include <time.h>

#define VIRT_FROM VIR_FROM_TEST

#define TEST_KEPT_OF_A_GUEST 8
#define TEST_KEPT_MS         (24 * 3600 * 1000LL)

#define A(stage) (1u << TEST_ ## stage)

VIRT_INTERNAL const struct testStageRow testStages[TEST_STAGES + 1] = {
    /* source. Begin or Perform gives up by itself, or an offline guest leaves: without transfer there is nothing to halt or to await */
    [TEST_BEGUN]      = { "begun",      "S_BEGUN",      A(PERFORMING) | A(HALTED), A(RESUMING) | A(LEAVING), false },
    [TEST_PERFORMING] = { "performing", "S_PERFORMING", A(PERFORMED) | A(HALTED) | A(RESUMING) | A(LEAVING), 0, false },
    [TEST_PERFORMED]  = { "performed",  "S_PERFORMED",  A(RESUMING) | A(LEAVING), 0, false },
    [TEST_HALTED]     = { "halted",     "S_HALTED",     A(RESUMING), 0, false },
    [TEST_RESUMING]   = { "resuming",   "S_RESUMING",   A(STAYED) | A(GONE), 0, false },
    [TEST_LEAVING]    = { "leaving",    "S_KILLING",    A(LEFT) | A(GONE), 0, false },
    [TEST_STAYED]     = { "stayed",     "S_RESUMED",    0, 0, true },
    [TEST_LEFT]       = { "left",       "S_KILLED",     0, 0, true },
    [TEST_GONE]       = { "gone",       "S_KILLED",     0, 0, true },
    /* destination. What has ended by itself needs no removing; what cannot be started is removed in the same stage, a crash repeats it */
    [TEST_PREPARED]   = { "prepared",   "D_PREPARED",   A(STARTING) | A(REFUSING), A(REFUSED), false },
    [TEST_STARTING]   = { "starting",   "D_STARTING",   A(ARRIVED), A(REFUSED), false },
    [TEST_REFUSING]   = { "refusing",   "D_KILLING",    A(REFUSED), 0, false },
    [TEST_ARRIVED]    = { "arrived",    "D_STARTED",    0, 0, true },
    [TEST_REFUSED]    = { "refused",    "D_KILLED",     0, 0, true },
    /* what was never prepared, and is cancelled, needs no removing either */
    [TEST_NOTHING]    = { "",           "_IDLE",        A(BEGUN) | A(HALTED) | A(PREPARED), A(REFUSED), false },
};
#undef A

VIRT_INTERNAL void
testMigrationEnter(struct testMigration *m, enum testStage stage)
{
    const struct testStageRow *row = &testStages[m->stage];

    assert(m->stage == stage || ((row->next | row->shortcuts) & 1u << stage) != 0);
    m->stage = stage;
}

/* ms since 1970 */
static long long
testTimeOfDay(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

VIRT_INTERNAL bool
testMigrationIsOver(const struct testMigration *m)
{
    return testStages[m->stage].over;
}

VIRT_INTERNAL struct testMigration *
testMigrationFind(struct testHost *host, const char *uuid, bool source)
{
    struct testMigration *m = host->migrations;

    while (m != NULL && (m->source != source || strcmp(m->uuid, uuid) != 0))
        m = m->next;
    return m;
}

VIRT_INTERNAL int
testMigrationCheckOwn(struct testHost *host, const struct virMigrationCall *call)
{
    for (const struct testMigration *m = host->migrations; m != NULL; m = m->next)
        if (strcmp(m->uuid, call->uuid) == 0 && (m->vm != NULL || !virMigrationCallNamesNone(m->guest))
            && virMigrationCallIsOf(call, m->vm != NULL ? m->vm->uuid : m->guest,
                                    m->source ? NULL : m->vm != NULL ? m->vm->name : m->name) < 0)
            return -1;
    return 0;
}

VIRT_INTERNAL struct testMigration *
testMigrationOf(struct testHost *host, const struct virDomainObj *vm)
{
    struct testMigration *m = host->migrations;

    while (m != NULL && (m->vm != vm || testMigrationIsOver(m)))
        m = m->next;
    return m;
}

VIRT_INTERNAL void
testMigrationFree(struct testHost *host, struct testMigration *m)
{
    testChannelClose(host, m);
    virDomainObjUnref(m->vm);
    virFreeError(m->error);
    virTypedParamsFree(m->params, m->nparams);
    free(m->definition);
    free(m->peer);
    free(m->cookie);
    free(m->uri);
    free(m->name);
    free(m->uuid);
    free(m);
}

VIRT_INTERNAL void
testMigrationsFree(struct testHost *host)
{
    while (host->migrations != NULL) {
        struct testMigration *m = host->migrations;

        host->migrations = m->next;
        testMigrationFree(host, m);
    }
}

VIRT_INTERNAL struct testMigration *
testMigrationNew(const struct virMigrationCall *call, enum testStage stage, struct virDomainObj *vm)
{
    struct testMigration *m = virAllocate(sizeof(*m));

    if (m == NULL)
        return NULL;
    m->source = stage < TEST_PREPARED;
    m->stage = TEST_NOTHING;
    testMigrationEnter(m, stage);
    m->flags = call->flags;
    m->offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0;
    m->since = testTimeOfDay();
    m->id = -1;
    m->failAt = m->dieAt = m->breakAt = -1;
    if (vm != NULL) {
        m->vm = virDomainObjRef(vm);
        m->state = vm->state;
        m->reason = vm->reason;
    }
    memcpy(m->guest, call->guest, sizeof(m->guest));
    if ((m->uuid = virStringCopy(call->uuid)) == NULL || (m->name = virStringCopy(call->name)) == NULL ||
        (call->nparams > 0 && (m->params = virTypedParamsCopy(call->params, call->nparams)) == NULL)) {
        testMigrationFree(NULL, m);
        return NULL;
    }
    m->nparams = call->nparams;
    return m;
}

/* Whether there are enough newer records of what `old` is about; those without a guest are all alike. */
static bool
testMigrationIsForgotten(const struct testHost *host, const struct testMigration *old, long long now)
{
    int newer = 0;

    if (!testMigrationIsOver(old) || old->users > 0 || old->channel != NULL)
        return false;
    for (const struct testMigration *m = host->migrations; m != old; m = m->next)
        newer += m->source == old->source && (m->vm == NULL) == (old->vm == NULL) &&
                 (m->vm == NULL || memcmp(m->vm->uuid, old->vm->uuid, VIR_UUID_BUFLEN) == 0);
    return newer >= (old->vm != NULL ? TEST_KEPT_OF_A_GUEST : 100 * TEST_KEPT_OF_A_GUEST) || now - old->since > TEST_KEPT_MS;
}

VIRT_INTERNAL void
testMigrationInsert(struct testHost *host, struct testMigration *m)
{
    long long now = testTimeOfDay();

    m->next = host->migrations;
    host->migrations = m;
    for (struct testMigration **at = &host->migrations; *at != NULL;) {
        struct testMigration *old = *at;

        if (old != m && testMigrationIsForgotten(host, old, now)) {
            *at = old->next;
            testMigrationFree(host, old);
        } else {
            at = &old->next;
        }
    }
}

VIRT_INTERNAL void
testMigrationEndJob(struct testMigration *m)
{
    if (m->holds)
        virDomainObjEndMigration(m->vm);
    m->holds = false;
}

VIRT_INTERNAL void
testMigrationKeepError(struct testMigration *m)
{
    virFreeError(m->error);
    m->error = virSaveLastError();
    virResetLastError();
}

VIRT_INTERNAL int
testMigrationFailed(const struct testMigration *m)
{
    if (m->error != NULL && m->error->code != VIR_ERR_OK)
        virSetLastError(m->error);
    else
        virReportError(VIR_ERR_OPERATION_FAILED, "migration %s has been given up here (%s)", m->uuid, testStages[m->stage].name);
    return VIR_MIGRATION_FAILED;
}

/* ---------- what a host has on record ---------- */

static char *
testMigrationFormat(const struct testMigration *m)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    virUuidFormat(m->guest, uuid);
    json = virJsonObject("i:version", 1, "s:migration", m->uuid, "s:side", m->source ? "source" : "destination",
                         "s:name", m->vm != NULL ? m->vm->name : m->name, "s:uuid", uuid,
                         "u:flags", (unsigned long long)m->flags, "a:params", virTypedParamsToJson(m->params, m->nparams),
                         "s:stage", testStages[m->stage].name, "b:over", (int)testMigrationIsOver(m),
                         "b:performed", m->stage == TEST_PERFORMED || m->stage == TEST_LEAVING || m->stage == TEST_LEFT,
                         "b:started", m->stage == TEST_ARRIVED, "u:since", (unsigned long long)m->since, NULL);
    return json != NULL ? virJsonFormat(json) : NULL;
}

VIRT_INTERNAL int
testConnectListMigrations(virConnectPtr conn, char ***records, unsigned int flags)
{
    const unsigned int both = VIR_CONNECT_LIST_MIGRATIONS_ACTIVE | VIR_CONNECT_LIST_MIGRATIONS_OVER;
    struct testHost *host = testHostOf(conn);
    char **list = NULL;
    size_t n = 0;
    int rc = 0;

    virCheckFlags(both, -1);
    if (flags == 0)
        flags = both;
    pthread_mutex_lock(&host->lock);
    testHostSettle(host);
    for (struct testMigration *m = host->migrations; m != NULL && rc == 0; m = m->next) {
        if ((flags & (testMigrationIsOver(m) ? VIR_CONNECT_LIST_MIGRATIONS_OVER : VIR_CONNECT_LIST_MIGRATIONS_ACTIVE)) != 0)
            rc = virStringsAdd(&list, &n, testMigrationFormat(m));
    }
    pthread_mutex_unlock(&host->lock);
    if (rc == 0 && list == NULL)
        rc = (list = virAllocate(sizeof(*list))) != NULL ? 0 : -1;
    if (rc < 0 || records == NULL) {
        virStringsFree(list);
        return rc < 0 ? -1 : (int)n;
    }
    *records = list;
    return (int)n;
}

#undef TEST_KEPT_MS
#undef TEST_KEPT_OF_A_GUEST
#undef VIRT_FROM
