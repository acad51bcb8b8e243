/*
 * The guest's NUMA nodes (-numa): which vcpus and which memory belong together, how far they are from each other.
 */
#include "machine.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_MIB(bytes) (((bytes) + (1 << 20) - 1) >> 20 << 20)

struct qemuNumaNode {
    struct virText *text;
    unsigned char *mapped;            /* by vcpu, NULL when nobody counts */
    unsigned int vcpus;
};

static int
qemuNumaAddCpus(unsigned int first, unsigned int last, void *opaque)
{
    struct qemuNumaNode *node = opaque;

    if (node->text != NULL)
        virTextAdd(node->text, first == last ? ",cpus=%u" : ",cpus=%u-%u", first, last);
    for (; node->mapped != NULL && first <= last && first < node->vcpus; first++)
        node->mapped[first] = 1;
    return 0;
}

static int
qemuAddText(struct qemuCommand *command, const char *option, struct virText *text)
{
    if (qemuCommandAdd(command, option) < 0) {
        virTextFree(text);
        return -1;
    }
    return virStringsAdd(&command->argv, &command->argc, virTextTake(text));
}

static int
qemuNumaAddBackend(struct qemuCommand *command, xmlNodePtr cell, unsigned int id, struct virText *text)
{
    unsigned long long bytes = 0;
    VIRT_CLEANUP_JSON cJSON *object = NULL;
    char name[32];

    if (virXmlSize(cell, "@memory", "KiB", &bytes) < 0)
        return -1;
    if (bytes == 0)
        return 0;
    snprintf(name, sizeof(name), "ram-node%u", id);
    if ((object = qemuMemoryBackend(command, name, QEMU_MIB(bytes), (int)id, cell)) == NULL || qemuCommandAdd(command, "-object") < 0 ||
        virStringsAdd(&command->argv, &command->argc, virJsonFormat(object)) < 0)
        return -1;
    virTextAdd(text, ",memdev=%s", name);
    return 0;
}

/* Vcpus that no cell names belong to the first: QEMU wants each to be somewhere. */
static int
qemuNumaAddRest(struct qemuCommand *command, xmlNodePtr numa, struct virText *text)
{
    struct qemuNumaNode all = { 0 };
    unsigned int vcpus = 1;

    if (virXmlUInt(virXmlRoot(command->doc), "vcpu", &vcpus) < 0 || (all.mapped = virAllocate(vcpus + 1)) == NULL)
        return -1;
    all.vcpus = vcpus;
    VIRT_XML_EACH(cell, numa, "cell") {
        const char *cpus = virXmlString(cell, "@cpus");

        if (cpus != NULL && qemuEachRange(cpus, qemuNumaAddCpus, &all) < 0) {
            free(all.mapped);
            return -1;
        }
    }
    for (unsigned int i = 0; i < vcpus; i++)
        if (!all.mapped[i])
            virTextAdd(text, ",cpus=%u", i);
    free(all.mapped);
    return 0;
}

/* The node whose processors are nearest: itself, or what <interconnects> names as initiator. */
static unsigned int
qemuNumaInitiator(xmlNodePtr numa, xmlNodePtr cell, unsigned int id)
{
    xmlNodePtr links = qemuPeekFirst(numa, "interconnects");

    if (qemuPeek(cell, "cpus") != NULL)
        return id;
    QEMU_PEEK_EACH(link, links, NULL)
        if (qemuPeekUInt(link, "target", ~0u) == id)
            return qemuPeekUInt(link, "initiator", 0);
    return 0;
}

static int
qemuNumaAddCell(struct qemuCommand *command, xmlNodePtr numa, xmlNodePtr cell, unsigned int id, bool first, bool hmat)
{
    struct virText text = { 0 };
    struct qemuNumaNode node = { .text = &text };
    const char *cpus = virXmlString(cell, "@cpus");

    virTextAdd(&text, "node,nodeid=%u", id);
    if ((cpus != NULL && qemuEachRange(cpus, qemuNumaAddCpus, &node) < 0) || (first && qemuNumaAddRest(command, numa, &text) < 0))
        goto fail;
    if (hmat)
        virTextAdd(&text, ",initiator=%u", qemuNumaInitiator(numa, cell, id));
    if (qemuNumaAddBackend(command, cell, id, &text) < 0)
        goto fail;
    return qemuAddText(command, "-numa", &text);
fail:
    virTextFree(&text);
    return -1;
}

static int
qemuNumaAddDistances(struct qemuCommand *command, xmlNodePtr cell, unsigned int id)
{
    xmlNodePtr distances = virXmlFirst(cell, "distances");

    VIRT_XML_EACH(sibling, distances, "sibling") {
        unsigned int to = 0, value = 0;

        if (virXmlUInt(sibling, "@id", &to) < 0 || virXmlUInt(sibling, "@value", &value) < 0 ||
            qemuCommandAddFormat(command, "-numa", "dist,src=%u,dst=%u,val=%u", id, to, value) < 0)
            return -1;
    }
    return 0;
}

/* ---------- heterogeneous memory attributes ---------- */

static const char *const qemuNumaCacheLevels[] = { "memory", "first-level", "second-level", "third-level" };

static int
qemuNumaAddLink(struct qemuCommand *command, xmlNodePtr link, bool latency)
{
    unsigned int initiator = 0, target = 0, level = 0;
    unsigned long long value = 0;
    const char *type = virXmlString(link, "@type");

    if (virXmlUInt(link, "@initiator", &initiator) < 0 || virXmlUInt(link, "@target", &target) < 0 || virXmlUInt(link, "@cache", &level) < 0 ||
        (latency ? virXmlULongLong(link, "@value", &value) : virXmlSize(link, "@value", "KiB", &value)) < 0)
        return -1;
    if (level > 3)
        return virReportError(VIR_ERR_XML_ERROR, "interconnect of cache level %u: there are levels 1 to 3", level);
    if (!latency)
        return qemuCommandAddFormat(command, "-numa", "hmat-lb,initiator=%u,target=%u,hierarchy=%s,data-type=%s-bandwidth,bandwidth=%lluK", initiator,
                                    target, qemuNumaCacheLevels[level], type != NULL ? type : "access", value / 1024);
    return qemuCommandAddFormat(command, "-numa", "hmat-lb,initiator=%u,target=%u,hierarchy=%s,data-type=%s-latency,latency=%llu", initiator, target,
                                qemuNumaCacheLevels[level], type != NULL ? type : "access", value);
}

static int
qemuNumaAddCache(struct qemuCommand *command, xmlNodePtr cache, unsigned int id)
{
    const char *policy = virXmlString(cache, "@policy"), *associativity = virXmlString(cache, "@associativity");
    unsigned int level = 1;
    unsigned long long size = 0, line = 0;

    if (virXmlUInt(cache, "@level", &level) < 0 || virXmlSize(cache, "size/@value", "KiB", &size) < 0 || virXmlSize(cache, "line/@value", "B", &line) < 0)
        return -1;
    if (policy != NULL)
        policy = strcmp(policy, "writeback") == 0 ? "write-back" : strcmp(policy, "writethrough") == 0 ? "write-through" : policy;
    if (associativity != NULL && strcmp(associativity, "full") == 0)
        associativity = "complex";
    return qemuCommandAddFormat(command, "-numa", "hmat-cache,node-id=%u,size=%lluK,level=%u,associativity=%s,policy=%s,line=%llu", id, size / 1024, level,
                                associativity != NULL ? associativity : "none", policy != NULL ? policy : "none", line);
}

static int
qemuNumaAddHmat(struct qemuCommand *command, xmlNodePtr numa)
{
    xmlNodePtr links = virXmlFirst(numa, "interconnects");
    unsigned int id = 0;

    VIRT_XML_EACH(latency, links, "latency")
        if (qemuNumaAddLink(command, latency, true) < 0)
            return -1;
    VIRT_XML_EACH(bandwidth, links, "bandwidth")
        if (qemuNumaAddLink(command, bandwidth, false) < 0)
            return -1;
    VIRT_XML_EACH(cell, numa, "cell") {
        unsigned int node = id++;

        if (virXmlUInt(cell, "@id", &node) < 0)
            return -1;
        VIRT_XML_EACH(cache, cell, "cache")
            if (qemuNumaAddCache(command, cache, node) < 0)
                return -1;
    }
    return 0;
}

/* ---------- all of it ---------- */

VIRT_INTERNAL int
qemuAddNuma(struct qemuCommand *command)
{
    xmlNodePtr numa = virXmlFind(virXmlRoot(command->doc), "cpu/numa"), cell;
    bool hmat = qemuPeekFirst(numa, "interconnects") != NULL;
    size_t count = 0;

    if (numa == NULL)
        return 0;
    QEMU_PEEK_EACH(each, numa, "cell") {
        count++;
        hmat = hmat || qemuPeekFirst(each, "cache") != NULL;
    }
    /* In the order of their ids, whatever the document's: QEMU refuses gaps only at the end. */
    for (unsigned int id = 0; id < count; id++) {
        unsigned int position = 0;

        for (cell = virXmlFirst(numa, "cell"); cell != NULL; cell = virXmlNext(cell, "cell"), position++)
            if (qemuPeekUInt(cell, "id", position) == id)
                break;
        if (cell == NULL)
            return virReportError(VIR_ERR_XML_ERROR, "there are %zu numa cells, but none with id %u", count, id);
        virXmlString(cell, "@id");
        if (qemuNumaAddCell(command, numa, cell, id, id == 0, hmat) < 0)
            return -1;
    }
    count = 0;
    VIRT_XML_EACH(each, numa, "cell") {
        unsigned int id = (unsigned int)count++;

        if (virXmlUInt(each, "@id", &id) < 0 || qemuNumaAddDistances(command, each, id) < 0)
            return -1;
    }
    return hmat ? qemuNumaAddHmat(command, numa) : 0;
}

#undef QEMU_MIB
#undef VIRT_FROM
