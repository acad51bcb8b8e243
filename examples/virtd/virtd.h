/*
 * virtd.h: what the files of virtd share
 *
 * virtd serves connections of this host to other processes and hosts: libvirt's daemon as a small program on top of virt's public API.
 *
 *   virtd.c      starting, serving, starting over, ending
 *   options.c    the command line and the configuration file, which have the same names
 *   policy.c     who may do what, and the audit
 *   dashboard.c  the page for browsers
 *   process.c    the pid file, the background, systemd, the log
 */
#ifndef VIRTD_H
#define VIRTD_H

#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include "../../virt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define VIRTD_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VIRTD_PRINTF(format_, first) __attribute__((format(printf, format_, first)))

/* -- options ------------------------------------------------------------------------------------ */

struct virtdList {
    char **items;
    size_t count;
};

/* What was asked for; a value that was not is NULL, or an empty list. */
struct virtdOptions {
    char *config;
    struct virtdList connect, listen, listenRo;
    char *mode, *owner, *group;
    char *key, *authorized;
    struct virtdList limits;          /* "NAME=NUMBER" */
    char *workers;
    struct virtdList rules;           /* "allow WHO WHAT GUEST", in order */
    char *policy, *audit;
    char *dashboard, *dashboardPage;
    char *log, *logLevel;
    char *pidFile;
    bool daemon, replace, check, genkey, showKey;
};

/* The command line, and then the file that it names or the usual one. Messages go to stderr (or the log). false: there was something wrong. */
bool virtdOptionsRead(struct virtdOptions *options, int argc, char **argv);
void virtdOptionsClear(struct virtdOptions *options);
void virtdListAdd(struct virtdList *list, const char *text);
void virtdListClear(struct virtdList *list);
/* A whole number from min to max; false after a message that calls it `what`. */
bool virtdNumber(const char *text, const char *what, unsigned long min, unsigned long max, unsigned long *value);
/* Memory, or the end of the program; as a daemon that has not begun to serve may. */
void *virtdAlloc(size_t size);
char *virtdFormat(const char *format, ...) VIRTD_PRINTF(1, 2);

/* -- policy ------------------------------------------------------------------------------------- */

struct virtdPolicy;

/* From the rules of the options and of the file; NULL after a message that names the line. */
struct virtdPolicy *virtdPolicyNew(const struct virtdOptions *options);
void virtdPolicyFree(void *policy);
bool virtdPolicyIsEmpty(const struct virtdPolicy *policy);
/* For virServerSetAccess, with the policy as opaque. */
int virtdPolicyAllows(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque);

/* For virServerSetAudit; opaque is virtdAuditOpen's. */
void *virtdAuditOpen(const char *path);          /* NULL after a message */
void virtdAuditWrite(const virServerAudit *record, void *opaque);
void virtdAuditClose(void *audit);

/* -- the page ----------------------------------------------------------------------------------- */

struct virtdDashboard;

/* Serves the page on an address ("ADDRESS[:PORT]") from a thread of its own; page is its file, or NULL for the installed one. NULL after a message. */
struct virtdDashboard *virtdDashboardStart(const char *where, const char *page);
void virtdDashboardEnd(struct virtdDashboard *dashboard);       /* may be NULL */

/* -- process ------------------------------------------------------------------------------------ */

/* The log goes to stderr until this. false after a message. */
bool virtdLogOpen(const char *where, const char *level);
/* priority: virLogPriority. What virtd itself has to say. */
void virtdLog(int priority, const char *format, ...) VIRTD_PRINTF(2, 3);
/* An error of virtd's own; false, for `return virtdFail(...)`. */
bool virtdFail(const char *format, ...) VIRTD_PRINTF(1, 2);

/* Takes the pid file, from the virtd that runs if it is to be replaced. -1 after a message. */
int virtdPidFileTake(const char *path, bool replace);
void virtdPidFileWrite(int fd);                  /* again after the fork */
void virtdPidFileRemove(int fd, const char *path);
/* The usual folder for sockets and the pid file, made if need be; NULL after a message. */
char *virtdRunFolder(void);

/* Into the background: returns there. The process that was started waits for virtdDaemonReady, and ends with its result. Until that, which is called
 * in the foreground too, errors go to stderr as well as to the log. */
bool virtdDaemonStart(void);
void virtdDaemonReady(bool well);

/* Tells systemd, if that started us: "READY=1". */
void virtdNotify(const char *format, ...) VIRTD_PRINTF(1, 2);

#endif
