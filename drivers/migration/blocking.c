/*
 * libvirt's blocking calls: a loop over the migration object, by its public functions alone.
 */
#include "migration.h"

#define VIRT_FROM VIR_FROM_NONE

/* It was given away in post-copy, and stands there for want of memory: to libvirt's callers that is a failure, after which they go on with it. */
static bool
virMigrateWaits(virDomainPtr guest)
{
    int state, reason;

    return virDomainGetState(guest, &state, &reason, 0) == 0 && state == VIR_DOMAIN_RUNNING && reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED;
}

static virDomainPtr
virMigrateBlocking(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    virMigrationPtr m = virMigrationNew(domain, dconn, params, nparams, flags);
    virDomainPtr guest = NULL;
    virError error = { 0 };

    if (m == NULL)
        return NULL;
    while (virMigrationStep(m, -1) > 0)
        ;
    if (virMigrationGetOutcome(m) == VIR_MIGRATION_OUTCOME_MIGRATED)
        guest = virMigrationGetDomain(m);
    if (virMigrationGetError(m) != NULL && (guest == NULL || virMigrateWaits(guest))) {
        virErrorCopy(&error, virMigrationGetError(m));
        if (guest != NULL)
            virDomainFree(guest);
        guest = NULL;
    }
    virMigrationFree(m);
    if (guest != NULL)
        return guest;
    if (error.code != VIR_ERR_OK)
        virSetLastError(&error);
    else
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' did not come to an end", domain->name);
    virErrorClear(&error);
    virErrorDispatch(domain->conn);
    return NULL;
}

virDomainPtr
virDomainMigrate3(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    return virMigrateBlocking(domain, dconn, params, nparams, flags);
}

/* The arguments of the older calls as parameters. `flags` is a long there, for no reason any more. */
struct virMigrateArguments {
    virTypedParameterPtr params;
    int nparams, maxparams;
    bool failed;
};

static void
virMigrateArgument(struct virMigrateArguments *args, const char *name, const char *value)
{
    if (value != NULL && virTypedParamsAddString(&args->params, &args->nparams, &args->maxparams, name, value) < 0)
        args->failed = true;
}

static void
virMigrateArgumentBandwidth(struct virMigrateArguments *args, unsigned long bandwidth)
{
    if (bandwidth != 0
        && virTypedParamsAddULLong(&args->params, &args->nparams, &args->maxparams, VIR_MIGRATE_PARAM_BANDWIDTH, bandwidth) < 0)
        args->failed = true;
}

virDomainPtr
virDomainMigrate2(virDomainPtr domain, virConnectPtr dconn, const char *dxml, unsigned long flags, const char *dname,
                  const char *uri, unsigned long bandwidth)
{
    struct virMigrateArguments args = { 0 };
    virDomainPtr guest = NULL;

    virMigrateArgument(&args, VIR_MIGRATE_PARAM_URI, uri);
    virMigrateArgument(&args, VIR_MIGRATE_PARAM_DEST_NAME, dname);
    virMigrateArgument(&args, VIR_MIGRATE_PARAM_DEST_XML, dxml);
    virMigrateArgumentBandwidth(&args, bandwidth);
    if (!args.failed)
        guest = virMigrateBlocking(domain, dconn, args.params, (unsigned int)args.nparams, (unsigned int)flags);
    virTypedParamsFree(args.params, args.nparams);
    return guest;
}

virDomainPtr
virDomainMigrate(virDomainPtr domain, virConnectPtr dconn, unsigned long flags, const char *dname, const char *uri,
                 unsigned long bandwidth)
{
    return virDomainMigrate2(domain, dconn, NULL, flags, dname, uri, bandwidth);
}

/* The destination is a URI that this process can open. Without PEER2PEER libvirt leaves it to the hypervisors alone, which none of ours do. */
int
virDomainMigrateToURI3(virDomainPtr domain, const char *dconnuri, virTypedParameterPtr params, unsigned int nparams,
                       unsigned int flags)
{
    virConnectPtr dconn;
    virDomainPtr guest = NULL;
    virErrorPtr error;

    if (virCallOnDomain(__func__, domain, true) == NULL)
        return -1;
    if ((flags & VIR_MIGRATE_PEER2PEER) == 0) {
        virReportError(VIR_ERR_NO_SUPPORT, "%s without VIR_MIGRATE_PEER2PEER (driver %s)", __func__, domain->conn->driver->name);
        virErrorDispatch(domain->conn);
        return -1;
    }
    if (!virCallHas(__func__, dconnuri, "dconnuri")) {
        virErrorDispatch(domain->conn);
        return -1;
    }
    if (domain->conn->driver->migration.toURI != NULL) {
        int rc = domain->conn->driver->migration.toURI(domain, dconnuri, params, nparams, flags);

        if (rc < 0)
            virErrorDispatch(domain->conn);
        return rc;
    }
    if ((dconn = virConnectOpen(dconnuri)) == NULL)
        return -1;
    guest = virMigrateBlocking(domain, dconn, params, nparams, flags);
    if (guest != NULL)
        virDomainFree(guest);
    error = virSaveLastError();       /* closing must not take it away */
    virConnectClose(dconn);
    if (guest == NULL && error != NULL)
        virSetLastError(error);
    virFreeError(error);
    return guest != NULL ? 0 : -1;
}

int
virDomainMigrateToURI2(virDomainPtr domain, const char *dconnuri, const char *miguri, const char *dxml, unsigned long flags,
                       const char *dname, unsigned long bandwidth)
{
    struct virMigrateArguments args = { 0 };
    int rc = -1;

    virMigrateArgument(&args, VIR_MIGRATE_PARAM_URI, miguri);
    virMigrateArgument(&args, VIR_MIGRATE_PARAM_DEST_NAME, dname);
    virMigrateArgument(&args, VIR_MIGRATE_PARAM_DEST_XML, dxml);
    virMigrateArgumentBandwidth(&args, bandwidth);
    if (!args.failed)
        rc = virDomainMigrateToURI3(domain, dconnuri, args.params, (unsigned int)args.nparams, (unsigned int)flags);
    virTypedParamsFree(args.params, args.nparams);
    return rc;
}

int
virDomainMigrateToURI(virDomainPtr domain, const char *duri, unsigned long flags, const char *dname, unsigned long bandwidth)
{
    return virDomainMigrateToURI2(domain, duri, NULL, NULL, flags, dname, bandwidth);
}

#undef VIRT_FROM
