/* The migration table on the simulated hosts of the test driver, which can fail in every phase and on either side. */
#include "../migration_table.h"

#define NEVER VIR_MIGRATION_PHASE_LAST

static const char tableXml[] =
    "<domain type='test'><name>table</name><uuid>3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a001</uuid><memory unit='MiB'>64</memory>"
    "<vcpu>1</vcpu><os><type arch='i686'>hvm</type></os></domain>";

static virConnectPtr
tableOpen(int side, const char *fault)
{
    char uri[256];

    snprintf(uri, sizeof(uri), "test:///default?host=%s&memory-mib=64&bandwidth=16384&dirty-rate=128%s%s",
             side == 0 ? "source" : "destination", fault != NULL ? "&fault=" : "", fault != NULL ? fault : "");
    return virConnectOpen(uri);
}

static const struct tableFault tableFaults[] = {
    { "begin fails", "begin", NULL, NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "prepare fails", NULL, "prepare", NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "the destination dies after prepare", NULL, "prepare:die", NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "perform fails", "perform", NULL, NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "perform fails at its very beginning", "perform:fail:0", NULL, NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "the destination dies in perform", NULL, "perform:die:70", NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "the source dies in perform", "perform:die", NULL, NEVER, false, true, VIR_ERR_OPERATION_FAILED },
    { "finish fails", NULL, "finish", NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "the destination dies in finish", NULL, "finish:die", NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "finish fails, and cancelling it is not answered", "rollback:lost:2", "finish,cancel:lost:2", NEVER, false, false, -1 },
    { "perform fails, and nobody answers for a while", "perform,rollback:hang:30", "cancel:again:3", NEVER, false, false, -1 },
    { "the source's management is lost when it has to take the guest back", "perform,halt:crash:2,rollback:crash", NULL, NEVER, false, false, -1 },
    { "... and the destination's when it has to remove it", "rollback:crash:2", "finish,cancel:crash", NEVER, false, false, -1 },
    { "a destination loses power when it was to start the guest", NULL, "finish:power", NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "a destination loses its management while it prepares", NULL, "prepare:crash", NEVER, false, false, VIR_ERR_OPERATION_FAILED },
    { "halt is not answered", "perform,halt:lost:2", "cancel:again:2", NEVER, false, false, -1 },
    { "aborted under way, and the source's management is lost", "halt:crash", NULL, VIR_MIGRATION_PHASE_PERFORM, false, false,
      VIR_ERR_OPERATION_ABORTED },
    { "aborted before begin", NULL, NULL, VIR_MIGRATION_PHASE_BEGIN, false, false, VIR_ERR_OPERATION_ABORTED },
    { "aborted before prepare", NULL, NULL, VIR_MIGRATION_PHASE_PREPARE, false, false, VIR_ERR_OPERATION_ABORTED },
    { "aborted while prepare is not answered", NULL, "prepare:lost:3", VIR_MIGRATION_PHASE_PREPARE, false, false, -1 },
    { "aborted before perform", NULL, NULL, VIR_MIGRATION_PHASE_PERFORM, false, false, VIR_ERR_OPERATION_ABORTED },
    { "aborted before finish", NULL, NULL, VIR_MIGRATION_PHASE_FINISH, false, false, VIR_ERR_OPERATION_ABORTED },
    { "aborted too late", NULL, NULL, VIR_MIGRATION_PHASE_CONFIRM, true, false, 0 },
    { "nobody answers at first", "begin:again:2,perform:again:2,confirm:again:2", "prepare:again:2,finish:again:2", NEVER, true, false, 0 },
    { "every answer is lost twice", "begin:lost:2,perform:lost:2,confirm:lost:2", "prepare:lost:2,finish:lost:2", NEVER, true, false, 0 },
    { "both lose their management after each record", "begin:crash,perform:crash,confirm:crash", "prepare:crash:2,finish:crash", NEVER, true,
      false, 0 },
    { "both lose their management after each effect", "begin:crash:2,perform:crash:3,confirm:crash:2", "finish:crash:2", NEVER, true, false, 0 },
    { "both lose their management before each answer", "confirm:crash:3", "prepare:crash:2,finish:crash:3", NEVER, true, false, 0 },
    { "everybody hangs a while", "begin:hang:10,perform:hang:10,confirm:hang:10", "prepare:hang:10,finish:hang:10", NEVER, true, false, 0 },
    { NULL, NULL, NULL, NEVER, false, false, 0 },
};

static const struct tableDriver tableTest = { tableOpen, tableXml, tableFaults };

TEST(migration_means_the_same_in_every_case)
{
    CHECK_OK(virInitialize());
    CHECK_OK(virEventRegisterDefaultImpl());
    tableRunSuccess(&tableTest);
}

TEST_LIMIT(failed_migrations_leave_the_guest_as_it_was, 180)
{
    CHECK_OK(virInitialize());
    CHECK_OK(virEventRegisterDefaultImpl());
    tableRunFailures(&tableTest);
}
