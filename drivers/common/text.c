/*
 * Text, numbers, uuids and time: what the C library leaves to its user. See text.h.
 */
#include "text.h"
#include "platform.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define VIRT_FROM VIR_FROM_NONE

VIRT_INTERNAL void
virTextCleanupFree(void *ptr)
{
    int saved = errno;

    free(*(void **)ptr);
    errno = saved;
}

/* ---------- text ---------- */

VIRT_INTERNAL char *
virStringFormat(const char *fmt, ...)
{
    char *text;
    va_list args;
    int length;

    va_start(args, fmt);
    length = vasprintf(&text, fmt, args);
    va_end(args);
    if (length < 0) {
        virReportNoMemory();
        return NULL;
    }
    return text;
}

VIRT_INTERNAL char *
virStringCopy(const char *text)
{
    char *copy;

    if (text == NULL)
        return NULL;
    if ((copy = strdup(text)) == NULL)
        virReportNoMemory();
    return copy;
}

VIRT_INTERNAL char *
virStringSlice(const char *text, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy == NULL) {
        virReportNoMemory();
        return NULL;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

VIRT_INTERNAL void *
virAllocate(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (memory == NULL)
        virReportNoMemory();
    return memory;
}

/* Makes room for `more` bytes and a NUL. */
static bool
virTextGrow(struct virText *text, size_t more)
{
    size_t size = (text->length + more) * 2 + 256;
    char *grown;

    if (text->failed)
        return false;
    if (text->size - text->length > more)
        return true;
    if (more > SIZE_MAX / 4 || (grown = realloc(text->data, size)) == NULL) {
        text->failed = true;
        return false;
    }
    text->data = grown;
    text->size = size;
    return true;
}

VIRT_INTERNAL void
virTextAppend(struct virText *text, const char *data, size_t length)
{
    if (!virTextGrow(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

VIRT_INTERNAL void
virTextAdd(struct virText *text, const char *fmt, ...)
{
    va_list args;
    int length;

    if (!virTextGrow(text, 64))
        return;
    va_start(args, fmt);
    length = vsnprintf(text->data + text->length, text->size - text->length, fmt, args);
    va_end(args);
    if (length < 0) {
        text->failed = true;
        return;
    }
    if ((size_t)length >= text->size - text->length) {
        text->data[text->length] = '\0';
        if (!virTextGrow(text, (size_t)length))
            return;
        va_start(args, fmt);
        vsnprintf(text->data + text->length, text->size - text->length, fmt, args);
        va_end(args);
    }
    text->length += (size_t)length;
}

/* Control characters, which no XML document can hold, are left out. */
VIRT_INTERNAL void
virTextAddXml(struct virText *text, const char *value)
{
    for (; value != NULL && *value != '\0'; value++) {
        size_t plain = 0;

        while ((unsigned char)value[plain] >= 0x20 && strchr("&<>'\"", value[plain]) == NULL)
            plain++;
        virTextAppend(text, value, plain);
        value += plain;
        switch (*value) {
        case '\0': return;
        case '&':  virTextAppend(text, "&amp;", 5); break;
        case '<':  virTextAppend(text, "&lt;", 4); break;
        case '>':  virTextAppend(text, "&gt;", 4); break;
        case '\'': virTextAppend(text, "&apos;", 6); break;
        case '"':  virTextAppend(text, "&quot;", 6); break;
        case '\n':
        case '\t': virTextAppend(text, value, 1); break;
        default:   break;
        }
    }
}

VIRT_INTERNAL char *
virTextTake(struct virText *text)
{
    char *data;

    virTextAppend(text, "", 0);
    if (text->failed) {
        virTextFree(text);
        virReportNoMemory();
        return NULL;
    }
    data = text->data;
    memset(text, 0, sizeof(*text));
    return data;
}

VIRT_INTERNAL void
virTextFree(struct virText *text)
{
    free(text->data);
    memset(text, 0, sizeof(*text));
}

/* The array has room for a power of two, so that its size need not be kept. */
VIRT_INTERNAL int
virStringsAdd(char ***list, size_t *count, char *taken)
{
    size_t need = *count + 2;

    if (taken == NULL)
        return -1;
    if (*list == NULL || (need & (need - 1)) == 0) {
        char **grown = realloc(*list, need * 2 * sizeof(*grown));

        if (grown == NULL) {
            free(taken);
            return virReportNoMemory();
        }
        *list = grown;
    }
    (*list)[(*count)++] = taken;
    (*list)[*count] = NULL;
    return 0;
}

VIRT_INTERNAL void
virStringsFree(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

/* Base 0 is decimal, or hexadecimal after 0x; never octal, which nobody means by a leading zero. */
static const char *
virStringNumberStart(const char *text, int *base)
{
    const char *digits;

    text += strspn(text, " \t\r\n");
    digits = text + (*text == '-' || *text == '+');
    if (*base == 0)
        *base = digits[0] == '0' && (digits[1] | 0x20) == 'x' ? 16 : 10;
    return isxdigit((unsigned char)*digits) ? text : NULL;
}

VIRT_INTERNAL int
virStringToULL(const char *text, int base, unsigned long long *value)
{
    unsigned long long number;
    char *end;

    if ((text = virStringNumberStart(text, &base)) == NULL || *text == '-')
        return -1;
    errno = 0;
    number = strtoull(text, &end, base);
    if (errno != 0 || end == text || end[strspn(end, " \t\r\n")] != '\0')
        return -1;
    *value = number;
    return 0;
}

VIRT_INTERNAL int
virStringToInt(const char *text, int base, int *value)
{
    long number;
    char *end;

    if ((text = virStringNumberStart(text, &base)) == NULL)
        return -1;
    errno = 0;
    number = strtol(text, &end, base);
    if (errno != 0 || end == text || end[strspn(end, " \t\r\n")] != '\0' || number < INT_MIN || number > INT_MAX)
        return -1;
    *value = (int)number;
    return 0;
}

VIRT_INTERNAL unsigned long long
virStringHash(const char *text)
{
    unsigned long long hash = 14695981039346656037ULL;

    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        hash = (hash ^ *p) * 1099511628211ULL;
    return hash;
}

/* ---------- uuids ---------- */

VIRT_INTERNAL int
virUuidGenerate(unsigned char *uuid)
{
    if (virPlatformRandom(uuid, VIR_UUID_BUFLEN) < 0)
        return virReportSystemError(errno, "cannot get random bytes for a uuid");
    uuid[6] = (unsigned char)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (unsigned char)((uuid[8] & 0x3f) | 0x80);
    return 0;
}

/* The value of a hex digit, and 16; 0: it is none. A table, because lists have thousands of uuids. */
static unsigned int
virUuidDigit(char digit)
{
    static const unsigned char values[256] = {
        ['0'] = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
        ['A'] = 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, ['a'] = 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
    };

    return values[(unsigned char)digit];
}

VIRT_INTERNAL int
virUuidParse(const char *text, unsigned char *uuid)
{
    unsigned char parsed[VIR_UUID_BUFLEN];

    for (size_t i = 0; i < VIR_UUID_BUFLEN; i++) {
        unsigned int high, low;

        while (*text == '-' || (*text <= ' ' && isspace((unsigned char)*text)))
            text++;
        if ((high = virUuidDigit(text[0])) == 0 || (low = virUuidDigit(text[1])) == 0)
            return -1;
        parsed[i] = (unsigned char)((high & 15) << 4 | (low & 15));
        text += 2;
    }
    while (isspace((unsigned char)*text))
        text++;
    if (*text != '\0')
        return -1;
    memcpy(uuid, parsed, sizeof(parsed));
    return 0;
}

VIRT_INTERNAL size_t
virNumberFormat(long long value, char *text)
{
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    char digits[VIRT_NUMBER_BUFLEN], *at = digits + sizeof(digits) - 1;
    size_t length;

    *at = '\0';
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        *--at = '-';
    length = (size_t)(digits + sizeof(digits) - 1 - at);
    memcpy(text, at, length + 1);
    return length;
}

/* What this thread's locale has for the point, which may be several bytes; as libc writes it, so that no other thread is asked. */
static size_t
virDoublePoint(char *point)
{
    char half[VIRT_DOUBLE_BUFLEN];
    size_t length = (size_t)snprintf(half, sizeof(half), "%.1f", 0.5) - 2;        /* without 0 and 5 */

    memcpy(point, half + 1, length);
    point[length] = '\0';
    return length;
}

VIRT_INTERNAL size_t
virDoubleFormat(double value, char *text)
{
    char point[VIRT_DOUBLE_BUFLEN], *at;
    size_t length = virDoublePoint(point);

    snprintf(text, VIRT_DOUBLE_BUFLEN, "%.17g", value);
    if ((at = strstr(text, point)) != NULL) {
        *at = '.';
        memmove(at + 1, at + length, strlen(at + length) + 1);
    }
    return strlen(text);
}

VIRT_INTERNAL int
virDoubleParse(const char *text, double *value)
{
    char local[128], point[VIRT_DOUBLE_BUFLEN], *end;
    size_t length = virDoublePoint(point);
    const char *at = strchr(text, '.');
    double number;

    if (*text == '\0' || strlen(text) + length >= sizeof(local) || (strcmp(point, ".") != 0 && strstr(text, point) != NULL))
        return -1;
    if (at != NULL)
        snprintf(local, sizeof(local), "%.*s%s%s", (int)(at - text), text, point, at + 1);
    else
        snprintf(local, sizeof(local), "%s", text);
    number = strtod(local, &end);
    if (*end != '\0')
        return -1;
    *value = number;
    return 0;
}

VIRT_INTERNAL void
virUuidFormat(const unsigned char *uuid, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < VIR_UUID_BUFLEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        *text++ = digits[uuid[i] >> 4];
        *text++ = digits[uuid[i] & 15];
    }
    *text = '\0';
}

/* ---------- time ---------- */

VIRT_INTERNAL unsigned long long
virTimeNowUs(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000u + (unsigned long long)now.tv_nsec / 1000u;
}

#undef VIRT_FROM

/* ---------- names of guests ---------- */

#define VIRT_FROM VIR_FROM_DOMAIN

VIRT_INTERNAL int
virGuestNameCheck(const char *name)
{
    if (name == NULL)
        return virReportError(VIR_ERR_NO_NAME, "in <domain>");
    if (strchr(name, '/') != NULL)
        return virReportError(VIR_ERR_XML_ERROR, "name %s cannot contain '/'", name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return virReportError(VIR_ERR_XML_ERROR, "name cannot be '%s'", name);
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return virReportError(VIR_ERR_XML_DETAIL, "invalid char in name: the control character 0x%02x", (unsigned int)*c);
    return 0;
}

#undef VIRT_FROM
