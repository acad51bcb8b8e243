/*
 * What keeps a guest from being moved, as rules: Begin and Prepare stop at the first that is broken, virMigrationCheck (its two slots are here)
 * goes through all of them.
 */
#include "lease.h"
#include "storage.h"
#include "hooks.h"

#include "../common/document.h"
#include "../common/problems.h"

#include <errno.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* Devices that are of this host. */
static int
qemuMigrationCheckDevices(struct virDomainObj *vm, struct virProblems *problems)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    xmlNodePtr devices;

    if (doc == NULL)
        return -1;
    devices = virXmlFind(virXmlRoot(doc), "devices");
    VIRT_XML_EACH(hostdev, devices, "hostdev") {
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' has a device of this host (hostdev '%s'): it cannot be migrated",
                       vm->name, virXmlString(hostdev, "alias/@name"));
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    VIRT_XML_EACH(filesystem, devices, "filesystem") {
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' sees a folder of this host (filesystem '%s'): it cannot be migrated",
                       vm->name, virXmlString(filesystem, "alias/@name"));
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return qemuCompatCheckSource(vm, doc, problems);
}

VIRT_INTERNAL int
qemuMigrationCheckGuest(struct virDomainObj *vm, const struct virMigrationCall *call, struct virProblems *problems)
{
    bool offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0;
    int state = atomic_load(&vm->state);
    int rc = 0;

    if (offline && vm->id >= 0)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is running: an offline migration is for one that is not", vm->name);
    else if (!offline && vm->id < 0)
        rc = virDomainObjReportInactive(vm);
    else if (!offline && state != VIR_DOMAIN_RUNNING && state != VIR_DOMAIN_PAUSED)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is neither running nor paused: it cannot be migrated", vm->name);
    else if (!offline && state == VIR_DOMAIN_PAUSED && (call->flags & VIR_MIGRATE_ABORT_ON_ERROR) != 0
             && vm->reason == VIR_DOMAIN_PAUSED_IOERROR)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is paused by an I/O error", vm->name);
    if (rc < 0 && virProblemsNote(problems) < 0)
        return -1;
    return offline ? 0 : qemuMigrationCheckDevices(vm, problems);
}

/* Disks that only the source's host can reach are lost by moving; whoever knows better says UNSAFE. */
VIRT_INTERNAL int
qemuMigrationCheckSafe(const struct qemuMigrationCookie *cookie, xmlDocPtr doc, unsigned int flags, struct virProblems *problems)
{
    if (cookie->sameHost || (flags & (VIR_MIGRATE_UNSAFE | VIR_MIGRATE_OFFLINE)) != 0)
        return 0;
    VIRT_XML_EACH(disk, virXmlFind(virXmlRoot(doc), "devices"), "disk") {
        const char *path = virXmlString(disk, "source/@file");

        if (path == NULL || virXmlFind(disk, "readonly") != NULL || virXmlEquals(disk, "@device", "cdrom")
            || qemuStorageIsCopied(cookie, disk))
            continue;
        if (access(path, R_OK | W_OK) == 0)
            continue;
        virReportError(VIR_ERR_MIGRATE_UNSAFE, "disk '%s': '%s' of host '%s' is not here: %s", virXmlString(disk, "target/@dev"), path,
                       cookie->hostname, strerror(errno));
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return 0;
}

/* ---------- the source ---------- */

static int
qemuMigrationCheckBusy(struct virDomainObj *vm, struct virProblems *problems)
{
    bool migrating;

    pthread_mutex_lock(&vm->lock);
    migrating = vm->migration != NULL;
    pthread_mutex_unlock(&vm->lock);
    if (!migrating)
        return 0;
    virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is being migrated already", vm->name);
    return virProblemsNote(problems);
}

VIRT_INTERNAL int
qemuMigrationCheck(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout, char ***problems)
{
    struct qemuMigration m = { .host = qemuHostOf(domain->conn), .offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0,
                               .flags = call->flags, .params = call->params, .nparams = call->nparams };
    struct virProblems found = { 0 };
    char *cookie = NULL;
    int n = -1;

    if ((m.vm = virDomainObjOf(domain)) == NULL)
        return -1;
    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0) {
        if (qemuPostcopyBegin(domain, call, &cookie) == VIR_MIGRATION_FAILED && virProblemsNote(&found) < 0)
            return -1;
        *cookieout = cookie;
        return virProblemsGive(&found, problems);
    }
    snprintf(m.uuid, sizeof(m.uuid), "%s", call->uuid);
    m.state = atomic_load(&m.vm->state);
    m.reason = atomic_load(&m.vm->reason);
    m.wasRunning = m.state == VIR_DOMAIN_RUNNING;
    m.name = m.vm->name;
    virUuidFormat(m.vm->uuid, m.guest);
    if (((qemuMigrationCheckCall(call) == 0 && qemuMigrationCheckSourceParameters(call) == 0) || virProblemsNote(&found) == 0)
        && qemuMigrationCheckEmulator(&m, NULL, &found) == 0 && qemuMigrationCheckBusy(m.vm, &found) == 0
        && qemuMigrationCheckGuest(m.vm, call, &found) == 0
        && (m.vm->id < 0 || (qemuLeaseBegin(&m) == 0 && qemuStorageBegin(&m, call) == 0) || virProblemsNote(&found) == 0)
        && ((cookie = qemuMigrationFormatCookie(&m, call)) != NULL || virProblemsNote(&found) == 0))
        n = virProblemsGive(&found, problems);
    virProblemsClear(&found);
    qemuStorageFree(&m);
    if (n < 0)
        free(cookie);
    else
        *cookieout = cookie;
    return n;
}

/* ---------- the destination ---------- */

/* Files that QEMU would open, and that are not here. The disks that CheckSafe has spoken of are not said again. */
static int
qemuMigrationCheckMedia(const struct qemuMigrationCookie *cookie, xmlDocPtr doc, unsigned int flags, struct virProblems *problems)
{
    bool said = !cookie->sameHost && (flags & VIR_MIGRATE_UNSAFE) == 0;

    VIRT_XML_EACH(disk, virXmlFind(virXmlRoot(doc), "devices"), "disk") {
        const char *path = virXmlString(disk, "source/@file");
        bool written = virXmlFind(disk, "readonly") == NULL && !virXmlEquals(disk, "@device", "cdrom");

        if (path == NULL || (written && said) || qemuStorageIsCopied(cookie, disk) || virXmlEquals(disk, "source/@startupPolicy", "optional")
            || access(path, R_OK) == 0)
            continue;
        virReportError(VIR_ERR_OPERATION_FAILED, "disk '%s': cannot open '%s': %s", virXmlString(disk, "target/@dev"), path,
                       strerror(errno));
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    return 0;
}

/* The hook is not asked: what a script does cannot be undone. */
static int
qemuMigrationCheckDocument(struct qemuHost *host, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie,
                           struct virProblems *problems)
{
    const char *name = qemuMigrationParam(call, VIR_MIGRATE_PARAM_DEST_NAME);
    VIRT_CLEANUP_XML xmlDocPtr doc = virDocumentParse(cookie->xml, qemuDocumentTypes());

    if (doc == NULL || (name != NULL && virXmlSet(virXmlRoot(doc), "name", "%s", name) < 0))
        return virProblemsNote(problems);
    if (!cookie->offline && virDomainListCheckAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE) < 0 && virProblemsNote(problems) < 0)
        return -1;
    if (qemuHostCompleteDocument(doc, false, host) < 0 && virProblemsNote(problems) < 0)
        return -1;
    if (qemuMigrationCheckEmulator(&(struct qemuMigration){ .host = host, .incoming = true, .offline = cookie->offline, .flags = call->flags,
                                                            .params = call->params, .nparams = call->nparams }, doc, problems) < 0)
        return -1;
    return qemuCompatCheck(host, cookie, doc, problems) < 0 || qemuMigrationCheckSafe(cookie, doc, call->flags, problems) < 0
           || (!cookie->offline && qemuMigrationCheckMedia(cookie, doc, call->flags, problems) < 0) ? -1 : 0;
}

VIRT_INTERNAL int
qemuMigrationCheckIncoming(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, char ***problems)
{
    struct qemuMigrationCookie cookie;
    struct virProblems found = { 0 };
    int rc, n = -1;

    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0)         /* only QEMU knows, and is asked when it happens */
        return virProblemsGive(&found, problems);
    if ((rc = qemuMigrationParseCookie(cookiein, call->uuid, &cookie)) < 0)
        rc = virProblemsNote(&found);
    else if ((rc = qemuCookieFits(&cookie, call) == 0 && qemuLeaseAgree(qemuHostOf(dconn), &cookie) == 0 ? 0 : virProblemsNote(&found)) == 0)
        rc = qemuMigrationCheckDocument(qemuHostOf(dconn), call, &cookie, &found);
    cJSON_Delete(cookie.json);
    if (rc == 0)
        n = virProblemsGive(&found, problems);
    virProblemsClear(&found);
    return n;
}

#undef VIRT_FROM
