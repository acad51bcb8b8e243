/*
 * What survives this process of a migration: one file for each side, ROOT/migrations/UUID.source.json or UUID.destination.json, replaced
 * atomically and durably before the effect that it announces. It holds what another process needs to make the entry again.
 *
 *   version        1
 *   migration      its uuid
 *   side           "source" or "destination"
 *   name, uuid     of the guest
 *   id             of the guest as it runs here; -1: it does not (yet)
 *   flags, params  as the phases were called with
 *   stage, over    where it stands (qemuStages), and whether that is its end
 *   performed, started               what decides: the destination had all of it; it was started there
 *   since, changed wall clock, ms: when it began here, and when the record was written
 * (up to here it is what a list of migrations tells; secrets follow)
 *   state, reason, running           of the guest before the migration
 *   paused, stopped, aborted         source: the CPUs were stopped before the transfer; when they stopped (ms); virDomainAbortJob
 *   startPaused                      destination: it stays paused
 *   begun                            what Begin answered
 *   cookie, uri                      what Perform, or Prepare, answered
 *   error          code, domain and message of the phase that failed
 *   document, definition             destination: the documents of an offline guest, and of one that is to be persistent
 *   persisted, previous              destination: the definition is, or is about to be, replaced, and what it was before
 *   listening      a socket to remove
 *   disks, copying, nbdSocket        of disks that are copied: see struct qemuMigration
 *   told, mine, peer, moving         the guest's lease: see struct qemuMigration
 */
#include "storage.h"

#include "../common/json.h"
#include "../common/params.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_RECORD_VERSION 1
#define QEMU_RECORD_MAX     (32u << 20)    /* bytes: cookies with documents */

static char *
qemuRecordPath(const struct qemuMigration *m)
{
    return virStringFormat("%s/%s.%s.json", m->host->migrations, m->uuid, m->incoming ? "destination" : "source");
}

/* ---------- writing ---------- */

VIRT_INTERNAL cJSON *
qemuMigrationHead(const struct qemuMigration *m)
{
    return virJsonObject("i:version", QEMU_RECORD_VERSION, "s:migration", m->uuid, "s:side", m->incoming ? "destination" : "source",
                         "s:name", m->name, "s:uuid", m->guest, "i:id", m->id, "u:flags", (unsigned long long)m->flags,
                         "a:params", virTypedParamsToJson(m->params, m->nparams), "s:stage", qemuStages[atomic_load(&m->stage)].name,
                         "b:over", qemuMigrationIsOver(m),
                         "b:performed", m->stage == QEMU_STAGE_TRANSFERRED || m->stage == QEMU_STAGE_LEAVING || m->stage == QEMU_STAGE_LEFT,
                         "b:started", m->stage == QEMU_STAGE_STARTED,
                         "u:since", m->since, "u:changed", atomic_load(&m->changed), NULL);
}

static cJSON *
qemuRecordError(const virError *error)
{
    return virJsonObject("i:code", error->code, "i:domain", error->domain, "s:message", error->message != NULL ? error->message : "", NULL);
}

VIRT_INTERNAL int
qemuMigrationSaveRecord(struct qemuMigration *m)
{
    VIRT_CLEANUP_FREE char *path = qemuRecordPath(m), *text = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;

    /* what there is must be in it: without memory there is no record, but none with a part missing */
    atomic_store(&m->changed, qemuMigrationWallClock());
    if (path == NULL || (json = qemuMigrationHead(m)) == NULL
        || virJsonAdd(json, "i:state", m->state, "i:reason", m->reason, "b:running", m->wasRunning, "B:paused", m->pausedByUs,
                      "U:stopped", m->stopped, "B:aborted", atomic_load(&m->aborted), "B:startPaused", m->startPaused,
                      "S:begun", m->begun, "S:cookie", m->cookie, "S:uri", m->uri, "S:document", m->document,
                      "S:definition", m->definition, "B:persisted", m->persisted, "S:previous", m->previous, "S:listening", m->listening,
                      "U:told", m->told, "U:mine", m->mine, "S:peer", m->peer, "B:moving", m->moving,
                      "B:copying", m->copying, "S:nbdSocket", m->nbdSocket, NULL) < 0
        || (m->ndisks > 0 && virJsonAdd(json, "a:disks", qemuStorageToJson(m), NULL) < 0)
        || (m->error.code != VIR_ERR_OK && virJsonAdd(json, "a:error", qemuRecordError(&m->error), NULL) < 0)
        || (text = virJsonFormat(json)) == NULL)
        return -1;
    return virFileWrite(path, text, strlen(text), 0600);
}

VIRT_INTERNAL void
qemuMigrationRemoveRecord(const struct qemuMigration *m)
{
    VIRT_CLEANUP_FREE char *path = qemuRecordPath(m);

    if (path != NULL && unlink(path) < 0 && errno != ENOENT)
        virLog(VIR_LOG_WARN, "qemu.migration", "cannot remove '%s': errno %d", path, errno);
}

/* ---------- reading ---------- */

/* A string that may be absent, as a copy. */
static int
qemuRecordTake(const cJSON *json, const char *key, char **copy)
{
    const cJSON *item = virJsonGet(json, key);

    if (item == NULL)
        return 0;
    if (!cJSON_IsString(item))
        return virReportError(VIR_ERR_INTERNAL_ERROR, "member '%s' of the migration record is not a string", key);
    return (*copy = virStringCopy(item->valuestring)) != NULL ? 0 : -1;
}

static void
qemuRecordTakeError(const cJSON *json, virErrorPtr error)
{
    const char *message = virJsonString(json, "message");
    int code = VIR_ERR_OPERATION_FAILED;

    if (json == NULL)
        return;
    virJsonInt(json, "code", &code);
    virSetLastError(&(virError){
        .code = code > VIR_ERR_OK && code < VIR_ERR_NUMBER_LAST ? code : VIR_ERR_OPERATION_FAILED,
        .domain = VIR_FROM_QEMU,
        .level = VIR_ERR_ERROR,
        .message = (char *)(uintptr_t)(message != NULL ? message : "it failed"),
    });
    virCopyLastError(error);
    virResetLastError();
}

static int
qemuRecordStage(const cJSON *json, bool incoming)
{
    const char *name = virJsonString(json, "stage");

    for (int i = 0; name != NULL && i < QEMU_STAGE_COUNT; i++)
        if (strcmp(qemuStages[i].name, name) == 0 && (i >= QEMU_STAGE_SPAWNED) == incoming)
            return i;
    return -1;
}

/* What every record must have, in m. */
static int
qemuRecordReadHead(const cJSON *json, struct qemuMigration *m)
{
    const char *uuid = virJsonString(json, "migration"), *side = virJsonString(json, "side"), *guest = virJsonString(json, "uuid");
    unsigned long long flags = 0, changed = 0;
    unsigned char raw[VIR_UUID_BUFLEN], rawGuest[VIR_UUID_BUFLEN];
    int version = 0, stage;

    if (virJsonInt(json, "version", &version) < 0 || version != QEMU_RECORD_VERSION)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "it has version %d, not %d", version, QEMU_RECORD_VERSION);
    m->incoming = side != NULL && strcmp(side, "destination") == 0;
    stage = qemuRecordStage(json, m->incoming);
    if (uuid == NULL || virUuidParse(uuid, raw) < 0 || guest == NULL || virUuidParse(guest, rawGuest) < 0 || stage < 0 || side == NULL
        || (!m->incoming && strcmp(side, "source") != 0) || virJsonString(json, "name") == NULL || virJsonInt(json, "id", &m->id) < 0
        || virJsonULongLong(json, "flags", &flags) < 0 || flags > UINT32_MAX || virJsonULongLong(json, "since", &m->since) < 0
        || virJsonULongLong(json, "changed", &changed) < 0 || virJsonInt(json, "state", &m->state) < 0
        || virJsonInt(json, "reason", &m->reason) < 0 || virJsonBool(json, "running", &m->wasRunning) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "it lacks, or has no valid migration, side, name, uuid, id, flags, stage, since, changed, "
                              "state, reason or running");
    virUuidFormat(raw, m->uuid);
    virUuidFormat(rawGuest, m->guest);
    m->flags = (unsigned int)flags;
    m->offline = (m->flags & VIR_MIGRATE_OFFLINE) != 0;
    atomic_init(&m->changed, changed);
    atomic_init(&m->stage, stage);
    return virTypedParamsFromJson(virJsonGet(json, "params"), &m->params, &m->nparams, "migration record");
}

static int
qemuRecordRead(const cJSON *json, struct qemuMigration *m)
{
    const struct { const char *key; char **copy; } strings[] = {
        { "name", &m->name }, { "begun", &m->begun }, { "cookie", &m->cookie }, { "uri", &m->uri }, { "document", &m->document },
        { "definition", &m->definition }, { "previous", &m->previous }, { "listening", &m->listening }, { "peer", &m->peer },
        { "nbdSocket", &m->nbdSocket },
    };
    bool aborted = false;

    if (qemuRecordReadHead(json, m) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        if (qemuRecordTake(json, strings[i].key, strings[i].copy) < 0)
            return -1;
    virJsonBool(json, "paused", &m->pausedByUs);
    virJsonULongLong(json, "stopped", &m->stopped);
    virJsonBool(json, "aborted", &aborted);
    atomic_init(&m->aborted, aborted);
    virJsonBool(json, "startPaused", &m->startPaused);
    virJsonBool(json, "persisted", &m->persisted);
    virJsonULongLong(json, "told", &m->told);
    virJsonULongLong(json, "mine", &m->mine);
    virJsonBool(json, "moving", &m->moving);
    virJsonBool(json, "copying", &m->copying);
    if (qemuStorageFromJson(m, virJsonGet(json, "disks"), true) < 0)
        return -1;
    if (m->told != 0 && m->incoming && m->peer == NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "it has a lease, but not from whom");
    qemuRecordTakeError(virJsonGet(json, "error"), &m->error);
    return 0;
}

VIRT_INTERNAL struct qemuMigration *
qemuMigrationLoad(struct qemuHost *host, const char *file)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/%s", host->migrations, file), *text = NULL, *own = NULL;
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    struct qemuMigration *m;
    size_t length;

    if (path == NULL || (text = virFileRead(path, QEMU_RECORD_MAX, &length)) == NULL
        || (json = virJsonParse(text, length, "migration record")) == NULL || (m = virAllocate(sizeof(*m))) == NULL)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->host = host;
    m->wake = m->wait = -1;
    if (qemuRecordRead(json, m) == 0 && (own = qemuRecordPath(m)) != NULL) {
        if (strcmp(own, path) == 0)
            return m;
        virReportError(VIR_ERR_INTERNAL_ERROR, "it is the record of another migration, %s", own);
    }
    qemuMigrationFree(m);
    return NULL;
}

#undef QEMU_RECORD_VERSION
#undef QEMU_RECORD_MAX
#undef VIRT_FROM
