/*
 * The floor: what QEMU alone takes, driven by QMP with nothing in between.
 *
 *     rawqmp [options] start ARGV       spawn to the first answer of the monitor; kill and reap
 *     rawqmp [options] migrate ARGV     a whole live migration, second QEMU included
 *
 *     -i N        repetitions (5)
 *     -P PORT     UDP port of the counting guest's serial line (migrate)
 *     -u URI      how the memory travels (tcp:127.0.0.1:49300)
 *     -B BYTES    max-bandwidth, -D MS  downtime-limit; QEMU's own unless given
 *     -r A=B      replace A by B in every argument (may be repeated)
 *     -L TEXT     copied into the field `label`
 *
 * ARGV is a file of NUL-separated arguments, as /proc/PID/cmdline has them: so the very command
 * line that a library used can be taken from a guest of its own. Where it has a chardev that listens
 * on an inherited descriptor (fd=N,server=on) the monitor is expected there; such a socket is made.
 *
 * Results are JSON lines, like those of apibench.
 */
#define _GNU_SOURCE
#include "counter.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ARGS_MAX 512
#define REPEAT_MAX 1000

static struct {
    int repeat, udpPort, nreplace;
    long long bandwidth, downtime;
    const char *label, *uri, *replace[16];
} opt = { .repeat = 5, .uri = "tcp:127.0.0.1:49300", .label = "" };

/* One QEMU and its monitor. */
struct qemu {
    pid_t pid;
    int fd;
    char *buffer;
    size_t length, room;
    char migration[32];         /* the newest status that a MIGRATION event told */
    char path[64], pidFile[72];
};

static char *argvText[ARGS_MAX + 3];
static int argvCount;

static void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "rawqmp: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

/* ---- command lines ---- */

static char *
substitute(const char *text)
{
    char *result = strdup(text);

    for (int i = 0; i < opt.nreplace; i++) {
        const char *from = opt.replace[i], *to = strchr(from, '=') + 1;
        size_t length = (size_t)(to - 1 - from);
        char *at = memmem(result, strlen(result), from, length), *next;

        if (at == NULL || length == 0)
            continue;
        if (asprintf(&next, "%.*s%s%s", (int)(at - result), result, to, at + length) < 0)
            die("out of memory");
        free(result);
        result = next;
    }
    return result;
}

static void
readArgv(const char *path)
{
    static char data[1 << 18];
    FILE *file = fopen(path, "re");
    size_t n;

    if (file == NULL)
        die("%s: %s", path, strerror(errno));
    n = fread(data, 1, sizeof(data) - 1, file);
    fclose(file);
    for (size_t at = 0; at < n && argvCount < ARGS_MAX; at += strlen(data + at) + 1)
        argvText[argvCount++] = substitute(data + at);
}

/* The descriptor at which this command line expects a listening monitor socket. */
static int
monitorNumber(void)
{
    for (int i = 1; i < argvCount; i++) {
        const char *at = strstr(argvText[i], "fd=");

        if (strcmp(argvText[i - 1], "-chardev") == 0 && at != NULL &&
            strncmp(argvText[i], "socket,", 7) == 0 && strstr(argvText[i], "server=on") != NULL)
            return atoi(at + 3);
    }
    die("no -chardev socket,...,fd=N,server=on in the command line");
}

/* ---- the monitor ---- */

static cJSON *
nextMessage(struct qemu *qemu)
{
    for (;;) {
        char *end = memchr(qemu->buffer, '\n', qemu->length);
        ssize_t n;

        if (end != NULL) {
            size_t used = (size_t)(end + 1 - qemu->buffer);
            cJSON *message = cJSON_ParseWithLength(qemu->buffer, used);

            memmove(qemu->buffer, end + 1, qemu->length - used);
            qemu->length -= used;
            if (message == NULL)
                die("the monitor talks nonsense");
            return message;
        }
        if (qemu->length + 4096 > qemu->room &&
            (qemu->buffer = realloc(qemu->buffer, qemu->room += 65536)) == NULL)
            die("out of memory");
        n = read(qemu->fd, qemu->buffer + qemu->length, qemu->room - qemu->length);
        if (n <= 0)
            die("the monitor is gone");
        qemu->length += (size_t)n;
    }
}

static void
noteEvent(struct qemu *qemu, const cJSON *message)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(message, "event");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(message, "data");
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(data, "status");

    if (cJSON_IsString(name) && strcmp(name->valuestring, "MIGRATION") == 0 && cJSON_IsString(status))
        snprintf(qemu->migration, sizeof(qemu->migration), "%s", status->valuestring);
}

static void
sendLine(struct qemu *qemu, const char *text)
{
    if (write(qemu->fd, text, strlen(text)) != (ssize_t)strlen(text))
        die("cannot write to the monitor: %s", strerror(errno));
}

/* Waits for the reply to the command that was sent last. */
static cJSON *
takeReply(struct qemu *qemu)
{
    for (;;) {
        cJSON *message = nextMessage(qemu);

        if (cJSON_GetObjectItemCaseSensitive(message, "return") != NULL)
            return message;
        if (cJSON_GetObjectItemCaseSensitive(message, "error") != NULL)
            die("%s", cJSON_PrintUnformatted(message));
        noteEvent(qemu, message);
        cJSON_Delete(message);
    }
}

static void command(struct qemu *qemu, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
command(struct qemu *qemu, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sendLine(qemu, text);
    cJSON_Delete(takeReply(qemu));
}

static void
waitMigration(struct qemu *qemu, const char *status)
{
    while (strcmp(qemu->migration, status) != 0) {
        cJSON *message = nextMessage(qemu);

        noteEvent(qemu, message);
        cJSON_Delete(message);
        if (strcmp(qemu->migration, "failed") == 0)
            die("the migration failed");
    }
}

/* ---- processes ---- */

/* The socket listens before QEMU is there, so the connection and the first command wait for it. */
static void
start(struct qemu *qemu, bool incoming)
{
    static int serial;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int number = monitorNumber(), listener, null;

    memset(qemu, 0, sizeof(*qemu));
    snprintf(qemu->path, sizeof(qemu->path), "/tmp/rawqmp-%d-%d", (int)getpid(), serial++);
    snprintf(qemu->pidFile, sizeof(qemu->pidFile), "%s.pid", qemu->path);
    for (int i = 1; i < argvCount; i++) {
        if (strcmp(argvText[i - 1], "-pidfile") == 0)
            argvText[i] = qemu->pidFile;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", qemu->path);
    if ((listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0 ||
        (qemu->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
        connect(qemu->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("%s: %s", qemu->path, strerror(errno));
    argvText[argvCount] = incoming ? "-incoming" : NULL;
    argvText[argvCount + 1] = incoming ? "defer" : NULL;
    if ((qemu->pid = vfork()) == 0) {
        if (listener == number)
            fcntl(number, F_SETFD, 0);
        else
            dup2(listener, number);
        if ((null = open("/dev/null", O_RDWR)) >= 0) {
            dup2(null, 0);
            dup2(null, 1);
        }
        setsid();
        prctl(PR_SET_PDEATHSIG, SIGKILL);       /* no QEMU outlives a run that fails */
        execvp(argvText[0], argvText);
        _exit(127);
    }
    close(listener);
    unlink(qemu->path);
    command(qemu, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}\n");
}

static void
stop(struct qemu *qemu)
{
    kill(qemu->pid, SIGKILL);
    waitpid(qemu->pid, NULL, 0);
    unlink(qemu->pidFile);
    close(qemu->fd);
    free(qemu->buffer);
}

/* ---- results ---- */

struct series {
    const char *name;
    int count;
    uint64_t ns[REPEAT_MAX];
};

static int
compareNs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
report(struct series *series)
{
    qsort(series->ns, (size_t)series->count, sizeof(series->ns[0]), compareNs);
    printf("{\"name\":\"%s\",\"label\":\"%s\",\"uri\":\"raw\",\"ops\":%d,\"p50_us\":%.3f,"
           "\"p99_us\":%.3f}\n", series->name, opt.label, series->count,
           (double)series->ns[series->count / 2] / 1e3,
           (double)series->ns[series->count * 99 / 100] / 1e3);
    fflush(stdout);
}

static void
benchStart(void)
{
    static struct series create = { .name = "create" }, destroy = { .name = "destroy" };
    struct qemu qemu;

    for (int i = 0; i < opt.repeat; i++) {
        uint64_t t0 = counterNow(), t1;

        start(&qemu, false);
        t1 = counterNow();
        create.ns[create.count++] = t1 - t0;
        stop(&qemu);
        destroy.ns[destroy.count++] = counterNow() - t1;
    }
    report(&create);
    report(&destroy);
}

static void
prepareSide(struct qemu *qemu, bool source)
{
    command(qemu, "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":["
            "{\"capability\":\"events\",\"state\":true},{\"capability\":\"return-path\",\"state\":true},"
            "{\"capability\":\"validate-uuid\",\"state\":true},"
            "{\"capability\":\"late-block-activate\",\"state\":true}%s]}}\n",
            source ? ",{\"capability\":\"pause-before-switchover\",\"state\":true}" : "");
    if (source && opt.bandwidth > 0)
        command(qemu, "{\"execute\":\"migrate-set-parameters\",\"arguments\":{\"max-bandwidth\":%lld}}\n",
                opt.bandwidth);
    if (source && opt.downtime > 0)
        command(qemu, "{\"execute\":\"migrate-set-parameters\",\"arguments\":{\"downtime-limit\":%lld}}\n",
                opt.downtime);
}

/* Everything from the wish to the old QEMU's end, as a library has to do it. */
static void
migrate(struct qemu *source, struct qemu *destination)
{
    start(destination, true);
    prepareSide(destination, false);
    command(destination, "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"%s\"}}\n", opt.uri);
    prepareSide(source, true);
    command(source, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"%s\"}}\n", opt.uri);
    waitMigration(source, "pre-switchover");
    command(source, "{\"execute\":\"migrate-continue\",\"arguments\":{\"state\":\"pre-switchover\"}}\n");
    waitMigration(source, "completed");
    command(destination, "{\"execute\":\"cont\"}\n");
}

static uint64_t
qemuDowntime(struct qemu *source)
{
    cJSON *reply;
    const cJSON *value;
    uint64_t ns;

    sendLine(source, "{\"execute\":\"query-migrate\"}\n");
    reply = takeReply(source);
    value = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(reply, "return"), "downtime");
    ns = cJSON_IsNumber(value) ? (uint64_t)value->valuedouble * 1000000u : 0;
    cJSON_Delete(reply);
    return ns;
}

static void
benchMigrate(void)
{
    static struct series total = { .name = "migrate" }, gap = { .name = "migrate_pause" },
                         reported = { .name = "migrate_downtime" };
    struct qemu source, destination;
    struct counter counter;

    if (!counterOpen(&counter, opt.udpPort))
        die("port %d: %s", opt.udpPort, strerror(errno));
    for (int i = 0; i < opt.repeat; i++) {
        uint64_t t0;

        counterReset(&counter);
        start(&source, false);
        command(&source, "{\"execute\":\"cont\"}\n");
        if (!counterWait(&counter, 200))
            die("the guest does not count");
        counterMark(&counter);
        t0 = counterNow();
        migrate(&source, &destination);
        reported.ns[reported.count++] = qemuDowntime(&source);
        stop(&source);
        total.ns[total.count++] = counterNow() - t0;
        if (!counterWait(&counter, 100))
            die("the guest does not count at the destination");
        gap.ns[gap.count++] = counterGap(&counter);
        stop(&destination);
    }
    counterClose(&counter);
    if (counter.wrong > 0)
        die("%lu wrong lines from the guest", counter.wrong);
    report(&total);
    report(&gap);
    report(&reported);
}

int
main(int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "i:P:u:B:D:r:L:")) != -1;) {
        switch (o) {
        case 'i': opt.repeat = atoi(optarg); break;
        case 'P': opt.udpPort = atoi(optarg); break;
        case 'u': opt.uri = optarg; break;
        case 'B': opt.bandwidth = atoll(optarg); break;
        case 'D': opt.downtime = atoll(optarg); break;
        case 'L': opt.label = optarg; break;
        case 'r':
            if (opt.nreplace == 16 || strchr(optarg, '=') == NULL)
                die("-r wants A=B");
            opt.replace[opt.nreplace++] = optarg;
            break;
        default: return 2;
        }
    }
    if (argc - optind != 2 || opt.repeat < 1 || opt.repeat > REPEAT_MAX)
        die("usage: rawqmp [options] start|migrate ARGV");
    signal(SIGPIPE, SIG_IGN);
    readArgv(argv[optind + 1]);
    if (strcmp(argv[optind], "start") == 0)
        benchStart();
    else if (strcmp(argv[optind], "migrate") == 0)
        benchMigrate();
    else
        die("unknown: %s", argv[optind]);
    return 0;
}
