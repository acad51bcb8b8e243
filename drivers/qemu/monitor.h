/*
 * The conversation with one QEMU: QMP over a Unix socket.
 *
 * The socket is listened on by this process before QEMU exists; QEMU is given the listening
 * descriptor, and we connect at once, so that nothing is ever retried. Commands carry an id,
 * replies are found by it, and any number of threads may have commands under way. Whoever waits
 * reads: one thread at a time is the leader and reads for all, the others sleep until it has news.
 * Events are queued in the order in which QEMU sent them and handed to the owner's function, one at
 * a time, with no lock of the monitor held.
 */
#ifndef VIRT_QEMU_MONITOR_H
#define VIRT_QEMU_MONITOR_H

#include "../common/json.h"

struct qemuMonitor;

/*
 * An event from QEMU. `data` is the event's own, NULL where it has none. When the connection has
 * ended (QEMU died, or talked nonsense) the last call has event NULL. Called from whichever thread
 * reads; it must not wait for a reply on this monitor, but may send.
 */
typedef void (*qemuMonitorEventFunc)(struct qemuMonitor *mon, const char *event, const cJSON *data,
                                     void *opaque);

/*
 * Connects to a socket somebody listens on, and writes qmp_capabilities (with out-of-band
 * execution) without waiting for the greeting. `name` is the guest's, for messages. With an event
 * loop registered the monitor is watched from it. opaque is given back to freeOpaque with the last
 * reference (also on failure). NULL with the error set.
 */
VIRT_INTERNAL struct qemuMonitor *qemuMonitorOpen(const char *path, const char *name,
                                                  qemuMonitorEventFunc func,
                                                  void *opaque, void (*freeOpaque)(void *opaque));
/*
 * The same over a connected socket, which it takes over also on failure; without the event loop,
 * and without events.
 */
VIRT_INTERNAL struct qemuMonitor *qemuMonitorOpenFd(int fd, const char *name);
VIRT_INTERNAL struct qemuMonitor *qemuMonitorRef(struct qemuMonitor *mon);
VIRT_INTERNAL void qemuMonitorUnref(void *mon);
/*
 * Ends the conversation: every waiting call fails, no event is delivered after it returns (unless
 * it is called from the event function itself).
 */
VIRT_INTERNAL void qemuMonitorClose(struct qemuMonitor *mon);

/*
 * 1: QEMU has answered qmp_capabilities; 0: not within timeout ms (0: does not wait; -1: for ever);
 * -1: with the error set.
 */
VIRT_INTERNAL int qemuMonitorNegotiate(struct qemuMonitor *mon, int timeout);

/* A command's id, 0 when there is none; each is used once. */
typedef unsigned long long qemuMonitorId;

/*
 * Sends a command without waiting. args (an object or NULL) is taken over also on failure. oob: by
 * exec-oob, which QEMU answers even while the ordinary commands hang. Returns the id to collect the
 * reply with, or 0 with the error set.
 */
VIRT_INTERNAL qemuMonitorId qemuMonitorSend(struct qemuMonitor *mon, const char *command,
                                            cJSON *args, bool oob);
/*
 * 1: the reply is there: *reply is its "return" value, the caller's (reply may be NULL); 0: not
 * yet, when timeout ms were over (0: does not wait, -1: for ever); ask again with the same id. -1:
 * QEMU refused the command (VIR_ERR_INTERNAL_ERROR with its words), or is gone; the error is set
 * and the id is used up.
 */
VIRT_INTERNAL int qemuMonitorReceive(struct qemuMonitor *mon, qemuMonitorId id, int timeout, cJSON **reply);
/* Nobody will ask for this reply: it is dropped when it comes. */
VIRT_INTERNAL void qemuMonitorForget(struct qemuMonitor *mon, qemuMonitorId id);
/* Hands QEMU a descriptor, which it knows by that name then; fd stays the caller's. As qemuMonitorSend. */
VIRT_INTERNAL qemuMonitorId qemuMonitorSendFd(struct qemuMonitor *mon, const char *name, int fd);
/* Sends and forgets. 0 or -1. */
VIRT_INTERNAL int qemuMonitorPost(struct qemuMonitor *mon, const char *command, cJSON *args);
/*
 * Both, with the usual deadline: 0, or -1 with the error set (VIR_ERR_OPERATION_TIMEOUT when QEMU
 * does not answer). reply may be NULL.
 */
VIRT_INTERNAL int qemuMonitorCommand(struct qemuMonitor *mon, const char *command, cJSON *args,
                                     cJSON **reply);
/* The same for a command that an application has made: *message is all that QEMU answers, also a refusal, and the caller's. */
VIRT_INTERNAL int qemuMonitorPass(struct qemuMonitor *mon, const char *command, cJSON *args, bool oob, cJSON **message);
#define QEMU_MONITOR_DEADLINE 30000        /* ms; while an earlier command is overdue, 1000 */

/* Takes in what has arrived, without blocking, and delivers the events. */
VIRT_INTERNAL void qemuMonitorPump(struct qemuMonitor *mon);
/*
 * Whether QEMU might have something for us, asked with one cheap system call and no lock; fd is
 * what qemuMonitorSocket gave, valid or not.
 */
VIRT_INTERNAL bool qemuMonitorHasNews(int fd);
VIRT_INTERNAL bool qemuMonitorIsWatched(struct qemuMonitor *mon);       /* by the event loop */
VIRT_INTERNAL int qemuMonitorSocket(const struct qemuMonitor *mon);
/*
 * A descriptor that becomes readable when there is news for whoever steps on with
 * qemuMonitorReceive: the socket, or, when the event loop reads that, one of our own. It stays the
 * monitor's; -1 with the error set.
 */
VIRT_INTERNAL int qemuMonitorGetFd(struct qemuMonitor *mon);
/*
 * Whether a reply for this id (or the end of the conversation) is there already, without reading.
 */
VIRT_INTERNAL bool qemuMonitorIsReady(struct qemuMonitor *mon, qemuMonitorId id);
/*
 * How long the oldest command has been under way, in us; 0: none is. *overdue: whether its deadline
 * has passed.
 */
VIRT_INTERNAL unsigned long long qemuMonitorBusy(struct qemuMonitor *mon, bool *overdue);
/* Whether the conversation still goes on. */
VIRT_INTERNAL bool qemuMonitorIsOpen(struct qemuMonitor *mon);
/* Whether QEMU's side has hung up (a QEMU that talks nonsense has not). */
VIRT_INTERNAL bool qemuMonitorHasEnded(struct qemuMonitor *mon);

#endif
