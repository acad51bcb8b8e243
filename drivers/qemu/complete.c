/*
 * Completion of a document for QEMU: everything that must not change from one start of the guest to the next, or from one host to another, is
 * decided once and written down. The steps are in files of their own: defaults.c, place.c, usb.c, pci.c, alias.c.
 */
#include "complete.h"

#include <stdio.h>

#define VIRT_FROM VIR_FROM_QEMU

VIRT_INTERNAL xmlNodePtr
qemuEnsureController(xmlDocPtr doc, const char *type, unsigned int index, const char *model)
{
    xmlNodePtr controller = qemuFindController(doc, type, index), devices = virXmlFind(virXmlRoot(doc), "devices"), last = NULL;

    if (controller != NULL)
        return controller;
    QEMU_PEEK_EACH(other, devices, "controller")
        last = other;
    if (last == NULL)
        QEMU_PEEK_EACH(other, devices, "disk")
            last = other;
    controller = last != NULL ? virXmlAddAfter(last, "controller") : virXmlAdd(devices, "controller");
    if (controller == NULL || virXmlSet(controller, "@type", "%s", type) < 0 || virXmlSet(controller, "@index", "%u", index) < 0 ||
        (model != NULL && virXmlSet(controller, "@model", "%s", model) < 0))
        return NULL;
    return controller;
}

/* The machine type by its full name, which stands for a fixed set of hardware, and the emulator's path. */
static int
qemuCompleteEmulator(xmlDocPtr doc, const struct qemuCapabilities *caps)
{
    xmlNodePtr root = virXmlRoot(doc), devices = virXmlFirst(root, "devices"), emulator;
    const char *machine = virXmlString(root, "os/type/@machine"), *name;

    if (caps == NULL)
        return 0;
    /* A machine that this emulator does not have stays named as it is: the guest may be meant for another; starting it says so. */
    if ((name = qemuCapabilitiesMachine(caps, machine)) != NULL && (machine == NULL || strcmp(machine, name) != 0) &&
        virXmlSet(root, "os/type/@machine", "%s", name) < 0)
        return -1;
    if (devices == NULL && (devices = virXmlAdd(root, "devices")) == NULL)
        return -1;
    if (virXmlString(devices, "emulator") != NULL)
        return 0;
    if (virXmlSet(devices, "emulator", "%s", qemuCapabilitiesEmulator(caps)) < 0)
        return -1;
    emulator = virXmlFirst(devices, "emulator");
    if (qemuPeekFirst(devices, NULL) != emulator)
        xmlAddPrevSibling(qemuPeekFirst(devices, NULL), emulator);
    return 0;
}

/* The defaults are filled in again where a step has added controllers or devices. */
static int (*const qemuCompleteSteps[])(xmlDocPtr doc) = {
    qemuDefaultsComplete, qemuDriveAssign, qemuSerialAssign, qemuDefaultsComplete, qemuUsbAssign, qemuDefaultsComplete, qemuBusTypeAssign,
    qemuPciAssign, qemuAliasesAssign,
};

VIRT_INTERNAL int
qemuDocumentComplete(xmlDocPtr doc, const struct qemuCapabilities *caps)
{
    if (qemuCompleteEmulator(doc, caps) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(qemuCompleteSteps) / sizeof(qemuCompleteSteps[0]); i++)
        if (qemuCompleteSteps[i](doc) < 0)
            return -1;
    virXmlIndent(doc);
    return 0;
}

#undef VIRT_FROM
