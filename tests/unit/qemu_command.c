/*
 * From a document to a machine: completion (addresses, names, models) and the command line.
 */
#include "../../drivers/common/document.h"
#include "../../drivers/qemu/capabilities.c"
#include "../../drivers/qemu/machine.h"
#include "../fault.h"

#include <unistd.h>

#if VIRT_WITH_QEMU

#define EMULATOR "/usr/bin/qemu-system-x86_64"

static const struct qemuCapabilities *
emulator(void)
{
    const struct qemuCapabilities *caps;

    if (access(EMULATOR, X_OK) < 0)
        SKIP("there is no " EMULATOR);
    CHECK_PTR(caps = qemuCapabilitiesGet(EMULATOR, NULL));
    return caps;
}

/* A guest whose document has these elements. */
static char *
guest(const char *type, const char *machine, const char *os, const char *rest, const char *devices)
{
    char *xml = NULL;

    CHECK(asprintf(&xml, "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>g,1</name>"
                         "<uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid><memory unit='KiB'>65536</memory>"
                         "<os><type arch='x86_64' machine='%s'>hvm</type>%s</os>%s<devices>%s</devices></domain>",
                   type, machine, os, rest, devices) > 0);
    return xml;
}

static xmlDocPtr
complete(const struct qemuCapabilities *caps, const char *xml)
{
    static const char *const types[] = { "qemu", "kvm", NULL };
    xmlDocPtr doc = virDocumentParse(xml, types);

    if (doc != NULL && qemuDocumentComplete(doc, caps) < 0) {
        virXmlFree(doc);
        doc = NULL;
    }
    return doc;
}

static int
build(struct qemuCommand *command, const struct qemuCapabilities *caps, xmlDocPtr doc)
{
    struct qemuCommandOptions options = { .paused = true };

    *command = (struct qemuCommand){ .doc = doc, .caps = caps, .runDirectory = "/run/g", .logDirectory = "/log", .dry = true };
    return qemuCommandBuild(command, &options);
}

/* The arguments in one line, a blank between each; a result of its own each time. */
static char *
commandOf(const char *xml)
{
    const struct qemuCapabilities *caps = emulator();
    struct qemuCommand command;
    struct virText text = { 0 };
    xmlDocPtr doc;

    CHECK_PTR(doc = complete(caps, xml));
    CHECK_OK(build(&command, caps, doc));
    for (size_t i = 0; i < command.argc; i++)
        virTextAdd(&text, "%s ", command.argv[i]);
    for (size_t i = 0; i < command.nenv; i++)
        virTextAdd(&text, "env:%s ", command.env[i]);
    qemuCommandFree(&command);
    virXmlFree(doc);
    qemuCapabilitiesUnref(caps);
    return virTextTake(&text);
}

/* ---------- the command line ---------- */

/* What stands in the document, and what has to stand on the command line. */
static const struct { const char *machine, *os, *rest, *devices, *expected; } lines[] = {
    { "pc", "", "", "", "-name guest=g,,1,debug-threads=on -S " },
    { "pc", "", "", "", "-machine pc-i440fx-7.2,usb=off,dump-guest-core=off,acpi=off " },
    { "pc", "", "", "", "-m size=65536k -overcommit mem-lock=off -smp 1,sockets=1,cores=1,threads=1 " },
    { "q35", "", "<features><acpi/></features>", "", "acpi=on " },
    { "q35", "", "<features><acpi/><smm state='on'/><vmport state='off'/></features>", "", ",smm=on,vmport=off" },
    { "q35", "", "<clock offset='utc'><timer name='hpet' present='no'/></clock>", "", ",hpet=off" },
    { "pc", "", "<clock offset='timezone' timezone='Europe/Paris'/>", "", "env:TZ=Europe/Paris" },
    { "pc", "", "<clock offset='absolute' start='86400'/>", "", "-rtc base=1970-01-02T00:00:00" },
    { "pc", "", "<clock offset='utc'><timer name='rtc' tickpolicy='catchup' track='guest'/></clock>", "", "-rtc base=utc,clock=vm,driftfix=slew" },
    { "pc", "", "<vcpu current='2'>8</vcpu><cpu><topology sockets='2' dies='1' cores='2' threads='2'/></cpu>", "",
      "-smp 2,maxcpus=8,sockets=2,cores=2,threads=2" },
    { "pc", "", "<cpu mode='custom' match='exact'><model>Haswell</model><feature name='x2apic' policy='require'/>"
      "<feature name='hle' policy='disable'/><cache level='3' mode='emulate'/></cpu>", "", "-cpu Haswell,x2apic=on,hle=off,l3-cache=on " },
    { "pc", "", "<cpu mode='maximum'/>", "", "-cpu max " },
    { "pc", "", "<vcpu>2</vcpu><cpu><numa><cell id='0' cpus='0' memory='32768' unit='KiB'/><cell id='1' cpus='1' memory='32768' unit='KiB'/></numa></cpu>",
      "", "-object {\"qom-type\":\"memory-backend-ram\",\"id\":\"ram-node1\",\"size\":33554432} -numa node,nodeid=1,cpus=1,memdev=ram-node1 " },
    { "pc", "", "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>", "",
      "-object {\"qom-type\":\"memory-backend-memfd\",\"id\":\"pc.ram\",\"size\":67108864,\"share\":true}" },
    { "pc", "", "<memoryBacking><locked/><nosharepages/></memoryBacking>", "", ",mem-merge=off" },
    { "pc", "", "<iothreads>2</iothreads><iothreadids><iothread id='4'/></iothreadids>", "",
      "-object {\"qom-type\":\"iothread\",\"id\":\"iothread4\"} -object {\"qom-type\":\"iothread\",\"id\":\"iothread1\"} " },
    { "pc", "<kernel>/k</kernel><initrd>/i</initrd><cmdline>console=ttyS0</cmdline>", "", "", "-kernel /k -initrd /i -append console=ttyS0 " },
    { "pc", "<bootmenu enable='yes' timeout='3000'/><bios rebootTimeout='5'/>", "", "", "-boot menu=on,splash-time=3000,reboot-timeout=5,strict=on" },
    { "pc", "<smbios mode='sysinfo'/>", "<sysinfo type='smbios'><system><entry name='product'>a, b</entry></system></sysinfo>", "",
      "-smbios type=1,product=a,, b " },
    { "pc", "", "<sysinfo type='fwcfg'><entry name='opt/x'>y</entry></sysinfo>", "", "-fw_cfg name=opt/x,string=y " },
    { "pc", "", "<pm><suspend-to-mem enabled='no'/></pm>", "", "-global PIIX4_PM.disable_s3=1 " },
    { "pc", "", "<on_reboot>destroy</on_reboot><on_crash>preserve</on_crash>", "", "-action reboot=shutdown,shutdown=poweroff,panic=pause " },
    { "pc", "<loader readonly='yes' type='pflash'>/code.fd</loader><nvram>/vars.fd</nvram>", "", "",
      "pflash0=libvirt-pflash0-format,pflash1=libvirt-pflash1-format" },
    { "pc", "", "<qemu:commandline><qemu:arg value='-foo'/><qemu:env name='A' value='b'/></qemu:commandline>", "", "-foo -sandbox " },
    { "pc", "<boot dev='cdrom'/><boot dev='hd'/>", "",
      "<disk type='file' device='disk'><source file='/x'/><target dev='vda' bus='virtio'/></disk>", "\"id\":\"virtio-disk0\",\"bus\":\"pci.0\",\"addr\":\"0x2\",\"bootindex\":2" },
    { "pc", "", "<maxMemory slots='4' unit='KiB'>1048576</maxMemory><vcpu>1</vcpu>"
      "<cpu><numa><cell id='0' cpus='0' memory='65536' unit='KiB'/></numa></cpu>",
      "<memory model='dimm'><target><size unit='KiB'>131072</size><node>0</node></target></memory>",
      "-device {\"driver\":\"pc-dimm\",\"id\":\"dimm0\",\"memdev\":\"memdimm0\",\"node\":0,\"slot\":0}" },
    { "pc", "", "<qemu:override><qemu:device alias='ua-d'><qemu:frontend><qemu:property name='x' type='unsigned' value='7'/>"
      "<qemu:property name='addr' type='remove'/></qemu:frontend></qemu:device></qemu:override>",
      "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-d'/></rng>",
      "\"id\":\"ua-d\",\"bus\":\"pci.0\",\"rng\":\"objua-d\",\"x\":7}" },
};

TEST(elements_become_options)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char *xml = guest("qemu", lines[i].machine, lines[i].os, lines[i].rest, lines[i].devices), *line = commandOf(xml);

        EXPECT(strstr(line, lines[i].expected) != NULL, "entry %zu: no '%s' in: %s", i, lines[i].expected, line);
        free(line);
        free(xml);
    }
}

/* What cannot be had is refused, and the error says why. */
static const struct { const char *type, *machine, *rest, *devices, *expected; } refused[] = {
    { "qemu", "nosuch", "", "", "has no machine type 'nosuch'" },
    { "qemu", "pc", "<cpu mode='host-passthrough'/>", "", "needs domain type 'kvm'" },
    { "qemu", "pc", "<cpu mode='custom' match='exact'><model fallback='forbid'>nosuch</model></cpu>", "", "nosuch" },
    { "qemu", "pc", "<vcpu>4</vcpu><cpu><topology sockets='2' dies='1' cores='1' threads='1'/></cpu>", "", "opology" },
    { "qemu", "pc", "<vcpu>4096</vcpu>", "", "vcpus" },
    { "qemu", "pc", "<clock offset='utc'><timer name='rtc' tickpolicy='merge'/></clock>", "", "merge" },
    { "qemu", "pc", "", "<iommu model='intel'/>", "" },
};

TEST(what_cannot_be_had_is_refused)
{
    const struct qemuCapabilities *caps = emulator();

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char *xml = guest(refused[i].type, refused[i].machine, "", refused[i].rest, refused[i].devices);
        struct qemuCommand command = { 0 };
        xmlDocPtr doc;

        virResetLastError();
        doc = complete(caps, xml);
        EXPECT(doc == NULL || build(&command, caps, doc) < 0, "entry %zu is taken", i);
        EXPECT(virGetLastErrorMessage() != NULL && strstr(virGetLastErrorMessage(), refused[i].expected) != NULL, "entry %zu: %s", i,
               virGetLastErrorMessage());
        qemuCommandFree(&command);
        virXmlFree(doc);
        free(xml);
    }
    qemuCapabilitiesUnref(caps);
}

TEST(what_has_no_effect_is_not_read)
{
    const struct qemuCapabilities *caps = emulator();
    char *xml = guest("qemu", "pc", "", "<title>t</title><metadata><a:b xmlns:a='urn:x'>c</a:b></metadata><vcpu cpuset='0'>1</vcpu>"
                      "<cputune><shares>7</shares></cputune><nosuch/><features><hyperv><relaxed state='on'/></hyperv></features>", "");
    struct qemuCommand command;
    char **paths = NULL;
    xmlDocPtr doc;
    char *text;
    int count;

    /* As a stored document is: completed, and read anew. */
    CHECK_PTR(doc = complete(caps, xml));
    CHECK_PTR(text = virXmlFormat(doc));
    virXmlFree(doc);
    CHECK_PTR(doc = virXmlParse(text, "domain"));
    CHECK_OK(build(&command, caps, doc));
    CHECK_OK(count = virXmlUnread(doc, &paths));
    for (int i = 0; i < count; i++) {
        static const char *const expected[] = { "/domain/vcpu/@cpuset", "/domain/cputune", "/domain/nosuch", "/domain/features/hyperv" };
        bool known = false;

        for (size_t k = 0; k < 4; k++)
            known = known || strcmp(paths[i], expected[k]) == 0;
        EXPECT(known, "%s has no effect?", paths[i]);
        free(paths[i]);
    }
    EXPECT(count == 4, "%d parts have no effect", count);
    free(paths);
    free(text);
    free(xml);
    qemuCommandFree(&command);
    virXmlFree(doc);
    qemuCapabilitiesUnref(caps);
}

/* ---------- completion ---------- */

static const char devices[] =
    "<disk type='file' device='disk'><source file='/x'/><target dev='vdb' bus='virtio'/></disk>"
    "<disk type='file' device='disk'><source file='/y'/><target dev='vda' bus='virtio'/></disk>"
    "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>"
    "<disk type='file' device='disk'><source file='/z'/><target dev='sdc' bus='scsi'/></disk>"
    "<interface type='user'><model type='virtio'/></interface><sound model='ac97'/><serial type='pty'/>"
    "<channel type='unix'><target type='virtio' name='a'/></channel><input type='tablet'/><graphics type='vnc'/>";

static const char *
textAt(xmlDocPtr doc, const char *element, unsigned int number, const char *path)
{
    xmlNodePtr node = virXmlFirst(virXmlFind(virXmlRoot(doc), "devices"), element);

    for (; node != NULL && number > 0; number--)
        node = virXmlNext(node, element);
    return node != NULL ? virXmlString(node, path) : NULL;
}

TEST(devices_are_placed_where_libvirt_places_them)
{
    const struct qemuCapabilities *caps = emulator();
    char *xml = guest("qemu", "pc", "", "", devices);
    xmlDocPtr doc;

    CHECK_PTR(doc = complete(caps, xml));
    CHECK_STR(virXmlString(virXmlRoot(doc), "os/type/@machine"), "pc-i440fx-7.2");
    CHECK_STR(virXmlString(virXmlRoot(doc), "devices/emulator"), EMULATOR);
    CHECK_STR(textAt(doc, "video", 0, "model/@type"), "cirrus");
    CHECK_STR(textAt(doc, "video", 0, "address/@slot"), "0x02");
    CHECK_STR(textAt(doc, "interface", 0, "address/@slot"), "0x03");
    CHECK_STR(textAt(doc, "sound", 0, "address/@slot"), "0x04");
    CHECK_STR(textAt(doc, "disk", 1, "target/@dev"), "vda");
    CHECK_STR(textAt(doc, "disk", 1, "alias/@name"), "virtio-disk0");
    CHECK_STR(textAt(doc, "disk", 2, "alias/@name"), "sata0-0-1");
    CHECK_STR(textAt(doc, "disk", 3, "address/@unit"), "2");
    CHECK_STR(textAt(doc, "serial", 0, "target/@type"), "isa-serial");
    CHECK_STR(textAt(doc, "console", 0, "alias/@name"), "serial0");
    CHECK_STR(textAt(doc, "channel", 0, "address/@port"), "1");
    CHECK_STR(textAt(doc, "input", 0, "address/@port"), "1");
    CHECK_STR(textAt(doc, "input", 1, "@bus"), "ps2");
    CHECK_STR(textAt(doc, "memballoon", 0, "@model"), "virtio");
    virXmlFree(doc);
    free(xml);
    qemuCapabilitiesUnref(caps);
}

TEST(an_express_machine_gets_a_port_for_each_device_and_one_to_spare)
{
    const struct qemuCapabilities *caps = emulator();
    char *xml = guest("qemu", "q35", "", "", "<interface type='user'><model type='virtio'/></interface><memballoon model='none'/>"
                                             "<controller type='usb' model='none'/>");
    unsigned int ports = 0;
    xmlDocPtr doc;

    CHECK_PTR(doc = complete(caps, xml));
    VIRT_XML_EACH(controller, virXmlFind(virXmlRoot(doc), "devices"), "controller")
        ports += virXmlEquals(controller, "@model", "pcie-root-port");
    CHECK_UINT(ports, 2);
    CHECK_STR(textAt(doc, "interface", 0, "address/@bus"), "0x01");
    virXmlFree(doc);
    free(xml);
    qemuCapabilitiesUnref(caps);
}

TEST(completing_twice_changes_nothing)
{
    static const char *const machines[] = { "pc", "q35" };
    const struct qemuCapabilities *caps = emulator();

    for (size_t i = 0; i < 2; i++) {
        char *xml = guest("qemu", machines[i], "", "", devices), *once, *twice;
        xmlDocPtr doc;

        CHECK_PTR(doc = complete(caps, xml));
        CHECK_PTR(once = virXmlFormat(doc));
        virXmlFree(doc);
        CHECK_PTR(doc = complete(caps, once));
        CHECK_PTR(twice = virXmlFormat(doc));
        virXmlFree(doc);
        CHECK_STR(twice, once);
        free(once);
        free(twice);
        free(xml);
    }
    qemuCapabilitiesUnref(caps);
}

TEST(a_new_device_leaves_the_others_where_they_are)
{
    const struct qemuCapabilities *caps = emulator();
    char *xml = guest("qemu", "q35", "", "", devices), bus[16], alias[32];
    xmlDocPtr doc;
    xmlNodePtr added;

    CHECK_PTR(doc = complete(caps, xml));
    snprintf(bus, sizeof(bus), "%s", textAt(doc, "disk", 0, "address/@bus"));
    snprintf(alias, sizeof(alias), "%s", textAt(doc, "interface", 0, "alias/@name"));
    CHECK_PTR(added = virXmlAdd(virXmlFind(virXmlRoot(doc), "devices"), "interface"));
    xmlAddPrevSibling(virXmlFind(virXmlRoot(doc), "devices/disk"), added);
    CHECK_OK(virXmlSet(added, "@type", "user"));
    CHECK_OK(virXmlSet(added, "model/@type", "virtio"));
    CHECK_OK(qemuDocumentComplete(doc, caps));
    CHECK_STR(textAt(doc, "disk", 0, "address/@bus"), bus);
    CHECK_STR(textAt(doc, "interface", 1, "alias/@name"), alias);
    CHECK_STR(textAt(doc, "interface", 0, "alias/@name"), "net1");
    CHECK(strcmp(textAt(doc, "interface", 0, "address/@bus"), textAt(doc, "interface", 1, "address/@bus")) != 0);
    virXmlFree(doc);
    free(xml);
    qemuCapabilitiesUnref(caps);
}

TEST(a_full_root_bus_gets_a_bridge)
{
    const struct qemuCapabilities *caps = emulator();
    struct virText text = { 0 };
    char *xml, *list;
    xmlDocPtr doc;

    for (int i = 0; i < 40; i++)
        virTextAdd(&text, "<interface type='user'><model type='virtio'/></interface>");
    CHECK_PTR(list = virTextTake(&text));
    xml = guest("qemu", "pc", "", "", list);
    CHECK_PTR(doc = complete(caps, xml));
    CHECK_NOT_NULL(qemuFindController(doc, "pci", 1));
    CHECK_NULL(qemuFindController(doc, "pci", 2));
    CHECK_STR(textAt(doc, "interface", 39, "address/@bus"), "0x01");
    virXmlFree(doc);
    free(list);
    free(xml);
    qemuCapabilitiesUnref(caps);
}

/* By the device's own name: an alias of QEMU's is not in its list of devices. */
TEST(a_machine_without_ahci_gets_it)
{
    char *xml = guest("qemu", "pc", "", "", "<disk type='file'><source file='/x'/><target dev='sda' bus='sata'/></disk>");
    char *text = commandOf(xml);

    CHECK_CONTAINS(text, "\"driver\":\"ich9-ahci\"");
    free(text);
    free(xml);
}

/* A document for an emulator that is not installed is completed as far as that goes. */
TEST(a_document_is_completed_without_its_emulator)
{
    xmlDocPtr doc;

    CHECK_PTR(doc = complete(NULL, "<domain type='qemu'><name>g</name><memory>65536</memory><os><type arch='aarch64' machine='virt'>hvm</type></os>"
                                   "<devices><emulator>/nosuch</emulator><interface type='user'/></devices></domain>"));
    CHECK_STR(textAt(doc, "interface", 0, "model/@type"), "virtio");
    CHECK_STR(textAt(doc, "interface", 0, "address/@bus"), "0x01");
    virXmlFree(doc);
}

/* ---------- without memory ---------- */

struct faultGuest { const struct qemuCapabilities *caps; char *xml; };

static int
completeAndBuild(void *opaque)
{
    const struct faultGuest *with = opaque;
    struct qemuCommand command = { 0 };
    xmlDocPtr doc = complete(with->caps, with->xml);
    int rc = doc != NULL ? build(&command, with->caps, doc) : -1;

    qemuCommandFree(&command);
    virXmlFree(doc);
    return rc;
}

TEST_LIMIT(completing_and_building_survive_every_failing_allocation, 300)
{
    struct faultGuest with = { emulator(), guest("qemu", "q35", "<smbios mode='sysinfo'/>",
        "<sysinfo type='smbios'><system><entry name='product'>a</entry></system></sysinfo><iothreads>1</iothreads><vcpu>2</vcpu>"
        "<cpu><numa><cell id='0' cpus='0-1' memory='65536' unit='KiB'/></numa></cpu>",
        "<interface type='user'><model type='virtio'/></interface><input type='tablet'/><sound model='ac97'/>"
        "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk><serial type='pty'/>") };

    faultSpare("libxml2");                      /* 2.9 hands out half-made attributes */
    FAULT_EACH_ALLOCATION(completeAndBuild, &with);
    free(with.xml);
    qemuCapabilitiesUnref(with.caps);
}

#endif
