/* attack/soft_iou.c - the soft-iou loss and its gradient with respect to the unit's maps.
 *
 * A small graph on the enlarged maps; the way back to the layer's resolution is the transpose of
 * the enlarging. So the network never sees the loss, only weights on its maps.
 * Source: the code published with Srivastava et al. 2023, loss/soft_iou_loss.py. */
#include "soft_iou.h"
#include "../engine/engine.h"

struct SoftIou {
    const Aim *aim;
    Graph     *graph;
    Plan      *plan;
    NodeId     maps, source, target, loss, gradient;
    int64_t    images, map_count; // the standard deviation is over all images
    float     *full;              // [mask_count]: one enlarged map, or one map's gradient
};

static NodeId spread(Graph *graph, NodeId scalar, int64_t count)
{
    return op_broadcast_to(graph, op_reshape(graph, scalar, shape_1d(1)), shape_1d(count));
}

// score(L) of (C11): sum(m L) / (sum(max(m, L)) + 1e-8); with L in {0, 1} the maximum is
// L + m (1 - L).
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

bool soft_iou_open(SoftIou **out, const Aim *aim, int64_t images, int64_t map_count, Error *error)
{
    SoftIou *soft = memory_new(1, sizeof *soft, error);
    if (!soft)
        return false;
    *soft      = (SoftIou){.aim = aim, .images = images, .map_count = map_count};
    soft->full = memory_new((size_t)aim->mask_count, sizeof(float), error);
    bool done  = soft->full && graph_create(&soft->graph, error);
    if (done) {
        soft->loss = soft_iou_loss(soft, images * aim->mask_count, aim->threshold);
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
    memory_free(soft->full);
    memory_free(soft);
}

static void fill_inputs(SoftIou *soft, const uint8_t *source, const uint8_t *target,
                        const float *maps)
{
    const Aim *aim    = soft->aim;
    size_t     pixels = (size_t)aim->mask_count, all = (size_t)soft->images * pixels;
    real      *enlarged  = plan_input(soft->plan, soft->maps);
    real      *source_in = plan_input(soft->plan, soft->source);
    real      *target_in = plan_input(soft->plan, soft->target);
    for (int64_t image = 0; image < soft->images; image++) {
        const float *map = maps + image * soft->map_count;
        if (aim->enlarge)
            aim->enlarge(aim->self, map, soft->full);
        for (size_t i = 0; i < pixels; i++)
            enlarged[(size_t)image * pixels + i] = aim->enlarge ? soft->full[i] : map[i];
    }
    for (size_t i = 0; i < all; i++) {
        source_in[i] = source[i];
        target_in[i] = target[i];
    }
}

double soft_iou_run(SoftIou *soft, const uint8_t *source, const uint8_t *target, const float *maps,
                    float *weights)
{
    const Aim *aim    = soft->aim;
    size_t     pixels = (size_t)aim->mask_count;
    fill_inputs(soft, source, target, maps);
    plan_run(soft->plan);
    const real *gradient = plan_output(soft->plan, soft->gradient);
    for (int64_t image = 0; image < soft->images; image++) {
        float *native = weights + image * soft->map_count;
        float *full   = aim->transpose ? soft->full : native;
        for (size_t i = 0; i < pixels; i++)
            full[i] = (float)gradient[(size_t)image * pixels + i];
        if (aim->transpose)
            aim->transpose(aim->self, full, native);
    }
    return (double)*plan_output(soft->plan, soft->loss);
}
