/* Lists of figures, and the records that virConnectGetAllDomainStats gives. */
#include "stats.h"
#include "file.h"

#include <stdarg.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* All these are flags of virConnectListAllDomains too, with the same values. */
#define VIR_STATS_FILTERS 0xffu

VIRT_INTERNAL bool
virStatsTimeLeft(double left, double rate, double dirtied, unsigned long long *ms)
{
    const double time = rate > dirtied ? left * 1000 / (rate - dirtied) + 0.5 : -1;

    if (!(time >= 0 && time < 18446744073709551616.0))
        return false;
    *ms = (unsigned long long)time;
    return true;
}

/* ---------- figures ---------- */

/* The next one, with its name; NULL after a failure. */
static virTypedParameterPtr
virStatsNext(struct virStats *stats, const char *fmt, va_list args)
{
    virTypedParameterPtr bigger, param;

    if (stats->failed)
        return NULL;
    if (stats->n == stats->max) {
        int max = stats->max > 0 ? 2 * stats->max : 16;

        if ((bigger = realloc(stats->params, (size_t)max * sizeof(*bigger))) == NULL) {
            stats->failed = true;
            virReportNoMemory();
            return NULL;
        }
        stats->params = bigger;
        stats->max = max;
    }
    param = &stats->params[stats->n];
    memset(param, 0, sizeof(*param));
    vsnprintf(param->field, sizeof(param->field), fmt, args);
    return param;
}

VIRT_INTERNAL void
virStatsAdd(struct virStats *stats, int type, unsigned long long value, const char *fmt, ...)
{
    virTypedParameterPtr param;
    va_list args;

    va_start(args, fmt);
    param = virStatsNext(stats, fmt, args);
    va_end(args);
    if (param == NULL)
        return;
    param->type = type;
    switch (type) {
    case VIR_TYPED_PARAM_INT:     param->value.i = (int)value; break;
    case VIR_TYPED_PARAM_UINT:    param->value.ui = (unsigned int)value; break;
    case VIR_TYPED_PARAM_LLONG:   param->value.l = (long long)value; break;
    case VIR_TYPED_PARAM_BOOLEAN: param->value.b = value != 0; break;
    default:                      param->value.ul = value; break;
    }
    stats->n++;
}

VIRT_INTERNAL void
virStatsAddText(struct virStats *stats, const char *value, const char *fmt, ...)
{
    virTypedParameterPtr param;
    va_list args;

    va_start(args, fmt);
    param = virStatsNext(stats, fmt, args);
    va_end(args);
    if (param == NULL)
        return;
    param->type = VIR_TYPED_PARAM_STRING;
    if ((param->value.s = virStringCopy(value)) == NULL)
        stats->failed = true;
    else
        stats->n++;
}

VIRT_INTERNAL void
virStatsFree(struct virStats *stats)
{
    for (int i = 0; i < stats->n; i++) {
        if (stats->params[i].type == VIR_TYPED_PARAM_STRING)
            free(stats->params[i].value.s);
    }
    free(stats->params);
    memset(stats, 0, sizeof(*stats));
}

VIRT_INTERNAL int
virStatsMove(struct virStats *stats, virTypedParameterPtr params, int *room)
{
    int rc = stats->failed ? -1 : 0;

    if (rc == 0 && *room == 0) {
        *room = stats->n;
    } else if (rc == 0 && stats->n > *room) {
        rc = virReportError(VIR_ERR_INVALID_ARG, "there are %d parameters, and room for %d", stats->n, *room);
    } else if (rc == 0) {
        if (stats->n > 0)
            memcpy(params, stats->params, (size_t)stats->n * sizeof(*params));
        *room = stats->n;
        stats->n = 0;
    }
    virStatsFree(stats);
    return rc;
}

/* ---------- records ---------- */

VIRT_INTERNAL int
virStatsRecordsAdd(struct virStatsRecords *records, virConnectPtr conn, struct virDomainObj *vm, struct virStats *stats)
{
    virDomainStatsRecordPtr record = NULL, *bigger;

    if (stats->failed || (record = virAllocate(sizeof(*record))) == NULL ||
        (record->dom = virDomainObjHandle(conn, vm)) == NULL) {
        free(record);
        virStatsFree(stats);
        return -1;
    }
    record->params = stats->params;
    record->nparams = stats->n;
    memset(stats, 0, sizeof(*stats));
    /* One more stays free for the NULL at the end; so one that could not be added is freed with the others. */
    if ((bigger = realloc(records->list, (size_t)(records->n + 2) * sizeof(*bigger))) == NULL) {
        virTypedParamsFree(record->params, record->nparams);
        virDomainFree(record->dom);
        free(record);
        return virReportNoMemory();
    }
    records->list = bigger;
    records->list[records->n++] = record;
    records->list[records->n] = NULL;
    return 0;
}

VIRT_INTERNAL int
virStatsRecordsTake(struct virStatsRecords *records, virDomainStatsRecordPtr **list)
{
    if (records->list == NULL && (records->list = virAllocate(sizeof(*records->list))) == NULL)
        return -1;
    *list = records->list;
    return records->n;
}

VIRT_INTERNAL void
virStatsRecordsFree(struct virStatsRecords *records)
{
    virErrorPtr error = virSaveLastError();

    virDomainStatsRecordListFree(records->list);
    if (error != NULL)
        virSetLastError(error);
    else
        virReportNoMemory();
    virFreeError(error);
    records->list = NULL;
}

VIRT_INTERNAL int
virStatsGroups(unsigned int *stats, unsigned int have, unsigned int flags)
{
    if (*stats == 0)
        *stats = have;
    else if ((*stats & ~have) != 0 && (flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS) != 0)
        return virReportError(VIR_ERR_ARGUMENT_UNSUPPORTED, "groups of statistics 0x%x are not supported by this driver",
                              *stats & ~have);
    *stats &= have;
    return 0;
}

VIRT_INTERNAL bool
virStatsMatch(struct virDomainObj *vm, unsigned int flags)
{
    static const unsigned int states = VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
                                       VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER;
    static const unsigned int lives = VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    static const unsigned int kinds = VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT;
    int state = vm->state;
    unsigned int of = state == VIR_DOMAIN_RUNNING ? VIR_CONNECT_LIST_DOMAINS_RUNNING
                      : state == VIR_DOMAIN_PAUSED ? VIR_CONNECT_LIST_DOMAINS_PAUSED
                      : state == VIR_DOMAIN_SHUTOFF ? VIR_CONNECT_LIST_DOMAINS_SHUTOFF : VIR_CONNECT_LIST_DOMAINS_OTHER;

    of |= vm->id >= 0 ? VIR_CONNECT_LIST_DOMAINS_ACTIVE : VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    of |= vm->persistent ? VIR_CONNECT_LIST_DOMAINS_PERSISTENT : VIR_CONNECT_LIST_DOMAINS_TRANSIENT;
    return ((flags & states) == 0 || (flags & of & states) != 0) && ((flags & lives) == 0 || (flags & of & lives) != 0) &&
           ((flags & kinds) == 0 || (flags & of & kinds) != 0);
}

VIRT_INTERNAL int
virStatsOfAll(virConnectPtr conn, unsigned int stats, virDomainStatsRecordPtr **list, unsigned int flags)
{
    virDomainPtr *domains = NULL;
    virErrorPtr error = NULL;
    int rc = virDomainObjSlotListAll(conn, &domains, flags & VIR_STATS_FILTERS);

    if (rc < 0)
        return -1;
    if ((rc = conn->driver->domain.listGetStats(domains, stats, list, flags)) < 0)
        error = virSaveLastError();
    for (size_t i = 0; domains[i] != NULL; i++)
        virDomainFree(domains[i]);
    free(domains);
    if (rc < 0 && error == NULL)
        virReportNoMemory();
    else if (rc < 0)
        virSetLastError(error);
    virFreeError(error);
    return rc;
}

VIRT_INTERNAL void
virStatsAddState(struct virStats *stats, struct virDomainObj *vm)
{
    virStatsAdd(stats, VIR_TYPED_PARAM_INT, (unsigned int)vm->state, "state.state");
    virStatsAdd(stats, VIR_TYPED_PARAM_INT, (unsigned int)vm->reason, "state.reason");
}

#undef VIR_STATS_FILTERS
#undef VIRT_FROM
