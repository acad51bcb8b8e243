/*
 * Parts of a migration with QEMU by themselves: what a peer may say, what is on record, what belongs to somebody else, and how long anything waits.
 * Where QEMU has to answer, the test does.
 */
#define _GNU_SOURCE 1
#include <poll.h>
#include <stdio.h>
#include <time.h>

static int watchedRename(const char *from, const char *to);
static int watchedPoll(struct pollfd *fds, nfds_t n, int timeout);
static int watchedClock(clockid_t clock, struct timespec *now);
#define rename watchedRename
#define poll watchedPoll
#define clock_gettime watchedClock
#include "../../drivers/common/platform.h"
#include "../../drivers/common/stats.h"
#include "../../drivers/common/file.c"
#include "../../drivers/qemu/lease.h"
#include "../../drivers/qemu/migration.c"
#include "../../drivers/qemu/migration_source.c"
#include "../../drivers/qemu/migration_storage.c"
#include "../../drivers/qemu/monitor.c"
#include "../../drivers/qemu/postcopy.c"
#include "../../drivers/qemu/record.c"
#include "../../drivers/qemu/stats.c"
#undef rename
#undef poll
#undef clock_gettime

#include "../fault.h"
#include "../harness.h"
#include "../qemu_guest.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define VIRT_FROM VIR_FROM_QEMU
#define UUID "3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0c1"
#define GUEST "0a1b2c3d-0000-4000-8000-000000000001"

/* The process ends before, or after, it replaces a file by one with this text in it. NULL: it does not. */
static const char *diesBefore, *diesAfter;

static int
watchedRename(const char *from, const char *to)
{
    const char *dies = diesBefore != NULL ? diesBefore : diesAfter;
    bool now = false;
    int rc;

    if (dies != NULL) {
        char *text = readFile(from);

        now = strstr(text, dies) != NULL;
        free(text);
    }
    if (now && diesBefore != NULL)
        _exit(9);
    rc = renameat(AT_FDCWD, from, AT_FDCWD, to);
    if (now)
        _exit(9);
    return rc;
}

/* How often this thread has waited, and how often it has looked at the clock, which it does in each round of what has a time. */
static _Thread_local long waits, looks;

static int
watchedPoll(struct pollfd *fds, nfds_t n, int timeout)
{
    waits += timeout != 0;
    return poll(fds, n, timeout);
}

static int
watchedClock(clockid_t clock, struct timespec *now)
{
    looks++;
    return clock_gettime(clock, now);
}

static struct virMigrationCall
callOf(unsigned int flags, int timeout)
{
    return (struct virMigrationCall){ .uuid = UUID, .flags = flags, .timeout = timeout, .stream = -1 };
}

/* A migration of this host, known to nobody. */
static void
make(struct qemuMigration *m, struct qemuHost *host, bool incoming)
{
    memset(m, 0, sizeof(*m));
    m->host = host;
    m->wake = m->wait = -1;
    m->id = -1;
    m->incoming = incoming;
    snprintf(m->uuid, sizeof(m->uuid), "%s", UUID);
    snprintf(m->guest, sizeof(m->guest), "%s", GUEST);
    CHECK_NOT_NULL(m->name = strdup("guest"));
    m->port = m->nbdPort = QEMU_MIGRATE_PORT_FIRST;
    pthread_mutex_init(&m->lock, NULL);
}

/* ---- QEMU, played by the test ---- */

static int qemu = -1;

/* A guest that was defined, with a monitor at whose other end the test is. */
static virDomainPtr
playGuest(virConnectPtr conn)
{
    struct qemuDomain *priv;
    virDomainPtr domain;
    int ends[2];

    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("guest")));
    CHECK_PTR(priv = qemuDomainOf(domain->obj));
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    qemu = ends[1];
    CHECK_PTR(priv->monitor = qemuMonitorOpenFd(ends[0], "guest"));
    priv->phase = QEMU_PHASE_RUNNING;
    return domain;
}

static void
endGuest(virDomainPtr domain)
{
    struct qemuDomain *priv = qemuDomainPeek(domain->obj);

    qemuMonitorClose(priv->monitor);
    qemuMonitorUnref(priv->monitor);
    priv->monitor = NULL;
    priv->phase = QEMU_PHASE_OFF;
    close(qemu);
    virDomainFree(domain);
}

static char asked[16384];             /* what was, last */

/* Answers all that was asked so far; how many questions that were. */
static int
answer(const char *value)
{
    char text[sizeof(asked)], reply[1000], *rest = text, *line;
    ssize_t n = recv(qemu, asked, sizeof(asked) - 1, MSG_DONTWAIT);
    int count = 0;

    asked[n > 0 ? n : 0] = '\0';
    strcpy(text, asked);
    for (; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0'; count++) {
        cJSON *command = virJsonParse(line, strlen(line), "test");
        unsigned long long id = 0;

        CHECK_OK(virJsonULongLong(command, "id", &id));
        cJSON_Delete(command);
        snprintf(reply, sizeof(reply), "{\"return\": %s, \"id\": %llu}\n", value, id);
        CHECK_INT(send(qemu, reply, strlen(reply), 0), strlen(reply));
    }
    return count;
}

static void
addDisk(struct qemuMigration *m, const char *created)
{
    struct qemuStorageDisk *disk = qemuStorageAdd(m, "vdb", 1 << 20);

    CHECK_PTR(disk);
    snprintf(disk->node, sizeof(disk->node), "node");
    if (created != NULL)
        CHECK_NOT_NULL(disk->created = strdup(created));
}

#define JOB(status, more) "[{\"id\": \"migration-vdb\", \"type\": \"mirror\", \"status\": \"" status "\", \"current-progress\": 1, " \
                          "\"total-progress\": 1" more "}]"

TEST(a_step_without_time_asks_once_and_takes_the_answer_when_it_comes)
{
    virConnectPtr conn = openRoot("host0");
    virDomainPtr domain = playGuest(conn);
    struct qemuMonitor *mon = qemuDomainPeek(domain->obj)->monitor;
    struct qemuMigration *m = malloc(sizeof(*m));
    long long start;
    cJSON *jobs = NULL;

    make(m, qemuHostOf(conn), false);
    m->vm = virDomainObjRef(domain->obj);
    addDisk(m, NULL);
    answer("{}");
    start = harnessNowMs();
    for (int i = 0; i < 3; i++)
        CHECK_INT(qemuStorageQuery(m, mon, 0, &jobs), 0);
    CHECK_LESS(harnessNowMs() - start, harnessSlow(200));
    CHECK_INT(answer(JOB("ready", "")), 1);
    WAIT_FOR(qemuStorageQuery(m, mon, 0, &jobs) == 1, 1000);
    CHECK_INT(qemuStorageJudge(m, jobs), 1);
    cJSON_Delete(jobs);
    CHECK_INT(qemuStorageQuery(m, mon, 0, &jobs), 0);
    CHECK_INT(answer("[]"), 1);
    qemuMigrationFree(m);
    endGuest(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(mirrors_that_were_ended_for_the_switchover_have_not_failed)
{
    virConnectPtr conn = openRoot("host0");
    virDomainPtr domain = playGuest(conn);
    struct qemuDomain *priv = qemuDomainPeek(domain->obj);
    struct qemuMigration *m = malloc(sizeof(*m));

    /* as another process finds it: nothing is known of the mirrors but what QEMU says */
    make(m, qemuHostOf(conn), false);
    m->vm = virDomainObjRef(domain->obj);
    m->copying = true;
    addDisk(m, NULL);
    answer("{}");
    atomic_store(&priv->migrationStatus, QEMU_MIGRATION_DEVICE);
    for (int i = 0; i < 50; i++) {
        CHECK_INT(qemuStorageLook(m, priv->monitor), 0);
        answer(JOB("concluded", ""));
        poll(NULL, 0, 5);
    }
    /* while the memory is sent, one that has ended is one that has failed */
    atomic_store(&priv->migrationStatus, QEMU_MIGRATION_ACTIVE);
    CHECK_INT(qemuStorageLook(m, priv->monitor), 0);
    CHECK_INT(answer(JOB("concluded", ", \"error\": \"no room\"")), 1);
    WAIT_FOR(qemuStorageLook(m, priv->monitor) < 0, 1000);
    CHECK_CONTAINS(virGetLastErrorMessage(), "no room");
    qemuMigrationFree(m);
    endGuest(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_mirror_that_another_migration_has_left_is_not_taken_for_ones_own)
{
    virConnectPtr conn = openRoot("host0");
    virDomainPtr domain = playGuest(conn);
    struct qemuMonitor *mon = qemuDomainPeek(domain->obj)->monitor;
    const struct virMigrationCall call = callOf(VIR_MIGRATE_NON_SHARED_DISK, 0);
    struct qemuMigration *m = malloc(sizeof(*m));
    bool dismissed = false;

    make(m, qemuHostOf(conn), false);
    m->vm = virDomainObjRef(domain->obj);
    CHECK_NOT_NULL(m->nbd = strdup("unix:/nowhere"));
    addDisk(m, NULL);
    answer("{}");
    for (int i = 0; i < 200 && strstr(asked, "blockdev-mirror") == NULL; i++) {
        CHECK_INT(qemuStorageCopy(m, mon, &call, qemuMigrationUntil(0)), 0);
        answer(dismissed ? "[]" : JOB("concluded", ", \"error\": \"of another one\""));
        dismissed = dismissed || strstr(asked, "job-dismiss") != NULL;
        poll(NULL, 0, 1);
    }
    CHECK(dismissed);
    CHECK_CONTAINS(asked, "blockdev-mirror");
    CHECK(m->copying);
    qemuMigrationFree(m);
    endGuest(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

static void *
endSoon(void *opaque)
{
    struct qemuMigration *m = opaque;

    poll(NULL, 0, 600);
    atomic_store(&m->ended, true);
    return NULL;
}

TEST(a_halt_without_an_end_does_not_spin_while_the_monitor_is_gone)
{
    virConnectPtr conn = openRoot("host0");
    virDomainPtr domain = playGuest(conn);
    struct virMigrationCall call = callOf(VIR_MIGRATE_LIVE, -1);
    struct qemuMigration *m;
    pthread_t thread;

    CHECK_PTR(m = qemuMigrationNew(qemuHostOf(conn), domain->obj, &call, "guest", GUEST, false, QEMU_STAGE_BEGUN));
    atomic_store(&m->stage, QEMU_STAGE_TRANSFER);
    m->sent = true;
    qemuMonitorClose(qemuDomainPeek(domain->obj)->monitor);
    pthread_mutex_unlock(&m->lock);
    CHECK_INT(pthread_create(&thread, NULL, endSoon, m), 0);
    waits = looks = 0;
    CHECK_INT(qemuMigrationHalt(domain, &call), VIR_MIGRATION_FAILED);           /* what it had sent by its end, the destination has */
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_LESS(0, waits);
    CHECK_LESS(looks, 20 * (waits + 1));         /* it waits in each round: one that spins looks thousands of times */
    qemuMigrationPut(m);
    endGuest(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

/* No answer is not no: `migrate` may have been carried out, and only QEMU knows. */
TEST(a_halt_whose_monitor_closes_before_the_answer_has_not_halted)
{
    virConnectPtr conn = openRoot("host0");
    virDomainPtr domain = playGuest(conn);
    struct qemuDomain *priv = qemuDomainPeek(domain->obj);
    struct qemuMigration *m = malloc(sizeof(*m));

    make(m, qemuHostOf(conn), false);
    m->vm = virDomainObjRef(domain->obj);
    atomic_store(&m->stage, QEMU_STAGE_TRANSFER);
    m->sent = true;
    atomic_store(&priv->migrationStatus, QEMU_MIGRATION_NONE);
    CHECK_INT(qemuMigrationHaltLocked(m, qemuMigrationUntil(0)), VIR_MIGRATION_AGAIN);
    CHECK(atomic_load(&m->asking) != 0);
    CHECK_OK(shutdown(qemu, SHUT_RDWR));
    for (int i = 0; i < 5; i++)
        CHECK_INT(qemuMigrationHaltLocked(m, qemuMigrationUntil(0)), VIR_MIGRATION_AGAIN);
    CHECK_INT(atomic_load(&m->stage), QEMU_STAGE_TRANSFER);
    /* what it asks next has nothing to do with what the old monitor was asked */
    CHECK_INT(atomic_load(&m->asking), 0);
    CHECK(!m->cancelSent);
    qemuMigrationFree(m);
    endGuest(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

/* ---- what a peer may say ---- */

TEST(a_rate_that_no_wire_has_is_not_known)
{
    static const struct { const char *ram; unsigned long long rate; } rates[] = {
        { "{\"mbps\":8}", 1000000 }, { "{\"mbps\":1e300}", 0 }, { "{\"mbps\":1.8e14}", 0 }, { "{\"mbps\":-1}", 0 },
        { "{\"mbps\":\"8\"}", 0 }, { "{}", 0 },
    };
    unsigned long long ms = 7;

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        cJSON *ram = virJsonParse(rates[i].ram, strlen(rates[i].ram), "test");

        CHECK_UINT(qemuStatsRate(ram), rates[i].rate);
        cJSON_Delete(ram);
    }
    CHECK(!virStatsTimeLeft(1.8e19, 1, 0, &ms));
    CHECK(!virStatsTimeLeft(1, 1, 1, &ms));
    CHECK_UINT(ms, 7);
    CHECK(virStatsTimeLeft(100, 100, 50, &ms));
    CHECK_UINT(ms, 2000);
}

TEST(a_cookie_that_does_not_fit_its_flags_is_refused)
{
    virConnectPtr conn = openRoot("host0");
    struct virMigrationCall call;
    char *text, *out = NULL, *uri = NULL, **problems = NULL;
    cJSON *cookie;

    for (int offline = 0; offline < 2; offline++) {
        harnessContext("the cookie says %s", offline ? "offline" : "active");
        call = callOf(VIR_MIGRATE_PERSIST_DEST | (offline ? 0 : VIR_MIGRATE_OFFLINE), 100);
        CHECK_PTR(cookie = virJsonObject("i:version", 1, "s:migration", UUID, "s:name", "guest", "s:uuid", GUEST, "s:hostname", "other",
                                         "s:place", "there", "i:state", VIR_DOMAIN_RUNNING, "i:reason", 0, "b:running", 1, "B:offline", offline,
                                         "s:xml", smallXml("guest"), NULL));
        CHECK_PTR(text = virJsonFormat(cookie));
        CHECK_INT(qemuMigrationPrepare(conn, &call, text, &out, &uri), VIR_MIGRATION_FAILED);
        CHECK_CONTAINS(virGetLastErrorMessage(), "VIR_MIGRATE_OFFLINE");
        CHECK_INT(qemuMigrationCheckIncoming(conn, &call, text, &problems), 1);
        CHECK_CONTAINS(problems[0], "VIR_MIGRATE_OFFLINE");
        virStringsFree(problems);
        CHECK_INT(virConnectListAllDomains(conn, NULL, 0), 0);
        CHECK_INT(virConnectListMigrations(conn, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
        free(text);
        cJSON_Delete(cookie);
    }
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(where_the_disks_are_to_go_is_an_address_or_refused)
{
    static const char *const bad[] = { "\"\"", "\"t\"", "\"tcp\"", "\"udp:host:1\"", "[]", "{}", "5", "\"tcp:host:0\"" };
    static const char *const good[] = { "\"tcp:host:49152\"", "\"tcp:[::1]:49152\"", "\"unix:/a/b\"" };
    struct qemuMigration *m = malloc(sizeof(*m));
    char cookie[100];

    make(m, NULL, false);
    addDisk(m, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        harnessContext("%s", bad[i]);
        snprintf(cookie, sizeof(cookie), "{\"nbd\":%s}", bad[i]);
        CHECK_FAILS(qemuStoragePeer(m, cookie), VIR_ERR_OPERATION_FAILED);
        CHECK(m->nbd == NULL);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        harnessContext("%s", good[i]);
        snprintf(cookie, sizeof(cookie), "{\"nbd\":%s}", good[i]);
        CHECK_OK(qemuStoragePeer(m, cookie));
        CHECK_NOT_NULL(m->nbd);
        free(m->nbd);
        m->nbd = NULL;
    }
    qemuMigrationFree(m);
}

/* ---- a lock manager, played by the test ---- */

static struct virLockState leaseIs;
static int leaseAsked;

static int
leaseInquire(struct virLock *lock, const char *key, struct virLockState *state)
{
    (void)lock;
    (void)key;
    leaseAsked++;
    *state = leaseIs;
    return 0;
}

static int
leaseLives(struct virLock *lock, const char *key, const char *owner)
{
    (void)lock;
    (void)key;
    (void)owner;
    return 1;
}

static const struct virLockManager leaseManager = { .name = "test", .inquire = leaseInquire, .lives = leaseLives };

TEST(a_doubt_asks_the_lock_manager_once_and_takes_back_only_what_is_in_hand)
{
    virConnectPtr conn = openRoot("host0");
    struct virLock lock = { .manager = &leaseManager, .place = (char *)"test:here", .owner = (char *)"a" };
    struct qemuMigration *m = malloc(sizeof(*m));

    make(m, qemuHostOf(conn), false);
    m->host->leases = &lock;
    m->told = m->mine = 5;
    CHECK_NOT_NULL(m->peer = strdup("b"));
    atomic_store(&m->stage, QEMU_STAGE_TRANSFERRED);
    leaseIs = (struct virLockState){ "b", 6 };
    CHECK_INT(qemuLeaseDecide(m), 1);
    CHECK_INT(leaseAsked, 1);
    CHECK(qemuLeaseIsThere(m));
    CHECK_INT(leaseAsked, 2);
    /* its QEMU may run here, but its name could not be had when it was found again: somebody else's job */
    leaseIs = (struct virLockState){ "a", 5 };
    CHECK_INT(qemuLeaseDecide(m), -1);
    atomic_store(&m->ended, true);
    CHECK_INT(qemuLeaseDecide(m), -1);
    leaseIs = (struct virLockState){ "c", 7 };
    CHECK_INT(qemuLeaseDecide(m), 0);
    m->host->leases = NULL;
    qemuMigrationFree(m);
    CHECK_INT(virConnectClose(conn), 0);
}

/* ---- where to listen ---- */

static int
listenOn(int family, int port)
{
    const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (fd >= 0 && bind(fd, family == AF_INET ? (const struct sockaddr *)&any : (const struct sockaddr *)&any6,
                        family == AF_INET ? sizeof(any) : sizeof(any6)) == 0 && listen(fd, 1) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

TEST(a_port_that_somebody_has_at_one_family_of_addresses_is_taken)
{
    char *uri = NULL, *path = NULL, *listen, given[60];

    for (int family = 0; family < 2; family++) {
        int port = QEMU_MIGRATE_PORT_FIRST, next, fd = -1;
        struct qemuMigrationPlace place = { .what = "the test", .like = "tcp:a-name", .next = &next };

        while (port < QEMU_MIGRATE_PORT_LAST && (fd = listenOn(family == 0 ? AF_INET : AF_INET6, port)) < 0)
            port++;
        if (fd < 0)
            SKIP("no port is free, or this host has no such addresses");
        harnessContext("port %d, family %d", port, family);
        next = port;
        CHECK_PTR(listen = qemuMigrationListenAt(&place, &uri, &path));
        CHECK_INT(strncmp(uri, "tcp:a-name:", 11), 0);
        CHECK(atoi(uri + 11) > port);
        CHECK(path == NULL);
        free(listen);
        /* the caller's own is refused, by name; by an address, QEMU sees for itself */
        snprintf(given, sizeof(given), "tcp:a-name:%d", port);
        place.given = given;
        CHECK_FAILS_NULL(qemuMigrationListenAt(&place, &uri, &path), VIR_ERR_OPERATION_FAILED);
        CHECK_CONTAINS(virGetLastErrorMessage(), "Address already in use");
        snprintf(given, sizeof(given), "tcp:127.0.0.1:%d", port);
        CHECK_PTR(listen = qemuMigrationListenAt(&place, &uri, &path));
        CHECK_STR(listen, given);
        CHECK_INT(next, 0);
        free(listen);
        close(fd);
    }
    free(uri);
    free(path);
}

TEST(memory_and_disks_are_listened_for_in_the_same_way)
{
    virConnectPtr conn = openRoot("host0");
    struct qemuMigration *m = malloc(sizeof(*m));
    const struct qemuMigrationCookie here = { .sameHost = true }, there = { .sameHost = false };
    struct virMigrationCall call = callOf(0, 0);
    virTypedParameter params[2] = { { .field = VIR_MIGRATE_PARAM_URI, .type = VIR_TYPED_PARAM_STRING, .value.s = (char *)"tcp:127.0.0.1:50001" },
                                    { .field = VIR_MIGRATE_PARAM_DISKS_URI, .type = VIR_TYPED_PARAM_STRING, .value.s = (char *)"unix:///d" } };
    char *text;

    make(m, qemuHostOf(conn), true);
    /* nothing is said: a socket of our own each; too long a path for one: loopback */
    CHECK_PTR(text = qemuMigrationListenUri(m, &call, &here));
    CHECK_STR(text, m->uri);
    CHECK_CONTAINS(text, "/run/" UUID ".migrate");
    free(text);
    CHECK_PTR(text = qemuStorageListenUri(m, &call, &here));
    CHECK_STR(text, m->nbd);
    CHECK_CONTAINS(text, "/run/" UUID ".nbd");
    CHECK_STR(m->nbdSocket, text + 5);
    free(text);
    /* by another host's name */
    CHECK_PTR(text = qemuMigrationListenUri(m, &call, &there));
    CHECK_INT(strncmp(text, "tcp::", 5), 0);
    CHECK(m->listening == NULL);
    free(text);
    CHECK_PTR(text = qemuStorageListenUri(m, &call, &there));
    CHECK_INT(strncmp(text, "tcp::", 5), 0);
    CHECK(m->nbdSocket == NULL);
    free(text);
    /* the disks come where the memory comes, at a port of their own; or where the caller says */
    call.params = params;
    call.nparams = 1;
    CHECK_PTR(text = qemuMigrationListenUri(m, &call, &here));
    CHECK_STR(text, "tcp:127.0.0.1:50001");
    CHECK_INT(m->port, 0);
    free(text);
    CHECK_PTR(text = qemuStorageListenUri(m, &call, &here));
    CHECK_INT(strncmp(text, "tcp:127.0.0.1:49", 16), 0);
    CHECK(m->nbdPort > QEMU_MIGRATE_PORT_FIRST);
    free(text);
    call.nparams = 2;
    CHECK_PTR(text = qemuStorageListenUri(m, &call, &here));
    CHECK_STR(text, "unix:/d");
    CHECK_STR(m->nbdSocket, "/d");
    free(text);
    qemuMigrationFree(m);
    CHECK_INT(virConnectClose(conn), 0);
}

static int
listenWithoutMemory(void *opaque)
{
    const struct qemuMigrationPlace *place = opaque;
    char *uri = NULL, *path = NULL, *text = qemuMigrationListenAt(place, &uri, &path);
    int rc = text != NULL ? 0 : -1;

    /* whole, or not at all: and never at another kind of address */
    if (text != NULL)
        CHECK(uri != NULL && (strncmp(text, "unix:", 5) == 0) == (place->own != NULL || strncmp(place->given, "unix:", 5) == 0));
    free(text);
    free(uri);
    free(path);
    return rc;
}

TEST(an_address_to_listen_at_survives_every_failing_allocation)
{
    int next = 0;
    struct qemuMigrationPlace places[] = {
        { .what = "it", .local = true, .own = "/run/own", .next = &next }, { .what = "it", .given = "unix:///given", .next = &next },
        { .what = "it", .given = "tcp:127.0.0.1:50001", .next = &next },
    };

    for (size_t i = 0; i < 3; i++) {
        harnessContext("place %zu", i);
        FAULT_EACH_ALLOCATION(listenWithoutMemory, &places[i]);
    }
}

/* ---- what is on record ---- */

static int
saveWhole(void *opaque)
{
    struct qemuMigration *m = opaque;
    char *path, *text;

    if (qemuMigrationSaveRecord(m) < 0)
        return -1;
    faultPause();
    path = qemuRecordPath(m);
    text = readFile(path);
    CHECK_CONTAINS(text, "\"disks\":[{\"target\":\"vdb\"");
    CHECK_CONTAINS(text, "\"error\":{");
    free(text);
    free(path);
    faultResume();
    return 0;
}

TEST(a_record_has_all_its_parts_or_is_not_written)
{
    virConnectPtr conn = openRoot("host0");
    struct qemuMigration *m = malloc(sizeof(*m));

    make(m, qemuHostOf(conn), true);
    atomic_store(&m->stage, QEMU_STAGE_PREPARED);
    addDisk(m, "/nowhere/image");
    virReportError(VIR_ERR_OPERATION_FAILED, "no");
    virCopyLastError(&m->error);
    FAULT_EACH_ALLOCATION(saveWhole, m);
    qemuMigrationRemoveRecord(m);
    qemuMigrationFree(m);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_prepare_that_a_crash_has_cut_short_leaves_no_sockets_and_no_images)
{
    virConnectPtr conn = openRoot("host0");
    struct qemuMigration *m = malloc(sizeof(*m));
    char *sockets[2], image[1200];
    int fds[2];

    make(m, qemuHostOf(conn), true);
    atomic_store(&m->stage, QEMU_STAGE_SPAWNED);
    snprintf(image, sizeof(image), "%s", scratchPath("image"));
    CHECK(close(creat(image, 0600)) == 0);     /* made, and not noted yet */
    addDisk(m, image);
    for (int i = 0; i < 2; i++) {
        CHECK_PTR(sockets[i] = qemuMigrationOwnSocket(m, i == 0 ? "nbd" : "migrate"));
        CHECK_OK(fds[i] = virFileListen(sockets[i], 1));
    }
    CHECK_OK(qemuMigrationSaveRecord(m));
    qemuMigrationFree(m);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_PTR(conn = openRoot("host0"));
    for (int i = 0; i < 2; i++) {
        CHECK_MSG(access(sockets[i], F_OK) < 0, "%s is still there", sockets[i]);
        close(fds[i]);
        free(sockets[i]);
    }
    CHECK(access(image, F_OK) < 0);
    CHECK_INT(virConnectListMigrations(conn, NULL, 0), 0);
    CHECK_INT(virConnectClose(conn), 0);
}

/* A URI may name any path, and QEMU may have ended before it came to listen there. */
TEST(a_file_where_a_socket_was_to_be_stays)
{
    virConnectPtr conn = openRoot("host0");
    struct qemuMigration *m = malloc(sizeof(*m));
    char path[2][1200];

    make(m, qemuHostOf(conn), true);
    atomic_store(&m->stage, QEMU_STAGE_REMOVING);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "%s", scratchPath("file%d", i));
        CHECK_OK(virFileWrite(path[i], "theirs", 6, 0600));
    }
    CHECK_NOT_NULL(m->listening = strdup(path[0]));
    CHECK_NOT_NULL(m->nbdSocket = strdup(path[1]));
    qemuStorageRemove(m, false);
    qemuMigrationEnd(m, QEMU_STAGE_REMOVED);
    for (int i = 0; i < 2; i++)
        CHECK_MSG(access(path[i], F_OK) == 0, "%s has gone", path[i]);
    qemuMigrationRemoveRecord(m);
    qemuMigrationFree(m);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(only_an_image_that_was_made_here_is_removed)
{
    virConnectPtr conn = openRoot("host0");
    struct virMigrationCall call = callOf(VIR_MIGRATE_NON_SHARED_DISK, 0);
    struct qemuMigration *m;
    char path[1200], xml[2500];
    xmlDocPtr doc;
    char *text;

    snprintf(path, sizeof(path), "%s", scratchPath("image"));
    for (int format = 0; format < 2; format++) {
        harnessContext("%s", format == 0 ? "raw" : "qcow2");
        snprintf(xml, sizeof(xml), "<domain type='qemu'><name>guest</name><devices><disk type='file'><driver name='qemu' type='%s'/>"
                 "<source file='%s'/><target dev='vdb'/></disk></devices></domain>", format == 0 ? "raw" : "qcow2", path);
        CHECK_PTR(doc = virXmlParse(xml, "domain"));

        /* somebody puts one there between the look and the making of it */
        make(m = malloc(sizeof(*m)), qemuHostOf(conn), true);
        addDisk(m, path);
        CHECK_OK(virFileWrite(path, "theirs", 6, 0600));
        CHECK(qemuStorageMakeAll(m, &call, doc) < 0);
        CHECK_CONTAINS(virGetLastErrorMessage(), "File exists");
        qemuStorageRemove(m, false);
        text = readFile(path);
        CHECK_STR(text, "theirs");
        free(text);
        qemuMigrationFree(m);
        unlink(path);

        /* it is made, and goes */
        make(m = malloc(sizeof(*m)), qemuHostOf(conn), true);
        addDisk(m, path);
        CHECK_OK(qemuStorageMakeAll(m, &call, doc));
        CHECK(access(path, F_OK) == 0);
        qemuStorageRemove(m, false);
        CHECK(access(path, F_OK) < 0);
        qemuMigrationFree(m);

        /* it is made, and somebody puts another in its place */
        make(m = malloc(sizeof(*m)), qemuHostOf(conn), true);
        addDisk(m, path);
        CHECK_OK(qemuStorageMakeAll(m, &call, doc));
        CHECK_OK(virFileWrite(path, "theirs", 6, 0600));
        qemuStorageRemove(m, false);
        text = readFile(path);
        CHECK_STR(text, "theirs");
        free(text);
        qemuMigrationRemoveRecord(m);
        qemuMigrationFree(m);
        unlink(path);
        virXmlFree(doc);
    }
    CHECK_INT(virConnectClose(conn), 0);
}

/* ---- what nobody steps ---- */

TEST(one_that_was_to_start_and_has_died_does_not_stay)
{
    virConnectPtr conn = openRoot("host0");
    struct virMigrationCall call = callOf(VIR_MIGRATE_LIVE, 0);
    struct qemuHost *host = qemuHostOf(conn);
    struct qemuMigration *m;

    CHECK_PTR(m = qemuMigrationNew(host, NULL, &call, "guest", GUEST, true, QEMU_STAGE_SPAWNED));
    atomic_store(&m->stage, QEMU_STAGE_STARTING);
    atomic_store(&m->ended, true);
    qemuMigrationUnlock(m);
    atomic_store(&m->heard, 0);
    atomic_store(&host->migrationSwept, 0);
    qemuMigrationSweep(host);
    CHECK_INT(atomic_load(&m->stage), QEMU_STAGE_REMOVED);
    CHECK_CONTAINS(m->error.message, "has ended before it was started");
    CHECK_INT(virConnectListMigrations(conn, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
    CHECK_INT(virConnectClose(conn), 0);
}

/* Two hosts, a guest at the first, and an older definition of it at the second. */
struct pair { virConnectPtr conns[2]; virDomainPtr guest; };

/* Whether the hosts have a lock manager. */
static bool leased;

static virConnectPtr
openSide(const char *root)
{
    char uri[2500];

    if (!leased)
        return openRoot(root);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&lock-owner=%s", scratchRoot("%s", root), root);
    snprintf(uri + strlen(uri), sizeof(uri) - strlen(uri), "&lock=file:%s", scratchPath("leases"));
    return virConnectOpen(uri);
}

static void
openPair(struct pair *pair)
{
    pair->conns[0] = openSide("host0");
    pair->conns[1] = openSide("host1");
    CHECK_PTR(pair->conns[0]);
    CHECK_PTR(pair->conns[1]);
}

/* The lease of this guest is held by this host. */
static void
checkLease(const char *guest, const char *host)
{
    char uri[1200];
    struct virLockState state;
    struct virLock *lock;

    snprintf(uri, sizeof(uri), "file:%s", scratchPath("leases"));
    CHECK_PTR(lock = virLockOpen(uri, "judge", "/", true));
    CHECK_OK(virLockInquire(lock, guest, &state));
    CHECK_STR(state.holder, host);
    virLockClose(lock);
}

static void
startPair(struct pair *pair)
{
    char xml[1200];

    openPair(pair);
    snprintf(xml, sizeof(xml), "%s", smallXml("guest"));
    CHECK_PTR(pair->guest = virDomainCreateXML(pair->conns[0], xml, 0));
}

static void
defineOlder(struct pair *pair)
{
    char *xml = virDomainGetXMLDesc(pair->guest, VIR_DOMAIN_XML_INACTIVE), *end;
    char older[6000];
    virDomainPtr other;

    CHECK_PTR(xml);
    CHECK_NOT_NULL(end = strstr(xml, "<memory"));
    snprintf(older, sizeof(older), "%.*s<title>older</title>%s", (int)(end - xml), xml, end);
    CHECK_PTR(other = virDomainDefineXML(pair->conns[1], older));
    virDomainFree(other);
    free(xml);
}

static void
checkOlder(virConnectPtr conn)
{
    virDomainPtr domain = virDomainLookupByName(conn, "guest");
    char *xml;

    CHECK_PTR(domain);
    CHECK_INT(virDomainIsPersistent(domain), 1);
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE));
    CHECK_CONTAINS(xml, "<title>older</title>");
    free(xml);
    virDomainFree(domain);
}

static bool
hasDied(pid_t pid)
{
    char path[64], state = 'Z';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if ((f = fopen(path, "r")) != NULL) {
        if (fscanf(f, "%*d %*s %c", &state) != 1)
            state = 'Z';
        fclose(f);
    }
    return state == 'Z' || state == 'X';
}

static void
killGuest(const char *root)
{
    pid_t pid = pidOf(root, "guest");

    CHECK_INT(kill(pid, SIGKILL), 0);
    WAIT_FOR(hasDied(pid), 10000);
}

TEST(a_crash_when_it_is_told_to_start_keeps_the_older_definition)
{
    char command[2500];
    struct pair pair;
    pid_t pid;
    int status;

    needsQemu();
    for (int before = 0; before < 2; before++) {
        harnessContext("killed before %s is on record", before == 0 ? "the start" : "the end");
        startPair(&pair);
        defineOlder(&pair);
        virDomainFree(pair.guest);
        virConnectClose(pair.conns[0]);
        virConnectClose(pair.conns[1]);
        fflush(NULL);
        if ((pid = fork()) == 0) {
            virMigrationPtr m;

            openPair(&pair);
            CHECK_PTR(pair.guest = virDomainLookupByName(pair.conns[0], "guest"));
            CHECK_PTR(m = virMigrationNew(pair.guest, pair.conns[1], NULL, 0, VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST));
            while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_FINISH)
                CHECK_INT(virMigrationStep(m, 1000), 1);
            diesBefore = before == 0 ? "\"stage\":\"starting\"" : "\"stage\":\"started\"";
            while (virMigrationStep(m, 1000) > 0)
                ;
            _exit(1);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(WEXITSTATUS(status), 9);
        /* the QEMU that had received it is gone as well: what is left is what was there before */
        killGuest("host1");
        openPair(&pair);
        WAIT_FOR(virConnectNumOfDomains(pair.conns[1]) == 0, 5000);
        checkOlder(pair.conns[1]);
        killGuest("host0");
        WAIT_FOR(virConnectNumOfDomains(pair.conns[0]) == 0, 5000);
        virConnectClose(pair.conns[0]);
        virConnectClose(pair.conns[1]);
        snprintf(command, sizeof(command), "rm -r %s %s", scratchPath("host0"), scratchPath("host1"));
        CHECK_INT(runShell(command, NULL), 0);
    }
}

/* A migration from `from` to the other, until the process that has both ends dies where it was told to. */
static void
migrateAndDie(int from, unsigned int flags, const char *before, const char *after)
{
    pid_t pid;
    int status;

    fflush(NULL);
    if ((pid = fork()) == 0) {
        virMigrationPtr m;
        struct pair pair;

        openPair(&pair);
        CHECK_PTR(pair.guest = virDomainLookupByName(pair.conns[from], "guest"));
        CHECK_PTR(m = virMigrationNew(pair.guest, pair.conns[!from], NULL, 0, VIR_MIGRATE_LIVE | flags));
        diesBefore = before;
        diesAfter = after;
        while (virMigrationStep(m, 1000) > 0)
            ;
        _exit(1);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(WEXITSTATUS(status), 9);
}

/* Another goes on with it: what becomes of it. */
static int
goOn(struct pair *pair, int from)
{
    char **records = NULL;
    virMigrationPtr m;
    int n, outcome;

    CHECK_INT(n = virConnectListMigrations(pair->conns[from], &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 1);
    CHECK_PTR(m = virMigrationNewFromRecord(records[0], pair->conns[from], pair->conns[!from]));
    free(records[0]);
    free(records);
    while (virMigrationStep(m, 1000) > 0)
        ;
    outcome = (int)virMigrationGetOutcome(m);
    if (virMigrationGetError(m) != NULL)
        printf("outcome %d: %s\n", outcome, virMigrationGetError(m)->message);
    virMigrationFree(m);
    return outcome;
}

static void
checkRunsAt(struct pair *pair, int side)
{
    virDomainPtr domain;

    CHECK_INT(virConnectNumOfDomains(pair->conns[!side]), 0);
    CHECK_PTR(domain = virDomainLookupByName(pair->conns[side], "guest"));
    CHECK_INT(stateOf(domain), VIR_DOMAIN_RUNNING);
    virDomainFree(domain);
}

static void
endPair(struct pair *pair, int side)
{
    virDomainPtr domain = virDomainLookupByName(pair->conns[side], "guest");

    CHECK_PTR(domain);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    virConnectClose(pair->conns[0]);
    virConnectClose(pair->conns[1]);
}

/* Neither for an answer nor for a QEMU that was killed: the end of a large one takes long. */
TEST(a_step_without_time_waits_for_nothing)
{
    struct pair pair;

    startPair(&pair);
    for (int aborts = 1; aborts >= 0; aborts--) {
        virMigrationPtr m = virMigrationNew(pair.guest, pair.conns[1], NULL, 0, VIR_MIGRATE_LIVE);
        int rc, fd, events, ms;

        CHECK_PTR(m);
        do {
            struct pollfd pfd;

            harnessContext("%s, phase %s", aborts ? "aborted" : "there", virMigrationPhaseGetName(virMigrationGetPhase(m)));
            if (aborts && virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM)
                CHECK_OK(virMigrationAbort(m));
            waits = 0;
            CHECK_OK(rc = virMigrationStep(m, 0));
            CHECK_INT(waits, 0);
            CHECK_OK(virMigrationGetWait(m, &fd, &events, &ms));
            pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
            poll(&pfd, 1, rc > 0 ? ms : 0);
        } while (rc > 0);
        CHECK_INT(virMigrationGetOutcome(m), aborts ? VIR_MIGRATION_OUTCOME_ROLLED_BACK : VIR_MIGRATION_OUTCOME_MIGRATED);
        virMigrationFree(m);
    }
    virDomainFree(pair.guest);
    checkRunsAt(&pair, 1);
    endPair(&pair, 1);
}

/* QEMU tells of the last migration it knows of, and that one was its own arrival. */
TEST(one_that_has_arrived_is_not_taken_for_sent_before_it_was_told_to_migrate)
{
    struct pair pair;
    virDomainPtr arrived;

    startPair(&pair);
    CHECK_PTR(arrived = virDomainMigrate3(pair.guest, pair.conns[1], NULL, 0, VIR_MIGRATE_LIVE));
    virDomainFree(arrived);
    virDomainFree(pair.guest);
    virConnectClose(pair.conns[0]);
    virConnectClose(pair.conns[1]);
    migrateAndDie(1, 0, NULL, "\"stage\":\"transfer\"");
    openPair(&pair);
    CHECK_INT(goOn(&pair, 1), VIR_MIGRATION_OUTCOME_MIGRATED);
    checkRunsAt(&pair, 0);
    endPair(&pair, 0);
}

TEST(what_a_destination_took_before_it_died_unseen_goes_back)
{
    char guest[VIR_UUID_STRING_BUFLEN];
    struct pair pair;

    leased = true;
    CHECK_INT(mkdir(scratchPath("leases"), 0700), 0);
    startPair(&pair);
    defineOlder(&pair);
    CHECK_OK(virDomainGetUUIDString(pair.guest, guest));
    virDomainFree(pair.guest);
    virConnectClose(pair.conns[0]);
    virConnectClose(pair.conns[1]);
    migrateAndDie(0, VIR_MIGRATE_PERSIST_DEST, "\"stage\":\"started\"", NULL);
    checkLease(guest, "host1");
    killGuest("host1");
    CHECK_PTR(pair.conns[1] = openSide("host1"));
    checkOlder(pair.conns[1]);
    CHECK_INT(virConnectListMigrations(pair.conns[1], NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
    checkLease(guest, "host0");
    CHECK_PTR(pair.conns[0] = openSide("host0"));
    CHECK_INT(goOn(&pair, 0), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    checkRunsAt(&pair, 0);
    checkLease(guest, "host0");
    endPair(&pair, 0);
}

/* The same while its host is open, and nobody steps it: what it had taken goes with it. */
TEST(what_a_destination_took_goes_back_when_it_dies_and_nobody_steps_it)
{
    struct virMigrationCall call = callOf(VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST, 0);
    struct virLockState nobody = { "", 0 }, here = { "host1", 6 };
    char guest[VIR_UUID_STRING_BUFLEN];
    struct qemuMigration *m;
    struct virLock *lock;
    virConnectPtr conn;
    virDomainPtr domain;
    char *xml, *end;

    leased = true;
    CHECK_INT(mkdir(scratchPath("leases"), 0700), 0);
    CHECK_PTR(conn = openSide("host1"));
    domain = playGuest(conn);
    CHECK_OK(virDomainGetUUIDString(domain, guest));
    CHECK_OK(virDomainObjBeginJob(domain->obj, "virDomainMigrate", false));
    CHECK_PTR(m = qemuMigrationNew(qemuHostOf(conn), domain->obj, &call, "guest", guest, true, QEMU_STAGE_SPAWNED));
    atomic_store(&m->stage, QEMU_STAGE_STARTING);
    CHECK_OK(virDomainObjBeginMigration(domain->obj, VIR_DOMAIN_JOB_KIND_MIGRATION_IN, m->uuid));
    /* it has the lease, and its document has replaced an older one */
    CHECK_PTR(lock = m->host->leases);
    CHECK_INT(lock->manager->change(lock, guest, &nobody, &here), 1);
    m->told = 5;
    m->mine = 6;
    m->moving = m->persisted = m->defined = true;
    CHECK_NOT_NULL(m->peer = strdup("host0"));
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE));
    CHECK_NOT_NULL(end = strstr(xml, "<memory"));
    CHECK(asprintf(&m->previous, "%.*s<title>older</title>%s", (int)(end - xml), xml, end) > 0);
    free(xml);
    atomic_store(&m->dropped, true);
    pthread_mutex_unlock(&m->lock);
    qemuMigrationOnStopped(domain->obj, VIR_DOMAIN_SHUTOFF_CRASHED);
    CHECK_INT(atomic_load(&m->stage), QEMU_STAGE_REMOVED);
    CHECK_CONTAINS(m->error.message, "the QEMU that received it has ended");
    checkOlder(conn);
    checkLease(guest, "host0");
    qemuMigrationPut(m);
    endGuest(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

#undef VIRT_FROM
#undef UUID
#undef GUEST
#undef JOB
