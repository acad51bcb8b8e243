/*
 * The memory of a real guest over a descriptor that the application hands to each end.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../qemu_guest.h"

#include <sys/socket.h>

static int
exchange(virMigrationPtr from, virMigrationPtr to)
{
    char *text = NULL;
    int rc;

    CHECK_OK(rc = virMigrationStep(from, 20));
    if (virMigrationGetMessage(from, &text) > 0)
        CHECK_OK(virMigrationPutMessage(to, text));
    free(text);
    return rc;
}

static virMigrationOutcome
migrate(virDomainPtr domain, virConnectPtr there, int source, int destination, char *message, size_t size)
{
    virMigrationPtr a, b;
    virMigrationOutcome outcome;

    CHECK_PTR(a = virMigrationNewSource(domain, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_PTR(b = virMigrationNewDestination(there));
    if (source >= 0)
        CHECK_OK(virMigrationSetStream(a, source));
    CHECK_OK(virMigrationSetStream(b, destination));
    while (exchange(a, b) > 0)
        exchange(b, a);
    outcome = virMigrationGetOutcome(a);
    snprintf(message, size, "%s", virMigrationGetError(a) != NULL ? virMigrationGetError(a)->message : "");
    CHECK_FAILS(virMigrationSetStream(a, source), VIR_ERR_OPERATION_INVALID);         /* too late */
    virMigrationFree(a);
    virMigrationFree(b);
    return outcome;
}

TEST(memory_goes_over_a_stream_of_the_callers)
{
    virConnectPtr a, b;
    virDomainPtr domain, guest;
    virMigrationPtr both;
    char message[512];
    int ends[2];

    CHECK_PTR(a = openRoot("a"));
    CHECK_PTR(b = openRoot("b"));
    CHECK_PTR(domain = virDomainCreateXML(a, countingXml("stream", "", "", ""), 0));
    WAIT_FOR(hasCounted("stream", 3), 10000);
    CHECK_PTR(both = virMigrationNew(domain, b, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_FAILS(virMigrationSetStream(both, 0), VIR_ERR_OPERATION_INVALID);
    virMigrationFree(both);

    /* one end alone has got one */
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_INT(migrate(domain, b, -1, ends[1], message, sizeof(message)), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(message, "virMigrationSetStream");
    CHECK_INT(stateOf(domain), VIR_DOMAIN_RUNNING);
    close(ends[0]);
    close(ends[1]);

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_INT(migrate(domain, b, ends[0], ends[1], message, sizeof(message)), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_STR(message, "");
    CHECK_PTR(guest = virDomainLookupByName(b, "stream"));
    CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
    CHECK_OK(virDomainDestroy(guest));
    close(ends[0]);
    close(ends[1]);
    virDomainFree(guest);
    virDomainFree(domain);
    virConnectClose(a);
    virConnectClose(b);
}
