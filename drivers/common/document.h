/*
 * The domain document, as far as it means the same to every driver: what it must say, what is completed once and for good
 * when it is taken in, and the small enumerations that several places read.
 */
#ifndef VIRT_COMMON_DOCUMENT_H
#define VIRT_COMMON_DOCUMENT_H

#include "../driver.h"
#include "xml.h"

/*
 * Parses and checks a domain document: root, name, uuid, memory, vcpu, os type and the rules among elements that libvirt
 * has on its own grounds (unknown enum values, missing or contradicting parts, duplicate addresses, ...). Completes: uuid, memory and currentMemory
 * in KiB, vcpu, os type and arch, the defaults of on_poweroff/on_reboot/on_crash, MAC addresses, disk target bus. Keeps all it does not know.
 * `types`: the values of domain/@type this driver takes, NULL-terminated; NULL: every type that libvirt knows. Returns a tree, or NULL with one clear error.
 */
VIRT_INTERNAL xmlDocPtr virDocumentParse(const char *xml, const char *const *types);

/* Marks as read what has its effect in the library itself or is meant for people: name, uuid, memory, vcpu, title, description, metadata. */
VIRT_INTERNAL void virDocumentMarkInformation(xmlDocPtr doc);

/* Of a completed document: borrowed strings and numbers. */
struct virDocumentHot {
    const char *name;
    unsigned char uuid[VIR_UUID_BUFLEN];
    unsigned long long maxMemory, memory;     /* KiB */
    unsigned int maxVcpus, vcpus;
    const char *osType;
};
VIRT_INTERNAL int virDocumentHot(xmlDocPtr doc, struct virDocumentHot *hot);

/*
 * Whether a running guest's document may be replaced by this one (a migration's destination XML, say): the guest-visible hardware (devices, addresses, memory,
 * vcpus, cpu, machine) must be the same. 0, or -1 with VIR_ERR_CONFIG_UNSUPPORTED naming the first difference.
 */
VIRT_INTERNAL int virDocumentCheckAbi(xmlDocPtr ours, xmlDocPtr theirs);

/* Removes what only VIR_DOMAIN_XML_SECURE shows (passwords); returns whether there was any. */
VIRT_INTERNAL bool virDocumentRemoveSecrets(xmlDocPtr doc);
VIRT_INTERNAL bool virDocumentHasSecrets(xmlDocPtr doc);

#endif
