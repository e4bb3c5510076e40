/* training/cross_entropy.c - -log softmax(logits) at the label of each image: of a step, of a score
 * and of an attack alike. */
#include "objective.h"

NodeId cross_entropy_sum(Graph *graph, NodeId logits, NodeId target)
{
    return op_scale(graph, op_dot(graph, target, op_log_softmax(graph, logits)), -1);
}

NodeId cross_entropy_mean(Graph *graph, NodeId logits, NodeId target)
{
    NodeId score = op_dot(graph, target, op_log_softmax(graph, logits));
    return op_scale(graph, score, -1 / (real)graph_shape(graph, logits).dim[0]);
}
