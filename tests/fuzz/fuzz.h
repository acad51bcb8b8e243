/*
 * What a migration, a server and encrypted connections take in from outside, as functions of any bytes: included behind virt.c by libfuzzer.c
 * (make fuzz), and behind the files whose insides it asks by tests/unit/fuzz.c, which runs the corpus.
 *
 * Each function ends by itself, whatever it is given, and leaves nothing behind. Beside what the sanitizers see it looks for texts that are
 * taken, but not given back as they were taken. Nothing here starts a process or removes a file: what a document or a record names is only
 * looked at.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifndef _WIN32
# include <sys/socket.h>
#endif

/* Every migration of a corpus has this uuid. */
#define FUZZ_UUID "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

struct fuzzTarget {
    const char *name;                 /* its corpus is tests/fuzz/corpus/NAME */
    void (*run)(const char *text);
};

#define FUZZ_MUST(cond)                                                                     \
    do {                                                                                    \
        if (!(cond)) {                                                                      \
            fprintf(stderr, "%s:%d: not so: %s: %s\n", __FILE__, __LINE__, #cond,           \
                    virGetLastErrorMessage());                                              \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

/* ---- two simulated hosts, the guest at the first ---- */

struct fuzzHosts {
    virConnectPtr a, b;
    virDomainPtr domain;
};

static void
fuzzHostsOpen(struct fuzzHosts *hosts)
{
    virDomainPtr there;

    FUZZ_MUST((hosts->a = virConnectOpen("test:///default?host=fuzz-a&memory-mib=1")) != NULL);
    FUZZ_MUST((hosts->b = virConnectOpen("test:///default?host=fuzz-b")) != NULL);
    FUZZ_MUST((there = virDomainLookupByName(hosts->b, "test")) != NULL);
    FUZZ_MUST(virDomainDestroy(there) == 0 && virDomainUndefine(there) == 0);
    virDomainFree(there);
    FUZZ_MUST((hosts->domain = virDomainLookupByName(hosts->a, "test")) != NULL);
}

static void
fuzzHostsClose(struct fuzzHosts *hosts)
{
    virDomainFree(hosts->domain);
    FUZZ_MUST(virConnectClose(hosts->a) == 0);
    FUZZ_MUST(virConnectClose(hosts->b) == 0);
}

/* ---- messages ---- */

/* What is taken says the same when it is written and taken again. */
static void
fuzzMessageAgain(const char *text)
{
    struct virMigrationMessage *once = virMigrationParseMessage(text), *twice;
    char *first, *second;

    if (once == NULL)
        return;
    FUZZ_MUST((first = virMigrationFormatMessage(once)) != NULL);
    FUZZ_MUST((twice = virMigrationParseMessage(first)) != NULL);
    FUZZ_MUST((second = virMigrationFormatMessage(twice)) != NULL);
    FUZZ_MUST(strcmp(first, second) == 0);
    free(first);
    free(second);
    virMigrationMessageFree(once);
    virMigrationMessageFree(twice);
}

static void
fuzzStep(virMigrationPtr m, int times)
{
    char *text;

    while (times-- > 0) {
        FUZZ_MUST(virMigrationStep(m, 0) >= 0);
        if (m->ends != VIR_MIGRATION_ENDS_BOTH && virMigrationGetMessage(m, &text) > 0) {
            fuzzMessageAgain(text);
            free(text);
        }
    }
}

/* Lines, each of which both ends are given. */
static void
fuzzMessages(const char *text)
{
    virMigrationPtr source, destination;
    struct fuzzHosts hosts;
    int lines = 0;

    fuzzHostsOpen(&hosts);
    FUZZ_MUST((source = virMigrationNewSource(hosts.domain, NULL, 0, VIR_MIGRATE_LIVE)) != NULL);
    snprintf(source->uuid, sizeof(source->uuid), "%s", FUZZ_UUID);
    FUZZ_MUST((destination = virMigrationNewDestination(hosts.b)) != NULL);
    fuzzStep(source, 2);
    while (*text != '\0' && lines++ < 16) {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);

        FUZZ_MUST(line != NULL);
        fuzzMessageAgain(line);
        if (virMigrationPutMessage(source, line) == 0)
            fuzzStep(source, 3);
        if (virMigrationPutMessage(destination, line) == 0)
            fuzzStep(destination, 2);
        free(line);
        text += length + (text[length] == '\n');
    }
    FUZZ_MUST(virMigrationAbort(source) == 0);
    fuzzStep(source, 3);
    virMigrationFree(source);
    virMigrationFree(destination);
    fuzzHostsClose(&hosts);
}

/* ---- records of an object ---- */

/* The object that is made of an object's record. */
static virMigrationPtr
fuzzRecordAgain(virMigrationPtr m, virConnectPtr a, virConnectPtr b, char **record)
{
    virMigrationPtr again;

    FUZZ_MUST((*record = virMigrationGetRecord(m)) != NULL);
    FUZZ_MUST((again = virMigrationNewFromRecord(*record, a, b)) != NULL);
    return again;
}

static void
fuzzRecordFor(const char *text, virConnectPtr a, virConnectPtr b)
{
    virMigrationPtr m = virMigrationNewFromRecord(text, a, b), again, more;
    char *first, *second, *third;

    if (m == NULL)
        return;
    again = fuzzRecordAgain(m, a, b, &first);
    more = fuzzRecordAgain(again, a, b, &second);
    FUZZ_MUST((third = virMigrationGetRecord(more)) != NULL);
    FUZZ_MUST(strcmp(second, third) == 0);       /* the first may be a host's, which says less of where an object stands */
    free(first);
    free(second);
    free(third);
    virMigrationFree(more);
    fuzzStep(m, 6);
    fuzzStep(again, 3);
    virMigrationAbort(again);
    fuzzStep(again, 6);
    free(virMigrationGetDoubt(m));
    free(virMigrationGetTrace(m, 0));
    free(virMigrationGetTrace(m, VIR_MIGRATION_TRACE_SVG));
    virMigrationFree(m);
    virMigrationFree(again);
}

static void
fuzzRecords(const char *text)
{
    struct fuzzHosts hosts;

    for (int ends = 0; ends < 3; ends++) {
        fuzzHostsOpen(&hosts);
        fuzzRecordFor(text, ends != 1 ? hosts.a : NULL, ends != 2 ? hosts.b : NULL);
        fuzzHostsClose(&hosts);
    }
}

/* ---- the drivers' cookies ---- */

/* The simulated destination takes them in Prepare and in Finish, and looks at them in virMigrationCheck. */
static void
fuzzTestCookie(const char *text)
{
    struct virMigrationCall call = { .uuid = FUZZ_UUID, .flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST, .stream = -1, .name = "guest",
                                     .guest = (const unsigned char[VIR_UUID_BUFLEN]){ 1 } };
    char *cookie = NULL, *uri = NULL, **problems = NULL;
    virDomainPtr guest = NULL;
    struct fuzzHosts hosts;

    fuzzHostsOpen(&hosts);
    if (virTestDriver.migration.checkIncoming(hosts.b, &call, text, &problems) >= 0 && problems != NULL) {
        for (size_t i = 0; problems[i] != NULL; i++)
            free(problems[i]);
        free(problems);
    }
    for (int round = 0; round < 2; round++) {
        if (virTestDriver.migration.prepare(hosts.b, &call, text, &cookie, &uri) == VIR_MIGRATION_DONE)
            FUZZ_MUST(cookie != NULL && uri != NULL);
        free(cookie);
        free(uri);
        cookie = uri = NULL;
    }
    virTestDriver.migration.finish(hosts.b, &call, text, 0, &cookie, &guest);
    free(cookie);
    cookie = NULL;
    if (guest != NULL)
        virDomainFree(guest);
    guest = NULL;
    virTestDriver.migration.finish(hosts.b, &call, text, 1, &cookie, &guest);
    free(cookie);
    if (guest != NULL)
        virDomainFree(guest);
    fuzzHostsClose(&hosts);
}

#if VIRT_WITH_NOISE
/* ---- encrypted connections ---- */

static char fuzzKeys[1024];           /* a path that does not exist yet, set by who includes this */

/* Files of keys. */
static void
fuzzKeyFiles(const char *text)
{
    struct remoteAuthorized list;
    unsigned char key[REMOTE_KEY_SIZE];
    struct remoteKey pair;

    FUZZ_MUST(virFileWriteVolatile(fuzzKeys, text, strlen(text), 0600) == 0);
    if (remoteAuthorizedRead(fuzzKeys, &list) == 0) {
        for (size_t i = 0; i < list.count; i++)
            FUZZ_MUST(remoteAuthorizedFind(&list, list.list[i].key) == &list.list[i] && list.list[i].name[0] != '\0');
        remoteAuthorizedClear(&list);
    }
    remoteKnownHostsFind(fuzzKeys, "a.example", 16510, key);
    remoteKeyRead(fuzzKeys, &pair);
    unlink(fuzzKeys);
}

/*
 * Messages, a line of hex digits each, to a server and to a client of it that have met. The server's key is the one of 32 bytes 7: messages that
 * were recorded from its clients (all with the secret of 32 bytes 5) are taken again, so that the corpus has some that get far.
 */
static void
fuzzNoise(const char *text)
{
    static const char authorized[] = "UKYUCbHd0DJemxa3AOcZ6XcsBwALG9d4bpB8ZT0gSV0= fuzz\n";
    struct remoteNoiseSession *session = NULL;
    struct remoteKey clientKey, serverKey;
    struct remoteNoiseServer *server;
    struct remoteNoiseClient *client;
    unsigned char *message;
    size_t size, length;
    char *data = NULL;
    int lines = 0;

    memset(clientKey.secret, 5, sizeof(clientKey.secret));
    memset(serverKey.secret, 7, sizeof(serverKey.secret));
    FUZZ_MUST(remoteKeyFromSecret(&clientKey) == 0 && remoteKeyFromSecret(&serverKey) == 0);
    FUZZ_MUST(virFileWriteVolatile(fuzzKeys, authorized, strlen(authorized), 0600) == 0);
    FUZZ_MUST((server = remoteNoiseServerNew(&serverKey, fuzzKeys, 4)) != NULL);
    FUZZ_MUST((client = remoteNoiseClientNew(&clientKey, serverKey.open)) != NULL);
    FUZZ_MUST(remoteNoiseClientHello(client, &message, &size) == 0);
    FUZZ_MUST(remoteNoiseServerTake(server, message, size, &data, &length, &session) == REMOTE_NOISE_REPLY);
    FUZZ_MUST(remoteNoiseClientTake(client, data, length, NULL, NULL) == REMOTE_NOISE_READY);
    free(message);
    free(data);
    while (*text != '\0' && lines++ < 32) {
        size_t digits = strcspn(text, "\n");
        int n = 0;

        FUZZ_MUST((message = malloc(digits / 2 + 1)) != NULL);
        for (size = 0; size < digits / 2 && sscanf(text + 2 * size, "%2hhx%n", &message[size], &n) == 1 && n == 2; size++)
            ;
        /* Nobody but the client can have sent a text, and nobody but the server. */
        switch (remoteNoiseServerTake(server, message, size, &data, &length, &session)) {
        case REMOTE_NOISE_REPLY:
            FUZZ_MUST(length <= size);
            free(data);
            break;
        case REMOTE_NOISE_DROPPED:
            break;
        default:
            FUZZ_MUST(false);
        }
        FUZZ_MUST(remoteNoiseClientTake(client, message, size, &data, &length) == REMOTE_NOISE_DROPPED);
        FUZZ_MUST(remoteNoiseServerCount(server) <= 1 + 8);
        free(message);
        text += digits + (text[digits] == '\n');
    }
    FUZZ_MUST(remoteNoiseClientSeal(client, "text", 4, &message, &size) == 1);
    data = NULL;
    if (remoteNoiseServerTake(server, message, size, &data, &length, &session) == REMOTE_NOISE_TEXT)
        remoteNoiseSessionUnref(session);
    free(message);
    free(data);
    remoteNoiseClientFree(client);
    remoteNoiseServerFree(server);
    unlink(fuzzKeys);
}
#endif

#if VIRT_WITH_QEMU
/* What QEMU's destination does before it starts anything; and, in Finish, with the source's statistics. */
static void
fuzzQemuCookie(const char *text)
{
    struct qemuHost host = { .run = (char[]){ "/nowhere" } };
    VIRT_CLEANUP_JSON cJSON *json = virJsonParse(text, strlen(text), "migration cookie");
    struct virProblems found = { 0 };
    struct qemuMigrationCookie cookie;
    virTypedParameterPtr params = NULL;
    cJSON *back;
    int n = 0;

    if (json != NULL && qemuMigrationStatsFromJson(virJsonGet(json, "stats"), &params, &n) == 0) {
        FUZZ_MUST((back = qemuMigrationStatsToJson(params, n)) != NULL);
        cJSON_Delete(back);
        virTypedParamsFree(params, n);
    }
    if (qemuMigrationParseCookie(text, FUZZ_UUID, &cookie) == 0) {
        xmlDocPtr doc = virDocumentParse(cookie.xml, qemuDocumentTypes());

        if (doc != NULL) {
            qemuMigrationStripDocument(&host, doc);
            FUZZ_MUST(qemuMigrationCheckSafe(&cookie, doc, 0, &found) == 0);
            FUZZ_MUST(qemuMigrationCheckMedia(&cookie, doc, 0, &found) == 0);
            xmlFreeDoc(doc);
        }
        virProblemsClear(&found);
        cJSON_Delete(cookie.json);
    }
}

/* ---- the records in a state directory ---- */

static char fuzzFolder[1024];         /* set by who includes this: it exists, and nothing else is in it */

static void
fuzzHostRecord(const char *text)
{
    struct qemuHost host = { .migrations = fuzzFolder };
    const char *file = strstr(text, "\"destination\"") != NULL ? FUZZ_UUID ".destination.json" : FUZZ_UUID ".source.json";
    struct qemuMigration *once, *twice;
    cJSON *head;
    char *path;

    FUZZ_MUST((path = virStringFormat("%s/%s", host.migrations, file)) != NULL);
    FUZZ_MUST(virFileWrite(path, text, strlen(text), 0600) == 0);
    if ((once = qemuMigrationLoad(&host, file)) != NULL) {
        FUZZ_MUST((head = qemuMigrationHead(once)) != NULL);
        cJSON_Delete(head);
        FUZZ_MUST(qemuMigrationSaveRecord(once) == 0);
        FUZZ_MUST((twice = qemuMigrationLoad(&host, file)) != NULL);
        FUZZ_MUST(strcmp(once->uuid, twice->uuid) == 0 && once->stage == twice->stage && once->flags == twice->flags
                  && once->nparams == twice->nparams && once->since == twice->since);
        qemuMigrationFree(once);
        qemuMigrationFree(twice);
    }
    unlink(path);
    free(path);
}
#endif

/* ---- a server ---- */

#if VIRT_WITH_REMOTE && !defined _WIN32
/* Migrations open other hosts and have fuzzers of their own. */
static int
fuzzServerMay(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    (void)who;
    (void)call;
    (void)name;
    (void)uuid;
    (void)opaque;
    return strcmp(permission, "domain.migrate") != 0;
}

/* One message, in which the word SESSION stands for the session's name. Replies go nowhere: there is no socket. */
static void
fuzzServerTake(virServerPtr server, struct remoteFrom *from, const char *line, size_t length, const char *session)
{
    struct virText text = { 0 };
    char *message;

    while (length > 0) {
        size_t n = length >= 7 && memcmp(line, "SESSION", 7) == 0 ? 7 : 1;

        virTextAppend(&text, n == 7 ? session : line, n == 7 ? strlen(session) : 1);
        line += n;
        length -= n;
    }
    if (text.length == 0)
        return;
    FUZZ_MUST((message = virTextTake(&text)) != NULL);
    remoteSessionTake(server, from, message, strlen(message));
    free(message);
}

/* Lines, each a message of a client's to the server. */
static void
fuzzServer(const char *text)
{
    virConnectPtr conn = virConnectOpen("test:///default?host=fuzz-server");
    virServerPtr server = virServerNew(NULL, 0, 0);
    struct remoteListener listener = { .server = server, .transport = "unix", .address = (char *)"unix:/fuzz", .path = (char *)"/fuzz",
                                       .socket = -1, .whoFd = -1, .lockFd = -1, .spareFd = -1 };
    struct remoteFrom from = { .listener = &listener };
    virServerWho who = { .transport = "unix", .address = listener.address };
    struct remoteSession *session;
    int lines = 0;

    FUZZ_MUST(conn != NULL && server != NULL);
    FUZZ_MUST(virServerAddConnect(server, conn) == 0 && virServerSetAccess(server, fuzzServerMay, NULL, NULL) == 0);
    server->limits.memory = 4096;
    server->limits.document = 65536;
    FUZZ_MUST((session = remoteHelloMake(&from, 1, NULL, &who)) != NULL);
    while (*text != '\0' && lines++ < 16) {
        size_t length = strcspn(text, "\n");

        fuzzServerTake(server, &from, text, length, session->id);
        FUZZ_MUST(session->running == 0 && session->waiting == 0);
        FUZZ_MUST(session->arriving <= server->limits.memory && session->nparts <= server->limits.parallel);
        FUZZ_MUST(session->nsubscriptions <= server->limits.subscriptions);
        text += length + (text[length] == '\n');
    }
    remoteEventsDistribute(server);
    remoteSessionUnref(session);
    virServerFree(server);
    FUZZ_MUST(virConnectClose(conn) == 0);
}
/*
 * What strangers send before it is nanomsg's: a line "sp" or "ws", which framing it is, then lines of what comes at a time, either hex digits or, behind
 * a '>', text of which each line ends with a carriage return and a line feed.
 */
static void
fuzzWire(const char *text)
{
    enum remoteWireKind kind = strncmp(text, "ws\n", 3) == 0 ? REMOTE_WIRE_WS : REMOTE_WIRE_SP;
    struct remoteWire wire;
    char bytes[8192], drained[4096];
    size_t length, largest = 1000;
    int pair[2], rc = 0, n = 0;
    void *body;

    FUZZ_MUST(virPlatformSocketPair(pair) == 0);
    FUZZ_MUST(remoteWireOpen(&wire, pair[0], kind, false, NULL, largest) == 0);
    for (text += strcspn(text, "\n"); rc >= 0 && *text == '\n';) {
        size_t digits = strcspn(++text, "\n");

        if (*text == '>') {
            length = digits - 1 < sizeof(bytes) - 2 ? digits - 1 : sizeof(bytes) - 2;
            memcpy(bytes, text + 1, length);
            memcpy(bytes + length, "\r\n", 2);
            length += 2;
        } else {
            for (length = 0; length < digits / 2 && length < sizeof(bytes) && sscanf(text + 2 * length, "%2hhx%n", (unsigned char *)&bytes[length], &n) == 1
                 && n == 2; length++)
                ;
        }
        text += digits;
        FUZZ_MUST(send(pair[1], bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length);
        while (rc >= 0 && (rc = remoteWireRead(&wire, &body, &length)) == 1) {
            FUZZ_MUST(length >= 4 && length <= largest && ((unsigned char *)body)[0] >= 0x80);
            rc = remoteWireSend(&wire, body, length);
        }
        while (recv(pair[1], drained, sizeof(drained), MSG_DONTWAIT) > 0)
            ;
        if (rc >= 0 && wire.first != NULL)
            rc = remoteWireFlush(&wire);
    }
    remoteWireClose(&wire);
    close(pair[1]);
}
#endif

static const struct fuzzTarget fuzzTargets[] = {
    { "message", fuzzMessages },
    { "record", fuzzRecords },
    { "test-cookie", fuzzTestCookie },
#if VIRT_WITH_NOISE
    { "noise", fuzzNoise },
    { "keys", fuzzKeyFiles },
#endif
#if VIRT_WITH_QEMU
    { "qemu-cookie", fuzzQemuCookie },
    { "qemu-record", fuzzHostRecord },
#endif
#if VIRT_WITH_REMOTE && !defined _WIN32
    { "server", fuzzServer },
    { "wire", fuzzWire },
#endif
};

#endif
