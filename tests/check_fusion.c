/* tests/check_fusion.c - what a plan makes one step of has the bits of the steps it is made of. */
#include "test.h"
#include "../engine/plan.h"

#include <string.h>

enum { HEADS = 5, DEPTH = 6, QUERIES = 19, KEYS = 37, WIDTH = 9 };

static void fill(real *to, int64_t count, uint64_t stream)
{
    Random random = random_stream(test_seed() + stream, "fusion");
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)((double)random_unit(random_word(&random)) * 4 - 2);
}

static bool has_step(const Plan *plan, const char *name)
{
    for (int32_t i = 0; i < plan_step_count(plan); i++)
        if (!strncmp(plan_step_report(plan, i).text, name, strlen(name)))
            return true;
    return false;
}

/* Of q, k and v, [heads, depth, tokens]. */
static NodeId attend(Graph *g, NodeId q, NodeId k, NodeId v, NodeId *weights)
{
    *weights = op_softmax(g, op_matmul(g, q, k, true, false));
    return op_matmul(g, v, *weights, false, true);
}

/* The same outputs by one step a node and by fused ones, where `step` stands for `part` and others if
 * `is_fused`. */
static void compare(const Graph *g, const NodeId in[3], const NodeId *outputs, int count,
                    const char *step, const char *part, bool is_fused)
{
    Plan       *plain = NULL, *fused = NULL;
    PlanOptions one = {.no_fuse = true};
    if (CHECK(plan_create(&plain, g, outputs, count, &one, NULL)) &&
        CHECK(plan_create(&fused, g, outputs, count, NULL, NULL))) {
        for (int i = 0; i < 3; i++) {
            int64_t elements = shape_elements(graph_shape(g, in[i]));
            fill(plan_input(plain, in[i]), elements, (uint64_t)i);
            fill(plan_input(fused, in[i]), elements, (uint64_t)i);
        }
        plan_run(plain);
        plan_run(fused);
        for (int i = 0; i < count; i++)
            CHECK(!memcmp(plan_output(plain, outputs[i]), plan_output(fused, outputs[i]),
                          (size_t)shape_elements(graph_shape(g, outputs[i])) * sizeof(real)));
        CHECK(!has_step(plain, step) && has_step(fused, step) == is_fused);
        CHECK(has_step(fused, part) != is_fused);
    }
    plan_destroy(plain);
    plan_destroy(fused);
}

static void attention_is_one_step(void)
{
    Graph *g = NULL;
    REQUIRE(graph_create(&g, NULL));
    NodeId in[3] = {op_input(g, shape_3d(HEADS, DEPTH, QUERIES), "q"),
                    op_input(g, shape_3d(HEADS, DEPTH, KEYS), "k"),
                    op_input(g, shape_3d(HEADS, WIDTH, KEYS), "v")};
    NodeId weights, gradient[3], out = attend(g, in[0], in[1], in[2], &weights);
    compare(g, in, &out, 1, "attention", "softmax", true);
    compare(g, in, (NodeId[]){out, weights}, 2, "attention", "softmax", true);
    graph_gradient(g, op_dot(g, out, out), in, 3, gradient);
    compare(g, in, gradient, 3, "attention", "softmax", true); // which read the weights
    graph_destroy(g);
}

/* A reader between the soft-max and the second product: what it reads must be there by then. */
static void attention_read_in_between_is_three_steps(void)
{
    Graph *g = NULL;
    REQUIRE(graph_create(&g, NULL));
    NodeId in[3]   = {op_input(g, shape_3d(HEADS, DEPTH, QUERIES), "q"),
                      op_input(g, shape_3d(HEADS, DEPTH, KEYS), "k"),
                      op_input(g, shape_3d(HEADS, WIDTH, KEYS), "v")};
    NodeId weights = op_softmax(g, op_matmul(g, in[0], in[1], true, false));
    NodeId square  = op_mul(g, weights, weights);
    NodeId out     = op_matmul(g, in[2], weights, false, true);
    compare(g, in, (NodeId[]){out, square}, 2, "attention", "softmax", false);
    graph_destroy(g);
}

/* Places a row of a vector, a few of several rows, and too many for a task. */
static const Shape norm_shapes[] = {{4, {3, 37, 1, 53}}, {4, {2, 6, 4, 5}}, {4, {1, 1500, 2, 70}}};

static Graph *norm_graph(Shape x, NodeId in[3])
{
    Graph *g = NULL;
    if (!CHECK(graph_create(&g, NULL)))
        return NULL;
    in[0] = op_input(g, x, "x");
    in[1] = op_input(g, shape_1d(x.dim[1]), "gain");
    in[2] = op_input(g, shape_1d(x.dim[1]), "bias");
    return g;
}

static void layer_norm_is_one_step(void)
{
    for (size_t i = 0; i < sizeof norm_shapes / sizeof *norm_shapes; i++) {
        NodeId in[3];
        Graph *g = norm_graph(norm_shapes[i], in);
        REQUIRE(g);
        NodeId out = op_layer_norm(g, in[0], in[1], in[2], (real)1e-3);
        compare(g, in, &out, 1, "layer_norm", "sum_to", true);
        NodeId next = op_mul(g, op_add(g, out, in[0]), out);
        compare(g, in, &next, 1, "layer_norm", "sum_to", true);
        graph_destroy(g);
    }
}

/* What lies between is read: by the gradient, by the caller. */
static void layer_norm_read_in_between_is_several_steps(void)
{
    NodeId in[3], gradient[3];
    Graph *g = norm_graph(norm_shapes[0], in);
    REQUIRE(g);
    NodeId out = op_layer_norm(g, in[0], in[1], in[2], (real)1e-3);
    NodeId sum = in[2];
    while (graph_op(g, sum) != OP_SUM_TO)
        sum++;
    compare(g, in, (NodeId[]){out, sum}, 2, "layer_norm", "sum_to", false);
    graph_gradient(g, op_dot(g, out, out), in, 3, gradient);
    compare(g, in, gradient, 3, "layer_norm", "sum_to", false);
    graph_destroy(g);
}

/* Nodes that are a layer norm but for one number. */
static void what_only_resembles_a_layer_norm_is_several_steps(void)
{
    for (int other = 0; other < 3; other++) {
        NodeId in[3];
        Graph *g = norm_graph(norm_shapes[1], in);
        REQUIRE(g);
        NodeId out = op_layer_norm(g, in[0], in[1], in[2], (real)1e-3);
        for (NodeId id = 0, sums = 0; id < g->count; id++) {
            Node *node = &g->nodes[id];
            if (node->op == OP_SUM_TO)
                sums++;
            if (other == 0 && node->op == OP_POWER)
                node->params.value = -1;
            if (other > 0 && node->op == OP_SCALE_OFFSET && sums == other &&
                node->params.value != -1 && node->params.term == 0)
                node->params.value = (real)0.25;
        }
        compare(g, in, &out, 1, "layer_norm", "sum_to", false);
        graph_destroy(g);
    }
}

SUITE(fusion)
{
    RUN(attention_is_one_step);
    RUN(attention_read_in_between_is_three_steps);
    RUN(layer_norm_is_one_step);
    RUN(layer_norm_read_in_between_is_several_steps);
    RUN(what_only_resembles_a_layer_norm_is_several_steps);
}
