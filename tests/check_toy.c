/* tests/check_toy.c - see check_toy.h. */
#include "check_toy.h"

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

static NodeId activation(Graph *g, NodeId beta, NodeId x)
{
    return beta == NODE_NONE ? op_relu(g, x) : op_softplus_by(g, x, beta);
}

static bool build(void *self, Graph *g, NodeId points, NodeId *layer, Error *error)
{
    NodeId  beta = *(const NodeId *)self;
    int64_t n    = graph_shape(g, points).dim[0];
    NodeId  x    = op_conv2d(g, points, op_parameter(g, shape_4d(3, 2, 3, 3), w1), 1, 1);
    graph_name(g, x, "1");
    x = activation(g, beta, op_bias(g, x, op_parameter(g, shape_1d(3), b1)));
    x = op_maxpool(g, x, 2, 2, 0);
    x = op_conv2d(g, x, op_parameter(g, shape_4d(4, 3, 3, 3), w2), 1, 1);
    graph_name(g, x, "2");
    x = activation(g, beta, op_bias(g, x, op_parameter(g, shape_1d(4), b2)));
    x = op_reshape(g, x, shape_2d(n, 36));
    x = op_matmul(g, x, op_parameter(g, shape_2d(CLASSES, 36), w3), false, true);
    graph_name(g, x, "3");
    *layer = op_bias(g, x, op_parameter(g, shape_1d(CLASSES), b3));
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
