/*
 * Guests outlive the program that started them. Each test starts guests in a child process that ends without a farewell, and
 * looks at what the next one finds.
 */
#include "../qemu_guest.h"
#include "../fault.h"

#include <sys/wait.h>

/* Runs func(conn) in another process, which then dies as by a crash. */
static void
inAnother(void (*func)(virConnectPtr conn))
{
    pid_t pid = fork();
    int status = 0;

    CHECK(pid >= 0);
    if (pid == 0) {
        virConnectPtr conn = openRoot("root");

        CHECK_PTR(conn);
        func(conn);
        fflush(NULL);
        kill(getpid(), SIGKILL);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_MSG(WIFSIGNALED(status), "the other process failed");
}

static void
startThree(virConnectPtr conn)
{
    virDomainPtr domain;

    CHECK_PTR(virDomainCreateXML(conn, countingXml("running", "", "", ""), 0));
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("paused"), 0));
    CHECK_OK(virDomainSuspend(domain));
    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("defined")));
    CHECK_OK(virDomainSetAutostart(domain, 1));
    CHECK_OK(virDomainCreateWithFlags(domain, VIR_DOMAIN_START_PAUSED));
    CHECK_OK(virDomainResume(domain));
}

static virDomainPtr
found(virConnectPtr conn, const char *name, int id, int state, int reason)
{
    virDomainPtr domain = virDomainLookupByName(conn, name);

    CHECK_PTR(domain);
    harnessContext("%s", name);
    CHECK_INT((int)virDomainGetID(domain), id);
    CHECK_INT(stateOf(domain), state);
    CHECK_INT(reasonOf(domain), reason);
    return domain;
}

TEST(guests_are_found_again_with_ids_states_and_reasons)
{
    virDomainPtr running, paused, defined, later;
    virConnectPtr conn;
    int autostart = 0;

    needsQemu();
    inAnother(startThree);
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectNumOfDomains(conn), 3);
    running = found(conn, "running", 1, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    paused = found(conn, "paused", 2, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    defined = found(conn, "defined", 3, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    CHECK_INT(virDomainIsPersistent(running), 0);
    CHECK_INT(virDomainIsPersistent(defined), 1);
    CHECK_OK(virDomainGetAutostart(defined, &autostart));
    CHECK_INT(autostart, 1);
    CHECK_OK(virDomainResume(paused));
    CHECK_OK(virDomainSuspend(running));
    CHECK_PTR(later = virDomainCreateXML(conn, smallXml("later"), 0));
    CHECK_INT((int)virDomainGetID(later), 4);
    CHECK_OK(virDomainDestroy(running));
    CHECK_OK(virDomainDestroy(paused));
    CHECK_OK(virDomainDestroy(defined));
    CHECK_OK(virDomainDestroy(later));
    CHECK_INT(virConnectNumOfDefinedDomains(conn), 1);
    virDomainFree(running);
    virDomainFree(paused);
    virDomainFree(defined);
    virDomainFree(later);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
}

static void
startShort(virConnectPtr conn)
{
    virDomainPtr domain;

    CHECK_PTR(domain = virDomainDefineXML(conn, countingXml("off", "--after 30 --then poweroff", "", "")));
    CHECK_OK(virDomainCreate(domain));
    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("killed")));
    CHECK_OK(virDomainCreate(domain));
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("transient"), 0));
    CHECK_INT(kill(pidOf("root", "killed"), SIGKILL), 0);
    CHECK_INT(kill(pidOf("root", "transient"), SIGKILL), 0);
}

TEST(what_became_of_a_guest_meanwhile_is_told)
{
    virConnectPtr conn;

    needsQemu();
    inAnother(startShort);
    WAIT_FOR(countProcesses(NULL, 0) == 0, 20000);
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    virDomainFree(found(conn, "off", -1, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN));
    virDomainFree(found(conn, "killed", -1, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED));
    CHECK_NULL(virDomainLookupByName(conn, "transient"));
    CHECK(!fileExists(scratchPath("root/run/transient.xml")));
    CHECK(!fileExists(scratchPath("root/run/killed.pid")));
    CHECK_INT(virConnectClose(conn), 0);
}

static void
startPaused(virConnectPtr conn)
{
    CHECK_PTR(virDomainCreateXML(conn, smallXml("one"), VIR_DOMAIN_START_PAUSED));
}

/* Replaces text in the status of guest "one". */
static void
forge(const char *from, const char *to)
{
    const char *path = scratchPath("root/run/one.xml");
    char *text = readFile(path), *at = strstr(text, from), *forged = NULL;

    CHECK_NOT_NULL(at);
    CHECK(asprintf(&forged, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    writeFile(path, forged);
    free(forged);
    free(text);
}

TEST(a_process_with_another_start_time_is_not_the_guest)
{
    virConnectPtr conn;
    pid_t pid;

    needsQemu();
    inAnother(startPaused);
    pid = pidOf("root", "one");
    forge(" start='", " start='7");
    CHECK_INT(unlink(scratchPath("root/run/one.monitor")), 0);
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    CHECK_INT(kill(pid, 0), 0);                        /* not ours, not touched */
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_process_with_another_uuid_is_not_the_guest)
{
    virConnectPtr conn;
    pid_t pid;

    needsQemu();
    inAnother(startPaused);
    pid = pidOf("root", "one");
    forge("<uuid>", "<uuid>0123");
    {
        /* keep it a uuid: drop the last four digits */
        char *text = readFile(scratchPath("root/run/one.xml")), *end = strstr(text, "</uuid>");

        memmove(end - 4, end, strlen(end) + 1);
        writeFile(scratchPath("root/run/one.xml"), text);
        free(text);
    }
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    CHECK_INT(kill(pid, 0), 0);
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_start_that_was_never_recorded_is_ended)
{
    virConnectPtr conn;

    needsQemu();
    inAnother(startPaused);
    CHECK_INT(unlink(scratchPath("root/run/one.xml")), 0);
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    WAIT_FOR(countProcesses(NULL, 0) == 0, 5000);
    CHECK(!fileExists(scratchPath("root/run/one.monitor")));
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_start_that_was_never_finished_is_ended)
{
    virConnectPtr conn;

    needsQemu();
    inAnother(startPaused);
    forge("<domstatus ", "<domstatus starting='yes' ");
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_hung_guest_is_kept_and_the_others_do_not_wait_long)
{
    virDomainControlInfo control;
    virConnectPtr conn;
    virDomainPtr domain;
    long long start;
    pid_t pid;

    needsQemu();
    inAnother(startPaused);
    pid = pidOf("root", "one");
    harnessStop(pid);
    start = harnessNowMs();
    CHECK_PTR(conn = openRoot("root"));
    CHECK_LESS(harnessNowMs() - start, harnessSlow(6000));
    domain = found(conn, "one", 1, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    CHECK_OK(virDomainGetControlInfo(domain, &control, 0));
    CHECK(control.state != VIR_DOMAIN_CONTROL_OK);
    CHECK_INT(kill(pid, SIGCONT), 0);
    CHECK_OK(virDomainResume(domain));
    CHECK_INT(stateOf(domain), VIR_DOMAIN_RUNNING);
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(closing_and_opening_again_in_one_process_keeps_the_guests)
{
    virConnectPtr conn;
    virDomainPtr domain;

    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("one"), 0));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_PTR(conn = openRoot("root"));
        domain = found(conn, "one", 1, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
        virDomainFree(domain);
        CHECK_INT(virConnectClose(conn), 0);
    }
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainLookupByID(conn, 1));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
}

TEST(a_second_process_is_told_who_owns_the_directory)
{
    virConnectPtr conn;
    int status = 0;
    char owner[32];
    pid_t pid;

    needsQemu();
    snprintf(owner, sizeof(owner), "process %d", (int)getpid());
    if ((pid = fork()) == 0) {
        WAIT_FOR(fileExists(scratchPath("opened")), 10000);
        CHECK_FAILS_NULL(openRoot("root"), VIR_ERR_RESOURCE_BUSY);
        CHECK_CONTAINS(virGetLastErrorMessage(), owner);
        _exit(0);
    }
    CHECK_PTR(conn = openRoot("root"));
    writeFile(scratchPath("opened"), "");
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(marked_guests_start_when_the_directory_is_first_opened_after_a_boot)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr domain;

    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("one")));
    CHECK_OK(virDomainSetAutostart(domain, 1));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectNumOfDomains(conn), 0);        /* the same boot: whoever ended it meant it */
    CHECK_INT(virConnectClose(conn), 0);
    writeFile(scratchPath("root/run/boot"), "another");
    CHECK_PTR(conn = openRoot("root"));
    domain = found(conn, "one", 1, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainUndefine(domain));
    CHECK(!fileExists(scratchPath("root/qemu/autostart/one.xml")));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(definitions_are_there_after_a_crash)
{
    virConnectPtr conn = openRoot("root");
    virDomainPtr *all = NULL, domain;
    char *xml, *again;

    CHECK_PTR(conn);
    for (int i = 0; i < 20; i++) {
        char name[32];

        snprintf(name, sizeof(name), "guest%d", i);
        CHECK_PTR(domain = virDomainDefineXML(conn, smallXml(name)));
        virDomainFree(domain);
    }
    CHECK_PTR(domain = virDomainLookupByName(conn, "guest7"));
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, 0));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    writeFile(scratchPath("root/qemu/broken.xml"), "<domain");
    CHECK_PTR(conn = openRoot("root"));
    CHECK_INT(virConnectListAllDomains(conn, &all, 0), 20);
    for (int i = 0; i < 20; i++)
        virDomainFree(all[i]);
    free(all);
    CHECK_PTR(domain = virDomainLookupByName(conn, "guest7"));
    CHECK_PTR(again = virDomainGetXMLDesc(domain, 0));
    CHECK_STR(again, xml);
    CHECK(fileExists(scratchPath("root/qemu/broken.xml")));
    free(xml);
    free(again);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_monitor_that_was_lost_while_its_guest_lives_is_opened_again)
{
    virConnectPtr conn = openRoot("root");
    virDomainControlInfo control;
    virDomainPtr domain;
    char socket[512], away[520];

    if (harnessIsSanitized())
        SKIP("the allocations of cJSON cannot be made to fail here, and those lose the monitor");
    CHECK_PTR(conn);
    CHECK_PTR(domain = virDomainCreateXML(conn, countingXml("one", "--after 30 --then reboot", "", ""), 0));
    WAIT_FOR(hasCounted("one", 25), 20000);
    harnessSleepMs(500);                               /* RESET has come, and nobody has read it */
    faultArm(FAULT_ALLOCATION, 1, true);
    virDomainGetState(domain, &(int){ 0 }, NULL, 0);
    faultDisarm();
    CHECK_OK(virDomainGetControlInfo(domain, &control, 0));
    CHECK_INT(control.state, VIR_DOMAIN_CONTROL_ERROR);
    /* tried in vain while the way to it is not there; asking often does not put the next try off */
    snprintf(socket, sizeof(socket), "%s", scratchPath("root/run/one.monitor"));
    snprintf(away, sizeof(away), "%s.away", socket);
    CHECK_OK(rename(socket, away));
    CHECK_FAILS(virDomainSuspend(domain), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS(virDomainSuspend(domain), VIR_ERR_OPERATION_TIMEOUT);
    CHECK_OK(rename(away, socket));
    for (int i = 0; i < 25 && virDomainSuspend(domain) < 0; i++)
        harnessSleepMs(200);
    CHECK_INT(stateOf(domain), VIR_DOMAIN_PAUSED);
    CHECK_OK(virDomainGetControlInfo(domain, &control, 0));
    CHECK_INT(control.state, VIR_DOMAIN_CONTROL_OK);
    CHECK_OK(virDomainResume(domain));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
}
