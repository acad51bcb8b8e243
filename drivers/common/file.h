/*
 * Files as the state directory needs them: replaced atomically and durably, never half written, close-on-exec always.
 */
#ifndef VIRT_COMMON_FILE_H
#define VIRT_COMMON_FILE_H

#include "../driver.h"
#include "text.h"

#include <sys/types.h>

/* Reads a whole file of at most max bytes; NUL-terminated; *length may be NULL. NULL with the system's error set, naming path. */
VIRT_INTERNAL char *virFileRead(const char *path, size_t max, size_t *length);

#ifndef _WIN32                                         /* what follows keeps state, which a host without guests of its own has none of */

# define VIRT_CLEANUP_CLOSE __attribute__((cleanup(virFileCleanupClose)))

VIRT_INTERNAL void virFileCleanupClose(int *fd);       /* keeps errno */

/* Temporary file beside path, write, fsync, rename, fsync of the directory. 0, or -1 with the error set and nothing changed. */
VIRT_INTERNAL int virFileWrite(const char *path, const char *data, size_t length, mode_t mode);
/* The same without the two fsyncs, for what need not survive a power cut. */
VIRT_INTERNAL int virFileWriteVolatile(const char *path, const char *data, size_t length, mode_t mode);
/* Removes a file durably (fsync of the directory); a missing file is fine. */
VIRT_INTERNAL int virFileRemove(const char *path);
/* mkdir -p; the last component gets mode, others 0755; existing ones are fine. */
VIRT_INTERNAL int virFileMakePath(const char *path, mode_t mode);
/*
 * Takes the one lock file that says who owns a directory (an open file description lock, so that it ends with the process).
 * Returns the descriptor to keep, or -1; when somebody else holds it, *owner is that
 * process's pid (perhaps this one's) and no error is set; with owner NULL, and for all other failures (*owner is 0 then), an error is set.
 */
VIRT_INTERNAL int virFileLock(const char *path, pid_t *owner);
/* Calls visit(name, opaque) for each entry of a directory, sorted by name, "." and ".." left out, until it returns non-zero. */
VIRT_INTERNAL int virFileEach(const char *directory, int (*visit)(const char *name, void *opaque), void *opaque);
/* Unix sockets. A path longer than sun_path goes through /proc/self/fd of its directory. Non-blocking and close-on-exec. */
VIRT_INTERNAL int virFileListen(const char *path, int backlog);
VIRT_INTERNAL int virFileConnect(const char *path);

#endif
#endif
