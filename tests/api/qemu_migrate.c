/*
 * Live migration of real guests between two state directories of one process. The guest counts on its serial line, checks its own memory
 * while it does, and both sides append to the same file: a number lost, repeated or corrupted shows there.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../counting.h"
#include "../migration_table.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char guestXml[4096];

static const char *
documentOf(const char *image, const char *serial, int mib)
{
    static const char format[] =
        "<domain type='qemu'><name>table</name><uuid>3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a001</uuid>"
        "<memory unit='MiB'>%d</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>"
        "<devices>%s"
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/><readonly/></disk>"
        "<serial type='file'><source path='%s' append='on'/></serial>"
        "</devices></domain>";
    char path[2048];

    CHECK_NOT_NULL(realpath(image, path));
    snprintf(guestXml, sizeof(guestXml), format, mib, "", path, serial);
    return guestXml;
}

static const char *
guestDocument(const char *serial, int mib)
{
    needsQemu();
    return documentOf(guestImage("light.img"), serial, mib);
}

static virConnectPtr
openHost(int side)
{
    char uri[1024];

    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("host%d", side));
    return virConnectOpen(uri);
}

static void
waitForMore(const char *serial, long more)
{
    long first = countingNewest(serial), last = first;

    for (int i = 0; i < 400 && last < first + more; i++) {
        usleep(50000);
        last = countingNewest(serial);
    }
    CHECK_MSG(last >= first + more, "the guest stands at %ld, it was at %ld", last, first);
}

static pid_t
qemuPid(int side)
{
    FILE *f = fopen(scratchPath("host%d/run/table.pid", side), "r");
    int pid = 0;

    if (f != NULL) {
        if (fscanf(f, "%d", &pid) != 1)
            pid = 0;
        fclose(f);
    }
    return pid;
}

/* Nothing of a guest is left at this side: no domain, no process, no socket, no status. */
static void
checkNothingAt(virConnectPtr conn, int side)
{
    DIR *dir = opendir(scratchPath("host%d/run", side));
    struct dirent *entry;

    CHECK_INT(virConnectListAllDomains(conn, NULL, 0), 0);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        CHECK_MSG(strstr(entry->d_name, "table") == NULL && strstr(entry->d_name, "migrate") == NULL, "left over: %s", entry->d_name);
    if (dir != NULL)
        closedir(dir);
}

static void
checkState(virDomainPtr domain, int expected)
{
    int state, reason;

    CHECK_OK(virDomainGetState(domain, &state, &reason, 0));
    CHECK_INT(state, expected);
}

struct pair { virConnectPtr source, destination; virDomainPtr domain; char serial[1024]; };

static void
startPairWith(struct pair *pair, const char *xml)
{
    CHECK_PTR(pair->source = openHost(0));
    CHECK_PTR(pair->destination = openHost(1));
    CHECK_PTR(pair->domain = virDomainCreateXML(pair->source, xml, 0));
    waitForMore(pair->serial, 30);
}

static void
startPair(struct pair *pair, int mib)
{
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    startPairWith(pair, guestDocument(pair->serial, mib));
}

/* For those who cancel a transfer and migrate the guest again: see countingQuietImage. */
static void
startQuietPair(struct pair *pair)
{
    needsQemu();
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    startPairWith(pair, documentOf(countingQuietImage(), pair->serial, 64));
}

static void
endPair(struct pair *pair)
{
    virDomainPtr guest;

    for (int side = 0; side < 2; side++) {
        virConnectPtr conn = side == 0 ? pair->source : pair->destination;

        if ((guest = virDomainLookupByName(conn, "table")) != NULL) {
            CHECK_OK(virDomainDestroy(guest));
            virDomainFree(guest);
        }
    }
    virDomainFree(pair->domain);
    checkNothingAt(pair->source, 0);
    checkNothingAt(pair->destination, 1);
    CHECK_INT(virConnectClose(pair->source), 0);
    CHECK_INT(virConnectClose(pair->destination), 0);
}

/* A migration that takes long enough for something to happen in Perform. */
static virMigrationPtr
slowMigration(struct pair *pair)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virMigrationPtr m;

    CHECK_OK(virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, 1));
    CHECK_PTR(m = virMigrationNew(pair->domain, pair->destination, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    virTypedParamsFree(params, n);
    return m;
}

static void
stepInto(virMigrationPtr m, virMigrationPhase phase)
{
    while (virMigrationGetPhase(m) != phase)
        CHECK_INT(virMigrationStep(m, 1000), 1);
}

static void
stepToEnd(virMigrationPtr m)
{
    int rc;

    while ((rc = virMigrationStep(m, 100)) > 0)
        ;
    CHECK_INT(rc, 0);
    CHECK_INT(virMigrationStep(m, 0), 0);
}

TEST(the_guest_counts_on_at_the_other_host)
{
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;
    virMigrationPhaseInfo info;

    startPair(&pair, 64);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    stepToEnd(m);
    CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    for (int phase = VIR_MIGRATION_PHASE_BEGIN; phase <= VIR_MIGRATION_PHASE_CONFIRM; phase++) {
        CHECK_OK(virMigrationGetPhaseInfo(m, (virMigrationPhase)phase, &info));
        CHECK_INT(info.rounds, 1);
    }
    CHECK_CONTAINS(virMigrationGetCookie(m, VIR_MIGRATION_PHASE_BEGIN, 1), "\"migration\"");
    CHECK_PTR(guest = virMigrationGetDomain(m));
    virMigrationFree(m);
    checkState(guest, VIR_DOMAIN_RUNNING);
    virDomainFree(guest);
    checkNothingAt(pair.source, 0);
    waitForMore(pair.serial, 50);
    endPair(&pair);
}

TEST(a_step_with_no_time_never_blocks_and_says_what_to_wait_for)
{
    struct pair pair;
    long long before;
    int fd, events, ms, rc, steps = 0;
    virMigrationPtr m;

    startPair(&pair, 64);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    do {
        struct pollfd pfd;

        before = harnessOwnMs();
        CHECK_OK(rc = virMigrationStep(m, 0));
        CHECK_LESS(harnessOwnMs() - before, harnessSlow(200));
        CHECK_OK(virMigrationGetWait(m, &fd, &events, &ms));
        pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
        if (rc > 0)
            poll(&pfd, fd >= 0 ? 1 : 0, ms);
        CHECK_LESS(++steps, 10000);
    } while (rc > 0);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(an_abort_during_the_transfer_leaves_the_guest_running_here)
{
    struct pair pair;
    virMigrationPtr m;
    virTypedParameterPtr stats = NULL;
    unsigned long long total = 0;
    int n = 0;

    startPair(&pair, 64);
    m = slowMigration(&pair);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    for (int i = 0; i < 5; i++)
        CHECK_INT(virMigrationStep(m, 100), 1);
    CHECK_OK(virMigrationGetStats(m, &stats, &n));
    CHECK_INT(virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_MEMORY_TOTAL, &total), 1);
    CHECK_LESS(64 << 20, total);
    virTypedParamsFree(stats, n);
    CHECK_FAILS(virDomainSetAutostart(pair.domain, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virMigrationAbort(m));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_ABORTED);
    virMigrationFree(m);
    checkNothingAt(pair.destination, 1);
    checkState(pair.domain, VIR_DOMAIN_RUNNING);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(a_guest_paused_by_its_user_stays_paused_after_an_abort)
{
    struct pair pair;
    virMigrationPtr m;
    int state, reason;

    startPair(&pair, 64);
    CHECK_OK(virDomainSuspend(pair.domain));
    m = slowMigration(&pair);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_INT(virMigrationStep(m, 200), 1);
    CHECK_OK(virMigrationAbort(m));
    stepToEnd(m);
    virMigrationFree(m);
    CHECK_OK(virDomainGetState(pair.domain, &state, &reason, 0));
    CHECK_INT(state, VIR_DOMAIN_PAUSED);
    CHECK_INT(reason, VIR_DOMAIN_PAUSED_USER);
    CHECK_OK(virDomainResume(pair.domain));
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(the_destination_dies_during_the_transfer_and_the_guest_goes_on_here)
{
    struct pair pair;
    virMigrationPtr m;

    startPair(&pair, 64);
    m = slowMigration(&pair);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_INT(virMigrationStep(m, 200), 1);
    CHECK_LESS(1, qemuPid(1));
    CHECK_OK(kill(qemuPid(1), SIGKILL));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_NOT_NULL(virMigrationGetError(m));
    virMigrationFree(m);
    checkNothingAt(pair.destination, 1);
    checkState(pair.domain, VIR_DOMAIN_RUNNING);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(the_source_dies_during_the_transfer_and_nothing_is_started)
{
    struct pair pair;
    virMigrationPtr m;

    startPair(&pair, 64);
    m = slowMigration(&pair);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_INT(virMigrationStep(m, 200), 1);
    CHECK_OK(kill(qemuPid(0), SIGKILL));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_LOST);
    CHECK_NOT_NULL(virMigrationGetError(m));
    virMigrationFree(m);
    checkNothingAt(pair.destination, 1);
    checkNothingAt(pair.source, 0);
    endPair(&pair);
}

TEST(a_job_aborted_before_the_transfer_began_is_aborted)
{
    struct pair pair;
    virMigrationPtr m;

    startPair(&pair, 64);
    m = slowMigration(&pair);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_OK(virDomainAbortJob(pair.domain));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_ABORTED);
    virMigrationFree(m);
    checkNothingAt(pair.destination, 1);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(a_destination_that_dies_before_finish_gives_the_guest_back)
{
    struct pair pair;
    virMigrationPtr m;

    startPair(&pair, 64);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST));
    stepInto(m, VIR_MIGRATION_PHASE_FINISH);
    CHECK_OK(kill(qemuPid(1), SIGKILL));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_NOT_NULL(virMigrationGetError(m));
    virMigrationFree(m);
    checkNothingAt(pair.destination, 1);
    checkState(pair.domain, VIR_DOMAIN_RUNNING);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(a_port_in_use_is_an_error_of_prepare)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct pair pair;
    virMigrationPtr m;
    char uri[64];

    CHECK_OK(bind(fd, (struct sockaddr *)&address, length));
    CHECK_OK(listen(fd, 1));
    CHECK_OK(getsockname(fd, (struct sockaddr *)&address, &length));
    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    startPair(&pair, 64);
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_URI, uri));
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(virMigrationGetError(m)->message, "Address already in use");
    virMigrationFree(m);
    close(fd);
    checkNothingAt(pair.destination, 1);
    /* and by a port that is free it goes */
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    virTypedParamsFree(params, n);
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(a_destination_that_has_it_running_already_refuses)
{
    struct pair pair;
    virDomainPtr other;
    virMigrationPtr m;

    startPair(&pair, 64);
    CHECK_PTR(other = virDomainCreateXML(pair.destination, guestDocument(scratchPath("other"), 64), VIR_DOMAIN_START_PAUSED));
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(m);
    checkState(other, VIR_DOMAIN_PAUSED);
    checkState(pair.domain, VIR_DOMAIN_RUNNING);
    CHECK_OK(virDomainDestroy(other));
    virDomainFree(other);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(another_machine_in_the_destination_document_is_refused)
{
    struct pair pair;
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virMigrationPtr m;
    char *xml, *memory;

    startPair(&pair, 64);
    CHECK_PTR(xml = virDomainGetXMLDesc(pair.domain, VIR_DOMAIN_XML_MIGRATABLE));
    CHECK_NOT_NULL(memory = strstr(xml, "65536<"));
    memory[0] = '3';
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_XML, xml));
    free(xml);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    virTypedParamsFree(params, n);
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(virMigrationGetError(m)->message, "memory");
    virMigrationFree(m);
    checkState(pair.domain, VIR_DOMAIN_RUNNING);
    CHECK_OK(virDomainSuspend(pair.domain));      /* its job is free again */
    CHECK_OK(virDomainResume(pair.domain));
    endPair(&pair);
}

TEST(peer_to_peer_by_uri_and_under_another_name)
{
    struct pair pair;
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virDomainPtr guest;
    char uri[1024];

    startPair(&pair, 64);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("host1"));
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_NAME, "renamed"));
    CHECK_FAILS(virDomainMigrateToURI3(pair.domain, uri, params, (unsigned int)n, VIR_MIGRATE_LIVE), VIR_ERR_NO_SUPPORT);
    CHECK_OK(virDomainMigrateToURI3(pair.domain, uri, params, (unsigned int)n, VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER));
    virTypedParamsFree(params, n);
    CHECK_PTR(guest = virDomainLookupByName(pair.destination, "renamed"));
    waitForMore(pair.serial, 30);
    CHECK_OK(virDomainDestroy(guest));
    virDomainFree(guest);
    endPair(&pair);
}

TEST(an_offline_migration_moves_the_definition)
{
    struct pair pair = { 0 };
    virDomainPtr guest;

    CHECK_PTR(pair.source = openHost(0));
    CHECK_PTR(pair.destination = openHost(1));
    CHECK_PTR(pair.domain = virDomainDefineXML(pair.source, guestDocument(scratchPath("serial"), 64)));
    CHECK_NULL(virDomainMigrate(pair.domain, pair.destination, VIR_MIGRATE_OFFLINE, NULL, NULL, 0));
    CHECK_NULL(virDomainMigrate(pair.domain, pair.destination, VIR_MIGRATE_LIVE, NULL, NULL, 0));
    CHECK_PTR(guest = virDomainMigrate(pair.domain, pair.destination,
                                       VIR_MIGRATE_OFFLINE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE, NULL, NULL, 0));
    CHECK_INT(virDomainIsPersistent(guest), 1);
    CHECK_INT(virDomainIsActive(guest), 0);
    checkNothingAt(pair.source, 0);
    CHECK_OK(virDomainUndefine(guest));
    virDomainFree(guest);
    virDomainFree(pair.domain);
    virConnectClose(pair.source);
    virConnectClose(pair.destination);
}

TEST(downtime_speed_and_cache_can_be_set_and_read)
{
    struct pair pair;
    unsigned long long value;
    unsigned long speed;

    startPair(&pair, 64);
    CHECK_OK(virDomainMigrateGetMaxDowntime(pair.domain, &value, 0));
    CHECK_UINT(value, 300);
    CHECK_OK(virDomainMigrateSetMaxDowntime(pair.domain, 150, 0));
    CHECK_OK(virDomainMigrateGetMaxDowntime(pair.domain, &value, 0));
    CHECK_UINT(value, 150);
    CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 77, 0));
    CHECK_OK(virDomainMigrateGetMaxSpeed(pair.domain, &speed, 0));
    CHECK_UINT(speed, 77);
    CHECK_OK(virDomainMigrateSetCompressionCache(pair.domain, 16 << 20, 0));
    CHECK_OK(virDomainMigrateGetCompressionCache(pair.domain, &value, 0));
    CHECK_UINT(value, 16 << 20);
    CHECK_FAILS(virDomainAbortJob(pair.domain), VIR_ERR_OPERATION_INVALID);
    endPair(&pair);
}

static long long
timedStep(virMigrationPtr m, int *rc)
{
    virTypedParameterPtr stats = NULL;
    long long start = harnessOwnMs();
    int n = 0;

    CHECK_OK(*rc = virMigrationStep(m, 0));
    CHECK_OK(virMigrationGetStats(m, &stats, &n));
    virTypedParamsFree(stats, n);
    return harnessOwnMs() - start;
}

TEST(a_source_that_stands_still_keeps_no_step_waiting)
{
    struct pair pair;
    virMigrationPtr m;
    long long end;
    pid_t pid;
    int rc = 1;

    startPair(&pair, 64);
    m = slowMigration(&pair);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_INT(virMigrationStep(m, 300), 1);
    harnessStop(pid = qemuPid(0));
    end = harnessNowMs() + 2500;                       /* longer than anything that is asked for now and then */
    while (harnessNowMs() < end) {
        CHECK_LESS(timedStep(m, &rc), harnessSlow(50));
        CHECK_INT(rc, 1);
        usleep(1000);
    }
    CHECK_OK(kill(pid, SIGCONT));
    CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 10000, 0));
    stepInto(m, VIR_MIGRATION_PHASE_FINISH);
    /* nor one that stands when all that is left is to end it */
    harnessStop(pid);
    end = harnessNowMs() + 10000;
    while (rc > 0 && harnessNowMs() < end)
        CHECK_LESS(timedStep(m, &rc), harnessSlow(200));
    CHECK_INT(rc, 0);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(statistics_are_of_this_migration_and_not_of_an_earlier_one)
{
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;
    virTypedParameterPtr stats = NULL;
    unsigned long long value = 0;
    int n = 0;

    startPair(&pair, 64);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    stepToEnd(m);
    CHECK_OK(virMigrationGetStats(m, &stats, &n));
    CHECK_INT(virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_DOWNTIME, &value), 1);
    CHECK_INT(virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_DOWNTIME_NET, &value), 1);
    virTypedParamsFree(stats, n);
    CHECK_PTR(guest = virMigrationGetDomain(m));
    virMigrationFree(m);
    /* back, but given up before anything moved */
    CHECK_PTR(m = virMigrationNew(guest, pair.source, NULL, 0, VIR_MIGRATE_LIVE));
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_OK(virMigrationAbort(m));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    stats = NULL;
    CHECK_OK(virMigrationGetStats(m, &stats, &n));
    CHECK_INT(virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_MEMORY_TOTAL, &value), 0);
    CHECK_INT(virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_DOWNTIME, &value), 0);
    virTypedParamsFree(stats, n);
    virMigrationFree(m);
    virDomainFree(guest);
    endPair(&pair);
}

TEST(the_job_of_a_migration_that_was_freed_can_be_aborted)
{
    static const virMigrationPhase left[] = { VIR_MIGRATION_PHASE_PREPARE, VIR_MIGRATION_PHASE_PERFORM, VIR_MIGRATION_PHASE_PERFORM };
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr other;

    startQuietPair(&pair);
    for (int i = 0; i < 3; i++) {
        harnessContext("case %d", i);
        m = slowMigration(&pair);
        stepInto(m, left[i]);
        if (i == 2)
            CHECK_INT(virMigrationStep(m, 300), 1);
        virMigrationFree(m);
        CHECK_FAILS(virDomainSetAutostart(pair.domain, 0), VIR_ERR_OPERATION_INVALID);
        CHECK_OK(virDomainAbortJob(pair.domain));
        /* it is free again: this takes the job */
        WAIT_FOR(virDomainSuspend(pair.domain) == 0 && virDomainResume(pair.domain) == 0, 5000);
        checkState(pair.domain, VIR_DOMAIN_RUNNING);
        /* what waits at the other side is gone with the connection, or is aborted there */
        while ((other = virDomainLookupByName(pair.destination, "table")) != NULL) {
            if (virDomainAbortJob(other) < 0)
                CHECK_ERROR(VIR_ERR_NO_DOMAIN);        /* it has just ended */
            virDomainFree(other);
        }
        checkNothingAt(pair.destination, 1);
        waitForMore(pair.serial, 10);
    }
    /* and it can be migrated */
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

/* A guest that a migration holds: QEMU may be asked, past the library too, but not told to go on. */
static void
checkMonitorLetsNothingRun(virDomainPtr domain, const char *why)
{
    static const char *const qmp[] = {
        "cont", "{\"execute\":\"cont\"}", "{\"execute\":\"co\\u006et\",\"arguments\":{}}",
        "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"cont\"}}",
    };
    static const char *const hmp[] = { "cont", "c", "  c  ", "\tcont /x" };
    char *text = NULL;

    for (size_t i = 0; i < 4; i++) {
        CHECK_FAILS(virDomainQemuMonitorCommand(domain, qmp[i], &text, 0), VIR_ERR_OPERATION_INVALID);
        CHECK_CONTAINS(virGetLastErrorMessage(), why);
        CHECK_FAILS(virDomainQemuMonitorCommand(domain, hmp[i], &text, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP), VIR_ERR_OPERATION_INVALID);
        CHECK_CONTAINS(virGetLastErrorMessage(), why);
    }
    CHECK_OK(virDomainQemuMonitorCommand(domain, "query-status", &text, 0));
    CHECK_CONTAINS(text, "\"running\":false");
    free(text);
}

TEST(a_migration_that_was_freed_after_the_transfer_cannot_be_aborted_here)
{
    struct pair pair;
    virMigrationPtr m;

    startPair(&pair, 64);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
    stepInto(m, VIR_MIGRATION_PHASE_FINISH);
    virMigrationFree(m);
    CHECK_FAILS(virDomainAbortJob(pair.domain), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "virDomainDestroy");
    checkState(pair.domain, VIR_DOMAIN_PAUSED);
    CHECK_FAILS(virDomainResume(pair.domain), VIR_ERR_OPERATION_INVALID);
    checkMonitorLetsNothingRun(pair.domain, "is being migrated");
    /* whoever knows that it runs nowhere else starts it anew */
    CHECK_OK(virDomainDestroy(pair.domain));
    virDomainFree(pair.domain);
    CHECK_PTR(pair.domain = virDomainCreateXML(pair.source, guestDocument(pair.serial, 64), 0));
    CHECK_OK(virDomainSuspend(pair.domain));
    CHECK_OK(virDomainResume(pair.domain));
    endPair(&pair);
}

static void *
abortLater(void *opaque)
{
    usleep(300000);
    CHECK_OK(virMigrationAbort(opaque));
    return NULL;
}

TEST(an_abort_from_another_thread_is_heard_at_once)
{
    struct pair pair;
    virMigrationPtr m;
    pthread_t thread;
    long long start;
    int fd, events, ms, rc = 1;

    startPair(&pair, 64);
    for (int round = 0; round < 2; round++) {
        harnessContext(round == 0 ? "in a loop of one's own" : "in a step");
        m = slowMigration(&pair);
        stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
        start = harnessNowMs();
        CHECK_INT(pthread_create(&thread, NULL, abortLater, m), 0);
        do {
            if (round == 0) {
                struct pollfd pfd;

                CHECK_OK(rc = virMigrationStep(m, 0));
                CHECK_OK(virMigrationGetWait(m, &fd, &events, &ms));
                pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
                if (rc > 0)
                    poll(&pfd, fd >= 0 ? 1 : 0, ms == 0 ? 0 : 10000);        /* would it not be woken, it would be long over time */
            } else {
                CHECK_OK(rc = virMigrationStep(m, -1));
            }
        } while (virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM);
        CHECK_LESS(harnessNowMs() - start, 300 + harnessSlow(500));
        CHECK_INT(pthread_join(thread, NULL), 0);
        stepToEnd(m);
        CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_ABORTED);
        virMigrationFree(m);
    }
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

static atomic_bool readerEnds;

static void *
readAll(void *opaque)
{
    int state;

    while (!readerEnds)
        CHECK_OK(virDomainGetState(opaque, &state, NULL, 0));
    return NULL;
}

/* Any call on the guest may read what its QEMU says, also what whoever waits for the migration waits for. */
TEST(who_waits_is_woken_by_an_abort_whoever_reads)
{
    struct pair pair;
    virMigrationPtr m;
    pthread_t aborter, reader;
    long long start;
    int fd, events, ms, rc;

    startPair(&pair, 64);
    m = slowMigration(&pair);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    CHECK_INT(virMigrationStep(m, 300), 1);
    CHECK_INT(pthread_create(&reader, NULL, readAll, pair.domain), 0);
    start = harnessNowMs();
    CHECK_INT(pthread_create(&aborter, NULL, abortLater, m), 0);
    do {
        struct pollfd pfd;

        CHECK_OK(rc = virMigrationStep(m, 0));
        CHECK_OK(virMigrationGetWait(m, &fd, &events, &ms));
        pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
        if (rc > 0)
            poll(&pfd, fd >= 0 ? 1 : 0, ms == 0 ? 0 : ms == 100 ? 100 : 10000);
    } while (virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM);
    CHECK_LESS(harnessNowMs() - start, 300 + harnessSlow(1000));
    readerEnds = true;
    CHECK_INT(pthread_join(aborter, NULL), 0);
    CHECK_INT(pthread_join(reader, NULL), 0);
    stepToEnd(m);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(m);
    endPair(&pair);
}

/* ---- a controller that is killed ---- */

/* Steps a migration to this phase in another process, which is then killed. The guest runs at the source before. */
static void
killControllerIn(virMigrationPhase phase)
{
    pid_t pid = fork();
    int status = 0;

    CHECK(pid >= 0);
    if (pid == 0) {
        struct pair pair;
        virMigrationPtr m;

        startPair(&pair, 64);
        if (phase == VIR_MIGRATION_PHASE_PERFORM) {
            m = slowMigration(&pair);
            stepInto(m, phase);
            CHECK_INT(virMigrationStep(m, 300), 1);
        } else {
            CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE));
            stepInto(m, phase);
        }
        fflush(NULL);
        kill(getpid(), SIGKILL);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_MSG(WIFSIGNALED(status), "the other process failed");
}

static void
openAgain(struct pair *pair)
{
    memset(pair, 0, sizeof(*pair));
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair->source = openHost(0));
    CHECK_PTR(pair->destination = openHost(1));
    CHECK_PTR(pair->domain = virDomainLookupByName(pair->source, "table"));
}

/* What would make the guest run twice, or let go of what keeps it from that. */
static void
checkHeld(virDomainPtr domain, virConnectPtr destination)
{
    int state, reason;

    checkMonitorLetsNothingRun(domain, "run twice");

    CHECK_OK(virDomainGetState(domain, &state, &reason, 0));
    CHECK_INT(state, VIR_DOMAIN_PAUSED);
    CHECK_INT(reason, VIR_DOMAIN_PAUSED_MIGRATION);
    CHECK_FAILS(virDomainResume(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "run twice");
    CHECK_CONTAINS(virGetLastErrorMessage(), "virDomainDestroy");
    CHECK_FAILS(virDomainReset(domain, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainReboot(domain, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainShutdown(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainAbortJob(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "run twice");
    CHECK_FAILS_NULL(virDomainMigrate3(domain, destination, NULL, 0, VIR_MIGRATE_LIVE), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "run twice");
    CHECK_OK(virDomainSuspend(domain));                /* it is paused */
    CHECK_OK(virDomainGetState(domain, &state, NULL, 0));
    CHECK_INT(state, VIR_DOMAIN_PAUSED);
}

TEST(a_source_left_before_confirm_cannot_run_the_guest_a_second_time)
{
    struct pair pair;
    virDomainPtr guest;

    needsQemu();
    killControllerIn(VIR_MIGRATION_PHASE_CONFIRM);
    openAgain(&pair);
    CHECK_PTR(guest = virDomainLookupByName(pair.destination, "table"));
    checkState(guest, VIR_DOMAIN_RUNNING);
    checkHeld(pair.domain, pair.destination);
    /* and the next process knows it as well */
    virDomainFree(pair.domain);
    virConnectClose(pair.source);
    CHECK_PTR(pair.source = openHost(0));
    CHECK_PTR(pair.domain = virDomainLookupByName(pair.source, "table"));
    checkHeld(pair.domain, pair.destination);
    waitForMore(pair.serial, 30);
    CHECK_OK(virDomainDestroy(pair.domain));           /* whoever has seen it run there may do this */
    waitForMore(pair.serial, 30);
    virDomainFree(guest);
    endPair(&pair);
}

TEST(a_source_left_before_finish_is_held_until_it_is_ended_and_can_be_started_anew)
{
    struct pair pair;
    virDomainPtr again;
    char *xml;

    needsQemu();
    killControllerIn(VIR_MIGRATION_PHASE_FINISH);
    openAgain(&pair);
    CHECK_PTR(again = virDomainLookupByName(pair.destination, "table"));
    checkState(again, VIR_DOMAIN_PAUSED);              /* it was never told to start */
    CHECK_OK(virDomainAbortJob(again));
    virDomainFree(again);
    checkHeld(pair.domain, pair.destination);
    CHECK_PTR(xml = virDomainGetXMLDesc(pair.domain, 0));
    CHECK_OK(virDomainDestroy(pair.domain));
    CHECK_PTR(again = virDomainCreateXML(pair.source, xml, VIR_DOMAIN_START_PAUSED));
    CHECK_OK(virDomainResume(again));
    checkState(again, VIR_DOMAIN_RUNNING);
    CHECK_OK(virDomainDestroy(again));
    virDomainFree(again);
    free(xml);
    endPair(&pair);
}

TEST(a_source_that_was_hung_when_it_was_found_again_is_settled_when_it_answers)
{
    struct pair pair;
    virDomainPtr other;
    pid_t pid;

    needsQemu();
    killControllerIn(VIR_MIGRATION_PHASE_PERFORM);
    CHECK_LESS(1, pid = qemuPid(0));
    harnessStop(pid);
    openAgain(&pair);
    CHECK_FAILS(virDomainResume(pair.domain), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(kill(pid, SIGCONT));
    for (int i = 0; i < 100 && virDomainAbortJob(pair.domain) < 0; i++)
        usleep(100000);
    WAIT_FOR(virDomainSuspend(pair.domain) == 0 && virDomainResume(pair.domain) == 0, 5000);
    checkState(pair.domain, VIR_DOMAIN_RUNNING);
    WAIT_FOR((other = virDomainLookupByName(pair.destination, "table")) == NULL || (virDomainFree(other), false), 5000);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

TEST(what_a_killed_controller_has_left_in_the_state_directories_goes)
{
    struct pair pair;
    virDomainPtr other;

    needsQemu();
    killControllerIn(VIR_MIGRATION_PHASE_PERFORM);
    writeFile(scratchPath("host0/run/table.xml.aB3dE6.new"), "<domstatus");
    writeFile(scratchPath("host0/qemu/table.xml.000000.new"), "<domain");
    writeFile(scratchPath("host0/qemu/a.new"), "not ours");
    openAgain(&pair);
    CHECK(!fileExists(scratchPath("host0/run/table.xml.aB3dE6.new")));
    CHECK(!fileExists(scratchPath("host0/qemu/table.xml.000000.new")));
    CHECK(fileExists(scratchPath("host0/qemu/a.new")));
    CHECK_OK(virDomainAbortJob(pair.domain));          /* the transfer goes on, for another controller: there is none */
    WAIT_FOR(virDomainSuspend(pair.domain) == 0 && virDomainResume(pair.domain) == 0, 5000);
    WAIT_FOR((other = virDomainLookupByName(pair.destination, "table")) == NULL || (virDomainFree(other), false), 5000);
    checkNothingAt(pair.destination, 1);               /* its socket neither */
    checkState(pair.domain, VIR_DOMAIN_RUNNING);
    waitForMore(pair.serial, 30);
    endPair(&pair);
}

/* ---- the table ---- */

static virConnectPtr
tableOpen(int side, const char *fault)
{
    (void)fault;
    return openHost(side);
}

TEST_LIMIT(migration_means_the_same_in_every_case, 240)
{
    struct tableDriver table = { .open = tableOpen };

    CHECK_OK(virInitialize());
    CHECK_OK(virEventRegisterDefaultImpl());
    table.xml = guestDocument(scratchPath("serial"), 64);
    tableRunSuccess(&table);
}
