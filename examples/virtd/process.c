/*
 * process.c: what every daemon has: a log, a pid file, a way into the background, and what systemd wants to hear
 */
#include "virtd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define VIRTD_REPLACE_MS 30000        /* how long the one before may take to end */

/* -- the log ------------------------------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    int level;
    int fd;                           /* of a file; -1 */
    bool syslog;
    bool begun;                       /* until then errors also go to stderr, where somebody may wait for what comes of it */
} virtdLogs = { PTHREAD_MUTEX_INITIALIZER, VIR_LOG_INFO, -1, false, false };

static const char *const virtdLevels[] = { "?", "debug", "info", "warning", "error" };
static const int virtdSyslogs[] = { LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR };

static void
virtdLogLine(int priority, const char *source, const char *message, void *opaque)
{
    (void)opaque;
    if (priority < VIR_LOG_DEBUG || priority > VIR_LOG_ERROR)
        priority = VIR_LOG_ERROR;
    pthread_mutex_lock(&virtdLogs.lock);
    if (priority == VIR_LOG_ERROR && !virtdLogs.begun && (virtdLogs.syslog || virtdLogs.fd >= 0))
        fprintf(stderr, "%s: %s\n", source, message);
    if (priority < virtdLogs.level) {
        ;
    } else if (virtdLogs.syslog) {
        syslog(virtdSyslogs[priority], "%s: %s", source, message);
    } else if (virtdLogs.fd < 0 && getenv("JOURNAL_STREAM") != NULL) {
        fprintf(stderr, "<%d>%s: %s\n", virtdSyslogs[priority], source, message);      /* the journal has the time, and reads the number */
    } else {
        struct timespec now;
        struct tm local;
        char when[40];

        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &local);
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
        dprintf(virtdLogs.fd >= 0 ? virtdLogs.fd : STDERR_FILENO, "%s.%03ld %s %s: %s\n", when, now.tv_nsec / 1000000, virtdLevels[priority], source,
                message);
    }
    pthread_mutex_unlock(&virtdLogs.lock);
}

bool
virtdLogOpen(const char *where, const char *level)
{
    bool toSyslog = strcmp(where, "syslog") == 0;
    int fd = -1, number = 0;

    for (int i = VIR_LOG_DEBUG; i <= VIR_LOG_ERROR; i++)
        if (strcmp(level, virtdLevels[i]) == 0)
            number = i;
    if (number == 0)
        return virtdFail("log-level: '%s' is not debug, info, warning or error", level);
    if (!toSyslog && strcmp(where, "stderr") != 0
        && (fd = open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640)) < 0)
        return virtdFail("cannot write '%s': %s", where, strerror(errno));
    pthread_mutex_lock(&virtdLogs.lock);
    if (virtdLogs.fd >= 0)
        close(virtdLogs.fd);
    if (toSyslog)
        openlog("virtd", LOG_PID | LOG_CONS, LOG_DAEMON);
    virtdLogs.fd = fd;
    virtdLogs.syslog = toSyslog;
    virtdLogs.level = number;
    pthread_mutex_unlock(&virtdLogs.lock);
    virSetLogFunc(virtdLogLine, NULL);
    return true;
}

void
virtdLog(int priority, const char *format, ...)
{
    char message[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    virtdLogLine(priority, "virtd", message, NULL);
}

bool
virtdFail(const char *format, ...)
{
    char message[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    virtdLogLine(VIR_LOG_ERROR, "virtd", message, NULL);
    return false;
}

/* -- the pid file ------------------------------------------------------------------------------- */

char *
virtdRunFolder(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *folder;

    if (geteuid() == 0)
        folder = virtdFormat("/run/virt");
    else if (runtime != NULL && *runtime == '/')
        folder = virtdFormat("%s/virt", runtime);
    else {
        virtdFail("XDG_RUNTIME_DIR is not set: name a --pid-file");
        return NULL;
    }
    if (mkdir(folder, geteuid() == 0 ? 0755 : 0700) == 0 || errno == EEXIST)
        return folder;
    virtdFail("cannot make the folder '%s': %s", folder, strerror(errno));
    free(folder);
    return NULL;
}

/* The process whose number is in the file; 0: none that makes sense. */
static pid_t
virtdPidFileRead(int fd)
{
    char text[32] = "";
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
    long pid = got > 0 ? strtol(text, NULL, 10) : 0;

    return pid > 1 ? (pid_t)pid : 0;
}

/*
 * The lock says who runs, not the number: it ends with the process, so that a file that was left behind stops nobody. The one before removes its file
 * when it ends; a lock on a file that is no longer there is worth nothing, and is taken again.
 */
int
virtdPidFileTake(const char *path, bool replace)
{
    struct timespec pause = { .tv_nsec = 20 * 1000000 };
    struct stat held, there;
    pid_t asked = 0, pid;

    for (int waited = 0; waited <= VIRTD_REPLACE_MS; waited += 20) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

        if (fd < 0) {
            virtdFail("cannot open '%s': %s", path, strerror(errno));
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino) {
                virtdPidFileWrite(fd);
                return fd;
            }
            close(fd);
            continue;
        }
        pid = virtdPidFileRead(fd);
        close(fd);
        if (!replace) {
            virtdFail("virtd runs already: process %ld has '%s' (--replace ends it)", (long)pid, path);
            return -1;
        }
        if (pid != 0 && pid != asked && kill(pid, SIGTERM) == 0)
            asked = pid;
        nanosleep(&pause, NULL);
    }
    virtdFail("process %ld, which has '%s', did not end within %d seconds", (long)asked, path, VIRTD_REPLACE_MS / 1000);
    return -1;
}

void
virtdPidFileWrite(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
        virtdFail("cannot write the pid file: %s", strerror(errno));
}

void
virtdPidFileRemove(int fd, const char *path)
{
    unlink(path);                     /* while it is locked: it is ours */
    close(fd);
}

/* -- the background ----------------------------------------------------------------------------- */

static int virtdReadyPipe = -1;

/* The process that was started waits for one byte, and tells its caller by its exit status. */
static _Noreturn void
virtdDaemonWait(int fd, pid_t child)
{
    char well = 0;

    while (read(fd, &well, 1) < 0 && errno == EINTR)
        ;
    waitpid(child, NULL, 0);
    _exit(well == 1 ? 0 : 1);
}

bool
virtdDaemonStart(void)
{
    int ready[2], null;
    pid_t child;

    if (pipe2(ready, O_CLOEXEC) < 0 || (child = fork()) < 0)
        return virtdFail("cannot go into the background: %s", strerror(errno));
    if (child > 0) {
        close(ready[1]);
        virtdDaemonWait(ready[0], child);
    }
    close(ready[0]);
    /* A session of its own, and no leader of it, so that no terminal becomes its own. stderr stays until it is ready. */
    if (setsid() < 0 || (child = fork()) < 0)
        _exit(1);
    if (child > 0)
        _exit(0);
    virtdReadyPipe = ready[1];
    if (chdir("/") < 0 || (null = open("/dev/null", O_RDWR)) < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return virtdFail("cannot go into the background: %s", strerror(errno));
    if (null > STDERR_FILENO)
        close(null);
    return true;
}

void
virtdDaemonReady(bool well)
{
    char byte = well ? 1 : 0;

    pthread_mutex_lock(&virtdLogs.lock);
    virtdLogs.begun = true;
    pthread_mutex_unlock(&virtdLogs.lock);
    if (virtdReadyPipe < 0)
        return;
    if (dup2(STDIN_FILENO, STDERR_FILENO) < 0 || write(virtdReadyPipe, &byte, 1) < 0)
        virtdLog(VIR_LOG_WARN, "nobody waits for this daemon: %s", strerror(errno));
    close(virtdReadyPipe);
    virtdReadyPipe = -1;
}

/* -- systemd ------------------------------------------------------------------------------------ */

/* A datagram to the socket that it names: the whole protocol. */
void
virtdNotify(const char *format, ...)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *where = getenv("NOTIFY_SOCKET");
    char message[512];
    va_list args;
    size_t length;
    int fd;

    if (where == NULL || (*where != '/' && *where != '@') || strlen(where) >= sizeof(address.sun_path))
        return;
    length = strlen(where);
    memcpy(address.sun_path, where, length);
    if (*where == '@')
        address.sun_path[0] = '\0';
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return;
    if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        virtdLog(VIR_LOG_WARN, "systemd was not told '%s': %s", message, strerror(errno));
    close(fd);
}
