/*
 * What is changed while a guest runs without touching its devices: the balloon. And commands of the application's own, past the
 * library.
 */
#include "domstats.h"

#include "../common/json.h"

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- memory ---------- */

/* Tells the balloon, if there is one. The job is held. */
static int
qemuBalloonSet(struct virDomainObj *vm, const char *property, unsigned long long value)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    VIRT_CLEANUP_FREE char *path = doc != NULL ? qemuBalloonPath(doc) : NULL;
    cJSON *args;

    if (path == NULL)
        return -1;
    if (property == NULL)
        return (args = virJsonObject("u:value", value, NULL)) == NULL ? -1 : qemuDomainCommand(vm, "balloon", args, NULL);
    args = virJsonObject("s:path", path, "s:property", property, "u:value", value, NULL);
    return args == NULL ? -1 : qemuDomainCommand(vm, "qom-set", args, NULL);
}

VIRT_INTERNAL int
qemuDomainSetMemory(virDomainPtr domain, unsigned long memory, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    bool live, config;
    int rc = -1;

    if (vm == NULL || virDomainObjBeginJob(vm, "virDomainSetMemoryFlags", false) < 0)
        return -1;
    if (virDomainObjCheckMemory(vm, memory, flags, &live, &config) == 0 &&
        (!live || qemuBalloonSet(vm, NULL, (unsigned long long)memory * 1024) == 0))
        rc = virDomainObjSetMemory(vm, memory, (flags & VIR_DOMAIN_MEM_MAXIMUM) != 0, live, config);
    virDomainObjEndJob(vm);
    return rc;
}

VIRT_INTERNAL int
qemuDomainSetMemoryStatsPeriod(virDomainPtr domain, int period, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    bool live, config;
    int rc = -1;

    if (period < 0)
        return virReportError(VIR_ERR_INVALID_ARG, "a period of %d seconds makes no sense", period);
    if (vm == NULL || virDomainObjBeginJob(vm, "virDomainSetMemoryStatsPeriod", false) < 0)
        return -1;
    if (virDomainObjAffected(vm, flags, &live, &config) == 0 &&
        (!live || qemuBalloonSet(vm, "guest-stats-polling-interval", (unsigned long long)period) == 0))
        rc = virDomainObjSetBalloonPeriod(vm, period, live, config);
    virDomainObjEndJob(vm);
    return rc;
}

/* ---------- a hand on the keyboard ---------- */

/*
 * QEMU's number of a key, -1 if it is not known. It is the first set's scan code, with 0x80 for the extended ones; Linux has the
 * same numbers up to F12, and others for the extended ones.
 */
static int
qemuControlKey(unsigned int set, unsigned int code)
{
    static const struct { unsigned char key, number; } extended[] = {
        { 96, 0x9c }, { 97, 0x9d }, { 98, 0xb5 }, { 99, 0x54 }, { 100, 0xb8 }, { 102, 0xc7 }, { 103, 0xc8 }, { 104, 0xc9 },
        { 105, 0xcb }, { 106, 0xcd }, { 107, 0xcf }, { 108, 0xd0 }, { 109, 0xd1 }, { 110, 0xd2 }, { 111, 0xd3 }, { 119, 0xc6 },
        { 125, 0xdb }, { 126, 0xdc }, { 127, 0xdd },
    };

    if (set == VIR_KEYCODE_SET_QNUM)
        return code > 0 && code < 0x100 ? (int)code : -1;
    if (set == VIR_KEYCODE_SET_XT)
        return code > 0 && code < 0x80 ? (int)code : code > 0xe000 && code < 0xe080 ? (int)(0x80 | (code & 0x7f)) : -1;
    if (set == VIR_KEYCODE_SET_LINUX && code > 0 && code <= 88 && code != 84 && code != 85)
        return (int)code;
    for (size_t i = 0; set == VIR_KEYCODE_SET_LINUX && i < sizeof(extended) / sizeof(extended[0]); i++) {
        if (extended[i].key == code)
            return extended[i].number;
    }
    return -1;
}

VIRT_INTERNAL int
qemuDomainSendKey(virDomainPtr domain, unsigned int set, unsigned int hold, unsigned int *codes, int count, unsigned int flags)
{
    struct virDomainObj *vm;
    cJSON *keys, *args;
    int rc = -1;

    virCheckFlags(0, -1);
    if (set >= VIR_KEYCODE_SET_LAST || count < 1 || count > VIR_DOMAIN_SEND_KEY_MAX_KEYS)
        return virReportError(VIR_ERR_INVALID_ARG, "%d keys of set %u cannot be pressed", count, set);
    if ((keys = virJsonArray()) == NULL)
        return -1;
    for (int i = 0; i < count; i++) {
        int number = qemuControlKey(set, codes[i]);

        if (number < 0)
            virReportError(VIR_ERR_INVALID_ARG, "key %u of set %u is not known", codes[i], set);
        if (number < 0 || virJsonAppend(keys, virJsonObject("s:type", "number", "i:data", number, NULL)) < 0) {
            cJSON_Delete(keys);
            return -1;
        }
    }
    if ((args = virJsonObject("a:keys", keys, "U:hold-time", (unsigned long long)hold, NULL)) == NULL)
        return -1;
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjBeginJob(vm, "virDomainSendKey", false) < 0) {
        cJSON_Delete(args);
        return -1;
    }
    rc = qemuDomainCommand(vm, "send-key", args, NULL);
    virDomainObjEndJob(vm);
    return rc;
}

VIRT_INTERNAL int
qemuDomainInjectNMI(virDomainPtr domain, unsigned int flags)
{
    struct virDomainObj *vm;
    int rc;

    virCheckFlags(0, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || virDomainObjBeginJob(vm, "virDomainInjectNMI", false) < 0)
        return -1;
    rc = qemuDomainCommand(vm, "inject-nmi", NULL, NULL);
    virDomainObjEndJob(vm);
    return rc;
}

/* ---------- past the library ---------- */

/* From now on the library may be wrong about this guest: whoever reads the log should know. */
static void
qemuControlTaint(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);

    if (priv != NULL && !atomic_exchange(&priv->tainted, true))
        virLog(VIR_LOG_WARN, "qemu.control", "domain '%s' is given monitor commands past the library", vm->name);
}

/* Whether a command lets the guest run, said to QMP or through it to the human monitor, which knows "c" as well. */
static bool
qemuControlRuns(const char *name, const cJSON *args)
{
    const char *line = strcmp(name, "human-monitor-command") == 0 ? virJsonString(args, "command-line") : NULL;
    size_t length;

    if (line == NULL)
        return strcmp(name, "cont") == 0;
    line += strspn(line, " \t\r\n\v\f");
    length = strcspn(line, "/ \t\r\n\v\f");
    return (length == 1 && *line == 'c') || (length == 4 && strncmp(line, "cont", length) == 0);
}

/*
 * A command takes no job: whoever looks into a guest wants to do so also while something else is under way. But what lets the guest run
 * is refused like virDomainResume while a migration holds it, which may have made it run elsewhere; and none begins meanwhile.
 */
static int
qemuControlPass(struct virDomainObj *vm, struct qemuMonitor *mon, const char *name, cJSON *args, bool oob, bool whole, cJSON **reply)
{
    bool job = qemuControlRuns(name, args);
    int rc;

    if (job && virDomainObjBeginJob(vm, "virDomainQemuMonitorCommand (cont)", false) < 0) {
        cJSON_Delete(args);
        return -1;
    }
    rc = whole ? qemuMonitorPass(mon, name, args, oob, reply) : qemuMonitorCommand(mon, name, args, reply);
    if (job)
        virDomainObjEndJob(vm);
    return rc;
}

/* A QMP command as the application has written it; what QEMU answers, whatever it is. */
static char *
qemuControlQmp(struct virDomainObj *vm, struct qemuMonitor *mon, const char *cmd)
{
    bool object = cmd[strspn(cmd, " \t\r\n")] == '{';
    VIRT_CLEANUP_JSON cJSON *given = object ? virJsonParse(cmd, strlen(cmd), "the monitor command") : NULL, *id = NULL, *reply = NULL;
    const char *name = object ? virJsonString(given, "execute") : cmd;
    bool oob = object && name == NULL;

    if (object && given == NULL) {
        virReportError(VIR_ERR_INVALID_ARG, "the monitor command is not JSON: %s", cmd);
        return NULL;
    }
    if (oob && (name = virJsonString(given, "exec-oob")) == NULL) {
        virReportError(VIR_ERR_INVALID_ARG, "a monitor command needs an \"execute\"");
        return NULL;
    }
    id = cJSON_DetachItemFromObjectCaseSensitive(given, "id");
    if (qemuControlPass(vm, mon, name, cJSON_DetachItemFromObjectCaseSensitive(given, "arguments"), oob, true, &reply) < 0)
        return NULL;
    /* the application's own id, or none: the one that we have sent means nothing to it */
    cJSON_DeleteItemFromObjectCaseSensitive(reply, "id");
    if (id != NULL) {
        cJSON *taken = id;

        id = NULL;
        if (virJsonAdd(reply, "a:id", taken, NULL) < 0)
            return NULL;
    }
    return virJsonFormat(reply);
}

static char *
qemuControlHmp(struct virDomainObj *vm, struct qemuMonitor *mon, const char *cmd)
{
    VIRT_CLEANUP_JSON cJSON *reply = NULL;
    cJSON *args = virJsonObject("s:command-line", cmd, NULL);

    if (args == NULL || qemuControlPass(vm, mon, "human-monitor-command", args, false, false, &reply) < 0)
        return NULL;
    return virStringCopy(cJSON_IsString(reply) ? reply->valuestring : "");
}

VIRT_INTERNAL int
qemuDomainMonitorCommand(virDomainPtr domain, const char *cmd, char **result, unsigned int flags)
{
    struct virDomainObj *vm;
    struct qemuMonitor *mon;
    char *text;

    virCheckFlags(VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP, -1);
    if ((vm = virDomainObjOf(domain)) == NULL || (mon = qemuDomainMonitor(vm)) == NULL)
        return -1;
    qemuControlTaint(vm);
    text = (flags & VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP) != 0 ? qemuControlHmp(vm, mon, cmd) : qemuControlQmp(vm, mon, cmd);
    qemuMonitorUnref(mon);
    if (text == NULL)
        return -1;
    *result = text;
    return 0;
}

#undef VIRT_FROM
