/*
 * JSON on top of cJSON. What reads is strict, because the text may come from a guest's hypervisor or from the network;
 * what writes is our own serialiser, because cJSON's prints large integers as 1.23e+15 and uses the locale's comma.
 */
#include "json.h"
#include "params.h"
#include "file.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_NONE

/* Above this, a double cannot tell an integer from its neighbour. */
#define VIR_JSON_EXACT 9007199254740992.0

VIRT_INTERNAL void
virJsonCleanup(cJSON **json)
{
    cJSON_Delete(*json);
}

/* ---------- reading ---------- */

/* The length of one UTF-8 character at the text (no overlong form, no surrogate), or 0. */
static size_t
virJsonUtf8Length(const unsigned char *text, size_t length)
{
    unsigned char first = text[0];
    unsigned char low = 0x80, high = 0xbf;
    size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

    if (n == 0 || n > length)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < n; i++) {
        if (text[i] < low || text[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

/* How many characters from here on are plain: printable ASCII, no quote and no backslash. It may say less, since it looks at eight at once. */
static size_t
virJsonPlain(const char *text, size_t length)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    uint64_t word, quote, backslash;
    size_t i;

    for (i = 0; length - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, text + i, sizeof(word));
        quote = word ^ ones * '"';
        backslash = word ^ ones * '\\';
        if (((word | (word - ones * ' ') | (quote - ones) | (backslash - ones)) & highs) != 0)
            break;
    }
    return i;
}

VIRT_INTERNAL const char *
virJsonCheckText(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t step;

    for (size_t i = 0; i < length; i += step) {
        if ((step = virJsonPlain(text + i, length - i)) > 0)
            continue;
        if (bytes[i] == 0)
            return "a NUL character";
        if (bytes[i] == '\\' && length - i >= 2) {
            if (length - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
                return "the character \\u0000";
            step = bytes[i + 1] < 0x80 ? 2 : 1;
            continue;
        }
        if ((step = bytes[i] < 0x80 ? 1 : virJsonUtf8Length(bytes + i, length - i)) == 0)
            return "invalid UTF-8";
    }
    return NULL;
}

VIRT_INTERNAL bool
virJsonIsUtf8(const char *text)
{
    size_t length = strlen(text), step;

    for (size_t i = 0; i < length; i += step)
        if ((step = virJsonPlain(text + i, length - i)) == 0 && (step = (unsigned char)text[i] < 0x80 ? 1 : virJsonUtf8Length((const unsigned char *)text + i, length - i)) == 0)
            return false;
    return true;
}

/* The first number from `at` on, outside of strings; `end` if there is none. */
static const char *
virJsonNextNumber(const char *at, const char *end)
{
    for (; at < end && *at != '-' && !isdigit((unsigned char)*at); at++) {
        if (*at != '"')
            continue;
        for (at++; at < end && *at != '"'; at++)
            at += *at == '\\';
    }
    return at < end ? at : end;
}

/*
 * cJSON has numbers as double only. Integers for which that is too coarse (addresses, counters) keep their digits. Items stand in
 * the order of the text, of which *at is where the next ones are.
 */
static int
virJsonKeepDigits(cJSON *json, const char **at, const char *end)
{
    cJSON *item;

    if (cJSON_IsNumber(json)) {
        const char *from = virJsonNextNumber(*at, end);
        bool integer = true;

        for (*at = from; *at < end && (isdigit((unsigned char)**at) || memchr("+-.eE", **at, 5) != NULL); (*at)++)
            integer = integer && (*at == from || isdigit((unsigned char)**at));
        if (integer && fabs(json->valuedouble) >= VIR_JSON_EXACT && *at - from <= 20) {
            size_t length = (size_t)(*at - from);

            if ((json->valuestring = cJSON_malloc(length + 1)) == NULL)
                return virReportNoMemory();
            memcpy(json->valuestring, from, length);
            json->valuestring[length] = '\0';
            json->type = (json->type & ~0xff) | cJSON_Raw;
        }
    }
    cJSON_ArrayForEach(item, json) {
        if (virJsonKeepDigits(item, at, end) < 0)
            return -1;
    }
    return 0;
}

/* Whether there are as many digits in a row anywhere as a number needs that a double cannot hold: 16, so one of them is at a multiple of 16. */
static bool
virJsonHasLongNumber(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i += 16) {
        size_t from = i, to = i;

        while (to < length && text[to] >= '0' && text[to] <= '9')
            to++;
        while (to > i && from > 0 && text[from - 1] >= '0' && text[from - 1] <= '9')
            from--;
        if (to - from >= 16)
            return true;
    }
    return false;
}

/*
 * cJSON reads a number with one byte of the locale's point, or, if it was compiled so, none of it. Where that is not all of it, it stops at the
 * point of the text, and reads it again as in C.
 */
static cJSON *
virJsonParseText(const char *text, size_t length, const char **end)
{
    cJSON *json = cJSON_ParseWithLengthOpts(text, length, end, 0);

#ifndef _WIN32
    if (json == NULL && *end < text + length && **end == '.') {
        locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), before;

        if (plain != (locale_t)0) {
            before = uselocale(plain);
            json = cJSON_ParseWithLengthOpts(text, length, end, 0);
            uselocale(before);
            freelocale(plain);
        }
    }
#endif
    return json;
}

VIRT_INTERNAL cJSON *
virJsonParse(const char *text, size_t length, const char *what)
{
    const char *problem = virJsonCheckText(text, length);
    const char *end = text, *at = text;
    cJSON *json;

    if (problem != NULL) {
        virReportError(VIR_ERR_INTERNAL_ERROR, "%s: the JSON text has %s", what, problem);
        return NULL;
    }
    json = virJsonParseText(text, length, &end);
    if (json != NULL) {
        while (end < text + length && strchr(" \t\r\n", *end) != NULL)
            end++;
        if (end == text + length && (!virJsonHasLongNumber(text, length) || virJsonKeepDigits(json, &at, end) == 0))
            return json;
        cJSON_Delete(json);
        if (end == text + length)
            return NULL;
    }
    virReportError(VIR_ERR_INTERNAL_ERROR, "%s: malformed JSON at byte %zu of %zu: '%.*s'", what, (size_t)(end - text), length,
                   (int)(length - (size_t)(end - text) < 40 ? length - (size_t)(end - text) : 40), end);
    return NULL;
}

VIRT_INTERNAL cJSON *
virJsonGet(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

VIRT_INTERNAL const char *
virJsonString(const cJSON *object, const char *key)
{
    const cJSON *item = virJsonGet(object, key);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

VIRT_INTERNAL int
virJsonInt(const cJSON *object, const char *key, int *value)
{
    const cJSON *item = virJsonGet(object, key);

    if (cJSON_IsString(item))
        return virStringToInt(item->valuestring, 10, value);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= -2147483648.0 && item->valuedouble <= 2147483647.0) ||
        item->valuedouble != (double)(int)item->valuedouble)
        return -1;
    *value = (int)item->valuedouble;
    return 0;
}

VIRT_INTERNAL int
virJsonULongLong(const cJSON *object, const char *key, unsigned long long *value)
{
    const cJSON *item = virJsonGet(object, key);

    if (cJSON_IsString(item) || cJSON_IsRaw(item))
        return virStringToULL(item->valuestring, 10, value);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 18446744073709551616.0) ||
        item->valuedouble != (double)(unsigned long long)item->valuedouble)
        return -1;
    *value = (unsigned long long)item->valuedouble;
    return 0;
}

VIRT_INTERNAL int
virJsonBool(const cJSON *object, const char *key, bool *value)
{
    const cJSON *item = virJsonGet(object, key);

    if (!cJSON_IsBool(item))
        return -1;
    *value = cJSON_IsTrue(item);
    return 0;
}

/* ---------- writing ---------- */

VIRT_INTERNAL void
virJsonPutCharacters(struct virText *out, const char *value)
{
    const char *end = value + strlen(value);
    size_t plain;

    while (*value != '\0') {
        plain = virJsonPlain(value, (size_t)(end - value));
        while ((unsigned char)value[plain] >= 0x20 && value[plain] != '"' && value[plain] != '\\')
            plain++;
        virTextAppend(out, value, plain);
        value += plain;
        if (*value == '\0')
            break;
        if (*value == '"' || *value == '\\')
            virTextAdd(out, "\\%c", *value);
        else if (*value == '\n')
            virTextAppend(out, "\\n", 2);
        else
            virTextAdd(out, "\\u%04x", (unsigned int)(unsigned char)*value);
        value++;
    }
}

static void
virJsonPutString(struct virText *out, const char *value)
{
    virTextAppend(out, "\"", 1);
    virJsonPutCharacters(out, value != NULL ? value : "");
    virTextAppend(out, "\"", 1);
}

static void
virJsonPutNumber(struct virText *out, double value)
{
    char text[VIRT_DOUBLE_BUFLEN];

    if (value >= -VIR_JSON_EXACT && value <= VIR_JSON_EXACT && value == (double)(long long)value) {
        virTextAppend(out, text, virNumberFormat((long long)value, text));
        return;
    }
    if (!isfinite(value)) {                     /* JSON has no word for it */
        virTextAppend(out, "null", 4);
        return;
    }
    virTextAppend(out, text, virDoubleFormat(value, text));
}

/* Recursion is bounded by what virJsonParse admits, or by our own building. */
VIRT_INTERNAL void
virJsonPut(struct virText *out, const cJSON *json)
{
    const cJSON *item;

    switch (json->type & 0xff) {
    case cJSON_Object:
    case cJSON_Array:
        virTextAppend(out, cJSON_IsObject(json) ? "{" : "[", 1);
        cJSON_ArrayForEach(item, json) {
            if (item != json->child)
                virTextAppend(out, ",", 1);
            if (cJSON_IsObject(json)) {
                virJsonPutString(out, item->string);
                virTextAppend(out, ":", 1);
            }
            virJsonPut(out, item);
        }
        virTextAppend(out, cJSON_IsObject(json) ? "}" : "]", 1);
        break;
    case cJSON_String: virJsonPutString(out, json->valuestring); break;
    case cJSON_Number: virJsonPutNumber(out, json->valuedouble); break;
    case cJSON_Raw:    virTextAppend(out, json->valuestring, strlen(json->valuestring)); break;
    case cJSON_True:   virTextAppend(out, "true", 4); break;
    case cJSON_False:  virTextAppend(out, "false", 5); break;
    default:           virTextAppend(out, "null", 4); break;
    }
}

VIRT_INTERNAL char *
virJsonFormat(const cJSON *json)
{
    struct virText out = { 0 };

    virJsonPut(&out, json);
    return virTextTake(&out);
}

/* ---------- building ---------- */

static cJSON *
virJsonNewULL(unsigned long long value)
{
    char digits[24];

    if (value <= 9007199254740992ULL)
        return cJSON_CreateNumber((double)value);
    snprintf(digits, sizeof(digits), "%llu", value);
    return cJSON_CreateRaw(digits);
}

/* Takes the next value off the arguments. *present says whether it belongs into the object at all. */
static cJSON *
virJsonNextValue(char type, va_list *args, bool *present)
{
    const char *string;
    unsigned long long number;
    cJSON *item;
    int integer;

    *present = true;
    switch (type) {
    case 's':
    case 'S':
        string = va_arg(*args, const char *);
        *present = string != NULL || type == 's';
        return *present ? cJSON_CreateString(string != NULL ? string : "") : NULL;
    case 'i':
        return cJSON_CreateNumber(va_arg(*args, int));
    case 'u':
    case 'U':
    case 'z':
        number = va_arg(*args, unsigned long long);
        *present = number != 0 || type != 'U';
        return *present ? virJsonNewULL(number) : NULL;
    case 'b':
    case 'B':
    case 'T':
        integer = va_arg(*args, int);
        *present = type == 'b' || (type == 'B' && integer != 0) || (type == 'T' && integer >= 0);
        return *present ? cJSON_CreateBool(integer != 0) : NULL;
    case 'd':
        return cJSON_CreateNumber(va_arg(*args, double));
    case 'a':
    case 'A':
        item = va_arg(*args, cJSON *);
        *present = item != NULL || type == 'a';
        return item;
    default:                                    /* a mistake in a caller of this library */
        abort();
    }
}

/* All arguments are walked even after a failure, because the values among them are ours to free. */
static int
virJsonAddArguments(cJSON *object, const char *key, va_list *args)
{
    bool failed = object == NULL;
    bool reported = false;                       /* a missing `a` value: whoever failed to make it has set the error */

    for (; key != NULL; key = va_arg(*args, const char *)) {
        bool present;
        cJSON *item = virJsonNextValue(key[0], args, &present);

        if (!present)
            continue;
        if (item == NULL || failed || !cJSON_AddItemToObject(object, key + 2, item)) {
            reported = reported || (item == NULL && key[0] == 'a');
            failed = true;
            cJSON_Delete(item);
        }
    }
    return failed && !reported ? virReportNoMemory() : failed ? -1 : 0;
}

VIRT_INTERNAL cJSON *
virJsonObject(const char *key, ...)
{
    cJSON *object = cJSON_CreateObject();
    va_list args;
    int rc;

    va_start(args, key);
    rc = virJsonAddArguments(object, key, &args);
    va_end(args);
    if (rc < 0) {
        cJSON_Delete(object);
        return NULL;
    }
    return object;
}

VIRT_INTERNAL int
virJsonAdd(cJSON *object, const char *key, ...)
{
    va_list args;
    int rc;

    va_start(args, key);
    rc = virJsonAddArguments(object, key, &args);
    va_end(args);
    return rc;
}

VIRT_INTERNAL int
virJsonAppend(cJSON *array, cJSON *value)
{
    if (value == NULL)
        return -1;
    if (array != NULL && cJSON_AddItemToArray(array, value))
        return 0;
    cJSON_Delete(value);
    return virReportNoMemory();
}

VIRT_INTERNAL int
virJsonAppendString(cJSON *array, const char *value)
{
    cJSON *item = cJSON_CreateString(value);

    return item == NULL ? virReportNoMemory() : virJsonAppend(array, item);
}

VIRT_INTERNAL cJSON *
virJsonArray(void)
{
    cJSON *array = cJSON_CreateArray();

    if (array == NULL)
        virReportNoMemory();
    return array;
}

/* ---------- typed parameters ---------- */

static char *
virTypedParamDouble(double value)
{
    char text[VIRT_DOUBLE_BUFLEN];

    virDoubleFormat(value, text);
    return virStringCopy(text);
}

/* The value as text, so that every digit of it arrives. The caller frees it. */
static char *
virTypedParamText(const virTypedParameter *param)
{
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:     return virStringFormat("%d", param->value.i);
    case VIR_TYPED_PARAM_UINT:    return virStringFormat("%u", param->value.ui);
    case VIR_TYPED_PARAM_LLONG:   return virStringFormat("%lld", param->value.l);
    case VIR_TYPED_PARAM_ULLONG:  return virStringFormat("%llu", param->value.ul);
    case VIR_TYPED_PARAM_DOUBLE:  return virTypedParamDouble(param->value.d);
    case VIR_TYPED_PARAM_BOOLEAN: return virStringFormat("%d", param->value.b != 0);
    default:                      return virStringCopy(param->value.s != NULL ? param->value.s : "");
    }
}

VIRT_INTERNAL cJSON *
virTypedParamsToJson(const virTypedParameter *params, int nparams)
{
    cJSON *list = virJsonArray();

    for (int i = 0; list != NULL && i < nparams; i++) {
        char *text = virTypedParamText(&params[i]);
        cJSON *item = text != NULL ? virJsonArray() : NULL;

        if (item == NULL || virJsonAppendString(item, params[i].field) < 0
            || virJsonAppendString(item, virTypedParamTypeName(params[i].type)) < 0 || virJsonAppendString(item, text) < 0) {
            cJSON_Delete(item);
            item = NULL;
        }
        free(text);
        if (virJsonAppend(list, item) < 0) {
            cJSON_Delete(list);
            list = NULL;
        }
    }
    return list;
}

VIRT_INTERNAL int
virTypedParamsFromJson(const cJSON *json, virTypedParameterPtr *params, int *nparams, const char *what)
{
    virTypedParameterPtr list = NULL;
    int n = 0, max = 0;
    const cJSON *item;

    cJSON_ArrayForEach(item, json) {
        const cJSON *name = cJSON_GetArrayItem(item, 0), *typeName = cJSON_GetArrayItem(item, 1), *value = cJSON_GetArrayItem(item, 2);
        int type = VIR_TYPED_PARAM_INT;

        if (!cJSON_IsString(name) || !cJSON_IsString(typeName) || !cJSON_IsString(value)) {
            virReportError(VIR_ERR_INVALID_ARG, "%s: a parameter is not [name, type, value]", what);
            goto error;
        }
        while (type <= VIR_TYPED_PARAM_STRING && strcmp(virTypedParamTypeName(type), typeName->valuestring) != 0)
            type++;
        if (type > VIR_TYPED_PARAM_STRING) {
            virReportError(VIR_ERR_INVALID_ARG, "%s: parameter '%s' has the unknown type '%s'", what, name->valuestring, typeName->valuestring);
            goto error;
        }
        if (virTypedParamsAddFromString(&list, &n, &max, name->valuestring, type, value->valuestring) < 0)
            goto error;
    }
    *params = list;
    *nparams = n;
    return 0;
error:
    virTypedParamsFree(list, n);
    return -1;
}

#undef VIR_JSON_EXACT
#undef VIRT_FROM
