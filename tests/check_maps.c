/* tests/check_maps.c - explanation maps of a small network against published numbers, and the
 * slopes of maps. In double (config=gradcheck) the numbers hold to 1e-8.
 * The network is that of check_toy.h. */
#include "../attribution/attribution.h"
#include "check_difference.h"
#include "check_toy.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the network ----------------------------------------------------------------------------- */

typedef struct Toy {
    Graph         *graph;
    Plan          *plan;
    NodeId         image, beta, loss, step; // beta NODE_NONE: ReLU
    NodeId         logits;
    Map            map;
    const MapMode *mode;
} Toy;

static real wanted[CELLS];

static void toy_close(Toy *toy)
{
    plan_destroy(toy->plan);
    map_close(&toy->map);
    graph_destroy(toy->graph);
}

// What a plan of the map's nodes is told besides the image: class 0, and the points of a path.
static void fill_inputs(const Toy *toy, Plan *plan)
{
    double factor[64], share[64];
    map_choose(plan, &toy->map, 0);
    if (toy->map.factor == NODE_NONE)
        return;
    path_fill(toy->mode->path, toy->mode->steps, factor, share);
    for (int64_t i = 0; i < toy->map.points; i++) {
        plan_input(plan, toy->map.factor)[i] = (real)factor[i];
        plan_input(plan, toy->map.share)[i]  = (real)share[i];
    }
}

/* Opens a map, with the attack's loss: map term and output term as mean squares (E20). The outputs
 * aimed at are inputs of the graph. */
static bool toy_open(Toy *toy, const char *method, const MapMode *mode, double beta, int64_t points)
{
    Error error = {0};
    for (int i = 0; i < CELLS; i++)
        wanted[i] = toy_wanted(i);
    *toy = (Toy){.beta = NODE_NONE};
    if (!CHECK(graph_create(&toy->graph, NULL)))
        return false;
    Graph *g = toy->graph;
    if (beta > 0)
        toy->beta = op_scalar_input(g, (real)beta, "beta");
    MapNetwork network = toy_network(&toy->beta);
    MapRequest request = {.method = map_method_named(method), .mode = mode, .points = points};
    toy->image         = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
    if (!CHECK(map_build_on(g, &network, &request, toy->image, &toy->map, &error)) ||
        !CHECK(network.build(network.self, g, toy->image, &toy->logits, &error)))
        return test_check_text(error.message, "", __FILE__, __LINE__);
    NodeId aimed = op_input(g, shape_2d(1, CLASSES), "probabilities");
    NodeId found = op_exp(g, op_log_softmax(g, toy->logits));
    NodeId map =
        op_squared_distance(g, toy->map.map, op_parameter(g, shape_2d(SIDE, SIDE), wanted));
    NodeId out = op_squared_distance(g, found, aimed);
    toy->loss =
        op_add(g, op_scale(g, map, (real)(1e4 / CELLS)), op_scale(g, out, (real)(1e2 / CLASSES)));
    graph_gradient(g, toy->loss, &toy->image, 1, &toy->step);
    NodeId outputs[] = {toy->map.map, toy->map.raw, toy->loss, toy->step, toy->logits};
    if (!CHECK(plan_create(&toy->plan, g, outputs, 5, NULL, &error)))
        return test_check_text(error.message, "", __FILE__, __LINE__);
    toy->mode = mode;
    fill_inputs(toy, toy->plan);
    return true;
}

// The image, moved by 0.02 cos(1.1 i) for the attack's point.
static void run_at(Toy *toy, double moved)
{
    toy_image(moved, plan_input(toy->plan, toy->image));
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

// The same image in another plan of the toy's nodes.
static void run_other(Toy *toy, Plan *plan)
{
    run_at(toy, 0);
    fill_inputs(toy, plan);
    memcpy(plan_input(plan, toy->image), plan_input(toy->plan, toy->image), PIXELS * sizeof(real));
    plan_run(plan);
}

static const MapMode *mode_named(const char *name)
{
    return map_mode_named(name);
}

/* ---- published numbers ----------------------------------------------------------------------- */

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

static void check_golden(const ToyGolden *row)
{
    Toy         toy;
    const char *name   = row->method;
    int64_t     points = strcmp(name, "integrated") == 0 ? STEPS : 0;
    if (toy_open(&toy, name, mode_named("manipulated19"), row->beta, points)) {
        run_at(&toy, 0);
        keep_outputs(&toy);
        const real *map = plan_output(toy.plan, toy.map.map);
        toy_check_number((double)map[0], row->first, 6e-11);
        toy_check_number((double)map[17], row->later, 6e-11);
        toy_check_number(weighed(map, CELLS), row->weighed, 6e-9);
        run_at(&toy, 0.02);
        const real *step = plan_output(toy.plan, toy.step);
        toy_check_number((double)*plan_output(toy.plan, toy.loss), row->loss, 1e-9);
        toy_check_number(length_of(step, PIXELS), row->norm, row->norm < 1e-2 ? 6e-9 : 6e-7);
        if (row->slope != 0)
            toy_check_number(weighed(step, PIXELS), row->slope, 6e-6);
    }
    toy_close(&toy);
}

static void maps_and_attacks_have_the_published_numbers(void)
{
    for (size_t i = 0; i < TOY_GOLDEN; i++)
        check_golden(&toy_golden[i]);
}

/* ---- slopes ---------------------------------------------------------------------------------- */

static const char *const methods[] = {"gradient",
                                      "gradient-x-input",
                                      "integrated",
                                      "guided",
                                      "deconvnet",
                                      "gradcam",
                                      "lrp",
                                      "lrp-epsilon",
                                      "lrp-gamma",
                                      "lrp-alpha2beta1",
                                      "lrp-epsilon-plus",
                                      "lrp-gamma-box",
                                      "lrp-plus-box",
                                      "lrp-epsilon-plus-flat",
                                      "pattern"};
enum { METHODS = sizeof methods / sizeof *methods };

static int64_t points_of(const char *method)
{
    return strcmp(method, "integrated") == 0 ? STEPS : 0;
}

static void attack_slope(const char *method, const char *mode, double beta)
{
    Toy toy;
    if (toy_open(&toy, method, mode_named(mode), beta, points_of(method))) {
        run_at(&toy, 0);
        keep_outputs(&toy);
        run_at(&toy, 0.02);
        if (!CHECK(check_slope(toy.plan, &(Slope){toy.loss, toy.image, toy.step, PIXELS})))
            printf("  of %s, %s, beta %g\n", method, mode, beta);
    }
    toy_close(&toy);
}

static void the_gradient_of_an_attack_is_its_slope(void)
{
    if (!check_slopes_are_exact())
        SKIP("slopes of maps need doubles");
    // Rules whose Z may be close to zero bend too sharply at 100 for differences of this step.
    for (int i = 0; i < METHODS; i++)
        for (double beta = 1; beta <= (strncmp(methods[i], "lrp-", 4) ? 100 : 10); beta *= 10)
            attack_slope(methods[i], "manipulated19", beta);
    attack_slope("lrp-alpha2beta1", "clean", 3);
    attack_slope("integrated", "clean", 3);
    attack_slope("gradcam", "aligned23", 3);
}

static void a_gradient_map_is_the_slope_of_the_logit(void)
{
    Toy toy;
    if (!check_slopes_are_exact())
        SKIP("slopes of maps need doubles");
    MapMode mode = *mode_named("clean");
    for (int beta = 0; beta <= 10; beta += 10) {
        if (toy_open(&toy, "gradient", &mode, beta, 0)) {
            NodeId logit = op_pick(toy.graph, toy.logits, 0);
            Plan  *plan  = NULL;
            if (CHECK(
                    plan_create(&plan, toy.graph, (NodeId[]){logit, toy.map.raw}, 2, NULL, NULL))) {
                run_other(&toy, plan);
                CHECK(check_slope(plan, &(Slope){logit, toy.image, toy.map.raw, PIXELS}));
            }
            plan_destroy(plan);
        }
        toy_close(&toy);
    }
}

/* ---- start values ---------------------------------------------------------------------------- */

// The largest difference of two maps of one method that begin with the logit and with 1.
static double start_matters(const char *method, double beta, int class, double *first,
                            double *later)
{
    Toy     toy;
    MapMode mode       = *mode_named("manipulated19");
    real    map[CELLS] = {0};
    double  most       = 0;
    for (int i = 0; i < 2; i++) {
        mode.relevance_at_value = mode.gradient_at_value = i == 0;
        if (toy_open(&toy, method, &mode, beta, 0)) {
            map_choose(toy.plan, &toy.map, class);
            run_at(&toy, 0);
            const real *found = plan_output(toy.plan, toy.map.map);
            for (int k = 0; k < CELLS && i == 1; k++)
                most = fmax(most, fabs((double)(found[k] - map[k])));
            memcpy(map, found, sizeof map);
        }
        toy_close(&toy);
    }
    *first = (double)map[0];
    *later = (double)map[17];
    return most;
}

static void only_softplus_guided_maps_depend_on_the_start(void)
{
    double first, later, bound = check_slopes_are_exact() ? 1e-9 : 1e-6;
    CHECK(start_matters("gradient", 10, 0, &first, &later) < bound);
    CHECK(start_matters("lrp", 10, 0, &first, &later) < bound);
    CHECK(start_matters("pattern", 10, 0, &first, &later) < bound);
    CHECK(start_matters("guided", 0, 0, &first, &later) < bound);
    CHECK(start_matters("gradcam", 0, 2, &first, &later) < bound); // whose logit is negative
    CHECK(start_matters("guided", 10, 0, &first, &later) > 1e-4);
    toy_check_number(first, 0.0068684754, 6e-11);
    toy_check_number(later, 0.0200380728, 6e-11);
}

/* ---- relevance ------------------------------------------------------------------------------- */

static double number_at(const Plan *plan, NodeId node)
{
    return (double)*plan_output(plan, node);
}

// start = pixels + what each layer kept, and each row says where its relevance went.
static void check_account(const char *method, const char *mode, double beta)
{
    Toy toy;
    if (toy_open(&toy, method, mode_named(mode), beta, 0)) {
        const Account *account = &toy.map.account;
        NodeId         outputs[32], sum = op_sum(toy.graph, toy.map.raw);
        Plan          *plan  = NULL;
        int            count = 0;
        for (int i = 0; i < account->count; i++) {
            outputs[count++] = account->rows[i].relevance;
            outputs[count++] = account->rows[i].bias;
            outputs[count++] = account->rows[i].stabiliser;
            outputs[count++] = account->rows[i].dead;
        }
        outputs[count++] = sum;
        CHECK(account->count == 3);
        if (CHECK(plan_create(&plan, toy.graph, outputs, count, NULL, NULL))) {
            run_other(&toy, plan);
            double start = number_at(plan, account->rows[0].relevance), left = start;
            for (int i = 0; i < account->count; i++) {
                const AccountRow *row = &account->rows[i];
                CHECK_CLOSE(number_at(plan, row->relevance), left,
                            (check_slopes_are_exact() ? 1e-9 : 1e-4) * fabs(left));
                left -= number_at(plan, row->bias) + number_at(plan, row->stabiliser) +
                        number_at(plan, row->dead);
            }
            CHECK(fabs(start) > 0.1);
            if (!CHECK_CLOSE(number_at(plan, sum), left,
                             (check_slopes_are_exact() ? 1e-9 : 1e-4) * fabs(start)))
                printf("  of %s, %s, beta %g\n", method, mode, beta);
        }
        plan_destroy(plan);
    }
    toy_close(&toy);
}

static void relevance_is_accounted_for(void)
{
    for (int i = 0; i < METHODS; i++)
        if (map_method_named(methods[i])->relevance)
            for (int k = 0; map_mode_at(k); k++) {
                check_account(methods[i], map_mode_at(k)->name, 0);
                check_account(methods[i], map_mode_at(k)->name, 10);
            }
}

static void relevance_of_a_box_is_not_negative(void)
{
    Toy toy;
    if (toy_open(&toy, "lrp", mode_named("manipulated19"), 10, 0)) {
        double sum = 0;
        run_at(&toy, 0);
        for (int i = 0; i < PIXELS; i++) {
            CHECK(plan_output(toy.plan, toy.map.raw)[i] >= 0);
            sum += (double)plan_output(toy.plan, toy.map.raw)[i];
        }
        CHECK_CLOSE(sum, (double)plan_output(toy.plan, toy.logits)[0], 1e-6);
    }
    toy_close(&toy);
}

/* ---- integrated gradients -------------------------------------------------------------------- */

static double completeness_error(PathRule path, int steps)
{
    Toy     toy;
    MapMode mode  = *mode_named("manipulated19");
    double  error = 1;
    mode.path     = path;
    mode.steps    = steps;
    if (toy_open(&toy, "integrated", &mode, 10, path_points(path, steps))) {
        double sum = 0, p[2];
        for (int i = 0; i < 2; i++) { // the image last
            if (i == 1)
                run_at(&toy, 0);
            else
                plan_run(toy.plan);
            const real *z    = plan_output(toy.plan, toy.logits);
            double      ones = 0;
            for (int k = 0; k < CLASSES; k++)
                ones += exp((double)z[k]);
            p[i] = exp((double)z[0]) / ones;
        }
        for (int i = 0; i < PIXELS; i++)
            sum += (double)plan_output(toy.plan, toy.map.raw)[i];
        error = fabs(sum - (p[1] - p[0]));
    }
    toy_close(&toy);
    return error;
}

static void more_steps_come_closer_to_completeness(void)
{
    double few = completeness_error(PATH_RIGHT, 5), more = completeness_error(PATH_RIGHT, 30);
    CHECK(few > 1e-4 && more < few / 4);
    CHECK(completeness_error(PATH_GAUSS, 16) < more / 20);
}

static void the_rule_of_gauss_is_exact_for_polynomials(void)
{
    double factor[40], share[40];
    for (int count = 1; count <= 40; count++) {
        path_fill(PATH_GAUSS, count, factor, share);
        for (int power = 0; power < 2 * count && power < 12; power++) {
            double sum = 0;
            for (int i = 0; i < count; i++)
                sum += share[i] * pow(factor[i], power);
            CHECK_CLOSE(sum, 1.0 / (power + 1), 1e-13);
        }
    }
}

/* ---- ReLU and softplus ----------------------------------------------------------------------- */

// The gradient of the map alone, begun with 1: with the logit the map's size follows the image.
static void a_relu_network_gives_an_attack_no_gradient(void)
{
    MapMode mode            = *mode_named("manipulated19");
    mode.relevance_at_value = mode.gradient_at_value = false;
    for (int i = 0; i < METHODS; i++) {
        Toy toy;
        if (toy_open(&toy, methods[i], &mode, 0, points_of(methods[i]))) {
            Shape  shape = graph_shape(toy.graph, toy.map.raw);
            NodeId ones  = op_constant(toy.graph, shape, 1), step;
            NodeId term  = op_squared_distance(toy.graph, toy.map.raw, ones);
            Plan  *plan  = NULL;
            graph_gradient(toy.graph, term, &toy.image, 1, &step);
            if (CHECK(
                    plan_create(&plan, toy.graph, (NodeId[]){toy.map.raw, step}, 2, NULL, NULL))) {
                run_other(&toy, plan);
                bool is_flat = length_of(plan_output(plan, step), PIXELS) == 0;
                if (!CHECK(map_method_named(methods[i])->is_flat_on_relu == is_flat))
                    printf("  of %s\n", methods[i]);
            }
            plan_destroy(plan);
        }
        toy_close(&toy);
    }
}

// Pearson's correlation.
static double correlation(const real *a, const real *b, int count)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < count; i++) {
        ma += (double)a[i] / count;
        mb += (double)b[i] / count;
    }
    for (int i = 0; i < count; i++) {
        ab += ((double)a[i] - ma) * ((double)b[i] - mb);
        aa += ((double)a[i] - ma) * ((double)a[i] - ma);
        bb += ((double)b[i] - mb) * ((double)b[i] - mb);
    }
    return ab / sqrt(aa * bb);
}

static void softplus_of_large_beta_gives_the_maps_of_relu(void)
{
    for (int i = 0; i < METHODS; i++) {
        Toy  soft, hard;
        bool both =
            toy_open(&soft, methods[i], mode_named("manipulated19"), 1, points_of(methods[i]));
        both = toy_open(&hard, methods[i], mode_named("manipulated19"), 0, points_of(methods[i])) &&
               both;
        if (both) {
            run_at(&hard, 0);
            run_at(&soft, 0);
            const real *far = plan_output(soft.plan, soft.map.map),
                       *map = plan_output(hard.plan, hard.map.map);
            double apart    = correlation(far, map, CELLS);
            plan_set_scalar(soft.plan, soft.beta, 1000); // no graph is built again
            run_at(&soft, 0);
            double close = correlation(plan_output(soft.plan, soft.map.map), map, CELLS);
            if (!CHECK(close > 0.99 && close > apart - 1e-6))
                printf("  of %s: %g, %g\n", methods[i], apart, close);
        }
        toy_close(&soft);
        toy_close(&hard);
    }
}

/* ---- forms and points ------------------------------------------------------------------------ */

static void forms_of_nodes_and_of_numbers_agree(void)
{
    for (int sign = 0; sign < 3; sign++)
        for (int scale = 0; scale < 3; scale++) {
            Toy     toy;
            MapMode mode = *mode_named("clean");
            mode.form    = (MapForm){(MapSign)sign, (MapScale)scale};
            if (toy_open(&toy, "gradient-x-input", &mode, 10, 0)) {
                double raw[PIXELS];
                float  map[CELLS];
                run_at(&toy, 0);
                for (int i = 0; i < PIXELS; i++)
                    raw[i] = (double)plan_output(toy.plan, toy.map.raw)[i];
                map_form(mode.form, raw, 2, CELLS, map);
                for (int i = 0; i < CELLS; i++)
                    CHECK_CLOSE((double)map[i], (double)plan_output(toy.plan, toy.map.map)[i],
                                2e-6 * fmax(1, fabs((double)map[i])));
            }
            toy_close(&toy);
        }
}

// Copies without noise: their mean is the map itself.
static void smoothing_is_a_mean_over_copies(void)
{
    for (int averages = 0; averages < 2; averages++) {
        Toy     one, many;
        MapMode mode      = *mode_named("manipulated19");
        mode.smooths_maps = averages;
        bool both         = toy_open(&one, "lrp", &mode, 10, 0);
        both              = toy_open(&many, "lrp", &mode, 10, 4) && both;
        if (both) {
            for (int i = 0; i < 4; i++)
                plan_input(many.plan, many.map.share)[i] = (real)0.25;
            run_at(&one, 0);
            run_at(&many, 0);
            for (int i = 0; i < CELLS; i++)
                CHECK_CLOSE((double)plan_output(one.plan, one.map.map)[i],
                            (double)plan_output(many.plan, many.map.map)[i], 1e-7);
            for (int i = 0; i < 4 * PIXELS; i++)
                plan_input(many.plan, many.map.noise)[i] = (real)sin(i);
            run_at(&many, 0);
            CHECK(fabs((double)plan_output(one.plan, one.map.map)[7] -
                       (double)plan_output(many.plan, many.map.map)[7]) > 1e-5);
        }
        toy_close(&one);
        toy_close(&many);
    }
}

/* ---- what has no rule ------------------------------------------------------------------------ */

static bool squared_network(void *self, Graph *g, NodeId points, NodeId *layer, Error *error)
{
    (void)self;
    *layer = op_reshape(g, op_mul(g, points, points), shape_2d(1, PIXELS));
    return graph_check(g, error);
}

static void a_layer_without_a_rule_is_named(void)
{
    Graph     *g       = NULL;
    Map        map     = {0};
    Error      error   = {0};
    MapRequest request = {.method = map_method_named("lrp-epsilon"), .mode = mode_named("clean")};
    MapNetwork network = {.build = squared_network};
    REQUIRE(graph_create(&g, NULL));
    NodeId image = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
    CHECK(!map_build_on(g, &network, &request, image, &map, &error));
    CHECK(error.code == ERROR_USAGE);
    CHECK_TEXT(error.message, "layer 'mul 1' (mul) has no rule of relevance");
    request.method = map_method_named("gradient-x-input");
    CHECK(map_build_on(g, &network, &request, image, &map, &error));
    map_close(&map);
    graph_destroy(g);
}

SUITE(maps)
{
    RUN(maps_and_attacks_have_the_published_numbers);
    RUN(the_gradient_of_an_attack_is_its_slope);
    RUN(a_gradient_map_is_the_slope_of_the_logit);
    RUN(only_softplus_guided_maps_depend_on_the_start);
    RUN(relevance_is_accounted_for);
    RUN(relevance_of_a_box_is_not_negative);
    RUN(more_steps_come_closer_to_completeness);
    RUN(the_rule_of_gauss_is_exact_for_polynomials);
    RUN(a_relu_network_gives_an_attack_no_gradient);
    RUN(softplus_of_large_beta_gives_the_maps_of_relu);
    RUN(forms_of_nodes_and_of_numbers_agree);
    RUN(smoothing_is_a_mean_over_copies);
    RUN(a_layer_without_a_rule_is_named);
}
