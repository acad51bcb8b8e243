/*
 * The calls on one domain that need no hypervisor, because the object knows the answer: queries,
 * metadata, rename. They are slots, put into a driver's table as they are; see domain.h.
 */
#include "domain.h"
#include "document.h"
#include "file.h"
#include "json.h"
#include "text.h"

#define VIRT_FROM VIR_FROM_DOMAIN

/* The same for a query, which can mean only one of them; true in *config: the definition. */
static int
virDomainObjQueried(struct virDomainObj *vm, unsigned int flags, bool *config)
{
    bool live;

    if ((flags & VIR_DOMAIN_AFFECT_LIVE) != 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "flags VIR_DOMAIN_AFFECT_LIVE and VIR_DOMAIN_AFFECT_CONFIG "
                              "exclude each other in a query");
    return virDomainObjAffected(vm, flags, &live, config);
}

/* ---- queries ---- */

VIRT_INTERNAL char *
virDomainObjSlotGetOSType(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDocumentHot hot;

    if (vm == NULL || (doc = virDomainObjDocument(vm, false)) == NULL || virDocumentHot(doc, &hot) < 0)
        return NULL;
    return virStringCopy(hot.osType != NULL ? hot.osType : "");
}

VIRT_INTERNAL int
virDomainObjSlotIsActive(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    return vm == NULL ? -1 : vm->id >= 0;
}

VIRT_INTERNAL int
virDomainObjSlotIsPersistent(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    return vm == NULL ? -1 : vm->persistent;
}

VIRT_INTERNAL int
virDomainObjSlotIsUpdated(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    return vm == NULL ? -1 : vm->updated;
}

VIRT_INTERNAL int
virDomainObjSlotGetState(virDomainPtr domain, int *state, int *reason, unsigned int flags)
{
    struct virDomainObj *vm;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return -1;
    *state = vm->state;
    if (reason != NULL)
        *reason = vm->reason;
    return 0;
}

VIRT_INTERNAL int
virDomainObjSlotGetControlInfo(virDomainPtr domain, virDomainControlInfoPtr info, unsigned int flags)
{
    struct virDomainObj *vm;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjCheckActive(vm) < 0)
        return -1;
    memset(info, 0, sizeof(*info));
    pthread_mutex_lock(&vm->lock);
    if (vm->job != VIR_DOMAIN_JOB_KIND_NONE) {
        info->state = VIR_DOMAIN_CONTROL_JOB;
        info->stateTime = (virTimeNowUs() - vm->jobStarted) / 1000;
    }
    pthread_mutex_unlock(&vm->lock);
    return 0;
}

VIRT_INTERNAL char *
virDomainObjSlotGetXMLDesc(virDomainPtr domain, unsigned int flags)
{
    const struct virDomainListConfig *config;
    bool inactive = (flags & VIR_DOMAIN_XML_INACTIVE) != 0, hide, update;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;

    virCheckFlags(VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_UPDATE_CPU |
                  VIR_DOMAIN_XML_MIGRATABLE, NULL);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return NULL;
    config = virDomainObjConfig(vm);
    hide = vm->hasSecrets && (flags & (VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE)) == 0;
    update = config->updateCpu != NULL && (flags & (VIR_DOMAIN_XML_UPDATE_CPU | VIR_DOMAIN_XML_MIGRATABLE)) != 0;

    /* Mostly the stored text is the answer. */
    if (!hide && !update && (!inactive || vm->persistent))
        return virDomainObjText(vm, inactive);
    if ((doc = virDomainObjDocument(vm, inactive)) == NULL || (update && config->updateCpu(doc, config->opaque) < 0))
        return NULL;
    if (hide)
        virDocumentRemoveSecrets(doc);
    virXmlIndent(doc);
    return virXmlFormat(doc);
}

VIRT_INTERNAL int
virDomainObjSlotListIgnoredXML(virDomainPtr domain, char ***paths, unsigned int flags)
{
    const struct virDomainListConfig *config;
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;
    char **list = NULL;
    int n, i;

    virCheckFlags(VIR_DOMAIN_XML_INACTIVE, -1);
    if ((vm = virDomainObjOf(domain)) == NULL)
        return -1;
    config = virDomainObjConfig(vm);
    if (config->listIgnored == NULL)
        return virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "this driver cannot tell which parts of a document it ignores");
    if ((doc = virDomainObjDocument(vm, (flags & VIR_DOMAIN_XML_INACTIVE) != 0)) == NULL)
        return -1;
    if ((n = config->listIgnored(doc, &list, config->opaque)) < 0)
        return -1;
    if (paths != NULL) {
        *paths = list;
        return n;
    }
    for (i = 0; i < n; i++)
        free(list[i]);
    free(list);
    return n;
}

VIRT_INTERNAL int
virDomainObjSlotGetAutostart(virDomainPtr domain, int *autostart)
{
    struct virDomainObj *vm = virDomainObjOf(domain);

    if (vm == NULL)
        return -1;
    *autostart = vm->autostart;
    return 0;
}

VIRT_INTERNAL int
virDomainObjSlotSetAutostart(virDomainPtr domain, int autostart)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    const struct virDomainListConfig *config;
    int rc = -1;

    if (vm == NULL || virDomainObjBeginJob(vm, "virDomainSetAutostart", false) < 0)
        return -1;
    config = virDomainObjConfig(vm);
    if (!vm->persistent) {
        virReportError(VIR_ERR_OPERATION_INVALID, "cannot set autostart for transient domain");
    } else if (vm->autostart == (autostart != 0) || config->saveAutostart == NULL ||
               config->saveAutostart(vm, autostart != 0, config->opaque) == 0) {
        atomic_store(&vm->autostart, autostart != 0);
        rc = 0;
    }
    virDomainObjEndJob(vm);
    return rc;
}

VIRT_INTERNAL int
virDomainObjMemory(const struct virDomainObj *vm, unsigned long *maximum, unsigned long *current)
{
    *maximum = (unsigned long)vm->maxMemory;
    *current = (unsigned long)vm->memory;
    if (*maximum != vm->maxMemory)
        return virReportError(VIR_ERR_OVERFLOW, "domain '%s': its %llu KiB of memory are more than this call can tell here",
                              vm->name, vm->maxMemory);
    return 0;
}

VIRT_INTERNAL unsigned long
virDomainObjSlotGetMaxMemory(virDomainPtr domain)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    unsigned long maximum, current;

    return vm == NULL || virDomainObjMemory(vm, &maximum, &current) < 0 ? 0 : maximum;
}

VIRT_INTERNAL int
virDomainObjSlotGetVcpusFlags(virDomainPtr domain, unsigned int flags)
{
    bool maximum = (flags & VIR_DOMAIN_VCPU_MAXIMUM) != 0, config = false;
    struct virDomainObj *vm;
    unsigned int count;

    virCheckFlags(VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_VCPU_MAXIMUM, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjQueried(vm, flags, &config) < 0)
        return -1;
    if (!config)
        return (int)(maximum ? vm->maxVcpus : vm->vcpus);
    pthread_mutex_lock(&vm->lock);
    count = maximum ? vm->defined.maxVcpus : vm->defined.vcpus;
    pthread_mutex_unlock(&vm->lock);
    return (int)count;
}

VIRT_INTERNAL int
virDomainObjSlotGetMaxVcpus(virDomainPtr domain)
{
    return virDomainObjSlotGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_VCPU_MAXIMUM);
}

/* Writes a CPU set ("0-3,^2,8") as a map of `length` bytes; without a set, all CPUs of the host. */
static int
virDomainCpuMap(virConnectPtr conn, const char *set, unsigned char *map, int length)
{
    int cpus = length * 8;

    memset(map, 0, (size_t)length);
    if (set == NULL) {
        if (conn->driver->node.getCPUMap != NULL && (cpus = conn->driver->node.getCPUMap(conn, NULL, NULL, 0)) < 0)
            return -1;
        for (int cpu = 0; cpu < cpus && cpu < length * 8; cpu++)
            map[cpu / 8] |= (unsigned char)(1 << (cpu % 8));
        return 0;
    }
    for (const char *at = set; *at != '\0';) {
        char *end;
        bool without = *at == '^';
        unsigned long first = strtoul(at + without, &end, 10), last = first;

        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        for (unsigned long cpu = first; cpu <= last && cpu < (unsigned long)length * 8; cpu++) {
            if (without)
                map[cpu / 8] &= (unsigned char)~(1 << (cpu % 8));
            else
                map[cpu / 8] |= (unsigned char)(1 << (cpu % 8));
        }
        while (*end == ',' || *end == ' ')
            end++;
        if (end == at)
            return virReportError(VIR_ERR_XML_ERROR, "'%s' is not a set of CPUs", set);
        at = end;
    }
    return 0;
}

static xmlDocPtr
virDomainObjPinDocument(struct virDomainObj *vm, unsigned int flags, unsigned int *vcpus)
{
    bool config = false;

    if (virDomainObjQueried(vm, flags, &config) < 0)
        return NULL;
    pthread_mutex_lock(&vm->lock);
    *vcpus = config ? vm->defined.vcpus : vm->vcpus;
    pthread_mutex_unlock(&vm->lock);
    return virDomainObjDocument(vm, config);
}

VIRT_INTERNAL int
virDomainObjSlotGetVcpuPinInfo(virDomainPtr domain, int ncpumaps, unsigned char *cpumaps, int maplen, unsigned int flags)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;
    unsigned int vcpus;

    virCheckFlags(VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || (doc = virDomainObjPinDocument(vm, flags, &vcpus)) == NULL)
        return -1;
    if (ncpumaps > (int)vcpus)
        ncpumaps = (int)vcpus;
    for (int i = 0; i < ncpumaps; i++) {
        const char *set = virXmlString(virXmlRoot(doc), "vcpu/@cpuset");

        VIRT_XML_EACH(pin, virXmlFind(virXmlRoot(doc), "cputune"), "vcpupin") {
            unsigned int vcpu = 0;

            if (virXmlUInt(pin, "@vcpu", &vcpu) > 0 && vcpu == (unsigned int)i)
                set = virXmlString(pin, "@cpuset");
        }
        if (virDomainCpuMap(domain->conn, set, cpumaps + (size_t)i * (size_t)maplen, maplen) < 0)
            return -1;
    }
    return ncpumaps;
}

VIRT_INTERNAL int
virDomainObjSlotGetEmulatorPinInfo(virDomainPtr domain, unsigned char *cpumap, int maplen, unsigned int flags)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;
    unsigned int vcpus;
    const char *set;

    virCheckFlags(VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || (doc = virDomainObjPinDocument(vm, flags, &vcpus)) == NULL)
        return -1;
    if ((set = virXmlString(virXmlRoot(doc), "cputune/emulatorpin/@cpuset")) == NULL)
        set = virXmlString(virXmlRoot(doc), "vcpu/@cpuset");
    return virDomainCpuMap(domain->conn, set, cpumap, maplen) < 0 ? -1 : 1;
}

/* ---- metadata ---- */

/* The element of an application, recognised by its namespace. */
static xmlNodePtr
virDomainMetadataFind(xmlDocPtr doc, const char *uri)
{
    VIRT_XML_EACH(node, virXmlFind(virXmlRoot(doc), "metadata"), NULL) {
        if (node->ns != NULL && node->ns->href != NULL && strcmp((const char *)node->ns->href, uri) == 0)
            return node;
    }
    return NULL;
}

/*
 * Gives an element and all below it that had the namespace `from` (or none, if NULL) the namespace
 * `to` (or none).
 */
static void
virDomainMetadataRename(xmlNodePtr node, const char *from, xmlNsPtr to)
{
    const char *has = node->ns == NULL ? NULL : (const char *)node->ns->href;

    if (from == NULL ? has == NULL : has != NULL && strcmp(has, from) == 0)
        xmlSetNs(node, to);
    VIRT_XML_EACH(child, node, NULL)
        virDomainMetadataRename(child, from, to);
}

/* The application's element as it was handed in: without the namespace that is its key. */
static char *
virDomainMetadataElement(xmlDocPtr doc, const char *uri)
{
    xmlNodePtr node = virDomainMetadataFind(doc, uri), copy;
    char *text;

    if (node == NULL) {
        virReportError(VIR_ERR_NO_DOMAIN_METADATA, "Requested metadata element is not present");
        return NULL;
    }
    if ((copy = xmlDocCopyNode(node, doc, 1)) == NULL) {
        virReportNoMemory();
        return NULL;
    }
    virDomainMetadataRename(copy, uri, NULL);
    for (xmlNsPtr *at = &copy->nsDef; *at != NULL;) {
        xmlNsPtr ns = *at;

        if (ns->href != NULL && strcmp((const char *)ns->href, uri) == 0) {
            *at = ns->next;
            xmlFreeNs(ns);
        } else {
            at = &ns->next;
        }
    }
    if ((text = virXmlFormatNode(copy)) != NULL) {
        size_t length = strlen(text);

        while (length > 0 && text[length - 1] == '\n')
            text[--length] = '\0';
    }
    xmlFreeNode(copy);
    return text;
}

VIRT_INTERNAL char *
virDomainObjSlotGetMetadata(virDomainPtr domain, int type, const char *uri, unsigned int flags)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct virDomainObj *vm;
    const char *text = NULL;
    bool config;

    virCheckFlags(VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, NULL);
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjQueried(vm, flags, &config) < 0 ||
        (doc = virDomainObjDocument(vm, config)) == NULL)
        return NULL;
    if (type == VIR_DOMAIN_METADATA_ELEMENT && uri != NULL)
        return virDomainMetadataElement(doc, uri);
    if (type == VIR_DOMAIN_METADATA_TITLE) {
        text = virXmlString(virXmlRoot(doc), "title");
    } else if (type == VIR_DOMAIN_METADATA_DESCRIPTION) {
        text = virXmlString(virXmlRoot(doc), "description");
    } else {
        virReportError(VIR_ERR_INVALID_ARG, "metadata type %d with%s uri is not known", type, uri == NULL ? "out a" : " a");
        return NULL;
    }
    if (text == NULL) {
        virReportError(VIR_ERR_NO_DOMAIN_METADATA, "Requested metadata element is not present");
        return NULL;
    }
    return virStringCopy(text);
}

/*
 * The element <name> of the document's head, made in its place (name, uuid, genid, title,
 * description, metadata) if it is missing.
 */
static xmlNodePtr
virDomainMetadataMake(xmlDocPtr doc, const char *name)
{
    static const char *const head[] = { "name", "uuid", "genid", "title", "description", "metadata" };
    xmlNodePtr root = virXmlRoot(doc), after = NULL, node = virXmlFirst(root, name);

    if (node != NULL)
        return node;
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]) && strcmp(head[i], name) != 0; i++) {
        if (virXmlFirst(root, head[i]) != NULL)
            after = virXmlFirst(root, head[i]);
    }
    return after != NULL ? virXmlAddAfter(after, name) : virXmlAdd(root, name);
}

static int
virDomainMetadataSetElement(xmlDocPtr doc, const char *metadata, const char *key, const char *uri)
{
    VIRT_CLEANUP_XML xmlDocPtr given = NULL;
    xmlNodePtr node, parent;
    xmlNsPtr ns;

    if (metadata != NULL) {
        if ((given = virXmlParse(metadata, NULL)) == NULL)
            return -1;
        if (key == NULL || (ns = xmlNewNs(virXmlRoot(given), BAD_CAST uri, BAD_CAST key)) == NULL)
            return virReportError(VIR_ERR_INVALID_ARG, "metadata key '%s' cannot be the prefix of '%s'",
                                  key == NULL ? "" : key, uri);
        virDomainMetadataRename(virXmlRoot(given), NULL, ns);
    }
    if ((node = virDomainMetadataFind(doc, uri)) != NULL) {
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
    if (metadata == NULL) {
        if (virXmlFirst(virXmlFind(virXmlRoot(doc), "metadata"), NULL) == NULL)
            virXmlRemove(virXmlRoot(doc), "metadata");
        return 0;
    }
    if ((parent = virDomainMetadataMake(doc, "metadata")) == NULL)
        return -1;
    if ((node = xmlDocCopyNode(virXmlRoot(given), doc, 1)) == NULL)
        return virReportNoMemory();
    xmlAddChild(parent, node);
    return 0;
}

/* The document with the change made, as text; *doc for virXmlFree. */
static char *
virDomainMetadataChange(struct virDomainObj *vm, bool persistent, int type, const char *metadata, const char *key,
                        const char *uri)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, persistent);
    const char *name = type == VIR_DOMAIN_METADATA_TITLE ? "title" : "description";

    if (doc == NULL)
        return NULL;
    if (type == VIR_DOMAIN_METADATA_ELEMENT) {
        if (virDomainMetadataSetElement(doc, metadata, key, uri) < 0)
            return NULL;
    } else if (metadata == NULL || *metadata == '\0') {
        virXmlRemove(virXmlRoot(doc), name);
    } else if (virDomainMetadataMake(doc, name) == NULL || virXmlSet(virXmlRoot(doc), name, "%s", metadata) < 0) {
        return NULL;
    }
    virXmlIndent(doc);
    return virXmlFormat(doc);
}

/*
 * Puts new texts in the place of the documents (NULL: that one stays) and takes them over. Both texts are made before either is
 * stored, the definition is stored before the guest's. The job is held.
 */
static int
virDomainObjReplace(struct virDomainObj *vm, char **live, char **config)
{
    const struct virDomainListConfig *list = virDomainObjConfig(vm);
    VIRT_CLEANUP_FREE char *oldLive = NULL, *oldConfig = NULL;

    if (*config != NULL && list->saveDefinition != NULL && list->saveDefinition(vm, vm->name, *config, list->opaque) < 0)
        return -1;
    if (*live != NULL && list->saveLive != NULL && list->saveLive(vm, *live, list->opaque) < 0)
        return -1;
    pthread_mutex_lock(&vm->lock);
    if (*live != NULL) {
        oldLive = vm->live;
        vm->live = *live;
        *live = NULL;
    }
    if (*config != NULL) {
        oldConfig = vm->definition;
        vm->definition = *config;
        *config = NULL;
    }
    pthread_mutex_unlock(&vm->lock);
    return 0;
}

static int
virDomainObjSetMetadataLocked(struct virDomainObj *vm, int type, const char *metadata, const char *key, const char *uri,
                              unsigned int flags)
{
    VIRT_CLEANUP_FREE char *liveText = NULL, *configText = NULL;
    bool live, config;

    if (virDomainObjAffected(vm, flags, &live, &config) < 0 ||
        (live && (liveText = virDomainMetadataChange(vm, false, type, metadata, key, uri)) == NULL) ||
        (config && (configText = virDomainMetadataChange(vm, true, type, metadata, key, uri)) == NULL))
        return -1;
    return virDomainObjReplace(vm, &liveText, &configText);
}

VIRT_INTERNAL int
virDomainObjSlotSetMetadata(virDomainPtr domain, int type, const char *metadata, const char *key, const char *uri,
                            unsigned int flags)
{
    struct virDomainEvent event = { .eventID = VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, .detail = { type }, .text = { uri } };
    struct virDomainObj *vm;
    int rc;

    virCheckFlags(VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, -1);
    if (type < 0 || type >= VIR_DOMAIN_METADATA_LAST || (type == VIR_DOMAIN_METADATA_ELEMENT && uri == NULL))
        return virReportError(VIR_ERR_INVALID_ARG, "metadata type %d with%s uri is not known", type, uri == NULL ? "out a" : " a");
    if (type == VIR_DOMAIN_METADATA_TITLE && metadata != NULL && strchr(metadata, '\n') != NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "a title is one line");
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjBeginJob(vm, "virDomainSetMetadata", false) < 0)
        return -1;
    rc = virDomainObjSetMetadataLocked(vm, type, metadata, key, uri, flags);
    if (rc == 0 && virDomainObjConfig(vm)->hub != NULL) {
        event.name = vm->name;                             /* the job keeps it from changing */
        memcpy(event.uuid, vm->uuid, VIR_UUID_BUFLEN);
        event.id = vm->id;
        virDomainEventEmit(virDomainObjConfig(vm)->hub, &event);
    }
    virDomainObjEndJob(vm);
    return rc;
}

/* ---- memory ---- */

VIRT_INTERNAL int
virDomainObjCheckMemory(struct virDomainObj *vm, unsigned long memory, unsigned int flags, bool *live, bool *config)
{
    bool maximum = (flags & VIR_DOMAIN_MEM_MAXIMUM) != 0;

    if (memory == 0)
        return virReportError(VIR_ERR_INVALID_ARG, "a domain cannot be without memory");
    if (virDomainObjAffected(vm, flags & ~(unsigned int)VIR_DOMAIN_MEM_MAXIMUM, live, config) < 0)
        return -1;
    if (*live && maximum)
        return virReportError(VIR_ERR_OPERATION_INVALID, "cannot resize the maximum memory on an active domain");
    if (!maximum && ((*live && memory > vm->maxMemory) || (*config && memory > vm->defined.maxMemory)))
        return virReportError(VIR_ERR_INVALID_ARG, "cannot set memory higher than max memory");
    return 0;
}

/* An element with KiB in it. One that is not there yet comes after <memory>. */
static int
virDomainMemoryWrite(xmlNodePtr root, const char *name, unsigned long kib)
{
    if (virXmlFirst(root, name) == NULL && virXmlAddAfter(virXmlFirst(root, "memory"), name) == NULL)
        return -1;
    return virXmlSet(root, name, "%lu", kib) < 0 || virXmlSet(virXmlFirst(root, name), "@unit", "KiB") < 0 ? -1 : 0;
}

static char *
virDomainMemoryChange(struct virDomainObj *vm, bool persistent, unsigned long memory, bool maximum)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, persistent);
    xmlNodePtr root = doc != NULL ? virXmlRoot(doc) : NULL;

    if (doc == NULL)
        return NULL;
    if (maximum && virXmlFind(root, "cpu/numa") != NULL) {
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has NUMA cells: each has its memory", vm->name);
        return NULL;
    }
    if ((maximum && virDomainMemoryWrite(root, "memory", memory) < 0) ||
        ((!maximum || memory < vm->defined.memory) && virDomainMemoryWrite(root, "currentMemory", memory) < 0))
        return NULL;
    virXmlIndent(doc);
    return virXmlFormat(doc);
}

VIRT_INTERNAL int
virDomainObjSetMemory(struct virDomainObj *vm, unsigned long memory, bool maximum, bool live, bool config)
{
    VIRT_CLEANUP_FREE char *liveText = NULL, *configText = NULL;

    if ((live && (liveText = virDomainMemoryChange(vm, false, memory, maximum)) == NULL) ||
        (config && (configText = virDomainMemoryChange(vm, true, memory, maximum)) == NULL) ||
        virDomainObjReplace(vm, &liveText, &configText) < 0)
        return -1;
    if (!config)
        return 0;
    pthread_mutex_lock(&vm->lock);
    if (maximum)
        vm->defined.maxMemory = memory;
    if (!maximum || memory < vm->defined.memory)
        vm->defined.memory = memory;
    if (vm->id < 0) {
        atomic_store(&vm->maxMemory, vm->defined.maxMemory);
        atomic_store(&vm->memory, vm->defined.memory);
    }
    pthread_mutex_unlock(&vm->lock);
    return 0;
}

static char *
virDomainBalloonChange(struct virDomainObj *vm, bool persistent, int period)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, persistent);
    xmlNodePtr balloon = doc != NULL ? virXmlFind(virXmlRoot(doc), "devices/memballoon") : NULL;

    if (doc == NULL)
        return NULL;
    if (balloon == NULL || virXmlEquals(balloon, "@model", "none")) {
        virReportError(VIR_ERR_OPERATION_INVALID, "domain '%s' has no memory balloon", vm->name);
        return NULL;
    }
    if (period <= 0)
        virXmlRemove(balloon, "stats");
    else if (virXmlSet(balloon, "stats/@period", "%d", period) < 0)
        return NULL;
    virXmlIndent(doc);
    return virXmlFormat(doc);
}

VIRT_INTERNAL int
virDomainObjSetBalloonPeriod(struct virDomainObj *vm, int period, bool live, bool config)
{
    VIRT_CLEANUP_FREE char *liveText = NULL, *configText = NULL;

    if ((live && (liveText = virDomainBalloonChange(vm, false, period)) == NULL) ||
        (config && (configText = virDomainBalloonChange(vm, true, period)) == NULL))
        return -1;
    return virDomainObjReplace(vm, &liveText, &configText);
}

/* ---- rename ---- */

/*
 * The new name is taken first, then stored, and only then is the old one given up; any failure
 * goes all the way back.
 */
static int
virDomainObjRenameLocked(struct virDomainObj *vm, const char *newName)
{
    const struct virDomainListConfig *config = virDomainObjConfig(vm);
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, true);
    VIRT_CLEANUP_FREE char *text = NULL, *name = virStringCopy(newName);
    virErrorPtr error;

    if (doc == NULL || name == NULL || virXmlSet(virXmlRoot(doc), "name", "%s", newName) < 0 ||
        (text = virXmlFormat(doc)) == NULL || virDomainObjSwapName(vm, &name) < 0)
        return -1;
    if (config->saveDefinition != NULL && config->saveDefinition(vm, newName, text, config->opaque) < 0)
        goto back;
    if (config->removeDefinition != NULL && config->removeDefinition(vm, name, config->opaque) < 0)
        goto remove;
    if (vm->autostart && config->saveAutostart != NULL && config->saveAutostart(vm, true, config->opaque) < 0)
        virLog(VIR_LOG_WARN, "domain", "domain '%s' has a new name, but no longer its autostart mark", newName);

    pthread_mutex_lock(&vm->lock);
    free(vm->definition);
    vm->definition = text;
    text = NULL;
    pthread_mutex_unlock(&vm->lock);
    virDomainEventEmitLifecycle(config->hub, name, vm->uuid, -1, VIR_DOMAIN_EVENT_UNDEFINED,
                                VIR_DOMAIN_EVENT_UNDEFINED_RENAMED);
    virDomainObjEmit(vm, VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
    return 0;

remove:
    error = virSaveLastError();
    config->removeDefinition(vm, newName, config->opaque);
    virRestoreLastError(error);
back:
    error = virSaveLastError();
    virDomainObjSwapName(vm, &name);
    virRestoreLastError(error);
    return -1;
}

VIRT_INTERNAL int
virDomainObjSlotRename(virDomainPtr domain, const char *newName, unsigned int flags)
{
    struct virDomainObj *vm;
    int rc = -1;

    virCheckFlags(0, -1);
    if (newName == NULL || *newName == '\0')
        return virReportError(VIR_ERR_INVALID_ARG, "the new name of a domain must not be empty");
    if (virGuestNameCheck(newName) < 0)
        return -1;
    if (!virJsonIsUtf8(newName))
        return virReportError(VIR_ERR_XML_DETAIL, "the new name of a domain must be UTF-8");
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjBeginJob(vm, "virDomainRename", false) < 0)
        return -1;
    if (vm->id >= 0)
        virReportError(VIR_ERR_OPERATION_INVALID, "cannot rename active domain");
    else if (!vm->persistent)
        virReportError(VIR_ERR_OPERATION_INVALID, "cannot rename a transient domain");
    else if (strcmp(vm->name, newName) == 0)
        virReportError(VIR_ERR_OPERATION_INVALID, "Can't rename domain to itself");
    else
        rc = virDomainObjRenameLocked(vm, newName);
    virDomainObjEndJob(vm);
    return rc;
}

#undef VIRT_FROM
