/* For programs that name it: everything is in libvirt.h. */
#include "libvirt.h"
