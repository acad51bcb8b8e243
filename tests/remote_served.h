/*
 * A server and clients that are written by hand, for tests of the server: raw messages, and no line of the client's. Included behind virt.c
 * and harness.h.
 */
#ifndef VIRT_TESTS_REMOTE_SERVED_H
#define VIRT_TESTS_REMOTE_SERVED_H

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

static inline char *
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

static inline const char *
shown(const cJSON *json)
{
    return keep(virJsonFormat(json));
}

/* The text of an object that is not needed any more. */
static inline const char *
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

static inline void *
runs(void *opaque)
{
    return (void *)(intptr_t)virServerRun(opaque);
}

static inline virTypedParameterPtr
limit(const char *name, unsigned int value, int *n)
{
    virTypedParameterPtr params = NULL;
    int size = 0;

    *n = 0;
    if (name != NULL)
        CHECK_OK(virTypedParamsAddUInt(&params, n, &size, name, value));
    return params;
}

static inline void
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

static inline void
start(struct served *s, int threads)
{
    for (s->n = 0; s->n < threads; s->n++)
        CHECK_INT(pthread_create(&s->threads[s->n], NULL, runs, s->server), 0);
    WAIT_FOR(atomic_load(&s->server->runners) == threads, 5000);
}

static inline void
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

static inline unsigned long long
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
static inline unsigned int
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

static inline int
connectRaw(const char *path)
{
    int fd = nn_socket(AF_SP_RAW, NN_REQ), largest = 64 << 20;

    CHECK(fd >= 0);
    CHECK_INT(nn_setsockopt(fd, NN_SOL_SOCKET, NN_RCVMAXSIZE, &largest, sizeof(largest)), 0);
    CHECK(nn_connect(fd, format("ipc://%s", path)) >= 0);
    return fd;
}

/* The line that PATH.who says; "": it closed without one. */
static inline int
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

static inline void
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
static inline cJSON *
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

static inline cJSON *
hear(struct client *c)
{
    cJSON *json = hearWithin(c->socket, (int)harnessSlow(10000));

    CHECK_MSG(json != NULL, "no reply came");
    CHECK_STR(virJsonString(json, "jsonrpc"), "2.0");
    return json;
}

/* Sends a call, under an id of its own: that id. params is JSON. */
static inline unsigned long long
say(struct client *c, const char *method, const char *params)
{
    char *text = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"method\":\"%s\",\"params\":%s}", ++c->id, c->session,
                                 method, params);

    sendText(c->socket, c->id, text, strlen(text));
    return c->id;
}

static inline unsigned long long
idOf(const cJSON *reply)
{
    unsigned long long id = 0;

    virJsonULongLong(reply, "id", &id);
    return id;
}

/* The reply to a call. */
static inline cJSON *
ask(struct client *c, const char *method, const char *params)
{
    unsigned long long id = say(c, method, params);
    cJSON *reply = hear(c);

    CHECK_UINT(idOf(reply), id);
    return reply;
}

static inline int
codeOf(cJSON *reply)
{
    int code = 0;

    virJsonInt(virJsonGet(reply, "error"), "code", &code);
    return code;
}

/* Checks that a reply is this error, and frees it. */
static inline void
checkError(cJSON *reply, int code, const char *words)
{
    CHECK_MSG(codeOf(reply) == code, "not the error %d: %s", code, shown(reply));
    CHECK_CONTAINS(virJsonString(virJsonGet(reply, "error"), "message"), words);
    cJSON_Delete(reply);
}

static inline void
checkDone(cJSON *reply)
{
    CHECK_MSG(virJsonGet(reply, "result") != NULL, "%s", shown(reply));
    cJSON_Delete(reply);
}

static inline void
dial(struct client *c, const char *path)
{
    memset(c, 0, sizeof(*c));
    c->who = meet(path, c->ticket, sizeof(c->ticket));
    CHECK_INT(strlen(c->ticket), 32);
    c->socket = connectRaw(path);
}

static inline cJSON *
hello(struct client *c, const char *more)
{
    return ask(c, "virt.hello", format("{\"version\":1,\"ticket\":\"%s\"%s}", c->ticket, more));
}

static inline void
joinAt(struct client *c, const char *path, const char *more)
{
    cJSON *reply;

    dial(c, path);
    reply = hello(c, more);
    CHECK_MSG(virJsonGet(reply, "result") != NULL, "%s", shown(reply));
    snprintf(c->session, sizeof(c->session), "%s", virJsonString(virJsonGet(reply, "result"), "session"));
    cJSON_Delete(reply);
}

static inline void
join(struct client *c, const char *more)
{
    joinAt(c, scratchPath("sock"), more);
}

static inline void
hangUp(struct client *c)
{
    close(c->who);
    nn_close(c->socket);
}

/* "UUID ID NAME" of the guest "test". */
static inline char *
guest(struct client *c)
{
    cJSON *reply = ask(c, "virDomainLookupByName", "{\"name\":\"test\"}");
    char *text = format("%s", virJsonString(virJsonGet(reply, "result"), "return"));

    cJSON_Delete(reply);
    return text;
}

static inline char *
onGuest(struct client *c)
{
    return format("{\"domain\":\"%s\"}", guest(c));
}

#endif
