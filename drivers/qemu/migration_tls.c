/*
 * A migration that is encrypted: VIR_MIGRATE_TLS. QEMU speaks TLS itself; it is given the host's certificates as an object, and migration parameters
 * that name it, before the transfer, and both are taken back when the migration is over, however it ends. In post-copy that is when the last page
 * has come: an interrupted one goes on with the same certificates.
 *
 * The certificates are where libvirt has them, under the same names: ca-cert.pem, server-cert.pem and server-key.pem at the destination,
 * client-cert.pem and client-key.pem at the source. A URI may name another folder: tls-certs=DIR. The source always checks the destination's
 * certificate and its host name; the destination asks the source for one as well, unless its URI says tls-verify=no.
 */
#include "migration.h"

#include "../common/host.h"
#include "../common/json.h"
#include "../common/problems.h"

#include <errno.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

#define QEMU_TLS_OBJECT "virt-migrate-tls"

/* ---------- the certificates ---------- */

VIRT_INTERNAL int
qemuTlsConfigure(struct qemuHost *host, const char *certificates, const char *verify)
{
    char *copy = NULL;

    if (certificates != NULL && *certificates != '/')
        return virReportError(VIR_ERR_INVALID_ARG, "tls-certs is an absolute path, not '%s'", certificates);
    if (verify != NULL && strcmp(verify, "yes") != 0 && strcmp(verify, "no") != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "tls-verify is 'yes' or 'no', not '%s'", verify);
    if (host == NULL)
        return 0;
    if (verify != NULL)
        atomic_store(&host->tlsAnybody, strcmp(verify, "no") == 0);
    if (certificates == NULL)
        return 0;
    if ((copy = virStringCopy(certificates)) == NULL)
        return -1;
    pthread_mutex_lock(&host->lock);
    free(host->tlsCertificates);
    host->tlsCertificates = copy;
    pthread_mutex_unlock(&host->lock);
    return 0;
}

/* The folder: what the URI says, or that of migrations alone, or that of everything. The caller frees it; NULL with the error set. */
static char *
qemuTlsFolder(struct qemuHost *host)
{
    char *folder = NULL;
    bool given;

    pthread_mutex_lock(&host->lock);
    if ((given = host->tlsCertificates != NULL))
        folder = virStringCopy(host->tlsCertificates);
    pthread_mutex_unlock(&host->lock);
    if (given)
        return folder;
    if ((folder = virStringFormat("%s/etc/pki/qemu", host->root)) == NULL || access(folder, F_OK) == 0)
        return folder;
    free(folder);
    return virStringCopy(access("/etc/pki/libvirt-migrate", F_OK) == 0 ? "/etc/pki/libvirt-migrate" : "/etc/pki/qemu");
}

/* One file that QEMU will want. 0, or -1 unless the problem could be noted. */
static int
qemuTlsCheckFile(const char *folder, const char *file, bool incoming, struct virProblems *problems)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/%s", folder, file), *hostname = NULL;

    if (path == NULL)
        return -1;
    if (access(path, R_OK) == 0)
        return 0;
    hostname = virHostGetHostname();
    virReportSystemError(errno, "VIR_MIGRATE_TLS: the %s ('%s') cannot read '%s'", incoming ? "destination" : "source",
                         hostname != NULL ? hostname : "", path);
    return virProblemsNote(problems);
}

VIRT_INTERNAL int
qemuTlsCheck(const struct qemuMigration *m, const struct qemuCapabilities *caps, struct virProblems *problems)
{
    static const char *const files[2][3] = { { "ca-cert.pem", "client-cert.pem", "client-key.pem" },
                                             { "ca-cert.pem", "server-cert.pem", "server-key.pem" } };
    VIRT_CLEANUP_FREE char *folder = NULL;
    /* who lets anybody in has no certificates for those who come from here either */
    const size_t n = !m->incoming && atomic_load(&m->host->tlsAnybody) ? 1 : 3;

    if ((m->flags & VIR_MIGRATE_TLS) == 0)
        return 0;
    if (!qemuCapabilitiesHasDevice(caps, "tls-creds-x509")) {
        virReportError(VIR_ERR_OPERATION_UNSUPPORTED, "VIR_MIGRATE_TLS: the emulator '%s' of the %s was built without TLS",
                       qemuCapabilitiesEmulator(caps), m->incoming ? "destination" : "source");
        return virProblemsNote(problems);
    }
    if ((folder = qemuTlsFolder(m->host)) == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (qemuTlsCheckFile(folder, files[m->incoming][i], m->incoming, problems) < 0)
            return -1;
    return 0;
}

VIRT_INTERNAL int
qemuTlsCheckCall(const struct virMigrationCall *call)
{
    const char *uri = qemuMigrationParam(call, VIR_MIGRATE_PARAM_URI), *name = qemuMigrationParam(call, VIR_MIGRATE_PARAM_TLS_DESTINATION);
    const bool local = call->stream >= 0 || (uri != NULL && strncmp(uri, "unix:", 5) == 0);

    if ((call->flags & VIR_MIGRATE_TLS) == 0)
        return 0;
    if ((call->flags & VIR_MIGRATE_OFFLINE) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "an offline migration moves no memory: there is nothing that VIR_MIGRATE_TLS could encrypt");
    if (name != NULL && *name == '\0')
        return virReportError(VIR_ERR_INVALID_ARG, "migration parameter '%s' is empty", VIR_MIGRATE_PARAM_TLS_DESTINATION);
    if (local && name == NULL)
        return virReportError(VIR_ERR_INVALID_ARG, "VIR_MIGRATE_TLS over %s says nothing of the host whose certificate is expected: it needs '%s'",
                              call->stream >= 0 ? "a stream" : "a Unix socket", VIR_MIGRATE_PARAM_TLS_DESTINATION);
    return 0;
}

/* ---------- QEMU's object ---------- */

/* Object and parameters are taken back, without waiting; what is not there is no matter. */
static void
qemuTlsPostRemoval(struct qemuMonitor *mon)
{
    if (qemuMonitorPost(mon, "migrate-set-parameters", virJsonObject("s:tls-creds", "", "s:tls-hostname", "", NULL)) < 0
        || qemuMonitorPost(mon, "object-del", virJsonObject("s:id", QEMU_TLS_OBJECT, NULL)) < 0)
        virResetLastError();          /* it has ended, and the object with it */
}

VIRT_INTERNAL int
qemuTlsSendObject(struct qemuMigration *m, struct qemuMonitor *mon)
{
    VIRT_CLEANUP_FREE char *folder = NULL;

    if ((m->flags & VIR_MIGRATE_TLS) == 0)
        return 0;
    if ((folder = qemuTlsFolder(m->host)) == NULL)
        return -1;
    atomic_store(&qemuDomainPeek(m->vm)->migrationTls, true);
    qemuTlsPostRemoval(mon);          /* of one that was left by somebody who could not */
    return qemuMigrationSend(m, mon, "object-add",
                             virJsonObject("s:qom-type", "tls-creds-x509", "s:id", QEMU_TLS_OBJECT, "s:dir", folder,
                                           "s:endpoint", m->incoming ? "server" : "client",
                                           "b:verify-peer", !m->incoming || !atomic_load(&m->host->tlsAnybody), NULL));
}

VIRT_INTERNAL const char *
qemuTlsObject(const struct qemuMigration *m)
{
    return (m->flags & VIR_MIGRATE_TLS) != 0 ? QEMU_TLS_OBJECT : "";
}

VIRT_INTERNAL int
qemuTlsSendHostname(struct qemuMigration *m, struct qemuMonitor *mon, const struct virMigrationCall *call, const char *uri)
{
    const char *name = qemuMigrationParam(call, VIR_MIGRATE_PARAM_TLS_DESTINATION);
    VIRT_CLEANUP_FREE char *own = NULL;

    if ((m->flags & VIR_MIGRATE_TLS) == 0)
        return 0;
    /* a Unix socket leads to this host; of an address QEMU takes the host out of the URI */
    if (name == NULL && strncmp(uri, "unix:", 5) == 0 && (name = own = virHostGetHostname()) == NULL)
        return -1;
    return qemuMigrationSend(m, mon, "migrate-set-parameters", virJsonObject("s:tls-hostname", name != NULL ? name : "", NULL));
}

VIRT_INTERNAL const char *
qemuTlsHint(const struct qemuMigration *m)
{
    if ((m->flags & VIR_MIGRATE_TLS) == 0 || m->why == NULL || strstr(m->why, "TLS channel") == NULL)
        return "";
    return " (the destination ended the connection: it may not accept this host's client certificate, see the guest's log there)";
}

/* ---------- its end ---------- */

VIRT_INTERNAL void
qemuTlsForgetGuest(struct virDomainObj *vm)
{
    struct qemuDomain *priv = qemuDomainPeek(vm);
    struct qemuMonitor *mon = NULL;

    if (!atomic_exchange(&priv->migrationTls, false))
        return;
    pthread_mutex_lock(&priv->lock);
    if (priv->monitor != NULL)
        mon = qemuMonitorRef(priv->monitor);
    pthread_mutex_unlock(&priv->lock);
    if (mon != NULL)
        qemuTlsPostRemoval(mon);
    qemuMonitorUnref(mon);
}

VIRT_INTERNAL void
qemuTlsForget(const struct qemuMigration *m)
{
    const int stage = atomic_load(&m->stage);

    if ((m->flags & VIR_MIGRATE_TLS) == 0 || (stage != QEMU_STAGE_STAYED && stage != QEMU_STAGE_STARTED) || m->vm == NULL
        || qemuDomainPeek(m->vm) == NULL || atomic_load(&m->ended))
        return;
    atomic_store(&qemuDomainPeek(m->vm)->migrationTls, true);    /* also if another process has told QEMU */
    if (!qemuPostcopyIsIncomplete(m->vm))
        qemuTlsForgetGuest(m->vm);    /* else its last page does it */
}

VIRT_INTERNAL void
qemuTlsSettle(const struct qemuMigration *m)
{
    struct qemuMigration found = { .host = m->host, .flags = m->flags };
    unsigned char uuid[VIR_UUID_BUFLEN];
    struct qemuMonitor *mon;

    if ((m->flags & VIR_MIGRATE_TLS) == 0 || virUuidParse(m->guest, uuid) < 0
        || (found.vm = virDomainListFindUuid(m->host->domains, uuid)) == NULL)
        return;
    atomic_init(&found.stage, atomic_load(&m->stage));
    if (found.vm->id >= 0 && found.vm->id == m->id && (mon = qemuDomainMonitor(found.vm)) != NULL) {
        qemuTlsForget(&found);
        qemuMonitorUnref(mon);
    }
    virResetLastError();
    virDomainObjUnref(found.vm);
}

#undef QEMU_TLS_OBJECT
#undef VIRT_FROM
