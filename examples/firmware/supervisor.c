/*
 * A guest supervisor for an appliance: starts one guest from an XML file, and starts it again whenever it ends.
 *
 *     supervisor STATE-DIRECTORY GUEST.xml        (make; see the Makefile and README.md beside this file)
 *
 * One process, one thread, one poll: the loop below is the application's own, and virt hangs its descriptors and
 * timers into it. SIGTERM ends the guest in good order, after ten seconds without mercy. If the supervisor itself
 * dies, the guest goes on, and the next supervisor finds it again. One line on stdout for each thing that happens.
 */
#define _GNU_SOURCE
#include "virt.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* ---------- the loop: a table of descriptors and one of timers ---------- */

enum { SLOTS = 16, GRACE_MS = 10000, RESTART_MS = 200 };

static struct watch {
    int fd, events;                              /* free if callback is NULL */
    virEventHandleCallback callback;
    virFreeCallback release;
    void *opaque;
} watches[SLOTS];

static struct timer {
    int interval;                                /* -1: asleep */
    long long due;
    virEventTimeoutCallback callback;
    virFreeCallback release;
    void *opaque;
} timers[SLOTS];

static long long
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int
addHandle(int fd, int events, virEventHandleCallback callback, void *opaque, virFreeCallback release)
{
    for (int i = 0; i < SLOTS; i++) {
        if (watches[i].callback == NULL) {
            watches[i] = (struct watch){ fd, events, callback, release, opaque };
            return i;
        }
    }
    return -1;
}

static void
updateHandle(int watch, int events)
{
    watches[watch].events = events;
}

static int
removeHandle(int watch)
{
    struct watch old = watches[watch];

    memset(&watches[watch], 0, sizeof(old));
    if (old.release != NULL)
        old.release(old.opaque);
    return 0;
}

static void
updateTimeout(int timer, int interval)
{
    timers[timer].interval = interval;
    timers[timer].due = now() + interval;
}

static int
addTimeout(int interval, virEventTimeoutCallback callback, void *opaque, virFreeCallback release)
{
    for (int i = 0; i < SLOTS; i++) {
        if (timers[i].callback == NULL) {
            timers[i] = (struct timer){ interval, now() + interval, callback, release, opaque };
            return i;
        }
    }
    return -1;
}

static int
removeTimeout(int timer)
{
    struct timer old = timers[timer];

    memset(&timers[timer], 0, sizeof(old));
    if (old.release != NULL)
        old.release(old.opaque);
    return 0;
}

/* Once around: waits for what comes first, and tells whom it concerns. */
static void
turn(void)
{
    struct pollfd fds[SLOTS];
    int slot[SLOTS], n = 0;
    long long wait = -1, left;

    for (int i = 0; i < SLOTS; i++) {
        if (watches[i].callback == NULL || watches[i].events == 0)
            continue;
        slot[n] = i;
        fds[n++] = (struct pollfd){
            .fd = watches[i].fd,
            .events = (short)((watches[i].events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0) |
                              (watches[i].events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0)),
        };
    }
    for (int i = 0; i < SLOTS; i++) {
        if (timers[i].callback == NULL || timers[i].interval < 0)
            continue;
        left = timers[i].due - now();
        if (wait < 0 || left < wait)
            wait = left > 0 ? left : 0;
    }
    if (poll(fds, (nfds_t)n, (int)wait) < 0)
        return;
    for (int i = 0; i < n; i++) {
        struct watch *watch = &watches[slot[i]];
        int events = (fds[i].revents & POLLIN ? VIR_EVENT_HANDLE_READABLE : 0) |
                     (fds[i].revents & POLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0) |
                     (fds[i].revents & POLLERR ? VIR_EVENT_HANDLE_ERROR : 0) |
                     (fds[i].revents & POLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);

        if (events != 0 && watch->callback != NULL && watch->fd == fds[i].fd)
            watch->callback(slot[i], fds[i].fd, events, watch->opaque);
    }
    for (int i = 0; i < SLOTS; i++) {
        if (timers[i].callback != NULL && timers[i].interval >= 0 && timers[i].due <= now()) {
            timers[i].due = now() + timers[i].interval;
            timers[i].callback(i, timers[i].opaque);
        }
    }
}

/* ---------- the supervisor ---------- */

/* The guest's document has a uuid, so that the next supervisor defines the same guest again and not a second one. */
static struct {
    virDomainPtr guest;
    const char *name;                            /* the handle's; to ask for it would end the error that say() is given */
    int restart, grace;                          /* timers */
    int starts, ending, over;
} super;

static void
say(const char *what)
{
    printf("%s: %s\n", super.name, what);
    fflush(stdout);
}

/* A guest that does not start is tried again, more and more slowly. */
static void
start(int timer, void *opaque)
{
    static int pause = RESTART_MS;

    (void)opaque;
    updateTimeout(timer, -1);
    if (virDomainCreate(super.guest) == 0) {
        pause = RESTART_MS;
        super.starts++;
        say(super.starts > 1 ? "started again" : "started");
        return;
    }
    say(virGetLastErrorMessage());
    pause = pause < 60000 ? pause * 2 : pause;
    updateTimeout(timer, pause);
}

static int
lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    (void)conn;
    (void)domain;
    (void)opaque;
    if (event != VIR_DOMAIN_EVENT_STOPPED)
        return 0;
    say(detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED || detail == VIR_DOMAIN_EVENT_STOPPED_FAILED ? "crashed" : "ended");
    if (super.ending)
        super.over = 1;
    else
        updateTimeout(super.restart, RESTART_MS);
    return 0;
}

static void
mercy(int timer, void *opaque)
{
    (void)opaque;
    updateTimeout(timer, -1);
    if (virDomainDestroy(super.guest) < 0)
        say(virGetLastErrorMessage());
    super.over = 1;
}

static void
asked(int watch, int fd, int events, void *opaque)
{
    struct signalfd_siginfo info;

    (void)watch;
    (void)events;
    (void)opaque;
    if (read(fd, &info, sizeof(info)) != sizeof(info) || super.ending)
        return;
    super.ending = 1;
    updateTimeout(super.restart, -1);
    say("asked to end");
    if (virDomainIsActive(super.guest) != 1)
        super.over = 1;
    else
        updateTimeout(super.grace, virDomainShutdown(super.guest) == 0 ? GRACE_MS : 0);
}

static char *
contents(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (file != NULL) {
        if (getdelim(&text, &size, '\0', file) < 0) {
            free(text);
            text = NULL;
        }
        fclose(file);
    }
    return text;
}

static virConnectPtr
prepare(const char *root, const char *path)
{
    char uri[4096], *xml;
    virConnectPtr conn = NULL;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    virEventRegisterImpl(addHandle, updateHandle, removeHandle, addTimeout, updateTimeout, removeTimeout);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", root);
    if ((xml = contents(path)) == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    if ((conn = virConnectOpen(uri)) != NULL)
        super.guest = virDomainDefineXML(conn, xml);
    free(xml);
    if (super.guest == NULL ||
        virConnectDomainEventRegisterAny(conn, super.guest, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(lifecycle), NULL, NULL) < 0) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        exit(1);
    }
    super.name = virDomainGetName(super.guest);
    super.restart = addTimeout(-1, start, NULL, NULL);
    super.grace = addTimeout(-1, mercy, NULL, NULL);
    addHandle(signalfd(-1, &signals, SFD_CLOEXEC), VIR_EVENT_HANDLE_READABLE, asked, NULL, NULL);
    return conn;
}

static void
quiet(void *opaque, virErrorPtr error)
{
    (void)opaque;
    (void)error;
}

int
main(int argc, char **argv)
{
    virConnectPtr conn;

    if (argc != 3) {
        fprintf(stderr, "usage: %s STATE-DIRECTORY GUEST.xml\n", argv[0]);
        return 2;
    }
    virSetErrorFunc(NULL, quiet);
    conn = prepare(argv[1], argv[2]);
    if (virDomainIsActive(super.guest) == 1)
        say("runs already");
    else
        start(super.restart, NULL);
    while (!super.over)
        turn();
    virDomainFree(super.guest);
    virConnectClose(conn);
    return 0;
}
