/*
 * policy.c: who may do what, and who did
 *
 * A rule is "allow WHO PERMISSION [GUEST]" or "deny ...". The first rule that fits decides; if none does the answer is no. Without any rule
 * everybody who can connect may do everything.
 *
 *   WHO         user:NAME, uid:NUMBER, group:NAME, gid:NUMBER, key:NAME (of the file of authorized keys), or *; a group fits its process's
 *               own, and all that its user is a member of
 *   PERMISSION  libvirt's names, "domain.start", or a function's, "virDomainDestroy"; patterns of the shell: "domain.*"
 *   GUEST       a name or uuid, or a pattern of it; without it the rule fits every guest and the host
 *
 * Whether a guest may be seen at all is asked as "domain.getattr", which a function's name does not fit: whoever is to reach a guest is allowed
 * that as well. A guest that may not be seen is for its client as if it were not there. Before a guest is looked up it is asked without a name: who
 * may see any guest may look, and is asked again for the one that is found.
 *
 * Each may be several, with commas between: "allow user:karla,key:otto domain.read,domain.getattr web-*".
 */
#include "virtd.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct virtdRule {
    bool allow;
    struct virtdList who, what, guests;              /* no guests: all of them, and the host */
};

#define VIRTD_GROUPS_SECONDS 10                      /* what the system says of a user's groups is asked for again after that */

/* The groups that a user is a member of. */
struct virtdMember {
    struct virtdMember *next;
    uid_t uid;
    time_t until;
    gid_t *groups;
    int count;
};

struct virtdPolicy {
    struct virtdRule *rules;
    size_t count;
    pthread_mutex_t lock;                            /* of the members */
    struct virtdMember *members;
};

/* -- reading ------------------------------------------------------------------------------------ */

/* Names become numbers here, once. */
static bool
virtdReadWho(struct virtdList *list, const char *word, const char *where)
{
    const char *name = strchr(word, ':') != NULL ? strchr(word, ':') + 1 : "";
    unsigned long number;
    char *text = NULL;

    if (strcmp(word, "*") == 0 || (strncmp(word, "key:", 4) == 0 && *name != '\0')) {
        text = virtdFormat("%s", word);
    } else if (strncmp(word, "user:", 5) == 0) {
        const struct passwd *user = getpwnam(name);

        if (user == NULL)
            return virtdFail("%s: there is no user '%s'", where, name);
        text = virtdFormat("uid:%lu", (unsigned long)user->pw_uid);
    } else if (strncmp(word, "group:", 6) == 0) {
        const struct group *group = getgrnam(name);

        if (group == NULL)
            return virtdFail("%s: there is no group '%s'", where, name);
        text = virtdFormat("gid:%lu", (unsigned long)group->gr_gid);
    } else if (strncmp(word, "uid:", 4) == 0 || strncmp(word, "gid:", 4) == 0) {
        if (!virtdNumber(name, where, 0, 0xfffffffe, &number))
            return false;
        text = virtdFormat("%.4s%lu", word, number);
    } else {
        return virtdFail("%s: '%s' is nobody: user:NAME, uid:N, group:NAME, gid:N, key:NAME or * is somebody", where, word);
    }
    virtdListAdd(list, text);
    free(text);
    return true;
}

static bool
virtdReadRule(struct virtdPolicy *policy, char *line, const char *where)
{
    char *words[4] = { NULL }, *rest, *part;
    struct virtdRule *rules, *rule;
    size_t count = 0;

    for (char *word = strtok_r(line, " \t\r\n", &rest); word != NULL; word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (count == VIRTD_COUNT(words))
            return virtdFail("%s: there is too much at '%s'", where, word);
        words[count++] = word;
    }
    if (count < 3 || (strcmp(words[0], "allow") != 0 && strcmp(words[0], "deny") != 0))
        return virtdFail("%s: a rule is allow or deny WHO PERMISSION [GUEST]", where);
    if ((rules = realloc(policy->rules, (policy->count + 1) * sizeof(*rules))) == NULL)
        return virtdFail("out of memory");
    policy->rules = rules;
    rule = &rules[policy->count++];
    memset(rule, 0, sizeof(*rule));
    rule->allow = strcmp(words[0], "allow") == 0;
    for (part = strtok_r(words[1], ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest))
        if (!virtdReadWho(&rule->who, part, where))
            return false;
    for (part = strtok_r(words[2], ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest))
        virtdListAdd(&rule->what, part);
    for (part = words[3] != NULL ? strtok_r(words[3], ",", &rest) : NULL; part != NULL; part = strtok_r(NULL, ",", &rest))
        virtdListAdd(&rule->guests, part);
    if (rule->who.count == 0 || rule->what.count == 0 || (words[3] != NULL && rule->guests.count == 0))
        return virtdFail("%s: a rule is allow or deny WHO PERMISSION [GUEST]", where);
    return true;
}

static bool
virtdReadPolicy(struct virtdPolicy *policy, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t size = 0, number = 0;
    char *line = NULL;
    bool well = true;

    if (file == NULL)
        return virtdFail("cannot read '%s': %s", path, strerror(errno));
    while (well && getline(&line, &size, file) >= 0) {
        char *where;

        number++;
        line[strcspn(line, "#")] = '\0';
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        where = virtdFormat("'%s', line %zu", path, number);
        well = virtdReadRule(policy, line, where);
        free(where);
    }
    if (ferror(file))
        well = virtdFail("cannot read '%s': %s", path, strerror(errno));
    free(line);
    fclose(file);
    return well;
}

struct virtdPolicy *
virtdPolicyNew(const struct virtdOptions *options)
{
    struct virtdPolicy *policy = virtdAlloc(sizeof(*policy));
    bool well = true;

    pthread_mutex_init(&policy->lock, NULL);

    for (size_t i = 0; i < options->rules.count && well; i++) {
        char *line = virtdFormat("%s", options->rules.items[i]), *where = virtdFormat("rule '%s'", line);

        well = virtdReadRule(policy, line, where);
        free(line);
        free(where);
    }
    if (well && options->policy != NULL)
        well = virtdReadPolicy(policy, options->policy);
    if (well)
        return policy;
    virtdPolicyFree(policy);
    return NULL;
}

void
virtdPolicyFree(void *opaque)
{
    struct virtdPolicy *policy = opaque;

    if (policy == NULL)
        return;
    for (size_t i = 0; i < policy->count; i++) {
        virtdListClear(&policy->rules[i].who);
        virtdListClear(&policy->rules[i].what);
        virtdListClear(&policy->rules[i].guests);
    }
    free(policy->rules);
    while (policy->members != NULL) {
        struct virtdMember *member = policy->members;

        policy->members = member->next;
        free(member->groups);
        free(member);
    }
    pthread_mutex_destroy(&policy->lock);
    free(policy);
}

bool
virtdPolicyIsEmpty(const struct virtdPolicy *policy)
{
    return policy->count == 0;
}

/* -- asking ------------------------------------------------------------------------------------- */

/* Asks the system: a user whom it does not know is in no group. */
static void
virtdMemberAsk(struct virtdMember *member)
{
    char text[16384];
    struct passwd entry, *user = NULL;
    int count = 64;

    member->count = 0;
    if (getpwuid_r(member->uid, &entry, text, sizeof(text), &user) != 0 || user == NULL)
        return;
    for (;;) {
        int room = count;

        free(member->groups);
        member->groups = virtdAlloc((size_t)room * sizeof(*member->groups));
        if (getgrouplist(user->pw_name, user->pw_gid, member->groups, &count) >= 0)
            break;
        if (count <= room)                           /* it should say how many there are */
            count = 2 * room;
    }
    member->count = count;
}

static bool
virtdIsMember(struct virtdPolicy *policy, long long uid, unsigned long gid)
{
    struct virtdMember *member;
    struct timespec now;
    bool is = false;

    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&policy->lock);
    for (member = policy->members; member != NULL && member->uid != (uid_t)uid; member = member->next)
        ;
    if (member == NULL) {
        member = virtdAlloc(sizeof(*member));
        member->uid = (uid_t)uid;
        member->next = policy->members;
        policy->members = member;
    }
    if (now.tv_sec >= member->until) {
        virtdMemberAsk(member);
        member->until = now.tv_sec + VIRTD_GROUPS_SECONDS;
    }
    for (int i = 0; i < member->count; i++)
        is = is || member->groups[i] == (gid_t)gid;
    pthread_mutex_unlock(&policy->lock);
    return is;
}

static bool
virtdIsWho(struct virtdPolicy *policy, const struct virtdList *list, const virServerWho *who)
{
    char uid[40] = "", gid[40] = "";

    if (who->uid >= 0)
        snprintf(uid, sizeof(uid), "uid:%lld", who->uid);
    if (who->gid >= 0)
        snprintf(gid, sizeof(gid), "gid:%lld", who->gid);
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];

        if (strcmp(item, "*") == 0 || strcmp(item, uid) == 0 || strcmp(item, gid) == 0
            || (who->key != NULL && strncmp(item, "key:", 4) == 0 && strcmp(item + 4, who->key) == 0)
            || (who->uid >= 0 && strncmp(item, "gid:", 4) == 0 && virtdIsMember(policy, who->uid, strtoul(item + 4, NULL, 10))))
            return true;
    }
    return false;
}

static bool
virtdIsOneOf(const struct virtdList *list, const char *text)
{
    for (size_t i = 0; i < list->count && text != NULL; i++)
        if (fnmatch(list->items[i], text, 0) == 0)
            return true;
    return false;
}

/* What is asked by a call: its permission, or it itself. */
static bool
virtdIsWhat(const struct virtdList *list, const char *call, const char *permission)
{
    return virtdIsOneOf(list, permission) || (strcmp(permission, "domain.getattr") != 0 && virtdIsOneOf(list, call));
}

static void
virtdUuid(const unsigned char *uuid, char text[VIR_UUID_STRING_BUFLEN])
{
    char *to = text;

    for (int i = 0; i < VIR_UUID_BUFLEN; i++)
        to += sprintf(to, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

/* The guest, or the host if there is none. */
static bool
virtdIsGuest(const struct virtdRule *rule, const char *name, const char *uuid)
{
    if (rule->guests.count == 0)
        return true;
    return name != NULL && (virtdIsOneOf(&rule->guests, name) || virtdIsOneOf(&rule->guests, uuid));
}

int
virtdPolicyAllows(const virServerWho *who, const char *call, const char *permission, const char *name, const unsigned char *uuid, void *opaque)
{
    struct virtdPolicy *policy = opaque;
    char text[VIR_UUID_STRING_BUFLEN] = "";

    if (uuid != NULL)
        virtdUuid(uuid, text);
    for (size_t i = 0; i < policy->count; i++) {
        const struct virtdRule *rule = &policy->rules[i];

        if (virtdIsWho(policy, &rule->who, who) && virtdIsWhat(&rule->what, call, permission) && virtdIsGuest(rule, name, text))
            return rule->allow;
    }
    return 0;
}

/* -- the audit ---------------------------------------------------------------------------------- */

struct virtdAudit {
    int fd;
    bool failed;                      /* said once */
};

void *
virtdAuditOpen(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    struct virtdAudit *audit;

    if (fd < 0) {
        virtdFail("cannot write '%s': %s", path, strerror(errno));
        return NULL;
    }
    audit = virtdAlloc(sizeof(*audit));
    audit->fd = fd;
    return audit;
}

void
virtdAuditClose(void *opaque)
{
    struct virtdAudit *audit = opaque;

    if (audit == NULL)
        return;
    close(audit->fd);
    free(audit);
}

/* "name": a string of JSON, or null. What a client says of itself is cut, and cannot end the line. */
static void
virtdAuditText(FILE *out, const char *name, const char *text)
{
    size_t n = 0;

    fprintf(out, ", \"%s\": ", name);
    if (text == NULL) {
        fputs("null", out);
        return;
    }
    putc('"', out);
    for (; *text != '\0' && n < 1024; text++, n++) {
        if (*text == '"' || *text == '\\')
            putc('\\', out);
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            fprintf(out, "\\u%04x", (unsigned int)(unsigned char)*text);
        else
            putc(*text, out);
    }
    putc('"', out);
}

/* One line with one write(), so that those of several threads stay apart. */
void
virtdAuditWrite(const virServerAudit *record, void *opaque)
{
    char uuid[VIR_UUID_STRING_BUFLEN], when[40], *line = NULL;
    struct virtdAudit *audit = opaque;
    struct timespec now;
    struct tm utc;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);

    if (out == NULL)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(out, "{\"time\": \"%s.%03ldZ\"", when, now.tv_nsec / 1000000);
    virtdAuditText(out, "call", record->call);
    virtdAuditText(out, "guest", record->name);
    if (record->uuid != NULL)
        virtdUuid(record->uuid, uuid);
    virtdAuditText(out, "uuid", record->uuid != NULL ? uuid : NULL);
    fprintf(out, ", \"code\": %d", record->code);
    virtdAuditText(out, "message", record->message);
    virtdAuditText(out, "address", record->who->address);
    virtdAuditText(out, "key", record->who->key);
    virtdAuditText(out, "program", record->who->program);
    fprintf(out, ", \"uid\": %lld, \"gid\": %lld, \"pid\": %lld, \"microseconds\": %llu}\n", record->who->uid, record->who->gid, record->who->pid,
            record->elapsedUs);
    if (fclose(out) == 0 && write(audit->fd, line, size) != (ssize_t)size && !audit->failed) {
        audit->failed = true;
        virtdLog(VIR_LOG_ERROR, "the audit cannot be written: %s", strerror(errno));
    }
    free(line);
}
