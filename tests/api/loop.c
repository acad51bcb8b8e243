/* The event loop: the library's own, turned by hand, and an application's six functions. */
#include "../../virt.h"
#include "../harness.h"
#include <pthread.h>

static struct {
    int handles, timers, freed, events, watch;
} loop;

static void
loopFree(void *opaque)
{
    (void)opaque;
    loop.freed++;
}

static void
loopHandle(int watch, int fd, int events, void *opaque)
{
    char byte;

    CHECK(opaque == &loop);
    loop.handles++;
    loop.events = events;
    loop.watch = watch;
    if ((events & VIR_EVENT_HANDLE_READABLE) != 0)
        streamRead(fd, &byte, 1);
}

static void
loopTimer(int timer, void *opaque)
{
    (void)timer;
    CHECK(opaque == &loop);
    loop.timers++;
}

TEST(without_a_loop_nothing_can_be_watched)
{
    CHECK(virEventAddTimeout(1, loopTimer, &loop, NULL) < 0);
    CHECK(virEventAddHandle(0, VIR_EVENT_HANDLE_READABLE, loopHandle, &loop, NULL) < 0);
    CHECK(virEventRunDefaultImpl() < 0);
}

TEST(a_descriptor_is_seen_once_updated_and_removed)
{
    int fds[2], watch, timer;

    CHECK_OK(virEventRegisterDefaultImpl());
    streamOpen(fds);
    CHECK_OK(timer = virEventAddTimeout(1, loopTimer, &loop, loopFree));
    CHECK_OK(watch = virEventAddHandle(fds[0], VIR_EVENT_HANDLE_READABLE, loopHandle, &loop, loopFree));
    CHECK_OK(virEventRunDefaultImpl());
    CHECK_INT(loop.handles, 0);
    streamWrite(fds[1], "x", 1);
    while (loop.handles == 0)
        CHECK_OK(virEventRunDefaultImpl());
    CHECK_INT(loop.watch, watch);
    CHECK((loop.events & VIR_EVENT_HANDLE_READABLE) != 0);

    virEventUpdateHandle(watch, 0);
    streamWrite(fds[1], "x", 1);
    for (int i = 0; i < 5; i++)
        CHECK_OK(virEventRunDefaultImpl());
    CHECK_INT(loop.handles, 1);
    virEventUpdateHandle(watch, VIR_EVENT_HANDLE_READABLE);
    while (loop.handles == 1)
        CHECK_OK(virEventRunDefaultImpl());

    streamClose(fds[1]);
    virEventUpdateHandle(watch, VIR_EVENT_HANDLE_WRITABLE);     /* a hang-up is always watched for */
    while ((loop.events & VIR_EVENT_HANDLE_HANGUP) == 0)
        CHECK_OK(virEventRunDefaultImpl());

    CHECK_OK(virEventRemoveHandle(watch));
    CHECK_INT(loop.freed, 0);
    CHECK_OK(virEventRunDefaultImpl());
    CHECK_INT(loop.freed, 1);
    CHECK(virEventRemoveHandle(watch) < 0);
    CHECK_OK(virEventRemoveTimeout(timer));
    CHECK(virEventRemoveTimeout(timer) < 0);
    streamClose(fds[0]);
}

TEST(timers_keep_their_interval_and_can_be_halted)
{
    int slow, fast;
    long long start = harnessNowMs();

    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(slow = virEventAddTimeout(50, loopTimer, &loop, NULL));
    while (loop.timers < 3)
        CHECK_OK(virEventRunDefaultImpl());
    CHECK(harnessNowMs() - start >= 145);
    virEventUpdateTimeout(slow, -1);
    CHECK_OK(fast = virEventAddTimeout(0, loopTimer, &loop, NULL));
    loop.timers = 0;
    CHECK_OK(virEventRunDefaultImpl());
    CHECK_INT(loop.timers, 1);
    CHECK_OK(virEventRemoveTimeout(fast));
    CHECK_OK(virEventRemoveTimeout(slow));
}

static void *
loopWake(void *opaque)
{
    harnessSleepMs(50);
    CHECK_OK(virEventAddTimeout(0, loopTimer, &loop, NULL));
    return opaque;
}

TEST(another_thread_wakes_a_loop_that_waits_for_ever)
{
    pthread_t thread;

    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_INT(pthread_create(&thread, NULL, loopWake, NULL), 0);
    while (loop.timers == 0)
        CHECK_OK(virEventRunDefaultImpl());
    pthread_join(thread, NULL);
}

/* ---- an application's loop: it only notes what it was asked ---- */

static int loopAsked[6];

static int
loopAddHandle(int fd, int events, virEventHandleCallback cb, void *opaque, virFreeCallback ff)
{
    (void)fd;
    (void)events;
    (void)cb;
    (void)opaque;
    (void)ff;
    return 40 + loopAsked[0]++;
}

static void
loopUpdateHandle(int watch, int events)
{
    (void)watch;
    (void)events;
    loopAsked[1]++;
}

static int
loopRemoveHandle(int watch)
{
    (void)watch;
    loopAsked[2]++;
    return 0;
}

static int
loopAddTimeout(int timeout, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    (void)timeout;
    (void)cb;
    (void)opaque;
    (void)ff;
    return 50 + loopAsked[3]++;
}

static void
loopUpdateTimeout(int timer, int timeout)
{
    (void)timer;
    (void)timeout;
    loopAsked[4]++;
}

static int
loopRemoveTimeout(int timer)
{
    (void)timer;
    loopAsked[5]++;
    return 0;
}

TEST(an_applications_loop_gets_what_is_asked_of_it)
{
    virEventRegisterImpl(loopAddHandle, loopUpdateHandle, loopRemoveHandle, loopAddTimeout,
                         loopUpdateTimeout, loopRemoveTimeout);
    CHECK_INT(virEventAddHandle(0, VIR_EVENT_HANDLE_READABLE, loopHandle, &loop, NULL), 40);
    virEventUpdateHandle(40, 0);
    CHECK_INT(virEventRemoveHandle(40), 0);
    CHECK_INT(virEventAddTimeout(7, loopTimer, &loop, NULL), 50);
    virEventUpdateTimeout(50, 8);
    CHECK_INT(virEventRemoveTimeout(50), 0);
    for (int i = 0; i < 6; i++)
        CHECK_INT(loopAsked[i], 1);
    CHECK(virEventRunDefaultImpl() < 0);
}
