/*
 * The lock manager "etcd": leases in a key-value store, by its JSON gateway.
 *
 *   etcd:http://HOST:PORT[,http://HOST2:PORT...][/PREFIX][?ttl=SECONDS]
 *
 *   PREFIX/KEY               {"holder": ..., "epoch": ...}; each change is one transaction on the key's revision
 *   PREFIX/KEY.seat/OWNER    there as long as the owner sits: it belongs to an etcd lease, which a keeper renews
 *
 * The endpoints are those of one cluster, and are asked in turn, beginning with the one that answered last. What asks
 * twice because an answer was lost must find out that it was itself the first time: a state carries a random number of
 * its change, an etcd lease has an id that was chosen here. TLS is left to a gateway on this host (etcd's own is "etcd
 * grpc-proxy"), since the keeper (etcd_keeper.c) can have none; nor is there a user or a password. Endpoints should be
 * addresses: the keeper looks a name up once, when it starts, and libcurl does so in a thread, which lasts as long as
 * that takes. The time to live should be the same on all hosts; it is what others wait when a host dies.
 */
#include "lock.h"

#if VIRT_WITH_ETCD

#include "etcd.h"

#include "../common/json.h"
#include "../common/platform.h"
#include "../common/text.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

#define VIRT_ETCD_TTL       10             /* s */
#define VIRT_ETCD_TTL_MIN   2
#define VIRT_ETCD_TTL_MAX   600
#define VIRT_ETCD_CONNECT   2000           /* ms */
#define VIRT_ETCD_ANSWER    3000           /* ms for a request, the connection included */
#define VIRT_ETCD_SILENT    2              /* s without a question, after one that nobody answered in time */
#define VIRT_ETCD_LEAVE     1000           /* ms for a former seat of this host to be given back */
#define VIRT_ETCD_REPLY     (1 << 20)      /* bytes of an answer */
#define VIRT_ETCD_EXISTS    9              /* gRPC's code for what was there already */

struct virEtcd {
    char **endpoints;                      /* "http://host:port" */
    size_t nendpoints;
    char *prefix;
    unsigned int ttl;
    atomic_size_t first;                   /* the endpoint that answered last */
    atomic_uint silent;                    /* s, of virKeeperNow: until then nobody is asked */
};

/* What a key has. */
struct virEtcdValue {
    struct virLockState state;
    char revision[24];                     /* "0": there is no such key */
    char change[20];                       /* the number of the change that made it */
};

/* ---------- requests ---------- */

/*
 * libcurl is loaded with the first lock manager that needs it, and stays: with all that it needs in turn it is half of a small program's
 * memory, of which most keep no leases in etcd.
 */
static struct {
    bool loaded;                           /* under the lock; the rest is constant from then on */
    __typeof__(curl_global_init) *globalInit;
    __typeof__(curl_easy_init) *init;
    __typeof__(curl_easy_setopt) *set;
    __typeof__(curl_easy_perform) *perform;
    __typeof__(curl_easy_getinfo) *get;
    __typeof__(curl_easy_strerror) *describe;
    __typeof__(curl_easy_cleanup) *cleanup;
    __typeof__(curl_slist_append) *append;
    __typeof__(curl_slist_free_all) *freeAll;
} virEtcdCurl;

static pthread_mutex_t virEtcdCurlLock = PTHREAD_MUTEX_INITIALIZER;

static int
virEtcdLoadNames(const char *library)
{
    const struct { const char *name; void *to; } names[] = {
        { "curl_global_init", &virEtcdCurl.globalInit }, { "curl_easy_init", &virEtcdCurl.init },
        { "curl_easy_setopt", &virEtcdCurl.set },        { "curl_easy_perform", &virEtcdCurl.perform },
        { "curl_easy_getinfo", &virEtcdCurl.get },       { "curl_easy_strerror", &virEtcdCurl.describe },
        { "curl_easy_cleanup", &virEtcdCurl.cleanup },   { "curl_slist_append", &virEtcdCurl.append },
        { "curl_slist_free_all", &virEtcdCurl.freeAll },
    };
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL), *found;

    for (size_t i = 0; handle != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if ((found = dlsym(handle, names[i].name)) == NULL)
            return -1;                     /* it is no libcurl: dlclose would take back what dlerror has to say */
        memcpy(names[i].to, &found, sizeof(found));
    }
    return handle != NULL ? 0 : -1;
}

static int
virEtcdLoad(void)
{
    static const char *const libraries[] = { "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so" };
    char why[256] = "";
    bool loaded;

    pthread_mutex_lock(&virEtcdCurlLock);
    for (size_t i = 0; !virEtcdCurl.loaded && i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        if (virEtcdLoadNames(libraries[i]) == 0)
            virEtcdCurl.loaded = virEtcdCurl.globalInit(CURL_GLOBAL_DEFAULT) == CURLE_OK;
        else if (why[0] == '\0')
            snprintf(why, sizeof(why), "%s", dlerror());
    }
    loaded = virEtcdCurl.loaded;
    pthread_mutex_unlock(&virEtcdCurlLock);
    if (loaded)
        return 0;
    return virReportError(VIR_ERR_NO_SUPPORT, "lock manager 'etcd' needs libcurl: %s", why[0] != '\0' ? why : "it cannot be initialized");
}

static size_t
virEtcdTake(char *data, size_t size, size_t count, void *opaque)
{
    struct virText *text = opaque;

    if (text->length + size * count > VIRT_ETCD_REPLY)
        return 0;
    virTextAppend(text, data, size * count);
    return text->failed ? 0 : size * count;
}

/* As all descriptors here: not for programs that the application starts. */
static curl_socket_t
virEtcdSocket(void *opaque, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)opaque;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void
virEtcdCleanupCurl(CURL **curl)
{
    if (*curl != NULL)
        virEtcdCurl.cleanup(*curl);
}

static void
virEtcdCleanupHeaders(struct curl_slist **headers)
{
    if (*headers != NULL)
        virEtcdCurl.freeAll(*headers);
}

/* One request to one endpoint. The HTTP status, and its body, to be freed; 0: none, and `why` says why; -1: the error is set. */
static long
virEtcdSend(const char *endpoint, const char *path, const char *body, char **answer, size_t *length,
            char why[CURL_ERROR_SIZE])
{
    __attribute__((cleanup(virEtcdCleanupCurl))) CURL *curl = virEtcdCurl.init();
    __attribute__((cleanup(virEtcdCleanupHeaders))) struct curl_slist *headers = NULL;
    VIRT_CLEANUP_FREE char *url = virStringFormat("%s/v3/%s", endpoint, path);
    struct virText text = { 0 };
    long status = 0;
    CURLcode code;

    if (url == NULL)
        return -1;
    if (curl == NULL || (headers = virEtcdCurl.append(NULL, "Content-Type: application/json")) == NULL)
        return virReportNoMemory();
    why[0] = '\0';
    virEtcdCurl.set(curl, CURLOPT_URL, url);
    virEtcdCurl.set(curl, CURLOPT_POSTFIELDS, body);
    virEtcdCurl.set(curl, CURLOPT_HTTPHEADER, headers);
    virEtcdCurl.set(curl, CURLOPT_ERRORBUFFER, why);
    virEtcdCurl.set(curl, CURLOPT_WRITEFUNCTION, virEtcdTake);
    virEtcdCurl.set(curl, CURLOPT_WRITEDATA, &text);
    virEtcdCurl.set(curl, CURLOPT_OPENSOCKETFUNCTION, virEtcdSocket);
    virEtcdCurl.set(curl, CURLOPT_NOSIGNAL, 1L);
    virEtcdCurl.set(curl, CURLOPT_NOPROXY, "*");                /* the keeper uses none either */
    virEtcdCurl.set(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)VIRT_ETCD_CONNECT);
    virEtcdCurl.set(curl, CURLOPT_TIMEOUT_MS, (long)VIRT_ETCD_ANSWER);
    if ((code = virEtcdCurl.perform(curl)) == CURLE_OK)
        virEtcdCurl.get(curl, CURLINFO_RESPONSE_CODE, &status);
    else if (why[0] == '\0')
        snprintf(why, CURL_ERROR_SIZE, "%s", virEtcdCurl.describe(code));
    if (text.failed || code == CURLE_OUT_OF_MEMORY) {
        virTextFree(&text);
        return virReportNoMemory();
    }
    if (status == 0) {
        virTextFree(&text);
        return 0;
    }
    *length = text.length;
    return (*answer = virTextTake(&text)) != NULL ? status : -1;
}

/* What an endpoint answered: the object; or NULL, and `why` says what is wrong, with gRPC's code. */
static cJSON *
virEtcdRead(long status, const char *answer, size_t length, char *why, int *code)
{
    cJSON *json = virJsonParse(answer, length, "the answer");
    const char *message = virJsonString(json, "message");

    if (status == 200 && virJsonGet(json, "header") != NULL)
        return json;
    virResetLastError();
    if (message != NULL)
        snprintf(why, CURL_ERROR_SIZE, "%s", message);
    else
        snprintf(why, CURL_ERROR_SIZE, "HTTP status %ld: not the answer of an etcd", status);
    if (virJsonInt(json, "code", code) < 0)
        *code = 0;
    cJSON_Delete(json);
    return NULL;
}

static unsigned int
virEtcdSeconds(void)
{
    return (unsigned int)(virKeeperNow() / 1000000000ULL);
}

/*
 * A request to the service. NULL with the error set, which names the endpoints; *code (may be NULL) is gRPC's, where
 * one of them has refused it for a reason that all have. One that nobody has answered spares the next ones the wait:
 * else a program with many guests would wait for each.
 */
static cJSON *
virEtcdAsk(struct virLock *lock, const char *path, const char *body, int *code)
{
    struct virEtcd *etcd = lock->priv;
    const size_t first = atomic_load(&etcd->first);
    const unsigned int start = virEtcdSeconds();
    char why[CURL_ERROR_SIZE] = "nobody has answered a moment ago";
    bool silent = true;
    int refused = 0;

    if (code != NULL)
        *code = 0;
    if (start < atomic_load(&etcd->silent)) {
        virReportError(VIR_ERR_OPERATION_FAILED, "lock manager '%s' does not serve %s: %s", lock->place, path, why);
        return NULL;
    }
    for (size_t i = 0; i < etcd->nendpoints; i++) {
        const size_t at = (first + i) % etcd->nendpoints;
        VIRT_CLEANUP_FREE char *answer = NULL;
        size_t length = 0;
        cJSON *json;
        long status = virEtcdSend(etcd->endpoints[at], path, body, &answer, &length, why);

        if (status < 0)
            return NULL;
        if (status > 0 && (json = virEtcdRead(status, answer, length, why, &refused)) != NULL) {
            atomic_store(&etcd->first, at);
            return json;
        }
        silent = silent && status == 0;
        if (status >= 400 && status < 500 && refused != 0)
            break;
        virLog(VIR_LOG_INFO, "lock", "etcd at %s: %s", etcd->endpoints[at], why);
    }
    if (silent && virEtcdSeconds() >= start + VIRT_ETCD_ANSWER / 2000)
        atomic_store(&etcd->silent, virEtcdSeconds() + VIRT_ETCD_SILENT);
    if (code != NULL)
        *code = refused;
    virReportError(VIR_ERR_OPERATION_FAILED, "lock manager '%s' does not serve %s: %s", lock->place, path, why);
    return NULL;
}

static char *
virEtcdEncode(const char *data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t length = strlen(data);
    char *text = virAllocate((length + 2) / 3 * 4 + 1), *to = text;

    for (size_t i = 0; text != NULL && i < length; i += 3) {
        const unsigned int left = (unsigned int)(length - i);
        unsigned int bits = (unsigned int)(unsigned char)data[i] << 16;

        if (left > 1)
            bits |= (unsigned int)(unsigned char)data[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)data[i + 2];
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[bits & 63] : '=';
    }
    return text;
}

/* The name of a state (owner NULL) or a seat, in base64. */
static char *
virEtcdKey(const struct virLock *lock, const char *key, const char *owner)
{
    const struct virEtcd *etcd = lock->priv;
    VIRT_CLEANUP_FREE char *name = virStringFormat("%s/%s%s%s", etcd->prefix, key, owner != NULL ? ".seat/" : "",
                                                   owner != NULL ? owner : "");

    return name != NULL ? virEtcdEncode(name) : NULL;
}

/* The first of what a range has: a member of the answer; NULL: nothing there. */
static const cJSON *
virEtcdFirst(const cJSON *range)
{
    return cJSON_GetArrayItem(virJsonGet(range, "kvs"), 0);
}

static cJSON *
virEtcdRange(struct virLock *lock, const char *key, const char *owner)
{
    VIRT_CLEANUP_FREE char *name = virEtcdKey(lock, key, owner), *body = NULL;

    if (name == NULL || (body = virStringFormat("{\"key\":\"%s\"}", name)) == NULL)
        return NULL;
    return virEtcdAsk(lock, "kv/range", body, NULL);
}

/* ---------- the state ---------- */

static int
virEtcdParse(struct virLock *lock, const char *key, const cJSON *range, struct virEtcdValue *value)
{
    const cJSON *first = virEtcdFirst(range);
    const char *encoded = virJsonString(first, "value"), *revision = virJsonString(first, "mod_revision");
    const char *holder, *change;
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    char text[4096];
    ssize_t length;

    *value = (struct virEtcdValue){ .revision = "0" };
    if (first == NULL)
        return 0;
    length = encoded != NULL ? virEtcdDecode(encoded, strlen(encoded), text, sizeof(text)) : -1;
    if (length >= 0 && (json = virJsonParse(text, (size_t)length, key)) == NULL)
        virResetLastError();
    holder = virJsonString(json, "holder");
    change = virJsonString(json, "change");
    if (holder == NULL || strlen(holder) >= sizeof(value->state.holder)
        || virJsonULongLong(json, "epoch", &value->state.epoch) < 0 || revision == NULL || strlen(revision) >= sizeof(value->revision))
        return virReportError(VIR_ERR_INTERNAL_ERROR, "lease '%s' in '%s' is damaged", key, lock->place);
    snprintf(value->state.holder, sizeof(value->state.holder), "%s", holder);
    snprintf(value->revision, sizeof(value->revision), "%s", revision);
    snprintf(value->change, sizeof(value->change), "%s", change != NULL ? change : "");
    return 0;
}

static int
virLockEtcdInquire(struct virLock *lock, const char *key, struct virLockState *state)
{
    VIRT_CLEANUP_JSON cJSON *range = virEtcdRange(lock, key, NULL);
    struct virEtcdValue value;

    if (range == NULL || virEtcdParse(lock, key, range, &value) < 0)
        return -1;
    *state = value.state;
    return 0;
}

static int
virEtcdRandom(char text[20])
{
    uint64_t number;

    if (virPlatformRandom(&number, sizeof(number)) < 0)
        return virReportSystemError(errno, "cannot get random bytes");
    snprintf(text, 20, "%llu", (unsigned long long)(number >> 1 | 1));        /* an int64 that is not 0 */
    return 0;
}

/* The transaction that puts the state where the key has this revision, and else says what it has. */
static char *
virEtcdChangeBody(struct virLock *lock, const char *key, const char *revision, const struct virLockState *to,
                  const char *change)
{
    VIRT_CLEANUP_JSON cJSON *json = virJsonObject("s:holder", to->holder, "u:epoch", to->epoch, "s:key", key, "s:change", change,
                                                  NULL);
    VIRT_CLEANUP_FREE char *text = json != NULL ? virJsonFormat(json) : NULL;
    VIRT_CLEANUP_FREE char *name = virEtcdKey(lock, key, NULL), *value = text != NULL ? virEtcdEncode(text) : NULL;

    if (name == NULL || value == NULL)
        return NULL;
    return virStringFormat("{\"compare\":[{\"target\":\"MOD\",\"key\":\"%s\",\"mod_revision\":\"%s\"}],"
                           "\"success\":[{\"request_put\":{\"key\":\"%s\",\"value\":\"%s\"}}],"
                           "\"failure\":[{\"request_range\":{\"key\":\"%s\"}}]}", name, revision, name, value, name);
}

/* The range that a transaction has made instead of what it was for; NULL: it was carried out. */
static const cJSON *
virEtcdInstead(const cJSON *txn)
{
    bool succeeded = false;

    if (virJsonBool(txn, "succeeded", &succeeded) == 0 && succeeded)
        return NULL;
    return virJsonGet(cJSON_GetArrayItem(virJsonGet(txn, "responses"), 0), "response_range");
}

static bool
virEtcdSucceeded(const cJSON *txn)
{
    bool succeeded = false;

    return virJsonBool(txn, "succeeded", &succeeded) == 0 && succeeded;
}

static int
virLockEtcdChange(struct virLock *lock, const char *key, struct virLockState *from, const struct virLockState *to)
{
    VIRT_CLEANUP_JSON cJSON *range = virEtcdRange(lock, key, NULL), *txn = NULL;
    VIRT_CLEANUP_FREE char *body = NULL;
    struct virEtcdValue value;
    char change[20];

    if (range == NULL || virEtcdParse(lock, key, range, &value) < 0)
        return -1;
    if (value.state.epoch != from->epoch || strcmp(value.state.holder, from->holder) != 0) {
        *from = value.state;
        return 0;
    }
    if (virEtcdRandom(change) < 0 || (body = virEtcdChangeBody(lock, key, value.revision, to, change)) == NULL
        || (txn = virEtcdAsk(lock, "kv/txn", body, NULL)) == NULL)
        return -1;
    if (virEtcdSucceeded(txn))
        return 1;
    /* somebody was faster, be it this very request at an endpoint that did not answer */
    if (virEtcdInstead(txn) == NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "lock manager '%s': a transaction has no result", lock->place);
    if (virEtcdParse(lock, key, virEtcdInstead(txn), &value) < 0)
        return -1;
    if (strcmp(value.change, change) == 0)
        return 1;
    *from = value.state;
    return 0;
}

/* ---------- seats ---------- */

static int
virLockEtcdLives(struct virLock *lock, const char *key, const char *owner)
{
    VIRT_CLEANUP_JSON cJSON *range = virEtcdRange(lock, key, owner);

    return range != NULL ? virEtcdFirst(range) != NULL : -1;
}

/* How long the owner's seat lasts if nobody renews it: in whole seconds, of `granted`. 1; 0: there is none; -1. */
static int
virEtcdTimeLeft(struct virLock *lock, const char *key, const char *owner, int *left, int *granted)
{
    VIRT_CLEANUP_JSON cJSON *range = virEtcdRange(lock, key, owner), *lease = NULL;
    const char *id = range != NULL ? virJsonString(virEtcdFirst(range), "lease") : NULL;
    VIRT_CLEANUP_FREE char *body = NULL;

    if (range == NULL || id == NULL)
        return range == NULL ? -1 : 0;
    if ((body = virStringFormat("{\"ID\":\"%s\"}", id)) == NULL
        || (lease = virEtcdAsk(lock, "lease/timetolive", body, NULL)) == NULL)
        return -1;
    return virJsonInt(lease, "TTL", left) == 0 && virJsonInt(lease, "grantedTTL", granted) == 0 && *left > 0;
}

/*
 * A keeper that has given its lease up, since it could not be renewed, has done so at half of the time to live; as long
 * as more is left, it is at work, or will be in time to stop a guest that should not have been resumed.
 */
static int
virLockEtcdHolds(struct virLock *lock, const char *key)
{
    int left = 0, granted = 0, rc = virEtcdTimeLeft(lock, key, lock->owner, &left, &granted);

    return rc > 0 ? left * 2 >= granted : rc;
}

/*
 * *beat is the latest moment at which the seat can have ended, as it was first: one that lasts longer was renewed. (A new leader of the service
 * renews them all, once: a host that dies in the same moment is believed.)
 */
static int
virLockEtcdBeats(struct virLock *lock, const char *key, const char *owner, struct virLockBeat *beat)
{
    const unsigned long long before = virKeeperNow(), second = 1000000000ULL;
    int left = 0, granted = 0, rc = virEtcdTimeLeft(lock, key, owner, &left, &granted);
    unsigned long long latest;

    if (rc <= 0)
        return rc;
    if (beat->times > 0 && before + (unsigned int)left * second > beat->seen)
        return 1;
    latest = virKeeperNow() + ((unsigned int)left + 1) * second;
    if (beat->times == 0 || latest < beat->seen)
        *beat = (struct virLockBeat){ .seen = latest, .times = 1 };
    return 0;
}

/* Numeric addresses, since the keeper cannot look names up. */
static int
virEtcdResolve(struct virLock *lock, struct virEtcdPlan *plan)
{
    const struct virEtcd *etcd = lock->priv;

    for (size_t i = 0; i < etcd->nendpoints; i++) {
        const char *authority = etcd->endpoints[(atomic_load(&etcd->first) + i) % etcd->nendpoints] + strlen("http://");
        const char *port = strrchr(authority, ':');
        const size_t brackets = authority[0] == '[';
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        VIRT_CLEANUP_FREE char *host = virStringSlice(authority + brackets, (size_t)(port - authority) - 2 * brackets);
        struct addrinfo *list;
        int rc;

        if (host == NULL)
            return -1;
        if ((rc = getaddrinfo(host, port + 1, &hints, &list)) != 0) {
            virLog(VIR_LOG_WARN, "lock", "etcd at %s: %s", authority, gai_strerror(rc));
            continue;
        }
        for (struct addrinfo *info = list; info != NULL; info = info->ai_next) {
            struct virEtcdAddress *address = &plan->addresses[plan->naddresses];

            if (plan->naddresses == VIRT_ETCD_ADDRESSES)
                break;
            plan->naddresses++;
            memcpy(&address->where, info->ai_addr, info->ai_addrlen);
            address->length = info->ai_addrlen;
            snprintf(address->host, sizeof(address->host), "%s", authority);
        }
        freeaddrinfo(list);
    }
    if (plan->naddresses == 0)
        return virReportError(VIR_ERR_OPERATION_FAILED, "lock manager '%s': no endpoint has an address", lock->place);
    return 0;
}

static int
virEtcdBody(char body[VIRT_ETCD_BODY], const char *fmt, ...) VIRT_PRINTF(2, 3);

static int
virEtcdBody(char body[VIRT_ETCD_BODY], const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = vsnprintf(body, VIRT_ETCD_BODY, fmt, args);
    va_end(args);
    if (length < 0 || length >= VIRT_ETCD_BODY)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "a request of %d bytes to etcd is too long", length);
    return 0;
}

/* The state's text begins with its holder; the brace that ends an object with nothing else becomes the comma there. */
static int
virEtcdPlanHolder(const struct virLock *lock, struct virEtcdPlan *plan)
{
    VIRT_CLEANUP_JSON cJSON *json = virJsonObject("s:holder", lock->owner, NULL);
    VIRT_CLEANUP_FREE char *text = json != NULL ? virJsonFormat(json) : NULL;

    if (text == NULL)
        return -1;
    text[strlen(text) - 1] = ',';
    if (snprintf(plan->holder, sizeof(plan->holder), "%s", text) >= (int)sizeof(plan->holder))
        return virReportError(VIR_ERR_INVALID_ARG, "'%s' is too long to own a lease in etcd", lock->owner);
    return 0;
}

static int
virEtcdMakePlan(struct virLock *lock, const char *key, struct virEtcdPlan *plan)
{
    const struct virEtcd *etcd = lock->priv;
    VIRT_CLEANUP_FREE char *seat = virEtcdKey(lock, key, lock->owner), *state = virEtcdKey(lock, key, NULL);

    plan->ttl = etcd->ttl;
    if (seat == NULL || state == NULL || virEtcdRandom(plan->id) < 0 || virEtcdPlanHolder(lock, plan) < 0
        || virEtcdResolve(lock, plan) < 0
        || virEtcdBody(plan->keepalive, "{\"ID\":\"%s\"}", plan->id) < 0
        || virEtcdBody(plan->grant, "{\"TTL\":\"%u\",\"ID\":\"%s\"}", etcd->ttl, plan->id) < 0
        || virEtcdBody(plan->revoke, "{\"ID\":\"%s\"}", plan->id) < 0
        || virEtcdBody(plan->seat, "{\"key\":\"%s\"}", seat) < 0
        || virEtcdBody(plan->state, "{\"key\":\"%s\"}", state) < 0
        || virEtcdBody(plan->take[0], "{\"compare\":[{\"target\":\"CREATE\",\"key\":\"%s\",\"create_revision\":\"0\"},"
                                      "{\"target\":\"MOD\",\"key\":\"%s\",\"mod_revision\":\"", seat, state) < 0
        || virEtcdBody(plan->take[1], "\"}],\"success\":[{\"request_put\":{\"key\":\"%s\",\"lease\":\"%s\"}}]}", seat,
                       plan->id) < 0)
        return -1;
    return 0;
}

/* Errors of what is undone never replace the first. */
static void
virEtcdRevoke(struct virLock *lock, const struct virEtcdPlan *plan)
{
    virErrorPtr error = virSaveLastError();
    cJSON *answer = virEtcdAsk(lock, "lease/revoke", plan->revoke, NULL);

    if (answer == NULL)
        virLog(VIR_LOG_WARN, "lock", "%s; it runs out in %u s", virGetLastErrorMessage(), plan->ttl);
    cJSON_Delete(answer);
    virRestoreLastError(error);
}

/* With the etcd lease granted. */
static int
virEtcdTakeSeat(struct virLock *lock, const char *key, const struct virEtcdPlan *plan)
{
    VIRT_CLEANUP_FREE char *seat = virEtcdKey(lock, key, lock->owner), *body = NULL;
    VIRT_CLEANUP_JSON cJSON *txn = NULL;
    const char *lease;

    if (seat == NULL
        || (body = virStringFormat("{\"compare\":[{\"target\":\"CREATE\",\"key\":\"%s\",\"create_revision\":\"0\"}],"
                                   "\"success\":[{\"request_put\":{\"key\":\"%s\",\"lease\":\"%s\"}}],"
                                   "\"failure\":[{\"request_range\":{\"key\":\"%s\"}}]}",
                                   seat, seat, plan->id, seat)) == NULL
        || (txn = virEtcdAsk(lock, "kv/txn", body, NULL)) == NULL)
        return -1;
    if (virEtcdSucceeded(txn))
        return 0;
    lease = virJsonString(virEtcdFirst(virEtcdInstead(txn)), "lease");
    if (lease != NULL && strcmp(lease, plan->id) == 0)
        return 0;
    return virReportError(VIR_ERR_RESOURCE_BUSY, "the seat of '%s' at lease '%s' is taken", lock->owner, key);
}

/* A seat of this host's own that is just being given back is waited for: its hypervisor may have ended a moment ago. */
static int
virEtcdAwaitSeat(struct virLock *lock, const char *key)
{
    const unsigned long long end = virKeeperNow() + VIRT_ETCD_LEAVE * 1000000ULL;
    int rc;

    while ((rc = virLockEtcdLives(lock, key, lock->owner)) > 0 && virKeeperNow() < end)
        poll(NULL, 0, 10);
    if (rc > 0)
        return virReportError(VIR_ERR_RESOURCE_BUSY, "the seat of '%s' at lease '%s' is taken", lock->owner, key);
    return rc;
}

static int
virLockEtcdSit(struct virLock *lock, const char *key, enum virLockFailure failure, struct virLockSeat *seat)
{
    VIRT_CLEANUP_FREE struct virEtcdPlan *plan = virAllocate(sizeof(*plan));
    VIRT_CLEANUP_JSON cJSON *granted = NULL;
    int code;

    if (plan == NULL || virEtcdAwaitSeat(lock, key) < 0 || virEtcdMakePlan(lock, key, plan) < 0)
        return -1;
    plan->sent = virKeeperNow();
    if ((granted = virEtcdAsk(lock, "lease/grant", plan->grant, &code)) == NULL) {
        if (code != VIRT_ETCD_EXISTS) {
            virEtcdRevoke(lock, plan);
            return -1;
        }
        virResetLastError();                   /* by the same request, at an endpoint that did not answer */
    }
    if (virEtcdTakeSeat(lock, key, plan) == 0) {
        if (virKeeperNow() - plan->sent > plan->ttl * 1000000000ULL / 4)
            virReportError(VIR_ERR_OPERATION_TIMEOUT, "lock manager '%s' is too slow for leases of %u s", lock->place,
                           plan->ttl);
        else if (virEtcdKeep(plan, failure, seat) == 0)
            return 0;
    }
    virEtcdRevoke(lock, plan);
    return -1;
}

static int
virLockEtcdSeated(struct virLock *lock, const struct virLockSeat *seat, int pid)
{
    (void)lock;
    return virKeeperSeated(seat, pid);
}

/* ---------- opening ---------- */

/* "http://host:port" of what was given, with etcd's port where it has none. */
static int
virEtcdAddEndpoint(struct virEtcd *etcd, const char *text, size_t length)
{
    static const char scheme[] = "http://";
    const size_t skip = sizeof(scheme) - 1;
    const char *host, *colon, *bracket;
    unsigned long long port = 2379;
    VIRT_CLEANUP_FREE char *copy = virStringSlice(text, length);

    if (copy == NULL)
        return -1;
    if (strncmp(copy, "https://", skip + 1) == 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "lock manager 'etcd': '%s': leases are not kept by TLS; "
                              "run a proxy on this host (as 'etcd grpc-proxy') and name that, as in 'etcd:http://127.0.0.1:2379'", copy);
    host = copy + skip;
    if (strncmp(copy, scheme, skip) != 0 || host[0] == '\0' || strpbrk(host, "/@?# \t\r\n\"\\") != NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'etcd': '%s' is not an endpoint: 'http://host:port'",
                              copy);
    bracket = host[0] == '[' ? strchr(host, ']') : NULL;
    colon = strchr(bracket != NULL ? bracket : host, ':');
    if ((host[0] == '[' && (bracket == NULL || (bracket[1] != '\0' && bracket[1] != ':'))) || colon == host
        || (colon != NULL && (virStringToULL(colon + 1, 10, &port) < 0 || port == 0 || port > 65535))
        || strlen(host) > 255)
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'etcd': '%s' is not an endpoint: 'http://host:port'",
                              copy);
    if (colon != NULL)
        copy[colon - copy] = '\0';
    return virStringsAdd(&etcd->endpoints, &etcd->nendpoints, virStringFormat("%s:%llu", copy, port));
}

/* What follows the last endpoint: /PREFIX?ttl=SECONDS */
static int
virEtcdSetRest(struct virEtcd *etcd, const char *rest)
{
    const size_t slash = rest[0] == '/', length = strcspn(rest + slash, "?");
    const char *options = rest + slash + length;
    unsigned long long ttl = VIRT_ETCD_TTL;

    if (options[0] == '?'
        && (strncmp(options, "?ttl=", 5) != 0 || virStringToULL(options + 5, 10, &ttl) < 0 || ttl < VIRT_ETCD_TTL_MIN
            || ttl > VIRT_ETCD_TTL_MAX))
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'etcd': '%s' is not '?ttl=SECONDS', from %d to %d",
                              options, VIRT_ETCD_TTL_MIN, VIRT_ETCD_TTL_MAX);
    if (length >= VIRT_LOCK_NAME_MAX)
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'etcd': the prefix '%s' is too long", rest + slash);
    etcd->ttl = (unsigned int)ttl;
    etcd->prefix = length > 0 ? virStringSlice(rest + slash, length) : virStringCopy("virt");
    return etcd->prefix != NULL ? 0 : -1;
}

static void
virLockEtcdClose(struct virLock *lock)
{
    struct virEtcd *etcd = lock->priv;

    virStringsFree(etcd->endpoints);
    free(etcd->prefix);
    free(etcd);
}

/* The service is not asked: guests that run have to be found even while it does not answer. */
static int
virLockEtcdOpen(struct virLock *lock, const char *place)
{
    struct virEtcd *etcd;
    const char *next;

    if (virKeeperCheck("etcd") < 0 || virEtcdLoad() < 0 || (etcd = virAllocate(sizeof(*etcd))) == NULL)
        return -1;
    lock->priv = etcd;
    for (bool more = true; more; place = next + 1) {
        const char *host = strstr(place, "://");

        next = (host != NULL ? host + 3 : place);
        next += strcspn(next, ",/?");
        more = *next == ',';
        if (virEtcdAddEndpoint(etcd, place, (size_t)(next - place)) < 0)
            goto failed;
    }
    if (virEtcdSetRest(etcd, next) == 0)
        return 0;
failed:
    virLockEtcdClose(lock);
    return -1;
}

VIRT_INTERNAL const struct virLockManager virLockEtcd = {
    .name    = "etcd",
    .open    = virLockEtcdOpen,
    .close   = virLockEtcdClose,
    .inquire = virLockEtcdInquire,
    .change  = virLockEtcdChange,
    .lives   = virLockEtcdLives,
    .sit     = virLockEtcdSit,
    .seated  = virLockEtcdSeated,
    .holds   = virLockEtcdHolds,
    .beats   = virLockEtcdBeats,
};

#undef VIRT_ETCD_TTL
#undef VIRT_ETCD_TTL_MIN
#undef VIRT_ETCD_TTL_MAX
#undef VIRT_ETCD_CONNECT
#undef VIRT_ETCD_ANSWER
#undef VIRT_ETCD_SILENT
#undef VIRT_ETCD_LEAVE
#undef VIRT_ETCD_REPLY
#undef VIRT_ETCD_EXISTS
#undef VIRT_FROM
#endif
