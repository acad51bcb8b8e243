/* JSON: what is refused although cJSON takes it, and numbers that survive. */
#define VIRT_STATIC
#include "../../virt.c"
#include "../fault.h"
#include "../harness.h"

TEST(text_that_would_change_its_meaning_is_refused)
{
    static const struct { const char *text; size_t length; } texts[] = {
        { "", 0 }, { "{", 1 }, { "{} x", 4 }, { "{}{}", 4 }, { "[1,]", 4 }, { "{\"a\":1,}", 8 }, { "\"a\0b\"", 5 },
        { "\"a\\u0000b\"", 10 }, { "\"\xff\"", 3 }, { "\"\xc0\xaf\"", 4 }, { "\"\xed\xa0\x80\"", 5 }, { "\"\xf4\x90\x80\x80\"", 6 },
        { "\"\xe2\x82\"", 4 }, { "nul", 3 }, { "\"\\x\"", 4 }, { "'a'", 3 }, { "{}\0", 3 }, { "[1\0]", 4 }, { "\"\\\"", 3 }, { "\"\\u12\"", 6 },
        { "\"\\ud800\"", 8 }, { "\"\\ud800\\u0041\"", 14 }, { "\"\\udc00\"", 8 }, { "\"\\u00g0\"", 8 }, { "[", 1 }, { "[1", 2 }, { "{\"a\"", 4 },
        { "{\"a\":", 5 }, { "{a:1}", 5 }, { "[,1]", 4 }, { "-", 1 }, { "01", 2 }, { "1.", 2 }, { ".5", 2 }, { "1e", 2 }, { "1e+", 3 }, { "+1", 2 },
        { "0x10", 4 }, { "nan", 3 }, { "Infinity", 8 }, { "truefalse", 9 }, { "\xef\xbb\xbf{}", 5 }, { "{]", 2 }, { "[}", 2 }, { " ", 1 },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        harnessContext("text %zu", i);
        CHECK_FAILS_NULL(virJsonParse(texts[i].text, texts[i].length, "test"), VIR_ERR_INTERNAL_ERROR);
        CHECK_CONTAINS(virGetLastErrorMessage(), "test");
    }
}

TEST(only_the_given_bytes_are_read)
{
    cJSON *json = virJsonParse("{\"a\": \"\\\\u0000\"} \n,", 18, "test");

    CHECK_PTR(json);
    CHECK_STR(virJsonString(json, "a"), "\\u0000");
    cJSON_Delete(json);
}

/* Text is looked at eight characters at a time: each of them in each of the places. */
TEST(a_character_means_the_same_at_every_place)
{
    char text[40], *written;

    for (size_t at = 0; at < 24; at++) {
        for (int c = 1; c < 256; c++) {
            cJSON *json;

            harnessContext("character %d at %zu", c, at);
            memset(text, 'x', 24);
            text[24] = '\0';
            text[at] = (char)c;
            CHECK_INT(virJsonIsUtf8(text), c < 0x80);
            CHECK_INT(virJsonCheckText(text, 24) == NULL, c < 0x80);
            if (c >= 0x80)
                continue;
            CHECK_PTR(json = cJSON_CreateString(text));
            CHECK_PTR(written = virJsonFormat(json));
            cJSON_Delete(json);
            CHECK_UINT(strlen(written), c == '"' || c == '\\' || c == '\n' ? 27 : c < 0x20 ? 31 : 26);
            CHECK_PTR(json = virJsonParse(written, strlen(written), "test"));
            CHECK_STR(json->valuestring, text);
            cJSON_Delete(json);
            free(written);
        }
        text[at] = '\0';
        CHECK_CONTAINS(virJsonCheckText(text, 24), "NUL");
    }
}

/* What both read is the same tree. */
TEST(texts_mean_what_they_mean_to_cjson)
{
    static const char *const texts[] = {
        "{}", "[]", "[[],{}]", "\"\"", " null ", "[true,false,null]", "{\"a\":1,\"b\":[1,2,3],\"c\":{\"d\":\"e\"}}", "\t[ 1 , 2 ]\r\n", "-0", "0",
        "[0.5,-1.25e3,1E-2,123456789012345,-123456789012345,4503599627370497,1e300]", "{\"\":\"\",\"\\u0041\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
        "\"a\tb\x7f\"", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"12345678\"", "\"1234567\\n\"",
    };
    char text[32], both[80];
    const char *end;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cJSON *ours = virJsonParse(texts[i], strlen(texts[i]), "test"), *theirs = cJSON_Parse(texts[i]);

        harnessContext("%s", texts[i]);
        CHECK_PTR(ours);
        CHECK(cJSON_Compare(ours, theirs, true));
        cJSON_Delete(ours);
        cJSON_Delete(theirs);
    }
    for (unsigned int code = 1; code < 0x110000; code += code < 0x900 ? 1 : 37) {
        cJSON *ours, *theirs;

        if (code >= 0xd800 && code < 0xe000)
            continue;
        if (code < 0x10000)
            snprintf(text, sizeof(text), "\\u%04x", code);
        else
            snprintf(text, sizeof(text), "\\uD%03X\\uD%03X", 0x800 | (code - 0x10000) >> 10, 0xc00 | ((code - 0x10000) & 0x3ff));
        snprintf(both, sizeof(both), "\"%sx%s\"", text, text);
        harnessContext("%s", both);
        CHECK_PTR(ours = virJsonParse(both, strlen(both), "test"));
        CHECK_PTR(theirs = cJSON_ParseWithOpts(both, &end, false));
        CHECK_STR(ours->valuestring, theirs->valuestring);
        cJSON_Delete(ours);
        cJSON_Delete(theirs);
    }
}

TEST(integers_keep_their_digits)
{
    static const char text[] = "{\"a9\":18446744073709551615,\"b\":[1,\"7\\\"8\",9007199254740993,-9223372036854775808],\"c\":1e30,\"d\":2.5,"
                               "\"e\":{\"f\":18446744071562067968}}";
    cJSON *json = virJsonParse(text, sizeof(text) - 1, "test");
    unsigned long long ull = 0;
    char *out;

    CHECK_PTR(json);
    CHECK_OK(virJsonULongLong(json, "a9", &ull));
    CHECK_UINT(ull, 18446744073709551615ULL);
    CHECK_OK(virJsonULongLong(virJsonGet(json, "e"), "f", &ull));
    CHECK_UINT(ull, 18446744071562067968ULL);
    CHECK_PTR(out = virJsonFormat(json));
    CHECK_CONTAINS(out, "[1,\"7\\\"8\",9007199254740993,-9223372036854775808],\"c\":1e+30,\"d\":2.5,");
    CHECK_CONTAINS(out, "\"f\":18446744071562067968}");
    free(out);
    cJSON_Delete(json);
}

TEST(nesting_is_limited)
{
    char text[4001];

    memset(text, '[', 2000);
    memset(text + 2000, ']', 2000);
    CHECK_FAILS_NULL(virJsonParse(text, 4000, "test"), VIR_ERR_INTERNAL_ERROR);
}

TEST(readers_give_members_of_the_right_type_only)
{
    static const char text[] = "{\"i\":-3,\"u\":9007199254740992,\"s\":\"18446744073709551615\",\"b\":true,\"f\":1.5,\"big\":1e30,\"I\":7}";
    cJSON *json = virJsonParse(text, strlen(text), "test");
    unsigned long long ull = 0;
    bool flag = false;
    int i = 0;

    CHECK_PTR(json);
    CHECK_OK(virJsonInt(json, "i", &i));
    CHECK_INT(i, -3);
    CHECK_OK(virJsonULongLong(json, "u", &ull));
    CHECK_UINT(ull, 9007199254740992ULL);
    CHECK_OK(virJsonULongLong(json, "s", &ull));
    CHECK_UINT(ull, 18446744073709551615ULL);
    CHECK_OK(virJsonBool(json, "b", &flag));
    CHECK(flag);
    CHECK_INT(virJsonInt(json, "f", &i), -1);
    CHECK_INT(virJsonInt(json, "big", &i), -1);
    CHECK_INT(virJsonULongLong(json, "i", &ull), -1);
    CHECK_INT(virJsonBool(json, "i", &flag), -1);
    CHECK_NULL(virJsonString(json, "i"));
    CHECK_NULL(virJsonGet(json, "none"));
    CHECK_NULL(virJsonGet(NULL, "i"));
    cJSON_Delete(json);
}

static int
build(void *opaque)
{
    VIRT_CLEANUP_JSON cJSON *json = NULL;
    cJSON *list = virJsonArray();
    char *text;

    (void)opaque;
    if (list == NULL)
        return -1;
    if (virJsonAppendString(list, "x\n\"") < 0 || virJsonAppend(list, virJsonObject("i:n", -1, NULL)) < 0) {
        cJSON_Delete(list);
        return -1;
    }
    json = virJsonObject("s:s", "v", "S:none", NULL, "u:big", 18446744073709551615ULL, "U:zero", 0ULL, "b:no", 0, "B:left-out", 0, "T:also", -1,
                         "T:three", 1, "d:half", 0.5, "a:list", list, "A:nothing", NULL, "z:size", 1234567890123460ULL, NULL);
    if (json == NULL || (text = virJsonFormat(json)) == NULL)
        return -1;
    CHECK_STR(text, "{\"s\":\"v\",\"big\":18446744073709551615,\"no\":false,\"three\":true,\"half\":0.5,"
                    "\"list\":[\"x\\n\\\"\",{\"n\":-1}],\"size\":1234567890123460}");
    free(text);
    return 0;
}

TEST(objects_are_built_and_written_exactly)
{
    CHECK_OK(build(NULL));
}

TEST_LIMIT(building_survives_every_failing_allocation, 120)
{
    FAULT_EACH_ALLOCATION(build, NULL);
}
