/*
 * What can be seen and set of a migration under way on a simulated host: statistics, abort, speed,
 * downtime.
 */
#include "test.h"

#include "../common/params.h"
#include "../common/stats.h"

#define VIRT_FROM VIR_FROM_TEST

/* ---------- statistics ---------- */

VIRT_INTERNAL double
testTransferRate(const struct testMigration *m)
{
    return m->speed < m->bandwidth ? m->speed : m->bandwidth;
}

/* What the guest writes in a second, as things stand. */
VIRT_INTERNAL double
testTransferDirtyRate(const struct testMigration *m)
{
    if (m->vm->state != VIR_DOMAIN_RUNNING)
        return 0;
    return m->dirtyRate * (100 - m->transfer.throttle) / 100;
}

static int
testTransferConvergence(const struct testMigration *m)
{
    if (m->transfer.pass < 2 && !m->transfer.last)
        return VIR_MIGRATION_CONVERGENCE_UNKNOWN;
    return m->transfer.last || testTransferDirtyRate(m) < testTransferRate(m) ? VIR_MIGRATION_CONVERGENCE_YES
                                                                           : VIR_MIGRATION_CONVERGENCE_NO;
}

/* What is still to be sent: of this pass, and what has been written behind its back. */
static double
testTransferRemaining(const struct testMigration *m)
{
    const struct testTransfer *t = &m->transfer;
    double remaining = t->left + (t->last ? 0 : t->dirtied);

    return remaining < t->total ? remaining : t->total;
}

/* Of what is to be sent, at the rate at which it becomes less. false: it does not. */
static bool
testTransferTimeLeft(const struct testMigration *m, unsigned long long *ms)
{
    return virStatsTimeLeft(testTransferRemaining(m), testTransferRate(m), m->transfer.last ? 0 : testTransferDirtyRate(m), ms);
}

struct testStats { virTypedParameterPtr params; int n, max; int rc; };

static void
testStatsNumber(struct testStats *stats, const char *name, double value)
{
    if (stats->rc == 0)
        stats->rc = virTypedParamsAddULLong(&stats->params, &stats->n, &stats->max, name,
                                            value > 0 ? (unsigned long long)(value + 0.5) : 0);
}

static void
testStatsInt(struct testStats *stats, const char *name, int value)
{
    if (stats->rc == 0)
        stats->rc = virTypedParamsAddInt(&stats->params, &stats->n, &stats->max, name, value);
}

static int
testMigrationStats(const struct testMigration *m, struct testStats *stats)
{
    const struct testTransfer *t = &m->transfer;
    double rate = testTransferRate(m), remaining = testTransferRemaining(m);
    unsigned long long ms;

    testStatsInt(stats, VIR_DOMAIN_JOB_OPERATION,
                 m->source ? VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT : VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN);
    if (!m->source || m->offline || m->stage == TEST_BEGUN)
        return stats->rc;
    testStatsNumber(stats, VIR_DOMAIN_JOB_TIME_ELAPSED, t->lasted * 1000);
    if (testTransferTimeLeft(m, &ms))
        testStatsNumber(stats, VIR_DOMAIN_JOB_TIME_REMAINING, (double)ms);
    if (t->last)
        testStatsNumber(stats, VIR_DOMAIN_JOB_DOWNTIME, t->downtime * 1000);
    testStatsNumber(stats, VIR_DOMAIN_JOB_DOWNTIME_EXPECTED, remaining / rate * 1000);
    testStatsNumber(stats, VIR_DOMAIN_JOB_SETUP_TIME, 0);
    testStatsNumber(stats, VIR_DOMAIN_JOB_DATA_TOTAL, t->total);
    testStatsNumber(stats, VIR_DOMAIN_JOB_DATA_PROCESSED, t->sent);
    testStatsNumber(stats, VIR_DOMAIN_JOB_DATA_REMAINING, remaining);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_TOTAL, t->total);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_PROCESSED, t->sent);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_REMAINING, remaining);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_CONSTANT, 0);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_NORMAL, t->sent / TEST_PAGE);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, t->sent);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_BPS, rate);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, testTransferDirtyRate(m) / TEST_PAGE);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, TEST_PAGE);
    testStatsNumber(stats, VIR_DOMAIN_JOB_MEMORY_ITERATION, t->pass);
    if (t->throttle != 0)
        testStatsInt(stats, VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, t->throttle);
    testStatsInt(stats, VIR_DOMAIN_JOB_CONVERGENCE, testTransferConvergence(m));
    return stats->rc;
}

VIRT_INTERNAL void
testMigrationComplete(struct testMigration *m, int type)
{
    struct testStats stats = { 0 };
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, .name = m->vm->name, .id = m->vm->id };

    testMigrationStats(m, &stats);
    if (stats.rc == 0 && m->error != NULL)
        stats.rc = virTypedParamsAddString(&stats.params, &stats.n, &stats.max, VIR_DOMAIN_JOB_ERRMSG, m->error->message);
    if (stats.rc == 0)
        stats.rc = virTypedParamsAddBoolean(&stats.params, &stats.n, &stats.max, VIR_DOMAIN_JOB_SUCCESS,
                                            type == VIR_DOMAIN_JOB_COMPLETED);
    if (stats.rc < 0) {
        virTypedParamsFree(stats.params, stats.n);
        return;
    }
    memcpy(event.uuid, m->vm->uuid, VIR_UUID_BUFLEN);
    event.params = stats.params;
    event.nparams = stats.n;
    virDomainEventEmit(virDomainObjConfig(m->vm)->hub, &event);
    virDomainObjSetCompleted(m->vm, type, stats.params, stats.n);
}

/* ---------- jobs ---------- */

VIRT_INTERNAL int
testDomainGetJobInfo(virDomainPtr domain, virDomainJobInfoPtr info)
{
    struct testHost *host = testHostOf(domain->conn);
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct testMigration *m;

    if (vm == NULL)
        return -1;
    memset(info, 0, sizeof(*info));
    pthread_mutex_lock(&host->lock);
    if ((m = testMigrationOf(host, vm)) != NULL) {
        info->type = VIR_DOMAIN_JOB_UNBOUNDED;
        if (m->source && m->stage != TEST_BEGUN) {
            info->timeElapsed = (unsigned long long)(m->transfer.lasted * 1000);
            testTransferTimeLeft(m, &info->timeRemaining);
            info->dataTotal = info->memTotal = (unsigned long long)m->transfer.total;
            info->dataProcessed = info->memProcessed = (unsigned long long)m->transfer.sent;
            info->dataRemaining = info->memRemaining = (unsigned long long)testTransferRemaining(m);
        }
    }
    pthread_mutex_unlock(&host->lock);
    return 0;
}

/* The statistics of the job that is over: given away, or copied. */
static int
testDomainCompletedStats(struct virDomainObj *vm, bool keep, int *type, virTypedParameterPtr *params, int *nparams)
{
    virTypedParameterPtr stats;
    int rc = 0;

    pthread_mutex_lock(&vm->lock);
    stats = keep && vm->ncompleted > 0 ? virTypedParamsCopy(vm->completed, vm->ncompleted) : vm->completed;
    if (stats == NULL && vm->ncompleted > 0) {
        rc = -1;
    } else {
        *type = vm->ncompleted > 0 ? vm->completedType : VIR_DOMAIN_JOB_NONE;
        *params = stats;
        *nparams = vm->ncompleted;
        if (!keep) {
            vm->completed = NULL;
            vm->ncompleted = 0;
        }
    }
    pthread_mutex_unlock(&vm->lock);
    return rc;
}

VIRT_INTERNAL int
testDomainGetJobStats(virDomainPtr domain, int *type, virTypedParameterPtr *params, int *nparams, unsigned int flags)
{
    struct testHost *host = testHostOf(domain->conn);
    struct testStats stats = { 0 };
    struct testMigration *m;
    struct virDomainObj *vm;

    virCheckFlags(VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED, -1);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return -1;
    if ((flags & VIR_DOMAIN_JOB_STATS_COMPLETED) != 0)
        return testDomainCompletedStats(vm, (flags & VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED) != 0, type, params, nparams);
    pthread_mutex_lock(&host->lock);
    if ((m = testMigrationOf(host, vm)) != NULL)
        testMigrationStats(m, &stats);
    pthread_mutex_unlock(&host->lock);
    if (stats.rc < 0) {
        virTypedParamsFree(stats.params, stats.n);
        return -1;
    }
    *type = m != NULL ? VIR_DOMAIN_JOB_UNBOUNDED : VIR_DOMAIN_JOB_NONE;
    *params = stats.params;
    *nparams = stats.n;
    return 0;
}

/* The destination may have what it needs. */
static bool
testAbortIsLate(struct testHost *host, struct testMigration *m)
{
    testTransferLook(host, m);
    return m->stage == TEST_PERFORMED || m->stage == TEST_LEAVING || m->status == TEST_COMPLETED || m->status == TEST_SPREAD ||
           m->status == TEST_BROKE;
}

/*
 * A request: the transfer looks for it. When everything is there, the destination decides, and it
 * is too late.
 */
VIRT_INTERNAL int
testDomainAbortJob(virDomainPtr domain, unsigned int flags)
{
    struct testHost *host = testHostOf(domain->conn);
    struct testMigration *m;
    struct virDomainObj *vm;
    int rc = -1;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return -1;
    pthread_mutex_lock(&host->lock);
    m = testMigrationOf(host, vm);
    if (m == NULL) {
        virReportError(VIR_ERR_OPERATION_INVALID, "no job is active on the domain");
    } else if (!m->source && m->mind.dropped && testMigrationRefuseDropped(host, m)) {
        rc = 0;
    } else if (!m->source) {
        virReportError(VIR_ERR_OPERATION_INVALID, "cannot abort incoming migration; use virDomainDestroy instead");
    } else if (testAbortIsLate(host, m)) {
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has been transferred: its migration cannot be aborted any more",
                       vm->name);
    } else {
        m->mind.aborted = true;
        if (m->mind.dropped)
            testMigrationAbortDropped(host, m);
        pthread_cond_broadcast(&host->changed);
        rc = 0;
    }
    pthread_mutex_unlock(&host->lock);
    return rc;
}

/* ---------- settings ---------- */

/*
 * The settings of a guest that runs, with the host locked, and its migration if there is one; NULL
 * with the host unlocked and an error.
 */
static struct testDomain *
testDomainSettings(virDomainPtr domain, struct testMigration **m)
{
    struct testHost *host = testHostOf(domain->conn);
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct testDomain *settings = NULL;

    if (vm == NULL)
        return NULL;
    pthread_mutex_lock(&host->lock);
    if (virDomainObjCheckActive(vm) == 0)
        settings = testDomainOf(vm);
    if (settings == NULL)
        pthread_mutex_unlock(&host->lock);
    else if (m != NULL)
        *m = testMigrationOf(host, vm);
    return settings;
}

VIRT_INTERNAL int
testDomainMigrateSetMaxDowntime(virDomainPtr domain, unsigned long long downtime, unsigned int flags)
{
    struct testDomain *settings;
    struct testMigration *m;

    virCheckFlags(0, -1);
    if ((settings = testDomainSettings(domain, &m)) == NULL)
        return -1;
    settings->maxDowntime = downtime;
    if (m != NULL)
        m->downtime = (double)downtime / 1000;
    pthread_mutex_unlock(&testHostOf(domain->conn)->lock);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateGetMaxDowntime(virDomainPtr domain, unsigned long long *downtime, unsigned int flags)
{
    struct testDomain *settings;

    virCheckFlags(0, -1);
    if ((settings = testDomainSettings(domain, NULL)) == NULL)
        return -1;
    *downtime = settings->maxDowntime;
    pthread_mutex_unlock(&testHostOf(domain->conn)->lock);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateSetMaxSpeed(virDomainPtr domain, unsigned long bandwidth, unsigned int flags)
{
    struct testDomain *settings;
    struct testMigration *m;

    virCheckFlags(0, -1);
    if (bandwidth == 0)
        return virReportError(VIR_ERR_INVALID_ARG, "a migration does not get anywhere at 0 MiB/s");
    if ((settings = testDomainSettings(domain, &m)) == NULL)
        return -1;
    settings->maxSpeed = bandwidth;
    if (m != NULL)
        m->speed = (double)bandwidth * TEST_MIB;
    pthread_cond_broadcast(&testHostOf(domain->conn)->changed);
    pthread_mutex_unlock(&testHostOf(domain->conn)->lock);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateGetMaxSpeed(virDomainPtr domain, unsigned long *bandwidth, unsigned int flags)
{
    struct testDomain *settings;

    virCheckFlags(0, -1);
    if ((settings = testDomainSettings(domain, NULL)) == NULL)
        return -1;
    *bandwidth = settings->maxSpeed;
    pthread_mutex_unlock(&testHostOf(domain->conn)->lock);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateGetCompressionCache(virDomainPtr domain, unsigned long long *size, unsigned int flags)
{
    struct testDomain *settings;

    virCheckFlags(0, -1);
    if ((settings = testDomainSettings(domain, NULL)) == NULL)
        return -1;
    *size = settings->cache;
    pthread_mutex_unlock(&testHostOf(domain->conn)->lock);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateSetCompressionCache(virDomainPtr domain, unsigned long long size, unsigned int flags)
{
    struct testDomain *settings;

    virCheckFlags(0, -1);
    if ((settings = testDomainSettings(domain, NULL)) == NULL)
        return -1;
    settings->cache = size;
    pthread_mutex_unlock(&testHostOf(domain->conn)->lock);
    return 0;
}

#undef VIRT_FROM
