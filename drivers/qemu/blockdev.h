/*
 * Block nodes: what is behind a disk.
 */
#ifndef VIRT_QEMU_BLOCKDEV_H
#define VIRT_QEMU_BLOCKDEV_H

#include "device.h"

/* QEMU's limit for a node's name is 31 characters. */
#define QEMU_NODE_NAME_SIZE 32

/*
 * The name of a node of a disk, made from its alias and therefore always the same: `layer` is "format", "storage", "slice",
 * "throttle" or "cor", `depth` 0 for the disk's own image, 1 for what backs it, and so on. -1 with the error set.
 */
VIRT_INTERNAL int qemuBlockdevName(xmlNodePtr disk, unsigned int depth, const char *layer, char *name);

/*
 * The protocol node of one <source> element, without name and common options: "file", "nbd", ... `owner` carries its @type (a
 * disk or a <backingStore>), `device` is whom an error is about. NULL with the error set.
 */
VIRT_INTERNAL cJSON *qemuBlockdevSource(struct qemuCommand *command, xmlNodePtr device, xmlNodePtr owner, xmlNodePtr source);
VIRT_INTERNAL cJSON *qemuBlockdevNetwork(xmlNodePtr device, xmlNodePtr source);

/* All nodes of a disk that has a source, bottom up, filters included; `top` gets the name of the one for the device. */
VIRT_INTERNAL int qemuBlockdevBuild(struct qemuCommand *command, xmlNodePtr disk, struct qemuDeviceSet *set, char *top);

/* Whether the disk has a medium: a source that is neither an open tray's nor an optional one that is missing. */
VIRT_INTERNAL bool qemuBlockdevHasMedium(struct qemuCommand *command, xmlNodePtr disk);

#endif
