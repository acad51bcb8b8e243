/* Connection URIs: driver[+transport]://[user@][server][:port]/path[?name=value&...] */
#ifndef VIRT_COMMON_URI_H
#define VIRT_COMMON_URI_H

#include "../driver.h"

struct virUriParam { char *name, *value; };     /* both unescaped; value "" when there is no '=' */

struct virUri {
    char *scheme;               /* "qemu", without the transport */
    char *transport;            /* "tcp" of "qemu+tcp", or NULL */
    char *user, *server;        /* NULL: none */
    int port;                   /* 0: none */
    char *path;                 /* "" when there is none */
    char *query;                /* raw, NULL: none */
    struct virUriParam *params;
    size_t nparams;
};

VIRT_INTERNAL struct virUri *virUriParse(const char *text);            /* VIR_ERR_INVALID_ARG naming the text on failure */
VIRT_INTERNAL void virUriFree(struct virUri *uri);
VIRT_INTERNAL const char *virUriParam(const struct virUri *uri, const char *name);   /* NULL: not there */

#endif
