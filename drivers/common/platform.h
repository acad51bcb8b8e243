/*
 * What operating systems spell differently, under names of our own: posix.c has it for systems with POSIX, windows.c for
 * Windows. All other files are the same on both, except that a host without guests of its own needs no file.c (but for reading),
 * process.c and host.c (but for its names), which are empty on Windows, and no driver of a local hypervisor.
 */
#ifndef VIRT_COMMON_PLATFORM_H
#define VIRT_COMMON_PLATFORM_H

#include "../driver.h"

#ifdef _WIN32
# ifndef WIN32_LEAN_AND_MEAN
#  define WIN32_LEAN_AND_MEAN
# endif
# include <winsock2.h>               /* struct pollfd */
# undef interface                    /* Windows's headers take this word where an application has included all of them */
#else
# include <poll.h>
#endif

/* Random bytes of the system's: 0, or -1 with errno set. */
VIRT_INTERNAL int virPlatformRandom(void *data, size_t size);
/* What an errno means; in text, which holds size bytes, or in memory that stays. */
VIRT_INTERNAL const char *virPlatformErrorText(int errnum, char *text, size_t size);
/* Whether a path names the same file from any directory. */
VIRT_INTERNAL bool virPlatformIsAbsolute(const char *path);

/* A line from the terminal, which does not show it, in line; NULL where that cannot be had. And memory emptied, whatever an optimizer thinks of it. */
VIRT_INTERNAL char *virPlatformAskHidden(const char *prompt, char *line, size_t size);
VIRT_INTERNAL void virPlatformErase(void *data, size_t size);

/* Condition variables that wait by the clock of virTimeNowUs. `end` 0: for ever. Returns 0, or ETIMEDOUT. */
VIRT_INTERNAL void virPlatformCondInit(pthread_cond_t *cond);
VIRT_INTERNAL int virPlatformCondWait(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned long long end);

#ifndef _WIN32
/* A thread that takes no signals: those are for the application's own. 0, or an errno. */
VIRT_INTERNAL int virPlatformThread(pthread_t *thread, void *(*run)(void *opaque), void *opaque);
#endif

/* poll(). On Windows of sockets alone. -1 with errno set. */
VIRT_INTERNAL int virPlatformPoll(struct pollfd *fds, size_t count, int timeout);
/*
 * Two descriptors, the second to wake who polls the first: 0, or -1 with errno set. Neither blocks, and a child process gets neither.
 * A wake that nobody has drained yet is as good as two: only other failures are -1, with errno set.
 */
VIRT_INTERNAL int virPlatformWakeOpen(int wake[2]);
VIRT_INTERNAL int virPlatformWakeSend(const int wake[2]);
VIRT_INTERNAL void virPlatformWakeDrain(const int wake[2]);
/* Two sockets that are connected, for hypervisors to talk over; no child process gets them. 0, or -1 with errno set. */
VIRT_INTERNAL int virPlatformSocketPair(int pair[2]);

#endif
