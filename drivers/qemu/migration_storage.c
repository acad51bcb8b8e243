/*
 * Disks that move with the guest: copied to the destination over NBD, while the guest runs.
 *
 * The destination's QEMU exports its images, where they exist; those that do not are made in Prepare, and go again on the way back. In
 * Perform the source's QEMU mirrors each disk into its export. When all are in step the memory follows, and when the CPUs stand for the
 * switchover the mirrors are ended, so that both sides hold the same; only then does the switchover go on. Finish closes the exports before
 * the CPUs run.
 *
 * Which mirrors there are and how they ended QEMU keeps until it is told to forget it, so that whoever goes on after a crash asks QEMU, and a
 * mirror that failed while nobody listened is not taken for one that was completed.
 */
#include "migration.h"
#include "storage.h"
#include "blockdev.h"

#include "../common/file.h"
#include "../common/json.h"
#include "../common/xml.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_STORAGE_COPIED (VIR_MIGRATE_NON_SHARED_DISK | VIR_MIGRATE_NON_SHARED_INC)
#define QEMU_STORAGE_LOOK   100000         /* us from one look at the mirrors to the next */
#define QEMU_STORAGE_PREFIX "migration-"   /* of the name of a mirror, and of the node that it writes to */
#define QEMU_STORAGE_ANSWER 1000           /* ms for QEMU to say how they are */
#define QEMU_STORAGE_MAKE   60000          /* ms for an image to be made */

/* ---------- which disks ---------- */

static bool
qemuStorageIsChosen(const struct virMigrationCall *call, const char *target, bool *any)
{
    bool chosen = false;

    *any = false;
    for (int i = 0; i < call->nparams; i++) {
        if (strcmp(call->params[i].field, VIR_MIGRATE_PARAM_MIGRATE_DISKS) != 0 || call->params[i].type != VIR_TYPED_PARAM_STRING)
            continue;
        *any = true;
        chosen |= target != NULL && strcmp(call->params[i].value.s, target) == 0;
    }
    return chosen;
}

static xmlNodePtr
qemuStorageFind(xmlDocPtr doc, const char *target)
{
    VIRT_XML_EACH(disk, virXmlFind(virXmlRoot(doc), "devices"), "disk") {
        if (virXmlEquals(disk, "target/@dev", target))
            return disk;
    }
    return NULL;
}

static bool
qemuStorageIsEmpty(xmlNodePtr disk)
{
    return virXmlFirst(disk, "source") == NULL || virXmlEquals(disk, "target/@tray", "open");
}

/* Whether this one is copied, by what was asked for. */
static bool
qemuStorageMoves(const struct virMigrationCall *call, xmlNodePtr disk)
{
    bool any, chosen = qemuStorageIsChosen(call, virXmlString(disk, "target/@dev"), &any);

    if ((call->flags & QEMU_STORAGE_COPIED) == 0)
        return false;
    return any ? chosen : !qemuStorageIsEmpty(disk) && virXmlFirst(disk, "readonly") == NULL && virXmlFirst(disk, "shareable") == NULL
                          && !virXmlEquals(disk, "@device", "cdrom") && !virXmlEquals(disk, "@device", "floppy");
}

VIRT_INTERNAL bool
qemuStorageIsCopied(const struct qemuMigrationCookie *cookie, xmlNodePtr disk)
{
    const cJSON *each;

    cJSON_ArrayForEach(each, virJsonGet(cookie->json, "disks")) {
        const char *target = virJsonString(each, "target");

        if (target != NULL && virXmlEquals(disk, "target/@dev", target))
            return true;
    }
    return false;
}

VIRT_INTERNAL int
qemuStorageCheckCall(const struct virMigrationCall *call)
{
    static const char *const params[] = { VIR_MIGRATE_PARAM_MIGRATE_DISKS, VIR_MIGRATE_PARAM_DISKS_PORT, VIR_MIGRATE_PARAM_DISKS_URI };
    const char *uri = qemuMigrationParam(call, VIR_MIGRATE_PARAM_DISKS_URI);
    bool copies = (call->flags & QEMU_STORAGE_COPIED) != 0, port = false;

    for (int i = 0; i < call->nparams; i++) {
        port |= strcmp(call->params[i].field, VIR_MIGRATE_PARAM_DISKS_PORT) == 0;
        for (size_t k = 0; !copies && k < sizeof(params) / sizeof(params[0]); k++)
            if (strcmp(call->params[i].field, params[k]) == 0)
                return virReportError(VIR_ERR_INVALID_ARG, "migration parameter '%s' has no effect without VIR_MIGRATE_NON_SHARED_DISK or "
                                      "VIR_MIGRATE_NON_SHARED_INC", params[k]);
    }
    if (!copies && (call->flags & VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES needs disks that are copied: "
                              "VIR_MIGRATE_NON_SHARED_DISK or VIR_MIGRATE_NON_SHARED_INC");
    if (!copies)
        return 0;
    if ((call->flags & (VIR_MIGRATE_TUNNELLED | VIR_MIGRATE_TLS)) != 0)
        return virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED, "disks are not copied through %s: their connection would be an open one",
                              (call->flags & VIR_MIGRATE_TLS) != 0 ? "TLS" : "a tunnel");
    if (uri != NULL && port)
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' and '%s' exclude each other", VIR_MIGRATE_PARAM_DISKS_URI, VIR_MIGRATE_PARAM_DISKS_PORT);
    if (uri != NULL && strncmp(uri, "tcp:", 4) != 0 && strncmp(uri, "unix:", 5) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' '%s': only tcp: and unix: are known", VIR_MIGRATE_PARAM_DISKS_URI, uri);
    return uri != NULL ? qemuMigrationCheckUnix(VIR_MIGRATE_PARAM_DISKS_URI, uri) : 0;
}

/* Every disk that was named is there, and can be copied. */
static int
qemuStorageCheckChosen(const struct virMigrationCall *call, xmlDocPtr doc)
{
    for (int i = 0; i < call->nparams; i++) {
        const char *target = call->params[i].value.s;
        xmlNodePtr disk;

        if (strcmp(call->params[i].field, VIR_MIGRATE_PARAM_MIGRATE_DISKS) != 0)
            continue;
        if ((disk = qemuStorageFind(doc, target)) == NULL)
            return virReportError(VIR_ERR_INVALID_ARG, "%s: there is no disk '%s'", VIR_MIGRATE_PARAM_MIGRATE_DISKS, target);
        if (qemuStorageIsEmpty(disk) || virXmlFirst(disk, "readonly") != NULL)
            return virReportError(VIR_ERR_INVALID_ARG, "%s: disk '%s' is %s: it cannot be copied", VIR_MIGRATE_PARAM_MIGRATE_DISKS, target,
                                  qemuStorageIsEmpty(disk) ? "empty" : "read only");
    }
    return 0;
}

VIRT_INTERNAL void
qemuStorageFree(struct qemuMigration *m)
{
    for (size_t i = 0; i < m->ndisks; i++) {
        free(m->disks[i].target);
        free(m->disks[i].created);
    }
    free(m->disks);
    free(m->nbd);
    free(m->nbdSocket);
}

static struct qemuStorageDisk *
qemuStorageAdd(struct qemuMigration *m, const char *target, unsigned long long size)
{
    struct qemuStorageDisk *more = realloc(m->disks, (m->ndisks + 1) * sizeof(*more));

    if (more == NULL) {
        virReportNoMemory();
        return NULL;
    }
    m->disks = more;
    more += m->ndisks;
    *more = (struct qemuStorageDisk){ .size = size };
    if (strlen(target) > QEMU_NODE_NAME_SIZE - sizeof(QEMU_STORAGE_PREFIX) || (more->target = virStringCopy(target)) == NULL) {
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "disk '%s': its name is too long for a copy", target);
        return NULL;
    }
    snprintf(more->job, sizeof(more->job), QEMU_STORAGE_PREFIX "%s", target);
    m->ndisks++;
    return more;
}

/* ---------- what the sides tell each other ---------- */

/* How large the disk is to the guest, by the node behind it. */
static int
qemuStorageSize(const cJSON *nodes, xmlNodePtr disk, const char *layer, char *name, unsigned long long *size)
{
    const cJSON *each;

    if (qemuBlockdevName(disk, 0, layer, name) < 0)
        return -1;
    cJSON_ArrayForEach(each, nodes) {
        const char *node = virJsonString(each, "node-name");

        if (node != NULL && strcmp(node, name) == 0)
            return virJsonULongLong(virJsonGet(each, "image"), "virtual-size", size);
    }
    return -1;
}

/* The node to copy: what the guest sees of its image. */
static int
qemuStorageNode(const cJSON *nodes, xmlNodePtr disk, char *name, unsigned long long *size)
{
    static const char *const layers[] = { "format", "slice", "storage" };

    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
        if (qemuStorageSize(nodes, disk, layers[i], name, size) == 0)
            return 0;
    return virReportError(VIR_ERR_OPERATION_FAILED, "disk '%s': QEMU does not know its image", virXmlString(disk, "target/@dev"));
}

VIRT_INTERNAL int
qemuStorageBegin(struct qemuMigration *m, const struct virMigrationCall *call)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    VIRT_CLEANUP_JSON cJSON *nodes = NULL;

    if ((call->flags & QEMU_STORAGE_COPIED) == 0)
        return 0;
    if ((doc = virDomainObjDocument(m->vm, false)) == NULL || qemuStorageCheckChosen(call, doc) < 0
        || qemuDomainCommand(m->vm, "query-named-block-nodes", virJsonObject("b:flat", true, NULL), &nodes) < 0)
        return -1;
    VIRT_XML_EACH(disk, virXmlFind(virXmlRoot(doc), "devices"), "disk") {
        char node[QEMU_NODE_NAME_SIZE];
        unsigned long long size = 0;
        struct qemuStorageDisk *added;

        if (!qemuStorageMoves(call, disk))
            continue;
        if (qemuStorageNode(nodes, disk, node, &size) < 0
            || (added = qemuStorageAdd(m, virXmlString(disk, "target/@dev"), size)) == NULL)
            return -1;
        snprintf(added->node, sizeof(added->node), "%s", node);
    }
    return 0;
}

VIRT_INTERNAL cJSON *
qemuStorageToJson(const struct qemuMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *list = NULL;
    cJSON *given;

    if (m->ndisks == 0 || (list = virJsonArray()) == NULL)
        return NULL;
    for (size_t i = 0; i < m->ndisks; i++)
        if (virJsonAppend(list, virJsonObject("s:target", m->disks[i].target, "s:node", m->disks[i].node, "u:size", m->disks[i].size,
                                              "S:created", m->disks[i].created, "U:device", m->disks[i].device, "U:inode", m->disks[i].inode,
                                              NULL)) < 0)
            return NULL;
    given = list;
    list = NULL;
    return given;
}

VIRT_INTERNAL int
qemuStorageFromJson(struct qemuMigration *m, const cJSON *list, bool ours)
{
    const cJSON *each;

    cJSON_ArrayForEach(each, list) {
        const char *target = virJsonString(each, "target"), *node = virJsonString(each, "node"), *created = virJsonString(each, "created");
        struct qemuStorageDisk *disk;
        unsigned long long size;

        if (m->ndisks > 256 || target == NULL || node == NULL || strlen(node) >= QEMU_NODE_NAME_SIZE
            || virJsonULongLong(each, "size", &size) < 0 || size > LLONG_MAX)
            return virReportError(VIR_ERR_OPERATION_FAILED, "a disk of the migration lacks target, node or size");
        if ((disk = qemuStorageAdd(m, target, size)) == NULL)
            return -1;
        snprintf(disk->node, sizeof(disk->node), "%s", node);
        if (ours && created != NULL && (disk->created = virStringCopy(created)) == NULL)
            return -1;
        if (ours) {
            virJsonULongLong(each, "device", &disk->device);
            virJsonULongLong(each, "inode", &disk->inode);
        }
    }
    return 0;
}

VIRT_INTERNAL int
qemuStorageCookie(const struct qemuMigration *m, cJSON *cookie)
{
    cJSON *disks;

    if (m->ndisks == 0)
        return 0;
    if (m->incoming)
        return virJsonAdd(cookie, "s:nbd", m->nbd, NULL);
    disks = qemuStorageToJson(m);
    return disks != NULL ? virJsonAdd(cookie, "a:disks", disks, NULL) : -1;
}

/* "tcp:host:port" or "unix:path" as QEMU's address; `flat`: as a SocketAddress, else as the older kind. */
static cJSON *
qemuStorageAddress(const char *uri, bool flat)
{
    VIRT_CLEANUP_FREE char *host = NULL, *digits = NULL;
    bool local = strncmp(uri, "unix:", 5) == 0;
    cJSON *data;
    int port = 0;

    if (local) {
        data = virJsonObject("s:path", uri + 5, NULL);
    } else {
        if (qemuMigrationParseTcp(uri, &host, &port) < 0 || (digits = virStringFormat("%d", port)) == NULL)
            return NULL;
        data = virJsonObject("s:host", host, "s:port", digits, NULL);
    }
    if (flat)
        return data != NULL && virJsonAdd(data, "s:type", local ? "unix" : "inet", NULL) == 0 ? data : NULL;
    return virJsonObject("s:type", local ? "unix" : "inet", "a:data", data, NULL);
}

VIRT_INTERNAL int
qemuStoragePeer(struct qemuMigration *m, const char *cookie)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL, *address = NULL;
    const char *nbd;

    if (m->ndisks == 0 || m->nbd != NULL)
        return 0;
    if (cookie == NULL || (json = virJsonParse(cookie, strlen(cookie), "migration cookie")) == NULL
        || (nbd = virJsonString(json, "nbd")) == NULL)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the destination has not said where its disks are to go", m->name);
    if ((address = qemuStorageAddress(nbd, true)) == NULL)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the destination says that its disks are to go to '%s': %s", m->name, nbd,
                              virGetLastErrorMessage());
    return (m->nbd = virStringCopy(nbd)) != NULL ? 0 : -1;
}

/* ---------- the destination ---------- */

/* The empty file, which is there now, becomes the image. */
static int
qemuStorageMake(const struct virMigrationCall *call, xmlNodePtr disk, const char *path, unsigned long long size)
{
    const char *format = virXmlString(disk, "driver/@type"), *target = virXmlString(disk, "target/@dev");
    const char *backing = virXmlString(disk, "backingStore/source/@file"), *kind = virXmlString(disk, "backingStore/format/@type");
    bool overlay = (call->flags & VIR_MIGRATE_NON_SHARED_INC) != 0;
    VIRT_CLEANUP_FREE char *digits = virStringFormat("%llu", size), *errors = NULL;
    const char *argv[16] = { "/usr/bin/qemu-img", "create", "-q", "-f", format };
    size_t n = 5;
    int status;

    if (digits == NULL)
        return -1;
    if (overlay && backing == NULL)
        return virReportError(VIR_ERR_OPERATION_INVALID, "disk '%s': '%s' is not here, and what backs it is not known: only what was written "
                              "above that is to be copied", target, path);
    if (format == NULL || strcmp(format, "raw") == 0)
        return truncate(path, (off_t)size) == 0 ? 0 : virReportSystemError(errno, "disk '%s': '%s' cannot have %llu bytes", target, path, size);
    if (overlay) {
        argv[n++] = "-b";
        argv[n++] = backing;
        argv[n++] = "-F";
        argv[n++] = kind != NULL ? kind : "raw";
    }
    argv[n++] = path;
    argv[n++] = digits;
    if (access(argv[0], X_OK) < 0)
        return virReportSystemError(errno, "disk '%s': '%s' is not here, and there is no '%s' to make it", target, path, argv[0]);
    if ((status = virProcessRun(argv, NULL, NULL, NULL, &errors, 4096, QEMU_STORAGE_MAKE)) < 0)
        return -1;
    if (status != 0)
        return virReportError(VIR_ERR_OPERATION_FAILED, "disk '%s': '%s' cannot be made: %s", target, path, errors != NULL ? errors : "");
    return 0;
}

/* Which of the disks the source speaks of are files to be made here. Nothing is made yet: that is on record first. */
VIRT_INTERNAL int
qemuStorageExpect(struct qemuMigration *m, const struct qemuMigrationCookie *cookie, xmlDocPtr doc)
{
    if (m->offline || qemuStorageFromJson(m, virJsonGet(cookie->json, "disks"), false) < 0)
        return m->offline ? 0 : -1;
    for (size_t i = 0; i < m->ndisks; i++) {
        xmlNodePtr disk = qemuStorageFind(doc, m->disks[i].target);
        const char *path = disk != NULL ? virXmlString(disk, "source/@file") : NULL;

        if (disk == NULL || qemuStorageIsEmpty(disk))
            return virReportError(VIR_ERR_OPERATION_FAILED, "disk '%s' is to be copied here, but the guest has none", m->disks[i].target);
        if (qemuBlockdevName(disk, 0, "format", m->disks[i].node) < 0)
            return -1;
        if (path != NULL && access(path, F_OK) < 0 && errno == ENOENT && (m->disks[i].created = virStringCopy(path)) == NULL)
            return -1;
    }
    return 0;
}

/* Empty files first: from then on each is known by its number, and what somebody else has put there meanwhile is not taken for one of them. */
static int
qemuStorageCreate(struct qemuMigration *m)
{
    for (size_t i = 0; i < m->ndisks; i++) {
        struct qemuStorageDisk *disk = &m->disks[i];
        VIRT_CLEANUP_CLOSE int fd = -1;
        struct stat info;

        if (disk->created == NULL)
            continue;
        if ((fd = open(disk->created, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0 || fstat(fd, &info) < 0)
            return virReportSystemError(errno, "disk '%s': cannot make '%s'", disk->target, disk->created);
        disk->device = (unsigned long long)info.st_dev;
        disk->inode = (unsigned long long)info.st_ino;
    }
    return 0;
}

VIRT_INTERNAL int
qemuStorageMakeAll(struct qemuMigration *m, const struct virMigrationCall *call, xmlDocPtr doc)
{
    bool any = false;

    for (size_t i = 0; i < m->ndisks; i++)
        any = any || m->disks[i].created != NULL;
    if (any && (qemuStorageCreate(m) < 0 || qemuMigrationSaveRecord(m) < 0))
        return -1;
    for (size_t i = 0; i < m->ndisks; i++)
        if (m->disks[i].created != NULL
            && qemuStorageMake(call, qemuStorageFind(doc, m->disks[i].target), m->disks[i].created, m->disks[i].size) < 0)
            return -1;
    return 0;
}

/* Whether the file is the one that was made: by its number; whoever died before he could note that has left an empty one. */
static bool
qemuStorageIsOurs(const struct qemuStorageDisk *disk, bool recorded)
{
    struct stat info;

    if (lstat(disk->created, &info) < 0 || !S_ISREG(info.st_mode))
        return false;
    if (disk->inode == 0)
        return recorded && info.st_size == 0;
    return (unsigned long long)info.st_dev == disk->device && (unsigned long long)info.st_ino == disk->inode;
}

VIRT_INTERNAL void
qemuStorageRemove(struct qemuMigration *m, bool recorded)
{
    for (size_t i = 0; i < m->ndisks; i++) {
        struct qemuStorageDisk *disk = &m->disks[i];

        if (disk->created != NULL && qemuStorageIsOurs(disk, recorded) && unlink(disk->created) < 0 && errno != ENOENT)
            virLog(VIR_LOG_WARN, "qemu.migration", "%s: cannot remove '%s': errno %d", m->uuid, disk->created, errno);
        free(disk->created);
        disk->created = NULL;
    }
    qemuStorageEnded(m);
}

VIRT_INTERNAL void
qemuStorageEnded(struct qemuMigration *m)
{
    qemuMigrationRemoveSocket(m->nbdSocket);
    free(m->nbdSocket);
    m->nbdSocket = NULL;
}

/* Where the source finds the exports (m->nbd), and where QEMU listens for it, in malloc'd memory. A port that is taken leads here again. */
static char *
qemuStorageListenUri(struct qemuMigration *m, const struct virMigrationCall *call, const struct qemuMigrationCookie *cookie)
{
    const char *memory = qemuMigrationParam(call, VIR_MIGRATE_PARAM_URI);
    struct qemuMigrationPlace place = {
        .what = "the disks", .given = qemuMigrationParam(call, VIR_MIGRATE_PARAM_DISKS_URI), .next = &m->nbdPort,
        .like = memory != NULL && strncmp(memory, "tcp:", 4) == 0 ? memory : NULL,
        .address = qemuMigrationParam(call, VIR_MIGRATE_PARAM_LISTEN_ADDRESS),
        .port = (int)qemuMigrationNumber(call, VIR_MIGRATE_PARAM_DISKS_PORT, 0),
    };
    VIRT_CLEANUP_FREE char *own = NULL;

    place.local = place.given == NULL && memory == NULL && place.address == NULL && place.port == 0 && cookie->sameHost;
    if (place.local && (place.own = own = qemuMigrationOwnSocket(m, "nbd")) == NULL)
        return NULL;
    return qemuMigrationListenAt(&place, &m->nbd, &m->nbdSocket);
}

static int
qemuStorageSendListen(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call,
                      const struct qemuMigrationCookie *cookie)
{
    VIRT_CLEANUP_FREE char *uri = qemuStorageListenUri(m, call, cookie);
    cJSON *address = uri != NULL ? qemuStorageAddress(uri, false) : NULL;

    return address != NULL ? qemuMigrationSend(m, mon, "nbd-server-start", virJsonObject("a:addr", address, NULL)) : -1;
}

VIRT_INTERNAL int
qemuStorageServe(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call,
                 const struct qemuMigrationCookie *cookie, unsigned long long end)
{
    int rc;

    if (m->ndisks == 0 || m->serving == m->ndisks + 1)
        return 1;
    if (m->serving == 0 && m->npending == 0 && qemuStorageSendListen(m, mon, call, cookie) < 0)
        return -1;
    for (;;) {
        if ((rc = qemuMigrationCollect(m, mon, qemuMigrationLeft(end, -1))) == 0)
            return 0;
        if (rc < 0 && m->serving == 0 && m->nbdPort != 0 && qemuMonitorIsOpen(mon)
            && strstr(virGetLastErrorMessage(), "Address already in use") != NULL) {
            virResetLastError();
            if (qemuStorageSendListen(m, mon, call, cookie) < 0)
                return -1;
            continue;
        }
        if (rc < 0)
            return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the disks cannot be received: %s", m->name, virGetLastErrorMessage());
        if (m->serving++ == m->ndisks)
            return 1;
        if (qemuMigrationSend(m, mon, "block-export-add",
                              virJsonObject("s:type", "nbd", "s:id", m->disks[m->serving - 1].job, "s:node-name",
                                            m->disks[m->serving - 1].node, "s:name", m->disks[m->serving - 1].target,
                                            "b:writable", true, NULL)) < 0)
            return -1;
    }
}

/* Before the CPUs run: the images are the guest's alone. A server that is closed already does no harm. */
VIRT_INTERNAL int
qemuStorageClose(struct qemuMigration *m, struct qemuMonitor *mon)
{
    return m->ndisks == 0 ? 0 : qemuMonitorPost(mon, "nbd-server-stop", NULL);
}

/* ---------- the source: the mirrors ---------- */

static cJSON *
qemuStorageFindJob(const cJSON *jobs, const struct qemuStorageDisk *disk)
{
    cJSON *each;

    cJSON_ArrayForEach(each, jobs) {
        const char *id = virJsonString(each, "id");

        if (id != NULL && strcmp(id, disk->job) == 0)
            return each;
    }
    return NULL;
}

static bool
qemuStorageStatusIs(const cJSON *job, const char *status)
{
    const char *is = virJsonString(job, "status");

    return is != NULL && strcmp(is, status) == 0;
}

/*
 * What QEMU says of its jobs, after at most timeout ms: 1; 0: it has not answered yet. It is asked once, and whoever comes next takes the answer.
 * Progress is noted.
 */
static int
qemuStorageQuery(struct qemuMigration *m, struct qemuMonitor *mon, int timeout, cJSON **jobs)
{
    unsigned long long total = 0, done = 0;
    virTypedParameterPtr params = NULL;
    int n = 0, rc;

    if (m->askingJobs == 0) {
        m->mirrorsLooked = virTimeNowUs();
        atomic_store(&m->mirrorsNews, false);
        m->askingJobs = qemuMonitorSend(mon, "query-jobs", NULL, false);
    }
    rc = m->askingJobs == 0 ? -1 : qemuMonitorReceive(mon, m->askingJobs, timeout < 0 || timeout > QEMU_STORAGE_ANSWER ? QEMU_STORAGE_ANSWER
                                                                                                                       : timeout, jobs);
    if (rc != 0)
        m->askingJobs = 0;            /* a monitor that was opened since knows nothing of the question: it is asked anew */
    if (rc <= 0) {
        virResetLastError();
        return 0;
    }
    for (size_t i = 0; i < m->ndisks; i++) {
        const cJSON *job = qemuStorageFindJob(*jobs, &m->disks[i]);
        unsigned long long current = 0, all = m->disks[i].size;

        if (job != NULL) {
            virJsonULongLong(job, "current-progress", &current);
            virJsonULongLong(job, "total-progress", &all);
        }
        done += current;
        total += all;
    }
    atomic_store(&m->diskDone, done);
    atomic_store(&m->diskTotal, total);
    if (!m->sent) {                   /* QEMU has nothing to say of the memory yet */
        VIRT_CLEANUP_JSON cJSON *none = cJSON_CreateObject();

        if (none != NULL && qemuMigrationStats(m->vm, m, none, &params, &n) == 0)
            qemuMigrationKeepStats(m, params, n);
        virResetLastError();
    }
    return 1;
}

static int
qemuStorageReportJob(const struct qemuStorageDisk *disk, const cJSON *job)
{
    const char *why = job != NULL ? virJsonString(job, "error") : NULL;

    return virReportError(VIR_ERR_OPERATION_FAILED, "disk '%s': copying it failed: %s", disk->target,
                          why != NULL ? why : job != NULL ? "it was ended" : "QEMU knows nothing of it");
}

/* Whether the mirrors of all disks work: 1 all are in step, 0 not yet, -1 one has failed. */
static int
qemuStorageJudge(struct qemuMigration *m, const cJSON *jobs)
{
    bool ready = true;

    for (size_t i = 0; i < m->ndisks; i++) {
        const cJSON *job = qemuStorageFindJob(jobs, &m->disks[i]);

        if (job == NULL || qemuStorageStatusIs(job, "concluded") || qemuStorageStatusIs(job, "aborting") || qemuStorageStatusIs(job, "null"))
            return qemuStorageReportJob(&m->disks[i], job);
        ready = ready && qemuStorageStatusIs(job, "ready");
    }
    return ready;
}

static int
qemuStorageSendMirror(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, struct qemuStorageDisk *disk)
{
    unsigned long long speed = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_BANDWIDTH, 0);
    bool sync = (call->flags & VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES) != 0, top = (call->flags & VIR_MIGRATE_NON_SHARED_INC) != 0;
    cJSON *server = qemuStorageAddress(m->nbd, true);

    if (server == NULL)
        return -1;
    if (qemuMigrationSend(m, mon, "blockdev-add", virJsonObject("s:driver", "nbd", "s:node-name", disk->job, "a:server", server,
                                                                "s:export", disk->target, "s:discard", "unmap", NULL)) < 0)
        return -1;
    disk->mirrored = true;
    return qemuMigrationSend(m, mon, "blockdev-mirror",
                             virJsonObject("s:job-id", disk->job, "s:device", disk->node, "s:target", disk->job, "s:sync", top ? "top" : "full",
                                           "S:copy-mode", sync ? "write-blocking" : NULL, "U:speed", speed << 20,
                                           "b:auto-dismiss", false, NULL));
}

/* Ends and forgets the jobs and nodes of these names, whoever has made them. 1 there are none, 0 not yet. */
static int
qemuStorageClear(struct qemuMigration *m, struct qemuMonitor *mon, unsigned long long end)
{
    bool left = true;

    while (left && qemuMonitorIsOpen(mon)) {
        VIRT_CLEANUP_JSON cJSON *jobs = NULL;

        if (qemuStorageQuery(m, mon, qemuMigrationLeft(end, -1), &jobs) > 0) {
            left = false;
            for (size_t i = 0; i < m->ndisks; i++) {
                const cJSON *job = qemuStorageFindJob(jobs, &m->disks[i]);

                qemuStorageForget(mon, m->disks[i].job, job == NULL || qemuStorageStatusIs(job, "concluded"), job != NULL);
                left = left || job != NULL;
            }
        }
        if (left && qemuMigrationLeft(end, 1) == 0)
            break;
        if (left && m->askingJobs == 0)
            qemuMigrationListen(m, mon, qemuMigrationLeft(end, 20));
    }
    return !left;
}

/* One after the other; those that whoever came before has started are known by their names. */
static int
qemuStorageStart(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, unsigned long long end)
{
    VIRT_CLEANUP_JSON cJSON *jobs = NULL;
    int rc = qemuMigrationCollect(m, mon, qemuMigrationLeft(end, QEMU_STORAGE_LOOK / 1000));

    if (rc < 0)
        return qemuMonitorIsOpen(mon) ? virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the disks cannot be copied: %s", m->name,
                                                       virGetLastErrorMessage()) : 0;
    if (rc == 0)
        return 0;
    if (!m->mirrorsKnown) {
        if (qemuStorageQuery(m, mon, qemuMigrationLeft(end, QEMU_STORAGE_LOOK / 1000), &jobs) <= 0)
            return 0;
        /* whoever came before may have come no further than to the node */
        for (size_t i = 0; i < m->ndisks; i++)
            if (!(m->disks[i].mirrored = qemuStorageFindJob(jobs, &m->disks[i]) != NULL))
                qemuStorageForget(mon, m->disks[i].job, true, false);
        m->mirrorsKnown = true;
    }
    for (size_t i = 0; i < m->ndisks; i++) {
        if (m->disks[i].mirrored)
            continue;
        return qemuStorageSendMirror(m, mon, call, &m->disks[i]);
    }
    return 1;
}

/* Whether they are to be asked for (again): an answer is awaited, QEMU has told something of them, or it is long ago. */
static bool
qemuStorageIsTime(const struct qemuMigration *m)
{
    return m->askingJobs != 0 || atomic_load(&m->mirrorsNews) || virTimeNowUs() - m->mirrorsLooked >= QEMU_STORAGE_LOOK;
}

/* The first call: what a migration before this one may have left goes, and it is on record that there may be mirrors. 1, 0 (not yet), -1. */
static int
qemuStorageCopyBegin(struct qemuMigration *m, struct qemuMonitor *mon, unsigned long long end)
{
    if (m->copying)
        return 1;
    if (qemuStorageClear(m, mon, end) == 0)
        return 0;
    m->copying = m->mirrorsKnown = true;
    if (qemuMigrationSaveRecord(m) == 0)
        return 1;
    m->copying = false;
    return -1;
}

VIRT_INTERNAL int
qemuStorageCopy(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, unsigned long long end)
{
    const int look = QEMU_STORAGE_LOOK / 1000;
    int rc;

    if (m->ndisks == 0 || m->inStep)
        return 1;
    if (m->started == 0)
        m->started = virTimeNowUs();
    for (;;) {
        VIRT_CLEANUP_JSON cJSON *jobs = NULL;

        if (atomic_load(&m->aborted))
            return virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted by its user", m->name);
        if (!qemuMonitorIsOpen(mon) || atomic_load(&m->ended)) {
            m->npending = 0;
            m->mirrorsKnown = false;
            return 0;
        }
        if ((rc = qemuStorageCopyBegin(m, mon, end)) < 0 || (rc > 0 && (rc = qemuStorageStart(m, mon, call, end)) < 0))
            return -1;
        if (rc > 0 && qemuStorageIsTime(m) && qemuStorageQuery(m, mon, qemuMigrationLeft(end, look), &jobs) > 0
            && (rc = qemuStorageJudge(m, jobs)) != 0) {
            m->inStep = rc > 0;
            return rc;
        }
        if (qemuMigrationLeft(end, 1) == 0)
            return 0;
        if (m->copying && m->npending == 0 && m->askingJobs == 0)
            qemuMigrationListen(m, mon, qemuMigrationLeft(end, look));
    }
}

VIRT_INTERNAL int
qemuStorageLook(struct qemuMigration *m, struct qemuMonitor *mon)
{
    VIRT_CLEANUP_JSON cJSON *jobs = NULL;

    /* when the CPUs stand for the switchover the mirrors are ended, by whoever manages the guest then: Switch judges those */
    if (m->ndisks == 0 || atomic_load(&qemuDomainPeek(m->vm)->migrationStatus) != QEMU_MIGRATION_ACTIVE || !qemuStorageIsTime(m)
        || qemuStorageQuery(m, mon, 0, &jobs) <= 0)
        return 0;
    return qemuStorageJudge(m, jobs) < 0 ? -1 : 0;
}

VIRT_INTERNAL int
qemuStorageSwitch(struct qemuMigration *m, struct qemuMonitor *mon, int timeout)
{
    VIRT_CLEANUP_JSON cJSON *jobs = NULL;
    bool ended = true;

    if (m->ndisks == 0)
        return 1;
    if (qemuStorageQuery(m, mon, timeout, &jobs) <= 0)
        return 0;
    for (size_t i = 0; i < m->ndisks; i++) {
        const cJSON *job = qemuStorageFindJob(jobs, &m->disks[i]);

        if (job == NULL || virJsonString(job, "error") != NULL || qemuStorageStatusIs(job, "aborting"))
            return qemuStorageReportJob(&m->disks[i], job);
        ended = ended && qemuStorageStatusIs(job, "concluded");
        /* a mirror that is in step ends well by this, and leaves the disk where it is */
        if (qemuStorageStatusIs(job, "ready")
            && qemuMonitorPost(mon, "block-job-cancel", virJsonObject("s:device", m->disks[i].job, NULL)) < 0)
            return 0;
    }
    m->mirrorsEnding = true;
    return ended;
}

/* Whatever there still is of the mirrors goes. 1 nothing is left, 0 not yet. */
VIRT_INTERNAL int
qemuStorageEnd(struct qemuMigration *m, unsigned long long end)
{
    struct qemuMonitor *mon;
    int rc;

    if (m->ndisks == 0 || !m->copying || m->vm == NULL || atomic_load(&m->ended))
        return 1;
    if ((mon = qemuDomainMonitor(m->vm)) == NULL) {
        virResetLastError();
        return 0;
    }
    for (; m->npending > 0; m->npending--)
        qemuMonitorForget(mon, m->pending[m->npending - 1]);
    rc = qemuStorageClear(m, mon, end);
    qemuMonitorUnref(mon);
    virResetLastError();
    if (rc > 0)
        m->copying = m->inStep = m->mirrorsKnown = m->mirrorsEnding = false;
    return rc;
}

VIRT_INTERNAL void
qemuStorageForget(struct qemuMonitor *mon, const char *job, bool ended, bool known)
{
    if (!ended)
        qemuMonitorPost(mon, "block-job-cancel", virJsonObject("s:device", job, "b:force", true, NULL));
    else if (known)
        qemuMonitorPost(mon, "job-dismiss", virJsonObject("s:id", job, NULL));
    if (ended)
        qemuMonitorPost(mon, "blockdev-del", virJsonObject("s:node-name", job, NULL));
    virResetLastError();
}

VIRT_INTERNAL void
qemuStorageAbandon(struct qemuMigration *m, struct qemuMonitor *mon)
{
    for (size_t i = 0; m->copying && i < m->ndisks; i++) {
        qemuStorageForget(mon, m->disks[i].job, false, true);
        qemuStorageForget(mon, m->disks[i].job, true, true);     /* one that has failed is there until it is told to go */
    }
}

VIRT_INTERNAL void
qemuStorageOnJob(struct virDomainObj *vm, struct qemuMonitor *mon, const cJSON *data)
{
    const char *id = virJsonString(data, "id");
    struct qemuMigration *m;

    if (id == NULL || strncmp(id, QEMU_STORAGE_PREFIX, sizeof(QEMU_STORAGE_PREFIX) - 1) != 0)
        return;
    m = qemuMigrationOf(vm);
    if (m != NULL)
        atomic_store(&m->mirrorsNews, true);
    if ((m == NULL || atomic_load(&m->stage) == QEMU_STAGE_RESUMING) && qemuStorageStatusIs(data, "concluded"))
        qemuStorageForget(mon, id, true, true);          /* of a migration that is over, or about to be: nobody else may ask for it */
    qemuMigrationPut(m);
    qemuMigrationWake(vm);
}

#undef QEMU_STORAGE_COPIED
#undef QEMU_STORAGE_LOOK
#undef QEMU_STORAGE_PREFIX
#undef QEMU_STORAGE_ANSWER
#undef QEMU_STORAGE_MAKE
#undef VIRT_FROM
