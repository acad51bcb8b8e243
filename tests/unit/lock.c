/*
 * Leases: the sequences of tests/model/migration.pml, and who is told what.
 */
#define VIRT_STATIC
#include "../../virt.c"
#include "../harness.h"
#include <unistd.h>

TEST(a_lease_moves_once_and_what_was_told_becomes_stale)
{
    const struct virLockManager *m = &virLockFile;
    unsigned long long epoch = 0, mine, moved = 0;
    struct virLock *lock;
    int fd = -1, second = -1;

    CHECK_OK(virFileMakePath(scratchPath("l"), 0700));
    CHECK_PTR(lock = m->open(scratchPath("l")));
    CHECK_OK(m->acquire(lock, "k", "s", &epoch, &fd));
    CHECK_UINT(epoch, 1);
    CHECK_FAILS(m->acquire(lock, "k", "t", &moved, &second), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "'s' (epoch 1)");
    mine = epoch;
    CHECK_OK(m->keep(lock, "k", "s", 1, &mine));
    CHECK_UINT(mine, 2);
    CHECK_FAILS(m->transfer(lock, "k", "s", "d", 1, &moved), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(m->transfer(lock, "k", "s", "d", 2, &moved));
    CHECK_OK(m->transfer(lock, "k", "s", "d", 2, &moved));
    CHECK_UINT(moved, 3);
    CHECK_FAILS(m->keep(lock, "k", "s", 2, &mine), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(m->release(lock, "k", "d", 3));
    CHECK_FAILS(m->keep(lock, "k", "s", 2, &mine), VIR_ERR_RESOURCE_BUSY);
    close(fd);
    CHECK_OK(m->acquire(lock, "k", "t", &epoch, &fd));
    CHECK_UINT(epoch, 4);
    close(fd);                                          /* the holder dies */
    CHECK_OK(m->acquire(lock, "k", "s", &epoch, &fd));
    CHECK_UINT(epoch, 5);
    close(fd);
    CHECK_OK(virFileWrite(scratchPath("l/k.lease"), "{", 1, 0600));
    CHECK(m->acquire(lock, "k", "t", &epoch, &fd) < 0);
    m->close(lock);
}
