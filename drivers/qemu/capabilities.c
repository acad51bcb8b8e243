/*
 * What an emulator can do. Asking a QEMU takes some 50 ms, so it is done once for a binary (path,
 * size, time stamp) and the answers are kept in a file; and never before somebody needs one. The
 * binary runs with machine "none" and is asked by QMP over a socket pair.
 */
#include "capabilities.h"
#include "monitor.h"

#include "../common/file.h"
#include "../common/host.h"
#include "../common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_CAPABILITIES_FORMAT   2            /* of the file; one of another format is asked for anew */
#define QEMU_CAPABILITIES_DEADLINE 15000        /* ms, for each answer */

struct qemuCapabilities {
    atomic_int refs;
    /* what qemuCapabilitiesJson describes; all strings below live in it */
    cJSON *json;
    const char *emulator, *arch;
    unsigned int version;
    const char **types;                 /* sorted */
    size_t ntypes;
};

/* QEMU's names of targets that libvirt calls otherwise. */
static const struct qemuArchName { const char *qemu, *libvirt; } qemuArchNames[] = {
    { "i386", "i686" }, { "arm", "armv7l" }, { "or1k", "or32" },
};

static const char *
qemuArchFromTarget(const char *target)
{
    for (size_t i = 0; i < sizeof(qemuArchNames) / sizeof(qemuArchNames[0]); i++) {
        if (strcmp(qemuArchNames[i].qemu, target) == 0)
            return qemuArchNames[i].libvirt;
    }
    return target;
}

static const char *
qemuArchToTarget(const char *arch)
{
    for (size_t i = 0; i < sizeof(qemuArchNames) / sizeof(qemuArchNames[0]); i++) {
        if (strcmp(qemuArchNames[i].libvirt, arch) == 0)
            return qemuArchNames[i].qemu;
    }
    return arch;
}

/* ---- asking ---- */

/*
 * The answers, reduced to what is of use. Each function takes the reply over and returns NULL with
 * the error set.
 */
static cJSON *
qemuCapabilitiesReduceMachines(cJSON *reply)
{
    cJSON *machines = virJsonArray();
    const cJSON *each;

    cJSON_ArrayForEach(each, reply) {
        unsigned long long cpus = 0;
        bool isDefault = false;

        virJsonULongLong(each, "cpu-max", &cpus);
        virJsonBool(each, "is-default", &isDefault);
        if (virJsonString(each, "name") == NULL || machines == NULL
            || virJsonAppend(machines, virJsonObject("s:name", virJsonString(each, "name"), "S:alias",
                                                     virJsonString(each, "alias"), "u:max-cpus", cpus, "B:default",
                                                     isDefault, NULL)) < 0) {
            cJSON_Delete(machines);
            machines = NULL;
            break;
        }
    }
    cJSON_Delete(reply);
    return machines;
}

/* An array of the names alone, which stand under `key`. */
static cJSON *
qemuCapabilitiesReduceNames(cJSON *reply, const char *key)
{
    cJSON *names = virJsonArray();
    const cJSON *each;

    cJSON_ArrayForEach(each, reply) {
        const char *name = virJsonString(each, key);

        if (names != NULL && name != NULL && virJsonAppendString(names, name) < 0) {
            cJSON_Delete(names);
            names = NULL;
        }
    }
    cJSON_Delete(reply);
    return names;
}

static int
qemuCapabilitiesAsk(struct qemuMonitor *mon, const char *command, cJSON **reply)
{
    qemuMonitorId id = qemuMonitorSend(mon, command, NULL, false);
    int rc = id == 0 ? -1 : qemuMonitorReceive(mon, id, QEMU_CAPABILITIES_DEADLINE, reply);

    if (rc == 0)
        return virReportError(VIR_ERR_OPERATION_TIMEOUT, "it does not answer '%s'", command);
    return rc < 0 ? -1 : 0;
}

static cJSON *
qemuCapabilitiesAskAll(struct qemuMonitor *mon, const char *emulator, const struct stat *info)
{
    VIRT_CLEANUP_JSON cJSON *version = NULL, *target = NULL;
    cJSON *machines = NULL, *types = NULL, *cpus = NULL, *migration = NULL;
    int major = 0, minor = 0, micro = 0, rc = qemuMonitorNegotiate(mon, QEMU_CAPABILITIES_DEADLINE);

    if (rc == 0)
        virReportError(VIR_ERR_OPERATION_TIMEOUT, "its monitor does not answer");
    if (rc <= 0 || qemuCapabilitiesAsk(mon, "query-version", &version) < 0
        || qemuCapabilitiesAsk(mon, "query-target", &target) < 0)
        return NULL;
    virJsonInt(virJsonGet(version, "qemu"), "major", &major);
    virJsonInt(virJsonGet(version, "qemu"), "minor", &minor);
    virJsonInt(virJsonGet(version, "qemu"), "micro", &micro);
    if (major < 4 || virJsonString(target, "arch") == NULL) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "QEMU %d.%d.%d is too old: 4.0 is needed",
                       major, minor, micro);
        return NULL;
    }
    if (qemuCapabilitiesAsk(mon, "query-machines", &machines) < 0
        || (machines = qemuCapabilitiesReduceMachines(machines)) == NULL)
        return NULL;
    if (qemuCapabilitiesAsk(mon, "qom-list-types",
                            &types) < 0 || (types = qemuCapabilitiesReduceNames(types, "name")) == NULL) {
        cJSON_Delete(machines);
        return NULL;
    }
    /* Not every target has CPU models to choose from. */
    if (qemuCapabilitiesAsk(mon, "query-cpu-definitions", &cpus) < 0) {
        virResetLastError();
        cpus = virJsonArray();
    }
    cpus = qemuCapabilitiesReduceNames(cpus, "name");
    if (qemuCapabilitiesAsk(mon, "query-migrate-capabilities", &migration) < 0) {
        virResetLastError();
        migration = virJsonArray();
    }
    migration = qemuCapabilitiesReduceNames(migration, "capability");
    return virJsonObject("i:format", QEMU_CAPABILITIES_FORMAT, "s:emulator", emulator,
                         "u:size", (unsigned long long)info->st_size, "u:mtime", (unsigned long long)info->st_mtime,
                         "u:version", (unsigned long long)(major * 1000000 + minor * 1000 + micro),
                         "s:arch", qemuArchFromTarget(virJsonString(target, "arch")),
                         "a:machines", machines, "a:types", types, "a:cpus", cpus, "a:migration", migration, NULL);
}

/* Starts the binary and asks; its own words, if it dies, are in the error. */
static cJSON *
qemuCapabilitiesProbe(const char *emulator, const struct stat *info)
{
    VIRT_CLEANUP_FREE char *chardev = NULL;
    VIRT_CLEANUP_CLOSE int words = memfd_create("qemu-stderr", MFD_CLOEXEC), theirs = -1;
    struct virProcess process = { 0 };
    struct qemuMonitor *mon = NULL;
    cJSON *json = NULL;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        virReportSystemError(errno, "cannot make a socket for '%s'", emulator);
        return NULL;
    }
    theirs = pair[1];
    if ((chardev = virStringFormat("socket,id=monitor,fd=%d", theirs)) == NULL) {
        close(pair[0]);
        return NULL;
    } else {
        const char *argv[] = { emulator, "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none",
                               "-chardev", chardev, "-mon", "chardev=monitor,mode=control", NULL };
        struct virProcessSpawn spawn = { .argv = argv, .fds = &theirs, .nfds = 1, .endsWithUs = true, .stdinFd = -1, .stdoutFd = words,
                                         .stderrFd = words };

        if (virProcessStart(&spawn, &process) < 0) {
            close(pair[0]);
            return NULL;
        }
    }
    virFileCleanupClose(&theirs);
    if ((mon = qemuMonitorOpenFd(pair[0], emulator)) != NULL)
        json = qemuCapabilitiesAskAll(mon, emulator, info);
    qemuMonitorUnref(mon);
    if (json != NULL || virProcessWait(&process, 100, NULL) <= 0)
        virProcessSignal(&process, SIGKILL);
    virProcessWait(&process, -1, NULL);
    if (json == NULL) {
        VIRT_CLEANUP_FREE char *why = virStringCopy(virGetLastErrorMessage());
        char said[600] = "";
        ssize_t length = words >= 0 ? pread(words, said, sizeof(said) - 1, 0) : 0;

        said[length < 0 ? 0 : length] = '\0';
        for (char *c = said; *c != '\0'; c++) {
            if (*c == '\n')
                *c = c[1] == '\0' ? '\0' : ' ';
        }
        virReportError(VIR_ERR_INTERNAL_ERROR, "cannot find out what '%s' can do: %s", emulator,
                       said[0] != '\0' ? said : why != NULL ? why : "no memory");
    }
    return json;
}

/* ---- the file ---- */

static char *
qemuCapabilitiesCachePath(const char *directory, const char *emulator)
{
    char *path = virStringFormat("%s/%s.json", directory, emulator + (*emulator == '/'));

    for (char *c = path != NULL ? path + strlen(directory) + 1 : NULL; c != NULL && *c != '\0'; c++) {
        if (*c == '/')
            *c = '-';
    }
    return path;
}

static bool
qemuCapabilitiesFits(const cJSON *json, const char *emulator, const struct stat *info)
{
    unsigned long long size = 0, mtime = 0;
    int format = 0;
    const char *path = virJsonString(json, "emulator");

    return virJsonInt(json, "format", &format) == 0 && format == QEMU_CAPABILITIES_FORMAT
           && virJsonULongLong(json, "size", &size) == 0 && size == (unsigned long long)info->st_size
           && virJsonULongLong(json, "mtime", &mtime) == 0 && mtime == (unsigned long long)info->st_mtime
           && path != NULL && strcmp(path, emulator) == 0;
}

/* What the file says, NULL, without an error, if it does not fit. */
static cJSON *
qemuCapabilitiesLoad(const char *path, const char *emulator, const struct stat *info)
{
    VIRT_CLEANUP_FREE char *text = NULL;
    size_t length;
    cJSON *json;

    if (access(path, R_OK) < 0)
        return NULL;
    if ((text = virFileRead(path, 16u * 1024 * 1024, &length)) == NULL
        || (json = virJsonParse(text, length, path)) == NULL) {
        virLog(VIR_LOG_WARN, "qemu.capabilities", "%s", virGetLastErrorMessage());
        virResetLastError();
        return NULL;
    }
    if (!qemuCapabilitiesFits(json, emulator, info)) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static void
qemuCapabilitiesStore(const char *path, const cJSON *json)
{
    VIRT_CLEANUP_FREE char *text = virJsonFormat(json);

    if (text == NULL || virFileWrite(path, text, strlen(text), 0600) < 0) {
        virLog(VIR_LOG_WARN, "qemu.capabilities", "%s", virGetLastErrorMessage());
        virResetLastError();
    }
}

/* ---- the object ---- */

static int
qemuCapabilitiesCompare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Takes json over, also on failure. */
static struct qemuCapabilities *
qemuCapabilitiesNew(cJSON *json)
{
    struct qemuCapabilities *caps = virAllocate(sizeof(*caps));
    const cJSON *types = virJsonGet(json, "types"), *each;
    unsigned long long version = 0;
    int count = cJSON_GetArraySize(types);

    if (caps == NULL || (caps->types = virAllocate((size_t)(count + 1) * sizeof(*caps->types))) == NULL) {
        free(caps);
        cJSON_Delete(json);
        return NULL;
    }
    caps->refs = 1;
    caps->json = json;
    virJsonULongLong(json, "version", &version);
    caps->version = (unsigned int)version;
    caps->emulator = virJsonString(json, "emulator");
    caps->arch = virJsonString(json, "arch");
    cJSON_ArrayForEach(each, types) {
        if (cJSON_IsString(each))
            caps->types[caps->ntypes++] = each->valuestring;
    }
    qsort(caps->types, caps->ntypes, sizeof(*caps->types), qemuCapabilitiesCompare);
    return caps;
}

VIRT_INTERNAL const struct qemuCapabilities *
qemuCapabilitiesGet(const char *emulator, const char *cacheDirectory)
{
    VIRT_CLEANUP_FREE char *path = NULL;
    cJSON *json = NULL;
    struct stat info;

    if (stat(emulator, &info) < 0 || access(emulator, X_OK) < 0) {
        virReportSystemError(errno, "cannot use the emulator '%s'", emulator);
        return NULL;
    }
    if (!S_ISREG(info.st_mode)) {
        virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "the emulator '%s' is not a program", emulator);
        return NULL;
    }
    if (cacheDirectory != NULL && (path = qemuCapabilitiesCachePath(cacheDirectory, emulator)) == NULL)
        return NULL;
    if (path != NULL)
        json = qemuCapabilitiesLoad(path, emulator, &info);
    if (json == NULL) {
        if ((json = qemuCapabilitiesProbe(emulator, &info)) == NULL)
            return NULL;
        if (path != NULL)
            qemuCapabilitiesStore(path, json);
    }
    return qemuCapabilitiesNew(json);
}

VIRT_INTERNAL const struct qemuCapabilities *
qemuCapabilitiesRef(const struct qemuCapabilities *caps)
{
    atomic_fetch_add(&((struct qemuCapabilities *)(uintptr_t)caps)->refs, 1);
    return caps;
}

VIRT_INTERNAL void
qemuCapabilitiesUnref(const struct qemuCapabilities *constant)
{
    struct qemuCapabilities *caps = (struct qemuCapabilities *)(uintptr_t)constant;

    if (caps == NULL || atomic_fetch_sub(&caps->refs, 1) > 1)
        return;
    cJSON_Delete(caps->json);
    free(caps->types);
    free(caps);
}

/* ---- questions ---- */

VIRT_INTERNAL const char *
qemuCapabilitiesEmulator(const struct qemuCapabilities *caps)
{
    return caps->emulator;
}

VIRT_INTERNAL const char *
qemuCapabilitiesArch(const struct qemuCapabilities *caps)
{
    return caps->arch;
}

VIRT_INTERNAL unsigned int
qemuCapabilitiesVersion(const struct qemuCapabilities *caps)
{
    return caps->version;
}

/* The machine of this name or alias, or the default one. */
static const cJSON *
qemuCapabilitiesFindMachine(const struct qemuCapabilities *caps, const char *machine)
{
    const cJSON *each;

    cJSON_ArrayForEach(each, virJsonGet(caps->json, "machines")) {
        const char *name = virJsonString(each, "name"), *alias = virJsonString(each, "alias");
        bool isDefault = false;

        if (machine == NULL ? virJsonBool(each, "default", &isDefault) == 0 && isDefault
                            : (name != NULL && strcmp(name, machine) == 0)
                                  || (alias != NULL && strcmp(alias, machine) == 0))
            return each;
    }
    return NULL;
}

VIRT_INTERNAL const char *
qemuCapabilitiesMachine(const struct qemuCapabilities *caps, const char *machine)
{
    return virJsonString(qemuCapabilitiesFindMachine(caps, machine), "name");
}

VIRT_INTERNAL unsigned int
qemuCapabilitiesMaxVcpus(const struct qemuCapabilities *caps, const char *machine)
{
    unsigned long long cpus = 0;

    virJsonULongLong(qemuCapabilitiesFindMachine(caps, machine), "max-cpus", &cpus);
    return (unsigned int)cpus;
}

VIRT_INTERNAL bool
qemuCapabilitiesHasDevice(const struct qemuCapabilities *caps, const char *name)
{
    return bsearch(&name, caps->types, caps->ntypes, sizeof(*caps->types), qemuCapabilitiesCompare) != NULL;
}

VIRT_INTERNAL bool
qemuCapabilitiesHasMigration(const struct qemuCapabilities *caps, const char *name)
{
    const cJSON *each;

    cJSON_ArrayForEach(each, virJsonGet(caps->json, "migration")) {
        if (cJSON_IsString(each) && strcmp(each->valuestring, name) == 0)
            return true;
    }
    return false;
}

VIRT_INTERNAL bool
qemuCapabilitiesHasKvm(const struct qemuCapabilities *caps)
{
    const char *host = virHostGetArch();
    bool same = strcmp(caps->arch, host) == 0 || (strcmp(host, "x86_64") == 0 && strcmp(caps->arch,
                                                                                        "i686") == 0);

    return same && access("/dev/kvm", R_OK | W_OK) == 0;
}

VIRT_INTERNAL const cJSON *
qemuCapabilitiesJson(const struct qemuCapabilities *caps)
{
    return caps->json;
}

/* ---- finding emulators ---- */

VIRT_INTERNAL char *
qemuCapabilitiesFindEmulator(const char *arch)
{
    static const char usual[] = "/usr/bin:/usr/local/bin:/usr/libexec:/usr/lib/qemu:/opt/qemu/bin";
    const char *path = getenv("PATH");
    VIRT_CLEANUP_FREE char *folders = virStringFormat("%s%s%s", path != NULL ? path : "",
                                                      path != NULL ? ":" : "", usual);
    char *rest = NULL;

    if (folders == NULL)
        return NULL;
    for (char *folder = strtok_r(folders, ":", &rest); folder != NULL; folder = strtok_r(NULL, ":", &rest)) {
        char *emulator;

        if (*folder != '/')
            continue;
        if ((emulator = virStringFormat("%s/qemu-system-%s", folder, qemuArchToTarget(arch))) == NULL)
            return NULL;
        if (access(emulator, X_OK) == 0)
            return emulator;
        free(emulator);
    }
    virReportError(VIR_ERR_CONFIG_UNSUPPORTED,
                   "there is no emulator for architecture '%s': no qemu-system-%s in PATH",
                   arch, qemuArchToTarget(arch));
    return NULL;
}

/* ---- the capabilities document ---- */

static const struct { const char *name; int wordsize; } qemuGuestArchs[] = {
    { "alpha", 64 }, { "aarch64", 64 }, { "armv7l", 32 }, { "cris", 32 }, { "i686", 32 }, { "loongarch64", 64 },
    { "m68k", 32 }, { "microblaze", 32 }, { "mips", 32 }, { "mips64", 64 }, { "mipsel", 32 }, { "mips64el", 64 },
    { "ppc", 32 }, { "ppc64", 64 }, { "riscv32", 32 }, { "riscv64", 64 }, { "s390x", 64 }, { "sh4", 32 },
    { "sparc", 32 }, { "sparc64", 64 }, { "x86_64", 64 }, { "xtensa", 32 },
};

static void
qemuCapabilitiesFormatMachine(struct virText *text, const cJSON *machine)
{
    const char *name = virJsonString(machine, "name"), *alias = virJsonString(machine, "alias");
    unsigned long long cpus = 0;

    if (name == NULL)                   /* a QEMU without a default machine */
        return;
    virJsonULongLong(machine, "max-cpus", &cpus);
    virTextAdd(text, "      <machine maxCpus='%llu'>%s</machine>\n", cpus, name);
    if (alias != NULL)
        virTextAdd(text, "      <machine canonical='%s' maxCpus='%llu'>%s</machine>\n", name, cpus, alias);
}

static void
qemuCapabilitiesFormatGuest(struct virText *text, const struct qemuCapabilities *caps, int wordsize)
{
    bool x86 = strcmp(caps->arch, "x86_64") == 0 || strcmp(caps->arch, "i686") == 0;
    bool acpi = x86 || strcmp(caps->arch, "aarch64") == 0;
    const cJSON *standard = qemuCapabilitiesFindMachine(caps, NULL), *each;

    virTextAdd(text,
               "  <guest>\n    <os_type>hvm</os_type>\n    <arch name='%s'>\n      <wordsize>%d</wordsize>\n"
               "      <emulator>", caps->arch, wordsize);
    virTextAddXml(text, caps->emulator);
    virTextAdd(text, "</emulator>\n");
    /* The default one stands first: a program without a wish takes that. */
    qemuCapabilitiesFormatMachine(text, standard);
    cJSON_ArrayForEach(each, virJsonGet(caps->json, "machines")) {
        if (each != standard)
            qemuCapabilitiesFormatMachine(text, each);
    }
    virTextAdd(text, "      <domain type='qemu'/>\n");
    if (qemuCapabilitiesHasKvm(caps))
        virTextAdd(text, "      <domain type='kvm'/>\n");
    virTextAdd(text, "    </arch>\n    <features>\n");
    if (acpi)
        virTextAdd(text, "      <acpi default='on' toggle='yes'/>\n");
    if (x86)
        virTextAdd(text, "      <apic default='on' toggle='no'/>\n");
    virTextAdd(text, "      <cpuselection/>\n      <deviceboot/>\n    </features>\n  </guest>\n\n");
}

VIRT_INTERNAL char *
qemuCapabilitiesFormat(const struct qemuCapabilities *(*get)(const char *emulator, void *opaque),
                       void *opaque)
{
    struct virText text = { 0 };

    virTextAdd(&text, "<capabilities>\n\n");
    if (virHostFormatCapabilities(&text) < 0) {
        virTextFree(&text);
        return NULL;
    }
    virTextAdd(&text, "\n");
    for (size_t i = 0; i < sizeof(qemuGuestArchs) / sizeof(qemuGuestArchs[0]); i++) {
        VIRT_CLEANUP_FREE char *emulator = qemuCapabilitiesFindEmulator(qemuGuestArchs[i].name);
        const struct qemuCapabilities *caps = emulator != NULL ? get(emulator, opaque) : NULL;

        /* One that is not there, or does not work, is no guest that could run. */
        if (caps == NULL) {
            if (emulator != NULL)
                virLog(VIR_LOG_WARN, "qemu.capabilities", "%s", virGetLastErrorMessage());
            virResetLastError();
            continue;
        }
        qemuCapabilitiesFormatGuest(&text, caps, qemuGuestArchs[i].wordsize);
        qemuCapabilitiesUnref(caps);
    }
    virTextAdd(&text, "</capabilities>\n");
    return virTextTake(&text);
}

#undef QEMU_CAPABILITIES_FORMAT
#undef QEMU_CAPABILITIES_DEADLINE
#undef VIRT_FROM
