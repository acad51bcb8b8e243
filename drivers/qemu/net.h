/*
 * The host's side of network interfaces: [net.c] decides, [tap.c] talks to the kernel.
 */
#ifndef VIRT_QEMU_NET_H
#define VIRT_QEMU_NET_H

#include "device.h"

/* Opens `count` queues of a tap device: a new one named `*name` (may have a %d; NULL: "vnet%d"), or one that exists. `*name` becomes the kernel's name (the
 * caller frees the old and the new). multi: several queues; the descriptors go to fds. 0, or -1 with nothing left behind. */
VIRT_INTERNAL int qemuTapOpen(xmlNodePtr device, char **name, bool fresh, size_t count, int *fds);
/* Sets a link's MAC address (NULL: leaves it), MTU (0: leaves it), and brings it up (or leaves it down). */
VIRT_INTERNAL int qemuLinkSetup(xmlNodePtr device, const char *name, const unsigned char *mac, unsigned int mtu, bool up);
VIRT_INTERNAL int qemuLinkAddToBridge(xmlNodePtr device, const char *name, const char *bridge);
/* Makes a macvtap link over `lower`; name as with qemuTapOpen ("macvtap%d"); opens its queues. */
VIRT_INTERNAL int qemuMacvtapOpen(xmlNodePtr device, const char *lower, const char *mode, const unsigned char *mac,
                                  char **name, size_t count, int *fds);
VIRT_INTERNAL void qemuLinkDelete(const char *name);
VIRT_INTERNAL bool qemuLinkHasMac(const char *name, const unsigned char *mac);
/* "52:54:00:12:34:56" */
VIRT_INTERNAL int qemuParseMac(const char *text, unsigned char *mac);

#endif
