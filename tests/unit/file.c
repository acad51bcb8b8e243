/* Files: whole or not at all. */
#include "../../drivers/common/file.h"
#include "../fault.h"
#include "../harness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

TEST(a_file_is_written_whole_with_its_mode)
{
    const char *path = scratchPath("a.xml");
    struct stat info;
    size_t length = 0;
    char *text;

    CHECK_OK(virFileWrite(path, "first", 5, 0600));
    CHECK_OK(virFileWrite(path, "second\0x", 8, 0640));
    CHECK_INT(stat(path, &info), 0);
    CHECK_INT(info.st_mode & 0777, 0640);
    CHECK_PTR(text = virFileRead(path, 100, &length));
    CHECK_UINT(length, 8);
    CHECK_MEM(text, "second\0x", 9);
    free(text);
    CHECK_FAILS_NULL(virFileRead(path, 7, NULL), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virFileRemove(path));
    CHECK_OK(virFileRemove(path));
    CHECK(!fileExists(path));
}

static int
countEntries(const char *name, void *opaque)
{
    char *names = opaque;

    strcat(names, name);
    strcat(names, " ");
    return strcmp(name, "stop") == 0;
}

/* After any failure the old contents are there, complete, and nothing else is in the directory. */
static int
replaceAndCheck(void *opaque)
{
    const char *path = scratchPath("d/file");
    char names[200] = "";
    char *text;
    int rc = virFileWrite(path, "new", 3, 0600);

    (void)opaque;
    faultPause();
    CHECK_OK(virFileEach(scratchPath("d"), countEntries, names));
    CHECK_STR(names, "file ");
    CHECK_PTR(text = virFileRead(path, 100, NULL));
    CHECK(strcmp(text, "old") == 0 || strcmp(text, "new") == 0);
    free(text);
    faultResume();
    return rc;
}

TEST(a_failed_write_changes_nothing)
{
    CHECK_OK(virFileMakePath(scratchPath("d"), 0700));
    CHECK_OK(virFileWrite(scratchPath("d/file"), "old", 3, 0600));
    FAULT_EACH(FAULT_WRITE, replaceAndCheck, NULL);
    FAULT_EACH(FAULT_RENAME, replaceAndCheck, NULL);
    FAULT_EACH(FAULT_FSYNC, replaceAndCheck, NULL);
    FAULT_EACH(FAULT_OPEN, replaceAndCheck, NULL);
    FAULT_EACH_ALLOCATION(replaceAndCheck, NULL);
}

TEST(directories_are_made_and_listed_in_order)
{
    char names[200] = "";

    CHECK_OK(virFileMakePath(scratchPath("x/y//z/"), 0700));
    CHECK_OK(virFileMakePath(scratchPath("x/y/z"), 0700));
    CHECK_OK(virFileWriteVolatile(scratchPath("x/y/b"), "", 0, 0600));
    CHECK_OK(virFileWriteVolatile(scratchPath("x/y/a"), "", 0, 0600));
    CHECK_INT(virFileEach(scratchPath("x/y"), countEntries, names), 0);
    CHECK_STR(names, "a b z ");
    CHECK_OK(virFileWriteVolatile(scratchPath("x/y/stop"), "", 0, 0600));
    CHECK_INT(virFileEach(scratchPath("x/y"), countEntries, names), 1);
    CHECK_FAILS(virFileMakePath(scratchPath("x/y/a/b"), 0700), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS(virFileMakePath(scratchPath("x/y/a"), 0700), VIR_ERR_SYSTEM_ERROR);
    CHECK_FAILS(virFileEach(scratchPath("none"), countEntries, names), VIR_ERR_SYSTEM_ERROR);
}

TEST(a_lock_has_one_holder_and_names_it)
{
    const char *path = scratchPath("lock");
    pid_t owner = -5, child;
    int fd, second, status;

    CHECK_OK(fd = virFileLock(path, &owner));
    CHECK_INT(owner, 0);
    CHECK_INT(virFileLock(path, &owner), -1);
    CHECK_INT(owner, getpid());
    CHECK_FAILS(virFileLock(path, NULL), VIR_ERR_OPERATION_FAILED);
    if ((child = fork()) == 0)
        _exit(virFileLock(path, &owner) == -1 && owner == getppid() ? 0 : 1);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    close(fd);
    CHECK_OK(second = virFileLock(path, &owner));
    close(second);
    CHECK_INT(virFileLock(scratchPath("none/lock"), &owner), -1);
    CHECK_INT(owner, 0);
}

TEST(sockets_may_have_long_paths)
{
    const char *directory = scratchPath("%0100d", 1);
    const char *path = scratchPath("%0100d/socket", 1);
    int listening, client;

    CHECK_OK(virFileMakePath(directory, 0700));
    CHECK_FAILS(virFileConnect(path), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(listening = virFileListen(path, 1));
    CHECK_OK(client = virFileConnect(path));
    CHECK((fcntl(client, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(client, F_GETFL) & O_NONBLOCK) != 0);
    close(client);
    close(listening);
    CHECK_OK(listening = virFileListen(path, 1));    /* in place of the one left behind */
    close(listening);
    writeFile(scratchPath("file"), "x");
    CHECK_FAILS(virFileListen(scratchPath("file"), 1), VIR_ERR_SYSTEM_ERROR);
    CHECK(fileExists(scratchPath("file")));
}
