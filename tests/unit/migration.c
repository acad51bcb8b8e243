/*
 * The migration machine against its model, and what its messages and records refuse.
 */
#define VIRT_SEPARATE_OBJECTS
#include "../../virt.c"
#include "../../drivers/qemu/migration.h"
#include "../../drivers/test/test.h"
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

/* ---- the tables of the drivers and of the model, of which stage may follow on which, are one table ---- */

enum { STATES = 32 };

struct edges { char names[STATES][16]; int n; unsigned int next[STATES]; };

/* The state's number; a new one if there is none. */
static int
stateOf(struct edges *edges, const char *name, size_t length)
{
    int i = 0;

    while (i < edges->n && (strncmp(edges->names[i], name, length) != 0 || edges->names[i][length] != '\0'))
        i++;
    CHECK(i < STATES && length < sizeof(edges->names[0]));
    if (i == edges->n) {
        snprintf(edges->names[i], sizeof(edges->names[i]), "%.*s", (int)length, name);
        edges->n++;
    }
    return i;
}

static size_t
wordLength(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
}

/* The macro SRC_MAY or DST_MAY: lines of "(REC == FROM && (to == TO || to == TO ...))". SPIN checks each assignment by it. */
static void
readModel(const char *model, const char *macro, struct edges *edges)
{
    const char *line = strstr(model, macro), *end;

    CHECK_NOT_NULL(line);
    for (line = strchr(line, '\n') + 1; strstr(line, "Rec == ") != NULL; line = end + 1) {
        const char *from = strstr(line, "Rec == ") + strlen("Rec == ");
        int state;

        end = strchr(line, '\n');
        CHECK(from < end);
        state = stateOf(edges, from, wordLength(from));
        for (const char *to = strstr(from, "to == "); to != NULL && to < end; to = strstr(to, "to == ")) {
            to += strlen("to == ");
            edges->next[state] |= 1u << stateOf(edges, to, wordLength(to));
        }
        if (end[-1] != '\\')
            break;
    }
}

/* Whether there is a way of two steps or more. */
static bool
isWay(const struct edges *edges, int from, int to)
{
    unsigned int reached = 0, more = 0;

    for (int i = 0; i < edges->n; i++)
        if ((edges->next[from] & 1u << i) != 0)
            more |= edges->next[i];
    while (reached != more) {
        reached = more;
        for (int i = 0; i < edges->n; i++)
            if ((reached & 1u << i) != 0)
                more |= edges->next[i];
    }
    return (reached & 1u << to) != 0;
}

struct stage { const char *name, *model; unsigned int next, shortcuts; bool over; };

/* Whether the driver goes from this state of the model's to that, or has a shortcut from it. */
static bool
driverGoes(const struct stage *rows, int n, const char *side, struct edges *model, int from, int to)
{
    bool shortcut = false;

    for (int stage = 0; stage <= n; stage++) {
        const char *name = stage == n ? model->names[from] : rows[stage].model;

        if (strcmp(name, model->names[from]) != 0 || (stage == n && strcmp(model->names[from] + 1, rows[n].model) != 0))
            continue;
        for (int after = 0; after < n; after++) {
            if (rows[after].model[0] != side[0])
                continue;
            if ((rows[stage].next & 1u << after) != 0 && strcmp(rows[after].model, model->names[to]) == 0)
                return true;
            shortcut |= (rows[stage].shortcuts & 1u << after) != 0;
        }
    }
    return shortcut;
}

static void
compareStages(const char *driver, const struct stage *rows, int n, const char *side, struct edges *model)
{
    char idle[8];

    snprintf(idle, sizeof(idle), "%c_IDLE", side[0]);
    for (int stage = 0; stage <= n; stage++) {
        const char *name = stage == n ? idle : rows[stage].model;
        int from;

        if (name[0] != side[0])
            continue;
        from = stateOf(model, name, strlen(name));
        EXPECT(rows[stage].over == (model->next[from] == 0), "%s, %s: over or not", driver, rows[stage].name);
        for (int after = 0; after < n; after++) {
            int to = rows[after].model[0] == side[0] ? stateOf(model, rows[after].model, strlen(rows[after].model)) : -1;
            bool goes = (rows[stage].next & 1u << after) != 0, cuts = (rows[stage].shortcuts & 1u << after) != 0;

            if (to < 0) {
                EXPECT(stage == n || (!goes && !cuts), "%s: from %s to the other side's %s", driver, rows[stage].name, rows[after].name);
                continue;
            }
            EXPECT(!goes || from == to || (model->next[from] & 1u << to) != 0, "%s: from %s to %s: the model has no %s -> %s", driver,
                   rows[stage].name, rows[after].name, name, rows[after].model);
            EXPECT(!cuts || isWay(model, from, to), "%s: from %s to %s: the model has no way from %s to %s", driver, rows[stage].name,
                   rows[after].name, name, rows[after].model);
        }
    }
    for (int from = 0; from < model->n; from++)
        for (int to = 0; to < model->n; to++)
            EXPECT((model->next[from] & 1u << to) == 0 || driverGoes(rows, n, side, model, from, to), "the model has %s -> %s: not so %s",
                   model->names[from], model->names[to], driver);
}

TEST(the_stages_of_the_drivers_are_those_of_the_model)
{
    VIRT_CLEANUP_FREE char *model = virFileRead("tests/model/migration.pml", 1 << 20, NULL);
    struct edges source = { .n = 0 }, destination = { .n = 0 };
    struct stage rows[STATES];

    CHECK_PTR(model);
    readModel(model, "#define SRC_MAY(to)", &source);
    readModel(model, "#define DST_MAY(to)", &destination);
    CHECK_INT(source.n, 9);
    CHECK_INT(destination.n, 6);
    /* nothing changes a record but by the macros that check it */
    for (const char *at = model; (at = strstr(at, "Rec = ")) != NULL; at++)
        EXPECT(strncmp(at, "Rec = to }", 10) == 0 || strncmp(at + 7, "_IDLE;", 6) == 0, "the model changes a record by itself: %.40s", at - 3);
    for (int i = 0; i <= TEST_STAGES; i++)
        rows[i] = (struct stage){ testStages[i].name, testStages[i].model, testStages[i].next, testStages[i].shortcuts, testStages[i].over };
    compareStages("the test driver", rows, TEST_STAGES, "S", &source);
    compareStages("the test driver", rows, TEST_STAGES, "D", &destination);
#if VIRT_WITH_QEMU
    for (int i = 0; i <= QEMU_STAGE_COUNT; i++)
        rows[i] = (struct stage){ qemuStages[i].name, qemuStages[i].model, qemuStages[i].next, qemuStages[i].shortcuts, qemuStages[i].over };
    compareStages("the QEMU driver", rows, QEMU_STAGE_COUNT, "S", &source);
    compareStages("the QEMU driver", rows, QEMU_STAGE_COUNT, "D", &destination);
#endif
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
