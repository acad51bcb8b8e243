/*
 * What would stop a migration, all at once and before anything has happened: both drivers are asked for everything that their first phases
 * would refuse. Nothing is begun for it: no job is taken and no record written, on either host.
 */
#include "migration.h"
#include "../common/problems.h"

#define VIRT_FROM VIR_FROM_NONE

/* What the source would refuse in Begin; *cookie is what that would give the destination, or NULL. */
static int
virMigrationCheckSource(virDomainPtr domain, const struct virMigrationCall *call, char **cookie, struct virProblems *problems)
{
    const struct virDriver *driver = domain->conn->driver;
    char **texts = NULL;
    int n;

    if (driver->migration.check == NULL)
        return virReportError(VIR_ERR_NO_SUPPORT, "virMigrationCheck (driver %s)", driver->name);
    if ((n = driver->migration.check(domain, call, cookie, &texts)) < 0)
        return -1;
    return virProblemsTake(problems, texts, n);
}

/* What the destination would refuse in Prepare. Without a cookie there is nothing to ask it. */
static int
virMigrationCheckDestination(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookie, struct virProblems *problems)
{
    const struct virDriver *driver = dconn->driver;
    char **texts = NULL;
    int n;

    if (driver->migration.checkIncoming == NULL)
        return virReportError(VIR_ERR_NO_SUPPORT, "virMigrationCheck (driver %s)", driver->name);
    if (cookie == NULL)
        return 0;
    if ((n = driver->migration.checkIncoming(dconn, call, cookie, &texts)) < 0)
        return -1;
    return virProblemsTake(problems, texts, n);
}

int
virMigrationCheck(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params, unsigned int nparams, unsigned int flags,
                  char ***problems)
{
    struct virMigrationCall call = { .params = params, .nparams = (int)nparams, .flags = flags & ~(unsigned int)VIRT_MIGRATE_CARRIER_FLAGS,
                                     .stream = -1 };
    struct virProblems found = { 0 };
    char uuid[VIR_UUID_STRING_BUFLEN], *cookie = NULL;
    unsigned char raw[VIR_UUID_BUFLEN];
    int rc = -1;

    if (virCallOnConnect(__func__, dconn, true) == NULL || virCallOnDomain(__func__, domain, true) == NULL)
        return -1;
    if (virCallHas(__func__, problems, "problems") && virMigrationCheckFlags(flags) == 0 && virMigrationCheckParams(params, nparams) == 0
        && virMigrationTunnelCheck(params, nparams, flags) == 0
        && virMigrationCheckDrivers(domain->conn->driver, dconn->driver) == 0 && virUuidGenerate(raw) == 0) {
        virUuidFormat(raw, uuid);
        call.uuid = uuid;
        call.name = domain->name;
        call.guest = domain->uuid;
        if (virMigrationCheckSource(domain, &call, &cookie, &found) == 0) {
            call.flags &= ~(unsigned int)VIRT_MIGRATE_SOURCE_FLAGS;
            if (virMigrationCheckDestination(dconn, &call, cookie, &found) == 0)
                rc = virProblemsGive(&found, problems);
        }
    }
    free(cookie);
    virProblemsClear(&found);
    if (rc < 0)
        virErrorDispatch(domain->conn);
    return rc;
}

#undef VIRT_FROM
