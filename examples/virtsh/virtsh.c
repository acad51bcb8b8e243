/*
 * virtsh: a shell for virt, with virsh's commands, options and output
 *
 *     cd examples/virtsh
 *     cc -o virtsh *.c ../../virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson)
 *     ./virtsh -c test:///default list --all              one command
 *     ./virtsh -c test:///default 'suspend test; list'    a few
 *     ./virtsh -c test:///default                         as many as you like
 *
 * With -DVIRTSH_READLINE and -lreadline the last has history, editing and completion.
 *
 * This file has the connection, the running of commands, and main(). virtsh.h tells where the rest is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef VIRTSH_READLINE
# include <readline/history.h>
# include <readline/readline.h>
#endif

#include "virtsh.h"

const struct virtshGroup virtshGroups[] = {
    { "Domain Management", "domain", virtshDomainCommands },
    { "Domain Migration", "migration", virtshMigrationCommands },
    { "Migration Records", "records", virtshMigrationRecordCommands },
    { "Domain Monitoring", "monitor", virtshMonitorCommands },
    { "Statistics and Memory", "statistics", virtshStatsCommands },
    { "Domain Events", "events", virtshEventCommands },
    { "Host and Hypervisor", "host", virtshHostCommands },
    { "Virtsh itself", "virtsh", virtshShellCommands },
    { NULL, NULL, NULL },
};

/* -- messages of the library ------------------------------------------------------------------ */

/* Keeps the library's last message until somebody has seen it: calls made while cleaning up would
 * replace the thread's own. */
static void
noteError(void *opaque, virErrorPtr error)
{
    virtshNoteError(opaque, "%s", error->message != NULL ? error->message : "unknown error");
}

static void
reportError(struct virtsh *sh)
{
    if (sh->error != NULL)
        virtshFail(sh, "%s", sh->error);
    virtshForgetError(sh);
}

static void
writeLog(int priority, const char *source, const char *message, void *opaque)
{
    static const char *const names[] = { "log", "debug", "info", "warning", "error" };
    struct virtsh *sh = opaque;
    const char *name = names[priority >= 0 && priority <= VIR_LOG_ERROR ? priority : 0];

    if (priority >= sh->logLevel)
        fprintf(stderr, "%s: %s: %s\n", name, source, message);
    if (sh->logFile != NULL) {
        fprintf(sh->logFile, "%s: %s: %s\n", name, source, message);
        fflush(sh->logFile);
    }
}

/* -- connection and events --------------------------------------------------------------------- */

bool
virtshConnect(struct virtsh *sh, const char *uri, bool readOnly)
{
    virConnectPtr conn = virConnectOpenAuth(uri, virConnectAuthPtrDefault,
                                            readOnly ? VIR_CONNECT_RO : 0);

    if (conn != NULL && sh->keepAliveInterval >= 0
        && virConnectSetKeepAlive(conn, sh->keepAliveInterval, sh->keepAliveCount) != 0) {
        virtshFail(sh, "Cannot setup keepalive on connection as requested, disconnecting");
        virConnectClose(conn);
        conn = NULL;
    }
    if (conn == NULL)
        return virtshFail(sh, "failed to connect to the hypervisor");
    virtshDisconnect(sh);
    sh->conn = conn;
    sh->readOnly = readOnly;
    return true;
}

void
virtshDisconnect(struct virtsh *sh)
{
    if (sh->conn != NULL)
        virConnectClose(sh->conn);
    sh->conn = NULL;
}

static void
noteTimeout(int timer, void *opaque)
{
    (void) timer;
    *(bool *) opaque = true;
}

/* There is one thread here, and it spends its time in commands; so what the hypervisors have said
 * meanwhile is taken in before each one. A timer that is due at once keeps the loop from waiting. */
void
virtshTakeEvents(void)
{
    bool due = false;
    int timer = virEventAddTimeout(0, noteTimeout, &due, NULL);

    while (timer >= 0 && !due && virEventRunDefaultImpl() == 0)
        continue;
    if (timer >= 0)
        virEventRemoveTimeout(timer);
}

/* -- what a command was given ------------------------------------------------------------------ */

static const struct virtshValue *
findValue(struct virtsh *sh, const char *option)
{
    for (size_t i = 0; i < sh->call->count; i++) {
        if (strcmp(sh->call->values[i].option->name, option) == 0)
            return &sh->call->values[i];
    }
    return NULL;
}

bool
virtshHas(struct virtsh *sh, const char *option)
{
    return findValue(sh, option) != NULL;
}

const char *
virtshString(struct virtsh *sh, const char *option)
{
    const struct virtshValue *value = findValue(sh, option);

    return value != NULL ? value->text : NULL;
}

unsigned int
virtshFlags(struct virtsh *sh)
{
    unsigned int flags = 0;

    for (size_t i = 0; i < sh->call->count; i++)
        flags |= sh->call->values[i].option->bit;
    return flags;
}

/* Only digits: no sign that wraps around, no space, no unit. */
static bool
parseNumber(const char *text, unsigned long long max, unsigned long long *value)
{
    char *end;
    unsigned long long number;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number > max)
        return false;
    *value = number;
    return true;
}

bool
virtshNumber(struct virtsh *sh, const char *option, unsigned long long max,
             unsigned long long *value)
{
    const char *text = virtshString(sh, option);

    return text == NULL || parseNumber(text, max, value)
           || virtshFail(sh, "Numeric value '%s' for <%s> option is malformed or out of range",
                         text, option);
}

bool
virtshExclusive(struct virtsh *sh, const char *one, const char *other)
{
    return !virtshHas(sh, one) || !virtshHas(sh, other)
           || virtshFail(sh, "Options --%s and --%s are mutually exclusive", one, other);
}

bool
virtshRequires(struct virtsh *sh, const char *option, const char *needed)
{
    return !virtshHas(sh, option) || virtshHas(sh, needed)
           || virtshFail(sh, "Option --%s is required by option --%s", needed, option);
}

virDomainPtr
virtshLookup(struct virtsh *sh, const char *name, unsigned int lookup)
{
    virDomainPtr dom = NULL;
    unsigned long long id;

    if ((lookup & VIRTSH_BY_ID) && parseNumber(name, INT_MAX, &id))
        dom = virDomainLookupByID(sh->conn, (int) id);
    if (dom == NULL && (lookup & VIRTSH_BY_UUID) && strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
        dom = virDomainLookupByUUIDString(sh->conn, name);
    if (dom == NULL && (lookup & VIRTSH_BY_NAME))
        dom = virDomainLookupByName(sh->conn, name);
    virtshForgetError(sh);          /* one of several ways failed: that is not news */
    if (dom == NULL)
        virtshFail(sh, "failed to get domain '%s'", name);
    return virtshOwnDomain(sh, dom);
}

virDomainPtr
virtshDomain(struct virtsh *sh)
{
    const struct virtshValue *value = findValue(sh, "domain");

    if (sh->domain == NULL)
        sh->domain = virtshLookup(sh, value->text, value->option->lookup);
    return sh->domain;
}

/* -- running ----------------------------------------------------------------------------------- */

static bool
checkValues(struct virtsh *sh, const struct virtshCall *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct virtshOption *option = call->values[i].option;

        if (call->values[i].text != NULL && *call->values[i].text == '\0' && !option->emptyAllowed)
            return virtshFail(sh, "Failed to get option '%s': Option argument is empty",
                              option->name);
    }
    return true;
}

static bool
runCall(struct virtsh *sh, const struct virtshCall *call)
{
    if (call->wantsHelp) {
        virtshHelpCommand(sh, call->command);
        return true;
    }
    if (!checkValues(sh, call))
        return false;
    if (!call->command->offline && sh->conn == NULL && !virtshConnect(sh, sh->uri, sh->readOnly))
        return false;
    if (sh->conn != NULL)
        virtshTakeEvents();
    sh->call = call;
    return call->command->run(sh);
}

/* The result is that of the last command. */
bool
virtshRun(struct virtsh *sh, const struct virtshCall *calls)
{
    bool ok = true;

    for (; calls != NULL; calls = calls->next) {
        struct timespec before, after;

        virtshForgetError(sh);
        clock_gettime(CLOCK_MONOTONIC, &before);
        ok = runCall(sh, calls);
        clock_gettime(CLOCK_MONOTONIC, &after);
        virtshReleaseOwned(sh);
        if (!ok)
            reportError(sh);
        if (sh->quitting)
            break;
        if (sh->timing) {
            printf("\n(Time: %.3f ms)\n\n", (after.tv_sec - before.tv_sec) * 1e3
                                            + (after.tv_nsec - before.tv_nsec) / 1e6);
        } else {
            virtshRemark(sh, "\n");
        }
        fflush(stdout);
    }
    return ok;
}

static bool
runText(struct virtsh *sh, const char *text)
{
    struct virtshCall *calls = NULL;
    bool ok = virtshParseText(sh, text, &calls) && virtshRun(sh, calls);

    virtshFreeCalls(calls);
    return ok;
}

bool
virtshRunNested(struct virtsh *sh, const char *text)
{
    const struct virtshCall *call = sh->call;
    struct virtshOwned *owned = sh->owned;
    virDomainPtr domain = sh->domain;
    bool ok;

    sh->owned = NULL;
    sh->domain = NULL;
    ok = runText(sh, text);
    sh->call = call;
    sh->owned = owned;
    sh->domain = domain;
    return ok;
}

/* -- interactive ------------------------------------------------------------------------------- */

static const char *
prompt(struct virtsh *sh)
{
    return sh->readOnly ? "virtsh > " : "virtsh # ";
}

#ifdef VIRTSH_READLINE
static struct virtsh *completing;   /* readline's callbacks have no argument for it */

static char *
nextCompletion(const char *text, int state)
{
    static struct virtshList found;
    static size_t next;

    if (state == 0) {
        struct virtshList words = { 0 };
        char *line = virtshCopy(rl_line_buffer), *rest = line, *word;

        line[rl_point] = '\0';
        while ((word = strsep(&rest, " \t")) != NULL) {
            if (*word != '\0' && rest != NULL)
                virtshListAdd(&words, word);
        }
        virtshListAdd(&words, text);
        virtshListClear(&found);
        next = 0;
        virtshComplete(completing, words.items, words.count, &found);
        virtshListClear(&words);
        free(line);
    }
    if (next == found.count) {
        virtshListClear(&found);
        return NULL;
    }
    return virtshCopy(found.items[next++]);
}

static char **
complete(const char *text, int start, int end)
{
    (void) start;
    (void) end;
    return rl_completion_matches(text, nextCompletion);
}
#endif

/* The caller frees the line. NULL at the end of the input. Readline is for a person: of a pipe it would echo every line. */
static char *
readLine(struct virtsh *sh)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

#ifdef VIRTSH_READLINE
    if (isatty(STDIN_FILENO)) {
        completing = sh;
        rl_attempted_completion_function = complete;
        rl_basic_word_break_characters = " \t\n;";
        if ((line = readline(prompt(sh))) != NULL && *line != '\0')
            add_history(line);
        return line;
    }
#endif
    fputs(prompt(sh), stdout);
    fflush(stdout);
    if ((length = getline(&line, &size, stdin)) < 0) {
        free(line);
        return NULL;
    }
    if (length > 0 && line[length - 1] == '\n')
        line[length - 1] = '\0';
    return line;
}

static void
interact(struct virtsh *sh)
{
    char *line;

    sh->interactive = true;
    virtshRemark(sh, "Welcome to virtsh, the virtualization interactive terminal.\n\n"
                     "Type:  'help' for help with commands\n"
                     "       'quit' to quit\n\n");
    while (!sh->quitting && (line = readLine(sh)) != NULL) {
        runText(sh, line);
        free(line);
    }
    putchar('\n');
}

/* -- main -------------------------------------------------------------------------------------- */

static void
showVersion(struct virtsh *sh, bool all)
{
    if (!all) {
        virtshPrint(sh, "%s\n", VIRT_VERSION);
        return;
    }
    virtshPrint(sh, "Virtsh command line tool of virt %s\n\n", VIRT_VERSION);
    virtshPrint(sh, "The API is that of libvirt %d.%d.%d\n", LIBVIR_VERSION_NUMBER / 1000000,
                LIBVIR_VERSION_NUMBER / 1000 % 1000, LIBVIR_VERSION_NUMBER % 1000);
}

static bool
setDebugLevel(struct virtsh *sh, const char *text)
{
    /* virsh's levels know "notice", between information and warning. */
    static const int levels[] = { VIR_LOG_DEBUG, VIR_LOG_INFO, VIR_LOG_WARN, VIR_LOG_WARN,
                                  VIR_LOG_ERROR };
    unsigned long long level;

    if (!parseNumber(text, INT_MAX, &level))
        return virtshFail(sh, "option -d takes a numeric argument");
    if (level >= VIRTSH_COUNT(levels))
        virtshFail(sh, "ignoring debug level %llu out of range [0-4]", level);
    else
        sh->logLevel = levels[level];
    return true;
}

static bool
setKeepAlive(struct virtsh *sh, const char *option, const char *text, int *value)
{
    unsigned long long number;

    if (!parseNumber(text, INT_MAX, &number))
        return virtshFail(sh, "Invalid value for option %s", option);
    *value = (int) number;
    return true;
}

static const char shellOptions[] = "+:c:d:hk:K:l:qrtvV";
static const struct option shellLongOptions[] = {
    { "connect", required_argument, NULL, 'c' },
    { "debug", required_argument, NULL, 'd' },
    { "help", no_argument, NULL, 'h' },
    { "keepalive-interval", required_argument, NULL, 'k' },
    { "keepalive-count", required_argument, NULL, 'K' },
    { "log", required_argument, NULL, 'l' },
    { "quiet", no_argument, NULL, 'q' },
    { "readonly", no_argument, NULL, 'r' },
    { "timing", no_argument, NULL, 't' },
    { "version", optional_argument, NULL, 'v' },
    { NULL, 0, NULL, 0 },
};

static bool
refuseOption(struct virtsh *sh, int result, char **argv)
{
    if (result != ':')
        return optopt != 0 && strncmp(argv[optind - 1], "--", 2) != 0
               ? virtshFail(sh, "unsupported option '-%c'. See --help.", optopt)
               : virtshFail(sh, "unsupported option '%s'. See --help.", argv[optind - 1]);
    for (const struct option *option = shellLongOptions; option->name != NULL; option++) {
        if (option->val == optopt)
            return virtshFail(sh, "option '-%c'/'--%s' requires an argument", optopt, option->name);
    }
    return virtshFail(sh, "option '-%c' requires an argument", optopt);
}

/* Puts the options into *sh. *over: nothing is left to do. */
static bool
readShellOptions(struct virtsh *sh, int argc, char **argv, bool *over)
{
    bool ok = true;
    int c;

    while (ok && !*over && (c = getopt_long(argc, argv, shellOptions, shellLongOptions, NULL)) >= 0) {
        switch (c) {
        case 'c':
            free(sh->uri);
            sh->uri = virtshCopy(optarg);
            break;
        case 'd':
            ok = setDebugLevel(sh, optarg);
            break;
        case 'k':
            ok = setKeepAlive(sh, "-k", optarg, &sh->keepAliveInterval);
            break;
        case 'K':
            ok = setKeepAlive(sh, "-K", optarg, &sh->keepAliveCount);
            break;
        case 'l':
            if (sh->logFile != NULL)
                fclose(sh->logFile);
            if ((sh->logFile = fopen(optarg, "a")) == NULL)
                ok = virtshFail(sh, "failed to open the log file '%s': %s", optarg, strerror(errno));
            break;
        case 'q':
            sh->quiet = true;
            break;
        case 'r':
            sh->readOnly = true;
            break;
        case 't':
            sh->timing = true;
            break;
        case 'h':
            virtshUsage(sh);
            *over = true;
            break;
        case 'v':
        case 'V':
            showVersion(sh, c == 'V' || (optarg != NULL && strcmp(optarg, "long") == 0));
            *over = true;
            break;
        default:
            ok = refuseOption(sh, c, argv);
        }
    }
    return ok;
}

static bool
runMain(struct virtsh *sh, int argc, char **argv)
{
    const char *uri = getenv("VIRSH_DEFAULT_CONNECT_URI");
    struct virtshCall *calls = NULL;
    bool over = false, ok;

    if (!readShellOptions(sh, argc, argv, &over) || over)
        return over;
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) {
        reportError(sh);
        return false;
    }
    if (sh->uri != NULL) {
        if (!virtshConnect(sh, sh->uri, sh->readOnly)) {
            reportError(sh);
            return false;
        }
    } else if (uri != NULL && *uri != '\0') {
        sh->uri = virtshCopy(uri);
    }
    if (optind == argc) {
        interact(sh);
        return true;
    }
    if (optind == argc - 1)
        return runText(sh, argv[optind]);
    ok = virtshParseWords(sh, argv + optind, argc - optind, &calls) && virtshRun(sh, calls);
    virtshFreeCalls(calls);
    return ok;
}

int
main(int argc, char **argv)
{
    struct virtsh sh = { .keepAliveInterval = -1, .keepAliveCount = 5, .logLevel = VIR_LOG_ERROR };
    const char *level = getenv("VIRSH_DEBUG");
    bool ok;

#ifdef _WIN32
    _setmode(STDIN_FILENO, _O_BINARY);      /* documents and lists are the same everywhere */
    _setmode(STDOUT_FILENO, _O_BINARY);
    _setmode(STDERR_FILENO, _O_BINARY);
#endif
    setlocale(LC_ALL, "");          /* the width of characters in tables */
    virSetErrorFunc(&sh, noteError);
    virSetLogFunc(writeLog, &sh);
    ok = (level == NULL || *level == '\0' || setDebugLevel(&sh, level)) && runMain(&sh, argc, argv);
    virtshDisconnect(&sh);
    virtshForgetError(&sh);
    virSetLogFunc(NULL, NULL);
    virSetErrorFunc(NULL, NULL);
    if (sh.logFile != NULL)
        fclose(sh.logFile);
    free(sh.uri);
    return ok && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
