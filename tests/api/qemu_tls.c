/*
 * Encrypted migrations of a real guest: that nothing of it can be read on the way, each kind of connection, what keeps two hosts from trusting each
 * other, and that QEMU keeps nothing of it afterwards.
 */
#include "../qemu_pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---------- certificates ---------- */

/* A folder with certificates for this name, of this authority. `days` 0: they have expired. */
static const char *
certificates(const char *folder, const char *authority, const char *name, int days)
{
    char command[4096];

    if (runShell("command -v openssl", NULL) != 0)
        SKIP("no openssl to make certificates with");
    snprintf(command, sizeof(command), "tests/certificates %s %s %s %d", scratchPath("ca-%s", authority), scratchPath("%s", folder), name, days);
    CHECK_INT(runShell(command, NULL), 0);
    return scratchPath("%s", folder);
}

static const char *
withCertificates(const char *folder)
{
    static char text[2][1200];
    static int next;
    char *option = text[next++ % 2];

    snprintf(option, sizeof(text[0]), "&tls-certs=%s", scratchPath("%s", folder));
    return option;
}

/* Hosts that trust each other, by this name. */
static void
startTrusting(struct pair *pair, int fill, const char *name)
{
    needsQemu();
    certificates("certs", "one", name, 30);
    pairWrites = 0;
    startPair(pair, fill, withCertificates("certs"));
}

static const char *
ownName(void)
{
    static char name[256];

    CHECK_INT(gethostname(name, sizeof(name)), 0);
    return name;
}

/* The QEMU of this host's guest has no credentials, and is told of none. */
static bool
keepsNothing(virConnectPtr conn)
{
    virDomainPtr guest = guestAt(conn);
    char *objects = NULL, *parameters = ask(conn, "query-migrate-parameters");
    bool nothing;

    CHECK_OK(virDomainQemuMonitorCommand(guest, "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/objects\"}}", &objects, 0));
    nothing = strstr(objects, "tls") == NULL && strstr(parameters, "\"tls-creds\":\"\"") != NULL;
    free(objects);
    free(parameters);
    virDomainFree(guest);
    return nothing;
}

/* ---------- what can be read on the way ---------- */

/* Somebody between the two hosts, who reads along. */
struct wire { int listener, to; char *data; size_t length; pthread_t thread; };

#define WIRE_SIZE ((size_t)64 << 20)

static bool
wirePass(struct wire *wire, int from, int to, bool note)
{
    static char buffer[65536];
    ssize_t n = read(from, buffer, sizeof(buffer));

    if (n > 0 && note && wire->length + (size_t)n <= WIRE_SIZE) {
        memcpy(wire->data + wire->length, buffer, (size_t)n);
        wire->length += (size_t)n;
    }
    for (ssize_t done = 0; done < n;) {
        ssize_t wrote = send(to, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);

        if (wrote < 0)
            return false;
        done += wrote;
    }
    return n > 0;
}

static void *
wireRun(void *opaque)
{
    struct wire *wire = opaque;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)wire->to), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
    bool goes = true;

    fds[0].fd = accept(wire->listener, NULL, NULL);
    fds[1].fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fds[0].fd >= 0 && fds[1].fd >= 0);
    CHECK_INT(connect(fds[1].fd, (struct sockaddr *)&address, sizeof(address)), 0);
    while (goes && poll(fds, 2, -1) >= 0)
        for (int i = 0; i < 2; i++)
            if (fds[i].revents != 0)
                goes = goes && wirePass(wire, fds[i].fd, fds[1 - i].fd, i == 0);
    close(fds[0].fd);
    close(fds[1].fd);
    return NULL;
}

/* The destination says where it listens; the source is told of the wire's port instead. */
static void
wireTap(struct wire *wire, char *message)
{
    char *at = strstr(message, "tcp:127.0.0.1:"), port[8];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);

    if (at == NULL || wire->listener >= 0)
        return;
    wire->to = atoi(at + 14);
    CHECK((wire->listener = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
    CHECK_INT(bind(wire->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_INT(listen(wire->listener, 1), 0);
    CHECK_INT(getsockname(wire->listener, (struct sockaddr *)&address, &length), 0);
    snprintf(port, sizeof(port), "%05d", ntohs(address.sin_port));
    for (; at != NULL; at = strstr(at + 14, "tcp:127.0.0.1:"))
        memcpy(at + 14, port, 5);
    CHECK_INT(pthread_create(&wire->thread, NULL, wireRun, wire), 0);
}

static int
exchange(virMigrationPtr from, virMigrationPtr to, struct wire *wire)
{
    char *text = NULL;
    int rc;

    CHECK_OK(rc = virMigrationStep(from, 20));
    if (virMigrationGetMessage(from, &text) > 0) {
        if (wire != NULL)
            wireTap(wire, text);
        CHECK_OK(virMigrationPutMessage(to, text));
    }
    free(text);
    return rc;
}

static void
migrateOverWire(struct pair *pair, struct wire *wire, unsigned int flags)
{
    virTypedParameterPtr params;
    virMigrationPtr source, destination;
    int n = readParams("migrate_uri=tcp:127.0.0.1", &params);

    *wire = (struct wire){ .listener = -1 };
    CHECK_NOT_NULL(wire->data = malloc(WIRE_SIZE));
    CHECK_PTR(source = virMigrationNewSource(pair->domain, params, (unsigned int)n, VIR_MIGRATE_LIVE | flags));
    CHECK_PTR(destination = virMigrationNewDestination(pair->destination));
    while (exchange(source, destination, NULL) > 0)
        exchange(destination, source, wire);
    CHECK_MSG(virMigrationGetError(source) == NULL, "%s", virMigrationGetError(source)->message);
    CHECK_INT(virMigrationGetOutcome(source), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_INT(pthread_join(wire->thread, NULL), 0);
    close(wire->listener);
    virTypedParamsFree(params, n);
    virMigrationFree(source);
    virMigrationFree(destination);
}

/* How many of so many pages that the guest has filled can be read: see tests/guest/counter.c. The first ones are written again and again. */
static int
readablePages(const struct wire *wire, unsigned int first, unsigned int count)
{
    int found = 0;

    for (unsigned int i = first; i < first + count; i++) {
        unsigned int word = 0x9e3779b1u ^ i;
        unsigned char page[32] = { (unsigned char)word, (unsigned char)(word >> 8), (unsigned char)(word >> 16), (unsigned char)(word >> 24) };

        found += memmem(wire->data, wire->length, page, sizeof(page)) != NULL;
    }
    return found;
}

TEST(nothing_of_the_guest_can_be_read_on_the_wire)
{
    struct pair pair;
    struct wire wire;

    startTrusting(&pair, 8, "127.0.0.1");
    migrateOverWire(&pair, &wire, 0);
    CHECK_INT(readablePages(&wire, 1024, 40), 40);               /* so this would see it */
    CHECK_NOT_NULL(memmem(wire.data, wire.length, "pc.ram", 6));
    free(wire.data);
    endPair(&pair);
    remove(pair.serial);

    startTrusting(&pair, 8, "127.0.0.1");
    migrateOverWire(&pair, &wire, VIR_MIGRATE_TLS);
    CHECK_LESS(8 << 20, wire.length);
    CHECK_INT(readablePages(&wire, 1024, 40), 0);
    CHECK_NULL(memmem(wire.data, wire.length, "pc.ram", 6));
    CHECK_NULL(memmem(wire.data, wire.length, "QEVM", 4));
    CHECK_INT((unsigned char)wire.data[0], 22);                  /* a TLS record, of a handshake */
    waitForMore(&pair, 50);
    WAIT_FOR(keepsNothing(pair.destination), 2000);
    free(wire.data);
    endPair(&pair);
}

/* ---------- kinds of connections ---------- */

static void
migrateEncrypted(const char *name, const char *params, unsigned int flags)
{
    struct pair pair;
    virMigrationPtr m;
    bool asked = false;

    harnessContext("%s, flags 0x%x", params, flags);
    startTrusting(&pair, 4, name);
    m = newMigration(&pair, params, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS | flags);
    while (virMigrationStep(m, 50) > 0)
        if (!asked && virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM && virMigrationGetError(m) == NULL && virMigrationStep(m, 50) > 0
            && virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM) {
            checkAnswer(pair.source, "query-migrate-parameters", "\"tls-creds\":\"virt-migrate-tls\"");
            checkAnswer(pair.destination, "query-migrate-parameters", "\"tls-creds\":\"virt-migrate-tls\"");
            CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 1000, 0));
            asked = true;
        }
    checkMigrated(&pair, m);
    CHECK(asked);
    WAIT_FOR(keepsNothing(pair.destination), 2000);
    virMigrationFree(m);
    endPair(&pair);
}

TEST(encrypted_over_tcp)
{
    migrateEncrypted("127.0.0.1", "bandwidth=1 migrate_uri=tcp:127.0.0.1", 0);
}

TEST(encrypted_under_another_name)
{
    migrateEncrypted("host1.example", "bandwidth=1 migrate_uri=tcp:127.0.0.1 tls.destination=host1.example", 0);
}

TEST(encrypted_on_one_host_by_its_own_name)
{
    migrateEncrypted(ownName(), "bandwidth=1", 0);
}

TEST(encrypted_over_a_socket_that_was_asked_for)
{
    char params[1200];

    snprintf(params, sizeof(params), "bandwidth=1 migrate_uri=unix:%s tls.destination=host1.example", scratchPath("wire"));
    migrateEncrypted("host1.example", params, 0);
}

TEST(encrypted_over_parallel_connections)
{
    migrateEncrypted("127.0.0.1", "bandwidth=1 migrate_uri=tcp:127.0.0.1 parallel.connections=3", VIR_MIGRATE_PARALLEL);
    remove(scratchPath("serial"));
    migrateEncrypted(ownName(), "bandwidth=1 parallel.connections=2 compression=zlib", VIR_MIGRATE_PARALLEL);
}

TEST(encrypted_over_a_stream_of_the_callers)
{
    struct pair pair;
    virTypedParameterPtr params;
    virMigrationPtr source, destination;
    int ends[2], n = readParams("tls.destination=host1.example", &params);

    startTrusting(&pair, 4, "host1.example");
    CHECK_PTR(source = virMigrationNewSource(pair.domain, params, (unsigned int)n, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS));
    CHECK_PTR(destination = virMigrationNewDestination(pair.destination));
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_OK(virMigrationSetStream(source, ends[0]));
    CHECK_OK(virMigrationSetStream(destination, ends[1]));
    while (exchange(source, destination, NULL) > 0)
        exchange(destination, source, NULL);
    CHECK_MSG(virMigrationGetError(source) == NULL, "%s", virMigrationGetError(source)->message);
    CHECK_INT(virMigrationGetOutcome(source), VIR_MIGRATION_OUTCOME_MIGRATED);
    checkMigrated(&pair, destination);
    WAIT_FOR(keepsNothing(pair.destination), 2000);
    virMigrationFree(source);
    virMigrationFree(destination);
    virTypedParamsFree(params, n);
    close(ends[0]);
    close(ends[1]);
    endPair(&pair);
}

TEST(an_interrupted_postcopy_goes_on_encrypted)
{
    const unsigned int resume = VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_POSTCOPY_RESUME;
    const char *uri = "migrate_uri=tcp:127.0.0.1 bandwidth.postcopy=2";
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;

    useLoop();
    startTrusting(&pair, 16, "127.0.0.1");
    watchEvents(pair.source);
    watchEvents(pair.destination);
    m = stepIntoPostcopy(&pair, "bandwidth=1 bandwidth.postcopy=1 migrate_uri=tcp:127.0.0.1", VIR_MIGRATE_TLS);
    guest = guestAt(pair.destination);
    CHECK_INT(virMigrationStep(m, 0), 1);
    CHECK(!keepsNothing(pair.destination));
    CHECK_OK(virDomainAbortJobFlags(pair.domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY));
    LOOP_UNTIL(reasonOf(pair.domain) == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED && reasonOf(guest) == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, 5000);
    while (virMigrationStep(m, 1000) > 0)
        ;
    virMigrationFree(m);
    m = newMigration(&pair, uri, resume);
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_CONTAINS(virMigrationGetError(m)->message, "was begun with VIR_MIGRATE_TLS, and goes on so");
    virMigrationFree(m);
    m = newMigration(&pair, uri, resume | VIR_MIGRATE_TLS);
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_CONFIRM && virMigrationStep(m, 50) > 0)
        ;
    CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    CHECK_OK(virDomainMigrateSetMaxSpeed(pair.domain, 0, VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY));
    while (virMigrationStep(m, 100) > 0)
        ;
    LOOP_UNTIL(reasonOf(guest) == VIR_DOMAIN_RUNNING_MIGRATED, 5000);
    checkMigrated(&pair, m);
    WAIT_FOR(keepsNothing(pair.destination), 2000);
    virMigrationFree(m);
    virDomainFree(guest);
    endPair(&pair);
}

/* ---------- endings ---------- */

TEST(a_guest_that_stays_keeps_nothing_and_can_go_later)
{
    struct pair pair;
    virMigrationPtr m;

    startTrusting(&pair, 8, "127.0.0.1");
    for (int round = 0; round < 2; round++) {
        m = newMigration(&pair, "bandwidth=1 migrate_uri=tcp:127.0.0.1", VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS);
        while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
            CHECK_INT(virMigrationStep(m, 1000), 1);
        CHECK_INT(virMigrationStep(m, 100), 1);
        CHECK(!keepsNothing(pair.source));
        CHECK_OK(virMigrationAbort(m));
        while (virMigrationStep(m, 100) > 0)
            ;
        CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        virMigrationFree(m);
        WAIT_FOR(keepsNothing(pair.source), 2000);
    }
    waitForMore(&pair, 20);
    m = newMigration(&pair, "", VIR_MIGRATE_LIVE);               /* in clear, if that is what is asked for */
    while (virMigrationStep(m, 100) > 0)
        ;
    checkMigrated(&pair, m);
    virMigrationFree(m);
    endPair(&pair);
}

/* Its controller and both hosts' libraries are gone in the middle of it; whoever opens them again ends it, or finds it over. */
TEST(nothing_is_kept_when_another_process_ends_it)
{
    struct pair pair;
    virMigrationPtr m;
    virDomainPtr guest;
    int goes;

    for (int round = 0; round < 2; round++) {
        harnessContext("round %d: %s", round, round == 0 ? "aborted" : "gone on with");
        startTrusting(&pair, 8, "127.0.0.1");
        m = newMigration(&pair, "bandwidth=4 migrate_uri=tcp:127.0.0.1", VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS);
        while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
            CHECK_INT(virMigrationStep(m, 1000), 1);
        CHECK_INT(virMigrationStep(m, 100), 1);
        goes = virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_PERFORM;
        CHECK(goes);
        char *record = virMigrationGetRecord(m);
        CHECK_PTR(record);
        virMigrationFree(m);
        virDomainFree(pair.domain);
        CHECK_INT(virConnectClose(pair.source), 0);
        CHECK_INT(virConnectClose(pair.destination), 0);
        CHECK_PTR(pair.source = openHost("host0", ""));
        CHECK_PTR(pair.destination = openHost("host1", ""));
        CHECK_PTR(pair.domain = virDomainLookupByName(pair.source, "pair"));
        CHECK_PTR(m = virMigrationNewFromRecord(record, pair.source, pair.destination));
        free(record);
        if (round == 0)
            CHECK_OK(virMigrationAbort(m));
        while (virMigrationStep(m, 100) > 0)
            ;
        if (round == 0) {
            CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
            WAIT_FOR(keepsNothing(pair.source), 2000);
        } else {
            checkMigrated(&pair, m);
            WAIT_FOR(keepsNothing(pair.destination), 2000);
        }
        guest = guestAt(round == 0 ? pair.source : pair.destination);
        CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
        virDomainFree(guest);
        waitForMore(&pair, 20);
        virMigrationFree(m);
        endPair(&pair);
        remove(pair.serial);
    }
}

/* ---------- what is refused, and whom one does not trust ---------- */

TEST(a_side_without_certificates_is_named_before_anything_has_happened)
{
    struct pair pair;
    char **problems = NULL, path[1200];

    needsQemu();
    certificates("certs", "one", "127.0.0.1", 30);
    CHECK_INT(mkdir(scratchPath("none"), 0700), 0);
    for (int side = 0; side < 2; side++) {
        harnessContext("side %d", side);
        snprintf(path, sizeof(path), "%s", scratchPath("none/%s", side == 0 ? "client-key.pem" : "server-key.pem"));
        startPairOf(&pair, 0, withCertificates(side == 0 ? "none" : "certs"), withCertificates(side == 0 ? "certs" : "none"));
        checkRefused(&pair, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS, "", VIR_ERR_SYSTEM_ERROR, side == 0 ? "the source" : "the destination");
        checkRefused(&pair, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS, "", VIR_ERR_SYSTEM_ERROR, scratchPath("none/ca-cert.pem"));
        CHECK_INT(virConnectListAllDomains(pair.destination, NULL, 0), 0);
        CHECK(keepsNothing(pair.source));
        CHECK_INT(virMigrationCheck(pair.domain, pair.destination, NULL, 0, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS, &problems), 3);
        CHECK_CONTAINS(problems[0], "ca-cert.pem");
        CHECK_CONTAINS(problems[2], path);
        for (int i = 0; i < 3; i++)
            free(problems[i]);
        free(problems);
        endPair(&pair);
        remove(pair.serial);
    }
}

TEST(arguments_that_do_not_go_with_encryption_are_named)
{
    struct pair pair;
    virMigrationPtr source, destination;
    int ends[2];

    startTrusting(&pair, 0, "127.0.0.1");
    checkRefused(&pair, VIR_MIGRATE_LIVE, "tls.destination=x", VIR_ERR_INVALID_ARG, "has no effect without VIR_MIGRATE_TLS");
    checkRefused(&pair, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS, "tls.destination=", VIR_ERR_INVALID_ARG, "'tls.destination' is empty");
    checkRefused(&pair, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS, "migrate_uri=unix:/nowhere/wire", VIR_ERR_INVALID_ARG, "it needs 'tls.destination'");
    checkRefused(&pair, VIR_MIGRATE_OFFLINE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_TLS, "", VIR_ERR_INVALID_ARG, "nothing that VIR_MIGRATE_TLS");
    checkRefused(&pair, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS | VIR_MIGRATE_PARALLEL | VIR_MIGRATE_ZEROCOPY, "", VIR_ERR_INVALID_ARG, "encrypting copies");
    CHECK_PTR(source = virMigrationNewSource(pair.domain, NULL, 0, VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS));
    CHECK_PTR(destination = virMigrationNewDestination(pair.destination));
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_OK(virMigrationSetStream(source, ends[0]));
    CHECK_OK(virMigrationSetStream(destination, ends[1]));
    while (exchange(source, destination, NULL) > 0)
        exchange(destination, source, NULL);
    CHECK_CONTAINS(virMigrationGetError(source)->message, "over a stream");
    virMigrationFree(source);
    virMigrationFree(destination);
    close(ends[0]);
    close(ends[1]);
    endPair(&pair);
    CHECK_FAILS_NULL(openHost("host0", "&tls-certs=certs"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(openHost("host0", "&tls-verify=perhaps"), VIR_ERR_INVALID_ARG);
}

/* It fails, with these words, and the guest goes on at the source. */
static void
checkDistrusted(const char *source, const char *destination, const char *words)
{
    struct pair pair;
    virMigrationPtr m;

    harnessContext("%s to %s", source, destination);
    startPairOf(&pair, 2, source, destination);
    m = newMigration(&pair, "migrate_uri=tcp:127.0.0.1", VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS);
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(virMigrationGetError(m)->message, words);
    virMigrationFree(m);
    CHECK_INT(stateOf(pair.domain), VIR_DOMAIN_RUNNING);
    CHECK_INT(virConnectListAllDomains(pair.destination, NULL, 0), 0);
    waitForMore(&pair, 20);
    WAIT_FOR(keepsNothing(pair.source), 2000);
    endPair(&pair);
    remove(pair.serial);
}

TEST(hosts_that_do_not_trust_each_other_do_not_migrate)
{
    needsQemu();
    certificates("good", "one", "127.0.0.1", 30);
    certificates("named", "one", "host1.example", 30);
    certificates("foreign", "two", "127.0.0.1", 30);
    certificates("old", "one", "127.0.0.1", 0);
    checkDistrusted(withCertificates("good"), withCertificates("foreign"), "issuer");
    checkDistrusted(withCertificates("good"), withCertificates("named"), "does not match the hostname 127.0.0.1");
    checkDistrusted(withCertificates("good"), withCertificates("old"), "expired");
    checkDistrusted(withCertificates("old"), withCertificates("good"), "expired");
}

/* The source's certificate is of another authority than the destination knows, though the source knows the destination's. */
TEST(a_source_that_the_destination_does_not_know_is_refused_unless_anybody_may_come)
{
    char command[4096], anybody[1400];
    struct pair pair;
    virMigrationPtr m;

    needsQemu();
    certificates("good", "one", "127.0.0.1", 30);
    certificates("foreign", "two", "127.0.0.1", 30);
    snprintf(command, sizeof(command), "cd %s && cp -r foreign mixed && cat good/ca-cert.pem >> mixed/ca-cert.pem", scratchDir());
    CHECK_INT(runShell(command, NULL), 0);
    checkDistrusted(withCertificates("mixed"), withCertificates("good"), "it may not accept this host's client certificate");
    snprintf(anybody, sizeof(anybody), "%s&tls-verify=no", withCertificates("good"));
    startPairOf(&pair, 2, withCertificates("mixed"), anybody);
    m = newMigration(&pair, "migrate_uri=tcp:127.0.0.1", VIR_MIGRATE_LIVE | VIR_MIGRATE_TLS);
    while (virMigrationStep(m, 100) > 0)
        ;
    checkMigrated(&pair, m);
    virMigrationFree(m);
    endPair(&pair);
}
