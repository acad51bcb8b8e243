/*
 * Arguments of calls as both ends of a connection see them, and what can be done with each kind.
 *
 * A stub and its serve function describe the arguments of a call in an array, and functions do the rest: so a kind is a row of functions
 * and two macros, one that says what of the C arguments goes where, and one that gives them to the public function.
 */
#ifndef VIRT_REMOTE_KINDS_H
#define VIRT_REMOTE_KINDS_H

#include "remote.h"
#include "../common/text.h"

#define REMOTE_ROOM_MAX 65536              /* elements of a list that a client asks for or sends */

struct remoteLayout;

struct remoteArgument {
    const struct remoteKind *kind;
    const struct remoteMethod *method;
    bool client;                           /* whose error it is if something is wrong with the JSON: the server's reply, or the client's request */
    bool absent;                           /* the caller does not want what comes out (OR_NULL) */
    const char *name[4];                   /* of its parts, as in calls.def: the members' names */
    const void *in;                        /* what goes in; at the server it lives in `params`, or is `data` */
    long long number[3];                   /* what goes in as numbers: the value; how much room there is */
    void *to[2];                           /* client: where the caller wants it */
    unsigned int guarded;                  /* FLAGS: which of them need ... */
    const char *permission;                /* ... this one too */
    /* what has come out: made by the call at the server, by decodeOut at the client; freed by clean */
    size_t count;
    void *data;
    unsigned char *maps;
    union {
        int i;
        unsigned int u;
        unsigned long ul;
        unsigned long long ull;
        char *text;
        char **texts;
        virDomainPtr domain;
        virDomainPtr *domains;
        virStreamPtr stream;
        virDomainStatsRecordPtr *records;
        unsigned char uuid[VIR_UUID_BUFLEN];
        struct { virTypedParameterPtr params; int nparams; };
        struct virMigrationCall call;
    } out;
    unsigned long long small[12];          /* a struct that fits: data points here */
};

/* All may be absent. 0 or -1 with the error set. */
struct remoteKind {
    int (*encodeIn)(struct remoteArgument *a, cJSON *params);
    /* 1: there is nothing to do the call with, and the answer is empty */
    int (*decodeIn)(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params);
    int (*encodeOut)(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result);
    int (*decodeOut)(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result);
    void (*give)(struct remoteArgument *a);          /* what decodeOut has found becomes the caller's */
    void (*clean)(struct remoteArgument *a);
    const struct remoteLayout *layout;               /* of structs */
};

/* `what` is not as it has to be: -1 with the error set. */
VIRT_INTERNAL int remoteWrong(const struct remoteArgument *a, const char *what);
/* Puts item (taken over; NULL: no memory) under a key that lives as long as the program. */
VIRT_INTERNAL int remotePut(cJSON *object, const char *key, cJSON *item);
VIRT_INTERNAL cJSON *remoteNumber(long long value, bool isSigned);
VIRT_INTERNAL cJSON *remoteString(const struct remoteArgument *a, const char *what, const char *text);
/* A whole number, between these (an unsigned one is beyond `min` 0 if it is negative): 0 or -1, no error set. */
VIRT_INTERNAL int remoteReadNumber(const cJSON *item, bool isSigned, long long min, unsigned long long max, long long *value);
/* "UUID ID ", what a guest's text has before the name: its length. */
#define REMOTE_DOMAIN_HEAD (VIR_UUID_STRING_BUFLEN + VIRT_NUMBER_BUFLEN + 2)
VIRT_INTERNAL size_t remoteDomainHead(virDomainPtr domain, char head[REMOTE_DOMAIN_HEAD]);
/* A handle without an object; NULL with the error set (VIR_ERR_RPC: no such text). */
VIRT_INTERNAL virDomainPtr remoteDomainNew(virConnectPtr conn, const char *text);
/* What "UUID ID NAME" says, each if it is asked for: the name, or NULL (no error set) if it is no such text. */
VIRT_INTERNAL const char *remoteDomainRead(const char *text, unsigned char *uuid, int *id);
/* 1: *domain is the driver's handle; 0: there is no such guest, and *domain has no object; -1: the error is set. */
VIRT_INTERNAL int remoteDomainFind(virConnectPtr conn, const char *text, virDomainPtr *domain);
/* The client may know of this guest. */
VIRT_INTERNAL bool remoteSees(struct remoteServing *serving, virDomainPtr domain);
/* VIR_ERR_NO_DOMAIN, whether there is none or the client may not know of it. */
VIRT_INTERNAL int remoteNoDomain(virDomainPtr domain);

/* ---- what kinds.c has for lists.c ---- */

/* The text, or null; NULL or -1: the error is set, here and below. */
VIRT_INTERNAL int remotePutString(const struct remoteArgument *a, cJSON *object, const char *key, const char *text);
/* A number of a request. */
VIRT_INTERNAL int remoteAsked(struct remoteArgument *a, const cJSON *params, const char *name, bool isSigned, long long min, unsigned long long max, long long *value);
/* "name": false says that the caller does not want it. */
VIRT_INTERNAL void remoteWants(struct remoteArgument *a, const cJSON *params, const char *name);
VIRT_INTERNAL int remoteSayAbsent(const struct remoteArgument *a, cJSON *params, const char *name);
VIRT_INTERNAL cJSON *remotePutArray(cJSON *object, const char *key);
/*
 * A list that comes out is made as text, and put into its object as that: a tree of a thousand elements takes longer to be made, written
 * and freed than all else about its call. An item (NULL: -1) is taken over; a text of a text is checked as remoteString does it.
 */
VIRT_INTERNAL int remoteListAdd(struct virText *list, cJSON *item);
VIRT_INTERNAL int remoteListAddString(const struct remoteArgument *a, struct virText *list, const char *text);
VIRT_INTERNAL int remotePutList(cJSON *object, const char *key, struct virText *list);
VIRT_INTERNAL void remoteLinesAddDomain(struct virText *lines, virDomainPtr domain);
VIRT_INTERNAL int remotePutLines(cJSON *object, const char *key, struct virText *lines);
/* A member that is an array of at most so many. */
VIRT_INTERNAL const cJSON *remoteGetArray(const struct remoteArgument *a, const cJSON *object, const char *name, size_t max, size_t *count);
VIRT_INTERNAL cJSON *remoteDomainItem(virDomainPtr domain);
VIRT_INTERNAL int remotePutParams(cJSON *object, const char *key, const virTypedParameter *params, long long n);
VIRT_INTERNAL int remoteReadParams(struct remoteArgument *a, const cJSON *object, const char *name, size_t max);
VIRT_INTERNAL void remoteParamsClean(struct remoteArgument *a);
VIRT_INTERNAL void remoteDataClean(struct remoteArgument *a);
VIRT_INTERNAL void remoteDomainsClean(struct remoteArgument *a);
VIRT_INTERNAL int remoteNothingDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params);

/* ---- the kinds ---- */

#define REMOTE_KINDS(X)                                                                                                               \
    X(CONNECT) X(DOMAIN) X(DOMAINS) X(STREAM) X(STRING) X(STRING_OR_NULL) X(URI) X(XML) X(UUID) X(INT) X(UINT) X(ULONG) X(ULL) X(KEYCODES)             \
    X(IN_PARAMS) X(FLAGS) X(FLAGS_AFFECT) X(MIGRATION) X(OUT_INT) X(OUT_INT_OR_NULL) X(OUT_ULONG) X(OUT_ULL) X(OUT_STRING)            \
    X(OUT_DOMAIN) X(OUT_NODE_INFO) X(OUT_DOMAIN_INFO) X(OUT_JOB_INFO) X(OUT_CONTROL_INFO) X(OUT_BLOCK_INFO) X(OUT_SECURITY_MODEL)     \
    X(OUT_BLOCK_STATS) X(OUT_INTERFACE_STATS) X(OUT_INTS) X(OUT_NAMES) X(OUT_CELLS) X(OUT_DOMAINS_OR_NULL) X(OUT_STRINGS_OR_NULL)     \
    X(OUT_MIGRATIONS_OR_NULL) X(OUT_PARAMS) X(OUT_RECORDS) X(OUT_MEMORY_STATS) X(OUT_DISK_ERRORS) X(OUT_PARAMS_ROOM)                  \
    X(OUT_NODE_CPU_STATS) X(OUT_NODE_MEMORY_STATS) X(OUT_CPU_PARAMS) X(OUT_CPUMAP_OR_NULL) X(OUT_CPUMAPS) X(OUT_CPUMAP_BYTES)         \
    X(OUT_VCPUS)

#define REMOTE_KIND(kind) VIRT_INTERNAL_DATA const struct remoteKind remoteKind_##kind;
REMOTE_KINDS(REMOTE_KIND)
#undef REMOTE_KIND

/* ---- an argument in the array: at the client with its values, at the server without ---- */

#define REMOTE_GIVEN(value) value
#define REMOTE_BLANK(value) 0
#define REMOTE_FOR_CLIENT(word, ...) \
    { .kind = &remoteKind_##word, .client = true, REMOTE_NAMES(__VA_ARGS__, ~, ~, ~, ~), REMOTE_SAYS_##word(REMOTE_GIVEN, __VA_ARGS__) }
#define REMOTE_FOR_SERVER(word, ...) \
    { .kind = &remoteKind_##word, REMOTE_NAMES(__VA_ARGS__, ~, ~, ~, ~), REMOTE_SAYS_##word(REMOTE_BLANK, __VA_ARGS__) }
#define REMOTE_NAMES(a, b, c, d, ...)              .name = { #a, #b, #c, #d }

#define REMOTE_SAYS_CONNECT(V, name)               .in = V(name)
#define REMOTE_SAYS_DOMAIN(V, name)                .in = V(name)
#define REMOTE_SAYS_DOMAINS(V, name)               .in = V(name)
#define REMOTE_SAYS_STREAM(V, name)                .in = V(name)
#define REMOTE_SAYS_STRING(V, name)                .in = V(name)
#define REMOTE_SAYS_STRING_OR_NULL(V, name)        .in = V(name)
#define REMOTE_SAYS_URI(V, name)                   .in = V(name)
#define REMOTE_SAYS_XML(V, name)                   .in = V(name)
#define REMOTE_SAYS_UUID(V, name)                  .in = V(name)
#define REMOTE_SAYS_INT(V, name)                   .number = { V(name) }
#define REMOTE_SAYS_UINT(V, name)                  .number = { V(name) }
#define REMOTE_SAYS_ULONG(V, name)                 .number = { (long long)V(name) }
#define REMOTE_SAYS_ULL(V, name)                   .number = { (long long)V(name) }
#define REMOTE_SAYS_KEYCODES(V, name, max)         .in = V(name), .number = { V(max) }
#define REMOTE_SAYS_IN_PARAMS(V, name, max)        .in = V(name), .number = { V(max) }
#define REMOTE_SAYS_FLAGS(V, name, ...)            .number = { V(name) }, REMOTE_GUARD(__VA_ARGS__, 0, NULL, ~)
#define REMOTE_GUARD(known, flags, needs, ...)     .guarded = (flags), .permission = needs
#define REMOTE_SAYS_FLAGS_AFFECT(V, name, known)   .number = { V(name) }
#define REMOTE_SAYS_MIGRATION(V, name)             .in = V(name)
#define REMOTE_SAYS_OUT(V, name)                   .to = { V(name) }, .absent = V(name == NULL)
#define REMOTE_SAYS_OUT_INT(V, name)               REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_INT_OR_NULL(V, name)       REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_ULONG(V, name)             REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_ULL(V, name)               REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_STRING(V, name)            REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_DOMAIN(V, name)            REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_NODE_INFO(V, name)         REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_DOMAIN_INFO(V, name)       REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_JOB_INFO(V, name)          REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_CONTROL_INFO(V, name)      REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_BLOCK_INFO(V, name)        REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_SECURITY_MODEL(V, name)    REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_BLOCK_STATS(V, name, size)     .to = { V(name) }, .number = { (long long)V(size) }
#define REMOTE_SAYS_OUT_INTERFACE_STATS(V, name, size) .to = { V(name) }, .number = { (long long)V(size) }
#define REMOTE_SAYS_OUT_INTS(V, name, max)         .to = { V(name) }, .number = { V(max) }
#define REMOTE_SAYS_OUT_NAMES(V, name, max)        .to = { V(name) }, .number = { V(max) }
#define REMOTE_SAYS_OUT_CELLS(V, name, start, max) .to = { V(name) }, .number = { V(max), V(start) }
#define REMOTE_SAYS_OUT_DOMAINS_OR_NULL(V, name)   REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_STRINGS_OR_NULL(V, name)   REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_MIGRATIONS_OR_NULL(V, name) REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_PARAMS(V, name, count)     .to = { V(name), V(count) }
#define REMOTE_SAYS_OUT_RECORDS(V, name)           REMOTE_SAYS_OUT(V, name)
#define REMOTE_SAYS_OUT_MEMORY_STATS(V, name, max) .to = { V(name) }, .number = { V(max) }
#define REMOTE_SAYS_OUT_DISK_ERRORS(V, name, max)  .to = { V(name) }, .number = { V(max) }
#define REMOTE_SAYS_OUT_PARAMS_ROOM(V, name, room) .to = { V(name), V(room) }, .number = { V(*room) }
#define REMOTE_SAYS_OUT_NODE_CPU_STATS(V, name, room)    REMOTE_SAYS_OUT_PARAMS_ROOM(V, name, room)
#define REMOTE_SAYS_OUT_NODE_MEMORY_STATS(V, name, room) REMOTE_SAYS_OUT_PARAMS_ROOM(V, name, room)
#define REMOTE_SAYS_OUT_CPU_PARAMS(V, name, max, start, count) .to = { V(name) }, .number = { V(max), V(start), V(count) }
#define REMOTE_SAYS_OUT_CPUMAP_OR_NULL(V, name, online)  .to = { V(name), V(online) }, .absent = V(name == NULL)
#define REMOTE_SAYS_OUT_CPUMAPS(V, count, name, length)  .to = { V(name) }, .number = { V(count), V(length) }
#define REMOTE_SAYS_OUT_CPUMAP_BYTES(V, name, length)    .to = { V(name) }, .number = { 1, V(length) }
#define REMOTE_SAYS_OUT_VCPUS(V, info, max, cpumaps, length) \
    .to = { V(info), V(cpumaps) }, .number = { V(max), V(length) }, .absent = V(cpumaps == NULL)

/* ---- ... and as the public function gets it: `a` is the array, at_NAME its place there ---- */

#define REMOTE_INDEX(word, ...)        REMOTE_INDEX_(__VA_ARGS__, ~)
#define REMOTE_INDEX_(name, ...)       at_##name
#define REMOTE_PASS(word, ...)        REMOTE_PASS_##word(__VA_ARGS__)
#define REMOTE_PASS_CONNECT(name)               serving->conn
#define REMOTE_PASS_DOMAIN(name)                a[at_##name].out.domain
#define REMOTE_PASS_DOMAINS(name)               a[at_##name].out.domains
#define REMOTE_PASS_STREAM(name)                a[at_##name].out.stream
#define REMOTE_PASS_STRING(name)                a[at_##name].in
#define REMOTE_PASS_STRING_OR_NULL(name)        a[at_##name].in
#define REMOTE_PASS_URI(name)                   a[at_##name].in
#define REMOTE_PASS_XML(name)                   a[at_##name].in
#define REMOTE_PASS_UUID(name)                  a[at_##name].out.uuid
#define REMOTE_PASS_INT(name)                   (int)a[at_##name].number[0]
#define REMOTE_PASS_UINT(name)                  (unsigned int)a[at_##name].number[0]
#define REMOTE_PASS_ULONG(name)                 (unsigned long)a[at_##name].number[0]
#define REMOTE_PASS_ULL(name)                   (unsigned long long)a[at_##name].number[0]
#define REMOTE_PASS_KEYCODES(name, max)         a[at_##name].data, (int)a[at_##name].number[0]
#define REMOTE_PASS_IN_PARAMS(name, max)        a[at_##name].out.params, (unsigned int)a[at_##name].out.nparams
#define REMOTE_PASS_FLAGS(name, ...)            (unsigned int)a[at_##name].number[0]
#define REMOTE_PASS_FLAGS_AFFECT(name, known)   (unsigned int)a[at_##name].number[0]
#define REMOTE_PASS_MIGRATION(name)             &a[at_##name].out.call
#define REMOTE_PASS_OUT_INT(name)               &a[at_##name].out.i
#define REMOTE_PASS_OUT_INT_OR_NULL(name)       &a[at_##name].out.i
#define REMOTE_PASS_OUT_ULONG(name)             &a[at_##name].out.ul
#define REMOTE_PASS_OUT_ULL(name)               &a[at_##name].out.ull
#define REMOTE_PASS_OUT_STRING(name)            &a[at_##name].out.text
#define REMOTE_PASS_OUT_DOMAIN(name)            &a[at_##name].out.domain
#define REMOTE_PASS_OUT_NODE_INFO(name)         a[at_##name].data
#define REMOTE_PASS_OUT_DOMAIN_INFO(name)       a[at_##name].data
#define REMOTE_PASS_OUT_JOB_INFO(name)          a[at_##name].data
#define REMOTE_PASS_OUT_CONTROL_INFO(name)      a[at_##name].data
#define REMOTE_PASS_OUT_BLOCK_INFO(name)        a[at_##name].data
#define REMOTE_PASS_OUT_SECURITY_MODEL(name)    a[at_##name].data
#define REMOTE_PASS_OUT_BLOCK_STATS(name, size)     a[at_##name].data, sizeof(virDomainBlockStatsStruct)
#define REMOTE_PASS_OUT_INTERFACE_STATS(name, size) a[at_##name].data, sizeof(virDomainInterfaceStatsStruct)
#define REMOTE_PASS_OUT_INTS(name, max)         a[at_##name].data, (int)a[at_##name].number[0]
#define REMOTE_PASS_OUT_NAMES(name, max)        a[at_##name].data, (int)a[at_##name].number[0]
#define REMOTE_PASS_OUT_CELLS(name, start, max) a[at_##name].data, (int)a[at_##name].number[1], (int)a[at_##name].number[0]
#define REMOTE_PASS_OUT_DOMAINS_OR_NULL(name)   a[at_##name].absent ? NULL : &a[at_##name].out.domains
#define REMOTE_PASS_OUT_STRINGS_OR_NULL(name)   a[at_##name].absent ? NULL : &a[at_##name].out.texts
#define REMOTE_PASS_OUT_MIGRATIONS_OR_NULL(name) &a[at_##name].out.texts
#define REMOTE_PASS_OUT_PARAMS(name, count)     &a[at_##name].out.params, &a[at_##name].out.nparams
#define REMOTE_PASS_OUT_RECORDS(name)           &a[at_##name].out.records
#define REMOTE_PASS_OUT_MEMORY_STATS(name, max) a[at_##name].data, (unsigned int)a[at_##name].number[0]
#define REMOTE_PASS_OUT_DISK_ERRORS(name, max)  a[at_##name].data, (unsigned int)a[at_##name].number[0]
#define REMOTE_PASS_OUT_PARAMS_ROOM(name, room) a[at_##name].data, &a[at_##name].out.i
#define REMOTE_PASS_OUT_NODE_CPU_STATS(name, room)    a[at_##name].data, &a[at_##name].out.i
#define REMOTE_PASS_OUT_NODE_MEMORY_STATS(name, room) a[at_##name].data, &a[at_##name].out.i
#define REMOTE_PASS_OUT_CPU_PARAMS(name, max, start, count) \
    a[at_##name].data, (unsigned int)a[at_##name].number[0], (int)a[at_##name].number[1], (unsigned int)a[at_##name].number[2]
#define REMOTE_PASS_OUT_CPUMAP_OR_NULL(name, online)  a[at_##name].absent ? NULL : &a[at_##name].maps, &a[at_##name].out.u
#define REMOTE_PASS_OUT_CPUMAPS(count, name, length)  (int)a[at_##count].number[0], a[at_##count].maps, (int)a[at_##count].number[1]
#define REMOTE_PASS_OUT_CPUMAP_BYTES(name, length)    a[at_##name].maps, (int)a[at_##name].number[1]
#define REMOTE_PASS_OUT_VCPUS(info, max, cpumaps, length) \
    a[at_##info].data, (int)a[at_##info].number[0], a[at_##info].maps, a[at_##info].maps != NULL ? (int)a[at_##info].number[1] : 0

#endif
