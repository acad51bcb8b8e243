/*
 * Text, numbers, uuids and time.
 */
#ifndef VIRT_COMMON_TEXT_H
#define VIRT_COMMON_TEXT_H

#include "../driver.h"

#define VIRT_CLEANUP_FREE __attribute__((cleanup(virTextCleanupFree)))

VIRT_INTERNAL void virTextCleanupFree(void *ptr);      /* of a pointer to the pointer; keeps errno */

/* ---- text ---- */

/* asprintf that sets VIR_ERR_NO_MEMORY; the caller frees the result. */
VIRT_INTERNAL char *virStringFormat(const char *fmt, ...) VIRT_PRINTF(1, 2);
VIRT_INTERNAL char *virStringCopy(const char *text);   /* NULL stays NULL without error */
VIRT_INTERNAL char *virStringSlice(const char *text, size_t length);               /* a copy of these bytes; NULL with VIR_ERR_NO_MEMORY */
VIRT_INTERNAL void *virAllocate(size_t size);          /* zeroed; NULL with VIR_ERR_NO_MEMORY set */
/* A growing text; a failure sticks and is reported once, by virTextTake. */
struct virText { char *data; size_t length, size; bool failed; };
VIRT_INTERNAL void virTextAdd(struct virText *text, const char *fmt, ...) VIRT_PRINTF(2, 3);
VIRT_INTERNAL void virTextAppend(struct virText *text, const char *data, size_t length);
VIRT_INTERNAL void virTextAddXml(struct virText *text, const char *value);        /* escaped for XML */
VIRT_INTERNAL char *virTextTake(struct virText *text);                             /* caller frees; NULL with error set */
VIRT_INTERNAL void virTextFree(struct virText *text);
#define VIRT_CLEANUP_TEXT __attribute__((cleanup(virTextFree)))
/* NULL-terminated arrays of strings */
VIRT_INTERNAL int virStringsAdd(char ***list, size_t *count, char *taken);          /* takes `taken` over also on failure; NULL is failure */
VIRT_INTERNAL void virStringsFree(char **list);
/* whole-string numbers, surrounding blanks allowed: 0, or -1 without an error set */
VIRT_INTERNAL int virStringToULL(const char *text, int base, unsigned long long *value);
VIRT_INTERNAL int virStringToInt(const char *text, int base, int *value);
/* The digits of a number, as "%lld" writes them, many times faster; their count. text has room for VIRT_NUMBER_BUFLEN. */
#define VIRT_NUMBER_BUFLEN 21
VIRT_INTERNAL size_t virNumberFormat(long long value, char *text);
/*
 * A number with a point, whatever the locale has instead; Format: so many digits that Parse gives the same number. Parse takes the whole text: 0, or
 * -1 without an error set.
 */
#define VIRT_DOUBLE_BUFLEN 48
VIRT_INTERNAL size_t virDoubleFormat(double value, char *text);
VIRT_INTERNAL int virDoubleParse(const char *text, double *value);
/* FNV-1a: a short name for a long text, the same everywhere and always. */
VIRT_INTERNAL unsigned long long virStringHash(const char *text);

/* A name that a guest may have: 0, or -1 with the error set. NULL is none. */
VIRT_INTERNAL int virGuestNameCheck(const char *name);

/* ---- uuids ---- */
VIRT_INTERNAL int virUuidGenerate(unsigned char *uuid);                 /* random, version 4; -1 with error set */
VIRT_INTERNAL int virUuidParse(const char *text, unsigned char *uuid);  /* libvirt's rules: 32 hex digits, dashes and blanks anywhere between; -1, no error set */
VIRT_INTERNAL void virUuidFormat(const unsigned char *uuid, char *text /* VIR_UUID_STRING_BUFLEN */);

/* ---- time ---- */
VIRT_INTERNAL unsigned long long virTimeNowUs(void);                    /* CLOCK_MONOTONIC */

#endif
