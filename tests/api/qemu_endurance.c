/*
 * Real guests for a long time: migrations back and forth, and a root opened again and again. Nothing
 * may grow. The guest counts on its serial line and checks its own memory; both hosts append to one
 * file, so whatever a migration loses, repeats or corrupts stands there.
 */
#include "../../virt.h"
#include "../harness.h"

#include <stdint.h>
#include <ctype.h>

#define ENDURANCE_ROUNDS 25             /* there and back: 50 migrations */

struct endurance {
    virConnectPtr conn[2];
    virDomainPtr guest;
    const char *serial;
};

/* What one process can leave behind, counted between two rounds. */
struct endurancePrint {
    int descriptors, threads, processes, files;
    size_t heap;
};

static void
enduranceStart(struct endurance *e)
{
    char xml[2048];

    e->serial = strdup(scratchPath("serial"));
    CHECK_OK(virInitialize());
    for (int i = 0; i < 2; i++) {
        char uri[512];

        /* records would be kept for a day */
        snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&migration-records=1", scratchRoot("%d", i));
        CHECK_PTR(e->conn[i] = virConnectOpen(uri));
    }
    snprintf(xml, sizeof(xml),
             "<domain type='qemu'><name>endurance</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>"
             "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
             "<target dev='vda' bus='virtio'/></disk>"
             "<serial type='file'><source path='%s' append='on'/><target port='0'/></serial>"
             "</devices></domain>", guestImage("light.img"), e->serial);
    CHECK_PTR(e->guest = virDomainCreateXML(e->conn[0], xml, 0));
}

/* The last whole number on the serial line; everything before it must be 0, 1, 2, ... */
static long
enduranceCheckNumbers(const char *path)
{
    char *text = readFile(path), *line = text;
    long expected = 0;

    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char *rest;
        long n = strtol(line, &rest, 10);

        CHECK_MSG(isdigit((unsigned char)*line) && *rest == '\r', "the guest says: %.*s", (int)(end - line), line);
        CHECK_MSG(n == expected, "%ld follows %ld", n, expected - 1);
        expected++;
    }
    free(text);
    return expected - 1;
}

static void
enduranceWaitNumbers(const char *path, long more)
{
    long first = enduranceCheckNumbers(path);

    WAIT_FOR(enduranceCheckNumbers(path) >= first + more, 10000);
}

static void
enduranceMove(struct endurance *e, int to)
{
    virMigrationPtr m = virMigrationNew(e->guest, e->conn[to], NULL, 0, VIR_MIGRATE_LIVE);
    virDomainPtr moved;

    CHECK_PTR(m);
    while (virMigrationStep(m, 1000) > 0)
        continue;
    CHECK_MSG(virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED, "outcome %d: %s",
              (int)virMigrationGetOutcome(m),
              virMigrationGetError(m) != NULL ? virMigrationGetError(m)->message : "no error");
    CHECK_PTR(moved = virMigrationGetDomain(m));
    virMigrationFree(m);
    virDomainFree(e->guest);
    e->guest = moved;
    CHECK_INT(virConnectNumOfDomains(e->conn[to]), 1);
    CHECK_INT(virConnectNumOfDomains(e->conn[!to]), 0);
}

static struct endurancePrint
endurancePrint(void)
{
    struct endurancePrint print;
    char command[256], *files;

    printf("now: ");              /* first, as the buffer it allocates is not the library's */
    snprintf(command, sizeof(command), "find %s -mindepth 1 | wc -l", scratchDir());
    runShell(command, &files);
    print.files = atoi(files);
    free(files);
    print.descriptors = countDescriptors();
    print.threads = countThreads();
    print.processes = countProcesses(NULL, 0);
    print.heap = heapInUse();
    printf("%d descriptors, %d threads, %d processes, %d files, %zu bytes\n", print.descriptors,
           print.threads, print.processes, print.files, print.heap);
    return print;
}

TEST_LIMIT(fifty_migrations_lose_nothing_and_leave_nothing, 300)
{
    struct endurance e;
    struct endurancePrint first, last;
    size_t early = 0, late = SIZE_MAX;

    needsQemu();
    enduranceStart(&e);
    enduranceWaitNumbers(e.serial, 20);
    for (int round = 0; round < (harnessIsSanitized() ? 5 : ENDURANCE_ROUNDS); round++) {
        for (int to = 1; to >= 0; to--) {
            harnessContext("round %d, to host %d", round, to);
            enduranceMove(&e, to);
            enduranceWaitNumbers(e.serial, 5);
        }
        last = endurancePrint();
        if (round == 0)
            first = last;
        /* texts with process numbers in them make single rounds differ by some bytes; growth would show from the first five to the last */
        if (round < 5 && last.heap > early)
            early = last.heap;
        if (round >= ENDURANCE_ROUNDS - 5 && last.heap < late)
            late = last.heap;
    }
    harnessContext("%s", "");
    CHECK_INT(last.descriptors, first.descriptors);
    CHECK_INT(last.threads, first.threads);
    CHECK_INT(last.processes, first.processes);
    CHECK_INT(last.files, first.files);
    if (!harnessIsSanitized())
        CHECK_LESS(late, early + 1);
    CHECK_OK(virDomainDestroy(e.guest));
    virDomainFree(e.guest);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK_INT(virConnectClose(e.conn[0]), 0);
    CHECK_INT(virConnectClose(e.conn[1]), 0);
    free((char *)e.serial);
}

TEST_LIMIT(a_root_is_opened_ten_thousand_times, 120)
{
    char uri[512];
    struct endurancePrint first = { 0 }, last = { 0 };

    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("root"));
    CHECK_OK(virInitialize());
    for (int i = 0; i < (harnessIsSanitized() ? 200 : 10000); i++) {
        virConnectPtr conn;

        harnessContext("open %d", i);
        CHECK_PTR(conn = virConnectOpen(uri));
        CHECK_INT(virConnectClose(conn), 0);
        if (i == 10)
            first = endurancePrint();
    }
    last = endurancePrint();
    CHECK_INT(last.descriptors, first.descriptors);
    CHECK_INT(last.threads, first.threads);
    CHECK_INT(last.files, first.files);
    if (!harnessIsSanitized())
        CHECK_LESS(last.heap, first.heap + 1);
}
