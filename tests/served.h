/*
 * A server in a process of its own, which serves the test driver at a socket in the scratch directory and can be killed and started again. A
 * program that includes this has included virt.h and the harness.
 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include "serving.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * nanomsg does not survive a fork, so servers are started by a process that never had any of it: it is told to start one, and the pid comes
 * back. It ends with us.
 */
static int nurseryIn = -1, nurseryOut = -1;
static pid_t nursery;
static int networkPort;               /* of tcp; ws has the next one */
static bool serverHasLoop;            /* set before the first one is started */

/* Over a network as well, where there are keys: the port is in a file. */
static bool
serveNetwork(virServerPtr server, const char *path)
{
    virTypedParameterPtr params = NULL;
    char key[200], authorized[200], address[80];
    int n = 0, size = 0;
    bool ok;

    snprintf(key, sizeof(key), "%s.key", path);
    snprintf(authorized, sizeof(authorized), "%s.authorized", path);
    if (!fileExists(key))
        return true;
    virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_KEY, key);
    virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_AUTHORIZED, authorized);
    snprintf(address, sizeof(address), "tcp:127.0.0.1:%d", networkPort);
    ok = virServerListen(server, address, params, (unsigned int)n, 0) == 0;
    snprintf(address, sizeof(address), "ws:127.0.0.1:%d", networkPort + 1);
    ok = ok && virServerListen(server, address, params, (unsigned int)n, 0) == 0;
    virTypedParamsFree(params, n);
    return ok;
}

static void
serve(const char *path)
{
    bool loops = !serverHasLoop || servingHasLoop();
    virServerPtr server = loops ? virServerNew(NULL, 0, 0) : NULL;
    virConnectPtr conn = virConnectOpen("test:///default"), other = virConnectOpen("test:///default?host=other");
    char address[200];
    pthread_t threads[3];

    snprintf(address, sizeof(address), "unix:%s", path);
    if (server == NULL || conn == NULL || other == NULL || virServerAddConnect(server, conn) < 0 || virServerAddConnect(server, other) < 0
        || virServerListen(server, address, NULL, 0, 0) < 0 || !serveNetwork(server, path)) {
        fprintf(stderr, "server: %s\n", virGetLastErrorMessage());
        _exit(1);
    }
    if (serverHasLoop && pthread_create(&threads[0], NULL, servingLoop, NULL) != 0)
        _exit(1);
    for (int i = serverHasLoop; i < 3; i++)
        if (pthread_create(&threads[i], NULL, servingRun, server) != 0)
            _exit(1);
    virServerRun(server);
    _exit(0);
}

static void
nurseryRun(int in, int out, const char *path)
{
    pid_t pid;
    char command;

    while (read(in, &command, 1) == 1) {
        if (command == 'S' && (pid = fork()) == 0) {
            close(in);
            close(out);
            serve(path);
        } else if (command == 'W') {
            waitpid(-1, NULL, 0);
            pid = 0;
        }
        if (write(out, &pid, sizeof(pid)) != sizeof(pid))
            break;
    }
    _exit(0);
}

static pid_t
nurseryAsk(char command)
{
    pid_t pid = -1;

    if (nursery == 0) {
        int in[2], out[2];
        const char *path = scratchPath("sock");

        CHECK(pipe(in) == 0 && pipe(out) == 0);
        fflush(NULL);
        if ((nursery = fork()) == 0) {
            close(in[1]);
            close(out[0]);
            nurseryRun(in[0], out[1], path);
        }
        close(in[0]);
        close(out[1]);
        nurseryIn = in[1];
        nurseryOut = out[0];
    }
    CHECK_INT(write(nurseryIn, &command, 1), 1);
    CHECK_INT(read(nurseryOut, &pid, sizeof(pid)), (int)sizeof(pid));
    return pid;
}

static pid_t
serverStart(void)
{
    pid_t pid = nurseryAsk('S');

    CHECK(pid > 0);
    WAIT_FOR(fileExists(scratchPath("sock.who")), 5000);
    return pid;
}

static void
serverKill(pid_t pid)
{
    kill(pid, SIGCONT);
    CHECK_INT(kill(pid, SIGKILL), 0);
    nurseryAsk('W');
    unlink(scratchPath("sock.who"));
}

static void
serverEnd(pid_t pid)
{
    serverKill(pid);
    close(nurseryIn);
    close(nurseryOut);
    CHECK_INT(waitpid(nursery, NULL, 0), nursery);
    nursery = 0;
}

static const char *
serverUri(const char *more)
{
    static char uri[256];

    snprintf(uri, sizeof(uri), "test+unix:///default?socket=%s%s", scratchPath("sock"), more);
    return uri;
}

static inline virConnectPtr
open1(const char *more)
{
    virConnectPtr conn = NULL;

    /* the server is there when its socket takes us */
    WAIT_FOR((conn = virConnectOpen(serverUri(more))) != NULL, 5000);
    return conn;
}

#endif
