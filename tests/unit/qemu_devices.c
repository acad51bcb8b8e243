/*
 * Device elements and the QEMU objects they become: the same set for the command line and for the monitor.
 */
#include "../../drivers/qemu/blockdev.h"
#include "../../drivers/qemu/capabilities.c"
#include "../fault.h"

#include <unistd.h>

#if VIRT_WITH_QEMU

/* One element as a device of a small guest, built dry; the caller frees the set and the document. */
struct built {
    xmlDocPtr doc;
    const struct qemuCapabilities *caps;
    struct qemuCommand command;
    struct qemuDeviceSet set;
    int rc;
};

static const struct { const char *element; qemuDeviceBuilder build; } builders[] = {
    { "disk", qemuBuildDisk },           { "interface", qemuBuildInterface },     { "serial", qemuBuildSerial },
    { "parallel", qemuBuildParallel },   { "console", qemuBuildConsole },         { "channel", qemuBuildChannel },
    { "input", qemuBuildInput },         { "graphics", qemuBuildGraphics },       { "video", qemuBuildVideo },
    { "sound", qemuBuildSound },         { "audio", qemuBuildAudio },             { "watchdog", qemuBuildWatchdog },
    { "rng", qemuBuildRng },             { "memballoon", qemuBuildMemballoon },   { "tpm", qemuBuildTpm },
    { "panic", qemuBuildPanic },         { "vsock", qemuBuildVsock },             { "shmem", qemuBuildShmem },
    { "filesystem", qemuBuildFilesystem }, { "hostdev", qemuBuildHostdev },       { "redirdev", qemuBuildRedirdev },
    { "smartcard", qemuBuildSmartcard }, { "hub", qemuBuildHub },                 { "crypto", qemuBuildCrypto },
};

/* Builds the last element of `devices`; what stands before it is only there. -1: not even the document was made. */
static int
tryDevice(struct built *built, const struct qemuCapabilities *caps, const char *devices)
{
    char xml[8192];
    xmlNodePtr node, last = NULL;

    memset(built, 0, sizeof(*built));
    snprintf(xml, sizeof(xml), "<domain type='qemu'><name>g</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>%s</devices></domain>", devices);
    built->caps = caps;
    built->command = (struct qemuCommand){ .caps = caps, .runDirectory = "/run/g", .logDirectory = "/log", .dry = true };
    if ((built->doc = virXmlParse(xml, "domain")) == NULL)
        return -1;
    built->command.doc = built->doc;
    for (node = virXmlFirst(virXmlFind(virXmlRoot(built->doc), "devices"), NULL); node != NULL;
         node = virXmlNext(node, NULL))
        last = node;
    for (size_t i = 0; i < sizeof(builders) / sizeof(*builders); i++)
        if (virXmlIs(last, builders[i].element)) {
            built->rc = builders[i].build(&built->command, last, &built->set);
            return 0;
        }
    FAIL("no builder for %s", virXmlName(last));
}

static void
buildDevice(struct built *built, const char *devices)
{
    const struct qemuCapabilities *caps;

    CHECK_PTR(caps = qemuCapabilitiesGet("/usr/bin/qemu-system-x86_64", NULL));
    CHECK_OK(tryDevice(built, caps, devices));
}

static void
freeBuilt(struct built *built)
{
    qemuDeviceSetFree(&built->set);
    qemuCommandFree(&built->command);
    qemuCapabilitiesUnref(built->caps);
    virXmlFree(built->doc);
}

/* The set as lines: "-device {...}". The caller frees it. */
static char *
formatSet(const struct qemuDeviceSet *set)
{
    static const char *const names[] = { "object", "chardev", "blockdev", "netdev", "device" };
    struct virText text = { 0 };

    for (size_t i = 0; i < set->count; i++) {
        char *value;

        if (set->items[i].option == QEMU_OPTION_ARGUMENT) {
            virTextAdd(&text, "%s\n", set->items[i].text);
            continue;
        }
        value = set->items[i].option == QEMU_OPTION_CHARDEV ? qemuChardevFormat(set->items[i].json) :
                virJsonFormat(set->items[i].json);
        virTextAdd(&text, "%s %s\n", names[set->items[i].option], value);
        free(value);
    }
    return set->count > 0 ? virTextTake(&text) : virStringCopy("");
}

#define ALIAS(name) "<alias name='" name "'/>"

/* Each element and all that it becomes. */
static const struct { const char *xml, *objects; } conversions[] = {
    { "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/>"
      "<source file='/a,b.qcow2'/><target dev='vda' bus='virtio'/><serial>S1</serial>" ALIAS("virtio-disk0") "</disk>",
      "blockdev {\"driver\":\"file\",\"filename\":\"/a,b.qcow2\",\"node-name\":\"virtio-disk0-storage\","
      "\"auto-read-only\":true,\"discard\":\"unmap\",\"cache\":{\"direct\":true,\"no-flush\":false},\"aio\":\"native\"}\n"
      "blockdev {\"driver\":\"qcow2\",\"node-name\":\"virtio-disk0-format\",\"read-only\":false,"
      "\"file\":\"virtio-disk0-storage\",\"cache\":{\"direct\":true,\"no-flush\":false},\"discard\":\"unmap\"}\n"
      "device {\"driver\":\"virtio-blk-pci\",\"id\":\"virtio-disk0\",\"drive\":\"virtio-disk0-format\","
      "\"write-cache\":\"on\",\"serial\":\"S1\"}\n" },
    { "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/>" ALIAS("ide0-1-0") "</disk>",
      "device {\"driver\":\"ide-cd\",\"id\":\"ide0-1-0\"}\n" },
    { "<disk type='file' device='cdrom'><source file='/x.iso'/><target dev='hdc' bus='ide' tray='open'/>"
      ALIAS("ide0-1-0") "</disk>",
      "device {\"driver\":\"ide-cd\",\"id\":\"ide0-1-0\"}\n" },
    { "<disk type='network' device='disk'><source protocol='nbd' name='e'><host name='h' port='1'/></source>"
      "<target dev='sda' bus='scsi'/>" ALIAS("scsi0") "</disk>",
      "blockdev {\"driver\":\"nbd\",\"server\":{\"type\":\"inet\",\"host\":\"h\",\"port\":\"1\"},\"export\":\"e\","
      "\"node-name\":\"scsi0-storage\",\"auto-read-only\":true,\"discard\":\"unmap\"}\n"
      "blockdev {\"driver\":\"raw\",\"node-name\":\"scsi0-format\",\"read-only\":false,\"file\":\"scsi0-storage\"}\n"
      "device {\"driver\":\"scsi-hd\",\"id\":\"scsi0\",\"drive\":\"scsi0-format\",\"device_id\":\"drive-scsi0\"}\n" },
    { "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='e1000'/>" ALIAS("net0") "</interface>",
      "netdev {\"type\":\"user\",\"id\":\"hostnet0\"}\n"
      "device {\"driver\":\"e1000\",\"id\":\"net0\",\"netdev\":\"hostnet0\",\"mac\":\"52:54:00:00:00:01\"}\n" },
    { "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='e1000'/>"
      "<portForward proto='tcp'><range start='2022' to='22'/></portForward>" ALIAS("net0") "</interface>",
      "netdev {\"type\":\"user\",\"id\":\"hostnet0\",\"hostfwd\":[{\"str\":\"tcp::2022-:22\"}]}\n"
      "device {\"driver\":\"e1000\",\"id\":\"net0\",\"netdev\":\"hostnet0\",\"mac\":\"52:54:00:00:00:01\"}\n" },
    { "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='99'/><protocol type='telnet'/>"
      "<target type='isa-serial' port='1'/>" ALIAS("serial1") "</serial>",
      "chardev socket,id=charserial1,host=127.0.0.1,port=99,server=on,wait=off,telnet=on\n"
      "device {\"driver\":\"isa-serial\",\"id\":\"serial1\",\"chardev\":\"charserial1\",\"index\":1}\n" },
    { "<serial type='udp'><source mode='bind' service='7'/><source mode='connect' host='h' service='8'/>"
      "<target type='isa-serial' port='0'/>" ALIAS("serial0") "</serial>",
      "chardev udp,id=charserial0,host=h,port=8,localaddr=,localport=7\n"
      "device {\"driver\":\"isa-serial\",\"id\":\"serial0\",\"chardev\":\"charserial0\",\"index\":0}\n" },
    { "<serial type='pty'><target port='0'/>" ALIAS("serial0") "</serial>"
      "<console type='pty'><target type='serial' port='0'/>" ALIAS("console0") "</console>", "" },
    { "<console type='file'><source path='/l,og' append='on'/><target type='virtio' port='1'/>" ALIAS("console1")
      "</console>",
      "chardev file,id=charconsole1,path=/l,,og,append=on\n"
      "device {\"driver\":\"virtconsole\",\"id\":\"console1\",\"chardev\":\"charconsole1\"}\n" },
    { "<channel type='spicevmc'><target type='virtio'/>" ALIAS("channel0") "</channel>",
      "chardev spicevmc,id=charchannel0,name=vdagent\n"
      "device {\"driver\":\"virtserialport\",\"id\":\"channel0\",\"chardev\":\"charchannel0\","
      "\"name\":\"com.redhat.spice.0\"}\n" },
    { "<video><model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='1'/>" ALIAS("video0") "</video>",
      "device {\"driver\":\"qxl-vga\",\"id\":\"video0\",\"ram_size\":67108864,\"vram_size\":67108864,"
      "\"vgamem_mb\":16,\"max_outputs\":1}\n" },
    { "<graphics type='vnc' port='5901' listen='::1'/>", "-vnc\n[::1]:1\n" },
    { "<sound model='ac97'>" ALIAS("sound0") "</sound>",
      "-audiodev\n{\"id\":\"audio1\",\"driver\":\"none\"}\n"
      "device {\"driver\":\"AC97\",\"id\":\"sound0\",\"audiodev\":\"audio1\"}\n" },
    { "<watchdog model='ib700' action='dump'>" ALIAS("watchdog0") "</watchdog>",
      "device {\"driver\":\"ib700\",\"id\":\"watchdog0\"}\n-action\nwatchdog=pause\n" },
    { "<memballoon model='none'/>", "" },
    { "<input type='mouse' bus='ps2'/>", "" },
    { "<rng model='virtio'><backend model='builtin'/><rate bytes='9'/>" ALIAS("rng0") "</rng>",
      "object {\"qom-type\":\"rng-builtin\",\"id\":\"objrng0\"}\n"
      "device {\"driver\":\"virtio-rng-pci\",\"id\":\"rng0\",\"rng\":\"objrng0\",\"max-bytes\":9,\"period\":1000}\n" },
    { "<redirfilter><usbdev class='0x08' vendor='0x15E1' version='1.09' allow='yes'/><usbdev allow='no'/></redirfilter>"
      "<redirdev bus='usb' type='spicevmc'>" ALIAS("redir0") "</redirdev>",
      "chardev spicevmc,id=charredir0,name=usbredir\n"
      "device {\"driver\":\"usb-redir\",\"id\":\"redir0\",\"chardev\":\"charredir0\","
      "\"filter\":\"0x08:0x15E1:-1:0x0109:1|-1:-1:-1:-1:0\"}\n" },
    { "<filesystem type='mount' accessmode='squash'><source dir='/d'/><target dir='t'/><readonly/>" ALIAS("fs0")
      "</filesystem>",
      "-fsdev\nlocal,id=fsdev-fs0,security_model=none,path=/d,readonly=on\n"
      "device {\"driver\":\"virtio-9p-pci\",\"id\":\"fs0\",\"fsdev\":\"fsdev-fs0\",\"mount_tag\":\"t\"}\n" },
    { "<hostdev mode='subsystem' type='pci'><source><address domain='1' bus='2' slot='3' function='4'/></source>"
      ALIAS("hostdev0") "</hostdev>",
      "device {\"driver\":\"vfio-pci\",\"id\":\"hostdev0\",\"host\":\"0001:02:03.4\"}\n" },
};

TEST(every_element_becomes_the_objects_that_qemu_wants)
{
    for (size_t i = 0; i < sizeof(conversions) / sizeof(*conversions); i++) {
        struct built built;
        char *text;

        harnessContext("%s", conversions[i].xml);
        buildDevice(&built, conversions[i].xml);
        CHECK_OK(built.rc);
        text = formatSet(&built.set);
        CHECK_STR(text, conversions[i].objects);
        free(text);
        freeBuilt(&built);
    }
}

/* What cannot be done says why, and names the device. */
static const struct { const char *xml, *message; } refusals[] = {
    { "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vda' bus='virtio'/>" ALIAS("d") "</disk>",
      "disk 'vda': volume 'v' of pool 'p'" },
    { "<disk type='file' device='disk'><target dev='vda' bus='virtio'/>" ALIAS("d") "</disk>", "disk 'vda': it has no source" },
    { "<disk type='file' device='floppy'><source file='/f'/><target dev='vda' bus='virtio'/>" ALIAS("d") "</disk>",
      "disk 'vda': a floppy cannot be on bus 'virtio'" },
    { "<disk type='file' device='disk'><driver type='tar'/><source file='/f'/><target dev='vda' bus='virtio'/>" ALIAS("d")
      "</disk>", "disk 'vda': QEMU cannot read images of format 'tar'" },
    { "<disk type='file' device='disk'><source file='/f'><encryption format='luks'/></source><target dev='vda' bus='virtio'/>"
      ALIAS("d") "</disk>", "disk 'vda': encrypted images need secrets" },
    { "<disk type='file' device='disk'><source file='/f'/><target dev='vda' bus='virtio'/><transient/>" ALIAS("d")
      "</disk>", "disk 'vda': <transient/>" },
    { "<interface type='network'><source network='default'/><mac address='52:54:00:00:00:01'/><model type='e1000'/>"
      ALIAS("net0") "</interface>", "interface 'net0': network 'default'" },
    { "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='ne99'/>" ALIAS("net0") "</interface>",
      "interface 'net0': this QEMU has no network card 'ne99'" },
    { "<interface type='user'><backend type='passt'/><mac address='52:54:00:00:00:01'/><model type='e1000'/>"
      ALIAS("net0") "</interface>", "interface 'net0': backend 'passt'" },
    { "<serial type='nmdm'><source master='/a' slave='/b'/><target type='isa-serial'/>" ALIAS("serial0") "</serial>",
      "serial 'serial0': type 'nmdm' is not supported" },
    { "<serial type='tcp'><source mode='connect' host='h' service='1' tls='yes'/><target type='isa-serial'/>"
      ALIAS("serial0") "</serial>", "serial 'serial0': TLS" },
    { "<graphics type='rdp'/>", "graphics of type 'rdp'" },
    { "<graphics type='vnc' passwd='longerthan8'/>", "graphics 'vnc': a VNC password has at most 8 characters" },
    { "<shmem name='a/b'>" ALIAS("shmem0") "</shmem>", "shmem 'shmem0': the name 'a/b' has a slash" },
    { "<vsock model='virtio'><cid address='1'/>" ALIAS("vsock0") "</vsock>", "vsock 'vsock0': context ids below 3" },
    { "<hostdev mode='capabilities' type='misc'><source/>" ALIAS("hostdev0") "</hostdev>",
      "hostdev 'hostdev0': mode 'capabilities'" },
};

TEST(what_cannot_be_built_is_refused_by_name)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        struct built built;

        harnessContext("%s", refusals[i].xml);
        buildDevice(&built, refusals[i].xml);
        CHECK_INT(built.rc, -1);
        CHECK_CONTAINS(virGetLastErrorMessage(), refusals[i].message);
        freeBuilt(&built);
    }
}

TEST(a_backing_chain_in_the_document_is_given_bottom_up)
{
    struct built built;
    char *text;

    buildDevice(&built, "<disk type='file' device='disk'><driver type='qcow2'/><source file='/top'/>"
                "<backingStore type='file'><format type='qcow2'/><source file='/mid'/>"
                "<backingStore type='file'><format type='raw'/><source file='/base'/></backingStore></backingStore>"
                "<target dev='vda' bus='virtio'/>" ALIAS("d0") "</disk>");
    CHECK_OK(built.rc);
    text = formatSet(&built.set);
    CHECK_CONTAINS(text, "\"node-name\":\"d0-2-format\",\"read-only\":true,\"file\":\"d0-2-storage\"");
    CHECK_CONTAINS(text, "\"node-name\":\"d0-1-format\",\"read-only\":true,\"backing\":\"d0-2-format\"");
    CHECK_CONTAINS(text, "\"node-name\":\"d0-format\",\"read-only\":false,\"backing\":\"d0-1-format\"");
    CHECK(strstr(text, "/base") < strstr(text, "/mid") && strstr(text, "/mid") < strstr(text, "/top"));
    free(text);
    freeBuilt(&built);
}

TEST(node_names_are_short_and_always_the_same)
{
    struct built built;
    xmlNodePtr disk;
    char name[QEMU_NODE_NAME_SIZE], again[QEMU_NODE_NAME_SIZE];

    buildDevice(&built, "<disk type='file' device='disk'><source file='/f'/><target dev='vda' bus='virtio'/>"
                ALIAS("ua-0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f") "</disk>");
    CHECK_OK(built.rc);
    disk = virXmlFind(virXmlRoot(built.doc), "devices/disk");
    CHECK_OK(qemuBlockdevName(disk, 12, "throttle", name));
    CHECK_OK(qemuBlockdevName(disk, 12, "throttle", again));
    CHECK_STR(again, name);
    CHECK_LESS(strlen(name), QEMU_NODE_NAME_SIZE);
    freeBuilt(&built);
}

TEST(the_primary_card_comes_first)
{
    struct built built;
    xmlNodePtr first;
    char *text;

    buildDevice(&built, "<video><model type='virtio'/>" ALIAS("v0") "</video>"
                "<video><model type='vga' primary='yes'/>" ALIAS("v1") "</video>");
    CHECK_OK(built.rc);
    CHECK_INT(built.set.count, 0);    /* the last element: made with the first */
    first = virXmlFind(virXmlRoot(built.doc), "devices/video");
    CHECK_OK(qemuBuildVideo(&built.command, first, &built.set));
    text = formatSet(&built.set);
    CHECK_STR(text, "device {\"driver\":\"VGA\",\"id\":\"v1\"}\n"
              "device {\"driver\":\"virtio-gpu-pci\",\"id\":\"v0\"}\n");
    free(text);
    freeBuilt(&built);

    buildDevice(&built, "<video><model type='vga'/>" ALIAS("v0") "</video><video><model type='vga'/>" ALIAS("v1")
                "</video>");
    first = virXmlFind(virXmlRoot(built.doc), "devices/video");
    CHECK_FAILS(qemuBuildVideo(&built.command, first, &built.set), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "video 'v1': model 'vga' can only be the primary card");
    freeBuilt(&built);
}

TEST(a_password_goes_by_the_monitor_only)
{
    struct built built;
    char *text, *qmp;

    buildDevice(&built, "<graphics type='vnc' port='5900' passwd='hush'/>");
    CHECK_OK(built.rc);
    text = formatSet(&built.set);
    CHECK_STR(text, "-vnc\n127.0.0.1:0,password=on\n");
    CHECK_PTR(qmp = virJsonFormat(built.command.qmp));
    CHECK_CONTAINS(qmp, "{\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"vnc\",\"password\":\"hush\"}}");
    free(qmp);
    free(text);
    freeBuilt(&built);

    /* an empty one closes the display */
    buildDevice(&built, "<graphics type='vnc' port='5900' passwd=''/>");
    CHECK_OK(built.rc);
    text = formatSet(&built.set);
    CHECK_STR(text, "-vnc\n127.0.0.1:0,password=on\n");
    CHECK_NULL(built.command.qmp);
    free(text);
    freeBuilt(&built);
}

TEST(what_has_no_effect_stays_unread)
{
    struct built built;
    char **paths = NULL;
    int count;
    bool found = false;

    buildDevice(&built, "<disk type='file' device='disk'><driver name='qemu' type='raw' sgio='x'/><source file='/f'/>"
                "<target dev='vda' bus='virtio'/><mirror/>" ALIAS("d0") "</disk>");
    CHECK_OK(built.rc);
    count = virXmlUnread(built.doc, &paths);
    for (int i = 0; i < count; i++) {
        CHECK(strstr(paths[i], "/disk") == NULL || strstr(paths[i], "/source") == NULL);
        found = found || strcmp(paths[i], "/domain/devices/disk/mirror") == 0;
        free(paths[i]);
    }
    free(paths);
    CHECK(found);
    freeBuilt(&built);
}

/* Guests whose devices a real QEMU has to take, with what they need besides. "%s" is the scratch directory. */
static const struct { const char *options[5], *devices; } machines[] = {
    { { "-device", "virtio-scsi-pci", "-device", "piix3-usb-uhci" },
      "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' discard='unmap' error_policy='enospace'/>"
      "<source file='%s/a.img'/><target dev='vda' bus='virtio'/><serial>abc</serial><shareable/><boot order='1'/>"
      "<geometry cyls='5' heads='4' secs='3'/>" ALIAS("d0") "</disk>"
      "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='writethrough' copy_on_read='on'/>"
      "<source file='%s/b.img'/><target dev='hda' bus='ide'/><wwn>5000c50015ea71ad</wwn>"
      "<iotune><total_bytes_sec>5000</total_bytes_sec><read_iops_sec>10</read_iops_sec></iotune>" ALIAS("d1") "</disk>"
      "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/>" ALIAS("d2") "</disk>"
      "<disk type='file' device='cdrom'><source file='%s/c.img'/><target dev='sda' bus='scsi'/><readonly/>" ALIAS("d3")
      "</disk>"
      "<disk type='file' device='disk'><source file='%s/d.img'><slices><slice type='storage' offset='512' size='1024'/>"
      "</slices></source><target dev='sdb' bus='scsi' removable='on'/><vendor>V</vendor><product>P</product>" ALIAS("d4")
      "</disk>"
      "<disk type='file' device='disk'><source file='%s/e.img'/><target dev='sdc' bus='usb'/>" ALIAS("d5") "</disk>"
      "<disk type='file' device='cdrom'><target dev='sdd' bus='usb'/>" ALIAS("d6") "</disk>"
      "<disk type='file' device='floppy'><target dev='fda' bus='fdc'/>" ALIAS("d7") "</disk>" },
    { { "-device", "virtio-serial", "-device", "qemu-xhci" },
      "<serial type='pty'><target type='isa-serial' port='0'/>" ALIAS("s0") "</serial>"
      "<serial type='file'><source path='%s/se,rial' append='on'/><log file='%s/log' append='off'/>"
      "<target type='pci-serial' port='1'/>" ALIAS("s1") "</serial>"
      "<serial type='unix'><source mode='bind' path='%s/sock'/><target type='isa-serial' port='2'/>" ALIAS("s2") "</serial>"
      "<serial type='udp'><source mode='bind' host='127.0.0.1' service='0'/><source mode='connect' host='127.0.0.1' "
      "service='9'/><target type='usb-serial' port='3'/>" ALIAS("s3") "</serial>"
      "<parallel type='null'><target port='0'/>" ALIAS("p0") "</parallel>"
      "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/>" ALIAS("c0") "</channel>"
      "<console type='null'><target type='virtio' port='1'/>" ALIAS("k1") "</console>"
      "<input type='tablet' bus='usb'>" ALIAS("i0") "</input><input type='keyboard' bus='virtio'>" ALIAS("i1") "</input>"
      "<graphics type='vnc' passwd='x' sharePolicy='ignore'><listen type='socket' socket='%s/v,nc'/></graphics>" },
    { { "-device", "qemu-xhci" },
      "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><mtu size='1400'/>"
      "<ip family='ipv4' address='172.17.2.0' prefix='24'/><driver txmode='iothread' rx_queue_size='512'><host csum='off'/>"
      "</driver><link state='down'/><rom enabled='no'/>" ALIAS("n0") "</interface>"
      "<interface type='mcast'><mac address='52:54:00:00:00:02'/><source address='230.0.0.1' port='5558'/>"
      "<model type='e1000e'/>" ALIAS("n1") "</interface>"
      "<video><model type='vga' vram='16384'><resolution x='800' y='600'/></model>" ALIAS("v0") "</video>"
      "<video><model type='virtio' heads='2'/>" ALIAS("v1") "</video>"
      "<sound model='ich6'>" ALIAS("o0") "</sound><sound model='usb'>" ALIAS("o1") "</sound><sound model='pcspk'/>"
      "<watchdog model='i6300esb' action='inject-nmi'>" ALIAS("w0") "</watchdog>"
      "<rng model='virtio'><rate bytes='123' period='1234'/><backend model='random'>/dev/urandom</backend>" ALIAS("r0")
      "</rng>"
      "<memballoon model='virtio' autodeflate='on' freePageReporting='on'><stats period='10'/>" ALIAS("b0") "</memballoon>"
      "<panic model='isa'>" ALIAS("x0") "</panic><hub type='usb'>" ALIAS("h0") "</hub>"
      "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/>" ALIAS("y0") "</crypto>"
      "<filesystem type='mount' accessmode='mapped' multidevs='remap'><source dir='%s'/><target dir='t'/>" ALIAS("f0")
      "</filesystem>" },
};

/* The whole command, and what the monitor is to be told. */
static void
startMachine(struct qemuCommand *command, const char *const *options, char **input)
{
    static const char *const base[] = {
        "/usr/bin/qemu-system-x86_64", "-S", "-nodefaults", "-no-user-config", "-machine", "pc", "-accel", "tcg", "-m", "64",
        "-display", "none", "-qmp", "stdio",
    };
    struct virText text = { 0 };

    for (size_t i = 0; i < sizeof(base) / sizeof(*base); i++)
        CHECK_OK(qemuCommandAdd(command, base[i]));
    for (; *options != NULL; options++)
        CHECK_OK(qemuCommandAdd(command, *options));
    for (size_t i = 0; i < sizeof(builders) / sizeof(*builders); i++)
        VIRT_XML_EACH(device, virXmlFind(virXmlRoot(command->doc), "devices"), builders[i].element) {
            struct qemuDeviceSet set = { 0 };

            CHECK_OK(builders[i].build(command, device, &set));
            CHECK_OK(qemuCommandAddSet(command, &set));
            qemuDeviceSetFree(&set);
        }
    virTextAdd(&text, "{\"execute\":\"qmp_capabilities\"}\n");
    for (int i = 0; command->qmp != NULL && i < cJSON_GetArraySize(command->qmp); i++) {
        char *line = virJsonFormat(cJSON_GetArrayItem(command->qmp, i));

        virTextAdd(&text, "%s\n", line);
        free(line);
    }
    virTextAdd(&text, "{\"execute\":\"query-status\"}\n{\"execute\":\"quit\"}\n");
    CHECK_PTR(*input = virTextTake(&text));
}

TEST(a_real_qemu_takes_what_is_built)
{
    const char *dir = scratchDir();
    const struct qemuCapabilities *caps;

    needsPty();
    CHECK_INT(runShell("which qemu-system-x86_64 >/dev/null", NULL), 0);
    CHECK_PTR(caps = qemuCapabilitiesGet("/usr/bin/qemu-system-x86_64", NULL));
    for (const char *name = "abcde"; *name != '\0'; name++) {
        writeFile(scratchPath("%c.img", *name), "");
        CHECK_OK(truncate(scratchPath("%c.img", *name), 1 << 20));
    }
    for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
        struct qemuCommand command = { .caps = caps, .runDirectory = scratchPath("run"), .logDirectory = dir };
        char devices[8192], xml[10000], *input, *output = NULL, *errors = NULL;
        int status;

        snprintf(devices, sizeof(devices), machines[i].devices, dir, dir, dir, dir, dir, dir);
        snprintf(xml, sizeof(xml), "<domain type='qemu'><os><type arch='x86_64' machine='pc'>hvm</type></os>"
                 "<devices>%s</devices></domain>", devices);
        CHECK_PTR(command.doc = virXmlParse(xml, "domain"));
        startMachine(&command, machines[i].options, &input);
        CHECK_OK(status = virProcessRun((const char *const *)command.argv, NULL, input, &output, &errors, 65536, 30000));
        CHECK_MSG(status == 0 && strstr(output, "prelaunch") != NULL && strstr(output, "\"error\"") == NULL,
                  "machine %zu: status %d\n%s\n%s", i, status, output, errors);
        free(input);
        free(output);
        free(errors);
        virXmlFree(command.doc);
        qemuCommandFree(&command);
    }
    qemuCapabilitiesUnref(caps);
}

/* The same under failing allocations. */
struct attempt {
    const struct qemuCapabilities *caps;
    const char *xml;
};

static int
attemptDevice(void *opaque)
{
    struct attempt *attempt = opaque;
    struct built built;
    int rc = tryDevice(&built, attempt->caps, attempt->xml);

    if (rc == 0 && (rc = built.rc) == 0)
        rc = qemuCommandAddSet(&built.command, &built.set);
    qemuDeviceSetFree(&built.set);
    qemuCommandFree(&built.command);
    virXmlFree(built.doc);
    return rc;
}

TEST_LIMIT(devices_survive_every_failing_allocation, 300)
{
    struct attempt attempt;

    CHECK_PTR(attempt.caps = qemuCapabilitiesGet("/usr/bin/qemu-system-x86_64", NULL));
    faultSpare("libxml2");
    for (size_t i = 0; i < sizeof(conversions) / sizeof(*conversions); i++) {
        if (*conversions[i].objects == '\0')
            continue;                 /* nothing is made: nothing can fail */
        attempt.xml = conversions[i].xml;
        harnessContext("%s", attempt.xml);
        FAULT_EACH_ALLOCATION(attemptDevice, &attempt);
    }
    qemuCapabilitiesUnref(attempt.caps);
}

#endif /* VIRT_WITH_QEMU */
