/*
 * VIR_MIGRATE_ZEROCOPY: the source's kernel sends the guest's pages from where they are. For that the pages are locked in memory while they are on their
 * way, and unless QEMU has CAP_IPC_LOCK it may lock only so much: its limit is raised to the guest's memory for as long as it migrates. (At the end of
 * each round QEMU waits for all that is on its way, so no page counts twice.) What it takes besides is asked for: the kernel by a socket, QEMU by its
 * capabilities (migration_parameters.c).
 */
#include "migration.h"

#include "../common/problems.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/* What the guest's QEMU has to be allowed to lock, in bytes. */
static unsigned long long
qemuZeroCopyNeed(struct virDomainObj *vm)
{
    return atomic_load(&vm->maxMemory) * 1024;
}

static pid_t
qemuZeroCopyPid(struct virDomainObj *vm)
{
    return qemuDomainPeek(vm) != NULL ? atomic_load(&qemuDomainPeek(vm)->pid) : 0;
}

/* Whether its limit is none. */
static bool
qemuZeroCopyMayLock(pid_t pid)
{
    VIRT_CLEANUP_FREE char *path = virStringFormat("/proc/%d/status", (int)pid), *text = NULL;
    const char *line;
    size_t length;

    if (path == NULL || (text = virFileRead(path, 65536, &length)) == NULL) {
        virResetLastError();
        return false;
    }
    line = strstr(text, "\nCapEff:");
    return line != NULL && (strtoull(line + 8, NULL, 16) & (1ULL << CAP_IPC_LOCK)) != 0;
}

/* Whether this process may raise another's limits beyond what they are. */
static bool
qemuZeroCopyMayRaise(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];

    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1u << CAP_SYS_RESOURCE)) != 0;
}

static int
qemuZeroCopyReport(struct virDomainObj *vm, unsigned long long may)
{
    return virReportError(VIR_ERR_OPERATION_DENIED, "VIR_MIGRATE_ZEROCOPY: the QEMU of domain '%s' may lock %llu KiB of memory and needs %llu "
                          "(RLIMIT_MEMLOCK), which this process may not give it (CAP_SYS_RESOURCE)", vm->name, may / 1024,
                          qemuZeroCopyNeed(vm) / 1024);
}

/* The kernel is asked by a socket of the kind that QEMU will use. */
static int
qemuZeroCopyCheckKernel(void)
{
    VIRT_CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    if (fd < 0)
        return virReportSystemError(errno, "VIR_MIGRATE_ZEROCOPY: no socket");
#ifdef SO_ZEROCOPY
    if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) == 0)
        return 0;
#else
    (void)on;
    errno = ENOPROTOOPT;
#endif
    return virReportSystemError(errno, "VIR_MIGRATE_ZEROCOPY: the source's kernel does not send without copying (SO_ZEROCOPY)");
}

static int
qemuZeroCopyCheckLimit(struct virDomainObj *vm)
{
    const pid_t pid = qemuZeroCopyPid(vm);
    struct rlimit limit;

    if (pid <= 0 || qemuZeroCopyMayLock(pid))
        return 0;                     /* that it does not run is said elsewhere */
    if (prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit) < 0)
        return virReportSystemError(errno, "VIR_MIGRATE_ZEROCOPY: domain '%s': the limits of its QEMU cannot be read", vm->name);
    return limit.rlim_max >= qemuZeroCopyNeed(vm) || qemuZeroCopyMayRaise() ? 0 : qemuZeroCopyReport(vm, limit.rlim_max);
}

VIRT_INTERNAL int
qemuZeroCopyCheck(const struct qemuMigration *m, struct virProblems *problems)
{
    if (m->incoming || (m->flags & VIR_MIGRATE_ZEROCOPY) == 0)
        return 0;
    if (qemuZeroCopyCheckKernel() < 0 && virProblemsNote(problems) < 0)
        return -1;
    return m->vm != NULL && qemuZeroCopyCheckLimit(m->vm) < 0 ? virProblemsNote(problems) : 0;
}

VIRT_INTERNAL int
qemuZeroCopyRaise(struct qemuMigration *m)
{
    const unsigned long long need = qemuZeroCopyNeed(m->vm);
    const pid_t pid = qemuZeroCopyPid(m->vm);
    struct qemuDomain *priv = qemuDomainPeek(m->vm);
    struct rlimit limit, more;

    if ((m->flags & VIR_MIGRATE_ZEROCOPY) == 0 || pid <= 0 || qemuZeroCopyMayLock(pid))
        return 0;
    if (prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit) < 0)
        return virReportSystemError(errno, "VIR_MIGRATE_ZEROCOPY: domain '%s': the limits of its QEMU cannot be read", m->vm->name);
    if (limit.rlim_cur >= need)
        return 0;
    more = (struct rlimit){ .rlim_cur = need, .rlim_max = limit.rlim_max >= need ? limit.rlim_max : need };
    if (prlimit(pid, RLIMIT_MEMLOCK, &more, NULL) < 0)
        return qemuZeroCopyReport(m->vm, limit.rlim_max);
    atomic_store(&priv->lockedSoft, limit.rlim_cur);
    atomic_store(&priv->lockedHard, limit.rlim_max);
    return 0;
}

/* Where another process has raised it, the limits of this one are what QEMU would have. */
VIRT_INTERNAL void
qemuZeroCopyForget(const struct qemuMigration *m)
{
    struct qemuDomain *priv = m->vm != NULL ? qemuDomainPeek(m->vm) : NULL;
    struct rlimit limit;

    if ((m->flags & VIR_MIGRATE_ZEROCOPY) == 0 || m->incoming || atomic_load(&m->stage) != QEMU_STAGE_STAYED || priv == NULL || !m->sent
        || atomic_load(&m->ended) || atomic_load(&priv->pid) <= 0 || qemuZeroCopyMayLock(atomic_load(&priv->pid)))
        return;
    limit.rlim_cur = (rlim_t)atomic_load(&priv->lockedSoft);
    limit.rlim_max = (rlim_t)atomic_load(&priv->lockedHard);
    if (limit.rlim_max == 0 && getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return;
    if (prlimit(atomic_load(&priv->pid), RLIMIT_MEMLOCK, &limit, NULL) < 0)
        virLog(VIR_LOG_WARN, "qemu.migration", "domain '%s': what its QEMU may lock stays raised: errno %d", m->name, errno);
    atomic_store(&priv->lockedHard, 0);
}

#undef VIRT_FROM
