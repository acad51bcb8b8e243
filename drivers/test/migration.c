/*
 * Migration between simulated hosts: the phases as driver.h wants them, and as tests/model/migration.pml has them, where
 * srcPerform, dstFinish and so on are what the functions of the same names do here. transfer.c is the hypervisors' part,
 * record.c what each side keeps in mind, fault.c what goes wrong on purpose.
 *
 * Each phase changes the record first, and then does what it announces (testSourceSettle, testDestinationSettle); the
 * same function finishes what a crash has interrupted, and gives the answer to who asks again.
 */
#include "test.h"

#include "../common/document.h"
#include "../common/file.h"
#include "../common/json.h"
#include "../common/migrate_flags.h"
#include "../common/platform.h"

#include <errno.h>
#include <stdint.h>

#define VIRT_FROM VIR_FROM_TEST

#define TEST_FLAGS (VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_PAUSED | \
                    VIR_MIGRATE_CHANGE_PROTECTION | VIR_MIGRATE_UNSAFE | VIR_MIGRATE_OFFLINE | \
                    VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_AUTO_CONVERGE | VIR_MIGRATE_POSTCOPY | \
                    VIR_MIGRATE_POSTCOPY_RESUME)

/* ---------- settling (the host is locked) ---------- */

/* The guest ends here. A definition that cannot be taken away does not bring it back. */
static void
testSourceEnds(struct testHost *host, struct testMigration *m)
{
    struct virDomainObj *vm = m->vm;

    testChannelClose(host, m);
    if (!m->told)
        testMigrationComplete(m, m->lost ? VIR_DOMAIN_JOB_FAILED : VIR_DOMAIN_JOB_COMPLETED);
    m->told = true;
    if (!m->offline && testSourceIsHere(m)) {
        testDomainStopped(vm, m->lost ? VIR_DOMAIN_SHUTOFF_FAILED : VIR_DOMAIN_SHUTOFF_MIGRATED);
        testLeaseEnd(host, vm);
        virDomainObjEmit(vm, VIR_DOMAIN_EVENT_STOPPED, m->lost ? VIR_DOMAIN_EVENT_STOPPED_FAILED : VIR_DOMAIN_EVENT_STOPPED_MIGRATED);
    }
    testLeaseRelease(host, m);
    if ((m->flags & VIR_MIGRATE_UNDEFINE_SOURCE) != 0 && !m->lost && vm->persistent && virDomainObjUndefine(vm) < 0)
        virLog(VIR_LOG_WARN, "test.migration", "domain '%s' has left, but is still defined here: %s", vm->name,
               virGetLastErrorMessage());
}

/* Somebody else has its lease, or has had it: for the error that is set, it ends here. */
static void
testSourceYields(struct testHost *host, struct testMigration *m)
{
    testMigrationKeepError(m);
    m->lost = true;
    testDomainStopped(m->vm, VIR_DOMAIN_SHUTOFF_FAILED);
    testLeaseEnd(host, m->vm);
    virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

/* The guest goes on here, if it is there, and its lease still is this host's. 1: it does, 0: it is gone; -1: not known, or this host has crashed. */
static int
testSourceGoesOn(struct testHost *host, struct testMigration *m)
{
    bool here = m->vm == NULL || testSourceIsHere(m);
    int kept = here ? testLeaseKeep(host, m) : 1;

    if (kept < 0 || testMigrationReached(host, m, TEST_MARK_KEPT))
        return -1;
    if (kept == 0)
        testSourceYields(host, m);
    else if (!here)
        testLeaseRelease(host, m);
    else
        testSourceResume(m);
    return here && kept > 0;
}

/* What the record says is carried out; the answer is the record's. */
static int
testSourceSettle(struct testHost *host, struct testMigration *m)
{
    if (m->stage == TEST_RESUMING) {
        int here;

        testChannelClose(host, m);
        if ((here = testSourceGoesOn(host, m)) < 0 || testMigrationReached(host, m, TEST_MARK_RESUMED))
            return VIR_MIGRATION_AGAIN;
        testMigrationEnter(m, here ? TEST_STAYED : TEST_GONE);
        if (m->vm != NULL && !m->told)
            testMigrationComplete(m, m->mind.aborted ? VIR_DOMAIN_JOB_CANCELLED : VIR_DOMAIN_JOB_FAILED);
        m->told = true;
        testMigrationEndJob(m);
        if (testMigrationReached(host, m, TEST_MARK_STAYED))
            return VIR_MIGRATION_AGAIN;
    } else if (m->stage == TEST_LEAVING) {
        testSourceEnds(host, m);
        if (testMigrationReached(host, m, TEST_MARK_ENDED))
            return VIR_MIGRATION_AGAIN;
        testMigrationEnter(m, m->lost ? TEST_GONE : TEST_LEFT);
        testMigrationEndJob(m);
        if (testMigrationReached(host, m, TEST_MARK_LEFT))
            return VIR_MIGRATION_AGAIN;
    }
    pthread_cond_broadcast(&host->changed);
    if (m->stage == TEST_GONE)
        return testMigrationFailed(m);
    return m->stage == TEST_STAYED || m->stage == TEST_LEFT ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
}

/* The record says how it is to end; it ends. */
static int
testSourceDecide(struct testHost *host, struct testMigration *m, enum testStage stage)
{
    testMigrationEnter(m, stage);
    if (testMigrationReached(host, m, stage == TEST_RESUMING ? TEST_MARK_RESUMING : TEST_MARK_LEAVING))
        return VIR_MIGRATION_AGAIN;
    return testSourceSettle(host, m);
}

/* It is given up before anything else could have happened: for the error that is set. */
static int
testSourceGivesUp(struct testHost *host, struct testMigration *m)
{
    testMigrationKeepError(m);
    return testSourceDecide(host, m, TEST_RESUMING) == VIR_MIGRATION_AGAIN ? VIR_MIGRATION_AGAIN : testMigrationFailed(m);
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

static bool
testDestinationIsHere(const struct testMigration *m)
{
    return m->offline || (m->channel != NULL && m->id >= 0 && m->vm->id == m->id && atomic_load(&m->channel->copy) != TEST_COPY_DEAD);
}

/*
 * Everything that can fail comes before the guest runs, and of that the lease first: without it nothing is to be done. 1: it runs; 0: not yet,
 * or this host has crashed; -1 with the error set: it will not.
 */
static int
testDestinationStart(struct testHost *host, struct testMigration *m, enum testFaultKind fault)
{
    bool spread;
    int taken;

    if (!testDestinationIsHere(m) && m->ran)
        return 1;                                          /* and has ended, by no doing of the migration */
    if (!testDestinationIsHere(m))
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died while it was arriving", m->vm->name);
    if (!m->offline && (m->vm->state != VIR_DOMAIN_PAUSED || m->vm->reason != VIR_DOMAIN_PAUSED_MIGRATION))
        return 1;                                          /* it was started before a crash */
    if ((taken = testLeaseTransfer(host, m)) <= 0)
        return taken < 0 ? 0 : -1;
    if (testMigrationReached(host, m, TEST_MARK_TAKEN))
        return 0;
    if (fault == TEST_FAULT_DIE)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died when it was to be started", m->vm->name);
    if (fault != TEST_FAULT_NONE)
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': a fault was injected into finish", m->vm->name);
    if (testDestinationDefine(m) < 0)
        return -1;
    if (m->offline)
        return 1;

    if (m->leased)
        testDomainOf(m->vm)->epoch = m->epochMine;
    m->ran = m->leased;                                    /* on record before it does: what has run is not given back */
    spread = atomic_load(&m->channel->copy) == TEST_COPY_SPREAD;
    if (m->state == VIR_DOMAIN_PAUSED || (m->state == VIR_DOMAIN_NOSTATE && atomic_load(&m->channel->paused))) {
        virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
        virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    } else {
        virDomainObjSetState(m->vm, VIR_DOMAIN_RUNNING, spread ? VIR_DOMAIN_RUNNING_POSTCOPY : VIR_DOMAIN_RUNNING_MIGRATED);
        virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_RESUMED, spread ? VIR_DOMAIN_EVENT_RESUMED_POSTCOPY : VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
    }
    return 1;
}

/* Nothing of it remains here. */
static void
testDestinationRemove(struct testHost *host, struct testMigration *m)
{
    struct virDomainObj *vm = m->vm;
    bool died = m->channel != NULL && atomic_load(&m->channel->copy) == TEST_COPY_DEAD;

    testChannelClose(host, m);
    if (vm == NULL)
        return;
    if (vm->id >= 0 && vm->id == m->id && !m->offline) {
        testDomainStopped(vm, died ? VIR_DOMAIN_SHUTOFF_CRASHED : VIR_DOMAIN_SHUTOFF_FAILED);
        testLeaseEnd(host, vm);
        virDomainObjEmit(vm, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
    } else if (!vm->persistent && vm->id < 0) {
        virDomainListRemove(host->domains, vm);
    }
}

/* It does not start, for the error that is set: the first one counts. 0; -1: its lease could not be given back, or this host has crashed. */
static int
testDestinationFails(struct testHost *host, struct testMigration *m)
{
    if (m->error == NULL)
        testMigrationKeepError(m);
    virResetLastError();
    testDestinationRemove(host, m);
    if (testLeaseGiveBack(host, m) < 0 || testMigrationReached(host, m, TEST_MARK_GIVEN))
        return -1;
    testMigrationEnter(m, TEST_REFUSED);
    return 0;
}

/* What the record says is carried out; the answer is the record's. */
static int
testDestinationSettle(struct testHost *host, struct testMigration *m, enum testFaultKind fault)
{
    if (m->stage == TEST_STARTING) {
        int started = testDestinationStart(host, m, fault);

        if (started == 0 || (started < 0 && testDestinationFails(host, m) < 0))
            return VIR_MIGRATION_AGAIN;
        if (started > 0) {
            if (testMigrationReached(host, m, TEST_MARK_STARTED))
                return VIR_MIGRATION_AGAIN;
            if (m->channel != NULL && atomic_load(&m->channel->copy) != TEST_COPY_SPREAD)
                testChannelClose(host, m);
            testMigrationEnter(m, TEST_ARRIVED);
        }
        testMigrationEndJob(m);
        if (testMigrationReached(host, m, TEST_MARK_ARRIVED))
            return VIR_MIGRATION_AGAIN;
    } else if (m->stage == TEST_REFUSING) {
        testDestinationRemove(host, m);
        if (testMigrationReached(host, m, TEST_MARK_REMOVED))
            return VIR_MIGRATION_AGAIN;
        testMigrationEnter(m, TEST_REFUSED);
        testMigrationEndJob(m);
        if (testMigrationReached(host, m, TEST_MARK_REFUSED))
            return VIR_MIGRATION_AGAIN;
    }
    if (m->stage == TEST_REFUSED)
        return testMigrationFailed(m);
    return m->stage == TEST_ARRIVED ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
}

static int
testDestinationDecide(struct testHost *host, struct testMigration *m, enum testStage stage, enum testFaultKind fault)
{
    testMigrationEnter(m, stage);
    if (testMigrationReached(host, m, stage == TEST_STARTING ? TEST_MARK_STARTING : TEST_MARK_REFUSING))
        return VIR_MIGRATION_AGAIN;
    return testDestinationSettle(host, m, fault);
}

/* It is given up here, for the error that is set. */
static int
testDestinationGivesUp(struct testHost *host, struct testMigration *m)
{
    testMigrationKeepError(m);
    return testDestinationDecide(host, m, TEST_REFUSING, TEST_FAULT_NONE);
}

/* ---------- begin ---------- */

VIRT_INTERNAL int
testMigrationCheckCall(const struct virMigrationCall *call, struct virProblems *problems)
{
    static const char *const known[] = {
        VIR_MIGRATE_PARAM_URI, VIR_MIGRATE_PARAM_DEST_NAME, VIR_MIGRATE_PARAM_DEST_XML, VIR_MIGRATE_PARAM_PERSIST_XML,
        VIR_MIGRATE_PARAM_BANDWIDTH, VIR_MIGRATE_PARAM_LISTEN_ADDRESS, VIR_MIGRATE_PARAM_DOWNTIME,
    };
    unsigned int refused = call->flags & ~(unsigned int)TEST_FLAGS;
    bool offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0;
    struct virMigrateFlagsText text;

    if (refused != 0) {
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "the test driver does not support migration flags %s",
                       virMigrateFlagsText(refused, &text));
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    for (int i = 0; i < call->nparams; i++) {
        size_t k = 0;

        while (k < sizeof(known) / sizeof(known[0]) && strcmp(known[k], call->params[i].field) != 0)
            k++;
        if (k < sizeof(known) / sizeof(known[0]))
            continue;
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "the test driver does not support migration parameter '%s'", call->params[i].field);
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    if (offline && (call->flags & VIR_MIGRATE_POSTCOPY) != 0) {
        virReportError(VIR_ERR_OPERATION_INVALID, "offline migration moves no memory: there is no post-copy");
        if (virProblemsNote(problems) < 0)
            return -1;
    }
    if (offline && (call->flags & VIR_MIGRATE_PERSIST_DEST) == 0) {
        virReportError(VIR_ERR_OPERATION_INVALID, "offline migration moves a definition: it needs the flag VIR_MIGRATE_PERSIST_DEST");
        return virProblemsNote(problems);
    }
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
 * The document that the destination gets: the guest's own (which it takes over), or the caller's in its place (parameter),
 * which must describe the same machine; under its new name. The caller frees it.
 */
static char *
testMigrationDocument(xmlDocPtr taken, const struct virMigrationCall *call, const char *parameter)
{
    const char *given = testCallString(call, parameter), *name = testCallString(call, VIR_MIGRATE_PARAM_DEST_NAME);
    VIRT_CLEANUP_XML xmlDocPtr ours = taken;
    VIRT_CLEANUP_XML xmlDocPtr theirs = NULL;
    struct virDocumentHot own, hot;
    xmlDocPtr doc = ours;

    if (ours == NULL)
        return NULL;
    if (given != NULL) {
        if ((theirs = virDocumentParse(given, NULL)) == NULL || virDocumentCheckAbi(ours, theirs) < 0 ||
            virDocumentHot(theirs, &hot) < 0 || virDocumentHot(ours, &own) < 0)
            return NULL;
        if (memcmp(hot.uuid, own.uuid, VIR_UUID_BUFLEN) != 0 ||
            (strcmp(hot.name, own.name) != 0 && (name == NULL || strcmp(hot.name, name) != 0))) {
            virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "parameter %s describes domain '%s', not '%s', or has another uuid",
                           parameter, hot.name, own.name);
            return NULL;
        }
        doc = theirs;
    }
    virXmlRemove(virXmlRoot(doc), "@id");
    if (name != NULL && virXmlSet(virXmlRoot(doc), "name", "%s", name) < 0)
        return NULL;
    return virXmlFormat(doc);
}

VIRT_INTERNAL char *
testMigrationFormatCookie(struct testHost *host, struct virDomainObj *vm, const struct virMigrationCall *call, unsigned long long *epoch)
{
    bool offline = (call->flags & VIR_MIGRATE_OFFLINE) != 0, persist = (call->flags & VIR_MIGRATE_PERSIST_DEST) != 0;
    VIRT_CLEANUP_FREE char *document = NULL, *definition = NULL;
    VIRT_CLEANUP_JSON cJSON *cookie = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];

    virUuidFormat(vm->uuid, uuid);
    if ((document = testMigrationDocument(virDomainObjDocument(vm, offline && vm->persistent), call,
                                          VIR_MIGRATE_PARAM_DEST_XML)) == NULL ||
        (persist && (definition = testMigrationDocument(virDomainObjDocument(vm, true), call,
                                                        VIR_MIGRATE_PARAM_PERSIST_XML)) == NULL))
        return NULL;
    cookie = virJsonObject("i:version", 1, "s:name", vm->name, "s:uuid", uuid, "s:host", host->name,
                           "s:state", offline ? "shutoff" : vm->state == VIR_DOMAIN_PAUSED ? "paused" : "running",
                           "b:persistent", (int)vm->persistent, "s:document", document, "S:definition", definition, NULL);
    *epoch = 0;
    if (cookie == NULL ||
        (host->leases != NULL && !offline && virJsonAdd(cookie, "a:lease", testLeaseFormat(host, vm, epoch), NULL) < 0))
        return NULL;
    return virJsonFormat(cookie);
}

/* The per cent at which a fault of perform happens; -1: never. */
static int
testMigrationFaultAt(const struct testConnect *test, enum testFaultKind kind)
{
    const struct testFault *fault = &test->faults[TEST_FAULT_PERFORM];

    return fault->kind != kind ? -1 : fault->number < 0 ? 50 : fault->number;
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
    m->failAt = testMigrationFaultAt(test, TEST_FAULT_FAIL);
    m->dieAt = testMigrationFaultAt(test, TEST_FAULT_DIE);
    m->breakAt = testMigrationFaultAt(test, TEST_FAULT_BREAK);
    m->alone = test->protocol < 3;
    return 0;
}

/* The guest's job is held and the host locked: becomes the migration's on success. */
static struct testMigration *
testMigrationBegin(virConnectPtr conn, struct virDomainObj *vm, const struct virMigrationCall *call)
{
    struct testHost *host = testHostOf(conn);
    struct testMigration *m;

    if (((call->flags & VIR_MIGRATE_OFFLINE) == 0 && virDomainObjCheckActive(vm) < 0) ||
        (m = testMigrationNew(call, TEST_BEGUN, vm)) == NULL)
        return NULL;
    m->id = vm->id;
    if ((m->cookie = testMigrationFormatCookie(host, vm, call, &m->epochTold)) == NULL || testLeaseCheckProtocol(testConnectOf(conn), m, 3) < 0 ||
        testMigrationPlan(m, testConnectOf(conn), call) < 0 ||
        virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, call->uuid) < 0) {
        testMigrationFree(host, m);
        return NULL;
    }
    m->holds = true;
    m->epochMine = m->epochTold;
    m->leased = m->epochTold != 0;
    testMigrationInsert(host, m);
    return m;
}

/*
 * Takes the guest's job, which comes before the host's lock: unlocks the host, which is locked again on return. NULL with
 * the error set; *m is another thread's if that was faster.
 */
static struct testMigration *
testSourceTake(virDomainPtr domain, const struct virMigrationCall *call, enum testFaultKind kind)
{
    struct testHost *host = testHostOf(domain->conn);
    struct testMigration *m = NULL;
    struct virDomainObj *vm;
    bool taken;

    pthread_mutex_unlock(&host->lock);
    if (kind != TEST_FAULT_NONE)
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': a fault was injected into begin", domain->name);
    taken = kind == TEST_FAULT_NONE && testMigrationCheckCall(call, NULL) == 0 && (vm = virDomainObjOf(domain)) != NULL &&
            virDomainObjBeginJob(vm, "migration", false) == 0;
    pthread_mutex_lock(&host->lock);
    if (!taken)
        return NULL;
    if ((m = testMigrationFind(host, call->uuid, true)) != NULL) {
        virDomainObjEndJob(vm);
        return m;
    }
    if ((m = testMigrationBegin(domain->conn, vm, call)) == NULL)
        virDomainObjEndJob(vm);
    return m;
}

VIRT_INTERNAL int
testDomainMigrateBegin(virDomainPtr domain, const struct virMigrationCall *call, char **cookieout)
{
    struct testConnect *test = testConnectOf(domain->conn);
    struct testHost *host = test->host;
    struct testMigration *m;
    enum testFaultKind kind;
    char *cookie = NULL;
    int rc = testPhaseEnter(domain->conn, call, TEST_FAULT_BEGIN, &kind);

    if (rc != 1)
        return rc;
    if ((m = testMigrationFind(host, call->uuid, true)) == NULL && (m = testSourceTake(domain, call, kind)) == NULL) {
        pthread_mutex_unlock(&host->lock);
        return VIR_MIGRATION_FAILED;
    }
    m->at = test;
    if (m->stage != TEST_BEGUN && m->stage != TEST_PERFORMING && m->stage != TEST_PERFORMED && m->stage != TEST_LEFT)
        rc = testMigrationFailed(m);
    else if (m->stage == TEST_BEGUN && (testMigrationReached(host, m, TEST_MARK_BEGUN) ||
                                        testMigrationReached(host, m, TEST_MARK_HELD)))
        rc = VIR_MIGRATION_AGAIN;
    else if (testFaultLost(test, TEST_FAULT_BEGIN))
        rc = VIR_MIGRATION_AGAIN;
    else if ((cookie = virStringCopy(m->cookie)) == NULL && m->stage == TEST_BEGUN)
        rc = testSourceGivesUp(host, m);                   /* nothing has happened yet: no need to ask again */
    else if (cookie == NULL)
        rc = VIR_MIGRATION_AGAIN;
    m->at = NULL;
    pthread_mutex_unlock(&host->lock);
    if (rc == VIR_MIGRATION_DONE)
        *cookieout = cookie;
    return rc;
}

/* ---------- prepare ---------- */

VIRT_INTERNAL void
testGuestClear(struct testGuest *guest)
{
    free(guest->document);
    free(guest->definition);
    cJSON_Delete(guest->cookie);
}

/* The cookie is that of begin, or, from a source without begin, the guest's document as it is there. The caller clears it, also on failure. */
VIRT_INTERNAL int
testGuestParse(const char *text, const struct virMigrationCall *call, struct testGuest *guest)
{
    const char *state, *document, *definition;
    const cJSON *cookie;
    int version = 0;

    *guest = (struct testGuest){ .state = VIR_DOMAIN_NOSTATE };
    if (text[strspn(text, " \t\r\n")] == '<') {
        guest->document = testMigrationDocument(virDocumentParse(text, NULL), call, VIR_MIGRATE_PARAM_DEST_XML);
        return guest->document != NULL ? 0 : -1;
    }
    if ((cookie = guest->cookie = virJsonParse(text, strlen(text), "the cookie of begin")) == NULL)
        return -1;
    state = virJsonString(cookie, "state");
    document = virJsonString(cookie, "document");
    definition = virJsonString(cookie, "definition");
    if (virJsonInt(cookie, "version", &version) < 0 || version != 1 || state == NULL || document == NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "the cookie of begin is not one of this driver's");
    guest->state = strcmp(state, "paused") == 0 ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
    if ((guest->document = virStringCopy(document)) == NULL || virLeaseParse(cookie, &guest->lease) < 0)
        return -1;
    return definition == NULL || (guest->definition = virStringCopy(definition)) != NULL ? 0 : -1;
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

/* What the record has to know of it. */
static int
testMigrationExpect(struct testConnect *test, struct testMigration *m, const struct virMigrationCall *call,
                    const struct testGuest *guest)
{
    VIRT_CLEANUP_JSON cJSON *cookie = virJsonObject("i:version", 1, "s:host", test->host->name, NULL);
    const struct virLock *leases = test->host->leases;

    if (leases != NULL && !m->offline) {
        m->leased = true;
        m->epochTold = guest->lease.epoch;
        if ((m->peer = virStringCopy(guest->lease.owner)) == NULL || cookie == NULL ||
            virJsonAdd(cookie, "a:lease", virLeaseFormat(leases, m->epochTold), NULL) < 0)
            return -1;
    }
    if (cookie == NULL || (m->cookie = virJsonFormat(cookie)) == NULL || (m->uri = testMigrationAddress(test->host, call)) == NULL)
        return -1;
    if ((m->flags & VIR_MIGRATE_PERSIST_DEST) != 0 &&
        (m->definition = virStringCopy(guest->definition != NULL ? guest->definition : guest->document)) == NULL)
        return -1;
    m->state = (m->flags & VIR_MIGRATE_PAUSED) != 0 ? VIR_DOMAIN_PAUSED : guest->state;
    m->expiry = test->expiry * 1000000;
    m->alone = test->protocol < 2;
    return 0;
}

/* The hypervisor is made, and listens. */
static int
testMigrationReceive(struct testConnect *test, struct testMigration *m, xmlDocPtr doc, enum testFaultKind kind)
{
    if ((m->channel = testChannelListen(m->uri, m->uuid)) == NULL)
        return -1;
    atomic_fetch_add(&test->host->arriving, 1);
    m->channel->dieAt = testMigrationFaultAt(test, TEST_FAULT_DIE);
    if (m->offline)
        return 0;
    if (testLeaseSit(test->host, m, doc) < 0)
        return -1;
    m->id = virDomainListNextId(test->host->domains);
    if (virDomainObjStarted(m->vm, doc, m->id, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION) < 0) {
        testLeaseEnd(test->host, m->vm);
        return -1;
    }
    virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED);
    if (kind == TEST_FAULT_DIE)
        testChannelChange(m->channel, TEST_COPY_OPEN, TEST_COPY_DEAD);
    return 0;
}

/* The guest's job is held and the host locked. 1: prepared; the job is the migration's then, if there is a record of it. */
static int
testMigrationPrepare(struct testConnect *test, const struct virMigrationCall *call, struct virDomainObj *vm, xmlDocPtr doc,
                     const struct testGuest *guest, enum testFaultKind kind)
{
    struct testHost *host = test->host;
    struct testMigration *m;

    if (testMigrationFind(host, call->uuid, false) != NULL)
        return virReportError(VIR_ERR_OPERATION_FAILED, "migration %s was settled while it was being prepared", call->uuid);
    if ((m = testMigrationNew(call, TEST_PREPARED, vm)) == NULL)
        return VIR_MIGRATION_FAILED;
    if ((!m->offline && virLeaseAgree(host->leases, &guest->lease, vm->name) < 0) || testMigrationExpect(test, m, call, guest) < 0 ||
        testLeaseCheckProtocol(test, m, 2) < 0 ||
        virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_IN, call->uuid) < 0) {
        testMigrationFree(host, m);
        return VIR_MIGRATION_FAILED;
    }
    m->holds = true;
    m->at = test;
    testMigrationInsert(host, m);
    if (testMigrationReached(host, m, TEST_MARK_PREPARED))
        return VIR_MIGRATION_AGAIN;
    if (testMigrationReceive(test, m, doc, kind) < 0)
        return testDestinationGivesUp(host, m);
    return testMigrationReached(host, m, TEST_MARK_LISTENS) ? VIR_MIGRATION_AGAIN : VIR_MIGRATION_DONE;
}

/* What arrives must be the guest that the call names. */
static int
testMigrationCheckDocument(const struct virMigrationCall *call, xmlDocPtr doc)
{
    unsigned char guest[VIR_UUID_BUFLEN];

    return virXmlUuid(virXmlRoot(doc), "uuid", guest) <= 0 ? 0 : virMigrationCallIsOf(call, guest, virXmlString(virXmlRoot(doc), "name"));
}

/* The host is locked, also on return; meanwhile it is not, because the guest's job comes first. */
static int
testDestinationTake(struct testConnect *test, const struct virMigrationCall *call, const char *cookiein, enum testFaultKind kind)
{
    struct testHost *host = test->host;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm = NULL;
    struct testGuest guest = { 0 };
    int rc = VIR_MIGRATION_FAILED;
    bool isNew;

    pthread_mutex_unlock(&host->lock);
    if (kind == TEST_FAULT_FAIL)
        virReportError(VIR_ERR_OPERATION_FAILED, "host '%s': a fault was injected into prepare", host->name);
    else if (testMigrationCheckCall(call, NULL) == 0 && testGuestParse(cookiein, call, &guest) == 0 &&
             (doc = virDocumentParse(guest.document, NULL)) != NULL && testMigrationCheckDocument(call, doc) == 0)
        vm = virDomainListAdd(host->domains, doc, VIR_DOMAIN_ADD_CREATE, "migration", &isNew);
    pthread_mutex_lock(&host->lock);
    if (vm != NULL) {
        struct testMigration *m;

        rc = testMigrationPrepare(test, call, vm, doc, &guest, kind);
        m = testMigrationFind(host, call->uuid, false);
        if (m == NULL || m->vm != vm) {
            if (isNew)
                virDomainListRemove(host->domains, vm);
            virDomainObjEndJob(vm);
        } else {
            m->isNew = isNew;
        }
        virDomainObjUnref(vm);
    }
    testGuestClear(&guest);
    return rc;
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
    if (testMigrationFind(test->host, call->uuid, false) == NULL)
        rc = testDestinationTake(test, call, cookiein, kind);
    m = testMigrationFind(test->host, call->uuid, false);
    if (rc == VIR_MIGRATION_DONE && (m->stage == TEST_REFUSED || m->stage == TEST_REFUSING))
        rc = testMigrationFailed(m);
    if (rc == VIR_MIGRATION_DONE && testFaultLost(test, TEST_FAULT_PREPARE))
        rc = VIR_MIGRATION_AGAIN;
    if (rc == VIR_MIGRATION_DONE &&
        ((cookie = virStringCopy(m->cookie)) == NULL || (address = virStringCopy(m->uri)) == NULL))
        rc = m->stage == TEST_PREPARED ? testDestinationGivesUp(test->host, m) : VIR_MIGRATION_AGAIN;
    if (m != NULL)
        m->at = NULL;
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

/* The destination has said in its cookie who it is to the lock manager. */
static int
testSourceMeets(struct testHost *host, struct testMigration *m, const char *cookie)
{
    if (!m->leased || m->peer != NULL)
        return 0;
    return (m->peer = virLeaseMeet(host->leases, cookie, m->vm->name)) != NULL ? 0 : -1;
}

/* What the hypervisor says of the transfer decides; how it is with the guest's CPUs does not. */
static int
testSourcePerform(struct testHost *host, struct testMigration *m, const char *cookie, const char *uri)
{
    switch (m->stage) {
    case TEST_PERFORMED:
    case TEST_LEAVING:
    case TEST_LEFT:
        return m->stage == TEST_LEAVING ? testSourceSettle(host, m) : VIR_MIGRATION_DONE;
    case TEST_RESUMING:
        return testSourceSettle(host, m) == VIR_MIGRATION_AGAIN ? VIR_MIGRATION_AGAIN : testMigrationFailed(m);
    case TEST_BEGUN:
        if (testSourceMeets(host, m, cookie) < 0)
            return testSourceGivesUp(host, m);
        testMigrationEnter(m, TEST_PERFORMING);
        if (testMigrationReached(host, m, TEST_MARK_PERFORMING))
            return VIR_MIGRATION_AGAIN;
        break;
    case TEST_PERFORMING:
        break;
    default:
        return testMigrationFailed(m);
    }
    if (m->offline)
        m->status = TEST_COMPLETED;
    if (m->status == TEST_IDLE && testSourceIsHere(m) && !m->mind.aborted) {
        if (testTransferStart(m, uri) < 0)
            testTransferCancel(m);
        else if (testMigrationReached(host, m, TEST_MARK_TRANSFERRING))
            return VIR_MIGRATION_AGAIN;
    }
    testTransferLook(host, m);
    if (m->mind.aborted && testSourceIsHere(m) && (m->status == TEST_IDLE || m->status == TEST_ACTIVE)) {
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s': canceled by client", m->vm->name);
        testTransferCancel(m);
    }
    if (m->status == TEST_CANCELLED || (m->alone && !testSourceIsHere(m)))
        return testSourceDecide(host, m, TEST_RESUMING) == VIR_MIGRATION_AGAIN ? VIR_MIGRATION_AGAIN : testMigrationFailed(m);
    if (testSourceIsHere(m) && m->status == TEST_ACTIVE)
        return VIR_MIGRATION_AGAIN;
    if (m->alone)
        return testSourceDecide(host, m, TEST_LEAVING);    /* nobody will confirm it */
    testMigrationEnter(m, TEST_PERFORMED);
    return testMigrationReached(host, m, TEST_MARK_PERFORMED) ? VIR_MIGRATION_AGAIN : VIR_MIGRATION_DONE;
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
    struct testConnect *test = testConnectOf(domain->conn);
    struct testHost *host = test->host;
    unsigned long long end, next;
    struct testMigration *m;
    enum testFaultKind kind;
    char *cookie = NULL;
    int rc = testPhaseEnter(domain->conn, call, TEST_FAULT_PERFORM, &kind);

    if (rc != 1)
        return rc;
    m = testMigrationFind(host, call->uuid, true);
    if (m == NULL && test->protocol < 3)
        m = testSourceTake(domain, call, TEST_FAULT_NONE);
    else if (m == NULL)
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no migration %s", domain->name, call->uuid);
    if (m == NULL) {
        pthread_mutex_unlock(&host->lock);
        return VIR_MIGRATION_FAILED;
    }
    end = call->timeout < 0 ? UINT64_MAX : virTimeNowUs() + (unsigned long long)call->timeout * 1000;
    m->users++;
    m->at = test;
    while ((rc = testSourcePerform(host, m, cookiein, uri)) == VIR_MIGRATION_AGAIN && !host->crashed && virTimeNowUs() < end) {
        next = testTransferNext(m);
        virPlatformCondWait(&host->changed, &host->lock, next < end ? next : end);
        if (host->crashed)
            break;
    }
    m->users--;
    m->at = NULL;
    if (rc == VIR_MIGRATION_DONE && testFaultLost(test, TEST_FAULT_PERFORM))
        rc = VIR_MIGRATION_AGAIN;
    if (rc == VIR_MIGRATION_DONE)
        cookie = testMigrationFormatSent(m);               /* information only: without memory it is left out */
    atomic_store(&domain->id, m->vm != NULL ? m->vm->id : -1);
    pthread_mutex_unlock(&host->lock);
    if (rc == VIR_MIGRATION_DONE)
        *cookieout = cookie;
    return rc;
}

/* ---------- finish ---------- */

/* Told to give up, or to finish, what it has never heard of: it never will. Without memory what comes late expires. */
static struct testMigration *
testMigrationForbid(struct testHost *host, const struct virMigrationCall *call, bool source)
{
    struct testMigration *m = testMigrationNew(call, source ? TEST_HALTED : TEST_REFUSED, NULL);

    if (m == NULL) {
        virResetLastError();
        return NULL;
    }
    testMigrationInsert(host, m);
    return m;
}

static int
testDestinationFinish(struct testHost *host, struct testMigration *m, bool cancelled, enum testFaultKind fault)
{
    enum testCopy copy = m->channel != NULL ? (enum testCopy)atomic_load(&m->channel->copy) : TEST_COPY_DEAD;

    if (m->stage != TEST_PREPARED)
        return testDestinationSettle(host, m, fault);
    if (copy == TEST_COPY_SPREAD || (!cancelled && (m->offline || copy == TEST_COPY_COMPLETE)))
        return testDestinationDecide(host, m, TEST_STARTING, fault);
    if (!cancelled)
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' has not arrived completely", m->vm->name);
    else
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was cancelled", m->vm->name);
    testMigrationKeepError(m);
    return testDestinationDecide(host, m, TEST_REFUSING, TEST_FAULT_NONE);
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
    virRestoreLastError(error);
}

VIRT_INTERNAL int
testDomainMigrateFinish(virConnectPtr conn, const struct virMigrationCall *call, const char *cookiein, int cancelled,
                        char **cookieout, virDomainPtr *guest)
{
    enum testFaultPlace place = cancelled ? TEST_FAULT_CANCEL : TEST_FAULT_FINISH;
    struct testConnect *test = testConnectOf(conn);
    struct testHost *host = test->host;
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
    if ((m = testMigrationFind(host, call->uuid, false)) == NULL)
        m = testMigrationForbid(host, call, false);
    if (m != NULL) {
        m->at = test;
        if (m->vm != NULL)
            domain = virDomainObjHandle(conn, m->vm);      /* first: without it, the guest is not to be started */
        if (m->stage == TEST_PREPARED && domain == NULL)
            rc = testDestinationGivesUp(host, m);
        else
            rc = testDestinationFinish(host, m, cancelled != 0, kind);
        m->at = NULL;
    } else {
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "host '%s' has no migration %s", host->name, call->uuid);
    }
    if (rc == VIR_MIGRATION_FAILED && cancelled)
        rc = VIR_MIGRATION_DONE;
    here = rc == VIR_MIGRATION_DONE && m != NULL && m->stage == TEST_ARRIVED;
    if (rc == VIR_MIGRATION_DONE && ((here && domain == NULL) || testFaultLost(test, place)))
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

/* ---------- halt ---------- */

static int
testSourceHalt(struct testHost *host, struct testMigration *m)
{
    bool halts = m->stage == TEST_BEGUN;

    testTransferLook(host, m);
    if (m->stage == TEST_PERFORMING) {
        if (m->status == TEST_ACTIVE && testSourceIsHere(m)) {
            virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was halted", m->vm->name);
            testTransferCancel(m);
            if (testMigrationReached(host, m, TEST_MARK_CANCELLED))
                return VIR_MIGRATION_AGAIN;
        }
        halts = m->status == TEST_IDLE || m->status == TEST_CANCELLED;
        if (m->status == TEST_COMPLETED || (!halts && !testSourceIsHere(m)))
            testMigrationEnter(m, TEST_PERFORMED);
    }
    if (halts) {
        testMigrationEnter(m, TEST_HALTED);
        if (testMigrationReached(host, m, TEST_MARK_HALTED))
            return VIR_MIGRATION_AGAIN;
    }
    if ((m->stage == TEST_PERFORMING || m->stage == TEST_PERFORMED) &&
        (m->status == TEST_SPREAD || m->status == TEST_BROKE || !testSourceIsHere(m)))
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has been given away: only the destination knows whether it "
                              "goes on there", m->vm->name);
    return VIR_MIGRATION_DONE;
}

VIRT_INTERNAL int
testDomainMigrateHalt(virDomainPtr domain, const struct virMigrationCall *call)
{
    struct testConnect *test = testConnectOf(domain->conn);
    struct testHost *host = test->host;
    struct testMigration *m;
    enum testFaultKind kind;
    int rc = testPhaseEnter(domain->conn, call, TEST_FAULT_HALT, &kind);

    if (rc != 1)
        return rc;
    if ((m = testMigrationFind(host, call->uuid, true)) == NULL)
        m = testMigrationForbid(host, call, true);
    if (m != NULL) {
        m->at = test;
        rc = m->vm != NULL ? testSourceHalt(host, m) : VIR_MIGRATION_DONE;
        m->at = NULL;
        pthread_cond_broadcast(&host->changed);
    }
    if (rc == VIR_MIGRATION_DONE && testFaultLost(test, TEST_FAULT_HALT))
        rc = VIR_MIGRATION_AGAIN;
    pthread_mutex_unlock(&host->lock);
    return rc;
}

/* ---------- confirm ---------- */

/* Whether the record agrees with what it is asked to settle on. */
static int
testSourceContradicts(const struct testMigration *m, bool cancelled)
{
    return virReportError(VIR_ERR_OPERATION_INVALID, "migration %s%s%s cannot be %s any more", m->uuid,
                          m->vm != NULL ? " of domain " : "", m->vm != NULL ? m->vm->name : "",
                          cancelled ? "rolled back: the guest has left" : "confirmed: the guest has stayed");
}

/* The guest was given away before all of its memory was there, and where it went, it is not. */
static int
testSourceLost(struct testHost *host, struct testMigration *m)
{
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' was lost in post-copy: neither host has all of its memory", m->vm->name);
    testMigrationKeepError(m);
    m->lost = true;
    return testSourceDecide(host, m, TEST_LEAVING);
}

static int
testSourceConfirm(struct testHost *host, struct testMigration *m, bool cancelled)
{
    bool here, spread;

    if (m->stage == TEST_GONE)
        return testMigrationFailed(m);
    if (m->stage == TEST_STAYED || m->stage == TEST_LEFT)
        return m->stage == (cancelled ? TEST_STAYED : TEST_LEFT) ? VIR_MIGRATION_DONE : testSourceContradicts(m, cancelled);
    if (m->stage == TEST_RESUMING || m->stage == TEST_LEAVING)
        return testSourceSettle(host, m);
    if (m->offline && m->stage != TEST_HALTED)
        m->status = TEST_COMPLETED;
    if (m->status == TEST_BROKE && !cancelled && testSourceIsHere(m) && atomic_load(&m->channel->copy) == TEST_COPY_SPREAD) {
        testTransferRecover(m);
    } else {
        testTransferLook(host, m);
    }
    here = m->vm == NULL || testSourceIsHere(m);
    spread = m->status == TEST_SPREAD || m->status == TEST_BROKE;
    if (spread && (cancelled || !here || atomic_load(&m->channel->copy) == TEST_COPY_DEAD))
        return testSourceLost(host, m);
    if (cancelled)
        return here && m->status == TEST_ACTIVE ? VIR_MIGRATION_AGAIN : testSourceDecide(host, m, TEST_RESUMING);
    if (m->status == TEST_COMPLETED || !here)
        return testSourceDecide(host, m, TEST_LEAVING);
    return spread || m->status == TEST_ACTIVE ? VIR_MIGRATION_AGAIN : testSourceContradicts(m, cancelled);
}

VIRT_INTERNAL int
testDomainMigrateConfirm(virDomainPtr domain, const struct virMigrationCall *call, const char *cookiein, int cancelled)
{
    enum testFaultPlace place = cancelled ? TEST_FAULT_ROLLBACK : TEST_FAULT_CONFIRM;
    struct testConnect *test = testConnectOf(domain->conn);
    struct testHost *host = test->host;
    unsigned long long end, next;
    struct testMigration *m;
    enum testFaultKind kind;
    int rc = testPhaseEnter(domain->conn, call, place, &kind);

    (void)cookiein;
    if (rc != 1)
        return rc;
    end = call->timeout < 0 ? UINT64_MAX : virTimeNowUs() + (unsigned long long)call->timeout * 1000;
    if ((m = testMigrationFind(host, call->uuid, true)) != NULL) {
        m->users++;
        m->at = test;
        while ((rc = testSourceConfirm(host, m, cancelled != 0)) == VIR_MIGRATION_AGAIN && !host->crashed &&
               m->status == TEST_SPREAD && virTimeNowUs() < end) {
            next = testTransferNext(m);
            virPlatformCondWait(&host->changed, &host->lock, next < end ? next : end);
            if (host->crashed)
                break;
        }
        m->at = NULL;
        m->users--;
    } else if (cancelled) {
        rc = VIR_MIGRATION_DONE;                           /* never begun */
    } else {
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no migration %s", domain->name, call->uuid);
    }
    if (rc == VIR_MIGRATION_DONE && testFaultLost(test, place))
        rc = VIR_MIGRATION_AGAIN;
    if (m != NULL && m->vm != NULL)
        atomic_store(&domain->id, m->vm->id);
    pthread_mutex_unlock(&host->lock);
    return rc;
}

/* ---------- decide ---------- */

/* Somebody else has the guest, or it may go on here: then that is made certain first. */
static int
testSourceMayGoOn(struct testHost *host, struct testMigration *m, enum testLeaseView view)
{
    if (view == TEST_LEASE_NEITHER || view == TEST_LEASE_DESTINATION)
        return 1;                                          /* the way back will see it, and end it */
    if (!testSourceIsHere(m))
        return view == TEST_LEASE_SOURCE;                  /* the destination, if it may, can still start it */
    return testLeaseKeep(host, m) > 0;
}

/* 1, 0: on record; -1: not known. After halt, or when all is there. */
static int
testSourceAsksLease(struct testHost *host, struct testMigration *m)
{
    enum testLeaseView view;

    if (m->stage == TEST_LEAVING || m->stage == TEST_LEFT)
        return 1;
    if (m->stage == TEST_RESUMING || m->stage == TEST_STAYED || m->stage == TEST_GONE)
        return 0;
    testTransferLook(host, m);
    if (!m->leased || (m->stage != TEST_HALTED && m->stage != TEST_PERFORMED) || m->status == TEST_SPREAD || m->status == TEST_BROKE)
        return -1;
    if ((view = testLeaseLook(host, m)) == TEST_LEASE_UNKNOWN)
        return -1;
    if (view == TEST_LEASE_DESTINATION && m->stage == TEST_PERFORMED)
        testMigrationEnter(m, TEST_LEAVING);
    else if (testSourceMayGoOn(host, m, view))
        testMigrationEnter(m, TEST_RESUMING);
    else
        return -1;
    if (testMigrationReached(host, m, m->stage == TEST_LEAVING ? TEST_MARK_LEAVING : TEST_MARK_RESUMING))
        return -1;
    return m->stage == TEST_LEAVING;
}

VIRT_INTERNAL int
testDomainMigrateDecide(virDomainPtr domain, const struct virMigrationCall *call, int *started)
{
    struct testConnect *test = testConnectOf(domain->conn);
    struct testMigration *m;
    int there = -1;

    pthread_mutex_lock(&test->host->lock);
    testHostSettle(test->host);
    if (testMigrationCheckOwn(test->host, call) < 0) {
        pthread_mutex_unlock(&test->host->lock);
        return VIR_MIGRATION_FAILED;
    }
    if ((m = testMigrationFind(test->host, call->uuid, true)) != NULL) {
        m->at = test;
        there = testSourceAsksLease(test->host, m);
        m->at = NULL;
    }
    pthread_mutex_unlock(&test->host->lock);
    virResetLastError();
    if (there >= 0)
        *started = there;
    return there >= 0 ? VIR_MIGRATION_DONE : VIR_MIGRATION_AGAIN;
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
    *milliseconds = 10;
    if (m != NULL && (m->status == TEST_ACTIVE || m->status == TEST_SPREAD))
        *milliseconds = (int)((testTransferNext(m) - virTimeNowUs() + 999) / 1000);
    pthread_mutex_unlock(&host->lock);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateDrop(virConnectPtr conn, const struct virMigrationCall *call)
{
    struct testHost *host = testHostOf(conn);
    int rc;

    pthread_mutex_lock(&host->lock);
    rc = testMigrationCheckOwn(host, call);
    for (struct testMigration *m = rc == 0 ? host->migrations : NULL; m != NULL; m = m->next) {
        if (strcmp(m->uuid, call->uuid) == 0)
            m->mind.dropped = true;
    }
    pthread_mutex_unlock(&host->lock);
    return rc;
}

VIRT_INTERNAL void
testMigrationAbortDropped(struct testHost *host, struct testMigration *m)
{
    virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted by its user", m->vm->name);
    testTransferCancel(m);
    testSourceDecide(host, m, TEST_RESUMING);
    virResetLastError();
}

VIRT_INTERNAL bool
testMigrationRefuseDropped(struct testHost *host, struct testMigration *m)
{
    if (m->stage != TEST_PREPARED || (!m->offline && !testChannelChange(m->channel, TEST_COPY_OPEN, TEST_COPY_DEAD)))
        return false;
    virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted by its user", m->vm->name);
    testDestinationGivesUp(host, m);
    virResetLastError();
    return true;
}

/* Whoever transfers it hears of it; if nobody does, it is the guest's no more. */
static void
testSourceGuestEnds(struct testHost *host, struct testMigration *m)
{
    testTransferLook(host, m);                             /* its last words */
    m->id = -1;
    if (m->status == TEST_IDLE || m->status == TEST_ACTIVE) {
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' ended while it was being migrated", m->vm->name);
        testMigrationKeepError(m);
    }
    if (m->channel != NULL)
        atomic_store(&m->channel->cut, true);
    if (m->mind.dropped)
        testMigrationEndJob(m);
}

static void
testDestinationGuestEnds(struct testHost *host, struct testMigration *m)
{
    m->id = -1;                                            /* whoever ends it tells of it */
    testChannelClose(host, m);
    if (testMigrationIsOver(m))
        return;
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' ended while it was arriving", m->vm->name);
    testMigrationKeepError(m);
    if (m->stage == TEST_STARTING && m->leased) {
        atomic_store(&host->unsettled, true);              /* its lease may be here, and goes back */
        return;
    }
    testMigrationEnter(m, TEST_REFUSED);
    testMigrationEndJob(m);
}

VIRT_INTERNAL virErrorPtr
testErrorPut(void)
{
    virErrorPtr before = virSaveLastError();

    virResetLastError();
    return before;
}

VIRT_INTERNAL void
testMigrationGuestEnds(struct testHost *host, struct virDomainObj *vm)
{
    virErrorPtr before = testErrorPut();

    for (struct testMigration *m = host->migrations; m != NULL; m = m->next) {
        if (m->vm != vm || m->offline || m->id < 0 || m->id != vm->id)
            continue;
        if (m->source && !testMigrationIsOver(m))
            testSourceGuestEnds(host, m);
        else if (!m->source && (m->channel != NULL || !testMigrationIsOver(m)))
            testDestinationGuestEnds(host, m);
    }
    virRestoreLastError(before);
    pthread_cond_broadcast(&host->changed);
}

/* ---------- what happens by itself ---------- */

/* Post-copy: the guest runs here already. */
static void
testDestinationFollows(struct testHost *host, struct testMigration *m)
{
    enum testCopy copy = (enum testCopy)atomic_load(&m->channel->copy);
    bool broke = copy == TEST_COPY_DEAD || (copy == TEST_COPY_SPREAD && atomic_load(&m->channel->cut));
    int reason = broke ? VIR_DOMAIN_RUNNING_POSTCOPY_FAILED : copy == TEST_COPY_SPREAD ? VIR_DOMAIN_RUNNING_POSTCOPY
                                                                                         : VIR_DOMAIN_RUNNING_MIGRATED;

    if (m->vm->state == VIR_DOMAIN_RUNNING && m->vm->id == m->id && m->vm->reason != reason)
        virDomainObjSetState(m->vm, VIR_DOMAIN_RUNNING, reason);
    if (copy != TEST_COPY_SPREAD)
        testChannelClose(host, m);
}

/*
 * A complete copy that nobody asks for: it may be given up if by its lease it can never run. The lock manager is asked once in
 * every such time.
 */
static bool
testDestinationIsStale(struct testHost *host, struct testMigration *m)
{
    enum testLeaseView view;

    if (!m->leased || atomic_load(&m->channel->copy) != TEST_COPY_COMPLETE)
        return false;
    view = testLeaseLook(host, m);
    if (view == TEST_LEASE_SOURCE || view == TEST_LEASE_NEITHER)
        return true;
    atomic_store(&m->channel->heard, virTimeNowUs());
    return false;
}

/* A guest that has been prepared: it may have died, or wait in vain, or may be started without being asked for. */
static void
testDestinationLook(struct testHost *host, struct testMigration *m)
{
    enum testCopy copy = (enum testCopy)atomic_load(&m->channel->copy);
    unsigned long long heard = atomic_load(&m->channel->heard), now = virTimeNowUs();

    if (copy == TEST_COPY_DEAD) {
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died while it was arriving", m->vm->name);
        testDestinationGivesUp(host, m);
    } else if (m->alone && copy == TEST_COPY_COMPLETE) {
        testDestinationDecide(host, m, TEST_STARTING, TEST_FAULT_NONE);
    } else if (m->alone && atomic_load(&m->channel->cut) && testChannelChange(m->channel, TEST_COPY_OPEN, TEST_COPY_DEAD)) {
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' has not arrived completely", m->vm->name);
        testDestinationGivesUp(host, m);
    } else if (now > heard && now - heard > m->expiry &&
               (testChannelChange(m->channel, TEST_COPY_OPEN, TEST_COPY_DEAD) || testDestinationIsStale(host, m))) {
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': nothing was heard of its migration for %llu seconds", m->vm->name,
                       m->expiry / 1000000);
        testDestinationGivesUp(host, m);
    }
}

/* After a crash: the records say what was promised, the hypervisors how it is. */
static void
testMigrationRestart(struct testHost *host, struct testMigration *m)
{
    if (m->source) {
        testTransferLook(host, m);
        testSourceSettle(host, m);
    } else if (m->stage == TEST_PREPARED && !testDestinationIsHere(m)) {
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' was being prepared when its host came to grief", m->vm->name);
        testDestinationGivesUp(host, m);
    } else {
        testDestinationSettle(host, m, TEST_FAULT_NONE);
    }
    if (testMigrationIsOver(m) && m->vm != NULL && m->vm->id < 0)
        testLeaseEnd(host, m->vm);                         /* its hypervisor went while nobody looked */
    virResetLastError();
}

VIRT_INTERNAL void
testHostSettle(struct testHost *host)
{
    virErrorPtr before;
    bool restart, again;

    if (!host->crashed && host->arriving == 0 && !host->unsettled)
        return;
    before = testErrorPut();
    again = atomic_exchange(&host->unsettled, false);
    restart = atomic_exchange(&host->crashed, false);
    for (struct testMigration *m = host->migrations; m != NULL; m = m->next) {
        if (restart || (again && m->mind.dropped && (m->stage == TEST_RESUMING || m->stage == TEST_STARTING)))
            testMigrationRestart(host, m);
    }
    for (struct testMigration *m = host->migrations; m != NULL; m = m->next) {
        if (m->channel != NULL && !m->source && m->stage == TEST_PREPARED)
            testDestinationLook(host, m);
        else if (m->channel != NULL && !m->source && m->stage == TEST_ARRIVED)
            testDestinationFollows(host, m);
    }
    virRestoreLastError(before);
}

VIRT_INTERNAL void
testMigrationRefresh(struct testHost *host)
{
    pthread_mutex_lock(&host->lock);
    testHostSettle(host);
    pthread_mutex_unlock(&host->lock);
}

#undef TEST_FLAGS
#undef VIRT_FROM
