/*
 * Serves hypervisors to other processes, from a program's own event loop: the simulated host of the test driver, and guests of QEMU in a
 * folder of this program's own, if one is named. Whoever runs as the same user reaches them with the same API; a function says what is allowed.
 *
 *     cc -DVIRT_WITH_REMOTE=1 examples/serve.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson nanomsg) -o serve
 *     ./serve /tmp/serve-sock [FOLDER]                         a line, or the end, on standard input ends it
 *     virtsh -c 'test+unix:///default?socket=/tmp/serve-sock' list
 *
 * One sees each call that changes a guest. The loop serves the clients; a program that wants long calls to hold up nobody calls
 * virServerRun in threads beside it. Before: events.c, which has more of a loop of one's own.
 */
#include "../virt.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Nobody ends the guest "test"; the rest is allowed. */
static int
may(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    (void)call;
    (void)uuid;
    (void)opaque;
    if (name == NULL || strcmp(name, "test") != 0 || strcmp(permission, "domain.stop") != 0)
        return 1;
    printf("user %lld wanted to end %s\n", who->uid, name);
    return 0;
}

static void
note(const virServerAudit *record, void *opaque)
{
    (void)opaque;
    printf("%s of %s by user %lld, process %lld: %s\n", record->call, record->name != NULL ? record->name : "the host", record->who->uid,
           record->who->pid, record->message != NULL ? record->message : "done");
    fflush(stdout);
}

static void
typed(int watch, int fd, int events, void *opaque)
{
    (void)fd;
    (void)events;
    virEventRemoveHandle(watch);
    *(int *)opaque = 1;
}

/* Opens a connection and serves it; the server keeps it open. */
static int
serve(virServerPtr server, const char *uri)
{
    virConnectPtr conn = virConnectOpen(uri);
    int rc = conn != NULL ? virServerAddConnect(server, conn) : -1;

    if (conn != NULL)
        virConnectClose(conn);
    return rc;
}

int
main(int argc, char **argv)
{
    char address[256], uri[256];
    virServerPtr server;
    int over = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s SOCKET [FOLDER]\n", argv[0]);
        return 2;
    }
    snprintf(address, sizeof(address), "unix:%s", argv[1]);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", argc > 2 ? argv[2] : "");
    virEventRegisterDefaultImpl();                                     /* before anything else: guests' events come by it, too */
    if ((server = virServerNew(NULL, 0, 0)) == NULL || serve(server, "test:///default") < 0 || (argc > 2 && serve(server, uri) < 0)
        || virServerSetAccess(server, may, NULL, NULL) < 0 || virServerSetAudit(server, note, NULL, NULL) < 0
        || virServerListen(server, address, NULL, 0, 0) < 0 || virServerAttach(server) < 0
        || virEventAddHandle(STDIN_FILENO, VIR_EVENT_HANDLE_READABLE, typed, &over, NULL) < 0) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        virServerFree(server);
        return 1;
    }
    printf("%s serves until a line is typed\n", address);
    fflush(stdout);
    while (!over && virEventRunDefaultImpl() == 0)
        ;
    virServerFree(server);
    return 0;
}
