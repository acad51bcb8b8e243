/* The functions of libvirt-lxc that virt does not have: see libvirt.c. */
#include "absent.h"
#include "include/libvirt/libvirt-lxc.h"

#define ABSENT_LXC ABSENT_FUNCTION
#include "absent.def"
