/*
 * The migration object: what virt.c, which steps it, and the files of this folder have in common.
 *
 *   arguments.c   what virMigrationNew is given: parameters, flags, drivers
 *   halves.c      the two ends as objects of their own, which speak in messages
 *   record.c      messages and records as JSON text
 *   settle.c      what an undecided one waits for, and the word of a person who knows
 *   events.c      the events of its phases
 *   trace.c       its course, as a table and a time line
 *   tunnel.c      the stream of a tunnelled one
 *   check.c       what would stop it, asked without beginning it
 *   blocking.c    libvirt's blocking calls, a loop over the object
 */
#ifndef VIRT_MIGRATION_MIGRATION_H
#define VIRT_MIGRATION_MIGRATION_H

#include "../driver.h"
#include "../common/core.h"
#include "../common/text.h"
#include "../common/json.h"
#include "../common/params.h"

/* The calls of calls.def that are not public, with their checks. */
#define CALL(...)
#define CORE(...)
#if !VIRT_WITH_REMOTE
# define SLOT(...)
#endif
#define PHASE(result, name, group, slot, access, permission, ...) \
    VIRT_INTERNAL VIRT_TYPE_##result name(VIRT_LIST(VIRT_DECLARE, __VA_ARGS__));
#include "../calls.def"

#define VIR_MIGRATION_REPEAT      500          /* ms after which a request that was not answered is handed out again */
#define VIR_MIGRATION_MESSAGE_MAX (16u << 20)  /* bytes: more is not one of ours */

/* Which ends the object has: both, as virMigrationNew makes it, or one; the other is then reached by messages. */
enum virMigrationEnds {
    VIR_MIGRATION_ENDS_BOTH,
    VIR_MIGRATION_ENDS_SOURCE,
    VIR_MIGRATION_ENDS_DESTINATION,
};

/*
 * What the ends say to each other: the source asks for a phase of the destination, which answers with how it ended. Each message can be
 * understood by itself, so one that is lost is sent again, and one that comes twice or late does no harm: phases are safe to repeat.
 */
struct virMigrationMessage {
    char uuid[VIR_UUID_STRING_BUFLEN];
    virMigrationPhase phase;          /* PREPARE, FINISH or CANCEL */
    bool reply;
    /* a request */
    char *name;                       /* of the guest */
    unsigned char guestUuid[VIR_UUID_BUFLEN];
    virTypedParameterPtr params;
    int nparams;
    unsigned int flags;
    /* a reply */
    enum virMigrationResult result;   /* DONE or FAILED */
    bool started;                     /* the guest is there for good */
    char *uri;
    virError error;                   /* of FAILED */
    /* either */
    char *cookie;                     /* what the phase is given, or what it gave */
};

/* What is noted of its course; in us, as virTimeNowUs. */
struct virMigrationMark { virMigrationPhase phase; bool failed; unsigned long long from, to; };
struct virMigrationSample { unsigned long long at, iteration, sent, memoryLeft, diskLeft, rate, dirtied; };    /* bytes, bytes per second */
#define VIRT_TRACE_SAMPLES 1024
struct virMigrationTrace {
    struct virMigrationMark phases[16];
    size_t nphases;
    struct virMigrationSample *samples;      /* room for VIRT_TRACE_SAMPLES */
    size_t nsamples;
    unsigned long long moved, movedAt;       /* bytes sent, and when that last changed */
};

struct _virMigration {
    struct virHandle handle;
    char uuid[VIR_UUID_STRING_BUFLEN];       /* empty: a destination that has not been asked anything yet */
    enum virMigrationEnds ends;
    virDomainPtr domain;              /* the source's; a reference, as is dconn; NULL: not this end */
    virConnectPtr dconn;
    virTypedParameterPtr params;      /* copies */
    int nparams;
    unsigned int flags;
    int tunnel[2];                    /* the source's and the destination's socket of a tunnelled one; -1: handed over, or not made */
    int stream;                       /* the application's descriptor for the memory stream; -1: none */
    char *name;                       /* of the guest; NULL: not known yet */
    unsigned char guestUuid[VIR_UUID_BUFLEN];

    pthread_mutex_t lock;             /* guards what follows; not held while a phase runs */
    bool stepping;                    /* a thread is in virMigrationStep */
    bool abort;                       /* the caller wants it over */
    bool turned;                      /* ... and it has turned back for that, as far as there is a way back */
    bool abortSent;                   /* the hypervisor was told to stop the transfer */
    bool performed;                   /* Perform has ended well */
    virMigrationPhase phase;
    virMigrationOutcome outcome;
    virError error;                   /* why it was given up; code 0: it was not */
    virDomainPtr guest;               /* the destination's, once Finish has given it */
    const char *cookieIn[VIR_MIGRATION_PHASE_LAST];              /* the cookieOut of another phase */
    char *cookieOut[VIR_MIGRATION_PHASE_LAST];
    char *uri;                        /* where the source finds the destination, by Prepare or by the caller */
    virMigrationPhaseInfo info[VIR_MIGRATION_PHASE_LAST];
    unsigned long long entered;       /* us: when the current phase was first run; 0: not yet */
    virTypedParameterPtr stats;       /* the newest that could be had */
    int nstats;
    bool statsDue;                    /* ... in a step that did not wait: they may not be the last ones */
    struct virMigrationTrace trace;

    /* one end alone */
    struct virMigrationMessage *inbox;       /* the newest that is not taken in yet */
    bool asked;                       /* source: its request was handed out; destination: one is to be carried out */
    unsigned long long sent;          /* us: source: when that was last */
    char *reply;                      /* destination: its newest answer */
    bool replyDue;                    /* ... to be handed out */
};

/* For every function on the object: resets the thread's error, and says what is wrong with the pointer. */
VIRT_INTERNAL bool virMigrationIs(const char *function, virMigrationPtr m);
/* An object with these ends, at its beginning; takes its own references. NULL with the error set. */
VIRT_INTERNAL virMigrationPtr virMigrationMake(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params, int nparams,
                                               unsigned int flags);
/* The destination has been asked for what decides, and has not answered for a while. With m->lock held. */
VIRT_INTERNAL bool virMigrationIsInDoubt(virMigrationPtr m);
/* The one place where the phase changes. With m->lock held. */
VIRT_INTERNAL void virMigrationEnter(virMigrationPtr m, virMigrationPhase next);

/* arguments.c; `function` is named in errors */
#define VIRT_MIGRATE_CARRIER_FLAGS (VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_TUNNELLED)             /* who carries it is nothing to the phases */
#define VIRT_MIGRATE_SOURCE_FLAGS (VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_AUTO_CONVERGE)   /* the source's business alone */
VIRT_INTERNAL int virMigrationCheckParams(virTypedParameterPtr params, unsigned int nparams);
VIRT_INTERNAL int virMigrationCheckFlags(unsigned int flags);
VIRT_INTERNAL int virMigrationCheckDrivers(const struct virDriver *source, const struct virDriver *destination);     /* either may be NULL */

/* halves.c */
/* Runs a phase of the destination by messages. As a phase of virt.c. */
VIRT_INTERNAL enum virMigrationResult virMigrationAskPeer(virMigrationPtr m, char **cookie);
/* The destination takes in what it was asked last. With m->lock held. */
VIRT_INTERNAL void virMigrationTakeRequest(virMigrationPtr m);
/* Makes the answer to what the destination was asked; without memory there is none, and it is asked again. With m->lock held. */
VIRT_INTERNAL void virMigrationMakeReply(virMigrationPtr m, virMigrationPhase phase, enum virMigrationResult result, const char *cookie,
                                         const virError *error);
VIRT_INTERNAL void virMigrationMessageFree(struct virMigrationMessage *message);

/*
 * tunnel.c. Check: the parameters; Before and After: a phase of the object is run: what it is called with gets the stream. Before: 0, or -1: the
 * phase fails.
 */
VIRT_INTERNAL int virMigrationTunnelCheck(virTypedParameterPtr params, unsigned int nparams, unsigned int flags);
VIRT_INTERNAL int virMigrationTunnelBefore(virMigrationPtr m, struct virMigrationCall *call);
VIRT_INTERNAL void virMigrationTunnelAfter(virMigrationPtr m, virMigrationPhase phase, enum virMigrationResult result);
VIRT_INTERNAL void virMigrationTunnelFree(virMigrationPtr m);

/* events.c, with m->lock held */
VIRT_INTERNAL void virMigrationEmit(virMigrationPtr m, virMigrationPhase phase, virMigrationPhaseState state);

/* trace.c, with m->lock held: a phase has ended; the statistics are new, and get VIR_DOMAIN_JOB_STALLED */
VIRT_INTERNAL void virMigrationTracePhase(virMigrationPtr m, virMigrationPhase phase, bool failed);
VIRT_INTERNAL void virMigrationTraceStats(virMigrationPtr m);

/* record.c */
VIRT_INTERNAL char *virMigrationFormatMessage(const struct virMigrationMessage *message);
VIRT_INTERNAL struct virMigrationMessage *virMigrationParseMessage(const char *text);

#endif
