/*
 * help.c: what the tables say, for people (help) and for the shell they type into (completion)
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "virtsh.h"

/* -- help -------------------------------------------------------------------------------------- */

static void
listGroup(struct virtsh *sh, const struct virtshGroup *group, const char *colon)
{
    virtshPrint(sh, " %s (help keyword '%s')%s\n", group->title, group->keyword, colon);
    for (const struct virtshCommand *command = group->commands; command->name != NULL; command++) {
        if (!command->hidden)
            virtshPrint(sh, "    %-30s %s\n", command->name, command->help);
    }
}

void
virtshUsage(struct virtsh *sh)
{
    virtshPrint(sh,
                "\nvirtsh [options]... [<command_string>]"
                "\nvirtsh [options]... <command> [args...]\n\n"
                "  options:\n"
                "    -c | --connect=URI      hypervisor connection URI\n"
                "    -d | --debug=NUM        debug level [0-4]\n"
                "    -h | --help             this help\n"
                "    -k | --keepalive-interval=NUM\n"
                "                            keepalive interval in seconds, 0 for disable\n"
                "    -K | --keepalive-count=NUM\n"
                "                            number of possible missed keepalive messages\n"
                "    -l | --log=FILE         output logging to file\n"
                "    -q | --quiet            quiet mode\n"
                "    -r | --readonly         connect readonly\n"
                "    -t | --timing           print timing information\n"
                "    -v                      short version\n"
                "    -V                      long version\n"
                "         --version[=TYPE]   version, TYPE is short or long (default short)\n"
                "  commands (non interactive mode):\n\n");
    for (const struct virtshGroup *group = virtshGroups; group->title != NULL; group++) {
        listGroup(sh, group, "");
        virtshPrint(sh, "\n");
    }
    virtshPrint(sh, "\n  (specify help <group> for details about the commands in the group)\n"
                    "\n  (specify help <command> for details about the command)\n\n");
}

static const char *
valueName(const struct virtshOption *option)
{
    return option->kind == VIRTSH_NUMBER ? "number" : "string";
}

static void
showSynopsis(struct virtsh *sh, const struct virtshOption *option)
{
    if (option->kind == VIRTSH_FLAG)
        virtshPrint(sh, " [--%s]", option->name);
    else if (option->kind == VIRTSH_WORDS)
        virtshPrint(sh, option->unnamed ? " [<%s>]..." : " [[--%s] <string>]...", option->name);
    else if (option->required)
        virtshPrint(sh, " <%s>", option->name);
    else
        virtshPrint(sh, " [--%s <%s>]", option->name, valueName(option));
}

static void
showOption(struct virtsh *sh, const struct virtshOption *option)
{
    char *text;

    if (option->kind == VIRTSH_FLAG)
        text = virtshFormat("--%s", option->name);
    else if (option->unnamed)
        text = virtshFormat("<%s>", option->name);
    else if (option->kind == VIRTSH_WORDS || option->required)
        text = virtshFormat("[--%s] <%s>", option->name, valueName(option));
    else
        text = virtshFormat("--%s <%s>", option->name, valueName(option));
    virtshPrint(sh, "    %-15s  %s\n", text, option->help);
    free(text);
}

void
virtshHelpCommand(struct virtsh *sh, const struct virtshCommand *command)
{
    const struct virtshOption *option;

    virtshPrint(sh, "  NAME\n    %s - %s\n\n  SYNOPSIS\n    %s", command->name, command->help,
                command->name);
    for (option = command->options; option != NULL && option->name != NULL; option++)
        showSynopsis(sh, option);
    virtshPrint(sh, "\n");
    if (command->description != NULL)
        virtshPrint(sh, "\n  DESCRIPTION\n    %s\n", command->description);
    if (command->options != NULL && command->options->name != NULL) {
        virtshPrint(sh, "\n  OPTIONS\n");
        for (option = command->options; option->name != NULL; option++)
            showOption(sh, option);
    }
    virtshPrint(sh, "\n");
}

bool
virtshHelp(struct virtsh *sh, const char *topic)
{
    const struct virtshCommand *command;
    const struct virtshGroup *group;

    if (topic == NULL) {
        virtshPrint(sh, "Grouped commands:\n\n");
        for (group = virtshGroups; group->title != NULL; group++) {
            listGroup(sh, group, ":");
            virtshPrint(sh, "\n");
        }
        return true;
    }
    if ((command = virtshFindCommand(topic)) != NULL) {
        virtshHelpCommand(sh, command);
        return true;
    }
    for (group = virtshGroups; group->title != NULL; group++) {
        if (strcmp(group->keyword, topic) == 0 || strcmp(group->title, topic) == 0) {
            listGroup(sh, group, ":");
            return true;
        }
    }
    return virtshFail(sh, "command or command group '%s' doesn't exist", topic);
}

/* -- completion -------------------------------------------------------------------------------- */

/* Adds text, after a prefix that the word has already, if the word could become it. */
static void
offer(struct virtshList *found, const char *word, const char *prefix, const char *text)
{
    char *whole = virtshFormat("%s%s", prefix, text);

    if (strncmp(whole, word, strlen(word)) == 0)
        virtshListAdd(found, whole);
    free(whole);
}

static void
offerCommands(struct virtshList *found, const char *word)
{
    for (const struct virtshGroup *group = virtshGroups; group->title != NULL; group++) {
        for (const struct virtshCommand *command = group->commands; command->name; command++) {
            if (!command->hidden)
                offer(found, word, "", command->name);
        }
    }
}

static void
offerDomains(struct virtsh *sh, const struct virtshOption *option, struct virtshList *found,
             const char *word, const char *prefix)
{
    virDomainPtr *domains = NULL;
    int count;

    if (sh->conn == NULL && (sh->conn = virConnectOpenReadOnly(sh->uri)) == NULL)
        return;
    if ((count = virConnectListAllDomains(sh->conn, &domains, option->offer)) < 0)
        return;
    virtshOwnDomains(sh, domains, count);
    for (int i = 0; i < count; i++) {
        char uuid[VIR_UUID_STRING_BUFLEN];

        if (option->lookup & VIRTSH_BY_NAME)
            offer(found, word, prefix, virDomainGetName(domains[i]));
        else if (virDomainGetUUIDString(domains[i], uuid) == 0)
            offer(found, word, prefix, uuid);
    }
}

static void
offerValues(struct virtsh *sh, const struct virtshOption *option, struct virtshList *found,
            const char *word, const char *prefix)
{
    if (option->lookup != 0)
        offerDomains(sh, option, found, word, prefix);
    for (size_t i = 0; option->words != NULL && option->words[i] != NULL; i++)
        offer(found, word, prefix, option->words[i]);
}

/* Walks over the words before the last as the parser does, but forgives everything. used has a place
 * for each option of the command. Gives the option whose value the last word is, or NULL. */
static const struct virtshOption *
followWords(const struct virtshCommand *command, char **words, size_t count, bool *used)
{
    const struct virtshOption *option;

    for (size_t i = 1; i + 1 < count; i++) {
        if (strncmp(words[i], "--", 2) == 0 && words[i][2] != '\0') {
            char *name = virtshFormat("%.*s", (int) strcspn(words[i] + 2, "="), words[i] + 2);

            option = virtshFindOption(command, name);
            free(name);
            if (option == NULL)
                continue;
            used[option - command->options] = true;
            if (option->kind != VIRTSH_FLAG && strchr(words[i], '=') == NULL && ++i + 1 == count)
                return option;
            continue;
        }
        for (option = command->options; option->name != NULL; option++) {
            if (option->kind != VIRTSH_FLAG && !option->named && !used[option - command->options]) {
                used[option - command->options] = option->kind != VIRTSH_WORDS;
                break;
            }
        }
    }
    return NULL;
}

/* Offers values for `--option=wo`, options for `--wo`, else the values of the next argument, and where
 * there are none the options. */
void
virtshComplete(struct virtsh *sh, char **words, size_t count, struct virtshList *found)
{
    const struct virtshCommand *command;
    const struct virtshOption *option;
    const char *word = count > 0 ? words[count - 1] : "";
    bool used[128] = { false };
    size_t equals = strcspn(word, "=");

    if (count <= 1) {
        offerCommands(found, word);
        return;
    }
    command = virtshFindCommand(words[0]);
    if (command == NULL || command->options == NULL)
        return;
    if ((option = followWords(command, words, count, used)) != NULL) {
        offerValues(sh, option, found, word, "");
        return;
    }
    if (strncmp(word, "--", 2) == 0 && word[equals] == '=') {
        char *name = virtshFormat("%.*s", (int) equals - 2, word + 2);
        char *prefix = virtshFormat("--%s=", name);

        if ((option = virtshFindOption(command, name)) != NULL)
            offerValues(sh, option, found, word, prefix);
        free(prefix);
        free(name);
        return;
    }
    for (option = command->options; option->name != NULL && *word != '-'; option++) {
        if (option->kind != VIRTSH_FLAG && !option->named && !used[option - command->options]) {
            offerValues(sh, option, found, word, "");
            break;
        }
    }
    if (found->count > 0 || (*word != '-' && *word != '\0'))
        return;
    for (option = command->options; option->name != NULL; option++) {
        if (!used[option - command->options] && !option->unnamed)
            offer(found, word, "--", option->name);
    }
}
