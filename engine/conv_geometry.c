/* engine/conv_geometry.c - see conv_geometry.h. */
#include "conv_geometry.h"

#include "gemm.h"
#include "../base/parallel.h"

int geometry_row_phases(const ConvShape *shape, ConvSide side)
{
    return side == CONV_FORWARD ? 1 : shape->stride;
}

/* Appends the taps of a phase whose row r reads source row (top - r) / stride, columns likewise. */
static void add_gradient_taps(const ConvShape *shape, int top, int left, Geometry *g, int *taps)
{
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++)
            if ((top - r) % shape->stride == 0 && (left - s) % shape->stride == 0)
                g->tap[(*taps)++] =
                    (Tap){(top - r) / shape->stride, (left - s) / shape->stride, r, s};
}

void geometry_of(const ConvShape *shape, ConvSide side, int row_phase, Geometry *g)
{
    int stride = shape->stride, pad = shape->pad, taps = 0;
    if (side == CONV_FORWARD) {
        *g = (Geometry){.source_channels = shape->c,
                        .source_h        = shape->h,
                        .source_w        = shape->w,
                        .target_channels = shape->k,
                        .target_h        = shape->oh,
                        .target_w        = shape->ow,
                        .rows            = shape->oh,
                        .cols            = shape->ow,
                        .step            = stride,
                        .phases          = 1};
        for (int r = 0; r < shape->r; r++)
            for (int s = 0; s < shape->s; s++)
                g->tap[taps++] = (Tap){r - pad, s - pad, r, s};
        g->first_tap[1] = taps;
    } else {
        *g = (Geometry){.source_channels = shape->k,
                        .source_h        = shape->oh,
                        .source_w        = shape->ow,
                        .target_channels = shape->c,
                        .target_h        = shape->h,
                        .target_w        = shape->w,
                        .rows            = (shape->h - row_phase + stride - 1) / stride,
                        .cols            = (shape->w + stride - 1) / stride,
                        .first_y         = row_phase,
                        .step            = 1,
                        .phases          = stride};
        for (int b = 0; b < stride; b++) {
            add_gradient_taps(shape, row_phase + pad, b + pad, g, &taps);
            g->first_tap[b + 1] = taps;
        }
    }
    if (shape->r == 1 && shape->s == 1 && stride == 1 && pad == 0) { // rows may run into each other
        g->cols     = g->rows * g->cols;
        g->source_w = g->target_w = g->cols;
        g->rows = g->source_h = g->target_h = 1;
        g->is_plain                         = true;
    }
}

/* ---- weights --------------------------------------------------------------------------------- */

int64_t geometry_panel(const Geometry *g, int phase, int64_t panel)
{
    int64_t rows = kernels()->tile_rows, panels = panels_of(g->target_channels, rows);
    int64_t taps = g->first_tap[phase + 1] - g->first_tap[phase];
    return (g->first_tap[phase] * panels + taps * panel) * g->source_channels * rows;
}

int64_t geometry_prepared(const Geometry *g)
{
    return geometry_panel(g, g->phases - 1, panels_of(g->target_channels, kernels()->tile_rows));
}

size_t direct_prepared_size(const ConvShape *shape, ConvSide side)
{
    size_t   total = 0;
    Geometry g;
    for (int phase = 0; phase < geometry_row_phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        total += (size_t)geometry_prepared(&g);
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

static void prepare_panel(void *data, int64_t panel, int thread)
{
    PrepareJob      *job   = data;
    const ConvShape *shape = job->shape;
    const Geometry  *g     = job->geometry;
    int64_t          rows  = kernels()->tile_rows;
    (void)thread;
    for (int phase = 0; phase < g->phases; phase++) {
        real *out = job->prepared + geometry_panel(g, phase, panel);
        for (int64_t channel = 0; channel < g->source_channels; channel++)
            for (int t = g->first_tap[phase]; t < g->first_tap[phase + 1]; t++)
                for (int64_t row = 0; row < rows; row++) {
                    int64_t target = panel * rows + row;
                    int64_t k      = job->side == CONV_FORWARD ? target : channel;
                    int64_t c      = job->side == CONV_FORWARD ? channel : target;
                    int64_t at     = ((k * shape->c + c) * shape->r + g->tap[t].r) * shape->s;
                    *out++ = target < g->target_channels ? job->weights[at + g->tap[t].s] : 0;
                }
    }
}

void direct_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared)
{
    Geometry g;
    for (int phase = 0; phase < geometry_row_phases(shape, side); phase++) {
        geometry_of(shape, side, phase, &g);
        PrepareJob job = {shape, side, &g, weights, prepared};
        parallel_for(panels_of(g.target_channels, kernels()->tile_rows), prepare_panel, &job);
        prepared += geometry_prepared(&g);
    }
}
