/*
 * The smallest program: opens a hypervisor and lists its guests.
 *
 *     cc examples/hello.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o hello
 *     ./hello                          the hypervisor that is always there: test:///default
 *     ./hello qemu:///session          yours
 *
 * Prints one line per guest: name, state, memory. Next: lifecycle.c.
 */
#include "../virt.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    static const char *const states[] = {
        "no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "suspended",
    };
    virConnectPtr conn = virConnectOpen(argc > 1 ? argv[1] : "test:///default");
    virDomainPtr *domains;
    virDomainInfo info;
    int i, n;

    if (conn == NULL || (n = virConnectListAllDomains(conn, &domains, 0)) < 0) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        return 1;
    }
    for (i = 0; i < n; i++) {
        if (virDomainGetInfo(domains[i], &info) == 0)
            printf("%-20s %-10s %lu MiB\n", virDomainGetName(domains[i]), states[info.state], info.memory / 1024);
        virDomainFree(domains[i]);
    }
    free(domains);
    virConnectClose(conn);
    return 0;
}
