/*
 * A bare nanomsg ping-pong: what a call to another process costs before anybody has said anything. Two processes with the same raw
 * sockets as the remote driver and the server, and messages of a call's sizes.
 *
 *   pingpong ADDRESS REQUEST-BYTES REPLY-BYTES SECONDS
 *
 * One JSON line, as apibench's.
 */
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 131072

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int
failed(const char *what)
{
    fprintf(stderr, "pingpong: %s: %s\n", what, nn_strerror(nn_errno()));
    return 1;
}

/* Sends `size` bytes with the header that control holds, which nanomsg takes over. */
static int
send_bytes(int socket, size_t size, void *control)
{
    void *body = nn_allocmsg(size, 0);
    struct nn_iovec part = { &body, NN_MSG };
    struct nn_msghdr message = { &part, 1, &control, NN_MSG };

    if (body == NULL)
        return -1;
    memset(body, 'x', size);
    return nn_sendmsg(socket, &message, 0);
}

static int
answer(const char *address, size_t size)
{
    int socket = nn_socket(AF_SP_RAW, NN_REP);

    if (socket < 0 || nn_bind(socket, address) < 0)
        return failed(address);
    for (;;) {
        void *body, *control;
        struct nn_iovec part = { &body, NN_MSG };
        struct nn_msghdr message = { &part, 1, &control, NN_MSG };

        if (nn_recvmsg(socket, &message, 0) < 0)
            return failed("receive");
        nn_freemsg(body);
        if (send_bytes(socket, size, control) < 0)
            return failed("answer");
    }
}

/* The header of a raw request: its number with the top bit set. */
static void *
request_header(unsigned int id)
{
    const unsigned char bytes[4] = { (unsigned char)(id >> 24 | 0x80), (unsigned char)(id >> 16), (unsigned char)(id >> 8), (unsigned char)id };
    const size_t length = sizeof(bytes), size = NN_CMSG_SPACE(sizeof(length) + sizeof(bytes));
    struct nn_cmsghdr *header = nn_allocmsg(size, 0);

    if (header == NULL)
        return NULL;
    memset(header, 0, size);
    header->cmsg_len = NN_CMSG_LEN(sizeof(length) + sizeof(bytes));
    header->cmsg_level = PROTO_SP;
    header->cmsg_type = SP_HDR;
    memcpy(NN_CMSG_DATA(header), &length, sizeof(length));
    memcpy((unsigned char *)NN_CMSG_DATA(header) + sizeof(length), bytes, sizeof(bytes));
    return header;
}

static int
ask(const char *address, size_t request, size_t reply, double seconds)
{
    static double samples[SAMPLES];
    int socket = nn_socket(AF_SP_RAW, NN_REQ);
    size_t count = 0, kept;
    double start, before, after;
    void *body;

    if (socket < 0 || nn_connect(socket, address) < 0)
        return failed(address);
    usleep(200000);                   /* nanomsg connects in its own time */
    for (start = after = now(); after - start < seconds * 1e6; count++) {
        void *header = request_header((unsigned int)count);

        before = after;
        if (header == NULL || send_bytes(socket, request, header) < 0 || nn_recv(socket, &body, NN_MSG, 0) != (int)reply)
            return failed("ask");
        nn_freemsg(body);
        after = now();
        samples[count % SAMPLES] = after - before;
    }
    kept = count < SAMPLES ? count : SAMPLES;
    qsort(samples, kept, sizeof(samples[0]), compare);
    printf("{\"name\":\"floor_%zu\",\"ops\":%zu,\"seconds\":%f,\"ops_per_s\":%.1f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"rss_kb\":0}\n", reply, count,
           (after - start) / 1e6, (double)count * 1e6 / (after - start), samples[kept / 2], samples[kept * 99 / 100]);
    return 0;
}

int
main(int argc, char **argv)
{
    pid_t child;
    int rc;

    if (argc != 5) {
        fprintf(stderr, "usage: pingpong ADDRESS REQUEST-BYTES REPLY-BYTES SECONDS\n");
        return 2;
    }
    if ((child = fork()) == 0)
        _exit(answer(argv[1], (size_t)atol(argv[3])));
    usleep(200000);
    rc = ask(argv[1], (size_t)atol(argv[2]), (size_t)atol(argv[3]), atof(argv[4]));
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return rc;
}
