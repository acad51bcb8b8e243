/*
 * Steps a migration in a poll() loop of one's own, beside something else that the loop does: here, a line typed on standard input aborts it.
 * The program never waits anywhere but in its poll(): virMigrationGetWait says for what and for how long, and a step with no time does what
 * can be done at once.
 *
 *     cc examples/poll.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o poll
 *     ./poll                    a guest of the test driver goes from one simulated host to another
 *     echo | ./poll             the same, aborted: it stays where it was
 *
 * One sees the phases, and where the guest runs in the end. Before: migrate.c, the same with steps that wait.
 */
#include "../virt.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* The other simulated host has a guest of this name as well: there has to be room. */
static int
makeRoom(virConnectPtr conn)
{
    virDomainPtr domain = virDomainLookupByName(conn, "test");
    int rc = domain != NULL && virDomainDestroy(domain) == 0 && virDomainUndefine(domain) == 0 ? 0 : -1;

    if (domain != NULL)
        virDomainFree(domain);
    return rc;
}

int
main(void)
{
    virConnectPtr here = virConnectOpen("test:///default?memory-mib=512"), there = virConnectOpen("test:///default?host=there");
    virDomainPtr domain = here != NULL ? virDomainLookupByName(here, "test") : NULL;
    virMigrationPtr m = domain != NULL && there != NULL && makeRoom(there) == 0
                        ? virMigrationNew(domain, there, NULL, 0, VIR_MIGRATE_LIVE) : NULL;
    struct pollfd fds[2] = { { .fd = -1 }, { .fd = STDIN_FILENO, .events = POLLIN } };
    virMigrationPhase shown = VIR_MIGRATION_PHASE_LAST;
    int events, ms, migrated = 0;
    char line[64];

    while (m != NULL && virMigrationStep(m, 0) > 0) {
        if (virMigrationGetPhase(m) != shown)
            printf("%s\n", virMigrationPhaseGetName(shown = virMigrationGetPhase(m)));
        if (virMigrationGetWait(m, &fds[0].fd, &events, &ms) < 0)      /* after every step: all three may have changed */
            break;
        fds[0].events = (short)((events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0) | (events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0));
        if (poll(fds, 2, ms) > 0 && fds[1].revents != 0) {
            if (read(STDIN_FILENO, line, sizeof(line)) > 0)
                virMigrationAbort(m);                                  /* a request: the steps that follow carry it out */
            else
                fds[1].fd = -1;                                        /* nothing more will be typed */
        }
    }
    if (m != NULL) {
        migrated = virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED;
        printf("%s\n", migrated ? "it runs there" : virMigrationGetError(m) != NULL ? virMigrationGetError(m)->message : "it is not over");
    } else {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
    }
    virMigrationFree(m);
    if (domain != NULL)
        virDomainFree(domain);
    if (there != NULL)
        virConnectClose(there);
    if (here != NULL)
        virConnectClose(here);
    return migrated ? 0 : 1;
}
