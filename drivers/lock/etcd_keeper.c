/*
 * How a lease in etcd is kept: see keeper.c, and etcd.c for what is asked.
 *
 * It speaks HTTP by itself, in words that were put into text before (struct virEtcdPlan). Time is counted from when the last renewal
 * that succeeded was sent, in twelfths of the lease's time to live: from 2 on it is renewed, at 6 it counts as lost, and the hypervisor
 * is told to stop or to quit; if it has not by 7 it is killed, so that by 8 no CPU runs. Others may have the lease from 12 on. A lease
 * that the service does not know any more is lost at once.
 */
#include "etcd.h"

#if VIRT_WITH_ETCD

#include "../common/text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Twelfths of the time to live. */
#define VIRT_ETCD_RENEW 2
#define VIRT_ETCD_LOST  6
#define VIRT_ETCD_KILL  7

#define VIRT_ETCD_KEEPER_REPLY 16384

VIRT_INTERNAL ssize_t
virEtcdDecode(const char *text, size_t length, char *data, size_t size)
{
    unsigned int bits = 0, have = 0;
    size_t n = 0;

    for (size_t i = 0; i < length && text[i] != '='; i++) {
        const char c = text[i];
        unsigned int value;

        if (c >= 'A' && c <= 'Z')
            value = (unsigned int)(c - 'A');
        else if (c >= 'a' && c <= 'z')
            value = (unsigned int)(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            value = (unsigned int)(c - '0') + 52;
        else if (c == '+' || c == '/')
            value = c == '+' ? 62 : 63;
        else
            return -1;
        bits = (bits << 6 | value) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (n == size)
                return -1;
            data[n++] = (char)(bits >> have);
        }
    }
    return (ssize_t)n;
}

struct virEtcdKeeper {
    struct virEtcdPlan plan;
    unsigned long long unit;               /* ns: a twelfth */
    unsigned long long sent;               /* the last renewal that succeeded */
    size_t at;                             /* the address that answered last */
    char request[VIRT_ETCD_BODY * 2 + 1024];
    char reply[VIRT_ETCD_KEEPER_REPLY];
};

static struct virEtcdKeeper *
virEtcdOf(struct virKeeper *k)
{
    return k->data;
}

/* ---------- requests ---------- */


static void
virEtcdKeeperAdd(struct virKeeper *k, size_t *length, const char *text)
{
    const size_t n = strlen(text);

    if (*length + n < sizeof(virEtcdOf(k)->request)) {
        memcpy(virEtcdOf(k)->request + *length, text, n + 1);
        *length += n;
    }
}

static size_t
virEtcdKeeperMakeRequest(struct virKeeper *k, const char *path, const char *const body[3])
{
    char digits[24];
    size_t length = 0, size = 0, at = sizeof(digits) - 1;

    for (int i = 0; i < 3; i++)
        size += strlen(body[i]);
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + size % 10);
        size /= 10;
    } while (size != 0);
    virEtcdKeeperAdd(k, &length, "POST /v3/");
    virEtcdKeeperAdd(k, &length, path);
    virEtcdKeeperAdd(k, &length, " HTTP/1.1\r\nHost: ");
    virEtcdKeeperAdd(k, &length, virEtcdOf(k)->plan.addresses[virEtcdOf(k)->at].host);
    virEtcdKeeperAdd(k, &length, "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ");
    virEtcdKeeperAdd(k, &length, digits + at);
    virEtcdKeeperAdd(k, &length, "\r\n\r\n");
    for (int i = 0; i < 3; i++)
        virEtcdKeeperAdd(k, &length, body[i]);
    return length;
}

/* Puts the chunks of a body together, in place. False if it is not complete. */
static bool
virEtcdKeeperJoinChunks(char *body)
{
    char *to = body, *from = body;

    for (;;) {
        size_t size = 0, digits = 0;

        for (;; from++, digits++) {
            if (*from >= '0' && *from <= '9')
                size = size * 16 + (size_t)(*from - '0');
            else if ((*from | 32) >= 'a' && (*from | 32) <= 'f')
                size = size * 16 + (size_t)((*from | 32) - 'a') + 10;
            else
                break;
        }
        if (digits == 0 || digits > 6 || (from = strchr(from, '\n')) == NULL)
            return false;
        from++;
        if (size == 0)
            break;
        if (strlen(from) < size + 2)
            return false;
        memmove(to, from, size);
        to += size;
        from += size + 2;
    }
    *to = '\0';
    return true;
}

/* The body of a whole answer with status 200, a JSON object; NULL for anything else. */
static const char *
virEtcdKeeperParseReply(struct virKeeper *k, size_t length)
{
    char *body;

    virEtcdOf(k)->reply[length] = '\0';
    if (strlen(virEtcdOf(k)->reply) != length || strncmp(virEtcdOf(k)->reply, "HTTP/1.", 7) != 0 || strncmp(virEtcdOf(k)->reply + 8, " 200", 4) != 0
        || (body = strstr(virEtcdOf(k)->reply, "\r\n\r\n")) == NULL)
        return NULL;
    *body = '\0';
    body += 4;
    for (char *p = virEtcdOf(k)->reply; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 'a' - 'A');
    if (strstr(virEtcdOf(k)->reply, "\r\ntransfer-encoding: chunked") != NULL && !virEtcdKeeperJoinChunks(body))
        return NULL;
    for (length = strlen(body); length > 0 && (body[length - 1] == '\n' || body[length - 1] == '\r'); length--)
        ;
    return length >= 2 && body[0] == '{' && body[length - 1] == '}' ? body : NULL;
}

static int
virEtcdKeeperConnect(struct virKeeper *k, unsigned long long until)
{
    const struct virEtcdAddress *address = &virEtcdOf(k)->plan.addresses[virEtcdOf(k)->at];
    int fd = socket(address->where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    socklen_t size = sizeof(error);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address->where, address->length) == 0)
        return fd;
    if (errno == EINPROGRESS && virKeeperWait(k, fd, POLLOUT, until) > 0
        && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

/* Sends the request and takes in the answer, up to its end. Its length, or -1. */
static ssize_t
virEtcdKeeperExchange(struct virKeeper *k, int fd, size_t length, unsigned long long until)
{
    size_t done = 0, got = 0;
    ssize_t n;

    while (done < length) {
        if (virKeeperWait(k, fd, POLLOUT, until) <= 0)
            return -1;
        if ((n = send(fd, virEtcdOf(k)->request + done, length - done, MSG_NOSIGNAL)) < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    while (got < sizeof(virEtcdOf(k)->reply) - 1) {
        if (virKeeperWait(k, fd, POLLIN, until) <= 0)
            return -1;
        if ((n = recv(fd, virEtcdOf(k)->reply + got, sizeof(virEtcdOf(k)->reply) - 1 - got, 0)) == 0)
            return (ssize_t)got;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        got += n > 0 ? (size_t)n : 0;
    }
    return -1;
}

/* One request to the address that answered last. What it says, or NULL: the next one is asked then, next time. */
static const char *
virEtcdKeeperAsk3(struct virKeeper *k, const char *path, const char *const body[3], unsigned long long until)
{
    const size_t length = virEtcdKeeperMakeRequest(k, path, body);
    const char *answer = NULL;
    int fd = virEtcdKeeperConnect(k, until);
    ssize_t got = -1;

    if (fd >= 0) {
        got = virEtcdKeeperExchange(k, fd, length, until);
        close(fd);
    }
    if (got >= 0)
        answer = virEtcdKeeperParseReply(k, (size_t)got);
    if (answer == NULL)
        virEtcdOf(k)->at = (virEtcdOf(k)->at + 1) % virEtcdOf(k)->plan.naddresses;
    return answer;
}

static const char *
virEtcdKeeperAsk(struct virKeeper *k, const char *path, const char *body, unsigned long long until)
{
    const char *const parts[3] = { body, "", "" };

    return virEtcdKeeperAsk3(k, path, parts, until);
}

/* The first character behind this text in the answer, or NULL. */
static const char *
virEtcdKeeperFind(const char *answer, const char *member)
{
    const char *found = strstr(answer, member);

    return found != NULL ? found + strlen(member) : NULL;
}

/* Before its time is up, or after: what a quit would still write may do harm, as it may be another's already. */
static void
virEtcdKeeperLose(struct virKeeper *k, bool gone)
{
    const unsigned long long now = virKeeperNow(), late = virEtcdOf(k)->sent + VIRT_ETCD_KILL * virEtcdOf(k)->unit;

    if (!gone && now < late)
        virKeeperLose(k, late);
    else
        virKeeperLose(k, k->failure == VIRT_LOCK_PAUSE ? now + k->patience : now);
}

/* 1: the lease lives; 0: the service does not know it; -1: no answer. */
static int
virEtcdKeeperRenewLease(struct virKeeper *k, unsigned long long until)
{
    const char *answer = virEtcdKeeperAsk(k, "lease/keepalive", virEtcdOf(k)->plan.keepalive, until);

    if (answer == NULL || virEtcdKeeperFind(answer, "{\"result\":{\"header\":{") == NULL
        || virEtcdKeeperFind(answer, virEtcdOf(k)->plan.id) == NULL)
        return -1;
    return virEtcdKeeperFind(answer, "\"TTL\":\"") != NULL;
}

/* 1: the seat is there, by this lease; 0: it is not; -1: no answer. */
static int
virEtcdKeeperLook(struct virKeeper *k, unsigned long long until)
{
    const char *answer = virEtcdKeeperAsk(k, "kv/range", virEtcdOf(k)->plan.seat, until), *lease;

    if (answer == NULL || strncmp(answer, "{\"header\":{", 11) != 0)
        return -1;
    return (lease = virEtcdKeeperFind(answer, "\"lease\":\"")) != NULL
           && strncmp(lease, virEtcdOf(k)->plan.id, strlen(virEtcdOf(k)->plan.id)) == 0 && lease[strlen(virEtcdOf(k)->plan.id)] == '"';
}

static void
virEtcdKeeperRenew(struct virKeeper *k)
{
    const unsigned long long start = virKeeperNow(), end = virEtcdOf(k)->sent + VIRT_ETCD_LOST * virEtcdOf(k)->unit;
    const unsigned long long share = (VIRT_ETCD_LOST - VIRT_ETCD_RENEW) * virEtcdOf(k)->unit / (virEtcdOf(k)->plan.naddresses + 1);
    unsigned long long until = start + (share > virEtcdOf(k)->unit / 2 ? share : virEtcdOf(k)->unit / 2);
    int rc;

    if (until > end)
        until = end;
    if ((rc = virEtcdKeeperRenewLease(k, until)) > 0 && (rc = virEtcdKeeperLook(k, until)) > 0)
        virEtcdOf(k)->sent = start;
    else if (rc == 0 && !k->over)
        virEtcdKeeperLose(k, true);
}

/* Whether this host still is the guest's holder: the revision of the state that says so is in text. */
static bool
virEtcdKeeperHolds(struct virKeeper *k, char *text, size_t size, unsigned long long until)
{
    const char *answer = virEtcdKeeperAsk(k, "kv/range", virEtcdOf(k)->plan.state, until), *value, *revision;
    char state[VIRT_ETCD_BODY];
    const size_t length = strlen(virEtcdOf(k)->plan.holder);
    ssize_t n;

    if (answer == NULL || (value = virEtcdKeeperFind(answer, "\"value\":\"")) == NULL || strchr(value, '"') == NULL
        || (revision = virEtcdKeeperFind(answer, "\"mod_revision\":\"")) == NULL || strspn(revision, "0123456789") >= size)
        return false;
    n = virEtcdDecode(value, (size_t)(strchr(value, '"') - value), state, sizeof(state));
    if (n < (ssize_t)length || memcmp(state, virEtcdOf(k)->plan.holder, length) != 0)
        return false;
    memcpy(text, revision, strspn(revision, "0123456789"));
    text[strspn(revision, "0123456789")] = '\0';
    return true;
}

/* A seat that was lost is taken again, if it is free and the guest is still this host's. */
static void
virEtcdKeeperRegain(struct virKeeper *k)
{
    const unsigned long long start = virKeeperNow(), until = start + VIRT_ETCD_RENEW * virEtcdOf(k)->unit;
    const char *take[3] = { virEtcdOf(k)->plan.take[0], "", virEtcdOf(k)->plan.take[1] }, *answer;
    char revision[24];
    int lease, seat;

    if ((lease = virEtcdKeeperRenewLease(k, until)) < 0 || (seat = virEtcdKeeperLook(k, until)) < 0)
        return;
    if (lease == 0 || seat == 0) {
        if (!virEtcdKeeperHolds(k, revision, sizeof(revision), until))
            return;
        if (lease == 0 && virEtcdKeeperAsk(k, "lease/grant", virEtcdOf(k)->plan.grant, until) == NULL)
            return;
        take[1] = revision;
        if ((answer = virEtcdKeeperAsk3(k, "kv/txn", take, until)) == NULL
            || virEtcdKeeperFind(answer, "\"succeeded\":true") == NULL)
            return;
    }
    virEtcdOf(k)->sent = start;
    k->lost = false;
}

static void
virEtcdKeeperServe(struct virKeeper *k)
{
    struct virEtcdKeeper *etcd = k->data;
    unsigned long long next = etcd->sent + VIRT_ETCD_RENEW * etcd->unit, end = etcd->sent + VIRT_ETCD_LOST * etcd->unit;

    while (!k->over) {
        if (virKeeperWait(k, -1, 0, next) < 0)
            break;
        next = virKeeperNow() + etcd->unit / 4;
        if (!k->lost) {
            if (virKeeperNow() < end)
                virEtcdKeeperRenew(k);
            end = etcd->sent + VIRT_ETCD_LOST * etcd->unit;
            if (!k->over && !k->lost && virKeeperNow() >= end)
                virEtcdKeeperLose(k, false);
        } else if (k->failure == VIRT_LOCK_PAUSE || k->failure == VIRT_LOCK_IGNORE) {
            virEtcdKeeperRegain(k);
            end = etcd->sent + VIRT_ETCD_LOST * etcd->unit;
        }
        if (k->lost || etcd->sent + VIRT_ETCD_RENEW * etcd->unit > next)
            next = (k->lost ? virKeeperNow() : etcd->sent) + VIRT_ETCD_RENEW * etcd->unit;
    }
}

/* ---------- the process ---------- */

/* Until the hypervisor has ended; then the lease is given back, by whoever answers in time, or it runs out. */
static void
virEtcdKeeperRun(struct virKeeper *k)
{
    const struct virEtcdKeeper *etcd = k->data;

    k->patience = etcd->unit / 4;
    virEtcdKeeperServe(k);
    virKeeperLetGo(k);
    for (size_t i = 0; i < etcd->plan.naddresses; i++)
        if (virEtcdKeeperAsk(k, "lease/revoke", etcd->plan.revoke, virKeeperNow() + VIRT_ETCD_RENEW * etcd->unit) != NULL)
            break;
}

VIRT_INTERNAL int
virEtcdKeep(const struct virEtcdPlan *plan, enum virLockFailure failure, struct virLockSeat *seat)
{
    VIRT_CLEANUP_FREE struct virEtcdKeeper *etcd = virAllocate(sizeof(*etcd));

    if (etcd == NULL)
        return -1;
    etcd->plan = *plan;
    etcd->unit = (unsigned long long)plan->ttl * 1000000000ULL / 12;
    etcd->sent = plan->sent;
    return virKeeperStart(virEtcdKeeperRun, etcd, sizeof(*etcd), failure, seat);
}

#undef VIRT_ETCD_RENEW
#undef VIRT_ETCD_LOST
#undef VIRT_ETCD_KILL
#undef VIRT_ETCD_KEEPER_REPLY
#endif
