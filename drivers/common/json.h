/*
 * JSON: what cJSON leaves to its caller (strict parsing, 64-bit numbers, failed additions). See each function.
 */
#ifndef VIRT_COMMON_JSON_H
#define VIRT_COMMON_JSON_H

#include "../driver.h"

#include <cjson/cJSON.h>

#define VIRT_CLEANUP_JSON __attribute__((cleanup(virJsonCleanup)))

VIRT_INTERNAL void virJsonCleanup(cJSON **json);

/* Parses exactly `length` bytes: no trailing text, no NUL characters (\u0000), valid UTF-8, no duplicate keys needed to be told apart
 * (the first wins). `what` names the origin in the error (VIR_ERR_INTERNAL_ERROR). Returns NULL on error. */
VIRT_INTERNAL cJSON *virJsonParse(const char *text, size_t length, const char *what);
/* What cJSON lets through although it would change the meaning: NUL characters, raw or as \u0000, and broken UTF-8; NULL: nothing. */
VIRT_INTERNAL const char *virJsonCheckText(const char *text, size_t length);
/* A text that JSON can hold, which says nothing of backslashes: whether it is UTF-8. */
VIRT_INTERNAL bool virJsonIsUtf8(const char *text);
/* One line of text; the caller frees it with free(). */
VIRT_INTERNAL char *virJsonFormat(const cJSON *json);
/* The same at the end of a text that grows; and what stands between the quotes of a string. */
struct virText;
VIRT_INTERNAL void virJsonPut(struct virText *out, const cJSON *json);
VIRT_INTERNAL void virJsonPutCharacters(struct virText *out, const char *value);

/*
 * Builds or extends an object from a format: each argument pair is a key whose first characters say type and presence, as in
 *   virJsonObject("s:driver", "qcow2", "S:node-name", nameOrNull, "b:read-only", true, "u:size", 42ULL, "a:file", obj, NULL)
 * s string, S string left out when NULL; i int; u unsigned long long, U left out when 0; b bool (int), B left out when false;
 * T tristate int: left out when < 0, else bool; a any cJSON value, taken over (also on failure; NULL is a failure that has been reported), A left out when NULL; d double;
 * z size in bytes as u. 64-bit values are written exactly. Returns NULL with VIR_ERR_NO_MEMORY set.
 */
VIRT_INTERNAL cJSON *virJsonObject(const char *key, ...) __attribute__((sentinel));
/* The same into an object that exists: 0, or -1 with the error set; an `a` value is taken over also on failure. */
VIRT_INTERNAL int virJsonAdd(cJSON *object, const char *key, ...) __attribute__((sentinel));
/* Appends value to an array, taking it over also on failure; a NULL value is a failure that has been reported. */
VIRT_INTERNAL int virJsonAppend(cJSON *array, cJSON *value);
VIRT_INTERNAL int virJsonAppendString(cJSON *array, const char *value);
VIRT_INTERNAL cJSON *virJsonArray(void);

/* Readers: NULL / -1 where the member is absent or of another type; no error is set. Keys are case sensitive. Integers
 * are exact up to 64 bits (beyond 2^53 an item is cJSON_Raw, with the digits); strings of digits are taken as numbers too (that is how 64-bit values travel). */
VIRT_INTERNAL cJSON *virJsonGet(const cJSON *object, const char *key);
VIRT_INTERNAL const char *virJsonString(const cJSON *object, const char *key);
VIRT_INTERNAL int virJsonInt(const cJSON *object, const char *key, int *value);                 /* 0 / -1 */
VIRT_INTERNAL int virJsonULongLong(const cJSON *object, const char *key, unsigned long long *value);
VIRT_INTERNAL int virJsonBool(const cJSON *object, const char *key, bool *value);

/* Typed parameters as an array of [name, type, value], exact, and back: 0, or -1 with an error that calls the text `what`. */
VIRT_INTERNAL cJSON *virTypedParamsToJson(const virTypedParameter *params, int nparams);
VIRT_INTERNAL int virTypedParamsFromJson(const cJSON *json, virTypedParameterPtr *params, int *nparams, const char *what);

#endif
