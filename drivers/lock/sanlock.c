/*
 * The lock manager "sanlock": leases on storage that hosts share, kept by the sanlock daemon of each.
 *
 *   sanlock:PATH[?host_id=N]
 *
 *   PATH/virt.lockspace   the lockspace, in which each host has a number of its own; made where it is missing
 *   PATH/KEY              a resource lease, held by whoever changes the state, which is the last sector of the file
 *   PATH/KEY.OWNER        a resource lease, held as long as the owner sits
 *
 * PATH is a directory of a shared file system, or a device (or a file), which somebody has made ready:
 *
 *   sanlock client init -s NAME:0:PATH:0      the lockspace, in the first MiB
 *   sanlock client format -x NAME:PATH:1M     sanlock's own index of what follows, by which a resource is found there
 *
 * Each resource takes a MiB (up to 8 with sectors of 4096 bytes, which only a device has): one for a guest, one for each host that ever
 * runs it, one for each <lease> and disk. They stay.
 *
 * A host is in the lockspace by the number that the administrator gave it (sanlock client add_lockspace), or joins by host_id, which
 * takes sanlock about half a minute, when the first lease is dealt with. Hosts are owners that share one number if they are on one machine.
 *
 * A seat is lost when this host cannot renew its own lease on the storage. Then the daemon sees to it, by its watchdog, that nothing runs
 * by it before others may have it; see sanlock_keeper.c. How long that takes is up to its configuration: 140 s as Debian has it. A host
 * whose daemon runs without a watchdog (-w 0) fences nobody that does not obey.
 *
 * The daemon opens the files: a directory must let it do so. They get the directory's owner and group.
 */
#include "sanlock.h"

#if VIRT_WITH_SANLOCK

#include "../common/file.h"
#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sanlock_admin.h>
#include <sanlock_rv.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_LOCKING

#define VIRT_SANLOCK_LOCKSPACE "virt.lockspace"
#define VIRT_SANLOCK_HOSTS     2000        /* the highest number a host may have */
#define VIRT_SANLOCK_WAIT      60000       /* ms for an answer: what the daemon reads and writes may be slow */
#define VIRT_SANLOCK_PLAIN     36          /* bytes of a key that is part of a name as it is: a uuid's */

struct virSanlock {
    char *path;
    bool directory;
    unsigned long long hostId;             /* to join by; 0: none was given */
    pthread_mutex_t lock;                  /* protects what follows, and is held while the lockspace is made or joined */
    char name[SANLK_NAME_LEN + 1];         /* of the lockspace; "": not known yet */
    uint32_t flags;                        /* its sizes: SANLK_LSF_, SANLK_RES_ and SANLK_RIF_ are the same */
};

/* ---------- the daemon ---------- */

/* libsanlock_client writes to sockets whose other end may be gone: the application must not hear of it. */
struct virSanlockQuiet { sigset_t before; bool pending; };

static void
virSanlockBegin(struct virSanlockQuiet *quiet)
{
    sigset_t pipe, pending;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    quiet->pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &quiet->before);
}

static void
virSanlockEnd(struct virSanlockQuiet *quiet)
{
    const struct timespec now = { 0, 0 };
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (!quiet->pending)
        while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

/* What a call of the daemon gave: `what` is what it was for. -1. */
static int
virSanlockFailed(const struct virLock *lock, const char *what, int rc)
{
    char text[200];

    if (rc > -200)
        virPlatformErrorText(-rc, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%s", sanlock_strerror(rc));
    return virReportError(VIR_ERR_OPERATION_FAILED, "lock manager '%s': sanlock cannot %s: %s (%d)", lock->place, what, text, rc);
}

static unsigned long long
virSanlockAlign(uint32_t flags)
{
    return ((flags & SANLK_RES_ALIGN2M) != 0 ? 2ULL : (flags & SANLK_RES_ALIGN4M) != 0 ? 4ULL : (flags & SANLK_RES_ALIGN8M) != 0 ? 8ULL : 1ULL) << 20;
}

/* ---------- the lockspace ---------- */

static char *
virSanlockLockspacePath(const struct virSanlock *san)
{
    return san->directory ? virStringFormat("%s/" VIRT_SANLOCK_LOCKSPACE, san->path) : virStringCopy(san->path);
}

static int
virSanlockSetPath(const struct virLock *lock, struct sanlk_disk *disk, const char *path)
{
    if (strlen(path) >= sizeof(disk->path))
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager '%s': '%s' is too long for sanlock", lock->place, path);
    strcpy(disk->path, path);
    return 0;
}

/* A file of one MiB in the directory, under a name of its own for now, that the daemon may open. *path is to be freed. */
static int
virSanlockMakeFile(struct virLock *lock, const char *name, char **path)
{
    const struct virSanlock *san = lock->priv;
    VIRT_CLEANUP_FREE char *made = NULL;
    VIRT_CLEANUP_CLOSE int fd = -1;
    struct stat info;
    uint64_t number;

    if (virPlatformRandom(&number, sizeof(number)) < 0)
        return virReportSystemError(errno, "cannot get random bytes");
    if ((made = virStringFormat("%s/.%s.%016llx", san->path, name, (unsigned long long)number)) == NULL)
        return -1;
    if ((fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660)) < 0)
        return virReportSystemError(errno, "lock manager '%s': cannot make '%s'", lock->place, made);
    if (stat(san->path, &info) < 0 || fchmod(fd, 0660) < 0 || ftruncate(fd, 1 << 20) < 0
        || (fchown(fd, info.st_uid, info.st_gid) < 0 && errno != EPERM)) {
        virReportSystemError(errno, "lock manager '%s': cannot make '%s'", lock->place, made);
        unlink(made);
        return -1;
    }
    *path = made;
    made = NULL;
    return 0;
}

/* Gives the file its name, unless somebody else was faster, whose it is then; durably. */
static int
virSanlockPlaceFile(struct virLock *lock, const char *made, const char *path)
{
    const struct virSanlock *san = lock->priv;
    VIRT_CLEANUP_CLOSE int folder = open(san->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0 || (link(made, path) < 0 && errno != EEXIST) || fsync(folder) < 0)
        return virReportSystemError(errno, "lock manager '%s': cannot make '%s'", lock->place, path);
    return 0;
}

/* Its name must be one that no other directory's has on this host. */
static int
virSanlockMakeLockspace(struct virLock *lock, const char *path)
{
    VIRT_CLEANUP_FREE char *made = NULL;
    struct sanlk_lockspace space = { .flags = SANLK_LSF_ALIGN1M | SANLK_LSF_SECTOR512 };
    uint64_t number;
    int rc = -1, written;

    if (virPlatformRandom(&number, sizeof(number)) < 0)
        return virReportSystemError(errno, "cannot get random bytes");
    if (virSanlockMakeFile(lock, VIRT_SANLOCK_LOCKSPACE, &made) < 0)
        return -1;
    snprintf(space.name, sizeof(space.name), "virt-%016llx", (unsigned long long)number);
    if (virSanlockSetPath(lock, &space.host_id_disk, made) == 0) {
        if ((written = sanlock_write_lockspace(&space, 0, 0, 0)) < 0)
            virSanlockFailed(lock, "make a lockspace", written);
        else
            rc = virSanlockPlaceFile(lock, made, path);
    }
    unlink(made);
    return rc;
}

/* Its name and sizes, as the storage has them; with san->lock held. */
static int
virSanlockReadLockspace(struct virLock *lock, const char *path)
{
    struct virSanlock *san = lock->priv;
    struct sanlk_lockspace space = { .flags = 0 };
    uint32_t timeout;
    int rc;

    if (san->directory && access(path, F_OK) < 0 && errno == ENOENT && virSanlockMakeLockspace(lock, path) < 0)
        return -1;
    if (virSanlockSetPath(lock, &space.host_id_disk, path) < 0)
        return -1;
    if ((rc = sanlock_read_lockspace(&space, 0, &timeout)) < 0)
        return virSanlockFailed(lock, "read the lockspace there", rc);
    memcpy(san->name, space.name, SANLK_NAME_LEN);
    san->flags = space.flags & (SANLK_LSF_ALIGN1M | SANLK_LSF_ALIGN2M | SANLK_LSF_ALIGN4M | SANLK_LSF_ALIGN8M | SANLK_LSF_SECTOR512
                                | SANLK_LSF_SECTOR4K);
    return 0;
}

/* The number of this host in the lockspace; 0: it is not in it; -1. */
static long long
virSanlockHostId(struct virLock *lock)
{
    const struct virSanlock *san = lock->priv;
    struct sanlk_lockspace *spaces = NULL;
    long long id = 0;
    int count = 0, rc;

    if ((rc = sanlock_get_lockspaces(&spaces, &count, 0)) < 0)
        return virSanlockFailed(lock, "say in which lockspaces this host is", rc);
    for (int i = 0; i < count && spaces != NULL; i++)
        if (strncmp(spaces[i].name, san->name, SANLK_NAME_LEN) == 0 && (spaces[i].flags & (SANLK_LSF_ADD | SANLK_LSF_REM)) == 0)
            id = (long long)spaces[i].host_id;
    free(spaces);
    return id;
}

/* With san->lock held. */
static int
virSanlockJoinNow(struct virLock *lock)
{
    struct virSanlock *san = lock->priv;
    VIRT_CLEANUP_FREE char *path = virSanlockLockspacePath(san);
    struct sanlk_lockspace space = { .host_id = san->hostId };
    long long id;
    int rc;

    if (path == NULL || (san->name[0] == '\0' && virSanlockReadLockspace(lock, path) < 0) || (id = virSanlockHostId(lock)) < 0)
        return -1;
    if (id > 0 && san->hostId != 0 && (unsigned long long)id != san->hostId)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "lock manager '%s': this host is number %lld in the lockspace '%s', not %llu", lock->place, id,
                              san->name, san->hostId);
    if (id > 0)
        return 0;
    if (san->hostId == 0)
        return virReportError(VIR_ERR_OPERATION_INVALID, "lock manager '%s': this host is not in the lockspace: give it a number, by '?host_id=N' or by "
                              "'sanlock client add_lockspace -s %s:N:%s:0'", lock->place, san->name, path);
    memcpy(space.name, san->name, SANLK_NAME_LEN);
    if (virSanlockSetPath(lock, &space.host_id_disk, path) < 0)
        return -1;
    if ((rc = sanlock_add_lockspace(&space, 0)) == -EINPROGRESS)         /* by another process */
        rc = sanlock_inq_lockspace(&space, SANLK_INQ_WAIT);
    return rc >= 0 || rc == -EEXIST ? 0 : virSanlockFailed(lock, "join the lockspace", rc);
}

static int
virSanlockJoin(struct virLock *lock)
{
    struct virSanlock *san = lock->priv;
    struct virSanlockQuiet quiet;
    int rc;

    virSanlockBegin(&quiet);
    pthread_mutex_lock(&san->lock);
    rc = virSanlockJoinNow(lock);
    pthread_mutex_unlock(&san->lock);
    virSanlockEnd(&quiet);
    return rc;
}

/* ---------- resources ---------- */

static bool
virSanlockIsPlain(const char *key)
{
    return strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(key) && strlen(key) <= VIRT_SANLOCK_PLAIN;
}

/* sanlock has room for 48 bytes: other keys, and owners, are there as a number made of the whole. */
static void
virSanlockName(const char *key, const char *owner, char name[SANLK_NAME_LEN])
{
    char base[VIRT_SANLOCK_PLAIN + 1], seat[12] = "";

    if (virSanlockIsPlain(key))
        snprintf(base, sizeof(base), "%s", key);
    else
        snprintf(base, sizeof(base), "%016llx.", virStringHash(key));
    if (owner != NULL)
        snprintf(seat, sizeof(seat), ".%010llx", virStringHash(owner) & 0xffffffffffULL);
    snprintf(name, SANLK_NAME_LEN, "%s%s", base, seat);
}

static int
virSanlockMakeResource(struct virLock *lock, const struct virSanlockResource *where)
{
    struct virSanlockResource temporary = *where;
    VIRT_CLEANUP_FREE char *made = NULL;
    int rc = -1, written;

    if (virSanlockMakeFile(lock, where->resource.name, &made) < 0)
        return -1;
    if (virSanlockSetPath(lock, &temporary.disk, made) == 0) {
        if ((written = sanlock_write_resource(&temporary.resource, 0, 0, 0)) < 0)
            virSanlockFailed(lock, "make a resource", written);
        else
            rc = virSanlockPlaceFile(lock, made, where->disk.path);
    }
    unlink(made);
    return rc;
}

static int
virSanlockLocateFile(struct virLock *lock, struct virSanlockResource *where, bool make)
{
    const struct virSanlock *san = lock->priv;
    VIRT_CLEANUP_FREE char *path = virStringFormat("%s/%s", san->path, where->resource.name);

    if (path == NULL || virSanlockSetPath(lock, &where->disk, path) < 0)
        return -1;
    if (access(path, F_OK) == 0)
        return 1;
    if (errno != ENOENT || access(san->path, F_OK) < 0)
        return virReportSystemError(errno, "cannot read the leases in '%s'", san->path);
    if (!make)
        return 0;
    return virSanlockMakeResource(lock, where) == 0 ? 1 : -1;
}

static int
virSanlockLocateIndexed(struct virLock *lock, struct virSanlockResource *where, bool make)
{
    const struct virSanlock *san = lock->priv;
    struct sanlk_rindex index = { .flags = san->flags };
    struct sanlk_rentry entry = { .offset = 0 };
    int rc;

    memcpy(index.lockspace_name, san->name, SANLK_NAME_LEN);
    memcpy(entry.name, where->resource.name, SANLK_NAME_LEN);
    index.disk.offset = virSanlockAlign(san->flags);
    if (virSanlockSetPath(lock, &index.disk, san->path) < 0 || virSanlockSetPath(lock, &where->disk, san->path) < 0)
        return -1;
    rc = sanlock_lookup_rindex(&index, 0, &entry);
    if (rc == -ENOENT && !make)
        return 0;
    if (rc == -ENOENT && (rc = sanlock_create_resource(&index, 0, &entry, 0, 0)) == -EEXIST)
        rc = sanlock_lookup_rindex(&index, 0, &entry);                   /* somebody was faster */
    if (rc < 0)
        return virSanlockFailed(lock, "find a resource in its index", rc);
    where->disk.offset = entry.offset;
    return 1;
}

/* Where the state (owner NULL) or a seat is. 1; 0: there is none, and none was to be made; -1. With the lockspace known. */
static int
virSanlockLocate(struct virLock *lock, const char *key, const char *owner, bool make, struct virSanlockResource *where)
{
    const struct virSanlock *san = lock->priv;
    struct virSanlockQuiet quiet;
    int rc;

    memset(where, 0, sizeof(*where));
    memcpy(where->resource.lockspace_name, san->name, SANLK_NAME_LEN);
    virSanlockName(key, owner, where->resource.name);
    where->resource.flags = san->flags;
    where->resource.num_disks = 1;
    virSanlockBegin(&quiet);
    rc = san->directory ? virSanlockLocateFile(lock, where, make) : virSanlockLocateIndexed(lock, where, make);
    virSanlockEnd(&quiet);
    where->sector = (san->flags & SANLK_RES_SECTOR4K) != 0 ? 4096 : 512;
    where->state = where->disk.offset + virSanlockAlign(san->flags) - where->sector;
    return rc;
}

/* ---------- the state ---------- */

/* "virt 1 EPOCH\nHOLDER"; a state that was never written is all zeros. */
static void
virSanlockFormat(const struct virLockState *state, char text[VIRT_SANLOCK_TEXT])
{
    memset(text, 0, VIRT_SANLOCK_TEXT);
    if (state->epoch != 0 || state->holder[0] != '\0')
        snprintf(text, VIRT_SANLOCK_TEXT, "virt 1 %llu\n%s", state->epoch, state->holder);
}

static int
virSanlockParse(const struct virLock *lock, const char *key, const char text[VIRT_SANLOCK_TEXT], struct virLockState *state)
{
    static const char magic[] = "virt 1 ";
    VIRT_CLEANUP_FREE char *epoch = NULL;
    const char *line = strchr(text, '\n');

    memset(state, 0, sizeof(*state));
    if (text[0] == '\0')
        return 0;
    if (strncmp(text, magic, sizeof(magic) - 1) != 0 || line == NULL || strlen(line + 1) >= sizeof(state->holder))
        return virReportError(VIR_ERR_INTERNAL_ERROR, "lease '%s' in '%s' is damaged", key, lock->place);
    if ((epoch = virStringSlice(text + sizeof(magic) - 1, (size_t)(line - text) - (sizeof(magic) - 1))) == NULL)
        return -1;
    if (virStringToULL(epoch, 10, &state->epoch) < 0)
        return virReportError(VIR_ERR_INTERNAL_ERROR, "lease '%s' in '%s' is damaged", key, lock->place);
    strcpy(state->holder, line + 1);
    return 0;
}

/* One sector is read at once: it needs no lease. */
static int
virLockSanlockInquire(struct virLock *lock, const char *key, struct virLockState *state)
{
    char sector[VIRT_SANLOCK_SECTOR] __attribute__((aligned(VIRT_SANLOCK_SECTOR)));
    VIRT_CLEANUP_CLOSE int fd = -1;
    struct virSanlockResource where;
    ssize_t got;
    int rc;

    memset(state, 0, sizeof(*state));
    if (virSanlockJoin(lock) < 0 || (rc = virSanlockLocate(lock, key, NULL, false, &where)) < 0)
        return -1;
    if (rc == 0)
        return 0;
    if ((fd = open(where.disk.path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOCTTY)) < 0)
        return virReportSystemError(errno, "cannot open '%s'", where.disk.path);
    if ((got = pread(fd, sector, where.sector, (off_t)where.state)) != (ssize_t)where.sector)
        return virReportSystemError(got < 0 ? errno : EIO, "cannot read '%s'", where.disk.path);
    sector[VIRT_SANLOCK_TEXT - 1] = '\0';
    return virSanlockParse(lock, key, sector, state);
}

/* Takes in what the process says that has been made for the task. */
static int
virSanlockHearAnswer(struct virLock *lock, const struct virLockSeat *seat, struct virSanlockAnswer *answer)
{
    static const char *const stages[] = { "register a process", "acquire a lease", "open a lease", "read a lease", "write a lease" };
    struct pollfd ready = { .fd = seat->fd, .events = POLLIN };
    const unsigned long long end = virTimeNowUs() + VIRT_SANLOCK_WAIT * 1000ULL;
    int rc;

    do
        rc = poll(&ready, 1, VIRT_SANLOCK_WAIT);
    while (rc < 0 && errno == EINTR && virTimeNowUs() < end);
    if (rc == 0 || (rc < 0 && errno == EINTR))
        return virReportError(VIR_ERR_OPERATION_TIMEOUT, "lock manager '%s': sanlock has not answered in %d s", lock->place, VIRT_SANLOCK_WAIT / 1000);
    if (rc < 0 || recv(seat->fd, answer, sizeof(*answer), MSG_WAITALL) != (ssize_t)sizeof(*answer))
        return virReportError(VIR_ERR_OPERATION_FAILED, "lock manager '%s': the process that deals with a lease has ended", lock->place);
    if (answer->rc >= 0)
        return 0;
    return virSanlockFailed(lock, stages[answer->stage], answer->rc);
}

static int
virLockSanlockChange(struct virLock *lock, const char *key, struct virLockState *from, const struct virLockState *to)
{
    VIRT_CLEANUP_FREE struct virSanlockTask *task = virAllocate(sizeof(*task));
    struct virSanlockAnswer answer;
    struct virLockSeat seat;
    int rc;

    if (task == NULL || virSanlockJoin(lock) < 0 || virSanlockLocate(lock, key, NULL, true, &task->where) < 0)
        return -1;
    virSanlockFormat(from, task->from);
    virSanlockFormat(to, task->sector);
    if (virKeeperStart(virSanlockChange, task, sizeof(*task), VIRT_LOCK_IGNORE, &seat) < 0)
        return -1;
    rc = virSanlockHearAnswer(lock, &seat, &answer);
    close(seat.fd);
    if (rc < 0)
        return -1;
    return answer.rc > 0 ? 1 : virSanlockParse(lock, key, answer.text, from);
}

/* ---------- seats ---------- */

/* A host that has just joined does not know yet who else lives: it hears of them when it renews its own lease. */
static int
virSanlockHosts(const struct virSanlock *san, struct sanlk_host **hosts, int *count)
{
    const unsigned long long end = virTimeNowUs() + VIRT_SANLOCK_WAIT * 1000ULL;
    int rc;

    while ((rc = sanlock_get_hosts(san->name, 0, hosts, count, 0)) == -EAGAIN && virTimeNowUs() < end)
        poll(NULL, 0, 50);
    return rc;
}

/* Whether the owner's host lives, as in lock.h; *host is that one (host_id 0: not known). */
static int
virSanlockLook(struct virLock *lock, const char *key, const char *owner, struct sanlk_host *host)
{
    const struct virSanlock *san = lock->priv;
    struct sanlk_host *owners = NULL, *hosts = NULL;
    struct virSanlockResource where;
    struct virSanlockQuiet quiet;
    int count = 0, known = 0, rc;
    uint32_t lives = 0;

    *host = (struct sanlk_host){ .host_id = 0 };
    if (virSanlockJoin(lock) < 0 || (rc = virSanlockLocate(lock, key, owner, false, &where)) < 0)
        return -1;
    if (rc == 0)
        return 0;
    virSanlockBegin(&quiet);
    if ((rc = sanlock_read_resource_owners(&where.resource, 0, &owners, &count)) < 0)
        virSanlockFailed(lock, "say who has a lease", rc);
    else if (count > 0 && (rc = virSanlockHosts(san, &hosts, &known)) < 0)
        virSanlockFailed(lock, "say which hosts live", rc);
    else if (count > 0 && (rc = sanlock_test_resource_owners(&where.resource, 0, owners, count, hosts, known, &lives)) < 0)
        virSanlockFailed(lock, "say whether who has a lease lives", rc);
    virSanlockEnd(&quiet);
    for (int i = 0; rc >= 0 && count > 0 && i < known; i++)
        if (hosts[i].host_id == owners[0].host_id && hosts[i].generation == owners[0].generation)
            *host = hosts[i];
    free(owners);
    free(hosts);
    return rc < 0 ? -1 : (lives & SANLK_TRF_FAIL) != 0;
}

static int
virLockSanlockLives(struct virLock *lock, const char *key, const char *owner)
{
    struct sanlk_host host;

    return virSanlockLook(lock, key, owner, &host);
}

static int
virLockSanlockSit(struct virLock *lock, const char *key, enum virLockFailure failure, struct virLockSeat *seat)
{
    VIRT_CLEANUP_FREE struct virSanlockTask *task = virAllocate(sizeof(*task));
    struct virSanlockAnswer answer;

    if (task == NULL || virSanlockJoin(lock) < 0 || virSanlockLocate(lock, key, lock->owner, true, &task->where) < 0
        || virKeeperStart(virSanlockSit, task, sizeof(*task), failure, seat) < 0)
        return -1;
    answer.rc = 0;
    if (virSanlockHearAnswer(lock, seat, &answer) == 0)
        return 0;
    virFileCleanupClose(&seat->fd);
    *seat = (struct virLockSeat){ .fd = -1 };
    if (answer.rc == -EEXIST)
        virReportError(VIR_ERR_RESOURCE_BUSY, "the seat of '%s' at lease '%s' is taken", lock->owner, key);
    return -1;
}

static int
virLockSanlockSeated(struct virLock *lock, const struct virLockSeat *seat, int pid)
{
    (void)lock;
    return virKeeperSeated(seat, pid);
}

/* A host that cannot renew its own lease cannot read either; and one that has left the lockspace joins it before it is asked. */
static int
virLockSanlockHolds(struct virLock *lock, const char *key)
{
    return virLockSanlockLives(lock, key, lock->owner);
}

/*
 * By the time that its host writes whenever it renews its own lease, which the daemon here reads now and then: what it reads next may have been
 * written before the first call, what it reads after that has not. An owner on this host lives as it does.
 */
static int
virLockSanlockBeats(struct virLock *lock, const char *key, const char *owner, struct virLockBeat *beat)
{
    struct virSanlockQuiet quiet;
    struct sanlk_host host;
    long long here;
    int rc = virSanlockLook(lock, key, owner, &host);

    if (rc <= 0 || host.host_id == 0)
        return rc < 0 ? -1 : 0;
    virSanlockBegin(&quiet);
    here = virSanlockHostId(lock);
    virSanlockEnd(&quiet);
    if (here < 0)
        return -1;
    if ((unsigned long long)here == host.host_id)
        return 1;
    if (beat->times == 0 || host.timestamp != beat->seen)
        *beat = (struct virLockBeat){ .seen = host.timestamp, .times = beat->times + 1 };
    return beat->times >= 3;
}

/* ---------- opening ---------- */

static void
virLockSanlockClose(struct virLock *lock)
{
    struct virSanlock *san = lock->priv;

    pthread_mutex_destroy(&san->lock);
    free(san->path);
    free(san);
}

static int
virSanlockSetPlace(struct virSanlock *san, const char *place)
{
    const char *options = strchr(place, '?');
    struct stat info;

    if (place[0] != '/')
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'sanlock': '%s' is not an absolute path", place);
    if (options != NULL
        && (strncmp(options, "?host_id=", 9) != 0 || virStringToULL(options + 9, 10, &san->hostId) < 0 || san->hostId < 1
            || san->hostId > VIRT_SANLOCK_HOSTS))
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'sanlock': '%s' is not '?host_id=N', from 1 to %d", options, VIRT_SANLOCK_HOSTS);
    if ((san->path = options != NULL ? virStringSlice(place, (size_t)(options - place)) : virStringCopy(place)) == NULL)
        return -1;
    if (stat(san->path, &info) < 0)
        return virReportSystemError(errno, "lock manager 'sanlock': cannot use '%s'", san->path);
    san->directory = S_ISDIR(info.st_mode);
    if (!san->directory && !S_ISBLK(info.st_mode) && !S_ISREG(info.st_mode))
        return virReportError(VIR_ERR_INVALID_ARG, "lock manager 'sanlock': '%s' is no directory, device or file", san->path);
    return 0;
}

/* The daemon is not asked: guests that run have to be found even while it does not answer. */
static int
virLockSanlockOpen(struct virLock *lock, const char *place)
{
    struct virSanlock *san;

    if (virKeeperCheck("sanlock") < 0 || (san = virAllocate(sizeof(*san))) == NULL)
        return -1;
    lock->priv = san;
    pthread_mutex_init(&san->lock, NULL);
    if (virSanlockSetPlace(san, place) == 0)
        return 0;
    virLockSanlockClose(lock);
    return -1;
}

VIRT_INTERNAL const struct virLockManager virLockSanlock = {
    .name    = "sanlock",
    .open    = virLockSanlockOpen,
    .close   = virLockSanlockClose,
    .inquire = virLockSanlockInquire,
    .change  = virLockSanlockChange,
    .lives   = virLockSanlockLives,
    .sit     = virLockSanlockSit,
    .seated  = virLockSanlockSeated,
    .holds   = virLockSanlockHolds,
    .beats   = virLockSanlockBeats,
};

#undef VIRT_SANLOCK_LOCKSPACE
#undef VIRT_SANLOCK_HOSTS
#undef VIRT_SANLOCK_WAIT
#undef VIRT_SANLOCK_PLAIN
#undef VIRT_FROM
#endif
