/*
 * Many clients at one server, for minutes: what it keeps, what it loses, what it mixes up.
 *
 *   soak VIRTD [SECONDS [CLIENTS]]
 *
 * CLIENTS processes (200) make calls of every kind in any order, each with a guest of its own and with others that come and go. Of each 4 one is
 * killed at a random moment, again and again, and another takes its place. Each client compares every answer with what it must be, and
 * waits for the event of everything that it does to its guest: none may be missing, or come twice. The server's memory and descriptors, after
 * they have settled, must stay where they are, and when all clients are gone, so must everything be that was theirs.
 *
 * Exit code 1 if anything was wrong. Prints what it saw.
 */
#include "../../virt.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CLIENTS 1000

/* What the clients tell the parent, in memory that they share. */
static struct tally {
    atomic_ulong calls, events, killed;
    atomic_int wrong;
    char first[512];                  /* the first thing that was wrong */
} *tally;

static const char *uri;
static char directory[64], socketPath[128];

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((format(printf, 1, 2))) static void
wrong(const char *fmt, ...)
{
    va_list args;

    if (atomic_fetch_add(&tally->wrong, 1) > 0)
        return;
    va_start(args, fmt);
    vsnprintf(tally->first, sizeof(tally->first), fmt, args);
    va_end(args);
}

/* ---------- a client ---------- */

static struct client {
    int number;
    unsigned int seed;
    virConnectPtr conn;
    virDomainPtr guest;
    char name[32], xml[512];
    int awaited, heard;               /* the lifecycle event that is due, and how many of them came */
} client;

static unsigned int
dice(unsigned int sides)
{
    client.seed = client.seed * 1664525 + 1013904223;
    return (client.seed >> 8) % sides;
}

static void
onEvent(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    (void)conn;
    (void)opaque;
    if (strcmp(virDomainGetName(domain), client.name) != 0)
        return;
    atomic_fetch_add(&tally->events, 1);
    if (event != client.awaited)
        wrong("%s: event %d (%d) instead of %d", client.name, event, detail, client.awaited);
    client.heard++;
}

static void
onTime(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

/* Does something to the guest and waits for its event, which comes once. */
static void
expectEvent(int event, int rc, const char *call)
{
    double end = now() + 60;

    atomic_fetch_add(&tally->calls, 1);
    if (rc < 0) {
        wrong("%s: %s: %s", client.name, call, virGetLastErrorMessage());
        return;
    }
    while (client.heard == 0 && now() < end)
        virEventRunDefaultImpl();
    if (client.heard != 1)
        wrong("%s: %d events after %s instead of one", client.name, client.heard, call);
    (void)event;
}

/* The call's event may be delivered while the call itself is under way. */
#define DO(event, call) (client.awaited = (event), client.heard = 0, expectEvent((event), (call), #call))
#define SAY(condition, ...) (atomic_fetch_add(&tally->calls, 1), (condition) ? (void)0 : wrong(__VA_ARGS__))

static void
changeGuest(void)
{
    int state = -1;

    SAY(virDomainGetState(client.guest, &state, NULL, 0) == 0, "%s: state: %s", client.name, virGetLastErrorMessage());
    switch (state) {
    case VIR_DOMAIN_SHUTOFF:
        DO(VIR_DOMAIN_EVENT_STARTED, virDomainCreate(client.guest));
        SAY(virDomainGetID(client.guest) != (unsigned int)-1, "%s: runs and has no id", client.name);
        break;
    case VIR_DOMAIN_RUNNING:
        if (dice(2) == 0)
            DO(VIR_DOMAIN_EVENT_SUSPENDED, virDomainSuspend(client.guest));
        else
            DO(VIR_DOMAIN_EVENT_STOPPED, virDomainDestroy(client.guest));
        break;
    case VIR_DOMAIN_PAUSED:
        DO(VIR_DOMAIN_EVENT_RESUMED, virDomainResume(client.guest));
        break;
    default:
        wrong("%s: state %d", client.name, state);
    }
}

static void
askGuest(void)
{
    virTypedParameterPtr params = NULL;
    virDomainInfo info;
    char *text, uuid[VIR_UUID_STRING_BUFLEN];
    virDomainPtr other;
    int n = 0;

    SAY(virDomainGetInfo(client.guest, &info) == 0 && info.maxMem == 65536 + (unsigned long)client.number * 1024, "%s: info of another guest",
        client.name);
    SAY((text = virDomainGetXMLDesc(client.guest, 0)) != NULL && strstr(text, client.name) != NULL, "%s: document of another guest", client.name);
    free(text);
    SAY((text = virDomainGetMetadata(client.guest, VIR_DOMAIN_METADATA_TITLE, NULL, 0)) != NULL && strcmp(text, client.name) == 0,
        "%s: title of another guest", client.name);
    free(text);
    SAY(virDomainGetUUIDString(client.guest, uuid) == 0 && (other = virDomainLookupByUUIDString(client.conn, uuid)) != NULL
        && strcmp(virDomainGetName(other), client.name) == 0 && virDomainFree(other) == 0, "%s: look-up by uuid", client.name);
    SAY(virDomainIsPersistent(client.guest) == 1 && virDomainGetVcpusFlags(client.guest, VIR_DOMAIN_AFFECT_CONFIG) == 2, "%s: not as defined", client.name);
    SAY(virDomainSetMetadata(client.guest, VIR_DOMAIN_METADATA_DESCRIPTION, "x", NULL, NULL, VIR_DOMAIN_AFFECT_CONFIG) == 0, "%s: metadata: %s",
        client.name, virGetLastErrorMessage());
    SAY(virDomainGetJobStats(client.guest, &n, &params, &n, 0) < 0 || params != NULL || n == 0, "%s: job", client.name);
    virTypedParamsFree(params, n);
}

static void
askHost(void)
{
    virDomainStatsRecordPtr *records = NULL;
    virDomainPtr *domains = NULL, none;
    unsigned long version;
    virNodeInfo node;
    char *text;
    int n, mine = 0;

    SAY((n = virConnectListAllDomains(client.conn, &domains, 0)) > 0, "list: %s", virGetLastErrorMessage());
    for (int i = 0; i < n; i++) {
        mine += strcmp(virDomainGetName(domains[i]), client.name) == 0;
        virDomainFree(domains[i]);
    }
    free(domains);
    SAY(mine == 1, "%s stands %d times in the list", client.name, mine);
    SAY(virNodeGetInfo(client.conn, &node) == 0 && node.cpus > 0, "node info: %s", virGetLastErrorMessage());
    SAY((text = virConnectGetCapabilities(client.conn)) != NULL && strstr(text, "<capabilities>") != NULL, "capabilities");
    free(text);
    SAY((text = virConnectGetHostname(client.conn)) != NULL, "host name: %s", virGetLastErrorMessage());
    free(text);
    SAY(virConnectGetVersion(client.conn, &version) == 0 && virConnectNumOfDomains(client.conn) >= 0, "version: %s", virGetLastErrorMessage());
    SAY((none = virDomainLookupByName(client.conn, "nobody")) == NULL && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN, "a guest that is not there");
    if (dice(10) == 0) {
        SAY(virConnectGetAllDomainStats(client.conn, VIR_DOMAIN_STATS_STATE, &records, 0) > 0, "statistics: %s", virGetLastErrorMessage());
        virDomainStatsRecordListFree(records);
    }
}

/* Mistakes: each has its own error. */
static void
makeMistakes(void)
{
    virDomainPtr domain;

    SAY((domain = virDomainDefineXML(client.conn, "<domain type='test'><name>")) == NULL && virGetLastErrorCode() != VIR_ERR_RPC, "a broken document: %s",
        virGetLastErrorMessage());
    SAY(virDomainUndefineFlags(client.guest, 0x80000000u) < 0 && virGetLastErrorCode() == VIR_ERR_INVALID_ARG, "unknown flags: %s", virGetLastErrorMessage());
    SAY(virDomainRename(client.guest, "", 0) < 0, "an empty name");
}

static void
openClient(void)
{
    double end = now() + 60;

    virEventRegisterDefaultImpl();
    virEventAddTimeout(20, onTime, NULL, NULL);
    while ((client.conn = virConnectOpen(uri)) == NULL && now() < end)
        usleep(100000);
    if (client.conn == NULL) {
        wrong("client %d: %s", client.number, virGetLastErrorMessage());
        _exit(1);
    }
    snprintf(client.name, sizeof(client.name), "guest-%d", client.number);
    snprintf(client.xml, sizeof(client.xml), "<domain type='test'><name>%s</name><title>%s</title><memory unit='KiB'>%d</memory><vcpu>2</vcpu>"
             "<os><type>hvm</type></os></domain>", client.name, client.name, 65536 + client.number * 1024);
    /* what one has left that was killed */
    if ((client.guest = virDomainLookupByName(client.conn, client.name)) != NULL) {
        if (virDomainIsActive(client.guest) == 1)
            virDomainDestroy(client.guest);
        virDomainUndefine(client.guest);
        virDomainFree(client.guest);
    }
    if ((client.guest = virDomainDefineXML(client.conn, client.xml)) == NULL
        || virConnectDomainEventRegisterAny(client.conn, client.guest, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                            (virConnectDomainEventGenericCallback)(void (*)(void))onEvent, NULL, NULL) < 0) {
        wrong("%s: %s", client.name, virGetLastErrorMessage());
        _exit(1);
    }
}

static int
runClient(int number, unsigned int seed, double end)
{
    client.number = number;
    client.seed = seed;
    openClient();
    while (now() < end && atomic_load(&tally->wrong) == 0) {
        switch (dice(4)) {
        case 0: changeGuest(); break;
        case 1: askGuest(); break;
        case 2: askHost(); break;
        default: makeMistakes(); break;
        }
    }
    if (virDomainIsActive(client.guest) == 1)
        DO(VIR_DOMAIN_EVENT_STOPPED, virDomainDestroy(client.guest));
    DO(VIR_DOMAIN_EVENT_UNDEFINED, virDomainUndefine(client.guest));
    virDomainFree(client.guest);
    virConnectClose(client.conn);
    return 0;
}

/* ---------- the server, and what it takes up ---------- */

static long
residentKiB(pid_t pid)
{
    char path[64], line[256];
    long kib = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if ((file = fopen(path, "r")) == NULL)
        return -1;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

static int
descriptors(pid_t pid)
{
    char path[64];
    int n = -2;                       /* "." and ".." */
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    if ((dir = opendir(path)) == NULL)
        return -1;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static pid_t
startServer(const char *virtd, int clients)
{
    char listen[160], limit[32];
    pid_t pid;

    snprintf(listen, sizeof(listen), "unix:%s", socketPath);
    snprintf(limit, sizeof(limit), "clients=%d", clients * 2);
    if ((pid = fork()) == 0) {
        execl(virtd, virtd, "--connect", "test:///default", "--listen", listen, "--workers", "4", "--limit", limit, "--log", "/dev/null", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && access(socketPath, F_OK) < 0; i++)
        usleep(50000);
    return pid;
}

static pid_t
startClient(int number, unsigned int seed, double end)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(runClient(number, seed, end));
    return pid;
}

int
main(int argc, char **argv)
{
    double seconds = argc > 2 ? atof(argv[2]) : 300, start, end;
    int clients = argc > 3 ? atoi(argv[3]) : 200, early = 0, bad = 0, fds = 0, fdsAfter;
    unsigned int seed = 1;
    pid_t server, pids[MAX_CLIENTS];
    char address[160];
    long idle, settled = 0, last = 0, after;

    if (argc < 2 || argc > 4 || clients < 4 || clients > MAX_CLIENTS || seconds < 10) {
        fprintf(stderr, "usage: soak VIRTD [SECONDS [CLIENTS]]\n");
        return 2;
    }
    tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(directory, sizeof(directory), "/tmp/virt-soak-XXXXXX");
    if (tally == MAP_FAILED || mkdtemp(directory) == NULL) {
        perror("soak");
        return 2;
    }
    snprintf(socketPath, sizeof(socketPath), "%s/sock", directory);
    snprintf(address, sizeof(address), "test+unix:///default?socket=%s", socketPath);
    uri = address;
    server = startServer(argv[1], clients);
    sleep(1);
    idle = residentKiB(server);
    start = now();
    end = start + seconds;
    for (int i = 0; i < clients; i++)
        pids[i] = startClient(i, (seed += 7919), end);
    while (now() < end && atomic_load(&tally->wrong) == 0) {
        int victim = (int)((seed = seed * 1664525 + 1013904223) >> 8) % (clients / 4);

        usleep((useconds_t)(seconds * 1e6 / 200));
        victim = victim < 0 ? -victim : victim;
        kill(pids[victim], SIGKILL);
        waitpid(pids[victim], NULL, 0);
        atomic_fetch_add(&tally->killed, 1);
        pids[victim] = startClient(victim, (seed += 7919), end);
        if (now() - start > seconds / 3 && settled == 0) {
            settled = residentKiB(server);
            fds = descriptors(server);
        }
        last = residentKiB(server);
    }
    for (int i = 0; i < clients; i++) {
        int status = 0;

        waitpid(pids[i], &status, 0);
        early += status != 0;
    }
    sleep(2);
    after = residentKiB(server);
    fdsAfter = descriptors(server);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    printf("%d clients, %.0f s: %lu calls (%.0f a second), %lu events waited for, %lu clients killed\n", clients, seconds, atomic_load(&tally->calls),
           (double)atomic_load(&tally->calls) / seconds, atomic_load(&tally->events), atomic_load(&tally->killed));
    printf("the server: %ld KiB idle, %ld KiB after a third, %ld KiB at the end, %ld KiB without clients; descriptors: %d with all, %d without\n", idle, settled, last,
           after, fds, fdsAfter);
    if (atomic_load(&tally->wrong) > 0) {
        printf("WRONG, %d times, first: %s\n", atomic_load(&tally->wrong), tally->first);
        bad = 1;
    }
    if (early > 0) {
        printf("WRONG: %d clients ended badly\n", early);
        bad = 1;
    }
    if (settled > 0 && last > settled + settled / 10 + 512) {
        printf("WRONG: the server has grown\n");
        bad = 1;
    }
    if (fdsAfter > 40) {
        printf("WRONG: descriptors are left\n");
        bad = 1;
    }
    rmdir(directory);
    return bad;
}
