/*
 * virt: libvirt's API without the daemon.
 *
 * This file is the core, and the one file an application compiles: it ends by including the parts in common/ and the
 * drivers that are switched on. Read it from top to bottom; each chapter leans only on those before it.
 *
 *   1  Errors            one per thread; set once by whoever notices the failure
 *   2  The log           for what is neither an error nor an event
 *   3  Handles           reference counted, told apart by a magic number
 *   4  Shared state      what all connections to one host have in common
 *   5  Drivers           the registry, versions
 *   6  Connections       a URI finds its driver
 *   7  Calls             every public function that reaches a driver, from the one description in drivers/calls.def
 *   8  The event loop    the application's own, or the default one (common/loop.c)
 *   9  Domain events     queued by drivers, delivered from the loop
 *  10  Migration         a state machine that its caller steps
 *  11  The parts         typed parameters, the default event loop, streams, documents, files, ...; the drivers
 *
 * What is global and not constant: the thread's error (virThreadError), the error handler (virErrorHandler), the logger
 * (virLogger), the driver registry (virDrivers), the list of shared states (virSharedList), and the event loop in
 * force (virLoop) with the default loop's tables (virPoll, in common/loop.c).
 */
#ifdef __cplusplus
# error "virt.c is C: compile it with a C compiler, and include virt.h from C++"
#endif
#ifndef VIRT_SEPARATE_OBJECTS
# define VIRT_ONE_UNIT 1
#endif

#include "drivers/driver.h"
#include "drivers/common/deliver.h"
#include "drivers/common/file.h"
#include "drivers/common/params.h"
#include "drivers/common/platform.h"
#include "drivers/common/uri.h"
#include "drivers/migration/migration.h"
#include "drivers/stream/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <libxml/parser.h>

#define VIRT_FROM VIR_FROM_NONE

/* ================================================== 1  Errors ==================================================
 *
 * Each thread has one error. A public function resets it when it begins; the function that notices a failure sets it, once; a
 * public function that fails hands it to the connection and to the application's error function, if there is one.
 */

static pthread_key_t virThreadErrorKey;          /* its destructor frees the strings when a thread ends */
static pthread_once_t virThreadErrorOnce = PTHREAD_ONCE_INIT;

static struct {
    pthread_mutex_t lock;
    virErrorFunc func;
    void *data;
} virErrorHandler = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The message of an error that there was no memory to describe. */
static char virNoMemoryMessage[] = "out of memory";

/* What a code means, in front of the message of the one who set it. */
static const char *const virErrorPrefixes[VIR_ERR_NUMBER_LAST] = {
    [VIR_ERR_INTERNAL_ERROR] = "internal error",
    [VIR_ERR_NO_MEMORY] = "out of memory",
    [VIR_ERR_NO_SUPPORT] = "this function is not supported by the connection driver",
    [VIR_ERR_UNKNOWN_HOST] = "unknown host",
    [VIR_ERR_NO_CONNECT] = "no connection driver available for",
    [VIR_ERR_INVALID_CONN] = "invalid connection pointer in",
    [VIR_ERR_INVALID_DOMAIN] = "invalid domain pointer in",
    [VIR_ERR_INVALID_ARG] = "invalid argument",
    [VIR_ERR_OPERATION_FAILED] = "operation failed",
    [VIR_ERR_GET_FAILED] = "GET operation failed",
    [VIR_ERR_POST_FAILED] = "POST operation failed",
    [VIR_ERR_HTTP_ERROR] = "got unknown HTTP error code",
    [VIR_ERR_NO_OS] = "unknown OS type",
    [VIR_ERR_NO_DEVICE] = "missing devices information",
    [VIR_ERR_OPERATION_DENIED] = "operation forbidden",
    [VIR_ERR_DOM_EXIST] = "domain already exists",
    [VIR_ERR_XML_ERROR] = "XML error",
    [VIR_ERR_OS_TYPE] = "unknown OS type",
    [VIR_ERR_NO_KERNEL] = "missing kernel information",
    [VIR_ERR_NO_ROOT] = "missing root device information",
    [VIR_ERR_NO_SOURCE] = "missing source information for device",
    [VIR_ERR_NO_TARGET] = "missing target information for device",
    [VIR_ERR_NO_NAME] = "missing name information",
    [VIR_ERR_XML_DETAIL] = "XML description is not well formed or invalid",
    [VIR_ERR_XML_INVALID_SCHEMA] = "XML document failed to validate",
    [VIR_ERR_NO_DOMAIN] = "Domain not found",
    [VIR_ERR_CALL_FAILED] = "library call failed",
    [VIR_ERR_SYSTEM_ERROR] = "",                 /* the message says it all */
    [VIR_ERR_RPC] = "Cannot transfer data",
    [VIR_ERR_AUTH_FAILED] = "authentication failed",
    [VIR_ERR_AUTH_CANCELLED] = "authentication cancelled",
    [VIR_ERR_AUTH_UNAVAILABLE] = "authentication unavailable",
    [VIR_ERR_OPERATION_INVALID] = "Requested operation is not valid",
    [VIR_ERR_OPERATION_TIMEOUT] = "Timed out during operation",
    [VIR_ERR_OPERATION_ABORTED] = "operation aborted",
    [VIR_ERR_OPERATION_UNSUPPORTED] = "Operation not supported",
    [VIR_ERR_ARGUMENT_UNSUPPORTED] = "argument unsupported",
    [VIR_ERR_CONFIG_UNSUPPORTED] = "unsupported configuration",
    [VIR_ERR_NO_DOMAIN_METADATA] = "metadata not found",
    [VIR_ERR_MIGRATE_UNSAFE] = "Unsafe migration",
    [VIR_ERR_MIGRATE_PERSIST_FAILED] = "failed to make domain persistent after migration",
    [VIR_ERR_MIGRATE_FINISH_OK] = "migration successfully aborted",
    [VIR_ERR_OVERFLOW] = "numerical overflow",
    [VIR_ERR_HOOK_SCRIPT_FAILED] = "Hook script execution failed",
    [VIR_ERR_RESOURCE_BUSY] = "resource busy",
    [VIR_ERR_ACCESS_DENIED] = "access denied",
    [VIR_ERR_AGENT_UNRESPONSIVE] = "Guest agent is not responding",
    [VIR_ERR_DEVICE_MISSING] = "device not found",
    [VIR_ERR_CPU_INCOMPATIBLE] = "the CPU is incompatible with host CPU",
    [VIR_ERR_INVALID_STREAM] = "invalid stream pointer in",
    [VIR_ERR_NO_CLIENT] = "Client not found",
};

VIRT_INTERNAL void
virErrorClear(virErrorPtr error)
{
    if (error->message != virNoMemoryMessage)
        free(error->message);
    free(error->str1);
    free(error->str2);
    free(error->str3);
    memset(error, 0, sizeof(*error));
}

static void
virThreadErrorEnd(void *error)
{
    virErrorClear(error);
#ifdef _WIN32
    free(error);
#endif
}

static void
virThreadErrorInit(void)
{
    pthread_key_create(&virThreadErrorKey, virThreadErrorEnd);
}

/*
 * The error of this thread is in thread-local memory, so that even the lack of memory can be told. mingw-w64 only emulates that: its
 * blocks may be freed before a thread's end is told to us, and without memory it aborts. There the key holds an
 * allocated one, and threads for which there was none have one in common that says just this, and is never written to.
 */
#ifdef _WIN32
static virError virThreadErrorNone = { .code = VIR_ERR_NO_MEMORY, .message = virNoMemoryMessage, .level = VIR_ERR_ERROR };

VIRT_INTERNAL virErrorPtr
virThreadError(void)
{
    virErrorPtr error;

    pthread_once(&virThreadErrorOnce, virThreadErrorInit);
    if ((error = pthread_getspecific(virThreadErrorKey)) != NULL)
        return error;
    if ((error = calloc(1, sizeof(*error))) != NULL && pthread_setspecific(virThreadErrorKey, error) == 0)
        return error;
    free(error);
    return &virThreadErrorNone;
}
#else
VIRT_INTERNAL virErrorPtr
virThreadError(void)
{
    static _Thread_local virError error;

    return &error;
}
#endif

/* Takes over what *from holds. */
static void
virThreadErrorSet(virErrorPtr from)
{
    virErrorPtr error = virThreadError();

#ifdef _WIN32
    if (error == &virThreadErrorNone) {
        virErrorClear(from);
        return;
    }
#else
    pthread_once(&virThreadErrorOnce, virThreadErrorInit);
    if (pthread_getspecific(virThreadErrorKey) == NULL)
        pthread_setspecific(virThreadErrorKey, error);
#endif
    virErrorClear(error);
    *error = *from;
}

int
virReportNoMemory(void)
{
    virThreadErrorSet(&(virError){ .code = VIR_ERR_NO_MEMORY, .domain = VIR_FROM_NONE, .level = VIR_ERR_ERROR,
                                   .message = virNoMemoryMessage });
    return -1;
}

/* Takes detail over. */
static int
virErrorSet(int domain, int code, char *detail, int int1)
{
    const char *prefix = code > 0 && code < VIR_ERR_NUMBER_LAST ? virErrorPrefixes[code] : NULL;
    char *message = NULL;

    if (detail == NULL)
        return virReportNoMemory();
    if (prefix == NULL)
        prefix = "error";
    if (asprintf(&message, "%s%s%s", prefix, *prefix != '\0' && *detail != '\0' ? ": " : "", detail) < 0) {
        free(detail);
        return virReportNoMemory();
    }
    virThreadErrorSet(&(virError){ .code = code, .domain = domain, .level = VIR_ERR_ERROR, .message = message, .str1 = detail,
                                   .int1 = int1 });
    return -1;
}

int
virReportErrorFrom(int domain, int code, const char *file, int line, const char *fmt, ...)
{
    va_list args;
    char *detail = NULL;
    int saved = errno;

    va_start(args, fmt);
    if (vasprintf(&detail, fmt, args) < 0)
        detail = NULL;
    va_end(args);
    virErrorSet(domain, code, detail, 0);
    virLog(VIR_LOG_DEBUG, "error", "%s:%d: %s", file, line, virThreadError()->message);
    errno = saved;
    return -1;
}

int
virReportSystemErrorFrom(int domain, int errnum, const char *file, int line, const char *fmt, ...)
{
    char reason[256], *detail = NULL, *whole = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&detail, fmt, args) < 0)
        detail = NULL;
    va_end(args);
    if (detail != NULL && asprintf(&whole, "%s: %s", detail, virPlatformErrorText(errnum, reason, sizeof(reason))) < 0)
        whole = NULL;
    free(detail);
    virErrorSet(domain, VIR_ERR_SYSTEM_ERROR, whole, errnum);
    virLog(VIR_LOG_DEBUG, "error", "%s:%d: %s", file, line, virThreadError()->message);
    errno = errnum;
    return -1;
}

int
virReportUnsupportedFlags(const char *function, unsigned int flags)
{
    return virReportError(VIR_ERR_INVALID_ARG, "unsupported flags (0x%x) in function %s", flags, function);
}

static char *
virErrorCopyText(const char *text, bool *failed)
{
    char *copy = text != NULL ? strdup(text) : NULL;

    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

/* A deep copy into `to`, which is empty. Without memory it says just that. */
VIRT_INTERNAL void
virErrorCopy(virErrorPtr to, const virError *from)
{
    bool failed = false;

    *to = *from;
    to->message = from->message == virNoMemoryMessage ? virNoMemoryMessage : virErrorCopyText(from->message, &failed);
    to->str1 = virErrorCopyText(from->str1, &failed);
    to->str2 = virErrorCopyText(from->str2, &failed);
    to->str3 = virErrorCopyText(from->str3, &failed);
    if (!failed)
        return;
    virErrorClear(to);
    to->code = VIR_ERR_NO_MEMORY;
    to->level = VIR_ERR_ERROR;
    to->message = virNoMemoryMessage;
}

void
virSetLastError(const virError *error)
{
    virError copy;

    virErrorCopy(&copy, error);
    virThreadErrorSet(&copy);
}

virErrorPtr
virGetLastError(void)
{
    virErrorPtr error = virThreadError();

    return error->code != VIR_ERR_OK ? error : NULL;
}

int
virGetLastErrorCode(void)
{
    return virThreadError()->code;
}

int
virGetLastErrorDomain(void)
{
    return virThreadError()->domain;
}

const char *
virGetLastErrorMessage(void)
{
    virErrorPtr error = virThreadError();

    if (error->code == VIR_ERR_OK)
        return "no error";
    return error->message != NULL ? error->message : "unknown error";
}

void
virResetLastError(void)
{
    if (virThreadError()->code != VIR_ERR_OK)
        virThreadErrorSet(&(virError){ .code = VIR_ERR_OK });
}

/* An application's own virError must not hold the one message that is not in allocated memory. */
static int
virErrorExport(virErrorPtr to, const virError *from)
{
    if (to == NULL)
        return -1;
    memset(to, 0, sizeof(*to));
    if (from == NULL)
        return 0;
    virErrorCopy(to, from);
    if (to->message == virNoMemoryMessage)
        to->message = strdup(virNoMemoryMessage);
    return to->code;
}

int
virCopyLastError(virErrorPtr to)
{
    return virErrorExport(to, virGetLastError());
}

virErrorPtr
virSaveLastError(void)
{
    virErrorPtr copy = calloc(1, sizeof(*copy));
    int saved = errno;

    virCopyLastError(copy);
    errno = saved;
    return copy;
}

void
virRestoreLastError(virErrorPtr saved)
{
    if (saved != NULL)
        virSetLastError(saved);
    virFreeError(saved);
}

void
virResetError(virErrorPtr error)
{
    if (error != NULL)
        virErrorClear(error);
}

void
virFreeError(virErrorPtr error)
{
    virResetError(error);
    free(error);
}

void
virSetErrorFunc(void *userData, virErrorFunc handler)
{
    pthread_mutex_lock(&virErrorHandler.lock);
    virErrorHandler.func = handler;
    virErrorHandler.data = userData;
    pthread_mutex_unlock(&virErrorHandler.lock);
}

void
virDefaultErrorFunc(virErrorPtr error)
{
    static const char *const levels[] = { "", "warning", "error" };

    if (error == NULL || error->code == VIR_ERR_OK)
        return;
    fprintf(stderr, "libvirt: %s : %s\n", (unsigned int)error->level <= VIR_ERR_ERROR ? levels[error->level] : "",
            error->message != NULL ? error->message : "");
}

/* A public function has failed: the error goes to the connection, and to the one function that wants to hear of it. */
void
virErrorDispatch(virConnectPtr conn)
{
    virErrorFunc func = NULL;
    void *data = NULL;

    if (virThreadError()->code == VIR_ERR_OK)
        virReportError(VIR_ERR_INTERNAL_ERROR, "a function failed without saying why");
    if (conn != NULL) {
        pthread_mutex_lock(&conn->lock);
        virErrorClear(&conn->error);
        virErrorCopy(&conn->error, virThreadError());
        func = conn->errorFunc;
        data = conn->errorFuncData;
        pthread_mutex_unlock(&conn->lock);
    }
    if (func == NULL) {
        pthread_mutex_lock(&virErrorHandler.lock);
        func = virErrorHandler.func;
        data = virErrorHandler.data;
        pthread_mutex_unlock(&virErrorHandler.lock);
    }
    if (func != NULL)
        func(data, virThreadError());
}

/* ================================================== 2  The log ================================================== */

static struct {
    pthread_mutex_t lock;
    _Atomic(virLogFunc) func;
    void *opaque;
} virLogger = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
virSetLogFunc(virLogFunc func, void *opaque)
{
    pthread_mutex_lock(&virLogger.lock);
    virLogger.opaque = opaque;
    atomic_store(&virLogger.func, func);
    pthread_mutex_unlock(&virLogger.lock);
}

void
virLog(int priority, const char *source, const char *fmt, ...)
{
    char message[1024];
    virLogFunc func;
    void *opaque;
    va_list args;
    int saved = errno;

    if (atomic_load(&virLogger.func) == NULL)
        return;
    pthread_mutex_lock(&virLogger.lock);
    func = atomic_load(&virLogger.func);
    opaque = virLogger.opaque;
    pthread_mutex_unlock(&virLogger.lock);
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (func != NULL)
        func(priority, source, message, opaque);
    errno = saved;
}

/* ================================================== 3  Handles ==================================================
 *
 * A handle begins with its magic, so that a wrong or freed pointer is an error instead of a crash, as far as that can be.
 */

VIRT_INTERNAL bool
virHandleIs(const void *handle, unsigned int magic)
{
    return handle != NULL && ((const struct virHandle *)handle)->magic == magic;
}

VIRT_INTERNAL void
virHandleInit(struct virHandle *handle, unsigned int magic)
{
    handle->magic = magic;
    atomic_init(&handle->refs, 1);
}

VIRT_INTERNAL void
virHandleRef(struct virHandle *handle)
{
    atomic_fetch_add(&handle->refs, 1);
}

/* One reference less; the number that remain. */
VIRT_INTERNAL int
virHandleUnref(struct virHandle *handle)
{
    int left = atomic_fetch_sub(&handle->refs, 1) - 1;

    if (left == 0)
        handle->magic = 0;
    return left;
}

VIRT_INTERNAL bool
virHandleTryRef(struct virHandle *handle)
{
    int refs = atomic_load(&handle->refs);

    while (refs > 0)
        if (atomic_compare_exchange_weak(&handle->refs, &refs, refs + 1))
            return true;
    return false;
}

/* ================================================== 4  Shared state ==================================================
 *
 * An entry stays in the list while its state is being made or destroyed, with its lock held: whoever asks for the
 * same key meanwhile waits for that, and creation and destruction never overlap.
 */

struct virShared {
    struct virShared *next;
    char *key;
    int users;                        /* virSharedList.lock; those who hold or wait for the state */
    pthread_mutex_t lock;             /* held while the state is made or destroyed */
    _Atomic(void *) state;
    void (*destroy)(void *state);
};

static struct {
    pthread_mutex_t lock;
    struct virShared *first;
} virSharedList = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The entry of a key, with one user more; made where there is none. */
static struct virShared *
virSharedEntry(const char *key)
{
    struct virShared *entry;

    pthread_mutex_lock(&virSharedList.lock);
    for (entry = virSharedList.first; entry != NULL && strcmp(entry->key, key) != 0; entry = entry->next)
        ;
    if (entry == NULL && (entry = calloc(1, sizeof(*entry))) != NULL) {
        if ((entry->key = strdup(key)) == NULL) {
            free(entry);
            entry = NULL;
        } else {
            pthread_mutex_init(&entry->lock, NULL);
            entry->next = virSharedList.first;
            virSharedList.first = entry;
        }
    }
    if (entry != NULL)
        entry->users++;
    pthread_mutex_unlock(&virSharedList.lock);
    if (entry == NULL)
        virReportNoMemory();
    return entry;
}

/* One user less, with entry->lock held; the last one removes state and entry. */
static void
virSharedLeave(struct virShared *entry)
{
    struct virShared **link;
    bool last;

    pthread_mutex_lock(&virSharedList.lock);
    last = entry->users == 1;
    pthread_mutex_unlock(&virSharedList.lock);
    if (last && entry->state != NULL) {
        entry->destroy(entry->state);
        entry->state = NULL;
    }
    pthread_mutex_lock(&virSharedList.lock);
    last = --entry->users == 0;
    if (last) {
        for (link = &virSharedList.first; *link != entry; link = &(*link)->next)
            ;
        *link = entry->next;
    }
    pthread_mutex_unlock(&virSharedList.lock);
    pthread_mutex_unlock(&entry->lock);
    if (last) {
        pthread_mutex_destroy(&entry->lock);
        free(entry->key);
        free(entry);
    }
}

void *
virSharedAcquire(const char *key, void *(*create)(const char *key, void *opaque), void *opaque, void (*destroy)(void *state))
{
    struct virShared *entry = virSharedEntry(key);
    void *state;

    if (entry == NULL)
        return NULL;
    pthread_mutex_lock(&entry->lock);
    if (entry->state == NULL) {
        entry->destroy = destroy;
        entry->state = create(key, opaque);
    }
    state = entry->state;
    if (state == NULL)
        virSharedLeave(entry);
    else
        pthread_mutex_unlock(&entry->lock);
    return state;
}

void
virSharedRelease(void *state)
{
    struct virShared *entry;

    pthread_mutex_lock(&virSharedList.lock);
    for (entry = virSharedList.first; entry != NULL && entry->state != state; entry = entry->next)
        ;
    pthread_mutex_unlock(&virSharedList.lock);
    if (entry == NULL)
        return;
    pthread_mutex_lock(&entry->lock);
    virSharedLeave(entry);
}

/* ================================================== 5  Drivers ================================================== */

enum { VIRT_DRIVERS_MAX = 32 };

#if VIRT_WITH_TEST
VIRT_INTERNAL_DATA const struct virDriver virTestDriver;
#endif
#if VIRT_WITH_QEMU
VIRT_INTERNAL_DATA const struct virDriver virQemuDriver;
#endif
#if VIRT_WITH_REMOTE
VIRT_INTERNAL_DATA const struct virDriver virRemoteDriver;
#endif

/* The built-in ones, in the order in which they are asked when an application names no URI. */
static const struct virDriver *const virBuiltinDrivers[] = {
#if VIRT_WITH_QEMU
    &virQemuDriver,
#endif
#if VIRT_WITH_TEST
    &virTestDriver,
#endif
#if VIRT_WITH_REMOTE
    &virRemoteDriver,
#endif
    NULL,
};

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    const struct virDriver *list[VIRT_DRIVERS_MAX];
    atomic_size_t count;              /* drivers are added, never removed */
} virDrivers = { .lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT };

static int
virDriverAdd(const struct virDriver *driver)
{
    size_t count;

    if (driver == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "driver in %s must not be NULL", "virRegisterDriver");
    if (driver->version != VIRT_DRIVER_VERSION)
        return virReportError(VIR_ERR_INVALID_ARG, "the driver was compiled for version %d of the driver table, this is %d",
                              driver->version, VIRT_DRIVER_VERSION);
    if (driver->name == NULL || driver->schemes == NULL || driver->open == NULL || driver->close == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "a driver needs name, schemes, open and close");
    pthread_mutex_lock(&virDrivers.lock);
    count = atomic_load(&virDrivers.count);
    if (count < VIRT_DRIVERS_MAX) {
        virDrivers.list[count] = driver;
        atomic_store(&virDrivers.count, count + 1);
    }
    pthread_mutex_unlock(&virDrivers.lock);
    if (count >= VIRT_DRIVERS_MAX)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "too many drivers: cannot register '%s'", driver->name);
    return 0;
}

static void
virInitializeOnce(void)
{
    size_t i;

    xmlInitParser();
    for (i = 0; virBuiltinDrivers[i] != NULL; i++)
        virDriverAdd(virBuiltinDrivers[i]);
}

int
virInitialize(void)
{
    pthread_once(&virDrivers.once, virInitializeOnce);
    return 0;
}

int
virRegisterDriver(const struct virDriver *driver)
{
    virInitialize();
    virResetLastError();
    if (virDriverAdd(driver) == 0)
        return 0;
    virErrorDispatch(NULL);
    return -1;
}

int
virGetVersion(unsigned long *libVer, const char *type, unsigned long *typeVer)
{
    virInitialize();
    virResetLastError();
    if (libVer == NULL) {
        virReportError(VIR_ERR_INVALID_ARG, "libVer in %s must not be NULL", __func__);
        virErrorDispatch(NULL);
        return -1;
    }
    (void)type;
    *libVer = LIBVIR_VERSION_NUMBER;
    if (typeVer != NULL)
        *typeVer = LIBVIR_VERSION_NUMBER;
    return 0;
}

/* ================================================== 6  Connections ================================================== */

static void virEventClientEnd(virConnectPtr conn);

static void
virConnectDispose(virConnectPtr conn)
{
    virEventClientEnd(conn);
    if (conn->driver != NULL)
        conn->driver->close(conn);
    if (conn->closeFuncFree != NULL)
        conn->closeFuncFree(conn->closeFuncData);
    virErrorClear(&conn->error);
    pthread_mutex_destroy(&conn->lock);
    free(conn->uri);
    free(conn);
}

static bool
virDriverTakes(const struct virDriver *driver, const struct virUri *uri)
{
    const char *const *scheme;

    /* "+unix" in a driver's list: any scheme with that transport; a plain name: that scheme without one */
    for (scheme = driver->schemes; *scheme != NULL; scheme++) {
        if (uri->transport != NULL
            ? (*scheme)[0] == '+' && strcmp(*scheme + 1, uri->transport) == 0
            : strcmp(*scheme, uri->scheme) == 0)
            return true;
    }
    return false;
}

/* The URI to open when the application gives none. */
static char *
virConnectDefaultUri(void)
{
    const char *env = getenv("LIBVIRT_DEFAULT_URI");
    size_t i, count = atomic_load(&virDrivers.count);
    char *uri;

    if (env != NULL && *env != '\0')
        return virStringCopy(env);
    for (i = 0; i < count; i++)
        if (virDrivers.list[i]->probe != NULL && (uri = virDrivers.list[i]->probe()) != NULL)
            return uri;
    virReportError(VIR_ERR_NO_CONNECT, "no URI was given and no hypervisor was found");
    return NULL;
}

/* Asks each driver that takes the URI, in order, until one has opened it or failed. */
static int
virConnectOpenUri(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    size_t i, count = atomic_load(&virDrivers.count);
    int rc;

    for (i = 0; i < count; i++) {
        if (!virDriverTakes(virDrivers.list[i], uri))
            continue;
        conn->driver = virDrivers.list[i];
        rc = conn->driver->open(conn, uri, auth, flags);
        if (rc > 0)
            return 0;
        conn->driver = NULL;
        if (rc < 0)
            return -1;
    }
    return virReportError(VIR_ERR_NO_CONNECT, "%s", conn->uri);
}

static virConnectPtr
virConnectOpenAny(const char *name, virConnectAuthPtr auth, unsigned int flags)
{
    virConnectPtr conn = NULL;
    struct virUri *uri = NULL;

    virInitialize();
    virResetLastError();
    virCheckFlags(VIR_CONNECT_RO | VIR_CONNECT_NO_ALIASES, NULL);
    if ((conn = virAllocate(sizeof(*conn))) == NULL)
        goto failed;
    virHandleInit(&conn->handle, VIRT_MAGIC_CONNECT);
    pthread_mutex_init(&conn->lock, NULL);
    conn->readOnly = (flags & VIR_CONNECT_RO) != 0;
    conn->uri = name != NULL && *name != '\0' ? virStringCopy(name) : virConnectDefaultUri();
    if (conn->uri == NULL || (uri = virUriParse(conn->uri)) == NULL)
        goto failed;
    if (virConnectOpenUri(conn, uri, auth, flags) < 0)
        goto failed;
    virUriFree(uri);
    return conn;

failed:
    virUriFree(uri);
    if (conn != NULL)
        virConnectDispose(conn);
    virErrorDispatch(NULL);
    return NULL;
}

virConnectPtr
virConnectOpen(const char *name)
{
    return virConnectOpenAny(name, NULL, 0);
}

virConnectPtr
virConnectOpenReadOnly(const char *name)
{
    return virConnectOpenAny(name, NULL, VIR_CONNECT_RO);
}

virConnectPtr
virConnectOpenAuth(const char *name, virConnectAuthPtr auth, unsigned int flags)
{
    return virConnectOpenAny(name, auth, flags);
}

/* Asks on the terminal, for virConnectAuthPtrDefault. */
static int
virConnectAuthAsk(virConnectCredentialPtr credentials, unsigned int ncred, void *data)
{
    unsigned int i;

    (void)data;
    for (i = 0; i < ncred; i++) {
        bool hidden = credentials[i].type == VIR_CRED_PASSPHRASE || credentials[i].type == VIR_CRED_NOECHOPROMPT;
        char line[1024], *text;

        if (hidden) {
            text = virPlatformAskHidden(credentials[i].prompt, line, sizeof(line));
        } else {
            printf("%s: ", credentials[i].prompt);
            fflush(stdout);
            text = fgets(line, sizeof(line), stdin);
        }
        if (text == NULL)
            return -1;
        text[strcspn(text, "\n")] = '\0';
        if (*text == '\0' && credentials[i].defresult != NULL)
            credentials[i].result = strdup(credentials[i].defresult);
        else
            credentials[i].result = strdup(text);
        if (hidden)
            virPlatformErase(line, sizeof(line));
        if (credentials[i].result == NULL)
            return -1;
        credentials[i].resultlen = (unsigned int)strlen(credentials[i].result);
    }
    return 0;
}

static int virConnectAuthTypes[] = { VIR_CRED_AUTHNAME, VIR_CRED_ECHOPROMPT, VIR_CRED_REALM, VIR_CRED_PASSPHRASE, VIR_CRED_NOECHOPROMPT,
                                     VIR_CRED_EXTERNAL };
static virConnectAuth virConnectAuthDefault = {
    virConnectAuthTypes, sizeof(virConnectAuthTypes) / sizeof(virConnectAuthTypes[0]), virConnectAuthAsk, NULL,
};

#ifdef VIRT_STATIC
static __attribute__((unused))
#endif
virConnectAuthPtr virConnectAuthPtrDefault = &virConnectAuthDefault;

/* ================================================== 7  Calls ==================================================
 *
 * What all public functions do before and after the driver's part: the thread's error is reset, handles are told by their magic, a
 * read-only connection may not change anything, pointers are there, flags are known; a failure is told to who wants to know.
 */

/* The connection of the call's handle, or NULL with the error set and dispatched. */
VIRT_INTERNAL virConnectPtr
virCallOnConnect(const char *function, virConnectPtr conn, bool writes)
{
    virResetLastError();
    if (!virHandleIs(conn, VIRT_MAGIC_CONNECT)) {
        virReportError(VIR_ERR_INVALID_CONN, "%s", function);
        virErrorDispatch(NULL);
        return NULL;
    }
    if (writes && conn->readOnly) {
        virReportError(VIR_ERR_OPERATION_DENIED, "read only access prevents %s", function);
        virErrorDispatch(conn);
        return NULL;
    }
    return conn;
}

VIRT_INTERNAL virConnectPtr
virCallOnDomain(const char *function, virDomainPtr domain, bool writes)
{
    virResetLastError();
    if (!virHandleIs(domain, VIRT_MAGIC_DOMAIN)) {
        virReportError(VIR_ERR_INVALID_DOMAIN, "%s", function);
        virErrorDispatch(NULL);
        return NULL;
    }
    return virCallOnConnect(function, domain->conn, writes);
}

/* All handles of the list are valid and of one connection. */
static virConnectPtr
virCallOnDomains(const char *function, virDomainPtr *domains, bool writes)
{
    virConnectPtr conn = NULL;

    virResetLastError();
    for (size_t i = 0; domains != NULL && domains[i] != NULL; i++) {
        if ((conn = virCallOnDomain(function, domains[i], writes)) == NULL)
            return NULL;
        if (conn == domains[0]->conn)
            continue;
        virReportError(VIR_ERR_INVALID_ARG, "the domains of %s must all be of one connection", function);
        virErrorDispatch(domains[0]->conn);
        return NULL;
    }
    if (conn == NULL) {
        virReportError(VIR_ERR_INVALID_ARG, "%s needs at least one domain", function);
        virErrorDispatch(NULL);
    }
    return conn;
}

VIRT_INTERNAL bool
virCallHas(const char *function, const void *argument, const char *name)
{
    if (argument == NULL)
        virReportError(VIR_ERR_INVALID_ARG, "%s in %s must not be NULL", name, function);
    return argument != NULL;
}

static bool
virCallRoom(const char *function, const void *array, const char *name, int max)
{
    if (max < 0)
        virReportError(VIR_ERR_INVALID_ARG, "the number of elements of %s in %s must not be negative", name, function);
    else if (max > 0 && array == NULL)
        virReportError(VIR_ERR_INVALID_ARG, "%s in %s must not be NULL", name, function);
    return max == 0 || (max > 0 && array != NULL);
}

/* A struct of which the caller has `size` bytes. */
static bool
virCallSized(const char *function, const void *data, const char *name, size_t size, size_t whole)
{
    if (size <= whole)
        return virCallHas(function, data, name);
    virReportError(VIR_ERR_INVALID_ARG, "%s in %s has %zu bytes at most, not %zu", name, function, whole, size);
    return false;
}

/* An array with room for *room. */
static bool
virCallCounted(const char *function, const void *array, const char *name, const int *room)
{
    return virCallHas(function, room, "the number of parameters") && virCallRoom(function, array, name, *room);
}

static bool
virCallCpuParams(const char *function, const void *params, unsigned int max, int start, unsigned int count)
{
    if (start < -1 || (start == -1 && count != 1))
        virReportError(VIR_ERR_INVALID_ARG, "%s: %u CPUs from %d on make no sense", function, count, start);
    else if ((params == NULL) != (max == 0))
        virReportError(VIR_ERR_INVALID_ARG, "params in %s must %sbe NULL with %u parameters", function, max == 0 ? "" : "not ", max);
    else if (params != NULL && (count == 0 || max > INT_MAX / count))
        virReportError(VIR_ERR_INVALID_ARG, "%s: %u parameters of %u CPUs make no sense", function, max, count);
    else
        return true;
    return false;
}

static bool
virCallFlags(const char *function, virConnectPtr conn, unsigned int flags, unsigned int known, unsigned int guarded)
{
    if ((flags & ~known) != 0)
        virReportUnsupportedFlags(function, flags & ~known);
    else if (conn->readOnly && (flags & guarded) != 0)
        virReportError(VIR_ERR_OPERATION_DENIED, "read only access prevents %s with flags 0x%x", function, flags & guarded);
    else
        return true;
    return false;
}

static bool
virCallSlot(const char *function, virConnectPtr conn, bool present)
{
    if (!present)
        virReportError(VIR_ERR_NO_SUPPORT, "%s (driver %s)", function, conn->driver->name);
    return present;
}

/* `count` CPU maps of `length` bytes each, whose product must be a size */
static bool
virCallMaps(const char *function, const unsigned char *maps, int count, int length)
{
    if (maps == NULL || count <= 0 || length <= 0 || count > INT_MAX / length)
        virReportError(VIR_ERR_INVALID_ARG, "%s needs room for at least one CPU map: %d of %d bytes were given", function, count, length);
    else
        return true;
    return false;
}

#define VIRT_WRITES_READ  false
#define VIRT_WRITES_WRITE true
#define VIRT_CONNECTION_OF(kind, handle)   VIRT_CONNECTION_OF_##kind(handle)
#define VIRT_CONNECTION_OF_CONNECT(handle) virCallOnConnect(__func__, handle, writes)
#define VIRT_CONNECTION_OF_DOMAIN(handle)  virCallOnDomain(__func__, handle, writes)
#define VIRT_CONNECTION_OF_DOMAINS(handles) virCallOnDomains(__func__, handles, writes)

/* The public function itself. */
#define VIRT_DEFINE(linkage, result, function, group, slot, access, permission, ...)                                \
    linkage VIRT_TYPE_##result                                                                          \
    function(VIRT_LIST(VIRT_DECLARE, __VA_ARGS__))                                                      \
    {                                                                                                   \
        const bool writes = VIRT_WRITES_##access;                                                       \
        virConnectPtr connection = VIRT_LIST_1(VIRT_CONNECTION_OF, VIRT_FIRST(__VA_ARGS__, ~));         \
        VIRT_TYPE_##result rc = VIRT_FAILURE_##result;                                                  \
                                                                                                        \
        if (connection == NULL)                                                                         \
            return rc;                                                                                  \
        if (virCallSlot(#function, connection, connection->driver->group.slot != NULL)                  \
            VIRT_EACH(VIRT_CHECK, __VA_ARGS__))                                                         \
            rc = connection->driver->group.slot(VIRT_LIST(VIRT_PASS, __VA_ARGS__));                     \
        if (rc == VIRT_FAILURE_##result)                                                                \
            virErrorDispatch(connection);                                                               \
        return rc;                                                                                      \
    }

/* Phases are calls of this file's own, in the migration chapter, and of a server; those of other files only a server makes with checks. */
#define PHASE(result, ...) VIRT_DEFINE(VIRT_INTERNAL, result, __VA_ARGS__)
#if !VIRT_WITH_REMOTE
# define SLOT(...)
#endif
#define CORE(...)
#define CALL(result, ...)  VIRT_DEFINE(, result, __VA_ARGS__)
#include "drivers/calls.def"

/* ---- what needs no driver ---- */

int
virConnectRef(virConnectPtr conn)
{
    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    virHandleRef(&conn->handle);
    return 0;
}

int
virConnectClose(virConnectPtr conn)
{
    int left;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    left = virHandleUnref(&conn->handle);
    if (left == 0)
        virConnectDispose(conn);
    return left;
}

const char *
virConnectGetType(virConnectPtr conn)
{
    return virCallOnConnect(__func__, conn, false) != NULL ? conn->driver->name : NULL;
}

char *
virConnectGetURI(virConnectPtr conn)
{
    char *uri;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return NULL;
    if ((uri = virStringCopy(conn->uri)) == NULL)
        virErrorDispatch(conn);
    return uri;
}

int
virConnectGetLibVersion(virConnectPtr conn, unsigned long *libVer)
{
    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    if (!virCallHas(__func__, libVer, "libVer")) {
        virErrorDispatch(conn);
        return -1;
    }
    *libVer = LIBVIR_VERSION_NUMBER;
    return 0;
}

int
virConnectRegisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb, void *opaque, virFreeCallback freecb)
{
    bool taken;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    if (!virCallHas(__func__, (const void *)(uintptr_t)cb, "cb")) {
        virErrorDispatch(conn);
        return -1;
    }
    pthread_mutex_lock(&conn->lock);
    taken = conn->closeFunc != NULL;
    if (!taken) {
        conn->closeFunc = cb;
        conn->closeFuncData = opaque;
        conn->closeFuncFree = freecb;
    }
    pthread_mutex_unlock(&conn->lock);
    if (!taken)
        return 0;
    virReportError(VIR_ERR_OPERATION_INVALID, "a close callback is already registered");
    virErrorDispatch(conn);
    return -1;
}

int
virConnectUnregisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb)
{
    virFreeCallback freecb = NULL;
    void *opaque = NULL;
    bool found;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    pthread_mutex_lock(&conn->lock);
    found = conn->closeFunc != NULL && conn->closeFunc == cb;
    if (found) {
        freecb = conn->closeFuncFree;
        opaque = conn->closeFuncData;
        conn->closeFunc = NULL;
        conn->closeFuncFree = NULL;
    }
    pthread_mutex_unlock(&conn->lock);
    if (!found) {
        virReportError(VIR_ERR_OPERATION_INVALID, "this close callback is not registered");
        virErrorDispatch(conn);
        return -1;
    }
    if (freecb != NULL)
        freecb(opaque);
    return 0;
}

virErrorPtr
virConnGetLastError(virConnectPtr conn)
{
    return virHandleIs(conn, VIRT_MAGIC_CONNECT) && conn->error.code != VIR_ERR_OK ? &conn->error : NULL;
}

int
virConnCopyLastError(virConnectPtr conn, virErrorPtr to)
{
    int code;

    if (!virHandleIs(conn, VIRT_MAGIC_CONNECT))
        return -1;
    pthread_mutex_lock(&conn->lock);
    code = virErrorExport(to, conn->error.code != VIR_ERR_OK ? &conn->error : NULL);
    pthread_mutex_unlock(&conn->lock);
    return code;
}

void
virConnResetLastError(virConnectPtr conn)
{
    if (!virHandleIs(conn, VIRT_MAGIC_CONNECT))
        return;
    pthread_mutex_lock(&conn->lock);
    virErrorClear(&conn->error);
    pthread_mutex_unlock(&conn->lock);
}

void
virConnSetErrorFunc(virConnectPtr conn, void *userData, virErrorFunc handler)
{
    if (!virHandleIs(conn, VIRT_MAGIC_CONNECT))
        return;
    pthread_mutex_lock(&conn->lock);
    conn->errorFunc = handler;
    conn->errorFuncData = userData;
    pthread_mutex_unlock(&conn->lock);
}

/* ---- domain handles ---- */

virDomainPtr
virNewDomain(virConnectPtr conn, const char *name, const unsigned char *uuid, int id, void *obj, void (*objFree)(void *obj))
{
    size_t length = strlen(name);
    virDomainPtr domain = virAllocate(sizeof(*domain) + length + 1);

    if (domain == NULL) {
        if (objFree != NULL)
            objFree(obj);
        return NULL;
    }
    memcpy(domain->name, name, length);
    virHandleInit(&domain->handle, VIRT_MAGIC_DOMAIN);
    virHandleRef(&conn->handle);
    domain->conn = conn;
    memcpy(domain->uuid, uuid, sizeof(domain->uuid));
    atomic_init(&domain->id, id);
    domain->obj = obj;
    domain->objFree = objFree;
    return domain;
}

int
virDomainRef(virDomainPtr domain)
{
    if (virCallOnDomain(__func__, domain, false) == NULL)
        return -1;
    virHandleRef(&domain->handle);
    return 0;
}

VIRT_INTERNAL void
virDomainUnref(virDomainPtr domain)
{
    virConnectPtr conn = domain->conn;

    if (virHandleUnref(&domain->handle) > 0)
        return;
    if (domain->objFree != NULL)
        domain->objFree(domain->obj);
    free(domain);
    if (virHandleUnref(&conn->handle) == 0)
        virConnectDispose(conn);
}

int
virDomainFree(virDomainPtr domain)
{
    if (virCallOnDomain(__func__, domain, false) == NULL)
        return -1;
    virDomainUnref(domain);
    return 0;
}

const char *
virDomainGetName(virDomainPtr domain)
{
    return virCallOnDomain(__func__, domain, false) != NULL ? domain->name : NULL;
}

int
virDomainGetUUID(virDomainPtr domain, unsigned char *uuid)
{
    virConnectPtr conn = virCallOnDomain(__func__, domain, false);

    if (conn == NULL)
        return -1;
    if (!virCallHas(__func__, uuid, "uuid")) {
        virErrorDispatch(conn);
        return -1;
    }
    memcpy(uuid, domain->uuid, VIR_UUID_BUFLEN);
    return 0;
}

int
virDomainGetUUIDString(virDomainPtr domain, char *buf)
{
    virConnectPtr conn = virCallOnDomain(__func__, domain, false);

    if (conn == NULL)
        return -1;
    if (!virCallHas(__func__, buf, "buf")) {
        virErrorDispatch(conn);
        return -1;
    }
    virUuidFormat(domain->uuid, buf);
    return 0;
}

unsigned int
virDomainGetID(virDomainPtr domain)
{
    if (virCallOnDomain(__func__, domain, false) == NULL)
        return (unsigned int)-1;
    return (unsigned int)atomic_load(&domain->id);
}

virConnectPtr
virDomainGetConnect(virDomainPtr domain)
{
    return virCallOnDomain(__func__, domain, false);
}

virDomainPtr
virDomainLookupByUUIDString(virConnectPtr conn, const char *uuidstr)
{
    unsigned char uuid[VIR_UUID_BUFLEN];

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return NULL;
    if (virCallHas(__func__, uuidstr, "uuidstr")) {
        if (virUuidParse(uuidstr, uuid) == 0)
            return virDomainLookupByUUID(conn, uuid);
        virReportError(VIR_ERR_INVALID_ARG, "uuidstr in %s must be a valid UUID, not '%s'", __func__, uuidstr);
    }
    virErrorDispatch(conn);
    return NULL;
}

void
virDomainStatsRecordListFree(virDomainStatsRecordPtr *stats)
{
    for (size_t i = 0; stats != NULL && stats[i] != NULL; i++) {
        virTypedParamsFree(stats[i]->params, stats[i]->nparams);
        virDomainFree(stats[i]->dom);
        free(stats[i]);
    }
    free(stats);
}

/* ---- older names of calls that have flags by now ---- */

virDomainPtr
virDomainDefineXML(virConnectPtr conn, const char *xml)
{
    return virDomainDefineXMLFlags(conn, xml, 0);
}

virDomainPtr
virDomainCreateLinux(virConnectPtr conn, const char *xmlDesc, unsigned int flags)
{
    return virDomainCreateXML(conn, xmlDesc, flags);
}

int
virDomainCreate(virDomainPtr domain)
{
    return virDomainCreateWithFlags(domain, 0);
}

int
virDomainUndefine(virDomainPtr domain)
{
    return virDomainUndefineFlags(domain, 0);
}

int
virDomainShutdown(virDomainPtr domain)
{
    return virDomainShutdownFlags(domain, 0);
}

int
virDomainDestroy(virDomainPtr domain)
{
    return virDomainDestroyFlags(domain, 0);
}

int
virDomainSetMemory(virDomainPtr domain, unsigned long memory)
{
    return virDomainSetMemoryFlags(domain, memory, VIR_DOMAIN_MEM_LIVE);
}

int
virDomainSetMaxMemory(virDomainPtr domain, unsigned long memory)
{
    return virDomainSetMemoryFlags(domain, memory, VIR_DOMAIN_MEM_MAXIMUM);
}

int
virDomainAbortJob(virDomainPtr domain)
{
    return virDomainAbortJobFlags(domain, 0);
}

/* ================================================== 8  The event loop ==================================================
 *
 * An application gives the library its own loop (virEventRegisterImpl) or runs the default one below. A library part that wants
 * to hear of a descriptor or a time asks whichever is in force.
 */

static struct {
    virEventAddHandleFunc addHandle;
    virEventUpdateHandleFunc updateHandle;
    virEventRemoveHandleFunc removeHandle;
    virEventAddTimeoutFunc addTimeout;
    virEventUpdateTimeoutFunc updateTimeout;
    virEventRemoveTimeoutFunc removeTimeout;
    atomic_bool registered;           /* set last: who sees it sees the functions */
} virLoop;

void
virEventRegisterImpl(virEventAddHandleFunc addHandle, virEventUpdateHandleFunc updateHandle,
                     virEventRemoveHandleFunc removeHandle, virEventAddTimeoutFunc addTimeout,
                     virEventUpdateTimeoutFunc updateTimeout, virEventRemoveTimeoutFunc removeTimeout)
{
    /* the first one stays: descriptors may be registered with it already */
    if (atomic_load(&virLoop.registered)) {
        virLog(VIR_LOG_WARN, "event", "an event loop is registered already; the first one stays");
        return;
    }
    virLoop.addHandle = addHandle;
    virLoop.updateHandle = updateHandle;
    virLoop.removeHandle = removeHandle;
    virLoop.addTimeout = addTimeout;
    virLoop.updateTimeout = updateTimeout;
    virLoop.removeTimeout = removeTimeout;
    atomic_store(&virLoop.registered, true);
}

bool
virEventLoopIsRegistered(void)
{
    return atomic_load(&virLoop.registered);
}

int
virEventAddHandle(int fd, int events, virEventHandleCallback cb, void *opaque, virFreeCallback ff)
{
    return virEventLoopIsRegistered() && virLoop.addHandle != NULL ? virLoop.addHandle(fd, events, cb, opaque, ff) : -1;
}

void
virEventUpdateHandle(int watch, int events)
{
    if (virEventLoopIsRegistered() && virLoop.updateHandle != NULL)
        virLoop.updateHandle(watch, events);
}

int
virEventRemoveHandle(int watch)
{
    return virEventLoopIsRegistered() && virLoop.removeHandle != NULL ? virLoop.removeHandle(watch) : -1;
}

int
virEventAddTimeout(int timeout, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    return virEventLoopIsRegistered() && virLoop.addTimeout != NULL ? virLoop.addTimeout(timeout, cb, opaque, ff) : -1;
}

void
virEventUpdateTimeout(int timer, int timeout)
{
    if (virEventLoopIsRegistered() && virLoop.updateTimeout != NULL)
        virLoop.updateTimeout(timer, timeout);
}

int
virEventRemoveTimeout(int timer)
{
    return virEventLoopIsRegistered() && virLoop.removeTimeout != NULL ? virLoop.removeTimeout(timer) : -1;
}

/* ================================================== 9  Domain events ==================================================
 *
 * A hub belongs to the state of one host; every connection to it that has a callback has a client there. A driver
 * emits into the hub from wherever it is, locks held or not: events are only queued. A timer of each client delivers them from the
 * event loop, without any lock, so a callback may call anything.
 */

struct virEventCallback {
    int id;                           /* what RegisterAny returned */
    int eventID;
    bool old;                         /* by virConnectDomainEventRegister */
    bool oneDomain;
    unsigned char uuid[VIR_UUID_BUFLEN];
    virConnectDomainEventGenericCallback cb;
    void *opaque;
    virFreeCallback freecb;
    int running;                      /* calls under way; removal waits for the last of them to free it */
    bool removed;
    struct virEventCallback *next;
};

struct virEventQueued {
    struct virDomainEvent event;      /* its strings and parameters are copies */
    struct virEventQueued *next;
};

struct virEventClient {
    atomic_int refs;                  /* the connection's, and the timer's */
    pthread_mutex_t subscribing;      /* held while the driver is told what is wanted, so that the last one told is what is */
    pthread_mutex_t lock;             /* guards what follows; taken inside hub->lock */
    virConnectPtr conn;               /* NULL once it is closed; no reference */
    struct virEventHub *hub;
    struct virEventCallback *callbacks;
    int nextId;
    int timer;
    struct virEventQueued *first, **last;
    struct virEventClient *next;      /* in the hub; hub->lock */
};

/* A listener that is no application's. */
struct virEventTap {
    virEventHubFunc func;
    void *opaque;
    struct virEventTap *next;
};

struct virEventHub {
    pthread_mutex_t lock;
    struct virEventClient *clients;
    struct virEventTap *taps;
};

struct virEventHub *
virEventHubNew(void)
{
    struct virEventHub *hub = virAllocate(sizeof(*hub));

    if (hub != NULL)
        pthread_mutex_init(&hub->lock, NULL);
    return hub;
}

void
virEventHubFree(struct virEventHub *hub)
{
    if (hub == NULL)
        return;
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

int
virEventHubTap(struct virEventHub *hub, virEventHubFunc func, void *opaque)
{
    struct virEventTap *tap = virAllocate(sizeof(*tap));

    if (tap == NULL)
        return -1;
    *tap = (struct virEventTap){ func, opaque, NULL };
    pthread_mutex_lock(&hub->lock);
    tap->next = hub->taps;
    hub->taps = tap;
    pthread_mutex_unlock(&hub->lock);
    return 0;
}

void
virEventHubUntap(struct virEventHub *hub, virEventHubFunc func, void *opaque)
{
    struct virEventTap **link, *tap;

    pthread_mutex_lock(&hub->lock);
    for (link = &hub->taps; (tap = *link) != NULL && (tap->func != func || tap->opaque != opaque); link = &tap->next)
        ;
    if (tap != NULL)
        *link = tap->next;
    pthread_mutex_unlock(&hub->lock);
    free(tap);
}

static void
virEventQueuedFree(struct virEventQueued *queued)
{
    size_t i;

    if (queued == NULL)
        return;
    free((char *)(uintptr_t)queued->event.name);
    for (i = 0; i < 3; i++)
        free((char *)(uintptr_t)queued->event.text[i]);
    virTypedParamsFree(queued->event.params, queued->event.nparams);
    free(queued);
}

static struct virEventQueued *
virEventQueuedNew(const struct virDomainEvent *event)
{
    struct virEventQueued *queued = calloc(1, sizeof(*queued));
    bool failed = false;
    size_t i;

    if (queued == NULL)
        return NULL;
    queued->event = *event;
    queued->event.name = virErrorCopyText(event->name, &failed);
    for (i = 0; i < 3; i++)
        queued->event.text[i] = virErrorCopyText(event->text[i], &failed);
    queued->event.params = virTypedParamsCopy(event->params, event->nparams);
    if (queued->event.params == NULL) {
        failed = failed || event->nparams > 0;
        queued->event.nparams = 0;
    }
    if (!failed)
        return queued;
    virEventQueuedFree(queued);
    return NULL;
}

static bool
virEventWanted(const struct virEventCallback *callback, const struct virDomainEvent *event)
{
    return !callback->removed && callback->eventID == event->eventID
           && (!callback->oneDomain || memcmp(callback->uuid, event->uuid, VIR_UUID_BUFLEN) == 0);
}

void
virDomainEventEmit(struct virEventHub *hub, const struct virDomainEvent *event)
{
    struct virEventClient *client;
    struct virEventCallback *callback;
    struct virEventQueued *queued;

    if (hub == NULL)
        return;
    pthread_mutex_lock(&hub->lock);
    for (const struct virEventTap *tap = hub->taps; tap != NULL; tap = tap->next)
        tap->func(tap->opaque, event);
    for (client = hub->clients; client != NULL; client = client->next) {
        pthread_mutex_lock(&client->lock);
        for (callback = client->callbacks; callback != NULL && !virEventWanted(callback, event); callback = callback->next)
            ;
        if (callback != NULL) {
            if ((queued = virEventQueuedNew(event)) != NULL) {
                *client->last = queued;
                client->last = &queued->next;
                virEventUpdateTimeout(client->timer, 0);
            } else {
                virLog(VIR_LOG_ERROR, "event", "no memory: an event of domain '%s' is lost", event->name);
            }
        }
        pthread_mutex_unlock(&client->lock);
    }
    pthread_mutex_unlock(&hub->lock);
}

void
virDomainEventEmitLifecycle(struct virEventHub *hub, const char *name, const unsigned char *uuid, int id, int event, int detail)
{
    struct virDomainEvent what = { .eventID = VIR_DOMAIN_EVENT_ID_LIFECYCLE, .name = name, .id = id, .detail = { event, detail } };

    memcpy(what.uuid, uuid, sizeof(what.uuid));
    virDomainEventEmit(hub, &what);
}

/* With client->lock held, which is let go: frees a removed callback that is not being called. */
static void
virEventCallbackReap(struct virEventClient *client, struct virEventCallback *callback)
{
    struct virEventCallback **link;

    if (!callback->removed || callback->running > 0)
        return;
    for (link = &client->callbacks; *link != callback; link = &(*link)->next)
        ;
    *link = callback->next;
    pthread_mutex_unlock(&client->lock);
    if (callback->freecb != NULL)
        callback->freecb(callback->opaque);
    free(callback);
    pthread_mutex_lock(&client->lock);
}

/* With client->lock held, which is let go meanwhile: one event to all who want it. */
static void
virEventDeliver(struct virEventClient *client, virConnectPtr conn, virDomainPtr domain, struct virDomainEvent *event)
{
    struct virEventCallback *callback;
    int id, end = client->nextId;     /* those registered by a callback meanwhile hear of later events only */

    for (id = 0; id < end; id++) {
        for (callback = client->callbacks; callback != NULL && callback->id != id; callback = callback->next)
            ;
        if (callback == NULL || !virEventWanted(callback, event))
            continue;
        callback->running++;
        pthread_mutex_unlock(&client->lock);
        virEventCall(callback->cb, callback->opaque, conn, domain, event);
        pthread_mutex_lock(&client->lock);
        callback->running--;
        virEventCallbackReap(client, callback);
    }
}

/* A handle on the guest of an event; one that has gone since has a handle all the same, on which calls say so. */
static virDomainPtr
virEventDomain(virConnectPtr conn, const struct virDomainEvent *event)
{
    virDomainPtr domain = NULL;

    if (conn->driver->domain.lookupByUUID != NULL && (domain = conn->driver->domain.lookupByUUID(conn, event->uuid)) != NULL)
        atomic_store(&domain->id, event->id);
    virResetLastError();
    return domain != NULL ? domain : virNewDomain(conn, event->name, event->uuid, event->id, NULL, NULL);
}

/* The client's timer. */
static void
virEventClientRun(int timer, void *opaque)
{
    struct virEventClient *client = opaque;
    struct virEventQueued *queued;
    virConnectPtr conn = NULL;
    virDomainPtr domain;

    pthread_mutex_lock(&client->lock);
    virEventUpdateTimeout(timer, -1);
    if (client->conn != NULL && virHandleTryRef(&client->conn->handle))
        conn = client->conn;
    while (conn != NULL && (queued = client->first) != NULL) {
        if ((client->first = queued->next) == NULL)
            client->last = &client->first;
        pthread_mutex_unlock(&client->lock);
        domain = virEventDomain(conn, &queued->event);
        pthread_mutex_lock(&client->lock);
        if (domain != NULL) {
            virEventDeliver(client, conn, domain, &queued->event);
            pthread_mutex_unlock(&client->lock);
            virDomainFree(domain);
            pthread_mutex_lock(&client->lock);
        } else {
            virLog(VIR_LOG_ERROR, "event", "no memory: an event of domain '%s' is lost", queued->event.name);
        }
        virEventQueuedFree(queued);
    }
    pthread_mutex_unlock(&client->lock);
    if (conn != NULL)
        virConnectClose(conn);
}

static void
virEventClientUnref(void *opaque)
{
    struct virEventClient *client = opaque;

    if (atomic_fetch_sub(&client->refs, 1) > 1)
        return;
    pthread_mutex_destroy(&client->subscribing);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* The connection's client, made and attached to the hub with the first callback; NULL with the error set. */
static struct virEventClient *
virEventClientGet(virConnectPtr conn)
{
    struct virEventClient *client;

    if (conn->hub == NULL) {
        virReportError(VIR_ERR_NO_SUPPORT, "domain events (driver %s)", conn->driver->name);
        return NULL;
    }
    if (!virEventLoopIsRegistered()) {
        virReportError(VIR_ERR_OPERATION_INVALID, "events need an event loop: call virEventRegisterDefaultImpl or virEventRegisterImpl first");
        return NULL;
    }
    pthread_mutex_lock(&conn->hub->lock);
    client = conn->events;
    if (client == NULL && (client = virAllocate(sizeof(*client))) != NULL) {
        pthread_mutex_init(&client->subscribing, NULL);
        pthread_mutex_init(&client->lock, NULL);
        atomic_init(&client->refs, 2);
        client->conn = conn;
        client->hub = conn->hub;
        client->last = &client->first;
        client->timer = virEventAddTimeout(-1, virEventClientRun, client, virEventClientUnref);
        if (client->timer < 0) {
            atomic_store(&client->refs, 1);
            virEventClientUnref(client);
            client = NULL;
            virReportError(VIR_ERR_INTERNAL_ERROR, "the event loop takes no timer for domain events");
        } else {
            client->next = conn->hub->clients;
            conn->hub->clients = client;
            conn->events = client;
        }
    }
    pthread_mutex_unlock(&conn->hub->lock);
    return client;
}

/* The connection closes: nothing is delivered any more, what was promised to be freed is freed. */
static void
virEventClientEnd(virConnectPtr conn)
{
    struct virEventClient *client = conn->events, **link;
    struct virEventCallback *callback;
    struct virEventQueued *queued;

    if (client == NULL)
        return;
    pthread_mutex_lock(&client->hub->lock);
    for (link = &client->hub->clients; *link != client; link = &(*link)->next)
        ;
    *link = client->next;
    pthread_mutex_unlock(&client->hub->lock);
    virEventRemoveTimeout(client->timer);
    pthread_mutex_lock(&client->lock);
    client->conn = NULL;
    while ((callback = client->callbacks) != NULL) {
        callback->removed = true;
        callback->running = 0;        /* a callback that runs holds a reference on the connection */
        virEventCallbackReap(client, callback);
    }
    while ((queued = client->first) != NULL) {
        client->first = queued->next;
        virEventQueuedFree(queued);
    }
    client->last = &client->first;
    pthread_mutex_unlock(&client->lock);
    conn->events = NULL;
    virEventClientUnref(client);
}

/* Tells a driver that must know it which events the callbacks want now (driver.h: subscribe). 0, or -1 with the error set. */
static int
virEventSubscribe(virConnectPtr conn, struct virEventClient *client)
{
    struct virText wanted = { 0 };
    char uuid[VIR_UUID_STRING_BUFLEN], *text;
    int rc = -1;

    if (conn->driver->connect.subscribe == NULL)
        return 0;
    pthread_mutex_lock(&client->subscribing);
    pthread_mutex_lock(&client->lock);
    for (const struct virEventCallback *each = client->callbacks; each != NULL; each = each->next) {
        if (each->removed)
            continue;
        virUuidFormat(each->uuid, uuid);
        virTextAdd(&wanted, each->oneDomain ? "%s[%d,\"%s\"]" : "%s[%d,null]", wanted.length == 0 ? "[" : ",", each->eventID, uuid);
    }
    virTextAdd(&wanted, wanted.length == 0 ? "[]" : "]");
    pthread_mutex_unlock(&client->lock);
    if ((text = virTextTake(&wanted)) != NULL)
        rc = virConnectDomainEventSubscribe(conn, text);
    free(text);
    pthread_mutex_unlock(&client->subscribing);
    return rc;
}

/* Adds a callback; its id, or -1 with the error set. */
static int
virEventRegister(virConnectPtr conn, virDomainPtr domain, int eventID, virConnectDomainEventGenericCallback cb, void *opaque,
                 virFreeCallback freecb, bool old)
{
    struct virEventClient *client;
    struct virEventCallback *callback, *other;
    int id = -1;

    if ((client = virEventClientGet(conn)) == NULL || (callback = virAllocate(sizeof(*callback))) == NULL)
        return -1;
    callback->eventID = eventID;
    callback->old = old;
    callback->cb = cb;
    callback->opaque = opaque;
    callback->freecb = freecb;
    if (domain != NULL) {
        callback->oneDomain = true;
        memcpy(callback->uuid, domain->uuid, sizeof(callback->uuid));
    }
    pthread_mutex_lock(&client->lock);
    for (other = client->callbacks; old && other != NULL; other = other->next)
        if (other->old && !other->removed && other->cb == cb)
            break;
    if (!old || other == NULL) {
        id = callback->id = client->nextId++;
        callback->next = client->callbacks;
        client->callbacks = callback;
    }
    pthread_mutex_unlock(&client->lock);
    if (id < 0) {
        free(callback);
        virReportError(VIR_ERR_INVALID_ARG, "this event callback is registered already");
    } else if (virEventSubscribe(conn, client) < 0) {
        callback->freecb = NULL;      /* what failed to be registered stays the caller's */
        pthread_mutex_lock(&client->lock);
        callback->removed = true;
        virEventCallbackReap(client, callback);
        pthread_mutex_unlock(&client->lock);
        return -1;
    }
    return id;
}

/* Removes the callback of this id (or, old form, of this function): how many are left, or -1 with the error set. */
static int
virEventDeregister(virConnectPtr conn, int id, virConnectDomainEventCallback cb)
{
    struct virEventClient *client = conn->events;
    struct virEventCallback *callback = NULL, *each;
    int left = 0;

    if (client != NULL) {
        pthread_mutex_lock(&client->lock);
        for (each = client->callbacks; each != NULL; each = each->next) {
            if (each->removed)
                continue;
            if (cb != NULL ? each->old && (virConnectDomainEventCallback)(void (*)(void))each->cb == cb : each->id == id)
                callback = each;
            else
                left++;
        }
        if (callback != NULL) {
            callback->removed = true;
            virEventCallbackReap(client, callback);
        }
        pthread_mutex_unlock(&client->lock);
    }
    if (callback == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "no such domain event callback is registered");
    if (virEventSubscribe(conn, client) < 0)      /* what is not wanted any more comes for nothing */
        virResetLastError();
    return left;
}

int
virConnectDomainEventRegisterAny(virConnectPtr conn, virDomainPtr dom, int eventID, virConnectDomainEventGenericCallback cb,
                                 void *opaque, virFreeCallback freecb)
{
    int id = -1;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    if (dom != NULL && virCallOnDomain(__func__, dom, false) == NULL)
        return -1;
    if (dom != NULL && dom->conn != conn)
        virReportError(VIR_ERR_INVALID_ARG, "domain '%s' in %s must match the connection", dom->name, __func__);
    else if (cb == NULL)
        virReportError(VIR_ERR_INVALID_ARG, "cb in %s must not be NULL", __func__);
    else if ((eventID < 0 || eventID >= VIR_DOMAIN_EVENT_ID_LAST) && eventID != VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE)
        virReportError(VIR_ERR_INVALID_ARG, "eventID %d in %s must be less than %d", eventID, __func__, VIR_DOMAIN_EVENT_ID_LAST);
    else
        id = virEventRegister(conn, dom, eventID, cb, opaque, freecb, false);
    if (id < 0)
        virErrorDispatch(conn);
    return id;
}

int
virConnectDomainEventDeregisterAny(virConnectPtr conn, int callbackID)
{
    int rc;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    rc = virEventDeregister(conn, callbackID, NULL);
    if (rc < 0)
        virErrorDispatch(conn);
    return rc < 0 ? -1 : 0;
}

int
virConnectDomainEventRegister(virConnectPtr conn, virConnectDomainEventCallback cb, void *opaque, virFreeCallback freecb)
{
    int id = -1;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    if (cb == NULL)
        virReportError(VIR_ERR_INVALID_ARG, "cb in %s must not be NULL", __func__);
    else
        id = virEventRegister(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                              (virConnectDomainEventGenericCallback)(void (*)(void))cb, opaque, freecb, true);
    if (id < 0)
        virErrorDispatch(conn);
    return id < 0 ? -1 : 0;
}

int
virConnectDomainEventDeregister(virConnectPtr conn, virConnectDomainEventCallback cb)
{
    int rc = -1;

    if (virCallOnConnect(__func__, conn, false) == NULL)
        return -1;
    if (cb == NULL)
        virReportError(VIR_ERR_INVALID_ARG, "cb in %s must not be NULL", __func__);
    else
        rc = virEventDeregister(conn, -1, cb);
    if (rc < 0)
        virErrorDispatch(conn);
    return rc < 0 ? -1 : 0;
}

/* ================================================== 10  Migration ==================================================
 *
 * Five phases, on the two sides in turn: Begin, Prepare, Perform, Finish, Confirm; and three more for the way back: Halt, Cancel, Rollback.
 * The object is the controller that goes from one to the next; what a phase does is the driver's. Each call of virMigrationStep runs the
 * current phase for a while; when it is over, one table says which is next, and one function, virMigrationEnter, goes there.
 *
 * The rules that keep the guest single:
 *   - no answer is never taken for no: a phase that answers AGAIN is asked again, for as long as it takes;
 *   - the way back begins at the source, so that nothing more is sent, and the destination's copy goes before the source's runs again;
 *   - the destination decides: once it has said that the guest was started, it was, even if it had been asked to cancel: too late.
 * The table is the one of tests/model/migration.pml (proctype controller), where a model checker has looked at every way through it.
 *
 * An object has both ends, or one (drivers/migration/halves.c): then the phases of the other are asked for by messages.
 */

/* How long an answer that decides may be missing, in us, before the migration is called undecided. */
#ifndef VIRT_MIGRATION_PATIENCE
# define VIRT_MIGRATION_PATIENCE 3000000u
#endif
#define VIRT_MIGRATION_SLICE    100      /* ms; see virMigrationRunFor */

/* Each runs its phase once, for at most call->timeout ms. m->lock is not held; only the stepping thread touches cookies, uri and guest. */
static enum virMigrationResult virMigrationBegin(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
static enum virMigrationResult virMigrationPrepare(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
static enum virMigrationResult virMigrationPerform(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
static enum virMigrationResult virMigrationFinish(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
static enum virMigrationResult virMigrationConfirm(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
static enum virMigrationResult virMigrationHalt(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
static enum virMigrationResult virMigrationCancel(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
static enum virMigrationResult virMigrationRollback(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);

/* The protocol: which phase comes when this one is done, when it has failed, and when the caller wants the migration over. */
static const struct virMigrationPhaseRow {
    const char *name;
    virMigrationSide side;
    enum virMigrationResult (*run)(virMigrationPtr m, const struct virMigrationCall *call, char **cookie);
    virMigrationPhase cookieFrom;     /* whose cookie goes in; its own number: none */
    virMigrationPhase done, failed, abort;
} virMigrationPhases[VIR_MIGRATION_PHASE_LAST] = {
    [VIR_MIGRATION_PHASE_BEGIN] = {
        "begin", VIR_MIGRATION_SIDE_SOURCE, virMigrationBegin, VIR_MIGRATION_PHASE_BEGIN,
        VIR_MIGRATION_PHASE_PREPARE, VIR_MIGRATION_PHASE_HALT, VIR_MIGRATION_PHASE_HALT,
    },
    [VIR_MIGRATION_PHASE_PREPARE] = {
        "prepare", VIR_MIGRATION_SIDE_DESTINATION, virMigrationPrepare, VIR_MIGRATION_PHASE_BEGIN,
        VIR_MIGRATION_PHASE_PERFORM, VIR_MIGRATION_PHASE_HALT, VIR_MIGRATION_PHASE_HALT,
    },
    [VIR_MIGRATION_PHASE_PERFORM] = {
        "perform", VIR_MIGRATION_SIDE_SOURCE, virMigrationPerform, VIR_MIGRATION_PHASE_PREPARE,
        VIR_MIGRATION_PHASE_FINISH, VIR_MIGRATION_PHASE_HALT, VIR_MIGRATION_PHASE_HALT,
    },
    [VIR_MIGRATION_PHASE_FINISH] = {
        "finish", VIR_MIGRATION_SIDE_DESTINATION, virMigrationFinish, VIR_MIGRATION_PHASE_PERFORM,
        VIR_MIGRATION_PHASE_CONFIRM, VIR_MIGRATION_PHASE_ROLLBACK, VIR_MIGRATION_PHASE_HALT,
    },
    [VIR_MIGRATION_PHASE_CONFIRM] = {
        "confirm", VIR_MIGRATION_SIDE_SOURCE, virMigrationConfirm, VIR_MIGRATION_PHASE_FINISH,
        VIR_MIGRATION_PHASE_OVER, VIR_MIGRATION_PHASE_OVER, VIR_MIGRATION_PHASE_CONFIRM,
    },
    [VIR_MIGRATION_PHASE_HALT] = {
        "halt", VIR_MIGRATION_SIDE_SOURCE, virMigrationHalt, VIR_MIGRATION_PHASE_HALT,
        VIR_MIGRATION_PHASE_CANCEL, VIR_MIGRATION_PHASE_FINISH, VIR_MIGRATION_PHASE_HALT,
    },
    [VIR_MIGRATION_PHASE_CANCEL] = {
        "cancel", VIR_MIGRATION_SIDE_DESTINATION, virMigrationCancel, VIR_MIGRATION_PHASE_CANCEL,
        VIR_MIGRATION_PHASE_CONFIRM, VIR_MIGRATION_PHASE_ROLLBACK, VIR_MIGRATION_PHASE_CANCEL,
    },
    [VIR_MIGRATION_PHASE_ROLLBACK] = {
        "rollback", VIR_MIGRATION_SIDE_SOURCE, virMigrationRollback, VIR_MIGRATION_PHASE_CANCEL,
        VIR_MIGRATION_PHASE_OVER, VIR_MIGRATION_PHASE_OVER, VIR_MIGRATION_PHASE_ROLLBACK,
    },
    [VIR_MIGRATION_PHASE_OVER] = {
        "over", VIR_MIGRATION_SIDE_SOURCE, NULL, VIR_MIGRATION_PHASE_OVER,
        VIR_MIGRATION_PHASE_OVER, VIR_MIGRATION_PHASE_OVER, VIR_MIGRATION_PHASE_OVER,
    },
};

VIRT_INTERNAL virMigrationPtr
virMigrationMake(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params, int nparams, unsigned int flags)
{
    virMigrationPtr m;
    size_t i;

    if (virMigrationCheckDrivers(domain != NULL ? domain->conn->driver : NULL, dconn != NULL ? dconn->driver : NULL) < 0
        || (m = virAllocate(sizeof(*m))) == NULL)
        return NULL;
    m->nparams = nparams;
    m->params = virTypedParamsCopy(params, nparams);
    if (m->params == NULL && m->nparams > 0) {
        free(m);
        return NULL;
    }
    virHandleInit(&m->handle, VIRT_MAGIC_MIGRATION);
    pthread_mutex_init(&m->lock, NULL);
    m->ends = domain == NULL ? VIR_MIGRATION_ENDS_DESTINATION : dconn == NULL ? VIR_MIGRATION_ENDS_SOURCE : VIR_MIGRATION_ENDS_BOTH;
    if (domain != NULL)
        virHandleRef(&domain->handle);
    if (dconn != NULL)
        virHandleRef(&dconn->handle);
    m->domain = domain;
    m->dconn = dconn;
    m->flags = flags;
    m->stream = m->tunnel[0] = m->tunnel[1] = -1;
    if (domain != NULL) {
        m->name = virStringCopy(domain->name);
        memcpy(m->guestUuid, domain->uuid, sizeof(m->guestUuid));
    }
    for (i = 0; i < VIR_MIGRATION_PHASE_LAST; i++) {
        m->info[i].phase = (virMigrationPhase)i;
        m->info[i].side = virMigrationPhases[i].side;
    }
    if (domain == NULL || m->name != NULL)
        return m;
    m->phase = VIR_MIGRATION_PHASE_OVER;         /* nobody has to be told that it is dropped */
    virMigrationFree(m);
    virReportNoMemory();
    return NULL;
}

/* What virMigrationNew and virMigrationNewSource have in common; dconn may be NULL. */
static virMigrationPtr
virMigrationNewFrom(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    virMigrationPtr m = NULL;
    unsigned char uuid[VIR_UUID_BUFLEN];

    if (virMigrationCheckFlags(flags) == 0 && virMigrationCheckParams(params, nparams) == 0
        && virMigrationTunnelCheck(params, nparams, flags) == 0 && virUuidGenerate(uuid) == 0)
        m = virMigrationMake(domain, dconn, params, (int)nparams, flags);
    if (m != NULL)
        virUuidFormat(uuid, m->uuid);
    else
        virErrorDispatch(domain->conn);
    return m;
}

virMigrationPtr
virMigrationNew(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    if (virCallOnConnect(__func__, dconn, true) == NULL || virCallOnDomain(__func__, domain, true) == NULL)
        return NULL;
    return virMigrationNewFrom(domain, dconn, params, nparams, flags);
}

virMigrationPtr
virMigrationNewSource(virDomainPtr domain, virTypedParameterPtr params, unsigned int nparams, unsigned int flags)
{
    return virCallOnDomain(__func__, domain, true) != NULL ? virMigrationNewFrom(domain, NULL, params, nparams, flags) : NULL;
}

/* What a driver is called with. */
static struct virMigrationCall
virMigrationCallOf(virMigrationPtr m, int timeout)
{
    return (struct virMigrationCall){ m->uuid, m->params, m->nparams, m->flags, timeout, m->stream, m->name, m->guestUuid };
}

/* Tells both sides of a migration that is not over that nobody steps it any more. */
static void
virMigrationDrop(virMigrationPtr m)
{
    struct virMigrationCall call = virMigrationCallOf(m, 0);

    if (m->phase == VIR_MIGRATION_PHASE_OVER || (m->phase == VIR_MIGRATION_PHASE_BEGIN && m->entered == 0))
        return;
    if (m->domain != NULL && m->domain->conn->driver->migration.drop != NULL)
        virDomainMigrateDrop3Params(m->domain->conn, &call);
    if (m->dconn != NULL && m->dconn->driver->migration.drop != NULL)
        virDomainMigrateDrop3Params(m->dconn, &call);
    virResetLastError();
}

void
virMigrationFree(virMigrationPtr m)
{
    size_t i;

    virResetLastError();
    if (!virHandleIs(m, VIRT_MAGIC_MIGRATION) || virHandleUnref(&m->handle) > 0)
        return;
    virMigrationDrop(m);
    for (i = 0; i < VIR_MIGRATION_PHASE_LAST; i++)
        free(m->cookieOut[i]);
    if (m->guest != NULL)
        virDomainFree(m->guest);
    if (m->domain != NULL)
        virDomainFree(m->domain);
    if (m->dconn != NULL)
        virConnectClose(m->dconn);
    virTypedParamsFree(m->params, m->nparams);
    virTypedParamsFree(m->stats, m->nstats);
    virMigrationMessageFree(m->inbox);
    virErrorClear(&m->error);
    virMigrationTunnelFree(m);
    free(m->trace.samples);
    free(m->reply);
    free(m->name);
    free(m->uri);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* ---- the phases: what a driver lacks is what the older protocols lacked ---- */

static const char *
virMigrationParamString(virMigrationPtr m, const char *name)
{
    const char *value = NULL;

    virTypedParamsGetString(m->params, m->nparams, name, &value);
    return value;
}

static enum virMigrationResult
virMigrationBegin(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    if (m->domain->conn->driver->migration.begin != NULL)
        return (enum virMigrationResult)virDomainMigrateBegin3Params(m->domain, call, cookie);
    *cookie = virDomainGetXMLDesc(m->domain, VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE);
    return *cookie != NULL ? VIR_MIGRATION_DONE : VIR_MIGRATION_FAILED;
}

static enum virMigrationResult
virMigrationPrepare(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    const char *given = virMigrationParamString(m, VIR_MIGRATE_PARAM_URI);
    char *uri = NULL;
    int rc;

    if (m->dconn == NULL)
        return virMigrationAskPeer(m, cookie);
    rc = virDomainMigratePrepare3Params(m->dconn, call, m->cookieIn[VIR_MIGRATION_PHASE_PREPARE], cookie, &uri);
    if (rc == VIR_MIGRATION_DONE && m->uri == NULL) {
        if (uri == NULL && given != NULL && (uri = virStringCopy(given)) == NULL)
            rc = VIR_MIGRATION_FAILED;
        m->uri = uri;
        uri = NULL;
    }
    free(uri);
    return (enum virMigrationResult)rc;
}

static enum virMigrationResult
virMigrationPerform(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    return (enum virMigrationResult)virDomainMigratePerform3Params(m->domain, call, m->cookieIn[VIR_MIGRATION_PHASE_PERFORM],
                                                                   m->uri, cookie);
}

/* The guest at the destination, now that it has said that it is there. */
static void
virMigrationSetGuest(virMigrationPtr m, virDomainPtr guest)
{
    pthread_mutex_lock(&m->lock);
    if (m->guest == NULL) {
        m->guest = guest;
        guest = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    if (guest != NULL)
        virDomainFree(guest);
}

static enum virMigrationResult
virMigrationFinish(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    virDomainPtr guest = NULL;
    int rc = VIR_MIGRATION_DONE;

    if (m->dconn == NULL)
        return virMigrationAskPeer(m, cookie);
    if (m->dconn->driver->migration.finish != NULL)
        rc = virDomainMigrateFinish3Params(m->dconn, call, m->cookieIn[VIR_MIGRATION_PHASE_FINISH], 0, cookie, &guest);
    else if (m->domain != NULL && (guest = virDomainLookupByUUID(m->dconn, m->domain->uuid)) == NULL)
        rc = VIR_MIGRATION_FAILED;
    if (rc == VIR_MIGRATION_DONE)
        virMigrationSetGuest(m, guest);
    return (enum virMigrationResult)rc;
}

/* FAILED is what was wanted: nothing of it is there. */
static enum virMigrationResult
virMigrationCancel(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    virDomainPtr guest = NULL;
    int rc;

    if (m->dconn == NULL)
        return virMigrationAskPeer(m, cookie);
    if (m->dconn->driver->migration.finish == NULL)
        return VIR_MIGRATION_FAILED;
    rc = virDomainMigrateFinish3Params(m->dconn, call, NULL, 1, cookie, &guest);
    if (rc == VIR_MIGRATION_DONE && guest == NULL)
        return VIR_MIGRATION_FAILED;
    if (guest != NULL)
        virMigrationSetGuest(m, guest);
    return (enum virMigrationResult)rc;
}

static enum virMigrationResult
virMigrationHalt(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    (void)cookie;
    if (m->domain->conn->driver->migration.halt == NULL)
        return VIR_MIGRATION_DONE;
    return (enum virMigrationResult)virDomainMigrateHalt3Params(m->domain, call);
}

static enum virMigrationResult
virMigrationConfirm(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    (void)cookie;
    if (m->domain->conn->driver->migration.confirm == NULL)
        return VIR_MIGRATION_DONE;
    return (enum virMigrationResult)virDomainMigrateConfirm3Params(m->domain, call, m->cookieIn[VIR_MIGRATION_PHASE_CONFIRM], 0);
}

static enum virMigrationResult
virMigrationRollback(virMigrationPtr m, const struct virMigrationCall *call, char **cookie)
{
    (void)cookie;
    if (m->domain->conn->driver->migration.confirm != NULL)
        return (enum virMigrationResult)virDomainMigrateConfirm3Params(m->domain, call, m->cookieIn[VIR_MIGRATION_PHASE_ROLLBACK], 1);
    if (!m->performed)
        return VIR_MIGRATION_DONE;
    virReportError(VIR_ERR_OPERATION_FAILED, "domain '%s' had ended at the source (driver %s cannot confirm), so it runs nowhere",
                   m->domain->name, m->domain->conn->driver->name);
    return VIR_MIGRATION_FAILED;
}

/* ---- from one to the next ---- */

/* The progress as one side knows it. 1: there is some; 0: none. */
static int
virMigrationAskStats(virMigrationPtr m, virDomainPtr domain, int timeout, virTypedParameterPtr *stats, int *n)
{
    const struct virDriver *driver = domain->conn->driver;
    struct virMigrationCall call = virMigrationCallOf(m, timeout);
    int type, rc = -1;

    *stats = NULL;
    *n = 0;
    if (driver->migration.stats != NULL)
        return virDomainMigrateStats3Params(domain->conn, &call, stats, n) == 0 && *n > 0;
    if (driver->domain.getJobStats != NULL)
        rc = driver->domain.getJobStats(domain, &type, stats, n, 0);
    /* what the driver knows of a completed job is this one's only if this one was completed */
    if ((rc < 0 || *n == 0) && driver->domain.getJobStats != NULL
        && (m->phase == VIR_MIGRATION_PHASE_CONFIRM || m->outcome == VIR_MIGRATION_OUTCOME_MIGRATED))
        rc = driver->domain.getJobStats(domain, &type, stats, n,
                                        VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED);
    return rc == 0 && *n > 0;
}

/* Keeps what the drivers know now: after Confirm the source may have forgotten. If a step of 0 ended it, who looks has it asked once more. */
static void
virMigrationUpdateStats(virMigrationPtr m, int timeout)
{
    virTypedParameterPtr stats = NULL;
    int n = 0;

    if ((m->guest != NULL && virMigrationAskStats(m, m->guest, timeout, &stats, &n) > 0)
        || (m->domain != NULL && virMigrationAskStats(m, m->domain, timeout, &stats, &n) > 0)) {
        pthread_mutex_lock(&m->lock);
        virTypedParamsFree(m->stats, m->nstats);
        m->stats = stats;
        m->nstats = n;
        virMigrationTraceStats(m);
        pthread_mutex_unlock(&m->lock);
    }
    m->statsDue = timeout == 0 && m->phase == VIR_MIGRATION_PHASE_OVER;
    virResetLastError();
}

/* For who watches: the phase has ended. Cancel fails when it has done what it should. With m->lock held. */
static void
virMigrationNote(virMigrationPtr m, enum virMigrationResult result)
{
    bool failed = result == VIR_MIGRATION_FAILED && m->phase != VIR_MIGRATION_PHASE_CANCEL;

    m->info[m->phase].elapsedUs += virTimeNowUs() - m->entered;
    virMigrationTracePhase(m, m->phase, failed);
    virMigrationEmit(m, m->phase, failed ? VIR_MIGRATION_PHASE_FAILED : VIR_MIGRATION_PHASE_DONE);
    m->entered = 0;
}

VIRT_INTERNAL void
virMigrationEnter(virMigrationPtr m, virMigrationPhase next)
{
    const struct virMigrationPhaseRow *row;

    if (m->entered != 0)                         /* left without its own answer: by an abort, by a lease, by its user's word */
        virMigrationNote(m, next == virMigrationPhases[m->phase].done ? VIR_MIGRATION_DONE : VIR_MIGRATION_FAILED);
    if (next == VIR_MIGRATION_PHASE_PERFORM && (m->flags & VIR_MIGRATE_OFFLINE) != 0)
        next = VIR_MIGRATION_PHASE_FINISH;       /* there is no memory to move */
    virLog(VIR_LOG_INFO, "migration", "%s: %s -> %s", m->uuid, virMigrationPhases[m->phase].name, virMigrationPhases[next].name);
    if (next == VIR_MIGRATION_PHASE_OVER && m->outcome == VIR_MIGRATION_OUTCOME_NONE)
        m->outcome = m->phase == VIR_MIGRATION_PHASE_CONFIRM ? VIR_MIGRATION_OUTCOME_MIGRATED : VIR_MIGRATION_OUTCOME_ROLLED_BACK;
    if (next == VIR_MIGRATION_PHASE_CONFIRM)
        virErrorClear(&m->error);                /* whatever had turned it back came too late */
    m->phase = next;
    m->entered = 0;
    m->asked = false;
    row = &virMigrationPhases[next];
    if (row->cookieFrom != next)
        m->cookieIn[next] = m->cookieOut[row->cookieFrom];       /* a phase ends once: what it gave stays */
}

/* The guest could not be ended, or does not go on, at the source: said with the reason for the way back, if there is one. With m->lock held. */
static void
virMigrationConfirmFailed(virMigrationPtr m)
{
    char *both;

    if (m->error.code == VIR_ERR_OK) {
        virErrorCopy(&m->error, virThreadError());
    } else if (m->error.message != virNoMemoryMessage
               && (both = virStringFormat("%s; and then: %s", m->error.message, virGetLastErrorMessage())) != NULL) {
        free(m->error.message);
        m->error.message = both;
    }
}

/* A phase has ended. With m->lock held. */
static void
virMigrationPhaseEnd(virMigrationPtr m, enum virMigrationResult result, char *cookie)
{
    const struct virMigrationPhaseRow *row = &virMigrationPhases[m->phase];
    virMigrationPhaseInfo *info = &m->info[m->phase];

    virMigrationNote(m, result);
    info->cookieIn = m->cookieIn[m->phase] != NULL ? strlen(m->cookieIn[m->phase]) : 0;
    if (cookie != NULL) {
        free(m->cookieOut[m->phase]);
        m->cookieOut[m->phase] = cookie;
        info->cookieOut = strlen(cookie);
    }
    if (result == VIR_MIGRATION_DONE && m->phase == VIR_MIGRATION_PHASE_PERFORM)
        m->performed = true;
    if (result == VIR_MIGRATION_DONE) {
        virMigrationEnter(m, row->done);
        return;
    }
    if (m->phase == VIR_MIGRATION_PHASE_CONFIRM || m->phase == VIR_MIGRATION_PHASE_ROLLBACK)
        virMigrationConfirmFailed(m);
    else if (m->phase != VIR_MIGRATION_PHASE_CANCEL && m->error.code == VIR_ERR_OK)
        virErrorCopy(&m->error, virThreadError());               /* why it is given up: the first reason stays */
    if (m->phase == VIR_MIGRATION_PHASE_ROLLBACK)
        m->outcome = VIR_MIGRATION_OUTCOME_LOST;
    virMigrationEnter(m, row->failed);
}

/* Tells the hypervisor, once. With m->lock held, under which no other phase can begin: the job is this migration's. */
static void
virMigrationAbortTransfer(virMigrationPtr m)
{
    const struct virDriver *driver = m->domain->conn->driver;

    if (m->abortSent || driver->domain.abortJob == NULL)
        return;
    if (driver->domain.abortJob(m->domain, 0) == 0)
        m->abortSent = true;
    else
        virLog(VIR_LOG_WARN, "migration", "%s: cannot abort: %s", m->uuid, virGetLastErrorMessage());
    virResetLastError();
}

/* The caller wants it over: leaves the way there, once, for the way back. With m->lock held. */
static void
virMigrationTurnBack(virMigrationPtr m)
{
    const virMigrationPhase next = virMigrationPhases[m->phase].abort;

    if (m->turned || m->ends == VIR_MIGRATION_ENDS_DESTINATION)
        return;
    m->turned = true;
    if (next == m->phase)
        return;
    if (m->error.code == VIR_ERR_OK) {
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration of domain '%s' was aborted in phase %s", m->domain->name,
                       virMigrationPhases[m->phase].name);
        virErrorCopy(&m->error, virThreadError());
        virResetLastError();
    }
    /* nothing was asked of anybody yet */
    virMigrationEnter(m, m->phase == VIR_MIGRATION_PHASE_BEGIN && m->entered == 0 ? VIR_MIGRATION_PHASE_OVER : next);
}

VIRT_INTERNAL bool
virMigrationIsInDoubt(virMigrationPtr m)
{
    return (m->phase == VIR_MIGRATION_PHASE_FINISH || m->phase == VIR_MIGRATION_PHASE_CANCEL) && m->domain != NULL && m->entered != 0
           && (m->ends == VIR_MIGRATION_ENDS_BOTH || m->asked) && virTimeNowUs() - m->entered > VIRT_MIGRATION_PATIENCE;
}

/* Where both sides obey a lease, that settles a doubt without the other side. */
static void
virMigrationDecide(virMigrationPtr m, const struct virMigrationCall *call)
{
    bool doubt;
    int started = 0;

    pthread_mutex_lock(&m->lock);
    doubt = virMigrationIsInDoubt(m);
    pthread_mutex_unlock(&m->lock);
    if (!doubt || m->domain->conn->driver->migration.decide == NULL
        || virDomainMigrateDecide3Params(m->domain, call, &started) != VIR_MIGRATION_DONE)
        return;
    pthread_mutex_lock(&m->lock);
    if (!started && m->error.code == VIR_ERR_OK) {
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "the destination did not answer '%s'; the lease was taken back",
                       virMigrationPhases[m->phase].name);
        virErrorCopy(&m->error, virThreadError());
    }
    virMigrationEnter(m, started ? VIR_MIGRATION_PHASE_CONFIRM : VIR_MIGRATION_PHASE_ROLLBACK);
    pthread_mutex_unlock(&m->lock);
}

/* A phase of the destination alone has ended: what it was asked is answered, and no more is done until it is asked again. With m->lock held. */
static void
virMigrationAnswer(virMigrationPtr m, enum virMigrationResult result, const char *cookie)
{
    const virMigrationPhase phase = m->phase;

    virMigrationNote(m, result);
    virMigrationMakeReply(m, phase, result, cookie, result == VIR_MIGRATION_FAILED ? virThreadError() : NULL);
    m->asked = false;
    if (result == VIR_MIGRATION_FAILED && phase != VIR_MIGRATION_PHASE_CANCEL && m->error.code == VIR_ERR_OK)
        virErrorCopy(&m->error, virThreadError());
    if (phase == VIR_MIGRATION_PHASE_PREPARE && result == VIR_MIGRATION_DONE)
        return;
    m->outcome = result == VIR_MIGRATION_DONE ? VIR_MIGRATION_OUTCOME_MIGRATED : VIR_MIGRATION_OUTCOME_ROLLED_BACK;
    virMigrationEnter(m, VIR_MIGRATION_PHASE_OVER);
}

/* One call of the current phase, without the lock. 1: it is to be called again or the next one; 0: over. */
static int
virMigrationRun(virMigrationPtr m, int timeout)
{
    const struct virMigrationPhaseRow *row = &virMigrationPhases[m->phase];
    struct virMigrationCall call = virMigrationCallOf(m, timeout);
    enum virMigrationResult result;
    char *cookie = NULL;

    call.flags &= ~(unsigned int)VIRT_MIGRATE_CARRIER_FLAGS;
    if (row->side == VIR_MIGRATION_SIDE_DESTINATION)
        call.flags &= ~(unsigned int)VIRT_MIGRATE_SOURCE_FLAGS;
    pthread_mutex_lock(&m->lock);
    if (m->entered == 0) {
        m->entered = virTimeNowUs();
        m->info[m->phase].rounds++;
        virMigrationEmit(m, m->phase, VIR_MIGRATION_PHASE_BEGAN);
    }
    pthread_mutex_unlock(&m->lock);
    if (m->phase == VIR_MIGRATION_PHASE_CONFIRM)
        virMigrationUpdateStats(m, timeout);
    result = virMigrationTunnelBefore(m, &call) < 0 ? VIR_MIGRATION_FAILED : row->run(m, &call, &cookie);
    virMigrationTunnelAfter(m, m->phase, result);
    pthread_mutex_lock(&m->lock);
    if (result != VIR_MIGRATION_AGAIN && m->ends == VIR_MIGRATION_ENDS_DESTINATION) {
        virMigrationAnswer(m, result, cookie);
        free(cookie);
    } else if (result != VIR_MIGRATION_AGAIN) {
        virMigrationPhaseEnd(m, result, cookie);
    } else {
        free(cookie);
    }
    pthread_mutex_unlock(&m->lock);
    if (result == VIR_MIGRATION_AGAIN && row->side == VIR_MIGRATION_SIDE_DESTINATION)
        virMigrationDecide(m, &call);
    /* not between Perform and Finish: the guest stands still */
    if ((result != VIR_MIGRATION_AGAIN || m->phase == VIR_MIGRATION_PHASE_PERFORM) && m->phase != VIR_MIGRATION_PHASE_FINISH)
        virMigrationUpdateStats(m, timeout);
    virResetLastError();
    return m->phase != VIR_MIGRATION_PHASE_OVER;
}

/*
 * The current phase for so long. An abort by another thread ends a transfer by itself; in the other phases it is heard between two calls of the
 * driver, so those are short.
 */
static int
virMigrationRunFor(virMigrationPtr m, int timeout)
{
    const virMigrationPhase phase = m->phase;
    unsigned long long now = virTimeNowUs(), end = now + (timeout > 0 ? (unsigned long long)timeout * 1000 : 0);
    bool more;
    int rc;

    do {
        int left = timeout < 0 ? -1 : end > now ? (int)((end - now + 999) / 1000) : 0;
        unsigned long long until;

        more = phase != VIR_MIGRATION_PHASE_PERFORM && (left < 0 || left > VIRT_MIGRATION_SLICE);
        left = more ? VIRT_MIGRATION_SLICE : left;
        until = now + (left > 0 ? (unsigned long long)left * 1000 : 0);
        rc = virMigrationRun(m, left);
        now = virTimeNowUs();
        pthread_mutex_lock(&m->lock);
        more = more && now >= until && m->phase == phase && m->entered != 0 && (!m->abort || m->turned);
        pthread_mutex_unlock(&m->lock);
    } while (more);
    return rc;
}

VIRT_INTERNAL bool
virMigrationIs(const char *function, virMigrationPtr m)
{
    virResetLastError();
    if (virHandleIs(m, VIRT_MAGIC_MIGRATION))
        return true;
    virReportError(VIR_ERR_INVALID_ARG, "invalid migration pointer in %s", function);
    virErrorDispatch(NULL);
    return false;
}

int
virMigrationStep(virMigrationPtr m, int timeout)
{
    bool busy, run = false;
    int rc;

    if (!virMigrationIs(__func__, m))
        return -1;
    pthread_mutex_lock(&m->lock);
    busy = m->stepping;
    if (!busy) {
        m->stepping = true;
        virMigrationTakeRequest(m);
        if (m->abort)
            virMigrationTurnBack(m);
        run = m->phase != VIR_MIGRATION_PHASE_OVER && (m->ends != VIR_MIGRATION_ENDS_DESTINATION || m->asked);
    }
    rc = m->phase != VIR_MIGRATION_PHASE_OVER;
    pthread_mutex_unlock(&m->lock);
    if (busy) {
        virReportError(VIR_ERR_OPERATION_INVALID, "another thread is stepping migration %s", m->uuid);
        virErrorDispatch(NULL);
        return -1;
    }
    if (run)
        rc = virMigrationRunFor(m, timeout < 0 ? -1 : timeout);
    pthread_mutex_lock(&m->lock);
    m->stepping = false;
    pthread_mutex_unlock(&m->lock);
    return rc;
}

int
virMigrationGetWait(virMigrationPtr m, int *fd, int *events, int *timeout)
{
    struct virMigrationCall call;
    virConnectPtr conn;
    bool now;

    if (!virMigrationIs(__func__, m))
        return -1;
    if (!virCallHas(__func__, fd, "fd") || !virCallHas(__func__, events, "events") || !virCallHas(__func__, timeout, "timeout")) {
        virErrorDispatch(NULL);
        return -1;
    }
    *fd = -1;
    *events = 0;
    pthread_mutex_lock(&m->lock);
    call = virMigrationCallOf(m, 0);
    conn = virMigrationPhases[m->phase].side == VIR_MIGRATION_SIDE_DESTINATION ? m->dconn : m->domain != NULL ? m->domain->conn : NULL;
    if (m->ends == VIR_MIGRATION_ENDS_DESTINATION && !m->asked) {
        *timeout = m->inbox != NULL ? 0 : -1;    /* for a message */
        conn = NULL;
    } else if (conn == NULL && m->phase != VIR_MIGRATION_PHASE_OVER) {
        *timeout = m->inbox != NULL || m->entered == 0 || (m->abort && !m->turned) ? 0 : VIR_MIGRATION_REPEAT;
    } else {
        now = m->phase != VIR_MIGRATION_PHASE_OVER && (m->entered == 0 || (m->abort && !m->turned));
        *timeout = now ? 0 : m->phase == VIR_MIGRATION_PHASE_OVER ? -1 : 100;
    }
    pthread_mutex_unlock(&m->lock);
    if (*timeout <= 0 || conn == NULL || conn->driver->migration.wait == NULL)
        return 0;
    return virDomainMigrateWait3Params(conn, &call, fd, events, timeout);
}

int
virMigrationAbort(virMigrationPtr m)
{
    if (!virMigrationIs(__func__, m))
        return -1;
    pthread_mutex_lock(&m->lock);
    if (m->phase != VIR_MIGRATION_PHASE_OVER)
        m->abort = true;
    /* whoever waits for the transfer, in a step or in a loop of its own, hears of its end by the hypervisor */
    if (m->phase == VIR_MIGRATION_PHASE_PERFORM && m->entered != 0)
        virMigrationAbortTransfer(m);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

virMigrationPhase
virMigrationGetPhase(virMigrationPtr m)
{
    virMigrationPhase phase;

    if (!virMigrationIs(__func__, m))
        return VIR_MIGRATION_PHASE_OVER;
    pthread_mutex_lock(&m->lock);
    phase = m->phase;
    pthread_mutex_unlock(&m->lock);
    return phase;
}

const char *
virMigrationPhaseGetName(virMigrationPhase phase)
{
    return (unsigned int)phase < VIR_MIGRATION_PHASE_LAST ? virMigrationPhases[phase].name : "unknown";
}

int
virMigrationGetPhaseInfo(virMigrationPtr m, virMigrationPhase phase, virMigrationPhaseInfo *info)
{
    if (!virMigrationIs(__func__, m))
        return -1;
    if ((unsigned int)phase >= VIR_MIGRATION_PHASE_LAST || info == NULL) {
        virReportError(VIR_ERR_INVALID_ARG, "phase %d or info in %s is not valid", (int)phase, __func__);
        virErrorDispatch(NULL);
        return -1;
    }
    pthread_mutex_lock(&m->lock);
    *info = m->info[phase];
    if (m->phase == phase && m->entered != 0)
        info->elapsedUs += virTimeNowUs() - m->entered;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

const char *
virMigrationGetCookie(virMigrationPtr m, virMigrationPhase phase, int out)
{
    const char *cookie;

    if (!virMigrationIs(__func__, m) || (unsigned int)phase >= VIR_MIGRATION_PHASE_LAST)
        return NULL;
    pthread_mutex_lock(&m->lock);
    cookie = out ? m->cookieOut[phase] : m->cookieIn[phase];
    pthread_mutex_unlock(&m->lock);
    return cookie;
}

int
virMigrationGetStats(virMigrationPtr m, virTypedParameterPtr *params, int *nparams)
{
    int rc = 0;

    if (!virMigrationIs(__func__, m))
        return -1;
    if (!virCallHas(__func__, params, "params") || !virCallHas(__func__, nparams, "nparams")) {
        virErrorDispatch(NULL);
        return -1;
    }
    if (m->phase == VIR_MIGRATION_PHASE_PERFORM || m->phase == VIR_MIGRATION_PHASE_FINISH || m->statsDue)
        virMigrationUpdateStats(m, m->statsDue || m->nstats == 0 ? -1 : 0);
    pthread_mutex_lock(&m->lock);
    *params = virTypedParamsCopy(m->stats, m->nstats);
    *nparams = *params != NULL ? m->nstats : 0;
    if (*params == NULL && m->nstats > 0)
        rc = -1;
    pthread_mutex_unlock(&m->lock);
    if (rc < 0)
        virErrorDispatch(NULL);
    return rc;
}

virMigrationOutcome
virMigrationGetOutcome(virMigrationPtr m)
{
    virMigrationOutcome outcome;

    if (!virMigrationIs(__func__, m))
        return VIR_MIGRATION_OUTCOME_NONE;
    pthread_mutex_lock(&m->lock);
    outcome = virMigrationIsInDoubt(m) ? VIR_MIGRATION_OUTCOME_UNDECIDED : m->outcome;
    pthread_mutex_unlock(&m->lock);
    return outcome;
}

virErrorPtr
virMigrationGetError(virMigrationPtr m)
{
    return virMigrationIs(__func__, m) && m->error.code != VIR_ERR_OK ? &m->error : NULL;
}

const char *
virMigrationGetUUID(virMigrationPtr m)
{
    return virMigrationIs(__func__, m) && m->uuid[0] != '\0' ? m->uuid : NULL;
}

virDomainPtr
virMigrationGetDomain(virMigrationPtr m)
{
    virDomainPtr domain;
    bool there;

    if (!virMigrationIs(__func__, m))
        return NULL;
    pthread_mutex_lock(&m->lock);
    there = m->outcome == VIR_MIGRATION_OUTCOME_MIGRATED && m->dconn != NULL && m->guest == NULL;
    domain = m->outcome == VIR_MIGRATION_OUTCOME_MIGRATED && m->guest != NULL ? m->guest : m->domain;
    if (domain != NULL && !there)
        virHandleRef(&domain->handle);
    pthread_mutex_unlock(&m->lock);
    if (there)                        /* the object was made from a record, after Finish had given the handle to another */
        return virDomainLookupByUUID(m->dconn, m->guestUuid);
    if (domain == NULL) {
        virReportError(VIR_ERR_NO_DOMAIN, "the guest of migration %s is not at this end", m->uuid);
        virErrorDispatch(NULL);
    }
    return domain;
}

#undef VIRT_MIGRATION_PATIENCE
#undef VIRT_MIGRATION_SLICE
#undef VIRT_FROM

/* ================================================== 11  The parts ================================================== */

#ifdef VIRT_ONE_UNIT
# include "drivers/common/text.c"
# include "drivers/common/posix.c"
# include "drivers/common/windows.c"
# include "drivers/common/file.c"
# include "drivers/common/uri.c"
# include "drivers/common/params.c"
# include "drivers/common/migrate_flags.c"
# include "drivers/common/json.c"
# include "drivers/common/loop.c"
# include "drivers/common/deliver.c"
# include "drivers/migration/arguments.c"
# include "drivers/migration/record.c"
# include "drivers/migration/halves.c"
# include "drivers/migration/settle.c"
# include "drivers/migration/events.c"
# include "drivers/migration/trace.c"
# include "drivers/migration/blocking.c"
# include "drivers/migration/tunnel.c"
# include "drivers/common/problems.c"
# include "drivers/migration/check.c"
# include "drivers/stream/stream.c"
# include "drivers/stream/whole.c"
# if VIRT_WITH_TEST || VIRT_WITH_QEMU || VIRT_WITH_REMOTE
#  include "drivers/common/xml.c"
#  include "drivers/common/process.c"
#  include "drivers/common/fdstream.c"
# endif
# if VIRT_WITH_TEST || VIRT_WITH_QEMU
#  include "drivers/common/host.c"
#  include "drivers/common/check.c"
#  include "drivers/common/check_rules.c"
#  include "drivers/common/check_domain.c"
#  include "drivers/common/check_devices.c"
#  include "drivers/common/check_addresses.c"
#  include "drivers/common/check_machine.c"
#  include "drivers/common/document.c"
#  include "drivers/common/domain.c"
#  include "drivers/common/domain_calls.c"
#  include "drivers/common/host_stats.c"
#  include "drivers/common/stats.c"
#  include "drivers/lock/lease.c"
#  include "drivers/lock/file.c"
#  include "drivers/lock/resources.c"
#  include "drivers/lock/etcd.c"
#  include "drivers/lock/etcd_keeper.c"
#  include "drivers/lock/sanlock.c"
#  include "drivers/lock/sanlock_keeper.c"
#  include "drivers/lock/keeper.c"
# endif
# if VIRT_WITH_TEST
#  include "drivers/test/config.c"
#  include "drivers/test/check.c"
#  include "drivers/test/console.c"
#  include "drivers/test/fault.c"
#  include "drivers/test/job.c"
#  include "drivers/test/lease.c"
#  include "drivers/test/migration.c"
#  include "drivers/test/record.c"
#  include "drivers/test/stats.c"
#  include "drivers/test/test.c"
#  include "drivers/test/transfer.c"
# endif
# if VIRT_WITH_QEMU
#  include "drivers/qemu/capabilities.c"
#  include "drivers/qemu/state.c"
#  include "drivers/qemu/hooks.c"
#  include "drivers/qemu/monitor.c"
#  include "drivers/qemu/events.c"
#  include "drivers/qemu/process.c"
#  include "drivers/qemu/reconnect.c"
#  include "drivers/qemu/domain.c"
#  include "drivers/qemu/cookie.c"
#  include "drivers/qemu/stats.c"
#  include "drivers/qemu/domstats.c"
#  include "drivers/qemu/block.c"
#  include "drivers/qemu/domcaps.c"
#  include "drivers/qemu/control.c"
#  include "drivers/qemu/console.c"
#  include "drivers/qemu/screenshot.c"
#  include "drivers/qemu/record.c"
#  include "drivers/qemu/lease.c"
#  include "drivers/qemu/migration_storage.c"
#  include "drivers/qemu/migration_settle.c"
#  include "drivers/qemu/migration_tls.c"
#  include "drivers/qemu/migration_zerocopy.c"
#  include "drivers/qemu/migrations.c"
#  include "drivers/qemu/migration.c"
#  include "drivers/qemu/migration_parameters.c"
#  include "drivers/qemu/postcopy.c"
#  include "drivers/qemu/migration_check.c"
#  include "drivers/qemu/migration_compat.c"
#  include "drivers/qemu/migration_source.c"
#  include "drivers/qemu/migration_destination.c"
#  include "drivers/qemu/deviceset.c"
#  include "drivers/qemu/pci.c"
#  include "drivers/qemu/address.c"
#  include "drivers/qemu/place.c"
#  include "drivers/qemu/usb.c"
#  include "drivers/qemu/alias.c"
#  include "drivers/qemu/defaults.c"
#  include "drivers/qemu/complete.c"
#  include "drivers/qemu/controller.c"
#  include "drivers/qemu/machine.c"
#  include "drivers/qemu/cpu.c"
#  include "drivers/qemu/memory.c"
#  include "drivers/qemu/numa.c"
#  include "drivers/qemu/clock.c"
#  include "drivers/qemu/os.c"
#  include "drivers/qemu/firmware.c"
#  include "drivers/qemu/command.c"
#  include "drivers/qemu/blocknet.c"
#  include "drivers/qemu/blockdev.c"
#  include "drivers/qemu/disk.c"
#  include "drivers/qemu/tap.c"
#  include "drivers/qemu/net.c"
#  include "drivers/qemu/chardev.c"
#  include "drivers/qemu/serial.c"
#  include "drivers/qemu/input.c"
#  include "drivers/qemu/graphics.c"
#  include "drivers/qemu/video.c"
#  include "drivers/qemu/sound.c"
#  include "drivers/qemu/tpm.c"
#  include "drivers/qemu/filesystem.c"
#  include "drivers/qemu/hostdev.c"
#  include "drivers/qemu/misc.c"
#  include "drivers/qemu/qemu.c"
# endif
# if VIRT_WITH_REMOTE
#  include "drivers/remote/codec.c"
#  include "drivers/remote/kinds.c"
#  include "drivers/remote/lists.c"
#  include "drivers/remote/link.c"
#  include "drivers/remote/link_session.c"
#  include "drivers/remote/stream.c"
#  include "drivers/remote/carry.c"
#  include "drivers/remote/wire.c"
#  include "drivers/remote/front.c"
#  include "drivers/remote/remote.c"
# endif
# include "drivers/remote/keys.c"
# include "drivers/remote/noise.c"
# include "drivers/remote/noise_ends.c"
# include "drivers/remote/access.c"
# include "drivers/remote/subscribe.c"
# include "drivers/remote/session.c"
# include "drivers/remote/session_stream.c"
# include "drivers/remote/listen.c"
# include "drivers/remote/server.c"
# include "drivers/remote/server_none.c"
#endif
