/*
 * The ways a migration of a real guest can go besides plain pre-copy: parallel connections, compression, TLS, post-copy and its recovery, and
 * what is refused. The guest counts on its serial line and checks its own memory; both hosts append to the same file.
 */
#include "../qemu_guest.h"

#include <errno.h>
#include <sys/socket.h>

struct pair { virConnectPtr source, destination; virDomainPtr domain; char serial[1024]; };

static virConnectPtr
openHost(const char *name, const char *more)
{
    char uri[2400];

    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s%s", scratchPath("%s", name), more);
    return virConnectOpen(uri);
}

/* The guest fills so many MiB with what is not zero; more stands in <domain>, devices in <devices>. */
static const char *
pairXml(const char *serial, int fill, const char *more, const char *devices)
{
    static char xml[4096];
    char command[2048], image[1024];

    needsQemu();
    snprintf(image, sizeof(image), "%s", scratchPath("pair.img"));
    snprintf(command, sizeof(command), "tests/guest/mkguest --count-hz 100 --dirty-mib 2 --dirty-hz 4 --fill-mib %d %s %s", fill,
             buildPath("guest/counter.img"), image);
    CHECK_INT(runShell(command, NULL), 0);
    snprintf(xml, sizeof(xml),
             "<domain type='qemu'><name>pair</name><uuid>3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0c0</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os>%s<devices>"
             "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/><readonly/></disk>"
             "<serial type='file'><source path='%s' append='on'/></serial>%s</devices></domain>", more, image, serial, devices);
    return xml;
}

/* The newest number in the file; the test fails on a gap or on anything else the guest says. -1: none yet. */
static long
newestNumber(const char *serial)
{
    char line[256], *end;
    long last = -1, n;
    FILE *f = fopen(serial, "r");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL && strchr(line, '\n') != NULL) {
        n = strtol(line, &end, 10);
        if (end == line && strstr(line, "CORRUPT") == NULL)
            continue;
        CHECK_MSG(end != line, "the guest says: %s", line);
        if (last >= 0)
            CHECK_INT(n, last + 1);
        last = n;
    }
    if (f != NULL)
        fclose(f);
    return last;
}

static void
waitForMore(const struct pair *pair, long more)
{
    long first = newestNumber(pair->serial);

    WAIT_FOR(newestNumber(pair->serial) >= first + more, 20000);
}

static void
startPair(struct pair *pair, int fill, const char *options)
{
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair->source = openHost("host0", options));
    CHECK_PTR(pair->destination = openHost("host1", options));
    CHECK_PTR(pair->domain = virDomainCreateXML(pair->source, pairXml(pair->serial, fill, "", ""), 0));
    waitForMore(pair, 30);
}

static void
endPair(struct pair *pair)
{
    virDomainPtr guest;

    for (int side = 0; side < 2; side++) {
        virConnectPtr conn = side == 0 ? pair->source : pair->destination;

        if ((guest = virDomainLookupByName(conn, "pair")) != NULL) {
            CHECK_OK(virDomainDestroy(guest));
            virDomainFree(guest);
        }
        CHECK_INT(virConnectListAllDomains(conn, NULL, 0), 0);
    }
    virDomainFree(pair->domain);
    CHECK_INT(virConnectClose(pair->source), 0);
    CHECK_INT(virConnectClose(pair->destination), 0);
}

/* "name=value name=value" as parameters; numbers where the parameter has one. The caller frees them. */
static int
readParams(const char *text, virTypedParameterPtr *params)
{
    static const char *const ints[] = { "parallel.connections", "compression.mt.level", "compression.mt.threads", "compression.mt.dthreads",
                                        "auto_converge.initial", "auto_converge.increment" };
    static const char *const numbers[] = { "bandwidth", "bandwidth.postcopy", "compression.xbzrle.cache", "downtime" };
    char copy[1200], *rest = NULL;
    int n = 0, max = 0;

    *params = NULL;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        bool isInt = false, isNumber = false;

        *value++ = '\0';
        for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
            isInt |= strcmp(word, ints[i]) == 0;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            isNumber |= strcmp(word, numbers[i]) == 0;
        if (isInt)
            CHECK_OK(virTypedParamsAddInt(params, &n, &max, word, atoi(value)));
        else if (isNumber)
            CHECK_OK(virTypedParamsAddULLong(params, &n, &max, word, strtoull(value, NULL, 10)));
        else
            CHECK_OK(virTypedParamsAddString(params, &n, &max, word, value));
    }
    return n;
}

static virMigrationPtr
newMigration(struct pair *pair, const char *text, unsigned int flags)
{
    virTypedParameterPtr params;
    int n = readParams(text, &params);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(pair->domain, pair->destination, params, (unsigned int)n, flags));
    virTypedParamsFree(params, n);
    return m;
}

/* What the guest's QEMU answers. The caller frees it. */
static char *
ask(virConnectPtr conn, const char *command)
{
    virDomainPtr guest = virDomainLookupByName(conn, "pair");
    char *reply = NULL, text[200];

    CHECK_NOT_NULL(guest);
    snprintf(text, sizeof(text), "{\"execute\":\"%s\"}", command);
    CHECK_OK(virDomainQemuMonitorCommand(guest, text, &reply, 0));
    virDomainFree(guest);
    return reply;
}

static void
checkAnswer(virConnectPtr conn, const char *command, const char *part)
{
    char *reply;

    if (part == NULL)
        return;
    reply = ask(conn, command);
    CHECK_CONTAINS(reply, part);
    free(reply);
}

static void
checkMigrated(struct pair *pair, virMigrationPtr m)
{
    virDomainPtr guest;

    CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_PTR(guest = virMigrationGetDomain(m));
    CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
    CHECK_INT(reasonOf(guest), VIR_DOMAIN_RUNNING_MIGRATED);
    virDomainFree(guest);
    CHECK_INT(virConnectListAllDomains(pair->source, NULL, 0), 0);
    waitForMore(pair, 50);
}

/* Migrates; while the memory moves, both QEMUs are asked whether they were told what they should have been. */
static void
migrateWith(unsigned int flags, const char *params, const char *capability, const char *source, const char *destination)
{
    struct pair pair;
    virMigrationPtr m;
    bool asked = false;

    startPair(&pair, 8, "");
    m = newMigration(&pair, params, VIR_MIGRATE_LIVE | flags);
    while (virMigrationStep(m, 20) > 0) {
        if (asked || virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM || virMigrationGetError(m) != NULL)
            continue;
        virMigrationStep(m, 100);
        if (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
            continue;
        checkAnswer(pair.source, "query-migrate-capabilities", capability);
        checkAnswer(pair.source, "query-migrate-parameters", source);
        checkAnswer(pair.destination, "query-migrate-parameters", destination);
        CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 0, 0));
        CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 1000, 0));
        asked = true;
    }
    CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    CHECK(asked);
    checkMigrated(&pair, m);
    virMigrationFree(m);
    endPair(&pair);
}

TEST(memory_moves_over_parallel_connections)
{
    migrateWith(VIR_MIGRATE_PARALLEL, "parallel.connections=4 bandwidth=2", "\"state\":true,\"capability\":\"multifd\"",
                "\"multifd-channels\":4", "\"multifd-channels\":4");
}

TEST(parallel_connections_compress_by_zlib)
{
    migrateWith(VIR_MIGRATE_PARALLEL | VIR_MIGRATE_COMPRESSED, "compression=zlib bandwidth=1", NULL, "\"multifd-compression\":\"zlib\"",
                "\"multifd-compression\":\"zlib\"");
}

TEST(parallel_connections_compress_by_zstd)
{
    migrateWith(VIR_MIGRATE_PARALLEL, "compression=zstd bandwidth=1", NULL, "\"multifd-compression\":\"zstd\"",
                "\"multifd-compression\":\"zstd\"");
}

TEST(memory_is_compressed_by_threads)
{
    migrateWith(VIR_MIGRATE_COMPRESSED, "compression=mt compression.mt.level=3 compression.mt.threads=3 compression.mt.dthreads=5 bandwidth=1",
                "\"state\":true,\"capability\":\"compress\"", "\"compress-threads\":3", "\"decompress-threads\":5");
}

TEST(memory_is_compressed_by_what_was_sent_before)
{
    migrateWith(VIR_MIGRATE_COMPRESSED, "compression=xbzrle compression.xbzrle.cache=16777216 bandwidth=2",
                "\"state\":true,\"capability\":\"xbzrle\"", "\"xbzrle-cache-size\":16777216", NULL);
}

TEST(a_migration_that_is_to_converge_is_told_how)
{
    migrateWith(VIR_MIGRATE_AUTO_CONVERGE, "auto_converge.initial=35 auto_converge.increment=5 bandwidth=2",
                "\"state\":true,\"capability\":\"auto-converge\"", "\"cpu-throttle-initial\":35", NULL);
}

/* Begin or Prepare refuses it, with these words, and the guest runs on. */
static void
checkRefused(struct pair *pair, unsigned int flags, const char *params, int code, const char *words)
{
    virMigrationPtr m = newMigration(pair, params, flags);

    harnessContext("flags 0x%x, %s", flags, params);
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_NOT_NULL(virMigrationGetError(m));
    CHECK_CONTAINS(virMigrationGetError(m)->message, words);
    CHECK_INT(virMigrationGetError(m)->code, code);
    CHECK_INT(stateOf(pair->domain), VIR_DOMAIN_RUNNING);
    virMigrationFree(m);
}

TEST(parameters_that_do_not_fit_their_flags_are_named)
{
    static const struct { unsigned int flags; const char *params, *words; } cases[] = {
        { 0, "parallel.connections=3", "'parallel.connections' has no effect without VIR_MIGRATE_PARALLEL" },
        { VIR_MIGRATE_PARALLEL, "parallel.connections=0", "'parallel.connections': 0 is not between 1 and 255" },
        { VIR_MIGRATE_PARALLEL, "parallel.connections=-2", "'parallel.connections': -2" },
        { VIR_MIGRATE_PARALLEL, "compression=xbzrle", "'xbzrle' does not go with VIR_MIGRATE_PARALLEL" },
        { VIR_MIGRATE_PARALLEL, "compression=mt", "'mt' does not go with VIR_MIGRATE_PARALLEL" },
        { VIR_MIGRATE_PARALLEL | VIR_MIGRATE_COMPRESSED, "", "needs compression 'zlib' or 'zstd'" },
        { VIR_MIGRATE_PARALLEL, "compression=zlib compression=zstd", "'zstd' is a second one" },
        { VIR_MIGRATE_COMPRESSED, "compression=zlib", "'zlib' needs VIR_MIGRATE_PARALLEL" },
        { VIR_MIGRATE_COMPRESSED, "compression=lzma", "'lzma' is not known" },
        { VIR_MIGRATE_COMPRESSED, "compression=mt compression=mt", "'mt' was given twice" },
        { VIR_MIGRATE_COMPRESSED, "compression.mt.level=3", "'compression.mt.level' has no effect without compression 'mt'" },
        { VIR_MIGRATE_COMPRESSED, "compression=mt compression.mt.level=10", "'compression.mt.level': 10 is not between 0 and 9" },
        { 0, "compression.xbzrle.cache=16777216", "'compression.xbzrle.cache' has no effect without compression 'xbzrle'" },
        { 0, "auto_converge.initial=30", "'auto_converge.initial' has no effect without VIR_MIGRATE_AUTO_CONVERGE" },
        { VIR_MIGRATE_AUTO_CONVERGE, "auto_converge.increment=100", "'auto_converge.increment': 100" },
        { VIR_MIGRATE_ZEROCOPY, "", "VIR_MIGRATE_ZEROCOPY needs VIR_MIGRATE_PARALLEL" },
        { VIR_MIGRATE_ZEROCOPY | VIR_MIGRATE_PARALLEL, "compression=zlib", "compressing copies" },
    };
    struct pair pair;

    startPair(&pair, 0, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        checkRefused(&pair, VIR_MIGRATE_LIVE | cases[i].flags, cases[i].params, VIR_ERR_INVALID_ARG, cases[i].words);
    endPair(&pair);
}
