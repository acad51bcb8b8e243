/*
 * The two ends of a migration as objects of their own, for callers who carry what they say to each other by means of their own.
 *
 * The source is the one that goes from phase to phase, as virt.c says. Where a phase is the destination's it has a request to hand out, and
 * stays in the phase until the answer to it has come. The destination carries out what it is asked and hands out the answer. Neither
 * remembers what it has sent or got: a request that is lost is handed out again after a while, one that comes again is carried out
 * again, which the phases allow, and an answer to anything but the request of the moment is dropped. So messages may get lost, come twice,
 * late, or in another order.
 */
#include "migration.h"

#include <stdint.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_NONE

VIRT_INTERNAL void
virMigrationMessageFree(struct virMigrationMessage *message)
{
    if (message == NULL)
        return;
    virTypedParamsFree(message->params, message->nparams);
    virErrorClear(&message->error);
    free(message->name);
    free(message->uri);
    free(message->cookie);
    free(message);
}

virMigrationPtr
virMigrationNewDestination(virConnectPtr dconn)
{
    virMigrationPtr m;

    if (virCallOnConnect(__func__, dconn, true) == NULL)
        return NULL;
    if ((m = virMigrationMake(NULL, dconn, NULL, 0, 0)) == NULL)
        virErrorDispatch(dconn);
    else
        virMigrationEnter(m, VIR_MIGRATION_PHASE_PREPARE);
    return m;
}

/* ---- the source ---- */

static bool
virMigrationIsAsking(virMigrationPtr m)
{
    return m->ends == VIR_MIGRATION_ENDS_SOURCE
           && (m->phase == VIR_MIGRATION_PHASE_PREPARE || m->phase == VIR_MIGRATION_PHASE_FINISH || m->phase == VIR_MIGRATION_PHASE_CANCEL);
}

VIRT_INTERNAL enum virMigrationResult
virMigrationAskPeer(virMigrationPtr m, char **cookie)
{
    struct virMigrationMessage *answer;
    enum virMigrationResult result;

    pthread_mutex_lock(&m->lock);
    answer = m->inbox;
    m->inbox = NULL;
    pthread_mutex_unlock(&m->lock);
    if (answer == NULL || answer->phase != m->phase) {           /* none yet, or a late one to an earlier request */
        virMigrationMessageFree(answer);
        return VIR_MIGRATION_AGAIN;
    }
    result = answer->result;
    if (m->phase == VIR_MIGRATION_PHASE_CANCEL && !answer->started)
        result = VIR_MIGRATION_FAILED;           /* nothing of it is there: what was wanted */
    *cookie = answer->cookie;
    answer->cookie = NULL;
    if (m->phase == VIR_MIGRATION_PHASE_PREPARE && m->uri == NULL) {
        m->uri = answer->uri;
        answer->uri = NULL;
    }
    if (result == VIR_MIGRATION_FAILED && answer->error.code != VIR_ERR_OK)
        virSetLastError(&answer->error);
    else if (result == VIR_MIGRATION_FAILED)
        virReportError(VIR_ERR_OPERATION_FAILED, "the destination has failed in phase %s", virMigrationPhaseGetName(m->phase));
    virMigrationMessageFree(answer);
    return result;
}

/* ---- the destination ---- */

VIRT_INTERNAL void
virMigrationTakeRequest(virMigrationPtr m)
{
    struct virMigrationMessage *request = m->inbox;

    if (m->ends != VIR_MIGRATION_ENDS_DESTINATION || request == NULL || m->asked)
        return;
    m->inbox = NULL;
    snprintf(m->uuid, sizeof(m->uuid), "%s", request->uuid);
    virTypedParamsFree(m->params, m->nparams);
    m->params = request->params;
    m->nparams = request->nparams;
    request->params = NULL;
    request->nparams = 0;
    m->flags = request->flags;
    free(m->name);
    m->name = request->name;
    request->name = NULL;
    memcpy(m->guestUuid, request->guestUuid, sizeof(m->guestUuid));
    if (m->phase != request->phase)
        virMigrationEnter(m, request->phase);
    /* what the source's phase before gave stands where that would have left it */
    if (request->phase != VIR_MIGRATION_PHASE_CANCEL) {
        virMigrationPhase from = request->phase == VIR_MIGRATION_PHASE_PREPARE ? VIR_MIGRATION_PHASE_BEGIN : VIR_MIGRATION_PHASE_PERFORM;

        free(m->cookieOut[from]);
        m->cookieOut[from] = request->cookie;
        m->cookieIn[request->phase] = request->cookie;
        request->cookie = NULL;
    }
    m->asked = true;
    virMigrationMessageFree(request);
}

VIRT_INTERNAL void
virMigrationMakeReply(virMigrationPtr m, virMigrationPhase phase, enum virMigrationResult result, const char *cookie, const virError *error)
{
    struct virMigrationMessage reply = { .phase = phase, .reply = true, .result = result, .uri = m->uri, .cookie = (char *)(uintptr_t)cookie };

    memcpy(reply.uuid, m->uuid, sizeof(reply.uuid));
    reply.started = result == VIR_MIGRATION_DONE && phase != VIR_MIGRATION_PHASE_PREPARE;
    if (error != NULL)
        reply.error = *error;         /* lent, as the strings are */
    free(m->reply);
    m->reply = virMigrationFormatMessage(&reply);
    m->replyDue = m->reply != NULL;
}

/* ---- the stream ---- */

int
virMigrationSetStream(virMigrationPtr m, int fd)
{
    int rc = 0;

    if (!virMigrationIs(__func__, m))
        return -1;
    pthread_mutex_lock(&m->lock);
    if (fd < 0 || m->ends == VIR_MIGRATION_ENDS_BOTH || (m->phase != VIR_MIGRATION_PHASE_BEGIN && m->phase != VIR_MIGRATION_PHASE_PREPARE))
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "a stream (descriptor %d) can be given to a source or a destination alone, before it "
                            "transfers", fd);
    else
        m->stream = fd;
    pthread_mutex_unlock(&m->lock);
    if (rc < 0)
        virErrorDispatch(NULL);
    return rc;
}

/* ---- messages ---- */

int
virMigrationGetMessage(virMigrationPtr m, char **message)
{
    struct virMigrationMessage request = { 0 };
    unsigned long long now = virTimeNowUs();
    char *text = NULL;
    int rc = 0;

    if (!virMigrationIs(__func__, m))
        return -1;
    if (!virCallHas(__func__, message, "message")) {
        virErrorDispatch(NULL);
        return -1;
    }
    pthread_mutex_lock(&m->lock);
    if (m->ends == VIR_MIGRATION_ENDS_BOTH) {
        rc = virReportError(VIR_ERR_OPERATION_INVALID, "migration %s has both ends: they need no messages", m->uuid);
    } else if (m->replyDue && !m->stepping) {
        rc = (text = virStringCopy(m->reply)) != NULL ? 1 : -1;
        m->replyDue = rc < 0;
    } else if (virMigrationIsAsking(m) && !m->stepping && (!m->asked || now - m->sent >= VIR_MIGRATION_REPEAT * 1000ull)) {
        memcpy(request.uuid, m->uuid, sizeof(request.uuid));
        request.phase = m->phase;
        request.name = m->name;
        memcpy(request.guestUuid, m->guestUuid, sizeof(request.guestUuid));
        request.params = m->params;
        request.nparams = m->nparams;
        request.flags = m->flags & ~(unsigned int)(VIRT_MIGRATE_CARRIER_FLAGS | VIRT_MIGRATE_SOURCE_FLAGS);
        request.cookie = (char *)(uintptr_t)m->cookieIn[m->phase];
        if ((text = virMigrationFormatMessage(&request)) == NULL) {
            rc = -1;
        } else {
            rc = 1;
            m->sent = now;
            m->asked = true;
            if (m->entered == 0)
                m->entered = now;
        }
    }
    pthread_mutex_unlock(&m->lock);
    if (rc > 0)
        *message = text;
    else if (rc < 0)
        virErrorDispatch(NULL);
    return rc;
}

/* Whether a message is meant for this end of this migration. With m->lock held. */
static int
virMigrationCheckMessage(virMigrationPtr m, struct virMigrationMessage *message)
{
    if (m->ends == VIR_MIGRATION_ENDS_BOTH)
        return virReportError(VIR_ERR_OPERATION_INVALID, "migration %s has both ends: they need no messages", m->uuid);
    if (message->reply != (m->ends == VIR_MIGRATION_ENDS_SOURCE))
        return virReportError(VIR_ERR_INVALID_ARG, "the message is a %s, which is not for this end", message->reply ? "reply" : "request");
    if (m->uuid[0] != '\0' && strcmp(m->uuid, message->uuid) != 0)
        return virReportError(VIR_ERR_INVALID_ARG, "the message is of migration %s, not of %s", message->uuid, m->uuid);
    if (message->reply)
        return 0;
    if (virMigrationCheckFlags(message->flags) < 0)
        return -1;
    return virMigrationCheckParams(message->params, (unsigned int)message->nparams);
}

int
virMigrationPutMessage(virMigrationPtr m, const char *message)
{
    struct virMigrationMessage *parsed;
    int rc;

    if (!virMigrationIs(__func__, m))
        return -1;
    if (!virCallHas(__func__, message, "message") || (parsed = virMigrationParseMessage(message)) == NULL) {
        virErrorDispatch(NULL);
        return -1;
    }
    pthread_mutex_lock(&m->lock);
    if ((rc = virMigrationCheckMessage(m, parsed)) == 0) {
        virMigrationMessageFree(m->inbox);       /* it will be sent again, if it matters */
        m->inbox = parsed;
        parsed = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    virMigrationMessageFree(parsed);
    if (rc < 0)
        virErrorDispatch(NULL);
    return rc;
}

#undef VIRT_FROM
