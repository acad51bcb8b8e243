/*
 * Migration over a network: two hosts and a controller, each in a network namespace of its own, and between them a wire that delays, loses and
 * breaks. A host is a virtd with a directory, a name and an address of its own; the guest counts on its serial line, to a file that both hosts
 * append to, so that one that is lost, doubled or set back shows.
 *
 * The namespaces have no names and the wire is a process: they are gone when the test is. Nothing here opens a connection in the test's own
 * process: each controller is a child, which can be killed. VIRT_NETNS=1 (make check-netns) makes all cuts; VIRT_NETNS_SEED repeats a run.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../counting.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETNS_DELAY 25                /* ms each way */
#define NETNS_LOSS  100               /* one frame of so many is lost */
#define NETNS_MTU   9000
#define NETNS_QUEUE 4096

/* Places: the controller and two hosts. */
enum { CONTROLLER, HOST1, HOST2, PLACES };
#define LINK(a, b) (1u << ((a) + (b)))            /* the link between two of them */

static struct netnsShared {
    atomic_uint cut;                  /* LINK()s that are down */
    atomic_ulong carried, lost;
    atomic_bool begun;                /* the controller has made its migration */
    atomic_int phase;                 /* where it is */
    atomic_int outcome;
    atomic_llong longest;             /* ms: the longest step that was not to block */
    atomic_int at;                    /* where the guest was found running */
} *net;

static int space[PLACES];
static pid_t wire, daemons[PLACES];
static char serial[1024], known[1024];
static unsigned int seed;

static int
roll(int from, int to)
{
    seed = seed * 1103515245u + 12345u;
    return from + (int)((seed >> 12) % (unsigned int)(to - from + 1));
}

/* ---------- the wire ---------- */

struct frame {
    long long due;
    int from;
    ssize_t length;
    unsigned char data[NETNS_MTU + 64];
};

static void
wireDeliver(const int *taps, const struct frame *frame, unsigned int *dice)
{
    const unsigned char *to = frame->data;
    unsigned int cut = atomic_load(&net->cut);

    for (int place = 0; place < PLACES; place++) {
        if (place == frame->from || ((to[0] & 1) == 0 && to[5] != place + 1))
            continue;
        *dice = *dice * 1103515245u + 12345u;
        if ((cut & LINK(place, frame->from)) != 0 || (*dice >> 12) % NETNS_LOSS == 0) {
            atomic_fetch_add(&net->lost, 1);
        } else {
            atomic_fetch_add(&net->carried, 1);
            (void)!write(taps[place], frame->data, (size_t)frame->length);
        }
    }
}

static _Noreturn void
wireRun(const int *taps)
{
    struct frame *queue = calloc(NETNS_QUEUE, sizeof(*queue));
    unsigned int first = 0, count = 0, dice = seed;
    struct pollfd fds[PLACES];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        long long now = harnessNowMs();

        for (; count > 0 && queue[first].due <= now; count--, first = (first + 1) % NETNS_QUEUE)
            wireDeliver(taps, &queue[first], &dice);
        for (int i = 0; i < PLACES; i++)
            fds[i] = (struct pollfd){ .fd = count < NETNS_QUEUE ? taps[i] : -1, .events = POLLIN };
        if (poll(fds, PLACES, count > 0 ? (int)(queue[first].due - now) : 1000) < 0 && errno != EINTR)
            _exit(1);
        for (int i = 0; i < PLACES; i++) {
            struct frame *frame = &queue[(first + count) % NETNS_QUEUE];

            if (fds[i].revents == 0 || count == NETNS_QUEUE || (frame->length = read(taps[i], frame->data, sizeof(frame->data))) < 14)
                continue;
            frame->due = harnessNowMs() + NETNS_DELAY;
            frame->from = i;
            count++;
        }
    }
}

/* The end of the wire in a namespace: a network card, with an address. */
static int
wireEnd(int place)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    char command[512];

    strcpy(request.ifr_name, "wire");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
        SKIP("no network card can be made here (/dev/net/tun: %s)", strerror(errno));
    snprintf(command, sizeof(command), "ip link set lo up && ip link set wire address 02:00:00:00:00:%02x mtu %d up && ip addr add 10.77.0.%d/24 dev wire",
             place + 1, NETNS_MTU, place + 1);
    CHECK_INT(runShell(command, NULL), 0);
    return fd;
}

/* ---------- places ---------- */

static void
makeSpaces(void)
{
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), taps[PLACES];

    CHECK(own >= 0);
    for (int place = 0; place < PLACES; place++) {
        if (unshare(CLONE_NEWNET) < 0)
            SKIP("network namespaces are not allowed here: %s", strerror(errno));
        CHECK((space[place] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) >= 0);
        taps[place] = wireEnd(place);
    }
    CHECK_INT(setns(own, CLONE_NEWNET), 0);
    close(own);
    if ((wire = fork()) == 0)
        wireRun(taps);
    for (int place = 0; place < PLACES; place++)
        close(taps[place]);
}

/* In a child: this process is at that place from now on, with a name and with a list of the names. */
static void
goTo(int place)
{
    static const char *const names[] = { "controller", "host1", "host2" };

    CHECK_INT(setns(space[place], CLONE_NEWNET), 0);
    CHECK_INT(unshare(CLONE_NEWUTS | CLONE_NEWNS), 0);
    CHECK_INT(sethostname(names[place], strlen(names[place])), 0);
    CHECK_INT(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    CHECK_INT(mount(scratchPath("hosts"), "/etc/hosts", NULL, MS_BIND, NULL), 0);
}

/* A child at a place; nothing of this library has been used before it. */
static pid_t
startAt(int place, void (*run)(void))
{
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        goTo(place);
        run();
        fflush(NULL);
        _exit(0);
    }
    CHECK(pid > 0);
    return pid;
}

/* What the hosts have said, for who has to find out why. */
static void
showLogs(void)
{
    for (int host = HOST1; host <= HOST2; host++)
        if (fileExists(scratchPath("log%d", host))) {
            char *text = readFile(scratchPath("log%d", host));

            printf("-- host%d --\n%s", host, text);
            free(text);
        }
    fflush(stdout);
}

static void
endOf(pid_t pid, int seconds)
{
    long long end = harnessNowMs() + harnessSlow(seconds * 1000LL);
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (harnessNowMs() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            showLogs();
            FAIL("not over within %d s", seconds);
        }
        harnessSleepMs(20);
    }
    if (status != 0)
        showLogs();
    CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended with status 0x%x", (unsigned int)status);
}

static void
killed(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---------- hosts ---------- */

static const char *
uriOf(int host)
{
    static char uri[PLACES][4096];

    snprintf(uri[host], sizeof(uri[host]), "qemu+tcp://host%d/embed?reconnect=120", host);
    return uri[host];
}

static virConnectPtr
openHost(int host)
{
    virConnectPtr conn = NULL;

    for (int i = 0; i < 10 && conn == NULL; i++)      /* the wire may lose what is needed for it */
        conn = virConnectOpen(uriOf(host));
    CHECK_PTR(conn);
    return conn;
}

static int daemonPlace;

static void
runDaemon(void)
{
    const char *examples = getenv("VIRT_TEST_EXAMPLES");
    char program[1024], connect[2048], listen[64];
    int log;

    snprintf(program, sizeof(program), "%s/virtd", examples != NULL ? examples : "build/examples");
    snprintf(connect, sizeof(connect), "qemu:///embed?root=%s", scratchRoot("root%d", daemonPlace));
    snprintf(listen, sizeof(listen), "tcp:10.77.0.%d:16510", daemonPlace + 1);
    CHECK((log = open(scratchPath("log%d", daemonPlace), O_WRONLY | O_CREAT | O_APPEND, 0600)) >= 0);
    dup2(log, 1);
    dup2(log, 2);
    execl(program, program, "--connect", connect, "--listen", listen, "--key", scratchPath("key%d", daemonPlace), "--authorized-keys",
          scratchPath("authorized"), "--pid-file", scratchPath("pid%d", daemonPlace), "--workers", "4", (char *)NULL);
    _exit(127);
}

/* The line that the command prints, added to a file with words before and after it. */
static void
addKey(const char *file, const char *before, const char *command, const char *after)
{
    char *key = NULL;
    FILE *f;

    CHECK_INT(runShell(command, &key), 0);
    key[strcspn(key, "\n")] = '\0';
    CHECK_NOT_NULL(f = fopen(file, "a"));
    fprintf(f, "%s%s%s\n", before, key, after);
    fclose(f);
    free(key);
}

static void
makeKeys(void)
{
    const char *examples = getenv("VIRT_TEST_EXAMPLES");
    char command[2048], name[40];

    /* where every process of this user looks, that of a server which moves a guest by itself too */
    CHECK_INT(mkdir(scratchPath("config"), 0700), 0);
    CHECK_INT(mkdir(scratchPath("config/virt"), 0700), 0);
    CHECK_INT(setenv("XDG_CONFIG_HOME", scratchPath("config"), 1), 0);
    snprintf(known, sizeof(known), "%s", scratchPath("config/virt/known_hosts"));
    if (examples == NULL)
        examples = "build/examples";
    snprintf(command, sizeof(command), "%s/virtd --genkey --key %s", examples, scratchPath("config/virt/key"));
    addKey(scratchPath("authorized"), "", command, " controller");
    for (int host = HOST1; host <= HOST2; host++) {
        snprintf(command, sizeof(command), "%s/virtd --genkey --key %s", examples, scratchPath("key%d", host));
        snprintf(name, sizeof(name), "host%d:16510 ", host);
        addKey(known, name, command, "");
    }
}

static void
defineGuest(void)
{
    virConnectPtr conn = openHost(HOST1);
    virDomainPtr domain;

    CHECK_PTR(domain = virDomainCreateXML(conn, countingDocument("traveller", scratchPath("guest.img"), serial, 64), 0));
    virDomainFree(domain);
    CHECK_OK(virConnectClose(conn));
}

/* All of it: namespaces, wire, hosts, and the guest running at the first one. */
static void
begin(void)
{
    const char *text = getenv("VIRT_NETNS_SEED");
    char command[2048];

    needsQemu();
#if !VIRT_WITH_REMOTE || !VIRT_WITH_NOISE
    SKIP("built without what connects hosts over tcp (nanomsg, OpenSSL)");
#endif
    if (geteuid() != 0)
        SKIP("network namespaces are root's");
    if (runShell("command -v ip > /dev/null", NULL) != 0)
        SKIP("no ip (iproute2)");
    seed = text != NULL ? (unsigned int)strtoul(text, NULL, 0) : (unsigned int)harnessNowMs() * 2654435761u;
    harnessTell("VIRT_NETNS_SEED=%u", seed);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    net = mmap(NULL, sizeof(*net), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(net != MAP_FAILED);
    writeFile(scratchPath("hosts"), "127.0.0.1 localhost\n10.77.0.1 controller\n10.77.0.2 host1\n10.77.0.3 host2\n");
    snprintf(serial, sizeof(serial), "%s", scratchPath("serial"));
    snprintf(command, sizeof(command), "tests/guest/mkguest --count-hz 50 --dirty-mib 1 --dirty-hz 1 --fill-mib 3 %s %s", buildPath("guest/counter.img"),
             scratchPath("guest.img"));
    CHECK_INT(runShell(command, NULL), 0);
    makeSpaces();
    makeKeys();
    for (daemonPlace = HOST1; daemonPlace <= HOST2; daemonPlace++) {
        daemons[daemonPlace] = startAt(daemonPlace, runDaemon);
        while (!fileExists(scratchPath("pid%d", daemonPlace))) {
            if (waitpid(daemons[daemonPlace], NULL, WNOHANG) != 0) {
                showLogs();
                FAIL("virtd does not start at host%d", daemonPlace);
            }
            harnessSleepMs(20);
        }
    }
    endOf(startAt(CONTROLLER, defineGuest), 60);
    WAIT_FOR(countingNewest(serial) >= 20, 60000);
    atomic_store(&net->at, HOST1);
}

/* ---------- where it is ---------- */

static int
jobOf(virDomainPtr domain)
{
    virDomainJobInfo info;

    CHECK_OK(virDomainGetJobInfo(domain, &info));
    return info.type;
}

/* One guest runs, at one of them; neither has anything else. */
static void
lookAtBoth(void)
{
    int there = 0;

    for (int host = HOST1; host <= HOST2; host++) {
        virConnectPtr conn = openHost(host);
        virDomainPtr *domains = NULL;
        char **records = NULL;
        int n, state = -1;

        CHECK_OK(n = virConnectListMigrations(conn, &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE));
        for (int i = 0; i < n; i++)
            printf("host%d: %s\n", host, records[i]);
        CHECK_INT(n, 0);
        free(records);
        CHECK_OK(n = virConnectListAllDomains(conn, &domains, 0));
        for (int i = 0; i < n; i++) {
            CHECK_OK(virDomainGetState(domains[i], &state, NULL, 0));
            CHECK_INT(state, VIR_DOMAIN_RUNNING);
            CHECK_INT(jobOf(domains[i]), VIR_DOMAIN_JOB_NONE);
            virDomainFree(domains[i]);
            atomic_store(&net->at, host);
            there++;
        }
        free(domains);
        CHECK_OK(virConnectClose(conn));
    }
    CHECK_INT(there, 1);
}

/* The processes of guests; a zombie is none. */
static int
countGuests(void)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    int n = 0;

    CHECK_NOT_NULL(folder);
    while ((entry = readdir(folder)) != NULL) {
        char path[300], text[4096];
        ssize_t length;
        int fd;

        snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            continue;
        length = read(fd, text, sizeof(text) - 1);
        close(fd);
        for (ssize_t i = 0; i < length; i++)
            text[i] = text[i] == '\0' ? ' ' : text[i];
        text[length > 0 ? length : 0] = '\0';
        n += strstr(text, "qemu-system") != NULL && strstr(text, scratchDir()) != NULL;
    }
    closedir(folder);
    return n;
}

/* After a migration, whatever became of it. The guest counts on, and nothing is left over. */
static void
checkOne(const char *what)
{
    harnessContext("%s", what);
    endOf(startAt(CONTROLLER, lookAtBoth), 60);
    CHECK_INT(countGuests(), 1);
    CHECK_LESS(atomic_load(&net->longest), harnessSlow(900));     /* no step of 0 ms waits for the link */
    countingGoesOn(serial);
    harnessTell("%s: at host%d, phase %s, outcome %d; frames carried %lu, lost %lu; the longest step of 0 ms: %lld ms", what, atomic_load(&net->at),
                virMigrationPhaseGetName((virMigrationPhase)atomic_load(&net->phase)), atomic_load(&net->outcome), atomic_load(&net->carried),
                atomic_load(&net->lost), atomic_load(&net->longest));
}

static void
destroyGuest(void)
{
    virConnectPtr conn = openHost(atomic_load(&net->at));
    virDomainPtr domain = virDomainLookupByName(conn, "traveller");

    CHECK_PTR(domain);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_OK(virConnectClose(conn));
}

static void
end(void)
{
    int status;

    endOf(startAt(CONTROLLER, destroyGuest), 60);
    WAIT_FOR(countGuests() == 0, 20000);
    for (int host = HOST1; host <= HOST2; host++) {
        kill(daemons[host], SIGTERM);
        endOf(daemons[host], 60);
    }
    killed(wire);
    while (waitpid(-1, &status, WNOHANG) > 0)
        ;                             /* guests, whose virtd had gone before them */
}

/* ---------- migrations ---------- */

/* From its own loop: a step never blocks, whatever the link does; what there is to wait for is waited for here. */
static void
stepToTheEnd(virMigrationPtr m)
{
    int rc = 1;

    while (rc != 0) {
        long long before = harnessNowMs(), took;
        int fd = -1, events = 0, ms = 0;

        rc = virMigrationStep(m, 0);
        took = harnessNowMs() - before;
        if (took > atomic_load(&net->longest))
            atomic_store(&net->longest, took);
        if (atomic_exchange(&net->phase, (int)virMigrationGetPhase(m)) != (int)virMigrationGetPhase(m))
            printf("%lld %s\n", harnessNowMs(), virMigrationPhaseGetName(virMigrationGetPhase(m)));
        if (rc != 0 && virMigrationGetWait(m, &fd, &events, &ms) == 0 && ms != 0) {
            struct pollfd ready = { .fd = fd, .events = POLLIN };

            poll(&ready, 1, ms > 0 && ms < 1000 ? ms : 1000);
        }
    }
    atomic_store(&net->outcome, (int)virMigrationGetOutcome(m));
    if (virMigrationGetError(m) != NULL)
        printf("%s\n", virMigrationGetError(m)->message);
    CHECK(virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED || virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_ROLLED_BACK);
}

static void
managed(void)
{
    int from = atomic_load(&net->at);
    virConnectPtr source = openHost(from), destination = openHost(HOST1 + HOST2 - from);
    virDomainPtr domain = virDomainLookupByName(source, "traveller");
    virMigrationPtr m;

    CHECK_PTR(domain);
    CHECK_PTR(m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE));
    atomic_store(&net->begun, true);
    stepToTheEnd(m);
    virMigrationFree(m);
    virDomainFree(domain);
    CHECK_OK(virConnectClose(source));
    CHECK_OK(virConnectClose(destination));
}

/* One call, which the source's server carries out. */
static void
peerToPeer(void)
{
    int from = atomic_load(&net->at);
    virConnectPtr source = openHost(from);
    virDomainPtr domain = virDomainLookupByName(source, "traveller");

    CHECK_PTR(domain);
    atomic_store(&net->begun, true);
    CHECK_OK(virDomainMigrateToURI3(domain, uriOf(HOST1 + HOST2 - from), NULL, 0, VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER));
    virDomainFree(domain);
    CHECK_OK(virConnectClose(source));
}

/* Another controller, which knows of nothing but the hosts: takes up what is not over. */
static void
takeUp(void)
{
    virConnectPtr conn[PLACES] = { NULL, openHost(HOST1), openHost(HOST2) };

    for (int host = HOST1; host <= HOST2; host++) {
        char **records = NULL;
        int n = virConnectListMigrations(conn[host], &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE);

        CHECK_OK(n);
        for (int i = 0; i < n; i++) {
            bool source = strstr(records[i], "\"side\":\"source\"") != NULL;
            virMigrationPtr m;

            printf("host%d: %s\n", host, records[i]);
            CHECK_PTR(m = virMigrationNewFromRecord(records[i], conn[source ? host : HOST1 + HOST2 - host], conn[source ? HOST1 + HOST2 - host : host]));
            stepToTheEnd(m);
            virMigrationFree(m);
            free(records[i]);
        }
        free(records);
    }
    CHECK_OK(virConnectClose(conn[HOST1]));
    CHECK_OK(virConnectClose(conn[HOST2]));
}

/* A controller begins; returns when it has. */
static pid_t
startMigration(void (*run)(void))
{
    pid_t pid;

    atomic_store(&net->begun, false);
    atomic_store(&net->outcome, 0);
    pid = startAt(CONTROLLER, run);
    WAIT_FOR(atomic_load(&net->begun) || kill(pid, 0) < 0, 30000);
    return pid;
}

static void
managedOnce(void)
{
    int from = atomic_load(&net->at);

    endOf(startMigration(managed), 120);
    checkOne("managed");
    CHECK_INT(atomic_load(&net->outcome), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_INT(atomic_load(&net->at), HOST1 + HOST2 - from);
}

/* Until the guest is at the other host: the source's server goes on with it by itself. */
static void
waitForArrival(void)
{
    virConnectPtr conn = openHost(HOST1 + HOST2 - atomic_load(&net->at));
    virConnectPtr source = openHost(atomic_load(&net->at));
    int n = -1;

    for (int i = 0; i < 900 && n != 0; i++) {
        harnessSleepMs(100);
        n = virConnectListMigrations(source, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE)
            + virConnectListMigrations(conn, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE);
    }
    CHECK_INT(n, 0);
    CHECK_OK(virConnectClose(conn));
    CHECK_OK(virConnectClose(source));
}

/* The client is killed, and the link that it had breaks, while the guest's memory goes over. */
static void
peerToPeerOnce(void)
{
    int from = atomic_load(&net->at);
    pid_t pid = startMigration(peerToPeer);

    harnessSleepMs(1500);
    killed(pid);
    endOf(startAt(CONTROLLER, waitForArrival), 120);
    checkOne("peer to peer, without its client");
    CHECK_INT(atomic_load(&net->at), HOST1 + HOST2 - from);
}

/* The link breaks at some moment and comes back. */
static void
cutOnce(int number, unsigned int links, void (*run)(void))
{
    int after = roll(0, 3500), length = roll(1000, 8000);
    pid_t pid = startMigration(run);
    char what[200];

    snprintf(what, sizeof(what), "cut %d: %s, links 0x%x, after %d ms, for %d ms", number, run == managed ? "managed" : "peer to peer", links, after, length);
    harnessContext("%s", what);
    harnessSleepMs(after);
    atomic_fetch_or(&net->cut, links);
    harnessSleepMs(length);
    atomic_fetch_and(&net->cut, ~links);
    endOf(pid, 180);
    checkOne(what);
}

/* What a dead controller had said before it was cut off is still sent again by its kernel, for as long as nobody has taken it. */
static void
waitForItsWords(void)
{
    int unsaid;

    do {
        FILE *f = fopen("/proc/self/net/tcp", "r");
        unsigned int state;
        char line[512];

        CHECK_NOT_NULL(f);
        for (unsaid = 0; fgets(line, sizeof(line), f) != NULL;)
            unsaid += sscanf(line, " %*[^:]: %*s %*s %x", &state) == 1 && (state == 1 || state == 4 || state == 11);     /* open, FIN_WAIT1, CLOSING */
        fclose(f);
        harnessSleepMs(unsaid > 0 ? 50 : 1000);                  /* and the server has done what it was told */
    } while (unsaid > 0);
}

/* The controller is cut off for good and dies; another one goes on, beside the first host, and again if the dead one is heard after all. */
static void
cutForGood(int number)
{
    int after = roll(0, 3500);
    pid_t pid = startMigration(managed);
    char what[200];

    snprintf(what, sizeof(what), "cut %d: the controller for good, after %d ms", number, after);
    harnessContext("%s", what);
    harnessSleepMs(after);
    atomic_fetch_or(&net->cut, LINK(CONTROLLER, HOST1) | LINK(CONTROLLER, HOST2));
    harnessSleepMs(200);
    killed(pid);
    endOf(startAt(HOST1, takeUp), 180);
    atomic_store(&net->cut, 0);
    endOf(startAt(CONTROLLER, waitForItsWords), 150);
    endOf(startAt(HOST1, takeUp), 180);
    checkOne(what);
}

/* ---------- the tests ---------- */

TEST_LIMIT(a_guest_goes_from_host_to_host_over_a_bad_wire, 300)
{
    begin();
    managedOnce();
    peerToPeerOnce();
    cutOnce(1, LINK(HOST1, HOST2), managed);
    cutForGood(2);
    end();
}

TEST_LIMIT(whenever_the_wire_breaks_one_guest_goes_on, 1800)
{
    static const unsigned int links[] = { LINK(HOST1, HOST2), LINK(CONTROLLER, HOST1), LINK(CONTROLLER, HOST2), LINK(CONTROLLER, HOST1) | LINK(CONTROLLER, HOST2),
                                          LINK(HOST1, HOST2) | LINK(CONTROLLER, HOST2) };

    if (getenv("VIRT_NETNS") == NULL)
        SKIP("make check-netns");
    begin();
    for (int i = 0; i < 10; i++) {
        if (i % 5 == 4)
            cutForGood(i + 1);
        else
            cutOnce(i + 1, links[(unsigned int)roll(0, 4)], i % 3 == 2 ? peerToPeer : managed);
    }
    /* nobody doubles what is cheap to break: each way once more without a cut */
    managedOnce();
    peerToPeerOnce();
    end();
}
