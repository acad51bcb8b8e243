/* The hook script: when it is called, with what, and what its failure means. */
#include "../qemu_guest.h"

#include <sys/stat.h>

/* A script that notes its arguments, and the guest's name in the document; `more` follows. */
static void
installHook(const char *more)
{
    char text[2048];

    snprintf(text, sizeof(text), "#!/bin/sh\nname=$(sed -n 's|.*<name>\\(.*\\)</name>.*|\\1|p')\n"
             "echo \"$1 $2 $3 $4 <$name>\" >> %s\n%s\n", scratchPath("calls"), more);
    CHECK(mkdir(scratchPath("root"), 0700) == 0 && mkdir(scratchPath("root/hooks"), 0700) == 0);
    writeFile(scratchPath("root/hooks/qemu"), text);
    CHECK_INT(chmod(scratchPath("root/hooks/qemu"), 0700), 0);
}

static void
checkCalls(const char *expected)
{
    char *calls = readFile(scratchPath("calls"));

    CHECK_STR(calls, expected);
    free(calls);
    CHECK_INT(unlink(scratchPath("calls")), 0);
}

TEST(the_script_is_called_at_each_step_with_the_document)
{
    virConnectPtr conn;
    virDomainPtr domain;

    needsQemu();
    installHook("");
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("one"), 0));
    checkCalls("one prepare begin - <one>\none start begin - <one>\none started begin - <one>\n");
    CHECK_OK(virDomainDestroy(domain));
    checkCalls("one stopped end destroyed <one>\none release end destroyed <one>\n");
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_guest_that_powers_off_is_released_too)
{
    virConnectPtr conn;
    virDomainPtr domain;

    needsQemu();
    installHook("");
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainDefineXML(conn, countingXml("one", "--after 20 --then poweroff", "", "")));
    CHECK_OK(virDomainCreate(domain));
    CHECK_INT(unlink(scratchPath("calls")), 0);
    WAIT_FOR(stateOf(domain) == VIR_DOMAIN_SHUTOFF, 20000);
    checkCalls("one stopped end shutdown <one>\none release end shutdown <one>\n");
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

/* The start fails at this operation, with the script's words in the error and nothing left. */
static void
checkRefusal(const char *operation, const char *calls)
{
    virConnectPtr conn;
    char more[128];

    needsQemu();
    snprintf(more, sizeof(more), "if [ $2 = %s ]; then echo 'no more ports' >&2; exit 3; fi", operation);
    installHook(more);
    CHECK_PTR(conn = openRoot("root"));
    CHECK_FAILS_NULL(virDomainCreateXML(conn, smallXml("one"), 0), strcmp(operation, "started") == 0 ? VIR_ERR_INTERNAL_ERROR
                                                                                                    : VIR_ERR_HOOK_SCRIPT_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "no more ports");
    checkCalls(calls);
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK(!fileExists(scratchPath("root/run/one.xml")));
    CHECK(!fileExists(scratchPath("root/run/one.monitor")));
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_failing_prepare_refuses_the_start)
{
    checkRefusal("prepare", "one prepare begin - <one>\none release end failed <one>\n");
}

TEST(a_failing_start_refuses_the_start)
{
    checkRefusal("start", "one prepare begin - <one>\none start begin - <one>\none release end failed <one>\n");
}

TEST(a_failing_started_ends_the_guest)
{
    checkRefusal("started", "one prepare begin - <one>\none start begin - <one>\none started begin - <one>\n"
                 "one stopped end failed <one>\none release end failed <one>\n");
}

TEST(failures_at_the_end_change_nothing)
{
    virConnectPtr conn;
    virDomainPtr domain;

    needsQemu();
    installHook("case $2 in stopped|release) exit 1;; esac");
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("one"), 0));
    CHECK_OK(virDomainDestroy(domain));
    CHECK_INT(virConnectNumOfDomains(conn), 0);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(a_guest_found_again_is_announced)
{
    virConnectPtr conn;
    virDomainPtr domain;

    needsQemu();
    installHook("");
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("one"), 0));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(unlink(scratchPath("calls")), 0);
    CHECK_PTR(conn = openRoot("root"));
    checkCalls("one reconnect begin - <one>\n");
    CHECK_PTR(domain = virDomainLookupByName(conn, "one"));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}
