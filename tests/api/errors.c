/* Errors as virt.h has them: one per thread, one per connection, handlers, and nothing printed. */
#include "../../virt.h"
#include "../harness.h"
#include <pthread.h>
#include <unistd.h>

static void
errorsMake(void)
{
    CHECK(virDomainFree(NULL) < 0);
}

TEST(a_failure_is_remembered_until_the_next_success)
{
    virConnectPtr conn;

    CHECK_NULL(virGetLastError());
    CHECK_STR(virGetLastErrorMessage(), "no error");
    errorsMake();
    CHECK_NOT_NULL(virGetLastError());
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_INVALID_DOMAIN);
    CHECK_INT(virGetLastError()->code, VIR_ERR_INVALID_DOMAIN);
    CHECK_INT(virGetLastError()->level, VIR_ERR_ERROR);
    CHECK_INT(virGetLastErrorDomain(), virGetLastError()->domain);
    CHECK_STR(virGetLastErrorMessage(), virGetLastError()->message);
    CHECK_PTR(conn = virConnectOpen("test:///default"));
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_OK);
    CHECK_NULL(virGetLastError());
    errorsMake();
    virResetLastError();
    CHECK_NULL(virGetLastError());
    virConnectClose(conn);
}

TEST(an_error_can_be_kept)
{
    virErrorPtr saved;
    virError copy = { 0 };

    errorsMake();
    CHECK_NOT_NULL(saved = virSaveLastError());
    CHECK_INT(virCopyLastError(&copy), VIR_ERR_INVALID_DOMAIN);
    virResetLastError();
    CHECK_INT(saved->code, VIR_ERR_INVALID_DOMAIN);
    CHECK_INT(copy.code, VIR_ERR_INVALID_DOMAIN);
    CHECK_STR(copy.message, saved->message);
    virFreeError(saved);
    virFreeError(NULL);
    virResetError(&copy);
    CHECK_NULL(copy.message);
    CHECK_INT(copy.code, VIR_ERR_OK);
    CHECK_INT(virCopyLastError(&copy), 0);
    CHECK_NOT_NULL(saved = virSaveLastError());
    CHECK_INT(saved->code, VIR_ERR_OK);
    virFreeError(saved);
}

static void *
errorsOfAnotherThread(void *opaque)
{
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_OK);
    CHECK(virConnectClose(NULL) < 0);
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_INVALID_CONN);
    return opaque;
}

TEST(each_thread_has_its_own)
{
    pthread_t thread;

    errorsMake();
    CHECK_INT(pthread_create(&thread, NULL, errorsOfAnotherThread, NULL), 0);
    pthread_join(thread, NULL);
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_INVALID_DOMAIN);
}

static int errorsSeen[2];

static void
errorsCount(void *userData, virErrorPtr error)
{
    errorsSeen[userData != NULL]++;
    CHECK(error->code != VIR_ERR_OK);
}

TEST(handlers_get_every_error_and_the_connections_own_comes_first)
{
    virConnectPtr conn;
    virError copy = { 0 };

    CHECK_PTR(conn = virConnectOpen("test:///default"));
    virSetErrorFunc(NULL, errorsCount);
    errorsMake();
    CHECK_INT(errorsSeen[0], 1);
    CHECK_NULL(virDomainLookupByName(conn, "nobody"));
    CHECK_INT(errorsSeen[0], 2);
    virConnSetErrorFunc(conn, errorsSeen, errorsCount);
    CHECK_NULL(virDomainLookupByName(conn, "nobody"));
    CHECK_INT(errorsSeen[0], 2);
    CHECK_INT(errorsSeen[1], 1);
    CHECK_NOT_NULL(virConnGetLastError(conn));
    CHECK_INT(virConnGetLastError(conn)->code, VIR_ERR_NO_DOMAIN);
    CHECK_INT(virConnCopyLastError(conn, &copy), VIR_ERR_NO_DOMAIN);
    virResetError(&copy);
    virConnResetLastError(conn);
    CHECK_INT(virConnCopyLastError(conn, &copy), 0);
    CHECK_INT(virConnCopyLastError(NULL, &copy), -1);
    virConnSetErrorFunc(conn, NULL, NULL);
    virSetErrorFunc(NULL, NULL);
    errorsMake();
    CHECK_INT(errorsSeen[0], 2);
    virConnectClose(conn);
}

TEST(nothing_is_printed_unless_asked)
{
    FILE *saved = stderr, *file;
    char *text;
    int fd = dup(2);

    fflush(stderr);
    CHECK_NOT_NULL(file = freopen(scratchPath("stderr"), "w", saved));
    errorsMake();
    CHECK_NULL(virConnectOpen("nosuch:///thing"));
    fflush(stderr);
    text = readFile(scratchPath("stderr"));
    CHECK_STR(text, "");
    free(text);
    virDefaultErrorFunc(virGetLastError());
    fflush(stderr);
    text = readFile(scratchPath("stderr"));
    CHECK_CONTAINS(text, "libvirt: ");
    CHECK_CONTAINS(text, virGetLastErrorMessage());
    free(text);
    dup2(fd, 2);
    close(fd);
}

static int errorsLogged;

static void
errorsLog(int priority, const char *source, const char *message, void *opaque)
{
    CHECK(priority >= 1 && priority <= 4);
    CHECK_NOT_NULL(source);
    CHECK_NOT_NULL(message);
    CHECK(opaque == &errorsLogged);
    errorsLogged++;
}

TEST(the_log_goes_where_it_is_sent_and_stops_when_told)
{
    int before;

    virSetLogFunc(errorsLog, &errorsLogged);
    errorsMake();
    virConnectClose(virConnectOpen("test:///default"));
    before = errorsLogged;
    virSetLogFunc(NULL, NULL);
    errorsMake();
    CHECK_INT(errorsLogged, before);
}
