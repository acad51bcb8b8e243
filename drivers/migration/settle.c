/*
 * A migration that is undecided: what it waits for, and the word of a person who knows how it ended.
 */
#include "migration.h"

#define VIRT_FROM VIR_FROM_NONE

int
virMigrationSettle(virMigrationPtr m, virMigrationOutcome outcome)
{
    bool waits;
    int rc = 0;

    if (!virMigrationIs(__func__, m))
        return -1;
    pthread_mutex_lock(&m->lock);
    waits = m->phase == VIR_MIGRATION_PHASE_FINISH || m->phase == VIR_MIGRATION_PHASE_CANCEL;
    if (outcome != VIR_MIGRATION_OUTCOME_MIGRATED && outcome != VIR_MIGRATION_OUTCOME_ROLLED_BACK)
        rc = virReportError(VIR_ERR_INVALID_ARG, "a migration is settled as migrated or as rolled back, not as %d", (int)outcome);
    else if (m->stepping || (m->ends != VIR_MIGRATION_ENDS_DESTINATION && !waits) || m->phase == VIR_MIGRATION_PHASE_OVER || m->uuid[0] == '\0')
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "migration %s is in phase %s%s: there is nothing to settle", m->uuid,
                            virMigrationPhaseGetName(m->phase), m->stepping ? ", and a thread steps it" : "");
    else if (outcome == VIR_MIGRATION_OUTCOME_MIGRATED && m->domain != NULL && !m->performed && (m->flags & VIR_MIGRATE_OFFLINE) == 0)
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "migration %s had not moved all of domain '%s': it cannot be at the destination", m->uuid,
                            m->name);
    if (rc == 0)
        virLog(VIR_LOG_WARN, "migration", "%s: settled by its user: %s", m->uuid,
               outcome == VIR_MIGRATION_OUTCOME_MIGRATED ? "migrated" : "rolled back");
    if (rc == 0 && outcome == VIR_MIGRATION_OUTCOME_ROLLED_BACK && m->error.code == VIR_ERR_OK) {
        virReportError(VIR_ERR_OPERATION_ABORTED, "migration %s was settled as rolled back by its user", m->uuid);
        virErrorCopy(&m->error, virThreadError());
        virResetLastError();
    }
    if (rc == 0 && m->ends == VIR_MIGRATION_ENDS_DESTINATION) {
        virMigrationEnter(m, outcome == VIR_MIGRATION_OUTCOME_MIGRATED ? VIR_MIGRATION_PHASE_FINISH : VIR_MIGRATION_PHASE_CANCEL);
        m->asked = true;
    } else if (rc == 0) {
        virMigrationEnter(m, outcome == VIR_MIGRATION_OUTCOME_MIGRATED ? VIR_MIGRATION_PHASE_CONFIRM : VIR_MIGRATION_PHASE_ROLLBACK);
    }
    pthread_mutex_unlock(&m->lock);
    if (rc < 0)
        virErrorDispatch(NULL);
    return rc;
}

char *
virMigrationGetDoubt(virMigrationPtr m)
{
    char *text = NULL;

    if (!virMigrationIs(__func__, m))
        return NULL;
    pthread_mutex_lock(&m->lock);
    if (virMigrationIsInDoubt(m))
        text = virStringFormat("migration %s: the destination was asked to %s domain '%s' %llu s ago, and has not answered. The source waits, "
                               "and asks again. If the destination's host is known to be dead for good, settle this as rolled back; if the guest is "
                               "known to run there, as migrated", m->uuid, m->phase == VIR_MIGRATION_PHASE_FINISH ? "start" : "end",
                               m->domain->name, (virTimeNowUs() - m->entered) / 1000000);
    pthread_mutex_unlock(&m->lock);
    return text;
}

#undef VIRT_FROM
