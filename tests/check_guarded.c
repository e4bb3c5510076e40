/* tests/check_guarded.c - see check_guarded.h. */
#include "check_guarded.h"

#include <float.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const isas[ISA_COUNT] = {"portable", "avx2", "avx512", "neon"};

bool guarded_open(Guarded *g)
{
    g->page  = (size_t)sysconf(_SC_PAGESIZE);
    g->bytes = (GUARDED_REALS * sizeof(real) + g->page - 1) / g->page * g->page;
    g->base  = mmap(NULL, g->bytes + 2 * g->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return g->base != MAP_FAILED &&
           mprotect(g->base + g->page, g->bytes, PROT_READ | PROT_WRITE) == 0;
}

void guarded_close(Guarded *g)
{
    munmap(g->base, g->bytes + 2 * g->page);
}

real *at_end(const Guarded *g, int64_t count)
{
    return (real *)(void *)(g->base + g->page + g->bytes) - count;
}

real *at_start(const Guarded *g)
{
    return (real *)(void *)(g->base + g->page);
}

void fill(real *to, int64_t count, uint64_t stream)
{
    Random random = random_stream(test_seed() + stream, "kernels");
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)((double)random_unit(random_word(&random)) * 8 - 4);
}

double epsilon(void)
{
    return sizeof(real) == sizeof(float) ? (double)FLT_EPSILON : DBL_EPSILON;
}
