/* engine/gemm.c - see gemm.h. Letters: c[m,n] = a[m,k] b[k,n]. */
#include "gemm.h"

#include "../base/cores.h"
#include "../base/parallel.h"

#include <string.h>

int panel_vectors(const Kernels *table, int64_t columns, int64_t index)
{
    int64_t full = (int64_t)table->tile_vectors * table->lanes;
    int64_t left = columns - index * full;
    return left >= full ? table->tile_vectors : (int)panels_of(left, table->lanes);
}

int64_t panels_in_cache(int64_t panel, int64_t most)
{
    int64_t fitting = cores_caches().own * 3 / 8 / (int64_t)sizeof(real) / panel;
    return fitting < 1 ? 1 : fitting > most ? most : fitting;
}

GemmTile *panel_tile(const Kernels *table, int vectors, int64_t used)
{
    GemmTile *tile = used <= table->few_columns ? table->gemm_few : table->gemm_tile[vectors];
    return tile;
}

int64_t columns_padded(const Kernels *table, int64_t columns)
{
    return panels_of(columns, table->lanes) * table->lanes;
}

void pack_rows(const Kernels *table, const real *a, int64_t row_step, int64_t depth_step,
               int64_t rows, int64_t first, int64_t depth, real *panel)
{
    int64_t height = table->tile_rows;
    if (depth_step == 1 && first + height <= rows) {
        table->transpose(panel, height, a + first * row_step, row_step, height, depth);
        return;
    }
    if (row_step == 1 && first + height <= rows) {
        table->pack(panel, height, a + first, depth_step, depth, height, 1);
        return;
    }
    for (int64_t r = 0; r < height; r++) {
        bool        inside = first + r < rows;
        const real *from   = inside ? a + (first + r) * row_step : NULL;
        for (int64_t p = 0; p < depth; p++)
            panel[p * height + r] = inside ? from[p * depth_step] : 0;
    }
}

/* ---- few rows: the weights are read once, in place ----------------------------------------------
 * A dense layer at a small batch is bound by the memory traffic of b; packing would triple it. */

enum { FEW_ROWS = 16, DOT_CHUNK = 64, SUM_CHUNK = 2048, DEPTH_PIECE = 64 };

static void column_dots(void *data, int64_t chunk, int thread)
{
    const Gemm    *g     = data;
    const Kernels *table = kernels();
    (void)thread;
    for (int64_t j = chunk * DOT_CHUNK; j < (chunk + 1) * DOT_CHUNK && j < g->n; j++)
        for (int64_t i = 0; i < g->m; i++)
            g->c[i * g->n + j] = table->dot(g->a + i * g->a_row, g->b + j * g->b_column, g->k);
}

// Pieces of the depth are summed apart, as in a tile: one sum over 4,096 rows loses two more bits.
static void row_sums(void *data, int64_t chunk, int thread)
{
    real           part[SUM_CHUNK];
    const Gemm    *g     = data;
    const Kernels *table = kernels();
    int64_t        at    = chunk * SUM_CHUNK;
    int64_t        count = g->n - at < SUM_CHUNK ? g->n - at : SUM_CHUNK;
    (void)thread;
    for (int64_t i = 0; i < g->m; i++)
        memset(g->c + i * g->n + at, 0, (size_t)count * sizeof(real));
    for (int64_t piece = 0; piece < g->k; piece += DEPTH_PIECE) {
        int64_t end = g->k - piece < DEPTH_PIECE ? g->k : piece + DEPTH_PIECE;
        for (int64_t i = 0; i < g->m; i++) {
            real *c = g->c + i * g->n + at;
            memset(part, 0, (size_t)count * sizeof(real));
            table->add_rows(part, g->a + i * g->a_row + piece * g->a_depth, g->a_depth,
                            g->b + piece * g->b_depth + at, g->b_depth, end - piece, count);
            table->add(c, c, part, count);
        }
    }
}

/* ---- the general product --------------------------------------------------------------------- */

enum {
    GROUP_PANELS = 8,
    DEPTHS       = 16, // packed for all panels of a group before the next ones
    WANTED_TASKS = 16
};

/* Column panels of one task. */
static int64_t group_size(const Kernels *table, int64_t n, int64_t k)
{
    int64_t full  = (int64_t)table->tile_vectors * table->lanes;
    int64_t group = panels_in_cache(k * full + 1, GROUP_PANELS);
    while (group > 1 && panels_of(panels_of(n, full), group) < WANTED_TASKS)
        group--;
    return group;
}

static size_t thread_scratch(const Kernels *table, int64_t n, int64_t k)
{
    size_t panel = (size_t)k * (size_t)(table->tile_vectors * table->lanes);
    return (size_t)group_size(table, n, k) * panel + TILE_MOST_ROWS * TILE_MOST_COLS;
}

/* Small products, as those of attention: each is a task. */
static bool is_a_task(int64_t groups, int64_t m, int64_t n, int64_t k)
{
    enum { FEW_GROUPS = 4, SMALL = 1 << 23 };
    return groups >= FEW_GROUPS && m * n * k <= SMALL;
}

static size_t one_scratch_size(int64_t m, int64_t n, int64_t k, int threads)
{
    const Kernels *table = kernels();
    size_t         rows  = (size_t)panels_of(m, table->tile_rows) * (size_t)table->tile_rows;
    return rows * (size_t)k + (size_t)threads * thread_scratch(table, n, k);
}

size_t gemm_scratch_size(int64_t groups, int64_t m, int64_t n, int64_t k, int threads)
{
    return is_a_task(groups, m, n, k) ? (size_t)threads * one_scratch_size(m, n, k, 1)
                                      : one_scratch_size(m, n, k, threads);
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

/* One panel of columns: its first, how many of its width belong to b; packed, or read where it
 * lies. */
typedef struct ColumnPanel {
    int         vectors;
    int64_t     first, width, valid, step; // step: from row to row
    real       *packed;
    const real *columns;
} ColumnPanel;

static void pack_columns(const Gemm *g, const ColumnPanel *panel, int panels)
{
    for (int64_t p = 0; p < g->k; p += DEPTHS) {
        int64_t depths = g->k - p < DEPTHS ? g->k - p : DEPTHS;
        for (const ColumnPanel *c = panel; c < panel + panels; c++) {
            if (!c->packed)
                continue;
            real *to = c->packed + p * c->width;
            if (c->valid < c->width)
                memset(to, 0, (size_t)(depths * c->width) * sizeof(real));
            const real *from = g->b + p * g->b_depth + c->first * g->b_column;
            if (g->b_depth == 1)
                kernels()->transpose(to, c->width, from, g->b_column, c->valid, depths);
            else
                kernels()->pack(to, c->width, from, g->b_depth, depths, c->valid, g->b_column);
        }
    }
}

/* A tile that lies inside c is stored there, any other through `result`. */
static void multiply_tile(const Gemm *g, int64_t row, const real *rows, const ColumnPanel *panel,
                          real *result)
{
    const Kernels *table = kernels();
    real          *to    = g->c + row * g->n + panel->first;
    if (row + table->tile_rows <= g->m && panel->valid == panel->width) {
        for (int64_t r = 0; r < table->tile_rows; r++)
            for (int64_t j = 0; j < panel->width; j += table->lanes)
                __builtin_prefetch(to + r * g->n + j, 1, 2);
        table->gemm_tile[panel->vectors](g->k, rows, panel->columns, panel->step, to, g->n);
        return;
    }
    panel_tile(table, panel->vectors, panel->valid)(g->k, rows, panel->columns, panel->step, result,
                                                    panel->width);
    for (int64_t r = 0; r < table->tile_rows && row + r < g->m; r++)
        memcpy(to + r * g->n, result + r * panel->width, (size_t)panel->valid * sizeof(real));
}

static void multiply_columns(void *data, int64_t task, int thread)
{
    GemmJob       *job    = data;
    const Gemm    *g      = job->gemm;
    const Kernels *table  = kernels();
    int64_t        full   = (int64_t)table->tile_vectors * table->lanes;
    int64_t        group  = group_size(table, g->n, g->k);
    real          *packed = job->threads + (size_t)thread * thread_scratch(table, g->n, g->k);
    ColumnPanel    panel[GROUP_PANELS];
    int            panels = 0;
    for (; panels < group && (task * group + panels) * full < g->n; panels++) {
        ColumnPanel *c = &panel[panels];
        c->first       = (task * group + panels) * full;
        c->vectors     = panel_vectors(table, g->n, task * group + panels);
        c->width       = (int64_t)c->vectors * table->lanes;
        c->valid       = g->n - c->first < c->width ? g->n - c->first : c->width;
        c->packed      = packed + panels * g->k * full;
        c->columns     = c->packed;
        c->step        = c->width;
        if (g->b_column == 1 && c->valid == c->width && !rows_collide(g->b_depth)) {
            c->packed  = NULL;
            c->columns = g->b + c->first;
            c->step    = g->b_depth;
        }
    }
    pack_columns(g, panel, panels);
    for (int64_t row = 0; row < g->m; row += table->tile_rows)
        for (int p = 0; p < panels; p++)
            multiply_tile(g, row, job->rows + row * g->k, &panel[p], packed + group * g->k * full);
}

/* Product number `group`. */
static void run_one(const Gemm *gemm, int64_t group, real *scratch)
{
    const Kernels *table = kernels();
    Gemm           copy  = *gemm;
    copy.a += group * gemm->m * gemm->k;
    copy.b += group * gemm->k * gemm->n;
    copy.c += group * gemm->m * gemm->n;
    if (gemm->m <= FEW_ROWS && gemm->b_depth == 1 && gemm->a_depth == 1) {
        parallel_for(panels_of(gemm->n, DOT_CHUNK), column_dots, &copy);
        return;
    }
    if (gemm->m <= FEW_ROWS && gemm->b_column == 1) {
        parallel_for(panels_of(gemm->n, SUM_CHUNK), row_sums, &copy);
        return;
    }
    int64_t row_panels = panels_of(gemm->m, table->tile_rows);
    GemmJob job        = {.gemm    = &copy,
                          .rows    = scratch,
                          .threads = scratch + row_panels * table->tile_rows * gemm->k};
    parallel_for(row_panels, pack_one_row_panel, &job);
    int64_t columns = panels_of(gemm->n, (int64_t)table->tile_vectors * table->lanes);
    parallel_for(panels_of(columns, group_size(table, gemm->n, gemm->k)), multiply_columns, &job);
}

typedef struct GroupJob {
    const Gemm *gemm;
    real       *scratch;
    size_t      size; // of a thread
} GroupJob;

/* Loops inside run as thread 0 of their caller. */
static void group_task(void *data, int64_t group, int thread)
{
    const GroupJob *job = data;
    run_one(job->gemm, group, job->scratch + (size_t)thread * job->size);
}

void gemm_run(const Gemm *gemm, real *scratch)
{
    int64_t  m = gemm->m, n = gemm->n, k = gemm->k;
    GroupJob job = {.gemm = gemm, .scratch = scratch, .size = one_scratch_size(m, n, k, 1)};
    if (is_a_task(gemm->groups, m, n, k))
        parallel_for(gemm->groups, group_task, &job);
    else
        for (int64_t group = 0; group < gemm->groups; group++)
            run_one(gemm, group, scratch);
}
