/*
 * Disks that move with a guest: copied over NBD, in full or above a common backing image, some or all, with what the guest writes meanwhile, and
 * cleaned up after when it does not come to its end.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../counting.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define SIZE 24                       /* MiB of a disk */

static char serial[1024];

__attribute__((format(printf, 1, 2))) static int
shell(const char *format, ...)
{
    char command[4000];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return runShell(command, NULL);
}

static virConnectPtr
openHost(char name)
{
    char uri[2200];

    needsQemu();
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&migration-expiry=3", scratchRoot("host-%c", name));
    return virConnectOpen(uri);
}

static const char *
image(char host, const char *disk)
{
    static char paths[8][1200];
    static int next;
    char *path = paths[next++ % 8];

    mkdir(scratchPath("disks-%c", host), 0700);
    snprintf(path, sizeof(paths[0]), "%s", scratchPath("disks-%c/%s", host, disk));
    return path;
}

/* A raw image whose every sector says which it is. */
static void
fill(const char *path, int mib)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    unsigned int sector[128];

    CHECK(fd >= 0);
    for (unsigned int i = 0; i < (unsigned int)mib * 2048; i++) {
        for (unsigned int k = 0; k < 128; k++)
            sector[k] = i * 2654435761u + k;
        if (i % 3 != 0)
            CHECK_INT(pwrite(fd, sector, sizeof(sector), (off_t)i * 512), sizeof(sector));
    }
    CHECK_INT(ftruncate(fd, (off_t)mib * MIB), 0);
    close(fd);
}

static void
checkSame(const char *one, const char *other)
{
    CHECK_MSG(shell("qemu-img compare -q %s %s", one, other) == 0, "%s and %s differ", one, other);
}

/* The document of a guest whose disks are at this host; disks: of "vdb" (raw) and "vdc" (qcow2). */
static char *
document(char host, const char *disks)
{
    static const char *const raw = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
                                   "<target dev='vdb' bus='virtio'/></disk>";
    static const char *const qcow = "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
                                    "<backingStore type='file'><format type='raw'/><source file='%s'/><backingStore/></backingStore>"
                                    "<target dev='vdc' bus='virtio'/></disk>";
    char *xml, more[5000] = "", *end;

    snprintf(serial, sizeof(serial), "%s", scratchPath("serial"));
    if (strstr(disks, "vdb") != NULL)
        snprintf(more, sizeof(more), raw, image(host, "vdb"));
    if (strstr(disks, "vdc") != NULL)
        snprintf(more + strlen(more), sizeof(more) - strlen(more), qcow, image(host, "vdc"), scratchPath("base"));
    CHECK_NOT_NULL(xml = malloc(16000));
    snprintf(xml, 16000, "%s", countingDocument("guest", guestImage("light.img"), serial, 64));
    CHECK_NOT_NULL(end = strstr(xml, "<serial"));
    memmove(end + strlen(more), end, strlen(end) + 1);
    memcpy(end, more, strlen(more));
    return xml;
}

/* Its document as it is to be at the other host: the source's, with the folder of its disks exchanged. */
static char *
documentThere(virDomainPtr guest)
{
    char *xml = virDomainGetXMLDesc(guest, VIR_DOMAIN_XML_MIGRATABLE), *at;

    CHECK_PTR(xml);
    while ((at = strstr(xml, "/disks-a/")) != NULL)
        at[7] = 'b';
    return xml;
}

struct move {
    virConnectPtr a, b;
    virDomainPtr guest, moved;
    unsigned int flags;
    virTypedParameterPtr params;
    int n, max;
};

static void
begin(struct move *move, const char *disks)
{
    char *xml;

    memset(move, 0, sizeof(*move));
    CHECK_PTR(move->a = openHost('a'));
    CHECK_PTR(move->b = openHost('b'));
    image('b', "");
    if (strstr(disks, "vdb") != NULL)
        fill(image('a', "vdb"), SIZE);
    if (strstr(disks, "vdc") != NULL) {
        fill(scratchPath("base"), SIZE);
        CHECK_INT(shell("qemu-img create -q -f qcow2 -b %s -F raw %s && qemu-io -c 'write -P 7 1M 5M' %s >/dev/null", scratchPath("base"),
                           image('a', "vdc"), image('a', "vdc")), 0);
    }
    xml = document('a', disks);
    CHECK_PTR(move->guest = virDomainCreateXML(move->a, xml, 0));
    free(xml);
    countingGoesOn(serial);
    xml = documentThere(move->guest);
    CHECK_OK(virTypedParamsAddString(&move->params, &move->n, &move->max, VIR_MIGRATE_PARAM_DEST_XML, xml));
    free(xml);
    move->flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_NON_SHARED_DISK;
}

static void
parameter(struct move *move, const char *name, const char *value)
{
    CHECK_OK(virTypedParamsAddString(&move->params, &move->n, &move->max, name, value));
}

static void
finish(struct move *move)
{
    virDomainPtr guest = move->moved != NULL ? move->moved : move->guest;

    countingGoesOn(serial);
    CHECK_OK(virDomainDestroy(guest));
    if (move->moved != NULL)
        virDomainFree(move->moved);
    virDomainFree(move->guest);
    virTypedParamsFree(move->params, move->n);
    CHECK_INT(virConnectClose(move->a), 0);
    CHECK_INT(virConnectClose(move->b), 0);
    CHECK_INT(shell("test -z \"$(ls %s/host-?/run/*.nbd %s/host-?/run/*.migrate 2>/dev/null)\"", scratchPath("."), scratchPath(".")), 0);
}

static void
migrate(struct move *move)
{
    CHECK_PTR(move->moved = virDomainMigrate3(move->guest, move->b, move->params, (unsigned int)move->n, move->flags));
}

/* Nothing of the copy is left in the source's QEMU. */
static void
checkNoMirrors(virDomainPtr guest)
{
    char *text = NULL;

    CHECK_OK(virDomainQemuMonitorCommand(guest, "{\"execute\":\"query-jobs\"}", &text, 0));
    CHECK_CONTAINS(text, "\"return\":[]");
    free(text);
    CHECK_OK(virDomainQemuMonitorCommand(guest, "{\"execute\":\"query-named-block-nodes\",\"arguments\":{\"flat\":true}}", &text, 0));
    CHECK(strstr(text, "\"migration-") == NULL);
    free(text);
}

TEST(a_disk_moves_in_full_into_an_image_that_is_made_for_it)
{
    struct move move;

    begin(&move, "vdb");
    CHECK(access(image('b', "vdb"), F_OK) < 0);
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdb"), image('b', "vdb"));
}

TEST(a_disk_moves_into_an_image_that_is_there)
{
    struct move move;

    begin(&move, "vdb");
    CHECK_INT(shell("head -c %d /dev/urandom > %s", SIZE * MIB, image('b', "vdb")), 0);
    move.flags |= VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES;
    parameter(&move, VIR_MIGRATE_PARAM_URI, "tcp:127.0.0.1");
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdb"), image('b', "vdb"));
}

TEST(only_what_is_above_the_backing_image_moves)
{
    struct move move;
    struct stat info;

    begin(&move, "vdc");
    move.flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_NON_SHARED_INC;
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdc"), image('b', "vdc"));
    CHECK_INT(stat(image('b', "vdc"), &info), 0);
    CHECK_LESS(info.st_blocks * 512, 8 * MIB);
}

TEST(several_disks_and_chosen_ones)
{
    struct move move;
    struct stat info;

    begin(&move, "vdb vdc");
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdb"), image('b', "vdb"));
    checkSame(image('a', "vdc"), image('b', "vdc"));
    CHECK_INT(shell("rm -r %s %s", scratchPath("disks-a"), scratchPath("disks-b")), 0);
    unlink(serial);

    begin(&move, "vdb vdc");
    parameter(&move, VIR_MIGRATE_PARAM_MIGRATE_DISKS, "vdc");
    fill(image('b', "vdb"), SIZE);                     /* whoever chooses has the other one there already */
    CHECK_INT(truncate(image('b', "vdb"), SIZE * MIB), 0);
    CHECK_INT(shell("dd if=/dev/zero of=%s bs=1M count=1 conv=notrunc 2>/dev/null", image('b', "vdb")), 0);
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdc"), image('b', "vdc"));
    CHECK_INT(stat(image('b', "vdb"), &info), 0);
    CHECK(shell("qemu-img compare -q %s %s", image('a', "vdb"), image('b', "vdb")) != 0);
}

TEST(where_the_disks_go_can_be_said)
{
    struct move move;
    char uri[1300];

    begin(&move, "vdb");
    snprintf(uri, sizeof(uri), "unix://%s", scratchPath("the-disks"));
    parameter(&move, VIR_MIGRATE_PARAM_DISKS_URI, uri);
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdb"), image('b', "vdb"));
    CHECK(access(scratchPath("the-disks"), F_OK) < 0);
    CHECK_INT(shell("rm -r %s %s", scratchPath("disks-a"), scratchPath("disks-b")), 0);
    unlink(serial);

    begin(&move, "vdb");
    parameter(&move, VIR_MIGRATE_PARAM_URI, "tcp:127.0.0.1");
    CHECK_OK(virTypedParamsAddInt(&move.params, &move.n, &move.max, VIR_MIGRATE_PARAM_DISKS_PORT, 29214));   /* not one that QEMUs beside it look for */
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdb"), image('b', "vdb"));
}

TEST(statistics_tell_disk_and_memory_apart)
{
    unsigned long long total = 0, seen = 0, done = 0, left = 0;
    virMigrationPtr m;
    struct move move;

    begin(&move, "vdb");
    CHECK_OK(virTypedParamsAddULLong(&move.params, &move.n, &move.max, VIR_MIGRATE_PARAM_BANDWIDTH, 24));
    CHECK_PTR(m = virMigrationNew(move.guest, move.b, move.params, (unsigned int)move.n, move.flags));
    for (int rc = 1; rc > 0;) {
        virTypedParameterPtr stats = NULL;
        int n = 0, type;

        CHECK_OK(rc = virMigrationStep(m, 50));
        if (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM || virDomainGetJobStats(move.guest, &type, &stats, &n, 0) < 0)
            continue;
        if (virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_DISK_TOTAL, &total) > 0) {
            CHECK_UINT(total, SIZE * MIB);
            CHECK_INT(virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_DISK_PROCESSED, &done), 1);
            CHECK_INT(virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_DISK_REMAINING, &left), 1);
            CHECK_UINT(done + left, total);
            CHECK(done >= seen);
            seen = done;
        }
        virTypedParamsFree(stats, n);
    }
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK(seen > MIB);
    move.moved = virMigrationGetDomain(m);
    virMigrationFree(m);
    finish(&move);
}

/* With the slash before it, one byte more than a Unix socket's path can have. */
#define LONG_PATH "a-path-of-one-hundred-and-seven-bytes--a-path-of-one-hundred-and-seven-bytes--a-path-of-one-hundred-and-sev"

/* One who has a loop of its own: it gives no time to any step, and waits as it is told. */
TEST(it_comes_to_its_end_in_steps_without_time)
{
    virMigrationPtr m;
    struct move move;
    int rc, steps = 0;

    begin(&move, "vdb vdc");
    CHECK_PTR(m = virMigrationNew(move.guest, move.b, move.params, (unsigned int)move.n, move.flags));
    for (;;) {
        long long start = harnessOwnMs();
        struct pollfd pfd = { .events = POLLIN };
        int events, ms;

        CHECK_OK(rc = virMigrationStep(m, 0));
        if (rc == 0)
            break;
        if (virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM)
            CHECK_LESS(harnessOwnMs() - start, harnessSlow(300));
        CHECK_LESS(steps++, 20000);
        CHECK_OK(virMigrationGetWait(m, &pfd.fd, &events, &ms));
        poll(&pfd, pfd.fd >= 0 ? 1 : 0, ms);
    }
    CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    CHECK_PTR(move.moved = virMigrationGetDomain(m));
    virMigrationFree(m);
    finish(&move);
    checkSame(image('a', "vdb"), image('b', "vdb"));
    checkSame(image('a', "vdc"), image('b', "vdc"));
}

/* A destination whose QEMU dies when all is prepared, and nobody steps it. */
TEST(a_prepared_destination_that_dies_unobserved_leaves_nothing)
{
    virMigrationPtr m;
    struct move move;

    begin(&move, "vdb");
    CHECK_PTR(m = virMigrationNew(move.guest, move.b, move.params, (unsigned int)move.n, move.flags));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 1000), 1);
    CHECK(access(image('b', "vdb"), F_OK) == 0);
    virMigrationFree(m);
    CHECK_INT(shell("kill -9 $(cat %s)", scratchPath("host-b/run/guest.pid")), 0);
    WAIT_FOR(virConnectNumOfDomains(move.b) == 0, 2000);
    CHECK(access(image('b', "vdb"), F_OK) < 0);
    CHECK_INT(virConnectListMigrations(move.b, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
    WAIT_FOR(virConnectListMigrations(move.a, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE) == 0, 30000);
    finish(&move);
}

TEST(what_does_not_fit_is_refused_before_anything_happens)
{
    static const struct { unsigned int flags; const char *name, *value; int code; const char *says; } bad[] = {
        { 0, VIR_MIGRATE_PARAM_MIGRATE_DISKS, "vdx", VIR_ERR_INVALID_ARG, "no disk 'vdx'" },
        { 0, VIR_MIGRATE_PARAM_MIGRATE_DISKS, "vda", VIR_ERR_INVALID_ARG, "read only" },
        { 0, VIR_MIGRATE_PARAM_DISKS_URI, "rdma:x", VIR_ERR_INVALID_ARG, "only tcp: and unix:" },
        { 0, VIR_MIGRATE_PARAM_DISKS_URI, "unix:", VIR_ERR_INVALID_ARG, "the path of a Unix socket has 1 to 107 bytes" },
        { 0, VIR_MIGRATE_PARAM_DISKS_URI, "unix:///" LONG_PATH, VIR_ERR_INVALID_ARG, "the path of a Unix socket has 1 to 107 bytes" },
        { 0, VIR_MIGRATE_PARAM_URI, "unix:/" LONG_PATH, VIR_ERR_INVALID_ARG, "the path of a Unix socket has 1 to 107 bytes" },
        { VIR_MIGRATE_NON_SHARED_INC, NULL, NULL, VIR_ERR_INVALID_ARG, "whole or by what changed" },
        { VIR_MIGRATE_TUNNELLED | VIR_MIGRATE_PEER2PEER, NULL, NULL, 0, "tunnel" },
    };
    struct move move;

    begin(&move, "vdb");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int n = move.n;

        if (bad[i].name != NULL)
            parameter(&move, bad[i].name, bad[i].value);
        virResetLastError();
        CHECK_NULL(virDomainMigrate3(move.guest, move.b, move.params, (unsigned int)move.n, move.flags | bad[i].flags));
        if (bad[i].code != 0)
            CHECK_INT(virGetLastErrorCode(), bad[i].code);
        CHECK_CONTAINS(virGetLastErrorMessage(), bad[i].says);
        if (move.n > n)
            virTypedParamsClear(move.params + n, move.n - n);
        move.n = n;
        CHECK_INT(virConnectNumOfDomains(move.b), 0);
        CHECK(access(image('b', "vdb"), F_OK) < 0);
    }
    CHECK_FAILS_NULL(virDomainMigrate3(move.guest, move.b, move.params, (unsigned int)move.n,
                                       VIR_MIGRATE_LIVE | VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES), VIR_ERR_INVALID_ARG);
    /* too small an image: QEMU says so, and it stays as it was */
    fill(image('b', "vdb"), SIZE / 2);
    virResetLastError();
    CHECK_NULL(virDomainMigrate3(move.guest, move.b, move.params, (unsigned int)move.n, move.flags));
    CHECK_CONTAINS(virGetLastErrorMessage(), "vdb");
    checkNoMirrors(move.guest);
    CHECK(access(image('b', "vdb"), F_OK) == 0);
    finish(&move);
}

/* Ends it in one way or another when so much of the disk has been copied; then the guest goes on as if nothing had been, and can be moved. */
enum harm { ABORT, KILL_DESTINATION, FORGET, KILL_AND_FORGET, HARMS };

static void
interrupted(enum harm harm, unsigned long long mib)
{
    virMigrationPtr m;
    struct move move;
    bool harmed = false;
    int plain, rc = 1;

    begin(&move, "vdb");
    plain = move.n;
    CHECK_OK(virTypedParamsAddULLong(&move.params, &move.n, &move.max, VIR_MIGRATE_PARAM_BANDWIDTH, 24));
    CHECK_PTR(m = virMigrationNew(move.guest, move.b, move.params, (unsigned int)move.n, move.flags));
    while (rc > 0) {
        virTypedParameterPtr stats = NULL;
        unsigned long long done = 0;
        int n = 0, type;

        CHECK_OK(rc = virMigrationStep(m, 20));
        if (harmed || virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
            continue;
        if (virDomainGetJobStats(move.guest, &type, &stats, &n, 0) == 0) {
            virTypedParamsGetULLong(stats, n, VIR_DOMAIN_JOB_DISK_PROCESSED, &done);
            virTypedParamsFree(stats, n);
        }
        if (done < mib * MIB)
            continue;
        harmed = true;
        if (harm == ABORT)
            CHECK_OK(virMigrationAbort(m));
        else if (harm != FORGET)
            CHECK_INT(shell("kill -9 $(cat %s)", scratchPath("host-b/run/guest.pid")), 0);
        if (harm == KILL_AND_FORGET)           /* its mirror fails when nobody looks */
            poll(NULL, 0, 500);
        if (harm == FORGET || harm == KILL_AND_FORGET)
            break;
    }
    CHECK(harmed);
    if (harm == FORGET || harm == KILL_AND_FORGET) {                      /* nobody goes on with it */
        virMigrationFree(m);
        WAIT_FOR(virConnectListMigrations(move.a, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE) == 0
                 && virConnectListMigrations(move.b, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE) == 0, 30000);
    } else {
        CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        virMigrationFree(m);
    }
    WAIT_FOR(access(image('b', "vdb"), F_OK) < 0, 5000);
    countingGoesOn(serial);
    poll(NULL, 0, 100);
    checkNoMirrors(move.guest);
    move.n = plain;
    migrate(&move);
    finish(&move);
    checkSame(image('a', "vdb"), image('b', "vdb"));
}

TEST(an_abort_leaves_nothing_behind)
{
    interrupted(ABORT, 4);
}

TEST(an_abort_when_nearly_all_is_there_leaves_nothing_behind)
{
    interrupted(ABORT, SIZE - 2);
}

TEST(a_destination_that_dies_leaves_nothing_behind)
{
    interrupted(KILL_DESTINATION, 8);
}

TEST(nobody_steps_it_any_more)
{
    interrupted(FORGET, 8);
}

TEST(nobody_steps_it_any_more_when_its_mirror_fails)
{
    interrupted(KILL_AND_FORGET, 8);
}

/* ---- a guest that writes to its disk, and controllers that are killed ---- */

static virDomainPtr
startWriter(virConnectPtr conn, int mib)
{
    char xml[16000], more[1500], *at;
    virDomainPtr guest;

    snprintf(serial, sizeof(serial), "%s", scratchPath("serial"));
    unlink(serial);
    fill(image('a', "hda"), mib);
    snprintf(xml, sizeof(xml), "%s", countingDocument("guest", guestImage("disk.img"), serial, 64));
    CHECK_NOT_NULL(at = strstr(xml, "<readonly/></disk>"));
    snprintf(more, sizeof(more), "<readonly/><boot order='1'/></disk><disk type='file' device='disk'><driver name='qemu' type='raw'/>"
             "<source file='%s'/><target dev='hda' bus='ide'/></disk>%s", image('a', "hda"), "");
    memmove(at + strlen(more), at + 18, strlen(at + 18) + 1);
    memcpy(at, more, strlen(more));
    CHECK_PTR(guest = virDomainCreateXML(conn, xml, 0));
    WAIT_FOR(countingNewest(serial) > COUNTING_SECTORS + 20, 60000);
    return guest;
}

/* A controller of its own process: goes on from the record that the source has, or begins. */
static void
control(void)
{
    virConnectPtr a = openHost('a'), b = openHost('b');
    virTypedParameterPtr params = NULL;
    char **records = NULL, *xml;
    int n = 0, max = 0;
    virMigrationPtr m = NULL;
    virDomainPtr guest;

    if (a == NULL || b == NULL)
        _exit(3);
    if (virConnectListMigrations(a, &records, 0) > 0) {
        m = virMigrationNewFromRecord(records[0], a, b);
    } else if ((guest = virDomainLookupByName(a, "guest")) != NULL) {
        xml = documentThere(guest);
        virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_XML, xml);
        virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, 64);
        m = virMigrationNew(guest, b, params, (unsigned int)n, VIR_MIGRATE_LIVE | VIR_MIGRATE_NON_SHARED_DISK | VIR_MIGRATE_PAUSED);
    }
    if (m == NULL) {
        printf("no migration: %s\n", virGetLastErrorMessage());
        fflush(stdout);
        _exit(4);
    }
    while (virMigrationStep(m, 20) > 0)
        ;
    if (virMigrationGetOutcome(m) != VIR_MIGRATION_OUTCOME_MIGRATED && virMigrationGetError(m) != NULL)
        printf("outcome %d: %s\n", virMigrationGetOutcome(m), virMigrationGetError(m)->message);
    fflush(stdout);
    _exit(virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED ? 0 : 5);
}

static void
killedAfter(int ms)
{
    virConnectPtr a, b;
    virDomainPtr guest;
    long before;
    int status;
    pid_t pid;

    CHECK_INT(shell("rm -rf %s %s %s %s", scratchPath("host-a"), scratchPath("host-b"), scratchPath("disks-a"), scratchPath("disks-b")), 0);
    image('b', "");
    CHECK_PTR(a = openHost('a'));
    guest = startWriter(a, 48);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    for (int life = 0; life < 2; life++) {
        fflush(stdout);
        if ((pid = fork()) == 0)
            control();
        if (life == 0) {
            poll(NULL, 0, ms);
            kill(pid, SIGKILL);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
    }
    CHECK_MSG(status == 0, "killed after %d ms: the next one ends with status 0x%x", ms, (unsigned int)status);
    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    CHECK_INT(virConnectNumOfDomains(a), 0);
    CHECK_PTR(guest = virDomainLookupByName(b, "guest"));
    /* it stands: both images are what they were when it moved */
    CHECK_INT(shell("cmp %s %s", image('a', "hda"), image('b', "hda")), 0);
    before = countingDisk(image('b', "hda"));
    CHECK_INT(virDomainResume(guest), 0);
    countingGoesOn(serial);
    WAIT_FOR(countingNewest(serial) > before + COUNTING_SECTORS + 20, 60000);        /* it has read again what it had written before */
    CHECK_OK(virDomainDestroy(guest));
    CHECK(countingDisk(image('b', "hda")) > before + COUNTING_SECTORS);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}

TEST_LIMIT(a_controller_killed_at_any_moment_is_followed_by_another, 600)
{
    const char *seed = getenv("VIRT_TORTURE_SEED");
    unsigned int state = seed != NULL ? (unsigned int)atoi(seed) : 1;
    int times = getenv("VIRT_TORTURE") != NULL ? 20 : 2;

    needsQemu();
    for (int i = 0; i < times; i++) {
        state = state * 1103515245u + 12345u;
        harnessContext("run %d, seed %u", i, seed != NULL ? (unsigned int)atoi(seed) : 1u);
        killedAfter((int)(state >> 16) % 2000);
    }
    printf("%d controllers killed with SIGKILL, %d guests well, disks bit-identical\n", times, times);
}
