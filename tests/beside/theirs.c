/* libvirt, the shared library of the system. */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "side.h"

#include <dlfcn.h>

void *
besideTheirs(void *opaque)
{
    struct answers *answers = opaque;
    Dl_info info;

    if (dladdr((void *)(size_t)virConnectOpen, &info) != 0)
        snprintf(answers->file, sizeof(answers->file), "%s", info.dli_fname);
    return sideRun(opaque);
}
