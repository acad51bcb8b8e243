/* Connection URIs. A small parser, because libxml2's accepts more than a connection URI may say and keeps the escapes. */
#include "uri.h"
#include "text.h"

#include <ctype.h>

#define VIRT_FROM VIR_FROM_URI

static int
virUriHexDigit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* A malloc'd copy without the percent escapes; NULL with *malformed set, or without memory (reported). */
static char *
virUriUnescape(const char *text, size_t length, bool *malformed)
{
    char *copy = virAllocate(length + 1);
    char *out = copy;

    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        int high, low;

        if (text[i] != '%') {
            *out++ = text[i];
            continue;
        }
        if (length - i < 3 || (high = virUriHexDigit(text[i + 1])) < 0 || (low = virUriHexDigit(text[i + 2])) < 0 ||
            high + low == 0) {
            *malformed = true;
            free(copy);
            return NULL;
        }
        *out++ = (char)(high << 4 | low);
        i += 2;
    }
    return copy;
}

/* scheme and transport, up to the colon. 0, or -1: malformed, -2: no memory; as all the parsers below. */
static int
virUriParseScheme(struct virUri *uri, const char **at)
{
    const char *text = *at;
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    const char *plus = memchr(text, '+', length);

    if (!isalpha((unsigned char)text[0]) || text[length] != ':')
        return -1;
    if (plus != NULL && (plus + 1 == text + length))
        return -1;
    if ((uri->scheme = virStringSlice(text, plus != NULL ? (size_t)(plus - text) : length)) == NULL)
        return -2;
    if (plus != NULL && (uri->transport = virStringSlice(plus + 1, (size_t)(text + length - plus - 1))) == NULL)
        return -2;
    *at = text + length + 1;
    return 0;
}

static int
virUriParseAuthority(struct virUri *uri, const char *text, size_t length)
{
    const char *end = text + length;
    const char *user = NULL, *host, *hostEnd = end, *colon;
    bool malformed = false;

    for (const char *at = text; (at = memchr(at, '@', (size_t)(end - at))) != NULL; at++)
        user = at;
    host = user != NULL ? user + 1 : text;
    if (user != NULL && (uri->user = virUriUnescape(text, (size_t)(user - text), &malformed)) == NULL)
        return malformed ? -1 : -2;
    if (*host == '[') {                          /* an IPv6 address */
        host++;
        if ((hostEnd = memchr(host, ']', (size_t)(end - host))) == NULL || hostEnd == host)
            return -1;
        colon = hostEnd + 1;
    } else {
        colon = memchr(host, ':', (size_t)(end - host));
        hostEnd = colon != NULL ? colon : end;
        colon = hostEnd;
    }
    if (hostEnd > host && (uri->server = virUriUnescape(host, (size_t)(hostEnd - host), &malformed)) == NULL)
        return malformed ? -1 : -2;
    if (colon == end)
        return 0;
    if (*colon++ != ':')
        return -1;
    for (; colon < end; colon++) {
        if (!isdigit((unsigned char)*colon) || (uri->port = uri->port * 10 + (*colon - '0')) > 65535)
            return -1;
    }
    return 0;
}

static int
virUriAddParam(struct virUri *uri, const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    size_t nameLength = equals != NULL ? (size_t)(equals - text) : length;
    struct virUriParam *grown;
    bool malformed = false;

    if (nameLength == 0)
        return length == 0 ? 0 : -1;
    if ((grown = realloc(uri->params, (uri->nparams + 1) * sizeof(*grown))) == NULL)
        return -2;
    uri->params = grown;
    grown += uri->nparams++;
    grown->value = NULL;
    grown->name = virUriUnescape(text, nameLength, &malformed);
    if (grown->name != NULL)
        grown->value = virUriUnescape(equals != NULL ? equals + 1 : "", equals != NULL ? length - nameLength - 1 : 0, &malformed);
    return grown->value != NULL ? 0 : malformed ? -1 : -2;
}

static int
virUriParseQuery(struct virUri *uri, const char *text, size_t length)
{
    if ((uri->query = virStringSlice(text, length)) == NULL)
        return -2;
    while (length > 0) {
        size_t one = strcspn(text, "&;#");
        int rc;

        if (one > length)
            one = length;
        if ((rc = virUriAddParam(uri, text, one)) < 0)
            return rc;
        one += one < length;
        text += one;
        length -= one;
    }
    return 0;
}

static int
virUriParseParts(struct virUri *uri, const char *text)
{
    bool malformed = false;
    size_t length;
    int rc;

    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f)
            return -1;
    if ((rc = virUriParseScheme(uri, &text)) < 0)
        return rc;
    if (strncmp(text, "//", 2) == 0) {
        text += 2;
        length = strcspn(text, "/?#");
        if ((rc = virUriParseAuthority(uri, text, length)) < 0)
            return rc;
        text += length;
    }
    length = strcspn(text, "?#");
    if ((uri->path = virUriUnescape(text, length, &malformed)) == NULL)
        return malformed ? -1 : -2;
    text += length;
    if (*text == '?')
        return virUriParseQuery(uri, text + 1, strcspn(text + 1, "#"));
    return 0;
}

VIRT_INTERNAL struct virUri *
virUriParse(const char *text)
{
    struct virUri *uri = virAllocate(sizeof(*uri));
    int rc;

    if (uri == NULL)
        return NULL;
    if ((rc = virUriParseParts(uri, text)) == 0)
        return uri;
    virUriFree(uri);
    if (rc == -2)
        virReportNoMemory();
    else
        virReportError(VIR_ERR_INVALID_ARG,
                       "Unable to parse URI '%s': expected driver[+transport]://[user@][server][:port]/path[?name=value]", text);
    return NULL;
}

VIRT_INTERNAL void
virUriFree(struct virUri *uri)
{
    if (uri == NULL)
        return;
    for (size_t i = 0; i < uri->nparams; i++) {
        free(uri->params[i].name);
        free(uri->params[i].value);
    }
    free(uri->params);
    free(uri->scheme);
    free(uri->transport);
    free(uri->user);
    free(uri->server);
    free(uri->path);
    free(uri->query);
    free(uri);
}

VIRT_INTERNAL const char *
virUriParam(const struct virUri *uri, const char *name)
{
    for (size_t i = 0; i < uri->nparams; i++)
        if (strcmp(uri->params[i].name, name) == 0)
            return uri->params[i].value;
    return NULL;
}

#undef VIRT_FROM
