/*
 * The far ends of streams: one that the test plays, with holes, and the ready-made one over a descriptor.
 */
#include "../../drivers/common/core.h"
#include "../../drivers/common/fdstream.h"
#include "../harness.h"
#include "../fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_STREAMS

static virConnectPtr conn;

static virStreamPtr
newStream(unsigned int flags)
{
    virStreamPtr stream;

    if (conn == NULL)
        CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_PTR(stream = virStreamNew(conn, flags));
    return stream;
}

/* ---- a far end that notes what it is asked: data is "D", a hole of three "h3 " ---- */

struct played {
    char log[512];
    const char *script;               /* what recv gives: letters are data, a digit a hole of that length */
    int fails;                        /* so many bytes can be sent; then it fails */
    int finishFails;
};

static void
note(struct played *p, const char *format, long long value)
{
    size_t length = strlen(p->log);

    snprintf(p->log + length, sizeof(p->log) - length, format, value);
}

static int
playSend(virStreamPtr stream, const char *data, size_t nbytes)
{
    struct played *p = stream->priv;
    size_t n = nbytes > 2 ? 2 : nbytes;

    if ((p->fails -= (int)n) < 0)
        return virReportError(VIR_ERR_OPERATION_FAILED, "full");
    for (size_t i = 0; i < n; i++)
        note(p, "%c", data[i]);
    return (int)n;
}

static int
playRecv(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags)
{
    struct played *p = stream->priv;

    CHECK(nbytes > 0);
    if (*p->script == '\0')
        return 0;
    if (*p->script >= '0' && *p->script <= '9') {
        if ((flags & VIR_STREAM_RECV_STOP_AT_HOLE) != 0)
            return -3;
        *data = '\0';
        return 1;
    }
    *data = *p->script++;
    return 1;
}

static int
playSendHole(virStreamPtr stream, long long length, unsigned int flags)
{
    CHECK_UINT(flags, 0);
    note(stream->priv, "h%lld ", length);
    return 0;
}

static int
playRecvHole(virStreamPtr stream, long long *length, unsigned int flags)
{
    struct played *p = stream->priv;

    CHECK_UINT(flags, 0);
    *length = *p->script++ - '0';
    return 0;
}

static int
playFinish(virStreamPtr stream)
{
    struct played *p = stream->priv;

    note(p, "finish ", 0);
    return p->finishFails-- > 0 ? virReportError(VIR_ERR_OPERATION_FAILED, "not all has arrived") : 0;
}

static int
playAbort(virStreamPtr stream)
{
    note(stream->priv, "abort ", 0);
    return 0;
}

static void
playFree(virStreamPtr stream)
{
    note(stream->priv, "free", 0);
}

static const struct virStreamDriver playDriver = {
    .send = playSend, .recv = playRecv, .sendHole = playSendHole, .recvHole = playRecvHole, .finish = playFinish, .abort = playAbort,
    .free = playFree,
};

TEST(a_stream_freed_before_its_end_is_aborted_and_only_then)
{
    struct played p = { .script = "" };
    virStreamPtr stream = newStream(0);

    CHECK_OK(virStreamAttach(stream, &playDriver, &p));
    CHECK_OK(virStreamFree(stream));
    CHECK_STR(p.log, "abort free");
    stream = newStream(0);
    p = (struct played){ .script = "" };
    CHECK_OK(virStreamAttach(stream, &playDriver, &p));
    CHECK_FAILS(virStreamAttach(stream, &playDriver, &p), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    CHECK_STR(p.log, "finish free");
    CHECK_OK(virStreamFree(newStream(0)));
    virConnectClose(conn);
}

TEST(a_finish_that_fails_leaves_the_abort)
{
    struct played p = { .script = "x", .finishFails = 1 };
    virStreamPtr stream = newStream(0);
    char data[4];

    CHECK_OK(virStreamAttach(stream, &playDriver, &p));
    CHECK_FAILS(virStreamFinish(stream), VIR_ERR_OPERATION_FAILED);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), 1);
    CHECK_OK(virStreamAbort(stream));
    CHECK_OK(virStreamFree(stream));
    CHECK_STR(p.log, "finish abort free");
    virConnectClose(conn);
}

/* ---- all of it, with holes ---- */

struct source { const char *at; char sunk[64]; size_t length; };

static int
give(virStreamPtr stream, char *data, size_t nbytes, void *opaque)
{
    struct source *s = opaque;
    size_t n = 0;

    (void)stream;
    while (n < nbytes && s->at[n] != '\0' && (s->at[n] < '0' || s->at[n] > '9'))
        n++;
    memcpy(data, s->at, n);
    s->at += n;
    return (int)n;
}

static int
where(virStreamPtr stream, int *inData, long long *length, void *opaque)
{
    const char *at = ((struct source *)opaque)->at;

    (void)stream;
    *inData = *at < '0' || *at > '9';
    *length = *inData ? (long long)strcspn(at, "0123456789") : *at - '0';
    return 0;
}

static int
skip(virStreamPtr stream, long long length, void *opaque)
{
    (void)stream;
    CHECK_INT(*((struct source *)opaque)->at++ - '0', length);
    return 0;
}

static int
sink(virStreamPtr stream, const char *data, size_t nbytes, void *opaque)
{
    struct source *s = opaque;

    (void)stream;
    CHECK(s->length + nbytes < sizeof(s->sunk));
    memcpy(s->sunk + s->length, data, nbytes);
    s->length += nbytes;
    return (int)nbytes;
}

static int
sinkHole(virStreamPtr stream, long long length, void *opaque)
{
    char digit = (char)('0' + length);

    return sink(stream, &digit, 1, opaque) - 1;
}

static int
fails(virStreamPtr stream, long long length, void *opaque)
{
    (void)stream;
    (void)length;
    (void)opaque;
    errno = EDOM;
    return -1;
}

TEST(holes_are_sent_and_received_as_holes)
{
    struct played p = { .script = "ab3c42", .fails = 100 };
    struct source s = { .at = "ab3cde42f" };
    virStreamPtr stream = newStream(0);

    CHECK_OK(virStreamAttach(stream, &playDriver, &p));
    CHECK_OK(virStreamSparseSendAll(stream, give, where, skip, &s));
    CHECK_STR(p.log, "abh3 cdeh4 h2 f");
    CHECK_OK(virStreamSparseRecvAll(stream, sink, sinkHole, &s));
    CHECK_STR(s.sunk, "ab3c42");
    CHECK_FAILS(virStreamSparseSendAll(stream, give, NULL, skip, &s), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamSparseRecvAll(stream, sink, NULL, &s), VIR_ERR_INVALID_ARG);
    p.log[0] = '\0';
    p.script = "a1";
    CHECK_FAILS(virStreamSparseRecvAll(stream, sink, fails, &s), VIR_ERR_SYSTEM_ERROR);
    CHECK_STR(p.log, "abort ");
    CHECK_OK(virStreamFree(stream));
    virConnectClose(conn);
}

TEST(what_a_far_end_refuses_ends_the_sending_with_its_error)
{
    struct played p = { .script = "", .fails = 5 };
    struct source s = { .at = "abcdefgh" };
    virStreamPtr stream = newStream(0);

    CHECK_OK(virStreamAttach(stream, &playDriver, &p));
    CHECK_FAILS(virStreamSendAll(stream, give, &s), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "full");
    CHECK_STR(p.log, "abcdabort ");
    CHECK_OK(virStreamFree(stream));
    stream = newStream(0);
    p = (struct played){ .script = "", .fails = 100 };
    s.at = "3";
    CHECK_OK(virStreamAttach(stream, &playDriver, &p));
    CHECK_FAILS(virStreamSparseSendAll(stream, give, where, fails, &s), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virStreamFree(stream));
    virConnectClose(conn);
}

/* ---- descriptors ---- */

static atomic_int closedCalls;         /* the last reference may go in the loop's thread */

static void
closed(void *opaque)
{
    CHECK(opaque == &closedCalls);
    closedCalls++;
}

/* A stream over one of two connected sockets; the other is *peer. */
static virStreamPtr
socketStream(unsigned int flags, int *peer, struct virFdStream **end)
{
    virStreamPtr stream = newStream(flags);
    int pair[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_PTR(*end = virFdStreamNew(stream, pair[0], closed, &closedCalls));
    CHECK_OK(virFdStreamAttach(*end));
    *peer = pair[1];
    closedCalls = 0;
    return stream;
}

TEST(a_socket_is_a_stream_in_both_directions)
{
    struct virFdStream *end;
    virStreamPtr stream;
    char data[8];
    int peer;

    stream = socketStream(VIR_STREAM_NONBLOCK, &peer, &end);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), -2);
    CHECK_INT(write(peer, "abc", 3), 3);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), 3);
    CHECK_INT(virStreamSend(stream, "xy", 2), 2);
    CHECK_INT(read(peer, data, sizeof(data)), 2);
    close(peer);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), 0);
    CHECK_FAILS(virStreamSend(stream, "xy", 2), VIR_ERR_SYSTEM_ERROR);      /* and no SIGPIPE */
    CHECK_INT(closedCalls, 0);
    CHECK_OK(virStreamFinish(stream));
    CHECK_INT(closedCalls, 1);
    CHECK_OK(virStreamFree(stream));
    CHECK_INT(closedCalls, 1);
    virFdStreamUnref(end);
    virConnectClose(conn);
}

TEST(a_pipe_without_a_reader_is_an_error_and_no_signal)
{
    virStreamPtr stream = newStream(0);
    struct virFdStream *end;
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    close(fds[0]);
    CHECK_PTR(end = virFdStreamNew(stream, fds[1], NULL, NULL));
    CHECK_OK(virFdStreamAttach(end));
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virStreamFree(stream));
    virFdStreamUnref(end);
    virConnectClose(conn);
}

static void *
receiveOpened(void *opaque)
{
    char data[4];

    CHECK_FAILS(virStreamRecv(opaque, data, sizeof(data)), VIR_ERR_INTERNAL_ERROR);
    return NULL;
}

TEST(who_waits_is_woken_by_the_end_on_either_side)
{
    struct virFdStream *end;
    pthread_t thread;
    virStreamPtr stream;
    int peer;

    stream = socketStream(0, &peer, &end);
    CHECK_INT(pthread_create(&thread, NULL, receiveOpened, stream), 0);
    harnessSleepMs(20);
    virFdStreamEnd(end, "gone");
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "gone");
    CHECK_INT(closedCalls, 0);
    CHECK_OK(virStreamFree(stream));
    CHECK_INT(closedCalls, 1);
    virFdStreamUnref(end);
    close(peer);

    stream = socketStream(0, &peer, &end);
    CHECK_INT(pthread_create(&thread, NULL, receiveOpened, stream), 0);
    harnessSleepMs(20);
    CHECK_OK(virStreamAbort(stream));
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_OK(virStreamFree(stream));
    virFdStreamUnref(end);
    close(peer);
    virConnectClose(conn);
}

enum { MANY = 2000000 };

static void *
sendMany(void *opaque)
{
    char data[5000];
    int sent;

    memset(data, 'x', sizeof(data));
    for (int all = 0; all < MANY; all += sent)
        CHECK((sent = virStreamSend(opaque, data, MANY - all < (int)sizeof(data) ? (size_t)(MANY - all) : sizeof(data))) > 0);
    return NULL;
}

static void *
echoAll(void *opaque)
{
    char data[4096];
    ssize_t got, put;

    while ((got = read(*(int *)opaque, data, sizeof(data))) > 0)
        for (ssize_t done = 0; done < got; done += put)
            CHECK((put = write(*(int *)opaque, data + done, (size_t)(got - done))) > 0);
    return NULL;
}

TEST(one_thread_sends_while_another_receives)
{
    struct virFdStream *end;
    pthread_t sender, echo;
    virStreamPtr stream;
    char data[3000];
    int peer, got;

    stream = socketStream(0, &peer, &end);
    CHECK_INT(pthread_create(&echo, NULL, echoAll, &peer), 0);
    CHECK_INT(pthread_create(&sender, NULL, sendMany, stream), 0);
    for (int all = 0; all < MANY; all += got)
        CHECK((got = virStreamRecv(stream, data, sizeof(data))) > 0);
    CHECK_INT(pthread_join(sender, NULL), 0);
    CHECK_OK(virStreamFinish(stream));
    CHECK_INT(pthread_join(echo, NULL), 0);
    CHECK_OK(virStreamFree(stream));
    virFdStreamUnref(end);
    close(peer);
    virConnectClose(conn);
}

/* ---- events, in another thread's loop ---- */

static struct { atomic_int calls, events, freed, stop; } heard;

static void
hear(virStreamPtr stream, int events, void *opaque)
{
    char data[64];

    (void)opaque;
    CHECK_INT(atomic_load(&heard.freed), 0);
    if ((events & VIR_STREAM_EVENT_READABLE) != 0)
        virStreamRecv(stream, data, sizeof(data));
    atomic_fetch_or(&heard.events, events);
    atomic_fetch_add(&heard.calls, 1);
}

static void
heardFree(void *opaque)
{
    (void)opaque;
    atomic_fetch_add(&heard.freed, 1);
}

static void
tick(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

static void *
runLoop(void *opaque)
{
    (void)opaque;
    while (!atomic_load(&heard.stop))
        CHECK_OK(virEventRunDefaultImpl());
    return NULL;
}

TEST(callbacks_come_and_go_while_the_loop_runs_in_another_thread)
{
    struct virFdStream *end;
    virStreamPtr stream;
    pthread_t loop;
    int peer;

    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(virEventAddTimeout(1, tick, NULL, NULL));
    CHECK_INT(pthread_create(&loop, NULL, runLoop, NULL), 0);
    for (int i = 0; i < 50; i++) {
        atomic_store(&heard.freed, 0);
        atomic_store(&heard.calls, 0);
        atomic_store(&heard.events, 0);
        stream = socketStream(VIR_STREAM_NONBLOCK, &peer, &end);
        CHECK_OK(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, hear, NULL, heardFree));
        CHECK_INT(write(peer, "x", 1), 1);
        WAIT_FOR(atomic_load(&heard.calls) > 0, 5000);
        CHECK_OK(virStreamEventUpdateCallback(stream, VIR_STREAM_EVENT_WRITABLE));
        if (i % 3 == 0) {
            virFdStreamEnd(end, "gone");
            WAIT_FOR((atomic_load(&heard.events) & VIR_STREAM_EVENT_ERROR) != 0, 5000);
        } else if (i % 3 == 1) {
            CHECK_OK(virStreamEventRemoveCallback(stream));
        }
        CHECK_OK(virStreamFree(stream));
        WAIT_FOR(atomic_load(&heard.freed) == 1, 5000);
        virFdStreamUnref(end);
        close(peer);
    }
    atomic_store(&heard.stop, 1);
    CHECK_INT(pthread_join(loop, NULL), 0);
    virConnectClose(conn);
}

/* ---- faults ---- */

static int
useSocket(void *opaque)
{
    virStreamPtr stream = virStreamNew(conn, 0);
    struct virFdStream *end = NULL;
    int pair[2], rc = -1;
    virError failure;

    (void)opaque;
    if (stream == NULL)
        return -1;
    faultPause();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    faultResume();
    if ((end = virFdStreamNew(stream, pair[0], NULL, NULL)) != NULL && virFdStreamAttach(end) == 0
        && virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, hear, NULL, NULL) == 0 && virStreamFinish(stream) == 0)
        rc = 0;
    faultPause();
    virErrorCopy(&failure, virThreadError());
    virStreamFree(stream);
    virFdStreamUnref(end);
    close(pair[1]);
    CHECK_OK(virEventRunDefaultImpl());
    virConnResetLastError(conn);      /* it keeps a copy */
    if (rc < 0)
        virSetLastError(&failure);
    virErrorClear(&failure);
    faultResume();
    return rc;
}

TEST(a_descriptor_survives_every_fault)
{
    CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(virEventAddTimeout(1, tick, NULL, NULL));
    FAULT_EACH_ALLOCATION(useSocket, NULL);
    FAULT_EACH(FAULT_SPAWN, useSocket, NULL);    /* the pipe that wakes who waits */
    virConnectClose(conn);
}
