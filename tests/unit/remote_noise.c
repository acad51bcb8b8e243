/* Authentication and encryption for tcp and ws, and the files that keys are in. */
#include "../../drivers/common/file.h"
#include "../../drivers/remote/noise.c"
#include "../../drivers/remote/noise_ends.c"
#include "../fault.h"
#include "../harness.h"

#if VIRT_WITH_NOISE

#include <fcntl.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t
fromHex(const char *hex, unsigned char *bytes)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        unsigned int value;

        CHECK_INT(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (unsigned char)value;
    }
    return n;
}

/* ---- the published vector ---- */

/*
 * Noise_IK_25519_AESGCM_SHA256 of cacophony's collection of test vectors (vectors/cacophony.txt), which other implementations of Noise are
 * checked with too: prologue, keys, and payloads and ciphertexts of the two messages and of four that follow, by turns.
 */
static const char *const vector[][2] = {
    { "4c756477696720766f6e204d69736573",
      "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444e417bc55c7a8166c993356c1be41ef67818a292426f301556c7f26b21d25ddb"
      "097153891a9a956cff47b83e63ad8d701c1342c209cff1ca5ecd43402762ac249e3bd3a4c0a145fe07cb5dae28ea13a3" },
    { "4d757272617920526f746862617264",
      "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843af2ccf9972e22afc67aeafcd25162f7f98c363b7762e3e4cb7d272e39f27a5" },
    { "462e20412e20486179656b", "66acfc92e3197de166809e6d4d5d003dcc819a84bc3522ca53c9d9" },
    { "4361726c204d656e676572", "71f89aa6533a6de70b0826864dd75f60806ee40170c16290189eb3" },
    { "4a65616e2d426170746973746520536179", "4795a3423550c8bf00386bd496a3e2c76c10669d2a75ab8f79b5094c5412a25705" },
    { "457567656e2042f6686d20766f6e2042617765726b", "aa0bb39097555c918e40be82abc2b909eb79d9eb87adb07e268fc37323a6cf904fd01fb391" },
};

static void
keyFromHex(const char *secret, struct remoteKey *key)
{
    CHECK_UINT(fromHex(secret, key->secret), REMOTE_KEY_SIZE);
    CHECK_OK(remoteKeyFromSecret(key));
}

TEST(the_published_vector_comes_out_byte_by_byte)
{
    struct remoteNoiseHandshake client = { .nonce = 0 }, server = { .nonce = 0 };
    unsigned char payload[64], expected[256], out[256], back[64], prologue[16], keys[2][32], serverKeys[2][32];
    size_t length, size;

    keyFromHex("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1", &client.own);
    keyFromHex("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a", &client.ephemeral);
    keyFromHex("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893", &server.own);
    keyFromHex("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b", &server.ephemeral);
    fromHex("31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62", client.peer);
    CHECK_MEM(server.own.open, client.peer, REMOTE_KEY_SIZE);
    size = fromHex("4a6f686e2047616c74", prologue);
    CHECK_OK(remoteNoiseBegin(&client, prologue, size, client.peer));
    CHECK_OK(remoteNoiseBegin(&server, prologue, size, server.own.open));

    length = fromHex(vector[0][0], payload);
    size = fromHex(vector[0][1], expected);
    CHECK_OK(remoteNoiseWriteFirst(&client, payload, length, out));
    CHECK_UINT(size, 96 + length);
    CHECK_MEM(out, expected, size);
    CHECK_OK(remoteNoiseReadFirstKey(&server, out));
    CHECK_MEM(server.peer, client.own.open, REMOTE_KEY_SIZE);
    CHECK_OK(remoteNoiseReadFirstPayload(&server, out, size, back));
    CHECK_MEM(back, payload, length);

    length = fromHex(vector[1][0], payload);
    size = fromHex(vector[1][1], expected);
    CHECK_OK(remoteNoiseWriteSecond(&server, payload, length, out));
    CHECK_UINT(size, 48 + length);
    CHECK_MEM(out, expected, size);
    CHECK_OK(remoteNoiseReadSecond(&client, out, size, back));
    CHECK_MEM(back, payload, length);

    CHECK_OK(remoteNoiseSplit(&client, keys[0], keys[1]));
    CHECK_OK(remoteNoiseSplit(&server, serverKeys[0], serverKeys[1]));
    CHECK_MEM(keys, serverKeys, sizeof(keys));
    for (int i = 2; i < 6; i++) {
        length = fromHex(vector[i][0], payload);
        size = fromHex(vector[i][1], expected);
        CHECK_OK(remoteNoiseEncrypt(keys[i % 2], (uint64_t)(i - 2) / 2, NULL, 0, payload, length, out));
        CHECK_UINT(size, length + REMOTE_NOISE_TAG);
        CHECK_MEM(out, expected, size);
        CHECK_OK(remoteNoiseDecrypt(keys[i % 2], (uint64_t)(i - 2) / 2, NULL, 0, out, size, back));
        CHECK_MEM(back, payload, length);
    }
}

/* ---- two that know each other ---- */

static int
letIn(void *opaque, const unsigned char *key, struct remoteIdentity *identity)
{
    if (opaque != NULL && memcmp(opaque, key, REMOTE_KEY_SIZE) != 0)
        return 0;
    memcpy(identity->key, key, REMOTE_KEY_SIZE);
    return (identity->name = virStringCopy("someone")) != NULL ? 1 : -1;
}

struct pair {
    struct remoteKey clientKey, serverKey;
    struct remoteNoiseSession *client, *server;
};

static int
pairMeet(struct pair *pair)
{
    struct remoteNoiseHandshake *handshake = NULL;
    unsigned char *first = NULL, *second = NULL;
    size_t n, m;
    int rc = -1;

    pair->client = pair->server = NULL;
    if (remoteNoiseClientStart(&pair->clientKey, pair->serverKey.open, &handshake, &first, &n) == 0
        && remoteNoiseServerAccept(&pair->serverKey, first, n, letIn, pair->clientKey.open, &pair->server, &second, &m) == 0
        && remoteNoiseClientFinish(handshake, second, m, &pair->client) == 0)
        rc = 0;
    remoteNoiseHandshakeFree(handshake);
    free(first);
    free(second);
    return rc;
}

static void
pairOpen(struct pair *pair)
{
    CHECK_OK(remoteKeyGenerate(&pair->clientKey));
    CHECK_OK(remoteKeyGenerate(&pair->serverKey));
    CHECK_OK(pairMeet(pair));
}

static void
pairClose(struct pair *pair)
{
    remoteNoiseSessionUnref(pair->client);
    remoteNoiseSessionUnref(pair->server);
}

/* One text over, and what comes out. */
static void
carry(struct remoteNoiseSession *from, struct remoteNoiseSession *to, const char *text, size_t length)
{
    unsigned char *record;
    size_t size, got;
    char *back;

    CHECK_OK(remoteNoiseSeal(from, text, length, &record, &size));
    CHECK_UINT(size, length + 33);
    CHECK_OK(remoteNoiseOpen(to, record, size, &back, &got));
    CHECK_UINT(got, length);
    CHECK_MEM(back, text, length);
    CHECK_INT(back[length], 0);
    free(back);
    free(record);
}

TEST(both_ends_read_each_other_and_know_who_it_is)
{
    char *large = calloc(1, 4 << 20);
    struct pair pair;

    pairOpen(&pair);
    CHECK_MEM(remoteNoiseSessionPeer(pair.server)->key, pair.clientKey.open, REMOTE_KEY_SIZE);
    CHECK_STR(remoteNoiseSessionPeer(pair.server)->name, "someone");
    CHECK_MEM(remoteNoiseSessionPeer(pair.client)->key, pair.serverKey.open, REMOTE_KEY_SIZE);
    CHECK(remoteNoiseSessionIndex(pair.client) == remoteNoiseSessionIndex(pair.server));
    for (int i = 0; i < 3; i++) {
        carry(pair.client, pair.server, "{\"jsonrpc\":\"2.0\"}", 17);
        carry(pair.server, pair.client, "", 0);
        carry(pair.server, pair.client, large, 4 << 20);
    }
    CHECK(!remoteNoiseSessionIsOld(pair.client));
    free(large);
    pairClose(&pair);
}

TEST(the_same_text_never_looks_the_same)
{
    unsigned char *one, *two;
    struct pair pair;
    size_t n, m;

    pairOpen(&pair);
    CHECK_OK(remoteNoiseSeal(pair.client, "text", 4, &one, &n));
    CHECK_OK(remoteNoiseSeal(pair.client, "text", 4, &two, &m));
    CHECK(memcmp(one + 17, two + 17, 20) != 0);
    free(one);
    free(two);
    pairClose(&pair);
}

TEST(a_session_of_another_handshake_opens_nothing)
{
    struct pair pair, other;
    unsigned char *record;
    size_t size, length;
    char *text;

    pairOpen(&pair);
    other = pair;
    CHECK_OK(pairMeet(&other));
    CHECK_OK(remoteNoiseSeal(pair.client, "text", 4, &record, &size));
    CHECK_FAILS(remoteNoiseOpen(other.server, record, size, &text, &length), VIR_ERR_RPC);
    remoteNoisePut64(record + 1, remoteNoiseSessionIndex(other.server));
    CHECK_FAILS(remoteNoiseOpen(other.server, record, size, &text, &length), VIR_ERR_RPC);
    free(record);
    /* nor what the same end has sealed */
    CHECK_OK(remoteNoiseSeal(pair.client, "text", 4, &record, &size));
    CHECK_FAILS(remoteNoiseOpen(pair.client, record, size, &text, &length), VIR_ERR_RPC);
    free(record);
    pairClose(&pair);
    pairClose(&other);
}

/* ---- what is not as it was sent ---- */

TEST(a_first_message_with_any_bit_flipped_is_refused)
{
    struct remoteNoiseHandshake *handshake;
    struct remoteNoiseSession *session;
    unsigned char *first, *second;
    struct pair pair;
    size_t n, m;

    pairOpen(&pair);
    CHECK_OK(remoteNoiseClientStart(&pair.clientKey, pair.serverKey.open, &handshake, &first, &n));
    CHECK_UINT(n, REMOTE_NOISE_FIRST);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        first[bit / 8] ^= (unsigned char)(1 << bit % 8);
        harnessContext("bit %zu", bit);
        EXPECT(remoteNoiseServerAccept(&pair.serverKey, first, n, letIn, NULL, &session, &second, &m) < 0, "bit %zu is taken", bit);
        first[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    /* the top bit of E, which X25519 ignores, is a part of the hash all the same */
    first[32] ^= 0x80;
    CHECK_FAILS(remoteNoiseServerAccept(&pair.serverKey, first, n, letIn, NULL, &session, &second, &m), VIR_ERR_AUTH_UNAVAILABLE);
    first[32] ^= 0x80;
    for (size_t i = 0; i < n; i++)
        CHECK_FAILS(remoteNoiseServerAccept(&pair.serverKey, first, i, letIn, NULL, &session, &second, &m), VIR_ERR_RPC);
    CHECK_OK(remoteNoiseServerAccept(&pair.serverKey, first, n, letIn, NULL, &session, &second, &m));
    remoteNoiseSessionUnref(session);
    remoteNoiseHandshakeFree(handshake);
    free(first);
    free(second);
    pairClose(&pair);
}

TEST(a_forged_second_message_does_not_end_the_handshake)
{
    struct remoteNoiseHandshake *handshake;
    struct remoteNoiseSession *session, *server;
    unsigned char *first, *second;
    struct pair pair;
    size_t n, m;

    pairOpen(&pair);
    CHECK_OK(remoteNoiseClientStart(&pair.clientKey, pair.serverKey.open, &handshake, &first, &n));
    CHECK_OK(remoteNoiseServerAccept(&pair.serverKey, first, n, letIn, NULL, &server, &second, &m));
    CHECK_UINT(m, REMOTE_NOISE_SECOND);
    for (size_t bit = 0; bit < 8 * m; bit++) {
        second[bit / 8] ^= (unsigned char)(1 << bit % 8);
        EXPECT(remoteNoiseClientFinish(handshake, second, m, &session) < 0, "bit %zu is taken", bit);
        second[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t i = 0; i < m; i++)
        CHECK_FAILS(remoteNoiseClientFinish(handshake, second, i, &session), VIR_ERR_RPC);
    CHECK_OK(remoteNoiseClientFinish(handshake, second, m, &session));
    carry(session, server, "text", 4);
    remoteNoiseSessionUnref(session);
    remoteNoiseSessionUnref(server);
    remoteNoiseHandshakeFree(handshake);
    free(first);
    free(second);
    pairClose(&pair);
}

TEST(a_record_with_any_bit_flipped_is_refused_and_the_right_one_taken_after_it)
{
    unsigned char *record;
    size_t size, length;
    struct pair pair;
    char *text;

    pairOpen(&pair);
    CHECK_OK(remoteNoiseSeal(pair.client, "some text", 9, &record, &size));
    for (size_t bit = 0; bit < 8 * size; bit++) {
        record[bit / 8] ^= (unsigned char)(1 << bit % 8);
        EXPECT(remoteNoiseOpen(pair.server, record, size, &text, &length) < 0, "bit %zu is taken", bit);
        record[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t i = 0; i < size; i++)
        CHECK_FAILS(remoteNoiseOpen(pair.server, record, i, &text, &length), VIR_ERR_RPC);
    CHECK_OK(remoteNoiseOpen(pair.server, record, size, &text, &length));
    CHECK_STR(text, "some text");
    free(text);
    free(record);
    pairClose(&pair);
}

TEST(what_fails_leaves_nothing_in_the_applications_list_of_openssl_errors)
{
    unsigned char *record;
    size_t size, length;
    struct pair pair;
    char *text;

    pairOpen(&pair);
    CHECK_OK(remoteNoiseSeal(pair.client, "some text", 9, &record, &size));
    record[20] ^= 1;
    CHECK_FAILS(remoteNoiseOpen(pair.server, record, size, &text, &length), VIR_ERR_RPC);
    CHECK_UINT(ERR_peek_error(), 0);
    free(record);
    pairClose(&pair);
}

/* ---- wrong keys ---- */

TEST(a_client_with_another_key_is_not_let_in)
{
    struct remoteNoiseHandshake *handshake;
    struct remoteNoiseSession *session;
    unsigned char *first, *second;
    struct remoteKey stranger;
    struct pair pair;
    size_t n, m;

    pairOpen(&pair);
    CHECK_OK(remoteKeyGenerate(&stranger));
    CHECK_OK(remoteNoiseClientStart(&stranger, pair.serverKey.open, &handshake, &first, &n));
    CHECK_FAILS(remoteNoiseServerAccept(&pair.serverKey, first, n, letIn, pair.clientKey.open, &session, &second, &m), VIR_ERR_AUTH_FAILED);
    remoteNoiseHandshakeFree(handshake);
    free(first);
    /* one that only says it has the client's key */
    memcpy(stranger.open, pair.clientKey.open, REMOTE_KEY_SIZE);
    CHECK_OK(remoteNoiseClientStart(&stranger, pair.serverKey.open, &handshake, &first, &n));
    CHECK_FAILS(remoteNoiseServerAccept(&pair.serverKey, first, n, letIn, pair.clientKey.open, &session, &second, &m), VIR_ERR_RPC);
    remoteNoiseHandshakeFree(handshake);
    free(first);
    pairClose(&pair);
}

TEST(a_server_with_another_key_cannot_answer)
{
    struct remoteNoiseHandshake *handshake;
    struct remoteNoiseSession *session;
    unsigned char *first, *second;
    struct remoteKey impostor;
    struct pair pair;
    size_t n, m;

    pairOpen(&pair);
    CHECK_OK(remoteKeyGenerate(&impostor));
    CHECK_OK(remoteNoiseClientStart(&pair.clientKey, pair.serverKey.open, &handshake, &first, &n));
    CHECK_FAILS(remoteNoiseServerAccept(&impostor, first, n, letIn, NULL, &session, &second, &m), VIR_ERR_AUTH_UNAVAILABLE);
    remoteNoiseHandshakeFree(handshake);
    free(first);
    pairClose(&pair);
}

TEST(points_of_small_order_are_refused)
{
    /* 0, 1, and a point of order 8: whatever the secret, the result would be zero */
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct remoteNoiseHandshake *handshake;
    unsigned char point[32], *first;
    struct remoteKey key;
    size_t n;

    CHECK_OK(remoteKeyGenerate(&key));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        fromHex(points[i], point);
        CHECK_FAILS(remoteNoiseClientStart(&key, point, &handshake, &first, &n), VIR_ERR_RPC);
    }
    CHECK_UINT(ERR_peek_error(), 0);
}

/* ---- order ---- */

#define MANY (3 * REMOTE_NOISE_WINDOW)

struct records {
    unsigned char *record[MANY];
    size_t size[MANY];
};

static void
sealMany(struct remoteNoiseSession *session, struct records *records)
{
    for (int i = 0; i < MANY; i++)
        CHECK_OK(remoteNoiseSeal(session, &i, sizeof(i), &records->record[i], &records->size[i]));
}

static void
freeMany(struct records *records)
{
    for (int i = 0; i < MANY; i++)
        free(records->record[i]);
}

static bool
takes(struct remoteNoiseSession *session, const struct records *records, int i)
{
    size_t length;
    char *text;

    if (remoteNoiseOpen(session, records->record[i], records->size[i], &text, &length) < 0)
        return false;
    CHECK_UINT(length, sizeof(i));
    CHECK_MEM(text, &i, sizeof(i));
    free(text);
    return true;
}

TEST(a_record_is_taken_once)
{
    static struct records records;
    struct pair pair;

    pairOpen(&pair);
    sealMany(pair.client, &records);
    for (int i = 0; i < MANY; i++) {
        CHECK(takes(pair.server, &records, i));
        CHECK(!takes(pair.server, &records, i));
        CHECK(i == 0 || !takes(pair.server, &records, i - 1));
    }
    for (int i = 0; i < MANY; i++)
        CHECK(!takes(pair.server, &records, i));
    freeMany(&records);
    pairClose(&pair);
}

TEST(records_may_overtake_within_the_window_and_not_beyond_it)
{
    static struct records records;
    struct pair pair;

    pairOpen(&pair);
    sealMany(pair.client, &records);
    /* backwards: all of a window, none before it */
    CHECK(takes(pair.server, &records, MANY - 1));
    for (int i = MANY - 2; i >= MANY - REMOTE_NOISE_WINDOW; i--)
        CHECK(takes(pair.server, &records, i));
    for (int i = MANY - REMOTE_NOISE_WINDOW - 1; i >= 0; i--)
        CHECK(!takes(pair.server, &records, i));
    pairClose(&pair);
    freeMany(&records);

    /* with gaps of every size */
    pairOpen(&pair);
    sealMany(pair.client, &records);
    for (int i = 1, gap = 2; i < MANY; i += gap++) {
        CHECK(takes(pair.server, &records, i));
        CHECK(!takes(pair.server, &records, i));
        CHECK(takes(pair.server, &records, i - 1));        /* one that was left out */
        CHECK(!takes(pair.server, &records, i - 1));
    }
    pairClose(&pair);
    freeMany(&records);
}

/* The window beside a list of all that was taken, with jumps of every kind. */
TEST(the_window_agrees_with_a_list_of_all_that_came)
{
    struct remoteNoiseSession session = { .index = 1 };
    static bool seen[200000];
    unsigned int random = 1;
    uint64_t highest = 0, at = 0;
    int taken = 0;

    for (int i = 0; i < 300000; i++) {
        bool fresh;

        random = random * 1103515245u + 12345u;
        if (random >> 20 == 0)
            at = highest + i % 3000;
        else if (random >> 29 == 0)
            at = highest + (random >> 8) % 5;
        else
            at = highest - (random >> 8) % 1400;
        if (at >= sizeof(seen))
            continue;
        fresh = !seen[at] && at + REMOTE_NOISE_WINDOW > highest;
        if (taken == 0)
            fresh = true;
        CHECK_MSG(remoteNoiseIsNew(&session, at, false) == fresh, "%llu after %llu", (unsigned long long)at, (unsigned long long)highest);
        CHECK(remoteNoiseIsNew(&session, at, true) == fresh);
        if (fresh) {
            seen[at] = true;
            highest = at > highest ? at : highest;
            taken++;
        }
    }
    CHECK_LESS(5000, taken);
    CHECK(!remoteNoiseIsNew(&session, REMOTE_NOISE_RECORDS, false));
    CHECK(!remoteNoiseIsNew(&session, UINT64_MAX, false));
}

TEST(keys_are_not_used_for_ever)
{
    unsigned char *record;
    struct pair pair;
    size_t size;

    pairOpen(&pair);
    atomic_store(&pair.client->sent, UINT64_C(1) << 32);
    CHECK(remoteNoiseSessionIsOld(pair.client));
    carry(pair.client, pair.server, "text", 4);
    atomic_store(&pair.client->sent, REMOTE_NOISE_RECORDS - 1);
    carry(pair.client, pair.server, "text", 4);
    CHECK_FAILS(remoteNoiseSeal(pair.client, "text", 4, &record, &size), VIR_ERR_RPC);
    CHECK(!remoteNoiseSessionIsOld(pair.server));
    atomic_store(&pair.server->blocks, UINT64_C(1) << 32);
    CHECK(remoteNoiseSessionIsOld(pair.server));
    carry(pair.server, pair.client, "text", 4);
    atomic_store(&pair.server->blocks, UINT64_C(1) << 34);
    CHECK_FAILS(remoteNoiseSeal(pair.server, "text", 4, &record, &size), VIR_ERR_RPC);
    pairClose(&pair);
}

/* ---- threads ---- */

#define THREADS 4
#define EACH (REMOTE_NOISE_WINDOW / THREADS)      /* all of them within the window, however late one is */

struct crowd {
    struct pair pair;
    struct records records;                /* what is sealed, by any of them */
    atomic_int sealed, taken;
};

static void *
sealAndTake(void *opaque)
{
    struct crowd *crowd = opaque;

    for (int i = 0; i < EACH; i++) {
        int at = atomic_fetch_add(&crowd->sealed, 1);

        CHECK_OK(remoteNoiseSeal(crowd->pair.client, &at, sizeof(at), &crowd->records.record[at], &crowd->records.size[at]));
        if (takes(crowd->pair.server, &crowd->records, at))
            atomic_fetch_add(&crowd->taken, 1);
    }
    return NULL;
}

static void *
takeAll(void *opaque)
{
    struct crowd *crowd = opaque;

    for (int i = 0; i < 1000; i++)
        if (takes(crowd->pair.server, &crowd->records, i))
            atomic_fetch_add(&crowd->taken, 1);
    return NULL;
}

TEST(threads_seal_and_open_at_once_and_each_record_is_taken_once)
{
    static struct crowd crowd;
    bool counters[THREADS * EACH] = { false };
    pthread_t threads[THREADS];

    pairOpen(&crowd.pair);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, sealAndTake, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(atomic_load(&crowd.taken), THREADS * EACH);
    for (int i = 0; i < THREADS * EACH; i++) {
        uint64_t counter = remoteNoiseGet64(crowd.records.record[i] + 9);

        CHECK(counter < THREADS * EACH && !counters[counter]);
        counters[counter] = true;
        free(crowd.records.record[i]);
    }
    pairClose(&crowd.pair);

    /* the same records to all of them */
    memset(&crowd, 0, sizeof(crowd));
    pairOpen(&crowd.pair);
    sealMany(crowd.pair.client, &crowd.records);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, takeAll, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(atomic_load(&crowd.taken), 1000);
    freeMany(&crowd.records);
    pairClose(&crowd.pair);
}

/* ---- the two ends ---- */

static void
authorize(const struct remoteKey *key, const char *rest)
{
    char text[REMOTE_KEY_TEXT], line[128] = "# nobody\n";

    if (key != NULL) {
        remoteKeyFormat(key->open, text);
        snprintf(line, sizeof(line), "# who may\n\n%s %s\n", text, rest);
    }
    CHECK_OK(virFileWrite(scratchPath("authorized"), line, strlen(line), 0600));
}

struct ends {
    struct remoteKey clientKey, serverKey;
    struct remoteNoiseServer *server;
    struct remoteNoiseClient *client;
    struct remoteNoiseSession *session;    /* of the last text */
};

static void
endsOpen(struct ends *ends, size_t sessions)
{
    CHECK_OK(remoteKeyGenerate(&ends->clientKey));
    CHECK_OK(remoteKeyGenerate(&ends->serverKey));
    authorize(&ends->clientKey, "karla");
    CHECK_PTR(ends->server = remoteNoiseServerNew(&ends->serverKey, scratchPath("authorized"), sessions));
    CHECK_PTR(ends->client = remoteNoiseClientNew(&ends->clientKey, ends->serverKey.open));
    ends->session = NULL;
}

static void
endsClose(struct ends *ends)
{
    remoteNoiseSessionUnref(ends->session);
    remoteNoiseClientFree(ends->client);
    remoteNoiseServerFree(ends->server);
}

static enum remoteNoiseTaken
serverTakes(struct ends *ends, const void *message, size_t size, char **data, size_t *length)
{
    struct remoteNoiseSession *session = NULL;
    enum remoteNoiseTaken taken = remoteNoiseServerTake(ends->server, message, size, data, length, &session);

    if (taken == REMOTE_NOISE_TEXT) {
        remoteNoiseSessionUnref(ends->session);
        ends->session = session;
    }
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_OK);
    return taken;
}

/* Hello, and what the client makes of the answer. */
static enum remoteNoiseTaken
meet(struct ends *ends)
{
    enum remoteNoiseTaken taken;
    unsigned char *hello;
    size_t n, length;
    char *reply, *none;

    CHECK_OK(remoteNoiseClientHello(ends->client, &hello, &n));
    taken = serverTakes(ends, hello, n, &reply, &length);
    free(hello);
    if (taken != REMOTE_NOISE_REPLY)
        return taken;
    taken = remoteNoiseClientTake(ends->client, reply, length, &none, &n);
    free(reply);
    return taken;
}

/* A text to the server, and its answer back: what the client makes of that. */
static enum remoteNoiseTaken
ask(struct ends *ends)
{
    enum remoteNoiseTaken taken;
    unsigned char *record, *answer;
    size_t n, length;
    char *data, *back;

    CHECK_INT(remoteNoiseClientSeal(ends->client, "question", 8, &record, &n), 1);
    taken = serverTakes(ends, record, n, &data, &length);
    free(record);
    if (taken == REMOTE_NOISE_TEXT) {
        CHECK_STR(data, "question");
        free(data);
        CHECK_OK(remoteNoiseServerSeal(ends->server, ends->session, "answer", 6, &answer, &n));
        data = (char *)answer;
        length = n;
    } else if (taken != REMOTE_NOISE_REPLY) {
        return taken;
    }
    taken = remoteNoiseClientTake(ends->client, data, length, &back, &n);
    free(data);
    if (taken == REMOTE_NOISE_TEXT) {
        CHECK_STR(back, "answer");
        free(back);
    }
    return taken;
}

static void
meetAndAsk(struct ends *ends)
{
    CHECK_INT(meet(ends), REMOTE_NOISE_READY);
    CHECK_INT(ask(ends), REMOTE_NOISE_TEXT);
}

TEST(a_client_meets_a_server)
{
    struct ends ends;
    unsigned char *record;
    size_t n;

    endsOpen(&ends, 0);
    CHECK_INT(remoteNoiseClientSeal(ends.client, "x", 1, &record, &n), 0);
    CHECK(remoteNoiseClientWantsHello(ends.client));
    CHECK_INT(meet(&ends), REMOTE_NOISE_READY);
    CHECK(!remoteNoiseClientWantsHello(ends.client));
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    CHECK_STR(remoteNoiseSessionPeer(ends.session)->name, "karla");
    CHECK(!remoteNoiseSessionPeer(ends.session)->readOnly);
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    CHECK_UINT(remoteNoiseServerCount(ends.server), 1);
    endsClose(&ends);
}

TEST(a_hello_that_is_sent_again_gets_the_same_answer_and_no_more_room)
{
    struct ends ends;
    unsigned char *hello, *again;
    char *reply, *reply2, *none;
    size_t n, m, length, length2;

    endsOpen(&ends, 0);
    CHECK_OK(remoteNoiseClientHello(ends.client, &hello, &n));
    CHECK_OK(remoteNoiseClientHello(ends.client, &again, &m));
    CHECK_UINT(n, m);
    CHECK_MEM(hello, again, n);
    CHECK_INT(serverTakes(&ends, hello, n, &reply, &length), REMOTE_NOISE_REPLY);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(serverTakes(&ends, hello, n, &reply2, &length2), REMOTE_NOISE_REPLY);
        CHECK_UINT(length, length2);
        CHECK_MEM(reply, reply2, length);
        free(reply2);
    }
    CHECK_UINT(remoteNoiseServerCount(ends.server), 1);
    CHECK_INT(remoteNoiseClientTake(ends.client, reply, length, &none, &m), REMOTE_NOISE_READY);
    CHECK_INT(remoteNoiseClientTake(ends.client, reply, length, &none, &m), REMOTE_NOISE_DROPPED);
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);

    /* Recorded, and sent when the client is long known: another place among the unused, and nothing else. */
    CHECK_INT(serverTakes(&ends, hello, n, &reply2, &length2), REMOTE_NOISE_REPLY);
    CHECK(length != length2 || memcmp(reply, reply2, length) != 0);
    CHECK_INT(remoteNoiseClientTake(ends.client, reply2, length2, &none, &m), REMOTE_NOISE_DROPPED);
    CHECK_UINT(remoteNoiseServerCount(ends.server), 2);
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    free(hello);
    free(again);
    free(reply);
    free(reply2);
    endsClose(&ends);
}

TEST(replayed_hellos_take_bounded_room_and_push_out_no_other_client)
{
    struct remoteKey other;
    struct remoteNoiseClient *victim;
    char text[2][REMOTE_KEY_TEXT], lines[256];
    unsigned char *hello;
    struct ends ends;
    char *reply, *none;
    size_t n, m, length;

    endsOpen(&ends, 0);
    CHECK_OK(remoteKeyGenerate(&other));
    remoteKeyFormat(ends.clientKey.open, text[0]);
    remoteKeyFormat(other.open, text[1]);
    snprintf(lines, sizeof(lines), "%s karla\n%s otto\n", text[0], text[1]);
    CHECK_OK(virFileWrite(scratchPath("authorized"), lines, strlen(lines), 0600));
    remoteNoiseServerFree(ends.server);
    CHECK_PTR(ends.server = remoteNoiseServerNew(&ends.serverKey, scratchPath("authorized"), 0));

    /* otto's answer is on its way, while karla's recorded messages come in by the hundred */
    CHECK_PTR(victim = remoteNoiseClientNew(&other, ends.serverKey.open));
    CHECK_OK(remoteNoiseClientHello(victim, &hello, &n));
    CHECK_INT(serverTakes(&ends, hello, n, &reply, &length), REMOTE_NOISE_REPLY);
    free(hello);
    for (int i = 0; i < 300; i++) {
        struct remoteNoiseClient *one = remoteNoiseClientNew(&ends.clientKey, ends.serverKey.open);
        char *answer;

        CHECK_OK(remoteNoiseClientHello(one, &hello, &n));
        CHECK_INT(serverTakes(&ends, hello, n, &answer, &m), REMOTE_NOISE_REPLY);
        free(answer);
        free(hello);
        remoteNoiseClientFree(one);
    }
    CHECK_UINT(remoteNoiseServerCount(ends.server), 1 + 8);
    CHECK_INT(remoteNoiseClientTake(victim, reply, length, &none, &m), REMOTE_NOISE_READY);
    free(reply);
    CHECK_INT(remoteNoiseClientSeal(victim, "question", 8, &hello, &n), 1);
    CHECK_INT(serverTakes(&ends, hello, n, &reply, &length), REMOTE_NOISE_TEXT);
    CHECK_STR(remoteNoiseSessionPeer(ends.session)->name, "otto");
    free(reply);
    free(hello);
    remoteNoiseClientFree(victim);
    endsClose(&ends);
}

TEST(sessions_are_bounded_and_a_client_that_lost_its_own_is_told)
{
    struct ends ends;

    endsOpen(&ends, 3);
    meetAndAsk(&ends);
    for (int i = 0; i < 5; i++) {
        struct ends more = ends;

        more.session = NULL;
        CHECK_PTR(more.client = remoteNoiseClientNew(&ends.clientKey, ends.serverKey.open));
        meetAndAsk(&more);
        remoteNoiseSessionUnref(more.session);
        remoteNoiseClientFree(more.client);
        CHECK_UINT(remoteNoiseServerCount(ends.server), i < 2 ? i + 2 : 3);
    }
    CHECK_INT(ask(&ends), REMOTE_NOISE_UNKNOWN);
    CHECK(remoteNoiseClientWantsHello(ends.client));
    meetAndAsk(&ends);
    endsClose(&ends);
}

TEST(a_server_that_was_started_anew_is_met_again)
{
    struct ends ends;

    endsOpen(&ends, 0);
    meetAndAsk(&ends);
    remoteNoiseServerFree(ends.server);
    CHECK_PTR(ends.server = remoteNoiseServerNew(&ends.serverKey, scratchPath("authorized"), 0));
    CHECK_INT(ask(&ends), REMOTE_NOISE_UNKNOWN);
    meetAndAsk(&ends);
    endsClose(&ends);
}

TEST(answers_under_the_session_before_are_still_read)
{
    struct ends ends;
    unsigned char *record;
    char *data, *back;
    size_t n, length;

    endsOpen(&ends, 0);
    CHECK_INT(meet(&ends), REMOTE_NOISE_READY);
    CHECK_INT(remoteNoiseClientSeal(ends.client, "question", 8, &record, &n), 1);
    CHECK_INT(serverTakes(&ends, record, n, &data, &length), REMOTE_NOISE_TEXT);
    free(record);
    free(data);
    CHECK_OK(remoteNoiseSeal(ends.session, "late", 4, &record, &n));
    CHECK_INT(meet(&ends), REMOTE_NOISE_READY);
    CHECK_INT(remoteNoiseClientTake(ends.client, record, n, &back, &length), REMOTE_NOISE_TEXT);
    CHECK_STR(back, "late");
    free(back);
    free(record);
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    endsClose(&ends);
}

TEST(an_unknown_session_that_is_not_the_clients_changes_nothing)
{
    unsigned char forged[9] = { 4 };
    struct ends ends;
    char *none;
    size_t n;

    endsOpen(&ends, 0);
    CHECK_INT(meet(&ends), REMOTE_NOISE_READY);
    CHECK_INT(remoteNoiseClientTake(ends.client, forged, sizeof(forged), &none, &n), REMOTE_NOISE_DROPPED);
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    endsClose(&ends);
}

TEST(a_stranger_is_told_what_is_missing_and_costs_nothing)
{
    struct ends ends;
    char text[REMOTE_KEY_TEXT];
    struct remoteKey other;

    endsOpen(&ends, 0);
    remoteNoiseClientFree(ends.client);
    CHECK_OK(remoteKeyGenerate(&other));
    CHECK_PTR(ends.client = remoteNoiseClientNew(&other, ends.serverKey.open));
    CHECK_INT(meet(&ends), REMOTE_NOISE_REFUSED);
    CHECK_ERROR(VIR_ERR_AUTH_FAILED);
    remoteKeyFormat(other.open, text);
    CHECK_CONTAINS(virGetLastErrorMessage(), text);
    CHECK_UINT(remoteNoiseServerCount(ends.server), 0);
    virResetLastError();

    /* another server than the client thinks */
    remoteNoiseClientFree(ends.client);
    CHECK_PTR(ends.client = remoteNoiseClientNew(&ends.clientKey, other.open));
    CHECK_INT(meet(&ends), REMOTE_NOISE_REFUSED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "the server's key is not the expected");
    CHECK_UINT(remoteNoiseServerCount(ends.server), 0);
    virResetLastError();
    endsClose(&ends);
}

TEST(a_key_that_is_taken_out_of_the_file_is_out_within_a_second)
{
    unsigned char *answer;
    struct ends ends;
    size_t n;

    endsOpen(&ends, 0);
    meetAndAsk(&ends);
    authorize(NULL, NULL);
    /* what it has asked already is not answered any more */
    WAIT_FOR(remoteNoiseServerSeal(ends.server, ends.session, "answer", 6, &answer, &n) < 0 || (free(answer), false), 1000);
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_AUTH_FAILED);
    virResetLastError();
    CHECK_INT(ask(&ends), REMOTE_NOISE_UNKNOWN);
    CHECK_UINT(remoteNoiseServerCount(ends.server), 0);
    CHECK_INT(meet(&ends), REMOTE_NOISE_REFUSED);
    virResetLastError();
    /* back, with fewer rights */
    authorize(&ends.clientKey, "karla readonly");
    WAIT_FOR(meet(&ends) == REMOTE_NOISE_READY, 1000);
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    CHECK(remoteNoiseSessionPeer(ends.session)->readOnly);
    /* and with more: the session that has fewer ends */
    authorize(&ends.clientKey, "karla");
    WAIT_FOR(ask(&ends) == REMOTE_NOISE_UNKNOWN, 1000);
    meetAndAsk(&ends);
    CHECK(!remoteNoiseSessionPeer(ends.session)->readOnly);
    /* what cannot be read locks nobody out */
    CHECK_OK(virFileWrite(scratchPath("authorized"), "???\n", 4, 0600));
    harnessSleepMs(700);
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    endsClose(&ends);
}

TEST(rubbish_is_dropped)
{
    unsigned char rubbish[256];
    struct ends ends;
    char *data;
    size_t n;

    endsOpen(&ends, 0);
    CHECK_INT(meet(&ends), REMOTE_NOISE_READY);
    for (size_t size = 0; size <= sizeof(rubbish); size++) {
        for (int type = 0; type < 8; type++) {
            enum remoteNoiseTaken taken;

            CHECK_OK(virPlatformRandom(rubbish, sizeof(rubbish)));
            rubbish[0] = (unsigned char)type;
            taken = serverTakes(&ends, rubbish, size, &data, &n);
            CHECK(taken == REMOTE_NOISE_DROPPED || taken == REMOTE_NOISE_REPLY);
            if (taken == REMOTE_NOISE_REPLY) {
                CHECK_LESS(n, size);                       /* no use for whoever wants to flood another */
                free(data);
            }
            CHECK_INT(remoteNoiseClientTake(ends.client, rubbish, size, &data, &n), REMOTE_NOISE_DROPPED);
        }
    }
    CHECK_INT(ask(&ends), REMOTE_NOISE_TEXT);
    CHECK_UINT(remoteNoiseServerCount(ends.server), 1);
    endsClose(&ends);
}

/* ---- failing allocations ---- */

static int
meetAndTalk(void *opaque)
{
    struct pair *pair = opaque;
    unsigned char *record = NULL;
    char *text = NULL;
    size_t size, length;
    int rc = pairMeet(pair);

    if (rc == 0 && (rc = remoteNoiseSeal(pair->client, "text", 4, &record, &size)) == 0)
        rc = remoteNoiseOpen(pair->server, record, size, &text, &length);
    free(record);
    free(text);
    pairClose(pair);
    return rc;
}

TEST_LIMIT(a_failing_allocation_is_an_error, 120)
{
    struct pair pair;

    pairOpen(&pair);
    pairClose(&pair);
    faultSpare("libcrypto");
    FAULT_EACH_ALLOCATION(meetAndTalk, &pair);
}

/* ---- keys and their files ---- */

static void
put(const char *name, const char *text, mode_t mode)
{
    CHECK_OK(virFileWrite(scratchPath("%s", name), text, strlen(text), mode));
}

TEST(a_key_is_one_line_and_only_in_its_usual_form)
{
    static const char *const bad[] = {
        "", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAA-AAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=A",
    };
    unsigned char key[REMOTE_KEY_SIZE];
    struct remoteKey made;
    char text[REMOTE_KEY_TEXT];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(remoteKeyParse(bad[i], key) < 0, "'%s' is taken", bad[i]);
    CHECK_OK(remoteKeyParse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", key));
    CHECK_OK(remoteKeyGenerate(&made));
    remoteKeyFormat(made.open, text);
    CHECK_UINT(strlen(text), 44);
    CHECK_OK(remoteKeyParse(text, key));
    CHECK_MEM(key, made.open, REMOTE_KEY_SIZE);
}

TEST(a_secret_keys_file_is_its_owners_alone)
{
    struct remoteKey key, back;
    struct stat info;

    CHECK_OK(remoteKeyGenerate(&key));
    umask(0);
    CHECK_OK(remoteKeyWrite(scratchPath("key"), &key));
    CHECK_INT(stat(scratchPath("key"), &info), 0);
    CHECK_INT(info.st_mode & 07777, 0600);
    CHECK_INT(info.st_size, 45);
    CHECK_OK(remoteKeyRead(scratchPath("key"), &back));
    CHECK_MEM(&key, &back, sizeof(key));
    CHECK_FAILS(remoteKeyWrite(scratchPath("key"), &key), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(remoteKeyRead(scratchPath("key"), &back));
    for (int mode = 0601; mode <= 0677; mode++) {
        CHECK_INT(chmod(scratchPath("key"), (mode_t)mode), 0);
        CHECK_FAILS(remoteKeyRead(scratchPath("key"), &back), VIR_ERR_AUTH_FAILED);
        CHECK_CONTAINS(virGetLastErrorMessage(), scratchPath("key"));
    }
    CHECK_FAILS(remoteKeyRead(scratchPath("none"), &back), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS(remoteKeyRead(scratchDir(), &back), VIR_ERR_AUTH_FAILED);
    put("bad", "rubbish\n", 0600);
    CHECK_FAILS(remoteKeyRead(scratchPath("bad"), &back), VIR_ERR_AUTH_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "bad', line 1");
    CHECK(strstr(virGetLastErrorMessage(), "rubbish") == NULL);          /* a secret stands in no message */
    CHECK_FAILS(remoteKeyWrite(scratchPath("no/such/folder"), &key), VIR_ERR_SYSTEM_ERROR);
}

#define KEY_A "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY_B "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

TEST(authorized_keys_have_a_name_and_perhaps_fewer_rights)
{
    static const struct { const char *text, *message; } bad[] = {
        { KEY_A " karla\n" KEY_B "\n", "line 2: a line is" }, { "# x\n\nAAAA otto\n", "line 3: 'AAAA' is no public key" },
        { KEY_A " karla admin\n", "line 1: 'admin'" }, { KEY_A " karla readonly too\n", "line 1: there is too much at 'too'" },
        { KEY_A " karla\n" KEY_B " otto\n" KEY_A " again\n", "line 3: this key has a line already" },
    };
    struct remoteAuthorized list;

    put("keys", "# people\n" KEY_A " karla   # in the office\r\n\n\t" KEY_B "\totto readonly", 0644);
    CHECK_OK(remoteAuthorizedRead(scratchPath("keys"), &list));
    CHECK_UINT(list.count, 2);
    CHECK_STR(list.list[0].name, "karla");
    CHECK(!list.list[0].readOnly);
    CHECK_STR(list.list[1].name, "otto");
    CHECK(list.list[1].readOnly);
    CHECK(remoteAuthorizedFind(&list, list.list[1].key) == &list.list[1]);
    CHECK_NULL(remoteAuthorizedFind(&list, (unsigned char[REMOTE_KEY_SIZE]){ 3 }));
    remoteAuthorizedClear(&list);
    put("keys", "", 0600);
    CHECK_OK(remoteAuthorizedRead(scratchPath("keys"), &list));
    CHECK_UINT(list.count, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put("keys", bad[i].text, 0600);
        CHECK_FAILS(remoteAuthorizedRead(scratchPath("keys"), &list), VIR_ERR_AUTH_FAILED);
        CHECK_CONTAINS(virGetLastErrorMessage(), bad[i].message);
        CHECK_CONTAINS(virGetLastErrorMessage(), scratchPath("keys"));
    }
    put("keys", KEY_A " karla\n", 0660);
    CHECK_FAILS(remoteAuthorizedRead(scratchPath("keys"), &list), VIR_ERR_AUTH_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "can be written by others");
}

TEST(known_hosts_are_found_by_host_and_port)
{
    unsigned char key[REMOTE_KEY_SIZE];

    CHECK_INT(remoteKnownHostsFind(scratchPath("none"), "a.example", 16510, key), 0);
    put("hosts", "# mine\na.example:16510 " KEY_A "\n[fe80::1]:7 " KEY_B "\n", 0644);
    CHECK_INT(remoteKnownHostsFind(scratchPath("hosts"), "A.Example", 16510, key), 1);
    CHECK_INT(key[0], 1);
    CHECK_INT(remoteKnownHostsFind(scratchPath("hosts"), "a.example", 16511, key), 0);
    CHECK_INT(remoteKnownHostsFind(scratchPath("hosts"), "fe80::1", 7, key), 1);
    CHECK_INT(key[0], 2);
    put("hosts", "b:1 " KEY_A "\na.example " KEY_A " x\n", 0644);
    CHECK_FAILS(remoteKnownHostsFind(scratchPath("hosts"), "a.example", 1, key), VIR_ERR_AUTH_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "hosts', line 2");
    put("hosts", "a.example:1 " KEY_A "\n", 0622);
    CHECK_FAILS(remoteKnownHostsFind(scratchPath("hosts"), "a.example", 1, key), VIR_ERR_AUTH_FAILED);
}

TEST(a_users_files_are_in_the_folder_for_configuration)
{
    char *path;

    setenv("HOME", "/home/karla", 1);
    unsetenv("XDG_CONFIG_HOME");
    CHECK_PTR(path = remoteKeyPath("key"));
    CHECK_STR(path, "/home/karla/.config/virt/key");
    free(path);
    setenv("XDG_CONFIG_HOME", "/etc/karla", 1);
    CHECK_PTR(path = remoteKeyPath("known_hosts"));
    CHECK_STR(path, "/etc/karla/virt/known_hosts");
    free(path);
}

#else

TEST(authentication_and_encryption)
{
    SKIP("without libcrypto");
}

#endif
