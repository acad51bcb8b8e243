/* The server: what strangers send, what is told to whom, who may what, and what is left of those who go. */
#include "../../drivers/common/file.h"
#include "../../drivers/remote/noise_ends.c"
#include "../../drivers/remote/session.h"
#include "../harness.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include "../remote_served.h"

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

/* The threads may all be busy: what happens meanwhile is put aside, but not without end. */
TEST(events_that_nobody_hands_out_are_dropped_and_counted)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_REBOOT, .name = "test", .id = 1 };
    struct served s;
    struct client c;
    unsigned long long lost = 0;
    size_t size = 1 << 20;
    char *text;
    cJSON *reply;

    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    checkDone(ask(&c, "virt.subscribe", "{\"filter\":[[0,null]]}"));
    CHECK_PTR(event.text[0] = text = malloc(size));
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    pthread_mutex_lock(&s.server->distribute);
    for (int i = 0; i < 50; i++)
        remoteEventsTake(s.server->hosts, &event);
    CHECK_LESS(s.server->untold, REMOTE_SERVER_UNTOLD + 1);
    event = (struct virDomainEvent){ .eventID = VIR_DOMAIN_EVENT_ID_LIFECYCLE, .name = "test", .id = 1 };       /* what it gets */
    remoteEventsTake(s.server->hosts, &event);
    pthread_mutex_unlock(&s.server->distribute);
    reply = ask(&c, "virt.events", "{\"seen\":0}");
    CHECK_OK(virJsonULongLong(virJsonGet(reply, "result"), "lost", &lost));
    CHECK_LESS(50 - 33, lost);
    CHECK_LESS(lost, 50);
    CHECK_UINT(counted(&s, "events-lost"), lost);
    cJSON_Delete(reply);
    free(text);
    hangUp(&c);
    end(&s);
}

/* ---------- who may ---------- */

static virServerPtr itsServer;
static atomic_int itsCode;

static int
freesItsServer(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    (void)who;
    (void)call;
    (void)permission;
    (void)name;
    (void)uuid;
    (void)opaque;
    virServerFree(itsServer);
    atomic_store(&itsCode, virGetLastErrorCode());
    virResetLastError();
    return 1;
}

TEST(a_server_is_not_freed_by_what_it_calls)
{
    struct served s;
    struct client c;

    make(&s, NULL, 0);
    itsServer = s.server;
    CHECK_OK(virServerSetAccess(s.server, freesItsServer, NULL, NULL));
    start(&s, 1);
    join(&c, "");
    checkDone(ask(&c, "virDomainGetInfo", onGuest(&c)));
    CHECK_INT(atomic_load(&itsCode), VIR_ERR_OPERATION_INVALID);
    checkDone(ask(&c, "virt.ping", "{}"));
    hangUp(&c);
    end(&s);
}

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
    CHECK(name != NULL || strcmp(permission, "domain.getattr") != 0);
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
    char *domain, *expected, uuid[VIR_UUID_STRING_BUFLEN];
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
    virUuidFormat(hidden->uuid, uuid);            /* described, it does not come to light either */
    reply = ask(&c, "virDomainDefineXMLFlags", "{\"xml\":\"<domain type='test'><name>hidden</name></domain>\",\"flags\":0}");
    CHECK(strstr(shown(reply), uuid) == NULL);
    checkError(reply, VIR_ERR_ACCESS_DENIED, "for domain hidden");
    reply = ask(&c, "virConnectListAllDomains", "{\"domains\":true,\"flags\":0}");
    CHECK(strstr(shown(reply), "hidden") == NULL);
    CHECK(strstr(shown(reply), "test") != NULL);
    cJSON_Delete(reply);
    expected = format("virDomainSuspend test %d %d\nvirDomainDefineXMLFlags hidden %d %d\n", VIR_ERR_ACCESS_DENIED, (int)geteuid(),
                      VIR_ERR_ACCESS_DENIED, (int)geteuid());
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

TEST(the_times_of_one_client_do_not_hide_those_of_another)
{
    struct served s;
    struct client c[2];
    struct remoteSession **all;
    unsigned long long now;

    make(&s, NULL, 0);
    start(&s, 1);
    join(&c[0], "");
    join(&c[1], "");
    CHECK_PTR(all = remoteSessionsAll(s.server, NULL));
    for (int i = 0; i < 2; i++) {
        struct remoteSession *waits = all[i], *runs = all[1 - i];         /* the one for events, the other's call takes long */

        pthread_mutex_lock(&waits->lock);
        now = virTimeNowUs();
        waits->poll.waits = true;
        waits->poll.due = now + 1000000000;
        pthread_mutex_unlock(&waits->lock);
        pthread_mutex_lock(&runs->lock);
        runs->expires = true;
        runs->running = 1;
        runs->heard = now - 1000000000;
        pthread_mutex_unlock(&runs->lock);
        CHECK(remoteSessionTick(s.server, now + 999000000) <= now + 1000000000);
        pthread_mutex_lock(&waits->lock);
        waits->poll.waits = false;
        pthread_mutex_unlock(&waits->lock);
        pthread_mutex_lock(&runs->lock);
        runs->expires = false;
        runs->running = 0;
        pthread_mutex_unlock(&runs->lock);
    }
    remoteSessionUnref(all[0]);
    remoteSessionUnref(all[1]);
    free(all);
    hangUp(&c[0]);
    hangUp(&c[1]);
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
    struct secret c, d, e, f;
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

    line = format("%s alice readonly\n%s bob readonly\n", text, otherText);              /* nor alice hers, when she may less than before */
    CHECK_OK(virFileWrite(scratchPath("authorized"), line, strlen(line), 0600));
    usleep(600000);                               /* the server looks at the file every half second */
    CHECK_INT(shakeHands(&f, address, &mine, servers.open), REMOTE_NOISE_READY);
    snprintf(f.session, sizeof(f.session), "%s", session);
    checkError(secretly(&f, "virt.ping", "{}"), -32001, "session");
    vanish(&f);

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

#else

TEST(clients_of_a_server)
{
    SKIP("built without it");
}

#endif
