/* engine/gemm.c - see gemm.h. Letters: c[m,n] = a[m,k] b[k,n]. */
#include "gemm.h"

#include "parallel.h"

#include <string.h>

int panel_vectors(const Kernels *table, int64_t columns, int64_t index)
{
    int64_t full = (int64_t)table->tile_vectors * table->lanes;
    int64_t left = columns - index * full;
    return left >= full ? table->tile_vectors : (int)panels_of(left, table->lanes);
}

int64_t columns_padded(const Kernels *table, int64_t columns)
{
    return panels_of(columns, table->lanes) * table->lanes;
}

void pack_rows(const Kernels *table, const real *a, int64_t row_step, int64_t depth_step,
               int64_t rows, int64_t first, int64_t depth, real *panel)
{
    int64_t height = table->tile_rows;
    for (int64_t r = 0; r < height; r++) {
        bool        inside = first + r < rows;
        const real *from   = inside ? a + (first + r) * row_step : NULL;
        for (int64_t p = 0; p < depth; p++)
            panel[p * height + r] = inside ? from[p * depth_step] : 0;
    }
}

/* ---- few rows: the weights are read once, in place -------------------------------------------------
 * A dense layer at a small batch is bound by the memory traffic of b; packing would triple it. */

enum { FEW_ROWS = 16, COLUMN_CHUNK = 64, DEPTH_CHUNK = 1024 };

static void column_dots(void *data, int64_t chunk, int thread)
{
    const Gemm    *g     = data;
    const Kernels *table = kernels();
    (void)thread;
    for (int64_t j = chunk * COLUMN_CHUNK; j < (chunk + 1) * COLUMN_CHUNK && j < g->n; j++)
        for (int64_t i = 0; i < g->m; i++)
            g->c[i * g->n + j] = table->dot(g->a + i * g->a_row, g->b + j * g->b_column, g->k);
}

static void row_sums(void *data, int64_t chunk, int thread)
{
    const Gemm    *g     = data;
    const Kernels *table = kernels();
    int64_t        at    = chunk * DEPTH_CHUNK;
    int64_t        count = g->n - at < DEPTH_CHUNK ? g->n - at : DEPTH_CHUNK;
    (void)thread;
    for (int64_t i = 0; i < g->m; i++)
        memset(g->c + i * g->n + at, 0, (size_t)count * sizeof(real));
    for (int64_t p = 0; p < g->k; p++)
        for (int64_t i = 0; i < g->m; i++)
            table->axpy(g->c + i * g->n + at, g->a[i * g->a_row + p * g->a_depth],
                        g->b + p * g->b_depth + at, count);
}

/* ---- the general product ----------------------------------------------------------------------------- */

static size_t thread_scratch(const Kernels *table, int64_t k)
{
    size_t column_panel = (size_t)k * (size_t)(table->tile_vectors * table->lanes);
    return column_panel + TILE_MOST_ROWS * TILE_MOST_COLS;
}

size_t gemm_scratch_size(int64_t m, int64_t n, int64_t k, int threads)
{
    const Kernels *table = kernels();
    (void)n;
    size_t rows = (size_t)panels_of(m, table->tile_rows) * (size_t)table->tile_rows;
    return rows * (size_t)k + (size_t)threads * thread_scratch(table, k);
}

typedef struct GemmJob {
    const Gemm *gemm;
    real       *rows;    // packed a, all panels
    real       *threads; // thread_scratch each
} GemmJob;

static void pack_one_row_panel(void *data, int64_t panel, int thread)
{
    GemmJob       *job   = data;
    const Gemm    *g     = job->gemm;
    const Kernels *table = kernels();
    (void)thread;
    pack_rows(table, g->a, g->a_row, g->a_depth, g->m, panel * table->tile_rows, g->k,
              job->rows + panel * table->tile_rows * g->k);
}

static void multiply_column_panel(void *data, int64_t panel, int thread)
{
    GemmJob       *job     = data;
    const Gemm    *g       = job->gemm;
    const Kernels *table   = kernels();
    int64_t        full    = (int64_t)table->tile_vectors * table->lanes;
    int            vectors = panel_vectors(table, g->n, panel);
    int64_t        width   = (int64_t)vectors * table->lanes;
    int64_t        valid   = g->n - panel * full < width ? g->n - panel * full : width;
    real          *packed  = job->threads + (size_t)thread * thread_scratch(table, g->k);
    real          *result  = packed + g->k * full;
    if (valid < width)
        memset(packed, 0, (size_t)(g->k * width) * sizeof(real));
    table->pack(packed, width, g->b + panel * full * g->b_column, g->b_depth, g->k, valid, g->b_column);
    for (int64_t first = 0; first < g->m; first += table->tile_rows) {
        table->gemm_tile[vectors](g->k, job->rows + first * g->k, packed, result, width);
        for (int64_t r = 0; r < table->tile_rows && first + r < g->m; r++)
            memcpy(g->c + (first + r) * g->n + panel * full, result + r * width,
                   (size_t)valid * sizeof(real));
    }
}

void gemm_run(const Gemm *gemm, real *scratch)
{
    const Kernels *table = kernels();
    Gemm           copy  = *gemm;
    if (gemm->m <= FEW_ROWS && gemm->b_depth == 1 && gemm->a_depth == 1) {
        parallel_for(panels_of(gemm->n, COLUMN_CHUNK), column_dots, &copy);
        return;
    }
    if (gemm->m <= FEW_ROWS && gemm->b_column == 1) {
        parallel_for(panels_of(gemm->n, DEPTH_CHUNK), row_sums, &copy);
        return;
    }
    int64_t row_panels = panels_of(gemm->m, table->tile_rows);
    GemmJob job        = {.gemm    = &copy,
                          .rows    = scratch,
                          .threads = scratch + row_panels * table->tile_rows * gemm->k};
    parallel_for(row_panels, pack_one_row_panel, &job);
    parallel_for(panels_of(gemm->n, (int64_t)table->tile_vectors * table->lanes),
                 multiply_column_panel, &job);
}
