/*
 * A pair of hosts in the scratch directory, and a guest that counts on its serial line and checks its own memory: what the tests of the ways a
 * migration can go have in common. Both hosts append to the same file, so that a gap in the numbers shows.
 */
#ifndef TESTS_QEMU_PAIR_H
#define TESTS_QEMU_PAIR_H

#include "qemu_guest.h"
#include "counting.h"

struct pair { virConnectPtr source, destination; virDomainPtr domain; char serial[1024]; };

UNUSED_IN_SOME static virConnectPtr
openHost(const char *name, const char *more)
{
    char uri[2400];

    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s%s", scratchRoot("%s", name), more);
    return virConnectOpen(uri);
}

/*
 * How often a second the guest writes 2 MiB anew. QEMU 7.2 without KVM can lose what a guest writes while it is sent slowly, by raw QMP as well:
 * 0 for tests of something else.
 */
static int pairWrites UNUSED_IN_SOME = 4;

/* The guest fills so many MiB with what is not zero; more stands in <domain>, devices in <devices>. */
UNUSED_IN_SOME static const char *
pairXml(const char *serial, int fill, const char *more, const char *devices)
{
    static char xml[4096];
    char command[2048], image[1024];

    needsQemu();
    snprintf(image, sizeof(image), "%s", scratchPath("pair.img"));
    snprintf(command, sizeof(command), "tests/guest/mkguest --count-hz 100 --dirty-mib 2 --dirty-hz %d --fill-mib %d %s %s", pairWrites, fill,
             buildPath("guest/counter.img"), image);
    CHECK_INT(runShell(command, NULL), 0);
    snprintf(xml, sizeof(xml),
             "<domain type='qemu'><name>pair</name><uuid>3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0c0</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os>%s<devices>"
             "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/><readonly/></disk>"
             "<serial type='file'><source path='%s' append='on'/></serial>%s</devices></domain>", more, image, serial, devices);
    return xml;
}

UNUSED_IN_SOME static void
waitForMore(const struct pair *pair, long more)
{
    long first = countingNewest(pair->serial);

    WAIT_FOR(countingNewest(pair->serial) >= first + more, 20000);
}

UNUSED_IN_SOME static void
startPairOf(struct pair *pair, int fill, const char *source, const char *destination)
{
    snprintf(pair->serial, sizeof(pair->serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair->source = openHost("host0", source));
    CHECK_PTR(pair->destination = openHost("host1", destination));
    CHECK_PTR(pair->domain = virDomainCreateXML(pair->source, pairXml(pair->serial, fill, "", ""), 0));
    waitForMore(pair, 30);
}

UNUSED_IN_SOME static void
startPair(struct pair *pair, int fill, const char *options)
{
    startPairOf(pair, fill, options, options);
}

UNUSED_IN_SOME static void
endPair(struct pair *pair)
{
    virDomainPtr guest;

    for (int side = 0; side < 2; side++) {
        virConnectPtr conn = side == 0 ? pair->source : pair->destination;

        if ((guest = virDomainLookupByName(conn, "pair")) != NULL) {
            CHECK_OK(virDomainDestroy(guest));
            virDomainFree(guest);
        }
        CHECK_INT(virConnectListAllDomains(conn, NULL, 0), 0);
    }
    virDomainFree(pair->domain);
    CHECK_INT(virConnectClose(pair->source), 0);
    CHECK_INT(virConnectClose(pair->destination), 0);
}

/* "name=value name=value" as parameters; numbers where the parameter has one. The caller frees them. */
UNUSED_IN_SOME static int
readParams(const char *text, virTypedParameterPtr *params)
{
    static const char *const ints[] = { "parallel.connections", "compression.mt.level", "compression.mt.threads", "compression.mt.dthreads",
                                        "auto_converge.initial", "auto_converge.increment" };
    static const char *const numbers[] = { "bandwidth", "bandwidth.postcopy", "compression.xbzrle.cache", "downtime" };
    char copy[1200], *rest = NULL;
    int n = 0, max = 0;

    *params = NULL;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        bool isInt = false, isNumber = false;

        *value++ = '\0';
        for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
            isInt |= strcmp(word, ints[i]) == 0;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            isNumber |= strcmp(word, numbers[i]) == 0;
        if (isInt)
            CHECK_OK(virTypedParamsAddInt(params, &n, &max, word, atoi(value)));
        else if (isNumber)
            CHECK_OK(virTypedParamsAddULLong(params, &n, &max, word, strtoull(value, NULL, 10)));
        else
            CHECK_OK(virTypedParamsAddString(params, &n, &max, word, value));
    }
    return n;
}

UNUSED_IN_SOME static virMigrationPtr
newMigration(struct pair *pair, const char *text, unsigned int flags)
{
    virTypedParameterPtr params;
    int n = readParams(text, &params);
    virMigrationPtr m;

    CHECK_PTR(m = virMigrationNew(pair->domain, pair->destination, params, (unsigned int)n, flags));
    virTypedParamsFree(params, n);
    return m;
}

/* What the guest's QEMU answers. The caller frees it. */
UNUSED_IN_SOME static char *
ask(virConnectPtr conn, const char *command)
{
    virDomainPtr guest = virDomainLookupByName(conn, "pair");
    char *reply = NULL, text[200];

    CHECK_NOT_NULL(guest);
    snprintf(text, sizeof(text), "{\"execute\":\"%s\"}", command);
    CHECK_OK(virDomainQemuMonitorCommand(guest, text, &reply, 0));
    virDomainFree(guest);
    return reply;
}

UNUSED_IN_SOME static void
checkAnswer(virConnectPtr conn, const char *command, const char *part)
{
    char *reply;

    if (part == NULL)
        return;
    reply = ask(conn, command);
    CHECK_CONTAINS(reply, part);
    free(reply);
}

UNUSED_IN_SOME static void
checkMigrated(struct pair *pair, virMigrationPtr m)
{
    virDomainPtr guest;

    CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    CHECK_PTR(guest = virMigrationGetDomain(m));
    CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
    CHECK_INT(reasonOf(guest), VIR_DOMAIN_RUNNING_MIGRATED);
    virDomainFree(guest);
    CHECK_INT(virConnectListAllDomains(pair->source, NULL, 0), 0);
    waitForMore(pair, 50);
}

/* Begin or Prepare refuses it, with these words, and the guest runs on. */
UNUSED_IN_SOME static void
checkRefused(struct pair *pair, unsigned int flags, const char *params, int code, const char *words)
{
    virMigrationPtr m = newMigration(pair, params, flags);

    harnessContext("flags 0x%x, %s", flags, params);
    while (virMigrationStep(m, 100) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_NOT_NULL(virMigrationGetError(m));
    CHECK_CONTAINS(virMigrationGetError(m)->message, words);
    CHECK_INT(virMigrationGetError(m)->code, code);
    CHECK_INT(stateOf(pair->domain), VIR_DOMAIN_RUNNING);
    virMigrationFree(m);
}

UNUSED_IN_SOME static void
checkStanding(virDomainPtr domain, int state, int reason)
{
    CHECK_INT(stateOf(domain), state);
    CHECK_INT(reasonOf(domain), reason);
}

UNUSED_IN_SOME static virDomainPtr
guestAt(virConnectPtr conn)
{
    virDomainPtr guest;

    CHECK_PTR(guest = virDomainLookupByName(conn, "pair"));
    return guest;
}

/* Steps until the guest runs at the destination while most of its memory is still at the source. */
UNUSED_IN_SOME static virMigrationPtr
stepIntoPostcopy(struct pair *pair, const char *params, unsigned int more)
{
    virMigrationPtr m = newMigration(pair, params, VIR_MIGRATE_LIVE | VIR_MIGRATE_POSTCOPY | more);

    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_PERFORM)
        CHECK_INT(virMigrationStep(m, 1000), 1);
    CHECK_INT(virMigrationStep(m, 100), 1);
    CHECK_INT(virMigrationGetPhase(m), VIR_MIGRATION_PHASE_PERFORM);
    CHECK_OK(virDomainMigrateStartPostCopy(pair->domain, 0));
    while (virMigrationGetPhase(m) != VIR_MIGRATION_PHASE_CONFIRM) {
        CHECK_INT(virMigrationStep(m, 1000), 1);
        CHECK_MSG(virMigrationGetError(m) == NULL, "%s", virMigrationGetError(m)->message);
    }
    return m;
}

#endif
