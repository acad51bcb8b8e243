/*
 * The document model: libxml2 trees, read by small typed accessors.
 *
 * A document is kept whole; what the library does not understand is preserved. An accessor takes a node and a path
 * relative to it, of three forms: "name" or "os/type" (the text of the first such element), "@name" (an attribute of
 * the node), "source/@file" (an attribute of the first such element). "" or "." is the node's own text.
 *
 * Every accessor marks what it visits as read, elements and attributes alike, so that virXmlUnread can list which
 * parts of a document had no effect. A tree belongs to one thread at a time (its owner's lock says which).
 */
#ifndef VIRT_COMMON_XML_H
#define VIRT_COMMON_XML_H

#include "../driver.h"

#include <libxml/tree.h>

#define VIRT_CLEANUP_XML __attribute__((cleanup(virXmlCleanupDoc)))

/*
 * Parses a document from outside: no network, no entities, no DTD at all (refused), at most 256 levels deep and
 * VIRT_XML_MAX_SIZE bytes, root element <root> (any, when NULL). Returns a tree for virXmlFree, or NULL with VIR_ERR_XML_ERROR
 * (malformed, naming line and reason) or the like set. Text is merged: CDATA becomes text. Comments are kept.
 */
#define VIRT_XML_MAX_SIZE (16 * 1024 * 1024)
#define VIRT_XML_MAX_ATTRIBUTES 1000        /* of one element */
VIRT_INTERNAL xmlDocPtr virXmlParse(const char *xml, const char *root);
VIRT_INTERNAL xmlDocPtr virXmlParseFile(const char *path, const char *root);
VIRT_INTERNAL xmlDocPtr virXmlCopy(xmlDocPtr doc);
VIRT_INTERNAL void virXmlFree(xmlDocPtr doc);
VIRT_INTERNAL void virXmlCleanupDoc(xmlDocPtr *doc);

/* The text of the tree, or of one element (indented as a document of its own), without an XML declaration, two blanks an indent
 * level, ending in a newline. The caller frees it with free(). NULL only with an error set. */
VIRT_INTERNAL char *virXmlFormat(xmlDocPtr doc);
VIRT_INTERNAL char *virXmlFormatNode(xmlNodePtr node);
/* Takes the blanks between elements out of the whole tree. virXmlFormat indents anyway; this makes an edited tree smaller. */
VIRT_INTERNAL void virXmlIndent(xmlDocPtr doc);

/* ---- finding elements; NULL: there is none; no error is set ----
 * A name without a prefix is an element without one; "qemu:commandline" is the element of libvirt's namespace for qemu,
 * whatever prefix the document uses. */

VIRT_INTERNAL xmlNodePtr virXmlRoot(xmlDocPtr doc);
/* The first element at "a/b/c" below the node. */
VIRT_INTERNAL xmlNodePtr virXmlFind(xmlNodePtr node, const char *path);
/* The first child element called name (any, when NULL), and the next sibling element called name. Looking for any marks
 * nothing: virXmlIs marks the one that the caller turns out to know. virXmlCount marks nothing. */
VIRT_INTERNAL xmlNodePtr virXmlFirst(xmlNodePtr node, const char *name);
VIRT_INTERNAL xmlNodePtr virXmlNext(xmlNodePtr node, const char *name);
VIRT_INTERNAL size_t virXmlCount(xmlNodePtr node, const char *name);
/* The element's name (without its prefix), and a test for it, which marks the element where it is true. */
VIRT_INTERNAL const char *virXmlName(xmlNodePtr node);
VIRT_INTERNAL bool virXmlIs(xmlNodePtr node, const char *name);
/* for (each child element <name> of parent) */
#define VIRT_XML_EACH(node, parent, name) \
    for (xmlNodePtr node = virXmlFirst(parent, name); node != NULL; node = virXmlNext(node, name))

/* ---- reading values ----
 * Text: NULL where it is absent or empty; it lives as long as the tree is not changed there; surrounding white space is kept.
 * All others: 1 found, 0 absent (the output is untouched, so set the default before), -1 malformed with an error
 * set that names the element, the attribute and the text found (VIR_ERR_XML_ERROR, or VIR_ERR_CONFIG_UNSUPPORTED for an unknown enum value). */

VIRT_INTERNAL const char *virXmlString(xmlNodePtr node, const char *path);
/* true where the text is there and equals value */
VIRT_INTERNAL bool virXmlEquals(xmlNodePtr node, const char *path, const char *value);
VIRT_INTERNAL int virXmlInt(xmlNodePtr node, const char *path, int *value);              /* decimal or 0x */
VIRT_INTERNAL int virXmlUInt(xmlNodePtr node, const char *path, unsigned int *value);
VIRT_INTERNAL int virXmlULongLong(xmlNodePtr node, const char *path, unsigned long long *value);
VIRT_INTERNAL int virXmlBool(xmlNodePtr node, const char *path, bool *value);            /* yes/no, on/off */
/* names ends with NULL; *value is the index of the text in names */
VIRT_INTERNAL int virXmlEnum(xmlNodePtr node, const char *path, const char *const *names, int *value);
/* A size: number plus the unit in the element's @unit (b, bytes, KB, k, KiB, M, MiB, MB, G, ...), `unit` when absent. In bytes.
 * An overflow is an error. */
VIRT_INTERNAL int virXmlSize(xmlNodePtr node, const char *path, const char *unit, unsigned long long *bytes);
VIRT_INTERNAL bool virXmlIsUnit(const char *unit);
VIRT_INTERNAL int virXmlUuid(xmlNodePtr node, const char *path, unsigned char *uuid);
/* A value that must be there: NULL with VIR_ERR_XML_ERROR naming element and path where it is not. */
VIRT_INTERNAL const char *virXmlNeed(xmlNodePtr node, const char *path);

/* ---- changing; missing elements of the path are made; return 0, or -1 with VIR_ERR_NO_MEMORY. What is set is marked as read. ---- */

VIRT_INTERNAL int virXmlSet(xmlNodePtr node, const char *path, const char *fmt, ...) VIRT_PRINTF(3, 4);
/* A new child element at the end (or right after `after`, when not NULL). NULL with an error set. */
VIRT_INTERNAL xmlNodePtr virXmlAdd(xmlNodePtr parent, const char *name);
VIRT_INTERNAL xmlNodePtr virXmlAddAfter(xmlNodePtr after, const char *name);
/* Removes an element, or an attribute ("@x", "a/@x"); nothing to remove is fine. */
VIRT_INTERNAL void virXmlRemove(xmlNodePtr node, const char *path);

/* ---- what was read ---- */

/* Marks an element and all below it as read: for parts that are known to be information only (title, metadata, ...). */
VIRT_INTERNAL void virXmlMark(xmlNodePtr node);
/* Takes the marks of an element and all below it away. */
VIRT_INTERNAL void virXmlUnmark(xmlNodePtr node);
/* "/domain/devices/disk[2]", or with an attribute's name (not NULL) "/domain/devices/disk[2]/@type"; the caller frees it. */
VIRT_INTERNAL char *virXmlPath(xmlNodePtr node, const char *attribute);
/*
 * Paths of elements and attributes that nobody read, as an array of strings, "/domain/devices/disk[2]/source/@index";
 * an unread element stands for all below it. The caller frees the strings and the array. Returns their number, -1 on error.
 */
VIRT_INTERNAL int virXmlUnread(xmlDocPtr doc, char ***paths);

#endif
