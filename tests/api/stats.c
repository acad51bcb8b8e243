/* What the simulated guests and hosts use: libvirt's figures, and each wrong argument refused with a clear error. */
#include "../../virt.h"
#include "../harness.h"
#include "../fault.h"

#define OFF "<domain type='test'><name>off</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>" \
            "<os><type arch='i686'>hvm</type></os><devices><memballoon model='none'/></devices></domain>"

#define FULL "<domain type='test'><name>full</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>" \
             "<os><type arch='i686'>hvm</type></os><devices><disk type='file'><source file='/x'/><target dev='vda'/></disk>" \
             "<memballoon model='virtio'/></devices></domain>"

static virConnectPtr conn;
static virDomainPtr guest;

static void
open_(void)
{
    CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_PTR(guest = virDomainLookupByName(conn, "test"));
}

static void
close_(void)
{
    virDomainFree(guest);
    virConnectClose(conn);
}

TEST(disk_and_interface_figures_grow_with_the_clock)
{
    virDomainBlockStatsStruct disk, later;
    virDomainInterfaceStatsStruct net;
    virDomainBlockInfo info;
    long long half[2] = { -7, -7 };

    open_();
    CHECK_OK(virDomainBlockStats(guest, "vda", &disk, sizeof(disk)));
    harnessSleepMs(5);
    CHECK_OK(virDomainBlockStats(guest, "vda", &later, sizeof(later)));
    CHECK(disk.rd_req > 0 && later.rd_req > disk.rd_req && later.wr_bytes > disk.wr_bytes);
    CHECK_OK(virDomainInterfaceStats(guest, "testnet0", &net, sizeof(net)));
    CHECK(net.rx_bytes > net.rx_packets && net.tx_bytes > 0);
    CHECK_OK(virDomainInterfaceStats(guest, "aa:bb:cc:dd:ee:ff", &net, sizeof(net)));
    /* an older program's shorter struct: only that much is written */
    CHECK_OK(virDomainBlockStats(guest, "vda", (virDomainBlockStatsPtr)half, sizeof(half[0])));
    CHECK(half[0] > 0 && half[1] == -7);
    CHECK_OK(virDomainGetBlockInfo(guest, "vda", &info, 0));
    CHECK_UINT(info.capacity, 1099506450432);
    CHECK_UINT(info.allocation, 1099511627776);
    close_();
}

TEST(wrong_arguments_are_refused)
{
    virDomainBlockStatsStruct disk;
    virDomainInterfaceStatsStruct net;
    virDomainBlockInfo info;
    virTypedParameter params[4];
    virDomainMemoryStatStruct memory[2];
    virDomainDiskError errors[2];
    virDomainStatsRecordPtr *records;
    virNodeCPUStats cpu[4];
    char **names;
    int n = 4;

    open_();
    CHECK_FAILS(virDomainBlockStats(guest, "vdx", &disk, sizeof(disk)), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainBlockStats(guest, "", &disk, sizeof(disk)), VIR_ERR_OPERATION_UNSUPPORTED);
    CHECK_FAILS(virDomainBlockStats(guest, NULL, &disk, sizeof(disk)), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainBlockStats(guest, "vda", NULL, sizeof(disk)), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainBlockStats(guest, "vda", &disk, sizeof(disk) + 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainBlockStats(NULL, "vda", &disk, sizeof(disk)), VIR_ERR_INVALID_DOMAIN);
    CHECK_FAILS(virDomainBlockStatsFlags(guest, "vda", params, &n, 0), VIR_ERR_NO_SUPPORT);
    CHECK_FAILS(virDomainInterfaceStats(guest, "eth0", &net, sizeof(net)), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainInterfaceStats(guest, "testnet0", &net, sizeof(net) + 8), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetBlockInfo(guest, "vdx", &info, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetBlockInfo(guest, "vda", &info, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainMemoryStats(guest, memory, 2, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainMemoryStats(guest, NULL, 2, 0), VIR_ERR_INVALID_ARG);
    CHECK_INT(virDomainMemoryStats(guest, NULL, 0, 0), 0);
    CHECK_FAILS(virDomainGetDiskErrors(guest, NULL, 2, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetDiskErrors(guest, errors, 2, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetCPUStats(guest, params, 4, -2, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetCPUStats(guest, params, 4, -1, 2, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetCPUStats(guest, NULL, 4, 0, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetCPUStats(guest, params, 4, 0, 0x40000000, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainGetCPUStats(guest, params, 4, 2, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virConnectGetAllDomainStats(conn, 0, NULL, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virConnectGetAllDomainStats(conn, 0, &records, 1u << 20), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virConnectGetAllDomainStats(conn, VIR_DOMAIN_STATS_PERF, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS),
                VIR_ERR_ARGUMENT_UNSUPPORTED);
    CHECK_FAILS(virDomainListGetStats(NULL, 0, &records, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainListGetStats((virDomainPtr[]){ NULL }, 0, &records, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virNodeGetCPUStats(conn, -2, cpu, &n, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virNodeGetCPUStats(conn, 99999, cpu, &n, 0), VIR_ERR_INVALID_ARG);
    n = 3;
    CHECK_FAILS(virNodeGetCPUStats(conn, -1, cpu, &n, 0), VIR_ERR_INVALID_ARG);
    n = -1;
    CHECK_FAILS(virNodeGetCPUStats(conn, -1, cpu, &n, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virConnectGetCPUModelNames(conn, "bogus", &names, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virConnectGetCPUModelNames(conn, NULL, &names, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectGetDomainCapabilities(conn, NULL, NULL, NULL, NULL, 0), VIR_ERR_NO_SUPPORT);
    close_();
}

TEST(a_guest_that_is_off_has_no_figures)
{
    virDomainBlockStatsStruct disk;
    virDomainInterfaceStatsStruct net;
    virDomainMemoryStatStruct memory[2];
    virTypedParameter params[4];
    virDomainPtr off;

    open_();
    CHECK_PTR(off = virDomainDefineXML(conn, OFF));
    CHECK_FAILS(virDomainBlockStats(off, "vda", &disk, sizeof(disk)), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainInterfaceStats(off, "vnet0", &net, sizeof(net)), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainMemoryStats(off, memory, 2, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainGetCPUStats(off, params, 4, -1, 1, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainGetDiskErrors(off, NULL, 0, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainSetMemory(off, 1024), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainSetMemoryStatsPeriod(off, 2, VIR_DOMAIN_AFFECT_LIVE), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainSetMemoryStatsPeriod(off, 2, 0), VIR_ERR_OPERATION_INVALID);
    virDomainUndefine(off);
    virDomainFree(off);
    close_();
}

TEST(memory_follows_what_is_set)
{
    virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
    virDomainInfo info;
    char *xml;

    open_();
    CHECK_INT(virDomainMemoryStats(guest, stats, VIR_DOMAIN_MEMORY_STAT_NR, 0), 13);
    CHECK_INT(virDomainMemoryStats(guest, stats, 100, 0), 13);
    CHECK_INT(virDomainMemoryStats(guest, stats, 3, 0), 3);
    CHECK_INT(stats[0].tag, VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON);
    CHECK_UINT(stats[0].val, 2097152);
    CHECK_OK(virDomainSetMemory(guest, 1000000));
    CHECK_OK(virDomainMemoryStats(guest, stats, 3, 0));
    CHECK_UINT(stats[0].val, 1000000);
    CHECK_OK(virDomainGetInfo(guest, &info));
    CHECK_UINT(info.memory, 1000000);
    CHECK_PTR(xml = virDomainGetXMLDesc(guest, 0));
    CHECK_CONTAINS(xml, "<currentMemory unit='KiB'>1000000</currentMemory>");
    free(xml);
    CHECK_PTR(xml = virDomainGetXMLDesc(guest, VIR_DOMAIN_XML_INACTIVE));
    CHECK_CONTAINS(xml, "<currentMemory unit='KiB'>2097152</currentMemory>");
    free(xml);
    CHECK_FAILS(virDomainSetMemory(guest, 9000000), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSetMemory(guest, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSetMaxMemory(guest, 9000000), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virDomainSetMemoryFlags(guest, 3000000, VIR_DOMAIN_MEM_CONFIG | VIR_DOMAIN_MEM_MAXIMUM));
    CHECK_OK(virDomainDestroy(guest));
    CHECK_UINT(virDomainGetMaxMemory(guest), 3000000);
    CHECK_OK(virDomainSetMaxMemory(guest, 1500000));
    CHECK_OK(virDomainGetInfo(guest, &info));
    CHECK_UINT(info.maxMem, 1500000);
    CHECK_UINT(info.memory, 1500000);
    CHECK_OK(virDomainSetMemoryStatsPeriod(guest, 7, 0));
    CHECK_PTR(xml = virDomainGetXMLDesc(guest, 0));
    CHECK_CONTAINS(xml, "<stats period='7'/>");
    free(xml);
    close_();
}

TEST(cpu_time_of_the_whole_and_by_cpus)
{
    virTypedParameter params[6];
    unsigned long long time = 0;

    open_();
    CHECK_INT(virDomainGetCPUStats(guest, NULL, 0, -1, 1, 0), 3);
    CHECK_INT(virDomainGetCPUStats(guest, NULL, 0, 0, 1, 0), 2);
    CHECK_INT(virDomainGetCPUStats(guest, NULL, 0, 0, 0, 0), 2);
    CHECK_INT(virDomainGetCPUStats(guest, params, 6, -1, 1, 0), 3);
    CHECK_INT(virTypedParamsGetULLong(params, 3, VIR_DOMAIN_CPU_STATS_CPUTIME, &time), 1);
    CHECK_UINT(time, 48772617035ull);
    CHECK_INT(virDomainGetCPUStats(guest, params, 2, -1, 1, 0), 2);
    CHECK_INT(virDomainGetCPUStats(guest, params, 2, 0, 3, 0), 2);
    CHECK_UINT(params[0].value.ul, 24386308517ull);
    CHECK_UINT(params[2].value.ul, 24386308518ull);
    CHECK_INT(params[4].type, 0);                          /* there is no third CPU */
    close_();
}

TEST(host_and_names)
{
    virNodeCPUStats cpu[4];
    virDomainDiskError errors[3];
    char **names, *type;
    int n = 0, params = 5;

    open_();
    CHECK_OK(virNodeGetCPUStats(conn, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &n, 0));
    CHECK_INT(n, 4);
    CHECK_OK(virNodeGetCPUStats(conn, 0, cpu, &n, 0));
    CHECK_STR(cpu[0].field, "user");
    CHECK_UINT(cpu[0].value, 9797400000ull);
    CHECK_FAILS(virNodeGetMemoryStats(conn, -1, NULL, &n, 0), VIR_ERR_NO_SUPPORT);
    CHECK_INT(n = virConnectGetCPUModelNames(conn, "x86_64", &names, 0), 58);
    CHECK_STR(names[0], "486");
    CHECK_NULL(names[n]);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    CHECK_INT(virConnectGetCPUModelNames(conn, "i686", NULL, 0), 58);
    CHECK_INT(virDomainGetDiskErrors(guest, NULL, 0, 0), 1);
    CHECK_INT(virDomainGetDiskErrors(guest, errors, 3, 0), 1);
    CHECK_STR(errors[0].disk, "vda");
    CHECK_INT(errors[0].error, VIR_DOMAIN_DISK_ERROR_UNSPEC);
    free(errors[0].disk);
    CHECK_PTR(type = virDomainGetSchedulerType(guest, &params));
    CHECK_STR(type, "fair");
    CHECK_INT(params, 0);
    free(type);
    close_();
}

TEST(records_are_of_the_guests_that_the_flags_name)
{
    virDomainStatsRecordPtr *records;
    virDomainPtr off, elsewhere;
    virConnectPtr other;
    int state = 0;

    open_();
    CHECK_PTR(off = virDomainDefineXML(conn, OFF));
    CHECK_INT(virConnectGetAllDomainStats(conn, 0, &records, 0), 2);
    CHECK_NULL(records[2]);
    virDomainStatsRecordListFree(records);
    CHECK_INT(virConnectGetAllDomainStats(conn, VIR_DOMAIN_STATS_STATE, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE), 1);
    CHECK_STR(virDomainGetName(records[0]->dom), "test");
    CHECK_INT(virTypedParamsGetInt(records[0]->params, records[0]->nparams, "state.state", &state), 1);
    CHECK_INT(state, VIR_DOMAIN_RUNNING);
    virDomainStatsRecordListFree(records);
    CHECK_INT(virConnectGetAllDomainStats(conn, 0, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT), 0);
    CHECK_NULL(records[0]);
    virDomainStatsRecordListFree(records);
    CHECK_INT(virDomainListGetStats((virDomainPtr[]){ off, guest, off, NULL }, 0, &records, 0), 3);
    CHECK_STR(virDomainGetName(records[2]->dom), "off");
    virDomainStatsRecordListFree(records);
    CHECK_PTR(other = virConnectOpen("test:///default"));
    CHECK_PTR(elsewhere = virDomainLookupByName(other, "test"));
    CHECK_FAILS(virDomainListGetStats((virDomainPtr[]){ off, elsewhere, NULL }, 0, &records, 0), VIR_ERR_INVALID_ARG);
    virDomainFree(elsewhere);
    virConnectClose(other);
    /* one that has gone meanwhile is left out */
    CHECK_OK(virDomainUndefine(off));
    CHECK_INT(virDomainListGetStats((virDomainPtr[]){ off, guest, NULL }, 0, &records, 0), 1);
    virDomainStatsRecordListFree(records);
    virDomainStatsRecordListFree(NULL);
    virDomainFree(off);
    close_();
}

TEST(keys_are_pressed_by_numbers_that_exist)
{
    unsigned int keys[17] = { 29, 56, 111 };

    open_();
    CHECK_OK(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 50, keys, 3, 0));
    CHECK_OK(virDomainInjectNMI(guest, 0));
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 50, keys, 4, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 50, keys, 17, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 50, keys, 0, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 50, keys, -1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 50, NULL, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainSendKey(guest, 99, 50, keys, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virDomainInjectNMI(guest, 1), VIR_ERR_INVALID_ARG);
    CHECK_OK(virDomainDestroy(guest));
    CHECK_FAILS(virDomainSendKey(guest, VIR_KEYCODE_SET_LINUX, 50, keys, 1, 0), VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virDomainInjectNMI(guest, 0), VIR_ERR_OPERATION_INVALID);
    close_();
}

TEST(a_read_only_connection_looks_but_does_not_touch)
{
    virConnectPtr ro;
    virDomainPtr domain;
    virDomainBlockStatsStruct disk;
    virDomainStatsRecordPtr *records;
    char *text;

    CHECK_PTR(ro = virConnectOpenReadOnly("test:///default"));
    CHECK_PTR(domain = virDomainLookupByName(ro, "test"));
    CHECK_OK(virDomainBlockStats(domain, "vda", &disk, sizeof(disk)));
    CHECK_INT(virConnectGetAllDomainStats(ro, 0, &records, 0), 1);
    virDomainStatsRecordListFree(records);
    CHECK_FAILS(virDomainSetMemory(domain, 1000), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainSetMaxMemory(domain, 1000), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainInjectNMI(domain, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainSetMemoryStatsPeriod(domain, 1, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainQemuMonitorCommand(domain, "query-status", &text, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS_NULL(virConnectGetDomainCapabilities(ro, NULL, NULL, NULL, NULL, 0), VIR_ERR_OPERATION_DENIED);
    virDomainFree(domain);
    virConnectClose(ro);
}

static int
askAll(virDomainPtr domain)
{
    virDomainBlockStatsStruct disk;
    virDomainDiskError errors[1];
    virDomainStatsRecordPtr *records;
    virTypedParameter params[3];
    char **names;
    int n;

    if (virDomainBlockStats(domain, "vda", &disk, sizeof(disk)) < 0 || virDomainGetCPUStats(domain, params, 3, -1, 1, 0) < 0 ||
        virDomainGetCPUStats(domain, params, 1, 0, 1, 0) < 0 || virConnectGetAllDomainStats(conn, 0, &records, 0) < 0)
        return -1;
    virDomainStatsRecordListFree(records);
    if (virDomainGetDiskErrors(domain, errors, 1, 0) < 0)
        return -1;
    free(errors[0].disk);
    if ((n = virConnectGetCPUModelNames(conn, "i686", &names, 0)) < 0)
        return -1;
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return virDomainSetMemory(domain, 1000) < 0 || virDomainSetMemoryStatsPeriod(domain, 3, VIR_DOMAIN_AFFECT_CONFIG) < 0 ? -1 : 0;
}

/* A guest of its own, so that what is stored for it goes with it. */
static int
askEverything(void *opaque)
{
    virDomainPtr domain;
    int rc;

    (void)opaque;
    faultPause();
    CHECK_PTR(domain = virDomainDefineXML(conn, FULL));
    CHECK_OK(virDomainCreate(domain));
    faultResume();
    rc = askAll(domain);
    faultPause();
    if (rc < 0)
        CHECK(virGetLastErrorCode() != VIR_ERR_OK);
    virDomainDestroy(domain);
    virDomainUndefine(domain);
    virDomainFree(domain);
    virConnResetLastError(conn);
    if (rc < 0)
        virDomainFree(NULL);                               /* an error again, for the one that has been cleared */
    faultResume();
    return rc;
}

TEST_LIMIT(figures_survive_every_failing_allocation, 300)
{
    open_();
    faultSpare("libxml2");                                 /* it keeps what it says of its own failures */
    FAULT_EACH_ALLOCATION(askEverything, NULL);
    close_();
}
