/*
 * The parts of a command line that describe the machine rather than its devices, in the order in which command.c calls them. Each adds its options to the
 * command: 0, or -1 with the error set. What QEMU cannot act upon is not read, so that it is listed as having no effect.
 */
#ifndef VIRT_QEMU_MACHINE_H
#define VIRT_QEMU_MACHINE_H

#include "address.h"
#include "device.h"

VIRT_INTERNAL int qemuAddMachine(struct qemuCommand *command);      /* machine.c: -machine, -accel, and globals of the chipset */
VIRT_INTERNAL int qemuAddCpu(struct qemuCommand *command);          /* cpu.c: -cpu */
VIRT_INTERNAL int qemuAddVcpus(struct qemuCommand *command);        /* cpu.c: -smp */
VIRT_INTERNAL int qemuAddHotplugVcpus(struct qemuCommand *command); /* cpu.c: -device of vcpus that can be unplugged again */
VIRT_INTERNAL int qemuAddMemory(struct qemuCommand *command);       /* memory.c: -m, -object memory-backend-*, -overcommit */
VIRT_INTERNAL int qemuAddNuma(struct qemuCommand *command);         /* numa.c: -numa */
VIRT_INTERNAL int qemuAddClock(struct qemuCommand *command);        /* clock.c: -rtc and timers */
VIRT_INTERNAL int qemuAddFirmware(struct qemuCommand *command);     /* firmware.c: -bios, or the block devices of pflash */
VIRT_INTERNAL int qemuAddBoot(struct qemuCommand *command);         /* os.c: -boot, -kernel, ... */
VIRT_INTERNAL int qemuAddSmbios(struct qemuCommand *command);       /* os.c: -smbios, -fw_cfg */
VIRT_INTERNAL int qemuAddPower(struct qemuCommand *command);        /* os.c: -action, suspend */

/* Properties that other parts of the document add to -machine and -cpu. */
VIRT_INTERNAL int qemuFirmwareMachineOptions(struct qemuCommand *command, struct virText *text);
VIRT_INTERNAL int qemuClockMachineOptions(struct qemuCommand *command, struct virText *text);
VIRT_INTERNAL int qemuMemoryMachineOptions(struct qemuCommand *command, struct virText *text);
VIRT_INTERNAL int qemuClockCpuOptions(struct qemuCommand *command, struct virText *text);

/* The guest's domain type is kvm. */
VIRT_INTERNAL bool qemuIsKvm(xmlDocPtr doc);

/*
 * The memory-backend object of RAM with this id and size: the document's <memoryBacking>, the pages and host nodes of the guest's node `cell` (-1: none) all
 * taken into account. `over` (may be NULL) is a <memory> device or a numa cell whose own access/discard/source decide instead.
 * NULL with the error set.
 */
VIRT_INTERNAL cJSON *qemuMemoryBackend(struct qemuCommand *command, const char *id, unsigned long long bytes, int cell, xmlNodePtr over);
/* Whether the guest's RAM needs more than -m says (huge pages, sharing, ...). No marks are left. */
VIRT_INTERNAL bool qemuMemoryIsSpecial(xmlDocPtr doc);
/* Adds "host-nodes" for a list like "0-3,^2": 0, or -1. */
VIRT_INTERNAL int qemuAddNodes(cJSON *object, const char *name, const char *list);
/* The sum of dimms and the like, in bytes; they are part of <memory>, but not of -m. */
VIRT_INTERNAL int qemuMemoryDevicesSize(xmlDocPtr doc, unsigned long long *bytes);
/* Tells in which order QEMU numbers the bits of lists like "0-3,7": calls visit for each range. -1 with the error set for malformed lists. */
VIRT_INTERNAL int qemuEachRange(const char *list, int (*visit)(unsigned int first, unsigned int last, void *opaque), void *opaque);

#endif
