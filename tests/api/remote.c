/*
 * The remote driver and the server together: a server in a process of its own, which is killed, stopped and started again.
 */
#include "../../virt.h"
#include "../harness.h"

#if defined VIRT_WITH_REMOTE && VIRT_WITH_REMOTE

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../served.h"

/* ---------- an event loop ---------- */

static pthread_t loopThread;
static atomic_int loopStop;

static void *
loopRun(void *opaque)
{
    (void)opaque;
    while (!loopStop)
        CHECK_OK(virEventRunDefaultImpl());
    return NULL;
}

static void
loopTick(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

static void
loopStart(void)
{
    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(virEventAddTimeout(50, loopTick, NULL, NULL));
    CHECK_INT(pthread_create(&loopThread, NULL, loopRun, NULL), 0);
}

static void
loopEnd(void)
{
    loopStop = 1;
    pthread_join(loopThread, NULL);
}

/* ---------- tests ---------- */

TEST(a_served_connection_is_used_like_any_other)
{
    pid_t pid = serverStart();
    virConnectPtr conn = open1("");
    virDomainPtr domain, *domains = NULL, created;
    virDomainInfo info;
    virNodeInfo node;
    char *xml, *uri, *caps;
    int n;

    CHECK_STR(virConnectGetType(conn), "TEST");
    CHECK_PTR(uri = virConnectGetURI(conn));
    CHECK_STR(uri, serverUri(""));
    free(uri);
    CHECK_OK(virNodeGetInfo(conn, &node));
    CHECK_PTR(caps = virConnectGetCapabilities(conn));
    CHECK_CONTAINS(caps, "<capabilities>");
    free(caps);
    CHECK_INT(virConnectNumOfDomains(conn), 1);
    CHECK_INT(n = virConnectListAllDomains(conn, &domains, 0), 1);
    CHECK_STR(virDomainGetName(domains[0]), "test");
    virDomainFree(domains[0]);
    free(domains);
    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK_OK(virDomainGetInfo(domain, &info));
    CHECK_INT(info.state, VIR_DOMAIN_RUNNING);
    CHECK_OK(virDomainSuspend(domain));
    CHECK_OK(virDomainGetInfo(domain, &info));
    CHECK_INT(info.state, VIR_DOMAIN_PAUSED);
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, 0));
    CHECK_CONTAINS(xml, "<name>test</name>");
    free(xml);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_FAILS(virDomainSuspend(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_INT(virDomainIsActive(domain), 0);
    CHECK_OK(virDomainCreate(domain));
    CHECK(virDomainGetID(domain) > 0);
    virDomainFree(domain);
    CHECK_FAILS_NULL(virDomainLookupByName(conn, "nobody"), VIR_ERR_NO_DOMAIN);
    CHECK_PTR(created = virDomainCreateXML(conn, "<domain type='test'><name>made</name><memory>1024</memory><os><type>hvm</type></os></domain>", 0));
    CHECK_STR(virDomainGetName(created), "made");
    CHECK_INT(virConnectNumOfDomains(conn), 2);
    CHECK_OK(virDomainDestroy(created));
    virDomainFree(created);
    CHECK_INT(virConnectIsAlive(conn), 1);
    CHECK_INT(virConnectClose(conn), 0);
    serverEnd(pid);
}

TEST(a_read_only_connection_stays_one)
{
    pid_t pid = serverStart();
    virConnectPtr conn = NULL;
    virDomainPtr domain;

    WAIT_FOR((conn = virConnectOpenReadOnly(serverUri(""))) != NULL, 5000);
    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK_FAILS(virDomainDestroy(domain), VIR_ERR_OPERATION_DENIED);
    virDomainFree(domain);
    virConnectClose(conn);
    serverEnd(pid);
}

TEST(what_is_not_served_cannot_be_opened)
{
    pid_t pid = serverStart();
    char uri[256];

    virConnectClose(open1(""));
    snprintf(uri, sizeof(uri), "qemu+unix:///system?socket=%s", scratchPath("sock"));
    CHECK_NULL(virConnectOpen(uri));
    CHECK_CONTAINS(virGetLastErrorMessage(), "qemu:///system");
    serverEnd(pid);
}

/* The document of a guest that is longer than a message, there and back. */
TEST(long_documents_travel)
{
    pid_t pid = serverStart();
    virConnectPtr conn = open1("");
    size_t size = 3 << 20;
    char *xml = malloc(size + 400), *back;
    virDomainPtr domain;
    int at;

    at = sprintf(xml, "<domain type='test'><name>long</name><memory>1024</memory><os><type>hvm</type></os><description>");
    memset(xml + at, 'x', size);
    strcpy(xml + at + size, "</description></domain>");
    for (size_t i = 0; i + 2 < size; i += 61)
        memcpy(xml + at + i, "\xc3\xa9", 2);
    CHECK_PTR(domain = virDomainDefineXML(conn, xml));
    CHECK_PTR(back = virDomainGetXMLDesc(domain, 0));
    CHECK(strlen(back) > size);
    CHECK(strstr(back, "\xc3\xa9xxxx") != NULL);
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    virConnectClose(conn);
    free(back);
    free(xml);
    serverEnd(pid);
}

struct caller { virConnectPtr conn; int failed; pthread_t thread; };

static void *
callerRun(void *opaque)
{
    struct caller *caller = opaque;
    virDomainInfo info;

    for (int i = 0; i < 300; i++) {
        virDomainPtr domain = virDomainLookupByName(caller->conn, "test");

        caller->failed += domain == NULL || virDomainGetInfo(domain, &info) < 0 || virConnectNumOfDomains(caller->conn) != 1;
        if (domain != NULL)
            virDomainFree(domain);
    }
    return NULL;
}

TEST(eight_threads_share_a_connection)
{
    pid_t pid = serverStart();
    virConnectPtr conn = open1("");
    struct caller callers[8];

    for (int i = 0; i < 8; i++) {
        callers[i] = (struct caller){ conn, 0, 0 };
        CHECK_INT(pthread_create(&callers[i].thread, NULL, callerRun, &callers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK_INT(callers[i].failed, 0);
    }
    virConnectClose(conn);
    serverEnd(pid);
}

TEST(a_server_that_is_started_again_is_found_again)
{
    pid_t pid = serverStart();
    virConnectPtr conn = open1("");

    CHECK_INT(virConnectNumOfDomains(conn), 1);
    for (int i = 0; i < 3; i++) {
        serverKill(pid);
        pid = serverStart();
        CHECK_INT(virConnectNumOfDomains(conn), 1);
        CHECK_INT(virConnectIsAlive(conn), 1);
    }
    virConnectClose(conn);
    serverEnd(pid);
}

static atomic_int closedReason = -1, closedTimes, freed;

static void
closed(virConnectPtr conn, int reason, void *opaque)
{
    CHECK_INT(virConnectIsAlive(conn), 0);
    CHECK_STR(opaque, "mine");
    closedReason = reason;
    closedTimes++;
}

static void
free1(void *opaque)
{
    (void)opaque;
    freed++;
}

TEST(without_a_loop_a_call_finds_that_the_server_is_gone)
{
    pid_t pid = serverStart();
    virConnectPtr conn = open1("&reconnect=1");

    CHECK_OK(virConnectRegisterCloseCallback(conn, closed, "mine", free1));
    serverKill(pid);
    CHECK_FAILS(virConnectNumOfDomains(conn), VIR_ERR_RPC);
    CHECK_INT(closedTimes, 1);
    CHECK_INT(closedReason, VIR_CONNECT_CLOSE_REASON_EOF);
    CHECK_INT(virConnectIsAlive(conn), 0);
    CHECK_FAILS(virConnectNumOfDomains(conn), VIR_ERR_RPC);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(freed, 1);
    serverEnd(serverStart());
}

TEST(with_a_loop_the_close_callback_comes_by_itself)
{
    pid_t pid = serverStart();
    virConnectPtr conn;

    loopStart();
    conn = open1("&reconnect=0");
    CHECK_OK(virConnectRegisterCloseCallback(conn, closed, "mine", free1));
    serverKill(pid);
    WAIT_FOR(closedTimes == 1, 3000);
    CHECK_INT(closedReason, VIR_CONNECT_CLOSE_REASON_EOF);
    CHECK_INT(virConnectClose(conn), 0);
    loopEnd();
    serverEnd(serverStart());
}

static int lifecycle[64][2];
static atomic_int nlifecycle;

static int
happened(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    (void)conn;
    (void)opaque;
    CHECK_STR(virDomainGetName(domain), "test");
    if (nlifecycle < 64) {
        lifecycle[nlifecycle][0] = event;
        lifecycle[nlifecycle][1] = detail;
        nlifecycle++;
    }
    return 0;
}

TEST(events_come_by_the_loop_in_order)
{
    pid_t pid = serverStart();
    virConnectPtr conn;
    virDomainPtr domain;
    int id;

    loopStart();
    conn = open1("");
    CHECK_OK(id = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(happened), NULL, NULL));
    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    for (int i = 0; i < 10; i++) {
        CHECK_OK(virDomainSuspend(domain));
        CHECK_OK(virDomainResume(domain));
    }
    WAIT_FOR(nlifecycle == 20, 3000);
    for (int i = 0; i < 20; i++)
        CHECK_INT(lifecycle[i][0], i % 2 ? VIR_DOMAIN_EVENT_RESUMED : VIR_DOMAIN_EVENT_SUSPENDED);

    /* a new session has the same subscription */
    serverKill(pid);
    pid = serverStart();
    nlifecycle = 0;
    CHECK_OK(virDomainSuspend(domain));
    WAIT_FOR(nlifecycle == 1, 3000);
    CHECK_OK(virConnectDomainEventDeregisterAny(conn, id));
    CHECK_OK(virDomainResume(domain));
    harnessSleepMs(100);
    CHECK_INT(nlifecycle, 1);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    loopEnd();
    serverEnd(pid);
}

TEST(another_clients_changes_are_heard_of)
{
    pid_t pid = serverStart();
    virConnectPtr conn, other;
    virDomainPtr domain;

    loopStart();
    conn = open1("");
    other = open1("");
    CHECK_OK(virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(happened), NULL, NULL));
    CHECK_PTR(domain = virDomainLookupByName(other, "test"));
    CHECK_OK(virDomainDestroy(domain));
    WAIT_FOR(nlifecycle == 1, 3000);
    CHECK_INT(lifecycle[0][0], VIR_DOMAIN_EVENT_STOPPED);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(other), 0);
    CHECK_INT(virConnectClose(conn), 0);
    loopEnd();
    serverEnd(pid);
}

TEST(keep_alive_finds_a_server_that_stands_still)
{
    pid_t pid = serverStart();
    virConnectPtr conn;
    long long began;

    loopStart();
    conn = open1("");
    CHECK_OK(virConnectRegisterCloseCallback(conn, closed, "mine", free1));
    CHECK_OK(virConnectSetKeepAlive(conn, 1, 2));
    harnessSleepMs(3500);
    CHECK_INT(virConnectIsAlive(conn), 1);
    harnessStop(pid);
    began = harnessNowMs();
    CHECK_FAILS(virConnectNumOfDomains(conn), VIR_ERR_RPC);
    CHECK(harnessNowMs() - began > 1900);
    CHECK_LESS(harnessNowMs() - began, harnessSlow(5000));
    WAIT_FOR(closedTimes == 1, 3000);
    CHECK_INT(closedReason, VIR_CONNECT_CLOSE_REASON_KEEPALIVE);
    CHECK_INT(virConnectIsAlive(conn), 0);
    CHECK_INT(virConnectClose(conn), 0);
    loopEnd();
    serverEnd(pid);
}

TEST(a_forked_child_cannot_use_it)
{
    pid_t pid = serverStart(), child;
    virConnectPtr conn = open1("");
    int status;

    if ((child = fork()) == 0) {
        bool ok = virConnectNumOfDomains(conn) == -1 && virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID && virConnectClose(conn) == 0;

        _exit(ok ? 0 : 1);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    CHECK_INT(virConnectNumOfDomains(conn), 1);
    CHECK_INT(virConnectClose(conn), 0);
    serverEnd(pid);
}

/* On the second host of the server, without the guest that it has. */
static virConnectPtr
openOther(void)
{
    virConnectPtr other = open1("&name=test:///default%3Fhost=other");
    virDomainPtr domain;

    CHECK_PTR(domain = virDomainLookupByName(other, "test"));
    CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    return other;
}

TEST(a_guest_migrates_between_two_connections)
{
    pid_t pid = serverStart();
    virConnectPtr conn = open1(""), other = openOther();
    virDomainPtr domain, moved;

    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK_PTR(moved = virDomainMigrate(domain, other, VIR_MIGRATE_LIVE, "arrived", NULL, 0));
    CHECK_STR(virDomainGetName(moved), "arrived");
    CHECK_INT(virDomainIsActive(moved), 1);
    CHECK_INT(virDomainIsActive(domain), 0);
    virDomainFree(moved);
    virDomainFree(domain);
    virConnectClose(other);
    virConnectClose(conn);
    serverEnd(pid);
}

TEST(a_migration_is_stepped_without_waiting)
{
    pid_t pid = serverStart();
    virConnectPtr conn = open1(""), other = openOther();
    virDomainPtr domain;
    virMigrationPtr m;
    int rc, steps = 0;

    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK_PTR(m = virMigrationNew(domain, other, NULL, 0, VIR_MIGRATE_LIVE));
    do {
        int fd, events, ms;
        struct pollfd poller;
        long long began = harnessOwnMs();

        CHECK_OK(rc = virMigrationStep(m, 0));
        CHECK_LESS(harnessOwnMs() - began, harnessSlow(500));
        if (rc == 0)
            break;
        CHECK_OK(virMigrationGetWait(m, &fd, &events, &ms));
        poller = (struct pollfd){ .fd = fd, .events = POLLIN };
        poll(&poller, fd >= 0 ? 1 : 0, ms < 0 ? 1000 : ms);
        CHECK_LESS(++steps, 2000);
    } while (rc > 0);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_LESS(steps, 200);
    virMigrationFree(m);
    virDomainFree(domain);
    virConnectClose(other);
    virConnectClose(conn);
    serverEnd(pid);
}

/* A program in ssh's place: it "forwards" by symbolic links, and says what it was called with. */
static const char *
fakeSsh(const char *more)
{
    const char *script = scratchPath("ssh");
    char text[1200];

    snprintf(text, sizeof(text),
             "#!/bin/sh\necho \"$@\" > %s\n%s\n"
             "while [ $# -gt 0 ]; do\n"
             "    if [ \"$1\" = -L ]; then ln -s \"${2#*:}\" \"${2%%%%:*}\"; fi\n"
             "    shift\n"
             "done\n"
             "exec sleep 1000\n", scratchPath("arguments"), more);
    writeFile(script, text);
    CHECK_INT(chmod(script, 0755), 0);
    return script;
}

TEST(ssh_carries_a_connection_and_leaves_nothing_behind)
{
    pid_t pid = serverStart();
    char uri[512], *arguments, *left;
    virConnectPtr conn;

    virConnectClose(open1(""));
    CHECK_INT(setenv("XDG_RUNTIME_DIR", scratchDir(), 1), 0);
    snprintf(uri, sizeof(uri), "test+ssh://me@far.example:2222/default?command=%s&socket=%s&keyfile=/k&no_tty=1&no_verify=1&known_hosts=/h",
             fakeSsh(""), scratchPath("sock"));
    CHECK_PTR(conn = virConnectOpen(uri));
    CHECK_INT(virConnectNumOfDomains(conn), 1);
    CHECK_INT(virConnectIsEncrypted(conn), 1);
    arguments = readFile(scratchPath("arguments"));
    CHECK_CONTAINS(arguments, "-N -T ");
    CHECK_CONTAINS(arguments, "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/h -i /k -p 2222 -l me -L ");
    CHECK_CONTAINS(arguments, "-- far.example\n");
    free(arguments);
    CHECK_INT(countProcesses(NULL, 0), 3);        /* the nursery, the server, and ssh */
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(countProcesses(NULL, 0), 2);
    CHECK_OK(runShell("ls $XDG_RUNTIME_DIR | grep virt-ssh || echo none", &left));
    CHECK_STR(left, "none\n");
    free(left);
    serverEnd(pid);
}

TEST(what_ssh_says_is_in_the_error)
{
    char uri[300];

    CHECK_INT(setenv("XDG_RUNTIME_DIR", scratchDir(), 1), 0);
    snprintf(uri, sizeof(uri), "test+ssh://far.example/default?command=%s", fakeSsh("echo 'Permission denied (publickey).' >&2; exit 255"));
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_RPC);
    CHECK_CONTAINS(virGetLastErrorMessage(), "Permission denied (publickey).");
    CHECK_CONTAINS(virGetLastErrorMessage(), "far.example");
    CHECK_INT(countProcesses(NULL, 0), 0);
    snprintf(uri, sizeof(uri), "test+ssh://far.example/default?command=%s", scratchPath("none"));
    CHECK_NULL(virConnectOpen(uri));
    if (!harnessIsSanitized())        /* under TSan a child cannot say that it was not executed */
        CHECK_CONTAINS(virGetLastErrorMessage(), scratchPath("none"));
}

#if defined VIRT_WITH_NOISE && VIRT_WITH_NOISE

static void
makeKeys(void)
{
    char *serverKey, *clientKey, text[300];

    networkPort = 12000 + (int)(getpid() % 10000) * 2;      /* below those that connections get: one could have it while the server is away */
    CHECK_OK(virKeyGenerate(scratchPath("sock.key"), &serverKey, 0));
    CHECK_OK(virKeyGenerate(scratchPath("key"), &clientKey, 0));
    CHECK_OK(virKeyGenerate(scratchPath("stranger"), NULL, 0));
    snprintf(text, sizeof(text), "%s me\n", clientKey);
    writeFile(scratchPath("sock.authorized"), text);
    snprintf(text, sizeof(text), "127.0.0.1:%d %s\n127.0.0.1:%d %s\n", networkPort, serverKey, networkPort + 1, serverKey);
    writeFile(scratchPath("hosts"), text);
    CHECK_INT(chmod(scratchPath("sock.authorized"), 0600), 0);
    CHECK_INT(chmod(scratchPath("hosts"), 0600), 0);
    free(serverKey);
    free(clientKey);
}

static const char *
networkUri(const char *transport, const char *key)
{
    static char uri[400];

    snprintf(uri, sizeof(uri), "test+%s://127.0.0.1:%d/default?keyfile=%s&known_hosts=%s", transport, networkPort + (*transport == 'w'),
             scratchPath("%s", key), scratchPath("hosts"));
    return uri;
}

static void
overNetwork(const char *transport)
{
    pid_t pid;
    virConnectPtr conn;
    struct caller callers[4];

    makeKeys();
    pid = serverStart();
    CHECK_PTR(conn = virConnectOpen(networkUri(transport, "key")));
    CHECK_INT(virConnectNumOfDomains(conn), 1);
    CHECK_INT(virConnectIsEncrypted(conn), 1);
    CHECK_INT(virConnectIsSecure(conn), 1);
    for (int i = 0; i < 4; i++) {
        callers[i] = (struct caller){ conn, 0, 0 };
        CHECK_INT(pthread_create(&callers[i].thread, NULL, callerRun, &callers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK_INT(callers[i].failed, 0);
    }
    serverKill(pid);
    pid = serverStart();
    CHECK_INT(virConnectNumOfDomains(conn), 1);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_FAILS_NULL(virConnectOpen(networkUri(transport, "stranger")), VIR_ERR_AUTH_FAILED);
    serverEnd(pid);
}

TEST(over_tcp_it_is_encrypted_and_keys_say_who_it_is)
{
    overNetwork("tcp");
}

TEST(over_websockets_it_is_encrypted_and_keys_say_who_it_is)
{
    overNetwork("ws");
}

#endif

#else

TEST(the_remote_driver)
{
    SKIP("built without it");
}

#endif
