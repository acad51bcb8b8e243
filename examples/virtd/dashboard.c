/*
 * dashboard.c: the page, for browsers
 *
 * An HTTP server for one file: "GET /" gets it, and everything else a refusal without a word. There is nothing to protect here: the page has
 * no secrets and does nothing by itself; who uses it speaks to a ws address, where it is the browser's key that counts. It has a thread of its own,
 * a bounded number of connections, and each of them a bounded time. The policy that goes out with the page lets its own script and style run, by
 * their hashes, and nothing else: the name of a guest can be what it wants.
 */
#include "virtd.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef VIRT_WITH_NOISE
# define VIRT_WITH_NOISE 0
#endif
/* The page, if no other is named; the Makefile says where it is installed. */
#ifndef VIRTD_PAGE
# define VIRTD_PAGE "/usr/local/share/virt/dashboard/index.html"
#endif

#if VIRT_WITH_NOISE
#include <openssl/evp.h>

enum {
    VIRTD_PAGE_CLIENTS = 32,
    VIRTD_PAGE_LISTENERS = 8,
    VIRTD_PAGE_REQUEST = 8192,        /* bytes of a request, with its headers */
    VIRTD_PAGE_LARGEST = 4 << 20,     /* of the file */
    VIRTD_PAGE_MS = 10000,            /* for all of a request and its answer */
};

struct virtdPageClient {
    int fd;
    long long end;                    /* ms */
    char request[VIRTD_PAGE_REQUEST];
    size_t got;
    const char *answer;               /* NULL: not all of the request is there yet */
    size_t length, sent;
    bool ended;                       /* it will say no more */
};

struct virtdDashboard {
    pthread_t thread;
    int wake[2];
    int listeners[VIRTD_PAGE_LISTENERS];
    size_t nlisteners;
    struct virtdPageClient *clients[VIRTD_PAGE_CLIENTS];
    size_t nclients;
    char *page;                       /* with its headers */
    size_t pageLength;
};

static long long
virtdPageNow(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- the page ----------------------------------------------------------------------------------- */

static char *
virtdPageRead(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    struct stat st;
    ssize_t n = 0;

    *length = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        virtdFail("dashboard-page: cannot read '%s': %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > VIRTD_PAGE_LARGEST) {
        virtdFail("dashboard-page: '%s' is no file of %d bytes at most", path, VIRTD_PAGE_LARGEST);
    } else {
        text = virtdAlloc((size_t)st.st_size + 1);
        while (*length < (size_t)st.st_size && (n = read(fd, text + *length, (size_t)st.st_size - *length)) > 0)
            *length += (size_t)n;
        if (n < 0) {
            virtdFail("dashboard-page: cannot read '%s': %s", path, strerror(errno));
            free(text);
            text = NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    return text;
}

/* The hash of what is between <tag ...> and </tag>, as a policy names it. NULL: there is no such thing in the page. */
static char *
virtdPageHash(const char *page, const char *tag)
{
    char *opens = virtdFormat("\n<%s", tag), *closes = virtdFormat("</%s>", tag), *hash = NULL;
    const char *from = strstr(page, opens), *to;
    unsigned char digest[32], base64[4 * 11 + 1];

    if (from != NULL && (from = strchr(from, '>')) != NULL && (to = strstr(++from, closes)) != NULL
        && EVP_Digest(from, (size_t)(to - from), digest, NULL, EVP_sha256(), NULL) == 1) {
        EVP_EncodeBlock(base64, digest, sizeof(digest));
        hash = virtdFormat("'sha256-%s'", (const char *)base64);
    }
    free(opens);
    free(closes);
    return hash;
}

static bool
virtdPageLoad(struct virtdDashboard *dashboard, const char *path)
{
    size_t length, headLength;
    char *page = virtdPageRead(path, &length), *script, *style, *head;
    bool well = page != NULL;

    if (!well)
        return false;
    script = virtdPageHash(page, "script");
    style = virtdPageHash(page, "style");
    if ((well = script != NULL && style != NULL) != false) {
        head = virtdFormat("HTTP/1.1 200 OK\r\n"
                           "Content-Type: text/html; charset=utf-8\r\n"
                           "Content-Length: %zu\r\n"
                           "Content-Security-Policy: default-src 'none'; script-src %s; style-src %s; connect-src ws: wss:; img-src data: blob:; "
                           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
                           "Cache-Control: no-store\r\n"
                           "Cross-Origin-Opener-Policy: same-origin\r\n"
                           "Cross-Origin-Resource-Policy: same-origin\r\n"
                           "Referrer-Policy: no-referrer\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "X-Frame-Options: DENY\r\n"
                           "Connection: close\r\n\r\n", length, script, style);
        headLength = strlen(head);
        dashboard->page = virtdAlloc(headLength + length);
        dashboard->pageLength = headLength + length;
        memcpy(dashboard->page, head, headLength);
        memcpy(dashboard->page + headLength, page, length);
        free(head);
    } else {
        virtdFail("dashboard-page: '%s' has not one script and one style, each at a line's beginning", path);
    }
    free(script);
    free(style);
    free(page);
    return well;
}

/* -- one client --------------------------------------------------------------------------------- */

#define VIRTD_PAGE_REFUSAL(status, more) "HTTP/1.1 " status "\r\n" more "Content-Length: 0\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"

/* What the request, whose end has come, gets. */
static void
virtdPageAnswer(const struct virtdDashboard *dashboard, struct virtdPageClient *client, const char *refusal)
{
    client->answer = refusal;
    if (refusal == NULL && strncmp(client->request, "GET / HTTP/1.", 13) == 0) {
        client->answer = dashboard->page;
        client->length = dashboard->pageLength;
        return;
    }
    if (refusal == NULL)
        client->answer = strncmp(client->request, "GET ", 4) == 0 ? VIRTD_PAGE_REFUSAL("404 Not Found", "")
                                                                  : VIRTD_PAGE_REFUSAL("405 Method Not Allowed", "Allow: GET\r\n");
    client->length = strlen(client->answer);
}

/* Goes on with a client; false: it is over. */
static bool
virtdPageServe(const struct virtdDashboard *dashboard, struct virtdPageClient *client, bool readable)
{
    ssize_t n = 0;

    while (readable && !client->ended) {
        /* What comes after an answer has begun is thrown away: with something unread, close() would make the answer be lost. */
        char *to = client->answer != NULL ? client->request : client->request + client->got;
        size_t room = client->answer != NULL ? VIRTD_PAGE_REQUEST - 1 : VIRTD_PAGE_REQUEST - 1 - client->got;

        n = recv(client->fd, to, room, MSG_DONTWAIT);
        if (n < 0)
            break;
        if (n == 0 && client->sent == client->length)
            return false;                        /* also before anything was asked for */
        client->ended = n == 0;
        if (n == 0 || client->answer != NULL)
            continue;
        client->got += (size_t)n;
        client->request[client->got] = '\0';
        if (strlen(client->request) < client->got)
            virtdPageAnswer(dashboard, client, VIRTD_PAGE_REFUSAL("400 Bad Request", ""));
        else if (strstr(client->request, "\r\n\r\n") != NULL)
            virtdPageAnswer(dashboard, client, NULL);
        else if (client->got == VIRTD_PAGE_REQUEST - 1)
            virtdPageAnswer(dashboard, client, VIRTD_PAGE_REFUSAL("431 Request Header Fields Too Large", ""));
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    while (client->sent < client->length) {
        n = send(client->fd, client->answer + client->sent, client->length - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        client->sent += (size_t)n;
        if (client->sent == client->length)
            shutdown(client->fd, SHUT_WR);       /* and it closes, or its time ends */
    }
    return true;
}

static void
virtdPageAccept(struct virtdDashboard *dashboard, int listener)
{
    int fd;

    while (dashboard->nclients < VIRTD_PAGE_CLIENTS && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct virtdPageClient *client = virtdAlloc(sizeof(*client));

        client->fd = fd;
        client->end = virtdPageNow() + VIRTD_PAGE_MS;
        dashboard->clients[dashboard->nclients++] = client;
    }
}

static void
virtdPageDrop(struct virtdDashboard *dashboard, size_t i)
{
    close(dashboard->clients[i]->fd);
    free(dashboard->clients[i]);
    dashboard->clients[i] = dashboard->clients[--dashboard->nclients];
}

/* -- all of them -------------------------------------------------------------------------------- */

static void *
virtdPageRun(void *opaque)
{
    struct virtdDashboard *dashboard = opaque;
    struct pollfd fds[1 + VIRTD_PAGE_LISTENERS + VIRTD_PAGE_CLIENTS];

    for (;;) {
        size_t n = dashboard->nclients, first = 1 + dashboard->nlisteners;
        bool full = n == VIRTD_PAGE_CLIENTS;
        long long now = virtdPageNow(), next = now + 3600000;

        fds[0] = (struct pollfd){ .fd = dashboard->wake[0], .events = POLLIN };
        for (size_t i = 0; i < dashboard->nlisteners; i++)
            fds[1 + i] = (struct pollfd){ .fd = full ? -1 : dashboard->listeners[i], .events = POLLIN };
        for (size_t i = 0; i < n; i++) {
            const struct virtdPageClient *client = dashboard->clients[i];

            fds[first + i] = (struct pollfd){ .fd = client->fd, .events = (short)((client->ended ? 0 : POLLIN) | (client->sent < client->length ? POLLOUT : 0)) };
            next = client->end < next ? client->end : next;
        }
        if (poll(fds, first + n, next > now ? (int)(next - now) : 0) < 0 && errno != EINTR)
            return NULL;
        if (fds[0].revents != 0)
            return NULL;
        now = virtdPageNow();
        for (size_t i = n; i-- > 0;) {
            short came = fds[first + i].revents;

            if (now >= dashboard->clients[i]->end
                || (came != 0 && !virtdPageServe(dashboard, dashboard->clients[i], (came & (POLLIN | POLLHUP | POLLERR)) != 0)))
                virtdPageDrop(dashboard, i);
        }
        for (size_t i = 0; i < dashboard->nlisteners; i++)
            if (fds[1 + i].revents != 0)
                virtdPageAccept(dashboard, dashboard->listeners[i]);
    }
}

/* "ADDRESS", "ADDRESS:PORT", ":PORT"; an address of IPv6 with a port is in brackets. */
static bool
virtdPageListen(struct virtdDashboard *dashboard, const char *where)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
    char *host = virtdFormat("%s", where), *port = NULL, *name = host, *colon = strrchr(host, ':');
    bool well = true;
    int code;

    if (*host == '[' && strchr(host, ']') != NULL) {
        name = host + 1;
        colon = strchr(host, ']');
        port = colon[1] == ':' ? colon + 2 : NULL;
        *colon = '\0';
    } else if (colon != NULL && strchr(host, ':') == colon) {
        port = colon + 1;
        *colon = '\0';
    }
    if (*name == '\0')
        name = "127.0.0.1";
    code = getaddrinfo(strcmp(name, "*") == 0 ? NULL : name, port != NULL && *port != '\0' ? port : "16512", &hints, &found);
    if (code != 0)
        well = virtdFail("dashboard: '%s': %s", where, gai_strerror(code));
    for (struct addrinfo *at = found; at != NULL && well && dashboard->nlisteners < VIRTD_PAGE_LISTENERS; at = at->ai_next) {
        int on = 1, fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 && errno == EAFNOSUPPORT)
            continue;
        if (fd >= 0 && at->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        if (fd >= 0)
            dashboard->listeners[dashboard->nlisteners++] = fd;
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 16) < 0)
            well = virtdFail("dashboard: cannot listen on '%s': %s", where, strerror(errno));
    }
    freeaddrinfo(found);
    free(host);
    return well;
}

struct virtdDashboard *
virtdDashboardStart(const char *where, const char *page)
{
    struct virtdDashboard *dashboard = virtdAlloc(sizeof(*dashboard));

    dashboard->wake[0] = dashboard->wake[1] = -1;
    if (virtdPageLoad(dashboard, page != NULL ? page : VIRTD_PAGE) && virtdPageListen(dashboard, where)) {
        if (pipe2(dashboard->wake, O_CLOEXEC) == 0 && pthread_create(&dashboard->thread, NULL, virtdPageRun, dashboard) == 0)
            return dashboard;
        virtdFail("dashboard: cannot start its thread");
    }
    if (dashboard->wake[1] >= 0)
        close(dashboard->wake[1]);
    dashboard->wake[1] = -1;
    virtdDashboardEnd(dashboard);
    return NULL;
}

void
virtdDashboardEnd(struct virtdDashboard *dashboard)
{
    if (dashboard == NULL)
        return;
    if (dashboard->wake[1] >= 0) {
        close(dashboard->wake[1]);
        pthread_join(dashboard->thread, NULL);
    }
    if (dashboard->wake[0] >= 0)
        close(dashboard->wake[0]);
    while (dashboard->nclients > 0)
        virtdPageDrop(dashboard, 0);
    for (size_t i = 0; i < dashboard->nlisteners; i++)
        close(dashboard->listeners[i]);
    free(dashboard->page);
    free(dashboard);
}

#else

struct virtdDashboard *
virtdDashboardStart(const char *where, const char *page)
{
    (void)page;
    virtdFail("dashboard: '%s': this virtd was built without libcrypto, so no page could connect to it", where);
    return NULL;
}

void
virtdDashboardEnd(struct virtdDashboard *dashboard)
{
    (void)dashboard;
}

#endif
