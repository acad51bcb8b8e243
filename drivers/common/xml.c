/*
 * The document model: parsing without trust, reading by paths, writing in one form. See xml.h for the promises.
 *
 * A node's or an attribute's `_private` member, which libxml2 leaves to its user, holds the mark "read". Copies of a
 * tree start unmarked.
 */
#include "xml.h"
#include "file.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <libxml/xmlmemory.h>

#define VIRT_FROM VIR_FROM_XML

/* ---------- parsing ---------- */

/* What goes wrong while one document is parsed; reached through the parser context. */
struct virXmlProblem {
    bool doctype;
    bool noMemory;
    int line;
    char message[256];
};

#if LIBXML_VERSION >= 21200
typedef const xmlError *virXmlErrorArg;
#else
typedef xmlErrorPtr virXmlErrorArg;
#endif

/* The first error is the one that explains; those after it are its consequences. */
static void
virXmlNoteError(void *opaque, virXmlErrorArg error)
{
    xmlParserCtxtPtr context = opaque;
    struct virXmlProblem *problem = context->_private;
    size_t length;

    if (problem == NULL || error == NULL || error->level < XML_ERR_ERROR)
        return;
    if (error->code == XML_ERR_NO_MEMORY)
        problem->noMemory = true;
    if (problem->message[0] != '\0')
        return;
    problem->line = error->line;
    snprintf(problem->message, sizeof(problem->message), "%s", error->message != NULL ? error->message : "malformed");
    length = strlen(problem->message);
    while (length > 0 && problem->message[length - 1] == '\n')
        problem->message[--length] = '\0';
}

/* Called at <!DOCTYPE: with a DTD come entities, and with them all that is dangerous in XML. */
static void
virXmlRefuseDoctype(void *opaque, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    xmlParserCtxtPtr context = opaque;
    struct virXmlProblem *problem = context->_private;

    (void)name;
    (void)external;
    (void)system;
    problem->doctype = true;
    xmlStopParser(context);
}

static void
virXmlReportProblem(const struct virXmlProblem *problem, const char *origin)
{
    if (problem->doctype)
        virReportError(VIR_ERR_XML_ERROR, "%s: a document type declaration (<!DOCTYPE) is not allowed", origin);
    else if (problem->noMemory)
        virReportNoMemory();
    else
        virReportError(VIR_ERR_XML_DETAIL, "%s:%d: %s", origin, problem->line,
                       problem->message[0] != '\0' ? problem->message : "the document is malformed");
}

/* The end of a piece of markup that begins at `at`, of whose inside nothing is known here; `end` where it has none. */
static const char *
virXmlSkip(const char *at, const char *end, const char *closing)
{
    const size_t length = strlen(closing);

    while ((size_t)(end - at) >= length && memcmp(at, closing, length) != 0)
        at++;
    return (size_t)(end - at) >= length ? at + length : end;
}

/*
 * Whether a tag has more attributes than any document needs. libxml2 before 2.12 compares each with all before it: some hundred thousand in one
 * tag, which is a small document, would keep it busy for many minutes.
 */
static bool
virXmlHasTooManyAttributes(const char *text, size_t length)
{
    const char *end = text + length, *at = text;

    while ((at = memchr(at, '<', (size_t)(end - at))) != NULL) {
        size_t count = 0;
        char quote = '\0';

        if (end - at >= 4 && memcmp(at, "<!--", 4) == 0) {
            at = virXmlSkip(at + 4, end, "-->");
        } else if (end - at >= 9 && memcmp(at, "<![CDATA[", 9) == 0) {
            at = virXmlSkip(at + 9, end, "]]>");
        } else if (end - at >= 2 && at[1] == '?') {
            at = virXmlSkip(at + 2, end, "?>");
        } else {
            for (at++; at < end && (quote != '\0' || *at != '>'); at++) {
                if (quote != '\0' ? *at == quote : *at == '"' || *at == '\'')
                    quote = quote != '\0' ? '\0' : *at;
                else if (quote == '\0' && *at == '=' && ++count > VIRT_XML_MAX_ATTRIBUTES)
                    return true;
            }
        }
    }
    return false;
}

/* The root element's name in parentheses is what libvirt calls a document that came as a string. */
static xmlDocPtr
virXmlParseText(const char *text, size_t length, const char *origin, const char *root)
{
    struct virXmlProblem problem = { .line = 1 };
    xmlParserCtxtPtr context;
    xmlDocPtr doc;
    xmlNodePtr top;

    if (length > VIRT_XML_MAX_SIZE) {
        virReportError(VIR_ERR_XML_ERROR, "%s: the document has %zu bytes; at most %d are accepted",
                       origin, length, VIRT_XML_MAX_SIZE);
        return NULL;
    }
    if (virXmlHasTooManyAttributes(text, length)) {
        virReportError(VIR_ERR_XML_ERROR, "%s: an element has more than %d attributes", origin, VIRT_XML_MAX_ATTRIBUTES);
        return NULL;
    }
    if ((context = xmlNewParserCtxt()) == NULL) {
        virReportNoMemory();
        return NULL;
    }
    context->_private = &problem;
    context->sax->serror = virXmlNoteError;
    context->sax->internalSubset = virXmlRefuseDoctype;
    doc = xmlCtxtReadMemory(context, text, (int)length, NULL, NULL,
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | XML_PARSE_COMPACT);
    if (doc != NULL && (problem.doctype || problem.noMemory || doc->intSubset != NULL)) {
        problem.doctype = !problem.noMemory;
        xmlFreeDoc(doc);
        doc = NULL;
    }
    xmlFreeParserCtxt(context);
    if (doc == NULL) {
        virXmlReportProblem(&problem, origin);
        return NULL;
    }
    top = xmlDocGetRootElement(doc);
    if (top == NULL || (root != NULL && strcmp((const char *)top->name, root) != 0)) {
        virReportError(VIR_ERR_XML_ERROR, "%s: expecting root element of '%s', not '%s'", origin, root != NULL ? root : "",
                       top != NULL ? (const char *)top->name : "");
        xmlFreeDoc(doc);
        return NULL;
    }
    top->_private = top;
    return doc;
}

VIRT_INTERNAL xmlDocPtr
virXmlParse(const char *xml, const char *root)
{
    char origin[64];

    snprintf(origin, sizeof(origin), "(%s_definition)", root != NULL ? root : "xml");
    return virXmlParseText(xml, strlen(xml), origin, root);
}

VIRT_INTERNAL xmlDocPtr
virXmlParseFile(const char *path, const char *root)
{
    VIRT_CLEANUP_FREE char *text = NULL;
    size_t length;

    if ((text = virFileRead(path, VIRT_XML_MAX_SIZE, &length)) == NULL)
        return NULL;
    return virXmlParseText(text, length, path, root);
}

VIRT_INTERNAL xmlDocPtr
virXmlCopy(xmlDocPtr doc)
{
    xmlDocPtr copy = xmlCopyDoc(doc, 1);

    if (copy == NULL)
        virReportNoMemory();
    return copy;
}

VIRT_INTERNAL void
virXmlFree(xmlDocPtr doc)
{
    if (doc != NULL)
        xmlFreeDoc(doc);
}

VIRT_INTERNAL void
virXmlCleanupDoc(xmlDocPtr *doc)
{
    virXmlFree(*doc);
}

/* ---------- writing ---------- */

/*
 * The serialiser is our own because libxml2's indents only what had no blanks before, depends on process-wide settings,
 * and writes other quotes than libvirt. Elements that hold only elements are indented anew; mixed content, and all that is
 * inside it, stays as it is.
 */

static bool
virXmlIsBlankText(const xmlNode *node)
{
    return node->type == XML_TEXT_NODE && (node->content == NULL || node->content[strspn((const char *)node->content, " \t\r\n")] == '\0');
}

/* Whether the children may be laid out freely: at least one is an element, a comment or the like, and no text has a letter. */
static bool
virXmlHasLayout(const xmlNode *element)
{
    bool any = false;

    for (const xmlNode *child = element->children; child != NULL; child = child->next) {
        if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE || child->type == XML_ENTITY_REF_NODE) {
            if (!virXmlIsBlankText(child))
                return false;
        } else {
            any = true;
        }
    }
    return any;
}

static void
virXmlPuts(struct virText *out, const char *text)
{
    virTextAppend(out, text, strlen(text));
}

/* Attributes stand in single quotes; white space in them other than blanks would be lost on reading if not escaped. */
static void
virXmlPutEscaped(struct virText *out, const xmlChar *value, bool attribute)
{
    const char *text = (const char *)value;
    const char *special = attribute ? "&<>'\n\t\r" : "&<>\r";

    if (text == NULL)
        return;
    for (;;) {
        size_t plain = strcspn(text, special);

        virTextAppend(out, text, plain);
        text += plain;
        switch (*text) {
        case '\0': return;
        case '&':  virXmlPuts(out, "&amp;"); break;
        case '<':  virXmlPuts(out, "&lt;"); break;
        case '>':  virXmlPuts(out, "&gt;"); break;
        case '\'': virXmlPuts(out, "&apos;"); break;
        case '\n': virXmlPuts(out, "&#10;"); break;
        case '\t': virXmlPuts(out, "&#9;"); break;
        default:   virXmlPuts(out, "&#13;"); break;
        }
        text++;
    }
}

static void
virXmlPutName(struct virText *out, const xmlNs *ns, const xmlChar *name)
{
    if (ns != NULL && ns->prefix != NULL) {
        virXmlPuts(out, (const char *)ns->prefix);
        virTextAppend(out, ":", 1);
    }
    virXmlPuts(out, (const char *)name);
}

static void
virXmlPutIndent(struct virText *out, int depth)
{
    static const char blanks[] = "                                                                ";

    while (depth > 0) {
        int some = depth < 32 ? depth : 32;

        virTextAppend(out, blanks, (size_t)some * 2);
        depth -= some;
    }
}

static void
virXmlPutStartTag(struct virText *out, const xmlNode *node, const char *end)
{
    virTextAppend(out, "<", 1);
    virXmlPutName(out, node->ns, node->name);
    for (const xmlNs *ns = node->nsDef; ns != NULL; ns = ns->next) {
        virXmlPuts(out, ns->prefix != NULL ? " xmlns:" : " xmlns");
        virXmlPuts(out, ns->prefix != NULL ? (const char *)ns->prefix : "");
        virTextAppend(out, "='", 2);
        virXmlPutEscaped(out, ns->href, true);
        virTextAppend(out, "'", 1);
    }
    for (const xmlAttr *attr = node->properties; attr != NULL; attr = attr->next) {
        virTextAppend(out, " ", 1);
        virXmlPutName(out, attr->ns, attr->name);
        virTextAppend(out, "='", 2);
        for (const xmlNode *text = attr->children; text != NULL; text = text->next)
            virXmlPutEscaped(out, text->content, true);
        virTextAppend(out, "'", 1);
    }
    virXmlPuts(out, end);
}

/* Recursion is bounded by the depth the parser admits. */
static void
virXmlPutNode(struct virText *out, const xmlNode *node, int depth, bool layout)
{
    bool inner;

    if (layout && (node->type == XML_ELEMENT_NODE || node->type == XML_COMMENT_NODE || node->type == XML_PI_NODE))
        virXmlPutIndent(out, depth);
    switch (node->type) {
    case XML_ELEMENT_NODE:
        if (node->children == NULL) {
            virXmlPutStartTag(out, node, "/>");
            break;
        }
        inner = layout && virXmlHasLayout(node);
        virXmlPutStartTag(out, node, inner ? ">\n" : ">");
        for (const xmlNode *child = node->children; child != NULL; child = child->next)
            virXmlPutNode(out, child, depth + 1, inner);
        if (inner)
            virXmlPutIndent(out, depth);
        virTextAppend(out, "</", 2);
        virXmlPutName(out, node->ns, node->name);
        virTextAppend(out, ">", 1);
        break;
    case XML_TEXT_NODE:
    case XML_CDATA_SECTION_NODE:
        if (!layout)
            virXmlPutEscaped(out, node->content, false);
        return;
    case XML_COMMENT_NODE:
        virTextAppend(out, "<!--", 4);
        virXmlPuts(out, node->content != NULL ? (const char *)node->content : "");
        virTextAppend(out, "-->", 3);
        break;
    case XML_PI_NODE:
        virTextAppend(out, "<?", 2);
        virXmlPuts(out, (const char *)node->name);
        virTextAppend(out, " ", node->content != NULL ? 1 : 0);
        virXmlPuts(out, node->content != NULL ? (const char *)node->content : "");
        virTextAppend(out, "?>", 2);
        break;
    default:
        return;
    }
    if (layout)
        virTextAppend(out, "\n", 1);
}

VIRT_INTERNAL char *
virXmlFormat(xmlDocPtr doc)
{
    struct virText out = { 0 };

    for (const xmlNode *node = doc->children; node != NULL; node = node->next)
        virXmlPutNode(&out, node, 0, true);
    return virTextTake(&out);
}

VIRT_INTERNAL char *
virXmlFormatNode(xmlNodePtr node)
{
    struct virText out = { 0 };

    virXmlPutNode(&out, node, 0, true);
    return virTextTake(&out);
}

VIRT_INTERNAL void
virXmlIndent(xmlDocPtr doc)
{
    xmlNodePtr node = xmlDocGetRootElement(doc);
    xmlNodePtr root = node;

    /* Walks down, then sideways, then up; below mixed content nothing is touched. */
    while (node != NULL) {
        bool down = false;

        if (node->type == XML_ELEMENT_NODE && virXmlHasLayout(node)) {
            for (xmlNodePtr child = node->children, next; child != NULL; child = next) {
                next = child->next;
                if (child->type == XML_TEXT_NODE) {
                    xmlUnlinkNode(child);
                    xmlFreeNode(child);
                }
            }
            down = true;
        }
        if (down && node->children != NULL) {
            node = node->children;
            continue;
        }
        while (node != root && node->next == NULL)
            node = node->parent;
        if (node == root)
            break;
        node = node->next;
    }
}

/* ---------- finding ---------- */

/* Where libvirt keeps its own XML namespaces: http://libvirt.org/schemas/<kind>/<prefix>/1.0 */
#define VIR_XML_NAMESPACES "http://libvirt.org/schemas/"

/* Whether ns is what `prefix` means in a path, whatever the document calls it. */
static bool
virXmlNamespaceIs(const xmlNs *ns, const char *prefix, size_t length)
{
    const char *href, *at;

    if (ns == NULL || ns->href == NULL)
        return false;
    href = (const char *)ns->href;
    if (strncmp(href, VIR_XML_NAMESPACES, strlen(VIR_XML_NAMESPACES)) == 0) {
        at = strchr(href + strlen(VIR_XML_NAMESPACES), '/');
        return at != NULL && strncmp(at + 1, prefix, length) == 0 && strcmp(at + 1 + length, "/1.0") == 0;
    }
    return ns->prefix != NULL && strncmp((const char *)ns->prefix, prefix, length) == 0 && ns->prefix[length] == '\0';
}

/* `name` is a path's part of that length: "name", which is in no namespace of its own prefix, or "prefix:name". */
static bool
virXmlNameIs(const xmlChar *name, const xmlNs *ns, const char *part, size_t length)
{
    const char *colon;

    if (name[0] == (xmlChar)part[0] && strncmp((const char *)name, part, length) == 0 && name[length] == '\0')
        return ns == NULL || ns->prefix == NULL;
    if (ns != NULL && (colon = memchr(part, ':', length)) != NULL) {
        size_t prefix = (size_t)(colon - part);

        length -= prefix + 1;
        return strncmp((const char *)name, colon + 1, length) == 0 && name[length] == '\0' && virXmlNamespaceIs(ns, part, prefix);
    }
    return false;
}

static xmlNodePtr
virXmlElementFrom(xmlNodePtr node, const char *name, size_t length)
{
    for (; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE && (name == NULL || virXmlNameIs(node->name, node->ns, name, length)))
            break;
    if (node != NULL && name != NULL)
        node->_private = node;
    return node;
}

static xmlAttrPtr
virXmlAttribute(xmlNodePtr node, const char *name)
{
    size_t length = strlen(name);

    for (xmlAttrPtr attr = node->properties; attr != NULL; attr = attr->next)
        if (virXmlNameIs(attr->name, attr->ns, name, length)) {
            attr->_private = attr;
            return attr;
        }
    return NULL;
}

/* The element a path leads to; *attribute is the attribute it ends in, or NULL. The path's elements are marked. */
static xmlNodePtr
virXmlWalk(xmlNodePtr node, const char *path, const char **attribute)
{
    *attribute = NULL;
    if (strcmp(path, ".") == 0)
        path = "";
    if (node != NULL && node->type == XML_ELEMENT_NODE)
        node->_private = node;
    while (node != NULL && *path != '\0') {
        size_t length;

        if (*path == '@') {
            *attribute = path + 1;
            break;
        }
        length = strcspn(path, "/");
        node = virXmlElementFrom(node->children, path, length);
        path += length;
        path += *path == '/';
    }
    return node;
}

VIRT_INTERNAL xmlNodePtr
virXmlRoot(xmlDocPtr doc)
{
    return xmlDocGetRootElement(doc);
}

VIRT_INTERNAL xmlNodePtr
virXmlFind(xmlNodePtr node, const char *path)
{
    const char *attribute;

    return virXmlWalk(node, path, &attribute);
}

VIRT_INTERNAL xmlNodePtr
virXmlFirst(xmlNodePtr node, const char *name)
{
    return node == NULL ? NULL : virXmlElementFrom(node->children, name, name != NULL ? strlen(name) : 0);
}

VIRT_INTERNAL xmlNodePtr
virXmlNext(xmlNodePtr node, const char *name)
{
    return node == NULL ? NULL : virXmlElementFrom(node->next, name, name != NULL ? strlen(name) : 0);
}

VIRT_INTERNAL size_t
virXmlCount(xmlNodePtr node, const char *name)
{
    size_t count = 0;

    for (xmlNodePtr child = node != NULL ? node->children : NULL; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE && (name == NULL || virXmlNameIs(child->name, child->ns, name, strlen(name))))
            count++;
    return count;
}

VIRT_INTERNAL const char *
virXmlName(xmlNodePtr node)
{
    return (const char *)node->name;
}

VIRT_INTERNAL bool
virXmlIs(xmlNodePtr node, const char *name)
{
    if (node == NULL || node->type != XML_ELEMENT_NODE || !virXmlNameIs(node->name, node->ns, name, strlen(name)))
        return false;
    node->_private = node;
    return true;
}

/* ---------- reading ---------- */

/*
 * The text among the children, as one string that the tree owns. Comments can split a text; then the parts are joined
 * in the first, which changes nothing anybody could tell.
 */
static const char *
virXmlTextOf(xmlNodePtr children)
{
    xmlNodePtr first = NULL;

    for (xmlNodePtr node = children, next; node != NULL; node = next) {
        next = node->next;
        if (node->type != XML_TEXT_NODE && node->type != XML_CDATA_SECTION_NODE)
            continue;
        if (first == NULL) {
            first = node;
            continue;
        }
        if (node->content == NULL || node->content[0] == '\0')
            continue;
        xmlNodeAddContent(first, node->content);
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
    if (first == NULL || first->content == NULL || first->content[0] == '\0')
        return NULL;
    return (const char *)first->content;
}

/* The value at a path, and for the error messages the element and attribute it was looked for in. */
static const char *
virXmlValue(xmlNodePtr node, const char *path, xmlNodePtr *element, const char **attribute)
{
    xmlAttrPtr attr;

    *element = virXmlWalk(node, path, attribute);
    if (*element == NULL)
        return NULL;
    if (*attribute == NULL)
        return virXmlTextOf((*element)->children);
    attr = virXmlAttribute(*element, *attribute);
    return attr == NULL ? NULL : virXmlTextOf(attr->children);
}

VIRT_INTERNAL const char *
virXmlString(xmlNodePtr node, const char *path)
{
    xmlNodePtr element;
    const char *attribute;

    return virXmlValue(node, path, &element, &attribute);
}

VIRT_INTERNAL bool
virXmlEquals(xmlNodePtr node, const char *path, const char *value)
{
    const char *text = virXmlString(node, path);

    return text != NULL && strcmp(text, value) == 0;
}

/* Appends "/domain/devices/disk[2]"; the number only where it is needed to tell elements apart. */
static void
virXmlAddPath(struct virText *out, const xmlNode *node)
{
    const xmlNode *chain[300];
    size_t depth = 0;

    for (; node != NULL && node->type == XML_ELEMENT_NODE && depth < 300; node = node->parent)
        chain[depth++] = node;
    while (depth > 0) {
        int before = 0, after = 0;

        node = chain[--depth];
        virTextAppend(out, "/", 1);
        virXmlPutName(out, node->ns, node->name);
        for (const xmlNode *other = node->prev; other != NULL; other = other->prev)
            before += other->type == XML_ELEMENT_NODE && xmlStrEqual(other->name, node->name);
        for (const xmlNode *other = node->next; other != NULL; other = other->next)
            after += other->type == XML_ELEMENT_NODE && xmlStrEqual(other->name, node->name);
        if (before + after > 0)
            virTextAdd(out, "[%d]", before + 1);
    }
}

VIRT_INTERNAL char *
virXmlPath(xmlNodePtr node, const char *attribute)
{
    struct virText out = { 0 };

    virXmlAddPath(&out, node);
    if (attribute != NULL)
        virTextAdd(&out, "/@%s", attribute);
    return virTextTake(&out);
}

/* Names the value that cannot be taken. A text from outside is shown up to a length a terminal can bear. */
static int
virXmlBadValue(int code, xmlNodePtr element, const char *attribute, const char *value, const char *expected)
{
    VIRT_CLEANUP_FREE char *path = virXmlPath(element, attribute);

    if (path == NULL)
        return -1;
    if (attribute != NULL)
        return virReportError(code, "Invalid value for attribute '%s' in element '%s': '%.80s' (%s: expected %s)",
                              attribute, (const char *)element->name, value, path, expected);
    return virReportError(code, "Invalid value for element '%s': '%.80s' (%s: expected %s)",
                          (const char *)element->name, value, path, expected);
}

VIRT_INTERNAL int
virXmlULongLong(xmlNodePtr node, const char *path, unsigned long long *value)
{
    xmlNodePtr element;
    const char *attribute;
    const char *text = virXmlValue(node, path, &element, &attribute);

    if (text == NULL)
        return 0;
    if (virStringToULL(text, 0, value) < 0)
        return virXmlBadValue(VIR_ERR_XML_ERROR, element, attribute, text, "a number, 0 or greater");
    return 1;
}

VIRT_INTERNAL int
virXmlUInt(xmlNodePtr node, const char *path, unsigned int *value)
{
    xmlNodePtr element;
    const char *attribute;
    const char *text = virXmlValue(node, path, &element, &attribute);
    unsigned long long number;

    if (text == NULL)
        return 0;
    if (virStringToULL(text, 0, &number) < 0 || number > UINT_MAX)
        return virXmlBadValue(VIR_ERR_XML_ERROR, element, attribute, text, "a number from 0 to 4294967295");
    *value = (unsigned int)number;
    return 1;
}

VIRT_INTERNAL int
virXmlInt(xmlNodePtr node, const char *path, int *value)
{
    xmlNodePtr element;
    const char *attribute;
    const char *text = virXmlValue(node, path, &element, &attribute);

    if (text == NULL)
        return 0;
    if (virStringToInt(text, 0, value) < 0)
        return virXmlBadValue(VIR_ERR_XML_ERROR, element, attribute, text, "a number from -2147483648 to 2147483647");
    return 1;
}

VIRT_INTERNAL int
virXmlBool(xmlNodePtr node, const char *path, bool *value)
{
    xmlNodePtr element;
    const char *attribute;
    const char *text = virXmlValue(node, path, &element, &attribute);

    if (text == NULL)
        return 0;
    if (strcmp(text, "yes") == 0 || strcmp(text, "on") == 0)
        *value = true;
    else if (strcmp(text, "no") == 0 || strcmp(text, "off") == 0)
        *value = false;
    else
        return virXmlBadValue(VIR_ERR_XML_ERROR, element, attribute, text, "yes or no, on or off");
    return 1;
}

VIRT_INTERNAL int
virXmlEnum(xmlNodePtr node, const char *path, const char *const *names, int *value)
{
    xmlNodePtr element;
    const char *attribute;
    const char *text = virXmlValue(node, path, &element, &attribute);
    struct virText expected = { 0 };

    if (text == NULL)
        return 0;
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], text) == 0) {
            *value = i;
            return 1;
        }
    for (int i = 0; names[i] != NULL; i++)
        virTextAdd(&expected, "%s%s", i > 0 ? ", " : "", names[i]);
    if (expected.failed)
        virReportNoMemory();
    else
        virXmlBadValue(VIR_ERR_CONFIG_UNSUPPORTED, element, attribute, text, expected.data != NULL ? expected.data : "nothing");
    virTextFree(&expected);
    return -1;
}

/* The factor of a unit: of 1024 for K, KiB, M, MiB, ..., of 1000 for KB, MB, ..., letters of either case. 0: unknown. */
static unsigned long long
virXmlUnitFactor(const char *unit)
{
    static const char prefixes[] = "kmgtpe";
    unsigned long long base = 1024, factor = 1;
    const char *prefix;

    if (strcasecmp(unit, "b") == 0 || strcasecmp(unit, "byte") == 0 || strcasecmp(unit, "bytes") == 0)
        return 1;
    if (unit[0] == '\0' || (prefix = strchr(prefixes, unit[0] | 0x20)) == NULL || *prefix == '\0')
        return 0;
    if (strcasecmp(unit + 1, "b") == 0)
        base = 1000;
    else if (unit[1] != '\0' && strcasecmp(unit + 1, "ib") != 0)
        return 0;
    for (const char *p = prefixes; p <= prefix; p++)
        factor *= base;
    return factor;
}

VIRT_INTERNAL bool
virXmlIsUnit(const char *unit)
{
    return virXmlUnitFactor(unit) != 0;
}

VIRT_INTERNAL int
virXmlSize(xmlNodePtr node, const char *path, const char *unit, unsigned long long *bytes)
{
    xmlNodePtr element;
    const char *attribute, *given;
    const char *text = virXmlValue(node, path, &element, &attribute);
    unsigned long long number, factor;

    if (text == NULL)
        return 0;
    if (virStringToULL(text, 0, &number) < 0)
        return virXmlBadValue(VIR_ERR_XML_ERROR, element, attribute, text, "a size, 0 or greater");
    if ((given = virXmlString(element, "@unit")) != NULL)
        unit = given;
    if ((factor = virXmlUnitFactor(unit)) == 0)
        return virXmlBadValue(VIR_ERR_INVALID_ARG, element, "unit", unit, "b, bytes, KB, KiB, MB, MiB, GB, GiB, ...");
    if (number > ULLONG_MAX / factor)
        return virXmlBadValue(VIR_ERR_OVERFLOW, element, attribute, text, "a size below 2^64 bytes");
    *bytes = number * factor;
    return 1;
}

VIRT_INTERNAL int
virXmlUuid(xmlNodePtr node, const char *path, unsigned char *uuid)
{
    xmlNodePtr element;
    const char *attribute;
    const char *text = virXmlValue(node, path, &element, &attribute);

    if (text == NULL)
        return 0;
    if (virUuidParse(text, uuid) < 0)
        return virXmlBadValue(VIR_ERR_XML_ERROR, element, attribute, text, "a uuid");
    return 1;
}

VIRT_INTERNAL const char *
virXmlNeed(xmlNodePtr node, const char *path)
{
    const char *text = virXmlString(node, path);
    VIRT_CLEANUP_FREE char *where = NULL;

    if (text == NULL && (where = virXmlPath(node, NULL)) != NULL)
        virReportError(VIR_ERR_XML_ERROR, "Missing required '%s' in element '%s' (%s)", path, (const char *)node->name, where);
    return text;
}

/* ---------- changing ---------- */

/* A new element for a name that may have a prefix; the prefix is declared where it is not yet. */
static xmlNodePtr
virXmlNewElement(xmlNodePtr context, const char *name, size_t length)
{
    const char *colon = memchr(name, ':', length);
    VIRT_CLEANUP_FREE char *copy = virStringSlice(name, length);
    VIRT_CLEANUP_FREE char *href = NULL;
    xmlNodePtr node;

    if (copy == NULL)
        goto memory;
    if (colon == NULL) {
        if ((node = xmlNewDocNode(context->doc, NULL, (const xmlChar *)copy, NULL)) == NULL)
            goto memory;
    } else {
        copy[colon - name] = '\0';
        if ((node = xmlNewDocNode(context->doc, NULL, (const xmlChar *)copy + (colon - name) + 1, NULL)) == NULL)
            goto memory;
        node->ns = xmlSearchNs(context->doc, context, (const xmlChar *)copy);
        if (node->ns == NULL && (href = virStringFormat(VIR_XML_NAMESPACES "domain/%s/1.0", copy)) != NULL)
            node->ns = xmlNewNs(node, (const xmlChar *)href, (const xmlChar *)copy);
        if (node->ns == NULL) {
            xmlFreeNode(node);
            goto memory;
        }
    }
    node->_private = node;
    return node;

memory:
    virReportNoMemory();
    return NULL;
}

VIRT_INTERNAL xmlNodePtr
virXmlAdd(xmlNodePtr parent, const char *name)
{
    xmlNodePtr node = virXmlNewElement(parent, name, strlen(name));

    return node == NULL ? NULL : xmlAddChild(parent, node);
}

VIRT_INTERNAL xmlNodePtr
virXmlAddAfter(xmlNodePtr after, const char *name)
{
    xmlNodePtr node = virXmlNewElement(after->parent, name, strlen(name));

    return node == NULL ? NULL : xmlAddNextSibling(after, node);
}

/* Replaces the text among an element's children; what else is there stays. */
static int
virXmlSetText(xmlNodePtr element, const char *value)
{
    xmlNodePtr text = NULL;

    if (*value != '\0' && (text = xmlNewDocText(element->doc, (const xmlChar *)value)) == NULL)
        return virReportNoMemory();
    for (xmlNodePtr child = element->children, next; child != NULL; child = next) {
        next = child->next;
        if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        }
    }
    if (text == NULL)
        return 0;
    if (element->children != NULL)
        xmlAddPrevSibling(element->children, text);
    else
        xmlAddChild(element, text);
    return 0;
}

VIRT_INTERNAL int
virXmlSet(xmlNodePtr node, const char *path, const char *fmt, ...)
{
    VIRT_CLEANUP_FREE char *value = NULL;
    xmlAttrPtr attr;
    va_list args;
    int length;

    va_start(args, fmt);
    length = vasprintf(&value, fmt, args);
    va_end(args);
    if (length < 0) {
        value = NULL;
        return virReportNoMemory();
    }
    if (strcmp(path, ".") == 0)
        path = "";
    node->_private = node;
    while (*path != '\0' && *path != '@') {
        size_t part = strcspn(path, "/");
        xmlNodePtr child = virXmlElementFrom(node->children, path, part);

        if (child == NULL) {
            if ((child = virXmlNewElement(node, path, part)) == NULL)
                return -1;
            xmlAddChild(node, child);
        }
        node = child;
        path += part;
        path += *path == '/';
    }
    if (*path == '\0')
        return virXmlSetText(node, value);
    if ((attr = xmlSetProp(node, (const xmlChar *)path + 1, (const xmlChar *)value)) == NULL)
        return virReportNoMemory();
    attr->_private = attr;
    return 0;
}

VIRT_INTERNAL void
virXmlRemove(xmlNodePtr node, const char *path)
{
    const char *attribute;
    xmlNodePtr element = virXmlWalk(node, path, &attribute);
    xmlAttrPtr attr;

    if (element == NULL)
        return;
    if (attribute == NULL) {
        xmlUnlinkNode(element);
        xmlFreeNode(element);
    } else if ((attr = virXmlAttribute(element, attribute)) != NULL) {
        xmlRemoveProp(attr);
    }
}

/* ---------- what was read ---------- */

static void
virXmlSetMarks(xmlNodePtr node, bool marked)
{
    node->_private = marked ? node : NULL;
    for (xmlAttrPtr attr = node->properties; attr != NULL; attr = attr->next)
        attr->_private = marked ? attr : NULL;
    for (xmlNodePtr child = node->children; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            virXmlSetMarks(child, marked);
}

VIRT_INTERNAL void
virXmlMark(xmlNodePtr node)
{
    if (node != NULL)
        virXmlSetMarks(node, true);
}

VIRT_INTERNAL void
virXmlUnmark(xmlNodePtr node)
{
    if (node != NULL)
        virXmlSetMarks(node, false);
}

static int
virXmlAddUnread(xmlNodePtr node, char ***paths, size_t *count)
{
    if (node->_private == NULL)
        return virStringsAdd(paths, count, virXmlPath(node, NULL));
    for (xmlAttrPtr attr = node->properties; attr != NULL; attr = attr->next) {
        VIRT_CLEANUP_FREE char *name = NULL;

        if (attr->_private != NULL)
            continue;
        if (attr->ns != NULL && attr->ns->prefix != NULL &&
            (name = virStringFormat("%s:%s", (const char *)attr->ns->prefix, (const char *)attr->name)) == NULL)
            return -1;
        if (virStringsAdd(paths, count, virXmlPath(node, name != NULL ? name : (const char *)attr->name)) < 0)
            return -1;
    }
    for (xmlNodePtr child = node->children; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE && virXmlAddUnread(child, paths, count) < 0)
            return -1;
    return 0;
}

VIRT_INTERNAL int
virXmlUnread(xmlDocPtr doc, char ***paths)
{
    xmlNodePtr root = xmlDocGetRootElement(doc);
    char **list = NULL;
    size_t count = 0;

    if (root != NULL) {
        root->_private = root;
        if (virXmlAddUnread(root, &list, &count) < 0) {
            virStringsFree(list);
            return -1;
        }
    }
    *paths = list;
    return (int)count;
}

#undef VIR_XML_NAMESPACES
#undef VIRT_FROM
