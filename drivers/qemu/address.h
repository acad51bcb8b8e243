/*
 * Addresses and names of devices: what an <address> element says, how QEMU is told, and where devices without one are put.
 *
 * An address is fixed when the document is taken in (qemuAddressesAssign, called by qemuDocumentComplete) and never changes afterwards,
 * so that the guest's operating system, and the destination of a migration, find the same machine every time.
 */
#ifndef VIRT_QEMU_ADDRESS_H
#define VIRT_QEMU_ADDRESS_H

#include "command.h"

/* Families of machine types, as far as they differ in buses, built-in devices and defaults. */
enum qemuMachineFamily {
    QEMU_MACHINE_OTHER,
    QEMU_MACHINE_PC,          /* i440fx */
    QEMU_MACHINE_Q35,
    QEMU_MACHINE_ISAPC,
    QEMU_MACHINE_MICROVM,
    QEMU_MACHINE_VIRT,        /* arm, aarch64 and riscv "virt" */
    QEMU_MACHINE_CCW,         /* s390x */
    QEMU_MACHINE_PSERIES,
};

struct qemuMachine {
    enum qemuMachineFamily family;
    const char *arch, *name;          /* of <os><type>; borrowed */
    bool x86, arm;
    bool pciRoot, pcieRoot;           /* has a conventional or an express root bus, or none */
};
/* What the document's <os><type> says; marks it as read. */
VIRT_INTERNAL struct qemuMachine qemuMachineOf(xmlDocPtr doc);

struct qemuPciPlace { unsigned int domain, bus, slot, function; };
/* 1: the element has <address type='pci'> with a bus; 0: it has not; -1: malformed. */
VIRT_INTERNAL int qemuPciPlaceOf(xmlNodePtr device, struct qemuPciPlace *place);

/* The <controller> with this type and index; NULL if there is none. No marks are left on others. */
VIRT_INTERNAL xmlNodePtr qemuFindController(xmlDocPtr doc, const char *type, unsigned int index);
/* Whether the machine has this controller built in, so that no -device makes it. */
VIRT_INTERNAL bool qemuControllerIsBuiltin(xmlDocPtr doc, xmlNodePtr controller);

/* The number in "type"/@index of a document without marking it; `missing` where it is absent or malformed. */
VIRT_INTERNAL unsigned int qemuPeekUInt(xmlNodePtr node, const char *attribute, unsigned int missing);
/* Children by name without marking them (any element, when name is NULL). */
VIRT_INTERNAL xmlNodePtr qemuPeekFirst(xmlNodePtr parent, const char *name);
VIRT_INTERNAL xmlNodePtr qemuPeekNext(xmlNodePtr node, const char *name);
#define QEMU_PEEK_EACH(node, parent, name) \
    for (xmlNodePtr node = qemuPeekFirst(parent, name); node != NULL; node = qemuPeekNext(node, name))
/* An attribute's text without marking it as read, for looking through a document; NULL if absent. Lives as long as the tree. */
VIRT_INTERNAL const char *qemuPeek(xmlNodePtr node, const char *attribute);
VIRT_INTERNAL bool qemuPeekIs(xmlNodePtr node, const char *attribute, const char *value);

/* The boot index of a device: its <boot order>, or what the document's <os><boot dev> list makes of it; 0: none. -1: malformed. */
VIRT_INTERNAL int qemuBootIndex(xmlDocPtr doc, xmlNodePtr device, unsigned int *order);

#endif
