/*
 * options.c: the command line and the configuration file
 *
 * An option and a line of the file have the same name, and stand in one table. What the command line says of a name, the file does not change.
 */
#include "virtd.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum virtdKind {
    VIRTD_FLAG,                       /* yes or no in the file */
    VIRTD_TEXT,
    VIRTD_PATH,                       /* from the folder that virtd was started in */
    VIRTD_SEVERAL,
    VIRTD_RULE,                       /* goes to the rules, with its name before it */
};

static const struct virtdOption {
    const char *name;
    char letter;                      /* 0: none */
    enum virtdKind kind;
    size_t where;                     /* in struct virtdOptions */
    bool commandLine;                 /* has no sense in a file */
    const char *argument, *help;
} virtdOptions[] = {
#define AT(member) offsetof(struct virtdOptions, member)
    { "config", 'c', VIRTD_PATH, AT(config), true, "FILE", "read options from FILE (default: /etc/virt/virtd.conf, if it is there)" },
    { "connect", 'C', VIRTD_SEVERAL, AT(connect), false, "URI", "serve this connection (default: qemu:///system for root, else qemu:///session)" },
    { "listen", 'l', VIRTD_SEVERAL, AT(listen), false, "ADDRESS", "listen on unix:PATH, tcp:HOST:PORT or ws:HOST:PORT (default: unix:, the usual socket)" },
    { "listen-ro", 'r', VIRTD_SEVERAL, AT(listenRo), false, "ADDRESS", "the same, for clients that only look" },
    { "mode", 'm', VIRTD_TEXT, AT(mode), false, "MODE", "permissions of the Unix sockets, octal (default: 0600)" },
    { "owner", 'o', VIRTD_TEXT, AT(owner), false, "USER", "whose they are" },
    { "group", 'g', VIRTD_TEXT, AT(group), false, "GROUP", "and whose group" },
    { "key", 'k', VIRTD_PATH, AT(key), false, "FILE", "this server's secret key, for tcp and ws (see --genkey)" },
    { "authorized-keys", 'a', VIRTD_PATH, AT(authorized), false, "FILE", "the clients' keys: lines \"KEY NAME\" or \"KEY NAME readonly\"" },
    { "workers", 'w', VIRTD_TEXT, AT(workers), false, "N", "threads that carry calls out (default: 4)" },
    { "limit", 'L', VIRTD_SEVERAL, AT(limits), false, "NAME=N", "a limit: clients, parallel, message, document, memory, depth, subscriptions, streams, expiry" },
    { "allow", 'A', VIRTD_RULE, AT(rules), false, "RULE", "who may do what: \"WHO PERMISSION [GUEST]\"; the first rule that fits decides, and who has none may nothing" },
    { "deny", 'D', VIRTD_RULE, AT(rules), false, "RULE", "who may not" },
    { "policy", 'P', VIRTD_PATH, AT(policy), false, "FILE", "more rules, a line each: \"allow WHO PERMISSION [GUEST]\" or \"deny ...\"" },
    { "audit", 'u', VIRTD_PATH, AT(audit), false, "FILE", "write down each call that was to change something, as a line of JSON" },
    { "dashboard", 'b', VIRTD_TEXT, AT(dashboard), false, "ADDRESS", "serve the page for browsers over HTTP, on [ADDRESS][:PORT] (127.0.0.1:16512 where not given)" },
    { "dashboard-page", 'B', VIRTD_PATH, AT(dashboardPage), false, "FILE", "this page instead of the installed one" },
    { "log", 'O', VIRTD_TEXT, AT(log), false, "WHERE", "a file, syslog or stderr (default: stderr; syslog with --daemon)" },
    { "log-level", 'v', VIRTD_TEXT, AT(logLevel), false, "LEVEL", "debug, info, warning or error (default: info)" },
    { "pid-file", 'p', VIRTD_PATH, AT(pidFile), false, "FILE", "(default: virtd.pid beside the usual socket)" },
    { "daemon", 'd', VIRTD_FLAG, AT(daemon), false, NULL, "go into the background when everything is there" },
    { "replace", 'R', VIRTD_FLAG, AT(replace), true, NULL, "end the virtd that has the pid file, and take its place" },
    { "check", 'n', VIRTD_FLAG, AT(check), true, NULL, "only say whether the options make sense" },
    { "genkey", 'G', VIRTD_FLAG, AT(genkey), true, NULL, "make the secret key (--key, or the user's own), and print the public one" },
    { "show-key", 'K', VIRTD_FLAG, AT(showKey), true, NULL, "print the public key that belongs to it" },
#undef AT
};

/* -- small things -------------------------------------------------------------------------------- */

void *
virtdAlloc(size_t size)
{
    void *data = calloc(1, size);

    if (data == NULL) {
        fputs("virtd: out of memory\n", stderr);
        exit(1);
    }
    return data;
}

char *
virtdFormat(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        virtdAlloc((size_t)-1);
    va_end(args);
    return text;
}

void
virtdListAdd(struct virtdList *list, const char *text)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

    if (items == NULL)
        virtdAlloc((size_t)-1);
    list->items = items;
    list->items[list->count++] = virtdFormat("%s", text);
}

void
virtdListClear(struct virtdList *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

bool
virtdNumber(const char *text, const char *what, unsigned long min, unsigned long max, unsigned long *value)
{
    char *end;

    errno = 0;
    *value = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || *value < min || *value > max)
        return virtdFail("%s: '%s' is no number from %lu to %lu", what, text, min, max);
    return true;
}

/* Where virtd was started. In the background it is somewhere else, when it reads the command line again. */
static char *virtdFolder;

/* Where a relative path leads from there. */
static char *
virtdAbsolute(const char *path)
{
    if (*path == '/' || *path == '\0' || virtdFolder == NULL)
        return virtdFormat("%s", path);
    return virtdFormat("%s/%s", strcmp(virtdFolder, "/") == 0 ? "" : virtdFolder, path);
}

/* -- one option --------------------------------------------------------------------------------- */

static void
virtdSet(struct virtdOptions *options, const struct virtdOption *option, const char *value)
{
    void *where = (char *)options + option->where;
    char *text;

    switch (option->kind) {
    case VIRTD_FLAG:
        *(bool *)where = strcmp(value, "yes") == 0;
        return;
    case VIRTD_SEVERAL:
        if (strncmp(value, "unix:", 5) == 0 && value[5] != '\0') {
            char *path = virtdAbsolute(value + 5);

            text = virtdFormat("unix:%s", path);
            free(path);
        } else {
            text = virtdFormat("%s", value);
        }
        virtdListAdd(where, text);
        free(text);
        return;
    case VIRTD_RULE:
        text = virtdFormat("%s %s", option->name, value);
        virtdListAdd(where, text);
        free(text);
        return;
    case VIRTD_PATH:
        text = virtdAbsolute(value);
        break;
    default:
        text = virtdFormat("%s", value);
        break;
    }
    free(*(char **)where);
    *(char **)where = text;
}

static const struct virtdOption *
virtdFindOption(const char *name)
{
    for (size_t i = 0; i < VIRTD_COUNT(virtdOptions); i++)
        if (strcmp(virtdOptions[i].name, name) == 0)
            return &virtdOptions[i];
    return NULL;
}

/* -- the file ----------------------------------------------------------------------------------- */

static char *
virtdTrim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text + strspn(text, " \t");
}

/* "name = value"; names on the command line (given) are left alone. */
static bool
virtdTakeLine(struct virtdOptions *options, char *line, const char *where, const bool *given)
{
    const struct virtdOption *option;
    char *value = strchr(line, '='), *name;

    if (value == NULL)
        return virtdFail("%s: a line is NAME = VALUE", where);
    *value++ = '\0';
    name = virtdTrim(line);
    value = virtdTrim(value);
    if ((option = virtdFindOption(name)) == NULL || option->commandLine)
        return virtdFail("%s: '%s' is no option%s", where, name, option != NULL ? " for a file" : "");
    if (option->kind == VIRTD_FLAG && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return virtdFail("%s: '%s' is yes or no", where, name);
    if (*value == '\0')
        return virtdFail("%s: '%s' has no value", where, name);
    if (!given[option - virtdOptions])
        virtdSet(options, option, value);
    return true;
}

static bool
virtdReadFile(struct virtdOptions *options, const char *path, const bool *given)
{
    FILE *file = fopen(path, "re");
    size_t size = 0, number = 0;
    char *line = NULL;
    bool well = true;

    if (file == NULL)
        return virtdFail("cannot read '%s': %s", path, strerror(errno));
    while (well && getline(&line, &size, file) >= 0) {
        char *text = virtdTrim(line), *where;

        number++;
        if (*text == '\0' || *text == '#')
            continue;
        where = virtdFormat("'%s', line %zu", path, number);
        well = virtdTakeLine(options, text, where, given);
        free(where);
    }
    if (ferror(file))
        well = virtdFail("cannot read '%s': %s", path, strerror(errno));
    free(line);
    fclose(file);
    return well;
}

/* -- the command line --------------------------------------------------------------------------- */

static void
virtdHelp(void)
{
    printf("Usage: virtd [OPTION]...\n\nServes connections of this host to other processes and hosts.\n\n");
    for (size_t i = 0; i < VIRTD_COUNT(virtdOptions); i++) {
        const struct virtdOption *option = &virtdOptions[i];
        char *left = virtdFormat("-%c, --%s%s%s", option->letter, option->name, option->argument != NULL ? " " : "",
                                 option->argument != NULL ? option->argument : "");

        printf("  %-28s  %s\n", left, option->help);
        free(left);
    }
    printf("  %-28s  %s\n  %-28s  %s\n\n", "-h, --help", "this", "-V, --version", "which virt it is");
    printf("connect, listen, listen-ro, limit, allow and deny may be given more than once. The file has lines \"name = value\" with the long names.\n"
           "SIGHUP starts over with what the file then says, without ending: guests run on, clients connect again by themselves. SIGTERM ends.\n");
}

bool
virtdOptionsRead(struct virtdOptions *options, int argc, char **argv)
{
    bool given[VIRTD_COUNT(virtdOptions)] = { false };
    struct option longs[VIRTD_COUNT(virtdOptions) + 3] = { { .name = NULL } };
    char shorts[2 * VIRTD_COUNT(virtdOptions) + 3], *to = shorts;
    static const char usual[] = "/etc/virt/virtd.conf";
    size_t n = VIRTD_COUNT(virtdOptions);
    int c;

    memset(options, 0, sizeof(*options));
    if (virtdFolder == NULL)
        virtdFolder = getcwd(NULL, 0);
    for (size_t i = 0; i < n; i++) {
        longs[i] = (struct option){ virtdOptions[i].name, virtdOptions[i].argument != NULL, NULL, virtdOptions[i].letter };
        *to++ = virtdOptions[i].letter;
        if (virtdOptions[i].argument != NULL)
            *to++ = ':';
    }
    longs[n] = (struct option){ "help", 0, NULL, 'h' };
    longs[n + 1] = (struct option){ "version", 0, NULL, 'V' };
    strcpy(to, "hV");
    optind = 0;                                            /* it may be the second time */
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (c == 'h') {
            virtdHelp();
            exit(0);
        }
        if (c == 'V') {
            printf("virtd (virt) %s\n", VIRT_VERSION);
            exit(0);
        }
        for (size_t i = 0; i < n; i++) {
            if (virtdOptions[i].letter == c) {
                given[i] = true;
                virtdSet(options, &virtdOptions[i], optarg != NULL ? optarg : "yes");
            }
        }
        if (c == '?')
            return false;
    }
    if (optind < argc)
        return virtdFail("'%s' is no option; virtd --help tells what is", argv[optind]);
    if (options->config != NULL)
        return virtdReadFile(options, options->config, given);
    return access(usual, F_OK) < 0 || virtdReadFile(options, usual, given);
}

void
virtdOptionsClear(struct virtdOptions *options)
{
    for (size_t i = 0; i < VIRTD_COUNT(virtdOptions); i++) {
        void *where = (char *)options + virtdOptions[i].where;

        if (virtdOptions[i].kind == VIRTD_SEVERAL || virtdOptions[i].kind == VIRTD_RULE) {
            virtdListClear(where);
        } else if (virtdOptions[i].kind != VIRTD_FLAG) {
            free(*(char **)where);
            *(char **)where = NULL;
        }
    }
}
