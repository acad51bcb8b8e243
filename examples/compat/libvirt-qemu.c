/* The functions of libvirt-qemu that virt does not have: see libvirt.c. */
#include "absent.h"
#include "include/libvirt/libvirt-qemu.h"

#define ABSENT_QEMU ABSENT_FUNCTION
#include "absent.def"
