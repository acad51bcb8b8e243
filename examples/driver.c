/*
 * A hypervisor of one's own: a driver in about a hundred lines, registered by the application, and used through the same API.
 *
 *     cc examples/driver.c virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o driver
 *     ./driver
 *
 * Its "guests" are three lamps. They can be listed, looked up, lit (resume) and put out (suspend); all that a lamp cannot do, has no slot in the
 * table, and the library says so by itself. drivers/driver.h is all one needs to know. Next: virtsh/, a program to use.
 */
#include "../drivers/driver.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_NONE

static struct lamp { const char *name; atomic_bool lit; } lamps[] = { { "hall", false }, { "kitchen", true }, { "attic", false } };
enum { LAMPS = sizeof(lamps) / sizeof(lamps[0]) };

/* A handle on lamp i: its number is its id, and makes its uuid. */
static virDomainPtr
lampHandle(virConnectPtr conn, int i)
{
    unsigned char uuid[VIR_UUID_BUFLEN] = "lamp";

    uuid[VIR_UUID_BUFLEN - 1] = (unsigned char)i;
    return virNewDomain(conn, lamps[i].name, uuid, i, NULL, NULL);
}

static struct lamp *
lampOf(virDomainPtr domain)
{
    return &lamps[domain->uuid[VIR_UUID_BUFLEN - 1]];
}

static int
lampOpen(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    (void)conn;
    (void)uri;
    (void)auth;
    (void)flags;
    return 1;                         /* every lamp:/// is ours; nothing to keep */
}

static void
lampClose(virConnectPtr conn)
{
    (void)conn;
}

static virDomainPtr
lampLookupByName(virConnectPtr conn, const char *name)
{
    for (int i = 0; i < LAMPS; i++)
        if (strcmp(lamps[i].name, name) == 0)
            return lampHandle(conn, i);
    virReportError(VIR_ERR_NO_DOMAIN, "there is no lamp in the %s", name);
    return NULL;
}

static int
lampListAll(virConnectPtr conn, virDomainPtr **domains, unsigned int flags)
{
    virDomainPtr *list;

    virCheckFlags(0, -1);
    if (domains == NULL)
        return LAMPS;
    if ((list = calloc(LAMPS + 1, sizeof(*list))) == NULL)
        return virReportNoMemory();
    for (int i = 0; i < LAMPS; i++) {
        if ((list[i] = lampHandle(conn, i)) != NULL)
            continue;
        while (i-- > 0)
            virDomainFree(list[i]);
        free(list);
        return virReportNoMemory();
    }
    *domains = list;
    return LAMPS;
}

static int
lampGetState(virDomainPtr domain, int *state, int *reason, unsigned int flags)
{
    virCheckFlags(0, -1);
    *state = lampOf(domain)->lit ? VIR_DOMAIN_RUNNING : VIR_DOMAIN_PAUSED;
    if (reason != NULL)
        *reason = 0;
    return 0;
}

static int
lampResume(virDomainPtr domain)
{
    lampOf(domain)->lit = true;
    return 0;
}

static int
lampSuspend(virDomainPtr domain)
{
    lampOf(domain)->lit = false;
    return 0;
}

static const struct virDriver lampDriver = {
    .version = VIRT_DRIVER_VERSION,
    .name    = "Lamp",
    .schemes = (const char *const[]){ "lamp", NULL },
    .open    = lampOpen,
    .close   = lampClose,
    .domain  = {
        .listAll      = lampListAll,
        .lookupByName = lampLookupByName,
        .suspend      = lampSuspend,
        .resume       = lampResume,
        .getState     = lampGetState,
    },
};

/* From here on an ordinary application. */
int
main(void)
{
    virConnectPtr conn = virRegisterDriver(&lampDriver) == 0 ? virConnectOpen("lamp:///") : NULL;
    virDomainPtr attic = conn != NULL ? virDomainLookupByName(conn, "attic") : NULL, *all = NULL;
    int n, state, failed = attic == NULL || virDomainResume(attic) < 0;

    if (!failed && (n = virConnectListAllDomains(conn, &all, 0)) >= 0) {
        for (int i = 0; i < n; i++) {
            if (virDomainGetState(all[i], &state, NULL, 0) == 0)
                printf("%-8s %s\n", virDomainGetName(all[i]), state == VIR_DOMAIN_RUNNING ? "lit" : "dark");
            virDomainFree(all[i]);
        }
        free(all);
        if (virDomainReboot(attic, 0) < 0)
            printf("reboot:  %s\n", virGetLastErrorMessage());
    } else {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
    }
    if (attic != NULL)
        virDomainFree(attic);
    if (conn != NULL)
        virConnectClose(conn);
    return failed;
}
