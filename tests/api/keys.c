/* Keys for connections over tcp and ws, as an application makes them. */
#include "../../virt.h"
#include "../harness.h"

#include <sys/stat.h>

/* Skips the test where the library was built without libcrypto, which it has to say. */
static void
needsKeys(void)
{
    if (virKeyGetPublic(scratchPath("none"), 0) == NULL && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT) {
        CHECK_FAILS(virKeyGenerate(scratchPath("key"), NULL, 0), VIR_ERR_NO_SUPPORT);
        CHECK(!fileExists(scratchPath("key")));
        SKIP("without libcrypto");
    }
}

TEST(a_pair_is_made_once_and_its_public_half_is_found_again)
{
    char *made, *found, *file;
    struct stat info;

    needsKeys();
    CHECK_OK(virKeyGenerate(scratchPath("key"), &made, 0));
    CHECK_UINT(strlen(made), 44);
    CHECK_PTR(found = virKeyGetPublic(scratchPath("key"), 0));
    CHECK_STR(found, made);
    CHECK_INT(stat(scratchPath("key"), &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    file = readFile(scratchPath("key"));
    CHECK(strstr(file, made) == NULL);               /* that is the secret one */
    free(file);
    CHECK_FAILS(virKeyGenerate(scratchPath("key"), NULL, 0), VIR_ERR_OPERATION_INVALID);
    free(found);
    CHECK_PTR(found = virKeyGetPublic(scratchPath("key"), 0));
    CHECK_STR(found, made);
    free(found);
    free(made);
    CHECK_OK(virKeyGenerate(scratchPath("other"), NULL, 0));
}

TEST(without_a_name_it_is_the_users_own)
{
    char *made, *found;

    needsKeys();
    setenv("XDG_CONFIG_HOME", scratchPath("config"), 1);
    CHECK_FAILS_NULL(virKeyGetPublic(NULL, 0), VIR_ERR_SYSTEM_ERROR);
    CHECK_OK(virKeyGenerate(NULL, &made, 0));
    CHECK(fileExists(scratchPath("config/virt/key")));
    CHECK_PTR(found = virKeyGetPublic(NULL, 0));
    CHECK_STR(found, made);
    free(found);
    free(made);
}

TEST(a_key_that_others_can_read_is_none)
{
    needsKeys();
    CHECK_OK(virKeyGenerate(scratchPath("key"), NULL, 0));
    CHECK_INT(chmod(scratchPath("key"), 0640), 0);
    CHECK_FAILS_NULL(virKeyGetPublic(scratchPath("key"), 0), VIR_ERR_AUTH_FAILED);
    CHECK_CONTAINS(virGetLastErrorMessage(), scratchPath("key"));
    CHECK_FAILS(virKeyGenerate(scratchPath("other"), NULL, 1), VIR_ERR_INVALID_ARG);
    CHECK_FAILS_NULL(virKeyGetPublic(scratchPath("key"), 1), VIR_ERR_INVALID_ARG);
}
