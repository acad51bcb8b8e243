/*
 * virt.h: libvirt's API without the daemon. The only header an application includes.
 *
 * virt is a library that an application carries in its own source tree. Its functions, types,
 * constants, XML documents and URIs are libvirt's, so that a program written for libvirt compiles
 * and works; the hypervisors are driven in the calling process. What is virt's own stands in
 * chapters 11 to 14 and is marked as such wherever else it appears.
 *
 *     #include "virt.h"
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         virConnectPtr conn = virConnectOpen("test:///default");
 *
 *         if (conn == NULL) {
 *             fprintf(stderr, "%s\n", virGetLastErrorMessage());
 *             return 1;
 *         }
 *         printf("%d guests are running\n", virConnectNumOfDomains(conn));
 *         virConnectClose(conn);
 *         return 0;
 *     }
 *
 *     cc app.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson)
 *
 * Contents
 *
 *      1. Library and versions      what this is, starting up
 *      2. Errors                    the calling thread's last error, codes and origins
 *      3. Typed parameters          lists of named values
 *      4. Event loop                the application's own loop, or the default one
 *      5. Connections               opening a hypervisor, what it is and can do
 *      6. Host                      the machine under it
 *      7. Domains                   the guests
 *         7.1 identity              name, uuid, id; references
 *         7.2 lists and lookups     finding guests
 *         7.3 lifecycle             define, start, pause, stop, undefine
 *         7.4 state and info        what a guest is doing, and why
 *         7.5 documents             its XML
 *         7.6 memory and vcpus      how much of each, and where they run
 *         7.7 jobs                  long operations and their progress
 *         7.8 metadata              title, description, the application's own elements
 *         7.9 statistics            what guests use: of one disk, of one guest, of all at once
 *         7.10 consoles, screens    serial consoles, channels and pictures, by a stream
 *      8. Domain events             being told what happens
 *      9. Streams                   bytes that come and go
 *     10. Migration                 libvirt's blocking calls
 *     11. virMigration              the same, stepped by the caller (virt's own)
 *     12. Drivers, logging          hypervisors of one's own, the log, ignored parts (virt's own);
 *                                   commands to QEMU itself
 *     13. virServer                 serving connections to other processes (virt's own)
 *     14. Keys                      for remote connections over tcp and ws (virt's own)
 *
 * Conventions, said once
 *
 * Results. Functions that return a pointer return NULL when they fail; functions that return a
 * number return -1, those without a sign 0, unless their comment says otherwise. A call that
 * failed has changed nothing, and sets its outputs only on success.
 *
 * Errors. A failed call leaves a virError in the calling thread: virGetLastError(). A call that
 * succeeds clears it. Comments name the codes that are worth handling. Not repeated each time:
 * VIR_ERR_INVALID_CONN, VIR_ERR_INVALID_DOMAIN and VIR_ERR_INVALID_STREAM (the handle is NULL,
 * freed or of another kind), VIR_ERR_INVALID_ARG (an argument is NULL that must not be, or a flag is
 * unknown), VIR_ERR_NO_SUPPORT (this driver does not have the call), VIR_ERR_NO_MEMORY, and
 * VIR_ERR_NO_DOMAIN from any call on a guest that no longer exists.
 *
 * NULL. A pointer must not be NULL unless the comment says that it may. A NULL handle is an error,
 * not a crash, and so is freeing it; only virMigrationFree, virServerFree, virFreeError and
 * virTypedParamsFree take NULL in silence.
 *
 * Ownership. "The caller frees it" means free() from the C library, or the function named. Strings
 * and structs handed in stay the caller's and are copied where they are kept. A const char * that
 * comes back belongs to the handle it was asked of and lives as long as that. A handle holds a
 * reference on what it came from: a domain keeps its connection open. What a callback is given
 * lives until the callback returns.
 *
 * Threads. Every function may be called from any thread at any time, and handles may be shared;
 * exceptions are named. A handle must not be used after the last reference to it has been freed.
 * The library installs no signal handlers, and starts threads for connections to servers only: two
 * while the memory of a migration goes over one (VIR_MIGRATE_TUNNELLED), nanomsg's, and one that reads
 * for nanomsg what strangers send: for each connection over ssh and ws and to a Unix socket at a place
 * of others, and for each address of a server that others may connect to. Calls that change a guest wait
 * for each other, 30 seconds at most (then VIR_ERR_OPERATION_TIMEOUT); while a migration holds the
 * guest they are refused at once with VIR_ERR_OPERATION_INVALID, except those that pause it or end
 * it. Queries never wait behind other calls.
 *
 * Flags. A bit that the function does not know, or the driver cannot honour, is refused with
 * VIR_ERR_INVALID_ARG or VIR_ERR_ARGUMENT_UNSUPPORTED, never ignored. "flags: 0" means that none is
 * defined yet.
 *
 * Read-only connections. "Not on a read-only connection" means VIR_ERR_OPERATION_DENIED there.
 *
 * Units. Where the comment does not say otherwise, guest and host memory is in KiB, statistics are
 * in bytes, CPU time in nanoseconds, timeouts in milliseconds, bandwidth in MiB per second.
 *
 * Ends of enums. Most end with a member ..._LAST, which is their number. A program that has switches
 * over whole enums, and wants to hear from the compiler what it forgot, defines VIRT_NO_SENTINELS
 * before it includes this file.
 *
 * Since. "Since libvirt 1.2.3" is the release of libvirt in which the thing appeared; a version in
 * brackets after a single constant says the same of that constant.
 */
#ifndef VIRT_H
#define VIRT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * In front of every public function: visible from outside when virt is built as a shared library.
 * An application that compiles virt.c into one of its own files can define VIRT_STATIC before
 * including it: then every function is static, no symbol leaves the file, and the same process can
 * load the real libvirt as well. That file has to be C; virt.h alone may be included from C++.
 * On Windows the DLL is compiled with VIRT_DLL_EXPORT defined, and who uses the DLL may define
 * VIRT_DLL_IMPORT; with neither, virt is a part of the program.
 */
#if defined VIRT_STATIC
# define VIRT_API      static __attribute__((unused))
# define VIRT_API_DATA static __attribute__((unused))          /* where a variable is defined */
#elif defined VIRT_DLL_EXPORT
# define VIRT_API      extern __declspec(dllexport)
# define VIRT_API_DATA __declspec(dllexport)
#elif defined VIRT_DLL_IMPORT
# define VIRT_API      extern __declspec(dllimport)
# define VIRT_API_DATA
#elif defined __GNUC__ && !defined _WIN32
# define VIRT_API      extern __attribute__((visibility("default")))
# define VIRT_API_DATA __attribute__((visibility("default")))
#else
# define VIRT_API      extern
# define VIRT_API_DATA
#endif

/* ============================================================================================== *
 *  1. Library and versions
 * ============================================================================================== */

/* The version of virt itself. virt's own. */
#define VIRT_VERSION "0.1.0"

/*
 * The libvirt release whose API this header has: major * 1000000 + minor * 1000 + micro.
 * Functions that came later are not in it, whatever the version of virt.
 */
#define LIBVIR_VERSION_NUMBER 9000000

/* Whether that release is at least the one named. For #if. Since libvirt 1.2.0. */
#define LIBVIR_CHECK_VERSION(major, minor, micro) \
    ((major) * 1000000 + (minor) * 1000 + (micro) <= LIBVIR_VERSION_NUMBER)

/* The length of a uuid as bytes. Since libvirt 0.2.0. */
#define VIR_UUID_BUFLEN 16
/* The same as text, xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, its end included. Since libvirt 0.2.0. */
#define VIR_UUID_STRING_BUFLEN 37

/* An open hypervisor: chapter 5. Opaque. Since libvirt 0.0.1. */
typedef struct _virConnect virConnect;
typedef virConnect *virConnectPtr;

/*
 * A guest: chapter 7. Opaque. A handle names the guest by its uuid; it does not keep the guest
 * alive.
 * Since libvirt 0.0.1.
 */
typedef struct _virDomain virDomain;
typedef virDomain *virDomainPtr;

/* A channel for bytes: chapter 9. Opaque. Since libvirt 0.7.2. */
typedef struct _virStream virStream;
typedef virStream *virStreamPtr;

/*
 * A virtual network. Opaque, and here only because virError has a member of this type.
 * Since libvirt 0.2.0.
 */
typedef struct _virNetwork virNetwork;
typedef virNetwork *virNetworkPtr;

/*
 * Releases what was handed over as `opaque` with a callback, once the library has no more use for
 * it. Called at the latest when the connection is gone, and never while a callback that got the
 * same pointer is running. It may call any function of this API.
 * Since libvirt 0.5.0.
 */
typedef void (*virFreeCallback)(void *opaque);

/*
 * Makes the library ready: registers the built-in drivers. Every function that opens a connection
 * does it by itself; to call it first is good manners in a program with threads. May be called any
 * number of times.
 *
 * Returns 0, or -1 if something the library stands on cannot be set up.
 * Since libvirt 0.1.0.
 */
VIRT_API int virInitialize(void);

/*
 * Gives the version of the API as a number like LIBVIR_VERSION_NUMBER in *libVer. *typeVer
 * (typeVer may be NULL) gets that of the driver named type ("QEMU"; NULL for any), which is the
 * same: drivers are a part of the library. For the hypervisor's own version ask
 * virConnectGetVersion().
 *
 * Returns 0, or -1.
 * Since libvirt 0.0.3.
 */
VIRT_API int virGetVersion(unsigned long *libVer, const char *type, unsigned long *typeVer);

/* ============================================================================================== *
 *  2. Errors
 *
 *  A function that fails returns -1 or NULL and leaves the reason with the calling thread, where
 *  it stays until the thread's next call. The message is one sentence that names what was asked,
 *  what was found, and, where there is one, the system's reason; the code is for programs.
 *
 *  Nothing is ever printed. (libvirt prints each error to stderr as long as no handler is set.)
 *  A program that wants every error as it happens sets a handler with virSetErrorFunc().
 * ============================================================================================== */

/* How grave an error is. Since libvirt 0.1.0. */
typedef enum {
    VIR_ERR_NONE = 0,    /* no error */
    VIR_ERR_WARNING = 1, /* something to know about; the call succeeded */
    VIR_ERR_ERROR = 2,   /* the call failed */
} virErrorLevel;

/*
 * Which part of the library reports. Parts that virt does not have keep their number.
 * Since libvirt 0.1.0.
 */
typedef enum {
    VIR_FROM_NONE = 0,               /* not said */
    VIR_FROM_XEN = 1,                /* Xen's hypervisor call */
    VIR_FROM_XEND = 2,               /* Xen's daemon */
    VIR_FROM_XENSTORE = 3,           /* Xen's store */
    VIR_FROM_SEXPR = 4,              /* S-expressions */
    VIR_FROM_XML = 5,                /* the XML parser */
    VIR_FROM_DOM = 6,                /* the core: handles and arguments */
    VIR_FROM_RPC = 7,                /* the remote protocol (0.1.1) */
    VIR_FROM_PROXY = 8,              /* the proxy (gone) (0.1.3) */
    VIR_FROM_CONF = 9,               /* configuration files (0.1.6) */
    VIR_FROM_QEMU = 10,              /* the QEMU driver (0.2.0) */
    VIR_FROM_NET = 11,               /* networking helpers (0.2.0) */
    VIR_FROM_TEST = 12,              /* the test driver (0.2.3) */
    VIR_FROM_REMOTE = 13,            /* the remote driver (0.2.3) */
    VIR_FROM_OPENVZ = 14,            /* the OpenVZ driver (0.3.1) */
    VIR_FROM_XENXM = 15,             /* Xen's xm configuration (0.4.1) */
    VIR_FROM_STATS_LINUX = 16,       /* reading Linux statistics (0.4.1) */
    VIR_FROM_LXC = 17,               /* the LXC driver (0.4.2) */
    VIR_FROM_STORAGE = 18,           /* storage drivers (0.4.1) */
    VIR_FROM_NETWORK = 19,           /* the network driver (0.4.6) */
    VIR_FROM_DOMAIN = 20,            /* what all domain drivers share: documents, lists (0.4.6) */
    VIR_FROM_UML = 21,               /* the user-mode Linux driver (gone) (0.5.0) */
    VIR_FROM_NODEDEV = 22,           /* the node device driver (0.5.0) */
    VIR_FROM_XEN_INOTIFY = 23,       /* Xen's file watcher (0.5.0) */
    VIR_FROM_SECURITY = 24,          /* security labels (0.6.1) */
    VIR_FROM_VBOX = 25,              /* the VirtualBox driver (0.6.3) */
    VIR_FROM_INTERFACE = 26,         /* the host interface driver (0.6.4) */
    VIR_FROM_ONE = 27,               /* the OpenNebula driver (gone) (0.6.4) */
    VIR_FROM_ESX = 28,               /* the VMware ESX driver (0.7.0) */
    VIR_FROM_PHYP = 29,              /* the Power Hypervisor driver (gone) (0.7.0) */
    VIR_FROM_SECRET = 30,            /* the secret driver (0.7.1) */
    VIR_FROM_CPU = 31,               /* CPU models (0.7.5) */
    VIR_FROM_XENAPI = 32,            /* the XenAPI driver (gone) (0.8.0) */
    VIR_FROM_NWFILTER = 33,          /* network filters (0.8.0) */
    VIR_FROM_HOOK = 34,              /* hook scripts (0.8.0) */
    VIR_FROM_DOMAIN_SNAPSHOT = 35,   /* snapshots (0.8.0) */
    VIR_FROM_AUDIT = 36,             /* auditing (0.8.5) */
    VIR_FROM_SYSINFO = 37,           /* SMBIOS information (0.8.6) */
    VIR_FROM_STREAMS = 38,           /* streams (0.8.6) */
    VIR_FROM_VMWARE = 39,            /* the VMware Workstation driver (0.8.7) */
    VIR_FROM_EVENT = 40,             /* the event loop and its callbacks (0.9.0) */
    VIR_FROM_LIBXL = 41,             /* the libxl driver (0.9.0) */
    VIR_FROM_LOCKING = 42,           /* lock managers and leases (0.9.2) */
    VIR_FROM_HYPERV = 43,            /* the Hyper-V driver (0.9.5) */
    VIR_FROM_CAPABILITIES = 44,      /* what a host and its hypervisor can do (0.9.8) */
    VIR_FROM_URI = 45,               /* connection URIs (0.9.11) */
    VIR_FROM_AUTH = 46,              /* authentication (0.9.11) */
    VIR_FROM_DBUS = 47,              /* D-Bus (0.9.12) */
    VIR_FROM_PARALLELS = 48,         /* the Parallels driver (0.10.0) */
    VIR_FROM_DEVICE = 49,            /* devices of a guest (0.10.0) */
    VIR_FROM_SSH = 50,               /* ssh transport (0.10.0) */
    VIR_FROM_LOCKSPACE = 51,         /* lock spaces (1.0.0) */
    VIR_FROM_INITCTL = 52,           /* the init control device (1.0.1) */
    VIR_FROM_IDENTITY = 53,          /* identities of clients (1.0.4) */
    VIR_FROM_CGROUP = 54,            /* control groups (1.0.5) */
    VIR_FROM_ACCESS = 55,            /* access control (1.1.0) */
    VIR_FROM_SYSTEMD = 56,           /* systemd (1.1.1) */
    VIR_FROM_BHYVE = 57,             /* the bhyve driver (1.2.2) */
    VIR_FROM_CRYPTO = 58,            /* cryptography (1.2.3) */
    VIR_FROM_FIREWALL = 59,          /* firewall rules (1.2.4) */
    VIR_FROM_POLKIT = 60,            /* polkit (1.2.9) */
    VIR_FROM_THREAD = 61,            /* threads and locks (1.2.14) */
    VIR_FROM_ADMIN = 62,             /* the administration interface (1.2.17) */
    VIR_FROM_LOGGING = 63,           /* the log (1.3.0) */
    VIR_FROM_XENXL = 64,             /* Xen's xl configuration (1.3.2) */
    VIR_FROM_PERF = 65,              /* performance counters (1.3.3) */
    VIR_FROM_LIBSSH = 66,            /* libssh transport (2.5.0) */
    VIR_FROM_RESCTRL = 67,           /* resource control (3.7.0) */
    VIR_FROM_FIREWALLD = 68,         /* firewalld (5.1.0) */
    VIR_FROM_DOMAIN_CHECKPOINT = 69, /* checkpoints (5.2.0) */
    VIR_FROM_TPM = 70,               /* the TPM emulator (5.6.0) */
    VIR_FROM_BPF = 71,               /* BPF (5.10.0) */
    VIR_FROM_CH = 72,                /* the Cloud Hypervisor driver (7.5.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_ERR_DOMAIN_LAST = 73,        /* how many there are */
#endif
} virErrorDomain;

/*
 * What went wrong. Codes of things that virt does not have keep their number.
 * Since libvirt 0.1.0.
 */
typedef enum {
    VIR_ERR_OK = 0,                          /* no error */
    VIR_ERR_INTERNAL_ERROR = 1,              /* something that should not happen: an unexpected
                                              * answer, a hypervisor that died */
    VIR_ERR_NO_MEMORY = 2,                   /* out of memory */
    VIR_ERR_NO_SUPPORT = 3,                  /* this driver, or build, does not have the function */
    VIR_ERR_UNKNOWN_HOST = 4,                /* the host name cannot be resolved */
    VIR_ERR_NO_CONNECT = 5,                  /* no driver takes this URI, or the hypervisor
                                              * cannot be reached */
    VIR_ERR_INVALID_CONN = 6,                /* not a connection handle */
    VIR_ERR_INVALID_DOMAIN = 7,              /* not a domain handle */
    VIR_ERR_INVALID_ARG = 8,                 /* an argument is wrong */
    VIR_ERR_OPERATION_FAILED = 9,            /* it was tried and did not work */
    VIR_ERR_GET_FAILED = 10,                 /* an HTTP GET failed */
    VIR_ERR_POST_FAILED = 11,                /* an HTTP POST failed */
    VIR_ERR_HTTP_ERROR = 12,                 /* an unexpected HTTP status */
    VIR_ERR_SEXPR_SERIAL = 13,               /* an S-expression cannot be written */
    VIR_ERR_NO_XEN = 14,                     /* no Xen here */
    VIR_ERR_XEN_CALL = 15,                   /* a Xen hypercall failed */
    VIR_ERR_OS_TYPE = 16,                    /* the OS type is unknown to this driver */
    VIR_ERR_NO_KERNEL = 17,                  /* the document names no kernel */
    VIR_ERR_NO_ROOT = 18,                    /* the document names no root device */
    VIR_ERR_NO_SOURCE = 19,                  /* a device without its source */
    VIR_ERR_NO_TARGET = 20,                  /* a device without its target */
    VIR_ERR_NO_NAME = 21,                    /* the document has no name */
    VIR_ERR_NO_OS = 22,                      /* the document has no os element */
    VIR_ERR_NO_DEVICE = 23,                  /* the document has no such device */
    VIR_ERR_NO_XENSTORE = 24,                /* the Xen store cannot be opened */
    VIR_ERR_DRIVER_FULL = 25,                /* too many drivers are registered */
    VIR_ERR_CALL_FAILED = 26,                /* the driver's function failed (old) */
    VIR_ERR_XML_ERROR = 27,                  /* the document is not what it must be (0.1.1) */
    VIR_ERR_DOM_EXIST = 28,                  /* such a guest exists already (0.1.1) */
    VIR_ERR_OPERATION_DENIED = 29,           /* a write on a read-only connection (0.1.4) */
    VIR_ERR_OPEN_FAILED = 30,                /* a file cannot be opened (0.1.6) */
    VIR_ERR_READ_FAILED = 31,                /* a file cannot be read (0.1.6) */
    VIR_ERR_PARSE_FAILED = 32,               /* a file cannot be understood (0.1.6) */
    VIR_ERR_CONF_SYNTAX = 33,                /* a configuration file has a wrong line (0.1.6) */
    VIR_ERR_WRITE_FAILED = 34,               /* a file cannot be written (0.1.6) */
    VIR_ERR_XML_DETAIL = 35,                 /* XML: where and what (0.1.9) */
    VIR_ERR_INVALID_NETWORK = 36,            /* not a network handle (0.2.0) */
    VIR_ERR_NETWORK_EXIST = 37,              /* such a network exists already (0.2.0) */
    VIR_ERR_SYSTEM_ERROR = 38,               /* a system call failed; int1 is errno (0.2.1) */
    VIR_ERR_RPC = 39,                        /* the remote protocol broke (0.2.3) */
    VIR_ERR_GNUTLS_ERROR = 40,               /* TLS failed (0.2.3) */
    VIR_WAR_NO_NETWORK = 41,                 /* no network driver could be started (0.2.3) */
    VIR_ERR_NO_DOMAIN = 42,                  /* there is no such guest (0.3.0) */
    VIR_ERR_NO_NETWORK = 43,                 /* there is no such network (0.3.0) */
    VIR_ERR_INVALID_MAC = 44,                /* not a MAC address (0.3.1) */
    VIR_ERR_AUTH_FAILED = 45,                /* authentication failed (0.4.1) */
    VIR_ERR_INVALID_STORAGE_POOL = 46,       /* not a storage pool handle (0.4.1) */
    VIR_ERR_INVALID_STORAGE_VOL = 47,        /* not a storage volume handle (0.4.1) */
    VIR_WAR_NO_STORAGE = 48,                 /* no storage driver could be started (0.4.1) */
    VIR_ERR_NO_STORAGE_POOL = 49,            /* there is no such pool (0.4.1) */
    VIR_ERR_NO_STORAGE_VOL = 50,             /* there is no such volume (0.4.1) */
    VIR_WAR_NO_NODE = 51,                    /* no node device driver could be started (0.5.0) */
    VIR_ERR_INVALID_NODE_DEVICE = 52,        /* not a node device handle (0.5.0) */
    VIR_ERR_NO_NODE_DEVICE = 53,             /* there is no such device (0.5.0) */
    VIR_ERR_NO_SECURITY_MODEL = 54,          /* no such security model (0.6.1) */
    VIR_ERR_OPERATION_INVALID = 55,          /* not in this state: start of a guest that runs,
                                              * for example (0.6.4) */
    VIR_WAR_NO_INTERFACE = 56,               /* no interface driver could be started (0.6.4) */
    VIR_ERR_NO_INTERFACE = 57,               /* there is no such interface (0.6.4) */
    VIR_ERR_INVALID_INTERFACE = 58,          /* not an interface handle (0.6.4) */
    VIR_ERR_MULTIPLE_INTERFACES = 59,        /* more than one interface matches (0.7.0) */
    VIR_WAR_NO_NWFILTER = 60,                /* no filter driver could be started (0.8.0) */
    VIR_ERR_INVALID_NWFILTER = 61,           /* not a filter handle (0.8.0) */
    VIR_ERR_NO_NWFILTER = 62,                /* there is no such filter (0.8.0) */
    VIR_ERR_BUILD_FIREWALL = 63,             /* firewall rules cannot be made (0.8.0) */
    VIR_WAR_NO_SECRET = 64,                  /* no secret driver could be started (0.7.1) */
    VIR_ERR_INVALID_SECRET = 65,             /* not a secret handle (0.7.1) */
    VIR_ERR_NO_SECRET = 66,                  /* there is no such secret (0.7.1) */
    VIR_ERR_CONFIG_UNSUPPORTED = 67,         /* the document asks for what this driver or
                                              * hypervisor cannot do (0.7.3) */
    VIR_ERR_OPERATION_TIMEOUT = 68,          /* no answer in time, or the guest was busy for too
                                              * long (0.7.3) */
    VIR_ERR_MIGRATE_PERSIST_FAILED = 69,     /* migrated, but the document could not be stored at
                                              * the destination (0.7.3) */
    VIR_ERR_HOOK_SCRIPT_FAILED = 70,         /* a hook script said no (0.8.0) */
    VIR_ERR_INVALID_DOMAIN_SNAPSHOT = 71,    /* not a snapshot handle (0.8.0) */
    VIR_ERR_NO_DOMAIN_SNAPSHOT = 72,         /* there is no such snapshot (0.8.0) */
    VIR_ERR_INVALID_STREAM = 73,             /* not a stream handle (0.9.0) */
    VIR_ERR_ARGUMENT_UNSUPPORTED = 74,       /* a known flag or value that this driver cannot
                                              * honour (0.9.4) */
    VIR_ERR_STORAGE_PROBE_FAILED = 75,       /* what is on the device cannot be told (0.9.5) */
    VIR_ERR_STORAGE_POOL_BUILT = 76,         /* the pool is built already (0.9.5) */
    VIR_ERR_SNAPSHOT_REVERT_RISKY = 77,      /* reverting would lose something; force it (0.9.7) */
    VIR_ERR_OPERATION_ABORTED = 78,          /* stopped at somebody's wish (0.9.9) */
    VIR_ERR_AUTH_CANCELLED = 79,             /* the user gave up authenticating (0.9.10) */
    VIR_ERR_NO_DOMAIN_METADATA = 80,         /* the guest has no such metadata (0.9.10) */
    VIR_ERR_MIGRATE_UNSAFE = 81,             /* could corrupt the guest's disks;
                                              * VIR_MIGRATE_UNSAFE overrides (0.9.11) */
    VIR_ERR_OVERFLOW = 82,                   /* a number does not fit (0.9.11) */
    VIR_ERR_BLOCK_COPY_ACTIVE = 83,          /* a block copy is in the way (0.9.12) */
    VIR_ERR_OPERATION_UNSUPPORTED = 84,      /* this kind of guest or hypervisor cannot do it
                                              * (0.10.0) */
    VIR_ERR_SSH = 85,                        /* ssh failed (0.10.0) */
    VIR_ERR_AGENT_UNRESPONSIVE = 86,         /* the guest's agent does not answer (0.10.0) */
    VIR_ERR_RESOURCE_BUSY = 87,              /* somebody else uses it (1.0.0) */
    VIR_ERR_ACCESS_DENIED = 88,              /* access control said no (1.1.0) */
    VIR_ERR_DBUS_SERVICE = 89,               /* a D-Bus service failed (1.1.1) */
    VIR_ERR_STORAGE_VOL_EXIST = 90,          /* such a volume exists already (1.1.4) */
    VIR_ERR_CPU_INCOMPATIBLE = 91,           /* the host's CPU lacks what the guest needs (1.2.6) */
    VIR_ERR_XML_INVALID_SCHEMA = 92,         /* the document does not validate: parts of it are
                                              * unknown or have no effect (1.2.12) */
    VIR_ERR_MIGRATE_FINISH_OK = 93,          /* the guest runs at the destination, though the
                                              * source heard of a failure (1.2.18) */
    VIR_ERR_AUTH_UNAVAILABLE = 94,           /* nobody is there to authenticate with (1.3.3) */
    VIR_ERR_NO_SERVER = 95,                  /* there is no such server (1.3.3) */
    VIR_ERR_NO_CLIENT = 96,                  /* there is no such client (1.3.5) */
    VIR_ERR_AGENT_UNSYNCED = 97,             /* the guest's agent answers something else (2.3.0) */
    VIR_ERR_LIBSSH = 98,                     /* libssh failed (2.5.0) */
    VIR_ERR_DEVICE_MISSING = 99,             /* the guest has no such device (4.1.0) */
    VIR_ERR_INVALID_NWFILTER_BINDING = 100,  /* not a filter binding handle (4.5.0) */
    VIR_ERR_NO_NWFILTER_BINDING = 101,       /* there is no such filter binding (4.5.0) */
    VIR_ERR_INVALID_DOMAIN_CHECKPOINT = 102, /* not a checkpoint handle (5.2.0) */
    VIR_ERR_NO_DOMAIN_CHECKPOINT = 103,      /* there is no such checkpoint (5.2.0) */
    VIR_ERR_NO_DOMAIN_BACKUP = 104,          /* the guest has no backup job (5.2.0) */
    VIR_ERR_INVALID_NETWORK_PORT = 105,      /* not a network port handle (5.5.0) */
    VIR_ERR_NETWORK_PORT_EXIST = 106,        /* such a network port exists already (5.5.0) */
    VIR_ERR_NO_NETWORK_PORT = 107,           /* there is no such network port (5.5.0) */
    VIR_ERR_NO_HOSTNAME = 108,               /* the guest's host name is not known (6.1.0) */
    VIR_ERR_CHECKPOINT_INCONSISTENT = 109,   /* a checkpoint cannot be used any more (6.10.0) */
    VIR_ERR_MULTIPLE_DOMAINS = 110,          /* more than one guest matches (7.1.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_ERR_NUMBER_LAST = 111,               /* how many there are */
#endif
} virErrorNumber;

/*
 * One error. The strings belong to it; free a copy with virFreeError(), empty one of your own with
 * virResetError().
 * Since libvirt 0.1.0.
 */
typedef struct _virError virError;
typedef virError *virErrorPtr;
struct _virError {
    int code;            /* what went wrong: virErrorNumber */
    int domain;          /* who says so: virErrorDomain */
    char *message;       /* the sentence to show */
    virErrorLevel level; /* virErrorLevel */
    virConnectPtr conn;  /* deprecated: NULL here, ask the handle */
    virDomainPtr dom;    /* deprecated: NULL here */
    char *str1;          /* further strings: a name, a path, or NULL */
    char *str2;          /* likewise */
    char *str3;          /* likewise */
    int int1;            /* a further number: errno with VIR_ERR_SYSTEM_ERROR */
    int int2;            /* likewise */
    virNetworkPtr net;   /* deprecated: NULL here */
};

/*
 * Is called with each error when it is set, in the thread that fails, and with no lock held. error
 * stays the library's. The handler should not call functions of this API that can fail: they would
 * replace the error.
 * Since libvirt 0.1.0.
 */
typedef void (*virErrorFunc)(void *userData, virErrorPtr error);

/*
 * Gives the calling thread's last error, which stays the library's and lives until the thread's
 * next call of this API. Keep it with virSaveLastError().
 *
 * Returns the error, or NULL if the last call did not fail.
 * Since libvirt 0.1.0.
 */
VIRT_API virErrorPtr virGetLastError(void);

/*
 * Gives the code (virErrorNumber) of the thread's last error, VIR_ERR_OK if there is none.
 * Since libvirt 4.5.0.
 */
VIRT_API int virGetLastErrorCode(void);

/*
 * Gives the origin (virErrorDomain) of the thread's last error, VIR_FROM_NONE if there is none.
 * Since libvirt 4.5.0.
 */
VIRT_API int virGetLastErrorDomain(void);

/*
 * Gives the sentence of the thread's last error; "no error" if there is none, never NULL. It lives
 * as long as the error, which any other call ends: who wants the guest's name beside it asks for
 * virDomainGetName() before the call that may fail.
 * Since libvirt 1.0.6.
 */
VIRT_API const char *virGetLastErrorMessage(void);

/*
 * Makes a copy of the thread's last error, for a caller that must clean up before it can report.
 * The copy of no error has the code VIR_ERR_OK. The caller frees it with virFreeError().
 *
 * Returns the copy, or NULL if there is no memory.
 * Since libvirt 0.6.1.
 */
VIRT_API virErrorPtr virSaveLastError(void);

/*
 * Copies the thread's last error into *to, whose old contents are overwritten, not freed. The
 * caller empties it with virResetError().
 *
 * Returns the code, 0 if there was no error (*to is emptied then), -1 if there is no memory.
 * Since libvirt 0.1.0.
 */
VIRT_API int virCopyLastError(virErrorPtr to);

/* Forgets the thread's last error. Since libvirt 0.1.0. */
VIRT_API void virResetLastError(void);

/*
 * Frees what is in *err and clears it. The struct itself stays the caller's.
 * Since libvirt 0.1.0.
 */
VIRT_API void virResetError(virErrorPtr err);

/* Frees an error that virSaveLastError() made. err may be NULL. Since libvirt 0.6.1. */
VIRT_API void virFreeError(virErrorPtr err);

/*
 * Sets the function that is called with every error of the process that no connection's own
 * handler takes (virConnSetErrorFunc); NULL for none, which is how it begins. Unlike libvirt, virt
 * prints nothing then. To have each error on stderr, set a handler that calls
 * virDefaultErrorFunc().
 *
 * Affects all threads: set it once, at the start. userData stays the caller's.
 * Since libvirt 0.1.0.
 */
VIRT_API void virSetErrorFunc(void *userData, virErrorFunc handler);

/*
 * Writes err on stderr, in a line that begins with "libvirt: ". The library itself never calls it.
 * Since libvirt 0.1.0.
 */
VIRT_API void virDefaultErrorFunc(virErrorPtr err);

/*
 * Gives the last error of any thread on this connection. In a program with threads it may be
 * another's, and change while it is looked at: virGetLastError() is the better question.
 *
 * Returns the error, which stays the connection's, or NULL if there is none or conn is not valid.
 * Since libvirt 0.1.0.
 */
VIRT_API virErrorPtr virConnGetLastError(virConnectPtr conn);

/*
 * Copies the connection's last error into *to, whose old contents are overwritten, not freed. Safe
 * with threads. The caller empties it with virResetError().
 *
 * Returns the code, 0 if there was no error, -1 if there is no memory or conn is not valid.
 * Since libvirt 0.1.0.
 */
VIRT_API int virConnCopyLastError(virConnectPtr conn, virErrorPtr to);

/* Forgets the connection's last error. Since libvirt 0.1.0. */
VIRT_API void virConnResetLastError(virConnectPtr conn);

/*
 * Sets the function that is called with the errors of this connection, in place of the
 * process-wide one; NULL to go back to that. userData stays the caller's.
 * Since libvirt 0.1.0.
 */
VIRT_API void virConnSetErrorFunc(virConnectPtr conn, void *userData, virErrorFunc handler);

/* ============================================================================================== *
 *  3. Typed parameters
 *
 *  An array of named values, each of one of seven types, for calls whose arguments and results grow
 *  with time: statistics, migration parameters. The array belongs to the caller on the way in, and
 *  becomes the caller's on the way out. Names and their types stand where they are used
 *  (VIR_MIGRATE_PARAM_*, VIR_DOMAIN_JOB_*).
 *
 *  To build one, begin with three zeros and add; the functions enlarge it:
 *
 *      virTypedParameterPtr params = NULL;
 *      int nparams = 0, maxparams = 0;
 *
 *      if (virTypedParamsAddULLong(&params, &nparams, &maxparams,
 *                                  VIR_MIGRATE_PARAM_BANDWIDTH, 100) < 0)
 *          goto error;
 *      ...
 *      virTypedParamsFree(params, nparams);
 *
 *  These functions touch nothing but the array: two threads must not change the same one at once.
 * ============================================================================================== */

/* The type of a value. Since libvirt 0.9.2. */
typedef enum {
    VIR_TYPED_PARAM_INT = 1,     /* int */
    VIR_TYPED_PARAM_UINT = 2,    /* unsigned int */
    VIR_TYPED_PARAM_LLONG = 3,   /* long long */
    VIR_TYPED_PARAM_ULLONG = 4,  /* unsigned long long */
    VIR_TYPED_PARAM_DOUBLE = 5,  /* double */
    VIR_TYPED_PARAM_BOOLEAN = 6, /* char, 0 or 1 */
    VIR_TYPED_PARAM_STRING = 7,  /* char * (0.9.8) */
#ifndef VIRT_NO_SENTINELS
    VIR_TYPED_PARAM_LAST = 8,    /* how many there are */
#endif
} virTypedParameterType;

/* A flag of some calls that return parameters. Since libvirt 0.9.8. */
typedef enum {
    VIR_TYPED_PARAM_STRING_OKAY = 1 << 2, /* the caller can take strings too; always so here */
} virTypedParameterFlags;

/* The room for a name, its end included. Since libvirt 0.9.2. */
#define VIR_TYPED_PARAM_FIELD_LENGTH 80

/* One named value. Since libvirt 0.9.2. */
typedef struct _virTypedParameter virTypedParameter;
typedef virTypedParameter *virTypedParameterPtr;
struct _virTypedParameter {
    char field[VIR_TYPED_PARAM_FIELD_LENGTH];   /* its name */
    int type;                                   /* virTypedParameterType: which member holds it */
    union {
        int i;                                  /* VIR_TYPED_PARAM_INT */
        unsigned int ui;                        /* VIR_TYPED_PARAM_UINT */
        long long int l;                        /* VIR_TYPED_PARAM_LLONG */
        unsigned long long int ul;              /* VIR_TYPED_PARAM_ULLONG */
        double d;                               /* VIR_TYPED_PARAM_DOUBLE */
        char b;                                 /* VIR_TYPED_PARAM_BOOLEAN */
        char *s;                                /* VIR_TYPED_PARAM_STRING: belongs to the array */
    } value;
};

/*
 * Finds the first parameter of that name, whatever its type. It stays a part of the array.
 *
 * Returns it, or NULL if there is none; that alone is no error (the thread's error is clear then).
 * Since libvirt 1.0.2.
 */
VIRT_API virTypedParameterPtr virTypedParamsGet(virTypedParameterPtr params, int nparams,
                                                const char *name);

/*
 * Finds the first parameter of that name, which must be an int, and puts its value into *value.
 * value may be NULL, to ask only whether it is there. The functions below do the same for the
 * other types.
 *
 * Returns 1 if it is there, 0 if not (and *value is as it was), -1 with VIR_ERR_INVALID_ARG if it
 * has another type.
 * Since libvirt 1.0.2.
 */
VIRT_API int virTypedParamsGetInt(virTypedParameterPtr params, int nparams, const char *name,
                                  int *value);

/* As virTypedParamsGetInt(), for an unsigned int. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsGetUInt(virTypedParameterPtr params, int nparams, const char *name,
                                   unsigned int *value);

/* As virTypedParamsGetInt(), for a long long. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsGetLLong(virTypedParameterPtr params, int nparams, const char *name,
                                    long long *value);

/* As virTypedParamsGetInt(), for an unsigned long long. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsGetULLong(virTypedParameterPtr params, int nparams, const char *name,
                                     unsigned long long *value);

/* As virTypedParamsGetInt(), for a double. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsGetDouble(virTypedParameterPtr params, int nparams, const char *name,
                                     double *value);

/* As virTypedParamsGetInt(), for a boolean: 0 or 1. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsGetBoolean(virTypedParameterPtr params, int nparams, const char *name,
                                      int *value);

/* As virTypedParamsGetInt(), for a string, which stays the array's. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsGetString(virTypedParameterPtr params, int nparams, const char *name,
                                     const char **value);

/*
 * Adds an int at the end of *params, which is made larger when *nparams reaches *maxparams. All
 * three are the caller's to keep and to begin with NULL, 0 and 0. A name may occur more than once.
 * The functions below do the same for the other types. The caller frees the array with
 * virTypedParamsFree().
 *
 * Returns 0, or -1 with VIR_ERR_INVALID_ARG if the name is too long; the array is as before then.
 * Since libvirt 1.0.2.
 */
VIRT_API int virTypedParamsAddInt(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                  const char *name, int value);

/* As virTypedParamsAddInt(), for an unsigned int. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsAddUInt(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                   const char *name, unsigned int value);

/* As virTypedParamsAddInt(), for a long long. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsAddLLong(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                    const char *name, long long value);

/* As virTypedParamsAddInt(), for an unsigned long long. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsAddULLong(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                     const char *name, unsigned long long value);

/* As virTypedParamsAddInt(), for a double. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsAddDouble(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                     const char *name, double value);

/* As virTypedParamsAddInt(), for a boolean: anything but 0 is stored as 1. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsAddBoolean(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                      const char *name, int value);

/* As virTypedParamsAddInt(), for a string, which is copied. Since libvirt 1.0.2. */
VIRT_API int virTypedParamsAddString(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                     const char *name, const char *value);

/*
 * Adds one string parameter of that name for each string of values, a NULL-terminated array;
 * values may be NULL, which adds none. Either all are added or, on failure, none.
 *
 * Returns 0 or -1 as virTypedParamsAddInt().
 * Since libvirt 1.2.17.
 */
VIRT_API int virTypedParamsAddStringList(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                         const char *name, const char **values);

/*
 * Adds a value of the given type (virTypedParameterType) that is written in value as text, all of
 * which must be used: decimal numbers; "0" or "1" for a boolean; a string as it is.
 *
 * Returns 0, or -1 with VIR_ERR_INVALID_ARG if the text is not of that type, or the name too long.
 * Since libvirt 1.0.2.
 */
VIRT_API int virTypedParamsAddFromString(virTypedParameterPtr *params, int *nparams, int *maxparams,
                                         const char *name, int type, const char *value);

/*
 * Frees the strings of the array, and leaves the array itself to the caller. params may be NULL.
 * Since libvirt 1.0.2.
 */
VIRT_API void virTypedParamsClear(virTypedParameterPtr params, int nparams);

/* Frees the array and its strings. params may be NULL. Since libvirt 1.0.2. */
VIRT_API void virTypedParamsFree(virTypedParameterPtr params, int nparams);

/* ============================================================================================== *
 *  4. Event loop
 *
 *  The library has no thread of its own, so what hypervisors say by themselves reaches it in two
 *  ways. Without an event loop, each call first takes in what has been said since the last one:
 *  states are always true, but no callback is called. With a loop, registered BEFORE the connection
 *  is opened, the library watches its descriptors there, and events (chapter 8) arrive.
 *
 *  A program with a loop of its own (GLib, libuv, epoll) hands over six functions once:
 *  virEventRegisterImpl(). Any other takes the default one and runs it in a thread that does not
 *  much else, or between its other work:
 *
 *      virEventRegisterDefaultImpl();
 *      conn = virConnectOpen(...);
 *      while (!done)
 *          virEventRunDefaultImpl();
 *
 *  There is one loop for the process, and it stays. Example: examples/events.c
 * ============================================================================================== */

/* What to watch a descriptor for, and what was found. Since libvirt 0.5.0. */
typedef enum {
    VIR_EVENT_HANDLE_READABLE = 1 << 0, /* there is something to read */
    VIR_EVENT_HANDLE_WRITABLE = 1 << 1, /* there is room to write */
    VIR_EVENT_HANDLE_ERROR = 1 << 2,    /* an error; always watched for */
    VIR_EVENT_HANDLE_HANGUP = 1 << 3,   /* the other end has gone; always watched for */
} virEventHandleType;

/*
 * Is called when something is found on a watched descriptor. watch is what virEventAddHandle
 * returned, events are virEventHandleType bits. It may change or remove any watch, its own
 * included.
 * Since libvirt 0.5.0.
 */
typedef void (*virEventHandleCallback)(int watch, int fd, int events, void *opaque);

/*
 * Is called when a timer has expired. timer is what virEventAddTimeout returned. The timer goes on
 * with the same interval until it is changed or removed.
 * Since libvirt 0.5.0.
 */
typedef void (*virEventTimeoutCallback)(int timer, void *opaque);

/*
 * A loop's own function: watch fd for event (virEventHandleType bits, 0 for not now), call cb with
 * opaque, and ff (if it is not NULL) with opaque some time after the watch was removed, not from
 * within the call that removes it. Returns a number for the watch, 0 or more, or -1.
 * Since libvirt 0.5.0.
 */
typedef int (*virEventAddHandleFunc)(int fd, int event, virEventHandleCallback cb, void *opaque,
                                     virFreeCallback ff);

/* A loop's own function: from now on watch for event. Since libvirt 0.5.0. */
typedef void (*virEventUpdateHandleFunc)(int watch, int event);

/*
 * A loop's own function: end the watch; cb is not called any more. Returns 0, or -1 if it is
 * unknown.
 * Since libvirt 0.5.0.
 */
typedef int (*virEventRemoveHandleFunc)(int watch);

/*
 * A loop's own function: call cb every timeout milliseconds; 0: at each turn of the loop; -1: not
 * now. ff as with descriptors. Returns a number for the timer, 0 or more, or -1.
 * Since libvirt 0.5.0.
 */
typedef int (*virEventAddTimeoutFunc)(int timeout, virEventTimeoutCallback cb, void *opaque,
                                      virFreeCallback ff);

/* A loop's own function: from now on use this interval, counted from now. Since libvirt 0.5.0. */
typedef void (*virEventUpdateTimeoutFunc)(int timer, int timeout);

/*
 * A loop's own function: end the timer; cb is not called any more. Returns 0, or -1 if it is
 * unknown.
 * Since libvirt 0.5.0.
 */
typedef int (*virEventRemoveTimeoutFunc)(int timer);

/*
 * Hands the library the application's event loop, as six functions, which it calls from any
 * thread. Call it once, before any connection is opened; a second registration is ignored. An
 * error cannot be returned: nothing happens if one of the six is NULL.
 * Since libvirt 0.5.0.
 */
VIRT_API void virEventRegisterImpl(virEventAddHandleFunc addHandle,
                                   virEventUpdateHandleFunc updateHandle,
                                   virEventRemoveHandleFunc removeHandle,
                                   virEventAddTimeoutFunc addTimeout,
                                   virEventUpdateTimeoutFunc updateTimeout,
                                   virEventRemoveTimeoutFunc removeTimeout);

/*
 * Makes the library's own event loop, on poll(), the one to use. Call it before any connection is
 * opened, and then run virEventRunDefaultImpl() again and again.
 *
 * Returns 0, or -1 if it cannot be set up.
 * Since libvirt 0.9.0.
 */
VIRT_API int virEventRegisterDefaultImpl(void);

/*
 * Runs one turn of the default loop: waits until a descriptor is ready or a timer expires, calls
 * what is due, and returns. It waits for ever if there is nothing to wait for;
 * virEventAddTimeout() is the way to bound it. A signal does not end the turn, as in libvirt: a
 * handler that is to end the program writes to a pipe, whose other end is watched. One thread at a
 * time; other threads may add and remove meanwhile, and wake it by doing so.
 *
 * Returns 0, or -1 if waiting failed or the default loop is not registered.
 * Since libvirt 0.9.0.
 */
VIRT_API int virEventRunDefaultImpl(void);

/*
 * Watches a descriptor in whichever loop is registered. For the application's own use; the library
 * uses it for its own. events are virEventHandleType bits, ff may be NULL. On Windows a
 * descriptor is a SOCKET, here and wherever else one is spoken of.
 *
 * Returns a number for the watch, 0 or more, or -1, also if no loop is registered. A loop of one's
 * own may fail without setting an error.
 * Since libvirt 0.9.3.
 */
VIRT_API int virEventAddHandle(int fd, int events, virEventHandleCallback cb, void *opaque,
                               virFreeCallback ff);

/* From now on watches for events (0: for nothing, until the next update). Since libvirt 0.9.3. */
VIRT_API void virEventUpdateHandle(int watch, int events);

/*
 * Ends a watch. cb is not called any more; ff is called with opaque at the loop's next turn, at
 * the earliest.
 *
 * Returns 0, or -1 if there is no such watch.
 * Since libvirt 0.9.3.
 */
VIRT_API int virEventRemoveHandle(int watch);

/*
 * Starts a timer in whichever loop is registered: cb is called every timeout milliseconds; 0 means
 * at each turn of the loop, -1 not until it is updated. ff may be NULL.
 *
 * Returns a number for the timer, 0 or more, or -1, also if no loop is registered.
 * Since libvirt 0.9.3.
 */
VIRT_API int virEventAddTimeout(int timeout, virEventTimeoutCallback cb, void *opaque,
                                virFreeCallback ff);

/* Changes a timer's interval, counted from now. -1 halts it. Since libvirt 0.9.3. */
VIRT_API void virEventUpdateTimeout(int timer, int timeout);

/*
 * Ends a timer. cb is not called any more; ff is called with opaque at the loop's next turn, at
 * the earliest.
 *
 * Returns 0, or -1 if there is no such timer.
 * Since libvirt 0.9.3.
 */
VIRT_API int virEventRemoveTimeout(int timer);

/* ============================================================================================== *
 *  5. Connections
 *
 *  A connection is one hypervisor, named by a URI:
 *
 *      test:///default          the test driver with its well-known guest: nothing is real,
 *                               everything works. The connections of a process share it until the
 *                               last of them is closed.
 *      test:///path/to/doc.xml  the test driver with what that document describes; each connection
 *                               has its own
 *      qemu:///embed?root=DIR   QEMU, with everything kept under DIR, which is made if need be
 *      qemu:///session          QEMU, with the user's own directories
 *      qemu:///system           QEMU, with the host's directories; needs root
 *
 *  All of these run in the calling process; there is no daemon. One process at a time owns a
 *  directory of the QEMU driver, with any number of connections to it. Guests outlive the process:
 *  whoever opens the directory next finds them as they are.
 *
 *  A transport behind the scheme has a server do it, in another process (chapter 13, or virtd), where
 *  the library is built with the remote driver (VIRT_WITH_REMOTE, which needs nanomsg):
 *
 *      qemu+unix:///system      a server of this host, at /run/virt/virt-sock, or for users other than
 *                               root at $XDG_RUNTIME_DIR/virt/virt-sock
 *      qemu+ssh://U@HOST/system the same on another host, through ssh
 *      qemu+tcp://HOST/system   encrypted, by keys (chapter 14), port 16510; needs VIRT_WITH_NOISE
 *      qemu+ws://HOST/system    the same over WebSockets, port 16511
 *
 *  Scheme and path name one of the server's connections, the first that has them, whatever its
 *  parameters: test+unix:///default may be test:///default?host=left there. Parameters of such a URI:
 *
 *      socket=PATH              of the server, unix and ssh
 *      name=URI                 the server's connection, where scheme and path do not say which: the whole
 *                               URI that it was opened by, each & in it written %26
 *      reconnect=SECONDS        how long the server may be away before the connection is lost, 10
 *      keyfile=FILE             the client's secret key (tcp, ws), or ssh's
 *      known_hosts=FILE         the servers' public keys (tcp, ws), or ssh's
 *      command=, no_tty=1, no_verify=1     for ssh, as libvirt has them
 *
 *  A server that is started again within that time is found again, registered events included; handles
 *  stay valid, as far as its guests do. A call that was to change something and was under way just then
 *  fails with VIR_ERR_RPC, since nobody knows whether it was carried out; others are repeated. A server
 *  that stays away is lost: the close callback is called, virConnectIsAlive() gives 0, every call fails.
 *
 *  qemu:///embed takes more parameters, for all connections of the process to that directory:
 *
 *      tls-certs=DIR            the certificates for encrypted migrations (VIR_MIGRATE_TLS): DIR is an
 *                               absolute path. Else they are in DIR/etc/pki/qemu of root=DIR, in
 *                               /etc/pki/libvirt-migrate or in /etc/pki/qemu, the first that is there
 *      tls-verify=no            as a destination it asks the source for no certificate
 *      migration-expiry=N       seconds after which a migration that nobody steps is taken back, or a
 *                               guest prepared here that hears nothing goes, 300
 *      migration-records=N      how many records of migrations that are over are kept, 1000; none
 *                               for longer than a day
 *
 *  Hosts that share disks should share a lock manager, which sees to it that a guest runs on one of
 *  them at a time. A qemu: or test: URI then takes
 *
 *      lock=file:DIR            leases in a directory that all the hosts see (a local one, for the
 *                               hosts of one machine; NFS 4 and cluster file systems have the locks
 *                               it needs)
 *      lock=etcd:URL[,URL]...   leases in etcd, by its JSON gateway: http://host:2379, and a prefix
 *                               of the keys as the path, "virt" if there is none; where the library
 *                               is built with it (VIRT_WITH_ETCD, which needs libcurl)
 *      lock=sanlock:PATH[?host_id=N]
 *                               leases kept by sanlock, in a directory of a shared file system or on
 *                               a device with its index, where this host has the number N, and joins
 *                               by it if it has not joined; where the library is built with it
 *                               (VIRT_WITH_SANLOCK, which needs libsanlock_client)
 *      lock-owner=NAME          who this host is to the others, in errors too: its name and its directory,
 *                               if not given; of a test: URI something new in each process
 *      lock-disks=no            leases for the guest and its <lease> elements only, not for its disks
 *
 *  A guest starts if its lease is nobody's, or that of a host on which its hypervisor is gone; else
 *  with VIR_ERR_RESOURCE_BUSY, which names the holder. The lease is held as long as the hypervisor
 *  lives, whoever manages it, and moves in a migration, of which both hosts must have the same
 *  manager. What a guest needs for itself alone is held for it too: each <lease>, and each disk that is
 *  neither <readonly/> nor <shareable/>, by its path. All connections to a directory in one process
 *  use the manager that the first has named.
 *
 *  The test driver's URIs take parameters, so that migrations can be tried and broken:
 *
 *      host=NAME                another default host, of this name: somewhere to migrate to. Both are in
 *                               one process, or are served by one: there is no wire between two
 *      memory-mib=N             what a migration from here has to move
 *      dirty-rate=N             MiB/s that the guest writes meanwhile
 *      bandwidth=N              MiB/s of the wire
 *      migration-expiry=N       seconds that a guest prepared here waits for the next word, 300
 *      protocol=1, 2 or 3       as a driver of that version, without the phases that came later
 *      fault=PHASE[:WHAT[:N]][,...]
 *
 *  PHASE is begin, perform, confirm, halt or rollback on the source's URI, and prepare, perform,
 *  finish or cancel on the destination's (see chapter 11). WHAT is fail (the default); die, the
 *  hypervisor's process ends; again, the first N calls are not carried out; lost, the first N
 *  answers are lost; hang, nothing happens for N ms; break, with perform: the network breaks in
 *  post-copy; crash, whoever manages the host is gone at the phase's N-th durable step (the
 *  first), and the next call on it goes on from its records; power, the same, and the guest's
 *  hypervisor there is gone as well. An N that there is not gives an error that lists the steps.
 *  With perform, N of fail, die and break is the percentage moved. The destination's perform can
 *  only die; confirm, halt, rollback and cancel cannot fail or die.
 *
 *  Example: examples/hello.c.
 * ============================================================================================== */

/* For virConnectOpenAuth. Since libvirt 0.4.1. */
typedef enum {
    VIR_CONNECT_RO = 1 << 0,         /* only look, change nothing */
    VIR_CONNECT_NO_ALIASES = 1 << 1, /* take the URI as it is; virt has no aliases, so always so
                                      * (0.9.7) */
} virConnectFlags;

/* What a driver asks its user for. Since libvirt 0.4.1. */
typedef enum {
    VIR_CRED_USERNAME = 1,     /* the name of whom to act as */
    VIR_CRED_AUTHNAME = 2,     /* the name of whom to authenticate */
    VIR_CRED_LANGUAGE = 3,     /* a language */
    VIR_CRED_CNONCE = 4,       /* a client's nonce */
    VIR_CRED_PASSPHRASE = 5,   /* a passphrase */
    VIR_CRED_ECHOPROMPT = 6,   /* an answer that may be seen while it is typed */
    VIR_CRED_NOECHOPROMPT = 7, /* an answer that may not be seen */
    VIR_CRED_REALM = 8,        /* an authentication realm */
    VIR_CRED_EXTERNAL = 9,     /* something done outside, like a ticket */
#ifndef VIRT_NO_SENTINELS
    VIR_CRED_LAST = 10,        /* how many there are */
#endif
} virConnectCredentialType;

/* One question, and room for its answer. Since libvirt 0.4.1. */
typedef struct _virConnectCredential virConnectCredential;
typedef virConnectCredential *virConnectCredentialPtr;
struct _virConnectCredential {
    int type;               /* virConnectCredentialType */
    const char *prompt;     /* what to show */
    const char *challenge;  /* a further text to show, or NULL */
    const char *defresult;  /* the answer to take if there is none, or NULL */
    char *result;           /* the answer, from malloc(); the library frees it */
    unsigned int resultlen; /* its length */
};

/*
 * Answers ncred questions by filling in their result. Returns 0, or -1 to give up.
 * Since libvirt 0.4.1.
 */
typedef int (*virConnectAuthCallbackPtr)(virConnectCredentialPtr cred, unsigned int ncred,
                                         void *cbdata);

/* How the application answers questions. Since libvirt 0.4.1. */
typedef struct _virConnectAuth virConnectAuth;
typedef virConnectAuth *virConnectAuthPtr;
struct _virConnectAuth {
    int *credtype;                /* the kinds it can answer */
    unsigned int ncredtype;       /* how many these are */
    virConnectAuthCallbackPtr cb; /* answers them */
    void *cbdata;                 /* is passed to it */
};

/*
 * Answers from the terminal: prompts on stdout, reads stdin. What virConnectOpenAuth is given by
 * programs that have a user at a terminal. Since libvirt 0.4.1.
 */
VIRT_API virConnectAuthPtr virConnectAuthPtrDefault;

/*
 * Opens a connection, to look and to change. name is the URI; if it is NULL the environment
 * variable LIBVIRT_DEFAULT_URI names it, and else the first driver that finds its hypervisor is
 * taken. The caller frees it with virConnectClose().
 *
 * Returns the connection, or NULL: VIR_ERR_NO_CONNECT if no driver takes the URI or its hypervisor
 * is not there, VIR_ERR_INVALID_ARG if it is not a URI, VIR_ERR_RESOURCE_BUSY if another process
 * owns the directory (the message names it). Example: examples/hello.c.
 * Since libvirt 0.0.3.
 */
VIRT_API virConnectPtr virConnectOpen(const char *name);

/*
 * As virConnectOpen(), to look only: every function that changes something, or shows a secret, is
 * refused with VIR_ERR_OPERATION_DENIED.
 * Since libvirt 0.0.3.
 */
VIRT_API virConnectPtr virConnectOpenReadOnly(const char *name);

/*
 * As virConnectOpen(), with somebody to answer a driver's questions (auth; NULL for nobody; it
 * need not outlive the call) and flags (virConnectFlags). No driver of this release asks any.
 * Since libvirt 0.4.0.
 */
VIRT_API virConnectPtr virConnectOpenAuth(const char *name, virConnectAuthPtr auth,
                                          unsigned int flags);

/*
 * Takes one more reference: virConnectClose() must then be called once more. For a thread that
 * goes on with the connection by itself.
 * Since libvirt 0.6.0.
 */
VIRT_API int virConnectRef(virConnectPtr conn);

/*
 * Gives back a reference. With the last one, and when the last domain handle and event callback of
 * the connection are gone as well, the connection is closed. Guests run on, except those that were
 * started with VIR_DOMAIN_START_AUTODESTROY.
 *
 * Returns 0 if this was the last reference, 1 or more if others remain, -1 if conn is not valid.
 * Since libvirt 0.0.3.
 */
VIRT_API int virConnectClose(virConnectPtr conn);

/*
 * Tells whether the hypervisor can still be reached. Always so for a driver in the calling
 * process.
 *
 * Returns 1 if it can, 0 if not, -1 on error.
 * Since libvirt 0.9.8.
 */
VIRT_API int virConnectIsAlive(virConnectPtr conn);

/*
 * Tells whether what is said on this connection is encrypted on its way. 0 for a driver in the
 * calling process: there is no way.
 *
 * Returns 1, 0, or -1 on error.
 * Since libvirt 0.7.3.
 */
VIRT_API int virConnectIsEncrypted(virConnectPtr conn);

/*
 * Tells whether others can neither read nor change what is said: the connection is encrypted, or
 * does not leave the host. 1 for a driver in the calling process.
 *
 * Returns 1, 0, or -1 on error.
 * Since libvirt 0.7.3.
 */
VIRT_API int virConnectIsSecure(virConnectPtr conn);

/*
 * Asks the other end for a sign of life every interval seconds, and closes after count of them
 * stayed out. interval 0 turns it off.
 *
 * Returns 0, 1 if the other end cannot be asked, or -1: VIR_ERR_NO_SUPPORT where there is no other
 * end, as with every driver in the calling process.
 * Since libvirt 0.9.8.
 */
VIRT_API int virConnectSetKeepAlive(virConnectPtr conn, int interval, unsigned int count);

/* Why a connection broke. Since libvirt 0.10.0. */
typedef enum {
    VIR_CONNECT_CLOSE_REASON_ERROR = 0,     /* input or output failed */
    VIR_CONNECT_CLOSE_REASON_EOF = 1,       /* the other end closed it */
    VIR_CONNECT_CLOSE_REASON_KEEPALIVE = 2, /* no sign of life */
    VIR_CONNECT_CLOSE_REASON_CLIENT = 3,    /* this end closed it */
#ifndef VIRT_NO_SENTINELS
    VIR_CONNECT_CLOSE_REASON_LAST = 4,      /* how many there are */
#endif
} virConnectCloseReason;

/*
 * Is called once when a connection breaks. reason is a virConnectCloseReason. The connection
 * should not be closed from here.
 * Since libvirt 0.10.0.
 */
typedef void (*virConnectCloseFunc)(virConnectPtr conn, int reason, void *opaque);

/*
 * Has cb called when the connection breaks. One function per connection; freecb (may be NULL) is
 * called with opaque when it is unregistered or the connection is freed. A connection to a driver
 * in the calling process never breaks, but takes a callback like any other.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if there is one already.
 * Since libvirt 0.10.0.
 */
VIRT_API int virConnectRegisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb,
                                             void *opaque, virFreeCallback freecb);

/*
 * Ends what virConnectRegisterCloseCallback() began. cb must be the same function.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if it is not registered.
 * Since libvirt 0.10.0.
 */
VIRT_API int virConnectUnregisterCloseCallback(virConnectPtr conn, virConnectCloseFunc cb);

/*
 * Gives the name of the driver: "QEMU", "Test". It stays the library's and lives as long as conn.
 * Since libvirt 0.0.3.
 */
VIRT_API const char *virConnectGetType(virConnectPtr conn);

/*
 * Gives the hypervisor's version: major * 1000000 + minor * 1000 + micro, in *hvVer. 0 if there is
 * no way to tell.
 * Since libvirt 0.0.3.
 */
VIRT_API int virConnectGetVersion(virConnectPtr conn, unsigned long *hvVer);

/*
 * Gives the version of the library that drives the hypervisor: LIBVIR_VERSION_NUMBER where that is
 * the calling process.
 * Since libvirt 0.7.3.
 */
VIRT_API int virConnectGetLibVersion(virConnectPtr conn, unsigned long *libVer);

/*
 * Gives the name of the host that the guests run on, in full where the system knows it in full.
 * The caller frees it.
 * Since libvirt 0.3.0.
 */
VIRT_API char *virConnectGetHostname(virConnectPtr conn);

/*
 * Gives the URI by which this connection can be opened again. The caller frees it.
 * Since libvirt 0.3.0.
 */
VIRT_API char *virConnectGetURI(virConnectPtr conn);

/*
 * Gives an XML document on the host (CPU, topology, NUMA cells, migration transports) and on the
 * kinds of guests its hypervisor can run (architectures, machine types, accelerators). The caller
 * frees it.
 * Since libvirt 0.2.1.
 */
VIRT_API char *virConnectGetCapabilities(virConnectPtr conn);

/*
 * Gives the number of virtual CPUs a guest may have at most. type is a guest type of the
 * capabilities ("kvm", "qemu"; NULL for the usual one).
 *
 * Returns the number, or -1 with VIR_ERR_INVALID_ARG if there is no such type.
 * Since libvirt 0.2.1.
 */
VIRT_API int virConnectGetMaxVcpus(virConnectPtr conn, const char *type);

/*
 * Gives what the host's firmware says of it (SMBIOS: vendor, serial number, ...) as an XML
 * document. flags: 0. The caller frees it.
 *
 * Returns the document, or NULL with VIR_ERR_NO_SUPPORT or VIR_ERR_CONFIG_UNSUPPORTED if the host
 * does not tell.
 * Since libvirt 0.8.8.
 */
VIRT_API char *virConnectGetSysinfo(virConnectPtr conn, unsigned int flags);

/*
 * Gives an XML document on what a guest can have with one emulator, machine and accelerator: how
 * many virtual CPUs, which firmware, which CPU modes and models, which kinds of devices. NULL for
 * an argument means the usual one: emulatorbin the program of arch, arch the host's, machine the
 * emulator's default, virttype ("kvm", "qemu") the best that works. flags: 0. The caller frees it.
 *
 * Returns the document, or NULL with VIR_ERR_INVALID_ARG if no emulator fits the arguments. Not on
 * a read-only connection.
 * Since libvirt 1.2.7.
 */
VIRT_API char *virConnectGetDomainCapabilities(virConnectPtr conn, const char *emulatorbin,
                                               const char *arch, const char *machine,
                                               const char *virttype, unsigned int flags);

/*
 * Lists the CPU models that a guest of this architecture can be given by name: *models becomes an
 * array of names, ended by NULL. The caller frees each and the array, with free(). models may be
 * NULL, to count only. flags: 0.
 *
 * Returns their number, or -1 with VIR_ERR_INVALID_ARG for an unknown architecture.
 * Since libvirt 1.1.3.
 */
VIRT_API int virConnectGetCPUModelNames(virConnectPtr conn, const char *arch, char ***models,
                                        unsigned int flags);

/* ============================================================================================== *
 *  6. Host
 * ============================================================================================== */

/*
 * The host. nodes * sockets * cores * threads is the number of its CPUs, counting those that are
 * offline.
 * Since libvirt 0.1.0.
 */
typedef struct _virNodeInfo virNodeInfo;
typedef virNodeInfo *virNodeInfoPtr;
struct _virNodeInfo {
    char model[32];       /* the architecture: "x86_64" */
    unsigned long memory; /* KiB */
    unsigned int cpus;    /* CPUs that are online */
    unsigned int mhz;     /* their clock rate; 0 if not known */
    unsigned int nodes;   /* NUMA nodes; 1 if their shape is not regular */
    unsigned int sockets; /* CPU sockets in each node */
    unsigned int cores;   /* cores in each socket */
    unsigned int threads; /* threads in each core */
};

/* The number of CPUs, counting those offline: the length of a CPU map. Since libvirt 0.1.4. */
#define VIR_NODEINFO_MAXCPUS(nodeinfo) \
    ((nodeinfo).nodes * (nodeinfo).sockets * (nodeinfo).cores * (nodeinfo).threads)

/* Fills in *info, which is the caller's. Since libvirt 0.1.0. */
VIRT_API int virNodeGetInfo(virConnectPtr conn, virNodeInfoPtr info);

/*
 * Gives the host's free memory in bytes.
 *
 * Returns the number, or 0 on error.
 * Since libvirt 0.3.3.
 */
VIRT_API unsigned long long virNodeGetFreeMemory(virConnectPtr conn);

/*
 * Fills freeMems with the free memory, in bytes, of up to maxCells NUMA cells from startCell on.
 *
 * Returns how many were filled in, or -1 with VIR_ERR_INVALID_ARG if there is no cell startCell.
 * Since libvirt 0.3.3.
 */
VIRT_API int virNodeGetCellsFreeMemory(virConnectPtr conn, unsigned long long *freeMems,
                                       int startCell, int maxCells);

/*
 * Tells which CPUs the host has and which are online: *cpumap, with a bit set for each online CPU
 * (VIR_CPU_USED), and their number in *online. Either may be NULL. flags: 0. The caller frees
 * *cpumap.
 *
 * Returns the number of CPUs, counting those offline, or -1.
 * Since libvirt 1.0.0.
 */
VIRT_API int virNodeGetCPUMap(virConnectPtr conn, unsigned char **cpumap, unsigned int *online,
                              unsigned int flags);

/* In place of a CPU's number: all of them together. Since libvirt 0.9.8. */
typedef enum {
    VIR_NODE_CPU_STATS_ALL_CPUS = -1, /* the sum (0.9.3) */
} virNodeGetCPUStatsAllCPUs;

/* The longest name of a figure, with its end. Since libvirt 0.9.3. */
#define VIR_NODE_CPU_STATS_FIELD_LENGTH 80
/* Time in the host's kernel, in nanoseconds, as are those that follow. Since libvirt 0.9.3. */
#define VIR_NODE_CPU_STATS_KERNEL "kernel"
/* Time in programs. Since libvirt 0.9.3. */
#define VIR_NODE_CPU_STATS_USER "user"
/* Time with nothing to do. Since libvirt 0.9.3. */
#define VIR_NODE_CPU_STATS_IDLE "idle"
/* Time spent waiting for disks. Since libvirt 0.9.3. */
#define VIR_NODE_CPU_STATS_IOWAIT "iowait"
/* Time in interrupts. Since libvirt 1.2.2. */
#define VIR_NODE_CPU_STATS_INTR "intr"
/* How busy it is, in per cent. Since libvirt 0.9.3. */
#define VIR_NODE_CPU_STATS_UTILIZATION "utilization"

/* A figure of a CPU. Since libvirt 0.9.3. */
typedef struct _virNodeCPUStats virNodeCPUStats;
typedef virNodeCPUStats *virNodeCPUStatsPtr;
struct _virNodeCPUStats {
    char field[VIR_NODE_CPU_STATS_FIELD_LENGTH]; /* VIR_NODE_CPU_STATS_* */
    unsigned long long value;
};

/*
 * Tells what the host's CPU cpuNum (or VIR_NODE_CPU_STATS_ALL_CPUS) has been doing since it was
 * started. params has room for *nparams figures; *nparams becomes how many were filled in. With
 * *nparams 0, it becomes how many there are, and params may be NULL. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_INVALID_ARG if there is no such CPU or not enough room.
 * Since libvirt 0.9.3.
 */
VIRT_API int virNodeGetCPUStats(virConnectPtr conn, int cpuNum, virNodeCPUStatsPtr params,
                                int *nparams, unsigned int flags);

/* In place of a cell's number: the whole host. Since libvirt 0.9.8. */
typedef enum {
    VIR_NODE_MEMORY_STATS_ALL_CELLS = -1, /* the sum (0.9.3) */
} virNodeGetMemoryStatsAllCells;

/* The longest name of a figure, with its end. Since libvirt 0.9.3. */
#define VIR_NODE_MEMORY_STATS_FIELD_LENGTH 80
/* All memory there is, in KiB, as are those that follow. Since libvirt 0.9.3. */
#define VIR_NODE_MEMORY_STATS_TOTAL "total"
/* What nobody uses. Since libvirt 0.9.3. */
#define VIR_NODE_MEMORY_STATS_FREE "free"
/* Buffers; of the whole host only. Since libvirt 0.9.3. */
#define VIR_NODE_MEMORY_STATS_BUFFERS "buffers"
/* Cached files; of the whole host only. Since libvirt 0.9.3. */
#define VIR_NODE_MEMORY_STATS_CACHED "cached"

/* A figure of the memory. Since libvirt 0.9.3. */
typedef struct _virNodeMemoryStats virNodeMemoryStats;
typedef virNodeMemoryStats *virNodeMemoryStatsPtr;
struct _virNodeMemoryStats {
    char field[VIR_NODE_MEMORY_STATS_FIELD_LENGTH]; /* VIR_NODE_MEMORY_STATS_* */
    unsigned long long value;
};

/*
 * Tells how the memory of NUMA cell cellNum (or VIR_NODE_MEMORY_STATS_ALL_CELLS) is used, in the
 * way of virNodeGetCPUStats(). flags: 0.
 * Since libvirt 0.9.3.
 */
VIRT_API int virNodeGetMemoryStats(virConnectPtr conn, int cellNum, virNodeMemoryStatsPtr params,
                                   int *nparams, unsigned int flags);

/* The longest name of a security model, with its end. Since libvirt 0.6.1. */
#define VIR_SECURITY_MODEL_BUFLEN (256 + 1)
/* The longest domain of interpretation, with its end. Since libvirt 0.6.1. */
#define VIR_SECURITY_DOI_BUFLEN (256 + 1)

/* How guests are kept apart by the host's kernel. Since libvirt 0.6.1. */
typedef struct _virSecurityModel virSecurityModel;
typedef virSecurityModel *virSecurityModelPtr;
struct _virSecurityModel {
    char model[VIR_SECURITY_MODEL_BUFLEN]; /* "selinux"; empty if there is none */
    char doi[VIR_SECURITY_DOI_BUFLEN];     /* by whose rules its labels are to be read */
};

/*
 * Tells in *secmodel which security model guests are labelled with. The QEMU driver labels nothing:
 * both names are empty.
 * Since libvirt 0.6.1.
 */
VIRT_API int virNodeGetSecurityModel(virConnectPtr conn, virSecurityModelPtr secmodel);

/* ============================================================================================== *
 *  7. Domains
 *
 *  A domain is a guest. It is transient (it exists while it runs) or persistent (its document is
 *  stored and it can be started again and again); it is active, which means that there is a
 *  process for it, running or paused, or inactive.
 *
 *      (nothing) -- virDomainCreateXML --> active, transient
 *      (nothing) -- virDomainDefineXML --> inactive, persistent
 *      inactive, persistent -- virDomainCreate --> active, persistent
 *      inactive, persistent -- virDomainUndefine --> (nothing)
 *      active, transient -- virDomainDefineXML --> active, persistent
 *      active, persistent -- virDomainUndefine --> active, transient
 *
 *  A virDomainPtr is a handle on it, for one connection. Any number of handles may name the same
 *  guest; each is freed with virDomainFree(), which does nothing to the guest.
 *
 *  Example: examples/lifecycle.c.
 * ============================================================================================== */

/* ---- 7.1 identity ---- */

/*
 * Gives the guest's name, unique on its host. It stays the handle's; after virDomainRename()
 * through another handle, this one still says the old name.
 * Since libvirt 0.0.3.
 */
VIRT_API const char *virDomainGetName(virDomainPtr domain);

/*
 * Copies the guest's uuid, VIR_UUID_BUFLEN bytes, into uuid. The uuid is what identifies a guest,
 * and it keeps it for life, over a migration too.
 * Since libvirt 0.0.5.
 */
VIRT_API int virDomainGetUUID(virDomainPtr domain, unsigned char *uuid);

/*
 * Writes the guest's uuid as text into buf, which has room for VIR_UUID_STRING_BUFLEN.
 * Since libvirt 0.1.1.
 */
VIRT_API int virDomainGetUUIDString(virDomainPtr domain, char *buf);

/*
 * Gives the number that an active guest has until it ends.
 *
 * Returns it, or (unsigned int)-1 if the guest is inactive, and on error: virGetLastError() tells
 * which. The handle is brought up to date by each call that starts, ends or looks up the guest.
 * Since libvirt 0.0.3.
 */
VIRT_API unsigned int virDomainGetID(virDomainPtr domain);

/*
 * Gives the type of guest, from the document's os element: "hvm" for a complete machine. The
 * caller frees it.
 * Since libvirt 0.0.3.
 */
VIRT_API char *virDomainGetOSType(virDomainPtr domain);

/*
 * Gives the connection of the handle, without a further reference: it lives as long as the handle,
 * and the caller must not close it.
 * Since libvirt 0.3.0.
 */
VIRT_API virConnectPtr virDomainGetConnect(virDomainPtr dom);

/*
 * Takes one more reference on the handle: virDomainFree() must then be called once more.
 * Since libvirt 0.6.0.
 */
VIRT_API int virDomainRef(virDomainPtr domain);

/*
 * Gives back a reference on the handle. The guest is not touched.
 *
 * Returns 0, or -1 if domain is not valid.
 * Since libvirt 0.0.3.
 */
VIRT_API int virDomainFree(virDomainPtr domain);

/*
 * Returns 1 if the guest is active (running or paused, see above), 0 if not, -1 on error.
 * Since libvirt 0.7.3.
 */
VIRT_API int virDomainIsActive(virDomainPtr dom);

/* Returns 1 if the guest is persistent, 0 if it is transient, -1 on error. Since libvirt 0.7.3. */
VIRT_API int virDomainIsPersistent(virDomainPtr dom);

/*
 * Tells whether the stored document of a persistent guest was changed since it was started, so
 * that its next start will be different.
 *
 * Returns 1, 0, or -1 on error.
 * Since libvirt 0.8.6.
 */
VIRT_API int virDomainIsUpdated(virDomainPtr dom);

/*
 * Gives an inactive guest another name. flags: 0. Listeners get VIR_DOMAIN_EVENT_UNDEFINED and
 * VIR_DOMAIN_EVENT_DEFINED, each with detail RENAMED.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if the guest is active or transient, or if the name
 * is taken; VIR_ERR_INVALID_ARG if it is empty, VIR_ERR_XML_ERROR if it has a '/' or is "." or "..",
 * VIR_ERR_XML_DETAIL if it has control characters or is not UTF-8. Not on a read-only connection.
 * Since libvirt 1.2.19.
 */
VIRT_API int virDomainRename(virDomainPtr dom, const char *new_name, unsigned int flags);

/* ---- 7.2 lists and lookups ---- */

/*
 * A lookup gives a new handle, which the caller frees with virDomainFree(). NULL with
 * VIR_ERR_NO_DOMAIN means that there is no such guest. Guests come and go: what a list or a lookup
 * found may be gone when it is used, and then that call fails with VIR_ERR_NO_DOMAIN.
 */

/* Finds an active guest by its number. Since libvirt 0.0.3. */
VIRT_API virDomainPtr virDomainLookupByID(virConnectPtr conn, int id);

/* Finds a guest by its name. Since libvirt 0.0.3. */
VIRT_API virDomainPtr virDomainLookupByName(virConnectPtr conn, const char *name);

/* Finds a guest by its uuid of VIR_UUID_BUFLEN bytes. Since libvirt 0.0.5. */
VIRT_API virDomainPtr virDomainLookupByUUID(virConnectPtr conn, const unsigned char *uuid);

/*
 * Finds a guest by its uuid as text. VIR_ERR_INVALID_ARG if that is not a uuid.
 * Since libvirt 0.1.1.
 */
VIRT_API virDomainPtr virDomainLookupByUUIDString(virConnectPtr conn, const char *uuidstr);

/*
 * Which guests to list. The flags come in groups; a guest is listed if it fits at least one flag
 * of every group that has any. Flags of things that this driver does not have (snapshots, say)
 * find none, or all with the negative one.
 * Since libvirt 0.9.13.
 */
typedef enum {
    VIR_CONNECT_LIST_DOMAINS_ACTIVE = 1 << 0,          /* first group: active */
    VIR_CONNECT_LIST_DOMAINS_INACTIVE = 1 << 1,        /* inactive */
    VIR_CONNECT_LIST_DOMAINS_PERSISTENT = 1 << 2,      /* second group: persistent */
    VIR_CONNECT_LIST_DOMAINS_TRANSIENT = 1 << 3,       /* transient */
    VIR_CONNECT_LIST_DOMAINS_RUNNING = 1 << 4,         /* third group: running */
    VIR_CONNECT_LIST_DOMAINS_PAUSED = 1 << 5,          /* paused */
    VIR_CONNECT_LIST_DOMAINS_SHUTOFF = 1 << 6,         /* shut off */
    VIR_CONNECT_LIST_DOMAINS_OTHER = 1 << 7,           /* in another state */
    VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE = 1 << 8,     /* fourth group: with a saved image that
                                                        * its next start resumes from */
    VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE = 1 << 9,  /* without */
    VIR_CONNECT_LIST_DOMAINS_AUTOSTART = 1 << 10,      /* fifth group: started with the host */
    VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART = 1 << 11,   /* not so */
    VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT = 1 << 12,   /* sixth group: with snapshots */
    VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT = 1 << 13,    /* without */
    VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT = 1 << 14, /* seventh group: with checkpoints (5.6.0) */
    VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT = 1 << 15,  /* without (5.6.0) */
} virConnectListAllDomainsFlags;

/*
 * Lists guests, in one consistent look. flags is 0 for all of them, or
 * virConnectListAllDomainsFlags. *domains becomes a NULL-terminated array of handles; the caller
 * frees each with virDomainFree() and the array with free(). domains may be NULL, to count only.
 *
 * Returns how many there are, or -1 (and *domains is NULL).
 * Since libvirt 0.9.13.
 */
VIRT_API int virConnectListAllDomains(virConnectPtr conn, virDomainPtr **domains,
                                      unsigned int flags);

/*
 * Lists the numbers of active guests, at most maxids of them, in ids. The older way:
 * virConnectListAllDomains() is not disturbed by guests that come and go between two calls.
 *
 * Returns how many were filled in, or -1.
 * Since libvirt 0.0.3.
 */
VIRT_API int virConnectListDomains(virConnectPtr conn, int *ids, int maxids);

/* Returns the number of active guests, or -1. Since libvirt 0.0.3. */
VIRT_API int virConnectNumOfDomains(virConnectPtr conn);

/*
 * Lists the names of inactive guests, at most maxnames of them, in names. The caller frees each
 * name.
 *
 * Returns how many were filled in, or -1.
 * Since libvirt 0.1.1.
 */
VIRT_API int virConnectListDefinedDomains(virConnectPtr conn, char ** const names, int maxnames);

/* Returns the number of inactive guests, or -1. Since libvirt 0.1.5. */
VIRT_API int virConnectNumOfDefinedDomains(virConnectPtr conn);

/* ---- 7.3 lifecycle ---- */

/* For virDomainDefineXMLFlags. Since libvirt 1.2.12. */
typedef enum {
    VIR_DOMAIN_DEFINE_VALIDATE = 1 << 0, /* refuse a document with parts that have no effect with
                                          * this driver; the error lists them */
} virDomainDefineFlags;

/*
 * Stores a guest's document: a new persistent guest, or the next start's document of one that
 * exists (name and uuid must both be its own). What is missing and must stay the same from now on
 * is filled in: uuid, MAC addresses, device addresses, the versioned machine type. What the
 * library does not understand is kept as it is. Caller frees the handle with virDomainFree().
 *
 * Returns a handle, or NULL: VIR_ERR_XML_ERROR, VIR_ERR_XML_DETAIL or VIR_ERR_CONFIG_UNSUPPORTED
 * if the document cannot be a guest here, VIR_ERR_OPERATION_FAILED if the name or the uuid is
 * another guest's. Not on a read-only connection. Example: examples/lifecycle.c.
 * Since libvirt 0.1.1.
 */
VIRT_API virDomainPtr virDomainDefineXML(virConnectPtr conn, const char *xml);

/*
 * As virDomainDefineXML(), with flags (virDomainDefineFlags). With VIR_DOMAIN_DEFINE_VALIDATE also
 * VIR_ERR_XML_INVALID_SCHEMA; without it virDomainListIgnoredXML() can be asked afterwards.
 * Since libvirt 1.2.12.
 */
VIRT_API virDomainPtr virDomainDefineXMLFlags(virConnectPtr conn, const char *xml,
                                              unsigned int flags);

/*
 * What goes with the document. Without the flag for it, a guest that has such a thing is not
 * undefined (VIR_ERR_OPERATION_INVALID), so that nothing is lost or left behind unseen.
 * Since libvirt 0.9.4.
 */
typedef enum {
    VIR_DOMAIN_UNDEFINE_MANAGED_SAVE = 1 << 0,         /* remove its saved image */
    VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA = 1 << 1,   /* forget its snapshots (0.9.5) */
    VIR_DOMAIN_UNDEFINE_NVRAM = 1 << 2,                /* remove its firmware variables (1.2.9) */
    VIR_DOMAIN_UNDEFINE_KEEP_NVRAM = 1 << 3,           /* leave its firmware variables where they
                                                        * are (2.3.0) */
    VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA = 1 << 4, /* forget its checkpoints (5.6.0) */
    VIR_DOMAIN_UNDEFINE_TPM = 1 << 5,                  /* remove the state of its TPM (8.9.0) */
    VIR_DOMAIN_UNDEFINE_KEEP_TPM = 1 << 6,             /* leave the state of its TPM where it is
                                                        * (8.9.0) */
} virDomainUndefineFlagsValues;

/*
 * Removes the stored document of a persistent guest. An inactive guest is gone with it, an active
 * one becomes transient. Disk images are never touched.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if the guest is transient, or has what only
 * virDomainUndefineFlags() removes. Not on a read-only connection.
 * Since libvirt 0.1.1.
 */
VIRT_API int virDomainUndefine(virDomainPtr domain);

/* As virDomainUndefine(), with flags (virDomainUndefineFlagsValues). Since libvirt 0.9.4. */
VIRT_API int virDomainUndefineFlags(virDomainPtr domain, unsigned int flags);

/* How to start a guest. Since libvirt 0.0.1. */
typedef enum {
    VIR_DOMAIN_NONE = 0,                    /* nothing special */
    VIR_DOMAIN_START_PAUSED = 1 << 0,       /* leave its CPUs stopped: virDomainResume() lets
                                             * them run (0.8.2) */
    VIR_DOMAIN_START_AUTODESTROY = 1 << 1,  /* end it when the connection is closed, or this
                                             * process ends (0.9.3) */
    VIR_DOMAIN_START_BYPASS_CACHE = 1 << 2, /* read a saved image around the host's cache (0.9.4) */
    VIR_DOMAIN_START_FORCE_BOOT = 1 << 3,   /* forget a saved image and boot (0.9.5) */
    VIR_DOMAIN_START_VALIDATE = 1 << 4,     /* refuse a document with parts that have no effect
                                             * with this driver (1.2.12) */
    VIR_DOMAIN_START_RESET_NVRAM = 1 << 5,  /* begin with fresh firmware variables (8.1.0) */
} virDomainCreateFlags;

/*
 * Starts an inactive persistent guest. When this returns, its CPUs run.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if it is active already, VIR_ERR_CONFIG_UNSUPPORTED
 * if this host cannot run it, VIR_ERR_INTERNAL_ERROR with the hypervisor's own last words if that
 * ended at once. Not on a read-only connection. Example: examples/lifecycle.c.
 * Since libvirt 0.1.1.
 */
VIRT_API int virDomainCreate(virDomainPtr domain);

/* As virDomainCreate(), with flags (virDomainCreateFlags). Since libvirt 0.8.2. */
VIRT_API int virDomainCreateWithFlags(virDomainPtr domain, unsigned int flags);

/*
 * Starts a guest from a document: a new transient guest or, if a persistent guest of that name and
 * uuid is inactive, that one, with this document for this time. flags are virDomainCreateFlags.
 * The caller frees the handle with virDomainFree().
 *
 * Returns a handle, or NULL with the errors of virDomainDefineXML() and virDomainCreate(). Not on
 * a read-only connection.
 * Since libvirt 0.5.0.
 */
VIRT_API virDomainPtr virDomainCreateXML(virConnectPtr conn, const char *xmlDesc,
                                         unsigned int flags);

/* The old name of virDomainCreateXML(). Since libvirt 0.0.3. */
VIRT_API virDomainPtr virDomainCreateLinux(virConnectPtr conn, const char *xmlDesc,
                                           unsigned int flags);

/*
 * Pauses the guest: its CPUs stop, its memory stays. Pausing a paused guest succeeds.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active, or is being migrated
 * and paused by that. Not on a read-only connection. Example: examples/lifecycle.c.
 * Since libvirt 0.0.3.
 */
VIRT_API int virDomainSuspend(virDomainPtr domain);

/*
 * Lets a paused guest run on. Resuming a running guest succeeds.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if the guest is not active, or belongs to a
 * migration whose outcome is not known. Not on a read-only connection.
 * Since libvirt 0.0.3.
 */
VIRT_API int virDomainResume(virDomainPtr domain);

/*
 * How to ask a guest to shut down. With several flags the driver chooses, in an order of its own.
 * Since libvirt 0.9.10.
 */
typedef enum {
    VIR_DOMAIN_SHUTDOWN_DEFAULT = 0,             /* as the driver likes best */
    VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN = 1 << 0, /* press the power button */
    VIR_DOMAIN_SHUTDOWN_GUEST_AGENT = 1 << 1,    /* ask the agent in the guest */
    VIR_DOMAIN_SHUTDOWN_INITCTL = 1 << 2,        /* write to its init (1.0.1) */
    VIR_DOMAIN_SHUTDOWN_SIGNAL = 1 << 3,         /* send its init a signal (1.0.1) */
    VIR_DOMAIN_SHUTDOWN_PARAVIRT = 1 << 4,       /* ask by a paravirtual device (1.2.5) */
} virDomainShutdownFlagValues;

/*
 * Asks the guest to shut down, and returns at once. Whether and when it obeys is the guest's
 * affair: wait for VIR_DOMAIN_EVENT_STOPPED, or look at virDomainGetState(). A document whose
 * on_poweroff says "restart" makes it boot again.
 *
 * Returns 0 if it was asked, or -1 with VIR_ERR_OPERATION_INVALID if it is not running. Not on a
 * read-only connection.
 * Since libvirt 0.0.3.
 */
VIRT_API int virDomainShutdown(virDomainPtr domain);

/*
 * As virDomainShutdown(), with flags (virDomainShutdownFlagValues).
 *
 * VIR_ERR_ARGUMENT_UNSUPPORTED or VIR_ERR_AGENT_UNRESPONSIVE if that way is not there.
 * Since libvirt 0.9.10.
 */
VIRT_API int virDomainShutdownFlags(virDomainPtr domain, unsigned int flags);

/*
 * How to ask a guest to reboot. With several flags the driver chooses, in an order of its own.
 * Since libvirt 0.9.10.
 */
typedef enum {
    VIR_DOMAIN_REBOOT_DEFAULT = 0,             /* as the driver likes best */
    VIR_DOMAIN_REBOOT_ACPI_POWER_BTN = 1 << 0, /* press the power button, and start it again when
                                                * it is off */
    VIR_DOMAIN_REBOOT_GUEST_AGENT = 1 << 1,    /* ask the agent in the guest */
    VIR_DOMAIN_REBOOT_INITCTL = 1 << 2,        /* write to its init (1.0.1) */
    VIR_DOMAIN_REBOOT_SIGNAL = 1 << 3,         /* send its init a signal (1.0.1) */
    VIR_DOMAIN_REBOOT_PARAVIRT = 1 << 4,       /* ask by a paravirtual device (1.2.5) */
} virDomainRebootFlagValues;

/*
 * Asks the guest to reboot, and returns at once; its process and id stay. flags are
 * virDomainRebootFlagValues.
 *
 * Returns 0 if it was asked, or -1 with VIR_ERR_OPERATION_INVALID if it is not running. Not on a
 * read-only connection.
 * Since libvirt 0.1.0.
 */
VIRT_API int virDomainReboot(virDomainPtr domain, unsigned int flags);

/*
 * Resets the guest's machine as its reset button would, without a word to the guest. What it had
 * not written to its disks is lost. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if it is not active. Not on a read-only
 * connection.
 * Since libvirt 0.9.7.
 */
VIRT_API int virDomainReset(virDomainPtr domain, unsigned int flags);

/* How to end a guest. Since libvirt 0.9.4. */
typedef enum {
    VIR_DOMAIN_DESTROY_DEFAULT = 0,          /* at once, by force if need be (0.9.10) */
    VIR_DOMAIN_DESTROY_GRACEFUL = 1 << 0,    /* never by force: fail rather than kill a process
                                              * that does not end (0.9.10) */
    VIR_DOMAIN_DESTROY_REMOVE_LOGS = 1 << 1, /* remove its log files too (8.3.0) */
} virDomainDestroyFlagsValues;

/*
 * Ends the guest now, as if its power failed. What it had not written to its disks is lost. The
 * handle stays good, and names the inactive guest if it is persistent.
 *
 * Returns 0 when the guest's process is gone, or -1 with VIR_ERR_OPERATION_INVALID if it was not
 * active. Not on a read-only connection. Example: examples/lifecycle.c.
 * Since libvirt 0.0.3.
 */
VIRT_API int virDomainDestroy(virDomainPtr domain);

/*
 * As virDomainDestroy(), with flags (virDomainDestroyFlagsValues). With
 * VIR_DOMAIN_DESTROY_GRACEFUL also VIR_ERR_SYSTEM_ERROR or VIR_ERR_OPERATION_TIMEOUT: the guest
 * may be there still.
 * Since libvirt 0.9.4.
 */
VIRT_API int virDomainDestroyFlags(virDomainPtr domain, unsigned int flags);

/*
 * Tells in *autostart whether the guest is marked to be started with its host: 1 or 0.
 * Since libvirt 0.2.1.
 */
VIRT_API int virDomainGetAutostart(virDomainPtr domain, int *autostart);

/*
 * Marks a persistent guest to be started with its host (1), or not (0). The library has no daemon
 * that comes up with the host: marked guests are started by whoever opens qemu:///system or
 * qemu:///session first after the host did.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is transient. Not on a read-only
 * connection.
 * Since libvirt 0.2.1.
 */
VIRT_API int virDomainSetAutostart(virDomainPtr domain, int autostart);

/*
 * The moments for which a document says what is to follow: on_poweroff, on_reboot, on_crash.
 * Since libvirt 3.9.0.
 */
typedef enum {
    VIR_DOMAIN_LIFECYCLE_POWEROFF = 0, /* the guest has shut down */
    VIR_DOMAIN_LIFECYCLE_REBOOT = 1,   /* the guest reboots */
    VIR_DOMAIN_LIFECYCLE_CRASH = 2,    /* the guest has crashed */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_LIFECYCLE_LAST = 3,     /* how many there are */
#endif
} virDomainLifecycle;

/* What may follow, and how the document writes it. Since libvirt 3.9.0. */
typedef enum {
    VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY = 0,          /* "destroy": it ends */
    VIR_DOMAIN_LIFECYCLE_ACTION_RESTART = 1,          /* "restart": it boots again */
    VIR_DOMAIN_LIFECYCLE_ACTION_RESTART_RENAME = 2,   /* "rename-restart": it boots again under
                                                       * another name */
    VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE = 3,         /* "preserve": it stays as it is, to be
                                                       * looked at */
    VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY = 4, /* "coredump-destroy": its memory is
                                                       * dumped, then it ends */
    VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART = 5, /* "coredump-restart": its memory is
                                                       * dumped, then it boots again */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_LIFECYCLE_ACTION_LAST = 6,             /* how many there are */
#endif
} virDomainLifecycleAction;

/*
 * Signals to a process in a guest, by the numbers Linux has on x86; RT0 to RT32 are the real-time
 * ones. NOP only asks whether the process is there; LAST is how many there are.
 * Since libvirt 1.0.1.
 */
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
    VIR_DOMAIN_PROCESS_SIGNAL_RT32 = 64,
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_PROCESS_SIGNAL_LAST = 65,
#endif
} virDomainProcessSignal;

/* Whose numbers for keys. Since libvirt 0.9.3. */
typedef enum {
    VIR_KEYCODE_SET_LINUX = 0,  /* of linux/input-event-codes.h */
    VIR_KEYCODE_SET_XT = 1,     /* of the XT keyboard; extended ones as 0xe0xx */
    VIR_KEYCODE_SET_ATSET1 = 2, /* of the AT keyboard, set 1 */
    VIR_KEYCODE_SET_ATSET2 = 3, /* set 2 */
    VIR_KEYCODE_SET_ATSET3 = 4, /* set 3 */
    VIR_KEYCODE_SET_OSX = 5,    /* of macOS (0.9.4) */
    VIR_KEYCODE_SET_XT_KBD = 6, /* of Linux' driver for XT keyboards (0.9.4) */
    VIR_KEYCODE_SET_USB = 7,    /* of USB keyboards (0.9.4) */
    VIR_KEYCODE_SET_WIN32 = 8,  /* of Windows (0.9.4) */
    VIR_KEYCODE_SET_QNUM = 9,   /* of QEMU and of VNC's extension (4.2.0) */
    VIR_KEYCODE_SET_LAST = 10,  /* how many there are (0.9.4) */
} virKeycodeSet;

/* The older name of VIR_KEYCODE_SET_QNUM. Since libvirt 0.9.5. */
#define VIR_KEYCODE_SET_RFB VIR_KEYCODE_SET_QNUM
/* How many keys can be pressed at once. Since libvirt 0.9.3. */
#define VIR_DOMAIN_SEND_KEY_MAX_KEYS 16

/*
 * Presses nkeycodes keys of the guest's keyboard at once, and lets them go after holdtime
 * milliseconds (0: as the hypervisor likes). codeset is a virKeycodeSet; the QEMU driver knows
 * VIR_KEYCODE_SET_LINUX, VIR_KEYCODE_SET_XT and VIR_KEYCODE_SET_QNUM. flags: 0.
 *
 * Returns 0, or -1: VIR_ERR_INVALID_ARG for a key that is not known, VIR_ERR_OPERATION_INVALID if
 * the guest is not active. Not on a read-only connection.
 * Since libvirt 0.9.3.
 */
VIRT_API int virDomainSendKey(virDomainPtr domain, unsigned int codeset, unsigned int holdtime,
                              unsigned int *keycodes, int nkeycodes, unsigned int flags);

/*
 * Sends the guest a non-maskable interrupt, upon which a system may write down what it was doing.
 * flags: 0. Not on a read-only connection.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active.
 * Since libvirt 0.9.2.
 */
VIRT_API int virDomainInjectNMI(virDomainPtr domain, unsigned int flags);

/* ---- 7.4 state and info ---- */

/* What a guest is doing. Since libvirt 0.0.1. */
typedef enum {
    VIR_DOMAIN_NOSTATE = 0,     /* not known */
    VIR_DOMAIN_RUNNING = 1,     /* its CPUs run */
    VIR_DOMAIN_BLOCKED = 2,     /* it waits for something (Xen only) */
    VIR_DOMAIN_PAUSED = 3,      /* its CPUs are stopped, its memory is there */
    VIR_DOMAIN_SHUTDOWN = 4,    /* it is shutting down */
    VIR_DOMAIN_SHUTOFF = 5,     /* inactive */
    VIR_DOMAIN_CRASHED = 6,     /* it crashed and was preserved (0.0.2) */
    VIR_DOMAIN_PMSUSPENDED = 7, /* it put itself to sleep (0.9.11) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_LAST = 8,        /* how many there are */
#endif
} virDomainState;

/* Why VIR_DOMAIN_NOSTATE. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_NOSTATE_UNKNOWN = 0, /* not known */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_NOSTATE_LAST = 1,    /* how many there are */
#endif
} virDomainNostateReason;

/* Why VIR_DOMAIN_RUNNING. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_RUNNING_UNKNOWN = 0,            /* not known */
    VIR_DOMAIN_RUNNING_BOOTED = 1,             /* it was started */
    VIR_DOMAIN_RUNNING_MIGRATED = 2,           /* it came from another host */
    VIR_DOMAIN_RUNNING_RESTORED = 3,           /* it was restored from a file */
    VIR_DOMAIN_RUNNING_FROM_SNAPSHOT = 4,      /* it was reverted to a snapshot */
    VIR_DOMAIN_RUNNING_UNPAUSED = 5,           /* virDomainResume() */
    VIR_DOMAIN_RUNNING_MIGRATION_CANCELED = 6, /* a migration that had paused it ended badly */
    VIR_DOMAIN_RUNNING_SAVE_CANCELED = 7,      /* saving it, which had paused it, ended badly */
    VIR_DOMAIN_RUNNING_WAKEUP = 8,             /* it woke up from its sleep (0.9.11) */
    VIR_DOMAIN_RUNNING_CRASHED = 9,            /* it had crashed, and runs again (1.1.1) */
    VIR_DOMAIN_RUNNING_POSTCOPY = 10,          /* it came from another host, and its memory is
                                                * still coming (1.3.3) */
    VIR_DOMAIN_RUNNING_POSTCOPY_FAILED = 11,   /* the same, but the memory has stopped coming
                                                * (8.5.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_RUNNING_LAST = 12,              /* how many there are */
#endif
} virDomainRunningReason;

/* Why VIR_DOMAIN_BLOCKED. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_BLOCKED_UNKNOWN = 0, /* not known */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_BLOCKED_LAST = 1,    /* how many there are */
#endif
} virDomainBlockedReason;

/* Why VIR_DOMAIN_PAUSED. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_PAUSED_UNKNOWN = 0,          /* not known */
    VIR_DOMAIN_PAUSED_USER = 1,             /* virDomainSuspend(), or it was started so */
    VIR_DOMAIN_PAUSED_MIGRATION = 2,        /* a migration is at the point where the CPUs must
                                             * stand */
    VIR_DOMAIN_PAUSED_SAVE = 3,             /* it is being saved */
    VIR_DOMAIN_PAUSED_DUMP = 4,             /* its memory is being dumped */
    VIR_DOMAIN_PAUSED_IOERROR = 5,          /* a disk gave an error */
    VIR_DOMAIN_PAUSED_WATCHDOG = 6,         /* its watchdog expired */
    VIR_DOMAIN_PAUSED_FROM_SNAPSHOT = 7,    /* it was reverted to a snapshot that is paused */
    VIR_DOMAIN_PAUSED_SHUTTING_DOWN = 8,    /* it is ending (0.9.5) */
    VIR_DOMAIN_PAUSED_SNAPSHOT = 9,         /* a snapshot is being taken (1.0.1) */
    VIR_DOMAIN_PAUSED_CRASHED = 10,         /* it crashed (1.1.1) */
    VIR_DOMAIN_PAUSED_STARTING_UP = 11,     /* it is being started (1.2.14) */
    VIR_DOMAIN_PAUSED_POSTCOPY = 12,        /* it has left for another host, and its memory is
                                             * following (1.3.3) */
    VIR_DOMAIN_PAUSED_POSTCOPY_FAILED = 13, /* the same, but the memory has stopped following
                                             * (1.3.3) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_PAUSED_LAST = 14,            /* how many there are */
#endif
} virDomainPausedReason;

/* Why VIR_DOMAIN_SHUTDOWN. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_SHUTDOWN_UNKNOWN = 0, /* not known */
    VIR_DOMAIN_SHUTDOWN_USER = 1,    /* it was asked to */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_SHUTDOWN_LAST = 2,    /* how many there are */
#endif
} virDomainShutdownReason;

/* Why VIR_DOMAIN_SHUTOFF. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_SHUTOFF_UNKNOWN = 0,       /* not known */
    VIR_DOMAIN_SHUTOFF_SHUTDOWN = 1,      /* it shut down */
    VIR_DOMAIN_SHUTOFF_DESTROYED = 2,     /* virDomainDestroy() */
    VIR_DOMAIN_SHUTOFF_CRASHED = 3,       /* it crashed, or its hypervisor did */
    VIR_DOMAIN_SHUTOFF_MIGRATED = 4,      /* it went to another host */
    VIR_DOMAIN_SHUTOFF_SAVED = 5,         /* it was saved to a file */
    VIR_DOMAIN_SHUTOFF_FAILED = 6,        /* it could not be started */
    VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT = 7, /* it was reverted to a snapshot that is shut off */
    VIR_DOMAIN_SHUTOFF_DAEMON = 8,        /* it was ended when its process was found again in a
                                           * state that nobody can use (4.10.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_SHUTOFF_LAST = 9,          /* how many there are */
#endif
} virDomainShutoffReason;

/* Why VIR_DOMAIN_CRASHED. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_CRASHED_UNKNOWN = 0,  /* not known */
    VIR_DOMAIN_CRASHED_PANICKED = 1, /* its kernel said so (1.1.1) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_CRASHED_LAST = 2,     /* how many there are */
#endif
} virDomainCrashedReason;

/* Why VIR_DOMAIN_PMSUSPENDED. Since libvirt 0.9.11. */
typedef enum {
    VIR_DOMAIN_PMSUSPENDED_UNKNOWN = 0, /* not known */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_PMSUSPENDED_LAST = 1,    /* how many there are */
#endif
} virDomainPMSuspendedReason;

/* Why a guest sleeps with its memory on disk. Since libvirt 1.0.0. */
typedef enum {
    VIR_DOMAIN_PMSUSPENDED_DISK_UNKNOWN = 0, /* not known */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_PMSUSPENDED_DISK_LAST = 1,    /* how many there are */
#endif
} virDomainPMSuspendedDiskReason;

/* A guest at a glance. Since libvirt 0.0.1. */
typedef struct _virDomainInfo virDomainInfo;
typedef virDomainInfo *virDomainInfoPtr;
struct _virDomainInfo {
    unsigned char state;        /* virDomainState */
    unsigned long maxMem;       /* KiB it may have */
    unsigned long memory;       /* KiB it has */
    unsigned short nrVirtCpu;   /* virtual CPUs it has */
    unsigned long long cpuTime; /* nanoseconds of CPU time it has used */
};

/*
 * Tells what the guest is doing: *state is a virDomainState, *reason (may be NULL) a number of the
 * enum that belongs to it (virDomainRunningReason for VIR_DOMAIN_RUNNING, and so on). flags: 0.
 *
 * Does not wait for the hypervisor, also when that is busy or hangs.
 * Since libvirt 0.9.2.
 */
VIRT_API int virDomainGetState(virDomainPtr domain, int *state, int *reason, unsigned int flags);

/* Fills in *info, which is the caller's. Does not wait for the hypervisor. Since libvirt 0.0.3. */
VIRT_API int virDomainGetInfo(virDomainPtr domain, virDomainInfoPtr info);

/* Whether a guest's hypervisor can be talked to. Since libvirt 0.9.3. */
typedef enum {
    VIR_DOMAIN_CONTROL_OK = 0,       /* yes */
    VIR_DOMAIN_CONTROL_JOB = 1,      /* a job is running, see virDomainGetJobInfo() */
    VIR_DOMAIN_CONTROL_OCCUPIED = 2, /* it is working on a command */
    VIR_DOMAIN_CONTROL_ERROR = 3,    /* no */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_CONTROL_LAST = 4,     /* how many there are */
#endif
} virDomainControlState;

/* Why VIR_DOMAIN_CONTROL_ERROR. Since libvirt 1.2.14. */
typedef enum {
    VIR_DOMAIN_CONTROL_ERROR_REASON_NONE = 0,     /* no error */
    VIR_DOMAIN_CONTROL_ERROR_REASON_UNKNOWN = 1,  /* not known */
    VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR = 2,  /* the channel to it is broken */
    VIR_DOMAIN_CONTROL_ERROR_REASON_INTERNAL = 3, /* it is in a state that should not be */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_CONTROL_ERROR_REASON_LAST = 4,     /* how many there are */
#endif
} virDomainControlErrorReason;

/* How it stands with a guest's hypervisor. Since libvirt 0.9.3. */
typedef struct _virDomainControlInfo virDomainControlInfo;
typedef virDomainControlInfo *virDomainControlInfoPtr;
struct _virDomainControlInfo {
    unsigned int state;           /* virDomainControlState */
    unsigned int details;         /* virDomainControlErrorReason, or 0 */
    unsigned long long stateTime; /* ms since it entered this state */
};

/*
 * Tells in *info whether the guest's hypervisor can be talked to, or since when it has been busy
 * with what. Does not wait for it. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active.
 * Since libvirt 0.9.3.
 */
VIRT_API int virDomainGetControlInfo(virDomainPtr domain, virDomainControlInfoPtr info,
                                     unsigned int flags);

/* ---- 7.5 documents ---- */

/* Which document, and how much of it. Since libvirt 0.3.3. */
typedef enum {
    VIR_DOMAIN_XML_SECURE = 1 << 0,     /* with passwords; not on a read-only connection */
    VIR_DOMAIN_XML_INACTIVE = 1 << 1,   /* of an active guest: the document of its next start */
    VIR_DOMAIN_XML_UPDATE_CPU = 1 << 2, /* with the CPU as this host would provide it (0.8.0) */
    VIR_DOMAIN_XML_MIGRATABLE = 1 << 3, /* in a form that another host can take: what belongs to
                                         * this host only is left out (1.0.0) */
} virDomainXMLFlags;

/*
 * Gives the guest's document: of an active guest the one it runs with, which has its id, the names
 * of its terminals, the aliases of its devices and the like; of an inactive one the stored one.
 * flags are virDomainXMLFlags. The caller frees it.
 *
 * Returns the document, or NULL; VIR_ERR_OPERATION_DENIED for VIR_DOMAIN_XML_SECURE and
 * VIR_DOMAIN_XML_MIGRATABLE on a read-only connection.
 * Since libvirt 0.0.3.
 */
VIRT_API char *virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags);

/* ---- 7.6 memory and vcpus ---- */

/* Which of a guest's two documents a call looks at or changes. Since libvirt 0.9.2. */
typedef enum {
    VIR_DOMAIN_AFFECT_CURRENT = 0,     /* the running guest's if it is active, else the stored
                                        * one */
    VIR_DOMAIN_AFFECT_LIVE = 1 << 0,   /* the running guest's; an inactive guest is an error */
    VIR_DOMAIN_AFFECT_CONFIG = 1 << 1, /* the stored one, which the next start uses; a transient
                                        * guest is an error */
} virDomainModificationImpact;

/* The same for memory, with one more. Since libvirt 0.9.0. */
typedef enum {
    VIR_DOMAIN_MEM_CURRENT = 0,      /* as VIR_DOMAIN_AFFECT_CURRENT (0.9.1) */
    VIR_DOMAIN_MEM_LIVE = 1 << 0,    /* as VIR_DOMAIN_AFFECT_LIVE */
    VIR_DOMAIN_MEM_CONFIG = 1 << 1,  /* as VIR_DOMAIN_AFFECT_CONFIG */
    VIR_DOMAIN_MEM_MAXIMUM = 1 << 2, /* the most it may have, not what it has (0.9.1) */
} virDomainMemoryModFlags;

/*
 * Gives the memory, in KiB, that the guest may have at most.
 *
 * Returns the number, or 0 on error.
 * Since libvirt 0.0.3.
 */
VIRT_API unsigned long virDomainGetMaxMemory(virDomainPtr domain);

/*
 * Sets how much memory the guest has, in KiB. flags are virDomainMemoryModFlags. Of a running guest
 * the balloon is told; whether the guest gives memory back, and when, is up to it:
 * VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE tells. With VIR_DOMAIN_MEM_MAXIMUM it is the most it may have,
 * which cannot be changed while it runs.
 *
 * Returns 0, or -1: VIR_ERR_INVALID_ARG for more than the maximum, VIR_ERR_OPERATION_INVALID if the
 * guest has no balloon, or is active and it is the maximum. Not on a read-only connection.
 * Since libvirt 0.9.0.
 */
VIRT_API int virDomainSetMemoryFlags(virDomainPtr domain, unsigned long memory, unsigned int flags);

/* The same with VIR_DOMAIN_MEM_LIVE. Since libvirt 0.1.1. */
VIRT_API int virDomainSetMemory(virDomainPtr domain, unsigned long memory);

/* The same with VIR_DOMAIN_MEM_MAXIMUM. Since libvirt 0.0.3. */
VIRT_API int virDomainSetMaxMemory(virDomainPtr domain, unsigned long memory);

/* The same for virtual CPUs, with more. Since libvirt 0.8.5. */
typedef enum {
    VIR_DOMAIN_VCPU_CURRENT = 0,           /* as VIR_DOMAIN_AFFECT_CURRENT (0.9.4) */
    VIR_DOMAIN_VCPU_LIVE = 1 << 0,         /* as VIR_DOMAIN_AFFECT_LIVE */
    VIR_DOMAIN_VCPU_CONFIG = 1 << 1,       /* as VIR_DOMAIN_AFFECT_CONFIG */
    VIR_DOMAIN_VCPU_MAXIMUM = 1 << 2,      /* the most it may have, not what it has */
    VIR_DOMAIN_VCPU_GUEST = 1 << 3,        /* as the agent in the guest sees it; not on a read-
                                            * only connection (1.1.0) */
    VIR_DOMAIN_VCPU_HOTPLUGGABLE = 1 << 4, /* make those that are added removable (2.4.0) */
} virDomainVcpuFlags;

/* What a virtual CPU is doing. Since libvirt 0.1.4. */
typedef enum {
    VIR_VCPU_OFFLINE = 0, /* it is not there */
    VIR_VCPU_RUNNING = 1, /* it runs */
    VIR_VCPU_BLOCKED = 2, /* it waits */
#ifndef VIRT_NO_SENTINELS
    VIR_VCPU_LAST = 3,    /* how many there are */
#endif
} virVcpuState;

/* In place of a host CPU's number. Since libvirt 6.10.0. */
typedef enum {
    VIR_VCPU_INFO_CPU_UNAVAILABLE = -2, /* cannot be told, as with the test driver */
    VIR_VCPU_INFO_CPU_OFFLINE = -1,     /* none: it is not there */
} virVcpuHostCpuState;

/* A virtual CPU. Since libvirt 0.1.4. */
typedef struct _virVcpuInfo virVcpuInfo;
typedef virVcpuInfo *virVcpuInfoPtr;
struct _virVcpuInfo {
    unsigned int number;        /* 0, 1, ... */
    int state;                  /* virVcpuState */
    unsigned long long cpuTime; /* nanoseconds of CPU time it has used */
    int cpu;                    /* the host CPU it is on; or virVcpuHostCpuState */
};

/*
 * CPU maps. A map is a row of bytes with one bit for each host CPU, CPU 0 being the lowest bit of
 * the first byte. A table of maps has one map after the other, each of the same length.
 */

/* The bytes of a map for that many CPUs. Since libvirt 0.1.4. */
#define VIR_CPU_MAPLEN(cpu) (((cpu) + 7) / 8)
/* Sets the bit of a CPU. Since libvirt 0.1.4. */
#define VIR_USE_CPU(cpumap, cpu) ((cpumap)[(cpu) / 8] |= (1 << ((cpu) % 8)))
/* Clears the bit of a CPU. Since libvirt 0.1.4. */
#define VIR_UNUSE_CPU(cpumap, cpu) ((cpumap)[(cpu) / 8] &= ~(1 << ((cpu) % 8)))
/* Not 0 if the bit of a CPU is set. Since libvirt 1.0.0. */
#define VIR_CPU_USED(cpumap, cpu) ((cpumap)[(cpu) / 8] & (1 << ((cpu) % 8)))
/* The map of one virtual CPU in a table. Since libvirt 0.1.4. */
#define VIR_GET_CPUMAP(cpumaps, maplen, vcpu) (&((cpumaps)[(vcpu) * (maplen)]))
/* Not 0 if that virtual CPU may use that host CPU. Since libvirt 0.1.4. */
#define VIR_CPU_USABLE(cpumaps, maplen, vcpu, cpu) \
    VIR_CPU_USED(VIR_GET_CPUMAP(cpumaps, maplen, vcpu), cpu)
/* Copies the map of one virtual CPU out of a table; needs <string.h>. Since libvirt 0.1.4. */
#define VIR_COPY_CPUMAP(cpumaps, maplen, vcpu, cpumap) \
    memcpy(cpumap, VIR_GET_CPUMAP(cpumaps, maplen, vcpu), maplen)

/*
 * Gives the number of virtual CPUs that the guest, which must be active, may have at most. The
 * same as virDomainGetVcpusFlags() with VIR_DOMAIN_VCPU_LIVE | VIR_DOMAIN_VCPU_MAXIMUM.
 *
 * Returns the number, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active.
 * Since libvirt 0.2.1.
 */
VIRT_API int virDomainGetMaxVcpus(virDomainPtr domain);

/*
 * Gives the number of virtual CPUs: flags (virDomainVcpuFlags) say of which document, and whether
 * those it has or those it may have.
 *
 * Returns the number, or -1; VIR_ERR_OPERATION_DENIED for VIR_DOMAIN_VCPU_GUEST on a read-only
 * connection.
 * Since libvirt 0.8.5.
 */
VIRT_API int virDomainGetVcpusFlags(virDomainPtr domain, unsigned int flags);

/*
 * Tells what the virtual CPUs of an active guest are doing: info gets up to maxinfo of them. If
 * cpumaps is not NULL, it is a table of maxinfo maps of maplen bytes each, and gets the host CPUs
 * that each may use. info may be NULL, then maplen must not be 0.
 *
 * Returns how many were filled in, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not
 * active.
 * Since libvirt 0.1.4.
 */
VIRT_API int virDomainGetVcpus(virDomainPtr domain, virVcpuInfoPtr info, int maxinfo,
                               unsigned char *cpumaps, int maplen);

/*
 * Tells which host CPUs each virtual CPU may use: cpumaps is a table of ncpumaps maps of maplen
 * bytes each. A virtual CPU that is not bound may use all. flags are virDomainModificationImpact,
 * of which LIVE and CONFIG exclude each other. Works with inactive guests too.
 *
 * Returns how many maps were filled in, or -1.
 * Since libvirt 0.9.3.
 */
VIRT_API int virDomainGetVcpuPinInfo(virDomainPtr domain, int ncpumaps, unsigned char *cpumaps,
                                     int maplen, unsigned int flags);

/*
 * Tells which host CPUs the hypervisor's own threads may use: cpumap is one map of maplen bytes.
 * flags as virDomainGetVcpuPinInfo().
 *
 * Returns 1 if they are bound, 0 if they may use all, -1 on error.
 * Since libvirt 0.10.0.
 */
VIRT_API int virDomainGetEmulatorPinInfo(virDomainPtr domain, unsigned char *cpumap, int maplen,
                                         unsigned int flags);

/* ---- 7.7 jobs ---- */

/*
 * A job is a long operation on a guest: a migration, a save, a dump. One at a time; the thread that
 * called for it is busy with it, and others look and, if they must, abort it.
 */

/* How it stands with a job. Since libvirt 0.7.7. */
typedef enum {
    VIR_DOMAIN_JOB_NONE = 0,      /* there is none */
    VIR_DOMAIN_JOB_BOUNDED = 1,   /* running, and how much remains is known */
    VIR_DOMAIN_JOB_UNBOUNDED = 2, /* running, and nobody knows how long */
    VIR_DOMAIN_JOB_COMPLETED = 3, /* it has ended well */
    VIR_DOMAIN_JOB_FAILED = 4,    /* it has ended badly */
    VIR_DOMAIN_JOB_CANCELLED = 5, /* it was aborted */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_JOB_LAST = 6,      /* how many there are */
#endif
} virDomainJobType;

/* Which operation the job is. Since libvirt 3.3.0. */
typedef enum {
    VIR_DOMAIN_JOB_OPERATION_UNKNOWN = 0,          /* not known */
    VIR_DOMAIN_JOB_OPERATION_START = 1,            /* the guest is being started */
    VIR_DOMAIN_JOB_OPERATION_SAVE = 2,             /* it is being saved to a file */
    VIR_DOMAIN_JOB_OPERATION_RESTORE = 3,          /* it is being restored from a file */
    VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN = 4,     /* it is coming from another host */
    VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT = 5,    /* it is going to another host */
    VIR_DOMAIN_JOB_OPERATION_SNAPSHOT = 6,         /* a snapshot is being taken */
    VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT = 7,  /* it is being reverted to a snapshot */
    VIR_DOMAIN_JOB_OPERATION_DUMP = 8,             /* its memory is being dumped */
    VIR_DOMAIN_JOB_OPERATION_BACKUP = 9,           /* its disks are being backed up (6.0.0) */
    VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE = 10, /* a snapshot is being deleted (9.0.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_JOB_OPERATION_LAST = 11,            /* how many there are */
#endif
} virDomainJobOperation;

/*
 * The progress of a job, in numbers that fit all. Sums in bytes; a driver that has no number gives
 * 0. A guest writes while it is copied, so what remains may grow.
 * Since libvirt 0.7.7.
 */
typedef struct _virDomainJobInfo virDomainJobInfo;
typedef virDomainJobInfo *virDomainJobInfoPtr;
struct _virDomainJobInfo {
    int type;                         /* virDomainJobType */
    unsigned long long timeElapsed;   /* ms it has taken so far */
    unsigned long long timeRemaining; /* ms it will take still, by an estimate; of a bounded job
                                       * only */
    unsigned long long dataTotal;     /* bytes in all, memory and disks */
    unsigned long long dataProcessed; /* bytes done */
    unsigned long long dataRemaining; /* bytes to do */
    unsigned long long memTotal;      /* memory in all */
    unsigned long long memProcessed;  /* memory done */
    unsigned long long memRemaining;  /* memory to do */
    unsigned long long fileTotal;     /* disks in all */
    unsigned long long fileProcessed; /* disks done */
    unsigned long long fileRemaining; /* disks to do */
};

/*
 * Names for virDomainGetJobStats(), virMigrationGetStats() and VIR_DOMAIN_EVENT_ID_JOB_COMPLETED.
 * Each is unsigned long long unless a type is named. A driver leaves out what it does not know.
 */

/* virDomainJobOperation. int (3.3.0) */
#define VIR_DOMAIN_JOB_OPERATION "operation"
/* ms since the job began (1.0.3) */
#define VIR_DOMAIN_JOB_TIME_ELAPSED "time_elapsed"
/* ms it took without the delay between the clocks of the two hosts; of a completed migration
   (1.2.15) */
#define VIR_DOMAIN_JOB_TIME_ELAPSED_NET "time_elapsed_net"
/* ms it will take still, by an estimate; absent where as things stand that is never
   (VIR_DOMAIN_JOB_CONVERGENCE says so), or cannot be told (1.0.3) */
#define VIR_DOMAIN_JOB_TIME_REMAINING "time_remaining"
/* ms that the CPUs stood, of a completed migration; before that, what is expected (1.0.3) */
#define VIR_DOMAIN_JOB_DOWNTIME "downtime"
/* the same without the delay between the clocks of the two hosts (1.2.15) */
#define VIR_DOMAIN_JOB_DOWNTIME_NET "downtime_net"
/* ms before the first byte moved (1.2.9) */
#define VIR_DOMAIN_JOB_SETUP_TIME "setup_time"
/* bytes in all: memory and disks (1.0.3) */
#define VIR_DOMAIN_JOB_DATA_TOTAL "data_total"
/* bytes done (1.0.3) */
#define VIR_DOMAIN_JOB_DATA_PROCESSED "data_processed"
/* bytes to do (1.0.3) */
#define VIR_DOMAIN_JOB_DATA_REMAINING "data_remaining"
/* bytes of memory (1.0.3) */
#define VIR_DOMAIN_JOB_MEMORY_TOTAL "memory_total"
/* bytes of memory done; more than there are if pages went repeatedly (1.0.3) */
#define VIR_DOMAIN_JOB_MEMORY_PROCESSED "memory_processed"
/* bytes of memory to do; grows when the guest writes (1.0.3) */
#define VIR_DOMAIN_JOB_MEMORY_REMAINING "memory_remaining"
/* pages that were all one byte, and cost next to nothing (1.0.3) */
#define VIR_DOMAIN_JOB_MEMORY_CONSTANT "memory_constant"
/* pages that went as they are (1.0.3) */
#define VIR_DOMAIN_JOB_MEMORY_NORMAL "memory_normal"
/* bytes of these pages (1.0.3) */
#define VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES "memory_normal_bytes"
/* bytes per second at which memory moves (1.2.9) */
#define VIR_DOMAIN_JOB_MEMORY_BPS "memory_bps"
/* pages per second that the guest writes (1.3.1) */
#define VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE "memory_dirty_rate"
/* bytes in a page (3.9.0) */
#define VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE "memory_page_size"
/* how often all of memory has been gone through (1.3.1) */
#define VIR_DOMAIN_JOB_MEMORY_ITERATION "memory_iteration"
/* pages that the destination had to ask for, after post-copy began (5.0.0) */
#define VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS "memory_postcopy_requests"
/* bytes of disks (1.0.3) */
#define VIR_DOMAIN_JOB_DISK_TOTAL "disk_total"
/* bytes of disks done (1.0.3) */
#define VIR_DOMAIN_JOB_DISK_PROCESSED "disk_processed"
/* bytes of disks to do (1.0.3) */
#define VIR_DOMAIN_JOB_DISK_REMAINING "disk_remaining"
/* bytes per second at which disks move (1.2.9) */
#define VIR_DOMAIN_JOB_DISK_BPS "disk_bps"
/* bytes of the compression cache (1.0.3) */
#define VIR_DOMAIN_JOB_COMPRESSION_CACHE "compression_cache"
/* compressed bytes that went (1.0.3) */
#define VIR_DOMAIN_JOB_COMPRESSION_BYTES "compression_bytes"
/* compressed pages that went (1.0.3) */
#define VIR_DOMAIN_JOB_COMPRESSION_PAGES "compression_pages"
/* pages that were not in the cache (1.0.3) */
#define VIR_DOMAIN_JOB_COMPRESSION_CACHE_MISSES "compression_cache_misses"
/* pages that did not get smaller (1.0.3) */
#define VIR_DOMAIN_JOB_COMPRESSION_OVERFLOW "compression_overflow"
/* per cent by which the CPUs are slowed down. int (2.0.0) */
#define VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE "auto_converge_throttle"
/* whether a completed job went well. boolean (6.0.0) */
#define VIR_DOMAIN_JOB_SUCCESS "success"
/* why it did not. string (6.3.0) */
#define VIR_DOMAIN_JOB_ERRMSG "errmsg"
/* bytes in use of the backup's scratch space (6.0.0) */
#define VIR_DOMAIN_JOB_DISK_TEMP_USED "disk_temp_used"
/* bytes of the backup's scratch space (6.0.0) */
#define VIR_DOMAIN_JOB_DISK_TEMP_TOTAL "disk_temp_total"

/*
 * Whether a migration converges: memory moves faster than the guest writes it, so that what remains
 * will some time be little enough. virMigrationConvergence, int. virt's own.
 */
#define VIR_DOMAIN_JOB_CONVERGENCE "convergence"
/* ms the CPUs would stand if they were stopped now. unsigned long long. virt's own. */
#define VIR_DOMAIN_JOB_DOWNTIME_EXPECTED "downtime_expected"
/* whether a migration has moved nothing at all for five seconds (virMigrationGetStats() alone has it).
 * boolean. virt's own. */
#define VIR_DOMAIN_JOB_STALLED "stalled"

/* For virDomainGetJobStats. Since libvirt 1.2.9. */
typedef enum {
    VIR_DOMAIN_JOB_STATS_COMPLETED = 1 << 0,      /* the job that ended last, not one that runs;
                                                   * asking forgets it */
    VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED = 1 << 1, /* asking does not (6.0.0) */
} virDomainGetJobStatsFlags;

/*
 * Fills in *info, which is the caller's, with the progress of the guest's job; all zero if there
 * is none (VIR_DOMAIN_JOB_NONE).
 * Since libvirt 0.7.7.
 */
VIRT_API int virDomainGetJobInfo(virDomainPtr domain, virDomainJobInfoPtr info);

/*
 * As virDomainGetJobInfo(), with more numbers: *type becomes a virDomainJobType, *params an array
 * of the parameters above. flags are virDomainGetJobStatsFlags. The caller frees the array with
 * virTypedParamsFree(). VIR_DOMAIN_JOB_STATS_COMPLETED works on an inactive guest too, as the
 * source of a migration is, unless it is gone altogether.
 * Since libvirt 1.0.3.
 */
VIRT_API int virDomainGetJobStats(virDomainPtr domain, int *type, virTypedParameterPtr *params,
                                  int *nparams, unsigned int flags);

/* For virDomainAbortJobFlags. Since libvirt 8.5.0. */
typedef enum {
    VIR_DOMAIN_ABORT_JOB_POSTCOPY = 1 << 0, /* halt a migration that is in post-copy, to be
                                             * resumed later; it cannot be taken back any more */
} virDomainAbortJobFlagsValues;

/*
 * Asks for the end of the guest's job, and returns; the thread that called for the job gets
 * VIR_ERR_OPERATION_ABORTED, and the guest is as it was before. A migration in post-copy cannot be
 * aborted.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if there is no job, or one that cannot be
 * aborted (any more). Not on a read-only connection.
 * Since libvirt 0.7.7.
 */
VIRT_API int virDomainAbortJob(virDomainPtr domain);

/* As virDomainAbortJob(), with flags (virDomainAbortJobFlagsValues). Since libvirt 8.5.0. */
VIRT_API int virDomainAbortJobFlags(virDomainPtr domain, unsigned int flags);

/* ---- 7.8 metadata ---- */

/*
 * The parts of a document that are for people and applications, not for the hypervisor.
 * Since libvirt 0.9.10.
 */
typedef enum {
    VIR_DOMAIN_METADATA_DESCRIPTION = 0, /* the description: any text */
    VIR_DOMAIN_METADATA_TITLE = 1,       /* the title: one line */
    VIR_DOMAIN_METADATA_ELEMENT = 2,     /* an element of the application's own, in a namespace
                                          * of its own */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_METADATA_LAST = 3,        /* how many there are */
#endif
} virDomainMetadataType;

/*
 * Gives a part of the guest's metadata. type is a virDomainMetadataType; uri names the namespace
 * of an element, and must be NULL for the other types. flags are virDomainModificationImpact. The
 * caller frees it.
 *
 * Returns the text, or the element as XML; NULL with VIR_ERR_NO_DOMAIN_METADATA if there is none.
 * Since libvirt 0.9.10.
 */
VIRT_API char *virDomainGetMetadata(virDomainPtr domain, int type, const char *uri,
                                    unsigned int flags);

/*
 * Sets a part of the guest's metadata, or removes it if metadata is NULL. For an element, metadata
 * is XML, key the prefix and uri the namespace it is kept under, in place of any other of that
 * uri; for the other types key and uri must be NULL, and a title must be one line. flags are
 * virDomainModificationImpact. Listeners get VIR_DOMAIN_EVENT_ID_METADATA_CHANGE.
 *
 * Returns 0, or -1. Not on a read-only connection.
 * Since libvirt 0.9.10.
 */
VIRT_API int virDomainSetMetadata(virDomainPtr domain, int type, const char *metadata,
                                  const char *key, const char *uri, unsigned int flags);

/* ---- 7.9 statistics ---- */

/*
 * What a disk has done, counted from the guest's start; -1 where the hypervisor does not tell.
 * Since libvirt 0.3.3.
 */
typedef struct _virDomainBlockStats virDomainBlockStatsStruct;
/* The older name. Since libvirt 0.3.2. */
typedef virDomainBlockStatsStruct *virDomainBlockStatsPtr;
struct _virDomainBlockStats {
    long long rd_req;   /* requests to read */
    long long rd_bytes; /* bytes read */
    long long wr_req;   /* requests to write */
    long long wr_bytes; /* bytes written */
    long long errs;     /* errors */
};

/*
 * Tells in *stats what a disk of a running guest has done. disk is its target ("vda") or its source
 * (a path); "" for the sum of all. size is sizeof(virDomainBlockStatsStruct).
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if the guest is not active, VIR_ERR_INVALID_ARG if it
 * has no such disk.
 * Since libvirt 0.3.2.
 */
VIRT_API int virDomainBlockStats(virDomainPtr dom, const char *disk, virDomainBlockStatsPtr stats,
                                 size_t size);

/* The longest name of a figure, with its end. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_FIELD_LENGTH VIR_TYPED_PARAM_FIELD_LENGTH
/* Bytes read. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_READ_BYTES "rd_bytes"
/* Requests to read. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_READ_REQ "rd_operations"
/* Nanoseconds spent reading. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES "rd_total_times"
/* Bytes written. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES "wr_bytes"
/* Requests to write. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_WRITE_REQ "wr_operations"
/* Nanoseconds spent writing. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES "wr_total_times"
/* Requests to flush. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ "flush_operations"
/* Nanoseconds spent flushing. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES "flush_total_times"
/* Errors. Since libvirt 0.9.5. */
#define VIR_DOMAIN_BLOCK_STATS_ERRS "errs"

/*
 * The same as typed parameters, VIR_DOMAIN_BLOCK_STATS_*, all long long. params has room for
 * *nparams; *nparams becomes how many were filled in. With *nparams 0 it becomes how many there
 * are, and params may be NULL. flags: 0 or VIR_TYPED_PARAM_STRING_OKAY. Since libvirt 0.9.5.
 */
VIRT_API int virDomainBlockStatsFlags(virDomainPtr dom, const char *disk,
                                      virTypedParameterPtr params, int *nparams,
                                      unsigned int flags);

/* How large a disk is, in bytes. Since libvirt 0.8.1. */
typedef struct _virDomainBlockInfo virDomainBlockInfo;
typedef virDomainBlockInfo *virDomainBlockInfoPtr;
struct _virDomainBlockInfo {
    unsigned long long capacity;   /* as the guest sees it */
    unsigned long long allocation; /* what the image takes of the host's storage; of a qcow2
                                    * image on a block device: up to where it has been written */
    unsigned long long physical;   /* how far the image reaches: a file's length, a device's size */
};

/*
 * Tells in *info how large a disk is. disk as for virDomainBlockStats(), but not "". Of an inactive
 * guest's images the raw and qcow2 ones are looked into. flags: 0.
 *
 * Returns 0, or -1: VIR_ERR_INVALID_ARG if there is no such disk or no medium in it.
 * Since libvirt 0.8.1.
 */
VIRT_API int virDomainGetBlockInfo(virDomainPtr domain, const char *disk,
                                   virDomainBlockInfoPtr info, unsigned int flags);

/* What is wrong with a disk. Since libvirt 0.9.10. */
typedef enum {
    VIR_DOMAIN_DISK_ERROR_NONE = 0,     /* nothing */
    VIR_DOMAIN_DISK_ERROR_UNSPEC = 1,   /* it gave an error */
    VIR_DOMAIN_DISK_ERROR_NO_SPACE = 2, /* the host's storage is full */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_DISK_ERROR_LAST = 3,     /* how many there are */
#endif
} virDomainDiskErrorCode;

/* A disk with an error. Since libvirt 0.9.10. */
typedef struct _virDomainDiskError virDomainDiskError;
typedef virDomainDiskError *virDomainDiskErrorPtr;
struct _virDomainDiskError {
    char *disk; /* its target; the caller frees it */
    int error;  /* virDomainDiskErrorCode */
};

/*
 * Lists the disks of a running guest that have an error, into errors, which has room for maxerrors.
 * With errors NULL and maxerrors 0: how many disks there are. flags: 0. The caller frees the names.
 *
 * Returns the number, or -1.
 * Since libvirt 0.9.10.
 */
VIRT_API int virDomainGetDiskErrors(virDomainPtr dom, virDomainDiskErrorPtr errors,
                                    unsigned int maxerrors, unsigned int flags);

/*
 * What an interface has carried, as the guest sees it: rx is what it has received. -1 where the
 * host does not tell. Since libvirt 0.3.3.
 */
typedef struct _virDomainInterfaceStats virDomainInterfaceStatsStruct;
/* The older name. Since libvirt 0.3.2. */
typedef virDomainInterfaceStatsStruct *virDomainInterfaceStatsPtr;
struct _virDomainInterfaceStats {
    long long rx_bytes;
    long long rx_packets;
    long long rx_errs;
    long long rx_drop;
    long long tx_bytes;
    long long tx_packets;
    long long tx_errs;
    long long tx_drop;
};

/*
 * Tells in *stats what an interface of a running guest has carried. device is its target ("vnet0")
 * or its MAC address. size is sizeof(virDomainInterfaceStatsStruct). An interface without a device
 * on the host (type='user') is not counted by anybody.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if the guest is not active, VIR_ERR_INVALID_ARG if it
 * has no such interface.
 * Since libvirt 0.3.2.
 */
VIRT_API int virDomainInterfaceStats(virDomainPtr dom, const char *device,
                                     virDomainInterfaceStatsPtr stats, size_t size);

/* Figures of a guest's memory, in KiB or as said. Since libvirt 0.7.5. */
typedef enum {
    VIR_DOMAIN_MEMORY_STAT_SWAP_IN = 0,          /* read back from swap */
    VIR_DOMAIN_MEMORY_STAT_SWAP_OUT = 1,         /* written to swap */
    VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT = 2,      /* page faults that needed the disk: a number */
    VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT = 3,      /* page faults that did not: a number */
    VIR_DOMAIN_MEMORY_STAT_UNUSED = 4,           /* what the guest has not put to use */
    VIR_DOMAIN_MEMORY_STAT_AVAILABLE = 5,        /* what the guest knows of */
    VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON = 6,   /* what it has (0.9.3) */
    VIR_DOMAIN_MEMORY_STAT_RSS = 7,              /* what its process has of the host's (0.9.10) */
    VIR_DOMAIN_MEMORY_STAT_USABLE = 8,           /* what could be put to use without swapping
                                                  * (2.1.0) */
    VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE = 9,      /* when the guest last told: seconds since 1970; 0:
                                                  * never (2.1.0) */
    VIR_DOMAIN_MEMORY_STAT_DISK_CACHES = 10,     /* cached files, which could be given up (4.6.0) */
    VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC = 11, /* huge pages taken: a number (5.4.0) */
    VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL = 12,  /* huge pages not to be had: a number (5.4.0) */
    VIR_DOMAIN_MEMORY_STAT_NR = 13,              /* how many there are */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_MEMORY_STAT_LAST = 13,            /* the same (0.9.10) */
#endif
} virDomainMemoryStatTags;

/* A figure of a guest's memory. Since libvirt 0.7.5. */
typedef struct _virDomainMemoryStat virDomainMemoryStatStruct;
typedef virDomainMemoryStatStruct *virDomainMemoryStatPtr;
struct _virDomainMemoryStat {
    int tag;                /* virDomainMemoryStatTags */
    unsigned long long val;
};

/*
 * Tells how a running guest uses its memory: fills in up to nr_stats figures. Most of them the
 * guest's balloon driver tells, now and then: see virDomainSetMemoryStatsPeriod(). flags: 0.
 *
 * Returns how many were filled in, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active.
 * Since libvirt 0.7.5.
 */
VIRT_API int virDomainMemoryStats(virDomainPtr dom, virDomainMemoryStatPtr stats,
                                  unsigned int nr_stats, unsigned int flags);

/*
 * Has the guest asked for its figures every so many seconds; 0 for never. flags are
 * virDomainMemoryModFlags, without the last.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest has no balloon. Not on a read-only
 * connection.
 * Since libvirt 1.1.1.
 */
VIRT_API int virDomainSetMemoryStatsPeriod(virDomainPtr domain, int period, unsigned int flags);

/* CPU time a guest has taken, in nanoseconds: of its process. Since libvirt 0.9.10. */
#define VIR_DOMAIN_CPU_STATS_CPUTIME "cpu_time"
/* The part of it in programs. Since libvirt 0.9.11. */
#define VIR_DOMAIN_CPU_STATS_USERTIME "user_time"
/* The part of it in the host's kernel. Since libvirt 0.9.11. */
#define VIR_DOMAIN_CPU_STATS_SYSTEMTIME "system_time"
/* The part of it in its virtual CPUs. Since libvirt 0.9.13. */
#define VIR_DOMAIN_CPU_STATS_VCPUTIME "vcpu_time"

/*
 * Tells what CPU time a running guest has taken, VIR_DOMAIN_CPU_STATS_*. With start_cpu -1 and
 * ncpus 1 it is the sum: up to nparams figures go to params. Otherwise it is by the host's CPUs,
 * ncpus of them from start_cpu on, nparams figures for each. With params NULL and nparams 0: how
 * many figures there are; with ncpus 0 besides: how many host CPUs. flags: 0 or
 * VIR_TYPED_PARAM_STRING_OKAY.
 *
 * Returns how many figures (of each CPU) were filled in, or -1: VIR_ERR_OPERATION_UNSUPPORTED where
 * the driver has only the sum, as the QEMU driver, which puts guests into no control groups.
 * Since libvirt 0.9.10.
 */
VIRT_API int virDomainGetCPUStats(virDomainPtr domain, virTypedParameterPtr params,
                                  unsigned int nparams, int start_cpu, unsigned int ncpus,
                                  unsigned int flags);

/*
 * Gives the name of the guest's scheduler, in *nparams (may be NULL) how many parameters of it can
 * be set. The caller frees the name. Since libvirt 0.2.3.
 */
VIRT_API char *virDomainGetSchedulerType(virDomainPtr domain, int *nparams);

/*
 * Groups of statistics, and the names in each; N and M count from 0. A name whose value is not
 * known is left out. Since libvirt 1.2.8.
 */
typedef enum {
    VIR_DOMAIN_STATS_STATE = 1 << 0,     /* state.state, state.reason: virDomainState and the
                                          * number that belongs to it */
    VIR_DOMAIN_STATS_CPU_TOTAL = 1 << 1, /* cpu.time, cpu.user, cpu.system: nanoseconds (1.2.9) */
    VIR_DOMAIN_STATS_BALLOON = 1 << 2,   /* balloon.current, balloon.maximum, balloon.rss and
                                          * others: as virDomainMemoryStatTags (1.2.9) */
    VIR_DOMAIN_STATS_VCPU = 1 << 3,      /* vcpu.current, vcpu.maximum; vcpu.N.state
                                          * (virVcpuState), .time, .wait, .delay: nanoseconds
                                          * (1.2.9) */
    VIR_DOMAIN_STATS_INTERFACE = 1 << 4, /* net.count; net.N.name, .rx.bytes, .rx.pkts, .rx.errs,
                                          * .rx.drop, and so on for tx (1.2.9) */
    VIR_DOMAIN_STATS_BLOCK = 1 << 5,     /* block.count; block.N.name, .path, .backingIndex,
                                          * .rd.reqs, .rd.bytes, .rd.times (ns), and so on for
                                          * wr, .fl.reqs, .fl.times, .allocation, .capacity,
                                          * .physical (1.2.9) */
    VIR_DOMAIN_STATS_PERF = 1 << 6,      /* the host CPUs' counters (1.3.3) */
    VIR_DOMAIN_STATS_IOTHREAD = 1 << 7,  /* iothread.count; iothread.ID.poll-max-ns, .poll-grow,
                                          * .poll-shrink (4.10.0) */
    VIR_DOMAIN_STATS_MEMORY = 1 << 8,    /* memory bandwidth (6.0.0) */
    VIR_DOMAIN_STATS_DIRTYRATE = 1 << 9, /* dirtyrate.calc_status and others: how fast the guest
                                          * writes to its memory, when somebody has had it
                                          * measured (7.2.0) */
    VIR_DOMAIN_STATS_VM = 1 << 10,       /* the hypervisor's own counters (8.9.0) */
} virDomainStatsTypes;

/* Whose statistics, and how. Since libvirt 1.2.8. */
#ifdef __GNUC__
__extension__                          /* the last one is more than an int of ISO C */
#endif
typedef enum {
    /* active ones */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE = VIR_CONNECT_LIST_DOMAINS_ACTIVE,
    /* inactive ones */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE = VIR_CONNECT_LIST_DOMAINS_INACTIVE,
    /* defined ones */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT = VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
    /* the others */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT = VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
    /* running ones */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING = VIR_CONNECT_LIST_DOMAINS_RUNNING,
    /* paused ones */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED = VIR_CONNECT_LIST_DOMAINS_PAUSED,
    /* shut off ones */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF = VIR_CONNECT_LIST_DOMAINS_SHUTOFF,
    /* in other states */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER = VIR_CONNECT_LIST_DOMAINS_OTHER,
    /* without what a hypervisor that is busy would have to be waited for (4.5.0) */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT = 1 << 29,
    /* of disks also the images below (1.2.12) */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING = 1 << 30,
    /* a group that the driver does not have is an error */
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS = 1u << 31,
} virConnectGetAllDomainStatsFlags;

/* The statistics of one guest. Since libvirt 1.2.8. */
typedef struct _virDomainStatsRecord virDomainStatsRecord;
typedef virDomainStatsRecord *virDomainStatsRecordPtr;
struct _virDomainStatsRecord {
    virDomainPtr dom;             /* a handle on it, the record's */
    virTypedParameterPtr params;  /* its figures */
    int nparams;
};

/*
 * Gives the statistics of all guests, or of those that flags name, in one go: the hypervisors are
 * asked all together, and one that does not answer within five seconds does without what it would
 * have told. stats are virDomainStatsTypes; 0 for all there are. *retStats becomes an array of
 * pointers, ended by NULL, which virDomainStatsRecordListFree() frees. flags are
 * virConnectGetAllDomainStatsFlags.
 *
 * Returns the number of records, or -1; VIR_ERR_ARGUMENT_UNSUPPORTED for a group that the driver
 * does not have, with VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS. Since libvirt 1.2.8.
 */
VIRT_API int virConnectGetAllDomainStats(virConnectPtr conn, unsigned int stats,
                                         virDomainStatsRecordPtr **retStats, unsigned int flags);

/*
 * The same for the guests of doms, an array of handles ended by NULL, all of one connection. Guests
 * that no longer exist are left out. Since libvirt 1.2.8.
 */
VIRT_API int virDomainListGetStats(virDomainPtr *doms, unsigned int stats,
                                   virDomainStatsRecordPtr **retStats, unsigned int flags);

/* Frees what the two have given, with the handles in it. NULL is nothing. Since libvirt 1.2.8. */
VIRT_API void virDomainStatsRecordListFree(virDomainStatsRecordPtr *stats);

/* ---- 7.10 consoles, screens ---- */

/* How to open a console. Since libvirt 0.9.11. */
typedef enum {
    VIR_DOMAIN_CONSOLE_FORCE = 1 << 0, /* if somebody has it open, his stream ends */
    VIR_DOMAIN_CONSOLE_SAFE = 1 << 1,  /* only if nobody else can have it open without the library's
                                        * knowledge */
} virDomainConsoleFlags;

/*
 * Opens a serial port, parallel port or console of a running guest: what the guest writes there
 * comes by st, what is sent to st is read by the guest. dev_name is the device's alias ("serial0");
 * NULL for the first console, or the first serial port where there is no console. st is a new
 * stream of the same connection. flags are virDomainConsoleFlags.
 *
 * A console is for one stream at a time. It is free again when that stream was finished, aborted or
 * freed. When the guest ends, so does the stream.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if the guest does not run, VIR_ERR_OPERATION_FAILED if
 * the console is open already and VIR_DOMAIN_CONSOLE_FORCE was not given, VIR_ERR_INTERNAL_ERROR if
 * there is no such device or it is not of a kind that can be opened: the pty and unix ones of QEMU
 * can, those that the guest's document makes listen.
 * Not on a read-only connection. Example: examples/console.c. Since libvirt 0.8.6.
 */
VIRT_API int virDomainOpenConsole(virDomainPtr dom, const char *dev_name, virStreamPtr st,
                                  unsigned int flags);

/* How to open a channel. Since libvirt 1.0.2. */
typedef enum {
    VIR_DOMAIN_CHANNEL_FORCE = 1 << 0, /* if somebody has it open, his stream ends */
} virDomainChannelFlags;

/*
 * Opens a channel of a running guest, as virDomainOpenConsole() does a console. name is the name of
 * its target ("org.example.port") or its alias; NULL for the first. flags are virDomainChannelFlags.
 *
 * Returns 0, or -1 as virDomainOpenConsole().
 * Not on a read-only connection. Since libvirt 1.0.2.
 */
VIRT_API int virDomainOpenChannel(virDomainPtr dom, const char *name, virStreamPtr st,
                                  unsigned int flags);

/*
 * Takes a picture of what a running guest shows on a screen, to be read from stream, a new one of
 * the same connection. Screens are counted from 0 through all graphics cards and their heads.
 * flags: 0.
 *
 * Returns the picture's MIME type, such as "image/x-portable-pixmap" or "image/png", which the caller
 * frees; NULL on error: VIR_ERR_OPERATION_INVALID if the guest does not run, VIR_ERR_INVALID_ARG if
 * it has no such screen.
 * Not on a read-only connection. Since libvirt 0.9.2.
 */
VIRT_API char *virDomainScreenshot(virDomainPtr domain, virStreamPtr stream, unsigned int screen,
                                   unsigned int flags);

/* ============================================================================================== *
 *  8. Domain events
 *
 *  An event tells that something happened to a guest. The application registers a function for a
 *  kind of event, for one guest or for all, with an event loop (chapter 4) registered before the
 *  connection was opened. Functions are called from that loop only, in the order in which things
 *  happened, without any lock held: they may call whatever they like, also end their own
 *  registration. The handles they are given live until they return; virDomainRef() keeps one.
 *
 *  An event is news of the past: the guest may be in yet another state by now.
 *
 *  Example: examples/events.c.
 * ============================================================================================== */

/* The kinds of events. Behind each: its function's type. Since libvirt 0.8.0. */
typedef enum {
    VIR_DOMAIN_EVENT_ID_LIFECYCLE = 0,                  /* defined, started, paused, stopped,
                                                         * ...: virConnectDomainEventCallback */
    VIR_DOMAIN_EVENT_ID_REBOOT = 1,                     /* the guest has rebooted:
                                                         * virConnectDomainEventGenericCallback */
    VIR_DOMAIN_EVENT_ID_RTC_CHANGE = 2,                 /* the guest has set its clock:
                                                         * ...RTCChangeCallback */
    VIR_DOMAIN_EVENT_ID_WATCHDOG = 3,                   /* its watchdog has expired:
                                                         * ...WatchdogCallback */
    VIR_DOMAIN_EVENT_ID_IO_ERROR = 4,                   /* a disk gave an error:
                                                         * ...IOErrorCallback */
    VIR_DOMAIN_EVENT_ID_GRAPHICS = 5,                   /* somebody came to or left its screen:
                                                         * ...GraphicsCallback */
    VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON = 6,            /* as IO_ERROR, with the reason:
                                                         * ...IOErrorReasonCallback (0.8.1) */
    VIR_DOMAIN_EVENT_ID_CONTROL_ERROR = 7,              /* its hypervisor cannot be talked to any
                                                         * more: ...GenericCallback (0.9.2) */
    VIR_DOMAIN_EVENT_ID_BLOCK_JOB = 8,                  /* a block job has ended or is ready,
                                                         * disk by path: ...BlockJobCallback
                                                         * (0.9.4) */
    VIR_DOMAIN_EVENT_ID_DISK_CHANGE = 9,                /* a disk's source has changed:
                                                         * ...DiskChangeCallback (0.9.7) */
    VIR_DOMAIN_EVENT_ID_TRAY_CHANGE = 10,               /* a tray was opened or closed:
                                                         * ...TrayChangeCallback (0.9.11) */
    VIR_DOMAIN_EVENT_ID_PMWAKEUP = 11,                  /* it woke up: ...PMWakeupCallback
                                                         * (0.9.11) */
    VIR_DOMAIN_EVENT_ID_PMSUSPEND = 12,                 /* it went to sleep: ...PMSuspendCallback
                                                         * (0.9.11) */
    VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE = 13,            /* it has more or less memory:
                                                         * ...BalloonChangeCallback (0.10.0) */
    VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK = 14,            /* it went to sleep with its memory on
                                                         * disk: ...PMSuspendDiskCallback (1.0.0) */
    VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED = 15,            /* a device is gone:
                                                         * ...DeviceRemovedCallback (1.1.1) */
    VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2 = 16,               /* as BLOCK_JOB, disk by target name:
                                                         * ...BlockJobCallback (1.2.6) */
    VIR_DOMAIN_EVENT_ID_TUNABLE = 17,                   /* a tunable value has changed:
                                                         * ...TunableCallback (1.2.9) */
    VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE = 18,           /* its agent came or went:
                                                         * ...AgentLifecycleCallback (1.2.11) */
    VIR_DOMAIN_EVENT_ID_DEVICE_ADDED = 19,              /* a device is there:
                                                         * ...DeviceAddedCallback (1.2.15) */
    VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION = 20,       /* a migration goes through memory once
                                                         * more: ...MigrationIterationCallback
                                                         * (1.3.2) */
    VIR_DOMAIN_EVENT_ID_JOB_COMPLETED = 21,             /* a job has ended:
                                                         * ...JobCompletedCallback (1.3.3) */
    VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED = 22,     /* a device stays, though it was to go:
                                                         * ...DeviceRemovalFailedCallback (1.3.4) */
    VIR_DOMAIN_EVENT_ID_METADATA_CHANGE = 23,           /* its metadata has changed:
                                                         * ...MetadataChangeCallback (3.0.0) */
    VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD = 24,           /* a disk's image has grown past a mark:
                                                         * ...BlockThresholdCallback (3.2.0) */
    VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE = 25,            /* the host's memory has a fault:
                                                         * ...MemoryFailureCallback (6.9.0) */
    VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE = 26, /* a memory device has another size:
                                                         * ...MemoryDeviceSizeChangeCallback
                                                         * (7.9.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_ID_LAST = 27,                      /* how many there are */
#endif
} virDomainEventID;

/* A phase of a migration has begun or ended: virConnectDomainEventMigrationPhaseCallback. virt's own. */
#define VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE 1000

/*
 * For VIR_DOMAIN_EVENT_ID_LIFECYCLE. event is a virDomainEventType, detail a number of the enum
 * that belongs to it. What is returned is ignored.
 * Since libvirt 0.5.0.
 */
typedef int (*virConnectDomainEventCallback)(virConnectPtr conn, virDomainPtr dom, int event,
                                             int detail, void *opaque);

/*
 * For events that say no more than that they happened; and the type to which the others are cast.
 * Since libvirt 0.8.0.
 */
typedef void (*virConnectDomainEventGenericCallback)(virConnectPtr conn, virDomainPtr dom,
                                                     void *opaque);

/* Casts a function to the type that virConnectDomainEventRegisterAny takes. Since libvirt 0.8.0. */
#define VIR_DOMAIN_EVENT_CALLBACK(cb) ((virConnectDomainEventGenericCallback)(void (*)(void))(cb))

/*
 * Has cb called at each event of the kind eventID (virDomainEventID): of one guest or, if dom is
 * NULL, of all. cb must be of the type that belongs to eventID; it is cast with
 * VIR_DOMAIN_EVENT_CALLBACK. freecb (may be NULL) is called with opaque when the registration
 * ends. The connection is not closed while a registration is there.
 *
 * Returns a number for the registration, 0 or more, or -1: VIR_ERR_OPERATION_FAILED if no event
 * loop is registered or the same function and opaque are there already. Example:
 * examples/events.c.
 * Since libvirt 0.8.0.
 */
VIRT_API int virConnectDomainEventRegisterAny(virConnectPtr conn, virDomainPtr dom, int eventID,
                                              virConnectDomainEventGenericCallback cb, void *opaque,
                                              virFreeCallback freecb);

/*
 * Ends a registration. cb is not called any more; freecb is called from the event loop,
 * afterwards.
 *
 * Returns 0, or -1 with VIR_ERR_INVALID_ARG if there is no such registration.
 * Since libvirt 0.8.0.
 */
VIRT_API int virConnectDomainEventDeregisterAny(virConnectPtr conn, int callbackID);

/*
 * The old way, for lifecycle events of all guests only: virConnectDomainEventRegisterAny().
 *
 * Returns 0 or -1.
 * Since libvirt 0.5.0.
 */
VIRT_API int virConnectDomainEventRegister(virConnectPtr conn, virConnectDomainEventCallback cb,
                                           void *opaque, virFreeCallback freecb);

/*
 * Ends what virConnectDomainEventRegister() began. cb must be the same function.
 *
 * Returns 0, or -1 with VIR_ERR_INVALID_ARG if it is not registered.
 * Since libvirt 0.5.0.
 */
VIRT_API int virConnectDomainEventDeregister(virConnectPtr conn, virConnectDomainEventCallback cb);

/* ---- lifecycle ---- */

/* What happened. Behind each: the enum of its details. Since libvirt 0.5.0. */
typedef enum {
    VIR_DOMAIN_EVENT_DEFINED = 0,     /* its document was stored: virDomainEventDefinedDetailType */
    VIR_DOMAIN_EVENT_UNDEFINED = 1,   /* its document is gone: virDomainEventUndefinedDetailType */
    VIR_DOMAIN_EVENT_STARTED = 2,     /* it became active: virDomainEventStartedDetailType */
    VIR_DOMAIN_EVENT_SUSPENDED = 3,   /* its CPUs were stopped: virDomainEventSuspendedDetailType */
    VIR_DOMAIN_EVENT_RESUMED = 4,     /* its CPUs run again: virDomainEventResumedDetailType */
    VIR_DOMAIN_EVENT_STOPPED = 5,     /* it became inactive: virDomainEventStoppedDetailType */
    VIR_DOMAIN_EVENT_SHUTDOWN = 6,    /* it has shut down and is about to stop:
                                       * virDomainEventShutdownDetailType (0.9.8) */
    VIR_DOMAIN_EVENT_PMSUSPENDED = 7, /* it sleeps: virDomainEventPMSuspendedDetailType (0.10.2) */
    VIR_DOMAIN_EVENT_CRASHED = 8,     /* it crashed: virDomainEventCrashedDetailType (1.1.1) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_LAST = 9,        /* how many there are */
#endif
} virDomainEventType;

/* Details of VIR_DOMAIN_EVENT_DEFINED. Since libvirt 0.5.0. */
typedef enum {
    VIR_DOMAIN_EVENT_DEFINED_ADDED = 0,         /* a new guest */
    VIR_DOMAIN_EVENT_DEFINED_UPDATED = 1,       /* a new document of a guest that was there */
    VIR_DOMAIN_EVENT_DEFINED_RENAMED = 2,       /* its new name (1.2.19) */
    VIR_DOMAIN_EVENT_DEFINED_FROM_SNAPSHOT = 3, /* it was reverted to a snapshot (1.3.3) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_DEFINED_LAST = 4,          /* how many there are */
#endif
} virDomainEventDefinedDetailType;

/* Details of VIR_DOMAIN_EVENT_UNDEFINED. Since libvirt 0.5.0. */
typedef enum {
    VIR_DOMAIN_EVENT_UNDEFINED_REMOVED = 0, /* it is gone */
    VIR_DOMAIN_EVENT_UNDEFINED_RENAMED = 1, /* its old name (1.2.19) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_UNDEFINED_LAST = 2,    /* how many there are */
#endif
} virDomainEventUndefinedDetailType;

/* Details of VIR_DOMAIN_EVENT_STARTED. Since libvirt 0.5.0. */
typedef enum {
    VIR_DOMAIN_EVENT_STARTED_BOOTED = 0,        /* it was started */
    VIR_DOMAIN_EVENT_STARTED_MIGRATED = 1,      /* it is coming from another host */
    VIR_DOMAIN_EVENT_STARTED_RESTORED = 2,      /* it was restored from a file */
    VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT = 3, /* it was reverted to a snapshot (0.8.0) */
    VIR_DOMAIN_EVENT_STARTED_WAKEUP = 4,        /* it woke up (0.9.11) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_STARTED_LAST = 5,          /* how many there are */
#endif
} virDomainEventStartedDetailType;

/* Details of VIR_DOMAIN_EVENT_SUSPENDED. Since libvirt 0.5.0. */
typedef enum {
    VIR_DOMAIN_EVENT_SUSPENDED_PAUSED = 0,          /* virDomainSuspend(), or it was started so */
    VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED = 1,        /* a migration needs its CPUs to stand */
    VIR_DOMAIN_EVENT_SUSPENDED_IOERROR = 2,         /* a disk gave an error (0.8.0) */
    VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG = 3,        /* its watchdog expired (0.8.0) */
    VIR_DOMAIN_EVENT_SUSPENDED_RESTORED = 4,        /* it was restored from a file, paused
                                                     * (0.9.5) */
    VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT = 5,   /* it was reverted to a snapshot, paused
                                                     * (0.9.5) */
    VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR = 6,       /* an operation failed and could not let it
                                                     * run again (1.0.1) */
    VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY = 7,        /* it has left for another host, and its
                                                     * memory is following (1.3.3) */
    VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED = 8, /* the same, but the memory has stopped
                                                     * following (1.3.3) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_SUSPENDED_LAST = 9,            /* how many there are */
#endif
} virDomainEventSuspendedDetailType;

/* Details of VIR_DOMAIN_EVENT_RESUMED. Since libvirt 0.5.0. */
typedef enum {
    VIR_DOMAIN_EVENT_RESUMED_UNPAUSED = 0,        /* virDomainResume(), or an operation is over
                                                   * that had paused it */
    VIR_DOMAIN_EVENT_RESUMED_MIGRATED = 1,        /* it runs, having come from another host */
    VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT = 2,   /* it was reverted to a snapshot (0.9.5) */
    VIR_DOMAIN_EVENT_RESUMED_POSTCOPY = 3,        /* it runs here, and its memory is still coming
                                                   * (1.3.3) */
    VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED = 4, /* the same, but the memory has stopped coming
                                                   * (8.5.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_RESUMED_LAST = 5,            /* how many there are */
#endif
} virDomainEventResumedDetailType;

/* Details of VIR_DOMAIN_EVENT_STOPPED. Since libvirt 0.5.0. */
typedef enum {
    VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN = 0,      /* it shut down */
    VIR_DOMAIN_EVENT_STOPPED_DESTROYED = 1,     /* virDomainDestroy() */
    VIR_DOMAIN_EVENT_STOPPED_CRASHED = 2,       /* it crashed, or its hypervisor did */
    VIR_DOMAIN_EVENT_STOPPED_MIGRATED = 3,      /* it runs on another host now */
    VIR_DOMAIN_EVENT_STOPPED_SAVED = 4,         /* it was saved to a file */
    VIR_DOMAIN_EVENT_STOPPED_FAILED = 5,        /* its start, or its arrival, failed */
    VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT = 6, /* it was reverted to a snapshot (0.8.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_STOPPED_LAST = 7,          /* how many there are */
#endif
} virDomainEventStoppedDetailType;

/* Details of VIR_DOMAIN_EVENT_SHUTDOWN. Since libvirt 0.9.8. */
typedef enum {
    VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED = 0, /* it has shut down, and nobody knows who wanted it */
    VIR_DOMAIN_EVENT_SHUTDOWN_GUEST = 1,    /* the guest itself wanted it (3.4.0) */
    VIR_DOMAIN_EVENT_SHUTDOWN_HOST = 2,     /* somebody on the host wanted it, by a signal
                                             * (3.4.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_SHUTDOWN_LAST = 3,     /* how many there are */
#endif
} virDomainEventShutdownDetailType;

/* Details of VIR_DOMAIN_EVENT_PMSUSPENDED. Since libvirt 0.10.2. */
typedef enum {
    VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY = 0, /* its memory is kept by the machine */
    VIR_DOMAIN_EVENT_PMSUSPENDED_DISK = 1,   /* its memory is on its disk (1.0.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_PMSUSPENDED_LAST = 2,   /* how many there are */
#endif
} virDomainEventPMSuspendedDetailType;

/* Details of VIR_DOMAIN_EVENT_CRASHED. Since libvirt 1.1.1. */
typedef enum {
    VIR_DOMAIN_EVENT_CRASHED_PANICKED = 0,    /* its kernel panicked */
    VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED = 1, /* its kernel panicked, and a crash kernel took
                                               * over (6.1.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_CRASHED_LAST = 2,        /* how many there are */
#endif
} virDomainEventCrashedDetailType;

/* ---- clock, watchdog, errors ---- */

/* utcoffset: seconds between the guest's clock and UTC. Since libvirt 0.8.0. */
typedef void (*virConnectDomainEventRTCChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                       long long utcoffset, void *opaque);

/* What the expired watchdog did. Since libvirt 0.8.0. */
typedef enum {
    VIR_DOMAIN_EVENT_WATCHDOG_NONE = 0,      /* nothing */
    VIR_DOMAIN_EVENT_WATCHDOG_PAUSE = 1,     /* paused the guest */
    VIR_DOMAIN_EVENT_WATCHDOG_RESET = 2,     /* reset it */
    VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF = 3,  /* ended it */
    VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN = 4,  /* asked it to shut down */
    VIR_DOMAIN_EVENT_WATCHDOG_DEBUG = 5,     /* wrote a line */
    VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI = 6, /* gave it an NMI (1.2.17) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_WATCHDOG_LAST = 7,      /* how many there are */
#endif
} virDomainEventWatchdogAction;

/* action is a virDomainEventWatchdogAction. Since libvirt 0.8.0. */
typedef void (*virConnectDomainEventWatchdogCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      int action, void *opaque);

/* What was done about a disk's error. Since libvirt 0.8.0. */
typedef enum {
    VIR_DOMAIN_EVENT_IO_ERROR_NONE = 0,   /* nothing */
    VIR_DOMAIN_EVENT_IO_ERROR_PAUSE = 1,  /* the guest was paused */
    VIR_DOMAIN_EVENT_IO_ERROR_REPORT = 2, /* the guest was told */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_IO_ERROR_LAST = 3,   /* how many there are */
#endif
} virDomainEventIOErrorAction;

/*
 * srcPath is the disk's image, devAlias the device, action a virDomainEventIOErrorAction.
 * Since libvirt 0.8.0.
 */
typedef void (*virConnectDomainEventIOErrorCallback)(virConnectPtr conn, virDomainPtr dom,
                                                     const char *srcPath, const char *devAlias,
                                                     int action, void *opaque);

/*
 * The same, with a reason: "enospc" if the host's file system is full, else "".
 * Since libvirt 0.8.1.
 */
typedef void (*virConnectDomainEventIOErrorReasonCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           const char *srcPath,
                                                           const char *devAlias, int action,
                                                           const char *reason, void *opaque);

/* ---- graphics ---- */

/* Where a viewer's connection stands. Since libvirt 0.8.0. */
typedef enum {
    VIR_DOMAIN_EVENT_GRAPHICS_CONNECT = 0,    /* it was accepted */
    VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE = 1, /* it is who it says it is, and has the screen */
    VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT = 2, /* it is gone */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_GRAPHICS_LAST = 3,       /* how many there are */
#endif
} virDomainEventGraphicsPhase;

/* What kind of address. Since libvirt 0.8.0. */
typedef enum {
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV4 = 0, /* node is an IPv4 address */
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV6 = 1, /* node is an IPv6 address */
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX = 2, /* node is a socket's path (0.9.7) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_LAST = 3, /* how many there are */
#endif
} virDomainEventGraphicsAddressType;

/* One end of a viewer's connection. Since libvirt 0.8.0. */
typedef struct _virDomainEventGraphicsAddress virDomainEventGraphicsAddress;
typedef virDomainEventGraphicsAddress *virDomainEventGraphicsAddressPtr;
struct _virDomainEventGraphicsAddress {
    int family;    /* virDomainEventGraphicsAddressType */
    char *node;    /* the address */
    char *service; /* the port */
};

/* Something that authentication found out on the viewer. Since libvirt 0.8.0. */
typedef struct _virDomainEventGraphicsSubjectIdentity virDomainEventGraphicsSubjectIdentity;
typedef virDomainEventGraphicsSubjectIdentity *virDomainEventGraphicsSubjectIdentityPtr;
struct _virDomainEventGraphicsSubjectIdentity {
    char *type; /* of what kind: "x509dname", "saslUsername" */
    char *name; /* what it is */
};

/* All of it. Since libvirt 0.8.0. */
typedef struct _virDomainEventGraphicsSubject virDomainEventGraphicsSubject;
typedef virDomainEventGraphicsSubject *virDomainEventGraphicsSubjectPtr;
struct _virDomainEventGraphicsSubject {
    int nidentity;                                /* how many */
    virDomainEventGraphicsSubjectIdentityPtr identities; /* these */
};

/*
 * phase is a virDomainEventGraphicsPhase; local and remote are the ends of the connection,
 * authScheme names the kind of authentication, subject who it was.
 * Since libvirt 0.8.0.
 */
typedef void (*virConnectDomainEventGraphicsCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      int phase,
                                                      const virDomainEventGraphicsAddress *local,
                                                      const virDomainEventGraphicsAddress *remote,
                                                      const char *authScheme,
                                                      const virDomainEventGraphicsSubject *subject,
                                                      void *opaque);

/* ---- disks ---- */

/* Which operation on a disk. Since libvirt 0.9.4. */
typedef enum {
    VIR_DOMAIN_BLOCK_JOB_TYPE_UNKNOWN = 0,       /* not known */
    VIR_DOMAIN_BLOCK_JOB_TYPE_PULL = 1,          /* fill the image from those behind it */
    VIR_DOMAIN_BLOCK_JOB_TYPE_COPY = 2,          /* copy or mirror it elsewhere (0.9.12) */
    VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT = 3,        /* merge images behind it (0.10.2) */
    VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT = 4, /* merge the image in use into one behind it
                                                  * (1.2.6) */
    VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP = 5,        /* back it up (6.0.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_BLOCK_JOB_TYPE_LAST = 6,          /* how many there are */
#endif
} virDomainBlockJobType;

/* What became of it. Since libvirt 0.9.4. */
typedef enum {
    VIR_DOMAIN_BLOCK_JOB_COMPLETED = 0, /* it has ended well */
    VIR_DOMAIN_BLOCK_JOB_FAILED = 1,    /* it has ended badly */
    VIR_DOMAIN_BLOCK_JOB_CANCELED = 2,  /* it was aborted (0.9.12) */
    VIR_DOMAIN_BLOCK_JOB_READY = 3,     /* both sides are alike: it can be completed (1.0.0) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_BLOCK_JOB_LAST = 4,      /* how many there are */
#endif
} virConnectDomainEventBlockJobStatus;

/*
 * disk is the image's path (VIR_DOMAIN_EVENT_ID_BLOCK_JOB) or the target's name, "vda"
 * (VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2); type is a virDomainBlockJobType, status a
 * virConnectDomainEventBlockJobStatus.
 * Since libvirt 0.9.4.
 */
typedef void (*virConnectDomainEventBlockJobCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      const char *disk, int type, int status,
                                                      void *opaque);

/* Why a disk's source changed. Since libvirt 0.9.7. */
typedef enum {
    VIR_DOMAIN_EVENT_DISK_CHANGE_MISSING_ON_START = 0, /* it was not there at the start, and the
                                                        * drive is empty (startupPolicy) */
    VIR_DOMAIN_EVENT_DISK_DROP_MISSING_ON_START = 1,   /* it was not there at the start, and the
                                                        * disk was left out (1.1.2) */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_DISK_CHANGE_LAST = 2,             /* how many there are */
#endif
} virConnectDomainEventDiskChangeReason;

/*
 * From oldSrcPath to newSrcPath, either of which may be NULL, on the device devAlias. reason is a
 * virConnectDomainEventDiskChangeReason.
 * Since libvirt 0.9.7.
 */
typedef void (*virConnectDomainEventDiskChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                        const char *oldSrcPath,
                                                        const char *newSrcPath,
                                                        const char *devAlias, int reason,
                                                        void *opaque);

/* What a tray did. Since libvirt 0.9.11. */
typedef enum {
    VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN = 0,  /* it was opened */
    VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE = 1, /* it was closed */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_TRAY_CHANGE_LAST = 2,  /* how many there are */
#endif
} virDomainEventTrayChangeReason;

/* devAlias is the drive, reason a virDomainEventTrayChangeReason. Since libvirt 0.9.11. */
typedef void (*virConnectDomainEventTrayChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                        const char *devAlias, int reason,
                                                        void *opaque);

/*
 * The image path of the disk dev has been written beyond threshold bytes, by excess bytes.
 * Since libvirt 3.2.0.
 */
typedef void (*virConnectDomainEventBlockThresholdCallback)(virConnectPtr conn, virDomainPtr dom,
                                                            const char *dev, const char *path,
                                                            unsigned long long threshold,
                                                            unsigned long long excess,
                                                            void *opaque);

/* ---- power, memory, devices ---- */

/* reason is 0: none is defined. Since libvirt 0.9.11. */
typedef void (*virConnectDomainEventPMWakeupCallback)(virConnectPtr conn, virDomainPtr dom,
                                                      int reason, void *opaque);

/* reason is 0: none is defined. Since libvirt 0.9.11. */
typedef void (*virConnectDomainEventPMSuspendCallback)(virConnectPtr conn, virDomainPtr dom,
                                                       int reason, void *opaque);

/* reason is 0: none is defined. Since libvirt 1.0.0. */
typedef void (*virConnectDomainEventPMSuspendDiskCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           int reason, void *opaque);

/* actual: KiB of memory that the guest has now. Since libvirt 0.10.0. */
typedef void (*virConnectDomainEventBalloonChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           unsigned long long actual, void *opaque);

/* devAlias is the device that is there now. Since libvirt 1.2.15. */
typedef void (*virConnectDomainEventDeviceAddedCallback)(virConnectPtr conn, virDomainPtr dom,
                                                         const char *devAlias, void *opaque);

/* devAlias is the device that is gone. Since libvirt 1.1.1. */
typedef void (*virConnectDomainEventDeviceRemovedCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           const char *devAlias, void *opaque);

/* devAlias is the device that the guest did not let go. Since libvirt 1.3.4. */
typedef void (*virConnectDomainEventDeviceRemovalFailedCallback)(virConnectPtr conn,
                                                                 virDomainPtr dom,
                                                                 const char *devAlias,
                                                                 void *opaque);

/* alias is the memory device, size the KiB it offers now. Since libvirt 7.9.0. */
typedef void (*virConnectDomainEventMemoryDeviceSizeChangeCallback)(virConnectPtr conn,
                                                                    virDomainPtr dom,
                                                                    const char *alias,
                                                                    unsigned long long size,
                                                                    void *opaque);

/* Whose memory has the fault. Since libvirt 6.9.0. */
typedef enum {
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_HYPERVISOR = 0, /* the hypervisor's */
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_GUEST = 1,    /* the guest's */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_LAST = 2,     /* how many there are */
#endif
} virDomainMemoryFailureRecipientType;

/* What was done about it. Since libvirt 6.9.0. */
typedef enum {
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_IGNORE = 0, /* nothing */
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_INJECT = 1, /* the guest was told */
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_FATAL = 2,  /* the guest cannot go on */
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_RESET = 3,  /* the guest was reset */
#ifndef VIRT_NO_SENTINELS
    VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_LAST = 4,   /* how many there are */
#endif
} virDomainMemoryFailureActionType;

/* What else is known of it. Since libvirt 6.9.0. */
typedef enum {
    VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED = 1 << 0, /* it must be dealt with: the memory was
                                                         * about to be used */
    VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE = 1 << 1,       /* the one before had not been dealt with
                                                         * yet */
} virDomainMemoryFailureFlags;

/*
 * recipient is a virDomainMemoryFailureRecipientType, action a virDomainMemoryFailureActionType,
 * flags are virDomainMemoryFailureFlags.
 * Since libvirt 6.9.0.
 */
typedef void (*virConnectDomainEventMemoryFailureCallback)(virConnectPtr conn, virDomainPtr dom,
                                                           int recipient, int action,
                                                           unsigned int flags, void *opaque);

/* ---- tunables ---- */

/*
 * Names for VIR_DOMAIN_EVENT_ID_TUNABLE: what a value is called and its type. Times are
 * microseconds, rates per second.
 */

/* the host CPUs of virtual CPU %u. string (1.2.9) */
#define VIR_DOMAIN_TUNABLE_CPU_VCPUPIN "cputune.vcpupin%u"
/* the host CPUs of the emulator's threads. string (1.2.9) */
#define VIR_DOMAIN_TUNABLE_CPU_EMULATORPIN "cputune.emulatorpin"
/* the host CPUs of I/O thread %u. string (1.2.14) */
#define VIR_DOMAIN_TUNABLE_CPU_IOTHREADSPIN "cputune.iothreadpin%u"
/* the weight of the guest's CPU time. unsigned long long, as those that follow (1.2.9) */
#define VIR_DOMAIN_TUNABLE_CPU_CPU_SHARES "cputune.cpu_shares"
/* the whole guest's period (1.3.3) */
#define VIR_DOMAIN_TUNABLE_CPU_GLOBAL_PERIOD "cputune.global_period"
/* its share of that. long long, as all quotas (1.3.3) */
#define VIR_DOMAIN_TUNABLE_CPU_GLOBAL_QUOTA "cputune.global_quota"
/* a virtual CPU's period (1.2.9) */
#define VIR_DOMAIN_TUNABLE_CPU_VCPU_PERIOD "cputune.vcpu_period"
/* its share of that (1.2.9) */
#define VIR_DOMAIN_TUNABLE_CPU_VCPU_QUOTA "cputune.vcpu_quota"
/* the emulator's period (1.2.9) */
#define VIR_DOMAIN_TUNABLE_CPU_EMULATOR_PERIOD "cputune.emulator_period"
/* its share of that (1.2.9) */
#define VIR_DOMAIN_TUNABLE_CPU_EMULATOR_QUOTA "cputune.emulator_quota"
/* an I/O thread's period (2.2.0) */
#define VIR_DOMAIN_TUNABLE_CPU_IOTHREAD_PERIOD "cputune.iothread_period"
/* its share of that (2.2.0) */
#define VIR_DOMAIN_TUNABLE_CPU_IOTHREAD_QUOTA "cputune.iothread_quota"
/* the disk that the values which follow are of. string (1.2.9) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_DISK "blkdeviotune.disk"
/* bytes, both ways. unsigned long long, as those that follow (1.2.9) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_BYTES_SEC "blkdeviotune.total_bytes_sec"
/* bytes read (1.2.9) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_BYTES_SEC "blkdeviotune.read_bytes_sec"
/* bytes written (1.2.9) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_BYTES_SEC "blkdeviotune.write_bytes_sec"
/* operations, both ways (1.2.9) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_IOPS_SEC "blkdeviotune.total_iops_sec"
/* reads (1.2.9) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_IOPS_SEC "blkdeviotune.read_iops_sec"
/* writes (1.2.9) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_IOPS_SEC "blkdeviotune.write_iops_sec"
/* bytes both ways, in a burst (1.2.11) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_BYTES_SEC_MAX "blkdeviotune.total_bytes_sec_max"
/* bytes read, in a burst (1.2.11) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_BYTES_SEC_MAX "blkdeviotune.read_bytes_sec_max"
/* bytes written, in a burst (1.2.11) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_BYTES_SEC_MAX "blkdeviotune.write_bytes_sec_max"
/* operations both ways, in a burst (1.2.11) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_IOPS_SEC_MAX "blkdeviotune.total_iops_sec_max"
/* reads, in a burst (1.2.11) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_IOPS_SEC_MAX "blkdeviotune.read_iops_sec_max"
/* writes, in a burst (1.2.11) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_IOPS_SEC_MAX "blkdeviotune.write_iops_sec_max"
/* bytes that count as one operation (1.2.11) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_SIZE_IOPS_SEC "blkdeviotune.size_iops_sec"
/* disks of the same group share these limits. string (3.0.0) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_GROUP_NAME "blkdeviotune.group_name"
/* seconds such a burst may last (2.4.0) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_BYTES_SEC_MAX_LENGTH \
    "blkdeviotune.total_bytes_sec_max_length"
/* likewise (2.4.0) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_BYTES_SEC_MAX_LENGTH "blkdeviotune.read_bytes_sec_max_length"
/* likewise (2.4.0) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_BYTES_SEC_MAX_LENGTH \
    "blkdeviotune.write_bytes_sec_max_length"
/* likewise (2.4.0) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_TOTAL_IOPS_SEC_MAX_LENGTH "blkdeviotune.total_iops_sec_max_length"
/* likewise (2.4.0) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_READ_IOPS_SEC_MAX_LENGTH "blkdeviotune.read_iops_sec_max_length"
/* likewise (2.4.0) */
#define VIR_DOMAIN_TUNABLE_BLKDEV_WRITE_IOPS_SEC_MAX_LENGTH "blkdeviotune.write_iops_sec_max_length"

/*
 * params are the values that changed, by the names above. They stay the library's.
 * Since libvirt 1.2.9.
 */
typedef void (*virConnectDomainEventTunableCallback)(virConnectPtr conn, virDomainPtr dom,
                                                     virTypedParameterPtr params, int nparams,
                                                     void *opaque);

/* ---- agent, migration, jobs, metadata ---- */

/* Whether the guest's agent is there. Since libvirt 1.2.11. */
typedef enum {
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED = 1, /* it came */
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED = 2, /* it went */
#ifndef VIRT_NO_SENTINELS
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_LAST = 3, /* how many there are */
#endif
} virConnectDomainEventAgentLifecycleState;

/* Why that is said now. Since libvirt 1.2.11. */
typedef enum {
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_UNKNOWN = 0, /* not known */
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_DOMAIN_STARTED = 1, /* the guest was started */
    /* its channel was opened or closed */
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL = 2,
#ifndef VIRT_NO_SENTINELS
    VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_LAST = 3, /* how many there are */
#endif
} virConnectDomainEventAgentLifecycleReason;

/*
 * state is a virConnectDomainEventAgentLifecycleState, reason a
 * virConnectDomainEventAgentLifecycleReason.
 * Since libvirt 1.2.11.
 */
typedef void (*virConnectDomainEventAgentLifecycleCallback)(virConnectPtr conn, virDomainPtr dom,
                                                            int state, int reason, void *opaque);

/*
 * For VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE: a phase (virMigrationPhase) of the migration of that uuid has
 * begun, is done or has failed (virMigrationPhaseState). Told on the source's connections and on the
 * destination's by the process that steps it; the guest's handle is that host's, and need not be
 * known there (yet, or any more). migration is the library's, for the time of the call.
 * virt's own.
 */
typedef void (*virConnectDomainEventMigrationPhaseCallback)(virConnectPtr conn, virDomainPtr dom,
                                                            const char *migration, int phase,
                                                            int state, void *opaque);

/*
 * iteration counts from 1: the source begins to go through what memory has been written since.
 * Since libvirt 1.3.2.
 */
typedef void (*virConnectDomainEventMigrationIterationCallback)(virConnectPtr conn,
                                                                virDomainPtr dom, int iteration,
                                                                void *opaque);

/*
 * params are the numbers of the job that ended, as virDomainGetJobStats() gives them with
 * VIR_DOMAIN_JOB_STATS_COMPLETED. They stay the library's.
 * Since libvirt 1.3.3.
 */
typedef void (*virConnectDomainEventJobCompletedCallback)(virConnectPtr conn, virDomainPtr dom,
                                                          virTypedParameterPtr params, int nparams,
                                                          void *opaque);

/*
 * type is a virDomainMetadataType; nsuri the namespace of an element, else NULL.
 * Since libvirt 3.0.0.
 */
typedef void (*virConnectDomainEventMetadataChangeCallback)(virConnectPtr conn, virDomainPtr dom,
                                                            int type, const char *nsuri,
                                                            void *opaque);

/* ============================================================================================== *
 *  9. Streams
 *
 *  A stream is a channel for bytes between the application and something that the library reaches: a
 *  guest's console, a picture of its screen. The application makes one with virStreamNew(), gives it
 *  to one call (section 7.10), which opens its far end, and then sends and receives, in this order:
 *
 *      virStreamPtr st = virStreamNew(conn, 0);
 *
 *      if (virDomainOpenConsole(domain, NULL, st, 0) == 0)
 *          while ((n = virStreamRecv(st, buffer, sizeof(buffer))) > 0)
 *              fwrite(buffer, 1, n, stdout);
 *      virStreamFree(st);
 *
 *  A stream blocks: sending and receiving wait until there is something to do. One made with
 *  VIR_STREAM_NONBLOCK never waits: its functions return -2 where they would, which is no error and
 *  sets none. Either kind can have a callback, which the event loop (chapter 4) calls when the stream
 *  can be read from or written to.
 *
 *  A stream ends with virStreamFinish() or virStreamAbort(). Finish says that all is well and fails if
 *  it is not: only then is what was sent known to have arrived. Abort gives up. A stream that is freed
 *  before either is aborted. After the end, and also when another client has taken over the console,
 *  its functions fail with VIR_ERR_INTERNAL_ERROR ("stream is not open"). A stream is for one call:
 *  the next one needs a new stream.
 *
 *  One thread may receive while another sends; the end, also in a third, wakes both.
 *
 *  Example: examples/console.c.
 * ============================================================================================== */

/* Of what kind a stream is. Since libvirt 0.7.2. */
typedef enum {
    VIR_STREAM_NONBLOCK = 1 << 0, /* its functions never wait: they return -2 */
} virStreamFlags;

/* How to receive. Since libvirt 3.4.0. */
typedef enum {
    VIR_STREAM_RECV_STOP_AT_HOLE = 1 << 0, /* return -3 in front of a hole */
} virStreamRecvFlagsValues;

/*
 * Makes a stream. flags are virStreamFlags.
 *
 * Returns a handle, to be freed with virStreamFree(), or NULL.
 * Since libvirt 0.7.2.
 */
VIRT_API virStreamPtr virStreamNew(virConnectPtr conn, unsigned int flags);

/* One reference more, to be given back with virStreamFree(). Returns 0, or -1. Since libvirt 0.7.2. */
VIRT_API int virStreamRef(virStreamPtr stream);

/*
 * Gives back a reference. With the last one the stream goes; if it had not ended it is aborted, and a
 * callback that it has is removed.
 *
 * Returns 0, or -1.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamFree(virStreamPtr stream);

/*
 * Sends nbytes of data, or as many as can be taken at once: the caller sends the rest with the next
 * call.
 *
 * Returns the number of bytes sent; -1 on error, after which the stream should be aborted; -2 if it
 * would have to wait and the stream is VIR_STREAM_NONBLOCK.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamSend(virStreamPtr stream, const char *data, size_t nbytes);

/*
 * Receives what there is, at most nbytes, into data. Holes are read as zeros.
 *
 * Returns the number of bytes; 0 at the end of the data, after which the stream should be finished;
 * -1 on error, after which it should be aborted; -2 if it would have to wait and the stream is
 * VIR_STREAM_NONBLOCK.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamRecv(virStreamPtr stream, char *data, size_t nbytes);

/*
 * The same with flags, virStreamRecvFlagsValues.
 *
 * Returns as virStreamRecv(), or -3 if a hole comes next and VIR_STREAM_RECV_STOP_AT_HOLE was given:
 * virStreamRecvHole() tells its length. A stream without holes never returns that.
 * Since libvirt 3.4.0.
 */
VIRT_API int virStreamRecvFlags(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags);

/*
 * Sends a hole of length bytes, which read as zeros, instead of the zeros. flags: 0.
 *
 * Returns 0; -1 on error (VIR_ERR_NO_SUPPORT if the far end knows no holes); -2 as virStreamSend().
 * Since libvirt 3.4.0.
 */
VIRT_API int virStreamSendHole(virStreamPtr stream, long long length, unsigned int flags);

/*
 * Receives a hole: *length becomes the number of its bytes, 0 if data comes next. flags: 0.
 *
 * Returns 0; -1 on error; -2 as virStreamRecv().
 * Since libvirt 3.4.0.
 */
VIRT_API int virStreamRecvHole(virStreamPtr stream, long long *length, unsigned int flags);

/*
 * Gives virStreamSendAll() data: at most nbytes, into data. Returns their number, 0 at the end, or -1
 * with errno set to give up.
 * Since libvirt 0.7.2.
 */
typedef int (*virStreamSourceFunc)(virStreamPtr st, char *data, size_t nbytes, void *opaque);

/*
 * Says what is at the place where the source stands: *inData becomes 1 for data and 0 for a hole,
 * *length how many bytes of it there are; data of length 0 is the end. Returns 0, or -1 with errno
 * set to give up.
 * Since libvirt 3.4.0.
 */
typedef int (*virStreamSourceHoleFunc)(virStreamPtr st, int *inData, long long *length,
                                       void *opaque);

/*
 * Moves the source on by length bytes, over a hole that was sent. Returns 0, or -1 with errno set to
 * give up.
 * Since libvirt 3.4.0.
 */
typedef int (*virStreamSourceSkipFunc)(virStreamPtr st, long long length, void *opaque);

/*
 * Sends all that handler gives, until it gives nothing more, and returns; the caller then finishes
 * the stream. Only for streams that block. If it fails the stream has been aborted.
 *
 * Returns 0, or -1; VIR_ERR_OPERATION_INVALID for a stream that is VIR_STREAM_NONBLOCK, which stays as
 * it was; VIR_ERR_SYSTEM_ERROR with the handler's errno if it gave up.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamSendAll(virStreamPtr stream, virStreamSourceFunc handler, void *opaque);

/*
 * The same with holes: holeHandler is asked where data and holes are, handler for the data, and
 * skipHandler to go over a hole that was sent.
 *
 * Returns as virStreamSendAll().
 * Since libvirt 3.4.0.
 */
VIRT_API int virStreamSparseSendAll(virStreamPtr stream, virStreamSourceFunc handler,
                                    virStreamSourceHoleFunc holeHandler,
                                    virStreamSourceSkipFunc skipHandler, void *opaque);

/*
 * Takes data from virStreamRecvAll(): as many of the nbytes as it can, at least one; it is called again
 * with the rest. Returns the number taken, or -1 with errno set to give up.
 * Since libvirt 0.7.2.
 */
typedef int (*virStreamSinkFunc)(virStreamPtr st, const char *data, size_t nbytes, void *opaque);

/*
 * Takes a hole of length bytes. Returns 0, or -1 with errno set to give up.
 * Since libvirt 3.4.0.
 */
typedef int (*virStreamSinkHoleFunc)(virStreamPtr st, long long length, void *opaque);

/*
 * Receives all there is and gives it to handler, until the end; the caller then finishes the stream.
 * Only for streams that block. If it fails the stream has been aborted.
 *
 * Returns as virStreamSendAll().
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamRecvAll(virStreamPtr stream, virStreamSinkFunc handler, void *opaque);

/*
 * The same with holes, which go to holeHandler.
 *
 * Returns as virStreamSendAll().
 * Since libvirt 3.4.0.
 */
VIRT_API int virStreamSparseRecvAll(virStreamPtr stream, virStreamSinkFunc handler,
                                    virStreamSinkHoleFunc holeHandler, void *opaque);

/* What can be waited for. Since libvirt 0.7.2. */
typedef enum {
    VIR_STREAM_EVENT_READABLE = 1 << 0, /* there is something to receive, or the end */
    VIR_STREAM_EVENT_WRITABLE = 1 << 1, /* something can be sent */
    VIR_STREAM_EVENT_ERROR = 1 << 2,    /* it has failed; always told */
    VIR_STREAM_EVENT_HANGUP = 1 << 3,   /* the far end has gone; always told */
} virStreamEventType;

/*
 * Is called from the event loop with virStreamEventType bits. It may call any function on the stream,
 * also remove itself and free the stream, and is called again for as long as what it was told of
 * holds.
 * Since libvirt 0.7.2.
 */
typedef void (*virStreamEventCallback)(virStreamPtr stream, int events, void *opaque);

/*
 * Has cb called when one of events (virStreamEventType; 0 for none until the next update) comes. A
 * stream that was given to a call can have one callback. Needs an event loop. ff, if it is not NULL, is
 * called with opaque when the callback is removed: by the function for it, or with the stream's end.
 *
 * Returns 0, or -1: VIR_ERR_INTERNAL_ERROR if it has one already, or there is no event loop.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamEventAddCallback(virStreamPtr stream, int events, virStreamEventCallback cb,
                                       void *opaque, virFreeCallback ff);

/* From now on waits for events. Returns 0, or -1 if there is no callback. Since libvirt 0.7.2. */
VIRT_API int virStreamEventUpdateCallback(virStreamPtr stream, int events);

/*
 * Removes the callback. A call under way in another thread may still run.
 *
 * Returns 0, or -1 if there is none.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamEventRemoveCallback(virStreamPtr stream);

/*
 * Ends the stream: all that was to be sent was sent, or all received. Waits until the far end says that
 * everything went well. The callback is removed. A stream that has ended stays so, and 0 is returned.
 *
 * Returns 0, or -1 if something went wrong on the way; then the stream is to be aborted.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamFinish(virStreamPtr stream);

/*
 * Ends the stream at once; what was sent may be lost. The callback is removed. A stream that has ended,
 * or was given to no call, stays as it is, and 0 is returned.
 *
 * Returns 0, or -1.
 * Since libvirt 0.7.2.
 */
VIRT_API int virStreamAbort(virStreamPtr stream);

/* ============================================================================================== *
 *  10. Migration
 *
 *  A guest moves from the connection it is on to another, and goes on there with the same uuid,
 *  the same hardware and the same memory. The disks must be reachable from both hosts. The calls
 *  of this chapter are libvirt's: each blocks until the guest is there, or here again. They are a
 *  loop over the object of chapter 11, which a program that wants to show progress, or to do other
 *  work meanwhile, uses itself.
 *
 *  If a migration fails, at whatever point, the guest is where it was and as it was: running if it
 *  ran, paused if its user had paused it. Nothing is left over at the other side. Another thread
 *  may watch with virDomainGetJobStats() and end it with virDomainAbortJob() on the source.
 *
 *  The flags go to both sides. A side that cannot honour one refuses the migration.
 * ============================================================================================== */

/* How to migrate. Since libvirt 0.3.2. */
typedef enum {
    VIR_MIGRATE_LIVE = 1 << 0,                           /* let the guest run while its memory
                                                          * moves; without it, it is paused first */
    VIR_MIGRATE_PEER2PEER = 1 << 1,                      /* the source talks to the destination,
                                                          * found by URI, instead of the caller
                                                          * (0.7.2) */
    VIR_MIGRATE_TUNNELLED = 1 << 2,                      /* the data go over a connection of the
                                                          * library's, the hypervisors need none
                                                          * between each other; needs PEER2PEER, and
                                                          * does not go with PARALLEL, TLS, POSTCOPY,
                                                          * OFFLINE and the copying of disks. To or
                                                          * from a server they go over the connection
                                                          * to it. With virMigrationNewSource() the stream is the
                                                          * application's: virMigrationSetStream()
                                                          * (0.7.2) */
    VIR_MIGRATE_PERSIST_DEST = 1 << 3,                   /* the guest becomes persistent at the
                                                          * destination (0.7.3) */
    VIR_MIGRATE_UNDEFINE_SOURCE = 1 << 4,                /* the guest's document is removed from
                                                          * the source (0.7.3) */
    VIR_MIGRATE_PAUSED = 1 << 5,                         /* the guest stays paused at the
                                                          * destination (0.7.5) */
    VIR_MIGRATE_NON_SHARED_DISK = 1 << 6,                /* copy the disks in full (0.8.2) */
    VIR_MIGRATE_NON_SHARED_INC = 1 << 7,                 /* copy of the disks what is above their
                                                          * common backing image (0.8.2) */
    VIR_MIGRATE_CHANGE_PROTECTION = 1 << 8,              /* nobody may change the guest's
                                                          * document while it moves; always so
                                                          * (0.9.4) */
    VIR_MIGRATE_UNSAFE = 1 << 9,                         /* even if a disk's cache could make the
                                                          * two sides see different data (0.9.11) */
    VIR_MIGRATE_OFFLINE = 1 << 10,                       /* move only the document of an inactive
                                                          * guest; needs PERSIST_DEST (1.0.1) */
    VIR_MIGRATE_COMPRESSED = 1 << 11,                    /* compress the memory, see
                                                          * VIR_MIGRATE_PARAM_COMPRESSION (1.0.3) */
    VIR_MIGRATE_ABORT_ON_ERROR = 1 << 12,                /* give up if a disk gives an error
                                                          * meanwhile (1.1.0) */
    VIR_MIGRATE_AUTO_CONVERGE = 1 << 13,                 /* slow the CPUs down more and more if
                                                          * memory is written faster than it
                                                          * moves (1.2.3) */
    VIR_MIGRATE_RDMA_PIN_ALL = 1 << 14,                  /* with RDMA: keep all of the memory in
                                                          * place (1.2.9) */
    VIR_MIGRATE_POSTCOPY = 1 << 15,                      /* memory may follow after the CPUs have
                                                          * moved, once asked for (1.3.3) */
    VIR_MIGRATE_TLS = 1 << 16,                           /* encrypt the data, with each host's own
                                                          * certificates: of the source
                                                          * client-cert.pem and client-key.pem, of
                                                          * the destination server-cert.pem and
                                                          * server-key.pem, and of both
                                                          * ca-cert.pem; for their folder see
                                                          * "tls-certs" in chapter 5. See
                                                          * "tls.destination" as well. Not for an
                                                          * offline migration (3.2.0) */
    VIR_MIGRATE_PARALLEL = 1 << 17,                      /* use several connections:
                                                          * "parallel.connections" (5.2.0) */
    VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES = 1 << 18, /* when disks are copied, the guest's
                                                          * writes go to both at once (8.0.0) */
    VIR_MIGRATE_POSTCOPY_RESUME = 1 << 19,               /* go on with a post-copy migration
                                                          * whose connection was lost (8.5.0) */
    VIR_MIGRATE_ZEROCOPY = 1 << 20,                      /* send memory without copying it; needs
                                                          * PARALLEL and TCP, a kernel that can, and
                                                          * that QEMU may lock its memory: its limit
                                                          * is raised meanwhile, where this process
                                                          * may do that. Not with TLS or compression
                                                          * (8.5.0) */
} virDomainMigrateFlags;

/*
 * Names and types of a migration's parameters. Each may be given once, unless it says otherwise. A
 * name that is not among them is refused with VIR_ERR_INVALID_ARG, one that the driver cannot
 * honour with VIR_ERR_ARGUMENT_UNSUPPORTED or VIR_ERR_OPERATION_UNSUPPORTED.
 */

/* where the source's hypervisor finds the destination's, "tcp://host:port"; the destination
   chooses if it is not given. string (1.1.0) */
#define VIR_MIGRATE_PARAM_URI "migrate_uri"
/* the guest's name at the destination. string (1.1.0) */
#define VIR_MIGRATE_PARAM_DEST_NAME "destination_name"
/* the document the guest runs with at the destination; only what the guest cannot see may be
   different: paths of disks, names of bridges. string (1.1.0) */
#define VIR_MIGRATE_PARAM_DEST_XML "destination_xml"
/* the document stored at the destination with VIR_MIGRATE_PERSIST_DEST. string (1.3.4) */
#define VIR_MIGRATE_PARAM_PERSIST_XML "persistent_xml"
/* MiB per second at most. unsigned long long (1.1.0) */
#define VIR_MIGRATE_PARAM_BANDWIDTH "bandwidth"
/* MiB per second at most, once post-copy has begun. unsigned long long (5.1.0) */
#define VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY "bandwidth.postcopy"
/* where viewers are to go: "spice://host:port". string (1.1.0) */
#define VIR_MIGRATE_PARAM_GRAPHICS_URI "graphics_uri"
/* the address on which the destination's hypervisor listens. string (1.1.4) */
#define VIR_MIGRATE_PARAM_LISTEN_ADDRESS "listen_address"
/* target of a disk to copy, "vda"; any number of them. string (1.2.17) */
#define VIR_MIGRATE_PARAM_MIGRATE_DISKS "migrate_disks"
/* the port for the disks. int (1.3.3) */
#define VIR_MIGRATE_PARAM_DISKS_PORT "disks_port"
/* where the source finds the destination's disks: "tcp://host:port" or "unix:///path". string
   (6.8.0) */
#define VIR_MIGRATE_PARAM_DISKS_URI "disks_uri"
/* how to compress: "xbzrle" (what VIR_MIGRATE_COMPRESSED alone means), "mt", or both; with
   VIR_MIGRATE_PARALLEL "zlib" or "zstd" (9.4.0). QEMU has no "mt" from 9.1 on, and says of it that
   it had too many races. string (1.3.4) */
#define VIR_MIGRATE_PARAM_COMPRESSION "compression"
/* mt: how much, 0 to 9. int (1.3.4) */
#define VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL "compression.mt.level"
/* mt: threads that compress. int (1.3.4) */
#define VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS "compression.mt.threads"
/* mt: threads that decompress. int (1.3.4) */
#define VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS "compression.mt.dthreads"
/* xbzrle: bytes of the cache. unsigned long long (1.3.4) */
#define VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE "compression.xbzrle.cache"
/* per cent by which the CPUs are slowed down at first. int (2.0.0) */
#define VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL "auto_converge.initial"
/* per cent more at each further step. int (2.0.0) */
#define VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT "auto_converge.increment"
/* how many connections. int (5.2.0) */
#define VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS "parallel.connections"
/* the name in the destination's certificate, with VIR_MIGRATE_TLS; the host of the migration URI if
   it is not given. Over a stream (virMigrationSetStream()), and a Unix socket that was asked for,
   there is none: it must be given. string (6.0.0) */
#define VIR_MIGRATE_PARAM_TLS_DESTINATION "tls.destination"

/* ms that the CPUs may stand: virDomainMigrateSetMaxDowntime(). unsigned long long. virt's own. */
#define VIR_MIGRATE_PARAM_DOWNTIME "downtime"

/*
 * Migrates the guest to dconn, another connection of this process. params are VIR_MIGRATE_PARAM_*,
 * and may be NULL with nparams 0; they stay the caller's. flags are virDomainMigrateFlags. The
 * caller frees the handle with virDomainFree().
 *
 * Returns a handle on the guest at the destination, or NULL. VIR_ERR_OPERATION_INVALID: the guest
 * is not active, is being migrated already, or the destination has an active guest of that name or
 * uuid; VIR_ERR_MIGRATE_UNSAFE: see VIR_MIGRATE_UNSAFE; VIR_ERR_OPERATION_ABORTED: by
 * virDomainAbortJob(); VIR_ERR_OPERATION_FAILED: the transfer broke; VIR_ERR_OPERATION_TIMEOUT:
 * the outcome is not known yet, and the guest stays paused until it is. Not on a read-only
 * connection, at either end. Example: examples/migrate.c, which steps instead.
 * Since libvirt 1.1.0.
 */
VIRT_API virDomainPtr virDomainMigrate3(virDomainPtr domain, virConnectPtr dconn,
                                        virTypedParameterPtr params, unsigned int nparams,
                                        unsigned int flags);

/*
 * As virDomainMigrate3(), with the parameters of its time: dname is VIR_MIGRATE_PARAM_DEST_NAME,
 * uri VIR_MIGRATE_PARAM_URI, bandwidth VIR_MIGRATE_PARAM_BANDWIDTH; NULL and 0 leave them out.
 * Since libvirt 0.3.2.
 */
VIRT_API virDomainPtr virDomainMigrate(virDomainPtr domain, virConnectPtr dconn,
                                       unsigned long flags, const char *dname, const char *uri,
                                       unsigned long bandwidth);

/* As virDomainMigrate(), with dxml as VIR_MIGRATE_PARAM_DEST_XML. Since libvirt 0.9.2. */
VIRT_API virDomainPtr virDomainMigrate2(virDomainPtr domain, virConnectPtr dconn, const char *dxml,
                                        unsigned long flags, const char *dname, const char *uri,
                                        unsigned long bandwidth);

/*
 * As virDomainMigrate3(), to a destination named by dconnuri, which the library opens for as long
 * as it takes. flags must have VIR_MIGRATE_PEER2PEER. Of a guest of a server, it is the server that
 * opens it, with its own keys: it refuses (VIR_ERR_ACCESS_DENIED) what would name files or programs
 * of its host, which are the parameters command, keyfile, known_hosts, and socket with unix, all
 * parameters of a URI without a transport, and the document of test:///FILE.
 *
 * Returns 0 when the guest is there, or -1 with the errors of virDomainMigrate3() and of
 * virConnectOpen().
 * Since libvirt 1.1.0.
 */
VIRT_API int virDomainMigrateToURI3(virDomainPtr domain, const char *dconnuri,
                                    virTypedParameterPtr params, unsigned int nparams,
                                    unsigned int flags);

/*
 * As virDomainMigrateToURI3(), with the parameters of its time: duri is the destination's
 * connection, dname VIR_MIGRATE_PARAM_DEST_NAME, bandwidth VIR_MIGRATE_PARAM_BANDWIDTH; NULL and 0
 * leave them out.
 * Since libvirt 0.7.2.
 */
VIRT_API int virDomainMigrateToURI(virDomainPtr domain, const char *duri, unsigned long flags,
                                   const char *dname, unsigned long bandwidth);

/*
 * As virDomainMigrateToURI(), with miguri as VIR_MIGRATE_PARAM_URI and dxml as
 * VIR_MIGRATE_PARAM_DEST_XML.
 * Since libvirt 0.9.2.
 */
VIRT_API int virDomainMigrateToURI2(virDomainPtr domain, const char *dconnuri, const char *miguri,
                                    const char *dxml, unsigned long flags, const char *dname,
                                    unsigned long bandwidth);

/*
 * Switches a live migration under way that has VIR_MIGRATE_POSTCOPY to post-copy: the guest goes on
 * at the destination at once, and fetches the memory that is not there yet when it touches it. From
 * then on there is no way back: an abort is refused, and if either host or the network between them
 * fails, the guest waits for it (VIR_MIGRATE_POSTCOPY_RESUME). Best after the first pass through
 * memory (VIR_DOMAIN_JOB_MEMORY_ITERATION). flags: 0.
 *
 * Returns 0 as soon as the hypervisor has been told; -1 with VIR_ERR_OPERATION_INVALID if no
 * migration from here is under way, or it was not begun with VIR_MIGRATE_POSTCOPY. Not on a
 * read-only connection.
 * Since libvirt 1.3.3.
 */
VIRT_API int virDomainMigrateStartPostCopy(virDomainPtr domain, unsigned int flags);

/*
 * Sets how long, in ms, the guest's CPUs may stand at the end of a live migration. The last step
 * is taken when what remains can be moved within that. Takes effect at once, on a running
 * migration too, and lasts until the guest ends. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active. Not on a read-only
 * connection.
 * Since libvirt 0.8.0.
 */
VIRT_API int virDomainMigrateSetMaxDowntime(virDomainPtr domain, unsigned long long downtime,
                                            unsigned int flags);

/*
 * Gives that time, in ms, in *downtime. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active.
 * Since libvirt 3.7.0.
 */
VIRT_API int virDomainMigrateGetMaxDowntime(virDomainPtr domain, unsigned long long *downtime,
                                            unsigned int flags);

/* For the two functions that follow. Since libvirt 5.1.0. */
typedef enum {
    VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY = 1 << 0, /* the limit that holds once post-copy has
                                                     * begun */
} virDomainMigrateMaxSpeedFlags;

/*
 * Sets how many MiB per second a migration of the guest may move at most; 0 means no limit. Takes
 * effect at once, on a running migration too, and lasts until the guest ends.
 *
 * Returns 0, or -1: VIR_ERR_OVERFLOW if it does not fit in bytes. Not on a read-only connection.
 * Since libvirt 0.9.0.
 */
VIRT_API int virDomainMigrateSetMaxSpeed(virDomainPtr domain, unsigned long bandwidth,
                                         unsigned int flags);

/*
 * Gives that limit, in MiB per second, in *bandwidth. Not on a read-only connection, as in
 * libvirt.
 * Since libvirt 0.9.5.
 */
VIRT_API int virDomainMigrateGetMaxSpeed(virDomainPtr domain, unsigned long *bandwidth,
                                         unsigned int flags);

/*
 * Sets the size, in bytes, of the cache that VIR_MIGRATE_COMPRESSED uses; the hypervisor may round
 * it down to a power of two. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active. Not on a read-only
 * connection.
 * Since libvirt 1.0.3.
 */
VIRT_API int virDomainMigrateSetCompressionCache(virDomainPtr domain, unsigned long long cacheSize,
                                                 unsigned int flags);

/*
 * Gives that size in *cacheSize. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the guest is not active.
 * Since libvirt 1.0.3.
 */
VIRT_API int virDomainMigrateGetCompressionCache(virDomainPtr domain, unsigned long long *cacheSize,
                                                 unsigned int flags);

/* ============================================================================================== *
 *  11. virMigration: a migration that the caller steps (virt's own)
 *
 *  A migration has five phases, each on one side, each with a cookie that tells the next what it
 *  must know:
 *
 *      Begin       source        takes the guest's document, says what is to move
 *      Prepare     destination   makes the machine that waits for it, says where
 *      Perform     source        moves the memory: the long one
 *      Finish      destination   lets the guest run
 *      Confirm     source        ends what is left of it here
 *
 *  The object does the next bit of that when it is told to, and never anything by itself:
 *
 *      virMigrationPtr m = virMigrationNew(domain, dconn, params, nparams, VIR_MIGRATE_LIVE);
 *      int rc;
 *
 *      if (m == NULL)
 *          return -1;
 *      while ((rc = virMigrationStep(m, 500)) > 0)
 *          show(virMigrationGetPhase(m));
 *      if (rc < 0)
 *          return later(m);                 it could not be stepped now; it waits, step again
 *      if (virMigrationGetOutcome(m) != VIR_MIGRATION_OUTCOME_MIGRATED)
 *          report(virMigrationGetError(m)->message);
 *      virMigrationFree(m);
 *
 *  A phase that fails, and an abort, do not end the loop: the object then chooses the way back by
 *  itself, which is stepped like the way there, so that no guest stays paused and nothing stays
 *  behind at the destination. Phase and progress are for showing. What became of the guest is the
 *  outcome.
 *
 *  "No answer" is never taken for "no". Once the destination may have started the guest, the source
 *  stays paused until it is known whether it did. When that takes long the outcome says "undecided",
 *  virMigrationGetDoubt() says in words what is waited for, and somebody who knows what became of the
 *  other host can say so with virMigrationSettle().
 *
 *  Where the hosts keep leases (lock= in chapter 5), nobody needs to be asked. Finish takes the lease
 *  over before the guest runs; a source that hears nothing for 3 s looks who has it: if it is the
 *  destination, the guest has gone; if not, the source takes it back, which makes it too late for the
 *  destination, and goes on. A source with a record and nobody who steps it does the same when its
 *  migration expires.
 *
 *  The object need not live as long as the migration. Both hosts keep records of their own, made
 *  before each effect. virMigrationGetRecord() is the object as text, from which another process
 *  goes on with virMigrationNewFromRecord(); and if that text is lost as well,
 *  virConnectListMigrations() gives what a host knows, from which an object is made in the same way.
 *  Each phase that was carried out already answers from the record.
 *
 *  Nor need both ends be in one process. virMigrationNewSource() and virMigrationNewDestination()
 *  make them as objects of their own, which speak in messages of text that the caller carries:
 *
 *      source:                                      destination:
 *          do {                                         do {
 *              rc = virMigrationStep(m, 100);               if (received(&text))
 *              if (virMigrationGetMessage(m, &text) > 0)        virMigrationPutMessage(m, text);
 *                  send(text);                              rc = virMigrationStep(m, 100);
 *              if (received(&text))                         if (virMigrationGetMessage(m, &text) > 0)
 *                  virMigrationPutMessage(m, text);             send(text);
 *          } while (rc > 0);                            } while (rc > 0);
 *
 *  Messages may get lost, come twice, late, or in another order. The source is over when it knows
 *  the end; the destination should be kept for a while after its own, to answer once more if its last
 *  message was lost. Example: examples/halves.c.
 *
 *  One object is used by one thread at a time, except virMigrationAbort(), which any thread may
 *  call. Different objects have nothing to do with each other. virDomainGetJobStats() and
 *  virDomainAbortJob() on the source see the migration as the guest's job (7.7).
 *
 *  Example: examples/migrate.c.
 * ============================================================================================== */

/* A migration. Opaque. */
typedef struct _virMigration virMigration;
typedef virMigration *virMigrationPtr;

/*
 * Where a migration is: the five phases, the three of the way back, and the end. From Begin,
 * Prepare and Perform the way back begins with Halt; from Finish, which has decided, with Rollback.
 */
typedef enum {
    VIR_MIGRATION_PHASE_BEGIN = 0,          /* source: describe the guest */
    VIR_MIGRATION_PHASE_PREPARE = 1,        /* destination: get ready to receive it */
    VIR_MIGRATION_PHASE_PERFORM = 2,        /* source: move it */
    VIR_MIGRATION_PHASE_FINISH = 3,         /* destination: let it run */
    VIR_MIGRATION_PHASE_CONFIRM = 4,        /* source: end it here */
    VIR_MIGRATION_PHASE_HALT = 5,           /* way back: source: stop moving it */
    VIR_MIGRATION_PHASE_CANCEL = 6,         /* way back: destination: remove what was prepared */
    VIR_MIGRATION_PHASE_ROLLBACK = 7,       /* way back: source: make it again what it was */
    VIR_MIGRATION_PHASE_OVER = 8,           /* no more to do */
#ifndef VIRT_NO_SENTINELS
    VIR_MIGRATION_PHASE_LAST = 9,           /* how many there are */
#endif
} virMigrationPhase;

/* What VIR_DOMAIN_EVENT_ID_MIGRATION_PHASE tells of a phase. */
typedef enum {
    VIR_MIGRATION_PHASE_BEGAN = 0,          /* it is about to be carried out for the first time */
    VIR_MIGRATION_PHASE_DONE = 1,           /* it has ended well */
    VIR_MIGRATION_PHASE_FAILED = 2,         /* the way back follows */
} virMigrationPhaseState;

/* What became of the guest. */
typedef enum {
    VIR_MIGRATION_OUTCOME_NONE = 0,         /* not over yet */
    VIR_MIGRATION_OUTCOME_MIGRATED = 1,     /* it is at the destination, and not at the source */
    VIR_MIGRATION_OUTCOME_ROLLED_BACK = 2,  /* nothing of it is at the destination; it is at the
                                             * source, as it was before. Also where nobody can know
                                             * whether it had run at the destination: its hypervisor
                                             * and whoever managed it ended together, before it was
                                             * on record that the CPUs run. What it may have done
                                             * there is lost, but for disks that both hosts share */
    VIR_MIGRATION_OUTCOME_UNDECIDED = 3,    /* not over: the destination was told to start it, or to
                                             * end it, and does not answer. The source waits, and
                                             * asks again with each step. See
                                             * virMigrationSettle() */
    VIR_MIGRATION_OUTCOME_LOST = 4,         /* it runs nowhere: its hypervisor died at the source
                                             * (or somebody destroyed it there) before the
                                             * destination had everything, or it cannot go on there.
                                             * The error says what happened */
#ifndef VIRT_NO_SENTINELS
    VIR_MIGRATION_OUTCOME_LAST = 5,         /* how many there are */
#endif
} virMigrationOutcome;

/* On which side a phase runs. */
typedef enum {
    VIR_MIGRATION_SIDE_SOURCE = 0,          /* where the guest comes from */
    VIR_MIGRATION_SIDE_DESTINATION = 1,     /* where it goes */
} virMigrationSide;

/* The value of VIR_DOMAIN_JOB_CONVERGENCE. */
typedef enum {
    VIR_MIGRATION_CONVERGENCE_UNKNOWN = 0,  /* too early to tell */
    VIR_MIGRATION_CONVERGENCE_YES = 1,      /* it moves faster than the guest writes: it will end */
    VIR_MIGRATION_CONVERGENCE_NO = 2,       /* the guest writes faster: allow more downtime or
                                             * bandwidth, slow it down, or abort */
} virMigrationConvergence;

/* What there is to know of one phase, so far. */
typedef struct _virMigrationPhaseInfo virMigrationPhaseInfo;
struct _virMigrationPhaseInfo {
    virMigrationPhase phase;                /* which */
    virMigrationSide side;                  /* where it runs */
    int rounds;                             /* how often it was entered; 0: never */
    unsigned long long elapsedUs;           /* microseconds from its beginning to its end or now */
    size_t cookieIn;                        /* bytes of the cookie it was given */
    size_t cookieOut;                       /* bytes of the cookie it gave */
};

/*
 * Makes a migration of domain to dconn, and does nothing yet: the arguments are checked, copied and
 * kept, with references on both connections. params are VIR_MIGRATE_PARAM_*, and may be NULL with
 * nparams 0; flags are virDomainMigrateFlags. The caller frees it with virMigrationFree().
 *
 * Returns the object, or NULL: VIR_ERR_INVALID_ARG for parameters or flags that do not fit,
 * VIR_ERR_OPERATION_DENIED if either connection is read-only, VIR_ERR_NO_SUPPORT if a driver has no
 * migration.
 */
VIRT_API virMigrationPtr virMigrationNew(virDomainPtr domain, virConnectPtr dconn,
                                         virTypedParameterPtr params, unsigned int nparams,
                                         unsigned int flags);

/*
 * Looks for everything that would stop this migration, with the arguments of virMigrationNew(): what
 * the source would refuse, and what the destination would. Nothing is changed on either host, no hook
 * script is called, and no job is taken. What only the transfer can show (a wire that breaks, memory
 * that runs out) it cannot know, and what it finds may have changed a moment later.
 *
 * *problems becomes an array of texts that ends with a NULL; the caller frees each text and the array
 * with free().
 *
 * Returns how many there are, 0 if nothing stands in the way, or -1 if the check itself failed: wrong
 * arguments, as virMigrationNew(); VIR_ERR_NO_SUPPORT if a driver cannot tell. virt's own.
 */
VIRT_API int virMigrationCheck(virDomainPtr domain, virConnectPtr dconn,
                               virTypedParameterPtr params, unsigned int nparams,
                               unsigned int flags, char ***problems);

/*
 * As virMigrationNew(), but the source's end alone: what the destination has to do is asked for by
 * messages.
 *
 * Returns the object, or NULL as virMigrationNew() does.
 */
VIRT_API virMigrationPtr virMigrationNewSource(virDomainPtr domain, virTypedParameterPtr params,
                                               unsigned int nparams, unsigned int flags);

/*
 * Makes the destination's end of a migration to dconn's host. Which migration it is, and how it is
 * to be done, comes with the first message. It never does anything that it was not asked by a
 * message; virMigrationAbort() is the source's. The caller frees it with virMigrationFree().
 *
 * Returns the object, or NULL: VIR_ERR_OPERATION_DENIED if dconn is read-only, VIR_ERR_NO_SUPPORT if
 * its driver cannot receive.
 */
VIRT_API virMigrationPtr virMigrationNewDestination(virConnectPtr dconn);

/*
 * Gives the next message for the other end in *message, which the caller frees with free(): a line
 * of JSON text, without a newline, of 16 MiB at most. A request that stays unanswered is given again
 * after half a second. The messages are not secret, but what they ask for is done: the caller sees to
 * it that nobody else can send any. Only for objects with one end.
 *
 * Returns 1, 0 if there is nothing to be sent just now (*message is left alone), or -1.
 */
VIRT_API int virMigrationGetMessage(virMigrationPtr m, char **message);

/*
 * Takes a message from the other end; the step that follows acts on it. message stays the caller's.
 * One that is not valid, or not for this end of this migration, is an error and changes nothing; one
 * that was taken before, or comes late, does no harm. Only for objects with one end.
 *
 * Returns 0, or -1: VIR_ERR_INVALID_ARG says what is wrong with the message.
 */
VIRT_API int virMigrationPutMessage(virMigrationPtr m, const char *message);

/*
 * Has the memory go over fd, a connected stream (a pipe of two directions, a socket, the end of a
 * proxy that the caller runs) instead of a connection that the hypervisors make. Each end is given
 * its own, before the source's Perform and the destination's Prepare. fd stays the caller's, and
 * must be open until the migration is over. Only for objects with one end. Where that end is a
 * connection to a server, fd must be a socket, and the memory goes on over the connection.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID when it is too late, or the object has both ends.
 */
VIRT_API int virMigrationSetStream(virMigrationPtr m, int fd);

/*
 * Gives the whole state of the object as JSON text, from which virMigrationNewFromRecord() makes it
 * again, here or in another process. It may be older than what has happened since: the phases that
 * were carried out already answer from the hosts' own records. The caller frees it with free().
 *
 * Returns the text, or NULL: VIR_ERR_OPERATION_INVALID while another thread steps it.
 */
VIRT_API char *virMigrationGetRecord(virMigrationPtr m);

/*
 * Makes an object to go on with a migration, from what virMigrationGetRecord() gave or from one of
 * the records of virConnectListMigrations(). sconn and dconn are connections to the two hosts; if one
 * is NULL, the object has the other end alone (see virMigrationNewSource()). Several may be made of
 * one migration, and by several processes: they do not get in each other's way. A stream must be set
 * again. A destination alone, from a record that says that its host is done with it, is over from the
 * beginning, with the outcome that it had; it still answers what it is asked.
 *
 * Returns the object, or NULL: VIR_ERR_INVALID_ARG says what is wrong with the record.
 */
VIRT_API virMigrationPtr virMigrationNewFromRecord(const char *record, virConnectPtr sconn,
                                                   virConnectPtr dconn);

/*
 * Goes on with the migration, until the current phase ends or timeout ms have passed, whichever is
 * first. 0: does what can be done without waiting, name look-up included; -1: waits until the phase
 * ends. It may return early, and to call it more often than needed is harmless.
 *
 * What an administrator puts into a host's way is waited for in any case: a hook script, one that sets
 * up a network card, and the making of a disk's image, each 60 s at most; and a lease service, each
 * time that it is asked, 3 s at most for each of etcd's addresses (sanlock: 60 s).
 *
 * Returns 1: go on, the way back included; 0: over, and it stays over; -1: this call was not
 * carried out and has changed nothing (m is not valid, or there is no memory), so it may be
 * repeated. That a phase failed is not -1: see virMigrationGetOutcome().
 */
VIRT_API int virMigrationStep(virMigrationPtr m, int timeout);

/*
 * Tells a caller with a loop of its own what to wait for until the next virMigrationStep(m, 0):
 * *fd, a descriptor (-1: none), *events, the VIR_EVENT_HANDLE_* bits to watch it for, and
 * *timeout, ms after which to step in any case (-1: none; 0: at once). Ask anew after each step:
 * all three may have changed. The descriptor stays the library's. Do not read from it.
 *
 * It is open until the migration goes on: by a step, an abort or the free of this object or of another
 * one of the same migration, or by the end of the guest or of the connection. A loop that keeps what it
 * watches takes the descriptor out before each of these, and one in whose process another thread may
 * do any of them watches a dup() of it: a number that was closed may be something else's by then.
 */
VIRT_API int virMigrationGetWait(virMigrationPtr m, int *fd, int *events, int *timeout);

/*
 * Gives the phase that the next step works on. VIR_MIGRATION_PHASE_OVER also if m is not valid.
 */
VIRT_API virMigrationPhase virMigrationGetPhase(virMigrationPtr m);

/*
 * Gives a phase's name to show: "begin", "prepare", "perform", "finish", "confirm", "halt", "cancel",
 * "rollback", "over". Never NULL; a constant.
 */
VIRT_API const char *virMigrationPhaseGetName(virMigrationPhase phase);

/*
 * Fills in *info, which is the caller's, with what is known of a phase, past, present or to come.
 *
 * Returns 0, or -1 with VIR_ERR_INVALID_ARG if there is no such phase.
 */
VIRT_API int virMigrationGetPhaseInfo(virMigrationPtr m, virMigrationPhase phase,
                                      virMigrationPhaseInfo *info);

/*
 * Gives the cookie that a phase was given (out is 0) or gave (out is 1): JSON text, to look at. It
 * stays the object's, and lives until the next step or the free.
 *
 * Returns the text, or NULL if there is none (yet); that alone is no error.
 */
VIRT_API const char *virMigrationGetCookie(virMigrationPtr m, virMigrationPhase phase, int out);

/*
 * Gives the progress, as a new array of the VIR_DOMAIN_JOB_* parameters,
 * VIR_DOMAIN_JOB_CONVERGENCE and VIR_DOMAIN_JOB_DOWNTIME_EXPECTED among them as soon as they can
 * be told. Does not wait for a hypervisor: the numbers are those of the last step. They may go
 * back, since the guest writes; VIR_DOMAIN_JOB_MEMORY_ITERATION tells how often it has been round.
 * The caller frees the array with virTypedParamsFree(). When the migration is over these are its
 * final numbers.
 */
VIRT_API int virMigrationGetStats(virMigrationPtr m, virTypedParameterPtr *params, int *nparams);

/* For virMigrationGetTrace(). */
typedef enum {
    VIR_MIGRATION_TRACE_SVG = 1 << 0,       /* a picture instead of a table */
} virMigrationTraceFlags;

/*
 * Gives the course of the migration so far: each phase with its time; what came of it, and why, if that
 * is not what was wanted; and how much memory and disk was left, was sent and was written again, as far
 * as the object's own steps have seen it; as a table, or
 * with VIR_MIGRATION_TRACE_SVG as a time line in SVG with phases, iterations, and the downtime. The
 * caller frees it with free(). flags: virMigrationTraceFlags.
 *
 * Returns the text, or NULL.
 */
VIRT_API char *virMigrationGetTrace(virMigrationPtr m, unsigned int flags);

/*
 * Asks for the end of the migration, and returns at once; the steps that follow carry it out. Safe
 * at any time, from any thread, and more than once: a step of another thread, or its wait for what
 * virMigrationGetWait() gave, then ends soon. It is a request: when the guest is at the
 * destination already, the migration is completed all the same. The outcome tells.
 */
VIRT_API int virMigrationAbort(virMigrationPtr m);

/*
 * Says how an undecided migration ended, for a person who knows: VIR_MIGRATION_OUTCOME_MIGRATED if
 * the guest runs at the destination, VIR_MIGRATION_OUTCOME_ROLLED_BACK if that host is dead for good
 * (fenced, switched off), so that nothing of the guest can come back there. The steps that follow
 * carry it out. **If it is wrong, the guest runs twice or not at all.** On the destination's end alone
 * it is the answer for a source that is dead: start what is complete here, or remove it.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if there is nothing to settle (no request that decides
 * is open, or another thread steps it), or if it cannot be so: what was not moved completely is not at
 * the destination.
 */
VIRT_API int virMigrationSettle(virMigrationPtr m, virMigrationOutcome outcome);

/*
 * Says in words what an undecided migration waits for, since when, and what a person can do about it.
 * The caller frees it with free().
 *
 * Returns the text, or NULL if it is not undecided; that alone is no error.
 */
VIRT_API char *virMigrationGetDoubt(virMigrationPtr m);

/*
 * Gives the outcome; VIR_MIGRATION_OUTCOME_NONE until it is over, or if m is not valid. While the
 * destination leaves an answer that decides open for more than three seconds it is
 * VIR_MIGRATION_OUTCOME_UNDECIDED, and may change again.
 */
VIRT_API virMigrationOutcome virMigrationGetOutcome(virMigrationPtr m);

/*
 * Gives the error that turned the migration back: the first, not those of the way back, except that
 * a guest which does not go on at the source in the end is told with it. VIR_ERR_OPERATION_ABORTED
 * after virMigrationAbort(). It stays the object's and lives until the free.
 *
 * Returns the error, or NULL if there is none.
 */
VIRT_API virErrorPtr virMigrationGetError(virMigrationPtr m);

/*
 * Gives a new handle on the guest where it now is: at the destination once it has finished there,
 * at the source otherwise, as far as the object has that end. The caller frees it with
 * virDomainFree().
 *
 * Returns the handle, or NULL with VIR_ERR_NO_DOMAIN.
 */
VIRT_API virDomainPtr virMigrationGetDomain(virMigrationPtr m);

/*
 * Gives the uuid of this migration, as text: both sides keep their records under it, and logs name
 * it. It is not the guest's. It stays the object's and lives until the free.
 */
VIRT_API const char *virMigrationGetUUID(virMigrationPtr m);

/* For virConnectListMigrations(). Without either all are listed. virt's own. */
typedef enum {
    VIR_CONNECT_LIST_MIGRATIONS_ACTIVE = 1 << 0,    /* those that are not over on this side */
    VIR_CONNECT_LIST_MIGRATIONS_OVER = 1 << 1,      /* those that are, as long as they are kept */
} virConnectListMigrationsFlags;

/*
 * Gives what the host has on record of migrations from it and to it, each as JSON text, from which
 * virMigrationNewFromRecord() makes an object to go on with. Members that can be relied on:
 * migration (its uuid), side ("source" or "destination"), name and uuid of the guest, stage (a word
 * to show), over (whether this side is done with it), since (ms since 1970). The one that began last
 * comes first. Records of migrations that are over are kept for a day, to answer late questions.
 * flags: virConnectListMigrationsFlags.
 *
 * *records becomes an array that ends with a NULL; the caller frees each text and the array with
 * free(). records may be NULL.
 *
 * Returns how many there are, or -1.
 */
VIRT_API int virConnectListMigrations(virConnectPtr conn, char ***records, unsigned int flags);

/*
 * Frees the object. m may be NULL. Never blocks and never fails. A migration that is not over is
 * dropped where it stands: to end one properly, abort it and step until it is over. What is left of
 * one that was dropped before the transfer was complete is ended by virDomainAbortJob() on either
 * side; after that, only virDomainDestroy() on the side where the guest is not wanted can be right,
 * and virDomainResume() is refused.
 */
VIRT_API void virMigrationFree(virMigrationPtr m);

/* ============================================================================================== *
 *  12. Drivers, logging (virt's own)
 * ============================================================================================== */

/* A hypervisor: a table of functions. Who brings one of their own includes drivers/driver.h. */
struct virDriver;

/*
 * Makes a driver known, so that virConnectOpen() takes its URIs. The built-in ones come first, the
 * others in the order of their registration. The table stays the caller's and must not change or go
 * away as long as the process lives; a driver cannot be taken back.
 *
 * Returns 0, or -1 with VIR_ERR_INVALID_ARG if the table lacks what it must have or was made for
 * another version of virt. Example: examples/driver.c
 */
VIRT_API int virRegisterDriver(const struct virDriver *driver);

/* How important a line of the log is. */
typedef enum {
    VIR_LOG_DEBUG = 1,                      /* each step, for those who look for a mistake */
    VIR_LOG_INFO = 2,                       /* what happens, in large */
    VIR_LOG_WARN = 3,                       /* something odd that nobody is told otherwise */
    VIR_LOG_ERROR = 4,                      /* something went wrong that no call can report */
} virLogPriority;

/*
 * Is called with each line of the log. priority is a virLogPriority, source tells which part speaks
 * ("qemu.monitor"), message is a line without its end. Called from any thread, possibly with locks
 * held: it must not call functions of this API, nor wait for a thread that does.
 */
typedef void (*virLogFunc)(int priority, const char *source, const char *message, void *opaque);

/*
 * Sets the function that takes the log; NULL for none, which is how it begins: then nothing is
 * written anywhere. Affects the whole process. The log has what is neither the error of a call nor
 * an event: what was found again, what was cleaned up, what could not be undone.
 */
VIRT_API void virSetLogFunc(virLogFunc func, void *opaque);

/*
 * Lists the parts of a guest's document that have no effect with this driver: *paths becomes an
 * array of paths like "/domain/devices/disk[2]/driver/@iothread", in the order of the document.
 * flags is 0 for the document that an active guest runs with, VIR_DOMAIN_XML_INACTIVE for the
 * stored one. The caller frees each path and the array, with free(). paths may be NULL, to count
 * only.
 *
 * VIR_DOMAIN_DEFINE_VALIDATE makes such parts an error from the beginning.
 *
 * Returns how many there are, 0 if all of it counts (*paths is then an array without entries, or
 * NULL, to be freed in any case), or -1.
 */
VIRT_API int virDomainListIgnoredXML(virDomainPtr domain, char ***paths, unsigned int flags);

/* How a command to QEMU is written. Since libvirt 0.8.8. */
typedef enum {
    VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT = 0,  /* QMP: a JSON object, or a command's name
                                                   * alone */
    VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP = 1 << 0, /* as a person would type it */
} virDomainQemuMonitorCommandFlags;

/*
 * Sends a command to the QEMU of a running guest, past the library: for looking and for trying out.
 * What it changes the library does not know. flags are virDomainQemuMonitorCommandFlags. *result
 * becomes what QEMU answers: of QMP the whole reply, also one that says {"error": ...}; of HMP what
 * would be printed. The caller frees it. The first such command to a guest is noted in the log.
 *
 * Returns 0, or -1 if there is no answer; VIR_ERR_NO_SUPPORT if the hypervisor is another one. Not
 * on a read-only connection.
 * Since libvirt 0.8.3.
 */
VIRT_API int virDomainQemuMonitorCommand(virDomainPtr domain, const char *cmd, char **result,
                                         unsigned int flags);

/* ============================================================================================== *
 *  13. virServer: serving connections (virt's own)
 *
 *  None of these functions is libvirt's. With them any program serves connections that it has open
 *  to other processes, which reach them with the same API through URIs with a transport
 *  ("test+unix:///default"). Messages are JSON-RPC 2.0 over nanomsg, so that other languages can be
 *  clients as well.
 *
 *      virServerPtr server = virServerNew(NULL, 0, 0);
 *
 *      if (server == NULL || virServerAddConnect(server, conn) < 0
 *          || virServerListen(server, "unix:/run/app/virt-sock", NULL, 0, 0) < 0
 *          || virServerRun(server) < 0)
 *          fprintf(stderr, "%s\n", virGetLastErrorMessage());
 *      virServerFree(server);
 *
 *  The server does its work in the threads that call virServerRun(), which may be any number, and in
 *  the event loop if virServerAttach() was called: a call of a client that takes long keeps one of
 *  them busy, and the others serve the other clients. (nanomsg has a thread of its own as long as a
 *  server is there, and each address one that others than its own user and root may connect to.) Events of guests come out of hypervisors by the event loop, here
 *  as everywhere: a program whose clients want events runs one.
 *
 *  Who may connect. On a Unix socket a client is known by the credentials that the kernel gives:
 *  without parameters only root and the user that the server runs as may connect; owner, group and
 *  mode widen that. What a client may do then is asked of a function of the application, if there is
 *  one (virServerSetAccess()): guests that it may not see are for it as if they were not there, in
 *  look-ups, lists and events.
 *
 *  A client that is gone leaves nothing behind: its subscriptions, streams and replies are dropped
 *  at the moment when its connection closes. A call that is being carried out goes on to its end.
 *  What one client can take up is bounded by the limits below, and one that exceeds them gets an
 *  error that says which; the others notice nothing.
 *
 *  A server is used from any thread, also from several at once, between virServerNew() and
 *  virServerFree(). Where the library was built without nanomsg, all of these functions fail with
 *  VIR_ERR_NO_SUPPORT.
 *
 *  Example: examples/serve.c.
 * ============================================================================================== */

/* A server. Opaque. */
typedef struct _virServer virServer;
typedef virServer *virServerPtr;

/*
 * Limits, parameters of virServerNew(), each an unsigned int greater than 0. How many clients there
 * may be at once (default 256).
 */
#define VIR_SERVER_PARAM_CLIENTS "clients"
/* How many calls of one client may be under way at once (default 64). */
#define VIR_SERVER_PARAM_PARALLEL "parallel"
/* The bytes of one message (default 4 MiB, at least 1 MiB); what is longer goes in parts. */
#define VIR_SERVER_PARAM_MESSAGE "message"
/* The bytes of a call and of a reply, however many parts they come in (default 16 MiB). */
#define VIR_SERVER_PARAM_DOCUMENT "document"
/*
 * The bytes that are kept for one client: replies that it has not said it has, calls of which parts
 * have come, events that it has not fetched (default 32 MiB).
 */
#define VIR_SERVER_PARAM_MEMORY "memory"
/* How deep a message may nest arrays and objects (default 32). */
#define VIR_SERVER_PARAM_DEPTH "depth"
/* How many events and guests one client may subscribe to (default 256). */
#define VIR_SERVER_PARAM_SUBSCRIPTIONS "subscriptions"
/* How many streams one client may have open (default 16). */
#define VIR_SERVER_PARAM_STREAMS "streams"
/*
 * After how many milliseconds of silence a client is gone, where its connection cannot be seen to
 * close (default 60000). On Unix sockets it can.
 */
#define VIR_SERVER_PARAM_EXPIRY "expiry"

/*
 * Parameters of virServerListen(). The permissions of a Unix socket's file, an unsigned int (default
 * 0600). A client must have the right to write that they give: bits of the owner, of the group, of
 * others. Root and the user that the server runs as always may. Where others may, too, a thread of
 * the library's own reads what they send before nanomsg does, which aborts the process over a byte
 * that is not of its framing; nanomsg's own socket is then PATH.in.
 */
#define VIR_SERVER_PARAM_MODE "mode"
/* The user that the file belongs to, an unsigned int (default: the server's). */
#define VIR_SERVER_PARAM_OWNER "owner"
/* The group that it belongs to, an unsigned int (default: the server's). */
#define VIR_SERVER_PARAM_GROUP "group"
/* For tcp and ws: the file that the server's secret key is in, a string. Only its owner may read it. */
#define VIR_SERVER_PARAM_KEY "key"
/*
 * For tcp and ws: the file of the clients that are let in, a string: a line is a client's public key, a name
 * for it, and perhaps "readonly". It is read again when it changes.
 */
#define VIR_SERVER_PARAM_AUTHORIZED "authorized"

/* Flags of virServerListen(). */
typedef enum {
    VIR_SERVER_LISTEN_READONLY = 1 << 0, /* clients get read-only connections there */
} virServerListenFlags;

/* Who a client is. The strings live as long as the function that is given them runs. */
typedef struct _virServerWho virServerWho;
struct _virServerWho {
    const char *transport;                  /* "unix", "tcp" or "ws" */
    const char *address;                    /* where it connected to, as given to virServerListen() */
    long long uid;                          /* its user, -1 if unknown */
    long long gid;                          /* its group, -1 if unknown */
    long long pid;                          /* its process, -1 if unknown */
    const char *key;                        /* the name of the key it has proved to hold, or NULL */
    const char *program;                    /* what it calls itself, or NULL: nobody has checked that */
    int readonly;                           /* 1: it has a read-only connection */
};

/*
 * Says whether a client may do something. call is the function's name ("virDomainDestroyFlags"),
 * permission its kind, in libvirt's words ("domain.stop"; virtd(8) has a list); "domain.getattr" is
 * asked of each guest that it would see. name and uuid are the guest's; of one that a document defines,
 * as that has them (a uuid it does not have is zeros); NULL where it is about the host. About the host are
 * lists ("connect.search-domains"), and of a migration ("domain.migrate") the phases at the
 * destination and the figures on both sides: which guests come in cannot be told apart.
 *
 *     static int
 *     onlyWeb(const virServerWho *who, const char *call, const char *permission, const char *name,
 *             const unsigned char *uuid, void *opaque)
 *     {
 *         if (name == NULL)
 *             return strncmp(permission, "connect.", 8) == 0;
 *         return strncmp(name, "web", 3) == 0;
 *     }
 *
 * Returns 1 if it may, and 0 if not. Called from the threads that serve, also from several at once,
 * with no lock held; it may call any function of this API.
 */
typedef int (*virServerAccessFunc)(const virServerWho *who, const char *call, const char *permission,
                                   const char *name, const unsigned char *uuid, void *opaque);

/* What became of a call that changes something: a line of an audit. */
typedef struct _virServerAudit virServerAudit;
struct _virServerAudit {
    const virServerWho *who;                /* for whom it was carried out */
    const char *call;                       /* the function's name */
    const char *name;                       /* the guest it was about, or NULL */
    const unsigned char *uuid;              /* its uuid, or NULL */
    int code;                               /* VIR_ERR_OK, or the virErrorNumber of its failure;
                                             * VIR_ERR_ACCESS_DENIED: it was not allowed */
    const char *message;                    /* of that error, or NULL */
    unsigned long long elapsedUs;           /* how long it took, in microseconds */
};

/*
 * Is told of each call that was to change something, when it is over, also of those that failed or
 * were not allowed. Called as virServerAccessFunc is, before the client has the reply.
 */
typedef void (*virServerAuditFunc)(const virServerAudit *record, void *opaque);

/*
 * Makes a server that serves nothing yet. params are limits, VIR_SERVER_PARAM_*, and may be NULL
 * with nparams 0. flags: 0. The caller frees it with virServerFree().
 *
 * Returns the server, or NULL: VIR_ERR_INVALID_ARG for a parameter that is unknown, of another type
 * or out of range.
 */
VIRT_API virServerPtr virServerNew(virTypedParameterPtr params, unsigned int nparams,
                                   unsigned int flags);

/*
 * Serves a connection: clients reach it under its URI (virConnectGetURI()), the first one also
 * without naming any. The server takes a reference. If it is read-only, so are its clients; else
 * those that want it get a read-only one, which the server opens. May be called while the server is
 * served.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if a connection of the same URI is served already.
 */
VIRT_API int virServerAddConnect(virServerPtr server, virConnectPtr conn);

/*
 * Listens on an address.
 *
 * "unix:PATH" is a Unix socket. "unix:" alone stands for /run/virt/virt-sock for root and
 * $XDG_RUNTIME_DIR/virt/virt-sock for other users, whose folder is made, and with
 * VIR_SERVER_LISTEN_READONLY for virt-sock-ro there. Beside the socket stand PATH.who, where clients
 * are known by their credentials, PATH.lock, by which servers know of each other, and PATH.in where
 * VIR_SERVER_PARAM_MODE tells of it; files that a dead server left are replaced. params are VIR_SERVER_PARAM_MODE, OWNER and GROUP.
 *
 * "tcp:HOST:PORT" (port 16510 if none is named) and "ws:HOST:PORT" (16511) are served with encryption
 * and authentication only: params VIR_SERVER_PARAM_KEY and AUTHORIZED must be there. HOST is an
 * address of this host, an IPv6 one in brackets, or "*" for all of them.
 *
 * params may be NULL with nparams 0; flags are virServerListenFlags. May be called while the server is
 * served.
 *
 * Returns 0, or -1: VIR_ERR_OPERATION_INVALID if another server listens there, or if this one has 16
 * addresses already; VIR_ERR_INVALID_ARG for an address that is none, or without the keys that it
 * needs; VIR_ERR_NO_SUPPORT for tcp and ws where the library was built without OpenSSL;
 * VIR_ERR_SYSTEM_ERROR if the sockets cannot be made.
 */
VIRT_API int virServerListen(virServerPtr server, const char *address, virTypedParameterPtr params,
                             unsigned int nparams, unsigned int flags);

/*
 * Sets the function that says what clients may do; NULL for none, which is how it begins: then
 * every client may do everything that its connection can. ff (may be NULL) is called with opaque when
 * another one is set or the server is freed.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID while the server is served.
 */
VIRT_API int virServerSetAccess(virServerPtr server, virServerAccessFunc cb, void *opaque,
                                virFreeCallback ff);

/* Sets the function that is told what was changed; as virServerSetAccess(). */
VIRT_API int virServerSetAudit(virServerPtr server, virServerAuditFunc cb, void *opaque,
                               virFreeCallback ff);

/*
 * Serves in the calling thread until virServerStop(). Several threads may do so at once, and share
 * the work; one client gets all of them but one at most, so that there is always one for the others.
 *
 * Returns 0 after virServerStop(), or -1 if it cannot wait for its clients.
 */
VIRT_API int virServerRun(virServerPtr server);

/*
 * Serves from the registered event loop (chapter 4), until virServerStop() or virServerFree(). Calls
 * are carried out there, and the loop stands still meanwhile; virServerRun() in other threads may
 * share the work. A second time changes nothing.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if no event loop is registered.
 */
VIRT_API int virServerAttach(virServerPtr server);

/*
 * Ends every virServerRun(), each after the call that it is carrying out, and the serving from the
 * event loop; the server stays stopped. Safe in any thread and in a signal handler.
 *
 * Returns 0, or -1 if server is NULL or freed.
 */
VIRT_API int virServerStop(virServerPtr server);

/*
 * What the server is doing: *params becomes a list, to be freed with virTypedParamsFree(), of
 * "clients", "running" (calls under way; unsigned int), and, all since the beginning (unsigned long
 * long), "clients-total", "calls", "refused" (calls and clients beyond a limit or not allowed to
 * connect), "invalid" (messages that made no sense), "events-lost". flags: 0.
 *
 * Returns 0, or -1.
 */
VIRT_API int virServerGetStats(virServerPtr server, virTypedParameterPtr *params, int *nparams,
                               unsigned int flags);

/*
 * Stops the server, waits until every virServerRun() has returned, and frees it with all that it
 * has: its clients are gone, its sockets closed and their files removed. server may be NULL. From a
 * function that the server calls it does nothing but set VIR_ERR_OPERATION_INVALID: it would wait for
 * itself.
 */
VIRT_API void virServerFree(virServerPtr server);

/* ============================================================================================== *
 *  14. Keys: for remote connections over tcp and ws (virt's own)
 *
 *  Who connects over tcp or ws, and to whom, is known by keys, as with ssh or WireGuard: each side has a
 *  pair of X25519, in a file that only its owner can read, and is told the other's public key, which
 *  is a text of 44 characters. A server's file of authorized keys has a line "KEY NAME" for each
 *  client, and "KEY NAME readonly" for one that may only look; a client's known_hosts has a line
 *  "HOST:PORT KEY" for each server. Everything is encrypted then.
 *
 *  Needs OpenSSL's libcrypto and -DVIRT_WITH_NOISE=1 (the Makefile sees to it where it is there);
 *  without it these functions fail with VIR_ERR_NO_SUPPORT, and so does what asks for such a
 *  connection.
 * ============================================================================================== */

/*
 * Makes a pair of keys. The secret one is written to a new file, one line that its owner alone can
 * read; file may be NULL: "key" in $XDG_CONFIG_HOME/virt or ~/.config/virt, which is made if need be,
 * and where clients look for it. *publicKey, if publicKey is not NULL, becomes the other one, which
 * the caller frees. flags: 0.
 *
 * Returns 0, or -1 with VIR_ERR_OPERATION_INVALID if the file is there already: a key is never
 * written over.
 */
VIRT_API int virKeyGenerate(const char *file, char **publicKey, unsigned int flags);

/*
 * Gives the public key that belongs to the secret one in a file; NULL as above. flags: 0. The caller
 * frees it.
 *
 * Returns the key, or NULL with VIR_ERR_AUTH_FAILED if others can read the file, or there is no key
 * in it.
 */
VIRT_API char *virKeyGetPublic(const char *file, unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif /* VIRT_H */
