/*
 * A guest that counts on its serial line and checks its memory meanwhile (build/guest/light.img), over a migration: both hosts append to the same
 * file, so a number that is lost, repeated or wrong shows there.
 */
#ifndef TESTS_COUNTING_H
#define TESTS_COUNTING_H

#include "../virt.h"
#include "harness.h"

/* Its document; image as guestImage() gives it. Valid until the next call. */
static inline const char *
countingDocument(const char *name, const char *image, const char *serial, int mib)
{
    static char xml[8192];
    char path[4096];

    CHECK_NOT_NULL(realpath(image, path));
    snprintf(xml, sizeof(xml), "<domain type='qemu'><name>%s</name><memory unit='MiB'>%d</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
             "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/><readonly/></disk>"
             "<serial type='file'><source path='%s' append='on'/></serial></devices></domain>", name, mib, path, serial);
    return xml;
}

/* The newest number that the guest has said; a gap, a repetition or corrupted memory fails the test. -1: none yet. */
static inline long
countingNewest(const char *serial)
{
    char line[256], *end;
    long last = -1, n;
    FILE *f = fopen(serial, "r");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL && strchr(line, '\n') != NULL) {
        n = strtol(line, &end, 10);
        CHECK_MSG(strstr(line, "CORRUPT") == NULL, "the guest says: %s", line);
        if (end == line)
            continue;
        if (last >= 0)
            CHECK_INT(n, last + 1);
        last = n;
    }
    if (f != NULL)
        fclose(f);
    return last;
}

/* It counts on from where it is. */
static inline void
countingGoesOn(const char *serial)
{
    long first = countingNewest(serial);

    WAIT_FOR(countingNewest(serial) >= first + 20, 60000);
}

#endif
