/*
 * Hears what happens to guests, in an event loop of its own. An application has one already (glib, libuv, epoll, ...); here it is poll()
 * in about thirty lines, given to the library with virEventRegisterImpl.
 *
 *     cc examples/events.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o events
 *     ./events                         starts and ends a guest on the test driver, and prints the events of that
 *     ./events qemu:///session N       waits for N events of your guests
 *
 * Programs that have no loop use virEventRegisterDefaultImpl and call virEventRunDefaultImpl again and again. Next: migrate.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "../virt.h"

#ifdef _WIN32                           /* there descriptors are sockets */
# include <winsock2.h>
# define poll WSAPoll
#else
# include <poll.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- the loop: a table of watched descriptors and one of times ---- */

enum { MAX = 32 };

static struct watch { int id, fd, events; virEventHandleCallback cb; void *opaque; virFreeCallback ff; } watches[MAX];
static struct timer { int id, interval; long long due; virEventTimeoutCallback cb; void *opaque; virFreeCallback ff; } timers[MAX];
static int nextId = 1;

static long long
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int
addHandle(int fd, int events, virEventHandleCallback cb, void *opaque, virFreeCallback ff)
{
    for (int i = 0; i < MAX; i++)
        if (watches[i].id == 0) {
            watches[i] = (struct watch){ nextId, fd, events, cb, opaque, ff };
            return nextId++;
        }
    return -1;
}

static void
updateHandle(int id, int events)
{
    for (int i = 0; i < MAX; i++)
        if (watches[i].id == id)
            watches[i].events = events;
}

static int
removeHandle(int id)
{
    for (int i = 0; i < MAX; i++)
        if (watches[i].id == id) {
            struct watch gone = watches[i];

            watches[i].id = 0;
            if (gone.ff != NULL)
                gone.ff(gone.opaque);
            return 0;
        }
    return -1;
}

static int
addTimer(int interval, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    for (int i = 0; i < MAX; i++)
        if (timers[i].id == 0) {
            timers[i] = (struct timer){ nextId, interval, now() + interval, cb, opaque, ff };
            return nextId++;
        }
    return -1;
}

static void
updateTimer(int id, int interval)
{
    for (int i = 0; i < MAX; i++)
        if (timers[i].id == id) {
            timers[i].interval = interval;
            timers[i].due = now() + interval;
        }
}

static int
removeTimer(int id)
{
    for (int i = 0; i < MAX; i++)
        if (timers[i].id == id) {
            struct timer gone = timers[i];

            timers[i].id = 0;
            if (gone.ff != NULL)
                gone.ff(gone.opaque);
            return 0;
        }
    return -1;
}

/* One round: waits until something is due, and calls whoever waits for it. */
static void
run(void)
{
    struct pollfd fds[MAX];
    long long t = now();
    int wait = 1000, watched = 0;

    for (int i = 0; i < MAX; i++) {
        /* VIR_EVENT_HANDLE_READABLE and WRITABLE are 1 and 2, POLLIN and POLLOUT are not */
        fds[i].fd = watches[i].id != 0 ? watches[i].fd : -1;
        fds[i].revents = 0;
        fds[i].events = (short)((watches[i].events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0)
                                | (watches[i].events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0));
        watched += watches[i].id != 0;
        if (timers[i].id != 0 && timers[i].interval >= 0 && timers[i].due - t < wait)
            wait = timers[i].due > t ? (int)(timers[i].due - t) : 0;
    }
    if (watched == 0)                       /* Windows's poll() refuses to wait for time alone */
        nanosleep(&(struct timespec){ .tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000L }, NULL);
    else if (poll(fds, MAX, wait) < 0)
        return;
    for (int i = 0; i < MAX; i++) {
        int events = (fds[i].revents & POLLIN ? VIR_EVENT_HANDLE_READABLE : 0) | (fds[i].revents & POLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0)
                     | (fds[i].revents & POLLERR ? VIR_EVENT_HANDLE_ERROR : 0) | (fds[i].revents & POLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);

        if (events != 0 && watches[i].id != 0 && watches[i].fd == (int)fds[i].fd)
            watches[i].cb(watches[i].id, watches[i].fd, events, watches[i].opaque);
        if (timers[i].id != 0 && timers[i].interval >= 0 && timers[i].due <= now()) {
            timers[i].due = now() + timers[i].interval;
            timers[i].cb(timers[i].id, timers[i].opaque);
        }
    }
}

/* ---- what is done with it ---- */

static int
heard(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    static const char *const names[] = {
        "defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed",
    };
    int *count = opaque;

    (void)conn;
    printf("%s: %s (%d)\n", virDomainGetName(domain), names[event], detail);
    (*count)++;
    return 0;
}

int
main(int argc, char **argv)
{
    static const char xml[] = "<domain type='test'><name>noisy</name><memory>8192</memory><os><type>hvm</type></os></domain>";
    int wanted = argc > 2 ? atoi(argv[2]) : 2, count = 0, id;
    virConnectPtr conn;
    virDomainPtr domain = NULL;

    /* the loop first: connections use it from the moment they are opened */
    virEventRegisterImpl(addHandle, updateHandle, removeHandle, addTimer, updateTimer, removeTimer);
    conn = virConnectOpen(argc > 1 ? argv[1] : "test:///default");
    if (conn == NULL) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        return 1;
    }
    id = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(heard), &count, NULL);
    if (id < 0 || (argc == 1 && ((domain = virDomainCreateXML(conn, xml, 0)) == NULL || virDomainDestroy(domain) < 0)))
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
    else
        while (count < wanted)
            run();
    if (domain != NULL)
        virDomainFree(domain);
    if (id >= 0)
        virConnectDomainEventDeregisterAny(conn, id);
    virConnectClose(conn);
    return count >= wanted ? 0 : 1;
}
