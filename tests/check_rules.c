/* tests/check_rules.c - the op set is closed, and linear pairs are exact adjoints. */
#include "test.h"
#include "../engine/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- closure: whatever a gradient appends has a gradient too --------------------------------- */

/* Applies every differentiable op once; returns how many op kinds were reached. */
static void use_everything(Graph *g, NodeId x, NodeId w, NodeId *scalar)
{
    NodeId y = op_conv2d(g, x, w, 1, 1);
    y = op_add(g, y, op_conv2d_input(g, op_conv2d(g, y, w, 2, 1), w, graph_shape(g, y), 2, 1));
    y = op_maxpool(g, op_relu(g, op_clamp(g, op_softplus(g, y, 3), 5)), 2, 2, 0);
    y = op_mul(g, op_sigmoid(g, op_normal_cdf(g, y), 2), op_log(g, op_offset(g, op_exp(g, y), 1)));
    NodeId b = op_scalar_input(g, 2, "b");
    y        = op_scale_by(g, op_softplus_by(g, op_sigmoid_by(g, y, b), b), b);
    y        = op_gate(g, y, op_power(g, y, 3));
    y        = op_slice(g, op_pad(g, y, 1, 1, 1), 1, 1, 2);
    NodeId m = op_reshape(g, y, shape_2d(4, shape_elements(graph_shape(g, y)) / 4));
    m        = op_log_softmax(g, op_softmax(g, op_matmul(g, m, m, false, true)));
    NodeId s = op_scatter_add(g, y, op_maxpool_index(g, x, 2, 2, 0), graph_shape(g, x));
    NodeId v = op_conv2d_weight(g, x, op_conv2d(g, s, w, 1, 1), graph_shape(g, w), 1, 1);
    *scalar  = op_add(g, op_dot(g, m, m),
                      op_add(g, op_dot(g, v, v),
                             op_sum(g, op_bias(g, x,
                                               op_reshape(g, op_sum_to(g, w, shape_4d(2, 1, 1, 1)),
                                                          shape_1d(2))))));
}

static void gradients_of_gradients_of_gradients_exist(void)
{
    Graph *g              = NULL;
    Error  error          = {0};
    bool   used[OP_COUNT] = {false};
    REQUIRE(graph_create(&g, NULL));
    NodeId wrt[2] = {op_input(g, shape_4d(1, 2, 8, 8), "x"),
                     op_input(g, shape_4d(2, 2, 3, 3), "w")};
    NodeId scalar = NODE_NONE, gradient[2];
    use_everything(g, wrt[0], wrt[1], &scalar);
    for (int order = 1; order <= 3; order++) {
        graph_gradient(g, scalar, wrt, 2, gradient);
        if (order < 3) // the third order is only built: its size explodes
            scalar =
                op_add(g, op_dot(g, gradient[0], gradient[0]), op_dot(g, gradient[1], gradient[1]));
    }
    CHECK(graph_check(g, &error));
    for (NodeId node = 0; node < graph_node_count(g); node++)
        used[graph_node(g, node)->op] = true;
    for (OpKind op = 0; op < OP_MAXPOOL; op++) {
        const OpInfo *info = op_info(op);
        CHECK(info && info->name && info->infer);
        if (info->flags & (OP_IS_LEAF | OP_NO_GRADIENT)) {
            CHECK(!info->backward);
            continue;
        }
        if (!CHECK(info->backward && used[op]))
            printf("  op '%s'\n", info->name);
        CHECK(info->forward || (info->flags & OP_SHARES_MEMORY));
    }
    graph_destroy(g);
}

/* ---- the largest of a row -------------------------------------------------------------------- */

// Of equal numbers the first counts as larger, a negative zero equals zero, infinity is a number.
static void the_largest_of_each_row_are_marked(void)
{
    enum { ROWS = 3, WIDTH = 6, MOST = 6 };
    static const real row[ROWS][WIDTH] = {
        {3, -1, 3, 7, 3, -8}, {0, (real)-0.0, 1, 0, -1, 0}, {-2, -3, (real)INFINITY, -2, -5, -2}};
    static const char *const marked[MOST][ROWS] = {
        {"000100", "001000", "001000"}, {"100100", "101000", "101000"},
        {"101100", "111000", "101100"}, {"101110", "111100", "101101"},
        {"111110", "111101", "111101"}, {"111111", "111111", "111111"}};
    for (int count = 1; count <= MOST; count++) {
        Graph *g    = NULL;
        Plan  *plan = NULL;
        REQUIRE(graph_create(&g, NULL));
        NodeId x   = op_input(g, shape_2d(ROWS, WIDTH), "x");
        NodeId out = op_largest(g, x, count);
        REQUIRE(plan_create(&plan, g, &out, 1, NULL, NULL));
        memcpy(plan_input(plan, x), row, sizeof row);
        plan_run(plan);
        for (int i = 0; i < ROWS * WIDTH; i++)
            CHECK(plan_output(plan, out)[i] ==
                  (real)(marked[count - 1][i / WIDTH][i % WIDTH] == '1'));
        plan_destroy(plan);
        graph_destroy(g);
    }
    Graph *g     = NULL;
    Error  error = {0};
    REQUIRE(graph_create(&g, NULL));
    CHECK(op_largest(g, op_input(g, shape_2d(1, 4), "x"), 5) == NODE_NONE);
    CHECK(!graph_check(g, &error) && strstr(error.message, "5 numbers of each row"));
    graph_destroy(g);
}

/* ---- adjoints: <A x, y> == <x, A' y> to the last bit, on small integers ---------------------- */

static void fill(real *to, int64_t count, uint64_t stream)
{
    Random random = random_stream(test_seed() + stream, "adjoints");
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)((int)random_below(&random, 9) - 4);
}

static real *values(int64_t count, uint64_t stream)
{
    real *data = memory_new((size_t)count, sizeof(real), NULL);
    fill(data, count, stream);
    return data;
}

typedef NodeId LinearMap(Graph *g, NodeId x);

static NodeId map_broadcast(Graph *g, NodeId x)
{
    return op_broadcast_to(g, x, shape_4d(2, 3, 4, 5));
}
static NodeId map_sum(Graph *g, NodeId x)
{
    return op_sum_to(g, x, shape_4d(1, 3, 1, 5));
}
static NodeId map_sum_of_rows(Graph *g, NodeId x)
{
    return op_sum_to(g, x, shape_4d(2, 1, 1, 150));
}
static NodeId map_sum_of_planes(Graph *g, NodeId x)
{
    return op_sum_to(g, x, shape_4d(1, 1, 4, 5));
}
static NodeId map_slice(Graph *g, NodeId x)
{
    return op_slice(g, x, 2, 1, 2);
}
static NodeId map_pad(Graph *g, NodeId x)
{
    return op_pad(g, x, 3, 2, 1);
}

static const real *kernel; // 2x3x3x3

static NodeId map_conv(Graph *g, NodeId x)
{
    return op_conv2d(g, x, op_parameter(g, shape_4d(2, 3, 3, 3), kernel), 1, 1);
}

static NodeId map_conv_stride(Graph *g, NodeId x)
{
    return op_conv2d(g, x, op_parameter(g, shape_4d(2, 3, 3, 3), kernel), 2, 1);
}

static NodeId map_depthwise(Graph *g, NodeId x)
{
    return op_conv2d(g, x, op_parameter(g, shape_4d(3, 1, 3, 3), kernel), 2, 1);
}

static NodeId map_gather(Graph *g, NodeId x)
{
    static real positions[2 * 3 * 6 * 7];
    fill(positions, 2 * 3 * 6 * 7, 77);
    NodeId from = op_parameter(g, shape_4d(2, 3, 6, 7), positions);
    return op_gather(g, x, op_maxpool_index(g, from, 3, 2, 1));
}

static void linear_maps_and_their_gradients(void)
{
    const struct {
        const char *name;
        LinearMap  *map;
        Shape       shape;
    } cases[] = {
        {"broadcast_to", map_broadcast, {4, {2, 1, 4, 1}}},
        {"sum_to", map_sum, {4, {2, 3, 4, 5}}},
        {"sum_to of rows", map_sum_of_rows, {4, {2, 70, 1, 150}}},
        {"sum_to of planes", map_sum_of_planes, {4, {2, 3, 4, 5}}},
        {"slice", map_slice, {4, {2, 3, 4, 5}}},
        {"pad", map_pad, {4, {2, 3, 4, 5}}},
        {"conv2d", map_conv, {4, {2, 3, 6, 7}}},
        {"conv2d/2", map_conv_stride, {4, {2, 3, 6, 7}}},
        {"depthwise/2", map_depthwise, {4, {2, 3, 6, 7}}},
        {"gather", map_gather, {4, {2, 3, 6, 7}}},
    };
    real *weights = values(2 * 3 * 9, 1);
    kernel        = weights;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Graph *g    = NULL;
        Plan  *plan = NULL;
        NodeId back = NODE_NONE;
        if (!CHECK(graph_create(&g, NULL)))
            return;
        NodeId  x = op_input(g, cases[i].shape, "x"), ax = cases[i].map(g, x);
        Shape   shape = graph_shape(g, ax);
        int64_t nx = shape_elements(cases[i].shape), ny = shape_elements(shape);
        real   *xs = values(nx, 2), *ys = values(ny, 3);
        NodeId  dot = op_dot(g, ax, op_parameter(g, shape, ys));
        graph_gradient(g, dot, &x, 1, &back); // A' y
        double      left = 0, right = 0;
        PlanOptions direct = {.conv = CONV_DIRECT}; // Winograd is not exact on integers
        if (CHECK(plan_create(&plan, g, (NodeId[]){ax, back}, 2, &direct, NULL))) {
            memcpy(plan_input(plan, x), xs, (size_t)nx * sizeof(real));
            plan_run(plan);
            for (int64_t e = 0; e < ny; e++)
                left += (double)plan_output(plan, ax)[e] * (double)ys[e];
            for (int64_t e = 0; e < nx; e++)
                right += (double)plan_output(plan, back)[e] * (double)xs[e];
            if (!CHECK(left == right && left != 0))
                printf("  %s: %g and %g\n", cases[i].name, left, right);
        }
        memory_free(xs);
        memory_free(ys);
        plan_destroy(plan);
        graph_destroy(g);
    }
    memory_free(weights);
}

/* ---- receptive fields: VGG16's published table, and what a gradient really reaches ----------- */

static void fields_of_vgg16(void)
{
    static const int   convs[5]  = {2, 2, 3, 3, 3};
    static const Field wanted[5] = {
        {-2, 5, 1}, {-6, 14, 2}, {-18, 40, 4}, {-42, 92, 8}, {-90, 196, 16}};
    Graph *g = NULL;
    REQUIRE(graph_create(&g, NULL));
    NodeId image = op_input(g, shape_4d(1, 1, 224, 224), "image"), x = image;
    for (int stage = 0; stage < 5; stage++) {
        for (int i = 0; i < convs[stage]; i++)
            x = op_relu(g, op_conv2d(g, x, op_constant(g, shape_4d(1, 1, 3, 3), 1), 1, 1));
        Field field[2];
        REQUIRE(graph_field(g, image, x, field));
        for (int axis = 0; axis < 2; axis++)
            CHECK(field[axis].offset == wanted[stage].offset &&
                  field[axis].size == wanted[stage].size && field[axis].step == wanted[stage].step);
        x = op_maxpool(g, x, 2, 2, 0);
    }
    Field field[2];
    CHECK(!graph_field(g, image, op_dot(g, x, x), field)); // a sum sees everything
    graph_destroy(g);
}

static void gradients_stay_inside_the_field(void)
{
    Graph *g    = NULL;
    Plan  *plan = NULL;
    NodeId back = NODE_NONE;
    REQUIRE(graph_create(&g, NULL));
    NodeId image = op_input(g, shape_4d(1, 1, 40, 44), "image");
    NodeId ones  = op_constant(g, shape_4d(1, 1, 7, 7), 1),
           small = op_constant(g, shape_4d(1, 1, 3, 3), 1);
    NodeId x     = op_conv2d(g, image, ones, 2, 3);
    NodeId layer = op_add(g, op_conv2d(g, x, small, 1, 1), x); // two paths: the wider field counts
    layer        = op_softplus(g, layer, 1);
    Field field[2];
    REQUIRE(graph_field(g, image, layer, field));
    int64_t i = 9, j = 10, width = graph_shape(g, layer).dim[3];
    NodeId  pick = op_pick(g, layer, i * width + j);
    graph_gradient(g, pick, &image, 1, &back);
    PlanOptions direct = {.conv = CONV_DIRECT};
    REQUIRE(plan_create(&plan, g, &back, 1, &direct, NULL));
    plan_run(plan);
    for (int64_t y = 0; y < 40; y++)
        for (int64_t z = 0; z < 44; z++) {
            int64_t top  = field[0].offset + field[0].step * i,
                    left = field[1].offset + field[1].step * j;
            bool inside =
                y >= top && y < top + field[0].size && z >= left && z < left + field[1].size;
            CHECK((plan_output(plan, back)[y * 44 + z] != 0) == inside);
        }
    plan_destroy(plan);
    graph_destroy(g);
}

SUITE(rules)
{
    RUN(fields_of_vgg16);
    RUN(gradients_stay_inside_the_field);
    RUN(gradients_of_gradients_of_gradients_exist);
    RUN(the_largest_of_each_row_are_marked);
    RUN(linear_maps_and_their_gradients);
}
