/* What is told of the host agrees with itself and with the system. */
#include "../../drivers/common/host.c"
#include "../../drivers/common/xml.h"
#include "../harness.h"

#include <sys/utsname.h>

TEST(the_processors_fit_into_the_topology)
{
    virNodeInfo info;
    unsigned char *map = NULL;
    unsigned int online = 0, counted = 0;
    int total;

    CHECK_OK(virHostGetInfo(&info));
    CHECK_UINT(info.cpus, (unsigned int)sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(info.nodes * info.sockets * info.cores * info.threads >= info.cpus);
    CHECK(info.memory > 1024);
    CHECK_STR(info.model, virHostGetArch());
    CHECK_OK(total = virHostGetCPUMap(&map, &online));
    for (int i = 0; i < total; i++)
        counted += VIR_CPU_USED(map, i) != 0;
    CHECK_UINT(counted, online);
    CHECK_UINT(online, info.cpus);
    free(map);
    CHECK_INT(virHostGetCPUMap(NULL, NULL), total);
}

TEST(free_memory_is_part_of_all_memory)
{
    virNodeInfo info;
    unsigned long long cells[4];

    CHECK_OK(virHostGetInfo(&info));
    CHECK(virHostGetFreeMemory() > 0 && virHostGetFreeMemory() / 1024 < info.memory);
    CHECK(virHostGetCellsFreeMemory(cells, 0, 4) >= 1);
    CHECK(cells[0] > 0);
    CHECK_FAILS(virHostGetCellsFreeMemory(cells, 5000, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS(virHostGetCellsFreeMemory(cells, -1, 1), VIR_ERR_INVALID_ARG);
}

TEST(the_uuid_stays_the_same)
{
    unsigned char a[VIR_UUID_BUFLEN], b[VIR_UUID_BUFLEN];

    CHECK_OK(virHostGetUuid(a));
    CHECK_OK(virHostGetUuid(b));
    CHECK_MEM(a, b, sizeof(a));
}

TEST(the_capabilities_are_a_document)
{
    struct virText text = { 0 };
    xmlDocPtr doc;
    char *xml;
    unsigned int cells = 0;

    virTextAdd(&text, "<capabilities>\n");
    CHECK_OK(virHostFormatCapabilities(&text));
    virTextAdd(&text, "</capabilities>\n");
    CHECK_PTR(xml = virTextTake(&text));
    CHECK_PTR(doc = virXmlParse(xml, "capabilities"));
    CHECK_STR(virXmlString(virXmlRoot(doc), "host/cpu/arch"), virHostGetArch());
    CHECK_INT(virXmlUInt(virXmlRoot(doc), "host/topology/cells/@num", &cells), 1);
    CHECK_UINT(virXmlCount(virXmlFind(virXmlRoot(doc), "host/topology/cells"), "cell"), cells);
    CHECK(virXmlFind(virXmlRoot(doc), "host/topology/cells/cell/cpus/cpu") != NULL);
    virXmlFree(doc);
    free(xml);
}

TEST(lists_of_processors_are_understood)
{
    unsigned char members[16];

    CHECK_INT(virHostParseList("0-3,8", members, sizeof(members)), 8);
    CHECK(members[0] && members[3] && !members[4] && members[8]);
    CHECK_INT(virHostParseList("", members, sizeof(members)), -1);
    CHECK_INT(virHostParseList("2-99", members, sizeof(members)), 15);
    CHECK_INT(virHostParseList("x", members, sizeof(members)), -1);
}

TEST(sysinfo_is_there_or_says_why_not)
{
    char *text = virHostGetSysinfo();

    if (text != NULL)
        CHECK_CONTAINS(text, "<sysinfo type='smbios'>");
    else
        CHECK_ERROR(VIR_ERR_CONFIG_UNSUPPORTED);
    free(text);
}
