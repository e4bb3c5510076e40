/* training/cross_entropy.c - the loss: -log softmax(logits) at the label of each image.
 *
 * Once as nodes, which have a gradient, and once on numbers in double, for a score. */
#include "trainer.h"

#include <math.h>

NodeId cross_entropy_node(Graph *graph, NodeId logits, NodeId target)
{
    NodeId score = op_dot(graph, target, op_log_softmax(graph, logits));
    return op_scale(graph, score, -1 / (real)graph_shape(graph, logits).dim[0]);
}

double cross_entropy_sum(const real *logits, int64_t count, int64_t classes, const int32_t *labels)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const real *row  = logits + i * classes;
        double      most = (double)row[0], total = 0;
        for (int64_t k = 1; k < classes; k++)
            most = fmax(most, (double)row[k]);
        for (int64_t k = 0; k < classes; k++)
            total += exp((double)row[k] - most);
        sum += most + log(total) - (double)row[labels[i]];
    }
    return sum;
}
