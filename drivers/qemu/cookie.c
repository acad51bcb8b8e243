/*
 * What the two sides of a migration tell each other: the Begin cookie, which describes the guest, as JSON text.
 *
 *   version     1
 *   migration   uuid of the migration
 *   name, uuid  of the guest
 *   hostname, hostuuid, place      of the source; place names the host and the part of its file system that the process sees
 *   state, reason, running         before the migration: what the destination, or the way back, makes of it again
 *   offline     only the persistent document moves
 *   xml         the document of the guest, with every address and alias fixed, without what belongs to this host alone
 *   definition  the persistent document to keep there, if it is to be persistent
 *   disks       target, size: what is copied with the guest
 *   emulatorVersion, cpu           of the source's QEMU, and, with KVM, of its host: where the guest's CPU is what these have
 *   lease       manager, owner, epoch: the guest's lease, which its destination is to take over at just this epoch
 */
#include "lease.h"
#include "storage.h"

#include "../common/document.h"
#include "../common/host.h"
#include "../common/json.h"

#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_COOKIE_MAX (8 * 1024 * 1024)

VIRT_INTERNAL const char *
qemuMigrationParam(const struct virMigrationCall *call, const char *name)
{
    for (int i = 0; i < call->nparams; i++)
        if (strcmp(call->params[i].field, name) == 0 && call->params[i].type == VIR_TYPED_PARAM_STRING)
            return call->params[i].value.s;
    return NULL;
}

VIRT_INTERNAL unsigned long long
qemuMigrationNumber(const struct virMigrationCall *call, const char *name, unsigned long long otherwise)
{
    for (int i = 0; i < call->nparams; i++) {
        if (strcmp(call->params[i].field, name) != 0)
            continue;
        if (call->params[i].type == VIR_TYPED_PARAM_ULLONG)
            return call->params[i].value.ul;
        if (call->params[i].type == VIR_TYPED_PARAM_INT)
            return (unsigned long long)call->params[i].value.i;
    }
    return otherwise;
}

/* Two processes with the same place can meet at a path. */
VIRT_INTERNAL char *
qemuCookiePlace(void)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "", link[64] = "";
    unsigned char raw[VIR_UUID_BUFLEN];
    ssize_t n;

    if (virHostGetUuid(raw) < 0)
        return NULL;
    virUuidFormat(raw, uuid);
    if ((n = readlink("/proc/self/ns/mnt", link, sizeof(link) - 1)) < 0)
        n = 0;
    link[n] = '\0';
    return virStringFormat("%s %s", uuid, link);
}

VIRT_INTERNAL void
qemuMigrationStripDocument(const struct qemuHost *host, xmlDocPtr doc)
{
    size_t length = strlen(host->run);

    virXmlRemove(virXmlRoot(doc), "@id");
    VIRT_XML_EACH(device, virXmlFind(virXmlRoot(doc), "devices"), NULL) {
        const char *path = virXmlString(device, "source/@path"), *target = virXmlString(device, "target/@dev");

        if (virXmlIs(device, "graphics")) {
            if (virXmlEquals(device, "@autoport", "yes")) {
                virXmlRemove(device, "@port");
                virXmlRemove(device, "@tlsPort");
            }
        } else if (virXmlIs(device, "interface")) {
            if (target != NULL && (strncmp(target, "vnet", 4) == 0 || strncmp(target, "macvtap", 7) == 0))
                virXmlRemove(device, "target/@dev");
        } else if (virXmlEquals(device, "@type", "pty")) {
            virXmlRemove(device, "source/@path");
            virXmlRemove(device, "@tty");
        } else if (virXmlEquals(device, "@type", "unix") && path != NULL && strncmp(path, host->run, length) == 0) {
            virXmlRemove(device, "source/@path");
        }
    }
}

/* A document given by the caller for the destination: whatever it changes, the guest must not see it. */
static char *
qemuCookieGivenDocument(struct qemuMigration *m, const char *text, xmlDocPtr ours)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDocumentParse(text, qemuDocumentTypes());

    if (doc == NULL || qemuHostCompleteDocument(doc, false, m->host) < 0 || virDocumentCheckAbi(ours, doc) < 0)
        return NULL;
    return virXmlFormat(doc);
}

/* The document of the guest as the destination is to run it. */
static char *
qemuCookieDocument(struct qemuMigration *m, const struct virMigrationCall *call)
{
    const char *given = qemuMigrationParam(call, VIR_MIGRATE_PARAM_DEST_XML);
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(m->vm, m->offline);

    if (doc == NULL)
        return NULL;
    qemuMigrationStripDocument(m->host, doc);
    return given != NULL ? qemuCookieGivenDocument(m, given, doc) : virXmlFormat(doc);
}

/* The persistent document for the destination; *failed tells an error from "none". */
static char *
qemuCookieDefinition(struct qemuMigration *m, const struct virMigrationCall *call, bool *failed)
{
    const char *given = qemuMigrationParam(call, VIR_MIGRATE_PARAM_PERSIST_XML);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    char *text = NULL;

    if ((call->flags & VIR_MIGRATE_PERSIST_DEST) == 0)
        return NULL;
    if (given != NULL) {
        if ((doc = virDomainObjDocument(m->vm, m->vm->persistent)) != NULL)
            text = qemuCookieGivenDocument(m, given, doc);
    } else if (m->vm->persistent && !m->offline) {
        text = virDomainObjText(m->vm, true);
    } else {
        return NULL;                  /* what runs there is what is kept there */
    }
    *failed = text == NULL;
    return text;
}

VIRT_INTERNAL char *
qemuMigrationFormatCookie(struct qemuMigration *m, const struct virMigrationCall *call)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    bool failed = false;
    VIRT_CLEANUP_FREE char *xml = qemuCookieDocument(m, call), *place = NULL, *hostname = NULL, *definition = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    if (xml == NULL || (place = qemuCookiePlace()) == NULL || (hostname = virHostGetHostname()) == NULL)
        return NULL;
    definition = qemuCookieDefinition(m, call, &failed);
    if (failed)
        return NULL;
    virUuidFormat(m->vm->uuid, uuid);
    json = virJsonObject("i:version", 1, "s:migration", m->uuid, "s:name", m->vm->name, "s:uuid", uuid,
                         "s:hostname", hostname, "s:place", place, "i:state", m->state, "i:reason", m->reason,
                         "b:running", m->wasRunning, "B:offline", m->offline, "s:xml", xml, "S:definition", definition, NULL);
    return json != NULL && qemuLeaseCookie(m, json) == 0 && qemuStorageCookie(m, json) == 0 && qemuCompatCookie(m, json) == 0
           ? virJsonFormat(json) : NULL;
}

VIRT_INTERNAL int
qemuMigrationParseCookie(const char *text, const char *uuid, struct qemuMigrationCookie *cookie)
{
    VIRT_CLEANUP_FREE char *place = NULL;
    const char *theirPlace, *migration;
    int version = 0;

    memset(cookie, 0, sizeof(*cookie));
    if (strlen(text) > QEMU_COOKIE_MAX)
        return virReportError(VIR_ERR_OPERATION_FAILED, "the migration cookie is larger than %d bytes", QEMU_COOKIE_MAX);
    if ((cookie->json = virJsonParse(text, strlen(text), "migration cookie")) == NULL)
        return -1;
    migration = virJsonString(cookie->json, "migration");
    cookie->name = virJsonString(cookie->json, "name");
    cookie->hostname = virJsonString(cookie->json, "hostname");
    cookie->xml = virJsonString(cookie->json, "xml");
    cookie->definition = virJsonString(cookie->json, "definition");
    theirPlace = virJsonString(cookie->json, "place");
    virJsonBool(cookie->json, "offline", &cookie->offline);
    if (virJsonInt(cookie->json, "version", &version) < 0 || version != 1) {
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "the migration cookie has version %d, this side knows 1", version);
    } else if (migration == NULL || strcmp(migration, uuid) != 0) {
        virReportError(VIR_ERR_OPERATION_FAILED, "the migration cookie is of another migration, %s", migration != NULL ? migration : "unnamed");
    } else if (cookie->name == NULL || cookie->hostname == NULL || cookie->xml == NULL || theirPlace == NULL
               || virJsonInt(cookie->json, "state", &cookie->state) < 0 || virJsonInt(cookie->json, "reason", &cookie->reason) < 0
               || virJsonBool(cookie->json, "running", &cookie->running) < 0) {
        virReportError(VIR_ERR_OPERATION_FAILED, "the migration cookie lacks name, hostname, place, state, reason, running or xml");
    } else if ((place = qemuCookiePlace()) != NULL) {
        cookie->sameHost = strcmp(place, theirPlace) == 0;
        return 0;
    }
    cJSON_Delete(cookie->json);
    memset(cookie, 0, sizeof(*cookie));
    return -1;
}

VIRT_INTERNAL int
qemuCookieFits(const struct qemuMigrationCookie *cookie, const struct virMigrationCall *call)
{
    if (cookie->offline == ((call->flags & VIR_MIGRATE_OFFLINE) != 0))
        return 0;
    return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the migration cookie says that it is %s, VIR_MIGRATE_OFFLINE is %s",
                          cookie->name, cookie->offline ? "offline" : "active", cookie->offline ? "not given" : "given");
}

#undef QEMU_COOKIE_MAX
#undef VIRT_FROM
