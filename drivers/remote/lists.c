/*
 * Kinds of arguments, continued: structs and lists, which come out.
 */
#include "kinds.h"

#if VIRT_WITH_REMOTE

#include "../common/text.h"

#include <limits.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_MAPS_MAX  (1 << 20)              /* bytes of CPU maps in one call */
#define REMOTE_CELLS_MAX 16384                  /* figures of CPUs in one call */

/* ---------- structs, and arrays of them ---------- */

enum remoteMemberType { REMOTE_INT, REMOTE_UINT, REMOTE_UCHAR, REMOTE_USHORT, REMOTE_ULONG, REMOTE_LL, REMOTE_ULL, REMOTE_TEXT, REMOTE_STRING };

struct remoteMember {
    const char *name;                      /* NULL: the value stands for itself, in no object */
    unsigned char type;
    unsigned short offset, size;
};

struct remoteLayout {
    size_t size;
    const struct remoteMember *members;    /* ended by size 0 */
};

#define REMOTE_TYPE_OF(value) _Generic((value), int: REMOTE_INT, unsigned int: REMOTE_UINT, unsigned char: REMOTE_UCHAR,              \
    unsigned short: REMOTE_USHORT, unsigned long: REMOTE_ULONG, long long: REMOTE_LL, unsigned long long: REMOTE_ULL)
#define REMOTE_MEMBER(type, member) { #member, REMOTE_TYPE_OF(((type *)0)->member), offsetof(type, member), sizeof(((type *)0)->member) }
#define REMOTE_CHARS(type, member)  { #member, REMOTE_TEXT, offsetof(type, member), sizeof(((type *)0)->member) }
#define REMOTE_POINTER(type, member) { #member, REMOTE_STRING, offsetof(type, member), sizeof(((type *)0)->member) }
#define REMOTE_LAYOUT(name, type, ...) \
    static const struct remoteLayout name = { sizeof(type), (const struct remoteMember[]){ __VA_ARGS__, { NULL, 0, 0, 0 } } }

REMOTE_LAYOUT(remoteNodeInfo, virNodeInfo, REMOTE_CHARS(virNodeInfo, model), REMOTE_MEMBER(virNodeInfo, memory),
              REMOTE_MEMBER(virNodeInfo, cpus), REMOTE_MEMBER(virNodeInfo, mhz), REMOTE_MEMBER(virNodeInfo, nodes),
              REMOTE_MEMBER(virNodeInfo, sockets), REMOTE_MEMBER(virNodeInfo, cores), REMOTE_MEMBER(virNodeInfo, threads));
REMOTE_LAYOUT(remoteDomainInfo, virDomainInfo, REMOTE_MEMBER(virDomainInfo, state), REMOTE_MEMBER(virDomainInfo, maxMem),
              REMOTE_MEMBER(virDomainInfo, memory), REMOTE_MEMBER(virDomainInfo, nrVirtCpu), REMOTE_MEMBER(virDomainInfo, cpuTime));
REMOTE_LAYOUT(remoteJobInfo, virDomainJobInfo, REMOTE_MEMBER(virDomainJobInfo, type), REMOTE_MEMBER(virDomainJobInfo, timeElapsed),
              REMOTE_MEMBER(virDomainJobInfo, timeRemaining), REMOTE_MEMBER(virDomainJobInfo, dataTotal),
              REMOTE_MEMBER(virDomainJobInfo, dataProcessed), REMOTE_MEMBER(virDomainJobInfo, dataRemaining),
              REMOTE_MEMBER(virDomainJobInfo, memTotal), REMOTE_MEMBER(virDomainJobInfo, memProcessed),
              REMOTE_MEMBER(virDomainJobInfo, memRemaining), REMOTE_MEMBER(virDomainJobInfo, fileTotal),
              REMOTE_MEMBER(virDomainJobInfo, fileProcessed), REMOTE_MEMBER(virDomainJobInfo, fileRemaining));
REMOTE_LAYOUT(remoteControlInfo, virDomainControlInfo, REMOTE_MEMBER(virDomainControlInfo, state),
              REMOTE_MEMBER(virDomainControlInfo, details), REMOTE_MEMBER(virDomainControlInfo, stateTime));
REMOTE_LAYOUT(remoteBlockInfo, virDomainBlockInfo, REMOTE_MEMBER(virDomainBlockInfo, capacity),
              REMOTE_MEMBER(virDomainBlockInfo, allocation), REMOTE_MEMBER(virDomainBlockInfo, physical));
REMOTE_LAYOUT(remoteSecurityModel, virSecurityModel, REMOTE_CHARS(virSecurityModel, model), REMOTE_CHARS(virSecurityModel, doi));
REMOTE_LAYOUT(remoteBlockStats, virDomainBlockStatsStruct, REMOTE_MEMBER(virDomainBlockStatsStruct, rd_req),
              REMOTE_MEMBER(virDomainBlockStatsStruct, rd_bytes), REMOTE_MEMBER(virDomainBlockStatsStruct, wr_req),
              REMOTE_MEMBER(virDomainBlockStatsStruct, wr_bytes), REMOTE_MEMBER(virDomainBlockStatsStruct, errs));
REMOTE_LAYOUT(remoteInterfaceStats, virDomainInterfaceStatsStruct, REMOTE_MEMBER(virDomainInterfaceStatsStruct, rx_bytes),
              REMOTE_MEMBER(virDomainInterfaceStatsStruct, rx_packets), REMOTE_MEMBER(virDomainInterfaceStatsStruct, rx_errs),
              REMOTE_MEMBER(virDomainInterfaceStatsStruct, rx_drop), REMOTE_MEMBER(virDomainInterfaceStatsStruct, tx_bytes),
              REMOTE_MEMBER(virDomainInterfaceStatsStruct, tx_packets), REMOTE_MEMBER(virDomainInterfaceStatsStruct, tx_errs),
              REMOTE_MEMBER(virDomainInterfaceStatsStruct, tx_drop));
REMOTE_LAYOUT(remoteMemoryStat, virDomainMemoryStatStruct, REMOTE_MEMBER(virDomainMemoryStatStruct, tag), REMOTE_MEMBER(virDomainMemoryStatStruct, val));
REMOTE_LAYOUT(remoteDiskError, virDomainDiskError, REMOTE_POINTER(virDomainDiskError, disk), REMOTE_MEMBER(virDomainDiskError, error));
REMOTE_LAYOUT(remoteNodeCpuStats, virNodeCPUStats, REMOTE_CHARS(virNodeCPUStats, field), REMOTE_MEMBER(virNodeCPUStats, value));
REMOTE_LAYOUT(remoteNodeMemoryStats, virNodeMemoryStats, REMOTE_CHARS(virNodeMemoryStats, field), REMOTE_MEMBER(virNodeMemoryStats, value));
REMOTE_LAYOUT(remoteVcpuInfo, virVcpuInfo, REMOTE_MEMBER(virVcpuInfo, number), REMOTE_MEMBER(virVcpuInfo, state),
              REMOTE_MEMBER(virVcpuInfo, cpuTime), REMOTE_MEMBER(virVcpuInfo, cpu));
REMOTE_LAYOUT(remoteIntItem, int, { NULL, REMOTE_INT, 0, sizeof(int) });
REMOTE_LAYOUT(remoteUllItem, unsigned long long, { NULL, REMOTE_ULL, 0, sizeof(unsigned long long) });
REMOTE_LAYOUT(remoteTextItem, char *, { NULL, REMOTE_STRING, 0, sizeof(char *) });

static const struct { bool isSigned; unsigned char size; } remoteWidths[] = {
    [REMOTE_INT] = { true, sizeof(int) },            [REMOTE_UINT] = { false, sizeof(int) },
    [REMOTE_UCHAR] = { false, 1 },                   [REMOTE_USHORT] = { false, sizeof(short) },
    [REMOTE_ULONG] = { false, sizeof(long) },        [REMOTE_LL] = { true, sizeof(long long) },
    [REMOTE_ULL] = { false, sizeof(long long) },
};

/* NULL with the error set. */
static cJSON *
remoteMemberFormat(const struct remoteArgument *a, const struct remoteMember *member, const unsigned char *data)
{
    const void *at = data + member->offset;
    long long value = 0;
    cJSON *item;

    switch (member->type) {
    case REMOTE_TEXT:   return remoteString(a, a->name[0], at);
    case REMOTE_STRING: return remoteString(a, a->name[0], *(char *const *)at != NULL ? *(char *const *)at : "");
    case REMOTE_INT:    value = *(const int *)at; break;
    case REMOTE_UINT:   value = *(const unsigned int *)at; break;
    case REMOTE_UCHAR:  value = *(const unsigned char *)at; break;
    case REMOTE_USHORT: value = *(const unsigned short *)at; break;
    case REMOTE_ULONG:  value = (long long)*(const unsigned long *)at; break;
    default:            value = *(const long long *)at; break;
    }
    if ((item = remoteNumber(value, remoteWidths[member->type].isSigned)) == NULL)
        virReportNoMemory();
    return item;
}

static cJSON *
remoteStructFormat(const struct remoteArgument *a, const struct remoteLayout *layout, const void *data)
{
    cJSON *object;

    if (layout->members->name == NULL)
        return remoteMemberFormat(a, layout->members, data);
    if ((object = cJSON_CreateObject()) == NULL) {
        virReportNoMemory();
        return NULL;
    }
    for (const struct remoteMember *member = layout->members; member->size != 0; member++) {
        cJSON *item = remoteMemberFormat(a, member, data);

        if (item == NULL || remotePut(object, member->name, item) < 0) {
            cJSON_Delete(object);
            return NULL;
        }
    }
    return object;
}

/* 0, or -1 with the error set. */
static int
remoteMemberParse(const struct remoteArgument *a, const struct remoteMember *member, const cJSON *item, unsigned char *data)
{
    unsigned int bits = member->type <= REMOTE_ULL ? 8u * remoteWidths[member->type].size : 0;
    void *at = data + member->offset;
    long long value;

    if (member->type >= REMOTE_TEXT) {
        size_t length = cJSON_IsString(item) ? strlen(item->valuestring) : 0;

        if (!cJSON_IsString(item) || (member->type == REMOTE_TEXT && length >= member->size))
            return remoteWrong(a, a->name[0]);
        if (member->type == REMOTE_TEXT)
            memcpy(at, item->valuestring, length + 1);
        return member->type == REMOTE_TEXT || (*(char **)at = virStringCopy(item->valuestring)) != NULL ? 0 : -1;
    }
    if (remoteReadNumber(item, remoteWidths[member->type].isSigned, -(1LL << (bits - 2)) * 2,
                         remoteWidths[member->type].isSigned ? ~0ull >> (65 - bits) : ~0ull >> (64 - bits), &value) < 0)
        return remoteWrong(a, a->name[0]);
    switch (member->type) {
    case REMOTE_INT:    *(int *)at = (int)value; break;
    case REMOTE_UINT:   *(unsigned int *)at = (unsigned int)value; break;
    case REMOTE_UCHAR:  *(unsigned char *)at = (unsigned char)value; break;
    case REMOTE_USHORT: *(unsigned short *)at = (unsigned short)value; break;
    case REMOTE_ULONG:  *(unsigned long *)at = (unsigned long)value; break;
    default:            *(long long *)at = value; break;
    }
    return 0;
}

static int
remoteStructParse(const struct remoteArgument *a, const struct remoteLayout *layout, const cJSON *item, void *data)
{
    for (const struct remoteMember *member = layout->members; member->size != 0; member++)
        if (remoteMemberParse(a, member, member->name != NULL ? virJsonGet(item, member->name) : item, data) < 0)
            return -1;
    return 0;
}

/* Room for `count` of them, cleared: in the argument itself if they fit. */
static int
remoteRoom(struct remoteArgument *a, size_t count)
{
    a->data = count * a->kind->layout->size <= sizeof(a->small) ? a->small : virAllocate(count * a->kind->layout->size);
    return a->data != NULL ? 0 : -1;
}

static int
remoteStructDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    (void)params;
    return remoteRoom(a, 1);
}

static int
remoteStructEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    cJSON *item = remoteStructFormat(a, a->kind->layout, a->data);

    (void)serving;
    (void)rc;
    return item == NULL ? -1 : remotePut(result, a->name[0], item);
}

static int
remoteStructDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    (void)conn;
    (void)rc;
    return remoteRoom(a, 1) < 0 ? -1 : remoteStructParse(a, a->kind->layout, virJsonGet(result, a->name[0]), a->data);
}

static void
remoteStructGive(struct remoteArgument *a)
{
    memcpy(a->to[0], a->data, a->kind->layout->size);
}

/* The caller may know of only the first bytes. */
static void
remoteSizedGive(struct remoteArgument *a)
{
    size_t size = (unsigned long long)a->number[0];

    memcpy(a->to[0], a->data, size < a->kind->layout->size ? size : a->kind->layout->size);
}

/*
 * Arrays into the caller's room: the room goes in, as the argument's second name, and an array comes out. How many there are is the call's
 * result, or is in *room (remoteCounted...), which is 0 to ask for it. Whoever sees only some of the guests has them chosen from all.
 */
static int
remoteRowsEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePut(params, a->name[1], remoteNumber(a->number[0], true));
}

/* The room that is asked for; more than there can be is no mistake. */
static int
remoteRowsAsked(struct remoteArgument *a, const cJSON *params, const char *name)
{
    if (remoteAsked(a, params, name, true, 0, UINT_MAX, &a->number[0]) < 0)
        return -1;
    if (a->number[0] > REMOTE_ROOM_MAX)
        a->number[0] = REMOTE_ROOM_MAX;
    return 0;
}

static int
remoteRowsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    if (remoteRowsAsked(a, params, a->name[1]) < 0)
        return -1;
    a->out.i = (int)a->number[0];
    return a->number[0] > 0 ? remoteRoom(a, (size_t)a->number[0]) : 0;
}

static int
remoteRowsFormat(struct remoteArgument *a, cJSON *result, size_t count)
{
    VIRT_CLEANUP_TEXT struct virText list = { 0 };

    for (size_t i = 0; i < count; i++)
        if (remoteListAdd(&list, remoteStructFormat(a, a->kind->layout, (unsigned char *)a->data + i * a->kind->layout->size)) < 0)
            return -1;
    return remotePutList(result, a->name[0], &list);
}

static int
remoteRowsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    return remoteRowsFormat(a, result, *rc < a->number[0] ? (size_t)*rc : (size_t)a->number[0]);
}

static int
remoteRowsParse(struct remoteArgument *a, const cJSON *result, size_t max)
{
    size_t count;
    const cJSON *array = remoteGetArray(a, result, a->name[0], max, &count), *item;

    if (array == NULL || (count > 0 && remoteRoom(a, count) < 0))
        return -1;
    cJSON_ArrayForEach(item, array) {
        a->count++;
        if (remoteStructParse(a, a->kind->layout, item, (unsigned char *)a->data + (a->count - 1) * a->kind->layout->size) < 0)
            return -1;
    }
    return 0;
}

/* The result is believed only where it is the number of rows, or where the caller has no room and just wants to know. */
static int
remoteRowsDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    (void)conn;
    if (remoteRowsParse(a, result, (size_t)a->number[0]) < 0)
        return -1;
    return a->number[0] == 0 || rc == (long long)a->count ? 0 : remoteWrong(a, "return");
}

static void
remoteRowsGive(struct remoteArgument *a)
{
    if (a->count > 0)
        memcpy(a->to[0], a->data, a->count * a->kind->layout->size);
    a->count = 0;                          /* strings in them are the caller's now */
}

/* At the server all that there is room for may have been filled in, whatever became of the call. */
static void
remoteRowsClean(struct remoteArgument *a)
{
    size_t rows = a->client ? a->count : (size_t)a->number[0];

    for (size_t i = 0; a->data != NULL && i < rows; i++)
        for (const struct remoteMember *member = a->kind->layout->members; member->size != 0; member++)
            if (member->type == REMOTE_STRING)
                free(*(char **)((unsigned char *)a->data + i * a->kind->layout->size + member->offset));
    remoteDataClean(a);
}

/* *room becomes what the call leaves there. */
static int
remoteCountedEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    size_t count = a->number[0] > 0 && a->out.i > 0 ? (size_t)(a->out.i < a->number[0] ? a->out.i : a->number[0]) : 0;

    (void)serving;
    (void)rc;
    return remoteRowsFormat(a, result, count) < 0 ? -1 : remotePut(result, a->name[1], cJSON_CreateNumber(a->out.i));
}

static int
remoteCountedDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    long long count;

    (void)conn;
    (void)rc;
    if (remoteRowsParse(a, result, (size_t)a->number[0]) < 0)
        return -1;
    if (remoteReadNumber(virJsonGet(result, a->name[1]), true, 0, REMOTE_ROOM_MAX, &count) < 0
        || (a->number[0] > 0 && count != (long long)a->count))
        return remoteWrong(a, a->name[1]);
    a->number[1] = count;
    return 0;
}

static void
remoteCountedGive(struct remoteArgument *a)
{
    remoteRowsGive(a);
    *(int *)a->to[1] = (int)a->number[1];
}

static int
remoteCellsEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePut(params, a->name[1], remoteNumber(a->number[1], true)) < 0
           ? -1 : remotePut(params, a->name[2], remoteNumber(a->number[0], true));
}

static int
remoteCellsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    if (remoteAsked(a, params, a->name[1], true, INT_MIN, INT_MAX, &a->number[1]) < 0 || remoteRowsAsked(a, params, a->name[2]) < 0)
        return -1;
    return a->number[0] > 0 ? remoteRoom(a, (size_t)a->number[0]) : 0;
}

/* Of lists of guests the client sees its own: they are all asked for, and as many of those as it has room for are told; number[1]. */
static int
remoteGuestsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    if (remoteRowsAsked(a, params, a->name[1]) < 0)
        return -1;
    a->number[1] = a->number[0];
    if (serving->visible != NULL)
        a->number[0] = REMOTE_ROOM_MAX;
    return a->number[0] > 0 ? remoteRoom(a, (size_t)a->number[0]) : 0;
}

static bool
remoteSeesIt(struct remoteServing *serving, virDomainPtr domain)
{
    bool sees = domain != NULL && remoteSees(serving, domain);

    if (domain != NULL)
        virDomainUnref(domain);
    virResetLastError();
    return sees;
}

static int
remoteIntsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    int *ids = a->data;
    long long kept = 0;

    for (long long i = 0; serving->visible != NULL && i < *rc && kept < a->number[1]; i++)
        if (remoteSeesIt(serving, virDomainLookupByID(serving->conn, ids[i])))
            ids[kept++] = ids[i];
    if (serving->visible != NULL)
        *rc = kept;
    return remoteRowsFormat(a, result, (size_t)*rc);
}

static int
remoteNamesEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    char **names = a->data;
    long long kept = 0;

    for (long long i = 0; serving->visible != NULL && i < *rc; i++) {
        if (kept < a->number[1] && remoteSeesIt(serving, virDomainLookupByName(serving->conn, names[i]))) {
            char *name = names[i];

            names[i] = names[kept];
            names[kept++] = name;
        } else {
            free(names[i]);
            names[i] = NULL;
        }
    }
    if (serving->visible != NULL)
        *rc = kept;
    return remoteRowsFormat(a, result, (size_t)*rc);
}

/* ---------- lists that are allocated ---------- */

static int
remoteListEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remoteSayAbsent(a, params, a->name[0]);
}

/* To count what the client may see, it has to be listed. */
static int
remoteListDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    remoteWants(a, params, a->name[0]);
    a->number[0] = a->absent;
    if (serving->visible != NULL)
        a->absent = false;
    return 0;
}

/* The list is told only where it is wanted: the number always is. */
static bool
remoteListIsWanted(const struct remoteArgument *a)
{
    return a->number[0] == 0;
}

static int
remoteDomainsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    VIRT_CLEANUP_TEXT struct virText lines = { 0 };
    long long kept = 0;

    for (size_t i = 0; a->out.domains != NULL && a->out.domains[i] != NULL; i++) {
        if (!remoteSees(serving, a->out.domains[i]))
            continue;
        if (strchr(a->out.domains[i]->name, '\n') != NULL)
            return virReportError(VIR_ERR_INTERNAL_ERROR, "%s: guest '%s' has a line break in its name", a->method->name, a->out.domains[i]->name);
        kept++;
        if (remoteListIsWanted(a))
            remoteLinesAddDomain(&lines, a->out.domains[i]);
    }
    if (!a->absent)
        *rc = kept;
    return remoteListIsWanted(a) ? remotePutLines(result, a->name[0], &lines) : 0;
}

static int
remoteDomainsDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    VIRT_CLEANUP_FREE char *lines = NULL;
    const char *text = virJsonString(result, a->name[0]);
    long long count;
    char *next;

    if (a->absent)
        return 0;
    if (text == NULL)
        return remoteWrong(a, a->name[0]);
    count = *text != '\0';
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    if (rc != count)
        return remoteWrong(a, "return");
    if ((lines = virStringCopy(text)) == NULL || (a->out.domains = virAllocate(((size_t)count + 1) * sizeof(*a->out.domains))) == NULL)
        return -1;
    for (char *line = lines; count > 0; line = next, count--) {
        next = line + strcspn(line, "\n");
        *next++ = '\0';
        if ((a->out.domains[a->count++] = remoteDomainNew(conn, line)) == NULL)
            return -1;
    }
    return 0;
}

/* The list becomes the caller's, whatever it is of. */
static void
remoteListGive(struct remoteArgument *a)
{
    if (a->absent)
        return;
    *(void **)a->to[0] = a->out.texts;
    a->out.texts = NULL;
}

/* The guest of a migration's record may be seen. */
static bool
remoteSeesRecord(struct remoteServing *serving, const char *record)
{
    VIRT_CLEANUP_JSON cJSON *json = virJsonParse(record, strlen(record), "a migration's record");
    const char *name = virJsonString(json, "name"), *text = virJsonString(json, "uuid");
    unsigned char uuid[VIR_UUID_BUFLEN];
    virDomainPtr domain = NULL;

    if (name != NULL && text != NULL && virUuidParse(text, uuid) == 0)
        domain = virNewDomain(serving->conn, name, uuid, -1, NULL, NULL);
    return remoteSeesIt(serving, domain);
}

static int
remoteTextsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    bool filtered = a->kind == &remoteKind_OUT_MIGRATIONS_OR_NULL && serving->visible != NULL;
    VIRT_CLEANUP_TEXT struct virText list = { 0 };
    long long kept = 0;

    for (long long i = 0; a->out.texts != NULL && i < *rc; i++) {
        if (filtered && !remoteSeesRecord(serving, a->out.texts[i]))
            continue;
        kept++;
        if (remoteListIsWanted(a) && remoteListAddString(a, &list, a->out.texts[i]) < 0)
            return -1;
    }
    if (a->out.texts != NULL)
        *rc = kept;
    return remoteListIsWanted(a) ? remotePutList(result, a->name[0], &list) : 0;
}

static int
remoteTextsDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    size_t count;
    const cJSON *array, *item;

    (void)conn;
    if (a->absent)
        return 0;
    if ((array = remoteGetArray(a, result, a->name[0], INT_MAX, &count)) == NULL)
        return -1;
    if (rc != (long long)count)
        return remoteWrong(a, "return");
    if ((a->out.texts = virAllocate((count + 1) * sizeof(*a->out.texts))) == NULL)
        return -1;
    cJSON_ArrayForEach(item, array) {
        if (!cJSON_IsString(item))
            return remoteWrong(a, a->name[0]);
        if ((a->out.texts[a->count++] = virStringCopy(item->valuestring)) == NULL)
            return -1;
    }
    return 0;
}

static void
remoteTextsClean(struct remoteArgument *a)
{
    virStringsFree(a->out.texts);
}

static int
remoteOutParamsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)rc;
    return remotePutParams(result, a->name[0], a->out.params, a->out.nparams);
}

static int
remoteOutParamsDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    (void)conn;
    (void)rc;
    return remoteReadParams(a, result, a->name[0], INT_MAX);
}

static void
remoteOutParamsGive(struct remoteArgument *a)
{
    *(virTypedParameterPtr *)a->to[0] = a->out.params;
    *(int *)a->to[1] = a->out.nparams;
    a->out.params = NULL;
    a->out.nparams = 0;
}

/* What is known of guests that the client may read: [[guest, figures], ...]. */
static int
remoteRecordsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    VIRT_CLEANUP_TEXT struct virText list = { 0 };

    *rc = 0;
    for (size_t i = 0; a->out.records != NULL && a->out.records[i] != NULL; i++) {
        virDomainStatsRecordPtr record = a->out.records[i];
        cJSON *pair;

        if (!remoteSees(serving, record->dom))
            continue;
        if (serving->allowed != NULL && serving->allowed(serving, record->dom, "domain.read") < 0) {
            virResetLastError();
            continue;
        }
        if ((pair = virJsonArray()) == NULL || virJsonAppend(pair, remoteDomainItem(record->dom)) < 0
            || virJsonAppend(pair, virTypedParamsToJson(record->params, record->nparams)) < 0) {
            cJSON_Delete(pair);
            return -1;
        }
        if (remoteListAdd(&list, pair) < 0)
            return -1;
        ++*rc;
    }
    return remotePutList(result, a->name[0], &list);
}

static int
remoteRecordsDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    size_t count;
    const cJSON *array = remoteGetArray(a, result, a->name[0], INT_MAX, &count), *item;

    if (array == NULL)
        return -1;
    if (rc != (long long)count)
        return remoteWrong(a, "return");
    if ((a->out.records = virAllocate((count + 1) * sizeof(*a->out.records))) == NULL)
        return -1;
    cJSON_ArrayForEach(item, array) {
        const cJSON *guest = cJSON_IsArray(item) ? item->child : NULL;
        virDomainStatsRecordPtr record;

        if (!cJSON_IsString(guest) || !cJSON_IsArray(guest->next))
            return remoteWrong(a, a->name[0]);
        if ((record = virAllocate(sizeof(*record))) == NULL)
            return -1;
        if ((record->dom = remoteDomainNew(conn, guest->valuestring)) == NULL) {
            free(record);
            return -1;
        }
        a->out.records[a->count++] = record;
        if (virTypedParamsFromJson(guest->next, &record->params, &record->nparams, a->name[0]) < 0)
            return -1;
    }
    return 0;
}

static void
remoteRecordsClean(struct remoteArgument *a)
{
    for (size_t i = 0; a->out.records != NULL && a->out.records[i] != NULL; i++) {
        virTypedParamsFree(a->out.records[i]->params, a->out.records[i]->nparams);
        virDomainUnref(a->out.records[i]->dom);
        free(a->out.records[i]);
    }
    free(a->out.records);
}

/* ---------- typed parameters into the caller's room ---------- */

static int
remoteParamsRoomDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    if (remoteRowsAsked(a, params, a->name[1]) < 0)
        return -1;
    a->out.i = (int)a->number[0];
    a->data = a->number[0] > 0 ? virAllocate((size_t)a->number[0] * sizeof(virTypedParameter)) : NULL;
    return a->number[0] == 0 || a->data != NULL ? 0 : -1;
}

static int
remoteParamsRoomEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)rc;
    if (remotePutParams(result, a->name[0], a->data, a->out.i < a->number[0] ? a->out.i : a->number[0]) < 0)
        return -1;
    return remotePut(result, a->name[1], cJSON_CreateNumber(a->out.i));
}

static int
remoteParamsRoomDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    (void)conn;
    (void)rc;
    if (remoteReadParams(a, result, a->name[0], (size_t)a->number[0]) < 0)
        return -1;
    if (remoteReadNumber(virJsonGet(result, a->name[1]), true, 0, REMOTE_ROOM_MAX, &a->number[1]) < 0
        || (a->number[0] > 0 && a->number[1] != a->out.nparams))
        return remoteWrong(a, a->name[1]);
    return 0;
}

static void
remoteParamsRoomGive(struct remoteArgument *a)
{
    if (a->out.nparams > 0)
        memcpy(a->to[0], a->out.params, (size_t)a->out.nparams * sizeof(virTypedParameter));
    a->out.nparams = 0;                    /* their strings are the caller's now */
    *(int *)a->to[1] = (int)a->number[1];
}

/* The same function cleans both ends: at the server the parameters are in data. */
static void
remoteParamsRoomClean(struct remoteArgument *a)
{
    if (a->client)
        virTypedParamsFree(a->out.params, a->out.nparams);
    else
        virTypedParamsClear(a->data, (int)a->number[0]);
    free(a->data);
}

/* number: parameters for each CPU, the first CPU, how many. */
static int
remoteCpuParamsEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePut(params, a->name[1], remoteNumber(a->number[0], true)) < 0
           || remotePut(params, a->name[2], remoteNumber(a->number[1], true)) < 0 ? -1
           : remotePut(params, a->name[3], remoteNumber(a->number[2], true));
}

static int
remoteCpuParamsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    if (remoteAsked(a, params, a->name[1], false, 0, UINT_MAX, &a->number[0]) < 0
        || remoteAsked(a, params, a->name[2], true, INT_MIN, INT_MAX, &a->number[1]) < 0
        || remoteAsked(a, params, a->name[3], false, 0, UINT_MAX, &a->number[2]) < 0)
        return -1;
    if (a->number[0] == 0)
        return 0;
    if (a->number[2] == 0 || a->number[0] > REMOTE_CELLS_MAX / a->number[2])
        return remoteWrong(a, a->name[1]);
    a->count = (size_t)(a->number[0] * a->number[2]);
    return (a->data = virAllocate(a->count * sizeof(virTypedParameter))) != NULL ? 0 : -1;
}

/* For each CPU those that are filled in; a CPU that is not online has none. */
static int
remoteCpuParamsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    VIRT_CLEANUP_TEXT struct virText list = { 0 };
    const virTypedParameter *params = a->data;

    (void)serving;
    (void)rc;
    for (long long i = 0; params != NULL && i < a->number[2]; i++, params += a->number[0]) {
        int n = 0;

        while (n < a->number[0] && params[n].type != 0)
            n++;
        if (remoteListAdd(&list, virTypedParamsToJson(params, n)) < 0)
            return -1;
    }
    return remotePutList(result, a->name[0], &list);
}

static int
remoteCpuParamsDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    size_t count, cpu = 0, most = (size_t)a->number[0];
    const cJSON *array = remoteGetArray(a, result, a->name[0], most > 0 ? (size_t)a->number[2] : 0, &count), *item;
    virTypedParameterPtr params;

    (void)conn;
    if (array == NULL)
        return -1;
    if (most > 0 && rc > (long long)most)
        return remoteWrong(a, "return");
    if (count == 0)
        return 0;
    a->count = most * count;
    if ((params = a->data = virAllocate(a->count * sizeof(*params))) == NULL)
        return -1;
    cJSON_ArrayForEach(item, array) {
        virTypedParameterPtr list = NULL;
        int n = 0;

        if (!cJSON_IsArray(item) || (size_t)cJSON_GetArraySize(item) > most)
            return remoteWrong(a, a->name[0]);
        if (virTypedParamsFromJson(item, &list, &n, a->name[0]) < 0)
            return -1;
        if (n > 0)
            memcpy(params + cpu * most, list, (size_t)n * sizeof(*list));
        free(list);
        cpu++;
    }
    return 0;
}

static void
remoteCpuParamsGive(struct remoteArgument *a)
{
    size_t all = (size_t)(a->number[0] * a->number[2]) * sizeof(virTypedParameter);

    if (all == 0)
        return;
    memset(a->to[0], 0, all);
    if (a->count > 0)
        memcpy(a->to[0], a->data, a->count * sizeof(virTypedParameter));
    a->count = 0;
}

static void
remoteCpuParamsClean(struct remoteArgument *a)
{
    virTypedParamsClear(a->data, (int)a->count);
    free(a->data);
}

/* ---------- CPU maps ---------- */

static int
remotePutBytes(cJSON *object, const char *key, const unsigned char *bytes, size_t length)
{
    VIRT_CLEANUP_FREE char *text = remoteBytesFormat(bytes, length);

    return text != NULL ? remotePut(object, key, cJSON_CreateString(text)) : -1;
}

static int
remoteCpuMapEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    if (a->maps != NULL && remotePutBytes(result, a->name[0], a->maps, ((size_t)*rc + 7) / 8) < 0)
        return -1;
    return remotePut(result, a->name[1], cJSON_CreateNumber(a->out.u));
}

/* The map has a bit for each CPU that the result counts. */
static int
remoteCpuMapDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    const char *text = virJsonString(result, a->name[0]);
    long long online;

    (void)conn;
    if (remoteReadNumber(virJsonGet(result, a->name[1]), false, 0, UINT_MAX, &online) < 0)
        return remoteWrong(a, a->name[1]);
    a->out.u = (unsigned int)online;
    if (a->absent)
        return 0;
    if (text == NULL || (a->maps = remoteBytesParse(text, &a->count)) == NULL || a->count < ((unsigned long long)rc + 7) / 8)
        return remoteWrong(a, a->name[0]);
    return 0;
}

static void
remoteCpuMapGive(struct remoteArgument *a)
{
    if (!a->absent) {
        *(unsigned char **)a->to[0] = a->maps;
        a->maps = NULL;
    }
    if (a->to[1] != NULL)
        *(unsigned int *)a->to[1] = a->out.u;
}

/* With data and maps. */
static void
remoteMapsClean(struct remoteArgument *a)
{
    remoteDataClean(a);
    free(a->maps);
}

/* number: how many, of how many bytes each. */
static int
remoteMapsRoom(struct remoteArgument *a, const char *name)
{
    if (a->number[0] <= 0 || a->number[1] <= 0)
        return remoteWrong(a, name);
    if (a->number[0] > REMOTE_MAPS_MAX / a->number[1])
        return virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' of %s asks for too much at once", name, a->method->name);
    return (a->maps = virAllocate((size_t)(a->number[0] * a->number[1]))) != NULL ? 0 : -1;
}

static int
remoteMapsFormat(struct remoteArgument *a, cJSON *result, const char *name, long long count)
{
    VIRT_CLEANUP_TEXT struct virText list = { 0 };

    for (long long i = 0; i < count && i < a->number[0]; i++) {
        VIRT_CLEANUP_FREE char *text = remoteBytesFormat(a->maps + i * a->number[1], (size_t)a->number[1]);

        if (text == NULL || remoteListAddString(a, &list, text) < 0)
            return -1;
    }
    return remotePutList(result, name, &list);
}

/*
 * Into a->maps, laid out with the caller's length; `count` of them have to be there. The caller gets those alone, as from a driver here: it may
 * have room for no more.
 */
static int
remoteMapsParse(struct remoteArgument *a, const cJSON *result, const char *name, long long count)
{
    size_t there, at = 0, length;
    const cJSON *array = remoteGetArray(a, result, name, (size_t)a->number[0], &there), *item;

    if (array == NULL)
        return -1;
    if (count != (long long)there)
        return remoteWrong(a, "return");
    a->number[0] = count;
    if (count > 0 && (a->maps = virAllocate((size_t)(count * a->number[1]))) == NULL)
        return -1;
    cJSON_ArrayForEach(item, array) {
        VIRT_CLEANUP_FREE unsigned char *bytes = cJSON_IsString(item) ? remoteBytesParse(item->valuestring, &length) : NULL;

        if (bytes == NULL || length > (size_t)a->number[1])
            return remoteWrong(a, name);
        memcpy(a->maps + at++ * (size_t)a->number[1], bytes, length);
    }
    return 0;
}

static int
remoteCpuMapsEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePut(params, a->name[0], remoteNumber(a->number[0], true)) < 0
           ? -1 : remotePut(params, a->name[2], remoteNumber(a->number[1], true));
}

static int
remoteCpuMapsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    if (remoteAsked(a, params, a->name[0], true, 0, INT_MAX, &a->number[0]) < 0
        || remoteAsked(a, params, a->name[2], true, 0, INT_MAX, &a->number[1]) < 0)
        return -1;
    (void)serving;
    return remoteMapsRoom(a, a->name[2]);
}

static int
remoteCpuMapsEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    return remoteMapsFormat(a, result, a->name[1], *rc);
}

static int
remoteCpuMapsDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    (void)conn;
    return remoteMapsParse(a, result, a->name[1], rc);
}

/* To where the caller's maps are, if it wants any. */
static void
remoteMapsGive(struct remoteArgument *a, void *to)
{
    if (a->maps != NULL)
        memcpy(to, a->maps, (size_t)(a->number[0] * a->number[1]));
}

static void
remoteCpuMapsGive(struct remoteArgument *a)
{
    remoteMapsGive(a, a->to[0]);
}

/* One map; the result does not count. */
static int
remoteCpuMapBytesEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePut(params, a->name[1], remoteNumber(a->number[1], true));
}

static int
remoteCpuMapBytesDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    a->number[0] = 1;
    return remoteAsked(a, params, a->name[1], true, 0, INT_MAX, &a->number[1]) < 0 ? -1 : remoteMapsRoom(a, a->name[1]);
}

static int
remoteCpuMapBytesEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)rc;
    return remoteMapsFormat(a, result, a->name[0], 1);
}

static int
remoteCpuMapBytesDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    (void)conn;
    (void)rc;
    return remoteMapsParse(a, result, a->name[0], 1);
}

/* (info, max, cpumaps, length): the maps only where the caller wants them. */
static int
remoteVcpusEncodeIn(struct remoteArgument *a, cJSON *params)
{
    if (remotePut(params, a->name[1], remoteNumber(a->number[0], true)) < 0 || remoteSayAbsent(a, params, a->name[2]) < 0)
        return -1;
    return a->absent ? 0 : remotePut(params, a->name[3], remoteNumber(a->number[1], true));
}

static int
remoteVcpusDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    remoteWants(a, params, a->name[2]);
    if (remoteRowsAsked(a, params, a->name[1]) < 0 || (a->number[0] > 0 && remoteRoom(a, (size_t)a->number[0]) < 0))
        return -1;
    if (a->absent)
        return 0;
    if (remoteAsked(a, params, a->name[3], true, 0, INT_MAX, &a->number[1]) < 0)
        return -1;
    return remoteMapsRoom(a, a->name[3]);
}

static int
remoteVcpusEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    if (remoteRowsEncodeOut(serving, a, rc, result) < 0)
        return -1;
    return a->maps != NULL ? remoteMapsFormat(a, result, a->name[2], *rc) : 0;
}

static int
remoteVcpusDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    if (remoteRowsDecodeOut(conn, a, rc, result) < 0)
        return -1;
    return a->absent ? 0 : remoteMapsParse(a, result, a->name[2], rc);
}

static void
remoteVcpusGive(struct remoteArgument *a)
{
    remoteRowsGive(a);
    remoteMapsGive(a, a->to[1]);
}

/* ---------- the kinds ---------- */

#define REMOTE_VALUE(word, type, end) \
    VIRT_INTERNAL const struct remoteKind remoteKind_##word = { NULL, remoteNothingDecodeIn, remote##type##EncodeOut, remote##type##DecodeOut, remote##type##Give, end, NULL }
#define REMOTE_STRUCT(word, layout, give) \
    VIRT_INTERNAL const struct remoteKind remoteKind_##word = { NULL, remoteStructDecodeIn, remoteStructEncodeOut, remoteStructDecodeOut, give, remoteDataClean, &layout }
#define REMOTE_ROWS(word, layout) \
    VIRT_INTERNAL const struct remoteKind remoteKind_##word = { remoteRowsEncodeIn, remoteRowsDecodeIn, remoteRowsEncodeOut, remoteRowsDecodeOut, remoteRowsGive, remoteRowsClean, &layout }
#define REMOTE_COUNTED(word, layout) \
    VIRT_INTERNAL const struct remoteKind remoteKind_##word = { remoteRowsEncodeIn, remoteRowsDecodeIn, remoteCountedEncodeOut, remoteCountedDecodeOut, remoteCountedGive, remoteRowsClean, &layout }
#define REMOTE_LIST(word, type) \
    VIRT_INTERNAL const struct remoteKind remoteKind_##word = { remoteListEncodeIn, remoteListDecodeIn, remote##type##EncodeOut, remote##type##DecodeOut, remoteListGive, remote##type##Clean, NULL }

REMOTE_STRUCT(OUT_NODE_INFO, remoteNodeInfo, remoteStructGive);
REMOTE_STRUCT(OUT_DOMAIN_INFO, remoteDomainInfo, remoteStructGive);
REMOTE_STRUCT(OUT_JOB_INFO, remoteJobInfo, remoteStructGive);
REMOTE_STRUCT(OUT_CONTROL_INFO, remoteControlInfo, remoteStructGive);
REMOTE_STRUCT(OUT_BLOCK_INFO, remoteBlockInfo, remoteStructGive);
REMOTE_STRUCT(OUT_SECURITY_MODEL, remoteSecurityModel, remoteStructGive);
REMOTE_STRUCT(OUT_BLOCK_STATS, remoteBlockStats, remoteSizedGive);
REMOTE_STRUCT(OUT_INTERFACE_STATS, remoteInterfaceStats, remoteSizedGive);
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_INTS = {
    remoteRowsEncodeIn, remoteGuestsDecodeIn, remoteIntsEncodeOut, remoteRowsDecodeOut, remoteRowsGive, remoteRowsClean, &remoteIntItem,
};
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_NAMES = {
    remoteRowsEncodeIn, remoteGuestsDecodeIn, remoteNamesEncodeOut, remoteRowsDecodeOut, remoteRowsGive, remoteRowsClean, &remoteTextItem,
};
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_CELLS = {
    remoteCellsEncodeIn, remoteCellsDecodeIn, remoteRowsEncodeOut, remoteRowsDecodeOut, remoteRowsGive, remoteRowsClean, &remoteUllItem,
};
REMOTE_LIST(OUT_DOMAINS_OR_NULL, Domains);
REMOTE_LIST(OUT_STRINGS_OR_NULL, Texts);
REMOTE_LIST(OUT_MIGRATIONS_OR_NULL, Texts);
REMOTE_VALUE(OUT_PARAMS, OutParams, remoteParamsClean);
REMOTE_LIST(OUT_RECORDS, Records);
REMOTE_ROWS(OUT_MEMORY_STATS, remoteMemoryStat);
REMOTE_ROWS(OUT_DISK_ERRORS, remoteDiskError);
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_PARAMS_ROOM = {
    remoteRowsEncodeIn, remoteParamsRoomDecodeIn, remoteParamsRoomEncodeOut, remoteParamsRoomDecodeOut, remoteParamsRoomGive, remoteParamsRoomClean, NULL,
};
REMOTE_COUNTED(OUT_NODE_CPU_STATS, remoteNodeCpuStats);
REMOTE_COUNTED(OUT_NODE_MEMORY_STATS, remoteNodeMemoryStats);
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_CPU_PARAMS = {
    remoteCpuParamsEncodeIn, remoteCpuParamsDecodeIn, remoteCpuParamsEncodeOut, remoteCpuParamsDecodeOut, remoteCpuParamsGive, remoteCpuParamsClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_CPUMAP_OR_NULL = {
    remoteListEncodeIn, remoteListDecodeIn, remoteCpuMapEncodeOut, remoteCpuMapDecodeOut, remoteCpuMapGive, remoteMapsClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_CPUMAPS = {
    remoteCpuMapsEncodeIn, remoteCpuMapsDecodeIn, remoteCpuMapsEncodeOut, remoteCpuMapsDecodeOut, remoteCpuMapsGive, remoteMapsClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_CPUMAP_BYTES = {
    remoteCpuMapBytesEncodeIn, remoteCpuMapBytesDecodeIn, remoteCpuMapBytesEncodeOut, remoteCpuMapBytesDecodeOut, remoteCpuMapsGive, remoteMapsClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_OUT_VCPUS = {
    remoteVcpusEncodeIn, remoteVcpusDecodeIn, remoteVcpusEncodeOut, remoteVcpusDecodeOut, remoteVcpusGive, remoteMapsClean, &remoteVcpuInfo,
};

#undef REMOTE_MAPS_MAX
#undef REMOTE_CELLS_MAX
#undef REMOTE_TYPE_OF
#undef REMOTE_MEMBER
#undef REMOTE_CHARS
#undef REMOTE_POINTER
#undef REMOTE_LAYOUT
#undef REMOTE_VALUE
#undef REMOTE_STRUCT
#undef REMOTE_ROWS
#undef REMOTE_COUNTED
#undef REMOTE_LIST
#undef VIRT_FROM

#endif
