/* engine/cpu.c - see cpu.h. */
#include "cpu.h"

#include <stdlib.h>
#include <string.h>

static CpuLevel detected(void)
{
#if defined __x86_64__
    // These builtins read CPUID and XGETBV, so a system that does not save the wide registers is
    // seen.
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return CPU_PORTABLE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return CPU_AVX512;
    return CPU_AVX2;
#elif defined __aarch64__
    return CPU_NEON;
#else
    return CPU_PORTABLE;
#endif
}

CpuLevel cpu_level(void)
{
    CpuLevel    level = detected();
    const char *cap   = getenv("ENGINE_ISA");
    if (!cap)
        return level;
    if (!strcmp(cap, "portable"))
        return CPU_PORTABLE;
    if (!strcmp(cap, "avx2") && level == CPU_AVX512)
        return CPU_AVX2;
    return level;
}
