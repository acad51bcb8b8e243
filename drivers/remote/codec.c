/*
 * From calls.def: the client's stubs, the server's dispatch and the table of methods; and guests, events and errors as JSON.
 *
 * A stub puts its arguments into an object, has it carried out by remoteLinkCall, and hands out the result; a serve function reads them,
 * asks whether the client may do this, makes the call, and says what came of it.
 */
#include "kinds.h"

#if VIRT_WITH_REMOTE

#include "../common/text.h"
#include "../migration/migration.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_RPC

/* A test has its own, and no socket. */
#ifdef REMOTE_LINK_CALL
static int REMOTE_LINK_CALL(virConnectPtr conn, const struct remoteMethod *method, cJSON *params, const struct virMigrationCall *phase, cJSON **result);
#else
# define REMOTE_LINK_CALL remoteLinkCall
#endif

/* The result of a call, whatever it is. */
struct remoteValue {
    long long number;
    char *text;
    virDomainPtr domain;
};
#define REMOTE_VALUE_INT            number
#define REMOTE_VALUE_COUNT_ACTIVE   number
#define REMOTE_VALUE_COUNT_INACTIVE number
#define REMOTE_VALUE_ULONG          number
#define REMOTE_VALUE_ULL            number
#define REMOTE_VALUE_STRING         text
#define REMOTE_VALUE_DOMAIN         domain

/* ---------- guests ---------- */

VIRT_INTERNAL size_t
remoteDomainHead(virDomainPtr domain, char head[REMOTE_DOMAIN_HEAD])
{
    char *at = head + VIR_UUID_STRING_BUFLEN - 1;

    virUuidFormat(domain->uuid, head);
    *at++ = ' ';
    at += virNumberFormat(atomic_load(&domain->id), at);
    *at++ = ' ';
    return (size_t)(at - head);
}

VIRT_INTERNAL char *
remoteDomainFormat(virDomainPtr domain)
{
    size_t length = strlen(domain->name), head;
    char *text = malloc(REMOTE_DOMAIN_HEAD + length + 1);

    if (text == NULL) {
        virReportNoMemory();
        return NULL;
    }
    head = remoteDomainHead(domain, text);
    memcpy(text + head, domain->name, length + 1);
    return text;
}

VIRT_INTERNAL const char *
remoteDomainRead(const char *text, unsigned char *uuid, int *id)
{
    char word[VIR_UUID_STRING_BUFLEN];
    unsigned char ignored[VIR_UUID_BUFLEN];
    const char *at;
    char *end;
    long number;

    if (strnlen(text, VIR_UUID_STRING_BUFLEN) < VIR_UUID_STRING_BUFLEN || text[VIR_UUID_STRING_BUFLEN - 1] != ' ')
        return NULL;
    memcpy(word, text, sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    at = text + sizeof(word);
    if (virUuidParse(word, uuid != NULL ? uuid : ignored) < 0 || !((*at >= '0' && *at <= '9') || (*at == '-' && at[1] == '1')))
        return NULL;
    number = strtol(at, &end, 10);
    if (end - at > 10 || number > INT_MAX || *end != ' ' || end[1] == '\0')
        return NULL;
    if (id != NULL)
        *id = (int)number;
    return end + 1;
}

VIRT_INTERNAL virDomainPtr
remoteDomainNew(virConnectPtr conn, const char *text)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    int id;
    const char *name = remoteDomainRead(text, uuid, &id);

    if (name != NULL)
        return virNewDomain(conn, name, uuid, id, NULL, NULL);
    virReportError(VIR_ERR_RPC, "a guest is \"UUID ID NAME\", not '%.100s'", text);
    return NULL;
}

VIRT_INTERNAL int
remoteDomainFind(virConnectPtr conn, const char *text, virDomainPtr *domain)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    bool there = conn->driver->domain.lookupByUUID == NULL;

    *domain = NULL;
    if (!there && remoteDomainRead(text, uuid, NULL) != NULL) {
        if ((*domain = conn->driver->domain.lookupByUUID(conn, uuid)) != NULL)
            return 1;
        if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
            return -1;
        virResetLastError();
    }
    return (*domain = remoteDomainNew(conn, text)) != NULL ? there : -1;
}

VIRT_INTERNAL virDomainPtr
remoteDomainParse(virConnectPtr conn, const char *text)
{
    virDomainPtr domain;

    return remoteDomainFind(conn, text, &domain) < 0 ? NULL : domain;
}

/* ---------- the client ---------- */

static int
remoteResultRead(virConnectPtr conn, const struct remoteMethod *method, const cJSON *result, struct remoteValue *value)
{
    const cJSON *item = virJsonGet(result, "return");
    bool isSigned = method->result < REMOTE_RESULT_ULONG;

    if (method->result < REMOTE_RESULT_STRING) {
        if (remoteReadNumber(item, isSigned, 0, isSigned ? INT_MAX : method->result == REMOTE_RESULT_ULONG ? ULONG_MAX : ULLONG_MAX,
                             &value->number) < 0)
            return virReportError(VIR_ERR_RPC, "the reply to %s has no valid 'return'", method->name);
        return 0;
    }
    if (!cJSON_IsString(item))
        return virReportError(VIR_ERR_RPC, "the reply to %s has no valid 'return'", method->name);
    if (method->result == REMOTE_RESULT_STRING)
        return (value->text = virStringCopy(item->valuestring)) != NULL ? 0 : -1;
    return (value->domain = remoteDomainNew(conn, item->valuestring)) != NULL ? 0 : -1;
}

/* Nothing becomes the caller's before all of it has been understood. */
static int
remoteResultTake(virConnectPtr conn, const struct remoteMethod *method, struct remoteArgument *a, size_t n, const cJSON *result, struct remoteValue *value)
{
    int rc = remoteResultRead(conn, method, result, value);

    for (size_t i = 0; rc == 0 && i < n; i++)
        if (a[i].kind->decodeOut != NULL)
            rc = a[i].kind->decodeOut(conn, &a[i], value->number, result);
    for (size_t i = 0; i < n; i++) {
        if (a[i].kind->decodeOut == NULL)
            continue;
        if (rc == 0)
            a[i].kind->give(&a[i]);
        if (a[i].kind->clean != NULL)
            a[i].kind->clean(&a[i]);
    }
    if (rc < 0) {
        free(value->text);
        if (value->domain != NULL)
            virDomainUnref(value->domain);
    }
    return rc;
}

static virConnectPtr
remoteConnectOf(const struct remoteArgument *a)
{
    if (a->kind == &remoteKind_CONNECT)
        return (virConnectPtr)(uintptr_t)a->in;
    return a->kind == &remoteKind_DOMAIN ? ((const struct _virDomain *)a->in)->conn : (*(const virDomainPtr *)a->in)->conn;
}

/* All that a stub does. 0, or -1 with the error set. */
static int
remoteStub(const struct remoteMethod *method, struct remoteArgument *a, size_t n, struct remoteValue *value)
{
    virConnectPtr conn = remoteConnectOf(a);
    virDomainPtr domain = a->kind == &remoteKind_DOMAIN ? (virDomainPtr)(uintptr_t)a->in : NULL;
    const struct virMigrationCall *phase = NULL;
    cJSON *params = cJSON_CreateObject(), *result = NULL;
    int rc, id;

    if (params == NULL)
        return virReportNoMemory();
    for (size_t i = 0; i < n; i++) {
        a[i].method = method;
        if (method->phase && a[i].kind == &remoteKind_MIGRATION)
            phase = a[i].in;
        if (a[i].kind->encodeIn != NULL && a[i].kind->encodeIn(&a[i], params) < 0) {
            cJSON_Delete(params);
            return -1;
        }
    }
    rc = REMOTE_LINK_CALL(conn, method, params, phase, &result);
    if (rc > 0)
        rc = remoteResultTake(conn, method, a, n, result, value);
    if (domain != NULL && rc < 0 && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        atomic_store(&domain->id, -1);
    else if (domain != NULL && result != NULL && virJsonInt(result, "id", &id) == 0)
        atomic_store(&domain->id, id < 0 ? -1 : id);
    cJSON_Delete(result);
    return rc;
}

#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, group, slot, access, permission, ...)                                       \
    static VIRT_TYPE_##result                                                                              \
    remoteStub_##function(VIRT_LIST(VIRT_DECLARE, __VA_ARGS__))                                            \
    {                                                                                                      \
        struct remoteArgument a[] = { VIRT_LIST(REMOTE_FOR_CLIENT, __VA_ARGS__) };                         \
        struct remoteValue value = { 0, NULL, NULL };                                                      \
                                                                                                           \
        if (remoteStub(&remoteMethods[REMOTE_METHOD_##function], a, sizeof(a) / sizeof(a[0]), &value) < 0) \
            return VIRT_FAILURE_##result;                                                                  \
        return (VIRT_TYPE_##result)value.REMOTE_VALUE_##result;                                            \
    }
#include "../calls.def"

VIRT_INTERNAL void
remoteStubsFill(struct virDriver *driver, const bool *has)
{
#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, group, slot, ...) driver->group.slot = has[REMOTE_METHOD_##function] ? remoteStub_##function : NULL;
#include "../calls.def"
}

/* ---------- the server ---------- */

VIRT_INTERNAL int
remoteNoDomain(virDomainPtr domain)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    virUuidFormat(domain->uuid, uuid);
    return virReportErrorFrom(VIR_FROM_DOMAIN, VIR_ERR_NO_DOMAIN, __FILE__, __LINE__, "no domain with matching uuid '%s' (%s)", uuid, domain->name);
}

/* All words of a method's permission. */
static int
remoteAllowed(struct remoteServing *serving, virDomainPtr domain, const char *permissions)
{
    char word[64];

    while (*permissions != '\0') {
        size_t length = strcspn(permissions, " ");

        snprintf(word, sizeof(word), "%.*s", (int)length, permissions);
        if (serving->allowed(serving, domain, word) < 0)
            return -1;
        permissions += length + (permissions[length] == ' ');
    }
    return 0;
}

/* The guest that a call is about: the handle that it is made on, or the one that is described. */
static struct remoteArgument *
remoteGuestOf(struct remoteArgument *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].kind == &remoteKind_DOMAIN || a[i].kind == &remoteKind_XML)
            return &a[i];
    return NULL;
}

/*
 * A phase is about the guest that its `call` names, by the name that it has at this host or will have: whoever may move one guest says nothing
 * of another by a phase on the connection. The driver refuses a migration that is another guest's, so this one cannot be a pretence.
 */
static int
remoteServeAskMigration(struct remoteServing *serving, const struct virMigrationCall *call)
{
    const virTypedParameter *named = virTypedParamsGet(call->params, call->nparams, VIR_MIGRATE_PARAM_DEST_NAME);
    const char *names[2] = { call->name, named != NULL && named->type == VIR_TYPED_PARAM_STRING ? named->value.s : NULL };
    virDomainPtr here = NULL;
    int rc = 0;

    if (serving->conn->driver->domain.lookupByUUID != NULL && (here = serving->conn->driver->domain.lookupByUUID(serving->conn, call->guest)) == NULL) {
        if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
            return -1;
        virResetLastError();
    }
    if (here != NULL) {
        names[0] = here->name;
        names[1] = NULL;
    }
    for (size_t i = 0; i < 2 && names[i] != NULL && rc == 0; i++) {
        virDomainPtr domain = virNewDomain(serving->conn, names[i], call->guest, -1, NULL, NULL);

        rc = domain != NULL ? remoteAllowed(serving, domain, serving->method->permission) : -1;
        if (domain != NULL)
            virDomainUnref(domain);
    }
    if (here != NULL)
        virDomainUnref(here);
    return rc;
}

/* 1: the permission has been asked for; 0: it is still to be, if at all; -1: the error is set. */
static int
remoteServeCheckMigration(struct remoteServing *serving, struct remoteArgument *a, size_t n)
{
    struct virMigrationCall *call = NULL;

    for (size_t i = 0; i < n; i++)
        if (a[i].kind == &remoteKind_MIGRATION)
            call = &a[i].out.call;
    if (call == NULL)
        return 0;
    if (a->kind == &remoteKind_DOMAIN) {
        if (virMigrationCallNamesNone(call->guest))
            memcpy((unsigned char *)(uintptr_t)call->guest, a->out.domain->uuid, VIR_UUID_BUFLEN);
        return virMigrationCallIsOf(call, a->out.domain->uuid, NULL);
    }
    if (virMigrationCallNamesNone(call->guest) || call->name[0] == '\0')
        return virReportError(VIR_ERR_INVALID_ARG, "'call' of %s does not say the name and uuid ('name', 'guest') of the guest", serving->method->name);
    if (serving->allowed == NULL)
        return 0;
    return remoteServeAskMigration(serving, call) < 0 ? -1 : 1;
}

/*
 * Whether the client may make this call. A guest that it may not know of is not there for it, in the same words as one that is not: neither
 * gets as far as the driver, except in a migration, whose phases go on when the guest is gone; for those the permission decides alone. By what
 * name the client calls a guest that is hidden from it is never asked about: the name may be that of one that it may reach.
 */
static int
remoteServeAsk(struct remoteServing *serving, struct remoteArgument *a, size_t n)
{
    const struct remoteMethod *method = serving->method;
    struct remoteArgument *guest = remoteGuestOf(a, n);
    virDomainPtr domain = guest != NULL ? guest->out.domain : NULL;
    bool gone = guest != NULL && guest->kind == &remoteKind_DOMAIN && guest->count == 0;
    int asked;

    if (gone && (!method->phase || guest->number[1] != 0))
        return remoteNoDomain(domain);
    if ((asked = remoteServeCheckMigration(serving, a, n)) < 0)
        return -1;
    if (serving->allowed == NULL)
        return 0;
    /* a look-up is about the guest that it finds: whether that one may be seen is asked then, by its name */
    if (guest == NULL && strcmp(method->permission, "domain.getattr") == 0)
        return 0;
    if (asked == 0 && remoteAllowed(serving, domain, method->permission) < 0)
        return gone ? remoteNoDomain(domain) : -1;
    for (size_t i = 0; i < n; i++)
        if (a[i].permission != NULL && (a[i].guarded & (unsigned long long)a[i].number[0] || a[i].guarded == ~0u)
            && remoteAllowed(serving, domain, a[i].permission) < 0)
            return -1;
    return 0;
}

/* 1: the call is to be made; 0: it is not, and its answer is empty; -1: the error is set. */
static int
remoteServeBegin(struct remoteServing *serving, const struct remoteMethod *method, const cJSON *params, struct remoteArgument *a, size_t n)
{
    bool empty = false;

    virResetLastError();
    serving->method = method;
    for (size_t i = 0; i < n; i++) {
        int rc;

        a[i].method = method;
        if ((rc = a[i].kind->decodeIn(serving, &a[i], params)) < 0)
            return -1;
        empty = empty || rc > 0;
    }
    return remoteServeAsk(serving, a, n) < 0 ? -1 : !empty;
}

/* A look-up whose guest the client may not know of: as if there were none. It has one argument besides the connection, the key. */
static int
remoteServeLookup(struct remoteServing *serving, const cJSON *params, struct remoteArgument *key, const struct remoteValue *value)
{
    const cJSON *item = virJsonGet(params, key->name[0]);

    if (value->domain != NULL && remoteSees(serving, value->domain))
        return 0;
    if (value->domain == NULL && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
        return -1;
    virResetLastError();
    if (key->kind == &remoteKind_INT)
        return virReportErrorFrom(VIR_FROM_DOMAIN, VIR_ERR_NO_DOMAIN, __FILE__, __LINE__, "no domain with matching %s %lld", key->name[0], key->number[0]);
    return virReportErrorFrom(VIR_FROM_DOMAIN, VIR_ERR_NO_DOMAIN, __FILE__, __LINE__, "no domain with matching %s '%s'", key->name[0],
                              cJSON_IsString(item) ? item->valuestring : "");
}

/* How many of the guests the client may see. */
static int
remoteServeCount(struct remoteServing *serving, struct remoteValue *value)
{
    unsigned int flags = serving->method->result == REMOTE_RESULT_COUNT_ACTIVE ? VIR_CONNECT_LIST_DOMAINS_ACTIVE : VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    virDomainPtr *domains = NULL;

    if (serving->visible == NULL || value->number < 0)
        return 0;
    if (virConnectListAllDomains(serving->conn, &domains, flags) < 0)
        return -1;
    value->number = 0;
    for (size_t i = 0; domains[i] != NULL; i++) {
        value->number += remoteSees(serving, domains[i]);
        virDomainUnref(domains[i]);
    }
    free(domains);
    return 0;
}

static int
remoteResultFormat(const struct remoteMethod *method, cJSON *result, const struct remoteValue *value)
{
    cJSON *item;
    char *text;

    if (method->result < REMOTE_RESULT_STRING)
        return remotePut(result, "return", remoteNumber(value->number, method->result < REMOTE_RESULT_ULONG));
    if (method->result == REMOTE_RESULT_STRING) {
        struct remoteArgument named = { .method = method };

        item = remoteString(&named, "return", value->text);
        return item != NULL ? remotePut(result, "return", item) : -1;
    }
    text = remoteDomainFormat(value->domain);
    item = text != NULL ? cJSON_CreateString(text) : NULL;
    free(text);
    return remotePut(result, "return", item);
}

/* What came of the call, as the result object; NULL with the error set. `made`: as remoteServeBegin; failed: the call. Frees what is in a and value. */
static cJSON *
remoteServeEnd(struct remoteServing *serving, const cJSON *params, struct remoteArgument *a, size_t n, struct remoteValue *value, int made, bool failed)
{
    const struct remoteMethod *method = serving->method;
    cJSON *result = NULL;
    virErrorPtr error = NULL;
    int rc = made < 0 ? -1 : 0, id;

    if (rc == 0 && method->result == REMOTE_RESULT_DOMAIN && !method->writes && made > 0)
        rc = remoteServeLookup(serving, params, &a[1], value);
    else if (rc == 0 && (failed || ((method->result == REMOTE_RESULT_COUNT_ACTIVE || method->result == REMOTE_RESULT_COUNT_INACTIVE)
                                    && remoteServeCount(serving, value) < 0)))
        rc = -1;
    if (rc == 0 && (result = cJSON_CreateObject()) == NULL)
        rc = virReportNoMemory();
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (a[i].kind->encodeOut != NULL)
            rc = a[i].kind->encodeOut(serving, &a[i], &value->number, result);
    if (rc == 0)
        rc = remoteResultFormat(method, result, value);
    if (rc == 0 && a->kind == &remoteKind_DOMAIN && (id = atomic_load(&a->out.domain->id)) != a->number[0])
        rc = remotePut(result, "id", cJSON_CreateNumber(id));
    if (rc < 0)
        error = virSaveLastError();
    for (size_t i = 0; i < n; i++)
        if (a[i].kind->clean != NULL)
            a[i].kind->clean(&a[i]);
    free(value->text);
    if (value->domain != NULL)
        virDomainUnref(value->domain);
    if (rc == 0)
        return result;
    virRestoreLastError(error);
    cJSON_Delete(result);
    return NULL;
}

#define LINK(...)
#define LINK_PHASE(...)
#define CALL(result, function, group, slot, access, permission, ...)                                                          \
    static cJSON *                                                                                                            \
    remoteServe_##function(struct remoteServing *serving, const cJSON *params)                                                \
    {                                                                                                                         \
        enum { VIRT_LIST(REMOTE_INDEX, __VA_ARGS__) };                                                                        \
        struct remoteArgument a[] = { VIRT_LIST(REMOTE_FOR_SERVER, __VA_ARGS__) };                                            \
        struct remoteValue value = { 0, NULL, NULL };                                                                         \
        int made = remoteServeBegin(serving, &remoteMethods[REMOTE_METHOD_##function], params, a, sizeof(a) / sizeof(a[0]));  \
        VIRT_TYPE_##result rc = made > 0 ? function(VIRT_LIST(REMOTE_PASS, __VA_ARGS__)) : 0;                                 \
                                                                                                                              \
        value.REMOTE_VALUE_##result = rc;                                                                                     \
        return remoteServeEnd(serving, params, a, sizeof(a) / sizeof(a[0]), &value, made, made > 0 && rc == VIRT_FAILURE_##result); \
    }
#include "../calls.def"

/* ---------- the table ---------- */

#define REMOTE_WRITES_READ  false
#define REMOTE_WRITES_WRITE true
#define REMOTE_METHOD(result, function, group, slot, needs, writes, repeats, phase, permission)                                    \
    { #function, permission, sizeof(#function) - 1, REMOTE_RESULT_##result, writes, repeats, phase, offsetof(struct virDriver, group.slot), \
      offsetof(struct virDriver, group.needs), remoteServe_##function },

VIRT_INTERNAL const struct remoteMethod remoteMethods[REMOTE_METHODS] = {
#define LINK(...)
#define LINK_PHASE(...)
#define CORE(result, function, group, slot, needs, access, permission, ...) \
    REMOTE_METHOD(result, function, group, slot, needs, REMOTE_WRITES_##access, !REMOTE_WRITES_##access, false, permission)
#define PHASE(result, function, group, slot, access, permission, ...) \
    REMOTE_METHOD(result, function, group, slot, slot, REMOTE_WRITES_##access, true, true, permission)
#define SLOT(result, function, group, slot, access, permission, ...) \
    REMOTE_METHOD(result, function, group, slot, slot, REMOTE_WRITES_##access, true, false, permission)
#define CALL(result, function, group, slot, access, permission, ...) \
    REMOTE_METHOD(result, function, group, slot, slot, REMOTE_WRITES_##access, !REMOTE_WRITES_##access, false, permission)
#include "../calls.def"
};

VIRT_INTERNAL size_t
remoteMethodCount(void)
{
    return REMOTE_METHODS;
}

VIRT_INTERNAL const struct remoteMethod *
remoteMethodFind(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < REMOTE_METHODS; i++)
        if (remoteMethods[i].length == length && memcmp(remoteMethods[i].name, name, length) == 0)
            return &remoteMethods[i];
    return NULL;
}

VIRT_INTERNAL bool
remoteMethodIsIn(const struct remoteMethod *method, const struct virDriver *driver)
{
    void (*pointer)(void);

    memcpy(&pointer, (const char *)driver + method->needs, sizeof(pointer));
    return pointer != NULL;
}

/* ---------- events ---------- */

VIRT_INTERNAL cJSON *
remoteEventFormat(const struct virDomainEvent *event)
{
    char uuid[VIR_UUID_STRING_BUFLEN], number[24];
    cJSON *text = virJsonArray(), *params = event->nparams > 0 ? virTypedParamsToJson(event->params, event->nparams) : NULL;
    size_t texts = event->text[2] != NULL ? 3 : event->text[1] != NULL ? 2 : event->text[0] != NULL ? 1 : 0;

    virUuidFormat(event->uuid, uuid);
    snprintf(number, sizeof(number), "%lld", event->number);
    for (size_t i = 0; i < texts && text != NULL; i++) {
        cJSON *item = event->text[i] != NULL && virJsonIsUtf8(event->text[i]) ? cJSON_CreateString(event->text[i]) : cJSON_CreateNull();

        if (item == NULL)
            virReportNoMemory();
        if (virJsonAppend(text, item) < 0) {
            cJSON_Delete(text);
            text = NULL;
        }
    }
    if (event->nparams > 0 && params == NULL) {
        cJSON_Delete(text);
        return NULL;
    }
    return virJsonObject("i:eventID", event->eventID, "s:name", event->name, "s:uuid", uuid, "i:id", event->id, "i:detail0", event->detail[0],
                         "i:detail1", event->detail[1], "a:text", text, "s:number", number, "A:params", params, NULL);
}

VIRT_INTERNAL int
remoteEventParse(const cJSON *json, struct virDomainEvent *event)
{
    const cJSON *text = virJsonGet(json, "text"), *item;
    const char *uuid = virJsonString(json, "uuid");
    struct virDomainEvent read = { .name = virJsonString(json, "name") };
    size_t i = 0;

    if (read.name == NULL || uuid == NULL || virUuidParse(uuid, read.uuid) < 0 || virJsonInt(json, "eventID", &read.eventID) < 0
        || virJsonInt(json, "id", &read.id) < 0 || virJsonInt(json, "detail0", &read.detail[0]) < 0
        || virJsonInt(json, "detail1", &read.detail[1]) < 0
        || remoteReadNumber(virJsonGet(json, "number"), true, LLONG_MIN, LLONG_MAX, &read.number) < 0)
        return virReportError(VIR_ERR_RPC, "an event that cannot be understood");
    cJSON_ArrayForEach(item, text) {
        if (i < 3)
            read.text[i++] = cJSON_IsString(item) ? item->valuestring : NULL;
    }
    if (virTypedParamsFromJson(virJsonGet(json, "params"), &read.params, &read.nparams, "an event") < 0)
        return -1;
    *event = read;
    return 0;
}

/* ---------- errors ---------- */

/* A text that JSON can hold, the caller's; what is not UTF-8 becomes '?'. NULL stays NULL, and is also what there is without memory. */
static char *
remoteErrorText(const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;

    if (copy == NULL || virJsonIsUtf8(copy))
        return copy;
    for (char *at = copy; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    return copy;
}

VIRT_INTERNAL cJSON *
remoteErrorFormat(const virError *error)
{
    VIRT_CLEANUP_FREE char *message = remoteErrorText(error->message);
    VIRT_CLEANUP_FREE char *str1 = remoteErrorText(error->str1);
    VIRT_CLEANUP_FREE char *str2 = remoteErrorText(error->str2);
    VIRT_CLEANUP_FREE char *str3 = remoteErrorText(error->str3);

    return virJsonObject("i:code", error->code, "s:message", message != NULL ? message : "", "a:data",
                         virJsonObject("i:domain", error->domain, "i:level", (int)error->level, "S:str1", str1, "S:str2", str2, "S:str3", str3,
                                       "i:int1", error->int1, "i:int2", error->int2, NULL), NULL);
}

/* Codes below zero are JSON-RPC's own: this end's fault or the other's, not a call's. */
VIRT_INTERNAL void
remoteErrorParse(const cJSON *json)
{
    const cJSON *data = virJsonGet(json, "data");
    const char *message = virJsonString(json, "message");
    virError error = { .code = VIR_ERR_RPC, .domain = VIR_FROM_RPC, .level = VIR_ERR_ERROR };
    int code = 0, level = VIR_ERR_ERROR;

    if (virJsonInt(json, "code", &code) < 0 || message == NULL) {
        virReportError(VIR_ERR_RPC, "an error that cannot be understood");
        return;
    }
    if (code <= 0) {
        virReportError(code == -32602 ? VIR_ERR_INVALID_ARG : VIR_ERR_RPC, "%s (%d)", message, code);
        return;
    }
    error.code = code;
    error.message = (char *)(uintptr_t)message;
    error.str1 = (char *)(uintptr_t)virJsonString(data, "str1");
    error.str2 = (char *)(uintptr_t)virJsonString(data, "str2");
    error.str3 = (char *)(uintptr_t)virJsonString(data, "str3");
    virJsonInt(data, "domain", &error.domain);
    virJsonInt(data, "int1", &error.int1);
    virJsonInt(data, "int2", &error.int2);
    if (virJsonInt(data, "level", &level) == 0 && level >= VIR_ERR_NONE && level <= VIR_ERR_ERROR)
        error.level = (virErrorLevel)level;
    virSetLastError(&error);
}

/* ---------- bytes ---------- */

static const char remoteDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

VIRT_INTERNAL char *
remoteBytesFormat(const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    char *text = length < SIZE_MAX / 2 ? malloc((length + 2) / 3 * 4 + 1) : NULL, *at = text;

    if (text == NULL) {
        virReportNoMemory();
        return NULL;
    }
    for (; length >= 3; from += 3, length -= 3) {
        *at++ = remoteDigits[from[0] >> 2];
        *at++ = remoteDigits[(from[0] & 3) << 4 | from[1] >> 4];
        *at++ = remoteDigits[(from[1] & 15) << 2 | from[2] >> 6];
        *at++ = remoteDigits[from[2] & 63];
    }
    if (length > 0) {
        *at++ = remoteDigits[from[0] >> 2];
        *at++ = remoteDigits[(from[0] & 3) << 4 | (length > 1 ? from[1] >> 4 : 0)];
        *at++ = length > 1 ? remoteDigits[(from[1] & 15) << 2] : '=';
        *at++ = '=';
    }
    *at = '\0';
    return text;
}

/* The value of a digit, or 64. */
static unsigned int
remoteDigit(char digit)
{
    return digit >= 'A' && digit <= 'Z' ? (unsigned int)(digit - 'A') : digit >= 'a' && digit <= 'z' ? (unsigned int)(digit - 'a' + 26)
           : digit >= '0' && digit <= '9' ? (unsigned int)(digit - '0' + 52) : digit == '+' ? 62 : digit == '/' ? 63 : 64;
}

VIRT_INTERNAL unsigned char *
remoteBytesParse(const char *text, size_t *length)
{
    size_t size = strlen(text), padding = 0, n = 0;
    unsigned char *bytes;

    while (padding < 2 && size > 0 && text[size - 1 - padding] == '=')
        padding++;
    if (size % 4 != 0) {
        virReportError(VIR_ERR_RPC, "base64 of %zu characters", size);
        return NULL;
    }
    if ((bytes = virAllocate(size / 4 * 3 + 1)) == NULL)
        return NULL;
    for (size_t i = 0; i < size; i += 4) {
        unsigned int word = 0;

        for (size_t k = 0; k < 4; k++) {
            unsigned int digit = i + k >= size - padding ? 0 : remoteDigit(text[i + k]);

            if (digit > 63) {
                free(bytes);
                virReportError(VIR_ERR_RPC, "base64 with the character 0x%02x", (unsigned int)(unsigned char)text[i + k]);
                return NULL;
            }
            word = word << 6 | digit;
        }
        bytes[n++] = (unsigned char)(word >> 16);
        bytes[n++] = (unsigned char)(word >> 8);
        bytes[n++] = (unsigned char)word;
    }
    *length = n - padding;
    return bytes;
}

#undef REMOTE_VALUE_INT
#undef REMOTE_VALUE_COUNT_ACTIVE
#undef REMOTE_VALUE_COUNT_INACTIVE
#undef REMOTE_VALUE_ULONG
#undef REMOTE_VALUE_ULL
#undef REMOTE_VALUE_STRING
#undef REMOTE_VALUE_DOMAIN
#undef REMOTE_WRITES_READ
#undef REMOTE_WRITES_WRITE
#undef REMOTE_METHOD
#undef VIRT_FROM
#endif
