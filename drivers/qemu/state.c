/*
 * The state directory. state.h says what lies where; everything here can be called at any time, by
 * any thread.
 */
#include "state.h"

#include "../common/document.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_STATE_MAX_FILE (32u * 1024 * 1024)

VIRT_INTERNAL char *
qemuStatePath(const char *directory, const char *name, const char *suffix)
{
    return virStringFormat("%s/%s%s", directory, name, suffix);
}

VIRT_INTERNAL char *
qemuStateDeviceDirectory(struct qemuHost *host, const char *name)
{
    return qemuStatePath(host->run, name, ".d");
}

VIRT_INTERNAL char *
qemuStateMonitorPath(struct qemuHost *host, const char *name, const unsigned char *uuid)
{
    char text[VIR_UUID_STRING_BUFLEN];

    if (strlen(name) <= 64)
        return qemuStatePath(host->run, name, ".monitor");
    virUuidFormat(uuid, text);
    return qemuStatePath(host->run, text, ".monitor");
}

/* ---- opening and closing ---- */

/* Who has the directory, for the error message. */
static void
qemuStateReportOwner(const char *root, pid_t owner)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("/proc/%d/comm", (int)owner);
    VIRT_CLEANUP_FREE char *name = path != NULL && owner > 0 ? virFileRead(path, 64, NULL) : NULL;

    if (name != NULL)
        name[strcspn(name, "\n")] = '\0';
    if (owner > 0)
        virReportError(VIR_ERR_RESOURCE_BUSY, "state directory '%s' belongs to process %d (%s), and one process at a time "
                       "can own it: let that one do it, end it, or open a directory of your own "
                       "(qemu:///embed?root=DIR)", root, (int)owner, name != NULL ? name : "which has just ended");
    else
        virReportError(VIR_ERR_RESOURCE_BUSY, "state directory '%s' belongs to another process, and one process at a time "
                       "can own it", root);
}

static int
qemuStateMakeFolders(struct qemuHost *host, const char *root)
{
    VIRT_CLEANUP_FREE char *autostart = NULL;
    const struct { char **path; const char *name; } folders[] = {
        { &host->definitions, "qemu" }, { &host->run, "run" }, { &host->log, "log" }, { &host->cache, "cache" },
        { &host->hooks, "hooks" },      { &host->nvram, "nvram" }, { &host->migrations, "migrations" }, { &autostart, "qemu/autostart" },
    };

    if ((host->root = virStringCopy(root)) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if ((*folders[i].path = virStringFormat("%s/%s", root, folders[i].name)) == NULL)
            return -1;
        if (mkdir(*folders[i].path, 0700) < 0 && errno != EEXIST)
            return virReportSystemError(errno, "cannot create directory '%s'", *folders[i].path);
    }
    return 0;
}

/* What a process that was killed in virFileWrite has left: "PATH.XXXXXX.new". Nobody else writes here while we own the directory. */
static int
qemuStateVisitTemporary(const char *file, void *directory)
{
    size_t length = strlen(file);
    VIRT_CLEANUP_FREE char *path = NULL;

    if (length > 11 && file[length - 11] == '.' && strcmp(file + length - 4, ".new") == 0
        && ((path = virStringFormat("%s/%s", (const char *)directory, file)) == NULL || unlink(path) < 0))
        virLog(VIR_LOG_WARN, "qemu.state", "cannot remove '%s'", file);
    return 0;
}

static void
qemuStateRemoveTemporaries(struct qemuHost *host)
{
    char *const folders[] = { host->definitions, host->run, host->cache, host->migrations };

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (virFileEach(folders[i], qemuStateVisitTemporary, folders[i]) < 0)
            virResetLastError();
    }
}

static void
qemuStateReadBootId(struct qemuHost *host)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, host->bootId, sizeof(host->bootId) - 1);

    if (fd >= 0)
        close(fd);
    host->bootId[length < 0 ? 0 : length] = '\0';
    host->bootId[strcspn(host->bootId, "\n")] = '\0';
}

VIRT_INTERNAL struct qemuHost *
qemuStateOpen(const char *root)
{
    VIRT_CLEANUP_FREE char *lock = virStringFormat("%s/lock", root);
    struct qemuHost *host = virAllocate(sizeof(*host));
    pid_t owner = 0;

    if (host == NULL)
        return NULL;
    pthread_mutex_init(&host->lock, NULL);
    host->lockFd = -1;
    if (lock == NULL || virFileMakePath(root, 0700) < 0)
        goto error;
    if ((host->lockFd = virFileLock(lock, &owner)) < 0) {
        if (owner != 0)
            qemuStateReportOwner(root, owner);
        goto error;
    }
    if (qemuStateMakeFolders(host, root) < 0)
        goto error;
    qemuStateRemoveTemporaries(host);
    qemuStateReadBootId(host);
    return host;

 error:
    qemuStateClose(host);
    return NULL;
}

VIRT_INTERNAL void
qemuStateClose(struct qemuHost *host)
{
    if (host->lockFd >= 0)
        close(host->lockFd);
    free(host->root);
    free(host->definitions);
    free(host->run);
    free(host->log);
    free(host->cache);
    free(host->hooks);
    free(host->nvram);
    free(host->migrations);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

VIRT_INTERNAL bool
qemuStateIsFirstOfBoot(struct qemuHost *host)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/boot", host->run);
    VIRT_CLEANUP_FREE char *before = NULL;

    if (path == NULL)
        return false;
    if (access(path, F_OK) == 0)
        before = virFileRead(path, 256, NULL);
    if (before != NULL && strcmp(before, host->bootId) == 0)
        return false;
    if (virFileWriteVolatile(path, host->bootId, strlen(host->bootId), 0600) < 0) {
        virLog(VIR_LOG_WARN, "qemu.state", "%s", virGetLastErrorMessage());
        return false;
    }
    return true;
}

/* ---- persistent documents ---- */

VIRT_INTERNAL int
qemuStateSaveDefinition(struct virDomainObj *vm, const char *name, const char *xml, void *opaque)
{
    struct qemuHost *host = opaque;
    VIRT_CLEANUP_FREE char *path = qemuStatePath(host->definitions, name, ".xml");

    (void)vm;
    return path == NULL ? -1 : virFileWrite(path, xml, strlen(xml), 0600);
}

static char *
qemuStateAutostartPath(struct qemuHost *host, const char *name)
{
    return virStringFormat("%s/autostart/%s.xml", host->definitions, name);
}

VIRT_INTERNAL int
qemuStateRemoveDefinition(struct virDomainObj *vm, const char *name, void *opaque)
{
    struct qemuHost *host = opaque;
    VIRT_CLEANUP_FREE char *path = qemuStatePath(host->definitions, name, ".xml");
    VIRT_CLEANUP_FREE char *mark = qemuStateAutostartPath(host, name);

    (void)vm;
    if (path == NULL || mark == NULL)
        return -1;
    /*
     * The mark first: without its document it would only be a dangling link, but it must not wait
     * for a later domain of the name.
     */
    if (unlink(mark) < 0 && errno != ENOENT)
        return virReportSystemError(errno, "cannot remove '%s'", mark);
    return virFileRemove(path);
}

VIRT_INTERNAL int
qemuStateSaveAutostart(struct virDomainObj *vm, bool autostart, void *opaque)
{
    struct qemuHost *host = opaque;
    VIRT_CLEANUP_FREE char *target = qemuStatePath("..", vm->name, ".xml");
    VIRT_CLEANUP_FREE char *mark = qemuStateAutostartPath(host, vm->name);
    VIRT_CLEANUP_FREE char *folder = virStringFormat("%s/autostart", host->definitions);
    VIRT_CLEANUP_CLOSE int fd = -1;

    if (target == NULL || mark == NULL || folder == NULL)
        return -1;
    if (!autostart)
        return virFileRemove(mark);
    if (symlink(target, mark) < 0 && errno != EEXIST)
        return virReportSystemError(errno, "cannot create '%s'", mark);
    if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fsync(fd) < 0)
        return virReportSystemError(errno, "cannot make '%s' durable", mark);
    return 0;
}

/* The stem of a file name with this suffix, malloc'd; NULL if it has another. */
static char *
qemuStateStem(const char *file, const char *suffix)
{
    size_t length = strlen(file), end = strlen(suffix);

    if (length <= end || strcmp(file + length - end, suffix) != 0)
        return NULL;
    return strndup(file, length - end);
}

/* Puts a stored document into the list. 0, or -1 with the error set. */
static int
qemuStateLoadDefinition(struct qemuHost *host, const char *name)
{
    VIRT_CLEANUP_FREE char *path = qemuStatePath(host->definitions, name, ".xml");
    VIRT_CLEANUP_FREE char *mark = qemuStateAutostartPath(host, name);
    VIRT_CLEANUP_FREE char *text = NULL;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDocumentHot hot;
    struct virDomainObj *vm;
    struct stat info;
    bool isNew;

    if (path == NULL || mark == NULL || (text = virFileRead(path, QEMU_STATE_MAX_FILE, NULL)) == NULL
        || (doc = virXmlParse(text, "domain")) == NULL || virDocumentHot(doc, &hot) < 0)
        return -1;
    if (strcmp(hot.name, name) != 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "it is the document of domain '%s'", hot.name);
    if ((vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_DEFINE, "open", &isNew)) == NULL)
        return -1;
    pthread_mutex_lock(&vm->lock);
    free(vm->definition);
    vm->definition = text;
    text = NULL;
    vm->defined = (struct virDomainSizes){ hot.maxMemory, hot.memory, hot.maxVcpus, hot.vcpus };
    vm->hasSecrets |= virDocumentHasSecrets(doc);
    pthread_mutex_unlock(&vm->lock);
    vm->persistent = true;
    vm->autostart = lstat(mark, &info) == 0;
    virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    return 0;
}

static int
qemuStateVisitDefinition(const char *file, void *opaque)
{
    struct qemuHost *host = opaque;
    VIRT_CLEANUP_FREE char *name = qemuStateStem(file, ".xml");

    if (name != NULL && qemuStateLoadDefinition(host, name) < 0) {
        virLog(VIR_LOG_ERROR, "qemu.state", "'%s/%s' is left alone: %s", host->definitions, file,
               virGetLastErrorMessage());
        virResetLastError();
    }
    return 0;
}

VIRT_INTERNAL void
qemuStateLoadDefinitions(struct qemuHost *host)
{
    if (virFileEach(host->definitions, qemuStateVisitDefinition, host) < 0) {
        virLog(VIR_LOG_ERROR, "qemu.state", "%s", virGetLastErrorMessage());
        virResetLastError();
    }
}

/* ---- the status of running guests ---- */

/*
 * The whole text of a status. xml: the live document. The locks of object and private part are
 * held.
 */
static char *
qemuStatusFormat(const struct virDomainObj *vm, const struct qemuDomain *priv, const char *xml)
{
    struct virText text = { 0 };

    virTextAdd(&text,
               "<domstatus id='%d' state='%d' reason='%d' pid='%d' start='%llu' boot='%s'%s%s>\n", (int)vm->id,
               (int)vm->state, (int)vm->reason, (int)priv->process.pid, priv->process.startTime, priv->host->bootId,
               priv->phase == QEMU_PHASE_STARTING ? " starting='yes'" : "", priv->incoming ? " incoming='yes'" : "");
    if (priv->leaseEpoch != 0)
        virTextAdd(&text, "<lease epoch='%llu'/>\n", priv->leaseEpoch);
    for (size_t i = 0; i < priv->nhelpers; i++)
        virTextAdd(&text, "<helper pid='%d' start='%llu'/>\n", (int)priv->helpers[i].pid,
                   priv->helpers[i].startTime);
    virTextAdd(&text, "%s</domstatus>\n", xml);
    return virTextTake(&text);
}

static int
qemuStatusWrite(struct virDomainObj *vm, const char *xml, bool durable)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    VIRT_CLEANUP_FREE char *path = NULL, *text = NULL;
    int rc = 0;

    if (priv == NULL)
        return 0;
    pthread_mutex_lock(&priv->statusLock);
    pthread_mutex_lock(&vm->lock);
    pthread_mutex_lock(&priv->lock);
    if ((priv->phase == QEMU_PHASE_STARTING || priv->phase == QEMU_PHASE_RUNNING) && (xml != NULL || vm->live != NULL)) {
        if ((path = qemuStatePath(priv->host->run, vm->name, ".xml")) == NULL
            || (text = qemuStatusFormat(vm, priv, xml != NULL ? xml : vm->live)) == NULL)
            rc = -1;
    }
    pthread_mutex_unlock(&priv->lock);
    pthread_mutex_unlock(&vm->lock);
    if (text != NULL)
        rc = durable ? virFileWrite(path, text, strlen(text), 0600)
                     : virFileWriteVolatile(path, text, strlen(text), 0600);
    pthread_mutex_unlock(&priv->statusLock);
    return rc;
}

VIRT_INTERNAL int
qemuStateSaveStatus(struct virDomainObj *vm, bool durable)
{
    return qemuStatusWrite(vm, NULL, durable);
}

VIRT_INTERNAL int
qemuStateSaveLive(struct virDomainObj *vm, const char *xml, void *opaque)
{
    (void)opaque;
    return qemuStatusWrite(vm, xml, false);
}

VIRT_INTERNAL void
qemuStatusFree(struct qemuStatus *status)
{
    free(status->name);
    free(status->helpers);
    virXmlFree(status->doc);
    memset(status, 0, sizeof(*status));
}

static int
qemuStatusReadProcess(xmlNodePtr node, struct virProcess *process)
{
    int pid = 0;

    if (virXmlInt(node, "@pid", &pid) < 0 || virXmlULongLong(node, "@start", &process->startTime) < 0)
        return -1;
    process->pid = pid;
    return 0;
}

static int
qemuStatusReadHelpers(xmlNodePtr root, struct qemuStatus *status)
{
    size_t count = virXmlCount(root, "helper");

    if (count == 0)
        return 0;
    if ((status->helpers = virAllocate(count * sizeof(*status->helpers))) == NULL)
        return -1;
    VIRT_XML_EACH(helper, root, "helper") {
        if (qemuStatusReadProcess(helper, &status->helpers[status->nhelpers]) < 0)
            return -1;
        status->nhelpers++;
    }
    return 0;
}

/* The <domain> of a status as a document of its own. */
static xmlDocPtr
qemuStatusDocument(xmlNodePtr root)
{
    xmlNodePtr domain = virXmlFirst(root, "domain"), copy;
    xmlDocPtr doc;

    if (domain == NULL) {
        virReportError(VIR_ERR_INTERNAL_ERROR, "there is no <domain> in it");
        return NULL;
    }
    if ((doc = xmlNewDoc(BAD_CAST "1.0")) == NULL || (copy = xmlDocCopyNode(domain, doc, 1)) == NULL) {
        virXmlFree(doc);
        virReportNoMemory();
        return NULL;
    }
    xmlDocSetRootElement(doc, copy);
    return doc;
}

VIRT_INTERNAL int
qemuStateLoadStatus(struct qemuHost *host, const char *name, struct qemuStatus *status)
{
    VIRT_CLEANUP_FREE char *path = qemuStatePath(host->run, name, ".xml");
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    xmlNodePtr root;

    memset(status, 0, sizeof(*status));
    status->id = -1;
    if (path == NULL || (doc = virXmlParseFile(path, "domstatus")) == NULL)
        return -1;
    root = virXmlRoot(doc);
    if ((status->name = virStringCopy(name)) == NULL || virXmlInt(root, "@id", &status->id) < 0
        || virXmlInt(root, "@state", &status->state) < 0 || virXmlInt(root, "@reason", &status->reason) < 0
        || qemuStatusReadProcess(root, &status->process) < 0 || qemuStatusReadHelpers(root, status) < 0
        || (status->doc = qemuStatusDocument(root)) == NULL)
        goto error;
    status->starting = virXmlEquals(root, "@starting", "yes");
    status->incoming = virXmlEquals(root, "@incoming", "yes");
    status->sameBoot = virXmlEquals(root, "@boot", host->bootId);
    if (virXmlFind(root, "lease") != NULL && virXmlULongLong(root, "lease/@epoch", &status->leaseEpoch) < 0)
        goto error;
    return 0;

 error:
    qemuStatusFree(status);
    return -1;
}

/*
 * Removes what QEMU and its helpers have left in the folder of the devices' sockets; never follows
 * links, goes one level deep.
 */
static void
qemuStateRemoveFolder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0
            && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
    rmdir(path);
}

VIRT_INTERNAL void
qemuStateForget(struct qemuHost *host, const char *name, const unsigned char *uuid)
{
    VIRT_CLEANUP_FREE char *status = qemuStatePath(host->run, name, ".xml");
    VIRT_CLEANUP_FREE char *monitor = qemuStateMonitorPath(host, name, uuid);
    VIRT_CLEANUP_FREE char *pidFile = qemuStatePath(host->run, name, ".pid");
    VIRT_CLEANUP_FREE char *folder = qemuStateDeviceDirectory(host, name);

    /*
     * The status last: as long as it is there, whoever comes after a crash goes through all of it
     * again.
     */
    if (monitor != NULL)
        unlink(monitor);
    if (pidFile != NULL)
        unlink(pidFile);
    if (folder != NULL)
        qemuStateRemoveFolder(folder);
    if (status != NULL)
        unlink(status);
}

struct qemuStateStems {
    const char *suffix;
    int (*visit)(const char *name, void *opaque);
    void *opaque;
};

static int
qemuStateVisitRun(const char *file, void *opaque)
{
    struct qemuStateStems *stems = opaque;
    VIRT_CLEANUP_FREE char *name = qemuStateStem(file, stems->suffix);

    return name == NULL ? 0 : stems->visit(name, stems->opaque);
}

VIRT_INTERNAL int
qemuStateEachStatus(struct qemuHost *host, const char *suffix, int (*visit)(const char *name,
                                                                            void *opaque), void *opaque)
{
    struct qemuStateStems stems = { suffix, visit, opaque };

    return virFileEach(host->run, qemuStateVisitRun, &stems);
}

#undef QEMU_STATE_MAX_FILE
#undef VIRT_FROM
