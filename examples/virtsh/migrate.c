/*
 * migrate.c: migration, and the jobs of domains
 *
 * A migration is stepped (virMigrationStep), so that progress can be shown, an interrupt or --timeout
 * acted upon, and the phases be seen, in one thread.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "virtsh.h"

#define ACTIVE VIR_CONNECT_LIST_DOMAINS_ACTIVE

/* How long a step may last, in ms: so often progress is shown and an interrupt noticed. */
#define STEP_TIME 100

static const struct virtshOption activeDomain[] = { VIRTSH_DOMAIN_OPTION(ACTIVE), VIRTSH_END };

/* -- migrate: its parameters ------------------------------------------------------------------- */

/* Options whose values become parameters of the migration. */
static const struct migrateParam {
    const char *option, *name;
    enum { AS_STRING, AS_FILE, AS_LIST, AS_INT, AS_ULLONG } how;
} migrateParams[] = {
    { "migrateuri", VIR_MIGRATE_PARAM_URI, AS_STRING },
    { "graphicsuri", VIR_MIGRATE_PARAM_GRAPHICS_URI, AS_STRING },
    { "listen-address", VIR_MIGRATE_PARAM_LISTEN_ADDRESS, AS_STRING },
    { "dname", VIR_MIGRATE_PARAM_DEST_NAME, AS_STRING },
    { "xml", VIR_MIGRATE_PARAM_DEST_XML, AS_FILE },
    { "migrate-disks", VIR_MIGRATE_PARAM_MIGRATE_DISKS, AS_LIST },
    { "disks-port", VIR_MIGRATE_PARAM_DISKS_PORT, AS_INT },
    { "disks-uri", VIR_MIGRATE_PARAM_DISKS_URI, AS_STRING },
    { "comp-methods", VIR_MIGRATE_PARAM_COMPRESSION, AS_LIST },
    { "comp-mt-level", VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL, AS_INT },
    { "comp-mt-threads", VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS, AS_INT },
    { "comp-mt-dthreads", VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS, AS_INT },
    { "comp-xbzrle-cache", VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, AS_ULLONG },
    { "auto-converge-initial", VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, AS_INT },
    { "auto-converge-increment", VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, AS_INT },
    { "persistent-xml", VIR_MIGRATE_PARAM_PERSIST_XML, AS_FILE },
    { "postcopy-bandwidth", VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, AS_ULLONG },
    { "parallel-connections", VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, AS_INT },
    { "bandwidth", VIR_MIGRATE_PARAM_BANDWIDTH, AS_ULLONG },
    { "tls-destination", VIR_MIGRATE_PARAM_TLS_DESTINATION, AS_STRING },
    { "downtime", VIR_MIGRATE_PARAM_DOWNTIME, AS_ULLONG },
};

static bool
addParam(struct virtsh *sh, const struct migrateParam *param, virTypedParameterPtr *params,
         int *count, int *room)
{
    const char *text = virtshString(sh, param->option);
    unsigned long long number = 0;
    char *item, *rest;

    switch (param->how) {
    case AS_STRING:
        return virTypedParamsAddString(params, count, room, param->name, text) == 0;
    case AS_FILE:
        if ((text = virtshReadFile(sh, text)) == NULL)
            return virtshFail(sh, "cannot read file '%s'", virtshString(sh, param->option));
        return virTypedParamsAddString(params, count, room, param->name, text) == 0;
    case AS_LIST:
        rest = virtshOwn(sh, virtshCopy(text));
        while ((item = strsep(&rest, ",")) != NULL) {
            if (virTypedParamsAddString(params, count, room, param->name, item) < 0)
                return false;
        }
        return true;
    case AS_INT:
        return virtshNumber(sh, param->option, INT_MAX, &number)
               && virTypedParamsAddInt(params, count, room, param->name, (int) number) == 0;
    case AS_ULLONG:
        return virtshNumber(sh, param->option, ULLONG_MAX, &number)
               && virTypedParamsAddULLong(params, count, room, param->name, number) == 0;
    }
    return false;
}

static bool
collectParams(struct virtsh *sh, virTypedParameterPtr *params, int *count)
{
    bool ok = true;
    int room = 0;

    for (size_t i = 0; ok && i < VIRTSH_COUNT(migrateParams); i++) {
        if (virtshHas(sh, migrateParams[i].option))
            ok = addParam(sh, &migrateParams[i], params, count, &room);
    }
    virtshOwnParams(sh, *params, *count);
    return ok;
}

/* -- migrate: the way -------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void
noteInterrupt(int signal)
{
    (void) signal;
    interrupted = 1;
}

static double
secondsSince(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) (now.tv_sec - start->tv_sec) + (double) (now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Whole per cents, and 100 only when nothing remains. */
static int
percentDone(unsigned long long remaining, unsigned long long total)
{
    int percent;

    if (remaining == 0)
        return 100;
    if (remaining >= total)
        return 0;
    percent = (int) (100 - 100 * ((double) remaining / (double) total));
    return percent >= 100 ? 99 : percent;
}

/* Draws the line anew, and says whether there is one. */
static bool
showProgress(virMigrationPtr m)
{
    virTypedParameterPtr params = NULL;
    int count = 0;
    unsigned long long remaining = 0, total = 0;
    bool known = virMigrationGetStats(m, &params, &count) == 0
        && virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_DATA_TOTAL, &total) == 1
        && virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_DATA_REMAINING, &remaining) == 1
        && total > 0;

    if (known)
        fprintf(stderr, "\rMigration: [%3d %%]", percentDone(remaining, total));
    virTypedParamsFree(params, count);
    return known;
}

static void
showPhase(virMigrationPtr m, virMigrationPhase phase)
{
    virMigrationPhaseInfo info;

    if (virMigrationGetPhaseInfo(m, phase, &info) < 0)
        return;
    fprintf(stderr, "%-8s %-12s %10.3f ms, cookie %zu bytes in, %zu out\n",
            virMigrationPhaseGetName(phase),
            info.side == VIR_MIGRATION_SIDE_SOURCE ? "source" : "destination",
            (double) info.elapsedUs / 1000, info.cookieIn, info.cookieOut);
}

/* What a step has brought. The line of the progress ends with the phase that it belongs to. */
static void
showStep(virMigrationPtr m, virMigrationPhase phase, bool *drawn)
{
    if (phase == VIR_MIGRATION_PHASE_PERFORM)
        *drawn = showProgress(m);
    if (phase == virMigrationGetPhase(m))
        return;
    if (*drawn)
        fputc('\n', stderr);
    *drawn = false;
    showPhase(m, phase);
}

/* Says once that it is not known where the guest is, and what can be done. */
static void
showDoubt(virMigrationPtr m, bool *shown)
{
    char *doubt = *shown ? NULL : virMigrationGetDoubt(m);

    if (doubt == NULL)
        return;
    fprintf(stderr, "undecided: %s\n", doubt);
    *shown = true;
    free(doubt);
}

/* Where that fails the migration goes on as it is. */
static void
startPostcopy(struct virtsh *sh, virDomainPtr dom)
{
    if (virDomainMigrateStartPostCopy(dom, 0) == 0)
        return;
    fprintf(stderr, "post-copy: %s\n", virGetLastErrorMessage());
    virtshForgetError(sh);
}

static unsigned long long
iterationOf(virMigrationPtr m)
{
    virTypedParameterPtr params = NULL;
    unsigned long long iteration = 0;
    int count = 0;

    if (virMigrationGetStats(m, &params, &count) == 0)
        virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_ITERATION, &iteration);
    virTypedParamsFree(params, count);
    return iteration;
}

/* What is to be done to a migration under way: each once. */
struct interventions {
    unsigned long long timeout;
    bool abort, time, postcopy, doubt;
    struct timespec start;
};

static void
intervene(struct virtsh *sh, virMigrationPtr m, virDomainPtr dom, struct interventions *done)
{
    if (interrupted != 0 && !done->abort) {
        virMigrationAbort(m);
        done->abort = true;
    }
    showDoubt(m, &done->doubt);
    if (dom == NULL)
        return;
    if (virtshHas(sh, "postcopy-after-precopy") && !done->postcopy
        && virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM && iterationOf(m) > 1) {
        startPostcopy(sh, dom);
        done->postcopy = true;
    }
    if (done->timeout == 0 || done->time || secondsSince(&done->start) < (double) done->timeout)
        return;
    done->time = true;
    if (virtshHas(sh, "timeout-postcopy"))
        startPostcopy(sh, dom);
    else if (virDomainSuspend(dom) < 0)
        virtshForgetError(sh);              /* it may just have arrived */
}

/* A connection whose server is gone for good takes no more steps, and the migration would wait for ever. */
static bool
isLost(struct virtsh *sh, virConnectPtr conn)
{
    char *uri;

    if (conn == NULL || virConnectIsAlive(conn) != 0)
        return false;
    uri = virtshOwn(sh, virConnectGetURI(conn));
    virtshForgetError(sh);
    virtshFail(sh, "the connection to '%s' is lost: 'migrations' tells on each host where the migration stands, and "
               "'migrate-continue' goes on with it", uri != NULL ? uri : "a host");
    return true;
}

/* Steps until it is over. Ctrl-C asks for its end; the steps after that lead the guest back. When the
 * time of --timeout has passed the guest is paused, so that it writes no more, and arrives. *lost: it cannot go on. */
static bool
stepMigration(struct virtsh *sh, virMigrationPtr m, virConnectPtr other, virDomainPtr dom, unsigned long long timeout, bool *lost)
{
    struct interventions done = { .timeout = timeout };
    bool drawn = false;
    virMigrationPhase phase;
    int rc;

    clock_gettime(CLOCK_MONOTONIC, &done.start);
    do {
        phase = virMigrationGetPhase(m);
        rc = virMigrationStep(m, STEP_TIME);
        if (rc >= 0 && virtshHas(sh, "verbose"))
            showStep(m, phase, &drawn);
        virtshTakeEvents();
        if (rc > 0)
            intervene(sh, m, dom, &done);
        *lost = rc > 0 && (isLost(sh, sh->conn) || isLost(sh, other));
    } while (rc > 0 && !*lost);
    return rc == 0;
}

/* The course of a migration, also of one that failed, goes to --timeline's file. */
static bool
writeTimeline(struct virtsh *sh, virMigrationPtr m)
{
    const char *path = virtshString(sh, "timeline");
    size_t length = path != NULL ? strlen(path) : 0;
    bool picture = length > 4 && strcmp(path + length - 4, ".svg") == 0, ok;
    char *text;
    FILE *file;

    if (path == NULL)
        return true;
    if ((text = virtshOwn(sh, virMigrationGetTrace(m, picture ? VIR_MIGRATION_TRACE_SVG : 0))) == NULL)
        return false;
    if ((file = fopen(path, "wb")) == NULL)
        return virtshFail(sh, "cannot write file '%s'", path);
    ok = fputs(text, file) >= 0;
    return (fclose(file) == 0 && ok) || virtshFail(sh, "cannot write file '%s'", path);
}

static bool
reportOutcome(struct virtsh *sh, virMigrationPtr m, const char *name)
{
    virErrorPtr error = virMigrationGetError(m);
    virMigrationOutcome outcome = virMigrationGetOutcome(m);

    if (outcome == VIR_MIGRATION_OUTCOME_MIGRATED)
        return true;
    virtshForgetError(sh);
    if (error != NULL && error->message != NULL)
        virtshNoteError(sh, "%s", error->message);
    if (outcome == VIR_MIGRATION_OUTCOME_LOST)
        return virtshFail(sh, "Domain '%s' runs nowhere", name);
    return false;
}

static bool
runMigration(struct virtsh *sh, virMigrationPtr m, virConnectPtr other, virDomainPtr dom, const char *name,
             unsigned long long timeout)
{
    void (*before)(int);
    bool ok, lost = false;

    interrupted = 0;
    before = signal(SIGINT, noteInterrupt);
    ok = stepMigration(sh, m, other, dom, timeout, &lost);
    signal(SIGINT, before);
    if (lost)
        return false;
    if (ok && !writeTimeline(sh, m))
        ok = false;
    return reportOutcome(sh, m, name) && ok;
}

bool
virtshStepMigration(struct virtsh *sh, virMigrationPtr m, virConnectPtr other, const char *name)
{
    return runMigration(sh, m, other, NULL, name, 0);
}

static bool
migrateTo(struct virtsh *sh, virDomainPtr dom, virConnectPtr destination,
          virTypedParameterPtr params, int count, unsigned long long timeout)
{
    virMigrationPtr m = virMigrationNew(dom, destination, params, (unsigned int) count,
                                        virtshFlags(sh));
    bool ok;

    if (m == NULL)
        return false;
    ok = runMigration(sh, m, destination, dom, virDomainGetName(dom), timeout);
    virMigrationFree(m);
    return ok;
}

/* --check: nothing is done; what stands in the way is printed, one problem a line. */
static bool
checkMigration(struct virtsh *sh, virDomainPtr dom, virConnectPtr destination,
               virTypedParameterPtr params, int count)
{
    char **problems = NULL;
    int found = virMigrationCheck(dom, destination, params, (unsigned int) count, virtshFlags(sh),
                                  &problems);

    for (int i = 0; i < found; i++) {
        virtshPrint(sh, "%s\n", problems[i]);
        free(problems[i]);
    }
    free(problems);
    return found == 0;
}

static bool
cmdMigrate(struct virtsh *sh)
{
    unsigned long long timeout = 0;
    virTypedParameterPtr params = NULL;
    virConnectPtr destination;
    virDomainPtr dom;
    int count = 0;
    bool ok;

    if (!virtshExclusive(sh, "live", "offline")
        || !virtshRequires(sh, "persistent-xml", "persistent")
        || !virtshExclusive(sh, "timeout-suspend", "timeout-postcopy")
        || !virtshRequires(sh, "postcopy-after-precopy", "postcopy")
        || !virtshRequires(sh, "timeout-postcopy", "postcopy")
        || !virtshNumber(sh, "timeout", INT_MAX, &timeout))
        return false;
    if (timeout > 0 && !virtshHas(sh, "live"))
        return virtshFail(sh, "migrate: Unexpected timeout for offline migration");
    if ((virtshHas(sh, "timeout-suspend") || virtshHas(sh, "timeout-postcopy")) && timeout == 0)
        return virtshFail(sh, "migrate: Unexpected --timeout-* option without --timeout");
    if ((dom = virtshDomain(sh)) == NULL || !collectParams(sh, &params, &count))
        return false;
    /* Also for --p2p, where the driver would open it: what matters is that it is in this process. */
    if ((destination = virConnectOpenAuth(virtshString(sh, "desturi"), virConnectAuthPtrDefault,
                                          0)) == NULL)
        return false;
    ok = virtshHas(sh, "check") ? checkMigration(sh, dom, destination, params, count)
                                : migrateTo(sh, dom, destination, params, count, timeout);
    virConnectClose(destination);
    return ok;
}

static const struct virtshOption migrateOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "desturi", VIRTSH_STRING,
      "connection URI of the destination host", .required = true },
    { .name = "live", VIRTSH_FLAG, "live migration", .bit = VIR_MIGRATE_LIVE },
    { .name = "offline", VIRTSH_FLAG, "offline migration", .bit = VIR_MIGRATE_OFFLINE },
    { .name = "p2p", VIRTSH_FLAG, "peer-2-peer migration", .bit = VIR_MIGRATE_PEER2PEER },
    { .name = "tunnelled", VIRTSH_FLAG, "tunnelled migration", .bit = VIR_MIGRATE_TUNNELLED },
    { .name = "persistent", VIRTSH_FLAG,
      "persist VM on destination", .bit = VIR_MIGRATE_PERSIST_DEST },
    { .name = "undefinesource", VIRTSH_FLAG,
      "undefine VM on source", .bit = VIR_MIGRATE_UNDEFINE_SOURCE },
    { .name = "suspend", VIRTSH_FLAG, "do not restart the domain on the destination host",
      .bit = VIR_MIGRATE_PAUSED },
    { .name = "copy-storage-all", VIRTSH_FLAG,
      "migration with non-shared storage with full disk copy",
      .bit = VIR_MIGRATE_NON_SHARED_DISK },
    { .name = "copy-storage-inc", VIRTSH_FLAG,
      "migration with non-shared storage with incremental copy (same base image shared between "
      "source and destination)", .bit = VIR_MIGRATE_NON_SHARED_INC },
    { .name = "copy-storage-synchronous-writes", VIRTSH_FLAG,
      "force guest disk writes to be synchronously written to the destination to improve storage "
      "migration convergence", .bit = VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES },
    { .name = "change-protection", VIRTSH_FLAG,
      "prevent any configuration changes to domain until migration ends",
      .bit = VIR_MIGRATE_CHANGE_PROTECTION },
    { .name = "unsafe", VIRTSH_FLAG, "force migration even if it may be unsafe",
      .bit = VIR_MIGRATE_UNSAFE },
    { .name = "verbose", VIRTSH_FLAG, "display the phases and the progress of migration" },
    { .name = "compressed", VIRTSH_FLAG, "compress repeated pages during live migration",
      .bit = VIR_MIGRATE_COMPRESSED },
    { .name = "auto-converge", VIRTSH_FLAG, "force convergence during live migration",
      .bit = VIR_MIGRATE_AUTO_CONVERGE },
    { .name = "rdma-pin-all", VIRTSH_FLAG, "pin all memory before starting RDMA live migration",
      .bit = VIR_MIGRATE_RDMA_PIN_ALL },
    { .name = "abort-on-error", VIRTSH_FLAG, "abort on soft errors during migration",
      .bit = VIR_MIGRATE_ABORT_ON_ERROR },
    { .name = "postcopy", VIRTSH_FLAG, "enable post-copy migration", .bit = VIR_MIGRATE_POSTCOPY },
    { .name = "postcopy-after-precopy", VIRTSH_FLAG,
      "automatically switch to post-copy migration after one pass of pre-copy" },
    { .name = "postcopy-resume", VIRTSH_FLAG, "resume failed post-copy migration",
      .bit = VIR_MIGRATE_POSTCOPY_RESUME },
    { .name = "zerocopy", VIRTSH_FLAG, "use zero-copy mechanism for migrating memory pages",
      .bit = VIR_MIGRATE_ZEROCOPY },
    { .name = "migrateuri", VIRTSH_STRING, "migration URI, usually can be omitted" },
    { .name = "graphicsuri", VIRTSH_STRING,
      "graphics URI to be used for seamless graphics migration" },
    { .name = "listen-address", VIRTSH_STRING,
      "listen address that destination should bind to for incoming migration" },
    { .name = "dname", VIRTSH_STRING, "rename to new name during migration (if supported)" },
    { .name = "timeout", VIRTSH_NUMBER,
      "suspend the guest if live migration exceeds timeout (in seconds)" },
    { .name = "timeout-suspend", VIRTSH_FLAG, "suspend the guest after timeout (the default)" },
    { .name = "timeout-postcopy", VIRTSH_FLAG, "switch to post-copy after timeout" },
    { .name = "xml", VIRTSH_STRING, "filename containing updated XML for the target" },
    { .name = "migrate-disks", VIRTSH_STRING, "comma separated list of disks to be migrated" },
    { .name = "disks-port", VIRTSH_NUMBER,
      "port to use by target server for incoming disks migration" },
    { .name = "disks-uri", VIRTSH_STRING,
      "URI to use for disks migration (overrides --disks-port)" },
    { .name = "comp-methods", VIRTSH_STRING,
      "comma separated list of compression methods to be used" },
    { .name = "comp-mt-level", VIRTSH_NUMBER, "compress level for multithread compression" },
    { .name = "comp-mt-threads", VIRTSH_NUMBER,
      "number of compression threads for multithread compression" },
    { .name = "comp-mt-dthreads", VIRTSH_NUMBER,
      "number of decompression threads for multithread compression" },
    { .name = "comp-xbzrle-cache", VIRTSH_NUMBER, "page cache size for xbzrle compression" },
    { .name = "auto-converge-initial", VIRTSH_NUMBER,
      "initial CPU throttling rate for auto-convergence" },
    { .name = "auto-converge-increment", VIRTSH_NUMBER,
      "CPU throttling rate increment for auto-convergence" },
    { .name = "persistent-xml", VIRTSH_STRING,
      "filename containing updated persistent XML for the target" },
    { .name = "tls", VIRTSH_FLAG, "use TLS for migration", .bit = VIR_MIGRATE_TLS },
    { .name = "postcopy-bandwidth", VIRTSH_NUMBER, "post-copy migration bandwidth limit in MiB/s" },
    { .name = "parallel", VIRTSH_FLAG, "enable parallel migration", .bit = VIR_MIGRATE_PARALLEL },
    { .name = "parallel-connections", VIRTSH_NUMBER,
      "number of connections for parallel migration" },
    { .name = "bandwidth", VIRTSH_NUMBER, "migration bandwidth limit in MiB/s" },
    { .name = "tls-destination", VIRTSH_STRING,
      "override the destination host name used for TLS verification" },
    { .name = "downtime", VIRTSH_NUMBER,
      "maximum tolerable downtime in milliseconds", .named = true },
    { .name = "check", VIRTSH_FLAG, "migrate nothing: list all that would stop the migration" },
    { .name = "timeline", VIRTSH_STRING, "write its course to a file: .svg a picture, else a table",
      .named = true },
    VIRTSH_END,
};

/* -- limits of a migration --------------------------------------------------------------------- */

static bool
cmdSetMaxDowntime(struct virtsh *sh)
{
    unsigned long long downtime = 0;
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL || !virtshNumber(sh, "downtime", ULLONG_MAX, &downtime))
        return false;
    if (downtime == 0)
        return virtshFail(sh, "migrate: Invalid downtime");
    return virDomainMigrateSetMaxDowntime(dom, downtime, 0) == 0;
}

static const struct virtshOption setMaxDowntimeOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "downtime", VIRTSH_NUMBER,
      "maximum tolerable downtime (in milliseconds) for migration",
      .required = true },
    VIRTSH_END,
};

static bool
cmdGetMaxDowntime(struct virtsh *sh)
{
    unsigned long long downtime;
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL || virDomainMigrateGetMaxDowntime(dom, &downtime, 0) < 0)
        return false;
    virtshPrint(sh, "%llu\n", downtime);
    return true;
}

static bool
cmdSetSpeed(struct virtsh *sh)
{
    unsigned long long bandwidth = 0;
    virDomainPtr dom = virtshDomain(sh);

    return dom != NULL && virtshNumber(sh, "bandwidth", ULONG_MAX, &bandwidth)
           && virDomainMigrateSetMaxSpeed(dom, (unsigned long) bandwidth, virtshFlags(sh)) == 0;
}

static const struct virtshOption setSpeedOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "bandwidth", VIRTSH_NUMBER, "migration bandwidth limit in MiB/s", .required = true },
    { .name = "postcopy", VIRTSH_FLAG, "set post-copy migration bandwidth",
      .bit = VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY },
    VIRTSH_END,
};

static bool
cmdGetSpeed(struct virtsh *sh)
{
    unsigned long bandwidth;
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL || virDomainMigrateGetMaxSpeed(dom, &bandwidth, virtshFlags(sh)) < 0)
        return false;
    virtshPrint(sh, "%lu\n", bandwidth);
    return true;
}

static const struct virtshOption getSpeedOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "postcopy", VIRTSH_FLAG, "get post-copy migration bandwidth",
      .bit = VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY },
    VIRTSH_END,
};

static bool
cmdCompressionCache(struct virtsh *sh)
{
    unsigned long long size = 0;
    virDomainPtr dom = virtshDomain(sh);
    const char *unit;
    double scaled;

    if (dom == NULL || !virtshNumber(sh, "size", ULLONG_MAX, &size))
        return false;
    if (virtshHas(sh, "size") && virDomainMigrateSetCompressionCache(dom, size, 0) < 0)
        return false;
    if (virDomainMigrateGetCompressionCache(dom, &size, 0) < 0)
        return false;
    scaled = virtshScale(size, &unit);
    virtshPrint(sh, "Compression cache: %.3f %s", scaled, unit);
    return true;
}

static const struct virtshOption compressionCacheOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "size", VIRTSH_NUMBER, "requested size of the cache (in bytes) used for compression",
      .named = true },
    VIRTSH_END,
};

/* -- jobs -------------------------------------------------------------------------------------- */

/* What domjobinfo shows, in this order: each parameter that the job has, with its label. */
static const struct jobRow {
    const char *name, *label;
    enum { JOB_TIME, JOB_SIZE, JOB_RATE, JOB_COUNT, JOB_PAGE_RATE, JOB_BYTES, JOB_INT,
           JOB_STRING, JOB_CONVERGES } form;
    bool evenZero;                  /* shown although it is 0 */
} jobRows[] = {
    { VIR_DOMAIN_JOB_TIME_ELAPSED, "Time elapsed:", JOB_TIME, true },
    { VIR_DOMAIN_JOB_TIME_ELAPSED_NET, "Time elapsed w/o network:", JOB_TIME, true },
    { VIR_DOMAIN_JOB_TIME_REMAINING, "Time remaining:", JOB_TIME, false },
    { VIR_DOMAIN_JOB_DATA_PROCESSED, "Data processed:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_DATA_REMAINING, "Data remaining:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_DATA_TOTAL, "Data total:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_MEMORY_PROCESSED, "Memory processed:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_MEMORY_REMAINING, "Memory remaining:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_MEMORY_TOTAL, "Memory total:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_MEMORY_BPS, "Memory bandwidth:", JOB_RATE, false },
    { VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, "Dirty rate:", JOB_PAGE_RATE, true },
    { VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, "Page size:", JOB_BYTES, true },
    { VIR_DOMAIN_JOB_MEMORY_ITERATION, "Iteration:", JOB_COUNT, true },
    { VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS, "Postcopy requests:", JOB_COUNT, true },
    { VIR_DOMAIN_JOB_DISK_PROCESSED, "File processed:", JOB_SIZE, false },
    { VIR_DOMAIN_JOB_DISK_REMAINING, "File remaining:", JOB_SIZE, false },
    { VIR_DOMAIN_JOB_DISK_TOTAL, "File total:", JOB_SIZE, false },
    { VIR_DOMAIN_JOB_DISK_BPS, "File bandwidth:", JOB_RATE, false },
    { VIR_DOMAIN_JOB_MEMORY_CONSTANT, "Constant pages:", JOB_COUNT, true },
    { VIR_DOMAIN_JOB_MEMORY_NORMAL, "Normal pages:", JOB_COUNT, true },
    { VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, "Normal data:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_DOWNTIME, "Total downtime:", JOB_TIME, true },
    { VIR_DOMAIN_JOB_DOWNTIME_EXPECTED, "Expected downtime:", JOB_TIME, true },
    { VIR_DOMAIN_JOB_DOWNTIME_NET, "Downtime w/o network:", JOB_TIME, true },
    { VIR_DOMAIN_JOB_SETUP_TIME, "Setup time:", JOB_TIME, true },
    { VIR_DOMAIN_JOB_COMPRESSION_CACHE, "Compression cache:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_COMPRESSION_BYTES, "Compressed data:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_COMPRESSION_PAGES, "Compressed pages:", JOB_COUNT, true },
    { VIR_DOMAIN_JOB_COMPRESSION_CACHE_MISSES, "Compression cache misses:", JOB_COUNT, true },
    { VIR_DOMAIN_JOB_COMPRESSION_OVERFLOW, "Compression overflows:", JOB_COUNT, true },
    { VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, "Auto converge throttle:", JOB_INT, true },
    { VIR_DOMAIN_JOB_CONVERGENCE, "Converges:", JOB_CONVERGES, true },
    { VIR_DOMAIN_JOB_DISK_TEMP_USED, "Temporary disk space use:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_DISK_TEMP_TOTAL, "Temporary disk space total:", JOB_SIZE, true },
    { VIR_DOMAIN_JOB_ERRMSG, "Error message:", JOB_STRING, true },
};

static void
printJobNumber(struct virtsh *sh, const struct jobRow *row, int type, unsigned long long value)
{
    const char *label = row->label, *unit;
    double scaled = virtshScale(value, &unit);

    if (value == 0 && !row->evenZero)
        return;
    switch (row->form) {
    case JOB_TIME:
        if (strcmp(row->name, VIR_DOMAIN_JOB_DOWNTIME) == 0 && type != VIR_DOMAIN_JOB_COMPLETED)
            label = "Expected downtime:";
        virtshPrint(sh, "%-17s %-12llu ms\n", label, value);
        break;
    case JOB_SIZE:
        virtshPrint(sh, "%-17s %-.3f %s\n", label, scaled, unit);
        break;
    case JOB_RATE:
        virtshPrint(sh, "%-17s %-.3f %s/s\n", label, scaled, unit);
        break;
    case JOB_PAGE_RATE:
        virtshPrint(sh, "%-17s %-12llu pages/s\n", label, value);
        break;
    case JOB_BYTES:
        virtshPrint(sh, "%-17s %-12llu bytes\n", label, value);
        break;
    default:
        virtshPrint(sh, "%-17s %-12llu\n", label, value);
    }
}

static void
printJobRow(struct virtsh *sh, const struct jobRow *row, int type, virTypedParameterPtr params,
            int count)
{
    static const char *const converges[] = { NULL, "yes", "no" };
    bool over = type == VIR_DOMAIN_JOB_COMPLETED;
    unsigned long long number;
    const char *text;
    int value;

    if (strcmp(row->name, VIR_DOMAIN_JOB_TIME_REMAINING) == 0 && !over
        && virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_CONVERGENCE, &value) == 1
        && value == VIR_MIGRATION_CONVERGENCE_NO) {
        virtshPrint(sh, "%-17s %s\n", row->label, "never, as things stand");
        return;
    }

    /* What was expected is of no interest when it is over; before, libvirt puts it where the total
     * will be, and virt has both. */
    if (over ? strcmp(row->name, VIR_DOMAIN_JOB_DOWNTIME_EXPECTED) == 0
             : strcmp(row->name, VIR_DOMAIN_JOB_DOWNTIME) == 0
               && virTypedParamsGet(params, count, VIR_DOMAIN_JOB_DOWNTIME_EXPECTED) != NULL)
        return;

    if (row->form == JOB_STRING) {
        if (virTypedParamsGetString(params, count, row->name, &text) == 1)
            virtshPrint(sh, "%-17s %s\n", row->label, text);
    } else if (row->form == JOB_INT || row->form == JOB_CONVERGES) {
        if (virTypedParamsGetInt(params, count, row->name, &value) != 1)
            return;
        if (row->form == JOB_INT)
            virtshPrint(sh, "%-17s %-13d\n", row->label, value);
        else
            virtshPrint(sh, "%-17s %s\n", row->label,
                        virtshWord(converges, VIRTSH_COUNT(converges), value));
    } else if (virTypedParamsGetULLong(params, count, row->name, &number) == 1) {
        printJobNumber(sh, row, type, number);
    }
}

/* A driver may have only the older of the two calls. */
static bool
getOlderJobInfo(virDomainPtr dom, int *type, virTypedParameterPtr *params, int *count)
{
    virDomainJobInfo info;
    int room = 0;

    if (virDomainGetJobInfo(dom, &info) < 0)
        return false;
    *type = info.type;
    return virTypedParamsAddULLong(params, count, &room, VIR_DOMAIN_JOB_TIME_ELAPSED,
                                   info.timeElapsed) == 0
        && virTypedParamsAddULLong(params, count, &room, VIR_DOMAIN_JOB_TIME_REMAINING,
                                   info.timeRemaining) == 0
        && virTypedParamsAddULLong(params, count, &room, VIR_DOMAIN_JOB_DATA_PROCESSED,
                                   info.dataProcessed) == 0
        && virTypedParamsAddULLong(params, count, &room, VIR_DOMAIN_JOB_DATA_REMAINING,
                                   info.dataRemaining) == 0
        && virTypedParamsAddULLong(params, count, &room, VIR_DOMAIN_JOB_DATA_TOTAL,
                                   info.dataTotal) == 0;
}

static void
printRaw(struct virtsh *sh, virTypedParameterPtr params, int count)
{
    for (int i = 0; i < count; i++) {
        const virTypedParameter *param = &params[i];

        virtshPrint(sh, "%-17s ", param->field);
        switch (param->type) {
        case VIR_TYPED_PARAM_INT:     virtshPrint(sh, "%d\n", param->value.i); break;
        case VIR_TYPED_PARAM_UINT:    virtshPrint(sh, "%u\n", param->value.ui); break;
        case VIR_TYPED_PARAM_LLONG:   virtshPrint(sh, "%lld\n", param->value.l); break;
        case VIR_TYPED_PARAM_ULLONG:  virtshPrint(sh, "%llu\n", param->value.ul); break;
        case VIR_TYPED_PARAM_DOUBLE:  virtshPrint(sh, "%f\n", param->value.d); break;
        case VIR_TYPED_PARAM_BOOLEAN: virtshPrint(sh, "%s\n", param->value.b ? "yes" : "no"); break;
        default:                      virtshPrint(sh, "%s\n", param->value.s); break;
        }
    }
}

static bool
cmdDomjobinfo(struct virtsh *sh)
{
    static const char *const types[] = { "None", "Bounded", "Unbounded", "Completed", "Failed",
                                         "Cancelled" };
    static const char *const operations[] = {
        "Unknown", "Start", "Save", "Restore", "Incoming migration", "Outgoing migration",
        "Snapshot", "Snapshot revert", "Dump", "Backup", "Snapshot delete",
    };
    unsigned int flags = virtshFlags(sh);
    virTypedParameterPtr params = NULL;
    int count = 0, type = VIR_DOMAIN_JOB_NONE, operation;
    bool ok, raw = virtshHas(sh, "rawstats");
    virDomainPtr dom;

    if (!virtshRequires(sh, "keep-completed", "completed") || (dom = virtshDomain(sh)) == NULL)
        return false;
    ok = virDomainGetJobStats(dom, &type, &params, &count, flags) == 0;
    if (!ok && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT) {
        if (flags != 0 || raw)
            return virtshFail(sh, "Optional flags or --rawstats are not supported by the daemon");
        ok = getOlderJobInfo(dom, &type, &params, &count);
    }
    virtshOwnParams(sh, params, count);
    if (!ok)
        return false;
    if (raw) {
        virtshPrint(sh, "Job type: %d\n\n", type);
        printRaw(sh, params, count);
        return true;
    }
    virtshPrint(sh, "%-17s %-12s\n", "Job type:", virtshWord(types, VIRTSH_COUNT(types), type));
    if (type == VIR_DOMAIN_JOB_NONE
        || (!virtshHas(sh, "anystats")
            && (type == VIR_DOMAIN_JOB_FAILED || type == VIR_DOMAIN_JOB_CANCELLED)))
        return true;
    if (virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation) == 1)
        virtshPrint(sh, "%-17s %-12s\n", "Operation:",
                    virtshWord(operations, VIRTSH_COUNT(operations), operation));
    for (size_t i = 0; i < VIRTSH_COUNT(jobRows); i++)
        printJobRow(sh, &jobRows[i], type, params, count);
    return true;
}

static const struct virtshOption domjobinfoOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "completed", VIRTSH_FLAG, "return statistics of a recently completed job",
      .bit = VIR_DOMAIN_JOB_STATS_COMPLETED },
    { .name = "keep-completed", VIRTSH_FLAG,
      "don't destroy statistics of a recently completed job when reading",
      .bit = VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED },
    { .name = "anystats", VIRTSH_FLAG, "print statistics for any kind of job (even failed ones)" },
    { .name = "rawstats", VIRTSH_FLAG, "print the raw data returned by libvirt" },
    VIRTSH_END,
};

static bool
cmdDomjobabort(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL)
        return false;
    return virtshHas(sh, "postcopy") ? virDomainAbortJobFlags(dom, virtshFlags(sh)) == 0
                                     : virDomainAbortJob(dom) == 0;
}

static const struct virtshOption domjobabortOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "postcopy", VIRTSH_FLAG, "interrupt post-copy migration",
      .bit = VIR_DOMAIN_ABORT_JOB_POSTCOPY },
    VIRTSH_END,
};

const struct virtshCommand virtshMigrationCommands[] = {
    { .name = "domjobabort", "abort active domain job", "Aborts the currently running domain job",
      domjobabortOptions, cmdDomjobabort },
    { .name = "domjobinfo", "domain job information",
      "Returns information about jobs running on a domain.",
      domjobinfoOptions, cmdDomjobinfo },
    { .name = "migrate", "migrate domain to another host",
      "Migrate domain to another host.  Add --live for live migration.", migrateOptions,
      cmdMigrate },
    { .name = "migrate-setmaxdowntime", "set maximum tolerable downtime",
      "Set maximum tolerable downtime of a domain which is being live-migrated to another host.",
      setMaxDowntimeOptions, cmdSetMaxDowntime },
    { .name = "migrate-getmaxdowntime", "get maximum tolerable downtime",
      "Get maximum tolerable downtime of a domain which is being live-migrated to another host.",
      activeDomain, cmdGetMaxDowntime },
    { .name = "migrate-compcache", "get/set compression cache size",
      "Get/set size of the cache (in bytes) used for compressing repeatedly transferred memory "
      "pages during live migration.", compressionCacheOptions, cmdCompressionCache },
    { .name = "migrate-setspeed", "Set the maximum migration bandwidth",
      "Set the maximum migration bandwidth (in MiB/s) for a domain which is being migrated to "
      "another host.", setSpeedOptions, cmdSetSpeed },
    { .name = "migrate-getspeed", "Get the maximum migration bandwidth",
      "Get the maximum migration bandwidth (in MiB/s) for a domain.", getSpeedOptions,
      cmdGetSpeed },
    VIRTSH_END,
};
