/* bench/alignment.c - a step of training for aligned gradients: cross-entropy, and how far the input
 * gradient moves when pixels are perturbed (l2 + Cosd), whose gradient is a second derivative.
 * Source: Joo et al., AAAI 2023, with the source gradient held constant. */
#include "bench.h"

#include "../engine/sweep.h"
#include "../training/trainer.h"

#include <string.h>

/* d sum of the labels' logits / d pixels. */
static NodeId input_gradient(Graph *graph, const Network *network, NodeId target)
{
    NodeId gradient = NODE_NONE;
    graph_gradient(graph, op_dot(graph, target, network->layer), &network->pixels, 1, &gradient);
    return gradient;
}

/* 0.01 mean |a - b|^2 + (1 - mean cosine(a, b)) / 2 over images. */
static NodeId alignment_loss(Graph *graph, NodeId a, NodeId b)
{
    int64_t images = graph_shape(graph, a).dim[0];
    Shape   one    = shape_4d(images, 1, 1, 1);
    NodeId  aa     = op_sum_to(graph, op_mul(graph, a, a), one);
    NodeId  bb     = op_sum_to(graph, op_mul(graph, b, b), one);
    NodeId  ab     = op_sum_to(graph, op_mul(graph, a, b), one);
    NodeId  cosine = op_mul(graph, ab, op_power(graph, op_mul(graph, aa, bb), (real)-0.5));
    NodeId  l2     = op_squared_distance(graph, a, b);
    return op_add(graph, op_scale(graph, l2, (real)0.01 / (real)images),
                  op_offset(graph, op_scale(graph, op_sum(graph, cosine), -1 / (real)(2 * images)),
                            (real)0.5));
}

/* The gradient in weights: of the cross-entropy, and from `slope`, d alignment / d b, through b. */
static bool build(TrainWork *work, const Network *clean, const Network *moved, Trainables *list,
                  NodeId target, Error *error)
{
    int     count = list->weight_count;
    Graph  *graph = work->graph;
    NodeId *nodes = memory_new(3 * (size_t)count + 1, sizeof *nodes, error), slope = NODE_NONE;
    NodeId *outputs = nodes, *wrt = nodes + count + 1, *second = wrt + count;
    if (!nodes)
        return false;
    NodeId a = input_gradient(graph, clean, target), b = input_gradient(graph, moved, target);
    NodeId cross_entropy = cross_entropy_node(graph, clean->layer, target);
    NodeId alignment     = alignment_loss(graph, a, b);
    for (int i = 0; i < count; i++)
        wrt[i] = list->weights[i].node;
    graph_gradient(graph, alignment, &b, 1, &slope);
    graph_sweep(graph, NULL, b, slope, wrt, count, second);
    graph_gradient(graph, cross_entropy, wrt, count, outputs);
    for (int i = 0; i < count; i++)
        outputs[i] = op_add(graph, outputs[i], second[i]);
    outputs[count] = op_add(graph, cross_entropy, alignment);
    bool ok        = plan_create(&work->plan, graph, outputs, count + 1, NULL, error);
    for (int i = 0; ok && i < count; i++)
        memcpy(plan_input(work->plan, wrt[i]), list->weights[i].initial,
               (size_t)shape_elements(list->weights[i].shape) * sizeof(real));
    memory_free(nodes);
    return ok;
}

static void fill(const TrainWork *work, NodeId input, const char *purpose, real centre, real spread)
{
    material_fill(plan_input(work->plan, input),
                  (size_t)shape_elements(graph_shape(work->graph, input)), purpose, centre, spread);
}

bool alignment_open(TrainWork *work, int64_t batch, Error *error)
{
    Trainables     list    = {0};
    NetworkRequest request = {.batch = batch, .unit = -1, .softplus_beta = 3, .trainables = &list};
    Network        clean, moved;
    NodeId         noise = NODE_NONE, noisy = NODE_NONE, target = NODE_NONE;
    bool           ok = graph_create(&work->graph, error) &&
              network_build(work->graph, work->blob, &request, &clean, error);
    if (ok) {
        noise          = op_input(work->graph, graph_shape(work->graph, clean.pixels), "noise");
        noisy          = op_add(work->graph, clean.pixels, noise);
        request.pixels = &noisy;
        target         = op_input(work->graph, graph_shape(work->graph, clean.layer), "target");
        ok             = network_build(work->graph, work->blob, &request, &moved, error) &&
             build(work, &clean, &moved, &list, target, error);
    }
    if (ok) {
        fill(work, clean.pixels, "alignment pixels", (real)0.5, (real)0.5);
        fill(work, noise, "alignment noise", 0, (real)4 / 255);
        int64_t classes = graph_shape(work->graph, target).dim[1];
        for (int64_t i = 0; i < batch; i++)
            plan_input(work->plan, target)[i * classes + work->set.labels[i]] = 1;
    }
    trainables_close(&list);
    return ok;
}
