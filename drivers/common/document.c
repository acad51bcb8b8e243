/*
 * The domain document: taken in once, checked (check.c and its companions) and completed, so that from then on it says
 * everything that must not change behind the user's back. What nobody knows stays where it is.
 */
#include "document.h"
#include "check.h"
#include "file.h"
#include "host.h"
#include "platform.h"

#include <limits.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* ---------- where a new element goes ---------- */

/* The order in which libvirt writes the parts of a domain. */
static const char *const virDocumentOrder[] = {
    "name", "uuid", "genid", "title", "description", "metadata", "maxMemory", "memory", "currentMemory", "blkiotune", "memtune",
    "memoryBacking", "vcpu", "vcpus", "iothreads", "iothreadids", "defaultiothread", "cputune", "numatune", "resource", "sysinfo",
    "bootloader", "bootloader_args", "os", "idmap", "features", "cpu", "clock", "on_poweroff", "on_reboot", "on_crash",
    "on_lockfailure", "pm", "perf", "devices", "seclabel", "keywrap", "launchSecurity",
};

static int
virDocumentRank(const char *name)
{
    int count = (int)(sizeof(virDocumentOrder) / sizeof(virDocumentOrder[0]));

    for (int i = 0; i < count; i++)
        if (strcmp(virDocumentOrder[i], name) == 0)
            return i;
    return count;
}

/* The first child called name; made, right after the nearest part that belongs before it, where there is none. */
static xmlNodePtr
virDocumentEnsure(xmlNodePtr root, const char *name)
{
    xmlNodePtr found = virXmlFirst(root, name), before = NULL, made;
    int rank = virDocumentRank(name), best = -1;

    if (found != NULL)
        return found;
    for (xmlNodePtr node = virXmlFirst(root, NULL); node != NULL; node = virXmlNext(node, NULL)) {
        int other = virDocumentRank(virXmlName(node));

        if (other < rank && other >= best) {
            best = other;
            before = node;
        }
    }
    if (before != NULL)
        return virXmlAddAfter(before, name);
    if ((made = virXmlAdd(root, name)) != NULL && root->children != made)
        xmlAddPrevSibling(root->children, made);
    return made;
}

/* ---------- completion ---------- */

/* A lifecycle action or the like: the element gets this text if it has none. */
static int
virDocumentDefault(xmlNodePtr root, const char *name, const char *value)
{
    xmlNodePtr node = virDocumentEnsure(root, name);

    if (node == NULL)
        return -1;
    return virXmlString(node, "") != NULL ? 0 : virXmlSet(node, "", "%s", value);
}

static int
virDocumentDefaultAttribute(xmlNodePtr node, const char *path, const char *value)
{
    return virXmlString(node, path) != NULL ? 0 : virXmlSet(node, path, "%s", value);
}

static int
virDocumentCompleteUuid(xmlNodePtr root)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    char text[VIR_UUID_STRING_BUFLEN];
    xmlNodePtr node;

    if (virXmlString(root, "uuid") == NULL) {
        if (virUuidGenerate(uuid) < 0)
            return -1;
    } else if (virXmlUuid(root, "uuid", uuid) < 0) {
        return -1;
    }
    virUuidFormat(uuid, text);
    if ((node = virDocumentEnsure(root, "uuid")) == NULL)
        return -1;
    return virXmlSet(node, "", "%s", text);
}

/* A size in KiB, rounded up; 0 where it is absent. */
static int
virDocumentKiB(xmlNodePtr node, const char *path, unsigned long long *KiB)
{
    unsigned long long bytes = 0;

    if (virXmlSize(node, path, "KiB", &bytes) < 0)
        return -1;
    if (bytes > LLONG_MAX)
        return virReportError(VIR_ERR_OVERFLOW, "value too large: element '%s' of '%s' is %llu bytes", path, virXmlName(node), bytes);
    *KiB = bytes / 1024 + (bytes % 1024 != 0);
    return 0;
}

static int
virDocumentSetKiB(xmlNodePtr root, const char *name, unsigned long long KiB)
{
    xmlNodePtr node = virDocumentEnsure(root, name);

    if (node == NULL || virXmlSet(node, "@unit", "KiB") < 0)
        return -1;
    return virXmlSet(node, "", "%llu", KiB);
}

/* Adds up one kind of memory: that of the NUMA cells, or that of the memory devices. */
static int
virDocumentSumKiB(xmlNodePtr parent, const char *child, const char *path, unsigned long long *sum)
{
    VIRT_XML_EACH(node, parent, child) {
        unsigned long long KiB = 0;

        if (virDocumentKiB(node, path, &KiB) < 0)
            return -1;
        if (*sum + KiB < *sum || *sum + KiB > LLONG_MAX / 1024)
            return virReportError(VIR_ERR_OVERFLOW, "value too large: the memory of all '%s' elements together", child);
        *sum += KiB;
    }
    return 0;
}

/*
 * The memory is what <memory> says, unless NUMA cells say it in detail; memory devices come on top of the cells. A balloon
 * can only be smaller.
 */
static int
virDocumentCompleteMemory(xmlNodePtr root)
{
    unsigned long long memory = 0, current = 0, max = 0, cells = 0, devices = 0;
    unsigned int slots = 0;

    if (virDocumentKiB(root, "memory", &memory) < 0 || virDocumentKiB(root, "currentMemory", &current) < 0 ||
        virDocumentKiB(root, "maxMemory", &max) < 0 || virXmlUInt(root, "maxMemory/@slots", &slots) < 0 ||
        virDocumentSumKiB(virXmlFind(root, "cpu/numa"), "cell", "@memory", &cells) < 0 ||
        virDocumentSumKiB(virXmlFirst(root, "devices"), "memory", "target/size", &devices) < 0)
        return -1;
    if (cells > 0)
        memory = cells + devices;
    if (memory == 0 || (cells == 0 && memory <= devices))
        return virReportError(VIR_ERR_XML_ERROR, "Memory size must be specified via <memory> or in the <numa> configuration");
    if ((max > 0) != (slots > 0))
        return virReportError(VIR_ERR_XML_ERROR, "both maximum memory size and memory slot count must be specified");
    if (max > 0 && max < memory)
        return virReportError(VIR_ERR_XML_ERROR, "maximum memory size must be equal or greater than the actual memory size");
    if (current == 0 || current > memory)
        current = memory;
    if (virDocumentSetKiB(root, "memory", memory) < 0 || virDocumentSetKiB(root, "currentMemory", current) < 0)
        return -1;
    return max > 0 ? virDocumentSetKiB(root, "maxMemory", max) : 0;
}

/* Where the processors are listed one by one, how many are on follows from the list. */
static int
virDocumentCompleteVcpus(xmlNodePtr root, xmlNodePtr vcpu)
{
    xmlNodePtr list = virXmlFirst(root, "vcpus");
    unsigned int enabled = 0;

    VIRT_XML_EACH(one, list, "vcpu") {
        enabled += virXmlEquals(one, "@enabled", "yes");
    }
    return list == NULL || enabled == 0 ? 0 : virXmlSet(vcpu, "@current", "%u", enabled);
}

static int
virDocumentCompleteVcpu(xmlNodePtr root)
{
    xmlNodePtr node = virXmlFirst(root, "vcpu");
    const char *text;
    unsigned long long count = 1, current;

    if (node != NULL) {
        text = virXmlString(node, "");
        if (text == NULL || virStringToULL(text, 10, &count) < 0 || count > UINT_MAX)
            return virReportError(VIR_ERR_XML_ERROR, "maximum vcpus count must be an integer: <vcpu> is '%s'", text != NULL ? text : "");
        if (count == 0)
            return virReportError(VIR_ERR_XML_ERROR, "invalid domain vcpus: <vcpu> must be 1 or greater");
        if (virXmlFirst(root, "vcpus") == NULL && (text = virXmlString(node, "@current")) != NULL) {
            if (virStringToULL(text, 10, &current) < 0)
                return virReportError(VIR_ERR_XML_ERROR, "current vcpus count must be an integer: <vcpu current='%s'>", text);
            if (current > count)
                return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                                      "maximum vCPU count must not be less than current vCPU count: <vcpu current='%llu'>%llu</vcpu>",
                                      current, count);
        }
    }
    if ((node = virDocumentEnsure(root, "vcpu")) == NULL || virDocumentDefaultAttribute(node, "@placement", "static") < 0)
        return -1;
    if (virXmlString(node, "") == NULL && virXmlSet(node, "", "%llu", count) < 0)
        return -1;
    return virDocumentCompleteVcpus(root, node);
}

/* A machine starts from its first disk unless the document says otherwise, for all devices or for one. */
static int
virDocumentCompleteBoot(xmlNodePtr root, xmlNodePtr os)
{
    static const char *const before[] = { "type", "loader", "nvram", "kernel", "initrd", "cmdline", "dtb", "acpi" };
    xmlNodePtr after = NULL, boot;

    if (virXmlFirst(os, "boot") != NULL)
        return 0;
    for (xmlNodePtr device = virXmlFirst(virXmlFirst(root, "devices"), NULL); device != NULL; device = virXmlNext(device, NULL))
        if (virXmlFirst(device, "boot") != NULL)
            return 0;
    for (xmlNodePtr node = virXmlFirst(os, NULL); node != NULL; node = virXmlNext(node, NULL))
        for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
            if (virXmlIs(node, before[i]))
                after = node;
    boot = after != NULL ? virXmlAddAfter(after, "boot") : virXmlAdd(os, "boot");
    return boot == NULL ? -1 : virXmlSet(boot, "@dev", "hd");
}

/* The guest's architecture is the host's where the document does not say; the test driver's host is an i686 at all times. */
static int
virDocumentCompleteOs(xmlNodePtr root)
{
    xmlNodePtr type = virXmlFind(root, "os/type");
    const char *arch = virXmlEquals(root, "@type", "test") ? "i686" : virHostGetArch();

    if (type == NULL)                            /* Xen's bootloader needs none; what needs it has been checked */
        return 0;
    if (virDocumentDefaultAttribute(type, "@arch", arch) < 0)
        return -1;
    return virXmlEquals(type, "", "hvm") ? virDocumentCompleteBoot(root, type->parent) : 0;
}

static int
virDocumentCompleteDisk(xmlNodePtr disk)
{
    static const struct { const char *prefix, *bus; } buses[] = {
        { "vd", "virtio" }, { "sd", "scsi" }, { "hd", "ide" }, { "fd", "fdc" }, { "xvd", "xen" }, { "ubd", "uml" },
    };
    const char *dev = virXmlString(disk, "target/@dev");

    if (virDocumentDefaultAttribute(disk, "@type", "file") < 0 || virDocumentDefaultAttribute(disk, "@device", "disk") < 0)
        return -1;
    if (dev == NULL || virXmlString(disk, "target/@bus") != NULL)
        return 0;
    if (virXmlEquals(disk, "@device", "floppy"))
        return virXmlSet(disk, "target/@bus", "fdc");
    for (size_t i = 0; i < sizeof(buses) / sizeof(buses[0]); i++)
        if (strncmp(dev, buses[i].prefix, strlen(buses[i].prefix)) == 0)
            return virXmlSet(disk, "target/@bus", "%s", buses[i].bus);
    return 0;
}

static int
virDocumentCompleteInterface(xmlNodePtr interface)
{
    unsigned char random[3];
    xmlNodePtr mac = virXmlFirst(interface, "mac");

    if (virXmlString(mac, "@address") != NULL)
        return 0;
    if (virPlatformRandom(random, sizeof(random)) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "cannot get random bytes for a MAC address");
    if (mac == NULL) {
        if ((mac = virXmlAdd(interface, "mac")) == NULL)
            return -1;
        if (interface->children != mac)
            xmlAddPrevSibling(interface->children, mac);
    }
    return virXmlSet(mac, "@address", "52:54:00:%02x:%02x:%02x", random[0], random[1], random[2]);
}

static int
virDocumentComplete(xmlNodePtr root)
{
    xmlNodePtr clock, devices;

    if (virDocumentCompleteUuid(root) < 0 || virDocumentCompleteMemory(root) < 0 || virDocumentCompleteVcpu(root) < 0 ||
        virDocumentCompleteOs(root) < 0)
        return -1;
    if ((clock = virDocumentEnsure(root, "clock")) == NULL || virDocumentDefaultAttribute(clock, "@offset", "utc") < 0)
        return -1;
    if (virDocumentDefault(root, "on_poweroff", "destroy") < 0 || virDocumentDefault(root, "on_reboot", "restart") < 0 ||
        virDocumentDefault(root, "on_crash", "destroy") < 0)
        return -1;
    if ((devices = virDocumentEnsure(root, "devices")) == NULL)
        return -1;
    VIRT_XML_EACH(disk, devices, "disk") {
        if (virDocumentCompleteDisk(disk) < 0)
            return -1;
    }
    VIRT_XML_EACH(interface, devices, "interface") {
        if (virDocumentCompleteInterface(interface) < 0)
            return -1;
    }
    return 0;
}

/* ---------- what every document must have ---------- */

/* The kinds of domains that libvirt knows, and of them those that this driver takes. */
static int
virDocumentCheckType(xmlNodePtr root, const char *const *types)
{
    static const char *const known[] = {
        "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp", "parallels", "bhyve", "vz",
        "hvf", NULL,
    };
    const char *type = virXmlString(root, "@type");

    if (type == NULL)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "missing domain type attribute");
    for (size_t i = 0; types != NULL && types[i] != NULL; i++)
        if (strcmp(types[i], type) == 0)
            return 0;
    for (size_t i = 0; known[i] != NULL; i++)
        if (strcmp(known[i], type) == 0)
            return types == NULL ? 0 : virReportError(VIR_ERR_INVALID_ARG, "could not find capabilities for domaintype=%s", type);
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "invalid domain type %s", type);
}

VIRT_INTERNAL xmlDocPtr
virDocumentParse(const char *xml, const char *const *types)
{
    xmlDocPtr doc = virXmlParse(xml, "domain");
    xmlNodePtr root;

    if (doc == NULL)
        return NULL;
    root = virXmlRoot(doc);
    virXmlRemove(root, "@id");                   /* of a guest that ran when the document was written */
    if (virDocumentCheckType(root, types) < 0 || virGuestNameCheck(virXmlString(root, "name")) < 0 ||
        virDocumentCheck(root) < 0 || virDocumentComplete(root) < 0) {
        virXmlFree(doc);
        return NULL;
    }
    virXmlUnmark(root);                          /* checking is not using */
    return doc;
}

VIRT_INTERNAL void
virDocumentMarkInformation(xmlDocPtr doc)
{
    static const char *const parts[] = { "title", "description", "metadata" };
    xmlNodePtr root = virXmlRoot(doc);
    struct virDocumentHot hot;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        virXmlMark(virXmlFirst(root, parts[i]));
    virXmlString(root, "@id");
    virXmlString(root, "@type");
    virDocumentHot(doc, &hot);
}

VIRT_INTERNAL int
virDocumentHot(xmlDocPtr doc, struct virDocumentHot *hot)
{
    xmlNodePtr root = virXmlRoot(doc);
    int uuid;

    memset(hot, 0, sizeof(*hot));
    if ((hot->name = virXmlNeed(root, "name")) == NULL)
        return -1;
    if ((uuid = virXmlUuid(root, "uuid", hot->uuid)) < 0)
        return -1;
    if (uuid == 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "domain '%s' has no uuid", hot->name);
    if (virDocumentKiB(root, "memory", &hot->maxMemory) < 0 || virDocumentKiB(root, "currentMemory", &hot->memory) < 0 ||
        virXmlUInt(root, "vcpu", &hot->maxVcpus) < 0)
        return -1;
    hot->vcpus = hot->maxVcpus;
    if (virXmlUInt(root, "vcpu/@current", &hot->vcpus) < 0)
        return -1;
    hot->osType = virXmlString(root, "os/type");
    if (hot->osType == NULL)                     /* <bootloader> stands for a paravirtual guest */
        hot->osType = "linux";
    return 0;
}

/* ---------- secrets ---------- */

/* A disk's cookies for its web server, wherever in its chain of images. */
static bool
virDocumentDropCookies(xmlNodePtr node, bool remove)
{
    bool any = false;

    for (xmlNodePtr child = node->children, next; child != NULL; child = next) {
        next = child->next;
        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (strcmp((const char *)child->name, "cookies") == 0) {
            any = true;
            if (remove) {
                xmlUnlinkNode(child);
                xmlFreeNode(child);
            }
        } else if (virDocumentDropCookies(child, remove)) {
            any = true;
        }
    }
    return any;
}

static bool
virDocumentSecrets(xmlDocPtr doc, bool remove)
{
    bool any = false;

    for (xmlNodePtr devices = virXmlRoot(doc)->children; devices != NULL; devices = devices->next) {
        if (devices->type != XML_ELEMENT_NODE || strcmp((const char *)devices->name, "devices") != 0)
            continue;
        for (xmlNodePtr device = devices->children; device != NULL; device = device->next) {
            if (device->type != XML_ELEMENT_NODE)
                continue;
            if (strcmp((const char *)device->name, "graphics") == 0 && xmlHasProp(device, (const xmlChar *)"passwd") != NULL) {
                any = true;
                if (remove)
                    xmlUnsetProp(device, (const xmlChar *)"passwd");
            } else if (strcmp((const char *)device->name, "disk") == 0 && virDocumentDropCookies(device, remove)) {
                any = true;
            }
        }
    }
    return any;
}

VIRT_INTERNAL bool
virDocumentRemoveSecrets(xmlDocPtr doc)
{
    return virDocumentSecrets(doc, true);
}

VIRT_INTERNAL bool
virDocumentHasSecrets(xmlDocPtr doc)
{
    return virDocumentSecrets(doc, false);
}

/* ---------- what a guest can see ---------- */

/*
 * What of each kind of device its guest can tell, apart from the address, which all have. The n-th device of a kind on one side is the
 * n-th on the other: documents keep their order.
 */
static const struct virDocumentAbi {
    const char *kind;
    const char *paths[10];
} virDocumentAbis[] = {
    { "disk", { "@device", "target/@dev", "target/@bus", "target/@removable", "serial", "wwn", "vendor", "product",
                "blockio/@logical_block_size" } },
    { "controller", { "@type", "@index", "@model", "@ports", "@vectors", "model/@name", "target/@chassisNr", "target/@port" } },
    { "lease", { "key", "lockspace" } },
    { "filesystem", { "target/@dir", "driver/@type" } },
    { "interface", { "mac/@address", "model/@type", "driver/@queues" } },
    { "smartcard", { "@mode", "@type" } },
    { "serial", { "target/@type", "target/@port", "target/model/@name" } },
    { "parallel", { "target/@port" } },
    { "console", { "target/@type", "target/@port" } },
    { "channel", { "target/@type", "target/@name", "target/@address", "target/@port" } },
    { "input", { "@type", "@bus", "@model" } },
    { "tpm", { "@model", "backend/@type", "backend/@version" } },
    { "sound", { "@model" } },
    { "video", { "model/@type", "model/@vram", "model/@ram", "model/@vgamem", "model/@heads" } },
    { "hostdev", { "@mode", "@type" } },
    { "redirdev", { "@bus" } },
    { "hub", { "@type" } },
    { "watchdog", { "@model" } },
    { "memballoon", { "@model" } },
    { "rng", { "@model" } },
    { "nvram", { NULL } },
    { "panic", { "@model" } },
    { "shmem", { "@name", "size", "size/@unit", "model/@type" } },
    { "memory", { "@model", "target/size", "target/size/@unit", "target/node", "target/label/size" } },
    { "iommu", { "@model", "driver/@aw_bits", "driver/@intremap", "driver/@caching_mode", "driver/@eim" } },
    { "vsock", { "@model" } },
};

static const char *const virDocumentAbiAddress[] = {
    "address/@type", "address/@domain", "address/@bus", "address/@slot", "address/@function", "address/@controller", "address/@target",
    "address/@unit", "address/@port", "address/@reg", "address/@iobase", "address/@irq", "address/@cssid", "address/@ssid", "address/@devno",
    "address/@base",
};

/* Texts are the same also where one says 0x05 and the other 5. */
static bool
virDocumentSameText(const char *a, const char *b)
{
    unsigned long long x, y;

    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0 || (virStringToULL(a, 0, &x) == 0 && virStringToULL(b, 0, &y) == 0 && x == y);
}

static int
virDocumentCompare(xmlNodePtr ours, xmlNodePtr theirs, const char *path, const char *what, int number)
{
    const char *a = virXmlString(ours, path), *b = virXmlString(theirs, path);
    char which[32] = "";

    if (virDocumentSameText(a, b))
        return 0;
    if (number > 0)
        snprintf(which, sizeof(which), " %d", number);
    return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Target %s%s %s '%s' does not match source '%s'", what, which, path,
                          b != NULL ? b : "", a != NULL ? a : "");
}

static int
virDocumentCompareDevices(xmlNodePtr ours, xmlNodePtr theirs, const struct virDocumentAbi *abi)
{
    size_t count = virXmlCount(ours, abi->kind), other = virXmlCount(theirs, abi->kind);
    xmlNodePtr a = virXmlFirst(ours, abi->kind), b = virXmlFirst(theirs, abi->kind);
    int number = 1;

    if (count != other)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Target domain %s count %zu does not match source %zu", abi->kind, other, count);
    for (; a != NULL && b != NULL; a = virXmlNext(a, abi->kind), b = virXmlNext(b, abi->kind), number++) {
        for (size_t i = 0; i < 10 && abi->paths[i] != NULL; i++)
            if (virDocumentCompare(a, b, abi->paths[i], abi->kind, number) < 0)
                return -1;
        for (size_t i = 0; i < sizeof(virDocumentAbiAddress) / sizeof(virDocumentAbiAddress[0]); i++)
            if (virDocumentCompare(a, b, virDocumentAbiAddress[i], abi->kind, number) < 0)
                return -1;
    }
    return 0;
}

/* Whether two elements say the same: attributes in any order, elements and text in the same. */
static bool
virDocumentSameElement(xmlNodePtr a, xmlNodePtr b)
{
    size_t count = 0;
    xmlNodePtr x, y;

    if (a == NULL || b == NULL)
        return a == b;
    if (!xmlStrEqual(a->name, b->name))
        return false;
    for (xmlAttrPtr attr = a->properties; attr != NULL; attr = attr->next, count++) {
        char path[80];

        snprintf(path, sizeof(path), "@%s", (const char *)attr->name);
        if (!virDocumentSameText(virXmlString(a, path), virXmlString(b, path)))
            return false;
    }
    for (xmlAttrPtr attr = b->properties; attr != NULL; attr = attr->next)
        count--;
    if (count != 0)
        return false;
    x = virXmlFirst(a, NULL);
    y = virXmlFirst(b, NULL);
    if (x == NULL && y == NULL)
        return virDocumentSameText(virXmlString(a, ""), virXmlString(b, ""));
    for (; x != NULL && y != NULL; x = virXmlNext(x, NULL), y = virXmlNext(y, NULL))
        if (!virDocumentSameElement(x, y))
            return false;
    return x == y;
}

VIRT_INTERNAL int
virDocumentCheckAbi(xmlDocPtr ours, xmlDocPtr theirs)
{
    static const char *const values[] = { "@type", "uuid", "memory", "maxMemory", "maxMemory/@slots", "vcpu", "os/type", "os/type/@arch",
                                          "os/type/@machine" };
    static const char *const parts[] = { "features", "cpu", "sysinfo", "genid" };
    xmlNodePtr a = virXmlRoot(ours), b = virXmlRoot(theirs);
    xmlNodePtr ourDevices = virXmlFirst(a, "devices"), theirDevices = virXmlFirst(b, "devices");

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (virDocumentCompare(a, b, values[i], "domain", 0) < 0)
            return -1;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!virDocumentSameElement(virXmlFirst(a, parts[i]), virXmlFirst(b, parts[i])))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Target domain <%s> does not match source", parts[i]);
    for (size_t i = 0; i < sizeof(virDocumentAbis) / sizeof(virDocumentAbis[0]); i++)
        if (virDocumentCompareDevices(ourDevices, theirDevices, &virDocumentAbis[i]) < 0)
            return -1;
    return 0;
}

#undef VIRT_FROM
