/* drivers/common/text.c: numbers, uuids, text that grows. */
#include "../../drivers/common/migrate_flags.h"
#include "../../drivers/common/text.h"
#include "../harness.h"

TEST(numbers_are_whole_strings)
{
    unsigned long long ull;
    int i;

    CHECK_OK(virStringToULL(" 18446744073709551615 ", 10, &ull));
    CHECK_UINT(ull, 18446744073709551615ULL);
    CHECK_OK(virStringToULL("0xff", 0, &ull));
    CHECK_UINT(ull, 255);
    CHECK_OK(virStringToULL("010", 0, &ull));
    CHECK_UINT(ull, 10);
    CHECK_INT(virStringToULL("18446744073709551616", 10, &ull), -1);
    CHECK_INT(virStringToULL("-1", 10, &ull), -1);
    CHECK_INT(virStringToULL("", 10, &ull), -1);
    CHECK_INT(virStringToULL("1x", 10, &ull), -1);
    CHECK_INT(virStringToULL("0x", 0, &ull), -1);
    CHECK_OK(virStringToInt("-2147483648", 10, &i));
    CHECK_INT(i, -2147483647 - 1);
    CHECK_INT(virStringToInt("2147483648", 10, &i), -1);
    CHECK_INT(virStringToInt("--1", 10, &i), -1);
}

TEST(uuids_are_read_as_libvirt_reads_them)
{
    static const char *const good[] = { "6695eb01-f6a4-8304-79aa-97f2502e193f", "6695EB01F6A4830479AA97F2502E193F",
                                        " 6695eb01 f6a4 8304 79aa 97f2502e193f ", "66-95-eb01f6a4-830479aa97f2502e193f" };
    static const char *const bad[] = { "", "6695eb01", "6695eb01-f6a4-8304-79aa-97f2502e193", "6695eb01-f6a4-8304-79aa-97f2502e193f0", "zzzz",
                                       "6-695eb01f6a4830479aa97f2502e193f" };
    unsigned char first[VIR_UUID_BUFLEN], uuid[VIR_UUID_BUFLEN];
    char text[VIR_UUID_STRING_BUFLEN];

    CHECK_OK(virUuidParse(good[0], first));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK_OK(virUuidParse(good[i], uuid));
        CHECK_MEM(uuid, first, sizeof(uuid));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_INT(virUuidParse(bad[i], uuid), -1);
    virUuidFormat(first, text);
    CHECK_STR(text, good[0]);
    CHECK_OK(virUuidGenerate(uuid));
    CHECK(memcmp(uuid, first, sizeof(uuid)) != 0);
    CHECK_INT(uuid[6] >> 4, 4);
}

TEST(text_grows_and_is_escaped)
{
    struct virText text = { 0 };
    char *all;

    for (int i = 0; i < 2000; i++)
        virTextAdd(&text, "%d,", i);
    virTextAddXml(&text, "<a b='c'>&\"\x01\n");
    CHECK_PTR(all = virTextTake(&text));
    CHECK_CONTAINS(all, "1998,1999,&lt;a b=&apos;c&apos;&gt;&amp;&quot;\n");
    CHECK_UINT(strlen(all), 8890 + 37);
    free(all);
    CHECK_PTR(all = virTextTake(&text));
    CHECK_STR(all, "");
    free(all);
}

/* Every bit below the highest has its name in the enum; the longest text has room. */
TEST(migration_flags_are_named_by_their_constants)
{
    struct virMigrateFlagsText room;
    const char *all;
    int names = 0;

    CHECK_STR(virMigrateFlagsText(0, &room), "0x0");
    CHECK_STR(virMigrateFlagsText(VIR_MIGRATE_TUNNELLED, &room), "0x4: VIR_MIGRATE_TUNNELLED");
    CHECK_STR(virMigrateFlagsText(VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_TUNNELLED | 1u << 31, &room),
              "0x80000006: VIR_MIGRATE_PEER2PEER, VIR_MIGRATE_TUNNELLED");
    all = virMigrateFlagsText(~0u, &room);
    for (const char *at = all; (at = strstr(at, "VIR_MIGRATE_")) != NULL; at++)
        names++;
    for (unsigned int flag = 1; flag <= VIR_MIGRATE_ZEROCOPY; flag <<= 1, names--)
        CHECK_CONTAINS(virMigrateFlagsText(flag, &room), ": VIR_MIGRATE_");
    CHECK_INT(names, 0);
    virMigrateFlagsText(~0u, &room);
    CHECK(strlen(room.text) < sizeof(room.text) - 100);
}
