/* engine/isa_avx2.c - built with -mavx2 -mfma. Nothing here runs before cpu_level() allows it. */
#define SIMD_AVX2
enum { TILE_ROWS = 6, TILE_VECTORS = 2, TAP_ROWS = 6 };
#include "kernels_body.h"

void kernels_fill_avx2(Kernels *table)
{
    fill_table(table, "avx2");
}
