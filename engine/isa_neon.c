/* engine/isa_neon.c - aarch64, where NEON is part of the baseline. */
#define SIMD_NEON
enum { TILE_ROWS = 8, TILE_VECTORS = 3, TAP_ROWS = 8 };
#include "kernels_body.h"

void kernels_fill_neon(Kernels *table)
{
    fill_table(table, "neon");
}
