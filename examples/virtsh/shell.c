/*
 * shell.c: commands about virtsh itself
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtsh.h"

static bool
cmdCd(struct virtsh *sh)
{
    const char *directory = virtshString(sh, "dir");

    if (!sh->interactive)
        return virtshFail(sh, "cd: command valid only in interactive mode");
    if (directory == NULL)
        directory = getenv("HOME");
    if (directory == NULL)
        directory = "/";
    return chdir(directory) == 0
           || virtshFail(sh, "cd: %s: %s", strerror(errno), directory);
}

static const struct virtshOption cdOptions[] = {
    { .name = "dir", VIRTSH_STRING, "directory to switch to (default: home or else root)" },
    VIRTSH_END,
};

static bool
cmdPwd(struct virtsh *sh)
{
    char *directory = virtshOwn(sh, getcwd(NULL, 0));

    if (directory == NULL)
        return virtshFail(sh, "pwd: cannot get current directory: %s", strerror(errno));
    virtshPrint(sh, "%s\n", directory);
    return true;
}

/* The text as one word of sh, which quotes that hold no quotes do. */
static char *
quoteForShell(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=:,./@%^";
    char *quoted, *to;

    if (*text != '\0' && strspn(text, plain) == strlen(text))
        return virtshCopy(text);
    to = quoted = virtshAlloc(4 * strlen(text) + 3);
    *to++ = '\'';
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            to = stpcpy(to, "'\\''");
        else
            *to++ = *text;
    }
    *to = '\'';
    return quoted;
}

static char *
quoteForXml(const char *text)
{
    char *quoted = virtshAlloc(6 * strlen(text) + 1), *to = quoted;

    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':  to = stpcpy(to, "&lt;"); break;
        case '>':  to = stpcpy(to, "&gt;"); break;
        case '&':  to = stpcpy(to, "&amp;"); break;
        case '"':  to = stpcpy(to, "&quot;"); break;
        case '\'': to = stpcpy(to, "&apos;"); break;
        default:   *to++ = *text;
        }
    }
    return quoted;
}

static bool
cmdEcho(struct virtsh *sh)
{
    char *line = virtshOwn(sh, virtshCopy(""));

    if (!virtshExclusive(sh, "shell", "xml"))
        return false;
    for (size_t i = 0; i < sh->call->count; i++) {
        const char *text = sh->call->values[i].text;
        char *word;

        if (text == NULL)
            continue;
        word = virtshHas(sh, "shell") ? quoteForShell(text)
               : virtshHas(sh, "xml") ? quoteForXml(text) : virtshCopy(text);
        line = virtshOwn(sh, virtshFormat("%s%s%s", line, *line != '\0' ? " " : "", word));
        free(word);
    }
    if (virtshHas(sh, "err"))
        virtshFail(sh, "%s", line);
    else
        virtshPrint(sh, "%s", line);
    return true;
}

static const struct virtshOption echoOptions[] = {
    { .name = "shell", VIRTSH_FLAG, "escape for shell use" },
    { .name = "xml", VIRTSH_FLAG, "escape for XML use" },
    { .name = "err", VIRTSH_FLAG, "output to stderr" },
    { .name = "string", VIRTSH_WORDS, "arguments to echo", .unnamed = true, .emptyAllowed = true },
    VIRTSH_END,
};

static bool
cmdQuit(struct virtsh *sh)
{
    sh->quitting = true;
    return true;
}

static bool
cmdHelp(struct virtsh *sh)
{
    return virtshHelp(sh, virtshString(sh, "command"));
}

static const struct virtshOption helpOptions[] = {
    { .name = "command", VIRTSH_STRING,
      "Prints global help, command specific help, or help for a group of related commands" },
    VIRTSH_END,
};

static bool
cmdConnect(struct virtsh *sh)
{
    const char *name = virtshString(sh, "name");

    if (!virtshConnect(sh, name != NULL ? name : sh->uri, virtshHas(sh, "readonly")))
        return false;
    if (name != NULL) {
        free(sh->uri);
        sh->uri = virtshCopy(name);
    }
    return true;
}

static const struct virtshOption connectOptions[] = {
    { .name = "name", VIRTSH_STRING, "hypervisor connection URI", .emptyAllowed = true },
    { .name = "readonly", VIRTSH_FLAG, "read-only connection" },
    VIRTSH_END,
};

/* Not in virsh: keys for connections over tcp and ws. Prints the public one. */
static bool
cmdKeygen(struct virtsh *sh)
{
    const char *file = virtshString(sh, "file");
    char *key = NULL;

    if (virtshHas(sh, "show"))
        key = virKeyGetPublic(file, 0);
    else if (virKeyGenerate(file, &key, 0) < 0)
        key = NULL;
    if (key == NULL)
        return false;
    virtshPrint(sh, "%s\n", (char *)virtshOwn(sh, key));
    return true;
}

static const struct virtshOption keygenOptions[] = {
    { .name = "file", VIRTSH_STRING, "file of the secret key (default: key in ~/.config/virt)" },
    { .name = "show", VIRTSH_FLAG, "make none: print the public key of the one that is there" },
    VIRTSH_END,
};

/* For completion.bash: `virtsh complete -- WORDS...` prints what could stand for the last word. */
static bool
cmdComplete(struct virtsh *sh)
{
    struct virtshList words = { 0 }, found = { 0 };
    bool any;

    for (size_t i = 0; i < sh->call->count; i++)
        virtshListAdd(&words, sh->call->values[i].text);
    virtshComplete(sh, words.items, words.count, &found);
    for (size_t i = 0; i < found.count; i++)
        virtshPrint(sh, "%s\n", found.items[i]);
    any = found.count > 0;
    virtshListClear(&words);
    virtshListClear(&found);
    virtshForgetError(sh);          /* nobody asked for a connection */
    return any;
}

static const struct virtshOption completeOptions[] = {
    { .name = "string", VIRTSH_WORDS, "partial string to autocomplete", .unnamed = true,
      .emptyAllowed = true },
    VIRTSH_END,
};

const struct virtshCommand virtshShellCommands[] = {
    { .name = "cd", "change the current directory",
      "Change the current directory.", cdOptions, cmdCd,
      .offline = true },
    { .name = "complete", "internal command for autocompletion",
      "internal use only", completeOptions,
      cmdComplete, .offline = true, .hidden = true },
    { .name = "echo", "echo arguments. Used for internal testing.",
      "Echo back arguments, possibly with quoting. Used for internal testing.", echoOptions,
      cmdEcho, .offline = true },
    { .name = "exit", "quit this interactive terminal", NULL, NULL, cmdQuit, .offline = true },
    { .name = "help", "print help",
      "Prints global help, command specific help, or help for a\n    group of related commands",
      helpOptions, cmdHelp, .offline = true },
    { .name = "keygen", "make a key for connections over tcp and ws",
      "Make a pair of keys for connections over tcp and ws: the secret one goes to a new file,\n"
      "    the public one is printed, for the server's file of authorized keys.", keygenOptions,
      cmdKeygen, .offline = true },
    { .name = "pwd", "print the current directory", "Print the current directory.", NULL, cmdPwd,
      .offline = true },
    { .name = "quit", "quit this interactive terminal", NULL, NULL, cmdQuit, .offline = true },
    { .name = "connect", "(re)connect to hypervisor",
      "Connect to local hypervisor. This is built-in command after shell start up.",
      connectOptions, cmdConnect, .offline = true },
    VIRTSH_END,
};
