/*
 * Eight real guests migrate at once: from one thread that steps all of them in turn, and from as many threads. What one migration costs while it
 * waits, and how soon an abort is obeyed, within bounds that a busy machine keeps too (tests/bench/waiting.c measures).
 */
#include "../../virt.h"
#include "../harness.h"
#include "../counting.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

#define MANY 8

struct traveller {
    char name[16], serial[1024];
    virDomainPtr domain;
    virMigrationPtr m;
    pthread_t thread;
    int rc;
};

static virConnectPtr
openHost(int host)
{
    char uri[1100];

    needsQemu();
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("host%d", host));
    return virConnectOpen(uri);
}

static void
start(struct traveller *one, int i, virConnectPtr conn, const char *image)
{
    snprintf(one->name, sizeof(one->name), "t%d", i);
    snprintf(one->serial, sizeof(one->serial), "%s", scratchPath("serial%d", i));
    CHECK_PTR(one->domain = virDomainCreateXML(conn, countingDocument(one->name, image, one->serial, 32), 0));
}

/* All of them in turn: none waits for another, and the thread sleeps until one of them has something to do. */
static void
stepInTurn(struct traveller *all)
{
    int under = MANY;

    for (int i = 0; i < MANY; i++)
        all[i].rc = 1;
    while (under > 0) {
        struct pollfd fds[MANY];
        int nfds = 0, least = 1000, events, ms;

        under = 0;
        for (int i = 0; i < MANY; i++) {
            if (all[i].rc > 0)
                CHECK_OK(all[i].rc = virMigrationStep(all[i].m, 0));
            if (all[i].rc == 0)
                continue;
            under++;
            CHECK_OK(virMigrationGetWait(all[i].m, &fds[nfds].fd, &events, &ms));
            fds[nfds].events = (short)((events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0) | (events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0));
            nfds += fds[nfds].fd >= 0;
            least = ms >= 0 && ms < least ? ms : least;
        }
        if (under > 0)
            poll(fds, (nfds_t)nfds, least);
    }
}

static void *
travel(void *opaque)
{
    struct traveller *one = opaque;

    while ((one->rc = virMigrationStep(one->m, 100)) > 0)
        ;
    return NULL;
}

static void
migrateMany(bool threads)
{
    virConnectPtr a = openHost(0), b = openHost(1);
    const char *image = guestImage("light.img");
    struct traveller all[MANY];

    CHECK_NOT_NULL(a);
    CHECK_NOT_NULL(b);
    for (int i = 0; i < MANY; i++)
        start(&all[i], i, a, image);
    for (int i = 0; i < MANY; i++) {
        countingGoesOn(all[i].serial);
        CHECK_PTR(all[i].m = virMigrationNew(all[i].domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    }
    if (!threads)
        stepInTurn(all);
    for (int i = 0; i < MANY && threads; i++)
        CHECK_INT(pthread_create(&all[i].thread, NULL, travel, &all[i]), 0);
    for (int i = 0; i < MANY && threads; i++)
        CHECK_INT(pthread_join(all[i].thread, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        virDomainPtr guest;

        CHECK_INT(all[i].rc, 0);
        CHECK_MSG(virMigrationGetOutcome(all[i].m) == VIR_MIGRATION_OUTCOME_MIGRATED, "%s: %s", all[i].name,
                  virMigrationGetError(all[i].m) != NULL ? virMigrationGetError(all[i].m)->message : "no error");
        CHECK_PTR(guest = virMigrationGetDomain(all[i].m));
        CHECK(virDomainGetConnect(guest) == b);
        virMigrationFree(all[i].m);
        virDomainFree(all[i].domain);
        countingGoesOn(all[i].serial);
        CHECK_OK(virDomainDestroy(guest));
        virDomainFree(guest);
    }
    CHECK_INT(virConnectListAllDomains(a, NULL, 0), 0);
    CHECK_INT(virConnectListAllDomains(b, NULL, 0), 0);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}

TEST_LIMIT(eight_guests_migrate_at_once_stepped_in_turn, 240)
{
    migrateMany(false);
}

TEST_LIMIT(eight_guests_migrate_at_once_from_eight_threads, 240)
{
    migrateMany(true);
}

/* ---- waiting, and not waiting ---- */

static double
threadCpu(void)
{
    struct rusage usage;

    CHECK_INT(getrusage(RUSAGE_THREAD, &usage), 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

TEST_LIMIT(a_transfer_costs_its_thread_next_to_nothing_and_an_abort_is_obeyed, 120)
{
    virConnectPtr a = openHost(0), b = openHost(1);
    virTypedParameterPtr params = NULL;
    struct traveller one;
    long long begun;
    double cpu;
    int n = 0, max = 0;

    start(&one, 0, a, guestImage("light.img"));
    countingGoesOn(one.serial);
    CHECK_OK(virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, 1));
    CHECK_PTR(one.m = virMigrationNew(one.domain, b, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    virTypedParamsFree(params, n);
    while (virMigrationGetPhase(one.m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(one.m, 1000), 1);
    cpu = threadCpu();
    begun = harnessNowMs();
    while (harnessNowMs() - begun < 2000)
        CHECK_INT(virMigrationStep(one.m, 500), 1);
    CHECK_INT(virMigrationGetPhase(one.m), VIR_MIGRATION_PHASE_PERFORM);
    cpu = (threadCpu() - cpu) / 2;
    CHECK_MSG(harnessIsSanitized() || cpu < 0.05, "it has cost %.1f %% of the thread's time", cpu * 100);
    begun = harnessNowMs();
    CHECK_OK(virMigrationAbort(one.m));
    while (virMigrationStep(one.m, 1000) > 0)
        ;
    CHECK_LESS(harnessNowMs() - begun, harnessSlow(2000));
    CHECK_INT(virMigrationGetOutcome(one.m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(one.m);
    countingGoesOn(one.serial);
    CHECK_OK(virDomainDestroy(one.domain));
    virDomainFree(one.domain);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}

#undef MANY
