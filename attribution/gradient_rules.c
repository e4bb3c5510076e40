/* attribution/gradient_rules.c - rules of walks that follow the gradient, with other signals let
 * through at activations or other weights in place of the layer's.
 *
 * Sources: Springenberg et al., ICLR 2015 workshop (guided back-propagation); Zeiler and Fergus,
 * ECCV 2014 (deconvnet); Kindermans et al., ICLR 2018 (patterns). */
#include "walk.h"

/* x where z >= 0, else 0: the gate of engine.h is closed at zero. */
static NodeId gate_from_zero(Graph *g, NodeId z, NodeId x)
{
    return op_sub(g, x, op_gate(g, op_scale(g, z, -1), x));
}

/* (E3, E6, E7). */
void rule_relu(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
               NodeId *handed)
{
    const Walker *walker = self;
    NodeId        z      = graph_input(g, node, 0);
    (void)wanted;
    if (walker->walk->gradient != GRADIENT_PLAIN)
        arrived = op_relu(g, arrived);
    if (walker->walk->gradient == GRADIENT_DECONV)
        handed[0] = arrived;
    else if (walker->walk->mode.gate_at_zero)
        handed[0] = gate_from_zero(g, z, arrived);
    else
        handed[0] = op_gate(g, node, arrived);
}

/* (E6, E7) of ReLU6, which lets through what is above zero and below its bound. */
void rule_clamp(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                NodeId *handed)
{
    const Walker *walker = self;
    (void)wanted;
    arrived = op_relu(g, arrived);
    if (walker->walk->gradient == GRADIENT_GUIDED) {
        NodeId below = op_offset(g, op_scale(g, node, -1), graph_params(g, node).value);
        arrived      = op_gate(g, below, op_gate(g, node, arrived));
    }
    handed[0] = arrived;
}

/* Smooth, ReLU6 is softplus(x) - softplus(x - 6). The second half takes off what is above the
 * bound, and its signal comes with the other sign. */
static bool is_above_bound(const Graph *g, NodeId z)
{
    OpParams params = graph_params(g, z);
    return graph_op(g, z) == OP_SCALE_OFFSET && params.value == 1 && params.term < 0;
}

void rule_softplus(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                   NodeId *handed)
{
    const Walker *walker = self;
    NodeId        z = graph_input(g, node, 0), beta = graph_input(g, node, 1);
    bool          is_above  = is_above_bound(g, z);
    bool          is_deconv = walker->walk->gradient == GRADIENT_DECONV;
    (void)wanted;
    if (is_deconv && is_above)
        return; // the first half has handed it all
    if (is_above)
        arrived = op_scale(g, arrived, -1);
    handed[0] = is_deconv ? op_relu(g, arrived)
                          : op_mul(g, op_softplus_by(g, arrived, beta), op_sigmoid_by(g, z, beta));
    if (is_above)
        handed[0] = op_scale(g, handed[0], -1);
}

/* (E9): the transposed layer, with w A in place of w. */
void rule_pattern(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                  NodeId *handed)
{
    Walker     *walker = self;
    const Walk *walk   = walker->walk;
    LinearLayer layer  = linear_layer(g, node);
    Shape       shape  = graph_shape(g, layer.w);
    const real *source = graph_params(g, layer.w).data;
    const real *values =
        walk->pattern(walk->pattern_self, walk_name(walker, g, node).text, shape, &walker->error);
    (void)wanted;
    if (values)
        values = rule_weights_times(walk->weights, source, values, shape, &walker->error);
    if (values)
        handed[0] = linear_backward(g, &layer, arrived, op_parameter(g, shape, values));
}
