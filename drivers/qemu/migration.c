/*
 * The five phases of a live migration, on QEMU's monitor.
 *
 * A phase never waits longer than it is told to: it sends its commands, and where the replies or the events it needs are not there yet,
 * it answers AGAIN and goes on from its stage when it is called again. Judged is by query-migrate's status and MIGRATION events
 * alone, never by whether CPUs stand or by what a command returned.
 *
 * What makes Perform's success mean something is QEMU's return path: with it the source says `completed` only when the destination has
 * acknowledged that it has loaded everything. What makes the way back safe is the order: QEMU resumes the source by itself when a
 * switchover fails, while the destination may hold a complete copy. So Finish (cancelled) ends the destination's QEMU
 * before Confirm (cancelled) looks whether the guest runs here again.
 */
#include "migration.h"
#include "process.h"
#include "hooks.h"
#include "state.h"

#include "../common/document.h"
#include "../common/host.h"
#include "../common/json.h"
#include "../common/params.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_FLAGS                                                                                      \
    (VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_PAUSED |             \
     VIR_MIGRATE_CHANGE_PROTECTION | VIR_MIGRATE_UNSAFE | VIR_MIGRATE_OFFLINE | VIR_MIGRATE_COMPRESSED |          \
     VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_AUTO_CONVERGE)
#define QEMU_MIGRATE_PORT_FIRST 49152      /* libvirt's range, which firewalls know */
#define QEMU_MIGRATE_PORT_LAST  49215
#define QEMU_MIGRATE_DOWNTIME   300        /* ms; QEMU's own default */
#define QEMU_MIGRATE_ASK        100000     /* us after which the progress is asked for again */

/* ---------- answers ---------- */

/* With its lock held: answers DONE with copies of what was answered before. */
static int
qemuMigrationAnswer(struct qemuMigration *m, char **cookie, char **uri)
{
    char *cookieCopy = virStringCopy(m->cookie), *uriCopy = uri != NULL ? virStringCopy(m->uri) : NULL;

    if ((m->cookie != NULL && cookieCopy == NULL) || (uri != NULL && m->uri != NULL && uriCopy == NULL)) {
        free(cookieCopy);
        free(uriCopy);
        return VIR_MIGRATION_AGAIN;
    }
    *cookie = cookieCopy;
    if (uri != NULL)
        *uri = uriCopy;
    return VIR_MIGRATION_DONE;
}

/* With its lock held: keeps the thread's error, so that the phase answers it again. */
static int
qemuMigrationFailed(struct qemuMigration *m)
{
    if (m->error.code == VIR_ERR_OK)
        virCopyLastError(&m->error);
    else
        virSetLastError(&m->error);
    return VIR_MIGRATION_FAILED;
}

static int
qemuMigrationCheckCall(const struct virMigrationCall *call)
{
    const unsigned int flags = call->flags;

    if ((flags & ~(unsigned int)QEMU_MIGRATE_FLAGS) != 0)
        return virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED, "migration flags 0x%x are not supported by this driver",
                              flags & ~(unsigned int)QEMU_MIGRATE_FLAGS);
    if ((flags & VIR_MIGRATE_OFFLINE) != 0 && (flags & VIR_MIGRATE_PERSIST_DEST) == 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "an offline migration moves the persistent document: it needs VIR_MIGRATE_PERSIST_DEST");
    return 0;
}

/* ---------- commands under way ---------- */

/* Sends one more command; its reply is collected by qemuMigrationCollect. args is taken over. */
static int
qemuMigrationSend(struct qemuMigration *m, struct qemuMonitor *mon, const char *command, cJSON *args)
{
    qemuMonitorId id;

    if (m->npending == sizeof(m->pending) / sizeof(m->pending[0])) {
        cJSON_Delete(args);
        return virReportError(VIR_ERR_INTERNAL_ERROR, "too many commands under way");
    }
    if ((id = qemuMonitorSend(mon, command, args, false)) == 0)
        return -1;
    m->pending[m->npending++] = id;
    return 0;
}

/* All replies: 1; not all within timeout ms: 0; a command was refused: -1, and the replies to those behind it are dropped. */
static int
qemuMigrationCollect(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    int rc = 1;

    while (rc > 0 && m->npending > 0) {
        if ((rc = qemuMonitorReceive(mon, m->pending[0], timeout, NULL)) == 0)
            return 0;
        m->npending--;
        memmove(m->pending, m->pending + 1, m->npending * sizeof(m->pending[0]));
    }
    for (; rc < 0 && m->npending > 0; m->npending--)
        qemuMonitorForget(mon, m->pending[m->npending - 1]);
    return rc;
}

static cJSON *
qemuMigrationCapabilities(const struct qemuMigration *m)
{
    const struct { const char *name; bool on; } wanted[] = {
        { "events", true },
        { "return-path", true },
        { "validate-uuid", true },
        /* a guest received so, never run and migrated on makes QEMU abort: not for one that stays paused */
        { "late-block-activate", m->wasRunning && (m->flags & VIR_MIGRATE_PAUSED) == 0 },
        { "pause-before-switchover", !m->incoming },
        { "auto-converge", !m->incoming && (m->flags & VIR_MIGRATE_AUTO_CONVERGE) != 0 },
        { "xbzrle", (m->flags & VIR_MIGRATE_COMPRESSED) != 0 },
    };
    cJSON *list = virJsonArray();
    int rc = list != NULL ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++)
        rc = virJsonAppend(list, virJsonObject("s:capability", wanted[i].name, "b:state", wanted[i].on, NULL));
    if (rc == 0)
        return virJsonObject("a:capabilities", list, NULL);
    cJSON_Delete(list);
    return NULL;
}

/* Takes in what QEMU has said, after waiting for it for at most timeout ms. */
static void
qemuMigrationListen(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    struct pollfd fds[2] = { { .fd = qemuMonitorGetFd(mon), .events = POLLIN }, { .fd = m->wake, .events = POLLIN } };
    bool own = fds[0].fd >= 0 && fds[0].fd != qemuMonitorSocket(mon);
    uint64_t count;

    if (timeout != 0 && poll(fds, 2, timeout) < 0 && errno != EINTR)
        virLog(VIR_LOG_WARN, "qemu.migration", "%s: poll: errno %d", m->uuid, errno);
    if (read(m->wake, &count, sizeof(count)) < 0)
        count = 0;                    /* nothing there */
    if (own && read(fds[0].fd, &count, sizeof(count)) < 0)
        count = 0;
    qemuMonitorPump(mon);
}

/* Milliseconds left until `end` (us; 0: no end), at most `most`. */
static int
qemuMigrationLeft(unsigned long long end, int most)
{
    unsigned long long now = virTimeNowUs();

    if (end == 0)
        return most;
    if (now >= end)
        return 0;
    return (end - now) / 1000 >= (unsigned long long)most ? most : (int)((end - now + 999) / 1000);
}

static unsigned long long
qemuMigrationUntil(int timeout)
{
    return timeout < 0 ? 0 : virTimeNowUs() + (unsigned long long)timeout * 1000;
}

static unsigned long long
qemuMigrationWallClock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

/* ---------- Begin ---------- */

/* What cannot move, said before anything is done. */
static int
qemuMigrationCheckDevices(struct virDomainObj *vm)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    xmlNodePtr devices;

    if (doc == NULL)
        return -1;
    devices = virXmlFind(virXmlRoot(doc), "devices");
    VIRT_XML_EACH(hostdev, devices, "hostdev") {
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' has a device of this host (hostdev '%s'): it cannot be migrated",
                              vm->name, virXmlString(hostdev, "alias/@name"));
    }
    VIRT_XML_EACH(filesystem, devices, "filesystem") {
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "domain '%s' sees a folder of this host (filesystem '%s'): it cannot be migrated",
                              vm->name, virXmlString(filesystem, "alias/@name"));
    }
    return 0;
}

static int
qemuMigrationCheckGuest(struct virDomainObj *vm, const struct virMigrationCall *call)
{
    bool offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0;
    int state = atomic_load(&vm->state);

    if (offline && vm->id >= 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is running: an offline migration is for one that is not", vm->name);
    if (offline)
        return 0;
    if (vm->id < 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is not running", vm->name);
    if (state != VIR_DOMAIN_RUNNING && state != VIR_DOMAIN_PAUSED)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is neither running nor paused: it cannot be migrated", vm->name);
    if (state == VIR_DOMAIN_PAUSED && (call->flags & VIR_MIGRATE_ABORT_ON_ERROR) != 0 && vm->reason == VIR_DOMAIN_PAUSED_IOERROR)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is paused by an I/O error", vm->name);
    return qemuMigrationCheckDevices(vm);
}

/* The guest's job is held. */
static int
qemuMigrationBeginHeld(struct qemuHost *host, struct virDomainObj *vm, const struct virMigrationCall *call, char **cookieout)
{
    struct qemuMigration *m;
    int rc = VIR_MIGRATION_FAILED;

    if (qemuMigrationCheckGuest(vm, call) < 0 || qemuDomainOf(vm) == NULL || (m = qemuMigrationNew(host, vm, call, false, QEMU_STAGE_BEGUN)) == NULL)
        return VIR_MIGRATION_FAILED;
    m->state = atomic_load(&vm->state);
    m->reason = atomic_load(&vm->reason);
    m->wasRunning = m->state == VIR_DOMAIN_RUNNING;
    if ((m->cookie = qemuMigrationFormatCookie(m, call)) != NULL
        && virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, m->uuid) == 0)
        rc = qemuMigrationAnswer(m, cookieout, NULL);
    if (rc == VIR_MIGRATION_FAILED) {
        qemuMigrationFailed(m);
        qemuMigrationEnd(m, QEMU_STAGE_STAYED);
    }
    qemuMigrationUnlock(m);
    return rc;
}

VIRT_INTERNAL int
qemuMigrationBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout)
{
    struct qemuHost *host = qemuHostOf(domain->conn);
    struct qemuMigration *m = qemuMigrationLock(host, call->uuid, false);
    struct virDomainObj *vm;
    int rc;

    if (m != NULL) {
        rc = m->error.code != VIR_ERR_OK ? qemuMigrationFailed(m) : qemuMigrationAnswer(m, cookieout, NULL);
        qemuMigrationUnlock(m);
        return rc;
    }
    if (qemuMigrationCheckCall(call) < 0 || (vm = virDomainObjOf(domain)) == NULL
        || virDomainObjBeginJob(vm, "virDomainMigrate", false) < 0)
        return VIR_MIGRATION_FAILED;
    rc = qemuMigrationBeginHeld(host, vm, call, cookieout);
    if (rc == VIR_MIGRATION_FAILED)
        virDomainObjEndJob(vm);
    return rc;
}

/* ---------- Prepare ---------- */

/* Disks that only the source's host can reach are lost by moving; whoever knows better says UNSAFE. */
static int
qemuMigrationCheckSafe(const struct qemuMigrationCookie *cookie, xmlDocPtr doc, unsigned int flags)
{
    if (cookie->sameHost || (flags & (VIR_MIGRATE_UNSAFE | VIR_MIGRATE_OFFLINE)) != 0)
        return 0;
    VIRT_XML_EACH(disk, virXmlFind(virXmlRoot(doc), "devices"), "disk") {
        const char *path = virXmlString(disk, "source/@file");

        if (path == NULL || virXmlFind(disk, "readonly") != NULL || virXmlEquals(disk, "@device", "cdrom"))
            continue;
        if (access(path, R_OK | W_OK) < 0)
            return virReportError(VIR_ERR_MIGRATE_UNSAFE, "disk '%s': '%s' of host '%s' is not here: %s",
                                  virXmlString(disk, "target/@dev"), path, cookie->hostname, strerror(errno));
    }
    return 0;
}

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
        || qemuMigrationCheckSafe(cookie, doc, call->flags) < 0
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
    bool isNew = false;

    if (qemuMigrationCheckCall(call) < 0 || (doc = qemuMigrationIncomingDocument(host, call, cookie, cookie->xml)) == NULL)
        return NULL;
    if (cookie->definition != NULL
        && (kept = qemuMigrationIncomingDocument(host, call, cookie, cookie->definition)) == NULL)
        return NULL;
    if (!cookie->offline
        && (vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE, "virDomainMigratePrepare", &isNew)) == NULL)
        return NULL;
    if ((m = qemuMigrationNew(host, vm, call, true, QEMU_STAGE_SPAWNED)) == NULL) {
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
    m->port = QEMU_MIGRATE_PORT_FIRST;
    if ((kept != NULL && (m->definition = virXmlFormat(kept)) == NULL) || (m->offline && (m->document = virXmlFormat(doc)) == NULL)
        || (vm != NULL && qemuMigrationSpawn(m, doc, isNew) < 0)) {
        qemuMigrationFailed(m);
        qemuMigrationEnd(m, QEMU_STAGE_REMOVED);
    }
    return m;
}

/* Splits "tcp:host:port", "tcp://host[:port]", "tcp:[v6]:port". host is malloc'd ("" for any); port 0: none given. */
static int
qemuMigrationParseTcp(const char *uri, char **host, int *port)
{
    const char *text = uri + 4, *colon;
    VIRT_CLEANUP_FREE char *copy = NULL;
    char *end;

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

/*
 * The address to listen on when the source is to come by this one: any of the same family, so that a port that somebody has at one of them is seen
 * as taken (QEMU is content with the other family); loopback itself, as nobody else comes that way. NULL: a name, any.
 */
static const char *
qemuMigrationFamily(const char *host)
{
    struct in6_addr raw;

    if (inet_pton(AF_INET, host, &raw) == 1)
        return strncmp(host, "127.", 4) == 0 ? host : "0.0.0.0";
    if (inet_pton(AF_INET6, host, &raw) == 1)
        return strcmp(host, "::1") == 0 ? host : "::";
    return NULL;
}

/* Where to listen, for QEMU, and (m->uri) where the source finds that. A port that is taken leads here again. */
static char *
qemuMigrationListenUri(struct qemuMigration *m, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie)
{
    const char *given = qemuMigrationParam(call, VIR_MIGRATE_PARAM_URI);
    const char *address = qemuMigrationParam(call, VIR_MIGRATE_PARAM_LISTEN_ADDRESS);
    VIRT_CLEANUP_FREE char *host = NULL;
    bool v6;
    int port = 0;

    free(m->uri);
    m->uri = NULL;
    if (given != NULL && strncmp(given, "unix:", 5) == 0) {
        const char *path = strncmp(given, "unix://", 7) == 0 ? given + 7 : given + 5;

        free(m->listening);
        m->listening = virStringCopy(path);       /* QEMU makes it, and does not remove it when it is killed */
        m->uri = virStringFormat("unix:%s", path);
        return virStringCopy(m->uri);
    }
    if (given != NULL && strncmp(given, "tcp:", 4) != 0) {
        virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED, "migration URI '%s': only tcp: and unix: are supported", given);
        return NULL;
    }
    if (given == NULL && address == NULL && cookie->sameHost) {
        free(m->listening);
        m->listening = virStringFormat("%s/%s.migrate", m->host->run, m->uuid);
        if (m->listening != NULL && strlen(m->listening) < sizeof(((struct sockaddr_un *)0)->sun_path)) {
            m->uri = virStringFormat("unix:%s", m->listening);
            return virStringCopy(m->uri);
        }
        free(m->listening);
        m->listening = NULL;
        host = virStringCopy("127.0.0.1");
        address = "127.0.0.1";
    } else if (given != NULL) {
        if (qemuMigrationParseTcp(given, &host, &port) < 0)
            return NULL;
        if (address == NULL)
            address = qemuMigrationFamily(host);
    } else {
        host = virHostGetHostname();
    }
    if (host == NULL)
        return NULL;
    if (port == 0 && m->port > QEMU_MIGRATE_PORT_LAST) {
        virReportError(VIR_ERR_OPERATION_FAILED, "no port between %d and %d is free for the migration", QEMU_MIGRATE_PORT_FIRST,
                       QEMU_MIGRATE_PORT_LAST);
        return NULL;
    }
    if (port == 0)
        port = m->port++;
    else
        m->port = 0;                  /* the caller's: no other will do */
    v6 = strchr(host, ':') != NULL;
    m->uri = virStringFormat(v6 ? "tcp:[%s]:%d" : "tcp:%s:%d", host, port);
    v6 = address != NULL && strchr(address, ':') != NULL;
    return virStringFormat(v6 ? "tcp:[%s]:%d" : "tcp:%s:%d", address != NULL ? address : "", port);
}

/* Capabilities and the address, in one go. */
static int
qemuMigrationSendIncoming(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call,
                          const struct qemuMigrationCookie *cookie, bool first)
{
    VIRT_CLEANUP_FREE char *uri = qemuMigrationListenUri(m, call, cookie);
    cJSON *capabilities;

    if (uri == NULL)
        return -1;
    if (first && ((capabilities = qemuMigrationCapabilities(m)) == NULL
                  || qemuMigrationSend(m, mon, "migrate-set-capabilities", capabilities) < 0))
        return -1;
    return qemuMigrationSend(m, mon, "migrate-incoming", virJsonObject("s:uri", uri, NULL));
}

/* One stage further, until the time is up. */
static int
qemuMigrationPrepareRun(struct qemuMigration *m, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie)
{
    struct qemuMonitor *mon = NULL;
    int rc = 1;

    if (m->stage == QEMU_STAGE_SPAWNED && !m->offline) {
        if ((rc = qemuProcessNegotiate(m->vm, call->timeout)) <= 0)
            return rc;
        if ((mon = qemuDomainMonitor(m->vm)) == NULL)
            return -1;
        qemuMigrationReset(qemuDomainPeek(m->vm));
        rc = qemuMigrationSendIncoming(m, mon, call, cookie, true);
        m->stage = QEMU_STAGE_LISTENING;
    } else if (!m->offline && (mon = qemuDomainMonitor(m->vm)) == NULL) {
        return -1;
    }
    while (mon != NULL && rc >= 0) {
        rc = qemuMigrationCollect(m, mon, call->timeout);
        if (rc >= 0 || m->port == 0 || !qemuMonitorIsOpen(mon) || strstr(virGetLastErrorMessage(), "Address already in use") == NULL)
            break;
        rc = qemuMigrationSendIncoming(m, mon, call, cookie, false);
    }
    if (mon != NULL)
        qemuMonitorUnref(mon);
    return rc < 0 ? -1 : mon == NULL ? 1 : rc;
}

static int
qemuMigrationPrepareCookie(struct qemuMigration *m)
{
    VIRT_CLEANUP_FREE char *hostname = virHostGetHostname();
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    if (hostname == NULL
        || (json = virJsonObject("i:version", 1, "s:migration", m->uuid, "s:hostname", hostname, "S:uri", m->uri, NULL)) == NULL)
        return -1;
    free(m->cookie);
    return (m->cookie = virJsonFormat(json)) != NULL ? 0 : -1;
}

/* The persistent document as it was before Finish. */
static void
qemuMigrationUnpersist(struct qemuMigration *m)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = m->previous != NULL ? virXmlParse(m->previous, "domain") : NULL;

    if (!m->persisted)
        return;
    m->persisted = false;
    if (m->previous != NULL ? doc == NULL || virDomainObjDefine(m->vm, doc) < 0 : virDomainObjUndefine(m->vm) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: the document of '%s' cannot be put back: %s", m->uuid, m->vm->name,
               virGetLastErrorMessage());
}

/* Ends what Prepare has started. The error that is set stays. With m->lock held. 0, or -1: its QEMU cannot be killed, so it is not gone. */
static int
qemuMigrationRemoveIncoming(struct qemuMigration *m)
{
    virErrorPtr error = virSaveLastError();
    int rc = 0;

    if (m->vm != NULL) {
        qemuMigrationUnpersist(m);
        if (!atomic_load(&m->ended))
            rc = qemuProcessStop(m->vm, VIR_DOMAIN_SHUTOFF_FAILED, QEMU_PROCESS_STOP_KILL);
        if (rc >= 0)
            virDomainObjEndMigration(m->vm);
    }
    if (rc >= 0)
        qemuMigrationEnd(m, QEMU_STAGE_REMOVED);
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

    if (qemuMigrationParseCookie(cookiein, call->uuid, &cookie) < 0)
        return VIR_MIGRATION_FAILED;
    if ((m = qemuMigrationLock(host, call->uuid, true)) == NULL)
        m = qemuMigrationPrepareNew(host, call, &cookie);
    if (m == NULL) {
        rc = VIR_MIGRATION_FAILED;
    } else if (m->stage != QEMU_STAGE_SPAWNED && m->stage != QEMU_STAGE_LISTENING) {
        rc = m->error.code != VIR_ERR_OK ? qemuMigrationFailed(m) : qemuMigrationAnswer(m, cookieout, uri);
    } else if ((rc = qemuMigrationPrepareRun(m, call, &cookie)) == 0) {
        rc = VIR_MIGRATION_AGAIN;
    } else if (rc > 0 && qemuMigrationPrepareCookie(m) == 0) {
        m->stage = QEMU_STAGE_PREPARED;
        rc = qemuMigrationAnswer(m, cookieout, uri);
    } else {
        qemuMigrationFailed(m);
        qemuMigrationRemoveIncoming(m);
        rc = VIR_MIGRATION_FAILED;
    }
    qemuMigrationUnlock(m);
    cJSON_Delete(cookie.json);
    return rc;
}

/* ---------- Perform ---------- */

/* "tcp:host:port" and "unix:path" as QEMU wants them. */
static int
qemuMigrationSendMigrate(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    unsigned long long bandwidth = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_BANDWIDTH, atomic_load(&priv->migrationBandwidth));
    unsigned long long downtime = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_DOWNTIME, atomic_load(&priv->migrationDowntime));
    unsigned long long initial = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, 0);
    unsigned long long increment = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, 0);
    unsigned long long cache = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, 0);
    cJSON *parameters, *capabilities = qemuMigrationCapabilities(m);

    if (capabilities == NULL)
        return -1;
    if (bandwidth > (1ULL << 43) - 1) {
        cJSON_Delete(capabilities);
        return virReportError(VIR_ERR_OVERFLOW, "bandwidth %llu MiB/s is more than %llu", bandwidth, (1ULL << 43) - 1);
    }
    parameters = virJsonObject("u:max-bandwidth", bandwidth != 0 ? bandwidth << 20 : (unsigned long long)INT64_MAX & ~((1ULL << 20) - 1),
                               "u:downtime-limit", downtime != 0 ? downtime : (unsigned long long)QEMU_MIGRATE_DOWNTIME,
                               "U:cpu-throttle-initial", initial, "U:cpu-throttle-increment", increment,
                               "U:xbzrle-cache-size", cache, NULL);
    if (parameters == NULL) {
        cJSON_Delete(capabilities);
        return -1;
    }
    if (qemuMigrationSend(m, mon, "migrate-set-capabilities", capabilities) < 0) {
        cJSON_Delete(parameters);
        return -1;
    }
    if (qemuMigrationSend(m, mon, "migrate-set-parameters", parameters) < 0)
        return -1;
    return qemuMigrationSend(m, mon, "migrate", virJsonObject("s:uri", uri, NULL));
}

static int
qemuMigrationStart(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);

    if (uri == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "migration %s: the destination has given no URI", m->uuid);
    if (qemuMigrationSaveRecord(m, false) < 0)
        return -1;
    m->started = virTimeNowUs();
    if (m->wasRunning && (call->flags & VIR_MIGRATE_LIVE) == 0) {
        m->pausedByUs = true;
        m->stopped = qemuMigrationWallClock();
        if (qemuMigrationSend(m, mon, "stop", NULL) < 0)
            return -1;
    }
    qemuMigrationReset(priv);
    m->asked = virTimeNowUs();
    return qemuMigrationSendMigrate(m, mon, call, uri);
}

/*
 * Now and then query-migrate is sent: for the progress, and because events are not repeated. The reply is taken when it comes; a QEMU that
 * stands still keeps nobody waiting. A status that QEMU told by an event since the question is the newer one.
 */
static void
qemuMigrationAsk(struct qemuMigration *m, struct qemuMonitor *mon)
{
    m->asked = virTimeNowUs();
    m->askedAt = atomic_load(&qemuDomainPeek(m->vm)->migrationEvents);
    if ((m->asking = qemuMonitorSend(mon, "query-migrate", NULL, false)) == 0)
        virResetLastError();          /* no answer is no failure; a monitor that has ended is noticed by the caller */
}

static void
qemuMigrationTakeInfo(struct qemuMigration *m, const cJSON *info)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    const char *name = virJsonString(info, "status"), *why = virJsonString(info, "error-desc");
    int status = name != NULL ? qemuMigrationStatusFromName(name) : -1, n = 0;
    virTypedParameterPtr params = NULL;

    if (status >= 0 && m->askedAt == atomic_load(&priv->migrationEvents))
        atomic_store(&priv->migrationStatus, status);
    if (why != NULL && m->why == NULL)
        m->why = strdup(why);
    if (virJsonGet(info, "ram") != NULL && qemuMigrationStats(m->vm, m, info, &params, &n) == 0)
        qemuMigrationKeepStats(m, params, n);
}

/* Takes the answer in, after at most timeout ms. 1: nothing is asked any more; 0: it has not come. */
static int
qemuMigrationAnswered(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    VIRT_CLEANUP_JSON cJSON *info = NULL;
    int rc;

    if (m->asking == 0)
        return 1;
    if ((rc = qemuMonitorReceive(mon, m->asking, timeout, &info)) == 0)
        return 0;
    m->asking = 0;
    if (rc > 0)
        qemuMigrationTakeInfo(m, info);
    virResetLastError();
    return 1;
}

/* The transfer has ended: what QEMU has to say of it, asked for once more. 1: it has said it, or cannot; 0: not within timeout ms. */
static int
qemuMigrationLastInfo(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    if (!m->final) {
        if (m->asking != 0)
            qemuMonitorForget(mon, m->asking);
        qemuMigrationAsk(m, mon);
        m->final = true;
    }
    return qemuMigrationAnswered(m, mon, timeout);
}

/* Why QEMU gave up, in its words. */
static void
qemuMigrationReportFailure(struct qemuMigration *m)
{
    if (atomic_load(&m->aborted))
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted by its user", m->vm->name);
    else if (atomic_load(&m->ioError))
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' was aborted: the guest met an I/O error", m->vm->name);
    else
        virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' failed: %s", m->vm->name,
                       m->why != NULL ? m->why : "the connection to the destination broke");
}

/* Whatever else was noticed of it: the guest's QEMU has ended, and the guest with it. */
static void
qemuMigrationReportDeath(struct qemuMigration *m)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    VIRT_CLEANUP_FREE char *words = NULL;

    pthread_mutex_lock(&priv->lock);
    if (priv->lastWords != NULL)
        words = strdup(priv->lastWords);
    pthread_mutex_unlock(&priv->lock);
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': its QEMU has ended during the migration, and the guest with it: it runs nowhere%s%s",
                   m->vm->name, words != NULL ? ": " : "", words != NULL ? words : "");
}

/* All is there: what is told to the destination. */
static int
qemuMigrationTransferred(struct qemuMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    virTypedParameterPtr params = virTypedParamsCopy(m->stats, m->nstats);       /* only this thread replaces them */
    int n = params != NULL ? m->nstats : 0;

    json = virJsonObject("i:version", 1, "s:migration", m->uuid, "u:stopped", m->stopped, "A:stats", qemuMigrationStatsToJson(params, n), NULL);
    if (params != NULL)
        virDomainObjSetCompleted(m->vm, VIR_DOMAIN_JOB_COMPLETED, params, n);
    free(m->cookie);
    if ((m->cookie = json != NULL ? virJsonFormat(json) : NULL) == NULL)
        return -1;
    m->stage = QEMU_STAGE_TRANSFERRED;
    return 1;
}

/* What the status asks for: 1 all is there, 0 it goes on, -1 it failed. Waits at most timeout ms for QEMU's last words on it. */
static int
qemuMigrationJudge(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);

    switch (atomic_load(&priv->migrationStatus)) {
    case QEMU_MIGRATION_PRE_SWITCHOVER:
        if (m->switched != 0)
            return 0;
        if (m->stopped == 0)
            m->stopped = qemuMigrationWallClock();
        m->switched = virTimeNowUs();
        if (atomic_load(&m->aborted))
            return qemuMonitorPost(mon, "migrate_cancel", NULL);
        return qemuMonitorPost(mon, "migrate-continue", virJsonObject("s:state", "pre-switchover", NULL));
    case QEMU_MIGRATION_COMPLETED:
        return qemuMigrationLastInfo(m, mon, timeout) > 0 ? qemuMigrationTransferred(m) : 0;
    case QEMU_MIGRATION_FAILED:
    case QEMU_MIGRATION_CANCELLED:
        if (qemuMigrationLastInfo(m, mon, timeout) == 0)
            return 0;
        qemuMigrationReportFailure(m);
        return -1;
    default:
        /* a guest that stands because of its disk: the caller said that this ends it */
        if ((m->flags & VIR_MIGRATE_ABORT_ON_ERROR) != 0 && atomic_load(&m->vm->state) == VIR_DOMAIN_PAUSED
            && atomic_load(&m->vm->reason) == VIR_DOMAIN_PAUSED_IOERROR && !atomic_exchange(&m->ioError, true))
            return qemuMonitorPost(mon, "migrate_cancel", NULL);
        return 0;
    }
}

static int
qemuMigrationPerformRun(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    unsigned long long end = qemuMigrationUntil(call->timeout);
    /* who waits for the end looks around now and then; who steps wants numbers to show */
    const int most = call->timeout < 0 ? 1000 : QEMU_MIGRATE_ASK / 1000;
    int rc = 0, left;

    if (m->stage == QEMU_STAGE_BEGUN) {
        if (atomic_load(&m->aborted)) {
            qemuMigrationReportFailure(m);
            return -1;
        }
        m->stage = QEMU_STAGE_TRANSFER;
        if (qemuMigrationStart(m, mon, call, uri) < 0)
            return -1;
    }
    for (;;) {
        left = qemuMigrationLeft(end, most);
        if (m->npending > 0 && (rc = qemuMigrationCollect(m, mon, left)) < 0)
            return -1;
        /* an abort that came before `migrate` was carried out had nothing to cancel */
        if (m->npending == 0 && atomic_load(&m->aborted) && !m->cancelSent) {
            m->cancelSent = true;
            if (qemuMonitorPost(mon, "migrate_cancel", NULL) < 0)
                return -1;
        }
        if (m->npending == 0 && (rc = qemuMigrationJudge(m, mon, left)) != 0)
            return rc;
        if (!qemuMonitorIsOpen(mon) || atomic_load(&m->ended)) {
            m->asking = 0;
            m->final = false;
            m->asked = 0;
            if (m->npending == 0 && !atomic_load(&m->ended) && !qemuMonitorHasEnded(mon))
                return 0;             /* QEMU goes on: it is asked by a new monitor */
            return virReportError(VIR_ERR_OPERATION_FAILED, "migration of domain '%s' failed: its monitor was lost", m->vm->name);
        }
        left = qemuMigrationLeft(end, most);
        if (m->npending == 0 && !m->final) {
            if (m->asking == 0 && virTimeNowUs() - m->asked >= QEMU_MIGRATE_ASK)
                qemuMigrationAsk(m, mon);
            qemuMigrationListen(m, mon, left);
            qemuMigrationAnswered(m, mon, 0);
        }
        if (left == 0 && call->timeout >= 0)
            return m->npending == 0 ? qemuMigrationJudge(m, mon, 0) : 0;
    }
}

VIRT_INTERNAL int
qemuMigrationPerform(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, const char *uri,
                     char **cookieout)
{
    struct qemuMigration *m = qemuMigrationLock(qemuHostOf(domain->conn), call->uuid, false);
    struct qemuMonitor *mon = NULL;
    int rc;

    (void)cookiein;
    if (m == NULL) {
        virReportError(VIR_ERR_OPERATION_INVALID, "no migration %s has begun here", call->uuid);
        return VIR_MIGRATION_FAILED;
    }
    if (m->stage == QEMU_STAGE_TRANSFERRED || m->stage == QEMU_STAGE_LEFT) {
        rc = qemuMigrationAnswer(m, cookieout, NULL);
    } else if (m->stage != QEMU_STAGE_BEGUN && m->stage != QEMU_STAGE_TRANSFER) {
        if (m->error.code == VIR_ERR_OK)
            virReportError(VIR_ERR_OPERATION_INVALID, "migration %s is over", call->uuid);
        rc = qemuMigrationFailed(m);
    } else if ((mon = qemuDomainMonitor(m->vm)) == NULL && m->stage == QEMU_STAGE_TRANSFER && !atomic_load(&m->ended)) {
        virResetLastError();
        poll(NULL, 0, call->timeout < 0 || call->timeout > 100 ? 100 : call->timeout);
        rc = VIR_MIGRATION_AGAIN;     /* no answer is not no */
    } else if (mon == NULL || (rc = qemuMigrationPerformRun(m, mon, call, uri)) < 0) {
        m->stage = QEMU_STAGE_BROKEN;
        if (atomic_load(&m->ended) || (mon != NULL && qemuMonitorHasEnded(mon)))
            qemuMigrationReportDeath(m);
        rc = qemuMigrationFailed(m);
    } else {
        rc = rc > 0 ? qemuMigrationAnswer(m, cookieout, NULL) : VIR_MIGRATION_AGAIN;
    }
    if (mon != NULL)
        qemuMonitorUnref(mon);
    qemuMigrationUnlock(m);
    return rc;
}

/* ---------- Finish ---------- */

/* The persistent document, if there is to be one: before the CPUs run, so that a failure can still be taken back. */
static int
qemuMigrationPersist(struct qemuMigration *m)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;

    if ((m->flags & VIR_MIGRATE_PERSIST_DEST) == 0)
        return 0;
    if (m->definition != NULL)
        doc = virXmlParse(m->definition, "domain");
    else if ((doc = virDomainObjDocument(m->vm, false)) != NULL)
        qemuMigrationStripDocument(m->host, doc);
    if (doc == NULL || (m->vm->persistent && (m->previous = virDomainObjText(m->vm, true)) == NULL)
        || virDomainObjDefine(m->vm, doc) < 0)
        return -1;
    m->persisted = true;
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
    int reason = m->wasRunning ? VIR_DOMAIN_PAUSED_MIGRATION : m->reason;

    if (m->startPaused) {
        pthread_mutex_lock(&priv->lock);
        priv->incoming = false;
        pthread_mutex_unlock(&priv->lock);
        virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, m->wasRunning ? VIR_DOMAIN_PAUSED_USER : reason);
        qemuEventLifecycle(m->vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    } else {
        pthread_mutex_lock(&priv->lock);
        priv->incoming = false;
        pthread_mutex_unlock(&priv->lock);
        qemuEventRunning(m->vm, VIR_DOMAIN_RUNNING_MIGRATED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
        atomic_store(&priv->resumeReason, -1);
    }
    qemuMigrationEnd(m, QEMU_STAGE_STARTED);
    virDomainObjEndMigration(m->vm);
    qemuMigrationCompleted(m, cookiein);
    qemuMigrationForgetRecord(m);
}

/* 1 it is here for good, 0 not yet, -1 it cannot be started. */
static int
qemuMigrationFinishRun(struct qemuMigration *m, const struct virMigrationCall *call, const char *cookiein)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    struct qemuMonitor *mon = qemuDomainMonitor(m->vm);
    int rc = -1;

    if (mon == NULL)
        return -1;
    if (m->stage == QEMU_STAGE_PREPARED) {
        pthread_mutex_lock(&priv->lock);
        priv->announced = true;
        pthread_mutex_unlock(&priv->lock);
        qemuEventLifecycle(m->vm, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED);
        if (qemuMigrationPersist(m) < 0 || qemuMigrationSaveRecord(m, true) < 0)
            goto cleanup;
        m->stage = QEMU_STAGE_STARTING;
        atomic_store(&priv->resumeReason, VIR_DOMAIN_RUNNING_MIGRATED);
        /* a guest that stays paused is only asked whether it is there */
        if (qemuMigrationSend(m, mon, m->startPaused ? "query-status" : "cont", NULL) < 0)
            goto cleanup;
    }
    if ((rc = qemuMigrationCollect(m, mon, call->timeout)) > 0)
        qemuMigrationArrived(m, cookiein);
cleanup:
    qemuMonitorUnref(mon);
    return rc;
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

VIRT_INTERNAL int
qemuMigrationFinish(virConnectPtr dconn, const struct virMigrationCall *call, const char *cookiein, int cancelled, char **cookieout,
                    virDomainPtr *guest)
{
    struct qemuMigration *m = qemuMigrationLock(qemuHostOf(dconn), call->uuid, true);
    int rc = 1;

    *guest = NULL;
    if (m == NULL) {
        if (cancelled)
            return VIR_MIGRATION_DONE;
        virReportError(VIR_ERR_OPERATION_INVALID, "no migration %s was prepared here", call->uuid);
        return VIR_MIGRATION_FAILED;
    }
    if (m->error.code == VIR_ERR_OK && (m->stage == QEMU_STAGE_STARTING || (!cancelled && !qemuMigrationIsOver(m)))) {
        /* the order to start may have been carried out already: it is too late to cancel before its answer is known */
        rc = m->offline ? qemuMigrationDefine(m) : qemuMigrationFinishRun(m, call, cookiein);
        if (rc < 0) {
            qemuMigrationFailed(m);
            rc = qemuMigrationRemoveIncoming(m) < 0 ? 0 : -1;
        }
    } else if (!qemuMigrationIsOver(m)) {
        virResetLastError();
        rc = qemuMigrationRemoveIncoming(m) < 0 ? 0 : 1;         /* as long as it is there, it is not gone */
    }
    if (rc == 0) {
        rc = VIR_MIGRATION_AGAIN;
    } else if (m->stage == QEMU_STAGE_STARTED) {
        rc = (*guest = virDomainObjHandle(dconn, m->vm)) != NULL ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
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

/* ---------- Confirm ---------- */

/* The guest is at the destination: it ends here, and so does its document, if that was asked for. 1, or -1: its QEMU cannot be killed. */
static int
qemuMigrationLeave(struct qemuMigration *m)
{
    struct virDomainObj *vm = m->vm;

    /* what runs under its name after its end is not what has left */
    if (!atomic_load(&m->ended) && qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_MIGRATED, QEMU_PROCESS_STOP_KILL) < 0) {
        atomic_store(&m->dropped, true);          /* it stays held, until its QEMU has ended after all */
        return -1;
    }
    if ((m->flags & VIR_MIGRATE_UNDEFINE_SOURCE) != 0 && vm->persistent && virDomainObjUndefine(vm) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' stays defined here: %s", m->uuid, vm->name,
               virGetLastErrorMessage());
    virDomainObjEndMigration(vm);
    qemuMigrationEnd(m, QEMU_STAGE_LEFT);
    return 1;
}

/* With its job given back. The statistics of what failed are no statistics of a completed job. */
static void
qemuMigrationStay(struct qemuMigration *m)
{
    qemuMigrationEnd(m, QEMU_STAGE_STAYED);
    virDomainObjEndMigration(m->vm);
}

/* Brings the guest back to what it was. 1 done, 0 not yet, -1 it cannot be (its QEMU is gone, or does not go on). */
static int
qemuMigrationResume(struct qemuMigration *m, const struct virMigrationCall *call)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    struct qemuMonitor *mon = NULL;
    int status, rc = 1;

    if (atomic_load(&m->ended))
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' cannot go on: its QEMU has ended", m->vm->name);
    if ((mon = qemuDomainMonitor(m->vm)) == NULL)
        return -1;
    status = atomic_load(&priv->migrationStatus);
    if (m->stage == QEMU_STAGE_TRANSFER && status != QEMU_MIGRATION_COMPLETED && status != QEMU_MIGRATION_FAILED
        && status != QEMU_MIGRATION_CANCELLED && status != QEMU_MIGRATION_NONE) {
        /* nobody waited for its end: cancel it, and wait */
        if (!m->cancelSent)
            qemuMonitorPost(mon, "migrate_cancel", NULL);
        m->cancelSent = true;
        qemuMigrationListen(m, mon, call->timeout < 0 || call->timeout > 1000 ? 1000 : call->timeout);
        rc = qemuMonitorIsOpen(mon) ? 0 : -1;
    } else if (!m->wasRunning) {
        virDomainObjSetState(m->vm, m->state, m->reason);
    } else if (m->stage == QEMU_STAGE_RESUMING || atomic_load(&m->vm->state) != VIR_DOMAIN_RUNNING) {
        if (m->stage != QEMU_STAGE_RESUMING) {
            atomic_store(&priv->resumeReason, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
            for (; m->npending > 0; m->npending--)
                qemuMonitorForget(mon, m->pending[m->npending - 1]);
            m->stage = QEMU_STAGE_RESUMING;
            rc = qemuMigrationSend(m, mon, "cont", NULL);
        }
        if (rc >= 0 && (rc = qemuMigrationCollect(m, mon, call->timeout)) > 0)
            qemuEventRunning(m->vm, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
        if (rc != 0)
            atomic_store(&priv->resumeReason, -1);
    }
    qemuMonitorUnref(mon);
    return rc;
}

VIRT_INTERNAL int
qemuMigrationConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, int cancelled)
{
    struct qemuMigration *m = qemuMigrationLock(qemuHostOf(domain->conn), call->uuid, false);
    int rc = 1;

    (void)cookiein;
    if (m == NULL)
        return VIR_MIGRATION_DONE;
    if (!qemuMigrationIsOver(m)) {
        if (!cancelled) {
            rc = qemuMigrationLeave(m);
        } else if (m->offline || m->stage == QEMU_STAGE_BEGUN || (rc = qemuMigrationResume(m, call)) != 0) {
            if (rc < 0)
                qemuMigrationFailed(m);
            qemuMigrationStay(m);
            if (!m->offline)
                qemuMigrationForgetRecord(m);
        }
    }
    qemuMigrationUnlock(m);
    return rc < 0 ? VIR_MIGRATION_FAILED : rc == 0 ? VIR_MIGRATION_AGAIN : VIR_MIGRATION_DONE;
}

/* ---------- waiting, aborting ---------- */

VIRT_INTERNAL int
qemuMigrationWait(virConnectPtr conn, const struct virMigrationCall *call, int *fd, int *events, int *milliseconds)
{
    struct qemuHost *host = qemuHostOf(conn);
    struct qemuMigration *m;
    struct qemuDomain *priv;

    *milliseconds = 0;
    pthread_mutex_lock(&host->lock);
    for (m = host->migrationList; m != NULL && (strcmp(m->uuid, call->uuid) != 0 || qemuMigrationIsOver(m)); m = m->next)
        ;
    if (m != NULL)
        m->users++;
    pthread_mutex_unlock(&host->lock);
    if (m != NULL && m->vm != NULL && (priv = qemuDomainPeek(m->vm)) != NULL) {
        pthread_mutex_lock(&priv->lock);
        if (priv->monitor != NULL) {
            *fd = qemuMonitorGetFd(priv->monitor);
            *events = VIR_EVENT_HANDLE_READABLE;
            *milliseconds = m->incoming ? 100 : 1000;            /* an abort of Perform is heard here; of the others, when this is over */
        }
        pthread_mutex_unlock(&priv->lock);
    }
    qemuMigrationPut(m);
    return 0;
}

static int
qemuMigrationCancel(struct virDomainObj *vm, struct qemuMigration *m)
{
    struct qemuMonitor *mon;
    int status, rc;

    if (m->incoming)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is arriving: its migration is aborted at the source", vm->name);
    if ((mon = qemuDomainMonitor(vm)) == NULL)
        return -1;
    status = atomic_load(&qemuDomainPeek(vm)->migrationStatus);
    if (status == QEMU_MIGRATION_POSTCOPY_ACTIVE || status == QEMU_MIGRATION_POSTCOPY_PAUSED || status == QEMU_MIGRATION_POSTCOPY_RECOVER) {
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is in post-copy: aborting would destroy it", vm->name);
    } else {
        atomic_store(&m->aborted, true);
        rc = qemuMonitorPost(mon, "migrate_cancel", NULL);
    }
    qemuMonitorUnref(mon);
    return rc;
}

/* ---------- migrations that nobody steps ---------- */

/* Its QEMU has ended and nobody will ask for the outcome: nothing is left to be done. */
static void
qemuMigrationEndDropped(struct qemuMigration *m)
{
    if (!atomic_load(&m->dropped) || !atomic_load(&m->ended) || pthread_mutex_trylock(&m->lock) != 0)
        return;                       /* who has the lock is at work on its end */
    if (!qemuMigrationIsOver(m)) {
        qemuMigrationEnd(m, m->incoming ? QEMU_STAGE_REMOVED : m->stage == QEMU_STAGE_TRANSFERRED ? QEMU_STAGE_LEFT : QEMU_STAGE_STAYED);
        virDomainObjEndMigration(m->vm);
    }
    pthread_mutex_unlock(&m->lock);
}

VIRT_INTERNAL int
qemuMigrationDrop(virConnectPtr conn, const struct virMigrationCall *call)
{
    struct qemuHost *host = qemuHostOf(conn);
    struct qemuMigration *m;

    for (int incoming = 0; incoming < 2; incoming++) {
        pthread_mutex_lock(&host->lock);
        for (m = host->migrationList; m != NULL && (m->incoming != (incoming != 0) || strcmp(m->uuid, call->uuid) != 0); m = m->next)
            ;
        if (m != NULL) {
            m->users++;
            atomic_store(&m->dropped, true);
        }
        pthread_mutex_unlock(&host->lock);
        if (m != NULL)
            qemuMigrationEndDropped(m);
        qemuMigrationPut(m);
    }
    return 0;
}

/* The transfer has ended badly, or never began: the guest goes on here. Nothing waits: this is also called when an event is delivered. */
static int
qemuMigrationStayDropped(struct qemuMigration *m)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    struct qemuMonitor *mon;
    int rc = 0;

    if (m->stage != QEMU_STAGE_BEGUN && !m->wasRunning) {
        virDomainObjSetState(m->vm, m->state, m->reason);
    } else if (m->stage != QEMU_STAGE_BEGUN && atomic_load(&m->vm->state) != VIR_DOMAIN_RUNNING) {
        if ((mon = qemuDomainMonitor(m->vm)) == NULL)
            return -1;
        atomic_store(&priv->resumeReason, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
        rc = qemuMonitorPost(mon, "cont", NULL);
        qemuMonitorUnref(mon);
    }
    if (rc < 0)
        return -1;
    qemuMigrationStay(m);
    qemuMigrationForgetRecord(m);
    return 0;
}

/* Ends one as far as that can be done without the other side; with its lock held. 0: it is over, or will be when QEMU has cancelled it. */
static int
qemuMigrationAbortDropped(struct qemuMigration *m)
{
    int status = atomic_load(&qemuDomainPeek(m->vm)->migrationStatus);

    if (qemuMigrationIsOver(m))
        return 0;
    if (m->incoming && m->stage != QEMU_STAGE_STARTING)
        return qemuMigrationRemoveIncoming(m);
    if (m->incoming || m->stage == QEMU_STAGE_TRANSFERRED || status == QEMU_MIGRATION_COMPLETED)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': migration %s had moved all of it when it was left: whether it runs at "
                              "the other side is not known here. End the copy that is not wanted with virDomainDestroy", m->vm->name, m->uuid);
    if (m->stage == QEMU_STAGE_BEGUN || status == QEMU_MIGRATION_FAILED || status == QEMU_MIGRATION_CANCELLED
        || (status == QEMU_MIGRATION_NONE && m->stage == QEMU_STAGE_BROKEN))
        return qemuMigrationStayDropped(m);
    return qemuMigrationCancel(m->vm, m);
}

/* QEMU has told something: if that ends the transfer of one that was aborted and has nobody else, it is over. */
static void
qemuMigrationSettleDropped(struct qemuMigration *m)
{
    int status = atomic_load(&qemuDomainPeek(m->vm)->migrationStatus);

    if (m->incoming || !atomic_load(&m->dropped) || !atomic_load(&m->aborted)
        || (status != QEMU_MIGRATION_CANCELLED && status != QEMU_MIGRATION_FAILED) || pthread_mutex_trylock(&m->lock) != 0)
        return;                       /* whoever has the lock looks again when it is free */
    if (!qemuMigrationIsOver(m) && m->stage != QEMU_STAGE_TRANSFERRED && qemuMigrationStayDropped(m) < 0)
        virLog(VIR_LOG_ERROR, "qemu.migration", "%s: domain '%s' does not go on: %s", m->uuid, m->vm->name, virGetLastErrorMessage());
    pthread_mutex_unlock(&m->lock);
}

VIRT_INTERNAL int
qemuMigrationAbortJob(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct qemuMigration *m;
    int rc;

    virCheckFlags(0, -1);
    if (vm == NULL)
        return -1;
    if ((m = qemuMigrationOf(vm)) == NULL && virDomainObjIsHeld(vm))
        return qemuMigrationSettleAgain(vm, "virDomainAbortJob");
    if (m == NULL)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no job that could be aborted", vm->name);
    if (atomic_load(&m->dropped)) {
        pthread_mutex_lock(&m->lock);
        rc = qemuMigrationAbortDropped(m);
        pthread_mutex_unlock(&m->lock);
        qemuMigrationSettleDropped(m);                /* its end may have come meanwhile */
    } else {
        rc = qemuMigrationCancel(vm, m);
    }
    qemuMigrationPut(m);
    return rc;
}

/* ---------- settings ---------- */

/* While a migration is under way, a setting is told to QEMU; else it waits for the next one. */
static int
qemuMigrationSet(struct virDomainObj *vm, const char *name, unsigned long long value)
{
    VIRT_CLEANUP_FREE char *key = virStringFormat("u:%s", name);
    cJSON *args;

    if (key == NULL || (args = virJsonObject(key, value, NULL)) == NULL)
        return -1;
    return qemuDomainCommand(vm, "migrate-set-parameters", args, NULL);
}

/* The running guest behind a handle; NULL with the error set. */
static struct virDomainObj *
qemuMigrationGuest(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    if (vm == NULL || (vm->id >= 0 && qemuDomainOf(vm) != NULL))
        return vm;
    virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is not running", vm->name);
    return NULL;
}

VIRT_INTERNAL int
qemuMigrationSetMaxDowntime(virDomainPtr domain, unsigned long long downtime, unsigned int flags)
{
    struct virDomainObj *vm = qemuMigrationGuest(domain);

    virCheckFlags(0, -1);
    if (vm == NULL)
        return -1;
    if (downtime == 0 || downtime > 2000000)
        return virReportError(VIR_ERR_INVALID_ARG, "a downtime of %llu ms is not between 1 and 2000000", downtime);
    if (qemuMigrationSet(vm, "downtime-limit", downtime) < 0)
        return -1;
    atomic_store(&qemuDomainPeek(vm)->migrationDowntime, downtime);
    return 0;
}

VIRT_INTERNAL int
qemuMigrationGetMaxDowntime(virDomainPtr domain, unsigned long long *downtime, unsigned int flags)
{
    struct virDomainObj *vm = qemuMigrationGuest(domain);

    virCheckFlags(0, -1);
    if (vm == NULL)
        return -1;
    *downtime = atomic_load(&qemuDomainPeek(vm)->migrationDowntime);
    if (*downtime == 0)
        *downtime = QEMU_MIGRATE_DOWNTIME;
    return 0;
}

VIRT_INTERNAL int
qemuMigrationSetMaxSpeed(virDomainPtr domain, unsigned long bandwidth, unsigned int flags)
{
    struct virDomainObj *vm = qemuMigrationGuest(domain);
    struct qemuMigration *m;
    const unsigned long long mib = bandwidth;
    int rc = 0;

    virCheckFlags(0, -1);
    if (vm == NULL)
        return -1;
    if (mib > (1ULL << 43) - 1)
        return virReportError(VIR_ERR_OVERFLOW, "bandwidth %llu MiB/s is more than %llu", mib, (1ULL << 43) - 1);
    m = qemuMigrationOf(vm);
    if (m != NULL && mib != 0)
        rc = qemuMigrationSet(vm, "max-bandwidth", mib << 20);
    qemuMigrationPut(m);
    if (rc < 0)
        return -1;
    atomic_store(&qemuDomainPeek(vm)->migrationBandwidth, bandwidth);
    return 0;
}

VIRT_INTERNAL int
qemuMigrationGetMaxSpeed(virDomainPtr domain, unsigned long *bandwidth, unsigned int flags)
{
    struct virDomainObj *vm = qemuMigrationGuest(domain);

    virCheckFlags(0, -1);
    if (vm == NULL)
        return -1;
    *bandwidth = (unsigned long)atomic_load(&qemuDomainPeek(vm)->migrationBandwidth);
    if (*bandwidth == 0)
        *bandwidth = (unsigned long)(INT64_MAX >> 20);   /* no limit, as libvirt says it */
    return 0;
}

VIRT_INTERNAL int
qemuMigrationGetCompressionCache(virDomainPtr domain, unsigned long long *cacheSize, unsigned int flags)
{
    struct virDomainObj *vm = qemuMigrationGuest(domain);
    VIRT_CLEANUP_JSON cJSON *parameters = NULL;

    virCheckFlags(0, -1);
    if (vm == NULL || qemuDomainCommand(vm, "query-migrate-parameters", NULL, &parameters) < 0)
        return -1;
    if (virJsonULongLong(parameters, "xbzrle-cache-size", cacheSize) < 0)
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "this QEMU has no compression cache");
    return 0;
}

VIRT_INTERNAL int
qemuMigrationSetCompressionCache(virDomainPtr domain, unsigned long long cacheSize, unsigned int flags)
{
    struct virDomainObj *vm = qemuMigrationGuest(domain);

    virCheckFlags(0, -1);
    return vm == NULL ? -1 : qemuMigrationSet(vm, "xbzrle-cache-size", cacheSize);
}

/* ---------- what the runtime calls ---------- */

static void
qemuMigrationOnEvent(struct virDomainObj *vm, const char *event, const cJSON *data)
{
    struct qemuMigration *m = qemuMigrationOf(vm);

    (void)event;
    (void)data;
    if (m != NULL)
        qemuMigrationSettleDropped(m);
    qemuMigrationPut(m);
    qemuMigrationWake(vm);
}

/* Its QEMU has ended, by itself, by destroy, or by us. The job is given back: what is left of the migration needs no guest. */
static void
qemuMigrationOnStopped(struct virDomainObj *vm, int reason)
{
    struct qemuMigration *m = qemuMigrationOf(vm);

    (void)reason;
    bool leaving = m != NULL && atomic_load(&m->stage) == QEMU_STAGE_TRANSFERRED && !atomic_load(&m->dropped);

    if (m != NULL)
        atomic_store(&m->ended, true);
    qemuMigrationWake(vm);
    if (m != NULL)
        qemuMigrationEndDropped(m);
    qemuMigrationPut(m);
    if (!leaving)                     /* the guest may run at the destination: Confirm lets go of its name here */
        virDomainObjEndMigration(vm);
}

VIRT_INTERNAL const struct qemuMigrationHooks qemuMigrationHooks = {
    .event = qemuMigrationOnEvent,
    .stopped = qemuMigrationOnStopped,
    .reconnected = qemuMigrationReconnected,
};

#undef QEMU_MIGRATE_FLAGS
#undef QEMU_MIGRATE_PORT_FIRST
#undef QEMU_MIGRATE_PORT_LAST
#undef QEMU_MIGRATE_DOWNTIME
#undef QEMU_MIGRATE_ASK
#undef VIRT_FROM
