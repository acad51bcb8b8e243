/* The server, spoken to by hand: raw nanomsg messages, and nothing of the client's. */
#define VIRT_STATIC
#include "../../virt.c"
#include "../harness.h"

#if !VIRT_WITH_REMOTE || defined _WIN32
TEST(without_nanomsg_each_function_says_so)
{
    int n = 0;
    virTypedParameterPtr params = NULL;

    CHECK_FAILS_NULL(virServerNew(NULL, 0, 0), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerAddConnect(NULL, NULL), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerListen(NULL, "unix:/x", NULL, 0, 0), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerSetAccess(NULL, NULL, NULL, NULL), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerSetAudit(NULL, NULL, NULL, NULL), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerRun(NULL), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerAttach(NULL), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerGetStats(NULL, &params, &n, 0), VIR_ERR_NO_SUPPORT);
    CHECK_INT(virServerStop(NULL), -1);
    virServerFree(NULL);
}
#else

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---------- texts, which live as long as the test ---------- */

struct kept {
    struct kept *next;
    char *text;
};
static _Atomic(struct kept *) keptTexts;

static char *
keep(char *text)
{
    struct kept *kept = malloc(sizeof(*kept));

    CHECK(text != NULL && kept != NULL);
    kept->text = text;
    kept->next = atomic_load(&keptTexts);
    while (!atomic_compare_exchange_weak(&keptTexts, &kept->next, kept))
        ;
    return text;
}

#define format(...) keep(virStringFormat(__VA_ARGS__))

static const char *
shown(const cJSON *json)
{
    return keep(virJsonFormat(json));
}

/* The text of an object that is not needed any more. */
static const char *
spent(cJSON *json)
{
    const char *text = shown(json);

    cJSON_Delete(json);
    return text;
}

/* ---------- a server, and threads that serve it ---------- */

enum { MOST = 8 };

struct served {
    virServerPtr server;
    virConnectPtr conn;
    pthread_t threads[MOST];
    int n;
};

static void *
runs(void *opaque)
{
    return (void *)(intptr_t)virServerRun(opaque);
}

static virTypedParameterPtr
limit(const char *name, unsigned int value, int *n)
{
    virTypedParameterPtr params = NULL;
    int size = 0;

    *n = 0;
    if (name != NULL)
        CHECK_OK(virTypedParamsAddUInt(&params, n, &size, name, value));
    return params;
}

static void
make(struct served *s, const char *name, unsigned int value)
{
    int n;
    virTypedParameterPtr params = limit(name, value, &n);

    memset(s, 0, sizeof(*s));
    CHECK_PTR(s->server = virServerNew(params, (unsigned int)n, 0));
    virTypedParamsFree(params, n);
    CHECK_PTR(s->conn = virConnectOpen("test:///default"));
    CHECK_OK(virServerAddConnect(s->server, s->conn));
    CHECK_OK(virServerListen(s->server, format("unix:%s", scratchPath("sock")), NULL, 0, 0));
}

static void
start(struct served *s, int threads)
{
    for (s->n = 0; s->n < threads; s->n++)
        CHECK_INT(pthread_create(&s->threads[s->n], NULL, runs, s->server), 0);
    WAIT_FOR(atomic_load(&s->server->runners) == threads, 5000);
}

static void
end(struct served *s)
{
    void *rc;

    CHECK_OK(virServerStop(s->server));
    for (int i = 0; i < s->n; i++) {
        CHECK_INT(pthread_join(s->threads[i], &rc), 0);
        CHECK_INT((intptr_t)rc, 0);
    }
    virServerFree(s->server);
    CHECK_INT(virConnectClose(s->conn), 0);
}

static unsigned long long
counted(struct served *s, const char *name)
{
    virTypedParameterPtr params = NULL;
    unsigned long long value = 0;
    unsigned int small = 0;
    int n;

    CHECK_OK(virServerGetStats(s->server, &params, &n, 0));
    if (virTypedParamsGetULLong(params, n, name, &value) != 1) {
        CHECK_INT(virTypedParamsGetUInt(params, n, name, &small), 1);
        value = small;
    }
    virTypedParamsFree(params, n);
    return value;
}

/* Who is connected to a .who socket. */
static unsigned int
peersOf(struct served *s)
{
    unsigned int n;

    pthread_mutex_lock(&s->server->lock);
    n = s->server->npeers;
    pthread_mutex_unlock(&s->server->lock);
    return n;
}

/* ---------- a client ---------- */

struct client {
    int socket, who;
    char ticket[40], session[40];
    unsigned long long id;
};

static int
connectRaw(const char *path)
{
    int fd = nn_socket(AF_SP_RAW, NN_REQ), largest = 64 << 20;

    CHECK(fd >= 0);
    CHECK_INT(nn_setsockopt(fd, NN_SOL_SOCKET, NN_RCVMAXSIZE, &largest, sizeof(largest)), 0);
    CHECK(nn_connect(fd, format("ipc://%s", path)) >= 0);
    return fd;
}

/* The line that PATH.who says; "": it closed without one. */
static int
meet(const char *path, char *line, size_t size)
{
    char *who = format("%s.who", path);
    int fd = virFileConnect(who);
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    size_t length = 0;

    CHECK_OK(fd);
    while (length < size - 1 && (length == 0 || line[length - 1] != '\n')) {
        ssize_t got;

        CHECK_MSG(poll(&ready, 1, (int)harnessSlow(5000)) == 1, "no ticket came");
        if ((got = read(fd, line + length, 1)) <= 0)
            break;
        length += (size_t)got;
    }
    line[length > 0 && line[length - 1] == '\n' ? length - 1 : length] = '\0';
    return fd;
}

static void
sendText(int socket, unsigned long long id, const char *text, size_t length)
{
    struct { struct nn_cmsghdr header; size_t size; unsigned char bytes[8]; } control = { .size = 4 };
    struct nn_iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = length };
    struct nn_msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                                 .msg_controllen = NN_CMSG_SPACE(4 + sizeof(size_t)) };

    control.header.cmsg_len = NN_CMSG_SPACE(4 + sizeof(size_t));
    control.header.cmsg_level = PROTO_SP;
    control.header.cmsg_type = SP_HDR;
    control.bytes[0] = (unsigned char)(0x80 | (id >> 24));
    control.bytes[1] = (unsigned char)(id >> 16);
    control.bytes[2] = (unsigned char)(id >> 8);
    control.bytes[3] = (unsigned char)id;
    CHECK_INT(nn_sendmsg(socket, &message, 0), length);
}

/* A message; NULL: none came in that time. */
static cJSON *
hearWithin(int socket, int ms)
{
    struct nn_pollfd ready = { .fd = socket, .events = NN_POLLIN };
    char *text;
    cJSON *json;
    int length;

    if (nn_poll(&ready, 1, ms) != 1)
        return NULL;
    CHECK((length = nn_recv(socket, &text, NN_MSG, 0)) >= 0);
    CHECK_PTR(json = virJsonParse(text, (size_t)length, "reply"));
    nn_freemsg(text);
    return json;
}

static cJSON *
hear(struct client *c)
{
    cJSON *json = hearWithin(c->socket, (int)harnessSlow(10000));

    CHECK_MSG(json != NULL, "no reply came");
    CHECK_STR(virJsonString(json, "jsonrpc"), "2.0");
    return json;
}

/* Sends a call, under an id of its own: that id. params is JSON. */
static unsigned long long
say(struct client *c, const char *method, const char *params)
{
    char *text = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"method\":\"%s\",\"params\":%s}", ++c->id, c->session,
                                 method, params);

    sendText(c->socket, c->id, text, strlen(text));
    return c->id;
}

static unsigned long long
idOf(const cJSON *reply)
{
    unsigned long long id = 0;

    virJsonULongLong(reply, "id", &id);
    return id;
}

/* The reply to a call. */
static cJSON *
ask(struct client *c, const char *method, const char *params)
{
    unsigned long long id = say(c, method, params);
    cJSON *reply = hear(c);

    CHECK_UINT(idOf(reply), id);
    return reply;
}

static int
codeOf(cJSON *reply)
{
    int code = 0;

    virJsonInt(virJsonGet(reply, "error"), "code", &code);
    return code;
}

/* Checks that a reply is this error, and frees it. */
static void
checkError(cJSON *reply, int code, const char *words)
{
    CHECK_MSG(codeOf(reply) == code, "not the error %d: %s", code, shown(reply));
    CHECK_CONTAINS(virJsonString(virJsonGet(reply, "error"), "message"), words);
    cJSON_Delete(reply);
}

static void
checkDone(cJSON *reply)
{
    CHECK_MSG(virJsonGet(reply, "result") != NULL, "%s", shown(reply));
    cJSON_Delete(reply);
}

static void
dial(struct client *c, const char *path)
{
    memset(c, 0, sizeof(*c));
    c->who = meet(path, c->ticket, sizeof(c->ticket));
    CHECK_INT(strlen(c->ticket), 32);
    c->socket = connectRaw(path);
}

static cJSON *
hello(struct client *c, const char *more)
{
    return ask(c, "virt.hello", format("{\"version\":1,\"ticket\":\"%s\"%s}", c->ticket, more));
}

static void
join(struct client *c, const char *more)
{
    cJSON *reply;

    dial(c, scratchPath("sock"));
    reply = hello(c, more);
    CHECK_MSG(virJsonGet(reply, "result") != NULL, "%s", shown(reply));
    snprintf(c->session, sizeof(c->session), "%s", virJsonString(virJsonGet(reply, "result"), "session"));
    cJSON_Delete(reply);
}

static void
hangUp(struct client *c)
{
    close(c->who);
    nn_close(c->socket);
}

/* "UUID ID NAME" of the guest "test". */
static char *
guest(struct client *c)
{
    cJSON *reply = ask(c, "virDomainLookupByName", "{\"name\":\"test\"}");
    char *text = format("%s", virJsonString(virJsonGet(reply, "result"), "return"));

    cJSON_Delete(reply);
    return text;
}

static char *
onGuest(struct client *c)
{
    return format("{\"domain\":\"%s\"}", guest(c));
}

/* ---------- hello and calls ---------- */

TEST(hello_gives_a_session_and_says_what_there_is)
{
    struct served s;
    struct client c;
    const cJSON *result, *limits;
    cJSON *reply, *method;
    int n = 0, value;

    make(&s, NULL, 0);
    start(&s, 1);
    dial(&c, scratchPath("sock"));
    reply = hello(&c, ",\"uri\":\"test:///default\",\"program\":\"a test\"");
    CHECK_NOT_NULL(result = virJsonGet(reply, "result"));
    CHECK_INT(strlen(virJsonString(result, "session")), 32);
    CHECK_INT(strlen(virJsonString(result, "server")), 32);
    CHECK_STR(virJsonString(result, "driver"), "TEST");
    CHECK_STR(virJsonString(result, "uri"), "test:///default");
    CHECK(cJSON_IsFalse(virJsonGet(result, "readonly")));
    CHECK_NOT_NULL(limits = virJsonGet(result, "limits"));
    CHECK_OK(virJsonInt(limits, "message", &value));
    CHECK_INT(value, 4 << 20);
    CHECK_OK(virJsonInt(limits, "part", &value));
    CHECK_INT(value, 256 << 10);
    CHECK_OK(virJsonInt(limits, "parallel", &value));
    CHECK_INT(value, 64);
    cJSON_ArrayForEach(method, virJsonGet(result, "methods")) {
        CHECK(remoteMethodFind(method->valuestring) != NULL);
        n += strcmp(method->valuestring, "virDomainSuspend") == 0;
        CHECK(strcmp(method->valuestring, "virDomainQemuMonitorCommand") != 0);      /* not of this driver */
    }
    CHECK_INT(n, 1);
    cJSON_Delete(reply);
    CHECK_UINT(counted(&s, "clients"), 1);
    hangUp(&c);
    end(&s);
}

TEST(calls_are_answered_and_errors_keep_their_code)
{
    struct served s;
    struct client c;
    cJSON *reply;

    make(&s, NULL, 0);
    start(&s, 2);
    join(&c, "");
    reply = ask(&c, "virConnectGetHostname", "{}");
    CHECK_NOT_NULL(virJsonString(virJsonGet(reply, "result"), "return"));
    cJSON_Delete(reply);
    checkDone(ask(&c, "virDomainSuspend", onGuest(&c)));
    checkError(ask(&c, "virDomainLookupByName", "{\"name\":\"nobody\"}"), VIR_ERR_NO_DOMAIN, "nobody");
    checkError(ask(&c, "virDomainGetWings", "{}"), -32601, "virDomainGetWings");
    checkError(ask(&c, "virt.wings", "{}"), -32601, "virt.wings");
    checkDone(ask(&c, "virt.ping", "{}"));
    CHECK_UINT(counted(&s, "calls"), 4);
    hangUp(&c);
    end(&s);
}

TEST(a_readonly_client_changes_nothing)
{
    struct served s;
    struct client c, d;
    cJSON *reply;

    make(&s, NULL, 0);
    CHECK_OK(virServerListen(s.server, format("unix:%s", scratchPath("ro")), NULL, 0, VIR_SERVER_LISTEN_READONLY));
    start(&s, 1);
    join(&c, ",\"readonly\":true");
    checkError(ask(&c, "virDomainSuspend", onGuest(&c)), VIR_ERR_OPERATION_DENIED, "read only");
    dial(&d, scratchPath("ro"));
    reply = hello(&d, "");
    CHECK(cJSON_IsTrue(virJsonGet(virJsonGet(reply, "result"), "readonly")));
    snprintf(d.session, sizeof(d.session), "%s", virJsonString(virJsonGet(reply, "result"), "session"));
    cJSON_Delete(reply);
    checkError(ask(&d, "virDomainSuspend", onGuest(&d)), VIR_ERR_OPERATION_DENIED, "read only");
    hangUp(&c);
    hangUp(&d);
    end(&s);
}

TEST(a_session_belongs_to_its_socket)
{
    struct served s;
    struct client c, d;

    make(&s, NULL, 0);
    CHECK_OK(virServerListen(s.server, format("unix:%s", scratchPath("ro")), NULL, 0, VIR_SERVER_LISTEN_READONLY));
    start(&s, 1);
    join(&c, "");
    dial(&d, scratchPath("ro"));
    snprintf(d.session, sizeof(d.session), "%s", c.session);
    checkError(ask(&d, "virt.ping", "{}"), -32001, "session");
    snprintf(d.ticket, sizeof(d.ticket), "%s", c.ticket);
    checkError(hello(&d, ""), VIR_ERR_AUTH_FAILED, "ticket");
    snprintf(c.session, sizeof(c.session), "0123456789abcdef0123456789abcdef");
    checkError(ask(&c, "virt.ping", "{}"), -32001, "session");
    hangUp(&c);
    hangUp(&d);
    end(&s);
}

/* ---------- tickets ---------- */

TEST(a_ticket_is_good_for_one_session)
{
    struct served s;
    struct client c, d;
    char session[40];
    cJSON *reply;

    make(&s, NULL, 0);
    start(&s, 1);
    dial(&c, scratchPath("sock"));
    checkError(ask(&c, "virt.hello", "{\"version\":1}"), VIR_ERR_AUTH_FAILED, "ticket");
    checkError(ask(&c, "virt.hello", "{\"version\":1,\"ticket\":\"0123456789abcdef0123456789abcdef\"}"), VIR_ERR_AUTH_FAILED, "ticket");
    checkError(ask(&c, "virt.hello", format("{\"version\":2,\"ticket\":\"%s\"}", c.ticket)), -32602, "version");
    checkError(hello(&c, ",\"uri\":\"test:///elsewhere\""), VIR_ERR_NO_CONNECT, "test:///elsewhere");     /* that uses nothing up */
    reply = hello(&c, "");
    snprintf(session, sizeof(session), "%s", virJsonString(virJsonGet(reply, "result"), "session"));
    cJSON_Delete(reply);
    c.id--;                                       /* the reply was lost: asked again, it is the same session */
    reply = hello(&c, "");
    CHECK_STR(virJsonString(virJsonGet(reply, "result"), "session"), session);
    cJSON_Delete(reply);
    CHECK_UINT(counted(&s, "clients-total"), 1);
    checkError(hello(&c, ""), VIR_ERR_AUTH_FAILED, "has been used");
    dial(&d, scratchPath("sock"));                /* of another who has gone */
    close(d.who);
    WAIT_FOR(peersOf(&s) == 1, 5000);
    checkError(hello(&d, ""), VIR_ERR_AUTH_FAILED, "ticket");
    nn_close(d.socket);
    hangUp(&c);
    end(&s);
}

TEST(who_says_nothing_is_sent_away)
{
    struct served s;
    struct client c, d;
    char byte;

    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    dial(&d, scratchPath("sock"));
    remoteAccessTick(s.server, virTimeNowUs() + 9000000);
    CHECK_INT(peersOf(&s), 2);
    remoteAccessTick(s.server, virTimeNowUs() + 11000000);
    CHECK_INT(peersOf(&s), 1);
    CHECK_INT(recv(d.who, &byte, 1, 0), 0);
    checkDone(ask(&c, "virt.ping", "{}"));        /* who has a session may be silent */
    hangUp(&c);
    hangUp(&d);
    end(&s);
}

TEST(many_who_say_nothing_keep_nobody_out)
{
    struct served s;
    struct client c;
    int silent[40];
    char line[40];

    make(&s, VIR_SERVER_PARAM_CLIENTS, 4);
    start(&s, 1);
    for (int i = 0; i < 40; i++)
        silent[i] = meet(scratchPath("sock"), line, sizeof(line));
    CHECK_LESS(peersOf(&s), 9);
    join(&c, "");
    checkDone(ask(&c, "virt.ping", "{}"));
    for (int i = 0; i < 40; i++)
        close(silent[i]);
    hangUp(&c);
    end(&s);
}

TEST(the_bits_of_the_mode_say_who_may_connect)
{
    long long own = geteuid(), other = own + 4711;
    const struct { unsigned int mode; long long owner, group, uid, gid; bool may; } table[] = {
        { 0600, -1, -1, 0, 0, true },
        { 0600, -1, -1, own, 77, true },
        { 0600, -1, -1, other, 77, false },
        { 0600, other, -1, other, 77, true },
        { 0400, other, -1, other, 77, false },
        { 0660, -1, 77, other, 77, true },
        { 0660, -1, 77, other, 78, false },
        { 0640, -1, 77, other, 77, false },
        { 0606, -1, 77, other, 77, false },       /* the group's bits, not those of others */
        { 0666, -1, -1, other, 78, true },
        { 0000, -1, -1, own, 78, true },
    };
    int pair[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct remoteListener listener = { .mode = table[i].mode, .owner = table[i].owner, .group = table[i].group };

        EXPECT(remoteAccessMayConnect(&listener, pair[0], table[i].uid, table[i].gid) == table[i].may, "line %zu", i);
    }
}

/* ---------- sockets ---------- */

static unsigned int
modeOf(const char *path)
{
    struct stat info;

    CHECK_INT(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

static int
countNames(const char *name, void *opaque)
{
    (void)name;
    ++*(int *)opaque;
    return 0;
}

TEST(the_files_have_the_permissions_asked_for_and_go_with_the_server)
{
    struct served s;
    int n, files = 0;
    virTypedParameterPtr params = limit(VIR_SERVER_PARAM_MODE, 0660, &n);

    umask(0);
    make(&s, NULL, 0);
    CHECK_UINT(modeOf(scratchPath("sock")), 0600);
    CHECK_UINT(modeOf(scratchPath("sock.who")), 0600);
    CHECK_OK(virServerListen(s.server, format("unix:%s", scratchPath("wide")), params, (unsigned int)n, 0));
    CHECK_UINT(modeOf(scratchPath("wide")), 0660);
    CHECK_UINT(modeOf(scratchPath("wide.who")), 0660);
    virTypedParamsFree(params, n);
    end(&s);
    CHECK_OK(virFileEach(scratchPath("."), countNames, &files));
    CHECK_INT(files, 0);
}

TEST(a_live_server_is_not_replaced_and_a_dead_one_is)
{
    struct served s, t;
    struct client c;
    pid_t child;
    int status;

    make(&s, NULL, 0);
    CHECK_PTR(t.server = virServerNew(NULL, 0, 0));
    CHECK_FAILS(virServerListen(t.server, format("unix:%s", scratchPath("sock")), NULL, 0, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_CONTAINS(virGetLastErrorMessage(), "listens there already");
    virServerFree(t.server);
    start(&s, 1);
    join(&c, "");                                 /* it has taken no harm */
    hangUp(&c);
    end(&s);
    if ((child = fork()) == 0) {                  /* nanomsg has nothing left here that a child would share */
        make(&s, NULL, 0);
        _exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    CHECK_UINT(modeOf(scratchPath("sock")), 0600);          /* left behind */
    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    hangUp(&c);
    end(&s);
}

TEST(addresses_that_cannot_be_are_refused)
{
    struct served s;
    char *longPath = format("unix:%s/%0100d", scratchPath("."), 1);

    make(&s, NULL, 0);
    CHECK_FAILS(virServerListen(s.server, "tcp:127.0.0.1:16510", NULL, 0, 0), VIRT_WITH_NOISE ? VIR_ERR_INVALID_ARG : VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerListen(s.server, "ws:127.0.0.1:16511", NULL, 0, 0), VIRT_WITH_NOISE ? VIR_ERR_INVALID_ARG : VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virServerListen(s.server, "pigeon:coop", NULL, 0, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virServerListen(s.server, NULL, NULL, 0, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virServerListen(s.server, longPath, NULL, 0, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virServerListen(s.server, format("unix:%s", scratchPath("no/where")), NULL, 0, 0), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS(virServerListen(s.server, format("unix:%s", scratchPath("x")), NULL, 0, 2), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virServerAddConnect(s.server, s.conn), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virServerAddConnect(s.server, NULL), VIR_ERR_INVALID_CONN);
    CHECK_FAILS(virServerRun(NULL), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virServerNew(NULL, 0, 1), VIR_ERR_INVALID_ARG);
    end(&s);
}

TEST(parameters_are_checked)
{
    virTypedParameterPtr params = NULL;
    int n = 0, size = 0;

    params = limit("cleints", 1, &n);
    CHECK_FAILS_NULL(virServerNew(params, (unsigned int)n, 0), VIR_ERR_INVALID_ARG);
    virTypedParamsFree(params, n);
    params = limit(VIR_SERVER_PARAM_CLIENTS, 0, &n);
    CHECK_FAILS_NULL(virServerNew(params, (unsigned int)n, 0), VIR_ERR_INVALID_ARG);
    virTypedParamsFree(params, n);
    params = NULL;
    n = 0;
    CHECK_OK(virTypedParamsAddInt(&params, &n, &size, VIR_SERVER_PARAM_CLIENTS, 1));
    CHECK_FAILS_NULL(virServerNew(params, (unsigned int)n, 0), VIR_ERR_INVALID_ARG);
    virTypedParamsFree(params, n);
}

/* ---------- once ---------- */

TEST(a_call_asked_twice_is_carried_out_once)
{
    struct served s;
    struct client c;
    char *params;
    cJSON *reply;
    unsigned long long id;

    make(&s, NULL, 0);
    start(&s, 2);
    join(&c, "");
    params = onGuest(&c);
    id = c.id + 1;
    checkDone(ask(&c, "virDomainDestroyFlags", params));
    c.id = id - 1;
    checkDone(ask(&c, "virDomainDestroyFlags", params));                 /* carried out again, it would fail */
    checkError(ask(&c, "virDomainDestroyFlags", params), VIR_ERR_OPERATION_INVALID, "not running");
    say(&c, "virt.ask", format("{\"call\":%llu}", id));
    reply = hear(&c);
    CHECK_UINT(idOf(reply), id);                                          /* the reply as it was */
    checkDone(reply);
    checkError(ask(&c, "virt.ask", format("{\"call\":%llu}", c.id + 100)), -32004, "not known");
    checkError(ask(&c, "virt.ask", "{}"), -32602, "call");
    CHECK_UINT(counted(&s, "calls"), 3);
    hangUp(&c);
    end(&s);
}

static void
checkMember(cJSON *reply, const char *name, const char *value)
{
    const cJSON *result = virJsonGet(reply, "result"), *item = virJsonGet(result, name);

    CHECK_MSG(item != NULL, "%s", shown(reply));
    CHECK_STR(shown(item), value);
    cJSON_Delete(reply);
}

TEST(data_of_streams_is_given_and_taken_once)
{
    struct served s;
    struct client c;
    unsigned long long id;
    cJSON *reply;
    char *open;

    make(&s, "streams", 1);
    start(&s, 1);                     /* so that requests are taken in their order */
    join(&c, "");
    open = format("{\"dom\":\"%s\",\"st\":7}", guest(&c));
    checkMember(ask(&c, "virDomainOpenConsole", open), "st", "{\"sendHole\":false,\"recvHole\":false}");
    checkError(ask(&c, "virDomainOpenConsole", open), VIR_ERR_INVALID_ARG, "in use");
    checkError(ask(&c, "virDomainScreenshot", format("{\"domain\":\"%s\",\"stream\":8}", guest(&c))), VIR_ERR_RESOURCE_BUSY, "1 streams");

    id = c.id + 1;
    checkMember(ask(&c, "virt.stream.write", "{\"stream\":7,\"data\":\"YWJj\"}"), "written", "3");
    c.id = id - 1;                    /* said twice: written once */
    checkMember(ask(&c, "virt.stream.write", "{\"stream\":7,\"data\":\"YWJj\"}"), "written", "3");
    id = c.id + 1;
    checkMember(ask(&c, "virt.stream.read", "{\"stream\":7,\"max\":2}"), "data", "\"YWI=\"");
    c.id = id - 1;                    /* the same data again */
    checkMember(ask(&c, "virt.stream.read", "{\"stream\":7,\"max\":2}"), "data", "\"YWI=\"");
    say(&c, "virt.ask", format("{\"call\":%llu}", id));
    checkMember(hear(&c), "data", "\"YWI=\"");
    checkMember(ask(&c, "virt.stream.read", "{\"stream\":7}"), "data", "\"Yw==\"");

    /* one that waits */
    say(&c, "virt.stream.read", "{\"stream\":7}");
    id = c.id;
    checkError(ask(&c, "virt.stream.read", "{\"stream\":7}"), -32003, "waits");
    checkError(ask(&c, "virt.ask", format("{\"call\":%llu}", id)), -32002, "carried out");
    say(&c, "virt.stream.write", "{\"stream\":7,\"data\":\"eA==\"}");
    for (int i = 0; i < 2; i++) {     /* in any order */
        reply = hear(&c);
        if (idOf(reply) == id)
            checkMember(reply, "data", "\"eA==\"");
        else
            checkMember(reply, "written", "1");
    }

    /* nonsense */
    checkError(ask(&c, "virt.stream.read", "{}"), -32602, "number");
    checkError(ask(&c, "virt.stream.read", "{\"stream\":-7}"), -32602, "number");
    checkError(ask(&c, "virt.stream.read", "{\"stream\":\"x\"}"), -32602, "number");
    checkError(ask(&c, "virt.stream.read", "{\"stream\":8}"), -32602, "no stream 8");
    checkError(ask(&c, "virt.stream.read", "{\"stream\":18446744073709551615}"), -32602, "");
    checkError(ask(&c, "virt.stream.read", "{\"stream\":7,\"max\":0}"), -32602, "max");
    checkError(ask(&c, "virt.stream.write", "{\"stream\":7,\"data\":\"*\"}"), -32602, "base64");
    checkError(ask(&c, "virt.stream.write", "{\"stream\":7}"), -32602, "base64");
    checkError(ask(&c, "virt.stream.hole", "{\"stream\":7,\"length\":-1}"), -32602, "length");
    checkError(ask(&c, "virt.stream.hole", "{\"stream\":7,\"length\":1}"), VIR_ERR_NO_SUPPORT, "virStreamSendHole");
    for (const char *const *number = (const char *const[]){ "0", "-1", "1.5", "1e300", "null", "[]", NULL }; *number != NULL; number++) {
        reply = ask(&c, "virDomainScreenshot", format("{\"domain\":\"%s\",\"stream\":%s}", guest(&c), *number));
        CHECK_MSG(virJsonGet(reply, "error") != NULL, "%s", shown(reply));
        cJSON_Delete(reply);
    }

    id = c.id + 1;
    checkMember(ask(&c, "virt.stream.finish", "{\"stream\":7}"), "ok", "true");
    c.id = id - 1;
    checkMember(ask(&c, "virt.stream.finish", "{\"stream\":7}"), "ok", "true");
    checkError(ask(&c, "virt.stream.abort", "{\"stream\":7}"), -32602, "no stream 7");
    checkMember(ask(&c, "virDomainOpenConsole", open), "st", "{\"sendHole\":false,\"recvHole\":false}");
    checkMember(ask(&c, "virt.stream.abort", "{\"stream\":7}"), "ok", "true");
    checkMember(ask(&c, "virDomainOpenConsole", open), "st", "{\"sendHole\":false,\"recvHole\":false}");
    say(&c, "virt.stream.read", "{\"stream\":7}");
    hangUp(&c);                       /* with a read that waits */
    WAIT_FOR(counted(&s, "clients") == 0, 5000);
    join(&c, "");
    checkMember(ask(&c, "virDomainOpenConsole", open), "st", "{\"sendHole\":false,\"recvHole\":false}");
    hangUp(&c);
    end(&s);
}

TEST(what_was_seen_is_forgotten_and_never_repeated)
{
    struct served s;
    struct client c;
    char *params, *text;
    unsigned long long id;

    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    params = onGuest(&c);
    id = c.id + 1;
    checkDone(ask(&c, "virDomainSuspend", params));
    text = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"seen\":%llu,\"method\":\"virt.ping\"}", ++c.id, c.session, id);
    sendText(c.socket, c.id, text, strlen(text));
    checkDone(hear(&c));
    checkError(ask(&c, "virt.ask", format("{\"call\":%llu}", id)), -32602, "is over");
    c.id = id - 1;
    checkError(ask(&c, "virDomainSuspend", params), -32600, "is over");
    c.id = id + 10;
    checkDone(ask(&c, "virDomainResume", params));
    id = c.id;
    text = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"seen\":[3,%llu],\"method\":\"virt.ping\"}", ++c.id, c.session, id);
    sendText(c.socket, c.id, text, strlen(text));                        /* one by itself */
    checkDone(hear(&c));
    checkError(ask(&c, "virt.ask", format("{\"call\":%llu}", id)), -32004, "not known");
    hangUp(&c);
    end(&s);
}

/* ---------- calls that take long: an access function that waits is one ---------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int inside;
    bool open;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int
waitsAtGate(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    (void)who;
    (void)permission;
    (void)name;
    (void)uuid;
    (void)opaque;
    if (strcmp(call, "virConnectGetHostname") != 0)
        return 1;
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
    return 1;
}

static int
insideGate(void)
{
    int n;

    pthread_mutex_lock(&gate.lock);
    n = gate.inside;
    pthread_mutex_unlock(&gate.lock);
    return n;
}

static void
openGate(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

TEST(a_running_call_is_said_to_run)
{
    struct served s;
    struct client c;
    unsigned long long id;

    make(&s, NULL, 0);
    CHECK_OK(virServerSetAccess(s.server, waitsAtGate, NULL, NULL));
    start(&s, 2);
    join(&c, "");
    id = say(&c, "virConnectGetHostname", "{}");
    WAIT_FOR(insideGate() == 1, 5000);
    CHECK_UINT(counted(&s, "running"), 1);
    c.id = id - 1;
    checkError(ask(&c, "virConnectGetHostname", "{}"), -32002, "carried out");
    checkError(ask(&c, "virt.ask", format("{\"call\":%llu}", id)), -32002, "carried out");
    openGate();
    checkDone(hear(&c));
    say(&c, "virt.ask", format("{\"call\":%llu}", id));
    checkDone(hear(&c));
    CHECK_UINT(counted(&s, "calls"), 1);
    hangUp(&c);
    end(&s);
}

TEST(one_client_does_not_take_all_threads)
{
    struct served s;
    struct client c, d;
    cJSON *reply;

    make(&s, VIR_SERVER_PARAM_PARALLEL, 6);
    CHECK_OK(virServerSetAccess(s.server, waitsAtGate, NULL, NULL));
    start(&s, 3);
    join(&c, "");
    join(&d, "");
    for (int i = 0; i < 6; i++)
        say(&c, "virConnectGetHostname", "{}");
    WAIT_FOR(insideGate() == 2, 5000);
    checkError(ask(&c, "virConnectGetHostname", "{}"), -32003, "6 calls");
    checkDone(ask(&d, "virNodeGetFreeMemory", "{}"));
    checkDone(ask(&c, "virt.ping", "{}"));
    CHECK_INT(insideGate(), 2);
    openGate();
    for (int i = 0; i < 6; i++) {
        reply = hear(&c);
        CHECK_NOT_NULL(virJsonGet(reply, "result"));
        cJSON_Delete(reply);
    }
    checkDone(ask(&c, "virConnectGetHostname", "{}"));
    CHECK_UINT(counted(&s, "refused"), 1);
    hangUp(&c);
    hangUp(&d);
    end(&s);
}

TEST(who_goes_while_a_call_runs_leaves_nothing)
{
    struct served s;
    struct client c;

    make(&s, NULL, 0);
    CHECK_OK(virServerSetAccess(s.server, waitsAtGate, NULL, NULL));
    start(&s, 2);
    join(&c, "");
    for (int i = 0; i < 3; i++)
        say(&c, "virConnectGetHostname", "{}");
    WAIT_FOR(insideGate() == 1, 5000);
    hangUp(&c);
    WAIT_FOR(counted(&s, "clients") == 0, 5000);
    openGate();
    WAIT_FOR(counted(&s, "running") == 0, 5000);
    end(&s);
    CHECK_UINT(gate.inside, 0);
}

TEST(stop_lets_running_calls_end)
{
    struct served s;
    struct client c;
    void *rc;

    make(&s, NULL, 0);
    CHECK_OK(virServerSetAccess(s.server, waitsAtGate, NULL, NULL));
    start(&s, 2);
    join(&c, "");
    say(&c, "virConnectGetHostname", "{}");
    WAIT_FOR(insideGate() == 1, 5000);
    CHECK_OK(virServerStop(s.server));
    WAIT_FOR(atomic_load(&s.server->runners) == 1, 5000);
    openGate();
    checkDone(hear(&c));
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(s.threads[i], &rc), 0);
    CHECK_OK(virServerRun(s.server));             /* it stays stopped */
    s.n = 0;
    hangUp(&c);
    end(&s);
}

static virServerPtr stopped;

static void
stops(int signum)
{
    (void)signum;
    virServerStop(stopped);
}

TEST(a_signal_handler_may_stop_it)
{
    struct served s;

    make(&s, NULL, 0);
    stopped = s.server;
    signal(SIGALRM, stops);
    alarm(1);
    CHECK_OK(virServerRun(s.server));
    end(&s);
}

/* ---------- limits ---------- */

TEST(there_are_as_many_clients_as_may_be)
{
    struct served s;
    struct client c[3];

    make(&s, VIR_SERVER_PARAM_CLIENTS, 2);
    start(&s, 1);
    join(&c[0], "");
    join(&c[1], "");
    dial(&c[2], scratchPath("sock"));
    checkError(hello(&c[2], ""), VIR_ERR_RESOURCE_BUSY, "2 clients");
    hangUp(&c[0]);
    WAIT_FOR(counted(&s, "clients") == 1, 5000);
    checkDone(hello(&c[2], ""));                  /* the ticket is still good */
    hangUp(&c[1]);
    hangUp(&c[2]);
    end(&s);
}

TEST(replies_that_nobody_takes_are_bounded)
{
    struct served s;
    struct client c;
    char *suspend, *resume;
    int refused = 0;

    make(&s, VIR_SERVER_PARAM_MEMORY, 2000);
    start(&s, 1);
    join(&c, "");
    suspend = onGuest(&c);
    resume = suspend;
    for (int i = 0; i < 100; i++)                 /* what only looks is forgotten */
        checkDone(ask(&c, "virDomainGetInfo", suspend));
    for (int i = 0; i < 100 && !refused; i++) {   /* what changes something is not */
        cJSON *reply = ask(&c, i % 2 ? "virDomainResume" : "virDomainSuspend", i % 2 ? resume : suspend);

        refused = codeOf(reply) == -32003;
        cJSON_Delete(reply);
    }
    CHECK(refused);
    hangUp(&c);
    end(&s);
}

TEST(subscriptions_are_bounded)
{
    struct served s;
    struct client c;

    make(&s, VIR_SERVER_PARAM_SUBSCRIPTIONS, 2);
    start(&s, 1);
    join(&c, "");
    checkError(ask(&c, "virt.subscribe", "{\"filter\":[[0,null],[1,null],[2,null]]}"), -32003, "3 subscriptions");
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[[0,null],[1,null]]}"));
    hangUp(&c);
    end(&s);
}

/* ---------- long messages ---------- */

static char *
longText(size_t length)
{
    char *text = keep(malloc(length + 1));

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t i = 0; i + 200 < length; i += 97)
        memcpy(text + i, "\xe2\x82\xac", 3);      /* characters that must not be cut */
    text[length] = '\0';
    return text;
}

TEST(long_calls_and_replies_go_in_parts)
{
    struct served s;
    struct client c;
    char *description = longText(700000), *domain, *request, *whole;
    unsigned long long call, total, offset = 0, at;
    size_t length;
    cJSON *params, *reply;

    make(&s, NULL, 0);
    start(&s, 2);
    join(&c, "");
    domain = guest(&c);
    params = virJsonObject("s:domain", domain, "i:type", VIR_DOMAIN_METADATA_DESCRIPTION, "s:metadata", description,
                           "i:flags", VIR_DOMAIN_AFFECT_LIVE, NULL);
    call = ++c.id;
    request = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"virDomainSetMetadata\",\"params\":%s}", call, spent(params));
    length = strlen(request);
    while (offset < length) {
        size_t size = length - offset < 200000 ? length - offset : 200000;

        while (offset + size < length && ((unsigned char)request[offset + size] & 0xc0) == 0x80)
            size--;
        reply = ask(&c, "virt.part", spent(virJsonObject("u:call", call, "u:offset", offset, "u:total", (unsigned long long)length,
                                                                 "s:text", keep(virStringSlice(request + offset, size)), NULL)));
        CHECK_OK(virJsonULongLong(virJsonGet(reply, "result"), "offset", &at));
        cJSON_Delete(reply);
        CHECK_UINT(at, offset + size);
        if (offset == 0) {                        /* one that came twice */
            reply = ask(&c, "virt.part", spent(virJsonObject("u:call", call, "u:offset", offset, "u:total", (unsigned long long)length,
                                                                     "s:text", keep(virStringSlice(request, size)), NULL)));
            CHECK_OK(virJsonULongLong(virJsonGet(reply, "result"), "offset", &at));
            cJSON_Delete(reply);
            CHECK_UINT(at, offset + size);
        }
        offset = at;
    }
    reply = hear(&c);
    CHECK_UINT(idOf(reply), call);
    checkDone(reply);

    call = say(&c, "virDomainGetXMLDesc", format("{\"domain\":\"%s\"}", domain));
    reply = hear(&c);
    CHECK_UINT(idOf(reply), call);
    CHECK_OK(virJsonULongLong(reply, "total", &total));
    whole = keep(calloc(1, total + 1));
    for (at = 0;;) {
        CHECK_OK(virJsonULongLong(reply, "offset", &offset));
        CHECK_UINT(offset, at);
        CHECK_LESS(strlen(virJsonString(reply, "part")), (256 << 10) + 1);
        memcpy(whole + at, virJsonString(reply, "part"), strlen(virJsonString(reply, "part")));
        at += strlen(virJsonString(reply, "part"));
        cJSON_Delete(reply);
        if (at == total)
            break;
        reply = ask(&c, "virt.more", format("{\"call\":%llu,\"offset\":%llu}", call, at));
    }
    CHECK_PTR(reply = virJsonParse(whole, total, "the whole reply"));
    CHECK_UINT(idOf(reply), call);
    CHECK_CONTAINS(virJsonString(virJsonGet(reply, "result"), "return"), description);
    cJSON_Delete(reply);
    checkError(ask(&c, "virt.more", format("{\"call\":%llu,\"offset\":%llu}", call, total + 1)), -32602, "no part");
    checkError(ask(&c, "virt.more", format("{\"call\":%llu,\"offset\":0}", c.id + 50)), -32004, "not known");
    hangUp(&c);
    end(&s);
}

TEST(what_is_longer_than_a_document_is_refused)
{
    struct served s;
    struct client c;
    char *domain;
    cJSON *reply;
    unsigned long long at;

    make(&s, VIR_SERVER_PARAM_DOCUMENT, 1024);
    start(&s, 1);
    join(&c, "");
    domain = guest(&c);
    checkError(ask(&c, "virt.part", "{\"call\":90,\"offset\":0,\"total\":1025,\"text\":\"{\"}"), -32003, "1025");
    reply = ask(&c, "virt.part", "{\"call\":90,\"offset\":5,\"total\":20,\"text\":\"{\"}");          /* too early: none is there yet */
    CHECK_OK(virJsonULongLong(virJsonGet(reply, "result"), "offset", &at));
    CHECK_UINT(at, 0);
    cJSON_Delete(reply);
    checkError(ask(&c, "virt.part", "{\"call\":90,\"offset\":0,\"total\":20,\"text\":\"0123456789012345678901234\"}"), -32602, "longer");
    say(&c, "virt.part", "{\"call\":90,\"offset\":0,\"total\":20,\"text\":\"01234567890123456789\"}");
    checkDone(hear(&c));
    reply = hear(&c);
    CHECK_UINT(idOf(reply), 0);                   /* a number is no request */
    checkError(reply, -32600, "request");
    checkError(ask(&c, "virDomainGetXMLDesc", format("{\"domain\":\"%s\"}", domain)), VIR_ERR_OVERFLOW, "bytes");
    hangUp(&c);
    end(&s);
}

/* ---------- hostile input ---------- */

TEST(nonsense_is_answered_and_costs_nothing)
{
#define S "\"session\":\"%s\""
    static const struct { const char *text; int code; } table[] = {
        { "", -32700 },
        { "nonsense", -32700 },
        { "{", -32700 },
        { "{\"jsonrpc\":\"2.0\"", -32700 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\"," S "} x", -32700 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.\\u0000ping\"," S "}", -32700 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.\xff\"," S "}", -32700 },
        { "[]", -32600 },
        { "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\"," S "}]", -32600 },
        { "17", -32600 },
        { "\"virt.ping\"", -32600 },
        { "null", -32600 },
        { "{}", -32600 },
        { "{\"id\":1,\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1e300,\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"virt.ping\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\",\"params\":[1]," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\",\"params\":7," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\",\"session\":7}", -32001 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\",\"session\":\"\"}", -32001 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\"}", -32001 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\",\"seen\":\"all\"," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\",\"seen\":-5," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ping\",\"seen\":[0,\"x\"]," S "}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"," S "}", -32601 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.\"," S "}", -32601 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.hello\",\"params\":{\"version\":\"x\"}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.hello\",\"params\":{\"version\":1,\"ticket\":5}," S "}", VIR_ERR_AUTH_FAILED },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.ask\",\"params\":{\"call\":-3}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.more\",\"params\":{\"call\":1,\"offset\":\"far\"}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.part\",\"params\":{\"call\":5,\"offset\":0,\"total\":0,\"text\":\"\"}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.part\",\"params\":{\"call\":5,\"offset\":0,\"total\":99999999999,\"text\":\"\"}," S "}", -32003 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.subscribe\",\"params\":{\"filter\":7}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.subscribe\",\"params\":{\"filter\":[7]}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.subscribe\",\"params\":{\"filter\":[[-1,null]]}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.subscribe\",\"params\":{\"filter\":[[1e99,null]]}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.subscribe\",\"params\":{\"filter\":[[0,\"x\"]]}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.subscribe\",\"params\":{\"filter\":[[0,null,0]]}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.events\",\"params\":{\"seen\":\"x\"}," S "}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"params\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}," S "}", -32003 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"params\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", -32003 },
    };
#undef S
    struct served s;
    struct client c;
    size_t n = sizeof(table) / sizeof(table[0]);

    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(table[i].text, "%s");
        char *text = at == NULL ? format("%s", table[i].text)
                                : format("%.*s%s%s", (int)(at - table[i].text), table[i].text, c.session, at + 2);
        cJSON *reply;

        sendText(c.socket, 1, text, strlen(text));
        reply = hear(&c);
        EXPECT(codeOf(reply) == table[i].code, "%s: %s", text, shown(reply));
        cJSON_Delete(reply);
    }
    sendText(c.socket, 1, "{\"a\0b\":1}", 9);
    checkError(hear(&c), -32700, "NUL");
    checkDone(ask(&c, "virt.ping", "{}"));
    CHECK_UINT(counted(&s, "clients"), 1);
    CHECK_UINT(counted(&s, "running"), 0);
    CHECK_LESS(20, counted(&s, "invalid"));
    hangUp(&c);
    end(&s);
}

/* ---------- events ---------- */

TEST(events_come_in_order_until_they_are_seen)
{
    struct served s;
    struct client c;
    char *domain;
    unsigned long long poll, sequence;
    const cJSON *events;
    cJSON *reply;

    make(&s, NULL, 0);
    start(&s, 2);
    join(&c, "");
    domain = onGuest(&c);
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[[0,null]]}"));
    poll = say(&c, "virt.events", "{\"seen\":0}");
    CHECK_NULL(hearWithin(c.socket, 100));
    say(&c, "virDomainSuspend", domain);
    reply = hear(&c);
    if (idOf(reply) != poll) {                    /* either may come first */
        checkDone(reply);
        reply = hear(&c);
    } else {
        checkDone(hear(&c));
    }
    CHECK_UINT(idOf(reply), poll);
    events = virJsonGet(virJsonGet(reply, "result"), "events");
    CHECK_INT(cJSON_GetArraySize(events), 1);
    sequence = (unsigned long long)cJSON_GetArrayItem(cJSON_GetArrayItem(events, 0), 0)->valuedouble;
    CHECK_UINT(sequence, 1);
    cJSON_Delete(reply);
    reply = ask(&c, "virt.events", "{\"seen\":0}");           /* the answer was lost */
    CHECK_INT(cJSON_GetArraySize(virJsonGet(virJsonGet(reply, "result"), "events")), 1);
    cJSON_Delete(reply);
    checkDone(ask(&c, "virDomainResume", domain));
    WAIT_FOR(({ reply = ask(&c, "virt.events", "{\"seen\":0}");
                int n = cJSON_GetArraySize(virJsonGet(virJsonGet(reply, "result"), "events"));
                cJSON_Delete(reply);
                n == 2; }), 5000);
    reply = ask(&c, "virt.events", "{\"seen\":1}");
    events = virJsonGet(virJsonGet(reply, "result"), "events");
    CHECK_INT(cJSON_GetArraySize(events), 1);
    CHECK_INT(cJSON_GetArrayItem(cJSON_GetArrayItem(events, 0), 0)->valueint, 2);
    cJSON_Delete(reply);
    say(&c, "virt.events", "{\"seen\":2}");                   /* nothing there: waits, and is answered when the time is up */
    checkDone(ask(&c, "virt.ping", "{}"));
    remoteSessionTick(s.server, virTimeNowUs() + 11000000);
    reply = hear(&c);
    CHECK_INT(cJSON_GetArraySize(virJsonGet(virJsonGet(reply, "result"), "events")), 0);
    cJSON_Delete(reply);
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[]}"));
    checkDone(ask(&c, "virDomainSuspend", domain));
    say(&c, "virt.events", "{\"seen\":2}");
    CHECK_NULL(hearWithin(c.socket, 200));
    hangUp(&c);
    end(&s);
}

TEST(events_that_nobody_fetches_are_dropped_and_counted)
{
    struct served s;
    struct client c;
    unsigned long long lost = 0, first;
    cJSON *reply;

    make(&s, VIR_SERVER_PARAM_MEMORY, 8000);
    start(&s, 1);
    join(&c, "");
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[[0,null]]}"));
    for (int i = 0; i < 60; i++) {
        virDomainPtr there = virDomainLookupByName(s.conn, "test");

        CHECK_OK(i % 2 ? virDomainResume(there) : virDomainSuspend(there));
        virDomainFree(there);
    }
    WAIT_FOR(({ reply = ask(&c, "virt.events", "{\"seen\":0}");
                const cJSON *result = virJsonGet(reply, "result"), *events = virJsonGet(result, "events");
                int n = cJSON_GetArraySize(events);
                first = n > 0 ? (unsigned long long)cJSON_GetArrayItem(cJSON_GetArrayItem(events, 0), 0)->valuedouble : 0;
                CHECK_OK(virJsonULongLong(result, "lost", &lost));
                cJSON_Delete(reply);
                first + (unsigned long long)n == 61; }), 5000);
    CHECK_UINT(lost, first - 1);
    CHECK_LESS(0, lost);
    CHECK_UINT(counted(&s, "events-lost"), lost);
    hangUp(&c);
    end(&s);
}

/* ---------- who may ---------- */

static struct {
    pthread_mutex_t lock;
    char lines[2000];
} seenByAudit = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
writesDown(const virServerAudit *record, void *opaque)
{
    size_t used;

    (void)opaque;
    pthread_mutex_lock(&seenByAudit.lock);
    used = strlen(seenByAudit.lines);
    snprintf(seenByAudit.lines + used, sizeof(seenByAudit.lines) - used, "%s %s %d %lld\n", record->call,
             record->name != NULL ? record->name : "-", record->code, record->who->uid);
    pthread_mutex_unlock(&seenByAudit.lock);
}

/* "test" may be looked at, not changed; a guest "hidden" is not there. */
static int
mayLook(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    (void)call;
    CHECK_STR(who->transport, "unix");
    CHECK_INT(who->uid, geteuid());
    CHECK_INT(who->pid, getpid());
    CHECK_STR(who->program, "looker");
    CHECK(name == NULL || uuid != NULL);
    CHECK_STR(opaque, "mine");
    if (name != NULL && strcmp(name, "hidden") == 0)
        return 0;
    return strcmp(permission, "domain.getattr") == 0 || strcmp(permission, "domain.read") == 0 || name == NULL;
}

static void
freed(void *opaque)
{
    CHECK_STR(opaque, "mine");
}

TEST(access_is_asked_and_changes_are_written_down)
{
    struct served s;
    struct client c;
    char *domain, *expected;
    virDomainPtr hidden;
    cJSON *reply;

    make(&s, NULL, 0);
    CHECK_PTR(hidden = virDomainDefineXML(s.conn, "<domain type='test'><name>hidden</name><memory>1024</memory><os><type>hvm</type></os></domain>"));
    CHECK_OK(virServerSetAccess(s.server, mayLook, "mine", freed));
    CHECK_OK(virServerSetAudit(s.server, writesDown, NULL, NULL));
    start(&s, 2);
    CHECK_FAILS(virServerSetAccess(s.server, NULL, NULL, NULL), VIR_ERR_OPERATION_INVALID);
    join(&c, ",\"program\":\"looker\"");
    domain = onGuest(&c);
    checkDone(ask(&c, "virDomainGetInfo", domain));
    checkError(ask(&c, "virDomainSuspend", domain), VIR_ERR_ACCESS_DENIED, "domain.suspend");
    checkError(ask(&c, "virDomainLookupByName", "{\"name\":\"hidden\"}"), VIR_ERR_NO_DOMAIN, "hidden");
    reply = ask(&c, "virConnectListAllDomains", "{\"domains\":true,\"flags\":0}");
    CHECK(strstr(shown(reply), "hidden") == NULL);
    CHECK(strstr(shown(reply), "test") != NULL);
    cJSON_Delete(reply);
    expected = format("virDomainSuspend test %d %d\n", VIR_ERR_ACCESS_DENIED, (int)geteuid());
    CHECK_STR(seenByAudit.lines, expected);
    CHECK_OK(virDomainUndefine(hidden));
    virDomainFree(hidden);
    hangUp(&c);
    end(&s);
}

TEST(events_of_guests_that_it_may_not_see_do_not_come)
{
    struct served s;
    struct client c;
    virDomainPtr hidden, there;
    cJSON *reply;
    const char *text;

    make(&s, NULL, 0);
    CHECK_OK(virServerSetAccess(s.server, mayLook, "mine", NULL));
    start(&s, 1);
    join(&c, ",\"program\":\"looker\"");
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[[0,null]]}"));
    CHECK_PTR(hidden = virDomainDefineXML(s.conn, "<domain type='test'><name>hidden</name><memory>1024</memory><os><type>hvm</type></os></domain>"));
    CHECK_OK(virDomainUndefine(hidden));
    virDomainFree(hidden);
    CHECK_PTR(there = virDomainLookupByName(s.conn, "test"));
    CHECK_OK(virDomainSuspend(there));
    virDomainFree(there);
    reply = ask(&c, "virt.events", "{\"seen\":0}");
    text = shown(reply);
    CHECK(strstr(text, "hidden") == NULL);
    CHECK_INT(cJSON_GetArraySize(virJsonGet(virJsonGet(reply, "result"), "events")), 1);
    cJSON_Delete(reply);
    hangUp(&c);
    end(&s);
}

/* ---------- gone ---------- */

TEST(a_client_whose_connection_closes_is_gone_at_once)
{
    struct served s;
    struct client c, d;
    unsigned long long ping;
    cJSON *reply;

    make(&s, NULL, 0);
    start(&s, 2);
    join(&c, "");
    join(&d, "");
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[[0,null]]}"));
    say(&c, "virt.events", "{\"seen\":0}");
    CHECK_UINT(counted(&s, "clients"), 2);
    close(c.who);
    WAIT_FOR(counted(&s, "clients") == 1, 5000);
    WAIT_FOR(atomic_load(&s.server->hosts->subscribers) == 0, 5000);
    ping = say(&c, "virt.ping", "{}");
    if (idOf(reply = hear(&c)) != ping) {         /* virt.events may have come too late already */
        checkError(reply, -32001, "session");
        reply = hear(&c);
    }
    checkError(reply, -32001, "session");
    nn_close(c.socket);
    checkDone(ask(&d, "virt.bye", "{}"));
    CHECK_UINT(counted(&s, "clients"), 0);
    checkError(ask(&d, "virt.ping", "{}"), -32001, "session");
    checkError(hello(&d, ""), VIR_ERR_AUTH_FAILED, "has been used");
    hangUp(&d);
    end(&s);
}

TEST(silence_ends_a_session_that_nobody_sees_close)
{
    struct served s;
    struct client c;
    struct remoteSession **all;

    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    all = remoteSessionsAll(s.server, NULL);
    pthread_mutex_lock(&all[0]->lock);
    all[0]->expires = true;
    pthread_mutex_unlock(&all[0]->lock);
    checkDone(ask(&c, "virt.ping", "{}"));
    remoteSessionTick(s.server, virTimeNowUs() + 59000000);
    CHECK_UINT(counted(&s, "clients"), 1);
    remoteSessionTick(s.server, virTimeNowUs() + 61000000);
    CHECK_UINT(counted(&s, "clients"), 0);
    checkError(ask(&c, "virt.ping", "{}"), -32001, "session");
    remoteSessionUnref(all[0]);
    free(all);
    hangUp(&c);
    end(&s);
}

TEST(free_ends_clients_that_are_there)
{
    struct served s;
    struct client c;
    char byte;

    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[[0,null]]}"));
    say(&c, "virt.events", "{\"seen\":0}");
    end(&s);
    CHECK_INT(recv(c.who, &byte, 1, 0), 0);
    hangUp(&c);
}

/* ---------- tcp and ws ---------- */

#if VIRT_WITH_NOISE
struct secret {
    struct remoteNoiseClient *noise;
    int socket;
    unsigned long long id;
    char session[40];
};

static int
freePort(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* What the server says to this; NULL: nothing. */
static cJSON *
secretly(struct secret *c, const char *method, const char *params)
{
    unsigned char *record;
    size_t length;
    struct nn_pollfd ready = { .fd = c->socket, .events = NN_POLLIN };
    const char *text = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"method\":\"%s\",\"params\":%s}", ++c->id, c->session,
                              method, params);
    char *message, *data;
    cJSON *json = NULL;
    int got;

    CHECK_INT(remoteNoiseClientSeal(c->noise, text, strlen(text), &record, &length), 1);
    sendText(c->socket, c->id, (char *)record, length);
    free(record);
    if (nn_poll(&ready, 1, (int)harnessSlow(3000)) != 1)
        return NULL;
    CHECK((got = nn_recv(c->socket, &message, NN_MSG, 0)) > 0);
    if (remoteNoiseClientTake(c->noise, message, (size_t)got, &data, &length) == REMOTE_NOISE_TEXT) {
        json = virJsonParse(data, length, "reply");
        free(data);
    }
    nn_freemsg(message);
    return json;
}

/* The handshake: what came of it. */
static enum remoteNoiseTaken
shakeHands(struct secret *c, const char *address, const struct remoteKey *key, const unsigned char *server)
{
    struct nn_pollfd ready = { .events = NN_POLLIN };
    enum remoteNoiseTaken taken;
    unsigned char *first;
    size_t length;
    char *message, *data;
    int got;

    memset(c, 0, sizeof(*c));
    CHECK((c->socket = ready.fd = nn_socket(AF_SP_RAW, NN_REQ)) >= 0);
    CHECK(nn_connect(c->socket, address) >= 0);
    CHECK_PTR(c->noise = remoteNoiseClientNew(key, server));
    CHECK_OK(remoteNoiseClientHello(c->noise, &first, &length));
    sendText(c->socket, 1, (char *)first, length);
    free(first);
    CHECK_INT(nn_poll(&ready, 1, (int)harnessSlow(5000)), 1);
    CHECK((got = nn_recv(c->socket, &message, NN_MSG, 0)) > 0);
    taken = remoteNoiseClientTake(c->noise, message, (size_t)got, &data, &length);
    nn_freemsg(message);
    return taken;
}

static void
vanish(struct secret *c)
{
    remoteNoiseClientFree(c->noise);
    nn_close(c->socket);
}

static virServerWho seenWho;
static char seenKey[64];

static int
looksAtWho(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    (void)call;
    (void)permission;
    (void)name;
    (void)uuid;
    (void)opaque;
    seenWho = *who;
    snprintf(seenKey, sizeof(seenKey), "%s", who->key);
    return 1;
}

static void
overNet(const char *transport)
{
    struct served s;
    struct secret c, d, e;
    struct remoteKey mine, other, servers;
    virTypedParameterPtr params = NULL;
    char text[REMOTE_KEY_TEXT], otherText[REMOTE_KEY_TEXT], session[40];
    int n = 0, size = 0, port = freePort();
    const char *address = format("%s://127.0.0.1:%d", transport, port), *line;
    cJSON *reply;

    CHECK_OK(remoteKeyGenerate(&mine));
    CHECK_OK(remoteKeyGenerate(&other));
    CHECK_OK(remoteKeyGenerate(&servers));
    CHECK_OK(remoteKeyWrite(scratchPath("key"), &servers));
    remoteKeyFormat(mine.open, text);
    remoteKeyFormat(other.open, otherText);
    line = format("%s alice\n%s bob readonly\n", text, otherText);
    CHECK_OK(virFileWrite(scratchPath("authorized"), line, strlen(line), 0600));
    CHECK_OK(virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_KEY, scratchPath("key")));
    CHECK_OK(virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_AUTHORIZED, format("%s", scratchPath("authorized"))));
    make(&s, NULL, 0);
    CHECK_OK(virServerSetAccess(s.server, looksAtWho, NULL, NULL));
    CHECK_OK(virServerListen(s.server, format("%s:127.0.0.1:%d", transport, port), params, (unsigned int)n, 0));
    virTypedParamsFree(params, n);
    start(&s, 1);

    CHECK_INT(shakeHands(&c, address, &mine, servers.open), REMOTE_NOISE_READY);
    reply = secretly(&c, "virt.hello", "{\"version\":1}");
    CHECK_MSG(virJsonGet(reply, "result") != NULL, "%s", reply != NULL ? shown(reply) : "silence");
    snprintf(c.session, sizeof(c.session), "%s", virJsonString(virJsonGet(reply, "result"), "session"));
    cJSON_Delete(reply);
    snprintf(session, sizeof(session), "%s", c.session);
    c.id--;                                       /* the reply was lost */
    reply = secretly(&c, "virt.hello", "{\"version\":1}");
    CHECK_STR(virJsonString(virJsonGet(reply, "result"), "session"), session);
    cJSON_Delete(reply);
    checkDone(secretly(&c, "virConnectGetHostname", "{}"));
    CHECK_STR(seenKey, "alice");
    CHECK_STR(seenWho.transport, transport);
    CHECK_INT(seenWho.uid, -1);

    CHECK_INT(shakeHands(&d, address, &other, servers.open), REMOTE_NOISE_READY);      /* bob may not use alice's session */
    snprintf(d.session, sizeof(d.session), "%s", session);
    checkError(secretly(&d, "virt.ping", "{}"), -32001, "session");
    reply = secretly(&d, "virt.hello", "{\"version\":1}");
    CHECK(cJSON_IsTrue(virJsonGet(virJsonGet(reply, "result"), "readonly")));
    cJSON_Delete(reply);

    CHECK_OK(remoteKeyGenerate(&other));          /* nobody's */
    CHECK_INT(shakeHands(&e, address, &other, servers.open), REMOTE_NOISE_REFUSED);
    line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"virt.hello\",\"params\":{\"version\":1}}";
    sendText(e.socket, 1, line, strlen(line));    /* nothing is said to what is not encrypted */
    CHECK_NULL(hearWithin(e.socket, 300));
    CHECK_UINT(counted(&s, "clients"), 2);
    remoteSessionTick(s.server, virTimeNowUs() + 61000000);
    CHECK_UINT(counted(&s, "clients"), 0);
    vanish(&c);
    vanish(&d);
    vanish(&e);
    end(&s);
}

TEST(tcp_is_for_those_whose_keys_are_known)
{
    overNet("tcp");
}

TEST(ws_is_for_those_whose_keys_are_known)
{
    overNet("ws");
}
#endif

/* ---------- the event loop; many at once ---------- */

static void *
talks(void *opaque)
{
    struct client c;
    char *domain;

    (void)opaque;
    join(&c, "");
    domain = onGuest(&c);
    for (int i = 0; i < 50; i++) {
        cJSON *reply = ask(&c, i % 10 == 3 ? "virDomainGetXMLDesc" : "virDomainGetInfo", domain);

        CHECK_NOT_NULL(virJsonGet(reply, "result"));
        cJSON_Delete(reply);
        checkDone(ask(&c, "virt.ping", "{}"));
    }
    hangUp(&c);
    return NULL;
}

static void
talk(int clients)
{
    pthread_t threads[20];

    for (int i = 0; i < clients; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, talks, NULL), 0);
    for (int i = 0; i < clients; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
}

TEST(four_threads_serve_twenty_clients)
{
    struct served s;

    make(&s, NULL, 0);
    start(&s, 4);
    talk(20);
    CHECK_UINT(counted(&s, "clients-total"), 20);
    CHECK_UINT(counted(&s, "calls"), 20 * 51);
    WAIT_FOR(counted(&s, "clients") == 0, 5000);
    end(&s);
}

static atomic_bool loopEnds;

static void *
loops(void *opaque)
{
    (void)opaque;
    while (!atomic_load(&loopEnds))
        virEventRunDefaultImpl();
    return NULL;
}

static void
nothing(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

TEST(the_event_loop_serves_as_well)
{
    struct served s;
    pthread_t loop;

    make(&s, NULL, 0);
    CHECK_FAILS(virServerAttach(s.server), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(virEventAddTimeout(20, nothing, NULL, NULL));
    CHECK_INT(pthread_create(&loop, NULL, loops, NULL), 0);
    CHECK_OK(virServerAttach(s.server));
    CHECK_OK(virServerAttach(s.server));
    talk(4);
    CHECK_OK(virServerListen(s.server, format("unix:%s", scratchPath("later")), NULL, 0, 0));
    struct client c;
    dial(&c, scratchPath("later"));
    checkDone(hello(&c, ""));
    hangUp(&c);
    end(&s);
    atomic_store(&loopEnds, true);
    pthread_join(loop, NULL);
}
#endif
