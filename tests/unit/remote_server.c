/* The server, spoken to by hand: raw nanomsg messages, and nothing of the client's. */
#include "../../drivers/remote/access.c"
#include "../../drivers/remote/session.h"
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

#include "../remote_served.h"

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

TEST(who_goes_before_he_is_met_does_no_harm)
{
    struct served s;
    struct client c;
    char *who = format("%s.who", scratchPath("sock"));

    signal(SIGPIPE, SIG_DFL);                     /* a program that serves need not know of it */
    make(&s, NULL, 0);
    for (int i = 0; i < 20; i++) {
        int fd = virFileConnect(who);

        CHECK_OK(fd);
        close(fd);
    }
    start(&s, 1);
    join(&c, "");
    checkDone(ask(&c, "virt.ping", "{}"));
    hangUp(&c);
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
    CHECK_UINT(modeOf(scratchPath("wide.in")), 0600);                   /* nanomsg's own */
    virTypedParamsFree(params, n);
    end(&s);
    CHECK_OK(virFileEach(scratchPath("."), countNames, &files));
    CHECK_INT(files, 0);
}

/* nanomsg would end the process; see unit/remote_front. */
TEST(a_socket_for_others_takes_no_harm_from_what_is_no_framing)
{
    static const char nonsense[] = "\0SP\0\0\x30\0\0\2\0\0\0\0\0\0\0\6\x80\0\0\1{}";
    struct served s;
    struct client c;
    int n, fd;
    virTypedParameterPtr params = limit(VIR_SERVER_PARAM_MODE, 0666, &n);
    struct pollfd ready = { .events = 0 };

    make(&s, NULL, 0);
    CHECK_OK(virServerListen(s.server, format("unix:%s", scratchPath("wide")), params, (unsigned int)n, 0));
    virTypedParamsFree(params, n);
    start(&s, 2);
    joinAt(&c, scratchPath("wide"), "");
    checkDone(ask(&c, "virt.ping", "{}"));
    CHECK_OK(ready.fd = fd = virFileConnect(scratchPath("wide")));
    CHECK_INT(send(fd, nonsense, sizeof(nonsense) - 1, MSG_NOSIGNAL), sizeof(nonsense) - 1);
    CHECK_INT(poll(&ready, 1, (int)harnessSlow(5000)), 1);              /* it is closed */
    CHECK((ready.revents & POLLHUP) != 0);
    close(fd);
    CHECK_UINT(counted(&s, "invalid"), 1);
    checkDone(ask(&c, "virt.ping", "{}"));
    hangUp(&c);
    end(&s);
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

TEST(a_stream_for_a_phase_is_there_before_it)
{
    struct served s;
    struct client c;
    struct remoteSession **all;
    unsigned long long id;
    char data[8];
    int fd;

    make(&s, "streams", 2);
    start(&s, 1);
    join(&c, "");
    checkError(ask(&c, "virt.stream.open", "{}"), -32602, "number");
    checkError(ask(&c, "virt.stream.open", "{\"stream\":0}"), -32602, "number");
    id = c.id + 1;
    checkMember(ask(&c, "virt.stream.open", "{\"stream\":5}"), "ok", "true");
    c.id = id - 1;                    /* said twice: opened once */
    checkMember(ask(&c, "virt.stream.open", "{\"stream\":5}"), "ok", "true");
    checkError(ask(&c, "virt.stream.open", "{\"stream\":5}"), VIR_ERR_INVALID_ARG, "in use");
    checkMember(ask(&c, "virt.stream.open", "{\"stream\":6}"), "ok", "true");
    checkError(ask(&c, "virt.stream.open", "{\"stream\":7}"), VIR_ERR_RESOURCE_BUSY, "2 streams");

    CHECK_PTR(all = remoteSessionsAll(s.server, NULL));
    CHECK_INT(remoteStreamsHand(all[0], 8), -1);
    CHECK_OK(fd = remoteStreamsHand(all[0], 5));
    checkMember(ask(&c, "virt.stream.write", "{\"stream\":5,\"data\":\"YWJj\"}"), "written", "3");
    CHECK_INT(read(fd, data, sizeof(data)), 3);
    CHECK_MEM(data, "abc", 3);
    CHECK_INT(write(fd, "ab", 2), 2);
    checkMember(ask(&c, "virt.stream.read", "{\"stream\":5}"), "data", "\"YWI=\"");
    /* once the phase is over, the end of what it was handed is the end of the stream */
    remoteStreamsHanded(all[0], 5);
    CHECK_INT(remoteStreamsHand(all[0], 5), -1);
    close(fd);
    checkMember(ask(&c, "virt.stream.read", "{\"stream\":5}"), "end", "true");
    checkMember(ask(&c, "virt.stream.finish", "{\"stream\":5}"), "ok", "true");
    CHECK_OK(fd = remoteStreamsHand(all[0], 6));
    remoteSessionUnref(all[0]);
    free(all);
    hangUp(&c);
    WAIT_FOR(counted(&s, "clients") == 0, 5000);
    CHECK_INT(read(fd, data, sizeof(data)), 0);
    close(fd);
    end(&s);
}

/* Bytes that the server keeps for its one client. */
static size_t
keptBy(struct served *s)
{
    struct remoteSession **all = remoteSessionsAll(s->server, NULL);
    size_t kept;

    CHECK(all != NULL && all[0] != NULL && all[1] == NULL);
    pthread_mutex_lock(&all[0]->lock);
    kept = all[0]->kept;
    pthread_mutex_unlock(&all[0]->lock);
    remoteSessionUnref(all[0]);
    free(all);
    return kept;
}

TEST(what_was_seen_is_forgotten_and_never_repeated)
{
    struct served s;
    struct client c;
    char *params, *text;
    unsigned long long id, later, calls;

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
    calls = counted(&s, "calls");
    text = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"seen\":[3,%llu],\"method\":\"virt.ping\"}", ++c.id, c.session, id);
    sendText(c.socket, c.id, text, strlen(text));                        /* one by itself */
    checkDone(hear(&c));
    checkError(ask(&c, "virt.ask", format("{\"call\":%llu}", id)), -32602, "is over");
    later = c.id;
    c.id = id - 1;                                                       /* a copy of it that comes late */
    checkError(ask(&c, "virDomainResume", params), -32600, "is over");
    CHECK_UINT(counted(&s, "calls"), calls);
    c.id = later;
    text = format("{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"seen\":%llu,\"method\":\"virt.ping\"}", c.id + 1, c.session, later);
    sendText(c.socket, ++c.id, text, strlen(text));                      /* nothing is left of it */
    checkDone(hear(&c));
    CHECK_UINT(keptBy(&s), 0);
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

/* A value of two bytes takes a hundred in memory. */
TEST(what_has_too_many_values_is_refused)
{
    static const size_t length = 2 * (REMOTE_SERVER_VALUES + 10);
    struct served s;
    struct client c;
    char *ones = malloc(length), *part;
    cJSON *reply;

    CHECK_NOT_NULL(ones);
    for (size_t i = 0; i < length; i += 2)
        memcpy(ones + i, "1,", 2);
    ones[length - 1] = '\0';
    make(&s, NULL, 0);
    start(&s, 1);
    join(&c, "");
    say(&c, "virt.ping", format("{\"x\":[%s]}", ones));
    reply = hear(&c);
    CHECK_UINT(idOf(reply), 0);
    checkError(reply, -32003, "values");
    part = format("{\"call\":90,\"offset\":0,\"total\":%zu,\"text\":\"[%s]\"}", strlen(ones) + 2, ones);
    say(&c, "virt.part", part);
    checkDone(hear(&c));
    reply = hear(&c);
    CHECK_UINT(idOf(reply), 90);
    checkError(reply, -32003, "values");
    checkDone(ask(&c, "virt.ping", "{}"));
    free(ones);
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
    say(&c, "virt.part", "{\"call\":90,\"offset\":0,\"total\":20,\"text\":\"12345678901234567890\"}");
    checkDone(hear(&c));
    reply = hear(&c);
    CHECK_UINT(idOf(reply), 0);                   /* a number is no request */
    checkError(reply, -32600, "request");
    checkError(ask(&c, "virDomainGetXMLDesc", format("{\"domain\":\"%s\"}", domain)), VIR_ERR_OVERFLOW, "bytes");
    hangUp(&c);
    end(&s);
}

#endif
