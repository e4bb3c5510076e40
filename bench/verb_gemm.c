/* bench/verb_gemm.c - the register tile with its panels in cache, and whole products. */
#include "bench.h"

#include "../engine/gemm.h"
#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>

enum { TILE_DEPTH = 256, TILE_REPEATS = 256 };

typedef struct TileWork {
    const Kernels *table;
    int64_t        width;
    real          *a, *b; // one panel each, shared: every core holds a copy in its cache
    real          *c;     // [threads][TILE_MOST_ROWS * TILE_MOST_COLS]
} TileWork;

static void tile_thread(void *data, int64_t chunk, int thread)
{
    TileWork *work = data;
    (void)thread;
    real *c = work->c + chunk * TILE_MOST_ROWS * TILE_MOST_COLS;
    for (int i = 0; i < TILE_REPEATS; i++)
        work->table->gemm_tile[work->table->tile_vectors](TILE_DEPTH, work->a, work->b, work->width,
                                                          c, work->width);
}

static void tile_run(void *data)
{
    parallel_for(parallel_threads(), tile_thread, data);
}

/* max |found - reference| / max |reference|, of c(i, j) = sum a[p][i] b[p][j] taken in double. */
static double tile_residual(const TileWork *work)
{
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < work->table->tile_rows; i++)
        for (int64_t j = 0; j < work->width; j++) {
            double want = 0;
            for (int64_t p = 0; p < TILE_DEPTH; p++)
                want += (double)work->a[p * work->table->tile_rows + i] *
                        (double)work->b[p * work->width + j];
            worst   = fmax(worst, fabs(want - (double)work->c[i * work->width + j]));
            largest = fmax(largest, fabs(want));
        }
    return worst / largest;
}

static bool bench_tile(const Options *options, Error *error)
{
    const Kernels *table = kernels();
    TileWork       work  = {.table = table, .width = (int64_t)table->tile_vectors * table->lanes};
    size_t         rows = (size_t)table->tile_rows, width = (size_t)work.width;
    int            threads = parallel_threads();
    Row            row     = {.verb = "gemm", .threads = threads};
    work.a                 = memory_new(rows * TILE_DEPTH, sizeof(real), error);
    work.b                 = memory_new(width * TILE_DEPTH, sizeof(real), error);
    work.c  = memory_new((size_t)threads * TILE_MOST_ROWS * TILE_MOST_COLS, sizeof(real), error);
    bool ok = work.a && work.b && work.c;
    if (ok) {
        material_fill(work.a, rows * TILE_DEPTH, "tile a", 0, 1);
        material_fill(work.b, width * TILE_DEPTH, "tile b", 0, 1);
        ok = row_time(&row, options->runs, tile_run, &work, error);
    }
    if (ok) {
        double tiles = (double)threads * TILE_REPEATS;
        snprintf(row.name, sizeof row.name, "tile %dx%d depth %d", table->tile_rows,
                 (int)work.width, TILE_DEPTH);
        row.ms         = timing_scaled(row.ms, 1 / tiles);
        row.flops      = 2.0 * (double)(rows * width) * TILE_DEPTH;
        row.figures[0] = (Figure){"residual", tile_residual(&work)};
        row_print(options, &row);
    }
    memory_free(work.a);
    memory_free(work.b);
    memory_free(work.c);
    return ok;
}

/* ---- whole products -------------------------------------------------------------------------- */

typedef struct ProductWork {
    Gemm  gemm;
    real *a, *b, *c, *scratch;
} ProductWork;

static void product_run(void *data)
{
    ProductWork *work = data;
    gemm_run(&work->gemm, work->scratch);
}

static double product_residual(const ProductWork *work)
{
    enum { SAMPLES = 64 };
    const Gemm *g      = &work->gemm;
    Random      random = random_stream(0, "bench samples");
    double      worst = 0, largest = 0;
    for (int s = 0; s < SAMPLES; s++) {
        int64_t i   = random_below(&random, (uint32_t)g->m),
                j   = random_below(&random, (uint32_t)g->n);
        double want = 0;
        for (int64_t p = 0; p < g->k; p++)
            want += (double)g->a[i * g->k + p] * (double)g->b[p * g->n + j];
        worst   = fmax(worst, fabs(want - (double)g->c[i * g->n + j]));
        largest = fmax(largest, fabs(want));
    }
    return worst / largest;
}

static bool bench_product(const Options *options, int64_t m, int64_t n, int64_t k, Error *error)
{
    ProductWork work = {0};
    Row         row  = {.verb = "gemm", .threads = parallel_threads()};
    snprintf(row.name, sizeof row.name, "product %lldx%lldx%lld", (long long)m, (long long)n,
             (long long)k);
    if (!row_wanted(options, row.name))
        return true;
    work.a       = memory_new((size_t)(m * k), sizeof(real), error);
    work.b       = memory_new((size_t)(k * n), sizeof(real), error);
    work.c       = memory_new((size_t)(m * n), sizeof(real), error);
    work.scratch = memory_new(gemm_scratch_size(1, m, n, k, row.threads), sizeof(real), error);
    work.gemm    = (Gemm){.groups   = 1,
                          .m        = m,
                          .n        = n,
                          .k        = k,
                          .a        = work.a,
                          .b        = work.b,
                          .a_row    = k,
                          .a_depth  = 1,
                          .b_depth  = n,
                          .b_column = 1,
                          .c        = work.c};
    bool ok      = work.a && work.b && work.c && work.scratch;
    if (ok) {
        material_fill(work.a, (size_t)(m * k), "product a", 0, 1);
        material_fill(work.b, (size_t)(k * n), "product b", 0, 1);
        ok = row_time(&row, options->runs, product_run, &work, error);
    }
    if (ok) {
        row.flops      = 2.0 * (double)m * (double)n * (double)k;
        row.figures[0] = (Figure){"residual", product_residual(&work)};
        row_print(options, &row);
    }
    memory_free(work.a);
    memory_free(work.b);
    memory_free(work.c);
    memory_free(work.scratch);
    return ok;
}

bool bench_gemm(const Options *options, Error *error)
{
    row_header(options, "matrix products (one row is one product; an \"image\" is a product)");
    return (options->row || bench_tile(options, error)) &&
           bench_product(options, 256, 256, 256, error) &&
           bench_product(options, 768, 768, 768, error) &&
           bench_product(options, 64, 3136, 576, error);
}
