/* QMP against a peer that the test plays: replies and events in any order, threads, nonsense, silence. */
#include "../../drivers/qemu/monitor.c"
#include "../harness.h"
#include "../fault.h"

#include <sys/socket.h>

static int peer;                      /* QEMU's end of the connection */
static char seen[4096];               /* the events, in the order in which they were delivered */

static void
noteEvent(struct qemuMonitor *mon, const char *event, const cJSON *data, void *opaque)
{
    size_t length = strlen(seen);
    int n = -1;

    (void)mon;
    (void)opaque;
    virJsonInt(data, "n", &n);
    snprintf(seen + length, sizeof(seen) - length, "%s%d ", event != NULL ? event : "end", n);
}

static void
say(const char *text)
{
    CHECK_INT(send(peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* A monitor on a socket, QEMU's end of it in `peer`, its greeting and the handshake done unless bare. */
static struct qemuMonitor *
openMonitor(bool bare)
{
    const char *path = scratchPath("monitor");
    struct qemuMonitor *mon;
    int listener = virFileListen(path, 1);
    char line[256], text[256];

    seen[0] = '\0';
    CHECK_OK(listener);
    CHECK_PTR(mon = qemuMonitorOpen(path, "guest", noteEvent, NULL, NULL));
    CHECK_OK(peer = accept(listener, NULL, NULL));
    close(listener);
    if (bare)
        return mon;
    CHECK(recv(peer, line, sizeof(line), 0) > 0);
    CHECK_CONTAINS(line, "\"qmp_capabilities\"");
    CHECK_CONTAINS(line, "\"oob\"");
    snprintf(text, sizeof(text), "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n{\"return\": {}, \"id\": %llu}\r\n", mon->handshake);
    say(text);
    CHECK_INT(qemuMonitorNegotiate(mon, 1000), 1);
    return mon;
}

static void
closeMonitor(struct qemuMonitor *mon)
{
    qemuMonitorClose(mon);
    qemuMonitorUnref(mon);
    close(peer);
}

TEST(replies_are_matched_by_id_and_not_by_order)
{
    struct qemuMonitor *mon = openMonitor(false);
    qemuMonitorId a = qemuMonitorSend(mon, "query-a", NULL, false), b = qemuMonitorSend(mon, "query-b", NULL, true);
    char text[256], sent[512];
    cJSON *reply = NULL;
    int n = 0;

    CHECK(a != 0 && b != 0 && a != b);
    CHECK_INT(qemuMonitorReceive(mon, a, 0, &reply), 0);
    n = (int)recv(peer, sent, sizeof(sent) - 1, 0);
    sent[n] = '\0';
    CHECK_CONTAINS(sent, "{\"execute\":\"query-a\"");
    CHECK_CONTAINS(sent, "{\"exec-oob\":\"query-b\"");
    snprintf(text, sizeof(text), "{\"return\": {\"n\": 2}, \"id\": %llu}\n{\"event\": \"E\", \"data\": {\"n\": 7}}\n"
             "{\"return\": {\"n\": 1}, \"id\": %llu}\n", b, a);
    say(text);
    CHECK_INT(qemuMonitorReceive(mon, a, 1000, &reply), 1);
    CHECK_INT(virJsonInt(reply, "n", &n), 0);
    CHECK_INT(n, 1);
    cJSON_Delete(reply);
    CHECK(qemuMonitorIsReady(mon, b));
    CHECK_INT(qemuMonitorReceive(mon, b, 0, &reply), 1);
    CHECK_INT(virJsonInt(reply, "n", &n), 0);
    CHECK_INT(n, 2);
    cJSON_Delete(reply);
    CHECK_STR(seen, "E7 ");
    CHECK_FAILS(qemuMonitorReceive(mon, b, 0, NULL), VIR_ERR_INTERNAL_ERROR);
    closeMonitor(mon);
}

TEST(events_come_in_order_however_they_are_cut)
{
    struct qemuMonitor *mon = openMonitor(false);
    char text[64];

    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof(text), "{\"event\": \"E\", \"data\": {\"n\": %d}}\r\n", i);
        for (char *c = text; *c != '\0'; c++) {
            char one[2] = { *c, '\0' };

            say(one);
            if (i % 3 == 0)
                qemuMonitorPump(mon);
        }
    }
    qemuMonitorPump(mon);
    CHECK_STR(seen, "E0 E1 E2 E3 E4 E5 E6 E7 E8 E9 E10 E11 E12 E13 E14 E15 E16 E17 E18 E19 ");
    CHECK(!qemuMonitorHasNews(qemuMonitorSocket(mon)));
    say(" ");
    CHECK(qemuMonitorHasNews(qemuMonitorSocket(mon)));
    closeMonitor(mon);
}

TEST(a_refused_command_is_an_error_with_its_words)
{
    struct qemuMonitor *mon = openMonitor(false);
    qemuMonitorId id = qemuMonitorSend(mon, "cont", NULL, false);
    char text[256];

    snprintf(text, sizeof(text), "{\"id\": %llu, \"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}\n", id);
    say(text);
    CHECK_FAILS(qemuMonitorReceive(mon, id, 1000, NULL), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "unable to execute QEMU command 'cont': not now");
    CHECK(qemuMonitorIsOpen(mon));
    closeMonitor(mon);
}

static void
checkBroken(const char *says, size_t length, const char *words)
{
    struct qemuMonitor *mon = openMonitor(false);
    qemuMonitorId id = qemuMonitorSend(mon, "stop", NULL, false);

    while (length > 0) {
        ssize_t n = send(peer, says, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && !qemuMonitorIsOpen(mon))
            break;
        if (n > 0) {
            says += n;
            length -= (size_t)n;
        }
        qemuMonitorPump(mon);
    }
    CHECK_FAILS(qemuMonitorReceive(mon, id, 1000, NULL), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), words);
    CHECK_STR(seen, "end-1 ");
    CHECK(!qemuMonitorHasEnded(mon));
    CHECK_INT(qemuMonitorSend(mon, "cont", NULL, false), 0);
    CHECK_ERROR(VIR_ERR_OPERATION_FAILED);
    closeMonitor(mon);
}

TEST(what_is_no_json_ends_the_conversation)
{
    checkBroken("hello\n", 6, "no JSON");
}

TEST(what_is_no_qmp_ends_the_conversation)
{
    checkBroken("{\"hello\": 1}\n", 13, "no QMP");
    checkBroken("null\n", 5, "no QMP");
}

TEST(a_line_without_end_ends_the_conversation)
{
    size_t length = 40u * 1024 * 1024;
    char *line = malloc(length);

    CHECK_NOT_NULL(line);
    memset(line, ' ', length);
    checkBroken(line, length, "without end");
    free(line);
}

TEST(the_end_of_qemu_is_noticed_at_once)
{
    struct qemuMonitor *mon = openMonitor(false);
    qemuMonitorId id = qemuMonitorSend(mon, "stop", NULL, false);
    long long start = harnessNowMs();

    say("{\"event\": \"SHUTDOWN\"}\n");
    close(peer);
    CHECK_FAILS(qemuMonitorReceive(mon, id, 10000, NULL), VIR_ERR_OPERATION_FAILED);
    CHECK_LESS(harnessNowMs() - start, harnessSlow(1000));
    CHECK_STR(seen, "SHUTDOWN-1 end-1 ");
    CHECK(qemuMonitorHasEnded(mon));
    closeMonitor(mon);
}

TEST(silence_is_waited_for_no_longer_than_asked)
{
    struct qemuMonitor *mon = openMonitor(false);
    qemuMonitorId id = qemuMonitorSend(mon, "stop", NULL, false);
    long long start = harnessNowMs();
    bool overdue;
    char text[64];

    CHECK_INT(qemuMonitorReceive(mon, id, 50, NULL), 0);
    CHECK(harnessNowMs() - start >= 49);
    CHECK_LESS(harnessNowMs() - start, harnessSlow(2000));
    CHECK(qemuMonitorBusy(mon, &overdue) >= 49000);
    CHECK(!overdue);
    snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %llu}\n", id);
    say(text);
    CHECK_INT(qemuMonitorReceive(mon, id, 1000, NULL), 1);
    CHECK_UINT(qemuMonitorBusy(mon, &overdue), 0);
    closeMonitor(mon);
}

TEST(a_forgotten_reply_is_dropped)
{
    struct qemuMonitor *mon = openMonitor(false);
    qemuMonitorId id = qemuMonitorSend(mon, "stop", NULL, false);
    char text[64];

    qemuMonitorForget(mon, id);
    snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %llu}\n", id);
    say(text);
    say(text);
    say("{\"return\": {}, \"id\": 4711}\n{\"error\": {\"desc\": \"to nobody\"}}\n");
    qemuMonitorPump(mon);
    CHECK(qemuMonitorIsOpen(mon));
    CHECK_FAILS(qemuMonitorReceive(mon, id, 0, NULL), VIR_ERR_INTERNAL_ERROR);
    closeMonitor(mon);
}

/* ---- threads ---- */

static struct qemuMonitor *shared;

static void *
askOften(void *opaque)
{
    for (int i = 0; i < 200; i++) {
        cJSON *reply = NULL;
        int n = -1;

        CHECK_OK(qemuMonitorCommand(shared, "query", virJsonObject("i:n", (int)(size_t)opaque * 1000 + i, NULL), &reply));
        CHECK_INT(virJsonInt(reply, "n", &n), 0);
        CHECK_INT(n, (int)(size_t)opaque * 1000 + i);
        cJSON_Delete(reply);
    }
    return NULL;
}

/* Answers each command with its own argument, two at a time in reverse order where it can, and an event between. */
static void *
answer(void *opaque)
{
    VIRT_CLEANUP_FREE char *input = malloc(1 << 20);
    char text[512] = "", held[256] = "";
    size_t length = 0;
    int answered = 0, *wanted = opaque;

    while (answered < *wanted) {
        ssize_t n = recv(peer, input + length, (1 << 20) - length - 1, 0);
        char *line = input, *end;

        CHECK(n > 0);
        length += (size_t)n;
        input[length] = '\0';
        while ((end = strchr(line, '\n')) != NULL) {
            cJSON *command = virJsonParse(line, (size_t)(end - line), "test");
            qemuMonitorId id = 0;
            int value = -1;

            virJsonInt(virJsonGet(command, "arguments"), "n", &value);
            virJsonULongLong(command, "id", &id);
            cJSON_Delete(command);
            snprintf(text, sizeof(text), "{\"return\": {\"n\": %d}, \"id\": %llu}\n%s", value, id, held);
            held[0] = '\0';
            if (id % 3 == 0)
                snprintf(held, sizeof(held), "%.200s", text);
            else
                say(text);
            answered++;
            line = end + 1;
        }
        length -= (size_t)(line - input);
        memmove(input, line, length);
        if (held[0] != '\0') {
            say(held);
            held[0] = '\0';
        }
        say("{\"event\": \"E\"}\n");
    }
    return NULL;
}

TEST(threads_share_one_reader)
{
    pthread_t threads[4], qemu;
    int wanted = 4 * 200;

    shared = openMonitor(false);
    CHECK_INT(pthread_create(&qemu, NULL, answer, &wanted), 0);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, askOften, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_join(qemu, NULL);
    closeMonitor(shared);
}

static void *
waitLong(void *opaque)
{
    CHECK_FAILS(qemuMonitorReceive(shared, *(qemuMonitorId *)opaque, -1, NULL), VIR_ERR_OPERATION_FAILED);
    return NULL;
}

/* Takes all that is sent, and answers when the last byte is there. */
static void *
takeAll(void *opaque)
{
    static char part[65536];
    char text[64];
    ssize_t n;

    do
        CHECK((n = recv(peer, part, sizeof(part), 0)) > 0);
    while (memchr(part, 'z', (size_t)n) == NULL);
    snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %llu}\n", *(qemuMonitorId *)opaque);
    say(text);
    return NULL;
}

TEST(what_qemu_cannot_take_at_once_is_sent_though_another_thread_reads)
{
    const size_t length = 2 * 1024 * 1024;
    char *words = malloc(length + 1), line[256];
    qemuMonitorId first, second;
    pthread_t leader, qemu;

    CHECK_PTR(words);
    memset(words, 'a', length);
    words[length - 1] = 'z';
    words[length] = '\0';
    shared = openMonitor(false);
    CHECK((first = qemuMonitorSend(shared, "stop", NULL, false)) != 0);
    CHECK(recv(peer, line, sizeof(line), 0) > 0);
    CHECK_INT(pthread_create(&leader, NULL, waitLong, &first), 0);
    harnessSleepMs(100);
    CHECK((second = qemuMonitorSend(shared, "large", virJsonObject("s:words", words, NULL), false)) != 0);
    CHECK_INT(pthread_create(&qemu, NULL, takeAll, &second), 0);
    CHECK_INT(qemuMonitorReceive(shared, second, 5000, NULL), 1);
    qemuMonitorClose(shared);
    pthread_join(leader, NULL);
    pthread_join(qemu, NULL);
    closeMonitor(shared);
    free(words);
}

/* QEMU goes on with what an earlier conversation has asked for, and says so to whoever listens by then. */
TEST(a_late_reply_to_an_earlier_conversation_is_not_taken_for_a_new_ones)
{
    struct qemuMonitor *mon = openMonitor(false);
    qemuMonitorId earlier[4], id;
    char text[200];

    for (int i = 0; i < 4; i++)
        CHECK((earlier[i] = qemuMonitorSend(mon, "slow", NULL, false)) != 0);
    closeMonitor(mon);
    mon = openMonitor(false);
    CHECK((id = qemuMonitorSend(mon, "quick", NULL, false)) != 0);
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %llu}\n", earlier[i]);
        say(text);
    }
    CHECK_INT(qemuMonitorReceive(mon, id, 100, NULL), 0);
    qemuMonitorForget(mon, id);
    closeMonitor(mon);
}

TEST(closing_ends_every_wait)
{
    qemuMonitorId ids[3];
    pthread_t threads[3];

    shared = openMonitor(false);
    for (int i = 0; i < 3; i++) {
        CHECK((ids[i] = qemuMonitorSend(shared, "stop", NULL, false)) != 0);
        CHECK_INT(pthread_create(&threads[i], NULL, waitLong, &ids[i]), 0);
    }
    harnessSleepMs(20);
    qemuMonitorClose(shared);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK_STR(seen, "");
    closeMonitor(shared);
}

TEST(with_a_loop_the_loop_reads_and_a_caller_has_a_descriptor_of_its_own)
{
    struct qemuMonitor *mon;
    qemuMonitorId id;
    char text[64];
    struct pollfd news = { .events = POLLIN };

    CHECK_OK(virEventRegisterDefaultImpl());
    mon = openMonitor(false);
    CHECK(qemuMonitorIsWatched(mon));
    CHECK((id = qemuMonitorSend(mon, "stop", NULL, false)) != 0);
    CHECK_OK(news.fd = qemuMonitorGetFd(mon));
    CHECK(news.fd != qemuMonitorSocket(mon));
    CHECK_INT(poll(&news, 1, 0), 0);
    snprintf(text, sizeof(text), "{\"event\": \"E\"}\n{\"return\": {}, \"id\": %llu}\n", id);
    say(text);
    CHECK_OK(virEventRunDefaultImpl());
    CHECK_STR(seen, "E-1 ");
    CHECK_INT(poll(&news, 1, 0), 1);
    CHECK_INT(qemuMonitorReceive(mon, id, 0, NULL), 1);
    CHECK_INT(poll(&news, 1, 0), 0);
    close(peer);
    CHECK_OK(virEventRunDefaultImpl());
    CHECK_STR(seen, "E-1 end-1 ");
    CHECK(!qemuMonitorIsWatched(mon));
    qemuMonitorClose(mon);
    qemuMonitorUnref(mon);
}

TEST(the_end_is_told_without_memory_too)
{
    struct qemuMonitor *mon = openMonitor(false);

    say("{\"event\": \"E\", \"data\": {\"n\": 1}}\n");
    qemuMonitorPump(mon);
    shutdown(peer, SHUT_RDWR);
    faultArm(FAULT_ALLOCATION, 1, true);
    qemuMonitorPump(mon);
    faultDisarm();
    CHECK_STR(seen, "E1 end-1 ");
    CHECK(!qemuMonitorIsOpen(mon));
    closeMonitor(mon);
}
