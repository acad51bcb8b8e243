/* What the QEMU driver does with what cannot work: one clear error, nothing changed, nothing left, the connection still usable. */
#include "../qemu_guest.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static virConnectPtr conn;

static void
begin(void)
{
    CHECK_PTR(conn = openRoot("root"));
}

/* The connection still works, and nothing is left of what was refused. */
static void
end(void)
{
    virDomainPtr domain;

    CHECK_INT(virConnectNumOfDomains(conn), 0);
    CHECK_INT(virConnectNumOfDefinedDomains(conn), 0);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml("after"), 0));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

static void
checkRefused(const char *xml, int code, const char *words)
{
    begin();
    CHECK_FAILS_NULL(virDomainCreateXML(conn, xml, 0), code);
    CHECK_CONTAINS(virGetLastErrorMessage(), words);
    end();
}

/* A script in place of QEMU; it answers the questions about its abilities as the real one does. */
static const char *
withEmulator(const char *body)
{
    static char xml[2048];
    char text[4096];

    needsQemu();
    snprintf(text, sizeof(text), "#!/bin/bash\ncase \"$*\" in *\"-machine none\"*) exec qemu-system-x86_64 \"$@\";; esac\n"
             "fd=$(echo \"$*\" | sed -n 's/.*fd=\\([0-9]*\\).*/\\1/p')\n%s\n", body);
    writeFile(scratchPath("emulator"), text);
    CHECK_INT(chmod(scratchPath("emulator"), 0700), 0);
    snprintf(xml, sizeof(xml), "<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64'>hvm</type></os><devices><emulator>%s</emulator></devices></domain>",
             scratchPath("emulator"));
    return xml;
}

TEST(an_emulator_that_is_not_there)
{
    checkRefused("<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64'>"
                 "hvm</type></os><devices><emulator>/no/such/qemu</emulator></devices></domain>",
                 VIR_ERR_SYSTEM_ERROR, "/no/such/qemu");
}

TEST(an_emulator_that_is_no_qemu)
{
    checkRefused("<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64'>"
                 "hvm</type></os><devices><emulator>/bin/false</emulator></devices></domain>",
                 VIR_ERR_INTERNAL_ERROR, "/bin/false");
}

TEST(an_emulator_that_dies_at_once_has_the_last_word)
{
    checkRefused(withEmulator("echo 'my disk is on fire' >&2; exit 1"), VIR_ERR_INTERNAL_ERROR, "my disk is on fire");
}

TEST(an_emulator_that_dies_of_a_signal)
{
    checkRefused(withEmulator("kill -9 $$"), VIR_ERR_INTERNAL_ERROR, "QEMU did not start");
}

static const char nonsense[] =
    "exec python3 -c '\nimport socket,sys,time\ns=socket.socket(fileno='$fd')\nc,_=s.accept()\nc.setblocking(True)\n"
    "c.sendall(%s)\ntime.sleep(60)\n'";

static const char *
withMonitor(const char *says)
{
    char body[1024];

    if (system("python3 -c pass 2>/dev/null") != 0)
        SKIP("no python3 to speak nonsense");
    snprintf(body, sizeof(body), nonsense, says);
    return withEmulator(body);
}

TEST(a_monitor_that_talks_nonsense)
{
    checkRefused(withMonitor("b\"hello there\\n\""), VIR_ERR_INTERNAL_ERROR, "no JSON");
}

TEST(a_monitor_that_talks_json_but_no_qmp)
{
    checkRefused(withMonitor("b\"[1,2,3]\\n\""), VIR_ERR_INTERNAL_ERROR, "no QMP");
}

TEST(a_monitor_that_never_ends_its_line)
{
    checkRefused(withMonitor("b\"x\"*20000000"), VIR_ERR_INTERNAL_ERROR, "without end");
}

TEST(qemu_itself_refuses_and_says_why)
{
    begin();
    CHECK_FAILS_NULL(virDomainCreateXML(conn, "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                                        "<name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm"
                                        "</type></os><qemu:commandline><qemu:arg value='-nonsense'/></qemu:commandline>"
                                        "</domain>", 0), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "invalid option");
    end();
}

TEST(a_disk_that_is_not_there_is_named)
{
    begin();
    CHECK_FAILS_NULL(virDomainCreateXML(conn, "<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
                                        "<os><type arch='x86_64'>hvm</type></os><devices><disk type='file'>"
                                        "<source file='/no/such/image'/><target dev='vda'/></disk></devices></domain>", 0),
                     VIR_ERR_SYSTEM_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "disk 'vda': cannot open '/no/such/image': No such file or directory");
    end();
}

TEST(a_folder_is_no_disk)
{
    checkRefused("<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>"
                 "<devices><disk type='file'><source file='/usr'/><target dev='vda'/></disk></devices></domain>", VIR_ERR_SYSTEM_ERROR,
                 "disk 'vda': cannot open '/usr': Is a directory");
}

TEST(more_vcpus_than_the_machine_can_have_are_refused_when_it_is_defined)
{
    begin();
    CHECK_FAILS_NULL(virDomainDefineXML(conn, "<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>5000</vcpu>"
                                        "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'one': 5000 vcpus are more than");
    end();
}

TEST(parameters_of_the_uri_that_mean_nothing_here_are_named)
{
    char uri[1200];

    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&no_verify=1", scratchPath("root"));
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "'no_verify'");
    snprintf(uri, sizeof(uri), "qemu:///session?root=%s", scratchPath("root"));
    CHECK_FAILS_NULL(virConnectOpen(uri), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "qemu:///embed");
    CHECK(!fileExists(scratchPath("root")));
}

TEST(a_name_that_is_no_file_name)
{
    char xml[1024], name[301];

    checkRefused(smallXml("../one"), VIR_ERR_XML_ERROR, "cannot contain '/'");
    memset(name, 'n', 300);
    name[300] = '\0';
    snprintf(xml, sizeof(xml), "%s", smallXml(name));
    checkRefused(xml, VIR_ERR_XML_ERROR, "too long");
}

TEST(a_long_name_and_a_long_root_work)
{
    char name[201], root[181];
    virDomainPtr domain;

    memset(name, 'n', 200);
    name[200] = '\0';
    memset(root, 'r', 180);
    root[180] = '\0';
    CHECK_PTR(conn = openRoot(root));
    CHECK_PTR(domain = virDomainCreateXML(conn, smallXml(name), 0));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_PTR(conn = openRoot(root));
    CHECK_PTR(domain = virDomainLookupByName(conn, name));
    CHECK_OK(virDomainSuspend(domain));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(uris_that_name_no_directory)
{
    needsQemu();
    CHECK_FAILS_NULL(virConnectOpen("qemu:///embed"), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "root=DIR");
    CHECK_FAILS_NULL(virConnectOpen("qemu:///embed?root=relative"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpen("qemu:///nonsense"), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "qemu:///system");
    CHECK_FAILS_NULL(virConnectOpen("qemu:///embed?root=/proc/nowhere"), VIR_ERR_SYSTEM_ERROR);
}

TEST(a_start_that_is_refused_leaves_the_definition)
{
    virDomainPtr domain;
    char *xml, *again;

    begin();
    CHECK_PTR(domain = virDomainDefineXML(conn, withEmulator("echo 'not today' >&2; exit 1")));
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, 0));
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "not today");
    CHECK_INT(stateOf(domain), VIR_DOMAIN_SHUTOFF);
    CHECK_INT(reasonOf(domain), VIR_DOMAIN_SHUTOFF_FAILED);
    CHECK_PTR(again = virDomainGetXMLDesc(domain, 0));
    CHECK_STR(again, xml);
    CHECK_OK(virDomainUndefine(domain));
    free(xml);
    free(again);
    virDomainFree(domain);
    end();
}

/* A file system of a few pages, filled up. */
TEST(a_full_disk_under_the_state_directory)
{
    virDomainPtr domain;
    char *junk;

    needsQemu();
    CHECK_INT(mkdir(scratchPath("root"), 0700), 0);
    /* in a mount name space of this test's own, so that it goes with the test */
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
        || mount("none", scratchPath("root"), "tmpfs", 0, "size=512k") < 0)
        SKIP("no right to mount a small file system");
    begin();
    CHECK_PTR(domain = virDomainDefineXML(conn, smallXml("one")));
    CHECK_NOT_NULL(junk = calloc(1, 600 * 1024));
    memset(junk, 'j', 600 * 1024 - 1);
    {
        FILE *f = fopen(scratchPath("root/junk"), "w");

        setvbuf(f, NULL, _IONBF, 0);
        while (fwrite(junk, 1024, 1, f) == 1)
            ;
        fclose(f);
    }
    CHECK_FAILS_NULL(virDomainDefineXML(conn, smallXml("two")), VIR_ERR_SYSTEM_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "No space left");
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_SYSTEM_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "No space left");
    CHECK_INT(virConnectNumOfDefinedDomains(conn), 1);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK_INT(unlink(scratchPath("root/junk")), 0);
    CHECK_OK(virDomainCreate(domain));
    CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainUndefine(domain));
    virDomainFree(domain);
    free(junk);
    end();
}
