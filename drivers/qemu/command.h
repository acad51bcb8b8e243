/*
 * From a document to a machine: the QEMU command line and the JSON descriptions of devices.
 *
 * Each device element is turned into a struct qemuDeviceSet by one function, and that set is used for both: written on the command line
 * when the guest starts (-blockdev JSON, -netdev JSON, -chardev, -object JSON, -device JSON), and by QMP when it is plugged in later. All
 * devices have the alias and the address that completion (qemuDocumentComplete) has fixed in the document.
 */
#ifndef VIRT_QEMU_COMMAND_H
#define VIRT_QEMU_COMMAND_H

#include "../common/json.h"
#include "../common/file.h"
#include "../common/process.h"
#include "../common/xml.h"
#include "capabilities.h"

/* The objects that one device element becomes, in the order in which QEMU needs them. */
enum qemuDeviceOption {
    QEMU_OPTION_OBJECT,       /* object-add;   -object JSON */
    QEMU_OPTION_CHARDEV,      /* chardev-add {id, backend}; -chardev key=value text made from the same JSON */
    QEMU_OPTION_BLOCKDEV,     /* blockdev-add; -blockdev JSON */
    QEMU_OPTION_NETDEV,       /* netdev_add;   -netdev JSON */
    QEMU_OPTION_DEVICE,       /* device_add;   -device JSON */
    QEMU_OPTION_ARGUMENT,     /* cold plug only: "text" is one argument, as it stands ("-vnc", "127.0.0.1:0", ...) */
};

struct qemuDeviceSet {
    struct { enum qemuDeviceOption option; cJSON *json; char *text; } *items;
    size_t count;
};
/* Both take json / text over, also on failure; a NULL one is a failure that has been reported. */
VIRT_INTERNAL int qemuDeviceSetAdd(struct qemuDeviceSet *set, enum qemuDeviceOption option, cJSON *json);
VIRT_INTERNAL int qemuDeviceSetArgument(struct qemuDeviceSet *set, char *text);
VIRT_INTERNAL int qemuDeviceSetArguments(struct qemuDeviceSet *set, const char *option, char *valueTaken);
VIRT_INTERNAL void qemuDeviceSetFree(struct qemuDeviceSet *set);

/* A command under construction. */
struct qemuCommand {
    char **argv;                      /* NULL-terminated */
    size_t argc;
    int *fds;                         /* descriptors that QEMU inherits; closed by qemuCommandFree */
    size_t nfds;
    char **env;                       /* NULL-terminated "NAME=VALUE": what QEMU's environment gets besides the usual; or NULL */
    size_t nenv;

    /* what the builders may need; borrowed */
    xmlDocPtr doc;
    const struct qemuCapabilities *caps;
    const char *runDirectory;         /* sockets and pid files of this guest's helpers: <root>/run/<name> */
    const char *logDirectory;
    const char *nvramDirectory;       /* where the firmware variables of guests are kept for good: <root>/nvram */
    bool dry;                         /* nothing is opened, made or started: for checks and for the list of ignored parts */

    /* what the builders have left for the runtime; qemuCommandFree ends and frees what nobody has taken (qemuCommandFreeDevices) */
    struct virProcess *helpers;       /* swtpm, virtiofsd, ...: to be kept with the guest's state and ended with it */
    size_t nhelpers;
    cJSON *qmp;                       /* array of {"execute", "arguments"} to be sent in this order before the CPUs start; NULL: none */
};
VIRT_INTERNAL int qemuCommandAdd(struct qemuCommand *command, const char *argument);
VIRT_INTERNAL int qemuCommandAddFormat(struct qemuCommand *command, const char *option, const char *fmt, ...) VIRT_PRINTF(3, 4);
VIRT_INTERNAL int qemuCommandAddSet(struct qemuCommand *command, const struct qemuDeviceSet *set);
/* The child gets this descriptor under its number; the command closes it when freed. */
VIRT_INTERNAL int qemuCommandPassFd(struct qemuCommand *command, int fd);
VIRT_INTERNAL void qemuCommandFree(struct qemuCommand *command);

/*
 * Builds everything but the monitor and -incoming, which are the runtime's. Every accessor call marks what it reads, so that after it virXmlUnread(doc) is the list of parts without effect.
 */
struct qemuCommandOptions {
    const char *monitorChardev;       /* text for -chardev of the monitor ("socket,id=monitor,fd=5,server=on,wait=off"), or NULL: no monitor */
    const char *incoming;             /* "defer" for -incoming, or NULL */
    bool paused;                      /* always true in practice: -S; the runtime says cont */
};
VIRT_INTERNAL int qemuCommandBuild(struct qemuCommand *command, const struct qemuCommandOptions *options);

/* The file with the firmware variables of this guest (for undefine with NVRAM); NULL if it has none. The caller frees it. [platform, firmware.c] */
VIRT_INTERNAL char *qemuFirmwareNvramPath(xmlDocPtr doc, const char *directory);
/*
 * The UEFI loaders of this host that fit the machine (its full name): their number, with an array that the caller frees with
 * virStringsFree (NULL for none), and whether one of them can do secure boot. -1 with the error set.
 */
VIRT_INTERNAL int qemuFirmwareLoaders(const char *arch, const char *machine, char ***paths, bool *secure);

/*
 * Completion for good, in place: versioned machine type, emulator, controllers that devices imply, PCI and other addresses, aliases, default models.
 * Idempotent: a completed document stays as it is. 0, or -1 with one clear error.
 */
VIRT_INTERNAL int qemuDocumentComplete(xmlDocPtr doc, const struct qemuCapabilities *caps);

/*
 * One builder per device element, [devices] in disk.c, net.c, chardev.c, ...: reads the completed element and appends to the set.
 * NULL entries of the table do not exist: an element without a builder is refused or ignored as command.c's table says.
 */
typedef int (*qemuDeviceBuilder)(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildDisk(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildInterface(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildSerial(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);       /* serial */
VIRT_INTERNAL int qemuBuildParallel(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildConsole(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildChannel(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildInput(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildGraphics(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildVideo(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildSound(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);        /* with audio */
VIRT_INTERNAL int qemuBuildWatchdog(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildRng(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildMemballoon(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildTpm(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildPanic(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildVsock(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildShmem(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildFilesystem(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildHostdev(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildRedirdev(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);     /* and redirfilter */
VIRT_INTERNAL int qemuBuildSmartcard(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildHub(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
/* [platform] */
VIRT_INTERNAL int qemuBuildController(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildIommu(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);
VIRT_INTERNAL int qemuBuildMemoryDevice(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set); /* memory (dimm, nvdimm, virtio-mem, virtio-pmem) */

/* For builders: starts a -device object: driver, id (the alias), and bus/addr/unit from the element's <address>, plus bootindex from <boot order> when bootindex
 * is true. The caller adds the rest. NULL with the error set. [platform, address.c] */
VIRT_INTERNAL cJSON *qemuDeviceObject(struct qemuCommand *command, xmlNodePtr device, const char *driver, bool bootindex);
/* "ide0-0-1": the alias that completion has fixed; NULL with the error set if there is none. */
VIRT_INTERNAL const char *qemuDeviceAlias(xmlNodePtr device);
/* The virtio model suffix for this element's address: "virtio-blk" + "-pci" / "-ccw" / "-device", and "-transitional" variants by @model. Caller frees. */
VIRT_INTERNAL char *qemuVirtioDriver(xmlNodePtr device, const char *base);
/* The generic virtio options of <driver iommu= ats= packed= ...>: adds them to the device object. */
VIRT_INTERNAL int qemuAddVirtioOptions(xmlNodePtr device, cJSON *object);

VIRT_INTERNAL int qemuBuildAudio(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);        /* audio */
VIRT_INTERNAL int qemuBuildCrypto(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set);

/* The QAPI chardev backend of a <serial>/<console>/<channel>/<rng egd>/<smartcard>/<redirdev>/<vhostuser> source element: appends CHARDEV
 * {id, backend{type,data}} to the set. [devices, chardev.c] */
VIRT_INTERNAL int qemuBuildChardev(struct qemuCommand *command, xmlNodePtr source, const char *id, struct qemuDeviceSet *set);
/* The value of -chardev for a CHARDEV object of a set. The caller frees it. [devices, chardev.c] */
VIRT_INTERNAL char *qemuChardevFormat(const cJSON *chardev);
/* Part of qemuCommandFree: ends the helpers that nobody has taken over, frees qmp. [devices, deviceset.c] */
VIRT_INTERNAL void qemuCommandFreeDevices(struct qemuCommand *command);
/* What a guest's devices hold on the host beyond descriptors and helpers (macvtap links, managed PCI devices): given back when it has ended. [devices, deviceset.c] */
VIRT_INTERNAL void qemuDevicesRelease(xmlDocPtr liveDoc);

#endif
