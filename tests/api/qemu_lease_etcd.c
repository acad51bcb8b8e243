/*
 * Real guests with their leases in etcd, as an application has them: a guest outlives those who manage it and keeps its lease, and does what
 * its document says when the lease cannot be kept. The keepers themselves: tests/unit/lock_etcd.c.
 */
#include "../../virt.h"
#include "../etcd_server.h"
#include "../harness.h"
#include "../counting.h"
#include "../qemu_guest.h"

#define TTL 3                               /* s */

static struct etcdServer server;
static char serial[1024];

static virConnectPtr
openHost(char name)
{
    char uri[1200];

    needsQemu();
    needsEtcd();
    if (server.pid == 0)
        etcdStart(&server);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s&lock-owner=%c&lock=etcd:http://127.0.0.1:%d/tests%%3Fttl%%3D%d", scratchRoot("host-%c", name),
             name, server.port, TTL);
    return virConnectOpen(uri);
}

static virDomainPtr
startGuest(virConnectPtr conn, const char *onLockFailure)
{
    virDomainPtr domain;
    char xml[9000], *at;
    const char *plain;

    snprintf(serial, sizeof(serial), "%s", scratchPath("serial"));
    plain = countingDocument("guest", guestImage("light.img"), serial, 64);
    CHECK_NOT_NULL(at = strstr(plain, "<devices>"));
    snprintf(xml, sizeof(xml), "%.*s<on_lockfailure>%s</on_lockfailure>%s", (int)(at - plain), plain, onLockFailure, at);
    CHECK_PTR(domain = virDomainDefineXML(conn, xml));
    CHECK_OK(virDomainCreate(domain));
    countingGoesOn(serial);
    return domain;
}

TEST(a_guest_keeps_its_lease_whoever_manages_it)
{
    virConnectPtr a, b;
    virDomainPtr guest, other;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    guest = startGuest(a, "poweroff");
    other = defineSame(b, guest);
    CHECK_FAILS(virDomainCreate(other), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "domain 'guest' belongs to host 'a'");
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    harnessSleepMs(TTL * 1500);
    CHECK_FAILS(virDomainCreate(other), VIR_ERR_RESOURCE_BUSY);
    countingGoesOn(serial);
    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(guest = virDomainLookupByName(a, "guest"));
    CHECK_OK(virDomainSuspend(guest));
    CHECK_OK(virDomainResume(guest));
    CHECK_OK(virDomainDestroy(guest));
    CHECK_OK(virDomainCreate(other));
    CHECK_FAILS(virDomainCreate(guest), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virDomainDestroy(other));
    /* at once again, with the keeper of the last one perhaps not gone */
    for (int i = 0; i < 3; i++) {
        CHECK_OK(virDomainCreate(guest));
        CHECK_OK(virDomainDestroy(guest));
    }
    virDomainFree(guest);
    virDomainFree(other);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
    WAIT_FOR(countProcesses(NULL, 0) == 1, TTL * 1000);          /* etcd */
}

TEST(a_guest_without_its_lease_is_powered_off)
{
    virConnectPtr a, b;
    virDomainPtr guest, other;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    guest = startGuest(a, "poweroff");
    other = defineSame(b, guest);
    harnessStop(server.pid);
    WAIT_FOR(stateOf(guest) == VIR_DOMAIN_SHUTOFF, TTL * 4000);
    CHECK(virDomainCreate(guest) < 0);
    CHECK_CONTAINS(virGetLastErrorMessage(), "etcd:http://127.0.0.1");
    kill(server.pid, SIGCONT);
    WAIT_FOR(virDomainCreate(other) == 0, TTL * 4000);
    CHECK_OK(virDomainDestroy(other));
    virDomainFree(guest);
    virDomainFree(other);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}

TEST(a_guest_that_was_paused_goes_on_when_its_lease_is_back)
{
    virConnectPtr a;
    virDomainPtr guest;

    CHECK_PTR(a = openHost('a'));
    guest = startGuest(a, "pause");
    harnessStop(server.pid);
    WAIT_FOR(stateOf(guest) == VIR_DOMAIN_PAUSED, TTL * 1000);
    CHECK(virDomainResume(guest) < 0);
    CHECK_INT(stateOf(guest), VIR_DOMAIN_PAUSED);
    kill(server.pid, SIGCONT);
    WAIT_FOR(virDomainResume(guest) == 0, TTL * 4000);
    countingGoesOn(serial);
    CHECK_INT(stateOf(guest), VIR_DOMAIN_RUNNING);
    CHECK_OK(virDomainDestroy(guest));
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
}

TEST(a_live_migration_takes_the_lease_along)
{
    virConnectPtr a, b;
    virDomainPtr guest, moved;

    CHECK_PTR(a = openHost('a'));
    CHECK_PTR(b = openHost('b'));
    guest = startGuest(a, "poweroff");
    CHECK_PTR(moved = virDomainMigrate(guest, b, VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST, NULL, NULL, 0));
    countingGoesOn(serial);
    CHECK(virDomainCreate(guest) < 0);
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_RESOURCE_BUSY);
    CHECK_CONTAINS(virGetLastErrorMessage(), "host 'b'");
    harnessSleepMs(TTL * 1500);
    countingGoesOn(serial);
    harnessStop(server.pid);
    WAIT_FOR(stateOf(moved) == VIR_DOMAIN_SHUTOFF, TTL * 4000);
    kill(server.pid, SIGCONT);
    virDomainFree(moved);
    virDomainFree(guest);
    CHECK_INT(virConnectClose(a), 0);
    CHECK_INT(virConnectClose(b), 0);
}
