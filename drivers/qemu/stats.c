/*
 * Statistics of a migration: QEMU's query-migrate in libvirt's names, and what QEMU does not say: whether it converges.
 */
#include "migration.h"

#include "../common/json.h"
#include "../common/params.h"
#include "../common/stats.h"

#include <time.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_STATS_RATE_MAX 1e18

struct qemuStats {
    virTypedParameterPtr params;
    int n, max;
    bool failed;
};

static void
qemuStatsAdd(struct qemuStats *stats, const char *name, unsigned long long value)
{
    if (virTypedParamsAddULLong(&stats->params, &stats->n, &stats->max, name, value) < 0)
        stats->failed = true;
}

static void
qemuStatsAddInt(struct qemuStats *stats, const char *name, int value)
{
    if (virTypedParamsAddInt(&stats->params, &stats->n, &stats->max, name, value) < 0)
        stats->failed = true;
}

/* One number of QEMU's, if it is there, times a factor. */
static void
qemuStatsCopy(struct qemuStats *stats, const char *name, const cJSON *object, const char *key, unsigned long long factor)
{
    unsigned long long value;

    if (object != NULL && virJsonULongLong(object, key, &value) == 0)
        qemuStatsAdd(stats, name, value * factor);
}

/* bytes a second, from megabits a second; what no wire can have is not known */
static unsigned long long
qemuStatsRate(const cJSON *ram)
{
    const cJSON *mbps = virJsonGet(ram, "mbps");
    const double rate = cJSON_IsNumber(mbps) ? mbps->valuedouble * 1000000 / 8 : 0;

    return rate > 0 && rate < QEMU_STATS_RATE_MAX ? (unsigned long long)rate : 0;
}

/*
 * Whether it comes to an end: the guest must write less than what is sent, or what it writes meanwhile fits into the allowed downtime. Before
 * the second pass nobody knows.
 */
static int
qemuStatsConvergence(unsigned long long pass, unsigned long long dirtyRate, unsigned long long rate, unsigned long long expected,
                     unsigned long long allowed)
{
    if (pass < 2 || rate == 0)
        return VIR_MIGRATION_CONVERGENCE_UNKNOWN;
    return dirtyRate < rate || (expected > 0 && expected <= allowed) ? VIR_MIGRATION_CONVERGENCE_YES : VIR_MIGRATION_CONVERGENCE_NO;
}

static void
qemuStatsMemory(struct qemuStats *stats, const cJSON *ram, const cJSON *info, unsigned long long allowed)
{
    unsigned long long pages = 0, page = 4096, pass = 0, remaining = 0, expected = 0, rate = qemuStatsRate(ram), ms;
    int convergence;

    virJsonULongLong(ram, "dirty-pages-rate", &pages);
    virJsonULongLong(ram, "page-size", &page);
    virJsonULongLong(ram, "dirty-sync-count", &pass);
    virJsonULongLong(ram, "remaining", &remaining);
    virJsonULongLong(info, "expected-downtime", &expected);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_MEMORY_TOTAL, ram, "total", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_MEMORY_PROCESSED, ram, "transferred", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_MEMORY_REMAINING, ram, "remaining", 1);
    qemuStatsAdd(stats, VIR_DOMAIN_JOB_MEMORY_BPS, rate);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_MEMORY_CONSTANT, ram, "duplicate", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_MEMORY_NORMAL, ram, "normal", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, ram, "normal-bytes", 1);
    qemuStatsAdd(stats, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, pages);
    qemuStatsAdd(stats, VIR_DOMAIN_JOB_MEMORY_ITERATION, pass);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS, ram, "postcopy-requests", 1);
    qemuStatsAdd(stats, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, page);
    convergence = qemuStatsConvergence(pass, pages * page, rate, expected, allowed);
    /* where what it writes fits into the downtime, what is left may go as it stands */
    if (virStatsTimeLeft((double)remaining, (double)rate, (double)(pages * page), &ms)
        || (convergence == VIR_MIGRATION_CONVERGENCE_YES && virStatsTimeLeft((double)remaining, (double)rate, 0, &ms)))
        qemuStatsAdd(stats, VIR_DOMAIN_JOB_TIME_REMAINING, ms);
    qemuStatsAddInt(stats, VIR_DOMAIN_JOB_CONVERGENCE, convergence);
}

/* The disks that move with it, and what both come to. */
static void
qemuStatsDisks(struct qemuStats *stats, const struct qemuMigration *m, const cJSON *ram)
{
    unsigned long long total = 0, done = 0, left = 0, elapsed, number;

    if (m != NULL && m->ndisks > 0 && atomic_load(&m->diskTotal) > 0) {
        total = atomic_load(&m->diskTotal);
        done = atomic_load(&m->diskDone);
        done = done < total ? done : total;
        left = total - done;
        elapsed = virTimeNowUs() - m->started;
        qemuStatsAdd(stats, VIR_DOMAIN_JOB_DISK_TOTAL, total);
        qemuStatsAdd(stats, VIR_DOMAIN_JOB_DISK_PROCESSED, done);
        qemuStatsAdd(stats, VIR_DOMAIN_JOB_DISK_REMAINING, left);
        if (!m->sent && elapsed > 0)
            qemuStatsAdd(stats, VIR_DOMAIN_JOB_DISK_BPS, (unsigned long long)((double)done * 1000000 / (double)elapsed));
    } else if (ram == NULL) {
        return;
    }
    qemuStatsAdd(stats, VIR_DOMAIN_JOB_DATA_TOTAL, total + (virJsonULongLong(ram, "total", &number) == 0 ? number : 0));
    qemuStatsAdd(stats, VIR_DOMAIN_JOB_DATA_PROCESSED, done + (virJsonULongLong(ram, "transferred", &number) == 0 ? number : 0));
    qemuStatsAdd(stats, VIR_DOMAIN_JOB_DATA_REMAINING, left + (virJsonULongLong(ram, "remaining", &number) == 0 ? number : 0));
}

static void
qemuStatsTimes(struct qemuStats *stats, const struct qemuMigration *m, const cJSON *info)
{
    const char *status = virJsonString(info, "status");

    if (m != NULL && m->started != 0)
        qemuStatsAdd(stats, VIR_DOMAIN_JOB_TIME_ELAPSED, (virTimeNowUs() - m->started) / 1000);
    else
        qemuStatsCopy(stats, VIR_DOMAIN_JOB_TIME_ELAPSED, info, "total-time", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_TIME_ELAPSED_NET, info, "total-time", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_SETUP_TIME, info, "setup-time", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, info, "cpu-throttle-percentage", 1);
    if (status != NULL && strcmp(status, "completed") == 0)
        qemuStatsCopy(stats, VIR_DOMAIN_JOB_DOWNTIME, info, "downtime", 1);
    else
        qemuStatsCopy(stats, VIR_DOMAIN_JOB_DOWNTIME_EXPECTED, info, "expected-downtime", 1);
}

static void
qemuStatsCompression(struct qemuStats *stats, const cJSON *xbzrle)
{
    if (xbzrle == NULL)
        return;
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_COMPRESSION_CACHE, xbzrle, "cache-size", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_COMPRESSION_BYTES, xbzrle, "bytes", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_COMPRESSION_PAGES, xbzrle, "pages", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_COMPRESSION_CACHE_MISSES, xbzrle, "cache-miss", 1);
    qemuStatsCopy(stats, VIR_DOMAIN_JOB_COMPRESSION_OVERFLOW, xbzrle, "overflow", 1);
}

VIRT_INTERNAL int
qemuMigrationStats(struct virDomainObj *vm, const struct qemuMigration *m, const cJSON *info, virTypedParameterPtr *params, int *nparams)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_JSON cJSON *asked = NULL;
    struct qemuStats stats = { 0 };
    unsigned long long allowed = priv != NULL ? atomic_load(&priv->migrationDowntime) : 0;
    const cJSON *ram;

    if (info == NULL) {
        if (qemuDomainCommand(vm, "query-migrate", NULL, &asked) < 0)
            return -1;
        info = asked;
    }
    qemuStatsAddInt(&stats, VIR_DOMAIN_JOB_OPERATION,
                    m != NULL && m->incoming ? VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN : VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
    qemuStatsTimes(&stats, m, info);
    ram = virJsonGet(info, "ram");
    qemuStatsDisks(&stats, m, ram);
    if (ram != NULL)
        qemuStatsMemory(&stats, ram, info, allowed != 0 ? allowed : 300);
    qemuStatsCompression(&stats, virJsonGet(info, "xbzrle-cache"));
    if (stats.failed) {
        virTypedParamsFree(stats.params, stats.n);
        return -1;
    }
    *params = stats.params;
    *nparams = stats.n;
    return 0;
}

VIRT_INTERNAL cJSON *
qemuMigrationStatsToJson(virTypedParameterPtr params, int nparams)
{
    cJSON *json = cJSON_CreateObject();

    for (int i = 0; json != NULL && i < nparams; i++) {
        int rc = 0;

        if (params[i].type == VIR_TYPED_PARAM_ULLONG) {
            VIRT_CLEANUP_FREE char *key = virStringFormat("u:%s", params[i].field);

            rc = key == NULL ? -1 : virJsonAdd(json, key, params[i].value.ul, NULL);
        } else if (params[i].type == VIR_TYPED_PARAM_INT) {
            VIRT_CLEANUP_FREE char *key = virStringFormat("i:%s", params[i].field);

            rc = key == NULL ? -1 : virJsonAdd(json, key, params[i].value.i, NULL);
        }
        if (rc < 0) {
            cJSON_Delete(json);
            return NULL;
        }
    }
    return json;
}

VIRT_INTERNAL int
qemuMigrationStatsFromJson(const cJSON *json, virTypedParameterPtr *params, int *nparams)
{
    struct qemuStats stats = { 0 };
    const cJSON *each;
    unsigned long long value;
    int n = 0;

    /* what comes from the other host: it may be an array, or without end */
    if (!cJSON_IsObject(json))
        json = NULL;
    cJSON_ArrayForEach(each, json) {
        if (n++ == 256)
            break;
        if (strlen(each->string) >= VIR_TYPED_PARAM_FIELD_LENGTH || virJsonULongLong(json, each->string, &value) < 0)
            continue;
        if (strcmp(each->string, VIR_DOMAIN_JOB_OPERATION) == 0 || strcmp(each->string, VIR_DOMAIN_JOB_CONVERGENCE) == 0)
            qemuStatsAddInt(&stats, each->string, (int)value);
        else
            qemuStatsAdd(&stats, each->string, value);
    }
    if (stats.failed) {
        virTypedParamsFree(stats.params, stats.n);
        return -1;
    }
    *params = stats.params;
    *nparams = stats.n;
    return 0;
}

/* ---- the slots ---- */

/* What the newest answer said: nobody waits for QEMU here. */
VIRT_INTERNAL int
qemuMigrationProgress(virConnectPtr conn, const struct virMigrationCall *call, virTypedParameterPtr *params, int *nparams)
{
    struct qemuHost *host = qemuHostOf(conn);
    const struct qemuMigration *m;
    int rc = 0;

    *params = NULL;
    *nparams = 0;
    if (qemuMigrationCheckOwn(host, call) < 0)
        return -1;
    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL && strcmp(m->uuid, call->uuid) != 0; m = m->next)
        ;
    if (m != NULL && m->nstats > 0) {
        if ((*params = virTypedParamsCopy(m->stats, m->nstats)) != NULL)
            *nparams = m->nstats;
        else
            rc = -1;
    }
    pthread_mutex_unlock(&host->lock);
    return rc;
}

/* The statistics of the job under way; 1, or 0 where there is none, or -1. */
static int
qemuStatsCurrent(struct virDomainObj *vm, virTypedParameterPtr *params, int *nparams)
{
    struct qemuMigration *m = qemuMigrationOf(vm);
    int rc = m != NULL;

    *params = NULL;
    *nparams = 0;
    /* before the transfer, and at a destination, QEMU has nothing to tell */
    if (m != NULL && !m->incoming && !m->offline && m->started != 0 && qemuMigrationStats(vm, m, NULL, params, nparams) < 0)
        rc = -1;
    qemuMigrationPut(m);
    return rc;
}

VIRT_INTERNAL int
qemuDomainGetJobStats(virDomainPtr domain, int *type, virTypedParameterPtr *params, int *nparams, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    virTypedParameterPtr copy;
    int rc;

    if (vm == NULL)
        return -1;
    if ((flags & VIR_DOMAIN_JOB_STATS_COMPLETED) != 0) {
        pthread_mutex_lock(&vm->lock);
        copy = virTypedParamsCopy(vm->completed, vm->ncompleted);
        rc = copy == NULL && vm->ncompleted > 0 ? -1 : 0;
        if (rc == 0) {
            *type = vm->completed != NULL ? vm->completedType : VIR_DOMAIN_JOB_NONE;
            *nparams = vm->ncompleted;
            *params = copy;
        }
        if (rc == 0 && (flags & VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED) == 0) {
            virTypedParamsFree(vm->completed, vm->ncompleted);
            vm->completed = NULL;
            vm->ncompleted = 0;
        }
        pthread_mutex_unlock(&vm->lock);
        return rc;
    }
    if ((rc = qemuStatsCurrent(vm, params, nparams)) < 0)
        return -1;
    if (rc == 0 && vm->id < 0)
        return virDomainObjReportInactive(vm);
    *type = rc > 0 ? VIR_DOMAIN_JOB_UNBOUNDED : VIR_DOMAIN_JOB_NONE;
    return 0;
}

static unsigned long long
qemuStatsNumber(virTypedParameterPtr params, int nparams, const char *name)
{
    unsigned long long value = 0;

    virTypedParamsGetULLong(params, nparams, name, &value);
    return value;
}

VIRT_INTERNAL int
qemuDomainGetJobInfo(virDomainPtr domain, virDomainJobInfoPtr info)
{
    virTypedParameterPtr params = NULL;
    int n = 0, type = VIR_DOMAIN_JOB_NONE;

    if (qemuDomainGetJobStats(domain, &type, &params, &n, 0) < 0)
        return -1;
    memset(info, 0, sizeof(*info));
    info->type = type;
    info->timeElapsed = qemuStatsNumber(params, n, VIR_DOMAIN_JOB_TIME_ELAPSED);
    info->timeRemaining = qemuStatsNumber(params, n, VIR_DOMAIN_JOB_TIME_REMAINING);
    info->dataTotal = info->memTotal = qemuStatsNumber(params, n, VIR_DOMAIN_JOB_MEMORY_TOTAL);
    info->dataProcessed = info->memProcessed = qemuStatsNumber(params, n, VIR_DOMAIN_JOB_MEMORY_PROCESSED);
    info->dataRemaining = info->memRemaining = qemuStatsNumber(params, n, VIR_DOMAIN_JOB_MEMORY_REMAINING);
    virTypedParamsFree(params, n);
    return 0;
}

#undef QEMU_STATS_RATE_MAX
#undef VIRT_FROM
