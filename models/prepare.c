/* models/prepare.c - pixels in 0..1 to what the network was trained on, as nodes: an attack needs
 * the gradient with respect to the pixels. */
#include "builder.h"

NodeId prepare_pixels(Graph *graph, NodeId pixels, const Preparation *preparation)
{
    NodeId mean   = op_parameter(graph, shape_1d(3), preparation->mean);
    NodeId std    = op_parameter(graph, shape_1d(3), preparation->std);
    NodeId rate   = op_power(graph, std, -1);
    NodeId factor = op_scale(graph, rate, preparation->scale);
    return op_affine(graph, pixels, factor, op_scale(graph, op_mul(graph, mean, rate), -1));
}
