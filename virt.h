/*
 * virt.h: the public API of virt (documentation follows)
 */
#ifndef VIRT_H
#define VIRT_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined VIRT_STATIC
# define VIRT_API static __attribute__((unused))
#elif defined __GNUC__
# define VIRT_API extern __attribute__((visibility("default")))
#else
# define VIRT_API extern
#endif

/* 1. Library and versions */
#define VIRT_VERSION "0.1.0"
#define LIBVIR_VERSION_NUMBER 9000000
#define LIBVIR_CHECK_VERSION(major, minor, micro) \
    ((major) * 1000000 + (minor) * 1000 + (micro) <= LIBVIR_VERSION_NUMBER)
/* Since libvirt 0.1.0 */
VIRT_API int virInitialize(void);
/* Since libvirt 0.0.3 */
VIRT_API int virGetVersion(unsigned long *libVer, const char *type, unsigned long *typeVer);
/* Since libvirt 0.5.0 */
typedef void (*virFreeCallback)(void *opaque);
/* Since libvirt 0.0.1 */
typedef struct _virConnect virConnect;
typedef virConnect *virConnectPtr;
/* Since libvirt 0.0.1 */
typedef struct _virDomain virDomain;
typedef virDomain *virDomainPtr;
/* Since libvirt 0.2.0 */
typedef struct _virNetwork virNetwork;
typedef virNetwork *virNetworkPtr;

/* 2. Errors */
/* Since libvirt 0.1.0 */
typedef enum {
    VIR_ERR_NONE = 0,
    VIR_ERR_WARNING = 1,
    VIR_ERR_ERROR = 2,
} virErrorLevel;
/* Since libvirt 0.1.0 */
typedef enum {
    VIR_FROM_NONE = 0,
    VIR_FROM_XEN = 1,
    VIR_FROM_XEND = 2,
    VIR_FROM_XENSTORE = 3,
    VIR_FROM_SEXPR = 4,
    VIR_FROM_XML = 5,
    VIR_FROM_DOM = 6,
    VIR_FROM_RPC = 7,                /* (0.1.1) */
    VIR_FROM_PROXY = 8,              /* (0.1.3) */
    VIR_FROM_CONF = 9,               /* (0.1.6) */
    VIR_FROM_QEMU = 10,              /* (0.2.0) */
    VIR_FROM_NET = 11,               /* (0.2.0) */
    VIR_FROM_TEST = 12,              /* (0.2.3) */
    VIR_FROM_REMOTE = 13,            /* (0.2.3) */
    VIR_FROM_OPENVZ = 14,            /* (0.3.1) */
    VIR_FROM_XENXM = 15,             /* (0.4.1) */
    VIR_FROM_STATS_LINUX = 16,       /* (0.4.1) */
    VIR_FROM_LXC = 17,               /* (0.4.2) */
    VIR_FROM_STORAGE = 18,           /* (0.4.1) */
    VIR_FROM_NETWORK = 19,           /* (0.4.6) */
    VIR_FROM_DOMAIN = 20,            /* (0.4.6) */
    VIR_FROM_UML = 21,               /* (0.5.0) */
    VIR_FROM_NODEDEV = 22,           /* (0.5.0) */
    VIR_FROM_XEN_INOTIFY = 23,       /* (0.5.0) */
    VIR_FROM_SECURITY = 24,          /* (0.6.1) */
    VIR_FROM_VBOX = 25,              /* (0.6.3) */
    VIR_FROM_INTERFACE = 26,         /* (0.6.4) */
    VIR_FROM_ONE = 27,               /* (0.6.4) */
    VIR_FROM_ESX = 28,               /* (0.7.0) */
    VIR_FROM_PHYP = 29,              /* (0.7.0) */
    VIR_FROM_SECRET = 30,            /* (0.7.1) */
    VIR_FROM_CPU = 31,               /* (0.7.5) */
    VIR_FROM_XENAPI = 32,            /* (0.8.0) */
    VIR_FROM_NWFILTER = 33,          /* (0.8.0) */
    VIR_FROM_HOOK = 34,              /* (0.8.0) */
    VIR_FROM_DOMAIN_SNAPSHOT = 35,   /* (0.8.0) */
    VIR_FROM_AUDIT = 36,             /* (0.8.5) */
    VIR_FROM_SYSINFO = 37,           /* (0.8.6) */
    VIR_FROM_STREAMS = 38,           /* (0.8.6) */
    VIR_FROM_VMWARE = 39,            /* (0.8.7) */
    VIR_FROM_EVENT = 40,             /* (0.9.0) */
    VIR_FROM_LIBXL = 41,             /* (0.9.0) */
    VIR_FROM_LOCKING = 42,           /* (0.9.2) */
    VIR_FROM_HYPERV = 43,            /* (0.9.5) */
    VIR_FROM_CAPABILITIES = 44,      /* (0.9.8) */
    VIR_FROM_URI = 45,               /* (0.9.11) */
    VIR_FROM_AUTH = 46,              /* (0.9.11) */
    VIR_FROM_DBUS = 47,              /* (0.9.12) */
    VIR_FROM_PARALLELS = 48,         /* (0.10.0) */
    VIR_FROM_DEVICE = 49,            /* (0.10.0) */
    VIR_FROM_SSH = 50,               /* (0.10.0) */
    VIR_FROM_LOCKSPACE = 51,         /* (1.0.0) */
    VIR_FROM_INITCTL = 52,           /* (1.0.1) */
    VIR_FROM_IDENTITY = 53,          /* (1.0.4) */
    VIR_FROM_CGROUP = 54,            /* (1.0.5) */
    VIR_FROM_ACCESS = 55,            /* (1.1.0) */
    VIR_FROM_SYSTEMD = 56,           /* (1.1.1) */
    VIR_FROM_BHYVE = 57,             /* (1.2.2) */
    VIR_FROM_CRYPTO = 58,            /* (1.2.3) */
    VIR_FROM_FIREWALL = 59,          /* (1.2.4) */
    VIR_FROM_POLKIT = 60,            /* (1.2.9) */
    VIR_FROM_THREAD = 61,            /* (1.2.14) */
    VIR_FROM_ADMIN = 62,             /* (1.2.17) */
    VIR_FROM_LOGGING = 63,           /* (1.3.0) */
    VIR_FROM_XENXL = 64,             /* (1.3.2) */
    VIR_FROM_PERF = 65,              /* (1.3.3) */
    VIR_FROM_LIBSSH = 66,            /* (2.5.0) */
    VIR_FROM_RESCTRL = 67,           /* (3.7.0) */
    VIR_FROM_FIREWALLD = 68,         /* (5.1.0) */
    VIR_FROM_DOMAIN_CHECKPOINT = 69, /* (5.2.0) */
    VIR_FROM_TPM = 70,               /* (5.6.0) */
    VIR_FROM_BPF = 71,               /* (5.10.0) */
    VIR_FROM_CH = 72,                /* (7.5.0) */
    VIR_ERR_DOMAIN_LAST = 73,        /* how many there are */
} virErrorDomain;
/* Since libvirt 0.1.0 */
typedef enum {
    VIR_ERR_OK = 0,
    VIR_ERR_INTERNAL_ERROR = 1,
    VIR_ERR_NO_MEMORY = 2,
    VIR_ERR_NO_SUPPORT = 3,
    VIR_ERR_UNKNOWN_HOST = 4,
    VIR_ERR_NO_CONNECT = 5,
    VIR_ERR_INVALID_CONN = 6,
    VIR_ERR_INVALID_DOMAIN = 7,
    VIR_ERR_INVALID_ARG = 8,
    VIR_ERR_OPERATION_FAILED = 9,
    VIR_ERR_GET_FAILED = 10,
    VIR_ERR_POST_FAILED = 11,
    VIR_ERR_HTTP_ERROR = 12,
    VIR_ERR_SEXPR_SERIAL = 13,
    VIR_ERR_NO_XEN = 14,
    VIR_ERR_XEN_CALL = 15,
    VIR_ERR_OS_TYPE = 16,
    VIR_ERR_NO_KERNEL = 17,
    VIR_ERR_NO_ROOT = 18,
    VIR_ERR_NO_SOURCE = 19,
    VIR_ERR_NO_TARGET = 20,
    VIR_ERR_NO_NAME = 21,
    VIR_ERR_NO_OS = 22,
    VIR_ERR_NO_DEVICE = 23,
    VIR_ERR_NO_XENSTORE = 24,
    VIR_ERR_DRIVER_FULL = 25,
    VIR_ERR_CALL_FAILED = 26,
    VIR_ERR_XML_ERROR = 27,                  /* (0.1.1) */
    VIR_ERR_DOM_EXIST = 28,                  /* (0.1.1) */
    VIR_ERR_OPERATION_DENIED = 29,           /* (0.1.4) */
    VIR_ERR_OPEN_FAILED = 30,                /* (0.1.6) */
    VIR_ERR_READ_FAILED = 31,                /* (0.1.6) */
    VIR_ERR_PARSE_FAILED = 32,               /* (0.1.6) */
    VIR_ERR_CONF_SYNTAX = 33,                /* (0.1.6) */
    VIR_ERR_WRITE_FAILED = 34,               /* (0.1.6) */
    VIR_ERR_XML_DETAIL = 35,                 /* (0.1.9) */
    VIR_ERR_INVALID_NETWORK = 36,            /* (0.2.0) */
    VIR_ERR_NETWORK_EXIST = 37,              /* (0.2.0) */
    VIR_ERR_SYSTEM_ERROR = 38,               /* (0.2.1) */
    VIR_ERR_RPC = 39,                        /* (0.2.3) */
    VIR_ERR_GNUTLS_ERROR = 40,               /* (0.2.3) */
    VIR_WAR_NO_NETWORK = 41,                 /* (0.2.3) */
    VIR_ERR_NO_DOMAIN = 42,                  /* (0.3.0) */
    VIR_ERR_NO_NETWORK = 43,                 /* (0.3.0) */
    VIR_ERR_INVALID_MAC = 44,                /* (0.3.1) */
    VIR_ERR_AUTH_FAILED = 45,                /* (0.4.1) */
    VIR_ERR_INVALID_STORAGE_POOL = 46,       /* (0.4.1) */
    VIR_ERR_INVALID_STORAGE_VOL = 47,        /* (0.4.1) */
    VIR_WAR_NO_STORAGE = 48,                 /* (0.4.1) */
    VIR_ERR_NO_STORAGE_POOL = 49,            /* (0.4.1) */
    VIR_ERR_NO_STORAGE_VOL = 50,             /* (0.4.1) */
    VIR_WAR_NO_NODE = 51,                    /* (0.5.0) */
    VIR_ERR_INVALID_NODE_DEVICE = 52,        /* (0.5.0) */
    VIR_ERR_NO_NODE_DEVICE = 53,             /* (0.5.0) */
    VIR_ERR_NO_SECURITY_MODEL = 54,          /* (0.6.1) */
    VIR_ERR_OPERATION_INVALID = 55,          /* (0.6.4) */
    VIR_WAR_NO_INTERFACE = 56,               /* (0.6.4) */
    VIR_ERR_NO_INTERFACE = 57,               /* (0.6.4) */
    VIR_ERR_INVALID_INTERFACE = 58,          /* (0.6.4) */
    VIR_ERR_MULTIPLE_INTERFACES = 59,        /* (0.7.0) */
    VIR_WAR_NO_NWFILTER = 60,                /* (0.8.0) */
    VIR_ERR_INVALID_NWFILTER = 61,           /* (0.8.0) */
    VIR_ERR_NO_NWFILTER = 62,                /* (0.8.0) */
    VIR_ERR_BUILD_FIREWALL = 63,             /* (0.8.0) */
    VIR_WAR_NO_SECRET = 64,                  /* (0.7.1) */
    VIR_ERR_INVALID_SECRET = 65,             /* (0.7.1) */
    VIR_ERR_NO_SECRET = 66,                  /* (0.7.1) */
    VIR_ERR_CONFIG_UNSUPPORTED = 67,         /* (0.7.3) */
    VIR_ERR_OPERATION_TIMEOUT = 68,          /* (0.7.3) */
    VIR_ERR_MIGRATE_PERSIST_FAILED = 69,     /* (0.7.3) */
    VIR_ERR_HOOK_SCRIPT_FAILED = 70,         /* (0.8.0) */
    VIR_ERR_INVALID_DOMAIN_SNAPSHOT = 71,    /* (0.8.0) */
    VIR_ERR_NO_DOMAIN_SNAPSHOT = 72,         /* (0.8.0) */
    VIR_ERR_INVALID_STREAM = 73,             /* (0.9.0) */
    VIR_ERR_ARGUMENT_UNSUPPORTED = 74,       /* (0.9.4) */
    VIR_ERR_STORAGE_PROBE_FAILED = 75,       /* (0.9.5) */
    VIR_ERR_STORAGE_POOL_BUILT = 76,         /* (0.9.5) */
    VIR_ERR_SNAPSHOT_REVERT_RISKY = 77,      /* (0.9.7) */
    VIR_ERR_OPERATION_ABORTED = 78,          /* (0.9.9) */
    VIR_ERR_AUTH_CANCELLED = 79,             /* (0.9.10) */
    VIR_ERR_NO_DOMAIN_METADATA = 80,         /* (0.9.10) */
    VIR_ERR_MIGRATE_UNSAFE = 81,             /* (0.9.11) */
    VIR_ERR_OVERFLOW = 82,                   /* (0.9.11) */
    VIR_ERR_BLOCK_COPY_ACTIVE = 83,          /* (0.9.12) */
    VIR_ERR_OPERATION_UNSUPPORTED = 84,      /* (0.10.0) */
    VIR_ERR_SSH = 85,                        /* (0.10.0) */
    VIR_ERR_AGENT_UNRESPONSIVE = 86,         /* (0.10.0) */
    VIR_ERR_RESOURCE_BUSY = 87,              /* (1.0.0) */
    VIR_ERR_ACCESS_DENIED = 88,              /* (1.1.0) */
    VIR_ERR_DBUS_SERVICE = 89,               /* (1.1.1) */
    VIR_ERR_STORAGE_VOL_EXIST = 90,          /* (1.1.4) */
    VIR_ERR_CPU_INCOMPATIBLE = 91,           /* (1.2.6) */
    VIR_ERR_XML_INVALID_SCHEMA = 92,         /* (1.2.12) */
    VIR_ERR_MIGRATE_FINISH_OK = 93,          /* (1.2.18) */
    VIR_ERR_AUTH_UNAVAILABLE = 94,           /* (1.3.3) */
    VIR_ERR_NO_SERVER = 95,                  /* (1.3.3) */
    VIR_ERR_NO_CLIENT = 96,                  /* (1.3.5) */
    VIR_ERR_AGENT_UNSYNCED = 97,             /* (2.3.0) */
    VIR_ERR_LIBSSH = 98,                     /* (2.5.0) */
    VIR_ERR_DEVICE_MISSING = 99,             /* (4.1.0) */
    VIR_ERR_INVALID_NWFILTER_BINDING = 100,  /* (4.5.0) */
    VIR_ERR_NO_NWFILTER_BINDING = 101,       /* (4.5.0) */
    VIR_ERR_INVALID_DOMAIN_CHECKPOINT = 102, /* (5.2.0) */
    VIR_ERR_NO_DOMAIN_CHECKPOINT = 103,      /* (5.2.0) */
    VIR_ERR_NO_DOMAIN_BACKUP = 104,          /* (5.2.0) */
    VIR_ERR_INVALID_NETWORK_PORT = 105,      /* (5.5.0) */
    VIR_ERR_NETWORK_PORT_EXIST = 106,        /* (5.5.0) */
    VIR_ERR_NO_NETWORK_PORT = 107,           /* (5.5.0) */
    VIR_ERR_NO_HOSTNAME = 108,               /* (6.1.0) */
    VIR_ERR_CHECKPOINT_INCONSISTENT = 109,   /* (6.10.0) */
    VIR_ERR_MULTIPLE_DOMAINS = 110,          /* (7.1.0) */
    VIR_ERR_NUMBER_LAST = 111,               /* how many there are */
} virErrorNumber;
/* Since libvirt 0.1.0 */
typedef struct _virError virError;
typedef virError *virErrorPtr;
struct _virError {
    int code;
    int domain;
    char *message;
    virErrorLevel level;
    virConnectPtr conn;
    virDomainPtr dom;
    char *str1;
    char *str2;
    char *str3;
    int int1;
    int int2;
    virNetworkPtr net;
};
/* Since libvirt 0.1.0 */
typedef void (*virErrorFunc)(void *userData, virErrorPtr error);
/* Since libvirt 0.1.0 */
VIRT_API virErrorPtr virGetLastError(void);
/* Since libvirt 4.5.0 */
VIRT_API int virGetLastErrorCode(void);
/* Since libvirt 4.5.0 */
VIRT_API int virGetLastErrorDomain(void);
/* Since libvirt 1.0.6 */
VIRT_API const char *virGetLastErrorMessage(void);
/* Since libvirt 0.6.1 */
VIRT_API virErrorPtr virSaveLastError(void);
/* Since libvirt 0.1.0 */
VIRT_API int virCopyLastError(virErrorPtr to);
/* Since libvirt 0.1.0 */
VIRT_API void virResetLastError(void);
/* Since libvirt 0.1.0 */
VIRT_API void virResetError(virErrorPtr err);
/* Since libvirt 0.6.1 */
VIRT_API void virFreeError(virErrorPtr err);
/* Since libvirt 0.1.0 */
VIRT_API void virSetErrorFunc(void *userData, virErrorFunc handler);
/* Since libvirt 0.1.0 */
VIRT_API void virDefaultErrorFunc(virErrorPtr err);
/* Since libvirt 0.1.0 */
VIRT_API virErrorPtr virConnGetLastError(virConnectPtr conn);
/* Since libvirt 0.1.0 */
VIRT_API int virConnCopyLastError(virConnectPtr conn, virErrorPtr to);
/* Since libvirt 0.1.0 */
VIRT_API void virConnResetLastError(virConnectPtr conn);
/* Since libvirt 0.1.0 */
VIRT_API void virConnSetErrorFunc(virConnectPtr conn, void *userData, virErrorFunc handler);

/* 3. Typed parameters */
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_TYPED_PARAM_INT = 1,
    VIR_TYPED_PARAM_UINT = 2,
    VIR_TYPED_PARAM_LLONG = 3,
    VIR_TYPED_PARAM_ULLONG = 4,
    VIR_TYPED_PARAM_DOUBLE = 5,
    VIR_TYPED_PARAM_BOOLEAN = 6,
    VIR_TYPED_PARAM_STRING = 7,  /* (0.9.8) */
    VIR_TYPED_PARAM_LAST = 8,    /* how many there are */
} virTypedParameterType;
/* Since libvirt 0.9.8 */
typedef enum {
    VIR_TYPED_PARAM_STRING_OKAY = 1 << 2,
} virTypedParameterFlags;
#define VIR_TYPED_PARAM_FIELD_LENGTH 80
/* Since libvirt 0.9.2 */
typedef struct _virTypedParameter virTypedParameter;
typedef virTypedParameter *virTypedParameterPtr;
struct _virTypedParameter {
    char field[VIR_TYPED_PARAM_FIELD_LENGTH];
    int type;
    union {
        int i;
        unsigned int ui;
        long long int l;
        unsigned long long int ul;
        double d;
        char b;
        char *s;
    } value;
};
/* Since libvirt 1.0.2 */
VIRT_API virTypedParameterPtr virTypedParamsGet(virTypedParameterPtr params, int nparams,
                                                const char *name);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsGetInt(virTypedParameterPtr params, int nparams, const char *name,
                                  int *value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsGetUInt(virTypedParameterPtr params, int nparams, const char *name,
                                   unsigned int *value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsGetLLong(virTypedParameterPtr params, int nparams, const char *name,
                                    long long *value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsGetULLong(virTypedParameterPtr params, int nparams, const char *name,
                                     unsigned long long *value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsGetDouble(virTypedParameterPtr params, int nparams, const char *name,
                                     double *value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsGetBoolean(virTypedParameterPtr params, int nparams, const char *name,
                                      int *value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsGetString(virTypedParameterPtr params, int nparams, const char *name,
                                     const char **value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddInt(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                  const char *name, int value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddUInt(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                   const char *name, unsigned int value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddLLong(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                    const char *name, long long value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddULLong(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                     const char *name, unsigned long long value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddDouble(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                     const char *name, double value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddBoolean(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                      const char *name, int value);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddString(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                     const char *name, const char *value);
/* Since libvirt 1.2.17 */
VIRT_API int virTypedParamsAddStringList(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                         const char *name, const char **values);
/* Since libvirt 1.0.2 */
VIRT_API int virTypedParamsAddFromString(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                         const char *name, int type, const char *value);
/* Since libvirt 1.0.2 */
VIRT_API void virTypedParamsClear(virTypedParameterPtr params, int nparams);
/* Since libvirt 1.0.2 */
VIRT_API void virTypedParamsFree(virTypedParameterPtr params, int nparams);

/* 4. Event loop */
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_EVENT_HANDLE_READABLE = 1 << 0,
    VIR_EVENT_HANDLE_WRITABLE = 1 << 1,
    VIR_EVENT_HANDLE_ERROR = 1 << 2,
    VIR_EVENT_HANDLE_HANGUP = 1 << 3,
} virEventHandleType;
/* Since libvirt 0.5.0 */
typedef void (*virEventHandleCallback)(int watch, int fd, int events, void *opaque);
/* Since libvirt 0.5.0 */
typedef void (*virEventTimeoutCallback)(int timer, void *opaque);
/* Since libvirt 0.5.0 */
typedef int (*virEventAddHandleFunc)(int fd, int event, virEventHandleCallback cb, void *opaque,
                                     virFreeCallback ff);
/* Since libvirt 0.5.0 */
typedef void (*virEventUpdateHandleFunc)(int watch, int event);
/* Since libvirt 0.5.0 */
typedef int (*virEventRemoveHandleFunc)(int watch);
/* Since libvirt 0.5.0 */
typedef int (*virEventAddTimeoutFunc)(int timeout, virEventTimeoutCallback cb, void *opaque,
                                      virFreeCallback ff);
/* Since libvirt 0.5.0 */
typedef void (*virEventUpdateTimeoutFunc)(int timer, int timeout);
/* Since libvirt 0.5.0 */
typedef int (*virEventRemoveTimeoutFunc)(int timer);
/* Since libvirt 0.5.0 */
VIRT_API void virEventRegisterImpl(virEventAddHandleFunc addHandle,
                                   virEventUpdateHandleFunc updateHandle,
                                   virEventRemoveHandleFunc removeHandle,
                                   virEventAddTimeoutFunc addTimeout,
                                   virEventUpdateTimeoutFunc updateTimeout,
                                   virEventRemoveTimeoutFunc removeTimeout);
/* Since libvirt 0.9.0 */
VIRT_API int virEventRegisterDefaultImpl(void);
/* Since libvirt 0.9.0 */
VIRT_API int virEventRunDefaultImpl(void);
/* Since libvirt 0.9.3 */
VIRT_API int virEventAddHandle(int fd, int events, virEventHandleCallback cb, void *opaque,
                               virFreeCallback ff);
/* Since libvirt 0.9.3 */
VIRT_API void virEventUpdateHandle(int watch, int events);
/* Since libvirt 0.9.3 */
VIRT_API int virEventRemoveHandle(int watch);
/* Since libvirt 0.9.3 */
VIRT_API int virEventAddTimeout(int timeout, virEventTimeoutCallback cb, void *opaque,
                                virFreeCallback ff);
/* Since libvirt 0.9.3 */
VIRT_API void virEventUpdateTimeout(int timer, int timeout);
/* Since libvirt 0.9.3 */
VIRT_API int virEventRemoveTimeout(int timer);

/* 5. Connections */
/* Since libvirt 0.4.1 */
typedef enum {
    VIR_CONNECT_RO = 1 << 0,
    VIR_CONNECT_NO_ALIASES = 1 << 1, /* (0.9.7) */
} virConnectFlags;
/* Since libvirt 0.4.1 */
typedef enum {
    VIR_CRED_USERNAME = 1,
    VIR_CRED_AUTHNAME = 2,
    VIR_CRED_LANGUAGE = 3,
    VIR_CRED_CNONCE = 4,
    VIR_CRED_PASSPHRASE = 5,
    VIR_CRED_ECHOPROMPT = 6,
    VIR_CRED_NOECHOPROMPT = 7,
    VIR_CRED_REALM = 8,
    VIR_CRED_EXTERNAL = 9,
    VIR_CRED_LAST = 10,        /* how many there are */
} virConnectCredentialType;
/* Since libvirt 0.4.1 */
typedef struct _virConnectCredential virConnectCredential;
typedef virConnectCredential *virConnectCredentialPtr;
struct _virConnectCredential {
    int type;
    const char *prompt;
    const char *challenge;
    const char *defresult;
    char *result;
    unsigned int resultlen;
};
/* Since libvirt 0.4.1 */
typedef int (*virConnectAuthCallbackPtr)(virConnectCredentialPtr cred, unsigned int ncred,
                                         void *cbdata);
/* Since libvirt 0.4.1 */
typedef struct _virConnectAuth virConnectAuth;
typedef virConnectAuth *virConnectAuthPtr;
struct _virConnectAuth {
    int *credtype;
    unsigned int ncredtype;
    virConnectAuthCallbackPtr cb;
    void *cbdata;
};
VIRT_API virConnectAuthPtr virConnectAuthPtrDefault;
/* Since libvirt 0.0.3 */
VIRT_API virConnectPtr virConnectOpen(const char *name);
/* Since libvirt 0.0.3 */
VIRT_API virConnectPtr virConnectOpenReadOnly(const char *name);
/* Since libvirt 0.4.0 */
VIRT_API virConnectPtr virConnectOpenAuth(const char *name, virConnectAuthPtr auth,
                                          unsigned int flags);
/* Since libvirt 0.6.0 */
VIRT_API int virConnectRef(virConnectPtr conn);
/* Since libvirt 0.0.3 */
VIRT_API int virConnectClose(virConnectPtr conn);
/* Since libvirt 0.9.8 */
VIRT_API int virConnectIsAlive(virConnectPtr conn);
/* Since libvirt 0.7.3 */
VIRT_API int virConnectIsEncrypted(virConnectPtr conn);
/* Since libvirt 0.7.3 */
VIRT_API int virConnectIsSecure(virConnectPtr conn);
/* Since libvirt 0.9.8 */
VIRT_API int virConnectSetKeepAlive(virConnectPtr conn, int interval, unsigned int count);
/* Since libvirt 0.10.0 */
typedef enum {
    VIR_CONNECT_CLOSE_REASON_ERROR = 0,
    VIR_CONNECT_CLOSE_REASON_EOF = 1,
    VIR_CONNECT_CLOSE_REASON_KEEPALIVE = 2,
    VIR_CONNECT_CLOSE_REASON_CLIENT = 3,
    VIR_CONNECT_CLOSE_REASON_LAST = 4,      /* how many there are */
} virConnectCloseReason;
/* Since libvirt 0.10.0 */
typedef void (*virConnectCloseFunc)(virConnectPtr conn, int reason, void *opaque);
/* Since libvirt 0.10.0 */
VIRT_API int virConnectRegisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb,
                                             void *opaque, virFreeCallback freecb);
/* Since libvirt 0.10.0 */
VIRT_API int virConnectUnregisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb);
/* Since libvirt 0.0.3 */
VIRT_API const char *virConnectGetType(virConnectPtr conn);
/* Since libvirt 0.0.3 */
VIRT_API int virConnectGetVersion(virConnectPtr conn, unsigned long *hvVer);
/* Since libvirt 0.7.3 */
VIRT_API int virConnectGetLibVersion(virConnectPtr conn, unsigned long *libVer);
/* Since libvirt 0.3.0 */
VIRT_API char *virConnectGetHostname(virConnectPtr conn);
/* Since libvirt 0.3.0 */
VIRT_API char *virConnectGetURI(virConnectPtr conn);
/* Since libvirt 0.2.1 */
VIRT_API char *virConnectGetCapabilities(virConnectPtr conn);
/* Since libvirt 0.2.1 */
VIRT_API int virConnectGetMaxVcpus(virConnectPtr conn, const char *type);
/* Since libvirt 0.8.8 */
VIRT_API char *virConnectGetSysinfo(virConnectPtr conn, unsigned int flags);

/* 6. Host */
#define VIR_UUID_BUFLEN 16
#define VIR_UUID_STRING_BUFLEN 37
/* Since libvirt 0.1.0 */
typedef struct _virNodeInfo virNodeInfo;
typedef virNodeInfo *virNodeInfoPtr;
struct _virNodeInfo {
    char model[32];
    unsigned long memory;
    unsigned int cpus;
    unsigned int mhz;
    unsigned int nodes;
    unsigned int sockets;
    unsigned int cores;
    unsigned int threads;
};
#define VIR_NODEINFO_MAXCPUS(nodeinfo) \
    ((nodeinfo).nodes * (nodeinfo).sockets * (nodeinfo).cores * (nodeinfo).threads)
/* Since libvirt 0.1.0 */
VIRT_API int virNodeGetInfo(virConnectPtr conn, virNodeInfoPtr info);
/* Since libvirt 0.3.3 */
VIRT_API unsigned long long virNodeGetFreeMemory(virConnectPtr conn);
/* Since libvirt 0.3.3 */
VIRT_API int virNodeGetCellsFreeMemory(virConnectPtr conn, unsigned long long *freeMems,
                                       int startCell, int maxCells);
/* Since libvirt 1.0.0 */
VIRT_API int virNodeGetCPUMap(virConnectPtr conn, unsigned char **cpumap, unsigned int *online,
                              unsigned int flags);

/* 7. Domains */
/* Since libvirt 0.0.3 */
VIRT_API const char *virDomainGetName(virDomainPtr domain);
/* Since libvirt 0.0.5 */
VIRT_API int virDomainGetUUID(virDomainPtr domain, unsigned char *uuid);
/* Since libvirt 0.1.1 */
VIRT_API int virDomainGetUUIDString(virDomainPtr domain, char *buf);
/* Since libvirt 0.0.3 */
VIRT_API unsigned int virDomainGetID(virDomainPtr domain);
/* Since libvirt 0.0.3 */
VIRT_API char *virDomainGetOSType(virDomainPtr domain);
/* Since libvirt 0.3.0 */
VIRT_API virConnectPtr virDomainGetConnect(virDomainPtr dom);
/* Since libvirt 0.6.0 */
VIRT_API int virDomainRef(virDomainPtr domain);
/* Since libvirt 0.0.3 */
VIRT_API int virDomainFree(virDomainPtr domain);
/* Since libvirt 0.7.3 */
VIRT_API int virDomainIsActive(virDomainPtr dom);
/* Since libvirt 0.7.3 */
VIRT_API int virDomainIsPersistent(virDomainPtr dom);
/* Since libvirt 0.8.6 */
VIRT_API int virDomainIsUpdated(virDomainPtr dom);
/* Since libvirt 1.2.19 */
VIRT_API int virDomainRename(virDomainPtr dom, const char *new_name, unsigned int flags);

/* Since libvirt 0.0.3 */
VIRT_API virDomainPtr virDomainLookupByID(virConnectPtr conn, int id);
/* Since libvirt 0.0.3 */
VIRT_API virDomainPtr virDomainLookupByName(virConnectPtr conn, const char *name);
/* Since libvirt 0.0.5 */
VIRT_API virDomainPtr virDomainLookupByUUID(virConnectPtr conn, const unsigned char *uuid);
/* Since libvirt 0.1.1 */
VIRT_API virDomainPtr virDomainLookupByUUIDString(virConnectPtr conn, const char *uuidstr);
/* Since libvirt 0.9.13 */
typedef enum {
    VIR_CONNECT_LIST_DOMAINS_ACTIVE = 1 << 0,
    VIR_CONNECT_LIST_DOMAINS_INACTIVE = 1 << 1,
    VIR_CONNECT_LIST_DOMAINS_PERSISTENT = 1 << 2,
    VIR_CONNECT_LIST_DOMAINS_TRANSIENT = 1 << 3,
    VIR_CONNECT_LIST_DOMAINS_RUNNING = 1 << 4,
    VIR_CONNECT_LIST_DOMAINS_PAUSED = 1 << 5,
    VIR_CONNECT_LIST_DOMAINS_SHUTOFF = 1 << 6,
    VIR_CONNECT_LIST_DOMAINS_OTHER = 1 << 7,
    VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE = 1 << 8,
    VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE = 1 << 9,
    VIR_CONNECT_LIST_DOMAINS_AUTOSTART = 1 << 10,
    VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART = 1 << 11,
    VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT = 1 << 12,
    VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT = 1 << 13,
    VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT = 1 << 14, /* (5.6.0) */
    VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT = 1 << 15,  /* (5.6.0) */
} virConnectListAllDomainsFlags;
/* Since libvirt 0.9.13 */
VIRT_API int virConnectListAllDomains(virConnectPtr conn, virDomainPtr **domains,
                                      unsigned int flags);
/* Since libvirt 0.0.3 */
VIRT_API int virConnectListDomains(virConnectPtr conn, int *ids, int maxids);
/* Since libvirt 0.0.3 */
VIRT_API int virConnectNumOfDomains(virConnectPtr conn);
/* Since libvirt 0.1.1 */
VIRT_API int virConnectListDefinedDomains(virConnectPtr conn, char ** const names, int maxnames);
/* Since libvirt 0.1.5 */
VIRT_API int virConnectNumOfDefinedDomains(virConnectPtr conn);

/* Since libvirt 1.2.12 */
typedef enum {
    VIR_DOMAIN_DEFINE_VALIDATE = 1 << 0,
} virDomainDefineFlags;
/* Since libvirt 0.1.1 */
VIRT_API virDomainPtr virDomainDefineXML(virConnectPtr conn, const char *xml);
/* Since libvirt 1.2.12 */
VIRT_API virDomainPtr virDomainDefineXMLFlags(virConnectPtr conn, const char *xml,
                                              unsigned int flags);
/* Since libvirt 0.9.4 */
typedef enum {
    VIR_DOMAIN_UNDEFINE_MANAGED_SAVE = 1 << 0,
    VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA = 1 << 1,   /* (0.9.5) */
    VIR_DOMAIN_UNDEFINE_NVRAM = 1 << 2,                /* (1.2.9) */
    VIR_DOMAIN_UNDEFINE_KEEP_NVRAM = 1 << 3,           /* (2.3.0) */
    VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA = 1 << 4, /* (5.6.0) */
    VIR_DOMAIN_UNDEFINE_TPM = 1 << 5,                  /* (8.9.0) */
    VIR_DOMAIN_UNDEFINE_KEEP_TPM = 1 << 6,             /* (8.9.0) */
} virDomainUndefineFlagsValues;
/* Since libvirt 0.1.1 */
VIRT_API int virDomainUndefine(virDomainPtr domain);
/* Since libvirt 0.9.4 */
VIRT_API int virDomainUndefineFlags(virDomainPtr domain, unsigned int flags);
/* Since libvirt 0.0.1 */
typedef enum {
    VIR_DOMAIN_NONE = 0,
    VIR_DOMAIN_START_PAUSED = 1 << 0,       /* (0.8.2) */
    VIR_DOMAIN_START_AUTODESTROY = 1 << 1,  /* (0.9.3) */
    VIR_DOMAIN_START_BYPASS_CACHE = 1 << 2, /* (0.9.4) */
    VIR_DOMAIN_START_FORCE_BOOT = 1 << 3,   /* (0.9.5) */
    VIR_DOMAIN_START_VALIDATE = 1 << 4,     /* (1.2.12) */
    VIR_DOMAIN_START_RESET_NVRAM = 1 << 5,  /* (8.1.0) */
} virDomainCreateFlags;
/* Since libvirt 0.1.1 */
VIRT_API int virDomainCreate(virDomainPtr domain);
/* Since libvirt 0.8.2 */
VIRT_API int virDomainCreateWithFlags(virDomainPtr domain, unsigned int flags);
/* Since libvirt 0.5.0 */
VIRT_API virDomainPtr virDomainCreateXML(virConnectPtr conn, const char *xmlDesc,
                                         unsigned int flags);
/* Since libvirt 0.0.3 */
VIRT_API virDomainPtr virDomainCreateLinux(virConnectPtr conn, const char *xmlDesc,
                                           unsigned int flags);
/* Since libvirt 0.0.3 */
VIRT_API int virDomainSuspend(virDomainPtr domain);
/* Since libvirt 0.0.3 */
VIRT_API int virDomainResume(virDomainPtr domain);
/* Since libvirt 0.9.10 */
typedef enum {
    VIR_DOMAIN_SHUTDOWN_DEFAULT = 0,
    VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN = 1 << 0,
    VIR_DOMAIN_SHUTDOWN_GUEST_AGENT = 1 << 1,
    VIR_DOMAIN_SHUTDOWN_INITCTL = 1 << 2,        /* (1.0.1) */
    VIR_DOMAIN_SHUTDOWN_SIGNAL = 1 << 3,         /* (1.0.1) */
    VIR_DOMAIN_SHUTDOWN_PARAVIRT = 1 << 4,       /* (1.2.5) */
} virDomainShutdownFlagValues;
/* Since libvirt 0.0.3 */
VIRT_API int virDomainShutdown(virDomainPtr domain);
/* Since libvirt 0.9.10 */
VIRT_API int virDomainShutdownFlags(virDomainPtr domain, unsigned int flags);
/* Since libvirt 0.9.10 */
typedef enum {
    VIR_DOMAIN_REBOOT_DEFAULT = 0,
    VIR_DOMAIN_REBOOT_ACPI_POWER_BTN = 1 << 0,
    VIR_DOMAIN_REBOOT_GUEST_AGENT = 1 << 1,
    VIR_DOMAIN_REBOOT_INITCTL = 1 << 2,        /* (1.0.1) */
    VIR_DOMAIN_REBOOT_SIGNAL = 1 << 3,         /* (1.0.1) */
    VIR_DOMAIN_REBOOT_PARAVIRT = 1 << 4,       /* (1.2.5) */
} virDomainRebootFlagValues;
/* Since libvirt 0.1.0 */
VIRT_API int virDomainReboot(virDomainPtr domain, unsigned int flags);
/* Since libvirt 0.9.7 */
VIRT_API int virDomainReset(virDomainPtr domain, unsigned int flags);
/* Since libvirt 0.9.4 */
typedef enum {
    VIR_DOMAIN_DESTROY_DEFAULT = 0,          /* (0.9.10) */
    VIR_DOMAIN_DESTROY_GRACEFUL = 1 << 0,    /* (0.9.10) */
    VIR_DOMAIN_DESTROY_REMOVE_LOGS = 1 << 1, /* (8.3.0) */
} virDomainDestroyFlagsValues;
/* Since libvirt 0.0.3 */
VIRT_API int virDomainDestroy(virDomainPtr domain);
/* Since libvirt 0.9.4 */
VIRT_API int virDomainDestroyFlags(virDomainPtr domain, unsigned int flags);
/* Since libvirt 0.2.1 */
VIRT_API int virDomainGetAutostart(virDomainPtr domain, int *autostart);
/* Since libvirt 0.2.1 */
VIRT_API int virDomainSetAutostart(virDomainPtr domain, int autostart);
/* Since libvirt 3.9.0 */
typedef enum {
    VIR_DOMAIN_LIFECYCLE_POWEROFF = 0,
    VIR_DOMAIN_LIFECYCLE_REBOOT = 1,
    VIR_DOMAIN_LIFECYCLE_CRASH = 2,
    VIR_DOMAIN_LIFECYCLE_LAST = 3,     /* how many there are */
} virDomainLifecycle;
/* Since libvirt 3.9.0 */
typedef enum {
    VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY = 0,
    VIR_DOMAIN_LIFECYCLE_ACTION_RESTART = 1,
    VIR_DOMAIN_LIFECYCLE_ACTION_RESTART_RENAME = 2,
    VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE = 3,
    VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY = 4,
    VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART = 5,
    VIR_DOMAIN_LIFECYCLE_ACTION_LAST = 6,             /* how many there are */
} virDomainLifecycleAction;
/* Since libvirt 1.0.1 */
typedef enum {
    VIR_DOMAIN_PROCESS_SIGNAL_NOP = 0, VIR_DOMAIN_PROCESS_SIGNAL_HUP = 1,
    VIR_DOMAIN_PROCESS_SIGNAL_INT = 2, VIR_DOMAIN_PROCESS_SIGNAL_QUIT = 3,
    VIR_DOMAIN_PROCESS_SIGNAL_ILL = 4, VIR_DOMAIN_PROCESS_SIGNAL_TRAP = 5,
    VIR_DOMAIN_PROCESS_SIGNAL_ABRT = 6, VIR_DOMAIN_PROCESS_SIGNAL_BUS = 7,
    VIR_DOMAIN_PROCESS_SIGNAL_FPE = 8, VIR_DOMAIN_PROCESS_SIGNAL_KILL = 9,
    VIR_DOMAIN_PROCESS_SIGNAL_USR1 = 10, VIR_DOMAIN_PROCESS_SIGNAL_SEGV = 11,
    VIR_DOMAIN_PROCESS_SIGNAL_USR2 = 12, VIR_DOMAIN_PROCESS_SIGNAL_PIPE = 13,
    VIR_DOMAIN_PROCESS_SIGNAL_ALRM = 14, VIR_DOMAIN_PROCESS_SIGNAL_TERM = 15,
    VIR_DOMAIN_PROCESS_SIGNAL_STKFLT = 16, VIR_DOMAIN_PROCESS_SIGNAL_CHLD = 17,
    VIR_DOMAIN_PROCESS_SIGNAL_CONT = 18, VIR_DOMAIN_PROCESS_SIGNAL_STOP = 19,
    VIR_DOMAIN_PROCESS_SIGNAL_TSTP = 20, VIR_DOMAIN_PROCESS_SIGNAL_TTIN = 21,
    VIR_DOMAIN_PROCESS_SIGNAL_TTOU = 22, VIR_DOMAIN_PROCESS_SIGNAL_URG = 23,
    VIR_DOMAIN_PROCESS_SIGNAL_XCPU = 24, VIR_DOMAIN_PROCESS_SIGNAL_XFSZ = 25,
    VIR_DOMAIN_PROCESS_SIGNAL_VTALRM = 26, VIR_DOMAIN_PROCESS_SIGNAL_PROF = 27,
    VIR_DOMAIN_PROCESS_SIGNAL_WINCH = 28, VIR_DOMAIN_PROCESS_SIGNAL_POLL = 29,
    VIR_DOMAIN_PROCESS_SIGNAL_PWR = 30, VIR_DOMAIN_PROCESS_SIGNAL_SYS = 31,
    VIR_DOMAIN_PROCESS_SIGNAL_RT0 = 32, VIR_DOMAIN_PROCESS_SIGNAL_RT1 = 33,
    VIR_DOMAIN_PROCESS_SIGNAL_RT2 = 34, VIR_DOMAIN_PROCESS_SIGNAL_RT3 = 35,
    VIR_DOMAIN_PROCESS_SIGNAL_RT4 = 36, VIR_DOMAIN_PROCESS_SIGNAL_RT5 = 37,
    VIR_DOMAIN_PROCESS_SIGNAL_RT6 = 38, VIR_DOMAIN_PROCESS_SIGNAL_RT7 = 39,
    VIR_DOMAIN_PROCESS_SIGNAL_RT8 = 40, VIR_DOMAIN_PROCESS_SIGNAL_RT9 = 41,
    VIR_DOMAIN_PROCESS_SIGNAL_RT10 = 42, VIR_DOMAIN_PROCESS_SIGNAL_RT11 = 43,
    VIR_DOMAIN_PROCESS_SIGNAL_RT12 = 44, VIR_DOMAIN_PROCESS_SIGNAL_RT13 = 45,
    VIR_DOMAIN_PROCESS_SIGNAL_RT14 = 46, VIR_DOMAIN_PROCESS_SIGNAL_RT15 = 47,
    VIR_DOMAIN_PROCESS_SIGNAL_RT16 = 48, VIR_DOMAIN_PROCESS_SIGNAL_RT17 = 49,
    VIR_DOMAIN_PROCESS_SIGNAL_RT18 = 50, VIR_DOMAIN_PROCESS_SIGNAL_RT19 = 51,
    VIR_DOMAIN_PROCESS_SIGNAL_RT20 = 52, VIR_DOMAIN_PROCESS_SIGNAL_RT21 = 53,
    VIR_DOMAIN_PROCESS_SIGNAL_RT22 = 54, VIR_DOMAIN_PROCESS_SIGNAL_RT23 = 55,
    VIR_DOMAIN_PROCESS_SIGNAL_RT24 = 56, VIR_DOMAIN_PROCESS_SIGNAL_RT25 = 57,
    VIR_DOMAIN_PROCESS_SIGNAL_RT26 = 58, VIR_DOMAIN_PROCESS_SIGNAL_RT27 = 59,
    VIR_DOMAIN_PROCESS_SIGNAL_RT28 = 60, VIR_DOMAIN_PROCESS_SIGNAL_RT29 = 61,
    VIR_DOMAIN_PROCESS_SIGNAL_RT30 = 62, VIR_DOMAIN_PROCESS_SIGNAL_RT31 = 63,
    VIR_DOMAIN_PROCESS_SIGNAL_RT32 = 64, VIR_DOMAIN_PROCESS_SIGNAL_LAST = 65,
} virDomainProcessSignal;

/* Since libvirt 0.0.1 */
typedef enum {
    VIR_DOMAIN_NOSTATE = 0,
    VIR_DOMAIN_RUNNING = 1,
    VIR_DOMAIN_BLOCKED = 2,
    VIR_DOMAIN_PAUSED = 3,
    VIR_DOMAIN_SHUTDOWN = 4,
    VIR_DOMAIN_SHUTOFF = 5,
    VIR_DOMAIN_CRASHED = 6,     /* (0.0.2) */
    VIR_DOMAIN_PMSUSPENDED = 7, /* (0.9.11) */
    VIR_DOMAIN_LAST = 8,        /* how many there are */
} virDomainState;
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_NOSTATE_UNKNOWN = 0,
    VIR_DOMAIN_NOSTATE_LAST = 1,    /* how many there are */
} virDomainNostateReason;
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_RUNNING_UNKNOWN = 0,
    VIR_DOMAIN_RUNNING_BOOTED = 1,
    VIR_DOMAIN_RUNNING_MIGRATED = 2,
    VIR_DOMAIN_RUNNING_RESTORED = 3,
    VIR_DOMAIN_RUNNING_FROM_SNAPSHOT = 4,
    VIR_DOMAIN_RUNNING_UNPAUSED = 5,
    VIR_DOMAIN_RUNNING_MIGRATION_CANCELED = 6,
    VIR_DOMAIN_RUNNING_SAVE_CANCELED = 7,
    VIR_DOMAIN_RUNNING_WAKEUP = 8,             /* (0.9.11) */
    VIR_DOMAIN_RUNNING_CRASHED = 9,            /* (1.1.1) */
    VIR_DOMAIN_RUNNING_POSTCOPY = 10,          /* (1.3.3) */
    VIR_DOMAIN_RUNNING_POSTCOPY_FAILED = 11,   /* (8.5.0) */
    VIR_DOMAIN_RUNNING_LAST = 12,              /* how many there are */
} virDomainRunningReason;
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_BLOCKED_UNKNOWN = 0,
    VIR_DOMAIN_BLOCKED_LAST = 1,    /* how many there are */
} virDomainBlockedReason;
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_PAUSED_UNKNOWN = 0,
    VIR_DOMAIN_PAUSED_USER = 1,
    VIR_DOMAIN_PAUSED_MIGRATION = 2,
    VIR_DOMAIN_PAUSED_SAVE = 3,
    VIR_DOMAIN_PAUSED_DUMP = 4,
    VIR_DOMAIN_PAUSED_IOERROR = 5,
    VIR_DOMAIN_PAUSED_WATCHDOG = 6,
    VIR_DOMAIN_PAUSED_FROM_SNAPSHOT = 7,
    VIR_DOMAIN_PAUSED_SHUTTING_DOWN = 8,    /* (0.9.5) */
    VIR_DOMAIN_PAUSED_SNAPSHOT = 9,         /* (1.0.1) */
    VIR_DOMAIN_PAUSED_CRASHED = 10,         /* (1.1.1) */
    VIR_DOMAIN_PAUSED_STARTING_UP = 11,     /* (1.2.14) */
    VIR_DOMAIN_PAUSED_POSTCOPY = 12,        /* (1.3.3) */
    VIR_DOMAIN_PAUSED_POSTCOPY_FAILED = 13, /* (1.3.3) */
    VIR_DOMAIN_PAUSED_LAST = 14,            /* how many there are */
} virDomainPausedReason;
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_SHUTDOWN_UNKNOWN = 0,
    VIR_DOMAIN_SHUTDOWN_USER = 1,
    VIR_DOMAIN_SHUTDOWN_LAST = 2,    /* how many there are */
} virDomainShutdownReason;
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_SHUTOFF_UNKNOWN = 0,
    VIR_DOMAIN_SHUTOFF_SHUTDOWN = 1,
    VIR_DOMAIN_SHUTOFF_DESTROYED = 2,
    VIR_DOMAIN_SHUTOFF_CRASHED = 3,
    VIR_DOMAIN_SHUTOFF_MIGRATED = 4,
    VIR_DOMAIN_SHUTOFF_SAVED = 5,
    VIR_DOMAIN_SHUTOFF_FAILED = 6,
    VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT = 7,
    VIR_DOMAIN_SHUTOFF_DAEMON = 8,        /* (4.10.0) */
    VIR_DOMAIN_SHUTOFF_LAST = 9,          /* how many there are */
} virDomainShutoffReason;
/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_CRASHED_UNKNOWN = 0,
    VIR_DOMAIN_CRASHED_PANICKED = 1, /* (1.1.1) */
    VIR_DOMAIN_CRASHED_LAST = 2,     /* how many there are */
} virDomainCrashedReason;
/* Since libvirt 0.9.11 */
typedef enum {
    VIR_DOMAIN_PMSUSPENDED_UNKNOWN = 0,
    VIR_DOMAIN_PMSUSPENDED_LAST = 1,    /* how many there are */
} virDomainPMSuspendedReason;
/* Since libvirt 1.0.0 */
typedef enum {
    VIR_DOMAIN_PMSUSPENDED_DISK_UNKNOWN = 0,
    VIR_DOMAIN_PMSUSPENDED_DISK_LAST = 1,    /* how many there are */
} virDomainPMSuspendedDiskReason;
/* Since libvirt 0.0.1 */
typedef struct _virDomainInfo virDomainInfo;
typedef virDomainInfo *virDomainInfoPtr;
struct _virDomainInfo {
    unsigned char state;
    unsigned long maxMem;
    unsigned long memory;
    unsigned short nrVirtCpu;
    unsigned long long cpuTime;
};
/* Since libvirt 0.9.2 */
VIRT_API int virDomainGetState(virDomainPtr domain, int *state, int *reason, unsigned int flags);
/* Since libvirt 0.0.3 */
VIRT_API int virDomainGetInfo(virDomainPtr domain, virDomainInfoPtr info);
/* Since libvirt 0.9.3 */
typedef enum {
    VIR_DOMAIN_CONTROL_OK = 0,
    VIR_DOMAIN_CONTROL_JOB = 1,
    VIR_DOMAIN_CONTROL_OCCUPIED = 2,
    VIR_DOMAIN_CONTROL_ERROR = 3,
    VIR_DOMAIN_CONTROL_LAST = 4,     /* how many there are */
} virDomainControlState;
/* Since libvirt 1.2.14 */
typedef enum {
    VIR_DOMAIN_CONTROL_ERROR_REASON_NONE = 0,
    VIR_DOMAIN_CONTROL_ERROR_REASON_UNKNOWN = 1,
    VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR = 2,
    VIR_DOMAIN_CONTROL_ERROR_REASON_INTERNAL = 3,
    VIR_DOMAIN_CONTROL_ERROR_REASON_LAST = 4,     /* how many there are */
} virDomainControlErrorReason;
/* Since libvirt 0.9.3 */
typedef struct _virDomainControlInfo virDomainControlInfo;
typedef virDomainControlInfo *virDomainControlInfoPtr;
struct _virDomainControlInfo {
    unsigned int state;
    unsigned int details;
    unsigned long long stateTime;
};
/* Since libvirt 0.9.3 */
VIRT_API int virDomainGetControlInfo(virDomainPtr domain, virDomainControlInfoPtr info,
                                     unsigned int flags);

/* Since libvirt 0.3.3 */
typedef enum {
    VIR_DOMAIN_XML_SECURE = 1 << 0,
    VIR_DOMAIN_XML_INACTIVE = 1 << 1,
    VIR_DOMAIN_XML_UPDATE_CPU = 1 << 2, /* (0.8.0) */
    VIR_DOMAIN_XML_MIGRATABLE = 1 << 3, /* (1.0.0) */
} virDomainXMLFlags;
/* Since libvirt 0.0.3 */
VIRT_API char *virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags);

/* Since libvirt 0.9.2 */
typedef enum {
    VIR_DOMAIN_AFFECT_CURRENT = 0,
    VIR_DOMAIN_AFFECT_LIVE = 1 << 0,
    VIR_DOMAIN_AFFECT_CONFIG = 1 << 1,
} virDomainModificationImpact;
/* Since libvirt 0.9.0 */
typedef enum {
    VIR_DOMAIN_MEM_CURRENT = 0,      /* (0.9.1) */
    VIR_DOMAIN_MEM_LIVE = 1 << 0,
    VIR_DOMAIN_MEM_CONFIG = 1 << 1,
    VIR_DOMAIN_MEM_MAXIMUM = 1 << 2, /* (0.9.1) */
} virDomainMemoryModFlags;
/* Since libvirt 0.0.3 */
VIRT_API unsigned long virDomainGetMaxMemory(virDomainPtr domain);
/* Since libvirt 0.8.5 */
typedef enum {
    VIR_DOMAIN_VCPU_CURRENT = 0,           /* (0.9.4) */
    VIR_DOMAIN_VCPU_LIVE = 1 << 0,
    VIR_DOMAIN_VCPU_CONFIG = 1 << 1,
    VIR_DOMAIN_VCPU_MAXIMUM = 1 << 2,
    VIR_DOMAIN_VCPU_GUEST = 1 << 3,        /* (1.1.0) */
    VIR_DOMAIN_VCPU_HOTPLUGGABLE = 1 << 4, /* (2.4.0) */
} virDomainVcpuFlags;
/* Since libvirt 0.1.4 */
typedef enum {
    VIR_VCPU_OFFLINE = 0,
    VIR_VCPU_RUNNING = 1,
    VIR_VCPU_BLOCKED = 2,
    VIR_VCPU_LAST = 3,    /* how many there are */
} virVcpuState;
/* Since libvirt 6.10.0 */
typedef enum {
    VIR_VCPU_INFO_CPU_UNAVAILABLE = -2,
    VIR_VCPU_INFO_CPU_OFFLINE = -1,
} virVcpuHostCpuState;
/* Since libvirt 0.1.4 */
typedef struct _virVcpuInfo virVcpuInfo;
typedef virVcpuInfo *virVcpuInfoPtr;
struct _virVcpuInfo {
    unsigned int number;
    int state;
    unsigned long long cpuTime;
    int cpu;
};
#define VIR_USE_CPU(cpumap, cpu) ((cpumap)[(cpu) / 8] |= (1 << ((cpu) % 8)))
#define VIR_UNUSE_CPU(cpumap, cpu) ((cpumap)[(cpu) / 8] &= ~(1 << ((cpu) % 8)))
#define VIR_CPU_USED(cpumap, cpu) ((cpumap)[(cpu) / 8] & (1 << ((cpu) % 8)))
#define VIR_CPU_MAPLEN(cpu) (((cpu) + 7) / 8)
#define VIR_CPU_USABLE(cpumaps, maplen, vcpu, cpu) \
    VIR_CPU_USED(VIR_GET_CPUMAP(cpumaps, maplen, vcpu), cpu)
#define VIR_COPY_CPUMAP(cpumaps, maplen, vcpu, cpumap) \
    memcpy(cpumap, VIR_GET_CPUMAP(cpumaps, maplen, vcpu), maplen)
#define VIR_GET_CPUMAP(cpumaps, maplen, vcpu) (&((cpumaps)[(vcpu) * (maplen)]))
/* Since libvirt 0.2.1 */
VIRT_API int virDomainGetMaxVcpus(virDomainPtr domain);
/* Since libvirt 0.8.5 */
VIRT_API int virDomainGetVcpusFlags(virDomainPtr domain, unsigned int flags);
/* Since libvirt 0.1.4 */
VIRT_API int virDomainGetVcpus(virDomainPtr domain, virVcpuInfoPtr info, int maxinfo,
                               unsigned char *cpumaps, int maplen);
/* Since libvirt 0.9.3 */
VIRT_API int virDomainGetVcpuPinInfo(virDomainPtr domain, int ncpumaps, unsigned char *cpumaps,
                                     int maplen, unsigned int flags);
/* Since libvirt 0.10.0 */
VIRT_API int virDomainGetEmulatorPinInfo(virDomainPtr domain, unsigned char *cpumap, int maplen,
                                         unsigned int flags);

/* Since libvirt 0.7.7 */
typedef enum {
    VIR_DOMAIN_JOB_NONE = 0,
    VIR_DOMAIN_JOB_BOUNDED = 1,
    VIR_DOMAIN_JOB_UNBOUNDED = 2,
    VIR_DOMAIN_JOB_COMPLETED = 3,
    VIR_DOMAIN_JOB_FAILED = 4,
    VIR_DOMAIN_JOB_CANCELLED = 5,
    VIR_DOMAIN_JOB_LAST = 6,      /* how many there are */
} virDomainJobType;
/* Since libvirt 3.3.0 */
typedef enum {
    VIR_DOMAIN_JOB_OPERATION_UNKNOWN = 0,
    VIR_DOMAIN_JOB_OPERATION_START = 1,
    VIR_DOMAIN_JOB_OPERATION_SAVE = 2,
    VIR_DOMAIN_JOB_OPERATION_RESTORE = 3,
    VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN = 4,
    VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT = 5,
    VIR_DOMAIN_JOB_OPERATION_SNAPSHOT = 6,
    VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT = 7,
    VIR_DOMAIN_JOB_OPERATION_DUMP = 8,
    VIR_DOMAIN_JOB_OPERATION_BACKUP = 9,           /* (6.0.0) */
    VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE = 10, /* (9.0.0) */
    VIR_DOMAIN_JOB_OPERATION_LAST = 11,            /* how many there are */
} virDomainJobOperation;
/* Since libvirt 0.7.7 */
typedef struct _virDomainJobInfo virDomainJobInfo;
typedef virDomainJobInfo *virDomainJobInfoPtr;
struct _virDomainJobInfo {
    int type;
    unsigned long long timeElapsed;
    unsigned long long timeRemaining;
    unsigned long long dataTotal;
    unsigned long long dataProcessed;
    unsigned long long dataRemaining;
    unsigned long long memTotal;
    unsigned long long memProcessed;
    unsigned long long memRemaining;
    unsigned long long fileTotal;
    unsigned long long fileProcessed;
    unsigned long long fileRemaining;
};
#define VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE "auto_converge_throttle"
#define VIR_DOMAIN_JOB_COMPRESSION_BYTES "compression_bytes"
#define VIR_DOMAIN_JOB_COMPRESSION_CACHE "compression_cache"
#define VIR_DOMAIN_JOB_COMPRESSION_CACHE_MISSES "compression_cache_misses"
#define VIR_DOMAIN_JOB_COMPRESSION_OVERFLOW "compression_overflow"
#define VIR_DOMAIN_JOB_COMPRESSION_PAGES "compression_pages"
#define VIR_DOMAIN_JOB_DATA_PROCESSED "data_processed"
#define VIR_DOMAIN_JOB_DATA_REMAINING "data_remaining"
#define VIR_DOMAIN_JOB_DATA_TOTAL "data_total"
#define VIR_DOMAIN_JOB_DISK_BPS "disk_bps"
#define VIR_DOMAIN_JOB_DISK_PROCESSED "disk_processed"
#define VIR_DOMAIN_JOB_DISK_REMAINING "disk_remaining"
#define VIR_DOMAIN_JOB_DISK_TEMP_TOTAL "disk_temp_total"
#define VIR_DOMAIN_JOB_DISK_TEMP_USED "disk_temp_used"
#define VIR_DOMAIN_JOB_DISK_TOTAL "disk_total"
#define VIR_DOMAIN_JOB_DOWNTIME "downtime"
#define VIR_DOMAIN_JOB_DOWNTIME_NET "downtime_net"
#define VIR_DOMAIN_JOB_ERRMSG "errmsg"
#define VIR_DOMAIN_JOB_MEMORY_BPS "memory_bps"
#define VIR_DOMAIN_JOB_MEMORY_CONSTANT "memory_constant"
#define VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE "memory_dirty_rate"
#define VIR_DOMAIN_JOB_MEMORY_ITERATION "memory_iteration"
#define VIR_DOMAIN_JOB_MEMORY_NORMAL "memory_normal"
#define VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES "memory_normal_bytes"
#define VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE "memory_page_size"
#define VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS "memory_postcopy_requests"
#define VIR_DOMAIN_JOB_MEMORY_PROCESSED "memory_processed"
#define VIR_DOMAIN_JOB_MEMORY_REMAINING "memory_remaining"
#define VIR_DOMAIN_JOB_MEMORY_TOTAL "memory_total"
#define VIR_DOMAIN_JOB_OPERATION "operation"
#define VIR_DOMAIN_JOB_SETUP_TIME "setup_time"
#define VIR_DOMAIN_JOB_SUCCESS "success"
#define VIR_DOMAIN_JOB_TIME_ELAPSED "time_elapsed"
#define VIR_DOMAIN_JOB_TIME_ELAPSED_NET "time_elapsed_net"
#define VIR_DOMAIN_JOB_TIME_REMAINING "time_remaining"
#define VIR_DOMAIN_JOB_CONVERGENCE "convergence"
#define VIR_DOMAIN_JOB_DOWNTIME_EXPECTED "downtime_expected"
/* Since libvirt 1.2.9 */
typedef enum {
    VIR_DOMAIN_JOB_STATS_COMPLETED = 1 << 0,
    VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED = 1 << 1, /* (6.0.0) */
} virDomainGetJobStatsFlags;
/* Since libvirt 0.7.7 */
VIRT_API int virDomainGetJobInfo(virDomainPtr domain, virDomainJobInfoPtr info);
/* Since libvirt 1.0.3 */
VIRT_API int virDomainGetJobStats(virDomainPtr domain, int *type, virTypedParameterPtr *params,
                                  int *nparams, unsigned int flags);
/* Since libvirt 8.5.0 */
typedef enum {
    VIR_DOMAIN_ABORT_JOB_POSTCOPY = 1 << 0,
} virDomainAbortJobFlagsValues;
/* Since libvirt 0.7.7 */
VIRT_API int virDomainAbortJob(virDomainPtr domain);
/* Since libvirt 8.5.0 */
VIRT_API int virDomainAbortJobFlags(virDomainPtr domain, unsigned int flags);

/* Since libvirt 0.9.10 */
typedef enum {
    VIR_DOMAIN_METADATA_DESCRIPTION = 0,
    VIR_DOMAIN_METADATA_TITLE = 1,
    VIR_DOMAIN_METADATA_ELEMENT = 2,
    VIR_DOMAIN_METADATA_LAST = 3,        /* how many there are */
} virDomainMetadataType;
/* Since libvirt 0.9.10 */
VIRT_API char *virDomainGetMetadata(virDomainPtr domain, int type, const char *uri,
                                    unsigned int flags);
/* Since libvirt 0.9.10 */
VIRT_API int virDomainSetMetadata(virDomainPtr domain, int type, const char *metadata,
                                  const char *key, const char *uri, unsigned int flags);

/* 8. Domain events */
/* Since libvirt 0.8.0 */
typedef enum {
    VIR_DOMAIN_EVENT_ID_LIFECYCLE = 0,
    VIR_DOMAIN_EVENT_ID_REBOOT = 1,
    VIR_DOMAIN_EVENT_ID_RTC_CHANGE = 2,
    VIR_DOMAIN_EVENT_ID_WATCHDOG = 3,
    VIR_DOMAIN_EVENT_ID_IO_ERROR = 4,
    VIR_DOMAIN_EVENT_ID_GRAPHICS = 5,
    VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON = 6,            /* (0.8.1) */
    VIR_DOMAIN_EVENT_ID_CONTROL_ERROR = 7,              /* (0.9.2) */
    VIR_DOMAIN_EVENT_ID_BLOCK_JOB = 8,                  /* (0.9.4) */
    VIR_DOMAIN_EVENT_ID_DISK_CHANGE = 9,                /* (0.9.7) */
    VIR_DOMAIN_EVENT_ID_TRAY_CHANGE = 10,               /* (0.9.11) */
    VIR_DOMAIN_EVENT_ID_PMWAKEUP = 11,                  /* (0.9.11) */
    VIR_DOMAIN_EVENT_ID_PMSUSPEND = 12,                 /* (0.9.11) */
    VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE = 13,            /* (0.10.0) */
    VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK = 14,            /* (1.0.0) */
    VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED = 15,            /* (1.1.1) */
    VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2 = 16,               /* (1.2.6) */
    VIR_DOMAIN_EVENT_ID_TUNABLE = 17,                   /* (1.2.9) */
    VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE = 18,           /* (1.2.11) */
    VIR_DOMAIN_EVENT_ID_DEVICE_ADDED = 19,              /* (1.2.15) */
    VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION = 20,       /* (1.3.2) */
    VIR_DOMAIN_EVENT_ID_JOB_COMPLETED = 21,             /* (1.3.3) */
    VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED = 22,     /* (1.3.4) */
    VIR_DOMAIN_EVENT_ID_METADATA_CHANGE = 23,           /* (3.0.0) */
    VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD = 24,           /* (3.2.0) */
    VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE = 25,            /* (6.9.0) */
    VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE = 26, /* (7.9.0) */
    VIR_DOMAIN_EVENT_ID_LAST = 27,                      /* how many there are */
} virDomainEventID;
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_DOMAIN_EVENT_DEFINED = 0,
    VIR_DOMAIN_EVENT_UNDEFINED = 1,
    VIR_DOMAIN_EVENT_STARTED = 2,
    VIR_DOMAIN_EVENT_SUSPENDED = 3,
    VIR_DOMAIN_EVENT_RESUMED = 4,
    VIR_DOMAIN_EVENT_STOPPED = 5,
    VIR_DOMAIN_EVENT_SHUTDOWN = 6,    /* (0.9.8) */
    VIR_DOMAIN_EVENT_PMSUSPENDED = 7, /* (0.10.2) */
    VIR_DOMAIN_EVENT_CRASHED = 8,     /* (1.1.1) */
    VIR_DOMAIN_EVENT_LAST = 9,        /* how many there are */
} virDomainEventType;
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_DOMAIN_EVENT_DEFINED_ADDED = 0,
    VIR_DOMAIN_EVENT_DEFINED_UPDATED = 1,
    VIR_DOMAIN_EVENT_DEFINED_RENAMED = 2,       /* (1.2.19) */
    VIR_DOMAIN_EVENT_DEFINED_FROM_SNAPSHOT = 3, /* (1.3.3) */
    VIR_DOMAIN_EVENT_DEFINED_LAST = 4,          /* how many there are */
} virDomainEventDefinedDetailType;
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_DOMAIN_EVENT_UNDEFINED_REMOVED = 0,
    VIR_DOMAIN_EVENT_UNDEFINED_RENAMED = 1, /* (1.2.19) */
    VIR_DOMAIN_EVENT_UNDEFINED_LAST = 2,    /* how many there are */
} virDomainEventUndefinedDetailType;
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_DOMAIN_EVENT_STARTED_BOOTED = 0,
    VIR_DOMAIN_EVENT_STARTED_MIGRATED = 1,
    VIR_DOMAIN_EVENT_STARTED_RESTORED = 2,
    VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT = 3, /* (0.8.0) */
    VIR_DOMAIN_EVENT_STARTED_WAKEUP = 4,        /* (0.9.11) */
    VIR_DOMAIN_EVENT_STARTED_LAST = 5,          /* how many there are */
} virDomainEventStartedDetailType;
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_DOMAIN_EVENT_SUSPENDED_PAUSED = 0,
    VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED = 1,
    VIR_DOMAIN_EVENT_SUSPENDED_IOERROR = 2,         /* (0.8.0) */
    VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG = 3,        /* (0.8.0) */
    VIR_DOMAIN_EVENT_SUSPENDED_RESTORED = 4,        /* (0.9.5) */
    VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT = 5,   /* (0.9.5) */
    VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR = 6,       /* (1.0.1) */
    VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY = 7,        /* (1.3.3) */
    VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED = 8, /* (1.3.3) */
    VIR_DOMAIN_EVENT_SUSPENDED_LAST = 9,            /* how many there are */
} virDomainEventSuspendedDetailType;
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_DOMAIN_EVENT_RESUMED_UNPAUSED = 0,
    VIR_DOMAIN_EVENT_RESUMED_MIGRATED = 1,
    VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT = 2,   /* (0.9.5) */
    VIR_DOMAIN_EVENT_RESUMED_POSTCOPY = 3,        /* (1.3.3) */
    VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED = 4, /* (8.5.0) */
    VIR_DOMAIN_EVENT_RESUMED_LAST = 5,            /* how many there are */
} virDomainEventResumedDetailType;
/* Since libvirt 0.5.0 */
typedef enum {
    VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN = 0,
    VIR_DOMAIN_EVENT_STOPPED_DESTROYED = 1,
    VIR_DOMAIN_EVENT_STOPPED_CRASHED = 2,
    VIR_DOMAIN_EVENT_STOPPED_MIGRATED = 3,
    VIR_DOMAIN_EVENT_STOPPED_SAVED = 4,
    VIR_DOMAIN_EVENT_STOPPED_FAILED = 5,
    VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT = 6, /* (0.8.0) */
    VIR_DOMAIN_EVENT_STOPPED_LAST = 7,          /* how many there are */
} virDomainEventStoppedDetailType;
/* Since libvirt 0.9.8 */
typedef enum {
    VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED = 0,
    VIR_DOMAIN_EVENT_SHUTDOWN_GUEST = 1,    /* (3.4.0) */
    VIR_DOMAIN_EVENT_SHUTDOWN_HOST = 2,     /* (3.4.0) */
    VIR_DOMAIN_EVENT_SHUTDOWN_LAST = 3,     /* how many there are */
} virDomainEventShutdownDetailType;
/* Since libvirt 0.10.2 */
typedef enum {
    VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY = 0,
    VIR_DOMAIN_EVENT_PMSUSPENDED_DISK = 1,   /* (1.0.0) */
    VIR_DOMAIN_EVENT_PMSUSPENDED_LAST = 2,   /* how many there are */
} virDomainEventPMSuspendedDetailType;
/* Since libvirt 1.1.1 */
typedef enum {
    VIR_DOMAIN_EVENT_CRASHED_PANICKED = 0,
    VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED = 1, /* (6.1.0) */
    VIR_DOMAIN_EVENT_CRASHED_LAST = 2,        /* how many there are */
} virDomainEventCrashedDetailType;
/* Since libvirt 0.5.0 */
typedef int (*virConnectDomainEventCallback)(virConnectPtr conn, virDomainPtr dom, int event,
                                             int detail, void *opaque);
/* Since libvirt 0.8.0 */
typedef void (*virConnectDomainEventGenericCallback)(virConnectPtr conn, virDomainPtr dom,
                                                     void *opaque);
#define VIR_DOMAIN_EVENT_CALLBACK(cb) ((virConnectDomainEventGenericCallback)(cb))
/* Since libvirt 0.8.0 */
VIRT_API int virConnectDomainEventRegisterAny(virConnectPtr conn, virDomainPtr dom, int eventID,
                                              virConnectDomainEventGenericCallback cb, void *opaque,
                                              virFreeCallback freecb);
/* Since libvirt 0.8.0 */
VIRT_API int virConnectDomainEventDeregisterAny(virConnectPtr conn, int callbackID);
/* Since libvirt 0.5.0 */
VIRT_API int virConnectDomainEventRegister(virConnectPtr conn, virConnectDomainEventCallback cb,
                                           void *opaque, virFreeCallback freecb);
/* Since libvirt 0.5.0 */
VIRT_API int virConnectDomainEventDeregister(virConnectPtr conn, virConnectDomainEventCallback cb);
/* Since libvirt 0.8.0 */
typedef void (*virConnectDomainEventRTCChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                       long long utcoffset, void *opaque);
/* Since libvirt 0.8.0 */
typedef enum {
    VIR_DOMAIN_EVENT_WATCHDOG_NONE = 0,
    VIR_DOMAIN_EVENT_WATCHDOG_PAUSE = 1,
    VIR_DOMAIN_EVENT_WATCHDOG_RESET = 2,
    VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF = 3,
    VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN = 4,
    VIR_DOMAIN_EVENT_WATCHDOG_DEBUG = 5,
    VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI = 6, /* (1.2.17) */
    VIR_DOMAIN_EVENT_WATCHDOG_LAST = 7,      /* how many there are */
} virDomainEventWatchdogAction;
/* Since libvirt 0.8.0 */
typedef void (*virConnectDomainEventWatchdogCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      int action, void *opaque);
/* Since libvirt 0.8.0 */
typedef enum {
    VIR_DOMAIN_EVENT_IO_ERROR_NONE = 0,
    VIR_DOMAIN_EVENT_IO_ERROR_PAUSE = 1,
    VIR_DOMAIN_EVENT_IO_ERROR_REPORT = 2,
    VIR_DOMAIN_EVENT_IO_ERROR_LAST = 3,   /* how many there are */
} virDomainEventIOErrorAction;
/* Since libvirt 0.8.0 */
typedef void (*virConnectDomainEventIOErrorCallback)(virConnectPtr conn, virDomainPtr dom,
                                                     const char *srcPath, const char *devAlias,
                                                     int action, void *opaque);
/* Since libvirt 0.8.1 */
typedef void (*virConnectDomainEventIOErrorReasonCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           const char *srcPath,
                                                           const char *devAlias, int action,
                                                           const char *reason, void *opaque);
/* Since libvirt 0.8.0 */
typedef enum {
    VIR_DOMAIN_EVENT_GRAPHICS_CONNECT = 0,
    VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE = 1,
    VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT = 2,
    VIR_DOMAIN_EVENT_GRAPHICS_LAST = 3,       /* how many there are */
} virDomainEventGraphicsPhase;
/* Since libvirt 0.8.0 */
typedef enum {
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV4 = 0,
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV6 = 1,
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX = 2, /* (0.9.7) */
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_LAST = 3, /* how many there are */
} virDomainEventGraphicsAddressType;
/* Since libvirt 0.8.0 */
typedef struct _virDomainEventGraphicsAddress virDomainEventGraphicsAddress;
typedef virDomainEventGraphicsAddress *virDomainEventGraphicsAddressPtr;
struct _virDomainEventGraphicsAddress {
    int family;
    char *node;
    char *service;
};
/* Since libvirt 0.8.0 */
typedef struct _virDomainEventGraphicsSubjectIdentity virDomainEventGraphicsSubjectIdentity;
typedef virDomainEventGraphicsSubjectIdentity *virDomainEventGraphicsSubjectIdentityPtr;
struct _virDomainEventGraphicsSubjectIdentity {
    char *type;
    char *name;
};
/* Since libvirt 0.8.0 */
typedef struct _virDomainEventGraphicsSubject virDomainEventGraphicsSubject;
typedef virDomainEventGraphicsSubject *virDomainEventGraphicsSubjectPtr;
struct _virDomainEventGraphicsSubject {
    int nidentity;
    virDomainEventGraphicsSubjectIdentityPtr identities;
};
/* Since libvirt 0.8.0 */
typedef void (*virConnectDomainEventGraphicsCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      int phase,
                                                      const virDomainEventGraphicsAddress *local,
                                                      const virDomainEventGraphicsAddress *remote,
                                                      const char *authScheme,
                                                      const virDomainEventGraphicsSubject *subject,
                                                      void *opaque);
/* Since libvirt 0.9.4 */
typedef enum {
    VIR_DOMAIN_BLOCK_JOB_TYPE_UNKNOWN = 0,
    VIR_DOMAIN_BLOCK_JOB_TYPE_PULL = 1,
    VIR_DOMAIN_BLOCK_JOB_TYPE_COPY = 2,          /* (0.9.12) */
    VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT = 3,        /* (0.10.2) */
    VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT = 4, /* (1.2.6) */
    VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP = 5,        /* (6.0.0) */
    VIR_DOMAIN_BLOCK_JOB_TYPE_LAST = 6,          /* how many there are */
} virDomainBlockJobType;
/* Since libvirt 0.9.4 */
typedef enum {
    VIR_DOMAIN_BLOCK_JOB_COMPLETED = 0,
    VIR_DOMAIN_BLOCK_JOB_FAILED = 1,
    VIR_DOMAIN_BLOCK_JOB_CANCELED = 2,  /* (0.9.12) */
    VIR_DOMAIN_BLOCK_JOB_READY = 3,     /* (1.0.0) */
    VIR_DOMAIN_BLOCK_JOB_LAST = 4,      /* how many there are */
} virConnectDomainEventBlockJobStatus;
/* Since libvirt 0.9.4 */
typedef void (*virConnectDomainEventBlockJobCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      const char *disk, int type, int status,
                                                      void *opaque);
/* Since libvirt 0.9.7 */
typedef enum {
    VIR_DOMAIN_EVENT_DISK_CHANGE_MISSING_ON_START = 0,
    VIR_DOMAIN_EVENT_DISK_DROP_MISSING_ON_START = 1,   /* (1.1.2) */
    VIR_DOMAIN_EVENT_DISK_CHANGE_LAST = 2,             /* how many there are */
} virConnectDomainEventDiskChangeReason;
/* Since libvirt 0.9.7 */
typedef void (*virConnectDomainEventDiskChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                        const char *oldSrcPath,
                                                        const char *newSrcPath,
                                                        const char *devAlias, int reason,
                                                        void *opaque);
/* Since libvirt 0.9.11 */
typedef enum {
    VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN = 0,
    VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE = 1,
    VIR_DOMAIN_EVENT_TRAY_CHANGE_LAST = 2,  /* how many there are */
} virDomainEventTrayChangeReason;
/* Since libvirt 0.9.11 */
typedef void (*virConnectDomainEventTrayChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                        const char *devAlias, int reason,
                                                        void *opaque);
/* Since libvirt 0.9.11 */
typedef void (*virConnectDomainEventPMWakeupCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      int reason, void *opaque);
/* Since libvirt 0.9.11 */
typedef void (*virConnectDomainEventPMSuspendCallback)(virConnectPtr conn, virDomainPtr dom,
                                                       int reason, void *opaque);
/* Since libvirt 1.0.0 */
typedef void (*virConnectDomainEventPMSuspendDiskCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           int reason, void *opaque);
/* Since libvirt 0.10.0 */
typedef void (*virConnectDomainEventBalloonChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           unsigned long long actual, void *opaque);
/* Since libvirt 1.2.15 */
typedef void (*virConnectDomainEventDeviceAddedCallback)(virConnectPtr conn, virDomainPtr dom,
                                                         const char *devAlias, void *opaque);
/* Since libvirt 1.1.1 */
typedef void (*virConnectDomainEventDeviceRemovedCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           const char *devAlias, void *opaque);
/* Since libvirt 1.3.4 */
typedef void (*virConnectDomainEventDeviceRemovalFailedCallback)(virConnectPtr conn,
                                                                 virDomainPtr dom,
                                                                 const char *devAlias,
                                                                 void *opaque);
#define VIR_DOMAIN_TUNABLE_BLKDEV_DISK "blkdeviotune.disk"
#define VIR_DOMAIN_TUNABLE_BLKDEV_GROUP_NAME "blkdeviotune.group_name"
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_BYTES_SEC "blkdeviotune.read_bytes_sec"
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_BYTES_SEC_MAX "blkdeviotune.read_bytes_sec_max"
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_BYTES_SEC_MAX_LENGTH "blkdeviotune.read_bytes_sec_max_length"
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_IOPS_SEC "blkdeviotune.read_iops_sec"
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_IOPS_SEC_MAX "blkdeviotune.read_iops_sec_max"
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_IOPS_SEC_MAX_LENGTH "blkdeviotune.read_iops_sec_max_length"
#define VIR_DOMAIN_TUNABLE_BLKDEV_SIZE_IOPS_SEC "blkdeviotune.size_iops_sec"
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_BYTES_SEC "blkdeviotune.total_bytes_sec"
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_BYTES_SEC_MAX "blkdeviotune.total_bytes_sec_max"
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_BYTES_SEC_MAX_LENGTH "blkdeviotune.total_bytes_sec_max_length"
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_IOPS_SEC "blkdeviotune.total_iops_sec"
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_IOPS_SEC_MAX "blkdeviotune.total_iops_sec_max"
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_IOPS_SEC_MAX_LENGTH "blkdeviotune.total_iops_sec_max_length"
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_BYTES_SEC "blkdeviotune.write_bytes_sec"
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_BYTES_SEC_MAX "blkdeviotune.write_bytes_sec_max"
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_BYTES_SEC_MAX_LENGTH "blkdeviotune.write_bytes_sec_max_length"
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_IOPS_SEC "blkdeviotune.write_iops_sec"
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_IOPS_SEC_MAX "blkdeviotune.write_iops_sec_max"
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_IOPS_SEC_MAX_LENGTH "blkdeviotune.write_iops_sec_max_length"
#define VIR_DOMAIN_TUNABLE_CPU_CPU_SHARES "cputune.cpu_shares"
#define VIR_DOMAIN_TUNABLE_CPU_EMULATORPIN "cputune.emulatorpin"
#define VIR_DOMAIN_TUNABLE_CPU_EMULATOR_PERIOD "cputune.emulator_period"
#define VIR_DOMAIN_TUNABLE_CPU_EMULATOR_QUOTA "cputune.emulator_quota"
#define VIR_DOMAIN_TUNABLE_CPU_GLOBAL_PERIOD "cputune.global_period"
#define VIR_DOMAIN_TUNABLE_CPU_GLOBAL_QUOTA "cputune.global_quota"
#define VIR_DOMAIN_TUNABLE_CPU_IOTHREADSPIN "cputune.iothreadpin%u"
#define VIR_DOMAIN_TUNABLE_CPU_IOTHREAD_PERIOD "cputune.iothread_period"
#define VIR_DOMAIN_TUNABLE_CPU_IOTHREAD_QUOTA "cputune.iothread_quota"
#define VIR_DOMAIN_TUNABLE_CPU_VCPUPIN "cputune.vcpupin%u"
#define VIR_DOMAIN_TUNABLE_CPU_VCPU_PERIOD "cputune.vcpu_period"
#define VIR_DOMAIN_TUNABLE_CPU_VCPU_QUOTA "cputune.vcpu_quota"
/* Since libvirt 1.2.9 */
typedef void (*virConnectDomainEventTunableCallback)(virConnectPtr conn, virDomainPtr dom,
                                                     virTypedParameterPtr params, int nparams,
                                                     void *opaque);
/* Since libvirt 1.2.11 */
typedef enum {
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED = 1,
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED = 2,
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_LAST = 3, /* how many there are */
} virConnectDomainEventAgentLifecycleState;
/* Since libvirt 1.2.11 */
typedef enum {
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_UNKNOWN = 0,
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_DOMAIN_STARTED = 1,
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL = 2,
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_LAST = 3, /* how many there are */
} virConnectDomainEventAgentLifecycleReason;
/* Since libvirt 1.2.11 */
typedef void (*virConnectDomainEventAgentLifecycleCallback)(virConnectPtr conn, virDomainPtr dom,
                                                            int state, int reason, void *opaque);
/* Since libvirt 1.3.2 */
typedef void (*virConnectDomainEventMigrationIterationCallback)(virConnectPtr conn,
                                                                virDomainPtr dom, int iteration,
                                                                void *opaque);
/* Since libvirt 1.3.3 */
typedef void (*virConnectDomainEventJobCompletedCallback)(virConnectPtr conn, virDomainPtr dom,
                                                          virTypedParameterPtr params, int nparams,
                                                          void *opaque);
/* Since libvirt 3.0.0 */
typedef void (*virConnectDomainEventMetadataChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                            int type, const char *nsuri,
                                                            void *opaque);
/* Since libvirt 3.2.0 */
typedef void (*virConnectDomainEventBlockThresholdCallback)(virConnectPtr conn, virDomainPtr dom,
                                                            const char *dev, const char *path,
                                                            unsigned long long threshold,
                                                            unsigned long long excess,
                                                            void *opaque);
/* Since libvirt 6.9.0 */
typedef enum {
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_HYPERVISOR = 0,
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_GUEST = 1,
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_LAST = 2,     /* how many there are */
} virDomainMemoryFailureRecipientType;
/* Since libvirt 6.9.0 */
typedef enum {
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_IGNORE = 0,
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_INJECT = 1,
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_FATAL = 2,
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_RESET = 3,
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_LAST = 4,   /* how many there are */
} virDomainMemoryFailureActionType;
/* Since libvirt 6.9.0 */
typedef enum {
    VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED = 1 << 0,
    VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE = 1 << 1,
} virDomainMemoryFailureFlags;
/* Since libvirt 6.9.0 */
typedef void (*virConnectDomainEventMemoryFailureCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           int recipient, int action,
                                                           unsigned int flags, void *opaque);
/* Since libvirt 7.9.0 */
typedef void (*virConnectDomainEventMemoryDeviceSizeChangeCallback)(virConnectPtr conn,
                                                                    virDomainPtr dom,
                                                                    const char *alias,
                                                                    unsigned long long size,
                                                                    void *opaque);

/* 9. Migration: libvirt's blocking calls */
/* Since libvirt 0.3.2 */
typedef enum {
    VIR_MIGRATE_LIVE = 1 << 0,
    VIR_MIGRATE_PEER2PEER = 1 << 1,                      /* (0.7.2) */
    VIR_MIGRATE_TUNNELLED = 1 << 2,                      /* (0.7.2) */
    VIR_MIGRATE_PERSIST_DEST = 1 << 3,                   /* (0.7.3) */
    VIR_MIGRATE_UNDEFINE_SOURCE = 1 << 4,                /* (0.7.3) */
    VIR_MIGRATE_PAUSED = 1 << 5,                         /* (0.7.5) */
    VIR_MIGRATE_NON_SHARED_DISK = 1 << 6,                /* (0.8.2) */
    VIR_MIGRATE_NON_SHARED_INC = 1 << 7,                 /* (0.8.2) */
    VIR_MIGRATE_CHANGE_PROTECTION = 1 << 8,              /* (0.9.4) */
    VIR_MIGRATE_UNSAFE = 1 << 9,                         /* (0.9.11) */
    VIR_MIGRATE_OFFLINE = 1 << 10,                       /* (1.0.1) */
    VIR_MIGRATE_COMPRESSED = 1 << 11,                    /* (1.0.3) */
    VIR_MIGRATE_ABORT_ON_ERROR = 1 << 12,                /* (1.1.0) */
    VIR_MIGRATE_AUTO_CONVERGE = 1 << 13,                 /* (1.2.3) */
    VIR_MIGRATE_RDMA_PIN_ALL = 1 << 14,                  /* (1.2.9) */
    VIR_MIGRATE_POSTCOPY = 1 << 15,                      /* (1.3.3) */
    VIR_MIGRATE_TLS = 1 << 16,                           /* (3.2.0) */
    VIR_MIGRATE_PARALLEL = 1 << 17,                      /* (5.2.0) */
    VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES = 1 << 18, /* (8.0.0) */
    VIR_MIGRATE_POSTCOPY_RESUME = 1 << 19,               /* (8.5.0) */
    VIR_MIGRATE_ZEROCOPY = 1 << 20,                      /* (8.5.0) */
} virDomainMigrateFlags;
#define VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT "auto_converge.increment"
#define VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL "auto_converge.initial"
#define VIR_MIGRATE_PARAM_BANDWIDTH "bandwidth"
#define VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY "bandwidth.postcopy"
#define VIR_MIGRATE_PARAM_COMPRESSION "compression"
#define VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS "compression.mt.dthreads"
#define VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL "compression.mt.level"
#define VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS "compression.mt.threads"
#define VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE "compression.xbzrle.cache"
#define VIR_MIGRATE_PARAM_DEST_NAME "destination_name"
#define VIR_MIGRATE_PARAM_DEST_XML "destination_xml"
#define VIR_MIGRATE_PARAM_DISKS_PORT "disks_port"
#define VIR_MIGRATE_PARAM_DISKS_URI "disks_uri"
#define VIR_MIGRATE_PARAM_GRAPHICS_URI "graphics_uri"
#define VIR_MIGRATE_PARAM_LISTEN_ADDRESS "listen_address"
#define VIR_MIGRATE_PARAM_MIGRATE_DISKS "migrate_disks"
#define VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS "parallel.connections"
#define VIR_MIGRATE_PARAM_PERSIST_XML "persistent_xml"
#define VIR_MIGRATE_PARAM_TLS_DESTINATION "tls.destination"
#define VIR_MIGRATE_PARAM_URI "migrate_uri"
#define VIR_MIGRATE_PARAM_DOWNTIME "downtime"
/* Since libvirt 0.3.2 */
VIRT_API virDomainPtr virDomainMigrate(virDomainPtr domain, virConnectPtr dconn,
                                       unsigned long flags, const char *dname, const char *uri,
                                       unsigned long bandwidth);
/* Since libvirt 0.9.2 */
VIRT_API virDomainPtr virDomainMigrate2(virDomainPtr domain, virConnectPtr dconn, const char *dxml,
                                        unsigned long flags, const char *dname, const char *uri,
                                        unsigned long bandwidth);
/* Since libvirt 1.1.0 */
VIRT_API virDomainPtr virDomainMigrate3(virDomainPtr domain, virConnectPtr dconn,
                                        virTypedParameterPtr params, unsigned int nparams,
                                        unsigned int flags);
/* Since libvirt 0.7.2 */
VIRT_API int virDomainMigrateToURI(virDomainPtr domain, const char *duri, unsigned long flags,
                                   const char *dname, unsigned long bandwidth);
/* Since libvirt 0.9.2 */
VIRT_API int virDomainMigrateToURI2(virDomainPtr domain, const char *dconnuri, const char *miguri,
                                    const char *dxml, unsigned long flags, const char *dname,
                                    unsigned long bandwidth);
/* Since libvirt 1.1.0 */
VIRT_API int virDomainMigrateToURI3(virDomainPtr domain, const char *dconnuri,
                                    virTypedParameterPtr params, unsigned int nparams,
                                    unsigned int flags);
/* Since libvirt 0.8.0 */
VIRT_API int virDomainMigrateSetMaxDowntime(virDomainPtr domain, unsigned long long downtime,
                                            unsigned int flags);
/* Since libvirt 3.7.0 */
VIRT_API int virDomainMigrateGetMaxDowntime(virDomainPtr domain, unsigned long long *downtime,
                                            unsigned int flags);
/* Since libvirt 5.1.0 */
typedef enum {
    VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY = 1 << 0,
} virDomainMigrateMaxSpeedFlags;
/* Since libvirt 0.9.0 */
VIRT_API int virDomainMigrateSetMaxSpeed(virDomainPtr domain, unsigned long bandwidth,
                                         unsigned int flags);
/* Since libvirt 0.9.5 */
VIRT_API int virDomainMigrateGetMaxSpeed(virDomainPtr domain, unsigned long *bandwidth,
                                         unsigned int flags);
/* Since libvirt 1.0.3 */
VIRT_API int virDomainMigrateSetCompressionCache(virDomainPtr domain, unsigned long long cacheSize,
                                                 unsigned int flags);
/* Since libvirt 1.0.3 */
VIRT_API int virDomainMigrateGetCompressionCache(virDomainPtr domain, unsigned long long *cacheSize,
                                                 unsigned int flags);

/* 10. virMigration: a migration the caller steps (virt's own) */
typedef struct _virMigration virMigration;
typedef virMigration *virMigrationPtr;
typedef enum {
    VIR_MIGRATION_PHASE_BEGIN = 0,
    VIR_MIGRATION_PHASE_PREPARE = 1,
    VIR_MIGRATION_PHASE_PERFORM = 2,
    VIR_MIGRATION_PHASE_FINISH = 3,
    VIR_MIGRATION_PHASE_CONFIRM = 4,
    VIR_MIGRATION_PHASE_OVER = 5,
    VIR_MIGRATION_PHASE_LAST = 6,
} virMigrationPhase;
typedef enum {
    VIR_MIGRATION_OUTCOME_NONE = 0,
    VIR_MIGRATION_OUTCOME_MIGRATED = 1,
    VIR_MIGRATION_OUTCOME_ROLLED_BACK = 2,
    VIR_MIGRATION_OUTCOME_UNDECIDED = 3,
    VIR_MIGRATION_OUTCOME_LAST = 4,
} virMigrationOutcome;
typedef enum {
    VIR_MIGRATION_SIDE_SOURCE = 0,
    VIR_MIGRATION_SIDE_DESTINATION = 1,
} virMigrationSide;
typedef enum {
    VIR_MIGRATION_CONVERGENCE_UNKNOWN = 0,
    VIR_MIGRATION_CONVERGENCE_YES = 1,
    VIR_MIGRATION_CONVERGENCE_NO = 2,
} virMigrationConvergence;
typedef struct _virMigrationPhaseInfo virMigrationPhaseInfo;
struct _virMigrationPhaseInfo {
    virMigrationPhase phase;
    virMigrationSide side;
    int rounds;
    unsigned long long elapsedUs;
    size_t cookieIn;
    size_t cookieOut;
};
VIRT_API virMigrationPtr virMigrationNew(virDomainPtr domain, virConnectPtr dconn,
                                         virTypedParameterPtr params, unsigned int nparams,
                                         unsigned int flags);
VIRT_API int virMigrationStep(virMigrationPtr m, int timeout);
VIRT_API int virMigrationGetWait(virMigrationPtr m, int *fd, int *events, int *timeout);
VIRT_API virMigrationPhase virMigrationGetPhase(virMigrationPtr m);
VIRT_API const char *virMigrationPhaseGetName(virMigrationPhase phase);
VIRT_API int virMigrationGetPhaseInfo(virMigrationPtr m, virMigrationPhase phase,
                                      virMigrationPhaseInfo *info);
VIRT_API const char *virMigrationGetCookie(virMigrationPtr m, virMigrationPhase phase, int out);
VIRT_API int virMigrationGetStats(virMigrationPtr m, virTypedParameterPtr *params, int *nparams);
VIRT_API int virMigrationAbort(virMigrationPtr m);
VIRT_API virMigrationOutcome virMigrationGetOutcome(virMigrationPtr m);
VIRT_API virErrorPtr virMigrationGetError(virMigrationPtr m);
VIRT_API virDomainPtr virMigrationGetDomain(virMigrationPtr m);
VIRT_API const char *virMigrationGetUUID(virMigrationPtr m);
VIRT_API void virMigrationFree(virMigrationPtr m);

/* 11. Logging, drivers, ignored parts (virt's own) */
typedef enum {
    VIR_LOG_DEBUG = 1,
    VIR_LOG_INFO = 2,
    VIR_LOG_WARN = 3,
    VIR_LOG_ERROR = 4,
} virLogPriority;
typedef void (*virLogFunc)(int priority, const char *source, const char *message, void *opaque);
VIRT_API void virSetLogFunc(virLogFunc func, void *opaque);
struct virDriver;
VIRT_API int virRegisterDriver(const struct virDriver *driver);
VIRT_API int virDomainListIgnoredXML(virDomainPtr domain, char ***paths, unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif /* VIRT_H */
