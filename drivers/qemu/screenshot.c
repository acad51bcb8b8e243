/*
 * Pictures of a guest's screens. QEMU writes one into a file that is made for it and unlinked at once: the stream has it by its descriptor.
 */
#include "domstats.h"

#include "../common/fdstream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* Screens are counted through the heads of all cards: the card, and *head becomes the number of its head. NULL with the error set. */
static xmlNodePtr
qemuScreenshotCard(xmlDocPtr doc, unsigned int screen, unsigned int *head)
{
    xmlNodePtr devices = virXmlFind(virXmlRoot(doc), "devices");
    unsigned int heads, before = 0;

    VIRT_XML_EACH(video, devices, "video") {
        heads = 1;
        if (virXmlEquals(video, "model/@type", "none"))
            continue;
        if (virXmlUInt(video, "model/@heads", &heads) < 0)
            return NULL;
        if (screen - before < heads) {
            *head = screen - before;
            return video;
        }
        before += heads;
    }
    virReportError(VIR_ERR_INVALID_ARG, "there is no screen %u: the guest has %u", screen, before);
    return NULL;
}

static int
qemuScreenshotAsk(struct virDomainObj *vm, const char *path, const char *device, unsigned int head, const char *format)
{
    cJSON *args = virJsonObject("s:filename", path, "S:device", device, "S:format", format, NULL);

    if (args != NULL && device != NULL && virJsonAdd(args, "u:head", (unsigned long long)head, NULL) < 0) {
        cJSON_Delete(args);
        args = NULL;
    }
    return args == NULL ? -1 : qemuDomainCommand(vm, "screendump", args, NULL);
}

/* Has the picture written into the file: its type, or NULL with the error set. An older QEMU, or one without libpng, knows PPM alone. */
static const char *
qemuScreenshotTake(struct virDomainObj *vm, const char *path, unsigned int screen)
{
    VIRT_CLEANUP_XML xmlDocPtr doc = virDomainObjDocument(vm, false);
    unsigned int head = 0;
    const char *device;
    xmlNodePtr video;

    if (doc == NULL || (video = qemuScreenshotCard(doc, screen, &head)) == NULL)
        return NULL;
    device = virXmlString(video, "alias/@name");
    if (qemuScreenshotAsk(vm, path, device, head, "png") == 0)
        return "image/png";
    if (virGetLastErrorCode() != VIR_ERR_INTERNAL_ERROR)
        return NULL;
    virResetLastError();
    return qemuScreenshotAsk(vm, path, device, head, NULL) == 0 ? "image/x-portable-pixmap" : NULL;
}

/* The picture in a file that has no name any more, to be read: its descriptor, and *type; -1 with the error set. */
static int
qemuScreenshotFile(struct virDomainObj *vm, const char *folder, unsigned int screen, const char **type)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/%s.screen.XXXXXX", folder, vm->name);
    int fd = -1;

    if (path == NULL)
        return -1;
    if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
        return virReportSystemError(errno, "domain '%s': cannot make a file for the picture of a screen", vm->name);
    close(fd);
    fd = -1;
    if ((*type = qemuScreenshotTake(vm, path, screen)) != NULL && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        virReportSystemError(errno, "domain '%s': cannot read the picture of a screen", vm->name);
    unlink(path);
    return fd;
}

VIRT_INTERNAL char *
qemuDomainScreenshot(virDomainPtr domain, virStreamPtr stream, unsigned int screen, unsigned int flags)
{
    struct virDomainObj *vm = virDomainObjOf(domain);
    struct virFdStream *end;
    const char *type = NULL;
    char *answer = NULL;
    int fd;

    virCheckFlags(0, NULL);
    if (vm == NULL || virDomainObjCheckActive(vm) < 0 || (fd = qemuScreenshotFile(vm, qemuHostOf(domain->conn)->run, screen, &type)) < 0
        || (end = virFdStreamNew(stream, fd, NULL, NULL)) == NULL)
        return NULL;
    if ((answer = virStringCopy(type)) != NULL && virFdStreamAttach(end) < 0) {
        free(answer);
        answer = NULL;
    }
    virFdStreamUnref(end);
    return answer;
}

#undef VIRT_FROM
