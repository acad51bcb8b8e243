/*
 * Reads a guest's console through a stream, in the event loop: the loop says when there is something to receive, so one thread can watch many consoles
 * and do other things beside.
 *
 *     cc examples/console.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o console
 *     ./console                           the test driver's console, which gives back what it is sent: "hello, console"
 *     ./console qemu:///session GUEST     what a guest of yours writes, until it ends (its <serial type='pty'/>)
 *
 * Before: events.c, which has a loop of its own; this one is the library's. For a console to type at: virtsh console GUEST. Next: migrate.c.
 */
#include "../virt.h"

#include <stdio.h>
#include <string.h>

static const char greeting[] = "hello, console\n";

static struct {
    int greets, over, failed;
    size_t sent, received;
} console;

/* The loop calls this for as long as there is something to do. */
static void
ready(virStreamPtr stream, int events, void *opaque)
{
    char data[4096];
    int n = 0;

    (void)opaque;
    if ((events & VIR_STREAM_EVENT_WRITABLE) != 0 && (n = virStreamSend(stream, greeting + console.sent, strlen(greeting) - console.sent)) > 0
        && (console.sent += (size_t)n) == strlen(greeting))
        virStreamEventUpdateCallback(stream, VIR_STREAM_EVENT_READABLE);          /* all is sent: only listen */
    if ((events & VIR_STREAM_EVENT_READABLE) != 0) {
        while ((n = virStreamRecv(stream, data, sizeof(data))) > 0) {
            fwrite(data, 1, (size_t)n, stdout);
            console.received += (size_t)n;
        }
        fflush(stdout);
        if (n == 0 || (console.greets && console.received >= strlen(greeting)))   /* -2 is: nothing more just now */
            console.over = 1;
    } else if ((events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)) != 0) {
        console.over = 1;                                                         /* another client has it, or the guest has gone */
    }
    if (n == -1)
        console.over = console.failed = 1;
    if (console.over)
        virStreamEventRemoveCallback(stream);
}

int
main(int argc, char **argv)
{
    int events = VIR_STREAM_EVENT_READABLE, rc = -1;
    virConnectPtr conn = NULL;
    virDomainPtr domain = NULL;
    virStreamPtr stream = NULL;

    console.greets = argc < 3;
    if (virEventRegisterDefaultImpl() == 0                                        /* the loop first */
        && (conn = virConnectOpen(argc > 1 ? argv[1] : "test:///default")) != NULL
        && (domain = virDomainLookupByName(conn, argc > 2 ? argv[2] : "test")) != NULL
        && (stream = virStreamNew(conn, VIR_STREAM_NONBLOCK)) != NULL
        && virDomainOpenConsole(domain, NULL, stream, 0) == 0
        && virStreamEventAddCallback(stream, events | (console.greets ? VIR_STREAM_EVENT_WRITABLE : 0), ready, NULL, NULL) == 0)
        for (rc = 0; rc == 0 && !console.over;)
            rc = virEventRunDefaultImpl();
    if (rc < 0 || console.failed)
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
    else
        virStreamFinish(stream);
    if (stream != NULL)
        virStreamFree(stream);
    if (domain != NULL)
        virDomainFree(domain);
    if (conn != NULL)
        virConnectClose(conn);
    return rc == 0 && !console.failed ? 0 : 1;
}
