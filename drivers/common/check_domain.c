/*
 * Rules among the parts of a domain as a whole: firmware, processors and their tuning, NUMA, memory, security labels.
 */
#include "check.h"
#include "file.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* ---------- names ---------- */

static int
virCheckIdentity(xmlNodePtr domain)
{
    unsigned char uuid[VIR_UUID_BUFLEN], other[VIR_UUID_BUFLEN];
    const char *text = virXmlString(domain, "uuid"), *title = virXmlString(domain, "title");

    if (text != NULL && virUuidParse(text, uuid) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "malformed uuid element: '%.80s'", text);
    if (title != NULL && strchr(title, '\n') != NULL)
        return virReportError(VIR_ERR_XML_ERROR, "Domain title can't contain newlines");
    if (virXmlFirst(domain, "genid") != NULL && (title = virXmlString(domain, "genid")) != NULL && virUuidParse(title, other) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "malformed genid element: '%.80s'", title);
    VIRT_XML_EACH(sysinfo, domain, "sysinfo") {
        VIRT_XML_EACH(entry, virXmlFirst(sysinfo, "system"), "entry") {
            const char *value = virXmlString(entry, "");

            if (!virXmlEquals(entry, "@name", "uuid") || value == NULL)
                continue;
            if (virUuidParse(value, other) < 0)
                return virReportError(VIR_ERR_XML_DETAIL, "malformed <sysinfo> uuid element: '%.80s'", value);
            if (text != NULL && memcmp(uuid, other, sizeof(uuid)) != 0)
                return virReportError(VIR_ERR_XML_DETAIL, "UUID mismatch between <uuid> and <sysinfo>: '%s', '%s'", text, value);
        }
    }
    return 0;
}

/* ---------- firmware and boot ---------- */

/* The firmware is looked for by its features: what would name one file contradicts that. */
static int
virCheckAutomaticFirmware(xmlNodePtr os)
{
    static const char *const attributes[] = { "readonly", "type" };
    xmlNodePtr loader = virXmlFirst(os, "loader");
    bool enrolled = false, noSecureBoot = false;

    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        char path[16];

        snprintf(path, sizeof(path), "@%s", attributes[i]);
        if (virXmlString(loader, path) != NULL)
            return virReportError(VIR_ERR_XML_DETAIL, "loader attribute '%s' cannot be specified when firmware autoselection is enabled",
                                  attributes[i]);
    }
    if (virXmlEquals(loader, "@secure", "no"))
        return virReportError(VIR_ERR_XML_DETAIL, "loader attribute 'secure' cannot be 'no' when firmware autoselection is enabled");
    if (virXmlString(loader, "") != NULL)
        return virReportError(VIR_ERR_XML_DETAIL, "loader path '%s' cannot be specified when firmware autoselection is enabled",
                              virXmlString(loader, ""));
    VIRT_XML_EACH(feature, virXmlFirst(os, "firmware"), "feature") {
        if (virXmlEquals(feature, "@name", "enrolled-keys") && virXmlEquals(feature, "@enabled", "yes"))
            enrolled = true;
        if (virXmlEquals(feature, "@name", "secure-boot") && virXmlEquals(feature, "@enabled", "no"))
            noSecureBoot = true;
    }
    if (enrolled && noSecureBoot)
        return virReportError(VIR_ERR_XML_DETAIL, "firmware feature 'enrolled-keys' cannot be enabled when firmware feature "
                                                  "'secure-boot' is disabled");
    return 0;
}

static int
virCheckFirmware(xmlNodePtr os)
{
    xmlNodePtr loader = virXmlFirst(os, "loader"), nvram = virXmlFirst(os, "nvram");
    bool stateless = virXmlEquals(loader, "@stateless", "yes");

    if (virXmlString(os, "@firmware") != NULL) {
        if (virCheckAutomaticFirmware(os) < 0)
            return -1;
    } else {
        if (loader != NULL && virXmlString(loader, "") == NULL &&
            (virXmlString(loader, "@type") != NULL || virXmlString(loader, "@readonly") != NULL || virXmlString(loader, "@secure") != NULL))
            return virReportError(VIR_ERR_XML_DETAIL, "no loader path specified and firmware auto selection disabled");
        if (virXmlFirst(os, "firmware") != NULL)
            return virReportError(VIR_ERR_XML_DETAIL, "cannot use feature-based firmware autoselection when firmware autoselection is disabled");
        if (loader != NULL && !virXmlEquals(loader, "@type", "pflash") && (nvram != NULL || virXmlEquals(loader, "@stateless", "no")))
            return virReportError(VIR_ERR_XML_DETAIL, "Only pflash loader type permits NVRAM");
    }
    if (stateless && nvram != NULL)
        return virReportError(VIR_ERR_XML_DETAIL, "%s is not permitted when loader is stateless",
                              virXmlString(nvram, "@template") != NULL ? "NVRAM template" : "NVRAM");
    return 0;
}

/* The order among devices: each number once, and not together with <boot> of the machine. */
static int
virCheckBootOrder(xmlNodePtr domain)
{
    struct virCheckSet used = { { 0 } };
    bool any = false;

    for (xmlNodePtr device = virXmlFirst(virXmlFirst(domain, "devices"), NULL); device != NULL; device = virXmlNext(device, NULL)) {
        unsigned int order = 0;

        if (virXmlUInt(device, "boot/@order", &order) <= 0)
            continue;
        any = true;
        if (virCheckSetHas(&used, order))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "boot order '%u' used for more than one device", order);
        if (order < VIR_CHECK_SET_MAX)
            used.bits[order / 8] |= (unsigned char)(1u << (order % 8));
    }
    if (any && virXmlFirst(virXmlFirst(domain, "os"), "boot") != NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "per-device boot elements cannot be used together with os/boot elements");
    return 0;
}

/* ---------- processors ---------- */

static int
virCheckCpu(xmlNodePtr cpu)
{
    const char *vendor = virXmlString(cpu, "model/@vendor_id");

    if (vendor != NULL && strlen(vendor) != 12)
        return virReportError(VIR_ERR_XML_ERROR, "vendor_id must be exactly 12 characters long: '%.80s'", vendor);
    VIRT_XML_EACH(feature, cpu, "feature") {
        const char *name = virXmlString(feature, "@name");

        if (name == NULL)
            return virReportError(VIR_ERR_XML_ERROR, "Missing CPU feature name");
        for (xmlNodePtr other = virXmlNext(feature, "feature"); other != NULL; other = virXmlNext(other, "feature"))
            if (virXmlEquals(other, "@name", name))
                return virReportError(VIR_ERR_XML_ERROR, "CPU feature '%s' specified more than once", name);
    }
    return 0;
}

/* How many processors the guest can have; 1 where the document is silent. What is malformed is reported when it is completed. */
static unsigned int
virCheckVcpus(xmlNodePtr domain)
{
    const char *text = virXmlString(domain, "vcpu");
    unsigned long long count = 1;

    return text != NULL && virStringToULL(text, 10, &count) == 0 && count < VIR_CHECK_SET_MAX ? (unsigned int)count : 1;
}

static int
virCheckVcpuElements(xmlNodePtr domain)
{
    unsigned int max = virCheckVcpus(domain);

    VIRT_XML_EACH(vcpu, virXmlFirst(domain, "vcpus"), "vcpu") {
        unsigned int id = 0;

        virXmlUInt(vcpu, "@id", &id);
        if (id >= max)
            return virReportError(VIR_ERR_XML_ERROR, "vcpu id '%u' is beyond the maximum of %u vcpus", id, max);
    }
    return 0;
}

/* Whether the guest has this I/O thread: they are numbered from 1, or have numbers of their own. */
static bool
virCheckHasIothread(xmlNodePtr domain, unsigned int id)
{
    unsigned int count = 0, own, listed = 0;
    xmlNodePtr ids = virXmlFirst(domain, "iothreadids");

    virXmlUInt(domain, "iothreads", &count);
    VIRT_XML_EACH(thread, ids, "iothread") {
        own = 0;
        if (virXmlUInt(thread, "@id", &own) > 0 && own == id)
            return true;
        listed++;
    }
    return listed < count && id >= 1 && id <= count;
}

/* vcpusched and iothreadsched: no number twice, as far as two lists really differ in what they say (a repetition is harmless to libvirt too). */
static int
virCheckScheduler(xmlNodePtr domain, const char *element, const char *attribute)
{
    xmlNodePtr tune = virXmlFirst(domain, "cputune");
    struct virCheckSet used = { { 0 } }, set;
    char path[32];

    snprintf(path, sizeof(path), "@%s", attribute);
    VIRT_XML_EACH(sched, tune, element) {
        const char *text = virXmlString(sched, path);

        if (text == NULL)
            return virReportError(VIR_ERR_XML_ERROR, "Missing attribute '%s' in element '%s'", attribute, element);
        if (virCheckParseSet(text, &set) < 0 || virCheckSetIsEmpty(&set))
            return virReportError(VIR_ERR_INVALID_ARG, "Failed to parse bitmap '%.80s' in element '%s'", text, element);
        if (virCheckSetOverlaps(&used, &set))
            return virReportError(VIR_ERR_XML_DETAIL, "'%s' attributes '%s' must not overlap: '%s'", element, attribute, text);
        VIR_CHECK_EACH_MEMBER(i, &set) {
            if (strcmp(attribute, "iothreads") == 0 && !virCheckHasIothread(domain, i))
                return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Cannot find 'iothread' : %u", i);
            used.bits[i / 8] |= (unsigned char)(1u << (i % 8));
        }
    }
    return 0;
}

static int
virCheckPinning(xmlNodePtr domain)
{
    xmlNodePtr tune = virXmlFirst(domain, "cputune");

    VIRT_XML_EACH(pin, tune, "iothreadpin") {
        unsigned int id = 0;

        virXmlUInt(pin, "@iothread", &id);
        if (!virCheckHasIothread(domain, id))
            return virReportError(VIR_ERR_XML_ERROR, "Cannot find 'iothread' : %u", id);
    }
    if (virCheckScheduler(domain, "vcpusched", "vcpus") < 0)
        return -1;
    return virCheckScheduler(domain, "iothreadsched", "iothreads");
}

/* ---------- shares of caches and of memory bandwidth ---------- */

static bool
virCheckSameText(xmlNodePtr a, xmlNodePtr b, const char *path)
{
    const char *x = virXmlString(a, path), *y = virXmlString(b, path);

    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static int
virCheckCachetune(xmlNodePtr tune)
{
    struct virCheckSet vcpus, monitored;

    VIRT_XML_EACH(cache, tune, "cache") {
        for (xmlNodePtr other = virXmlNext(cache, "cache"); other != NULL; other = virXmlNext(other, "cache")) {
            if (!virCheckSameText(cache, other, "@level") || !virCheckSameText(cache, other, "@id"))
                continue;
            if (virCheckSameText(cache, other, "@type") || virXmlEquals(cache, "@type", "both") || virXmlEquals(other, "@type", "both"))
                return virReportError(VIR_ERR_XML_ERROR, "Colliding cache allocations for cache level '%s' id '%s', type '%s'",
                                      virXmlString(other, "@level"), virXmlString(other, "@id"), virXmlString(other, "@type"));
        }
    }
    if (virXmlString(tune, "@vcpus") == NULL || virCheckParseSet(virXmlString(tune, "@vcpus"), &vcpus) < 0)
        return virReportError(VIR_ERR_XML_ERROR, "Missing cachetune attribute 'vcpus'");
    VIRT_XML_EACH(monitor, tune, "monitor") {
        if (virXmlString(monitor, "@vcpus") == NULL || virCheckParseSet(virXmlString(monitor, "@vcpus"), &monitored) < 0)
            return virReportError(VIR_ERR_XML_ERROR, "Missing monitor attribute 'vcpus'");
        VIR_CHECK_EACH_MEMBER(i, &monitored)
            if (!virCheckSetHas(&vcpus, i))
                return virReportError(VIR_ERR_INVALID_ARG, "Monitor vcpus conflicts with allocation: vcpu %u is not in '%s'", i,
                                      virXmlString(tune, "@vcpus"));
    }
    return 0;
}

/* A processor belongs to one group only; both kinds of tuning may speak of the same group. */
static int
virCheckGroups(xmlNodePtr cputune)
{
    for (xmlNodePtr a = virXmlFirst(cputune, NULL); a != NULL; a = virXmlNext(a, NULL)) {
        struct virCheckSet ours, theirs;

        if (!virCheckIsWord(virXmlName(a), "cachetune|memorytune"))
            continue;
        if (virXmlString(a, "@vcpus") == NULL || virCheckParseSet(virXmlString(a, "@vcpus"), &ours) < 0)
            return virReportError(VIR_ERR_XML_ERROR, "Missing %s attribute 'vcpus'", virXmlName(a));
        for (xmlNodePtr b = virXmlNext(a, NULL); b != NULL; b = virXmlNext(b, NULL)) {
            if (!virCheckIsWord(virXmlName(b), "cachetune|memorytune") || virXmlString(b, "@vcpus") == NULL ||
                virCheckParseSet(virXmlString(b, "@vcpus"), &theirs) < 0)
                continue;
            if (memcmp(&ours, &theirs, sizeof(ours)) != 0 ? virCheckSetOverlaps(&ours, &theirs) : strcmp(virXmlName(a), virXmlName(b)) == 0)
                return virReportError(VIR_ERR_XML_ERROR, "Overlapping vcpus in resctrls: '%s', '%s'", virXmlString(a, "@vcpus"),
                                      virXmlString(b, "@vcpus"));
        }
    }
    return 0;
}

static int
virCheckResourceGroups(xmlNodePtr cputune)
{
    VIRT_XML_EACH(tune, cputune, "cachetune") {
        if (virCheckCachetune(tune) < 0)
            return -1;
    }
    VIRT_XML_EACH(memory, cputune, "memorytune") {
        VIRT_XML_EACH(node, memory, "node") {
            for (xmlNodePtr other = virXmlNext(node, "node"); other != NULL; other = virXmlNext(other, "node"))
                if (virCheckSameText(node, other, "@id"))
                    return virReportError(VIR_ERR_XML_ERROR, "Memory Bandwidth already defined for node %s", virXmlString(node, "@id"));
        }
    }
    return virCheckGroups(cputune);
}

/* ---------- NUMA ---------- */

/* The cells are numbered from 0 on without a gap, in any order, and share no processor. */
static int
virCheckCells(xmlNodePtr domain, xmlNodePtr numa)
{
    size_t count = virXmlCount(numa, "cell");
    struct virCheckSet used = { { 0 } }, seen = { { 0 } }, cpus;
    unsigned int vcpus = virCheckVcpus(domain), position = 0;

    VIRT_XML_EACH(cell, numa, "cell") {
        unsigned int id = position++;
        const char *text = virXmlString(cell, "@cpus");

        virXmlUInt(cell, "@id", &id);
        if (id >= count || virCheckSetHas(&seen, id))
            return virReportError(VIR_ERR_XML_ERROR, "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or "
                                                     "ranges not starting from 0 are not allowed");
        seen.bits[id / 8] |= (unsigned char)(1u << (id % 8));
        if (text == NULL || virCheckParseSet(text, &cpus) < 0)
            continue;
        if (virCheckSetOverlaps(&used, &cpus))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "NUMA cells have overlapping vCPU ids: '%s' of cell %u", text, id);
        VIR_CHECK_EACH_MEMBER(i, &cpus) {
            if (i >= vcpus)
                return virReportError(VIR_ERR_INTERNAL_ERROR, "CPU IDs in <numa> exceed the <vcpu> count: '%s' of cell %u", text, id);
            used.bits[i / 8] |= (unsigned char)(1u << (i % 8));
        }
    }
    return 0;
}

static int
virCheckNumatune(xmlNodePtr domain, size_t cells)
{
    xmlNodePtr tune = virXmlFirst(domain, "numatune"), memory = virXmlFirst(tune, "memory");
    const char *nodeset = virXmlString(memory, "@nodeset");
    bool automatic = virXmlEquals(memory, "@placement", "auto"), restrictive = virXmlEquals(memory, "@mode", "restrictive");
    struct virCheckSet set;

    if (nodeset != NULL && virCheckParseSet(nodeset, &set) == 0 && virCheckSetIsEmpty(&set))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Invalid value of 'nodeset': %s", nodeset);
    if (memory != NULL && nodeset == NULL && virXmlEquals(memory, "@placement", "static"))
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
    if (virXmlFirst(tune, "memnode") != NULL && automatic)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Per-node binding is not compatible with automatic NUMA placement.");
    VIRT_XML_EACH(node, tune, "memnode") {
        unsigned int id = 0;

        virXmlUInt(node, "@cellid", &id);
        if (cells == 0)
            return virReportError(VIR_ERR_XML_ERROR, "Element 'memnode' is invalid without any guest NUMA cells");
        if (id >= cells)
            return virReportError(VIR_ERR_XML_ERROR, "Argument 'cellid' in memnode element must correspond to existing guest's NUMA cell: %u", id);
        nodeset = virXmlString(node, "@nodeset");
        if (nodeset == NULL || virCheckParseSet(nodeset, &set) < 0 || virCheckSetIsEmpty(&set))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "Invalid value of 'nodeset': %s", nodeset != NULL ? nodeset : "");
        if (restrictive != virXmlEquals(node, "@mode", "restrictive") && (restrictive || virXmlString(node, "@mode") != NULL))
            return virReportError(VIR_ERR_XML_ERROR, "'restrictive' mode is required in memnode element when mode is 'restrictive' "
                                                     "in memory element, and in no other case");
        for (xmlNodePtr other = virXmlNext(node, "memnode"); other != NULL; other = virXmlNext(other, "memnode"))
            if (virCheckSameText(node, other, "@cellid"))
                return virReportError(VIR_ERR_XML_ERROR, "Multiple 'memnode' elements with cellid %u", id);
    }
    return 0;
}

/* A page without a nodeset is for all nodes that no other page names: there can be one such only, and not beside one that names a non-NUMA guest. */
static int
virCheckHugepages(xmlNodePtr domain, size_t cells)
{
    xmlNodePtr pages = virXmlFind(domain, "memoryBacking/hugepages");
    struct virCheckSet used = { { 0 } }, set;
    unsigned long long master = 0;
    bool haveMaster = false;

    VIRT_XML_EACH(page, pages, "page") {
        unsigned long long size = 0;
        const char *nodes = virXmlString(page, "@nodeset");

        if (virXmlSize(page, "@size", "KiB", &size) < 0)
            return -1;
        if (nodes != NULL && virCheckParseSet(nodes, &set) < 0)
            return virReportError(VIR_ERR_INVALID_ARG, "Failed to parse bitmap '%.80s' in element 'page'", nodes);
        if (nodes == NULL || (cells == 0 && virCheckSetHas(&set, 0))) {
            if (haveMaster)
                return virReportError(VIR_ERR_XML_DETAIL, "two master hugepages detected: %llu and %llu", size / 1024, master / 1024);
            haveMaster = true;
            master = size;
        }
        if (nodes == NULL)
            continue;
        VIR_CHECK_EACH_MEMBER(i, &set) {
            if (i >= cells && (cells > 0 || i > 0))
                return virReportError(VIR_ERR_XML_DETAIL, "hugepages: node %u not found", i);
            if (virCheckSetHas(&used, i))
                return virReportError(VIR_ERR_XML_DETAIL, "nodeset attribute of hugepages: node %u is named twice", i);
            used.bits[i / 8] |= (unsigned char)(1u << (i % 8));
        }
    }
    return 0;
}

static int
virCheckMemoryDevices(xmlNodePtr domain, size_t cells)
{
    VIRT_XML_EACH(memory, virXmlFirst(domain, "devices"), "memory") {
        unsigned int node = 0;

        if (virXmlUInt(memory, "target/node", &node) > 0 && cells > 0 && node >= cells)
            return virReportError(VIR_ERR_XML_DETAIL, "can't add memory backend for guest node '%u' as the guest has only '%zu' NUMA nodes "
                                                      "configured", node, cells);
    }
    return 0;
}

static int
virCheckNuma(xmlNodePtr domain)
{
    xmlNodePtr numa = virXmlFind(domain, "cpu/numa");
    size_t cells = virXmlCount(numa, "cell");

    if (virCheckCells(domain, numa) < 0 || virCheckNumatune(domain, cells) < 0 || virCheckHugepages(domain, cells) < 0)
        return -1;
    return virCheckMemoryDevices(domain, cells);
}

/* ---------- security labels ---------- */

/* Several labels must say which security model each is for, and each model has one. */
static int
virCheckSeclabels(xmlNodePtr parent, bool ofDevice)
{
    size_t count = virXmlCount(parent, "seclabel");

    VIRT_XML_EACH(label, parent, "seclabel") {
        const char *model = virXmlString(label, "@model");

        if (model == NULL && count > 1 && (ofDevice || !virXmlEquals(label, "@type", "none")))
            return virReportError(VIR_ERR_XML_ERROR, "missing security model when using multiple labels");
        for (xmlNodePtr other = virXmlNext(label, "seclabel"); model != NULL && other != NULL; other = virXmlNext(other, "seclabel"))
            if (virXmlEquals(other, "@model", model))
                return virReportError(VIR_ERR_XML_DETAIL, "seclabel for model %s is already provided", model);
    }
    return 0;
}

static int
virCheckAllSeclabels(xmlNodePtr domain)
{
    if (virCheckSeclabels(domain, false) < 0)
        return -1;
    for (xmlNodePtr device = virXmlFirst(virXmlFirst(domain, "devices"), NULL); device != NULL; device = virXmlNext(device, NULL)) {
        VIRT_XML_EACH(source, device, "source") {
            if (virCheckSeclabels(source, true) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---------- all ---------- */

/* The switches that libvirt knows; a feature of another name would be a promise nobody keeps. */
static int
virCheckFeatures(xmlNodePtr domain)
{
    static const char known[] =
        "acpi|apic|pae|hap|hyperv|kvm|pvspinlock|privnet|capabilities|pmu|vmport|gic|smm|ioapic|hpt|vmcoreinfo|xen|htm|nested-hv|msrs|"
        "ccf-assist|viridian|cfpc|sbbc|ibs|tcg|async-teardown";
    unsigned long long bytes = 0;

    for (xmlNodePtr feature = virXmlFirst(virXmlFirst(domain, "features"), NULL); feature != NULL; feature = virXmlNext(feature, NULL))
        if (!virCheckIsWord(virXmlName(feature), known))
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "unexpected feature '%s'", virXmlName(feature));
    if (virXmlSize(domain, "features/smm/tseg", "MiB", &bytes) < 0)
        return -1;
    if (bytes % (1024 * 1024) != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "SMM TSEG size must be divisible by 1 MiB");
    return 0;
}

VIRT_INTERNAL int
virCheckDomain(xmlNodePtr domain)
{
    if (virCheckIdentity(domain) < 0 || virCheckFirmware(virXmlFirst(domain, "os")) < 0 || virCheckBootOrder(domain) < 0)
        return -1;
    VIRT_XML_EACH(cpu, domain, "cpu") {
        if (virCheckCpu(cpu) < 0)
            return -1;
    }
    if (virCheckVcpuElements(domain) < 0 || virCheckPinning(domain) < 0 ||
        virCheckResourceGroups(virXmlFirst(domain, "cputune")) < 0 || virCheckNuma(domain) < 0 || virCheckFeatures(domain) < 0)
        return -1;
    return virCheckAllSeclabels(domain);
}

#undef VIRT_FROM
