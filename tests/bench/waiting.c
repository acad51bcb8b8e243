/*
 * What a migration costs the thread that steps it while it waits, and how soon an abort is obeyed in each phase:
 *
 *     waiting [-s SECONDS] [IMAGE]         IMAGE: a counting guest (build/guest/light.img), for QEMU; without it the test driver alone
 *
 * The share is the thread's time by getrusage over the time that has passed, in Perform, of a transfer that does not come to
 * an end: once with steps that wait, once in a poll loop of the program's own. An abort is asked for by a second thread while a
 * step waits; `left` is when the phase was left, `over` when the guest was again what it had been, or was found to have moved
 * already. Confirm is past aborting. Exit code 1 if a share is 1 % or more, or if `left` takes 200 ms.
 */
#define _GNU_SOURCE
#ifdef VIRT_HEADER
# include VIRT_HEADER
#else
# include "../../virt.h"
#endif

#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/virt-waiting-XXXXXX";
static const char *image;
static double seconds = 5;
static bool missed;

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double
threadTime(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static _Noreturn void
fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, virGetLastErrorMessage());
    exit(2);
}

/* ---- a pair of hosts ---- */

struct pair { virConnectPtr a, b; virDomainPtr domain; };

/* Of the test driver the phase `hangs` takes a second; QEMU has its own times. */
static void
openPair(struct pair *pair, bool qemu, virMigrationPhase hangs)
{
    bool atSource = hangs == VIR_MIGRATION_PHASE_BEGIN || hangs == VIR_MIGRATION_PHASE_CONFIRM;
    char uri[256], xml[4096], fault[64] = "";
    virDomainPtr there;

    if (hangs != VIR_MIGRATION_PHASE_PERFORM)
        snprintf(fault, sizeof(fault), "&fault=%s:hang:1000", virMigrationPhaseGetName(hangs));

    if (qemu)
        snprintf(uri, sizeof(uri), "qemu:///embed?root=%s/a", folder);
    else
        snprintf(uri, sizeof(uri), "test:///default?host=a%s&memory-mib=%s", atSource ? fault : "",
                 hangs == VIR_MIGRATION_PHASE_PERFORM ? "65536&bandwidth=64&dirty-rate=32" : "64");
    if ((pair->a = virConnectOpen(uri)) == NULL)
        fail(uri);
    if (qemu)
        snprintf(uri, sizeof(uri), "qemu:///embed?root=%s/b", folder);
    else
        snprintf(uri, sizeof(uri), "test:///default?host=b%s", atSource ? "" : fault);
    if ((pair->b = virConnectOpen(uri)) == NULL)
        fail(uri);
    if (!qemu) {
        there = virDomainLookupByName(pair->b, "test");
        virDomainDestroy(there);
        virDomainUndefine(there);
        virDomainFree(there);
        pair->domain = virDomainLookupByName(pair->a, "test");
    } else {
        snprintf(xml, sizeof(xml), "<domain type='qemu'><name>waiting</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
                 "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                 "<source file='%s'/><target dev='vda' bus='virtio'/><readonly/></disk></devices></domain>", image);
        pair->domain = virDomainCreateXML(pair->a, xml, 0);
        usleep(1500000);                         /* it writes by then */
    }
    if (pair->domain == NULL)
        fail("guest");
}

static void
closePair(struct pair *pair)
{
    for (int side = 0; side < 2; side++) {
        virDomainPtr guest = virDomainLookupByName(side == 0 ? pair->a : pair->b, virDomainGetName(pair->domain));

        if (guest != NULL) {
            virDomainDestroy(guest);
            virDomainFree(guest);
        }
    }
    virDomainFree(pair->domain);
    virConnectClose(pair->a);
    virConnectClose(pair->b);
}

static virMigrationPtr
make(struct pair *pair, unsigned long long bandwidth)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virMigrationPtr m;

    if (bandwidth != 0)
        virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, bandwidth);
    if ((m = virMigrationNew(pair->domain, pair->b, params, (unsigned int)n, VIR_MIGRATE_LIVE)) == NULL)
        fail("virMigrationNew");
    virTypedParamsFree(params, n);
    return m;
}

static void
stepInto(virMigrationPtr m, virMigrationPhase phase)
{
    while (virMigrationGetPhase(m) != phase)
        if (virMigrationStep(m, -1) <= 0)
            fail("it ended before its time");
}

/* ---- the thread's share ---- */

static void
share(bool qemu, bool loop)
{
    struct pair pair;
    virMigrationPtr m;
    double from, cpu;
    int steps = 0;

    openPair(&pair, qemu, VIR_MIGRATION_PHASE_PERFORM);
    m = make(&pair, 1);
    stepInto(m, VIR_MIGRATION_PHASE_PERFORM);
    from = now();
    cpu = threadTime();
    while (now() - from < seconds) {
        struct pollfd fd = { .fd = -1 };
        int events, ms;

        if (virMigrationStep(m, loop ? 0 : 500) != 1 || virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
            fail("it ended before its time");
        steps++;
        if (loop && virMigrationGetWait(m, &fd.fd, &events, &ms) == 0) {
            fd.events = (short)((events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0) | (events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0));
            poll(&fd, fd.fd >= 0, ms < 0 || ms > 500 ? 500 : ms);
        }
    }
    cpu = (threadTime() - cpu) / (now() - from);
    printf("%-5s perform, %-22s %6.3f %% of the thread's time, %d steps in %.1f s%s\n", qemu ? "qemu" : "test",
           loop ? "in a loop of one's own" : "in steps of 500 ms", cpu * 100, steps, now() - from, cpu < 0.01 ? "" : "   MISSED");
    missed = missed || cpu >= 0.01;
    virMigrationAbort(m);
    while (virMigrationStep(m, -1) > 0)
        ;
    virMigrationFree(m);
    closePair(&pair);
}

/* ---- an abort ---- */

struct request { virMigrationPtr m; double at; unsigned int after; };

static void *
abortLater(void *opaque)
{
    struct request *request = opaque;

    usleep(request->after);
    request->at = now();
    virMigrationAbort(request->m);
    return NULL;
}

/* While a step of this phase waits, so many us after it was called. */
static void
obey(bool qemu, virMigrationPhase phase, unsigned int after)
{
    struct request request = { .after = after };
    double left = 0, over;
    struct pair pair;
    pthread_t thread;
    bool late, judged = phase != VIR_MIGRATION_PHASE_CONFIRM;
    int rc;

    openPair(&pair, qemu, phase);
    request.m = make(&pair, phase == VIR_MIGRATION_PHASE_PERFORM ? 1 : phase < VIR_MIGRATION_PHASE_PERFORM ? 0 : 10000);
    stepInto(request.m, phase);
    pthread_create(&thread, NULL, abortLater, &request);
    do {
        rc = virMigrationStep(request.m, -1);
        if (left == 0 && virMigrationGetPhase(request.m) != phase)
            left = now();
    } while (rc > 0 || left == 0);
    over = now();
    pthread_join(thread, NULL);
    late = left < request.at;
    printf("%-5s abort in %-8s %3u ms after it began: ", qemu ? "qemu" : "test", virMigrationPhaseGetName(phase), after / 1000);
    if (late)
        printf("it was over before\n");
    else
        printf("left after %5.1f ms, over after %5.1f ms, %s%s\n", (left - request.at) * 1000, (over - request.at) * 1000,
               virMigrationGetOutcome(request.m) == VIR_MIGRATION_OUTCOME_MIGRATED ? "migrated" : "rolled back",
               !judged || left - request.at < 0.2 ? "" : "   MISSED");
    missed = missed || (judged && !late && left - request.at >= 0.2);
    virMigrationFree(request.m);
    closePair(&pair);
}

static int
removeOne(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void
removeFolder(void)
{
    nftw(folder, removeOne, 16, FTW_DEPTH | FTW_PHYS);
}

int
main(int argc, char **argv)
{
    static const unsigned int moments[] = { 1000, 20000, 60000, 400000 };         /* us */
    static char path[4096];
    int option;

    while ((option = getopt(argc, argv, "s:")) != -1) {
        if (option != 's')
            return 2;
        seconds = atof(optarg);
    }
    if (optind < argc) {
        if (realpath(argv[optind], path) == NULL)
            fail(argv[optind]);
        image = path;
    }
    if (mkdtemp(folder) == NULL)
        fail(folder);
    atexit(removeFolder);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int qemu = 0; qemu <= (image != NULL); qemu++) {
        share(qemu, false);
        share(qemu, true);
        for (int phase = VIR_MIGRATION_PHASE_BEGIN; phase <= VIR_MIGRATION_PHASE_CONFIRM; phase++)
            for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
                obey(qemu, (virMigrationPhase)phase, moments[i]);
    }
    return missed ? 1 : 0;
}
