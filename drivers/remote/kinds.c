/*
 * How each kind of argument becomes JSON and back; structs and lists are in lists.c. What comes from the other end is not trusted, on neither side: a request may be
 * anybody's, and a server that says more than was asked for must not write past the caller's room.
 */
#include "kinds.h"

#if VIRT_WITH_REMOTE

#include "../common/text.h"
#include "../common/uri.h"
#include "../common/xml.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_EXACT     9007199254740992LL     /* up to here a double knows every whole number */

/* ---------- small things ---------- */

VIRT_INTERNAL int
remoteWrong(const struct remoteArgument *a, const char *what)
{
    if (a->client)
        return virReportError(VIR_ERR_RPC, "the reply to %s has no valid '%s'", a->method->name, what);
    return virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' of %s is not valid", what, a->method->name);
}

VIRT_INTERNAL int
remotePut(cJSON *object, const char *key, cJSON *item)
{
    if (item != NULL && cJSON_AddItemToObjectCS(object, key, item))
        return 0;
    cJSON_Delete(item);
    return virReportNoMemory();
}

VIRT_INTERNAL cJSON *
remoteNumber(long long value, bool isSigned)
{
    char digits[24];

    if (isSigned ? value >= -REMOTE_EXACT && value <= REMOTE_EXACT : (unsigned long long)value <= REMOTE_EXACT)
        return cJSON_CreateNumber((double)value);
    snprintf(digits, sizeof(digits), isSigned ? "%lld" : "%llu", value);
    return cJSON_CreateString(digits);
}

static int
remoteStringCheck(const struct remoteArgument *a, const char *what, const char *text)
{
    if (virJsonIsUtf8(text))
        return 0;
    return virReportError(a->client ? VIR_ERR_INVALID_ARG : VIR_ERR_RPC, "'%s' of %s is not UTF-8", what, a->method->name);
}

VIRT_INTERNAL cJSON *
remoteString(const struct remoteArgument *a, const char *what, const char *text)
{
    cJSON *item;

    if (remoteStringCheck(a, what, text) < 0)
        return NULL;
    if ((item = cJSON_CreateString(text)) == NULL)
        virReportNoMemory();
    return item;
}

/* Puts what remoteString gave: its error stays. */
VIRT_INTERNAL int
remotePutString(const struct remoteArgument *a, cJSON *object, const char *key, const char *text)
{
    cJSON *item = text == NULL ? cJSON_CreateNull() : remoteString(a, key, text);

    return item == NULL && text != NULL ? -1 : remotePut(object, key, item);
}

VIRT_INTERNAL int
remoteReadNumber(const cJSON *item, bool isSigned, long long min, unsigned long long max, long long *value)
{
    unsigned long long size;
    bool negative = false;

    if (cJSON_IsNumber(item)) {
        double number = item->valuedouble;

        if (!(number >= -(double)REMOTE_EXACT && number <= (double)REMOTE_EXACT) || number != (double)(long long)number)
            return -1;
        negative = number < 0;
        size = (unsigned long long)(negative ? -number : number);
    } else if (cJSON_IsString(item) || cJSON_IsRaw(item)) {
        const char *digits = item->valuestring;

        negative = *digits == '-';
        digits += negative;
        if (*digits < '0' || *digits > '9' || virStringToULL(digits, 10, &size) < 0)
            return -1;
    } else {
        return -1;
    }
    if (negative ? !isSigned || size > 1 + (unsigned long long)LLONG_MAX : isSigned && size > LLONG_MAX)
        return -1;
    *value = negative ? (long long)(0 - size) : (long long)size;
    if (negative ? *value < min : size > max)
        return -1;
    return negative || !isSigned || *value >= min ? 0 : -1;
}

/* A number of a request. */
VIRT_INTERNAL int
remoteAsked(struct remoteArgument *a, const cJSON *params, const char *name, bool isSigned, long long min, unsigned long long max, long long *value)
{
    return remoteReadNumber(virJsonGet(params, name), isSigned, min, max, value) < 0 ? remoteWrong(a, name) : 0;
}

/* "name": false says that the caller does not want it. */
VIRT_INTERNAL void
remoteWants(struct remoteArgument *a, const cJSON *params, const char *name)
{
    const cJSON *item = virJsonGet(params, name);

    a->absent = cJSON_IsFalse(item) || cJSON_IsNull(item);
}

VIRT_INTERNAL int
remoteSayAbsent(const struct remoteArgument *a, cJSON *params, const char *name)
{
    return a->absent ? remotePut(params, name, cJSON_CreateFalse()) : 0;
}

VIRT_INTERNAL cJSON *
remotePutArray(cJSON *object, const char *key)
{
    cJSON *array = cJSON_CreateArray();

    return remotePut(object, key, array) < 0 ? NULL : array;
}

static void
remoteListNext(struct virText *list)
{
    virTextAppend(list, list->length > 0 ? "," : "[", 1);
}

VIRT_INTERNAL int
remoteListAdd(struct virText *list, cJSON *item)
{
    if (item == NULL)
        return -1;
    remoteListNext(list);
    virJsonPut(list, item);
    cJSON_Delete(item);
    return 0;
}

VIRT_INTERNAL int
remoteListAddString(const struct remoteArgument *a, struct virText *list, const char *text)
{
    if (remoteStringCheck(a, a->name[0], text) < 0)
        return -1;
    remoteListNext(list);
    virTextAppend(list, "\"", 1);
    virJsonPutCharacters(list, text);
    virTextAppend(list, "\"", 1);
    return 0;
}

/* A list of guests is one string with a line for each: thousands of strings would be thousands of allocations where they are read. */
VIRT_INTERNAL void
remoteLinesAddDomain(struct virText *lines, virDomainPtr domain)
{
    char head[REMOTE_DOMAIN_HEAD];

    virTextAppend(lines, lines->length > 0 ? "\\n" : "\"", lines->length > 0 ? 2 : 1);
    virTextAppend(lines, head, remoteDomainHead(domain, head));
    virJsonPutCharacters(lines, domain->name);
}

VIRT_INTERNAL int
remotePutLines(cJSON *object, const char *key, struct virText *lines)
{
    virTextAppend(lines, "\"\"", lines->length > 0 ? 1 : 2);
    return remotePut(object, key, lines->failed ? NULL : cJSON_CreateRaw(lines->data));
}

VIRT_INTERNAL int
remotePutList(cJSON *object, const char *key, struct virText *list)
{
    virTextAppend(list, list->length > 0 ? "]" : "[]", list->length > 0 ? 1 : 2);
    return remotePut(object, key, list->failed ? NULL : cJSON_CreateRaw(list->data));
}

/* A member of a reply that is an array of at most so many. */
VIRT_INTERNAL const cJSON *
remoteGetArray(const struct remoteArgument *a, const cJSON *object, const char *name, size_t max, size_t *count)
{
    const cJSON *array = virJsonGet(object, name);

    *count = cJSON_IsArray(array) ? (size_t)cJSON_GetArraySize(array) : 0;
    if (cJSON_IsArray(array) && *count <= max)
        return array;
    remoteWrong(a, name);
    return NULL;
}

VIRT_INTERNAL bool
remoteSees(struct remoteServing *serving, virDomainPtr domain)
{
    return serving->visible == NULL || serving->visible(serving, domain);
}

/* ---------- handles ---------- */

VIRT_INTERNAL cJSON *
remoteDomainItem(virDomainPtr domain)
{
    char *text = remoteDomainFormat(domain);
    cJSON *item = text != NULL ? cJSON_CreateString(text) : NULL;

    if (text != NULL && item == NULL)
        virReportNoMemory();
    free(text);
    return item;
}

static int
remoteDomainEncodeIn(struct remoteArgument *a, cJSON *params)
{
    cJSON *item = remoteDomainItem((virDomainPtr)(uintptr_t)a->in);

    return item == NULL ? -1 : remotePut(params, a->name[0], item);
}

/*
 * The id that the client knows is kept: a reply says when it is another. count: the guest is there, as far as the client may know; number[1]: it
 * is there, and hidden.
 */
static int
remoteDomainDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    const char *text = virJsonString(params, a->name[0]);
    int known, there;

    if (text == NULL || remoteDomainRead(text, NULL, &known) == NULL)
        return remoteWrong(a, a->name[0]);
    a->number[0] = known;
    if ((there = remoteDomainFind(serving->conn, text, &a->out.domain)) < 0)
        return -1;
    a->count = there > 0 && remoteSees(serving, a->out.domain);
    a->number[1] = there > 0 && a->count == 0;
    if (a->number[1] == 0)
        return 0;
    virDomainUnref(a->out.domain);
    a->out.domain = remoteDomainNew(serving->conn, text);
    return a->out.domain != NULL ? 0 : -1;
}

static void
remoteDomainClean(struct remoteArgument *a)
{
    if (a->out.domain != NULL)
        virDomainUnref(a->out.domain);
}

static int
remoteDomainsEncodeIn(struct remoteArgument *a, cJSON *params)
{
    const virDomainPtr *domains = a->in;
    cJSON *array = remotePutArray(params, a->name[0]);

    for (size_t i = 0; array != NULL && domains[i] != NULL; i++)
        if (virJsonAppend(array, remoteDomainItem(domains[i])) < 0)
            return -1;
    return array != NULL ? 0 : -1;
}

/* Those that are not there are left out, as drivers do it. */
static int
remoteDomainsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    size_t count;
    const cJSON *array = remoteGetArray(a, params, a->name[0], REMOTE_ROOM_MAX, &count), *item;

    if (array == NULL)
        return -1;
    if (count == 0)
        return remoteWrong(a, a->name[0]);
    if ((a->out.domains = virAllocate((count + 1) * sizeof(*a->out.domains))) == NULL)
        return -1;
    cJSON_ArrayForEach(item, array) {
        virDomainPtr domain;
        int there;

        if (!cJSON_IsString(item) || remoteDomainRead(item->valuestring, NULL, NULL) == NULL)
            return remoteWrong(a, a->name[0]);
        if ((there = remoteDomainFind(serving->conn, item->valuestring, &domain)) < 0)
            return -1;
        if (there > 0 && remoteSees(serving, domain))
            a->out.domains[a->count++] = domain;
        else
            virDomainUnref(domain);
    }
    return a->count == 0;
}

VIRT_INTERNAL void
remoteDomainsClean(struct remoteArgument *a)
{
    for (size_t i = 0; a->out.domains != NULL && a->out.domains[i] != NULL; i++)
        virDomainUnref(a->out.domains[i]);
    free(a->out.domains);
}

/* ---------- what goes in ---------- */

static int
remoteStringEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return a->in != NULL ? remotePutString(a, params, a->name[0], a->in) : 0;
}

/* Whether it must be there the public function checks. */
static int
remoteStringDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    const cJSON *item = virJsonGet(params, a->name[0]);

    (void)serving;
    if (item != NULL && !cJSON_IsString(item) && !cJSON_IsNull(item))
        return remoteWrong(a, a->name[0]);
    a->in = cJSON_IsString(item) ? item->valuestring : NULL;
    return 0;
}

static int
remoteUriEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remoteStringEncodeIn(a, params);
}

/*
 * The server connects there as itself, with its own keys and to whom it knows: what program it runs for that, and which files and sockets of its
 * host it opens, is no client's to say, whatever the client may do to guests. The parameter that would; "": the path; NULL: none.
 */
static const char *
remoteUriOwn(const struct virUri *uri)
{
    static const char *const own[] = { "command", "keyfile", "known_hosts" };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (virUriParam(uri, own[i]) != NULL)
            return own[i];
    if (uri->transport == NULL)                       /* a driver in the server's own process: directories, documents */
        return uri->nparams > 0 ? uri->params[0].name : strcmp(uri->scheme, "test") == 0 && strcmp(uri->path, "/default") != 0 ? "" : NULL;
    /* with ssh that is a path of the other host */
    return strcmp(uri->transport, "unix") == 0 && virUriParam(uri, "socket") != NULL ? "socket" : NULL;
}

static int
remoteUriDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    struct virUri *uri;
    const char *own;

    if (remoteStringDecodeIn(serving, a, params) < 0)
        return -1;
    if (a->in == NULL)
        return 0;
    if ((uri = virUriParse(a->in)) == NULL)
        return -1;
    if ((own = remoteUriOwn(uri)) != NULL)
        virReportError(VIR_ERR_ACCESS_DENIED, "%s: the %s%s%s of the URI '%s' would be of the server's host, which takes none from a client: it "
                       "connects with what it has itself", a->method->name, *own != '\0' ? "parameter '" : "path", own, *own != '\0' ? "'" : "",
                       (const char *)a->in);
    virUriFree(uri);
    return own != NULL ? -1 : 0;
}

/*
 * With access control there is a handle on the guest that is described, for whoever decides. What cannot be read has none, and is refused by the
 * call. The handle has no object, also where there is such a guest: who may not make it is told the same whether it is there or not.
 */
static int
remoteXmlDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    const struct virDriver *driver = serving->conn->driver;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    unsigned char uuid[VIR_UUID_BUFLEN] = { 0 };
    virDomainPtr there = NULL;
    const char *name;
    bool named, taken;

    if (remoteStringDecodeIn(serving, a, params) < 0)
        return -1;
    if (serving->allowed == NULL || a->in == NULL)
        return 0;
    if ((doc = virXmlParse(a->in, "domain")) == NULL || (name = virXmlString(virXmlRoot(doc), "name")) == NULL) {
        virResetLastError();
        return 0;
    }
    named = virXmlUuid(virXmlRoot(doc), "uuid", uuid) > 0;
    if (named && driver->domain.lookupByUUID != NULL)
        there = driver->domain.lookupByUUID(serving->conn, uuid);
    else if (!named && driver->domain.lookupByName != NULL)        /* without a uuid it is the one of that name, where there is one */
        there = driver->domain.lookupByName(serving->conn, name);
    virResetLastError();
    taken = there != NULL && strcmp(there->name, name) != 0 && !remoteSees(serving, there);
    if (there != NULL) {
        memcpy(uuid, there->uuid, sizeof(uuid));
        virDomainUnref(there);
    }
    if (taken)                        /* the driver would say by whom */
        return virReportError(VIR_ERR_ACCESS_DENIED, "%s: domain '%s' cannot have this uuid", serving->method->name, name);
    a->out.domain = virNewDomain(serving->conn, name, uuid, -1, NULL, NULL);
    return a->out.domain != NULL ? 0 : -1;
}

static int
remoteUuidEncodeIn(struct remoteArgument *a, cJSON *params)
{
    char text[VIR_UUID_STRING_BUFLEN];

    virUuidFormat(a->in, text);
    return remotePut(params, a->name[0], cJSON_CreateString(text));
}

static int
remoteUuidDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    const char *text = virJsonString(params, a->name[0]);

    (void)serving;
    return text == NULL || virUuidParse(text, a->out.uuid) < 0 ? remoteWrong(a, a->name[0]) : 0;
}

static int
remoteSignedEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePut(params, a->name[0], remoteNumber(a->number[0], true));
}

static int
remoteUnsignedEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePut(params, a->name[0], remoteNumber(a->number[0], false));
}

static int
remoteIntDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    return remoteAsked(a, params, a->name[0], true, INT_MIN, INT_MAX, &a->number[0]);
}

static int
remoteUintDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    return remoteAsked(a, params, a->name[0], false, 0, UINT_MAX, &a->number[0]);
}

static int
remoteUlongDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    return remoteAsked(a, params, a->name[0], false, 0, ULONG_MAX, &a->number[0]);
}

static int
remoteUllDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    return remoteAsked(a, params, a->name[0], false, 0, ULLONG_MAX, &a->number[0]);
}

/* Flags that are not given are 0. */
static int
remoteFlagsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    return virJsonGet(params, a->name[0]) != NULL ? remoteUintDecodeIn(serving, a, params) : 0;
}

static int
remoteFlagsAffectDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    if (remoteFlagsDecodeIn(serving, a, params) < 0)
        return -1;
    a->guarded = (a->number[0] & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG)) != VIR_DOMAIN_AFFECT_LIVE ? ~0u : 0;
    a->permission = "domain.save";
    return 0;
}

static int
remoteKeycodesEncodeIn(struct remoteArgument *a, cJSON *params)
{
    const unsigned int *codes = a->in;
    cJSON *array = remotePutArray(params, a->name[0]);

    for (long long i = 0; array != NULL && i < a->number[0]; i++) {
        cJSON *item = cJSON_CreateNumber(codes[i]);

        if (item == NULL)
            return virReportNoMemory();
        if (virJsonAppend(array, item) < 0)
            return -1;
    }
    return array != NULL ? 0 : -1;
}

static int
remoteKeycodesDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    size_t count;
    const cJSON *array = remoteGetArray(a, params, a->name[0], REMOTE_ROOM_MAX, &count), *item;
    unsigned int *codes;
    long long code;

    (void)serving;
    if (array == NULL || (codes = a->data = virAllocate((count + 1) * sizeof(*codes))) == NULL)
        return -1;
    cJSON_ArrayForEach(item, array) {
        if (remoteReadNumber(item, false, 0, UINT_MAX, &code) < 0)
            return remoteWrong(a, a->name[0]);
        codes[a->number[0]++] = (unsigned int)code;
    }
    return 0;
}

VIRT_INTERNAL void
remoteDataClean(struct remoteArgument *a)
{
    if (a->data != a->small)
        free(a->data);
}

VIRT_INTERNAL int
remotePutParams(cJSON *object, const char *key, const virTypedParameter *params, long long n)
{
    cJSON *item = virTypedParamsToJson(params, n > 0 && n <= INT_MAX ? (int)n : 0);

    return item == NULL ? -1 : remotePut(object, key, item);
}

/* Into a->out; at most `max`. */
VIRT_INTERNAL int
remoteReadParams(struct remoteArgument *a, const cJSON *object, const char *name, size_t max)
{
    const cJSON *item = virJsonGet(object, name);

    if (item == NULL || cJSON_IsNull(item))
        return 0;
    if (!cJSON_IsArray(item) || (size_t)cJSON_GetArraySize(item) > max)
        return remoteWrong(a, name);
    return virTypedParamsFromJson(item, &a->out.params, &a->out.nparams, name);
}

VIRT_INTERNAL void
remoteParamsClean(struct remoteArgument *a)
{
    virTypedParamsFree(a->out.params, a->out.nparams);
}

static int
remoteInParamsEncodeIn(struct remoteArgument *a, cJSON *params)
{
    return remotePutParams(params, a->name[0], a->in, a->number[0]);
}

static int
remoteInParamsDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    return remoteReadParams(a, params, a->name[0], REMOTE_ROOM_MAX);
}

/* The number that the client has chosen for a stream. */
static int
remoteAskedStream(struct remoteArgument *a, const cJSON *object, const char *name)
{
    if (remoteAsked(a, object, name, false, 1, 9007199254740991, &a->number[0]) < 0)
        return -1;
    return a->number[0] < 1 ? remoteWrong(a, name) : 0;
}

/*
 * A phase is asked again and again, so that no thread of the server waits for long; a check is over when it is over. What goes instead of a descriptor
 * is the number of a stream (carry.c), and at the server a descriptor again.
 */
static int
remoteMigrationEncodeIn(struct remoteArgument *a, cJSON *params)
{
    const struct virMigrationCall *call = a->in;
    cJSON *object = cJSON_CreateObject();
    char guest[VIR_UUID_STRING_BUFLEN];
    int timeout = a->method->phase && (call->timeout < 0 || call->timeout > REMOTE_PHASE_WAIT) ? REMOTE_PHASE_WAIT : call->timeout;

    if (remotePut(params, a->name[0], object) < 0)
        return -1;
    if (call->guest != NULL)
        virUuidFormat(call->guest, guest);
    if (remotePutString(a, object, "uuid", call->uuid) < 0 || (call->name != NULL && remotePutString(a, object, "name", call->name) < 0)
        || (call->guest != NULL && remotePutString(a, object, "guest", guest) < 0) || remotePutParams(object, "params", call->params, call->nparams) < 0)
        return -1;
    return remotePut(object, "flags", cJSON_CreateNumber(call->flags)) < 0 ? -1 : remotePut(object, "timeout", cJSON_CreateNumber(timeout));
}

static int
remoteMigrationDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    const cJSON *object = virJsonGet(params, a->name[0]);
    const char *name = virJsonString(object, "name"), *guest = virJsonString(object, "guest");
    struct virMigrationCall call = { .uuid = virJsonString(object, "uuid"), .stream = -1, .name = name != NULL ? name : "",
                                     .guest = (unsigned char *)a->small };
    long long flags, timeout;
    unsigned char uuid[VIR_UUID_BUFLEN];

    memset(a->small, 0, VIR_UUID_BUFLEN);
    if (!cJSON_IsObject(object) || call.uuid == NULL || virUuidParse(call.uuid, uuid) < 0
        || (guest != NULL && virUuidParse(guest, (unsigned char *)a->small) < 0))
        return remoteWrong(a, a->name[0]);
    if (remoteAsked(a, object, "flags", false, 0, UINT_MAX, &flags) < 0 || remoteAsked(a, object, "timeout", true, -1, INT_MAX, &timeout) < 0
        || (virJsonGet(object, "stream") != NULL && remoteAskedStream(a, object, "stream") < 0) || remoteReadParams(a, object, "params", REMOTE_ROOM_MAX) < 0)
        return -1;
    call.params = a->out.params;
    call.nparams = a->out.nparams;
    if (a->number[0] > 0 && serving->streamHand != NULL) {
        a->in = serving;
        call.stream = serving->streamHand(serving, (unsigned long long)a->number[0]);
    }
    call.flags = (unsigned int)flags;
    call.timeout = a->method->phase && (timeout < 0 || timeout > REMOTE_PHASE_WAIT) ? REMOTE_PHASE_WAIT : (int)timeout;
    a->out.call = call;
    return 0;
}

/* A phase that is not over will want its stream once more. */
static int
remoteMigrationEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)result;
    a->number[1] = *rc == VIR_MIGRATION_AGAIN;
    return 0;
}

static void
remoteMigrationClean(struct remoteArgument *a)
{
    struct remoteServing *serving = (struct remoteServing *)(uintptr_t)a->in;

    virTypedParamsFree(a->out.call.params, a->out.call.nparams);
    if (a->client || serving == NULL)
        return;
    if (a->out.call.stream >= 0)
        close(a->out.call.stream);
    if (a->number[1] == 0)
        serving->streamHanded(serving, (unsigned long long)a->number[0]);
}

/* ---------- streams ---------- */

/* A test has its own, and no connection. */
#ifndef REMOTE_STREAM_NUMBER
# define REMOTE_STREAM_NUMBER remoteStreamNumber
# define REMOTE_STREAM_OPENED remoteStreamOpened
#endif

/* The client chooses the number; what has come of it is what the far end has of that which not every one has. */
static int
remoteStreamEncodeIn(struct remoteArgument *a, cJSON *params)
{
    unsigned long long number = REMOTE_STREAM_NUMBER((virStreamPtr)(uintptr_t)a->in);

    a->number[0] = (long long)number;
    return number != 0 ? remotePut(params, a->name[0], cJSON_CreateNumber((double)number)) : -1;
}

static int
remoteStreamDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    if (remoteAskedStream(a, params, a->name[0]) < 0)
        return -1;
    if (serving->streamBegin == NULL)
        return virReportError(VIR_ERR_NO_SUPPORT, "%s: there are no streams here", a->method->name);
    a->in = serving;
    return (a->data = serving->streamBegin(serving, (unsigned long long)a->number[0], &a->out.stream)) != NULL ? 0 : -1;
}

static int
remoteStreamEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    const struct virStreamDriver *driver = a->out.stream->driver;

    (void)rc;
    if (driver == NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "%s has not opened its stream", a->method->name);
    if (remotePut(result, a->name[0], virJsonObject("b:sendHole", driver->sendHole != NULL, "b:recvHole", driver->recvHole != NULL, NULL)) < 0)
        return -1;
    serving->streamKeep(a->data);
    return 0;
}

static int
remoteStreamDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    const cJSON *has = virJsonGet(result, a->name[0]);
    bool sends = false, receives = false;

    (void)conn;
    (void)rc;
    if (virJsonBool(has, "sendHole", &sends) < 0 || virJsonBool(has, "recvHole", &receives) < 0)
        return remoteWrong(a, a->name[0]);
    return REMOTE_STREAM_OPENED((virStreamPtr)(uintptr_t)a->in, (unsigned long long)a->number[0], sends, receives);
}

static void
remoteNothingGive(struct remoteArgument *a)
{
    (void)a;
}

static void
remoteStreamClean(struct remoteArgument *a)
{
    if (!a->client && a->data != NULL)
        ((const struct remoteServing *)a->in)->streamEnd(a->data);
}

/* ---------- single values that come out ---------- */

VIRT_INTERNAL int
remoteNothingDecodeIn(struct remoteServing *serving, struct remoteArgument *a, const cJSON *params)
{
    (void)serving;
    (void)a;
    (void)params;
    return 0;
}

static int
remoteOutIntEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)rc;
    return remotePut(result, a->name[0], cJSON_CreateNumber(a->out.i));
}

static int
remoteOutIntDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    long long value;

    (void)conn;
    (void)rc;
    if (remoteReadNumber(virJsonGet(result, a->name[0]), true, INT_MIN, INT_MAX, &value) < 0)
        return remoteWrong(a, a->name[0]);
    a->out.i = (int)value;
    return 0;
}

static void
remoteOutIntGive(struct remoteArgument *a)
{
    if (a->to[0] != NULL)
        *(int *)a->to[0] = a->out.i;
}

static int
remoteOutUlongEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)rc;
    return remotePut(result, a->name[0], remoteNumber((long long)a->out.ul, false));
}

static int
remoteOutUlongDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    long long value;

    (void)conn;
    (void)rc;
    if (remoteReadNumber(virJsonGet(result, a->name[0]), false, 0, ULONG_MAX, &value) < 0)
        return remoteWrong(a, a->name[0]);
    a->out.ul = (unsigned long)value;
    return 0;
}

static void
remoteOutUlongGive(struct remoteArgument *a)
{
    *(unsigned long *)a->to[0] = a->out.ul;
}

static int
remoteOutUllEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)rc;
    return remotePut(result, a->name[0], remoteNumber((long long)a->out.ull, false));
}

static int
remoteOutUllDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    long long value;

    (void)conn;
    (void)rc;
    if (remoteReadNumber(virJsonGet(result, a->name[0]), false, 0, ULLONG_MAX, &value) < 0)
        return remoteWrong(a, a->name[0]);
    a->out.ull = (unsigned long long)value;
    return 0;
}

static void
remoteOutUllGive(struct remoteArgument *a)
{
    *(unsigned long long *)a->to[0] = a->out.ull;
}

static int
remoteOutStringEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    (void)serving;
    (void)rc;
    return remotePutString(a, result, a->name[0], a->out.text);
}

static int
remoteOutStringDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    const cJSON *item = virJsonGet(result, a->name[0]);

    (void)conn;
    (void)rc;
    if (item == NULL || cJSON_IsNull(item))
        return 0;
    if (!cJSON_IsString(item))
        return remoteWrong(a, a->name[0]);
    return (a->out.text = virStringCopy(item->valuestring)) != NULL ? 0 : -1;
}

static void
remoteOutStringGive(struct remoteArgument *a)
{
    *(char **)a->to[0] = a->out.text;
    a->out.text = NULL;
}

static void
remoteOutStringClean(struct remoteArgument *a)
{
    free(a->out.text);
}

static int
remoteOutDomainEncodeOut(struct remoteServing *serving, struct remoteArgument *a, long long *rc, cJSON *result)
{
    cJSON *item = a->out.domain != NULL ? remoteDomainItem(a->out.domain) : NULL;

    (void)serving;
    (void)rc;
    if (a->out.domain != NULL && item == NULL)
        return -1;
    return remotePut(result, a->name[0], item != NULL ? item : cJSON_CreateNull());
}

static int
remoteOutDomainDecodeOut(virConnectPtr conn, struct remoteArgument *a, long long rc, const cJSON *result)
{
    const cJSON *item = virJsonGet(result, a->name[0]);

    (void)rc;
    if (item == NULL || cJSON_IsNull(item))
        return 0;
    if (!cJSON_IsString(item))
        return remoteWrong(a, a->name[0]);
    return (a->out.domain = remoteDomainNew(conn, item->valuestring)) != NULL ? 0 : -1;
}

static void
remoteOutDomainGive(struct remoteArgument *a)
{
    *(virDomainPtr *)a->to[0] = a->out.domain;
    a->out.domain = NULL;
}

/* ---------- the kinds ---------- */

#define REMOTE_SCALAR(word, type) VIRT_INTERNAL const struct remoteKind remoteKind_##word = { remote##type##EncodeIn, remote##type##DecodeIn, NULL, NULL, NULL, NULL, NULL }
#define REMOTE_VALUE(word, type, end) \
    VIRT_INTERNAL const struct remoteKind remoteKind_##word = { NULL, remoteNothingDecodeIn, remote##type##EncodeOut, remote##type##DecodeOut, remote##type##Give, end, NULL }

VIRT_INTERNAL const struct remoteKind remoteKind_CONNECT = {
    NULL, remoteNothingDecodeIn, NULL, NULL, NULL, NULL, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_DOMAIN = {
    remoteDomainEncodeIn, remoteDomainDecodeIn, NULL, NULL, NULL, remoteDomainClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_STREAM = {
    remoteStreamEncodeIn, remoteStreamDecodeIn, remoteStreamEncodeOut, remoteStreamDecodeOut, remoteNothingGive, remoteStreamClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_DOMAINS = {
    remoteDomainsEncodeIn, remoteDomainsDecodeIn, NULL, NULL, NULL, remoteDomainsClean, NULL,
};
REMOTE_SCALAR(STRING, String);
REMOTE_SCALAR(STRING_OR_NULL, String);
VIRT_INTERNAL const struct remoteKind remoteKind_XML = {
    remoteStringEncodeIn, remoteXmlDecodeIn, NULL, NULL, NULL, remoteDomainClean, NULL,
};
REMOTE_SCALAR(URI, Uri);
REMOTE_SCALAR(UUID, Uuid);
VIRT_INTERNAL const struct remoteKind remoteKind_INT = {
    remoteSignedEncodeIn, remoteIntDecodeIn, NULL, NULL, NULL, NULL, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_UINT = {
    remoteUnsignedEncodeIn, remoteUintDecodeIn, NULL, NULL, NULL, NULL, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_ULONG = {
    remoteUnsignedEncodeIn, remoteUlongDecodeIn, NULL, NULL, NULL, NULL, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_ULL = {
    remoteUnsignedEncodeIn, remoteUllDecodeIn, NULL, NULL, NULL, NULL, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_KEYCODES = {
    remoteKeycodesEncodeIn, remoteKeycodesDecodeIn, NULL, NULL, NULL, remoteDataClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_IN_PARAMS = {
    remoteInParamsEncodeIn, remoteInParamsDecodeIn, NULL, NULL, NULL, remoteParamsClean, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_FLAGS = {
    remoteUnsignedEncodeIn, remoteFlagsDecodeIn, NULL, NULL, NULL, NULL, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_FLAGS_AFFECT = {
    remoteUnsignedEncodeIn, remoteFlagsAffectDecodeIn, NULL, NULL, NULL, NULL, NULL,
};
VIRT_INTERNAL const struct remoteKind remoteKind_MIGRATION = {
    remoteMigrationEncodeIn, remoteMigrationDecodeIn, remoteMigrationEncodeOut, NULL, NULL, remoteMigrationClean, NULL,
};
REMOTE_VALUE(OUT_INT, OutInt, NULL);
REMOTE_VALUE(OUT_INT_OR_NULL, OutInt, NULL);
REMOTE_VALUE(OUT_ULONG, OutUlong, NULL);
REMOTE_VALUE(OUT_ULL, OutUll, NULL);
REMOTE_VALUE(OUT_STRING, OutString, remoteOutStringClean);
REMOTE_VALUE(OUT_DOMAIN, OutDomain, remoteDomainClean);

#undef REMOTE_EXACT
#undef REMOTE_SCALAR
#undef REMOTE_VALUE
#undef VIRT_FROM

#endif
