/*
 * What QEMU is told of how to migrate: capabilities and parameters, from the flags and parameters of the call, and the settings that
 * a guest keeps until it ends.
 */
#include "migration.h"
#include "process.h"

#include "../common/json.h"

#include <stdint.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIGRATE_DOWNTIME   300        /* ms; QEMU's own default */

VIRT_INTERNAL cJSON *
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

/* "tcp:host:port" and "unix:path" as QEMU wants them. */
VIRT_INTERNAL int
qemuMigrationSendMigrate(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    unsigned long long bandwidth = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_BANDWIDTH, atomic_load(&priv->migrationBandwidth));
    unsigned long long downtime = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_DOWNTIME, atomic_load(&priv->migrationDowntime));
    unsigned long long initial = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, 0);
    unsigned long long increment = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, 0);
    unsigned long long cache = qemuMigrationNumber(call, VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, 0);
    cJSON *parameters, *capabilities;

    if (call->stream < 0 && strncmp(uri, "fd:", 3) == 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "the destination receives from a stream that it was handed, but the source of domain "
                              "'%s' has none (virMigrationSetStream)", m->vm->name);
    if ((capabilities = qemuMigrationCapabilities(m)) == NULL)
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

#undef QEMU_MIGRATE_DOWNTIME
#undef VIRT_FROM
