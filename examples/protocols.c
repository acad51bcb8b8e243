/*
 * Why a migration has five phases: the same accident under two versions of the protocol.
 *
 *     cc examples/protocols.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o protocols && ./protocols
 *
 * The guest is on its way between two simulated hosts, all of its memory has arrived, and then the destination cannot
 * start it. Version 2 has three phases: Prepare, Perform, Finish. Its Perform ends the source as soon as everything is
 * sent, because nobody will come back to it, so that the guest is gone. Version 3 came with Begin and Confirm: the source
 * keeps the guest, paused, until it knows what became of it there, and then ends it, or lets it go on.
 *
 * An older version is nothing but a driver whose table has fewer functions: ?protocol=2 opens the test driver like that.
 * You should see that the guest runs nowhere with 2, and at the source with 3. Read migrate.c before this, and driver.c
 * (tables of functions) after it.
 */
#include "../virt.h"

#include <stdio.h>

static virConnectPtr
openHost(const char *name, int protocol, const char *fault)
{
    char uri[128];

    snprintf(uri, sizeof(uri), "test:///default?host=%s-%d&protocol=%d&memory-mib=64%s", name, protocol, protocol, fault);
    return virConnectOpen(uri);
}

/* Where the guest runs: whoever is asked may not know it at all any more. */
static int
runsOn(virConnectPtr conn)
{
    virDomainPtr domain = virDomainLookupByName(conn, "traveller");
    int state = VIR_DOMAIN_NOSTATE;

    if (domain == NULL)
        return 0;
    virDomainGetState(domain, &state, NULL, 0);
    virDomainFree(domain);
    return state == VIR_DOMAIN_RUNNING;
}

/* Steps it to its end and says which phases there were. A driver without Begin or Confirm has nothing to do in them. */
static virMigrationOutcome
migrate(virDomainPtr domain, virConnectPtr destination)
{
    virMigrationPtr m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE);
    virMigrationPhase phase = VIR_MIGRATION_PHASE_LAST;
    virMigrationOutcome outcome;
    int rc = 1;

    if (m == NULL) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        return VIR_MIGRATION_OUTCOME_NONE;
    }
    while (rc > 0) {
        if (virMigrationGetPhase(m) != phase) {
            phase = virMigrationGetPhase(m);
            printf("  %s\n", virMigrationPhaseGetName(phase));
        }
        rc = virMigrationStep(m, 100);
    }
    outcome = virMigrationGetOutcome(m);
    if (virMigrationGetError(m) != NULL)
        printf("  because: %s\n", virMigrationGetError(m)->message);
    virMigrationFree(m);
    return outcome;
}

static int
accident(int protocol)
{
    virConnectPtr source = openHost("source", protocol, ""), destination = openHost("destination", protocol, "&fault=finish");
    virDomainPtr domain = NULL;
    virMigrationOutcome outcome;

    if (source != NULL && destination != NULL)
        domain = virDomainCreateXML(source, "<domain type='test'><name>traveller</name><memory unit='MiB'>64</memory>"
                                            "<os><type>hvm</type></os></domain>", 0);
    if (domain == NULL) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        return -1;
    }
    printf("Protocol %d, and the destination fails in Finish:\n", protocol);
    outcome = migrate(domain, destination);
    printf("  outcome: %s\n", outcome == VIR_MIGRATION_OUTCOME_LOST ? "lost" : outcome == VIR_MIGRATION_OUTCOME_ROLLED_BACK ?
           "rolled back" : "something else");
    printf("  the guest runs %s\n", runsOn(source) ? "at the source" : runsOn(destination) ? "at the destination" : "nowhere");
    virDomainFree(domain);
    virConnectClose(destination);
    virConnectClose(source);
    return 0;
}

int
main(void)
{
    return accident(2) < 0 || accident(3) < 0;
}
