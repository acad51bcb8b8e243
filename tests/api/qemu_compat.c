/*
 * A destination that lacks what the guest has seen, or needs: which of it is said before anything has happened, and by virMigrationCheck. The other
 * emulator is a script that runs the same QEMU, and of which the hosts' caches say that it can do less.
 */
#include "../qemu_pair.h"

#include <sys/stat.h>

/* An emulator of the destination whose capabilities are the source's after `edit`, a command for sed. The caller frees it. */
static char *
otherEmulator(const char *name, const char *edit)
{
    char command[4096], *system = NULL, *path;
    struct stat info;

    CHECK_NOT_NULL(path = strdup(scratchPath("%s", name)));
    CHECK_INT(runShell("command -v qemu-system-x86_64", &system), 0);
    snprintf(command, sizeof(command), "#!/bin/sh\nexec %.*s \"$@\"\n", (int)strcspn(system, "\n"), system);
    free(system);
    writeFile(path, command);
    CHECK_INT(chmod(path, 0755), 0);
    CHECK_INT(stat(path, &info), 0);
    snprintf(command, sizeof(command), "mkdir -p -m 700 %s && sed -E 's|\"emulator\":\"[^\"]*\"|\"emulator\":\"%s\"|; s|\"size\":[0-9]+|\"size\":%lld|; "
             "s|\"mtime\":[0-9]+|\"mtime\":%lld|; %s' %s/*qemu-system-x86_64.json > %s/$(echo %s | sed 's|^/||; s|/|-|g').json && cp %s/*-other.json %s",
             scratchPath("host1/cache"), path, (long long)info.st_size, (long long)info.st_mtime, edit, scratchPath("host0/cache"),
             scratchPath("host1/cache"), path, scratchPath("host1/cache"), scratchPath("host0/cache"));
    CHECK_INT(runShell(command, NULL), 0);
    return path;
}

/* The guest's document, with another emulator. The caller frees it. */
static char *
documentFor(virDomainPtr domain, const char *emulator)
{
    char *xml, *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE), *at, *end;

    CHECK_PTR(text);
    CHECK_NOT_NULL(at = strstr(text, "<emulator>"));
    CHECK_NOT_NULL(end = strstr(at, "</emulator>"));
    CHECK(asprintf(&xml, "%.*s<emulator>%s%s", (int)(at - text), text, emulator, end) > 0);
    free(text);
    return xml;
}

/* Both the migration and the check say these words, and nothing happens. */
static void
checkLacking(const char *more, const char *edit, const char *words)
{
    struct pair pair;
    virTypedParameterPtr params = NULL;
    char **problems = NULL, *emulator, *xml;
    virMigrationPtr m;
    int n = 0, max = 0;

    harnessContext("%s", words);
    snprintf(pair.serial, sizeof(pair.serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair.source = openHost("host0", ""));
    CHECK_PTR(pair.destination = openHost("host1", ""));
    CHECK_PTR(pair.domain = virDomainCreateXML(pair.source, pairXml(pair.serial, 0, more, ""), 0));
    waitForMore(&pair, 10);
    emulator = otherEmulator("qemu-other", edit);
    xml = documentFor(pair.domain, emulator);
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_XML, xml));
    CHECK_INT(virMigrationCheck(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE, &problems), *words != '\0');
    if (*words != '\0') {
        CHECK_CONTAINS(problems[0], words);
        free(problems[0]);
    }
    free(problems);
    CHECK_PTR(m = virMigrationNew(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE));
    while (virMigrationStep(m, 100) > 0)
        ;
    if (*words != '\0') {
        CHECK_INT(virMigrationGetOutcome(m), VIR_MIGRATION_OUTCOME_ROLLED_BACK);
        CHECK_CONTAINS(virMigrationGetError(m)->message, words);
        CHECK_INT(virMigrationGetError(m)->code, VIR_ERR_CONFIG_UNSUPPORTED);
        CHECK_INT(virConnectListAllDomains(pair.destination, NULL, 0), 0);
        CHECK(!fileExists(scratchPath("host1/log/pair.log")));               /* no QEMU was started for it */
        CHECK_INT(stateOf(pair.domain), VIR_DOMAIN_RUNNING);
        waitForMore(&pair, 10);
    } else {
        checkMigrated(&pair, m);
    }
    virMigrationFree(m);
    virTypedParamsFree(params, n);
    free(xml);
    free(emulator);
    endPair(&pair);
    remove(pair.serial);
}

TEST(an_emulator_that_lacks_nothing_will_do)
{
    checkLacking("", "", "");
}

TEST(a_machine_type_that_the_destination_does_not_know_is_named)
{
    checkLacking("", "s/\\{\"name\":\"pc-i440fx-7.2\"[^}]*\\},?//", "has no machine type 'pc-i440fx-7.2'");
}

TEST(a_device_that_the_destination_does_not_know_is_named)
{
    checkLacking("", "s/\"virtio-blk-pci\",?//", "has no device 'virtio-blk-pci'");
}

TEST(a_cpu_model_that_the_destination_does_not_know_is_named)
{
    checkLacking("<cpu mode='custom' match='exact'><model fallback='forbid'>Nehalem</model></cpu>", "s/\"Nehalem\",?//", "has no CPU model 'Nehalem'");
}

TEST(a_cpu_that_is_all_the_emulator_can_needs_the_same_emulator)
{
    checkLacking("<cpu mode='maximum'/>", "s/\"version\":[0-9]+/\"version\":5002003/", "is QEMU 5.2.3");
}

/* Whether the list has a problem with these words. */
static bool
isListed(char *const *problems, const char *words)
{
    for (size_t i = 0; problems[i] != NULL; i++)
        if (strstr(problems[i], words) != NULL)
            return true;
    return false;
}

TEST(what_the_destination_lacks_besides_is_listed)
{
    static const char xml[] =
        "<domain type='qemu'><name>one</name><memory unit='MiB'>1024</memory><memoryBacking><hugepages><page size='512' unit='MiB'/></hugepages>"
        "</memoryBacking><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type><loader type='rom'>/nowhere/loader.bin</loader>"
        "<kernel>/nowhere/vmlinuz</kernel><initrd>/nowhere/initrd</initrd></os>"
        "<cpu mode='custom'><model>qemu64</model><feature name='invtsc' policy='require'/></cpu><devices>"
        "<interface type='bridge'><mac address='52:54:00:01:02:03'/><source bridge='nobr0'/></interface>"
        "<interface type='direct'><mac address='52:54:00:01:02:04'/><source dev='noeth0' mode='bridge'/></interface>"
        "<shmem name='both'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"
        "<smartcard mode='host'/></devices></domain>";
    static const char *const listed[] = { "not running", "shares memory with others", "has a smart card of this host", "invtsc", "no bridge 'nobr0'",
                                          "no network device 'noeth0'", "'/nowhere/loader.bin' (<loader>)", "'/nowhere/vmlinuz' (<kernel>)",
                                          "'/nowhere/initrd' (<initrd>)", "huge pages of 524288 KiB: the destination has none" };
    const size_t expected = sizeof(listed) / sizeof(listed[0]);
    virConnectPtr source, destination;
    virDomainPtr domain;
    char **problems = NULL;
    size_t n = 0;

    needsQemu();
    CHECK_PTR(source = openHost("host0", ""));
    CHECK_PTR(destination = openHost("host1", ""));
    CHECK_PTR(domain = virDomainDefineXML(source, xml));
    CHECK_OK(virMigrationCheck(domain, destination, NULL, 0, VIR_MIGRATE_LIVE, &problems));
    for (size_t i = 0; i < expected; i++)
        EXPECT(isListed(problems, listed[i]), "not listed: %s", listed[i]);
    for (; problems[n] != NULL; n++) {
        if (n >= expected)
            printf("one more: %s\n", problems[n]);
        free(problems[n]);
    }
    CHECK_INT(n, expected);
    free(problems);
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    virConnectClose(source);
    virConnectClose(destination);
}

/* Other devices than the guest has seen, by the document that the caller gives for the destination. */
TEST(a_document_with_another_machine_is_refused)
{
    static const struct { const char *from, *to; } changes[] = {
        { "<mac address='52:54:00:0a:0b:0c'/>", "<mac address='52:54:00:0a:0b:0d'/>" },
        { "<model type='virtio'/>", "<model type='e1000'/>" },
        { "<controller type='usb' index='0' model='piix3-uhci'>", "<controller type='usb' index='0' model='nec-xhci'>" },
        { "bus='virtio'", "bus='scsi'" },
        { "machine='pc-i440fx-7.2'", "machine='pc-i440fx-7.1'" },
    };
    struct pair pair;
    virTypedParameterPtr params;
    char *text, *at, *xml;

    needsQemu();
    snprintf(pair.serial, sizeof(pair.serial), "%s", scratchPath("serial"));
    CHECK_PTR(pair.source = openHost("host0", ""));
    CHECK_PTR(pair.destination = openHost("host1", ""));
    CHECK_PTR(pair.domain = virDomainCreateXML(pair.source, pairXml(pair.serial, 0, "", "<interface type='user'>"
                                               "<mac address='52:54:00:0a:0b:0c'/><model type='virtio'/></interface>"
                                               "<controller type='usb' index='0' model='piix3-uhci'/>"), 0));
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char **problems = NULL;
        int n = 0, max = 0;

        harnessContext("%s", changes[i].to);
        params = NULL;
        CHECK_PTR(text = virDomainGetXMLDesc(pair.domain, VIR_DOMAIN_XML_MIGRATABLE));
        CHECK_MSG((at = strstr(text, changes[i].from)) != NULL, "no %s in %s", changes[i].from, text);
        CHECK(asprintf(&xml, "%.*s%s%s", (int)(at - text), text, changes[i].to, at + strlen(changes[i].from)) > 0);
        CHECK_OK(virTypedParamsAddString(&params, &n, &max, VIR_MIGRATE_PARAM_DEST_XML, xml));
        CHECK_INT(virMigrationCheck(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE, &problems), 1);
        printf("%s\n", problems[0]);
        free(problems[0]);
        free(problems);
        CHECK_FAILS_NULL(virDomainMigrate3(pair.domain, pair.destination, params, (unsigned int)n, VIR_MIGRATE_LIVE), VIR_ERR_CONFIG_UNSUPPORTED);
        CHECK_INT(stateOf(pair.domain), VIR_DOMAIN_RUNNING);
        virTypedParamsFree(params, n);
        free(text);
        free(xml);
    }
    endPair(&pair);
}
