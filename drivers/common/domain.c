/*
 * Domain objects and the list of them; see domain.h for what drivers may expect.
 *
 *     1. Hash tables      4. Jobs
 *     2. Objects          5. State and documents
 *     3. The list         6. Slots: lists, look-ups, definition (the others: domain_calls.c)
 *
 * The list keeps its objects in an array, for those who want all of them, and in three hash
 * tables: by uuid, by name and, while they run, by id. The chains of the tables run through the
 * objects themselves, so that taking a domain in costs one allocation besides its texts, and
 * taking it out costs none and cannot fail.
 */
#include "domain.h"
#include "document.h"
#include "file.h"
#include "platform.h"

#include <errno.h>
#include <time.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* How long a call waits behind another one's job, in seconds; libvirt's figure. */
#define VIR_DOMAIN_JOB_WAIT 30

struct virDomainTable {
    struct virDomainObj **heads;
    size_t size;                         /* a power of two */
};

struct virDomainList {
    struct virDomainListConfig config;
    atomic_int refs;                     /* the owner's and one for each object */

    pthread_mutex_t lock;                /* guards what follows, and names and membership of the objects */
    struct virDomainObj **all;
    size_t count, room;
    struct virDomainTable byUuid, byName, byId;
    int lastId;
};

/* ---------- 1. Hash tables ---------- */

static size_t
virDomainHashBytes(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    size_t hash = 2166136261u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash ^ (hash >> 15);
}

static struct virDomainObj **
virDomainHeadUuid(const struct virDomainList *list, const unsigned char *uuid)
{
    return &list->byUuid.heads[virDomainHashBytes(uuid, VIR_UUID_BUFLEN) & (list->byUuid.size - 1)];
}

static struct virDomainObj **
virDomainHeadName(const struct virDomainList *list, const char *name)
{
    return &list->byName.heads[virDomainHashBytes(name, strlen(name)) & (list->byName.size - 1)];
}

static struct virDomainObj **
virDomainHeadId(const struct virDomainList *list, int id)
{
    return &list->byId.heads[(size_t)id & (list->byId.size - 1)];
}

static void
virDomainLinkId(struct virDomainList *list, struct virDomainObj *vm)
{
    struct virDomainObj **head = virDomainHeadId(list, vm->id);

    vm->nextById = *head;
    *head = vm;
}

static void
virDomainUnlinkId(struct virDomainList *list, struct virDomainObj *vm)
{
    for (struct virDomainObj **at = virDomainHeadId(list, vm->id); *at != NULL; at = &(*at)->nextById) {
        if (*at == vm) {
            *at = vm->nextById;
            break;
        }
    }
    vm->nextById = NULL;
}

static void
virDomainLinkName(struct virDomainList *list, struct virDomainObj *vm)
{
    struct virDomainObj **head = virDomainHeadName(list, vm->name);

    vm->nextByName = *head;
    *head = vm;
}

static void
virDomainUnlinkName(struct virDomainList *list, struct virDomainObj *vm)
{
    for (struct virDomainObj **at = virDomainHeadName(list, vm->name); *at != NULL; at = &(*at)->nextByName) {
        if (*at == vm) {
            *at = vm->nextByName;
            break;
        }
    }
    vm->nextByName = NULL;
}

static void
virDomainLinkUuid(struct virDomainList *list, struct virDomainObj *vm)
{
    struct virDomainObj **head = virDomainHeadUuid(list, vm->uuid);

    vm->nextByUuid = *head;
    *head = vm;
}

static void
virDomainUnlinkUuid(struct virDomainList *list, struct virDomainObj *vm)
{
    for (struct virDomainObj **at = virDomainHeadUuid(list, vm->uuid); *at != NULL; at = &(*at)->nextByUuid) {
        if (*at == vm) {
            *at = vm->nextByUuid;
            break;
        }
    }
    vm->nextByUuid = NULL;
}

/*
 * Makes room for one more: the array must have it; longer tables are only a matter of speed, so
 * that a failure to get them is none.
 */
static int
virDomainListGrow(struct virDomainList *list)
{
    size_t room = list->room * 2;
    struct virDomainObj **all, **heads[3];

    if (list->count < list->room)
        return 0;
    if ((all = realloc(list->all, room * sizeof(*all))) == NULL)
        return virReportNoMemory();
    list->all = all;
    list->room = room;

    for (size_t i = 0; i < 3; i++)
        heads[i] = calloc(room, sizeof(struct virDomainObj *));
    if (heads[0] == NULL || heads[1] == NULL || heads[2] == NULL) {
        for (size_t i = 0; i < 3; i++)
            free(heads[i]);
        return 0;
    }
    free(list->byUuid.heads);
    free(list->byName.heads);
    free(list->byId.heads);
    list->byUuid = (struct virDomainTable){ heads[0], room };
    list->byName = (struct virDomainTable){ heads[1], room };
    list->byId = (struct virDomainTable){ heads[2], room };
    for (size_t i = 0; i < list->count; i++) {
        virDomainLinkUuid(list, all[i]);
        virDomainLinkName(list, all[i]);
        if (all[i]->id >= 0)
            virDomainLinkId(list, all[i]);
    }
    return 0;
}

/* ---------- 2. Objects ---------- */

static void virDomainListUnref(struct virDomainList *list);

static struct virDomainObj *
virDomainObjNew(struct virDomainList *list, const struct virDocumentHot *hot)
{
    struct virDomainObj *vm = virAllocate(sizeof(*vm));

    if (vm == NULL)
        return NULL;
    if ((vm->name = virStringCopy(hot->name)) == NULL) {
        free(vm);
        return NULL;
    }
    memcpy(vm->uuid, hot->uuid, VIR_UUID_BUFLEN);
    atomic_init(&vm->refs, 1);
    atomic_init(&vm->id, -1);
    atomic_init(&vm->state, VIR_DOMAIN_SHUTOFF);
    atomic_init(&vm->reason, VIR_DOMAIN_SHUTOFF_UNKNOWN);
    atomic_init(&vm->maxMemory, hot->maxMemory);
    atomic_init(&vm->memory, hot->memory);
    atomic_init(&vm->maxVcpus, hot->maxVcpus);
    atomic_init(&vm->vcpus, hot->vcpus);
    pthread_mutex_init(&vm->lock, NULL);
    virPlatformCondInit(&vm->jobFree);
    vm->list = list;
    atomic_fetch_add(&list->refs, 1);
    return vm;
}

VIRT_INTERNAL struct virDomainObj *
virDomainObjRef(struct virDomainObj *vm)
{
    atomic_fetch_add(&vm->refs, 1);
    return vm;
}

VIRT_INTERNAL void
virDomainObjUnref(void *obj)
{
    struct virDomainObj *vm = obj;

    if (vm == NULL || atomic_fetch_sub(&vm->refs, 1) != 1)
        return;
    virDomainObjUnref(vm->successor);
    if (vm->priv != NULL && vm->list->config.freePriv != NULL)
        vm->list->config.freePriv(vm->priv);
    virTypedParamsFree(vm->completed, vm->ncompleted);
    virDomainListUnref(vm->list);
    pthread_cond_destroy(&vm->jobFree);
    pthread_mutex_destroy(&vm->lock);
    free(vm->migration);
    free(vm->definition);
    free(vm->live);
    free(vm->name);
    free(vm);
}

VIRT_INTERNAL const struct virDomainListConfig *
virDomainObjConfig(const struct virDomainObj *vm)
{
    return &vm->list->config;
}

/* An object that is neither defined nor running is on its way in or out; nobody is shown it. */
static bool
virDomainObjIsVisible(struct virDomainObj *vm)
{
    return !vm->removed && (vm->persistent || vm->id >= 0);
}

/*
 * The domain that has this uuid now, for a handle whose own object has left the list; the object
 * keeps it for the handle.
 */
static struct virDomainObj *
virDomainObjSuccessor(struct virDomainObj *vm)
{
    struct virDomainList *list = vm->list;

    pthread_mutex_lock(&list->lock);
    while (vm != NULL && vm->removed) {
        if (vm->successor == NULL) {
            struct virDomainObj *now = *virDomainHeadUuid(list, vm->uuid);

            while (now != NULL && memcmp(now->uuid, vm->uuid, VIR_UUID_BUFLEN) != 0)
                now = now->nextByUuid;
            if (now != NULL)
                vm->successor = virDomainObjRef(now);
        }
        vm = vm->successor;
    }
    pthread_mutex_unlock(&list->lock);
    return vm;
}

static void
virDomainObjRefresh(struct virDomainObj *vm)
{
    if (vm->list->config.refresh != NULL)
        vm->list->config.refresh(vm, vm->list->config.opaque);
}

VIRT_INTERNAL struct virDomainObj *
virDomainObjOf(virDomainPtr domain)
{
    struct virDomainObj *vm = domain->obj;
    char uuid[VIR_UUID_STRING_BUFLEN];

    /* an event of a guest that has gone since has a handle without an object */
    if (vm != NULL && (!vm->removed || (vm = virDomainObjSuccessor(vm)) != NULL)) {
        virDomainObjRefresh(vm);                          /* the news may be that it is gone */
        if (vm->removed)
            vm = virDomainObjSuccessor(vm);
    }
    if (vm == NULL) {
        atomic_store(&domain->id, -1);
        virUuidFormat(domain->uuid, uuid);
        virReportError(VIR_ERR_NO_DOMAIN, "no domain with matching uuid '%s' (%s)", uuid, domain->name);
        return NULL;
    }
    atomic_store(&domain->id, vm->id);
    return vm;
}

VIRT_INTERNAL virDomainPtr
virDomainObjHandle(virConnectPtr conn, struct virDomainObj *vm)
{
    virDomainPtr domain;

    pthread_mutex_lock(&vm->lock);                        /* the name */
    domain = virNewDomain(conn, vm->name, vm->uuid, vm->id, virDomainObjRef(vm), virDomainObjUnref);
    pthread_mutex_unlock(&vm->lock);
    return domain;
}

VIRT_INTERNAL void
virDomainObjEmit(struct virDomainObj *vm, int event, int detail)
{
    if (vm->list->config.hub == NULL)
        return;
    pthread_mutex_lock(&vm->lock);
    virDomainEventEmitLifecycle(vm->list->config.hub, vm->name, vm->uuid, vm->id, event, detail);
    pthread_mutex_unlock(&vm->lock);
}

/* ---------- 3. The list ---------- */

VIRT_INTERNAL struct virDomainList *
virDomainListNew(const struct virDomainListConfig *config)
{
    struct virDomainList *list = virAllocate(sizeof(*list));

    if (list == NULL)
        return NULL;
    list->config = *config;
    atomic_init(&list->refs, 1);
    list->room = 16;
    list->byUuid.size = list->byName.size = list->byId.size = list->room;
    list->all = calloc(list->room, sizeof(*list->all));
    list->byUuid.heads = calloc(list->room, sizeof(struct virDomainObj *));
    list->byName.heads = calloc(list->room, sizeof(struct virDomainObj *));
    list->byId.heads = calloc(list->room, sizeof(struct virDomainObj *));
    pthread_mutex_init(&list->lock, NULL);
    if (list->all == NULL || list->byUuid.heads == NULL || list->byName.heads == NULL || list->byId.heads == NULL) {
        virReportNoMemory();
        virDomainListUnref(list);
        return NULL;
    }
    return list;
}

static void
virDomainListUnref(struct virDomainList *list)
{
    if (atomic_fetch_sub(&list->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&list->lock);
    free(list->byId.heads);
    free(list->byName.heads);
    free(list->byUuid.heads);
    free(list->all);
    free(list);
}

VIRT_INTERNAL void
virDomainListFree(struct virDomainList *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->count; i++) {
        list->all[i]->removed = true;
        virDomainObjUnref(list->all[i]);
    }
    list->count = 0;
    memset(list->byUuid.heads, 0, list->byUuid.size * sizeof(struct virDomainObj *));
    memset(list->byName.heads, 0, list->byName.size * sizeof(struct virDomainObj *));
    memset(list->byId.heads, 0, list->byId.size * sizeof(struct virDomainObj *));
    virDomainListUnref(list);
}

/* The three searches; the list is locked. */
static struct virDomainObj *
virDomainListUuidLocked(struct virDomainList *list, const unsigned char *uuid)
{
    struct virDomainObj *vm = *virDomainHeadUuid(list, uuid);

    while (vm != NULL && memcmp(vm->uuid, uuid, VIR_UUID_BUFLEN) != 0)
        vm = vm->nextByUuid;
    return vm;
}

static struct virDomainObj *
virDomainListNameLocked(struct virDomainList *list, const char *name)
{
    struct virDomainObj *vm = *virDomainHeadName(list, name);

    while (vm != NULL && strcmp(vm->name, name) != 0)
        vm = vm->nextByName;
    return vm;
}

static struct virDomainObj *
virDomainListIdLocked(struct virDomainList *list, int id)
{
    struct virDomainObj *vm = id < 0 ? NULL : *virDomainHeadId(list, id);

    while (vm != NULL && vm->id != id)
        vm = vm->nextById;
    return vm;
}

VIRT_INTERNAL struct virDomainObj *
virDomainListFindUuid(struct virDomainList *list, const unsigned char *uuid)
{
    struct virDomainObj *vm;

    pthread_mutex_lock(&list->lock);
    if ((vm = virDomainListUuidLocked(list, uuid)) != NULL)
        virDomainObjRef(vm);
    pthread_mutex_unlock(&list->lock);
    return vm;
}

VIRT_INTERNAL struct virDomainObj *
virDomainListFindName(struct virDomainList *list, const char *name)
{
    struct virDomainObj *vm;

    pthread_mutex_lock(&list->lock);
    if ((vm = virDomainListNameLocked(list, name)) != NULL)
        virDomainObjRef(vm);
    pthread_mutex_unlock(&list->lock);
    return vm;
}

VIRT_INTERNAL struct virDomainObj *
virDomainListFindId(struct virDomainList *list, int id)
{
    struct virDomainObj *vm;

    pthread_mutex_lock(&list->lock);
    if ((vm = virDomainListIdLocked(list, id)) != NULL)
        virDomainObjRef(vm);
    pthread_mutex_unlock(&list->lock);
    return vm;
}

/* References on all domains, in an array for free(); the number, or -1. */
static ssize_t
virDomainListSnapshot(struct virDomainList *list, struct virDomainObj ***all)
{
    size_t count;

    pthread_mutex_lock(&list->lock);
    count = list->count;
    if ((*all = malloc((count + 1) * sizeof(**all))) == NULL) {
        pthread_mutex_unlock(&list->lock);
        return virReportNoMemory();
    }
    for (size_t i = 0; i < count; i++)
        (*all)[i] = virDomainObjRef(list->all[i]);
    pthread_mutex_unlock(&list->lock);
    return (ssize_t)count;
}

VIRT_INTERNAL int
virDomainListEach(struct virDomainList *list, int (*visit)(struct virDomainObj *vm, void *opaque), void *opaque)
{
    struct virDomainObj **all;
    ssize_t count = virDomainListSnapshot(list, &all);
    int rc = 0;

    if (count < 0)
        return -1;
    for (ssize_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = visit(all[i], opaque);
        virDomainObjUnref(all[i]);
    }
    free(all);
    return rc;
}

static int virDomainObjTakeJob(struct virDomainObj *vm, const char *api, bool duringMigration);

/* The new object, in the list, its job the calling thread's; the list is locked. */
static struct virDomainObj *
virDomainListInsert(struct virDomainList *list, const struct virDocumentHot *hot, const char *api)
{
    struct virDomainObj *vm;

    if (virDomainListGrow(list) < 0 || (vm = virDomainObjNew(list, hot)) == NULL)
        return NULL;
    vm->job = VIR_DOMAIN_JOB_KIND_MODIFY;
    vm->jobApi = api;
    vm->jobOwner = pthread_self();
    vm->jobStarted = virTimeNowUs();
    vm->place = list->count;
    list->all[list->count++] = vm;
    virDomainLinkUuid(list, vm);
    virDomainLinkName(list, vm);
    return virDomainObjRef(vm);
}

/*
 * Whether name and uuid may be taken in: *vm is the domain that has both, or NULL. The list is
 * locked.
 */
static int
virDomainListCheckTaken(struct virDomainList *list, const struct virDocumentHot *hot, enum virDomainAddMode mode,
                        struct virDomainObj **vm)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    struct virDomainObj *other;

    if ((*vm = virDomainListUuidLocked(list, hot->uuid)) != NULL) {
        virUuidFormat((*vm)->uuid, uuid);
        if (strcmp((*vm)->name, hot->name) != 0)
            return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' is already defined with uuid %s",
                                  (*vm)->name, uuid);
        if (mode == VIR_DOMAIN_ADD_CREATE && (*vm)->id >= 0)
            return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is already active", (*vm)->name);
    } else if ((other = virDomainListNameLocked(list, hot->name)) != NULL) {
        virUuidFormat(other->uuid, uuid);
        return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' already exists with uuid %s", hot->name, uuid);
    }
    return 0;
}

VIRT_INTERNAL struct virDomainObj *
virDomainListAdd(struct virDomainList *list, xmlDocPtr doc, enum virDomainAddMode mode, const char *api, bool *isNew)
{
    struct virDocumentHot hot;
    struct virDomainObj *vm;
    int rc;

    if (virDocumentHot(doc, &hot) < 0)
        return NULL;
    for (;;) {
        pthread_mutex_lock(&list->lock);
        if (virDomainListCheckTaken(list, &hot, mode, &vm) < 0) {
            pthread_mutex_unlock(&list->lock);
            return NULL;
        }
        *isNew = vm == NULL;
        vm = *isNew ? virDomainListInsert(list, &hot, api) : virDomainObjRef(vm);
        pthread_mutex_unlock(&list->lock);
        if (*isNew)
            return vm;

        /* Waiting for its job may have changed everything: then look again. */
        if ((rc = virDomainObjTakeJob(vm, api, false)) > 0) {
            if (mode != VIR_DOMAIN_ADD_CREATE || vm->id < 0)
                return vm;
            virDomainObjEndJob(vm);
        }
        virDomainObjUnref(vm);
        if (rc < 0)
            return NULL;
    }
}

VIRT_INTERNAL int
virDomainListCheckAdd(struct virDomainList *list, xmlDocPtr doc, enum virDomainAddMode mode)
{
    struct virDocumentHot hot;
    struct virDomainObj *vm;
    int rc;

    if (virDocumentHot(doc, &hot) < 0)
        return -1;
    pthread_mutex_lock(&list->lock);
    rc = virDomainListCheckTaken(list, &hot, mode, &vm);
    pthread_mutex_unlock(&list->lock);
    return rc < 0 ? -1 : 0;
}

VIRT_INTERNAL void
virDomainListRemove(struct virDomainList *list, struct virDomainObj *vm)
{
    pthread_mutex_lock(&list->lock);
    if (vm->removed) {
        pthread_mutex_unlock(&list->lock);
        return;
    }
    vm->removed = true;
    virDomainUnlinkUuid(list, vm);
    virDomainUnlinkName(list, vm);
    if (vm->id >= 0)
        virDomainUnlinkId(list, vm);
    list->all[vm->place] = list->all[--list->count];
    list->all[vm->place]->place = vm->place;
    pthread_mutex_unlock(&list->lock);
    virDomainObjUnref(vm);
}

VIRT_INTERNAL int
virDomainListNextId(struct virDomainList *list)
{
    int id;

    pthread_mutex_lock(&list->lock);
    id = ++list->lastId;
    pthread_mutex_unlock(&list->lock);
    return id;
}

VIRT_INTERNAL void
virDomainListReserveId(struct virDomainList *list, int id)
{
    pthread_mutex_lock(&list->lock);
    if (id > list->lastId)
        list->lastId = id;
    pthread_mutex_unlock(&list->lock);
}

VIRT_INTERNAL int
virDomainObjSwapName(struct virDomainObj *vm, char **name)
{
    struct virDomainList *list = vm->list;
    char *before = vm->name;
    int rc = 0;

    pthread_mutex_lock(&list->lock);
    if (virDomainListNameLocked(list, *name) != NULL) {
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "domain with name '%s' already exists", *name);
    } else {
        pthread_mutex_lock(&vm->lock);
        virDomainUnlinkName(list, vm);
        vm->name = *name;
        virDomainLinkName(list, vm);
        pthread_mutex_unlock(&vm->lock);
        *name = before;
    }
    pthread_mutex_unlock(&list->lock);
    return rc;
}

/* ---------- 4. Jobs ---------- */

/*
 * A migration holds its job from begin to confirm, while no thread of ours may be inside the
 * library at all. A thread that serves it, or may change the guest meanwhile, has the MODIFY job
 * nested in the migration's.
 */

static bool
virDomainObjIsMigrating(const struct virDomainObj *vm)
{
    return vm->job == VIR_DOMAIN_JOB_KIND_MIGRATION_OUT || vm->job == VIR_DOMAIN_JOB_KIND_MIGRATION_IN;
}

/* Why a call is refused while a migration holds the guest, and what can be done about it. With vm->lock held. */
static int
virDomainObjReportMigrating(const struct virDomainObj *vm, const char *api)
{
    if (!vm->undecided)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is being migrated (%s): %s has to wait until it is over",
                              vm->name, vm->migration, api);
    return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s': its migration (%s) was left when the guest may have been at the "
                          "destination already, so %s could make it run twice. If it runs there, end it here with virDomainDestroy; if it "
                          "certainly does not, virDomainDestroy and a new start bring it back (keep the document of a transient "
                          "one first)", vm->name, vm->migration, api);
}

/* The job is taken: 1; the domain is gone meanwhile: 0 without an error; -1: not taken. */
static int
virDomainObjTakeJob(struct virDomainObj *vm, const char *api, bool duringMigration)
{
    unsigned long long end = virTimeNowUs() + VIR_DOMAIN_JOB_WAIT * 1000000ull;
    int rc = -1;

    pthread_mutex_lock(&vm->lock);
    for (;;) {
        if (vm->removed) {
            rc = 0;
            break;
        }
        if (virDomainObjIsMigrating(vm) && !duringMigration) {
            virDomainObjReportMigrating(vm, api);
            break;
        }
        if (vm->job == VIR_DOMAIN_JOB_KIND_NONE || (virDomainObjIsMigrating(vm) && !vm->nested)) {
            if (vm->job == VIR_DOMAIN_JOB_KIND_NONE) {
                vm->job = VIR_DOMAIN_JOB_KIND_MODIFY;
                vm->jobStarted = virTimeNowUs();
            } else {
                vm->nested = true;
            }
            vm->jobApi = api;
            vm->jobOwner = pthread_self();
            rc = 1;
            break;
        }
        if (virPlatformCondWait(&vm->jobFree, &vm->lock, end) == ETIMEDOUT) {
            virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': %s waited %d s for %s, which is still at work",
                           vm->name, api, VIR_DOMAIN_JOB_WAIT, vm->jobApi);
            break;
        }
    }
    pthread_mutex_unlock(&vm->lock);
    return rc;
}

VIRT_INTERNAL int
virDomainObjBeginJob(struct virDomainObj *vm, const char *api, bool duringMigration)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    int rc = virDomainObjTakeJob(vm, api, duringMigration);

    if (rc == 0) {
        virUuidFormat(vm->uuid, uuid);
        return virReportError(VIR_ERR_NO_DOMAIN, "no domain with matching uuid '%s' (%s)", uuid, vm->name);
    }
    return rc < 0 ? -1 : 0;
}

VIRT_INTERNAL void
virDomainObjEndJob(struct virDomainObj *vm)
{
    pthread_mutex_lock(&vm->lock);
    if (vm->nested)
        vm->nested = false;
    else
        vm->job = VIR_DOMAIN_JOB_KIND_NONE;
    vm->jobApi = virDomainObjIsMigrating(vm) ? "migration" : NULL;
    pthread_cond_broadcast(&vm->jobFree);
    pthread_mutex_unlock(&vm->lock);
}

VIRT_INTERNAL int
virDomainObjBeginMigration(struct virDomainObj *vm, enum virDomainJobKind kind, const char *migration)
{
    char *copy = virStringCopy(migration);

    if (copy == NULL)
        return -1;
    pthread_mutex_lock(&vm->lock);
    free(vm->migration);
    vm->migration = copy;
    vm->undecided = false;
    vm->job = kind;
    vm->nested = false;
    vm->jobApi = "migration";
    vm->jobStarted = virTimeNowUs();
    pthread_cond_broadcast(&vm->jobFree);
    pthread_mutex_unlock(&vm->lock);
    return 0;
}

VIRT_INTERNAL int
virDomainObjHold(struct virDomainObj *vm, const char *migration)
{
    if (virDomainObjBeginJob(vm, "migration", false) < 0)
        return -1;
    if (virDomainObjBeginMigration(vm, VIR_DOMAIN_JOB_KIND_MIGRATION_OUT, migration) < 0) {
        virDomainObjEndJob(vm);
        return -1;
    }
    pthread_mutex_lock(&vm->lock);
    vm->undecided = true;
    pthread_mutex_unlock(&vm->lock);
    return 0;
}

VIRT_INTERNAL bool
virDomainObjIsHeld(struct virDomainObj *vm)
{
    bool held;

    pthread_mutex_lock(&vm->lock);
    held = virDomainObjIsMigrating(vm) && vm->undecided;
    pthread_mutex_unlock(&vm->lock);
    return held;
}

VIRT_INTERNAL int
virDomainObjReportHeld(struct virDomainObj *vm, const char *api)
{
    pthread_mutex_lock(&vm->lock);
    virDomainObjReportMigrating(vm, api);
    pthread_mutex_unlock(&vm->lock);
    return -1;
}

VIRT_INTERNAL void
virDomainObjEndMigration(struct virDomainObj *vm)
{
    pthread_mutex_lock(&vm->lock);
    if (virDomainObjIsMigrating(vm)) {
        vm->job = vm->nested ? VIR_DOMAIN_JOB_KIND_MODIFY : VIR_DOMAIN_JOB_KIND_NONE;
        vm->nested = false;
        free(vm->migration);
        vm->migration = NULL;
        pthread_cond_broadcast(&vm->jobFree);
    }
    pthread_mutex_unlock(&vm->lock);
}

/* ---------- 5. State and documents ---------- */

/*
 * Two atomics, not one: a reader between them sees a reason that belongs to the state before,
 * which is harmless.
 */
VIRT_INTERNAL void
virDomainObjSetState(struct virDomainObj *vm, int state, int reason)
{
    atomic_store(&vm->state, state);
    atomic_store(&vm->reason, reason);
}

static void
virDomainObjSetSizes(struct virDomainObj *vm, const struct virDomainSizes *sizes)
{
    atomic_store(&vm->maxMemory, sizes->maxMemory);
    atomic_store(&vm->memory, sizes->memory);
    atomic_store(&vm->maxVcpus, sizes->maxVcpus);
    atomic_store(&vm->vcpus, sizes->vcpus);
}

static int
virDomainSizesOf(xmlDocPtr doc, struct virDomainSizes *sizes)
{
    struct virDocumentHot hot;

    if (virDocumentHot(doc, &hot) < 0)
        return -1;
    *sizes = (struct virDomainSizes){ hot.maxMemory, hot.memory, hot.maxVcpus, hot.vcpus };
    return 0;
}

VIRT_INTERNAL int
virDomainObjLoadHot(struct virDomainObj *vm, xmlDocPtr doc)
{
    struct virDomainSizes sizes;

    if (virDomainSizesOf(doc, &sizes) < 0)
        return -1;
    virDomainObjSetSizes(vm, &sizes);
    return 0;
}

/* The document as text to be kept: in as much memory as it needs. */
static char *
virDomainFormatText(xmlDocPtr doc)
{
    char *text = virXmlFormat(doc), *fitting;

    if (text == NULL)
        return NULL;
    fitting = realloc(text, strlen(text) + 1);
    return fitting != NULL ? fitting : text;
}

VIRT_INTERNAL int
virDomainObjStarted(struct virDomainObj *vm, xmlDocPtr liveDoc, int id, int state, int reason)
{
    struct virDomainList *list = vm->list;
    struct virDomainSizes sizes;
    char *text;

    if (virDomainSizesOf(liveDoc, &sizes) < 0 || virXmlSet(virXmlRoot(liveDoc), "@id", "%d", id) < 0 ||
        (text = virDomainFormatText(liveDoc)) == NULL)
        return -1;

    pthread_mutex_lock(&list->lock);
    pthread_mutex_lock(&vm->lock);
    free(vm->live);
    vm->live = text;
    if (virDocumentHasSecrets(liveDoc))
        atomic_store(&vm->hasSecrets, true);
    virDomainObjSetSizes(vm, &sizes);
    virDomainObjSetState(vm, state, reason);
    if (vm->id >= 0)
        virDomainUnlinkId(list, vm);
    atomic_store(&vm->id, id);
    if (!vm->removed)
        virDomainLinkId(list, vm);
    pthread_mutex_unlock(&vm->lock);
    pthread_mutex_unlock(&list->lock);
    return 0;
}

VIRT_INTERNAL void
virDomainObjStopped(struct virDomainObj *vm, int reason)
{
    struct virDomainList *list = vm->list;

    pthread_mutex_lock(&list->lock);
    pthread_mutex_lock(&vm->lock);
    if (vm->id >= 0 && !vm->removed)
        virDomainUnlinkId(list, vm);
    virDomainObjSetState(vm, VIR_DOMAIN_SHUTOFF, reason);
    atomic_store(&vm->id, -1);
    free(vm->live);
    vm->live = NULL;
    atomic_store(&vm->updated, false);
    if (vm->definition != NULL)
        virDomainObjSetSizes(vm, &vm->defined);
    pthread_mutex_unlock(&vm->lock);
    pthread_mutex_unlock(&list->lock);
    if (!vm->persistent)
        virDomainListRemove(list, vm);
}

VIRT_INTERNAL int
virDomainObjDefine(struct virDomainObj *vm, xmlDocPtr doc)
{
    const struct virDomainListConfig *config = &vm->list->config;
    struct virDomainSizes sizes;
    bool before = vm->persistent;
    char *text;

    virXmlRemove(virXmlRoot(doc), "@id");
    if (virDomainSizesOf(doc, &sizes) < 0 || (text = virDomainFormatText(doc)) == NULL)
        return -1;
    if (config->saveDefinition != NULL && config->saveDefinition(vm, vm->name, text, config->opaque) < 0) {
        free(text);
        return -1;
    }
    pthread_mutex_lock(&vm->lock);
    free(vm->definition);
    vm->definition = text;
    vm->defined = sizes;
    if (virDocumentHasSecrets(doc))
        atomic_store(&vm->hasSecrets, true);
    if (vm->live == NULL)
        virDomainObjSetSizes(vm, &sizes);
    else if (before)
        atomic_store(&vm->updated, true);
    atomic_store(&vm->persistent, true);
    pthread_mutex_unlock(&vm->lock);
    virDomainObjEmit(vm, VIR_DOMAIN_EVENT_DEFINED, before ? VIR_DOMAIN_EVENT_DEFINED_UPDATED : VIR_DOMAIN_EVENT_DEFINED_ADDED);
    return 0;
}

VIRT_INTERNAL int
virDomainObjUndefine(struct virDomainObj *vm)
{
    const struct virDomainListConfig *config = &vm->list->config;

    if (config->removeDefinition != NULL && config->removeDefinition(vm, vm->name, config->opaque) < 0)
        return -1;
    pthread_mutex_lock(&vm->lock);
    free(vm->definition);
    vm->definition = NULL;
    atomic_store(&vm->persistent, false);
    atomic_store(&vm->autostart, false);
    atomic_store(&vm->updated, false);
    pthread_mutex_unlock(&vm->lock);
    virDomainObjEmit(vm, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
    if (vm->id < 0)
        virDomainListRemove(vm->list, vm);
    return 0;
}

/* The text that stands for the running guest, or for its definition; the object is locked. */
static const char *
virDomainObjTextLocked(const struct virDomainObj *vm, bool persistent)
{
    if (persistent)
        return vm->definition != NULL ? vm->definition : vm->live;
    return vm->live != NULL ? vm->live : vm->definition;
}

VIRT_INTERNAL xmlDocPtr
virDomainObjDocument(struct virDomainObj *vm, bool persistent)
{
    VIRT_CLEANUP_FREE char *text = virDomainObjText(vm, persistent);
    xmlDocPtr doc;

    if (text == NULL || (doc = virXmlParse(text, "domain")) == NULL)
        return NULL;
    if (persistent)
        virXmlRemove(virXmlRoot(doc), "@id");
    return doc;
}

VIRT_INTERNAL char *
virDomainObjText(struct virDomainObj *vm, bool persistent)
{
    const char *text;
    char *copy = NULL;

    pthread_mutex_lock(&vm->lock);
    if ((text = virDomainObjTextLocked(vm, persistent)) != NULL)
        copy = virStringCopy(text);
    else
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is neither defined nor running any more", vm->name);
    pthread_mutex_unlock(&vm->lock);
    return copy;
}

VIRT_INTERNAL int
virDomainObjSetCompleted(struct virDomainObj *vm, int type, virTypedParameterPtr taken, int n)
{
    virTypedParameterPtr before;
    int nbefore;

    pthread_mutex_lock(&vm->lock);
    before = vm->completed;
    nbefore = vm->ncompleted;
    vm->completed = taken;
    vm->ncompleted = n;
    vm->completedType = type;
    pthread_mutex_unlock(&vm->lock);
    virTypedParamsFree(before, nbefore);
    return 0;
}

VIRT_INTERNAL int
virDomainObjReportInactive(const struct virDomainObj *vm)
{
    return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is not running", vm->name);
}

VIRT_INTERNAL int
virDomainObjReportActive(const struct virDomainObj *vm)
{
    return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is already running", vm->name);
}

VIRT_INTERNAL int
virDomainObjCheckActive(struct virDomainObj *vm)
{
    return vm->id >= 0 ? 0 : virDomainObjReportInactive(vm);
}

VIRT_INTERNAL int
virDomainObjAffected(struct virDomainObj *vm, unsigned int flags, bool *live, bool *config)
{
    *live = (flags & VIR_DOMAIN_AFFECT_LIVE) != 0;
    *config = (flags & VIR_DOMAIN_AFFECT_CONFIG) != 0;
    if (!*live && !*config) {
        *live = vm->id >= 0;
        *config = !*live;
    }
    if (*live && virDomainObjCheckActive(vm) < 0)
        return -1;
    if (*config && !vm->persistent)
        return virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' is transient: it has no persistent document", vm->name);
    return 0;
}

/* ---------- 6. Slots ---------- */

static struct virDomainList *
virDomainListOf(virConnectPtr conn)
{
    return ((struct virDomainHost *)conn->priv)->domains;
}

/* ---- lists and look-ups ---- */

/*
 * The filters of virConnectListAllDomains: in each group a domain must have one of the properties
 * asked for.
 */
#define VIR_DOMAIN_LIST_STATES (VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED | \
                                VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER)
static const unsigned int virDomainListGroups[] = {
    VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE,
    VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
    VIR_DOMAIN_LIST_STATES,
    VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE,
    VIR_CONNECT_LIST_DOMAINS_AUTOSTART | VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART,
    VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT,
    VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
};

static bool
virDomainListMatches(struct virDomainObj *vm, unsigned int flags)
{
    /* no domain has a saved state, snapshots or checkpoints: the library cannot make them */
    unsigned int has = VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT |
                       VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT;

    has |= vm->id >= 0 ? VIR_CONNECT_LIST_DOMAINS_ACTIVE : VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    has |= vm->persistent ? VIR_CONNECT_LIST_DOMAINS_PERSISTENT : VIR_CONNECT_LIST_DOMAINS_TRANSIENT;
    has |= vm->autostart ? VIR_CONNECT_LIST_DOMAINS_AUTOSTART : VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART;
    switch (atomic_load(&vm->state)) {
    case VIR_DOMAIN_RUNNING: has |= VIR_CONNECT_LIST_DOMAINS_RUNNING; break;
    case VIR_DOMAIN_PAUSED:  has |= VIR_CONNECT_LIST_DOMAINS_PAUSED; break;
    case VIR_DOMAIN_SHUTOFF: has |= VIR_CONNECT_LIST_DOMAINS_SHUTOFF; break;
    default:                 has |= VIR_CONNECT_LIST_DOMAINS_OTHER; break;
    }
    for (size_t i = 0; i < sizeof(virDomainListGroups) / sizeof(virDomainListGroups[0]); i++) {
        unsigned int asked = flags & virDomainListGroups[i];

        if (asked != 0 && (asked & has) == 0)
            return false;
    }
    return true;
}

/*
 * References on the visible domains that match, after their news were taken in; the number, or -1.
 */
static int
virDomainListCollect(virConnectPtr conn, unsigned int flags, struct virDomainObj ***all)
{
    ssize_t count = virDomainListSnapshot(virDomainListOf(conn), all);
    int n = 0;

    for (ssize_t i = 0; i < count; i++) {
        struct virDomainObj *vm = (*all)[i];

        if (vm->id >= 0)
            virDomainObjRefresh(vm);
        if (virDomainObjIsVisible(vm) && virDomainListMatches(vm, flags))
            (*all)[n++] = vm;
        else
            virDomainObjUnref(vm);
    }
    return count < 0 ? -1 : n;
}

static void
virDomainListRelease(struct virDomainObj **all, int count)
{
    for (int i = 0; i < count; i++)
        virDomainObjUnref(all[i]);
    free(all);
}

static int
virDomainListCount(virConnectPtr conn, unsigned int flags)
{
    struct virDomainObj **all;
    int count = virDomainListCollect(conn, flags, &all);

    if (count >= 0)
        virDomainListRelease(all, count);
    return count;
}

VIRT_INTERNAL int
virDomainObjSlotNumOfDomains(virConnectPtr conn)
{
    return virDomainListCount(conn, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
}

VIRT_INTERNAL int
virDomainObjSlotListDomains(virConnectPtr conn, int *ids, int maxids)
{
    struct virDomainObj **all;
    int count = virDomainListCollect(conn, VIR_CONNECT_LIST_DOMAINS_ACTIVE, &all), n = 0;

    if (count < 0)
        return -1;
    for (int i = 0; i < count && n < maxids; i++) {
        int id = all[i]->id;

        if (id >= 0)
            ids[n++] = id;
    }
    virDomainListRelease(all, count);
    return n;
}

VIRT_INTERNAL int
virDomainObjSlotNumOfDefinedDomains(virConnectPtr conn)
{
    return virDomainListCount(conn, VIR_CONNECT_LIST_DOMAINS_INACTIVE);
}

VIRT_INTERNAL int
virDomainObjSlotListDefinedDomains(virConnectPtr conn, char **const names, int maxnames)
{
    struct virDomainObj **all;
    int count = virDomainListCollect(conn, VIR_CONNECT_LIST_DOMAINS_INACTIVE, &all), n = 0;

    if (count < 0)
        return -1;
    for (int i = 0; i < count && n < maxnames; i++) {
        pthread_mutex_lock(&all[i]->lock);
        names[n] = virStringCopy(all[i]->name);
        pthread_mutex_unlock(&all[i]->lock);
        if (names[n] == NULL) {
            while (n > 0) {
                free(names[--n]);
                names[n] = NULL;
            }
            n = -1;
            break;
        }
        n++;
    }
    virDomainListRelease(all, count);
    return n;
}

VIRT_INTERNAL int
virDomainObjSlotListAll(virConnectPtr conn, virDomainPtr **domains, unsigned int flags)
{
    struct virDomainObj **all;
    virDomainPtr *handles;
    int count, n;

    if (domains == NULL)
        return virDomainListCount(conn, flags);
    if ((count = virDomainListCollect(conn, flags, &all)) < 0)
        return -1;
    if ((handles = virAllocate(((size_t)count + 1) * sizeof(*handles))) == NULL) {
        virDomainListRelease(all, count);
        return -1;
    }
    for (n = 0; n < count; n++) {
        if ((handles[n] = virDomainObjHandle(conn, all[n])) == NULL)
            break;
    }
    virDomainListRelease(all, count);
    if (n == count) {
        *domains = handles;
        return n;
    }
    while (n > 0)
        virDomainFree(handles[--n]);
    free(handles);
    return -1;
}

/*
 * The handle on what a look-up has found; takes over the reference. NULL without an error if there
 * is nothing to be shown.
 */
static virDomainPtr
virDomainObjFound(virConnectPtr conn, struct virDomainObj *vm, bool *found)
{
    virDomainPtr domain = NULL;

    *found = false;
    if (vm == NULL)
        return NULL;
    virDomainObjRefresh(vm);
    if (virDomainObjIsVisible(vm)) {
        *found = true;
        domain = virDomainObjHandle(conn, vm);
    }
    virDomainObjUnref(vm);
    return domain;
}

VIRT_INTERNAL virDomainPtr
virDomainObjSlotLookupByID(virConnectPtr conn, int id)
{
    bool found;
    virDomainPtr domain = virDomainObjFound(conn, virDomainListFindId(virDomainListOf(conn), id), &found);

    if (found && domain != NULL && domain->id != id) {    /* it ended just now */
        virDomainFree(domain);
        domain = NULL;
        found = false;
    }
    if (!found)
        virReportError(VIR_ERR_NO_DOMAIN, "no domain with matching id %d", id);
    return domain;
}

VIRT_INTERNAL virDomainPtr
virDomainObjSlotLookupByUUID(virConnectPtr conn, const unsigned char *uuid)
{
    char text[VIR_UUID_STRING_BUFLEN];
    bool found;
    virDomainPtr domain = virDomainObjFound(conn, virDomainListFindUuid(virDomainListOf(conn), uuid), &found);

    if (!found) {
        virUuidFormat(uuid, text);
        virReportError(VIR_ERR_NO_DOMAIN, "no domain with matching uuid '%s'", text);
    }
    return domain;
}

VIRT_INTERNAL virDomainPtr
virDomainObjSlotLookupByName(virConnectPtr conn, const char *name)
{
    bool found;
    virDomainPtr domain = virDomainObjFound(conn, virDomainListFindName(virDomainListOf(conn), name), &found);

    if (!found)
        virReportError(VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", name);
    return domain;
}

/* ---- definition ---- */

VIRT_INTERNAL virDomainPtr
virDomainObjSlotDefineXML(virConnectPtr conn, const char *xml, unsigned int flags)
{
    struct virDomainList *list = virDomainListOf(conn);
    const struct virDomainListConfig *config = &list->config;
    bool validate = (flags & VIR_DOMAIN_DEFINE_VALIDATE) != 0, isNew;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    virDomainPtr domain = NULL;
    struct virDomainObj *vm;

    virCheckFlags(VIR_DOMAIN_DEFINE_VALIDATE, NULL);
    if ((doc = virDocumentParse(xml, config->types)) == NULL ||
        (config->completeDocument != NULL && config->completeDocument(doc, validate, config->opaque) < 0) ||
        (vm = virDomainListAdd(list, doc, VIR_DOMAIN_ADD_DEFINE, "virDomainDefineXMLFlags", &isNew)) == NULL)
        return NULL;
    /* The handle first: after the definition nothing may fail. */
    if ((domain = virDomainObjHandle(conn, vm)) != NULL && virDomainObjDefine(vm, doc) < 0) {
        virErrorPtr error = virSaveLastError();

        virDomainFree(domain);
        domain = NULL;
        virRestoreLastError(error);
    }
    if (domain == NULL && isNew)
        virDomainListRemove(list, vm);
    virDomainObjEndJob(vm);
    virDomainObjUnref(vm);
    return domain;
}

/*
 * What the flags say may be removed together with the definition (saved state, snapshots, ...)
 * never exists here.
 */
VIRT_INTERNAL int
virDomainObjSlotUndefine(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    int rc = -1;

    if (vm == NULL)
        return -1;
    if ((flags & VIR_DOMAIN_UNDEFINE_NVRAM) != 0 && (flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "flags VIR_DOMAIN_UNDEFINE_NVRAM and VIR_DOMAIN_UNDEFINE_KEEP_NVRAM "
                              "exclude each other");
    if ((flags & VIR_DOMAIN_UNDEFINE_TPM) != 0 && (flags & VIR_DOMAIN_UNDEFINE_KEEP_TPM) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "flags VIR_DOMAIN_UNDEFINE_TPM and VIR_DOMAIN_UNDEFINE_KEEP_TPM "
                              "exclude each other");
    if (virDomainObjBeginJob(vm, "virDomainUndefineFlags", false) < 0)
        return -1;
    if (vm->persistent)
        rc = virDomainObjUndefine(vm);
    else
        virReportError(VIR_ERR_OPERATION_INVALID, "cannot undefine transient domain");
    virDomainObjEndJob(vm);
    return rc;
}

#undef VIR_DOMAIN_LIST_STATES
#undef VIR_DOMAIN_JOB_WAIT
#undef VIRT_FROM
