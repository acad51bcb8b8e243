/*
 * Migration between simulated hosts: the five phases as driver.h wants them, a transfer that takes
 * its time, and everything that can go wrong.
 *
 * The transfer. A guest has so many bytes to move (its memory, or memory-mib of the source's URI),
 * over a wire of so many bytes a second (bandwidth), and while it runs it writes so many bytes a
 * second (dirty-rate), which have to be sent again in the next pass. When what is left fits into
 * the allowed downtime, the guest is paused and the rest is sent. Passes, bytes and downtime are
 * computed, not measured, so they are the same in every run; only how much of it has happened
 * depends on the clock. A guest that writes faster than the wire never gets there, until it is
 * throttled (AUTO_CONVERGE), paused, given more downtime, or the migration is aborted.
 *
 * The records. Each side has a record for a migration, under its uuid, in the host. It says how
 * far the side has come and what it has answered, so that a phase that is asked again answers as
 * it did, also after the guest has left. The last record of each guest and side is kept.
 *
 * Faults, in the URI of the connection that the phase is called on (the source's: begin, perform,
 * confirm, rollback; the destination's: prepare, perform, finish, cancel):
 *
 *     fault=PHASE[:WHAT[:N]][,...]
 *
 *     PHASE   begin, prepare, perform, finish, confirm; cancel (finish, after the migration has
 *             failed), rollback (confirm, likewise)
 *     fail    the phase fails (the default). perform: after N per cent of the memory, 50 if N is
 *             not given
 *     die     the hypervisor's process of that side dies. perform: after N per cent; finish: when
 *             the guest is to be started
 *     again   the first N calls (1) are not answered and not carried out
 *     lost    the first N calls that carry it out (1) are not answered
 *     hang    no answer and nothing carried out for N milliseconds; for ever, without N
 *
 * confirm, cancel and rollback cannot fail or die: only their answers can be missing. On the
 * destination's URI, perform can only die.
 */
#include "test.h"

#include "../common/document.h"
#include "../common/file.h"
#include "../common/json.h"
#include "../common/platform.h"

#include <errno.h>
#include <stdint.h>
#include <time.h>

#define VIRT_FROM VIR_FROM_TEST

#define TEST_FLAGS (VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_PAUSED | \
                    VIR_MIGRATE_CHANGE_PROTECTION | VIR_MIGRATE_UNSAFE | VIR_MIGRATE_OFFLINE | \
                    VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_AUTO_CONVERGE)

/* ---------- faults ---------- */

static const char *const testFaultPlaces[TEST_FAULT_PLACES + 1] = {
    [TEST_FAULT_BEGIN] = "begin", [TEST_FAULT_PREPARE] = "prepare", [TEST_FAULT_PERFORM] = "perform",
    [TEST_FAULT_FINISH] = "finish", [TEST_FAULT_CONFIRM] = "confirm", [TEST_FAULT_CANCEL] = "cancel",
    [TEST_FAULT_ROLLBACK] = "rollback",
};

static const char *const testFaultKinds[] = {
    [TEST_FAULT_NONE] = "none", [TEST_FAULT_FAIL] = "fail", [TEST_FAULT_DIE] = "die", [TEST_FAULT_AGAIN] = "again",
    [TEST_FAULT_LOST] = "lost", [TEST_FAULT_HANG] = "hang", NULL,
};

static int
testFaultWord(const char *const *names, const char *text, size_t length)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strlen(names[i]) == length && strncmp(names[i], text, length) == 0)
            return i;
    }
    return -1;
}

VIRT_INTERNAL int
testMigrationParseFaults(struct testConnect *test, const char *text)
{
    for (const char *at = text; *at != '\0'; at += *at == ',') {
        size_t length = strcspn(at, ":,");
        int place = testFaultWord(testFaultPlaces, at, length), kind = TEST_FAULT_FAIL, number = -1;

        at += length;
        if (*at == ':') {
            length = strcspn(++at, ":,");
            kind = testFaultWord(testFaultKinds, at, length);
            at += length;
        }
        if (*at == ':') {
            char *end;

            number = (int)strtol(at + 1, &end, 10);
            if (end == at + 1 || number < 0)
                kind = -1;
            at = end;
        }
        if (place < 0 || kind < 0 || (*at != ',' && *at != '\0') ||
            (place >= TEST_FAULT_CONFIRM && (kind == TEST_FAULT_FAIL || kind == TEST_FAULT_DIE)))
            return virReportError(VIR_ERR_INVALID_ARG, "URI parameter fault: '%s' is not of the form "
                                  "PHASE[:fail|die|again|lost|hang[:N]][,...]", text);
        test->faults[place] = (struct testFault){ .kind = kind, .number = number };
    }
    return 0;
}

static bool
testFaultCounts(struct testFault *fault)
{
    if (fault->number < 0)
        fault->number = 1;
    return fault->number > 0 && fault->number-- > 0;
}

/* What happens instead of the phase. The host is locked. */
static enum testFaultKind
testFaultBefore(struct testConnect *test, enum testFaultPlace place)
{
    struct testFault *fault = &test->faults[place];
    unsigned long long now = virTimeNowUs();

    switch (fault->kind) {
    case TEST_FAULT_AGAIN:
        return testFaultCounts(fault) ? TEST_FAULT_AGAIN : TEST_FAULT_NONE;
    case TEST_FAULT_HANG:
        if (fault->since == 0)
            fault->since = now;
        if (fault->number < 0 || now - fault->since < (unsigned long long)fault->number * 1000)
            return TEST_FAULT_HANG;
        return TEST_FAULT_NONE;
    case TEST_FAULT_LOST:
        return TEST_FAULT_NONE;
    default:
        return fault->kind;
    }
}

/* Whether the answer of a phase that was carried out gets lost. The host is locked. */
static bool
testFaultLost(struct testConnect *test, enum testFaultPlace place)
{
    return test->faults[place].kind == TEST_FAULT_LOST && testFaultCounts(&test->faults[place]);
}

/* Whether somebody steps it. */
static void
testMigrationSetDropped(struct testHost *host, const char *uuid, bool dropped)
{
    for (struct testMigration *m = host->migrations; m != NULL; m = m->next)
        if (strcmp(m->uuid, uuid) == 0)
            m->dropped = dropped;
}

/*
 * How every phase begins: locks the host. 1: to be carried out; *kind is then a fault that the
 * phase itself has to act out. Else its result, and the host is not locked.
 */
static int
testPhaseEnter(virConnectPtr conn, const struct virMigrationCall *call, enum testFaultPlace place, enum testFaultKind *kind)
{
    struct testConnect *test = testConnectOf(conn);
    unsigned long long now = virTimeNowUs(), end;

    pthread_mutex_lock(&test->host->lock);
    testMigrationSetDropped(test->host, call->uuid, false);
    *kind = testFaultBefore(test, place);
    if (*kind == TEST_FAULT_HANG && call->timeout != 0) {
        /* Somebody who waits without end is let out now and then, to look around. */
        end = now + (call->timeout > 0 && call->timeout < 1000 ? (unsigned int)call->timeout : 1000) * 1000ULL;
        while (virTimeNowUs() < end && (*kind = testFaultBefore(test, place)) == TEST_FAULT_HANG) {
            unsigned long long next = virTimeNowUs() + 10000;

            virPlatformCondWait(&test->host->changed, &test->host->lock, next < end ? next : end);
        }
    }
    if (*kind != TEST_FAULT_HANG && *kind != TEST_FAULT_AGAIN)
        return 1;
    pthread_mutex_unlock(&test->host->lock);
    return VIR_MIGRATION_AGAIN;
}

/* ---------- channels ---------- */

static void *
testChannelCreate(const char *key, void *opaque)
{
    struct testChannel *channel = virAllocate(sizeof(*channel));

    (void)key;
    if (channel != NULL && (channel->migration = virStringCopy(opaque)) == NULL) {
        free(channel);
        channel = NULL;
    }
    return channel;
}

static void *
testChannelMissing(const char *key, void *opaque)
{
    (void)opaque;
    virReportError(VIR_ERR_OPERATION_FAILED, "nobody listens at '%s'", key);
    return NULL;
}

static void
testChannelDestroy(void *state)
{
    struct testChannel *channel = state;

    free(channel->migration);
    free(channel);
}

/* The destination's end: an address belongs to one migration at a time. */
static struct testChannel *
testChannelListen(const char *uri, const char *migration)
{
    struct testChannel *channel = virSharedAcquire(uri, testChannelCreate, (void *)(uintptr_t)migration, testChannelDestroy);

    if (channel != NULL && strcmp(channel->migration, migration) != 0) {
        virSharedRelease(channel);
        virReportError(VIR_ERR_OPERATION_FAILED, "'%s' is in use by another migration", uri);
        return NULL;
    }
    return channel;
}

static struct testChannel *
testChannelConnect(const char *uri, const char *migration)
{
    struct testChannel *channel = virSharedAcquire(uri, testChannelMissing, NULL, testChannelDestroy);

    if (channel != NULL && strcmp(channel->migration, migration) != 0) {
        virSharedRelease(channel);
        virReportError(VIR_ERR_OPERATION_FAILED, "who listens at '%s' expects another migration", uri);
        return NULL;
    }
    return channel;
}

static void
testChannelClose(struct testMigration *m)
{
    if (m->channel != NULL) {
        if (!m->source)
            m->channel->dead = true;
        virSharedRelease(m->channel);
        m->channel = NULL;
    }
}

/* ---------- records (the host is locked) ---------- */

static void
testMigrationFree(struct testMigration *m)
{
    testChannelClose(m);
    virDomainObjUnref(m->vm);
    virFreeError(m->error);
    free(m->definition);
    free(m->cookie);
    free(m->uri);
    free(m->uuid);
    free(m);
}

VIRT_INTERNAL void
testMigrationsFree(struct testHost *host)
{
    while (host->migrations != NULL) {
        struct testMigration *m = host->migrations;

        host->migrations = m->next;
        testMigrationFree(m);
    }
}

static struct testMigration *
testMigrationFind(struct testHost *host, const char *uuid, bool source)
{
    struct testMigration *m = host->migrations;

    while (m != NULL && (m->source != source || strcmp(m->uuid, uuid) != 0))
        m = m->next;
    return m;
}

static bool
testMigrationIsOver(const struct testMigration *m)
{
    return m->step == TEST_LEFT || m->step == TEST_STAYED || m->step == TEST_ARRIVED || m->step == TEST_REFUSED;
}

VIRT_INTERNAL struct testMigration *
testMigrationOf(struct testHost *host, const struct virDomainObj *vm)
{
    struct testMigration *m = host->migrations;

    while (m != NULL && (m->vm != vm || testMigrationIsOver(m)))
        m = m->next;
    return m;
}

/* A new record; not in the list yet. */
static struct testMigration *
testMigrationNew(const char *uuid, bool source, struct virDomainObj *vm, unsigned int flags)
{
    struct testMigration *m = virAllocate(sizeof(*m));

    if (m == NULL)
        return NULL;
    m->source = source;
    m->step = source ? TEST_BEGUN : TEST_PREPARED;
    m->flags = flags;
    m->offline = (flags & VIR_MIGRATE_OFFLINE) != 0;
    m->state = vm->state;
    m->reason = vm->reason;
    m->failAt = m->dieAt = -1;
    m->vm = virDomainObjRef(vm);
    if ((m->uuid = virStringCopy(uuid)) == NULL) {
        testMigrationFree(m);
        return NULL;
    }
    return m;
}

/* Puts it into the list, in place of earlier ones of the same guest and side that are over. */
static void
testMigrationInsert(struct testHost *host, struct testMigration *m)
{
    for (struct testMigration **at = &host->migrations; *at != NULL;) {
        struct testMigration *old = *at;

        if (old->source == m->source && testMigrationIsOver(old) && old->users == 0 &&
            memcmp(old->vm->uuid, m->vm->uuid, VIR_UUID_BUFLEN) == 0) {
            *at = old->next;
            testMigrationFree(old);
        } else {
            at = &old->next;
        }
    }
    m->next = host->migrations;
    host->migrations = m;
}

/* The thread's error becomes the one that this side gives for the end of the migration. */
static void
testMigrationKeepError(struct testMigration *m)
{
    virFreeError(m->error);
    m->error = virSaveLastError();
}

static int
testMigrationFailed(const struct testMigration *m)
{
    if (m->error != NULL)
        virSetLastError(m->error);
    else
        virReportError(VIR_ERR_OPERATION_FAILED, "migration %s has failed", m->uuid);
    return VIR_MIGRATION_FAILED;
}

/* Settling on the way back, used by all phases; see perform and finish. */
static void testSourceStays(struct testHost *host, struct testMigration *m, bool failed);
static void testDestinationRefuses(struct testHost *host, struct testMigration *m, bool failed, int reason);

/* ---------- begin ---------- */

static int
testMigrationCheckCall(const struct virMigrationCall *call)
{
    static const char *const known[] = {
        VIR_MIGRATE_PARAM_URI, VIR_MIGRATE_PARAM_DEST_NAME, VIR_MIGRATE_PARAM_DEST_XML, VIR_MIGRATE_PARAM_PERSIST_XML,
        VIR_MIGRATE_PARAM_BANDWIDTH, VIR_MIGRATE_PARAM_LISTEN_ADDRESS, VIR_MIGRATE_PARAM_DOWNTIME,
    };
    unsigned int refused = call->flags & ~(unsigned int)TEST_FLAGS;

    if (refused != 0)
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "the test driver does not support migration flags 0x%x", refused);
    for (int i = 0; i < call->nparams; i++) {
        size_t k = 0;

        while (k < sizeof(known) / sizeof(known[0]) && strcmp(known[k], call->params[i].field) != 0)
            k++;
        if (k == sizeof(known) / sizeof(known[0]))
            return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "the test driver does not support migration parameter '%s'",
                                  call->params[i].field);
    }
    if ((call->flags & VIR_MIGRATE_OFFLINE) != 0 && (call->flags & VIR_MIGRATE_PERSIST_DEST) == 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "offline migration moves a definition: it needs the flag "
                              "VIR_MIGRATE_PERSIST_DEST");
    return 0;
}

static const char *
testCallString(const struct virMigrationCall *call, const char *name)
{
    const char *value = NULL;

    return virTypedParamsGetString(call->params, call->nparams, name, &value) > 0 ? value : NULL;
}

static bool
testCallNumber(const struct virMigrationCall *call, const char *name, unsigned long long *value)
{
    return virTypedParamsGetULLong(call->params, call->nparams, name, value) > 0;
}

/*
 * The document that the destination gets: the guest's own, or the caller's in its place
 * (parameter), which must describe the same machine; under its new name. The caller frees it.
 */
static char *
testMigrationDocument(struct virDomainObj *vm, const struct virMigrationCall *call, const char *parameter, bool persistent)
{
    const char *given = testCallString(call, parameter), *name = testCallString(call, VIR_MIGRATE_PARAM_DEST_NAME);
    VIRT_CLEANUP_XML xmlDocPtr ours = virDomainObjDocument(vm, persistent);
    VIRT_CLEANUP_XML xmlDocPtr theirs = NULL;
    struct virDocumentHot hot;
    xmlDocPtr doc = ours;

    if (ours == NULL)
        return NULL;
    if (given != NULL) {
        if ((theirs = virDocumentParse(given, NULL)) == NULL || virDocumentCheckAbi(ours, theirs) < 0 ||
            virDocumentHot(theirs, &hot) < 0)
            return NULL;
        if (memcmp(hot.uuid, vm->uuid, VIR_UUID_BUFLEN) != 0 ||
            (strcmp(hot.name, vm->name) != 0 && (name == NULL || strcmp(hot.name, name) != 0))) {
            virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "parameter %s describes domain '%s', not '%s', or has another uuid",
                           parameter, hot.name, vm->name);
            return NULL;
        }
        doc = theirs;
    }
    virXmlRemove(virXmlRoot(doc), "@id");
    if (name != NULL && virXmlSet(virXmlRoot(doc), "name", "%s", name) < 0)
        return NULL;
    return virXmlFormat(doc);
}

static char *
testMigrationFormatCookie(struct testHost *host, struct virDomainObj *vm, const struct virMigrationCall *call)
{
    bool offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0, persist = (call->flags & VIR_MIGRATE_PERSIST_DEST) != 0;
    VIRT_CLEANUP_FREE char *document = NULL, *definition = NULL;
    VIRT_CLEANUP_JSON cJSON *cookie = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];

    virUuidFormat(vm->uuid, uuid);
    if ((document = testMigrationDocument(vm, call, VIR_MIGRATE_PARAM_DEST_XML, offline && vm->persistent)) == NULL ||
        (persist && (definition = testMigrationDocument(vm, call, VIR_MIGRATE_PARAM_PERSIST_XML, true)) == NULL))
        return NULL;
    cookie = virJsonObject("i:version", 1, "s:name", vm->name, "s:uuid", uuid, "s:host", host->name,
                           "s:state", offline ? "shutoff" : vm->state == VIR_DOMAIN_PAUSED ? "paused" : "running",
                           "b:persistent", (int)vm->persistent, "s:document", document, "S:definition", definition, NULL);
    return cookie != NULL ? virJsonFormat(cookie) : NULL;
}

/* How fast it may go, and how much there is to move. */
static int
testMigrationPlan(struct testMigration *m, const struct testConnect *test, const struct virMigrationCall *call)
{
    struct testDomain *settings = testDomainOf(m->vm);
    unsigned long long speed = 0, downtime = 0;

    if (settings == NULL)
        return -1;
    if (!testCallNumber(call, VIR_MIGRATE_PARAM_BANDWIDTH, &speed) || speed == 0)
        speed = settings->maxSpeed;
    if (!testCallNumber(call, VIR_MIGRATE_PARAM_DOWNTIME, &downtime))
        downtime = settings->maxDowntime;
    m->speed = (double)speed * TEST_MIB;
    m->downtime = (double)downtime / 1000;
    m->bandwidth = (double)test->bandwidth;
    m->dirtyRate = (double)test->dirtyRate;
    m->transfer.total = test->memory != 0 ? (double)test->memory : (double)m->vm->memory * 1024;
    m->transfer.left = m->transfer.total;
    m->failAt = test->faults[TEST_FAULT_PERFORM].kind == TEST_FAULT_FAIL ? test->faults[TEST_FAULT_PERFORM].number : -2;
    m->dieAt = test->faults[TEST_FAULT_PERFORM].kind == TEST_FAULT_DIE ? test->faults[TEST_FAULT_PERFORM].number : -2;
    m->failAt = m->failAt == -1 ? 50 : m->failAt;
    m->dieAt = m->dieAt == -1 ? 50 : m->dieAt;
    return 0;
}

/* The guest's job is held and the host locked: becomes the migration's on success. */
static struct testMigration *
testMigrationBegin(virConnectPtr conn, struct virDomainObj *vm, const struct virMigrationCall *call)
{
    struct testHost *host = testHostOf(conn);
    struct testMigration *m;

    if (((call->flags & VIR_MIGRATE_OFFLINE) == 0 && virDomainObjCheckActive(vm) < 0) ||
        (m = testMigrationNew(call->uuid, true, vm, call->flags)) == NULL)
        return NULL;
    m->id = vm->id;
    if ((m->cookie = testMigrationFormatCookie(host, vm, call)) == NULL ||
        testMigrationPlan(m, testConnectOf(conn), call) < 0 ||
        virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, call->uuid) < 0) {
        testMigrationFree(m);
        return NULL;
    }
    testMigrationInsert(host, m);
    return m;
}

VIRT_INTERNAL int
testDomainMigrateBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout)
{
    struct testHost *host = testHostOf(domain->conn);
    struct virDomainObj *vm;
    struct testMigration *m;
    enum testFaultKind kind;
    char *cookie = NULL;
    int rc = testPhaseEnter(domain->conn, call, TEST_FAULT_BEGIN, &kind);

    if (rc != 1)
        return rc;
    m = testMigrationFind(host, call->uuid, true);
    if (m == NULL) {
        pthread_mutex_unlock(&host->lock);                 /* the job comes first */
        if (kind != TEST_FAULT_NONE)
            return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': a fault was injected into begin", domain->name);
        if (testMigrationCheckCall(call) < 0 || (vm = virDomainObjOf(domain)) == NULL ||
            virDomainObjBeginJob(vm, "migration", false) < 0)
            return VIR_MIGRATION_FAILED;
        pthread_mutex_lock(&host->lock);
        if ((m = testMigrationBegin(domain->conn, vm, call)) == NULL) {
            pthread_mutex_unlock(&host->lock);
            virDomainObjEndJob(vm);
            return VIR_MIGRATION_FAILED;
        }
    }
    if (testFaultLost(testConnectOf(domain->conn), TEST_FAULT_BEGIN))
        rc = VIR_MIGRATION_AGAIN;
    else if (m->step == TEST_STAYED)
        rc = testMigrationFailed(m);
    else if ((cookie = virStringCopy(m->cookie)) == NULL) {
        testSourceStays(host, m, true);                    /* nothing has happened yet: no need to ask again */
        rc = testMigrationFailed(m);
    }
    pthread_mutex_unlock(&host->lock);
    if (rc == VIR_MIGRATION_DONE)
        *cookieout = cookie;
    return rc;
}

/* ---------- prepare ---------- */

/* What the source has said of the guest. Strings are the cookie's. */
struct testGuest {
    const char *document, *definition;
    bool paused;
};

static cJSON *
testGuestParse(const char *text, struct testGuest *guest)
{
    cJSON *cookie = virJsonParse(text, strlen(text), "the cookie of begin");
    const char *state;
    int version = 0;

    if (cookie == NULL)
        return NULL;
    state = virJsonString(cookie, "state");
    guest->document = virJsonString(cookie, "document");
    guest->definition = virJsonString(cookie, "definition");
    if (virJsonInt(cookie, "version", &version) < 0 || version != 1 || state == NULL || guest->document == NULL) {
        virReportError(VIR_ERR_INTERNAL_ERROR, "the cookie of begin is not one of this driver's");
        cJSON_Delete(cookie);
        return NULL;
    }
    guest->paused = strcmp(state, "paused") == 0;
    return cookie;
}

/* Where the source will find this side. */
static char *
testMigrationAddress(const struct testHost *host, const struct virMigrationCall *call)
{
    const char *uri = testCallString(call, VIR_MIGRATE_PARAM_URI);
    const char *address = testCallString(call, VIR_MIGRATE_PARAM_LISTEN_ADDRESS);

    if (uri == NULL)
        return virStringFormat("test-migration://%s/%s", address != NULL ? address : host->name, call->uuid);
    if (strncmp(uri, "tcp:", 4) != 0 && strncmp(uri, "test-migration:", 15) != 0) {
        virReportError(VIR_ERR_INVALID_ARG, "migration URI '%s': the test driver knows the schemes tcp and test-migration", uri);
        return NULL;
    }
    return virStringCopy(uri);
}

static int
testMigrationReceive(struct testHost *host, struct testMigration *m, xmlDocPtr doc, const struct testGuest *guest)
{
    VIRT_CLEANUP_JSON cJSON *cookie = virJsonObject("i:version", 1, "s:host", host->name, NULL);

    if (cookie == NULL || (m->cookie = virJsonFormat(cookie)) == NULL)
        return -1;
    if ((m->flags & VIR_MIGRATE_PERSIST_DEST) != 0 &&
        (m->definition = virStringCopy(guest->definition != NULL ? guest->definition : guest->document)) == NULL)
        return -1;
    m->state = guest->paused || (m->flags & VIR_MIGRATE_PAUSED) != 0 ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
    if ((m->channel = testChannelListen(m->uri, m->uuid)) == NULL)
        return -1;
    if (!m->offline) {
        m->id = virDomainListNextId(host->domains);
        if (virDomainObjStarted(m->vm, doc, m->id, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION) < 0)
            return -1;
    }
    return 0;
}

/* The host is not locked yet, because the guest's job comes first; on success it is. */
static struct testMigration *
testMigrationPrepare(struct testHost *host, const struct virMigrationCall *call, const char *cookiein)
{
    struct testGuest guest;
    VIRT_CLEANUP_JSON cJSON *cookie = testGuestParse(cookiein, &guest);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;
    struct testMigration *m;
    bool isNew;

    if (cookie == NULL || testMigrationCheckCall(call) < 0 ||
        (doc = virDocumentParse(guest.document, NULL)) == NULL ||
        (vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE, "migration", &isNew)) == NULL)
        return NULL;
    pthread_mutex_lock(&host->lock);
    if ((m = testMigrationNew(call->uuid, false, vm, call->flags)) != NULL) {
        m->isNew = isNew;
        if ((m->uri = testMigrationAddress(host, call)) != NULL && testMigrationReceive(host, m, doc, &guest) == 0 &&
            virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_IN, call->uuid) == 0) {
            testMigrationInsert(host, m);
            atomic_fetch_add(&host->arriving, 1);
            if (!m->offline)
                virDomainObjEmit(vm, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED);
            virDomainObjUnref(vm);
            return m;
        }
        if (vm->id >= 0)
            virDomainObjStopped(vm, VIR_DOMAIN_SHUTOFF_FAILED);
        testMigrationFree(m);
    }
    pthread_mutex_unlock(&host->lock);
    if (isNew)
        virDomainListRemove(host->domains, vm);
    virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    return NULL;
}

VIRT_INTERNAL int
testDomainMigratePrepare(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein, char **cookieout,
                         char **uri)
{
    struct testConnect *test = testConnectOf(conn);
    char *cookie = NULL, *address = NULL;
    struct testMigration *m;
    enum testFaultKind kind;
    int rc = testPhaseEnter(conn, call, TEST_FAULT_PREPARE, &kind);

    if (rc != 1)
        return rc;
    m = testMigrationFind(test->host, call->uuid, false);
    if (m == NULL) {
        pthread_mutex_unlock(&test->host->lock);
        if (kind == TEST_FAULT_FAIL)
            return virReportError(VIR_ERR_OPERATION_FAILED, "host '%s': a fault was injected into prepare", test->host->name);
        if ((m = testMigrationPrepare(test->host, call, cookiein)) == NULL)
            return VIR_MIGRATION_FAILED;
        m->channel->dead = kind == TEST_FAULT_DIE;
        m->channel->dieAt = -1;
        if (test->faults[TEST_FAULT_PERFORM].kind == TEST_FAULT_DIE)
            m->channel->dieAt = test->faults[TEST_FAULT_PERFORM].number < 0 ? 50 : test->faults[TEST_FAULT_PERFORM].number;
    }
    if (testFaultLost(test, TEST_FAULT_PREPARE))
        rc = VIR_MIGRATION_AGAIN;
    else if (m->step == TEST_REFUSED)
        rc = testMigrationFailed(m);
    else if ((cookie = virStringCopy(m->cookie)) == NULL || (address = virStringCopy(m->uri)) == NULL) {
        testDestinationRefuses(test->host, m, true, VIR_DOMAIN_SHUTOFF_FAILED);
        rc = testMigrationFailed(m);
    }
    pthread_mutex_unlock(&test->host->lock);
    if (rc == VIR_MIGRATION_DONE) {
        *cookieout = cookie;
        *uri = address;
    } else {
        free(cookie);
    }
    return rc;
}

/* ---------- perform ---------- */

static void
testSourcePause(struct testMigration *m)
{
    if (m->vm->state != VIR_DOMAIN_RUNNING)
        return;
    virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
    virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED);
}

/* The guest goes on here as it did before. */
static void
testSourceResume(struct testMigration *m)
{
    if (m->offline || m->vm->id != m->id || m->vm->state != VIR_DOMAIN_PAUSED || m->state != VIR_DOMAIN_RUNNING)
        return;
    virDomainObjSetState(m->vm, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
    virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
}

/* The source gives it up: for the error that is set, if `failed`. */
static void
testSourceStays(struct testHost *host, struct testMigration *m, bool failed)
{
    if (failed)
        testMigrationKeepError(m);
    testChannelClose(m);
    testSourceResume(m);
    m->step = TEST_STAYED;
    testMigrationComplete(m, m->aborted ? VIR_DOMAIN_JOB_CANCELLED : VIR_DOMAIN_JOB_FAILED);
    virDomainObjEndMigration(m->vm);
    pthread_cond_broadcast(&host->changed);
}

/*
 * A pass is over: what has been written meanwhile is the next one, unless it is little enough to
 * stop the guest for it.
 */
static void
testTransferNextPass(struct testMigration *m)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, .name = m->vm->name, .id = m->vm->id };
    struct testTransfer *t = &m->transfer;
    double fits = testTransferRate(m) * m->downtime;

    t->left = t->dirtied < t->total ? t->dirtied : t->total;
    t->dirtied = 0;
    if (t->left <= (fits > TEST_PAGE ? fits : TEST_PAGE)) {
        t->last = true;
        t->downtime = t->left / testTransferRate(m);
        testSourcePause(m);
        return;
    }
    t->pass++;
    if ((m->flags & VIR_MIGRATE_AUTO_CONVERGE) != 0 && t->left > t->total / 2 && t->throttle < 99)
        t->throttle = t->throttle == 0 ? 20 : t->throttle + 10 < 99 ? t->throttle + 10 : 99;
    memcpy(event.uuid, m->vm->uuid, VIR_UUID_BUFLEN);
    event.detail[0] = t->pass;
    virDomainEventEmit(virDomainObjConfig(m->vm)->hub, &event);
}

/* Simulates `seconds` more, up to `limit` bytes sent; whether everything is there. */
static bool
testTransferRun(struct testMigration *m, double seconds, double limit)
{
    struct testTransfer *t = &m->transfer;
    double rate = testTransferRate(m);

    for (;;) {
        double need = t->left / rate, part = need < seconds ? need : seconds;

        if (t->sent + part * rate > limit)
            part = limit > t->sent ? (limit - t->sent) / rate : 0;
        t->left -= part * rate;
        t->sent += part * rate;
        t->lasted += part;
        t->dirtied += part * testTransferDirtyRate(m);
        seconds -= part;
        if (part < need)
            return false;
        t->left = 0;
        if (t->last)
            return true;
        testTransferNextPass(m);
    }
}

static double
testTransferMark(const struct testMigration *m, int percent)
{
    return percent < 0 ? 1e300 : m->transfer.total * percent / 100;
}

/* One look at the transfer: it runs up to now, or to the first thing that goes wrong. */
static int
testSourceTransfer(struct testMigration *m)
{
    struct testTransfer *t = &m->transfer;
    double fail = testTransferMark(m, m->failAt), die = testTransferMark(m, m->dieAt);
    double dead = testTransferMark(m, m->channel->dieAt), limit = fail;
    unsigned long long now = virTimeNowUs();
    bool done;

    limit = die < limit ? die : limit;
    limit = dead < limit ? dead : limit;
    done = testTransferRun(m, (double)(now - t->seen) / 1e6, limit);
    t->seen = now;
    if (t->sent >= dead)
        m->channel->dead = true;
    if (m->channel->dead)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the destination closed the connection after %.0f of %.0f bytes",
                              m->vm->name, t->sent, t->total);
    if (t->sent >= fail)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': a fault was injected into perform after %.0f of %.0f bytes",
                              m->vm->name, t->sent, t->total);
    if (!done)
        return VIR_MIGRATION_AGAIN;
    m->channel->complete = true;
    return VIR_MIGRATION_DONE;
}

/*
 * The source's process dies in the middle of it; the destination, which has half a guest, notices.
 */
static void
testSourceDies(struct testHost *host, struct testMigration *m)
{
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died while it was being migrated", m->vm->name);
    m->id = -1;                                            /* nothing to go on with */
    testSourceStays(host, m, true);
    virDomainObjStopped(m->vm, VIR_DOMAIN_SHUTOFF_CRASHED);
    virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

static int
testSourceStart(struct testMigration *m, const char *uri)
{
    if (uri == NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "the destination has not said where it listens");
    if ((m->channel = testChannelConnect(uri, m->uuid)) == NULL)
        return -1;
    m->transfer.pass = 1;
    m->transfer.seen = virTimeNowUs();
    m->step = TEST_PERFORMING;
    if ((m->flags & VIR_MIGRATE_LIVE) == 0)
        testSourcePause(m);
    return 0;
}

static int
testSourcePerform(struct testHost *host, struct testMigration *m, const char *uri)
{
    int rc = VIR_MIGRATION_FAILED;

    if (m->step == TEST_PERFORMED || m->step == TEST_LEFT)
        return VIR_MIGRATION_DONE;
    if (m->step == TEST_STAYED)
        return testMigrationFailed(m);
    if (m->offline) {
        m->step = TEST_PERFORMED;
        return VIR_MIGRATION_DONE;
    }
    if (m->aborted)
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s': canceled by client", m->vm->name);
    else if (m->step == TEST_PERFORMING || testSourceStart(m, uri) == 0)
        rc = testSourceTransfer(m);
    if (rc == VIR_MIGRATION_FAILED)
        testSourceStays(host, m, true);
    else if (m->dieAt >= 0 && m->transfer.sent >= testTransferMark(m, m->dieAt))
        testSourceDies(host, m);
    else if (rc == VIR_MIGRATION_DONE)
        m->step = TEST_PERFORMED;
    return m->step == TEST_STAYED ? testMigrationFailed(m) : rc;
}

/* When it is worth looking again: virTimeNowUs. */
static unsigned long long
testTransferNext(const struct testMigration *m)
{
    double seconds = m->transfer.left / testTransferRate(m);

    /* at least a millisecond; not longer than a progress bar likes */
    seconds = seconds < 0.001 ? 0.001 : seconds > 0.05 ? 0.05 : seconds;
    return virTimeNowUs() + (unsigned long long)(seconds * 1e6);
}

static char *
testMigrationFormatSent(const struct testMigration *m)
{
    VIRT_CLEANUP_JSON cJSON *cookie =
        virJsonObject("i:version", 1, "u:transferred", (unsigned long long)(m->transfer.sent + 0.5),
                      "i:iterations", m->transfer.pass, "u:downtime-us", (unsigned long long)(m->transfer.downtime * 1e6), NULL);

    return cookie != NULL ? virJsonFormat(cookie) : NULL;
}

VIRT_INTERNAL int
testDomainMigratePerform(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, const char *uri,
                         char **cookieout)
{
    struct testHost *host = testHostOf(domain->conn);
    unsigned long long end, next;
    struct testMigration *m;
    enum testFaultKind kind;
    char *cookie = NULL;
    int rc = testPhaseEnter(domain->conn, call, TEST_FAULT_PERFORM, &kind);

    (void)cookiein;
    if (rc != 1)
        return rc;
    if ((m = testMigrationFind(host, call->uuid, true)) == NULL) {
        pthread_mutex_unlock(&host->lock);
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no migration %s", domain->name, call->uuid);
    }
    end = call->timeout < 0 ? UINT64_MAX : virTimeNowUs() + (unsigned long long)call->timeout * 1000;
    m->users++;
    while ((rc = testSourcePerform(host, m, uri)) == VIR_MIGRATION_AGAIN && virTimeNowUs() < end) {
        next = testTransferNext(m);
        virPlatformCondWait(&host->changed, &host->lock, next < end ? next : end);
    }
    m->users--;
    if (rc == VIR_MIGRATION_DONE && testFaultLost(testConnectOf(domain->conn), TEST_FAULT_PERFORM))
        rc = VIR_MIGRATION_AGAIN;
    if (rc == VIR_MIGRATION_DONE)
        cookie = testMigrationFormatSent(m);               /* information only: without memory it is left out */
    pthread_mutex_unlock(&host->lock);
    if (rc == VIR_MIGRATION_DONE)
        *cookieout = cookie;
    return rc;
}

/* ---------- finish ---------- */

/* This side has settled it, one way or the other. */
static void
testDestinationOver(struct testHost *host, struct testMigration *m, enum testStep step)
{
    m->step = step;
    testChannelClose(m);
    atomic_fetch_sub(&host->arriving, 1);
    virDomainObjEndMigration(m->vm);
}

/* Nothing of it remains here; for the error that is set, if `failed`. */
static void
testDestinationRefuses(struct testHost *host, struct testMigration *m, bool failed, int reason)
{
    bool arriving = m->vm->id >= 0 && m->vm->id == m->id && !m->offline;

    if (failed)
        testMigrationKeepError(m);
    testDestinationOver(host, m, TEST_REFUSED);
    if (arriving) {
        virDomainObjStopped(m->vm, reason);
        virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
    } else if (!m->vm->persistent && m->vm->id < 0) {
        virDomainListRemove(host->domains, m->vm);
    }
}

static int
testDestinationDefine(struct testMigration *m)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;

    if (m->definition == NULL)
        return 0;
    if ((doc = virDocumentParse(m->definition, NULL)) == NULL || virDomainObjDefine(m->vm, doc) < 0)
        return -1;
    return 0;
}

/* Everything that can fail comes before the guest runs. */
static int
testDestinationStart(struct testHost *host, struct testMigration *m, enum testFaultKind fault)
{
    if (!m->offline && (m->vm->id != m->id || m->channel->dead))
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died while it was arriving", m->vm->name);
    if (fault == TEST_FAULT_DIE)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died when it was to be started", m->vm->name);
    if (fault != TEST_FAULT_NONE)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': a fault was injected into finish", m->vm->name);
    if (!m->offline && !m->channel->complete)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' has not arrived completely", m->vm->name);
    if (testDestinationDefine(m) < 0)
        return -1;

    if (!m->offline && m->state == VIR_DOMAIN_PAUSED) {
        virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
        virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    } else if (!m->offline) {
        virDomainObjSetState(m->vm, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED);
        virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
    }
    testDestinationOver(host, m, TEST_ARRIVED);
    return 0;
}

/* The guest where it is to be started or removed; the answer is the record's. */
static int
testDestinationSettle(struct testHost *host, struct testMigration *m, bool cancelled, enum testFaultKind fault)
{
    if (m->step == TEST_PREPARED) {
        if (cancelled)
            testDestinationRefuses(host, m, false, VIR_DOMAIN_SHUTOFF_FAILED);
        else if (testDestinationStart(host, m, fault) < 0)
            testDestinationRefuses(host, m, true, VIR_DOMAIN_SHUTOFF_FAILED);
    }
    if (m->step == TEST_REFUSED && !cancelled)
        return testMigrationFailed(m);
    return VIR_MIGRATION_DONE;
}

/* Drops a handle, or NULL, and keeps the thread's error. */
static void
testHandleFree(virDomainPtr domain)
{
    virErrorPtr error;

    if (domain == NULL)
        return;
    error = virSaveLastError();
    virDomainFree(domain);
    if (error != NULL && error->code != VIR_ERR_OK)
        virSetLastError(error);
    virFreeError(error);
}

VIRT_INTERNAL int
testDomainMigrateFinish(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein, int cancelled,
                        char **cookieout, virDomainPtr *guest)
{
    enum testFaultPlace place = cancelled ? TEST_FAULT_CANCEL : TEST_FAULT_FINISH;
    struct testHost *host = testHostOf(conn);
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    virDomainPtr domain = NULL;
    struct testMigration *m;
    enum testFaultKind kind;
    char *cookie = NULL;
    bool here;
    int rc = testPhaseEnter(conn, call, place, &kind);

    (void)cookiein;
    if (rc != 1)
        return rc;
    m = testMigrationFind(host, call->uuid, false);
    if (m != NULL)
        domain = virDomainObjHandle(conn, m->vm);          /* first: without it, the guest is not to be started */
    if (m != NULL && domain == NULL && m->step == TEST_PREPARED && !cancelled)
        testDestinationRefuses(host, m, true, VIR_DOMAIN_SHUTOFF_FAILED);
    if (m != NULL)
        rc = testDestinationSettle(host, m, cancelled != 0, kind);
    else if (!cancelled)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "host '%s' has no migration %s", host->name, call->uuid);
    else
        rc = VIR_MIGRATION_DONE;
    here = rc == VIR_MIGRATION_DONE && m != NULL && m->step == TEST_ARRIVED;
    if (rc == VIR_MIGRATION_DONE && ((here && domain == NULL) || testFaultLost(testConnectOf(conn), place)))
        rc = VIR_MIGRATION_AGAIN;                          /* what is done is done: the next call gets the answer */
    if (rc == VIR_MIGRATION_DONE && (json = virJsonObject("i:version", 1, "b:started", (int)here, NULL)) != NULL)
        cookie = virJsonFormat(json);                      /* information only */
    if (domain != NULL)
        atomic_store(&domain->id, m->vm->id);
    pthread_mutex_unlock(&host->lock);
    if (rc == VIR_MIGRATION_DONE && here) {
        *guest = domain;
        domain = NULL;
    }
    if (rc == VIR_MIGRATION_DONE)
        *cookieout = cookie;
    testHandleFree(domain);
    return rc;
}

/* ---------- confirm ---------- */

/*
 * The guest is there: here it ends. A definition that cannot be taken away does not bring it back.
 */
static void
testSourceLeaves(struct testHost *host, struct testMigration *m)
{
    struct virDomainObj *vm = m->vm;

    m->step = TEST_LEFT;
    testChannelClose(m);
    testMigrationComplete(m, VIR_DOMAIN_JOB_COMPLETED);
    virDomainObjEndMigration(vm);
    if (!m->offline && vm->id >= 0 && vm->id == m->id) {
        bool persistent = vm->persistent;

        virDomainObjStopped(vm, VIR_DOMAIN_SHUTOFF_MIGRATED);
        virDomainObjEmit(vm, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED);
        if (!persistent)
            virDomainListRemove(host->domains, vm);
    }
    if ((m->flags & VIR_MIGRATE_UNDEFINE_SOURCE) != 0 && vm->persistent && virDomainObjUndefine(vm) < 0)
        virLog(VIR_LOG_WARN, "test.migration", "domain '%s' has left, but is still defined here: %s", vm->name,
               virGetLastErrorMessage());
    pthread_cond_broadcast(&host->changed);
}

/* Whether the record agrees with what it is asked to settle on. */
static int
testSourceSettle(struct testHost *host, struct testMigration *m, bool cancelled)
{
    if (!cancelled && (m->step == TEST_PERFORMED || (m->step == TEST_BEGUN && m->offline)))
        testSourceLeaves(host, m);
    else if (cancelled && (m->step == TEST_BEGUN || m->step == TEST_PERFORMING || m->step == TEST_PERFORMED))
        testSourceStays(host, m, false);
    if (m->step != (cancelled ? TEST_STAYED : TEST_LEFT))
        return virReportError(VIR_ERR_OPERATION_INVALID, "migration %s of domain '%s' cannot be %s any more", m->uuid,
                              m->vm->name, cancelled ? "rolled back: the guest has left" : "confirmed: the guest has stayed");
    return VIR_MIGRATION_DONE;
}

VIRT_INTERNAL int
testDomainMigrateConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, int cancelled)
{
    enum testFaultPlace place = cancelled ? TEST_FAULT_ROLLBACK : TEST_FAULT_CONFIRM;
    struct testHost *host = testHostOf(domain->conn);
    struct testMigration *m;
    enum testFaultKind kind;
    int rc = testPhaseEnter(domain->conn, call, place, &kind);

    (void)cookiein;
    if (rc != 1)
        return rc;
    if ((m = testMigrationFind(host, call->uuid, true)) != NULL)
        rc = testSourceSettle(host, m, cancelled != 0);
    else if (cancelled)
        rc = VIR_MIGRATION_DONE;                           /* never begun */
    else
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no migration %s", domain->name, call->uuid);
    if (rc == VIR_MIGRATION_DONE && testFaultLost(testConnectOf(domain->conn), place))
        rc = VIR_MIGRATION_AGAIN;
    if (m != NULL)
        atomic_store(&domain->id, m->vm->id);
    pthread_mutex_unlock(&host->lock);
    return rc;
}

/* ---------- waiting, ends, jobs ---------- */

/* No descriptor: only time passes here. */
VIRT_INTERNAL int
testDomainMigrateWait(virConnectPtr conn, const struct virMigrationCall *call, int *fd, int *events, int *milliseconds)
{
    struct testHost *host = testHostOf(conn);
    struct testMigration *m;

    pthread_mutex_lock(&host->lock);
    m = testMigrationFind(host, call->uuid, true);
    *fd = -1;
    *events = 0;
    *milliseconds = m != NULL && m->step == TEST_PERFORMING ? (int)((testTransferNext(m) - virTimeNowUs() + 999) / 1000) : 10;
    pthread_mutex_unlock(&host->lock);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateDrop(virConnectPtr conn, const struct virMigrationCall *call)
{
    struct testHost *host = testHostOf(conn);

    pthread_mutex_lock(&host->lock);
    testMigrationSetDropped(host, call->uuid, true);
    pthread_mutex_unlock(&host->lock);
    return 0;
}

VIRT_INTERNAL void
testMigrationAbortDropped(struct testHost *host, struct testMigration *m)
{
    virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted by its user", m->vm->name);
    testSourceStays(host, m, true);
    virResetLastError();
}

VIRT_INTERNAL void
testMigrationGuestEnds(struct testHost *host, struct virDomainObj *vm)
{
    struct testMigration *m = testMigrationOf(host, vm);
    virErrorPtr before;

    if (m == NULL || m->offline)
        return;
    before = virSaveLastError();
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' ended while it was being migrated", vm->name);
    if (!m->source) {
        m->id = -1;                                        /* whoever ends it tells of it */
        testMigrationKeepError(m);
        testDestinationOver(host, m, TEST_REFUSED);
    } else if (m->step != TEST_PERFORMED) {
        m->id = -1;
        testSourceStays(host, m, true);
    }
    if (before != NULL && before->code != VIR_ERR_OK)
        virSetLastError(before);
    else
        virResetLastError();
    virFreeError(before);
    pthread_cond_broadcast(&host->changed);
}

VIRT_INTERNAL void
testMigrationRefresh(struct testHost *host, struct virDomainObj *vm)
{
    struct testMigration *m;

    pthread_mutex_lock(&host->lock);
    m = testMigrationOf(host, vm);
    if (m != NULL && !m->source && m->channel->dead) {
        virErrorPtr before = virSaveLastError();

        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died while it was arriving", vm->name);
        testDestinationRefuses(host, m, true, VIR_DOMAIN_SHUTOFF_CRASHED);
        if (before != NULL && before->code != VIR_ERR_OK)
            virSetLastError(before);
        else
            virResetLastError();
        virFreeError(before);
    }
    pthread_mutex_unlock(&host->lock);
}

#undef TEST_FLAGS
#undef VIRT_FROM
