/*
 * A live migration at its destination: Prepare and Finish, on QEMU's monitor. See migration.c for what the phases have in common.
 */
#include "migration.h"
#include "process.h"
#include "hooks.h"
#include "lease.h"
#include "storage.h"
#include "state.h"

#include "../common/document.h"
#include "../common/file.h"
#include "../common/host.h"
#include "../common/json.h"
#include "../common/params.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_LOADING    10000000   /* us for a copy whose source has died to be loaded to its end */

/* ---------- Prepare ---------- */

/* The hook may change the document: what it prints is taken, as long as the guest cannot see the difference. */
static int
qemuMigrationRunHook(struct qemuHost *host, const char *name, xmlDocPtr *doc)
{
    VIRT_CLEANUP_FREE char *xml = NULL, *output = NULL;
    VIRT_CLEANUP_XML xmlDocPtr changed = NULL;

    if (!qemuHooksPresent(host))
        return 0;
    if ((xml = virXmlFormat(*doc)) == NULL || qemuHooksRun(host, name, "migrate", "begin", NULL, xml, &output) < 0)
        return -1;
    if (output == NULL || output[strspn(output, " \t\r\n")] == '\0')
        return 0;
    if ((changed = virDocumentParse(output, qemuDocumentTypes())) == NULL
        || qemuHostCompleteDocument(changed, false, host) < 0 || virDocumentCheckAbi(*doc, changed) < 0)
        return -1;
    virXmlFree(*doc);
    *doc = changed;
    changed = NULL;
    return 0;
}

/* The document to run here, from the cookie: checked, completed, under the name it is to have. */
static xmlDocPtr
qemuMigrationIncomingDocument(struct qemuHost *host, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie,
                              const char *xml)
{
    const char *name = qemuMigrationParam(call, VIR_MIGRATE_PARAM_DEST_NAME);
    xmlDocPtr doc = virDocumentParse(xml, qemuDocumentTypes());

    if (doc == NULL)
        return NULL;
    if ((name != NULL && virXmlSet(virXmlRoot(doc), "name", "%s", name) < 0) || qemuHostCompleteDocument(doc, false, host) < 0
        || (xml == cookie->xml && qemuCompatCheck(host, cookie, doc, NULL) < 0) || qemuMigrationCheckSafe(cookie, doc, call->flags, NULL) < 0
        || qemuMigrationRunHook(host, name != NULL ? name : cookie->name, &doc) < 0) {
        virXmlFree(doc);
        return NULL;
    }
    virXmlIndent(doc);
    return doc;
}

/* Starts the QEMU that is to receive. With m->lock held; vm's MODIFY job becomes the migration's. */
static int
qemuMigrationSpawn(struct qemuMigration *m, xmlDocPtr doc, bool isNew)
{
    const struct qemuProcessStart start = { .doc = doc, .incoming = "defer" };

    if (qemuProcessSpawn(m->vm, &start) < 0) {
        if (isNew)
            virDomainListRemove(m->host->domains, m->vm);
        virDomainObjEndJob(m->vm);
        return -1;
    }
    if (virDomainObjBeginMigration(m->vm, VIR_DOMAIN_JOB_KIND_MIGRATION_IN, m->uuid) == 0)
        return 0;
    qemuProcessStop(m->vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
    virDomainObjEndJob(m->vm);
    return -1;
}

/* The first call: takes the domain in and starts its QEMU. Returns the entry locked, or NULL with the error set and nothing left. */
static struct qemuMigration *
qemuMigrationPrepareNew(struct qemuHost *host, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL, kept = NULL;
    struct virDomainObj *vm = NULL;
    struct qemuMigration *m = NULL;
    char guest[VIR_UUID_STRING_BUFLEN];
    unsigned char raw[VIR_UUID_BUFLEN];
    bool isNew = false;

    if (qemuMigrationCheckCall(call) < 0 || qemuCookieFits(cookie, call) < 0 || qemuLeaseAgree(host, cookie) < 0
        || (doc = qemuMigrationIncomingDocument(host, call, cookie, cookie->xml)) == NULL)
        return NULL;
    if (virXmlUuid(virXmlRoot(doc), "uuid", raw) <= 0) {
        virReportError(VIR_ERR_OPERATION_FAILED, "the migration cookie's document has no uuid");
        return NULL;
    }
    if (virMigrationCallIsOf(call, raw, virXmlString(virXmlRoot(doc), "name")) < 0)
        return NULL;
    virUuidFormat(raw, guest);
    if (cookie->definition != NULL
        && (kept = qemuMigrationIncomingDocument(host, call, cookie, cookie->definition)) == NULL)
        return NULL;
    if (!cookie->offline
        && (vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE, "virDomainMigratePrepare", &isNew)) == NULL)
        return NULL;
    if ((m = qemuMigrationNew(host, vm, call, vm != NULL ? vm->name : cookie->name, guest, true, QEMU_STAGE_SPAWNED)) == NULL) {
        if (isNew)
            virDomainListRemove(host->domains, vm);
        if (vm != NULL)
            virDomainObjEndJob(vm);
        virDomainObjUnref(vm);
        return NULL;
    }
    virDomainObjUnref(vm);            /* the entry has one */
    m->state = cookie->state;
    m->reason = cookie->reason;
    m->wasRunning = cookie->running;
    m->startPaused = !cookie->running || (call->flags & VIR_MIGRATE_PAUSED) != 0;
    m->port = m->nbdPort = QEMU_MIGRATE_PORT_FIRST;
    if (qemuStorageExpect(m, cookie, doc) < 0 || qemuLeaseTold(m, cookie) < 0 || qemuMigrationCheckEmulator(m, doc, NULL) < 0
        || (kept != NULL && (m->definition = virXmlFormat(kept)) == NULL) || (m->offline && (m->document = virXmlFormat(doc)) == NULL)
        || qemuMigrationSaveRecord(m) < 0 || qemuStorageMakeAll(m, call, doc) < 0) {
        qemuMigrationFailed(m);
        if (isNew)
            virDomainListRemove(host->domains, vm);
        if (vm != NULL)
            virDomainObjEndJob(vm);
        qemuStorageRemove(m, false);
        qemuMigrationEnd(m, QEMU_STAGE_REMOVED);
    } else if (vm != NULL && qemuMigrationSpawn(m, doc, isNew) < 0) {
        qemuMigrationFailed(m);
        qemuStorageRemove(m, false);
        qemuMigrationEnd(m, QEMU_STAGE_REMOVED);
    } else if (vm != NULL) {
        m->id = vm->id;
    }
    return m;
}

VIRT_INTERNAL int
qemuMigrationParseTcp(const char *uri, char **host, int *port)
{
    const char *text = uri + 4, *colon;
    VIRT_CLEANUP_FREE char *copy = NULL;
    char *end;

    if (strncmp(uri, "tcp:", 4) != 0)
        return virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED, "migration URI '%s': only tcp: and unix: are supported", uri);
    if (strncmp(text, "//", 2) == 0)
        text += 2;
    if ((copy = virStringFormat("%.*s", (int)strcspn(text, "/?"), text)) == NULL)
        return -1;
    *port = 0;
    colon = strrchr(copy, ':');
    if (colon != NULL && strchr(colon, ']') == NULL && colon[1] != '\0') {
        if (virStringToInt(colon + 1, 10, port) < 0 || *port < 1 || *port > 65535)
            return virReportError(VIR_ERR_INVALID_ARG, "migration URI '%s' has no valid port", uri);
        copy[colon - copy] = '\0';
    }
    if (copy[0] == '[' && (end = strchr(copy, ']')) != NULL) {
        *end = '\0';
        *host = virStringCopy(copy + 1);
    } else {
        *host = virStringCopy(copy);
    }
    return *host != NULL ? 0 : -1;
}

VIRT_INTERNAL char *
qemuMigrationFormatTcp(const char *host, int port)
{
    if (host == NULL)
        host = "";
    return virStringFormat(strchr(host, ':') != NULL ? "tcp:[%s]:%d" : "tcp:%s:%d", host, port);
}

VIRT_INTERNAL const char *
qemuMigrationUnixPath(const char *uri)
{
    return strncmp(uri, "unix://", 7) == 0 ? uri + 7 : uri + 5;
}

/*
 * The address to listen on when the source is to come by this one: any of the same family, so that a port that somebody has at one of them is seen
 * as taken (QEMU is content with the other family); loopback itself, as nobody else comes that way. NULL: a name, any.
 */
VIRT_INTERNAL const char *
qemuMigrationFamily(const char *host)
{
    struct in6_addr raw;

    if (inet_pton(AF_INET, host, &raw) == 1)
        return strncmp(host, "127.", 4) == 0 ? host : "0.0.0.0";
    if (inet_pton(AF_INET6, host, &raw) == 1)
        return strcmp(host, "::1") == 0 ? host : "::";
    return NULL;
}

/* Whether this can be the path of a Unix socket; `param`: whose value the URI is. */
VIRT_INTERNAL int
qemuMigrationCheckUnix(const char *param, const char *uri)
{
    const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (strncmp(uri, "unix:", 5) != 0)
        return 0;
    if (qemuMigrationUnixPath(uri)[0] == '\0' || strlen(qemuMigrationUnixPath(uri)) > most)
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' '%s': the path of a Unix socket has 1 to %zu bytes", param, uri, most);
    return 0;
}

/* Whether nobody listens at this port, at any address of this family. What cannot be tried is not in the way: QEMU will not listen there either. */
static bool
qemuMigrationPortIsFree(int family, int port)
{
    VIRT_CLEANUP_CLOSE int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    const bool six = family == AF_INET6;
    const int one = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0
        || (six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0))
        return true;
    return (bind(fd, six ? (const struct sockaddr *)&any6 : (const struct sockaddr *)&any, six ? sizeof(any6) : sizeof(any)) == 0
            && listen(fd, 1) == 0) || errno != EADDRINUSE;
}

/*
 * The port to listen at: the caller's, or the next of the range. Behind a name may be addresses of both families, and QEMU is content with one of
 * them: a port that somebody has at the other is passed over, as the source might come there. 0, or -1 with the error set.
 */
static int
qemuMigrationChoosePort(const struct qemuMigrationPlace *place, bool anywhere, int *port)
{
    const bool range = *port == 0;

    for (;;) {
        if (range && *place->next > QEMU_MIGRATE_PORT_LAST)
            return virReportError(VIR_ERR_OPERATION_FAILED, "no port between %d and %d is free for %s", QEMU_MIGRATE_PORT_FIRST,
                                  QEMU_MIGRATE_PORT_LAST, place->what);
        if (range)
            *port = (*place->next)++;
        if (!anywhere || (qemuMigrationPortIsFree(AF_INET, *port) && qemuMigrationPortIsFree(AF_INET6, *port)))
            break;
        if (!range)
            return virReportError(VIR_ERR_OPERATION_FAILED, "port %d for %s: Address already in use", *port, place->what);
    }
    if (!range)
        *place->next = 0;             /* no other will do */
    return 0;
}

VIRT_INTERNAL char *
qemuMigrationListenAt(const struct qemuMigrationPlace *place, char **uri, char **path)
{
    const char *address = place->address, *source = place->given != NULL ? place->given : place->like, *unixPath = NULL;
    VIRT_CLEANUP_FREE char *host = NULL;
    int port = 0;

    free(*uri);
    free(*path);
    *uri = *path = NULL;
    if (place->given != NULL && strncmp(place->given, "unix:", 5) == 0)
        unixPath = qemuMigrationUnixPath(place->given);
    else if (place->given == NULL && place->own != NULL)
        unixPath = place->own;
    if (unixPath != NULL && strlen(unixPath) < sizeof(((struct sockaddr_un *)0)->sun_path)) {
        /* QEMU makes it, and does not remove it when it is killed */
        if ((*path = virStringCopy(unixPath)) == NULL || (*uri = virStringFormat("unix:%s", unixPath)) == NULL)
            return NULL;
        return virStringCopy(*uri);
    }
    if (place->given == NULL && place->local)
        address = "127.0.0.1";
    if (source != NULL && qemuMigrationParseTcp(source, &host, &port) < 0)
        return NULL;
    if (place->given == NULL)
        port = place->port;
    if (host == NULL && (host = place->local ? virStringCopy("127.0.0.1") : virHostGetHostname()) == NULL)
        return NULL;
    if (address == NULL)
        address = qemuMigrationFamily(host);
    if (qemuMigrationChoosePort(place, address == NULL, &port) < 0)
        return NULL;
    return (*uri = qemuMigrationFormatTcp(host, port)) != NULL ? qemuMigrationFormatTcp(address, port) : NULL;
}

/* The socket of our own for the memory, or the disks, of a migration. */
VIRT_INTERNAL char *
qemuMigrationOwnSocket(const struct qemuMigration *m, const char *ending)
{
    return virStringFormat("%s/%s.%s", m->host->run, m->uuid, ending);
}

/* A port that is taken leads here again. */
VIRT_INTERNAL char *
qemuMigrationListenUri(struct qemuMigration *m, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie)
{
    struct qemuMigrationPlace place = {
        .what = "the migration", .given = qemuMigrationParam(call, VIR_MIGRATE_PARAM_URI), .next = &m->port,
        .address = qemuMigrationParam(call, VIR_MIGRATE_PARAM_LISTEN_ADDRESS),
    };
    VIRT_CLEANUP_FREE char *own = NULL;

    if (call->stream >= 0) {
        free(m->uri);
        m->uri = virStringCopy(QEMU_MIGRATION_STREAM);
        return virStringCopy(QEMU_MIGRATION_STREAM);
    }
    place.local = place.given == NULL && place.address == NULL && cookie->sameHost;
    if (place.local && (call->flags & VIR_MIGRATE_ZEROCOPY) == 0 && (place.own = own = qemuMigrationOwnSocket(m, "migrate")) == NULL)
        return NULL;
    return qemuMigrationListenAt(&place, &m->uri, &m->listening);
}

VIRT_INTERNAL void
qemuMigrationRemoveSocket(const char *path)
{
    struct stat info;

    if (path != NULL && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        unlink(path);
}

/* Prepare was not carried out to its end: where its QEMU may have listened is not on record yet. */
VIRT_INTERNAL void
qemuMigrationForgetSockets(const struct qemuMigration *m)
{
    static const char *const params[] = { VIR_MIGRATE_PARAM_URI, VIR_MIGRATE_PARAM_DISKS_URI };
    static const char *const endings[] = { "migrate", "nbd" };
    const struct virMigrationCall call = { .params = m->params, .nparams = m->nparams };

    for (size_t i = 0; i < 2; i++) {
        VIRT_CLEANUP_FREE char *own = qemuMigrationOwnSocket(m, endings[i]);
        const char *given = qemuMigrationParam(&call, params[i]);

        qemuMigrationRemoveSocket(own);
        if (given != NULL && strncmp(given, "unix:", 5) == 0)
            qemuMigrationRemoveSocket(qemuMigrationUnixPath(given));
    }
}

/* Capabilities, parameters and the address, in one go. */
static int
qemuMigrationSendIncoming(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call,
                          const struct qemuMigrationCookie *cookie, bool first)
{
    VIRT_CLEANUP_FREE char *uri = qemuMigrationListenUri(m, call, cookie);

    if (uri == NULL || (first && qemuMigrationSendSettings(m, mon, call) < 0))
        return -1;
    if (call->stream >= 0 && qemuMigrationSendStream(m, mon, call->stream) < 0)
        return -1;
    return qemuMigrationSend(m, mon, "migrate-incoming", virJsonObject("s:uri", uri, NULL));
}

/* One stage further, until the time is up. */
static int
qemuMigrationPrepareRun(struct qemuMigration *m, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie)
{
    const unsigned long long end = qemuMigrationUntil(call->timeout);
    struct qemuMonitor *mon = NULL;
    int rc = 1;

    if (m->stage == QEMU_STAGE_SPAWNED && !m->offline) {
        if ((rc = qemuProcessNegotiate(m->vm, call->timeout)) <= 0)
            return rc;
        if ((mon = qemuDomainMonitor(m->vm)) == NULL)
            return -1;
        if ((rc = qemuStorageServe(m, mon, call, cookie, end)) <= 0) {
            qemuMonitorUnref(mon);
            return rc;
        }
        qemuMigrationReset(qemuDomainPeek(m->vm));
        rc = qemuMigrationSendIncoming(m, mon, call, cookie, true);
        qemuMigrationMove(m, QEMU_STAGE_LISTENING);
    } else if (!m->offline && (mon = qemuDomainMonitor(m->vm)) == NULL) {
        return -1;
    }
    while (mon != NULL && rc >= 0) {
        rc = qemuMigrationCollect(m, mon, qemuMigrationLeft(end, -1));
        if (rc >= 0 || m->port == 0 || !qemuMonitorIsOpen(mon) || strstr(virGetLastErrorMessage(), "Address already in use") == NULL)
            break;
        rc = qemuMigrationSendIncoming(m, mon, call, cookie, false);
    }
    if (mon != NULL)
        qemuMonitorUnref(mon);
    return rc < 0 ? qemuPostcopyExplain(m) : mon == NULL ? 1 : rc;
}

static int
qemuMigrationPrepareCookie(struct qemuMigration *m)
{
    VIRT_CLEANUP_FREE char *hostname = virHostGetHostname();
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    if (hostname == NULL
        || (json = virJsonObject("i:version", 1, "s:migration", m->uuid, "s:hostname", hostname, "S:uri", m->uri, NULL)) == NULL
        || qemuLeaseCookie(m, json) < 0 || qemuStorageCookie(m, json) < 0)
        return -1;
    free(m->cookie);
    return (m->cookie = virJsonFormat(json)) != NULL ? 0 : -1;
}

/* The persistent document as it was before Finish; also where another process has put the new one. */
static void
qemuMigrationUnpersist(struct qemuMigration *m)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = m->previous != NULL ? virXmlParse(m->previous, "domain") : NULL;
    unsigned char uuid[VIR_UUID_BUFLEN];
    struct virDomainObj *vm = NULL;

    if (!m->persisted)
        return;
    m->persisted = m->defined = false;
    virUuidParse(m->guest, uuid);
    if ((vm = m->vm != NULL ? virDomainObjRef(m->vm) : virDomainListFindUuid(m->host->domains, uuid)) == NULL)
        return;
    if (m->previous != NULL ? doc == NULL || virDomainObjDefine(vm, doc) < 0 : vm->persistent && virDomainObjUndefine(vm) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: the document of '%s' cannot be put back: %s", m->uuid, vm->name,
               virGetLastErrorMessage());
    virDomainObjUnref(vm);
}

VIRT_INTERNAL int
qemuMigrationRemoveIncoming(struct qemuMigration *m, unsigned long long end)
{
    virErrorPtr error = virSaveLastError();
    int rc = qemuMigrationEnter(m, QEMU_STAGE_REMOVING), gone = 1;

    if (rc == 0 && !m->offline) {
        qemuMigrationUnpersist(m);
        if (m->vm != NULL && !atomic_load(&m->ended))
            gone = qemuProcessStopWithin(m->vm, VIR_DOMAIN_SHUTOFF_FAILED, qemuMigrationLeft(end, -1));
    }
    if (gone <= 0)
        rc = -1;
    if (rc >= 0 && qemuLeaseGiveBack(m) < 0)
        rc = virReportError(VIR_ERR_OPERATION_FAILED, "its lease cannot be given back");
    if (rc >= 0)
        qemuStorageRemove(m, false);
    if (rc >= 0)
        qemuMigrationEnd(m, QEMU_STAGE_REMOVED);
    else if (gone != 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' cannot be removed: %s", m->uuid, m->name, virGetLastErrorMessage());
    if (error != NULL && error->code != VIR_ERR_OK)
        virSetLastError(error);
    virFreeError(error);
    return rc < 0 ? -1 : 0;
}

VIRT_INTERNAL int
qemuMigrationPrepare(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, char **cookieout, char **uri)
{
    struct qemuHost *host = qemuHostOf(dconn);
    struct qemuMigration *m;
    struct qemuMigrationCookie cookie;
    int rc;

    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0)
        return qemuPostcopyPrepare(dconn, call, cookiein, cookieout, uri);
    if (qemuMigrationCheckOwn(host, call) < 0 || qemuMigrationParseCookie(cookiein, call->uuid, &cookie) < 0)
        return VIR_MIGRATION_FAILED;
    if ((m = qemuMigrationLock(host, call->uuid, true)) == NULL)
        m = qemuMigrationPrepareNew(host, call, &cookie);
    if (m == NULL) {
        rc = VIR_MIGRATION_FAILED;
    } else if (m->stage == QEMU_STAGE_REMOVING || m->stage == QEMU_STAGE_REMOVED || (m->stage == QEMU_STAGE_PREPARED && atomic_load(&m->ended))) {
        if (m->error.code == VIR_ERR_OK)
            virReportError(VIR_ERR_OPERATION_FAILED, "migration %s was cancelled here, or its copy is gone", m->uuid);
        rc = qemuMigrationFailed(m);
    } else if (m->stage != QEMU_STAGE_SPAWNED && m->stage != QEMU_STAGE_LISTENING) {
        rc = m->error.code != VIR_ERR_OK ? qemuMigrationFailed(m) : qemuMigrationAnswer(m, cookieout, uri);
    } else if ((rc = qemuMigrationPrepareRun(m, call, &cookie)) == 0) {
        rc = VIR_MIGRATION_AGAIN;
    } else if (rc > 0 && qemuMigrationPrepareCookie(m) == 0 && qemuMigrationEnter(m, QEMU_STAGE_PREPARED) == 0) {
        rc = qemuMigrationAnswer(m, cookieout, uri);
    } else {
        qemuMigrationFailed(m);
        qemuMigrationRemoveIncoming(m, 0);       /* nobody asks again */
        rc = VIR_MIGRATION_FAILED;
    }
    qemuMigrationUnlock(m);
    cJSON_Delete(cookie.json);
    return rc;
}

/* ---------- Finish ---------- */

/* There is to be a persistent document: what it replaces goes on record with the order to start. */
static int
qemuMigrationPersistBegin(struct qemuMigration *m)
{
    if ((m->flags & VIR_MIGRATE_PERSIST_DEST) == 0 || m->persisted)
        return 0;
    if (m->vm->persistent && (m->previous = virDomainObjText(m->vm, true)) == NULL)
        return -1;
    m->persisted = true;
    return 0;
}

/* The document itself: before the CPUs run, so that a failure can still be taken back; again, if it was another process that was told to start. */
static int
qemuMigrationPersist(struct qemuMigration *m)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;

    if (!m->persisted || m->defined)
        return 0;
    if (m->definition != NULL)
        doc = virXmlParse(m->definition, "domain");
    else if ((doc = virDomainObjDocument(m->vm, false)) != NULL)
        qemuMigrationStripDocument(m->host, doc);
    if (doc == NULL || virDomainObjDefine(m->vm, doc) < 0)
        return -1;
    m->defined = true;
    return 0;
}

/* Downtime as the guest felt it: from the stop at the source to now, if the two clocks agree. */
static void
qemuMigrationCompleted(struct qemuMigration *m, const char *cookiein)
{
    VIRT_CLEANUP_JSON cJSON *json = cookiein != NULL ? virJsonParse(cookiein, strlen(cookiein), "migration cookie") : NULL;
    cJSON *stats = json != NULL ? virJsonGet(json, "stats") : NULL;
    virTypedParameterPtr params = NULL;
    unsigned long long stopped = 0, now = qemuMigrationWallClock(), net;
    int n = 0;

    if (stats == NULL)
        return;
    if (virJsonULongLong(json, "stopped", &stopped) == 0 && stopped != 0 && now >= stopped
        && virJsonULongLong(stats, VIR_DOMAIN_JOB_DOWNTIME, &net) == 0) {
        cJSON_DeleteItemFromObjectCaseSensitive(stats, VIR_DOMAIN_JOB_DOWNTIME);
        virJsonAdd(stats, "u:" VIR_DOMAIN_JOB_DOWNTIME_NET, net, "u:" VIR_DOMAIN_JOB_DOWNTIME, now - stopped, NULL);
    }
    if (qemuMigrationStatsFromJson(stats, &params, &n) < 0)
        return;
    qemuMigrationKeepStats(m, virTypedParamsCopy(params, n), n);
    virDomainObjSetCompleted(m->vm, VIR_DOMAIN_JOB_COMPLETED, params, n);
}

/* It runs, or stands paused, here for good. */
static void
qemuMigrationArrived(struct qemuMigration *m, const char *cookiein)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    int reason = m->wasRunning ? VIR_DOMAIN_PAUSED_USER : m->reason;

    pthread_mutex_lock(&priv->lock);
    priv->incoming = false;
    pthread_mutex_unlock(&priv->lock);
    if (m->startPaused) {
        virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, reason);
        qemuEventLifecycle(m->vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    } else if (!atomic_load(&m->ended)) {
        qemuEventRunning(m->vm, qemuPostcopyRunningReason(m->vm), -1);
        atomic_store(&priv->resumeReason, -1);
        qemuPostcopyUpdate(m->vm);    /* what QEMU has said before the CPUs ran */
    }
    qemuLeaseArrived(m);
    qemuStorageEnded(m);
    if (!atomic_load(&m->ended) && qemuStateSaveStatus(m->vm, false) < 0)
        virLog(VIR_LOG_WARN, "qemu.migration", "%s: %s", m->uuid, virGetLastErrorMessage());
    qemuMigrationEnd(m, QEMU_STAGE_STARTED);
    if (!atomic_load(&m->ended))
        qemuMigrationCompleted(m, cookiein);
}

VIRT_INTERNAL int
qemuMigrationStartIncoming(struct qemuMigration *m, unsigned long long end, const char *cookiein)
{
    struct qemuMonitor *mon = NULL;
    int rc = 1;

    if (atomic_load(&m->ended) || m->vm == NULL) {
        if (atomic_load(&m->ownAgain)) {         /* it ran here, and what became of it since is its own affair */
            qemuMigrationEnd(m, QEMU_STAGE_STARTED);
            return 1;
        }
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': its QEMU has ended before it was started", m->name);
    }
    if ((mon = qemuDomainMonitor(m->vm)) == NULL) {
        virResetLastError();
        return 0;
    }
    if (!m->resuming) {
        if (qemuMigrationPersist(m) < 0 || (rc = qemuLeaseTransfer(m)) <= 0) {
            qemuMonitorUnref(mon);
            return rc < 0 ? 0 : -1;
        }
        atomic_store(&qemuDomainPeek(m->vm)->resumeReason, qemuPostcopyRunningReason(m->vm));
        if (qemuStorageClose(m, mon) < 0)
            rc = -1;
        /* a guest that stays paused is only asked whether it is there */
        else
            rc = qemuMigrationSend(m, mon, m->startPaused ? "query-status" : "cont", NULL);
        m->resuming = rc == 0;
    }
    if (rc >= 0 && (rc = qemuMigrationCollect(m, mon, qemuMigrationLeft(end, -1))) > 0)
        qemuMigrationArrived(m, cookiein);
    if (rc != 0)
        m->resuming = false;
    if (rc < 0 && !qemuMonitorIsOpen(mon))
        rc = 0;                       /* no answer: if it has ended, the next call knows */
    qemuMonitorUnref(mon);
    return rc;
}

/* Whether the copy can be started: 1; 0: not known yet; -1: it is incomplete, and stays so. `cont` would not do: QEMU keeps it for later. */
static int
qemuMigrationCheckCopy(struct qemuMigration *m, unsigned long long end)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;
    struct qemuDomain *priv = m->vm != NULL ? qemuDomainPeek(m->vm) : NULL;
    struct qemuMonitor *mon = NULL;
    const char *name;
    int status, rc = 0;

    if (!atomic_load(&m->ended) && m->vm != NULL)
        mon = qemuDomainMonitor(m->vm);
    if (atomic_load(&m->ended) || priv == NULL) {
        VIRT_CLEANUP_FREE char *words = NULL;

        qemuMonitorUnref(mon);
        if (priv != NULL) {
            pthread_mutex_lock(&priv->lock);
            words = priv->lastWords != NULL ? strdup(priv->lastWords) : NULL;
            pthread_mutex_unlock(&priv->lock);
        }
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the QEMU that received it has ended%s%s", m->name,
                              words != NULL ? ": " : "", words != NULL ? words : "");
    }
    virResetLastError();
    if (mon == NULL)
        return 0;
    if (m->finishing == 0)
        m->finishing = virTimeNowUs();
    if (m->asking == 0) {
        m->asking = qemuMonitorSend(mon, "query-migrate", NULL, false);
        if (m->asking != 0)
            m->asked = virTimeNowUs();
    }
    if (m->asking != 0 && (rc = qemuMonitorReceive(mon, m->asking, qemuMigrationLeft(end, 1000), &info)) != 0)
        m->asking = 0;
    qemuMonitorUnref(mon);
    virResetLastError();
    if (rc <= 0)
        return 0;
    name = virJsonString(info, "status");
    status = name != NULL ? qemuMigrationStatusFromName(name) : QEMU_MIGRATION_NONE;
    if (status == QEMU_MIGRATION_COMPLETED || qemuMigrationIsPostCopy(status))
        return 1;
    /* in post-copy it was given away with its devices' state still on the wire */
    if (status == QEMU_MIGRATION_ACTIVE
        && ((m->flags & VIR_MIGRATE_POSTCOPY) != 0 || virTimeNowUs() - m->finishing < QEMU_MIGRATE_LOADING))
        return 0;
    return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': not all of it has arrived (its QEMU says '%s')", m->name,
                          name != NULL ? name : "none");
}

/* 1 it is here for good, 0 not yet, -1 it cannot be started. */
static int
qemuMigrationFinishRun(struct qemuMigration *m, unsigned long long end, const char *cookiein)
{
    struct qemuDomain *priv;
    int rc;

    if (m->stage == QEMU_STAGE_PREPARED) {
        if ((rc = qemuMigrationCheckCopy(m, end)) <= 0)
            return rc;
        priv = qemuDomainPeek(m->vm);
        pthread_mutex_lock(&priv->lock);
        if (!priv->announced) {
            priv->announced = true;
            pthread_mutex_unlock(&priv->lock);
            qemuEventLifecycle(m->vm, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED);
        } else {
            pthread_mutex_unlock(&priv->lock);
        }
        m->moving = m->told != 0;
        if (qemuMigrationPersistBegin(m) < 0 || qemuMigrationEnter(m, QEMU_STAGE_STARTING) < 0)
            return -1;
    }
    return qemuMigrationStartIncoming(m, end, cookiein);
}

/* An offline migration defines the guest here. */
static int
qemuMigrationDefine(struct qemuMigration *m)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virXmlParse(m->definition != NULL ? m->definition : m->document, "domain");
    struct virDomainObj *vm;
    bool isNew = false;
    int rc;

    if (doc == NULL || (vm = virDomainListAdd(m->host->domains, doc, VIR_DOMAIN_ADD_DEFINE, "virDomainMigrateFinish", &isNew)) == NULL)
        return -1;
    pthread_mutex_lock(&m->host->lock);
    m->vm = vm;
    pthread_mutex_unlock(&m->host->lock);
    if ((rc = virDomainObjDefine(vm, doc)) < 0 && isNew)
        virDomainListRemove(m->host->domains, vm);
    virDomainObjEndJob(vm);
    if (rc < 0)
        return -1;
    qemuMigrationEnd(m, QEMU_STAGE_STARTED);
    return 1;
}

/* A handle on the guest that has arrived, whatever has become of it since. */
static virDomainPtr
qemuMigrationArrivedGuest(virConnectPtr conn, const struct qemuMigration *m)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    struct virDomainObj *vm;
    virDomainPtr handle;

    virUuidParse(m->guest, uuid);
    if ((vm = virDomainListFindUuid(m->host->domains, uuid)) == NULL)
        return virNewDomain(conn, m->name, uuid, -1, NULL, NULL);
    handle = virDomainObjHandle(conn, vm);
    virDomainObjUnref(vm);
    return handle;
}

/* Whether a cancel comes too late: told to start, or, in post-copy, given away by the source. */
static bool
qemuMigrationIsTooLate(struct qemuMigration *m)
{
    if (m->stage == QEMU_STAGE_STARTING)
        return true;
    return m->stage == QEMU_STAGE_PREPARED && m->vm != NULL && !atomic_load(&m->ended)
           && qemuMigrationIsPostCopy(atomic_load(&qemuDomainPeek(m->vm)->migrationStatus));
}

/* One step: 1 it is over; 0 not yet. */
static int
qemuMigrationFinishStep(struct qemuMigration *m, unsigned long long end, const char *cookiein, int cancelled)
{
    int rc = 1;

    if (qemuMigrationIsOver(m))
        return 1;
    if (m->stage == QEMU_STAGE_REMOVING || (cancelled && !qemuMigrationIsTooLate(m))
        || (m->stage != QEMU_STAGE_PREPARED && m->stage != QEMU_STAGE_STARTING)) {
        virResetLastError();
        return qemuMigrationRemoveIncoming(m, end) == 0;              /* as long as it is there, it is not gone */
    }
    if ((rc = m->offline ? qemuMigrationDefine(m) : qemuMigrationFinishRun(m, end, cookiein)) < 0) {
        qemuMigrationFailed(m);
        rc = qemuMigrationRemoveIncoming(m, end) == 0;
    }
    return rc;
}

VIRT_INTERNAL int
qemuMigrationFinish(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, int cancelled, char **cookieout,
                    virDomainPtr *guest)
{
    const unsigned long long end = qemuMigrationUntil(call->timeout);
    struct qemuHost *host = qemuHostOf(dconn);
    struct qemuMigration *m;
    int rc;

    if (qemuMigrationCheckOwn(host, call) < 0)
        return VIR_MIGRATION_FAILED;
    m = qemuMigrationLock(host, call->uuid, true);
    if ((call->flags & VIR_MIGRATE_POSTCOPY_RESUME) != 0) {
        qemuMigrationUnlock(m);
        return qemuPostcopyFinish(dconn, call, cookiein, cancelled, cookieout, guest);
    }
    *guest = NULL;
    if (m == NULL) {
        qemuMigrationRefuse(host, call, true);
        if (cancelled)
            return VIR_MIGRATION_DONE;
        virReportError(VIR_ERR_OPERATION_INVALID, "no migration %s was prepared here", call->uuid);
        return VIR_MIGRATION_FAILED;
    }
    do
        rc = qemuMigrationFinishStep(m, end, cookiein, cancelled);
    while (rc == 0 && qemuMigrationAgain(end));
    if (rc == 0) {
        rc = VIR_MIGRATION_AGAIN;
    } else if (m->stage == QEMU_STAGE_STARTED) {
        rc = (*guest = qemuMigrationArrivedGuest(dconn, m)) != NULL ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
        if (rc == VIR_MIGRATION_DONE)
            *cookieout = virStringFormat("{\"version\":1,\"migration\":\"%s\",\"started\":true}", m->uuid);
    } else if (cancelled) {
        rc = VIR_MIGRATION_DONE;
    } else {
        if (m->error.code == VIR_ERR_OK)
            virReportError(VIR_ERR_OPERATION_FAILED, "migration %s was cancelled here", m->uuid);
        rc = qemuMigrationFailed(m);
    }
    qemuMigrationUnlock(m);
    return rc;
}

#undef QEMU_MIGRATE_LOADING
#undef VIRT_FROM
