/*
 * virt.h as an application meets it: the same as libvirt's headers, and good for any compiler.
 */
#include "../../virt.h"
#include "../harness.h"

static const char *
headerCompiler(const char *variable, const char *usual)
{
    const char *name = getenv(variable);

    return name != NULL && *name != '\0' ? name : usual;
}

TEST(header_says_what_libvirt_says)
{
    char *output = NULL;
    int status = runShell("tests/conformity 2>&1", &output);

    if (status == 77) {
        output[strcspn(output, "\n")] = '\0';
        SKIP("%s", output);
    }
    CHECK_MSG(status == 0, "%s", output);
    free(output);
}

/* Includes the header alone, twice, as the given language, with every warning an error. */
static void
headerCompiles(const char *compiler, const char *language)
{
    char *command = NULL, *output = NULL;
    int status;

    writeFile(scratchPath("header.c"), "#include \"virt.h\"\n#include \"virt.h\"\nint headerUnused;\n");
    if (asprintf(&command, "command -v %s > /dev/null || exit 77; cat %s | %s -x %s -Wall -Wextra -Wpedantic"
                 " -Wshadow -Werror -I. -fsyntax-only - 2>&1",
                 compiler, scratchPath("header.c"), compiler, language) < 0)
        FAIL("no memory");
    status = runShell(command, &output);
    if (status == 77)
        SKIP("no %s here", compiler);
    CHECK_MSG(status == 0, "%s -x %s: %s", compiler, language, output);
    free(command);
    free(output);
}

TEST(header_compiles_alone_as_c)
{
    const char *compiler = headerCompiler("CC", "cc");

    headerCompiles(compiler, "c -std=c99");
    headerCompiles(compiler, "c -std=c11 -Wmissing-prototypes -Wstrict-prototypes");
}

TEST(header_compiles_alone_as_cplusplus)
{
    const char *compiler = headerCompiler("CXX", "c++");

    headerCompiles(compiler, "c++ -std=c++11");
    headerCompiles(compiler, "c++ -std=c++17");
}

TEST(cpu_maps_set_and_clear_one_bit)
{
    unsigned char maps[2][3] = { { 0 }, { 0 } }, copy[3];
    int cpu;

    CHECK_INT(VIR_CPU_MAPLEN(17), sizeof(maps[0]));
    for (cpu = 0; cpu < 17; cpu++) {
        VIR_USE_CPU(maps[1], cpu);
        CHECK(VIR_CPU_USABLE(&maps[0][0], 3, 1, cpu));
        CHECK(!VIR_CPU_USABLE(&maps[0][0], 3, 0, cpu));
        VIR_COPY_CPUMAP(&maps[0][0], 3, 1, copy);
        CHECK_INT(copy[cpu / 8], 1 << (cpu % 8));
        VIR_UNUSE_CPU(maps[1], cpu);
        CHECK(!VIR_CPU_USED(maps[1], cpu));
    }
}
