/*
 * A live migration between two programs that share nothing but two pipes.
 *
 *     cc examples/halves.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o halves
 *     mkfifo wire
 *     ./halves qemu:///embed?root=/tmp/b < wire | ./halves qemu:///embed?root=/tmp/a GUEST > wire
 *
 * With the name of a guest it is the source's end, without one the destination's. Each end is an object of its own; what they say to each
 * other are lines of text, here on stdin and stdout. A program of yours carries them as it likes: over ssh, its own protocol, a queue. They
 * may get lost or come twice. Next: protocols.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "../virt.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes in what has come, without waiting longer than the object allows. 0 at the end of the other program. */
static int
listen(virMigrationPtr m, int milliseconds)
{
    static char *line;
    static size_t size;
    struct pollfd in = { .fd = 0, .events = POLLIN };

    if (poll(&in, 1, milliseconds) <= 0)
        return 1;
    if (getline(&line, &size, stdin) <= 0)
        return 0;
    if (virMigrationPutMessage(m, line) < 0)     /* a bad one changes nothing: the other end will say it again */
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
    return 1;
}

static void
speak(virMigrationPtr m)
{
    char *message;

    while (virMigrationGetMessage(m, &message) > 0) {
        printf("%s\n", message);
        fflush(stdout);
        free(message);
    }
}

/* Steps, speaks and listens until it is over; the destination goes on answering until the source has gone. */
static void
carry(virMigrationPtr m, const char *end, int stays)
{
    virMigrationPhase shown = VIR_MIGRATION_PHASE_LAST;
    int rc, fd, events, ms, heard = 1;

    do {
        rc = virMigrationStep(m, 0);
        if (virMigrationGetPhase(m) != shown && (shown = virMigrationGetPhase(m)) != VIR_MIGRATION_PHASE_OVER)
            fprintf(stderr, "%s: %s\n", end, virMigrationPhaseGetName(shown));
        speak(m);
        virMigrationGetWait(m, &fd, &events, &ms);
        if (rc > 0 || stays)
            heard = listen(m, ms < 0 || ms > 50 ? 50 : ms);      /* a loop of one's own would watch fd as well: see poll.c */
    } while (heard && (rc > 0 || stays));
}

int
main(int argc, char **argv)
{
    const char *end = argc > 2 ? "source" : "destination";
    virConnectPtr conn = argc > 1 ? virConnectOpen(argv[1]) : NULL;
    virDomainPtr domain = conn != NULL && argc > 2 ? virDomainLookupByName(conn, argv[2]) : NULL;
    virMigrationPtr m = NULL;
    int migrated = 0;

    if (domain != NULL)
        m = virMigrationNewSource(domain, NULL, 0, VIR_MIGRATE_LIVE);
    else if (conn != NULL && argc == 2)
        m = virMigrationNewDestination(conn);
    if (m != NULL) {
        carry(m, end, argc == 2);
        migrated = virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED;
        fprintf(stderr, "%s: %s\n", end, migrated ? "migrated" : virMigrationGetError(m) != NULL ? virMigrationGetError(m)->message : "not over");
    } else {
        fprintf(stderr, "%s\n", argc > 1 ? virGetLastErrorMessage() : "usage: halves URI [GUEST]");
    }
    virMigrationFree(m);
    if (domain != NULL)
        virDomainFree(domain);
    if (conn != NULL)
        virConnectClose(conn);
    return migrated ? 0 : 1;
}
