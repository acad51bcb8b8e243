/*
 * parse.c: from text to calls of commands
 *
 * Text is first cut into words, with the quotes of a shell; then the words of each command are laid
 * upon its options. All of a script is read before any of it runs, so a mistake in its last line
 * does no harm.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "virtsh.h"

/* -- words ----------------------------------------------------------------------------------- */

/* A command ends where a NULL stands among the words. */
struct words {
    char **items;
    size_t count;
};

/* Puts a word, or the end of a command, into the list. The list takes the word over. */
static void
addWord(struct words *words, char *word)
{
    char **items = virtshAlloc((words->count + 1) * sizeof(*items));

    if (words->count > 0)
        memcpy(items, words->items, words->count * sizeof(*items));
    free(words->items);
    words->items = items;
    words->items[words->count++] = word;
}

static void
clearWords(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
}

/* Cuts one word off *rest: ' and " quote, \ takes the next character as it is, not within '. */
static bool
cutWord(struct virtsh *sh, const char **rest, char **word)
{
    const char *s = *rest;
    char *text = virtshAlloc(strlen(s) + 1);
    size_t length = 0;
    char quote = '\0';

    for (; *s != '\0'; s++) {
        if (quote == '\0' && (isspace((unsigned char) *s) || *s == ';'))
            break;
        if (quote != '\0' ? *s == quote : *s == '\'' || *s == '"') {
            quote = quote != '\0' ? '\0' : *s;
            continue;
        }
        if (*s == '\\' && quote != '\'') {
            if (*++s == '\0') {
                free(text);
                return virtshFail(sh, "dangling \\");
            }
            if (*s == '\n')
                continue;
        }
        text[length++] = *s;
    }
    if (quote != '\0') {
        free(text);
        return virtshFail(sh, "missing %c", quote);
    }
    *rest = s;
    *word = text;
    return true;
}

static bool
cutText(struct virtsh *sh, const char *text, struct words *words)
{
    for (;;) {
        char *word = NULL;

        while (*text == ' ' || *text == '\t' || *text == '\r'
               || (text[0] == '\\' && text[1] == '\n'))
            text += *text == '\\' ? 2 : 1;
        if (*text == '#')
            text += strcspn(text, "\n");
        if (*text == '\0' || *text == ';' || *text == '\n') {
            addWord(words, NULL);
            if (*text++ == '\0')
                return true;
            continue;
        }
        if (!cutWord(sh, &text, &word))
            return false;
        addWord(words, word);
    }
}

/* -- options --------------------------------------------------------------------------------- */

const struct virtshCommand *
virtshFindCommand(const char *name)
{
    for (const struct virtshGroup *group = virtshGroups; group->title != NULL; group++) {
        for (const struct virtshCommand *command = group->commands; command->name; command++) {
            if (strcmp(command->name, name) == 0)
                return command;
        }
    }
    return NULL;
}

const struct virtshOption *
virtshFindOption(const struct virtshCommand *command, const char *name)
{
    for (const struct virtshOption *option = command->options; option && option->name; option++) {
        if (strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}

static bool
given(const struct virtshCall *call, const struct virtshOption *option)
{
    for (size_t i = 0; i < call->count; i++) {
        if (call->values[i].option == option)
            return true;
    }
    return false;
}

static void
addValue(struct virtshCall *call, const struct virtshOption *option, const char *text)
{
    struct virtshValue *values = virtshAlloc((call->count + 1) * sizeof(*values));

    if (call->count > 0)
        memcpy(values, call->values, call->count * sizeof(*values));
    free(call->values);
    call->values = values;
    call->values[call->count].option = option;
    call->values[call->count++].text = text != NULL ? virtshCopy(text) : NULL;
}

/* Takes --name, --name=value, or --name and, from **rest, its value. */
static bool
readOption(struct virtsh *sh, struct virtshCall *call, const char *word, char ***rest)
{
    const char *equals = strchr(word, '=');
    char *name = virtshOwn(sh, strndup(word, equals != NULL ? (size_t) (equals - word)
                                                            : strlen(word)));
    const struct virtshOption *option = virtshFindOption(call->command, name);

    if (option == NULL && strcmp(name, "help") == 0) {
        call->wantsHelp = true;
        return true;
    }
    if (option == NULL)
        return virtshFail(sh, "command '%s' doesn't support option --%s", call->command->name, name);
    if (option->kind != VIRTSH_WORDS && given(call, option))
        return virtshFail(sh, "option --%s already seen", name);
    if (option->kind == VIRTSH_FLAG) {
        if (equals != NULL)
            return virtshFail(sh, "invalid '=' after option --%s", name);
        addValue(call, option, NULL);
        return true;
    }
    if (equals == NULL && **rest == NULL)
        return virtshFail(sh, "expected syntax: --%s <%s>", name,
                          option->kind == VIRTSH_NUMBER ? "number" : "string");
    addValue(call, option, equals != NULL ? equals + 1 : *(*rest)++);
    return true;
}

/* A word without a name is for the first option that may be given so, and was not yet. */
static bool
readData(struct virtsh *sh, struct virtshCall *call, const char *word)
{
    const struct virtshOption *option = call->command->options;

    while (option != NULL && option->name != NULL
           && (option->kind == VIRTSH_FLAG || option->named
               || (option->kind != VIRTSH_WORDS && given(call, option))))
        option++;
    if (option == NULL || option->name == NULL)
        return virtshFail(sh, "unexpected data '%s'", word);
    addValue(call, option, word);
    return true;
}

/* Reads a command; *rest ends with NULL and is moved there. */
static bool
readCall(struct virtsh *sh, struct virtshCall *call, char ***rest)
{
    bool dataOnly = false, complete = true;
    const struct virtshOption *option;
    char *word = *(*rest)++;

    if ((call->command = virtshFindCommand(word)) == NULL)
        return virtshFail(sh, "unknown command: '%s'", word);
    while ((word = **rest) != NULL) {
        ++*rest;
        if (!dataOnly && strcmp(word, "--") == 0) {
            dataOnly = true;
        } else if (!dataOnly && strncmp(word, "--", 2) == 0 && isalnum((unsigned char) word[2])) {
            if (!readOption(sh, call, word + 2, rest))
                return false;
        } else if (!readData(sh, call, word)) {
            return false;
        }
    }
    for (option = call->command->options; option != NULL && option->name != NULL; option++) {
        if (!option->required || given(call, option) || call->wantsHelp)
            continue;
        complete = virtshFail(sh, option->kind == VIRTSH_NUMBER ? "command '%s' requires --%s option"
                                                                : "command '%s' requires <%s> option",
                              call->command->name, option->name);
    }
    return complete;
}

void
virtshFreeCalls(struct virtshCall *calls)
{
    while (calls != NULL) {
        struct virtshCall *next = calls->next;

        for (size_t i = 0; i < calls->count; i++)
            free(calls->values[i].text);
        free(calls->values);
        free(calls);
        calls = next;
    }
}

/* The words end with NULL; so does each command among them. */
static bool
readCalls(struct virtsh *sh, char **words, size_t count, struct virtshCall **calls)
{
    struct virtshCall **last = calls;
    char **rest = words;

    *calls = NULL;
    while (rest < words + count) {
        if (*rest == NULL) {
            rest++;
            continue;
        }
        *last = virtshAlloc(sizeof(**last));
        if (!readCall(sh, *last, &rest)) {
            virtshFreeCalls(*calls);
            *calls = NULL;
            return false;
        }
        last = &(*last)->next;
    }
    return true;
}

bool
virtshParseText(struct virtsh *sh, const char *text, struct virtshCall **calls)
{
    struct words words = { 0 };
    bool ok = cutText(sh, text, &words) && readCalls(sh, words.items, words.count, calls);

    clearWords(&words);
    virtshReleaseOwned(sh);
    return ok;
}

bool
virtshParseWords(struct virtsh *sh, char **words, int count, struct virtshCall **calls)
{
    bool ok = readCalls(sh, words, count, calls);

    virtshReleaseOwned(sh);
    return ok;
}
