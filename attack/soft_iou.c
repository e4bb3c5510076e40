/* attack/soft_iou.c - the soft-iou loss and its gradient with respect to the unit's maps (9.3).
 *
 * A small graph on the resampled maps; the way back to the layer's resolution is the transpose of
 * the resampling. So the network never sees the loss, only weights on its maps.
 * Source: the published code, loss/soft_iou_loss.py. */
#include "unit_attack.h"

struct SoftIou {
    Graph  *graph;
    Plan   *plan;
    NodeId  maps, source, target, loss, gradient;
    int64_t images; // the standard deviation is over all of them
    float  *floats; // [mask_count]: one resampled map, or one map's gradient
};

static NodeId spread(Graph *graph, NodeId scalar, int64_t count)
{
    return op_broadcast_to(graph, op_reshape(graph, scalar, shape_1d(1)), shape_1d(count));
}

// sum(m L) / (sum(max(m, L)) + 1e-8); with L in {0, 1} the maximum is L + m (1 - L).
static NodeId soft_overlap(Graph *graph, NodeId m, NodeId mask)
{
    NodeId outside = op_offset(graph, op_scale(graph, mask, -1), 1);
    NodeId larger  = op_add(graph, op_sum(graph, mask), op_dot(graph, m, outside));
    NodeId inverse = op_power(graph, op_offset(graph, larger, (real)1e-8), -1);
    return op_mul(graph, op_dot(graph, m, mask), inverse);
}

static NodeId soft_iou_loss(SoftIou *soft, int64_t count, real threshold)
{
    Graph *graph    = soft->graph;
    Shape  shape    = shape_1d(count);
    soft->maps      = op_input(graph, shape, "maps");
    soft->source    = op_input(graph, shape, "source");
    soft->target    = op_input(graph, shape, "target");
    NodeId mean     = op_scale(graph, op_sum(graph, soft->maps), 1 / (real)count);
    NodeId centred  = op_sub(graph, soft->maps, spread(graph, mean, count));
    NodeId variance = op_scale(graph, op_dot(graph, centred, centred), 1 / (real)(count - 1));
    NodeId scale    = spread(graph, op_power(graph, variance, (real)-0.5), count);
    NodeId above    = op_mul(graph, op_offset(graph, soft->maps, -threshold), scale);
    NodeId m        = op_sigmoid(graph, above, 1);
    return op_sub(graph, soft_overlap(graph, m, soft->source),
                  soft_overlap(graph, m, soft->target));
}

static bool soft_iou_open(SoftIou **out, const UnitObjective *objective, int64_t images,
                          Error *error)
{
    SoftIou *soft = memory_new(1, sizeof *soft, error);
    if (!soft)
        return false;
    soft->images = images;
    soft->floats = memory_new((size_t)objective->masks.mask_count, sizeof(float), error);
    bool done    = soft->floats && graph_create(&soft->graph, error);
    if (done) {
        int64_t count = images * objective->masks.mask_count;
        soft->loss    = soft_iou_loss(soft, count, objective->threshold);
        graph_gradient(soft->graph, soft->loss, &soft->maps, 1, &soft->gradient);
        NodeId outputs[] = {soft->loss, soft->gradient};
        done             = plan_create(&soft->plan, soft->graph, outputs, 2, NULL, error);
    }
    if (!done) {
        soft_iou_close(soft);
        return false;
    }
    *out = soft;
    return true;
}

void soft_iou_close(SoftIou *soft)
{
    if (!soft)
        return;
    plan_destroy(soft->plan);
    graph_destroy(soft->graph);
    memory_free(soft->floats);
    memory_free(soft);
}

// The loss of soft->images images from `first` on.
static double run_images(SoftIou *soft, const UnitObjective *objective, int64_t first,
                         const float *maps, float *weights)
{
    const UnitMasks *masks  = &objective->masks;
    size_t           pixels = (size_t)masks->mask_count;
    real            *up     = plan_input(soft->plan, soft->maps);
    real            *source = plan_input(soft->plan, soft->source);
    real            *target = plan_input(soft->plan, soft->target);
    for (int64_t image = 0; image < soft->images; image++) {
        const float   *map  = maps + (first + image) * masks->map_count;
        const float   *seen = masks->resampler ? soft->floats : map;
        const uint8_t *in   = objective->source + (size_t)(first + image) * pixels;
        const uint8_t *out  = objective->target + (size_t)(first + image) * pixels;
        size_t         at   = (size_t)image * pixels;
        if (masks->resampler)
            resampler_map(masks->resampler, map, soft->floats);
        for (size_t i = 0; i < pixels; i++) {
            up[at + i]     = seen[i];
            source[at + i] = in[i];
            target[at + i] = out[i];
        }
    }
    plan_run(soft->plan);
    const real *gradient = plan_output(soft->plan, soft->gradient);
    for (int64_t image = 0; image < soft->images; image++) {
        float *native = weights + (first + image) * masks->map_count;
        float *full   = masks->resampler ? soft->floats : native;
        for (size_t i = 0; i < pixels; i++)
            full[i] = (float)gradient[(size_t)image * pixels + i];
        if (masks->resampler)
            resampler_transpose(masks->resampler, soft->floats, native);
    }
    return (double)*plan_output(soft->plan, soft->loss);
}

bool unit_objective_soft_iou(UnitObjective *objective, const float *maps, float *weights,
                             double *loss, Error *error)
{
    int64_t images = objective->coupled ? objective->count : 1;
    double  sum    = 0;
    if (objective->soft && objective->soft->images != images) {
        soft_iou_close(objective->soft);
        objective->soft = NULL;
    }
    if (!objective->soft && !soft_iou_open(&objective->soft, objective, images, error))
        return false;
    for (int64_t first = 0; first < objective->count; first += images)
        sum += run_images(objective->soft, objective, first, maps, weights);
    if (loss)
        *loss = sum;
    return true;
}
