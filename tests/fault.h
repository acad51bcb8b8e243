/*
 * Failing allocations and failing system calls, wrapped around ordinary test code.
 *
 *     static int
 *     defineAndDrop(void *opaque)             0: it succeeded; -1: it failed, with virt's error set
 *     {
 *         virDomainPtr domain = virDomainDefineXML(opaque, xml);
 *
 *         if (domain == NULL)
 *             return -1;                      the body itself must not leak, also on this path
 *         virDomainUndefine(domain);
 *         virDomainFree(domain);
 *         return 0;
 *     }
 *
 *     TEST_LIMIT(define_survives_every_failing_allocation, 300)
 *     {
 *         ...
 *         FAULT_EACH_ALLOCATION(defineAndDrop, conn);
 *         FAULT_EACH(FAULT_OPEN, defineAndDrop, conn);
 *     }
 *
 * The body runs undisturbed first (twice: caches fill); then once for each n with its n-th
 * allocation or call failing alone, and once more with all from the n-th on failing, until a run
 * makes fewer than n of them; and undisturbed at the end, when it has to succeed again. Allowed is
 * success, or -1 with an error set. Not allowed: a crash, -1 without an error, blocks of memory that
 * are still there afterwards (or, for system calls, more open descriptors).
 *
 * A body that takes up what an earlier, failed run left half done (a stored file, say) should begin
 * by removing it; clean-up that must not fail itself goes between faultPause() and faultResume().
 *
 * Only the calling thread is disturbed. In an ordinary build the allocations of libxml2 and cJSON
 * fail too; faultSpare("libxml2") leaves out those made by a library itself, for parts where its own
 * faults would be met. Under sanitizers and valgrind only the allocations of virt's and the test's
 * code fail, and the tool finds the leaks. The system calls are always those of virt and the test.
 *
 * VIRT_FAULT_STRIDE=k takes every k-th n only; VIRT_FAULT_TRACE=1 prints, for each block that leaked,
 * where it was allocated.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include "harness.h"

enum faultKind {
    FAULT_ALLOCATION,       /* malloc, calloc, realloc, strdup, asprintf, ...: ENOMEM */
    FAULT_OPEN,             /* open, openat, fopen, mkstemp, opendir, memfd_create: EMFILE */
    FAULT_WRITE,            /* write, pwrite, writev, ftruncate: ENOSPC */
    FAULT_READ,             /* read, pread: EIO */
    FAULT_FSYNC,            /* fsync, fdatasync: EIO */
    FAULT_RENAME,           /* rename, renameat, link: EIO */
    FAULT_MKDIR,            /* mkdir, mkdirat: ENOSPC */
    FAULT_UNLINK,           /* unlink, unlinkat, rmdir: EIO */
    FAULT_SPAWN,            /* fork, posix_spawn, pipe, pipe2: EAGAIN */
    FAULT_SOCKET,           /* socket, socketpair, bind, listen, connect, accept4: ENOBUFS */
    FAULT_KINDS
};

typedef int (*faultBody)(void *opaque);

/* virDomainFree(NULL) makes an error, so that the thread's slot for errors exists beforehand. */
#define FAULT_EACH(kind, body, opaque)                                                          \
    (virDomainFree(NULL), virResetLastError(),                                                  \
     faultEach(HARNESS_AT, kind, body, opaque, virGetLastErrorCode, virGetLastErrorMessage,     \
               virResetLastError))
#define FAULT_EACH_ALLOCATION(body, opaque) FAULT_EACH(FAULT_ALLOCATION, body, opaque)

/* By hand: the n-th (from 1) of this kind fails, or all from the n-th on; n 0 only counts. */
void faultArm(enum faultKind kind, unsigned long n, bool andAllThatFollow);
unsigned long faultDisarm(void);        /* how many there were since faultArm */
bool faultWasHit(void);                 /* whether one failed */

void faultPause(void);
void faultResume(void);

/* Allocations made by this library (a part of its file name) do not fail. */
void faultSpare(const char *library);

void faultEach(const char *file, int line, enum faultKind kind, faultBody body, void *opaque,
               int (*errorCode)(void), const char *(*errorMessage)(void), void (*errorReset)(void));

#endif /* TESTS_FAULT_H */
