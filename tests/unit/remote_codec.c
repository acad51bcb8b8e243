/*
 * The remote driver's codec without a socket: a stub, its text, the serve function on a connection, that text, and what the stub hands out.
 * Every call of calls.def is run by its kinds of arguments, once directly and once through the codec: what the driver is given and what the
 * caller gets must be the same. A kind without words here does not compile.
 */
#define REMOTE_LINK_CALL codecLink
#define REMOTE_STREAM_NUMBER(stream) 5
#define REMOTE_STREAM_OPENED(stream, number, sends, receives) ((void)(stream), (sends) || (number) != 5 ? virReportError(VIR_ERR_RPC, "a wrong stream") : 0 * (receives))
#include "../../drivers/common/platform.h"
#include "../../drivers/common/json.h"
#include "../../drivers/common/params.h"
#include "../../drivers/common/text.h"
#include "../../drivers/remote/codec.c"
#include "../../drivers/remote/kinds.c"
#include "../fault.h"
#include "../harness.h"

#if VIRT_WITH_REMOTE

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <time.h>

#define NEED(call) ({ __typeof__(call) need_ = (call); if (need_ == NULL) FAIL("%s: %s", #call, virGetLastErrorMessage()); need_; })

/* ---------- the link ---------- */

static struct remoteServing serving;
static char *lastParams, *lastResult;      /* texts of the last call */
static const char *forged;                 /* a reply to be given in place of the server's */

static cJSON *
throughText(cJSON *json, char **text)
{
    free(*text);
    faultPause();
    *text = virJsonFormat(json);
    cJSON_Delete(json);
    CHECK_NOT_NULL(*text);
    json = virJsonParse(*text, strlen(*text), "message");
    if (json == NULL)
        FAIL("%s: %s", virGetLastErrorMessage(), *text);
    faultResume();
    return json;
}

static int
codecLink(virConnectPtr conn, const struct remoteMethod *method, cJSON *params, const struct virMigrationCall *phase, cJSON **result)
{
    cJSON *reply;

    (void)conn;
    CHECK(phase == NULL || method->phase);
    params = throughText(params, &lastParams);
    if (forged != NULL) {
        cJSON_Delete(params);
        *result = virJsonParse(forged, strlen(forged), "forged");
        CHECK_NOT_NULL(*result);
        return 1;
    }
    reply = method->serve(&serving, params);
    cJSON_Delete(params);
    if (reply == NULL) {
        int code = virGetLastErrorCode();
        cJSON *error;

        CHECK_MSG(code != VIR_ERR_OK, "%s failed without an error", method->name);
        error = remoteErrorFormat(virGetLastError());
        virResetLastError();
        if (error == NULL)
            return virReportNoMemory();
        error = throughText(error, &lastResult);
        remoteErrorParse(error);
        cJSON_Delete(error);
        return -1;
    }
    *result = throughText(reply, &lastResult);
    return 1;
}

/* ---------- streams ---------- */

static int
codecStreamHole(virStreamPtr stream, long long *length, unsigned int flags)
{
    (void)stream;
    (void)length;
    return (int)flags;
}

static void
codecStreamFree(virStreamPtr stream)
{
    (void)stream;
}

static const struct virStreamDriver codecStream = { .recvHole = codecStreamHole, .free = codecStreamFree };

static void *
codecStreamBegin(struct remoteServing *s, unsigned long long number, virStreamPtr *stream)
{
    CHECK(number > 0);
    return *stream = virStreamNew(s->conn, VIR_STREAM_NONBLOCK);
}

static void
codecStreamKeep(void *opened)
{
    CHECK_NOT_NULL(((virStreamPtr)opened)->driver);
}

static void
codecStreamDrop(virStreamPtr stream)
{
    virErrorPtr saved = virSaveLastError();

    virStreamFree(stream);
    virRestoreLastError(saved);
}

static void
codecStreamEnd(void *opened)
{
    faultPause();
    codecStreamDrop(opened);
    faultResume();
}

/* ---------- what is seen ---------- */

static char seen[1 << 15];                 /* what the slot was given last */
static char shown[1 << 17];                /* what the caller got */
static bool nulls;                         /* the caller leaves out what it may */
static int room = 8;

static void __attribute__((format(printf, 2, 3)))
note(char *to, const char *fmt, ...)
{
    size_t length = strlen(to), size = to == seen ? sizeof(seen) : sizeof(shown);
    va_list args;

    va_start(args, fmt);
    vsnprintf(to + length, size - length, fmt, args);
    va_end(args);
}

static void
noteBytes(char *to, const void *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        note(to, "%02x", ((const unsigned char *)data)[i]);
    note(to, ";");
}

static void
noteParams(char *to, virTypedParameterPtr params, int n)
{
    for (int i = 0; i < n; i++) {
        note(to, " %s(%d)=", params[i].field, params[i].type);
        if (params[i].type == VIR_TYPED_PARAM_STRING)
            note(to, "%s", params[i].value.s);
        else if (params[i].type == VIR_TYPED_PARAM_DOUBLE)
            note(to, "%a", params[i].value.d);
        else if (params[i].type == VIR_TYPED_PARAM_LLONG || params[i].type == VIR_TYPED_PARAM_ULLONG)
            note(to, "%llu", params[i].value.ul);
        else
            note(to, "%d", params[i].type == VIR_TYPED_PARAM_BOOLEAN ? params[i].value.b : params[i].value.i);
    }
    note(to, ";");
}

static void
noteDomain(char *to, virDomainPtr domain)
{
    if (domain == NULL) {
        note(to, "none;");
        return;
    }
    note(to, "%s %d ", domain->name, domain->id);
    noteBytes(to, domain->uuid, VIR_UUID_BUFLEN);
}

static int
someParams(virTypedParameterPtr *params, int *n)
{
    int max = 0;

    *params = NULL;
    *n = 0;
    virTypedParamsAddInt(params, n, &max, "int", INT_MIN);
    virTypedParamsAddUInt(params, n, &max, "uint", UINT_MAX);
    virTypedParamsAddLLong(params, n, &max, "llong", LLONG_MIN);
    virTypedParamsAddULLong(params, n, &max, "ullong", ULLONG_MAX);
    virTypedParamsAddDouble(params, n, &max, "double", 0.1 + 0.2);
    virTypedParamsAddBoolean(params, n, &max, "yes", 1);
    virTypedParamsAddString(params, n, &max, "string", "a \"text\" \\ with \xc3\xa4 and\nlines");
    return *n;
}

/* ---------- the driver that notes what it is given and gives what is worst ---------- */

static const unsigned char guestUuid[VIR_UUID_BUFLEN] = { 0xfe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff };
static bool slotFails;

static virDomainPtr
someDomain(virConnectPtr conn, int id)
{
    return virNewDomain(conn, "a guest", guestUuid, id, NULL, NULL);
}

static char *
someText(void)
{
    return strdup("out \"of\" it\t\xe2\x82\xac\\u0000");
}

#define SEEN(kind, ...) SEEN_##kind(__VA_ARGS__)
#define SEEN_CONNECT(name)              virConnectPtr on = name; (void)on;
#define SEEN_DOMAIN(name)               virConnectPtr on = name->conn; noteDomain(seen, name); atomic_store(&name->id, 9); (void)on;
#define SEEN_STREAM(name)               note(seen, "stream;"); if (name->driver == NULL) CHECK_OK(virStreamAttach(name, &codecStream, NULL));
#define SEEN_DOMAINS(name)              virConnectPtr on = name[0]->conn; for (size_t i = 0; name[i] != NULL; i++) noteDomain(seen, name[i]);
#define SEEN_STRING(name)               note(seen, "%s;", name != NULL ? name : "(null)");
#define SEEN_STRING_OR_NULL(name)       SEEN_STRING(name)
#define SEEN_URI(name)                  SEEN_STRING(name)
#define SEEN_XML(name)                  SEEN_STRING(name)
#define SEEN_UUID(name)                 noteBytes(seen, name, VIR_UUID_BUFLEN);
#define SEEN_INT(name)                  note(seen, "%d;", name);
#define SEEN_UINT(name)                 note(seen, "%u;", name);
#define SEEN_ULONG(name)                note(seen, "%lu;", name);
#define SEEN_ULL(name)                  note(seen, "%llu;", name);
#define SEEN_KEYCODES(name, count)      noteBytes(seen, name, (size_t)count * sizeof(*name));
#define SEEN_IN_PARAMS(name, count)     noteParams(seen, name, (int)count);
#define SEEN_FLAGS(name, ...)           note(seen, "%x;", name);
#define SEEN_FLAGS_AFFECT(name, known)  note(seen, "%x;", name);
#define SEEN_MIGRATION(name)            note(seen, "%s %x %d %d", name->uuid, name->flags, name->timeout, name->stream); noteParams(seen, name->params, name->nparams);
#define SEEN_OUT_INT(name)              *name = INT_MIN;
#define SEEN_OUT_INT_OR_NULL(name)      if (name != NULL) *name = 77;
#define SEEN_OUT_ULONG(name)            *name = ULONG_MAX - 3;
#define SEEN_OUT_ULL(name)              *name = ULLONG_MAX - 5;
#define SEEN_OUT_STRING(name)           *name = someText();
#define SEEN_OUT_DOMAIN(name)           *name = someDomain(on, 12);
#define SEEN_OUT_NODE_INFO(name)        *name = (virNodeInfo){ "x86_64", ULONG_MAX, 1, 2, 3, 4, 5, UINT_MAX };
#define SEEN_OUT_DOMAIN_INFO(name)      memset(name, 0, sizeof(*name)); name->state = 255; name->maxMem = ULONG_MAX; name->nrVirtCpu = 65535; name->cpuTime = ULLONG_MAX;
#define SEEN_OUT_JOB_INFO(name)         memset(name, 0xff, sizeof(*name)); name->type = 2;
#define SEEN_OUT_CONTROL_INFO(name)     memset(name, 0, sizeof(*name)); name->stateTime = 9007199254740993ull;
#define SEEN_OUT_BLOCK_INFO(name)       *name = (virDomainBlockInfo){ ULLONG_MAX, 9007199254740992ull, 0 };
#define SEEN_OUT_SECURITY_MODEL(name)   memset(name, 0, sizeof(*name)); memset(name->model, 'm', sizeof(name->model) - 1); strcpy(name->doi, "0");
#define SEEN_OUT_BLOCK_STATS(name, size)     note(seen, "%zu", size); *name = (virDomainBlockStatsStruct){ LLONG_MIN, LLONG_MAX, -1, 0, -9007199254740993ll };
#define SEEN_OUT_INTERFACE_STATS(name, size) note(seen, "%zu", size); *name = (virDomainInterfaceStatsStruct){ 1, -1, 2, 3, 4, 5, 6, LLONG_MIN };
#define SEEN_OUT_INTS(name, max)        note(seen, "%d;", max); for (n = 0; n < 5 && n < max; n++) name[n] = (int)n * 1000 - 3;
#define SEEN_OUT_NAMES(name, max)       note(seen, "%d;", max); for (n = 0; n < 5 && n < max; n++) name[n] = someText();
#define SEEN_OUT_CELLS(name, start, max) note(seen, "%d %d;", start, max); for (n = 0; n < 5 && n < max; n++) name[n] = ULLONG_MAX - (unsigned long long)n;
#define SEEN_OUT_DOMAINS_OR_NULL(name)  note(seen, "%d;", name == NULL); n = 3; \
    if (name != NULL) { *name = calloc(4, sizeof(**name)); for (int i = 0; i < 3; i++) (*name)[i] = someDomain(on, i - 1); }
#define SEEN_OUT_STRINGS_OR_NULL(name)  note(seen, "%d;", name == NULL); n = 3; \
    if (name != NULL) { *name = calloc(4, sizeof(**name)); for (int i = 0; i < 3; i++) (*name)[i] = someText(); }
#define SEEN_OUT_MIGRATIONS_OR_NULL(name) n = 3; \
    if (name != NULL) { *name = calloc(4, sizeof(**name)); for (int i = 0; i < 3; i++) (*name)[i] = someText(); }
#define SEEN_OUT_PARAMS(name, count)    someParams(name, count);
#define SEEN_OUT_RECORDS(name)          n = 2; *name = calloc(3, sizeof(**name)); \
    for (int i = 0; i < 2; i++) { (*name)[i] = calloc(1, sizeof(***name)); (*name)[i]->dom = someDomain(on, i); someParams(&(*name)[i]->params, &(*name)[i]->nparams); }
#define SEEN_OUT_MEMORY_STATS(name, max) for (n = 0; n < 4 && n < (long long)max; n++) name[n] = (virDomainMemoryStatStruct){ (int)n, ULLONG_MAX };
#define SEEN_OUT_DISK_ERRORS(name, max) n = 6; for (int i = 0; i < (int)max; i++) { n = i + 1; name[i].disk = someText(); name[i].error = i; if (n == 4) break; }
#define SEEN_OUT_PARAMS_ROOM(name, max) note(seen, "%d;", *max); n = 0; { virTypedParameterPtr p; int np; someParams(&p, &np); \
    for (int i = 0; i < np; i++) { if (i < *max) name[i] = p[i]; else virTypedParamsClear(&p[i], 1); } free(p); *max = *max == 0 || *max > np ? np : *max; }
#define SEEN_OUT_NODE_CPU_STATS(name, max) for (int i = 0; i < 3 && i < *max; i++) { strcpy(name[i].field, "kernel"); name[i].value = ULLONG_MAX; } *max = *max == 0 || *max > 3 ? 3 : *max; n = 0;
#define SEEN_OUT_NODE_MEMORY_STATS(name, max) SEEN_OUT_NODE_CPU_STATS(name, max)
#define SEEN_OUT_CPU_PARAMS(name, max, start, count) note(seen, "%u %d %u;", max, start, count); n = 2; \
    for (unsigned int c = 0; name != NULL && c < count; c++) for (int i = 0; i < 2 && i < (int)max && c != 1; i++) { \
        virTypedParameterPtr p = &name[c * max + (unsigned int)i]; strcpy(p->field, i ? "cpu" : "name"); \
        p->type = i ? VIR_TYPED_PARAM_ULLONG : VIR_TYPED_PARAM_STRING; if (i) p->value.ul = ULLONG_MAX - c; else p->value.s = someText(); }
#define SEEN_OUT_CPUMAP_OR_NULL(name, online) n = 12; if (name != NULL) { *name = malloc(2); memcpy(*name, "\xff\x0f", 2); } if (online != NULL) *online = 11;
#define SEEN_OUT_CPUMAPS(count, name, length) note(seen, "%d %d;", count, length); n = count < 3 ? count : 3; for (int i = 0; i < n * length; i++) name[i] = (unsigned char)(i * 7);
#define SEEN_OUT_CPUMAP_BYTES(name, length)   note(seen, "%d;", length); memset(name, 0xa5, (size_t)length); n = 1;
#define SEEN_OUT_VCPUS(info, max, cpumaps, length) note(seen, "%d %d;", max, cpumaps != NULL ? length : 0); n = max < 3 ? max : 3; \
    for (int i = 0; i < n; i++) info[i] = (virVcpuInfo){ (unsigned int)i, 1, ULLONG_MAX, -1 }; \
    for (int i = 0; cpumaps != NULL && i < n * length; i++) cpumaps[i] = (unsigned char)(255 - i);

#define GIVEN_INT               (int)n
#define GIVEN_COUNT_ACTIVE      (int)n
#define GIVEN_COUNT_INACTIVE    (int)n
#define GIVEN_ULONG             (ULONG_MAX - 1)
#define GIVEN_ULL               (ULLONG_MAX - 1)
#define GIVEN_STRING            someText()
#define GIVEN_DOMAIN            someDomain(on, 7)

#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, group, slot, access, permission, ...)                                \
    static VIRT_TYPE_##result                                                                       \
    slot_##function(VIRT_LIST(VIRT_DECLARE, __VA_ARGS__))                                           \
    {                                                                                               \
        long long n = 1;                                                                            \
                                                                                                    \
        faultPause();                                                                               \
        seen[0] = '\0';                                                                             \
        note(seen, #function " ");                                                                  \
        if (slotFails) {                                                                            \
            faultResume();                                                                          \
            virReportError(VIR_ERR_OPERATION_FAILED, "%s failed: \xff", #function);                 \
            return VIRT_FAILURE_##result;                                                           \
        }                                                                                           \
        VIRT_EACH(SEEN, __VA_ARGS__)                                                                \
        (void)n;                                                                                    \
        VIRT_TYPE_##result rc = GIVEN_##result;                                                     \
        faultResume();                                                                              \
        return rc;                                                                                  \
    }
#define VIRT_FROM VIR_FROM_TEST
#include "../../drivers/calls.def"

/* ---------- a caller of each call ---------- */

#define LOCAL(kind, ...) LOCAL_##kind(__VA_ARGS__)
#define LOCAL_CONNECT(name)             virConnectPtr name = conn_;
#define LOCAL_DOMAIN(name)              virDomainPtr name = domain_;
#define LOCAL_STREAM(name)              virStreamPtr name = NEED(virStreamNew(conn_ != NULL ? conn_ : domain_->conn, 0));
#define LOCAL_DOMAINS(name)             virDomainPtr name##_[] = { domain_, domain_, NULL }, *name = name##_;
#define LOCAL_STRING(name)              const char *name = "in \"quoted\" \\u0000 \xc3\xa4 " #name;
#define LOCAL_STRING_OR_NULL(name)      const char *name = nulls ? NULL : "in " #name;
#define LOCAL_URI(name)                 const char *name = "test+ssh://there/default?socket=/in";
#define LOCAL_XML(name)                 const char *name = "<domain type='test'><name>made</name><memory>1</memory><os><type>hvm</type></os></domain>";
#define LOCAL_UUID(name)                const unsigned char *name = guestUuid;
#define LOCAL_INT(name)                 int name = INT_MIN + 1;
#define LOCAL_UINT(name)                unsigned int name = 4000000000u;
#define LOCAL_ULONG(name)               unsigned long name = ULONG_MAX;
#define LOCAL_ULL(name)                 unsigned long long name = ULLONG_MAX;
#define LOCAL_KEYCODES(name, count)     unsigned int name##_[] = { 30, 48, UINT_MAX }, *name = name##_; int count = 3;
#define LOCAL_IN_PARAMS(name, count)    virTypedParameterPtr name; int count##_; unsigned int count = (unsigned int)someParams(&name, &count##_);
#define LOCAL_FLAGS(name, known, ...)   unsigned int name = known;
#define LOCAL_FLAGS_AFFECT(name, known) unsigned int name = known;
#define LOCAL_MIGRATION(which)          struct virMigrationCall which##_ = { .uuid = "00010203-0405-0607-0809-0a0b0c0d0e0f", .flags = 0xffffffff, .timeout = 250, .stream = -1, .name = domain_->name, .guest = domain_->uuid }; \
    const struct virMigrationCall *which = &which##_; someParams(&which##_.params, &which##_.nparams);
#define LOCAL_OUT_INT(name)             int name##_ = 0, *name = &name##_;
#define LOCAL_OUT_INT_OR_NULL(name)     int name##_ = 0x55, *name = nulls ? NULL : &name##_;
#define LOCAL_OUT_ULONG(name)           unsigned long name##_ = 0x55, *name = &name##_;
#define LOCAL_OUT_ULL(name)             unsigned long long name##_ = 0x55, *name = &name##_;
#define LOCAL_OUT_STRING(name)          char *name##_ = NULL, **name = &name##_;
#define LOCAL_OUT_DOMAIN(name)          virDomainPtr name##_ = NULL, *name = &name##_;
#define LOCAL_STRUCT(type, name)        type name##_, *name = &name##_; memset(name, 0x55, sizeof(*name));
#define LOCAL_OUT_NODE_INFO(name)       LOCAL_STRUCT(virNodeInfo, name)
#define LOCAL_OUT_DOMAIN_INFO(name)     LOCAL_STRUCT(virDomainInfo, name)
#define LOCAL_OUT_JOB_INFO(name)        LOCAL_STRUCT(virDomainJobInfo, name)
#define LOCAL_OUT_CONTROL_INFO(name)    LOCAL_STRUCT(virDomainControlInfo, name)
#define LOCAL_OUT_BLOCK_INFO(name)      LOCAL_STRUCT(virDomainBlockInfo, name)
#define LOCAL_OUT_SECURITY_MODEL(name)  LOCAL_STRUCT(virSecurityModel, name)
#define LOCAL_OUT_BLOCK_STATS(name, size)     LOCAL_STRUCT(virDomainBlockStatsStruct, name) size_t size = sizeof(*name);
#define LOCAL_OUT_INTERFACE_STATS(name, size) LOCAL_STRUCT(virDomainInterfaceStatsStruct, name) size_t size = sizeof(*name);
#define LOCAL_ARRAY(type, name)         type *name = calloc(room > 0 ? (size_t)room : 1, sizeof(*name));    /* its end is watched by ASan */
#define LOCAL_OUT_INTS(name, max)       LOCAL_ARRAY(int, name) int max = room;
#define LOCAL_OUT_NAMES(name, max)      LOCAL_ARRAY(char *, name) int max = room;
#define LOCAL_OUT_CELLS(name, start, max) LOCAL_ARRAY(unsigned long long, name) int start = 2, max = room;
#define LOCAL_OUT_DOMAINS_OR_NULL(name) virDomainPtr *name##_ = NULL, **name = nulls ? NULL : &name##_;
#define LOCAL_OUT_STRINGS_OR_NULL(name) char **name##_ = NULL, ***name = nulls ? NULL : &name##_;
#define LOCAL_OUT_MIGRATIONS_OR_NULL(name) LOCAL_OUT_STRINGS_OR_NULL(name)
#define LOCAL_OUT_PARAMS(name, count)   virTypedParameterPtr name##_ = NULL, *name = &name##_; int count##_ = 0, *count = &count##_;
#define LOCAL_OUT_RECORDS(name)         virDomainStatsRecordPtr *name##_ = NULL, **name = &name##_;
#define LOCAL_OUT_MEMORY_STATS(name, max) LOCAL_ARRAY(virDomainMemoryStatStruct, name) unsigned int max = (unsigned int)room;
#define LOCAL_OUT_DISK_ERRORS(name, max) LOCAL_ARRAY(virDomainDiskError, name) unsigned int max = (unsigned int)room;
#define LOCAL_OUT_PARAMS_ROOM(name, max) LOCAL_ARRAY(virTypedParameter, name) int max##_ = room, *max = &max##_;
#define LOCAL_OUT_NODE_CPU_STATS(name, max) LOCAL_ARRAY(virNodeCPUStats, name) int max##_ = room, *max = &max##_;
#define LOCAL_OUT_NODE_MEMORY_STATS(name, max) LOCAL_ARRAY(virNodeMemoryStats, name) int max##_ = room, *max = &max##_;
#define LOCAL_OUT_CPU_PARAMS(name, max, start, count) virTypedParameterPtr name = nulls ? NULL : calloc(3 * 4, sizeof(*name)); \
    unsigned int max = nulls ? 0 : 4, count = nulls ? 0 : 3; int start = 0;
#define LOCAL_OUT_CPUMAP_OR_NULL(name, online) unsigned char *name##_ = NULL, **name = nulls ? NULL : &name##_; unsigned int online##_ = 0x55, *online = nulls ? NULL : &online##_;
#define LOCAL_OUT_CPUMAPS(count, name, length) int count = 4, length = 5; unsigned char *name = calloc(4, 5);
#define LOCAL_OUT_CPUMAP_BYTES(name, length) int length = 5; unsigned char *name = calloc(1, 5);
#define LOCAL_OUT_VCPUS(info, max, cpumaps, length) LOCAL_ARRAY(virVcpuInfo, info) int max = room, length = nulls ? 0 : 3; \
    unsigned char *cpumaps = nulls || room == 0 ? NULL : calloc((size_t)room, 3);

#define SHOW(kind, ...) SHOW_##kind(__VA_ARGS__)
#define SHOW_CONNECT(name)
#define SHOW_DOMAIN(name)               note(shown, "id %d;", name->id);
#define SHOW_STREAM(name)               codecStreamDrop(name);
#define SHOW_DOMAINS(name)
#define SHOW_STRING(name)
#define SHOW_STRING_OR_NULL(name)
#define SHOW_URI(name)
#define SHOW_XML(name)
#define SHOW_UUID(name)
#define SHOW_INT(name)
#define SHOW_UINT(name)
#define SHOW_ULONG(name)
#define SHOW_ULL(name)
#define SHOW_KEYCODES(name, count)
#define SHOW_IN_PARAMS(name, count)     virTypedParamsFree(name, (int)count);
#define SHOW_FLAGS(name, ...)
#define SHOW_FLAGS_AFFECT(name, known)
#define SHOW_MIGRATION(name)            virTypedParamsFree(name->params, name->nparams);
#define SHOW_OUT_INT(name)              note(shown, #name " %d;", name##_);
#define SHOW_OUT_INT_OR_NULL(name)      SHOW_OUT_INT(name)
#define SHOW_OUT_ULONG(name)            note(shown, #name " %lu;", *name);
#define SHOW_OUT_ULL(name)              note(shown, #name " %llu;", *name);
#define SHOW_OUT_STRING(name)           note(shown, #name " %s;", *name != NULL ? *name : "(null)"); free(*name);
#define SHOW_OUT_DOMAIN(name)           noteDomain(shown, *name); if (*name != NULL) virDomainFree(*name);
#define SHOW_OUT_NODE_INFO(name)        note(shown, "%.32s %lu %u %u %u %u %u %u;", name->model, name->memory, name->cpus, name->mhz, name->nodes, name->sockets, name->cores, name->threads);
#define SHOW_OUT_DOMAIN_INFO(name)      note(shown, "%d %lu %lu %d %llu;", name->state, name->maxMem, name->memory, name->nrVirtCpu, name->cpuTime);
#define SHOW_OUT_JOB_INFO(name)         note(shown, "%d ", name->type); noteBytes(shown, &name->timeElapsed, 11 * sizeof(long long));
#define SHOW_OUT_CONTROL_INFO(name)     note(shown, "%u %u %llu;", name->state, name->details, name->stateTime);
#define SHOW_OUT_BLOCK_INFO(name)       noteBytes(shown, name, sizeof(*name));
#define SHOW_OUT_SECURITY_MODEL(name)   note(shown, "%.257s %.257s;", name->model, name->doi);
#define SHOW_OUT_BLOCK_STATS(name, size) noteBytes(shown, name, sizeof(*name));
#define SHOW_OUT_INTERFACE_STATS(name, size) noteBytes(shown, name, sizeof(*name));
#define SHOW_OUT_INTS(name, max)        for (long long i = 0; i < n && i < max; i++) note(shown, "%d ", name[i]); free(name);
#define SHOW_OUT_NAMES(name, max)       for (long long i = 0; i < n && i < max; i++) { note(shown, "%s ", name[i]); free(name[i]); } free(name);
#define SHOW_OUT_CELLS(name, start, max) for (long long i = 0; i < n && i < max; i++) note(shown, "%llu ", name[i]); free(name);
#define SHOW_OUT_DOMAINS_OR_NULL(name)  for (size_t i = 0; name##_ != NULL && name##_[i] != NULL; i++) { noteDomain(shown, name##_[i]); virDomainFree(name##_[i]); } free(name##_);
#define SHOW_OUT_STRINGS_OR_NULL(name)  for (size_t i = 0; name##_ != NULL && name##_[i] != NULL; i++) { note(shown, "%s ", name##_[i]); free(name##_[i]); } free(name##_);
#define SHOW_OUT_MIGRATIONS_OR_NULL(name) SHOW_OUT_STRINGS_OR_NULL(name)
#define SHOW_OUT_PARAMS(name, count)    noteParams(shown, *name, *count); virTypedParamsFree(*name, *count);
#define SHOW_OUT_RECORDS(name)          for (size_t i = 0; *name != NULL && (*name)[i] != NULL; i++) { noteDomain(shown, (*name)[i]->dom); noteParams(shown, (*name)[i]->params, (*name)[i]->nparams); } \
    virDomainStatsRecordListFree(*name);
#define SHOW_OUT_MEMORY_STATS(name, max) for (long long i = 0; i < n && i < max; i++) note(shown, "%d %llu ", name[i].tag, name[i].val); free(name);
#define SHOW_OUT_DISK_ERRORS(name, max) for (long long i = 0; i < n && i < max; i++) { note(shown, "%s %d ", name[i].disk, name[i].error); free(name[i].disk); } free(name);
#define SHOW_OUT_PARAMS_ROOM(name, max) note(shown, "%d ", *max); if (room > 0 && n >= 0) { noteParams(shown, name, *max); virTypedParamsClear(name, *max); } free(name);
#define SHOW_OUT_NODE_CPU_STATS(name, max) note(shown, "%d ", *max); for (int i = 0; n >= 0 && i < *max && i < room; i++) note(shown, "%s %llu ", name[i].field, name[i].value); free(name);
#define SHOW_OUT_NODE_MEMORY_STATS(name, max) SHOW_OUT_NODE_CPU_STATS(name, max)
#define SHOW_OUT_CPU_PARAMS(name, max, start, count) for (unsigned int i = 0; name != NULL && i < max * count; i++) { \
    if (name[i].type != 0) { noteParams(shown, &name[i], 1); virTypedParamsClear(&name[i], 1); } else { note(shown, "-"); } } free(name);
#define SHOW_OUT_CPUMAP_OR_NULL(name, online) note(shown, "%u ", online##_); if (name##_ != NULL) noteBytes(shown, name##_, ((size_t)n + 7) / 8); free(name##_);
#define SHOW_OUT_CPUMAPS(count, name, length) noteBytes(shown, name, (size_t)(count * length)); free(name);
#define SHOW_OUT_CPUMAP_BYTES(name, length) noteBytes(shown, name, (size_t)length); free(name);
#define SHOW_OUT_VCPUS(info, max, cpumaps, length) for (long long i = 0; i < n && i < max; i++) note(shown, "%u %d %llu %d ", info[i].number, info[i].state, info[i].cpuTime, info[i].cpu); \
    if (cpumaps != NULL) { noteBytes(shown, cpumaps, (size_t)(max * length)); } free(info); free(cpumaps);

#define COUNT_OF_INT            rc
#define COUNT_OF_COUNT_ACTIVE   rc
#define COUNT_OF_COUNT_INACTIVE rc
#define COUNT_OF_ULONG          0
#define COUNT_OF_ULL            0
#define COUNT_OF_STRING         0
#define COUNT_OF_DOMAIN         0
#define TELL_INT                note(shown, "return %d;", rc);
#define TELL_COUNT_ACTIVE       TELL_INT
#define TELL_COUNT_INACTIVE     TELL_INT
#define TELL_ULONG              note(shown, "return %lu;", rc);
#define TELL_ULL                note(shown, "return %llu;", rc);
#define TELL_STRING             note(shown, "return %s;", rc != NULL ? rc : "(null)"); free(rc);
#define TELL_DOMAIN             noteDomain(shown, rc); if (rc != NULL) virDomainFree(rc);

#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, group, slot, access, permission, ...)                                \
    static int                                                                                      \
    run_##function(virConnectPtr conn_, virDomainPtr domain_)                                       \
    {                                                                                               \
        (void)conn_;                                                                                \
        (void)domain_;                                                                              \
        faultPause();                                                                               \
        VIRT_EACH(LOCAL, __VA_ARGS__)                                                               \
        shown[0] = '\0';                                                                            \
        faultResume();                                                                              \
        VIRT_TYPE_##result rc = function(VIRT_LIST(VIRT_PASS, __VA_ARGS__));                        \
        faultPause();                                                                               \
        bool failed = rc == VIRT_FAILURE_##result;                                                  \
        long long n = COUNT_OF_##result;                                                            \
        TELL_##result                                                                               \
        if (failed)                                                                                 \
            note(shown, "error %d %d %s;", virGetLastErrorCode(), virGetLastErrorDomain(), virGetLastErrorMessage()); \
        VIRT_EACH(SHOW, __VA_ARGS__)                                                                \
        (void)n;                                                                                    \
        faultResume();                                                                              \
        return failed ? -1 : 0;                                                                     \
    }
#include "../../drivers/calls.def"

static int (*const runs[REMOTE_METHODS])(virConnectPtr conn, virDomainPtr domain) = {
#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, ...) [REMOTE_METHOD_##function] = run_##function,
#include "../../drivers/calls.def"
};

/* ---------- the two ends ---------- */

static struct virDriver noting = { .version = VIRT_DRIVER_VERSION, .name = "Noting" }, remote;
static virConnectPtr host, client;         /* the served connection, and the one with the stubs */

static int
notingOpen(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    (void)conn;
    (void)uri;
    (void)auth;
    (void)flags;
    return 1;
}

static void
notingClose(virConnectPtr conn)
{
    (void)conn;
}

/* Whose open gives the connection a table of its own. */
static int
remoteTestOpen(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    static struct virDriver own;
    bool has[REMOTE_METHODS];

    (void)uri;
    (void)auth;
    (void)flags;
    for (size_t i = 0; i < REMOTE_METHODS; i++)
        has[i] = remoteMethodIsIn(&remoteMethods[i], host->driver);
    own = remote;
    remoteStubsFill(&own, has);
    own.name = host->driver->name;
    conn->driver = &own;
    return 1;
}

static void
begin(const char *uri)
{
    static const char *const schemes[] = { "noting", NULL }, *const stubs[] = { "stubs", NULL };
    static bool registered;

    if (!registered) {
        noting.schemes = schemes;
        noting.open = notingOpen;
        noting.close = notingClose;
#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, group, slot, ...) noting.group.slot = slot_##function;
#include "../../drivers/calls.def"
        noting.migration.toURI = NULL;
        remote = (struct virDriver){ .version = VIRT_DRIVER_VERSION, .name = "Stubs", .schemes = stubs,
                                     .open = remoteTestOpen, .close = notingClose };
        CHECK_OK(virRegisterDriver(&noting));
        CHECK_OK(virRegisterDriver(&remote));
        registered = true;
    }
    host = NEED(virConnectOpen(uri));
    client = NEED(virConnectOpen("stubs:///"));
    serving = (struct remoteServing){ .conn = host, .streamBegin = codecStreamBegin, .streamKeep = codecStreamKeep, .streamEnd = codecStreamEnd };
}

static void
end(void)
{
    CHECK_INT(virConnectClose(client), 0);
    CHECK_INT(virConnectClose(host), 0);
    free(lastParams);
    free(lastResult);
    lastParams = lastResult = NULL;
}

static void
sameBothWays(void)
{
    static char seenDirectly[sizeof(seen)], shownDirectly[sizeof(shown)];

    begin("noting:///");
    for (size_t i = 0; i < REMOTE_METHODS; i++) {
        virDomainPtr domain;
        int rc;

        if (remoteMethods[i].slot != remoteMethods[i].needs)
            continue;                      /* the core's own work, with two hosts */
        harnessContext("%s, nulls %d, room %d, failing %d", remoteMethods[i].name, nulls, room, slotFails);
        seen[0] = '\0';
        domain = NEED(someDomain(host, 7));
        rc = runs[i](host, domain);
        virDomainFree(domain);
        strcpy(seenDirectly, seen);
        strcpy(shownDirectly, shown);
        seen[0] = '\0';
        domain = NEED(someDomain(client, 7));
        CHECK_INT(runs[i](client, domain), rc);
        virDomainFree(domain);
        if (!slotFails) {
            CHECK_STR(shown, shownDirectly);
            CHECK_STR(seen, seenDirectly);
            CHECK_INT(rc, 0);
        }
    }
    end();
}

TEST(every_call_is_the_same_through_the_codec)
{
    sameBothWays();
}

TEST(so_it_is_with_what_may_be_left_out)
{
    nulls = true;
    sameBothWays();
}

TEST(so_it_is_with_little_room_and_with_none)
{
    room = 2;
    sameBothWays();
    room = 0;
    sameBothWays();
}

TEST(a_failure_at_the_server_is_the_caller_s)
{
    slotFails = true;
    begin("noting:///");
    CHECK_FAILS(virNodeGetInfo(client, &(virNodeInfo){ .cpus = 1 }), VIR_ERR_OPERATION_FAILED);
    CHECK_INT(virGetLastErrorDomain(), VIR_FROM_TEST);
    CHECK_CONTAINS(virGetLastErrorMessage(), "virNodeGetInfo failed: ?");     /* no UTF-8 goes out that is none */
    CHECK_STR(virGetLastError()->str1, "virNodeGetInfo failed: ?");
    end();
}

TEST(the_test_driver_answers_the_same_through_the_codec)
{
    static char first[sizeof(shown)], second[sizeof(shown)];

    for (size_t i = 0; i < REMOTE_METHODS; i++) {
        int rc[3] = { 0 };

        harnessContext("%s", remoteMethods[i].name);
        for (int turn = 0; turn < 3; turn++) {
            virConnectPtr conn;
            virDomainPtr domain;

            begin("test:///default");
            conn = turn < 2 ? host : client;
            domain = NEED(virDomainLookupByName(conn, "test"));
            rc[turn] = runs[i](conn, domain);
            virDomainFree(domain);
            if (turn < 2)
                strcpy(turn == 0 ? first : second, shown);
            end();
        }
        CHECK_INT(rc[2], rc[0]);
        if (strcmp(first, second) == 0)    /* it is not about time, or a random number */
            CHECK_STR(shown, first);
    }
}

/* ---------- hostile texts ---------- */

static const char *const hostile[] = {
    "null", "true", "false", "-1", "0", "1", "3", "1e300", "-2147483649", "4294967296", "18446744073709551616", "\"18446744073709551615\"", "\"-1\"",
    "\"\"", "\"x\"", "[]", "{}", "[null]", "[[[[[[]]]]]]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", "2147483647", "70000",
    "[\"AAAA\",\"====\",\"%%%%\"]", "[\"AAAAAAAAAAAAAAAA\",\"AAAAAAAAAAAAAAAA\",\"AAAAAAAAAAAAAAAA\",\"AAAAAAAAAAAAAAAA\"]",
    "[{\"disk\":\"a\",\"error\":1},{\"disk\":\"a\"}]", "[[\"a\",\"int\",\"1\"],[\"a\",\"string\",\"1\"],[\"b\",\"int\"]]", "\"00000000-0000-0000-0000-000000000000 -1 x\"",
    "[[\"00000000-0000-0000-0000-000000000000 -1 x\",[[\"a\",\"string\",\"1\"],[\"b\"]]]]", "\"00000000-0000-0000-0000-000000000000 99999999999 x\"", "1.5",
};

/* The text with its k-th value replaced, the caller's; NULL: it has no so many. */
static cJSON *
nthValue(cJSON *json, size_t *k)
{
    cJSON *item, *found;

    if ((*k)-- == 0)
        return json;
    cJSON_ArrayForEach(item, json) {
        if ((found = nthValue(item, k)) != NULL)
            return found;
    }
    return NULL;
}

static char *
spoiled(const char *text, size_t k, const char *value)
{
    cJSON *json = virJsonParse(text, strlen(text), "text"), *at;
    char *result = NULL;

    CHECK_NOT_NULL(json);
    if ((at = nthValue(json, &k)) != NULL) {
        cJSON_Delete(at->child);
        at->child = NULL;
        free(at->valuestring);
        if ((at->valuestring = strdup(value)) != NULL)
            at->type = (at->type & ~0xff) | cJSON_Raw;
        result = virJsonFormat(json);
    }
    cJSON_Delete(json);
    return result;
}

TEST_LIMIT(no_request_harms_the_server, 180)
{
    begin("noting:///");
    for (size_t i = 0; i < REMOTE_METHODS; i++) {
        const struct remoteMethod *method = &remoteMethods[i];
        virDomainPtr domain = NEED(someDomain(client, 7));
        char *good, *bad;

        if (method->slot == method->needs) {
            CHECK_OK(runs[i](client, domain));
            good = NEED(strdup(lastParams));
        } else {
            good = NEED(strdup("{\"domain\":\"fe010203-0405-0607-0809-0a0b0c0d0eff 7 x\",\"dconnuri\":\"none:///\",\"params\":[[\"a\",\"int\",\"1\"]],\"flags\":2}"));
        }
        virDomainFree(domain);
        for (size_t j = 0; j < sizeof(hostile) / sizeof(hostile[0]); j++) {
            for (size_t k = 0; (bad = spoiled(good, k, hostile[j])) != NULL; k++) {
                cJSON *params = NEED(virJsonParse(bad, strlen(bad), "request")), *result;

                harnessContext("%s with %s", method->name, bad);
                virResetLastError();
                result = method->serve(&serving, params);
                CHECK_MSG((result == NULL) == (virGetLastErrorCode() != VIR_ERR_OK) || result != NULL, "%s", virGetLastErrorMessage());
                cJSON_Delete(result);
                cJSON_Delete(params);
                free(bad);
            }
        }
        free(good);
    }
    end();
}

TEST_LIMIT(no_reply_harms_the_client, 180)
{
    for (room = 8; room >= 0; room -= 4) {
        begin("noting:///");
        for (size_t i = 0; i < REMOTE_METHODS; i++) {
            const struct remoteMethod *method = &remoteMethods[i];
            virDomainPtr domain = NEED(someDomain(client, 7));
            char *good, *bad;

            if (method->slot == method->needs) {
                CHECK_OK(runs[i](client, domain));
                good = NEED(strdup(lastResult));
                for (size_t j = 0; j < sizeof(hostile) / sizeof(hostile[0]); j++) {
                    for (size_t k = 0; (bad = spoiled(good, k, hostile[j])) != NULL; k++) {
                        forged = bad;
                        harnessContext("%s, room %d, answered %s", method->name, room, bad);
                        if (runs[i](client, domain) < 0)
                            CHECK_MSG(strstr(shown, "error ") != NULL, "%s", shown);
                        forged = NULL;
                        free(bad);
                    }
                }
                free(good);
            }
            virDomainFree(domain);
        }
        end();
    }
}

TEST(a_request_says_which_parameter_is_wrong)
{
    cJSON *params;

    begin("test:///default");
    params = NEED(virJsonParse("{\"domain\":7}", 12, "request"));
    CHECK_NULL(remoteMethodFind("virDomainGetInfo")->serve(&serving, params));
    CHECK_ERROR(VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "'domain' of virDomainGetInfo");
    cJSON_Delete(params);
    params = NEED(virJsonParse("{\"maxids\":-1}", 13, "request"));
    CHECK_NULL(remoteMethodFind("virConnectListDomains")->serve(&serving, params));
    CHECK_ERROR(VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "'maxids'");
    cJSON_Delete(params);
    CHECK_NULL(remoteMethodFind("virDomainGetInf"));
    CHECK_NULL(remoteMethodFind(""));
    CHECK_NULL(remoteMethodFind("virConnectIsAlive"));
    for (size_t i = 0; i < remoteMethodCount(); i++)
        CHECK(remoteMethodFind(remoteMethods[i].name) == &remoteMethods[i]);
    end();
}

TEST(what_is_not_utf8_stays_here)
{
    begin("noting:///");
    CHECK_FAILS_NULL(virDomainLookupByName(client, "\xff"), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "'name'");
    end();
}

/* ---------- who may do what ---------- */

static const char *denied;                 /* a permission that the client has not */
static char asked[1024];

static int
allowed(struct remoteServing *s, virDomainPtr domain, const char *permission)
{
    CHECK(s == &serving);
    snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s:%s ", domain != NULL ? domain->name : "-", permission);
    return denied != NULL && strcmp(denied, permission) == 0 ? virReportError(VIR_ERR_ACCESS_DENIED, "%s", permission) : 0;
}

static bool
visible(struct remoteServing *s, virDomainPtr domain)
{
    CHECK(s == &serving);
    return strcmp(domain->name, "hidden") != 0;
}

#define HIDDEN "11111111-2222-3333-4444-555555555555"
#define NOBODY "11111111-2222-3333-4444-555555555556"
static const char hiddenXml[] = "<domain type='test'><name>hidden</name><uuid>" HIDDEN "</uuid><memory>1024</memory><os><type>hvm</type></os></domain>";

TEST(a_guest_that_may_not_be_seen_is_not_there)
{
    virDomainPtr hidden, *all, doms[2];
    virDomainStatsRecordPtr *records;
    char *names[4], text[256];
    int ids[4], id;

    begin("test:///default");
    hidden = NEED(virDomainCreateXML(host, hiddenXml, 0));
    id = (int)virDomainGetID(hidden);
    virDomainFree(hidden);
    CHECK_INT(virConnectNumOfDomains(client), 2);
    hidden = NEED(virDomainLookupByName(client, "hidden"));
    serving.visible = visible;
    CHECK_INT(virConnectNumOfDomains(client), 1);
    CHECK_INT(virConnectListDomains(client, ids, 4), 1);
    CHECK(ids[0] != id);
    CHECK_INT(virConnectListAllDomains(client, NULL, 0), 1);
    CHECK_INT(virConnectListAllDomains(client, &all, 0), 1);
    CHECK_STR(virDomainGetName(all[0]), "test");
    virDomainFree(all[0]);
    free(all);
    CHECK_INT(virConnectGetAllDomainStats(client, 0, &records, 0), 1);
    virDomainStatsRecordListFree(records);
    doms[0] = hidden;
    doms[1] = NULL;
    CHECK_INT(virDomainListGetStats(doms, 0, &records, 0), 0);
    virDomainStatsRecordListFree(records);

    CHECK_FAILS_NULL(virDomainLookupByName(client, "hidden"), VIR_ERR_NO_DOMAIN);
    CHECK_STR(virGetLastErrorMessage(), "Domain not found: no domain with matching name 'hidden'");
    CHECK_FAILS_NULL(virDomainLookupByID(client, id), VIR_ERR_NO_DOMAIN);
    snprintf(text, sizeof(text), "Domain not found: no domain with matching id %d", id);
    CHECK_STR(virGetLastErrorMessage(), text);
    CHECK_FAILS_NULL(virDomainLookupByUUIDString(client, HIDDEN), VIR_ERR_NO_DOMAIN);
    CHECK_STR(virGetLastErrorMessage(), "Domain not found: no domain with matching uuid '" HIDDEN "'");
    CHECK_INT(virGetLastErrorDomain(), VIR_FROM_DOMAIN);
    CHECK_FAILS(virDomainDestroy(hidden), VIR_ERR_NO_DOMAIN);
    CHECK_STR(virGetLastErrorMessage(), "Domain not found: no domain with matching uuid '" HIDDEN "' (hidden)");
    CHECK_INT((int)virDomainGetID(hidden), -1);
    /* in the same words as for one that never was, and as the driver has them */
    CHECK_FAILS_NULL(virDomainLookupByName(client, "nobody"), VIR_ERR_NO_DOMAIN);
    CHECK_STR(virGetLastErrorMessage(), "Domain not found: no domain with matching name 'nobody'");
    CHECK_FAILS_NULL(virDomainLookupByUUIDString(client, NOBODY), VIR_ERR_NO_DOMAIN);
    CHECK_STR(virGetLastErrorMessage(), "Domain not found: no domain with matching uuid '" NOBODY "'");
    CHECK_FAILS_NULL(virDomainLookupByName(host, "nobody"), VIR_ERR_NO_DOMAIN);
    CHECK_STR(virGetLastErrorMessage(), "Domain not found: no domain with matching name 'nobody'");
    serving.visible = NULL;
    CHECK_OK(virDomainDestroy(hidden));    /* it was there all the time */
    virDomainFree(hidden);

    hidden = NEED(virDomainDefineXML(host, hiddenXml));
    CHECK_INT(virConnectListDefinedDomains(client, names, 4), 1);
    free(names[0]);
    serving.visible = visible;
    CHECK_INT(virConnectNumOfDefinedDomains(client), 0);
    CHECK_INT(virConnectListDefinedDomains(client, names, 4), 0);
    CHECK_OK(virDomainUndefine(hidden));
    virDomainFree(hidden);
    end();
}

TEST(permissions_are_asked_for_guest_and_flags)
{
    virDomainPtr domain;

    begin("test:///default");
    domain = NEED(virDomainLookupByName(client, "test"));
    serving.allowed = allowed;
    free(NEED(virDomainGetXMLDesc(domain, 0)));
    CHECK_STR(asked, "test:domain.read ");
    asked[0] = '\0';
    free(NEED(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_SECURE)));
    CHECK_STR(asked, "test:domain.read test:domain.read-secure ");
    denied = "domain.read-secure";
    CHECK_FAILS_NULL(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_SECURE), VIR_ERR_ACCESS_DENIED);
    free(NEED(virDomainGetXMLDesc(domain, 0)));
    denied = "domain.save";
    CHECK_OK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "a", NULL, NULL, VIR_DOMAIN_AFFECT_LIVE));
    CHECK_FAILS(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "b", NULL, NULL, VIR_DOMAIN_AFFECT_CONFIG), VIR_ERR_ACCESS_DENIED);
    CHECK_FAILS(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "c", NULL, NULL, 0), VIR_ERR_ACCESS_DENIED);
    asked[0] = '\0';
    CHECK_FAILS_NULL(virDomainDefineXML(client, hiddenXml), VIR_ERR_ACCESS_DENIED);
    CHECK_STR(asked, "hidden:domain.write hidden:domain.save ");
    asked[0] = '\0';
    CHECK_FAILS_NULL(virDomainDefineXML(client, "<domain type='test'><name>test</name></domain>"), VIR_ERR_ACCESS_DENIED);
    CHECK_CONTAINS(asked, "test:domain.save");
    denied = "connect.read";
    CHECK_FAILS(virNodeGetInfo(client, &(virNodeInfo){ .cpus = 1 }), VIR_ERR_ACCESS_DENIED);
    denied = "domain.read";
    {
        virDomainStatsRecordPtr *records;

        CHECK_INT(virConnectGetAllDomainStats(client, 0, &records, 0), 0);
        virDomainStatsRecordListFree(records);
    }
    virDomainFree(domain);
    end();
}

/* ---------- migrations ---------- */

#define PHASE_PARAMS(stream) "{\"call\":{\"uuid\":\"" HIDDEN "\",\"name\":\"a guest\",\"guest\":\"" HIDDEN "\",\"stream\":" stream \
    ",\"flags\":0,\"timeout\":0},\"cookiein\":\"c\"}"

static int handedFd;
static unsigned long long handedNumber, handedOver;

static int
codecHand(struct remoteServing *s, unsigned long long number)
{
    CHECK_PTR(s);
    handedNumber = number;
    return handedFd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
codecHanded(struct remoteServing *s, unsigned long long number)
{
    CHECK_PTR(s);
    handedOver = number;
}

TEST(a_phase_has_a_stream_by_its_number)
{
    static const char *const wrong[] = { "0", "-1", "1.5", "\"x\"", "null", "1e300" };
    struct virMigrationCall call = { .uuid = HIDDEN, .timeout = -1, .stream = 0 };
    const struct remoteMethod *prepare = remoteMethodFind("virDomainMigratePrepare3Params");
    virDomainPtr domain;
    cJSON *params, *result;
    char *cookie = NULL, words[40];

    begin("noting:///");
    domain = NEED(someDomain(client, 7));
    CHECK_INT(virDomainMigrateBegin3Params(domain, &call, &cookie), 1);
    CHECK(strstr(lastParams, "stream") == NULL);          /* a descriptor is of no use there */
    CHECK_CONTAINS(seen, " 1000 -1");                     /* nor does the server wait for ever */
    free(cookie);
    virDomainFree(domain);

    serving.streamHand = codecHand;
    serving.streamHanded = codecHanded;
    for (int fails = 0; fails < 2; fails++) {
        harnessContext("fails %d", fails);
        params = virJsonParse(PHASE_PARAMS("7"), strlen(PHASE_PARAMS("7")), "the test");
        handedNumber = handedOver = 0;
        slotFails = fails != 0;
        result = prepare->serve(&serving, params);
        slotFails = false;
        CHECK_INT(result == NULL, fails);
        CHECK_UINT(handedNumber, 7);
        CHECK_UINT(handedOver, 7);
        CHECK_INT(fcntl(handedFd, F_GETFD), -1);
        snprintf(words, sizeof(words), " 0 0 %d;", handedFd);
        if (!fails)
            CHECK_CONTAINS(seen, words);
        cJSON_Delete(result);
        cJSON_Delete(params);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[400];

        handedNumber = handedOver = 0;
        snprintf(text, sizeof(text), PHASE_PARAMS("%s"), wrong[i]);
        params = virJsonParse(text, strlen(text), "the test");
        CHECK_NULL(prepare->serve(&serving, params));
        CHECK_INT(virGetLastErrorCode(), VIR_ERR_INVALID_ARG);
        CHECK_UINT(handedNumber + handedOver, 0);
        cJSON_Delete(params);
    }
    end();
}

TEST(peer_to_peer_is_carried_out_at_the_server)
{
    static const struct { const char *uri, *words; } own[] = {
        { "test+ssh://there/default?command=/bin/false", "parameter 'command'" },
        { "test+ssh://there/default?no_tty=1&%63ommand=/bin/false", "parameter 'command'" },
        { "test+ssh://there/default?keyfile=/root/.ssh/id_ed25519", "parameter 'keyfile'" },
        { "test+ssh://there/default?known_hosts=/dev/null", "parameter 'known_hosts'" },
        { "test+tcp://there/default?keyfile=/etc/virt/key", "parameter 'keyfile'" },
        { "test+ws://there/default?reconnect=1&known_hosts=/etc/shadow", "parameter 'known_hosts'" },
        { "test+unix:///default?socket=/run/somebody", "parameter 'socket'" },
        { "qemu:///embed?root=/etc/virt", "parameter 'root'" },
        { "test:///default?lock=file:/var/lib/leases", "parameter 'lock'" },
        { "test:///etc/shadow", "the path of" },
    };
    virDomainPtr domain;

    begin("test:///default");
    domain = NEED(virDomainLookupByName(client, "test"));
    CHECK_FAILS(virDomainMigrateToURI(domain, "nowhere:///", VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_LIVE, "other", 0), VIR_ERR_NO_CONNECT);
    CHECK_CONTAINS(lastParams, "\"dconnuri\":\"nowhere:///\"");
    CHECK_CONTAINS(lastParams, "other");
    /* it is the server that would run this, and open that */
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        harnessContext("%s", own[i].uri);
        CHECK_FAILS(virDomainMigrateToURI(domain, own[i].uri, VIR_MIGRATE_PEER2PEER, NULL, 0), VIR_ERR_ACCESS_DENIED);
        CHECK_CONTAINS(virGetLastErrorMessage(), own[i].words);
    }
    /* with ssh the socket is one of the other host: this gets as far as the driver */
    CHECK_FAILS(virDomainMigrateToURI(domain, "test+ssh://there/default?socket=its/own", VIR_MIGRATE_PEER2PEER, NULL, 0), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "must be absolute");
    virDomainFree(domain);
    end();
}

/* ---------- events, errors, bytes ---------- */

TEST(events_come_out_as_they_went_in)
{
    struct virDomainEvent event = { .eventID = 3, .name = "a \"guest\"", .id = -1, .detail = { -5, 7 }, .text = { "a", NULL, "c" }, .number = LLONG_MIN }, back;
    cJSON *json;
    char *text = NULL;

    memcpy(event.uuid, guestUuid, VIR_UUID_BUFLEN);
    someParams(&event.params, &event.nparams);
    json = throughText(NEED(remoteEventFormat(&event)), &text);
    CHECK_OK(remoteEventParse(json, &back));
    CHECK_INT(back.eventID, 3);
    CHECK_STR(back.name, event.name);
    CHECK_MEM(back.uuid, guestUuid, VIR_UUID_BUFLEN);
    CHECK_INT(back.id, -1);
    CHECK_INT(back.detail[0], -5);
    CHECK_INT(back.detail[1], 7);
    CHECK_STR(back.text[0], "a");
    CHECK_NULL(back.text[1]);
    CHECK_STR(back.text[2], "c");
    CHECK(back.number == LLONG_MIN);
    seen[0] = shown[0] = '\0';
    noteParams(seen, event.params, event.nparams);
    noteParams(shown, back.params, back.nparams);
    CHECK_STR(shown, seen);
    virTypedParamsFree(event.params, event.nparams);
    virTypedParamsFree(back.params, back.nparams);
    cJSON_Delete(json);
    for (size_t j = 0; j < sizeof(hostile) / sizeof(hostile[0]); j++) {
        char *bad;

        for (size_t k = 0; (bad = spoiled(text, k, hostile[j])) != NULL; k++) {
            json = NEED(virJsonParse(bad, strlen(bad), "event"));
            if (remoteEventParse(json, &back) == 0)
                virTypedParamsFree(back.params, back.nparams);
            cJSON_Delete(json);
            free(bad);
        }
    }
    free(text);
}

TEST(bytes_come_out_as_they_went_in)
{
    unsigned char bytes[40], *back;
    size_t length;

    for (size_t n = 0; n <= sizeof(bytes); n++) {
        char *text;

        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)(i * 37 + n);
        text = NEED(remoteBytesFormat(bytes, n));
        back = NEED(remoteBytesParse(text, &length));
        CHECK_UINT(length, n);
        CHECK_MEM(back, bytes, n);
        free(back);
        free(text);
    }
    CHECK_FAILS_NULL(remoteBytesParse("AAA", &length), VIR_ERR_RPC);
    CHECK_FAILS_NULL(remoteBytesParse("A=AA", &length), VIR_ERR_RPC);
    CHECK_FAILS_NULL(remoteBytesParse("A\xff==", &length), VIR_ERR_RPC);
    CHECK_FAILS_NULL(remoteBytesParse("====", &length), VIR_ERR_RPC);
}

TEST(errors_of_the_other_end_are_told_apart)
{
    cJSON *json = NEED(virJsonParse("{\"code\":-32601,\"message\":\"no such method\"}", 42, "error"));

    remoteErrorParse(json);
    CHECK_ERROR(VIR_ERR_RPC);
    CHECK_CONTAINS(virGetLastErrorMessage(), "no such method (-32601)");
    cJSON_Delete(json);
    json = NEED(virJsonParse("{\"code\":\"x\"}", 12, "error"));
    remoteErrorParse(json);
    CHECK_ERROR(VIR_ERR_RPC);
    cJSON_Delete(json);
}

/* ---------- what the core has for it ---------- */

static int tapped;

static void
tap(void *opaque, const struct virDomainEvent *event)
{
    CHECK(opaque == &tapped);
    tapped += event->eventID == VIR_DOMAIN_EVENT_ID_LIFECYCLE;
}

TEST(a_tap_hears_every_event_until_it_is_removed)
{
    virConnectPtr conn = NEED(virConnectOpen("test:///default"));
    virDomainPtr domain = NEED(virDomainLookupByName(conn, "test"));

    CHECK_OK(virEventHubTap(conn->hub, tap, &tapped));
    CHECK_OK(virDomainSuspend(domain));
    CHECK_INT(tapped, 1);
    virEventHubUntap(conn->hub, tap, &tapped);
    CHECK_OK(virDomainResume(domain));
    CHECK_INT(tapped, 1);
    virDomainFree(domain);
    virConnectClose(conn);
}

static char wanted[512];
static bool subscribeFails;

static int
subscribe(virConnectPtr conn, const char *text)
{
    (void)conn;
    snprintf(wanted, sizeof(wanted), "%s", text);
    return subscribeFails ? virReportError(VIR_ERR_RPC, "no") : 0;
}

static int
lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    (void)conn;
    (void)domain;
    (void)event;
    (void)detail;
    (void)opaque;
    return 0;
}

static void
freed(void *opaque)
{
    ++*(int *)opaque;
}

TEST(a_driver_is_told_which_events_are_wanted)
{
    virConnectPtr conn;
    virDomainPtr domain;
    int first, second, frees = 0;

    CHECK_OK(virEventRegisterDefaultImpl());
    begin("noting:///");
    remote.connect.subscribe = subscribe;
    conn = NEED(virConnectOpen("stubs:///"));
    conn->hub = NEED(virEventHubNew());
    domain = NEED(someDomain(conn, 1));
    first = virConnectDomainEventRegisterAny(conn, NULL, 0, VIR_DOMAIN_EVENT_CALLBACK(lifecycle), NULL, NULL);
    CHECK_STR(wanted, "[[0,null]]");
    second = virConnectDomainEventRegisterAny(conn, domain, 3, VIR_DOMAIN_EVENT_CALLBACK(lifecycle), &frees, freed);
    CHECK_STR(wanted, "[[3,\"fe010203-0405-0607-0809-0a0b0c0d0eff\"],[0,null]]");
    CHECK_OK(virConnectDomainEventDeregisterAny(conn, first));
    CHECK_STR(wanted, "[[3,\"fe010203-0405-0607-0809-0a0b0c0d0eff\"]]");
    CHECK_OK(virConnectDomainEventDeregisterAny(conn, second));
    CHECK_STR(wanted, "[]");
    CHECK_INT(frees, 1);
    subscribeFails = true;
    CHECK_FAILS(virConnectDomainEventRegisterAny(conn, NULL, 0, VIR_DOMAIN_EVENT_CALLBACK(lifecycle), &frees, freed), VIR_ERR_RPC);
    CHECK_INT(frees, 1);
    subscribeFails = false;
    CHECK_FAILS(virConnectDomainEventDeregisterAny(conn, second), VIR_ERR_INVALID_ARG);
    virDomainFree(domain);
    {
        struct virEventHub *hub = conn->hub;

        CHECK_INT(virConnectClose(conn), 0);
        virEventHubFree(hub);
    }
    end();
}

/* ---------- without memory ---------- */

static size_t failing;

static int
runOne(void *opaque)
{
    char *own = virStringCopy("under sanitizers an allocation of cJSON's is not seen, and some calls have no other");
    virDomainPtr domain;
    int rc;

    (void)opaque;
    if (own == NULL)
        return -1;
    free(own);
    faultPause();
    domain = NEED(someDomain(client, 7));
    faultResume();
    rc = runs[failing](client, domain);
    virDomainUnref(domain);                /* leaves the error */
    virConnResetLastError(client);         /* its copy of the error */
    virConnResetLastError(host);
    free(lastParams);
    free(lastResult);
    lastParams = lastResult = NULL;
    return rc;
}

TEST_LIMIT(every_failing_allocation_is_an_error, 300)
{
    begin("noting:///");
    for (failing = 0; failing < REMOTE_METHODS; failing++) {
        if (remoteMethods[failing].slot != remoteMethods[failing].needs)
            continue;
        harnessContext("%s", remoteMethods[failing].name);
        FAULT_EACH_ALLOCATION(runOne, NULL);
    }
    end();
}

/* ---------- how long it takes ---------- */

static unsigned long long
nowNs(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

static virDomainPtr manyDomains[1000];

static int
listMany(virConnectPtr conn, virDomainPtr **domains, unsigned int flags)
{
    (void)conn;
    (void)flags;
    *domains = calloc(1001, sizeof(**domains));
    for (int i = 0; i < 1000; i++) {
        (*domains)[i] = manyDomains[i];
        virDomainRef(manyDomains[i]);
    }
    return 1000;
}

static virDomainPtr broken;

static int
listBroken(virConnectPtr conn, virDomainPtr **domains, unsigned int flags)
{
    (void)conn;
    (void)flags;
    *domains = calloc(2, sizeof(**domains));
    (*domains)[0] = broken;
    virDomainRef(broken);
    return 1;
}

/* Guests are lines there. */
TEST(a_guest_with_a_line_break_in_its_name_is_no_two_guests)
{
    virDomainPtr *all;

    begin("noting:///");
    broken = NEED(virNewDomain(host, "a\nb", guestUuid, 1, NULL, NULL));
    noting.domain.listAll = listBroken;
    CHECK_FAILS(virConnectListAllDomains(client, &all, 0), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "guest 'a\nb' has a line break");
    virDomainFree(broken);
    end();
}

TEST(it_takes_microseconds)
{
    unsigned long long start, best = ~0ull, took;
    virDomainPtr domain, *all;
    virDomainInfo info;

    begin("noting:///");
    domain = NEED(someDomain(client, 7));
    for (int turn = 0; turn < 20; turn++) {
        start = nowNs();
        for (int i = 0; i < 1000; i++)
            CHECK_OK(virDomainGetInfo(domain, &info));
        took = (nowNs() - start) / 1000;
        best = took < best ? took : best;
    }
    printf("virDomainGetInfo: %llu ns, with the texts of request and reply written and read\n", best);
    CHECK_LESS(best, harnessSlow(1) * 50000ull);
    virDomainFree(domain);

    for (int i = 0; i < 1000; i++)
        manyDomains[i] = NEED(virNewDomain(host, "a-guest-of-some-name", guestUuid, i, NULL, NULL));
    noting.domain.listAll = listMany;
    best = ~0ull;
    for (int turn = 0; turn < 20; turn++) {
        start = nowNs();
        CHECK_INT(virConnectListAllDomains(client, &all, 0), 1000);
        took = nowNs() - start;
        best = took < best ? took : best;
        for (int i = 0; i < 1000; i++)
            virDomainFree(all[i]);
        free(all);
    }
    printf("virConnectListAllDomains, 1,000 guests: %llu us\n", best / 1000);
    CHECK_LESS(best, harnessSlow(1) * 10000000ull);
    for (int i = 0; i < 1000; i++)
        virDomainFree(manyDomains[i]);
    end();
}

#else

TEST(the_codec)
{
    SKIP("without nanomsg");
}

#endif
