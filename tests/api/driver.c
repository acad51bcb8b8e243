/* A driver of the application's own, and what the library says for the slots that it leaves out. */
#include "../../drivers/driver.h"
#include "../harness.h"

#define VIRT_FROM VIR_FROM_NONE

static int driverOpened, driverClosed;

static int
driverOpen(virConnectPtr conn, const struct virUri *uri, virConnectAuthPtr auth, unsigned int flags)
{
    (void)uri;
    (void)auth;
    (void)flags;
    if (strstr(conn->uri, "/broken") != NULL)
        return virReportError(VIR_ERR_AUTH_FAILED, "'%s' is broken", conn->uri);
    driverOpened++;
    return 1;
}

static void
driverClose(virConnectPtr conn)
{
    (void)conn;
    driverClosed++;
}

static int
driverNumOf(virConnectPtr conn)
{
    (void)conn;
    return 42;
}

static const struct virDriver driverOwn = {
    .version = VIRT_DRIVER_VERSION,
    .name = "Own",
    .schemes = (const char *const[]){ "own", NULL },
    .open = driverOpen,
    .close = driverClose,
    .domain = { .numOfDomains = driverNumOf },
};

TEST(an_own_driver_is_opened_used_and_closed)
{
    virConnectPtr conn;

    CHECK_FAILS_NULL(virConnectOpen("own:///"), VIR_ERR_NO_CONNECT);
    CHECK_OK(virRegisterDriver(&driverOwn));
    CHECK_PTR(conn = virConnectOpen("own:///"));
    CHECK_STR(virConnectGetType(conn), "Own");
    CHECK_INT(virConnectNumOfDomains(conn), 42);
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(driverOpened, 1);
    CHECK_INT(driverClosed, 1);
    CHECK_FAILS_NULL(virConnectOpen("own:///broken"), VIR_ERR_AUTH_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "own:///broken");
    CHECK_INT(driverClosed, 1);
}

TEST(an_absent_slot_is_named_with_its_driver)
{
    virConnectPtr conn;

    CHECK_OK(virRegisterDriver(&driverOwn));
    CHECK_PTR(conn = virConnectOpen("own:///"));
    CHECK_FAILS_NULL(virConnectGetCapabilities(conn), VIR_ERR_NO_SUPPORT);
    CHECK_CONTAINS(virGetLastErrorMessage(), "virConnectGetCapabilities");
    CHECK_CONTAINS(virGetLastErrorMessage(), "Own");
    CHECK_FAILS_NULL(virDomainDefineXML(conn, "<domain/>"), VIR_ERR_NO_SUPPORT);
    virConnectClose(conn);
}

TEST(a_table_that_does_not_fit_is_refused)
{
    static struct virDriver wrong[4];

    for (int i = 0; i < 4; i++)
        wrong[i] = driverOwn;
    wrong[0].version = VIRT_DRIVER_VERSION + 1;
    wrong[1].name = NULL;
    wrong[2].schemes = NULL;
    wrong[3].open = NULL;
    for (int i = 0; i < 4; i++) {
        harnessContext("table %d", i);
        CHECK_FAILS(virRegisterDriver(&wrong[i]), VIR_ERR_INVALID_ARG);
    }
    CHECK_FAILS(virRegisterDriver(NULL), VIR_ERR_INVALID_ARG);
}

#undef VIRT_FROM
