/*
 * The handshake Noise_IK_25519_AESGCM_SHA256 and the records after it. See noise.h for what is on the wire, and
 * https://noiseprotocol.org/noise.html, whose words the comments use: s is a static key, e an ephemeral one, r stands for the peer's.
 *
 * What differs from the letter of that document: a record carries its number, as the document's chapter on out-of-order messages has it, with
 * the header as associated data; and it may be longer than 65,535 bytes, as nothing here needs the two bytes of length.
 */
#include "noise.h"

#if VIRT_WITH_NOISE

#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_NOISE_PROTOCOL "Noise_IK_25519_AESGCM_SHA256"
#define REMOTE_NOISE_PROLOGUE "virt 1"
#define REMOTE_NOISE_INDEX    8       /* bytes of it */

struct remoteNoiseHandshake {
    unsigned char hash[SHA256_DIGEST_LENGTH];        /* h, ck, k and n of the document */
    unsigned char chain[SHA256_DIGEST_LENGTH];
    unsigned char key[SHA256_DIGEST_LENGTH];
    uint64_t nonce;
    struct remoteKey own, ephemeral;                 /* s, e */
    unsigned char peer[REMOTE_KEY_SIZE];             /* rs */
    unsigned char peerEphemeral[REMOTE_KEY_SIZE];    /* re */
};

struct remoteNoiseSession {
    atomic_int refs;
    uint64_t index;
    struct remoteIdentity peer;
    unsigned char send[SHA256_DIGEST_LENGTH];
    unsigned char receive[SHA256_DIGEST_LENGTH];
    unsigned long long born;                         /* virTimeNowUs */
    atomic_ullong sent;                              /* the next record's counter */
    atomic_ullong blocks;                            /* of both directions */

    pthread_mutex_t lock;                            /* guards what follows */
    uint64_t next;                                   /* above all counters that have come */
    uint64_t seen[REMOTE_NOISE_WINDOW / 64];         /* a bit for each of the last REMOTE_NOISE_WINDOW counters below `next`, at counter % that */
};

static int
remoteNoiseBroken(const char *what)
{
    return virReportError(VIR_ERR_INTERNAL_ERROR, "OpenSSL failed: %s", what);
}

static void
remoteNoisePut64(unsigned char *bytes, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        bytes[i] = (unsigned char)value;
}

static uint64_t
remoteNoiseGet64(const unsigned char *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* ---------- what OpenSSL does ---------- */

/*
 * It has a list of errors per thread, which is the application's to look at: what fails here (a forged record does) leaves nothing on it.
 */

static int
remoteNoiseEncrypt(const unsigned char *key, uint64_t nonce, const unsigned char *ad, size_t adLength, const void *text, size_t length,
                   unsigned char *out /* length + REMOTE_NOISE_TAG */)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char iv[12] = { 0 };
    int n, rc = -1;

    ERR_set_mark();
    remoteNoisePut64(iv + 4, nonce);
    if (ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv) > 0
        && (adLength == 0 || EVP_EncryptUpdate(ctx, NULL, &n, ad, (int)adLength) > 0)
        && (length == 0 || EVP_EncryptUpdate(ctx, out, &n, text, (int)length) > 0)
        && EVP_EncryptFinal_ex(ctx, out + length, &n) > 0
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, REMOTE_NOISE_TAG, out + length) > 0)
        rc = 0;
    EVP_CIPHER_CTX_free(ctx);
    ERR_pop_to_mark();
    return rc < 0 ? remoteNoiseBroken("AES-256-GCM") : 0;
}

/* -1 without an error set: it is not authentic (or memory ran out). What is in `out` then is erased. */
static int
remoteNoiseDecrypt(const unsigned char *key, uint64_t nonce, const unsigned char *ad, size_t adLength, const unsigned char *in, size_t length,
                   unsigned char *out /* length - REMOTE_NOISE_TAG */)
{
    EVP_CIPHER_CTX *ctx;
    unsigned char iv[12] = { 0 }, tag[REMOTE_NOISE_TAG];
    int n, rc = -1;

    if (length < REMOTE_NOISE_TAG || (ctx = EVP_CIPHER_CTX_new()) == NULL)
        return -1;
    length -= REMOTE_NOISE_TAG;
    memcpy(tag, in + length, sizeof(tag));
    remoteNoisePut64(iv + 4, nonce);
    ERR_set_mark();
    if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv) > 0
        && (adLength == 0 || EVP_DecryptUpdate(ctx, NULL, &n, ad, (int)adLength) > 0)
        && (length == 0 || EVP_DecryptUpdate(ctx, out, &n, in, (int)length) > 0)
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, REMOTE_NOISE_TAG, tag) > 0
        && EVP_DecryptFinal_ex(ctx, tag, &n) > 0)
        rc = 0;
    else
        OPENSSL_cleanse(out, length);
    EVP_CIPHER_CTX_free(ctx);
    ERR_pop_to_mark();
    return rc;
}

/* -1 without an error set also where the result would be zero whatever the secret: the peer's key is a point of small order. */
static int
remoteNoiseShared(const unsigned char *secret, const unsigned char *peer, unsigned char *shared)
{
    EVP_PKEY *own, *other;
    EVP_PKEY_CTX *ctx;
    size_t length = REMOTE_KEY_SIZE;
    int rc = -1;

    ERR_set_mark();
    own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, REMOTE_KEY_SIZE);
    other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, REMOTE_KEY_SIZE);
    ctx = own != NULL && other != NULL ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    if (ctx != NULL && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, other) > 0 && EVP_PKEY_derive(ctx, shared, &length) > 0)
        rc = 0;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(own);
    EVP_PKEY_free(other);
    ERR_pop_to_mark();
    return rc;
}

/* HKDF with two outputs of 32 bytes, as Noise (and RFC 5869, with an empty info) has it. */
static int
remoteNoiseExpand(const unsigned char *chain, const unsigned char *input, size_t length, unsigned char *first, unsigned char *second)
{
    unsigned char root[SHA256_DIGEST_LENGTH], more[SHA256_DIGEST_LENGTH + 1];
    int rc = -1;

    /* HMAC() takes a NULL input for "as before" */
    if (HMAC(EVP_sha256(), chain, SHA256_DIGEST_LENGTH, length > 0 ? input : (const unsigned char *)"", length, root, NULL) != NULL
        && HMAC(EVP_sha256(), root, sizeof(root), (const unsigned char *)"\x01", 1, more, NULL) != NULL) {
        memcpy(first, more, SHA256_DIGEST_LENGTH);
        more[SHA256_DIGEST_LENGTH] = 2;
        if (HMAC(EVP_sha256(), root, sizeof(root), more, sizeof(more), second, NULL) != NULL)
            rc = 0;
    }
    OPENSSL_cleanse(root, sizeof(root));
    OPENSSL_cleanse(more, sizeof(more));
    return rc < 0 ? remoteNoiseBroken("HMAC-SHA-256") : 0;
}

static int
remoteNoiseDigest(const unsigned char *hash, const unsigned char *data, size_t length, unsigned char *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rc = -1;

    if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) > 0 && EVP_DigestUpdate(ctx, hash, SHA256_DIGEST_LENGTH) > 0
        && EVP_DigestUpdate(ctx, data, length) > 0 && EVP_DigestFinal_ex(ctx, out, NULL) > 0)
        rc = 0;
    EVP_MD_CTX_free(ctx);
    return rc < 0 ? remoteNoiseBroken("SHA-256") : 0;
}

/* ---------- the handshake's state ---------- */

static int
remoteNoiseMixHash(struct remoteNoiseHandshake *hs, const void *data, size_t length)
{
    return remoteNoiseDigest(hs->hash, data, length, hs->hash);
}

/* What two keys have in common becomes part of all that follows. */
static int
remoteNoiseMixKey(struct remoteNoiseHandshake *hs, const struct remoteKey *own, const unsigned char *peer)
{
    unsigned char shared[REMOTE_KEY_SIZE];
    int rc;

    if (remoteNoiseShared(own->secret, peer, shared) < 0)
        return virReportError(VIR_ERR_RPC, "the peer's key is none of X25519");
    rc = remoteNoiseExpand(hs->chain, shared, sizeof(shared), hs->chain, hs->key);
    hs->nonce = 0;
    OPENSSL_cleanse(shared, sizeof(shared));
    return rc;
}

static int
remoteNoiseSealPart(struct remoteNoiseHandshake *hs, const void *text, size_t length, unsigned char *out)
{
    if (remoteNoiseEncrypt(hs->key, hs->nonce++, hs->hash, sizeof(hs->hash), text, length, out) < 0)
        return -1;
    return remoteNoiseMixHash(hs, out, length + REMOTE_NOISE_TAG);
}

static int
remoteNoiseOpenPart(struct remoteNoiseHandshake *hs, const unsigned char *in, size_t length, unsigned char *out)
{
    if (remoteNoiseDecrypt(hs->key, hs->nonce++, hs->hash, sizeof(hs->hash), in, length, out) < 0)
        return virReportError(VIR_ERR_RPC, "a message of the handshake is not authentic");
    return remoteNoiseMixHash(hs, in, length);
}

/* The name, the prologue, and the server's static key, which both know before. */
static int
remoteNoiseBegin(struct remoteNoiseHandshake *hs, const void *prologue, size_t length, const unsigned char *server)
{
    memset(hs->hash, 0, sizeof(hs->hash));
    memcpy(hs->hash, REMOTE_NOISE_PROTOCOL, strlen(REMOTE_NOISE_PROTOCOL));
    memcpy(hs->chain, hs->hash, sizeof(hs->chain));
    return remoteNoiseMixHash(hs, prologue, length) < 0 || remoteNoiseMixHash(hs, server, REMOTE_KEY_SIZE) < 0 ? -1 : 0;
}

/* ---------- the two messages, without their first byte ---------- */

/* -> e, es, s, ss. out: 96 bytes and the payload. */
static int
remoteNoiseWriteFirst(struct remoteNoiseHandshake *hs, const void *payload, size_t length, unsigned char *out)
{
    memcpy(out, hs->ephemeral.open, REMOTE_KEY_SIZE);
    if (remoteNoiseMixHash(hs, hs->ephemeral.open, REMOTE_KEY_SIZE) < 0 || remoteNoiseMixKey(hs, &hs->ephemeral, hs->peer) < 0
        || remoteNoiseSealPart(hs, hs->own.open, REMOTE_KEY_SIZE, out + 32) < 0 || remoteNoiseMixKey(hs, &hs->own, hs->peer) < 0)
        return -1;
    return remoteNoiseSealPart(hs, payload, length, out + 80);
}

/* The first half of it tells who it says it is, which the second proves. */
static int
remoteNoiseReadFirstKey(struct remoteNoiseHandshake *hs, const unsigned char *in)
{
    memcpy(hs->peerEphemeral, in, REMOTE_KEY_SIZE);
    if (remoteNoiseMixHash(hs, in, REMOTE_KEY_SIZE) < 0 || remoteNoiseMixKey(hs, &hs->own, hs->peerEphemeral) < 0)
        return -1;
    return remoteNoiseOpenPart(hs, in + 32, REMOTE_KEY_SIZE + REMOTE_NOISE_TAG, hs->peer);
}

static int
remoteNoiseReadFirstPayload(struct remoteNoiseHandshake *hs, const unsigned char *in, size_t length, unsigned char *payload)
{
    return remoteNoiseMixKey(hs, &hs->own, hs->peer) < 0 ? -1 : remoteNoiseOpenPart(hs, in + 80, length - 80, payload);
}

/* <- e, ee, se. out: 48 bytes and the payload. */
static int
remoteNoiseWriteSecond(struct remoteNoiseHandshake *hs, const void *payload, size_t length, unsigned char *out)
{
    memcpy(out, hs->ephemeral.open, REMOTE_KEY_SIZE);
    if (remoteNoiseMixHash(hs, hs->ephemeral.open, REMOTE_KEY_SIZE) < 0 || remoteNoiseMixKey(hs, &hs->ephemeral, hs->peerEphemeral) < 0
        || remoteNoiseMixKey(hs, &hs->ephemeral, hs->peer) < 0)
        return -1;
    return remoteNoiseSealPart(hs, payload, length, out + 32);
}

static int
remoteNoiseReadSecond(struct remoteNoiseHandshake *hs, const unsigned char *in, size_t length, unsigned char *payload)
{
    memcpy(hs->peerEphemeral, in, REMOTE_KEY_SIZE);
    if (remoteNoiseMixHash(hs, in, REMOTE_KEY_SIZE) < 0 || remoteNoiseMixKey(hs, &hs->ephemeral, hs->peerEphemeral) < 0
        || remoteNoiseMixKey(hs, &hs->own, hs->peerEphemeral) < 0)
        return -1;
    return remoteNoiseOpenPart(hs, in + 32, length - 32, payload);
}

/* The two keys that the handshake ends with, the client's to send with first. */
static int
remoteNoiseSplit(const struct remoteNoiseHandshake *hs, unsigned char *client, unsigned char *server)
{
    return remoteNoiseExpand(hs->chain, NULL, 0, client, server);
}

/* ---------- sessions ---------- */

static struct remoteNoiseSession *
remoteNoiseSessionNew(const struct remoteNoiseHandshake *hs, uint64_t index, bool client)
{
    struct remoteNoiseSession *session = virAllocate(sizeof(*session));

    if (session == NULL)
        return NULL;
    if (remoteNoiseSplit(hs, client ? session->send : session->receive, client ? session->receive : session->send) < 0) {
        OPENSSL_cleanse(session, sizeof(*session));
        free(session);
        return NULL;
    }
    pthread_mutex_init(&session->lock, NULL);
    atomic_init(&session->refs, 1);
    session->index = index;
    session->born = virTimeNowUs();
    memcpy(session->peer.key, hs->peer, REMOTE_KEY_SIZE);
    return session;
}

VIRT_INTERNAL struct remoteNoiseSession *
remoteNoiseSessionRef(struct remoteNoiseSession *session)
{
    atomic_fetch_add(&session->refs, 1);
    return session;
}

VIRT_INTERNAL void
remoteNoiseSessionUnref(struct remoteNoiseSession *session)
{
    if (session == NULL || atomic_fetch_sub(&session->refs, 1) > 1)
        return;
    pthread_mutex_destroy(&session->lock);
    free(session->peer.name);
    OPENSSL_cleanse(session, sizeof(*session));
    free(session);
}

VIRT_INTERNAL const struct remoteIdentity *
remoteNoiseSessionPeer(const struct remoteNoiseSession *session)
{
    return &session->peer;
}

VIRT_INTERNAL uint64_t
remoteNoiseSessionIndex(const struct remoteNoiseSession *session)
{
    return session->index;
}

VIRT_INTERNAL uint64_t
remoteNoiseIndexOf(const void *message)
{
    return remoteNoiseGet64((const unsigned char *)message + 1);
}

VIRT_INTERNAL bool
remoteNoiseSessionIsOld(const struct remoteNoiseSession *session)
{
    return atomic_load(&session->sent) >= REMOTE_NOISE_OLD_RECORDS || atomic_load(&session->blocks) >= REMOTE_NOISE_OLD_BLOCKS
        || virTimeNowUs() - session->born >= REMOTE_NOISE_OLD_US;
}

/* ---------- the handshake as it is called ---------- */

VIRT_INTERNAL void
remoteNoiseHandshakeFree(struct remoteNoiseHandshake *handshake)
{
    if (handshake == NULL)
        return;
    OPENSSL_cleanse(handshake, sizeof(*handshake));
    free(handshake);
}

VIRT_INTERNAL int
remoteNoiseClientStart(const struct remoteKey *key, const unsigned char *server, struct remoteNoiseHandshake **handshake,
                       unsigned char **message, size_t *length)
{
    struct remoteNoiseHandshake *hs = virAllocate(sizeof(*hs));
    unsigned char *out = virAllocate(REMOTE_NOISE_FIRST);

    if (hs == NULL || out == NULL)
        goto failed;
    hs->own = *key;
    memcpy(hs->peer, server, REMOTE_KEY_SIZE);
    out[0] = 1;
    if (remoteKeyGenerate(&hs->ephemeral) < 0 || remoteNoiseBegin(hs, REMOTE_NOISE_PROLOGUE, strlen(REMOTE_NOISE_PROLOGUE), server) < 0
        || remoteNoiseWriteFirst(hs, NULL, 0, out + 1) < 0)
        goto failed;
    *handshake = hs;
    *message = out;
    *length = REMOTE_NOISE_FIRST;
    return 0;

 failed:
    remoteNoiseHandshakeFree(hs);
    free(out);
    return -1;
}

VIRT_INTERNAL int
remoteNoiseClientFinish(struct remoteNoiseHandshake *handshake, const void *message, size_t length, struct remoteNoiseSession **session)
{
    struct remoteNoiseHandshake hs = *handshake;     /* another message may yet be the right one */
    unsigned char index[REMOTE_NOISE_INDEX];
    const unsigned char *bytes = message;
    int rc = -1;

    if (length != REMOTE_NOISE_SECOND || bytes[0] != 2)
        virReportError(VIR_ERR_RPC, "this is no second message of a handshake");
    else if (remoteNoiseReadSecond(&hs, bytes + 1, length - 1, index) == 0
             && (*session = remoteNoiseSessionNew(&hs, remoteNoiseGet64(index), true)) != NULL)
        rc = 0;
    OPENSSL_cleanse(&hs, sizeof(hs));
    return rc;
}

/* The part of Accept whose secrets its caller erases. */
static int
remoteNoiseAnswer(struct remoteNoiseHandshake *hs, const unsigned char *message, size_t length,
                  int (*find)(void *opaque, const unsigned char *key, struct remoteIdentity *identity), void *opaque,
                  struct remoteIdentity *identity, uint64_t *index, unsigned char *out)
{
    unsigned char none[1], bytes[REMOTE_NOISE_INDEX];
    int rc;

    if (remoteNoiseReadFirstKey(hs, message + 1) < 0)
        return virReportError(VIR_ERR_AUTH_UNAVAILABLE, "the first message of a handshake was not for this server's key");
    if ((rc = find(opaque, hs->peer, identity)) <= 0)
        return rc < 0 ? -1 : virReportError(VIR_ERR_AUTH_FAILED, "the client's key is not authorized");
    if (remoteNoiseReadFirstPayload(hs, message + 1, length - 1, none) < 0 || remoteKeyGenerate(&hs->ephemeral) < 0)
        return -1;
    if (virPlatformRandom(bytes, sizeof(bytes)) < 0)
        return virReportSystemError(errno, "there are no random numbers");
    *index = remoteNoiseGet64(bytes);
    out[0] = 2;
    return remoteNoiseWriteSecond(hs, bytes, sizeof(bytes), out + 1);
}

VIRT_INTERNAL int
remoteNoiseServerAccept(const struct remoteKey *key, const void *message, size_t length,
                        int (*find)(void *opaque, const unsigned char *key, struct remoteIdentity *identity), void *opaque,
                        struct remoteNoiseSession **session, unsigned char **reply, size_t *replyLength)
{
    struct remoteNoiseHandshake hs = { .own = *key };
    struct remoteIdentity identity = { .name = NULL };
    struct remoteNoiseSession *made = NULL;
    unsigned char *out = NULL;
    uint64_t index = 0;

    if (length != REMOTE_NOISE_FIRST || *(const unsigned char *)message != 1) {
        virReportError(VIR_ERR_RPC, "this is no first message of a handshake");
    } else if (remoteNoiseBegin(&hs, REMOTE_NOISE_PROLOGUE, strlen(REMOTE_NOISE_PROLOGUE), key->open) == 0
               && (out = virAllocate(REMOTE_NOISE_SECOND)) != NULL
               && remoteNoiseAnswer(&hs, message, length, find, opaque, &identity, &index, out) == 0
               && (made = remoteNoiseSessionNew(&hs, index, false)) != NULL) {
        made->peer.name = identity.name;
        made->peer.readOnly = identity.readOnly;
        *session = made;
        *reply = out;
        *replyLength = REMOTE_NOISE_SECOND;
    }
    OPENSSL_cleanse(&hs, sizeof(hs));
    if (made != NULL)
        return 0;
    free(identity.name);
    free(out);
    return -1;
}

/* ---------- records ---------- */

/* Counts what a key is used for; false: it has been used enough. */
static bool
remoteNoiseSpend(struct remoteNoiseSession *session, size_t length)
{
    uint64_t blocks = length / 16 + 2;

    return atomic_fetch_add(&session->blocks, blocks) < REMOTE_NOISE_BLOCKS;
}

VIRT_INTERNAL int
remoteNoiseSeal(struct remoteNoiseSession *session, const void *text, size_t length, unsigned char **record, size_t *recordLength)
{
    unsigned char *out;
    uint64_t counter;

    if (length > REMOTE_NOISE_LARGEST - REMOTE_NOISE_OVERHEAD)
        return virReportError(VIR_ERR_RPC, "a message of %zu bytes is too long", length);
    if ((out = malloc(length + REMOTE_NOISE_OVERHEAD)) == NULL)
        return virReportNoMemory();
    /* A number is used up even if it is not sent in the end: never twice under one key. */
    counter = atomic_fetch_add(&session->sent, 1);
    if (counter >= REMOTE_NOISE_RECORDS || !remoteNoiseSpend(session, length)) {
        free(out);
        return virReportError(VIR_ERR_RPC, "the session's keys are used up");
    }
    out[0] = 3;
    remoteNoisePut64(out + 1, session->index);
    remoteNoisePut64(out + 9, counter);
    if (remoteNoiseEncrypt(session->send, counter, out, REMOTE_NOISE_HEADER, text, length, out + REMOTE_NOISE_HEADER) < 0) {
        free(out);
        return -1;
    }
    *record = out;
    *recordLength = length + REMOTE_NOISE_OVERHEAD;
    return 0;
}

/* Whether a record with this counter may be taken; with take: notes that it is. Called with the lock held. */
static bool
remoteNoiseIsNew(struct remoteNoiseSession *session, uint64_t counter, bool take)
{
    uint64_t *word = &session->seen[counter % REMOTE_NOISE_WINDOW / 64], bit = UINT64_C(1) << counter % 64;

    if (counter >= REMOTE_NOISE_RECORDS || (session->next > REMOTE_NOISE_WINDOW && counter < session->next - REMOTE_NOISE_WINDOW))
        return false;
    if (counter < session->next && (*word & bit) != 0)
        return false;
    if (!take)
        return true;
    /* The counters between have not come yet: their bits, left from a window ago, are cleared. */
    if (counter >= session->next + REMOTE_NOISE_WINDOW)
        memset(session->seen, 0, sizeof(session->seen));
    else
        for (uint64_t i = session->next; i < counter; i++)
            session->seen[i % REMOTE_NOISE_WINDOW / 64] &= ~(UINT64_C(1) << i % 64);
    if (counter >= session->next)
        session->next = counter + 1;
    *word |= bit;
    return true;
}

VIRT_INTERNAL int
remoteNoiseOpen(struct remoteNoiseSession *session, const void *record, size_t recordLength, char **text, size_t *length)
{
    const unsigned char *bytes = record;
    size_t n = recordLength - REMOTE_NOISE_OVERHEAD;
    uint64_t counter;
    bool fresh;
    char *out;

    if (recordLength < REMOTE_NOISE_OVERHEAD || recordLength > REMOTE_NOISE_LARGEST || bytes[0] != 3
        || remoteNoiseIndexOf(bytes) != session->index)
        return virReportError(VIR_ERR_RPC, "this is no record of the session");
    counter = remoteNoiseGet64(bytes + 9);
    pthread_mutex_lock(&session->lock);
    fresh = remoteNoiseIsNew(session, counter, false);
    pthread_mutex_unlock(&session->lock);
    if (!fresh)
        return virReportError(VIR_ERR_RPC, "a record has come a second time, or much too late");
    if ((out = malloc(n + 1)) == NULL)
        return virReportNoMemory();
    if (remoteNoiseDecrypt(session->receive, counter, bytes, REMOTE_NOISE_HEADER, bytes + REMOTE_NOISE_HEADER, n + REMOTE_NOISE_TAG,
                           (unsigned char *)out) < 0) {
        free(out);
        return virReportError(VIR_ERR_RPC, "a record is not authentic");
    }
    /* Only now, or a forged one would keep the right one out; and once more, since another thread may have had the same. */
    pthread_mutex_lock(&session->lock);
    fresh = remoteNoiseIsNew(session, counter, true);
    pthread_mutex_unlock(&session->lock);
    if (!fresh || !remoteNoiseSpend(session, n)) {
        OPENSSL_cleanse(out, n);
        free(out);
        return virReportError(VIR_ERR_RPC, fresh ? "the session's keys are used up" : "a record has come a second time");
    }
    out[n] = '\0';
    *text = out;
    *length = n;
    return 0;
}

#undef REMOTE_NOISE_PROTOCOL
#undef REMOTE_NOISE_PROLOGUE
#undef REMOTE_NOISE_INDEX
#undef VIRT_FROM

#endif
