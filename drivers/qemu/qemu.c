/*
 * The QEMU driver: its table, its connections and what they share. Everything happens in the
 * calling process; the state directory that a connection opens (state.h) is shared with the other
 * connections to it.
 *
 *   monitor.c     QMP                          process.c    start and end of a QEMU     reconnect.c  finding guests again
 *   state.c       the state directory          events.c     QEMU's events               domain.c     the slots
 *   capabilities.c what an emulator can do     hooks.c      hook scripts                migration.c  live migration
 *   command.c     from the document to the command line, with one file for each kind of device
 */
#include "qemu.h"
#include "command.h"
#include "domstats.h"
#include "lease.h"
#include "migration.h"
#include "process.h"
#include "state.h"

#include "../common/host.h"
#include "../common/uri.h"

#include <errno.h>
#include <stdint.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_SYSTEM_ROOT "/var/lib/virt"

/* ---- what the files share ---- */

VIRT_INTERNAL struct qemuHost *
qemuHostOf(virConnectPtr conn)
{
    return conn->priv;
}

VIRT_INTERNAL struct qemuDomain *
qemuDomainPeek(struct virDomainObj *vm)
{
    return __atomic_load_n((struct qemuDomain **)&vm->priv, __ATOMIC_ACQUIRE);
}

VIRT_INTERNAL struct qemuDomain *
qemuDomainOf(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    if (priv != NULL)
        return priv;
    pthread_mutex_lock(&vm->lock);
    if ((priv = vm->priv) == NULL && (priv = virAllocate(sizeof(*priv))) != NULL) {
        priv->vm = vm;
        priv->host = virDomainObjConfig(vm)->opaque;
        atomic_init(&priv->monitorFd, -1);
        atomic_init(&priv->stopReason, -1);
        atomic_init(&priv->resumeReason, -1);
        pthread_mutex_init(&priv->statusLock, NULL);
        pthread_mutex_init(&priv->lock, NULL);
        pthread_cond_init(&priv->changed, NULL);
        __atomic_store_n((struct qemuDomain **)&vm->priv, priv, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&vm->lock);
    return priv;
}

static void
qemuDomainFreePriv(void *opaque)
{
    struct qemuDomain *priv = opaque;

    pthread_cond_destroy(&priv->changed);
    pthread_mutex_destroy(&priv->lock);
    pthread_mutex_destroy(&priv->statusLock);
    free(priv->helpers);
    free(priv->startup);
    free(priv->crashed);
    free(priv->lastWords);
    free(priv->recoveryUri);
    free(priv->recoverySocket);
    free(priv);
}

VIRT_INTERNAL struct qemuMonitor *
qemuDomainMonitor(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct qemuMonitor *mon = NULL;
    bool lost = false;

    if (priv != NULL) {
        pthread_mutex_lock(&priv->lock);
        if (priv->monitor != NULL && priv->phase != QEMU_PHASE_OFF)
            mon = qemuMonitorRef(priv->monitor);
        lost = mon == NULL && priv->phase == QEMU_PHASE_RUNNING;
        pthread_mutex_unlock(&priv->lock);
    }
    if (lost)
        return qemuReconnectMonitor(vm);
    if (mon == NULL)
        virDomainObjReportInactive(vm);
    return mon;
}

VIRT_INTERNAL int
qemuDomainCommand(struct virDomainObj *vm, const char *command, cJSON *args, cJSON **reply)
{
    struct qemuMonitor *mon = qemuDomainMonitor(vm);
    int rc;

    if (mon == NULL) {
        cJSON_Delete(args);
        return -1;
    }
    rc = qemuMonitorCommand(mon, command, args, reply);
    qemuMonitorUnref(mon);
    return rc;
}

/*
 * With an event loop, the loop does this. Without one, mostly a single look at the socket says that
 * there is nothing to do.
 */
VIRT_INTERNAL void
qemuDomainRefresh(struct virDomainObj *vm, void *opaque)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct qemuMonitor *mon = NULL;

    (void)opaque;
    if (priv != NULL)
        qemuMigrationSweep(priv->host);
    if (priv == NULL || !qemuMonitorHasNews(atomic_load(&priv->monitorFd)))
        return;
    pthread_mutex_lock(&priv->lock);
    if (priv->monitor != NULL)
        mon = qemuMonitorRef(priv->monitor);
    pthread_mutex_unlock(&priv->lock);
    if (mon == NULL)
        return;
    qemuMonitorPump(mon);
    qemuMonitorUnref(mon);
}

/* ---- emulators ---- */

/* What an emulator can do is the same for every host in this process: asked once, shared by all. */
struct qemuEmulator {
    struct qemuEmulator *next;
    struct qemuCapabilities *caps;    /* virSharedAcquire's */
    off_t size;
    struct timespec changed;
};

static bool
qemuEmulatorIs(const struct qemuEmulator *emulator, const char *path, const struct stat *info)
{
    return strcmp(qemuCapabilitiesEmulator(emulator->caps), path) == 0 && emulator->size == info->st_size
           && emulator->changed.tv_sec == info->st_mtim.tv_sec && emulator->changed.tv_nsec == info->st_mtim.tv_nsec;
}

struct qemuEmulatorQuestion { const char *path, *cache; };

static void *
qemuEmulatorAsk(const char *key, void *opaque)
{
    const struct qemuEmulatorQuestion *question = opaque;

    (void)key;
    return (void *)(uintptr_t)qemuCapabilitiesGet(question->path, question->cache);
}

static void
qemuEmulatorForget(void *caps)
{
    qemuCapabilitiesUnref(caps);
}

/* The host's lock is not held while a QEMU is asked. */
VIRT_INTERNAL const struct qemuCapabilities *
qemuHostCapabilities(struct qemuHost *host, const char *path)
{
    struct qemuEmulatorQuestion question = { path, host->cache };
    const struct qemuCapabilities *caps = NULL;
    VIRT_CLEANUP_FREE char *key = NULL;
    struct qemuEmulator *emulator;
    struct stat info;

    if (stat(path, &info) < 0) {
        virReportSystemError(errno, "cannot use the emulator '%s'", path);
        return NULL;
    }
    pthread_mutex_lock(&host->lock);
    for (emulator = host->emulators; emulator != NULL && caps == NULL; emulator = emulator->next)
        if (qemuEmulatorIs(emulator, path, &info))
            caps = qemuCapabilitiesRef(emulator->caps);
    pthread_mutex_unlock(&host->lock);
    if (caps != NULL)
        return caps;
    if ((emulator = virAllocate(sizeof(*emulator))) == NULL
        || (key = virStringFormat("qemu-emulator:%s:%lld:%lld.%09ld", path,
                                  (long long)info.st_size, (long long)info.st_mtim.tv_sec,
                                  info.st_mtim.tv_nsec)) == NULL
        || (emulator->caps = virSharedAcquire(key, qemuEmulatorAsk, &question, qemuEmulatorForget)) == NULL) {
        free(emulator);
        return NULL;
    }
    emulator->size = info.st_size;
    emulator->changed = info.st_mtim;
    caps = qemuCapabilitiesRef(emulator->caps);
    pthread_mutex_lock(&host->lock);
    emulator->next = host->emulators;
    host->emulators = emulator;
    pthread_mutex_unlock(&host->lock);
    return caps;
}

static const struct qemuCapabilities *
qemuHostGetCapabilities(const char *emulator, void *host)
{
    return qemuHostCapabilities(host, emulator);
}

/* ---- documents ---- */

VIRT_INTERNAL const char *const *
qemuDocumentTypes(void)
{
    static const char *const types[] = { "qemu", "kvm", NULL };

    return types;
}

VIRT_INTERNAL char *
qemuDocumentEmulator(xmlDocPtr doc)
{
    const char *emulator = virXmlString(virXmlRoot(doc), "devices/emulator");
    const char *arch = virXmlString(virXmlRoot(doc), "os/type/@arch");

    if (emulator != NULL)
        return virStringCopy(emulator);
    return qemuCapabilitiesFindEmulator(arch != NULL ? arch : virHostGetArch());
}

/* Fills paths with what nobody reads when a command line is made of the document. */
static int
qemuHostListIgnored(xmlDocPtr doc, char ***paths, void *opaque)
{
    struct qemuHost *host = opaque;
    VIRT_CLEANUP_FREE char *emulator = qemuDocumentEmulator(doc);
    struct qemuCommandOptions options = { .paused = true };
    struct qemuCommand command = { .doc = doc, .runDirectory = host->run, .logDirectory = host->log, .dry = true };
    int rc = -1;

    if (emulator == NULL || (command.caps = qemuHostCapabilities(host, emulator)) == NULL)
        return -1;
    if (qemuCommandBuild(&command, &options) == 0) {
        qemuProcessReadDocument(doc);
        rc = virXmlUnread(doc, paths);
    }
    qemuCommandFree(&command);
    qemuCapabilitiesUnref(command.caps);
    return rc;
}

/* VIR_DOMAIN_DEFINE_VALIDATE: what has no effect is an error. */
static int
qemuHostRefuseIgnored(xmlDocPtr doc, struct qemuHost *host)
{
    struct virText text = { 0 };
    VIRT_CLEANUP_FREE char *list = NULL;
    char **paths = NULL;
    int count = qemuHostListIgnored(doc, &paths, host);

    if (count <= 0)
        return count;
    for (int i = 0; i < count; i++) {
        virTextAdd(&text, "%s%s", i > 0 ? ", " : "", paths[i]);
        free(paths[i]);
    }
    free(paths);
    if ((list = virTextTake(&text)) == NULL)
        return -1;
    return virReportError(VIR_ERR_XML_INVALID_SCHEMA, "domain '%s': these parts have no effect: %s",
                          virXmlString(virXmlRoot(doc), "name"), list);
}

/* Known as soon as the machine type is: not only when the guest starts. */
static int
qemuHostCheckVcpus(xmlDocPtr doc, const struct qemuCapabilities *caps)
{
    const char *machine = virXmlString(virXmlRoot(doc), "os/type/@machine");
    unsigned int vcpus = 1, limit = machine != NULL ? qemuCapabilitiesMaxVcpus(caps, machine) : 0;

    if (virXmlUInt(virXmlRoot(doc), "vcpu", &vcpus) < 0)
        return -1;
    if (limit != 0 && vcpus > limit)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "domain '%s': %u vcpus are more than the %u that machine type '%s' can have",
                              virXmlString(virXmlRoot(doc), "name"), vcpus, limit, machine);
    return 0;
}

VIRT_INTERNAL int
qemuHostCompleteDocument(xmlDocPtr doc, bool validate, void *opaque)
{
    struct qemuHost *host = opaque;
    const char *name = virXmlNeed(virXmlRoot(doc), "name");
    VIRT_CLEANUP_FREE char *emulator = NULL;
    const struct qemuCapabilities *caps = NULL;
    int rc;

    if (name == NULL || virGuestNameCheck(name) < 0)
        return -1;
    if (strlen(name) > NAME_MAX - 32)
        return virReportError(VIR_ERR_XML_ERROR, "name %.40s... is too long: a file is named after it", name);
    /*
     * A document is kept also where its emulator is not installed; starting the guest is what fails
     * then.
     */
    if ((emulator = qemuDocumentEmulator(doc)) == NULL || (access(emulator, F_OK) < 0 && errno == ENOENT))
        virResetLastError();
    else if ((caps = qemuHostCapabilities(host, emulator)) == NULL)
        return -1;
    rc = qemuDocumentComplete(doc, caps);
    if (rc == 0 && caps != NULL)
        rc = qemuHostCheckVcpus(doc, caps);
    qemuCapabilitiesUnref(caps);
    if (rc == 0 && validate)
        rc = qemuHostRefuseIgnored(doc, host);
    return rc;
}

/* ---- the host behind the connections ---- */

static int
qemuHostCloseMonitor(struct virDomainObj *vm, void *opaque)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct qemuMonitor *mon = NULL;

    (void)opaque;
    if (priv == NULL)
        return 0;
    pthread_mutex_lock(&priv->lock);
    mon = priv->monitor;
    priv->monitor = NULL;
    pthread_mutex_unlock(&priv->lock);
    atomic_store(&priv->monitorFd, -1);
    if (mon != NULL) {
        qemuMonitorClose(mon);
        qemuMonitorUnref(mon);
    }
    return 0;
}

/* The guests go on; the next who opens the directory finds them. */
static void
qemuHostFree(void *state)
{
    struct qemuHost *host = state;
    struct qemuEmulator *emulator;

    if (host->domains != NULL)
        virDomainListEach(host->domains, qemuHostCloseMonitor, NULL);
    qemuMigrationFreeAll(host);
    virDomainListFree(host->domains);
    virLockClose(host->leases);
    free(host->tlsCertificates);
    if (host->hub != NULL)
        virEventHubFree(host->hub);
    while ((emulator = host->emulators) != NULL) {
        host->emulators = emulator->next;
        virSharedRelease(emulator->caps);
        free(emulator);
    }
    qemuStateClose(host);
}

/* What a URI says of a state directory. */
struct qemuConnectPlace {
    const char *root, *lock, *lockOwner;
    bool lockDisks;
};

static void *
qemuHostNew(const char *key, void *opaque)
{
    const struct qemuConnectPlace *place = opaque;
    struct qemuHost *host = qemuStateOpen(place->root);
    struct virDomainListConfig config = {
        .types = qemuDocumentTypes(),
        .freePriv = qemuDomainFreePriv,
        .saveDefinition = qemuStateSaveDefinition,
        .removeDefinition = qemuStateRemoveDefinition,
        .saveAutostart = qemuStateSaveAutostart,
        .saveLive = qemuStateSaveLive,
        .completeDocument = qemuHostCompleteDocument,
        .listIgnored = qemuHostListIgnored,
        .refresh = qemuDomainRefresh,
        .opaque = host,
    };

    (void)key;
    if (host == NULL)
        return NULL;
    host->migration = &qemuMigrationHooks;
    atomic_init(&host->migrationExpiry, QEMU_MIGRATION_EXPIRY);
    atomic_init(&host->migrationRecords, QEMU_MIGRATION_RECORDS);
    if ((place->lock != NULL
         && (host->leases = virLockOpen(place->lock, place->lockOwner, place->root, place->lockDisks)) == NULL)
        || (config.hub = host->hub = virEventHubNew()) == NULL || (host->domains = virDomainListNew(&config)) == NULL) {
        qemuHostFree(host);
        return NULL;
    }
    qemuStateLoadDefinitions(host);
    qemuProcessReconnectAll(host);
    if (qemuStateIsFirstOfBoot(host))
        qemuDomainAutostart(host);
    virResetLastError();
    return host;
}

/* ---- connections ---- */

/* $XDG_DATA_HOME/virt or ~/.local/share/virt. NULL with the error set. */
static char *
qemuConnectSessionRoot(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (data != NULL && *data == '/')
        return virStringFormat("%s/virt", data);
    if (home == NULL || *home != '/') {
        if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL) {
            virReportError(VIR_ERR_INTERNAL_ERROR, "qemu:///session needs a home directory: HOME is not set, and user %d "
                           "is not known", (int)geteuid());
            return NULL;
        }
        home = found->pw_dir;
    }
    return virStringFormat("%s/.local/share/virt", home);
}

/* The numbers that a URI may set of a host. */
static const struct qemuConnectNumber {
    const char *name;
    int least, most;
    size_t place;                     /* an atomic_int of struct qemuHost */
} qemuConnectNumbers[] = {
    { "migration-expiry", 1, 86400, offsetof(struct qemuHost, migrationExpiry) },
    { "migration-records", 0, 1000000, offsetof(struct qemuHost, migrationRecords) },
};

/* A parameter that sets a number: 0, *number and *value; 1: it is not one of those; -1 with the error set. */
static int
qemuConnectParseNumber(const char *name, const char *text, const struct qemuConnectNumber **number, int *value)
{
    for (size_t i = 0; i < sizeof(qemuConnectNumbers) / sizeof(qemuConnectNumbers[0]); i++) {
        *number = &qemuConnectNumbers[i];
        if (strcmp(name, (*number)->name) != 0)
            continue;
        if (virStringToInt(text, 10, value) < 0 || *value < (*number)->least || *value > (*number)->most)
            return virReportError(VIR_ERR_INVALID_ARG, "%s '%s' is not a number between %d and %d", name, text, (*number)->least,
                                  (*number)->most);
        return 0;
    }
    return 1;
}

/* A parameter of the lock manager: 0; 1: it is not one of those; -1 with the error set. */
static int
qemuConnectCheckLock(const char *name, const char *value)
{
    if (strcmp(name, "lock") == 0 || strcmp(name, "lock-owner") == 0)
        return 0;                     /* the lock manager looks at them */
    if (strcmp(name, "lock-disks") != 0)
        return 1;
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "lock-disks is 'yes' or 'no', not '%s'", value);
    return 0;
}

/* Ignored, a parameter would open something else than what was meant: those of libvirt's remote connections mean nothing here. */
static int
qemuConnectCheckParams(const struct virUri *uri)
{
    const struct qemuConnectNumber *number;
    int value;

    for (size_t i = 0; i < uri->nparams; i++) {
        const char *name = uri->params[i].name;
        int rc = qemuConnectParseNumber(name, uri->params[i].value, &number, &value);

        if (rc < 0)
            return -1;
        if (rc > 0 && strncmp(name, "lock", 4) == 0 && (rc = qemuConnectCheckLock(name, uri->params[i].value)) <= 0) {
            if (rc < 0)
                return -1;
            continue;
        }
        if (rc > 0 && strcmp(name, "root") != 0 && strcmp(name, "tls-certs") != 0 && strcmp(name, "tls-verify") != 0)
            return virReportError(VIR_ERR_INVALID_ARG, "unknown parameter '%s' of a qemu:/// URI: only root, lock, lock-owner, lock-disks, "
                                  "tls-certs, tls-verify, migration-expiry and migration-records are known, as in qemu:///embed?root=DIR", name);
        if (strcmp(uri->path, "/embed") != 0)
            return virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' is for qemu:///embed; qemu://%s has a directory of its own",
                                  name, uri->path);
    }
    return 0;
}

/* The state directory that a URI means, NULL with the error set. */
static char *
qemuConnectRoot(const struct virUri *uri)
{
    const char *root = virUriParam(uri, "root");

    if (strcmp(uri->path, "/system") == 0)
        return virStringCopy(QEMU_SYSTEM_ROOT);
    if (strcmp(uri->path, "/session") == 0)
        return qemuConnectSessionRoot();
    if (strcmp(uri->path, "/embed") != 0) {
        virReportError(VIR_ERR_INTERNAL_ERROR, "unexpected QEMU URI path '%s', try qemu:///system, qemu:///session or "
                       "qemu:///embed?root=DIR", uri->path);
        return NULL;
    }
    if (root == NULL || *root != '/') {
        virReportError(VIR_ERR_INVALID_ARG, "qemu:///embed needs an absolute path of its state directory: "
                       "qemu:///embed?root=DIR");
        return NULL;
    }
    return virStringCopy(root);
}

/* The directory is open already: by what was said then. */
static int
qemuConnectCompareLock(const struct virLock *lock, const struct qemuConnectPlace *place)
{
    if (lock != NULL && strcmp(lock->place, place->lock) == 0 && lock->disks == place->lockDisks
        && (place->lockOwner == NULL || strcmp(lock->owner, place->lockOwner) == 0))
        return 0;
    return virReportError(VIR_ERR_INVALID_ARG, "'%s' is open in this process, with %s%s: not with '%s'", place->root,
                          lock != NULL ? "lock manager " : "no lock manager", lock != NULL ? lock->place : "", place->lock);
}

static int
qemuConnectOpen(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    VIRT_CLEANUP_FREE char *root = NULL, *real = NULL, *key = NULL;
    const char *disks = virUriParam(uri, "lock-disks");
    struct qemuConnectPlace place = { .lock = virUriParam(uri, "lock"), .lockOwner = virUriParam(uri, "lock-owner"),
                                      .lockDisks = disks == NULL || strcmp(disks, "yes") == 0 };
    const struct qemuConnectNumber *number;
    int value;

    (void)auth;
    (void)flags;
    if (uri->server != NULL || uri->transport != NULL)
        return 0;
    if ((root = qemuConnectRoot(uri)) == NULL || qemuConnectCheckParams(uri) < 0
        || qemuTlsConfigure(NULL, virUriParam(uri, "tls-certs"), virUriParam(uri, "tls-verify")) < 0
        || virFileMakePath(root, 0700) < 0)
        return -1;
    /* One directory has one owner, by whatever path it is named. */
    if ((real = realpath(root, NULL)) == NULL)
        return virReportSystemError(errno, "cannot open state directory '%s'", root);
    place.root = real;
    if ((key = virStringFormat("qemu:%s", real)) == NULL
        || (conn->priv = virSharedAcquire(key, qemuHostNew, &place, qemuHostFree)) == NULL)
        return -1;
    if (qemuTlsConfigure(qemuHostOf(conn), virUriParam(uri, "tls-certs"), virUriParam(uri, "tls-verify")) < 0
        || (place.lock != NULL && qemuConnectCompareLock(qemuHostOf(conn)->leases, &place) < 0)) {
        virSharedRelease(conn->priv);
        conn->priv = NULL;
        return -1;
    }
    conn->hub = qemuHostOf(conn)->hub;
    for (size_t i = 0; i < uri->nparams; i++)
        if (qemuConnectParseNumber(uri->params[i].name, uri->params[i].value, &number, &value) == 0)
            atomic_store((atomic_int *)(void *)((char *)conn->priv + number->place), value);
    return 1;
}

static int
qemuConnectAutodestroy(struct virDomainObj *vm, void *conn)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    bool ours = false;

    if (priv != NULL) {
        pthread_mutex_lock(&priv->lock);
        ours = priv->autodestroy == conn && priv->phase != QEMU_PHASE_OFF;
        pthread_mutex_unlock(&priv->lock);
    }
    if (ours)
        qemuProcessStop(vm, VIR_DOMAIN_SHUTOFF_DESTROYED, 0);
    return 0;
}

static void
qemuConnectClose(virConnectPtr conn)
{
    virDomainListEach(qemuHostOf(conn)->domains, qemuConnectAutodestroy, conn);
    virSharedRelease(conn->priv);
    conn->priv = NULL;
}

/*
 * The URI for an application that names none, where there is a QEMU for this host's architecture.
 */
static char *
qemuConnectProbe(void)
{
    VIRT_CLEANUP_FREE char *emulator = qemuCapabilitiesFindEmulator(virHostGetArch());

    if (emulator == NULL) {
        virResetLastError();
        return NULL;
    }
    return virStringCopy(geteuid() == 0 ? "qemu:///system" : "qemu:///session");
}

static int
qemuConnectIsAlive(virConnectPtr conn)
{
    (void)conn;
    return 1;
}

/* Nothing leaves this process: there is nothing to encrypt, and that is secure. */
static int
qemuConnectIsEncrypted(virConnectPtr conn)
{
    (void)conn;
    return 0;
}

static int
qemuConnectIsSecure(virConnectPtr conn)
{
    (void)conn;
    return 1;
}

/* The capabilities of the host's own emulator; NULL with the error set. */
static const struct qemuCapabilities *
qemuConnectNative(virConnectPtr conn)
{
    VIRT_CLEANUP_FREE char *emulator = qemuCapabilitiesFindEmulator(virHostGetArch());

    return emulator == NULL ? NULL : qemuHostCapabilities(qemuHostOf(conn), emulator);
}

static int
qemuConnectGetVersion(virConnectPtr conn, unsigned long *version)
{
    const struct qemuCapabilities *caps = qemuConnectNative(conn);

    if (caps == NULL)
        return -1;
    *version = qemuCapabilitiesVersion(caps);
    qemuCapabilitiesUnref(caps);
    return 0;
}

static char *
qemuConnectGetHostname(virConnectPtr conn)
{
    (void)conn;
    return virHostGetHostname();
}

static char *
qemuConnectGetCapabilities(virConnectPtr conn)
{
    return qemuCapabilitiesFormat(qemuHostGetCapabilities, conn->priv);
}

/* Of the machine that a document gets when it names none. */
static int
qemuConnectGetMaxVcpus(virConnectPtr conn, const char *type)
{
    const struct qemuCapabilities *caps;
    int max;

    if (type != NULL && strcmp(type, "qemu") != 0 && strcmp(type, "kvm") != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "unknown type '%s'", type);
    if ((caps = qemuConnectNative(conn)) == NULL)
        return -1;
    max = (int)qemuCapabilitiesMaxVcpus(caps, NULL);
    qemuCapabilitiesUnref(caps);
    return max > 0 ? max : 1;
}

static char *
qemuConnectGetSysinfo(virConnectPtr conn, unsigned int flags)
{
    (void)conn;
    virCheckFlags(0, NULL);
    return virHostGetSysinfo();
}

/* ---- the host ---- */

static int
qemuNodeGetInfo(virConnectPtr conn, virNodeInfoPtr info)
{
    (void)conn;
    return virHostGetInfo(info);
}

static unsigned long long
qemuNodeGetFreeMemory(virConnectPtr conn)
{
    (void)conn;
    return virHostGetFreeMemory();
}

static int
qemuNodeGetCellsFreeMemory(virConnectPtr conn, unsigned long long *freeMems, int startCell, int maxCells)
{
    (void)conn;
    return virHostGetCellsFreeMemory(freeMems, startCell, maxCells);
}

static int
qemuNodeGetCPUMap(virConnectPtr conn, unsigned char **cpumap, unsigned int *online, unsigned int flags)
{
    (void)conn;
    virCheckFlags(0, -1);
    return virHostGetCPUMap(cpumap, online);
}

static int
qemuNodeGetCPUStats(virConnectPtr conn, int cpu, virNodeCPUStatsPtr params, int *room, unsigned int flags)
{
    (void)conn;
    virCheckFlags(0, -1);
    return virHostGetCPUStats(cpu, params, room);
}

static int
qemuNodeGetMemoryStats(virConnectPtr conn, int cell, virNodeMemoryStatsPtr params, int *room, unsigned int flags)
{
    (void)conn;
    virCheckFlags(0, -1);
    return virHostGetMemoryStats(cell, params, room);
}

/* Guests are labelled by nobody. */
static int
qemuNodeGetSecurityModel(virConnectPtr conn, virSecurityModelPtr model)
{
    (void)conn;
    memset(model, 0, sizeof(*model));
    return 0;
}

/* ---- the table ---- */

VIRT_INTERNAL const struct virDriver virQemuDriver = {
    .version = VIRT_DRIVER_VERSION,
    .name    = "QEMU",
    .schemes = (const char *const[]){ "qemu", NULL },
    .probe   = qemuConnectProbe,
    .open    = qemuConnectOpen,
    .close   = qemuConnectClose,
    .connect = {
        .isAlive         = qemuConnectIsAlive,
        .isEncrypted     = qemuConnectIsEncrypted,
        .isSecure        = qemuConnectIsSecure,
        .getVersion      = qemuConnectGetVersion,
        .getHostname     = qemuConnectGetHostname,
        .getCapabilities = qemuConnectGetCapabilities,
        .getMaxVcpus     = qemuConnectGetMaxVcpus,
        .getSysinfo      = qemuConnectGetSysinfo,
        .getDomainCapabilities = qemuConnectGetDomainCapabilities,
        .getCPUModelNames = qemuConnectGetCPUModelNames,
    },
    .node = {
        .getInfo            = qemuNodeGetInfo,
        .getFreeMemory      = qemuNodeGetFreeMemory,
        .getCellsFreeMemory = qemuNodeGetCellsFreeMemory,
        .getCPUMap          = qemuNodeGetCPUMap,
        .getCPUStats        = qemuNodeGetCPUStats,
        .getMemoryStats     = qemuNodeGetMemoryStats,
        .getSecurityModel   = qemuNodeGetSecurityModel,
    },
    .domain = {
        .numOfDomains        = virDomainObjSlotNumOfDomains,
        .listDomains         = virDomainObjSlotListDomains,
        .numOfDefinedDomains = virDomainObjSlotNumOfDefinedDomains,
        .listDefinedDomains  = virDomainObjSlotListDefinedDomains,
        .listAll             = virDomainObjSlotListAll,
        .lookupByID          = virDomainObjSlotLookupByID,
        .lookupByUUID        = virDomainObjSlotLookupByUUID,
        .lookupByName        = virDomainObjSlotLookupByName,
        .defineXML           = virDomainObjSlotDefineXML,
        .undefine            = qemuDomainUndefine,
        .createXML           = qemuDomainCreateXML,
        .create              = qemuDomainCreate,
        .suspend             = qemuDomainSuspend,
        .resume              = qemuDomainResume,
        .shutdown            = qemuDomainShutdown,
        .reboot              = qemuDomainReboot,
        .reset               = qemuDomainReset,
        .destroy             = qemuDomainDestroy,
        .getOSType           = virDomainObjSlotGetOSType,
        .isActive            = virDomainObjSlotIsActive,
        .isPersistent        = virDomainObjSlotIsPersistent,
        .isUpdated           = virDomainObjSlotIsUpdated,
        .getState            = virDomainObjSlotGetState,
        .getInfo             = qemuDomainGetInfo,
        .getControlInfo      = qemuDomainGetControlInfo,
        .getXMLDesc          = virDomainObjSlotGetXMLDesc,
        .listIgnoredXML      = virDomainObjSlotListIgnoredXML,
        .getAutostart        = virDomainObjSlotGetAutostart,
        .setAutostart        = virDomainObjSlotSetAutostart,
        .getMaxMemory        = virDomainObjSlotGetMaxMemory,
        .setMemory           = qemuDomainSetMemory,
        .setMemoryStatsPeriod = qemuDomainSetMemoryStatsPeriod,
        .getMaxVcpus         = virDomainObjSlotGetMaxVcpus,
        .getVcpusFlags       = qemuDomainGetVcpusFlags,
        .getVcpus            = qemuDomainGetVcpus,
        .getVcpuPinInfo      = virDomainObjSlotGetVcpuPinInfo,
        .getEmulatorPinInfo  = virDomainObjSlotGetEmulatorPinInfo,
        .getMetadata         = virDomainObjSlotGetMetadata,
        .setMetadata         = virDomainObjSlotSetMetadata,
        .rename              = virDomainObjSlotRename,
        .blockStats          = qemuDomainBlockStats,
        .blockStatsFlags     = qemuDomainBlockStatsFlags,
        .interfaceStats      = qemuDomainInterfaceStats,
        .memoryStats         = qemuDomainMemoryStats,
        .getBlockInfo        = qemuDomainGetBlockInfo,
        .getDiskErrors       = qemuDomainGetDiskErrors,
        .getCPUStats         = qemuDomainGetCPUStats,
        .getSchedulerType    = qemuDomainGetSchedulerType,
        .getAllStats         = virStatsOfAll,
        .listGetStats        = qemuDomainListGetStats,
        .sendKey             = qemuDomainSendKey,
        .injectNMI           = qemuDomainInjectNMI,
        .monitorCommand      = qemuDomainMonitorCommand,
        .openConsole         = qemuDomainOpenConsole,
        .openChannel         = qemuDomainOpenChannel,
        .screenshot          = qemuDomainScreenshot,
        .getJobInfo          = qemuDomainGetJobInfo,
        .getJobStats         = qemuDomainGetJobStats,
        .abortJob            = qemuMigrationAbortJob,
    },
    .migration = {
        .begin               = qemuMigrationBegin,
        .prepare             = qemuMigrationPrepare,
        .perform             = qemuMigrationPerform,
        .finish              = qemuMigrationFinish,
        .confirm             = qemuMigrationConfirm,
        .wait                = qemuMigrationWait,
        .stats               = qemuMigrationProgress,
        .drop                = qemuMigrationDrop,
        .halt                = qemuMigrationHalt,
        .decide              = qemuMigrationDecide,
        .list                = qemuMigrationList,
        .check               = qemuMigrationCheck,
        .checkIncoming       = qemuMigrationCheckIncoming,
        .startPostCopy       = qemuMigrationStartPostCopy,
        .setMaxDowntime      = qemuMigrationSetMaxDowntime,
        .getMaxDowntime      = qemuMigrationGetMaxDowntime,
        .setMaxSpeed         = qemuMigrationSetMaxSpeed,
        .getMaxSpeed         = qemuMigrationGetMaxSpeed,
        .getCompressionCache = qemuMigrationGetCompressionCache,
        .setCompressionCache = qemuMigrationSetCompressionCache,
    },
};

#undef QEMU_SYSTEM_ROOT
#undef VIRT_FROM
