/*
 * The simulated transfer: what the two hypervisors do, whatever becomes of those who manage them.
 *
 * A guest has so many bytes to move (its memory, or memory-mib of the source's URI), over a wire of so many bytes a second
 * (bandwidth), and while it runs it writes so many bytes a second (dirty-rate), which have to be sent again in the next
 * pass. When what is left fits into the allowed downtime, the guest is paused and the rest is sent. Passes, bytes and
 * downtime are computed, not measured, so they are the same in every run; only how much of it has happened depends on the
 * clock. A guest that writes faster than the wire never gets there, until it is throttled (AUTO_CONVERGE), paused, given
 * more downtime, switched to post-copy, or the migration is aborted.
 *
 * As with a real hypervisor, the migration's status alone says how far it is: testTransferLook brings it up to date. A
 * transfer that ends badly makes the source's guest go on by itself.
 */
#include "test.h"

#include "../common/text.h"

#include <stdint.h>

#define VIRT_FROM VIR_FROM_TEST

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
    if (channel != NULL) {
        channel->dieAt = -1;
        atomic_store(&channel->heard, virTimeNowUs());
    }
    return channel;
}

static void *
testChannelMissing(const char *key, void *opaque)
{
    (void)opaque;
    virReportError(VIR_ERR_OPERATION_FAILED, "nobody in this process listens at '%s': simulated hosts of two processes have no wire "
                   "between them", key);
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
VIRT_INTERNAL struct testChannel *
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

VIRT_INTERNAL bool
testChannelChange(struct testChannel *channel, enum testCopy from, enum testCopy to)
{
    int expected = from;

    return atomic_compare_exchange_strong(&channel->copy, &expected, to);
}

/* The receiver is gone, if it had not everything. */
static void
testChannelDies(struct testChannel *channel)
{
    if (!testChannelChange(channel, TEST_COPY_OPEN, TEST_COPY_DEAD))
        testChannelChange(channel, TEST_COPY_SPREAD, TEST_COPY_DEAD);
}

VIRT_INTERNAL void
testChannelClose(struct testHost *host, struct testMigration *m)
{
    if (m->channel == NULL)
        return;
    if (m->source) {
        atomic_store(&m->channel->cut, true);
    } else {
        testChannelDies(m->channel);
        atomic_fetch_sub(&host->arriving, 1);
    }
    virSharedRelease(m->channel);
    m->channel = NULL;
}

/* ---------- the guest at the source ---------- */

VIRT_INTERNAL bool
testSourceIsHere(const struct testMigration *m)
{
    return m->vm != NULL && (m->offline || (m->id >= 0 && m->vm->id == m->id));
}

static void
testSourcePause(struct testMigration *m, int reason, int detail)
{
    if (m->vm->state == VIR_DOMAIN_RUNNING) {
        virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, reason);
        virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_SUSPENDED, detail);
    } else if (m->vm->state == VIR_DOMAIN_PAUSED && reason != VIR_DOMAIN_PAUSED_MIGRATION) {
        virDomainObjSetState(m->vm, VIR_DOMAIN_PAUSED, reason);
    }
}

VIRT_INTERNAL void
testSourceResume(struct testMigration *m)
{
    if (m->offline || !testSourceIsHere(m) || m->vm->state != VIR_DOMAIN_PAUSED || m->state != VIR_DOMAIN_RUNNING)
        return;
    virDomainObjSetState(m->vm, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
    virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
}

/* The source's process dies in the middle of it; the destination, which has half a guest, notices. */
static void
testSourceDies(struct testMigration *m)
{
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' died while it was being migrated", m->vm->name);
    testMigrationKeepError(m);
    atomic_store(&m->channel->cut, true);
    testDomainStopped(m->vm, VIR_DOMAIN_SHUTOFF_CRASHED);
    testLeaseLeaveSeat(m->vm);
    virDomainObjEmit(m->vm, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

/* ---------- the transfer ---------- */

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
        testSourcePause(m, VIR_DOMAIN_PAUSED_MIGRATION, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED);
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

VIRT_INTERNAL int
testTransferStart(struct testMigration *m, const char *uri)
{
    if (uri == NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "the destination has not said where it listens");
    if ((m->channel = testChannelConnect(uri, m->uuid)) == NULL)
        return -1;
    m->transfer.pass = 1;
    m->transfer.seen = virTimeNowUs();
    m->status = TEST_ACTIVE;
    if ((m->flags & VIR_MIGRATE_LIVE) == 0)
        testSourcePause(m, VIR_DOMAIN_PAUSED_MIGRATION, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED);
    return 0;
}

VIRT_INTERNAL void
testTransferCancel(struct testMigration *m)
{
    testMigrationKeepError(m);
    if (m->channel != NULL)
        atomic_store(&m->channel->cut, true);
    m->status = TEST_CANCELLED;
    testSourceResume(m);
}

/* In post-copy: memory does not follow any more. */
static void
testTransferBreaks(struct testMigration *m)
{
    m->status = TEST_BROKE;
    atomic_store(&m->channel->cut, true);
    if (testSourceIsHere(m))
        testSourcePause(m, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED);
}

/* The end of the transfer, or what came in between. */
static void
testTransferJudge(struct testMigration *m, bool done, double died, double failed)
{
    const struct testTransfer *t = &m->transfer;
    bool spread = m->status == TEST_SPREAD;

    if (atomic_load(&m->channel->copy) == TEST_COPY_DEAD) {
        if (spread) {
            testTransferBreaks(m);
            return;
        }
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the destination closed the connection after %.0f of %.0f bytes",
                       m->vm->name, t->sent, t->total);
        testTransferCancel(m);
    } else if (t->sent >= died) {
        testSourceDies(m);
    } else if (!spread && t->sent >= failed) {
        virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': a fault was injected into perform after %.0f of %.0f bytes",
                       m->vm->name, t->sent, t->total);
        testTransferCancel(m);
    } else if (spread && t->sent >= testTransferMark(m, m->breakAt)) {
        m->breakAt = -1;
        testTransferBreaks(m);
    } else if (done) {
        atomic_store(&m->channel->paused, m->state == VIR_DOMAIN_PAUSED);
        if (testChannelChange(m->channel, spread ? TEST_COPY_SPREAD : TEST_COPY_OPEN, TEST_COPY_COMPLETE))
            m->status = TEST_COMPLETED;
        else
            testTransferJudge(m, false, died, failed);           /* it has died just now */
    }
}

VIRT_INTERNAL void
testTransferLook(struct testHost *host, struct testMigration *m)
{
    struct testTransfer *t = &m->transfer;
    double fail, die, dead, limit;
    unsigned long long now = virTimeNowUs();
    bool done;

    if (m->channel == NULL || (m->status != TEST_ACTIVE && m->status != TEST_SPREAD))
        return;                       /* it is settling, and has closed its end */
    if (!testSourceIsHere(m)) {
        atomic_store(&m->channel->cut, true);
        if (m->status == TEST_SPREAD)
            testTransferBreaks(m);
        return;
    }
    fail = m->status == TEST_ACTIVE ? testTransferMark(m, m->failAt) : testTransferMark(m, m->breakAt);
    die = testTransferMark(m, m->dieAt);
    dead = testTransferMark(m, m->channel->dieAt);
    limit = die < fail ? die : fail;
    limit = dead < limit ? dead : limit;
    atomic_store(&m->channel->heard, now);
    done = testTransferRun(m, (double)(now - t->seen) / 1e6, limit);
    t->seen = now;
    if (t->sent >= dead)
        testChannelDies(m->channel);
    testTransferJudge(m, done, die, fail);
    if (m->status != TEST_ACTIVE)
        pthread_cond_broadcast(&host->changed);
}

VIRT_INTERNAL unsigned long long
testTransferNext(const struct testMigration *m)
{
    double seconds = m->transfer.left / testTransferRate(m);

    /* at least a millisecond; not longer than a progress bar likes */
    seconds = seconds < 0.001 ? 0.001 : seconds > 0.05 ? 0.05 : seconds;
    return virTimeNowUs() + (unsigned long long)(seconds * 1e6);
}

/* ---------- post-copy ---------- */

VIRT_INTERNAL void
testTransferRecover(struct testMigration *m)
{
    m->status = TEST_SPREAD;
    m->transfer.seen = virTimeNowUs();
    atomic_store(&m->channel->cut, false);
    testSourcePause(m, VIR_DOMAIN_PAUSED_POSTCOPY, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY);
}

/* What the CPUs have is sent; of the memory, what is still to be sent follows. */
static int
testTransferSpread(struct testMigration *m)
{
    struct testTransfer *t = &m->transfer;

    t->left = t->left + t->dirtied < t->total ? t->left + t->dirtied : t->total;
    t->dirtied = 0;
    t->last = true;
    t->downtime = TEST_PAGE / testTransferRate(m);
    atomic_store(&m->channel->paused, m->state == VIR_DOMAIN_PAUSED);
    if (!testChannelChange(m->channel, TEST_COPY_OPEN, TEST_COPY_SPREAD))
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': the destination has closed the connection", m->vm->name);
    m->status = TEST_SPREAD;
    testSourcePause(m, VIR_DOMAIN_PAUSED_POSTCOPY, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY);
    return 0;
}

VIRT_INTERNAL int
testDomainMigrateStartPostCopy(virDomainPtr domain, unsigned int flags)
{
    struct testHost *host = testHostOf(domain->conn);
    struct testMigration *m;
    struct virDomainObj *vm;
    int rc = -1;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return -1;
    pthread_mutex_lock(&host->lock);
    m = testMigrationOf(host, vm);
    if (m != NULL && m->source)
        testTransferLook(host, m);
    if (m == NULL || !m->source || m->stage != TEST_PERFORMING || m->status != TEST_ACTIVE || !testSourceIsHere(m))
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': no migration from here is under way", vm->name);
    else if ((m->flags & VIR_MIGRATE_POSTCOPY) == 0)
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': its migration was begun without VIR_MIGRATE_POSTCOPY", vm->name);
    else
        rc = testTransferSpread(m);
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    return rc;
}

#undef VIRT_FROM
