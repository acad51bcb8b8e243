/* JSON: what is refused although cJSON takes it, and numbers that survive. */
#include "../../drivers/common/json.h"
#include "../fault.h"
#include "../harness.h"

#include <locale.h>

TEST(text_that_would_change_its_meaning_is_refused)
{
    static const struct { const char *text; size_t length; } texts[] = {
        { "", 0 }, { "{", 1 }, { "{} x", 4 }, { "{}{}", 4 }, { "[1,]", 4 }, { "{\"a\":1,}", 8 }, { "\"a\0b\"", 5 },
        { "\"a\\u0000b\"", 10 }, { "\"\xff\"", 3 }, { "\"\xc0\xaf\"", 4 }, { "\"\xed\xa0\x80\"", 5 }, { "\"\xf4\x90\x80\x80\"", 6 },
        { "\"\xe2\x82\"", 4 }, { "nul", 3 }, { "\"\\x\"", 4 }, { "'a'", 3 },
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

#ifndef _WIN32
/* The numbers of this locale, as one that is made in the scratch folder; false: there is nothing to make it with. */
static bool
useNumbersOf(const char *locale, const char *charset)
{
    char command[3000], name[40];

    snprintf(name, sizeof(name), "%s.%s", locale, charset);
    snprintf(command, sizeof(command), "printf 'LC_NUMERIC\\ncopy \"%s\"\\nEND LC_NUMERIC\\n' > '%s' && "
             "localedef -c -i '%s' -f %s '%s' > /dev/null 2>&1", locale, scratchPath("definition"), scratchPath("definition"), charset, scratchPath("%s", name));
    runShell(command, NULL);          /* it complains of the categories that are not there */
    setenv("LOCPATH", scratchPath("."), 1);
    return setlocale(LC_NUMERIC, name) != NULL;
}

/* Where the point is a comma, and where it is two bytes long. */
TEST(numbers_are_the_same_in_every_locale)
{
    static const char text[] = "{\"a\":0.1,\"b\":-1234567.875,\"c\":[2.5e-300,1e+30]}";
    static const struct { const char *name, *charset, *point; } locales[] = {
        { "de_DE", "ISO-8859-1", "," }, { "ps_AF", "UTF-8", "\xd9\xab" },
    };

    for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]); i++) {
        virTypedParameterPtr params = NULL, back = NULL;
        int n = 0, max = 0, nback = 0;
        double value = 0;
        cJSON *json;
        char *out, wrong[10];

        harnessContext("%s", locales[i].name);
        if (!useNumbersOf(locales[i].name, locales[i].charset))
            SKIP("no localedef, or nothing of %s", locales[i].name);
        CHECK_STR(localeconv()->decimal_point, locales[i].point);
        CHECK_OK(virTypedParamsAddFromString(&params, &n, &max, "d", VIR_TYPED_PARAM_DOUBLE, "-1234567.875"));
        CHECK_OK(virTypedParamsGetDouble(params, n, "d", &value));
        CHECK(value == -1234567.875);
        snprintf(wrong, sizeof(wrong), "1%s5", locales[i].point);
        CHECK_FAILS(virTypedParamsAddFromString(&params, &n, &max, "e", VIR_TYPED_PARAM_DOUBLE, wrong), VIR_ERR_INVALID_ARG);
        CHECK_PTR(json = virTypedParamsToJson(params, n));
        CHECK_PTR(out = virJsonFormat(json));
        CHECK_STR(out, "[[\"d\",\"double\",\"-1234567.875\"]]");
        free(out);
        CHECK_OK(virTypedParamsFromJson(json, &back, &nback, "test"));
        CHECK(back[0].value.d == -1234567.875);
        cJSON_Delete(json);
        virTypedParamsFree(params, n);
        virTypedParamsFree(back, nback);
        CHECK_PTR(json = virJsonParse(text, sizeof(text) - 1, "test"));
        CHECK(virJsonGet(json, "a")->valuedouble == 0.1);
        CHECK_PTR(out = virJsonFormat(json));
        CHECK_STR(out, "{\"a\":0.10000000000000001,\"b\":-1234567.875,\"c\":[2.5e-300,1e+30]}");
        free(out);
        cJSON_Delete(json);
    }
}
#endif

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
