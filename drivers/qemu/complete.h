/*
 * The steps of completion, in the order in which complete.c takes them. Each is idempotent: what has an address, a model or an alias keeps it. 0, or -1 with the
 * error set.
 */
#ifndef VIRT_QEMU_COMPLETE_H
#define VIRT_QEMU_COMPLETE_H

#include "address.h"

/* The controller of this type and index, made if there is none; a model may be NULL. NULL with the error set. complete.c */
VIRT_INTERNAL xmlNodePtr qemuEnsureController(xmlDocPtr doc, const char *type, unsigned int index, const char *model);

VIRT_INTERNAL int qemuDefaultsComplete(xmlDocPtr doc);      /* defaults.c: models, devices that every machine has */
VIRT_INTERNAL int qemuDriveAssign(xmlDocPtr doc);           /* place.c: disks on ide, sata, scsi, fdc, and their controllers */
VIRT_INTERNAL int qemuSerialAssign(xmlDocPtr doc);          /* place.c: ports of virtio-serial, slots of ccid, dimm */
VIRT_INTERNAL int qemuBusTypeAssign(xmlDocPtr doc);         /* place.c: ccw, virtio-mmio, spapr-vio */
VIRT_INTERNAL int qemuUsbAssign(xmlDocPtr doc);             /* usb.c */
VIRT_INTERNAL int qemuPciAssign(xmlDocPtr doc);             /* pci.c */
VIRT_INTERNAL int qemuAliasesAssign(xmlDocPtr doc);         /* alias.c */

#endif
