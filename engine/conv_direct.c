/* engine/conv_direct.c - convolution as a product whose column panels are packed from the image,
 * tap by tap. */
#include "conv_geometry.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <stdatomic.h>
#include <string.h>

/* A run of neighbouring grid pixels inside one row of one image. */
typedef struct Segment {
    int64_t image, i, j, length, column;
    int64_t to, stored; // element of the target's first channel, and how many follow
} Segment;

enum {
    GROUP_PANELS = 16,
    CHANNELS     = 16, // packed for all panels of a group before the next ones
    PACK_TASK    = 64, // channels of one panel, where tasks share what is packed
    WANTED_TASKS = 24, // enough for an even load on many cores
    SPLIT_ROWS   = 32, // of a task at least
    LINE         = 64 / (int)sizeof(real),
    SKEW         = 16 // reals between panels: keeps them out of one another's cache sets
};

/* Rows of targets are split where columns alone make too few tasks; then panels are packed once, by
 * tasks of their own, and shared. */
typedef struct DirectJob {
    const Kernels    *table;
    const Geometry   *g;
    const ConvFinish *finish;
    const real       *prepared, *from;
    real             *to, *packed, *threads; // packed: all panels, or a group of each thread
    int64_t           full, columns, panels, panel_size, group, row_splits, split_panels;
    int64_t           packed_size, thread_scratch; // of `packed`, if shared; of each thread
    bool              stream;
} DirectJob;

static void plan_tasks(int64_t images, DirectJob *job)
{
    const Kernels  *table = kernels();
    const Geometry *g     = job->g;
    job->table            = table;
    job->full             = (int64_t)table->tile_vectors * table->lanes;
    job->columns          = images * g->rows * g->cols;
    job->panels           = panels_of(job->columns, job->full);
    job->panel_size       = g->source_channels * geometry_taps(g) * job->full + SKEW;
    job->group            = panels_in_cache(job->panel_size, GROUP_PANELS);
    while (job->group > 1 && panels_of(job->panels, job->group) < WANTED_TASKS)
        job->group--;
    int64_t row_panels  = panels_of(g->target_channels, table->tile_rows);
    int64_t most        = panels_of(g->target_channels, SPLIT_ROWS);
    int64_t wanted      = panels_of(WANTED_TASKS, panels_of(job->panels, job->group));
    job->split_panels   = panels_of(row_panels, wanted < most ? wanted : most);
    job->row_splits     = panels_of(row_panels, job->split_panels);
    job->packed_size    = job->row_splits > 1 ? job->panels * job->panel_size : 0;
    int64_t tiles       = g->phases * TILE_MOST_ROWS * TILE_MOST_COLS; // results, interleaved rows
    job->thread_scratch = (job->packed_size ? 0 : job->group * job->panel_size) + 2 * tiles;
}

/* Columns of one tile: packed, or read where they lie. */
typedef struct Panel {
    Segment     segment[TILE_MOST_COLS];
    int         segments, vectors;
    int64_t     width, used, step; // step: from row to row
    real       *packed;
    const real *columns;
} Panel;

/* `packed`: room for it. A panel inside one image of a plain source need not be packed, unless its
 * rows are whole pages apart and so in the same few sets of a cache. */
static void cut_panel(const DirectJob *job, int64_t index, real *packed, Panel *panel)
{
    const Geometry *g     = job->g;
    int64_t         first = index * job->full;
    panel->vectors        = panel_vectors(kernels(), job->columns, index);
    panel->width          = (int64_t)panel->vectors * kernels()->lanes;
    panel->segments       = 0;
    panel->used           = 0;
    int64_t end           = first + panel->width;
    for (int64_t at = first; at < end && at < job->columns; at = first + panel->used) {
        int64_t row = at / g->cols, j = at % g->cols, left = end - at;
        int64_t length = g->cols - j < left ? g->cols - j : left;
        if (length > job->columns - at)
            length = job->columns - at;
        Segment *s = &panel->segment[panel->segments++];
        *s         = (Segment){row / g->rows, row % g->rows, j, length, at - first, 0, 0};
        int64_t y = g->first_y + s->i * g->phases, x = j * g->phases;
        s->to       = (s->image * g->target_channels * g->target_h + y) * g->target_w + x;
        s->stored   = length * g->phases < g->target_w - x ? length * g->phases : g->target_w - x;
        panel->used = at - first + length;
    }
    panel->packed  = packed;
    panel->columns = packed;
    panel->step    = panel->width;
    if (g->is_plain && panel->segments == 1 && panel->used == panel->width &&
        !rows_collide(g->cols)) {
        panel->packed = NULL;
        panel->columns =
            job->from + panel->segment->image * g->source_channels * g->cols + panel->segment->j;
        panel->step = g->cols;
    }
}

static void zero_columns(real *to, int64_t step, int64_t rows, int64_t first, int64_t last)
{
    for (int64_t r = 0; r < rows && first < last; r++)
        memset(to + r * step + first, 0, (size_t)(last - first) * sizeof(real));
}

/* Of phase b: packed[(channel * taps + tap) * width + column] = source pixel or zero. */
static void pack_tap(const DirectJob *job, const Panel *panel, int phase, int t, int64_t first,
                     int64_t channels)
{
    const Geometry *g     = job->g;
    Tap             tap   = g->tap[t];
    int64_t         plane = g->source_h * g->source_w, step = g->step;
    int64_t         before = g->first_tap[phase], taps = g->first_tap[phase + 1] - before;
    int64_t         depth = g->source_channels * before + first * taps + t - before;
    real           *to    = panel->packed + depth * panel->width;
    zero_columns(to, taps * panel->width, channels, panel->used, panel->width);
    for (int q = 0; q < panel->segments; q++, to = panel->packed + depth * panel->width) {
        const Segment *s = &panel->segment[q];
        int64_t        y = s->i * step + tap.dy, x = s->j * step + tap.dx;
        // Columns before `low` and from `high` on read left and right of the image.
        int64_t low = x < 0 ? panels_of(-x, step) : 0, high = s->length;
        if (x + (high - 1) * step >= g->source_w)
            high = x < g->source_w ? panels_of(g->source_w - x, step) : 0;
        if (y < 0 || y >= g->source_h)
            low = s->length;
        low  = low < s->length ? low : s->length;
        high = high < low ? low : high;
        to += s->column;
        zero_columns(to, taps * panel->width, channels, 0, low);
        zero_columns(to, taps * panel->width, channels, high, s->length);
        if (low < high)
            job->table->pack(to + low, taps * panel->width,
                             job->from + (s->image * g->source_channels + first) * plane +
                                 y * g->source_w + x + low * step,
                             plane, channels, high - low, step);
    }
}

static void pack_panels(const DirectJob *job, const Panel *panel, int panels, int64_t first,
                        int64_t last)
{
    const Geometry *g = job->g;
    for (int64_t channel = first; channel < last; channel += CHANNELS) {
        int64_t channels = last - channel < CHANNELS ? last - channel : CHANNELS;
        for (int p = 0; p < panels; p++)
            for (int phase = 0; phase < g->phases && panel[p].packed; phase++)
                for (int t = g->first_tap[phase]; t < g->first_tap[phase + 1]; t++)
                    pack_tap(job, &panel[p], phase, t, channel, channels);
    }
}

static void pack_task(void *data, int64_t task, int thread)
{
    const DirectJob *job    = data;
    int64_t          chunks = panels_of(job->g->source_channels, PACK_TASK);
    int64_t          index = task / chunks, first = task % chunks * PACK_TASK;
    int64_t          left = job->g->source_channels - first;
    Panel            panel;
    (void)thread;
    cut_panel(job, index, job->packed + index * job->panel_size, &panel);
    pack_panels(job, &panel, 1, first, first + (left < PACK_TASK ? left : PACK_TASK));
}

void conv_interleave(const real *parts, int64_t stride, int phases, int64_t length, real *line)
{
    if (phases == 2) {
        kernels()->interleave(line, parts, parts + stride, length);
        return;
    }
    for (int b = 0; b < phases; b++)
        for (int64_t j = 0; j < length; j++)
            line[j * phases + b] = parts[b * stride + j];
}

/* Where the results of a row panel and a segment go; their source is left open. */
static FinishRows rows_of(const DirectJob *job, const Segment *s, int64_t channel)
{
    const Geometry *g     = job->g;
    int64_t         plane = g->target_h * g->target_w, left = g->target_channels - channel;
    FinishRows      rows = conv_finish_rows(job->finish, job->to, s->to + channel * plane, channel);
    rows.rows            = left < job->table->tile_rows ? left : job->table->tile_rows;
    rows.stride          = plane;
    rows.n               = s->stored;
    rows.stream          = job->stream;
    return rows;
}

/* Fetches what a tile will be stored to and finished with, while it is still being computed. Always
 * in line: gcc takes a function that only fetches for one that does nothing, and leaves it out. */
static inline __attribute__((always_inline)) void fetch_tile(const DirectJob *job,
                                                             const Panel *panel, int64_t channel)
{
    if (job->stream && !job->finish->add && !job->finish->gate)
        return;
    for (int q = 0; q < panel->segments; q++) {
        FinishRows f = rows_of(job, &panel->segment[q], channel);
        for (int64_t r = 0; r < f.rows; r++)
            for (int64_t at = r * f.stride; at < r * f.stride + f.n + LINE - 1; at += LINE) {
                if (!f.stream)
                    __builtin_prefetch(f.out + at, 1, 2);
                if (f.add)
                    __builtin_prefetch(f.add + at, 0, 2);
                if (f.gate)
                    __builtin_prefetch(f.gate + at, 0, 2);
            }
    }
}

/* Stores the results of one row panel; lines: room for one interleaved row a tile row. */
static void store_tile(const DirectJob *job, const Panel *panel, int64_t channel,
                       const real *result, real *lines)
{
    const Geometry *g    = job->g;
    int64_t         line = g->phases * TILE_MOST_COLS, height = job->table->tile_rows;
    for (int q = 0; q < panel->segments; q++) {
        const Segment *s = &panel->segment[q];
        FinishRows     f = rows_of(job, s, channel);
        f.x              = g->phases > 1 ? lines : result + s->column;
        f.x_stride       = g->phases > 1 ? line : panel->width;
        for (int64_t r = 0; r < f.rows && g->phases > 1; r++)
            conv_interleave(result + r * panel->width + s->column, height * panel->width, g->phases,
                            s->length, lines + r * line);
        job->table->finish(&f);
    }
}

static void direct_task(void *data, int64_t task, int thread)
{
    DirectJob      *job   = data;
    const Geometry *g     = job->g;
    const Kernels  *table = kernels();
    int64_t         first = task / job->row_splits * job->group, split = task % job->row_splits;
    int64_t         height = table->tile_rows, row_panels = panels_of(g->target_channels, height);
    int64_t         last   = (split + 1) * job->split_panels;
    real           *result = job->threads + thread * job->thread_scratch;
    real           *lines  = result + g->phases * TILE_MOST_ROWS * TILE_MOST_COLS;
    real           *packed = job->packed_size ? job->packed + first * job->panel_size
                                              : lines + g->phases * TILE_MOST_ROWS * TILE_MOST_COLS;
    Panel           panel[GROUP_PANELS];
    int             panels = 0;
    for (; panels < job->group && first + panels < job->panels; panels++)
        cut_panel(job, first + panels, packed + panels * job->panel_size, &panel[panels]);
    if (!job->packed_size)
        pack_panels(job, panel, panels, 0, g->source_channels);
    for (int64_t a = split * job->split_panels; a < last && a < row_panels; a++)
        for (int p = 0; p < panels; p++) {
            int64_t width = panel[p].width;
            fetch_tile(job, &panel[p], a * height);
            for (int b = 0; b < g->phases; b++)
                panel_tile(table, panel[p].vectors, panel[p].used)(
                    g->source_channels * (g->first_tap[b + 1] - g->first_tap[b]),
                    job->prepared + geometry_panel(g, b, a),
                    panel[p].columns + g->source_channels * g->first_tap[b] * width, panel[p].step,
                    result + b * height * width, width);
            store_tile(job, &panel[p], a * height, result, lines);
        }
    atomic_thread_fence(memory_order_seq_cst); // what was streamed
}

size_t direct_scratch_size(const ConvShape *shape, ConvSide side, int threads)
{
    size_t   most = 0;
    Geometry g;
    for (int phase = 0; phase < geometry_row_phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        if (g.rows < 1 || g.cols < 1)
            continue;
        DirectJob job = {.g = &g};
        plan_tasks(shape->n, &job);
        size_t size = (size_t)job.packed_size + (size_t)threads * (size_t)job.thread_scratch;
        most        = size > most ? size : most;
    }
    return most;
}

void direct_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                real *to, const ConvFinish *finish, real *scratch)
{
    Geometry g;
    for (int phase = 0; phase < geometry_row_phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        if (g.rows < 1 || g.cols < 1)
            continue;
        DirectJob job = {.g        = &g,
                         .finish   = finish,
                         .prepared = prepared,
                         .from     = from,
                         .to       = to,
                         .packed   = scratch};
        plan_tasks(shape->n, &job);
        job.threads = scratch + job.packed_size;
        // Planes of whole lines alone: other rows would seldom be aligned.
        int64_t plane = g.target_h * g.target_w;
        job.stream    = plane % LINE == 0 && conv_streams(shape->n * g.target_channels * plane);
        if (job.packed_size)
            parallel_for(job.panels * panels_of(g.source_channels, PACK_TASK), pack_task, &job);
        parallel_for(panels_of(job.panels, job.group) * job.row_splits, direct_task, &job);
        prepared += geometry_prepared(&g);
    }
}
