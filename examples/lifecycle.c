/*
 * A guest's life: defined, started, paused, resumed, ended, undefined.
 *
 *     cc examples/lifecycle.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o lifecycle
 *     ./lifecycle                                        on the test driver
 *     ./lifecycle qemu:///embed?root=/tmp/lifecycle      a real QEMU, in this process, with its state in that folder
 *
 * Prints what it does and the state after each step. Next: events.c.
 */
#include "../virt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A machine with nothing in it but a processor and memory. %s is the hypervisor's type. */
static const char document[] =
    "<domain type='%s'>"
    "  <name>lifecycle</name>"
    "  <memory unit='MiB'>32</memory>"
    "  <vcpu>1</vcpu>"
    "  <os><type arch='x86_64'>hvm</type></os>"
    "</domain>";

static int
show(virDomainPtr domain, const char *what, int rc)
{
    static const char *const states[] = {
        "no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "suspended",
    };
    int state, reason;

    if (rc < 0 || virDomainGetState(domain, &state, &reason, 0) < 0) {
        fprintf(stderr, "%s: %s\n", what, virGetLastErrorMessage());
        return -1;
    }
    printf("%-10s %s\n", what, states[state]);
    return 0;
}

int
main(int argc, char **argv)
{
    const char *uri = argc > 1 ? argv[1] : "test:///default";
    virConnectPtr conn = virConnectOpen(uri);
    virDomainPtr domain;
    char xml[sizeof(document) + 16];
    int rc;

    if (conn == NULL) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        return 1;
    }
    snprintf(xml, sizeof(xml), document, strncmp(uri, "test:", 5) == 0 ? "test" : "qemu");
    domain = virDomainDefineXML(conn, xml);
    if (domain == NULL) {
        fprintf(stderr, "define: %s\n", virGetLastErrorMessage());
        virConnectClose(conn);
        return 1;
    }
    /* each step is tried only if the one before succeeded; what was defined is undefined in any case */
    rc = show(domain, "define", 0);
    if (rc == 0)
        rc = show(domain, "create", virDomainCreate(domain));
    if (rc == 0)
        rc = show(domain, "suspend", virDomainSuspend(domain));
    if (rc == 0)
        rc = show(domain, "resume", virDomainResume(domain));
    if (virDomainIsActive(domain) == 1)
        rc = show(domain, "destroy", virDomainDestroy(domain)) < 0 ? -1 : rc;
    if (virDomainUndefine(domain) < 0)
        rc = -1;
    virDomainFree(domain);
    virConnectClose(conn);
    return rc == 0 ? 0 : 1;
}
