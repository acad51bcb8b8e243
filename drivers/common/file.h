/*
 * Files as the state directory needs them: replaced atomically and durably, never half written, close-on-exec always.
 */
#ifndef VIRT_COMMON_FILE_H
#define VIRT_COMMON_FILE_H

#include "../driver.h"

#include <sys/types.h>

#define VIRT_CLEANUP_FREE  __attribute__((cleanup(virFileCleanupFree)))
#define VIRT_CLEANUP_CLOSE __attribute__((cleanup(virFileCleanupClose)))

VIRT_INTERNAL void virFileCleanupFree(void *ptr);      /* of a pointer to the pointer */
VIRT_INTERNAL void virFileCleanupClose(int *fd);       /* keeps errno */

/* Reads a whole file of at most max bytes; NUL-terminated; *length may be NULL. NULL with the system's error set, naming path. */
VIRT_INTERNAL char *virFileRead(const char *path, size_t max, size_t *length);
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

/* ---- text ---- */

/* asprintf that sets VIR_ERR_NO_MEMORY; the caller frees the result. */
VIRT_INTERNAL char *virStringFormat(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
VIRT_INTERNAL char *virStringCopy(const char *text);   /* NULL stays NULL without error */
VIRT_INTERNAL void *virAllocate(size_t size);          /* zeroed; NULL with VIR_ERR_NO_MEMORY set */
/* A growing text; a failure sticks and is reported once, by virTextTake. */
struct virText { char *data; size_t length, size; bool failed; };
VIRT_INTERNAL void virTextAdd(struct virText *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
VIRT_INTERNAL void virTextAppend(struct virText *text, const char *data, size_t length);
VIRT_INTERNAL void virTextAddXml(struct virText *text, const char *value);        /* escaped for XML */
VIRT_INTERNAL char *virTextTake(struct virText *text);                             /* caller frees; NULL with error set */
VIRT_INTERNAL void virTextFree(struct virText *text);
/* NULL-terminated arrays of strings */
VIRT_INTERNAL int virStringsAdd(char ***list, size_t *count, char *taken);          /* takes `taken` over also on failure; NULL is failure */
VIRT_INTERNAL void virStringsFree(char **list);
/* whole-string numbers, surrounding blanks allowed: 0, or -1 without an error set */
VIRT_INTERNAL int virStringToULL(const char *text, int base, unsigned long long *value);
VIRT_INTERNAL int virStringToInt(const char *text, int base, int *value);

/* ---- uuids ---- */
VIRT_INTERNAL int virUuidGenerate(unsigned char *uuid);                 /* random, version 4; -1 with error set */
VIRT_INTERNAL int virUuidParse(const char *text, unsigned char *uuid);  /* libvirt's rules: 32 hex digits, dashes and blanks anywhere between; -1, no error set */
VIRT_INTERNAL void virUuidFormat(const unsigned char *uuid, char *text /* VIR_UUID_STRING_BUFLEN */);

/* ---- time ---- */
VIRT_INTERNAL unsigned long long virTimeNowUs(void);                    /* CLOCK_MONOTONIC */

#endif
