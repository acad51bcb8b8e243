/*
 * The walk along the table of values, and the sets of processors that the other rules share. See check.h.
 */
#include "check.h"
#include "file.h"

#include <limits.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_DOMAIN

/* ---------- words and sets ---------- */

VIRT_INTERNAL bool
virCheckIsWord(const char *text, const char *words)
{
    size_t length = strlen(text);

    while (length > 0) {
        size_t word = strcspn(words, "|");

        if (word == length && memcmp(words, text, length) == 0)
            return true;
        if (words[word] == '\0')
            return false;
        words += word + 1;
    }
    return false;
}

static int
virCheckParseNumber(const char **text, unsigned int *number)
{
    char *end;
    unsigned long value;

    *text += strspn(*text, " ");
    if (**text < '0' || **text > '9')
        return -1;
    value = strtoul(*text, &end, 10);
    if (value >= VIR_CHECK_SET_MAX)
        return -1;
    *number = (unsigned int)value;
    *text = end + strspn(end, " ");
    return 0;
}

VIRT_INTERNAL int
virCheckParseSet(const char *text, struct virCheckSet *set)
{
    memset(set, 0, sizeof(*set));
    for (;;) {
        unsigned int first, last;
        bool remove;

        text += strspn(text, " ");
        remove = *text == '^';
        text += remove;
        if (virCheckParseNumber(&text, &first) < 0)
            return -1;
        last = first;
        if (*text == '-' && !remove) {
            text++;
            if (virCheckParseNumber(&text, &last) < 0 || last < first)
                return -1;
        }
        for (unsigned int i = first; i <= last; i++) {
            if (remove)
                set->bits[i / 8] &= (unsigned char)~(1u << (i % 8));
            else
                set->bits[i / 8] |= (unsigned char)(1u << (i % 8));
        }
        if (*text == '\0')
            return 0;
        if (*text++ != ',')
            return -1;
    }
}

VIRT_INTERNAL bool
virCheckSetHas(const struct virCheckSet *set, unsigned int number)
{
    return number < VIR_CHECK_SET_MAX && (set->bits[number / 8] >> (number % 8) & 1) != 0;
}

VIRT_INTERNAL unsigned int
virCheckSetNext(const struct virCheckSet *set, unsigned int from)
{
    while (from < VIR_CHECK_SET_MAX) {
        if (from % 8 == 0 && set->bits[from / 8] == 0)
            from += 8;
        else if ((set->bits[from / 8] >> (from % 8) & 1) != 0)
            break;
        else
            from++;
    }
    return from;
}

VIRT_INTERNAL bool
virCheckSetIsEmpty(const struct virCheckSet *set)
{
    for (size_t i = 0; i < sizeof(set->bits); i++)
        if (set->bits[i] != 0)
            return false;
    return true;
}

VIRT_INTERNAL bool
virCheckSetOverlaps(const struct virCheckSet *a, const struct virCheckSet *b)
{
    for (size_t i = 0; i < sizeof(a->bits); i++)
        if ((a->bits[i] & b->bits[i]) != 0)
            return true;
    return false;
}

/* ---------- one value ---------- */

/* Whether a value is of the kind "#..."; *expected describes the kind. */
static bool
virCheckKind(const char *text, const char *kind, const char **expected)
{
    static const struct { const char *kind; bool negative; unsigned long long min, max; const char *expected; } kinds[] = {
        { "int", true, 0, INT_MAX, "an integer" },
        { "uint", false, 0, UINT_MAX, "a non-negative integer" },
        { "positive", false, 1, UINT_MAX, "a positive integer" },
        { "int64", true, 0, LLONG_MAX, "an integer" },
        { "uint64", false, 0, ULLONG_MAX, "a non-negative integer" },
        { "positive64", false, 1, ULLONG_MAX, "a positive integer" },
    };
    unsigned char uuid[VIR_UUID_BUFLEN];
    unsigned long long value, min, max;
    struct virCheckSet set;

    if (strcmp(kind, "any") == 0)
        return true;
    if (strcmp(kind, "uuid") == 0) {
        *expected = "a uuid";
        return virUuidParse(text, uuid) == 0;
    }
    if (strcmp(kind, "unit") == 0) {
        *expected = "a unit such as KiB, MiB, GiB, KB or bytes";
        return virXmlIsUnit(text);
    }
    if (strcmp(kind, "hex") == 0) {
        *expected = "an integer, decimal or hexadecimal";
        return virStringToULL(text + (text[0] == '-'), 0, &value) == 0 && value <= UINT_MAX;
    }
    if (strcmp(kind, "cpus") == 0) {
        *expected = "a list such as 0-3,^2,8";
        return virCheckParseSet(text, &set) == 0;
    }
    if (sscanf(kind, "%llu..%llu", &min, &max) == 2) {
        *expected = kind;
        return virStringToULL(text, 10, &value) == 0 && value >= min && value <= max;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *digits = text + strspn(text, " \t\n");

        if (strcmp(kinds[i].kind, kind) != 0)
            continue;
        *expected = kinds[i].expected;
        if (kinds[i].negative && *digits == '-')
            digits++;
        return virStringToULL(digits, 10, &value) == 0 && value >= kinds[i].min && value <= kinds[i].max;
    }
    return false;                                /* a mistake in the table, which the first test finds */
}

static int
virCheckRefuse(xmlNodePtr node, const struct virCheckRule *rule, const char *text, const char *expected)
{
    bool attribute = rule->attribute[0] != '\0';
    VIRT_CLEANUP_FREE char *where = virXmlPath(node, attribute ? rule->attribute : NULL);
    int code = (rule->flags & VIR_CHECK_UNSUPPORTED) != 0            ? VIR_ERR_CONFIG_UNSUPPORTED
             : virCheckIsWord(rule->allowed, "#cpus|#unit|#0..65535") ? VIR_ERR_INVALID_ARG
                                                                      : VIR_ERR_XML_ERROR;

    if (where == NULL)
        return -1;
    if (attribute)
        return virReportError(code, "Invalid value for attribute '%s' in element '%s': '%.80s' (%s: expected %s)",
                              rule->attribute, virXmlName(node), text, where, expected);
    return virReportError(code, "Invalid value for element '%s': '%.80s' (%s: expected %s)", virXmlName(node), text, where, expected);
}

/* "attribute=word|word", of the element or with "../" of the one around it */
static bool
virCheckCondition(xmlNodePtr node, const char *when)
{
    char path[40];
    const char *equals, *text;

    if (when == NULL)
        return true;
    if (strncmp(when, "../", 3) == 0) {
        node = node->parent;
        when += 3;
    }
    equals = strchr(when, '=');
    snprintf(path, sizeof(path), "@%.*s", (int)(equals - when), when);
    text = virXmlString(node, path);
    return text != NULL && virCheckIsWord(text, equals + 1);
}

static int
virCheckValue(xmlNodePtr node, const struct virCheckRule *rule)
{
    bool present = rule->attribute[0] == '\0' || xmlHasProp(node, (const xmlChar *)rule->attribute) != NULL;
    const char *text = NULL, *expected = rule->allowed;
    char path[80];

    if (!present && (rule->flags & VIR_CHECK_NEED) == 0)
        return 0;
    if (present) {
        snprintf(path, sizeof(path), "%s%s", rule->attribute[0] != '\0' ? "@" : "", rule->attribute);
        text = virXmlString(node, path);
        present = text != NULL || rule->attribute[0] != '\0';
        if (!present && (rule->flags & VIR_CHECK_NEED) == 0)
            return 0;
    }
    if (!virCheckCondition(node, rule->when))
        return 0;
    if (!present) {
        VIRT_CLEANUP_FREE char *where = virXmlPath(node, NULL);

        if (where != NULL)
            virReportError(VIR_ERR_XML_ERROR, "Missing required attribute '%s' in element '%s' (%s)", rule->attribute,
                           virXmlName(node), where);
        return -1;
    }
    if (text == NULL)
        text = "";
    if (rule->allowed[0] == '#' ? virCheckKind(text, rule->allowed + 1, &expected) : virCheckIsWord(text, rule->allowed))
        return 0;
    return virCheckRefuse(node, rule, text, expected);
}

/* ---------- the walk ---------- */

#define VIR_CHECK_PATH 256

static int
virCheckElement(xmlNodePtr node, const char *path)
{
    size_t count;
    const struct virCheckRule *rules = virCheckRulesOf(path, &count);

    for (size_t i = 0; i < count; i++)
        if (virCheckValue(node, &rules[i]) < 0)
            return -1;
    return 0;
}

/* path/name; cut off where it is too long for any rule */
static void
virCheckJoin(char *joined, const char *path, const char *name)
{
    size_t first = strlen(path), second = strlen(name);

    if (first + second + 2 > VIR_CHECK_PATH) {
        joined[0] = '\0';
        return;
    }
    memcpy(joined, path, first);
    if (first > 0)
        joined[first++] = '/';
    memcpy(joined + first, name, second + 1);
}

/* The path in the table for a child of the element at path: what stands for many is put in place of the one. */
static void
virCheckChildPath(const char *path, const char *name, char *child)
{
    static const char chardevs[] =
        "devices/serial|devices/parallel|devices/console|devices/channel|devices/redirdev|devices/smartcard|devices/rng/backend";

    if (virCheckIsWord(name, "source|protocol|log") && virCheckIsWord(path, chardevs))
        path = "devices/chardev";
    else if (virCheckIsWord(path, "devices/disk/backingStore|devices/disk/mirror"))
        path = "devices/disk";
    virCheckJoin(child, path, name);
}

static int
virCheckChildren(xmlNodePtr parent, const char *path)
{
    for (xmlNodePtr node = virXmlFirst(parent, NULL); node != NULL; node = virXmlNext(node, NULL)) {
        char child[VIR_CHECK_PATH], common[VIR_CHECK_PATH];
        const char *rest;

        if (node->ns != NULL && node->ns->prefix != NULL)
            continue;                            /* another vocabulary: a driver's own, or an application's */
        if (path[0] == '\0' && virCheckIsWord(virXmlName(node), "metadata|description|title"))
            continue;
        virCheckChildPath(path, virXmlName(node), child);
        if (virCheckElement(node, child) < 0)
            return -1;
        if (strncmp(child, "devices/", 8) == 0 && (rest = strchr(child + 8, '/')) != NULL) {
            virCheckJoin(common, "devices/*", rest + 1);
            if (virCheckElement(node, common) < 0)
                return -1;
        }
        if (virCheckChildren(node, child) < 0)
            return -1;
    }
    return 0;
}

VIRT_INTERNAL int
virDocumentCheck(xmlNodePtr domain)
{
    const char *type = virXmlString(domain, "os/type");

    if (type == NULL && virXmlFirst(domain, "bootloader") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "an os <type> must be specified");
    if (virCheckChildren(domain, "") < 0 || virCheckDomain(domain) < 0 || virCheckDevices(domain) < 0 ||
        virCheckAddresses(domain) < 0)
        return -1;
    return virCheckMachine(domain);
}

#undef VIR_CHECK_PATH
#undef VIRT_FROM
