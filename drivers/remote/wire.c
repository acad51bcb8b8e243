/* See wire.h. This file has, in this order: sending, reading, WebSockets, nanomsg's own frames. */
#include "wire.h"

#if VIRT_WITH_REMOTE

#include "../common/platform.h"

#include <errno.h>
#include <nanomsg/reqrep.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#if VIRT_WITH_NOISE
# include <openssl/evp.h>
#endif

#define REMOTE_WIRE_STEPS  64                    /* of reading at a time: who sends pings without end is not the only one */
#define REMOTE_WIRE_FRAMES 256                   /* of one message: whoever sends each byte alone would make us move the rest for each */

/* ---------- sending ---------- */

static void
remoteWireOutFree(struct remoteWireOut *out)
{
    free(out->body);
    free(out);
}

VIRT_INTERNAL int
remoteWireFlush(struct remoteWire *wire)
{
    struct remoteWireOut *out;

    while ((out = wire->first) != NULL) {
        size_t headLeft = out->sent < out->headLength ? out->headLength - out->sent : 0;
        size_t bodySent = headLeft > 0 ? 0 : out->sent - out->headLength;
        struct iovec parts[2] = { { out->head + out->headLength - headLeft, headLeft }, { (char *)out->body + bodySent, out->length - bodySent } };
        struct msghdr message = { .msg_iov = headLeft > 0 ? parts : parts + 1, .msg_iovlen = headLeft > 0 && out->length > 0 ? 2 : 1 };
        ssize_t n = sendmsg(wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
        if ((out->sent += (size_t)n) < out->headLength + out->length)
            continue;
        if ((wire->first = out->next) == NULL)
            wire->last = &wire->first;
        remoteWireOutFree(out);
    }
    return wire->closing ? -1 : 0;
}

/* Takes the body over. */
static int
remoteWireQueue(struct remoteWire *wire, const unsigned char *head, size_t headLength, void *body, size_t length)
{
    struct remoteWireOut *out = calloc(1, sizeof(*out));

    if (out == NULL) {
        free(body);
        return -1;
    }
    memcpy(out->head, head, headLength);
    out->headLength = headLength;
    out->body = body;
    out->length = length;
    *wire->last = out;
    wire->last = &out->next;
    return wire->first == out ? remoteWireFlush(wire) : 0;
}

/* Bytes of a greeting: the connection is new, and takes so few at once. */
static int
remoteWireTell(struct remoteWire *wire, const void *data, size_t length)
{
    return send(wire->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length ? 0 : -1;
}

static void
remoteWirePut(unsigned char *to, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t
remoteWireGet(const unsigned char *from, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | from[i];
    return value;
}

/* ---------- reading ---------- */

/* Reads on until so many bytes are there: 1; 0: not yet; -1: it is over. (And -2, in this part: what came is nonsense.) */
static int
remoteWireFill(struct remoteWire *wire, void *to, size_t *have, size_t want)
{
    while (*have < want) {
        ssize_t n = recv(wire->fd, (char *)to + *have, want - *have, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (n <= 0)
            return -1;
        *have += (size_t)n;
    }
    return 1;
}

/* Room for so many more bytes of the message: 1. */
static int
remoteWireGrow(struct remoteWire *wire, uint64_t more)
{
    void *body;

    if (more > wire->largest || wire->have + more > wire->largest)
        return -2;
    wire->want = wire->have + (size_t)more;
    if (more == 0)
        return 1;
    if ((body = realloc(wire->body, wire->want)) == NULL)
        return -1;
    wire->body = body;
    return 1;
}

/*
 * The message is complete: a number, of 31 bits and the highest one set, by which the answer is known, and a text. (nanomsg could have several
 * numbers there, one for each device on the way; there are none here.)
 */
static int
remoteWireComplete(struct remoteWire *wire, void **body, size_t *length)
{
    if (wire->have < 4 || (((unsigned char *)wire->body)[0] & 0x80) == 0)
        return -2;
    *body = wire->body;
    *length = wire->have;
    wire->body = NULL;
    wire->have = wire->want = wire->headLength = 0;
    wire->begun = false;
    wire->frames = 0;
    wire->state = REMOTE_WIRE_HEAD;
    return 1;
}

/* ---------- WebSockets ---------- */

#if VIRT_WITH_NOISE
# define REMOTE_WIRE_PROTOCOL "rep.sp.nanomsg.org"

/* The next value of the header field from *at on, cut at both ends; NULL: none. */
static const char *
remoteWireField(const char *request, const char **at, const char *name, size_t *length)
{
    size_t nameLength = strlen(name);

    for (const char *line = *at != NULL ? *at : strstr(request, "\r\n"); line != NULL && (line += 2)[0] != '\r'; line = strstr(line, "\r\n")) {
        const char *end = strstr(line, "\r\n");

        if (end == NULL || strncasecmp(line, name, nameLength) != 0 || line[nameLength] != ':')
            continue;
        *at = end;
        for (line += nameLength + 1; line < end && (*line == ' ' || *line == '\t'); line++)
            ;
        while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        *length = (size_t)(end - line);
        return line;
    }
    return NULL;
}

/* Whether the field's values, of which there may be several with commas between them, have this one. */
static bool
remoteWireHas(const char *request, const char *name, const char *word)
{
    const char *at = NULL, *value;
    size_t length, wordLength = strlen(word);

    while ((value = remoteWireField(request, &at, name, &length)) != NULL)
        for (size_t i = 0, n; i < length; i += n + 1) {
            const char *part;
            size_t left;

            n = strcspn(value + i, ",\r");
            part = value + i + strspn(value + i, " \t");
            left = (size_t)(value + i + n - part);
            while (left > 0 && (part[left - 1] == ' ' || part[left - 1] == '\t'))
                left--;
            if (left == wordLength && strncasecmp(part, word, wordLength) == 0)
                return true;
        }
    return false;
}

/* What RFC 6455 wants to be answered to a client's key. */
static bool
remoteWireAccept(const char *key, char accept[29])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[24 + 36 + 1];

    snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL) != 1)
        return false;
    EVP_EncodeBlock((unsigned char *)accept, digest, 20);
    return true;
}

/* A client's request is answered: 0, or it is refused. */
static int
remoteWireAnswer(struct remoteWire *wire)
{
    static const char refusal[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", version[] = " HTTP/1.1";
    const char *request = wire->request, *line = strchr(request, '\r'), *at = NULL, *key;
    char accept[29], answer[256];
    size_t length;

    if (strncmp(request, "GET /", 5) != 0 || line == NULL || line - request < (int)(sizeof("GET /") + sizeof(version) - 2)
        || strncmp(line - (sizeof(version) - 1), version, sizeof(version) - 1) != 0 || !remoteWireHas(request, "Upgrade", "websocket")
        || !remoteWireHas(request, "Connection", "Upgrade") || !remoteWireHas(request, "Sec-WebSocket-Version", "13")
        || !remoteWireHas(request, "Sec-WebSocket-Protocol", REMOTE_WIRE_PROTOCOL)
        || (key = remoteWireField(request, &at, "Sec-WebSocket-Key", &length)) == NULL || length != 24 || !remoteWireAccept(key, accept)) {
        remoteWireTell(wire, refusal, sizeof(refusal) - 1);
        return -2;
    }
    snprintf(answer, sizeof(answer), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
             "Sec-WebSocket-Protocol: " REMOTE_WIRE_PROTOCOL "\r\n\r\n", accept);
    return remoteWireTell(wire, answer, strlen(answer));
}

/* A client's own, with a key that no proxy between has seen before. */
static int
remoteWireRequest(struct remoteWire *wire, const char *host)
{
    unsigned char random[16];
    char request[512];
    int n;

    if (virPlatformRandom(random, sizeof(random)) < 0)
        return -1;
    EVP_EncodeBlock((unsigned char *)wire->key, random, sizeof(random));
    n = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: " REMOTE_WIRE_PROTOCOL "\r\n\r\n", host, wire->key);
    return n < (int)sizeof(request) ? remoteWireTell(wire, request, (size_t)n) : -1;
}

/* And the server's answer to it. */
static int
remoteWireCheckAnswer(struct remoteWire *wire)
{
    const char *answer = wire->request, *at = NULL, *given;
    char accept[29];
    size_t length;

    return strncmp(answer, "HTTP/1.1 101 ", 13) == 0 && remoteWireHas(answer, "Upgrade", "websocket") && remoteWireHas(answer, "Connection", "Upgrade")
           && remoteWireHas(answer, "Sec-WebSocket-Protocol", REMOTE_WIRE_PROTOCOL) && remoteWireAccept(wire->key, accept)
           && (given = remoteWireField(answer, &at, "Sec-WebSocket-Accept", &length)) != NULL && length == strlen(accept)
           && strncmp(given, accept, length) == 0 ? 0 : -2;
}

/* The request, or the answer to ours. Not a byte more is taken: what follows is frames. */
static int
remoteWireGreetWs(struct remoteWire *wire)
{
    ssize_t n;
    char *end;
    int rc;

    if (wire->request == NULL && (wire->request = malloc(REMOTE_WIRE_REQUEST)) == NULL)
        return -1;
    while ((n = recv(wire->fd, wire->request + wire->requestLength, REMOTE_WIRE_REQUEST - 1 - wire->requestLength, MSG_PEEK | MSG_DONTWAIT)) > 0) {
        size_t before = wire->requestLength;

        wire->request[before + (size_t)n] = '\0';
        if ((end = strstr(wire->request, "\r\n\r\n")) != NULL)
            n = end + 4 - (wire->request + before);
        if (recv(wire->fd, wire->request + before, (size_t)n, MSG_DONTWAIT) != n)
            return -1;
        wire->request[wire->requestLength += (size_t)n] = '\0';
        if (end == NULL && wire->requestLength < REMOTE_WIRE_REQUEST - 1)
            continue;
        rc = end == NULL ? -2 : wire->client ? remoteWireCheckAnswer(wire) : remoteWireAnswer(wire);
        free(wire->request);
        wire->request = NULL;
        return rc < 0 ? rc : 1;
    }
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

/* With the mask, which only a client's frames have. */
static size_t
remoteWireHeadLength(const struct remoteWire *wire)
{
    unsigned int small = wire->head[1] & 0x7f;

    return 2 + (small == 127 ? 8 : small == 126 ? 2 : 0) + (wire->client ? 0 : 4);
}

/* Whether a frame may begin so, where this one is. */
static bool
remoteWireMayBegin(const struct remoteWire *wire)
{
    unsigned int opcode = wire->head[0] & 0x0f;
    bool final = (wire->head[0] & 0x80) != 0, extension = (wire->head[0] & 0x70) != 0, masked = (wire->head[1] & 0x80) != 0;

    if (extension || masked == wire->client)
        return false;
    if (opcode >= 8)
        return opcode <= 10 && final && (wire->head[1] & 0x7f) <= REMOTE_WIRE_CONTROL;
    return opcode == (wire->begun ? 0 : 2);
}

/* A frame's head; what follows it is state. */
static int
remoteWireHeadWs(struct remoteWire *wire)
{
    unsigned int small;
    int rc;

    if ((rc = remoteWireFill(wire, wire->head, &wire->headLength, 2)) != 1)
        return rc;
    if (!remoteWireMayBegin(wire))
        return -2;
    if ((rc = remoteWireFill(wire, wire->head, &wire->headLength, remoteWireHeadLength(wire))) != 1)
        return rc;
    small = wire->head[1] & 0x7f;
    if ((wire->head[0] & 0x08) != 0) {
        wire->state = REMOTE_WIRE_PAYLOAD;
        return 1;
    }
    wire->mark = wire->have;
    wire->begun = true;
    wire->state = REMOTE_WIRE_BODY;
    if (++wire->frames > REMOTE_WIRE_FRAMES)
        return -2;
    return remoteWireGrow(wire, small < 126 ? small : remoteWireGet(wire->head + 2, small == 126 ? 2 : 8));
}

static void
remoteWireMask(unsigned char *data, size_t length, const unsigned char *mask)
{
    for (size_t i = 0; i < length; i++)
        data[i] ^= mask[i % 4];
}

/* A frame of ours, with this first byte. Takes the body over. */
static int
remoteWireSendWs(struct remoteWire *wire, unsigned int first, void *body, size_t length)
{
    size_t bytes = length < 126 ? 0 : length <= 0xffff ? 2 : 8, n = 2 + bytes;
    unsigned char head[14] = { (unsigned char)first, (unsigned char)(bytes == 0 ? length : bytes == 2 ? 126 : 127) };

    remoteWirePut(head + 2, bytes, length);
    if (wire->client) {
        head[1] |= 0x80;
        if (virPlatformRandom(head + n, 4) < 0) {
            free(body);
            return -1;
        }
        remoteWireMask(body, length, head + n);
        n += 4;
    }
    return remoteWireQueue(wire, head, n, body, length);
}

/* A close is answered, and a ping, of several that find something waiting to be sent the first one: nothing is collected for one who does not listen. */
static int
remoteWireControl(struct remoteWire *wire)
{
    size_t length = wire->head[1] & 0x7f, from = remoteWireHeadLength(wire);
    unsigned int opcode = wire->head[0] & 0x0f;
    void *body;

    if (opcode == 10 || (opcode == 9 && wire->first != NULL))
        return 0;
    if ((body = malloc(length > 0 ? length : 1)) == NULL)
        return -1;
    memcpy(body, wire->head + from, length);
    if (!wire->client)
        remoteWireMask(body, length, wire->head + from - 4);
    wire->closing = opcode == 8;
    return remoteWireSendWs(wire, opcode == 9 ? 0x8a : 0x88, body, length);
}

/* A step of reading: 1: on to the next, or *body is there. */
static int
remoteWireStepWs(struct remoteWire *wire, void **body, size_t *length)
{
    size_t from = remoteWireHeadLength(wire);
    int rc;

    switch (wire->state) {
    case REMOTE_WIRE_HEAD:
        return remoteWireHeadWs(wire);
    case REMOTE_WIRE_PAYLOAD:
        if ((rc = remoteWireFill(wire, wire->head, &wire->headLength, from + (wire->head[1] & 0x7f))) != 1)
            return rc;
        wire->headLength = 0;
        wire->state = REMOTE_WIRE_HEAD;
        return remoteWireControl(wire) < 0 ? -1 : 1;
    default:
        if ((rc = remoteWireFill(wire, wire->body, &wire->have, wire->want)) != 1)
            return rc;
        if (wire->body != NULL && !wire->client)
            remoteWireMask((unsigned char *)wire->body + wire->mark, wire->have - wire->mark, wire->head + from - 4);
        if ((wire->head[0] & 0x80) != 0)
            return remoteWireComplete(wire, body, length);
        wire->headLength = 0;
        wire->state = REMOTE_WIRE_HEAD;
        return 1;
    }
}
#endif

/* ---------- nanomsg's own frames ---------- */

/* What one end begins with. */
static void
remoteWireGreeting(unsigned char greeting[8], bool client)
{
    memcpy(greeting, (unsigned char[8]){ 0, 'S', 'P', 0, 0, client ? NN_REQ : NN_REP, 0, 0 }, 8);
}

static int
remoteWireGreetSp(struct remoteWire *wire)
{
    unsigned char expected[8];
    int rc = remoteWireFill(wire, wire->head, &wire->headLength, sizeof(expected));

    if (rc != 1)
        return rc;
    remoteWireGreeting(expected, !wire->client);
    wire->headLength = 0;
    return memcmp(wire->head, expected, sizeof(expected)) == 0 ? 1 : -2;
}

static int
remoteWireStepSp(struct remoteWire *wire, void **body, size_t *length)
{
    int rc;

    if (wire->state == REMOTE_WIRE_HEAD) {
        if ((rc = remoteWireFill(wire, wire->head, &wire->headLength, 9)) != 1)
            return rc;
        if (wire->head[0] != 1)
            return -2;
        if ((rc = remoteWireGrow(wire, remoteWireGet(wire->head + 1, 8))) != 1)
            return rc;
        wire->state = REMOTE_WIRE_BODY;
    }
    return (rc = remoteWireFill(wire, wire->body, &wire->have, wire->want)) == 1 ? remoteWireComplete(wire, body, length) : rc;
}

/* ---------- what others call ---------- */

VIRT_INTERNAL int
remoteWireOpen(struct remoteWire *wire, int fd, enum remoteWireKind kind, bool client, const char *host, size_t largest)
{
    unsigned char greeting[8];

    memset(wire, 0, sizeof(*wire));
    wire->fd = fd;
    wire->kind = kind;
    wire->client = client;
    wire->largest = largest;
    wire->last = &wire->first;
#if VIRT_WITH_NOISE
    if (kind == REMOTE_WIRE_WS)
        return client ? remoteWireRequest(wire, host) : 0;
#else
    (void)host;
#endif
    remoteWireGreeting(greeting, client);
    return remoteWireTell(wire, greeting, sizeof(greeting));
}

VIRT_INTERNAL void
remoteWireClose(struct remoteWire *wire)
{
    struct remoteWireOut *out;

    while ((out = wire->first) != NULL) {
        wire->first = out->next;
        remoteWireOutFree(out);
    }
    free(wire->body);
    free(wire->request);
    close(wire->fd);
}

static int
remoteWireGreet(struct remoteWire *wire)
{
#if VIRT_WITH_NOISE
    if (wire->kind == REMOTE_WIRE_WS)
        return remoteWireGreetWs(wire);
#endif
    return remoteWireGreetSp(wire);
}

static int
remoteWireStep(struct remoteWire *wire, void **body, size_t *length)
{
#if VIRT_WITH_NOISE
    if (wire->kind == REMOTE_WIRE_WS)
        return remoteWireStepWs(wire, body, length);
#endif
    return remoteWireStepSp(wire, body, length);
}

VIRT_INTERNAL int
remoteWireRead(struct remoteWire *wire, void **body, size_t *length)
{
    int rc = 1, steps = 0;

    if (wire->state == REMOTE_WIRE_GREETING && (rc = remoteWireGreet(wire)) == 1)
        wire->state = REMOTE_WIRE_HEAD;
    for (*body = NULL; rc == 1 && *body == NULL && !wire->closing && steps < REMOTE_WIRE_STEPS; steps++)
        rc = remoteWireStep(wire, body, length);
    return rc == 1 && *body == NULL ? 0 : rc;
}

VIRT_INTERNAL int
remoteWireSend(struct remoteWire *wire, void *body, size_t length)
{
    unsigned char head[9] = { 1 };

#if VIRT_WITH_NOISE
    if (wire->kind == REMOTE_WIRE_WS)
        return remoteWireSendWs(wire, 0x82, body, length);
#endif
    remoteWirePut(head + 1, 8, length);
    return remoteWireQueue(wire, head, sizeof(head), body, length);
}

#undef REMOTE_WIRE_STEPS
#undef REMOTE_WIRE_FRAMES
#undef REMOTE_WIRE_PROTOCOL

#endif
