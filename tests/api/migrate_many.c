/*
 * An abort from another thread, while a phase keeps a step waiting. (Fifty migrations at once: migrate_test.c; eight of QEMU's: qemu_many.c;
 * measured: tests/bench/waiting.c.)
 */
#include "../../virt.h"
#include "../harness.h"

#include <pthread.h>

static void *
abortSoon(void *opaque)
{
    harnessSleepMs(150);
    CHECK_OK(virMigrationAbort(opaque));
    return NULL;
}

/* `fault` is that of the host where this phase is: it keeps the phase for ten seconds. */
static void
checkObeyed(virMigrationPhase phase, const char *a, const char *b)
{
    virConnectPtr source, destination;
    virDomainPtr domain, there;
    virMigrationPtr m;
    pthread_t thread;
    long long begun;
    char uri[256];
    int state;

    harnessContext("in %s", virMigrationPhaseGetName(phase));
    snprintf(uri, sizeof(uri), "test:///default?host=a&memory-mib=16%s", a);
    CHECK_PTR(source = virConnectOpen(uri));
    snprintf(uri, sizeof(uri), "test:///default?host=b%s", b);
    CHECK_PTR(destination = virConnectOpen(uri));
    CHECK_PTR(there = virDomainLookupByName(destination, "test"));
    CHECK_OK(virDomainDestroy(there));
    CHECK_OK(virDomainUndefine(there));
    virDomainFree(there);
    CHECK_PTR(domain = virDomainLookupByName(source, "test"));
    CHECK_PTR(m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != phase)
        CHECK_INT(virMigrationStep(m, -1), 1);
    begun = harnessNowMs();
    CHECK_INT(pthread_create(&thread, NULL, abortSoon, m), 0);
    while (virMigrationStep(m, -1) > 0)
        ;
    CHECK_LESS(harnessNowMs() - begun, 150 + harnessSlow(1000));
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_OPERATION_ABORTED);
    virMigrationFree(m);
    CHECK_OK(virDomainGetState(domain, &state, NULL, 0));
    CHECK_INT(state, VIR_DOMAIN_RUNNING);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(source), 0);
    CHECK_INT(virConnectClose(destination), 0);
}

TEST(an_abort_is_obeyed_at_once_in_every_phase_that_can_be_taken_back)
{
    checkObeyed(VIR_MIGRATION_PHASE_BEGIN, "&fault=begin:hang:10000", "");
    checkObeyed(VIR_MIGRATION_PHASE_PREPARE, "", "&fault=prepare:hang:10000");
    checkObeyed(VIR_MIGRATION_PHASE_PERFORM, "&bandwidth=1", "");
    checkObeyed(VIR_MIGRATION_PHASE_FINISH, "", "&fault=finish:hang:10000");
}
