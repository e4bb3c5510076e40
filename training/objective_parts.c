/* training/objective_parts.c - see objective_parts.h. */
#include "objective_parts.h"

#include <math.h>

static const double difference_step = 0.03; // prepared numbers that an image moves by

void hold(ObjectiveTerms *terms, NodeId node)
{
    terms->held[terms->held_count++] = node;
}

bool objective_pass(const ObjectiveBatch *batch, ObjectiveTerms *terms, NodeId input,
                    NodeId *logits, Error *error)
{
    terms->pass_count++;
    return graph_check(batch->graph, error) && batch->pass(batch->self, input, logits, error);
}

NodeId label_gradient(const ObjectiveBatch *batch, NodeId logits, NodeId input)
{
    NodeId gradient;
    graph_gradient(batch->graph, op_dot(batch->graph, batch->target, logits), &input, 1, &gradient);
    return gradient;
}

NodeId channel_numbers(const ObjectiveBatch *batch, const real *numbers, double factor)
{
    Graph *graph = batch->graph;
    Shape  shape = graph_shape(graph, batch->input);
    NodeId row   = op_parameter(graph, shape_1d(shape.dim[1]), numbers);
    return op_broadcast_to(
        graph,
        op_reshape(graph, op_scale(graph, row, (real)factor), shape_4d(1, shape.dim[1], 1, 1)),
        shape);
}

static NodeId flat(Graph *graph, NodeId x)
{
    Shape shape = graph_shape(graph, x);
    return op_reshape(graph, x, shape_2d(shape.dim[0], shape_elements(shape) / shape.dim[0]));
}

NodeId squares(Graph *graph, NodeId x)
{
    NodeId row = flat(graph, x);
    return op_sum_to(graph, op_mul(graph, row, row), shape_2d(graph_shape(graph, x).dim[0], 1));
}

NodeId products(Graph *graph, NodeId x, NodeId y)
{
    NodeId both = op_mul(graph, flat(graph, x), flat(graph, y));
    return op_sum_to(graph, both, shape_2d(graph_shape(graph, x).dim[0], 1));
}

NodeId times_column(Graph *graph, NodeId x, NodeId column)
{
    NodeId row    = flat(graph, x);
    NodeId spread = op_broadcast_to(graph, column, graph_shape(graph, row));
    return op_reshape(graph, op_mul(graph, row, spread), graph_shape(graph, x));
}

NodeId directions(Graph *graph, NodeId x)
{
    NodeId length = op_offset(graph, squares(graph, x), (real)1e-16);
    return times_column(graph, x, op_power(graph, length, (real)-0.5));
}

NodeId signs(Graph *graph, NodeId x)
{
    NodeId one = op_constant(graph, graph_shape(graph, x), 1);
    return op_sub(graph, op_gate(graph, x, one), op_gate(graph, op_scale(graph, x, -1), one));
}

NodeId weighted_sum(Graph *graph, NodeId a, NodeId b, double factor)
{
    return op_add(graph, a, op_scale(graph, b, (real)factor));
}

/* ---- differences ----------------------------------------------------------------------------- */

Move move_along(const ObjectiveBatch *batch, NodeId v)
{
    Graph *graph  = batch->graph;
    double images = (double)graph_shape(graph, v).dim[0], step = difference_step * sqrt(images);
    NodeId length = op_power(graph, op_offset(graph, op_dot(graph, v, v), (real)1e-30), (real)0.5);
    NodeId number = op_scale(graph, op_power(graph, length, -1), (real)step);
    return (Move){op_scale_by(graph, v, number), op_scale(graph, length, (real)(1 / step))};
}

bool objective_difference(const ObjectiveBatch *batch, ObjectiveTerms *terms, NodeId at, NodeId v,
                          NodeId *out, Error *error)
{
    Graph *graph = batch->graph;
    Move   move  = move_along(batch, v);
    NodeId above, below;
    hold(terms, v);
    if (!objective_pass(batch, terms, op_add(graph, at, move.way), &above, error) ||
        !objective_pass(batch, terms, op_sub(graph, at, move.way), &below, error))
        return false;
    NodeId rise = op_dot(graph, batch->target, op_sub(graph, above, below));
    *out        = op_scale_by(graph, rise, op_scale(graph, move.inverse, (real)0.5));
    return true;
}
