/*
 * virtd.c: starting, serving, starting over, ending
 *
 * The main thread takes the signals and does nothing else. One thread runs the event loop, through which hypervisors tell what happens; the workers
 * carry calls out. SIGHUP builds a new server from what the configuration says then, in the same process: guests are not touched, and clients
 * connect again by themselves. If the new configuration is wrong, the log says so, and all stays as it is.
 *
 *     make build/examples/virtd && build/examples/virtd --connect test:///default --listen unix:/tmp/virt-sock &
 *     build/examples/virtsh -c 'test+unix:///default?socket=/tmp/virt-sock' list
 */
#include "virtd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#ifdef __GLIBC__
# include <malloc.h>
#endif
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VIRTD_WORKERS_MAX 256

/* One life of the server, from a configuration to the next. */
struct virtd {
    struct virtdOptions options;
    virConnectPtr *conns;
    size_t nconns;
    virServerPtr server;
    struct virtdPolicy *policy;
    void *audit;
    struct virtdDashboard *dashboard;
    unsigned long workers;
    pthread_t *threads;
    size_t nthreads;
};

static bool
virtdFailed(const char *what)
{
    return virtdFail("%s: %s", what, virGetLastErrorMessage());
}

/* -- building a server -------------------------------------------------------------------------- */

static bool
virtdLimits(const struct virtdOptions *options, virTypedParameterPtr *params, int *nparams)
{
    int room = 0;

    for (size_t i = 0; i < options->limits.count; i++) {
        char name[VIR_TYPED_PARAM_FIELD_LENGTH];
        const char *item = options->limits.items[i], *equals = strchr(item, '=');
        unsigned long value;

        if (equals == NULL || equals == item || (size_t)(equals - item) >= sizeof(name))
            return virtdFail("limit: '%s' is not NAME=N", item);
        snprintf(name, sizeof(name), "%.*s", (int)(equals - item), item);
        if (!virtdNumber(equals + 1, "limit", 1, 0x7fffffff, &value))
            return false;
        if (virTypedParamsAddUInt(params, nparams, &room, name, (unsigned int)value) < 0)
            return virtdFailed("limit");
    }
    return true;
}

/* A user or a group, by name or number. */
static bool
virtdId(const char *text, bool group, unsigned long *id)
{
    char *end;

    *id = strtoul(text, &end, 10);
    if (end != text && *end == '\0')
        return true;
    if (group) {
        const struct group *found = getgrnam(text);

        if (found == NULL)
            return virtdFail("group: there is no group '%s'", text);
        *id = found->gr_gid;
    } else {
        const struct passwd *found = getpwnam(text);

        if (found == NULL)
            return virtdFail("owner: there is no user '%s'", text);
        *id = found->pw_uid;
    }
    return true;
}

static bool
virtdSocketParams(const struct virtdOptions *options, virTypedParameterPtr *params, int *nparams)
{
    unsigned long id;
    int room = 0;
    char *end;

    if (options->mode != NULL) {
        id = strtoul(options->mode, &end, 8);
        if (end == options->mode || *end != '\0' || id > 0777)
            return virtdFail("mode: '%s' is no octal number up to 0777", options->mode);
        if (virTypedParamsAddUInt(params, nparams, &room, VIR_SERVER_PARAM_MODE, (unsigned int)id) < 0)
            return virtdFailed("mode");
    }
    if (options->owner != NULL
        && (!virtdId(options->owner, false, &id) || virTypedParamsAddUInt(params, nparams, &room, VIR_SERVER_PARAM_OWNER, (unsigned int)id) < 0))
        return false;
    if (options->group != NULL
        && (!virtdId(options->group, true, &id) || virTypedParamsAddUInt(params, nparams, &room, VIR_SERVER_PARAM_GROUP, (unsigned int)id) < 0))
        return false;
    return true;
}

static bool
virtdKeyParams(const struct virtdOptions *options, const char *address, virTypedParameterPtr *params, int *nparams)
{
    int room = 0;

    if (options->key == NULL || options->authorized == NULL)
        return virtdFail("listen: '%s' needs --key and --authorized-keys: nobody is served over a network without", address);
    if (virTypedParamsAddString(params, nparams, &room, VIR_SERVER_PARAM_KEY, options->key) < 0
        || virTypedParamsAddString(params, nparams, &room, VIR_SERVER_PARAM_AUTHORIZED, options->authorized) < 0)
        return virtdFailed("listen");
    return true;
}

static bool
virtdIsUnix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

static bool
virtdListen(struct virtd *virtd, const struct virtdList *addresses, unsigned int flags)
{
    for (size_t i = 0; i < addresses->count; i++) {
        const char *address = addresses->items[i];
        virTypedParameterPtr params = NULL;
        int nparams = 0;
        bool well;

        well = virtdIsUnix(address) ? virtdSocketParams(&virtd->options, &params, &nparams) : virtdKeyParams(&virtd->options, address, &params, &nparams);
        if (well && virServerListen(virtd->server, address, params, (unsigned int)nparams, flags) < 0)
            well = virtdFailed(address);
        virTypedParamsFree(params, nparams);
        if (!well)
            return false;
    }
    return true;
}

/* What can be seen to be wrong without doing anything. */
static bool
virtdCheck(struct virtd *virtd)
{
    const struct virtdList *lists[] = { &virtd->options.listen, &virtd->options.listenRo };
    virTypedParameterPtr params = NULL;
    int nparams = 0;
    bool well;

    if (virtd->options.connect.count == 0)
        virtdListAdd(&virtd->options.connect, geteuid() == 0 ? "qemu:///system" : "qemu:///session");
    if (virtd->options.listen.count == 0 && virtd->options.listenRo.count == 0)
        virtdListAdd(&virtd->options.listen, "unix:");
    virtd->workers = 4;
    if (virtd->options.workers != NULL && !virtdNumber(virtd->options.workers, "workers", 1, VIRTD_WORKERS_MAX, &virtd->workers))
        return false;
    well = virtdSocketParams(&virtd->options, &params, &nparams);
    virTypedParamsFree(params, nparams);
    params = NULL;
    nparams = 0;
    well = well && virtdLimits(&virtd->options, &params, &nparams);
    virTypedParamsFree(params, nparams);
    for (size_t i = 0; i < VIRTD_COUNT(lists) && well; i++) {
        for (size_t k = 0; k < lists[i]->count && well; k++) {
            const char *address = lists[i]->items[k];

            if (virtdIsUnix(address))
                continue;
            params = NULL;
            nparams = 0;
            well = virtdKeyParams(&virtd->options, address, &params, &nparams);
            virTypedParamsFree(params, nparams);
        }
    }
    return well && (virtd->policy = virtdPolicyNew(&virtd->options)) != NULL;
}

static bool
virtdOpen(struct virtd *virtd)
{
    const struct virtdList *uris = &virtd->options.connect;
    virTypedParameterPtr params = NULL;
    int nparams = 0;

    if (!virtdLimits(&virtd->options, &params, &nparams)) {
        virTypedParamsFree(params, nparams);
        return false;
    }
    virtd->server = virServerNew(params, (unsigned int)nparams, 0);
    virTypedParamsFree(params, nparams);
    if (virtd->server == NULL)
        return virtdFailed("server");
    virtd->conns = virtdAlloc(uris->count * sizeof(*virtd->conns));
    for (size_t i = 0; i < uris->count; i++) {
        virConnectPtr conn = virConnectOpen(uris->items[i]);

        if (conn == NULL)
            return virtdFailed(uris->items[i]);
        virtd->conns[virtd->nconns++] = conn;
        if (virServerAddConnect(virtd->server, conn) < 0)
            return virtdFailed(uris->items[i]);
    }
    if (!virtdPolicyIsEmpty(virtd->policy)) {
        if (virServerSetAccess(virtd->server, virtdPolicyAllows, virtd->policy, NULL) < 0)
            return virtdFailed("policy");
    }
    if (virtd->options.audit != NULL) {
        if ((virtd->audit = virtdAuditOpen(virtd->options.audit)) == NULL)
            return false;
        if (virServerSetAudit(virtd->server, virtdAuditWrite, virtd->audit, NULL) < 0)
            return virtdFailed("audit");
    }
    if (!virtdListen(virtd, &virtd->options.listen, 0) || !virtdListen(virtd, &virtd->options.listenRo, VIR_SERVER_LISTEN_READONLY))
        return false;
    return virtd->options.dashboard == NULL
           || (virtd->dashboard = virtdDashboardStart(virtd->options.dashboard, virtd->options.dashboardPage)) != NULL;
}

/* -- threads ------------------------------------------------------------------------------------ */

static void *
virtdWork(void *opaque)
{
    const struct virtd *virtd = opaque;

    if (virServerRun(virtd->server) < 0) {
        virtdFailed("a worker ends");
        kill(getpid(), SIGTERM);
    }
    return NULL;
}

static bool
virtdServe(struct virtd *virtd)
{
    virtd->threads = virtdAlloc(virtd->workers * sizeof(*virtd->threads));
    for (size_t i = 0; i < virtd->workers; i++) {
        int code = pthread_create(&virtd->threads[i], NULL, virtdWork, virtd);

        if (code != 0)
            return virtdFail("cannot start a worker: %s", strerror(code));
        virtd->nthreads++;
    }
    return true;
}

/* Calls under way are carried out to their end; then all of it goes. */
static void
virtdEnd(struct virtd *virtd)
{
    virtdDashboardEnd(virtd->dashboard);
    if (virtd->server != NULL)
        virServerStop(virtd->server);
    for (size_t i = 0; i < virtd->nthreads; i++)
        pthread_join(virtd->threads[i], NULL);
    virServerFree(virtd->server);
    for (size_t i = 0; i < virtd->nconns; i++)
        virConnectClose(virtd->conns[i]);
    virtdAuditClose(virtd->audit);
    virtdPolicyFree(virtd->policy);
    free(virtd->conns);
    free(virtd->threads);
    virtdOptionsClear(&virtd->options);
    memset(virtd, 0, sizeof(*virtd));
}

static atomic_bool virtdLooping = true;

static void
virtdTick(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

static void *
virtdLoop(void *opaque)
{
    (void)opaque;
    while (atomic_load(&virtdLooping)) {
        if (virEventRunDefaultImpl() < 0) {
            virtdFailed("the event loop");
            kill(getpid(), SIGTERM);
            break;
        }
    }
    return NULL;
}

/* -- a life ------------------------------------------------------------------------------------- */

static bool
virtdReadOptions(struct virtd *virtd, int argc, char **argv)
{
    const char *where;

    if (!virtdOptionsRead(&virtd->options, argc, argv))
        return false;
    where = virtd->options.log != NULL ? virtd->options.log : virtd->options.daemon ? "syslog" : "stderr";
    return virtdCheck(virtd) && (virtd->options.check || virtdLogOpen(where, virtd->options.logLevel != NULL ? virtd->options.logLevel : "info"));
}

static void
virtdLogStats(const struct virtd *virtd)
{
    virTypedParameterPtr params;
    char line[512] = "";
    int n;

    if (virServerGetStats(virtd->server, &params, &n, 0) < 0)
        return;
    for (int i = 0; i < n; i++) {
        size_t used = strlen(line);
        unsigned long long value = params[i].type == VIR_TYPED_PARAM_UINT ? params[i].value.ui : params[i].value.ul;

        snprintf(line + used, sizeof(line) - used, "%s%s %llu", i > 0 ? ", " : "", params[i].field, value);
    }
    virTypedParamsFree(params, n);
    virtdLog(VIR_LOG_INFO, "%s", line);
}

/* Serves until a signal ends it. true: SIGHUP, and *next is what comes now. */
static bool
virtdLive(struct virtd *virtd, const sigset_t *signals, int argc, char **argv, struct virtd *next)
{
    for (;;) {
        int number;

        if (sigwait(signals, &number) != 0)
            continue;
        if (number == SIGUSR1) {
            virtdLogStats(virtd);
        } else if (number != SIGHUP) {
            virtdLog(VIR_LOG_INFO, "ends");
            virtdNotify("STOPPING=1");
            return false;
        } else {
            struct timespec now;

            clock_gettime(CLOCK_MONOTONIC, &now);
            virtdNotify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
            if (virtdReadOptions(next, argc, argv))
                return true;
            virtdFail("all stays as it was");
            virtdEnd(next);
            virtdNotify("READY=1");
        }
    }
}

static bool
virtdRun(struct virtd *virtd, const sigset_t *signals, int argc, char **argv)
{
    struct virtd next = { .server = NULL };
    bool well = virtdOpen(virtd) && virtdServe(virtd), again = well;

    virtdDaemonReady(well);
    while (again) {
        virtdLog(VIR_LOG_INFO, "serves with %lu workers", virtd->workers);
        virtdNotify("READY=1\nSTATUS=serves %zu connections", virtd->nconns);
        if ((again = virtdLive(virtd, signals, argc, argv, &next))) {
            virtdLog(VIR_LOG_INFO, "starts over");
            virtdEnd(virtd);
            *virtd = next;
            memset(&next, 0, sizeof(next));
            well = again = virtdOpen(virtd) && virtdServe(virtd);
        }
    }
    virtdEnd(virtd);
    return well;
}

/* The work that needs no server. */
static int
virtdKeys(const struct virtdOptions *options)
{
    char *key = NULL;

    if (options->genkey ? virKeyGenerate(options->key, &key, 0) < 0 : (key = virKeyGetPublic(options->key, 0)) == NULL) {
        virtdFailed("key");
        return 1;
    }
    puts(key);
    free(key);
    return 0;
}

/* Before there is a thread: all of them inherit that these signals are the main thread's to take. */
static void
virtdSignals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/*
 * One heap for all threads: with one for each, as glibc has it, a server with many guests takes half as much again, for what lies free in the
 * others. And what a long reply took stays at hand for the next one: to give it back and fetch it again takes longer than to write the reply.
 */
static void
virtdMemory(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 512 << 10);
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

int
main(int argc, char **argv)
{
    struct virtd virtd = { .server = NULL };
    char *pidFile = NULL, *folder;
    int pidFd = -1, status = 1, timer;
    sigset_t signals;
    pthread_t loop;

    virtdMemory();
    if (!virtdReadOptions(&virtd, argc, argv))
        goto done;
    if (virtd.options.genkey || virtd.options.showKey) {
        status = virtdKeys(&virtd.options);
        goto done;
    }
    if (virtd.options.check) {
        puts("the options make sense");
        status = 0;
        goto done;
    }
    if (virtd.options.pidFile != NULL) {
        pidFile = virtdFormat("%s", virtd.options.pidFile);
    } else {
        if ((folder = virtdRunFolder()) == NULL)
            goto done;
        pidFile = virtdFormat("%s/virtd.pid", folder);
        free(folder);
    }
    virtdSignals(&signals);
    if ((pidFd = virtdPidFileTake(pidFile, virtd.options.replace)) < 0)
        goto done;
    if (virtd.options.daemon) {
        if (!virtdDaemonStart())
            goto done;
        virtdPidFileWrite(pidFd);
    }
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0 || (timer = virEventAddTimeout(-1, virtdTick, NULL, NULL)) < 0) {
        virtdFailed("the event loop");
        goto done;
    }
    if (pthread_create(&loop, NULL, virtdLoop, NULL) != 0) {
        virtdFail("cannot start the event loop's thread");
        goto done;
    }
    status = virtdRun(&virtd, &signals, argc, argv) ? 0 : 1;
    atomic_store(&virtdLooping, false);
    virEventUpdateTimeout(timer, 0);                       /* it looks at virtdLooping then */
    pthread_join(loop, NULL);

 done:
    virtdDaemonReady(false);
    virtdEnd(&virtd);
    if (pidFd >= 0)
        virtdPidFileRemove(pidFd, pidFile);
    free(pidFile);
    return status;
}
