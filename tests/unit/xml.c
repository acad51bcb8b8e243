/* XML documents: what is refused, what reading by paths gives, what was read, and what is written. */
#include "../../drivers/common/text.h"
#include "../../drivers/common/xml.h"
#include "../fault.h"
#include "../harness.h"

static xmlDocPtr
parse(const char *text)
{
    xmlDocPtr doc = virXmlParse(text, NULL);

    CHECK_PTR(doc);
    return doc;
}

TEST(hostile_documents_are_refused_with_one_error)
{
    static const char *const texts[] = {
        "", "x", "<a", "<a>", "<a></b>", "<a/><b/>", "<a x='1' x='2'/>", "<a>&nope;</a>", "<a>\x01</a>", "<a>\xff\xfe</a>", "<a>\xc0\x80</a>",
        "<!DOCTYPE a [<!ENTITY b 'x'>]><a>&b;</a>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        "<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'><a/>",
        "<!DOCTYPE a [<!ENTITY a0 'x'><!ENTITY a1 '&a0;&a0;&a0;&a0;&a0;&a0;&a0;&a0;'><!ENTITY a2 '&a1;&a1;&a1;&a1;&a1;&a1;&a1;'>]><a>&a2;</a>",
        "<!DOCTYPE a><a/>",
        "<a>&#0;</a>", "<?xml version='1.0' encoding='nonsense'?><a/>",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        harnessContext("%s", texts[i]);
        virResetLastError();
        EXPECT(virXmlParse(texts[i], NULL) == NULL, "accepted: %s", texts[i]);
        EXPECT(virGetLastErrorCode() == VIR_ERR_XML_DETAIL || virGetLastErrorCode() == VIR_ERR_XML_ERROR, "code %d for %s",
               virGetLastErrorCode(), texts[i]);
    }
}

TEST(a_malformed_document_is_told_by_its_line)
{
    CHECK_FAILS_NULL(virXmlParse("<domain>\n<name>\n</domain>", "domain"), VIR_ERR_XML_DETAIL);
    CHECK_CONTAINS(virGetLastErrorMessage(), "(domain_definition):3:");
    CHECK_FAILS_NULL(virXmlParse("<network/>", "domain"), VIR_ERR_XML_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "expecting root element of 'domain', not 'network'");
}

TEST(depth_and_size_have_limits)
{
    struct virText deep = { 0 };
    char *text, *large = malloc(VIRT_XML_MAX_SIZE + 100u);

    for (int i = 0; i < 300; i++)
        virTextAdd(&deep, "<a>");
    for (int i = 0; i < 300; i++)
        virTextAdd(&deep, "</a>");
    CHECK_PTR(text = virTextTake(&deep));
    CHECK_FAILS_NULL(virXmlParse(text, NULL), VIR_ERR_XML_DETAIL);
    free(text);
    CHECK_NOT_NULL(large);
    memset(large, ' ', VIRT_XML_MAX_SIZE + 99u);
    large[VIRT_XML_MAX_SIZE + 99u] = '\0';
    CHECK_FAILS_NULL(virXmlParse(large, NULL), VIR_ERR_XML_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "bytes");
    free(large);
}

/* Attributes in one tag, with what only looks like some before it. */
static char *
attributesXml(int count)
{
    struct virText text = { 0 };

    virTextAdd(&text, "<?pi a='<b '?><!-- <c d=1 ");
    for (int i = 0; i < 2000; i++)
        virTextAdd(&text, "=");
    virTextAdd(&text, " --><a t=\"x='>");
    for (int i = 0; i < 2000; i++)
        virTextAdd(&text, "=");
    virTextAdd(&text, "\"");
    for (int i = 1; i < count; i++)
        virTextAdd(&text, " a%d='\"'", i);
    virTextAdd(&text, "><![CDATA[<a ===]]>====</a>");
    return virTextTake(&text);
}

TEST(a_tag_with_attributes_without_end_does_not_keep_the_parser_busy)
{
    char *text = attributesXml(VIRT_XML_MAX_ATTRIBUTES);
    xmlDocPtr doc;

    CHECK_PTR(doc = virXmlParse(text, NULL));
    virXmlFree(doc);
    free(text);
    text = attributesXml(500000);
    CHECK_FAILS_NULL(virXmlParse(text, NULL), VIR_ERR_XML_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "attributes");
    free(text);
}

TEST(paths_lead_to_texts_attributes_and_elements)
{
    xmlDocPtr doc = parse("<d a='1' e=''><os><type arch='x'>hvm</type></os><empty/><t>a<!-- c -->b<![CDATA[<c>]]></t><n> 0x10 </n></d>");
    xmlNodePtr root = virXmlRoot(doc);
    int number = -5;
    unsigned long long bytes = 7;

    CHECK_STR(virXmlString(root, "@a"), "1");
    CHECK_NULL(virXmlString(root, "@e"));
    CHECK_STR(virXmlString(root, "os/type"), "hvm");
    CHECK_STR(virXmlString(root, "os/type/@arch"), "x");
    CHECK_STR(virXmlString(virXmlFind(root, "os/type"), ""), "hvm");
    CHECK_NULL(virXmlString(root, "empty"));
    CHECK_NULL(virXmlString(root, "os/none/@x"));
    CHECK_STR(virXmlString(root, "t"), "ab<c>");
    CHECK_INT(virXmlInt(root, "n", &number), 1);
    CHECK_INT(number, 16);
    CHECK_INT(virXmlInt(root, "none", &number), 0);
    CHECK_INT(number, 16);
    CHECK_FAILS(virXmlInt(root, "os/type", &number), VIR_ERR_XML_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "hvm");
    CHECK_CONTAINS(virGetLastErrorMessage(), "/d/os/type");
    CHECK_INT(virXmlSize(root, "n", "KiB", &bytes), 1);
    CHECK_UINT(bytes, 16 * 1024);
    virXmlFree(doc);
}

TEST(sizes_have_units_and_do_not_overflow)
{
    static const struct { const char *text; long long bytes; } sizes[] = {
        { "<s>1</s>", 1024 },           { "<s unit='b'>1</s>", 1 },      { "<s unit='bytes'>3</s>", 3 },
        { "<s unit='k'>1</s>", 1024 },  { "<s unit='KB'>1</s>", 1000 },  { "<s unit='kib'>2</s>", 2048 },
        { "<s unit='M'>1</s>", 1 << 20 }, { "<s unit='GB'>1</s>", 1000000000 }, { "<s unit='TiB'>1</s>", 1LL << 40 },
        { "<s unit='x'>1</s>", -1 },    { "<s unit='EiB'>16</s>", -1 },  { "<s>-1</s>", -1 },
        { "<s>18446744073709551616</s>", -1 }, { "<s>1 2</s>", -1 },     { "<s unit='KiBs'>1</s>", -1 },
    };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        xmlDocPtr doc = parse(sizes[i].text);
        unsigned long long bytes = 0;
        int rc = virXmlSize(virXmlRoot(doc), "", "KiB", &bytes);

        EXPECT(rc == (sizes[i].bytes < 0 ? -1 : 1), "%s gives %d", sizes[i].text, rc);
        EXPECT(rc < 0 || (long long)bytes == sizes[i].bytes, "%s gives %llu", sizes[i].text, bytes);
        virXmlFree(doc);
    }
}

TEST(what_nobody_read_is_listed)
{
    xmlDocPtr doc = parse("<domain type='x'><name>n</name><devices><disk a='1'/><disk><source index='2' file='f'/></disk><foo><bar/></foo></devices>"
                          "</domain>");
    xmlNodePtr root = virXmlRoot(doc);
    char **paths = NULL;
    size_t disks = 0;

    virXmlString(root, "@type");
    virXmlString(root, "name");
    VIRT_XML_EACH(disk, virXmlFirst(root, "devices"), "disk") {
        virXmlString(disk, "source/@file");
        disks++;
    }
    CHECK_UINT(disks, 2);
    CHECK_INT(virXmlUnread(doc, &paths), 3);
    CHECK_STR(paths[0], "/domain/devices/disk[1]/@a");
    CHECK_STR(paths[1], "/domain/devices/disk[2]/source/@index");
    CHECK_STR(paths[2], "/domain/devices/foo");
    CHECK_NULL(paths[3]);
    virStringsFree(paths);
    virXmlMark(root);
    paths = NULL;
    CHECK_INT(virXmlUnread(doc, &paths), 0);
    virStringsFree(paths);
    virXmlFree(doc);
}

TEST(looking_for_any_element_marks_only_what_is_known)
{
    xmlDocPtr doc = parse("<d><a/><b/></d>");
    xmlNodePtr root = virXmlRoot(doc);
    char **paths = NULL;

    for (xmlNodePtr node = virXmlFirst(root, NULL); node != NULL; node = virXmlNext(node, NULL))
        virXmlIs(node, "a");
    CHECK_UINT(virXmlCount(root, "b"), 1);
    CHECK_INT(virXmlUnread(doc, &paths), 1);
    CHECK_STR(paths[0], "/d/b");
    virStringsFree(paths);
    virXmlFree(doc);
}

TEST(prefixes_mean_their_namespace)
{
    xmlDocPtr doc = parse("<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:commandline><q:arg value='-x'/></q:commandline></domain>");
    xmlNodePtr root = virXmlRoot(doc);

    CHECK_STR(virXmlString(root, "qemu:commandline/qemu:arg/@value"), "-x");
    CHECK_NULL(virXmlFirst(root, "commandline"));
    CHECK_NULL(virXmlFirst(root, "lxc:commandline"));
    virXmlFree(doc);
}

TEST(written_documents_are_indented_and_lose_nothing)
{
    static const char *const expected =
        "<a x='1 &lt;&amp;&apos;\"'>\n"
        "  <!-- c -->\n"
        "  <b>t &lt; u</b>\n"
        "  <m>mixed <i>text</i> here</m>\n"
        "  <e/>\n"
        "  <n>\n"
        "    <o> </o>\n"
        "  </n>\n"
        "</a>\n";
    xmlDocPtr doc = parse("<a x=\"1 &lt;&amp;'&quot;\"><!-- c --><b>t &lt; u</b>\n\n<m>mixed <i>text</i> here</m><e></e><n><o> </o></n></a>");
    xmlDocPtr again;
    char *text = virXmlFormat(doc), *second;

    CHECK_STR(text, expected);
    again = parse(text);
    virXmlIndent(again);
    CHECK_PTR(second = virXmlFormat(again));
    CHECK_STR(second, expected);
    free(text);
    free(second);
    CHECK_PTR(text = virXmlFormatNode(virXmlFind(virXmlRoot(doc), "n")));
    CHECK_STR(text, "<n>\n  <o> </o>\n</n>\n");
    free(text);
    virXmlFree(doc);
    virXmlFree(again);
}

TEST(elements_and_attributes_are_made_changed_and_removed)
{
    xmlDocPtr doc = parse("<d><a>1<x/>2</a></d>");
    xmlNodePtr root = virXmlRoot(doc), node;
    char *text;

    CHECK_OK(virXmlSet(root, "a", "%d", 5));
    CHECK_OK(virXmlSet(root, "b/c/@d", "%s", "<"));
    CHECK_OK(virXmlSet(root, "@e", "f"));
    CHECK_PTR(node = virXmlAdd(root, "g"));
    CHECK_PTR(virXmlAddAfter(virXmlFirst(root, "a"), "h"));
    CHECK_OK(virXmlSet(node, "", "text"));
    CHECK_PTR(virXmlAdd(root, "qemu:commandline"));
    virXmlRemove(root, "a/x");
    virXmlRemove(root, "none/@x");
    CHECK_PTR(text = virXmlFormat(doc));
    CHECK_STR(text, "<d e='f'>\n  <a>5</a>\n  <h/>\n  <b>\n    <c d='&lt;'/>\n  </b>\n  <g>text</g>\n"
                    "  <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'/>\n</d>\n");
    free(text);
    virXmlFree(doc);
}

static int
parseAndFormat(void *opaque)
{
    xmlDocPtr doc = virXmlParse(opaque, "domain");
    char *text = NULL, **paths = NULL;
    int rc = -1;

    if (doc != NULL && (text = virXmlFormat(doc)) != NULL && virXmlUnread(doc, &paths) >= 0)
        rc = 0;
    virStringsFree(paths);
    free(text);
    virXmlFree(doc);
    return rc;
}

TEST_LIMIT(failing_allocations_are_errors, 120)
{
    faultSpare("libxml2");                       /* 2.9 has faults of its own there */
    FAULT_EACH_ALLOCATION(parseAndFormat, (void *)"<domain type='x'><name>n</name><devices><disk/><disk/></devices></domain>");
}
