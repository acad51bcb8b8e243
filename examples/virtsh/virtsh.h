/*
 * virtsh.h: what the files of virtsh share
 *
 * virtsh is a shell for virt whose commands, options and output are virsh's. A command is a row in a
 * table: its name, its help, its options, and one function. The rows of a subject stand at the end of
 * the file of that subject (domain.c, monitor.c, stats.c, migrate.c, event.c, host.c, shell.c; console.c lends
 * its own to domain.c); virtsh.c lists the tables. Help, parsing and completion are made from the same rows.
 *
 * What a command allocates it hands to the shell (virtshOwn and its kin), which releases it when the
 * command is over. So a command has early returns and no clean-up of its own.
 */
#ifndef VIRTSH_H
#define VIRTSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "../../virt.h"
#ifdef _WIN32
# include "mingw.h"
# define VIRTSH_EDITOR "notepad"
# define VIRTSH_TEMPORARY "TEMP"    /* the environment's folder for temporary files */
# define VIRTSH_PRINTF(text, first) __attribute__((format(gnu_printf, text, first)))
#else
# define VIRTSH_EDITOR "vi"
# define VIRTSH_TEMPORARY "TMPDIR"
# define VIRTSH_PRINTF(text, first) __attribute__((format(printf, text, first)))
#endif

#define VIRTSH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct virtsh;

/* -- options and commands ------------------------------------------------------------------- */

enum virtshKind {
    VIRTSH_FLAG = 1,                /* --all */
    VIRTSH_STRING,                  /* --mode acpi, --mode=acpi, or by its position */
    VIRTSH_NUMBER,
    VIRTSH_WORDS,                   /* all words that no other option takes */
};

/* The ways to find a domain, for an option that names one. */
enum {
    VIRTSH_BY_ID = 1 << 0,
    VIRTSH_BY_UUID = 1 << 1,
    VIRTSH_BY_NAME = 1 << 2,
};

/* A growing list of strings, for words and completions. */
struct virtshList {
    char **items;
    size_t count;
};

struct virtshOption {
    const char *name;
    enum virtshKind kind;
    const char *help;
    unsigned int bit;               /* a flag: the bit it stands for in the flags of the public call */
    bool required;
    bool named;                     /* never taken by its position */
    bool unnamed;                   /* only ever taken so: help shows no --name */
    bool emptyAllowed;
    unsigned int lookup;            /* a domain's name: how it is looked up (VIRTSH_BY_*) */
    unsigned int offer;             /* a domain's name: which ones completion offers
                                       (VIR_CONNECT_LIST_DOMAINS_*, 0 for all) */
    const char *const *words;       /* what else completion offers, ends with NULL */
};

#define VIRTSH_DOMAIN_OPTION_AS(theHelp, theLookup, theOffer) \
    { .name = "domain", .kind = VIRTSH_STRING, .help = (theHelp), .required = true, \
      .lookup = (theLookup), .offer = (theOffer) }
#define VIRTSH_DOMAIN_OPTION(theOffer) \
    VIRTSH_DOMAIN_OPTION_AS("domain name, id or uuid", \
                            VIRTSH_BY_ID | VIRTSH_BY_UUID | VIRTSH_BY_NAME, (theOffer))
#define VIRTSH_END { .name = NULL }

struct virtshCommand {
    const char *name;
    const char *help;               /* one line */
    const char *description;        /* what else is to say; NULL if nothing is */
    const struct virtshOption *options;     /* ends with VIRTSH_END; NULL if there are none */
    bool (*run)(struct virtsh *sh); /* false: it failed, and exit status 1 says so */
    bool offline;                   /* needs no connection */
    bool hidden;                    /* not in the lists of commands */
};

struct virtshGroup {
    const char *title;
    const char *keyword;            /* for `help KEYWORD` */
    const struct virtshCommand *commands;   /* ends with VIRTSH_END */
};

extern const struct virtshGroup virtshGroups[];     /* virtsh.c; ends with a NULL title */
extern const struct virtshCommand virtshDomainCommands[];
bool cmdConsole(struct virtsh *sh);                 /* console.c, for the table of domain.c */
bool cmdScreenshot(struct virtsh *sh);
extern const struct virtshOption consoleOptions[], screenshotOptions[];
extern const struct virtshCommand virtshMigrationCommands[];
extern const struct virtshCommand virtshMigrationRecordCommands[];
extern const struct virtshCommand virtshMonitorCommands[];
extern const struct virtshCommand virtshStatsCommands[];
extern const struct virtshCommand virtshEventCommands[];
extern const struct virtshCommand virtshHostCommands[];
extern const struct virtshCommand virtshShellCommands[];

/* -- parsed command lines -------------------------------------------------------------------- */

struct virtshValue {
    const struct virtshOption *option;
    char *text;                     /* NULL for a flag */
};

struct virtshCall {
    const struct virtshCommand *command;
    bool wantsHelp;                 /* --help stood among its words */
    struct virtshValue *values;     /* in the order given */
    size_t count;
    struct virtshCall *next;
};

/* Reads commands separated by ; or newline, or one command of given words. NULL after an error
 * message, or if there is nothing to do. The caller frees them. */
bool virtshParseText(struct virtsh *sh, const char *text, struct virtshCall **calls);
bool virtshParseWords(struct virtsh *sh, char **words, int count, struct virtshCall **calls);
void virtshFreeCalls(struct virtshCall *calls);
const struct virtshCommand *virtshFindCommand(const char *name);
const struct virtshOption *virtshFindOption(const struct virtshCommand *command, const char *name);

/* -- the shell ------------------------------------------------------------------------------- */

struct virtshOwned;

struct virtsh {
    virConnectPtr conn;             /* NULL until a command needs it */
    char *uri;                      /* to connect to; NULL for the library's default */
    bool readOnly;
    bool quiet;
    bool timing;
    bool interactive;
    bool quitting;
    int keepAliveInterval;          /* -1: not asked for */
    int keepAliveCount;
    int logLevel;                   /* messages of the library at least this grave go to stderr */
    FILE *logFile;                  /* and all of them here, if not NULL */
    const struct virtshCall *call;  /* the command that runs */
    virDomainPtr domain;            /* its --domain once looked up */
    struct virtshOwned *owned;      /* what is released after it */
    char *error;                    /* the library's last message that nobody has seen yet */
};

bool virtshRun(struct virtsh *sh, const struct virtshCall *calls);
/* Commands as text, within a command that goes on when they have run. */
bool virtshRunNested(struct virtsh *sh, const char *text);
bool virtshConnect(struct virtsh *sh, const char *uri, bool readOnly);
void virtshDisconnect(struct virtsh *sh);
void virtshTakeEvents(void);

/* What the running command was given. Flags of the public call are the sum of the options' bits. */
bool virtshHas(struct virtsh *sh, const char *option);
const char *virtshString(struct virtsh *sh, const char *option);
unsigned int virtshFlags(struct virtsh *sh);
/* Leaves *value alone if the option is not there. False, after a message, if it is no such number. */
bool virtshNumber(struct virtsh *sh, const char *option, unsigned long long max,
                  unsigned long long *value);
/* False, after a message, if both options are there; or the first without the second. */
bool virtshExclusive(struct virtsh *sh, const char *one, const char *other);
bool virtshRequires(struct virtsh *sh, const char *option, const char *needed);
/* The command's domain. It is the shell's. NULL after a message. */
virDomainPtr virtshDomain(struct virtsh *sh);
virDomainPtr virtshLookup(struct virtsh *sh, const char *name, unsigned int lookup);

/* -- output.c: memory, messages, tables ------------------------------------------------------ */

/* These end the program when there is no memory: it is a tool, and has nothing to save. */
void *virtshAlloc(size_t size);
char *virtshCopy(const char *text);
char *virtshFormat(const char *format, ...) VIRTSH_PRINTF(1, 2);
void virtshListAdd(struct virtshList *list, const char *text);
void virtshListClear(struct virtshList *list);

/* Takes over memory (a domain, typed parameters, ...) until the command is over; NULL is nothing. */
void *virtshOwn(struct virtsh *sh, void *memory);
virDomainPtr virtshOwnDomain(struct virtsh *sh, virDomainPtr domain);
void virtshOwnDomains(struct virtsh *sh, virDomainPtr *domains, int count);
void virtshOwnParams(struct virtsh *sh, virTypedParameterPtr params, int count);
void virtshReleaseOwned(struct virtsh *sh);

/* Result of a command, and remarks that -q silences. */
void virtshPrint(struct virtsh *sh, const char *format, ...) VIRTSH_PRINTF(2, 3);
void virtshRemark(struct virtsh *sh, const char *format, ...) VIRTSH_PRINTF(2, 3);
/* "error: ..." on stderr. Always false, for `return virtshFail(...)`. The library's own message, if
 * there is one, follows when the command has returned. */
bool virtshFail(struct virtsh *sh, const char *format, ...) VIRTSH_PRINTF(2, 3);
void virtshNoteError(struct virtsh *sh, const char *format, ...) VIRTSH_PRINTF(2, 3);
void virtshForgetError(struct virtsh *sh);

/* A whole file as a string that the shell owns. NULL, with the error noted. */
char *virtshReadFile(struct virtsh *sh, const char *path);

struct virtshTable;
struct virtshTable *virtshTableNew(struct virtsh *sh, const char *const *titles);
void virtshTableCell(struct virtshTable *table, const char *text);  /* row by row, left to right */
void virtshTablePrint(struct virtsh *sh, struct virtshTable *table);

/* A size in the unit that suits it ("B" to "EiB"), and the word for a value, "unknown" if there is
 * none. */
double virtshScale(unsigned long long bytes, const char **unit);
const char *virtshWord(const char *const *words, size_t count, int value);
/* "0-2,5" from a CPU map; the shell owns it. */
char *virtshCpuList(struct virtsh *sh, const unsigned char *map, int cpus);
const char *virtshStateName(int state);
const char *virtshReasonName(int state, int reason);

/* -- migrate.c --------------------------------------------------------------------------------- */

/* Steps it to its end, as --verbose and --timeline of the running command say. False, after a message,
 * unless the guest has migrated. */
bool virtshStepMigration(struct virtsh *sh, virMigrationPtr m, virConnectPtr other, const char *name);

/* -- help.c ---------------------------------------------------------------------------------- */

void virtshUsage(struct virtsh *sh);
void virtshHelpCommand(struct virtsh *sh, const struct virtshCommand *command);
bool virtshHelp(struct virtsh *sh, const char *topic);
/* What could stand for the last of the words. The caller clears the list. */
void virtshComplete(struct virtsh *sh, char **words, size_t count, struct virtshList *found);

#endif /* VIRTSH_H */
