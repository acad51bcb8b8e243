/*
 * The virtual CPUs: their model and features (-cpu), how many there are and how they are arranged (-smp).
 */
#include "machine.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- features that are not in <cpu> ---------- */

static void
qemuCpuFlag(struct virText *text, const char *name, bool value)
{
    virTextAdd(text, ",%s=%s", name, value ? "on" : "off");
}

/* Elements of <features> that are properties of the CPU: a path, the property, and whether it is KVM's. */
static const struct qemuCpuSwitch {
    const char *path, *property;
    bool inverted;                    /* kvm/hidden: the property is visibility */
} qemuCpuSwitches[] = {
    { "kvm/hidden/@state", "kvm", true },
    { "kvm/hint-dedicated/@state", "kvm-hint-dedicated", false },
    { "kvm/poll-control/@state", "kvm-poll-control", false },
    { "kvm/pv-ipi/@state", "kvm-pv-ipi", false },
    { "apic/@eoi", "kvm-pv-eoi", false },
    { "pvspinlock/@state", "kvm-pv-unhalt", false },
    { "pmu/@state", "pmu", false },
};

/* Hyper-V enlightenments: only what is on is said, because QEMU's default is off. */
static const char *const qemuHypervFeatures[] = {
    "relaxed", "vapic", "vpindex", "runtime", "synic", "stimer", "reset", "frequencies", "reenlightenment", "tlbflush", "ipi",
    "evmcs", "avic", "emsr_bitmap", "xmm_input",
};

static int
qemuCpuAddHyperv(xmlNodePtr hyperv, struct virText *text)
{
    unsigned int retries = 0;
    bool direct = false;
    const char *vendor;

    if (virXmlEquals(hyperv, "@mode", "passthrough"))
        virTextAdd(text, ",hv-passthrough=on");
    for (size_t i = 0; i < sizeof(qemuHypervFeatures) / sizeof(qemuHypervFeatures[0]); i++) {
        xmlNodePtr feature = virXmlFind(hyperv, qemuHypervFeatures[i]);
        bool state = false;
        char name[32];

        if (feature == NULL)
            continue;
        if (virXmlBool(feature, "@state", &state) < 0)
            return -1;
        snprintf(name, sizeof(name), "hv-%s", qemuHypervFeatures[i]);
        for (char *c = name; *c != '\0'; c++)
            *c = *c == '_' ? '-' : *c;
        if (state)
            qemuCpuFlag(text, name, true);
    }
    if (virXmlEquals(hyperv, "spinlocks/@state", "on")) {
        if (virXmlUInt(hyperv, "spinlocks/@retries", &retries) < 0)
            return -1;
        virTextAdd(text, ",hv-spinlocks=0x%x", retries);
    } else {
        virXmlFind(hyperv, "spinlocks");
    }
    if (virXmlEquals(hyperv, "vendor_id/@state", "on") && (vendor = virXmlString(hyperv, "vendor_id/@value")) != NULL)
        qemuTextOption(text, "hv-vendor-id", vendor);
    if (virXmlBool(hyperv, "stimer/direct/@state", &direct) < 0)
        return -1;
    if (direct)
        qemuCpuFlag(text, "hv-stimer-direct", true);
    return 0;
}

/* These act on KVM's interface to the guest; without KVM there is none, and they stay unread. */
static int
qemuCpuAddFeatures(struct qemuCommand *command, const struct qemuMachine *machine, struct virText *text)
{
    xmlNodePtr features = virXmlFind(virXmlRoot(command->doc), "features"), hyperv;

    if (features == NULL || !qemuIsKvm(command->doc))
        return 0;
    for (size_t i = 0; i < sizeof(qemuCpuSwitches) / sizeof(qemuCpuSwitches[0]); i++) {
        const struct qemuCpuSwitch *feature = &qemuCpuSwitches[i];
        bool state = false;
        int rc = virXmlBool(features, feature->path, &state);

        if (rc < 0)
            return -1;
        if (rc > 0 && (machine->x86 || strcmp(feature->property, "pmu") == 0) && (!feature->inverted || state))
            qemuCpuFlag(text, feature->property, state != feature->inverted);
    }
    hyperv = machine->x86 ? virXmlFind(features, "hyperv") : NULL;
    return hyperv == NULL ? 0 : qemuCpuAddHyperv(hyperv, text);
}

/* ---------- the model ---------- */

/* Features libvirt knows that no CPU of QEMU has: they describe the host, follow from other state, or QEMU has dropped them. */
static const char *const qemuCpuHostOnly[] = { "cmt", "mbm_total", "mbm_local", "osxsave", "ospke", "pconfig" };

static bool
qemuCpuIsHostOnly(const char *name)
{
    for (size_t i = 0; i < sizeof(qemuCpuHostOnly) / sizeof(qemuCpuHostOnly[0]); i++)
        if (strcmp(name, qemuCpuHostOnly[i]) == 0)
            return true;
    return false;
}

static int
qemuCpuAddPolicies(xmlNodePtr cpu, struct virText *text)
{
    VIRT_XML_EACH(feature, cpu, "feature") {
        const char *name = virXmlNeed(feature, "@name"), *policy = virXmlString(feature, "@policy");
        bool off = policy != NULL && (strcmp(policy, "disable") == 0 || strcmp(policy, "forbid") == 0);

        if (name == NULL)
            return -1;
        if (policy != NULL && !off && strcmp(policy, "require") != 0 && strcmp(policy, "force") != 0 && strcmp(policy, "optional") != 0)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU feature '%s': unknown policy '%s'", name, policy);
        if (strcspn(name, ",=") != strlen(name))
            return virReportError(VIR_ERR_XML_ERROR, "'%s' cannot be the name of a CPU feature", name);
        if (qemuCpuIsHostOnly(name))
            continue;
        qemuCpuFlag(text, name, !off);
    }
    return 0;
}

static int
qemuCpuAddCaches(xmlNodePtr cpu, bool x86, struct virText *text)
{
    xmlNodePtr cache = virXmlFirst(cpu, "cache"), phys = virXmlFirst(cpu, "maxphysaddr");
    const char *mode = cache != NULL ? virXmlString(cache, "@mode") : NULL;
    unsigned int level = 0, bits = 0, limit = 0;

    if (cache != NULL && x86 && mode != NULL) {
        if (virXmlUInt(cache, "@level", &level) < 0)
            return -1;
        if (strcmp(mode, "passthrough") == 0)
            virTextAdd(text, ",host-cache-info=on,l3-cache=off");
        else
            qemuCpuFlag(text, "l3-cache", strcmp(mode, "emulate") == 0);
    }
    if (phys == NULL || !x86)
        return 0;
    if (virXmlUInt(phys, "@bits", &bits) < 0 || virXmlUInt(phys, "@limit", &limit) < 0)
        return -1;
    if (virXmlEquals(phys, "@mode", "passthrough"))
        virTextAdd(text, ",host-phys-bits=on");
    else if (bits != 0)
        virTextAdd(text, ",phys-bits=%u", bits);
    if (limit != 0)
        virTextAdd(text, ",host-phys-bits-limit=%u", limit);
    return 0;
}

/* Models that libvirt names and QEMU calls otherwise, or lacks: what comes closest. */
static const char *const qemuCpuNearest[][2] = {
    { "pentiumpro", "pentium" }, { "cpu64-rhel5", "qemu64" }, { "cpu64-rhel6", "qemu64" }, { "kvm64", "qemu64" }, { "kvm32", "qemu32" },
};

static bool
qemuCpuIsKnown(struct qemuCommand *command, const char *model)
{
    const cJSON *cpus = virJsonGet(qemuCapabilitiesJson(command->caps), "cpus"), *cpu;

    if (!cJSON_IsArray(cpus) || cpus->child == NULL)
        return true;
    cJSON_ArrayForEach(cpu, cpus) {
        const char *name = cJSON_IsString(cpu) ? cpu->valuestring : virJsonString(cpu, "name");

        if (name != NULL && strcmp(name, model) == 0)
            return true;
    }
    return false;
}

static const char *
qemuCpuModel(struct qemuCommand *command, xmlNodePtr cpu)
{
    const char *model = virXmlString(cpu, "model"), *fallback = virXmlString(cpu, "model/@fallback");

    if (model == NULL || qemuCpuIsKnown(command, model))
        return model;
    for (size_t i = 0; i < sizeof(qemuCpuNearest) / sizeof(qemuCpuNearest[0]); i++)
        if (strcmp(model, qemuCpuNearest[i][0]) == 0 && (fallback == NULL || strcmp(fallback, "allow") == 0))
            return qemuCpuNearest[i][1];
    virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "emulator '%s' has no CPU model '%s'", qemuCapabilitiesEmulator(command->caps), model);
    return NULL;
}

/*
 * The beginning of -cpu. host-model is the host's CPU as QEMU itself describes it, without what cannot be migrated; where the
 * host's CPU cannot be used (TCG), the one with all that QEMU can emulate.
 */
static int
qemuCpuAddModel(struct qemuCommand *command, const struct qemuMachine *machine, xmlNodePtr cpu, struct virText *text)
{
    const char *mode = virXmlString(cpu, "@mode"), *model, *vendor;
    bool kvm = qemuIsKvm(command->doc), migratable = true;
    int rc;

    if (mode == NULL || strcmp(mode, "custom") == 0) {
        if ((model = virXmlString(cpu, "model")) == NULL)
            return 0;                                   /* <cpu> is there for its topology */
        if ((model = qemuCpuModel(command, cpu)) == NULL)
            return -1;
        virXmlString(cpu, "@match");
        virTextAdd(text, "%s", model);
    } else if (strcmp(mode, "host-passthrough") == 0 || strcmp(mode, "host-model") == 0) {
        bool passthrough = strcmp(mode, "host-passthrough") == 0;

        if (passthrough && !kvm)
            return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode 'host-passthrough' needs domain type 'kvm', not 'qemu'");
        virTextAdd(text, "%s", kvm ? "host" : "max");
        if ((rc = virXmlBool(cpu, "@migratable", &migratable)) < 0)
            return -1;
        if (kvm && machine->x86 && (rc > 0 || !passthrough))
            qemuCpuFlag(text, "migratable", migratable);
    } else if (strcmp(mode, "maximum") == 0) {
        virTextAdd(text, "max");
        if ((rc = virXmlBool(cpu, "@migratable", &migratable)) < 0)
            return -1;
        if (rc > 0 && machine->x86)
            qemuCpuFlag(text, "migratable", migratable);
    } else {
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "unknown CPU mode '%s'", mode);
    }
    if ((vendor = virXmlString(cpu, "model/@vendor_id")) != NULL)
        qemuTextOption(text, "vendor", vendor);
    return 0;
}

VIRT_INTERNAL int
qemuAddCpu(struct qemuCommand *command)
{
    struct qemuMachine machine = qemuMachineOf(command->doc);
    xmlNodePtr cpu = virXmlFind(virXmlRoot(command->doc), "cpu");
    struct virText text = { 0 }, more = { 0 };

    if (cpu != NULL && (qemuCpuAddModel(command, &machine, cpu, &text) < 0 || qemuCpuAddPolicies(cpu, &more) < 0 ||
                        qemuCpuAddCaches(cpu, machine.x86, &more) < 0))
        goto fail;
    if (cpu != NULL && virXmlEquals(cpu, "@check", "full") && text.length > 0 && machine.x86)
        qemuCpuFlag(&more, "enforce", true);
    if (qemuCpuAddFeatures(command, &machine, &more) < 0 || qemuClockCpuOptions(command, &more) < 0)
        goto fail;
    if (text.length == 0 && more.length > 0) {
        if (!machine.x86) {
            virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "CPU features%s need a CPU model", more.data);
            goto fail;
        }
        virTextAdd(&text, "%s", strcmp(machine.arch, "i686") == 0 ? "qemu32" : "qemu64");
    }
    if (more.length > 0)
        virTextAdd(&text, "%s", more.data);
    virTextFree(&more);
    if (text.length == 0 && !text.failed)
        return 0;
    if (qemuCommandAdd(command, "-cpu") < 0)
        goto fail;
    return virStringsAdd(&command->argv, &command->argc, virTextTake(&text));
fail:
    virTextFree(&text);
    virTextFree(&more);
    return -1;
}

/* ---------- how many ---------- */

struct qemuTopology { unsigned int sockets, dies, cores, threads; };

/* The <topology>; without one every vcpu is a socket of its own. */
static int
qemuTopologyOf(struct qemuCommand *command, unsigned int max, struct qemuTopology *topology)
{
    xmlNodePtr node = virXmlFind(virXmlRoot(command->doc), "cpu/topology");

    *topology = (struct qemuTopology){ max, 1, 1, 1 };
    if (node == NULL)
        return 0;
    if (virXmlUInt(node, "@sockets", &topology->sockets) < 0 || virXmlUInt(node, "@dies", &topology->dies) < 0 ||
        virXmlUInt(node, "@cores", &topology->cores) < 0 || virXmlUInt(node, "@threads", &topology->threads) < 0)
        return -1;
    if ((unsigned long long)topology->sockets * topology->dies * topology->cores * topology->threads != max)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                              "CPU topology of %u sockets, %u dies, %u cores, %u threads does not match the maximum of %u vcpus",
                              topology->sockets, topology->dies, topology->cores, topology->threads, max);
    return 0;
}

/* Vcpus that are plugged in after the machine is made, because they can be unplugged: <vcpus> names them one by one. */
static bool
qemuVcpuIsHotplugged(xmlNodePtr vcpu)
{
    bool enabled = virXmlEquals(vcpu, "@enabled", "yes"), hotpluggable = virXmlEquals(vcpu, "@hotpluggable", "yes");

    virXmlString(vcpu, "@id");
    virXmlString(vcpu, "@order");
    return enabled && hotpluggable;
}

static unsigned int
qemuHotpluggedVcpus(struct qemuCommand *command)
{
    xmlNodePtr vcpus = virXmlFind(virXmlRoot(command->doc), "vcpus");
    unsigned int count = 0;

    if (vcpus == NULL || !qemuMachineOf(command->doc).x86)
        return 0;
    VIRT_XML_EACH(vcpu, vcpus, "vcpu")
        count += qemuVcpuIsHotplugged(vcpu);
    return count;
}

VIRT_INTERNAL int
qemuAddVcpus(struct qemuCommand *command)
{
    xmlNodePtr root = virXmlRoot(command->doc);
    struct qemuMachine machine = qemuMachineOf(command->doc);
    unsigned int max = 1, now, limit = qemuCapabilitiesMaxVcpus(command->caps, machine.name);
    struct qemuTopology topology;
    struct virText text = { 0 };

    if (virXmlUInt(root, "vcpu", &max) < 0)
        return -1;
    now = max;
    virXmlEquals(root, "vcpu/@placement", "static");
    if (virXmlUInt(root, "vcpu/@current", &now) < 0 || qemuTopologyOf(command, max, &topology) < 0)
        return -1;
    if (limit != 0 && max > limit)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "%u vcpus are more than the %u that machine type '%s' can have", max, limit, machine.name);
    now -= qemuHotpluggedVcpus(command) < now ? qemuHotpluggedVcpus(command) : now - 1;
    virTextAdd(&text, "%u", now);
    if (now != max)
        virTextAdd(&text, ",maxcpus=%u", max);
    virTextAdd(&text, ",sockets=%u", topology.sockets);
    if (topology.dies > 1)
        virTextAdd(&text, ",dies=%u", topology.dies);
    virTextAdd(&text, ",cores=%u,threads=%u", topology.cores, topology.threads);
    if (qemuCommandAdd(command, "-smp") < 0) {
        virTextFree(&text);
        return -1;
    }
    return virStringsAdd(&command->argv, &command->argc, virTextTake(&text));
}

VIRT_INTERNAL int
qemuAddHotplugVcpus(struct qemuCommand *command)
{
    xmlNodePtr root = virXmlRoot(command->doc), vcpus = virXmlFind(root, "vcpus");
    struct qemuMachine machine = qemuMachineOf(command->doc);
    const char *model = virXmlString(root, "cpu/model");
    unsigned int max = 1, id = 0;
    struct qemuTopology t;

    if (vcpus == NULL || qemuHotpluggedVcpus(command) == 0)
        return 0;
    if (virXmlUInt(root, "vcpu", &max) < 0 || qemuTopologyOf(command, max, &t) < 0)
        return -1;
    if (model == NULL)
        model = strcmp(machine.arch, "i686") == 0 ? "qemu32" : "qemu64";
    VIRT_XML_EACH(vcpu, vcpus, "vcpu") {
        if (virXmlUInt(vcpu, "@id", &id) < 0)
            return -1;
        if (!qemuVcpuIsHotplugged(vcpu))
            continue;
        if (qemuCommandAddFormat(command, "-device", "%s-%s-cpu,id=vcpu%u,socket-id=%u,die-id=%u,core-id=%u,thread-id=%u", model,
                                 qemuCapabilitiesArch(command->caps), id, id / (t.threads * t.cores * t.dies),
                                 id / (t.threads * t.cores) % t.dies, id / t.threads % t.cores, id % t.threads) < 0)
            return -1;
    }
    return 0;
}

#undef VIRT_FROM
