/*
 * Streams as an application sees them, on guests of the test driver: a console that gives back what it is sent, and a picture of the screen.
 * api/remote_stream runs the same tests through a server (STREAM_REMOTE): there data is on the way for a while.
 */
#include "../../virt.h"
#include "../fault.h"
#include "../harness.h"

#include <errno.h>
#include <pthread.h>

static virConnectPtr conn;
static virDomainPtr guest;

#ifdef STREAM_REMOTE
# include "../served.h"
enum { ON_THE_WAY = 1 << 20, TURNS = 20 };       /* bytes that the two sides may hold besides the far end; turns of the loop for one */
static pid_t server;
#else
enum { ON_THE_WAY = 0, TURNS = 1 };
#endif

static virConnectPtr
connect1(bool readOnly)
{
#ifdef STREAM_REMOTE
    virConnectPtr opened = NULL;

    if (server == 0)
        server = serverStart();
    WAIT_FOR((opened = readOnly ? virConnectOpenReadOnly(serverUri("")) : virConnectOpen(serverUri(""))) != NULL, 5000);
    return opened;
#else
    return readOnly ? virConnectOpenReadOnly("test:///default") : virConnectOpen("test:///default");
#endif
}

static void
openGuest(void)
{
    CHECK_PTR(conn = connect1(false));
    CHECK_PTR(guest = virDomainLookupByName(conn, "test"));
}

static void
closeGuest(void)
{
    CHECK_OK(virDomainFree(guest));
    CHECK_INT(virConnectClose(conn), 0);
#ifdef STREAM_REMOTE
    serverEnd(server);
    server = 0;
#endif
}

/* Of a stream that does not wait, what is on the way: -2 only where nothing is. */
static int
soon(virStreamPtr stream, char *in, size_t nbytes)
{
    int n;

    for (int i = 0; i < 5000; i++) {
        n = virStreamRecvFlags(stream, in, nbytes, VIR_STREAM_RECV_STOP_AT_HOLE);
        if (n != -2 || ON_THE_WAY == 0)
            break;
        harnessSleepMs(2);
    }
    return n;
}

static virStreamPtr
openConsole(unsigned int streamFlags, unsigned int flags)
{
    virStreamPtr stream;

    CHECK_PTR(stream = virStreamNew(conn, streamFlags));
    CHECK_OK(virDomainOpenConsole(guest, NULL, stream, flags));
    return stream;
}

TEST(a_console_gives_back_what_it_was_sent)
{
    virStreamPtr stream;
    char data[16];

    openGuest();
    stream = openConsole(0, VIR_DOMAIN_CONSOLE_SAFE);
    CHECK_INT(virStreamSend(stream, "hello", 5), 5);
    CHECK_INT(virStreamRecv(stream, data, 2), 2);
    CHECK_INT(virStreamRecv(stream, data + 2, sizeof(data) - 2), 3);
    CHECK_MEM(data, "hello", 5);
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamAbort(stream));
    CHECK_FAILS(virStreamRecv(stream, data, 1), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "stream is not open");
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_INTERNAL_ERROR);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_stream_that_must_not_wait_says_so_without_an_error)
{
    virStreamPtr stream;
    static char data[4096];
    int sent, all = 0;

    openGuest();
    stream = openConsole(VIR_STREAM_NONBLOCK, 0);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), -2);
    CHECK_NULL(virGetLastError());
    while ((sent = virStreamSend(stream, data, sizeof(data))) > 0)
        all += sent;
    CHECK_INT(sent, -2);
    CHECK_NULL(virGetLastError());
    CHECK(all >= 65536 && all <= 65536 + ON_THE_WAY);
    do {
        CHECK(soon(stream, data, sizeof(data)) > 0);
        sent = virStreamSend(stream, data, sizeof(data));
        CHECK(sent > 0 || (sent == -2 && ON_THE_WAY > 0));
    } while (sent == -2);
    CHECK_OK(virStreamAbort(stream));
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(wrong_handles_and_arguments_are_errors)
{
    virStreamPtr stream, other;
    virConnectPtr another;
    virDomainPtr theirs;
    long long hole;
    char data[4];

    openGuest();
    CHECK_FAILS(virStreamRef(NULL), VIR_ERR_INVALID_STREAM);
    CHECK_FAILS(virStreamFree(NULL), VIR_ERR_INVALID_STREAM);
    CHECK_FAILS(virStreamFree((virStreamPtr)(void *)conn), VIR_ERR_INVALID_STREAM);
    CHECK_FAILS(virStreamSend((virStreamPtr)(void *)guest, data, 1), VIR_ERR_INVALID_STREAM);
    CHECK_FAILS(virStreamRecv(NULL, data, 1), VIR_ERR_INVALID_STREAM);
    CHECK_FAILS(virStreamFinish(NULL), VIR_ERR_INVALID_STREAM);
    CHECK_FAILS(virStreamAbort(NULL), VIR_ERR_INVALID_STREAM);
    CHECK_FAILS_NULL(virStreamNew(NULL, 0), VIR_ERR_INVALID_CONN);
    CHECK_FAILS_NULL(virStreamNew(conn, 2), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, NULL, 0), VIR_ERR_INVALID_STREAM);
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_FAILS(virDomainOpenConsole(NULL, NULL, stream, 0), VIR_ERR_INVALID_DOMAIN);
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, stream, 4), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainOpenConsole(guest, "serial7", stream, 0), VIR_ERR_INTERNAL_ERROR);
    CHECK_FAILS(virDomainOpenChannel(guest, NULL, stream, 0), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS_NULL(virDomainScreenshot(guest, stream, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virDomainScreenshot(guest, stream, 0, 1), VIR_ERR_INVALID_ARG);

    /* given to no call yet */
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virStreamRecv(stream, data, 1), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virStreamFinish(stream), VIR_ERR_NO_SUPPORT);
    CHECK_OK(virStreamAbort(stream));
    CHECK_FAILS(virStreamEventRemoveCallback(stream), VIR_ERR_NO_SUPPORT);

    CHECK_PTR(another = connect1(false));
    CHECK_PTR(theirs = virDomainLookupByName(another, "test"));
    CHECK_FAILS(virDomainOpenConsole(theirs, NULL, stream, 0), VIR_ERR_INVALID_ARG);
    virDomainFree(theirs);
    virConnectClose(another);

    CHECK_OK(virDomainOpenConsole(guest, NULL, stream, 0));
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, stream, VIR_DOMAIN_CONSOLE_FORCE), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virStreamSend(stream, NULL, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamRecv(stream, NULL, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamRecvFlags(stream, data, 1, 2), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamSendHole(stream, 1, 0), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virStreamSendHole(stream, -1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamSendHole(stream, 1, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamRecvHole(stream, &hole, 0), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virStreamRecvHole(stream, NULL, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamSendAll(stream, NULL, NULL), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamRecvAll(stream, NULL, NULL), VIR_ERR_INVALID_ARG);
    CHECK_INT(virStreamSend(stream, "x", 0), 0);
    CHECK_INT(virStreamSend(stream, "x", 1), 1);

    CHECK_OK(virDomainSuspend(guest));
    CHECK_PTR(other = virStreamNew(conn, 0));
    CHECK_OK(virDomainDestroy(guest));
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, other, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS_NULL(virDomainScreenshot(guest, other, 0, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virStreamFree(other));
    CHECK_OK(virStreamRef(stream));
    CHECK_OK(virStreamFree(stream));
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), 1);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_read_only_connection_opens_nothing)
{
    virConnectPtr reader;
    virDomainPtr seen;
    virStreamPtr stream;

    CHECK_PTR(reader = connect1(true));
    CHECK_PTR(seen = virDomainLookupByName(reader, "test"));
    CHECK_PTR(stream = virStreamNew(reader, 0));
    CHECK_FAILS(virDomainOpenConsole(seen, NULL, stream, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainOpenChannel(seen, NULL, stream, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS_NULL(virDomainScreenshot(seen, stream, 0, 0), VIR_ERR_OPERATION_DENIED);
    virStreamFree(stream);
    virDomainFree(seen);
    virConnectClose(reader);
#ifdef STREAM_REMOTE
    serverEnd(server);
#endif
}

TEST(a_console_is_for_one_stream_unless_another_insists)
{
    virStreamPtr first, second;
    char data[8];

    openGuest();
    first = openConsole(0, 0);
    CHECK_PTR(second = virStreamNew(conn, 0));
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, second, 0), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "ctive console session exists");
    CHECK_OK(virDomainOpenConsole(guest, NULL, second, VIR_DOMAIN_CONSOLE_FORCE));
    CHECK_FAILS(virStreamRecv(first, data, sizeof(data)), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "another client");
    CHECK_INT(virStreamSend(second, "mine", 4), 4);
    CHECK_OK(virStreamFree(first));
    CHECK_INT(virStreamRecv(second, data, sizeof(data)), 4);
    CHECK_OK(virStreamFree(second));
    first = openConsole(0, 0);        /* the freed one has left it */
    CHECK_OK(virStreamFree(first));
    closeGuest();
}

TEST(the_end_of_the_guest_is_the_end_of_the_data)
{
    virStreamPtr stream;
    char data[8];

    openGuest();
    stream = openConsole(0, 0);
    CHECK_INT(virStreamSend(stream, "last", 4), 4);
    CHECK_OK(virDomainDestroy(guest));
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), 4);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), 0);
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

/* ---- all at once ---- */

struct collected { unsigned char data[8192]; size_t length; int atMost; };

static int
collect(virStreamPtr stream, const char *data, size_t nbytes, void *opaque)
{
    struct collected *to = opaque;
    size_t n = to->atMost > 0 && (size_t)to->atMost < nbytes ? (size_t)to->atMost : nbytes;

    CHECK_NOT_NULL(stream);
    CHECK(to->length + n <= sizeof(to->data));
    memcpy(to->data + to->length, data, n);
    to->length += n;
    return (int)n;
}

static int
refuse(virStreamPtr stream, const char *data, size_t nbytes, void *opaque)
{
    (void)stream;
    (void)data;
    (void)nbytes;
    (void)opaque;
    errno = ENOSPC;
    return -1;
}

static int
noHole(virStreamPtr stream, long long length, void *opaque)
{
    (void)stream;
    (void)opaque;
    FAIL("a hole of %lld bytes", length);
}

static void
checkPicture(const struct collected *picture)
{
    static const unsigned char header[] = { 0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0, 64, 0, 0, 0, 48 };

    CHECK(picture->length > sizeof(header));
    CHECK_MEM((const char *)picture->data, (const char *)header, sizeof(header));
    CHECK_MEM((const char *)picture->data + picture->length - 8, "IEND\xae\x42\x60\x82", 8);
}

TEST(a_picture_of_the_screen_is_a_png)
{
    struct collected picture = { .atMost = 100 };
    virStreamPtr stream;
    char *type;

    openGuest();
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_PTR(type = virDomainScreenshot(guest, stream, 0, 0));
    CHECK_STR(type, "image/png");
    free(type);
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virStreamRecvAll(stream, collect, &picture));
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    checkPicture(&picture);

    memset(&picture, 0, sizeof(picture));
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_PTR(type = virDomainScreenshot(guest, stream, 0, 0));
    free(type);
    CHECK_OK(virStreamSparseRecvAll(stream, collect, noHole, &picture));
    CHECK_OK(virStreamFree(stream));
    checkPicture(&picture);
    closeGuest();
}

TEST(a_function_that_gives_up_aborts_the_stream)
{
    virStreamPtr stream;
    char *type, data[4];

    openGuest();
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_PTR(type = virDomainScreenshot(guest, stream, 0, 0));
    free(type);
    CHECK_FAILS(virStreamRecvAll(stream, refuse, NULL), VIR_ERR_SYSTEM_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "No space");
    CHECK_FAILS(virStreamRecv(stream, data, sizeof(data)), VIR_ERR_INTERNAL_ERROR);
    CHECK_OK(virStreamFree(stream));

    CHECK_PTR(stream = virStreamNew(conn, VIR_STREAM_NONBLOCK));
    CHECK_PTR(type = virDomainScreenshot(guest, stream, 0, 0));
    free(type);
    CHECK_FAILS(virStreamRecvAll(stream, refuse, NULL), VIR_ERR_OPERATION_INVALID);
    CHECK_INT(soon(stream, data, sizeof(data)), 4);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

/* ---- events ---- */

struct heard { int calls, freed, events; bool removes, frees; };

static void
hear(virStreamPtr stream, int events, void *opaque)
{
    struct heard *heard = opaque;

    CHECK_INT(heard->freed, 0);
    heard->calls++;
    heard->events |= events;
    if (heard->removes)
        CHECK_OK(virStreamEventRemoveCallback(stream));
    if (heard->frees)
        CHECK_OK(virStreamFree(stream));
    CHECK_INT(heard->freed, 0);       /* not while it runs */
}

static void
heardFree(void *opaque)
{
    ((struct heard *)opaque)->freed++;
}

static void
tick(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

static void
turn(int times)
{
    for (times *= TURNS; times > 0; times--)
        CHECK_OK(virEventRunDefaultImpl());
}

/* At most five turns, or as long as it takes over a connection. */
#define TURN_UNTIL(cond)                                                                            \
    do {                                                                                            \
        long long last = harnessNowMs() + harnessSlow(5000);                                        \
        for (int i = 0; !(cond) && (ON_THE_WAY > 0 ? harnessNowMs() < last : i < 5); i++)           \
            turn(1);                                                                                \
        CHECK(cond);                                                                                \
    } while (0)

static void
useLoop(void)
{
#ifdef STREAM_REMOTE
    serverHasLoop = true;
    server = serverStart();           /* a fork of ours: of a loop of its own */
#endif
    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(virEventAddTimeout(1, tick, NULL, NULL));
}

TEST(a_callback_needs_an_event_loop)
{
    struct heard heard = { 0 };
    virStreamPtr stream;

    openGuest();
    stream = openConsole(0, 0);
    CHECK_FAILS(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, hear, &heard, heardFree), VIR_ERR_INTERNAL_ERROR);
    CHECK_INT(heard.freed, 0);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_callback_hears_what_it_waits_for)
{
    struct heard heard = { 0 };
    virStreamPtr stream;
    char data[8];

    useLoop();
    openGuest();
    stream = openConsole(VIR_STREAM_NONBLOCK, 0);
    CHECK_FAILS(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, NULL, NULL, NULL), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virStreamEventUpdateCallback(stream, 0), VIR_ERR_INTERNAL_ERROR);
    CHECK_FAILS(virStreamEventRemoveCallback(stream), VIR_ERR_INTERNAL_ERROR);
    CHECK_OK(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, hear, &heard, heardFree));
    CHECK_FAILS(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, hear, &heard, heardFree), VIR_ERR_INTERNAL_ERROR);
    turn(5);
    CHECK_INT(heard.calls, 0);
    CHECK_INT(virStreamSend(stream, "x", 1), 1);
    TURN_UNTIL(heard.calls > 1);      /* for as long as it holds */

    CHECK_INT(heard.events, VIR_STREAM_EVENT_READABLE);
    CHECK_INT(soon(stream, data, sizeof(data)), 1);
    turn(1);
    heard.calls = heard.events = 0;
    turn(5);
    CHECK_INT(heard.calls, 0);
    CHECK_OK(virStreamEventUpdateCallback(stream, VIR_STREAM_EVENT_WRITABLE));
    TURN_UNTIL(heard.events == VIR_STREAM_EVENT_WRITABLE);
    CHECK_OK(virStreamEventUpdateCallback(stream, 0));
    heard.calls = 0;
    turn(5);
    CHECK_INT(heard.calls, 0);
    CHECK_OK(virStreamEventUpdateCallback(stream, VIR_STREAM_EVENT_READABLE));
    CHECK_OK(virDomainDestroy(guest));
    TURN_UNTIL((heard.events & VIR_STREAM_EVENT_HANGUP) != 0);
    CHECK_OK(virStreamEventRemoveCallback(stream));
    CHECK_INT(heard.freed, 1);
    heard.calls = 0;
    turn(5);
    CHECK_INT(heard.calls, 0);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_callback_may_remove_itself_and_free_the_stream)
{
    struct heard removes = { .removes = true }, frees = { .frees = true };
    virStreamPtr stream;

    useLoop();
    openGuest();
    stream = openConsole(VIR_STREAM_NONBLOCK, 0);
    CHECK_OK(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_WRITABLE, hear, &removes, heardFree));
    turn(5);
    CHECK_INT(removes.calls, 1);
    CHECK_INT(removes.freed, 1);
    CHECK_OK(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_WRITABLE, hear, &frees, heardFree));
    turn(5);
    CHECK_INT(frees.calls, 1);
    CHECK_INT(frees.freed, 1);
    stream = openConsole(VIR_STREAM_NONBLOCK, 0);
    memset(&frees, 0, sizeof(frees));
    CHECK_OK(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, hear, &frees, heardFree));
    CHECK_OK(virStreamFinish(stream));
    CHECK_INT(frees.freed, 1);        /* with the stream's end */
    CHECK_FAILS(virStreamEventRemoveCallback(stream), VIR_ERR_INTERNAL_ERROR);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_stream_that_was_taken_over_says_so_to_its_callback)
{
    struct heard heard = { 0 };
    virStreamPtr first, second;

    useLoop();
    openGuest();
    first = openConsole(VIR_STREAM_NONBLOCK, 0);
    CHECK_OK(virStreamEventAddCallback(first, VIR_STREAM_EVENT_READABLE, hear, &heard, heardFree));
    second = openConsole(VIR_STREAM_NONBLOCK, VIR_DOMAIN_CONSOLE_FORCE);
    TURN_UNTIL(heard.calls == 1);
    turn(5);
    CHECK_INT(heard.calls, 1);
    CHECK((heard.events & VIR_STREAM_EVENT_ERROR) != 0);
    CHECK_OK(virStreamFree(first));
    CHECK_INT(heard.freed, 1);
    CHECK_OK(virStreamFree(second));
    closeGuest();
}

/* ---- threads ---- */

enum { MANY = 1000000 };

static void *
sendMany(void *opaque)
{
    char data[1000];
    int sent, all = 0;

    while (all < MANY) {
        for (int i = 0; i < (int)sizeof(data); i++)
            data[i] = (char)((all + i) % 251);
        CHECK_OK(sent = virStreamSend(opaque, data, MANY - all < (int)sizeof(data) ? (size_t)(MANY - all) : sizeof(data)));
        all += sent;
    }
    return NULL;
}

TEST(one_thread_sends_while_another_receives)
{
    pthread_t sender;
    virStreamPtr stream;
    char data[777];
    int got, all = 0;

    openGuest();
    stream = openConsole(0, 0);
    CHECK_INT(pthread_create(&sender, NULL, sendMany, stream), 0);
    while (all < MANY) {
        CHECK((got = virStreamRecv(stream, data, sizeof(data))) > 0);
        for (int i = 0; i < got; i++)
            CHECK_INT((unsigned char)data[i], (all + i) % 251);
        all += got;
    }
    CHECK_INT(pthread_join(sender, NULL), 0);
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

static void *
receiveOne(void *opaque)
{
    char data[4];

    CHECK_FAILS(virStreamRecv(opaque, data, sizeof(data)), VIR_ERR_INTERNAL_ERROR);
    return NULL;
}

TEST(an_abort_wakes_a_thread_that_waits)
{
    pthread_t receiver;
    virStreamPtr stream;

    openGuest();
    stream = openConsole(0, 0);
    CHECK_INT(pthread_create(&receiver, NULL, receiveOne, stream), 0);
    harnessSleepMs(20);
    CHECK_OK(virStreamAbort(stream));
    CHECK_INT(pthread_join(receiver, NULL), 0);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

/* ---- faults; nanomsg does not survive them ---- */

#ifndef STREAM_REMOTE
static int
talk(void *opaque)
{
    virStreamPtr stream = virStreamNew(conn, 0);
    char data[8], *type = NULL;
    int rc = -1;

    (void)opaque;
    if (stream == NULL)
        return -1;
    if (virDomainOpenConsole(guest, NULL, stream, 0) == 0 && virStreamSend(stream, "abc", 3) == 3
        && virStreamRecv(stream, data, sizeof(data)) == 3 && virStreamFinish(stream) == 0)
        rc = 0;
    faultPause();
    virErrorPtr failure = rc < 0 ? virSaveLastError() : NULL;
    virStreamFree(stream);
    faultResume();
    if (rc == 0 && (stream = virStreamNew(conn, 0)) != NULL) {
        struct collected picture = { 0 };

        type = virDomainScreenshot(guest, stream, 0, 0);
        rc = type != NULL ? virStreamRecvAll(stream, collect, &picture) : -1;
        free(type);
        faultPause();
        failure = rc < 0 ? virSaveLastError() : NULL;
        virStreamFree(stream);
        faultResume();
    } else if (rc == 0) {
        return -1;
    }
    faultPause();
    if (failure != NULL)
        CHECK(failure->code != VIR_ERR_OK);
    virFreeError(failure);
    faultResume();
    if (rc < 0)
        virStreamFree(NULL);          /* leaves an error, as the failed call did */
    return rc;
}

TEST_LIMIT(streams_survive_every_failing_allocation, 300)
{
    openGuest();
    FAULT_EACH_ALLOCATION(talk, NULL);
    closeGuest();
}
#endif
