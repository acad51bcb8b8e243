/*
 * Streams of simulated guests: a console, which gives back what it is sent, and a picture of the screen. Both are a piece of memory between the
 * one who sends and the one who receives, so that they are the same on every system; a timer of the event loop stands for readiness.
 */
#include "test.h"
#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <stdint.h>

#define VIRT_FROM VIR_FROM_TEST

enum { TEST_CONSOLE_SIZE = 65536, TEST_SCREEN_WIDTH = 64, TEST_SCREEN_HEIGHT = 48 };

struct testStream {
    atomic_int refs;                  /* the stream's, the guest's, and the timer's */
    bool echoes;                      /* a console: what is sent can be received */
    struct virDomainObj *vm;          /* of a console: a reference, until it is finished or aborted */
    struct testHost *host;
    size_t size;                      /* of data */

    pthread_mutex_t lock;             /* guards what follows */
    pthread_cond_t changed;
    virStreamPtr stream;              /* NULL once it is freed; no reference */
    bool ended;                       /* nothing more comes: the guest has ended, or the picture is whole */
    const char *why;                  /* it is over, as another client has it */
    bool closed;                      /* finished or aborted */
    int timer;                        /* -1: none */
    int events;                       /* virStreamEventType that the application waits for */
    size_t first, length;             /* of the bytes in data, round and round */
    char data[];
};

VIRT_INTERNAL void
testStreamUnref(void *opaque)
{
    struct testStream *s = opaque;

    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* With the lock held: what holds of virStreamEventType. */
static int
testStreamReady(const struct testStream *s)
{
    return (s->why != NULL ? VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP : 0)
           | (s->length > 0 || s->ended ? VIR_STREAM_EVENT_READABLE : 0)
           | (s->echoes && s->length < s->size && !s->ended ? VIR_STREAM_EVENT_WRITABLE : 0)
           | (s->echoes && s->ended ? VIR_STREAM_EVENT_HANGUP : 0);
}

/* With the lock held: something has changed. */
static void
testStreamChanged(struct testStream *s)
{
    pthread_cond_broadcast(&s->changed);
    if (s->timer >= 0)
        virEventUpdateTimeout(s->timer, (testStreamReady(s) & (s->events | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)) != 0 ? 0 : -1);
}

static int
testStreamTransfer(virStreamPtr stream, char *in, const char *out, size_t nbytes)
{
    struct testStream *s = stream->priv;
    int event = out != NULL ? VIR_STREAM_EVENT_WRITABLE : VIR_STREAM_EVENT_READABLE, rc = 0;
    size_t room;

    pthread_mutex_lock(&s->lock);
    while (s->why == NULL && !s->closed && (testStreamReady(s) & event) == 0 && (out == NULL || !s->ended)
           && (stream->flags & VIR_STREAM_NONBLOCK) == 0)
        virPlatformCondWait(&s->changed, &s->lock, 0);
    if (s->why != NULL || s->closed)
        rc = virReportError(VIR_ERR_INTERNAL_ERROR, "stream is not open%s%s", s->why != NULL ? ": " : "", s->why != NULL ? s->why : "");
    else if (out != NULL && !s->echoes)
        rc = virReportSystemError(EBADF, "cannot write to stream");
    else if (out != NULL && s->ended)
        rc = virReportSystemError(EPIPE, "cannot write to stream");
    else if ((testStreamReady(s) & event) == 0)
        rc = -2;
    room = out != NULL ? s->size - s->length : s->length;
    while (rc >= 0 && (size_t)rc < nbytes && (size_t)rc < room) {
        if (out != NULL)
            s->data[(s->first + s->length++) % s->size] = out[rc++];
        else
            in[rc++] = s->data[s->first++ % s->size];
    }
    if (rc > 0 && out == NULL)
        s->length -= (size_t)rc;
    if (rc > 0)
        testStreamChanged(s);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int
testStreamSend(virStreamPtr stream, const char *data, size_t nbytes)
{
    struct testStream *s = stream->priv;

    if (!s->echoes)
        return virReportSystemError(EBADF, "cannot write to stream");
    return testStreamTransfer(stream, NULL, data, nbytes);
}

static int
testStreamRecv(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags)
{
    (void)flags;
    return testStreamTransfer(stream, data, NULL, nbytes);
}

static void
testStreamTick(int timer, void *opaque)
{
    struct testStream *s = opaque;
    virStreamPtr stream = NULL;
    int events = 0;

    pthread_mutex_lock(&s->lock);
    if (timer == s->timer) {
        events = testStreamReady(s) & (s->events | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP);
        stream = s->stream != NULL && virStreamTryRef(s->stream) ? s->stream : NULL;
    }
    if (s->why != NULL)
        virEventUpdateTimeout(timer, -1);        /* that is told once */
    pthread_mutex_unlock(&s->lock);
    if (stream == NULL)
        return;
    virStreamDeliver(stream, events);
    virStreamFree(stream);
}

static int
testStreamWatch(virStreamPtr stream, int events)
{
    struct testStream *s = stream->priv;
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    s->events = events;
    if (events == 0 && s->timer >= 0) {
        virEventRemoveTimeout(s->timer);
        s->timer = -1;
    } else if (events != 0 && s->timer < 0) {
        atomic_fetch_add(&s->refs, 1);
        if ((s->timer = virEventAddTimeout(-1, testStreamTick, s, testStreamUnref)) < 0) {
            atomic_fetch_sub(&s->refs, 1);
            rc = virReportError(VIR_ERR_INTERNAL_ERROR, "cannot watch the stream: %s", virEventLoopIsRegistered()
                                ? "the event loop takes no timer" : "no event loop is registered");
        }
    }
    testStreamChanged(s);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* The guest has no more to do with the stream. */
static void
testConsoleLeave(struct testStream *s)
{
    struct testDomain *test;
    bool mine;

    pthread_mutex_lock(&s->host->lock);
    test = s->vm->priv;
    mine = test->console == s;
    if (mine)
        test->console = NULL;
    pthread_mutex_unlock(&s->host->lock);
    if (mine)
        testStreamUnref(s);
    virDomainObjUnref(s->vm);
    s->vm = NULL;
}

static int
testStreamClose(virStreamPtr stream)
{
    struct testStream *s = stream->priv;

    pthread_mutex_lock(&s->lock);
    s->closed = true;
    testStreamChanged(s);
    pthread_mutex_unlock(&s->lock);
    if (s->vm != NULL)
        testConsoleLeave(s);
    return 0;
}

static void
testStreamFree(virStreamPtr stream)
{
    struct testStream *s = stream->priv;

    pthread_mutex_lock(&s->lock);
    s->stream = NULL;
    pthread_mutex_unlock(&s->lock);
    testStreamUnref(s);
}

static const struct virStreamDriver testStreamDriver = {
    .send   = testStreamSend,
    .recv   = testStreamRecv,
    .finish = testStreamClose,
    .abort  = testStreamClose,
    .watch  = testStreamWatch,
    .free   = testStreamFree,
};

static struct testStream *
testStreamNew(virStreamPtr stream, size_t size)
{
    struct testStream *s = virAllocate(sizeof(*s) + size);

    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->lock, NULL);
    virPlatformCondInit(&s->changed);
    s->stream = stream;
    s->size = size;
    s->timer = -1;
    return s;
}

/* The stream gets a reference of its own. */
static int
testStreamAttach(struct testStream *s)
{
    atomic_fetch_add(&s->refs, 1);
    if (virStreamAttach(s->stream, &testStreamDriver, s) == 0)
        return 0;
    testStreamUnref(s);
    return -1;
}

/* ---------- the console ---------- */

/* Nobody sends any more; why: nor does anybody receive. */
static void
testStreamEnd(struct testStream *s, const char *why)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    s->why = why;
    testStreamChanged(s);
    pthread_mutex_unlock(&s->lock);
}

VIRT_INTERNAL void
testDomainStopped(struct virDomainObj *vm, int reason)
{
    struct testDomain *test = vm->priv;

    if (test != NULL && test->console != NULL) {
        testStreamEnd(test->console, NULL);
        testStreamUnref(test->console);
        test->console = NULL;
    }
    virDomainObjStopped(vm, reason);
}

/* A guest without devices has a console all the same, as long as none is asked for by name. */
static int
testConsoleCheck(struct virDomainObj *vm, const char *name)
{
    static const char *const kinds[] = { "serial", "parallel", "console" };
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    xmlNodePtr devices;

    if (name == NULL)
        return 0;
    if ((doc = virDomainObjDocument(vm, false)) == NULL)
        return -1;
    devices = virXmlFind(virXmlRoot(doc), "devices");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        VIRT_XML_EACH(device, devices, kinds[i]) {
            if (virXmlEquals(device, "alias/@name", name))
                return 0;
        }
    }
    return virReportError(VIR_ERR_INTERNAL_ERROR, "character device %s does not exist", name);
}

/* With host->lock held. */
static int
testConsoleOpen(struct virDomainObj *vm, virStreamPtr stream, bool force)
{
    struct testDomain *test = testDomainOf(vm);
    struct testStream *s;

    if (test == NULL)
        return -1;
    if (test->console != NULL && !force)
        return virReportError(VIR_ERR_OPERATION_FAILED, "Active console session exists for this domain");
    if ((s = testStreamNew(stream, TEST_CONSOLE_SIZE)) == NULL)
        return -1;
    s->echoes = true;
    s->host = virDomainObjConfig(vm)->opaque;
    s->vm = virDomainObjRef(vm);
    if (testStreamAttach(s) < 0) {
        virDomainObjUnref(s->vm);
        testStreamUnref(s);
        return -1;
    }
    if (test->console != NULL)
        testStreamEnd(test->console, "another client has opened the console");
    testStreamUnref(test->console);
    test->console = s;
    return 0;
}

VIRT_INTERNAL int
testDomainOpenConsole(virDomainPtr domain, const char *name, virStreamPtr stream, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct testHost *host = testHostOf(domain->conn);
    int rc = -1;

    virCheckFlags(VIR_DOMAIN_CONSOLE_FORCE | VIR_DOMAIN_CONSOLE_SAFE, -1);
    if (vm == NULL)
        return -1;
    pthread_mutex_lock(&host->lock);
    if (virDomainObjCheckActive(vm) == 0 && testConsoleCheck(vm, name) == 0)
        rc = testConsoleOpen(vm, stream, (flags & VIR_DOMAIN_CONSOLE_FORCE) != 0);
    pthread_mutex_unlock(&host->lock);
    return rc;
}

/* ---------- the screen ---------- */

struct testPicture { unsigned char *at; };

static void
testPictureNumber(struct testPicture *p, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *p->at++ = (unsigned char)(number >> shift);
}

/* A chunk of a PNG file: its length, type and data, and a check sum of the latter two. */
static void
testPictureChunk(struct testPicture *p, const char *type, const unsigned char *data, size_t length)
{
    const unsigned char *from;
    uint32_t crc = 0xffffffff;

    testPictureNumber(p, (uint32_t)length);
    from = p->at;
    memcpy(p->at, type, 4);
    if (length > 0)
        memcpy(p->at + 4, data, length);
    p->at += 4 + length;
    for (; from < p->at; from++) {
        crc ^= *from;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    testPictureNumber(p, ~crc);
}

/* Shades of grey from dark to light, as a PNG whose data are stored and not compressed; its length. */
static size_t
testPictureMake(unsigned char *png)
{
    static const unsigned char signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    enum { LINE = TEST_SCREEN_WIDTH + 1, RAW = LINE * TEST_SCREEN_HEIGHT };
    unsigned char header[13], data[2 + 5 + RAW + 4];
    struct testPicture p = { header }, d = { data };
    uint32_t a = 1, b = 0;

    testPictureNumber(&p, TEST_SCREEN_WIDTH);
    testPictureNumber(&p, TEST_SCREEN_HEIGHT);
    memcpy(p.at, (const unsigned char[]){ 8, 0, 0, 0, 0 }, 5);           /* 8 bits, grey */
    memcpy(d.at, (const unsigned char[]){ 0x78, 1, 1, RAW & 255, RAW >> 8, ~RAW & 255, (~RAW >> 8) & 255 }, 7);
    d.at += 7;
    for (int i = 0; i < RAW; i++) {
        *d.at = (unsigned char)(i % LINE == 0 ? 0 : (i % LINE - 1) * 4);
        a = (a + *d.at++) % 65521;
        b = (b + a) % 65521;
    }
    testPictureNumber(&d, b << 16 | a);
    memcpy(png, signature, sizeof(signature));
    p.at = png + sizeof(signature);
    testPictureChunk(&p, "IHDR", header, sizeof(header));
    testPictureChunk(&p, "IDAT", data, sizeof(data));
    testPictureChunk(&p, "IEND", NULL, 0);
    return (size_t)(p.at - png);
}

VIRT_INTERNAL char *
testDomainScreenshot(virDomainPtr domain, virStreamPtr stream, unsigned int screen, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct testStream *s;
    char *type;

    virCheckFlags(0, NULL);
    if (vm == NULL || virDomainObjCheckActive(vm) < 0)
        return NULL;
    if (screen != 0) {
        virReportError(VIR_ERR_INVALID_ARG, "there is no screen %u: the guest has 1", screen);
        return NULL;
    }
    if ((type = virStringCopy("image/png")) == NULL)
        return NULL;
    if ((s = testStreamNew(stream, TEST_SCREEN_WIDTH * TEST_SCREEN_HEIGHT + 256)) != NULL) {
        s->length = testPictureMake((unsigned char *)s->data);
        s->ended = true;
    }
    if (s == NULL || testStreamAttach(s) < 0) {
        free(type);
        type = NULL;
    }
    testStreamUnref(s);
    return type;
}

#undef VIRT_FROM
