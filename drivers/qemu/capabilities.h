/*
 * What one QEMU binary can do, asked of the binary itself once and kept in <root>/cache under its
 * path, size and time stamp. [runtime, capabilities.c]
 */
#ifndef VIRT_QEMU_CAPABILITIES_H
#define VIRT_QEMU_CAPABILITIES_H

#include "../common/json.h"

struct qemuCapabilities;      /* reference counted, constant */

/*
 * Of this binary; probes it if the cache (a directory, may be NULL) has nothing that fits. NULL
 * with the error set: binary missing, does not answer, ...
 */
VIRT_INTERNAL const struct qemuCapabilities *qemuCapabilitiesGet(const char *emulator,
                                                                 const char *cacheDirectory);
VIRT_INTERNAL const struct qemuCapabilities *qemuCapabilitiesRef(const struct qemuCapabilities *caps);
VIRT_INTERNAL void qemuCapabilitiesUnref(const struct qemuCapabilities *caps);
VIRT_INTERNAL const char *qemuCapabilitiesEmulator(const struct qemuCapabilities *caps);
VIRT_INTERNAL const char *qemuCapabilitiesArch(const struct qemuCapabilities *caps);       /* "x86_64" */
VIRT_INTERNAL unsigned int qemuCapabilitiesVersion(const struct qemuCapabilities *caps);   /* 7002022 */
/*
 * The versioned name behind an alias ("pc" -> "pc-i440fx-7.2"); the name itself if it is one; NULL
 * if this QEMU has no such machine. machine NULL: the default one.
 */
VIRT_INTERNAL const char *qemuCapabilitiesMachine(const struct qemuCapabilities *caps, const char *machine);
VIRT_INTERNAL unsigned int qemuCapabilitiesMaxVcpus(const struct qemuCapabilities *caps, const char *machine);
/* Whether QOM type (device, object, netdev, ...) `name` exists: query by qom-list-types. */
VIRT_INTERNAL bool qemuCapabilitiesHasDevice(const struct qemuCapabilities *caps, const char *name);
/* Whether a migration can have this capability: "postcopy-ram", "multifd", ... */
VIRT_INTERNAL bool qemuCapabilitiesHasMigration(const struct qemuCapabilities *caps, const char *name);
/* Whether /dev/kvm can be used by this binary. */
VIRT_INTERNAL bool qemuCapabilitiesHasKvm(const struct qemuCapabilities *caps);
/*
 * The binary for an architecture: qemu-system-<arch> in PATH and the usual folders; NULL with error
 * set. Caller frees.
 */
VIRT_INTERNAL char *qemuCapabilitiesFindEmulator(const char *arch);
/* Names of CPU models and of machines for the capabilities document: visit each; */
/* {"version":..,"arch":..,"machines":[{name,alias,max-cpus,default}],"types":[..],"cpus":[..],"migration":[..]} */
VIRT_INTERNAL const cJSON *qemuCapabilitiesJson(const struct qemuCapabilities *caps);
/*
 * The capabilities document of this host with every emulator that is found; `get` gives a reference
 * on what one can do. Caller frees; NULL with error set.
 */
VIRT_INTERNAL char *qemuCapabilitiesFormat(const struct qemuCapabilities *(*get)(const char *emulator, void *opaque), void *opaque);

#endif
