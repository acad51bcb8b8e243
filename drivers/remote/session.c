/*
 * The server: one client. What it says comes in by remoteSessionTake, one message at a time, from any thread.
 *
 * Each call has an id, and is carried out once: the session's table has it as running, then its reply, until the client says by `seen` that
 * it has that. Asked again, for whatever reason, the table answers. Replies to calls that only look (method->repeats) may be forgotten
 * earlier, since asking them anew does no harm: a client that never says what it has seen gets nowhere with that. The methods of the session
 * itself ("virt.*") are not in the table: each may be carried out twice.
 */
#include "../driver.h"

#if VIRT_WITH_REMOTE && !defined _WIN32
#include "session.h"
#include "../common/text.h"

#include <stdarg.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_RPC

/* ---------- replies ---------- */

/* {"jsonrpc":"2.0","id":ID,"KEY":BODY}; id 0: null. NULL without memory. body is freed. */
static char *
remoteReplyText(unsigned long long id, const char *key, cJSON *body, size_t *length)
{
    struct virText text = { 0 };

    if (body == NULL)
        return NULL;
    if (id > 0)
        virTextAdd(&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"%s\":", id, key);
    else
        virTextAdd(&text, "{\"jsonrpc\":\"2.0\",\"id\":null,\"%s\":", key);
    virJsonPut(&text, body);
    virTextAppend(&text, "}", 1);
    cJSON_Delete(body);
    *length = text.length;
    return virTextTake(&text);
}

VIRT_INTERNAL void
remoteReply(const struct remoteFrom *from, unsigned long long id, const char *key, cJSON *body)
{
    size_t length;
    VIRT_CLEANUP_FREE char *text = remoteReplyText(id, key, body, &length);

    if (text != NULL)
        remoteServerSend(from, text, length);
    virResetLastError();
}

/* An error of the protocol. */
VIRT_INTERNAL void
remoteReplyError(const struct remoteFrom *from, unsigned long long id, int code, const char *fmt, ...)
{
    virServerPtr server = from->listener->server;
    char message[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    remoteReply(from, id, "error", virJsonObject("i:code", code, "s:message", message, NULL));
    if (code == REMOTE_TOO_MUCH)
        atomic_fetch_add(&server->stats.refused, 1);
    else if (code == REMOTE_BAD_TEXT || code == REMOTE_BAD_REQUEST || code == REMOTE_BAD_METHOD
             || code == REMOTE_BAD_PARAMS)
        atomic_fetch_add(&server->stats.invalid, 1);
}

/* The thread's error, which is cleared. */
VIRT_INTERNAL cJSON *
remoteReplyLastError(void)
{
    virErrorPtr error = virSaveLastError();
    cJSON *json = error != NULL ? remoteErrorFormat(error) : virJsonObject("i:code", VIR_ERR_NO_MEMORY, "s:message", "out of memory", NULL);

    virFreeError(error);
    return json;
}

/* A reply or, where it is long, the part of it that begins at offset. */
static void
remoteReplyPart(const struct remoteFrom *from, unsigned long long id, const char *text, size_t length, size_t offset)
{
    size_t size = length - offset < REMOTE_SERVER_PART ? length - offset : REMOTE_SERVER_PART;
    VIRT_CLEANUP_FREE char *slice = NULL;

    while (offset + size < length && size > 0 && ((unsigned char)text[offset + size] & 0xc0) == 0x80)
        size--;                                          /* characters stay whole */
    if ((slice = virStringSlice(text + offset, size)) != NULL) {
        cJSON *json = virJsonObject("s:jsonrpc", "2.0", "u:id", id, "s:part", slice, "u:offset", (unsigned long long)offset,
                                    "u:total", (unsigned long long)length, NULL);
        VIRT_CLEANUP_FREE char *message = json != NULL ? virJsonFormat(json) : NULL;

        cJSON_Delete(json);
        if (message != NULL)
            remoteServerSend(from, message, strlen(message));
    }
    virResetLastError();
}

static void
remoteReplyWhole(const struct remoteFrom *from, const struct remoteAnswer *answer)
{
    if (answer->reply == NULL)
        remoteReplyError(from, answer->id, VIR_ERR_NO_MEMORY, "out of memory for the reply: the call was carried out");
    else if (answer->length > REMOTE_SERVER_PART)
        remoteReplyPart(from, answer->id, answer->reply, answer->length, 0);
    else
        remoteServerSend(from, answer->reply, answer->length);
}

/* ---------- the table, with the session's lock held ---------- */

static struct remoteAnswer **
remoteAnswerLink(struct remoteSession *session, unsigned long long id)
{
    struct remoteAnswer **link = &session->answers[id % REMOTE_SERVER_BUCKETS];

    while (*link != NULL && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

static void
remoteAnswerForget(struct remoteSession *session, struct remoteAnswer *answer)
{
    *remoteAnswerLink(session, answer->id) = answer->next;
    if (answer->repeats && !answer->running) {
        *(answer->older != NULL ? &answer->older->newer : &session->oldest) = answer->newer;
        *(answer->newer != NULL ? &answer->newer->older : &session->newest) = answer->older;
    }
    session->kept -= answer->length;
    free(answer->reply);
    free(answer);
}

/*
 * The client needs the reply no more. Its call is only forgotten when that does no harm: a copy of one that was sent twice may come later, and
 * is known by `floor` or by what stays here, which counts as kept for what it takes.
 */
static void
remoteAnswerRelease(struct remoteSession *session, struct remoteAnswer *answer)
{
    if (answer->repeats || answer->id <= session->floor) {
        remoteAnswerForget(session, answer);
        return;
    }
    free(answer->reply);
    answer->reply = NULL;
    session->kept += sizeof(*answer) - answer->length;
    answer->length = sizeof(*answer);
    answer->over = true;
}

static void
remoteAnswerSeen(struct remoteSession *session, struct remoteAnswer *answer)
{
    if (answer == NULL)
        return;
    if (answer->running)
        answer->unwanted = true;
    else
        remoteAnswerRelease(session, answer);
}

/* Takes a call in parts off the session: its text, the caller's. */
static char *
remotePartsEnd(struct remoteSession *session, struct remoteParts *parts)
{
    struct remoteParts **link;
    char *text = parts->text;

    for (link = &session->parts; *link != parts; link = &(*link)->next)
        ;
    *link = parts->next;
    session->nparts--;
    session->arriving -= parts->length;
    free(parts);
    return text;
}

/* All ids up to this one are over. */
static void
remoteSessionSeen(struct remoteSession *session, unsigned long long seen)
{
    struct remoteAnswer *answer, *next;
    struct remoteParts **parts, *dropped;
    unsigned long long floor = session->floor;

    if (seen <= floor)
        return;
    session->floor = seen;
    if (seen - floor <= REMOTE_SERVER_BUCKETS)
        for (unsigned long long id = floor + 1; id <= seen; id++)
            remoteAnswerSeen(session, *remoteAnswerLink(session, id));
    else
        for (size_t i = 0; i < REMOTE_SERVER_BUCKETS; i++)
            for (answer = session->answers[i]; answer != NULL; answer = next) {
                next = answer->next;
                if (answer->id <= seen)
                    remoteAnswerSeen(session, answer);
            }
    for (parts = &session->parts; (dropped = *parts) != NULL;) {
        if (dropped->call > seen) {
            parts = &dropped->next;
            continue;
        }
        free(remotePartsEnd(session, dropped));
    }
}

/* The call is over: its reply, taken over, is kept; what may be forgotten goes first, the oldest first, but not this one. */
static void
remoteAnswerKeep(struct remoteSession *session, struct remoteAnswer *answer, char *reply, size_t length)
{
    answer->running = false;
    answer->reply = reply;
    answer->length = length;
    session->kept += length;
    if (answer->repeats) {
        answer->older = session->newest;
        *(session->newest != NULL ? &session->newest->newer : &session->oldest) = answer;
        session->newest = answer;
    }
    while (session->kept > session->server->limits.memory / 2 && session->oldest != NULL && session->oldest != answer)
        remoteAnswerForget(session, session->oldest);
}

VIRT_INTERNAL bool
remoteSessionKnows(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id)
{
    const struct remoteAnswer *answer = *remoteAnswerLink(session, id);

    if (session->gone)
        remoteReplyError(from, id, REMOTE_NO_SESSION, "the session is over");
    else if (answer != NULL ? answer->over : id <= session->floor)
        remoteReplyError(from, id, REMOTE_BAD_REQUEST, "call %llu is over: its reply was said to have been seen", id);
    else if (answer != NULL && !answer->running)
        remoteReplyWhole(from, answer);
    else
        return answer != NULL;
    return true;
}

VIRT_INTERNAL bool
remoteSessionEnter(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id)
{
    struct remoteAnswer *answer = NULL;

    if (session->kept >= session->server->limits.memory) {
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "%zu bytes of replies are kept that this client has not said it has ('seen')",
                         session->kept);
    } else if ((answer = calloc(1, sizeof(*answer))) == NULL) {
        remoteReplyError(from, id, VIR_ERR_NO_MEMORY, "out of memory");
    } else {
        answer->id = id;
        answer->running = true;
        *remoteAnswerLink(session, id) = answer;
    }
    return answer != NULL;
}

VIRT_INTERNAL void
remoteSessionAnswer(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const char *key, cJSON *body)
{
    struct remoteAnswer *answer = *remoteAnswerLink(session, id);
    size_t length = 0;
    char *reply;

    if (answer == NULL || answer->unwanted) {
        cJSON_Delete(body);
        if (answer != NULL)
            remoteAnswerForget(session, answer);
        return;
    }
    reply = remoteReplyText(id, key, body, &length);
    remoteAnswerKeep(session, answer, reply, length);
    remoteReplyWhole(from, answer);
}

/* ---------- the session itself ---------- */

static unsigned int
remoteSessionBucket(const char *id)
{
    return (unsigned int)(virStringHash(id) % REMOTE_SERVER_BUCKETS);
}

VIRT_INTERNAL void
remoteSessionRef(struct remoteSession *session)
{
    atomic_fetch_add(&session->refs, 1);
}

/* Keeps the thread's error. */
VIRT_INTERNAL void
remoteSessionUnref(struct remoteSession *session)
{
    virErrorPtr saved;

    if (atomic_fetch_sub(&session->refs, 1) > 1)
        return;
    saved = virSaveLastError();
    if (session->conn != NULL)
        virConnectClose(session->conn);
    virRestoreLastError(saved);
    pthread_mutex_destroy(&session->lock);
    virPlatformErase(session->id, sizeof(session->id));
    free(session->program);
    free(session->keyName);
    free(session);
}

/*
 * Whether the session is that of who sends this: of his key, where he has proved to have one, and of the name and the rights that its line in the
 * file of authorized keys gives it now.
 */
static bool
remoteSessionIsOf(const struct remoteSession *session, const struct remoteFrom *from)
{
#if VIRT_WITH_NOISE
    if (from->noise != NULL) {
        const struct remoteIdentity *peer = remoteNoiseSessionPeer(from->noise);

        return memcmp(session->key, peer->key, sizeof(session->key)) == 0 && strcmp(session->keyName, peer->name) == 0
            && (session->who.readonly || !peer->readOnly);
    }
#endif
    return session->listener->noise == NULL && from->noise == NULL;
}

/* A reference, or NULL. */
static struct remoteSession *
remoteSessionFind(const struct remoteFrom *from, const char *id)
{
    virServerPtr server = from->listener->server;
    struct remoteSession *session;

    pthread_mutex_lock(&server->lock);
    for (session = server->sessions[remoteSessionBucket(id)]; session != NULL; session = session->next)
        if (session->listener == from->listener && strcmp(session->id, id) == 0 && remoteSessionIsOf(session, from))
            break;
    if (session != NULL)
        remoteSessionRef(session);
    pthread_mutex_unlock(&server->lock);
    return session;
}

/* With server->lock held: the session that this hello of a key's has made, a reference; NULL: there is none. */
static struct remoteSession *
remoteSessionOfHello(virServerPtr server, const struct remoteListener *listener, uint64_t noiseIndex, unsigned long long hello)
{
    for (size_t i = 0; i < REMOTE_SERVER_BUCKETS; i++)
        for (struct remoteSession *session = server->sessions[i]; session != NULL; session = session->next)
            if (session->listener == listener && session->hello == hello && session->noiseIndex == noiseIndex) {
                remoteSessionRef(session);
                return session;
            }
    return NULL;
}

/* 0, 1: there are too many, or -1 with the error set. *twin: the same hello, asked twice at once, has one already. */
static int
remoteSessionList(struct remoteSession *session, struct remoteSession **twin)
{
    virServerPtr server = session->server;
    unsigned int bucket;
    int rc = 0;

    if (remoteAccessSecret(session->id) < 0)
        return -1;
    bucket = remoteSessionBucket(session->id);
    pthread_mutex_lock(&server->lock);
    if (session->listener->noise != NULL)
        *twin = remoteSessionOfHello(server, session->listener, session->noiseIndex, session->hello);
    if (*twin == NULL && server->nsessions >= server->limits.clients) {
        rc = 1;
    } else if (*twin == NULL) {
        server->nsessions++;
        session->listed = true;
        session->next = server->sessions[bucket];
        server->sessions[bucket] = session;
        remoteSessionRef(session);
    }
    pthread_mutex_unlock(&server->lock);
    return rc;
}

/* With the lock held: all that the client had, but its streams: those are to be aborted without it. Calls that are being carried out find it gone. */
static struct remoteServedStream *
remoteSessionDropAll(struct remoteSession *session)
{
    struct remoteServedStream *streams;
    struct remoteAnswer *answer;
    struct remoteWork *work;

    session->gone = true;
    streams = remoteStreamsTake(session);
    for (size_t i = 0; i < REMOTE_SERVER_BUCKETS; i++)
        while ((answer = session->answers[i]) != NULL) {
            session->answers[i] = answer->next;
            free(answer->reply);
            free(answer);
        }
    session->oldest = session->newest = NULL;
    session->kept = 0;
    remoteSessionSeen(session, UINT64_MAX);
    while (session->events != NULL)
        remoteQueuedDrop(session);
    if (session->nsubscriptions > 0)
        atomic_fetch_sub(&session->host->subscribers, 1);
    free(session->subscriptions);
    session->subscriptions = NULL;
    session->nsubscriptions = 0;
    session->poll.waits = false;
    remoteFromClear(&session->poll.from);
    while ((work = session->first) != NULL) {            /* each has a reference, but not the last one */
        session->first = work->next;
        remoteWorkFree(work);
    }
    session->last = &session->first;
    session->waiting = 0;
    return streams;
}

VIRT_INTERNAL void
remoteSessionEnd(struct remoteSession *session, const char *why)
{
    virServerPtr server = session->server;
    struct remoteSession **link = &server->sessions[remoteSessionBucket(session->id)];
    struct remoteServedStream *streams;
    bool listed;

    pthread_mutex_lock(&server->lock);
    if ((listed = session->listed)) {
        for (; *link != session; link = &(*link)->next)
            ;
        *link = session->next;
        session->listed = false;
        server->nsessions--;
    }
    pthread_mutex_unlock(&server->lock);
    if (!listed)
        return;
    pthread_mutex_lock(&session->lock);
    streams = remoteSessionDropAll(session);
    pthread_mutex_unlock(&session->lock);
    remoteStreamsAbort(streams);
    virLog(VIR_LOG_INFO, "remote.server", "%s: the client %s (process %lld) is gone: %s", session->listener->address,
           session->program != NULL ? session->program : "without a name", session->who.pid, why);
    remoteSessionUnref(session);
}

/* References on all sessions, or on those of a host; a NULL ends them. The caller frees the array. NULL without memory. */
VIRT_INTERNAL struct remoteSession **
remoteSessionsAll(virServerPtr server, const struct remoteHost *host)
{
    struct remoteSession **list, *session;
    size_t n = 0;

    pthread_mutex_lock(&server->lock);
    if ((list = calloc(server->nsessions + 1, sizeof(*list))) != NULL)
        for (size_t i = 0; i < REMOTE_SERVER_BUCKETS; i++)
            for (session = server->sessions[i]; session != NULL; session = session->next)
                if (host == NULL || session->host == host) {
                    remoteSessionRef(session);
                    list[n++] = session;
                }
    pthread_mutex_unlock(&server->lock);
    return list;
}

/* ---------- virt.hello ---------- */

/* Which connection a URI means: the one of that URI, or, without parameters, the one of that scheme and path; without any, the first. */
static struct remoteHost *
remoteHostFind(virServerPtr server, const char *uri)
{
    struct remoteHost *host, *like = NULL;

    pthread_mutex_lock(&server->lock);
    for (host = server->hosts; host != NULL; host = host->next) {
        size_t length = strcspn(host->uri, "?");

        if (uri == NULL || strcmp(host->uri, uri) == 0)
            break;
        if (like == NULL && strlen(uri) == length && strncmp(host->uri, uri, length) == 0)
            like = host;
    }
    pthread_mutex_unlock(&server->lock);
    return host != NULL ? host : like;
}

/* A reference on the connection that the client gets; NULL with the error set. */
static virConnectPtr
remoteHostConnect(struct remoteHost *host, bool readOnly)
{
    virConnectPtr conn = host->conn, twin = NULL;

    if (readOnly && !conn->readOnly) {
        pthread_mutex_lock(&host->server->lock);
        conn = host->readOnly;
        pthread_mutex_unlock(&host->server->lock);
        if (conn == NULL) {
            if ((twin = virConnectOpenReadOnly(host->uri)) == NULL)
                return NULL;
            pthread_mutex_lock(&host->server->lock);
            if (host->readOnly == NULL) {
                host->readOnly = twin;
                twin = NULL;
            }
            conn = host->readOnly;
            pthread_mutex_unlock(&host->server->lock);
            if (twin != NULL)                            /* another client was faster */
                virConnectClose(twin);
        }
    }
    return virConnectRef(conn) == 0 ? conn : NULL;
}

static cJSON *
remoteHelloMethods(const struct remoteSession *session)
{
    cJSON *methods = virJsonArray();
    size_t n = remoteMethodCount();

    for (size_t i = 0; methods != NULL && i < n; i++) {
        if (!remoteMethodIsIn(&remoteMethods[i], session->conn->driver))
            continue;
        if (virJsonAppendString(methods, remoteMethods[i].name) < 0) {
            cJSON_Delete(methods);
            methods = NULL;
        }
    }
    return methods;
}

static void
remoteHelloReply(const struct remoteFrom *from, unsigned long long id, const struct remoteSession *session)
{
    const struct remoteLimits *limits = &session->server->limits;
    cJSON *result = virJsonObject("i:version", REMOTE_SERVER_PROTOCOL, "s:session", session->id, "s:server", session->server->id,
                                  "s:uri", session->host->uri, "s:driver", session->conn->driver->name, "b:readonly", session->who.readonly,
                                  "a:methods", remoteHelloMethods(session), NULL);
    cJSON *bounds = virJsonObject("u:message", (unsigned long long)limits->message, "u:part", (unsigned long long)REMOTE_SERVER_PART,
                                  "u:document", (unsigned long long)limits->document, "u:parallel", (unsigned long long)limits->parallel,
                                  "u:streams", (unsigned long long)limits->streams,
                                  "u:subscriptions", (unsigned long long)limits->subscriptions, NULL);
    /* in ms; 0: the client is known to be there as long as its connection to PATH.who stands */
    cJSON *keepalive = virJsonObject("u:interval", (unsigned long long)(session->expires ? limits->expiry / 3 : 0), NULL);

    if (result != NULL && virJsonAdd(result, "a:limits", bounds, "a:keepalive", keepalive, NULL) == 0) {
        remoteReply(from, id, "result", result);
        return;
    }
    cJSON_Delete(result);
    remoteReply(from, id, "error", remoteReplyLastError());
}

/* A client that is gone again before its hello is answered has come, too. */
static void
remoteSessionHasCome(struct remoteSession *session)
{
    virServerPtr server = session->server;
    const char *key = session->who.key;

    atomic_fetch_add(&server->stats.clients, 1);
    if (session->expires)
        remoteServerDue(server, virTimeNowUs() + server->limits.expiry * 1000ULL);
    virLog(VIR_LOG_INFO, "remote.server", "%s: client %s: %s%s, user %lld, process %lld, %s%s", session->listener->address,
           session->program != NULL ? session->program : "without a name", key != NULL ? "key " : "without a key", key != NULL ? key : "",
           session->who.uid, session->who.pid, session->host->uri, session->who.readonly ? ", read-only" : "");
}

/* The session that the hello asks for, with one reference; NULL with the error set. */
static struct remoteSession *
remoteHelloMake(const struct remoteFrom *from, unsigned long long id, const cJSON *params, const virServerWho *who)
{
    struct remoteListener *listener = from->listener;
    virServerPtr server = listener->server;
    const char *uri = virJsonString(params, "uri"), *program = virJsonString(params, "program");
    struct remoteHost *host = remoteHostFind(server, uri);
    struct remoteSession *session, *twin = NULL;
    bool readOnly = false;
    int rc;

    virJsonBool(params, "readonly", &readOnly);
    readOnly = readOnly || who->readonly;
    if (host == NULL) {
        virReportError(VIR_ERR_NO_CONNECT, "this server does not serve '%s'", uri != NULL ? uri : "any connection");
        return NULL;
    }
    if ((session = virAllocate(sizeof(*session))) == NULL)
        return NULL;
    atomic_init(&session->refs, 1);
    pthread_mutex_init(&session->lock, NULL);
    session->server = server;
    session->host = host;
    session->listener = listener;
    session->who = *who;
    session->heard = virTimeNowUs();
    session->last = &session->first;
    session->lastEvent = &session->events;
#if VIRT_WITH_NOISE
    if (from->noise != NULL) {
        session->expires = true;
        session->hello = id;
        session->noiseIndex = remoteNoiseSessionIndex(from->noise);
        memcpy(session->key, remoteNoiseSessionPeer(from->noise)->key, sizeof(session->key));
        if ((session->keyName = virStringCopy(who->key)) == NULL)
            goto failed;
        session->who.key = session->keyName;
    }
#else
    (void)id;
#endif
    if ((program != NULL && (session->program = virStringSlice(program, strnlen(program, 255))) == NULL)
        || (session->conn = remoteHostConnect(host, readOnly)) == NULL)
        goto failed;
    session->who.program = session->program;
    session->who.readonly = session->conn->readOnly;
    rc = remoteSessionList(session, &twin);
    if (rc == 0 && twin == NULL) {
        remoteSessionHasCome(session);
        return session;
    }
    if (rc > 0) {
        atomic_fetch_add(&server->stats.refused, 1);
        virReportError(VIR_ERR_RESOURCE_BUSY, "the server has %u clients, as many as it takes", server->limits.clients);
    }
failed:
    remoteSessionUnref(session);
    return twin;
}

#if VIRT_WITH_NOISE
/* The same as remoteAccessHello for who has a key: asked twice because its reply was lost, a hello has the session that it made. */
static int
remoteHelloByKey(const struct remoteFrom *from, unsigned long long id, virServerWho *who, struct remoteSession **session)
{
    const struct remoteIdentity *peer = remoteNoiseSessionPeer(from->noise);
    virServerPtr server = from->listener->server;

    pthread_mutex_lock(&server->lock);
    *session = remoteSessionOfHello(server, from->listener, remoteNoiseSessionIndex(from->noise), id);
    pthread_mutex_unlock(&server->lock);
    *who = (virServerWho){ .transport = from->listener->transport, .address = from->listener->address, .uid = -1, .gid = -1, .pid = -1,
                           .key = peer->name, .readonly = peer->readOnly || from->listener->readOnly };
    return *session != NULL;
}
#endif

static void
remoteSessionHello(const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    struct remoteListener *listener = from->listener;
    const char *ticket = virJsonString(params, "ticket");
    struct remoteSession *session = NULL;
    virServerWho who;
    int version = 0, rc;

    if (virJsonInt(params, "version", &version) < 0 || version != REMOTE_SERVER_PROTOCOL) {
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "this server speaks version %d of the protocol, not %d", REMOTE_SERVER_PROTOCOL,
                         version);
        return;
    }
#if VIRT_WITH_NOISE
    if (from->noise != NULL)
        rc = remoteHelloByKey(from, id, &who, &session);
    else
#endif
        rc = remoteAccessHello(listener, ticket != NULL ? ticket : "", id, &who, &session);
    if (rc > 0 && session == NULL) {
        remoteReplyError(from, id, REMOTE_IS_RUNNING, "this hello is being carried out");
        return;
    }
    if (rc == 0) {
        session = remoteHelloMake(from, id, params, &who);
        if (listener->noise == NULL && !remoteAccessHelloEnd(listener, ticket, id, session) && session != NULL) {
            remoteSessionEnd(session, "it went away again");
            remoteSessionUnref(session);
            return;
        }
    }
    if (session == NULL) {
        remoteReply(from, id, "error", remoteReplyLastError());
        return;
    }
    remoteHelloReply(from, id, session);
    remoteSessionUnref(session);
}

/* ---------- the session's methods ---------- */

static cJSON *
remoteEmpty(void)
{
    return virJsonObject("b:ok", 1, NULL);
}

static void
remoteSessionPing(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    (void)session;
    (void)params;
    remoteReply(from, id, "result", remoteEmpty());
}

static void
remoteSessionBye(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    (void)params;
    remoteSessionEnd(session, "it said goodbye");
    remoteAccessLeave(session, session->server);
    remoteReply(from, id, "result", remoteEmpty());
}

/* With the lock held: the call that `ask` and `more` are about, answered; NULL: the client has been told why not. */
static const struct remoteAnswer *
remoteSessionAnswered(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    const struct remoteAnswer *answer = NULL;
    unsigned long long call;

    if (virJsonULongLong(params, "call", &call) < 0)
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'call' must be the id of a call");
    else if ((answer = *remoteAnswerLink(session, call)) != NULL && answer->running)
        remoteReplyError(from, id, REMOTE_IS_RUNNING, "call %llu is being carried out", call);
    else if (answer != NULL && !answer->over)
        return answer;
    else if (answer != NULL || call <= session->floor)
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "call %llu is over: its reply was said to have been seen", call);
    else
        remoteReplyError(from, id, REMOTE_NOT_HEARD, "call %llu is not known: it may be sent again", call);
    return NULL;
}

/* Answered by the reply to that call as it was, under its own id. */
static void
remoteSessionAsk(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    const struct remoteAnswer *answer;

    pthread_mutex_lock(&session->lock);
    if ((answer = remoteSessionAnswered(session, from, id, params)) != NULL)
        remoteReplyWhole(from, answer);
    pthread_mutex_unlock(&session->lock);
}

static void
remoteSessionMore(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    const struct remoteAnswer *answer;
    unsigned long long offset = 0;

    pthread_mutex_lock(&session->lock);
    if (virJsonULongLong(params, "offset", &offset) < 0)
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "'offset' must be a number");
    else if ((answer = remoteSessionAnswered(session, from, id, params)) != NULL) {
        if (offset > answer->length || answer->reply == NULL || (offset < answer->length && ((unsigned char)answer->reply[offset] & 0xc0) == 0x80))
            remoteReplyError(from, id, REMOTE_BAD_PARAMS, "no part of the %zu bytes begins at %llu", answer->length, offset);
        else
            remoteReplyPart(from, id, answer->reply, answer->length, (size_t)offset);
    }
    pthread_mutex_unlock(&session->lock);
}

/* ---------- calls ---------- */

/* A phase of a migration is asked for again anyway: it does not keep a thread for long, least of all the only one. */
static void
remoteCallShorten(virServerPtr server, const cJSON *params)
{
    cJSON *timeout = virJsonGet(virJsonGet(params, "call"), "timeout");
    int bound = atomic_load(&server->runners) > 1 ? REMOTE_PHASE_WAIT : REMOTE_SERVER_PHASE_ALONE_MS;

    if (cJSON_IsNumber(timeout) && (timeout->valuedouble < 0 || timeout->valuedouble > bound))
        cJSON_SetNumberValue(timeout, bound);
}

/* How many calls of one client may be carried out at once: one thread is always there for the others. */
static unsigned int
remoteCallShare(virServerPtr server)
{
    int runners = atomic_load(&server->runners);

    return runners > 2 ? (unsigned int)runners - 1 : 1;
}

/* Of the codec: a stream that a call is given. */
static void *
remoteCallStream(struct remoteServing *serving, unsigned long long number, virStreamPtr *stream)
{
    const struct remoteCarrying *carrying = serving->client;

    return remoteStreamsBegin(carrying->session, number, stream);
}

static int
remoteCallHand(struct remoteServing *serving, unsigned long long number)
{
    const struct remoteCarrying *carrying = serving->client;

    return remoteStreamsHand(carrying->session, number);
}

static void
remoteCallHanded(struct remoteServing *serving, unsigned long long number)
{
    const struct remoteCarrying *carrying = serving->client;

    remoteStreamsHanded(carrying->session, number);
}

/* The reply to the call, carried out; NULL without memory. */
static char *
remoteCallServe(struct remoteSession *session, unsigned long long id, const struct remoteMethod *method, const cJSON *params, size_t *length)
{
    struct remoteCarrying carrying = { .server = session->server, .session = session, .who = &session->who, .call = method->name };
    struct remoteServing serving = { .conn = session->conn, .method = method, .client = &carrying,
                                     .allowed = remoteAccessAllowed, .visible = remoteAccessVisible,
                                     .streamBegin = remoteCallStream, .streamKeep = remoteStreamsKeep, .streamEnd = remoteStreamsEnd,
                                     .streamHand = remoteCallHand, .streamHanded = remoteCallHanded };
    const cJSON none = { .type = cJSON_Object };
    bool audited = method->writes && session->server->audit != NULL;
    unsigned long long began = audited ? virTimeNowUs() : 0;
    virErrorPtr error = NULL;
    cJSON *result;
    char *reply;

    remoteCallShorten(session->server, params);
    virResetLastError();
    atomic_fetch_add(&session->server->stats.calls, 1);
    atomic_fetch_add(&session->server->stats.running, 1);
    result = method->serve(&serving, params != NULL ? params : &none);
    atomic_fetch_sub(&session->server->stats.running, 1);
    if (result == NULL)
        error = virSaveLastError();
    if (audited)
        remoteAccessAudit(&carrying, result, error, virTimeNowUs() - began);
    if (result != NULL)
        reply = remoteReplyText(id, "result", result, length);
    else
        reply = remoteReplyText(id, "error", error != NULL ? remoteErrorFormat(error) : remoteReplyLastError(), length);
    virFreeError(error);
    if (reply != NULL && *length > session->server->limits.document) {
        atomic_fetch_add(&session->server->stats.refused, 1);
        free(reply);
        virReportError(VIR_ERR_OVERFLOW, "the reply to %s has %zu bytes, more than the %u that the server gives", method->name, *length,
                       session->server->limits.document);
        reply = remoteReplyText(id, "error", remoteReplyLastError(), length);
    }
    return reply;
}

/* Carries the call out and answers it; its entry is in the table. The next one of the client goes to the end of the queue, behind others. */
static void
remoteCallCarryOut(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const struct remoteMethod *method,
                   const cJSON *params)
{
    size_t length = 0;
    char *reply = remoteCallServe(session, id, method, params, &length);
    struct remoteAnswer *answer;
    struct remoteWork *next;

    pthread_mutex_lock(&session->lock);
    session->running--;
    answer = session->gone ? NULL : *remoteAnswerLink(session, id);
    if (answer != NULL && answer->unwanted) {
        remoteAnswerKeep(session, answer, NULL, 0);
        remoteAnswerRelease(session, answer);
    } else if (answer != NULL) {
        remoteAnswerKeep(session, answer, reply, length);
        reply = NULL;
        remoteReplyWhole(from, answer);
    }
    if ((next = session->first) != NULL) {
        if ((session->first = next->next) == NULL)
            session->last = &session->first;
        session->waiting--;
        session->running++;
    }
    pthread_mutex_unlock(&session->lock);
    free(reply);
    if (next != NULL)
        remoteServerPush(session->server, next);
}

VIRT_INTERNAL void
remoteSessionResume(struct remoteWork *work)
{
    struct remoteSession *session = work->session;
    unsigned long long id = 0;
    bool gone;

    pthread_mutex_lock(&session->lock);
    if ((gone = session->gone))
        session->running--;
    pthread_mutex_unlock(&session->lock);
    if (!gone && virJsonULongLong(work->request, "id", &id) == 0)
        remoteCallCarryOut(session, &work->from, id, remoteMethodFind(virJsonString(work->request, "method")),
                           virJsonGet(work->request, "params"));
    remoteWorkFree(work);
}

/* With the lock held: whether the call may begin; *turn: at once. The client has been told why not. */
static bool
remoteCallEnter(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const struct remoteMethod *method,
                bool *turn)
{
    const struct remoteLimits *limits = &session->server->limits;
    struct remoteAnswer **link = remoteAnswerLink(session, id), *answer = *link;

    if (session->gone)
        remoteReplyError(from, id, REMOTE_NO_SESSION, "the session is over");
    else if (answer != NULL && answer->running)
        remoteReplyError(from, id, REMOTE_IS_RUNNING, "call %llu is being carried out", id);
    else if (id <= session->floor || (answer != NULL && answer->over))
        remoteReplyError(from, id, REMOTE_BAD_REQUEST, "call %llu is over: its reply was said to have been seen", id);
    else if (answer != NULL)
        remoteReplyWhole(from, answer);
    else if (session->running + session->waiting >= limits->parallel)
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "%u calls of this client are under way, as many as it may have", limits->parallel);
    else if (session->kept >= limits->memory)
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "%zu bytes of replies are kept that this client has not said it has ('seen')",
                         session->kept);
    else if ((answer = calloc(1, sizeof(*answer))) == NULL)
        remoteReplyError(from, id, VIR_ERR_NO_MEMORY, "out of memory");
    else {
        answer->id = id;
        answer->repeats = method->repeats;
        answer->running = true;
        *link = answer;
        *turn = session->running < remoteCallShare(session->server);
        session->running += *turn;
        return true;
    }
    return false;
}

/* With the lock held: the call waits for its turn. request is taken over if it can. */
static bool
remoteCallPutBack(struct remoteSession *session, const struct remoteFrom *from, cJSON **request)
{
    struct remoteWork *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return false;
    remoteFromCopy(&work->from, from);
    work->session = session;
    remoteSessionRef(session);
    work->request = *request;
    *request = NULL;
    *session->last = work;
    session->last = &work->next;
    session->waiting++;
    return true;
}

static void
remoteSessionCall(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const char *name, cJSON **request)
{
    const struct remoteMethod *method = remoteMethodFind(name);
    bool turn = false, begins;

    if (method == NULL || !remoteMethodIsIn(method, session->conn->driver)) {
        remoteReplyError(from, id, REMOTE_BAD_METHOD, "there is no '%.100s' here (driver %s)", name, session->conn->driver->name);
        return;
    }
    pthread_mutex_lock(&session->lock);
    begins = remoteCallEnter(session, from, id, method, &turn);
    if (begins && !turn && !remoteCallPutBack(session, from, request)) {
        remoteAnswerForget(session, *remoteAnswerLink(session, id));
        remoteReplyError(from, id, VIR_ERR_NO_MEMORY, "out of memory");
    }
    pthread_mutex_unlock(&session->lock);
    if (turn)
        remoteCallCarryOut(session, from, id, method, virJsonGet(*request, "params"));
}

/* ---------- a message ---------- */

static void remoteSessionPart(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params);

/* The methods of the session itself; those of streams are in session_stream.c. */
static const struct remoteSessionMethod remoteSessionMethods[] = {
    { "virt.ping", remoteSessionPing },
    { "virt.ask", remoteSessionAsk },
    { "virt.more", remoteSessionMore },
    { "virt.part", remoteSessionPart },
    { "virt.subscribe", remoteSessionSubscribe },
    { "virt.events", remoteSessionEvents },
    { "virt.bye", remoteSessionBye },
};

/*
 * Recursion goes as deep as a text nests, and a value of two bytes takes a hundred in memory: both are looked at before the text is read. false:
 * its sender has been told that it is too much.
 */
static bool
remoteTextFits(virServerPtr server, const struct remoteFrom *from, unsigned long long id, const char *text, size_t length)
{
    unsigned int depth = 0, deepest = 0, values = 1;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > deepest)
                deepest = depth;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else {
            values += c == ',';
        }
    }
    if (deepest > server->limits.depth)
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "the message nests %u deep, more than %u", deepest, server->limits.depth);
    else if (values > REMOTE_SERVER_VALUES)
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "the message has about %u values, more than %u", values, REMOTE_SERVER_VALUES);
    else
        return true;
    return false;
}

/* `seen`: a number, or [number, id, ...]: all up to that, and these. */
static int
remoteSessionTakeSeen(struct remoteSession *session, const cJSON *seen)
{
    const cJSON *first = cJSON_IsArray(seen) ? seen->child : seen, *item;

    if (seen == NULL || cJSON_IsNull(seen))
        return 0;
    for (item = first; item != NULL; item = cJSON_IsArray(seen) ? item->next : NULL)
        if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 9007199254740991.0)
            return -1;
    for (item = first; item != NULL; item = cJSON_IsArray(seen) ? item->next : NULL) {
        if (item == first)
            remoteSessionSeen(session, (unsigned long long)item->valuedouble);
        else
            remoteAnswerSeen(session, *remoteAnswerLink(session, (unsigned long long)item->valuedouble));
    }
    return 0;
}

/* What a request says of itself; false: it has been answered that it says nonsense. */
static bool
remoteRequestRead(const struct remoteFrom *from, const cJSON *request, unsigned long long *id, const char **method)
{
    const char *version = virJsonString(request, "jsonrpc");
    const cJSON *number = virJsonGet(request, "id"), *params = virJsonGet(request, "params");

    *id = 0;
    *method = virJsonString(request, "method");
    if (cJSON_IsNumber(number) && number->valuedouble >= 1 && number->valuedouble <= 9007199254740991.0
        && number->valuedouble == (double)(unsigned long long)number->valuedouble)
        *id = (unsigned long long)number->valuedouble;
    if (cJSON_IsArray(request))
        remoteReplyError(from, 0, REMOTE_BAD_REQUEST, "a message has one request, not an array of them");
    else if (!cJSON_IsObject(request) || version == NULL || strcmp(version, "2.0") != 0 || *method == NULL)
        remoteReplyError(from, *id, REMOTE_BAD_REQUEST, "this is no request of JSON-RPC 2.0");
    else if (*id == 0)
        remoteReplyError(from, 0, REMOTE_BAD_REQUEST, "a request has an id, a whole number from 1 to 2^53 - 1");
    else if (params != NULL && !cJSON_IsObject(params))
        remoteReplyError(from, *id, REMOTE_BAD_PARAMS, "params must be an object: arguments have names");
    else
        return true;
    return false;
}

/* A request of a session that is known. */
static void
remoteSessionRequest(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const char *method, cJSON **request)
{
    const cJSON *params = virJsonGet(*request, "params");
    int rc;

    pthread_mutex_lock(&session->lock);
    if (session->expires)
        session->heard = virTimeNowUs();
    rc = remoteSessionTakeSeen(session, virJsonGet(*request, "seen"));
    pthread_mutex_unlock(&session->lock);
    if (rc < 0) {
        remoteReplyError(from, id, REMOTE_BAD_REQUEST, "'seen' must be an id, or an array of them");
        return;
    }
    if (strncmp(method, "virt.", 5) != 0) {
        remoteSessionCall(session, from, id, method, request);
        return;
    }
    for (size_t i = 0; i < sizeof(remoteSessionMethods) / sizeof(remoteSessionMethods[0]); i++)
        if (strcmp(remoteSessionMethods[i].name, method) == 0) {
            remoteSessionMethods[i].serve(session, from, id, params);
            return;
        }
    for (size_t i = 0; i < REMOTE_STREAM_METHODS; i++)
        if (strcmp(remoteStreamMethods[i].name, method) == 0) {
            remoteStreamMethods[i].serve(session, from, id, params);
            return;
        }
    remoteReplyError(from, id, REMOTE_BAD_METHOD, "there is no '%.100s'", method);
}

VIRT_INTERNAL void
remoteSessionTake(virServerPtr server, const struct remoteFrom *from, const char *text, size_t length)
{
    cJSON *request = NULL;
    struct remoteSession *session;
    unsigned long long id;
    const char *method, *name;

    if (!remoteTextFits(server, from, 0, text, length))
        return;
    if ((request = virJsonParse(text, length, "message")) == NULL) {
        remoteReplyError(from, 0, REMOTE_BAD_TEXT, "%s", virGetLastErrorMessage());
        virResetLastError();
    } else if (remoteRequestRead(from, request, &id, &method)) {
        name = virJsonString(request, "session");
        if (strcmp(method, "virt.hello") == 0) {
            remoteSessionHello(from, id, virJsonGet(request, "params"));
        } else if (name == NULL || (session = remoteSessionFind(from, name)) == NULL) {
            remoteReplyError(from, id, REMOTE_NO_SESSION, "there is no such session: it begins with virt.hello");
        } else {
            remoteSessionRequest(session, from, id, method, &request);
            remoteSessionUnref(session);
        }
    }
    cJSON_Delete(request);
}

/* ---------- calls in parts ---------- */

/* With the lock held: adds text to what has come of the call; parts is NULL when the client has been told that it cannot be. */
static struct remoteParts *
remotePartsTake(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, unsigned long long call,
                unsigned long long offset, unsigned long long total, const char *text)
{
    const struct remoteLimits *limits = &session->server->limits;
    size_t length = strlen(text);
    struct remoteParts *parts;
    char *grown;

    for (parts = session->parts; parts != NULL && parts->call != call; parts = parts->next)
        ;
    if (parts == NULL && total > limits->document) {
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "a call of %llu bytes is longer than the %u that the server takes", total,
                         limits->document);
    } else if (parts == NULL && session->nparts >= limits->parallel) {
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "%u calls of this client are coming in parts, as many as may be", session->nparts);
    } else if (parts == NULL) {
        if ((parts = calloc(1, sizeof(*parts))) == NULL) {
            remoteReplyError(from, id, VIR_ERR_NO_MEMORY, "out of memory");
            return NULL;
        }
        parts->call = call;
        parts->total = (size_t)total;
        parts->next = session->parts;
        session->parts = parts;
        session->nparts++;
    }
    if (parts == NULL || offset != parts->length)        /* one that came before, or too early */
        return parts;
    if (length > parts->total - parts->length) {
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "the parts of call %llu are longer than the %zu bytes it was to have", call,
                         parts->total);
        return NULL;
    }
    if (session->arriving + length > limits->memory) {
        remoteReplyError(from, id, REMOTE_TOO_MUCH, "%zu bytes of calls in parts have come from this client, as many as may be",
                         session->arriving);
        return NULL;
    }
    if ((grown = realloc(parts->text, parts->length + length + 1)) == NULL) {
        remoteReplyError(from, id, VIR_ERR_NO_MEMORY, "out of memory");
        return NULL;
    }
    memcpy(grown + parts->length, text, length + 1);
    parts->text = grown;
    parts->length += length;
    session->arriving += length;
    return parts;
}

/* The call is whole: carried out as if it had come in one piece. */
static void
remotePartsCarryOut(struct remoteSession *session, const struct remoteFrom *from, unsigned long long call, const char *text, size_t length)
{
    cJSON *request;
    unsigned long long id;
    const char *method;

    if (!remoteTextFits(session->server, from, call, text, length))
        return;
    if ((request = virJsonParse(text, length, "call in parts")) == NULL)
        remoteReplyError(from, call, REMOTE_BAD_TEXT, "%s", virGetLastErrorMessage());
    else if (remoteRequestRead(from, request, &id, &method)) {
        if (id != call || strncmp(method, "virt.", 5) == 0)
            remoteReplyError(from, call, REMOTE_BAD_REQUEST, "what came in parts is not the call %llu", call);
        else
            remoteSessionCall(session, from, id, method, &request);
    }
    virResetLastError();
    cJSON_Delete(request);
}

/* Answered by how much there is: a part that got lost, or came twice, is seen from that. */
static void
remoteSessionPart(struct remoteSession *session, const struct remoteFrom *from, unsigned long long id, const cJSON *params)
{
    const char *text = virJsonString(params, "text");
    unsigned long long call = 0, offset = 0, total = 0;
    struct remoteParts *parts;
    VIRT_CLEANUP_FREE char *whole = NULL;
    size_t length = 0;

    if (text == NULL || virJsonULongLong(params, "call", &call) < 0 || virJsonULongLong(params, "offset", &offset) < 0
        || virJsonULongLong(params, "total", &total) < 0 || total == 0) {
        remoteReplyError(from, id, REMOTE_BAD_PARAMS, "virt.part has call, offset, total and text");
        return;
    }
    pthread_mutex_lock(&session->lock);
    if (session->gone || call <= session->floor) {
        remoteReplyError(from, id, REMOTE_BAD_REQUEST, "call %llu is over", call);
    } else if (*remoteAnswerLink(session, call) != NULL) {       /* it is whole already */
        remoteReply(from, id, "result", virJsonObject("u:offset", total, NULL));
    } else if ((parts = remotePartsTake(session, from, id, call, offset, total, text)) != NULL) {
        length = parts->length;
        remoteReply(from, id, "result", virJsonObject("u:offset", (unsigned long long)length, NULL));
        if (length == parts->total)
            whole = remotePartsEnd(session, parts);
    }
    pthread_mutex_unlock(&session->lock);
    if (whole != NULL)
        remotePartsCarryOut(session, from, call, whole, length);
}

/* ---------- times ---------- */

VIRT_INTERNAL unsigned long long
remoteSessionTick(virServerPtr server, unsigned long long now)
{
    struct remoteSession **sessions = remoteSessionsAll(server, NULL);
    unsigned long long due = UINT64_MAX, expiry = server->limits.expiry * 1000ULL, ends;

    if (sessions == NULL)
        return now + 1000000;
    for (size_t i = 0; sessions[i] != NULL; i++) {
        struct remoteSession *session = sessions[i];
        unsigned long long streams = remoteStreamsTick(session, now);
        bool expired = false;

        due = streams < due ? streams : due;
        pthread_mutex_lock(&session->lock);
        if (session->poll.waits && session->poll.due <= now)
            remoteSessionAnswerPoll(session);
        if (session->poll.waits && session->poll.due < due)
            due = session->poll.due;
        if (session->expires && session->running == 0 && session->heard + expiry <= now)
            expired = true;
        else if (session->expires && (ends = session->heard + expiry > now ? session->heard + expiry : now + expiry) < due)
            due = ends;
        pthread_mutex_unlock(&session->lock);
        if (expired)
            remoteSessionEnd(session, "it was silent for too long");
        remoteSessionUnref(session);
    }
    free(sessions);
    return due;
}

VIRT_INTERNAL void
remoteSessionEndAll(virServerPtr server)
{
    struct remoteSession *session;

    for (size_t i = 0; i < REMOTE_SERVER_BUCKETS; i++)
        for (;;) {                                       /* one by one: this must not need memory */
            pthread_mutex_lock(&server->lock);
            if ((session = server->sessions[i]) != NULL)
                remoteSessionRef(session);
            pthread_mutex_unlock(&server->lock);
            if (session == NULL)
                break;
            remoteSessionEnd(session, "the server ends");
            remoteSessionUnref(session);
        }
}

#undef VIRT_FROM
#endif
