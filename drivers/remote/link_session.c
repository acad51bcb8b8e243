/*
 * From connect to close: how a link comes to a session, keeps it, and gets a new one when the server has gone and come back; events and
 * keep-alive, which belong to a session; and what the event loop has to do with it. See link.h for the idea.
 *
 * The way to a session is a small state machine (enum remoteLinkState) that never waits: it takes a step when a descriptor is readable or
 * a time has come, in whatever thread is there to see that.
 */
#include "link.h"

#if VIRT_WITH_REMOTE

#include "../common/file.h"
#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <inttypes.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <sys/socket.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_MS       1000ull                   /* us, as all times here */
#define REMOTE_CONNECT  (1000 * REMOTE_MS)        /* that nanomsg may take to connect */
#define REMOTE_RETRY    (50 * REMOTE_MS)          /* between two looks for a server */
#define REMOTE_STEP     (2000 * REMOTE_MS)        /* that a step of the way to a session may take before it is begun anew */
#define REMOTE_GOODBYE  (200 * REMOTE_MS)         /* the last replies of a server that has gone come within this */
#define REMOTE_PART     (256u << 10)
#define REMOTE_BUFFER   (1 << 20)

/* ---------- a session ---------- */

static void
remoteLinkCloseWho(struct remoteLink *link)
{
    if (link->whoFd < 0)
        return;
    /* the event loop may still have it: it is closed when the loop has let go of it */
    shutdown(link->whoFd, SHUT_RDWR);
    if (link->watchedWho != link->whoFd)
        close(link->whoFd);
    link->whoFd = -1;
    link->loopStale = true;
}

static void
remoteLinkEnter(struct remoteLink *link, enum remoteLinkState state, unsigned long long stepAt)
{
    link->state = state;
    link->stepAt = stepAt;
    link->loopStale = true;
}

VIRT_INTERNAL void
remoteLinkLose(struct remoteLink *link, int reason, const char *why)
{
    struct remoteCall *call;

    if (link->state == REMOTE_LINK_LOST)
        return;
    virLog(VIR_LOG_WARN, "remote.link", "%s: the connection is lost: %s", link->uri, why);
    link->reason = reason;
    link->why = strdup(why);
    remoteLinkCloseWho(link);
    remoteLinkEnter(link, REMOTE_LINK_LOST, 0);
    /* a call that nobody waits for leaves the list when it ends */
    do {
        for (call = link->calls; call != NULL && (call->state == REMOTE_CALL_OVER || call->state == REMOTE_CALL_HELD); call = call->next)
            ;
        if (call != NULL)
            remoteLinkEndCall(link, call, call->sends > 0 ? REMOTE_CALL_UNKNOWN : REMOTE_CALL_UNSENT);
    } while (call != NULL);
    remoteStreamsLose(link);
    virPlatformWakeSend(link->wake);
}

/* Those that belong to the old session alone. */
static void
remoteLinkDropOwn(struct remoteLink *link)
{
    struct remoteCall *call, *next;

    for (call = link->calls; call != NULL; call = next) {
        next = call->next;
        if (call->took == NULL)
            continue;
        remoteLinkRemove(link, call);
        remoteCallFree(call);
    }
    remoteStreamsLose(link);
    link->polling = false;
    link->eventSeen = 0;
    free(link->session);
    link->session = NULL;
}

VIRT_INTERNAL void
remoteLinkRenew(struct remoteLink *link, const char *why)
{
    unsigned long long now = virTimeNowUs();

    if (link->state == REMOTE_LINK_LOST)
        return;
    if (link->state == REMOTE_LINK_UP) {
        virLog(VIR_LOG_INFO, "remote.link", "%s: a new session: %s", link->uri, why);
        link->giveUpAt = now + link->grace;
        link->goneAt = now + REMOTE_GOODBYE;
    }
    remoteLinkDropOwn(link);
    remoteLinkCloseWho(link);
    remoteLinkEnter(link, REMOTE_LINK_AWAY, link->state == REMOTE_LINK_UP ? now : now + REMOTE_RETRY);
    if (link->reading)
        virPlatformWakeSend(link->wake);
}

/* The calls of a session that is no more: what may be done twice is done again, of the rest nobody can say what became of it. */
static void
remoteLinkSettleCalls(struct remoteLink *link, bool again)
{
    unsigned long long last = link->lastId;
    struct remoteCall *call, *next;

    link->goneAt = 0;
    for (call = link->calls; call != NULL && call->id <= last; call = next) {
        bool repeats = call->method == NULL || call->method->repeats || call->sends == 0;

        next = call->next;
        if (call->state != REMOTE_CALL_SENT)
            continue;
        if (repeats && again)
            remoteLinkRenumber(link, call);
        else if (!repeats)
            remoteLinkEndCall(link, call, REMOTE_CALL_UNKNOWN);
    }
}

/* ---- hello ---- */

static size_t
remoteLimit(const cJSON *limits, const char *name, size_t least, size_t usual, size_t most)
{
    unsigned long long value = 0;

    if (virJsonULongLong(limits, name, &value) < 0)
        return usual;
    return value < least ? least : value > most ? most : (size_t)value;
}

static bool remoteLinkSubscribeAgain(struct remoteLink *link);
static void remoteLinkPoll(struct remoteLink *link);

/* The session is there, and has what the old one had. */
static void
remoteLinkIsUp(struct remoteLink *link)
{
    link->opening = false;
    link->giveUpAt = 0;
    link->keepMissed = 0;
    link->keepAt = virTimeNowUs() + link->keepInterval;
    remoteLinkEnter(link, REMOTE_LINK_UP, 0);
    remoteLinkSettleCalls(link, true);
    remoteLinkPoll(link);
    remoteLinkPush(link);
}

/* The server's welcome. Takes over result. */
static void
remoteLinkIsWelcome(struct remoteLink *link, cJSON *result, const char *session)
{
    const cJSON *limits = virJsonGet(result, "limits");

    free(link->session);
    link->session = virStringCopy(session);
    link->partSize = remoteLimit(limits, "part", 1024, REMOTE_PART, REMOTE_LINK_MESSAGE / 4);
    link->parallel = remoteLimit(limits, "parallel", 1, 16, 1024);
    if (link->hello == NULL)
        link->hello = result;
    else
        cJSON_Delete(result);
    link->generation++;
    link->ndone = 0;
    if (link->session == NULL || (link->wanted != NULL && !remoteLinkSubscribeAgain(link))) {
        virResetLastError();
        remoteLinkRenew(link, "no memory");
    } else if (link->wanted == NULL) {
        remoteLinkIsUp(link);
    }
}

/* The server wants none of us: at first that is the answer; later it may be a server that is not ready yet. */
static void
remoteLinkIsRefused(struct remoteLink *link, const cJSON *error)
{
    virErrorPtr before = virSaveLastError();

    if (error != NULL)
        remoteLinkReportReply(link, "virt.hello", error);
    if (link->opening) {
        virFreeError(link->refusal);
        link->refusal = virSaveLastError();
    } else {
        virLog(VIR_LOG_WARN, "remote.link", "%s: no new session: %s", link->uri, virGetLastErrorMessage());
    }
    virRestoreLastError(before);
    if (link->opening)
        remoteLinkLose(link, VIR_CONNECT_CLOSE_REASON_ERROR, "the server refuses");
    else
        remoteLinkRenew(link, "refused");
}

static void
remoteLinkTookHello(struct remoteLink *link, struct remoteCall *call)
{
    virErrorPtr before = virSaveLastError();
    cJSON *reply = call->body.text != NULL ? virJsonParse(call->body.text, call->body.length, "the server") : NULL;
    cJSON *result = cJSON_DetachItemFromObjectCaseSensitive(reply, "result");
    const char *session = virJsonString(result, "session");

    virRestoreLastError(before);
    remoteCallFree(call);
    if (link->state == REMOTE_LINK_HELLO) {
        if (session != NULL && strlen(session) <= 64 && strspn(session, "0123456789abcdefABCDEF-") == strlen(session)) {
            remoteLinkIsWelcome(link, result, session);
            result = NULL;
        } else if (virJsonGet(reply, "error") != NULL) {
            remoteLinkIsRefused(link, virJsonGet(reply, "error"));
        } else {
            before = virSaveLastError();
            virReportError(VIR_ERR_RPC, "the server of %s answers virt.hello with what makes no sense: is it one of virt?", link->uri);
            remoteLinkIsRefused(link, NULL);
            virRestoreLastError(before);
        }
    }
    cJSON_Delete(result);
    cJSON_Delete(reply);
}

/* What this program is called, for the server's log. */
static const char *
remoteProgram(void)
{
#ifdef __linux__
    return virJsonCheckText(program_invocation_short_name, strlen(program_invocation_short_name)) == NULL ? program_invocation_short_name : NULL;
#else
    return NULL;
#endif
}

static void
remoteLinkSayHello(struct remoteLink *link)
{
    cJSON *params = virJsonObject("i:version", 1, "s:uri", link->served, "b:readonly", link->readOnly,
                                  "S:ticket", link->ticketLength > 0 ? link->ticket : NULL, "S:program", remoteProgram(),
                                  "i:pid", (int)link->pid, NULL);
    struct remoteCall *call = remoteCallNew(NULL, "virt.hello", params != NULL ? virJsonFormat(params) : NULL);

    cJSON_Delete(params);
    if (call == NULL) {
        virResetLastError();
        remoteLinkRenew(link, "no memory");
        return;
    }
    call->took = remoteLinkTookHello;
    remoteLinkEnter(link, REMOTE_LINK_HELLO, virTimeNowUs() + REMOTE_STEP);
    remoteLinkAdd(link, call);
}

/* ---- who it is: the ticket of PATH.who, or the encryption's handshake ---- */

#if VIRT_WITH_NOISE
static void
remoteLinkSayFirst(struct remoteLink *link)
{
    unsigned char *message = NULL;
    size_t length;

    if (remoteNoiseClientHello(link->noise, &message, &length) < 0 || !remoteLinkTransmit(link, 0, message, length, NULL, 0))
        link->stuck = true;
    free(message);
}

VIRT_INTERNAL void
remoteLinkTakeSecret(struct remoteLink *link, enum remoteNoiseTaken taken)
{
    if (taken == REMOTE_NOISE_READY && link->state == REMOTE_LINK_SECRET)
        remoteLinkSayHello(link);
    else if (taken == REMOTE_NOISE_UNKNOWN && link->state > REMOTE_LINK_SECRET)
        remoteLinkRenew(link, "the server does not know the session any more");
    else if (taken == REMOTE_NOISE_REFUSED)
        remoteLinkIsRefused(link, NULL);
}
#endif

static void
remoteLinkLookForServer(struct remoteLink *link, unsigned long long now)
{
    virErrorPtr before;

#if VIRT_WITH_NOISE
    if (link->noise != NULL) {
        remoteLinkEnter(link, REMOTE_LINK_SECRET, now + REMOTE_STEP / 2);
        remoteLinkSayFirst(link);
        return;
    }
#endif
    before = virSaveLastError();
    if (link->tunnel != NULL && !link->tunnel(link->tunnelOpaque, link->opening, false)) {
        remoteLinkEnter(link, REMOTE_LINK_AWAY, now + REMOTE_RETRY);
        if (link->opening)
            remoteLinkIsRefused(link, NULL);
    } else if ((link->whoFd = virFileConnect(link->who)) >= 0) {
        link->ticketLength = 0;
        remoteLinkEnter(link, REMOTE_LINK_TICKET, now + REMOTE_STEP);
    } else {
        remoteLinkEnter(link, REMOTE_LINK_AWAY, now + REMOTE_RETRY);
        if (link->opening && link->tunnel == NULL && virGetLastError() != NULL && virGetLastError()->int1 != EAGAIN) {
            virReportSystemError(virGetLastError()->int1, "there is no server at '%s' (a virtd, or any program that calls virServerListen with \"unix:%s\")",
                                 link->path, link->path);
            remoteLinkIsRefused(link, NULL);
        }
    }
    virRestoreLastError(before);
}

VIRT_INTERNAL void
remoteLinkTakeWho(struct remoteLink *link)
{
    char *end;
    ssize_t n;

    if (link->whoFd < 0)
        return;
    if (link->ticketLength >= sizeof(link->ticket) - 1)
        link->ticketLength = 0;
    n = recv(link->whoFd, link->ticket + link->ticketLength, sizeof(link->ticket) - 1 - link->ticketLength, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0 && link->opening && link->tunnel != NULL) {
        virErrorPtr before = virSaveLastError();

        if (!link->tunnel(link->tunnelOpaque, true, true))
            remoteLinkIsRefused(link, NULL);
        virRestoreLastError(before);
        return;
    }
    if (n <= 0) {
        remoteLinkRenew(link, "the server has closed the connection");
        return;
    }
    if (link->state != REMOTE_LINK_TICKET)
        return;
    link->ticketLength += (size_t)n;
    link->ticket[link->ticketLength] = '\0';
    if ((end = strchr(link->ticket, '\n')) != NULL) {
        *end = '\0';
        remoteLinkSayHello(link);
    } else if (link->ticketLength >= sizeof(link->ticket) - 1) {
        remoteLinkRenew(link, "no ticket");
    }
}

/* ---------- keep-alive ---------- */

/* Whatever the answer is, it is a sign of life. */
static void
remoteLinkTookPing(struct remoteLink *link, struct remoteCall *call)
{
    (void)link;
    remoteCallFree(call);
}

static void
remoteLinkKeepAlive(struct remoteLink *link, unsigned long long now)
{
    struct remoteCall *call;

    if (link->heardAt + link->keepInterval > link->keepAt) {
        link->keepMissed = 0;
        link->keepAt = link->heardAt + link->keepInterval;
    }
    if (now < link->keepAt)
        return;
    if (link->keepMissed >= link->keepCount) {
        remoteLinkLose(link, VIR_CONNECT_CLOSE_REASON_KEEPALIVE, "the server gives no sign of life");
        return;
    }
    link->keepMissed++;
    link->keepAt = now + link->keepInterval;
    if ((call = remoteCallNew(NULL, "virt.ping", virStringCopy("{}"))) == NULL) {
        virResetLastError();
        return;
    }
    call->took = remoteLinkTookPing;
    remoteLinkAdd(link, call);
}

VIRT_INTERNAL int
remoteLinkSetKeepAlive(struct remoteLink *link, int interval, unsigned int count)
{
    bool lost;

    if (remoteLinkCheckProcess(link) < 0)
        return -1;
    if (interval > 0 && !virEventLoopIsRegistered())
        return virReportError(VIR_ERR_OPERATION_INVALID, "keep-alive needs an event loop: call virEventRegisterDefaultImpl or "
                              "virEventRegisterImpl first");
    pthread_mutex_lock(&link->lock);
    lost = link->state == REMOTE_LINK_LOST;
    link->keepInterval = interval > 0 ? (unsigned long long)interval * 1000 * REMOTE_MS : 0;
    link->keepCount = count;
    link->keepMissed = 0;
    link->heardAt = virTimeNowUs();
    link->keepAt = link->heardAt + link->keepInterval;
    link->loopStale = true;
    pthread_mutex_unlock(&link->lock);
    if (lost)
        return virReportError(VIR_ERR_RPC, "the connection to %s is lost", link->uri);
    remoteLinkSettle(link);
    return 0;
}

/* ---------- what is due ---------- */

/*
 * One more connection of nanomsg's. An old one is shut down only when none is alive: nanomsg does not send any more after one that is. So they
 * are few, and made where all else has failed.
 */
VIRT_INTERNAL void
remoteLinkConnectAnew(struct remoteLink *link, unsigned long long now)
{
    int endpoint;

    if (now < link->connectedAt + REMOTE_CONNECT || link->nendpoints == REMOTE_LINK_ENDPOINTS
        || (endpoint = nn_connect(link->socket, link->address)) < 0)
        return;
    link->endpoints[link->nendpoints++] = endpoint;
    link->connectedAt = now;
}

/*
 * nanomsg connects again by itself, but not for certain: when it has not within a second, it is told to. Where nothing else says that the other end is
 * not there, its count of connections does; but one that closes as soon as it is greeted is counted for ever, so who hears nothing connects anew, too.
 */
static bool
remoteLinkIsApart(struct remoteLink *link, unsigned long long now)
{
    int endpoint;

    if (nn_get_statistic(link->socket, NN_STAT_CURRENT_CONNECTIONS) > 0)
        return false;
    if (now >= link->connectedAt + REMOTE_CONNECT && (endpoint = nn_connect(link->socket, link->address)) >= 0) {
        while (link->nendpoints > 0)
            nn_shutdown(link->socket, link->endpoints[--link->nendpoints]);
        link->endpoints[link->nendpoints++] = endpoint;
        link->connectedAt = now;
    }
    return link->who == NULL;
}

static void
remoteLinkTickUp(struct remoteLink *link, unsigned long long now)
{
    if (link->keepInterval > 0)
        remoteLinkKeepAlive(link, now);
    if (link->state != REMOTE_LINK_UP)
        return;
    if (!remoteLinkIsApart(link, now)) {
        link->giveUpAt = 0;
    } else if (link->giveUpAt == 0) {
        link->giveUpAt = now + link->grace;
    } else if (now >= link->giveUpAt) {
        remoteLinkLose(link, VIR_CONNECT_CLOSE_REASON_EOF, "the server has gone");
        return;
    }
#if VIRT_WITH_NOISE
    if (link->noise != NULL && remoteNoiseClientWantsHello(link->noise) && now >= link->stepAt) {
        link->stepAt = now + REMOTE_STEP;
        remoteLinkSayFirst(link);
    }
#endif
}

VIRT_INTERNAL void
remoteLinkSessionTick(struct remoteLink *link, unsigned long long now)
{
    if (link->state == REMOTE_LINK_LOST)
        return;
    if (link->state == REMOTE_LINK_UP) {
        remoteLinkTickUp(link, now);
        return;
    }
    if (link->goneAt != 0 && now >= link->goneAt)
        remoteLinkSettleCalls(link, false);
    if (now >= link->giveUpAt) {
        remoteLinkLose(link, VIR_CONNECT_CLOSE_REASON_EOF, "the server has gone and has not come back");
        return;
    }
    remoteLinkIsApart(link, now);
    if (now < link->stepAt)
        return;
    if (link->state == REMOTE_LINK_AWAY) {
        remoteLinkLookForServer(link, now);
    } else {
        if (++link->unanswered > 1)
            remoteLinkConnectAnew(link, now);
        remoteLinkRenew(link, "no answer");
    }
}

VIRT_INTERNAL unsigned long long
remoteLinkSessionDue(const struct remoteLink *link)
{
    unsigned long long due;

    if (link->state == REMOTE_LINK_LOST)
        return 0;
    if (link->state == REMOTE_LINK_UP) {
        due = link->keepInterval > 0 ? link->keepAt : 0;
        return link->giveUpAt != 0 && (due == 0 || link->giveUpAt < due) ? link->giveUpAt : due;
    }
    due = link->stepAt < link->giveUpAt ? link->stepAt : link->giveUpAt;
    return link->goneAt != 0 && link->goneAt < due ? link->goneAt : due;
}

/* ---------- events ---------- */

/* They are read and handed out by remoteLinkSettle, without the lock. */
static void
remoteLinkTookEvents(struct remoteLink *link, struct remoteCall *call)
{
    link->polling = false;
    call->next = NULL;
    *link->newsEnd = call;
    link->newsEnd = &call->next;
}

/* Asks for the next events. */
static void
remoteLinkPoll(struct remoteLink *link)
{
    struct remoteCall *call;

    if (link->wanted == NULL || link->polling || link->state != REMOTE_LINK_UP)
        return;
    if ((call = remoteCallNew(NULL, "virt.events", virStringFormat("{\"seen\":%llu}", link->eventSeen))) == NULL) {
        virResetLastError();
        virLog(VIR_LOG_ERROR, "remote.link", "%s: no memory: no more events come", link->uri);
        return;
    }
    call->took = remoteLinkTookEvents;
    call->mayTakeLong = true;
    link->polling = true;
    link->loopStale = true;
    remoteLinkAdd(link, call);
}

static void
remoteLinkTookSubscribe(struct remoteLink *link, struct remoteCall *call)
{
    bool answered = call->body.text != NULL;

    remoteCallFree(call);
    if (answered && link->state == REMOTE_LINK_HELLO)
        remoteLinkIsUp(link);
}

/* In a new session, before any call: those have events. */
static bool
remoteLinkSubscribeAgain(struct remoteLink *link)
{
    struct remoteCall *call = remoteCallNew(NULL, "virt.subscribe", virStringFormat("{\"filter\":%s}", link->wanted));

    if (call == NULL)
        return false;
    call->took = remoteLinkTookSubscribe;
    remoteLinkAdd(link, call);
    return true;
}

VIRT_INTERNAL int
remoteLinkSubscribe(struct remoteLink *link, const char *wanted)
{
    cJSON *filter, *reply;
    char *copy = NULL;
    bool none;

    if (remoteLinkCheckProcess(link) < 0 || (filter = virJsonParse(wanted, strlen(wanted), "the core")) == NULL)
        return -1;
    none = cJSON_GetArraySize(filter) == 0;
    if (!none && (copy = virStringCopy(wanted)) == NULL) {
        cJSON_Delete(filter);
        return -1;
    }
    pthread_mutex_lock(&link->lock);
    free(link->wanted);
    link->wanted = copy;
    link->loopStale = true;
    pthread_mutex_unlock(&link->lock);
    reply = remoteLinkAsk(link, "virt.subscribe", virJsonObject("a:filter", filter, NULL), 0);
    if (virJsonGet(reply, "error") != NULL)
        remoteLinkReportReply(link, "virt.subscribe", virJsonGet(reply, "error"));
    none = virJsonGet(reply, "result") != NULL;
    cJSON_Delete(reply);
    if (none) {
        pthread_mutex_lock(&link->lock);
        remoteLinkPoll(link);
        pthread_mutex_unlock(&link->lock);
    }
    remoteLinkSettle(link);
    return none ? 0 : -1;
}

static void
remoteLinkEmit(struct remoteLink *link, const cJSON *json)
{
    struct virDomainEvent event;

    memset(&event, 0, sizeof(event));
    if (remoteEventParse(json, &event) < 0) {
        virLog(VIR_LOG_WARN, "remote.link", "%s: an event that makes no sense: %s", link->uri, virGetLastErrorMessage());
        return;
    }
    virDomainEventEmit(link->hub, &event);
    virTypedParamsFree(event.params, event.nparams);
}

/* An answer to virt.events: emits what is new in there; the last number. */
static unsigned long long
remoteLinkReadNews(struct remoteLink *link, const struct remoteCall *call, unsigned long long seen, bool *unknown)
{
    cJSON *reply = call->body.text != NULL ? virJsonParse(call->body.text, call->body.length, "the server") : NULL;
    cJSON *result = virJsonGet(reply, "result"), *item;
    unsigned long long lost = 0;
    int code = 0;

    *unknown = virJsonInt(virJsonGet(reply, "error"), "code", &code) == 0 && code == -32001;
    cJSON_ArrayForEach(item, virJsonGet(result, "events")) {
        cJSON *number = cJSON_GetArrayItem(item, 0), *event = cJSON_GetArrayItem(item, 1);
        VIRT_CLEANUP_JSON cJSON *wrapped = NULL;
        unsigned long long at = 0;

        if (number == NULL || event == NULL || (wrapped = cJSON_CreateObject()) == NULL
            || !cJSON_AddItemReferenceToObject(wrapped, "seq", number) || virJsonULongLong(wrapped, "seq", &at) < 0 || at <= seen)
            continue;
        remoteLinkEmit(link, event);
        seen = at;
    }
    if (virJsonULongLong(result, "lost", &lost) == 0 && lost > 0)
        virLog(VIR_LOG_WARN, "remote.link", "%s: %llu events were lost: there were too many", link->uri, lost);
    cJSON_Delete(reply);
    return seen;
}

/* Hands out what has come, one thread at a time, in order. Lock held, let go meanwhile. */
static void
remoteLinkDeliver(struct remoteLink *link)
{
    struct remoteCall *call;

    if (link->delivering || link->news == NULL)
        return;
    link->delivering = true;
    while ((call = link->news) != NULL) {
        unsigned long long seen = call->generation == link->generation ? link->eventSeen : 0;
        virErrorPtr before;
        bool unknown;

        if ((link->news = call->next) == NULL)
            link->newsEnd = &link->news;
        pthread_mutex_unlock(&link->lock);
        before = virSaveLastError();
        seen = remoteLinkReadNews(link, call, seen, &unknown);
        virRestoreLastError(before);
        pthread_mutex_lock(&link->lock);
        if (call->generation == link->generation) {
            link->eventSeen = seen;
            if (unknown && link->state == REMOTE_LINK_UP)
                remoteLinkRenew(link, "the server does not know the session any more");
        }
        if (call->failure == REMOTE_CALL_GOES_ON)
            remoteLinkPoll(link);
        remoteCallFree(call);
    }
    link->delivering = false;
}

/* ---------- the event loop ---------- */

static void
remoteLinkReadable(int watch, int fd, int events, void *opaque)
{
    struct remoteLink *link = opaque;

    (void)watch;
    (void)fd;
    (void)events;
    if (link->pid != getpid())
        return;
    pthread_mutex_lock(&link->lock);
    if (!link->closed)
        remoteLinkPump(link);
    pthread_mutex_unlock(&link->lock);
    remoteLinkSettle(link);
}

struct remoteWhoWatch { struct remoteLink *link; int fd; };

static void
remoteLinkWhoFreed(void *opaque)
{
    struct remoteWhoWatch *watch = opaque;

    close(watch->fd);
    remoteLinkUnref(watch->link);
    free(watch);
}

static void
remoteLinkWhoReadable(int watch, int fd, int events, void *opaque)
{
    struct remoteWhoWatch *who = opaque;

    remoteLinkReadable(watch, fd, events, who->link);
}

/* From now on the watch closes it. With loopLock held, as in those that follow. */
static void
remoteLinkWatchWho(struct remoteLink *link, int fd)
{
    struct remoteWhoWatch *who = malloc(sizeof(*who));
    int watch = -1;

    if (who != NULL) {
        *who = (struct remoteWhoWatch){ link, fd };
        atomic_fetch_add(&link->refs, 1);
        watch = virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE | VIR_EVENT_HANDLE_HANGUP, remoteLinkWhoReadable, who, remoteLinkWhoFreed);
        if (watch < 0)
            atomic_fetch_sub(&link->refs, 1);
    }
    pthread_mutex_lock(&link->lock);
    link->watchWho = watch;
    if (watch < 0) {
        free(who);
        link->watchedWho = -1;
        if (link->whoFd != fd)
            close(fd);
    }
    pthread_mutex_unlock(&link->lock);
}

static void
remoteLinkWatchReceive(struct remoteLink *link)
{
    int watch;

    atomic_fetch_add(&link->refs, 1);
    watch = virEventAddHandle(link->receiveFd, VIR_EVENT_HANDLE_READABLE, remoteLinkReadable, link, remoteLinkUnref);
    if (watch < 0)
        atomic_fetch_sub(&link->refs, 1);
    pthread_mutex_lock(&link->lock);
    link->watchReceive = watch;
    pthread_mutex_unlock(&link->lock);
}

static void remoteLinkTimer(int timer, void *opaque);

/* A timer that runs too early finds that nothing is due, and is set anew: so it is touched only when it would be late. */
static void
remoteLinkSetTimer(struct remoteLink *link, unsigned long long due)
{
    unsigned long long now = virTimeNowUs(), ms = due <= now ? 0 : (due - now + 999) / 1000;
    int frequency = due == 0 ? -1 : ms > 60000 ? 60000 : (int)ms;

    if (link->timer < 0) {
        if (due == 0)
            return;
        atomic_fetch_add(&link->refs, 1);
        if ((link->timer = virEventAddTimeout(frequency, remoteLinkTimer, link, remoteLinkUnref)) < 0)
            atomic_fetch_sub(&link->refs, 1);
    } else if (due == 0 ? link->timerAt == 0 : link->timerAt != 0 && due >= link->timerAt) {
        return;
    } else {
        virEventUpdateTimeout(link->timer, frequency);
    }
    link->timerAt = due;
}

/* Where calls are made only now and then, the loop is what sees that the server goes, that events come, and what is due. */
VIRT_INTERNAL void
remoteLinkSyncLoop(struct remoteLink *link)
{
    int whoFd = -1, remove[2] = { -1, -1 };
    bool closed, receive;
    unsigned long long due;

    pthread_mutex_lock(&link->loopLock);
    pthread_mutex_lock(&link->lock);
    link->loopStale = false;
    closed = link->closed;
    due = closed || (link->state == REMOTE_LINK_LOST && link->told) ? 0 : link->state == REMOTE_LINK_LOST ? 1 : remoteLinkDue(link);
    if (link->watchWho >= 0 && link->watchedWho != link->whoFd) {
        remove[0] = link->watchWho;
        link->watchWho = link->watchedWho = -1;
    }
    if (!closed && link->whoFd >= 0 && link->watchWho < 0)
        whoFd = link->watchedWho = link->whoFd;
    /* not without need: the loop would wake up with each reply to a call as well */
    receive = !closed && link->state != REMOTE_LINK_LOST && (link->wanted != NULL || link->watched > 0 || link->state != REMOTE_LINK_UP);
    if (link->watchReceive >= 0 && !receive) {
        remove[1] = link->watchReceive;
        link->watchReceive = -1;
    }
    receive = receive && link->watchReceive < 0;
    pthread_mutex_unlock(&link->lock);
    for (int i = 0; i < 2; i++)
        if (remove[i] >= 0)
            virEventRemoveHandle(remove[i]);
    if (whoFd >= 0)
        remoteLinkWatchWho(link, whoFd);
    if (receive)
        remoteLinkWatchReceive(link);
    if (!closed) {
        remoteLinkSetTimer(link, due);
    } else if (link->timer >= 0) {
        virEventRemoveTimeout(link->timer);
        link->timer = -1;
    }
    pthread_mutex_unlock(&link->loopLock);
}

/* Tells the application that the connection is lost, once. */
static void
remoteLinkTell(struct remoteLink *link)
{
    virConnectPtr conn = NULL;
    virConnectCloseFunc func;
    virErrorPtr before;
    void *opaque;

    pthread_mutex_lock(&link->lock);
    if (link->state == REMOTE_LINK_LOST && !link->told && !link->closed && virHandleTryRef(&link->conn->handle)) {
        link->told = true;
        conn = link->conn;
    }
    pthread_mutex_unlock(&link->lock);
    if (conn == NULL)
        return;
    pthread_mutex_lock(&conn->lock);
    func = conn->closeFunc;
    opaque = conn->closeFuncData;
    pthread_mutex_unlock(&conn->lock);
    before = virSaveLastError();
    if (func != NULL)
        func(conn, link->reason, opaque);
    virConnectClose(conn);
    virRestoreLastError(before);
}

static void
remoteLinkTimer(int timer, void *opaque)
{
    struct remoteLink *link = opaque;

    (void)timer;
    pthread_mutex_lock(&link->loopLock);
    link->timerAt = UINT64_MAX;       /* it has run, and is to be set anew */
    pthread_mutex_unlock(&link->loopLock);
    pthread_mutex_lock(&link->lock);
    link->loopStale = true;
    pthread_mutex_unlock(&link->lock);
    remoteLinkReadable(-1, -1, 0, link);
    remoteLinkTell(link);
}

/* With an event loop the application hears of the loss from there only. */
VIRT_INTERNAL void
remoteLinkSettle(struct remoteLink *link)
{
    bool stale, tell;

    pthread_mutex_lock(&link->lock);
    remoteLinkDeliver(link);
    tell = link->state == REMOTE_LINK_LOST && !link->told && !link->closed && !link->opening;
    stale = link->loopStale;
    pthread_mutex_unlock(&link->lock);
    if (stale && virEventLoopIsRegistered())
        remoteLinkSyncLoop(link);
    else if (tell && !virEventLoopIsRegistered())
        remoteLinkTell(link);
}

/* ---------- from connect to close ---------- */

VIRT_INTERNAL void
remoteLinkUnref(void *opaque)
{
    struct remoteLink *link = opaque;
    struct remoteCall *call;

    if (link == NULL || atomic_fetch_sub(&link->refs, 1) > 1)
        return;
    if (link->socket >= 0 && link->pid == getpid())
        nn_close(link->socket);
    while ((call = link->calls) != NULL) {
        link->calls = call->next;
        remoteCallFree(call);
    }
    while ((call = link->news) != NULL) {
        link->news = call->next;
        remoteCallFree(call);
    }
    for (int i = 0; i < 2; i++) {
        if (link->wake[i] >= 0)
            close(link->wake[i]);
        if (link->newsPipe[i] >= 0)
            close(link->newsPipe[i]);
    }
#if VIRT_WITH_NOISE
    remoteNoiseClientFree(link->noise);
#endif
    virFreeError(link->refusal);
    virEventHubFree(link->hub);
    cJSON_Delete(link->hello);
    pthread_mutex_destroy(&link->loopLock);
    pthread_mutex_destroy(&link->lock);
    free(link->session);
    free(link->wanted);
    free(link->why);
    free(link->uri);
    free(link->served);
    free(link->path);
    free(link->who);
    free(link->address);
    free(link);
}

static struct remoteLink *
remoteLinkNew(virConnectPtr conn, const struct remoteLinkOptions *options)
{
    struct remoteLink *link = virAllocate(sizeof(*link));

    if (link == NULL)
        return NULL;
    atomic_init(&link->refs, 1);
    link->pid = getpid();
    link->socket = link->whoFd = link->watchReceive = link->watchWho = link->watchedWho = link->timer = -1;
    link->wake[0] = link->wake[1] = link->newsPipe[0] = link->newsPipe[1] = -1;
    link->callsEnd = &link->calls;
    link->newsEnd = &link->news;
    link->conn = conn;
    link->readOnly = conn->readOnly;
    link->grace = options->grace * 1000 * REMOTE_MS;
    link->partSize = REMOTE_PART;
    link->parallel = 1;
    link->opening = true;
    link->tunnel = options->tunnel;
    link->tunnelOpaque = options->tunnelOpaque;
#if VIRT_WITH_NOISE
    link->noise = options->noise;
#endif
    pthread_mutex_init(&link->lock, NULL);
    pthread_mutex_init(&link->loopLock, NULL);
    if ((link->uri = virStringCopy(conn->uri)) == NULL || (link->served = virStringCopy(options->served)) == NULL
        || (link->address = virStringCopy(options->address)) == NULL || (link->hub = virEventHubNew()) == NULL
        || (options->path != NULL && ((link->path = virStringCopy(options->path)) == NULL
                                      || (link->who = virStringFormat("%s.who", options->path)) == NULL))) {
        remoteLinkUnref(link);
        return NULL;
    }
    return link;
}

static int
remoteLinkSetOption(struct remoteLink *link, int option, int value)
{
    return nn_setsockopt(link->socket, NN_SOL_SOCKET, option, &value, sizeof(value));
}

static int
remoteLinkConnect(struct remoteLink *link, const char *where)
{
    size_t size = sizeof(int);

    if (virPlatformWakeOpen(link->wake) < 0)
        return virReportSystemError(errno, "%s: no descriptors", link->uri);
    if ((link->socket = nn_socket(AF_SP_RAW, NN_REQ)) < 0 || remoteLinkSetOption(link, NN_RCVMAXSIZE, REMOTE_LINK_MESSAGE) < 0
        || remoteLinkSetOption(link, NN_SNDBUF, REMOTE_BUFFER) < 0 || remoteLinkSetOption(link, NN_RCVBUF, REMOTE_BUFFER) < 0
        || remoteLinkSetOption(link, NN_RECONNECT_IVL, 20) < 0 || remoteLinkSetOption(link, NN_RECONNECT_IVL_MAX, 500) < 0
        || nn_getsockopt(link->socket, NN_SOL_SOCKET, NN_RCVFD, &link->receiveFd, &size) < 0
        || nn_getsockopt(link->socket, NN_SOL_SOCKET, NN_SNDFD, &link->sendFd, &size) < 0
        || (link->endpoints[0] = nn_connect(link->socket, link->address)) < 0)
        return virReportError(VIR_ERR_RPC, "%s: cannot connect to '%s': %s", link->uri, where, nn_strerror(nn_errno()));
    link->nendpoints = 1;
    return 0;
}

VIRT_INTERNAL struct remoteLink *
remoteLinkOpen(virConnectPtr conn, const struct remoteLinkOptions *options)
{
    struct remoteLink *link = remoteLinkNew(conn, options);
    bool up;

    if (link == NULL || remoteLinkConnect(link, options->where) < 0) {
#if VIRT_WITH_NOISE
        if (link == NULL)
            remoteNoiseClientFree(options->noise);
#endif
        remoteLinkUnref(link);
        return NULL;
    }
    pthread_mutex_lock(&link->lock);
    link->stepAt = link->heardAt = link->connectedAt = virTimeNowUs();
    link->giveUpAt = link->stepAt + options->opening * 1000 * REMOTE_MS;
    remoteLinkTick(link, link->stepAt);
    while (link->state != REMOTE_LINK_UP && link->state != REMOTE_LINK_LOST)
        remoteLinkWaitStep(link, NULL, 0);
    up = link->state == REMOTE_LINK_UP;
    pthread_mutex_unlock(&link->lock);
    if (up)
        return link;
    if (link->refusal != NULL)
        virSetLastError(link->refusal);
    else
        virReportError(VIR_ERR_RPC, "%s: the server at '%s' has not answered within %u s", link->uri,
                       options->where, options->opening);
    remoteLinkClose(link);
    return NULL;
}

VIRT_INTERNAL void
remoteLinkClose(struct remoteLink *link)
{
    bool up;

    if (link->pid != getpid()) {
        /* a forked child: everything of nanomsg's and of the event loop's is the parent's; a lock may be held by a thread that is not here */
        if (link->whoFd >= 0)
            close(link->whoFd);
        return;
    }
    remoteCarryEnd(link);
    /* answered at once, or whatever: closing PATH.who says the same, and a session that is not used expires */
    pthread_mutex_lock(&link->lock);
    up = link->state == REMOTE_LINK_UP;
    pthread_mutex_unlock(&link->lock);
    if (up) {
        virErrorPtr before = virSaveLastError();

        cJSON_Delete(remoteLinkAsk(link, "virt.bye", cJSON_CreateObject(), virTimeNowUs() + REMOTE_GOODBYE));
        virRestoreLastError(before);
    }
    pthread_mutex_lock(&link->lock);
    link->closed = true;
    link->conn = NULL;
    remoteLinkCloseWho(link);
    pthread_mutex_unlock(&link->lock);
    if (virEventLoopIsRegistered())
        remoteLinkSyncLoop(link);
    remoteLinkUnref(link);
}

VIRT_INTERNAL int
remoteLinkIsAlive(struct remoteLink *link)
{
    bool alive;

    if (remoteLinkCheckProcess(link) < 0)
        return -1;
    pthread_mutex_lock(&link->lock);
    remoteLinkPump(link);
    alive = link->state != REMOTE_LINK_LOST;
    pthread_mutex_unlock(&link->lock);
    remoteLinkSettle(link);
    return alive;
}

#undef REMOTE_MS
#undef REMOTE_CONNECT
#undef REMOTE_RETRY
#undef REMOTE_STEP
#undef REMOTE_GOODBYE
#undef REMOTE_PART
#undef REMOTE_BUFFER
#undef VIRT_FROM

#endif
