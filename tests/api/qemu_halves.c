/*
 * The two ends of a migration of a real guest in two processes that share nothing but pipes, and the pipes are bad: messages get lost, come
 * twice, late, and in another order. Also with the memory over a descriptor of the caller's, with an abort, and with either process
 * killed and another going on from what its host has on record.
 *
 * The test itself is the wire: it never opens a host. Whatever happens on the way is chosen by a seed, which is printed when a test fails.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../counting.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char serial[1024];

/* ---- processes ---- */

static virConnectPtr
openHost(int host)
{
    char uri[1100];

    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("host%d", host));
    return virConnectOpen(uri);
}

/* Runs body in a process of its own and waits for it. */
static void
inProcess(void (*body)(int), int argument)
{
    pid_t pid = fork();
    int status = 0;

    CHECK(pid >= 0);
    if (pid == 0) {
        body(argument);
        fflush(NULL);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

static void
startGuest(int host)
{
    virConnectPtr conn;
    virDomainPtr domain;

    CHECK_PTR(conn = openHost(host));
    CHECK_PTR(domain = virDomainCreateXML(conn, countingDocument("guest", guestImage("light.img"), serial, 64), 0));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

/* It runs at this host, and nothing of it is at the other. */
static void
checkItIsAt(int host)
{
    for (int side = 0; side < 2; side++) {
        virConnectPtr conn = openHost(side);
        virDomainPtr domain;
        int state = -1;

        CHECK_PTR(conn);
        CHECK_INT(virConnectListAllDomains(conn, NULL, 0), side == host ? 1 : 0);
        CHECK_INT(virConnectListMigrations(conn, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
        if (side == host) {
            CHECK_PTR(domain = virDomainLookupByName(conn, "guest"));
            CHECK_OK(virDomainGetState(domain, &state, NULL, 0));
            CHECK_INT(state, VIR_DOMAIN_RUNNING);
            virDomainFree(domain);
        }
        CHECK_INT(virConnectClose(conn), 0);
    }
}

static void
endGuest(int host)
{
    virConnectPtr conn = openHost(host);
    virDomainPtr domain;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainLookupByName(conn, "guest"));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

/* ---- an end ---- */

struct end {
    int host;
    bool source;
    bool again;                       /* another was killed: goes on from what the host has on record */
    int in, out, stream;              /* stream -1: none */
    virMigrationPhase abortIn;        /* source: LAST: it does not */
    virMigrationPhase dieIn;          /* source: is killed in this phase; LAST: it is not */
    int dieAt;                        /* destination: is killed when it has carried out so many messages, its answer not given; 0: it is not */
    bool dieLast;                     /* destination: is killed when the source has ended */
    bool slow;
    char uuid[40];                    /* of the migration, once a message has said it */
};

/* From what the host has on record of this migration; NULL: nothing yet. */
static virMigrationPtr
makeEndAgain(const struct end *end, virConnectPtr conn)
{
    virMigrationPtr m = NULL;
    char **records = NULL;
    int n;

    CHECK_OK(n = virConnectListMigrations(conn, &records, end->uuid[0] != '\0' ? 0 : VIR_CONNECT_LIST_MIGRATIONS_ACTIVE));
    for (int i = 0; i < n; i++) {
        if (m == NULL && strstr(records[i], end->uuid) != NULL)
            CHECK_PTR(m = virMigrationNewFromRecord(records[i], end->source ? conn : NULL, end->source ? NULL : conn));
        free(records[i]);
    }
    free(records);
    CHECK(m != NULL || !end->source);
    return m;
}

static virMigrationPtr
makeEnd(const struct end *end, virConnectPtr conn)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0;
    virDomainPtr domain;
    virMigrationPtr m;

    if (end->again && (m = makeEndAgain(end, conn)) != NULL)
        return m;
    if (!end->source) {
        CHECK_PTR(m = virMigrationNewDestination(conn));
        return m;
    }
    CHECK_PTR(domain = virDomainLookupByName(conn, "guest"));
    if (end->slow)
        CHECK_OK(virTypedParamsAddULLong(&params, &n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, 4));
    CHECK_PTR(m = virMigrationNewSource(domain, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    virTypedParamsFree(params, n);
    virDomainFree(domain);
    return m;
}

/* Takes in the lines that have come. false: the other side of the pipe is closed. */
static bool
hear(int fd, virMigrationPtr m, int *messages)
{
    static char buffer[1 << 20];
    static size_t length;
    ssize_t n = read(fd, buffer + length, sizeof(buffer) - length);
    char *newline;

    if (n == 0)
        return false;
    CHECK_MSG(n > 0 && length + (size_t)n < sizeof(buffer), "read: errno %d", errno);
    length += (size_t)n;
    while ((newline = memchr(buffer, '\n', length)) != NULL) {
        *newline = '\0';
        CHECK_OK(virMigrationPutMessage(m, buffer));
        ++*messages;
        CHECK_OK(virMigrationStep(m, 0));
        length -= (size_t)(newline + 1 - buffer);
        memmove(buffer, newline + 1, length);
    }
    return true;
}

static void
say(int fd, const char *text)
{
    char *line = NULL;
    int length = asprintf(&line, "%s\n", text);

    CHECK(length > 0);
    for (int at = 0; at < length;) {
        ssize_t n = write(fd, line + at, (size_t)(length - at));

        CHECK_MSG(n > 0, "write: errno %d", errno);
        at += (int)n;
    }
    free(line);
}

static void
dieIfItIsTime(const struct end *end, virMigrationPtr m)
{
    if (end->source && virMigrationGetPhase(m) == end->dieIn && (end->dieIn != VIR_MIGRATION_PHASE_PERFORM || virMigrationStep(m, 30) > 0))
        kill(getpid(), SIGKILL);
}

/* The end as a process: what it exits with is 10 + its outcome. It has no descriptors but its own. */
_Noreturn static void
runEnd(const struct end *end)
{
    virConnectPtr conn = openHost(end->host);
    int rc, fd, events, ms, messages = 0, outcome;
    virMigrationPtr m;
    char *text;

    CHECK_PTR(conn);
    m = makeEnd(end, conn);
    if (end->stream >= 0 && virMigrationGetPhase(m) <= VIR_MIGRATION_PHASE_PREPARE)
        CHECK_OK(virMigrationSetStream(m, end->stream));
    for (;;) {
        struct pollfd fds[2] = { { .fd = end->in, .events = POLLIN }, { .fd = -1 } };

        dieIfItIsTime(end, m);
        CHECK_OK(rc = virMigrationStep(m, 0));
        if (!end->source && end->dieAt > 0 && messages >= end->dieAt)
            kill(getpid(), SIGKILL);
        while (virMigrationGetMessage(m, &text) > 0) {
            say(end->out, text);
            free(text);
        }
        dieIfItIsTime(end, m);                   /* the answer may be there as soon as it was asked, and the phase over */
        if (end->source && rc == 0)
            break;
        if (end->source && virMigrationGetPhase(m) == end->abortIn)
            CHECK_OK(virMigrationAbort(m));
        CHECK_OK(virMigrationGetWait(m, &fd, &events, &ms));
        fds[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
        poll(fds, 2, ms < 0 || ms > 100 ? 100 : ms);
        if (fds[0].revents != 0 && !hear(end->in, m, &messages))
            break;
    }
    outcome = (int)virMigrationGetOutcome(m);
    if (outcome != VIR_MIGRATION_OUTCOME_MIGRATED)
        fprintf(stderr, "%s: outcome %d: %s\n", end->source ? "source" : "destination", outcome,
                virMigrationGetError(m) != NULL ? virMigrationGetError(m)->message : "no error");
    virMigrationFree(m);
    CHECK_INT(virConnectClose(conn), 0);
    fflush(NULL);
    _exit(10 + outcome);
}

/* ---- the wire ---- */

#define WAY 64

struct letter { char *text; long long due; };

struct wire {
    unsigned int seed;
    int bad;                          /* of ten messages, how many meet with something */
    struct { int from, to; struct letter way[WAY]; int n; } lanes[2];
    int lost, doubled, delayed, carried;
    char uuid[40];                    /* as the messages say */
};

static unsigned int
chance(struct wire *wire, unsigned int of)
{
    wire->seed = wire->seed * 1103515245u + 12345u;
    return (wire->seed >> 16) % of;
}

static void
post(struct wire *wire, int lane, const char *text, int delay)
{
    int n = wire->lanes[lane].n;

    if (n == WAY)
        return;
    CHECK_NOT_NULL(wire->lanes[lane].way[n].text = strdup(text));
    wire->lanes[lane].way[n].due = harnessNowMs() + delay;
    wire->lanes[lane].n++;
}

/* What an end has said, which is whole lines. */
static void
collect(struct wire *wire, int lane)
{
    static char buffer[1 << 20];
    ssize_t n = read(wire->lanes[lane].from, buffer, sizeof(buffer) - 1);
    char *line = buffer, *newline;

    CHECK(n > 0);
    buffer[n] = '\0';
    while (buffer[n - 1] != '\n') {              /* longer than the pipe takes at once */
        ssize_t more = read(wire->lanes[lane].from, buffer + n, sizeof(buffer) - 1 - (size_t)n);

        CHECK(more > 0);
        buffer[n += more] = '\0';
    }
    for (; (newline = strchr(line, '\n')) != NULL; line = newline + 1) {
        unsigned int what = (int)chance(wire, 10) < wire->bad ? chance(wire, 3) : 3;

        *newline = '\0';
        if (wire->uuid[0] == '\0' && strstr(line, "\"migration\":\"") != NULL)
            snprintf(wire->uuid, sizeof(wire->uuid), "%.36s", strstr(line, "\"migration\":\"") + strlen("\"migration\":\""));
        if (what == 0) {
            wire->lost++;
            continue;
        }
        post(wire, lane, line, what == 2 ? (int)chance(wire, 900) : 0);      /* late, so that others overtake it */
        if (what == 1)
            post(wire, lane, line, (int)chance(wire, 300));
        wire->doubled += what == 1;
        wire->delayed += what == 2;
        wire->carried++;
    }
}

static void
deliver(struct wire *wire, int lane)
{
    for (int i = 0; i < wire->lanes[lane].n;) {
        struct letter *letter = &wire->lanes[lane].way[i];

        if (letter->due > harnessNowMs()) {
            i++;
            continue;
        }
        say(wire->lanes[lane].to, letter->text);
        free(letter->text);
        memmove(letter, letter + 1, (size_t)(--wire->lanes[lane].n - i) * sizeof(*letter));
    }
}

static pid_t spawn(const struct end *end, const int *all, int n);

/* Another goes on for one that was killed, from what its host has on record. */
static pid_t
replace(struct end *end, const struct wire *wire, const int *all, int n)
{
    end->again = true;
    end->dieIn = VIR_MIGRATION_PHASE_LAST;
    end->dieAt = 0;
    snprintf(end->uuid, sizeof(end->uuid), "%s", wire->uuid);
    return spawn(end, all, n);
}

/* A process for an end, which keeps none of the test's descriptors but its own. */
static pid_t
spawn(const struct end *end, const int *all, int n)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        for (int i = 0; i < n; i++)
            if (all[i] >= 0 && all[i] != end->in && all[i] != end->out && all[i] != end->stream)
                close(all[i]);
        runEnd(end);
    }
    return pid;
}

/* Carries a migration between two ends, which may be replaced once; the source's outcome. */
static int
carry(struct end ends[2], unsigned int seed, int bad)
{
    struct wire wire = { .seed = seed, .bad = bad };
    int all[10], status, outcome = -1;
    pid_t pids[2];

    /* 0, 1: source to test; 2, 3: test to destination; 4, 5: destination to test; 6, 7: test to source; 8, 9: the memory */
    for (int i = 0; i < 8; i += 2)
        CHECK_INT(pipe(all + i), 0);
    all[8] = all[9] = -1;
    if (ends[0].stream >= 0)
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, all + 8), 0);
    wire.lanes[0].from = all[0], wire.lanes[0].to = all[3];
    wire.lanes[1].from = all[4], wire.lanes[1].to = all[7];
    ends[0].source = true, ends[0].in = all[6], ends[0].out = all[1], ends[0].stream = all[8];
    ends[1].source = false, ends[1].in = all[2], ends[1].out = all[5], ends[1].stream = all[9];
    for (int side = 0; side < 2; side++)
        pids[side] = spawn(&ends[side], all, 10);
    while (outcome < 0) {
        struct pollfd fds[2] = { { .fd = all[0], .events = POLLIN }, { .fd = all[4], .events = POLLIN } };

        poll(fds, 2, 10);
        for (int lane = 0; lane < 2; lane++) {
            if ((fds[lane].revents & POLLIN) != 0)
                collect(&wire, lane);
            deliver(&wire, lane);
        }
        for (int side = 0; side < 2; side++) {
            if (waitpid(pids[side], &status, WNOHANG) != pids[side])
                continue;
            if (WIFSIGNALED(status) && !ends[side].again) {
                pids[side] = replace(&ends[side], &wire, all, 10);
            } else {
                CHECK_MSG(side == 0 && WIFEXITED(status), "seed %u: the %s has ended with status %d", seed, side == 0 ? "source" : "destination",
                          status);
                outcome = WEXITSTATUS(status) - 10;
            }
        }
    }
    if (ends[1].dieLast)
        CHECK_INT(kill(pids[1], SIGKILL), 0);
    close(all[3]);                    /* the destination hears that the source has gone */
    all[3] = -1;
    CHECK_INT(waitpid(pids[1], &status, 0), pids[1]);
    /* also by a doubled message that came last of all: the destination had answered everything before it was killed; who follows is asked nothing */
    if (WIFSIGNALED(status) && !ends[1].again) {
        pids[1] = replace(&ends[1], &wire, all, 10);
        CHECK_INT(waitpid(pids[1], &status, 0), pids[1]);
    }
    CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) - 10 == outcome, "seed %u: outcome %d at the source, status %d at the destination", seed,
              outcome, status);
    for (int i = 0; i < 10; i++)
        if (all[i] >= 0)
            close(all[i]);
    for (int lane = 0; lane < 2; lane++)
        while (wire.lanes[lane].n > 0)
            free(wire.lanes[lane].way[--wire.lanes[lane].n].text);
    printf("seed %u: outcome %d; %d messages carried, %d lost, %d doubled, %d delayed\n", seed, outcome, wire.carried, wire.lost, wire.doubled,
           wire.delayed);
    return outcome;
}

static void
prepare(struct end ends[2], int from)
{
    for (int side = 0; side < 2; side++)
        ends[side] = (struct end){ .host = side == 0 ? from : !from, .stream = -1, .abortIn = VIR_MIGRATION_PHASE_LAST,
                                   .dieIn = VIR_MIGRATION_PHASE_LAST };
}

static void
begin(void)
{
    needsQemu();
    signal(SIGPIPE, SIG_IGN);
    snprintf(serial, sizeof(serial), "%s", scratchPath("serial"));
    inProcess(startGuest, 0);
    countingGoesOn(serial);
}

/* ---- the tests ---- */

TEST_LIMIT(two_processes_carry_a_guest_over_a_bad_pipe, 180)
{
    struct end ends[2];
    int at = 0;

    begin();
    for (unsigned int seed = 1; seed <= 6; seed++) {
        harnessContext("seed %u", seed);
        prepare(ends, at);
        CHECK_INT(carry(ends, seed, 6), VIR_MIGRATION_OUTCOME_MIGRATED);
        at = !at;
        inProcess(checkItIsAt, at);
        countingGoesOn(serial);
    }
    inProcess(endGuest, at);
}

TEST_LIMIT(an_abort_over_a_bad_pipe_leaves_it_where_it_was, 180)
{
    static const virMigrationPhase phases[] = { VIR_MIGRATION_PHASE_PREPARE, VIR_MIGRATION_PHASE_PERFORM, VIR_MIGRATION_PHASE_PERFORM };
    struct end ends[2];

    begin();
    for (unsigned int i = 0; i < 3; i++) {
        harnessContext("seed %u, abort in phase %d", 20 + i, phases[i]);
        prepare(ends, 0);
        ends[0].slow = true;
        ends[0].abortIn = phases[i];
        CHECK_INT(carry(ends, 20 + i, 6), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        inProcess(checkItIsAt, 0);
        countingGoesOn(serial);
    }
    inProcess(endGuest, 0);
}

TEST_LIMIT(its_memory_goes_over_a_socket_that_both_were_given, 120)
{
    struct end ends[2];
    int at = 0;

    begin();
    for (unsigned int seed = 31; seed <= 33; seed++) {
        harnessContext("seed %u", seed);
        prepare(ends, at);
        ends[0].stream = 0;                      /* anything but -1: one is made */
        CHECK_INT(carry(ends, seed, 6), VIR_MIGRATION_OUTCOME_MIGRATED);
        at = !at;
        inProcess(checkItIsAt, at);
        countingGoesOn(serial);
    }
    inProcess(endGuest, at);
}

TEST_LIMIT(a_killed_source_is_followed_by_another, 180)
{
    static const virMigrationPhase phases[] = { VIR_MIGRATION_PHASE_PREPARE, VIR_MIGRATION_PHASE_PERFORM, VIR_MIGRATION_PHASE_FINISH,
                                                VIR_MIGRATION_PHASE_CONFIRM };
    struct end ends[2];
    int at = 0;

    begin();
    for (unsigned int i = 0; i < 4; i++) {
        harnessContext("seed %u, killed in phase %d", 40 + i, phases[i]);
        prepare(ends, at);
        ends[0].dieIn = phases[i];
        CHECK_INT(carry(ends, 40 + i, 4), VIR_MIGRATION_OUTCOME_MIGRATED);
        CHECK(ends[0].again);
        at = !at;
        inProcess(checkItIsAt, at);
        countingGoesOn(serial);
    }
    inProcess(endGuest, at);
}

TEST_LIMIT(a_killed_destination_is_followed_by_another, 180)
{
    struct end ends[2];
    int at = 0;

    begin();
    for (int i = 1; i <= 4; i++) {
        harnessContext("seed %d, killed after %d messages", 50 + i, i);
        prepare(ends, at);
        ends[1].dieAt = i < 4 ? i : 0;
        ends[1].dieLast = i == 4;
        switch (carry(ends, 50 + (unsigned int)i, 4)) {
        case VIR_MIGRATION_OUTCOME_MIGRATED:
            at = !at;
            break;
        case VIR_MIGRATION_OUTCOME_ROLLED_BACK:  /* its QEMU was being prepared */
            break;
        default:
            FAIL("it is neither here nor there");
        }
        CHECK(ends[1].again || i == 3);          /* of the third kind there need not be one */
        inProcess(checkItIsAt, at);
        countingGoesOn(serial);
    }
    inProcess(endGuest, at);
}
