/*
 * The life of one QEMU process: spawned, its monitor up, its CPUs running, ended.
 *
 * A start is made of steps so that the destination of a migration can take them one call at a time:
 * qemuProcessSpawn returns as soon as the program runs, qemuProcessNegotiate says whether its
 * monitor is up, qemuProcessCont lets the CPUs run. What can be written to disk is written while
 * QEMU starts. The caller holds the domain's job in all of them, but for qemuProcessStop.
 */
#ifndef VIRT_QEMU_PROCESS_H
#define VIRT_QEMU_PROCESS_H

#include "qemu.h"

struct qemuProcessStart {
    /* the completed document of the machine; edited (id); stays the caller's */
    xmlDocPtr doc;
    const char *incoming;          /* "defer", or NULL: a fresh start */
    virConnectPtr autodestroy;     /* NULL: it outlives every connection */
};

/*
 * Hooks prepare and start, the command, the process, its record in the state directory. The guest
 * has an id then, and counts as paused (VIR_DOMAIN_PAUSED_STARTING_UP, or MIGRATION for an incoming
 * one). 0, or -1 with the error set and nothing left.
 */
VIRT_INTERNAL int qemuProcessSpawn(struct virDomainObj *vm, const struct qemuProcessStart *start);
/*
 * 1: the monitor is up, the live document has what only QEMU knows (pty paths, ports), hook
 * `started` has run; 0: not within timeout ms; -1: QEMU died or refused, its last words are in the
 * error, and all is cleaned up as by qemuProcessStop.
 */
VIRT_INTERNAL int qemuProcessNegotiate(struct virDomainObj *vm, int timeout);
/* Lets the CPUs run / stops them; state, reason and event follow. 0 or -1. */
VIRT_INTERNAL int qemuProcessCont(struct virDomainObj *vm, int reason);
VIRT_INTERNAL int qemuProcessPause(struct virDomainObj *vm, int reason);

/*
 * Ends QEMU if it still runs, reaps it, cleans up, marks the domain as not running (a transient one
 * leaves the list), runs hooks stopped and release. Emits STOPPED with the detail that fits the
 * reason, if STARTED was emitted. Whoever comes second waits for the first. Returns 1 if this call
 * did it, 0 if it did not run (any more), -1 with the error set: with GRACEFUL, or where the kernel
 * does not let the process go; it is still there then.
 */
#define QEMU_PROCESS_STOP_GRACEFUL 1      /* ask, but never kill */
#define QEMU_PROCESS_STOP_KILL     2      /* do not ask first: an incoming guest, a start that failed */
#define QEMU_PROCESS_STOP_NOWAIT   4      /* if somebody else is at it, return at once (event functions) */
VIRT_INTERNAL int qemuProcessStop(struct virDomainObj *vm, int reason, unsigned int flags);
/*
 * The same for one that is killed, but waits for its end for at most timeout ms (-1: as long as qemuProcessStop), which takes the longer the
 * more memory the guest has. Returns 1 if it does not run any more, 0 if its end has not come yet, -1 with the error set. Who notices the end
 * instead cleans up for the reason that was given here.
 */
VIRT_INTERNAL int qemuProcessStopWithin(struct virDomainObj *vm, int reason, int timeout);

/*
 * The last lines that QEMU wrote to its log since this start, on one line, for an error; malloc'd,
 * NULL if it said nothing.
 */
VIRT_INTERNAL char *qemuProcessLastWords(struct virDomainObj *vm);

/*
 * All guests of a state directory that was just opened: finds those that still run, settles the
 * others.
 */
VIRT_INTERNAL void qemuProcessReconnectAll(struct qemuHost *host);
/*
 * The monitor of a guest that was found again but did not answer then: a new reference, or NULL
 * with the error set.
 */
VIRT_INTERNAL struct qemuMonitor *qemuReconnectMonitor(struct virDomainObj *vm);
/* Marks as read what this file takes from a document, for the list of ignored parts. */
VIRT_INTERNAL void qemuProcessReadDocument(xmlDocPtr doc);

#endif
