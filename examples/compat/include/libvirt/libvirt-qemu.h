/* libvirt-qemu.h: what libvirt has for one hypervisor only. See libvirt.h. */
#ifndef LIBVIRT_QEMU_H
#define LIBVIRT_QEMU_H

#include "libvirt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX = 1 << 0,
    VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE = 1 << 1,
} virConnectDomainQemuMonitorEventRegisterFlags;

typedef enum {
    VIR_DOMAIN_QEMU_AGENT_COMMAND_BLOCK = -2,
    VIR_DOMAIN_QEMU_AGENT_COMMAND_MIN = -2,
    VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT = -1,
    VIR_DOMAIN_QEMU_AGENT_COMMAND_NOWAIT = 0,
    VIR_DOMAIN_QEMU_AGENT_COMMAND_SHUTDOWN = 60,
} virDomainQemuAgentCommandTimeoutValues;

typedef void (*virConnectDomainQemuMonitorEventCallback)(
        virConnectPtr conn, virDomainPtr dom, const char *event, long long seconds,
        unsigned int micros, const char *details, void *opaque);

#define ABSENT_QEMU(failure, type, name, from, handle, parameters)  VIRT_API type name parameters;
#include "../../absent.def"

#ifdef __cplusplus
}
#endif

#endif
