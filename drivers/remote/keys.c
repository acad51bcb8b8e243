/*
 * Keys and the files they are in: one's own secret key, the clients that a server lets in, the servers that a client knows. See noise.h.
 *
 * A file that somebody else could have written decides nothing, and a secret that somebody else could have read is none: both are refused, with
 * the name of the file and what to do.
 */
#include "noise.h"

#if VIRT_WITH_NOISE

#include "../common/file.h"
#include "../common/platform.h"
#include "../common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIRT_FROM VIR_FROM_RPC

#define REMOTE_KEY_FILE 4096          /* bytes of a secret key's file, and of the others */
#define REMOTE_LIST_FILE (4 << 20)

/* ---------- keys ---------- */

VIRT_INTERNAL int
remoteKeyFromSecret(struct remoteKey *key)
{
    EVP_PKEY *pair;
    size_t length = REMOTE_KEY_SIZE;
    int rc;

    ERR_set_mark();
    pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, key->secret, REMOTE_KEY_SIZE);
    rc = pair != NULL && EVP_PKEY_get_raw_public_key(pair, key->open, &length) > 0 ? 0 : -1;
    EVP_PKEY_free(pair);
    ERR_pop_to_mark();
    return rc < 0 ? virReportError(VIR_ERR_INTERNAL_ERROR, "OpenSSL failed: X25519") : 0;
}

VIRT_INTERNAL int
remoteKeyGenerate(struct remoteKey *key)
{
    if (virPlatformRandom(key->secret, REMOTE_KEY_SIZE) < 0)
        return virReportSystemError(errno, "there are no random numbers for a key");
    return remoteKeyFromSecret(key);
}

VIRT_INTERNAL void
remoteKeyErase(struct remoteKey *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

VIRT_INTERNAL void
remoteKeyFormat(const unsigned char *key, char text[REMOTE_KEY_TEXT])
{
    EVP_EncodeBlock((unsigned char *)text, key, REMOTE_KEY_SIZE);
}

/* Only what remoteKeyFormat writes: OpenSSL's reader lets blanks and other forms through, so what it read is written again. */
VIRT_INTERNAL int
remoteKeyParse(const char *text, unsigned char *key)
{
    unsigned char bytes[REMOTE_KEY_SIZE + 4];
    char again[REMOTE_KEY_TEXT];
    int rc = -1;

    if (strlen(text) != REMOTE_KEY_TEXT - 1)
        return -1;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)text, REMOTE_KEY_TEXT - 1) == REMOTE_KEY_SIZE + 1) {
        remoteKeyFormat(bytes, again);
        if (CRYPTO_memcmp(again, text, REMOTE_KEY_TEXT) == 0) {
            memcpy(key, bytes, REMOTE_KEY_SIZE);
            rc = 0;
        }
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(again, sizeof(again));
    return rc;
}

/* ---------- a secret key's file ---------- */

/* Opens a file that only its owner (who is us, or root) can write, and with `secret` read. -1 with the error set. */
static int
remoteKeyOpen(const char *path, bool secret, struct stat *info)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || fstat(fd, info) < 0) {
        virReportSystemError(errno, "cannot read '%s'", path);
    } else if (!S_ISREG(info->st_mode)) {
        virReportError(VIR_ERR_AUTH_FAILED, "'%s' is not a file", path);
    } else if (info->st_uid != geteuid() && info->st_uid != 0) {
        virReportError(VIR_ERR_AUTH_FAILED, "'%s' belongs to user %u, and must be yours or root's", path, (unsigned int)info->st_uid);
    } else if ((info->st_mode & (secret ? 077 : 022)) != 0) {
        virReportError(VIR_ERR_AUTH_FAILED, secret ? "the secret key '%s' is open to others (mode %04o): make it 0600, and a new one if they may have read it"
                       : "'%s' can be written by others (mode %04o): make it 0644", path, (unsigned int)info->st_mode & 07777);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The rest of the file, with a NUL behind it; the caller frees it. */
static char *
remoteKeyReadAll(int fd, const char *path, size_t max)
{
    size_t used = 0;
    ssize_t got = 1;
    char *data = virAllocate(max + 1);

    if (data == NULL)
        return NULL;
    while (used < max && (got = read(fd, data + used, max - used)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        used += (size_t)got;
    }
    if (got == 0 && strlen(data) == used)
        return data;
    if (got < 0)
        virReportSystemError(errno, "cannot read '%s'", path);
    else
        virReportError(VIR_ERR_AUTH_FAILED, got == 0 ? "'%s' has a NUL in it" : "'%s' is too long", path);
    OPENSSL_cleanse(data, max);
    free(data);
    return NULL;
}

VIRT_INTERNAL int
remoteKeyRead(const char *path, struct remoteKey *key)
{
    struct stat info;
    VIRT_CLEANUP_CLOSE int fd = remoteKeyOpen(path, true, &info);
    size_t length;
    char *text;
    int rc;

    if (fd < 0 || (text = remoteKeyReadAll(fd, path, REMOTE_KEY_FILE)) == NULL)
        return -1;
    length = strlen(text);
    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
    if (remoteKeyParse(text, key->secret) < 0)
        rc = virReportError(VIR_ERR_AUTH_FAILED, "'%s', line 1: this is no secret key, which is one line of 44 characters of base64", path);
    else
        rc = remoteKeyFromSecret(key);
    OPENSSL_cleanse(text, length);
    free(text);
    return rc;
}

VIRT_INTERNAL int
remoteKeyWrite(const char *path, const struct remoteKey *key)
{
    char line[REMOTE_KEY_TEXT + 1];
    VIRT_CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t put;
    int saved;

    if (fd < 0 && errno == EEXIST)
        return virReportError(VIR_ERR_OPERATION_INVALID, "'%s' is there already, and a key is not written over", path);
    if (fd < 0)
        return virReportSystemError(errno, "cannot create '%s'", path);
    remoteKeyFormat(key->secret, line);
    line[REMOTE_KEY_TEXT - 1] = '\n';
    put = write(fd, line, REMOTE_KEY_TEXT);
    saved = put < 0 ? errno : EIO;
    OPENSSL_cleanse(line, sizeof(line));
    if (put == REMOTE_KEY_TEXT && fchmod(fd, 0600) == 0 && fsync(fd) == 0)
        return 0;
    if (put == REMOTE_KEY_TEXT)
        saved = errno;
    unlink(path);
    return virReportSystemError(saved, "cannot write '%s'", path);
}

VIRT_INTERNAL char *
remoteKeyPath(const char *name)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char buffer[4096];
    struct passwd user, *found;

    if (config != NULL && *config == '/')
        return virStringFormat("%s/virt/%s", config, name);
    if ((home == NULL || *home != '/') && getpwuid_r(geteuid(), &user, buffer, sizeof(buffer), &found) == 0 && found != NULL)
        home = found->pw_dir;
    if (home != NULL && *home == '/')
        return virStringFormat("%s/.config/virt/%s", home, name);
    virReportError(VIR_ERR_AUTH_FAILED, "nobody says where this user's home is (HOME), so where '%s' would be is not known", name);
    return NULL;
}

/* ---------- lists ---------- */

/*
 * Calls line() for each line of a file that has words, cut into at most `max` of them: -1 with the error set ends it, 1 ends it well.
 * Returns what the last one did, or 0.
 */
static int
remoteKeyLines(char *text, const char *path, size_t max, int (*line)(void *opaque, const char *where, char **words, size_t count), void *opaque)
{
    char *words[8], *rest = text, *each, *more, where[4096];
    int rc = 0;

    for (size_t number = 1; rc == 0 && (each = strsep(&rest, "\n")) != NULL; number++) {
        size_t count = 0;

        each[strcspn(each, "#\r")] = '\0';
        snprintf(where, sizeof(where), "'%s', line %zu", path, number);
        for (char *word = strtok_r(each, " \t", &more); word != NULL; word = strtok_r(NULL, " \t", &more)) {
            if (count == max)
                return virReportError(VIR_ERR_AUTH_FAILED, "%s: there is too much at '%s'", where, word);
            words[count++] = word;
        }
        if (count > 0)
            rc = line(opaque, where, words, count);
    }
    return rc;
}

static int
remoteAuthorizedLine(void *opaque, const char *where, char **words, size_t count)
{
    struct remoteAuthorized *authorized = opaque;
    struct remoteIdentity *bigger, *one;
    unsigned char key[REMOTE_KEY_SIZE];

    if (count < 2)
        return virReportError(VIR_ERR_AUTH_FAILED, "%s: a line is KEY NAME, or KEY NAME readonly", where);
    if (remoteKeyParse(words[0], key) < 0)
        return virReportError(VIR_ERR_AUTH_FAILED, "%s: '%s' is no public key, which has 44 characters of base64", where, words[0]);
    if (count == 3 && strcmp(words[2], "readonly") != 0)
        return virReportError(VIR_ERR_AUTH_FAILED, "%s: '%s' is no right; there is 'readonly', or nothing", where, words[2]);
    if (remoteAuthorizedFind(authorized, key) != NULL)
        return virReportError(VIR_ERR_AUTH_FAILED, "%s: this key has a line already", where);
    if ((bigger = realloc(authorized->list, (authorized->count + 1) * sizeof(*bigger))) == NULL)
        return virReportNoMemory();
    authorized->list = bigger;
    one = &bigger[authorized->count];
    memcpy(one->key, key, sizeof(key));
    one->readOnly = count == 3;
    if ((one->name = virStringCopy(words[1])) == NULL)
        return -1;
    authorized->count++;
    return 0;
}

VIRT_INTERNAL int
remoteAuthorizedRead(const char *path, struct remoteAuthorized *authorized)
{
    struct stat info;
    VIRT_CLEANUP_CLOSE int fd = remoteKeyOpen(path, false, &info);
    VIRT_CLEANUP_FREE char *text = NULL;
    struct remoteAuthorized got = { NULL, 0 };

    if (fd < 0 || (text = remoteKeyReadAll(fd, path, REMOTE_LIST_FILE)) == NULL)
        return -1;
    if (remoteKeyLines(text, path, 3, remoteAuthorizedLine, &got) < 0) {
        remoteAuthorizedClear(&got);
        return -1;
    }
    *authorized = got;
    return 0;
}

VIRT_INTERNAL const struct remoteIdentity *
remoteAuthorizedFind(const struct remoteAuthorized *authorized, const unsigned char *key)
{
    const struct remoteIdentity *found = NULL;

    for (size_t i = 0; i < authorized->count; i++)         /* all of them: how long it takes says nothing */
        if (CRYPTO_memcmp(authorized->list[i].key, key, REMOTE_KEY_SIZE) == 0)
            found = &authorized->list[i];
    return found;
}

VIRT_INTERNAL void
remoteAuthorizedClear(struct remoteAuthorized *authorized)
{
    for (size_t i = 0; i < authorized->count; i++)
        free(authorized->list[i].name);
    free(authorized->list);
    authorized->list = NULL;
    authorized->count = 0;
}

struct remoteKnownHost {
    const char *name;                 /* "host:port" */
    unsigned char *key;
};

static int
remoteKnownHostsLine(void *opaque, const char *where, char **words, size_t count)
{
    struct remoteKnownHost *wanted = opaque;
    unsigned char key[REMOTE_KEY_SIZE];

    if (count != 2)
        return virReportError(VIR_ERR_AUTH_FAILED, "%s: a line is HOST:PORT KEY", where);
    if (remoteKeyParse(words[1], key) < 0)
        return virReportError(VIR_ERR_AUTH_FAILED, "%s: '%s' is no public key, which has 44 characters of base64", where, words[1]);
    if (strcasecmp(words[0], wanted->name) != 0)
        return 0;
    memcpy(wanted->key, key, sizeof(key));
    return 1;
}

VIRT_INTERNAL int
remoteKnownHostsFind(const char *path, const char *host, int port, unsigned char *key)
{
    VIRT_CLEANUP_FREE char *name = virStringFormat(strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, port);
    struct remoteKnownHost wanted = { .name = name, .key = key };
    VIRT_CLEANUP_FREE char *text = NULL;
    VIRT_CLEANUP_CLOSE int fd = -1;
    struct stat info;

    if (name == NULL)
        return -1;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if ((fd = remoteKeyOpen(path, false, &info)) < 0 || (text = remoteKeyReadAll(fd, path, REMOTE_LIST_FILE)) == NULL)
        return -1;
    return remoteKeyLines(text, path, 3, remoteKnownHostsLine, &wanted);
}

/* ---------- public functions ---------- */

/* The user's own file, whose folder is made, or the given one. */
static char *
remoteKeyFile(const char *file)
{
    char *path, *slash;
    int rc;

    if (file != NULL)
        return virStringCopy(file);
    if ((path = remoteKeyPath("key")) == NULL)
        return NULL;
    slash = strrchr(path, '/');
    *slash = '\0';
    rc = virFileMakePath(path, 0700);
    *slash = '/';
    if (rc == 0)
        return path;
    free(path);
    return NULL;
}

static int
remoteKeyMake(const char *file, char **publicKey, unsigned int flags)
{
    VIRT_CLEANUP_FREE char *path = NULL, *text = NULL;
    struct remoteKey key = { .secret = { 0 } };
    int rc = -1;

    virCheckFlags(0, -1);
    if ((text = virAllocate(REMOTE_KEY_TEXT)) != NULL && (path = remoteKeyFile(file)) != NULL && remoteKeyGenerate(&key) == 0
        && remoteKeyWrite(path, &key) == 0) {
        remoteKeyFormat(key.open, text);
        if (publicKey != NULL) {
            *publicKey = text;
            text = NULL;
        }
        rc = 0;
    }
    remoteKeyErase(&key);
    return rc;
}

static char *
remoteKeyShow(const char *file, unsigned int flags)
{
    VIRT_CLEANUP_FREE char *path = NULL;
    struct remoteKey key = { .secret = { 0 } };
    char *text = NULL;

    virCheckFlags(0, NULL);
    path = file != NULL ? virStringCopy(file) : remoteKeyPath("key");
    if (path != NULL && remoteKeyRead(path, &key) == 0 && (text = virAllocate(REMOTE_KEY_TEXT)) != NULL)
        remoteKeyFormat(key.open, text);
    remoteKeyErase(&key);
    return text;
}

#undef REMOTE_KEY_FILE
#undef REMOTE_LIST_FILE
#undef VIRT_FROM

#endif

#define VIRT_FROM VIR_FROM_RPC

VIRT_API int
virKeyGenerate(const char *file, char **publicKey, unsigned int flags)
{
    int rc = -1;

    virResetLastError();
#if VIRT_WITH_NOISE
    rc = remoteKeyMake(file, publicKey, flags);
#else
    (void)file, (void)publicKey, (void)flags;
    virReportError(VIR_ERR_NO_SUPPORT, "keys need libcrypto, and this library was built without it");
#endif
    if (rc < 0)
        virErrorDispatch(NULL);
    return rc;
}

VIRT_API char *
virKeyGetPublic(const char *file, unsigned int flags)
{
    char *text = NULL;

    virResetLastError();
#if VIRT_WITH_NOISE
    text = remoteKeyShow(file, flags);
#else
    (void)file, (void)flags;
    virReportError(VIR_ERR_NO_SUPPORT, "keys need libcrypto, and this library was built without it");
#endif
    if (text == NULL)
        virErrorDispatch(NULL);
    return text;
}

#undef VIRT_FROM
