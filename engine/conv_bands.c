/* engine/conv_bands.c - direct convolution whose columns are read where they lie.
 *
 * Of a kernel with several taps every pixel is a column of several products, so packing would write
 * it once a tap. Instead a task copies what a band of its rows reads (conv_bands.h).
 *
 * The sums are those of conv_direct.c in the same order, so which of the two runs changes no bit. */
#include "conv_bands.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <stdatomic.h>
#include <string.h>

enum { WANTED_TASKS = 24, LEAST_COLUMNS = 96 };

static void set_rows(Bands *b, int64_t rows, int bottom)
{
    b->rows    = rows < 1 ? 1 : rows;
    b->bands   = b->g->rows < 1 ? 1 : panels_of(b->g->rows, b->rows);
    b->height  = b->rows + (bottom - b->top) / b->step;
    b->columns = columns_padded(kernels(), bands_columns(b, b->rows));
    b->source  = b->g->source_channels * b->step * b->step * b->height * b->width;
}

static bool stays_in_cache(int64_t reals)
{
    return panels_in_cache((reals + 1) / 2, 2) == 2;
}

/* All but how many rows a task has; *bottom: the lowest source row that a grid row reads. */
static Bands bands_without_rows(const ConvShape *shape, ConvSide side, int *bottom)
{
    Bands b      = {.images = shape->n,
                    .step   = side == CONV_FORWARD ? shape->stride : 1,
                    .top    = INT32_MAX,
                    .left   = INT32_MAX};
    int   right  = INT32_MIN;
    *bottom      = INT32_MIN;
    b.row_phases = geometry_row_phases(shape, side);
    for (int phase = 0; phase < b.row_phases; phase++) {
        Geometry *g = &b.g[phase];
        geometry_of(shape, side, phase, g);
        b.taps += geometry_taps(g);
        for (const Tap *tap = g->tap; tap < g->tap + geometry_taps(g); tap++) {
            b.top   = tap->dy < b.top ? tap->dy : b.top;
            b.left  = tap->dx < b.left ? tap->dx : b.left;
            *bottom = tap->dy > *bottom ? tap->dy : *bottom;
            right   = tap->dx > right ? tap->dx : right;
        }
    }
    b.width = b.g->cols + (right - b.left) / b.step;
    return b;
}

Bands bands_of(const ConvShape *shape, ConvSide side, int64_t tasks)
{
    int     bottom;
    Bands   b    = bands_without_rows(shape, side, &bottom);
    int64_t rows = panels_of(b.g->rows, panels_of(tasks, b.images));
    set_rows(&b, rows, bottom);
    while (b.rows > 1 && !stays_in_cache(b.source))
        set_rows(&b, b.rows - 1, bottom);
    set_rows(&b, panels_of(b.g->rows, b.bands), bottom);
    return b;
}

Bands bands_cut(const ConvShape *shape, ConvSide side, int64_t columns)
{
    int     bottom;
    Bands   b    = bands_without_rows(shape, side, &bottom);
    int64_t rows = columns / b.width;
    set_rows(&b, rows < b.g->rows ? rows : b.g->rows, bottom);
    return b;
}

/* Several taps; columns that are mostly stored; tasks that read all weights for many columns, or
 * weights that stay in the cache as well. */
bool bands_fit(const ConvShape *shape, ConvSide side)
{
    if (shape->stride > BANDS_MOST_STEP || shape->r * shape->s == 1)
        return false;
    Bands   b       = bands_of(shape, side, WANTED_TASKS);
    int64_t weights = b.g->source_channels * b.g->target_channels * b.taps;
    return b.g->rows > 0 && b.g->cols > 0 && stays_in_cache(b.source) &&
           4 * b.rows * b.g->cols >= 3 * b.columns && b.images * b.bands >= WANTED_TASKS / 2 &&
           (b.columns >= LEAST_COLUMNS || stays_in_cache(weights));
}

/* Of a thread: the source's part and a vector past it, results of a row panel and every column
 * phase, rows of one channel interleaved, its bias. */
typedef struct Scratch {
    real *source, *result, *lines, *bias;
} Scratch;

static Scratch scratch_of(const Bands *b, real *start)
{
    Scratch s = {.source = start};
    s.result  = s.source + reals_padded(b->source + kernels()->lanes);
    s.lines   = s.result + reals_padded(b->g->phases * kernels()->tile_rows * b->columns);
    s.bias    = s.lines + reals_padded(b->rows * b->g->phases * b->g->cols);
    return s;
}

static int64_t thread_size(const Bands *b)
{
    return reals_padded(b->source + kernels()->lanes) +
           reals_padded(b->g->phases * kernels()->tile_rows * b->columns) +
           reals_padded(b->rows * b->g->phases * b->g->cols) + reals_padded(b->rows);
}

/* Where each row of each phase's product begins in the source's part, for all threads. */
static int64_t offsets_size(const Bands *b)
{
    return reals_padded(panels_of(b->g->source_channels * b->taps * (int64_t)sizeof(int32_t),
                                  (int64_t)sizeof(real)));
}

size_t bands_scratch_size(const ConvShape *shape, ConvSide side, int threads)
{
    Bands b = bands_of(shape, side, WANTED_TASKS);
    return (size_t)offsets_size(&b) + (size_t)threads * (size_t)thread_size(&b);
}

typedef struct BandJob {
    Bands             bands;
    const ConvFinish *finish;
    const real       *prepared[BANDS_MOST_STEP], *from; // prepared: of each row phase
    const int32_t    *offsets[BANDS_MOST_STEP]; // likewise; of column phases one after another
    real             *to, *threads;
    bool              stream;
} BandJob;

void bands_offsets(const Bands *b, const Geometry *g, int32_t *to)
{
    int64_t plane = b->height * b->width;
    for (int phase = 0; phase < g->phases; phase++)
        for (int64_t channel = 0; channel < g->source_channels; channel++)
            for (int t = g->first_tap[phase]; t < g->first_tap[phase + 1]; t++) {
                int     y = g->tap[t].dy - b->top, x = g->tap[t].dx - b->left;
                int64_t parity = (channel * b->step + y % b->step) * b->step + x % b->step;
                *to++          = (int32_t)(parity * plane + y / b->step * b->width + x / b->step);
            }
}

/* One parity of a source plane, from row `first` and column `left` on; outside are zeros. */
static void copy_parity(const Bands *b, const real *plane, int64_t first, int64_t left, real *to)
{
    const Geometry *g    = b->g;
    int64_t         step = b->step, high = b->height, wide = b->width;
    int64_t         above  = first < 0 ? panels_of(-first, step) : 0;
    int64_t         end    = first < g->source_h ? panels_of(g->source_h - first, step) : 0;
    int64_t         before = left < 0 ? panels_of(-left, step) : 0;
    int64_t         after  = left < g->source_w ? panels_of(g->source_w - left, step) : 0;
    end                    = end < high ? end : high;
    after                  = after < wide ? after : wide;
    if (above >= end || before >= after) {
        memset(to, 0, (size_t)(high * wide) * sizeof(real));
        return;
    }
    memset(to, 0, (size_t)(above * wide) * sizeof(real));
    memset(to + end * wide, 0, (size_t)((high - end) * wide) * sizeof(real));
    for (int64_t i = above; i < end; i++) {
        for (int64_t j = 0; j < before; j++)
            to[i * wide + j] = 0;
        for (int64_t j = after; j < wide; j++)
            to[i * wide + j] = 0;
    }
    kernels()->pack(to + above * wide + before, wide,
                    plane + (first + above * step) * g->source_w + left + before * step,
                    step * g->source_w, end - above, after - before, step);
}

void bands_copy(const Bands *b, const real *from, int64_t image, int64_t first_row, real *to)
{
    const Geometry *g     = b->g;
    const real     *plane = from + image * g->source_channels * g->source_h * g->source_w;
    for (int64_t channel = 0; channel < g->source_channels; channel++) {
        for (int y = 0; y < b->step; y++)
            for (int x = 0; x < b->step; x++, to += b->height * b->width)
                copy_parity(b, plane, first_row * b->step + b->top + y, b->left + x, to);
        plane += g->source_h * g->source_w;
    }
    memset(to, 0, (size_t)kernels()->lanes * sizeof(real));
}

/* Stores a row panel: rows first..first+rows-1 of a row phase's grid. */
static void store_panel(const BandJob *job, const Geometry *g, int64_t image, int64_t first,
                        int64_t rows, int64_t channel, const Scratch *scratch)
{
    const Bands *b      = &job->bands;
    int64_t      height = kernels()->tile_rows, plane = g->target_h * g->target_w;
    for (int64_t r = 0; r < height && channel + r < g->target_channels; r++) {
        const real *result = scratch->result + r * b->columns;
        int64_t     at     = (image * g->target_channels + channel + r) * plane +
                     (g->first_y + first * g->phases) * g->target_w;
        FinishRows f = conv_finish_rows(job->finish, job->to, at, channel + r);
        f.rows       = rows;
        f.n          = g->target_w;
        f.stride     = g->phases * g->target_w;
        f.stream     = job->stream;
        f.x          = result;
        f.x_stride   = b->width;
        if (g->phases > 1) {
            f.x        = scratch->lines;
            f.x_stride = g->phases * g->cols;
            for (int64_t i = 0; i < rows; i++)
                conv_interleave(result + i * b->width, height * b->columns, g->phases, g->cols,
                                scratch->lines + i * f.x_stride);
        }
        for (int64_t i = 0; i < rows && f.bias; i++)
            scratch->bias[i] = *f.bias;
        f.bias = f.bias ? scratch->bias : NULL;
        kernels()->finish(&f);
    }
}

static void multiply_panel(const BandJob *job, int row_phase, int64_t rows, int64_t panel,
                           const Scratch *scratch)
{
    const Bands    *b       = &job->bands;
    const Geometry *g       = &b->g[row_phase];
    const Kernels  *table   = kernels();
    int64_t         vectors = panels_of(bands_columns(b, rows), table->lanes);
    int64_t         tiles   = panels_of(vectors, table->tile_vectors);
    const int32_t  *offsets = job->offsets[row_phase];
    for (int phase = 0; phase < g->phases; phase++) {
        int64_t depth = g->source_channels * (g->first_tap[phase + 1] - g->first_tap[phase]);
        real   *to    = scratch->result + phase * table->tile_rows * b->columns;
        for (int64_t tile = 0; tile < tiles; tile++) { // of about equal numbers of vectors
            int64_t from = tile * vectors / tiles, end = (tile + 1) * vectors / tiles;
            table->shift_tile[end - from](
                depth, job->prepared[row_phase] + geometry_panel(g, phase, panel),
                scratch->source + from * table->lanes, offsets, to + from * table->lanes,
                b->columns);
        }
        offsets += depth;
    }
}

static void band_task(void *data, int64_t task, int thread)
{
    const BandJob *job   = data;
    const Bands   *b     = &job->bands;
    int64_t        image = task / b->bands, first = task % b->bands * b->rows;
    int64_t        height  = kernels()->tile_rows;
    Scratch        scratch = scratch_of(b, job->threads + thread * thread_size(b));
    bands_copy(b, job->from, image, first, scratch.source);
    for (int64_t panel = 0; panel * height < b->g->target_channels; panel++)
        for (int phase = 0; phase < b->row_phases; phase++) {
            int64_t left = b->g[phase].rows - first, rows = left < b->rows ? left : b->rows;
            if (rows < 1)
                continue;
            multiply_panel(job, phase, rows, panel, &scratch);
            store_panel(job, &b->g[phase], image, first, rows, panel * height, &scratch);
        }
    atomic_thread_fence(memory_order_seq_cst); // what was streamed
}

void bands_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
               real *to, const ConvFinish *finish, real *scratch)
{
    BandJob job = {
        .bands = bands_of(shape, side, WANTED_TASKS), .finish = finish, .from = from, .to = to};
    Bands   *b       = &job.bands;
    int32_t *offsets = (void *)scratch;
    job.threads      = scratch + offsets_size(b);
    job.stream = conv_streams(b->images * b->g->target_channels * b->g->target_h * b->g->target_w);
    for (int phase = 0; phase < b->row_phases; phase++) {
        const Geometry *g   = &b->g[phase];
        job.prepared[phase] = prepared;
        job.offsets[phase]  = offsets;
        bands_offsets(b, g, offsets);
        prepared += geometry_prepared(g);
        offsets += g->source_channels * geometry_taps(g);
    }
    parallel_for(b->images * b->bands, band_task, &job);
}
