/*
 * Streams through a server: the tests of api/stream, and what only a connection can do to a stream: much data and a slow reader, clients and
 * servers that are killed.
 */
#include "../../virt.h"
#include "../harness.h"

#if defined VIRT_WITH_REMOTE && VIRT_WITH_REMOTE && !defined _WIN32

#define STREAM_REMOTE
#include "stream.c"

/* kB that a process has in memory. */
static long
resident(pid_t pid)
{
    char path[64], line[256];
    long kb = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    CHECK_PTR(file = fopen(path, "r"));
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    fclose(file);
    return kb;
}

enum { LARGE = 64 << 20 };

static void *
sendLarge(void *opaque)
{
    static char data[200000];
    int sent;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i % 251);
    for (size_t all = 0; all < LARGE; all += (size_t)sent) {
        size_t at = all % 251, n = sizeof(data) - at < LARGE - all ? sizeof(data) - at : LARGE - all;

        CHECK((sent = virStreamSend(opaque, data + at, n)) > 0);
    }
    return NULL;
}

static void
echoLarge(void)
{
    static char data[100000];
    pthread_t sender;
    virStreamPtr stream;
    long ours, theirs;
    size_t all = 0;
    int got;

    openGuest();
    stream = openConsole(0, 0);
    ours = resident(getpid());
    theirs = resident(server);
    CHECK_INT(pthread_create(&sender, NULL, sendLarge, stream), 0);
    harnessSleepMs(200);              /* the reader is late */
    while (all < LARGE) {
        CHECK((got = virStreamRecv(stream, data, sizeof(data))) > 0);
        for (int i = 0; i < got; i++)
            if ((unsigned char)data[i] != (all + (size_t)i) % 251)
                FAIL("byte %zu is %d", all + (size_t)i, (unsigned char)data[i]);
        all += (size_t)got;
        if (all / (8 << 20) != (all - (size_t)got) / (8 << 20)) {
            harnessSleepMs(20);       /* and slow */
            if (harnessIsSanitized())
                continue;             /* that keeps what was freed */
            CHECK(resident(getpid()) < ours + (16 << 10));
            CHECK(resident(server) < theirs + (16 << 10));
        }
    }
    CHECK_INT(pthread_join(sender, NULL), 0);
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST_LIMIT(much_data_needs_little_memory, 300)
{
    serverHasLoop = true;
    echoLarge();
}

TEST_LIMIT(a_server_without_a_loop_does_it_as_well, 300)
{
    virStreamPtr stream;
    pthread_t sender;
    static char data[100000];
    int got, all = 0;

    openGuest();
    stream = openConsole(0, 0);
    CHECK_INT(pthread_create(&sender, NULL, sendMany, stream), 0);
    for (; all < MANY; all += got)
        CHECK((got = virStreamRecv(stream, data, sizeof(data))) > 0);
    pthread_join(sender, NULL);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST_LIMIT(a_read_waits_longer_than_an_answer_may_take, 120)
{
    virStreamPtr stream;
    char data[8];

    serverHasLoop = true;
    openGuest();
    stream = openConsole(VIR_STREAM_NONBLOCK, 0);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), -2);
    for (int i = 0; i < 115; i++) {
        CHECK_INT(virStreamRecv(stream, data, sizeof(data)), -2);
        harnessSleepMs(100);
    }
    CHECK_INT(virStreamSend(stream, "late", 4), 4);
    CHECK_INT(soon(stream, data, sizeof(data)), 4);
    CHECK_MEM(data, "late", 4);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_server_that_is_killed_ends_the_stream)
{
    virStreamPtr stream;
    char data[8];

    CHECK_PTR(conn = connect1(false));
    CHECK_PTR(guest = virDomainLookupByName(conn, "test"));
    stream = openConsole(0, 0);
    CHECK_INT(virStreamSend(stream, "x", 1), 1);
    serverKill(server);
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_RPC);
    CHECK_CONTAINS(virGetLastErrorMessage(), "the connection to the server was lost, and the stream with it");
    CHECK_FAILS(virStreamRecv(stream, data, sizeof(data)), VIR_ERR_RPC);
    CHECK_FAILS(virStreamFinish(stream), VIR_ERR_RPC);
    CHECK_OK(virStreamAbort(stream));
    CHECK_OK(virStreamFree(stream));
    server = serverStart();           /* the connection goes on, and has streams again */
    stream = openConsole(0, 0);
    CHECK_INT(virStreamSend(stream, "y", 1), 1);
    CHECK_INT(virStreamRecv(stream, data, sizeof(data)), 1);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_client_that_is_killed_leaves_its_console)
{
    virStreamPtr stream;
    int pipes[2];
    char byte;
    pid_t child;
    int rc = -1;

    server = serverStart();
    CHECK_OK(pipe(pipes));
    if ((child = fork()) == 0) {
        openGuest();
        openConsole(0, 0);
        if (write(pipes[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    CHECK_INT(read(pipes[0], &byte, 1), 1);
    openGuest();
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, stream, 0), VIR_ERR_OPERATION_FAILED);
    CHECK_OK(kill(child, SIGKILL));
    CHECK_INT(waitpid(child, NULL, 0), child);
    WAIT_FOR((rc = virDomainOpenConsole(guest, NULL, stream, 0)) == 0, 5000);
    CHECK_OK(virStreamFree(stream));
    closeGuest();
}

TEST(a_client_has_as_many_streams_as_it_may_have)
{
    virStreamPtr streams[17];
    char *type;

    openGuest();
    for (int i = 0; i < 17; i++)
        CHECK_PTR(streams[i] = virStreamNew(conn, 0));
    for (int i = 0; i < 16; i++) {
        CHECK_PTR(type = virDomainScreenshot(guest, streams[i], 0, 0));
        free(type);
    }
    CHECK_FAILS_NULL(virDomainScreenshot(guest, streams[16], 0, 0), VIR_ERR_RESOURCE_BUSY);
    CHECK_OK(virStreamFinish(streams[3]));
    CHECK_PTR(type = virDomainScreenshot(guest, streams[16], 0, 0));
    free(type);
    for (int i = 0; i < 17; i++)
        CHECK_OK(virStreamFree(streams[i]));
    closeGuest();
}

#else

TEST(streams_through_a_server)
{
    SKIP("built without nanomsg");
}

#endif
