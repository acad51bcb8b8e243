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

/*
 * An image of a guest that fills 32 MiB once, before it counts, and only checks them from then on. For a test that cancels a transfer and migrates
 * the same guest again: there QEMU 7.2 without KVM now and then loses what the guest writes meanwhile, by raw QMP alone as well, and a guest that
 * writes would show QEMU's fault instead of ours. What is sent twice, late or not at all it still finds.
 */
static inline const char *
countingQuietImage(void)
{
    char command[2048];

    snprintf(command, sizeof(command), "tests/guest/mkguest --count-hz 100 --dirty-hz 0 --fill-mib 32 %s %s", buildPath("guest/counter.img"),
             scratchPath("quiet.img"));
    CHECK_INT(runShell(command, NULL), 0);
    return scratchPath("quiet.img");
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

/*
 * The guest of build/guest/disk.img also writes each number to a sector of its first IDE disk, so many in turn. Looks at the image from outside:
 * each sector is whole, and their numbers are the newest ones without a gap. Returns the newest number; -1 and says why: it is not so.
 */
#define COUNTING_SECTORS 300

static inline long
countingDisk(const char *path)
{
    unsigned int sector[128], newest = 0, oldest = 0xffffffffu;
    FILE *f = fopen(path, "r");

    CHECK_NOT_NULL(f);
    for (unsigned int i = 0; i < COUNTING_SECTORS; i++) {
        CHECK_INT(fread(sector, sizeof(sector), 1, f), 1);
        CHECK_MSG(sector[0] == 0x54524956u && sector[1] == i && sector[2] % COUNTING_SECTORS == i, "sector %u holds %x %u %u", i, sector[0],
                  sector[1], sector[2]);
        for (unsigned int k = 3; k < 128; k++)
            CHECK_MSG(sector[k] == ((sector[2] + 1) * 0x9e3779b1u ^ (i + k)), "sector %u, of number %u, is torn at word %u", i, sector[2], k);
        newest = sector[2] > newest ? sector[2] : newest;
        oldest = sector[2] < oldest ? sector[2] : oldest;
    }
    fclose(f);
    CHECK_UINT(newest - oldest, COUNTING_SECTORS - 1);
    return newest;
}

#endif
