/* What real guests use: a guest that counts on its serial line, with a disk that it boots from. */
#include "../qemu_guest.h"

#include <sys/stat.h>

#define IDLE_DISK "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>" \
                  "<target dev='vdb' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>" \
                  "<interface type='user'><mac address='52:54:00:11:22:33'/></interface>"

static virConnectPtr conn;
static virDomainPtr guest;

/* A counting guest with a second disk, an empty drive and an interface that nobody counts; it has counted a little. */
static void
start(const char *name)
{
    char devices[2048], command[2048], image[1024];

    CHECK_PTR(conn = openRoot("root"));
    snprintf(image, sizeof(image), "%s", scratchPath("%s.qcow2", name));
    snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 %s 10M", image);
    if (runShell(command, NULL) != 0)
        SKIP("no qemu-img");
    snprintf(devices, sizeof(devices), IDLE_DISK, image);
    CHECK_PTR(guest = virDomainCreateXML(conn, countingXml(name, "", "", devices), 0));
    WAIT_FOR(hasCounted(name, 3), 20000);
}

static void
stop(void)
{
    CHECK_OK(virDomainDestroy(guest));
    virDomainFree(guest);
    virConnectClose(conn);
}

static unsigned long long
figure(virDomainStatsRecordPtr record, const char *name)
{
    unsigned long long value = 0;
    virTypedParameterPtr param = virTypedParamsGet(record->params, record->nparams, name);

    CHECK_MSG(param != NULL, "there is no %s", name);
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:  value = (unsigned long long)param->value.i; break;
    case VIR_TYPED_PARAM_UINT: value = param->value.ui; break;
    default:                   value = param->value.ul; break;
    }
    return value;
}

TEST(a_running_guest_tells_what_it_uses)
{
    virDomainBlockStatsStruct disk, all;
    virDomainInterfaceStatsStruct net;
    virDomainBlockInfo info;
    virDomainMemoryStatStruct memory[VIR_DOMAIN_MEMORY_STAT_NR];
    virTypedParameter params[8];
    unsigned long long before, after;
    struct stat st;
    int n = 0;
    char *type;

    start("one");
    CHECK_OK(virDomainBlockStats(guest, "vda", &disk, sizeof(disk)));
    CHECK(disk.rd_req > 0 && disk.rd_bytes >= 512 && disk.wr_req == 0 && disk.errs == -1);
    CHECK_OK(virDomainBlockStats(guest, scratchPath("one.img"), &disk, sizeof(disk)));
    CHECK_OK(virDomainBlockStats(guest, "", &all, sizeof(all)));
    CHECK(all.rd_req >= disk.rd_req);
    CHECK_OK(virDomainBlockStatsFlags(guest, "vda", NULL, &n, 0));
    CHECK_INT(n, 8);
    CHECK_OK(virDomainBlockStatsFlags(guest, "vda", params, &n, VIR_TYPED_PARAM_STRING_OKAY));
    CHECK_INT(n, 8);
    CHECK_INT(params[0].type, VIR_TYPED_PARAM_LLONG);
    n = 3;
    CHECK_FAILS(virDomainBlockStatsFlags(guest, "vda", params, &n, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainBlockStats(guest, "vdz", &disk, sizeof(disk)), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainInterfaceStats(guest, "vnet9", &net, sizeof(net)), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainInterfaceStats(guest, "52:54:00:11:22:33", &net, sizeof(net)), VIR_ERR_OPERATION_UNSUPPORTED);
    CHECK_OK(virDomainGetBlockInfo(guest, "vdb", &info, 0));
    CHECK_INT(stat(scratchPath("one.qcow2"), &st), 0);
    CHECK_UINT(info.capacity, 10 * 1024 * 1024);
    CHECK_UINT(info.physical, (unsigned long long)st.st_size);
    CHECK_UINT(info.allocation, (unsigned long long)st.st_blocks * 512);
    CHECK_FAILS(virDomainGetBlockInfo(guest, "hda", &info, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetBlockInfo(guest, "", &info, 0), VIR_ERR_INVALID_ARG);
    n = virDomainMemoryStats(guest, memory, VIR_DOMAIN_MEMORY_STAT_NR, 0);
    CHECK(n >= 3);
    CHECK_INT(memory[0].tag, VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON);
    CHECK_UINT(memory[0].val, 32768);
    CHECK_INT(memory[n - 1].tag, VIR_DOMAIN_MEMORY_STAT_RSS);
    CHECK(memory[n - 1].val > 1024);
    CHECK_INT(virDomainGetCPUStats(guest, NULL, 0, -1, 1, 0), 3);
    CHECK_INT(virDomainGetCPUStats(guest, params, 3, -1, 1, 0), 3);
    CHECK_INT(virTypedParamsGetULLong(params, 3, VIR_DOMAIN_CPU_STATS_CPUTIME, &before), 1);
    harnessSleepMs(100);
    CHECK_INT(virDomainGetCPUStats(guest, params, 3, -1, 1, 0), 3);
    CHECK_INT(virTypedParamsGetULLong(params, 3, VIR_DOMAIN_CPU_STATS_CPUTIME, &after), 1);
    CHECK_MSG(after > before && before > 0, "CPU time %llu, then %llu", before, after);
    CHECK(virDomainGetCPUStats(guest, NULL, 0, 0, 0, 0) >= 1);
    CHECK_FAILS(virDomainGetCPUStats(guest, params, 3, 0, 1, 0), VIR_ERR_OPERATION_UNSUPPORTED);
    CHECK_INT(virDomainGetDiskErrors(guest, NULL, 0, 0), 3);
    CHECK_INT(virDomainGetDiskErrors(guest, (virDomainDiskError[1]){ { NULL, 0 } }, 1, 0), 0);
    CHECK_PTR(type = virDomainGetSchedulerType(guest, NULL));
    free(type);
    stop();
}

TEST(all_at_once_has_every_group)
{
    virDomainStatsRecordPtr *records, record;
    virDomainPtr off;

    start("two");
    CHECK_PTR(off = virDomainDefineXML(conn, smallXml("off")));
    CHECK_INT(virConnectGetAllDomainStats(conn, 0, &records, 0), 2);
    virDomainStatsRecordListFree(records);
    CHECK_INT(virDomainListGetStats((virDomainPtr[]){ guest, off, NULL }, 0, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING), 2);
    record = records[0];
    CHECK_STR(virDomainGetName(record->dom), "two");
    CHECK_UINT(figure(record, "state.state"), VIR_DOMAIN_RUNNING);
    CHECK(figure(record, "cpu.time") > 0);
    CHECK_UINT(figure(record, "balloon.maximum"), 32768);
    CHECK(figure(record, "balloon.rss") > 1024);
    CHECK_NULL(virTypedParamsGet(record->params, record->nparams, "balloon.unused"));     /* there is no balloon driver to tell */
    CHECK_NULL(virTypedParamsGet(record->params, record->nparams, "balloon.major_fault"));
    CHECK_UINT(figure(record, "vcpu.current"), 1);
    CHECK_UINT(figure(record, "vcpu.0.state"), VIR_VCPU_RUNNING);
    figure(record, "vcpu.0.time");
    CHECK_UINT(figure(record, "net.count"), 1);
    CHECK_UINT(figure(record, "block.count"), 3);
    CHECK(figure(record, "block.0.rd.reqs") > 0);
    CHECK_UINT(figure(record, "block.1.capacity"), 10 * 1024 * 1024);
    CHECK_NULL(virTypedParamsGet(record->params, record->nparams, "block.2.capacity"));
    record = records[1];
    CHECK_UINT(figure(record, "state.state"), VIR_DOMAIN_SHUTOFF);
    CHECK_NULL(virTypedParamsGet(record->params, record->nparams, "cpu.time"));
    CHECK_UINT(figure(record, "balloon.current"), 32768);
    virDomainStatsRecordListFree(records);
    CHECK_FAILS(virConnectGetAllDomainStats(conn, VIR_DOMAIN_STATS_PERF, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS),
                VIR_ERR_ARGUMENT_UNSUPPORTED);
    CHECK_INT(virConnectGetAllDomainStats(conn, VIR_DOMAIN_STATS_PERF, &records, 0), 2);
    CHECK_INT(records[0]->nparams, 0);
    virDomainStatsRecordListFree(records);
    CHECK_OK(virDomainUndefine(off));
    virDomainFree(off);
    stop();
}

/* A hung QEMU costs the others five seconds at most, and with NOWAIT nothing once it is known to be busy. */
TEST_LIMIT(a_hung_guest_does_not_hold_up_the_others, 120)
{
    virDomainStatsRecordPtr *records;
    virDomainPtr hung;
    long long began;
    pid_t pid;
    int n;

    start("three");
    CHECK_PTR(hung = virDomainCreateXML(conn, smallXml("hung"), VIR_DOMAIN_START_PAUSED));
    pid = pidOf("root", "hung");
    harnessStop(pid);
    for (int turn = 0; turn < 2; turn++) {
        began = harnessNowMs();
        n = virConnectGetAllDomainStats(conn, VIR_DOMAIN_STATS_BLOCK | VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL, &records,
                                        turn == 0 ? 0 : VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
        CHECK_INT(n, 2);
        CHECK_MSG(harnessNowMs() - began < (turn == 0 ? 4 : 1) * harnessSlow(3000), "turn %d took %lld ms", turn, harnessNowMs() - began);
        for (int i = 0; i < 2; i++) {
            bool well = strcmp(virDomainGetName(records[i]->dom), "three") == 0;

            figure(records[i], "cpu.time");
            CHECK_INT(virTypedParamsGet(records[i]->params, records[i]->nparams, "block.0.rd.reqs") != NULL, well);
        }
        virDomainStatsRecordListFree(records);
    }
    CHECK_INT(kill(pid, SIGCONT), 0);
    CHECK_OK(virDomainDestroy(hung));
    virDomainFree(hung);
    stop();
}

static char lastWarning[512];

static void
logLine(int priority, const char *source, const char *message, void *opaque)
{
    int *count = opaque;

    if (priority == VIR_LOG_WARN && strcmp(source, "qemu.control") == 0) {
        snprintf(lastWarning, sizeof(lastWarning), "%s", message);
        ++*count;
    }
}

TEST(commands_go_past_the_library_and_the_log_says_so_once)
{
    int warnings = 0;
    char *text = NULL;

    start("four");
    virSetLogFunc(logLine, &warnings);
    CHECK_OK(virDomainQemuMonitorCommand(guest, "{\"execute\":\"query-status\",\"id\":\"mine\"}", &text, 0));
    CHECK_CONTAINS(text, "\"status\":\"running\"");
    CHECK_CONTAINS(text, "\"id\":\"mine\"");
    free(text);
    CHECK_OK(virDomainQemuMonitorCommand(guest, "query-status", &text, VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT));
    CHECK_CONTAINS(text, "\"return\"");
    free(text);
    CHECK_OK(virDomainQemuMonitorCommand(guest, "{\"execute\":\"bogus\"}", &text, 0));
    CHECK_CONTAINS(text, "CommandNotFound");
    free(text);
    CHECK_OK(virDomainQemuMonitorCommand(guest, "info status", &text, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP));
    CHECK_CONTAINS(text, "VM status: running");
    free(text);
    CHECK_FAILS(virDomainQemuMonitorCommand(guest, "{bad", &text, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainQemuMonitorCommand(guest, "{\"arguments\":{}}", &text, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainQemuMonitorCommand(guest, "query-status", &text, 2), VIR_ERR_INVALID_ARG);
    /* what QEMU could not even refuse */
    CHECK_FAILS(virDomainQemuMonitorCommand(guest, "\xff", &text, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainQemuMonitorCommand(guest, "\xff", &text, 0), VIR_ERR_INVALID_ARG);
    CHECK_OK(virDomainQemuMonitorCommand(guest, "{\"execute\":\"query-status\",\"id\":18446744073709551615}", &text, 0));
    CHECK_CONTAINS(text, ":18446744073709551615}");
    free(text);
    CHECK_FAILS(virDomainQemuMonitorCommand(guest, "query-status", NULL, 0), VIR_ERR_INVALID_ARG);
    CHECK_INT(warnings, 1);
    CHECK_CONTAINS(lastWarning, "'four'");
    virSetLogFunc(NULL, NULL);
    stop();
}

TEST(memory_and_period_reach_the_balloon)
{
    char *text, *xml;

    start("five");
    CHECK_OK(virDomainSetMemory(guest, 16384));
    CHECK_PTR(xml = virDomainGetXMLDesc(guest, 0));
    CHECK_CONTAINS(xml, "<currentMemory unit='KiB'>16384</currentMemory>");
    free(xml);
    CHECK_FAILS(virDomainSetMemory(guest, 65536), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSetMaxMemory(guest, 65536), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virDomainSetMemoryStatsPeriod(guest, 3, VIR_DOMAIN_AFFECT_LIVE));
    CHECK_OK(virDomainQemuMonitorCommand(guest, "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral/balloon0\","
                                         "\"property\":\"guest-stats-polling-interval\"}}", &text, 0));
    CHECK_CONTAINS(text, "\"return\":3");
    free(text);
    CHECK_FAILS(virDomainSetMemoryStatsPeriod(guest, -1, 0), VIR_ERR_INVALID_ARG);
    CHECK_OK(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 10, (unsigned int[]){ 29, 56, 111 }, 3, 0));
    CHECK_OK(virDomainSendKey(guest, VIR_KEYCODE_SET_XT, 0, (unsigned int[]){ 0xe053 }, 1, 0));
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 0, (unsigned int[]){ 240 }, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_WIN32, 0, (unsigned int[]){ 1 }, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_OK(virDomainInjectNMI(guest, 0));
    CHECK_FAILS(virDomainSetMemoryStatsPeriod(guest, 1, VIR_DOMAIN_AFFECT_CONFIG), VIR_ERR_OPERATION_INVALID);
    stop();
}

TEST(a_guest_that_is_off_is_looked_into_from_outside)
{
    virDomainBlockStatsStruct disk;
    virDomainMemoryStatStruct memory[2];
    virDomainBlockInfo info;
    virDomainPtr off;
    char xml[2048], command[1200], *text;

    CHECK_PTR(conn = openRoot("root"));
    snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 %s 12M && truncate -s 5000 %s", scratchPath("a.qcow2"),
             scratchPath("b.raw"));
    if (runShell(command, NULL) != 0)
        SKIP("no qemu-img");
    snprintf(xml, sizeof(xml), "<domain type='qemu'><name>off</name><memory>32768</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type>"
             "</os><devices><disk type='file'><driver type='qcow2'/><source file='%s'/><target dev='vda'/></disk>"
             "<disk type='file'><driver type='raw'/><source file='%s'/><target dev='vdb'/></disk>"
             "<disk type='file'><source file='/nowhere'/><target dev='vdc'/></disk></devices></domain>",
             scratchPath("a.qcow2"), scratchPath("b.raw"));
    CHECK_PTR(off = virDomainDefineXML(conn, xml));
    CHECK_OK(virDomainGetBlockInfo(off, "vda", &info, 0));
    CHECK_UINT(info.capacity, 12 * 1024 * 1024);
    CHECK_OK(virDomainGetBlockInfo(off, "vdb", &info, 0));
    CHECK_UINT(info.capacity, 5000);
    CHECK_FAILS(virDomainGetBlockInfo(off, "vdc", &info, 0), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS(virDomainBlockStats(off, "vda", &disk, sizeof(disk)), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainMemoryStats(off, memory, 2, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainSetMemory(off, 1024), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainQemuMonitorCommand(off, "query-status", &text, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virDomainSetMaxMemory(off, 65536));
    CHECK_UINT(virDomainGetMaxMemory(off), 65536);
    virDomainFree(off);
    virConnectClose(conn);
    /* it is stored */
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(off = virDomainLookupByName(conn, "off"));
    CHECK_UINT(virDomainGetMaxMemory(off), 65536);
    virDomainFree(off);
    virConnectClose(conn);
}

TEST(the_host_tells_of_itself)
{
    virNodeCPUStats cpu[4];
    virNodeMemoryStats memory[4];
    virSecurityModel model = { "x", "y" };
    int n = 0;

    CHECK_PTR(conn = openRoot("root"));
    CHECK_OK(virNodeGetCPUStats(conn, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &n, 0));
    CHECK_INT(n, 4);
    CHECK_OK(virNodeGetCPUStats(conn, 0, cpu, &n, 0));
    CHECK_STR(cpu[0].field, VIR_NODE_CPU_STATS_KERNEL);
    CHECK(cpu[0].value + cpu[1].value > 0);
    CHECK_FAILS(virNodeGetCPUStats(conn, 99999, cpu, &n, 0), VIR_ERR_INVALID_ARG);
    n = 0;
    CHECK_OK(virNodeGetMemoryStats(conn, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &n, 0));
    CHECK_OK(virNodeGetMemoryStats(conn, VIR_NODE_MEMORY_STATS_ALL_CELLS, memory, &n, 0));
    CHECK_INT(n, 4);
    CHECK(memory[0].value > memory[1].value && memory[1].value > 0);
    CHECK_OK(virNodeGetMemoryStats(conn, 0, memory, &n, 0));
    CHECK_INT(n, 2);
    CHECK_FAILS(virNodeGetMemoryStats(conn, 4711, memory, &n, 0), VIR_ERR_INVALID_ARG);
    CHECK_OK(virNodeGetSecurityModel(conn, &model));
    CHECK_STR(model.model, "");
    virConnectClose(conn);
}

TEST(domain_capabilities_are_of_the_emulator_that_is_meant)
{
    char *xml, **names;
    int n;

    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(xml = virConnectGetDomainCapabilities(conn, NULL, "x86_64", "q35", "qemu", 0));
    CHECK_CONTAINS(xml, "<domain>qemu</domain>");
    CHECK_CONTAINS(xml, "<machine>pc-q35-");
    CHECK_CONTAINS(xml, "<arch>x86_64</arch>");
    CHECK_CONTAINS(xml, "<mode name='host-passthrough' supported='no'/>");
    CHECK_CONTAINS(xml, "<value>virtio</value>");
    CHECK_CONTAINS(xml, "<model usable='unknown'>qemu64</model>");
    free(xml);
    CHECK_FAILS_NULL(virConnectGetDomainCapabilities(conn, NULL, "bogus", NULL, NULL, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectGetDomainCapabilities(conn, NULL, "x86_64", "bogus", NULL, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectGetDomainCapabilities(conn, NULL, "x86_64", NULL, "xen", 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectGetDomainCapabilities(conn, "/nowhere/qemu", NULL, NULL, NULL, 0), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS_NULL(virConnectGetDomainCapabilities(conn, NULL, NULL, NULL, NULL, 1), VIR_ERR_INVALID_ARG);
    n = virConnectGetCPUModelNames(conn, "x86_64", &names, 0);
    CHECK(n > 10);
    CHECK_NULL(names[n]);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    CHECK_INT(virConnectGetCPUModelNames(conn, "x86_64", NULL, 0), n);
    CHECK_FAILS(virConnectGetCPUModelNames(conn, "bogus", NULL, 0), VIR_ERR_INVALID_ARG);
    virConnectClose(conn);
}
