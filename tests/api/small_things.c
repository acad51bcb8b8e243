/* Calls that have no story of their own. */
#include "../../virt.h"
#include "../harness.h"

static int smallEvents, smallFreed;

static int
smallEvent(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    (void)conn;
    (void)detail;
    (void)opaque;
    CHECK_STR(virDomainGetName(domain), "test");
    CHECK_INT(event, VIR_DOMAIN_EVENT_SUSPENDED);
    smallEvents++;
    return 0;
}

static int
smallOther(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    return smallEvent(conn, domain, event, detail, opaque);
}

static void
smallFree(void *opaque)
{
    (void)opaque;
    smallFreed++;
}

static void
smallTick(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

TEST(the_old_way_to_register_for_events_still_works)
{
    virConnectPtr conn;
    virDomainPtr domain;

    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(virEventAddTimeout(5, smallTick, NULL, NULL));
    CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_OK(virConnectDomainEventRegister(conn, smallEvent, NULL, smallFree));
    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK_OK(virDomainSuspend(domain));
    while (smallEvents == 0)
        CHECK_OK(virEventRunDefaultImpl());
    CHECK_FAILS(virConnectDomainEventDeregister(conn, smallOther), VIR_ERR_INVALID_ARG);
    CHECK_OK(virConnectDomainEventDeregister(conn, smallEvent));
    CHECK_OK(virDomainResume(domain));
    for (int i = 0; i < 5; i++)
        CHECK_OK(virEventRunDefaultImpl());
    CHECK_INT(smallEvents, 1);
    CHECK_INT(smallFreed, 1);
    virDomainFree(domain);
    virConnectClose(conn);
}

TEST(phases_have_names)
{
    static const char *const names[] = { "begin", "prepare", "perform", "finish", "confirm", "halt", "cancel", "rollback", "over" };

    for (int i = 0; i < VIR_MIGRATION_PHASE_LAST; i++)
        CHECK_STR(virMigrationPhaseGetName((virMigrationPhase)i), names[i]);
    CHECK_NOT_NULL(virMigrationPhaseGetName((virMigrationPhase)99));
}

TEST(each_migration_has_a_uuid_of_its_own)
{
    virConnectPtr from, to;
    virDomainPtr domain;
    virMigrationPtr one, two;
    char uuid[VIR_UUID_STRING_BUFLEN];

    CHECK_PTR(from = virConnectOpen("test:///default"));
    CHECK_PTR(to = virConnectOpen("test:///default?host=other"));
    CHECK_PTR(domain = virDomainLookupByName(from, "test"));
    CHECK_OK(virDomainGetUUIDString(domain, uuid));
    CHECK_PTR(one = virMigrationNew(domain, to, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_PTR(two = virMigrationNew(domain, to, NULL, 0, VIR_MIGRATE_LIVE));
    CHECK_INT(strlen(virMigrationGetUUID(one)), VIR_UUID_STRING_BUFLEN - 1);
    CHECK(strcmp(virMigrationGetUUID(one), virMigrationGetUUID(two)) != 0);
    CHECK(strcmp(virMigrationGetUUID(one), uuid) != 0);
    virMigrationFree(one);
    virMigrationFree(two);
    virMigrationFree(NULL);
    virDomainFree(domain);
    virConnectClose(from);
    virConnectClose(to);
}

TEST(parts_without_effect_are_listed_with_their_path)
{
    static const char xml[] =
        "<domain type='qemu'><name>ignored</name><memory>65536</memory><os><type>hvm</type></os>"
        "<devices><nosuchthing depth='1'/></devices></domain>";
    virConnectPtr conn;
    virDomainPtr domain;
    char **paths = NULL, uri[512];
    bool found = false;
    int n;

    needsQemu();
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("root"));
    CHECK_PTR(conn = virConnectOpen(uri));
    CHECK_PTR(domain = virDomainDefineXML(conn, xml));
    CHECK_OK(n = virDomainListIgnoredXML(domain, &paths, VIR_DOMAIN_XML_INACTIVE));
    CHECK_INT(virDomainListIgnoredXML(domain, NULL, VIR_DOMAIN_XML_INACTIVE), n);
    for (int i = 0; i < n; i++) {
        found = found || strstr(paths[i], "/domain/devices/nosuchthing") != NULL;
        printf("%s\n", paths[i]);
        free(paths[i]);
    }
    free(paths);
    CHECK(found);
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    CHECK_FAILS_NULL(virDomainDefineXMLFlags(conn, xml, VIR_DOMAIN_DEFINE_VALIDATE),
                     VIR_ERR_XML_INVALID_SCHEMA);
    CHECK_CONTAINS(virGetLastErrorMessage(), "nosuchthing");
    virConnectClose(conn);
}
