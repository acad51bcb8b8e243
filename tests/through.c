/*
 * The tests of the API once more, through a server: with VIRT_TEST_THROUGH=unix (tcp, ws, ssh) whatever a test opens as "test:///..." or
 * "qemu:///..." is opened in another process, and the test has a connection to that by the remote driver. The tests do not know, and get the
 * same results. (virConnectOpen and its kin are wrapped by the linker.)
 *
 * The runner starts that process before each test's own. For each connection that the test opens it opens one, with a virServer of its own
 * that ends when the test closes its connection, so that nothing outlives what the test sees. The tests that cannot go through a server
 * are in a list below, each with the reason.
 */
#include "../virt.h"
#include "fault.h"
#include "harness.h"
#include "serving.h"

#if defined VIRT_WITH_REMOTE && VIRT_WITH_REMOTE

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

enum { THROUGH_THREADS = 4, THROUGH_TEXT = 4096 };

virConnectPtr __real_virConnectOpen(const char *name);
virConnectPtr __real_virConnectOpenReadOnly(const char *name);
virConnectPtr __real_virConnectOpenAuth(const char *name, virConnectAuthPtr auth, unsigned int flags);
int __real_virConnectClose(virConnectPtr conn);
virConnectPtr __wrap_virConnectOpen(const char *name);
virConnectPtr __wrap_virConnectOpenReadOnly(const char *name);
virConnectPtr __wrap_virConnectOpenAuth(const char *name, virConnectAuthPtr auth, unsigned int flags);
int __wrap_virConnectClose(virConnectPtr conn);

static const char *throughTransport;
static bool throughServing;               /* in the server's process */

/* ---------- what cannot go through ---------- */

static const struct throughLeftOut {
    const char *program, *test, *why;
} throughLeftOut[] = {
#include "through.h"
};

static const char *
throughSkip(const char *program, const char *test)
{
    for (size_t i = 0; i < sizeof(throughLeftOut) / sizeof(throughLeftOut[0]); i++)
        if (strcmp(throughLeftOut[i].program, program) == 0 && (throughLeftOut[i].test == NULL || strcmp(throughLeftOut[i].test, test) == 0))
            return throughLeftOut[i].why;
    if (strcmp(throughTransport, "ssh") == 0 && access("/usr/sbin/sshd", X_OK) < 0)
        return "no /usr/sbin/sshd";
    return NULL;
}

/* ---------- the server's process ---------- */

/* What a test has open: until it says that it has closed it, or is gone. */
struct throughOpen {
    int fd, number;
};

static pthread_mutex_t throughLock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t throughEnded = PTHREAD_COND_INITIALIZER;
static int throughRunning, throughNumber;
static int throughSshPort;
static pid_t throughSshd;

/* A port that nobody had a moment ago. */
static int
throughPort(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

/* name as a parameter's value. */
static void
throughEscape(char *to, size_t size, const char *name)
{
    size_t n = 0;

    for (; *name != '\0' && n + 4 < size; name++)
        if (strchr("&?=%#+; ", *name) != NULL)
            n += (size_t)snprintf(to + n, size - n, "%%%02X", (unsigned char)*name);
        else
            to[n++] = *name;
    to[n] = '\0';
}

static int
throughListenKeys(virServerPtr server, int number, int port)
{
    virTypedParameterPtr params = NULL;
    char *serverKey = NULL, *clientKey = NULL;
    char line[200], address[80];
    int n = 0, size = 0, rc = -1;

    if (virKeyGenerate(scratchPath(".through/%d.server", number), &serverKey, 0) == 0
        && virKeyGenerate(scratchPath(".through/%d.client", number), &clientKey, 0) == 0) {
        snprintf(line, sizeof(line), "%s test\n", clientKey);
        writeFile(scratchPath(".through/%d.authorized", number), line);
        snprintf(line, sizeof(line), "127.0.0.1:%d %s\n", port, serverKey);
        writeFile(scratchPath(".through/%d.hosts", number), line);
        virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_KEY, scratchPath(".through/%d.server", number));
        virTypedParamsAddString(&params, &n, &size, VIR_SERVER_PARAM_AUTHORIZED, scratchPath(".through/%d.authorized", number));
        snprintf(address, sizeof(address), "%s:127.0.0.1:%d", throughTransport, port);
        rc = virServerListen(server, address, params, (unsigned int)n, 0);
    }
    free(serverKey);
    free(clientKey);
    virTypedParamsFree(params, n);
    return rc;
}

/* An sshd of the test's own, on a port of the loopback, with keys of its own. */
static int
throughSsh(void)
{
    char text[2000];
    const char *folder = scratchPath(".through");
    int n, null;

    if (throughSshd > 0)
        return 0;
    throughSshPort = throughPort();
    snprintf(text, sizeof(text), "cd '%s' && ssh-keygen -q -t ed25519 -N '' -f ssh-host && ssh-keygen -q -t ed25519 -N '' -f ssh-key && "
             "cp ssh-key.pub ssh-authorized && printf '[127.0.0.1]:%d %%s\\n' \"$(cut -d ' ' -f 1,2 ssh-host.pub)\" > ssh-known", folder,
             throughSshPort);
    if (system(text) != 0)
        return -1;
    snprintf(text, sizeof(text), "ListenAddress 127.0.0.1\nPort %d\nHostKey %s/ssh-host\nAuthorizedKeysFile %s/ssh-authorized\n"
             "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
             "MaxStartups 100\nAllowStreamLocalForwarding yes\nUseDNS no\n", throughSshPort, folder, folder);
    writeFile(scratchPath(".through/sshd_config"), text);
    /* where it wants to be alone before somebody has proved who he is: Debian's start script makes it, and may not have run */
    if (geteuid() == 0)
        mkdir("/run/sshd", 0755);
    fflush(NULL);
    if ((throughSshd = fork()) == 0) {
        n = open(scratchPath(".through/sshd.log"), O_WRONLY | O_CREAT, 0600);
        null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(n, 2);
        execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", scratchPath(".through/sshd_config"), (char *)NULL);
        _exit(127);
    }
    for (n = 0; n < 500; n++) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(throughSshPort) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = connect(fd, (struct sockaddr *)&address, sizeof(address));

        close(fd);
        if (rc == 0)
            return 0;
        harnessSleepMs(10);
    }
    return -1;
}

/* Listens, and says under which URI that is. */
static int
throughListen(virServerPtr server, int number, const char *name, char *uri)
{
    char address[200], escaped[THROUGH_TEXT / 2];
    int scheme = (int)strcspn(name, ":"), port, rc;
    struct passwd *user = getpwuid(geteuid());

    throughEscape(escaped, sizeof(escaped), name);
    snprintf(address, sizeof(address), "unix:%s", scratchPath(".through/%d", number));
    if (strcmp(throughTransport, "unix") == 0) {
        snprintf(uri, THROUGH_TEXT, "%.*s+unix:///?socket=%s&name=%s", scheme, name, address + 5, escaped);
        return virServerListen(server, address, NULL, 0, 0);
    }
    if (strcmp(throughTransport, "ssh") == 0) {
        pthread_mutex_lock(&throughLock);
        rc = throughSsh();
        pthread_mutex_unlock(&throughLock);
        snprintf(uri, THROUGH_TEXT, "%.*s+ssh://%s@127.0.0.1:%d/?socket=%s&keyfile=%s&known_hosts=%s&no_tty=1&name=%s", scheme, name,
                 user != NULL ? user->pw_name : "root", throughSshPort, address + 5, scratchPath(".through/ssh-key"),
                 scratchPath(".through/ssh-known"), escaped);
        return rc < 0 ? -1 : virServerListen(server, address, NULL, 0, 0);
    }
    port = throughPort();
    snprintf(uri, THROUGH_TEXT, "%.*s+%s://127.0.0.1:%d/?keyfile=%s&known_hosts=%s&name=%s", scheme, name, throughTransport, port,
             scratchPath(".through/%d.client", number), scratchPath(".through/%d.hosts", number), escaped);
    return throughListenKeys(server, number, port);
}

/* A request is "FLAGS AUTH URI", the answer the URI to open instead, or nothing where this one cannot be opened. */
static void *
throughServe(void *opaque)
{
    struct throughOpen *mine = opaque;
    char request[THROUGH_TEXT], uri[THROUGH_TEXT] = "";
    ssize_t n = recv(mine->fd, request, sizeof(request) - 1, 0);
    unsigned int flags = 0;
    int at = 0;
    virConnectPtr conn = NULL;
    virServerPtr server = NULL;
    pthread_t threads[THROUGH_THREADS];

    request[n > 0 ? n : 0] = '\0';
    if (sscanf(request, "%u %n", &flags, &at) == 1 && (conn = __real_virConnectOpenAuth(request + at, NULL, flags)) != NULL) {
        if ((server = virServerNew(NULL, 0, 0)) == NULL || virServerAddConnect(server, conn) < 0
            || throughListen(server, mine->number, virConnectGetURI(conn) != NULL ? request + at : "", uri) < 0) {
            fprintf(stderr, "server: %s: %s\n", request, virGetLastErrorMessage());
            abort();
        }
        for (int i = 0; i < THROUGH_THREADS; i++)
            if (pthread_create(&threads[i], NULL, servingRun, server) != 0)
                abort();
    }
    if (send(mine->fd, uri, strlen(uri) + 1, MSG_NOSIGNAL) > 0)
        n = recv(mine->fd, request, sizeof(request), 0);
    if (server != NULL) {
        virServerStop(server);
        for (int i = 0; i < THROUGH_THREADS; i++)
            pthread_join(threads[i], NULL);
        virServerFree(server);
        __real_virConnectClose(conn);
    }
    send(mine->fd, "", 1, MSG_NOSIGNAL);
    close(mine->fd);
    free(mine);
    pthread_mutex_lock(&throughLock);
    throughRunning--;
    pthread_cond_signal(&throughEnded);
    pthread_mutex_unlock(&throughLock);
    return NULL;
}

static struct sockaddr_un
throughAddress(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", scratchPath(".through/control"));
    return address;
}

/* Until the runner lets go of the pipe and nothing is open any more. */
static void
throughServer(int listener, int pipe)
{
    pthread_t thread;
    fd_set set;

    throughServing = true;
    if (!servingHasLoop() || pthread_create(&thread, NULL, servingLoop, NULL) != 0)
        abort();
    for (;;) {
        struct throughOpen *next;
        int fd;

        FD_ZERO(&set);
        FD_SET(listener, &set);
        FD_SET(pipe, &set);
        if (select((listener > pipe ? listener : pipe) + 1, &set, NULL, NULL, NULL) < 0)
            continue;
        if (!FD_ISSET(listener, &set))
            break;
        if ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 || (next = calloc(1, sizeof(*next))) == NULL)
            abort();
        next->fd = fd;
        next->number = ++throughNumber;
        pthread_mutex_lock(&throughLock);
        throughRunning++;
        pthread_mutex_unlock(&throughLock);
        if (pthread_create(&thread, NULL, throughServe, next) != 0 || pthread_detach(thread) != 0)
            abort();
    }
    pthread_mutex_lock(&throughLock);
    while (throughRunning > 0)
        pthread_cond_wait(&throughEnded, &throughLock);
    pthread_mutex_unlock(&throughLock);
    if (throughSshd > 0) {
        kill(throughSshd, SIGTERM);
        waitpid(throughSshd, NULL, 0);
    }
}

/* ---------- the runner's side ---------- */

static int throughPipe = -1;

static pid_t
throughStart(const char *log)
{
    struct sockaddr_un address;
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), ends[2], out;
    pid_t pid;

    mkdir(scratchPath(".through"), 0700);
    address = throughAddress();
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 64) < 0
        || pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    if ((pid = fork()) == 0) {
        if (setsid() < 0 || (out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
            _exit(125);
        close(out);
        close(ends[1]);
        throughServer(listener, ends[0]);
        fflush(NULL);
        exit(0);
    }
    close(listener);
    close(ends[0]);
    throughPipe = ends[1];
    return pid;
}

/* In the test's process: only the runner holds the pipe. */
static void
throughChild(void)
{
    close(throughPipe);
    faultSpare("libnanomsg");           /* it ends the process where it has no memory, and says so */
}

static void
throughEnd(void)
{
    close(throughPipe);
}

static const struct harnessThrough through = { throughSkip, throughStart, throughChild, throughEnd };

__attribute__((constructor)) static void
throughRegister(void)
{
    throughTransport = getenv("VIRT_TEST_THROUGH");
    if (throughTransport != NULL && *throughTransport != '\0')
        harnessThrough = &through;
}

/* ---------- the test's side ---------- */

static struct throughMap {
    struct throughMap *next;
    virConnectPtr conn;
    int fd;
} *throughMap;

static bool
throughWanted(const char *name)
{
    return harnessThrough != NULL && !throughServing && name != NULL
           && (strncmp(name, "test:///", 8) == 0 || strncmp(name, "qemu:///", 8) == 0);
}

static void
throughForget(virConnectPtr conn, bool told)
{
    struct throughMap **at, *found = NULL;
    char byte = 0;

    pthread_mutex_lock(&throughLock);
    for (at = &throughMap; *at != NULL && (*at)->conn != conn; at = &(*at)->next)
        ;
    if ((found = *at) != NULL)
        *at = found->next;
    pthread_mutex_unlock(&throughLock);
    if (found == NULL)
        return;
    if (told && send(found->fd, &byte, 1, MSG_NOSIGNAL) == 1)
        while (recv(found->fd, &byte, 1, 0) < 0 && errno == EINTR)
            ;
    close(found->fd);
    free(found);
}

static virConnectPtr
throughConnect(const char *name, virConnectAuthPtr auth, unsigned int flags)
{
    struct sockaddr_un address = throughAddress();
    char text[THROUGH_TEXT];
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), length = snprintf(text, sizeof(text), "%u %s", flags, name);
    struct throughMap *entry;
    virConnectPtr conn;
    ssize_t n;

    if (fd < 0 || length >= (int)sizeof(text) || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0
        || send(fd, text, (size_t)length, MSG_NOSIGNAL) != length || (n = recv(fd, text, sizeof(text) - 1, 0)) <= 0)
        FAIL("the server does not answer: %s", strerror(errno));
    text[n] = '\0';
    if (text[0] == '\0') {
        close(fd);                      /* and says here what it says there */
        if ((conn = __real_virConnectOpenAuth(name, auth, flags)) != NULL)
            FAIL("the server cannot open '%s'", name);
        return NULL;
    }
    if ((conn = __real_virConnectOpenAuth(text, auth, flags)) == NULL) {
        close(fd);
        return NULL;
    }
    faultPause();
    throughForget(conn, false);         /* one that was at this place before */
    if ((entry = malloc(sizeof(*entry))) == NULL)
        FAIL("out of memory");
    faultResume();
    pthread_mutex_lock(&throughLock);
    *entry = (struct throughMap){ throughMap, conn, fd };
    throughMap = entry;
    pthread_mutex_unlock(&throughLock);
    return conn;
}

virConnectPtr
__wrap_virConnectOpen(const char *name)
{
    return throughWanted(name) ? throughConnect(name, NULL, 0) : __real_virConnectOpen(name);
}

virConnectPtr
__wrap_virConnectOpenReadOnly(const char *name)
{
    return throughWanted(name) ? throughConnect(name, NULL, VIR_CONNECT_RO) : __real_virConnectOpenReadOnly(name);
}

virConnectPtr
__wrap_virConnectOpenAuth(const char *name, virConnectAuthPtr auth, unsigned int flags)
{
    return throughWanted(name) ? throughConnect(name, auth, flags) : __real_virConnectOpenAuth(name, auth, flags);
}

int
__wrap_virConnectClose(virConnectPtr conn)
{
    int rc = __real_virConnectClose(conn);

    if (rc == 0 && harnessThrough != NULL && !throughServing)
        throughForget(conn, true);
    return rc;
}

#endif
