/*
 * event.c: wait for what happens to domains
 *
 * Each kind of event has a callback with arguments of its own, which become a line of text. While
 * `event` waits, the event loop runs here, in the one thread there is; a timer and a pipe, which
 * Ctrl-C writes to, are in the loop like everything else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "virtsh.h"

/* What one run of `event` knows. */
struct watch {
    struct virtsh *sh;
    bool loop, timestamp;
    int count;
    enum { WATCHING, WATCH_DONE, WATCH_TIMEOUT, WATCH_INTERRUPTED } end;
};

/* What a callback is given. */
struct watched {
    struct watch *watch;
    const char *name;               /* of the kind of event */
};

#define WORD(words, value) virtshWord(words, VIRTSH_COUNT(words), value)

/* -- what is printed --------------------------------------------------------------------------- */

/* Without --loop one event is enough, but more may come at once. */
static bool
wanted(const struct watched *watched)
{
    return watched->watch->loop || watched->watch->count == 0;
}

static void
printTime(const struct watch *watch)
{
    struct timespec now;
    struct tm fields;
    char text[64];

    if (!watch->timestamp)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &fields);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &fields);
    virtshPrint(watch->sh, "%s.%03ld+0000: ", text, now.tv_nsec / 1000000);
}

/* Prints "event 'NAME' for domain 'DOMAIN'" and what is given. */
static void VIRTSH_PRINTF(3, 4)
printEvent(const struct watched *watched, virDomainPtr dom, const char *format, ...)
{
    struct watch *watch = watched->watch;
    va_list arguments;
    char *text;

    if (!wanted(watched))
        return;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    printTime(watch);
    virtshPrint(watch->sh, "event '%s' for domain '%s'%s\n", watched->name, virDomainGetName(dom),
                text != NULL ? text : "");
    fflush(stdout);
    free(text);
    watch->count++;
    if (!watch->loop)
        watch->end = WATCH_DONE;
}

static const char *const lifecycleNames[] = {
    "Defined", "Undefined", "Started", "Suspended", "Resumed", "Stopped", "Shutdown", "PMSuspended",
    "Crashed",
};
static const char *const lifecycleDetails[][9] = {
    [VIR_DOMAIN_EVENT_DEFINED] = { "Added", "Updated", "Renamed", "Snapshot" },
    [VIR_DOMAIN_EVENT_UNDEFINED] = { "Removed", "Renamed" },
    [VIR_DOMAIN_EVENT_STARTED] = { "Booted", "Migrated", "Restored", "Snapshot", "Event wakeup" },
    [VIR_DOMAIN_EVENT_SUSPENDED] = { "Paused", "Migrated", "I/O Error", "Watchdog", "Restored",
                                     "Snapshot", "API error", "Post-copy", "Post-copy Error" },
    [VIR_DOMAIN_EVENT_RESUMED] = { "Unpaused", "Migrated", "Snapshot", "Post-copy",
                                   "Post-copy Error" },
    [VIR_DOMAIN_EVENT_STOPPED] = { "Shutdown", "Destroyed", "Crashed", "Migrated", "Saved",
                                   "Failed", "Snapshot" },
    [VIR_DOMAIN_EVENT_SHUTDOWN] = { "Finished", "Finished after guest request",
                                    "Finished after host request" },
    [VIR_DOMAIN_EVENT_PMSUSPENDED] = { "Memory", "Disk" },
    [VIR_DOMAIN_EVENT_CRASHED] = { "Panicked", "Crashloaded" },
};

static int
onLifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *opaque)
{
    const char *detailName = "unknown";

    (void) conn;
    if (event >= 0 && (size_t) event < VIRTSH_COUNT(lifecycleDetails))
        detailName = WORD(lifecycleDetails[event], detail);
    printEvent(opaque, dom, ": %s %s", WORD(lifecycleNames, event), detailName);
    return 0;
}

/* Reboot, control error, and those whose argument says nothing. */
static void
onPlain(virConnectPtr conn, virDomainPtr dom, void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, "%s", "");
}

static void
onPowerManagement(virConnectPtr conn, virDomainPtr dom, int reason, void *opaque)
{
    (void) conn;
    (void) reason;
    printEvent(opaque, dom, "%s", "");
}

static void
onRtcChange(virConnectPtr conn, virDomainPtr dom, long long offset, void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ": %lld", offset);
}

static void
onWatchdog(virConnectPtr conn, virDomainPtr dom, int action, void *opaque)
{
    static const char *const actions[] = { "none", "pause", "reset", "poweroff", "shutdown",
                                           "debug", "inject-nmi" };

    (void) conn;
    printEvent(opaque, dom, ": %s", WORD(actions, action));
}

static const char *const ioErrorActions[] = { "none", "pause", "report" };

static void
onIoError(virConnectPtr conn, virDomainPtr dom, const char *path, const char *alias, int action,
          void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ": %s (%s) %s", path, alias, WORD(ioErrorActions, action));
}

static void
onIoErrorReason(virConnectPtr conn, virDomainPtr dom, const char *path, const char *alias,
                int action, const char *reason, void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ": %s (%s) %s due to %s", path, alias, WORD(ioErrorActions, action),
               reason);
}

static void
onGraphics(virConnectPtr conn, virDomainPtr dom, int phase,
           const virDomainEventGraphicsAddress *local, const virDomainEventGraphicsAddress *remote,
           const char *scheme, const virDomainEventGraphicsSubject *subject, void *opaque)
{
    static const char *const phases[] = { "connect", "initialize", "disconnect" };
    static const char *const families[] = { "IPv4", "IPv6", "unix" };
    char *identities = virtshCopy("");

    (void) conn;
    for (int i = 0; subject != NULL && i < subject->nidentity; i++) {
        char *more = virtshFormat("%s\n\t%s=%s", identities, subject->identities[i].type,
                                  subject->identities[i].name);

        free(identities);
        identities = more;
    }
    printEvent(opaque, dom, ": %s local[%s %s %s] remote[%s %s %s] %s%s", WORD(phases, phase),
               WORD(families, local->family), local->node, local->service,
               WORD(families, remote->family), remote->node, remote->service, scheme, identities);
    free(identities);
}

static void
onBlockJob(virConnectPtr conn, virDomainPtr dom, const char *disk, int type, int status,
           void *opaque)
{
    static const char *const types[] = { "Unknown job", "Block Pull", "Block Copy", "Block Commit",
                                         "Active Block Commit", "Backup" };
    static const char *const statuses[] = { "completed", "failed", "canceled", "ready" };

    (void) conn;
    printEvent(opaque, dom, ": %s for %s %s", WORD(types, type), disk, WORD(statuses, status));
}

static void
onDiskChange(virConnectPtr conn, virDomainPtr dom, const char *before, const char *after,
             const char *alias, int reason, void *opaque)
{
    static const char *const reasons[] = { "changed", "dropped" };

    (void) conn;
    printEvent(opaque, dom, " disk %s: %s -> %s: %s", alias, before != NULL ? before : "",
               after != NULL ? after : "", WORD(reasons, reason));
}

static void
onTrayChange(virConnectPtr conn, virDomainPtr dom, const char *alias, int reason, void *opaque)
{
    static const char *const reasons[] = { "opened", "closed" };

    (void) conn;
    printEvent(opaque, dom, " disk %s: %s", alias, WORD(reasons, reason));
}

static void
onBalloonChange(virConnectPtr conn, virDomainPtr dom, unsigned long long actual, void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ": %lluKiB", actual);
}

/* Device added, removed, or not removed. */
static void
onDevice(virConnectPtr conn, virDomainPtr dom, const char *alias, void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ": %s", alias);
}

/* The value as text. The caller frees it. */
static char *
paramText(const virTypedParameter *param)
{
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:     return virtshFormat("%d", param->value.i);
    case VIR_TYPED_PARAM_UINT:    return virtshFormat("%u", param->value.ui);
    case VIR_TYPED_PARAM_LLONG:   return virtshFormat("%lld", param->value.l);
    case VIR_TYPED_PARAM_ULLONG:  return virtshFormat("%llu", param->value.ul);
    case VIR_TYPED_PARAM_DOUBLE:  return virtshFormat("%f", param->value.d);
    case VIR_TYPED_PARAM_BOOLEAN: return virtshCopy(param->value.b ? "yes" : "no");
    case VIR_TYPED_PARAM_STRING:  return virtshCopy(param->value.s);
    default:                      return virtshCopy("unsupported value");
    }
}

/* Tunable, and job completed. */
static void
onParams(virConnectPtr conn, virDomainPtr dom, virTypedParameterPtr params, int count, void *opaque)
{
    char *text = virtshCopy(":");

    (void) conn;
    for (int i = 0; i < count; i++) {
        char *value = paramText(&params[i]);
        char *more = virtshFormat("%s\n\t%s: %s", text, params[i].field, value);

        free(value);
        free(text);
        text = more;
    }
    printEvent(opaque, dom, "%s", text);
    free(text);
}

static void
onAgentLifecycle(virConnectPtr conn, virDomainPtr dom, int state, int reason, void *opaque)
{
    static const char *const states[] = { NULL, "connected", "disconnected" };
    static const char *const reasons[] = { NULL, "domain started", "channel event" };

    (void) conn;
    printEvent(opaque, dom, ": state: '%s' reason: '%s'", WORD(states, state),
               WORD(reasons, reason));
}

static void
onMigrationIteration(virConnectPtr conn, virDomainPtr dom, int iteration, void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ": iteration: '%d'", iteration);
}

static void
onMetadataChange(virConnectPtr conn, virDomainPtr dom, int type, const char *uri, void *opaque)
{
    static const char *const types[] = { "description", "title", "element" };

    (void) conn;
    printEvent(opaque, dom, ": type %s, uri %s", WORD(types, type), uri != NULL ? uri : "");
}

static void
onBlockThreshold(virConnectPtr conn, virDomainPtr dom, const char *device, const char *path,
                 unsigned long long threshold, unsigned long long excess, void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ": dev: %s(%s) %llu %llu", device, path != NULL ? path : "", threshold,
               excess);
}

static void
onMemoryFailure(virConnectPtr conn, virDomainPtr dom, int recipient, int action, unsigned int flags,
                void *opaque)
{
    static const char *const recipients[] = { "hypervisor", "guest" };
    static const char *const actions[] = { "ignore", "inject", "fatal", "reset" };

    (void) conn;
    printEvent(opaque, dom, ":\nrecipient: %s\naction: %s\nflags:\n\taction required: %d\n"
                            "\trecursive: %d", WORD(recipients, recipient), WORD(actions, action),
               (flags & VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED) != 0,
               (flags & VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE) != 0);
}

static void
onMemoryDeviceSize(virConnectPtr conn, virDomainPtr dom, const char *alias, unsigned long long size,
                   void *opaque)
{
    (void) conn;
    printEvent(opaque, dom, ":\nalias: %s\nsize: %llu", alias, size);
}

static void
onMigrationPhase(virConnectPtr conn, virDomainPtr dom, const char *migration, int phase, int state,
                 void *opaque)
{
    static const char *const states[] = { "began", "done", "failed" };

    (void) conn;
    printEvent(opaque, dom, ": %s %s (migration %s)",
               virMigrationPhaseGetName((virMigrationPhase) phase), WORD(states, state), migration);
}

#define CALLBACK(function) VIR_DOMAIN_EVENT_CALLBACK(function)

/* In the order of their numbers, which are those of virDomainEventID; virt's own come last. */
static const struct eventKind {
    const char *name;
    virConnectDomainEventGenericCallback callback;
    int own;                        /* the number of one of virt's own */
} eventKinds[] = {
    [VIR_DOMAIN_EVENT_ID_LIFECYCLE] = { "lifecycle", CALLBACK(onLifecycle) },
    [VIR_DOMAIN_EVENT_ID_REBOOT] = { "reboot", onPlain },
    [VIR_DOMAIN_EVENT_ID_RTC_CHANGE] = { "rtc-change", CALLBACK(onRtcChange) },
    [VIR_DOMAIN_EVENT_ID_WATCHDOG] = { "watchdog", CALLBACK(onWatchdog) },
    [VIR_DOMAIN_EVENT_ID_IO_ERROR] = { "io-error", CALLBACK(onIoError) },
    [VIR_DOMAIN_EVENT_ID_GRAPHICS] = { "graphics", CALLBACK(onGraphics) },
    [VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON] = { "io-error-reason", CALLBACK(onIoErrorReason) },
    [VIR_DOMAIN_EVENT_ID_CONTROL_ERROR] = { "control-error", onPlain },
    [VIR_DOMAIN_EVENT_ID_BLOCK_JOB] = { "block-job", CALLBACK(onBlockJob) },
    [VIR_DOMAIN_EVENT_ID_DISK_CHANGE] = { "disk-change", CALLBACK(onDiskChange) },
    [VIR_DOMAIN_EVENT_ID_TRAY_CHANGE] = { "tray-change", CALLBACK(onTrayChange) },
    [VIR_DOMAIN_EVENT_ID_PMWAKEUP] = { "pm-wakeup", CALLBACK(onPowerManagement) },
    [VIR_DOMAIN_EVENT_ID_PMSUSPEND] = { "pm-suspend", CALLBACK(onPowerManagement) },
    [VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE] = { "balloon-change", CALLBACK(onBalloonChange) },
    [VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK] = { "pm-suspend-disk", CALLBACK(onPowerManagement) },
    [VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED] = { "device-removed", CALLBACK(onDevice) },
    [VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2] = { "block-job-2", CALLBACK(onBlockJob) },
    [VIR_DOMAIN_EVENT_ID_TUNABLE] = { "tunable", CALLBACK(onParams) },
    [VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE] = { "agent-lifecycle", CALLBACK(onAgentLifecycle) },
    [VIR_DOMAIN_EVENT_ID_DEVICE_ADDED] = { "device-added", CALLBACK(onDevice) },
    [VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION] = { "migration-iteration",
                                                  CALLBACK(onMigrationIteration) },
    [VIR_DOMAIN_EVENT_ID_JOB_COMPLETED] = { "job-completed", CALLBACK(onParams) },
    [VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED] = { "device-removal-failed", CALLBACK(onDevice) },
    [VIR_DOMAIN_EVENT_ID_METADATA_CHANGE] = { "metadata-change", CALLBACK(onMetadataChange) },
    [VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD] = { "block-threshold", CALLBACK(onBlockThreshold) },
    [VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE] = { "memory-failure", CALLBACK(onMemoryFailure) },
    [VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE] = { "memory-device-size-change",
                                                        CALLBACK(onMemoryDeviceSize) },
    { "migration-phase", CALLBACK(onMigrationPhase), VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE },
};
#define EVENT_KINDS VIRTSH_COUNT(eventKinds)

/* The same, for completion. */
static const char *const eventNames[] = {
    "lifecycle", "reboot", "rtc-change", "watchdog", "io-error", "graphics", "io-error-reason",
    "control-error", "block-job", "disk-change", "tray-change", "pm-wakeup", "pm-suspend",
    "balloon-change", "pm-suspend-disk", "device-removed", "block-job-2", "tunable",
    "agent-lifecycle", "device-added", "migration-iteration", "job-completed",
    "device-removal-failed", "metadata-change", "block-threshold", "memory-failure",
    "memory-device-size-change", "migration-phase", NULL,
};

/* -- waiting ----------------------------------------------------------------------------------- */

/*
 * Ctrl-C. A signal handler may only write, so there is a pipe, which the loop watches. On Windows, where a
 * loop watches sockets alone, the handler runs in a thread of its own and may do what a thread may.
 */
#ifdef _WIN32
static struct watch *interruptWatch;
static int interruptTimer;

static void
onInterruptTimer(int timer, void *opaque)
{
    (void) timer;
    ((struct watch *) opaque)->end = WATCH_INTERRUPTED;
}

static void
onInterrupt(int number)
{
    (void) number;
    if (interruptTimer < 0)
        interruptTimer = virEventAddTimeout(0, onInterruptTimer, interruptWatch, NULL);
}

static bool
interruptOpen(struct watch *watch)
{
    interruptWatch = watch;
    interruptTimer = -1;
    return true;
}

static void
interruptClose(void)
{
    if (interruptTimer >= 0)
        virEventRemoveTimeout(interruptTimer);
}
#else
static int interruptPipe[2], interruptId;

static void
onInterrupt(int number)
{
    (void) number;
    if (write(interruptPipe[1], "", 1) < 0)
        return;                     /* it is full: told already */
}

static void
onPipe(int id, int fd, int events, void *opaque)
{
    (void) id;
    (void) fd;
    (void) events;
    ((struct watch *) opaque)->end = WATCH_INTERRUPTED;
}

static bool
interruptOpen(struct watch *watch)
{
    if (pipe2(interruptPipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return virtshFail(watch->sh, "cannot make a pipe");
    interruptId = virEventAddHandle(interruptPipe[0], VIR_EVENT_HANDLE_READABLE, onPipe, watch, NULL);
    if (interruptId >= 0)
        return true;
    close(interruptPipe[0]);
    close(interruptPipe[1]);
    return false;
}

static void
interruptClose(void)
{
    virEventRemoveHandle(interruptId);
    close(interruptPipe[0]);
    close(interruptPipe[1]);
}
#endif

static void
onTimeout(int timer, void *opaque)
{
    (void) timer;
    ((struct watch *) opaque)->end = WATCH_TIMEOUT;
}

/* Runs the loop until there is an event, or the time is up, or somebody presses Ctrl-C. */
static bool
waitForEvents(struct watch *watch, int timeout)
{
    void (*before)(int);
    int timer = -1;
    bool ok;

    if (!interruptOpen(watch))
        return false;
    before = signal(SIGINT, onInterrupt);
    if (timeout > 0)
        timer = virEventAddTimeout(timeout, onTimeout, watch, NULL);
    ok = timeout <= 0 || timer >= 0;
    while (ok && watch->end == WATCHING)
        ok = virEventRunDefaultImpl() == 0;
    if (timer >= 0)
        virEventRemoveTimeout(timer);
    signal(SIGINT, before);
    interruptClose();
    return ok;
}

/* --while: what has happened when the commands have run is all there is. Whether they succeeded, and they have said why not. */
static bool
runMeanwhile(struct virtsh *sh)
{
    bool ok = virtshRunNested(sh, virtshString(sh, "while"));

    virtshTakeEvents();
    return ok;
}

static bool
watchEvents(struct virtsh *sh, virDomainPtr dom, int only, int timeout)
{
    struct watch watch = { .sh = sh, .loop = virtshHas(sh, "loop") || virtshHas(sh, "while"),
                           .timestamp = virtshHas(sh, "timestamp") };
    struct watched watched[EVENT_KINDS];
    virConnectPtr conn = sh->conn;          /* the commands of --while may open another */
    int ids[EVENT_KINDS];
    bool ok = true, ran = false;

    virConnectRef(conn);

    for (size_t i = 0; i < EVENT_KINDS; i++) {
        ids[i] = -1;
        watched[i] = (struct watched) { &watch, eventKinds[i].name };
        if (!ok || (only >= 0 && (size_t) only != i))
            continue;
        ids[i] = virConnectDomainEventRegisterAny(conn, dom,
                                                  eventKinds[i].own != 0 ? eventKinds[i].own : (int) i,
                                                  eventKinds[i].callback, &watched[i], NULL);
        ok = ids[i] >= 0;
    }
    if (ok && virtshHas(sh, "while"))
        ran = runMeanwhile(sh);
    else
        ok = ok && waitForEvents(&watch, timeout);
    for (size_t i = 0; i < EVENT_KINDS; i++) {
        if (ids[i] >= 0)
            virConnectDomainEventDeregisterAny(conn, ids[i]);
    }
    virConnectClose(conn);
    if (!ok)
        return false;
    if (watch.end == WATCH_TIMEOUT)
        virtshPrint(sh, "event loop timed out\n");
    if (watch.end == WATCH_INTERRUPTED)
        virtshPrint(sh, "event loop interrupted\n");
    virtshPrint(sh, "events received: %d\n", watch.count);
    return virtshHas(sh, "while") ? ran : watch.count > 0;
}

static bool
cmdEvent(struct virtsh *sh)
{
    const char *name = virtshString(sh, "event"), *domain = virtshString(sh, "domain");
    unsigned long long timeout = 0;
    virDomainPtr dom = NULL;
    size_t only = 0;

    if (!virtshExclusive(sh, "all", "event") || !virtshExclusive(sh, "list", "all")
        || !virtshExclusive(sh, "list", "event") || !virtshExclusive(sh, "while", "timeout"))
        return false;
    if (virtshHas(sh, "list")) {
        for (size_t i = 0; i < EVENT_KINDS; i++)
            virtshPrint(sh, "%s\n", eventKinds[i].name);
        return true;
    }
    if (name != NULL) {
        while (only < EVENT_KINDS && strcmp(eventKinds[only].name, name) != 0)
            only++;
        if (only == EVENT_KINDS)
            return virtshFail(sh, "unknown event type %s", name);
    } else if (!virtshHas(sh, "all")) {
        return virtshFail(sh, "one of --list, --all, or --event <type> is required");
    }
    if (!virtshNumber(sh, "timeout", INT_MAX / 1000, &timeout))
        return false;
    if (virtshHas(sh, "timeout") && timeout == 0)
        return virtshFail(sh, "Numeric value '%s' for <timeout> option is malformed or out of range",
                          virtshString(sh, "timeout"));
    if (domain != NULL && (dom = virtshDomain(sh)) == NULL)
        return false;
    return watchEvents(sh, dom, name != NULL ? (int) only : -1, (int) timeout * 1000);
}

static const struct virtshOption eventOptions[] = {
    { .name = "domain", VIRTSH_STRING, "filter by domain name, id or uuid",
      .lookup = VIRTSH_BY_ID | VIRTSH_BY_UUID | VIRTSH_BY_NAME },
    { .name = "event", VIRTSH_STRING, "which event type to wait for", .words = eventNames },
    { .name = "all", VIRTSH_FLAG, "wait for all events instead of just one type" },
    { .name = "loop", VIRTSH_FLAG, "loop until timeout or interrupt, rather than one-shot" },
    { .name = "timeout", VIRTSH_NUMBER, "timeout seconds" },
    { .name = "list", VIRTSH_FLAG, "list valid event types" },
    { .name = "timestamp", VIRTSH_FLAG, "show timestamp for each printed event" },
    { .name = "while", VIRTSH_STRING, "run these commands, and show what happens meanwhile",
      .named = true },
    VIRTSH_END,
};

const struct virtshCommand virtshEventCommands[] = {
    { .name = "event", "Domain Events", "List event types, or wait for domain events to occur",
      eventOptions, cmdEvent },
    VIRTSH_END,
};
