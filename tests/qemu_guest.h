/*
 * What the tests of the QEMU driver's runtime have in common: a state directory, guests that count and end in a chosen
 * way, and a record of the events. The tests have one thread: the event loop runs when they say so.
 */
#ifndef TESTS_QEMU_GUEST_H
#define TESTS_QEMU_GUEST_H

#include "../virt.h"
#include "harness.h"

#include <signal.h>
#include <unistd.h>

#define UNUSED_IN_SOME __attribute__((unused))

UNUSED_IN_SOME static virConnectPtr
openRoot(const char *name)
{
    char uri[1200];

    needsQemu();
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("%s", name));
    return virConnectOpen(uri);
}

/* A guest without devices, for what happens before anything would run. */
UNUSED_IN_SOME static const char *
smallXml(const char *name)
{
    static char xml[4][1024];
    static int next;
    char *text = xml[next++ % 4];

    snprintf(text, sizeof(xml[0]), "<domain type='qemu'><name>%s</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64'>hvm</type></os></domain>", name);
    return text;
}

/*
 * A guest that counts on its serial line (the file <name>.out in the scratch directory). `options` are mkguest's: "--after 30 --then poweroff".
 * `extra` stands in <domain>, `devices` in <devices>.
 */
UNUSED_IN_SOME static const char *
countingXml(const char *name, const char *options, const char *extra, const char *devices)
{
    static char xml[4096];
    char command[2048], image[1024];

    needsQemu();
    snprintf(image, sizeof(image), "%s", scratchPath("%s.img", name));
    snprintf(command, sizeof(command), "tests/guest/mkguest --count-hz 100 --dirty-mib 1 %s %s %s", options,
             buildPath("guest/counter.img"), image);
    CHECK_INT(runShell(command, NULL), 0);
    snprintf(xml, sizeof(xml),
             "<domain type='qemu'><name>%s</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>%s<devices>"
             "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
             "<target dev='vda' bus='virtio'/></disk>"
             "<serial type='file'><source path='%s'/></serial>%s</devices></domain>",
             name, extra, image, scratchPath("%s.out", name), devices);
    return xml;
}

/* Whether the guest has counted beyond n. */
UNUSED_IN_SOME static bool
hasCounted(const char *name, long n)
{
    const char *path = scratchPath("%s.out", name);
    char *text, *line;
    bool yes = false;

    if (!fileExists(path))
        return false;
    text = readFile(path);
    if ((line = strrchr(text, '\n')) != NULL) {
        while (line > text && line[-1] != '\n')
            line--;
        yes = strtol(line, NULL, 10) > n;
    }
    free(text);
    return yes;
}

/* Its document, as another host would be given it. */
UNUSED_IN_SOME static virDomainPtr
defineSame(virConnectPtr conn, virDomainPtr domain)
{
    char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    virDomainPtr other;

    CHECK_PTR(xml);
    CHECK_PTR(other = virDomainDefineXML(conn, xml));
    free(xml);
    return other;
}

UNUSED_IN_SOME static int
stateOf(virDomainPtr domain)
{
    int state = -1;

    CHECK_OK(virDomainGetState(domain, &state, NULL, 0));
    return state;
}

UNUSED_IN_SOME static int
reasonOf(virDomainPtr domain)
{
    int state, reason = -1;

    CHECK_OK(virDomainGetState(domain, &state, &reason, 0));
    return reason;
}

/* The pid of the guest's QEMU, which QEMU itself has written. */
UNUSED_IN_SOME static pid_t
pidOf(const char *root, const char *name)
{
    char *text = readFile(scratchPath("%s/run/%s.pid", root, name));
    pid_t pid = (pid_t)atoi(text);

    free(text);
    CHECK(pid > 1);
    return pid;
}

/* ---- events, as words: "started.0 resumed.0 " ---- */

static char eventLog[4096] UNUSED_IN_SOME;

UNUSED_IN_SOME static void
logEvent(const char *word, int detail)
{
    size_t length = strlen(eventLog);

    snprintf(eventLog + length, sizeof(eventLog) - length, "%s.%d ", word, detail);
}

UNUSED_IN_SOME static int
lifecycleEvent(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    static const char *const names[] = { "defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown",
                                         "pmsuspended", "crashed" };

    (void)conn;
    (void)opaque;
    CHECK_NOT_NULL(virDomainGetName(domain));
    logEvent(names[event], detail);
    return 0;
}

UNUSED_IN_SOME static void
rebootEvent(virConnectPtr conn, virDomainPtr domain, void *opaque)
{
    (void)conn;
    (void)domain;
    (void)opaque;
    logEvent("reboot", 0);
}

UNUSED_IN_SOME static void
tick(int timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

/* To be called before the first connection is opened: from then on events come by the loop. */
UNUSED_IN_SOME static void
useLoop(void)
{
    CHECK_OK(virEventRegisterDefaultImpl());
    CHECK_OK(virEventAddTimeout(5, tick, NULL, NULL));
}

UNUSED_IN_SOME static void
watchEvents(virConnectPtr conn)
{
    eventLog[0] = '\0';
    CHECK_OK(virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                              VIR_DOMAIN_EVENT_CALLBACK(lifecycleEvent), NULL, NULL));
    CHECK_OK(virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_REBOOT,
                                              VIR_DOMAIN_EVENT_CALLBACK(rebootEvent), NULL, NULL));
}

/* Runs the loop until cond holds. */
#define LOOP_UNTIL(cond, ms)                                                                            \
    do {                                                                                                \
        long long loopEnd = harnessNowMs() + harnessSlow(ms);                                           \
        while (!(cond)) {                                                                               \
            if (harnessNowMs() > loopEnd)                                                               \
                FAIL("not within %d ms: %s; events: %s", (int)(ms), #cond, eventLog);                   \
            CHECK_OK(virEventRunDefaultImpl());                                                         \
        }                                                                                               \
    } while (0)

#endif
