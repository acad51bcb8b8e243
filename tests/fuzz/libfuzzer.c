/*
 * The fuzzers for clang's libFuzzer, all in one program; VIRT_FUZZ names the one that it is,
 * VIRT_FUZZ_FOLDER a folder for its files. tests/fuzz/run builds and starts it.
 */
#define VIRT_STATIC
#include "../../virt.c"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzzTarget *fuzzTarget;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("VIRT_FUZZ"), *folder = getenv("VIRT_FUZZ_FOLDER");

    (void)argc;
    (void)argv;
    for (size_t i = 0; name != NULL && i < sizeof(fuzzTargets) / sizeof(fuzzTargets[0]); i++)
        if (strcmp(fuzzTargets[i].name, name) == 0)
            fuzzTarget = &fuzzTargets[i];
    if (folder != NULL)
        snprintf(fuzzFolder, sizeof(fuzzFolder), "%s", folder);
#if VIRT_WITH_NOISE
    if (folder != NULL)
        snprintf(fuzzKeys, sizeof(fuzzKeys), "%s/keys", folder);
#endif
    if (fuzzTarget != NULL && folder != NULL)
        return 0;
    fprintf(stderr, "VIRT_FUZZ does not name a fuzzer, or VIRT_FUZZ_FOLDER no empty folder\n");
    exit(2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    fuzzTarget->run(text);
    free(text);
    return 0;
}
