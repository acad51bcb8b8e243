/* virMigrationCheck between QEMU hosts, and the hook at the very start of a migration. */
#include "../qemu_guest.h"

#include <sys/stat.h>

static void
freeProblems(char **problems)
{
    for (size_t i = 0; problems[i] != NULL; i++)
        free(problems[i]);
    free(problems);
}

/* What both hosts have in files, with their contents. */
static void
noteFiles(const char *name)
{
    char command[4096];

    snprintf(command, sizeof(command), "cd %s && find a b -type f ! -name '*.log' -exec cksum {} + | sort -k 3", scratchPath("."));
    snprintf(command + strlen(command), sizeof(command) - strlen(command), " > %s", scratchPath("%s", name));
    CHECK_INT(runShell(command, NULL), 0);
}

static void
checkFilesSame(void)
{
    char *before, *after;

    noteFiles("after");
    before = readFile(scratchPath("before"));
    after = readFile(scratchPath("after"));
    CHECK_STR(after, before);
    free(before);
    free(after);
}

TEST(all_that_is_in_the_way_is_listed_and_nothing_changes)
{
    static const char xml[] =
        "<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os><devices>"
        "<filesystem type='mount'><source dir='/tmp'/><target dir='first'/></filesystem>"
        "<filesystem type='mount'><source dir='/tmp'/><target dir='second'/></filesystem>"
        "<disk type='file' device='cdrom'><source file='/nowhere/at/all.iso'/><target dev='sda' bus='sata'/></disk></devices></domain>";
    virConnectPtr source, destination;
    virDomainPtr domain, there;
    char **problems = NULL;

    CHECK_PTR(source = openRoot("a"));
    CHECK_PTR(destination = openRoot("b"));
    CHECK_PTR(domain = virDomainDefineXML(source, xml));
    CHECK_PTR(there = virDomainDefineXML(destination, smallXml("one")));
    noteFiles("before");
    CHECK_INT(virMigrationCheck(domain, destination, NULL, 0, 0, &problems), 5);
    CHECK_CONTAINS(problems[0], "not running");
    CHECK_CONTAINS(problems[1], "sees a folder of this host");
    CHECK_CONTAINS(problems[2], "sees a folder of this host");
    CHECK_CONTAINS(problems[3], "already exists");
    CHECK_CONTAINS(problems[4], "/nowhere/at/all.iso");
    freeProblems(problems);
    checkFilesSame();
    CHECK_INT(virConnectListAllDomains(source, NULL, 0), 1);
    CHECK_INT(virConnectListAllDomains(destination, NULL, 0), 1);
    CHECK_INT(virConnectListMigrations(source, NULL, 0), 0);
    CHECK_INT(virConnectListMigrations(destination, NULL, 0), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
    virDomainFree(domain);
    virDomainFree(there);
    CHECK_INT(virConnectClose(source), 0);
    CHECK_INT(virConnectClose(destination), 0);
}

static void
installHook(const char *more)
{
    char text[2048];

    snprintf(text, sizeof(text), "#!/bin/sh\nname=$(sed -n 's|.*<name>\\(.*\\)</name>.*|\\1|p')\n"
             "echo \"$1 $2 $3 $4 <$name>\" >> %s\n%s\n", scratchPath("calls"), more);
    CHECK(mkdir(scratchPath("a"), 0700) == 0 && mkdir(scratchPath("a/hooks"), 0700) == 0);
    writeFile(scratchPath("a/hooks/qemu"), text);
    CHECK_INT(chmod(scratchPath("a/hooks/qemu"), 0700), 0);
}

TEST(the_hook_at_the_start_may_refuse_the_migration_and_the_check_does_not_call_it)
{
    virConnectPtr source, destination;
    char **problems = NULL, *calls, expected[256];
    virDomainPtr domain;
    virMigrationPtr m;
    int rc;

    needsQemu();
    installHook("test $2 != migrate-out || test -e $(dirname $0)/allowed || { echo 'not on Mondays' >&2; exit 1; }");
    CHECK_PTR(source = openRoot("a"));
    CHECK_PTR(destination = openRoot("b"));
    CHECK_PTR(domain = virDomainCreateXML(source, smallXml("one"), 0));
    CHECK_INT(unlink(scratchPath("calls")), 0);
    CHECK_INT(virMigrationCheck(domain, destination, NULL, 0, VIR_MIGRATE_LIVE, &problems), 0);
    freeProblems(problems);
    CHECK(!fileExists(scratchPath("calls")));

    CHECK_PTR(m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE));
    while ((rc = virMigrationStep(m, 100)) > 0)
        ;
    CHECK_INT(rc, 0);
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
    CHECK_CONTAINS(virMigrationGetError(m)->message, "not on Mondays");
    CHECK_INT(virConnectListAllDomains(destination, NULL, 0), 0);
    CHECK_INT(stateOf(domain), VIR_DOMAIN_RUNNING);
    calls = readFile(scratchPath("calls"));
    snprintf(expected, sizeof(expected), "one migrate-out begin %s <one>\n", virMigrationGetUUID(m));
    CHECK_STR(calls, expected);
    free(calls);
    virMigrationFree(m);

    writeFile(scratchPath("a/hooks/allowed"), "");
    CHECK_PTR(m = virMigrationNew(domain, destination, NULL, 0, VIR_MIGRATE_LIVE));
    while ((rc = virMigrationStep(m, 100)) > 0)
        ;
    CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_MIGRATED);
    virDomainFree(domain);
    CHECK_PTR(domain = virMigrationGetDomain(m));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    virMigrationFree(m);
    CHECK_INT(virConnectClose(source), 0);
    CHECK_INT(virConnectClose(destination), 0);
}
