/* tests/check_training.c - what a step of training is made of: the kernels of weight gradients, and
 * what a plan makes of norms, against the same plan of one step a node. */
#include "test.h"
#include "../engine/gemm.h"
#include "../engine/plan.h"
#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void fill(real *to, int64_t count, uint64_t stream, bool whole)
{
    Random random = random_stream(test_seed() + stream, "training steps");
    for (int64_t i = 0; i < count; i++)
        to[i] = whole ? (real)((int)random_below(&random, 7) - 3)
                      : (real)random_unit(random_word(&random)) * 2 - 1;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
enum { ISA_COUNT = 4 };

/* Runs of several lengths, pieces of several runs, one left over, every second pixel. */
static void tap_tiles_are_exact_on_integers(void)
{
    enum { WIDTH = 23, ROWS = 5, MOST = TILE_MOST_COLS };
    static const PixelRun run[ROWS] = {{0, 4}, {40, 1}, {23, 11}, {0, 2}, {60, 3}};
    real                  image[WIDTH * ROWS], gy[21 * MOST], out[TAP_MOST_ROWS * MOST],
        start[sizeof out / sizeof *out];
    fill(image, WIDTH * ROWS, 1, true);
    fill(gy, 21 * MOST, 2, true);
    fill(start, TAP_MOST_ROWS * MOST, 3, true);
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *table = kernels_for(isas[isa]);
        for (int v = 1; table && v <= table->tile_vectors; v++) {
            const real *row[TAP_MOST_ROWS];
            for (int r = 0; r < table->tap_rows; r++)
                row[r] = image + r;
            TapSums sums = {.row      = row,
                            .gy       = gy,
                            .run      = run,
                            .runs     = ROWS,
                            .piece    = 2,
                            .step     = 2,
                            .gy_step  = MOST,
                            .out      = out,
                            .out_step = MOST};
            memcpy(out, start, sizeof out);
            table->tap_tile[v](&sums);
            bool equal = true;
            for (int at = 0; at < table->tap_rows * v * table->lanes; at++) {
                int     r = at / (v * table->lanes), j = at % (v * table->lanes);
                double  want = (double)start[r * MOST + j];
                int64_t p    = 0;
                for (int i = 0; i < ROWS; i++)
                    for (int64_t x = 0; x < run[i].count; x++)
                        want += (double)row[r][run[i].at + 2 * x] * (double)gy[p++ * MOST + j];
                equal = equal && (double)out[r * MOST + j] == want;
            }
            if (!CHECK(equal))
                printf("  %s, %d vectors\n", table->isa, v);
        }
    }
}

static void transposing_moves_every_number_once(void)
{
    enum { MOST = 37 };
    real from[MOST * MOST], to[(MOST + 1) * (MOST + 1)];
    fill(from, MOST * MOST, 4, false);
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *table = kernels_for(isas[isa]);
        for (int64_t rows = 1; table && rows <= MOST; rows += 3)
            for (int64_t cols = 1; cols <= MOST; cols++) {
                bool equal = true;
                memset(to, 0, sizeof to);
                table->transpose(to, rows + 1, from, MOST, rows, cols);
                for (int64_t c = 0; c < cols; c++) {
                    for (int64_t r = 0; r < rows; r++)
                        equal = equal && to[c * (rows + 1) + r] == from[r * MOST + c];
                    equal = equal && to[c * (rows + 1) + rows] == 0; // nothing behind the row
                }
                if (!CHECK(equal))
                    printf("  %s, %lld x %lld\n", table->isa, (long long)rows, (long long)cols);
            }
    }
}

/* ---- plans ----------------------------------------------------------------------------------- */

enum { MOST_OUTPUTS = 16 };

typedef struct Network {
    Graph *graph;
    NodeId inputs[8], outputs[MOST_OUTPUTS];
    int    input_count, output_count;
} Network;

static NodeId input(Network *net, Shape shape)
{
    NodeId id                       = op_input(net->graph, shape, "in");
    net->inputs[net->input_count++] = id;
    return id;
}

static size_t output_bytes(const Network *net, int i)
{
    return (size_t)shape_elements(graph_shape(net->graph, net->outputs[i])) * sizeof(real);
}

// Runs the nodes from..end-1 and takes what they gave, to its place among all outputs.
static void run_part(const Network *net, Plan *plan, NodeId from, NodeId end, char *all)
{
    size_t at = 0;
    plan_run_stage(plan, from, end);
    for (int i = 0; i < net->output_count; at += output_bytes(net, i++))
        if (all && net->outputs[i] >= from && net->outputs[i] < end)
            memcpy(all + at, plan_output(plan, net->outputs[i]), output_bytes(net, i));
}

/* The outputs one after another, each after its stage; `channel_steps` (may be NULL): steps that run
 * channel by channel. */
static real *run(const Network *net, const PlanOptions *options, int threads, size_t *bytes,
                 int *channel_steps)
{
    Plan *plan  = NULL;
    Error error = {0};
    real *all   = NULL;
    parallel_set_threads(threads);
    if (!CHECK(plan_create(&plan, net->graph, net->outputs, net->output_count, options, &error))) {
        printf("  %s\n", error.message);
        parallel_set_threads(0);
        return NULL;
    }
    for (int i = 0; i < net->input_count; i++)
        fill(plan_input(plan, net->inputs[i]),
             shape_elements(graph_shape(net->graph, net->inputs[i])), 100 + (uint64_t)i, false);
    if (options->stage_count == 0)
        plan_run(plan); // a second run must not see the first
    *bytes = 0;
    for (int i = 0; i < net->output_count; i++)
        *bytes += output_bytes(net, i);
    all         = memory_new(*bytes, 1, NULL);
    NodeId from = 0;
    for (int i = 0; i <= options->stage_count; i++) {
        NodeId end = i < options->stage_count ? options->stages[i] : graph_node_count(net->graph);
        run_part(net, plan, from, end, (char *)all);
        from = end;
    }
    for (int32_t i = 0; channel_steps && i < plan_step_count(plan); i++)
        *channel_steps += strncmp(plan_step_report(plan, i).text, "channels", 8) == 0;
    plan_destroy(plan);
    parallel_set_threads(0);
    return all;
}

/* The plan as it is against one step a node, memory of its own for each node, other threads, and cut
 * into stages. */
static bool agrees(const Network *net, int *channel_steps)
{
    size_t bytes  = 0;
    bool   equal  = true;
    real  *wanted = run(net, &(PlanOptions){.no_fuse = true, .no_reuse = true}, 1, &bytes, NULL);
    NodeId nodes = graph_node_count(net->graph), stages[] = {nodes / 3, nodes / 2, nodes - 3};
    for (int i = 0; i < 5 && wanted; i++) {
        PlanOptions options = {
            .no_reuse = i == 1, .no_fuse = i == 2, .stages = stages, .stage_count = i == 4 ? 3 : 0};
        real *found = run(net, &options, i == 3 ? 3 : 1, &bytes, i ? NULL : channel_steps);
        equal       = found && !memcmp(found, wanted, bytes) && equal;
        memory_free(found);
    }
    memory_free(wanted);
    return equal;
}

/* A norm with statistics of the batch, as models/norm.c builds it. */
static NodeId norm(Network *net, NodeId x)
{
    Graph *g  = net->graph;
    Shape  in = graph_shape(g, x), one = shape_4d(1, in.dim[1], 1, 1), vector = shape_1d(in.dim[1]);
    real   share = 1 / (real)(in.dim[0] * in.dim[2] * in.dim[3]);
    NodeId gamma = input(net, vector), beta = input(net, vector);
    NodeId mean                       = op_scale(g, op_sum_to(g, x, one), share);
    NodeId centred                    = op_sub(g, x, op_broadcast_to(g, mean, in));
    NodeId square                     = op_mul(g, centred, centred);
    NodeId variance                   = op_scale(g, op_sum_to(g, square, one), share);
    NodeId spread                     = op_reshape(g, op_offset(g, variance, (real)1e-5), vector);
    net->outputs[net->output_count++] = mean;
    net->outputs[net->output_count++] = variance;
    return op_affine(g, centred, op_mul(g, gamma, op_power(g, spread, (real)-0.5)), beta);
}

/* Two convolutions with norms and a shortcut; gradients of weights, and of a gradient's square. */
static void norms_agree_bit_for_bit(void)
{
    Network net   = {0};
    int     steps = 0;
    REQUIRE(graph_create(&net.graph, NULL));
    Graph *g  = net.graph;
    NodeId x  = input(&net, shape_4d(4, 5, 6, 7));
    NodeId w1 = input(&net, shape_4d(6, 5, 3, 3)), w2 = input(&net, shape_4d(6, 6, 3, 3));
    NodeId a    = op_relu(g, norm(&net, op_conv2d(g, x, w1, 1, 1)));
    NodeId b    = op_relu(g, op_add(g, norm(&net, op_conv2d(g, a, w2, 1, 1)), a));
    NodeId loss = op_dot(g, b, b), wrt[3] = {x, w1, w2}, first[3], second[3];
    graph_gradient(g, loss, wrt, 3, first);
    graph_gradient(g, op_dot(g, first[0], first[0]), wrt, 3, second);
    for (int i = 0; i < 3; i++) {
        net.outputs[net.output_count++] = first[i];
        net.outputs[net.output_count++] = second[i];
    }
    net.outputs[net.output_count++] = a;
    CHECK(agrees(&net, &steps));
    CHECK(steps > 3);
    graph_destroy(g);
}

/* A node drawn from what there is: planes, or numbers one a channel. */
static NodeId drawn(Random *random, const NodeId *from, int count)
{
    return from[random_below(random, (uint32_t)count)];
}

/* Nodes in any order and any use, some of them no part of a program. */
static void draw_network(Network *net, Random *random)
{
    enum { NODES = 60 };
    Graph *g      = net->graph;
    Shape  planes = shape_4d(3, 4, 3, 5), one = shape_4d(1, 4, 1, 1);
    NodeId large[NODES + 2] = {input(net, planes), input(net, planes)};
    NodeId small[NODES + 2] = {input(net, one), input(net, one)};
    int    larges = 2, smalls = 2;
    for (int i = 0; i < NODES; i++) {
        NodeId x = drawn(random, large + (larges > 6 ? larges - 6 : 0), larges > 6 ? 6 : larges);
        NodeId y = drawn(random, large, larges), s = drawn(random, small, smalls);
        NodeId t = drawn(random, small, smalls);
        switch (random_below(random, 14)) {
        case 0:
            large[larges++] = op_add(g, x, op_scale(g, y, (real)0.5));
            break;
        case 1:
            large[larges++] = op_mul(g, x, op_sigmoid(g, y, 1));
            break;
        case 2:
            large[larges++] = op_relu(g, x);
            break;
        case 3:
            large[larges++] = op_gate(g, x, y);
            break;
        case 4:
            large[larges++] = op_offset(g, op_scale(g, x, (real)-0.75), (real)0.25);
            break;
        case 5:
            large[larges++] = op_broadcast_to(g, s, planes);
            break;
        case 6:
            large[larges++] = op_add(g, op_mul(g, x, op_broadcast_to(g, s, planes)),
                                     op_broadcast_to(g, t, planes));
            break;
        case 7:
            large[larges++] = op_sub(g, x, op_broadcast_to(g, t, planes));
            break;
        case 8:
        case 9:
            small[smalls++] = op_scale(g, op_sum_to(g, x, one), (real)0.02);
            break;
        case 10:
            small[smalls++] = op_scale(g, op_sum_to(g, op_mul(g, x, y), one), (real)0.02);
            break;
        case 11:
            small[smalls++] = op_mul(g, op_sigmoid(g, s, 1), op_scale(g, t, (real)0.5));
            break;
        case 12:
            small[smalls++] = op_power(
                g, op_offset(g, op_scale(g, op_sigmoid(g, s, 1), (real)0.5), 1), (real)-0.5);
            break;
        default:
            large[larges++] = op_gate(g, op_broadcast_to(g, s, planes), x);
            break;
        }
    }
    for (int i = 0; i < 3; i++) {
        net->outputs[net->output_count++] = large[larges - 1 - i];
        net->outputs[net->output_count++] = drawn(random, large, larges);
        net->outputs[net->output_count++] = small[smalls - 1 - i % smalls];
    }
    NodeId gradient[2];
    graph_gradient(g, op_dot(g, large[larges - 1], large[larges - 2]), net->inputs, 2, gradient);
    net->outputs[net->output_count++] = gradient[0];
    net->outputs[net->output_count++] = gradient[1];
}

static void drawn_networks_agree_bit_for_bit(void)
{
    int steps = 0;
    for (int i = 0; i < 200; i++) {
        Random  random = random_stream(test_seed() + (uint64_t)i, "drawn networks");
        Network net    = {0};
        REQUIRE(graph_create(&net.graph, NULL));
        draw_network(&net, &random);
        bool equal = agrees(&net, &steps);
        graph_destroy(net.graph);
        if (!CHECK(equal)) {
            printf("  network %d\n", i);
            break;
        }
    }
    CHECK(steps > 200);
}

SUITE(training_steps)
{
    RUN(tap_tiles_are_exact_on_integers);
    RUN(transposing_moves_every_number_once);
    RUN(norms_agree_bit_for_bit);
    RUN(drawn_networks_agree_bit_for_bit);
}
