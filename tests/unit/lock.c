/*
 * Leases: what a lock manager promises, what is made of it, and many hosts at once; for each manager there is. lock_sanlock.c includes
 * this for its own (LOCK_SANLOCK), where there is a daemon.
 */
#include "../../drivers/common/document.h"
#include "../../drivers/common/file.h"
#include "../../drivers/lock/etcd.c"
#include "../etcd_server.h"
#include "../fault.h"
#include "../harness.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *
placeFile(void)
{
    static char text[300];

    mkdir(scratchPath("leases"), 0700);
    snprintf(text, sizeof(text), "file:%s", scratchPath("leases"));
    return text;
}

static void
damageFile(const char *key)
{
    CHECK_OK(virFileWrite(scratchPath("leases/%s.lease", key), "{\"holder\":1}", 12, 0600));
}

static void
removeFile(void)
{
    CHECK_INT(rename(scratchPath("leases"), scratchPath("gone")), 0);
}

static const char *
placeEtcd(void)
{
    static struct etcdServer server;
    static char text[300];

    needsEtcd();
    if (server.pid == 0)
        etcdStart(&server);
    /* long, as nothing here waits for its end: a machine that is busy may need a second for what must be done in a quarter of it */
    snprintf(text, sizeof(text), "etcd:http://127.0.0.1:%d/tests?ttl=20", server.port);
    return text;
}

#if VIRT_WITH_ETCD
static void
damageEtcd(const char *key)
{
    struct virLock *lock = virLockOpen(placeEtcd(), "test", "/", false);
    char *name = virEtcdKey(lock, key, NULL), *text = virEtcdEncode("{\"holder\":1}"), body[2048];
    cJSON *answer;

    snprintf(body, sizeof(body), "{\"key\":\"%s\",\"value\":\"%s\"}", name, text);
    CHECK_PTR(answer = virEtcdAsk(lock, "kv/put", body, NULL));
    cJSON_Delete(answer);
    free(name);
    free(text);
    virLockClose(lock);
}
#else
static void
damageEtcd(const char *key)
{
    (void)key;
}
#endif

static void
removeEtcd(void)
{
    etcdEnd();
}

#ifdef LOCK_SANLOCK
# define SANLOCK sanlockPlace, sanlockDamage, sanlockRemove
static const char *sanlockPlace(void);
static void sanlockDamage(const char *key);
static void sanlockRemove(void);
#else
# define SANLOCK NULL, NULL, NULL
#endif

/* The manager that a test is about; each test is there once for each. */
static const struct manager {
    const char *(*place)(void);
    void (*damage)(const char *key);
    void (*remove)(void);
    int unreachable;                        /* the error then */
    int rounds;                             /* of a fight: each change is a write to a disk, or not */
} managers[] = {
    { placeFile, damageFile, removeFile, VIR_ERR_SYSTEM_ERROR, 60 },
    { placeEtcd, damageEtcd, removeEtcd, VIR_ERR_OPERATION_FAILED, 15 },
    { SANLOCK, VIR_ERR_SYSTEM_ERROR, 5 },
}, *manager;

#ifdef LOCK_SANLOCK
# define EACH(ident)                                                                            \
    static void ident(void);                                                                    \
    TEST_LIMIT(ident##_sanlock, 300) { manager = &managers[2]; ident(); }                       \
    static void ident(void)
#else
# define EACH(ident)                                                                            \
    static void ident(void);                                                                    \
    TEST(ident##_file) { manager = &managers[0]; ident(); }                                     \
    TEST(ident##_etcd) { manager = &managers[1]; ident(); }                                     \
    static void ident(void)
#endif
#define place() manager->place()

static struct virLock *
host(const char *name)
{
    struct virLock *lock = virLockOpen(place(), name, "/", true);

    CHECK_PTR(lock);
    return lock;
}

/* Its hypervisor ends, or was never started. A seat that somebody keeps is given back a moment later. */
static void
leave(struct virLock *lock, const char *key, struct virLockSeat *seat)
{
    CHECK_OK(virLeaseSeated(lock, seat, 0));
    WAIT_FOR(lock->manager->lives(lock, key, lock->owner) == 0, 2000);
}

static const struct virLeaseGuest guest = { .key = "g1", .what = "one" };

static void
checkState(struct virLock *lock, const char *holder, unsigned long long epoch)
{
    struct virLockState state;

    CHECK_OK(virLockInquire(lock, "g1", &state));
    CHECK_STR(state.holder, holder);
    CHECK_UINT(state.epoch, epoch);
}

EACH(a_lease_has_one_living_holder)
{
    struct virLock *a = host("a"), *b = host("b:/x/../%");
    struct virLockSeat seat, other;
    unsigned long long epoch, later;

    checkState(a, "", 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    CHECK_UINT(epoch, 1);
    checkState(b, "a", 1);
    CHECK_FAILS(virLeaseAcquire(b, &guest, &later, &other), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "'one' belongs to host 'a'");
    CHECK_FAILS(virLeaseAcquire(a, &guest, &later, &other), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "still sits");
    leave(a, "g1", &seat);                     /* a dies, and has not given anything back */
    CHECK_OK(virLeaseAcquire(b, &guest, &later, &other));
    CHECK_UINT(later, 2);
    CHECK_OK(virLeaseRelease(a, "g1", epoch));
    checkState(a, "b:/x/../%", 2);
    CHECK_OK(virLeaseRelease(b, "g1", later));
    CHECK_OK(virLeaseRelease(b, "g1", later));
    checkState(a, "", 2);
    CHECK_FAILS(virLeaseResume(a, &guest, &epoch), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "has run elsewhere");
    CHECK_OK(virLeaseResume(b, &guest, &later));
    checkState(a, "b:/x/../%", 3);
    leave(b, "g1", &other);
    if (b->manager->holds != NULL) {           /* a seat that can be lost must not be */
        CHECK_FAILS(virLeaseResume(b, &guest, &later), VIR_ERR_RESOURCE_BUSY);
        CHECK_CONTAINS(virGetLastErrorMessage(), "has lost its seat");
    }
    virLockClose(a);
    virLockClose(b);
}

EACH(a_seat_lasts_as_long_as_the_hypervisor)
{
    struct virLock *a = host("a"), *b = host("b");
    struct virLockSeat seat, other;
    unsigned long long epoch;
    pid_t child;

    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    if ((child = fork()) == 0) {
        pause();
        _exit(0);
    }
    CHECK_OK(virLeaseSeated(a, &seat, (int)child));
    CHECK_FAILS(virLeaseAcquire(b, &guest, &epoch, &other), VIR_ERR_RESOURCE_BUSY);
    CHECK_INT(a->manager->lives(a, "g1", "a"), 1);
    WAIT_FOR(a->manager->lives(a, "g1", "b") == 0, 2000);       /* who was refused has left */
    CHECK_INT(kill(child, SIGKILL), 0);
    CHECK_INT(waitpid(child, NULL, 0), child);
    WAIT_FOR(a->manager->lives(a, "g1", "a") == 0, 2000);
    CHECK_OK(virLeaseAcquire(b, &guest, &epoch, &other));
    leave(b, "g1", &other);
    virLockClose(a);
    virLockClose(b);
}

/* Whether this host, asked by another in doubt, has the lease "g1". */
static int
isWith(struct virLock *lock, const char *owner, struct virLockBeat *beat)
{
    struct virLockState state;

    CHECK_OK(virLockInquire(lock, "g1", &state));
    return virLeaseIsWith(lock, "g1", &state, owner, beat);
}

/* Whether the guest had run at a destination that has died with the lease, only that host can say; until then nobody believes it. */
EACH(a_destination_that_died_with_it_is_not_believed)
{
    struct virLock *a = host("a"), *b = host("b");
    struct virLockSeat seat, arriving;
    struct virLockBeat beat = { 0 };
    unsigned long long mine, there = 0;

    CHECK_OK(virLeaseAcquire(a, &guest, &mine, &seat));
    CHECK_OK(virLeaseSit(b, &guest, &arriving));
    CHECK_INT(isWith(a, "b", &beat), 0);
    CHECK_INT(virLeaseTransfer(b, &guest, "a", mine, &there), 1);
    WAIT_FOR(isWith(a, "b", &beat) == 1, 10000);
    CHECK_INT(virLeaseKeep(a, &guest, "b", mine, &mine), 0);
    leave(b, "g1", &arriving);
    WAIT_FOR(isWith(a, "b", &beat) == -1, 2000);
    CHECK_INT(virLeaseKeep(a, &guest, NULL, 1, &mine), 0);
    CHECK_INT(virLeaseKeep(a, &guest, "b", 1, &mine), 1);
    checkState(b, "a", 3);
    CHECK_INT(virLeaseTransfer(b, &guest, "a", 1, &there), 0);
    CHECK_INT(virLeaseGiveBack(b, "g1", "a", 1), 1);
    checkState(b, "a", 3);
    leave(a, "g1", &seat);
    virLockClose(a);
    virLockClose(b);
}

EACH(a_migration_moves_it_once)
{
    struct virLock *a = host("a"), *b = host("b"), *c = host("c");
    struct virLockSeat seat, arriving, third;
    unsigned long long mine, there = 0, other;

    CHECK_OK(virLeaseAcquire(a, &guest, &mine, &seat));
    CHECK_OK(virLeaseSit(b, &guest, &arriving));
    CHECK_INT(virLeaseTransfer(b, &guest, "a", mine, &there), 1);
    CHECK_UINT(there, mine + 1);
    CHECK_INT(virLeaseTransfer(b, &guest, "a", mine, &there), 1);
    checkState(c, "b", 2);
    CHECK_INT(virLeaseKeep(a, &guest, "b", 1, &mine), 0);
    CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'b'");
    CHECK_FAILS(virLeaseAcquire(c, &guest, &other, &third), VIR_ERR_RESOURCE_BUSY);
    /* b cannot start it after all, and gives it back */
    CHECK_INT(virLeaseGiveBack(b, "g1", "a", 1), 1);
    CHECK_INT(virLeaseGiveBack(b, "g1", "a", 1), 1);
    checkState(c, "a", 3);
    CHECK_INT(virLeaseKeep(a, &guest, "b", 1, &mine), 1);
    CHECK_UINT(mine, 3);
    CHECK_INT(virLeaseTransfer(b, &guest, "a", 1, &there), 0);
    CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'a'");
    leave(a, "g1", &seat);
    leave(b, "g1", &arriving);
    virLockClose(a);
    virLockClose(b);
    virLockClose(c);
}

EACH(a_source_that_keeps_it_makes_stale_what_was_told)
{
    struct virLock *a = host("a"), *b = host("b");
    struct virLockSeat seat, arriving;
    unsigned long long mine, there = 0, told;

    CHECK_OK(virLeaseAcquire(a, &guest, &mine, &seat));
    told = mine;
    CHECK_INT(virLeaseKeep(a, &guest, "b", told, &mine), 1);
    CHECK_UINT(mine, told + 1);
    CHECK_INT(virLeaseKeep(a, &guest, "b", told, &mine), 1);
    CHECK_UINT(mine, told + 1);
    CHECK_OK(virLeaseSit(b, &guest, &arriving));
    CHECK_INT(virLeaseTransfer(b, &guest, "a", told, &there), 0);
    /* one whose source has died, and given it back, at the epoch that was told */
    told = mine;
    CHECK_OK(virLeaseRelease(a, "g1", mine));
    CHECK_INT(virLeaseTransfer(b, &guest, "a", told, &there), 1);
    CHECK_INT(virLeaseKeep(a, &guest, "b", told, &mine), 0);
    leave(a, "g1", &seat);
    leave(b, "g1", &arriving);
    virLockClose(a);
    virLockClose(b);
}

EACH(what_a_guest_needs_for_itself_is_the_guests)
{
    char *disks[] = { (char *)"disk:/a b/c.img", (char *)"lease:x/y" };
    const struct virLeaseGuest one = { .key = "g1", .what = "one", .resources = disks, .nresources = 2 };
    const struct virLeaseGuest two = { .key = "g2", .what = "two", .resources = disks + 1, .nresources = 1 };
    struct virLock *a = host("a"), *b = host("b");
    struct virLockSeat seat, other;
    struct virLockState state;
    unsigned long long mine, there = 0, epoch;

    CHECK_OK(virLeaseAcquire(a, &one, &mine, &seat));
    CHECK_FAILS(virLeaseAcquire(b, &two, &epoch, &other), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "lease:x/y is in use by domain g1");
    CHECK_OK(virLockInquire(b, "g2", &state));
    CHECK_STR(state.holder, "");
    WAIT_FOR(b->manager->lives(b, "g2", "b") == 0, 2000);
    CHECK_OK(virLeaseSit(b, &one, &other));
    CHECK_INT(virLeaseTransfer(b, &one, "a", mine, &there), 1);
    leave(a, "g1", &seat);
    CHECK_FAILS(virLeaseAcquire(a, &two, &epoch, &seat), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virLeaseRelease(b, "g1", there));
    CHECK_OK(virLeaseAcquire(a, &two, &epoch, &seat));
    /* and the other way round: one may run again, but not with what two has */
    leave(b, "g1", &other);
    CHECK_FAILS(virLeaseAcquire(b, &one, &there, &other), VIR_ERR_RESOURCE_BUSY);
    leave(a, "g2", &seat);
    virLockClose(a);
    virLockClose(b);
}

EACH(a_damaged_or_missing_place_is_no_free_lease)
{
    struct virLock *a = host("a");
    struct virLockSeat seat;
    unsigned long long epoch;

    manager->damage("g1");
    CHECK_FAILS(virLeaseAcquire(a, &guest, &epoch, &seat), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "is damaged");
    WAIT_FOR(a->manager->lives(a, "g1", "a") == 0, 2000);
    manager->remove();
    CHECK_FAILS(virLeaseAcquire(a, &guest, &epoch, &seat), manager->unreachable);
    virLockClose(a);
}

#ifndef LOCK_SANLOCK
TEST(a_place_that_cannot_be_one_is_an_error)
{
    manager = &managers[0];
    CHECK_FAILS_NULL(virLockOpen("file:relative", NULL, "/", true), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virLockOpen("file:", NULL, "/", true), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virLockOpen("file:/does/not/exist", NULL, "/", true), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS_NULL(virLockOpen("paper:/x", NULL, "/", true), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_FAILS_NULL(virLockOpen(place(), "", "/", true), VIR_ERR_INVALID_ARG);
}

/* ---- what a document says ---- */

#define GUEST(failure, devices)                                                                                              \
    "<domain type='test'><name>one</name><uuid>0a1b2c3d-0000-4000-8000-000000000001</uuid><memory>1024</memory><os><type>hvm</type></os>" \
    failure "<devices>" devices "</devices></domain>"

static void
readGuest(const char *xml, bool disks, struct virLeaseGuest *read)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDocumentParse(xml, NULL);

    CHECK_PTR(doc);
    CHECK_OK(virLeaseGuestRead(doc, disks, read));
}

TEST(a_document_says_what_its_guest_needs_for_itself)
{
    const char *xml = GUEST("<on_lockfailure>pause</on_lockfailure>",
        "<lease><lockspace>space</lockspace><key>first</key><target path='/l' offset='1024'/></lease>"
        "<lease><key>second</key><target path='/l'/></lease>"
        "<disk type='file' device='disk'><source file='/a.img'/><target dev='vda' bus='virtio'/></disk>"
        "<disk type='block' device='disk'><source dev='/dev/b'/><target dev='vdb' bus='virtio'/></disk>"
        "<disk type='file' device='disk'><source file='/ro.img'/><target dev='vdc' bus='virtio'/><readonly/></disk>"
        "<disk type='file' device='disk'><source file='/all.img'/><target dev='vdd' bus='virtio'/><shareable/></disk>"
        "<disk type='file' device='cdrom'><source file='/cd.iso'/><target dev='sda' bus='sata'/></disk>"
        "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>"
        "<disk type='network' device='disk'><source protocol='nbd' name='x'><host name='h'/></source><target dev='vde' bus='virtio'/></disk>");
    struct virLeaseGuest read;

    readGuest(xml, true, &read);
    CHECK_STR(read.key, "0a1b2c3d-0000-4000-8000-000000000001");
    CHECK_STR(read.what, "one");
    CHECK_INT(read.failure, VIRT_LOCK_PAUSE);
    CHECK_UINT(read.nresources, 4);
    CHECK_STR(read.resources[0], "lease:space/first");
    CHECK_STR(read.resources[1], "lease:/second");
    CHECK_STR(read.resources[2], "disk:/a.img");
    CHECK_STR(read.resources[3], "disk:/dev/b");
    virLeaseGuestClear(&read);
    readGuest(xml, false, &read);
    CHECK_UINT(read.nresources, 2);
    virLeaseGuestClear(&read);
    readGuest(GUEST("", ""), true, &read);
    CHECK_UINT(read.nresources, 0);
    CHECK_INT(read.failure, VIRT_LOCK_POWEROFF);
    virLeaseGuestClear(&read);
}

TEST(a_long_name_of_a_disk_has_a_lease_too)
{
    char path[2][2000], xml[5000];
    struct virLeaseGuest read[2];
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;

    manager = &managers[0];
    a = host("a");
    for (int i = 0; i < 2; i++) {
        memset(path[i], '/', sizeof(path[i]));
        path[i][500 + i] = 'x';
        strcpy(path[i] + sizeof(path[i]) - 10, "end.img");
        snprintf(xml, sizeof(xml), GUEST("", "<disk type='file'><source file='%s'/><target dev='vda' bus='virtio'/></disk>"), path[i]);
        readGuest(xml, true, &read[i]);
        CHECK_UINT(read[i].nresources, 1);
        CHECK_CONTAINS(read[i].resources[0], "/end.img");
    }
    CHECK(strcmp(read[0].resources[0], read[1].resources[0]) != 0);
    CHECK_OK(virLeaseAcquire(a, &read[0], &epoch, &seat));
    virLeaseSeated(a, &seat, 0);
    virLockClose(a);
    virLeaseGuestClear(&read[0]);
    virLeaseGuestClear(&read[1]);
}

TEST(a_long_name_of_letters_beyond_ascii_has_a_lease_that_can_be_read_again)
{
    struct virLockState state;
    struct virLeaseGuest read;
    struct virLockSeat seat;
    unsigned long long epoch;
    char path[400], xml[2000];
    struct virLock *a;

    manager = &managers[0];
    a = host("a");
    /* the end that is kept begins anywhere in a letter of three bytes */
    for (size_t shift = 0; shift < 3; shift++) {
        size_t n = 0;

        harnessContext("%zu letters more", shift);
        while (n < 240)
            n += (size_t)sprintf(path + n, "/\xe2\x82\xac\xe2\x82\xac");
        memset(path + n, 'x', shift);
        path[n + shift] = '\0';
        snprintf(xml, sizeof(xml), GUEST("", "<disk type='file'><source file='%s'/><target dev='vda' bus='virtio'/></disk>"), path);
        readGuest(xml, true, &read);
        CHECK(virJsonCheckText(read.resources[0], strlen(read.resources[0])) == NULL);
        for (int start = 0; start < 2; start++) {
            CHECK_OK(virLeaseAcquire(a, &read, &epoch, &seat));
            CHECK_OK(virLockInquire(a, read.resources[0], &state));
            CHECK_STR(state.holder, read.key);
            leave(a, read.key, &seat);
        }
        virLeaseGuestClear(&read);
    }
    virLockClose(a);
}

/* ---- what the sides of a migration tell each other ---- */

TEST(sides_that_cannot_be_told_apart_do_not_meet)
{
    struct virLock *a, *b;
    struct virLeaseSaid said;
    cJSON *cookie;
    char *text, *owner;

    manager = &managers[0];
    a = host("a");
    b = host("b");
    CHECK_PTR(cookie = virJsonObject("a:lease", virLeaseFormat(a, 7), NULL));
    CHECK_PTR(text = virJsonFormat(cookie));
    CHECK_OK(virLeaseParse(cookie, &said));
    CHECK_STR(said.owner, "a");
    CHECK_UINT(said.epoch, 7);
    CHECK_OK(virLeaseAgree(b, &said, "guest"));
    CHECK_FAILS(virLeaseAgree(a, &said, "guest"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "both hosts call themselves 'a'");
    CHECK_FAILS(virLeaseAgree(NULL, &said, "guest"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_PTR(owner = virLeaseMeet(b, text, "guest"));
    CHECK_STR(owner, "a");
    CHECK_FAILS_NULL(virLeaseMeet(a, text, "guest"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "both hosts call themselves 'a'");
    free(owner);
    free(text);
    cJSON_Delete(cookie);

    CHECK_PTR(cookie = virJsonObject("i:version", 1, NULL));
    CHECK_OK(virLeaseParse(cookie, &said));
    CHECK(said.owner == NULL && said.manager == NULL && said.epoch == 0);
    CHECK_OK(virLeaseAgree(NULL, &said, "guest"));
    CHECK_FAILS(virLeaseAgree(a, &said, "guest"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_FAILS_NULL(virLeaseMeet(a, NULL, "guest"), VIR_ERR_OPERATION_FAILED);
    CHECK_FAILS_NULL(virLeaseMeet(a, "{\"lease\":{}}", "guest"), VIR_ERR_OPERATION_FAILED);
    CHECK_OK(virJsonAdd(cookie, "a:lease", virJsonObject("s:manager", "file", "s:owner", "", "u:epoch", 1ull, NULL), NULL));
    CHECK_FAILS(virLeaseParse(cookie, &said), VIR_ERR_OPERATION_FAILED);
    cJSON_Delete(cookie);
    virLockClose(a);
    virLockClose(b);
}

static int
readOnce(void *opaque)
{
    struct virLeaseGuest read;

    if (virLeaseGuestRead(opaque, true, &read) < 0)
        return -1;
    virLeaseGuestClear(&read);
    return 0;
}

TEST(failing_allocations_read_a_document_or_say_so)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;

    CHECK_PTR(doc = virDocumentParse(GUEST("", "<lease><key>k</key><target path='/l'/></lease>"
                                           "<disk type='file'><source file='/a.img'/><target dev='vda' bus='virtio'/></disk>"), NULL));
    FAULT_EACH_ALLOCATION(readOnce, doc);
}

#endif

/* Hosts as processes: each takes the lease, if it gets it, holds it for a moment, and gives it back or dies. */
#define HOSTS  6

/* What went wrong, as the result. */
static int
fightFailed(int number, int result)
{
    printf("host %d: %d: %s\n", number, result, virGetLastErrorMessage());
    fflush(stdout);
    return result;
}

static int
fight(int number, int *inside)
{
    char name[16];
    struct virLock *lock;
    struct virLockSeat seat;
    unsigned long long epoch, before = 0;
    int won = 0;

    snprintf(name, sizeof(name), "h%d", number);
    if ((lock = virLockOpen(place(), name, "/", true)) == NULL)
        return fightFailed(number, 100);
    for (int i = 0; i < manager->rounds; i++) {
        if (virLeaseAcquire(lock, &guest, &epoch, &seat) < 0) {
            if (virGetLastErrorCode() != VIR_ERR_RESOURCE_BUSY)
                return fightFailed(number, 101);
            usleep(100);
            continue;
        }
        if (__atomic_add_fetch(inside, 1, __ATOMIC_SEQ_CST) != 1 || epoch <= before)
            return fightFailed(number, 102);
        before = epoch;
        won++;
        usleep(200);
        __atomic_sub_fetch(inside, 1, __ATOMIC_SEQ_CST);
        if (i % 3 != 0 && virLeaseRelease(lock, "g1", epoch) < 0)
            return fightFailed(number, 103);
        virLeaseSeated(lock, &seat, 0);
    }
    virLockClose(lock);
    return won > 0 ? 0 : 1;
}

EACH(many_hosts_want_it_and_one_has_it)
{
    int *inside = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status, idle = 0;
    pid_t children[HOSTS];

    place();                                   /* the service, if there is one, is the test's, not a host's */
    for (int i = 0; i < HOSTS; i++)
        if ((children[i] = fork()) == 0)
            _exit(fight(i, inside));
    for (int i = 0; i < HOSTS; i++) {
        CHECK_INT(waitpid(children[i], &status, 0), children[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        idle += WEXITSTATUS(status);
    }
    CHECK(idle < HOSTS);
    munmap(inside, 4096);
}

