/*
 * What platform.h promises, for systems with POSIX.
 */
#include "platform.h"
#include "text.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

VIRT_INTERNAL int
virPlatformRandom(void *data, size_t size)
{
    return getentropy(data, size);
}

/* GNU's strerror_r returns the text, POSIX's whether it has put one there. */
VIRT_INTERNAL const char *
virPlatformErrorText(int errnum, char *text, size_t size)
{
#ifdef __GLIBC__
    return strerror_r(errnum, text, size);
#else
    return strerror_r(errnum, text, size) == 0 ? text : "unknown error";
#endif
}

VIRT_INTERNAL bool
virPlatformIsAbsolute(const char *path)
{
    return *path == '/';
}

VIRT_INTERNAL char *
virPlatformAskHidden(const char *prompt, char *line, size_t size)
{
    char *text = getpass(prompt);

    if (text == NULL)
        return NULL;
    snprintf(line, size, "%s", text);
    explicit_bzero(text, strlen(text));
    return line;
}

VIRT_INTERNAL void
virPlatformErase(void *data, size_t size)
{
    explicit_bzero(data, size);
}

VIRT_INTERNAL void
virPlatformCondInit(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

VIRT_INTERNAL int
virPlatformCondWait(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned long long end)
{
    struct timespec until = { .tv_sec = (time_t)(end / 1000000), .tv_nsec = (long)(end % 1000000) * 1000 };

    return end == 0 ? pthread_cond_wait(cond, lock) : pthread_cond_timedwait(cond, lock, &until);
}

VIRT_INTERNAL int
virPlatformThread(pthread_t *thread, void *(*run)(void *opaque), void *opaque)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, NULL, run, opaque);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

VIRT_INTERNAL int
virPlatformPoll(struct pollfd *fds, size_t count, int timeout)
{
    return poll(fds, count, timeout);
}

VIRT_INTERNAL int
virPlatformWakeOpen(int wake[2])
{
    return pipe2(wake, O_CLOEXEC | O_NONBLOCK);
}

VIRT_INTERNAL int
virPlatformWakeSend(const int wake[2])
{
    return write(wake[1], "", 1) < 0 && errno != EAGAIN ? -1 : 0;
}

VIRT_INTERNAL void
virPlatformWakeDrain(const int wake[2])
{
    char drain[64];

    while (read(wake[0], drain, sizeof(drain)) > 0)
        ;
}

VIRT_INTERNAL int
virPlatformSocketPair(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

#endif
