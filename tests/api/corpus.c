/*
 * libvirt's own test documents, as a user would bring them along. Three numbers, and for each document the parts that
 * have no effect, go to build/corpus-report.txt:
 *
 *   1. valid documents: each is taken by define, and comes back with nothing lost;
 *   2. invalid documents: each is refused;
 *   3. x86 documents: real QEMU accepts the command line, up to waiting to be continued.
 *
 * For the third, what this machine lacks is replaced by something small: images and sockets are made in a scratch directory,
 * links to bridges become user networks, host devices and huge pages are left out. The report says of each what was replaced.
 */
#include "../../virt.h"
#include "../harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#define ALL_DOMAINS (VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)

/* ---------- the corpus ---------- */

struct document {
    char path[512];                   /* domain/qemu/x.xml */
    char expect[32];                  /* valid, parse-error, ... */
    char macro[128];                  /* how libvirt's own tests use it */
};

static struct document *documents;
static size_t documentCount;

static void
loadIndex(void)
{
    const char *dir = corpusDir();
    char path[1024], line[1024];
    FILE *file;

    snprintf(path, sizeof(path), "%s/index.tsv", dir);
    if ((file = fopen(path, "r")) == NULL)
        FAIL("no index.tsv in the corpus %s", dir);
    while (fgets(line, sizeof(line), file) != NULL) {
        struct document doc = { 0 };

        if (sscanf(line, "%511[^\t]\t%*[^\t]\t%31[^\t]\t%*[^\t]\t%127[^\t\n]", doc.path, doc.expect, doc.macro) < 2)
            continue;
        if (strncmp(doc.path, "domain/qemu/", 12) != 0 && strncmp(doc.path, "domain/generic/", 15) != 0 && strncmp(doc.path, "domain/invalid/", 15) != 0)
            continue;
        documents = realloc(documents, (documentCount + 1) * sizeof(*documents));
        documents[documentCount++] = doc;
    }
    fclose(file);
}

static xmlDocPtr
loadDocument(const struct document *document)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", corpusDir(), document->path);
    return xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
}

static char *
documentText(xmlDocPtr doc)
{
    xmlChar *text = NULL;
    int length;

    xmlDocDumpMemory(doc, &text, &length);
    return (char *)text;
}

static xmlNodePtr
child(xmlNodePtr node, const char *name)
{
    for (node = node != NULL ? node->children : NULL; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0)
            return node;
    return NULL;
}

static FILE *
openReport(const char *mode)
{
    FILE *file = fopen("build/corpus-report.txt", mode);

    if (file == NULL) {
        mkdir("build", 0755);
        file = fopen("build/corpus-report.txt", mode);
    }
    CHECK_NOT_NULL(file);
    return file;
}

static virConnectPtr
openRoot(void)
{
    char uri[512];
    virConnectPtr conn;

    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("root"));
    conn = virConnectOpen(uri);
    CHECK_PTR(conn);
    return conn;
}

/* The domain types that the QEMU driver is for. */
static bool
isOurs(xmlDocPtr doc)
{
    xmlNodePtr root = doc != NULL ? xmlDocGetRootElement(doc) : NULL;
    xmlChar *type = root != NULL ? xmlGetProp(root, BAD_CAST "type") : NULL;
    bool ours = type != NULL && (xmlStrEqual(type, BAD_CAST "qemu") || xmlStrEqual(type, BAD_CAST "kvm"));

    xmlFree(type);
    return ours;
}

/* ---------- nothing lost ---------- */

static char *
trimmed(xmlNodePtr node)
{
    xmlChar *content = xmlNodeGetContent(node);
    char *text = (char *)content, *end;

    while (*text == ' ' || *text == '\n' || *text == '\t')
        text++;
    text = strdup(text);
    xmlFree(content);
    for (end = text + strlen(text); end > text && strchr(" \n\t", end[-1]) != NULL;)
        *--end = '\0';
    return text;
}

static double
kibibytes(xmlNodePtr node, const char *text)
{
    static const struct { const char *unit; double factor; } units[] = {
        { "b", 1.0 / 1024 }, { "bytes", 1.0 / 1024 }, { "k", 1 }, { "KiB", 1 }, { "M", 1024 }, { "MiB", 1024 }, { "G", 1048576 }, { "GiB", 1048576 },
        { "TiB", 1073741824.0 }, { "KB", 1000.0 / 1024 }, { "MB", 1e6 / 1024 }, { "GB", 1e9 / 1024 },
    };
    xmlChar *unit = xmlGetProp(node, BAD_CAST "unit");
    double factor = 1;

    for (size_t i = 0; unit != NULL && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcasecmp((char *)unit, units[i].unit) == 0)
            factor = units[i].factor;
    xmlFree(unit);
    return strtod(text, NULL) * factor;
}

static bool
isMemory(xmlNodePtr node)
{
    return xmlStrEqual(node->name, BAD_CAST "memory") || xmlStrEqual(node->name, BAD_CAST "currentMemory") || xmlStrEqual(node->name, BAD_CAST "maxMemory");
}

static bool
sameAttribute(xmlNodePtr in, xmlNodePtr out, xmlAttrPtr attr)
{
    xmlChar *a = xmlNodeGetContent((xmlNodePtr)attr), *b = xmlGetProp(out, attr->name);
    bool same = b != NULL && xmlStrEqual(a, b);

    if (b != NULL && !same && isMemory(in) && xmlStrEqual(attr->name, BAD_CAST "unit"))
        same = true;
    /* A machine type's short name is replaced by the full one. */
    if (b != NULL && !same && xmlStrEqual(in->name, BAD_CAST "type") && xmlStrEqual(attr->name, BAD_CAST "machine"))
        same = true;
    /* "auto" is an order to choose. */
    if (b != NULL && !same && xmlStrEqual(attr->name, BAD_CAST "model") && xmlStrEqual(a, BAD_CAST "auto"))
        same = true;
    xmlFree(a);
    xmlFree(b);
    return same;
}

static bool
hasElements(xmlNodePtr node)
{
    for (node = node->children; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            return true;
    return false;
}

static bool isContained(xmlNodePtr in, xmlNodePtr out, char *lost, size_t size);

static bool
isMemoryInParts(xmlNodePtr domain)
{
    return child(child(domain, "cpu"), "numa") != NULL || child(child(domain, "devices"), "memory") != NULL;
}

static bool
sameText(xmlNodePtr in, xmlNodePtr out)
{
    char *a = trimmed(in), *b = trimmed(out);
    bool same = strcmp(a, b) == 0 || (*a == '\0' && hasElements(out));

    if (!same && isMemory(in)) {
        double difference = kibibytes(in, a) - kibibytes(out, b);

        /* Cells and memory devices say the same again: their sum counts. */
        same = (difference > -1.01 && difference < 1.01) || isMemoryInParts(in->parent);
    }
    free(a);
    free(b);
    return same;
}

/* Whether everything of `in` is in `out`; names the first thing that is not. Each child is matched with one of its own. */
static bool
isContained(xmlNodePtr in, xmlNodePtr out, char *lost, size_t size)
{
    for (xmlNodePtr twin = out->children; twin != NULL; twin = twin->next)
        twin->_private = NULL;
    for (xmlAttrPtr attr = in->properties; attr != NULL; attr = attr->next)
        if (!(in->parent->type == XML_DOCUMENT_NODE && xmlStrEqual(attr->name, BAD_CAST "id")) &&     /* of a guest that ran once */
            !sameAttribute(in, out, attr)) {
            snprintf(lost, size, "%s/@%s", (const char *)in->name, (const char *)attr->name);
            return false;
        }
    if (!hasElements(in)) {
        if (!sameText(in, out)) {
            snprintf(lost, size, "%s's text", (const char *)in->name);
            return false;
        }
        return true;
    }
    for (xmlNodePtr child = in->children; child != NULL; child = child->next) {
        char inner[256] = "";
        bool found = false;

        if (child->type != XML_ELEMENT_NODE)
            continue;
        for (xmlNodePtr twin = out->children; twin != NULL && !found; twin = twin->next)
            if (twin->type == XML_ELEMENT_NODE && twin->_private == NULL && xmlStrEqual(twin->name, child->name) &&
                isContained(child, twin, inner, sizeof(inner))) {
                twin->_private = twin;
                found = true;
            }
        if (!found) {
            snprintf(lost, size, "%.60s/%.180s", (const char *)in->name, *inner != '\0' ? inner : (const char *)child->name);
            return false;
        }
    }
    return true;
}

/* ---------- 1 ---------- */

TEST_LIMIT(valid_documents_come_back_with_nothing_lost, 300)
{
    size_t valid = 0, kept = 0;
    virConnectPtr conn = NULL;
    FILE *report;

    loadIndex();
    conn = openRoot();
    report = openReport("w");
    fprintf(report, "1. Valid documents\n\n");
    for (size_t i = 0; i < documentCount; i++) {
        xmlDocPtr in = strcmp(documents[i].expect, "valid") == 0 && strstr(documents[i].path, "/invalid/") == NULL ? loadDocument(&documents[i]) : NULL;
        virDomainPtr domain = NULL;
        xmlDocPtr out = NULL;
        char *text, *back = NULL, lost[300] = "";

        if (in == NULL || !isOurs(in)) {
            xmlFreeDoc(in);
            continue;
        }
        valid++;
        harnessContext("%s", documents[i].path);
        text = documentText(in);
        if ((domain = virDomainDefineXML(conn, text)) != NULL && (back = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE)) != NULL &&
            (out = xmlReadMemory(back, (int)strlen(back), NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOBLANKS)) != NULL) {
            if (isContained(xmlDocGetRootElement(in), xmlDocGetRootElement(out), lost, sizeof(lost)))
                kept++;
            else
                fprintf(report, "%s: lost %s\n", documents[i].path, lost);
            EXPECT(*lost == '\0', "%s: lost %s", documents[i].path, lost);
        } else {
            fprintf(report, "%s: refused: %s\n", documents[i].path, virGetLastErrorMessage());
            EXPECT(false, "%s is refused: %s", documents[i].path, virGetLastErrorMessage());
        }
        if (domain != NULL) {
            virDomainUndefineFlags(domain, ALL_DOMAINS);
            virDomainFree(domain);
        }
        xmlFreeDoc(in);
        xmlFreeDoc(out);
        xmlFree(text);
        free(back);
    }
    fprintf(report, "\n%zu of %zu valid documents are taken and come back with nothing lost.\n\n", kept, valid);
    printf("%zu of %zu valid documents are taken and come back with nothing lost\n", kept, valid);
    fclose(report);
    virConnectClose(conn);
}

/* ---------- 2 ---------- */

/* libvirt refuses these only where its QEMU lacks a feature, and this library has no such grounds: with that QEMU they are valid. */
static bool
isAboutQemu(const char *path)
{
    static const char *const names[] = { "features-ccf.xml", "features-hpt-pagesize.xml", "features-htm.xml", "features-ibs.xml", "features-sbbc.xml" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strstr(path, "pseries-") != NULL && strstr(path, names[i]) != NULL)
            return true;
    return false;
}

TEST_LIMIT(invalid_documents_are_refused, 120)
{
    size_t invalid = 0, refused = 0;
    virConnectPtr conn;
    FILE *report;

    loadIndex();
    conn = openRoot();
    report = openReport("a");
    fprintf(report, "2. Invalid documents\n\n");
    for (size_t i = 0; i < documentCount; i++) {
        bool concerned = strstr(documents[i].path, "/invalid/") != NULL && !isAboutQemu(documents[i].path);
        xmlDocPtr in = concerned ? loadDocument(&documents[i]) : NULL;
        virDomainPtr domain;
        char *text;

        if (in == NULL || !isOurs(in)) {
            xmlFreeDoc(in);
            continue;
        }
        invalid++;
        harnessContext("%s", documents[i].path);
        text = documentText(in);
        if ((domain = virDomainDefineXML(conn, text)) == NULL) {
            refused++;
            fprintf(report, "%s: %s\n", documents[i].path, virGetLastErrorMessage());
        } else {
            fprintf(report, "%s: TAKEN (%s)\n", documents[i].path, documents[i].macro);
            EXPECT(false, "%s is taken", documents[i].path);
            virDomainUndefineFlags(domain, ALL_DOMAINS);
            virDomainFree(domain);
        }
        xmlFreeDoc(in);
        xmlFree(text);
    }
    fprintf(report, "\n%zu of %zu invalid documents are refused.\n\n", refused, invalid);
    printf("%zu of %zu invalid documents are refused\n", refused, invalid);
    fclose(report);
    virConnectClose(conn);
}

/* ---------- 3: making small what the machine lacks ---------- */

static int fileNumber;                /* of the next file in the scratch directory */

struct replacement {
    FILE *notes;                      /* what was replaced, comma separated */
    int listeners[16];                /* sockets that something is to connect to */
    int listenerCount;
};

static void
note(struct replacement *with, const char *what)
{
    fprintf(with->notes, "%s%s", ftell(with->notes) > 0 ? ", " : "", what);
}

static bool
is(xmlNodePtr node, const char *attribute, const char *value)
{
    xmlChar *text = node != NULL ? xmlGetProp(node, BAD_CAST attribute) : NULL;
    bool same = text != NULL && strcmp((char *)text, value) == 0;

    xmlFree(text);
    return same;
}

static void
set(xmlNodePtr node, const char *attribute, const char *value)
{
    xmlSetProp(node, BAD_CAST attribute, BAD_CAST value);
}

static void
drop(xmlNodePtr node)
{
    if (node != NULL) {
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
}

static const char *
smallFile(const char *format, long size)
{
    const char *path = scratchPath("file%d", fileNumber++);
    char command[1024];
    int fd;

    if (format != NULL && strcmp(format, "raw") != 0) {
        snprintf(command, sizeof(command), "qemu-img create -q -f %s %s 1M >/dev/null 2>&1", format, path);
        if (system(command) == 0)
            return path;
    }
    if ((fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600)) < 0 || ftruncate(fd, size) < 0)
        FAIL("cannot make %s", path);
    close(fd);
    return path;
}

static const char *
listeningSocket(struct replacement *with)
{
    const char *path = scratchPath("s%d", fileNumber++);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
        FAIL("cannot listen at %s: %s", path, strerror(errno));
    if (with->listenerCount < 16)
        with->listeners[with->listenerCount++] = fd;
    return path;
}

/* A disk or a layer of its backing chain. */
static void
replaceDisk(struct replacement *with, xmlNodePtr disk)
{
    xmlNodePtr source = child(disk, "source"), driver = child(disk, "driver"), backing = child(disk, "backingStore");
    xmlChar *format = xmlGetProp(child(disk, "format") != NULL ? child(disk, "format") : driver, BAD_CAST "type");
    xmlChar *unix_ = xmlGetProp(disk, BAD_CAST "type");

    if (child(disk, "mirror") != NULL)
        drop(child(disk, "mirror"));
    if (source != NULL && (is(disk, "type", "file") || is(disk, "type", "block") || unix_ == NULL)) {
        if (is(disk, "type", "block")) {
            set(disk, "type", "file");
            xmlUnsetProp(source, BAD_CAST "dev");
        }
        set(source, "file", smallFile((char *)format, 4 << 20));
    } else if (source != NULL && is(disk, "type", "dir")) {
        const char *path = scratchPath("dir%d", fileNumber++);

        mkdir(path, 0755);
        set(source, "dir", path);
    } else if (source != NULL && (is(disk, "type", "network") || is(disk, "type", "nvme") || is(disk, "type", "vhostuser"))) {
        note(with, "a remote disk by a file");
        set(disk, "type", "file");
        drop(source);
        drop(child(disk, "auth"));
        source = xmlNewChild(disk, NULL, BAD_CAST "source", NULL);
        set(source, "file", smallFile((char *)format, 4 << 20));
    }
    if (backing != NULL && backing->properties != NULL)
        replaceDisk(with, backing);
    xmlFree(format);
    xmlFree(unix_);
}

static void
replaceInterface(struct replacement *with, xmlNodePtr interface)
{
    static const char *const lacking[] = { "bridge", "ethernet", "direct", "vhostuser", "vdpa", "client" };

    for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++)
        if (is(interface, "type", lacking[i])) {
            char text[64];

            snprintf(text, sizeof(text), "a %s interface by user", lacking[i]);
            note(with, text);
            set(interface, "type", "user");
            drop(child(interface, "source"));
            drop(child(interface, "bandwidth"));
            drop(child(interface, "virtualport"));
            drop(child(interface, "script"));
            drop(child(interface, "target"));
            if (lacking[i][0] == 'v')
                drop(child(interface, "driver"));
            if (lacking[i][0] == 'd')
                drop(child(interface, "driver"));
        }
    if (is(interface, "type", "server") && child(interface, "source") != NULL)
        set(child(interface, "source"), "address", "127.0.0.1");
}

/* A serial port and the like: paths into the scratch directory, something to connect to. */
static void
replaceChardev(struct replacement *with, xmlNodePtr device)
{
    xmlNodePtr source = child(device, "source"), log = child(device, "log");

    if (log != NULL)
        set(log, "file", scratchPath("log%d", fileNumber++));
    if (is(device, "type", "dev")) {
        note(with, "a host's serial port by a pty");
        set(device, "type", "pty");
        drop(source);
        return;
    }
    if (source == NULL)
        return;
    if (is(device, "type", "unix")) {
        bool server = is(source, "mode", "bind");

        set(source, "path", server ? scratchPath("s%d", fileNumber++) : listeningSocket(with));
    } else if (is(device, "type", "file")) {
        set(source, "path", scratchPath("out%d", fileNumber++));
    } else if (is(device, "type", "pipe")) {
        const char *path = scratchPath("fifo%d", fileNumber++);

        mkfifo(path, 0600);
        set(source, "path", path);
    } else if (is(device, "type", "tcp") && !is(source, "mode", "bind")) {
        note(with, "a connection to another host by a listening socket");
        set(source, "mode", "bind");
        set(source, "host", "127.0.0.1");
        set(source, "service", "0");
    } else if (is(device, "type", "tcp")) {
        set(source, "host", "127.0.0.1");
        set(source, "service", "0");
    }
}

/* This host's only address; no certificates. */
static void
replaceGraphics(struct replacement *with, xmlNodePtr graphics)
{
    if (xmlHasProp(graphics, BAD_CAST "tlsPort")) {
        note(with, "TLS left out");
        xmlUnsetProp(graphics, BAD_CAST "tlsPort");
        for (xmlNodePtr node = child(graphics, "channel"); node != NULL; node = child(graphics, "channel"))
            drop(node);
        xmlUnsetProp(graphics, BAD_CAST "defaultMode");
    }
    if (xmlHasProp(graphics, BAD_CAST "listen"))
        set(graphics, "listen", "127.0.0.1");
    for (xmlNodePtr listen = graphics->children; listen != NULL; listen = listen->next)
        if (listen->type == XML_ELEMENT_NODE && xmlHasProp(listen, BAD_CAST "address"))
            set(listen, "address", "127.0.0.1");
}

static bool
replaceDevice(struct replacement *with, xmlNodePtr device)
{
    const char *name = (const char *)device->name;

    if (strcmp(name, "emulator") == 0 || strcmp(name, "hostdev") == 0 || strcmp(name, "lease") == 0) {
        if (strcmp(name, "hostdev") == 0)
            note(with, "host devices left out");
        return false;
    }
    if (strcmp(name, "disk") == 0)
        replaceDisk(with, device);
    if (strcmp(name, "interface") == 0 && is(device, "type", "hostdev")) {
        note(with, "host devices left out");
        return false;
    }
    if (strcmp(name, "interface") == 0)
        replaceInterface(with, device);
    if (strcmp(name, "serial") == 0 || strcmp(name, "parallel") == 0 || strcmp(name, "console") == 0 || strcmp(name, "channel") == 0 ||
        strcmp(name, "redirdev") == 0 || strcmp(name, "smartcard") == 0)
        replaceChardev(with, device);
    if (strcmp(name, "rng") == 0 && child(device, "backend") != NULL && is(child(device, "backend"), "model", "egd"))
        replaceChardev(with, child(device, "backend"));
    if (strcmp(name, "smartcard") == 0 && (is(device, "mode", "host") || is(device, "mode", "host-certificates"))) {
        note(with, "the host's smartcard left out");
        return false;
    }
    if (strcmp(name, "tpm") == 0 || (strcmp(name, "parallel") == 0 && is(device, "type", "dev")) ||
        (strcmp(name, "input") == 0 && (is(device, "type", "passthrough") || is(device, "type", "evdev")))) {
        note(with, strcmp(name, "tpm") == 0 ? "the TPM left out" : "the host's input device left out");
        return false;
    }
    if (strcmp(name, "filesystem") == 0) {
        xmlNodePtr source = child(device, "source"), driver = child(device, "driver");

        if (driver != NULL && is(driver, "type", "virtiofs")) {
            note(with, "virtiofs left out");
            return false;
        }
        if (source != NULL) {
            const char *path = scratchPath("dir%d", fileNumber++);

            mkdir(path, 0755);
            set(source, "dir", path);
        }
    }
    if (strcmp(name, "graphics") == 0)
        replaceGraphics(with, device);
    if (strcmp(name, "interface") == 0 && child(device, "rom") != NULL && !is(child(device, "rom"), "enabled", "no") && xmlHasProp(child(device, "rom"), BAD_CAST "file"))
        set(child(device, "rom"), "file", smallFile(NULL, 512));
    if (strcmp(name, "graphics") == 0 && is(device, "type", "egl-headless")) {
        note(with, "egl-headless left out");
        return false;
    }
    if (strcmp(name, "memory") == 0) {
        xmlNodePtr source = child(device, "source"), path = child(source, "path");

        drop(child(source, "nodemask"));
        drop(child(source, "pagesize"));
        drop(child(source, "pmem"));
        if (path != NULL)
            xmlNodeSetContent(path, BAD_CAST smallFile(NULL, 1L << 30));
    }
    if (strcmp(name, "shmem") == 0 && child(device, "server") != NULL && is(child(device, "server"), "path", "/tmp/socket-ivshmem"))
        set(child(device, "server"), "path", listeningSocket(with));
    return true;
}

static void
replaceContent(xmlNodePtr parent, const char *name)
{
    xmlNodePtr node = child(parent, name);

    if (node != NULL && node->children != NULL)
        xmlNodeSetContent(node, BAD_CAST smallFile(NULL, 64));
}

static void
replaceOs(xmlNodePtr os)
{
    static const char code[] = "/usr/share/OVMF/OVMF_CODE_4M.fd";
    xmlNodePtr loader = child(os, "loader"), nvram = child(os, "nvram"), kernel = child(os, "kernel"), acpi = child(os, "acpi");

    if (loader != NULL && loader->children != NULL) {
        bool flash = is(loader, "type", "pflash");

        xmlNodeSetContent(loader, BAD_CAST (flash ? code : "/usr/share/seabios/bios.bin"));
        if (flash && is(loader, "readonly", "no"))
            xmlNodeSetContent(loader, BAD_CAST smallFile(NULL, 4 << 20));
    }
    if (nvram != NULL) {
        xmlUnsetProp(nvram, BAD_CAST "type");
        drop(child(nvram, "source"));
        xmlUnsetProp(nvram, BAD_CAST "template");
        xmlNodeSetContent(nvram, BAD_CAST scratchPath("vars%d", fileNumber++));
    }
    if (kernel != NULL) {
        char command[1024];
        const char *path = smallFile(NULL, 64);

        /* The smallest thing that QEMU takes for a kernel: any file of a sector or two. */
        snprintf(command, sizeof(command), "head -c 4096 /dev/zero > %s", path);
        CHECK_INT(system(command), 0);
        xmlNodeSetContent(kernel, BAD_CAST path);
    }
    replaceContent(os, "initrd");
    if (child(os, "dtb") != NULL)
        drop(child(os, "dtb"));
    if (acpi != NULL && child(acpi, "table") != NULL) {
        const char *path = smallFile(NULL, 64);
        int fd = open(path, O_WRONLY);

        CHECK_INT(write(fd, "SLIC\x40\0\0\0", 8), 8);
        close(fd);
        xmlNodeSetContent(child(acpi, "table"), BAD_CAST path);
    }
}

/* Everything else that a small machine cannot give: huge pages, terabytes, host nodes, KVM. */
static void
replaceMachine(struct replacement *with, xmlNodePtr root)
{
    xmlNodePtr backing = child(root, "memoryBacking"), max = child(root, "maxMemory"), cpu = child(root, "cpu");

    if (is(root, "type", "kvm")) {
        note(with, "KVM by TCG");
        set(root, "type", "qemu");
        if (cpu != NULL && is(cpu, "mode", "host-passthrough"))
            set(cpu, "mode", "maximum");
    } else if (cpu != NULL && is(cpu, "mode", "host-passthrough")) {
        note(with, "the host's CPU by the maximum");
        set(cpu, "mode", "maximum");
    }
    if (child(backing, "hugepages") != NULL) {
        note(with, "huge pages left out");
        drop(child(backing, "hugepages"));
    }
    if (child(backing, "locked") != NULL) {
        note(with, "locked memory left out");
        drop(child(backing, "locked"));
    }
    if (child(backing, "allocation") != NULL) {
        note(with, "memory not allocated beforehand");
        drop(child(backing, "allocation"));
    }
    if (child(root, "numatune") != NULL) {
        note(with, "host nodes left out");
        drop(child(root, "numatune"));
    }
    if (max != NULL && strtoull((char *)max->children->content, NULL, 10) > (64ull << 20))
        xmlNodeSetContent(max, BAD_CAST "67108864");
    replaceOs(child(root, "os"));
}

static char *
makeStartable(struct replacement *with, xmlDocPtr doc)
{
    xmlNodePtr root = xmlDocGetRootElement(doc), devices = child(root, "devices"), next;

    replaceMachine(with, root);
    /* These documents say nonsense to QEMU on purpose. */
    if (child(root, "commandline") != NULL) {
        note(with, "qemu:commandline left out");
        drop(child(root, "commandline"));
    }
    drop(child(root, "override"));
    for (xmlNodePtr device = devices != NULL ? devices->children : NULL; device != NULL; device = next) {
        next = device->next;
        if (device->type == XML_ELEMENT_NODE && !replaceDevice(with, device))
            drop(device);
    }
    return documentText(doc);
}

/* ---------- 3 ---------- */

/*
 * Why a document cannot count: what this QEMU or this machine does not have, which no library changes. So do those that libvirt itself is
 * expected not to start.
 */
static bool
isLacking(const char *message)
{
    static const char *const reasons[] = {
        "has no device", "is not a valid device model name", "has no machine type", "unsupported machine type", "SGX", "memory encryption needs",
        "graphics of type 'sdl'", "no block protocol", "no firmware of kind", "there is no emulator for architecture", "Unknown audio driver", "no drm render node",
        "opengl is not available", "Could not init `", "requires kvm", "requires kernel irqchip", "/dev/vhost-",
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strstr(message, reasons[i]) != NULL)
            return true;
    return false;
}

static bool
isX86(xmlDocPtr doc)
{
    xmlNodePtr type = child(child(xmlDocGetRootElement(doc), "os"), "type");

    return type != NULL && (is(type, "arch", "x86_64") || is(type, "arch", "i686"));
}

static void
reportIgnored(FILE *report, virDomainPtr domain)
{
    char **paths = NULL;
    int count = virDomainListIgnoredXML(domain, &paths, 0);

    for (int i = 0; i < count; i++) {
        fprintf(report, "    no effect: %s\n", paths[i]);
        free(paths[i]);
    }
    free(paths);
}

static void
startDocument(virConnectPtr conn, FILE *report, const struct document *document, size_t counts[3])
{
    xmlDocPtr doc = loadDocument(document);
    char *notes = NULL, *text;
    size_t length;
    struct replacement with = { .notes = open_memstream(&notes, &length) };
    virDomainPtr domain;

    text = makeStartable(&with, doc);
    fflush(with.notes);
    domain = virDomainCreateXML(conn, text, VIR_DOMAIN_START_PAUSED);
    if (domain != NULL) {
        counts[0]++;
        fprintf(report, "%s: started%s%s\n", document->path, *notes != '\0' ? "; replaced: " : "", notes);
        reportIgnored(report, domain);
        CHECK_OK(virDomainDestroy(domain));
        virDomainFree(domain);
    } else if (isLacking(virGetLastErrorMessage()) || strstr(document->macro, "FAILURE") != NULL) {
        counts[1]++;
        fprintf(report, "%s: SET ASIDE: %s\n", document->path, virGetLastErrorMessage());
    } else {
        counts[2]++;
        fprintf(report, "%s: NOT STARTED: %s\n", document->path, virGetLastErrorMessage());
    }
    for (int i = 0; i < with.listenerCount; i++)
        close(with.listeners[i]);
    fclose(with.notes);
    free(notes);
    xmlFree(text);
    xmlFreeDoc(doc);
}

#define WORKERS 3                     /* starting is mostly waiting */

/* Every WORKERS-th document, in a process and a root of its own. */
static void
startShare(int worker, const char *part, const char *sums)
{
    size_t counts[3] = { 0 }, turn = 0;
    char uri[512];
    virConnectPtr conn;
    FILE *report = fopen(part, "w"), *file = fopen(sums, "w");

    CHECK_NOT_NULL(report);
    CHECK_NOT_NULL(file);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("root%d", worker));
    CHECK_PTR(conn = virConnectOpen(uri));
    fileNumber = worker * 100000;
    for (size_t i = 0; i < documentCount; i++) {
        bool valid = strcmp(documents[i].expect, "valid") == 0 && strstr(documents[i].path, "/invalid/") == NULL;
        xmlDocPtr doc = valid ? loadDocument(&documents[i]) : NULL;
        bool ours = doc != NULL && isOurs(doc) && isX86(doc);

        xmlFreeDoc(doc);
        harnessContext("%s", documents[i].path);
        if (ours && (int)(turn++ % WORKERS) == worker)
            startDocument(conn, report, &documents[i], counts);
    }
    fprintf(file, "%zu %zu %zu\n", counts[0], counts[1], counts[2]);
    fclose(file);
    fclose(report);
    virConnectClose(conn);
}

TEST_LIMIT(x86_documents_become_machines, 600)
{
    size_t counts[3] = { 0 };
    pid_t workers[WORKERS];
    FILE *report;

    loadIndex();
    if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0)
        SKIP("there is no qemu-system-x86_64");
    for (int i = 0; i < WORKERS; i++)
        if ((workers[i] = fork()) == 0) {
            startShare(i, scratchPath("part%d", i), scratchPath("sums%d", i));
            _exit(0);
        }
    report = openReport("a");
    fprintf(report, "3. Documents for x86\n\n");
    for (int i = 0; i < WORKERS; i++) {
        int status;
        size_t sums[3];
        char *text;

        CHECK_INT(waitpid(workers[i], &status, 0), workers[i]);
        CHECK_INT(status, 0);
        text = readFile(scratchPath("sums%d", i));
        CHECK_INT(sscanf(text, "%zu %zu %zu", &sums[0], &sums[1], &sums[2]), 3);
        free(text);
        text = readFile(scratchPath("part%d", i));
        fputs(text, report);
        free(text);
        for (int k = 0; k < 3; k++)
            counts[k] += sums[k];
    }
    fprintf(report, "\n%zu of %zu documents are started; %zu more need what this QEMU or machine lacks.\n", counts[0], counts[0] + counts[2], counts[1]);
    printf("%zu of %zu startable documents are started; %zu set aside\n", counts[0], counts[0] + counts[2], counts[1]);
    fclose(report);
    CHECK_MSG(counts[0] * 100 >= (counts[0] + counts[2]) * 80, "only %zu of %zu startable documents are started", counts[0], counts[0] + counts[2]);
}
