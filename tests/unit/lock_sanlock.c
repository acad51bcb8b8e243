/*
 * Leases kept by sanlock, with real daemons, one for each host: what all lock managers promise (lock.c), who is seen from another host, and
 * what becomes of a guest whose lease is lost. tests/sanlock.sh runs this in a virtual machine, where a daemon may lock its memory, and on a
 * file system that reads and writes past the cache (VIRT_TEST_SANLOCK, a directory).
 *
 * The daemons have no watchdog, and wait a second for what others give ten.
 */
#define LOCK_SANLOCK
#include "../../drivers/common/process.h"
#include "../../drivers/lock/sanlock.c"
#include "lock.c"

#if VIRT_WITH_SANLOCK

#include "../counting.h"
#include "../keeper_guest.h"

#define HOSTS_MAX 2

static const char *folder(void);
static char leases[200];                   /* that folder, once it is made */
static pid_t test;                         /* the test's own process, which its folder and lockspace are named after */

static struct daemon { pid_t pid; char run[100]; } daemons[HOSTS_MAX + 1];

/* This process, and what it forks, talks with the daemon of this host, 1 or 2: whichever is named first. */
static void
be(int number)
{
    CHECK_INT(setenv("SANLOCK_RUN_DIR", daemons[number].run, 1), 0);
}

static void
daemonsEnd(void)
{
    for (int i = 1; i <= HOSTS_MAX; i++) {
        if (daemons[i].pid == 0)
            continue;
        kill(daemons[i].pid, SIGKILL);
        waitpid(daemons[i].pid, NULL, 0);
        daemons[i].pid = 0;
    }
}

static void
daemonRun(int number)
{
    struct daemon *daemon = &daemons[number];

    be(number);
    if ((daemon->pid = fork()) == 0) {
        int log = open(scratchPath("sanlock-%d.log", number), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(log, 1);
        dup2(log, 2);
        execlp("sanlock", "sanlock", "daemon", "-D", "-w", "0", "-h", "0", "-l", "0", "-o", "1", "-U", "root", "-G", "root", NULL);
        _exit(127);
    }
    WAIT_FOR(sanlock_version(0, &(uint32_t){ 0 }, &(uint32_t){ 0 }) == 0, 10000);
}

static void
daemonStart(int number)
{
    snprintf(daemons[number].run, sizeof(daemons[number].run), "%s", scratchPath("run%d", number));
    mkdir(daemons[number].run, 0700);
    if (number == 1)
        atexit(daemonsEnd);
    daemonRun(number);
}

/* This host is in the lockspace, by its number. */
static void
join(const char *path, int number)
{
    struct sanlk_lockspace space = { .host_id = (uint64_t)number };
    int rc;

    snprintf(space.name, sizeof(space.name), "test-%d", test);
    snprintf(space.host_id_disk.path, sizeof(space.host_id_disk.path), "%s/virt.lockspace", path);
    be(number);
    for (int i = 0; (rc = sanlock_add_lockspace_timeout(&space, 0, 1)) == -EAGAIN && i < 300; i++)
        harnessSleepMs(100);               /* it is just leaving */
    if (rc != 0)
        harnessShow(scratchPath("sanlock-%d.log", number), true);
    CHECK_INT(rc, 0);
}

static void
leaveLockspace(int number)
{
    struct sanlk_lockspace space = { .host_id = (uint64_t)number };

    snprintf(space.name, sizeof(space.name), "test-%d", test);
    snprintf(space.host_id_disk.path, sizeof(space.host_id_disk.path), "%s/virt.lockspace", folder());
    be(number);
    CHECK_INT(sanlock_rem_lockspace(&space, SANLK_REM_ASYNC), 0);
}

/* As the library would, but for hosts that are declared dead soon. */
static void
makeLockspace(const char *path)
{
    struct sanlk_lockspace space = { .flags = SANLK_LSF_ALIGN1M | SANLK_LSF_SECTOR512 };
    int fd;

    snprintf(space.name, sizeof(space.name), "test-%d", test);
    snprintf(space.host_id_disk.path, sizeof(space.host_id_disk.path), "%s/virt.lockspace", path);
    CHECK_OK(fd = open(space.host_id_disk.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    CHECK_INT(ftruncate(fd, 1 << 20), 0);
    close(fd);
    CHECK_INT(sanlock_write_lockspace(&space, 0, 0, 1), 0);
    join(path, 1);
}

/* A directory for leases. */
static const char *
folder(void)
{
    if (leases[0] == '\0') {
        const char *where = getenv("VIRT_TEST_SANLOCK");

        if (where == NULL)
            SKIP("no place for leases of sanlock's: tests/sanlock.sh makes one");
        test = getpid();
        snprintf(leases, sizeof(leases), "%s/%d", where, test);
        CHECK_INT(mkdir(leases, 0700), 0);
        daemonStart(1);
        makeLockspace(leases);
    }
    return leases;
}

static const char *
sanlockPlace(void)
{
    static char text[300];

    snprintf(text, sizeof(text), "sanlock:%s?host_id=1", folder());
    return text;
}

static void
sanlockDamage(const char *key)
{
    static const char bad[] = "virt 1 x\nholder";
    struct virLock *lock = host("test");
    struct virLockState state = { .epoch = 0 };
    char path[300];
    int fd;

    CHECK_INT(lock->manager->change(lock, key, &state, &(struct virLockState){ .holder = "a", .epoch = 1 }), 1);
    snprintf(path, sizeof(path), "%s/%s", folder(), key);
    CHECK_OK(fd = open(path, O_WRONLY | O_CLOEXEC));
    CHECK_INT(pwrite(fd, bad, sizeof(bad), (1 << 20) - 512), sizeof(bad));
    CHECK_INT(fsync(fd), 0);
    close(fd);
    virLockClose(lock);
}

static void
sanlockRemove(void)
{
    char gone[300];

    snprintf(gone, sizeof(gone), "%s.gone", folder());
    CHECK_INT(rename(folder(), gone), 0);
}

/* ---------- two hosts ---------- */

/* Its lock; its daemon runs, and it is in the lockspace. */
static struct virLock *
hostOf(int number)
{
    char text[300];
    struct virLock *lock;

    snprintf(text, sizeof(text), "sanlock:%s", folder());
    if (daemons[number].pid == 0) {
        daemonStart(number);
        join(folder(), number);
    }
    CHECK_PTR(lock = virLockOpen(text, number == 1 ? "a" : "b", "/", false));
    return lock;
}

/* libsanlock_client knows one daemon in each process: host b is another process, which is asked. */
static struct { int fd; pid_t pid; } other;
struct reply { int rc; unsigned long long epoch; char message[400]; };

static _Noreturn void
beOther(int fd, const char *path)
{
    struct virLock *b = NULL;
    struct virLockSeat seat = { .fd = -1 };
    struct { char what; unsigned long long told; } question;

    while (recv(fd, &question, sizeof(question), MSG_WAITALL) == (ssize_t)sizeof(question)) {
        struct reply reply = { .rc = 0 };

        virResetLastError();
        switch (question.what) {
        case 'j':
            snprintf(leases, sizeof(leases), "%s", path);
            b = hostOf(2);
            break;
        case 'a': reply.rc = virLeaseAcquire(b, &guest, &reply.epoch, &seat); break;
        case 'l': reply.rc = b->manager->lives(b, "g1", "a"); break;
        case 's': reply.rc = virLeaseSit(b, &guest, &seat); break;
        case 't': reply.rc = virLeaseTransfer(b, &guest, "a", question.told, &reply.epoch); break;
        case 'e': leave(b, "g1", &seat); break;
        }
        snprintf(reply.message, sizeof(reply.message), "%s", virGetLastErrorMessage());
        send(fd, &reply, sizeof(reply), 0);
    }
    virLockClose(b);
    daemonsEnd();
    _exit(0);
}

static struct reply
askOther(char what, unsigned long long told)
{
    struct { char what; unsigned long long told; } question = { what, told };
    static struct reply reply;

    CHECK(send(other.fd, &question, sizeof(question), 0) == (ssize_t)sizeof(question));
    CHECK_MSG(recv(other.fd, &reply, sizeof(reply), MSG_WAITALL) == (ssize_t)sizeof(reply), "the other host has died, asked for '%c'", what);
    return reply;
}

/* Before this process has asked any daemon. */
static void
otherStart(void)
{
    const char *where = getenv("VIRT_TEST_SANLOCK");
    int pair[2];
    char path[200];

    if (where == NULL)
        SKIP("no place for leases of sanlock's: tests/sanlock.sh makes one");
    snprintf(path, sizeof(path), "%s/%d", where, getpid());
    test = getpid();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    if ((other.pid = fork()) == 0) {
        close(pair[0]);
        beOther(pair[1], path);
    }
    close(pair[1]);
    other.fd = pair[0];
}

static void
otherEnd(void)
{
    close(other.fd);
    waitpid(other.pid, NULL, 0);
}

TEST_LIMIT(another_host_sees_who_has_it_and_has_it_when_it_is_told_to, 300)
{
    struct virLock *a;
    struct virLockSeat seat;
    struct virLockBeat beat = { 0 };
    unsigned long long mine, late = 0;

    otherStart();
    a = hostOf(1);
    askOther('j', 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &mine, &seat));
    CHECK_INT(askOther('l', 0).rc, 1);
    CHECK_INT(askOther('a', 0).rc, -1);
    CHECK_CONTAINS(askOther('a', 0).message, "'one' belongs to host 'a'");
    CHECK_INT(askOther('s', 0).rc, 0);
    CHECK_INT(askOther('t', mine).rc, 1);
    checkState(a, "b", mine + 1);
    CHECK_INT(isWith(a, "b", &beat), -1);                   /* not before b's daemon has been seen to live since */
    WAIT_FOR(isWith(a, "b", &beat) == 1, 60000);
    CHECK_INT(virLeaseKeep(a, &guest, "b", mine, &mine), 0);
    CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'b'");
    leave(a, "g1", &seat);
    askOther('e', 0);                          /* b's hypervisor dies, and nobody gives anything back */
    CHECK_INT(a->manager->lives(a, "g1", "b"), 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &late, &seat));
    CHECK_UINT(late, 3);
    CHECK_INT(askOther('s', 0).rc, 0);
    CHECK_INT(askOther('t', 1).rc, 0);                                     /* too late */
    CHECK_CONTAINS(askOther('t', 1).message, "belongs to host 'a'");
    askOther('e', 0);
    leave(a, "g1", &seat);
    virLockClose(a);
    otherEnd();
}

/* ---------- a lease that is lost ---------- */

/* The host leaves the lockspace, which is for its guests as if it could not renew its lease there. */
static void
loseIt(enum virLockFailure failure)
{
    const struct virLeaseGuest one = { .key = "g1", .what = "one", .failure = failure };
    struct virLock *a = hostOf(1);
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;
    long long cut;
    char answer[1000];

    CHECK_OK(virLeaseAcquire(a, &one, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    CHECK(countsOn(&q));
    cut = harnessNowMs();
    leaveLockspace(1);
    if (failure == VIRT_LOCK_POWEROFF || failure == VIRT_LOCK_RESTART) {
        CHECK_INT(virProcessWait(&q.process, 30000, NULL), 1);
        printf("the guest has ended %lld ms after\n", harnessNowMs() - cut);
        WAIT_FOR(hasEnded(seat.keeper), 30000);
        close(q.qmp);
        virLockClose(a);
        return;
    }
    if (failure == VIRT_LOCK_PAUSE) {
        WAIT_FOR(isIn(&q, "\"paused\""), 30000);
        printf("the guest stands %lld ms after\n", harnessNowMs() - cut);
        CHECK(!countsOn(&q));
        CHECK_FAILS(virLeaseResume(a, &one, &epoch), VIR_ERR_OPERATION_INVALID);
        CHECK_CONTAINS(virGetLastErrorMessage(), "host_id=N");
        qmpSay(&q, "{\"execute\":\"cont\"}\n", answer, sizeof(answer));           /* somebody resumes it all the same */
        WAIT_FOR(isIn(&q, "\"paused\""), 10000);
    } else {
        WAIT_FOR(virSanlockHostId(a) == 0, 30000);
        CHECK(countsOn(&q));
    }
    CHECK(!hasEnded(seat.keeper));
    WAIT_FOR(virSanlockHostId(a) == 0, 60000);
    join(folder(), 1);
    WAIT_FOR(a->manager->holds(a, "g1") == 1, 30000);
    CHECK_OK(virLeaseResume(a, &one, &epoch));
    if (failure == VIRT_LOCK_PAUSE)
        qmpSay(&q, "{\"execute\":\"cont\"}\n", answer, sizeof(answer));
    WAIT_FOR(countsOn(&q), 10000);
    endGuest(&q);
    WAIT_FOR(hasEnded(seat.keeper), 10000);
    CHECK_INT(a->manager->lives(a, "g1", "a"), 0);
    virLockClose(a);
}

TEST_LIMIT(poweroff_ends_a_guest_whose_lease_is_lost, 300)     { loseIt(VIRT_LOCK_POWEROFF); }
TEST_LIMIT(pause_stops_a_guest_until_it_has_its_lease, 300)    { loseIt(VIRT_LOCK_PAUSE); }
TEST_LIMIT(ignore_lets_a_guest_run_without_its_lease, 300)     { loseIt(VIRT_LOCK_IGNORE); }

/* It does not hear the keeper; nor is the lease given back before it is dead. */
TEST_LIMIT(a_hypervisor_that_does_not_obey_is_killed, 300)
{
    struct virLock *a = hostOf(1);
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;
    long long cut;

    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    harnessStop(q.process.pid);
    cut = harnessNowMs();
    leaveLockspace(1);
    CHECK_INT(virProcessWait(&q.process, 40000, NULL), 1);
    printf("it was killed after %lld ms\n", harnessNowMs() - cut);
    CHECK_LESS(9000, harnessNowMs() - cut);
    close(q.qmp);
    WAIT_FOR(hasEnded(seat.keeper), 10000);
    virLockClose(a);
}

/* A daemon that is killed is a host that is dead, to the others, when it has not renewed its lease for long enough. */
TEST_LIMIT(a_host_that_died_is_followed_after_its_guest_has_ended, 300)
{
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;
    long long cut;

    otherStart();
    a = hostOf(1);
    askOther('j', 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    kill(daemons[1].pid, SIGKILL);
    waitpid(daemons[1].pid, NULL, 0);
    daemons[1].pid = 0;
    cut = harnessNowMs();
    CHECK_INT(virProcessWait(&q.process, 15000, NULL), 1);
    printf("the guest has ended %lld ms after\n", harnessNowMs() - cut);
    close(q.qmp);
    CHECK_INT(askOther('a', 0).rc, -1);
    CHECK_CONTAINS(askOther('a', 0).message, "belongs to host 'a'");
    WAIT_FOR(askOther('a', 0).rc == 0, 150000);
    printf("another host has its lease %lld ms after\n", harnessNowMs() - cut);
    CHECK_LESS(30000, harnessNowMs() - cut);
    askOther('e', 0);
    virLockClose(a);
    otherEnd();
}

/* ---------- drivers ---------- */

TEST_LIMIT(simulated_guests_start_and_migrate_by_it, 300)
{
    virConnectPtr conn[2], third;
    virDomainPtr domain, moved;
    char uri[3][500];

    for (int i = 0; i < 3; i++) {
        snprintf(uri[i], sizeof(uri[i]), "test:///default?host=h%d&lock=%s&lock-owner=h%d", i, sanlockPlace(), i);
        if (i < 2)
            CHECK_PTR(conn[i] = virConnectOpen(uri[i]));
    }
    CHECK_PTR(domain = virDomainLookupByName(conn[1], "test"));          /* h0 runs it: it could not start here */
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'h0'");
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    CHECK_PTR(domain = virDomainLookupByName(conn[0], "test"));
    CHECK_PTR(moved = virDomainMigrate3(domain, conn[1], NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_INT(virDomainIsActive(domain), 0);
    CHECK_INT(virDomainIsActive(moved), 1);
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'h1'");
    CHECK_OK(virDomainDestroy(moved));
    CHECK_OK(virDomainCreate(domain));
    CHECK_PTR(third = virConnectOpen(uri[2]));
    virConnectClose(third);
    virDomainFree(domain);
    virDomainFree(moved);
    virConnectClose(conn[0]);
    virConnectClose(conn[1]);
}

/* As the one before, with hypervisors that are processes, each beside its keeper. */
TEST_LIMIT(real_guests_start_and_migrate_by_it, 300)
{
    virConnectPtr conn[2];
    virDomainPtr domain, moved, back;
    struct virLock *look;
    char uri[600], serial[200], key[VIR_UUID_STRING_BUFLEN];

    needsQemu();
    for (int i = 0; i < 2; i++) {
        snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&lock=%s&lock-owner=q%d", scratchRoot("q%d", i), sanlockPlace(), i);
        CHECK_PTR(conn[i] = virConnectOpen(uri));
    }
    CHECK_PTR(look = virLockOpen(sanlockPlace(), "look", "/", true));
    snprintf(serial, sizeof(serial), "%s", scratchPath("serial"));
    CHECK_PTR(domain = virDomainDefineXML(conn[0], countingDocument("guest", buildPath("guest/light.img"), serial, 64)));
    CHECK_OK(virDomainGetUUIDString(domain, key));
    CHECK_OK(virDomainCreate(domain));
    countingGoesOn(serial);
    CHECK_INT(look->manager->lives(look, key, "q0"), 1);
    CHECK_PTR(moved = virDomainMigrate(domain, conn[1], VIR_MIGRATE_LIVE, NULL, NULL, 0));
    countingGoesOn(serial);
    WAIT_FOR(look->manager->lives(look, key, "q0") == 0, 10000);
    CHECK_INT(look->manager->lives(look, key, "q1"), 1);
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'q1'");
    CHECK_PTR(back = virDomainMigrate(moved, conn[0], VIR_MIGRATE_LIVE, NULL, NULL, 0));
    countingGoesOn(serial);
    CHECK_OK(virDomainDestroy(back));
    WAIT_FOR(look->manager->lives(look, key, "q0") == 0, 10000);
    virDomainFree(domain);
    virDomainFree(moved);
    virDomainFree(back);
    virLockClose(look);
    CHECK_INT(virConnectClose(conn[0]), 0);
    CHECK_INT(virConnectClose(conn[1]), 0);
}

/* ---------- a device ---------- */

/* With sanlock's own index: as an administrator makes it, in a file here. */
TEST_LIMIT(a_device_has_leases_by_its_index, 300)
{
    char path[300], place[350];
    struct sanlk_lockspace space = { .flags = SANLK_LSF_ALIGN1M | SANLK_LSF_SECTOR512 };
    struct sanlk_rindex index = { .flags = SANLK_RIF_ALIGN1M | SANLK_RIF_SECTOR512 };
    struct virLock *a, *b;
    struct virLockSeat seat, other;
    unsigned long long epoch, later;
    int fd;

    snprintf(path, sizeof(path), "%s/device", folder());
    CHECK_OK(fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    CHECK_INT(ftruncate(fd, 32 << 20), 0);
    close(fd);
    snprintf(space.name, sizeof(space.name), "device-%d", getpid());
    strcpy(index.lockspace_name, space.name);
    strcpy(space.host_id_disk.path, path);
    strcpy(index.disk.path, path);
    index.disk.offset = 1 << 20;
    snprintf(place, sizeof(place), "sanlock:%s", path);
    CHECK_INT(sanlock_write_lockspace(&space, 0, 0, 1), 0);
    CHECK_INT(sanlock_format_rindex(&index, 0), 0);
    CHECK_PTR(a = virLockOpen(place, "a", "/", true));
    CHECK_PTR(b = virLockOpen(place, "b", "/", true));
    CHECK_FAILS(virLeaseAcquire(a, &guest, &epoch, &seat), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "add_lockspace -s device-");
    space.host_id = 1;
    CHECK_INT(sanlock_add_lockspace_timeout(&space, 0, 1), 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    checkState(b, "a", 1);
    CHECK_FAILS(virLeaseAcquire(b, &guest, &later, &other), VIR_ERR_RESOURCE_BUSY);
    leave(a, "g1", &seat);
    CHECK_OK(virLeaseAcquire(b, &guest, &later, &other));
    CHECK_UINT(later, 2);
    leave(b, "g1", &other);
    virLockClose(a);
    virLockClose(b);
}

TEST(places_for_sanlock_are_checked)
{
    static const char *const bad[] = { "sanlock:relative", "sanlock:", "sanlock:/?host_id=0", "sanlock:/?host_id=2001", "sanlock:/?id=1", "sanlock:/dev/null" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        harnessContext("%s", bad[i]);
        CHECK_FAILS_NULL(virLockOpen(bad[i], "a", "/", false), VIR_ERR_INVALID_ARG);
    }
    CHECK_FAILS_NULL(virLockOpen("sanlock:/does/not/exist", "a", "/", false), VIR_ERR_SYSTEM_ERROR);
}

#else

static const char *
sanlockPlace(void)
{
    SKIP("without libsanlock_client");
}

static void
sanlockDamage(const char *key)
{
    (void)key;
}

static void
sanlockRemove(void)
{
}

#endif
