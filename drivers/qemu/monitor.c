/*
 * QMP. See monitor.h for the idea; this file has, in this order: the lists of commands under way
 * and of events, the reading of what arrives, the delivery of events, waiting, and the life of the
 * connection.
 *
 * Everything in struct qemuMonitor is guarded by its lock, which is held for moments only: system
 * calls under it never block. The descriptor stays open until the last reference goes, so that no
 * thread can poll another file by its number.
 */
#include "monitor.h"

#include "../common/file.h"
#include "../common/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* A line longer than this is no QMP. (query-qmp-schema, the longest there is, has 200 KB.) */
#define QEMU_MONITOR_LINE (16u * 1024 * 1024)
/* What a QEMU that does not read may leave with us. */
#define QEMU_MONITOR_UNSENT (16u * 1024 * 1024)

/* A command under way, or its reply that nobody has collected yet. */
struct qemuMonitorCall {
    qemuMonitorId id;
    char *command;
    unsigned long long sent;          /* virTimeNowUs */
    cJSON *message;                   /* the whole reply; NULL: not here yet */
    bool forgotten;                   /* nobody waits: dropped when it comes */
    bool overdue;                     /* somebody waited for it in vain */
    bool whole;                       /* whoever waits wants the message as it came, also one that refuses */
    struct qemuMonitorCall *next;
};

struct qemuMonitorNews {
    char *event;                      /* NULL: the conversation is over */
    cJSON *message;
    struct qemuMonitorNews *next;
};

struct qemuMonitor {
    atomic_int refs;
    char *name;                       /* of the guest; constant, like the next three */
    qemuMonitorEventFunc func;
    void *opaque;
    void (*freeOpaque)(void *opaque);
    int fd;                           /* constant; closed with the last reference */

    pthread_mutex_t lock;
    pthread_cond_t changed;           /* something arrived, or a role became free; by the monotonic clock */
    bool reading;                     /* a leader waits for the descriptor */
    bool delivering;                  /* one thread hands out events */
    pthread_t deliverer;
    bool closed;                      /* by us */
    char *broken;                     /* why QEMU's side has ended; NULL: it has not */
    bool failed;                      /* the same, even where there was no memory for the reason */
    bool ended;                       /* it has hung up */
    int watch;                        /* of the event loop; -1: none */
    int newsFd;                       /* eventfd, for callers who would poll what the loop reads; -1: none */

    char *in;                         /* what arrived and is no whole line yet */
    size_t inLength, inSize, inScanned;
    char *out;                        /* what QEMU has not taken yet */
    size_t outLength;
    int handed;                        /* a descriptor that goes with the byte at handedAt; -1: none */
    size_t handedAt;

    qemuMonitorId lastId, handshake;
    bool negotiated;
    struct qemuMonitorCall *calls;
    struct qemuMonitorNews *news, **newsEnd;
    struct qemuMonitorNews last;      /* the end's, which needs no memory then */
    unsigned long long queued, delivered;          /* events so far */
};

/* ---- commands under way ---- */

static void
qemuMonitorCallFree(struct qemuMonitorCall *call)
{
    cJSON_Delete(call->message);
    free(call->command);
    free(call);
}

static struct qemuMonitorCall **
qemuMonitorFind(struct qemuMonitor *mon, qemuMonitorId id)
{
    struct qemuMonitorCall **link = &mon->calls;

    while (*link != NULL && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

static void
qemuMonitorUnlink(struct qemuMonitorCall **link)
{
    struct qemuMonitorCall *call = *link;

    *link = call->next;
    qemuMonitorCallFree(call);
}

/* ---- reading ---- */

/* The lock is held in all functions of this chapter. */

static void
qemuMonitorWake(struct qemuMonitor *mon)
{
    uint64_t one = 1;

    pthread_cond_broadcast(&mon->changed);
    if (mon->newsFd >= 0 && write(mon->newsFd, &one, sizeof(one)) < 0)
        return;                       /* the counter is full: it is readable all the same */
}

static void
qemuMonitorNewsFree(struct qemuMonitor *mon, struct qemuMonitorNews *news)
{
    cJSON_Delete(news->message);
    free(news->event);
    if (news != &mon->last)
        free(news);
}

/* Takes message over. event NULL: the end. Without memory another event is lost, and the log says so. */
static void
qemuMonitorQueue(struct qemuMonitor *mon, const char *event, cJSON *message)
{
    struct qemuMonitorNews *news = event != NULL ? calloc(1, sizeof(*news)) : &mon->last;

    if (news == NULL || (event != NULL && (news->event = strdup(event)) == NULL)) {
        virLog(VIR_LOG_ERROR, "qemu.monitor", "domain '%s': no memory for event %s", mon->name, event);
        free(news);
        cJSON_Delete(message);
        return;
    }
    news->message = message;
    *mon->newsEnd = news;
    mon->newsEnd = &news->next;
    mon->queued++;
}

/* The conversation cannot go on. The first reason counts. */
static void
qemuMonitorBreak(struct qemuMonitor *mon, const char *reason)
{
    if (mon->failed)
        return;
    mon->failed = true;
    mon->broken = strdup(reason);
    virLog(VIR_LOG_DEBUG, "qemu.monitor", "domain '%s': %s", mon->name, reason);
    qemuMonitorQueue(mon, NULL, NULL);
    qemuMonitorWake(mon);
}

static void
qemuMonitorTakeReply(struct qemuMonitor *mon, cJSON *message)
{
    qemuMonitorId id = 0;
    struct qemuMonitorCall **link;

    if (virJsonULongLong(message, "id", &id) < 0)
        virLog(VIR_LOG_WARN, "qemu.monitor", "domain '%s': a reply to no command", mon->name);
    link = qemuMonitorFind(mon, id);
    if (*link == NULL || (*link)->message != NULL) {
        cJSON_Delete(message);
        return;
    }
    (*link)->message = message;
    if ((*link)->forgotten) {
        const char *words = virJsonString(virJsonGet(message, "error"), "desc");

        if (words != NULL)
            virLog(VIR_LOG_WARN, "qemu.monitor", "domain '%s': %s: %s", mon->name, (*link)->command, words);
        qemuMonitorUnlink(link);
    }
}

static void
qemuMonitorTakeLine(struct qemuMonitor *mon, const char *line, size_t length)
{
    cJSON *message;
    const char *event;

    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' '))
        length--;
    if (length == 0)
        return;
    virLog(VIR_LOG_DEBUG, "qemu.monitor", "%s <- %.*s", mon->name, (int)length, line);
    if ((message = virJsonParse(line, length, "QEMU's monitor")) == NULL) {
        virResetLastError();
        qemuMonitorBreak(mon, "QEMU's monitor sent what is no JSON");
        return;
    }
    if ((event = virJsonString(message, "event")) != NULL) {
        qemuMonitorQueue(mon, event, message);
    } else if (virJsonGet(message, "return") != NULL || virJsonGet(message, "error") != NULL) {
        qemuMonitorTakeReply(mon, message);
    } else {
        if (virJsonGet(message, "QMP") == NULL)
            qemuMonitorBreak(mon, "QEMU's monitor sent what is no QMP");
        cJSON_Delete(message);
    }
}

/* Takes the whole lines out of the buffer. */
static void
qemuMonitorTakeLines(struct qemuMonitor *mon)
{
    size_t start = 0;
    char *end;

    while (!mon->failed
           && (end = memchr(mon->in + mon->inScanned, '\n', mon->inLength - mon->inScanned)) != NULL) {
        size_t length = (size_t)(end - mon->in) - start;

        qemuMonitorTakeLine(mon, mon->in + start, length);
        start += length + 1;
        mon->inScanned = start;
    }
    mon->inLength -= start;
    memmove(mon->in, mon->in + start, mon->inLength);
    mon->inScanned = mon->inLength;
    if (mon->inLength == 0 && mon->inSize > 65536) {
        free(mon->in);
        mon->in = NULL;
        mon->inSize = mon->inScanned = 0;
    }
}

/* Sends as much as there is room for; a descriptor goes with the first byte of the command it belongs to. */
static ssize_t
qemuMonitorWrite(struct qemuMonitor *mon)
{
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
    struct iovec data = { mon->out, mon->outLength };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
    struct cmsghdr *head;
    ssize_t n;

    if (mon->handed >= 0 && mon->handedAt > 0) {
        data.iov_len = mon->handedAt;
    } else if (mon->handed >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &mon->handed, sizeof(int));
    }
    if ((n = sendmsg(mon->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0 && mon->handed >= 0) {
        if (mon->handedAt == 0) {
            close(mon->handed);
            mon->handed = -1;
        } else {
            mon->handedAt -= (size_t)n;
        }
    }
    return n;
}

static void
qemuMonitorFlush(struct qemuMonitor *mon)
{
    while (mon->outLength > 0 && !mon->failed) {
        ssize_t n = qemuMonitorWrite(mon);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            /*
             * What broke is told when its last words have been read: the end of the stream follows.
             */
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                mon->outLength = 0;
            return;
        }
        mon->outLength -= (size_t)n;
        memmove(mon->out, mon->out + n, mon->outLength);
    }
}

/* Reads what is there without blocking; nobody else may be the leader. */
static void
qemuMonitorRead(struct qemuMonitor *mon)
{
    bool any = false;

    qemuMonitorFlush(mon);
    while (!mon->failed && !mon->closed) {
        size_t room;
        ssize_t n;

        if (mon->inSize - mon->inLength < 2048) {
            size_t size = mon->inSize == 0 ? 8192 : mon->inSize * 2;
            char *bigger = size > QEMU_MONITOR_LINE ? NULL : realloc(mon->in, size);

            if (bigger == NULL) {
                qemuMonitorBreak(mon, size > QEMU_MONITOR_LINE ? "QEMU's monitor sent a line without end"
                                                               : "no memory for what QEMU's monitor sent");
                break;
            }
            mon->in = bigger;
            mon->inSize = size;
        }
        room = mon->inSize - mon->inLength;
        n = recv(mon->fd, mon->in + mon->inLength, room, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        any = true;
        if (n <= 0) {
            mon->ended = true;
            qemuMonitorBreak(mon, "QEMU has closed its monitor");
            break;
        }
        mon->inLength += (size_t)n;
        qemuMonitorTakeLines(mon);
        if ((size_t)n < room)
            break;
    }
    if (any)
        qemuMonitorWake(mon);
}

/* ---- delivery ---- */

/*
 * Hands out queued events, one thread at a time, so that their order is kept. With `wait`, when
 * another thread is at it, returns only when what is queued now has been handed out: a caller who
 * got the reply to `stop` must not overtake the event STOP. Lock held.
 */
static void
qemuMonitorDeliver(struct qemuMonitor *mon, bool wait)
{
    unsigned long long upTo = mon->queued;
    struct qemuMonitorNews *news;

    if (mon->delivering) {
        while (wait && mon->delivering && !pthread_equal(mon->deliverer,
                                                         pthread_self()) && mon->delivered < upTo
               && !mon->closed)
            pthread_cond_wait(&mon->changed, &mon->lock);
        return;
    }
    if (mon->news == NULL)
        return;
    mon->delivering = true;
    mon->deliverer = pthread_self();
    while ((news = mon->news) != NULL) {
        if ((mon->news = news->next) == NULL)
            mon->newsEnd = &mon->news;
        if (!mon->closed && mon->func != NULL) {
            pthread_mutex_unlock(&mon->lock);
            mon->func(mon, news->event, virJsonGet(news->message, "data"), mon->opaque);
            pthread_mutex_lock(&mon->lock);
        }
        qemuMonitorNewsFree(mon, news);
        mon->delivered++;
        pthread_cond_broadcast(&mon->changed);
    }
    mon->delivering = false;
    pthread_cond_broadcast(&mon->changed);
}

VIRT_INTERNAL void
qemuMonitorPump(struct qemuMonitor *mon)
{
    pthread_mutex_lock(&mon->lock);
    if (!mon->reading)
        qemuMonitorRead(mon);
    qemuMonitorDeliver(mon, false);
    pthread_mutex_unlock(&mon->lock);
}

VIRT_INTERNAL bool
qemuMonitorHasNews(int fd)
{
    char c;

    /*
     * Only a look: should the number belong to another file by now, nothing is taken from it, and
     * the lock will tell. The plain system call, because tools that watch over descriptors do not
     * know that this is meant.
     */
    return fd >= 0 && (syscall(SYS_recvfrom, fd, &c, (size_t)1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) >= 0
                       || (errno != EAGAIN && errno != EWOULDBLOCK));
}

static void
qemuMonitorReadable(int watch, int fd, int events, void *opaque)
{
    struct qemuMonitor *mon = opaque;
    bool over;

    (void)fd;
    (void)events;
    qemuMonitorPump(mon);
    pthread_mutex_lock(&mon->lock);
    over = mon->failed && mon->watch >= 0;
    if (over)
        mon->watch = -1;
    pthread_mutex_unlock(&mon->lock);
    if (over)
        virEventRemoveHandle(watch);
}

/* ---- waiting ---- */

static int
qemuMonitorReportEnd(const struct qemuMonitor *mon, const char *command)
{
    return virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s': %s, so '%s' was not answered", mon->name,
                          mon->broken != NULL ? mon->broken : "its monitor was closed", command);
}

/* Ends the call: 1 with the reply's value, -1 with QEMU's words. Lock held. */
static int
qemuMonitorFinishCall(struct qemuMonitor *mon, struct qemuMonitorCall **link, cJSON **reply)
{
    struct qemuMonitorCall *call = *link;
    cJSON *error = virJsonGet(call->message, "error");
    int rc = 1;

    if (call->whole) {
        *reply = call->message;
        call->message = NULL;
    } else if (error != NULL) {
        const char *words = virJsonString(error, "desc");

        rc = virReportError(VIR_ERR_INTERNAL_ERROR, "domain '%s': unable to execute QEMU command '%s': %s",
                            mon->name, call->command, words != NULL ? words : "it does not say why");
    } else if (reply != NULL) {
        *reply = cJSON_DetachItemFromObjectCaseSensitive(call->message, "return");
    }
    qemuMonitorUnlink(link);
    return rc;
}

/*
 * Waits for news, as the leader or behind it, until `end` (us, 0: for ever). Lock held; left meanwhile. A leader who waited before there
 * was something that QEMU could not take at once does not know of it: so whoever is behind him sends it.
 */
static void
qemuMonitorWait(struct qemuMonitor *mon, unsigned long long end)
{
    bool leads = !mon->reading;

    if (!leads && mon->outLength == 0) {
        virPlatformCondWait(&mon->changed, &mon->lock, end);
    } else {
        struct pollfd poller = { mon->fd, (short)((leads ? POLLIN : 0) | (mon->outLength > 0 ? POLLOUT : 0)), 0 };
        unsigned long long now = virTimeNowUs();
        int ms = end == 0 ? -1 : end <= now ? 0 : (int)((end - now + 999) / 1000);

        mon->reading = true;               /* by this one or by the leader */
        pthread_mutex_unlock(&mon->lock);
        poll(&poller, 1, ms);
        pthread_mutex_lock(&mon->lock);
        if (leads) {
            qemuMonitorRead(mon);
            mon->reading = false;
            pthread_cond_broadcast(&mon->changed);
        } else {
            qemuMonitorFlush(mon);
        }
    }
}

VIRT_INTERNAL int
qemuMonitorReceive(struct qemuMonitor *mon, qemuMonitorId id, int timeout, cJSON **reply)
{
    unsigned long long end = timeout < 0 ? 0 : virTimeNowUs() + (unsigned long long)timeout * 1000;
    struct qemuMonitorCall **link;
    uint64_t count;
    int rc = 0;

    pthread_mutex_lock(&mon->lock);
    if (mon->newsFd >= 0 && read(mon->newsFd, &count, sizeof(count)) < 0)
        count = 0;
    if (!mon->reading)
        qemuMonitorRead(mon);
    for (;;) {
        qemuMonitorDeliver(mon, true);
        if (*(link = qemuMonitorFind(mon, id)) == NULL) {
            rc = virReportError(VIR_ERR_INTERNAL_ERROR, "domain '%s': no monitor command %llu is under way",
                                mon->name, id);
            break;
        }
        if ((*link)->message != NULL) {
            rc = qemuMonitorFinishCall(mon, link, reply);
            break;
        }
        if (mon->failed || mon->closed) {
            rc = qemuMonitorReportEnd(mon, (*link)->command);
            qemuMonitorUnlink(link);
            break;
        }
        if (timeout >= 0 && virTimeNowUs() >= end)
            break;
        qemuMonitorWait(mon, end);
    }
    pthread_mutex_unlock(&mon->lock);
    return rc;
}

VIRT_INTERNAL void
qemuMonitorForget(struct qemuMonitor *mon, qemuMonitorId id)
{
    struct qemuMonitorCall **link;

    pthread_mutex_lock(&mon->lock);
    if (*(link = qemuMonitorFind(mon, id)) != NULL) {
        if ((*link)->message != NULL || mon->failed)
            qemuMonitorUnlink(link);
        else
            (*link)->forgotten = true;
    }
    pthread_mutex_unlock(&mon->lock);
}

/* ---- sending ---- */

/* Appends the text to what is to be sent. Lock held. */
static int
qemuMonitorAppend(struct qemuMonitor *mon, const char *text, size_t length)
{
    char *bigger;

    if (mon->outLength + length > QEMU_MONITOR_UNSENT)
        return virReportError(VIR_ERR_OPERATION_TIMEOUT,
                              "domain '%s': QEMU does not read its monitor", mon->name);
    if ((bigger = realloc(mon->out, mon->outLength + length)) == NULL)
        return virReportNoMemory();
    memcpy(bigger + mon->outLength, text, length);
    mon->out = bigger;
    mon->outLength += length;
    qemuMonitorFlush(mon);
    if (mon->outLength == 0) {
        if (mon->handed >= 0)
        close(mon->handed);
    free(mon->out);
        mon->out = NULL;
    }
    return 0;
}

static char *
qemuMonitorFormat(const char *command, cJSON *args, bool oob, qemuMonitorId id)
{
    VIRT_CLEANUP_JSON cJSON *line = virJsonObject(oob ? "s:exec-oob" : "s:execute", command,
                                                  "A:arguments", args,
                                                  "u:id", id, NULL);
    char *text = line != NULL ? virJsonFormat(line) : NULL;
    const char *problem;
    size_t length;
    char *ended;

    if (text == NULL)
        return NULL;
    length = strlen(text);
    /* QEMU would refuse it without saying which command it refuses, and that would be waited for in vain */
    if ((problem = virJsonCheckText(text, length)) != NULL) {
        free(text);
        virReportError(VIR_ERR_INVALID_ARG, "QEMU cannot be told '%s': it has %s", command, problem);
        return NULL;
    }
    if ((ended = realloc(text, length + 2)) == NULL) {
        free(text);
        virReportNoMemory();
        return NULL;
    }
    memcpy(ended + length, "\n", 2);
    return ended;
}

VIRT_INTERNAL qemuMonitorId
qemuMonitorSend(struct qemuMonitor *mon, const char *command, cJSON *args, bool oob)
{
    VIRT_CLEANUP_FREE char *text = NULL;
    struct qemuMonitorCall *call = virAllocate(sizeof(*call));
    qemuMonitorId id = 0;

    pthread_mutex_lock(&mon->lock);
    if (call != NULL)
        id = call->id = ++mon->lastId;
    pthread_mutex_unlock(&mon->lock);
    if (call == NULL) {
        cJSON_Delete(args);
        return 0;
    }
    if ((call->command = virStringCopy(command)) == NULL) {
        cJSON_Delete(args);
        free(call);
        return 0;
    }
    if ((text = qemuMonitorFormat(command, args, oob, id)) == NULL) {
        qemuMonitorCallFree(call);
        return 0;
    }
    pthread_mutex_lock(&mon->lock);
    if (mon->failed || mon->closed) {
        qemuMonitorReportEnd(mon, command);
        id = 0;
    } else if (qemuMonitorAppend(mon, text, strlen(text)) < 0) {
        id = 0;
    } else {
        virLog(VIR_LOG_DEBUG, "qemu.monitor", "%s -> %s", mon->name, text);
        call->sent = virTimeNowUs();
        call->next = mon->calls;
        mon->calls = call;
        call = NULL;
    }
    pthread_mutex_unlock(&mon->lock);
    if (call != NULL)
        qemuMonitorCallFree(call);
    return id;
}

VIRT_INTERNAL qemuMonitorId
qemuMonitorSendFd(struct qemuMonitor *mon, const char *name, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    bool busy;

    if (copy < 0) {
        virReportSystemError(errno, "domain '%s': descriptor %d cannot be handed to QEMU", mon->name, fd);
        return 0;
    }
    pthread_mutex_lock(&mon->lock);
    if (!(busy = mon->handed >= 0)) {
        mon->handed = copy;
        mon->handedAt = mon->outLength;
    }
    pthread_mutex_unlock(&mon->lock);
    if (!busy)
        return qemuMonitorSend(mon, "getfd", virJsonObject("s:fdname", name, NULL), false);
    close(copy);
    virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': QEMU does not read its monitor", mon->name);
    return 0;
}

VIRT_INTERNAL int
qemuMonitorPost(struct qemuMonitor *mon, const char *command, cJSON *args)
{
    qemuMonitorId id = qemuMonitorSend(mon, command, args, false);

    if (id == 0)
        return -1;
    qemuMonitorForget(mon, id);
    return 0;
}

static size_t
qemuMonitorUnsent(struct qemuMonitor *mon)
{
    size_t length;

    pthread_mutex_lock(&mon->lock);
    length = mon->outLength;
    pthread_mutex_unlock(&mon->lock);
    return length;
}

static int
qemuMonitorRun(struct qemuMonitor *mon, const char *command, cJSON *args, bool oob, bool whole, cJSON **reply)
{
    bool overdue = false;
    qemuMonitorId id;
    size_t unsent;
    int rc, timeout;

    qemuMonitorBusy(mon, &overdue);
    timeout = overdue ? 1000 : QEMU_MONITOR_DEADLINE;
    if ((id = qemuMonitorSend(mon, command, args, oob)) == 0)
        return -1;
    if (whole) {
        pthread_mutex_lock(&mon->lock);
        if (*qemuMonitorFind(mon, id) != NULL)
            (*qemuMonitorFind(mon, id))->whole = true;
        pthread_mutex_unlock(&mon->lock);
    }
    /* QEMU reads its monitor byte by byte, so that megabytes take it longer than the deadline: while it takes some, it is at work */
    do {
        unsent = qemuMonitorUnsent(mon);
        rc = qemuMonitorReceive(mon, id, timeout, reply);
    } while (rc == 0 && qemuMonitorUnsent(mon) < unsent);
    if (rc != 0)
        return rc < 0 ? -1 : 0;

    pthread_mutex_lock(&mon->lock);
    if (*qemuMonitorFind(mon, id) != NULL)
        (*qemuMonitorFind(mon, id))->overdue = true;
    pthread_mutex_unlock(&mon->lock);
    qemuMonitorForget(mon, id);
    return virReportError(VIR_ERR_OPERATION_TIMEOUT, "domain '%s': QEMU has not answered '%s' within %d s",
                          mon->name, command, timeout / 1000);
}

VIRT_INTERNAL int
qemuMonitorCommand(struct qemuMonitor *mon, const char *command, cJSON *args, cJSON **reply)
{
    return qemuMonitorRun(mon, command, args, false, false, reply);
}

VIRT_INTERNAL int
qemuMonitorPass(struct qemuMonitor *mon, const char *command, cJSON *args, bool oob, cJSON **message)
{
    return qemuMonitorRun(mon, command, args, oob, true, message);
}

/* ---- what others ask ---- */

VIRT_INTERNAL int
qemuMonitorSocket(const struct qemuMonitor *mon)
{
    return mon->fd;
}

VIRT_INTERNAL bool
qemuMonitorIsWatched(struct qemuMonitor *mon)
{
    bool watched;

    pthread_mutex_lock(&mon->lock);
    watched = mon->watch >= 0;
    pthread_mutex_unlock(&mon->lock);
    return watched;
}

VIRT_INTERNAL int
qemuMonitorGetFd(struct qemuMonitor *mon)
{
    int fd;

    pthread_mutex_lock(&mon->lock);
    fd = mon->fd;
    if (mon->watch >= 0) {
        if (mon->newsFd < 0)
            mon->newsFd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if ((fd = mon->newsFd) < 0)
            virReportSystemError(errno, "domain '%s': no descriptor to wait on", mon->name);
    }
    pthread_mutex_unlock(&mon->lock);
    return fd;
}

VIRT_INTERNAL bool
qemuMonitorIsReady(struct qemuMonitor *mon, qemuMonitorId id)
{
    struct qemuMonitorCall *call;
    bool ready;

    pthread_mutex_lock(&mon->lock);
    call = *qemuMonitorFind(mon, id);
    ready = mon->failed || mon->closed || (call != NULL && call->message != NULL);
    pthread_mutex_unlock(&mon->lock);
    return ready;
}

VIRT_INTERNAL unsigned long long
qemuMonitorBusy(struct qemuMonitor *mon, bool *overdue)
{
    unsigned long long now = virTimeNowUs(), oldest = 0;

    *overdue = false;
    pthread_mutex_lock(&mon->lock);
    for (struct qemuMonitorCall *call = mon->calls; call != NULL; call = call->next) {
        if (call->message != NULL)
            continue;
        if (now - call->sent >= oldest)
            oldest = now - call->sent + 1;
        if (call->overdue || now - call->sent > QEMU_MONITOR_DEADLINE * 1000ull)
            *overdue = true;
    }
    pthread_mutex_unlock(&mon->lock);
    return oldest;
}

VIRT_INTERNAL bool
qemuMonitorIsOpen(struct qemuMonitor *mon)
{
    bool open;

    pthread_mutex_lock(&mon->lock);
    open = !mon->failed && !mon->closed;
    pthread_mutex_unlock(&mon->lock);
    return open;
}

VIRT_INTERNAL bool
qemuMonitorHasEnded(struct qemuMonitor *mon)
{
    bool ended;

    pthread_mutex_lock(&mon->lock);
    ended = mon->ended;
    pthread_mutex_unlock(&mon->lock);
    return ended;
}

/* ---- from connect to close ---- */

/*
 * Ids go on where no conversation before has been, in this process or another: QEMU may still answer a command of that one, and its reply is not to
 * be taken for a new one's. By the clock, as nobody sends a command every microsecond; numbers that stay exact in any JSON parser.
 */
static qemuMonitorId
qemuMonitorFirstId(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (qemuMonitorId)now.tv_sec * 1000000 + (qemuMonitorId)now.tv_nsec / 1000;
}

static struct qemuMonitor *
qemuMonitorNew(const char *name, qemuMonitorEventFunc func, void *opaque, void (*freeOpaque)(void *opaque))
{
    struct qemuMonitor *mon = virAllocate(sizeof(*mon));

    if (mon != NULL && (mon->name = virStringCopy(name)) == NULL) {
        free(mon);
        mon = NULL;
    }
    if (mon == NULL) {
        if (freeOpaque != NULL)
            freeOpaque(opaque);
        return NULL;
    }
    mon->refs = 1;
    mon->func = func;
    mon->opaque = opaque;
    mon->freeOpaque = freeOpaque;
    mon->fd = mon->newsFd = mon->watch = -1;
    mon->newsEnd = &mon->news;
    mon->lastId = qemuMonitorFirstId();
    pthread_mutex_init(&mon->lock, NULL);
    virPlatformCondInit(&mon->changed);
    mon->handed = -1;
    return mon;
}

/*
 * The reference that the event loop holds goes when the loop lets go, which may be later, in
 * another thread. Had QEMU died before the watch was made, the first look at the descriptor by the
 * loop, or by whoever waits, tells.
 */
static int
qemuMonitorWatch(struct qemuMonitor *mon)
{
    int watch;

    if (!virEventLoopIsRegistered())
        return 0;
    watch = virEventAddHandle(mon->fd,
                              VIR_EVENT_HANDLE_READABLE | VIR_EVENT_HANDLE_HANGUP | VIR_EVENT_HANDLE_ERROR,
                              qemuMonitorReadable, qemuMonitorRef(mon), qemuMonitorUnref);
    if (watch < 0) {
        qemuMonitorUnref(mon);
        return -1;
    }
    pthread_mutex_lock(&mon->lock);
    if (!mon->failed) {
        mon->watch = watch;
        watch = -1;
    }
    pthread_mutex_unlock(&mon->lock);
    if (watch >= 0)
        virEventRemoveHandle(watch);
    return 0;
}

static int
qemuMonitorSendCapabilities(struct qemuMonitor *mon)
{
    cJSON *enable = virJsonArray(), *args;

    if (enable == NULL || virJsonAppendString(enable, "oob") < 0) {
        cJSON_Delete(enable);
        return -1;
    }
    if ((args = virJsonObject("a:enable", enable, NULL)) == NULL)
        return -1;
    mon->handshake = qemuMonitorSend(mon, "qmp_capabilities", args, false);
    return mon->handshake == 0 ? -1 : 0;
}

VIRT_INTERNAL struct qemuMonitor *
qemuMonitorOpen(const char *path, const char *name, qemuMonitorEventFunc func, void *opaque,
                void (*freeOpaque)(void *opaque))
{
    struct qemuMonitor *mon = qemuMonitorNew(name, func, opaque, freeOpaque);

    if (mon == NULL)
        return NULL;
    if ((mon->fd = virFileConnect(path)) < 0 || qemuMonitorSendCapabilities(mon) < 0 || qemuMonitorWatch(mon) < 0) {
        qemuMonitorUnref(mon);
        return NULL;
    }
    return mon;
}

VIRT_INTERNAL struct qemuMonitor *
qemuMonitorOpenFd(int fd, const char *name)
{
    struct qemuMonitor *mon = qemuMonitorNew(name, NULL, NULL, NULL);

    if (mon == NULL) {
        close(fd);
        return NULL;
    }
    mon->fd = fd;
    if (qemuMonitorSendCapabilities(mon) < 0) {
        qemuMonitorUnref(mon);
        return NULL;
    }
    return mon;
}

VIRT_INTERNAL int
qemuMonitorNegotiate(struct qemuMonitor *mon, int timeout)
{
    int rc;

    if (mon->negotiated)
        return 1;
    if ((rc = qemuMonitorReceive(mon, mon->handshake, timeout, NULL)) > 0)
        mon->negotiated = true;
    return rc;
}

VIRT_INTERNAL struct qemuMonitor *
qemuMonitorRef(struct qemuMonitor *mon)
{
    atomic_fetch_add(&mon->refs, 1);
    return mon;
}

VIRT_INTERNAL void
qemuMonitorUnref(void *opaque)
{
    struct qemuMonitor *mon = opaque;
    struct qemuMonitorNews *news;

    if (mon == NULL || atomic_fetch_sub(&mon->refs, 1) > 1)
        return;
    while (mon->calls != NULL)
        qemuMonitorUnlink(&mon->calls);
    while ((news = mon->news) != NULL) {
        mon->news = news->next;
        qemuMonitorNewsFree(mon, news);
    }
    if (mon->fd >= 0)
        close(mon->fd);
    if (mon->newsFd >= 0)
        close(mon->newsFd);
    if (mon->freeOpaque != NULL)
        mon->freeOpaque(mon->opaque);
    pthread_cond_destroy(&mon->changed);
    pthread_mutex_destroy(&mon->lock);
    free(mon->broken);
    if (mon->handed >= 0)
        close(mon->handed);
    free(mon->in);
    free(mon->out);
    free(mon->name);
    free(mon);
}

VIRT_INTERNAL void
qemuMonitorClose(struct qemuMonitor *mon)
{
    int watch;

    pthread_mutex_lock(&mon->lock);
    mon->closed = true;
    watch = mon->watch;
    mon->watch = -1;
    shutdown(mon->fd, SHUT_RDWR);     /* wakes the leader, and tells QEMU */
    qemuMonitorWake(mon);
    while (mon->delivering && !pthread_equal(mon->deliverer, pthread_self()))
        pthread_cond_wait(&mon->changed, &mon->lock);
    pthread_mutex_unlock(&mon->lock);
    if (watch >= 0)
        virEventRemoveHandle(watch);
}

#undef QEMU_MONITOR_LINE
#undef QEMU_MONITOR_UNSENT
#undef VIRT_FROM
