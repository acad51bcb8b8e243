/* From definition to end: real guests of the QEMU driver, their states, reasons and events. */
#include "../qemu_guest.h"

#include <pthread.h>
#include <stdatomic.h>

TEST(a_transient_guest_runs_until_it_is_destroyed)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr domain;
    virDomainInfo info;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, countingXml("one", "", "", ""), 0));
    CHECK_INT(stateOf(domain), VIR_DOMAIN_RUNNING);
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_RUNNING_BOOTED);
    CHECK_INT(virDomainGetID(domain), 1);
    CHECK_INT(virDomainIsPersistent(domain), 0);
    WAIT_FOR(hasCounted("one", 10), 10000);
    CHECK_OK(virDomainGetInfo(domain, &info));
    CHECK_UINT(info.maxMem, 32768);
    CHECK_INT(info.nrVirtCpu, 1);
    CHECK(info.cpuTime > 0);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_INT((int)virDomainGetID(domain), -1);
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    CHECK_FAILS(virDomainDestroy(domain), VIR_ERR_NO_DOMAIN);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK(!fileExists(scratchPath("root/run/one.xml")));
    CHECK(!fileExists(scratchPath("root/run/one.monitor")));
    CHECK_OK(virDomainFree(domain));
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(pausing_stops_the_count_and_resuming_goes_on)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr domain;
    char *before, *after;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, countingXml("one", "", "", ""), 0));
    WAIT_FOR(hasCounted("one", 5), 10000);
    CHECK_OK(virDomainSuspend(domain));
    CHECK_INT(stateOf(domain), VIR_DOMAIN_PAUSED);
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_PAUSED_USER);
    CHECK_OK(virDomainSuspend(domain));
    before = readFile(scratchPath("one.out"));
    harnessSleepMs(100);
    after = readFile(scratchPath("one.out"));
    CHECK_STR(after, before);
    CHECK_OK(virDomainResume(domain));
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_RUNNING_UNPAUSED);
    CHECK_FAILS(virDomainResume(domain), VIR_ERR_OPERATION_INVALID);
    WAIT_FOR(hasCounted("one", strtol(strrchr(before, '\n') - 2, NULL, 10) + 5), 10000);
    CHECK_OK(virDomainDestroy(domain));
    free(before);
    free(after);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(each_change_is_told_once_and_in_order)
{
    virConnectPtr conn;
    virDomainPtr domain;

    useLoop();
    CHECK_PTR(conn = openRoot("root"));
    watchEvents(conn);
    CHECK_PTR(domain = virDomainDefineXML(conn, countingXml("one", "", "", "")));
    CHECK_OK(virDomainCreate(domain));
    CHECK_OK(virDomainSuspend(domain));
    CHECK_OK(virDomainResume(domain));
    CHECK_OK(virDomainReset(domain, 0));
    LOOP_UNTIL(strstr(eventLog, "reboot") != NULL, 5000);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainUndefine(domain));
    LOOP_UNTIL(strstr(eventLog, "undefined") != NULL, 5000);
    CHECK_STR(eventLog, "defined.0 started.0 resumed.0 suspended.0 resumed.0 reboot.0 stopped.1 undefined.0 ");
    eventLog[0] = '\0';
    virDomainFree(domain);
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("two"), VIR_DOMAIN_START_PAUSED));
    CHECK_INT(stateOf(domain), VIR_DOMAIN_PAUSED);
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_PAUSED_USER);
    CHECK_OK(virDomainDestroy(domain));
    LOOP_UNTIL(strstr(eventLog, "stopped") != NULL, 5000);
    CHECK_STR(eventLog, "started.0 suspended.0 stopped.1 ");
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

/* What the application is told when a guest ends by itself. */
static void
checkEnd(const char *options, const char *extra, const char *devices, int reason, const char *events)
{
    virConnectPtr conn;
    virDomainPtr domain;

    useLoop();
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainDefineXML(conn, countingXml("one", options, extra, devices)));
    watchEvents(conn);
    CHECK_OK(virDomainCreate(domain));
    LOOP_UNTIL(strstr(eventLog, "stopped") != NULL, 20000);
    CHECK_STR(eventLog, events);
    CHECK_INT(stateOf(domain), VIR_DOMAIN_SHUTOFF);
    CHECK_INT(reasonOf(domain), reason);
    CHECK_INT(countProcesses(NULL, 0), 0);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_guest_that_powers_off_is_shut_off)
{
    checkEnd("--after 20 --then poweroff", "", "", VIR_DOMAIN_SHUTOFF_SHUTDOWN, "started.0 resumed.0 shutdown.1 stopped.0 ");
}

TEST(a_guest_that_panics_has_crashed)
{
    checkEnd("--after 20 --then panic", "", "<panic model='isa'/>", VIR_DOMAIN_SHUTOFF_CRASHED,
             "started.0 resumed.0 crashed.0 shutdown.1 stopped.2 ");
}

TEST(a_reboot_is_the_end_where_the_document_says_so)
{
    checkEnd("--after 20 --then reboot", "<on_reboot>destroy</on_reboot>", "", VIR_DOMAIN_SHUTOFF_SHUTDOWN,
             "started.0 resumed.0 shutdown.1 stopped.0 ");
}

TEST(a_guest_that_panics_is_kept_where_the_document_says_so)
{
    virConnectPtr conn;
    virDomainPtr domain;

    useLoop();
    CHECK_PTR(conn = openRoot("root"));
    watchEvents(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, countingXml("one", "--after 20 --then panic", "<on_crash>preserve</on_crash>",
                                                            "<panic model='isa'/>"), 0));
    LOOP_UNTIL(strstr(eventLog, "crashed") != NULL, 20000);
    LOOP_UNTIL(stateOf(domain) == VIR_DOMAIN_CRASHED, 5000);
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_CRASHED_PANICKED);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(powering_off_restarts_where_the_document_says_so)
{
    virConnectPtr conn;
    virDomainPtr domain;

    useLoop();
    CHECK_PTR(conn = openRoot("root"));
    watchEvents(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, countingXml("one", "--after 20 --then poweroff",
                                                            "<on_poweroff>restart</on_poweroff>", ""), 0));
    LOOP_UNTIL(strstr(eventLog, "reboot.0 reboot") != NULL, 20000);
    CHECK_INT(stateOf(domain), VIR_DOMAIN_RUNNING);
    CHECK_NULL(strstr(eventLog, "suspended"));
    CHECK_NULL(strstr(eventLog, "shutdown"));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(the_power_button_shuts_a_guest_down)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr domain;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, countingXml("one", "", "", ""), 0));
    WAIT_FOR(hasCounted("one", 5), 10000);
    CHECK_FAILS(virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT), VIR_ERR_ARGUMENT_UNSUPPORTED);
    CHECK_OK(virDomainShutdown(domain));
    WAIT_FOR(virConnectNumOfDomains(conn) == 0, 10000);
    CHECK_INT(countProcesses(NULL, 0), 0);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_reboot_presses_the_power_button_and_starts_again)
{
    virConnectPtr conn;
    virDomainPtr domain;

    useLoop();
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainCreateXML(conn, countingXml("one", "", "", ""), 0));
    watchEvents(conn);
    WAIT_FOR(hasCounted("one", 50), 10000);
    CHECK_OK(virDomainReboot(domain, 0));
    LOOP_UNTIL(strstr(eventLog, "reboot") != NULL, 10000);
    WAIT_FOR(!hasCounted("one", 40), 10000);           /* it counts from the beginning */
    WAIT_FOR(hasCounted("one", 5), 10000);
    LOOP_UNTIL(stateOf(domain) == VIR_DOMAIN_RUNNING, 5000);
    CHECK_OK(virDomainShutdown(domain));               /* and this is the end all the same */
    LOOP_UNTIL(strstr(eventLog, "stopped") != NULL, 10000);
    CHECK_CONTAINS(eventLog, "reboot.0 shutdown.1 stopped.0 ");      /* (the BIOS may have reset once more) */
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(without_an_event_loop_a_query_tells_that_the_guest_is_off)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr domain;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainDefineXML(conn, countingXml("one", "--after 20 --then poweroff", "", "")));
    CHECK_OK(virDomainCreate(domain));
    WAIT_FOR(stateOf(domain) == VIR_DOMAIN_SHUTOFF, 20000);
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_SHUTOFF_SHUTDOWN);
    CHECK_OK(virDomainCreate(domain));
    CHECK_INT(virDomainGetID(domain), 2);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_killed_qemu_is_noticed)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr domain;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("one")));
    CHECK_OK(virDomainCreate(domain));
    CHECK_INT(kill(pidOf("root", "one"), SIGKILL), 0);
    WAIT_FOR(stateOf(domain) == VIR_DOMAIN_SHUTOFF, 5000);
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_SHUTOFF_CRASHED);
    CHECK_FAILS(virDomainSuspend(domain), VIR_ERR_OPERATION_INVALID);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_hung_qemu_blocks_no_query_and_can_be_destroyed)
{
    virConnectPtr conn = openRoot("root");
    virDomainControlInfo control;
    virDomainPtr domain;
    virDomainInfo info;
    long long start;
    pid_t pid;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("one"), 0));
    CHECK_OK(virDomainGetControlInfo(domain, &control, 0));
    CHECK_INT(control.state, VIR_DOMAIN_CONTROL_OK);
    pid = pidOf("root", "one");
    harnessStop(pid);
    start = harnessNowMs();
    CHECK_OK(virDomainGetInfo(domain, &info));
    CHECK_OK(virDomainGetControlInfo(domain, &control, 0));
    CHECK_INT(virConnectNumOfDomains(conn), 1);
    CHECK_LESS(harnessNowMs() - start, harnessSlow(500));
    CHECK_FAILS(virDomainDestroyFlags(domain, 0x100), VIR_ERR_INVALID_ARG);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_LESS(harnessNowMs() - start, harnessSlow(8000));
    CHECK_INT(countProcesses(NULL, 0), 0);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_guest_bound_to_its_connection_ends_with_it)
{
    virConnectPtr conn = openRoot("root"), other = openRoot("root");
    virDomainPtr domain, kept;

    CHECK_PTR(conn);
    CHECK_PTR(other);
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("bound"), VIR_DOMAIN_START_AUTODESTROY));
    CHECK_PTR(kept = virDomainCreateXML(conn, smallXml("kept"), 0));
    CHECK_INT(virConnectNumOfDomains(other), 2);
    virDomainFree(domain);
    virDomainFree(kept);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(virConnectNumOfDomains(other), 1);
    CHECK_PTR(kept = virDomainLookupByName(other, "kept"));
    CHECK_OK(virDomainDestroy(kept));
    virDomainFree(kept);
    CHECK_INT(virConnectClose(other), 0);
}

TEST(the_live_document_knows_the_pty)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr domain;
    char *xml;

    needsPty();
    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, "<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory>"
                                          "<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os><devices>"
                                          "<serial type='pty'/></devices></domain>", VIR_DOMAIN_START_PAUSED));
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, 0));
    CHECK_CONTAINS(xml, "<source path='/dev/pts/");
    free(xml);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(vcpus_have_threads_with_times_and_affinity)
{
    virConnectPtr conn = openRoot("root");
    unsigned char maps[4][8];
    virVcpuInfo vcpus[4];
    virDomainPtr domain;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, "<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory>"
                                          "<vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os></domain>", 0));
    CHECK_INT(virDomainGetVcpus(domain, vcpus, 4, &maps[0][0], 8), 2);
    CHECK_INT(vcpus[1].number, 1);
    CHECK_INT(vcpus[0].state, VIR_VCPU_RUNNING);
    CHECK(maps[1][0] != 0);
    CHECK_INT(virDomainGetVcpusFlags(domain, VIR_DOMAIN_VCPU_LIVE), 2);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(starting_and_ending_leaves_nothing_behind)
{
    virConnectPtr conn = openRoot("root");
    int descriptors = 0, threads = countThreads();

    CHECK_PTR(conn);
    for (int i = 0; i < 8; i++) {
        virDomainPtr domain = virDomainCreateXML(conn, smallXml("one"), i % 2 != 0 ? VIR_DOMAIN_START_PAUSED : 0);

        CHECK_PTR(domain);
        CHECK_OK(virDomainDestroyFlags(domain, i % 3 == 0 ? VIR_DOMAIN_DESTROY_GRACEFUL : 0));
        virDomainFree(domain);
        if (i == 1)
            descriptors = countDescriptors();
    }
    CHECK_INT(countDescriptors(), descriptors);
    CHECK_INT(countThreads(), threads);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_root_opens_and_closes_thousands_of_times)
{
    virConnectPtr conn;
    int descriptors = 0;

    for (int i = 0; i < (harnessIsSanitized() ? 300 : 10000); i++) {
        CHECK_PTR(conn = openRoot("root"));
        CHECK_INT(virConnectClose(conn), 0);
        if (i == 0)
            descriptors = countDescriptors();
    }
    CHECK_INT(countDescriptors(), descriptors);
}

/* ---- threads ---- */

static atomic_bool enough;

static void *
askAll(void *opaque)
{
    virConnectPtr conn = opaque;

    while (!enough) {
        virDomainPtr domain = virDomainLookupByName(conn, "one");
        virDomainControlInfo control;
        virDomainInfo info;
        virVcpuInfo vcpu;
        char *xml;

        CHECK_PTR(domain);
        CHECK_OK(virDomainGetInfo(domain, &info));
        CHECK_PTR(xml = virDomainGetXMLDesc(domain, 0));
        free(xml);
        CHECK(virConnectNumOfDomains(conn) >= 0);
        virDomainGetVcpus(domain, &vcpu, 1, NULL, 0);         /* these two fail while it does not run */
        virDomainGetControlInfo(domain, &control, 0);
        virDomainFree(domain);
    }
    return NULL;
}

static void *
changeAll(void *opaque)
{
    virDomainPtr domain = virDomainLookupByName(opaque, "one");

    CHECK_PTR(domain);
    for (int i = 0; i < 15; i++) {
        /* The other thread does the same, so that each of these may come too late. */
        virDomainCreate(domain);
        virDomainSuspend(domain);
        virDomainResume(domain);
        virDomainReset(domain, 0);
        if (virDomainDestroy(domain) < 0)
            CHECK_ERROR(VIR_ERR_OPERATION_INVALID);
    }
    virDomainFree(domain);
    return NULL;
}

static void *
runLoop(void *opaque)
{
    (void)opaque;
    while (!enough)
        CHECK_OK(virEventRunDefaultImpl());
    return NULL;
}

static void
manyThreads(bool withLoop)
{
    virConnectPtr conn;
    virDomainPtr domain;
    pthread_t threads[5];

    if (withLoop)
        useLoop();
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("one")));
    enough = false;
    if (withLoop)
        watchEvents(conn);
    CHECK_INT(pthread_create(&threads[4], NULL, withLoop ? runLoop : askAll, conn), 0);
    CHECK_INT(pthread_create(&threads[0], NULL, askAll, conn), 0);
    CHECK_INT(pthread_create(&threads[1], NULL, askAll, conn), 0);
    CHECK_INT(pthread_create(&threads[2], NULL, changeAll, conn), 0);
    CHECK_INT(pthread_create(&threads[3], NULL, changeAll, conn), 0);
    pthread_join(threads[2], NULL);
    pthread_join(threads[3], NULL);
    enough = true;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_join(threads[4], NULL);
    CHECK_INT(virDomainIsActive(domain), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST_LIMIT(many_threads_use_one_guest, 120)
{
    manyThreads(false);
}

TEST_LIMIT(many_threads_use_one_guest_beside_an_event_loop, 120)
{
    manyThreads(true);
}

TEST(firmware_variables_go_only_when_told)
{
    char uri[512], xml[2048];
    const char *vars = scratchPath("vars.fd"), *code = scratchPath("code.fd");
    virConnectPtr conn;
    virDomainPtr domain;

    needsQemu();
    writeFile(vars, "variables");
    writeFile(code, "code");
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("root"));
    snprintf(xml, sizeof(xml),
             "<domain type='qemu'><name>uefi</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type>"
             "<loader readonly='yes' type='pflash'>%s</loader><nvram>%s</nvram></os><features><acpi/></features></domain>", code, vars);
    CHECK_PTR(conn = virConnectOpen(uri));
    CHECK_PTR(domain = virDomainDefineXML(conn, xml));
    CHECK_FAILS(virDomainUndefine(domain), VIR_ERR_OPERATION_INVALID);
    CHECK(fileExists(vars));
    CHECK_OK(virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM));
    CHECK(fileExists(vars));
    virDomainFree(domain);
    CHECK_PTR(domain = virDomainDefineXML(conn, xml));
    CHECK_OK(virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_NVRAM));
    CHECK(!fileExists(vars));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

/* Programs that have no wish take the first. */
TEST(the_capabilities_name_the_default_machine_first)
{
    virConnectPtr conn;
    virDomainPtr domain;
    char *text, *xml, *first, machine[128];

    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("plain")));
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, 0));
    CHECK_PTR(text = virConnectGetCapabilities(conn));
    CHECK_PTR(first = strstr(text, "<arch name='x86_64'>"));
    CHECK_PTR(first = strstr(first, "<machine "));
    CHECK_INT(sscanf(first, "<machine maxCpus='%*d'>%100[^<]", machine), 1);
    CHECK_INT(strncmp(machine, "pc-", 3), 0);
    strcat(machine, "'");
    CHECK_CONTAINS(xml, machine);
    free(xml);
    free(text);
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}
