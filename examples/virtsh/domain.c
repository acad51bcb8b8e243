/*
 * domain.c: commands that define, start, stop and change domains, and those that tell their document
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
# include <sys/wait.h>
#endif
#include <unistd.h>

#include "virtsh.h"

#define INACTIVE VIR_CONNECT_LIST_DOMAINS_INACTIVE
#define ACTIVE   VIR_CONNECT_LIST_DOMAINS_ACTIVE

#define FILE_OPTION \
    { .name = "file", VIRTSH_STRING, "file containing an XML domain description", .required = true }

/* Options of commands that do without others. */
static const struct virtshOption pausedDomain[] = {
    VIRTSH_DOMAIN_OPTION(VIR_CONNECT_LIST_DOMAINS_PAUSED), VIRTSH_END
};
static const struct virtshOption activeDomain[] = { VIRTSH_DOMAIN_OPTION(ACTIVE), VIRTSH_END };

/* -- definition -------------------------------------------------------------------------------- */

static bool
cmdDefine(struct virtsh *sh)
{
    const char *file = virtshString(sh, "file");
    char *xml = virtshReadFile(sh, file);
    virDomainPtr dom;

    if (xml == NULL)
        return false;
    if ((dom = virtshOwnDomain(sh, virDomainDefineXMLFlags(sh->conn, xml, virtshFlags(sh)))) == NULL)
        return virtshFail(sh, "Failed to define domain from %s", file);
    virtshRemark(sh, "Domain '%s' defined from %s\n", virDomainGetName(dom), file);
    return true;
}

static const struct virtshOption defineOptions[] = {
    FILE_OPTION,
    { .name = "validate", VIRTSH_FLAG, "validate the XML against the schema",
      .bit = VIR_DOMAIN_DEFINE_VALIDATE },
    VIRTSH_END,
};

static bool
cmdUndefine(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL || !virtshExclusive(sh, "nvram", "keep-nvram")
        || !virtshExclusive(sh, "tpm", "keep-tpm"))
        return false;
    if (virDomainUndefineFlags(dom, virtshFlags(sh)) < 0)
        return virtshFail(sh, "Failed to undefine domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' has been undefined\n", virDomainGetName(dom));
    return true;
}

static const struct virtshOption undefineOptions[] = {
    VIRTSH_DOMAIN_OPTION(VIR_CONNECT_LIST_DOMAINS_PERSISTENT),
    { .name = "managed-save", VIRTSH_FLAG, "remove domain managed state file",
      .bit = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE },
    { .name = "snapshots-metadata", VIRTSH_FLAG,
      "remove all domain snapshot metadata (vm must be inactive)",
      .bit = VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA },
    { .name = "checkpoints-metadata", VIRTSH_FLAG,
      "remove all domain checkpoint metadata (vm must be inactive)",
      .bit = VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA },
    { .name = "nvram", VIRTSH_FLAG, "remove nvram file", .bit = VIR_DOMAIN_UNDEFINE_NVRAM },
    { .name = "keep-nvram", VIRTSH_FLAG, "keep nvram file", .bit = VIR_DOMAIN_UNDEFINE_KEEP_NVRAM },
    { .name = "tpm", VIRTSH_FLAG, "remove TPM state", .bit = VIR_DOMAIN_UNDEFINE_TPM },
    { .name = "keep-tpm", VIRTSH_FLAG, "keep TPM state", .bit = VIR_DOMAIN_UNDEFINE_KEEP_TPM },
    VIRTSH_END,
};

static bool
cmdDomrename(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL || virDomainRename(dom, virtshString(sh, "new-name"), 0) < 0)
        return false;
    virtshRemark(sh, "Domain successfully renamed\n");
    return true;
}

static const struct virtshOption domrenameOptions[] = {
    VIRTSH_DOMAIN_OPTION_AS("domain name or uuid", VIRTSH_BY_UUID | VIRTSH_BY_NAME, INACTIVE),
    { .name = "new-name", VIRTSH_STRING, "new domain name", .required = true },
    VIRTSH_END,
};

static bool
cmdAutostart(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    bool disable = virtshHas(sh, "disable");

    if (dom == NULL)
        return false;
    if (virDomainSetAutostart(dom, !disable) < 0)
        return virtshFail(sh, disable ? "Failed to unmark domain '%s' as autostarted"
                                      : "Failed to mark domain '%s' as autostarted",
                          virDomainGetName(dom));
    virtshRemark(sh, disable ? "Domain '%s' unmarked as autostarted\n"
                             : "Domain '%s' marked as autostarted\n", virDomainGetName(dom));
    return true;
}

static const struct virtshOption autostartOptions[] = {
    VIRTSH_DOMAIN_OPTION(VIR_CONNECT_LIST_DOMAINS_PERSISTENT),
    { .name = "disable", VIRTSH_FLAG, "disable autostarting" },
    VIRTSH_END,
};

/* -- start and stop ---------------------------------------------------------------------------- */

static bool
cmdCreate(struct virtsh *sh)
{
    const char *file = virtshString(sh, "file");
    char *xml = virtshReadFile(sh, file);
    virDomainPtr dom;

    if (xml == NULL)
        return false;
    if ((dom = virtshOwnDomain(sh, virDomainCreateXML(sh->conn, xml, virtshFlags(sh)))) == NULL)
        return virtshFail(sh, "Failed to create domain from %s", file);
    virtshRemark(sh, "Domain '%s' created from %s\n", virDomainGetName(dom), file);
    return true;
}

static const struct virtshOption createOptions[] = {
    FILE_OPTION,
    { .name = "paused", VIRTSH_FLAG, "leave the guest paused after creation",
      .bit = VIR_DOMAIN_START_PAUSED },
    { .name = "autodestroy", VIRTSH_FLAG, "automatically destroy the guest when virtsh disconnects",
      .bit = VIR_DOMAIN_START_AUTODESTROY },
    { .name = "validate", VIRTSH_FLAG, "validate the XML against the schema",
      .bit = VIR_DOMAIN_START_VALIDATE },
    { .name = "reset-nvram", VIRTSH_FLAG, "re-initialize NVRAM from its pristine template",
      .bit = VIR_DOMAIN_START_RESET_NVRAM },
    VIRTSH_END,
};

static bool
cmdStart(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL)
        return false;
    if (virDomainGetID(dom) != (unsigned int) -1)
        return virtshFail(sh, "Domain is already active");
    virtshForgetError(sh);
    if (virDomainCreateWithFlags(dom, virtshFlags(sh)) < 0)
        return virtshFail(sh, "Failed to start domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' started\n", virDomainGetName(dom));
    return true;
}

static const struct virtshOption startOptions[] = {
    VIRTSH_DOMAIN_OPTION_AS("name of the inactive domain", VIRTSH_BY_UUID | VIRTSH_BY_NAME,
                            INACTIVE),
    { .name = "paused", VIRTSH_FLAG, "leave the guest paused after creation",
      .bit = VIR_DOMAIN_START_PAUSED },
    { .name = "autodestroy", VIRTSH_FLAG, "automatically destroy the guest when virtsh disconnects",
      .bit = VIR_DOMAIN_START_AUTODESTROY },
    { .name = "bypass-cache", VIRTSH_FLAG, "avoid file system cache when loading",
      .bit = VIR_DOMAIN_START_BYPASS_CACHE },
    { .name = "force-boot", VIRTSH_FLAG, "force fresh boot by discarding any managed save",
      .bit = VIR_DOMAIN_START_FORCE_BOOT },
    { .name = "reset-nvram", VIRTSH_FLAG, "re-initialize NVRAM from its pristine template",
      .bit = VIR_DOMAIN_START_RESET_NVRAM },
    VIRTSH_END,
};

static bool
cmdDestroy(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL)
        return false;
    if (virDomainDestroyFlags(dom, virtshFlags(sh)) < 0)
        return virtshFail(sh, "Failed to destroy domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' destroyed\n", virDomainGetName(dom));
    return true;
}

static const struct virtshOption destroyOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "graceful", VIRTSH_FLAG, "terminate gracefully", .bit = VIR_DOMAIN_DESTROY_GRACEFUL },
    { .name = "remove-logs", VIRTSH_FLAG,
      "remove domain logs", .bit = VIR_DOMAIN_DESTROY_REMOVE_LOGS },
    VIRTSH_END,
};

/* The flags of shutdown and of reboot have the same values. */
static const struct { const char *name; unsigned int flag; } shutdownModes[] = {
    { "acpi", VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN },
    { "agent", VIR_DOMAIN_SHUTDOWN_GUEST_AGENT },
    { "initctl", VIR_DOMAIN_SHUTDOWN_INITCTL },
    { "signal", VIR_DOMAIN_SHUTDOWN_SIGNAL },
    { "paravirt", VIR_DOMAIN_SHUTDOWN_PARAVIRT },
};
static const char *const shutdownModeNames[] = { "acpi", "agent", "initctl", "signal", "paravirt",
                                                 NULL };

/* Reads --mode acpi,agent,... expected: what a message says could be there. */
static bool
shutdownFlags(struct virtsh *sh, const char *expected, unsigned int *flags)
{
    const char *modes = virtshString(sh, "mode");
    char *rest, *mode;

    *flags = 0;
    if (modes == NULL)
        return true;
    rest = virtshOwn(sh, virtshCopy(modes));
    while ((mode = strsep(&rest, ",")) != NULL) {
        size_t i = 0;

        while (i < VIRTSH_COUNT(shutdownModes) && strcmp(mode, shutdownModes[i].name) != 0)
            i++;
        if (i == VIRTSH_COUNT(shutdownModes))
            return virtshFail(sh, "Unknown mode %s value, expecting %s", mode, expected);
        *flags |= shutdownModes[i].flag;
    }
    return true;
}

static const struct virtshOption shutdownOptions[] = {
    VIRTSH_DOMAIN_OPTION(ACTIVE),
    { .name = "mode", VIRTSH_STRING, "shutdown mode: acpi|agent|initctl|signal|paravirt",
      .words = shutdownModeNames },
    VIRTSH_END,
};

static bool
cmdShutdown(struct virtsh *sh)
{
    virDomainPtr dom;
    unsigned int flags;

    if (!shutdownFlags(sh, "'acpi', 'agent', 'initctl', 'signal', or 'paravirt'", &flags)
        || (dom = virtshDomain(sh)) == NULL)
        return false;
    if (virDomainShutdownFlags(dom, flags) < 0)
        return virtshFail(sh, "Failed to shutdown domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' is being shutdown\n", virDomainGetName(dom));
    return true;
}

static bool
cmdReboot(struct virtsh *sh)
{
    virDomainPtr dom;
    unsigned int flags;

    if (!shutdownFlags(sh, "'acpi', 'agent', 'initctl', 'signal' or 'paravirt'", &flags)
        || (dom = virtshDomain(sh)) == NULL)
        return false;
    if (virDomainReboot(dom, flags) < 0)
        return virtshFail(sh, "Failed to reboot domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' is being rebooted\n", virDomainGetName(dom));
    return true;
}

static bool
cmdReset(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL)
        return false;
    if (virDomainReset(dom, 0) < 0)
        return virtshFail(sh, "Failed to reset domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' was reset\n", virDomainGetName(dom));
    return true;
}

static bool
cmdSuspend(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL)
        return false;
    if (virDomainSuspend(dom) < 0)
        return virtshFail(sh, "Failed to suspend domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' suspended\n", virDomainGetName(dom));
    return true;
}

static bool
cmdResume(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL)
        return false;
    if (virDomainResume(dom) < 0)
        return virtshFail(sh, "Failed to resume domain '%s'", virDomainGetName(dom));
    virtshRemark(sh, "Domain '%s' resumed\n", virDomainGetName(dom));
    return true;
}

/* -- names ------------------------------------------------------------------------------------- */

static bool
cmdDomid(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    unsigned int id;

    if (dom == NULL)
        return false;
    if ((id = virDomainGetID(dom)) == (unsigned int) -1)
        virtshPrint(sh, "-\n");
    else
        virtshPrint(sh, "%u\n", id);
    return true;
}

static const struct virtshOption domidOptions[] = {
    VIRTSH_DOMAIN_OPTION_AS("domain name or uuid", VIRTSH_BY_UUID | VIRTSH_BY_NAME, 0),
    VIRTSH_END,
};

static bool
cmdDomname(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    if (dom == NULL)
        return false;
    virtshPrint(sh, "%s\n", virDomainGetName(dom));
    return true;
}

static const struct virtshOption domnameOptions[] = {
    VIRTSH_DOMAIN_OPTION_AS("domain id or uuid", VIRTSH_BY_ID | VIRTSH_BY_UUID, 0),
    VIRTSH_END,
};

static bool
cmdDomuuid(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (dom == NULL)
        return false;
    if (virDomainGetUUIDString(dom, uuid) < 0)
        return virtshFail(sh, "failed to get domain UUID");
    virtshPrint(sh, "%s\n", uuid);
    return true;
}

static const struct virtshOption domuuidOptions[] = {
    VIRTSH_DOMAIN_OPTION_AS("domain id or name", VIRTSH_BY_ID | VIRTSH_BY_NAME, 0),
    VIRTSH_END,
};

/* -- the document ------------------------------------------------------------------------------ */

static bool
cmdDumpxml(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    char *xml;

    if (dom == NULL)
        return false;
    if ((xml = virtshOwn(sh, virDomainGetXMLDesc(dom, virtshFlags(sh)))) == NULL)
        return false;
    virtshPrint(sh, "%s", xml);
    return true;
}

static const struct virtshOption dumpxmlOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "inactive", VIRTSH_FLAG,
      "show inactive defined XML", .bit = VIR_DOMAIN_XML_INACTIVE },
    { .name = "security-info", VIRTSH_FLAG, "include security sensitive information in XML dump",
      .bit = VIR_DOMAIN_XML_SECURE },
    { .name = "update-cpu", VIRTSH_FLAG, "update guest CPU according to host CPU",
      .bit = VIR_DOMAIN_XML_UPDATE_CPU },
    { .name = "migratable", VIRTSH_FLAG, "provide XML suitable for migrations",
      .bit = VIR_DOMAIN_XML_MIGRATABLE },
    VIRTSH_END,
};

/* Not in virsh: what of a document has no effect with this driver. */
static bool
cmdIgnored(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);
    char **paths = NULL;
    int count;

    if (dom == NULL)
        return false;
    if ((count = virDomainListIgnoredXML(dom, &paths, virtshFlags(sh))) < 0)
        return virtshFail(sh, "Failed to list the ignored parts of domain '%s'",
                          virDomainGetName(dom));
    virtshOwn(sh, paths);
    for (int i = 0; i < count; i++)
        virtshPrint(sh, "%s\n", (char *) virtshOwn(sh, paths[i]));
    return true;
}

static const struct virtshOption ignoredOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "inactive", VIRTSH_FLAG,
      "of the inactive defined XML", .bit = VIR_DOMAIN_XML_INACTIVE },
    VIRTSH_END,
};

#define AFFECT_OPTIONS(what) \
    { .name = "live", VIRTSH_FLAG, what " running state", .bit = VIR_DOMAIN_AFFECT_LIVE }, \
    { .name = "config", VIRTSH_FLAG, \
      what " persistent configuration", .bit = VIR_DOMAIN_AFFECT_CONFIG }, \
    { .name = "current", VIRTSH_FLAG, what " current state configuration" }

/* All --new-desc and all words that no option takes, as one line. */
static char *
joinWords(struct virtsh *sh, const char *option)
{
    char *line = NULL;

    for (size_t i = 0; i < sh->call->count; i++) {
        const struct virtshValue *value = &sh->call->values[i];

        if (strcmp(value->option->name, option) == 0)
            line = virtshOwn(sh, line == NULL ? virtshCopy(value->text)
                                              : virtshFormat("%s %s", line, value->text));
    }
    return line;
}

/* Lets somebody edit a text. NULL after a message; the shell owns what comes back. */
static char *
editText(struct virtsh *sh, const char *text)
{
    const char *editor = getenv("VISUAL") != NULL ? getenv("VISUAL") : getenv("EDITOR");
    const char *folder = getenv(VIRTSH_TEMPORARY) != NULL ? getenv(VIRTSH_TEMPORARY) : "/tmp";
    char *path = virtshOwn(sh, virtshFormat("%s/virtshXXXXXX.xml", folder));
    char *command, *edited = NULL;
    int fd = mkostemps(path, 4, O_CLOEXEC), status;
    bool written;

    if (fd < 0) {
        virtshFail(sh, "cannot make a temporary file: %s", strerror(errno));
        return NULL;
    }
    written = write(fd, text, strlen(text)) == (ssize_t) strlen(text);
    close(fd);
    command = virtshOwn(sh, virtshFormat("%s %s", editor != NULL ? editor : VIRTSH_EDITOR, path));
    fflush(stdout);
    if (!written)
        virtshFail(sh, "cannot write '%s'", path);
    else if ((status = system(command)) != 0)
        virtshFail(sh, "'%s' ended with status %d", command,
                   WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    else if ((edited = virtshReadFile(sh, path)) != NULL && *edited != '\0'
             && edited[strlen(edited) - 1] == '\n')
        edited[strlen(edited) - 1] = '\0';      /* editors like to end files so */
    unlink(path);
    return edited;
}

/* The title or the description as it is, "" if there is none. NULL if it cannot be told. */
static char *
currentDesc(struct virtsh *sh, virDomainPtr dom, int type)
{
    char *text = virtshOwn(sh, virDomainGetMetadata(dom, type, NULL, virtshFlags(sh)));

    if (text == NULL && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA) {
        virtshForgetError(sh);
        text = virtshOwn(sh, virtshCopy(""));
    }
    return text;
}

/* The output ends without a newline of its own: the shell adds one, -q does not. */
static bool
cmdDesc(struct virtsh *sh)
{
    const char *what = virtshHas(sh, "title") ? "title" : "description";
    int type = virtshHas(sh, "title") ? VIR_DOMAIN_METADATA_TITLE : VIR_DOMAIN_METADATA_DESCRIPTION;
    char *text = joinWords(sh, "new-desc"), *current;
    virDomainPtr dom;

    if (!virtshExclusive(sh, "current", "live") || !virtshExclusive(sh, "current", "config")
        || (dom = virtshDomain(sh)) == NULL)
        return false;
    if (text == NULL || virtshHas(sh, "edit")) {
        if ((current = currentDesc(sh, dom, type)) == NULL)
            return false;
        if (!virtshHas(sh, "edit")) {
            if (*current != '\0')
                virtshPrint(sh, "%s", current);
            else
                virtshRemark(sh, "No %s for domain: %s", what, virDomainGetName(dom));
            return true;
        }
        if ((text = editText(sh, text != NULL ? text : current)) == NULL)
            return false;
        if (strcmp(text, current) == 0) {
            virtshRemark(sh, "Domain %s not changed\n", what);
            return true;
        }
    }
    if (virDomainSetMetadata(dom, type, text, NULL, NULL, virtshFlags(sh)) < 0)
        return virtshFail(sh, "Failed to set new domain %s", what);
    virtshRemark(sh, "Domain %s updated successfully", what);
    return true;
}

static const struct virtshOption descOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    AFFECT_OPTIONS("modify/get"),
    { .name = "title", VIRTSH_FLAG, "modify/get the title instead of description" },
    { .name = "edit", VIRTSH_FLAG, "open an editor to modify the description" },
    { .name = "new-desc", VIRTSH_WORDS, "message", .emptyAllowed = true },
    VIRTSH_END,
};

static bool
cmdMetadata(struct virtsh *sh)
{
    const char *uri = virtshString(sh, "uri"), *key = virtshString(sh, "key");
    const char *set = virtshString(sh, "set");
    bool remove = virtshHas(sh, "remove"), edit = virtshHas(sh, "edit");
    virDomainPtr dom;
    char *text = NULL;

    if (!virtshExclusive(sh, "current", "live") || !virtshExclusive(sh, "current", "config")
        || !virtshExclusive(sh, "edit", "set") || !virtshExclusive(sh, "remove", "set")
        || !virtshExclusive(sh, "remove", "edit") || (dom = virtshDomain(sh)) == NULL)
        return false;
    if ((set != NULL || edit) && key == NULL)
        return virtshFail(sh, "namespace key is required when modifying metadata");
    if (set == NULL && !remove) {
        text = virtshOwn(sh, virDomainGetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, uri,
                                                  virtshFlags(sh)));
        if (!edit) {
            if (text != NULL)
                virtshPrint(sh, "%s\n", text);
            return text != NULL;
        }
        if ((set = editText(sh, text != NULL ? text : "\n")) == NULL)
            return false;
        if (text != NULL && strcmp(text, set) == 0) {
            virtshRemark(sh, "Metadata not changed\n");
            return true;
        }
    }
    if (virDomainSetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, set, key, uri, virtshFlags(sh)) < 0)
        return false;
    virtshRemark(sh, remove ? "Metadata removed\n" : "Metadata modified\n");
    return true;
}

static const struct virtshOption metadataOptions[] = {
    VIRTSH_DOMAIN_OPTION(0),
    { .name = "uri", VIRTSH_STRING, "URI of the namespace", .required = true },
    AFFECT_OPTIONS("modify/get"),
    { .name = "edit", VIRTSH_FLAG, "use an editor to change the metadata" },
    { .name = "key", VIRTSH_STRING, "key to be used as a namespace identifier" },
    { .name = "set", VIRTSH_STRING, "new metadata to set" },
    { .name = "remove", VIRTSH_FLAG, "remove the metadata corresponding to an uri" },
    VIRTSH_END,
};

const struct virtshCommand virtshDomainCommands[] = {
    { .name = "autostart", "autostart a domain",
      "Configure a domain to be automatically started at boot.", autostartOptions, cmdAutostart },
    { .name = "console", "connect to the guest console", "Connect the virtual serial console for the guest",
      consoleOptions, cmdConsole },
    { .name = "create", "create a domain from an XML file",
      "Create a domain.", createOptions, cmdCreate },
    { .name = "define", "define (but don't start) a domain from an XML file", "Define a domain.",
      defineOptions, cmdDefine },
    { .name = "desc", "show or set domain's description or title",
      "Allows setting or modifying the description or title of a domain.", descOptions, cmdDesc },
    { .name = "destroy", "destroy (stop) a domain",
      "Forcefully stop a given domain, but leave its resources intact.", destroyOptions,
      cmdDestroy },
    { .name = "domid", "convert a domain name or UUID to domain id", NULL, domidOptions, cmdDomid },
    { .name = "domname", "convert a domain id or UUID to domain name",
      NULL, domnameOptions, cmdDomname },
    { .name = "domrename", "rename a domain", "Rename an inactive domain.", domrenameOptions,
      cmdDomrename },
    { .name = "domuuid", "convert a domain name or id to domain UUID",
      NULL, domuuidOptions, cmdDomuuid },
    { .name = "dumpxml", "domain information in XML",
      "Output the domain information as an XML dump to stdout.", dumpxmlOptions, cmdDumpxml },
    { .name = "ignored", "parts of the XML without effect",
      "Lists the parts of a domain's XML that have no effect with this driver.", ignoredOptions,
      cmdIgnored },
    { .name = "metadata", "show or set domain's custom XML metadata",
      "Shows or modifies the XML metadata of a domain.", metadataOptions, cmdMetadata },
    { .name = "reboot", "reboot a domain",
      "Run a reboot command in the target domain.", shutdownOptions,
      cmdReboot },
    { .name = "reset", "reset a domain",
      "Reset the target domain as if by power button", activeDomain,
      cmdReset },
    { .name = "resume", "resume a domain", "Resume a previously suspended domain.", pausedDomain,
      cmdResume },
    { .name = "screenshot", "take a screenshot of a current domain console and store it into a file",
      "screenshot of a current domain console", screenshotOptions, cmdScreenshot },
    { .name = "shutdown", "gracefully shutdown a domain", "Run shutdown in the target domain.",
      shutdownOptions, cmdShutdown },
    { .name = "start", "start a (previously defined) inactive domain",
      "Start a domain, either from the last managedsave\n"
      "    state, or via a fresh boot if no managedsave state\n    is present.",
      startOptions, cmdStart },
    { .name = "suspend", "suspend a domain",
      "Suspend a running domain.", activeDomain, cmdSuspend },
    { .name = "undefine", "undefine a domain",
      "Undefine an inactive domain, or convert persistent to transient.", undefineOptions,
      cmdUndefine },
    VIRTSH_END,
};
