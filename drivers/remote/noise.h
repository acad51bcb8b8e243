/*
 * Authentication and encryption of messages for tcp and ws: the handshake Noise_IK_25519_AESGCM_SHA256, and records.
 *
 * nanomsg moves whole messages, and each of them may be lost, doubled or overtaken by another, so TLS, which wants a stream without gaps, is
 * nothing for it. Here every record says which one it is (a counter of 64 bits), and whoever receives keeps a window of those it has had: a
 * record is taken at most once, in any order within the window. The cryptography is OpenSSL's; what is here is the order in which Noise calls
 * it. All of it is in a browser's WebCrypto too.
 *
 * On the wire, numbers big-endian:
 *
 *     1  E[32] STATIC[48] PAYLOAD[16]                 client: the handshake's first message; prologue "virt 1", the payload is empty
 *     2  E[32] PAYLOAD[24]                            server: the second one; the payload is the session's index, 8 random bytes
 *     3  INDEX[8] COUNTER[8] CIPHERTEXT TAG[16]       a record, either way; the 17 bytes before the ciphertext are its associated data
 *     4  INDEX[8]                                     server: there is no such session (any more): a new handshake, please
 *     5  E[8] REASON[1]                               server: no. The first bytes of that client's E; 1: your key is not authorized here, 2: this
 *                                                     was not for my key
 *
 * Nothing is carried out for a first message, and it carries nothing: whoever recorded one can send it again, as there is nothing of the
 * server's in it. That costs the server a few computations and a place among a bounded number of sessions that nobody has used yet; the
 * answer is of no use without the client's secrets. A session counts only when a record of the client's has been opened, which proves that
 * the client is there now. Messages 4 and 5 prove nothing, since a server without a session cannot sign: they make a client ask again, or
 * say why it gave up, and that a forger who can break the connection could have had anyway.
 *
 * Two layers. First the handshake and records, without I/O and without memory of other clients; then the two ends that keep what has to be
 * kept between messages (noise_ends.c), which is what a client and a server use.
 */
#ifndef VIRT_REMOTE_NOISE_H
#define VIRT_REMOTE_NOISE_H

#include "../driver.h"

#include <stdint.h>

/* Needs OpenSSL's libcrypto; -DVIRT_WITH_NOISE=1 where the Makefile does not say so. */
#ifndef VIRT_WITH_NOISE
# define VIRT_WITH_NOISE 0
#endif

#if VIRT_WITH_NOISE

enum {
    REMOTE_KEY_SIZE = 32,
    REMOTE_KEY_TEXT = 45,             /* a key as base64, and a NUL */
    REMOTE_NOISE_TAG = 16,
    REMOTE_NOISE_FIRST = 97,          /* bytes of the handshake's messages */
    REMOTE_NOISE_SECOND = 57,
    REMOTE_NOISE_HEADER = 17,         /* of a record */
    REMOTE_NOISE_OVERHEAD = REMOTE_NOISE_HEADER + REMOTE_NOISE_TAG,
    REMOTE_NOISE_LARGEST = 16 << 20,  /* bytes of a record */
    REMOTE_NOISE_WINDOW = 1024,       /* records that may overtake another */
};

/* No more records, or 16-byte blocks of AES, than this under one key; and when it is time for another. The number of records is far below what
 * the counter holds, that of blocks is where GCM's security bound is still below 2^-57 (as RFC 8446 reckons). */
#define REMOTE_NOISE_RECORDS     (UINT64_C(1) << 47)
#define REMOTE_NOISE_BLOCKS      (UINT64_C(1) << 34)
#define REMOTE_NOISE_OLD_RECORDS (UINT64_C(1) << 32)
#define REMOTE_NOISE_OLD_BLOCKS  (UINT64_C(1) << 32)
#define REMOTE_NOISE_OLD_US      (UINT64_C(3600) * 1000000)

/* ---------- keys (keys.c) ---------- */

/* A pair of X25519. */
struct remoteKey {
    unsigned char secret[REMOTE_KEY_SIZE];
    unsigned char open[REMOTE_KEY_SIZE];             /* the public one */
};

VIRT_INTERNAL int remoteKeyGenerate(struct remoteKey *key);                              /* 0, or -1 with the error set */
VIRT_INTERNAL int remoteKeyFromSecret(struct remoteKey *key);                            /* fills in `open` */
VIRT_INTERNAL void remoteKeyErase(struct remoteKey *key);
VIRT_INTERNAL void remoteKeyFormat(const unsigned char *key, char text[REMOTE_KEY_TEXT]);
VIRT_INTERNAL int remoteKeyParse(const char *text, unsigned char *key);                  /* exactly 44 characters; -1, no error set */

/* A secret key's file: one line of base64. Only its owner may have any access to it; an existing one is never written over. -1 with the error set. */
VIRT_INTERNAL int remoteKeyRead(const char *path, struct remoteKey *key);
VIRT_INTERNAL int remoteKeyWrite(const char *path, const struct remoteKey *key);
/* Where a user's file ("key", "known_hosts") is if nothing else is said: in $XDG_CONFIG_HOME/virt or ~/.config/virt. The caller frees it. */
VIRT_INTERNAL char *remoteKeyPath(const char *name);

/* Whose key it is, as the server's file of authorized keys says: lines "BASE64 NAME [readonly]", and comments (#). */
struct remoteIdentity {
    unsigned char key[REMOTE_KEY_SIZE];
    char *name;
    bool readOnly;
};
struct remoteAuthorized {
    struct remoteIdentity *list;
    size_t count;
};
/* Also takes a file that only others than its owner and root cannot write; an error names the line. 0, or -1 with the error set. */
VIRT_INTERNAL int remoteAuthorizedRead(const char *path, struct remoteAuthorized *authorized);
VIRT_INTERNAL const struct remoteIdentity *remoteAuthorizedFind(const struct remoteAuthorized *authorized, const unsigned char *key);
VIRT_INTERNAL void remoteAuthorizedClear(struct remoteAuthorized *authorized);

/* The server's key in a file of known hosts: lines "HOST:PORT BASE64" and comments; an address of IPv6 in brackets. 1; 0: not there (nor perhaps
 * the file); -1 with an error that names the line. */
VIRT_INTERNAL int remoteKnownHostsFind(const char *path, const char *host, int port, unsigned char *key);

/* ---------- handshake and records (noise.c) ---------- */

struct remoteNoiseHandshake;          /* a client's, between the two messages */
struct remoteNoiseSession;            /* counted references; seal and open from any number of threads */

/* What comes out is malloc'd, the caller's. 0, or -1 with the error set. */
VIRT_INTERNAL int remoteNoiseClientStart(const struct remoteKey *key, const unsigned char *server, struct remoteNoiseHandshake **handshake,
                                         unsigned char **message, size_t *length);
/* A second message that is no answer (forged, of another handshake) changes nothing: the right one is taken afterwards. */
VIRT_INTERNAL int remoteNoiseClientFinish(struct remoteNoiseHandshake *handshake, const void *message, size_t length,
                                          struct remoteNoiseSession **session);
VIRT_INTERNAL void remoteNoiseHandshakeFree(struct remoteNoiseHandshake *handshake);
/* As soon as it is known whose key it says it is, find() tells whether it is welcome: 1, with *identity filled in (its name malloc'd); 0: no; -1 with
 * the error set. After that follows the rest of the work.
 * -1: VIR_ERR_AUTH_FAILED is not welcome, VIR_ERR_AUTH_UNAVAILABLE was not for this key, else it is no first message or memory ran out. */
VIRT_INTERNAL int remoteNoiseServerAccept(const struct remoteKey *key, const void *message, size_t length,
                                          int (*find)(void *opaque, const unsigned char *key, struct remoteIdentity *identity), void *opaque,
                                          struct remoteNoiseSession **session, unsigned char **reply, size_t *replyLength);

VIRT_INTERNAL struct remoteNoiseSession *remoteNoiseSessionRef(struct remoteNoiseSession *session);
VIRT_INTERNAL void remoteNoiseSessionUnref(struct remoteNoiseSession *session);           /* with the last one the keys are erased */
/* The peer: at the server its key, name and rights; at the client the server's key alone. Lives as long as the session. */
VIRT_INTERNAL const struct remoteIdentity *remoteNoiseSessionPeer(const struct remoteNoiseSession *session);
VIRT_INTERNAL uint64_t remoteNoiseSessionIndex(const struct remoteNoiseSession *session);
VIRT_INTERNAL uint64_t remoteNoiseIndexOf(const void *message);                            /* of a message 3 or 4 */
/* Whether the session has been used for so long, or so much, that a new one should take its place. */
VIRT_INTERNAL bool remoteNoiseSessionIsOld(const struct remoteNoiseSession *session);

/* A record, malloc'd. -1 with the error set; a session that is used up seals no more. */
VIRT_INTERNAL int remoteNoiseSeal(struct remoteNoiseSession *session, const void *text, size_t length, unsigned char **record,
                                  size_t *recordLength);
/* The text, malloc'd, with a NUL behind it that is not counted. -1 with the error set: of another session, forged, or seen before. */
VIRT_INTERNAL int remoteNoiseOpen(struct remoteNoiseSession *session, const void *record, size_t recordLength, char **text, size_t *length);

/* ---------- the two ends (noise_ends.c) ---------- */

struct remoteNoiseServer;
struct remoteNoiseClient;

enum remoteNoiseTaken {
    REMOTE_NOISE_DROPPED,             /* forged, seen before, or nothing of ours: as if it had not come */
    REMOTE_NOISE_TEXT,                /* *data is what the peer sent */
    REMOTE_NOISE_REPLY,               /* server: *data goes back as the reply to this message, and that is all */
    REMOTE_NOISE_READY,               /* client: there is a (new) session: what waits can be sealed and sent */
    REMOTE_NOISE_UNKNOWN,             /* client: the server does not know the session: Hello again, and send again what was not answered */
    REMOTE_NOISE_REFUSED,             /* client: the server wants none of this key, or has another itself; the error is set */
};

/* The key is copied. The file of authorized keys is read now (NULL with the error set) and, when it has changed, again: who is no longer in it
 * loses the session within a second. sessions: how many are kept, 0 for as many as usual (1,024). */
VIRT_INTERNAL struct remoteNoiseServer *remoteNoiseServerNew(const struct remoteKey *key, const char *authorizedFile, size_t sessions);
VIRT_INTERNAL void remoteNoiseServerFree(struct remoteNoiseServer *server);
/* What has come in, from any thread. TEXT: *data has a NUL behind it, *session is a reference, the caller's, to seal the answers with. */
VIRT_INTERNAL enum remoteNoiseTaken remoteNoiseServerTake(struct remoteNoiseServer *server, const void *message, size_t messageLength,
                                                          char **data, size_t *length, struct remoteNoiseSession **session);
/* An answer, as remoteNoiseSeal(); -1 also for who has lost its line since it asked. */
VIRT_INTERNAL int remoteNoiseServerSeal(struct remoteNoiseServer *server, struct remoteNoiseSession *session, const void *text, size_t length,
                                        unsigned char **record, size_t *recordLength);
VIRT_INTERNAL size_t remoteNoiseServerCount(struct remoteNoiseServer *server);           /* sessions, those included that nobody has used yet */

/* No session yet. NULL with the error set. */
VIRT_INTERNAL struct remoteNoiseClient *remoteNoiseClientNew(const struct remoteKey *key, const unsigned char *server);
VIRT_INTERNAL void remoteNoiseClientFree(struct remoteNoiseClient *client);
/* The first message of a handshake, malloc'd; the same bytes again until it is answered. The session there is, if any, stays in use meanwhile. */
VIRT_INTERNAL int remoteNoiseClientHello(struct remoteNoiseClient *client, unsigned char **message, size_t *length);
VIRT_INTERNAL enum remoteNoiseTaken remoteNoiseClientTake(struct remoteNoiseClient *client, const void *message, size_t messageLength,
                                                          char **data, size_t *length);
/* 1; 0: there is no session: Hello first; -1 with the error set. */
VIRT_INTERNAL int remoteNoiseClientSeal(struct remoteNoiseClient *client, const void *text, size_t length, unsigned char **record,
                                        size_t *recordLength);
/* Whether it is time for Hello: there is no session, or it is old. */
VIRT_INTERNAL bool remoteNoiseClientWantsHello(struct remoteNoiseClient *client);

#endif
#endif
