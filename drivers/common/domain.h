/*
 * Domain objects and the list of them: what the drivers that keep their domains in this process
 * have in common. The list is part of the state that all connections to one host share.
 *
 * A domain object holds its documents as text; trees are made when somebody needs one. The hot
 * fields are atomic, so that the queries that monitoring programs repeat (state, info, id) take no
 * lock and never wait behind a job.
 *
 * Locks: the list's lock guards membership, names and ids and is held for moments only; an
 * object's lock guards its other fields and is never held across a wait for a hypervisor. Order:
 * list, then object. One job at a time changes a domain.
 */
#ifndef VIRT_COMMON_DOMAIN_H
#define VIRT_COMMON_DOMAIN_H

#include "../driver.h"
#include "xml.h"

/* What the document says of memory (KiB) and vcpus. */
struct virDomainSizes {
    unsigned long long maxMemory, memory;
    unsigned int maxVcpus, vcpus;
};

enum virDomainJobKind {
    VIR_DOMAIN_JOB_KIND_NONE,
    VIR_DOMAIN_JOB_KIND_MODIFY,          /* a call that changes the domain; held by a thread until the call returns */
    VIR_DOMAIN_JOB_KIND_MIGRATION_OUT,   /* held by a migration, by no thread: only what serves it, suspend, destroy and abort go on meanwhile */
    VIR_DOMAIN_JOB_KIND_MIGRATION_IN,
};

struct virDomainObj {
    atomic_int refs;
    struct virDomainList *list;          /* outlives the object */

    /* the list's (list lock) */
    struct virDomainObj *nextByUuid, *nextByName, *nextById;   /* in the chains of its hash tables */
    size_t place;                        /* in its array */
    struct virDomainObj *successor;      /* of a removed one: the later domain of the same uuid, for handles that are still around */

    unsigned char uuid[VIR_UUID_BUFLEN]; /* constant */
    char *name;                          /* changed by rename only, under list lock and object lock */
    atomic_bool removed;                 /* no longer in the list; changes under the list lock */

    atomic_int id;                       /* -1: not running */
    atomic_int state, reason;            /* virDomainState and its reason; change with virDomainObjSetState */
    atomic_bool persistent, updated, autostart;
    _Atomic unsigned long long maxMemory, memory;     /* KiB */
    atomic_uint maxVcpus, vcpus;

    pthread_mutex_t lock;                /* guards what follows */
    char *definition;                    /* the persistent document; NULL: transient */
    char *live;                          /* the document of the running guest; NULL: not running. Never changed in place: replaced */
    atomic_bool hasSecrets;              /* either document has something that VIR_DOMAIN_XML_SECURE alone shows */
    struct virDomainSizes defined;       /* what the definition says; the hot fields tell of the running guest while there is one */

    enum virDomainJobKind job;           /* the modifying or asynchronous job, one at a time */
    const char *jobApi;                  /* the function or phase that holds it, for error messages */
    bool nested;                         /* a migration's job, and inside it a thread has the MODIFY job */
    pthread_t jobOwner;                  /* MODIFY (nested or not): its thread */
    unsigned long long jobStarted;       /* virTimeNowUs */
    pthread_cond_t jobFree;              /* broadcast when it ends */
    char *migration;                     /* uuid of the migration that holds the job */
    bool undecided;                      /* ... which was left when it may have been complete: see virDomainObjHold */

    virTypedParameterPtr completed;      /* statistics of the last completed job, VIR_DOMAIN_JOB_* */
    int ncompleted;
    int completedType;                   /* virDomainJobType */

    void *priv;                          /* the driver's; freed by list->freePriv with the last reference */
};

struct virDomainList;

struct virDomainListConfig {
    const char *const *types;            /* the values of domain/@type the driver takes, NULL-terminated; NULL: all */
    void (*freePriv)(void *priv);
    struct virEventHub *hub;             /* lifecycle events that the common slots cause go there */
    /*
     * Durably stores / removes the persistent document and the autostart mark; may be NULL
     * (nothing is stored). 0, or -1 with the error set. Called with the job held and no lock.
     * saveDefinition is called before the object changes: if it fails, nothing has.
     */
    int (*saveDefinition)(struct virDomainObj *vm, const char *name, const char *xml, void *opaque);
    int (*removeDefinition)(struct virDomainObj *vm, const char *name, void *opaque);
    int (*saveAutostart)(struct virDomainObj *vm, bool autostart, void *opaque);
    /* Durably stores the live document after it changed (metadata), may be NULL. */
    int (*saveLive)(struct virDomainObj *vm, const char *xml, void *opaque);
    /*
     * Completes and checks a document for this driver (machine type, addresses, ...) in place; may
     * be NULL. 0, or -1 with the error set. `validate`: VIR_DOMAIN_DEFINE_VALIDATE or the like:
     * parts without effect are an error that lists them.
     */
    int (*completeDocument)(xmlDocPtr doc, bool validate, void *opaque);
    /*
     * VIR_DOMAIN_XML_UPDATE_CPU: replaces what stands for the host's CPU by what the guest gets;
     * may be NULL: nothing to replace.
     */
    int (*updateCpu)(xmlDocPtr doc, void *opaque);
    /*
     * Fills paths as virXmlUnread does, for a document of this driver; NULL: nothing can be said.
     */
    int (*listIgnored)(xmlDocPtr doc, char ***paths, void *opaque);
    /*
     * Takes in what the hypervisor has said meanwhile, without blocking; called before a query
     * answers. May be NULL.
     */
    void (*refresh)(struct virDomainObj *vm, void *opaque);
    void *opaque;
};

VIRT_INTERNAL struct virDomainList *virDomainListNew(const struct virDomainListConfig *config);
VIRT_INTERNAL void virDomainListFree(struct virDomainList *list);   /* drops its references; objects held elsewhere live on */
/*
 * The list behind a connection: conn->priv of a driver that uses this file begins with a pointer
 * to its list.
 */
struct virDomainHost { struct virDomainList *domains; };

VIRT_INTERNAL struct virDomainObj *virDomainObjRef(struct virDomainObj *vm);
VIRT_INTERNAL void virDomainObjUnref(void *vm);
VIRT_INTERNAL const struct virDomainListConfig *virDomainObjConfig(const struct virDomainObj *vm);   /* its list's */
/* Look-ups give a new reference, or NULL (no error set). */
VIRT_INTERNAL struct virDomainObj *virDomainListFindUuid(struct virDomainList *list, const unsigned char *uuid);
VIRT_INTERNAL struct virDomainObj *virDomainListFindName(struct virDomainList *list, const char *name);
VIRT_INTERNAL struct virDomainObj *virDomainListFindId(struct virDomainList *list, int id);
/* Calls visit for a snapshot of all objects, without any lock held, until it returns non-zero. */
VIRT_INTERNAL int virDomainListEach(struct virDomainList *list, int (*visit)(struct virDomainObj *vm, void *opaque), void *opaque);
/*
 * The object behind a handle, borrowed from it (valid as long as the handle), or NULL with
 * VIR_ERR_NO_DOMAIN when the domain is no longer in the list and no later object with its uuid is
 * either. Takes in the hypervisor's news first (refresh).
 */
VIRT_INTERNAL struct virDomainObj *virDomainObjOf(virDomainPtr domain);
VIRT_INTERNAL virDomainPtr virDomainObjHandle(virConnectPtr conn, struct virDomainObj *vm);   /* a new handle */

/*
 * Adds a domain from a completed document, or finds the one that is there: the rules of define,
 * create and an incoming migration about names and uuids that are taken, as libvirt's
 * (VIR_ERR_OPERATION_FAILED "domain 'x' already exists with uuid ...", "is already active").
 */
enum virDomainAddMode {
    VIR_DOMAIN_ADD_DEFINE,       /* an existing one of the same name and uuid gets the document as its definition */
    VIR_DOMAIN_ADD_CREATE,       /* it must not be running; a defined one of the same name and uuid is started from this document */
};
/*
 * Returns a new reference with the MODIFY job held by the calling thread, so that the caller
 * finishes the work and ends the job. *isNew: whether it was added.
 */
VIRT_INTERNAL struct virDomainObj *virDomainListAdd(struct virDomainList *list, xmlDocPtr doc, enum virDomainAddMode mode, const char *api, bool *isNew);
/* Whether virDomainListAdd would refuse the document for what is there now: 0, or -1 with its error. */
VIRT_INTERNAL int virDomainListCheckAdd(struct virDomainList *list, xmlDocPtr doc, enum virDomainAddMode mode);
/* Takes it out of the list (undefined and not running). */
VIRT_INTERNAL void virDomainListRemove(struct virDomainList *list, struct virDomainObj *vm);
/*
 * Puts it under another name, in the list too; *name (malloc'd) and the object's name change
 * places. The job is held. -1: the name is taken.
 */
VIRT_INTERNAL int virDomainObjSwapName(struct virDomainObj *vm, char **name);
VIRT_INTERNAL int virDomainListNextId(struct virDomainList *list);                  /* never the same twice while the list lives */
VIRT_INTERNAL void virDomainListReserveId(struct virDomainList *list, int id);      /* found again: later ids are higher */

/* ---- jobs ---- */
/*
 * Takes the MODIFY job: waits behind another thread's, at most 30 s (VIR_ERR_OPERATION_TIMEOUT,
 * naming the holder); refuses at once, with VIR_ERR_OPERATION_INVALID, while a migration holds the
 * domain (duringMigration lets it pass: suspend, destroy).
 */
VIRT_INTERNAL int virDomainObjBeginJob(struct virDomainObj *vm, const char *api, bool duringMigration);
VIRT_INTERNAL void virDomainObjEndJob(struct virDomainObj *vm);
/*
 * A MODIFY job of this thread becomes a migration's: the thread no longer has one. Then, phase by
 * phase, a thread that serves the migration takes the MODIFY job inside it (duringMigration).
 * EndMigration ends the migration's job; if the calling thread has the MODIFY job inside it, it
 * keeps it.
 */
VIRT_INTERNAL int virDomainObjBeginMigration(struct virDomainObj *vm, enum virDomainJobKind kind, const char *migration);
VIRT_INTERNAL void virDomainObjEndMigration(struct virDomainObj *vm);
/*
 * Holds a guest for a migration that nobody steps any more, because it may run at the destination: what would let it run here, or change it,
 * is refused with an error that says so and what can be done, until EndMigration. No job is held by the caller. 0 or -1.
 */
VIRT_INTERNAL int virDomainObjHold(struct virDomainObj *vm, const char *migration);
VIRT_INTERNAL bool virDomainObjIsHeld(struct virDomainObj *vm);
VIRT_INTERNAL int virDomainObjReportHeld(struct virDomainObj *vm, const char *api);      /* sets that error; -1 */

/* ---- state and documents (no lock held by the caller) ---- */
VIRT_INTERNAL void virDomainObjSetState(struct virDomainObj *vm, int state, int reason);
/* Fills in the hot fields (memory, vcpus) from a completed document. */
VIRT_INTERNAL int virDomainObjLoadHot(struct virDomainObj *vm, xmlDocPtr doc);
/*
 * Running with this document: sets live (with the id attribute), id, state. Takes no event. The
 * job is held.
 */
VIRT_INTERNAL int virDomainObjStarted(struct virDomainObj *vm, xmlDocPtr liveDoc, int id, int state, int reason);
/* No longer running: live goes, id is -1; a transient one leaves the list. Emits nothing. */
VIRT_INTERNAL void virDomainObjStopped(struct virDomainObj *vm, int reason);
/*
 * Makes the completed document the definition, durably (saveDefinition), and tells it (DEFINED,
 * added or updated). The job is held. 0, or -1 with nothing changed. virDomainObjUndefine takes
 * definition and autostart away, durably, and tells it; an inactive one leaves the list.
 */
VIRT_INTERNAL int virDomainObjDefine(struct virDomainObj *vm, xmlDocPtr doc);
VIRT_INTERNAL int virDomainObjUndefine(struct virDomainObj *vm);
VIRT_INTERNAL void virDomainObjEmit(struct virDomainObj *vm, int event, int detail);          /* a lifecycle event */
/* The refusals that a guest is, or is not, running (VIR_ERR_OPERATION_INVALID), which name it: -1. CheckActive: where it is not, else 0. */
VIRT_INTERNAL int virDomainObjReportInactive(const struct virDomainObj *vm);
VIRT_INTERNAL int virDomainObjReportActive(const struct virDomainObj *vm);
VIRT_INTERNAL int virDomainObjCheckActive(struct virDomainObj *vm);
/*
 * Settles VIR_DOMAIN_AFFECT_*: *live and *config say which documents are meant (CURRENT: the live
 * one of a running guest, else the definition). -1 with an error.
 */
VIRT_INTERNAL int virDomainObjAffected(struct virDomainObj *vm, unsigned int flags, bool *live, bool *config);
/*
 * VIR_DOMAIN_MEM_*, as virDomainSetMemoryFlags takes them, and the memory (KiB) for this guest. -1 with an error. Then the second
 * writes it into the documents; a running guest's own figure is its driver's to set. The third does the same for the period
 * in which the balloon is asked. The job is held.
 */
VIRT_INTERNAL int virDomainObjCheckMemory(struct virDomainObj *vm, unsigned long memory, unsigned int flags, bool *live, bool *config);
VIRT_INTERNAL int virDomainObjSetMemory(struct virDomainObj *vm, unsigned long memory, bool maximum, bool live, bool config);
VIRT_INTERNAL int virDomainObjSetBalloonPeriod(struct virDomainObj *vm, int period, bool live, bool config);
/*
 * A tree of the live or the persistent document (live when running and persistent is false; the
 * definition has no @id, a transient guest's live document without it stands in). NULL with error
 * set.
 */
VIRT_INTERNAL xmlDocPtr virDomainObjDocument(struct virDomainObj *vm, bool persistent);
VIRT_INTERNAL char *virDomainObjText(struct virDomainObj *vm, bool persistent);      /* a copy; NULL with the error set */
VIRT_INTERNAL int virDomainObjSetCompleted(struct virDomainObj *vm, int type, virTypedParameterPtr taken, int n);

/* ---- slots that need no hypervisor, to be put into a driver's table as they are ---- */
VIRT_INTERNAL int virDomainObjSlotNumOfDomains(virConnectPtr conn);
VIRT_INTERNAL int virDomainObjSlotListDomains(virConnectPtr conn, int *ids, int maxids);
VIRT_INTERNAL int virDomainObjSlotNumOfDefinedDomains(virConnectPtr conn);
VIRT_INTERNAL int virDomainObjSlotListDefinedDomains(virConnectPtr conn, char **const names, int maxnames);
VIRT_INTERNAL int virDomainObjSlotListAll(virConnectPtr conn, virDomainPtr **domains, unsigned int flags);
VIRT_INTERNAL virDomainPtr virDomainObjSlotLookupByID(virConnectPtr conn, int id);
VIRT_INTERNAL virDomainPtr virDomainObjSlotLookupByUUID(virConnectPtr conn, const unsigned char *uuid);
VIRT_INTERNAL virDomainPtr virDomainObjSlotLookupByName(virConnectPtr conn, const char *name);
VIRT_INTERNAL virDomainPtr virDomainObjSlotDefineXML(virConnectPtr conn, const char *xml, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotUndefine(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL char *virDomainObjSlotGetOSType(virDomainPtr domain);
VIRT_INTERNAL int virDomainObjSlotIsActive(virDomainPtr domain);
VIRT_INTERNAL int virDomainObjSlotIsPersistent(virDomainPtr domain);
VIRT_INTERNAL int virDomainObjSlotIsUpdated(virDomainPtr domain);
VIRT_INTERNAL int virDomainObjSlotGetState(virDomainPtr domain, int *state, int *reason, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotGetControlInfo(virDomainPtr domain, virDomainControlInfoPtr info, unsigned int flags);
VIRT_INTERNAL char *virDomainObjSlotGetXMLDesc(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotListIgnoredXML(virDomainPtr domain, char ***paths, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotGetAutostart(virDomainPtr domain, int *autostart);
VIRT_INTERNAL int virDomainObjSlotSetAutostart(virDomainPtr domain, int autostart);
VIRT_INTERNAL unsigned long virDomainObjSlotGetMaxMemory(virDomainPtr domain);
/* The memory for calls that tell it as a long, which may be too short (VIR_ERR_OVERFLOW): KiB. */
VIRT_INTERNAL int virDomainObjMemory(const struct virDomainObj *vm, unsigned long *maximum, unsigned long *current);
VIRT_INTERNAL int virDomainObjSlotGetMaxVcpus(virDomainPtr domain);
VIRT_INTERNAL int virDomainObjSlotGetVcpusFlags(virDomainPtr domain, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotGetVcpuPinInfo(virDomainPtr domain, int ncpumaps, unsigned char *cpumaps, int maplen, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotGetEmulatorPinInfo(virDomainPtr domain, unsigned char *cpumap, int maplen, unsigned int flags);
VIRT_INTERNAL char *virDomainObjSlotGetMetadata(virDomainPtr domain, int type, const char *uri, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotSetMetadata(virDomainPtr domain, int type, const char *metadata, const char *key, const char *uri, unsigned int flags);
VIRT_INTERNAL int virDomainObjSlotRename(virDomainPtr domain, const char *newName, unsigned int flags);

#endif
