/* tests/check_toy.c - see check_toy.h. */
#include "check_toy.h"
#include "check_difference.h"
#include "test.h"

#include <math.h>

static real w1[54], b1[3], w2[108], b2[4], w3[108], b3[3], patterns[3][108];

static void fill_weights(void)
{
    for (int i = 0; i < 54; i++)
        w1[i] = (real)(0.4 * sin(1.3 * i + 0.2));
    for (int i = 0; i < 3; i++)
        b1[i] = (real)(0.1 * cos(i));
    for (int i = 0; i < 108; i++) {
        w2[i] = (real)(0.3 * sin(0.9 * i + 0.5));
        w3[i] = (real)(0.2 * cos(0.37 * i));
        for (int layer = 0; layer < 3; layer++)
            patterns[layer][i] = (real)(1 + 0.5 * sin(0.11 * i));
    }
    for (int i = 0; i < 4; i++)
        b2[i] = (real)(0.05 * sin(2.0 * i));
}

static const struct {
    const real *data;
    Shape       shape;
} weights[TOY_WEIGHTS] = {
    {w1, {4, {3, 2, 3, 3}}}, {b1, {1, {3}}},           {w2, {4, {4, 3, 3, 3}}},
    {b2, {1, {4}}},          {w3, {2, {CLASSES, 36}}}, {b3, {1, {CLASSES}}},
};

const real *toy_weight(int i, Shape *shape)
{
    fill_weights();
    *shape = weights[i].shape;
    return weights[i].data;
}

static NodeId activation(Graph *g, NodeId beta, NodeId x)
{
    return beta == NODE_NONE ? op_relu(g, x) : op_softplus_by(g, x, beta);
}

NodeId toy_logits(Graph *g, NodeId x, const NodeId weight[TOY_WEIGHTS], NodeId beta)
{
    int64_t n = graph_shape(g, x).dim[0];
    x         = op_conv2d(g, x, weight[0], 1, 1);
    graph_name(g, x, "1");
    x = activation(g, beta, op_bias(g, x, weight[1]));
    x = op_maxpool(g, x, 2, 2, 0);
    x = op_conv2d(g, x, weight[2], 1, 1);
    graph_name(g, x, "2");
    x = activation(g, beta, op_bias(g, x, weight[3]));
    x = op_reshape(g, x, shape_2d(n, 36));
    x = op_matmul(g, x, weight[4], false, true);
    graph_name(g, x, "3");
    return op_bias(g, x, weight[5]);
}

static bool build(void *self, Graph *g, NodeId points, NodeId *layer, Error *error)
{
    NodeId leaves[TOY_WEIGHTS];
    for (int i = 0; i < TOY_WEIGHTS; i++)
        leaves[i] = op_parameter(g, weights[i].shape, weights[i].data);
    *layer = toy_logits(g, points, leaves, *(const NodeId *)self);
    return graph_check(g, error);
}

static const real *pattern(void *self, const char *layer, Shape shape, Error *error)
{
    (void)self, (void)shape, (void)error;
    return patterns[layer[0] - '1'];
}

bool toy_bounds(void *self, real *low, real *high, Error *error)
{
    (void)self, (void)error;
    for (int c = 0; c < 2; c++) {
        low[c]  = -2;
        high[c] = (real)2.5;
    }
    return true;
}

MapNetwork toy_network(const NodeId *beta)
{
    fill_weights();
    return (MapNetwork){build, pattern, toy_bounds, (void *)beta};
}

void toy_image(double moved, real *to)
{
    for (int i = 0; i < PIXELS; i++)
        to[i] = (real)(sin(0.7 * i + 0.3) + moved * cos(1.1 * i));
}

real toy_wanted(int64_t cell)
{
    return (real)((double)(cell + 1) / 666.0);
}

const ToyGolden toy_golden[TOY_GOLDEN] = {
    {"gradient", 10, 0.0035065969, 0.0326130631, 18.24498547, 6.7828164027, 1.825571, -8.63662},
    {"gradient-x-input", 10, 0.0018849355, 0.0175703510, 18.15020981, 10.0888647218, 6.196973,
     172.39338},
    {"integrated", 10, 0.0068626921, 0.0112541172, 18.51029228, 8.5132963034, 4.497150, 182.93231},
    {"guided", 10, 0.0073301858, 0.0197060816, 18.34257815, 4.2796843627, 0.257090, 2.85510},
    {"lrp", 10, 0.0033896118, 0.0130298556, 18.23434508, 5.7641056251, 1.965176, -3.10983},
    {"pattern", 10, 0.0138062237, 0.0196511758, 19.48601000, 3.5043671125, 0.948709, 19.40495},
    {"gradient", 0, 0.0011067981, 0.0305435004, 18.30165805, 6.1877282903, 0.00059093, 0},
    {"gradient-x-input", 0, 0.0006170375, 0.0162220767, 18.26689893, 9.0765278757, 3.781681, 0},
    {"integrated", 0, 0.0057623428, 0.0112180700, 18.47308841, 9.6751466125, 4.305575, 0},
    {"guided", 0, 0.0048341535, 0.0209310137, 17.99453371, 6.2097193593, 0.00059093, 0},
    {"lrp", 0, 0.0033777265, 0.0130572460, 18.21974567, 5.7830841186, 1.925309, 0},
    {"pattern", 0, 0.0128828860, 0.0196078389, 19.53216760, 3.3267846096, 0.00059093, 0},
};

void toy_check_number(double found, double published, double digit)
{
    double bound = check_slopes_are_exact() ? digit : digit + 2e-5 * fabs(published) + 1e-6;
    CHECK_CLOSE(found, published, bound);
}
