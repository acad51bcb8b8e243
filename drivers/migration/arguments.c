/*
 * What a migration is asked for with: parameters and flags, as libvirt has them, and what the drivers of both ends must be able to do.
 */
#include "migration.h"

#include "../common/migrate_flags.h"
#include "../common/text.h"

#include <limits.h>

#define VIRT_FROM VIR_FROM_NONE

#define VIRT_MIGRATE_ALL_FLAGS ((VIR_MIGRATE_ZEROCOPY << 1) - 1)

/* The parameters that virDomainMigrate3 and we know, and their types. */
static const struct virMigrationParam {
    const char *name;
    int type;
} virMigrationParams[] = {
    { VIR_MIGRATE_PARAM_URI, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_DEST_NAME, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_DEST_XML, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_PERSIST_XML, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_BANDWIDTH, VIR_TYPED_PARAM_ULLONG },
    { VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, VIR_TYPED_PARAM_ULLONG },
    { VIR_MIGRATE_PARAM_GRAPHICS_URI, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_LISTEN_ADDRESS, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_MIGRATE_DISKS, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_DISKS_PORT, VIR_TYPED_PARAM_INT },
    { VIR_MIGRATE_PARAM_DISKS_URI, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_COMPRESSION, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL, VIR_TYPED_PARAM_INT },
    { VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS, VIR_TYPED_PARAM_INT },
    { VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS, VIR_TYPED_PARAM_INT },
    { VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, VIR_TYPED_PARAM_ULLONG },
    { VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, VIR_TYPED_PARAM_INT },
    { VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, VIR_TYPED_PARAM_INT },
    { VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, VIR_TYPED_PARAM_INT },
    { VIR_MIGRATE_PARAM_TLS_DESTINATION, VIR_TYPED_PARAM_STRING },
    { VIR_MIGRATE_PARAM_DOWNTIME, VIR_TYPED_PARAM_ULLONG },
};

VIRT_INTERNAL int
virMigrationCheckParams(virTypedParameterPtr params, unsigned int nparams)
{
    const size_t known = sizeof(virMigrationParams) / sizeof(virMigrationParams[0]);
    unsigned int i, earlier;
    size_t k;

    if (nparams > INT_MAX || (nparams > 0 && params == NULL))
        return virReportError(VIR_ERR_INVALID_ARG, "params in %s must not be NULL", "virMigrationNew");
    for (i = 0; i < nparams; i++) {
        for (k = 0; k < known && strcmp(params[i].field, virMigrationParams[k].name) != 0; k++)
            ;
        if (k == known)
            return virReportError(VIR_ERR_INVALID_ARG, "migration parameter '%s' is not known", params[i].field);
        if (params[i].type != virMigrationParams[k].type)
            return virReportError(VIR_ERR_INVALID_ARG, "migration parameter '%s' has type '%s', not '%s'", params[i].field,
                                  virTypedParamTypeName(params[i].type), virTypedParamTypeName(virMigrationParams[k].type));
        if (strcmp(params[i].field, VIR_MIGRATE_PARAM_DEST_NAME) == 0 && params[i].value.s != NULL && virGuestNameCheck(params[i].value.s) < 0)
            return -1;
        for (earlier = 0; earlier < i; earlier++)
            if (strcmp(params[i].field, params[earlier].field) == 0 && strcmp(params[i].field, VIR_MIGRATE_PARAM_MIGRATE_DISKS) != 0
                && strcmp(params[i].field, VIR_MIGRATE_PARAM_COMPRESSION) != 0)
                return virReportError(VIR_ERR_INVALID_ARG, "migration parameter '%s' was given twice", params[i].field);
    }
    return 0;
}

VIRT_INTERNAL int
virMigrationCheckFlags(unsigned int flags)
{
    static const struct { unsigned int flag, other; bool needed; int code; const char *why; } rules[] = {
        { VIR_MIGRATE_NON_SHARED_DISK, VIR_MIGRATE_NON_SHARED_INC, false, VIR_ERR_INVALID_ARG,
          "disks are copied whole or by what changed, not both" },
        { VIR_MIGRATE_TUNNELLED, VIR_MIGRATE_PEER2PEER, true, VIR_ERR_OPERATION_INVALID,
          "a tunnelled migration is a peer-to-peer one: VIR_MIGRATE_TUNNELLED needs VIR_MIGRATE_PEER2PEER" },
        { VIR_MIGRATE_TUNNELLED, VIR_MIGRATE_PARALLEL, false, VIR_ERR_INVALID_ARG, "parallel connections cannot be tunnelled" },
        { VIR_MIGRATE_TUNNELLED, VIR_MIGRATE_TLS, false, VIR_ERR_INVALID_ARG, "what is tunnelled is not encrypted by the hypervisors (VIR_MIGRATE_TLS)" },
        { VIR_MIGRATE_TUNNELLED, VIR_MIGRATE_POSTCOPY, false, VIR_ERR_ARGUMENT_UNSUPPORTED, "post-copy cannot be tunnelled" },
        { VIR_MIGRATE_TUNNELLED, VIR_MIGRATE_NON_SHARED_DISK, false, VIR_ERR_OPERATION_UNSUPPORTED, "disks cannot be tunnelled" },
        { VIR_MIGRATE_TUNNELLED, VIR_MIGRATE_NON_SHARED_INC, false, VIR_ERR_OPERATION_UNSUPPORTED, "disks cannot be tunnelled" },
        { VIR_MIGRATE_TUNNELLED, VIR_MIGRATE_OFFLINE, false, VIR_ERR_OPERATION_INVALID, "an offline migration moves no memory that could be tunnelled" },
        { VIR_MIGRATE_OFFLINE, VIR_MIGRATE_LIVE, false, VIR_ERR_INVALID_ARG, "a live migration is not offline" },
        { VIR_MIGRATE_OFFLINE, VIR_MIGRATE_NON_SHARED_DISK, false, VIR_ERR_INVALID_ARG, "an offline migration moves no disks" },
        { VIR_MIGRATE_OFFLINE, VIR_MIGRATE_NON_SHARED_INC, false, VIR_ERR_INVALID_ARG, "an offline migration moves no disks" },
    };
    struct virMigrateFlagsText text;
    size_t i;

    if ((flags & ~(unsigned int)VIRT_MIGRATE_ALL_FLAGS) != 0)
        return virReportUnsupportedFlags("virMigrationNew", flags & ~(unsigned int)VIRT_MIGRATE_ALL_FLAGS);
    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if ((flags & rules[i].flag) != 0 && ((flags & rules[i].other) != 0) != rules[i].needed)
            return virReportError(rules[i].code, "migration flags %s: %s",
                                  virMigrateFlagsText(rules[i].needed ? rules[i].flag : rules[i].flag | rules[i].other, &text), rules[i].why);
    return 0;
}

/* Older protocols are this one with slots missing. What cannot be missing is what moves the guest, and what waits for it. */
VIRT_INTERNAL int
virMigrationCheckDrivers(const struct virDriver *source, const struct virDriver *destination)
{
    if (source != NULL && source->migration.perform == NULL)
        return virReportError(VIR_ERR_NO_SUPPORT, "migration (driver %s)", source->name);
    if (destination != NULL && destination->migration.prepare == NULL)
        return virReportError(VIR_ERR_NO_SUPPORT, "migration (driver %s)", destination->name);
    return 0;
}

VIRT_INTERNAL bool
virMigrationCallNamesNone(const unsigned char *guest)
{
    static const unsigned char none[VIR_UUID_BUFLEN];

    return guest == NULL || memcmp(guest, none, VIR_UUID_BUFLEN) == 0;
}

VIRT_INTERNAL int
virMigrationCallIsOf(const struct virMigrationCall *call, const unsigned char *guest, const char *name)
{
    const virTypedParameter *named = virTypedParamsGet(call->params, call->nparams, VIR_MIGRATE_PARAM_DEST_NAME);
    const char *there = named != NULL && named->type == VIR_TYPED_PARAM_STRING ? named->value.s : NULL;

    if (virMigrationCallNamesNone(call->guest))
        return 0;
    if (memcmp(call->guest, guest, VIR_UUID_BUFLEN) == 0
        && (name == NULL || (call->name != NULL && strcmp(name, call->name) == 0) || (there != NULL && strcmp(name, there) == 0)))
        return 0;
    return virReportError(VIR_ERR_INVALID_ARG, "migration %s is not of domain '%s'", call->uuid, call->name != NULL ? call->name : "");
}

#undef VIRT_MIGRATE_ALL_FLAGS
#undef VIRT_FROM
