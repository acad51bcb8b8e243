/*
 * The migration machine against its model, and what its messages and records refuse.
 */
#define VIRT_STATIC
#include "../../virt.c"
#include "../harness.h"

/* ---- the table of virt.c and the controller of tests/model/migration.pml are one table ---- */

static int
phaseOfModel(const char *text)
{
    char name[32];
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    snprintf(name, sizeof(name), "%.*s", (int)length, text);
    for (size_t i = 0; i < length; i++)
        name[i] = (char)(name[i] - 'A' + 'a');
    for (int phase = 0; phase < VIR_MIGRATION_PHASE_LAST; phase++)
        if (strcmp(virMigrationPhases[phase].name, name) == 0)
            return phase;
    return -1;
}

/* The first "ctlRec[me] = C_X" behind `guard` in the block from text to end. */
static int
modelGoesTo(const char *text, const char *end, const char *guard)
{
    const char *at = strstr(text, guard);

    if (at == NULL || at >= end || (at = strstr(at, "ctlRec[me] = C_")) == NULL || at >= end)
        return -1;
    return phaseOfModel(at + strlen("ctlRec[me] = C_"));
}

TEST(the_table_is_the_one_of_the_model)
{
    static const char head[] = ":: ctlRec[me] == C_";
    VIRT_CLEANUP_FREE char *model = virFileRead("tests/model/migration.pml", 1 << 20, NULL);
    const char *at, *end, *abort;
    int rows = 0;

    CHECK_PTR(model);
    at = strstr(model, "proctype controller");
    CHECK_NOT_NULL(at);
    abort = strstr(model, "#define MAY_ABORT");
    CHECK_NOT_NULL(abort);
    for (at = strstr(at, head); at != NULL; at = strstr(end, head)) {
        int phase = phaseOfModel(at + sizeof(head) - 1);
        const struct virMigrationPhaseRow *row;
        char inAbort[32];
        bool mayAbort;

        CHECK(phase >= 0);
        row = &virMigrationPhases[phase];
        end = strstr(at + 1, "\n    :: ");
        CHECK_NOT_NULL(end);
        snprintf(inAbort, sizeof(inAbort), "== C_%.*s", (int)strspn(at + sizeof(head) - 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), at + sizeof(head) - 1);
        mayAbort = strstr(abort, inAbort) != NULL && strstr(abort, inAbort) < strchr(abort, '\n');
        if (phase != VIR_MIGRATION_PHASE_OVER) {
            EXPECT(modelGoesTo(at, end, "r == DONE") == (int)row->done, "%s, done: the model goes to phase %d, not %d", row->name,
                   modelGoesTo(at, end, "r == DONE"), row->done);
            /* the model has no Confirm or Rollback that fails: nothing comes after it in any case */
            if (modelGoesTo(at, end, "r == FAILED") >= 0 || row->failed != VIR_MIGRATION_PHASE_OVER)
                EXPECT(modelGoesTo(at, end, "r == FAILED") == (int)row->failed, "%s, failed: the model goes to phase %d, not %d", row->name,
                       modelGoesTo(at, end, "r == FAILED"), row->failed);
            EXPECT((row->abort == VIR_MIGRATION_PHASE_HALT && phase != VIR_MIGRATION_PHASE_HALT) == mayAbort,
                   "%s: an abort is %s in the model", row->name, mayAbort ? "allowed" : "not allowed");
        }
        rows++;
    }
    CHECK_INT(rows, VIR_MIGRATION_PHASE_LAST);
}

/* ---- messages ---- */

#define HEAD "{\"version\":1,\"migration\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\","

static const struct { const char *text, *part; } badMessages[] = {
    { "", "migration message" },
    { "x", "migration message" },
    { "[]", "version" },
    { "{}", "version" },
    { "{\"version\":2,\"migration\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"reply\":\"prepare\",\"done\":true}", "version 2" },
    { "{\"version\":1,\"migration\":\"x\",\"reply\":\"prepare\",\"done\":true}", "uuid" },
    { "{\"version\":1,\"reply\":\"prepare\",\"done\":true}", "uuid" },
    { HEAD "\"reply\":\"prepare\"}", "neither done nor failed" },
    { HEAD "\"reply\":\"perform\",\"done\":true}", "neither asks for nor answers" },
    { HEAD "\"reply\":7,\"done\":true}", "neither asks for nor answers" },
    { HEAD "\"done\":true}", "neither asks for nor answers" },
    { HEAD "\"reply\":\"finish\",\"done\":true,\"cookie\":{}}", "'cookie'" },
    { HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"request\":\"prepare\",\"flags\":0,\"params\":[]}", "cookie of begin" },
    { HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"request\":\"prepare\",\"params\":[],\"cookie\":\"c\"}", "flags" },
    { HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"request\":\"prepare\",\"flags\":-1,\"params\":[],\"cookie\":\"c\"}", "flags" },
    { HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"request\":\"prepare\",\"flags\":4294967296,\"params\":[],\"cookie\":\"c\"}", "flags" },
    { HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"request\":\"prepare\",\"flags\":0,\"params\":[1],\"cookie\":\"c\"}", "name, type, value" },
    { HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"request\":\"prepare\",\"flags\":0,\"params\":[[\"bandwidth\",\"what\",\"1\"]],\"cookie\":\"c\"}", "unknown type" },
    { HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"request\":\"prepare\",\"flags\":0,\"params\":[[\"bandwidth\",\"ullong\",\"-\"]],\"cookie\":\"c\"}", "bandwidth" },
    { HEAD "\"request\":\"finish\",\"flags\":0,\"params\":[]}", "name its guest" },
    { HEAD "\"request\":\"finish\",\"flags\":0,\"params\":[]} trailing", "migration message" },
    { HEAD "\"request\":\"finish\",\"flags\":0,\"params\":[],\"cookie\":\"\\u0000\"}", "migration message" },
};

TEST(a_message_that_is_none_is_refused)
{
    for (size_t i = 0; i < sizeof(badMessages) / sizeof(badMessages[0]); i++) {
        struct virMigrationMessage *message = virMigrationParseMessage(badMessages[i].text);

        EXPECT(message == NULL, "taken: %s", badMessages[i].text);
        EXPECT(message != NULL || virGetLastErrorCode() == VIR_ERR_INVALID_ARG, "error %d of: %s", virGetLastErrorCode(), badMessages[i].text);
        EXPECT(message != NULL || strstr(virGetLastErrorMessage(), badMessages[i].part) != NULL, "'%s' is said of: %s",
               virGetLastErrorMessage(), badMessages[i].text);
        virMigrationMessageFree(message);
    }
}

TEST(a_message_of_any_part_of_another_is_refused_or_whole)
{
    virTypedParameter params[] = {
        { .field = VIR_MIGRATE_PARAM_BANDWIDTH, .type = VIR_TYPED_PARAM_ULLONG, .value.ul = 18446744073709551615ull },
        { .field = VIR_MIGRATE_PARAM_URI, .type = VIR_TYPED_PARAM_STRING, .value.s = (char[]){ "tcp:h\"\\\n" } },
    };
    struct virMigrationMessage message = {
        .uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8", .phase = VIR_MIGRATION_PHASE_PREPARE, .params = params, .nparams = 2,
        .flags = VIR_MIGRATE_LIVE, .cookie = (char[]){ "{\"a\":1}" }, .name = (char[]){ "guest" }, .guestUuid = { 1, 2, 3 },
    };
    VIRT_CLEANUP_FREE char *text = virMigrationFormatMessage(&message);
    struct virMigrationMessage *back;

    CHECK_PTR(text);
    CHECK_PTR(back = virMigrationParseMessage(text));
    CHECK_INT(back->phase, VIR_MIGRATION_PHASE_PREPARE);
    CHECK(!back->reply);
    CHECK_UINT(back->flags, VIR_MIGRATE_LIVE);
    CHECK_INT(back->nparams, 2);
    CHECK_UINT(back->params[0].value.ul, 18446744073709551615ull);
    CHECK_STR(back->params[1].value.s, "tcp:h\"\\\n");
    CHECK_STR(back->cookie, "{\"a\":1}");
    CHECK_STR(back->name, "guest");
    CHECK_MEM(back->guestUuid, message.guestUuid, VIR_UUID_BUFLEN);
    virMigrationMessageFree(back);
    for (size_t length = 0; length < strlen(text); length++) {
        VIRT_CLEANUP_FREE char *part = virStringFormat("%.*s", (int)length, text);

        EXPECT((back = virMigrationParseMessage(part)) == NULL, "the first %zu bytes are taken", length);
        virMigrationMessageFree(back);
    }
}

/* ---- records ---- */

static const struct { const char *text, *part; } badRecords[] = {
    { "{}", "version" },
    { HEAD "\"flags\":0,\"params\":[],\"phase\":\"begin\",\"outcome\":\"none\"}", "name its guest" },
    { HEAD "\"name\":\"x\",\"uuid\":\"y\",\"flags\":0,\"params\":[],\"phase\":\"begin\",\"outcome\":\"none\"}", "name its guest" },
#define GUEST HEAD "\"name\":\"x\",\"uuid\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\","
    { GUEST "\"flags\":0,\"params\":[]}", "'phase'" },
    { GUEST "\"flags\":0,\"params\":[],\"phase\":\"leave\",\"outcome\":\"none\"}", "'phase'" },
    { GUEST "\"flags\":0,\"params\":[],\"phase\":\"over\",\"outcome\":\"none\"}", "outcome" },
    { GUEST "\"flags\":0,\"params\":[],\"phase\":\"begin\",\"outcome\":\"migrated\"}", "outcome" },
    { GUEST "\"flags\":2147483648,\"params\":[],\"phase\":\"begin\",\"outcome\":\"none\"}", "flags" },
    { GUEST "\"flags\":0,\"params\":[[\"x\",\"int\",\"1\"]],\"phase\":\"begin\",\"outcome\":\"none\"}", "'x' is not known" },
    { GUEST "\"flags\":0,\"params\":[],\"phase\":\"begin\",\"outcome\":\"none\",\"cookies\":{\"begin\":[]}}", "'begin'" },
    { GUEST "\"flags\":0,\"params\":[],\"phase\":\"begin\",\"outcome\":\"none\",\"uri\":7}", "'uri'" },
};

TEST(a_record_that_is_none_is_refused)
{
    virConnectPtr conn = virConnectOpen("test:///default");

    CHECK_PTR(conn);
    for (size_t i = 0; i < sizeof(badRecords) / sizeof(badRecords[0]); i++) {
        virMigrationPtr m = virMigrationNewFromRecord(badRecords[i].text, conn, NULL);

        EXPECT(m == NULL, "taken: %s", badRecords[i].text);
        EXPECT(m != NULL || strstr(virGetLastErrorMessage(), badRecords[i].part) != NULL, "'%s' is said of: %s",
               virGetLastErrorMessage(), badRecords[i].text);
        virMigrationFree(m);
    }
    CHECK_FAILS_NULL(virMigrationNewFromRecord("{}", NULL, NULL), VIR_ERR_INVALID_ARG);
    virConnectClose(conn);
}
