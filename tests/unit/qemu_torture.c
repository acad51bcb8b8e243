/*
 * The fault matrix on real guests: every step of a migration times every fault, each in a run of its own.
 *
 * A run has four processes: the source's end, the destination's end, this one, which is the wire between them and does the harm, and the
 * guest's QEMU. What ends an end is a count of its durable steps: each record is renamed into place, so that rename() is where "before" and
 * "after" part. An end that dies is started again and goes on from what its host has on record, with nothing else.
 *
 * Which points there are is not written here: a run without a fault counts the messages and the durable steps of each end, and the matrix
 * is made from that. `make check` takes a sample (VIRT_TORTURE_SEED chooses another), `make torture` all of it.
 *
 * All of it is done without leases and with them. With a lease there is one fault more: whoever manages the destination is gone, its QEMU with
 * the copy is not, and nobody comes back before the source has made up its mind by the lease alone.
 */
#define _GNU_SOURCE 1
#include <stdio.h>

static int tortureRename(const char *from, const char *to);
#define rename tortureRename
#include "../../drivers/common/platform.h"
#include "../../drivers/common/file.c"
#include "../../drivers/common/json.h"
#include "../../drivers/lock/lock.h"
#undef rename

#include "../etcd_server.h"
#include "../harness.h"
#include "../qemu_guest.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#define TORTURE_UUID "3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0ff"

/* The lock manager of all hosts; "": none. */
static char leases[1100];

static virConnectPtr
openHost(const char *root)
{
    char uri[2400];

    needsQemu();
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("%s", root));
    if (leases[0] != '\0')
        snprintf(uri + strlen(uri), sizeof(uri) - strlen(uri), "&migration-expiry=2&lock-owner=%s&lock=%s", root, leases);
    return virConnectOpen(uri);
}

/* What is wrong in a run, which is a process of its own. */
static int wrong;
#define WANT(cond, ...) ((cond) ? (void)0 : (printf("    " __VA_ARGS__), putchar('\n'), (void)wrong++))

enum harm {
    HARM_NONE, HARM_CALL_LOST, HARM_REPLY_LOST, HARM_SOURCE_DIES, HARM_DESTINATION_DIES, HARM_CONTROLLER_DIES, HARM_SOURCE_QEMU,
    HARM_DESTINATION_QEMU, HARM_DESTINATION_POWER, HARM_DESTINATION_GONE, HARM_KINDS,
};
static const char *const harmNames[HARM_KINDS] = {
    "none", "call lost", "reply lost", "source process", "destination process", "controller", "source's QEMU", "destination's QEMU",
    "destination's power", "destination for good",
};

/* ---- durable steps ---- */

static struct {
    int steps;                        /* made so far */
    int dieAt;                        /* 2n: before the n-th, 2n + 1: after it; -1 */
    int report;                       /* a descriptor to count on */
} durable = { 0, -1, -1 };

static int
tortureRename(const char *from, const char *to)
{
    int rc;

    if (durable.dieAt == 2 * durable.steps)
        _exit(9);
    rc = renameat(AT_FDCWD, from, AT_FDCWD, to);
    if (durable.report >= 0)
        dprintf(durable.report, "=\n");
    if (durable.dieAt == 2 * durable.steps++ + 1)
        _exit(9);
    return rc;
}

/* ---- an end ---- */

struct end {
    bool source;
    bool aborts;                      /* in Perform */
    const char *root;
    pid_t pid;
    int to, from;                     /* descriptors of this process */
    char buffer[1 << 18];             /* what it has said, up to a whole line */
    size_t length;
    int steps;                        /* durable ones, in all its lives */
    bool over;
    char outcome[32];
};

/* The newest record of this host, or NULL. */
static char *
newestRecord(virConnectPtr conn)
{
    char **records = NULL, *newest = NULL;
    unsigned long long since, latest = 0;

    if (virConnectListMigrations(conn, &records, 0) < 0)
        return NULL;
    for (size_t i = 0; records[i] != NULL; i++) {
        cJSON *json = virJsonParse(records[i], strlen(records[i]), "record");

        if (json != NULL && virJsonULongLong(json, "since", &since) == 0 && since >= latest) {
            free(newest);
            newest = strdup(records[i]);
            latest = since;
        }
        cJSON_Delete(json);
        free(records[i]);
    }
    free(records);
    return newest;
}

static virMigrationPtr
endMigration(bool source, virConnectPtr conn)
{
    char *record = newestRecord(conn);
    virMigrationPtr m = NULL;
    virDomainPtr domain;

    if (record != NULL) {
        m = virMigrationNewFromRecord(record, source ? conn : NULL, source ? NULL : conn);
        free(record);
    } else if (!source) {
        m = virMigrationNewDestination(conn);
    } else if ((domain = virDomainLookupByName(conn, "torture")) != NULL) {
        m = virMigrationNewSource(domain, NULL, 0, VIR_MIGRATE_LIVE);
        virDomainFree(domain);
    }
    return m;
}

static char *
readLine(int fd, char *buffer, size_t size, size_t *length)
{
    char *end, *line;
    ssize_t n;

    while ((n = read(fd, buffer + *length, size - *length - 1)) > 0)
        *length += (size_t)n;
    buffer[*length] = '\0';
    if ((end = strchr(buffer, '\n')) == NULL)
        return NULL;
    line = strndup(buffer, (size_t)(end - buffer));
    *length -= (size_t)(end + 1 - buffer);
    memmove(buffer, end + 1, *length);
    return line;
}

/* What a process that has one end does; never returns. */
static void
runEnd(bool source, const char *root, bool aborts, int in, int out)
{
    static char buffer[1 << 18];
    static const char *const words[] = { "none", "migrated", "rolled back", "undecided", "lost" };
    virConnectPtr conn = openHost(root);
    virMigrationPtr m = conn != NULL ? endMigration(source, conn) : NULL;
    size_t length = 0;
    bool said = false;
    int rc;

    if (m == NULL) {
        dprintf(out, "!%s\n", virGetLastErrorMessage());
        _exit(3);
    }
    for (;;) {
        struct pollfd fd = { .fd = in, .events = POLLIN };
        char *text;

        while ((text = readLine(in, buffer, sizeof(buffer), &length)) != NULL) {
            if (strcmp(text, "quit") == 0) {
                virMigrationFree(m);
                virConnectClose(conn);
                _exit(0);
            }
            virMigrationPutMessage(m, text);
            free(text);
        }
        dprintf(out, "@%s\n", virMigrationPhaseGetName(virMigrationGetPhase(m)));
        if (aborts && virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM)
            virMigrationAbort(m);
        rc = virMigrationStep(m, 5);
        while (virMigrationGetMessage(m, &text) > 0) {
            dprintf(out, "%s\n", text);
            free(text);
        }
        dprintf(out, "@%s\n", virMigrationPhaseGetName(virMigrationGetPhase(m)));
        if (rc == 0 && !said)
            dprintf(out, "#%s\n", words[virMigrationGetOutcome(m)]);
        said = said || rc == 0;
        poll(&fd, 1, rc == 0 ? 20 : 2);
    }
}

static void
startEnd(struct end *end, int dieAt)
{
    int there[2], back[2];

    CHECK_INT(pipe2(there, O_CLOEXEC), 0);
    CHECK_INT(pipe2(back, O_CLOEXEC), 0);
    end->length = 0;
    end->over = false;
    if ((end->pid = fork()) == 0) {
        close(there[1]);
        close(back[0]);
        fcntl(there[0], F_SETFL, O_NONBLOCK);
        durable.dieAt = dieAt;
        durable.report = back[1];
        runEnd(end->source, end->root, end->aborts, there[0], back[1]);
    }
    CHECK(end->pid > 0);
    close(there[0]);
    close(back[1]);
    end->to = there[1];
    end->from = back[0];
    fcntl(end->from, F_SETFL, O_NONBLOCK);
}

static void
stopEnd(struct end *end, bool kindly)
{
    int status;

    if (end->pid <= 0)
        return;
    if (kindly)
        dprintf(end->to, "quit\n");
    else
        kill(end->pid, SIGKILL);
    waitpid(end->pid, &status, 0);
    end->pid = 0;
    close(end->to);
    close(end->from);
}

/* ---- a run ---- */

struct run {
    enum harm harm;
    int at;                           /* the n-th message, half durable step, or phase */
    struct end ends[2];               /* source, destination */
    int messages[2];                  /* from each */
    bool done;                        /* the harm */
    bool guestMayBeLost;
    bool gone;                        /* whoever manages the destination, until the source is over */
    char phase[16];                   /* the source's */
    int phases;                       /* it has been in */
    };

static pid_t
qemuOf(const char *root)
{
    char path[1200];
    FILE *file;
    int pid = 0;

    snprintf(path, sizeof(path), "%s/run/torture.pid", scratchPath("%s", root));
    if ((file = fopen(path, "r")) != NULL) {
        if (fscanf(file, "%d", &pid) != 1)
            pid = 0;
        fclose(file);
    }
    return pid;
}

static void
endQemu(struct run *run, int side)
{
    pid_t pid = qemuOf(run->ends[side].root);

    if (pid > 1)
        kill(pid, SIGKILL);
}

/* The source has come into its n-th phase: the harm that goes by phases. */
static void
atPhase(struct run *run)
{
    bool early = strcmp(run->phase, "begin") == 0 || strcmp(run->phase, "prepare") == 0 || strcmp(run->phase, "perform") == 0;

    if (run->done || run->phases != run->at)
        return;
    switch (run->harm) {
    case HARM_CONTROLLER_DIES:
        stopEnd(&run->ends[0], false);
        break;
    case HARM_SOURCE_QEMU:
        if (!early)
            return;                   /* afterwards the last copy may be at the destination alone: that is no fault to survive twice */
        run->guestMayBeLost = true;
        endQemu(run, 0);
        break;
    case HARM_DESTINATION_QEMU:
    case HARM_DESTINATION_POWER:
        if (strcmp(run->phase, "confirm") == 0 || strcmp(run->phase, "over") == 0)
            return;                   /* it has arrived: who ends it then ends the guest */
        run->guestMayBeLost = strcmp(run->phase, "finish") == 0;  /* it may just have been started */
        endQemu(run, 1);
        if (run->harm == HARM_DESTINATION_POWER)
            stopEnd(&run->ends[1], false);
        break;
    case HARM_DESTINATION_GONE:
        if (strcmp(run->phase, "begin") == 0 || strcmp(run->phase, "prepare") == 0)
            return;                   /* there is nothing to decide yet */
        stopEnd(&run->ends[1], false);
        run->gone = true;
        break;
    default:
        return;
    }
    run->done = true;
}

/* One line of an end: a message for the other, or news for us (=: a durable step, @: its phase, #: its outcome, !: an error). */
static void
takeLine(struct run *run, int side, char *line)
{
    struct end *end = &run->ends[side], *other = &run->ends[1 - side];

    if (line[0] == '=') {
        end->steps++;
    } else if (line[0] == '#') {
        end->over = true;
        snprintf(end->outcome, sizeof(end->outcome), "%s", line + 1);
    } else if (line[0] == '!') {
        FAIL("the %s cannot go on: %s", end->source ? "source" : "destination", line + 1);
    } else if (line[0] == '@' && end->source && strcmp(line + 1, run->phase) != 0) {
        snprintf(run->phase, sizeof(run->phase), "%s", line + 1);
        run->phases++;
        atPhase(run);
    } else if (line[0] == '{') {
        if (run->messages[side]++ == run->at && run->harm == (side == 0 ? HARM_CALL_LOST : HARM_REPLY_LOST))
            run->done = true;
        else if (other->pid > 0)
            dprintf(other->to, "%s\n", line);
    }
}

/* Whoever has died, by our hand or by its own, lives again. */
static void
revive(struct run *run, int side)
{
    struct end *end = &run->ends[side];
    int status;

    if (end->pid > 0 && waitpid(end->pid, &status, WNOHANG) == end->pid) {
        CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 9, "the %s died by itself: status %d", end->source ? "source" : "destination",
                  status);
        run->done = true;
        close(end->to);
        close(end->from);
        end->pid = 0;
    }
    if (end->pid <= 0 && !(run->gone && side == 1))
        startEnd(end, -1);
}

static void
runToEnd(struct run *run)
{
    long long limit = harnessNowMs() + harnessSlow(40000);

    signal(SIGPIPE, SIG_IGN);
    for (int side = 0; side < 2; side++) {
        enum harm mine = side == 0 ? HARM_SOURCE_DIES : HARM_DESTINATION_DIES;

        startEnd(&run->ends[side], run->harm == mine ? run->at : -1);
    }
    while (!run->ends[0].over) {
        struct pollfd fds[2] = { { .fd = run->ends[0].from, .events = POLLIN },
                                 { .fd = run->gone ? -1 : run->ends[1].from, .events = POLLIN } };

        CHECK_MSG(harnessNowMs() < limit, "not over: the source is in phase %s", run->phase);
        poll(fds, 2, 20);
        for (int side = 0; side < 2; side++) {
            char *line;

            while (run->ends[side].pid > 0
                   && (line = readLine(run->ends[side].from, run->ends[side].buffer, sizeof(run->ends[side].buffer),
                                       &run->ends[side].length)) != NULL) {
                takeLine(run, side, line);
                free(line);
            }
            revive(run, side);
        }
    }
    stopEnd(&run->ends[0], true);
    stopEnd(&run->ends[1], true);
}

/* ---- what must be true afterwards ---- */

static bool
runsAt(const char *root)
{
    virConnectPtr conn = openHost(root);
    virDomainPtr domain;
    char **records = NULL;
    bool runs = false;
    int n;

    CHECK_PTR(conn);
    /* a copy that nobody has asked for goes by itself, once the lease says that nobody can */
    for (int i = 0; i < 500 && leases[0] != '\0' && virConnectListMigrations(conn, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE) > 0; i++)
        usleep(20000);
    if ((domain = virDomainLookupByName(conn, "torture")) != NULL) {
        WANT(stateOf(domain) == VIR_DOMAIN_RUNNING, "at %s it is in state %d, reason %d", root, stateOf(domain), reasonOf(domain));
        runs = stateOf(domain) == VIR_DOMAIN_RUNNING;
        virDomainFree(domain);
    }
    n = virConnectListMigrations(conn, &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE);
    WANT(n == 0, "at %s %d migrations are not over: %s", root, n, n > 0 ? records[0] : "");
    for (int i = 0; i < n; i++)
        free(records[i]);
    free(records);
    virConnectClose(conn);
    return runs;
}

static void
endGuest(const char *root)
{
    virConnectPtr conn = openHost(root);
    virDomainPtr domain = conn != NULL ? virDomainLookupByName(conn, "torture") : NULL;

    if (domain != NULL) {
        virDomainDestroy(domain);
        virDomainFree(domain);
    }
    virConnectClose(conn);
}

/*
 * The guest's document. Every QEMU appends to the same file: one that made it empty would leave the numbers of the source at its end, until it
 * has written as many itself.
 */
static const char *
tortureXml(void)
{
    static char xml[4400];
    const char *plain = countingXml("torture", "", "<uuid>" TORTURE_UUID "</uuid>", ""), *end = strstr(plain, ".out'/>");

    CHECK_NOT_NULL(end);
    end += strlen(".out'");
    snprintf(xml, sizeof(xml), "%.*s append='on'%s", (int)(end - plain), plain, end);
    unlink(scratchPath("torture.out"));
    return xml;
}

/* The guest's newest number. */
static long
lastCount(void)
{
    char end[128] = "", *line;
    int fd = open(scratchPath("torture.out"), O_RDONLY | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t n = pread(fd, end, sizeof(end) - 1, size > 127 ? size - 127 : 0);

    close(fd);
    if (n <= 0)
        return 0;
    end[n] = '\0';
    if ((line = memrchr(end, '\n', (size_t)n)) == NULL)
        return 0;
    while (line > end && line[-1] != '\n')
        line--;
    return strtol(line, NULL, 10);
}

/* Who the lock manager says may run it. */
static void
judgeLease(const char *expected)
{
    struct virLock *lock = virLockOpen(leases, "judge", "/", true);
    struct virLockState state = { .holder = "?" };

    CHECK_PTR(lock);
    CHECK_OK(virLockInquire(lock, TORTURE_UUID, &state));
    WANT(strcmp(state.holder, expected) == 0, "its lease is held by '%s', not by '%s'", state.holder, expected);
    virLockClose(lock);
}

static void
judge(struct run *run)
{
    bool here = runsAt(run->ends[0].root), there = runsAt(run->ends[1].root);
    const char *outcome = run->ends[0].outcome;
    long before;

    if (leases[0] != '\0' && (here || there))
        judgeLease(run->ends[there].root);
    WANT(!(here && there), "it runs twice");
    WANT(here || there || run->guestMayBeLost, "it runs nowhere");
    WANT(strcmp(outcome, "migrated") != 0 || !here, "migrated, but it runs at the source");
    WANT(strcmp(outcome, "rolled back") != 0 || !there, "rolled back, but it runs at the destination");
    if (here || there) {
        before = lastCount();
        for (long long limit = harnessNowMs() + harnessSlow(10000); lastCount() <= before && harnessNowMs() < limit;)
            usleep(20000);
        WANT(lastCount() > before, "it does not count on");
    }
    CHECK_INT(runShell("test -z \"$(ls */run/*.migrate 2>/dev/null)\"", NULL), 0);
}

/* One run, in folders of its own. */
static void
torture(struct run *run, enum harm harm, int at, bool aborts, int number)
{
    static char roots[2][32];
    virConnectPtr conn;
    virDomainPtr domain;

    memset(run, 0, sizeof(*run));
    snprintf(roots[0], sizeof(roots[0]), "%d/a", number);
    snprintf(roots[1], sizeof(roots[1]), "%d/b", number);
    CHECK_INT(mkdir(scratchPath("%d", number), 0700), 0);
    *run = (struct run){ .harm = harm, .at = at, .ends = { { .source = true, .aborts = aborts, .root = roots[0] }, { .root = roots[1] } } };
    CHECK_PTR(conn = openHost(roots[0]));
    CHECK_PTR(domain = virDomainCreateXML(conn, tortureXml(), 0));
    WAIT_FOR(hasCounted("torture", 3), 20000);
    virDomainFree(domain);
    virConnectClose(conn);
    runToEnd(run);
    judge(run);
    endGuest(roots[0]);
    endGuest(roots[1]);
    if (leases[0] != '\0' && !run->guestMayBeLost)
        judgeLease("");
}

/* ---- the matrix ---- */

struct counts { int messages[2], steps[2], phases; };

/* A run in a process of its own, so that one that fails does not end the others. Without harm it counts. */
static bool
tortureApart(enum harm harm, int at, bool aborts, struct counts *counts)
{
    static int number;
    int pipes[2], status = -1;
    pid_t pid;

    CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
    fflush(stdout);
    number++;
    if ((pid = fork()) == 0) {
        static struct run run;
        struct counts mine;

        torture(&run, harm, at, aborts, number);
        mine = (struct counts){ { run.messages[0], run.messages[1] }, { run.ends[0].steps, run.ends[1].steps }, run.phases };
        if (write(pipes[1], &mine, sizeof(mine)) != sizeof(mine))
            wrong++;
        fflush(stdout);
        _exit(wrong != 0);
    }
    close(pipes[1]);
    if (counts != NULL)
        CHECK_INT(read(pipes[0], counts, sizeof(*counts)), sizeof(*counts));
    close(pipes[0]);
    waitpid(pid, &status, 0);
    if (status != 0)
        printf("    in: %s at %d\n", harmNames[harm], at);
    return status == 0;
}

static int
pointsOf(const struct counts *counts, enum harm harm)
{
    switch (harm) {
    case HARM_CALL_LOST:        return counts->messages[0];
    case HARM_REPLY_LOST:       return counts->messages[1];
    case HARM_SOURCE_DIES:      return 2 * counts->steps[0];
    case HARM_DESTINATION_DIES: return 2 * counts->steps[1];
    case HARM_NONE:             return 1;
    default:                    return counts->phases;
    }
}

/* Every n-th point, or all with every == 1; on the way there, or on the way back after an abort. */
static void
runMatrix(bool aborts, unsigned int every, unsigned int seed)
{
    int runs = 0, bad = 0, all = 0;
    struct counts counts;

    CHECK(tortureApart(HARM_NONE, -1, aborts, &counts));
    for (enum harm harm = HARM_CALL_LOST; harm < HARM_KINDS - (leases[0] == '\0'); harm++) {
        int points = pointsOf(&counts, harm), ran = 0, failed = 0;

        for (int at = harm >= HARM_CONTROLLER_DIES; at < points + (harm >= HARM_CONTROLLER_DIES); at++) {
            all++;
            if (((unsigned int)all + seed) % every != 0)
                continue;
            ran++;
            failed += !tortureApart(harm, at, aborts, NULL);
        }
        printf("%-22s %3d points, %3d runs, %3d failed\n", harmNames[harm], points, ran, failed);
        runs += ran;
        bad += failed;
    }
    harnessTell("%-12s %-8s %3d of %3d runs (each %uth, seed %u), %d failed",
                leases[0] == '\0' ? "no leases" : strncmp(leases, "etcd:", 5) == 0 ? "etcd leases" : "file leases", aborts ? "aborted" : "there",
                runs, all, every, seed, bad);
    CHECK_INT(bad, 0);
}

static void
runChosen(bool aborts, unsigned int every)
{
    const char *all = getenv("VIRT_TORTURE"), *seed = getenv("VIRT_TORTURE_SEED");

    needsQemu();
    runMatrix(aborts, all != NULL ? 1 : every, seed != NULL ? (unsigned int)atoi(seed) : 1);
}

static void
withFileLeases(void)
{
    CHECK_INT(mkdir(scratchPath("leases"), 0700), 0);
    snprintf(leases, sizeof(leases), "file:%s", scratchPath("leases"));
}

static void
withEtcdLeases(void)
{
    static struct etcdServer server;

    needsEtcd();
    etcdStart(&server);
    snprintf(leases, sizeof(leases), "etcd:http://127.0.0.1:%d/torture", server.port);
}

TEST_LIMIT(no_fault_loses_or_doubles_the_guest, 1800)
{
    runChosen(false, 6);
}

TEST_LIMIT(no_fault_on_the_way_back_loses_or_doubles_it, 1800)
{
    runChosen(true, 6);
}

TEST_LIMIT(with_leases_no_fault_loses_or_doubles_the_guest_or_leaves_a_doubt, 1800)
{
    withFileLeases();
    runChosen(false, 9);
}

TEST_LIMIT(with_leases_no_fault_on_the_way_back_does, 1800)
{
    withFileLeases();
    runChosen(true, 9);
}

TEST_LIMIT(with_leases_in_etcd_no_fault_loses_or_doubles_the_guest_or_leaves_a_doubt, 1800)
{
    withEtcdLeases();
    runChosen(false, 18);
}

TEST_LIMIT(with_leases_in_etcd_no_fault_on_the_way_back_does, 1800)
{
    withEtcdLeases();
    runChosen(true, 18);
}

/* ---- one process that has both ends, killed at any moment ---- */

static void
runBoth(const char *a, const char *b)
{
    virConnectPtr source = openHost(a), destination = openHost(b);
    char *record = source != NULL ? newestRecord(source) : NULL;
    virMigrationPtr m = NULL;
    virDomainPtr domain;

    if (source == NULL || destination == NULL)
        _exit(3);
    if (record != NULL) {
        m = virMigrationNewFromRecord(record, source, destination);
    } else if ((domain = virDomainLookupByName(source, "torture")) != NULL) {
        m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE);
        virDomainFree(domain);
    }
    if (m == NULL)
        _exit(4);
    while (virMigrationStep(m, 5) > 0)
        ;
    _exit(virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED ? 0 : 5);
}

TEST_LIMIT(a_controller_killed_at_any_moment_is_followed_by_another, 600)
{
    const char *seed = getenv("VIRT_TORTURE_SEED");
    int times = getenv("VIRT_TORTURE") != NULL ? 20 : 5;
    unsigned int state = seed != NULL ? (unsigned int)atoi(seed) : 1;

    needsQemu();
    for (int i = 0; i < times; i++) {
        char a[32], b[32];
        virConnectPtr conn;
        virDomainPtr domain;
        int status, ms;
        pid_t pid;

        snprintf(a, sizeof(a), "%d/a", i);
        snprintf(b, sizeof(b), "%d/b", i);
        CHECK_INT(mkdir(scratchPath("%d", i), 0700), 0);
        CHECK_PTR(conn = openHost(a));
        CHECK_PTR(domain = virDomainCreateXML(conn, tortureXml(), 0));
        WAIT_FOR(hasCounted("torture", 3), 20000);
        virDomainFree(domain);
        virConnectClose(conn);
        state = state * 1103515245u + 12345u;
        ms = (int)(state >> 16) % 400;
        harnessContext("killed after %d ms (run %d)", ms, i);
        for (int life = 0; life < 2; life++) {
            if ((pid = fork()) == 0)
                runBoth(a, b);
            if (life == 0) {
                usleep((useconds_t)ms * 1000);
                kill(pid, SIGKILL);
            }
            CHECK_INT(waitpid(pid, &status, 0), pid);
            if (life == 1)
                CHECK_MSG(status == 0, "the next one ends with status 0x%x", status);
        }
        WANT(!runsAt(a), "it runs at the source");
        WANT(runsAt(b), "it does not run at the destination");
        long before = lastCount();
        WAIT_FOR(lastCount() > before, 5000);
        CHECK_INT(wrong, 0);
        endGuest(b);
    }
}
