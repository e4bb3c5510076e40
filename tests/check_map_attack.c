/* tests/check_map_attack.c - attacks on maps: the published loss and gradient (in double to their
 * last digit), slopes, slices, the box, the same bytes again. */
#include "../attack/map_attack.h"
#include "../base/parallel.h"
#include "../engine/plan.h"
#include "check_difference.h"
#include "check_toy.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- an attack on the small network ---------------------------------------------------------- */

typedef struct Play {
    Graph    *graph;
    Map       map;
    NodeId    beta;
    MapMode   mode;
    MapAttack attack;
    real      low[2], high[2];
} Play;

static void play_close(Play *play)
{
    map_attack_close(&play->attack);
    map_close(&play->map);
    graph_destroy(play->graph);
}

static bool play_open_in(Play *play, const MapMode *mode, const char *method,
                         const MapAttackRule *rule)
{
    Error  error = {0};
    NodeId logits;
    *play = (Play){.beta = NODE_NONE, .mode = *mode};
    if (!CHECK(graph_create(&play->graph, NULL)))
        return false;
    Graph *g = play->graph;
    if (rule->beta_first > 0)
        play->beta = op_scalar_input(g, 1, "beta");
    MapNetwork network = toy_network(&play->beta);
    MapRequest request = {.method = map_method_named(method), .mode = &play->mode};
    map_slices_request(&request, rule->copies);
    NodeId image = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
    toy_bounds(NULL, play->low, play->high, NULL);
    if (!CHECK(map_build_on(g, &network, &request, image, &play->map, &error)) ||
        !CHECK(network.build(network.self, g, image, &logits, &error)))
        return false;
    MapAttackNodes nodes = {g, &play->map, logits, play->beta, &play->mode, play->low, play->high};
    return CHECK(map_attack_open(&play->attack, &nodes, rule, NULL, &error)) ||
           test_check_text(error.message, "", __FILE__, __LINE__);
}

static bool play_open(Play *play, const char *method, const MapAttackRule *rule)
{
    return play_open_in(play, map_mode_named("manipulated19"), method, rule);
}

static void begin(Play *play)
{
    real  image[PIXELS];
    float wanted[CELLS];
    toy_image(0, image);
    for (int i = 0; i < CELLS; i++)
        wanted[i] = (float)toy_wanted(i);
    map_attack_begin(&play->attack, image, wanted, 0, 0);
    for (int i = 0; i < CELLS; i++) // in double: the published map, not its floats
        play->attack.state.wanted[i] = toy_wanted(i);
}

static MapAttackRule rule_of(double beta)
{
    return (MapAttackRule){.steps         = 40,
                           .rate          = 0.01,
                           .map_factor    = 1e4,
                           .output_factor = 1e2,
                           .beta_first    = beta,
                           .beta_last     = beta};
}

// Methods that explain the small network; those of attention are the last of the table.
static const MapMethod *method_at(int i)
{
    const MapMethod *method = map_method_at(i);
    return method && !map_method_needs_attention(method) ? method : NULL;
}

/* ---- published numbers ----------------------------------------------------------------------- */

static void check_golden(const ToyGolden *row)
{
    Play          play;
    MapAttackRule rule = rule_of(row->beta);
    if (play_open(&play, row->method, &rule)) {
        double squares = 0, weighed = 0;
        begin(&play);
        toy_image(0.02, play.attack.state.image);
        MapAttackLoss loss  = map_attack_look(&play.attack, 0);
        const real   *slope = map_attack_gradient(&play.attack);
        for (int i = 0; i < PIXELS; i++) {
            squares += (double)slope[i] * (double)slope[i];
            weighed += (i + 1) * (double)slope[i];
        }
        toy_check_number(loss.loss, row->loss, 1e-9);
        toy_check_number(sqrt(squares), row->norm, row->norm < 1e-2 ? 6e-9 : 6e-7);
        if (row->slope != 0)
            toy_check_number(weighed, row->slope, 6e-6);
        CHECK_CLOSE(loss.map_term + loss.output_term, loss.loss, 1e-5);
    }
    play_close(&play);
}

static void losses_and_gradients_are_the_published_ones(void)
{
    for (size_t i = 0; i < TOY_GOLDEN; i++)
        check_golden(&toy_golden[i]);
}

/* ---- slopes ---------------------------------------------------------------------------------- */

static double loss_at(MapAttack *attack, int64_t pixel, double moved)
{
    real *x = &attack->state.image[pixel], kept = *x;
    *x += (real)moved;
    double loss = map_attack_look(attack, 0).loss;
    *x          = kept;
    return loss;
}

// By central differences, in every pixel.
static void check_loss_slope(const MapMode *mode, const char *method, const MapAttackRule *rule)
{
    static const double step = 1e-5;
    Play                play;
    real                slope[PIXELS];
    double              worst = 0, largest = 1;
    if (play_open_in(&play, mode, method, rule)) {
        begin(&play);
        toy_image(0.02, play.attack.state.image);
        map_attack_look(&play.attack, 0);
        memcpy(slope, map_attack_gradient(&play.attack), sizeof slope);
        for (int i = 0; i < PIXELS; i++) {
            double rise = loss_at(&play.attack, i, step) - loss_at(&play.attack, i, -step);
            worst       = fmax(worst, fabs(rise / (2 * step) - (double)slope[i]));
            largest     = fmax(largest, fabs((double)slope[i]));
        }
        if (!CHECK(worst <= 1e-7 * largest))
            printf("  of %s (%s), beta %g, %lld copies: off by %g of %g\n", method, mode->name,
                   rule->beta_first, (long long)rule->copies, worst, largest);
    }
    play_close(&play);
}

static void the_gradient_is_the_slope_of_the_loss(void)
{
    const MapMethod *method;
    const MapMode   *mode = map_mode_named("manipulated19");
    if (!check_slopes_are_exact())
        SKIP("slopes of maps need doubles");
    // Rules whose Z may be close to zero bend too sharply at 100 for differences of this step.
    for (int i = 0; (method = method_at(i)); i++)
        for (double beta = 1; beta <= (strncmp(method->name, "lrp-", 4) ? 100 : 10); beta *= 10) {
            MapAttackRule rule = rule_of(beta);
            check_loss_slope(mode, method->name, &rule);
        }
    MapAttackRule rule = rule_of(10);
    rule.output_term   = OUTPUT_LOGITS;
    check_loss_slope(mode, "gradient", &rule);
}

// Two slices of copies; of points, for each of two copies.
static void the_gradient_through_slices_is_the_slope_of_the_loss(void)
{
    static const char *const modes[] = {"manipulated19", "clean", "aligned23"};
    if (!check_slopes_are_exact())
        SKIP("slopes of maps need doubles");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        MapMode       mode = *map_mode_named(modes[i]);
        MapAttackRule rule = rule_of(10);
        mode.form          = (MapForm){MAP_SIGN_ABS, MAP_SCALE_SUM};
        mode.steps         = 18;
        rule.level         = 0.05;
        rule.copies        = 18;
        check_loss_slope(&mode, "gradient", &rule);
        check_loss_slope(&mode, "lrp", &rule);
        rule.copies = 2;
        check_loss_slope(&mode, "integrated", &rule);
    }
}

/* ---- slices ---------------------------------------------------------------------------------- */

// The map of a method of all its points in one graph, at an image.
static bool map_at_once(const MapMode *mode, const char *method, int64_t points, const real *image,
                        double raw[PIXELS])
{
    Graph     *g    = NULL;
    Plan      *plan = NULL;
    Map        map  = {0};
    NodeId     beta = NODE_NONE;
    double     factor[64], share[64];
    MapRequest request = {.method = map_method_named(method), .mode = mode, .points = points};
    bool       ok      = CHECK(graph_create(&g, NULL));
    if (ok) {
        beta               = op_scalar_input(g, 10, "beta");
        MapNetwork network = toy_network(&beta);
        NodeId     x       = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
        ok                 = CHECK(map_build_on(g, &network, &request, x, &map, NULL)) &&
             CHECK(plan_create(&plan, g, &map.raw, 1, NULL, NULL));
    }
    if (ok) {
        map_choose(plan, &map, 0);
        memcpy(plan_input(plan, map.image), image, PIXELS * sizeof *image);
        if (points)
            path_fill(mode->path, mode->steps, factor, share);
        for (int64_t i = 0; i < points; i++) {
            plan_input(plan, map.factor)[i] = (real)factor[i];
            plan_input(plan, map.share)[i]  = (real)share[i];
        }
        plan_run(plan);
        for (int i = 0; i < PIXELS; i++)
            raw[i] = (double)plan_output(plan, map.raw)[i];
    }
    plan_destroy(plan);
    map_close(&map);
    graph_destroy(g);
    return ok;
}

// The image and its noise, as the attack draws it.
static void noisy_image(const MapAttack *attack, int64_t copy, real *out)
{
    toy_image(0, out);
    for (int i = 0; i < PIXELS; i++) {
        double z[4];
        smoothing_noise(attack->rule.seed, 0, (uint64_t)copy, 0, (uint64_t)i / 4, z);
        out[i] += (real)(attack->rule.level * 4.5 * z[i % 4]);
    }
}

// Maps of the copies one by one: their mean, or that of their attributions.
static bool mean_map(const Play *play, const char *method, int64_t points, float mean[CELLS])
{
    double  raw[PIXELS], sum[PIXELS] = {0}, forms[CELLS] = {0};
    int64_t copies = play->attack.rule.copies;
    for (int64_t copy = 0; copy < copies; copy++) {
        real  image[PIXELS];
        float form[CELLS];
        noisy_image(&play->attack, copy, image);
        if (!map_at_once(&play->mode, method, points, image, raw))
            return false;
        map_form(play->mode.form, raw, 2, CELLS, form);
        for (int i = 0; i < PIXELS; i++)
            sum[i] += raw[i] / (double)copies;
        for (int i = 0; i < CELLS; i++)
            forms[i] += (double)form[i] / (double)copies;
    }
    map_form(play->mode.form, sum, 2, CELLS, mean);
    for (int i = 0; i < CELLS && play->mode.smooths_maps; i++)
        mean[i] = (float)forms[i];
    return true;
}

static void check_smoothed_loss(const char *mode_name, const char *method, int64_t copies)
{
    Play          play;
    float         mean[CELLS];
    double        wanted = 0;
    MapMode       mode   = *map_mode_named(mode_name);
    MapAttackRule rule   = rule_of(10);
    mode.form            = (MapForm){MAP_SIGN_ABS, MAP_SCALE_SUM};
    rule.copies          = copies;
    rule.level           = 0.05;
    bool path            = map_method_named(method)->kind == MAP_INTEGRATED;
    if (play_open_in(&play, &mode, method, &rule)) {
        begin(&play);
        double found = map_attack_look(&play.attack, 0).map_term;
        if (mean_map(&play, method, path ? path_points(mode.path, mode.steps) : 0, mean)) {
            for (int i = 0; i < CELLS; i++)
                wanted += rule.map_factor / CELLS * pow((double)mean[i] - (double)toy_wanted(i), 2);
            if (!CHECK_CLOSE(found, wanted, 1e-4 * wanted))
                printf("  of %s, %s, %lld copies\n", mode_name, method, (long long)copies);
        }
    }
    play_close(&play);
}

// More copies than one slice has, and noisy paths.
static void smoothed_maps_are_means_over_copies(void)
{
    static const char *const modes[] = {"manipulated19", "clean", "aligned23"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        check_smoothed_loss(modes[i], "gradient-x-input", 35);
        check_smoothed_loss(modes[i], "integrated", 3);
    }
}

static size_t attack_bytes(const char *method, int64_t copies, int steps)
{
    Play          play;
    size_t        bytes = 0;
    MapMode       mode  = *map_mode_named("manipulated19");
    MapAttackRule rule  = rule_of(10);
    rule.copies = copies, rule.level = 0.05;
    mode.steps = steps;
    if (play_open_in(&play, &mode, method, &rule))
        bytes = plan_bytes(play.attack.plan);
    play_close(&play);
    return bytes;
}

static void memory_does_not_grow_with_the_points(void)
{
    CHECK(attack_bytes("gradient", 16, 30) == attack_bytes("gradient", 160, 30));
    CHECK(attack_bytes("integrated", 0, 16) == attack_bytes("integrated", 0, 160));
    CHECK(attack_bytes("integrated", 2, 16) == attack_bytes("integrated", 50, 160));
}

// Without the output term nothing is left.
static void a_relu_network_gives_flat_maps_no_gradient(void)
{
    const MapMethod *method;
    MapAttackRule    rule = rule_of(0);
    rule.output_factor    = 0;
    for (int i = 0; (method = method_at(i)); i++) {
        Play play;
        if (play_open(&play, method->name, &rule)) {
            double largest = 0;
            begin(&play);
            map_attack_look(&play.attack, 0);
            for (int k = 0; k < PIXELS; k++)
                largest = fmax(largest, fabs((double)map_attack_gradient(&play.attack)[k]));
            // In floats the quotient by the sum leaves rounding; in double too, far below.
            double nothing = check_slopes_are_exact() ? 1e-13 : 1e-4;
            if (!CHECK(method->is_flat_on_relu == (largest < nothing)))
                printf("  of %s: %g\n", method->name, largest);
        }
        play_close(&play);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static MapAttackLoss run_steps(Play *play, int64_t count)
{
    MapAttackLoss loss = {0};
    for (int64_t i = 0; i < count; i++)
        CHECK(map_attack_step(&play->attack, 0, &loss, NULL));
    return map_attack_look(&play->attack, 0);
}

static void steps_lower_the_loss_and_stay_in_the_box(void)
{
    static const char *const methods[] = {"gradient", "lrp", "integrated", "gradient-x-input"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        Play          play;
        MapAttackRule rule = rule_of(10);
        rule.beta_last     = 100;
        rule.rate          = 0.003;
        rule.steps         = 150;
        if (play_open(&play, methods[i], &rule)) {
            begin(&play);
            for (int c = 0; c < 2; c++) { // a box that the image touches
                play.low[c]  = (real)-1.005;
                play.high[c] = (real)1.002;
            }
            double  before = map_attack_look(&play.attack, 0).map_term;
            int64_t calls  = memory_calls();
            double  after  = run_steps(&play, rule.steps).map_term;
            CHECK(memory_calls() == calls); // a step allocates nothing
            if (!CHECK(after < 0.7 * before))
                printf("  of %s: %g, then %g\n", methods[i], before, after);
            bool is_inside = true, is_cut = false;
            for (int k = 0; k < PIXELS; k++) {
                real x = play.attack.state.image[k];
                is_inside &= x >= play.low[0] && x <= play.high[0];
                is_cut |= x == play.low[0] || x == play.high[0];
            }
            CHECK(is_inside && is_cut);
        }
        play_close(&play);
    }
}

/* Only the first steps: a map jumps where a max-pool's winner changes, and no gradient tells of
 * that. Nor does beta grow here, since then the loss changes by itself. */
static void first_steps_lower_the_loss_of_every_method(void)
{
    const MapMethod *method;
    MapAttackRule    rule = rule_of(10);
    rule.rate             = 1e-4;
    for (int i = 0; (method = method_at(i)); i++) {
        Play play;
        if (strcmp(method->name, "deconvnet") == 0) // meets no activation on its way back
            continue;
        if (play_open(&play, method->name, &rule)) {
            begin(&play);
            double before = map_attack_look(&play.attack, 0).loss;
            double after  = run_steps(&play, 10).loss;
            if (!CHECK(after < before - 1e-4))
                printf("  of %s: %g, then %g\n", method->name, before, after);
        }
        play_close(&play);
    }
}

// The gradient of an attack whose plan has these options; how many steps of it are programs.
static int planned_gradient(const char *method, bool no_fuse, real gradient[PIXELS])
{
    Play          play;
    MapAttackRule rule     = rule_of(10);
    int           programs = 0;
    if (play_open(&play, method, &rule)) {
        map_attack_close(&play.attack);
        MapAttackNodes nodes = {
            play.graph, &play.map, play.map.layer, play.beta, map_mode_named("manipulated19"),
            play.low,   play.high};
        if (CHECK(map_attack_open(&play.attack, &nodes, &rule, &(PlanOptions){.no_fuse = no_fuse},
                                  NULL))) {
            begin(&play);
            play.attack.state.image[0] += (real)0.25;
            map_attack_look(&play.attack, 0);
            memcpy(gradient, map_attack_gradient(&play.attack), PIXELS * sizeof *gradient);
        }
        for (int32_t i = 0; play.attack.plan && i < plan_step_count(play.attack.plan); i++)
            programs += !strncmp(plan_step_report(play.attack.plan, i).text, "channels", 8);
    }
    play_close(&play);
    return programs;
}

/* Softplus, its sigmoid and their products as they are computed, and a step a node. */
static void programs_of_activations_change_no_bit(void)
{
    static const char *const methods[] = {"gradient", "guided", "lrp", "lrp-epsilon"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        real plain[PIXELS] = {0}, fused[PIXELS] = {1};
        CHECK(planned_gradient(methods[i], true, plain) == 0);
        CHECK(planned_gradient(methods[i], false, fused) > 2);
        if (!CHECK(!memcmp(plain, fused, sizeof plain)))
            printf("  of %s\n", methods[i]);
    }
}

static void the_same_attack_gives_the_same_bytes(void)
{
    real image[3][PIXELS];
    for (int run = 0; run < 3; run++) { // with one thread, with four, and stopped in between
        Play          play;
        MapAttackRule rule = rule_of(10);
        rule.noise = NOISE_REDRAWN, rule.level = 0.05, rule.copies = 18;
        parallel_set_threads(run == 1 ? 4 : 1);
        if (play_open(&play, "gradient", &rule)) {
            begin(&play);
            run_steps(&play, run == 2 ? 7 : 20);
            if (run == 2) {
                real saved[3][PIXELS];
                memcpy(saved[0], play.attack.state.image, sizeof saved[0]);
                memcpy(saved[1], play.attack.state.first, sizeof saved[0]);
                memcpy(saved[2], play.attack.state.second, sizeof saved[0]);
                run_steps(&play, 3);
                begin(&play);
                memcpy(play.attack.state.image, saved[0], sizeof saved[0]);
                memcpy(play.attack.state.first, saved[1], sizeof saved[0]);
                memcpy(play.attack.state.second, saved[2], sizeof saved[0]);
                play.attack.state.step = 7;
                run_steps(&play, 13);
            }
            memcpy(image[run], play.attack.state.image, sizeof image[run]);
        }
        play_close(&play);
    }
    parallel_set_threads(0);
    CHECK(memcmp(image[0], image[1], sizeof image[0]) == 0);
    CHECK(memcmp(image[0], image[2], sizeof image[0]) == 0);
}

static void beta_grows_as_published(void)
{
    MapAttackRule rule = {.steps = 1000, .beta_first = 10, .beta_last = 100};
    CHECK_CLOSE(map_attack_beta(&rule, 0), 10, 1e-12);
    CHECK_CLOSE(map_attack_beta(&rule, 500), 31.6227766016838, 1e-9);
    CHECK_CLOSE(map_attack_beta(&rule, 1000), 100, 1e-9);
    CHECK(map_attack_reference_beta(&rule) == 1000);
    rule.beta_first = rule.beta_last = 0.8;
    CHECK(map_attack_beta(&rule, 500) == 0.8 && map_attack_reference_beta(&rule) == 0.8);
}

static void presets_are_rows_of_the_published_tables(void)
{
    MapAttackRule rule = {.level = 0.1};
    CHECK(map_attack_preset("table1", "vgg16", "lrp", &rule) && rule.rate == 2e-4 &&
          rule.beta_first == 0 && rule.level == 0.1);
    CHECK(map_attack_preset("table1", "vgg16", "pattern", &rule) && rule.rate == 2e-3 &&
          rule.beta_first == 10 && rule.beta_last == 100 && rule.steps == 1500);
    CHECK(map_attack_preset("table2", "densenet121", "gradient", &rule) && rule.beta_first == 30 &&
          rule.output_term == OUTPUT_LOGITS && rule.steps == 2000);
    CHECK(map_attack_preset("table5", "vgg16", "guided", &rule) && rule.beta_first == 0.8 &&
          rule.rate == 5e-4);
    CHECK(!map_attack_preset("table2", "vgg16", "lrp", &rule));
    CHECK(!map_attack_preset("table3", "vgg16", "gradient", &rule));
}

SUITE(map_attack)
{
    RUN(losses_and_gradients_are_the_published_ones);
    RUN(the_gradient_is_the_slope_of_the_loss);
    RUN(the_gradient_through_slices_is_the_slope_of_the_loss);
    RUN(smoothed_maps_are_means_over_copies);
    RUN(memory_does_not_grow_with_the_points);
    RUN(a_relu_network_gives_flat_maps_no_gradient);
    RUN(steps_lower_the_loss_and_stay_in_the_box);
    RUN(first_steps_lower_the_loss_of_every_method);
    RUN(programs_of_activations_change_no_bit);
    RUN(the_same_attack_gives_the_same_bytes);
    RUN(beta_grows_as_published);
    RUN(presets_are_rows_of_the_published_tables);
}
