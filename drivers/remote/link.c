/*
 * Calls under way. See link.h for the idea; this file has, in this order: calls, sending, what arrives, waiting, and what a stub calls.
 *
 * A call is sent once. If the server is silent for a second it is asked about it (virt.ask), which is safe at any time: it answers with
 * the reply, or that the call is running, or that it never heard of it; only then it is sent again. What cannot be asked about any more,
 * because the session has gone with the server, ends with an error that says so, unless it may be carried out twice.
 *
 * The one who reads gives each message, as it came, to the call that it is for, by the number in nanomsg's header: the text is parsed by
 * the thread that waits for it.
 */
#include "link.h"

#if VIRT_WITH_REMOTE

#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_SECOND   1000000ull                /* us, as all times here */
#define REMOTE_FIGURES (REMOTE_SECOND / 5)       /* us that a migration's figures are waited for, at most */
#define REMOTE_ASK      (1 * REMOTE_SECOND)       /* the server is asked about a call after this, */
#define REMOTE_ASK_MOST (5 * REMOTE_SECOND)       /* then less often, up to this */
#define REMOTE_POLL     (10 * REMOTE_SECOND)      /* virt.events is answered within this */
#define REMOTE_DEAF     (15 * REMOTE_SECOND)      /* who has heard nothing for this long asks over another connection */
#define REMOTE_SILENCE  (60 * REMOTE_SECOND)      /* a server that says nothing at all for this long does not answer */
#define REMOTE_UNTAKEN  (60 * REMOTE_SECOND)      /* the reply of a phase that nobody calls again is dropped after this */
#define REMOTE_DOCUMENT (256ull << 20)            /* bytes of a reply in parts */
#define REMOTE_PULLS    3                         /* how often its parts are fetched before it is given up */

/* ---------- calls ---------- */

static void
remoteBodyFree(struct remoteBody *body)
{
    if (body->text == NULL)
        return;
    if (body->own)
        free(body->text);
    else
        nn_freemsg(body->text);
    body->text = NULL;
}

/* Takes params over; NULL (a failure that has been reported) gives NULL. */
VIRT_INTERNAL struct remoteCall *
remoteCallNew(const struct remoteMethod *method, const char *name, char *params)
{
    struct remoteCall *call = params != NULL ? virAllocate(sizeof(*call)) : NULL;

    if (call == NULL) {
        free(params);
        return NULL;
    }
    call->method = method;
    call->name = name;
    call->params = params;
    call->length = strlen(params);
    virPlatformCondInit(&call->changed);
    return call;
}

VIRT_INTERNAL void
remoteCallFree(struct remoteCall *call)
{
    if (call == NULL)
        return;
    remoteBodyFree(&call->body);
    pthread_cond_destroy(&call->changed);
    remoteStreamUnref(call->stream);
    free(call->migration);
    free(call->params);
    free(call);
}

static bool
remoteCallIsUnderWay(const struct remoteCall *call)
{
    return call->method != NULL && (call->state == REMOTE_CALL_SENT || call->state == REMOTE_CALL_HELD);
}

/* The only place where a call's state changes once it is in the list: the server's limit is counted by it. */
static void
remoteCallTurn(struct remoteLink *link, struct remoteCall *call, int state)
{
    link->underWay -= remoteCallIsUnderWay(call);
    call->state = state;
    link->underWay += remoteCallIsUnderWay(call);
    if (state == REMOTE_CALL_OVER)
        call->overAt = virTimeNowUs();
}

static void
remoteLinkAppend(struct remoteLink *link, struct remoteCall *call)
{
    call->id = ++link->lastId;
    call->next = NULL;
    *link->callsEnd = call;
    link->callsEnd = &call->next;
}

VIRT_INTERNAL void
remoteLinkAdd(struct remoteLink *link, struct remoteCall *call)
{
    remoteLinkAppend(link, call);
    call->generation = link->generation;
    call->sentAt = virTimeNowUs();
    remoteLinkPush(link);
}

static void
remoteLinkUnlink(struct remoteLink *link, struct remoteCall *call)
{
    struct remoteCall **at = &link->calls;

    while (*at != call)
        at = &(*at)->next;
    if ((*at = call->next) == NULL)
        link->callsEnd = at;
}

VIRT_INTERNAL void
remoteLinkRemove(struct remoteLink *link, struct remoteCall *call)
{
    remoteCallTurn(link, call, REMOTE_CALL_OVER);
    remoteLinkUnlink(link, call);
    if ((call->method != NULL || call->kept) && call->sends > 0 && link->ndone < REMOTE_LINK_DONE)
        link->done[link->ndone++] = call->id;
}

VIRT_INTERNAL void
remoteLinkRenumber(struct remoteLink *link, struct remoteCall *call)
{
    remoteCallTurn(link, call, REMOTE_CALL_WAITS);
    remoteLinkUnlink(link, call);
    remoteBodyFree(&call->body);
    call->subId = 0;
    call->sends = 0;
    remoteLinkAppend(link, call);
}

/* A call of this session's own is over: whoever made it takes it out of the list. */
static void
remoteLinkTook(struct remoteLink *link, struct remoteCall *call)
{
    remoteLinkRemove(link, call);
    call->took(link, call);
}

/* A phase's caller may wait for a descriptor that somebody else has emptied. */
static void
remoteLinkNews(struct remoteLink *link)
{
    if (link->newsPipe[0] >= 0)
        virPlatformWakeSend(link->newsPipe);
}

/* The call has something for its caller. */
static void
remoteLinkSignal(struct remoteLink *link, struct remoteCall *call)
{
    if (call->took != NULL)
        remoteLinkTook(link, call);
    else if (call->pending && !call->aside)
        remoteLinkNews(link);
    else if (call->follows)
        pthread_cond_signal(&call->changed);
}

VIRT_INTERNAL void
remoteLinkEndCall(struct remoteLink *link, struct remoteCall *call, enum remoteCallFailure failure)
{
    remoteCallTurn(link, call, REMOTE_CALL_OVER);
    call->failure = failure;
    remoteLinkSignal(link, call);
}

/* ---------- sending ---------- */

/* What has been answered up to here need not be kept for us any more. */
static unsigned long long
remoteLinkSeen(const struct remoteLink *link, unsigned long long id)
{
    const struct remoteCall *call = link->calls;

    while (call != NULL && ((call->method == NULL && !call->kept) || call->state == REMOTE_CALL_OVER))
        call = call->next;
    return (call != NULL && call->id < id ? call->id : id) - 1;
}

/* The same as JSON: with a call that takes long, those after it are named one by one. */
static void
remoteLinkFormatSeen(struct remoteLink *link, unsigned long long id, char *text, size_t size)
{
    unsigned long long seen = remoteLinkSeen(link, id);
    size_t length;

    for (size_t i = 0; i < link->ndone;)
        if (link->done[i] <= seen)
            link->done[i] = link->done[--link->ndone];
        else
            i++;
    length = (size_t)snprintf(text, size, link->ndone > 0 ? "[%llu" : "%llu", seen);
    for (size_t i = 0; i < link->ndone; i++)
        length += (size_t)snprintf(text + length, size - length, i + 1 < link->ndone ? ",%llu" : ",%llu]", link->done[i]);
    link->ndone = 0;                  /* should this message be lost, they are kept there until the long one is over */
}

#if VIRT_WITH_NOISE
static bool
remoteLinkTransmitSealed(struct remoteLink *link, unsigned long long id, const char *head, size_t headLength, const char *body,
                         size_t bodyLength)
{
    unsigned char *record = NULL;
    size_t length = 0;
    char *text = malloc(headLength + bodyLength + 1);
    bool sent = false;
    int rc;

    if ((link->starved = text == NULL))
        return false;
    memcpy(text, head, headLength);
    memcpy(text + headLength, body, bodyLength);
    text[headLength + bodyLength] = '}';
    if ((rc = remoteNoiseClientSeal(link->noise, text, headLength + bodyLength + 1, &record, &length)) > 0)
        sent = remoteLinkTransmit(link, id, record, length, NULL, 0);
    link->starved = rc < 0;
    free(record);
    free(text);
    return sent;
}
#endif

VIRT_INTERNAL bool
remoteLinkTransmit(struct remoteLink *link, unsigned long long id, const void *head, size_t headLength, const void *body, size_t bodyLength)
{
    union { size_t align; unsigned char bytes[NN_CMSG_SPACE(sizeof(size_t) + 4)]; } control = { 0 };
    struct nn_cmsghdr *header = (struct nn_cmsghdr *)control.bytes;
    unsigned char *data = NN_CMSG_DATA(header);
    size_t four = 4;
    struct nn_iovec parts[3] = { { (void *)(uintptr_t)head, headLength }, { (void *)(uintptr_t)body, bodyLength }, { (void *)"}", 1 } };
    struct nn_msghdr message = { parts, bodyLength > 0 ? 3 : 1, control.bytes, sizeof(control.bytes) };

    header->cmsg_len = NN_CMSG_LEN(sizeof(size_t) + 4);
    header->cmsg_level = PROTO_SP;
    header->cmsg_type = SP_HDR;
    memcpy(data, &four, sizeof(four));
    data += sizeof(four);
    for (int i = 0; i < 4; i++)
        data[i] = (unsigned char)(id >> (24 - 8 * i));
    data[0] |= 0x80;
    while (nn_sendmsg(link->socket, &message, NN_DONTWAIT) < 0) {
        if (nn_errno() == EINTR)
            continue;
        if (nn_errno() != EAGAIN)
            remoteLinkLose(link, VIR_CONNECT_CLOSE_REASON_ERROR, nn_strerror(nn_errno()));
        return false;
    }
    return true;
}

/* One request; false: not now. */
static bool
remoteLinkSend(struct remoteLink *link, unsigned long long id, const char *name, const char *params, size_t length)
{
    char head[256 + 21 * (REMOTE_LINK_DONE + 1)], seen[21 * (REMOTE_LINK_DONE + 1) + 3];
    bool sent;
    int n;

    if (link->session != NULL) {
        remoteLinkFormatSeen(link, id, seen, sizeof(seen));
        n = snprintf(head, sizeof(head), "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"seen\":%s,\"method\":\"%s\",\"params\":",
                     id, link->session, seen, name);
    } else {
        n = snprintf(head, sizeof(head), "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\",\"params\":", id, name);
    }
    if (n < 0 || (size_t)n >= sizeof(head))
        return false;
#if VIRT_WITH_NOISE
    if (link->noise != NULL)
        sent = remoteLinkTransmitSealed(link, id, head, (size_t)n, params, length);
    else
#endif
        sent = remoteLinkTransmit(link, id, head, (size_t)n, params, length);
    link->stuck = !sent;
    return sent;
}

/* Whether the request is too long for one message: its caller sends it in parts then. */
static bool
remoteCallIsLong(const struct remoteLink *link, const struct remoteCall *call)
{
    return call->method != NULL && call->length + 256 > link->partSize;
}

static void
remoteCallSent(struct remoteLink *link, struct remoteCall *call)
{
    call->sentAt = virTimeNowUs();
    call->askEvery = call->mayTakeLong ? REMOTE_POLL + REMOTE_ASK_MOST : REMOTE_ASK;
    call->askAt = call->sentAt + call->askEvery;
    call->generation = link->generation;
    call->sends++;
    remoteCallTurn(link, call, REMOTE_CALL_SENT);
}

VIRT_INTERNAL void
remoteLinkPush(struct remoteLink *link)
{
    struct remoteCall *call;

    if (link->state != REMOTE_LINK_UP && link->state != REMOTE_LINK_HELLO)
        return;
    for (call = link->calls; call != NULL; call = call->next) {
        if (call->state != REMOTE_CALL_WAITS || remoteCallIsLong(link, call))
            continue;
        if (link->state == REMOTE_LINK_HELLO && call->took == NULL)
            continue;                 /* everything else waits for the session */
        if (call->method != NULL && link->underWay >= link->parallel)
            continue;
        if (!remoteLinkSend(link, call->id, call->name, call->params, call->length)) {
            if (link->starved) {
                remoteLinkEndCall(link, call, REMOTE_CALL_STARVED);
                continue;
            }
            if (link->reading && link->stuck)
                virPlatformWakeSend(link->wake);
            return;
        }
        remoteCallSent(link, call);
    }
}

/* The server has not said anything for so long, to this call or to any. */
static bool
remoteLinkIsSilent(const struct remoteLink *link, const struct remoteCall *call, unsigned long long now, unsigned long long silence)
{
    unsigned long long since = call->sentAt > link->heardAt ? call->sentAt : link->heardAt;

    return now > since + silence;
}

/* Asks about a call that was sent; what may be carried out twice is simply sent again. */
static void
remoteLinkAskAgain(struct remoteLink *link, struct remoteCall *call, unsigned long long now)
{
    char params[48];
    int n;

    if (!call->mayTakeLong && remoteLinkIsSilent(link, call, now, REMOTE_DEAF))
        remoteLinkConnectAnew(link, now);
    call->askEvery = call->askEvery * 2 < REMOTE_ASK_MOST || call->mayTakeLong ? call->askEvery * 2 : REMOTE_ASK_MOST;
    call->askAt = now + call->askEvery;
    if (call->method == NULL) {
        if (remoteLinkSend(link, call->id, call->name, call->params, call->length))
            call->sends++;
        return;
    }
    n = snprintf(params, sizeof(params), "{\"call\":%llu}", call->id);
    if (remoteLinkSend(link, link->lastId + 1, "virt.ask", params, (size_t)n))
        call->subId = ++link->lastId;
}

/* ---------- what arrives ---------- */

static struct remoteCall *
remoteLinkFind(struct remoteLink *link, unsigned long long id, bool *sub)
{
    for (struct remoteCall *call = link->calls; call != NULL; call = call->next) {
        *sub = call->subId == id;
        if (call->id == id || *sub)
            return call;
    }
    return NULL;
}

/*
 * The header has 31 bits of the id, and is not covered by encryption: whoever parses the text looks at the id in there. A reply that the
 * server sends with the header of another request, as that to a call which came in parts, is found by the text.
 */
static struct remoteCall *
remoteLinkFindByHeader(struct remoteLink *link, unsigned long long low, bool *sub)
{
    for (struct remoteCall *call = link->calls; call != NULL; call = call->next) {
        *sub = call->subId != 0 && (call->subId & 0x7fffffff) == low;
        if ((call->id & 0x7fffffff) == low || *sub)
            return call;
    }
    return NULL;
}

static struct remoteCall *
remoteLinkFindByText(struct remoteLink *link, const struct remoteBody *body, bool *sub)
{
    cJSON *message = virJsonParse(body->text, body->length, "the server");
    unsigned long long id = 0;
    struct remoteCall *call = NULL;

    if (message != NULL && virJsonULongLong(message, "id", &id) == 0 && id != 0)
        call = remoteLinkFind(link, id, sub);
    cJSON_Delete(message);
    return call;
}

/* Gives the message to the call it is for; takes it over. */
static void
remoteLinkTakeBody(struct remoteLink *link, unsigned long long low, struct remoteBody *body)
{
    bool sub = false;
    struct remoteCall *call = remoteLinkFindByHeader(link, low, &sub);

    link->heardAt = virTimeNowUs();
    link->unanswered = 0;
    if (call == NULL || call->state == REMOTE_CALL_HELD)
        call = remoteLinkFindByText(link, body, &sub);
    if (call == NULL || call->state == REMOTE_CALL_HELD || call->state == REMOTE_CALL_WAITS || call->failure != REMOTE_CALL_GOES_ON
        || (call->body.text != NULL && sub)) {
        remoteBodyFree(body);         /* late, or said twice */
        return;
    }
    /* the reply itself is better than an answer about it that nobody has read yet */
    remoteBodyFree(&call->body);
    call->body = *body;
    remoteCallTurn(link, call, REMOTE_CALL_OVER);
    remoteLinkSignal(link, call);
}

#if VIRT_WITH_NOISE
/* Opens a record; false: there is no text in it for a call. */
static bool
remoteLinkOpenRecord(struct remoteLink *link, struct remoteBody *body)
{
    virErrorPtr before = virSaveLastError();
    char *text = NULL;
    size_t length = 0;
    enum remoteNoiseTaken taken = remoteNoiseClientTake(link->noise, body->text, body->length, &text, &length);

    remoteBodyFree(body);
    if (taken == REMOTE_NOISE_TEXT)
        *body = (struct remoteBody){ text, length, true };
    else
        remoteLinkTakeSecret(link, taken);
    virRestoreLastError(before);
    return taken == REMOTE_NOISE_TEXT;
}
#endif

/* One message, if there is one. */
static bool
remoteLinkReceive(struct remoteLink *link)
{
    union { size_t align; unsigned char bytes[256]; } control;
    struct remoteBody body = { NULL, 0, false };
    struct nn_iovec part = { &body.text, NN_MSG };
    struct nn_msghdr message = { &part, 1, control.bytes, sizeof(control.bytes) };
    struct nn_cmsghdr *header;
    unsigned long long low = 0;
    size_t length = 0;
    int n;

    if ((n = nn_recvmsg(link->socket, &message, NN_DONTWAIT)) < 0) {
        if (nn_errno() != EAGAIN && nn_errno() != EINTR)
            remoteLinkLose(link, VIR_CONNECT_CLOSE_REASON_ERROR, nn_strerror(nn_errno()));
        return false;
    }
    body.length = (size_t)n;
    header = NN_CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == PROTO_SP && header->cmsg_type == SP_HDR) {
        const unsigned char *data = NN_CMSG_DATA(header);

        memcpy(&length, data, sizeof(length));
        data += sizeof(length);
        for (size_t i = 0; length == 4 && i < 4; i++)
            low = low << 8 | data[i];
    }
#if VIRT_WITH_NOISE
    if (link->noise != NULL && !remoteLinkOpenRecord(link, &body))
        return true;
#endif
    remoteLinkTakeBody(link, low & 0x7fffffff, &body);
    return true;
}

/* Takes in messages until there are none, or until the call has what it waits for: the rest is for others. */
static void
remoteLinkDrain(struct remoteLink *link, const struct remoteCall *call)
{
    while (link->state != REMOTE_LINK_LOST && !(call != NULL && call->state == REMOTE_CALL_OVER) && remoteLinkReceive(link))
        ;
}

VIRT_INTERNAL void
remoteLinkPump(struct remoteLink *link)
{
    if (link->reading || link->state == REMOTE_LINK_LOST)
        return;
    remoteLinkDrain(link, NULL);
    remoteLinkTakeWho(link);
    remoteLinkTick(link, virTimeNowUs());
}

/* ---------- waiting ---------- */

static unsigned long long
remoteEarlier(unsigned long long a, unsigned long long b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* When something is due about this call; 0: never. */
static unsigned long long
remoteCallDue(const struct remoteLink *link, const struct remoteCall *call)
{
    if (call->state == REMOTE_CALL_SENT && link->state == REMOTE_LINK_UP)
        return call->askAt;
    if (call->state == REMOTE_CALL_WAITS && link->state == REMOTE_LINK_UP)
        return (call->sentAt > link->heardAt ? call->sentAt : link->heardAt) + REMOTE_SILENCE;
    if (call->state == REMOTE_CALL_OVER && call->pending)
        return call->overAt + REMOTE_UNTAKEN;
    return 0;
}

VIRT_INTERNAL unsigned long long
remoteLinkDue(struct remoteLink *link)
{
    unsigned long long due = remoteLinkSessionDue(link);

    for (struct remoteCall *call = link->calls; call != NULL; call = call->next)
        due = remoteEarlier(due, remoteCallDue(link, call));
    return due;
}

VIRT_INTERNAL void
remoteLinkTick(struct remoteLink *link, unsigned long long now)
{
    struct remoteCall *call, *next;

    remoteLinkSessionTick(link, now);
    for (call = link->calls; call != NULL; call = next) {
        unsigned long long due = remoteCallDue(link, call);

        next = call->next;
        if (due == 0 || due > now)
            continue;
        if (call->state == REMOTE_CALL_OVER) {
            remoteLinkRemove(link, call);
            remoteCallFree(call);
        } else if (call->state == REMOTE_CALL_WAITS || remoteLinkIsSilent(link, call, now, REMOTE_SILENCE)) {
            /* one that is to be sent again may have been heard after all */
            remoteLinkEndCall(link, call, call->state == REMOTE_CALL_WAITS && call->sends == 0 ? REMOTE_CALL_UNSENT : REMOTE_CALL_SILENCE);
            break;                                /* the list may have changed under us: the rest the next time */
        } else {
            remoteLinkAskAgain(link, call, now);
        }
    }
    remoteLinkPush(link);
}

/* Whoever is left waiting without one that reads has to read. */
static void
remoteLinkHandOn(struct remoteLink *link)
{
    struct remoteCall *call;

    for (call = link->calls; call != NULL && !link->reading; call = call->next) {
        if (!call->follows || call->state == REMOTE_CALL_OVER)
            continue;
        pthread_cond_signal(&call->changed);
        return;
    }
}

VIRT_INTERNAL void
remoteLinkAddWaiter(struct remoteLink *link, struct remoteCall *waiter)
{
    remoteLinkAppend(link, waiter);
    remoteCallTurn(link, waiter, REMOTE_CALL_HELD);
}

VIRT_INTERNAL void
remoteLinkRemoveWaiter(struct remoteLink *link, struct remoteCall *waiter)
{
    remoteCallTurn(link, waiter, REMOTE_CALL_OVER);
    remoteLinkUnlink(link, waiter);
    remoteLinkHandOn(link);
}

VIRT_INTERNAL void
remoteLinkWakeWaiters(struct remoteLink *link, const struct remoteStream *stream)
{
    for (struct remoteCall *call = link->calls; call != NULL; call = call->next) {
        if (call->stream != stream || call->took != NULL || call->state != REMOTE_CALL_HELD)
            continue;
        remoteCallTurn(link, call, REMOTE_CALL_OVER);
        if (call->follows)
            pthread_cond_signal(&call->changed);
        else if (link->reading)       /* it may be the one who reads */
            virPlatformWakeSend(link->wake);
    }
}

static int
remoteMilliseconds(unsigned long long now, unsigned long long until)
{
    unsigned long long ms;

    if (until == 0)
        return -1;
    ms = until <= now ? 0 : (until - now + 999) / 1000;
    return ms > 60000 ? 60000 : (int)ms;
}

static void
remoteLinkFollow(struct remoteLink *link, struct remoteCall *call, unsigned long long end)
{
    unsigned long long due = remoteEarlier(end, remoteCallDue(link, call));

    call->follows = true;
    if (virPlatformCondWait(&call->changed, &link->lock, due) == ETIMEDOUT)
        remoteLinkTick(link, virTimeNowUs());
    call->follows = false;
}

VIRT_INTERNAL void
remoteLinkWaitStep(struct remoteLink *link, struct remoteCall *call, unsigned long long end)
{
    struct pollfd fds[4] = { { .fd = link->receiveFd, .events = POLLIN }, { .fd = link->wake[0], .events = POLLIN } };
    unsigned long long now;
    nfds_t n = 2;
    int who = -1, ms;

    if (link->reading) {
        remoteLinkFollow(link, call, end);
        return;
    }
    if (link->whoFd >= 0) {
        who = (int)n;
        fds[n++] = (struct pollfd){ .fd = link->whoFd, .events = POLLIN };
    }
    if (link->stuck)
        fds[n++] = (struct pollfd){ .fd = link->sendFd, .events = POLLIN };
    now = virTimeNowUs();
    ms = remoteMilliseconds(now, remoteEarlier(end, remoteLinkDue(link)));
    if (link->stuck && (ms < 0 || ms > 500))
        ms = 500;                     /* nothing can be sent: the other end may not be there */
    link->reading = true;
    pthread_mutex_unlock(&link->lock);
    if (poll(fds, n, ms) < 0)
        fds[0].revents = fds[1].revents = 0;
    pthread_mutex_lock(&link->lock);
    link->reading = false;
    if (fds[1].revents != 0)
        virPlatformWakeDrain(link->wake);
    if (fds[0].revents != 0)
        remoteLinkDrain(link, call);
    if (who >= 0 && fds[who].revents != 0)
        remoteLinkTakeWho(link);
    if (call == NULL || call->state != REMOTE_CALL_OVER)
        remoteLinkTick(link, virTimeNowUs());
}

/* ---------- replies ---------- */

static int
remoteErrorCode(const cJSON *message)
{
    int code = 0;

    return virJsonInt(virJsonGet(message, "error"), "code", &code) < 0 ? 0 : code;
}

VIRT_INTERNAL void
remoteLinkReportReply(const struct remoteLink *link, const char *name, const cJSON *error)
{
    const char *text = virJsonString(error, "message");
    int code = 0;

    if (text == NULL)
        text = "without a reason";
    if (virJsonInt(error, "code", &code) == 0 && code > 0)
        remoteErrorParse(error);
    else if (code == REMOTE_BAD_METHOD)
        virReportError(VIR_ERR_NO_SUPPORT, "%s (the server of %s has no such call: %s)", name, link->uri, text);
    else if (code == REMOTE_BAD_PARAMS)
        virReportError(VIR_ERR_INVALID_ARG, "%s: the server of %s does not understand the arguments: %s", name, link->uri, text);
    else if (code == REMOTE_TOO_MUCH)
        virReportError(VIR_ERR_RESOURCE_BUSY, "%s: beyond a limit of the server of %s: %s", name, link->uri, text);
    else
        virReportError(VIR_ERR_RPC, "%s: the server of %s refuses: %s", name, link->uri, text);
}

/* Why there is no reply. Lock held. */
static void
remoteLinkReportFailure(const struct remoteLink *link, const struct remoteCall *call)
{
    const char *why = link->why != NULL ? link->why : "the server takes nothing";

    if (call->failure == REMOTE_CALL_UNKNOWN)
        virReportError(VIR_ERR_RPC, "connection to the server was lost during %s: whether it was carried out is not known (%s)", call->name,
                       link->uri);
    else if (call->failure == REMOTE_CALL_SILENCE)
        virReportError(VIR_ERR_RPC, "the server has not answered %s within %llu s: whether it was carried out is not known (%s)",
                       call->name, REMOTE_SILENCE / REMOTE_SECOND, link->uri);
    else if (call->failure == REMOTE_CALL_BROKEN)
        virReportError(VIR_ERR_RPC, "the answer of the server to %s makes no sense: whether it was carried out is not known (%s)",
                       call->name, link->uri);
    else if (call->failure == REMOTE_CALL_STARVED)
        virReportNoMemory();
    else
        virReportError(VIR_ERR_RPC, "%s was not carried out over %s: %s", call->name, link->uri, why);
}

/* The session that the call was sent under is not known any more. Lock held. */
static void
remoteLinkCallWithout(struct remoteLink *link, struct remoteCall *call, bool refused)
{
    bool again = call->method == NULL || call->method->repeats || (refused && call->sends == 1);
    unsigned int generation = call->generation;

    if (link->state == REMOTE_LINK_UP && generation == link->generation)
        remoteLinkRenew(link, "the server does not know the session any more");
    if (link->state == REMOTE_LINK_LOST)
        call->failure = again ? REMOTE_CALL_UNSENT : REMOTE_CALL_UNKNOWN;
    else if (again)
        remoteLinkRenumber(link, call);
    else
        call->failure = REMOTE_CALL_UNKNOWN;
}

/* The rest of a long reply, one part after the other. Takes over message; the whole one, or NULL: it is to be asked for again. */
static cJSON *
remoteLinkPullParts(struct remoteLink *link, const struct remoteCall *call, cJSON *message)
{
    struct virText whole = { 0 };
    unsigned long long total = 0, offset = 0;
    const char *part;
    char *text;
    cJSON *at = message;

    while (at != NULL) {
        unsigned long long t = 0;

        if ((part = virJsonString(at, "part")) == NULL || virJsonULongLong(at, "offset", &t) < 0 || t != offset
            || virJsonULongLong(at, "total", &t) < 0 || (offset > 0 && t != total) || t > REMOTE_DOCUMENT || *part == '\0')
            break;
        total = t;
        virTextAppend(&whole, part, strlen(part));
        if ((offset += strlen(part)) >= total)
            break;
        cJSON_Delete(message);
        message = remoteLinkAsk(link, "virt.more", virJsonObject("u:call", call->id, "u:offset", offset, NULL), 0);
        at = virJsonGet(message, "result");
        if (virJsonGet(at, "part") == NULL && virJsonGet(message, "part") != NULL)
            at = message;
    }
    cJSON_Delete(message);
    message = NULL;
    if (offset == total && total > 0 && (text = virTextTake(&whole)) != NULL) {
        message = virJsonParse(text, offset, "the server");
        free(text);
    } else {
        virTextFree(&whole);
    }
    return message;
}

/* The request in parts; the last one makes it whole. 0, or -1 with the error set. */
static int
remoteLinkPushParts(struct remoteLink *link, struct remoteCall *call)
{
    struct virText text = { 0 };
    char *whole, *part;
    size_t length, n;
    int rc = 0;

    pthread_mutex_lock(&link->lock);
    if (link->session != NULL)
        virTextAdd(&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"session\":\"%s\",\"seen\":%llu,\"method\":\"%s\",\"params\":%s}", call->id,
                   link->session, remoteLinkSeen(link, call->id), call->name, call->params);
    pthread_mutex_unlock(&link->lock);
    if (text.data == NULL || (whole = virTextTake(&text)) == NULL)
        return -1;
    length = strlen(whole);
    for (size_t offset = 0; offset < length && rc == 0; offset += n) {
        cJSON *answer = NULL;

        n = length - offset < link->partSize ? length - offset : link->partSize;
        while (offset + n < length && n > 1 && ((unsigned char)whole[offset + n] & 0xc0) == 0x80)
            n--;                      /* not within a character */
        if (offset + n == length) {
            pthread_mutex_lock(&link->lock);
            call->sends++;            /* from now on it may be carried out */
            pthread_mutex_unlock(&link->lock);
        }
        if ((part = virStringSlice(whole + offset, n)) != NULL)
            answer = remoteLinkAsk(link, "virt.part", virJsonObject("u:call", call->id, "z:offset", (unsigned long long)offset,
                                                                    "z:total", (unsigned long long)length, "s:text", part, NULL), 0);
        free(part);
        rc = answer != NULL ? 0 : -1;
        if (virJsonGet(answer, "error") != NULL) {
            remoteLinkReportReply(link, call->name, virJsonGet(answer, "error"));
            rc = -1;
        }
        cJSON_Delete(answer);
    }
    free(whole);
    return rc;
}

/* Sends a long request. Lock held, and let go meanwhile. 0, or -1 with the error set: it was not carried out. */
static int
remoteLinkSendLong(struct remoteLink *link, struct remoteCall *call)
{
    virErrorPtr before = virSaveLastError();
    int rc;

    remoteCallSent(link, call);
    call->sends = 0;                  /* until the last part goes */
    call->askAt += REMOTE_SILENCE;
    pthread_mutex_unlock(&link->lock);
    rc = remoteLinkPushParts(link, call);
    pthread_mutex_lock(&link->lock);
    call->askAt = virTimeNowUs() + call->askEvery;
    if (rc < 0 && call->state == REMOTE_CALL_SENT && call->generation == link->generation && link->state == REMOTE_LINK_UP) {
        virFreeError(before);
        return -1;
    }
    virRestoreLastError(before);      /* answered all the same, or the session was lost: the usual way for that */
    return 0;
}

/*
 * What has come for the call, as a whole message; NULL: it makes no sense, or (*part) its parts could not be had. Lock held, let go meanwhile, when
 * more may come.
 */
static cJSON *
remoteLinkRead(struct remoteLink *link, struct remoteCall *call, unsigned long long *id, bool *part)
{
    virErrorPtr before = virSaveLastError();
    unsigned long long callId = call->id, subId = call->subId;
    struct remoteBody body = call->body;
    cJSON *message;

    call->body.text = NULL;
    call->askAt = virTimeNowUs() + call->askEvery;
    remoteCallTurn(link, call, REMOTE_CALL_SENT);
    remoteLinkHandOn(link);
    pthread_mutex_unlock(&link->lock);
    message = virJsonParse(body.text, body.length, "the server");
    remoteBodyFree(&body);
    if (message != NULL && (virJsonULongLong(message, "id", id) < 0 || (*id != callId && (subId == 0 || *id != subId)))) {
        cJSON_Delete(message);
        message = NULL;
    }
    *part = call->method != NULL && (virJsonGet(message, "part") != NULL || virJsonGet(virJsonGet(message, "result"), "part") != NULL);
    if (*part) {
        pthread_mutex_lock(&link->lock);
        remoteCallTurn(link, call, REMOTE_CALL_HELD);
        call->pulls++;
        pthread_mutex_unlock(&link->lock);
        if (virJsonGet(message, "part") == NULL)
            message = cJSON_DetachItemFromObjectCaseSensitive(message, "result");
        message = remoteLinkPullParts(link, call, message);
    }
    virRestoreLastError(before);
    pthread_mutex_lock(&link->lock);
    return message;
}

/* The parts have gone with their session, or are of different replies: they are asked for again. Lock held. */
static void
remoteLinkPullAgain(struct remoteLink *link, struct remoteCall *call)
{
    if (call->state != REMOTE_CALL_HELD)
        return;
    remoteCallTurn(link, call, REMOTE_CALL_SENT);
    if (call->generation != link->generation || link->state != REMOTE_LINK_UP)
        remoteLinkCallWithout(link, call, false);
}

/* Takes what has come for the call. Lock held, let go meanwhile, when more may come. 1: it is the reply; 0: not yet. */
static int
remoteLinkJudge(struct remoteLink *link, struct remoteCall *call, cJSON **reply)
{
    unsigned long long id = call->id, got = 0;
    bool part;
    cJSON *message = remoteLinkRead(link, call, &got, &part);
    int code = remoteErrorCode(message);

    if (part && message == NULL && call->pulls < REMOTE_PULLS) {
        remoteLinkPullAgain(link, call);
        return 0;
    }
    if (message == NULL || (code == 0 && virJsonGet(message, "result") == NULL && virJsonGet(message, "part") == NULL)) {
        cJSON_Delete(message);
        remoteCallTurn(link, call, REMOTE_CALL_OVER);
        call->failure = REMOTE_CALL_BROKEN;
        return 0;
    }
    if (code != REMOTE_IS_RUNNING && code != REMOTE_NOT_HEARD && code != REMOTE_NO_SESSION) {
        *reply = message;
        return 1;
    }
    cJSON_Delete(message);
    if (call->state == REMOTE_CALL_SENT && call->id == id) {       /* else better has come meanwhile */
        if (code == REMOTE_NOT_HEARD)
            remoteCallTurn(link, call, REMOTE_CALL_WAITS);
        else if (code == REMOTE_NO_SESSION)
            remoteLinkCallWithout(link, call, got == id);
    }
    remoteLinkPush(link);
    return 0;
}

/* The calling thread's way through a call. Lock held, let go while it waits. 1: the reply; 0: the time is up; -1: the error is set. */
static int
remoteLinkAwait(struct remoteLink *link, struct remoteCall *call, unsigned long long end, cJSON **reply)
{
    int rc;

    for (;;) {
        if (call->body.text != NULL) {
            if ((rc = remoteLinkJudge(link, call, reply)) != 0)
                break;
            continue;
        }
        if (call->failure != REMOTE_CALL_GOES_ON) {
            remoteLinkReportFailure(link, call);
            rc = -1;
            break;
        }
        if (call->state == REMOTE_CALL_WAITS && link->state == REMOTE_LINK_UP && remoteCallIsLong(link, call)
            && link->underWay < link->parallel) {
            if ((rc = remoteLinkSendLong(link, call)) < 0)
                break;
            continue;
        }
        if (end != 0 && virTimeNowUs() >= end) {
            rc = 0;
            break;
        }
        remoteLinkWaitStep(link, call, end);
    }
    remoteLinkHandOn(link);
    return rc;
}

/* Under way from now on, and waited for, until `end` if that is not 0. As remoteLinkAwait; takes the call over. */
static int
remoteLinkOnce(struct remoteLink *link, struct remoteCall *call, unsigned long long end, cJSON **reply)
{
    int rc = -1;

    pthread_mutex_lock(&link->lock);
    if (link->state == REMOTE_LINK_LOST) {
        call->failure = REMOTE_CALL_UNSENT;
        remoteLinkReportFailure(link, call);
    } else {
        remoteLinkAdd(link, call);
        rc = remoteLinkAwait(link, call, end, reply);
        remoteLinkRemove(link, call);
        remoteLinkPush(link);         /* there may be room for another one now */
    }
    pthread_mutex_unlock(&link->lock);
    remoteCallFree(call);
    return rc;
}

VIRT_INTERNAL cJSON *
remoteLinkAsk(struct remoteLink *link, const char *name, cJSON *params, unsigned long long end)
{
    struct remoteCall *call = remoteCallNew(NULL, name, params != NULL ? virJsonFormat(params) : NULL);
    cJSON *reply = NULL;

    cJSON_Delete(params);
    if (call != NULL)
        remoteLinkOnce(link, call, end, &reply);
    return reply;
}

/* ---------- what a stub calls ---------- */

VIRT_INTERNAL int
remoteLinkCheckProcess(const struct remoteLink *link)
{
    if (link->pid == getpid())
        return 0;
    return virReportError(VIR_ERR_OPERATION_INVALID, "the connection to %s was opened by process %lld, and is of no use in process %lld, which "
                          "was forked from it: open one of its own there", link->uri, (long long)link->pid, (long long)getpid());
}

/* The reply's result, or its error as the thread's. */
static int
remoteLinkResult(const struct remoteLink *link, const char *name, cJSON *reply, cJSON **result)
{
    cJSON *error = virJsonGet(reply, "error");

    if (error == NULL)
        *result = cJSON_DetachItemFromObjectCaseSensitive(reply, "result");
    else
        remoteLinkReportReply(link, name, error);
    cJSON_Delete(reply);
    return error == NULL ? 1 : -1;
}

/* A call that is no phase, with its result. Takes it over. */
static int
remoteLinkRun(struct remoteLink *link, struct remoteCall *call, unsigned long long end, cJSON **result)
{
    const char *name = call->name;
    cJSON *reply = NULL;
    int rc = remoteLinkOnce(link, call, end, &reply);

    if (rc > 0)
        return remoteLinkResult(link, name, reply, result);
    return rc < 0 ? -1 : virReportError(VIR_ERR_OPERATION_TIMEOUT, "the server has not answered %s in time (%s)", name, link->uri);
}

/* ---- phases ---- */

/*
 * A phase that was not over in time goes on at the server; its reply stays here for the next call of the same phase with the same
 * arguments. Whatever else happens than an answer of the server's driver is no answer, and no answer is AGAIN.
 */
static struct remoteCall *
remoteLinkFindPending(struct remoteLink *link, const struct remoteCall *like)
{
    struct remoteCall *call = link->calls;

    while (call != NULL && !(call->pending && call->method == like->method && call->length == like->length
                             && memcmp(call->params, like->params, like->length) == 0))
        call = call->next;
    return call;
}

/* Nobody steps this migration here any more. */
static void
remoteLinkDropPending(struct remoteLink *link, const char *migration)
{
    struct remoteCall *call, *next;

    pthread_mutex_lock(&link->lock);
    for (call = link->calls; call != NULL; call = next) {
        next = call->next;
        if (!call->pending || strcmp(call->migration, migration) != 0)
            continue;
        remoteLinkRemove(link, call);
        remoteCallFree(call);
    }
    pthread_mutex_unlock(&link->lock);
}

/* One round of a phase: takes over *call, and leaves it to the next one if it is not answered. As remoteLinkAwait. */
static int
remoteLinkPhaseRound(struct remoteLink *link, struct remoteCall *call, unsigned long long end, cJSON **reply)
{
    virErrorPtr before = virSaveLastError();
    struct remoteCall *pending;
    int rc = -1;

    pthread_mutex_lock(&link->lock);
    remoteLinkPump(link);
    if ((pending = remoteLinkFindPending(link, call)) != NULL) {
        remoteCallFree(call);
        call = pending;
        call->pending = false;
    } else if (link->state != REMOTE_LINK_LOST) {
        remoteLinkAdd(link, call);
    } else {
        remoteCallFree(call);
        call = NULL;
    }
    if (call != NULL && (rc = remoteLinkAwait(link, call, end, reply)) == 0) {
        call->pending = true;
    } else if (call != NULL) {
        remoteLinkRemove(link, call);
        remoteCallFree(call);
        remoteLinkPush(link);
    }
    pthread_mutex_unlock(&link->lock);
    virRestoreLastError(before);
    return rc;
}

/* Figures are waited for a little, if at all: those of a step that may not wait are what was asked for at the one before. */
static int
remoteLinkRunStats(struct remoteLink *link, struct remoteCall *call, const struct virMigrationCall *phase, cJSON **result)
{
    unsigned long long wait = phase->timeout < 0 ? REMOTE_FIGURES : (unsigned long long)phase->timeout * 1000;
    const char *name = call->name;
    cJSON *reply = NULL;

    if ((call->migration = virStringCopy(phase->uuid)) == NULL) {
        remoteCallFree(call);
        return -1;
    }
    call->aside = true;
    if (remoteLinkPhaseRound(link, call, virTimeNowUs() + (wait < REMOTE_FIGURES ? wait : REMOTE_FIGURES), &reply) > 0)
        return remoteLinkResult(link, name, reply, result);
    return virReportError(VIR_ERR_OPERATION_TIMEOUT, "the server has not answered %s in time (%s)", name, link->uri);
}

/* Whether a phase's reply says something of the phase. */
static bool
remoteReplyIsAnswer(const cJSON *reply)
{
    int rc = 0;

    if (virJsonGet(reply, "error") != NULL)
        return remoteErrorCode(reply) > 0;
    return virJsonInt(virJsonGet(reply, "result"), "return", &rc) == 0 && rc != VIR_MIGRATION_AGAIN;
}

static int
remoteLinkRunPhase(struct remoteLink *link, const struct remoteMethod *method, const char *params, const struct virMigrationCall *phase,
                   cJSON **result)
{
    unsigned long long end = phase->timeout < 0 ? 0 : virTimeNowUs() + (unsigned long long)phase->timeout * 1000;

    for (;;) {
        struct remoteCall *call = remoteCallNew(method, method->name, virStringCopy(params));
        cJSON *reply = NULL;
        int rc, ms;

        if (call != NULL && (call->migration = virStringCopy(phase->uuid)) == NULL) {
            remoteCallFree(call);
            call = NULL;
        }
        if (call == NULL) {
            virResetLastError();      /* no memory now: no answer now */
            return VIR_MIGRATION_AGAIN;
        }
        rc = remoteLinkPhaseRound(link, call, end, &reply);
        if (rc > 0 && remoteReplyIsAnswer(reply))
            return remoteLinkResult(link, method->name, reply, result);
        if (rc > 0 && virJsonGet(reply, "error") == NULL) {
            /* AGAIN, after the time that the server waits */
            cJSON_Delete(reply);
            if (end != 0 && virTimeNowUs() >= end)
                return VIR_MIGRATION_AGAIN;
            continue;
        }
        cJSON_Delete(reply);
        if (rc == 0)
            return VIR_MIGRATION_AGAIN;
        /* there is no server, or it cannot now: the caller's time passes all the same, or it would call without a pause */
        ms = phase->timeout < 0 || phase->timeout > REMOTE_PHASE_WAIT ? REMOTE_PHASE_WAIT : phase->timeout;
        if (ms > 0)
            poll(NULL, 0, ms);
        return VIR_MIGRATION_AGAIN;
    }
}

VIRT_INTERNAL int
remoteLinkCall(virConnectPtr conn, const struct remoteMethod *method, cJSON *params, const struct virMigrationCall *phase, cJSON **result)
{
    struct remoteLink *link = remoteConnectionOf(conn)->link;
    cJSON *wait = phase != NULL ? virJsonGet(virJsonGet(params, "call"), "timeout") : NULL;
    /* these two go with a migration and are no steps of it, and must not wait for long */
    bool drop = phase != NULL && method == &remoteMethods[REMOTE_METHOD_virDomainMigrateDrop3Params];
    bool stats = phase != NULL && method == &remoteMethods[REMOTE_METHOD_virDomainMigrateStats3Params];
    /* the application's stream goes with all phases, and two of them have a use for it */
    bool carries = phase != NULL && phase->stream >= 0 && (method == &remoteMethods[REMOTE_METHOD_virDomainMigratePrepare3Params]
                                                           || method == &remoteMethods[REMOTE_METHOD_virDomainMigratePerform3Params]);
    struct remoteCall *call;
    char *text = NULL;
    int rc = 1;

    if (remoteLinkCheckProcess(link) < 0) {
        cJSON_Delete(params);
        return -1;
    }
    if (drop) {
        remoteLinkDropPending(link, phase->uuid);
        remoteCarryDrop(link, phase->uuid);
    }
    if (wait != NULL)
        cJSON_SetNumberValue(wait, REMOTE_PHASE_WAIT);
    if (carries)
        rc = remoteCarryBegin(link, method, phase, params);
    if (rc > 0)
        text = virJsonFormat(params);
    cJSON_Delete(params);
    if (text == NULL) {
        remoteLinkSettle(link);
        return rc > 0 ? -1 : rc;
    }
    if (phase != NULL && !drop && !stats) {
        rc = remoteLinkRunPhase(link, method, text, phase, result);
        free(text);
        if (carries && rc != VIR_MIGRATION_AGAIN)
            remoteCarrySettle(link, method, phase->uuid, rc);
    } else if ((call = remoteCallNew(method, method->name, text)) != NULL) {
        rc = stats ? remoteLinkRunStats(link, call, phase, result) : remoteLinkRun(link, call, drop ? virTimeNowUs() + REMOTE_SECOND : 0, result);
    } else {
        rc = -1;
    }
    remoteLinkSettle(link);
    return rc;
}

VIRT_INTERNAL int
remoteLinkWait(virConnectPtr conn, const struct virMigrationCall *phase, int *fd, int *events, int *milliseconds)
{
    struct remoteLink *link = remoteConnectionOf(conn)->link;
    unsigned long long due, now = virTimeNowUs();
    bool ready = false, sent = false;

    if (remoteLinkCheckProcess(link) < 0)
        return -1;
    pthread_mutex_lock(&link->lock);
    for (struct remoteCall *call = link->calls; call != NULL; call = call->next) {
        if (!call->pending || call->aside || strcmp(call->migration, phase->uuid) != 0)
            continue;
        sent = true;
        ready = ready || call->state == REMOTE_CALL_OVER;
    }
    *fd = link->receiveFd;
    /* where others read too, what they read for us is told by a descriptor of its own */
    if (link->watchReceive >= 0 || link->reading) {
        if (link->newsPipe[0] < 0 && virPlatformWakeOpen(link->newsPipe) < 0)
            link->newsPipe[0] = link->newsPipe[1] = -1;
        if (link->newsPipe[0] >= 0)
            *fd = link->newsPipe[0];
    }
    due = remoteLinkDue(link);
    *milliseconds = ready || !sent ? 0 : remoteMilliseconds(now, due != 0 && due < now + REMOTE_SECOND ? due : now + REMOTE_SECOND);
    if (link->reading && link->watchReceive < 0 && *milliseconds > 50)
        *milliseconds = 50;           /* the one who reads now may stop before our reply comes */
    *events = VIR_EVENT_HANDLE_READABLE;
    pthread_mutex_unlock(&link->lock);
    return 0;
}

#undef REMOTE_SECOND
#undef REMOTE_FIGURES
#undef REMOTE_ASK
#undef REMOTE_ASK_MOST
#undef REMOTE_POLL
#undef REMOTE_DEAF
#undef REMOTE_SILENCE
#undef REMOTE_UNTAKEN
#undef REMOTE_DOCUMENT
#undef REMOTE_PULLS
#undef VIRT_FROM

#endif
