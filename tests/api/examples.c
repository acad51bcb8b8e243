/*
 * The programs of examples/ and the one on README's first screen do what they say they do. They were built by the Makefile, README's by this test
 * with the command that README gives.
 */
#include "../../virt.h"
#include "../harness.h"
#include "../qemu_guest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static const char *
exampleCommand(const char *arguments)
{
    static char command[1024];
    const char *folder = getenv("VIRT_TEST_EXAMPLES");

    snprintf(command, sizeof(command), "timeout 60 %s/%s 2>&1", folder != NULL ? folder : "build/examples", arguments);
    return command;
}

static char *
runExample(const char *arguments, int expected)
{
    char *output;

    CHECK_MSG(runShell(exampleCommand(arguments), &output) == expected, "%s: %s", arguments, output);
    return output;
}

TEST(hello_lists_the_guest_of_the_test_driver)
{
    char *output = runExample("hello", 0);

    CHECK_CONTAINS(output, "test                 running    2048 MiB");
    free(output);
    output = runExample("hello nothing:///", 1);
    CHECK_CONTAINS(output, "nothing:///");
    free(output);
}

TEST(lifecycle_goes_through_all_states)
{
    char *output = runExample("lifecycle", 0);

    CHECK_STR(output, "define     shut off\ncreate     running\nsuspend    paused\nresume     running\ndestroy    shut off\n");
    free(output);
}

TEST(lifecycle_does_so_with_a_real_qemu)
{
    char arguments[512], *output;

    needsQemu();
    snprintf(arguments, sizeof(arguments), "lifecycle qemu:///embed?root=%s", scratchRoot("root"));
    output = runExample(arguments, 0);
    CHECK_CONTAINS(output, "destroy    shut off");
    free(output);
}

TEST(events_hears_of_a_start_and_an_end)
{
    char *output = runExample("events", 0);

    CHECK_STR(output, "noisy: started (0)\nnoisy: stopped (1)\n");
    free(output);
}

TEST(console_gets_back_what_it_sent)
{
    char *output = runExample("console", 0);

    CHECK_STR(output, "hello, console\n");
    free(output);
    output = runExample("console test:///default nobody", 1);
    CHECK_CONTAINS(output, "nobody");
    free(output);
}

/*
 * The guest is ended from outside, and not before all of its words have been seen: what nobody has read yet when QEMU closes its end of the terminal,
 * the kernel throws away.
 */
TEST(console_shows_what_a_real_guest_writes_until_it_ends)
{
    char uri[512], xml[2048], command[1024], output[8192] = "", *at = output;
    virConnectPtr conn;
    virDomainPtr domain;
    FILE *console;

    needsQemu();
    needsPty();
    snprintf(command, sizeof(command), "tests/guest/mkguest --after 300 --then halt %s %s", buildPath("guest/counter.img"), scratchPath("guest.img"));
    CHECK_INT(runShell(command, NULL), 0);
    snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", scratchRoot("root"));
    snprintf(xml, sizeof(xml), "<domain type='qemu'><name>counts</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices><disk type='file' device='disk'>"
             "<driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/></disk><serial type='pty'/></devices></domain>",
             scratchPath("guest.img"));
    CHECK_PTR(conn = virConnectOpen(uri));
    CHECK_PTR(domain = virDomainCreateXML(conn, xml, 0));
    virDomainFree(domain);
    virConnectClose(conn);
    snprintf(command, sizeof(command), "console '%s' counts", uri);
    CHECK_NOT_NULL(console = popen(exampleCommand(command), "re"));
    while (strstr(at, "halt\r\n") == NULL) {
        at += strlen(at);
        CHECK_MSG(fgets(at, (int)(sizeof(output) - (size_t)(at - output)), console) != NULL, "it ended with: %s", output);
    }
    CHECK_CONTAINS(output, "298\r\n299\r\nhalt\r\n");
    CHECK_INT(kill(pidOf("root", "counts"), SIGTERM), 0);
    CHECK_NULL(fgets(xml, sizeof(xml), console));
    CHECK_INT(pclose(console), 0);
}

/* ---- virtsh console, on a terminal that the test plays ---- */

static int terminal;
static pid_t shell;

static void
startOnTerminal(const char *const *words)
{
    const char *name;
    int other;

    CHECK_OK(terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    CHECK_INT(grantpt(terminal), 0);
    CHECK_INT(unlockpt(terminal), 0);
    CHECK_NOT_NULL(name = ptsname(terminal));
    CHECK_OK(shell = fork());
    if (shell > 0)
        return;
    setsid();
    if ((other = open(name, O_RDWR)) < 0 || dup2(other, 0) < 0 || dup2(other, 1) < 0 || dup2(other, 2) < 0)
        _exit(99);
    execv(words[0], (char *const *)(const void *)words);
    _exit(98);
}

/* Reads from the terminal until the text has this word. */
static void
terminalSays(char *text, size_t size, const char *word)
{
    size_t length = strlen(text);
    struct pollfd fd = { .fd = terminal, .events = POLLIN };
    ssize_t n;

    while (strstr(text, word) == NULL) {
        CHECK_MSG(poll(&fd, 1, (int)harnessSlow(20000)) > 0, "no '%s' in: %s", word, text);
        CHECK_MSG((n = read(terminal, text + length, size - 1 - length)) > 0, "no '%s' in: %s", word, text);
        length += (size_t)n;
        text[length] = '\0';
    }
}

static void
consoleOnTerminal(const char *keys, int ended)
{
    const char *folder = getenv("VIRT_TEST_EXAMPLES");
    struct termios before, during, after;
    char program[1024], text[8192] = "";
    int status;

    needsPty();
    snprintf(program, sizeof(program), "%s/virtsh", folder != NULL ? folder : "build/examples");
    startOnTerminal((const char *const[]){ program, "-c", "test:///default", "console", "test", "--force", NULL });
    CHECK_INT(tcgetattr(terminal, &before), 0);
    terminalSays(text, sizeof(text), "Escape character is ^] (Ctrl + ])");
    WAIT_FOR(tcgetattr(terminal, &during) == 0 && (during.c_lflag & (ICANON | ECHO)) == 0, 10000);
    CHECK_INT(write(terminal, "typed", 5), 5);
    terminalSays(text, sizeof(text), "typed");
    if (keys != NULL)
        CHECK_INT(write(terminal, keys, strlen(keys)), strlen(keys));
    else
        CHECK_INT(kill(shell, SIGTERM), 0);
    CHECK_INT(waitpid(shell, &status, 0), shell);
    CHECK_INT(status, ended);
    CHECK_INT(tcgetattr(terminal, &after), 0);
    CHECK_UINT(after.c_lflag, before.c_lflag);
    CHECK_UINT(after.c_iflag, before.c_iflag);
    close(terminal);
}

TEST(virtsh_console_leaves_by_its_escape_character_and_sets_the_terminal_back)
{
    consoleOnTerminal("more\x1d", 0);
}

TEST(virtsh_console_sets_the_terminal_back_when_a_signal_ends_it)
{
    consoleOnTerminal(NULL, SIGTERM);
}

TEST(poll_steps_a_migration_in_a_loop_of_its_own)
{
    char *output = runExample("poll < /dev/null", 0);

    CHECK_CONTAINS(output, "perform\n");
    CHECK_CONTAINS(output, "it runs there\n");
    free(output);
    output = runExample("poll < README.md", 1);
    CHECK_CONTAINS(output, "was aborted");
    free(output);
}

TEST(driver_is_a_hypervisor_of_ones_own)
{
    char *output = runExample("driver", 0);

    CHECK_CONTAINS(output, "attic    lit");
    CHECK_CONTAINS(output, "virDomainReboot (driver Lamp)");
    free(output);
}

TEST(migrate_walks_through_five_phases)
{
    char *output = runExample("migrate", 0);

    CHECK_CONTAINS(output, "begin ");
    CHECK_CONTAINS(output, "prepare ");
    CHECK_CONTAINS(output, "perform ");
    CHECK_CONTAINS(output, "finish ");
    CHECK_CONTAINS(output, "confirm ");
    CHECK_CONTAINS(output, "outcome: migrated");
    free(output);
}

TEST(halves_are_two_programs_with_a_pipe_between_them)
{
    const char *folder = getenv("VIRT_TEST_EXAMPLES");
    char uris[2][512], command[4096], *output;
    virConnectPtr conn;
    virDomainPtr domain;

    needsQemu();
    folder = folder != NULL ? folder : "build/examples";
    snprintf(uris[0], sizeof(uris[0]), "qemu:///embed?root=%s", scratchRoot("a"));
    snprintf(uris[1], sizeof(uris[1]), "qemu:///embed?root=%s", scratchRoot("b"));
    CHECK_PTR(conn = virConnectOpen(uris[0]));
    CHECK_PTR(domain = virDomainCreateXML(conn, "<domain type='qemu'><name>small</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
                                          "<os><type arch='x86_64'>hvm</type></os></domain>", 0));
    virDomainFree(domain);
    virConnectClose(conn);
    snprintf(command, sizeof(command), "exec 2>&1; mkfifo %s && timeout 60 %s/halves '%s' < %s | timeout 60 %s/halves '%s' small > %s",
             scratchPath("wire"), folder, uris[1], scratchPath("wire"), folder, uris[0], scratchPath("wire"));
    CHECK_MSG(runShell(command, &output) == 0, "%s: %s", command, output);
    CHECK_CONTAINS(output, "source: perform");
    CHECK_CONTAINS(output, "source: migrated");
    CHECK_CONTAINS(output, "destination: migrated");
    free(output);
    CHECK_PTR(conn = virConnectOpen(uris[1]));
    CHECK_PTR(domain = virDomainLookupByName(conn, "small"));
    CHECK_OK(virDomainDestroy(domain));
    virDomainFree(domain);
    virConnectClose(conn);
}

TEST(protocols_shows_what_confirm_is_for)
{
    char *output = runExample("protocols", 0), *third;

    CHECK_NOT_NULL(third = strstr(output, "Protocol 3"));
    CHECK_CONTAINS(third, "  rollback\n");
    CHECK_CONTAINS(third, "outcome: rolled back\n  the guest runs at the source\n");
    *third = '\0';
    CHECK_CONTAINS(output, "outcome: lost\n  the guest runs nowhere\n");
    free(output);
}

TEST(migrate_loses_no_number_between_real_hosts)
{
    char arguments[512], *output;

    needsQemu();
    snprintf(arguments, sizeof(arguments), "migrate %s", buildPath("guest/light.img"));
    output = runExample(arguments, 0);
    CHECK_CONTAINS(output, "outcome: migrated");
    CHECK_CONTAINS(output, "at the second host, without a gap");
    free(output);
}

/* The first C block of README, compiled by README's own command. */
TEST(readmes_program_compiles_and_prints_what_it_says)
{
    char command[2048], *output;

    if (harnessIsSanitized())
        SKIP("the same program under sanitizers says nothing new");
    snprintf(command, sizeof(command),
             "awk '/^```c$/ && !done { on = 1; next } /^```$/ { if (on) done = 1; on = 0 } on' README.md > %s"
             " && cc -I. %s virt.c $(pkg-config --cflags --libs libxml-2.0 libcjson) -o %s && %s",
             scratchPath("app.c"), scratchPath("app.c"), scratchPath("app"), scratchPath("app"));
    CHECK_MSG(runShell(command, &output) == 0, "%s", output);
    CHECK_STR(output, "test: 2048 MiB, 2 CPUs\n");
    free(output);
}
