/*
 * What the device builders (disk.c, net.c, chardev.c, ...) share: properties copied by table, errors that name the
 * device, helper processes, descriptors. Nothing outside of them needs it.
 */
#ifndef VIRT_QEMU_DEVICE_H
#define VIRT_QEMU_DEVICE_H

#include "command.h"

/*
 * A value of the document that becomes a property of a QEMU object as it stands. Tables of these say most of what a
 * device is; they end with a zeroed entry.
 */
enum qemuPropertyKind {
    QEMU_PROPERTY_STRING,             /* text */
    QEMU_PROPERTY_NUMBER,             /* decimal or 0x */
    QEMU_PROPERTY_BOOL,               /* yes/no, on/off -> true/false */
    QEMU_PROPERTY_SWITCH,             /* yes/no, on/off -> "on"/"off", where QEMU has on/off/auto */
};
struct qemuProperty {
    enum qemuPropertyKind kind;
    const char *path;                 /* as the accessors of xml.h take it */
    const char *name;                 /* QEMU's */
};
/* Adds those that the document has: 0, or -1 with the error set. */
VIRT_INTERNAL int qemuAddProperties(xmlNodePtr node, cJSON *object, const struct qemuProperty *table);

/* Hands the object over and clears the variable that owned it. */
VIRT_INTERNAL cJSON *qemuTake(cJSON **json);
/* Ends `object` by adding it to the set and clears it: the last line of most builders. */
VIRT_INTERNAL int qemuDeviceSetTake(struct qemuDeviceSet *set, enum qemuDeviceOption option, cJSON **object);

/*
 * An error about a device: "interface 'net0': ...", named by its target, else by its alias. Returns -1.
 * VIR_ERR_CONFIG_UNSUPPORTED for what cannot be done here, VIR_ERR_XML_ERROR for what contradicts itself.
 */
VIRT_INTERNAL int qemuDeviceReport(xmlNodePtr device, int code, const char *fmt, ...)
    VIRT_PRINTF(3, 4);
VIRT_INTERNAL int qemuDeviceReportSystem(xmlNodePtr device, int errnum, const char *fmt, ...)
    VIRT_PRINTF(3, 4);

/* A device object for "<base>" on virtio's transport, with the generic virtio options; else as qemuDeviceObject. */
VIRT_INTERNAL cJSON *qemuVirtioObject(struct qemuCommand *command, xmlNodePtr device, const char *base, bool bootindex);

/* "<prefix><alias of the device>": "charserial0", "hostnet0". The caller frees it. NULL with the error set. */
VIRT_INTERNAL char *qemuDeviceId(xmlNodePtr device, const char *prefix);

/* ",key=value" for options that QEMU takes as text only; a comma in the value is written twice. */
VIRT_INTERNAL void qemuTextOption(struct virText *text, const char *key, const char *value);
/* <rom bar= file= enabled=> of a PCI device. */
VIRT_INTERNAL int qemuAddRom(xmlNodePtr device, cJSON *object);

/* Takes a descriptor over (also on failure) for QEMU to inherit; gives its number as text for "fd" properties, which the caller frees. */
VIRT_INTERNAL char *qemuPassFdText(struct qemuCommand *command, int fd);
/* Opens a device or file for QEMU; -1 with an error that names the device. */
VIRT_INTERNAL int qemuOpenFor(xmlNodePtr device, const char *path, int flags);
/* "<runDirectory>/<alias><suffix>", with the directory made unless dry. The caller frees it. */
VIRT_INTERNAL char *qemuRunPath(struct qemuCommand *command, xmlNodePtr device, const char *suffix);

/* Starts a helper program of this guest, with the descriptor `fd` (-1: none) left open, its output in <logDirectory or runDirectory>/<alias>.log. */
VIRT_INTERNAL int qemuStartHelper(struct qemuCommand *command, xmlNodePtr device, const char *const *argv, int fd);
/* The program in PATH and the usual folders, or NULL without an error. The caller frees it. */
VIRT_INTERNAL char *qemuFindProgram(const char *name);
/* Appends a QMP command for the runtime to send before the CPUs start. Takes arguments over (also on failure). */
VIRT_INTERNAL int qemuCommandAddQmp(struct qemuCommand *command, const char *execute, cJSON *arguments);

/* A chardev that connects to (server false), or listens at, a Unix socket; reconnect in seconds, 0: never. */
VIRT_INTERNAL int qemuChardevAddUnix(struct qemuDeviceSet *set, const char *id, const char *path, bool server,
                                     unsigned int reconnect);
/* A chardev on a connected socket, which is taken over (also on failure). */
VIRT_INTERNAL int qemuChardevAddFd(struct qemuCommand *command, struct qemuDeviceSet *set, const char *id, int fd);
/* <reconnect enabled= timeout=> below node: the seconds, 0 when there is none; -1 with the error set. */
VIRT_INTERNAL int qemuReadReconnect(xmlNodePtr node, unsigned int *seconds);

/* What one device holds on the host beyond descriptors and helpers, given back: see qemuDevicesRelease. */
VIRT_INTERNAL void qemuNetRelease(xmlNodePtr device);
VIRT_INTERNAL void qemuHostdevRelease(xmlNodePtr device);

/* The PCI address "0000:01:00.0" of an <address> element; caller frees it; NULL with the error set. */
VIRT_INTERNAL char *qemuPciAddressText(xmlNodePtr address);

#endif
