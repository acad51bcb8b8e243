/*
 * virt and libvirt in one process, both at work: each lives through the same hour with the test driver, in a thread and
 * an event loop of its own, at the same time as the other, and gives the same answers.
 *
 *     cc beside.c ours.c theirs.c $(pkg-config --cflags --libs libxml-2.0 libcjson libvirt)       linked with libvirt
 *     cc beside.c ours.c loaded.c $(pkg-config --cflags --libs libxml-2.0 libcjson)               loads it by dlopen
 *
 * 0 if all is as it should be, 77 if there is no libvirt to load.
 */
#include "beside.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int bad;

static void
compare(const char *what, const char *ours, const char *theirs)
{
    printf("%-9s %-38s %s\n", what, ours, theirs);
    if (strcmp(ours, theirs) != 0) {
        printf("    which is not the same\n");
        bad++;
    }
}

static void
compareNumbers(const char *what, unsigned long ours, unsigned long theirs)
{
    char one[32], other[32];

    snprintf(one, sizeof(one), "%lu", ours);
    snprintf(other, sizeof(other), "%lu", theirs);
    compare(what, one, other);
}

static void
expect(int so, const char *what)
{
    if (!so) {
        printf("not so: %s\n", what);
        bad++;
    }
}

int
main(void)
{
    struct answers a = { .absent = "nobody, says virt" }, b = { .absent = "nobody, says libvirt" };
    pthread_t ours, theirs;

    if (pthread_create(&ours, NULL, besideOurs, &a) != 0 || pthread_create(&theirs, NULL, besideTheirs, &b) != 0)
        return 2;
    pthread_join(ours, NULL);
    pthread_join(theirs, NULL);
    if (strstr(b.failure, "cannot open shared object") != NULL) {
        printf("%s\n", b.failure);
        return 77;
    }
    if (a.failure[0] != '\0' || b.failure[0] != '\0') {
        printf("virt: %s\nlibvirt: %s\n", a.failure, b.failure);
        return 1;
    }
    printf("%-9s %-38s %s\n", "", "virt", "libvirt");
    printf("%-9s %-38s %s\n", "code in", a.file, b.file);
    expect(strstr(a.file, "libvirt.so") == NULL, "virt's code is in the program");
    expect(strstr(b.file, "libvirt.so.0") != NULL, "libvirt's code is in libvirt.so.0");
    printf("%-9s %-38lu %lu\n", "API", a.version, b.version);
    expect(a.version > 0 && b.version > 0, "both have a version");
    compare("type", a.type, b.type);
    compare("uuid", a.uuid, b.uuid);
    compareNumbers("memory", a.memory, b.memory);
    compareNumbers("vcpus", (unsigned long)a.vcpus, (unsigned long)b.vcpus);
    compareNumbers("state", (unsigned long)a.state, (unsigned long)b.state);
    compareNumbers("guests", (unsigned long)a.guests, (unsigned long)b.guests);
    compareNumbers("asked", a.asked, b.asked);
    expect(a.asked == 4000, "two threads got 2000 good answers each");
    compareNumbers("error", (unsigned long)a.error, (unsigned long)b.error);
    /* each has an error of its own, about what was asked of it */
    expect(strstr(a.message, a.absent) != NULL, "virt's error is about the guest that virt was asked for");
    expect(b.message[0] != '\0' && strstr(b.message, a.absent) == NULL, "libvirt's error is its own");
    compareNumbers("events", (unsigned long)a.nevents, (unsigned long)b.nevents);
    expect(a.nevents == ANSWER_EVENTS, "all events have come");
    for (int i = 0; i < a.nevents; i++)
        compare("", a.events[i], b.events[i]);
    compareNumbers("closed", (unsigned long)a.closed, (unsigned long)b.closed);
    return bad > 0;
}
