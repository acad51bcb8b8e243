/*
 * A tunnelled migration of a real guest between two servers: the source's connects to the destination's, by tcp, and the guest's memory goes over
 * that connection. And what becomes of one whose tunnel breaks. (Where this process is in between, api/qemu_tunnel goes through servers.)
 */
#include "../qemu_pair.h"
#include "../serving.h"

#if defined VIRT_WITH_NOISE && VIRT_WITH_NOISE

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TUNNELLED (VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_TUNNELLED)

static pid_t servers[2];
static int tcpPort;                   /* of the second */

/* ---------- two servers ---------- */

static int
listenTcp(virServerPtr server)
{
    virTypedParameterPtr params = NULL;
    char address[64];
    int n = 0, size = 0, rc;

    virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_KEY, scratchPath("server.key"));
    virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_AUTHORIZED, scratchPath("authorized"));
    snprintf(address, sizeof(address), "tcp:127.0.0.1:%d", tcpPort);
    rc = virServerListen(server, address, params, (unsigned int)n, 0);
    virTypedParamsFree(params, n);
    return rc;
}

/* In a process of its own, begun before this one has had anything of nanomsg's. The first one has an event loop, the second does without. */
static void
serve(int side)
{
    virConnectPtr conn;
    virServerPtr server;
    pthread_t thread;
    char address[1200];

    if (side == 0 && !servingHasLoop())
        _exit(1);
    snprintf(address, sizeof(address), "unix:%s", scratchPath("s%d", side));
    if ((conn = openHost(side == 0 ? "host0" : "host1", "")) == NULL || (server = virServerNew(NULL, 0, 0)) == NULL
        || virServerAddConnect(server, conn) < 0 || virServerListen(server, address, NULL, 0, 0) < 0
        || (side == 1 && listenTcp(server) < 0)) {
        fprintf(stderr, "server %d: %s\n", side, virGetLastErrorMessage());
        _exit(1);
    }
    for (int i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, i == 0 && side == 0 ? servingLoop : servingRun, server) != 0)
            _exit(1);
    virServerRun(server);
    _exit(0);
}

/*
 * Servers are begun by a process that stays without nanomsg, which does not survive a fork: a byte says which one, and its pid comes back, once
 * the one that was there before is gone.
 */
static int nurseryFd = -1;

static void
nursery(int fd)
{
    pid_t pid, pids[2] = { 0, 0 };
    char side;

    while (recv(fd, &side, 1, 0) == 1) {
        if (pids[(int)side] > 0)
            waitpid(pids[(int)side], NULL, 0);
        if ((pid = fork()) == 0) {
            close(fd);
            serve(side);
        }
        pids[(int)side] = pid;
        if (send(fd, &pid, sizeof(pid), MSG_NOSIGNAL) != sizeof(pid))
            break;
    }
    _exit(0);
}

static void
startServer(char side)
{
    int ends[2];

    if (nurseryFd < 0) {
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        fflush(NULL);
        if (fork() == 0) {
            close(ends[0]);
            nursery(ends[1]);
        }
        close(ends[1]);
        nurseryFd = ends[0];
    }
    unlink(scratchPath("s%d.who", side));
    CHECK_INT(send(nurseryFd, &side, 1, 0), 1);
    CHECK_INT(recv(nurseryFd, &servers[(int)side], sizeof(pid_t), 0), (int)sizeof(pid_t));
    WAIT_FOR(fileExists(scratchPath("s%d.who", side)), 10000);
}

/* The source's server has the key of its user, and knows the destination's. */
static void
makeKeys(void)
{
    char *serverKey, *clientKey, text[300];

    tcpPort = 14000 + (int)(getpid() % 10000);
    CHECK_INT(mkdir(scratchPath("config"), 0700), 0);
    CHECK_INT(mkdir(scratchPath("config/virt"), 0700), 0);
    CHECK_INT(setenv("XDG_CONFIG_HOME", scratchPath("config"), 1), 0);
    CHECK_OK(virKeyGenerate(scratchPath("server.key"), &serverKey, 0));
    CHECK_OK(virKeyGenerate(NULL, &clientKey, 0));
    snprintf(text, sizeof(text), "%s source\n", clientKey);
    writeFile(scratchPath("authorized"), text);
    snprintf(text, sizeof(text), "127.0.0.1:%d %s\n", tcpPort, serverKey);
    writeFile(scratchPath("config/virt/known_hosts"), text);
    free(serverKey);
    free(clientKey);
}

static virConnectPtr
openServer(int side)
{
    virConnectPtr conn = NULL;
    char uri[1400];

    snprintf(uri, sizeof(uri), "qemu+unix:///embed?reconnect=60&socket=%s", scratchPath("s%d", side));
    WAIT_FOR((conn = virConnectOpen(uri)) != NULL, 5000);
    return conn;
}

static void
startServers(struct pair *pair, int fill)
{
    needsQemu();
    pairWrites = 0;
    makeKeys();
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    startServer(0);
    startServer(1);
    pair->source = openServer(0);
    pair->destination = openServer(1);
    CHECK_PTR(pair->domain = virDomainCreateXML(pair->source, pairXml(pair->serial, fill, "", ""), 0));
    waitForMore(pair, 30);
}

static void
endServers(struct pair *pair)
{
    endPair(pair);
    for (int i = 0; i < 2; i++)
        CHECK_INT(kill(servers[i], SIGTERM), 0);
    close(nurseryFd);
    nurseryFd = -1;
}

/* ---------- a migration in a thread of its own ---------- */

static struct {
    pthread_t thread;
    virDomainPtr domain;
    const char *params;
    int rc;
    char message[1000];
} moving;

static void *
move(void *opaque)
{
    virTypedParameterPtr params;
    int n = readParams(moving.params, &params);
    char uri[100];

    snprintf(uri, sizeof(uri), "qemu+tcp://127.0.0.1:%d/embed?reconnect=60", tcpPort);
    moving.rc = virDomainMigrateToURI3(moving.domain, uri, params, (unsigned int)n, TUNNELLED);
    snprintf(moving.message, sizeof(moving.message), "%s", virGetLastErrorMessage());
    virTypedParamsFree(params, n);
    return opaque;
}

static void
startMoving(virDomainPtr domain, const char *params)
{
    virDomainJobInfo job = { 0 };

    moving.domain = domain;
    moving.params = params;
    CHECK_INT(pthread_create(&moving.thread, NULL, move, NULL), 0);
    /* well on its way */
    WAIT_FOR(virDomainGetJobInfo(domain, &job) == 0 && job.memProcessed > (1 << 20), 20000);
}

static void
checkCameBack(struct pair *pair, const char *words)
{
    CHECK_INT(pthread_join(moving.thread, NULL), 0);
    CHECK_INT(moving.rc, -1);
CHECK_CONTAINS(moving.message, words);
    CHECK_INT(stateOf(pair->domain), VIR_DOMAIN_RUNNING);
    CHECK_INT(virConnectListAllDomains(pair->destination, NULL, 0), 0);
    waitForMore(pair, 20);
}

static void
checkArrived(struct pair *pair)
{
    virDomainPtr guest;

    CHECK_PTR(guest = guestAt(pair->destination));
    CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
    CHECK_INT(reasonOf(guest), VIR_DOMAIN_RUNNING_MIGRATED);
    virDomainFree(guest);
    CHECK_INT(virConnectListAllDomains(pair->source, NULL, 0), 0);
    waitForMore(pair, 50);
}

static void
checkNoSocket(void)
{
    char command[1200];

    snprintf(command, sizeof(command), "! ls %s/*/run/*.migrate", scratchDir());
    CHECK_INT(runShell(command, NULL), 0);
}

/* Processes whose command line has this. */
static int
signalHypervisor(const char *name, int number)
{
    char command[2600], *pid = NULL;
    int n = 0;

    snprintf(command, sizeof(command), "grep -l -a -e 'qemu-system.*%s/' /proc/[0-9]*/cmdline 2> /dev/null | sed 's,/proc/,,;s,/.*,,'", scratchPath("%s", name));
    CHECK_INT(runShell(command, &pid), 0);
    if (sscanf(pid, "%d", &n) == 1)
        kill(n, number);
    free(pid);
    return n;
}

/* ---------- tests ---------- */

TEST_LIMIT(memory_goes_over_the_connection_of_two_servers, 120)
{
    struct pair pair;
    char command[100], *before, *after;

    startServers(&pair, 8);
    snprintf(command, sizeof(command), "ls /proc/%d/task | wc -l", (int)servers[0]);
    CHECK_INT(runShell(command, &before), 0);
    startMoving(pair.domain, "bandwidth=4");
    checkNoSocket();
    CHECK_INT(pthread_join(moving.thread, NULL), 0);
    CHECK_MSG(moving.rc == 0, "%s", moving.message);
    checkArrived(&pair);
    CHECK_INT(runShell(command, &after), 0);
    CHECK_INT(atoi(after), atoi(before));
    free(before);
    free(after);
    endServers(&pair);
}

TEST_LIMIT(a_tunnel_whose_far_hypervisor_dies_brings_the_guest_back, 120)
{
    struct pair pair;

    startServers(&pair, 8);
    startMoving(pair.domain, "bandwidth=1");
    CHECK(signalHypervisor("host1", SIGKILL) > 0);
    checkCameBack(&pair, "");
    startMoving(pair.domain, "bandwidth=8");       /* and nothing of it is in the way of the next one */
    CHECK_INT(pthread_join(moving.thread, NULL), 0);
    CHECK_MSG(moving.rc == 0, "%s", moving.message);
    checkArrived(&pair);
    endServers(&pair);
}

TEST_LIMIT(a_tunnel_whose_server_is_started_again_brings_the_guest_back, 120)
{
    struct pair pair;

    startServers(&pair, 8);
    startMoving(pair.domain, "bandwidth=1");
    CHECK_INT(kill(servers[1], SIGKILL), 0);
    startServer(1);
    checkCameBack(&pair, "");
    endServers(&pair);
}

#else

TEST(tunnels_between_servers)
{
    SKIP("built without nanomsg and libcrypto");
}

#endif
