/* tests/check_sweep.c - rules of one's own in a reverse sweep, made from public headers alone.
 *
 * Sources of the rules: Springenberg et al., ICLR 2015 workshop (guided back-propagation); Bach et
 * al., PLOS ONE 2015, and Montavon et al., Pattern Recognition 2017 (relevance propagation, z+). */
#include "check_difference.h"
#include "test.h"
#include "../engine/sweep.h"

#include <math.h>
#include <string.h>

/* ---- rules ----------------------------------------------------------------------------------- */

/* A ReLU lets through what is positive on the way forward and on the way back. */
static void guided_relu(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                        NodeId *handed)
{
    (void)self, (void)wanted;
    handed[0] = op_gate(g, node, op_gate(g, arrived, arrived));
}

static void pass_through(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                         NodeId *handed)
{
    (void)self, (void)g, (void)node, (void)wanted;
    handed[0] = arrived;
}

static const real epsilon = (real)1e-9;

/* Relevance that arrived, over what the layer would be with positive weights alone. */
static NodeId over(Graph *g, NodeId arrived, NodeId z)
{
    return op_mul(g, arrived, op_power(g, op_offset(g, z, epsilon), -1));
}

/* R_x = x * W+'(R / (W+ x)), of a convolution without its bias. */
static void z_plus_conv(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                        NodeId *handed)
{
    NodeId   x = graph_input(g, node, 0), w = op_relu(g, graph_input(g, node, 1));
    OpParams p = graph_params(g, node);
    (void)self, (void)wanted;
    NodeId s  = over(g, arrived, op_conv2d(g, x, w, p.stride, p.pad));
    handed[0] = op_mul(g, x, op_conv2d_input(g, s, w, graph_shape(g, x), p.stride, p.pad));
}

/* The same of a dense layer x W'. */
static void z_plus_dense(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                         NodeId *handed)
{
    NodeId x = graph_input(g, node, 0), w = op_relu(g, graph_input(g, node, 1));
    bool   tb = graph_params(g, node).transpose_b;
    (void)self, (void)wanted;
    NodeId s  = over(g, arrived, op_matmul(g, x, w, false, tb));
    handed[0] = op_mul(g, x, op_matmul(g, s, w, false, !tb));
}

static const SweepRules guided = {.rule = {[OP_RELU] = guided_relu}};
static const SweepRules z_plus = {
    .rule = {[OP_CONV2D] = z_plus_conv, [OP_MATMUL] = z_plus_dense, [OP_SOFTPLUS] = pass_through}};

/* ---- a network ------------------------------------------------------------------------------- */

enum { SIDE = 6, PIXELS = 2 * SIDE * SIDE, CLASSES = 3 };

typedef struct Net {
    Graph *graph;
    Plan  *plan;
    NodeId image, first, second, logits; // image, two convolutions, [1, CLASSES]
} Net;

static NodeId drawn(Graph *g, Shape shape, uint64_t stream)
{
    static real values[8][SLOPE_MOST_ELEMENTS];
    check_fill(values[stream], shape_elements(shape), -1, 1, stream);
    return op_parameter(g, shape, values[stream]);
}

/* conv, bias, softplus, pool, conv, softplus, dense, bias. */
static bool net_open(Net *net)
{
    if (!CHECK(graph_create(&net->graph, NULL)))
        return false;
    Graph *g    = net->graph;
    net->image  = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
    net->first  = op_conv2d(g, net->image, drawn(g, shape_4d(4, 2, 3, 3), 0), 1, 1);
    NodeId x    = op_softplus(g, op_bias(g, net->first, drawn(g, shape_1d(4), 1)), 5);
    x           = op_maxpool(g, x, 2, 2, 0);
    net->second = op_conv2d(g, x, drawn(g, shape_4d(3, 4, 2, 2), 2), 1, 0);
    x           = op_reshape(g, op_softplus(g, net->second, 5), shape_2d(1, 12));
    x           = op_matmul(g, x, drawn(g, shape_2d(CLASSES, 12), 3), false, true);
    net->logits = op_bias(g, x, drawn(g, shape_1d(CLASSES), 4));
    return true;
}

static bool net_plan(Net *net, const NodeId *outputs, int count)
{
    Error error = {0};
    if (!CHECK(plan_create(&net->plan, net->graph, outputs, count, NULL, &error)))
        return test_check_text(error.message, "", __FILE__, __LINE__);
    check_fill(plan_input(net->plan, net->image), PIXELS, 0, 1, 7);
    plan_run(net->plan);
    return true;
}

static void net_close(Net *net)
{
    plan_destroy(net->plan);
    graph_destroy(net->graph);
}

/* All logits but one become zero: what relevance begins with. */
static NodeId one_logit(Net *net)
{
    static const real mask[CLASSES] = {0, 1, 0};
    return op_mul(net->graph, net->logits, op_parameter(net->graph, shape_2d(1, CLASSES), mask));
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void without_rules_it_is_the_gradient(void)
{
    Net    net   = {0};
    NodeId swept = NODE_NONE, gradient = NODE_NONE;
    if (net_open(&net)) {
        Graph *g     = net.graph;
        NodeId start = drawn(g, shape_2d(1, CLASSES), 5);
        graph_gradient(g, op_dot(g, net.logits, start), &net.image, 1, &gradient);
        graph_sweep(g, NULL, net.logits, start, &net.image, 1, &swept);
        SweepRules none = {.self = NULL};
        NodeId     same = NODE_NONE;
        graph_sweep(g, &none, net.logits, start, &net.image, 1, &same);
        if (net_plan(&net, (NodeId[]){gradient, swept, same}, 3))
            for (int i = 0; i < PIXELS; i++) {
                CHECK(plan_output(net.plan, gradient)[i] == plan_output(net.plan, swept)[i]);
                CHECK(plan_output(net.plan, same)[i] == plan_output(net.plan, swept)[i]);
            }
    }
    net_close(&net);
}

static void guided_back_propagation_of_four_numbers(void)
{
    static const real weights[4] = {2, -3, 5, -7}, numbers[4] = {1, 1, -1, -1};
    static const real plain[4] = {2, -3, 0, 0}, wanted[4] = {2, 0, 0, 0};
    Graph            *g    = NULL;
    Plan             *plan = NULL;
    NodeId            map = NODE_NONE, gradient = NODE_NONE;
    REQUIRE(graph_create(&g, NULL));
    NodeId x = op_input(g, shape_1d(4), "x");
    NodeId y = op_dot(g, op_relu(g, x), op_parameter(g, shape_1d(4), weights));
    graph_gradient(g, y, &x, 1, &gradient);
    graph_sweep(g, &guided, y, op_constant(g, shape_scalar(), 1), &x, 1, &map);
    if (CHECK(plan_create(&plan, g, (NodeId[]){map, gradient}, 2, NULL, NULL))) {
        memcpy(plan_input(plan, x), numbers, sizeof numbers);
        plan_run(plan);
        for (int i = 0; i < 4; i++) {
            CHECK(plan_output(plan, gradient)[i] == plain[i]);
            CHECK(plan_output(plan, map)[i] == wanted[i]);
        }
    }
    plan_destroy(plan);
    graph_destroy(g);
}

static double total(const Net *net, NodeId node)
{
    double  sum   = 0;
    int64_t count = shape_elements(graph_shape(net->graph, node));
    for (int64_t i = 0; i < count; i++)
        sum += (double)plan_output(net->plan, node)[i];
    return sum;
}

/* The rules give every layer's relevance to its inputs; biases get none of it. */
static void relevance_is_conserved(void)
{
    Net    net    = {0};
    NodeId map[2] = {NODE_NONE, NODE_NONE};
    if (net_open(&net)) {
        NodeId start = one_logit(&net);
        graph_sweep(net.graph, &z_plus, net.logits, start, (NodeId[]){net.image, net.second}, 2,
                    map);
        if (net_plan(&net, (NodeId[]){start, map[0], map[1]}, 3)) {
            double logit = total(&net, start), bound = check_slopes_are_exact() ? 1e-7 : 1e-5;
            CHECK(fabs(logit) > 0.1);
            CHECK_CLOSE(total(&net, map[1]), logit, bound * fabs(logit));
            CHECK_CLOSE(total(&net, map[0]), logit, bound * fabs(logit));
        }
    }
    net_close(&net);
}

/* What an attack on such a map needs. */
static void relevance_has_a_gradient(void)
{
    Net    net = {0};
    NodeId map = NODE_NONE, step = NODE_NONE;
    if (net_open(&net)) {
        Graph *g = net.graph;
        graph_sweep(g, &z_plus, net.logits, one_logit(&net), &net.image, 1, &map);
        NodeId loss = op_squared_distance(g, map, drawn(g, graph_shape(g, map), 6));
        graph_gradient(g, loss, &net.image, 1, &step);
        if (net_plan(&net, (NodeId[]){loss, step}, 2))
            CHECK(check_slope(net.plan, &(Slope){loss, net.image, step, PIXELS}));
    }
    net_close(&net);
}

/* ---- a rule of one node ---------------------------------------------------------------------- */

static void all_ones(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                     NodeId *handed)
{
    (void)self, (void)arrived, (void)wanted;
    handed[0] = op_constant(g, graph_shape(g, graph_input(g, node, 0)), 1);
}

/* The first convolution is the one with no convolution before it. */
static SweepRule *for_first(void *self, const Graph *g, NodeId node)
{
    (void)self;
    if (graph_op(g, node) != OP_CONV2D)
        return NULL;
    for (NodeId before = 0; before < node; before++)
        if (graph_op(g, before) == OP_CONV2D)
            return NULL;
    return all_ones;
}

static void a_rule_may_hold_for_one_node(void)
{
    Net    net    = {0};
    NodeId map[2] = {NODE_NONE, NODE_NONE}, gradient = NODE_NONE;
    if (net_open(&net)) {
        NodeId     start = drawn(net.graph, shape_2d(1, CLASSES), 5);
        SweepRules rules = {.rule_for = for_first};
        graph_sweep(net.graph, &rules, net.logits, start, (NodeId[]){net.image, net.first}, 2, map);
        graph_sweep(net.graph, NULL, net.logits, start, &net.first, 1, &gradient);
        if (net_plan(&net, (NodeId[]){map[0], map[1], gradient}, 3)) {
            for (int i = 0; i < PIXELS; i++)
                CHECK(plan_output(net.plan, map[0])[i] == 1);
            for (int i = 0; i < 2 * PIXELS; i++)
                CHECK(plan_output(net.plan, map[1])[i] == plan_output(net.plan, gradient)[i]);
        }
    }
    net_close(&net);
}

static void biases_can_be_told(void)
{
    Net net = {0};
    if (net_open(&net)) {
        int biases = 0, convolutions = 0;
        for (NodeId node = 0; node < graph_node_count(net.graph); node++) {
            convolutions += graph_op(net.graph, node) == OP_CONV2D;
            if (graph_op(net.graph, node) == OP_ADD) {
                biases += graph_is_per_channel(net.graph, graph_input(net.graph, node, 1));
                CHECK(!graph_is_per_channel(net.graph, graph_input(net.graph, node, 0)));
            }
        }
        CHECK(biases == 2 && convolutions == 2);
        CHECK_TEXT(op_name(graph_op(net.graph, net.first)), "conv2d");
    }
    net_close(&net);
}

/* ---- mistakes -------------------------------------------------------------------------------- */

static void wrong_shapes_are_reported(void)
{
    Net        net    = {0};
    Error      error  = {0};
    NodeId     map    = NODE_NONE;
    SweepRules passes = {.rule = {[OP_CONV2D] = pass_through}};
    if (net_open(&net)) {
        graph_sweep(net.graph, &passes, net.logits, one_logit(&net), &net.image, 1, &map);
        CHECK(!graph_check(net.graph, &error) && error.code == ERROR_INTERNAL);
        CHECK_TEXT(error.message, "sweep: conv2d hands 1x3x2x2 down to 1x4x3x3");
    }
    net_close(&net);
    net   = (Net){0};
    error = (Error){0};
    if (net_open(&net)) {
        graph_sweep(net.graph, NULL, net.logits, net.image, &net.image, 1, &map);
        CHECK(!graph_check(net.graph, &error) && map == NODE_NONE);
        CHECK_TEXT(error.message, "sweep: begins with 1x2x6x6 at a node of 1x3");
    }
    net_close(&net);
}

SUITE(sweep)
{
    RUN(without_rules_it_is_the_gradient);
    RUN(guided_back_propagation_of_four_numbers);
    RUN(relevance_is_conserved);
    RUN(relevance_has_a_gradient);
    RUN(a_rule_may_hold_for_one_node);
    RUN(biases_can_be_told);
    RUN(wrong_shapes_are_reported);
}
