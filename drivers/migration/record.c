/*
 * Messages and records as JSON text, and back. What comes in is checked as what a stranger wrote: size, version, each member's type.
 */
#include "migration.h"

#include <stdint.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_NONE

#define VIR_MIGRATION_VERSION 1
#define VIR_MIGRATION_PARAMS_MAX 1024      /* each is compared with all others */

/* ---------- common members ---------- */

static cJSON *
virMigrationErrorToJson(const virError *error)
{
    return virJsonObject("i:code", error->code, "i:domain", error->domain, "s:message", error->message != NULL ? error->message : "", NULL);
}

static void
virMigrationErrorFromJson(const cJSON *json, virErrorPtr error)
{
    const char *message = virJsonString(json, "message");
    int code = VIR_ERR_OPERATION_FAILED, domain = VIR_FROM_NONE;

    if (json == NULL)
        return;
    virJsonInt(json, "code", &code);
    virJsonInt(json, "domain", &domain);
    virErrorCopy(error, &(virError){
        .code = code > VIR_ERR_OK && code < VIR_ERR_NUMBER_LAST ? code : VIR_ERR_OPERATION_FAILED,
        .domain = domain >= VIR_FROM_NONE && domain < VIR_ERR_DOMAIN_LAST ? domain : VIR_FROM_NONE,
        .level = VIR_ERR_ERROR,
        .message = (char *)(uintptr_t)(message != NULL ? message : "unknown error"),
    });
}

/* A string that may be absent, as a copy. -1 with the error set: no memory, or something else than a string. */
static int
virMigrationTakeString(const cJSON *json, const char *key, char **copy)
{
    const cJSON *item = virJsonGet(json, key);

    *copy = NULL;
    if (item == NULL)
        return 0;
    if (!cJSON_IsString(item))
        return virReportError(VIR_ERR_INVALID_ARG, "member '%s' is not a string", key);
    return (*copy = virStringCopy(item->valuestring)) != NULL ? 0 : -1;
}

static int
virMigrationPhaseFromName(const char *name)
{
    for (int phase = 0; name != NULL && phase < VIR_MIGRATION_PHASE_LAST; phase++)
        if (strcmp(virMigrationPhaseGetName((virMigrationPhase)phase), name) == 0)
            return phase;
    return -1;
}

/* Text that is one of ours, as far as its head says; `what` is its name in errors. */
static cJSON *
virMigrationParse(const char *text, const char *what, char *uuid)
{
    size_t length = strnlen(text, VIR_MIGRATION_MESSAGE_MAX + 1);
    cJSON *json;
    int version = 0;
    unsigned char raw[VIR_UUID_BUFLEN];

    if (length > VIR_MIGRATION_MESSAGE_MAX) {
        virReportError(VIR_ERR_INVALID_ARG, "a %s of more than %u bytes", what, VIR_MIGRATION_MESSAGE_MAX);
        return NULL;
    }
    if ((json = virJsonParse(text, length, what)) == NULL) {
        virError error = { 0 };

        virErrorCopy(&error, virThreadError());
        if (error.code != VIR_ERR_NO_MEMORY)
            virReportError(VIR_ERR_INVALID_ARG, "%s", error.message);
        virErrorClear(&error);
        return NULL;
    }
    if (virJsonInt(json, "version", &version) < 0 || version != VIR_MIGRATION_VERSION)
        virReportError(VIR_ERR_INVALID_ARG, "a %s of version %d, not %d", what, version, VIR_MIGRATION_VERSION);
    else if (virJsonString(json, "migration") == NULL || virUuidParse(virJsonString(json, "migration"), raw) < 0)
        virReportError(VIR_ERR_INVALID_ARG, "a %s without the uuid of its migration", what);
    else {
        virUuidFormat(raw, uuid);
        return json;
    }
    cJSON_Delete(json);
    return NULL;
}

static int
virMigrationParseArguments(const cJSON *json, unsigned int *flags, virTypedParameterPtr *params, int *nparams, const char *what)
{
    unsigned long long value = 0;

    if (virJsonULongLong(json, "flags", &value) < 0 || value > UINT32_MAX)
        return virReportError(VIR_ERR_INVALID_ARG, "a %s without valid flags", what);
    *flags = (unsigned int)value;
    if (cJSON_GetArraySize(virJsonGet(json, "params")) > VIR_MIGRATION_PARAMS_MAX)
        return virReportError(VIR_ERR_INVALID_ARG, "a %s with more than %d parameters", what, VIR_MIGRATION_PARAMS_MAX);
    return virTypedParamsFromJson(virJsonGet(json, "params"), params, nparams, what);
}

/* ---------- messages ---------- */

VIRT_INTERNAL char *
virMigrationFormatMessage(const struct virMigrationMessage *message)
{
    const char *name = virMigrationPhaseGetName(message->phase);
    char uuid[VIR_UUID_STRING_BUFLEN];
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    virUuidFormat(message->guestUuid, uuid);
    if (message->reply)
        json = virJsonObject("i:version", VIR_MIGRATION_VERSION, "s:migration", message->uuid, "s:reply", name,
                             "b:done", message->result == VIR_MIGRATION_DONE, "B:started", message->started, "S:uri", message->uri,
                             "S:cookie", message->cookie,
                             "A:error", message->error.code != VIR_ERR_OK ? virMigrationErrorToJson(&message->error) : NULL, NULL);
    else
        json = virJsonObject("i:version", VIR_MIGRATION_VERSION, "s:migration", message->uuid, "s:request", name,
                             "s:name", message->name, "s:uuid", uuid, "u:flags", (unsigned long long)message->flags,
                             "a:params", virTypedParamsToJson(message->params, message->nparams),
                             "S:cookie", message->cookie, NULL);
    return json != NULL ? virJsonFormat(json) : NULL;
}

static int
virMigrationReadMessage(const cJSON *json, struct virMigrationMessage *message)
{
    const char *request = virJsonString(json, "request"), *reply = virJsonString(json, "reply");
    int phase = virMigrationPhaseFromName(request != NULL ? request : reply);
    bool done = false;

    if (phase != VIR_MIGRATION_PHASE_PREPARE && phase != VIR_MIGRATION_PHASE_FINISH && phase != VIR_MIGRATION_PHASE_CANCEL)
        return virReportError(VIR_ERR_INVALID_ARG, "a migration message that neither asks for nor answers prepare, finish or cancel");
    message->phase = (virMigrationPhase)phase;
    message->reply = request == NULL;
    if (virMigrationTakeString(json, "cookie", &message->cookie) < 0)
        return -1;
    if (!message->reply) {
        if (virMigrationTakeString(json, "name", &message->name) < 0)
            return -1;
        if (message->name == NULL || virJsonString(json, "uuid") == NULL || virUuidParse(virJsonString(json, "uuid"), message->guestUuid) < 0)
            return virReportError(VIR_ERR_INVALID_ARG, "a migration message that does not name its guest");
        if (phase == VIR_MIGRATION_PHASE_PREPARE && message->cookie == NULL)
            return virReportError(VIR_ERR_INVALID_ARG, "a migration message that asks for prepare without the cookie of begin");
        return virMigrationParseArguments(json, &message->flags, &message->params, &message->nparams, "migration message");
    }
    if (virJsonBool(json, "done", &done) < 0)
        return virReportError(VIR_ERR_INVALID_ARG, "a migration message that answers neither done nor failed");
    message->result = done ? VIR_MIGRATION_DONE : VIR_MIGRATION_FAILED;
    virJsonBool(json, "started", &message->started);
    virMigrationErrorFromJson(virJsonGet(json, "error"), &message->error);
    return virMigrationTakeString(json, "uri", &message->uri);
}

VIRT_INTERNAL struct virMigrationMessage *
virMigrationParseMessage(const char *text)
{
    struct virMigrationMessage *message = virAllocate(sizeof(*message));
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    if (message == NULL)
        return NULL;
    if ((json = virMigrationParse(text, "migration message", message->uuid)) != NULL && virMigrationReadMessage(json, message) == 0)
        return message;
    virMigrationMessageFree(message);
    return NULL;
}

/* ---------- records ---------- */

static cJSON *
virMigrationCookiesToJson(virMigrationPtr m)
{
    cJSON *cookies = cJSON_CreateObject();

    if (cookies == NULL)
        virReportNoMemory();
    for (int phase = 0; cookies != NULL && phase < VIR_MIGRATION_PHASE_LAST; phase++) {
        cJSON *text;

        if (m->cookieOut[phase] == NULL)
            continue;
        text = cJSON_CreateString(m->cookieOut[phase]);
        if (text == NULL || !cJSON_AddItemToObject(cookies, virMigrationPhaseGetName((virMigrationPhase)phase), text)) {
            cJSON_Delete(text);
            cJSON_Delete(cookies);
            virReportNoMemory();
            return NULL;
        }
    }
    return cookies;
}

static const char *const virMigrationOutcomes[VIR_MIGRATION_OUTCOME_LAST] = {
    [VIR_MIGRATION_OUTCOME_NONE] = "none", [VIR_MIGRATION_OUTCOME_MIGRATED] = "migrated", [VIR_MIGRATION_OUTCOME_ROLLED_BACK] = "rolled back",
    [VIR_MIGRATION_OUTCOME_UNDECIDED] = "undecided", [VIR_MIGRATION_OUTCOME_LOST] = "lost",
};

char *
virMigrationGetRecord(virMigrationPtr m)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    const unsigned char *guest;
    virDomainPtr domain;
    char *text = NULL;

    if (!virMigrationIs(__func__, m))
        return NULL;
    pthread_mutex_lock(&m->lock);
    domain = m->domain != NULL ? m->domain : m->guest;
    guest = domain != NULL ? domain->uuid : m->name != NULL ? m->guestUuid : NULL;
    if (guest != NULL)
        virUuidFormat(guest, uuid);
    if (m->uuid[0] == '\0')
        virReportError(VIR_ERR_OPERATION_INVALID, "this destination has not been asked anything yet: there is nothing to record");
    else if (m->stepping)
        virReportError(VIR_ERR_OPERATION_INVALID, "another thread is stepping migration %s", m->uuid);
    else
        json = virJsonObject("i:version", VIR_MIGRATION_VERSION, "s:migration", m->uuid, "s:phase", virMigrationPhaseGetName(m->phase),
                             "S:name", domain != NULL ? domain->name : m->name, "S:uuid", guest != NULL ? uuid : NULL,
                             "u:flags", (unsigned long long)m->flags, "a:params", virTypedParamsToJson(m->params, m->nparams),
                             "a:cookies", virMigrationCookiesToJson(m), "S:uri", m->uri, "B:asked", m->entered != 0, "B:aborted", m->abort,
                             "B:performed", m->performed, "s:outcome", virMigrationOutcomes[m->outcome],
                             "A:error", m->error.code != VIR_ERR_OK ? virMigrationErrorToJson(&m->error) : NULL, NULL);
    text = json != NULL ? virJsonFormat(json) : NULL;
    pthread_mutex_unlock(&m->lock);
    if (text == NULL)
        virErrorDispatch(NULL);
    return text;
}

/* The guest that a record is of, at the source. One that has left is known by its record alone, so a handle is made for it. */
static virDomainPtr
virMigrationRecordDomain(const cJSON *json, virConnectPtr sconn)
{
    const char *text = virJsonString(json, "uuid"), *name = virJsonString(json, "name");
    unsigned char uuid[VIR_UUID_BUFLEN];
    virDomainPtr domain;

    if (text == NULL || name == NULL || virUuidParse(text, uuid) < 0) {
        virReportError(VIR_ERR_INVALID_ARG, "a migration record that does not name its guest");
        return NULL;
    }
    if (sconn->driver->domain.lookupByUUID != NULL && (domain = sconn->driver->domain.lookupByUUID(sconn, uuid)) != NULL)
        return domain;
    return virNewDomain(sconn, name, uuid, -1, NULL, NULL);
}

/*
 * One of a host says what that host knows; all phases are asked again, and answer from there. A destination whose host is done with it knows how it
 * ended: the source may have its answer, and not ask again.
 */
static void
virMigrationReadSide(const cJSON *json, virMigrationPtr m)
{
    bool value = false, started = false;

    if (m->ends == VIR_MIGRATION_ENDS_DESTINATION) {
        if (virJsonBool(json, "over", &value) == 0 && value && virJsonBool(json, "started", &started) == 0) {
            m->outcome = started ? VIR_MIGRATION_OUTCOME_MIGRATED : VIR_MIGRATION_OUTCOME_ROLLED_BACK;
            virMigrationEnter(m, VIR_MIGRATION_PHASE_OVER);
        }
        return;
    }
    /* what the destination was asked before that needs no asking again, and it may never answer */
    if (virJsonBool(json, "performed", &value) == 0 && value)
        virMigrationEnter(m, VIR_MIGRATION_PHASE_PERFORM);
    m->entered = virTimeNowUs();      /* begun it is: an abort has something to take back */
}

/* Where it stood, if it is the record of an object. */
static int
virMigrationReadProgress(const cJSON *json, virMigrationPtr m)
{
    const char *outcome = virJsonString(json, "outcome");
    int phase = virMigrationPhaseFromName(virJsonString(json, "phase"));
    bool value = false;

    if (virJsonString(json, "side") != NULL) {
        virMigrationReadSide(json, m);
        return 0;
    }
    if (phase < 0 || outcome == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "a migration record that says neither 'side' nor a valid 'phase' and 'outcome'");
    for (int i = 0; i < VIR_MIGRATION_PHASE_LAST; i++)
        if (virMigrationTakeString(virJsonGet(json, "cookies"), virMigrationPhaseGetName((virMigrationPhase)i), &m->cookieOut[i]) < 0)
            return -1;
    if (virMigrationTakeString(json, "uri", &m->uri) < 0)
        return -1;
    for (int i = 0; i < VIR_MIGRATION_OUTCOME_LAST; i++)
        if (strcmp(virMigrationOutcomes[i], outcome) == 0 && i != VIR_MIGRATION_OUTCOME_UNDECIDED)
            m->outcome = (virMigrationOutcome)i;
    if ((m->outcome == VIR_MIGRATION_OUTCOME_NONE) == (phase == VIR_MIGRATION_PHASE_OVER))
        return virReportError(VIR_ERR_INVALID_ARG, "a migration record of phase '%s' with the outcome '%s'",
                              virMigrationPhaseGetName((virMigrationPhase)phase), outcome);
    virMigrationEnter(m, (virMigrationPhase)phase);
    virJsonBool(json, "aborted", &m->abort);
    virJsonBool(json, "performed", &m->performed);
    if (virJsonBool(json, "asked", &value) == 0 && value && phase == VIR_MIGRATION_PHASE_BEGIN)
        m->entered = virTimeNowUs();  /* Begin may have been carried out: an abort has something to take back */
    virMigrationErrorFromJson(virJsonGet(json, "error"), &m->error);
    return 0;
}

/* A destination alone has no handle of its guest: what the record says of it. */
static int
virMigrationReadGuest(const cJSON *json, virMigrationPtr m)
{
    const char *uuid = virJsonString(json, "uuid");

    if (m->domain != NULL || uuid == NULL)
        return 0;
    if (virUuidParse(uuid, m->guestUuid) < 0)
        return virReportError(VIR_ERR_INVALID_ARG, "a migration record that does not name its guest");
    return virMigrationTakeString(json, "name", &m->name);
}

/* The object of a record; the guest's handle is the caller's. */
static virMigrationPtr
virMigrationFromJson(const cJSON *json, const char *uuid, virDomainPtr domain, virConnectPtr dconn)
{
    virTypedParameterPtr params = NULL;
    virMigrationPtr m = NULL;
    unsigned int flags = 0;
    int nparams = 0;

    if (virMigrationParseArguments(json, &flags, &params, &nparams, "migration record") == 0 && virMigrationCheckFlags(flags) == 0
        && virMigrationCheckParams(params, (unsigned int)nparams) == 0
        && (m = virMigrationMake(domain, dconn, params, nparams, flags)) != NULL) {
        snprintf(m->uuid, sizeof(m->uuid), "%s", uuid);
        if (m->ends == VIR_MIGRATION_ENDS_DESTINATION)
            virMigrationEnter(m, VIR_MIGRATION_PHASE_PREPARE);
        if (virMigrationReadGuest(json, m) < 0 || virMigrationReadProgress(json, m) < 0) {
            virError error = { 0 };

            virErrorCopy(&error, virThreadError());
            m->phase = VIR_MIGRATION_PHASE_OVER;               /* nobody has to be told that it is dropped */
            virMigrationFree(m);
            virSetLastError(&error);
            virErrorClear(&error);
            m = NULL;
        }
    }
    virTypedParamsFree(params, nparams);
    return m;
}

virMigrationPtr
virMigrationNewFromRecord(const char *record, virConnectPtr sconn, virConnectPtr dconn)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];
    virDomainPtr domain = NULL;
    virMigrationPtr m = NULL;

    virResetLastError();
    if ((sconn != NULL && virCallOnConnect(__func__, sconn, true) == NULL) || (dconn != NULL && virCallOnConnect(__func__, dconn, true) == NULL))
        return NULL;
    if (sconn == NULL && dconn == NULL)
        virReportError(VIR_ERR_INVALID_ARG, "sconn and dconn in %s must not both be NULL", __func__);
    else if (virCallHas(__func__, record, "record") && (json = virMigrationParse(record, "migration record", uuid)) != NULL
             && (sconn == NULL || (domain = virMigrationRecordDomain(json, sconn)) != NULL))
        m = virMigrationFromJson(json, uuid, domain, dconn);
    if (m == NULL)
        virErrorDispatch(sconn != NULL ? sconn : dconn);
    if (domain != NULL) {
        virErrorPtr error = m == NULL ? virSaveLastError() : NULL;

        virDomainFree(domain);
        virRestoreLastError(error);
    }
    return m;
}

#undef VIR_MIGRATION_VERSION
#undef VIR_MIGRATION_PARAMS_MAX
#undef VIRT_FROM
