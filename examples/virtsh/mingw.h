/*
 * mingw.h: what virtsh asks of the C library and mingw-w64's has not
 *
 * Only virtsh.h includes it. Each function does what its namesake does elsewhere, as far as virtsh uses it.
 */
#ifndef VIRTSH_MINGW_H
#define VIRTSH_MINGW_H

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#undef CALLBACK                             /* event.c has a macro of this name */

#define O_CLOEXEC _O_NOINHERIT
#define WIFEXITED(status) 1                 /* system() gives the code itself */
#define WEXITSTATUS(status) (status)

static inline struct tm *
virtshGmtime(const time_t *when, struct tm *fields)
{
    return gmtime_s(fields, when) == 0 ? fields : NULL;
}
#undef gmtime_r
#define gmtime_r virtshGmtime

static inline char *
strndup(const char *text, size_t max)
{
    size_t length = strnlen(text, max);
    char *copy = malloc(length + 1);

    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

static inline char *
stpcpy(char *to, const char *from)
{
    size_t length = strlen(from);

    memcpy(to, from, length + 1);
    return to + length;
}

static inline char *
strsep(char **rest, const char *separators)
{
    char *word = *rest;

    if (word == NULL)
        return NULL;
    *rest += strcspn(word, separators);
    if (**rest == '\0')
        *rest = NULL;
    else
        *(*rest)++ = '\0';
    return word;
}

static inline ssize_t
getline(char **line, size_t *size, FILE *file)
{
    size_t length = 0;
    int c;

    while ((c = getc(file)) != EOF) {
        if (length + 2 > *size) {
            char *grown = realloc(*line, (*size + 64) * 2);

            if (grown == NULL)
                return -1;
            *line = grown;
            *size = (*size + 64) * 2;
        }
        (*line)[length++] = (char) c;
        if (c == '\n')
            break;
    }
    if (length == 0)
        return -1;
    (*line)[length] = '\0';
    return (ssize_t) length;
}

/* Text is UTF-8 in virt, whatever the locale's is. */
static inline size_t
virtshWiden(wchar_t *wide, const char *text, size_t size)
{
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, (int) size);

    return length > 0 ? (size_t) length - 1 : (size_t) -1;
}
#define mbstowcs virtshWiden

/* A column a character: no table of wide ones here. */
static inline int
wcswidth(const wchar_t *text, size_t count)
{
    return (int) wcsnlen(text, count);
}

/* XXXXXX and a suffix of four characters, for a file that nobody has. */
static inline int
mkostemps(char *path, int suffix, int flags)
{
    char *at = path + strlen(path) - suffix - 6;

    for (int i = 0; i < 100; i++) {
        unsigned int number = (unsigned int) time(NULL) * 1009 + (unsigned int) clock() + (unsigned int) i;
        int fd;

        for (int digit = 0; digit < 6; digit++, number /= 36)
            at[digit] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
        if ((fd = _open(path, _O_RDWR | _O_CREAT | _O_EXCL | _O_BINARY | flags, 0600)) >= 0)
            return fd;
    }
    return -1;
}

#endif
