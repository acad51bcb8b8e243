/*
 * migrations.c: migrations that are on a host's record, and what a person can do about them
 *
 * A controller that has died leaves records on both hosts. From either of them the migration is carried on
 * (migrate-continue); when the other host is gone for good, somebody who knows that says how it ended
 * (migrate-settle).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "virtsh.h"

/* -- a record's members ------------------------------------------------------------------------ */

/* The end of a JSON value, which the library has written and is therefore whole. */
static const char *
skipValue(const char *p)
{
    int depth = 0;

    for (; *p != '\0'; p++) {
        if (*p == '"') {
            for (p++; *p != '\0' && *p != '"'; p++)
                p += *p == '\\' && p[1] != '\0';
            if (*p == '\0')
                return p;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (depth-- == 0)
                return p;
        } else if (*p == ',' && depth == 0) {
            return p;
        }
    }
    return p;
}

/* A member of a record as text: a string without its quotes. "" if it is not there. The shell owns it. */
static const char *
member(struct virtsh *sh, const char *record, const char *name)
{
    size_t length = strlen(name);
    const char *p = record + strcspn(record, "{");

    while (*p == '{' || *p == ',') {
        const char *key = p + 1 + strspn(p + 1, " \t\n"), *value, *end = skipValue(p + 1);

        p = end;
        if (*key != '"' || strncmp(key + 1, name, length) != 0 || key[length + 1] != '"')
            continue;
        value = key + length + 2;
        value += strspn(value, ": \t\n");
        while (end > value && strchr(" \t\n", end[-1]) != NULL)
            end--;
        if (*value == '"' && end > value + 1) {
            value++;
            end--;
        }
        return virtshOwn(sh, virtshFormat("%.*s", (int) (end - value), value));
    }
    return "";
}

/* The record of this migration: the one that is not over, if the host has both sides of it. NULL
 * after a message. */
static const char *
findRecord(struct virtsh *sh, const char *uuid)
{
    const char *found = NULL;
    char **records = NULL;
    int count = virConnectListMigrations(sh->conn, &records, 0);

    for (int i = 0; i < count; i++) {
        const char *record = virtshOwn(sh, records[i]);

        if (strcmp(member(sh, record, "migration"), uuid) == 0
            && (found == NULL || strcmp(member(sh, found, "over"), "true") == 0))
            found = record;
    }
    free(records);
    if (count >= 0 && found == NULL)
        virtshFail(sh, "this host has no record of migration '%s'", uuid);
    return found;
}

/* -- the commands ------------------------------------------------------------------------------ */

static bool
cmdMigrations(struct virtsh *sh)
{
    static const char *const titles[] = { "Migration", "Domain", "Side", "Stage", "Over", "Since",
                                          NULL };
    struct virtshTable *table;
    char **records = NULL;
    int count = virConnectListMigrations(sh->conn, &records, virtshFlags(sh));

    if (count < 0)
        return false;
    table = virtshTableNew(sh, titles);
    for (int i = 0; i < count; i++) {
        const char *record = virtshOwn(sh, records[i]);
        time_t since = (time_t) (strtoull(member(sh, record, "since"), NULL, 10) / 1000);
        struct tm *local = localtime(&since);
        char when[32] = "";

        if (local != NULL)
            strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", local);
        if (virtshHas(sh, "json")) {
            virtshPrint(sh, "%s\n", record);
            continue;
        }
        virtshTableCell(table, member(sh, record, "migration"));
        virtshTableCell(table, member(sh, record, "name"));
        virtshTableCell(table, member(sh, record, "side"));
        virtshTableCell(table, member(sh, record, "stage"));
        virtshTableCell(table, strcmp(member(sh, record, "over"), "true") == 0 ? "yes" : "no");
        virtshTableCell(table, virtshOwn(sh, virtshCopy(when)));
    }
    free(records);
    if (!virtshHas(sh, "json"))
        virtshTablePrint(sh, table);
    return true;
}

static const struct virtshOption migrationsOptions[] = {
    { .name = "active", VIRTSH_FLAG, "only those that this host is not done with",
      .bit = VIR_CONNECT_LIST_MIGRATIONS_ACTIVE },
    { .name = "over", VIRTSH_FLAG, "only those that it is done with",
      .bit = VIR_CONNECT_LIST_MIGRATIONS_OVER },
    { .name = "json", VIRTSH_FLAG, "the records themselves, one a line" },
    VIRTSH_END,
};

static bool
cmdMigrateContinue(struct virtsh *sh)
{
    const char *record = findRecord(sh, virtshString(sh, "migration"));
    virConnectPtr other;
    virMigrationPtr m;
    bool here, ok = false;

    if (record == NULL)
        return false;
    if ((other = virConnectOpenAuth(virtshString(sh, "otheruri"), virConnectAuthPtrDefault,
                                    0)) == NULL)
        return false;
    here = strcmp(member(sh, record, "side"), "source") == 0;
    m = virMigrationNewFromRecord(record, here ? sh->conn : other, here ? other : sh->conn);
    if (m != NULL) {
        if (virtshHas(sh, "abort"))
            virMigrationAbort(m);
        ok = virtshStepMigration(sh, m, other, member(sh, record, "name"));
        virMigrationFree(m);
    }
    virConnectClose(other);
    return ok;
}

static const struct virtshOption continueOptions[] = {
    { .name = "migration", VIRTSH_STRING, "uuid of the migration, as 'migrations' has it",
      .required = true },
    { .name = "otheruri", VIRTSH_STRING, "connection URI of the other host", .required = true },
    { .name = "abort", VIRTSH_FLAG, "lead it back, as far as there is a way back" },
    { .name = "verbose", VIRTSH_FLAG, "display the phases and the progress of migration" },
    { .name = "timeline", VIRTSH_STRING, "write its course to a file: .svg a picture, else a table",
      .named = true },
    VIRTSH_END,
};

/*
 * The source's end is led to where it waits for the destination's word, which no transfer outlives, and
 * told the person's word in its place.
 */
static bool
settle(struct virtsh *sh, virMigrationPtr m, bool source, virMigrationOutcome outcome)
{
    virMigrationPhase phase = virMigrationGetPhase(m);
    int rc = 1;

    while (source && rc > 0 && phase != VIR_MIGRATION_PHASE_FINISH
           && phase != VIR_MIGRATION_PHASE_CANCEL) {
        if (phase != VIR_MIGRATION_PHASE_BEGIN)
            virMigrationAbort(m);
        rc = virMigrationStep(m, 500);
        phase = virMigrationGetPhase(m);
    }
    if (rc < 0 || (rc > 0 && virMigrationSettle(m, outcome) < 0))
        return false;
    while ((rc = virMigrationStep(m, 500)) > 0)
        ;
    if (rc == 0 && virMigrationGetOutcome(m) != outcome && virMigrationGetError(m) != NULL)
        return virtshFail(sh, "%s", virMigrationGetError(m)->message);
    return rc == 0;
}

/* Whether the guest is the source's own: it runs there, so it cannot have arrived. */
static bool
runsHere(struct virtsh *sh, const char *record)
{
    virDomainPtr dom = virDomainLookupByUUIDString(sh->conn, member(sh, record, "uuid"));
    int state = VIR_DOMAIN_NOSTATE;

    if (dom == NULL || virDomainGetState(dom, &state, NULL, 0) < 0)
        virtshForgetError(sh);              /* gone already */
    if (dom != NULL)
        virDomainFree(dom);
    return state == VIR_DOMAIN_RUNNING;
}

static bool
cmdMigrateSettle(struct virtsh *sh)
{
    const char *word = virtshString(sh, "outcome"), *record;
    virMigrationOutcome outcome = strcmp(word, "migrated") == 0 ? VIR_MIGRATION_OUTCOME_MIGRATED
                                                                 : VIR_MIGRATION_OUTCOME_ROLLED_BACK;
    virMigrationPtr m;
    bool source, ok;

    if (outcome != VIR_MIGRATION_OUTCOME_MIGRATED && strcmp(word, "rolled-back") != 0)
        return virtshFail(sh, "a migration is settled as 'migrated' or as 'rolled-back', not as '%s'",
                          word);
    if ((record = findRecord(sh, virtshString(sh, "migration"))) == NULL)
        return false;
    if (strcmp(member(sh, record, "over"), "true") == 0)
        return virtshFail(sh, "migration '%s' is over on this host: there is nothing to settle",
                          virtshString(sh, "migration"));
    source = strcmp(member(sh, record, "side"), "source") == 0;
    if (source && outcome == VIR_MIGRATION_OUTCOME_MIGRATED && runsHere(sh, record))
        return virtshFail(sh, "Domain '%s' runs here: it has not migrated",
                          member(sh, record, "name"));
    if ((m = virMigrationNewFromRecord(record, source ? sh->conn : NULL,
                                       source ? NULL : sh->conn)) == NULL)
        return false;
    ok = settle(sh, m, source, outcome);
    virMigrationFree(m);
    if (ok)
        virtshRemark(sh, "Migration of domain '%s' settled: %s\n", member(sh, record, "name"), word);
    return ok;
}

static const char *const outcomes[] = { "migrated", "rolled-back", NULL };

static const struct virtshOption settleOptions[] = {
    { .name = "migration", VIRTSH_STRING, "uuid of the migration, as 'migrations' has it",
      .required = true },
    { .name = "outcome", VIRTSH_STRING,
      "migrated: the guest is the destination's; rolled-back: the source's", .required = true,
      .words = outcomes },
    VIRTSH_END,
};

static bool
cmdMigratePostcopy(struct virtsh *sh)
{
    virDomainPtr dom = virtshDomain(sh);

    return dom != NULL && virDomainMigrateStartPostCopy(dom, 0) == 0;
}

static const struct virtshOption postcopyOptions[] = {
    VIRTSH_DOMAIN_OPTION(VIR_CONNECT_LIST_DOMAINS_ACTIVE), VIRTSH_END,
};

const struct virtshCommand virtshMigrationRecordCommands[] = {
    { .name = "migrate-postcopy", "Switch running migration from pre-copy to post-copy",
      "Switch running migration from pre-copy to post-copy.  The migration must have been started "
      "with --postcopy option.", postcopyOptions, cmdMigratePostcopy },
    { .name = "migrations", "list migrations on record",
      "List the migrations from this host and to it that it has on record; those that are over for a "
      "day.", migrationsOptions, cmdMigrations },
    { .name = "migrate-continue", "carry on a migration from a host's record",
      "Carry on a migration whose controller is gone, from the record of the host that is connected "
      "to.", continueOptions, cmdMigrateContinue },
    { .name = "migrate-settle", "say how an undecided migration ended",
      "Say how an undecided migration ended, when the other host is dead for good. If it is wrong, "
      "the guest runs twice or not at all.", settleOptions, cmdMigrateSettle },
    VIRTSH_END,
};
