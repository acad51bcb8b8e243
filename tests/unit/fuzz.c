/*
 * The corpus of the fuzzers (tests/fuzz/): each of its files, as it is and with some damage, to the functions that `make fuzz` tries with
 * libFuzzer. The damage comes from a fixed seed; VIRT_FUZZ_ROUNDS says how much of it.
 */
#include "../../drivers/common/platform.h"
#include "../../drivers/common/document.h"
#include "../../drivers/common/json.h"
#include "../../drivers/common/text.h"
#include "../../drivers/migration/migration.h"
#include "../../drivers/remote/noise.h"
#include "../../drivers/remote/wire.h"
#include "../../drivers/test/test.h"
#include "../../drivers/qemu/migration_check.c"
#include "../../drivers/remote/session.c"
#include "../harness.h"
#include "../fuzz/fuzz.h"

#include <dirent.h>

#define LARGEST (64 << 10)

static unsigned int seed = 20240229;

static size_t
chance(size_t of)
{
    seed = seed * 1103515245u + 12345u;
    return of == 0 ? 0 : (seed >> 8) % of;
}

/* One of the ways in which text goes wrong; it may become `LARGEST` bytes long, its end not counted. */
static void
damage(char *text)
{
    static const char *const words[] = { "{", "}", "[", "]", "\"", "null", "-1", "18446744073709551616", "\\u0000", "\xff", "<", "\"over\"" };
    size_t length = strlen(text), at = chance(length), n = chance(length - at), room = LARGEST - length;
    const char *word = words[chance(sizeof(words) / sizeof(words[0]))];

    switch (chance(5)) {
    case 0:
        text[at] = '\0';
        break;
    case 1:
        memmove(text + at, text + at + n, length - at - n + 1);
        break;
    case 2:
        if (n <= room)                           /* twice */
            memmove(text + at + n, text + at, length - at + 1);
        break;
    case 3:
        if (length > 0)
            text[at] = (char)(1 + chance(255));
        break;
    default:
        if (strlen(word) <= room) {
            memmove(text + at + strlen(word), text + at, length - at + 1);
            memcpy(text + at, word, strlen(word));
        }
        break;
    }
}

static int
isFile(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void
run(const char *name)
{
    const char *given = getenv("VIRT_FUZZ_ROUNDS");
    int rounds = given != NULL ? atoi(given) : 2, files;
    const struct fuzzTarget *target = fuzzTargets;
    char path[1024], *text, *bad;
    struct dirent **entries;

    while (strcmp(target->name, name) != 0)
        target++;
    CHECK_NOT_NULL(bad = malloc(LARGEST + 1));
    snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
    files = scandir(path, &entries, isFile, alphasort);
    CHECK_LESS(5, files);
    for (int i = 0; i < files; i++) {
        snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%s", name, entries[i]->d_name);
        free(entries[i]);
        harnessContext("%s, seed %u", path, seed);
        text = readFile(path);
        CHECK_LESS(strlen(text), LARGEST);
        target->run(text);
        for (int round = 0; round < rounds; round++) {
            strcpy(bad, text);
            for (size_t k = 0, n = 1 + chance(3); k < n; k++)
                damage(bad);
            harnessContext("%s, round %d", path, round);
            target->run(bad);
        }
        free(text);
    }
    free(entries);
    free(bad);
}

TEST_LIMIT(messages_do_no_harm, 120)
{
    run("message");
}

TEST_LIMIT(records_do_no_harm, 120)
{
    run("record");
}

TEST_LIMIT(cookies_to_a_simulated_host_do_no_harm, 120)
{
    run("test-cookie");
}

TEST_LIMIT(cookies_to_qemu_do_no_harm, 120)
{
    run("qemu-cookie");
}

TEST_LIMIT(records_in_a_state_directory_do_no_harm, 120)
{
    snprintf(fuzzFolder, sizeof(fuzzFolder), "%s", scratchDir());
    run("qemu-record");
}

/* ---- what the fuzzers have found, and what reading has ---- */

TEST(statistics_of_the_other_host_may_be_anything)
{
    static const char *const cookies[] = {
        "{\"stopped\":1,\"stats\":[1,2]}", "{\"stats\":7}", "{\"stats\":{\"\":1}}", "{\"stats\":{\"downtime\":-1,\"operation\":99999999999}}",
    };

    for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++)
        fuzzQemuCookie(cookies[i]);
}

TEST(a_message_with_parameters_without_end_is_refused_at_once)
{
    const size_t n = 100000;
    struct virText text = { 0 };
    struct virMigrationMessage *message;
    char *whole;

    virTextAdd(&text, "{\"version\":1,\"migration\":\"%s\",\"request\":\"finish\",\"name\":\"x\",\"uuid\":\"%s\",\"flags\":0,\"params\":[", FUZZ_UUID,
               FUZZ_UUID);
    for (size_t i = 0; i < n; i++)
        virTextAdd(&text, "%s[\"migrate_disks\",\"string\",\"a\"]", i > 0 ? "," : "");
    virTextAdd(&text, "]}");
    CHECK_PTR(whole = virTextTake(&text));
    CHECK_FAILS_NULL(message = virMigrationParseMessage(whole), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "more than 1024 parameters");
    free(whole);
}

TEST(a_record_whose_uuids_have_more_dashes_is_taken_with_the_right_ones)
{
    static const char record[] =
        "{\"version\":1,\"migration\":\"" FUZZ_UUID "\",\"side\":\"source\",\"name\":\"g\","
        "\"uuid\":\"-bfeaf39a-b46c-4efd-8e6e-4035b95ebe33\",\"id\":1,\"flags\":0,\"params\":[],\"stage\":\"left\","
        "\"since\":1,\"changed\":2,\"state\":1,\"reason\":1,\"running\":true}";
    struct qemuHost host = { .migrations = (char *)(uintptr_t)scratchDir() };
    struct qemuMigration *m;

    writeFile(scratchPath(FUZZ_UUID ".source.json"), record);
    CHECK_PTR(m = qemuMigrationLoad(&host, FUZZ_UUID ".source.json"));
    CHECK_STR(m->guest, "bfeaf39a-b46c-4efd-8e6e-4035b95ebe33");
    qemuMigrationFree(m);
}

#undef LARGEST

#if VIRT_WITH_NOISE
TEST_LIMIT(messages_of_strangers_do_no_harm, 120)
{
    snprintf(fuzzKeys, sizeof(fuzzKeys), "%s", scratchPath("keys"));
    run("noise");
}

TEST_LIMIT(files_of_keys_do_no_harm, 120)
{
    snprintf(fuzzKeys, sizeof(fuzzKeys), "%s", scratchPath("keys"));
    run("keys");
}
#endif

#if VIRT_WITH_REMOTE && !defined _WIN32
TEST_LIMIT(messages_to_a_server_do_no_harm, 120)
{
    run("server");
}

TEST_LIMIT(bytes_of_strangers_do_no_harm, 120)
{
    run("wire");
}
#endif
