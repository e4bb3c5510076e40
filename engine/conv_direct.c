/* engine/conv_direct.c - convolution as a product whose column panels are packed from the image.
 *
 * A geometry says, for an output pixel (i, j) of a grid and a tap t, which source pixel is read:
 * (i * step + dy[t], j * step + dx[t]), zero outside. The forward pass is one such grid. The input
 * gradient at stride s is s * s grids (phases), each a stride-1 correlation with the taps that reach
 * it, so nothing is scattered. Source: Dumoulin and Visin, "A guide to convolution arithmetic",
 * 2016, section 4. */
#include "conv.h"

#include "gemm.h"
#include "parallel.h"

#include <string.h>

typedef struct Tap {
    int dy, dx; // source offset
    int r, s;   // place in the kernel
} Tap;

typedef struct Geometry {
    int64_t source_channels, source_h, source_w, target_channels, target_h, target_w;
    int64_t rows, cols;                   // grid of output pixels
    int64_t first_y, first_x, grid_step;  // where grid pixel (0,0) is stored, and the distance
    int     step, taps;
    Tap     tap[CONV_MOST_SIDE * CONV_MOST_SIDE];
} Geometry;

static int phases(const ConvShape *shape, ConvSide side)
{
    return side == CONV_FORWARD ? 1 : shape->stride * shape->stride;
}

static void geometry_of(const ConvShape *shape, ConvSide side, int phase, Geometry *g)
{
    int stride = shape->stride, pad = shape->pad;
    g->taps = 0;
    if (side == CONV_FORWARD) {
        *g = (Geometry){.source_channels = shape->c, .source_h = shape->h, .source_w = shape->w,
                        .target_channels = shape->k, .target_h = shape->oh, .target_w = shape->ow,
                        .rows = shape->oh, .cols = shape->ow, .grid_step = 1, .step = stride};
        for (int r = 0; r < shape->r; r++)
            for (int s = 0; s < shape->s; s++)
                g->tap[g->taps++] = (Tap){r - pad, s - pad, r, s};
        if (g->taps == 1 && stride == 1 && pad == 0) { // 1x1: rows may run into each other
            g->cols     = g->rows * g->cols;
            g->source_w = g->target_w = g->cols;
            g->rows = g->source_h = g->target_h = 1;
        }
        return;
    }
    int a = phase / stride, b = phase % stride;
    *g = (Geometry){.source_channels = shape->k, .source_h = shape->oh, .source_w = shape->ow,
                    .target_channels = shape->c, .target_h = shape->h, .target_w = shape->w,
                    .rows = (shape->h - a + stride - 1) / stride,
                    .cols = (shape->w - b + stride - 1) / stride,
                    .first_y = a, .first_x = b, .grid_step = stride, .step = 1};
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++)
            if ((a + pad - r) % stride == 0 && (b + pad - s) % stride == 0)
                g->tap[g->taps++] = (Tap){(a + pad - r) / stride, (b + pad - s) / stride, r, s};
}

/* ---- weights ------------------------------------------------------------------------------------------ */

static size_t prepared_of_phase(const Kernels *table, const Geometry *g)
{
    size_t rows = (size_t)panels_of(g->target_channels, table->tile_rows) * (size_t)table->tile_rows;
    return rows * (size_t)g->source_channels * (size_t)g->taps;
}

static size_t direct_prepared_size(const ConvShape *shape, ConvSide side)
{
    size_t   total = 0;
    Geometry g;
    for (int phase = 0; phase < phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        total += prepared_of_phase(kernels(), &g);
    }
    return total;
}

typedef struct PrepareJob {
    const ConvShape *shape;
    ConvSide         side;
    const Geometry  *geometry;
    const real      *weights;
    real            *prepared;
} PrepareJob;

/* One row panel: [source channel][tap][row]. */
static void prepare_panel(void *data, int64_t panel, int thread)
{
    PrepareJob      *job   = data;
    const ConvShape *shape = job->shape;
    const Geometry  *g     = job->geometry;
    int64_t          rows  = kernels()->tile_rows;
    real            *out   = job->prepared + panel * rows * g->source_channels * g->taps;
    (void)thread;
    for (int64_t row = 0; row < rows; row++) {
        int64_t target = panel * rows + row;
        for (int64_t channel = 0; channel < g->source_channels; channel++) {
            int64_t k = job->side == CONV_FORWARD ? target : channel;
            int64_t c = job->side == CONV_FORWARD ? channel : target;
            for (int t = 0; t < g->taps; t++) {
                int64_t at = ((k * shape->c + c) * shape->r + g->tap[t].r) * shape->s + g->tap[t].s;
                out[(channel * g->taps + t) * rows + row] =
                    target < g->target_channels ? job->weights[at] : 0;
            }
        }
    }
}

static void direct_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared)
{
    Geometry g;
    for (int phase = 0; phase < phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        PrepareJob job = {shape, side, &g, weights, prepared};
        parallel_for(panels_of(g.target_channels, kernels()->tile_rows), prepare_panel, &job);
        prepared += prepared_of_phase(kernels(), &g);
    }
}

/* ---- run ---------------------------------------------------------------------------------------------- */

/* A run of neighbouring grid pixels inside one row of one image. */
typedef struct Segment {
    int64_t image, i, j, length, column;
} Segment;

enum {
    GROUP_BYTES  = 384 << 10, // packed columns of one task: about half of a core's own cache
    GROUP_PANELS = 16,
    WANTED_TASKS = 24,        // enough for an even load on many cores
    SPLIT_ROWS   = 64         // a task that packs its own columns needs this many rows to pay
};

typedef struct DirectJob {
    const ConvShape  *shape;
    const Geometry   *g;
    const ConvFinish *finish;
    const real       *prepared, *from;
    real             *to, *scratch;
    size_t            thread_scratch;
    int64_t           columns, group, row_splits, split_panels;
} DirectJob;

static void plan_tasks(const ConvShape *shape, DirectJob *job)
{
    const Kernels  *table   = kernels();
    const Geometry *g       = job->g;
    int64_t         full    = (int64_t)table->tile_vectors * table->lanes;
    int64_t         depth   = g->source_channels * g->taps;
    int64_t         panels  = panels_of(shape->n * g->rows * g->cols, full);
    int64_t         fitting = GROUP_BYTES / (int64_t)sizeof(real) / (depth * full + 1);
    job->columns            = shape->n * g->rows * g->cols;
    job->group              = fitting < 1 ? 1 : fitting > GROUP_PANELS ? GROUP_PANELS : fitting;
    while (job->group > 1 && panels_of(panels, job->group) < WANTED_TASKS)
        job->group--;
    int64_t row_panels = panels_of(g->target_channels, table->tile_rows);
    int64_t most       = panels_of(g->target_channels, SPLIT_ROWS);
    int64_t wanted     = panels_of(WANTED_TASKS, panels_of(panels, job->group));
    job->row_splits    = wanted < most ? wanted : most;
    job->split_panels  = panels_of(row_panels, job->row_splits);
    job->thread_scratch =
        (size_t)(job->group * full * depth) + TILE_MOST_ROWS * TILE_MOST_COLS + 16;
}

static int cut_segments(const DirectJob *job, int64_t first, int64_t width, Segment *segment)
{
    const Geometry *g     = job->g;
    int             count = 0;
    for (int64_t at = first; at < first + width && at < job->columns;) {
        int64_t row = at / g->cols, j = at % g->cols;
        int64_t length = g->cols - j;
        if (length > first + width - at)
            length = first + width - at;
        segment[count++] = (Segment){row / g->rows, row % g->rows, j, length, at - first};
        at += length;
    }
    return count;
}

static inline void copy_reals(real *restrict to, const real *restrict from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i];
}

/* panel[(channel * taps + tap) * width + column] = source pixel or zero. */
static void pack_panel(const DirectJob *job, const Segment *segment, int segments, int64_t width,
                       real *panel)
{
    const Geometry *g     = job->g;
    int64_t         plane = g->source_h * g->source_w, depth_step = g->taps * width;
    int64_t         used  = segments ? segment[segments - 1].column + segment[segments - 1].length : 0;
    if (used < width)
        memset(panel, 0, (size_t)(g->source_channels * depth_step) * sizeof(real));
    for (int t = 0; t < g->taps; t++)
        for (int q = 0; q < segments; q++) {
            Segment s = segment[q];
            int64_t y = s.i * g->step + g->tap[t].dy, x = s.j * g->step + g->tap[t].dx;
            // Columns before `low` and from `high` on read left and right of the image.
            int64_t low  = x < 0 ? panels_of(-x, g->step) : 0;
            int64_t high = x >= g->source_w ? 0 : panels_of(g->source_w - x, g->step);
            if (y < 0 || y >= g->source_h)
                low = high = s.length;
            low              = low < s.length ? low : s.length;
            high             = high < s.length ? high : s.length;
            high             = high < low ? low : high;
            const real *from = job->from + s.image * g->source_channels * plane + y * g->source_w + x;
            real       *to   = panel + t * width + s.column;
            for (int64_t c = 0; c < g->source_channels; c++, from += plane, to += depth_step) {
                for (int64_t j = 0; j < low; j++)
                    to[j] = 0;
                if (g->step == 1)
                    copy_reals(to + low, from + low, high - low);
                else
                    for (int64_t j = low; j < high; j++)
                        to[j] = from[j * g->step];
                for (int64_t j = high; j < s.length; j++)
                    to[j] = 0;
            }
        }
}

static void store_row(const DirectJob *job, int64_t channel, const Segment *s, const real *result)
{
    const Geometry   *g      = job->g;
    const ConvFinish *finish = job->finish;
    int64_t           at     = (s->image * g->target_channels + channel) * g->target_h * g->target_w;
    at += (g->first_y + s->i * g->grid_step) * g->target_w + g->first_x + s->j * g->grid_step;
    real bias = finish->bias ? finish->bias[channel] : 0;
    if (g->grid_step == 1) {
        kernels()->finish(job->to + at, result, bias, finish->add ? finish->add + at : NULL,
                          finish->relu, finish->gate ? finish->gate + at : NULL, s->length);
        return;
    }
    for (int64_t j = 0; j < s->length; j++, at += g->grid_step)
        kernels()->finish(job->to + at, result + j, bias, finish->add ? finish->add + at : NULL,
                          finish->relu, finish->gate ? finish->gate + at : NULL, 1);
}

static void direct_task(void *data, int64_t task, int thread)
{
    DirectJob      *job    = data;
    const Geometry *g      = job->g;
    const Kernels  *table  = kernels();
    int64_t         full   = (int64_t)table->tile_vectors * table->lanes;
    int64_t         depth  = g->source_channels * g->taps;
    int64_t         group  = task / job->row_splits, split = task % job->row_splits;
    int64_t         first  = group * job->group, panels = panels_of(job->columns, full);
    int64_t         last   = first + job->group < panels ? first + job->group : panels;
    real           *packed = job->scratch + (size_t)thread * job->thread_scratch;
    real           *result = packed + job->group * full * depth;
    Segment         segment[GROUP_PANELS][TILE_MOST_COLS];
    int             segments[GROUP_PANELS];
    for (int64_t p = first; p < last; p++) {
        int64_t width       = (int64_t)panel_vectors(table, job->columns, p) * table->lanes;
        segments[p - first] = cut_segments(job, p * full, width, segment[p - first]);
        pack_panel(job, segment[p - first], segments[p - first], width,
                   packed + (p - first) * full * depth);
    }
    int64_t row_panels = panels_of(g->target_channels, table->tile_rows);
    for (int64_t a = split * job->split_panels; a < (split + 1) * job->split_panels && a < row_panels;
         a++)
        for (int64_t p = first; p < last; p++) {
            int vectors = panel_vectors(table, job->columns, p);
            table->gemm_tile[vectors](depth, job->prepared + a * table->tile_rows * depth,
                                      packed + (p - first) * full * depth, result,
                                      (int64_t)vectors * table->lanes);
            for (int64_t r = 0; r < table->tile_rows && a * table->tile_rows + r < g->target_channels;
                 r++)
                for (int q = 0; q < segments[p - first]; q++)
                    store_row(job, a * table->tile_rows + r, &segment[p - first][q],
                              result + r * vectors * table->lanes + segment[p - first][q].column);
        }
}

static size_t direct_scratch_size(const ConvShape *shape, ConvSide side, int threads)
{
    size_t   most = 0;
    Geometry g;
    for (int phase = 0; phase < phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        DirectJob job = {.g = &g};
        plan_tasks(shape, &job);
        most = job.thread_scratch > most ? job.thread_scratch : most;
    }
    return most * (size_t)threads;
}

static void direct_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                       real *to, const ConvFinish *finish, real *scratch)
{
    Geometry g;
    for (int phase = 0; phase < phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        if (g.rows < 1 || g.cols < 1)
            continue;
        DirectJob job = {.shape = shape, .g = &g, .finish = finish, .prepared = prepared,
                         .from = from, .to = to, .scratch = scratch};
        plan_tasks(shape, &job);
        int64_t full   = (int64_t)kernels()->tile_vectors * kernels()->lanes;
        int64_t groups = panels_of(panels_of(job.columns, full), job.group);
        parallel_for(groups * job.row_splits, direct_task, &job);
        prepared += prepared_of_phase(kernels(), &g);
    }
}

/* ---- one door for both methods --------------------------------------------------------------------------- */

ConvMethod conv_choose(ConvMethod wanted, const ConvShape *shape, ConvSide side)
{
    bool    possible = shape->r == 3 && shape->s == 3 && shape->stride == 1 && shape->pad <= 2;
    int64_t depth    = side == CONV_FORWARD ? shape->c : shape->k;
    bool    pays     = depth >= 16 && sizeof(real) == sizeof(float);
    if (!possible || wanted == CONV_DIRECT)
        return CONV_DIRECT;
    return wanted == CONV_WINOGRAD || pays ? CONV_WINOGRAD : CONV_DIRECT;
}

size_t conv_prepared_size(const ConvShape *shape, ConvSide side, ConvMethod method)
{
    return method == CONV_WINOGRAD ? winograd_prepared_size(shape, side)
                                   : direct_prepared_size(shape, side);
}

void conv_prepare(const ConvShape *shape, ConvSide side, ConvMethod method, const real *weights,
                  real *prepared)
{
    if (method == CONV_WINOGRAD)
        winograd_prepare(shape, side, weights, prepared);
    else
        direct_prepare(shape, side, weights, prepared);
}

size_t conv_scratch_size(const ConvShape *shape, ConvSide side, ConvMethod method, int threads)
{
    return method == CONV_WINOGRAD ? winograd_scratch_size(shape, side, threads)
                                   : direct_scratch_size(shape, side, threads);
}

void conv_run(const ConvShape *shape, ConvSide side, ConvMethod method, const real *prepared,
              const real *from, real *to, const ConvFinish *finish, real *scratch)
{
    if (method == CONV_WINOGRAD)
        winograd_run(shape, side, prepared, from, to, finish, scratch);
    else
        direct_run(shape, side, prepared, from, to, finish, scratch);
}
