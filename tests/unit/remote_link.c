/*
 * The client's link against a server that is none: a raw socket in a thread of this process, which loses messages, says them twice or too
 * late, forgets sessions, and talks nonsense.
 */
#include "../../drivers/common/platform.h"
#include "../../drivers/remote/remote.c"
#include "../harness.h"

#if VIRT_WITH_REMOTE

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------- the server ---------- */

struct fakeAnswer {
    unsigned long long id;
    char *text;                       /* NULL: running */
    struct fakeAnswer *next;
};

/* A reply that is to come later. */
struct fakeLate {
    unsigned char control[64];
    size_t length;
    unsigned long long id;
    char *text;
    long long due;
    struct fakeLate *next;
};

struct fake {
    char path[120], who[128];
    int socket, ready, listener, wake[2];
    int clients[32], nclients;
    pthread_t thread;
    pthread_mutex_t lock;             /* guards what follows */
    bool stop;
    char session[33];
    int sessions;
    struct fakeAnswer *answers;
    struct fakeLate *late;

    /* what it does wrong */
    int dropRequests, dropReplies, doubles;       /* so many of the next ones */
    int dropEach;                                 /* each so many'th message, either way */
    int lateMs;                                   /* calls take that long; -1: for ever */
    int amnesias;                                 /* calls after which it forgets everything, without a reply */
    bool forgets;                                 /* knows no session but that of the next hello */
    const char *hostile;                          /* what it answers to calls */
    const char *refuses;                          /* what it answers to hello */
    bool mute;                                    /* says nothing at all */
    size_t part;
    int parallel, phaseReturn;

    /* what it has seen */
    int messages, hellos, carriedOut, asks, parts, mores, pings, byes, running, mostRunning;
    unsigned long long seen;
    int seenApart;                    /* ids that were named one by one */
    char *request;                    /* of a call in parts */
};

static void
fakeSend(struct fake *fake, const void *control, size_t length, const char *text)
{
    struct nn_iovec part = { (void *)(uintptr_t)text, strlen(text) };
    struct nn_msghdr message = { &part, 1, (void *)(uintptr_t)control, length };
    int times = 1;

    fake->messages++;
    if (fake->mute || (fake->dropEach > 0 && fake->messages % fake->dropEach == 0))
        return;
    if (fake->dropReplies > 0) {
        fake->dropReplies--;
        return;
    }
    if (fake->doubles > 0) {
        fake->doubles--;
        times = 2;
    }
    for (int i = 0; i < times; i++)
        nn_sendmsg(fake->socket, &message, NN_DONTWAIT);
}

static struct fakeAnswer *
fakeFind(struct fake *fake, unsigned long long id)
{
    struct fakeAnswer *answer = fake->answers;

    while (answer != NULL && answer->id != id)
        answer = answer->next;
    return answer;
}

/* A whole reply, or its first part. */
static void
fakeSendAnswer(struct fake *fake, const void *control, size_t length, unsigned long long id, const char *text, size_t offset)
{
    cJSON *part;
    char *slice, *whole;

    if (fake->part == 0 || (offset == 0 && strlen(text) <= fake->part)) {
        fakeSend(fake, control, length, text);
        return;
    }
    slice = strndup(text + offset, fake->part);
    part = virJsonObject("u:id", id, "s:part", slice, "z:offset", (unsigned long long)offset, "z:total", (unsigned long long)strlen(text), NULL);
    whole = virJsonFormat(part);
    fakeSend(fake, control, length, whole);
    free(whole);
    free(slice);
    cJSON_Delete(part);
}

static void
fakeError(struct fake *fake, const void *control, size_t length, unsigned long long id, int code)
{
    char text[160];

    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":%d,\"message\":\"fake\"}}", id, code);
    fakeSend(fake, control, length, text);
}

static void
fakeResult(struct fake *fake, const void *control, size_t length, unsigned long long id, const char *result)
{
    char *text = virStringFormat("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":%s}", id, result);

    fakeSend(fake, control, length, text);
    free(text);
}

static void
fakeForget(struct fake *fake)
{
    struct fakeAnswer *answer;
    struct fakeLate *late;

    while ((answer = fake->answers) != NULL) {
        fake->answers = answer->next;
        free(answer->text);
        free(answer);
    }
    while ((late = fake->late) != NULL) {
        fake->late = late->next;
        free(late->text);
        free(late);
    }
    fake->running = 0;
}

static void
fakeCarryOut(struct fake *fake, const void *control, size_t length, unsigned long long id, const cJSON *request)
{
    struct fakeAnswer *answer = fakeFind(fake, id);
    cJSON *params = virJsonGet(request, "params"), *reply;
    const char *text = virJsonString(params, "text");
    bool phase = strcmp(virJsonString(request, "method"), "virPhase") == 0;
    char *formatted;

    if (answer != NULL) {
        if (answer->text == NULL)
            fakeError(fake, control, length, id, -32002);
        else
            fakeSendAnswer(fake, control, length, id, answer->text, 0);
        return;
    }
    fake->carriedOut++;
    if (fake->amnesias > 0) {
        fake->amnesias--;
        fakeForget(fake);
        fake->forgets = true;
        return;
    }
    fake->running++;
    if (fake->running > fake->mostRunning)
        fake->mostRunning = fake->running;
    answer = calloc(1, sizeof(*answer));
    answer->id = id;
    answer->next = fake->answers;
    fake->answers = answer;
    reply = virJsonObject("s:jsonrpc", "2.0", "u:id", id,
                          "a:result", virJsonObject("i:return", phase ? fake->phaseReturn : 0, "s:echo", text != NULL ? text : "", NULL), NULL);
    formatted = fake->hostile != NULL ? strdup(fake->hostile) : virJsonFormat(reply);
    cJSON_Delete(reply);
    if (fake->lateMs == 0) {
        answer->text = formatted;
        fake->running--;
        fakeSendAnswer(fake, control, length, id, formatted, 0);
    } else {
        struct fakeLate *late = calloc(1, sizeof(*late));

        memcpy(late->control, control, length);
        late->length = length;
        late->id = id;
        late->text = formatted;
        late->due = fake->lateMs < 0 ? INT64_MAX : harnessNowMs() + fake->lateMs;
        late->next = fake->late;
        fake->late = late;
    }
}

static void
fakeSendLate(struct fake *fake)
{
    struct fakeLate **link = &fake->late, *late;

    while ((late = *link) != NULL) {
        if (late->due > harnessNowMs()) {
            link = &late->next;
            continue;
        }
        *link = late->next;
        fake->running--;
        if (fakeFind(fake, late->id) != NULL)
            fakeFind(fake, late->id)->text = strdup(late->text);
        fakeSendAnswer(fake, late->control, late->length, late->id, late->text, 0);
        free(late->text);
        free(late);
    }
}

static void
fakeHello(struct fake *fake, const void *control, size_t length, unsigned long long id)
{
    char *result;

    fake->hellos++;
    if (fake->refuses != NULL) {
        char *text = virStringFormat("{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}", id, fake->refuses);

        fakeSend(fake, control, length, text);
        free(text);
        return;
    }
    fake->sessions++;
    snprintf(fake->session, sizeof(fake->session), "%032x", 0x1000 + fake->sessions + (int)(getpid() % 100) * 256);
    result = virStringFormat("{\"session\":\"%s\",\"server\":\"ab\",\"driver\":\"Fake\",\"methods\":[],"
                             "\"limits\":{\"part\":%zu,\"parallel\":%d}}", fake->session, fake->part != 0 ? fake->part : 262144,
                             fake->parallel != 0 ? fake->parallel : 16);
    fakeResult(fake, control, length, id, result);
    free(result);
}

/* The session's own methods. */
static void
fakeOwn(struct fake *fake, const void *control, size_t length, unsigned long long id, const char *method, const cJSON *params)
{
    unsigned long long call = 0, offset = 0, total = 0;
    struct fakeAnswer *answer;
    cJSON *whole;

    virJsonULongLong(params, "call", &call);
    virJsonULongLong(params, "offset", &offset);
    virJsonULongLong(params, "total", &total);
    answer = fakeFind(fake, call);
    if (strcmp(method, "virt.ask") == 0) {
        fake->asks++;
        if (answer == NULL)
            fakeError(fake, control, length, id, -32004);
        else if (answer->text == NULL)
            fakeError(fake, control, length, id, -32002);
        else
            fakeSendAnswer(fake, control, length, call, answer->text, 0);
    } else if (strcmp(method, "virt.more") == 0) {
        fake->mores++;
        if (answer != NULL && answer->text != NULL)
            fakeSendAnswer(fake, control, length, id, answer->text, (size_t)offset);
        else
            fakeError(fake, control, length, id, -32004);
    } else if (strcmp(method, "virt.part") == 0) {
        char ack[64];

        fake->parts++;
        if (offset == 0 && fake->request == NULL)
            fake->request = calloc(1, (size_t)total + 1);
        if (fake->request != NULL && offset == strlen(fake->request))
            strcat(fake->request, virJsonString(params, "text"));
        snprintf(ack, sizeof(ack), "{\"offset\":%zu}", fake->request != NULL ? strlen(fake->request) : (size_t)total);
        fakeResult(fake, control, length, id, ack);
        if (fake->request != NULL && strlen(fake->request) == total && (whole = cJSON_Parse(fake->request)) != NULL) {
            fakeCarryOut(fake, control, length, call, whole);
            cJSON_Delete(whole);
            free(fake->request);
            fake->request = NULL;
        }
    } else {
        fake->pings += strcmp(method, "virt.ping") == 0;
        fake->byes += strcmp(method, "virt.bye") == 0;
        fakeResult(fake, control, length, id, "{}");
    }
}

static void
fakeTake(struct fake *fake)
{
    unsigned char control[64];
    char *text = NULL;
    struct nn_iovec part = { &text, NN_MSG };
    struct nn_msghdr message = { &part, 1, control, sizeof(control) };
    int n = nn_recvmsg(fake->socket, &message, NN_DONTWAIT);
    cJSON *request;
    const char *method, *session;
    unsigned long long id = 0;

    if (n < 0)
        return;
    request = cJSON_ParseWithLength(text, (size_t)n);
    nn_freemsg(text);
    CHECK_PTR(request);
    CHECK_STR(virJsonString(request, "jsonrpc"), "2.0");
    method = virJsonString(request, "method");
    session = virJsonString(request, "session");
    CHECK_OK(virJsonULongLong(request, "id", &id));
    fake->seen = 0;
    if (cJSON_IsArray(virJsonGet(request, "seen")))
        fake->seenApart += cJSON_GetArraySize(virJsonGet(request, "seen")) - 1;
    else
        virJsonULongLong(request, "seen", &fake->seen);
    CHECK(fake->seen < id);
    fake->messages++;
    if (fake->mute || (fake->dropEach > 0 && fake->messages % fake->dropEach == 0)) {
        /* lost */
    } else if (strcmp(method, "virt.hello") == 0) {
        fake->forgets = false;
        fakeHello(fake, control, message.msg_controllen, id);
    } else if (fake->dropRequests > 0) {
        fake->dropRequests--;
    } else if (fake->forgets || session == NULL || strcmp(session, fake->session) != 0) {
        fakeError(fake, control, message.msg_controllen, id, -32001);
    } else if (strncmp(method, "virt.", 5) == 0) {
        fakeOwn(fake, control, message.msg_controllen, id, method, virJsonGet(request, "params"));
    } else {
        fakeCarryOut(fake, control, message.msg_controllen, id, request);
    }
    cJSON_Delete(request);
}

static void *
fakeRun(void *opaque)
{
    struct fake *fake = opaque;
    bool stop = false;

    while (!stop) {
        struct pollfd fds[3] = { { .fd = fake->ready, .events = POLLIN }, { .fd = fake->listener, .events = POLLIN },
                                 { .fd = fake->wake[0], .events = POLLIN } };

        poll(fds, 3, 5);
        pthread_mutex_lock(&fake->lock);
        if (fds[0].revents != 0)
            fakeTake(fake);
        if (fds[1].revents != 0) {
            int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);

            CHECK(fd >= 0);
            CHECK_INT(write(fd, "0123456789abcdef0123456789abcdef\n", 33), 33);
            CHECK(fake->nclients < 32);
            fake->clients[fake->nclients++] = fd;
        }
        fakeSendLate(fake);
        stop = fake->stop;
        pthread_mutex_unlock(&fake->lock);
    }
    return NULL;
}

static void
fakeStart(struct fake *fake)
{
    char address[160];
    size_t size = sizeof(int);

    snprintf(address, sizeof(address), "ipc://%s", fake->path);
    fake->nclients = 0;
    fake->stop = false;
    CHECK((fake->socket = nn_socket(AF_SP_RAW, NN_REP)) >= 0);
    CHECK(nn_bind(fake->socket, address) >= 0);
    CHECK_INT(nn_getsockopt(fake->socket, NN_SOL_SOCKET, NN_RCVFD, &fake->ready, &size), 0);
    CHECK_OK(fake->listener = virFileListen(fake->who, 8));
    CHECK_OK(virPlatformWakeOpen(fake->wake));
    CHECK_INT(pthread_create(&fake->thread, NULL, fakeRun, fake), 0);
}

static void
fakeStop(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->stop = true;
    pthread_mutex_unlock(&fake->lock);
    virPlatformWakeSend(fake->wake);
    pthread_join(fake->thread, NULL);
    nn_close(fake->socket);
    for (int i = 0; i < fake->nclients; i++)
        close(fake->clients[i]);
    close(fake->listener);
    close(fake->wake[0]);
    close(fake->wake[1]);
    unlink(fake->path);
    unlink(fake->who);
    fakeForget(fake);
    strcpy(fake->session, "none");
}

static struct fake *
fakeNew(void)
{
    struct fake *fake = calloc(1, sizeof(*fake));

    pthread_mutex_init(&fake->lock, NULL);
    snprintf(fake->path, sizeof(fake->path), "%s", scratchPath("sock"));
    snprintf(fake->who, sizeof(fake->who), "%s.who", fake->path);
    fake->phaseReturn = VIR_MIGRATION_DONE;
    fakeStart(fake);
    return fake;
}

static void
fakeFree(struct fake *fake)
{
    fakeStop(fake);
    free(fake->request);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

#define FAKE(fake, expression) \
    do { pthread_mutex_lock(&(fake)->lock); expression; pthread_mutex_unlock(&(fake)->lock); } while (0)

static int
fakeGet(struct fake *fake, const int *value)
{
    int got;

    FAKE(fake, got = *value);
    return got;
}

/* ---------- the client ---------- */

static const struct remoteMethod writeMethod = { .name = "virWrite", .writes = true };
static const struct remoteMethod readMethod = { .name = "virRead", .repeats = true };
static const struct remoteMethod phaseMethod = { .name = "virPhase", .repeats = true };

static virConnectPtr
openFake(struct fake *fake, const char *more)
{
    char uri[256];
    virConnectPtr conn;

    snprintf(uri, sizeof(uri), "fake+unix:///default?socket=%s%s", fake->path, more);
    CHECK_PTR(conn = virConnectOpen(uri));
    CHECK_STR(virConnectGetType(conn), "Fake");
    return conn;
}

/* The call, its text coming back. */
static int
callFake(virConnectPtr conn, const struct remoteMethod *method, const char *text)
{
    cJSON *result = NULL;
    int rc;

    virResetLastError();
    rc = remoteLinkCall(conn, method, virJsonObject("s:text", text, NULL), NULL, &result);
    if (rc > 0)
        CHECK_STR(virJsonString(result, "echo"), text);
    cJSON_Delete(result);
    return rc;
}

static int
phaseFake(virConnectPtr conn, int timeout, const char *text)
{
    struct virMigrationCall call = { .uuid = "0c0ffee0-0000-4000-8000-000000000001", .timeout = timeout, .stream = -1 };
    cJSON *result = NULL;
    int rc = remoteLinkCall(conn, &phaseMethod, virJsonObject("a:call", virJsonObject("i:timeout", timeout, NULL), "s:text", text, NULL), &call,
                            &result);

    if (rc > 0)
        CHECK_STR(virJsonString(result, "echo"), text);
    cJSON_Delete(result);
    return rc;
}

/* A test of one connection to a fake server, which has them from the first to the last line. */
#define TEST_LINKED(name)                                        \
    static void linked_##name(struct fake *fake, virConnectPtr conn); \
    TEST(name)                                                   \
    {                                                            \
        struct fake *fake = fakeNew();                           \
        virConnectPtr conn = openFake(fake, "");                 \
                                                                 \
        linked_##name(fake, conn);                               \
        virConnectClose(conn);                                   \
        fakeFree(fake);                                          \
    }                                                            \
    static void                                                  \
    linked_##name(struct fake *fake __attribute__((unused)), virConnectPtr conn)

TEST(a_call_is_carried_out_and_answered)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn = openFake(fake, "");

    CHECK_INT(callFake(conn, &writeMethod, "hello"), 1);
    CHECK_INT(callFake(conn, &readMethod, "again"), 1);
    CHECK_INT(fake->carriedOut, 2);
    CHECK_INT(fake->asks, 0);
    CHECK_INT(virConnectIsAlive(conn), 1);
    CHECK_INT(virConnectIsEncrypted(conn), 0);
    CHECK_INT(virConnectIsSecure(conn), 1);
    CHECK_INT(virConnectClose(conn), 0);
    WAIT_FOR(fakeGet(fake, &fake->byes) == 1, 1000);
    fakeFree(fake);
}

TEST(what_was_answered_is_said_to_be_seen)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn = openFake(fake, "");
    unsigned long long before = 0, after;

    for (int i = 0; i < 20; i++) {
        CHECK_INT(callFake(conn, &readMethod, "x"), 1);
        FAKE(fake, after = fake->seen);
        CHECK(i == 0 || after > before);
        before = after;
    }
    virConnectClose(conn);
    fakeFree(fake);
}

TEST_LINKED(a_long_call_does_not_make_the_server_keep_the_replies_to_others)
{
    FAKE(fake, fake->lateMs = -1);
    CHECK_INT(phaseFake(conn, 0, "long"), 0);
    WAIT_FOR(fakeGet(fake, &fake->carriedOut) == 1, 2000);
    FAKE(fake, fake->lateMs = 0);
    for (int i = 0; i < 100; i++)
        CHECK_INT(callFake(conn, &readMethod, "x"), 1);
    CHECK_INT(fake->seenApart, 99);
}

TEST_LINKED(a_lost_request_is_sent_again)
{
    FAKE(fake, fake->dropRequests = 1);
    CHECK_INT(callFake(conn, &writeMethod, "lost"), 1);
    CHECK_INT(fake->carriedOut, 1);
    CHECK_INT(fake->asks, 1);
}

TEST_LINKED(a_lost_reply_is_asked_for_and_the_call_not_repeated)
{
    FAKE(fake, fake->dropReplies = 1);
    CHECK_INT(callFake(conn, &writeMethod, "lost"), 1);
    CHECK_INT(fake->carriedOut, 1);
    CHECK_INT(fake->asks, 1);
}

TEST_LINKED(a_late_reply_is_waited_for)
{
    FAKE(fake, fake->lateMs = 3500);
    CHECK_INT(callFake(conn, &writeMethod, "late"), 1);
    CHECK_INT(fake->carriedOut, 1);
    CHECK_INT(fake->asks, 2);         /* after 1 s and 2 s more */
}

TEST_LINKED(a_reply_said_twice_counts_once)
{
    FAKE(fake, fake->doubles = 100);
    for (int i = 0; i < 20; i++) {
        char text[16];

        snprintf(text, sizeof(text), "%d", i);
        CHECK_INT(callFake(conn, &writeMethod, text), 1);
    }
    CHECK_INT(fake->carriedOut, 20);
}

TEST_LINKED(a_lost_session_leaves_a_write_undecided_and_the_connection_useful)
{
    FAKE(fake, fake->amnesias = 1);
    CHECK_INT(callFake(conn, &writeMethod, "once"), -1);
    CHECK_ERROR(VIR_ERR_RPC);
    CHECK_CONTAINS(virGetLastErrorMessage(), "connection to the server was lost during virWrite: whether it was carried out is not known");
    CHECK_INT(fake->carriedOut, 1);
    CHECK_INT(callFake(conn, &writeMethod, "next"), 1);
    CHECK_INT(fake->carriedOut, 2);
    CHECK_INT(fake->hellos, 2);
    CHECK_INT(virConnectIsAlive(conn), 1);
}

TEST_LINKED(a_lost_session_repeats_what_only_reads)
{
    FAKE(fake, fake->amnesias = 1);
    CHECK_INT(callFake(conn, &readMethod, "twice"), 1);
    CHECK_INT(fake->carriedOut, 2);
}

/* Nothing of it can have been carried out: the server says so of the only message there was. */
TEST_LINKED(a_write_that_meets_a_lost_session_is_sent_in_the_new_one)
{
    long long began = harnessNowMs();

    FAKE(fake, fake->forgets = true);
    CHECK_INT(callFake(conn, &writeMethod, "first"), 1);
    CHECK_INT(fake->carriedOut, 1);
    CHECK_INT(fake->hellos, 2);
    CHECK_LESS(harnessNowMs() - began, harnessSlow(500));
}

struct caller {
    virConnectPtr conn;
    const struct remoteMethod *method;
    const char *text;
    int rc, code;
    char message[256];
    pthread_t thread;
};

static void *
callerRun(void *opaque)
{
    struct caller *caller = opaque;

    caller->rc = callFake(caller->conn, caller->method, caller->text);
    caller->code = virGetLastErrorCode();
    snprintf(caller->message, sizeof(caller->message), "%s", virGetLastErrorMessage());
    return NULL;
}

static void
callerStart(struct caller *caller, virConnectPtr conn, const struct remoteMethod *method, const char *text)
{
    caller->conn = conn;
    caller->method = method;
    caller->text = text;
    CHECK_INT(pthread_create(&caller->thread, NULL, callerRun, caller), 0);
}

TEST_LINKED(a_server_that_comes_back_serves_those_who_wait)
{
    struct caller writer = { 0 }, reader = { 0 };
    long long began;

    FAKE(fake, fake->lateMs = -1);
    callerStart(&writer, conn, &writeMethod, "w");
    WAIT_FOR(fakeGet(fake, &fake->carriedOut) == 1, 2000);
    callerStart(&reader, conn, &readMethod, "r");
    WAIT_FOR(fakeGet(fake, &fake->carriedOut) == 2, 2000);
    fakeStop(fake);
    began = harnessNowMs();
    pthread_join(writer.thread, NULL);            /* without waiting for the server */
    CHECK_LESS(harnessNowMs() - began, harnessSlow(1000));
    CHECK_INT(writer.rc, -1);
    CHECK_INT(writer.code, VIR_ERR_RPC);
    CHECK_CONTAINS(writer.message, "whether it was carried out is not known");
    fake->lateMs = 0;
    fakeStart(fake);
    pthread_join(reader.thread, NULL);
    CHECK_INT(reader.rc, 1);
    CHECK_INT(callFake(conn, &writeMethod, "after"), 1);
}

static int closedReason = -1, closedTimes;

static void
closed(virConnectPtr conn, int reason, void *opaque)
{
    (void)conn;
    (void)opaque;
    closedReason = reason;
    closedTimes++;
}

TEST(a_server_that_stays_away_is_lost_for_good)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn = openFake(fake, "&reconnect=1");
    long long began;

    CHECK_OK(virConnectRegisterCloseCallback(conn, closed, NULL, NULL));
    fakeStop(fake);
    CHECK_INT(virConnectIsAlive(conn), 1);        /* it may come back */
    began = harnessNowMs();
    CHECK_INT(callFake(conn, &writeMethod, "x"), -1);
    CHECK_ERROR(VIR_ERR_RPC);
    CHECK(harnessNowMs() - began > 800);
    CHECK_LESS(harnessNowMs() - began, harnessSlow(2500));
    CHECK_INT(closedTimes, 1);
    CHECK_INT(closedReason, VIR_CONNECT_CLOSE_REASON_EOF);
    CHECK_INT(virConnectIsAlive(conn), 0);
    began = harnessNowMs();
    CHECK_INT(callFake(conn, &readMethod, "y"), -1);
    CHECK_ERROR(VIR_ERR_RPC);
    CHECK_CONTAINS(virGetLastErrorMessage(), "was not carried out");
    CHECK_LESS(harnessNowMs() - began, harnessSlow(100));
    CHECK_INT(closedTimes, 1);
    CHECK_INT(virConnectClose(conn), 0);
    fakeStart(fake);
    fakeFree(fake);
}

/* One thread without a loop, which asks for nothing but this. */
TEST(looking_whether_it_is_alive_is_enough_to_find_out)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn = openFake(fake, "&reconnect=1");

    fakeStop(fake);
    WAIT_FOR(virConnectIsAlive(conn) == 0, 3000);
    CHECK_INT(virConnectClose(conn), 0);
    fakeStart(fake);
    fakeFree(fake);
}

static char *
longText(size_t length)
{
    char *text = malloc(length + 4);

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + i % 26);
    text[length] = '\0';
    /* no part may end within this */
    for (size_t i = 100; i + 2 < length; i += 97)
        memcpy(text + i, "\xc3\xa9", 2);
    return text;
}

TEST(long_requests_go_in_parts_and_are_carried_out_once)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn;
    char *text = longText(20000);
    cJSON *result = NULL;

    fake->part = 2048;
    conn = openFake(fake, "");
    FAKE(fake, fake->part = 0);
    CHECK_INT(callFake(conn, &writeMethod, text), 1);
    CHECK_INT(fake->carriedOut, 1);
    CHECK(fake->parts >= 10);
    FAKE(fake, fake->dropEach = 7);
    CHECK_INT(callFake(conn, &writeMethod, text), 1);
    CHECK_INT(fake->carriedOut, 2);
    cJSON_Delete(result);
    FAKE(fake, fake->dropEach = 0);
    virConnectClose(conn);
    fakeFree(fake);
    free(text);
}

TEST(long_replies_come_in_parts)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn = openFake(fake, "");
    char *text = longText(20000);

    for (size_t i = 0; i < strlen(text); i++)
        if ((unsigned char)text[i] >= 0x80)
            text[i] = '.';            /* the fake server cuts where it likes */
    FAKE(fake, fake->part = 3000);
    CHECK_INT(callFake(conn, &writeMethod, text), 1);
    CHECK_INT(fake->carriedOut, 1);
    CHECK_INT(fake->mores, 6);
    FAKE(fake, fake->dropEach = 5);
    CHECK_INT(callFake(conn, &writeMethod, text), 1);
    CHECK_INT(fake->carriedOut, 2);
    FAKE(fake, fake->dropEach = 0);
    virConnectClose(conn);
    fakeFree(fake);
    free(text);
}

TEST(nonsense_ends_the_call_and_nothing_else)
{
    static const char *const replies[] = {
        "", "{", "null", "[]", "42", "{}", "\"text\"", "{\"id\":null,\"result\":{}}", "{\"id\":1e300,\"result\":{}}",
        "{\"id\":3,\"result\":{}}", "{\"jsonrpc\":\"2.0\",\"id\":77777,\"result\":{}}", "{\"id\":-5,\"error\":{}}",
        "{\"id\":\"\\u0000\",\"result\":{}}", "{\"id\":2,\"part\":\"\",\"offset\":0,\"total\":5}", "\xff\xfe",
    };
    struct fake *fake = fakeNew();
    virConnectPtr conn = openFake(fake, "");

    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        int before = fake->carriedOut;

        harnessContext("%s", replies[i]);
        FAKE(fake, fake->hostile = replies[i]);
        CHECK_INT(callFake(conn, &writeMethod, "x"), -1);
        CHECK_ERROR(VIR_ERR_RPC);
        CHECK_INT(fake->carriedOut, before + 1);
        FAKE(fake, fake->hostile = NULL);
        CHECK_INT(callFake(conn, &writeMethod, "x"), 1);
    }
    virConnectClose(conn);
    fakeFree(fake);
}

TEST_LINKED(parts_that_lie_end_the_call)
{
    char reply[160];

    for (int i = 0; i < 3; i++) {
        static const char *const rest[] = { "\"offset\":0,\"total\":99999999999", "\"offset\":7,\"total\":10", "\"offset\":0,\"total\":4" };
        int before = fake->carriedOut;

        /* the id is that of the next call */
        snprintf(reply, sizeof(reply), "{\"id\":%llu,\"part\":\"four\",%s}", remoteConnectionOf(conn)->link->lastId + 1, rest[i]);
        FAKE(fake, fake->hostile = reply);
        CHECK_INT(callFake(conn, &writeMethod, "x"), -1);
        CHECK_ERROR(VIR_ERR_RPC);
        CHECK_INT(fake->carriedOut, before + 1);
        FAKE(fake, fake->hostile = NULL);
        CHECK_INT(callFake(conn, &writeMethod, "x"), 1);
    }
}

TEST_LINKED(a_phase_with_no_time_does_not_wait_and_is_answered_later)
{
    struct virMigrationCall call = { .uuid = "0c0ffee0-0000-4000-8000-000000000001" };
    long long began = harnessNowMs();
    struct pollfd poller;
    int events, ms;

    FAKE(fake, fake->lateMs = 300);
    CHECK_INT(phaseFake(conn, 0, "p"), 0);
    CHECK_INT(phaseFake(conn, 0, "p"), 0);
    CHECK_LESS(harnessNowMs() - began, harnessSlow(200));
    CHECK_OK(remoteLinkWait(conn, &call, &poller.fd, &events, &ms));
    CHECK(events == VIR_EVENT_HANDLE_READABLE && ms > 0);
    poller.events = POLLIN;
    CHECK_INT(poll(&poller, 1, (int)harnessSlow(2000)), 1);
    CHECK_INT(phaseFake(conn, 0, "p"), 1);
    CHECK_INT(fake->carriedOut, 1);
    FAKE(fake, fake->lateMs = 0);
    CHECK_INT(phaseFake(conn, 1000, "p"), 1);     /* a new one */
    CHECK_INT(fake->carriedOut, 2);
    CHECK_INT(phaseFake(conn, 1000, "other"), 1);
    CHECK_INT(fake->carriedOut, 3);
}

TEST_LINKED(another_thread_that_reads_tells_a_phase_that_its_reply_is_there)
{
    struct virMigrationCall call = { .uuid = "0c0ffee0-0000-4000-8000-000000000001" };
    struct caller caller = { 0 };
    struct pollfd poller;
    int events, ms;

    FAKE(fake, fake->lateMs = 2000);
    callerStart(&caller, conn, &writeMethod, "slow");
    WAIT_FOR(fakeGet(fake, &fake->carriedOut) == 1, 2000);
    FAKE(fake, fake->lateMs = 300);
    CHECK_INT(phaseFake(conn, 0, "p"), 0);
    CHECK_OK(remoteLinkWait(conn, &call, &poller.fd, &events, &ms));
    poller.events = POLLIN;
    CHECK_INT(poll(&poller, 1, (int)harnessSlow(1200)), 1);
    CHECK_INT(phaseFake(conn, 0, "p"), 1);
    CHECK_INT(fakeGet(fake, &fake->running), 1);
    pthread_join(caller.thread, NULL);
    CHECK_INT(caller.rc, 1);
}

TEST(a_phase_is_never_failed_by_a_silent_or_lost_server)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn = openFake(fake, "&reconnect=1");
    long long began = harnessNowMs();

    FAKE(fake, fake->mute = true);
    CHECK_INT(phaseFake(conn, 300, "p"), 0);
    CHECK(harnessNowMs() - began >= 290);
    CHECK_LESS(harnessNowMs() - began, harnessSlow(1000));
    FAKE(fake, fake->mute = false);
    CHECK_INT(phaseFake(conn, 5000, "p"), 1);
    CHECK_INT(fake->carriedOut, 1);
    FAKE(fake, fake->phaseReturn = 0);
    CHECK_INT(phaseFake(conn, 0, "q"), 0);
    harnessSleepMs(100);
    CHECK_INT(phaseFake(conn, 0, "q"), 0);        /* the server says AGAIN itself */
    fakeStop(fake);
    began = harnessNowMs();
    while (harnessNowMs() - began < 2500) {
        CHECK_INT(phaseFake(conn, 100, "q"), 0);
        CHECK_INT(virGetLastErrorCode(), VIR_ERR_OK);
    }
    CHECK_INT(virConnectIsAlive(conn), 0);
    CHECK_INT(phaseFake(conn, 0, "q"), 0);
    virConnectClose(conn);
    fakeStart(fake);
    fakeFree(fake);
}

struct many {
    virConnectPtr conn;
    int number, calls, failed;
    pthread_t thread;
};

static void *
manyRun(void *opaque)
{
    struct many *many = opaque;
    char text[32];

    for (int i = 0; i < many->calls; i++) {
        snprintf(text, sizeof(text), "%d/%d", many->number, i);
        many->failed += callFake(many->conn, i % 2 ? &writeMethod : &readMethod, text) != 1;
    }
    return NULL;
}

static void
manyCalls(virConnectPtr conn, int calls)
{
    struct many many[8];

    for (int i = 0; i < 8; i++) {
        many[i] = (struct many){ conn, i, calls, 0, 0 };
        CHECK_INT(pthread_create(&many[i].thread, NULL, manyRun, &many[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(many[i].thread, NULL);
        CHECK_INT(many[i].failed, 0);
    }
}

TEST_LINKED(eight_threads_each_get_their_own_reply)
{
    manyCalls(conn, 500);
    CHECK_INT(fake->carriedOut, 4000);
    CHECK_INT(fake->asks, 0);
}

TEST_LINKED(eight_threads_over_a_link_that_loses_messages)
{
    FAKE(fake, fake->dropEach = 61);
    manyCalls(conn, 40);
    CHECK_INT(fake->carriedOut, 320);
    FAKE(fake, fake->dropEach = 0);
}

TEST(no_more_calls_are_sent_than_the_server_takes)
{
    struct fake *fake = fakeNew();
    virConnectPtr conn;

    fake->parallel = 3;
    fake->lateMs = 5;
    conn = openFake(fake, "");
    manyCalls(conn, 10);
    CHECK_INT(fake->carriedOut, 80);
    CHECK_INT(fake->mostRunning, 3);
    CHECK_INT(fake->asks, 0);
    virConnectClose(conn);
    fakeFree(fake);
}

TEST_LINKED(a_forked_child_is_told_and_the_parent_goes_on)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        bool ok = callFake(conn, &readMethod, "x") == -1 && virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID
                  && strstr(virGetLastErrorMessage(), "forked") != NULL && virConnectIsAlive(conn) == -1 && virConnectClose(conn) == 0;

        _exit(ok ? 0 : 1);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(callFake(conn, &writeMethod, "x"), 1);
    CHECK_INT(fake->byes, 0);
    CHECK_INT(fake->hellos, 1);
}

TEST(a_server_that_refuses_is_quoted)
{
    struct fake *fake = fakeNew();
    char uri[200];

    snprintf(uri, sizeof(uri), "fake+unix:///default?socket=%s", fake->path);
    FAKE(fake, fake->refuses = "\"error\":{\"code\":88,\"message\":\"you are not welcome\"}");
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_ACCESS_DENIED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "you are not welcome");
    FAKE(fake, fake->refuses = "\"result\":{}");
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_RPC);
    FAKE(fake, fake->refuses = "\"result\":{\"session\":\"\\\"},{\"}");
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_RPC);
    fakeFree(fake);
}

/* ---- a connection that closes as soon as it is greeted: nanomsg, now and then, counts it for ever and makes no other ---- */

static struct {
    char path[120], aside[140];
    int fd, traps;
    pthread_t thread;
} trap;

/* Greets so many and closes, then gives the place back. */
static void *
traps(void *opaque)
{
    struct pollfd ready = { .fd = trap.fd, .events = POLLIN };
    int fd;

    (void)opaque;
    while (trap.traps > 0) {
        if (poll(&ready, 1, 1000) != 1)
            break;
        if ((fd = accept(trap.fd, NULL, NULL)) < 0)
            continue;
        send(fd, "\0SP\0\0\x31\0\0", 8, MSG_NOSIGNAL);
        close(fd);
        trap.traps--;
    }
    rename(trap.aside, trap.path);
    close(trap.fd);
    return NULL;
}

static void
trapBegin(struct fake *fake, int n)
{
    snprintf(trap.path, sizeof(trap.path), "%s", fake->path);
    snprintf(trap.aside, sizeof(trap.aside), "%s.aside", fake->path);
    trap.traps = n;
    CHECK_OK(rename(trap.path, trap.aside));
    CHECK_OK(trap.fd = virFileListen(trap.path, 8));
    CHECK_INT(pthread_create(&trap.thread, NULL, traps, NULL), 0);
}

TEST(a_connection_that_closes_as_it_is_made_is_made_anew)
{
    for (int i = 0; i < 3; i++) {
        struct fake *fake = fakeNew();
        virConnectPtr conn;

        trapBegin(fake, 20);
        conn = openFake(fake, "");
        CHECK_INT(pthread_join(trap.thread, NULL), 0);
        CHECK_INT(callFake(conn, &readMethod, "x"), 1);
        virConnectClose(conn);
        fakeFree(fake);
    }
}

TEST(where_there_is_no_server_the_error_says_where_and_what)
{
    char uri[200];
    long long began = harnessNowMs();

    snprintf(uri, sizeof(uri), "test+unix:///default?socket=%s", scratchPath("nobody"));
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_SYSTEM_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), scratchPath("nobody"));
    CHECK_CONTAINS(virGetLastErrorMessage(), "virServerListen");
    CHECK_LESS(harnessNowMs() - began, harnessSlow(500));
}

TEST(what_a_uri_says_is_checked)
{
    static const struct { const char *uri, *word; } wrong[] = {
        { "test+unix:///default?sockt=/x", "sockt" },
        { "test+unix:///default?keyfile=/x", "keyfile" },
        { "test+unix:///default?socket=x", "absolute" },
        { "test+unix://host/default", "host" },
        { "test+unix:///default?reconnect=soon", "reconnect=soon" },
        { "test+unix:///default?reconnect=-1", "reconnect=-1" },
        { "test+ssh:///default", "HOST" },
        { "test+ssh://host/default?no_tty=yes", "no_tty=yes" },
        { "test+ssh://host/default?netcat=nc", "netcat" },
        { "test+tcp:///default", "HOST" },
        { "test+tcp://me@host/default", "'me'" },
        { "test+ws://host/default?socket=/x", "socket" },
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        harnessContext("%s", wrong[i].uri);
        CHECK_FAILS_NULL(virConnectOpen(wrong[i].uri), VIR_ERR_INVALID_ARG);
        CHECK_CONTAINS(virGetLastErrorMessage(), wrong[i].word);
    }
    CHECK_FAILS_NULL(virConnectOpen("test+ext:///default"), VIR_ERR_NO_CONNECT);
}

TEST(the_servers_uri_is_ours_without_the_way_to_it)
{
    static const struct { const char *uri, *served; } uris[] = {
        { "test+unix:///default?socket=/x", "test:///default" },
        { "qemu+ssh://me@host:22/system?no_tty=1", "qemu:///system" },
        { "qemu+tcp://[::1]:99/system", "qemu:///system" },
        { "test+unix:///a%20b#c", "test:///a%20b" },
        { "test+unix:/default", "test:///default" },
        { "test+unix:///default?name=test:///default%3Fhost=b", "test:///default?host=b" },
    };

    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        struct virUri *uri = virUriParse(uris[i].uri);
        char *served;

        CHECK_PTR(uri);
        CHECK_PTR(served = remoteUriServed(uris[i].uri, uri));
        CHECK_STR(served, uris[i].served);
        free(served);
        virUriFree(uri);
    }
}

TEST_LINKED(keep_alive_needs_an_event_loop)
{
    CHECK_FAILS(virConnectSetKeepAlive(conn, 1, 2), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virConnectSetKeepAlive(conn, 0, 0));
    CHECK_OK(virConnectSetKeepAlive(conn, -1, 0));
}

TEST(connections_leave_nothing_behind)
{
    struct fake *fake = fakeNew();
    int descriptors, threads;

    virConnectClose(openFake(fake, ""));
    harnessSleepMs(50);
    descriptors = countDescriptors() - fake->nclients;
    threads = countThreads();
    for (int i = 0; i < 20; i++)
        virConnectClose(openFake(fake, ""));
    WAIT_FOR(countThreads() == threads, 2000);
    WAIT_FOR(countDescriptors() - fake->nclients <= descriptors, 2000);
    fakeFree(fake);
}

#else

TEST(the_remote_driver)
{
    SKIP("built without it");
}

#endif
