/*
 * The harness and its faults, tested: a test that cannot fail is a defect. Half of these have to
 * fail; tests/build.sh compares the program's last line with what it must be.
 *
 * It needs nothing of virt: the few functions that fault.h calls are stood in for.
 */
#include "fault.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int selfError;

static int
virGetLastErrorCode(void)
{
    return selfError;
}

static const char *
virGetLastErrorMessage(void)
{
    return selfError != 0 ? "error" : "no error";
}

static void
virResetLastError(void)
{
    selfError = 0;
}

static int
virDomainFree(void *domain)
{
    (void)domain;
    selfError = 1;
    return -1;
}

static int
selfFails(void)
{
    selfError = 1;
    return -1;
}

/* ---- these pass ---- */

TEST(passes)
{
    char *text;

    writeFile(scratchPath("file"), "text");
    text = readFile(scratchPath("file"));
    CHECK_STR(text, "text");
    free(text);
    CHECK_INT(countProcesses(NULL, 0), 0);
    CHECK_FAILS(selfFails(), 1);
}

TEST_LEAVES_PROCESSES(passes_and_may_leave_processes)
{
    if (fork() == 0) {
        setsid();
        sleep(100);
    }
    WAIT_FOR(countProcesses(NULL, 0) == 1, 1000);
}

static int
selfCareful(void *opaque)
{
    char *one = malloc(10), *two = opaque;

    if (one == NULL)
        return selfFails();
    if (asprintf(&two, "%d", 1) < 0) {
        free(one);
        return selfFails();
    }
    free(one);
    free(two);
    return 0;
}

TEST(passes_when_every_allocation_fails)
{
    FAULT_EACH_ALLOCATION(selfCareful, NULL);
}

/* ---- these fail ---- */

TEST(fails_a_number)
{
    CHECK_INT(1, 2);
}

TEST(fails_a_string)
{
    CHECK_STR("text", NULL);
}

TEST(fails_by_a_signal)
{
    raise(SIGKILL);
}

TEST(fails_by_a_note)
{
    EXPECT(1 == 2, "%d is not %d", 1, 2);
}

TEST_LIMIT(fails_for_taking_too_long, 1)
{
    for (;;)
        pause();
}

TEST(fails_for_an_orphan)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            setsid();
            sleep(100);
        }
        _exit(0);
    }
    harnessSleepMs(100);
}

static int
selfLeaks(void *opaque)
{
    char *one = malloc(10), *two;

    (void)opaque;
    if (one == NULL)
        return selfFails();
    if ((two = malloc(10)) == NULL)
        return selfFails();
    free(one);
    free(two);
    return 0;
}

TEST(fails_for_a_leak_when_an_allocation_fails)
{
    FAULT_EACH_ALLOCATION(selfLeaks, NULL);
}

static int
selfCrashes(void *opaque)
{
    volatile char *text = malloc(10);

    (void)opaque;
    text[0] = 'x';
    free((void *)text);
    return 0;
}

TEST(fails_for_a_crash_when_an_allocation_fails)
{
    FAULT_EACH_ALLOCATION(selfCrashes, NULL);
}

static int
selfSilent(void *opaque)
{
    char *text = strdup("text");

    (void)opaque;
    if (text == NULL)
        return -1;
    free(text);
    return 0;
}

TEST(fails_for_a_failure_without_an_error)
{
    FAULT_EACH_ALLOCATION(selfSilent, NULL);
}

static int
selfKeepsOpen(void *opaque)
{
    int one = open("/dev/null", O_RDONLY), two;

    (void)opaque;
    if (one < 0)
        return selfFails();
    if ((two = open("/dev/null", O_RDONLY)) < 0)
        return selfFails();
    close(one);
    close(two);
    return 0;
}

TEST(fails_for_a_descriptor_left_open)
{
    FAULT_EACH(FAULT_OPEN, selfKeepsOpen, NULL);
}

TEST(is_skipped)
{
    SKIP("to be counted");
}
