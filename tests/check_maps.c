/* tests/check_maps.c - explanation maps of a small network against published numbers, and the
 * slopes of maps. In double (config=gradcheck) the numbers hold to 1e-8.
 *
 * The network: 2x6x6 -> convolution (3) -> activation -> max-pool -> convolution (4) -> activation
 * -> dense (3); weights are sines and cosines of their places, docs/methods/explanation-maps.md,
 * (E21). */
#include "../attribution/attribution.h"
#include "check_difference.h"
#include "test.h"

#include <math.h>
#include <string.h>

enum { SIDE = 6, CELLS = SIDE * SIDE, PIXELS = 2 * CELLS, CLASSES = 3, STEPS = 30 };

/* ---- the network ----------------------------------------------------------------------------- */

typedef struct Toy {
    Graph *graph;
    Plan  *plan;
    NodeId image, beta, loss, step; // beta NODE_NONE: ReLU
    NodeId logits;
    Map    map;
} Toy;

static real w1[54], b1[3], w2[108], b2[4], w3[108], b3[3], patterns[3][108], wanted[CELLS];

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
    for (int i = 0; i < CELLS; i++)
        wanted[i] = (real)((i + 1) / 666.0);
}

static NodeId activation(const Toy *toy, NodeId x)
{
    return toy->beta == NODE_NONE ? op_relu(toy->graph, x)
                                  : op_softplus_by(toy->graph, x, toy->beta);
}

static bool toy_network(void *self, Graph *g, NodeId points, NodeId *layer, Error *error)
{
    const Toy *toy = self;
    int64_t    n   = graph_shape(g, points).dim[0];
    NodeId     x   = op_conv2d(g, points, op_parameter(g, shape_4d(3, 2, 3, 3), w1), 1, 1);
    graph_name(g, x, "1");
    x = activation(toy, op_bias(g, x, op_parameter(g, shape_1d(3), b1)));
    x = op_maxpool(g, x, 2, 2, 0);
    x = op_conv2d(g, x, op_parameter(g, shape_4d(4, 3, 3, 3), w2), 1, 1);
    graph_name(g, x, "2");
    x = activation(toy, op_bias(g, x, op_parameter(g, shape_1d(4), b2)));
    x = op_reshape(g, x, shape_2d(n, 36));
    x = op_matmul(g, x, op_parameter(g, shape_2d(CLASSES, 36), w3), false, true);
    graph_name(g, x, "3");
    *layer = op_bias(g, x, op_parameter(g, shape_1d(CLASSES), b3));
    return graph_check(g, error);
}

static const real *toy_pattern(void *self, const char *layer, Shape shape, Error *error)
{
    (void)self, (void)shape, (void)error;
    return patterns[layer[0] - '1'];
}

static bool toy_bounds(void *self, real *low, real *high, Error *error)
{
    (void)self, (void)error;
    for (int c = 0; c < 2; c++) {
        low[c]  = -2;
        high[c] = (real)2.5;
    }
    return true;
}

static void toy_close(Toy *toy)
{
    plan_destroy(toy->plan);
    map_close(&toy->map);
    graph_destroy(toy->graph);
}

/* Opens a map, with the attack's loss: map term and output term as mean squares (E20). The outputs
 * aimed at are inputs of the graph. */
static bool toy_open(Toy *toy, const char *method, const MapMode *mode, double beta, int64_t points)
{
    Error error = {0};
    fill_weights();
    *toy = (Toy){.beta = NODE_NONE};
    if (!CHECK(graph_create(&toy->graph, NULL)))
        return false;
    Graph *g = toy->graph;
    if (beta > 0)
        toy->beta = op_scalar_input(g, (real)beta, "beta");
    MapNetwork network = {toy_network, toy_pattern, toy_bounds, toy};
    MapRequest request = {.method = map_method_named(method), .mode = mode, .points = points};
    toy->image         = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
    if (!CHECK(map_build_on(g, &network, &request, toy->image, &toy->map, &error)) ||
        !CHECK(toy_network(toy, g, toy->image, &toy->logits, &error)))
        return test_check_text(error.message, "", __FILE__, __LINE__);
    NodeId aimed = op_input(g, shape_2d(1, CLASSES), "probabilities");
    NodeId found = op_exp(g, op_log_softmax(g, toy->logits));
    NodeId map   = op_squared_distance(g, toy->map.map,
                                       op_parameter(g, shape_2d(SIDE, SIDE), wanted));
    NodeId out   = op_squared_distance(g, found, aimed);
    toy->loss    = op_add(g, op_scale(g, map, (real)(1e4 / CELLS)),
                          op_scale(g, out, (real)(1e2 / CLASSES)));
    graph_gradient(g, toy->loss, &toy->image, 1, &toy->step);
    NodeId outputs[] = {toy->map.map, toy->map.raw, toy->loss, toy->step, toy->logits};
    if (!CHECK(plan_create(&toy->plan, g, outputs, 5, NULL, &error)))
        return test_check_text(error.message, "", __FILE__, __LINE__);
    map_choose(toy->plan, &toy->map, 0);
    if (toy->map.factor != NODE_NONE) {
        double factor[64], share[64];
        path_fill(mode->path, mode->steps, factor, share);
        for (int64_t i = 0; i < points; i++) {
            plan_input(toy->plan, toy->map.factor)[i] = (real)factor[i];
            plan_input(toy->plan, toy->map.share)[i]  = (real)share[i];
        }
    }
    return true;
}

// The image, moved by 0.02 cos(1.1 i) for the attack's point.
static void run_at(Toy *toy, double moved)
{
    real *image = plan_input(toy->plan, toy->image);
    for (int i = 0; i < PIXELS; i++)
        image[i] = (real)(sin(0.7 * i + 0.3) + moved * cos(1.1 * i));
    plan_run(toy->plan);
}

// The probabilities of the image as it is are what the attack wants to keep.
static void keep_outputs(Toy *toy)
{
    const real *z = plan_output(toy->plan, toy->logits);
    double      p[CLASSES], sum = 0;
    for (int i = 0; i < CLASSES; i++)
        sum += p[i] = exp((double)z[i]);
    real *aimed = plan_input(toy->plan, graph_find(toy->graph, "probabilities"));
    for (int i = 0; i < CLASSES; i++)
        aimed[i] = (real)(p[i] / sum);
}

static const MapMode *mode_named(const char *name)
{
    return map_mode_named(name);
}

/* ---- published numbers ----------------------------------------------------------------------- */

typedef struct Golden {
    const char *method;
    double      beta, first, later, weighed, loss, norm, slope; // slope 0: not published
} Golden;

static const Golden golden[] = {
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

static double weighed(const real *values, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (i + 1) * (double)values[i];
    return sum;
}

static double length_of(const real *values, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

// `digit`: half a unit of the last digit that was published; floats are good to 2e-5.
static void check_number(double found, double published, double digit)
{
    double bound = check_slopes_are_exact() ? digit : digit + 2e-5 * fabs(published) + 2e-7;
    CHECK_CLOSE(found, published, bound);
}

static void check_golden(const Golden *row)
{
    Toy         toy;
    const char *name   = row->method;
    int64_t     points = strcmp(name, "integrated") == 0 ? STEPS : 0;
    if (toy_open(&toy, name, mode_named("manipulated19"), row->beta, points)) {
        run_at(&toy, 0);
        keep_outputs(&toy);
        const real *map = plan_output(toy.plan, toy.map.map);
        check_number((double)map[0], row->first, 6e-11);
        check_number((double)map[17], row->later, 6e-11);
        check_number(weighed(map, CELLS), row->weighed, 6e-9);
        run_at(&toy, 0.02);
        const real *step = plan_output(toy.plan, toy.step);
        check_number((double)*plan_output(toy.plan, toy.loss), row->loss, 1e-9);
        check_number(length_of(step, PIXELS), row->norm, row->norm < 1e-2 ? 6e-9 : 6e-7);
        if (row->slope != 0)
            check_number(weighed(step, PIXELS), row->slope, 6e-6);
    }
    toy_close(&toy);
}

static void maps_and_attacks_have_the_published_numbers(void)
{
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        check_golden(&golden[i]);
}

SUITE(maps)
{
    RUN(maps_and_attacks_have_the_published_numbers);
}
