/* engine/kernels.c - the cascade: portable fills all, each newer instruction set overwrites. */
#include "kernels.h"

#include "cpu.h"
#include "engine.h"

#include <pthread.h>
#include <string.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

static void fill(Kernels *table, CpuLevel level)
{
    kernels_fill_portable(table);
#if defined __x86_64__ && !defined REAL_IS_DOUBLE
    if (level == CPU_AVX2 || level == CPU_AVX512)
        kernels_fill_avx2(table);
    if (level == CPU_AVX512)
        kernels_fill_avx512(table);
#elif defined __aarch64__ && !defined REAL_IS_DOUBLE
    if (level == CPU_NEON)
        kernels_fill_neon(table);
#else
    (void)level;
#endif
}

static Kernels        best;
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill_best(void)
{
    fill(&best, cpu_level());
}

const Kernels *kernels(void)
{
    pthread_once(&filled, fill_best);
    return &best;
}

const Kernels *kernels_for(const char *isa)
{
    static Kernels table[CPU_NEON + 1];
    for (CpuLevel level = CPU_PORTABLE; level <= CPU_NEON; level++) {
        bool possible = level == CPU_PORTABLE || level == cpu_level() ||
                        (level == CPU_AVX2 && cpu_level() == CPU_AVX512);
        if (!possible)
            continue;
        fill(&table[level], level);
        if (!strcmp(table[level].isa, isa))
            return &table[level];
    }
    return NULL;
}

const char *engine_isa(void)
{
    return kernels()->isa;
}

void engine_flush_denormals(void)
{
#if defined __x86_64__
    _mm_setcsr(_mm_getcsr() | 0x8040u); // flush to zero, denormals are zero
#elif defined __aarch64__
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr | (1u << 24)));
#endif
}
