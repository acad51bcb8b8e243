/* virMigrationCheck between simulated hosts: all that stands in the way at once, and nothing is changed by asking. */
#include "../../virt.h"
#include "../harness.h"

static void
freeProblems(char **problems)
{
    for (size_t i = 0; problems[i] != NULL; i++)
        free(problems[i]);
    free(problems);
}

static virConnectPtr
openHost(const char *name)
{
    virConnectPtr conn;
    char uri[128];

    snprintf(uri, sizeof(uri), "test:///default?host=%s", name);
    CHECK_PTR(conn = virConnectOpen(uri));
    return conn;
}

/* The same guest at both hosts, as every simulated host has it, and here it is not running either. */
TEST(problems_of_both_hosts_are_in_one_list)
{
    virConnectPtr source = openHost("check-a"), destination = openHost("check-b");
    virTypedParameterPtr params = NULL;
    virDomainPtr domain, there;
    char **problems = NULL, *before, *after;
    int n = 0, max = 0;

    CHECK_PTR(domain = virDomainLookupByName(source, "test"));
    CHECK_PTR(there = virDomainLookupByName(destination, "test"));
    CHECK_OK(virDomainDestroy(domain));
    CHECK_PTR(before = virDomainGetXMLDesc(there, 0));
    CHECK_OK(virTypedParamsAddInt(&params, &n, &max, VIR_MIGRATE_PARAM_DISKS_PORT, 1));
    CHECK_INT(virMigrationCheck(domain, destination, params, (unsigned int)n, VIR_MIGRATE_COMPRESSED, &problems), 4);
    CHECK_CONTAINS(problems[0], "flags");
    CHECK_CONTAINS(problems[1], "disks_port");
    CHECK_CONTAINS(problems[2], "not running");
    CHECK_CONTAINS(problems[3], "test");
    CHECK(problems[4] == NULL);
    freeProblems(problems);

    CHECK_INT(virConnectListMigrations(source, NULL, 0), 0);
    CHECK_INT(virConnectListMigrations(destination, NULL, 0), 0);
    CHECK_INT(virDomainIsActive(domain), 0);
    CHECK_INT(virDomainIsActive(there), 1);
    CHECK_PTR(after = virDomainGetXMLDesc(there, 0));
    CHECK_STR(after, before);
    CHECK_OK(virDomainCreate(domain));                     /* no job was left on it */
    free(before);
    free(after);
    virTypedParamsFree(params, n);
    virDomainFree(domain);
    virDomainFree(there);
    CHECK_INT(virConnectClose(source), 0);
    CHECK_INT(virConnectClose(destination), 0);
}

TEST(an_empty_list_means_that_the_migration_goes)
{
    virConnectPtr source = openHost("check-c"), destination = openHost("check-d");
    virDomainPtr domain, there;
    virMigrationPtr m;
    char **problems = NULL;
    int rc;

    CHECK_PTR(domain = virDomainLookupByName(source, "test"));
    CHECK_PTR(there = virDomainLookupByName(destination, "test"));
    CHECK_OK(virDomainDestroy(there));
    CHECK_OK(virDomainUndefine(there));
    CHECK_INT(virMigrationCheck(domain, destination, NULL, 0, VIR_MIGRATE_LIVE, &problems), 0);
    CHECK(problems[0] == NULL);
    freeProblems(problems);
    CHECK_INT(virConnectListAllDomains(destination, NULL, 0), 0);
    CHECK_PTR(m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) == VIR_MIGRATION_PHASE_BEGIN)
        CHECK_INT(virMigrationStep(m, 100), 1);
    CHECK_INT(virMigrationCheck(domain, destination, NULL, 0, VIR_MIGRATE_LIVE, &problems), 1);
    CHECK_CONTAINS(problems[0], "migrated already");
    freeProblems(problems);
    while ((rc = virMigrationStep(m, 100)) > 0)
        ;
    CHECK_INT(rc, 0);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virMigrationFree(m);
    virDomainFree(domain);
    virDomainFree(there);
    CHECK_INT(virConnectClose(source), 0);
    CHECK_INT(virConnectClose(destination), 0);
}

/* Its controller has died; another takes it up from the host's list, only to end it. */
TEST(an_abort_of_what_a_host_has_on_record_takes_it_back)
{
    virConnectPtr source = openHost("check-f"), destination = openHost("check-g");
    virDomainPtr domain, there;
    char **records = NULL;
    virMigrationPtr m;
    int rc;

    CHECK_PTR(domain = virDomainLookupByName(source, "test"));
    CHECK_PTR(there = virDomainLookupByName(destination, "test"));
    CHECK_OK(virDomainDestroy(there));
    CHECK_OK(virDomainUndefine(there));
    CHECK_PTR(m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 0), 1);
    virMigrationFree(m);
    CHECK_INT(virConnectListAllDomains(destination, NULL, 0), 1);

    CHECK_INT(virConnectListMigrations(source, &records, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 1);
    CHECK_PTR(m = virMigrationNewFromRecord(records[0], source, destination));
    freeProblems(records);
    CHECK_OK(virMigrationAbort(m));
    while ((rc = virMigrationStep(m, 100)) > 0)
        ;
    CHECK_INT(rc, 0);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    virMigrationFree(m);
    CHECK_INT(virDomainIsActive(domain), 1);
    CHECK_INT(virConnectListAllDomains(destination, NULL, 0), 0);
    CHECK_INT(virConnectListMigrations(source, NULL, VIR_CONNECT_LIST_MIGRATIONS_ACTIVE), 0);
    virDomainFree(domain);
    virDomainFree(there);
    CHECK_INT(virConnectClose(source), 0);
    CHECK_INT(virConnectClose(destination), 0);
}

TEST(wrong_arguments_are_errors_of_the_check)
{
    virConnectPtr conn = openHost("check-e");
    virDomainPtr domain;
    char **problems = NULL;

    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK_FAILS(virMigrationCheck(domain, conn, NULL, 0, 0, NULL), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virMigrationCheck(domain, NULL, NULL, 0, 0, &problems), VIR_ERR_INVALID_CONN);
    CHECK_FAILS(virMigrationCheck(domain, conn, NULL, 1, 0, &problems), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virMigrationCheck(domain, conn, NULL, 0, 1u << 31, &problems), VIR_ERR_INVALID_ARG);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}
