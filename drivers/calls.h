/*
 * What the words of calls.def mean in C: how each kind of argument is declared, passed on and checked, and each kind of
 * result is typed; and from that the vtable's groups. Whoever includes calls.def defines CALL with these.
 */
#ifndef VIRT_CALLS_H
#define VIRT_CALLS_H

/* VIRT_EACH(m, (a), (b), ...) is m(a) m(b) ..., VIRT_LIST(m, ...) the same with commas. At most 10. */
#define VIRT_EACH_1(m, a)       m a
#define VIRT_EACH_2(m, a, ...)  m a VIRT_EACH_1(m, __VA_ARGS__)
#define VIRT_EACH_3(m, a, ...)  m a VIRT_EACH_2(m, __VA_ARGS__)
#define VIRT_EACH_4(m, a, ...)  m a VIRT_EACH_3(m, __VA_ARGS__)
#define VIRT_EACH_5(m, a, ...)  m a VIRT_EACH_4(m, __VA_ARGS__)
#define VIRT_EACH_6(m, a, ...)  m a VIRT_EACH_5(m, __VA_ARGS__)
#define VIRT_EACH_7(m, a, ...)  m a VIRT_EACH_6(m, __VA_ARGS__)
#define VIRT_EACH_8(m, a, ...)  m a VIRT_EACH_7(m, __VA_ARGS__)
#define VIRT_LIST_1(m, a)       m a
#define VIRT_LIST_2(m, a, ...)  m a, VIRT_LIST_1(m, __VA_ARGS__)
#define VIRT_LIST_3(m, a, ...)  m a, VIRT_LIST_2(m, __VA_ARGS__)
#define VIRT_LIST_4(m, a, ...)  m a, VIRT_LIST_3(m, __VA_ARGS__)
#define VIRT_LIST_5(m, a, ...)  m a, VIRT_LIST_4(m, __VA_ARGS__)
#define VIRT_LIST_6(m, a, ...)  m a, VIRT_LIST_5(m, __VA_ARGS__)
#define VIRT_LIST_7(m, a, ...)  m a, VIRT_LIST_6(m, __VA_ARGS__)
#define VIRT_LIST_8(m, a, ...)  m a, VIRT_LIST_7(m, __VA_ARGS__)
#define VIRT_COUNT(...)         VIRT_COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define VIRT_COUNT_(a, b, c, d, e, f, g, h, n, ...) n
#define VIRT_PASTE(a, b)        VIRT_PASTE_(a, b)
#define VIRT_PASTE_(a, b)       a##b
#define VIRT_EACH(m, ...)       VIRT_PASTE(VIRT_EACH_, VIRT_COUNT(__VA_ARGS__))(m, __VA_ARGS__)
#define VIRT_LIST(m, ...)       VIRT_PASTE(VIRT_LIST_, VIRT_COUNT(__VA_ARGS__))(m, __VA_ARGS__)
#define VIRT_FIRST(a, ...)      a

/* ---- results: the type, and the value that says failure ---- */

#define VIRT_TYPE_INT       int
#define VIRT_TYPE_COUNT_ACTIVE   int
#define VIRT_TYPE_COUNT_INACTIVE int
#define VIRT_TYPE_ULONG     unsigned long
#define VIRT_TYPE_ULL       unsigned long long
#define VIRT_TYPE_STRING    char *
#define VIRT_TYPE_DOMAIN    virDomainPtr

#define VIRT_FAILURE_INT    (-1)
#define VIRT_FAILURE_COUNT_ACTIVE   (-1)
#define VIRT_FAILURE_COUNT_INACTIVE (-1)
#define VIRT_FAILURE_ULONG  0
#define VIRT_FAILURE_ULL    0
#define VIRT_FAILURE_STRING NULL
#define VIRT_FAILURE_DOMAIN NULL

/* ---- arguments: (kind, name, ...) ---- */

#define VIRT_DECLARE(kind, ...) VIRT_DECLARE_##kind(__VA_ARGS__)   /* in a parameter list */
#define VIRT_PASS(kind, ...)    VIRT_PASS_##kind(__VA_ARGS__)      /* in a call */

/* handles: the first argument of each call is one of these */
#define VIRT_DECLARE_CONNECT(name)              virConnectPtr name
#define VIRT_DECLARE_DOMAIN(name)               virDomainPtr name
#define VIRT_DECLARE_DOMAINS(name)              virDomainPtr *name             /* at least one, of one connection, ended by NULL */
/* a stream of the same connection, to which the call attaches its far end */
#define VIRT_DECLARE_STREAM(name)               virStreamPtr name
/* what goes in; a STRING must be there, a STRING_OR_NULL need not */
#define VIRT_DECLARE_STRING(name)               const char *name
#define VIRT_DECLARE_STRING_OR_NULL(name)       const char *name
#define VIRT_DECLARE_URI(name)                  const char *name               /* a STRING that says where the driver is to connect to */
#define VIRT_DECLARE_XML(name)                  const char *name               /* a STRING that describes a guest */
#define VIRT_DECLARE_UUID(name)                 const unsigned char *name
#define VIRT_DECLARE_INT(name)                  int name
#define VIRT_DECLARE_UINT(name)                 unsigned int name
#define VIRT_DECLARE_ULONG(name)                unsigned long name
#define VIRT_DECLARE_ULL(name)                  unsigned long long name
#define VIRT_DECLARE_KEYCODES(name, count)      unsigned int *name, int count
#define VIRT_DECLARE_IN_PARAMS(name, count)     virTypedParameterPtr name, unsigned int count
/* (FLAGS, flags, known) and, where some are refused on a read-only connection, (FLAGS, flags, known, guarded) or, if a server asks for one
 * more permission for those, (FLAGS, flags, known, guarded, permission). FLAGS_AFFECT: VIR_DOMAIN_AFFECT_* are among them; what changes
 * the definition needs "domain.save" too. */
#define VIRT_DECLARE_FLAGS(name, ...)           unsigned int name
#define VIRT_DECLARE_FLAGS_AFFECT(name, known)  unsigned int name
#define VIRT_DECLARE_MIGRATION(name)            const struct virMigrationCall *name
/* what comes out; the pointer must be there unless the kind says OR_NULL */
#define VIRT_DECLARE_OUT_INT(name)              int *name
#define VIRT_DECLARE_OUT_INT_OR_NULL(name)      int *name
#define VIRT_DECLARE_OUT_ULONG(name)            unsigned long *name
#define VIRT_DECLARE_OUT_ULL(name)              unsigned long long *name
#define VIRT_DECLARE_OUT_STRING(name)           char **name
#define VIRT_DECLARE_OUT_DOMAIN(name)           virDomainPtr *name
#define VIRT_DECLARE_OUT_NODE_INFO(name)        virNodeInfoPtr name
#define VIRT_DECLARE_OUT_DOMAIN_INFO(name)      virDomainInfoPtr name
#define VIRT_DECLARE_OUT_JOB_INFO(name)         virDomainJobInfoPtr name
#define VIRT_DECLARE_OUT_CONTROL_INFO(name)     virDomainControlInfoPtr name
#define VIRT_DECLARE_OUT_BLOCK_INFO(name)       virDomainBlockInfoPtr name
#define VIRT_DECLARE_OUT_SECURITY_MODEL(name)   virSecurityModelPtr name
/* structs of which the caller may know only the first `size` bytes: those are filled in */
#define VIRT_DECLARE_OUT_BLOCK_STATS(name, size)     virDomainBlockStatsPtr name, size_t size
#define VIRT_DECLARE_OUT_INTERFACE_STATS(name, size) virDomainInterfaceStatsPtr name, size_t size
/* lists: into the caller's array of that many, or allocated for it; the number is the result */
#define VIRT_DECLARE_OUT_INTS(name, max)        int *name, int max
#define VIRT_DECLARE_OUT_NAMES(name, max)       char **const name, int max
#define VIRT_DECLARE_OUT_CELLS(name, start, max) unsigned long long *name, int start, int max
#define VIRT_DECLARE_OUT_DOMAINS_OR_NULL(name)  virDomainPtr **name
#define VIRT_DECLARE_OUT_STRINGS_OR_NULL(name)          char ***name
#define VIRT_DECLARE_OUT_MIGRATIONS_OR_NULL(name) char ***name                 /* OUT_STRINGS that are records of migrations */
#define VIRT_DECLARE_OUT_PARAMS(name, count)    virTypedParameterPtr *name, int *count
#define VIRT_DECLARE_OUT_RECORDS(name)          virDomainStatsRecordPtr **name
#define VIRT_DECLARE_OUT_MEMORY_STATS(name, max) virDomainMemoryStatPtr name, unsigned int max
#define VIRT_DECLARE_OUT_DISK_ERRORS(name, max) virDomainDiskErrorPtr name, unsigned int max
/* into the caller's array of *room, which becomes the number filled in; *room 0: how many there are */
#define VIRT_DECLARE_OUT_PARAMS_ROOM(name, room)       virTypedParameterPtr name, int *room
#define VIRT_DECLARE_OUT_NODE_CPU_STATS(name, room)    virNodeCPUStatsPtr name, int *room
#define VIRT_DECLARE_OUT_NODE_MEMORY_STATS(name, room) virNodeMemoryStatsPtr name, int *room
/* `max` parameters for each of `count` CPUs from `start` on; start -1: for all together; name NULL: see virDomainGetCPUStats */
#define VIRT_DECLARE_OUT_CPU_PARAMS(name, max, start, count) virTypedParameterPtr name, unsigned int max, int start, unsigned int count
/* CPU maps: one allocated with the number of CPUs online; `count` of them, each of `length` bytes, one after the other; one */
#define VIRT_DECLARE_OUT_CPUMAP_OR_NULL(name, online)       unsigned char **name, unsigned int *online
#define VIRT_DECLARE_OUT_CPUMAPS(count, name, length)       int count, unsigned char *name, int length
#define VIRT_DECLARE_OUT_CPUMAP_BYTES(name, length)         unsigned char *name, int length
#define VIRT_DECLARE_OUT_VCPUS(info, max, maps, length)     virVcpuInfoPtr info, int max, unsigned char *maps, int length

#define VIRT_PASS_CONNECT(name)                 name
#define VIRT_PASS_DOMAIN(name)                  name
#define VIRT_PASS_DOMAINS(name)                 name
#define VIRT_PASS_STREAM(name)                  name
#define VIRT_PASS_STRING(name)                  name
#define VIRT_PASS_STRING_OR_NULL(name)          name
#define VIRT_PASS_URI(name)                     name
#define VIRT_PASS_XML(name)                     name
#define VIRT_PASS_UUID(name)                    name
#define VIRT_PASS_INT(name)                     name
#define VIRT_PASS_UINT(name)                    name
#define VIRT_PASS_ULONG(name)                   name
#define VIRT_PASS_ULL(name)                     name
#define VIRT_PASS_KEYCODES(name, count)         name, count
#define VIRT_PASS_IN_PARAMS(name, count)        name, count
#define VIRT_PASS_FLAGS(name, ...)              name
#define VIRT_PASS_FLAGS_AFFECT(name, known)     name
#define VIRT_PASS_MIGRATION(name)               name
#define VIRT_PASS_OUT_INT(name)                 name
#define VIRT_PASS_OUT_INT_OR_NULL(name)         name
#define VIRT_PASS_OUT_ULONG(name)               name
#define VIRT_PASS_OUT_ULL(name)                 name
#define VIRT_PASS_OUT_STRING(name)              name
#define VIRT_PASS_OUT_DOMAIN(name)              name
#define VIRT_PASS_OUT_NODE_INFO(name)           name
#define VIRT_PASS_OUT_DOMAIN_INFO(name)         name
#define VIRT_PASS_OUT_JOB_INFO(name)            name
#define VIRT_PASS_OUT_CONTROL_INFO(name)        name
#define VIRT_PASS_OUT_BLOCK_INFO(name)          name
#define VIRT_PASS_OUT_SECURITY_MODEL(name)      name
#define VIRT_PASS_OUT_BLOCK_STATS(name, size)     name, size
#define VIRT_PASS_OUT_INTERFACE_STATS(name, size) name, size
#define VIRT_PASS_OUT_INTS(name, max)           name, max
#define VIRT_PASS_OUT_NAMES(name, max)          name, max
#define VIRT_PASS_OUT_CELLS(name, start, max)   name, start, max
#define VIRT_PASS_OUT_DOMAINS_OR_NULL(name)     name
#define VIRT_PASS_OUT_STRINGS_OR_NULL(name)             name
#define VIRT_PASS_OUT_MIGRATIONS_OR_NULL(name)  name
#define VIRT_PASS_OUT_PARAMS(name, count)       name, count
#define VIRT_PASS_OUT_RECORDS(name)             name
#define VIRT_PASS_OUT_MEMORY_STATS(name, max)   name, max
#define VIRT_PASS_OUT_DISK_ERRORS(name, max)    name, max
#define VIRT_PASS_OUT_PARAMS_ROOM(name, room)   name, room
#define VIRT_PASS_OUT_NODE_CPU_STATS(name, room)    name, room
#define VIRT_PASS_OUT_NODE_MEMORY_STATS(name, room) name, room
#define VIRT_PASS_OUT_CPU_PARAMS(name, max, start, count) name, max, start, count
#define VIRT_PASS_OUT_CPUMAP_OR_NULL(name, online)      name, online
#define VIRT_PASS_OUT_CPUMAPS(count, name, length)      count, name, length
#define VIRT_PASS_OUT_CPUMAP_BYTES(name, length)        name, length
#define VIRT_PASS_OUT_VCPUS(info, max, maps, length)    info, max, maps, length

/* How virt.c checks it: a condition that sets the error where it does not hold. */
#define VIRT_CHECK(kind, ...) VIRT_CHECK_##kind(__VA_ARGS__)
#define VIRT_CHECK_POINTER(name)                && virCallHas(__func__, name, #name)
#define VIRT_CHECK_CONNECT(name)
#define VIRT_CHECK_DOMAIN(name)
#define VIRT_CHECK_DOMAINS(name)
#define VIRT_CHECK_STREAM(name)                 && virCallHasStream(__func__, name, connection)
#define VIRT_CHECK_STRING(name)                 VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_STRING_OR_NULL(name)
#define VIRT_CHECK_URI(name)                    VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_XML(name)                    VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_UUID(name)                   VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_INT(name)
#define VIRT_CHECK_UINT(name)
#define VIRT_CHECK_ULONG(name)
#define VIRT_CHECK_ULL(name)
#define VIRT_CHECK_KEYCODES(name, count)        VIRT_CHECK_POINTER(name) && virCallRoom(__func__, name, #name, count)
#define VIRT_CHECK_FLAGS(name, ...)             && virCallFlags(__func__, connection, name, VIRT_TWO(__VA_ARGS__, 0, ~, ~))
#define VIRT_CHECK_FLAGS_AFFECT(name, known)    && virCallFlags(__func__, connection, name, known, 0)
#define VIRT_CHECK_IN_PARAMS(name, count)       && virCallRoom(__func__, name, #name, count > INT_MAX ? -1 : (int)count)
#define VIRT_TWO(known, guarded, ...)           (unsigned int)(known), (unsigned int)(guarded)
#define VIRT_CHECK_MIGRATION(name)              VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_INT(name)                VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_INT_OR_NULL(name)
#define VIRT_CHECK_OUT_ULONG(name)              VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_ULL(name)                VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_STRING(name)             VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_DOMAIN(name)             VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_NODE_INFO(name)          VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_DOMAIN_INFO(name)        VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_JOB_INFO(name)           VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_CONTROL_INFO(name)       VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_BLOCK_INFO(name)         VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_SECURITY_MODEL(name)     VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_BLOCK_STATS(name, size)  && virCallSized(__func__, name, #name, size, sizeof(*name))
#define VIRT_CHECK_OUT_INTERFACE_STATS(name, size) && virCallSized(__func__, name, #name, size, sizeof(*name))
#define VIRT_CHECK_OUT_INTS(name, max)          && virCallRoom(__func__, name, #name, max)
#define VIRT_CHECK_OUT_NAMES(name, max)         && virCallRoom(__func__, name, #name, max)
#define VIRT_CHECK_OUT_CELLS(name, start, max)  && virCallRoom(__func__, name, #name, max) && virCallRoom(__func__, "", #start, start)
#define VIRT_CHECK_OUT_DOMAINS_OR_NULL(name)
#define VIRT_CHECK_OUT_STRINGS_OR_NULL(name)
#define VIRT_CHECK_OUT_MIGRATIONS_OR_NULL(name)
#define VIRT_CHECK_OUT_PARAMS(name, count)      VIRT_CHECK_POINTER(name) VIRT_CHECK_POINTER(count)
#define VIRT_CHECK_OUT_RECORDS(name)            VIRT_CHECK_POINTER(name)
#define VIRT_CHECK_OUT_MEMORY_STATS(name, max)  && virCallRoom(__func__, name, #name, max > 0)
#define VIRT_CHECK_OUT_DISK_ERRORS(name, max)   && virCallRoom(__func__, name, #name, max > 0)
#define VIRT_CHECK_OUT_PARAMS_ROOM(name, room)  && virCallCounted(__func__, name, #name, room)
#define VIRT_CHECK_OUT_NODE_CPU_STATS(name, room)    && virCallCounted(__func__, name, #name, room)
#define VIRT_CHECK_OUT_NODE_MEMORY_STATS(name, room) && virCallCounted(__func__, name, #name, room)
#define VIRT_CHECK_OUT_CPU_PARAMS(name, max, start, count) && virCallCpuParams(__func__, name, max, start, count)
#define VIRT_CHECK_OUT_CPUMAP_OR_NULL(name, online)
#define VIRT_CHECK_OUT_CPUMAPS(count, name, length) && virCallMaps(__func__, name, count, length)
#define VIRT_CHECK_OUT_CPUMAP_BYTES(name, length)   && virCallMaps(__func__, name, 1, length)
#define VIRT_CHECK_OUT_VCPUS(info, max, maps, length) \
    && virCallRoom(__func__, info, #info, max) && (maps == NULL || virCallMaps(__func__, maps, max, length))

/* ---- the groups of the vtable ---- */

#define VIRT_GROUPS         \
    VIRT_GROUP(connect)     \
    VIRT_GROUP(node)        \
    VIRT_GROUP(domain)      \
    VIRT_GROUP(migration)

/* A slot of each group: calls.def is read once a group, and the other groups' lines become nothing. */
#define VIRT_SLOT(result, slot, ...) VIRT_TYPE_##result (*slot)(VIRT_LIST(VIRT_DECLARE, __VA_ARGS__));
#define VIRT_SLOT_IN(group) VIRT_SLOT_IN_##group

#define VIRT_IF_connect(...)    __VA_ARGS__
#define VIRT_IF_node(...)
#define VIRT_IF_domain(...)
#define VIRT_IF_migration(...)
#define CALL(result, name, group, slot, access, permission, ...) VIRT_IF_##group(VIRT_SLOT(result, slot, __VA_ARGS__))
struct virDriver_connect {
#include "calls.def"
};
#undef VIRT_IF_connect
#undef VIRT_IF_node

#define VIRT_IF_connect(...)
#define VIRT_IF_node(...)       __VA_ARGS__
#define CALL(result, name, group, slot, access, permission, ...) VIRT_IF_##group(VIRT_SLOT(result, slot, __VA_ARGS__))
struct virDriver_node {
#include "calls.def"
};
#undef VIRT_IF_node
#undef VIRT_IF_domain

#define VIRT_IF_node(...)
#define VIRT_IF_domain(...)     __VA_ARGS__
#define CALL(result, name, group, slot, access, permission, ...) VIRT_IF_##group(VIRT_SLOT(result, slot, __VA_ARGS__))
struct virDriver_domain {
#include "calls.def"
};
#undef VIRT_IF_domain
#undef VIRT_IF_migration

#define VIRT_IF_domain(...)
#define VIRT_IF_migration(...)  __VA_ARGS__
#define CALL(result, name, group, slot, access, permission, ...) VIRT_IF_##group(VIRT_SLOT(result, slot, __VA_ARGS__))
struct virDriver_migration {
#include "calls.def"
};
#undef VIRT_IF_connect
#undef VIRT_IF_node
#undef VIRT_IF_domain
#undef VIRT_IF_migration

#endif
