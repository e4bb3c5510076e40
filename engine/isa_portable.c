/* engine/isa_portable.c - the reference for every instruction set, in `real`, with no intrinsics.
 */
enum { TILE_ROWS = 4, TILE_VECTORS = 2, TAP_ROWS = 4 };
#include "kernels_body.h"

void kernels_fill_portable(Kernels *table)
{
    fill_table(table, "portable");
}
