/* Typed parameters: every type there and back, wrong types, too long names, and nothing leaked. */
#include "../../virt.h"
#include "../fault.h"
#include <limits.h>

TEST(each_type_comes_back_as_it_went_in)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, i;
    unsigned int u;
    long long l;
    unsigned long long ul;
    double d;
    const char *s;

    CHECK_OK(virTypedParamsAddInt(&params, &n, &max, "int", INT_MIN));
    CHECK_OK(virTypedParamsAddUInt(&params, &n, &max, "uint", UINT_MAX));
    CHECK_OK(virTypedParamsAddLLong(&params, &n, &max, "llong", LLONG_MIN));
    CHECK_OK(virTypedParamsAddULLong(&params, &n, &max, "ullong", ULLONG_MAX));
    CHECK_OK(virTypedParamsAddDouble(&params, &n, &max, "double", -0.5));
    CHECK_OK(virTypedParamsAddBoolean(&params, &n, &max, "boolean", 17));
    CHECK_OK(virTypedParamsAddString(&params, &n, &max, "string", "text"));
    CHECK_INT(n, 7);
    CHECK_INT(virTypedParamsGetInt(params, n, "int", &i), 1);
    CHECK_INT(i, INT_MIN);
    CHECK_INT(virTypedParamsGetUInt(params, n, "uint", &u), 1);
    CHECK_UINT(u, UINT_MAX);
    CHECK_INT(virTypedParamsGetLLong(params, n, "llong", &l), 1);
    CHECK_INT(l, LLONG_MIN);
    CHECK_INT(virTypedParamsGetULLong(params, n, "ullong", &ul), 1);
    CHECK_UINT(ul, ULLONG_MAX);
    CHECK_INT(virTypedParamsGetDouble(params, n, "double", &d), 1);
    CHECK(d > -0.6 && d < -0.4);
    CHECK_INT(virTypedParamsGetBoolean(params, n, "boolean", &i), 1);
    CHECK_INT(i, 1);
    CHECK_INT(virTypedParamsGetString(params, n, "string", &s), 1);
    CHECK_STR(s, "text");
    CHECK_INT(virTypedParamsGet(params, n, "ullong")->type, VIR_TYPED_PARAM_ULLONG);
    CHECK_INT(virTypedParamsGetString(params, n, "string", NULL), 1);
    virTypedParamsFree(params, n);
    virTypedParamsFree(NULL, 0);
    virTypedParamsClear(NULL, 0);
}

TEST(absence_is_no_error_but_another_type_is)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, i = 5;

    CHECK_OK(virTypedParamsAddString(&params, &n, &max, "string", "text"));
    CHECK_INT(virTypedParamsGetInt(params, n, "other", &i), 0);
    CHECK_INT(i, 5);
    CHECK_NULL(virTypedParamsGet(params, n, "other"));
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_OK);
    CHECK_FAILS(virTypedParamsGetInt(params, n, "string", &i), VIR_ERR_INVALID_ARG);
    CHECK_INT(i, 5);
    virTypedParamsClear(params, n);
    free(params);
}

TEST(names_are_at_most_79_bytes)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, i;
    char name[VIR_TYPED_PARAM_FIELD_LENGTH + 1];

    memset(name, 'n', sizeof(name));
    name[VIR_TYPED_PARAM_FIELD_LENGTH] = '\0';
    CHECK_FAILS(virTypedParamsAddInt(&params, &n, &max, name, 1), VIR_ERR_INVALID_ARG);
    CHECK_INT(n, 0);
    name[VIR_TYPED_PARAM_FIELD_LENGTH - 1] = '\0';
    CHECK_OK(virTypedParamsAddInt(&params, &n, &max, name, 1));
    CHECK_INT(virTypedParamsGetInt(params, n, name, &i), 1);
    virTypedParamsFree(params, n);
}

TEST(text_must_be_of_the_type_to_its_end)
{
    static const struct { int type; const char *text; bool good; } table[] = {
        { VIR_TYPED_PARAM_INT, "-12", true },
        { VIR_TYPED_PARAM_INT, "12x", false },
        { VIR_TYPED_PARAM_INT, "", false },
        { VIR_TYPED_PARAM_INT, "2147483648", false },
        { VIR_TYPED_PARAM_UINT, "4294967295", true },
        { VIR_TYPED_PARAM_UINT, "4294967296", false },
        { VIR_TYPED_PARAM_LLONG, "-9223372036854775808", true },
        { VIR_TYPED_PARAM_LLONG, "9223372036854775808", false },
        { VIR_TYPED_PARAM_ULLONG, "18446744073709551615", true },
        { VIR_TYPED_PARAM_ULLONG, "18446744073709551616", false },
        { VIR_TYPED_PARAM_DOUBLE, "1.5", true },
        { VIR_TYPED_PARAM_DOUBLE, "1.5.", false },
        { VIR_TYPED_PARAM_BOOLEAN, "0", true },
        { VIR_TYPED_PARAM_BOOLEAN, "1", true },
        { VIR_TYPED_PARAM_BOOLEAN, "2", false },
        { VIR_TYPED_PARAM_STRING, "anything", true },
        { 99, "1", false },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        virTypedParameterPtr params = NULL;
        int n = 0, max = 0;
        int rc = virTypedParamsAddFromString(&params, &n, &max, "p", table[i].type, table[i].text);

        EXPECT((rc == 0) == table[i].good, "type %d, '%s': %d", table[i].type, table[i].text, rc);
        EXPECT(n == (table[i].good ? 1 : 0), "type %d, '%s': %d parameters", table[i].type,
               table[i].text, n);
        virTypedParamsFree(params, n);
    }
}

static int
paramsBuild(void *opaque)
{
    const char *list[] = { "one", "two", "three", NULL };
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, rc = -1;

    (void)opaque;
    if (virTypedParamsAddString(&params, &n, &max, "string", "text") == 0 &&
        virTypedParamsAddStringList(&params, &n, &max, "list", list) == 0 &&
        virTypedParamsAddStringList(&params, &n, &max, "list", NULL) == 0) {
        CHECK_INT(n, 4);
        rc = 0;
    } else {
        CHECK(n == 0 || n == 1);                /* all strings of a list or none */
    }
    virTypedParamsFree(params, n);
    return rc;
}

TEST(lists_are_added_whole_or_not_at_all)
{
    FAULT_EACH_ALLOCATION(paramsBuild, NULL);
}
