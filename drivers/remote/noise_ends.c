/*
 * The two ends of encrypted connections: what a server and a client keep between messages. See noise.h.
 *
 * The server's memory has bounds, whoever sends what: sessions that nobody has used yet are few, and each client has only so many of them, so
 * that messages recorded from one client, and sent again, push out nobody but that client. The same first message is answered by the same
 * second one while that session waits: a client that asks again because an answer was lost costs nothing, and neither does who replays it.
 */
#include "noise.h"

#if VIRT_WITH_NOISE

#include "../common/text.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_NOISE_SESSIONS    1024      /* if nothing else is said */
#define REMOTE_NOISE_OF_ONE      64        /* of these of one client */
#define REMOTE_NOISE_UNUSED      64        /* sessions that no record has come for yet */
#define REMOTE_NOISE_UNUSED_OF_ONE 8
#define REMOTE_NOISE_UNUSED_US   (UINT64_C(30) * 1000000)
#define REMOTE_NOISE_IDLE_US     (UINT64_C(3600) * 1000000)
#define REMOTE_NOISE_LIFE_US     (UINT64_C(3) * 3600 * 1000000)
#define REMOTE_NOISE_LOOK_US     UINT64_C(500000)     /* how often the file of authorized keys is looked at */

struct remoteNoiseEntry {
    struct remoteNoiseSession *session;    /* a reference */
    uint64_t index;
    bool used;                             /* a record has been opened: the client is no recording */
    unsigned long long born, last;         /* virTimeNowUs */
    unsigned char hello[REMOTE_NOISE_FIRST];          /* what it was made for, and answered with, while it is unused */
    unsigned char *reply;
    size_t replyLength;
};

struct remoteNoiseServer {
    struct remoteKey key;
    char *file;
    size_t most;

    pthread_mutex_t lock;                  /* guards what follows */
    struct remoteAuthorized authorized;
    struct stat state;                     /* of the file when it was read last */
    unsigned long long looked;
    struct remoteNoiseEntry *entries;      /* room for `most` and the unused ones */
    size_t count;
};

/* ---------- the server's sessions; all of it with the lock held ---------- */

static void
remoteNoiseRemove(struct remoteNoiseServer *server, size_t at)
{
    remoteNoiseSessionUnref(server->entries[at].session);
    free(server->entries[at].reply);
    server->entries[at] = server->entries[--server->count];
}

static struct remoteNoiseEntry *
remoteNoiseFind(struct remoteNoiseServer *server, uint64_t index)
{
    for (size_t i = 0; i < server->count; i++)
        if (server->entries[i].index == index)
            return &server->entries[i];
    return NULL;
}

/* Room for one more among the used ones, or the unused: what has been silent longest goes, of this client's if it has too many itself. */
static void
remoteNoiseMakeRoom(struct remoteNoiseServer *server, bool used, const unsigned char *key, size_t most, size_t mostOfOne)
{
    size_t count = 0, own = 0, oldest = 0, ownOldest = 0;

    for (size_t i = 0; i < server->count; i++) {
        const struct remoteNoiseEntry *entry = &server->entries[i];

        if (entry->used != used)
            continue;
        if (count++ == 0 || entry->last < server->entries[oldest].last)
            oldest = i;
        if (memcmp(remoteNoiseSessionPeer(entry->session)->key, key, REMOTE_KEY_SIZE) == 0
            && (own++ == 0 || entry->last < server->entries[ownOldest].last))
            ownOldest = i;
    }
    if (own >= mostOfOne)
        remoteNoiseRemove(server, ownOldest);
    else if (count >= most)
        remoteNoiseRemove(server, oldest);
}

static bool
remoteNoiseIsOver(const struct remoteNoiseEntry *entry, unsigned long long now)
{
    return now - entry->last > (entry->used ? REMOTE_NOISE_IDLE_US : REMOTE_NOISE_UNUSED_US) || now - entry->born > REMOTE_NOISE_LIFE_US;
}

static void
remoteNoiseRemoveOver(struct remoteNoiseServer *server, unsigned long long now)
{
    for (size_t i = server->count; i-- > 0;)
        if (remoteNoiseIsOver(&server->entries[i], now))
            remoteNoiseRemove(server, i);
}

/* ---------- who is let in ---------- */

static bool
remoteNoiseSameFile(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec
        && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* As who it was when its session began. */
static bool
remoteNoiseIsLetIn(const struct remoteNoiseServer *server, const struct remoteIdentity *had)
{
    const struct remoteIdentity *has = remoteAuthorizedFind(&server->authorized, had->key);

    return has != NULL && has->readOnly == had->readOnly && strcmp(has->name, had->name) == 0;
}

/* If the file has changed it is read again, and whose line is gone, or says something else, loses the sessions. What cannot be read is as if it had
 * not changed, and the log says so: a slip of the editor must lock nobody out, and an empty file locks out all. */
static void
remoteNoiseLook(struct remoteNoiseServer *server, unsigned long long now)
{
    struct remoteAuthorized fresh;
    struct stat state;

    if (now - server->looked < REMOTE_NOISE_LOOK_US)
        return;
    server->looked = now;
    if (stat(server->file, &state) < 0 || remoteNoiseSameFile(&state, &server->state))
        return;
    server->state = state;
    if (remoteAuthorizedRead(server->file, &fresh) < 0) {
        virLog(VIR_LOG_ERROR, "remote.noise", "the authorized keys stay what they were: %s", virGetLastErrorMessage());
        virResetLastError();
        return;
    }
    remoteAuthorizedClear(&server->authorized);
    server->authorized = fresh;
    for (size_t i = server->count; i-- > 0;)
        if (!remoteNoiseIsLetIn(server, remoteNoiseSessionPeer(server->entries[i].session)))
            remoteNoiseRemove(server, i);
}

static int
remoteNoiseLetIn(void *opaque, const unsigned char *key, struct remoteIdentity *identity)
{
    struct remoteNoiseServer *server = opaque;
    const struct remoteIdentity *found;
    int rc = 0;

    pthread_mutex_lock(&server->lock);
    if ((found = remoteAuthorizedFind(&server->authorized, key)) != NULL) {
        *identity = *found;
        rc = (identity->name = virStringCopy(found->name)) != NULL ? 1 : -1;
    }
    pthread_mutex_unlock(&server->lock);
    if (rc == 0) {
        char text[REMOTE_KEY_TEXT];

        remoteKeyFormat(key, text);
        virLog(VIR_LOG_WARN, "remote.noise", "a client was refused: its key %s is not in '%s'", text, server->file);
    }
    return rc;
}

/* ---------- the server ---------- */

VIRT_INTERNAL struct remoteNoiseServer *
remoteNoiseServerNew(const struct remoteKey *key, const char *authorizedFile, size_t sessions)
{
    struct remoteNoiseServer *server = virAllocate(sizeof(*server));

    if (server == NULL)
        return NULL;
    pthread_mutex_init(&server->lock, NULL);
    server->key = *key;
    server->most = sessions > 0 ? sessions : REMOTE_NOISE_SESSIONS;
    if ((server->file = virStringCopy(authorizedFile)) == NULL
        || (server->entries = virAllocate((server->most + REMOTE_NOISE_UNUSED) * sizeof(*server->entries))) == NULL)
        goto failed;
    /* Looked at before it is read: a change in between is seen the next time. */
    if (stat(authorizedFile, &server->state) < 0)
        memset(&server->state, 0, sizeof(server->state));
    if (remoteAuthorizedRead(authorizedFile, &server->authorized) < 0)
        goto failed;
    server->looked = virTimeNowUs();
    return server;

 failed:
    remoteNoiseServerFree(server);
    return NULL;
}

VIRT_INTERNAL void
remoteNoiseServerFree(struct remoteNoiseServer *server)
{
    if (server == NULL)
        return;
    while (server->count > 0)
        remoteNoiseRemove(server, server->count - 1);
    remoteAuthorizedClear(&server->authorized);
    remoteKeyErase(&server->key);
    pthread_mutex_destroy(&server->lock);
    free(server->entries);
    free(server->file);
    free(server);
}

VIRT_INTERNAL size_t
remoteNoiseServerCount(struct remoteNoiseServer *server)
{
    size_t count;

    pthread_mutex_lock(&server->lock);
    count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

/* A reply of a few bytes; DROPPED without memory. */
static enum remoteNoiseTaken
remoteNoiseReply(const void *bytes, size_t size, char **data, size_t *length)
{
    virResetLastError();
    if ((*data = virAllocate(size)) == NULL)
        return REMOTE_NOISE_DROPPED;
    memcpy(*data, bytes, size);
    *length = size;
    return REMOTE_NOISE_REPLY;
}

/* Whether the same message has been answered already, and is again. */
static bool
remoteNoiseAnsweredBefore(struct remoteNoiseServer *server, const unsigned char *hello, char **data, size_t *length)
{
    bool found = false;

    pthread_mutex_lock(&server->lock);
    remoteNoiseRemoveOver(server, virTimeNowUs());
    for (size_t i = 0; i < server->count && !found; i++) {
        struct remoteNoiseEntry *entry = &server->entries[i];

        if (!entry->used && memcmp(entry->hello, hello, REMOTE_NOISE_FIRST) == 0)
            found = remoteNoiseReply(entry->reply, entry->replyLength, data, length) == REMOTE_NOISE_REPLY;
    }
    pthread_mutex_unlock(&server->lock);
    return found;
}

static enum remoteNoiseTaken
remoteNoiseTakeHello(struct remoteNoiseServer *server, const unsigned char *hello, char **data, size_t *length)
{
    unsigned char refusal[10] = { 5 }, *reply;
    struct remoteNoiseEntry entry = { .used = false };
    struct remoteNoiseSession *session;
    enum remoteNoiseTaken taken;
    size_t replyLength;

    if (remoteNoiseAnsweredBefore(server, hello, data, length))
        return REMOTE_NOISE_REPLY;
    if (remoteNoiseServerAccept(&server->key, hello, REMOTE_NOISE_FIRST, remoteNoiseLetIn, server, &session, &reply, &replyLength) < 0) {
        int code = virGetLastErrorCode();

        virResetLastError();
        if (code != VIR_ERR_AUTH_FAILED && code != VIR_ERR_AUTH_UNAVAILABLE)
            return REMOTE_NOISE_DROPPED;
        memcpy(refusal + 1, hello + 1, 8);
        refusal[9] = code == VIR_ERR_AUTH_FAILED ? 1 : 2;
        return remoteNoiseReply(refusal, sizeof(refusal), data, length);
    }
    entry.session = session;
    entry.index = remoteNoiseSessionIndex(session);
    entry.born = entry.last = virTimeNowUs();
    memcpy(entry.hello, hello, REMOTE_NOISE_FIRST);
    entry.reply = reply;
    entry.replyLength = replyLength;
    taken = remoteNoiseReply(reply, replyLength, data, length);
    pthread_mutex_lock(&server->lock);
    if (!remoteNoiseIsLetIn(server, remoteNoiseSessionPeer(session)))
        taken = REMOTE_NOISE_DROPPED;                      /* not any more: it lost its line meanwhile */
    if (taken == REMOTE_NOISE_REPLY) {
        remoteNoiseMakeRoom(server, false, remoteNoiseSessionPeer(session)->key, REMOTE_NOISE_UNUSED, REMOTE_NOISE_UNUSED_OF_ONE);
        server->entries[server->count++] = entry;
    }
    pthread_mutex_unlock(&server->lock);
    if (taken == REMOTE_NOISE_REPLY)
        return taken;
    remoteNoiseSessionUnref(session);
    free(reply);
    free(*data);
    *data = NULL;
    return taken;
}

/* A record has been opened: the session is in use, from now on if it was not. */
static void
remoteNoiseUse(struct remoteNoiseServer *server, uint64_t index)
{
    struct remoteNoiseEntry *entry;

    pthread_mutex_lock(&server->lock);
    entry = remoteNoiseFind(server, index);
    if (entry != NULL && !entry->used) {
        remoteNoiseMakeRoom(server, true, remoteNoiseSessionPeer(entry->session)->key, server->most, REMOTE_NOISE_OF_ONE);
        entry = remoteNoiseFind(server, index);            /* the others may have moved */
        entry->used = true;
        free(entry->reply);
        entry->reply = NULL;
    }
    if (entry != NULL)
        entry->last = virTimeNowUs();
    pthread_mutex_unlock(&server->lock);
}

static enum remoteNoiseTaken
remoteNoiseTakeRecord(struct remoteNoiseServer *server, const unsigned char *record, size_t recordLength, char **data, size_t *length,
                      struct remoteNoiseSession **session)
{
    struct remoteNoiseSession *found = NULL;
    unsigned char unknown[9] = { 4 };
    struct remoteNoiseEntry *entry;
    uint64_t index = remoteNoiseIndexOf(record);

    pthread_mutex_lock(&server->lock);
    if ((entry = remoteNoiseFind(server, index)) != NULL && !remoteNoiseIsOver(entry, virTimeNowUs()))
        found = remoteNoiseSessionRef(entry->session);
    pthread_mutex_unlock(&server->lock);
    if (found == NULL) {
        memcpy(unknown + 1, record + 1, 8);
        return remoteNoiseReply(unknown, sizeof(unknown), data, length);
    }
    if (remoteNoiseOpen(found, record, recordLength, data, length) < 0) {
        virLog(VIR_LOG_DEBUG, "remote.noise", "%s: %s", remoteNoiseSessionPeer(found)->name, virGetLastErrorMessage());
        virResetLastError();
        remoteNoiseSessionUnref(found);
        return REMOTE_NOISE_DROPPED;
    }
    remoteNoiseUse(server, index);
    *session = found;
    return REMOTE_NOISE_TEXT;
}

VIRT_INTERNAL enum remoteNoiseTaken
remoteNoiseServerTake(struct remoteNoiseServer *server, const void *message, size_t messageLength, char **data, size_t *length,
                      struct remoteNoiseSession **session)
{
    const unsigned char *bytes = message;

    pthread_mutex_lock(&server->lock);
    remoteNoiseLook(server, virTimeNowUs());
    pthread_mutex_unlock(&server->lock);
    if (messageLength == REMOTE_NOISE_FIRST && bytes[0] == 1)
        return remoteNoiseTakeHello(server, bytes, data, length);
    if (messageLength >= REMOTE_NOISE_OVERHEAD && bytes[0] == 3)
        return remoteNoiseTakeRecord(server, bytes, messageLength, data, length, session);
    return REMOTE_NOISE_DROPPED;
}

VIRT_INTERNAL int
remoteNoiseServerSeal(struct remoteNoiseServer *server, struct remoteNoiseSession *session, const void *text, size_t length,
                      unsigned char **record, size_t *recordLength)
{
    bool letIn;

    pthread_mutex_lock(&server->lock);
    remoteNoiseLook(server, virTimeNowUs());
    letIn = remoteNoiseIsLetIn(server, remoteNoiseSessionPeer(session));
    pthread_mutex_unlock(&server->lock);
    if (!letIn)
        return virReportError(VIR_ERR_AUTH_FAILED, "the client's key is not authorized any more");
    return remoteNoiseSeal(session, text, length, record, recordLength);
}

/* ---------- the client ---------- */

struct remoteNoiseClient {
    struct remoteKey key;
    unsigned char server[REMOTE_KEY_SIZE];

    pthread_mutex_t lock;                  /* guards what follows */
    struct remoteNoiseHandshake *handshake;          /* one that is under way, with its first message */
    unsigned char *hello;
    size_t helloLength;
    struct remoteNoiseSession *current;
    struct remoteNoiseSession *previous;   /* answers may still come under it */
};

VIRT_INTERNAL struct remoteNoiseClient *
remoteNoiseClientNew(const struct remoteKey *key, const unsigned char *server)
{
    struct remoteNoiseClient *client = virAllocate(sizeof(*client));

    if (client == NULL)
        return NULL;
    pthread_mutex_init(&client->lock, NULL);
    client->key = *key;
    memcpy(client->server, server, REMOTE_KEY_SIZE);
    return client;
}

static void
remoteNoiseHandshakeOver(struct remoteNoiseClient *client)
{
    remoteNoiseHandshakeFree(client->handshake);
    free(client->hello);
    client->handshake = NULL;
    client->hello = NULL;
}

VIRT_INTERNAL void
remoteNoiseClientFree(struct remoteNoiseClient *client)
{
    if (client == NULL)
        return;
    remoteNoiseHandshakeOver(client);
    remoteNoiseSessionUnref(client->current);
    remoteNoiseSessionUnref(client->previous);
    remoteKeyErase(&client->key);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

VIRT_INTERNAL int
remoteNoiseClientHello(struct remoteNoiseClient *client, unsigned char **message, size_t *length)
{
    unsigned char *copy = NULL;
    int rc = 0;

    pthread_mutex_lock(&client->lock);
    if (client->handshake == NULL)
        rc = remoteNoiseClientStart(&client->key, client->server, &client->handshake, &client->hello, &client->helloLength);
    if (rc == 0 && (copy = virAllocate(client->helloLength)) != NULL) {
        memcpy(copy, client->hello, client->helloLength);
        *length = client->helloLength;
        *message = copy;
    }
    pthread_mutex_unlock(&client->lock);
    return copy != NULL ? 0 : -1;
}

/* The session there is gives way to another, or to none. */
static void
remoteNoiseReplace(struct remoteNoiseClient *client, struct remoteNoiseSession *session)
{
    if (client->current != NULL) {
        remoteNoiseSessionUnref(client->previous);
        client->previous = client->current;
    }
    client->current = session;
}

static enum remoteNoiseTaken
remoteNoiseTakeAnswer(struct remoteNoiseClient *client, const unsigned char *message, size_t length)
{
    struct remoteNoiseSession *session;

    if (client->handshake == NULL)
        return REMOTE_NOISE_DROPPED;
    if (remoteNoiseClientFinish(client->handshake, message, length, &session) < 0) {
        virResetLastError();
        return REMOTE_NOISE_DROPPED;
    }
    remoteNoiseHandshakeOver(client);
    remoteNoiseReplace(client, session);
    return REMOTE_NOISE_READY;
}

static enum remoteNoiseTaken
remoteNoiseTakeRefusal(struct remoteNoiseClient *client, const unsigned char *message)
{
    char own[REMOTE_KEY_TEXT], server[REMOTE_KEY_TEXT];

    if (client->handshake == NULL || memcmp(client->hello + 1, message + 1, 8) != 0)
        return REMOTE_NOISE_DROPPED;
    remoteNoiseHandshakeOver(client);
    remoteKeyFormat(client->key.open, own);
    remoteKeyFormat(client->server, server);
    if (message[9] == 1)
        virReportError(VIR_ERR_AUTH_FAILED, "the server does not know this client's key: its file of authorized keys needs the line '%s NAME'", own);
    else
        virReportError(VIR_ERR_AUTH_FAILED, "the server's key is not the expected %s: if it has a new one, ask those who run it which, and tell the "
                       "file of known hosts", server);
    return REMOTE_NOISE_REFUSED;
}

static struct remoteNoiseSession *
remoteNoiseSessionOf(struct remoteNoiseClient *client, const unsigned char *message)
{
    struct remoteNoiseSession *of[] = { client->current, client->previous };
    uint64_t index = remoteNoiseIndexOf(message);

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        if (of[i] != NULL && remoteNoiseSessionIndex(of[i]) == index)
            return of[i];
    return NULL;
}

VIRT_INTERNAL enum remoteNoiseTaken
remoteNoiseClientTake(struct remoteNoiseClient *client, const void *message, size_t messageLength, char **data, size_t *length)
{
    enum remoteNoiseTaken taken = REMOTE_NOISE_DROPPED;
    struct remoteNoiseSession *session = NULL;
    const unsigned char *bytes = message;

    pthread_mutex_lock(&client->lock);
    if (messageLength > 0 && bytes[0] == 2) {
        taken = remoteNoiseTakeAnswer(client, bytes, messageLength);
    } else if (messageLength == 10 && bytes[0] == 5) {
        taken = remoteNoiseTakeRefusal(client, bytes);
    } else if (messageLength == 9 && bytes[0] == 4) {
        if ((session = remoteNoiseSessionOf(client, bytes)) != NULL && session == client->current) {
            remoteNoiseReplace(client, NULL);
            taken = REMOTE_NOISE_UNKNOWN;
        }
        session = NULL;
    } else if (messageLength >= REMOTE_NOISE_OVERHEAD && bytes[0] == 3 && (session = remoteNoiseSessionOf(client, bytes)) != NULL) {
        remoteNoiseSessionRef(session);
    }
    pthread_mutex_unlock(&client->lock);
    if (session == NULL)
        return taken;
    if (remoteNoiseOpen(session, message, messageLength, data, length) == 0)
        taken = REMOTE_NOISE_TEXT;
    else
        virResetLastError();
    remoteNoiseSessionUnref(session);
    return taken;
}

VIRT_INTERNAL int
remoteNoiseClientSeal(struct remoteNoiseClient *client, const void *text, size_t length, unsigned char **record, size_t *recordLength)
{
    struct remoteNoiseSession *session = NULL;
    int rc;

    pthread_mutex_lock(&client->lock);
    if (client->current != NULL)
        session = remoteNoiseSessionRef(client->current);
    pthread_mutex_unlock(&client->lock);
    if (session == NULL)
        return 0;
    rc = remoteNoiseSeal(session, text, length, record, recordLength);
    remoteNoiseSessionUnref(session);
    return rc < 0 ? -1 : 1;
}

VIRT_INTERNAL bool
remoteNoiseClientWantsHello(struct remoteNoiseClient *client)
{
    bool wants;

    pthread_mutex_lock(&client->lock);
    wants = client->current == NULL || remoteNoiseSessionIsOld(client->current);
    pthread_mutex_unlock(&client->lock);
    return wants;
}

#undef REMOTE_NOISE_SESSIONS
#undef REMOTE_NOISE_OF_ONE
#undef REMOTE_NOISE_UNUSED
#undef REMOTE_NOISE_UNUSED_OF_ONE
#undef REMOTE_NOISE_UNUSED_US
#undef REMOTE_NOISE_IDLE_US
#undef REMOTE_NOISE_LIFE_US
#undef REMOTE_NOISE_LOOK_US
#undef VIRT_FROM

#endif
