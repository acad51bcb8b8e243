/*
 * The server: events. A host's hub is tapped: what happens there is put aside, whatever locks are held, and a thread that serves hands it
 * out: to each session that has subscribed to it and may see the guest. There it waits until the client has fetched it (virt.events) and said
 * so; of what is too much the oldest goes, and is counted.
 */
#include "../driver.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include "session.h"
#include "../common/text.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_RPC

/* ---------- what a client wants ---------- */

static int
remoteSubscriptionParse(const cJSON *item, struct remoteSubscription *subscription)
{
    const cJSON *event = cJSON_GetArrayItem(item, 0), *uuid = cJSON_GetArrayItem(item, 1);

    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) > 2 || !cJSON_IsNumber(event) || event->valuedouble < 0
        || event->valuedouble > 1000000)
        return -1;
    subscription->eventID = event->valueint;
    subscription->oneDomain = cJSON_IsString(uuid);
    if (subscription->oneDomain)
        return virUuidParse(uuid->valuestring, subscription->uuid);
    return uuid == NULL || cJSON_IsNull(uuid) ? 0 : -1;
}

static bool
remoteSubscriptionEquals(const struct remoteSubscription *a, const struct remoteSubscription *b)
{
    return a->eventID == b->eventID && a->oneDomain == b->oneDomain && (!a->oneDomain || memcmp(a->uuid, b->uuid, VIR_UUID_BUFLEN) == 0);
}

/* With the session's lock held: each new subscription is for what happens from now on, though what happened before may not be distributed yet. */
static void
remoteSubscriptionsBegin(const struct remoteSession *session, struct remoteSubscription *list, size_t count)
{
    unsigned long long happened;

    pthread_mutex_lock(&session->server->eventsLock);
    happened = session->server->happened;
    pthread_mutex_unlock(&session->server->eventsLock);
    for (size_t i = 0; i < count; i++) {
        list[i].since = happened;
        for (size_t k = 0; k < session->nsubscriptions; k++)
            if (remoteSubscriptionEquals(&list[i], &session->subscriptions[k]))
                list[i].since = session->subscriptions[k].since;
    }
}

/* With the lock held: what the host has missed is lost for who has subscribed to something, since nobody knows what it was. */
static void
remoteSessionCountMissed(struct remoteSession *session)
{
    unsigned long long missed = atomic_load(&session->host->missed);

    if (session->nsubscriptions > 0)
        session->lost += missed - session->missed;
    session->missed = missed;
}

VIRT_INTERNAL void
remoteSessionSubscribe(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    const cJSON *filter = virJsonGet(params, "filter"), *item;
    size_t count = cJSON_IsArray(filter) ? (size_t)cJSON_GetArraySize(filter) : 0, n = 0;
    VIRT_CLEANUP_FREE struct remoteSubscription *list = NULL;
    struct remoteSubscription *old;
    unsigned long long sequence;

    if (!cJSON_IsArray(filter)) {
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'filter' must be an array of [event, uuid or null]");
        return;
    }
    if (count > session->server->limits.subscriptions) {
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "%zu subscriptions are more than the %u that a client may have", count,
                         session->server->limits.subscriptions);
        return;
    }
    if (count > 0 && !session->host->tapped) {
        virReportError(VIR_ERR_NO_SUPPORT, "domain events (driver %s)", session->conn->driver->name);
        remoteReply(from, id, "error", remoteReplyLastError());
        return;
    }
    if (count > 0 && (list = virAllocate(count * sizeof(*list))) == NULL) {
        remoteReply(from, id, "error", remoteReplyLastError());
        return;
    }
    cJSON_ArrayForEach(item, filter) {
        if (remoteSubscriptionParse(item, &list[n++]) < 0) {
            remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'filter' must be an array of [event, uuid or null]: entry %zu is not", n);
            return;
        }
    }
    pthread_mutex_lock(&session->lock);
    if (!session->gone) {
        remoteSubscriptionsBegin(session, list, count);
        remoteSessionCountMissed(session);
        atomic_fetch_add(&session->host->subscribers, (count > 0) - (session->nsubscriptions > 0));
        old = session->subscriptions;
        session->subscriptions = list;
        session->nsubscriptions = count;
        list = old;
    }
    sequence = session->sequence;
    pthread_mutex_unlock(&session->lock);
    remoteReply(from, id, "result", virJsonObject("u:sequence", sequence, NULL));
}

/* ---------- what it gets ---------- */

static void
remoteEventUnref(struct remoteEvent *event)
{
    if (atomic_fetch_sub(&event->refs, 1) > 1)
        return;
    free(event->name);
    free(event->text);
    free(event);
}

/* With the lock held: the oldest event is dropped. */
VIRT_INTERNAL void
remoteQueuedDrop(struct remoteSession *session)
{
    struct remoteQueued *queued = session->events;

    if ((session->events = queued->next) == NULL)
        session->lastEvent = &session->events;
    session->queued -= queued->event->length;
    remoteEventUnref(queued->event);
    free(queued);
}

/* With the lock held: answers who waits for events, with what there is. */
VIRT_INTERNAL void
remoteSessionAnswerPoll(struct remoteSession *session)
{
    struct virText text = { 0 };
    struct remoteQueued *queued;
    char *message;

    remoteSessionCountMissed(session);
    virTextAdd(&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"events\":[", session->poll.id);
    for (queued = session->events; queued != NULL; queued = queued->next) {
        if (queued != session->events && text.length + queued->event->length > REMOTE_SERVER_PART)
            break;
        virTextAdd(&text, "%s[%llu,", queued != session->events ? "," : "", queued->sequence);
        virTextAppend(&text, queued->event->text, queued->event->length);
        virTextAppend(&text, "]", 1);
    }
    virTextAdd(&text, "],\"lost\":%llu}}", session->lost);
    session->poll.waits = false;
    if ((message = virTextTake(&text)) != NULL)
        remoteServerSend(&session->poll.from, message, strlen(message));
    else
        virResetLastError();
    free(message);
    remoteFromClear(&session->poll.from);
}

/* Only the last one waits: an earlier one is answered. */
VIRT_INTERNAL void
remoteSessionEvents(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    unsigned long long seen = 0;

    if (virJsonGet(params, "seen") != NULL && virJsonULongLong(params, "seen", &seen) < 0) {
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'seen' must be the number of an event");
        return;
    }
    pthread_mutex_lock(&session->lock);
    while (session->events != NULL && session->events->sequence <= seen)
        remoteQueuedDrop(session);
    if (session->poll.waits && session->poll.id != id)
        remoteSessionAnswerPoll(session);
    if (!session->gone) {
        session->poll.waits = true;
        session->poll.id = id;
        remoteFromClear(&session->poll.from);
        remoteFromCopy(&session->poll.from, from);
        session->poll.due = virTimeNowUs() + REMOTE_SERVER_EVENTS_MS * 1000ULL;
        if (session->events != NULL)
            remoteSessionAnswerPoll(session);
        else
            remoteServerDue(session->server, session->poll.due);
    }
    pthread_mutex_unlock(&session->lock);
}

/* With eventsLock held: the oldest of what is to be handed out, off the queue; or NULL. */
static struct remoteEvent *
remoteEventsTakeFirst(virServerPtr server)
{
    struct remoteEvent *event = server->events;

    if (event == NULL)
        return NULL;
    if ((server->events = event->next) == NULL)
        server->lastEvent = &server->events;
    server->untold -= event->length;
    return event;
}

/* The hub's tap: with locks of the driver's held. While all threads are busy the oldest are dropped here already. */
VIRT_INTERNAL void
remoteEventsTake(void *opaque, const struct virDomainEvent *what)
{
    struct remoteHost *host = opaque;
    virServerPtr server = host->server;
    struct remoteEvent *event;
    cJSON *json = NULL;

    if (atomic_load(&host->subscribers) == 0)
        return;
    virErrorPtr saved = virSaveLastError();
    if ((event = virAllocate(sizeof(*event))) != NULL) {
        atomic_init(&event->refs, 1);
        event->host = host;
        event->eventID = what->eventID;
        memcpy(event->uuid, what->uuid, VIR_UUID_BUFLEN);
        if ((event->name = virStringCopy(what->name)) != NULL && (json = remoteEventFormat(what)) != NULL
            && (event->text = virJsonFormat(json)) != NULL)
            event->length = strlen(event->text);
        cJSON_Delete(json);
    }
    if (event == NULL || event->text == NULL) {
        atomic_fetch_add(&server->stats.eventsLost, 1);
        virLog(VIR_LOG_ERROR, "remote.server", "an event of domain '%s' is lost: %s", what->name, virGetLastErrorMessage());
        if (event != NULL)
            remoteEventUnref(event);
    } else {
        pthread_mutex_lock(&server->eventsLock);
        event->number = ++server->happened;
        *server->lastEvent = event;
        server->lastEvent = &event->next;
        server->untold += event->length;
        while (server->untold > REMOTE_SERVER_UNTOLD && server->events->next != NULL) {
            atomic_fetch_add(&server->events->host->missed, 1);
            atomic_fetch_add(&server->stats.eventsLost, 1);
            remoteEventUnref(remoteEventsTakeFirst(server));
        }
        pthread_mutex_unlock(&server->eventsLock);
        remoteServerWake(server);
    }
    virRestoreLastError(saved);
}

/* With the lock held. */
static bool
remoteSessionWants(const struct remoteSession *session, const struct remoteEvent *event)
{
    for (size_t i = 0; i < session->nsubscriptions; i++) {
        const struct remoteSubscription *subscription = &session->subscriptions[i];

        if (subscription->eventID == event->eventID && event->number > subscription->since
            && (!subscription->oneDomain || memcmp(subscription->uuid, event->uuid, VIR_UUID_BUFLEN) == 0))
            return true;
    }
    return false;
}

static void
remoteSessionQueue(struct remoteSession *session, struct remoteEvent *event)
{
    struct remoteQueued *queued = malloc(sizeof(*queued));
    unsigned long long lost;

    pthread_mutex_lock(&session->lock);
    lost = session->lost;
    if (queued != NULL && !session->gone) {
        *queued = (struct remoteQueued){ .sequence = ++session->sequence, .event = event };
        atomic_fetch_add(&event->refs, 1);
        *session->lastEvent = queued;
        session->lastEvent = &queued->next;
        session->queued += event->length;
        queued = NULL;
    } else if (!session->gone) {
        session->sequence++;
        session->lost++;
    }
    for (; session->queued > session->server->limits.memory / 4 && session->events->next != NULL; session->lost++)
        remoteQueuedDrop(session);
    lost = session->lost - lost;
    if (session->poll.waits && session->events != NULL)
        remoteSessionAnswerPoll(session);
    pthread_mutex_unlock(&session->lock);
    free(queued);
    if (lost == 0)
        return;
    atomic_fetch_add(&session->server->stats.eventsLost, lost);
    virLog(VIR_LOG_WARN, "remote.server", "%s: process %lld does not fetch its events: %llu are lost", session->listener->address,
           session->who.pid, lost);
}

static void
remoteEventDistribute(virServerPtr server, struct remoteEvent *event)
{
    struct remoteSession **sessions = remoteSessionsAll(server, event->host);
    bool wanted;

    if (sessions == NULL) {
        atomic_fetch_add(&server->stats.eventsLost, 1);
        virLog(VIR_LOG_ERROR, "remote.server", "no memory: an event of domain '%s' is lost", event->name);
        return;
    }
    for (size_t i = 0; sessions[i] != NULL; i++) {
        pthread_mutex_lock(&sessions[i]->lock);
        wanted = remoteSessionWants(sessions[i], event);
        pthread_mutex_unlock(&sessions[i]->lock);
        if (wanted && remoteAccessSees(server, &sessions[i]->who, "virt.events", event->name, event->uuid))
            remoteSessionQueue(sessions[i], event);
        remoteSessionUnref(sessions[i]);
    }
    free(sessions);
}

/* One thread at a time, so that the events stay in their order. Who comes meanwhile leaves his to that one, which looks again. */
VIRT_INTERNAL void
remoteEventsDistribute(virServerPtr server)
{
    struct remoteEvent *event;

    for (;;) {
        pthread_mutex_lock(&server->eventsLock);
        event = server->events;
        pthread_mutex_unlock(&server->eventsLock);
        if (event == NULL || pthread_mutex_trylock(&server->distribute) != 0)
            return;
        for (;;) {
            pthread_mutex_lock(&server->eventsLock);
            event = remoteEventsTakeFirst(server);
            pthread_mutex_unlock(&server->eventsLock);
            if (event == NULL)
                break;
            remoteEventDistribute(server, event);
            remoteEventUnref(event);
        }
        pthread_mutex_unlock(&server->distribute);
    }
}

VIRT_INTERNAL void
remoteEventsDrop(virServerPtr server)
{
    struct remoteEvent *event;

    while ((event = remoteEventsTakeFirst(server)) != NULL)
        remoteEventUnref(event);
}

#undef VIRT_FROM
#endif
