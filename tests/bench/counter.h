/*
 * The other end of a counting guest's serial line: a UDP port, because source and destination of a
 * migration can both send to the same one, with the same document. A thread notes when each number
 * came; so the pause that a migration makes is measured from outside, where a user would see it.
 */
#ifndef TESTS_BENCH_COUNTER_H
#define TESTS_BENCH_COUNTER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct counter {
    int fd, port;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock;           /* guards the rest */
    long long last;                 /* the newest number; -1 none yet */
    uint64_t lastNs, gapNs;         /* when it came; the longest pause since counterMark */
    unsigned long wrong;            /* numbers that do not follow the one before, and other lines */
    char line[128];
    size_t length;
};

static inline uint64_t
counterNow(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void
counterLine(struct counter *counter, uint64_t now)
{
    char *end;
    long long n = strtoll(counter->line, &end, 10);

    if (end == counter->line || *end != '\0') {
        if (counter->line[0] != '\0') {
            fprintf(stderr, "the guest says: %s\n", counter->line);
            counter->wrong++;
        }
        return;
    }
    if (counter->last >= 0 && n != counter->last + 1) {
        fprintf(stderr, "%lld follows %lld\n", n, counter->last);
        counter->wrong++;
    }
    if (counter->last >= 0 && now - counter->lastNs > counter->gapNs)
        counter->gapNs = now - counter->lastNs;
    counter->last = n;
    counter->lastNs = now;
}

static inline void *
counterRun(void *opaque)
{
    struct counter *counter = opaque;
    char data[2048];

    while (!counter->stop) {
        ssize_t n = recv(counter->fd, data, sizeof(data), 0);
        uint64_t now = counterNow();

        pthread_mutex_lock(&counter->lock);
        for (ssize_t i = 0; i < n; i++) {
            if (data[i] == '\n') {
                counter->line[counter->length] = '\0';
                counterLine(counter, now);
                counter->length = 0;
            } else if (data[i] != '\r' && counter->length + 1 < sizeof(counter->line)) {
                counter->line[counter->length++] = data[i];
            }
        }
        pthread_mutex_unlock(&counter->lock);
    }
    return NULL;
}

/* port 0: any free one. False, with errno, if it cannot be had. */
static inline bool
counterOpen(struct counter *counter, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    socklen_t size = sizeof(address);
    struct timeval tick = { 0, 50000 };
    int room = 4 << 20;

    memset(counter, 0, sizeof(*counter));
    counter->last = -1;
    pthread_mutex_init(&counter->lock, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if ((counter->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0 ||
        setsockopt(counter->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) < 0 ||
        setsockopt(counter->fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick)) < 0 ||
        bind(counter->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockname(counter->fd, (struct sockaddr *)&address, &size) < 0)
        return false;
    counter->port = ntohs(address.sin_port);
    return pthread_create(&counter->thread, NULL, counterRun, counter) == 0;
}

static inline void
counterClose(struct counter *counter)
{
    counter->stop = true;
    pthread_join(counter->thread, NULL);
    close(counter->fd);
}

static inline long long
counterLast(struct counter *counter)
{
    long long last;

    pthread_mutex_lock(&counter->lock);
    last = counter->last;
    pthread_mutex_unlock(&counter->lock);
    return last;
}

/* Waits until the guest has counted on by so many; false after ten seconds without that. */
static inline bool
counterWait(struct counter *counter, long long more)
{
    long long target = counterLast(counter) + more;
    uint64_t end = counterNow() + 10000000000u;

    while (counterLast(counter) < target) {
        if (counterNow() > end)
            return false;
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    return true;
}

/* From here on the longest pause is looked for. */
static inline void
counterMark(struct counter *counter)
{
    pthread_mutex_lock(&counter->lock);
    counter->gapNs = 0;
    pthread_mutex_unlock(&counter->lock);
}

static inline uint64_t
counterGap(struct counter *counter)
{
    uint64_t gap;

    pthread_mutex_lock(&counter->lock);
    gap = counter->gapNs;
    pthread_mutex_unlock(&counter->lock);
    return gap;
}

/* A new guest begins at 0 again. */
static inline void
counterReset(struct counter *counter)
{
    pthread_mutex_lock(&counter->lock);
    counter->last = -1;
    counter->length = 0;
    pthread_mutex_unlock(&counter->lock);
}

#endif /* TESTS_BENCH_COUNTER_H */
