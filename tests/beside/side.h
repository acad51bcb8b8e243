/*
 * One side of the program: what ours.c does with virt and theirs.c with libvirt, from the same source, at the same time.
 *
 * Whoever includes it has included the header of its library. The answers are plain values, because the two headers
 * cannot meet in one file.
 */
#ifndef TESTS_BESIDE_SIDE_H
#define TESTS_BESIDE_SIDE_H

#include "beside.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sideXml[] =
    "<domain type='test'><name>guest</name><memory unit='MiB'>64</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>";

static bool
sideFailed(struct answers *answers, const char *what)
{
    snprintf(answers->failure, sizeof(answers->failure), "%s: %s", what, virGetLastErrorMessage());
    return false;
}

static void
sideQuiet(void *opaque, virErrorPtr error)
{
    (void)opaque;
    (void)error;
}

static int
sideEvent(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    struct answers *answers = opaque;

    (void)conn;
    (void)detail;
    if (answers->nevents < ANSWER_EVENTS)
        snprintf(answers->events[answers->nevents++], sizeof(answers->events[0]), "%s %d", virDomainGetName(domain), event);
    return 0;
}

static void *
sideAsk(void *opaque)
{
    virDomainPtr domain = opaque;
    virDomainInfo info;
    size_t good = 0;

    for (int i = 0; i < 2000; i++)
        good += virDomainGetInfo(domain, &info) == 0 && info.nrVirtCpu == 2;
    virDomainFree(domain);
    return (void *)good;
}

static void
sideTick(int timer, void *opaque)
{
    (void)timer;
    (*(int *)opaque)++;
}

/* A guest's life, while two other threads ask about it. */
static bool
sideLive(virConnectPtr conn, struct answers *answers)
{
    virDomainPtr domain = virDomainDefineXML(conn, sideXml);
    pthread_t threads[2];
    void *good;

    if (domain == NULL || virDomainCreate(domain) < 0)
        return sideFailed(answers, "start");
    for (int i = 0; i < 2; i++)
        if (virDomainRef(domain) < 0 || pthread_create(&threads[i], NULL, sideAsk, domain) != 0)
            abort();
    if (virDomainSuspend(domain) < 0 || virDomainResume(domain) < 0)
        sideFailed(answers, "suspend and resume");
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &good);
        answers->asked += (size_t)good;
    }
    answers->guests = virConnectNumOfDomains(conn);
    if (virDomainDestroy(domain) < 0 || virDomainUndefine(domain) < 0)
        sideFailed(answers, "destroy and undefine");
    virDomainFree(domain);
    return answers->failure[0] == '\0';
}

static bool
sideLook(virConnectPtr conn, struct answers *answers)
{
    virDomainPtr domain = virDomainLookupByName(conn, "test");
    virDomainInfo info;

    if (domain == NULL || virDomainGetInfo(domain, &info) < 0 || virDomainGetUUIDString(domain, answers->uuid) < 0)
        return sideFailed(answers, "the guest 'test'");
    answers->memory = info.memory;
    answers->vcpus = info.nrVirtCpu;
    answers->state = info.state;
    virDomainFree(domain);
    snprintf(answers->type, sizeof(answers->type), "%s", virConnectGetType(conn));
    if (virDomainLookupByName(conn, answers->absent) != NULL || (answers->error = virGetLastErrorCode()) == 0)
        return sideFailed(answers, "a guest that is not there");
    snprintf(answers->message, sizeof(answers->message), "%s", virGetLastErrorMessage());
    return true;
}

/* Its own connection, its own default loop; started in a thread of its own. */
static void *
sideRun(void *opaque)
{
    struct answers *answers = opaque;
    virConnectPtr conn;
    int callback, ticks = 0;

    virSetErrorFunc(NULL, sideQuiet);           /* libvirt writes to stderr otherwise */
    if (virInitialize() < 0 || virGetVersion(&answers->version, NULL, NULL) < 0 || virEventRegisterDefaultImpl() < 0 ||
        virEventAddTimeout(2, sideTick, &ticks, NULL) < 0 || (conn = virConnectOpen("test:///default")) == NULL) {
        sideFailed(answers, "open");
        return NULL;
    }
    callback = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                VIR_DOMAIN_EVENT_CALLBACK(sideEvent), answers, NULL);
    if (callback < 0)
        sideFailed(answers, "register for events");
    else if (sideLook(conn, answers) && sideLive(conn, answers))
        while (answers->nevents < ANSWER_EVENTS && ticks < 2000)
            if (virEventRunDefaultImpl() < 0)
                break;
    if (callback >= 0 && virConnectDomainEventDeregisterAny(conn, callback) < 0)
        sideFailed(answers, "deregister");
    answers->closed = virConnectClose(conn);
    return NULL;
}

#endif
