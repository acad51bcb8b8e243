/* Hook scripts: see hooks.h. */
#include "hooks.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_HOOK

/* A script that hangs must not hang the library for ever. */
#define QEMU_HOOKS_TIMEOUT 60000        /* ms */
#define QEMU_HOOKS_OUTPUT  (1024u * 1024)

VIRT_INTERNAL bool
qemuHooksPresent(const struct qemuHost *host)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/qemu", host->hooks);

    return path != NULL && access(path, X_OK) == 0;
}

VIRT_INTERNAL int
qemuHooksRun(const struct qemuHost *host, const char *guest, const char *operation, const char *subOperation,
             const char *extra, const char *xml, char **output)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/qemu", host->hooks);
    VIRT_CLEANUP_FREE char *errors = NULL, *printed = NULL;
    const char *argv[] = { path, guest, operation, subOperation, extra != NULL ? extra : "-", NULL };
    int status;

    if (path == NULL)
        return -1;
    if (access(path, X_OK) < 0)
        return 0;
    if ((status = virProcessRun(argv, NULL, xml != NULL ? xml : "", &printed, &errors, QEMU_HOOKS_OUTPUT,
                                QEMU_HOOKS_TIMEOUT)) < 0)
        return -1;
    if (status != 0) {
        for (size_t end = errors != NULL ? strlen(errors) : 0; end > 0 && errors[end - 1] == '\n'; end--)
            errors[end - 1] = '\0';
        if (WIFEXITED(status))
            return virReportError(VIR_ERR_HOOK_SCRIPT_FAILED,
                                  "hook '%s %s %s' ended with status %d: %s", path, guest,
                                  operation, WEXITSTATUS(status), errors != NULL ? errors : "");
        return virReportError(VIR_ERR_HOOK_SCRIPT_FAILED,
                              "hook '%s %s %s' was ended by signal %d: %s", path, guest,
                              operation, WTERMSIG(status), errors != NULL ? errors : "");
    }
    if (output != NULL) {
        *output = printed;
        printed = NULL;
    }
    return 0;
}

#undef QEMU_HOOKS_TIMEOUT
#undef QEMU_HOOKS_OUTPUT
#undef VIRT_FROM
