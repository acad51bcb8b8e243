/*
 * The hook script <root>/hooks/qemu: called with GUEST OPERATION SUB-OPERATION EXTRA and the
 * guest's document on stdin, as libvirt's page on hooks has it. Where it fails before a start, the
 * start fails, and what it printed to stderr is in the error.
 *
 *   prepare begin -, start begin -, started begin -, stopped end REASON, release end REASON, migrate begin - (its stdout, if any, is the
 *   document to use), restore begin -, reconnect begin -,
 *   migrate-out begin UUID (virt's own: before a migration from this host does anything; the migration's uuid)
 */
#ifndef VIRT_QEMU_HOOKS_H
#define VIRT_QEMU_HOOKS_H

#include "qemu.h"

/* Whether there is a script: cheap, so that callers can save themselves the document. */
VIRT_INTERNAL bool qemuHooksPresent(const struct qemuHost *host);
/*
 * Runs it. xml: the document, or NULL for none. output (may be NULL): what it printed, malloc'd. 0,
 * or -1 with VIR_ERR_HOOK_SCRIPT_FAILED set.
 */
VIRT_INTERNAL int qemuHooksRun(const struct qemuHost *host, const char *guest,
                               const char *operation, const char *subOperation,
                               const char *extra, const char *xml, char **output);

#endif
