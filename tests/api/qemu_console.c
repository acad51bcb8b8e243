/*
 * Consoles, channels and pictures of real guests by a stream: the counting guest writes its numbers, and says which bytes it was sent.
 */
#include "../qemu_guest.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

static virConnectPtr conn;
static virDomainPtr guest;

/* The counting guest with its first serial port as said, a screen of 640x480 or more, and two channels. */
static void
startGuest(const char *serial, const char *options)
{
    const char *xml = countingXml("talker", options, "", "<video><model type='vga' vram='16384' heads='1'/></video>"
                                                "<channel type='unix'><target type='virtio' name='org.example.first'/></channel>"
                                                "<channel type='unix'><target type='virtio' name='org.example.second'/></channel>");
    const char *from = strstr(xml, "<serial type='file'>"), *to = strstr(xml, "</serial>");
    char *text = NULL;

    needsPty();
    CHECK_NOT_NULL(from);
    CHECK_NOT_NULL(to);
    CHECK(asprintf(&text, "%.*s%s%s", (int)(from - xml), xml, serial, to + strlen("</serial>")) > 0);
    CHECK_PTR(conn = openRoot("root"));
    CHECK_PTR(guest = virDomainCreateXML(conn, text, 0));
    free(text);
}

static void
endGuest(void)
{
    if (virDomainIsActive(guest) == 1)
        CHECK_OK(virDomainDestroy(guest));
    CHECK_OK(virDomainFree(guest));
    CHECK_INT(virConnectClose(conn), 0);
}

#define PTY "<serial type='pty'/>"

static const char *
unixSerial(void)
{
    static char text[512];

    snprintf(text, sizeof(text), "<serial type='unix'><source mode='bind' path='%s'/></serial>", scratchPath("console.sock"));
    return text;
}

static virStreamPtr
openConsole(unsigned int streamFlags, const char *name, unsigned int flags)
{
    virStreamPtr stream;

    CHECK_PTR(stream = virStreamNew(conn, streamFlags));
    CHECK_OK(virDomainOpenConsole(guest, name, stream, flags));
    return stream;
}

/* Whether text has, from its first whole line on, consecutive numbers; other lines are passed over. How many there are. */
static int
countNumbers(const char *text)
{
    const char *line = strchr(text, '\n');
    long last = -1, n;
    int count = 0;
    char *end;

    for (; line != NULL && strchr(line + 1, '\n') != NULL; line = strchr(line + 1, '\n')) {
        n = strtol(line + 1, &end, 10);
        if (end == line + 1 || *end != '\r')
            continue;
        if (last >= 0)
            CHECK_INT(n, last + 1);
        last = n;
        count++;
    }
    return count;
}

/* Reads until the text so far has `word` and so many numbers. */
static void
readUntil(virStreamPtr stream, char *text, size_t size, const char *word, int numbers)
{
    size_t length = 0;
    int got;

    text[0] = '\0';
    do {
        CHECK(length + 1 < size);
        CHECK_OK(got = virStreamRecv(stream, text + length, size - 1 - length));
        CHECK(got > 0);
        length += (size_t)got;
        text[length] = '\0';
    } while (strstr(text, word) == NULL || countNumbers(text) < numbers);
}

static void
talks(virStreamPtr stream)
{
    static char text[65536];

    readUntil(stream, text, sizeof(text), "", 20);
    CHECK_INT(virStreamSend(stream, "A", 1), 1);
    readUntil(stream, text, sizeof(text), "got 65\r\n", 0);
    CHECK_INT(virStreamSend(stream, "\x03\r\xff", 3), 3);       /* nothing on the way makes a meaning of a byte */
    readUntil(stream, text, sizeof(text), "got 255\r\n", 0);
    CHECK_NOT_NULL(strstr(text, "got 3\r\n"));
    CHECK_NOT_NULL(strstr(text, "got 13\r\n"));
}

TEST(the_console_on_a_pty_counts_and_takes_input)
{
    virStreamPtr stream;

    startGuest(PTY, "");
    stream = openConsole(0, NULL, VIR_DOMAIN_CONSOLE_SAFE);
    talks(stream);
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    stream = openConsole(0, "serial0", 0);
    talks(stream);
    CHECK_OK(virStreamFree(stream));
    endGuest();
}

TEST(the_console_on_a_socket_counts_and_takes_input)
{
    virStreamPtr stream;

    startGuest(unixSerial(), "");
    for (int i = 0; i < 3; i++) {     /* QEMU takes the next client when the last one has gone */
        stream = openConsole(0, NULL, 0);
        talks(stream);
        CHECK_OK(virStreamFree(stream));
    }
    endGuest();
}

TEST(what_cannot_be_opened_says_why)
{
    virStreamPtr stream;

    startGuest("<serial type='null'/><serial type='pty'/>", "");
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, stream, 0), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "neither a PTY");
    CHECK_FAILS(virDomainOpenConsole(guest, "serial9", stream, 0), VIR_ERR_INTERNAL_ERROR);
    CHECK_CONTAINS(virGetLastErrorMessage(), "serial9 does not exist");
    CHECK_FAILS(virDomainOpenChannel(guest, "org.example.none", stream, 0), VIR_ERR_INTERNAL_ERROR);
    CHECK_FAILS_NULL(virDomainScreenshot(guest, stream, 1, 0), VIR_ERR_INVALID_ARG);
    CHECK_CONTAINS(virGetLastErrorMessage(), "no screen 1");
    CHECK_OK(virDomainOpenConsole(guest, "serial1", stream, 0));
    CHECK_OK(virStreamFree(stream));
    CHECK_OK(virDomainDestroy(guest));
    endGuest();
}

TEST(a_console_is_for_one_stream_unless_another_insists)
{
    virStreamPtr first, second, third;
    static char text[65536];

    startGuest(PTY, "");
    first = openConsole(0, NULL, 0);
    CHECK_PTR(second = virStreamNew(conn, 0));
    CHECK_FAILS(virDomainOpenConsole(guest, "serial0", second, 0), VIR_ERR_OPERATION_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "ctive console session exists");
    CHECK_OK(virDomainOpenConsole(guest, "serial0", second, VIR_DOMAIN_CONSOLE_FORCE));
    CHECK_FAILS(virStreamRecv(first, text, sizeof(text)), VIR_ERR_INTERNAL_ERROR);
    CHECK_FAILS(virStreamSend(first, "x", 1), VIR_ERR_INTERNAL_ERROR);
    readUntil(second, text, sizeof(text), "", 10);
    CHECK_OK(virStreamFree(first));   /* the older one's end leaves the newer one alone */
    CHECK_PTR(third = virStreamNew(conn, 0));
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, third, 0), VIR_ERR_OPERATION_FAILED);
    readUntil(second, text, sizeof(text), "", 10);
    CHECK_OK(virStreamAbort(second));
    CHECK_OK(virDomainOpenConsole(guest, NULL, third, 0));
    readUntil(third, text, sizeof(text), "", 10);
    CHECK_OK(virStreamFree(second));
    CHECK_OK(virStreamFree(third));
    endGuest();
}

/* Whoever had the console of the guest's former life has not closed his stream yet, and can read what is left there. */
static void
restartedConsoleIsFree(const char *serial)
{
    static char text[65536];
    virStreamPtr former, stream;
    char *xml;

    startGuest(serial, "");
    CHECK_PTR(xml = virDomainGetXMLDesc(guest, 0));
    CHECK_OK(virDomainFree(guest));
    CHECK_PTR(guest = virDomainDefineXML(conn, xml));
    free(xml);
    former = openConsole(0, NULL, 0);
    readUntil(former, text, sizeof(text), "", 10);
    CHECK_OK(virDomainDestroy(guest));
    CHECK_OK(virDomainCreate(guest));
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_OK(virDomainOpenConsole(guest, NULL, stream, 0));
    readUntil(stream, text, sizeof(text), "", 10);
    while (virStreamRecv(former, text, sizeof(text)) > 0)
        ;
    CHECK_OK(virStreamFree(former));  /* the older one's end leaves the newer one alone */
    CHECK_PTR(former = virStreamNew(conn, 0));
    CHECK_FAILS(virDomainOpenConsole(guest, NULL, former, 0), VIR_ERR_OPERATION_FAILED);
    readUntil(stream, text, sizeof(text), "", 10);
    CHECK_OK(virStreamFree(former));
    CHECK_OK(virStreamFree(stream));
    CHECK_OK(virDomainUndefine(guest));
    endGuest();
}

TEST(a_guest_that_was_started_again_has_a_free_console_on_a_socket)
{
    restartedConsoleIsFree(unixSerial());
}

TEST(a_guest_that_was_started_again_has_a_free_console_on_a_pty)
{
    restartedConsoleIsFree(PTY);
}

static void *
receiveToTheEnd(void *opaque)
{
    char data[4096];
    int got;

    while ((got = virStreamRecv(opaque, data, sizeof(data))) > 0)
        ;
    CHECK_INT(got, -1);
    CHECK_ERROR(VIR_ERR_INTERNAL_ERROR);
    return NULL;
}

TEST(whoever_insists_ends_a_thread_that_waits)
{
    virStreamPtr first, second;
    pthread_t receiver;

    startGuest(unixSerial(), "");
    CHECK_OK(virDomainSuspend(guest));
    first = openConsole(0, NULL, 0);
    CHECK_INT(pthread_create(&receiver, NULL, receiveToTheEnd, first), 0);
    harnessSleepMs(50);
    second = openConsole(0, NULL, VIR_DOMAIN_CONSOLE_FORCE);
    CHECK_INT(pthread_join(receiver, NULL), 0);
    CHECK_OK(virStreamFree(first));
    CHECK_OK(virDomainResume(guest));
    talks(second);
    CHECK_OK(virStreamFree(second));
    endGuest();
}

/* ---- by events ---- */

struct console { char text[65536]; size_t length; int events, end, freed; };

static void
consoleReady(virStreamPtr stream, int events, void *opaque)
{
    struct console *console = opaque;
    int got;

    console->events |= events;
    while ((events & VIR_STREAM_EVENT_READABLE) != 0 && console->length + 1 < sizeof(console->text)
           && (got = virStreamRecv(stream, console->text + console->length, sizeof(console->text) - 1 - console->length)) != -2) {
        if (got <= 0) {
            console->end = got == 0 ? 1 : -1;
            break;
        }
        console->length += (size_t)got;
        console->text[console->length] = '\0';
    }
    if (console->end == 0 && (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)) != 0)
        console->end = 1;
    if (console->end != 0)
        CHECK_OK(virStreamEventRemoveCallback(stream));
}

static void
consoleFree(void *opaque)
{
    ((struct console *)opaque)->freed++;
}

static void
readsByEvents(const char *serial)
{
    static struct console console;
    virStreamPtr stream;

    useLoop();
    startGuest(serial, "");
    memset(&console, 0, sizeof(console));
    stream = openConsole(VIR_STREAM_NONBLOCK, NULL, 0);
    CHECK_OK(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, consoleReady, &console, consoleFree));
    LOOP_UNTIL(countNumbers(console.text) >= 30, 20000);
    CHECK_INT(virStreamSend(stream, "Z", 1), 1);
    LOOP_UNTIL(strstr(console.text, "got 90\r\n") != NULL, 20000);
    CHECK_INT(console.end, 0);
    CHECK_OK(virDomainDestroy(guest));
    LOOP_UNTIL(console.end != 0, 20000);
    CHECK_INT(console.freed, 1);
    CHECK_OK(virStreamAbort(stream));
    CHECK_OK(virStreamFree(stream));
    endGuest();
}

TEST(a_pty_is_read_by_events_until_the_guest_dies)
{
    readsByEvents(PTY);
}

TEST(a_socket_is_read_by_events_until_the_guest_dies)
{
    readsByEvents(unixSerial());
}

TEST(a_stream_that_was_taken_over_says_so_to_its_callback)
{
    static struct console console;
    virStreamPtr first, second;

    useLoop();
    startGuest(PTY, "");
    CHECK_OK(virDomainSuspend(guest));
    memset(&console, 0, sizeof(console));
    first = openConsole(VIR_STREAM_NONBLOCK, NULL, 0);
    CHECK_OK(virStreamEventAddCallback(first, VIR_STREAM_EVENT_READABLE, consoleReady, &console, consoleFree));
    second = openConsole(VIR_STREAM_NONBLOCK, NULL, VIR_DOMAIN_CONSOLE_FORCE);
    LOOP_UNTIL(console.end != 0, 20000);
    CHECK((console.events & VIR_STREAM_EVENT_ERROR) != 0);
    CHECK_INT(console.freed, 1);
    CHECK_OK(virStreamFree(first));
    CHECK_OK(virStreamFree(second));
    endGuest();
}

static void
endsWithTheGuest(const char *serial)
{
    virStreamPtr stream;
    char data[4096];
    int got, waits = 0;

    startGuest(serial, "");
    stream = openConsole(0, NULL, 0);
    CHECK(virStreamRecv(stream, data, sizeof(data)) > 0);
    CHECK_INT(kill(pidOf("root", "talker"), SIGKILL), 0);
    while ((got = virStreamRecv(stream, data, sizeof(data))) > 0)
        waits++;
    CHECK(got == 0 || (got == -1 && virGetLastErrorCode() == VIR_ERR_SYSTEM_ERROR));
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virStreamAbort(stream));
    CHECK_OK(virStreamFree(stream));
    WAIT_FOR(virDomainIsActive(guest) != 1, 10000);
    endGuest();
}

TEST(a_guest_that_is_killed_ends_its_pty)
{
    endsWithTheGuest(PTY);
}

TEST(a_guest_that_is_killed_ends_its_socket)
{
    endsWithTheGuest(unixSerial());
}

/* ---- channels ---- */

TEST(a_channel_is_found_by_its_name_and_is_for_one_stream)
{
    virStreamPtr first, second, other;
    char data[4];
    int rc;

    startGuest(PTY, "");
    CHECK_PTR(first = virStreamNew(conn, VIR_STREAM_NONBLOCK));
    CHECK_PTR(second = virStreamNew(conn, VIR_STREAM_NONBLOCK));
    CHECK_PTR(other = virStreamNew(conn, VIR_STREAM_NONBLOCK));
    CHECK_OK(virDomainOpenChannel(guest, "org.example.first", first, 0));
    CHECK_INT(virStreamRecv(first, data, sizeof(data)), -2);
    CHECK_FAILS(virDomainOpenChannel(guest, NULL, second, 0), VIR_ERR_OPERATION_FAILED);
    CHECK_OK(virDomainOpenChannel(guest, "org.example.second", other, 0));
    CHECK_OK(virDomainOpenChannel(guest, "channel0", second, VIR_DOMAIN_CHANNEL_FORCE));
    WAIT_FOR((rc = virStreamRecv(first, data, sizeof(data))) != -2, 5000);      /* through a server its end is on its way */
    CHECK_INT(rc, -1);
    CHECK_INT(virGetLastErrorCode(), VIR_ERR_INTERNAL_ERROR);
    CHECK_INT(virStreamRecv(second, data, sizeof(data)), -2);
    CHECK_OK(virStreamFree(first));
    CHECK_OK(virStreamFree(second));
    CHECK_OK(virStreamFree(other));
    endGuest();
}

/* ---- pictures ---- */

struct picture { unsigned char data[4 << 20]; size_t length; };

static int
takePicture(virStreamPtr stream, const char *data, size_t nbytes, void *opaque)
{
    struct picture *picture = opaque;

    (void)stream;
    CHECK(picture->length + nbytes <= sizeof(picture->data));
    memcpy(picture->data + picture->length, data, nbytes);
    picture->length += nbytes;
    return (int)nbytes;
}

static unsigned int
bigEndian(const unsigned char *at)
{
    return (unsigned int)at[0] << 24 | (unsigned int)at[1] << 16 | (unsigned int)at[2] << 8 | at[3];
}

/* The size of the picture, which has to be a whole one. */
static void
pictureSize(const struct picture *picture, const char *type, unsigned int *width, unsigned int *height)
{
    unsigned int most = 0;
    int header = 0;

    if (strcmp(type, "image/png") == 0) {
        CHECK(picture->length > 57);
        CHECK_MEM((const char *)picture->data, "\x89PNG\r\n\x1a\n", 8);
        CHECK_MEM((const char *)picture->data + picture->length - 8, "IEND\xae\x42\x60\x82", 8);
        *width = bigEndian(picture->data + 16);
        *height = bigEndian(picture->data + 20);
        return;
    }
    CHECK_STR(type, "image/x-portable-pixmap");
    CHECK_INT(sscanf((const char *)picture->data, "P6 %u %u %u%n", width, height, &most, &header), 3);
    CHECK_INT(most, 255);
    CHECK_UINT(picture->length, (size_t)header + 1 + (size_t)*width * *height * 3);
}

static void
screenshot(unsigned int streamFlags, unsigned int *width, unsigned int *height)
{
    static struct picture picture;
    virStreamPtr stream;
    char *type;

    picture.length = 0;
    CHECK_PTR(stream = virStreamNew(conn, streamFlags));
    CHECK_PTR(type = virDomainScreenshot(guest, stream, 0, 0));
    if (streamFlags == 0) {
        CHECK_OK(virStreamRecvAll(stream, takePicture, &picture));
    } else {
        int got;

        while ((got = virStreamRecv(stream, (char *)picture.data + picture.length, sizeof(picture.data) - picture.length)) > 0)
            picture.length += (size_t)got;
        CHECK_INT(got, 0);
    }
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    pictureSize(&picture, type, width, height);
    free(type);
}

TEST(a_picture_of_the_screen_is_whole_and_leaves_no_file)
{
    unsigned int width = 0, height = 0, again = 0;
    virStreamPtr stream;
    char command[1200], *type, byte;

    startGuest(PTY, "");
    screenshot(0, &width, &height);
    CHECK(width >= 640 && width <= 1024);
    CHECK(height >= 350 && height <= 768);
    screenshot(VIR_STREAM_NONBLOCK, &again, &height);
    CHECK_UINT(again, width);
    CHECK_PTR(stream = virStreamNew(conn, 0));
    CHECK_PTR(type = virDomainScreenshot(guest, stream, 0, 0));
    free(type);
    CHECK_INT(virStreamRecv(stream, &byte, 1), 1);
    CHECK_FAILS(virStreamSend(stream, "x", 1), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virStreamAbort(stream)); /* halfway */
    CHECK_OK(virStreamFree(stream));
    snprintf(command, sizeof(command), "ls %s | grep screen", scratchPath("root/run"));
    CHECK_INT(runShell(command, NULL), 1);
    endGuest();
}

static void
pictureReady(virStreamPtr stream, int events, void *opaque)
{
    struct console *console = opaque;
    char data[4096];
    int got = 0;

    console->events |= events;
    got = virStreamRecv(stream, data, sizeof(data));
    CHECK_OK(got);
    console->length += (size_t)got;
    if (got > 0)
        return;
    console->end = 1;
    CHECK_OK(virStreamEventRemoveCallback(stream));
}

TEST(a_picture_is_read_by_events)
{
    static struct console console;
    virStreamPtr stream;
    char *type;

    useLoop();
    startGuest(PTY, "");
    CHECK_PTR(stream = virStreamNew(conn, VIR_STREAM_NONBLOCK));
    CHECK_PTR(type = virDomainScreenshot(guest, stream, 0, 0));
    free(type);
    memset(&console, 0, sizeof(console));
    CHECK_OK(virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, pictureReady, &console, consoleFree));
    LOOP_UNTIL(console.end != 0, 20000);
    CHECK(console.length > 100);
    CHECK_INT(console.freed, 1);
    CHECK_OK(virStreamFinish(stream));
    CHECK_OK(virStreamFree(stream));
    endGuest();
}

TEST(streams_leave_no_descriptor)
{
    virStreamPtr stream;
    char data[64];
    int before;

    startGuest(PTY, "");
    stream = openConsole(0, NULL, 0);
    CHECK_OK(virStreamFree(stream));
    before = countDescriptors();
    for (int i = 0; i < 20; i++) {
        stream = openConsole(i % 2 == 0 ? 0 : VIR_STREAM_NONBLOCK, NULL, 0);
        virStreamRecv(stream, data, sizeof(data));
        CHECK_OK(virStreamFree(stream));
        CHECK_PTR(stream = virStreamNew(conn, 0));
        free(virDomainScreenshot(guest, stream, 0, 0));
        CHECK_OK(virStreamFree(stream));
    }
    CHECK_INT(countDescriptors(), before);
    endGuest();
}
