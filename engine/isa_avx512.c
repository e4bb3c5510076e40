/* engine/isa_avx512.c - built with -mavx512f and friends. Runs only where cpu_level() allows it. */
#define SIMD_AVX512
enum { TILE_ROWS = 8, TILE_VECTORS = 3, TAP_ROWS = 8 };
#include "kernels_body.h"

void kernels_fill_avx512(Kernels *table)
{
    fill_table(table, "avx512");
}
