/*
 * What a guest's document says of its leases: what it needs for itself alone, and what becomes of it when its own lease is lost.
 */
#include "lock.h"

#include "../common/text.h"

#include <stdint.h>

#define VIRT_LEASE_KEY_WEIGHT 180          /* room that a key has in the name of a file: see virLockFileAddName */
#define VIRT_LEASE_KEY_TAIL   40           /* bytes of a longer one that are kept, or a few less, for people */

/*
 * Takes the key over. All hosts must give the same one to the same thing, and a lock manager has no room for long ones: those are kept apart by a
 * number made of the whole, and known to people by their end.
 */
static char *
virLeaseKey(char *taken)
{
    VIRT_CLEANUP_FREE char *key = taken;
    size_t weight = 0, colon;
    const char *tail;

    if (key == NULL)
        return NULL;
    for (const unsigned char *p = (const unsigned char *)key; *p != '\0'; p++) {
        const bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_';

        weight += plain ? 1 : 3;
    }
    if (weight <= VIRT_LEASE_KEY_WEIGHT)
        return virStringCopy(key);
    colon = strcspn(key, ":") + 1;
    /* whole characters of UTF-8: with a part of one the lease could not be read again */
    for (tail = key + strlen(key) - VIRT_LEASE_KEY_TAIL; ((unsigned char)*tail & 0xc0) == 0x80; tail++)
        ;
    return virStringFormat("%.*s%016llx...%s", (int)colon, key, virStringHash(key), tail);
}

/* Of one disk; NULL: it is read only, or meant to be shared, or not a place on this host that another guest could name. */
static const char *
virLeaseDiskPath(xmlNodePtr disk)
{
    static const char *const paths[] = { "source/@file", "source/@dev", "source/@dir" };
    const char *path = NULL;

    if (virXmlFirst(disk, "readonly") != NULL || virXmlFirst(disk, "shareable") != NULL || virXmlEquals(disk, "@device", "cdrom")
        || virXmlEquals(disk, "transient/@shareBacking", "yes"))
        return NULL;
    for (size_t i = 0; path == NULL && i < sizeof(paths) / sizeof(paths[0]); i++)
        path = virXmlString(disk, paths[i]);
    return path;
}

static int
virLeaseAddResources(xmlNodePtr devices, bool disks, char ***list, size_t *n)
{
    VIRT_XML_EACH(lease, devices, "lease") {
        const char *space = virXmlString(lease, "lockspace"), *key = virXmlNeed(lease, "key");

        virXmlString(lease, "target/@path");   /* where a manager of its own kind would keep it */
        virXmlString(lease, "target/@offset");
        if (key == NULL || virStringsAdd(list, n, virLeaseKey(virStringFormat("lease:%s/%s", space != NULL ? space : "", key))) < 0)
            return -1;
    }
    if (!disks)
        return 0;
    VIRT_XML_EACH(disk, devices, "disk") {
        const char *path = virLeaseDiskPath(disk);

        if (path != NULL && virStringsAdd(list, n, virLeaseKey(virStringFormat("disk:%s", path))) < 0)
            return -1;
    }
    return 0;
}

VIRT_INTERNAL int
virLeaseGuestRead(xmlDocPtr doc, bool disks, struct virLeaseGuest *guest)
{
    const xmlNodePtr root = virXmlRoot(doc), devices = virXmlFirst(root, "devices");
    const char *name = virXmlNeed(root, "name");
    unsigned char uuid[VIR_UUID_BUFLEN];
    char key[VIR_UUID_STRING_BUFLEN], **list = NULL;
    size_t n = 0;

    *guest = (struct virLeaseGuest){ 0 };
    if (name == NULL || virXmlNeed(root, "uuid") == NULL || virXmlUuid(root, "uuid", uuid) < 0)
        return -1;
    virUuidFormat(uuid, key);
    if ((guest->key = virStringCopy(key)) == NULL || (guest->what = virStringCopy(name)) == NULL
        || (devices != NULL && virLeaseAddResources(devices, disks, &list, &n) < 0)) {
        virStringsFree(list);
        virLeaseGuestClear(guest);
        return -1;
    }
    guest->resources = list;
    guest->nresources = n;
    guest->failure = virLockFailureFromName(virXmlString(root, "on_lockfailure"));
    return 0;
}

VIRT_INTERNAL void
virLeaseGuestClear(struct virLeaseGuest *guest)
{
    free((void *)(uintptr_t)guest->key);
    free((void *)(uintptr_t)guest->what);
    virStringsFree((char **)(uintptr_t)guest->resources);
    *guest = (struct virLeaseGuest){ 0 };
}

#undef VIRT_LEASE_KEY_WEIGHT
#undef VIRT_LEASE_KEY_TAIL
