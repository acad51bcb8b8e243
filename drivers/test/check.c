/* What would stop a migration between simulated hosts, asked without beginning it: see driver.h, and virMigrationCheck in virt.h. */
#include "test.h"

#include "../common/document.h"

#define VIRT_FROM VIR_FROM_TEST

static int
testCheckGuest(struct virDomainObj *vm, const struct virMigrationCall *call, struct virProblems *problems)
{
    bool migrating;

    pthread_mutex_lock(&vm->lock);
    migrating = vm->migration != NULL;
    pthread_mutex_unlock(&vm->lock);
    if (migrating) {
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is being migrated already", vm->name);
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    if ((call->flags & VIR_MIGRATE_OFFLINE) == 0 && virDomainObjCheckActive(vm) < 0)
        return virProblemsNote(problems);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateCheck(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout, char ***problems)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct virProblems found = { 0 };
    unsigned long long epoch;
    char *cookie = NULL;
    int n = -1;

    if (vm == NULL)
        return -1;
    if (testMigrationCheckCall(call, &found) == 0 && testCheckGuest(vm, call, &found) == 0
        && ((cookie = testMigrationFormatCookie(testHostOf(domain->conn), vm, call, &epoch)) != NULL || virProblemsNote(&found) == 0))
        n = virProblemsGive(&found, problems);
    virProblemsClear(&found);
    if (n < 0)
        free(cookie);
    else
        *cookieout = cookie;
    return n;
}

VIRT_INTERNAL int
testDomainMigrateCheckIncoming(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein, char ***problems)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virProblems found = { 0 };
    struct testGuest guest = { 0 };
    int rc = 0, n = -1;

    if (testGuestParse(cookiein, call, &guest) < 0 || (doc = virDocumentParse(guest.document, NULL)) == NULL
        || virDomainListCheckAdd(testHostOf(conn)->domains, doc, VIR_DOMAIN_ADD_CREATE) < 0)
        rc = virProblemsNote(&found);
    else if ((call->flags & VIR_MIGRATE_OFFLINE) == 0 && virLeaseAgree(testHostOf(conn)->leases, &guest.lease, virXmlString(virXmlRoot(doc), "name")) < 0)
        rc = virProblemsNote(&found);
    if (rc == 0)
        n = virProblemsGive(&found, problems);
    testGuestClear(&guest);
    virProblemsClear(&found);
    return n;
}

#undef VIRT_FROM
