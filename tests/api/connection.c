/* Connections: opened in every way, asked everything, refused what they must refuse. */
#include "../../virt.h"
#include "../harness.h"

TEST(versions_are_those_of_the_header)
{
    virConnectPtr conn;
    unsigned long version = 0, type = 0;

    CHECK_OK(virInitialize());
    CHECK_OK(virInitialize());
    CHECK_OK(virGetVersion(&version, NULL, NULL));
    CHECK_INT(version, LIBVIR_VERSION_NUMBER);
    CHECK_OK(virGetVersion(&version, "TEST", &type));
    CHECK_INT(type, LIBVIR_VERSION_NUMBER);
    CHECK_PTR(conn = virConnectOpen("test:///default"));
    version = 0;
    CHECK_OK(virConnectGetLibVersion(conn, &version));
    CHECK_INT(version, LIBVIR_VERSION_NUMBER);
    CHECK_OK(virConnectGetVersion(conn, &version));
    virConnectClose(conn);
}

TEST(references_are_counted)
{
    virConnectPtr conn;
    virDomainPtr domain;

    CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_OK(virConnectRef(conn));
    CHECK_INT(virConnectClose(conn), 1);
    CHECK_PTR(domain = virDomainLookupByName(conn, "test"));
    CHECK(virDomainGetConnect(domain) == conn);
    CHECK_OK(virDomainRef(domain));
    CHECK(virConnectClose(conn) > 0);           /* the domain keeps it */
    CHECK_STR(virDomainGetName(domain), "test");
    CHECK_OK(virDomainFree(domain));
    CHECK_OK(virDomainFree(domain));
    CHECK_FAILS(virConnectClose(NULL), VIR_ERR_INVALID_CONN);
}

TEST(a_local_connection_is_alive_and_secure_and_never_encrypted)
{
    virConnectPtr conn;
    char *text;

    CHECK_PTR(conn = virConnectOpenAuth("test:///default", virConnectAuthPtrDefault, 0));
    CHECK_INT(virConnectIsAlive(conn), 1);
    CHECK_INT(virConnectIsSecure(conn), 1);
    CHECK_INT(virConnectIsEncrypted(conn), 0);
    CHECK_FAILS(virConnectSetKeepAlive(conn, 5, 3), VIR_ERR_NO_SUPPORT);    /* as libvirt's: there is nobody to ask */
    CHECK_STR(virConnectGetType(conn), "TEST");
    CHECK_PTR(text = virConnectGetURI(conn));
    CHECK_STR(text, "test:///default");
    free(text);
    CHECK_PTR(text = virConnectGetHostname(conn));
    CHECK(*text != '\0');
    free(text);
    CHECK_PTR(text = virConnectGetCapabilities(conn));
    CHECK_CONTAINS(text, "<capabilities>");
    free(text);
    CHECK_INT(virConnectClose(conn), 0);
}

TEST(what_no_driver_takes_is_refused)
{
    CHECK_FAILS_NULL(virConnectOpen("nosuch:///system"), VIR_ERR_NO_CONNECT);
    CHECK_FAILS_NULL(virConnectOpen("not a uri at all"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virConnectOpenAuth("test:///default", NULL, 1u << 20), VIR_ERR_INVALID_ARG);
}

TEST(the_environment_names_the_default)
{
    virConnectPtr conn;

    setenv("LIBVIRT_DEFAULT_URI", "test:///default", 1);
    CHECK_PTR(conn = virConnectOpen(NULL));
    CHECK_STR(virConnectGetType(conn), "TEST");
    virConnectClose(conn);
}

TEST(read_only_looks_and_touches_nothing)
{
    virConnectPtr conn;
    virDomainPtr domain;
    virDomainInfo info;
    char *xml;

    CHECK_PTR(conn = virConnectOpenReadOnly("test:///default"));
    CHECK_PTR(domain = virDomainLookupByID(conn, 1));
    CHECK_OK(virDomainGetInfo(domain, &info));
    CHECK_PTR(xml = virDomainGetXMLDesc(domain, 0));
    CHECK_FAILS_NULL(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_SECURE), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainSuspend(domain), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainDestroyFlags(domain, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainShutdownFlags(domain, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainUndefineFlags(domain, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainAbortJob(domain), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainAbortJobFlags(domain, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS_NULL(virDomainDefineXMLFlags(conn, xml, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS_NULL(virDomainCreateLinux(conn, xml, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainMigrateSetMaxSpeed(domain, 1, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainMigrateSetMaxDowntime(domain, 1, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainMigrateSetCompressionCache(domain, 1, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainMigrateToURI(domain, "test:///default", 0, NULL, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainMigrateToURI2(domain, "test:///default", NULL, NULL, 0, NULL, 0),
                VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS(virDomainMigrateToURI3(domain, "test:///default", NULL, 0, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS_NULL(virDomainMigrate(domain, conn, 0, NULL, NULL, 0), VIR_ERR_OPERATION_DENIED);
    CHECK_FAILS_NULL(virDomainMigrate2(domain, conn, NULL, 0, NULL, NULL, 0), VIR_ERR_OPERATION_DENIED);
    free(xml);
    virDomainFree(domain);
    CHECK_INT(virConnectClose(conn), 0);
}

static int connectionFreed;

static void
connectionBroke(virConnectPtr conn, int reason, void *opaque)
{
    (void)conn;
    (void)opaque;
    FAIL("broke for reason %d", reason);
}

static void
connectionOther(virConnectPtr conn, int reason, void *opaque)
{
    connectionBroke(conn, reason, opaque);
}

static void
connectionFree(void *opaque)
{
    (void)opaque;
    connectionFreed++;
}

TEST(one_close_callback_and_it_is_given_back)
{
    virConnectPtr conn;

    CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_OK(virConnectRegisterCloseCallback(conn, connectionBroke, NULL, connectionFree));
    CHECK_FAILS(virConnectRegisterCloseCallback(conn, connectionBroke, NULL, NULL),
                VIR_ERR_OPERATION_INVALID);
    CHECK_FAILS(virConnectUnregisterCloseCallback(conn, connectionOther), VIR_ERR_OPERATION_INVALID);
    CHECK_OK(virConnectUnregisterCloseCallback(conn, connectionBroke));
    CHECK_INT(connectionFreed, 1);
    CHECK_OK(virConnectRegisterCloseCallback(conn, connectionBroke, NULL, connectionFree));
    CHECK_INT(virConnectClose(conn), 0);
    CHECK_INT(connectionFreed, 2);
}

TEST(the_same_guest_by_every_key)
{
    virConnectPtr conn;
    virDomainPtr one, two;
    unsigned char uuid[VIR_UUID_BUFLEN], same[VIR_UUID_BUFLEN];
    char text[VIR_UUID_STRING_BUFLEN];

    CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_PTR(one = virDomainLookupByName(conn, "test"));
    CHECK_OK(virDomainGetUUID(one, uuid));
    CHECK_OK(virDomainGetUUIDString(one, text));
    CHECK_PTR(two = virDomainLookupByUUID(conn, uuid));
    CHECK_OK(virDomainGetUUID(two, same));
    CHECK_MEM(same, uuid, VIR_UUID_BUFLEN);
    virDomainFree(two);
    CHECK_PTR(two = virDomainLookupByUUIDString(conn, text));
    CHECK_STR(virDomainGetName(two), "test");
    virDomainFree(two);
    CHECK_FAILS_NULL(virDomainLookupByUUIDString(conn, "no uuid"), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virDomainLookupByID(conn, 999), VIR_ERR_NO_DOMAIN);
    virDomainFree(one);
    virConnectClose(conn);
}
