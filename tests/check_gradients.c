/* tests/check_gradients.c - every rule against central differences, first and second order.
 *
 * Meant for config=gradcheck (real = double): bound 1e-7 relative to the largest derivative. In the
 * float build the same graphs run with a bound of float differences, so that the suite is never
 * empty. Inputs are kept away from kinks by construction; nothing is filtered. */
#include "check_difference.h"
#include "test.h"
#include "../engine/engine.h"

#include <stdio.h>

enum { MOST_INPUTS = 2 };

typedef struct Case {
    const char *name;
    NodeId (*build)(Graph *graph, const NodeId *input);
    int    inputs;
    Shape  shape[MOST_INPUTS];
    double low, high; // values are spread evenly in between, so no two are closer than a step
} Case;

/* ---- what is checked ------------------------------------------------------------------------- */

#define BUILD(name, expression)                                                                    \
    static NodeId build_##name(Graph *g, const NodeId *in)                                         \
    {                                                                                              \
        return expression;                                                                         \
    }

BUILD(reshape,
      op_mul(g, op_reshape(g, in[0], shape_2d(3, 4)), op_reshape(g, in[0], shape_2d(3, 4))))
BUILD(broadcast, op_power(g, op_broadcast_to(g, in[0], shape_4d(2, 3, 2, 2)), 2))
BUILD(sum_to, op_power(g, op_sum_to(g, in[0], shape_3d(2, 1, 1)), 3))
BUILD(slice, op_power(g, op_slice(g, in[0], 1, 1, 2), 2))
BUILD(pad, op_power(g, op_offset(g, op_pad(g, in[0], 1, 1, 2), 2), 3))
BUILD(add, op_mul(g, op_add(g, in[0], in[1]), in[0]))
BUILD(scale, op_power(g, op_offset(g, op_scale(g, in[0], -3), (real)0.5), 2))
BUILD(mul, op_mul(g, in[0], op_mul(g, in[1], in[0])))
BUILD(exp, op_exp(g, in[0]))
BUILD(log, op_log(g, in[0]))
BUILD(power, op_power(g, in[0], (real)2.5))
BUILD(square_root, op_power(g, in[0], (real)0.5))
BUILD(reciprocal, op_power(g, in[0], -1))
BUILD(sigmoid, op_sigmoid(g, in[0], (real)1.5))
BUILD(softplus, op_softplus(g, in[0], 3))
BUILD(normal_cdf, op_mul(g, in[0], op_normal_cdf(g, in[0])))
BUILD(layer_norm, op_power(g, op_layer_norm(g, in[0], in[1], in[1], (real)0.1), 2))
BUILD(sigmoid_by, op_mul(g, op_sigmoid_by(g, op_offset(g, in[0], -1), in[1]), in[0]))
BUILD(softplus_by, op_softplus_by(g, op_offset(g, in[0], -1), in[1]))
BUILD(scale_by, op_power(g, op_scale_by(g, in[0], op_mul(g, in[1], in[1])), 2))
BUILD(relu, op_mul(g, op_relu(g, in[0]), in[1]))
BUILD(clamp, op_mul(g, op_clamp(g, in[0], (real)0.45), in[1]))
BUILD(clamp_of_conv, op_power(g, op_clamp(g, op_conv2d(g, in[0], in[1], 1, 1), (real)0.3), 2))
BUILD(gate, op_mul(g, op_gate(g, in[0], in[1]), op_mul(g, in[1], in[1])))
BUILD(matmul,
      op_mul(g, op_matmul(g, in[0], in[1], false, false), op_matmul(g, in[0], in[1], false, false)))
BUILD(matmul_ta, op_power(g, op_matmul(g, in[0], in[1], true, false), 2))
BUILD(matmul_tb, op_power(g, op_matmul(g, in[0], in[1], false, true), 2))
BUILD(matmul_tab, op_power(g, op_matmul(g, in[0], in[1], true, true), 2))
BUILD(matmul_batched, op_power(g, op_matmul(g, in[0], in[1], false, true), 2))
BUILD(conv, op_power(g, op_conv2d(g, in[0], in[1], 1, 1), 2))
BUILD(conv_stride, op_power(g, op_conv2d(g, in[0], in[1], 2, 1), 2))
BUILD(conv_stride3, op_power(g, op_conv2d(g, in[0], in[1], 3, 0), 2))
BUILD(conv_1x1, op_power(g, op_conv2d(g, in[0], in[1], 1, 0), 2))
BUILD(conv_input, op_power(g, op_conv2d_input(g, in[0], in[1], shape_4d(2, 2, 5, 4), 2, 1), 2))
BUILD(conv_weight, op_power(g, op_conv2d_weight(g, in[0], in[1], shape_4d(3, 2, 3, 2), 2, 1), 2))
BUILD(depthwise5, op_power(g, op_conv2d(g, in[0], in[1], 2, 2), 2))
BUILD(depthwise_input, op_power(g, op_conv2d_input(g, in[0], in[1], shape_4d(2, 3, 5, 4), 2, 1), 2))
BUILD(depthwise_weight,
      op_power(g, op_conv2d_weight(g, in[0], in[1], shape_4d(3, 1, 3, 2), 1, 1), 2))
BUILD(groups_input, op_power(g, op_conv2d_input(g, in[0], in[1], shape_4d(2, 4, 5, 4), 2, 1), 2))
BUILD(groups_weight, op_power(g, op_conv2d_weight(g, in[0], in[1], shape_4d(2, 2, 3, 2), 2, 1), 2))
BUILD(maxpool, op_power(g, op_maxpool(g, in[0], 3, 2, 1), 2))
BUILD(maxpool2, op_power(g, op_maxpool(g, in[0], 2, 2, 0), 2))
BUILD(scatter,
      op_power(g,
               op_scatter_add(g, in[0], op_maxpool_index(g, in[1], 2, 1, 0), graph_shape(g, in[1])),
               2))
BUILD(log_softmax, op_mul(g, op_log_softmax(g, in[0]), op_log_softmax(g, in[0])))
BUILD(softmax, op_power(g, op_softmax(g, in[0]), 2))
BUILD(affine, op_power(g, op_affine(g, in[0], in[1], in[1]), 2))
BUILD(avgpool, op_power(g, op_avgpool2(g, in[0]), 2))
BUILD(global_mean, op_power(g, op_global_mean(g, in[0]), 2))
BUILD(concat, op_power(g, op_concat(g, in[0], in[1], 1), 2))
BUILD(distance,
      op_mul(g, op_squared_distance(g, in[0], in[1]), op_squared_distance(g, in[0], in[1])))

/* conv, softplus, pool, conv, mean, log softmax: everything a classifier has. */
static NodeId build_network(Graph *g, const NodeId *in)
{
    NodeId first  = op_softplus(g, op_conv2d(g, in[0], in[1], 1, 1), 4);
    NodeId pooled = op_maxpool(g, first, 2, 2, 0);
    NodeId second = op_softplus(g, op_conv2d(g, pooled, in[1], 1, 1), 4);
    return op_log_softmax(g, op_global_mean(g, second));
}

static const Case cases[] = {
    {"reshape", build_reshape, 1, {{1, {12}}}, -1, 1},
    {"broadcast", build_broadcast, 1, {{4, {2, 1, 1, 2}}}, -1, 1},
    {"sum_to", build_sum_to, 1, {{3, {2, 3, 2}}}, -1, 1},
    {"slice", build_slice, 1, {{3, {2, 4, 2}}}, -1, 1},
    {"pad", build_pad, 1, {{3, {2, 2, 2}}}, -1, 1},
    {"add", build_add, 2, {{2, {2, 3}}, {2, {2, 3}}}, -1, 1},
    {"scale", build_scale, 1, {{1, {5}}}, -1, 1},
    {"mul", build_mul, 2, {{1, {5}}, {1, {5}}}, -1, 1},
    {"exp", build_exp, 1, {{1, {37}}}, -2, 2},
    {"log", build_log, 1, {{1, {7}}}, 0.5, 3},
    {"power", build_power, 1, {{1, {7}}}, 0.5, 3},
    {"square_root", build_square_root, 1, {{1, {7}}}, 0.5, 3},
    {"reciprocal", build_reciprocal, 1, {{1, {7}}}, 0.5, 3},
    {"sigmoid", build_sigmoid, 1, {{1, {37}}}, -3, 3},
    {"softplus", build_softplus, 1, {{1, {37}}}, -3, 3},
    {"normal_cdf", build_normal_cdf, 1, {{1, {37}}}, -4, 4},
    {"layer_norm", build_layer_norm, 2, {{4, {2, 3, 1, 2}}, {1, {3}}}, -1, 1},
    {"layer_norm_one_step", build_layer_norm, 2, {{4, {2, 3, 2, 9}}, {1, {3}}}, -1, 1},
    {"layer_norm_flat", build_layer_norm, 2, {{2, {2, 5}}, {1, {5}}}, -1, 1},
    {"sigmoid_by", build_sigmoid_by, 2, {{1, {9}}, {0, {0}}}, 0.1, 3},
    {"softplus_by", build_softplus_by, 2, {{1, {9}}, {0, {0}}}, 0.1, 3},
    {"scale_by", build_scale_by, 2, {{2, {3, 3}}, {0, {0}}}, -1, 2},
    {"relu", build_relu, 2, {{1, {8}}, {1, {8}}}, -1, 1},
    {"clamp", build_clamp, 2, {{1, {8}}, {1, {8}}}, -1, 1},
    {"clamp_of_conv", build_clamp_of_conv, 2, {{4, {1, 2, 3, 4}}, {4, {2, 1, 3, 3}}}, -1, 1},
    {"gate", build_gate, 2, {{1, {8}}, {1, {8}}}, -1, 1},
    {"matmul", build_matmul, 2, {{2, {3, 4}}, {2, {4, 2}}}, -1, 1},
    {"matmul_ta", build_matmul_ta, 2, {{2, {4, 3}}, {2, {4, 2}}}, -1, 1},
    {"matmul_tb", build_matmul_tb, 2, {{2, {3, 4}}, {2, {2, 4}}}, -1, 1},
    {"matmul_tab", build_matmul_tab, 2, {{2, {4, 3}}, {2, {2, 4}}}, -1, 1},
    {"matmul_tall", build_matmul, 2, {{2, {18, 2}}, {2, {2, 3}}}, -1, 1},
    {"matmul_batched", build_matmul_batched, 2, {{3, {2, 3, 4}}, {3, {2, 2, 4}}}, -1, 1},
    {"conv", build_conv, 2, {{4, {2, 2, 4, 5}}, {4, {3, 2, 3, 3}}}, -1, 1},
    {"conv_stride", build_conv_stride, 2, {{4, {2, 2, 5, 6}}, {4, {3, 2, 3, 3}}}, -1, 1},
    {"conv_stride3", build_conv_stride3, 2, {{4, {1, 2, 7, 8}}, {4, {2, 2, 2, 3}}}, -1, 1},
    {"conv_1x1", build_conv_1x1, 2, {{4, {2, 3, 3, 2}}, {4, {2, 3, 1, 1}}}, -1, 1},
    {"conv_input", build_conv_input, 2, {{4, {2, 3, 3, 2}}, {4, {3, 2, 3, 3}}}, -1, 1},
    {"conv_weight", build_conv_weight, 2, {{4, {2, 2, 5, 4}}, {4, {2, 3, 3, 3}}}, -1, 1},
    {"depthwise", build_conv, 2, {{4, {2, 3, 4, 5}}, {4, {3, 1, 3, 3}}}, -1, 1},
    {"depthwise_stride", build_conv_stride, 2, {{4, {2, 3, 5, 6}}, {4, {3, 1, 3, 3}}}, -1, 1},
    {"depthwise_stride3", build_conv_stride3, 2, {{4, {1, 3, 7, 8}}, {4, {3, 1, 2, 3}}}, -1, 1},
    {"depthwise5", build_depthwise5, 2, {{4, {1, 2, 7, 6}}, {4, {2, 1, 5, 5}}}, -1, 1},
    {"depthwise_input", build_depthwise_input, 2, {{4, {2, 3, 3, 2}}, {4, {3, 1, 3, 3}}}, -1, 1},
    {"depthwise_weight", build_depthwise_weight, 2, {{4, {2, 3, 4, 3}}, {4, {2, 3, 4, 4}}}, -1, 1},
    {"groups", build_conv, 2, {{4, {2, 4, 3, 4}}, {4, {6, 2, 3, 3}}}, -1, 1},
    {"groups_multiplier", build_conv_stride, 2, {{4, {1, 2, 5, 6}}, {4, {4, 1, 3, 3}}}, -1, 1},
    {"groups_input", build_groups_input, 2, {{4, {2, 2, 3, 2}}, {4, {2, 2, 3, 3}}}, -1, 1},
    {"groups_weight", build_groups_weight, 2, {{4, {2, 4, 5, 4}}, {4, {2, 2, 3, 3}}}, -1, 1},
    {"maxpool", build_maxpool, 1, {{4, {2, 2, 5, 5}}}, -1, 1},
    {"maxpool2", build_maxpool2, 1, {{4, {2, 2, 4, 6}}}, -1, 1},
    {"scatter", build_scatter, 2, {{4, {1, 2, 2, 2}}, {4, {1, 2, 3, 3}}}, -1, 1},
    {"log_softmax", build_log_softmax, 1, {{2, {2, 5}}}, -2, 2},
    {"softmax", build_softmax, 1, {{3, {2, 2, 5}}}, -2, 2},
    {"affine", build_affine, 2, {{4, {2, 3, 2, 2}}, {1, {3}}}, -1, 1},
    {"avgpool", build_avgpool, 1, {{4, {1, 2, 4, 4}}}, -1, 1},
    {"global_mean", build_global_mean, 1, {{4, {2, 3, 2, 3}}}, -1, 1},
    {"concat", build_concat, 2, {{4, {1, 2, 2, 2}}, {4, {1, 3, 2, 2}}}, -1, 1},
    {"distance", build_distance, 2, {{1, {4}}, {1, {4}}}, -1, 1},
    {"network", build_network, 2, {{4, {2, 3, 4, 4}}, {4, {3, 3, 3, 3}}}, -0.7, 0.7},
};

/* ---- how ------------------------------------------------------------------------------------- */

typedef struct Problem {
    Graph *graph;
    Plan  *plan;
    NodeId input[MOST_INPUTS], loss, first[MOST_INPUTS], slope, second[MOST_INPUTS];
} Problem;

/* loss = sum of the output with fixed weights; slope = sum of the gradients with fixed weights. */
static bool pose(const Case *test, Problem *p, Error *error)
{
    static real weights[MOST_INPUTS + 1][SLOPE_MOST_ELEMENTS];
    if (!graph_create(&p->graph, error))
        return false;
    Graph *g = p->graph;
    for (int i = 0; i < test->inputs; i++)
        p->input[i] = op_input(g, test->shape[i], "input");
    NodeId out = test->build(g, p->input);
    if (!graph_check(g, error))
        return false;
    check_fill(weights[0], shape_elements(graph_shape(g, out)), -1, 1, 100);
    p->loss = op_dot(g, out, op_parameter(g, graph_shape(g, out), weights[0]));
    graph_gradient(g, p->loss, p->input, test->inputs, p->first);
    p->slope = op_constant(g, shape_scalar(), 0);
    for (int i = 0; i < test->inputs; i++) {
        check_fill(weights[i + 1], shape_elements(test->shape[i]), -1, 1, 200 + (uint64_t)i);
        NodeId direction = op_parameter(g, test->shape[i], weights[i + 1]);
        p->slope         = op_add(g, p->slope, op_dot(g, p->first[i], direction));
    }
    graph_gradient(g, p->slope, p->input, test->inputs, p->second);
    NodeId outputs[2 + 2 * MOST_INPUTS] = {p->loss, p->slope};
    for (int i = 0; i < test->inputs; i++) {
        outputs[2 + 2 * i] = p->first[i];
        outputs[3 + 2 * i] = p->second[i];
    }
    if (!plan_create(&p->plan, g, outputs, 2 + 2 * test->inputs, NULL, error))
        return false;
    for (int i = 0; i < test->inputs; i++)
        check_fill(plan_input(p->plan, p->input[i]), shape_elements(test->shape[i]), test->low,
                   test->high, (uint64_t)i);
    return true;
}

/* Compares d value / d input with central differences of `value`, for every input. */
static void compare(const Case *test, Problem *p, NodeId value, const NodeId *gradient,
                    const char *order)
{
    for (int i = 0; i < test->inputs; i++) {
        Slope slope = {.value    = value,
                       .input    = p->input[i],
                       .gradient = gradient[i],
                       .count    = shape_elements(test->shape[i])};
        if (!check_slope(p->plan, &slope))
            printf("  %s, %s order, input %d\n", test->name, order, i);
    }
}

static void first_and_second_order(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Problem p     = {0};
        Error   error = {0};
        if (CHECK(pose(&cases[i], &p, &error))) {
            compare(&cases[i], &p, p.loss, p.first, "first");
            if (check_slopes_are_exact()) // float differences of differences say nothing
                compare(&cases[i], &p, p.slope, p.second, "second");
        } else {
            printf("  %s: %s\n", cases[i].name, error.message);
        }
        plan_destroy(p.plan);
        graph_destroy(p.graph);
    }
}

SUITE(gradients)
{
    RUN(first_and_second_order);
}
