/* A guest that sees its host's CPU: what another host has to have. Real ones would take two hosts with KVM. */
#include "../../drivers/qemu/migration_compat.c"
#include "../harness.h"

TEST(what_the_other_cpu_lacks_is_named)
{
    static const struct { const char *theirs, *ours, *missing; } cases[] = {
        { "fpu vme sse2", "fpu vme sse2", "" },
        { "fpu vme", "sse2 vme fpu avx", "" },
        { "fpu avx avx2 sse2", "fpu avx512f sse2", "avx avx2" },
        { "avx", "avx2", "avx" },
        { "", "fpu", "" },
        { "fpu  vme ", "", "fpu vme" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *missing = qemuCompatMissingFlags(cases[i].theirs, cases[i].ours);

        harnessContext("'%s' and '%s'", cases[i].theirs, cases[i].ours);
        CHECK_STR(missing, cases[i].missing);
        free(missing);
    }
}

TEST(a_line_of_cpuinfo_is_found_by_its_whole_name)
{
    static const char text[] = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu vme\nbugs\t\t:\n";
    static const struct { const char *key, *value; } cases[] = {
        { "model", "1" }, { "model name", "Some CPU @ 2 GHz" }, { "flags", "fpu vme" }, { "bugs", "" }, { "Features", "" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *value = qemuCompatCpuinfo(text, cases[i].key);

        CHECK_STR(value, cases[i].value);
        free(value);
    }
}

TEST(a_guest_with_its_hosts_cpu_goes_where_that_is_the_same)
{
    cJSON *own = qemuCompatHostCpu(), *other;
    char flags[8192], *model;

    CHECK_PTR(own);
    CHECK_OK(qemuCompatCheckHostCpu(own, "host-passthrough"));
    CHECK_OK(qemuCompatCheckHostCpu(own, "host-model"));

    snprintf(flags, sizeof(flags), "%s warpdrive", virJsonString(own, "flags"));
    CHECK_PTR(other = virJsonObject("s:arch", virHostGetArch(), "s:model", "Other CPU", "s:flags", flags, NULL));
    CHECK_FAILS(qemuCompatCheckHostCpu(other, "host-model"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "but lacks: warpdrive");
    cJSON_Delete(other);

    CHECK_PTR(other = virJsonObject("s:arch", virHostGetArch(), "s:model", "Other CPU", "s:flags", virJsonString(own, "flags"), NULL));
    CHECK_OK(qemuCompatCheckHostCpu(other, "host-model"));
    CHECK_FAILS(qemuCompatCheckHostCpu(other, "host-passthrough"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "the source's 'Other CPU'");
    cJSON_Delete(other);

    CHECK_NOT_NULL(model = strdup(virJsonString(own, "model")));
    CHECK_PTR(other = virJsonObject("s:arch", "m68k", "s:model", model, "s:flags", "", NULL));
    CHECK_FAILS(qemuCompatCheckHostCpu(other, "host-model"), VIR_ERR_CONFIG_UNSUPPORTED);
    CHECK_CONTAINS(virGetLastErrorMessage(), "the source's host is 'm68k'");
    cJSON_Delete(other);
    free(model);
    CHECK_FAILS(qemuCompatCheckHostCpu(NULL, "host-model"), VIR_ERR_OPERATION_FAILED);
    cJSON_Delete(own);
}
