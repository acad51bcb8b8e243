/* The test driver as an application sees it: what libvirt's default host has, the life of a guest, lists, metadata, names. */
#include "../../virt.h"
#include "../harness.h"
#include "../fault.h"

#include <pthread.h>

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define GUEST(name, uuid) "<domain type='test'><name>" name "</name><uuid>" uuid "</uuid><memory unit='MiB'>64</memory>" \
                          "<vcpu>1</vcpu><os><type arch='i686'>hvm</type></os></domain>"
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "21111111-2222-3333-4444-555555555555"

static virConnectPtr
openDefault(void)
{
    virConnectPtr conn;

    CHECK_PTR(conn = virConnectOpen("test:///default"));
    return conn;
}

static int
stateOf(virDomainPtr domain, int *reason)
{
    int state;

    CHECK_OK(virDomainGetState(domain, &state, reason, 0));
    return state;
}

static void
checkXml(virDomainPtr domain, unsigned int flags, const char *part, bool there)
{
    char *xml = virDomainGetXMLDesc(domain, flags);

    CHECK_PTR(xml);
    CHECK_MSG((strstr(xml, part) != NULL) == there, "'%s' is%s in %s", part, there ? " not" : "", xml);
    free(xml);
}

TEST(default_host_is_the_one_of_libvirt)
{
    virConnectPtr conn = openDefault();
    virNodeInfo info;
    unsigned long version;
    unsigned long long cells[4];
    unsigned char *map;
    unsigned int online;
    char *text;

    CHECK_STR(virConnectGetType(conn), "TEST");
    CHECK_OK(virConnectGetVersion(conn, &version));
    CHECK_UINT(version, 2);
    CHECK_INT(virConnectGetMaxVcpus(conn, NULL), 32);
    CHECK_INT(virConnectIsAlive(conn), 1);
    CHECK_INT(virConnectIsSecure(conn), 1);
    CHECK_INT(virConnectIsEncrypted(conn), 0);
    CHECK_OK(virNodeGetInfo(conn, &info));
    CHECK_STR(info.model, "i686");
    CHECK_UINT(info.memory, 3145728);
    CHECK_UINT(info.cpus, 16);
    CHECK_UINT(info.mhz, 1400);
    CHECK_UINT(virNodeGetFreeMemory(conn), 3145728);
    CHECK_INT(virNodeGetCellsFreeMemory(conn, cells, 0, 4), 2);
    CHECK_UINT(cells[1], 4194304);
    CHECK_FAILS(virNodeGetCellsFreeMemory(conn, cells, 2, 1), VIR_ERR_INVALID_ARG);
    CHECK_INT(virNodeGetCPUMap(conn, &map, &online, 0), 8);
    CHECK_INT(map[0], 0x15);
    CHECK_UINT(online, 3);
    free(map);
    CHECK_PTR(text = virConnectGetCapabilities(conn));
    CHECK_CONTAINS(text, "<arch name='i686'>");
    free(text);
    CHECK_PTR(text = virConnectGetSysinfo(conn, 0));
    CHECK_CONTAINS(text, "LENOVO");
    free(text);
    virConnectClose(conn);
}

TEST(default_guest_is_the_one_of_libvirt)
{
    virConnectPtr conn = openDefault();
    virDomainPtr domain;
    virDomainInfo info;
    virVcpuInfo vcpus[4];
    unsigned char maps[4];
    int reason;
    char *text;

    CHECK_INT(virConnectNumOfDomains(conn), 1);
    CHECK_INT(virConnectNumOfDefinedDomains(conn), 0);
    CHECK_PTR(domain = virDomainLookupByUUIDString(conn, UUID));
    CHECK_STR(virDomainGetName(domain), "test");
    CHECK_UINT(virDomainGetID(domain), 1);
    CHECK_INT(stateOf(domain, &reason), VIR_DOMAIN_RUNNING);
    CHECK_INT(reason, VIR_DOMAIN_RUNNING_UNKNOWN);
    CHECK_OK(virDomainGetInfo(domain, &info));
    CHECK_UINT(info.maxMem, 8388608);
    CHECK_UINT(info.memory, 2097152);
    CHECK_UINT(info.nrVirtCpu, 2);
    CHECK(info.cpuTime > 0);
    CHECK_PTR(text = virDomainGetOSType(domain));
    CHECK_STR(text, "linux");
    free(text);
    CHECK_UINT(virDomainGetMaxMemory(domain), 8388608);
    CHECK_INT(virDomainGetMaxVcpus(domain), 2);
    maps[2] = 0x5a;                            /* of no virtual CPU: stays as it was */
    CHECK_INT(virDomainGetVcpus(domain, vcpus, 4, maps, 1), 2);
    CHECK_INT(vcpus[1].state, VIR_VCPU_RUNNING);
    CHECK_INT(maps[0], 0xff);
    CHECK_INT(maps[2], 0x5a);
    CHECK_INT(virDomainGetVcpuPinInfo(domain, 4, maps, 1, 0), 2);
    CHECK_INT(maps[2], 0x5a);
    CHECK_INT(virDomainGetEmulatorPinInfo(domain, maps, 1, 0), 1);
    checkXml(domain, 0, "<domain type='test' id='1'>", true);
    checkXml(domain, VIR_DOMAIN_XML_INACTIVE, "<domain type='test'>", true);
    checkXml(domain, 0, "<mac address='aa:bb:cc:dd:ee:ff'/>", true);
    virDomainFree(domain);
    virConnectClose(conn);
}

TEST(default_host_is_shared_and_reset_by_the_last_close)
{
    virConnectPtr a = openDefault(), b = openDefault(), other;
    virDomainPtr domain;

    CHECK_PTR(other = virConnectOpen("test:///default?host=other"));
    CHECK_PTR(domain = virDomainLookupByName(a, "test"));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    CHECK_INT(virConnectNumOfDomains(b), 0);
    CHECK_INT(virConnectNumOfDomains(other), 1);
    virConnectClose(a);
    CHECK_INT(virConnectNumOfDomains(b), 0);
    virConnectClose(b);
    a = openDefault();
    CHECK_INT(virConnectNumOfDomains(a), 1);
    virConnectClose(a);
    virConnectClose(other);
}

TEST(uris_that_make_no_sense_are_refused)
{
    CHECK_FAILS_NULL(virConnectOpen("test:///"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpen("test:///default?speed=3"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpen("test:///default?dirty-rate=fast"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpen("test:///default?bandwidth=0"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpen("test:///default?fault=landing"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpen("test:///default?fault=finish:explode"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpen("test:///default?fault=confirm:fail"), VIR_ERR_INVALID_ARG);
    CHECK(virConnectOpen("test:///nonexistent/node.xml") == NULL);
}

static int
askTheGuestOfAnEvent(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    char *xml = virDomainGetXMLDesc(domain, 0);
    int *count = opaque;

    (void)conn;
    (void)detail;
    CHECK_INT(xml != NULL, event != VIR_DOMAIN_EVENT_STOPPED);      /* a transient one is gone by then */
    if (xml == NULL)
        CHECK_ERROR(VIR_ERR_NO_DOMAIN);
    free(xml);
    (*count)++;
    return 0;
}

TEST(a_callback_may_ask_about_its_guest)
{
    virConnectPtr conn;
    virDomainPtr domain;
    int count = 0, id;

    CHECK_OK(virEventRegisterDefaultImpl());
    conn = openDefault();
    CHECK_OK(id = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                   VIR_DOMAIN_EVENT_CALLBACK(askTheGuestOfAnEvent), &count, NULL));
    CHECK_PTR(domain = virDomainCreateXML(conn, "<domain type='test'><name>x</name><memory>8192</memory><os><type>hvm</type></os></domain>", 0));
    while (count < 1)
        CHECK_OK(virEventRunDefaultImpl());
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    while (count < 2)
        CHECK_OK(virEventRunDefaultImpl());
    CHECK_OK(virConnectDomainEventDeregisterAny(conn, id));
    virConnectClose(conn);
}

TEST(a_guest_of_any_hypervisor_can_be_simulated)
{
    static const char *const types[] = { "test", "qemu", "kvm", "xen", "lxc", "hyperv" };
    virConnectPtr conn = openDefault();
    virDomainPtr domain;
    char xml[256];

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        snprintf(xml, sizeof(xml), "<domain type='%s'><name>x</name><memory>8192</memory><os><type>hvm</type></os></domain>", types[i]);
        CHECK_PTR(domain = virDomainDefineXML(conn, xml));
        CHECK_OK(virDomainUndefine(domain));
        virDomainFree(domain);
    }
    CHECK_FAILS_NULL(virDomainDefineXML(conn, "<domain type='bogus'><name>x</name><memory>8192</memory><os><type>hvm</type></os></domain>"),
                     VIR_ERR_CONFIG_UNSUPPORTED);
    virConnectClose(conn);
}

/* A call that tells it as a long says so when a long is too short, and never a part of it. */
TEST(more_memory_than_a_long_counts)
{
    virConnectPtr conn = openDefault();
    virDomainPtr domain = virDomainDefineXML(conn, "<domain type='test'><name>large</name><memory unit='TiB'>5</memory>"
                                             "<os><type arch='x86_64'>hvm</type></os></domain>");
    virDomainInfo info;

    CHECK_PTR(domain);
    if (sizeof(long) == 8) {
        CHECK_OK(virDomainGetInfo(domain, &info));
        CHECK_UINT(info.memory, 5ULL << 30);
        CHECK_UINT(virDomainGetMaxMemory(domain), 5ULL << 30);
    } else {
        CHECK_FAILS(virDomainGetInfo(domain, &info), VIR_ERR_OVERFLOW);
        CHECK_UINT(virDomainGetMaxMemory(domain), 0);
        CHECK_INT(virGetLastErrorCode(), VIR_ERR_OVERFLOW);
    }
    CHECK_OK(virDomainFree(domain));
    virConnectClose(conn);
}

TEST(node_file_describes_a_host)
{
    const char *path = scratchPath("node.xml");
    virConnectPtr conn;
    virDomainPtr domain;
    virNodeInfo info;
    char uri[256];

    writeFile(scratchPath("guest.xml"), GUEST("fromfile", UUID_B));
    writeFile(path, "<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
              "<cpu><model>x</model><mhz>5</mhz><active>6</active><nodes>3</nodes></cpu><memory>1000</memory>"
              "<domain file='guest.xml'/>"
              "<domain type='test'><name>inline</name><memory>64</memory><os><type>hvm</type></os>"
              "<test:runstate>3</test:runstate><test:transient/></domain>"
              "<domain type='test'><name>off</name><memory>64</memory><os><type>hvm</type></os>"
              "<test:runstate>5</test:runstate></domain></node>");
    snprintf(uri, sizeof(uri), "test://%s%s", *path == '/' ? "" : "/", path);     /* test:///C:/... */
    CHECK_PTR(conn = virConnectOpen(uri));
    CHECK_OK(virNodeGetInfo(conn, &info));
    CHECK_STR(info.model, "x");
    CHECK_UINT(info.mhz, 5);
    CHECK_UINT(info.cpus, 6);
    CHECK_UINT(info.memory, 1000);
    CHECK_INT(virConnectNumOfDomains(conn), 2);
    CHECK_PTR(domain = virDomainLookupByName(conn, "fromfile"));
    CHECK_INT(stateOf(domain, NULL), VIR_DOMAIN_RUNNING);
    CHECK_INT(virDomainIsPersistent(domain), 1);
    virDomainFree(domain);
    CHECK_PTR(domain = virDomainLookupByName(conn, "inline"));
    CHECK_INT(stateOf(domain, NULL), VIR_DOMAIN_PAUSED);
    CHECK_INT(virDomainIsPersistent(domain), 0);
    virDomainFree(domain);
    CHECK_PTR(domain = virDomainLookupByName(conn, "off"));
    CHECK_INT(stateOf(domain, NULL), VIR_DOMAIN_SHUTOFF);
    virDomainFree(domain);
    virConnectClose(conn);

    writeFile(path, "<node><domain type='test'><name>broken</name></domain></node>");
    CHECK(virConnectOpen(uri) == NULL);
    writeFile(path, "<domain type='test'/>");
    CHECK(virConnectOpen(uri) == NULL);
}

TEST(a_guest_lives_and_ends_as_told)
{
    virConnectPtr conn = openDefault();
    virDomainPtr domain;
    int reason;

    CHECK_PTR(domain = virDomainDefineXML(conn, GUEST("life", UUID_A)));
    CHECK_INT(virDomainIsActive(domain), 0);
    CHECK_FAILS(virDomainSuspend(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainShutdown(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virDomainCreate(domain));
    CHECK_UINT(virDomainGetID(domain), 2);
    CHECK_INT(stateOf(domain, &reason), VIR_DOMAIN_RUNNING);
    CHECK_INT(reason, VIR_DOMAIN_RUNNING_BOOTED);
    CHECK_FAILS(virDomainCreate(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virDomainSuspend(domain));
    CHECK_OK(virDomainSuspend(domain));
    CHECK_INT(stateOf(domain, &reason), VIR_DOMAIN_PAUSED);
    CHECK_INT(reason, VIR_DOMAIN_PAUSED_USER);
    CHECK_OK(virDomainResume(domain));
    CHECK_INT(stateOf(domain, &reason), VIR_DOMAIN_RUNNING);
    CHECK_INT(reason, VIR_DOMAIN_RUNNING_UNPAUSED);
    CHECK_OK(virDomainReboot(domain, 0));
    CHECK_OK(virDomainReset(domain, 0));
    CHECK_INT(virDomainIsActive(domain), 1);
    CHECK_OK(virDomainShutdown(domain));
    CHECK_INT(stateOf(domain, &reason), VIR_DOMAIN_SHUTOFF);
    CHECK_INT(reason, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
    CHECK_UINT(virDomainGetID(domain), (unsigned int)-1);
    CHECK_OK(virDomainCreateWithFlags(domain, VIR_DOMAIN_START_PAUSED));
    CHECK_INT(stateOf(domain, &reason), VIR_DOMAIN_PAUSED);
    CHECK_OK(virDomainUndefine(domain));
    CHECK_INT(virDomainIsPersistent(domain), 0);
    CHECK_FAILS(virDomainUndefine(domain), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainSetAutostart(domain, 1), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_FAILS(virDomainIsActive(domain), VIR_ERR_NO_DOMAIN);
    CHECK_FAILS_NULL(virDomainLookupByName(conn, "life"), VIR_ERR_NO_DOMAIN);
    virDomainFree(domain);

    /* What the document says of powering off and rebooting is what happens. */
    CHECK_PTR(domain = virDomainCreateXML(conn, "<domain type='test'><name>odd</name><memory>64</memory><os><type>hvm</type></os>"
                                          "<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot></domain>", 0));
    CHECK_OK(virDomainShutdown(domain));
    CHECK_INT(virDomainIsActive(domain), 1);
    CHECK_OK(virDomainReboot(domain, 0));
    CHECK_FAILS(virDomainIsActive(domain), VIR_ERR_NO_DOMAIN);
    virDomainFree(domain);
    virConnectClose(conn);
}

TEST(names_and_uuids_are_taken_once)
{
    virConnectPtr conn = openDefault();
    virDomainPtr a, again;

    CHECK_PTR(a = virDomainDefineXML(conn, GUEST("a", UUID_A)));
    CHECK_FAILS_NULL(virDomainDefineXML(conn, GUEST("b", UUID_A)), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'a' is already defined with uuid " UUID_A);
    CHECK_FAILS_NULL(virDomainDefineXML(conn, GUEST("a", UUID_B)), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'a' already exists with uuid " UUID_A);
    CHECK_FAILS_NULL(virDomainCreateXML(conn, GUEST("a", UUID_B), 0), VIR_ERR_OPERATION_FAILED);
    CHECK_PTR(again = virDomainCreateXML(conn, GUEST("a", UUID_A), 0));
    CHECK_INT(virDomainIsPersistent(again), 1);
    CHECK_FAILS_NULL(virDomainCreateXML(conn, GUEST("a", UUID_A), 0), VIR_ERR_OPERATION_INVALID);
    virDomainFree(again);
    CHECK_INT(virDomainIsUpdated(a), 0);
    CHECK_PTR(again = virDomainDefineXML(conn, GUEST("a", UUID_A)));
    CHECK_INT(virDomainIsUpdated(a), 1);
    virDomainFree(again);
    /* a handle goes on to mean the domain of its uuid, also one that comes later */
    CHECK_OK(virDomainDestroy(a));
    CHECK_OK(virDomainUndefine(a));
    CHECK_FAILS(virDomainIsActive(a), VIR_ERR_NO_DOMAIN);
    CHECK_PTR(again = virDomainDefineXML(conn, GUEST("c", UUID_A)));
    CHECK_INT(virDomainIsActive(a), 0);
    virDomainFree(again);
    virDomainFree(a);
    virConnectClose(conn);
}

static void
checkList(virConnectPtr conn, unsigned int flags, const char *names)
{
    virDomainPtr *list = NULL;
    char text[128] = "";
    int n = virConnectListAllDomains(conn, &list, flags);

    CHECK_OK(n);
    for (int i = 0; i < n; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "", virDomainGetName(list[i]));
        virDomainFree(list[i]);
    }
    free(list);
    EXPECT(strcmp(text, names) == 0, "flags 0x%x list '%s', not '%s'", flags, text, names);
    CHECK_INT(virConnectListAllDomains(conn, NULL, flags), n);
}

TEST(list_filters_are_groups)
{
    virConnectPtr conn = openDefault();
    virDomainPtr off, transient;
    int ids[4];
    char *names[4];

    CHECK_PTR(off = virDomainDefineXML(conn, GUEST("off", UUID_A)));
    CHECK_PTR(transient = virDomainCreateXML(conn, GUEST("transient", UUID_B), VIR_DOMAIN_START_PAUSED));
    CHECK_OK(virDomainSetAutostart(off, 1));
    checkList(conn, 0, "test off transient");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_ACTIVE, "test transient");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_INACTIVE, "off");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE, "test off transient");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_PERSISTENT, "test off");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, "transient");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_ACTIVE, "test");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_RUNNING, "test");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_PAUSED | VIR_CONNECT_LIST_DOMAINS_SHUTOFF, "off transient");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_OTHER, "");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_AUTOSTART, "off");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART, "test transient");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, "");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE, "test off transient");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, "");
    checkList(conn, VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT, "test off transient");
    CHECK_INT(virConnectListDomains(conn, ids, 4), 2);
    CHECK_INT(ids[0], 1);
    CHECK_INT(virConnectListDomains(conn, ids, 1), 1);
    CHECK_INT(virConnectListDefinedDomains(conn, names, 4), 1);
    CHECK_STR(names[0], "off");
    free(names[0]);
    virDomainFree(off);
    virDomainFree(transient);
    virConnectClose(conn);
}

TEST(rename_keeps_everything_but_the_name)
{
    virConnectPtr conn = openDefault();
    virDomainPtr domain, found;

    CHECK_PTR(domain = virDomainDefineXML(conn, GUEST("old", UUID_A)));
    CHECK_FAILS(virDomainRename(domain, "test", 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainRename(domain, "old", 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainRename(domain, "a/b", 0), VIR_ERR_XML_ERROR);
    CHECK_FAILS(virDomainRename(domain, "..", 0), VIR_ERR_XML_ERROR);
    CHECK_FAILS(virDomainRename(domain, "a\nb", 0), VIR_ERR_XML_DETAIL);
    CHECK(virDomainRename(domain, "a\xff\xfe", 0) < 0);
    CHECK_FAILS(virDomainRename(domain, "", 0), VIR_ERR_INVALID_ARG);
    CHECK_OK(virDomainRename(domain, "new", 0));
    CHECK_FAILS_NULL(virDomainLookupByName(conn, "old"), VIR_ERR_NO_DOMAIN);
    CHECK_PTR(found = virDomainLookupByName(conn, "new"));
    checkXml(found, 0, "<name>new</name>", true);
    virDomainFree(found);
    CHECK_OK(virDomainCreate(domain));
    CHECK_FAILS(virDomainRename(domain, "newer", 0), VIR_ERR_OPERATION_INVALID);
    virDomainFree(domain);
    virConnectClose(conn);
}

static void
checkMetadata(virDomainPtr domain, int type, const char *uri, unsigned int flags, const char *expected)
{
    char *text = virDomainGetMetadata(domain, type, uri, flags);

    if (expected == NULL)
        CHECK_ERROR(VIR_ERR_NO_DOMAIN_METADATA);
    CHECK_STR(text, expected);
    free(text);
}

TEST(metadata_goes_where_the_flags_say)
{
    virConnectPtr conn = openDefault();
    virDomainPtr domain;

    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    checkMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, 0, NULL);
    CHECK_OK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "A <title>", NULL, NULL, 0));
    checkMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, VIR_DOMAIN_AFFECT_LIVE, "A <title>");
    checkMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, VIR_DOMAIN_AFFECT_CONFIG, NULL);
    CHECK_OK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, "two\nlines", NULL, NULL,
                                  VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG));
    checkMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, VIR_DOMAIN_AFFECT_CONFIG, "two\nlines");
    CHECK_FAILS(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "two\nlines", NULL, NULL, 0), VIR_ERR_INVALID_ARG);
    CHECK_OK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "<a><b x='1'/></a>", "k", "http://x/", 0));
    checkMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "http://x/", 0, "<a>\n  <b x='1'/>\n</a>");
    checkMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "http://y/", 0, NULL);
    checkXml(domain, 0, "<k:a xmlns:k='http://x/'>", true);
    CHECK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "<a>", "k", "http://x/", 0) < 0);
    CHECK_OK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "<c/>", "k", "http://x/", 0));
    checkMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "http://x/", 0, "<c/>");
    CHECK_OK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, NULL, NULL, "http://x/", 0));
    checkXml(domain, 0, "metadata", false);
    CHECK_OK(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, NULL, NULL, 0));
    checkMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, 0, NULL);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_FAILS(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, "x", NULL, NULL, VIR_DOMAIN_AFFECT_LIVE),
                VIR_ERR_OPERATION_INVALID);
    virDomainFree(domain);
    virConnectClose(conn);
}

static int
onEvent(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    char *text = opaque;

    (void)conn;
    snprintf(text + strlen(text), 400 - strlen(text), "%s %d/%d;", virDomainGetName(domain), event, detail);
    return 0;
}

static void
onTimer(int timer, void *opaque)
{
    (void)timer;
    *(bool *)opaque = true;
}

TEST(what_happens_is_told_in_order)
{
    char text[400] = "";
    bool over = false;
    virConnectPtr conn;
    virDomainPtr domain;
    int id, timer;

    CHECK_OK(virInitialize());
    CHECK_OK(virEventRegisterDefaultImpl());
    conn = openDefault();
    CHECK_OK(id = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                   VIR_DOMAIN_EVENT_CALLBACK(onEvent), text, NULL));
    CHECK_PTR(domain = virDomainDefineXML(conn, GUEST("e", UUID_A)));
    virDomainFree(domain);
    CHECK_PTR(domain = virDomainDefineXML(conn, GUEST("e", UUID_A)));
    CHECK_OK(virDomainRename(domain, "f", 0));
    CHECK_OK(virDomainCreate(domain));
    CHECK_OK(virDomainSuspend(domain));
    CHECK_OK(virDomainResume(domain));
    CHECK_OK(virDomainDestroy(domain));
    CHECK_OK(virDomainUndefine(domain));
    CHECK_OK(timer = virEventAddTimeout(20, onTimer, &over, NULL));
    while (!over)
        CHECK_OK(virEventRunDefaultImpl());
    virEventRemoveTimeout(timer);
    CHECK_STR(text, "e 0/0;e 0/1;e 1/1;f 0/2;f 2/0;f 3/0;f 4/0;f 5/1;f 1/0;");
    virDomainFree(domain);
    CHECK_OK(virConnectDomainEventDeregisterAny(conn, id));
    virConnectClose(conn);
}

TEST(vcpu_queries_know_live_and_config)
{
    virConnectPtr conn = openDefault();
    virDomainPtr domain, again;

    CHECK_PTR(domain = virDomainCreateXML(conn, "<domain type='test'><name>v</name><uuid>" UUID_A "</uuid><memory>64</memory>"
                                          "<vcpu current='2'>4</vcpu><os><type>hvm</type></os></domain>", 0));
    CHECK_INT(virDomainGetVcpusFlags(domain, 0), 2);
    CHECK_INT(virDomainGetVcpusFlags(domain, VIR_DOMAIN_VCPU_MAXIMUM), 4);
    CHECK_FAILS(virDomainGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_CONFIG), VIR_ERR_OPERATION_INVALID);
    CHECK_PTR(again = virDomainDefineXML(conn, "<domain type='test'><name>v</name><uuid>" UUID_A "</uuid><memory>128</memory>"
                                         "<vcpu>1</vcpu><os><type>hvm</type></os></domain>"));
    CHECK_INT(virDomainGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_CONFIG), 1);
    CHECK_INT(virDomainGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_LIVE), 2);
    CHECK_UINT(virDomainGetMaxMemory(domain), 64);
    CHECK_OK(virDomainDestroy(domain));
    CHECK_UINT(virDomainGetMaxMemory(domain), 128);
    CHECK_INT(virDomainGetVcpusFlags(domain, 0), 1);
    CHECK_FAILS(virDomainGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_LIVE), VIR_ERR_OPERATION_INVALID);
    virDomainFree(again);
    virDomainFree(domain);
    virConnectClose(conn);
}

static int
defineStartEnd(void *opaque)
{
    virDomainPtr domain = virDomainDefineXML(opaque, GUEST("fault", UUID_A));
    int rc = -1;

    if (domain == NULL) {
        virConnResetLastError(opaque);                     /* the connection has a copy */
        return -1;
    }
    if (virDomainCreate(domain) == 0 &&
        virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, "<a/>", "k", "http://x/", 3) == 0) {
        char *xml = virDomainGetXMLDesc(domain, 0);

        rc = xml != NULL ? 0 : -1;
        free(xml);
    }
    faultPause();
    if (rc < 0)
        CHECK(virGetLastErrorCode() != VIR_ERR_OK);
    if (virDomainIsActive(domain) == 1)
        virDomainDestroy(domain);
    virDomainUndefine(domain);
    virDomainFree(domain);
    virConnResetLastError(opaque);
    if (rc < 0)
        virDomainFree(NULL);                               /* an error again, for the one that has been cleared */
    faultResume();
    return rc;
}

TEST_LIMIT(define_and_start_survive_every_failing_allocation, 300)
{
    virConnectPtr conn = openDefault();

    faultSpare("libxml2");                                 /* it keeps what it says of its own failures */
    FAULT_EACH_ALLOCATION(defineStartEnd, conn);
    CHECK_INT(virConnectListAllDomains(conn, NULL, 0), 1);
    virConnectClose(conn);
}

/* Many threads define, start, list and remove; nothing is lost, nothing remains. */
static void *
churn(void *opaque)
{
    virConnectPtr conn = opaque;
    static _Atomic int next;
    int me = next++;

    for (int i = 0; i < 50; i++) {
        char xml[512], name[32];
        virDomainPtr domain, *list;
        int n;

        snprintf(name, sizeof(name), "t%d-%d", me, i);
        snprintf(xml, sizeof(xml), "<domain type='test'><name>%s</name><memory>64</memory><os><type>hvm</type></os></domain>", name);
        if ((domain = virDomainDefineXML(conn, xml)) == NULL || virDomainCreate(domain) < 0 ||
            (n = virConnectListAllDomains(conn, &list, 0)) < 2)
            return (void *)"a call failed";
        for (int k = 0; k < n; k++)
            virDomainFree(list[k]);
        free(list);
        virDomainFree(domain);
        if ((domain = virDomainLookupByName(conn, name)) == NULL || virDomainDestroy(domain) < 0 || virDomainUndefine(domain) < 0)
            return (void *)"a guest was lost";
        virDomainFree(domain);
    }
    return NULL;
}

TEST(threads_do_not_disturb_each_other)
{
    virConnectPtr conn = openDefault();
    pthread_t threads[4];
    void *failure;

    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, churn, conn), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failure);
        EXPECT(failure == NULL, "%s", (char *)failure);
    }
    CHECK_INT(virConnectListAllDomains(conn, NULL, 0), 1);
    virConnectClose(conn);
}
