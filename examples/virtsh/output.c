/*
 * output.c: memory, messages and tables of virtsh
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "virtsh.h"

/* Longer files are hardly domain documents. */
#define MAX_FILE_SIZE (10 * 1024 * 1024)

/* -- memory ---------------------------------------------------------------------------------- */

static void *
checked(void *memory)
{
    if (memory == NULL) {
        fputs("error: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

void *
virtshAlloc(size_t size)
{
    return checked(calloc(1, size > 0 ? size : 1));
}

char *
virtshCopy(const char *text)
{
    return checked(strdup(text));
}

static char *
formatList(const char *format, va_list arguments)
{
    char *text = NULL;

    return vasprintf(&text, format, arguments) < 0 ? checked(NULL) : text;
}

char *
virtshFormat(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = formatList(format, arguments);
    va_end(arguments);
    return text;
}

/* The array always ends with NULL, which is not counted. */
void
virtshListAdd(struct virtshList *list, const char *text)
{
    list->items = checked(realloc(list->items, (list->count + 2) * sizeof(*list->items)));
    list->items[list->count++] = virtshCopy(text);
    list->items[list->count] = NULL;
}

void
virtshListClear(struct virtshList *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct virtshList){ 0 };
}

/* One thing that lives as long as the running command. */
struct virtshOwned {
    void *memory;                   /* freed with free(), unless one of the others is set */
    virDomainPtr domain;
    virTypedParameterPtr params;
    int paramCount;
    struct virtshOwned *next;
};

static struct virtshOwned *
own(struct virtsh *sh)
{
    struct virtshOwned *owned = virtshAlloc(sizeof(*owned));

    owned->next = sh->owned;
    sh->owned = owned;
    return owned;
}

void *
virtshOwn(struct virtsh *sh, void *memory)
{
    if (memory != NULL)
        own(sh)->memory = memory;
    return memory;
}

virDomainPtr
virtshOwnDomain(struct virtsh *sh, virDomainPtr domain)
{
    if (domain != NULL)
        own(sh)->domain = domain;
    return domain;
}

void
virtshOwnDomains(struct virtsh *sh, virDomainPtr *domains, int count)
{
    for (int i = 0; i < count; i++)
        virtshOwnDomain(sh, domains[i]);
    virtshOwn(sh, domains);
}

void
virtshOwnParams(struct virtsh *sh, virTypedParameterPtr params, int count)
{
    struct virtshOwned *owned = own(sh);

    owned->params = params;
    owned->paramCount = count;
}

void
virtshReleaseOwned(struct virtsh *sh)
{
    struct virtshOwned *owned;

    while ((owned = sh->owned) != NULL) {
        sh->owned = owned->next;
        if (owned->domain != NULL)
            virDomainFree(owned->domain);
        virTypedParamsFree(owned->params, owned->paramCount);
        free(owned->memory);
        free(owned);
    }
    sh->domain = NULL;
}

/* -- messages -------------------------------------------------------------------------------- */

void
virtshPrint(struct virtsh *sh, const char *format, ...)
{
    va_list arguments;

    (void) sh;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

void
virtshRemark(struct virtsh *sh, const char *format, ...)
{
    va_list arguments;

    if (sh->quiet)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

bool
virtshFail(struct virtsh *sh, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = formatList(format, arguments);
    va_end(arguments);
    fflush(stdout);                 /* so that both streams read well on one terminal */
    fprintf(stderr, "error: %s\n", text);
    if (sh->logFile != NULL)
        fprintf(sh->logFile, "error: %s\n", text);
    free(text);
    return false;
}

void
virtshNoteError(struct virtsh *sh, const char *format, ...)
{
    va_list arguments;

    free(sh->error);
    va_start(arguments, format);
    sh->error = formatList(format, arguments);
    va_end(arguments);
}

void
virtshForgetError(struct virtsh *sh)
{
    free(sh->error);
    sh->error = NULL;
}

char *
virtshReadFile(struct virtsh *sh, const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t length = 0, got;
    char buffer[65536];

    if (file == NULL) {
        virtshNoteError(sh, "Failed to open file '%s': %s", path, strerror(errno));
        return NULL;
    }
    do {
        got = fread(buffer, 1, sizeof(buffer), file);
        text = checked(realloc(text, length + got + 1));
        memcpy(text + length, buffer, got);
        length += got;
    } while (got > 0 && length <= MAX_FILE_SIZE);
    text[length] = '\0';
    if (ferror(file) || length > MAX_FILE_SIZE || strlen(text) != length) {
        virtshNoteError(sh, "Failed to read file '%s': %s", path,
                        ferror(file) ? strerror(errno) :
                        length > MAX_FILE_SIZE ? "it is too long" : "it is not text");
        free(text);
        text = NULL;
    }
    fclose(file);
    return virtshOwn(sh, text);
}

/* -- tables ---------------------------------------------------------------------------------- */

struct virtshTable {
    struct virtsh *sh;
    const char *const *titles;      /* ends with NULL */
    size_t columns;
    char **cells;                   /* row by row; the shell owns each */
    size_t count;
};

struct virtshTable *
virtshTableNew(struct virtsh *sh, const char *const *titles)
{
    struct virtshTable *table = virtshOwn(sh, virtshAlloc(sizeof(*table)));

    table->sh = sh;
    table->titles = titles;
    while (titles[table->columns] != NULL)
        table->columns++;
    return table;
}

void
virtshTableCell(struct virtshTable *table, const char *text)
{
    char **cells = virtshAlloc((table->count + 1) * sizeof(*cells));

    if (table->count > 0)
        memcpy(cells, table->cells, table->count * sizeof(*cells));
    cells[table->count++] = virtshOwn(table->sh, virtshCopy(text));
    table->cells = virtshOwn(table->sh, cells);
}

/* What a text takes on the screen, which is neither its bytes nor its characters. */
static size_t
screenWidth(const char *text)
{
    wchar_t wide[1024];
    size_t length = mbstowcs(wide, text, VIRTSH_COUNT(wide));
    int width;

    if (length == (size_t) -1 || length == VIRTSH_COUNT(wide))
        return strlen(text);
    width = wcswidth(wide, length);
    return width < 0 ? strlen(text) : (size_t) width;
}

static void
printRow(char *const *cells, const size_t *widths, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        printf(" %s", cells[i]);
        if (i + 1 < columns)
            printf("%*s", (int) (widths[i] - screenWidth(cells[i]) + 2), "");
    }
    putchar('\n');
}

/* -q leaves out the title and the line below it; then they do not count for the widths either. */
void
virtshTablePrint(struct virtsh *sh, struct virtshTable *table)
{
    size_t *widths = virtshOwn(sh, virtshAlloc(table->columns * sizeof(*widths)));
    size_t total = 0;

    for (size_t i = 0; i < table->columns; i++) {
        widths[i] = sh->quiet ? 0 : screenWidth(table->titles[i]);
        for (size_t j = i; j < table->count; j += table->columns) {
            if (screenWidth(table->cells[j]) > widths[i])
                widths[i] = screenWidth(table->cells[j]);
        }
        total += widths[i] + 3;
    }
    if (!sh->quiet) {
        printRow((char *const *) table->titles, widths, table->columns);
        while (total-- > 0)
            putchar('-');
        putchar('\n');
    }
    for (size_t j = 0; j < table->count; j += table->columns)
        printRow(table->cells + j, widths, table->columns);
}

/* -- values as words ------------------------------------------------------------------------- */

double
virtshScale(unsigned long long bytes, const char **unit)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double value = (double) bytes;
    size_t i = 0;

    while (value >= 1024 && i + 1 < VIRTSH_COUNT(units)) {
        value /= 1024;
        i++;
    }
    *unit = units[i];
    return value;
}

const char *
virtshWord(const char *const *words, size_t count, int value)
{
    return value >= 0 && (size_t) value < count && words[value] != NULL ? words[value] : "unknown";
}

char *
virtshCpuList(struct virtsh *sh, const unsigned char *map, int cpus)
{
    char *text = virtshCopy("");

    for (int first = 0, last; first < cpus; first = last + 1) {
        char *longer;

        last = first;
        if (!VIR_CPU_USED(map, first))
            continue;
        while (last + 1 < cpus && VIR_CPU_USED(map, last + 1))
            last++;
        longer = first == last ? virtshFormat("%s%s%d", text, *text ? "," : "", first)
                               : virtshFormat("%s%s%d-%d", text, *text ? "," : "", first, last);
        free(text);
        text = longer;
    }
    return virtshOwn(sh, text);
}

static const char *const stateNames[] = {
    [VIR_DOMAIN_NOSTATE] = "no state",
    [VIR_DOMAIN_RUNNING] = "running",
    [VIR_DOMAIN_BLOCKED] = "idle",
    [VIR_DOMAIN_PAUSED] = "paused",
    [VIR_DOMAIN_SHUTDOWN] = "in shutdown",
    [VIR_DOMAIN_SHUTOFF] = "shut off",
    [VIR_DOMAIN_CRASHED] = "crashed",
    [VIR_DOMAIN_PMSUSPENDED] = "pmsuspended",
};

const char *
virtshStateName(int state)
{
    return state >= 0 && (size_t) state < VIRTSH_COUNT(stateNames) ? stateNames[state] : "no state";
}

static const char *const runningReasons[] = {
    [VIR_DOMAIN_RUNNING_BOOTED] = "booted",
    [VIR_DOMAIN_RUNNING_MIGRATED] = "migrated",
    [VIR_DOMAIN_RUNNING_RESTORED] = "restored",
    [VIR_DOMAIN_RUNNING_FROM_SNAPSHOT] = "from snapshot",
    [VIR_DOMAIN_RUNNING_UNPAUSED] = "unpaused",
    [VIR_DOMAIN_RUNNING_MIGRATION_CANCELED] = "migration canceled",
    [VIR_DOMAIN_RUNNING_SAVE_CANCELED] = "save canceled",
    [VIR_DOMAIN_RUNNING_WAKEUP] = "event wakeup",
    [VIR_DOMAIN_RUNNING_CRASHED] = "crashed",
    [VIR_DOMAIN_RUNNING_POSTCOPY] = "post-copy",
    [VIR_DOMAIN_RUNNING_POSTCOPY_FAILED] = "post-copy failed",
};
static const char *const pausedReasons[] = {
    [VIR_DOMAIN_PAUSED_USER] = "user",
    [VIR_DOMAIN_PAUSED_MIGRATION] = "migrating",
    [VIR_DOMAIN_PAUSED_SAVE] = "saving",
    [VIR_DOMAIN_PAUSED_DUMP] = "dumping",
    [VIR_DOMAIN_PAUSED_IOERROR] = "I/O error",
    [VIR_DOMAIN_PAUSED_WATCHDOG] = "watchdog",
    [VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = "from snapshot",
    [VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "shutting down",
    [VIR_DOMAIN_PAUSED_SNAPSHOT] = "creating snapshot",
    [VIR_DOMAIN_PAUSED_CRASHED] = "crashed",
    [VIR_DOMAIN_PAUSED_STARTING_UP] = "starting up",
    [VIR_DOMAIN_PAUSED_POSTCOPY] = "post-copy",
    [VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] = "post-copy failed",
};
static const char *const shutdownReasons[] = {
    [VIR_DOMAIN_SHUTDOWN_USER] = "user",
};
static const char *const shutoffReasons[] = {
    [VIR_DOMAIN_SHUTOFF_SHUTDOWN] = "shutdown",
    [VIR_DOMAIN_SHUTOFF_DESTROYED] = "destroyed",
    [VIR_DOMAIN_SHUTOFF_CRASHED] = "crashed",
    [VIR_DOMAIN_SHUTOFF_MIGRATED] = "migrated",
    [VIR_DOMAIN_SHUTOFF_SAVED] = "saved",
    [VIR_DOMAIN_SHUTOFF_FAILED] = "failed",
    [VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT] = "from snapshot",
    [VIR_DOMAIN_SHUTOFF_DAEMON] = "daemon",
};
static const char *const crashedReasons[] = {
    [VIR_DOMAIN_CRASHED_PANICKED] = "panicked",
};

const char *
virtshReasonName(int state, int reason)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING:
        return virtshWord(runningReasons, VIRTSH_COUNT(runningReasons), reason);
    case VIR_DOMAIN_PAUSED:
        return virtshWord(pausedReasons, VIRTSH_COUNT(pausedReasons), reason);
    case VIR_DOMAIN_SHUTDOWN:
        return virtshWord(shutdownReasons, VIRTSH_COUNT(shutdownReasons), reason);
    case VIR_DOMAIN_SHUTOFF:
        return virtshWord(shutoffReasons, VIRTSH_COUNT(shutoffReasons), reason);
    case VIR_DOMAIN_CRASHED:
        return virtshWord(crashedReasons, VIRTSH_COUNT(crashedReasons), reason);
    default:
        return "unknown";
    }
}
