/* engine/gemm.h - packed panels and general matrix products over the register tile. */
#ifndef ENGINE_GEMM_H
#define ENGINE_GEMM_H

#include "kernels.h"

/* Geometry of packing for the kernels in use. A row panel is [k][tile_rows], a column panel
 * [k][width] with width = vectors * lanes; both zero padded. */
static inline int64_t panels_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

/* Rounds a count of reals up so that what follows begins a cache line, 16 floats further. */
static inline int64_t reals_padded(int64_t count)
{
    return panels_of(count, 16) * 16;
}

/* Column vectors of panel `index` when `columns` columns are cut into full panels: the last is as
 * narrow as it can be. */
int panel_vectors(const Kernels *table, int64_t columns, int64_t index);

/* Column panels of a task, `panel` reals each, that fill three eighths of a core's own cache; the
 * rest is for rows and results. */
int64_t panels_in_cache(int64_t panel, int64_t most);

/* Whether rows so many reals apart fall into the same few sets of a cache, being whole pages apart;
 * columns are then packed before they are read again and again. */
static inline bool rows_collide(int64_t step)
{
    return step % (int64_t)(4096 / sizeof(real)) == 0;
}

/* The tile for a panel of so many column vectors, of which `used` columns are wanted. */
GemmTile *panel_tile(const Kernels *table, int vectors, int64_t used);

/* Rounds a count of columns up to whole vectors. */
int64_t columns_padded(const Kernels *table, int64_t columns);

/* Packs rows first..first+tile_rows-1 of a matrix a(i, p) = a[i * row_step + p * depth_step]. */
void pack_rows(const Kernels *table, const real *a, int64_t row_step, int64_t depth_step,
               int64_t rows, int64_t first, int64_t depth, real *panel);

/* c[m,n] = a b with a(i,p), b(p,j) given by steps; c dense. Several such products lie behind each
 * other, in all three arrays. Parallel; scratch of gemm_scratch_size. */
typedef struct Gemm {
    int64_t     groups, m, n, k;
    const real *a, *b;
    int64_t     a_row, a_depth, b_depth, b_column; // steps in reals
    real       *c;
} Gemm;

size_t gemm_scratch_size(int64_t groups, int64_t m, int64_t n, int64_t k, int threads);
void   gemm_run(const Gemm *gemm, real *scratch);

#endif
