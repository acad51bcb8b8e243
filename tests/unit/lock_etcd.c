/*
 * Leases in etcd and their keepers, with a real etcd, and with real QEMUs that count on their serial lines: what becomes of
 * a guest whose lease is lost, and when. What all lock managers promise is in lock.c.
 */
#include "../../drivers/common/file.h"
#include "../../drivers/common/process.h"
#include "../../drivers/lock/etcd.c"
#include "../etcd_server.h"
#include "../fault.h"
#include "../harness.h"
#include "../keeper_guest.h"

#if VIRT_WITH_ETCD

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define TTL  3                              /* s */
#define UNIT (TTL * 1000 / 12)              /* ms: the keeper reckons in twelfths */

static const struct virLeaseGuest guest = { .key = "g1", .what = "one" };
static struct etcdServer server;
static int ttl = TTL;

/* ---------- hosts ---------- */

/* A host whose etcd is at one port or two. */
static struct virLock *
host(const char *name, int port, int second)
{
    char place[200];
    struct virLock *lock;

    if (second != 0)
        snprintf(place, sizeof(place), "etcd:http://127.0.0.1:%d,http://localhost:%d/t?ttl=%d", port, second, ttl);
    else
        snprintf(place, sizeof(place), "etcd:http://127.0.0.1:%d/t?ttl=%d", port, ttl);
    CHECK_PTR(lock = virLockOpen(place, name, "/", false));
    return lock;
}

static bool
lives(struct virLock *lock)
{
    return lock->manager->lives(lock, "g1", lock->owner) != 0;
}

static struct virLockState
stateOf(struct virLock *lock)
{
    struct virLockState state;

    CHECK_OK(virLockInquire(lock, "g1", &state));
    return state;
}

/*
 * A way to etcd that can be cut: a process that hands connections on. Stopped, it is a network that loses everything;
 * killed, a host that refuses.
 */
static pid_t
wayTo(int port, int *way)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    struct pollfd fds[65] = { { .events = POLLIN } };
    nfds_t n = 1;
    pid_t pid;

    CHECK_OK(fds[0].fd = socket(AF_INET, SOCK_STREAM, 0));
    CHECK(bind(fds[0].fd, (struct sockaddr *)&address, size) == 0 && listen(fds[0].fd, 20) == 0);
    CHECK_INT(getsockname(fds[0].fd, (struct sockaddr *)&address, &size), 0);
    *way = ntohs(address.sin_port);
    if ((pid = fork()) != 0) {
        close(fds[0].fd);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    address.sin_port = htons((unsigned short)port);
    while (poll(fds, n, -1) >= 0) {
        for (nfds_t i = 1; i < n; i++) {
            char data[16384];
            const nfds_t other = ((i - 1) ^ 1) + 1;
            ssize_t got = fds[i].revents != 0 ? recv(fds[i].fd, data, sizeof(data), 0) : -1;

            if (got > 0)
                send(fds[other].fd, data, (size_t)got, MSG_NOSIGNAL);
            if (fds[i].revents == 0 || got > 0)
                continue;
            /* both ends go, and the last pair takes their place */
            close(fds[i].fd);
            close(fds[other].fd);
            memcpy(&fds[(i - 1) / 2 * 2 + 1], &fds[n - 2], 2 * sizeof(fds[0]));
            n -= 2;
            break;
        }
        if ((fds[0].revents & POLLIN) != 0 && n + 2 <= sizeof(fds) / sizeof(fds[0])) {
            fds[n] = (struct pollfd){ .fd = accept(fds[0].fd, NULL, NULL), .events = POLLIN };
            fds[n + 1] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN };
            if (connect(fds[n + 1].fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
                n += 2;
            } else {
                close(fds[n].fd);
                close(fds[n + 1].fd);
            }
        }
    }
    _exit(0);
}

static void
endProcess(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---------- keepers ---------- */

TEST(without_libcurl_the_error_says_so)
{
    struct rlimit before, none = { 0, 0 };

    CHECK_INT(virEtcdLoadNames("libxml2.so.2"), -1);                           /* is loaded, and has no such functions */
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    none.rlim_max = before.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));                                  /* no file can be opened, a library neither */
    CHECK_FAILS(virEtcdLoad(), VIR_ERR_NO_SUPPORT);
    CHECK_CONTAINS(virGetLastErrorMessage(), "needs libcurl: ");
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    CHECK_OK(virEtcdLoad());
    CHECK_OK(virEtcdLoad());
}

TEST(places_are_checked)
{
    static const char *const bad[] = {
        "etcd:", "etcd:127.0.0.1:2379", "etcd:http://", "etcd:http://:1", "etcd:http://h:0", "etcd:http://h:65536", "etcd:http://h:x",
        "etcd:http://u@h:1", "etcd:http://h:1,", "etcd:http://h:1,ftp://h:2", "etcd:http://h:1/p?ttl=1", "etcd:http://h:1/p?ttl=601",
        "etcd:http://h:1/p?tls=3", "etcd:http://h:1?", "etcd:http://[::1:5", "etcd:http://[::1]5", "etcd:http://a b:1",
    };
    static const struct { const char *place, *first, *last, *prefix; unsigned int ttl; } good[] = {
        { "etcd:http://h", "http://h:2379", "http://h:2379", "virt", 10 },
        { "etcd:http://h:1/a/b?ttl=20", "http://h:1", "http://h:1", "a/b", 20 },
        { "etcd:http://h:1,http://[::1]:2,http://i?ttl=2", "http://h:1", "http://i:2379", "virt", 2 },
        { "etcd:http://[::1]/", "http://[::1]:2379", "http://[::1]:2379", "virt", 10 },
    };

    needsEtcd();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        harnessContext("%s", bad[i]);
        CHECK_FAILS_NULL(virLockOpen(bad[i], "a", "/", false), VIR_ERR_INVALID_ARG);
    }
    CHECK_FAILS_NULL(virLockOpen("etcd:https://h:1", "a", "/", false), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "grpc-proxy");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct virLock *lock = virLockOpen(good[i].place, "a", "/", false);
        const struct virEtcd *etcd;

        CHECK_PTR(lock);
        etcd = lock->priv;
        CHECK_STR(etcd->endpoints[0], good[i].first);
        CHECK_STR(etcd->endpoints[etcd->nendpoints - 1], good[i].last);
        CHECK_STR(etcd->prefix, good[i].prefix);
        CHECK_UINT(etcd->ttl, good[i].ttl);
        virLockClose(lock);
    }
}

TEST(names_of_any_bytes_go_there_and_back)
{
    char data[300], back[300], *text;

    for (size_t length = 0; length < sizeof(data) - 1; length++) {
        for (size_t i = 0; i < length; i++)
            data[i] = (char)(1 + (i * 7 + length) % 255);
        data[length] = '\0';
        CHECK_PTR(text = virEtcdEncode(data));
        CHECK_INT(virEtcdDecode(text, strlen(text), back, sizeof(back)), length);
        CHECK_MEM(back, data, length);
        free(text);
    }
    CHECK_INT(virEtcdDecode("aGVsbG8=", 8, back, 4), -1);
    CHECK_INT(virEtcdDecode("a\"b", 3, back, sizeof(back)), -1);
}

static int
compareStrings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

TEST(a_keeper_renews_and_holds_nothing_else)
{
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    char *output, *lines[20], *save, command[300];
    int n = 0, before;

    needsEtcd();
    etcdStart(&server);
    a = host("a", server.port, 0);
    virLockInquire(a, "g1", &(struct virLockState){ .epoch = 0 });              /* whatever libcurl opens for good */
    before = countDescriptors();
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    CHECK_INT(countDescriptors(), before + 1);
    CHECK(seat.monitor && seat.keeper > 0);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), 0);                                   /* etcd, and no other child */
    harnessSleepMs(TTL * 1500);
    CHECK_INT(a->manager->lives(a, "g1", "a"), 1);
    CHECK_INT(a->manager->holds(a, "g1"), 1);
    snprintf(command, sizeof(command), "cd /proc/%d && for i in fd/*; do readlink $i; done; cat comm; readlink cwd; "
             "awk '/SigBlk|SigCgt/ { print $2 }' status; ps -o sid= %d | tr -d ' '", seat.keeper, seat.keeper);
    CHECK_INT(runShell(command, &output), 0);
    for (char *line = strtok_r(output, "\n", &save); line != NULL && n < 20; line = strtok_r(NULL, "\n", &save))
        lines[n++] = line;
    CHECK_MSG(n >= 9, "%d lines", n);
    CHECK_INT(atoi(lines[--n]), getsid(seat.keeper));
    CHECK(getsid(seat.keeper) != getsid(0));
    CHECK_STR(lines[--n], "0000000000000000");
    CHECK_STR(lines[--n], "0000000000000000");
    CHECK_STR(lines[--n], "/");
    CHECK_STR(lines[--n], "virt-keeper");
    /* a request may be on its way: another socket then */
    qsort(lines, (size_t)n, sizeof(lines[0]), compareStrings);
    CHECK(n == 5 || n == 6);
    for (int i = 0; i < 3; i++)
        CHECK_STR(lines[i], "/dev/null");
    CHECK_STR(lines[3], "anon_inode:[timerfd]");
    CHECK_CONTAINS(lines[4], "socket:");
    free(output);
    CHECK_OK(virLeaseSeated(a, &seat, 0));
    WAIT_FOR(hasEnded(seat.keeper), 2000);
    CHECK(!lives(a));
    virLockClose(a);
    CHECK_INT(countDescriptors(), before);
}

TEST(a_keeper_ends_with_its_hypervisor)
{
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;

    needsEtcd();
    etcdStart(&server);
    a = host("a", server.port, 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    CHECK(lives(a) && !hasEnded(seat.keeper));
    endGuest(&q);
    WAIT_FOR(hasEnded(seat.keeper), 2000);
    CHECK(!lives(a));
    /* and at once again */
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    CHECK_OK(virLeaseSeated(a, &seat, 0));
    virLockClose(a);
}

/* Host a loses sight of etcd: what becomes of its guest, and by when. How: SIGSTOP loses everything, SIGKILL refuses. */
static void
loseSight(enum virLockFailure failure, int how)
{
    const struct virLeaseGuest one = { .key = "g1", .what = "one", .failure = failure };
    struct virLock *a, *b;
    struct virLockSeat seat, other;
    unsigned long long epoch, later;
    struct qemu q;
    long long cut, stood, taken;
    char answer[1000];
    int way;
    pid_t relay;

    needsEtcd();
    etcdStart(&server);
    relay = wayTo(server.port, &way);
    a = host("a", way, 0);
    b = host("b", server.port, 0);
    CHECK_OK(virLeaseAcquire(a, &one, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    harnessSleepMs(TTL * 1000);
    CHECK(countsOn(&q));
    kill(relay, how);
    cut = harnessNowMs();
    /* b wants it from now on, as fast as it can */
    CHECK_FAILS(virLeaseAcquire(b, &one, &later, &other), VIR_ERR_RESOURCE_BUSY);
    stood = lastCount(&q, failure == VIRT_LOCK_PAUSE, 9 * UNIT + 500) - cut;
    WAIT_FOR(virLeaseAcquire(b, &one, &later, &other) == 0, TTL * 2000);
    taken = harnessNowMs() - cut;
    printf("CPUs stood %lld ms after the cut, the lease was another's after %lld ms of %d\n", stood, taken, TTL * 1000);
    CHECK_LESS(3 * UNIT, stood);
    if (!harnessIsSanitized())
        CHECK_LESS(stood, 8 * UNIT + 20);      /* how often is looked */
    CHECK_LESS(stood + 2 * UNIT, taken);
    if (failure != VIRT_LOCK_PAUSE) {
        CHECK_INT(virProcessWait(&q.process, 1000, NULL), 1);
        WAIT_FOR(hasEnded(seat.keeper), TTL * 1000);
    } else {
        CHECK(isIn(&q, "\"paused\""));
        if (how == SIGSTOP)
            kill(relay, SIGCONT);
        else
            harnessSleepMs(10);
        harnessSleepMs(TTL * 1000);
        CHECK_INT(b->manager->lives(b, "g1", "a"), 0);           /* it is b's: a does not even sit */
        CHECK_STR(stateOf(b).holder, "b");
        if (how == SIGSTOP) {
            CHECK_FAILS(virLeaseResume(a, &one, &epoch), VIR_ERR_RESOURCE_BUSY);
            CHECK_CONTAINS(virGetLastErrorMessage(), "belongs to host 'b'");
        }
        /* somebody resumes it all the same: it is stopped again, or killed where it takes longer for that than it may */
        qmpSay(&q, "{\"execute\":\"cont\"}\n", answer, sizeof(answer));
        WAIT_FOR(isIn(&q, "\"paused\"") || hasEnded(q.process.pid), 500);
        endGuest(&q);
        WAIT_FOR(hasEnded(seat.keeper), TTL * 1000);
    }
    virLeaseSeated(b, &other, 0);
    endProcess(relay);
    virLockClose(a);
    virLockClose(b);
}

TEST(poweroff_ends_it_before_another_host_may_run_it)       { loseSight(VIRT_LOCK_POWEROFF, SIGSTOP); }
TEST(poweroff_ends_it_where_etcd_refuses)                   { loseSight(VIRT_LOCK_POWEROFF, SIGKILL); }
TEST(restart_ends_it_before_another_host_may_run_it)        { loseSight(VIRT_LOCK_RESTART, SIGSTOP); }
TEST(pause_stops_it_before_another_host_may_run_it)         { loseSight(VIRT_LOCK_PAUSE, SIGSTOP); }
TEST(pause_stops_it_where_etcd_refuses)                     { loseSight(VIRT_LOCK_PAUSE, SIGKILL); }

/* QEMU does not hear what it is told; the lease is lost all the same. */
static void
deaf(enum virLockFailure failure)
{
    const struct virLeaseGuest one = { .key = "g1", .what = "one", .failure = failure };
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;
    long long cut;

    needsEtcd();
    etcdStart(&server);
    a = host("a", server.port, 0);
    CHECK_OK(virLeaseAcquire(a, &one, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    harnessStop(server.pid);
    harnessStop(q.process.pid);
    cut = harnessNowMs();
    CHECK_INT(virProcessWait(&q.process, (int)harnessSlow(12 * UNIT), NULL), 1);
    if (!harnessIsSanitized())
        CHECK_LESS(harnessNowMs() - cut, 8 * UNIT + 20);
    close(q.qmp);
    kill(server.pid, SIGCONT);
    WAIT_FOR(hasEnded(seat.keeper), TTL * 1000);
    virLockClose(a);
}

TEST(a_hypervisor_that_does_not_quit_is_killed)             { deaf(VIRT_LOCK_POWEROFF); }
TEST(a_hypervisor_that_does_not_stop_is_killed)             { deaf(VIRT_LOCK_PAUSE); }

/* etcd stands still for longer than its leases last, and comes back: a guest that was paused, or nothing done about, has its seat again. */
static void
comesBack(enum virLockFailure failure)
{
    const struct virLeaseGuest one = { .key = "g1", .what = "one", .failure = failure };
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;
    char answer[1000];

    needsEtcd();
    etcdStart(&server);
    a = host("a", server.port, 0);
    CHECK_OK(virLeaseAcquire(a, &one, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    harnessStop(server.pid);
    harnessSleepMs(TTL * 1500);
    CHECK(countsOn(&q) == (failure == VIRT_LOCK_IGNORE));
    CHECK_FAILS(virLeaseResume(a, &one, &epoch), VIR_ERR_OPERATION_FAILED);
    kill(server.pid, SIGCONT);
    WAIT_FOR(a->manager->holds(a, "g1") == 1, TTL * 2000);
    CHECK_STR(stateOf(a).holder, "a");
    if (failure == VIRT_LOCK_PAUSE) {
        CHECK(isIn(&q, "\"paused\""));
        CHECK_OK(virLeaseResume(a, &one, &epoch));
        qmpSay(&q, "{\"execute\":\"cont\"}\n", answer, sizeof(answer));
    }
    harnessSleepMs(TTL * 1000);
    CHECK(countsOn(&q) && lives(a));
    /* a second time */
    harnessStop(server.pid);
    harnessSleepMs(TTL * 1500);
    CHECK(countsOn(&q) == (failure == VIRT_LOCK_IGNORE));
    kill(server.pid, SIGCONT);
    endGuest(&q);
    WAIT_FOR(hasEnded(seat.keeper), TTL * 2000);
    virLockClose(a);
}

TEST(a_guest_that_was_paused_can_be_resumed_when_etcd_is_back) { comesBack(VIRT_LOCK_PAUSE); }
TEST(ignore_lets_it_run_and_takes_the_seat_again)              { comesBack(VIRT_LOCK_IGNORE); }

TEST(a_seat_that_somebody_deletes_is_lost_at_once)
{
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;
    long long cut;
    char *name, *body;

    needsEtcd();
    etcdStart(&server);
    a = host("a", server.port, 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    CHECK_PTR(name = virEtcdKey(a, "g1", "a"));
    CHECK_PTR(body = virStringFormat("{\"key\":\"%s\"}", name));
    cJSON_Delete(virEtcdAsk(a, "kv/deleterange", body, NULL));
    cut = harnessNowMs();
    CHECK_INT(virProcessWait(&q.process, (int)harnessSlow(4 * UNIT), NULL), 1);
    printf("ended after %lld ms\n", harnessNowMs() - cut);
    close(q.qmp);
    WAIT_FOR(hasEnded(seat.keeper), 2000);
    free(name);
    free(body);
    virLockClose(a);
}

/* Whether b has "g1", as a sees it. */
static int
isWithB(struct virLock *a, struct virLockBeat *beat)
{
    const struct virLockState state = stateOf(a);

    return virLeaseIsWith(a, "g1", &state, "b", beat);
}

/*
 * A host without power has a seat until its time is up, though its keeper renewed it until the last moment; a source that looks then must not
 * take the guest for one that runs there.
 */
TEST(a_seat_that_is_not_renewed_is_nobody_whom_a_guest_is_left_to)
{
    struct virLockBeat beat = { 0 };
    struct virLock *a, *b;
    struct virLockSeat seat;
    unsigned long long epoch;
    int looks = 0;

    needsEtcd();
    etcdStart(&server);
    a = host("a", server.port, 0);
    b = host("b", server.port, 0);
    CHECK_OK(virLeaseAcquire(b, &guest, &epoch, &seat));
    CHECK_INT(isWithB(a, &beat), -1);                      /* at first sight nobody is believed */
    WAIT_FOR(isWithB(a, &beat) == 1, TTL * 1000);
    CHECK_INT(isWithB(a, &beat), 1);
    kill(seat.keeper, SIGKILL);
    beat = (struct virLockBeat){ 0 };
    for (; lives(b); looks++, harnessSleepMs(10))
        CHECK_INT(isWithB(a, &beat), -1);
    CHECK_LESS(10, looks);
    CHECK_INT(isWithB(a, &beat), -1);
    close(seat.fd);

    CHECK_OK(virLeaseAcquire(b, &guest, &epoch, &seat));       /* a keeper that only pauses is believed when it has renewed it */
    harnessStop(seat.keeper);
    beat = (struct virLockBeat){ 0 };
    CHECK_INT(isWithB(a, &beat), -1);
    kill(seat.keeper, SIGCONT);
    WAIT_FOR(isWithB(a, &beat) == 1, TTL * 1000);
    CHECK_OK(virLeaseSeated(b, &seat, 0));
    WAIT_FOR(hasEnded(seat.keeper), 2000);
    virLockClose(a);
    virLockClose(b);
}

/* ---------- the service ---------- */

TEST(a_service_that_does_not_answer_is_an_error_that_names_it)
{
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    char name[60];
    long long start;

    needsEtcd();
    etcdStart(&server);
    snprintf(name, sizeof(name), "http://127.0.0.1:%d", server.port);
    a = host("a", server.port, 0);
    harnessStop(server.pid);
    start = harnessNowMs();
    CHECK_FAILS(virLeaseAcquire(a, &guest, &epoch, &seat), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), name);
    CHECK_LESS(harnessNowMs() - start, 4000);
    start = harnessNowMs();
    CHECK_INT(a->manager->lives(a, "g1", "b"), -1);
    CHECK_LESS(harnessNowMs() - start, harnessSlow(500));        /* nobody waits once more just now */
    kill(server.pid, SIGCONT);
    etcdStop(&server);
    CHECK_FAILS(virLeaseAcquire(a, &guest, &epoch, &seat), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), name);
    CHECK_INT(a->manager->lives(a, "g1", "b"), -1);
    CHECK_INT(countProcesses(NULL, 0), 0);
    virLockClose(a);
}

/* Whoever it is that serves HTTP there, its answers are no free leases. */
TEST(another_service_is_no_etcd)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n",
        "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "nonsense\r\n\r\n", "",
    };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct virLockState state;
    struct virLock *a;
    char data[4096];

    needsEtcd();
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 5) == 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    a = host("a", ntohs(address.sin_port), 0);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pid_t pid = fork();

        if (pid == 0) {
            for (int n = 0; n < 2; n++) {
                int fd = accept(listener, NULL, NULL);

                if (recv(fd, data, sizeof(data), 0) > 0)
                    send(fd, answers[i], strlen(answers[i]), MSG_NOSIGNAL);
                close(fd);
            }
            _exit(0);
        }
        harnessContext("%s", answers[i]);
        CHECK_FAILS(virLockInquire(a, "g1", &state), VIR_ERR_OPERATION_FAILED);
        CHECK_INT(a->manager->lives(a, "g1", "b"), -1);
        endProcess(pid);
    }
    close(listener);
    virLockClose(a);
}

TEST(a_service_that_was_killed_and_is_back_in_time_costs_nothing)
{
    struct virLock *a;
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;

    needsEtcd();
    etcdStart(&server);
    ttl = 20;                                  /* an etcd that starts again needs a second or two for its election */
    a = host("a", server.port, 0);
    CHECK_OK(virLeaseAcquire(a, &guest, &epoch, &seat));
    startGuest(&q, a, &seat, 1);
    etcdStop(&server);
    etcdRun(&server);
    harnessSleepMs(ttl * 1000 / 2);
    CHECK(countsOn(&q));
    CHECK_INT(a->manager->holds(a, "g1"), 1);
    CHECK_UINT(stateOf(a).epoch, epoch);
    endGuest(&q);
    WAIT_FOR(hasEnded(seat.keeper), 2000);
    virLockClose(a);
}

TEST(one_endpoint_of_two_is_enough)
{
    struct virLock *locks[3];
    struct virLockSeat seat;
    unsigned long long epoch;
    int way;
    pid_t relay;

    needsEtcd();
    etcdStart(&server);
    relay = wayTo(server.port, &way);
    locks[0] = host("a", etcdFreePort(), server.port);           /* refused */
    locks[1] = host("a", server.port, etcdFreePort());
    locks[2] = host("a", way, server.port);                      /* and one that will not answer */
    for (int i = 0; i < 3; i++) {
        harnessContext("%d", i);
        CHECK_OK(virLeaseAcquire(locks[i], &guest, &epoch, &seat));
        CHECK_UINT(epoch, (unsigned long long)i + 1);
        if (i == 2)
            harnessStop(relay);
        harnessSleepMs(TTL * 1300);
        CHECK_INT(locks[i]->manager->lives(locks[i], "g1", "a"), 1);
        CHECK_INT(locks[i]->manager->holds(locks[i], "g1"), 1);
        CHECK_OK(virLeaseSeated(locks[i], &seat, 0));
        WAIT_FOR(hasEnded(seat.keeper), 4000);
        CHECK(!lives(locks[i]));
        virLockClose(locks[i]);
    }
    endProcess(relay);
}

/* ---------- the library process ---------- */

struct told { volatile int keeper, qemu, step; };

/* In a child: acquires, starts QEMU, and says each step. */
static _Noreturn void
library(struct told *told, int number, int until)
{
    struct virLock *a = host("a", server.port, 0);
    struct virLockSeat seat;
    unsigned long long epoch;
    struct qemu q;

    if (virLeaseAcquire(a, &guest, &epoch, &seat) < 0)
        _exit(1);
    told->keeper = seat.keeper;
    told->step = 1;
    spawn(&q, &seat, number);
    told->qemu = q.process.pid;
    told->step = 2;
    if (until == 2)
        _exit(0);
    virLeaseSeated(a, &seat, q.process.pid);
    told->step = 3;
    _exit(0);
}

TEST(a_guest_whose_library_died_before_it_named_it_is_stopped_too)
{
    struct told *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct virLock *a;
    pid_t child;
    int status;

    needsEtcd();
    needsQemu();
    etcdStart(&server);
    a = host("a", server.port, 0);
    if ((child = fork()) == 0)
        library(told, 1, 2);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    harnessSleepMs(TTL * 1500);
    CHECK(lives(a) && !hasEnded(told->qemu));
    harnessStop(server.pid);
    WAIT_FOR(hasEnded(told->qemu), 9 * UNIT);
    kill(server.pid, SIGCONT);
    WAIT_FOR(hasEnded(told->keeper), TTL * 1000);
    virLockClose(a);
}

#define ROUNDS 24

TEST_LIMIT(a_library_that_is_killed_at_any_moment_leaves_a_guest_with_its_lease_or_none, 120)
{
    struct told *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct virLock *a;
    int without = 0, with = 0;
    unsigned int seed = 20261123;

    needsEtcd();
    needsQemu();
    etcdStart(&server);
    a = host("a", server.port, 0);
    for (int i = 0; i < ROUNDS; i++) {
        const int delay = (int)(rand_r(&seed) % 40);
        pid_t child, qemus[8];
        int n, qemu = 0;

        *told = (struct told){ 0, 0, 0 };
        harnessContext("round %d, %d ms", i, delay);
        if ((child = fork()) == 0)
            library(told, i, 3);
        if (i % 6 == 0)                        /* with a guest, however fast this machine is; and without */
            WAIT_FOR(told->step >= 2, 10000);
        else if (i % 6 != 1)
            harnessSleepMs((int)harnessSlow(delay));
        endProcess(child);
        /* a QEMU that was started is there even if nobody was told */
        harnessSleepMs(50);
        n = countProcesses(qemus, 8);
        for (int j = 0; j < n && j < 8; j++) {
            char path[40], line[20] = "";
            int fd;

            snprintf(path, sizeof(path), "/proc/%d/comm", qemus[j]);
            if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
                continue;                      /* a keeper, which has just ended */
            if (read(fd, line, sizeof(line) - 1) > 0 && strncmp(line, "qemu", 4) == 0)
                qemu = qemus[j];
            close(fd);
        }
        if (qemu == 0) {
            without++;
            /* at worst what was asked for in vain runs out */
            WAIT_FOR(!lives(a), TTL * 2000);
            if (told->keeper != 0)
                WAIT_FOR(hasEnded(told->keeper), TTL * 1000);
            continue;
        }
        with++;
        CHECK(lives(a));
        if (i % 4 == 0) {
            harnessSleepMs(TTL * 1500);
            CHECK(lives(a) && !hasEnded(qemu));
        }
        kill(qemu, SIGKILL);
        WAIT_FOR(!lives(a), 2000);
    }
    printf("%d with a guest, %d without\n", with, without);
    CHECK(with > 0 && without > 0);
    WAIT_FOR(countProcesses(NULL, 0) == 1, TTL * 1000);          /* etcd */
    virLockClose(a);
}

/* ---------- threads and faults ---------- */

static void *
useIt(void *opaque)
{
    struct virLock *lock = opaque;
    char key[20];
    const struct virLeaseGuest one = { .key = key, .what = "one" };

    snprintf(key, sizeof(key), "g%d", (int)syscall(SYS_gettid));
    for (int i = 0; i < 5; i++) {
        struct virLockSeat seat;
        unsigned long long epoch;

        if (virLeaseAcquire(lock, &one, &epoch, &seat) < 0 || virLeaseSeated(lock, &seat, 0) < 0 || virLeaseRelease(lock, key, epoch) < 0)
            return lock;
    }
    return NULL;
}

TEST(threads_share_a_lock)
{
    struct virLock *a;
    pthread_t threads[6];
    void *failed;

    needsEtcd();
    etcdStart(&server);
    a = host("a", etcdFreePort(), server.port);
    for (int i = 0; i < 6; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, useIt, a), 0);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(pthread_join(threads[i], &failed), 0);
        CHECK_NULL(failed);
    }
    WAIT_FOR(countProcesses(NULL, 0) == 1, 4000);
    virLockClose(a);
}

static int
acquireOnce(void *opaque)
{
    struct virLock *lock = virLockOpen(opaque, "a", "/", false);
    struct virLockSeat seat;
    unsigned long long epoch;
    int rc = lock != NULL ? virLeaseAcquire(lock, &guest, &epoch, &seat) : -1;

    if (rc == 0)
        virLeaseSeated(lock, &seat, 0);
    faultPause();
    if (rc == 0)
        WAIT_FOR(hasEnded(seat.keeper), 2000);
    virLockClose(lock);
    faultResume();
    return rc;
}

TEST_LIMIT(failing_calls_take_a_seat_or_say_so, 300)
{
    char place[100];

    needsEtcd();
    etcdStart(&server);
    snprintf(place, sizeof(place), "etcd:http://127.0.0.1:%d/t?ttl=%d", server.port, TTL);
    CHECK_OK(virEtcdLoad());
    faultSpare("libcurl");
    faultSpare("libc.so");                     /* libcurl's copies of strings: without one it looks an address up, in a thread */
    FAULT_EACH_ALLOCATION(acquireOnce, place);
    FAULT_EACH(FAULT_SPAWN, acquireOnce, place);
    faultArm(FAULT_SPAWN, 2, false);           /* the child's fork, which only the child counts */
    CHECK_FAILS(acquireOnce(place), VIR_ERR_SYSTEM_ERROR);
    faultDisarm();
    CHECK_OK(acquireOnce(place));
    WAIT_FOR(countProcesses(NULL, 0) == 1, 4000);
}

/* ---------- whom a keeper believes ---------- */

static void
keepNothing(struct virKeeper *k)
{
    while (virKeeperWait(k, -1, 0, virKeeperNow() + 100000000ULL) >= 0)
        ;
}

/* A process that waits for its end. */
static pid_t
startIdle(void)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    for (; pid == 0;)
        pause();
    return pid;
}

/* The hypervisor has the seat's socket, and may say what it likes there: also that another process is the hypervisor. */
TEST(a_keeper_watches_the_process_that_the_library_has_named)
{
    pid_t hypervisor, other, liar;
    struct virLockSeat seat;

    needsPidfd();
    hypervisor = startIdle();
    other = startIdle();
    CHECK_OK(virKeeperStart(keepNothing, "", 1, VIRT_LOCK_POWEROFF, &seat));
    CHECK_OK(virKeeperSeated(&seat, hypervisor));
    if ((liar = fork()) == 0)
        _exit(virKeeperSeated(&seat, other) == 0 ? 0 : 1);
    CHECK_INT(waitpid(liar, NULL, 0), liar);
    CHECK_INT(kill(other, SIGKILL), 0);
    CHECK_INT(waitpid(other, NULL, 0), other);
    usleep(200000);
    CHECK(!hasEnded(seat.keeper));
    CHECK_INT(kill(hypervisor, SIGKILL), 0);
    CHECK_INT(waitpid(hypervisor, NULL, 0), hypervisor);
    WAIT_FOR(hasEnded(seat.keeper), 5000);
    close(seat.fd);
}

#else

TEST(leases_in_etcd)
{
    SKIP("without libcurl");
}

#endif
