/*
 * Hears what happens to guests, in an event loop of its own. An application has one already (glib, libuv, epoll, ...); here it is poll()
 * in about a hundred lines, given to the library with virEventRegisterImpl.
 *
 *     cc examples/events.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o events
 *     ./events                         starts and ends a guest on the test driver, and prints the events of that
 *     ./events qemu:///session N       waits for N events of your guests
 *
 * Programs that have no loop use virEventRegisterDefaultImpl and call virEventRunDefaultImpl again and again. Next: migrate.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "../virt.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * ---- the loop: a table of watched descriptors and of timers ----
 *
 * The library calls the six functions from any thread, also from within a callback. So the table has a lock, which is not held while a callback
 * runs; whoever changes it wakes the poll(); and what was removed is released (ff) by the loop itself, when no callback can be using it.
 */
enum { MAX = 64, FREE = 0, USED, GONE };

static struct item {
    int state, id, fd, events;        /* fd -1: a timer */
    int interval;                     /* ms; -1: not now */
    long long due;
    virEventHandleCallback ready;
    virEventTimeoutCallback expired;
    void *opaque;
    virFreeCallback ff;
} items[MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int nextId = 1, wake[2];

static long long
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void
wakeUp(void)
{
    if (write(wake[1], "", 1) < 0)
        return;                       /* the pipe is full, and so it wakes */
}

static int
add(struct item item)
{
    int id = -1;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX && id < 0; i++)
        if (items[i].state == FREE) {
            items[i] = item;
            items[i].state = USED;
            id = items[i].id = nextId++;
        }
    pthread_mutex_unlock(&lock);
    wakeUp();
    return id;
}

/* Updates an item, or removes it. */
static int
change(int id, int state, int events, int interval)
{
    int rc = -1;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX; i++)
        if (items[i].state == USED && items[i].id == id) {
            items[i].state = state;
            items[i].events = events;
            items[i].interval = interval;
            items[i].due = now() + interval;
            rc = 0;
        }
    pthread_mutex_unlock(&lock);
    wakeUp();
    return rc;
}

static int addHandle(int fd, int events, virEventHandleCallback cb, void *opaque, virFreeCallback ff)
{
    return add((struct item){ .fd = fd, .events = events, .interval = -1, .ready = cb, .opaque = opaque, .ff = ff });
}
static int addTimer(int interval, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    return add((struct item){ .fd = -1, .interval = interval, .due = now() + interval, .expired = cb, .opaque = opaque, .ff = ff });
}
static void updateHandle(int id, int events)   { change(id, USED, events, -1); }
static void updateTimer(int id, int interval)  { change(id, USED, 0, interval); }
static int removeItem(int id)                  { return change(id, GONE, 0, -1); }

/* One round: waits until something is due, and calls whoever waits for it. */
static void
run(void)
{
    struct pollfd fds[MAX + 1] = { { .fd = wake[0], .events = POLLIN } };
    struct item item;
    int ids[MAX], wait = -1;
    long long moment;
    char drain[64];

    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX; i++) {
        /* VIR_EVENT_HANDLE_READABLE and WRITABLE are 1 and 2, POLLIN and POLLOUT are not */
        fds[i + 1] = (struct pollfd){ .fd = items[i].state == USED && items[i].events != 0 ? items[i].fd : -1 };
        fds[i + 1].events = (short)((items[i].events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0)
                                    | (items[i].events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0));
        ids[i] = items[i].id;
        if (items[i].state == USED && items[i].interval >= 0 && (wait < 0 || items[i].due - now() < wait))
            wait = items[i].due > now() ? (int)(items[i].due - now()) : 0;
    }
    pthread_mutex_unlock(&lock);
    if (poll(fds, MAX + 1, wait) < 0)
        return;
    while (read(wake[0], drain, sizeof(drain)) > 0)
        ;
    moment = now();
    for (int i = 0; i < MAX; i++) {
        int got = fds[i + 1].revents, events = (got & POLLIN ? VIR_EVENT_HANDLE_READABLE : 0) | (got & POLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0)
                  | (got & POLLERR ? VIR_EVENT_HANDLE_ERROR : 0) | (got & POLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);

        pthread_mutex_lock(&lock);
        item = items[i];
        if (item.state == USED && item.interval >= 0 && item.due <= moment)
            items[i].due = moment + item.interval;
        if (item.state == GONE)
            items[i].state = FREE;
        pthread_mutex_unlock(&lock);
        if (item.state == USED && item.id == ids[i] && item.ready != NULL && events != 0)
            item.ready(item.id, item.fd, events, item.opaque);
        else if (item.state == USED && item.expired != NULL && item.interval >= 0 && item.due <= moment)
            item.expired(item.id, item.opaque);
        else if (item.state == GONE && item.ff != NULL)
            item.ff(item.opaque);
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
    if (pipe(wake) < 0 || fcntl(wake[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(wake[1], F_SETFL, O_NONBLOCK) < 0)
        return 1;
    virEventRegisterImpl(addHandle, updateHandle, removeItem, addTimer, updateTimer, removeItem);
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
