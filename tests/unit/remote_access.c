/*
 * Who may do what: a table of attempts and of what came of them. Each call of calls.def, a new one too, is made by clients of several rights for a
 * guest that they may have something to do with ("open"), for one that they may know nothing of ("shut"), and for one that is not there ("gone"):
 * between the last two nothing may differ but the name. With -v the table is printed.
 */
#include "../../drivers/common/file.h"
#include "../../drivers/remote/session.h"
#include "../harness.h"

#if !VIRT_WITH_REMOTE || defined _WIN32
TEST(without_nanomsg_nobody_is_served)
{
    CHECK_FAILS_NULL(virServerNew(NULL, 0, 0), VIR_ERR_NO_SUPPORT);
}
#else

#include <grp.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---------- the calls ---------- */

/* "KIND name, name" of each argument, as they stand there. */
#define ACCESS_ARGUMENT(kind, ...) #kind " " #__VA_ARGS__
static const char *const arguments[REMOTE_METHODS][12] = {
#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, group, slot, access, permission, ...) [REMOTE_METHOD_##function] = { VIRT_LIST(ACCESS_ARGUMENT, __VA_ARGS__) },
#include "../../drivers/calls.def"
};
#undef ACCESS_ARGUMENT

enum { OPEN, SHUT, GONE, GUESTS };
static const struct { const char *name, *uuid; } guests[GUESTS] = {
    { "open", "0a0a0a0a-1111-4111-8111-0a0a0a0a0a0a" },
    { "shut", "0b0b0b0b-2222-4222-8222-0b0b0b0b0b0b" },
    { "gone", "0c0c0c0c-3333-4333-8333-0c0c0c0c0c0c" },
};
#define MIGRATION_OF_SHUT "0d0d0d0d-4444-4444-8444-0d0d0d0d0d0d"
#define MIGRATION_OF_NONE "0e0e0e0e-5555-4555-8555-0e0e0e0e0e0e"

static virConnectPtr host;                /* the server's own */

static const char *
documentOf(int which)
{
    static char text[GUESTS][600];

    snprintf(text[which], sizeof(text[which]), "<domain type='test'><name>%s</name><uuid>%s</uuid><memory>1024</memory><os><type>hvm</type></os>"
             "<metadata/></domain>", guests[which].name, guests[which].uuid);
    return text[which];
}

/* The guests as they are to be at the beginning of an attempt: both run, and are defined. */
static void
setUp(void)
{
    for (int i = OPEN; i <= SHUT; i++) {
        virDomainPtr domain = virDomainLookupByName(host, guests[i].name);

        if (domain == NULL)
            CHECK_PTR(domain = virDomainDefineXML(host, documentOf(i)));
        if (virDomainIsPersistent(domain) == 0) {
            virDomainFree(domain);
            CHECK_PTR(domain = virDomainDefineXML(host, documentOf(i)));
        }
        if (virDomainIsActive(domain) == 0)
            CHECK_OK(virDomainCreate(domain));
        virDomainFree(domain);
    }
    virResetLastError();
}

static int
idOf(int which)
{
    virDomainPtr domain = which == GONE ? NULL : virDomainLookupByName(host, guests[which].name);
    int id = domain != NULL ? (int)virDomainGetID(domain) : 9999;

    if (domain != NULL)
        virDomainFree(domain);
    return id;
}

static void
addArgument(cJSON *params, const struct remoteMethod *method, const char *text, int which)
{
    char kind[64], name[4][64] = { "", "", "", "" }, guest[200];
    cJSON *item = NULL;

    sscanf(text, "%63s %63[^, ], %63[^, ], %63[^, ], %63[^, ]", kind, name[0], name[1], name[2], name[3]);
    snprintf(guest, sizeof(guest), "%s %d %s", guests[which].uuid, idOf(which), guests[which].name);
    if (strcmp(kind, "CONNECT") == 0)
        return;
    if (strcmp(kind, "DOMAIN") == 0)
        item = cJSON_CreateString(guest);
    else if (strcmp(kind, "DOMAINS") == 0)
        cJSON_AddItemToArray(item = cJSON_CreateArray(), cJSON_CreateString(guest));
    else if (strcmp(kind, "UUID") == 0)
        item = cJSON_CreateString(guests[which].uuid);
    else if (strcmp(kind, "XML") == 0)
        item = cJSON_CreateString(documentOf(which));
    else if (strcmp(kind, "URI") == 0)
        item = cJSON_CreateString("nobody:///default");
    else if (strncmp(kind, "STRING", 6) == 0)
        item = cJSON_CreateString(strcmp(method->name, "virDomainLookupByName") == 0 ? guests[which].name : strcmp(name[0], "cookiein") == 0
                                  ? documentOf(which) : "x86_64");
    else if (strcmp(kind, "INT") == 0)
        item = cJSON_CreateNumber(strcmp(method->name, "virDomainLookupByID") == 0 ? idOf(which) : 0);
    else if (strcmp(kind, "KEYCODES") == 0)
        cJSON_AddItemToArray(item = cJSON_CreateArray(), cJSON_CreateNumber(1));
    else if (strcmp(kind, "IN_PARAMS") == 0)
        item = cJSON_CreateArray();
    else if (strcmp(kind, "MIGRATION") == 0)
        item = virJsonObject("s:uuid", MIGRATION_OF_NONE, "s:name", guests[which].name, "s:guest", guests[which].uuid, "a:params", cJSON_CreateArray(),
                             "i:flags", 0, "i:timeout", 0, NULL);
    else if (strcmp(kind, "OUT_CPUMAPS") == 0)
        item = cJSON_CreateNumber(1);
    else if (strncmp(kind, "OUT_", 4) == 0)
        item = cJSON_CreateBool(true);
    else if (strcmp(kind, "STREAM") == 0)
        item = cJSON_CreateNumber(which + 1);
    else
        item = cJSON_CreateNumber(strncmp(kind, "FLAGS", 5) == 0 ? 0 : 1);
    cJSON_AddItemToObject(params, name[0], item);
    for (int i = 1; i < 4 && name[i][0] != '\0' && strncmp(kind, "OUT_", 4) == 0; i++)
        cJSON_AddNumberToObject(params, name[i], strncmp(name[i], "start", 5) == 0 ? 0 : 4);
}

/* ---------- the clients ---------- */

enum rights { NOTHING, READS, STARTS, EVERYTHING };
static atomic_int rights;

static int
may(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    static const char *const words[] = { [NOTHING] = "", [READS] = " domain.getattr domain.read ", [STARTS] = " domain.getattr domain.start domain.stop ",
                                         [EVERYTHING] = "" };
    int mine = atomic_load(&rights);
    char word[80];

    (void)who;
    (void)call;
    (void)opaque;
    (void)uuid;
    snprintf(word, sizeof(word), " %s ", permission);
    if (mine == EVERYTHING)
        return 1;
    if (name == NULL)
        return mine != NOTHING && (strcmp(permission, "connect.getattr") == 0 || strcmp(permission, "connect.read") == 0
                                   || strcmp(permission, "connect.search-domains") == 0 || strcmp(permission, "domain.getattr") == 0);
    return strcmp(name, "open") == 0 && strstr(words[mine], word) != NULL;
}

/* Whether the call's permissions are all this client's, for the guest that it is about. */
static bool
permitted(const struct remoteMethod *method, int which, bool about)
{
    char copy[200], *rest = NULL;
    bool yes = true;

    snprintf(copy, sizeof(copy), "%s", method->permission);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        yes = yes && may(NULL, method->name, word, about ? guests[which].name : NULL, NULL, NULL) == 1;
    return yes;
}

/* Whether a guest is what the call is about, or named in it. */
static bool
isAbout(size_t index)
{
    for (int i = 0; arguments[index][i] != NULL; i++)
        if (strncmp(arguments[index][i], "DOMAIN ", 7) == 0 || strncmp(arguments[index][i], "XML ", 4) == 0 || strncmp(arguments[index][i], "MIGRATION ", 10) == 0)
            return true;
    return false;
}

/* ---------- a server and an attempt ---------- */

static struct {
    virServerPtr server;
    pthread_t threads[2];
} served;

static void *
runs(void *opaque)
{
    virServerRun(opaque);
    return NULL;
}

static void
begin(void)
{
    VIRT_CLEANUP_FREE char *address = virStringFormat("unix:%s", scratchPath("sock")), *ro = virStringFormat("unix:%s", scratchPath("ro"));

    CHECK_PTR(host = virConnectOpen("test:///default"));
    setUp();
    CHECK_PTR(served.server = virServerNew(NULL, 0, 0));
    CHECK_OK(virServerAddConnect(served.server, host));
    CHECK_OK(virServerListen(served.server, address, NULL, 0, 0));
    CHECK_OK(virServerListen(served.server, ro, NULL, 0, VIR_SERVER_LISTEN_READONLY));
    CHECK_OK(virServerSetAccess(served.server, may, NULL, NULL));
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&served.threads[i], NULL, runs, served.server), 0);
}

static void
end(void)
{
    CHECK_OK(virServerStop(served.server));
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(served.threads[i], NULL), 0);
    virServerFree(served.server);
    CHECK_INT(virConnectClose(host), 0);
}

static virConnectPtr
dial(const char *socket)
{
    VIRT_CLEANUP_FREE char *uri = virStringFormat("test+unix:///default?socket=%s", scratchPath("%s", socket));

    return virConnectOpen(uri);
}

/* What came of it as text, malloc'd: "ok {...}" or "CODE message". */
static char *
attempt(virConnectPtr conn, size_t index, int which, int *code)
{
    cJSON *params = cJSON_CreateObject(), *result = NULL;
    char *text, *body;
    int rc;

    setUp();
    for (int i = 0; arguments[index][i] != NULL; i++)
        addArgument(params, &remoteMethods[index], arguments[index][i], which);
    virResetLastError();
    rc = remoteLinkCall(conn, &remoteMethods[index], params, NULL, &result);
    *code = rc > 0 ? 0 : virGetLastErrorCode();
    if (rc > 0) {
        body = virJsonFormat(result);
        text = virStringFormat("ok %s", body);
        free(body);
    } else {
        text = virStringFormat("%d %s", *code, virGetLastErrorMessage());
    }
    cJSON_Delete(result);
    CHECK_NOT_NULL(text);
    return text;
}

/* What was said of "gone" as it would have been said of "shut". */
static void
rename3(char *text)
{
    char *at;

    while ((at = strstr(text, guests[GONE].uuid)) != NULL)
        memcpy(at, guests[SHUT].uuid, strlen(guests[SHUT].uuid));
    while ((at = strstr(text, "gone")) != NULL)
        memcpy(at, "shut", 4);
}

/* Numbers are what they are for: an id that one has and the other has not. */
static void
withoutIds(char *text)
{
    char number[2][16];

    snprintf(number[0], sizeof(number[0]), "%d", idOf(SHUT));
    snprintf(number[1], sizeof(number[1]), "%d", idOf(GONE));
    for (int i = 0; i < 2; i++)
        for (char *at = text; (at = strstr(at, number[i])) != NULL && (at == text || at[-1] == ' ' || at[-1] == '\''); at++)
            memmove(at, at + strlen(number[i]), strlen(at + strlen(number[i])) + 1);
}

static bool
isRefusal(int code)
{
    return code == VIR_ERR_ACCESS_DENIED || code == VIR_ERR_OPERATION_DENIED || code == VIR_ERR_NO_DOMAIN;
}

static void
tryCall(virConnectPtr conn, const char *who, size_t index, bool readonly)
{
    const struct remoteMethod *method = &remoteMethods[index];
    bool about = isAbout(index), allowed = permitted(method, OPEN, about) && !(readonly && method->writes);
    char *text[GUESTS];
    int code[GUESTS];

    harnessContext("%s: %s", who, method->name);
    for (int i = 0; i < GUESTS; i++)
        text[i] = attempt(conn, index, i, &code[i]);
    printf("%-12s %-40s %-9s open %3d  shut %3d  %.60s\n", who, method->name, allowed ? "allowed" : "refused", code[OPEN], code[SHUT], text[OPEN]);
    if (allowed)
        CHECK_MSG(code[OPEN] != VIR_ERR_ACCESS_DENIED && code[OPEN] != VIR_ERR_OPERATION_DENIED, "%s", text[OPEN]);
    else
        CHECK_MSG(isRefusal(code[OPEN]), "%s", text[OPEN]);
    if (atomic_load(&rights) != EVERYTHING) {
        CHECK_MSG(strstr(text[OPEN], "shut") == NULL && strstr(text[OPEN], guests[SHUT].uuid) == NULL, "%s", text[OPEN]);
        rename3(text[GONE]);
        withoutIds(text[GONE]);
        withoutIds(text[SHUT]);
        CHECK_STR(text[SHUT], text[GONE]);
        CHECK_MSG(!about || isRefusal(code[SHUT]), "%s", text[SHUT]);
    }
    for (int i = 0; i < GUESTS; i++)
        free(text[i]);
}

static void
tryAll(const char *who, int what, const char *socket)
{
    virConnectPtr conn;
    virDomainPtr shut;
    char *before, *after;

    begin();
    atomic_store(&rights, what);
    CHECK_PTR(shut = virDomainLookupByName(host, "shut"));
    CHECK_PTR(before = virDomainGetXMLDesc(shut, 0));
    if ((conn = dial(socket)) == NULL) {
        printf("%-12s cannot connect: %s\n", who, virGetLastErrorMessage());
        CHECK(what == NOTHING);
        CHECK_ERROR(VIR_ERR_ACCESS_DENIED);
    }
    for (size_t i = 0; conn != NULL && i < REMOTE_METHODS; i++)
        if (remoteMethodIsIn(&remoteMethods[i], host->driver))
            tryCall(conn, who, i, strcmp(socket, "ro") == 0);
    if (conn != NULL)
        CHECK_INT(virConnectClose(conn), 0);
    if (what != EVERYTHING) {
        CHECK_PTR(after = virDomainGetXMLDesc(shut, 0));
        CHECK_STR(after, before);
        CHECK_INT(virDomainIsActive(shut), 1);
        free(after);
    }
    free(before);
    virDomainFree(shut);
    end();
}

TEST_LIMIT(who_may_nothing_can_nothing, 120)
{
    tryAll("nothing", NOTHING, "sock");
}

TEST_LIMIT(who_may_read_one_guest_reads_that_one, 120)
{
    tryAll("reads", READS, "sock");
}

TEST_LIMIT(who_may_start_and_stop_one_guest_does_nothing_else, 120)
{
    tryAll("starts", STARTS, "sock");
}

TEST_LIMIT(on_the_readonly_socket_nothing_changes, 120)
{
    tryAll("read-only", EVERYTHING, "ro");
}

/* ---------- migrations ---------- */

static int
phaseOn(virConnectPtr conn, int index, const char *migration, const char *name, const char *uuid, const char *domain)
{
    cJSON *params = virJsonObject("a:call", virJsonObject("s:uuid", migration, "S:name", name, "S:guest", uuid, "a:params", cJSON_CreateArray(),
                                                          "i:flags", 0, "i:timeout", 0, NULL), "S:domain", domain, "i:cancelled", 1, NULL), *result = NULL;
    int rc;

    virResetLastError();
    rc = remoteLinkCall(conn, &remoteMethods[index], params, NULL, &result);
    cJSON_Delete(result);
    return rc > 0 ? 0 : virGetLastErrorCode();
}

static int
mayMigrateOpen(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    (void)who;
    (void)call;
    (void)opaque;
    (void)uuid;
    return strncmp(permission, "connect.", 8) == 0 || (name != NULL && strcmp(name, "open") == 0) || (name == NULL && strcmp(permission, "domain.getattr") == 0);
}

/* Who may migrate one guest may not settle, stop or look at another's migration, by whatever names he gives. */
TEST(a_migration_is_settled_by_those_who_may_migrate_its_guest)
{
    static const int phases[] = { REMOTE_METHOD_virDomainMigrateFinish3Params, REMOTE_METHOD_virDomainMigrateDrop3Params };
    static const int onGuest[] = { REMOTE_METHOD_virDomainMigrateHalt3Params, REMOTE_METHOD_virDomainMigrateConfirm3Params,
                                   REMOTE_METHOD_virDomainMigrateDecide3Params };
    VIRT_CLEANUP_FREE char *open = virStringFormat("%s 1 open", guests[OPEN].uuid), *shut = virStringFormat("%s 1 shut", guests[SHUT].uuid);
    VIRT_CLEANUP_FREE char *renamed = virStringFormat("%s 1 open", guests[SHUT].uuid);
    unsigned char raw[VIR_UUID_BUFLEN];
    struct virMigrationCall call = { .uuid = MIGRATION_OF_SHUT, .stream = -1, .name = "shut", .guest = raw, .flags = VIR_MIGRATE_LIVE };
    char *cookie = NULL, **records = NULL;
    virConnectPtr conn;
    virDomainPtr guest;

    begin();
    served.server->access = mayMigrateOpen;
    CHECK_OK(virUuidParse(guests[SHUT].uuid, raw));
    CHECK_PTR(guest = virDomainLookupByName(host, "shut"));
    CHECK_INT(virDomainMigrateBegin3Params(guest, &call, &cookie), 1);
    CHECK_PTR(conn = dial("sock"));
    CHECK_INT(virConnectListMigrations(conn, &records, 0), 0);
    free(records);
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(phaseOn(conn, phases[i], MIGRATION_OF_SHUT, "shut", guests[SHUT].uuid, NULL), VIR_ERR_ACCESS_DENIED);
        CHECK_INT(phaseOn(conn, phases[i], MIGRATION_OF_SHUT, "open", guests[SHUT].uuid, NULL), VIR_ERR_ACCESS_DENIED);
        CHECK_INT(phaseOn(conn, phases[i], MIGRATION_OF_SHUT, "open", guests[OPEN].uuid, NULL), VIR_ERR_INVALID_ARG);
        CHECK_INT(phaseOn(conn, phases[i], MIGRATION_OF_SHUT, NULL, NULL, NULL), VIR_ERR_INVALID_ARG);
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(phaseOn(conn, onGuest[i], MIGRATION_OF_SHUT, "shut", guests[SHUT].uuid, shut), VIR_ERR_NO_DOMAIN);
        CHECK_INT(phaseOn(conn, onGuest[i], MIGRATION_OF_SHUT, "open", guests[SHUT].uuid, renamed), VIR_ERR_NO_DOMAIN);
        CHECK_INT(phaseOn(conn, onGuest[i], MIGRATION_OF_SHUT, "open", guests[OPEN].uuid, open), VIR_ERR_INVALID_ARG);
        CHECK_INT(phaseOn(conn, onGuest[i], MIGRATION_OF_SHUT, "shut", guests[SHUT].uuid, open), VIR_ERR_INVALID_ARG);
        CHECK_INT(phaseOn(conn, onGuest[i], MIGRATION_OF_SHUT, NULL, NULL, open), VIR_ERR_INVALID_ARG);
    }
    CHECK_INT(virConnectListMigrations(host, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 1);
    CHECK_INT(virDomainMigrateConfirm3Params(guest, &call, NULL, 1), 1);
    CHECK_INT(virDomainIsActive(guest), 1);
    free(cookie);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(conn), 0);
    end();
}

/* ---------- who does not come in ---------- */

/* A message by hand; what is answered: its code, 0 for a result, 1 for silence. */
static int
say(int socket, unsigned int id, const char *session, const char *method, const char *params)
{
    struct { struct nn_cmsghdr header; size_t size; unsigned char bytes[8]; } control = { .size = 4 };
    VIRT_CLEANUP_FREE char *text = virStringFormat("{\"jsonrpc\":\"2.0\",\"id\":%u,\"session\":\"%s\",\"method\":\"%s\",\"params\":%s}", id, session, method, params);
    struct nn_iovec iov = { .iov_base = text, .iov_len = strlen(text) };
    struct nn_msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = NN_CMSG_SPACE(4 + sizeof(size_t)) };
    struct nn_pollfd ready = { .fd = socket, .events = NN_POLLIN };
    int length, code = 0, of = -1;
    char *reply;

    control.header.cmsg_len = NN_CMSG_SPACE(4 + sizeof(size_t));
    control.header.cmsg_level = PROTO_SP;
    control.header.cmsg_type = SP_HDR;
    control.bytes[0] = 0x80;
    control.bytes[2] = (unsigned char)(id >> 8);
    control.bytes[3] = (unsigned char)id;
    CHECK_INT(nn_sendmsg(socket, &message, 0), strlen(text));
    while (of != (int)id) {
        cJSON *json;

        if (nn_poll(&ready, 1, (int)harnessSlow(10000)) != 1)
            return 1;
        CHECK((length = nn_recv(socket, &reply, NN_MSG, 0)) >= 0);
        CHECK_PTR(json = virJsonParse(reply, (size_t)length, "reply"));
        nn_freemsg(reply);
        code = 0;
        virJsonInt(json, "id", &of);
        virJsonInt(virJsonGet(json, "error"), "code", &code);
        if (code != 0 && code != -32001)
            printf("%s: %s\n", method, virJsonString(virJsonGet(json, "error"), "message"));
        cJSON_Delete(json);
    }
    return code;
}

static int
ticketOf(const char *path, char *line, size_t size)
{
    VIRT_CLEANUP_FREE char *who = virStringFormat("%s.who", path);
    int fd = virFileConnect(who);
    size_t length = 0;
    struct pollfd ready = { .fd = fd, .events = POLLIN };

    while (fd >= 0 && length < size - 1 && poll(&ready, 1, 10000) == 1 && read(fd, line + length, 1) == 1 && line[length] != '\n')
        length++;
    line[length] = '\0';
    return fd;
}

/* Without a ticket, with one that is another's or of another socket, and with a session that is none: no call gets through. */
TEST(without_a_session_no_call_is_carried_out)
{
    char ticket[64], other[64], params[200];
    VIRT_CLEANUP_FREE char *url = virStringFormat("ipc://%s", scratchPath("sock"));
    int socket, who, ro;

    begin();
    atomic_store(&rights, EVERYTHING);
    CHECK((socket = nn_socket(AF_SP_RAW, NN_REQ)) >= 0);
    CHECK(nn_connect(socket, url) >= 0);
    CHECK_OK(who = ticketOf(scratchPath("sock"), ticket, sizeof(ticket)));
    CHECK_OK(ro = ticketOf(scratchPath("ro"), other, sizeof(other)));
    for (unsigned int i = 0; i < REMOTE_METHODS; i++) {
        int code = say(socket, 100 + i, "00000000000000000000000000000000", remoteMethods[i].name, "{}");

        printf("%-12s %-40s refused   %d\n", "no session", remoteMethods[i].name, code);
        CHECK_INT(code, -32001);
    }
    CHECK_INT(say(socket, 1, "", "virt.hello", "{\"version\":1}"), VIR_ERR_AUTH_FAILED);
    snprintf(params, sizeof(params), "{\"version\":1,\"ticket\":\"%s\"}", other);
    CHECK_INT(say(socket, 2, "", "virt.hello", params), VIR_ERR_AUTH_FAILED);
    snprintf(params, sizeof(params), "{\"version\":1,\"ticket\":\"%s\"}", ticket);
    CHECK_INT(say(socket, 3, "", "virt.hello", params), 0);
    CHECK_INT(say(socket, 4, "", "virt.hello", params), VIR_ERR_AUTH_FAILED);       /* stolen, after it was used */
    close(who);
    close(ro);
    nn_close(socket);
    end();
}

/* Another user is refused where the socket is, and where its permissions alone would let him. */
TEST(another_user_gets_no_ticket)
{
    int status = 0;
    pid_t pid;

    if (geteuid() != 0)
        SKIP("only root can become another user");
    begin();
    CHECK_INT(chmod(scratchDir(), 0755), 0);
    for (int open = 0; open < 2; open++) {
        if (open)
            CHECK_INT(chmod(scratchPath("sock.who"), 0666), 0);
        if ((pid = fork()) == 0) {
            char line[64];
            int fd;

            if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
                _exit(9);
            fd = ticketOf(scratchPath("sock"), line, sizeof(line));
            _exit(fd < 0 ? 1 : strcmp(line, "refused") == 0 ? 2 : 3);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(WEXITSTATUS(status), open + 1);
    }
    end();
}
#endif
