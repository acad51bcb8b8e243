/*
 * The client: the memory of a migration whose phase is given a stream (VIR_MIGRATE_TUNNELLED, virMigrationSetStream) and is carried
 * out by a server. The descriptor cannot go there, so what passes through it does: the server makes a pair of sockets
 * (virt.stream.open), of which its hypervisor gets one, and between the other and the descriptor here a stream of the session
 * carries bytes in both directions.
 *
 * Nobody calls the library while a hypervisor sends. So this is the one thing that has threads of its own: two, one for each
 * direction, from the first call of the phase until either end closes. Each piece is taken by the far end before the next one is
 * read, so neither side holds more than one.
 *
 * A phase that was carried out may be asked for again, and answers from its record: it has no second stream, which would take the
 * bytes of the first. So what was carried is known until the migration is dropped here, or a few others have come after it.
 *
 * A stream that breaks, because of either end or with its session, is not gone on with: the descriptor is shut down, so that the
 * hypervisor here sees what the one there sees, and the migration takes its way back. What calls the application (events, the close
 * callback) is left to other threads.
 */
#include "link.h"

#if VIRT_WITH_REMOTE

#include "kinds.h"

#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_CARRY_PIECE (96u << 10)           /* bytes: in base64 it fits into one message */
#define REMOTE_CARRY_KNOWN 16                    /* so many that are over */

struct remoteCarry {
    struct remoteCarry *next;         /* in the link's list, guarded by its lock, as the next four */
    bool settled;                     /* its phase is over */
    bool dropped;                     /* and will not be asked for again: it is freed when its threads are over */
    bool started, joined;             /* it has had threads; and they are over */
    unsigned long long number;        /* of the stream, from then on */
    struct remoteLink *link;          /* constant from here on; it lives longer */
    const struct remoteMethod *method;
    char migration[VIR_UUID_STRING_BUFLEN];
    struct remoteStream *stream;      /* a reference */
    pthread_t threads[2];
    int running;                      /* of them; guarded by the link's lock, as the next two. The last one to end closes those */
    int fd;                           /* a copy of the caller's; the threads use it without the lock; -1: closed */
    int wake[2];                      /* written to when the threads are to end, and never read */
};

/* ---------- descriptors, with the lock held ---------- */

static void
remoteCarryWake(struct remoteCarry *carry)
{
    if (carry->wake[1] >= 0)
        virPlatformWakeSend(carry->wake);
}

static void
remoteCarryClose(struct remoteCarry *carry)
{
    for (int i = 0; i < 2; i++) {
        if (carry->wake[i] >= 0)
            close(carry->wake[i]);
        carry->wake[i] = -1;
    }
    if (carry->fd >= 0)
        close(carry->fd);
    carry->fd = -1;
}

/* ---------- the threads ---------- */

/* Waits for the descriptor; false: it is over. */
static bool
remoteCarryWait(struct remoteCarry *carry, short events)
{
    struct pollfd fds[2] = { { .fd = carry->fd, .events = events }, { .fd = carry->wake[0], .events = POLLIN } };

    while (virPlatformPoll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return false;
    return fds[1].revents == 0;
}

/* What the descriptor has next: its length, 0 at its end, or -1: it is over. */
static ssize_t
remoteCarryRead(struct remoteCarry *carry, char *data)
{
    ssize_t n = -1;

    while (remoteCarryWait(carry, POLLIN)) {
        n = recv(carry->fd, data, REMOTE_CARRY_PIECE, MSG_DONTWAIT);
        if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return n;
    }
    return -1;
}

static bool
remoteCarryWrite(struct remoteCarry *carry, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n;

        if (!remoteCarryWait(carry, POLLOUT))
            return false;
        n = send(carry->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            return false;
        data += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* A thread is at its end, and so is the other one, if all is over. */
static void
remoteCarryOver(struct remoteCarry *carry, bool all)
{
    struct remoteLink *link = carry->link;

    pthread_mutex_lock(&link->lock);
    if (all) {
        remoteStreamAbandon(carry->stream);
        remoteCarryWake(carry);
    }
    if (--carry->running == 0)
        remoteCarryClose(carry);
    pthread_mutex_unlock(&link->lock);
}

/* From here to the server. It is also the one that ends the stream: when this end closes, or the other thread says so. */
static void *
remoteCarryOut(void *opaque)
{
    struct remoteCarry *carry = opaque;
    char *data = virAllocate(REMOTE_CARRY_PIECE);
    ssize_t n = -1, at;
    int sent = 0;

    while (data != NULL && sent >= 0 && (n = remoteCarryRead(carry, data)) > 0)
        for (at = 0; at < n && sent >= 0; at += sent)
            sent = remoteStreamSendOwn(carry->stream, data + at, (size_t)(n - at));
    if (sent < 0 || data == NULL)
        virLog(VIR_LOG_WARN, "remote.carry", "%s: migration %s: the memory stream broke: %s", carry->link->uri, carry->migration,
               virGetLastErrorMessage());
    free(data);
    if (n == 0 && sent >= 0)
        remoteStreamFinishOwn(carry->stream);
    shutdown(carry->fd, SHUT_RDWR);
    remoteCarryOver(carry, true);
    return NULL;
}

/* From the server to here. Where that side has ended, this one may still have something to say. */
static void *
remoteCarryIn(void *opaque)
{
    struct remoteCarry *carry = opaque;
    char *data = virAllocate(REMOTE_CARRY_PIECE);
    int n = -1;

    while (data != NULL && (n = remoteStreamRecvOwn(carry->stream, data, REMOTE_CARRY_PIECE)) > 0)
        if (!remoteCarryWrite(carry, data, (size_t)n))
            break;                    /* the other thread sees the end of this descriptor too */
    free(data);
    if (n == 0)
        shutdown(carry->fd, SHUT_WR);
    remoteCarryOver(carry, n < 0);
    return NULL;
}

/* With the lock held. 0, or -1 with the error set. */
static int
remoteCarryStart(struct remoteCarry *carry)
{
    void *(*const runs[2])(void *opaque) = { remoteCarryOut, remoteCarryIn };
    int rc = 0, n = 0;

    for (; n < 2 && rc == 0; n += rc == 0) {
        rc = virPlatformThread(&carry->threads[n], runs[n], carry);
        carry->running += rc == 0;
    }
    carry->started = rc == 0;
    if (rc == 0)
        return 0;
    if (n == 1) {
        remoteCarryWake(carry);
        pthread_mutex_unlock(&carry->link->lock);
        pthread_join(carry->threads[0], NULL);
        pthread_mutex_lock(&carry->link->lock);
    }
    return virReportSystemError(rc, "cannot start a thread for the memory of migration %s", carry->migration);
}

/* ---------- the list, with the lock held ---------- */

/* Its threads have no more to do with the lock, or it is not held. */
static void
remoteCarryJoin(struct remoteCarry *carry)
{
    for (int i = 0; i < 2 && carry->started && !carry->joined; i++)
        pthread_join(carry->threads[i], NULL);
    carry->joined = true;
}

static void
remoteCarryFree(struct remoteCarry *carry)
{
    remoteCarryJoin(carry);
    remoteCarryClose(carry);
    remoteStreamUnref(carry->stream);
    free(carry);
}

static void
remoteCarryRemove(struct remoteLink *link, struct remoteCarry *carry)
{
    struct remoteCarry **at = &link->carries;

    while (*at != carry)
        at = &(*at)->next;
    *at = carry->next;
    remoteStreamAbandon(carry->stream);
    remoteCarryFree(carry);
}

static void
remoteCarryReap(struct remoteLink *link)
{
    struct remoteCarry *carry, *next;
    int known = 0;

    for (carry = link->carries; carry != NULL; carry = next) {      /* the newest first */
        next = carry->next;
        if (!carry->settled || carry->running > 0)
            continue;
        if (carry->dropped || ++known > REMOTE_CARRY_KNOWN)
            remoteCarryRemove(link, carry);
        else
            remoteCarryJoin(carry);
    }
}

static struct remoteCarry *
remoteCarryFind(struct remoteLink *link, const struct remoteMethod *method, const char *migration)
{
    struct remoteCarry *carry = link->carries;

    while (carry != NULL && (carry->dropped || carry->method != method || strcmp(carry->migration, migration) != 0))
        carry = carry->next;
    return carry;
}

/* NULL with the error set. */
static struct remoteCarry *
remoteCarryNew(struct remoteLink *link, const struct remoteMethod *method, const struct virMigrationCall *phase)
{
    struct remoteCarry *carry;
    struct stat info;

    if (fstat(phase->stream, &info) < 0 || !S_ISSOCK(info.st_mode)) {
        virReportError(VIR_ERR_INVALID_ARG, "migration %s: over a connection to a server the stream must be a socket", phase->uuid);
        return NULL;
    }
    if ((carry = virAllocate(sizeof(*carry))) == NULL)
        return NULL;
    *carry = (struct remoteCarry){ .link = link, .method = method, .wake = { -1, -1 }, .fd = fcntl(phase->stream, F_DUPFD_CLOEXEC, 0) };
    snprintf(carry->migration, sizeof(carry->migration), "%s", phase->uuid);
    if (carry->fd < 0 || virPlatformWakeOpen(carry->wake) < 0) {
        virReportSystemError(errno, "migration %s: no descriptors for its memory", phase->uuid);
        carry->wake[0] = carry->wake[1] = -1;
        remoteCarryFree(carry);
        return NULL;
    }
    if ((carry->stream = remoteStreamBegin(link)) == NULL) {
        remoteCarryFree(carry);
        return NULL;
    }
    carry->next = link->carries;
    link->carries = carry;
    return carry;
}

/* ---------- what a phase calls ---------- */

/* With the lock held. As remoteCarryBegin. */
static int
remoteCarryReady(struct remoteLink *link, const struct remoteMethod *method, const struct virMigrationCall *phase,
                 unsigned long long *number)
{
    unsigned long long end = phase->timeout < 0 ? 0 : virTimeNowUs() + (unsigned long long)phase->timeout * 1000;
    struct remoteCarry *carry = remoteCarryFind(link, method, phase->uuid);
    int rc = 1;

    if (carry == NULL && (carry = remoteCarryNew(link, method, phase)) == NULL)
        return -1;
    if (!carry->started && (rc = remoteStreamAwait(carry->stream, end, &carry->number)) == 1 && remoteCarryStart(carry) < 0)
        rc = -1;
    *number = carry->number;
    if (rc < 0)
        remoteCarryRemove(link, carry);
    return rc == -2 ? 0 : rc;         /* -2: the session went before the server answered */
}

VIRT_INTERNAL int
remoteCarryBegin(struct remoteLink *link, const struct remoteMethod *method, const struct virMigrationCall *phase, cJSON *params)
{
    unsigned long long number = 0;
    int rc = 1;

    pthread_mutex_lock(&link->lock);
    remoteLinkPump(link);
    remoteCarryReap(link);
    if (link->state != REMOTE_LINK_LOST)         /* else the phase will not be sent either */
        rc = remoteCarryReady(link, method, phase, &number);
    pthread_mutex_unlock(&link->lock);
    return rc > 0 && number != 0 && remotePut(virJsonGet(params, "call"), "stream", cJSON_CreateNumber((double)number)) < 0 ? -1 : rc;
}

VIRT_INTERNAL void
remoteCarrySettle(struct remoteLink *link, const struct remoteMethod *method, const char *migration, int rc)
{
    struct remoteCarry *carry;

    pthread_mutex_lock(&link->lock);
    if ((carry = remoteCarryFind(link, method, migration)) != NULL) {
        carry->settled = true;
        if (rc < 0)
            remoteCarryWake(carry);
    }
    pthread_mutex_unlock(&link->lock);
}

VIRT_INTERNAL void
remoteCarryDrop(struct remoteLink *link, const char *migration)
{
    pthread_mutex_lock(&link->lock);
    for (struct remoteCarry *carry = link->carries; carry != NULL; carry = carry->next)
        if (strcmp(carry->migration, migration) == 0)
            carry->settled = carry->dropped = true;
    pthread_mutex_unlock(&link->lock);
}

VIRT_INTERNAL void
remoteCarryEnd(struct remoteLink *link)
{
    struct remoteCarry *carry, *list;

    pthread_mutex_lock(&link->lock);
    list = link->carries;
    link->carries = NULL;
    for (carry = list; carry != NULL; carry = carry->next) {
        remoteStreamShut(carry->stream);         /* the session ends, and that at the server with it */
        remoteCarryWake(carry);
    }
    pthread_mutex_unlock(&link->lock);
    while ((carry = list) != NULL) {
        list = carry->next;
        remoteCarryFree(carry);
    }
}

#undef REMOTE_CARRY_PIECE
#undef REMOTE_CARRY_KNOWN
#undef VIRT_FROM

#endif
