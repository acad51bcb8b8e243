/* libvirt-lxc.h: what libvirt has for one hypervisor only. See libvirt.h. */
#ifndef LIBVIRT_LXC_H
#define LIBVIRT_LXC_H

#include "libvirt.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ABSENT_LXC(failure, type, name, from, handle, parameters)  VIRT_API type name parameters;
#include "../../absent.def"

#ifdef __cplusplus
}
#endif

#endif
