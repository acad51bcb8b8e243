/*
 * libvirt.h: for programs written for libvirt. What virt has is in virt.h; here stands the rest of
 * libvirt 9.0, so that such programs compile: types, constants, and functions that fail with
 * VIR_ERR_NO_SUPPORT. What virt.h gains, goes here. The names and values are libvirt's, and
 * explained in its reference.
 */
#ifndef LIBVIRT_H
#define LIBVIRT_H

/* As in libvirt, the ends of enums are there for those who ask for them. */
#ifndef VIR_ENUM_SENTINELS
# define VIRT_NO_SENTINELS
#endif
#include "../../../../virt.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------- The host ---------- */

typedef enum {
    VIR_CPU_COMPARE_ERROR = -1,
    VIR_CPU_COMPARE_INCOMPATIBLE = 0,
    VIR_CPU_COMPARE_IDENTICAL = 1,
    VIR_CPU_COMPARE_SUPERSET = 2,
#ifdef VIR_ENUM_SENTINELS
    VIR_CPU_COMPARE_LAST = 3,
#endif
} virCPUCompareResult;

typedef enum {
    VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES = 1 << 0,
    VIR_CONNECT_BASELINE_CPU_MIGRATABLE = 1 << 1,
} virConnectBaselineCPUFlags;

typedef enum {
    VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE = 1 << 0,
    VIR_CONNECT_COMPARE_CPU_VALIDATE_XML = 1 << 1,
} virConnectCompareCPUFlags;

typedef enum {
    VIR_NODE_ALLOC_PAGES_ADD = 0,
    VIR_NODE_ALLOC_PAGES_SET = 1 << 0,
} virNodeAllocPagesFlags;

typedef enum {
    VIR_NODE_SUSPEND_TARGET_MEM = 0,
    VIR_NODE_SUSPEND_TARGET_DISK = 1,
    VIR_NODE_SUSPEND_TARGET_HYBRID = 2,
#ifdef VIR_ENUM_SENTINELS
    VIR_NODE_SUSPEND_TARGET_LAST = 3,
#endif
} virNodeSuspendTarget;

#define VIR_CONNECT_IDENTITY_GROUP_NAME              "group-name"
#define VIR_CONNECT_IDENTITY_PROCESS_ID              "process-id"
#define VIR_CONNECT_IDENTITY_PROCESS_TIME            "process-time"
#define VIR_CONNECT_IDENTITY_SASL_USER_NAME          "sasl-user-name"
#define VIR_CONNECT_IDENTITY_SELINUX_CONTEXT         "selinux-context"
#define VIR_CONNECT_IDENTITY_UNIX_GROUP_ID           "unix-group-id"
#define VIR_CONNECT_IDENTITY_UNIX_USER_ID            "unix-user-id"
#define VIR_CONNECT_IDENTITY_USER_NAME               "user-name"
#define VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME "x509-distinguished-name"
#define VIR_NODE_MEMORY_SHARED_FULL_SCANS            "shm_full_scans"
#define VIR_NODE_MEMORY_SHARED_MERGE_ACROSS_NODES    "shm_merge_across_nodes"
#define VIR_NODE_MEMORY_SHARED_PAGES_SHARED          "shm_pages_shared"
#define VIR_NODE_MEMORY_SHARED_PAGES_SHARING         "shm_pages_sharing"
#define VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN         "shm_pages_to_scan"
#define VIR_NODE_MEMORY_SHARED_PAGES_UNSHARED        "shm_pages_unshared"
#define VIR_NODE_MEMORY_SHARED_PAGES_VOLATILE        "shm_pages_volatile"
#define VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS       "shm_sleep_millisecs"
#define VIR_NODE_SEV_CBITPOS                         "cbitpos"
#define VIR_NODE_SEV_CERT_CHAIN                      "cert-chain"
#define VIR_NODE_SEV_CPU0_ID                         "cpu0-id"
#define VIR_NODE_SEV_MAX_ES_GUESTS                   "max-es-guests"
#define VIR_NODE_SEV_MAX_GUESTS                      "max-guests"
#define VIR_NODE_SEV_PDH                             "pdh"
#define VIR_NODE_SEV_REDUCED_PHYS_BITS               "reduced-phys-bits"
#define VIR_SECURITY_LABEL_BUFLEN                    (4096 + 1)

typedef struct _virSecurityLabel virSecurityLabel;
typedef virSecurityLabel *virSecurityLabelPtr;
struct _virSecurityLabel {
    char label[VIR_SECURITY_LABEL_BUFLEN];
    int enforcing;
};

/* ---------- Guests: disks and block jobs ---------- */

typedef enum {
    VIR_DOMAIN_BLOCK_COMMIT_SHALLOW = 1 << 0,
    VIR_DOMAIN_BLOCK_COMMIT_DELETE = 1 << 1,
    VIR_DOMAIN_BLOCK_COMMIT_ACTIVE = 1 << 2,
    VIR_DOMAIN_BLOCK_COMMIT_RELATIVE = 1 << 3,
    VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES = 1 << 4,
} virDomainBlockCommitFlags;

typedef enum {
    VIR_DOMAIN_BLOCK_COPY_SHALLOW = 1 << 0,
    VIR_DOMAIN_BLOCK_COPY_REUSE_EXT = 1 << 1,
    VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB = 1 << 2,
    VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES = 1 << 3,
} virDomainBlockCopyFlags;

typedef enum {
    VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC = 1 << 0,
    VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT = 1 << 1,
} virDomainBlockJobAbortFlags;

typedef enum {
    VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES = 1 << 0,
} virDomainBlockJobInfoFlags;

typedef enum {
    VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES = 1 << 0,
} virDomainBlockJobSetSpeedFlags;

typedef enum {
    VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES = 1 << 6,
} virDomainBlockPullFlags;

typedef enum {
    VIR_DOMAIN_BLOCK_REBASE_SHALLOW = 1 << 0,
    VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT = 1 << 1,
    VIR_DOMAIN_BLOCK_REBASE_COPY_RAW = 1 << 2,
    VIR_DOMAIN_BLOCK_REBASE_COPY = 1 << 3,
    VIR_DOMAIN_BLOCK_REBASE_RELATIVE = 1 << 4,
    VIR_DOMAIN_BLOCK_REBASE_COPY_DEV = 1 << 5,
    VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES = 1 << 6,
} virDomainBlockRebaseFlags;

typedef enum {
    VIR_DOMAIN_BLOCK_RESIZE_BYTES = 1 << 0,
} virDomainBlockResizeFlags;

#define VIR_DOMAIN_BLOCK_COPY_BANDWIDTH   "bandwidth"
#define VIR_DOMAIN_BLOCK_COPY_BUF_SIZE    "buf-size"
#define VIR_DOMAIN_BLOCK_COPY_GRANULARITY "granularity"

typedef unsigned long long virDomainBlockJobCursor;

typedef struct _virDomainBlockJobInfo virDomainBlockJobInfo;
typedef virDomainBlockJobInfo *virDomainBlockJobInfoPtr;
struct _virDomainBlockJobInfo {
    int type;
    unsigned long bandwidth;
    virDomainBlockJobCursor cur;
    virDomainBlockJobCursor end;
};

/* ---------- Guests: tuning of CPU, memory, I/O ---------- */

typedef enum {
    VIR_DOMAIN_BLKIO_PARAM_INT = 1,
    VIR_DOMAIN_BLKIO_PARAM_UINT = 2,
    VIR_DOMAIN_BLKIO_PARAM_LLONG = 3,
    VIR_DOMAIN_BLKIO_PARAM_ULLONG = 4,
    VIR_DOMAIN_BLKIO_PARAM_DOUBLE = 5,
    VIR_DOMAIN_BLKIO_PARAM_BOOLEAN = 6,
} virBlkioParameterType;

typedef enum {
    VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING = 0,
    VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP = 1 << 0,
    VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING = 1 << 1,
} virDomainDirtyRateCalcFlags;

typedef enum {
    VIR_DOMAIN_DIRTYRATE_UNSTARTED = 0,
    VIR_DOMAIN_DIRTYRATE_MEASURING = 1,
    VIR_DOMAIN_DIRTYRATE_MEASURED = 2,
#ifdef VIR_ENUM_SENTINELS
    VIR_DOMAIN_DIRTYRATE_LAST = 3,
#endif
} virDomainDirtyRateStatus;

typedef enum {
    VIR_MEMORY_VIRTUAL = 1 << 0,
    VIR_MEMORY_PHYSICAL = 1 << 1,
} virDomainMemoryFlags;

typedef enum {
    VIR_DOMAIN_NUMATUNE_MEM_STRICT = 0,
    VIR_DOMAIN_NUMATUNE_MEM_PREFERRED = 1,
    VIR_DOMAIN_NUMATUNE_MEM_INTERLEAVE = 2,
    VIR_DOMAIN_NUMATUNE_MEM_RESTRICTIVE = 3,
#ifdef VIR_ENUM_SENTINELS
    VIR_DOMAIN_NUMATUNE_MEM_LAST = 4,
#endif
} virDomainNumatuneMemMode;

typedef enum {
    VIR_DOMAIN_MEMORY_PARAM_INT = 1,
    VIR_DOMAIN_MEMORY_PARAM_UINT = 2,
    VIR_DOMAIN_MEMORY_PARAM_LLONG = 3,
    VIR_DOMAIN_MEMORY_PARAM_ULLONG = 4,
    VIR_DOMAIN_MEMORY_PARAM_DOUBLE = 5,
    VIR_DOMAIN_MEMORY_PARAM_BOOLEAN = 6,
} virMemoryParameterType;

typedef enum {
    VIR_DOMAIN_SCHED_FIELD_INT = 1,
    VIR_DOMAIN_SCHED_FIELD_UINT = 2,
    VIR_DOMAIN_SCHED_FIELD_LLONG = 3,
    VIR_DOMAIN_SCHED_FIELD_ULLONG = 4,
    VIR_DOMAIN_SCHED_FIELD_DOUBLE = 5,
    VIR_DOMAIN_SCHED_FIELD_BOOLEAN = 6,
} virSchedParameterType;

#define VIR_DOMAIN_BANDWIDTH_IN_AVERAGE                    "inbound.average"
#define VIR_DOMAIN_BANDWIDTH_IN_BURST                      "inbound.burst"
#define VIR_DOMAIN_BANDWIDTH_IN_FLOOR                      "inbound.floor"
#define VIR_DOMAIN_BANDWIDTH_IN_PEAK                       "inbound.peak"
#define VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE                   "outbound.average"
#define VIR_DOMAIN_BANDWIDTH_OUT_BURST                     "outbound.burst"
#define VIR_DOMAIN_BANDWIDTH_OUT_PEAK                      "outbound.peak"
#define VIR_DOMAIN_BLKIO_DEVICE_READ_BPS                   "device_read_bytes_sec"
#define VIR_DOMAIN_BLKIO_DEVICE_READ_IOPS                  "device_read_iops_sec"
#define VIR_DOMAIN_BLKIO_DEVICE_WEIGHT                     "device_weight"
#define VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS                  "device_write_bytes_sec"
#define VIR_DOMAIN_BLKIO_DEVICE_WRITE_IOPS                 "device_write_iops_sec"
#define VIR_DOMAIN_BLKIO_FIELD_LENGTH                      VIR_TYPED_PARAM_FIELD_LENGTH
#define VIR_DOMAIN_BLKIO_WEIGHT                            "weight"
#define VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME                 "group_name"
#define VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC             "read_bytes_sec"
#define VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC_MAX         "read_bytes_sec_max"
#define VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC_MAX_LENGTH  "read_bytes_sec_max_length"
#define VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC              "read_iops_sec"
#define VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC_MAX          "read_iops_sec_max"
#define VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC_MAX_LENGTH   "read_iops_sec_max_length"
#define VIR_DOMAIN_BLOCK_IOTUNE_SIZE_IOPS_SEC              "size_iops_sec"
#define VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC            "total_bytes_sec"
#define VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC_MAX        "total_bytes_sec_max"
#define VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC_MAX_LENGTH "total_bytes_sec_max_length"
#define VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC             "total_iops_sec"
#define VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC_MAX         "total_iops_sec_max"
#define VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC_MAX_LENGTH  "total_iops_sec_max_length"
#define VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC            "write_bytes_sec"
#define VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC_MAX        "write_bytes_sec_max"
#define VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC_MAX_LENGTH "write_bytes_sec_max_length"
#define VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC             "write_iops_sec"
#define VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC_MAX         "write_iops_sec_max"
#define VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC_MAX_LENGTH  "write_iops_sec_max_length"
#define VIR_DOMAIN_IOTHREAD_POLL_GROW                      "poll_grow"
#define VIR_DOMAIN_IOTHREAD_POLL_MAX_NS                    "poll_max_ns"
#define VIR_DOMAIN_IOTHREAD_POLL_SHRINK                    "poll_shrink"
#define VIR_DOMAIN_IOTHREAD_THREAD_POOL_MAX                "thread_pool_max"
#define VIR_DOMAIN_IOTHREAD_THREAD_POOL_MIN                "thread_pool_min"
#define VIR_DOMAIN_MEMORY_FIELD_LENGTH                     VIR_TYPED_PARAM_FIELD_LENGTH
#define VIR_DOMAIN_MEMORY_HARD_LIMIT                       "hard_limit"
#define VIR_DOMAIN_MEMORY_MIN_GUARANTEE                    "min_guarantee"
#define VIR_DOMAIN_MEMORY_PARAM_UNLIMITED                  9007199254740991LL
#define VIR_DOMAIN_MEMORY_SOFT_LIMIT                       "soft_limit"
#define VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT                  "swap_hard_limit"
#define VIR_DOMAIN_NUMA_MODE                               "numa_mode"
#define VIR_DOMAIN_NUMA_NODESET                            "numa_nodeset"
#define VIR_DOMAIN_SCHEDULER_CAP                           "cap"
#define VIR_DOMAIN_SCHEDULER_CPU_SHARES                    "cpu_shares"
#define VIR_DOMAIN_SCHEDULER_EMULATOR_PERIOD               "emulator_period"
#define VIR_DOMAIN_SCHEDULER_EMULATOR_QUOTA                "emulator_quota"
#define VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD                 "global_period"
#define VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA                  "global_quota"
#define VIR_DOMAIN_SCHEDULER_IOTHREAD_PERIOD               "iothread_period"
#define VIR_DOMAIN_SCHEDULER_IOTHREAD_QUOTA                "iothread_quota"
#define VIR_DOMAIN_SCHEDULER_LIMIT                         "limit"
#define VIR_DOMAIN_SCHEDULER_RESERVATION                   "reservation"
#define VIR_DOMAIN_SCHEDULER_SHARES                        "shares"
#define VIR_DOMAIN_SCHEDULER_VCPU_PERIOD                   "vcpu_period"
#define VIR_DOMAIN_SCHEDULER_VCPU_QUOTA                    "vcpu_quota"
#define VIR_DOMAIN_SCHEDULER_WEIGHT                        "weight"
#define VIR_DOMAIN_SCHED_FIELD_LENGTH                      VIR_TYPED_PARAM_FIELD_LENGTH
#define VIR_PERF_PARAM_ALIGNMENT_FAULTS                    "alignment_faults"
#define VIR_PERF_PARAM_BRANCH_INSTRUCTIONS                 "branch_instructions"
#define VIR_PERF_PARAM_BRANCH_MISSES                       "branch_misses"
#define VIR_PERF_PARAM_BUS_CYCLES                          "bus_cycles"
#define VIR_PERF_PARAM_CACHE_MISSES                        "cache_misses"
#define VIR_PERF_PARAM_CACHE_REFERENCES                    "cache_references"
#define VIR_PERF_PARAM_CMT                                 "cmt"
#define VIR_PERF_PARAM_CONTEXT_SWITCHES                    "context_switches"
#define VIR_PERF_PARAM_CPU_CLOCK                           "cpu_clock"
#define VIR_PERF_PARAM_CPU_CYCLES                          "cpu_cycles"
#define VIR_PERF_PARAM_CPU_MIGRATIONS                      "cpu_migrations"
#define VIR_PERF_PARAM_EMULATION_FAULTS                    "emulation_faults"
#define VIR_PERF_PARAM_INSTRUCTIONS                        "instructions"
#define VIR_PERF_PARAM_MBML                                "mbml"
#define VIR_PERF_PARAM_MBMT                                "mbmt"
#define VIR_PERF_PARAM_PAGE_FAULTS                         "page_faults"
#define VIR_PERF_PARAM_PAGE_FAULTS_MAJ                     "page_faults_maj"
#define VIR_PERF_PARAM_PAGE_FAULTS_MIN                     "page_faults_min"
#define VIR_PERF_PARAM_REF_CPU_CYCLES                      "ref_cpu_cycles"
#define VIR_PERF_PARAM_STALLED_CYCLES_BACKEND              "stalled_cycles_backend"
#define VIR_PERF_PARAM_STALLED_CYCLES_FRONTEND             "stalled_cycles_frontend"
#define VIR_PERF_PARAM_TASK_CLOCK                          "task_clock"
#define _virBlkioParameter                                 _virTypedParameter
#define _virMemoryParameter                                _virTypedParameter
#define _virSchedParameter                                 _virTypedParameter

typedef struct _virTypedParameter virBlkioParameter;
typedef virBlkioParameter *virBlkioParameterPtr;

typedef struct _virDomainIOThreadInfo virDomainIOThreadInfo;
typedef virDomainIOThreadInfo *virDomainIOThreadInfoPtr;
struct _virDomainIOThreadInfo {
    unsigned int iothread_id;
    unsigned char *cpumap;
    int cpumaplen;
};

typedef struct _virTypedParameter virMemoryParameter;
typedef virMemoryParameter *virMemoryParameterPtr;

typedef struct _virTypedParameter virSchedParameter;
typedef virSchedParameter *virSchedParameterPtr;

/* ---------- Guests: save, restore, core dump ---------- */

typedef enum {
    VIR_DUMP_CRASH = 1 << 0,
    VIR_DUMP_LIVE = 1 << 1,
    VIR_DUMP_BYPASS_CACHE = 1 << 2,
    VIR_DUMP_RESET = 1 << 3,
    VIR_DUMP_MEMORY_ONLY = 1 << 4,
} virDomainCoreDumpFlags;

typedef enum {
    VIR_DOMAIN_CORE_DUMP_FORMAT_RAW = 0,
    VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_ZLIB = 1,
    VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_LZO = 2,
    VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_SNAPPY = 3,
    VIR_DOMAIN_CORE_DUMP_FORMAT_WIN_DMP = 4,
#ifdef VIR_ENUM_SENTINELS
    VIR_DOMAIN_CORE_DUMP_FORMAT_LAST = 5,
#endif
} virDomainCoreDumpFormat;

typedef enum {
    VIR_DOMAIN_SAVE_IMAGE_XML_SECURE = 1 << 0,
} virDomainSaveImageXMLFlags;

typedef enum {
    VIR_DOMAIN_SAVE_BYPASS_CACHE = 1 << 0,
    VIR_DOMAIN_SAVE_RUNNING = 1 << 1,
    VIR_DOMAIN_SAVE_PAUSED = 1 << 2,
    VIR_DOMAIN_SAVE_RESET_NVRAM = 1 << 3,
} virDomainSaveRestoreFlags;

#define VIR_DOMAIN_SAVE_PARAM_DXML "dxml"
#define VIR_DOMAIN_SAVE_PARAM_FILE "file"

/* ---------- Guests: devices, console, input ---------- */

typedef enum {
    VIR_DOMAIN_DEVICE_MODIFY_CURRENT = 0,
    VIR_DOMAIN_DEVICE_MODIFY_LIVE = 1 << 0,
    VIR_DOMAIN_DEVICE_MODIFY_CONFIG = 1 << 1,
    VIR_DOMAIN_DEVICE_MODIFY_FORCE = 1 << 2,
} virDomainDeviceModifyFlags;

typedef enum {
    VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_RESTORE = 1 << 0,
    VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE = 1 << 1,
} virDomainFDAssociateFlags;

typedef enum {
    VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH = 1 << 0,
} virDomainOpenGraphicsFlags;

/* ---------- Guests: what the agent in the guest does ---------- */

typedef enum {
    VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK = -2,
    VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_DEFAULT = -1,
    VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_NOWAIT = 0,
} virDomainAgentResponseTimeoutValues;

typedef enum {
    VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND = 1 << 0,
    VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE = 1 << 1,
} virDomainAuthorizedSSHKeysSetFlags;

typedef enum {
    VIR_DOMAIN_GET_HOSTNAME_LEASE = 1 << 0,
    VIR_DOMAIN_GET_HOSTNAME_AGENT = 1 << 1,
} virDomainGetHostnameFlags;

typedef enum {
    VIR_DOMAIN_GUEST_INFO_USERS = 1 << 0,
    VIR_DOMAIN_GUEST_INFO_OS = 1 << 1,
    VIR_DOMAIN_GUEST_INFO_TIMEZONE = 1 << 2,
    VIR_DOMAIN_GUEST_INFO_HOSTNAME = 1 << 3,
    VIR_DOMAIN_GUEST_INFO_FILESYSTEM = 1 << 4,
    VIR_DOMAIN_GUEST_INFO_DISKS = 1 << 5,
    VIR_DOMAIN_GUEST_INFO_INTERFACES = 1 << 6,
} virDomainGuestInfoTypes;

typedef enum {
    VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE = 0,
    VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT = 1,
    VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP = 2,
#ifdef VIR_ENUM_SENTINELS
    VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LAST = 3,
#endif
} virDomainInterfaceAddressesSource;

typedef enum {
    VIR_DOMAIN_TIME_SYNC = 1 << 0,
} virDomainSetTimeFlags;

typedef enum {
    VIR_DOMAIN_PASSWORD_ENCRYPTED = 1 << 0,
} virDomainSetUserPasswordFlags;

typedef struct _virDomainFSInfo virDomainFSInfo;
typedef virDomainFSInfo *virDomainFSInfoPtr;
struct _virDomainFSInfo {
    char *mountpoint;
    char *name;
    char *fstype;
    size_t ndevAlias;
    char **devAlias;
};

typedef struct _virDomainInterfaceIPAddress virDomainIPAddress;
typedef virDomainIPAddress *virDomainIPAddressPtr;
struct _virDomainInterfaceIPAddress {
    int type;
    char *addr;
    unsigned int prefix;
};

typedef struct _virDomainInterface virDomainInterface;
typedef virDomainInterface *virDomainInterfacePtr;
struct _virDomainInterface {
    char *name;
    char *hwaddr;
    unsigned int naddrs;
    virDomainIPAddressPtr addrs;
};

/* ---------- Guests: other ---------- */

typedef enum {
    VIR_DOMAIN_MESSAGE_DEPRECATION = 1,
    VIR_DOMAIN_MESSAGE_TAINTING = 2,
} virDomainMessageType;

#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_API_MAJOR          "sev-api-major"
#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_API_MINOR          "sev-api-minor"
#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_BUILD_ID           "sev-build-id"
#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_MEASUREMENT        "sev-measurement"
#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_POLICY             "sev-policy"
#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET             "sev-secret"
#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET_HEADER      "sev-secret-header"
#define VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET_SET_ADDRESS "sev-secret-set-address"

/* ---------- Snapshots ---------- */

typedef struct _virDomainSnapshot virDomainSnapshot;
typedef virDomainSnapshot *virDomainSnapshotPtr;

typedef enum {
    VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE = 1 << 0,
    VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT = 1 << 1,
    VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA = 1 << 2,
    VIR_DOMAIN_SNAPSHOT_CREATE_HALT = 1 << 3,
    VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY = 1 << 4,
    VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT = 1 << 5,
    VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE = 1 << 6,
    VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC = 1 << 7,
    VIR_DOMAIN_SNAPSHOT_CREATE_LIVE = 1 << 8,
    VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE = 1 << 9,
} virDomainSnapshotCreateFlags;

typedef enum {
    VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN = 1 << 0,
    VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY = 1 << 1,
    VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY = 1 << 2,
} virDomainSnapshotDeleteFlags;

typedef enum {
    VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS = 1 << 0,
    VIR_DOMAIN_SNAPSHOT_LIST_ROOTS = 1 << 0,
    VIR_DOMAIN_SNAPSHOT_LIST_METADATA = 1 << 1,
    VIR_DOMAIN_SNAPSHOT_LIST_LEAVES = 1 << 2,
    VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES = 1 << 3,
    VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA = 1 << 4,
    VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE = 1 << 5,
    VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE = 1 << 6,
    VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY = 1 << 7,
    VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL = 1 << 8,
    VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL = 1 << 9,
    VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL = 1 << 10,
} virDomainSnapshotListFlags;

typedef enum {
    VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING = 1 << 0,
    VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED = 1 << 1,
    VIR_DOMAIN_SNAPSHOT_REVERT_FORCE = 1 << 2,
    VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM = 1 << 3,
} virDomainSnapshotRevertFlags;

typedef enum {
    VIR_DOMAIN_SNAPSHOT_XML_SECURE = 1 << 0,
} virDomainSnapshotXMLFlags;

/* ---------- Checkpoints and backups ---------- */

typedef struct _virDomainCheckpoint virDomainCheckpoint;
typedef virDomainCheckpoint *virDomainCheckpointPtr;

typedef enum {
    VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL = 1 << 0,
} virDomainBackupBeginFlags;

typedef enum {
    VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE = 1 << 0,
    VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE = 1 << 1,
    VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE = 1 << 2,
} virDomainCheckpointCreateFlags;

typedef enum {
    VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN = 1 << 0,
    VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY = 1 << 1,
    VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY = 1 << 2,
} virDomainCheckpointDeleteFlags;

typedef enum {
    VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS = 1 << 0,
    VIR_DOMAIN_CHECKPOINT_LIST_ROOTS = 1 << 0,
    VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL = 1 << 1,
    VIR_DOMAIN_CHECKPOINT_LIST_LEAVES = 1 << 2,
    VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES = 1 << 3,
} virDomainCheckpointListFlags;

typedef enum {
    VIR_DOMAIN_CHECKPOINT_XML_SECURE = 1 << 0,
    VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN = 1 << 1,
    VIR_DOMAIN_CHECKPOINT_XML_SIZE = 1 << 2,
} virDomainCheckpointXMLFlags;

/* ---------- Networks and their ports ---------- */

typedef struct _virNetworkPort virNetworkPort;
typedef virNetworkPort *virNetworkPortPtr;

typedef enum {
    VIR_CONNECT_LIST_NETWORKS_INACTIVE = 1 << 0,
    VIR_CONNECT_LIST_NETWORKS_ACTIVE = 1 << 1,
    VIR_CONNECT_LIST_NETWORKS_PERSISTENT = 1 << 2,
    VIR_CONNECT_LIST_NETWORKS_TRANSIENT = 1 << 3,
    VIR_CONNECT_LIST_NETWORKS_AUTOSTART = 1 << 4,
    VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART = 1 << 5,
} virConnectListAllNetworksFlags;

typedef enum {
    VIR_IP_ADDR_TYPE_IPV4 = 0,
    VIR_IP_ADDR_TYPE_IPV6 = 1,
#ifdef VIR_ENUM_SENTINELS
    VIR_IP_ADDR_TYPE_LAST = 2,
#endif
} virIPAddrType;

typedef enum {
    VIR_NETWORK_CREATE_VALIDATE = 1 << 0,
} virNetworkCreateFlags;

typedef enum {
    VIR_NETWORK_DEFINE_VALIDATE = 1 << 0,
} virNetworkDefineFlags;

typedef enum {
    VIR_NETWORK_EVENT_ID_LIFECYCLE = 0,
#ifdef VIR_ENUM_SENTINELS
    VIR_NETWORK_EVENT_ID_LAST = 1,
#endif
} virNetworkEventID;

typedef enum {
    VIR_NETWORK_EVENT_DEFINED = 0,
    VIR_NETWORK_EVENT_UNDEFINED = 1,
    VIR_NETWORK_EVENT_STARTED = 2,
    VIR_NETWORK_EVENT_STOPPED = 3,
#ifdef VIR_ENUM_SENTINELS
    VIR_NETWORK_EVENT_LAST = 4,
#endif
} virNetworkEventLifecycleType;

typedef enum {
    VIR_NETWORK_PORT_CREATE_RECLAIM = 1 << 0,
    VIR_NETWORK_PORT_CREATE_VALIDATE = 1 << 1,
} virNetworkPortCreateFlags;

typedef enum {
    VIR_NETWORK_UPDATE_COMMAND_NONE = 0,
    VIR_NETWORK_UPDATE_COMMAND_MODIFY = 1,
    VIR_NETWORK_UPDATE_COMMAND_DELETE = 2,
    VIR_NETWORK_UPDATE_COMMAND_ADD_LAST = 3,
    VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST = 4,
#ifdef VIR_ENUM_SENTINELS
    VIR_NETWORK_UPDATE_COMMAND_LAST = 5,
#endif
} virNetworkUpdateCommand;

typedef enum {
    VIR_NETWORK_UPDATE_AFFECT_CURRENT = 0,
    VIR_NETWORK_UPDATE_AFFECT_LIVE = 1 << 0,
    VIR_NETWORK_UPDATE_AFFECT_CONFIG = 1 << 1,
} virNetworkUpdateFlags;

typedef enum {
    VIR_NETWORK_SECTION_NONE = 0,
    VIR_NETWORK_SECTION_BRIDGE = 1,
    VIR_NETWORK_SECTION_DOMAIN = 2,
    VIR_NETWORK_SECTION_IP = 3,
    VIR_NETWORK_SECTION_IP_DHCP_HOST = 4,
    VIR_NETWORK_SECTION_IP_DHCP_RANGE = 5,
    VIR_NETWORK_SECTION_FORWARD = 6,
    VIR_NETWORK_SECTION_FORWARD_INTERFACE = 7,
    VIR_NETWORK_SECTION_FORWARD_PF = 8,
    VIR_NETWORK_SECTION_PORTGROUP = 9,
    VIR_NETWORK_SECTION_DNS_HOST = 10,
    VIR_NETWORK_SECTION_DNS_TXT = 11,
    VIR_NETWORK_SECTION_DNS_SRV = 12,
#ifdef VIR_ENUM_SENTINELS
    VIR_NETWORK_SECTION_LAST = 13,
#endif
} virNetworkUpdateSection;

typedef enum {
    VIR_NETWORK_XML_INACTIVE = 1 << 0,
} virNetworkXMLFlags;

#define VIR_NETWORK_PORT_BANDWIDTH_IN_AVERAGE  "inbound.average"
#define VIR_NETWORK_PORT_BANDWIDTH_IN_BURST    "inbound.burst"
#define VIR_NETWORK_PORT_BANDWIDTH_IN_FLOOR    "inbound.floor"
#define VIR_NETWORK_PORT_BANDWIDTH_IN_PEAK     "inbound.peak"
#define VIR_NETWORK_PORT_BANDWIDTH_OUT_AVERAGE "outbound.average"
#define VIR_NETWORK_PORT_BANDWIDTH_OUT_BURST   "outbound.burst"
#define VIR_NETWORK_PORT_BANDWIDTH_OUT_PEAK    "outbound.peak"

typedef struct _virNetworkDHCPLease virNetworkDHCPLease;
typedef virNetworkDHCPLease *virNetworkDHCPLeasePtr;
struct _virNetworkDHCPLease {
    char *iface;
    long long expirytime;
    int type;
    char *mac;
    char *iaid;
    char *ipaddr;
    unsigned int prefix;
    char *hostname;
    char *clientid;
};

typedef void (*virConnectNetworkEventGenericCallback)(
        virConnectPtr conn, virNetworkPtr net, void *opaque);
typedef void (*virConnectNetworkEventLifecycleCallback)(
        virConnectPtr conn, virNetworkPtr net, int event, int detail, void *opaque);

#define VIR_NETWORK_EVENT_CALLBACK(cb) \
    ((virConnectNetworkEventGenericCallback)(void (*)(void))(cb))

/* ---------- Host interfaces ---------- */

typedef struct _virInterface virInterface;
typedef virInterface *virInterfacePtr;

typedef enum {
    VIR_CONNECT_LIST_INTERFACES_INACTIVE = 1 << 0,
    VIR_CONNECT_LIST_INTERFACES_ACTIVE = 1 << 1,
} virConnectListAllInterfacesFlags;

typedef enum {
    VIR_INTERFACE_DEFINE_VALIDATE = 1 << 0,
} virInterfaceDefineFlags;

typedef enum {
    VIR_INTERFACE_XML_INACTIVE = 1 << 0,
} virInterfaceXMLFlags;

/* ---------- Storage pools and volumes ---------- */

typedef struct _virStoragePool virStoragePool;
typedef virStoragePool *virStoragePoolPtr;
typedef struct _virStorageVol virStorageVol;
typedef virStorageVol *virStorageVolPtr;

typedef enum {
    VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE = 1 << 0,
    VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE = 1 << 1,
    VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT = 1 << 2,
    VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT = 1 << 3,
    VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART = 1 << 4,
    VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART = 1 << 5,
    VIR_CONNECT_LIST_STORAGE_POOLS_DIR = 1 << 6,
    VIR_CONNECT_LIST_STORAGE_POOLS_FS = 1 << 7,
    VIR_CONNECT_LIST_STORAGE_POOLS_NETFS = 1 << 8,
    VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL = 1 << 9,
    VIR_CONNECT_LIST_STORAGE_POOLS_DISK = 1 << 10,
    VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI = 1 << 11,
    VIR_CONNECT_LIST_STORAGE_POOLS_SCSI = 1 << 12,
    VIR_CONNECT_LIST_STORAGE_POOLS_MPATH = 1 << 13,
    VIR_CONNECT_LIST_STORAGE_POOLS_RBD = 1 << 14,
    VIR_CONNECT_LIST_STORAGE_POOLS_SHEEPDOG = 1 << 15,
    VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER = 1 << 16,
    VIR_CONNECT_LIST_STORAGE_POOLS_ZFS = 1 << 17,
    VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE = 1 << 18,
    VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT = 1 << 19,
} virConnectListAllStoragePoolsFlags;

typedef enum {
    VIR_STORAGE_POOL_BUILD_NEW = 0,
    VIR_STORAGE_POOL_BUILD_REPAIR = 1 << 0,
    VIR_STORAGE_POOL_BUILD_RESIZE = 1 << 1,
    VIR_STORAGE_POOL_BUILD_NO_OVERWRITE = 1 << 2,
    VIR_STORAGE_POOL_BUILD_OVERWRITE = 1 << 3,
} virStoragePoolBuildFlags;

typedef enum {
    VIR_STORAGE_POOL_CREATE_NORMAL = 0,
    VIR_STORAGE_POOL_CREATE_WITH_BUILD = 1 << 0,
    VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE = 1 << 1,
    VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE = 1 << 2,
} virStoragePoolCreateFlags;

typedef enum {
    VIR_STORAGE_POOL_DEFINE_VALIDATE = 1 << 0,
} virStoragePoolDefineFlags;

typedef enum {
    VIR_STORAGE_POOL_DELETE_NORMAL = 0,
    VIR_STORAGE_POOL_DELETE_ZEROED = 1 << 0,
} virStoragePoolDeleteFlags;

typedef enum {
    VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE = 0,
    VIR_STORAGE_POOL_EVENT_ID_REFRESH = 1,
#ifdef VIR_ENUM_SENTINELS
    VIR_STORAGE_POOL_EVENT_ID_LAST = 2,
#endif
} virStoragePoolEventID;

typedef enum {
    VIR_STORAGE_POOL_EVENT_DEFINED = 0,
    VIR_STORAGE_POOL_EVENT_UNDEFINED = 1,
    VIR_STORAGE_POOL_EVENT_STARTED = 2,
    VIR_STORAGE_POOL_EVENT_STOPPED = 3,
    VIR_STORAGE_POOL_EVENT_CREATED = 4,
    VIR_STORAGE_POOL_EVENT_DELETED = 5,
#ifdef VIR_ENUM_SENTINELS
    VIR_STORAGE_POOL_EVENT_LAST = 6,
#endif
} virStoragePoolEventLifecycleType;

typedef enum {
    VIR_STORAGE_POOL_INACTIVE = 0,
    VIR_STORAGE_POOL_BUILDING = 1,
    VIR_STORAGE_POOL_RUNNING = 2,
    VIR_STORAGE_POOL_DEGRADED = 3,
    VIR_STORAGE_POOL_INACCESSIBLE = 4,
#ifdef VIR_ENUM_SENTINELS
    VIR_STORAGE_POOL_STATE_LAST = 5,
#endif
} virStoragePoolState;

typedef enum {
    VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA = 1 << 0,
    VIR_STORAGE_VOL_CREATE_REFLINK = 1 << 1,
    VIR_STORAGE_VOL_CREATE_VALIDATE = 1 << 2,
} virStorageVolCreateFlags;

typedef enum {
    VIR_STORAGE_VOL_DELETE_NORMAL = 0,
    VIR_STORAGE_VOL_DELETE_ZEROED = 1 << 0,
    VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS = 1 << 1,
} virStorageVolDeleteFlags;

typedef enum {
    VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM = 1 << 0,
} virStorageVolDownloadFlags;

typedef enum {
    VIR_STORAGE_VOL_USE_ALLOCATION = 0,
    VIR_STORAGE_VOL_GET_PHYSICAL = 1 << 0,
} virStorageVolInfoFlags;

typedef enum {
    VIR_STORAGE_VOL_RESIZE_ALLOCATE = 1 << 0,
    VIR_STORAGE_VOL_RESIZE_DELTA = 1 << 1,
    VIR_STORAGE_VOL_RESIZE_SHRINK = 1 << 2,
} virStorageVolResizeFlags;

typedef enum {
    VIR_STORAGE_VOL_FILE = 0,
    VIR_STORAGE_VOL_BLOCK = 1,
    VIR_STORAGE_VOL_DIR = 2,
    VIR_STORAGE_VOL_NETWORK = 3,
    VIR_STORAGE_VOL_NETDIR = 4,
    VIR_STORAGE_VOL_PLOOP = 5,
#ifdef VIR_ENUM_SENTINELS
    VIR_STORAGE_VOL_LAST = 6,
#endif
} virStorageVolType;

typedef enum {
    VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM = 1 << 0,
} virStorageVolUploadFlags;

typedef enum {
    VIR_STORAGE_VOL_WIPE_ALG_ZERO = 0,
    VIR_STORAGE_VOL_WIPE_ALG_NNSA = 1,
    VIR_STORAGE_VOL_WIPE_ALG_DOD = 2,
    VIR_STORAGE_VOL_WIPE_ALG_BSI = 3,
    VIR_STORAGE_VOL_WIPE_ALG_GUTMANN = 4,
    VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER = 5,
    VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7 = 6,
    VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33 = 7,
    VIR_STORAGE_VOL_WIPE_ALG_RANDOM = 8,
    VIR_STORAGE_VOL_WIPE_ALG_TRIM = 9,
#ifdef VIR_ENUM_SENTINELS
    VIR_STORAGE_VOL_WIPE_ALG_LAST = 10,
#endif
} virStorageVolWipeAlgorithm;

typedef enum {
    VIR_STORAGE_XML_INACTIVE = 1 << 0,
} virStorageXMLFlags;

typedef struct _virStoragePoolInfo virStoragePoolInfo;
typedef virStoragePoolInfo *virStoragePoolInfoPtr;
struct _virStoragePoolInfo {
    int state;
    unsigned long long capacity;
    unsigned long long allocation;
    unsigned long long available;
};

typedef struct _virStorageVolInfo virStorageVolInfo;
typedef virStorageVolInfo *virStorageVolInfoPtr;
struct _virStorageVolInfo {
    int type;
    unsigned long long capacity;
    unsigned long long allocation;
};

typedef void (*virConnectStoragePoolEventGenericCallback)(
        virConnectPtr conn, virStoragePoolPtr pool, void *opaque);
typedef void (*virConnectStoragePoolEventLifecycleCallback)(
        virConnectPtr conn, virStoragePoolPtr pool, int event, int detail, void *opaque);

#define VIR_STORAGE_POOL_EVENT_CALLBACK(cb) \
    ((virConnectStoragePoolEventGenericCallback)(void (*)(void))(cb))

/* ---------- Node devices ---------- */

typedef struct _virNodeDevice virNodeDevice;
typedef virNodeDevice *virNodeDevicePtr;

#ifdef __GNUC__
__extension__                          /* the last one is more than an int of ISO C */
#endif
typedef enum {
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM = 1 << 0,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV = 1 << 1,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV = 1 << 2,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE = 1 << 3,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET = 1 << 4,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST = 1 << 5,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET = 1 << 6,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI = 1 << 7,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE = 1 << 8,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST = 1 << 9,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS = 1 << 10,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC = 1 << 11,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM = 1 << 12,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV_TYPES = 1 << 13,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV = 1 << 14,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCW_DEV = 1 << 15,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_CSS_DEV = 1 << 16,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_VDPA = 1 << 17,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_CARD = 1 << 18,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_QUEUE = 1 << 19,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_MATRIX = 1 << 20,
    VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPD = 1 << 21,
    VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE = 1 << 30,
    VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE = 1U << 31,
} virConnectListAllNodeDeviceFlags;

typedef enum {
    VIR_NODE_DEVICE_CREATE_XML_VALIDATE = 1 << 0,
} virNodeDeviceCreateXMLFlags;

typedef enum {
    VIR_NODE_DEVICE_DEFINE_XML_VALIDATE = 1 << 0,
} virNodeDeviceDefineXMLFlags;

typedef enum {
    VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE = 0,
    VIR_NODE_DEVICE_EVENT_ID_UPDATE = 1,
#ifdef VIR_ENUM_SENTINELS
    VIR_NODE_DEVICE_EVENT_ID_LAST = 2,
#endif
} virNodeDeviceEventID;

typedef enum {
    VIR_NODE_DEVICE_EVENT_CREATED = 0,
    VIR_NODE_DEVICE_EVENT_DELETED = 1,
    VIR_NODE_DEVICE_EVENT_DEFINED = 2,
    VIR_NODE_DEVICE_EVENT_UNDEFINED = 3,
#ifdef VIR_ENUM_SENTINELS
    VIR_NODE_DEVICE_EVENT_LAST = 4,
#endif
} virNodeDeviceEventLifecycleType;

typedef void (*virConnectNodeDeviceEventGenericCallback)(
        virConnectPtr conn, virNodeDevicePtr dev, void *opaque);
typedef void (*virConnectNodeDeviceEventLifecycleCallback)(
        virConnectPtr conn, virNodeDevicePtr dev, int event, int detail, void *opaque);

#define VIR_NODE_DEVICE_EVENT_CALLBACK(cb) \
    ((virConnectNodeDeviceEventGenericCallback)(void (*)(void))(cb))

/* ---------- Network filters and their bindings ---------- */

typedef struct _virNWFilter virNWFilter;
typedef virNWFilter *virNWFilterPtr;
typedef struct _virNWFilterBinding virNWFilterBinding;
typedef virNWFilterBinding *virNWFilterBindingPtr;

typedef enum {
    VIR_NWFILTER_BINDING_CREATE_VALIDATE = 1 << 0,
} virNWFilterBindingCreateFlags;

typedef enum {
    VIR_NWFILTER_DEFINE_VALIDATE = 1 << 0,
} virNWFilterDefineFlags;

/* ---------- Secrets ---------- */

typedef struct _virSecret virSecret;
typedef virSecret *virSecretPtr;

typedef enum {
    VIR_CONNECT_LIST_SECRETS_EPHEMERAL = 1 << 0,
    VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL = 1 << 1,
    VIR_CONNECT_LIST_SECRETS_PRIVATE = 1 << 2,
    VIR_CONNECT_LIST_SECRETS_NO_PRIVATE = 1 << 3,
} virConnectListAllSecretsFlags;

typedef enum {
    VIR_SECRET_DEFINE_VALIDATE = 1 << 0,
} virSecretDefineFlags;

typedef enum {
    VIR_SECRET_EVENT_ID_LIFECYCLE = 0,
    VIR_SECRET_EVENT_ID_VALUE_CHANGED = 1,
#ifdef VIR_ENUM_SENTINELS
    VIR_SECRET_EVENT_ID_LAST = 2,
#endif
} virSecretEventID;

typedef enum {
    VIR_SECRET_EVENT_DEFINED = 0,
    VIR_SECRET_EVENT_UNDEFINED = 1,
#ifdef VIR_ENUM_SENTINELS
    VIR_SECRET_EVENT_LAST = 2,
#endif
} virSecretEventLifecycleType;

typedef enum {
    VIR_SECRET_USAGE_TYPE_NONE = 0,
    VIR_SECRET_USAGE_TYPE_VOLUME = 1,
    VIR_SECRET_USAGE_TYPE_CEPH = 2,
    VIR_SECRET_USAGE_TYPE_ISCSI = 3,
    VIR_SECRET_USAGE_TYPE_TLS = 4,
    VIR_SECRET_USAGE_TYPE_VTPM = 5,
#ifdef VIR_ENUM_SENTINELS
    VIR_SECRET_USAGE_TYPE_LAST = 6,
#endif
} virSecretUsageType;

typedef void (*virConnectSecretEventGenericCallback)(
        virConnectPtr conn, virSecretPtr secret, void *opaque);
typedef void (*virConnectSecretEventLifecycleCallback)(
        virConnectPtr conn, virSecretPtr secret, int event, int detail, void *opaque);

#define VIR_SECRET_EVENT_CALLBACK(cb) \
    ((virConnectSecretEventGenericCallback)(void (*)(void))(cb))

/* ---------- The functions ---------- */

#define ABSENT(failure, type, name, from, handle, parameters)  VIRT_API type name parameters;
#define ABSENT_FREE(name, parameters)                          VIRT_API void name parameters;
#include "../../absent.def"

#ifdef __cplusplus
}
#endif

#endif
