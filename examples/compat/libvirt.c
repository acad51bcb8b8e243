/*
 * The functions of libvirt that virt does not have, for programs that were written for libvirt:
 *
 *     cc -Iexamples/compat/include app.c virt.c examples/compat/libvirt.c \
 *         $(pkg-config --cflags --libs libxml-2.0 libcjson)
 *
 * Each fails with VIR_ERR_NO_SUPPORT. With libvirt-qemu.c and libvirt-lxc.c, which a program that
 * uses those two libraries adds, and with the version names in `symbols`, `make libvirt.so` makes
 * shared libraries that stand in for libvirt's own.
 */
#include "absent.h"

#define ABSENT ABSENT_FUNCTION
#define ABSENT_FREE(name, parameters)  void name parameters { }
#include "absent.def"
