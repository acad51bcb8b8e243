/*
 * An etcd of a test's own: on loopback, at a port that was free, with its data in the scratch directory. It is
 * ended with the test, and may be killed, stopped and started again by it.
 */
#ifndef TESTS_ETCD_SERVER_H
#define TESTS_ETCD_SERVER_H

#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED_HERE __attribute__((unused))

struct etcdServer {
    pid_t pid;                              /* 0: it does not run */
    int port;
    char directory[128];
};

static struct etcdServer *etcdServers[4];

/* First line of a test that starts a keeper. */
UNUSED_HERE static void
needsPidfd(void)
{
    int self = (int)syscall(434, getpid(), 0);               /* pidfd_open */

    if (self < 0 && errno == ENOSYS)
        SKIP("no pidfd_open: an old kernel, or valgrind");
    CHECK_MSG(self >= 0, "pidfd_open: errno %d", errno);
    close(self);
}

UNUSED_HERE static void
needsEtcd(void)
{
#if VIRT_WITH_ETCD
    needsPidfd();
    if (system("command -v etcd > /dev/null") != 0)
        SKIP("no etcd");
#else
    SKIP("without libcurl");
#endif
}

/* A port nobody listens at, for now. */
UNUSED_HERE static int
etcdFreePort(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

UNUSED_HERE static void
etcdStop(struct etcdServer *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

UNUSED_HERE static void
etcdEnd(void)
{
    for (size_t i = 0; i < sizeof(etcdServers) / sizeof(etcdServers[0]) && etcdServers[i] != NULL; i++)
        etcdStop(etcdServers[i]);
}

/* Whether it accepts connections and says that it is well. */
UNUSED_HERE static bool
etcdAnswers(int port)
{
    static const char question[] = "GET /health HTTP/1.0\r\n\r\n";
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval limit = { .tv_sec = 1 };
    char answer[2048] = "";
    size_t got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) > 0)
        while (got < sizeof(answer) - 1 && (n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
            got += (size_t)n;
    close(fd);
    return strstr(answer, "\"health\":\"true\"") != NULL;
}

/* Starts it, or starts it again with the data it had. The process that does so must live as long. */
UNUSED_HERE static void
etcdRun(struct etcdServer *server)
{
    char client[64], peer[64], initial[80];
    const char *const argv[] = {
        "etcd", "--data-dir", server->directory, "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", initial, "--log-level", "error", NULL,
    };

    snprintf(client, sizeof(client), "http://127.0.0.1:%d", server->port);
    snprintf(peer, sizeof(peer), "http://127.0.0.1:%d", etcdFreePort());
    snprintf(initial, sizeof(initial), "default=%s", peer);
    CHECK((server->pid = fork()) >= 0);
    if (server->pid == 0) {
        int log = open(scratchPath("etcd-%d.log", server->port), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(log, 1);
        dup2(log, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    WAIT_FOR(etcdAnswers(server->port), 20000);
}

UNUSED_HERE static void
etcdStart(struct etcdServer *server)
{
    static int registered;
    server->port = etcdFreePort();
    for (size_t i = 0; i < sizeof(etcdServers) / sizeof(etcdServers[0]); i++)
        if (etcdServers[i] == NULL) {
            etcdServers[i] = server;
            break;
        }
    snprintf(server->directory, sizeof(server->directory), "%s", scratchPath("etcd-%d", server->port));
    if (registered++ == 0)
        atexit(etcdEnd);
    etcdRun(server);
}

#endif
