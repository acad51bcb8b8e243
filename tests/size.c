/*
 * Opens a connection, asks how many guests there are, and then shows what the process has in memory: each file
 * mapped, and the sums that the kernel keeps. With virt or with libvirt; tests/size.sh makes the table.
 */
#ifdef VIRT_HEADER
# include VIRT_HEADER
#else
# include <libvirt/libvirt.h>
# include <libvirt/virterror.h>
#endif

#include <stdio.h>

static int
show(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4096];

    if (file == NULL)
        return -1;
    while (fgets(line, sizeof(line), file) != NULL)
        fputs(line, stdout);
    return fclose(file);
}

int
main(int argc, char **argv)
{
    virConnectPtr conn = NULL;

    if (argc > 1) {
        if (virEventRegisterDefaultImpl() < 0 || (conn = virConnectOpen(argv[1])) == NULL) {
            fprintf(stderr, "%s: %s\n", argv[1], virGetLastErrorMessage());
            return 1;
        }
        if (virConnectNumOfDomains(conn) != 0)
            return 1;
    }
    if (show("/proc/self/maps") < 0 || show("/proc/self/smaps_rollup") < 0)
        return 1;
    if (conn != NULL)
        virConnectClose(conn);
    return 0;
}
