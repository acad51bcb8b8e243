/* libvirt, loaded at run time, as a plug-in would; its types are those of virt.h. */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include "../../virt.h"

#include <dlfcn.h>

#define CALLS(CALL)                                                                                                     \
    CALL(virInitialize) CALL(virGetVersion) CALL(virGetLastErrorMessage) CALL(virGetLastErrorCode) \
    CALL(virSetErrorFunc) CALL(virEventRegisterDefaultImpl) CALL(virEventAddTimeout) CALL(virEventRunDefaultImpl)       \
    CALL(virConnectOpen) CALL(virConnectClose) CALL(virConnectGetType) CALL(virConnectNumOfDomains)                     \
    CALL(virConnectDomainEventRegisterAny) CALL(virConnectDomainEventDeregisterAny)                                     \
    CALL(virDomainLookupByName) CALL(virDomainGetName) CALL(virDomainGetInfo) CALL(virDomainGetUUIDString)              \
    CALL(virDomainDefineXML) CALL(virDomainCreate) CALL(virDomainSuspend) CALL(virDomainResume) CALL(virDomainDestroy)  \
    CALL(virDomainUndefine) CALL(virDomainRef) CALL(virDomainFree)

#define MEMBER(name) __typeof__(&name) name;
static struct { CALLS(MEMBER) } loaded;
#undef MEMBER

#define virSetErrorFunc loaded.virSetErrorFunc
#define virInitialize loaded.virInitialize
#define virGetVersion loaded.virGetVersion
#define virGetLastErrorMessage loaded.virGetLastErrorMessage
#define virGetLastErrorCode loaded.virGetLastErrorCode
#define virEventRegisterDefaultImpl loaded.virEventRegisterDefaultImpl
#define virEventAddTimeout loaded.virEventAddTimeout
#define virEventRunDefaultImpl loaded.virEventRunDefaultImpl
#define virConnectOpen loaded.virConnectOpen
#define virConnectClose loaded.virConnectClose
#define virConnectGetType loaded.virConnectGetType
#define virConnectNumOfDomains loaded.virConnectNumOfDomains
#define virConnectDomainEventRegisterAny loaded.virConnectDomainEventRegisterAny
#define virConnectDomainEventDeregisterAny loaded.virConnectDomainEventDeregisterAny
#define virDomainLookupByName loaded.virDomainLookupByName
#define virDomainGetName loaded.virDomainGetName
#define virDomainGetInfo loaded.virDomainGetInfo
#define virDomainGetUUIDString loaded.virDomainGetUUIDString
#define virDomainDefineXML loaded.virDomainDefineXML
#define virDomainCreate loaded.virDomainCreate
#define virDomainSuspend loaded.virDomainSuspend
#define virDomainResume loaded.virDomainResume
#define virDomainDestroy loaded.virDomainDestroy
#define virDomainUndefine loaded.virDomainUndefine
#define virDomainRef loaded.virDomainRef
#define virDomainFree loaded.virDomainFree

#include "side.h"

/* The C standard knows no way from an object pointer to a function pointer; the bytes are the same. */
static bool
loadedFind(void *library, const char *name, void *slot)
{
    void *found = dlsym(library, name);

    memcpy(slot, &found, sizeof(found));
    return found != NULL;
}

#define STRING(name) #name

void *
besideTheirs(void *opaque)
{
    struct answers *answers = opaque;
    void *library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
    Dl_info info;

    if (library == NULL) {
        snprintf(answers->failure, sizeof(answers->failure), "%s", dlerror());
        return NULL;
    }
    /* the macros above have changed the names by now, so what to look for stands behind the last dot */
#define FIND(name)                                                                                                      \
    if (!loadedFind(library, strrchr("." STRING(name), '.') + 1, &name)) {                                              \
        snprintf(answers->failure, sizeof(answers->failure), "no %s", STRING(name));                                    \
        return NULL;                                                                                                    \
    }
    CALLS(FIND)
#undef FIND
    if (dladdr((void *)(size_t)virConnectOpen, &info) != 0)
        snprintf(answers->file, sizeof(answers->file), "%s", info.dli_fname);
    return sideRun(opaque);
}
