/*
 * A live migration, walked phase by phase, between two hosts in one process.
 *
 *     cc examples/migrate.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o migrate
 *     ./migrate                two hosts of the test driver
 *     ./migrate IMAGE          two hosts of QEMU, each a folder; the guest boots IMAGE, whose serial line counts
 *
 * stepAcross() is all there is to it: virMigrationStep runs the current phase for as long as the caller can spare, and in between the caller
 * shows where it is, draws a bar, or gives up with virMigrationAbort. The rest of this file starts a guest, and checks that the
 * numbers it prints go on at the other host, none lost and none repeated. Next: driver.c.
 */
#define _XOPEN_SOURCE 700
#include "../virt.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/virt-migrate-XXXXXX";

static unsigned long long
number(virTypedParameterPtr params, int n, const char *name)
{
    unsigned long long value = 0;

    virTypedParamsGetULLong(params, n, name, &value);
    return value;
}

/*
 * While memory moves: one line, drawn over itself, on a terminal; a line each time elsewhere. Progress may go back: the guest writes what has
 * been sent already.
 */
static void
drawBar(virMigrationPtr m)
{
    virTypedParameterPtr stats = NULL;
    unsigned long long total, left;
    int n = 0, i, done;

    if (virMigrationGetStats(m, &stats, &n) < 0)
        return;
    total = number(stats, n, VIR_DOMAIN_JOB_MEMORY_TOTAL);
    left = number(stats, n, VIR_DOMAIN_JOB_MEMORY_REMAINING);
    if (total > 0) {
        done = (int)((total - left) * 30 / total);
        printf("%s    [", isatty(STDOUT_FILENO) ? "\r" : "");
        for (i = 0; i < 30; i++)
            putchar(i < done ? '#' : '.');
        printf("] pass %llu, %4llu MiB left, %4llu MiB/s%s", number(stats, n, VIR_DOMAIN_JOB_MEMORY_ITERATION), left >> 20,
               number(stats, n, VIR_DOMAIN_JOB_MEMORY_BPS) >> 20, isatty(STDOUT_FILENO) ? " " : "\n");
        fflush(stdout);
    }
    virTypedParamsFree(stats, n);
}

static void
showPhase(virMigrationPtr m, virMigrationPhase phase)
{
    virMigrationPhaseInfo info;

    if (virMigrationGetPhaseInfo(m, phase, &info) == 0 && info.rounds > 0)
        printf("  %-8s at the %-12s %8.1f ms   cookie in %5zu, out %5zu bytes\n", virMigrationPhaseGetName(phase), info.side == VIR_MIGRATION_SIDE_SOURCE ? "source" : "destination",
               (double)info.elapsedUs / 1000, info.cookieIn, info.cookieOut);
}

/* The migration itself. Returns the guest where it is now, or NULL if it could not be told. */
static virDomainPtr
stepAcross(virDomainPtr domain, virConnectPtr destination)
{
    virMigrationPhase before, phase = VIR_MIGRATION_PHASE_BEGIN;
    virTypedParameterPtr params = NULL, stats = NULL;
    virDomainPtr guest = NULL;
    virMigrationPtr m = NULL;
    int rc, n = 0, max = 0;

    /* no faster than an ordinary network, or there would be nothing to see */
    if (virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, 100) == 0)
        m = virMigrationNew(domain, destination, params, (unsigned int)n, VIR_MIGRATE_LIVE);
    virTypedParamsFree(params, n);
    if (m == NULL)
        return NULL;
    do {
        before = phase;
        rc = virMigrationStep(m, 100);
        phase = virMigrationGetPhase(m);
        if (phase == VIR_MIGRATION_PHASE_PERFORM)
            drawBar(m);
        if (phase != before) {
            if (before == VIR_MIGRATION_PHASE_PERFORM && isatty(STDOUT_FILENO))
                printf("\r%78s\r", "");
            showPhase(m, before);
        }
    } while (rc > 0);

    n = 0;
    if (rc == 0 && virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED) {
        guest = virMigrationGetDomain(m);
        if (virMigrationGetStats(m, &stats, &n) == 0)
            printf("outcome: migrated in %llu ms, of which the guest stood still %llu ms\n",
                   number(stats, n, VIR_DOMAIN_JOB_TIME_ELAPSED), number(stats, n, VIR_DOMAIN_JOB_DOWNTIME));
        virTypedParamsFree(stats, n);
    } else {
        printf("outcome: rolled back: %s\n", virMigrationGetError(m) != NULL ? virMigrationGetError(m)->message : "?");
    }
    virMigrationFree(m);
    return guest;
}

/* ---- a guest to move ---- */

/* The newest number that the guest has written, after checking that each follows the one before: -1 none yet, -2 a gap. */
static long
lastNumber(void)
{
    char path[sizeof(folder) + 16], line[64];
    long last = -1, n;
    char *end;
    FILE *f;

    snprintf(path, sizeof(path), "%s/serial", folder);
    if ((f = fopen(path, "r")) == NULL)
        return -1;
    while (fgets(line, sizeof(line), f) != NULL && strchr(line, '\n') != NULL) {
        n = strtol(line, &end, 10);
        if (end == line)
            continue;                 /* what the firmware says */
        if (last >= 0 && n != last + 1) {
            fprintf(stderr, "%ld follows %ld\n", n, last);
            last = -2;
            break;
        }
        last = n;
    }
    fclose(f);
    return last;
}

/* Waits until the guest has counted `more` further numbers. */
static int
waitForNumbers(long more, const char *where)
{
    long first = lastNumber(), last = first;

    for (int i = 0; i < 600 && last != -2 && last < (first < 0 ? 0 : first) + more; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
        last = lastNumber();
    }
    if (last == -2 || last < 0 || last < first + more) {
        fprintf(stderr, "the guest does not count %s\n", where);
        return -1;
    }
    printf("the guest has counted to %ld %s\n", last, where);
    return 0;
}

static virDomainPtr
startGuest(virConnectPtr conn, const char *image)
{
    static const char format[] =
        "<domain type='%s'>"
        "  <name>counter</name>"
        "  <memory unit='MiB'>256</memory>"
        "  <vcpu>1</vcpu>"
        "  <os><type arch='x86_64' machine='pc'>hvm</type></os>"
        "  <devices>"
        "    <disk type='file' device='disk'>"
        "      <driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/><readonly/>"
        "    </disk>"
        "    <serial type='file'><source path='%s/serial' append='on'/></serial>"
        "  </devices>"
        "</domain>";
    char xml[8192], path[4096];
    virDomainPtr domain;

    if (image != NULL && realpath(image, path) == NULL) {
        perror(image);
        return NULL;
    }
    snprintf(xml, sizeof(xml), format, image != NULL ? "qemu" : "test", image != NULL ? path : "/nowhere", folder);
    domain = virDomainDefineXML(conn, xml);
    if (domain != NULL && virDomainCreate(domain) < 0) {
        virDomainUndefine(domain);
        virDomainFree(domain);
        return NULL;
    }
    return domain;
}

/* Source, destination, guest and back to nothing. 0 if all went well. */
static int
run(virConnectPtr source, virConnectPtr destination, const char *image)
{
    virDomainPtr domain = startGuest(source, image), guest;
    int rc = -1;

    if (domain == NULL)
        return -1;
    printf("guest '%s' runs at %s\n", virDomainGetName(domain), image != NULL ? "the first host" : "the first simulated host");
    if (image == NULL || waitForNumbers(100, "at the first host") == 0) {
        guest = stepAcross(domain, destination);
        if (guest != NULL) {
            rc = image == NULL ? 0 : waitForNumbers(100, "at the second host, without a gap");
            virDomainDestroy(guest);
            virDomainFree(guest);
        }
    }
    if (virDomainIsActive(domain) == 1)
        virDomainDestroy(domain);
    virDomainUndefine(domain);
    virDomainFree(domain);
    return rc;
}

static int
removeOne(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int
main(int argc, char **argv)
{
    const char *image = argc > 1 ? argv[1] : NULL;
    char uri[2][sizeof(folder) + 64];
    virConnectPtr source, destination = NULL;
    int rc = -1;

    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        if (image != NULL)
            snprintf(uri[i], sizeof(uri[i]), "qemu:///embed?root=%s/host%d", folder, i + 1);
        else
            snprintf(uri[i], sizeof(uri[i]), "test:///default?host=host%d&memory-mib=64&dirty-rate=8", i + 1);
        printf("host %d: %s\n", i + 1, uri[i]);
    }
    if ((source = virConnectOpen(uri[0])) != NULL && (destination = virConnectOpen(uri[1])) != NULL)
        rc = run(source, destination, image);
    if (rc < 0 && virGetLastErrorCode() != VIR_ERR_OK)
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
    if (destination != NULL)
        virConnectClose(destination);
    if (source != NULL)
        virConnectClose(source);
    nftw(folder, removeOne, 16, FTW_DEPTH | FTW_PHYS);
    return rc == 0 ? 0 : 1;
}
