/*
 * Statistics of guests and host as drivers build them: lists of figures whose names have numbers in them, and the
 * records that virConnectGetAllDomainStats gives.
 */
#ifndef VIRT_COMMON_STATS_H
#define VIRT_COMMON_STATS_H

#include "domain.h"

/* ---- a growing list of figures; a failed addition sticks, and is reported where the list is taken ---- */

struct virStats { virTypedParameterPtr params; int n, max; bool failed; };

/* A whole number as the given VIR_TYPED_PARAM_ type (INT, UINT, LLONG, ULLONG, BOOLEAN). */
VIRT_INTERNAL void virStatsAdd(struct virStats *stats, int type, unsigned long long value, const char *fmt, ...) VIRT_PRINTF(4, 5);
VIRT_INTERNAL void virStatsAddText(struct virStats *stats, const char *value, const char *fmt, ...) VIRT_PRINTF(3, 4);
/* The usual type. */
#define virStatsAddULL(stats, value, ...) virStatsAdd(stats, VIR_TYPED_PARAM_ULLONG, (unsigned long long)(value), __VA_ARGS__)
VIRT_INTERNAL void virStatsFree(struct virStats *stats);

/*
 * Moves them into the caller's array of *room (calls.h: OUT_PARAMS_ROOM); with *room 0 tells how many there are. 0, or -1 with the
 * error set: one of the additions failed, or there is not enough room. Empties the list in any case.
 */
VIRT_INTERNAL int virStatsMove(struct virStats *stats, virTypedParameterPtr params, int *room);

/*
 * Of a migration: ms until all is there, with so many bytes left at so many a second while the guest writes so many. false: that never
 * comes, or cannot be told.
 */
VIRT_INTERNAL bool virStatsTimeLeft(double left, double rate, double dirtied, unsigned long long *ms);

/* ---- records ---- */

struct virStatsRecords { virDomainStatsRecordPtr *list; int n; };

/* Adds a guest with its figures, which it takes over also on failure. 0 or -1. */
VIRT_INTERNAL int virStatsRecordsAdd(struct virStatsRecords *records, virConnectPtr conn, struct virDomainObj *vm, struct virStats *stats);
/* Hands the records over: their number. On failure of what came before, virStatsRecordsFree, which keeps the error. */
VIRT_INTERNAL int virStatsRecordsTake(struct virStatsRecords *records, virDomainStatsRecordPtr **list);
VIRT_INTERNAL void virStatsRecordsFree(struct virStatsRecords *records);

/* What groups are meant by *stats among those that there are; -1 with the error set if one is missing and that is an error. */
VIRT_INTERNAL int virStatsGroups(unsigned int *stats, unsigned int have, unsigned int flags);
/* Whether the guest is one of those that the flags name. */
VIRT_INTERNAL bool virStatsMatch(struct virDomainObj *vm, unsigned int flags);
/* The slot getAllStats, by way of the driver's listGetStats. */
VIRT_INTERNAL int virStatsOfAll(virConnectPtr conn, unsigned int stats, virDomainStatsRecordPtr **list, unsigned int flags);
/* Group state. */
VIRT_INTERNAL void virStatsAddState(struct virStats *stats, struct virDomainObj *vm);

/* ---- the host's, in the shape of the slots of group node (host_stats.c) ---- */

#ifndef _WIN32
VIRT_INTERNAL int virHostGetCPUStats(int cpu, virNodeCPUStatsPtr params, int *room);
VIRT_INTERNAL int virHostGetMemoryStats(int cell, virNodeMemoryStatsPtr params, int *room);
#endif

#endif
