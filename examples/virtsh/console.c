/*
 * console.c: a domain's console on the terminal, and pictures of its screen
 *
 * While `console` runs, the terminal passes every key as it is, and both it and the stream are in the
 * event loop. The terminal is set back when the command is over, and also when a signal ends virtsh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifndef _WIN32
# include <signal.h>
# include <termios.h>
#endif

#include "virtsh.h"

/* -- console ------------------------------------------------------------------------------------ */

#ifdef _WIN32
bool
cmdConsole(struct virtsh *sh)
{
    return virtshFail(sh, "Cannot run interactive console without a controlling TTY");
}
#else
# define ESCAPE 0x1d                /* Ctrl and ] */

struct console {
    virStreamPtr stream;
    char keys[256];                 /* typed, and not sent yet */
    size_t count;
    int keyboard;                   /* the loop's watch */
    bool over, failed;
};

static struct termios terminalBefore;

static void
terminalBack(void)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminalBefore);
}

static void
onSignal(int number)
{
    terminalBack();
    signal(number, SIG_DFL);
    raise(number);
}

/* Sets the terminal (raw) or sets it back, with the signals that would end virtsh meanwhile. */
static bool
terminalSet(bool raw)
{
    static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
    static struct sigaction before[VIRTSH_COUNT(numbers)];
    struct sigaction action = { .sa_handler = onSignal };
    struct termios settings;

    if (raw && tcgetattr(STDIN_FILENO, &terminalBefore) < 0)
        return false;
    for (size_t i = 0; i < VIRTSH_COUNT(numbers); i++)
        sigaction(numbers[i], raw ? &action : &before[i], raw ? &before[i] : NULL);
    if (!raw) {
        terminalBack();
        return true;
    }
    settings = terminalBefore;
    cfmakeraw(&settings);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0)
        return true;
    terminalSet(false);
    return false;
}

static void
consoleEnd(struct console *console, bool failed)
{
    console->over = true;
    console->failed = console->failed || failed;
}

/* The loop waits for room in the stream as long as something is to be sent, and for keys as long as nothing is. */
static void
consoleWatch(struct console *console)
{
    if (virStreamEventUpdateCallback(console->stream, VIR_STREAM_EVENT_READABLE
                                     | (console->count > 0 ? VIR_STREAM_EVENT_WRITABLE : 0)) < 0)
        consoleEnd(console, true);
    virEventUpdateHandle(console->keyboard, console->count > 0 ? 0 : VIR_EVENT_HANDLE_READABLE);
}

static bool
writeAll(int fd, const char *data, size_t length)
{
    ssize_t n;

    for (size_t done = 0; done < length; done += (size_t) n)
        while ((n = write(fd, data + done, length - done)) < 0)
            if (errno != EINTR)
                return false;
    return true;
}

static void
onStream(virStreamPtr stream, int events, void *opaque)
{
    struct console *console = opaque;
    char data[4096];
    int n;

    if ((events & VIR_STREAM_EVENT_READABLE) != 0) {
        n = virStreamRecv(stream, data, sizeof(data));
        if (n == 0 || n == -1 || (n > 0 && !writeAll(STDOUT_FILENO, data, (size_t) n)))
            consoleEnd(console, n == -1);
    } else if ((events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)) != 0) {
        consoleEnd(console, false);
    }
    if (!console->over && console->count > 0 && (events & VIR_STREAM_EVENT_WRITABLE) != 0) {
        n = virStreamSend(stream, console->keys, console->count);
        if (n == -1)
            consoleEnd(console, true);
        if (n > 0) {
            console->count -= (size_t) n;
            memmove(console->keys, console->keys + n, console->count);
        }
    }
    if (!console->over)
        consoleWatch(console);
}

static void
onKeys(int watch, int fd, int events, void *opaque)
{
    struct console *console = opaque;
    ssize_t n = read(fd, console->keys, sizeof(console->keys));
    const char *escape = n > 0 ? memchr(console->keys, ESCAPE, (size_t) n) : NULL;

    (void) watch;
    (void) events;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0 || escape == console->keys) {
        consoleEnd(console, false);
        return;
    }
    console->count = escape != NULL ? (size_t) (escape - console->keys) : (size_t) n;
    if (escape != NULL) {           /* what was typed before it is sent, if there is room */
        virStreamSend(console->stream, console->keys, console->count);
        consoleEnd(console, false);
        return;
    }
    consoleWatch(console);
}

static bool
consoleRun(struct console *console)
{
    bool ok;

    if (virStreamEventAddCallback(console->stream, VIR_STREAM_EVENT_READABLE, onStream, console, NULL) < 0)
        return false;
    console->keyboard = virEventAddHandle(STDIN_FILENO, VIR_EVENT_HANDLE_READABLE, onKeys, console, NULL);
    ok = console->keyboard >= 0;
    while (ok && !console->over)
        ok = virEventRunDefaultImpl() == 0;
    if (console->keyboard >= 0)
        virEventRemoveHandle(console->keyboard);
    return ok && !console->failed;
}

bool
cmdConsole(struct virtsh *sh)
{
    struct console console = { .keyboard = -1 };
    virDomainPtr dom = virtshDomain(sh);
    bool ok = false;

    if (dom == NULL)
        return false;
    if (!isatty(STDIN_FILENO))
        return virtshFail(sh, "Cannot run interactive console without a controlling TTY");
    virtshRemark(sh, "Connected to domain '%s'\nEscape character is ^] (Ctrl + ])\n", virDomainGetName(dom));
    fflush(stdout);
    if ((console.stream = virStreamNew(sh->conn, VIR_STREAM_NONBLOCK)) == NULL)
        return false;
    if (virDomainOpenConsole(dom, virtshString(sh, "devname"), console.stream, virtshFlags(sh)) == 0) {
        if (!terminalSet(true)) {
            virtshFail(sh, "unable to set tty attributes: %s", strerror(errno));
        } else {
            ok = consoleRun(&console);
            terminalSet(false);
            virtshPrint(sh, "\n");
        }
    }
    virStreamFree(console.stream);
    return ok;
}
#endif

const struct virtshOption consoleOptions[] = {
    VIRTSH_DOMAIN_OPTION(VIR_CONNECT_LIST_DOMAINS_ACTIVE),
    { .name = "devname", VIRTSH_STRING, "character device name", .named = true },
    { .name = "force", VIRTSH_FLAG, "force console connection (disconnect already connected sessions)",
      .bit = VIR_DOMAIN_CONSOLE_FORCE },
    { .name = "safe", VIRTSH_FLAG, "only connect if safe console handling is supported",
      .bit = VIR_DOMAIN_CONSOLE_SAFE },
    VIRTSH_END,
};

/* -- screenshot --------------------------------------------------------------------------------- */

static int
writePicture(virStreamPtr stream, const char *data, size_t nbytes, void *opaque)
{
    (void) stream;
    return fwrite(data, 1, nbytes, opaque) == nbytes ? (int) nbytes : -1;
}

/* Where a picture goes that the user gave no name. */
static char *
pictureName(virDomainPtr dom, const char *type)
{
    const char *ending = strcmp(type, "image/png") == 0 ? ".png" : strcmp(type, "image/x-portable-pixmap") == 0 ? ".ppm" : "";
    time_t now = time(NULL);
    char text[64];

    strftime(text, sizeof(text), "%Y-%m-%d-%H:%M:%S", localtime(&now));
    return virtshFormat("%s-%s%s", virDomainGetName(dom), text, ending);
}

bool
cmdScreenshot(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    const char *file = virtshString(sh, "file");
    unsigned long long screen = 0;
    virStreamPtr stream;
    FILE *output;
    char *type;
    bool ok = false;

    if (dom == NULL || !virtshNumber(sh, "screen", 0xffffffff, &screen) || (stream = virStreamNew(sh->conn, 0)) == NULL)
        return false;
    type = virtshOwn(sh, virDomainScreenshot(dom, stream, (unsigned int) screen, 0));
    if (type == NULL) {
        virtshFail(sh, "could not take a screenshot of %s", virDomainGetName(dom));
    } else {
        if (file == NULL)
            file = virtshOwn(sh, pictureName(dom, type));
        if ((output = fopen(file, "wbe")) == NULL) {
            virtshFail(sh, "cannot create file %s: %s", file, strerror(errno));
        } else {
            ok = virStreamRecvAll(stream, writePicture, output) == 0 && virStreamFinish(stream) == 0;
            if (fclose(output) != 0 && ok)
                ok = virtshFail(sh, "cannot close file %s: %s", file, strerror(errno));
            if (!ok)
                unlink(file);
        }
    }
    virStreamFree(stream);
    if (ok)
        virtshRemark(sh, "Screenshot saved to %s, with type of %s", file, type);
    return ok;
}

const struct virtshOption screenshotOptions[] = {
    VIRTSH_DOMAIN_OPTION(VIR_CONNECT_LIST_DOMAINS_ACTIVE),
    { .name = "file", VIRTSH_STRING, "where to store the screenshot" },
    { .name = "screen", VIRTSH_NUMBER, "ID of a screen to take screenshot of" },
    VIRTSH_END,
};
