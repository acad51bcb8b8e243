/*
 * What QEMU is told of how to migrate: capabilities and parameters, from the flags and parameters of the call, and the settings that
 * a guest keeps until it ends.
 */
#include "migration.h"
#include "process.h"

#include "../common/document.h"
#include "../common/json.h"
#include "../common/problems.h"

#include <stdint.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_DOWNTIME   300                      /* ms; QEMU's own default */
#define QEMU_MIGRATE_MIB_MAX    ((1ULL << 43) - 1)       /* MiB/s; what fits in bytes */

/* ---------- compression ---------- */

/* The methods, and what each is to QEMU: a capability, or a value of multifd-compression. */
enum { QEMU_METHOD_XBZRLE = 1, QEMU_METHOD_MT = 2, QEMU_METHOD_ZLIB = 4, QEMU_METHOD_ZSTD = 8 };

static const struct qemuMigrationMethod {
    const char *name;
    unsigned int bit;
    bool parallel;                    /* with VIR_MIGRATE_PARALLEL, and only with it */
} qemuMigrationMethods[] = {
    { "xbzrle", QEMU_METHOD_XBZRLE, false },
    { "mt", QEMU_METHOD_MT, false },
    { "zlib", QEMU_METHOD_ZLIB, true },
    { "zstd", QEMU_METHOD_ZSTD, true },
};

/* One that was asked for: 0, or -1 with the error set. */
static int
qemuMigrationAddMethod(const char *name, unsigned int flags, unsigned int *bits)
{
    const struct qemuMigrationMethod *method = NULL;
    bool parallel = (flags & VIR_MIGRATE_PARALLEL) != 0;

    for (size_t i = 0; i < sizeof(qemuMigrationMethods) / sizeof(qemuMigrationMethods[0]); i++)
        if (strcmp(name, qemuMigrationMethods[i].name) == 0)
            method = &qemuMigrationMethods[i];
    if (method == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "%s '%s' is not known: xbzrle, mt, zlib or zstd", VIR_MIGRATE_PARAM_COMPRESSION, name);
    if ((*bits & method->bit) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "%s '%s' was given twice", VIR_MIGRATE_PARAM_COMPRESSION, name);
    if (parallel && !method->parallel)
        return virReportError(VIR_ERR_INVALID_ARG, "%s '%s' does not go with VIR_MIGRATE_PARALLEL: zlib and zstd do",
                              VIR_MIGRATE_PARAM_COMPRESSION, name);
    if (!parallel && method->parallel)
        return virReportError(VIR_ERR_INVALID_ARG, "%s '%s' needs VIR_MIGRATE_PARALLEL", VIR_MIGRATE_PARAM_COMPRESSION, name);
    if (method->parallel && *bits != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "%s '%s' is a second one: parallel connections have one method",
                              VIR_MIGRATE_PARAM_COMPRESSION, name);
    *bits |= method->bit;
    return 0;
}

/* How memory is compressed: the methods' bits. VIR_MIGRATE_COMPRESSED that names none means xbzrle. */
static int
qemuMigrationCompression(const virTypedParameter *params, int nparams, unsigned int flags, unsigned int *bits)
{
    *bits = 0;
    for (int i = 0; i < nparams; i++)
        if (strcmp(params[i].field, VIR_MIGRATE_PARAM_COMPRESSION) == 0 && params[i].type == VIR_TYPED_PARAM_STRING
            && qemuMigrationAddMethod(params[i].value.s, flags, bits) < 0)
            return -1;
    if (*bits != 0 || (flags & VIR_MIGRATE_COMPRESSED) == 0)
        return 0;
    if ((flags & VIR_MIGRATE_PARALLEL) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "VIR_MIGRATE_COMPRESSED with VIR_MIGRATE_PARALLEL needs %s 'zlib' or 'zstd'",
                              VIR_MIGRATE_PARAM_COMPRESSION);
    *bits = QEMU_METHOD_XBZRLE;
    return 0;
}

/* ---------- what fits together ---------- */

/* A parameter without what it tunes would be ignored: it is refused. */
static const struct qemuMigrationTuning {
    const char *name;
    unsigned int flag, method;        /* that it needs; 0: none */
    const char *needs;
    unsigned long long least, most;   /* of a number; 0, 0: no limits */
} qemuMigrationTunings[] = {
    { VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, VIR_MIGRATE_POSTCOPY | VIR_MIGRATE_POSTCOPY_RESUME, 0, "VIR_MIGRATE_POSTCOPY", 0, QEMU_MIGRATE_MIB_MAX },
    { VIR_MIGRATE_PARAM_BANDWIDTH, 0, 0, NULL, 0, QEMU_MIGRATE_MIB_MAX },
    { VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, VIR_MIGRATE_PARALLEL, 0, "VIR_MIGRATE_PARALLEL", 1, 255 },
    { VIR_MIGRATE_PARAM_TLS_DESTINATION, VIR_MIGRATE_TLS, 0, "VIR_MIGRATE_TLS", 0, 0 },
    { VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL, 0, QEMU_METHOD_MT, "compression 'mt'", 0, 9 },
    { VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS, 0, QEMU_METHOD_MT, "compression 'mt'", 1, 255 },
    { VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS, 0, QEMU_METHOD_MT, "compression 'mt'", 1, 255 },
    { VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, 0, QEMU_METHOD_XBZRLE, "compression 'xbzrle'", 0, 0 },
};

/* Those of the source's flags: a destination is not told of these. */
static const struct qemuMigrationTuning qemuMigrationSourceTunings[] = {
    { VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, VIR_MIGRATE_AUTO_CONVERGE, 0, "VIR_MIGRATE_AUTO_CONVERGE", 1, 99 },
    { VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, VIR_MIGRATE_AUTO_CONVERGE, 0, "VIR_MIGRATE_AUTO_CONVERGE", 1, 99 },
};

static int
qemuMigrationCheckTunings(const struct qemuMigrationTuning *tunings, size_t n, const struct virMigrationCall *call, unsigned int methods)
{
    for (size_t i = 0; i < n; i++) {
        const struct qemuMigrationTuning *t = &tunings[i];
        unsigned long long value = qemuMigrationNumber(call, t->name, t->least);
        bool given = false;

        for (int k = 0; k < call->nparams; k++)
            given |= strcmp(call->params[k].field, t->name) == 0;
        if (given && ((t->flag != 0 && (call->flags & t->flag) == 0) || (t->method != 0 && (methods & t->method) == 0)))
            return virReportError(VIR_ERR_INVALID_ARG, "migration parameter '%s' has no effect without %s", t->name, t->needs);
        if (t->most != 0 && (value < t->least || value > t->most))
            return virReportError(t->most == QEMU_MIGRATE_MIB_MAX ? VIR_ERR_OVERFLOW : VIR_ERR_INVALID_ARG,
                                  "migration parameter '%s': %lld is not between %llu and %llu", t->name, (long long)value, t->least, t->most);
    }
    return 0;
}

VIRT_INTERNAL int
qemuMigrationCheckSourceParameters(const struct virMigrationCall *call)
{
    const size_t n = sizeof(qemuMigrationSourceTunings) / sizeof(qemuMigrationSourceTunings[0]);

    return qemuMigrationCheckTunings(qemuMigrationSourceTunings, n, call, 0);
}

VIRT_INTERNAL int
qemuMigrationCheckParameters(const struct virMigrationCall *call)
{
    static const struct { unsigned int flag, other; const char *why; } apart[] = {
        { VIR_MIGRATE_POSTCOPY, VIR_MIGRATE_PARALLEL, "VIR_MIGRATE_POSTCOPY does not go with VIR_MIGRATE_PARALLEL: QEMU cannot "
          "go on with an interrupted post-copy over parallel connections" },
        { VIR_MIGRATE_POSTCOPY, VIR_MIGRATE_OFFLINE, "an offline migration moves no memory: there is no post-copy" },
        { VIR_MIGRATE_ZEROCOPY, VIR_MIGRATE_COMPRESSED, "VIR_MIGRATE_ZEROCOPY does not go with VIR_MIGRATE_COMPRESSED: compressing copies" },
        { VIR_MIGRATE_ZEROCOPY, VIR_MIGRATE_TLS, "VIR_MIGRATE_ZEROCOPY does not go with VIR_MIGRATE_TLS: encrypting copies" },
    };
    const char *uri = qemuMigrationParam(call, VIR_MIGRATE_PARAM_URI);
    const unsigned int flags = call->flags;
    unsigned int methods;

    for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
        if ((flags & apart[i].flag) != 0 && (flags & apart[i].other) != 0)
            return virReportError(VIR_ERR_INVALID_ARG, "%s", apart[i].why);
    if ((flags & VIR_MIGRATE_ZEROCOPY) != 0 && (flags & VIR_MIGRATE_PARALLEL) == 0)
        return virReportError(VIR_ERR_INVALID_ARG, "VIR_MIGRATE_ZEROCOPY needs VIR_MIGRATE_PARALLEL");
    if (qemuMigrationCompression(call->params, call->nparams, flags, &methods) < 0)
        return -1;
    if ((flags & VIR_MIGRATE_ZEROCOPY) != 0 && uri != NULL && strncmp(uri, "unix:", 5) == 0)
        return virReportError(VIR_ERR_INVALID_ARG, "VIR_MIGRATE_ZEROCOPY needs TCP: the kernel always copies to a Unix socket");
    if ((flags & VIR_MIGRATE_ZEROCOPY) != 0 && methods != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "VIR_MIGRATE_ZEROCOPY does not go with %s: compressing copies", VIR_MIGRATE_PARAM_COMPRESSION);
    if ((flags & VIR_MIGRATE_PARALLEL) != 0 && call->stream >= 0)
        return virReportError(VIR_ERR_INVALID_ARG, "VIR_MIGRATE_PARALLEL opens connections of its own: it does not go with one stream "
                              "(virMigrationSetStream)");
    if (qemuTlsCheckCall(call) < 0 || (uri != NULL && qemuMigrationCheckUnix(VIR_MIGRATE_PARAM_URI, uri) < 0))
        return -1;
    return qemuMigrationCheckTunings(qemuMigrationTunings, sizeof(qemuMigrationTunings) / sizeof(qemuMigrationTunings[0]), call, methods);
}

/* ---------- capabilities ---------- */

struct qemuMigrationCapability { const char *name; bool on; };

#define QEMU_MIGRATE_CAPABILITIES 11

/* What is to be on and off at this side. */
static void
qemuMigrationWanted(const struct qemuMigration *m, struct qemuMigrationCapability *wanted)
{
    const unsigned int flags = m->flags;
    unsigned int methods = 0;

    if (qemuMigrationCompression(m->params, m->nparams, flags, &methods) < 0)
        virResetLastError();          /* it was refused when it came */
    memcpy(wanted, (struct qemuMigrationCapability[QEMU_MIGRATE_CAPABILITIES]){
        { "events", true },
        { "return-path", true },
        { "validate-uuid", true },
        /* a guest received so, never run and migrated on makes QEMU abort: not for one that stays paused */
        { "late-block-activate", m->wasRunning && (flags & VIR_MIGRATE_PAUSED) == 0 },
        { "pause-before-switchover", !m->incoming },
        { "auto-converge", !m->incoming && (flags & VIR_MIGRATE_AUTO_CONVERGE) != 0 },
        { "xbzrle", (methods & QEMU_METHOD_XBZRLE) != 0 },
        { "compress", (methods & QEMU_METHOD_MT) != 0 },
        { "multifd", (flags & VIR_MIGRATE_PARALLEL) != 0 },
        { "postcopy-ram", (flags & VIR_MIGRATE_POSTCOPY) != 0 },
        { "zero-copy-send", !m->incoming && (flags & VIR_MIGRATE_ZEROCOPY) != 0 },
    }, sizeof(*wanted) * QEMU_MIGRATE_CAPABILITIES);
}

/* The emulator of a document was asked for these when its capabilities were read. NULL with the error set. */
static const struct qemuCapabilities *
qemuMigrationEmulator(struct qemuHost *host, xmlDocPtr doc)
{
    VIRT_CLEANUP_FREE char *emulator = doc != NULL ? qemuDocumentEmulator(doc) : NULL;

    return emulator != NULL ? qemuHostCapabilities(host, emulator) : NULL;
}

VIRT_INTERNAL int
qemuMigrationCheckEmulator(const struct qemuMigration *m, xmlDocPtr doc, struct virProblems *problems)
{
    VIRT_CLEANUP_XML xmlDocPtr own = doc == NULL && !m->offline ? virDomainObjDocument(m->vm, false) : NULL;
    const struct qemuCapabilities *caps = m->offline ? NULL : qemuMigrationEmulator(m->host, doc != NULL ? doc : own);
    struct qemuMigrationCapability wanted[QEMU_MIGRATE_CAPABILITIES];
    int rc = 0;

    if (m->offline)
        return 0;
    if (caps == NULL)
        return virProblemsNote(problems);
    qemuMigrationWanted(m, wanted);
    for (size_t i = 0; rc == 0 && i < QEMU_MIGRATE_CAPABILITIES; i++) {
        if (!wanted[i].on || qemuCapabilitiesHasMigration(caps, wanted[i].name))
            continue;
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "the emulator '%s' of the %s has no migration capability '%s'",
                       qemuCapabilitiesEmulator(caps), m->incoming ? "destination" : "source", wanted[i].name);
        rc = virProblemsNote(problems);
    }
    if (rc == 0)
        rc = qemuTlsCheck(m, caps, problems) < 0 || qemuZeroCopyCheck(m, problems) < 0 ? -1 : 0;
    qemuCapabilitiesUnref(caps);
    return rc;
}

/* Of what this emulator does not have, nothing is said. */
VIRT_INTERNAL cJSON *
qemuMigrationCapabilities(const struct qemuMigration *m)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(m->vm, false);
    const struct qemuCapabilities *caps = qemuMigrationEmulator(m->host, doc);
    struct qemuMigrationCapability wanted[QEMU_MIGRATE_CAPABILITIES];
    cJSON *list = caps != NULL ? virJsonArray() : NULL;
    int rc = list != NULL ? 0 : -1;

    qemuMigrationWanted(m, wanted);
    for (size_t i = 0; rc == 0 && i < QEMU_MIGRATE_CAPABILITIES; i++)
        if (wanted[i].on || qemuCapabilitiesHasMigration(caps, wanted[i].name))
            rc = virJsonAppend(list, virJsonObject("s:capability", wanted[i].name, "b:state", wanted[i].on, NULL));
    qemuCapabilitiesUnref(caps);
    if (rc == 0)
        return virJsonObject("a:capabilities", list, NULL);
    cJSON_Delete(list);
    return NULL;
}

/* ---------- parameters ---------- */

/*
 * What both sides are told. QEMU keeps its parameters until it ends: what an earlier migration has set and this one has not said is set to
 * QEMU's default again.
 */
static cJSON *
qemuMigrationCommonParameters(const struct qemuMigration *m, const struct virMigrationCall *call)
{
    const bool parallel = (m->flags & VIR_MIGRATE_PARALLEL) != 0;
    cJSON *p = virJsonObject("U:xbzrle-cache-size", qemuMigrationNumber(call, VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, 0),
                             "s:tls-creds", qemuTlsObject(m), "s:tls-hostname", "", NULL);
    unsigned int methods = 0;
    int rc = p != NULL ? qemuMigrationCompression(m->params, m->nparams, m->flags, &methods) : -1;

    if (rc == 0 && (methods & QEMU_METHOD_MT) != 0)
        rc = virJsonAdd(p, "u:compress-level", qemuMigrationNumber(call, VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL, 1),
                        "u:compress-threads", qemuMigrationNumber(call, VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS, 8),
                        "u:decompress-threads", qemuMigrationNumber(call, VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS, 2), NULL);
    if (rc == 0 && parallel)
        rc = virJsonAdd(p, "u:multifd-channels", qemuMigrationNumber(call, VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, 2),
                        "s:multifd-compression", (methods & QEMU_METHOD_ZLIB) != 0 ? "zlib" : (methods & QEMU_METHOD_ZSTD) != 0 ? "zstd" : "none",
                        NULL);
    if (rc == 0)
        return p;
    cJSON_Delete(p);
    return NULL;
}

static cJSON *
qemuMigrationSourceParameters(const struct qemuMigration *m, const struct virMigrationCall *call)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    unsigned long long bandwidth = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_BANDWIDTH, atomic_load(&priv->migrationBandwidth));
    unsigned long long later = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, atomic_load(&priv->migrationBandwidthPostcopy));
    unsigned long long downtime = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_DOWNTIME, atomic_load(&priv->migrationDowntime));
    cJSON *p = qemuMigrationCommonParameters(m, call);
    int rc = p == NULL ? -1 : virJsonAdd(p, "u:max-bandwidth", bandwidth != 0 ? bandwidth << 20 : (unsigned long long)INT64_MAX & ~((1ULL << 20) - 1),
                                         "u:downtime-limit", downtime != 0 ? downtime : (unsigned long long)QEMU_MIGRATE_DOWNTIME, NULL);

    if (rc == 0 && (m->flags & VIR_MIGRATE_POSTCOPY) != 0)
        rc = virJsonAdd(p, "u:max-postcopy-bandwidth", later << 20, NULL);
    if (rc == 0 && (m->flags & VIR_MIGRATE_AUTO_CONVERGE) != 0)
        rc = virJsonAdd(p, "u:cpu-throttle-initial", qemuMigrationNumber(call, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, 20),
                        "u:cpu-throttle-increment", qemuMigrationNumber(call, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, 10), NULL);
    if (rc == 0)
        return p;
    cJSON_Delete(p);
    return NULL;
}

VIRT_INTERNAL int
qemuMigrationSendSettings(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call)
{
    cJSON *capabilities = qemuMigrationCapabilities(m);
    cJSON *parameters = m->incoming ? qemuMigrationCommonParameters(m, call) : qemuMigrationSourceParameters(m, call);

    if (capabilities == NULL || parameters == NULL) {
        cJSON_Delete(capabilities);
        cJSON_Delete(parameters);
        return -1;
    }
    if (qemuTlsSendObject(m, mon) < 0) {
        cJSON_Delete(capabilities);
        cJSON_Delete(parameters);
        return -1;
    }
    if (qemuMigrationSend(m, mon, "migrate-set-capabilities", capabilities) < 0) {
        cJSON_Delete(parameters);
        return -1;
    }
    return qemuMigrationSend(m, mon, "migrate-set-parameters", parameters);
}

/* "tcp:host:port" and "unix:path" as QEMU wants them. */
VIRT_INTERNAL int
qemuMigrationSendMigrate(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    if (call->stream < 0 && strncmp(uri, "fd:", 3) == 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "the destination receives from a stream that it was handed, but the source of domain "
                              "'%s' has none (virMigrationSetStream), or not any more", m->vm->name);
    if (call->stream >= 0 && strncmp(uri, "fd:", 3) != 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "the source of domain '%s' was handed a stream, but the destination receives at '%s'",
                              m->vm->name, uri);
    if (qemuZeroCopyRaise(m) < 0 || qemuMigrationSendSettings(m, mon, call) < 0
        || qemuTlsSendHostname(m, mon, call, call->stream >= 0 ? QEMU_MIGRATION_STREAM : uri) < 0)
        return -1;
    if (call->stream >= 0 && qemuMigrationSendStream(m, mon, call->stream) < 0)
        return -1;
    return qemuMigrationSend(m, mon, "migrate", virJsonObject("s:uri", call->stream >= 0 ? QEMU_MIGRATION_STREAM : uri, NULL));
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
    virDomainObjReportInactive(vm);
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
    const bool postcopy = (flags & VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY) != 0;
    int rc = 0;

    virCheckFlags(VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY, -1);
    if (vm == NULL)
        return -1;
    if (mib > QEMU_MIGRATE_MIB_MAX)
        return virReportError(VIR_ERR_OVERFLOW, "bandwidth %llu MiB/s is more than %llu", mib, QEMU_MIGRATE_MIB_MAX);
    m = qemuMigrationOf(vm);
    if (m != NULL && (postcopy || mib != 0))
        rc = qemuMigrationSet(vm, postcopy ? "max-postcopy-bandwidth" : "max-bandwidth", mib << 20);
    qemuMigrationPut(m);
    if (rc < 0)
        return -1;
    atomic_store(postcopy ? &qemuDomainPeek(vm)->migrationBandwidthPostcopy : &qemuDomainPeek(vm)->migrationBandwidth, mib);
    return 0;
}

VIRT_INTERNAL int
qemuMigrationGetMaxSpeed(virDomainPtr domain, unsigned long *bandwidth, unsigned int flags)
{
    struct virDomainObj *vm = qemuMigrationGuest(domain);
    const bool postcopy = (flags & VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY) != 0;

    virCheckFlags(VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY, -1);
    if (vm == NULL)
        return -1;
    if (postcopy)                     /* 0: no limit, as libvirt says it of this one */
        *bandwidth = (unsigned long)atomic_load(&qemuDomainPeek(vm)->migrationBandwidthPostcopy);
    else
        *bandwidth = (unsigned long)atomic_load(&qemuDomainPeek(vm)->migrationBandwidth);
    if (*bandwidth == 0 && !postcopy)
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

#undef QEMU_MIGRATE_DOWNTIME
#undef QEMU_MIGRATE_MIB_MAX
#undef QEMU_MIGRATE_CAPABILITIES
#undef VIRT_FROM
