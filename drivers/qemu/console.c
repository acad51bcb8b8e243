/*
 * Consoles and channels by a stream. The document says where QEMU has them: a pseudo terminal, or a socket on which QEMU listens.
 *
 * Two readers would each get a part of what the guest writes, so a console is for one stream at a time. Which are open is known here, under the
 * address and not the device, because two devices may name the same one.
 */
#include "domstats.h"

#include "../common/fdstream.h"

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* A console that a stream has open; freed when the stream ends. */
struct qemuConsole {
    struct virDomainObj *vm;          /* a reference */
    char *path;
    /* priv->lock */
    struct virFdStream *end;          /* a reference; NULL: still being opened */
    bool listed;                      /* in priv->consoles: not taken over by another */
    struct qemuConsole *next;
};

/* ---------- the one stream of a console ---------- */

/* With priv->lock held. */
static void
qemuConsoleUnlist(struct qemuDomain *priv, struct qemuConsole *console)
{
    struct qemuConsole **link;

    if (!console->listed)
        return;
    for (link = &priv->consoles; *link != console; link = &(*link)->next)
        ;
    *link = console->next;
    console->listed = false;
}

/* The stream has ended, or never began. */
static void
qemuConsoleClosed(void *opaque)
{
    struct qemuConsole *console = opaque;
    struct qemuDomain *priv = qemuDomainPeek(console->vm);
    struct virFdStream *end;

    pthread_mutex_lock(&priv->lock);
    qemuConsoleUnlist(priv, console);
    end = console->end;
    console->end = NULL;
    pthread_mutex_unlock(&priv->lock);
    virFdStreamUnref(end);
    virDomainObjUnref(console->vm);
    free(console->path);
    free(console);
}

/*
 * The console's place in the list, for a stream that is to be opened. One that is being opened by another thread at this moment cannot be taken over:
 * it has no stream yet that could be ended. NULL with the error set.
 */
static struct qemuConsole *
qemuConsoleClaim(struct virDomainObj *vm, const char *path, bool force)
{
    struct qemuDomain *priv = qemuDomainOf(vm);
    struct qemuConsole *console = priv != NULL ? virAllocate(sizeof(*console)) : NULL, *other;
    bool taken;

    if (console == NULL || (console->path = virStringCopy(path)) == NULL) {
        free(console);
        return NULL;
    }
    console->vm = virDomainObjRef(vm);
    pthread_mutex_lock(&priv->lock);
    for (other = priv->consoles; other != NULL && strcmp(other->path, path) != 0; other = other->next)
        ;
    /* a guest that was started again may have its console at the same place: a stream of its former life does not stand in its way */
    if (other != NULL && other->end != NULL && virFdStreamHasHungUp(other->end)) {
        qemuConsoleUnlist(priv, other);
        other = NULL;
    }
    taken = other != NULL && (!force || other->end == NULL);
    if (!taken) {
        if (other != NULL) {
            qemuConsoleUnlist(priv, other);
            virFdStreamEnd(other->end, "another client has opened the console");
        }
        console->next = priv->consoles;
        priv->consoles = console;
        console->listed = true;
    }
    pthread_mutex_unlock(&priv->lock);
    if (!taken)
        return console;
    qemuConsoleClosed(console);
    virReportError(VIR_ERR_OPERATION_FAILED, "Active console session exists for this domain");
    return NULL;
}

/* ---------- the device ---------- */

static xmlNodePtr
qemuConsoleByName(xmlNodePtr devices, const char *kind, const char *path, const char *name)
{
    VIRT_XML_EACH(device, devices, kind) {
        if (virXmlEquals(device, path, name))
            return device;
    }
    return NULL;
}

/* A first console that is the first serial port has its alias: the port knows where it is. NULL: there is none; no error is set. */
static xmlNodePtr
qemuConsoleFind(xmlNodePtr devices, const char *name)
{
    static const char *const kinds[] = { "serial", "parallel", "console" };
    xmlNodePtr device = virXmlFirst(devices, "console"), found = NULL;

    if (name == NULL && device == NULL)
        return virXmlFirst(devices, "serial");
    if (name == NULL && (name = virXmlString(device, "alias/@name")) == NULL)
        return device;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && found == NULL; i++)
        found = qemuConsoleByName(devices, kinds[i], "alias/@name", name);
    return found;
}

static xmlNodePtr
qemuChannelFind(xmlNodePtr devices, const char *name)
{
    xmlNodePtr channel;

    if (name == NULL)
        return virXmlFirst(devices, "channel");
    channel = qemuConsoleByName(devices, "channel", "target/@name", name);
    return channel != NULL ? channel : qemuConsoleByName(devices, "channel", "alias/@name", name);
}

/* A pseudo terminal passes every byte as it is, whatever was set by whom. */
static int
qemuConsoleOpenPty(const char *path)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct termios settings;

    if (fd < 0)
        return virReportSystemError(errno, "cannot open '%s'", path);
    if (tcgetattr(fd, &settings) == 0) {
        cfmakeraw(&settings);
        if (tcsetattr(fd, TCSANOW, &settings) == 0)
            return fd;
    }
    virReportSystemError(errno, "'%s' is not a terminal", path);
    close(fd);
    return -1;
}

/* Attaches the far end. From then on the claim is the stream's, which gives it back at its end. */
static int
qemuConsoleAttach(struct qemuConsole *console, virStreamPtr stream, bool pty)
{
    struct qemuDomain *priv = qemuDomainPeek(console->vm);
    int fd = pty ? qemuConsoleOpenPty(console->path) : virFileConnect(console->path);
    struct virFdStream *end = fd >= 0 ? virFdStreamNew(stream, fd, qemuConsoleClosed, console) : NULL;

    if (end != NULL) {
        pthread_mutex_lock(&priv->lock);
        console->end = end;
        pthread_mutex_unlock(&priv->lock);
        if (virFdStreamAttach(end) == 0)
            return 0;
    }
    qemuConsoleClosed(console);
    return -1;
}

/* The name that a call was given, for errors. */
static int
qemuConsoleReport(const char *what, const char *name, const char *problem)
{
    return virReportError(VIR_ERR_INTERNAL_ERROR, "%s %s %s", what, name != NULL ? name : "(the first)", problem);
}

static int
qemuConsoleOpen(virDomainPtr domain, const char *name, virStreamPtr stream, bool channel, bool force)
{
    const char *what = channel ? "channel" : "character device", *type, *path;
    struct virDomainObj *vm = virDomainObjOf(domain);
    VIRT_CLEANUP_XML xmlDocPtr doc = NULL;
    struct qemuConsole *console;
    xmlNodePtr devices, device;
    bool pty;

    if (vm == NULL || virDomainObjCheckActive(vm) < 0 || (doc = virDomainObjDocument(vm, false)) == NULL)
        return -1;
    devices = virXmlFind(virXmlRoot(doc), "devices");
    if ((device = channel ? qemuChannelFind(devices, name) : qemuConsoleFind(devices, name)) == NULL)
        return qemuConsoleReport(what, name, "does not exist");
    if ((type = virXmlString(device, "@type")) == NULL)
        type = "";
    pty = strcmp(type, "pty") == 0;
    if (!pty && (strcmp(type, "unix") != 0 || !virXmlEquals(device, "source/@mode", "bind")))
        return qemuConsoleReport(what, name, "is neither a PTY nor a UNIX socket on which QEMU listens");
    if ((path = virXmlString(device, "source/@path")) == NULL)
        return qemuConsoleReport(what, name, "has no path: QEMU has not told where it is");
    console = qemuConsoleClaim(vm, path, force);
    return console != NULL ? qemuConsoleAttach(console, stream, pty) : -1;
}

/* VIR_DOMAIN_CONSOLE_SAFE asks for no more than is always so: all clients of this directory's guests are in this process. */
VIRT_INTERNAL int
qemuDomainOpenConsole(virDomainPtr dom, const char *name, virStreamPtr stream, unsigned int flags)
{
    virCheckFlags(VIR_DOMAIN_CONSOLE_FORCE | VIR_DOMAIN_CONSOLE_SAFE, -1);
    return qemuConsoleOpen(dom, name, stream, false, (flags & VIR_DOMAIN_CONSOLE_FORCE) != 0);
}

VIRT_INTERNAL int
qemuDomainOpenChannel(virDomainPtr dom, const char *name, virStreamPtr stream, unsigned int flags)
{
    virCheckFlags(VIR_DOMAIN_CHANNEL_FORCE, -1);
    return qemuConsoleOpen(dom, name, stream, true, (flags & VIR_DOMAIN_CHANNEL_FORCE) != 0);
}

#undef VIRT_FROM
