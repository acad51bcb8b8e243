/*
 * The ways a migration of a real guest can go besides plain pre-copy: parallel connections, compression, post-copy and its recovery, and
 * what is refused.
 */
#include "../qemu_pair.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Migrates; while the memory moves, both QEMUs are asked whether they were told what they should have been. */
static void
migrateWith(unsigned int flags, const char *params, const char *capability, const char *source, const char *destination)
{
    struct pair pair;
    virMigrationPtr m;
    bool asked = false;

    pairWrites = 0;                              /* it is slow until both were asked */
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
        { VIR_MIGRATE_ZEROCOPY | VIR_MIGRATE_PARALLEL, "migrate_uri=unix:/nowhere/wire", "needs TCP" },
    };
    struct pair pair;

    startPair(&pair, 0, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        checkRefused(&pair, VIR_MIGRATE_LIVE | cases[i].flags, cases[i].params, VIR_ERR_INVALID_ARG, cases[i].words);
    endPair(&pair);
}

/* ---------- without copying ---------- */

/* How much memory the guest's QEMU may lock, in KiB, as its kernel says. */
static unsigned long long
lockable(void)
{
    struct rlimit limit;

    CHECK_INT(prlimit(pidOf("host0", "pair"), RLIMIT_MEMLOCK, NULL, &limit), 0);
    return limit.rlim_cur / 1024;
}

static bool
kernelSendsWithoutCopying(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    const bool can = setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) == 0;

    close(fd);
    return can;
}

/* A guest of 7 MiB whose QEMU has not the capability to lock as much memory as it likes, and may lock 64 KiB: soft limit, and hard limit. */
static void
startLimited(struct pair *pair, rlim_t hard)
{
    char xml[4096], devices[1200], *system = NULL;
    const struct rlimit little = { 65536, hard };

    needsQemu();
    if (!kernelSendsWithoutCopying())
        SKIP("this kernel has no SO_ZEROCOPY");
    if (runShell("setpriv --bounding-set=-ipc_lock,-sys_resource true", NULL) != 0)
        SKIP("needs setpriv, and a user who may give up a capability");
    CHECK_INT(setrlimit(RLIMIT_MEMLOCK, &little), 0);
    CHECK_INT(runShell("command -v qemu-system-x86_64", &system), 0);
    snprintf(xml, sizeof(xml), "#!/bin/sh\nexec setpriv --bounding-set=-ipc_lock,-sys_resource %.*s \"$@\"\n", (int)strcspn(system, "\n"), system);
    free(system);
    writeFile(scratchPath("qemu-without"), xml);
    CHECK_INT(chmod(scratchPath("qemu-without"), 0755), 0);
    snprintf(devices, sizeof(devices), "<emulator>%s</emulator>", scratchPath("qemu-without"));
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair->source = openHost("host0", ""));
    CHECK_PTR(pair->destination = openHost("host1", ""));
    snprintf(xml, sizeof(xml), "%s", pairXml(pair->serial, 2, "", devices));
    memcpy(strstr(xml, ">64<"), "> 7<", 4);
    CHECK_PTR(pair->domain = virDomainCreateXML(pair->source, xml, 0));
    waitForMore(pair, 30);
}

TEST(memory_is_sent_without_being_copied)
{
    const unsigned int flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PARALLEL | VIR_MIGRATE_ZEROCOPY;
    struct pair pair;
    virMigrationPtr m;

    startLimited(&pair, 7 << 20);
    CHECK_INT(lockable(), 64);
    for (int round = 0; round < 2; round++) {
        m = newMigration(&pair, round == 0 ? "bandwidth=1 parallel.connections=2" : "migrate_uri=tcp:127.0.0.1", flags);
        while (virMigrationStep(m, 1000) > 0 && virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
            ;
        CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
        if (round == 0) {
            CHECK_INT(virMigrationStep(m, 100), 1);
            checkAnswer(pair.source, "query-migrate-capabilities", "\"state\":true,\"capability\":\"zero-copy-send\"");
            CHECK_INT(lockable(), 7 * 1024);
            CHECK_OK(virMigrationAbort(m));
        }
        while (virMigrationStep(m, 100) > 0)
            ;
        if (round == 0) {
            CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
            CHECK_INT(lockable(), 64);
            waitForMore(&pair, 20);
        } else {
            checkMigrated(&pair, m);
        }
        virMigrationFree(m);
    }
    endPair(&pair);
}

TEST(a_qemu_that_may_not_lock_enough_memory_is_refused_in_the_beginning)
{
    const unsigned int flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PARALLEL | VIR_MIGRATE_ZEROCOPY;
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    char **problems = NULL;
    struct pair pair;

    startLimited(&pair, 65536);
    CHECK_INT(syscall(SYS_capget, &header, data), 0);
    data[0].effective &= ~(1u << CAP_SYS_RESOURCE);              /* or this process could raise it */
    CHECK_INT(syscall(SYS_capset, &header, data), 0);
    checkRefused(&pair, flags, "", VIR_ERR_OPERATION_DENIED, "may lock 64 KiB of memory and needs 7168 (RLIMIT_MEMLOCK)");
    CHECK_INT(virMigrationCheck(pair.domain, pair.destination, NULL, 0, flags, &problems), 1);
    CHECK_CONTAINS(problems[0], "RLIMIT_MEMLOCK");
    free(problems[0]);
    free(problems);
    CHECK_INT(virConnectListAllDomains(pair.destination, NULL, 0), 0);
    endPair(&pair);
}

/* ---------- post-copy ---------- */

TEST(a_guest_runs_on_before_its_memory_has_come)
{
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;

    useLoop();
    startPair(&pair, 24, "");
    watchEvents(pair.source);
    watchEvents(pair.destination);
    m = stepIntoPostcopy(&pair, "bandwidth=1 bandwidth.postcopy=4", 0);
    guest = guestAt(pair.destination);
    checkAnswer(pair.source, "query-migrate-parameters", "\"max-postcopy-bandwidth\":4194304");
    checkStanding(guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY);
    checkStanding(pair.domain, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY);
    waitForMore(&pair, 2);            /* each page that it touches comes first, but at this pace */
    CHECK_INT(virMigrationStep(m, 0), 1);
    CHECK_INT(virMigrationGetPhase(m), VIR_MIGRATION_PHASE_CONFIRM);
    CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 0, VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY));
    while (virMigrationStep(m, 100) > 0)
        ;
    LOOP_UNTIL(strstr(eventLog, "stopped.3") != NULL && strstr(eventLog, "resumed.3") != NULL
               && strstr(strstr(eventLog, "resumed.3"), "resumed.1") != NULL, 5000);
    checkMigrated(&pair, m);
    CHECK_CONTAINS(eventLog, "suspended.7");
    virDomainFree(guest);
    virMigrationFree(m);
    endPair(&pair);
}

TEST(an_interrupted_postcopy_goes_on)
{
    char command[1200];
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;

    useLoop();
    startPair(&pair, 16, "");
    watchEvents(pair.source);
    watchEvents(pair.destination);
    m = stepIntoPostcopy(&pair, "bandwidth=1 bandwidth.postcopy=1", 0);
    guest = guestAt(pair.destination);
    CHECK_FAILS(virDomainAbortJob(pair.domain), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "post-copy");
    CHECK_FAILS(virDomainAbortJob(guest), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainAbortJobFlags(pair.domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "would destroy it");
    CHECK_INT(virMigrationStep(m, 0), 1);
    for (int round = 0; round < 2; round++) {
        virMigrationPtr again;

        harnessContext("interruption %d", round);
        CHECK_OK(virDomainAbortJobFlags(pair.domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY));
        LOOP_UNTIL(reasonOf(pair.domain) == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED && reasonOf(guest) == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, 5000);
        CHECK_FAILS(virDomainAbortJobFlags(pair.domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY), VIR_ERR_OPERATION_INVALID);
        /* whoever steps it is told, and it is over for him */
        if (round == 0) {
            CHECK_INT(virMigrationStep(m, 1000), 0);
            CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
            CHECK_NOT_NULL(virMigrationGetError(m));
            CHECK_CONTAINS(virMigrationGetError(m)->message, "VIR_MIGRATE_POSTCOPY_RESUME");
            virMigrationFree(m);
        }
        again = newMigration(&pair, "bandwidth.postcopy=2", VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_POSTCOPY_RESUME);
        while (virMigrationGetPhase(again) != VIR_MIGRATION_PHASE_CONFIRM && virMigrationStep(again, 50) > 0)
            ;
        CHECK_MSG(virMigrationGetError(again) == NULL, "%s", virMigrationGetError(again)->message);
        LOOP_UNTIL(reasonOf(guest) == VIR_DOMAIN_RUNNING_POSTCOPY, 5000);
        checkStanding(pair.domain, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY);
        m = again;
        if (round == 0)
            virMigrationFree(again);
    }
    CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 0, VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY));
    while (virMigrationStep(m, 100) > 0)
        ;
    LOOP_UNTIL(reasonOf(guest) == VIR_DOMAIN_RUNNING_MIGRATED, 5000);
    checkMigrated(&pair, m);
    CHECK_CONTAINS(eventLog, "suspended.8");
    CHECK_CONTAINS(eventLog, "resumed.4");
    snprintf(command, sizeof(command), "! ls %s/*/run/*.migrate", scratchDir());
    CHECK_INT(runShell(command, NULL), 0);
    virMigrationFree(m);
    virDomainFree(guest);
    endPair(&pair);
}

/* libvirt's way: the call fails, and a second one goes on. */
static void *
interruptLater(void *opaque)
{
    struct pair *pair = opaque;

    for (int i = 0; i < 2000 && virDomainMigrateStartPostCopy(pair->domain, 0) < 0; i++)
        usleep(10000);
    for (int i = 0; i < 2000 && virDomainAbortJobFlags(pair->domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY) < 0; i++)
        usleep(10000);
    return NULL;
}

TEST(a_blocking_call_fails_when_postcopy_is_interrupted_and_another_goes_on)
{
    const unsigned int flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY;
    struct pair pair;
    virTypedParameterPtr params;
    virDomainPtr guest;
    pthread_t thread;
    int n = readParams("bandwidth=1 bandwidth.postcopy=1", &params);

    startPair(&pair, 16, "");
    CHECK_INT(pthread_create(&thread, NULL, interruptLater, &pair), 0);
    CHECK_FAILS_NULL(virDomainMigrate3(pair.domain, pair.destination, params, (unsigned int)n, flags), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "post-copy was interrupted");
    CHECK_INT(pthread_join(thread, NULL), 0);
    virTypedParamsFree(params, n);
    n = readParams("bandwidth.postcopy=1000", &params);
    CHECK_PTR(guest = virDomainMigrate3(pair.domain, pair.destination, params, (unsigned int)n, flags | VIR_MIGRATE_POSTCOPY_RESUME));
    WAIT_FOR(reasonOf(guest) == VIR_DOMAIN_RUNNING_MIGRATED, 5000);
    CHECK_INT(virConnectListAllDomains(pair.source, NULL, 0), 0);
    waitForMore(&pair, 50);
    virTypedParamsFree(params, n);
    virDomainFree(guest);
    endPair(&pair);
}

TEST(what_cannot_be_postcopy_says_why)
{
    struct pair pair;
    virMigrationPtr m;

    startPair(&pair, 8, "");
    CHECK_FAILS(virDomainMigrateStartPostCopy(pair.domain, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "is not being migrated from here");
    CHECK_FAILS(virDomainAbortJobFlags(pair.domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY), VIR_ERR_OPERATION_INVALID);
    checkRefused(&pair, VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_PARALLEL, "", VIR_ERR_INVALID_ARG, "parallel connections");
    checkRefused(&pair, VIR_MIGRATE_LIVE, "bandwidth.postcopy=3", VIR_ERR_INVALID_ARG, "no effect without VIR_MIGRATE_POSTCOPY");
    checkRefused(&pair, VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_POSTCOPY_RESUME, "", VIR_ERR_OPERATION_INVALID,
                 "no migration from here in post-copy");
    m = newMigration(&pair, "bandwidth=1", VIR_MIGRATE_LIVE);
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 1000), 1);
    CHECK_INT(virMigrationStep(m, 50), 1);
    CHECK_FAILS(virDomainMigrateStartPostCopy(pair.domain, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "without VIR_MIGRATE_POSTCOPY");
    CHECK_OK(virMigrationAbort(m));
    while (virMigrationStep(m, 100) > 0)
        ;
    virMigrationFree(m);
    endPair(&pair);
}

TEST(a_host_that_does_not_allow_postcopy_says_what_it_lacks)
{
    char emulator[1200], xml[8192], *system = NULL;
    struct pair pair;
    virTypedParameterPtr params;
    virMigrationPtr m;
    int n;

    if (runShell("test \"$(id -u)\" = 0 && setpriv --bounding-set=-sys_ptrace true && test \"$(cat /proc/sys/vm/unprivileged_userfaultfd)\" = 0", NULL) != 0)
        SKIP("userfaultfd cannot be forbidden here: needs root, setpriv and vm.unprivileged_userfaultfd=0");
    CHECK_INT(runShell("command -v qemu-system-x86_64", &system), 0);
    snprintf(emulator, sizeof(emulator), "%s", scratchPath("qemu-without"));
    snprintf(xml, sizeof(xml), "#!/bin/sh\nexec setpriv --bounding-set=-sys_ptrace %.*s \"$@\"\n", (int)strcspn(system, "\n"), system);
    writeFile(emulator, xml);
    free(system);
    snprintf(xml, sizeof(xml), "chmod 755 %s", emulator);
    CHECK_INT(runShell(xml, NULL), 0);
    startPair(&pair, 0, "");
    snprintf(xml, sizeof(xml), "%s", pairXml(pair.serial, 0, "", ""));
    snprintf(strstr(xml, "<devices>"), sizeof(xml) - 4096, "<devices><emulator>%s</emulator>%s", emulator,
             strstr(pairXml(pair.serial, 0, "", ""), "<devices>") + strlen("<devices>"));
    n = readParams("", &params);
    {
        int max = n;

        CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_XML, xml));
    }
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY));
    virTypedParamsFree(params, n);
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(virMigrationGetError(m)->message, "userfaultfd");
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_UNSUPPORTED);
    CHECK_INT(stateOf(pair.domain), VIR_DOMAIN_RUNNING);
    virMigrationFree(m);
    endPair(&pair);
}

/* ---------- whoever manages it is killed ---------- */

/* In a process of its own, which does not come back: the guest runs at the destination, and its memory is still on its way, or (broken) waits. */
static void
postcopyAndDie(bool broken)
{
    struct pair pair;
    virMigrationPtr m;
    char *record;

    startPair(&pair, 12, "");
    m = stepIntoPostcopy(&pair, "bandwidth=1 bandwidth.postcopy=2", 0);
    CHECK_PTR(record = virMigrationGetRecord(m));
    writeFile(scratchPath("record"), record);
    CHECK_INT(virMigrationStep(m, 0), 1);
    if (broken)
        CHECK_OK(virDomainAbortJobFlags(pair.domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY));
    kill(getpid(), SIGKILL);
}

static void
openAfterDeath(struct pair *pair, bool broken)
{
    int status;
    pid_t pid;

    needsQemu();
    pairWrites = 0;
    if ((pid = fork()) == 0) {
        postcopyAndDie(broken);
        _exit(1);
    }
    CHECK(pid > 0);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child did not come to its end: status %d", status);
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair->source = openHost("host0", ""));
    CHECK_PTR(pair->destination = openHost("host1", ""));
    CHECK_PTR(pair->domain = virDomainLookupByName(pair->source, "pair"));
}

TEST(a_postcopy_whose_controller_was_killed_is_gone_on_with)
{
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;
    char *record;

    openAfterDeath(&pair, false);
    guest = guestAt(pair.destination);
    checkStanding(guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY);
    checkStanding(pair.domain, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY);
    record = readFile(scratchPath("record"));
    CHECK_PTR(m = virMigrationNewFromRecord(record, pair.source, pair.destination));
    free(record);
    while (virMigrationStep(m, 100) > 0)
        ;
    WAIT_FOR(reasonOf(guest) == VIR_DOMAIN_RUNNING_MIGRATED, 5000);
    checkMigrated(&pair, m);
    virMigrationFree(m);
    virDomainFree(guest);
    endPair(&pair);
}

TEST(an_interrupted_postcopy_whose_controller_was_killed_goes_on)
{
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;

    openAfterDeath(&pair, true);
    guest = guestAt(pair.destination);
    WAIT_FOR(reasonOf(guest) == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, 5000);
    WAIT_FOR(reasonOf(pair.domain) == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, 5000);
    m = newMigration(&pair, "bandwidth.postcopy=1000", VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_POSTCOPY_RESUME);
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    WAIT_FOR(reasonOf(guest) == VIR_DOMAIN_RUNNING_MIGRATED, 5000);
    checkMigrated(&pair, m);
    virMigrationFree(m);
    virDomainFree(guest);
    endPair(&pair);
}
