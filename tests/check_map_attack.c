/* tests/check_map_attack.c - attacks on maps: the published loss and gradient (in double to their
 * last digit), slopes, the box, the same bytes again; similarities; targets. */
#include "../attack/map_attack.h"
#include "../attack/map_target.h"
#include "../attribution/similarity.h"
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
    MapAttack attack;
    real      low[2], high[2];
} Play;

static void play_close(Play *play)
{
    map_attack_close(&play->attack);
    map_close(&play->map);
    graph_destroy(play->graph);
}

// `copies`: of SmoothGrad; integrated gradients have the mode's points.
static bool play_open(Play *play, const char *method, const MapAttackRule *rule, int64_t copies)
{
    Error          error = {0};
    const MapMode *mode  = map_mode_named("manipulated19");
    bool           path  = map_method_named(method)->kind == MAP_INTEGRATED;
    NodeId         logits;
    *play = (Play){.beta = NODE_NONE};
    if (!CHECK(graph_create(&play->graph, NULL)))
        return false;
    Graph *g = play->graph;
    if (rule->beta_first > 0)
        play->beta = op_scalar_input(g, 1, "beta");
    MapNetwork network = toy_network(&play->beta);
    MapRequest request = {
        .method = map_method_named(method), .mode = mode, .points = path ? STEPS : copies};
    NodeId image = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
    toy_bounds(NULL, play->low, play->high, NULL);
    if (!CHECK(map_build_on(g, &network, &request, image, &play->map, &error)) ||
        !CHECK(network.build(network.self, g, image, &logits, &error)))
        return false;
    MapAttackNodes nodes = {g, &play->map, logits, play->beta, mode, play->low, play->high};
    return CHECK(map_attack_open(&play->attack, &nodes, rule, NULL, &error)) ||
           test_check_text(error.message, "", __FILE__, __LINE__);
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

/* ---- published numbers ----------------------------------------------------------------------- */

static void check_golden(const ToyGolden *row)
{
    Play          play;
    MapAttackRule rule = rule_of(row->beta);
    if (play_open(&play, row->method, &rule, 0)) {
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

static void check_loss_slope(const char *method, MapAttackRule rule, int64_t copies)
{
    Play play;
    if (play_open(&play, method, &rule, copies)) {
        MapAttack *attack = &play.attack;
        begin(&play);
        toy_image(0.02, attack->state.image);
        map_attack_look(attack, 0);
        if (!CHECK(check_slope(attack->plan,
                               &(Slope){attack->loss, play.map.image, attack->gradient, PIXELS})))
            printf("  of %s, beta %g, %lld copies\n", method, rule.beta_first, (long long)copies);
    }
    play_close(&play);
}

static void the_gradient_is_the_slope_of_the_loss(void)
{
    const MapMethod *method;
    if (!check_slopes_are_exact())
        SKIP("slopes of maps need doubles");
    // Rules whose Z may be close to zero bend too sharply at 100 for differences of this step.
    for (int i = 0; (method = map_method_at(i)); i++)
        for (double beta = 1; beta <= (strncmp(method->name, "lrp-", 4) ? 100 : 10); beta *= 10) {
            MapAttackRule rule = rule_of(beta);
            check_loss_slope(method->name, rule, 0);
        }
    MapAttackRule rule = rule_of(10);
    rule.output_term   = OUTPUT_LOGITS;
    check_loss_slope("gradient", rule, 0);
    rule.level = 0.05;
    check_loss_slope("gradient", rule, 4);
    check_loss_slope("lrp", rule, 4);
}

// Without the output term nothing is left.
static void a_relu_network_gives_flat_maps_no_gradient(void)
{
    const MapMethod *method;
    MapAttackRule    rule = rule_of(0);
    rule.output_factor    = 0;
    for (int i = 0; (method = map_method_at(i)); i++) {
        Play play;
        if (play_open(&play, method->name, &rule, 0)) {
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
        if (play_open(&play, methods[i], &rule, 0)) {
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
    for (int i = 0; (method = map_method_at(i)); i++) {
        Play play;
        if (strcmp(method->name, "deconvnet") == 0) // meets no activation on its way back
            continue;
        if (play_open(&play, method->name, &rule, 0)) {
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
    if (play_open(&play, method, &rule, 0)) {
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
        rule.noise = NOISE_REDRAWN, rule.level = 0.05;
        parallel_set_threads(run == 1 ? 4 : 1);
        if (play_open(&play, "gradient", &rule, 3)) {
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

/* ---- similarities ---------------------------------------------------------------------------- */

// By the formulas with sums of raw moments, in another order than the library's.
static double plain_ssim(const float *a, const float *b, int h, int w, int side, double range)
{
    double sum = 0, n = side * side, c1 = pow(0.01 * range, 2), c2 = pow(0.03 * range, 2);
    for (int y = 0; y + side <= h; y++)
        for (int x = 0; x + side <= w; x++) {
            double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
            for (int i = 0; i < side * side; i++) {
                int    at = (y + i / side) * w + x + i % side;
                double p = (double)a[at], q = (double)b[at];
                sa += p, sb += q, saa += p * p, sbb += q * q, sab += p * q;
            }
            double ma = sa / n, mb = sb / n, s = n / (n - 1);
            double va = s * (saa / n - ma * ma), vb = s * (sbb / n - mb * mb),
                   ab = s * (sab / n - ma * mb);
            sum += (2 * ma * mb + c1) * (2 * ab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    return sum / ((h - side + 1) * (w - side + 1));
}

static void similarities_follow_their_formulas(void)
{
    enum { H = 11, W = 9 };
    float  a[H * W], b[H * W];
    double mse = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0, n = H * W, least = 9, most = -9;
    for (int i = 0; i < H * W; i++) {
        a[i] = (float)sin(0.3 * i);
        b[i] = (float)(0.5 * sin(0.3 * i + 0.4) + 0.1 * cos(i));
        mse += pow((double)a[i] - (double)b[i], 2) / n;
        sa += (double)a[i], sb += (double)b[i];
        saa += (double)a[i] * (double)a[i], sbb += (double)b[i] * (double)b[i];
        sab += (double)a[i] * (double)b[i];
        least = fmin(least, fmin((double)a[i], (double)b[i]));
        most  = fmax(most, fmax((double)a[i], (double)b[i]));
    }
    Similarity found = similarity(&ssim_default, a, b, 1, H, W);
    CHECK_CLOSE(found.mse, mse, 1e-12);
    CHECK_CLOSE(found.pcc, (n * sab - sa * sb) / sqrt((n * saa - sa * sa) * (n * sbb - sb * sb)),
                1e-12);
    CHECK_CLOSE(found.ssim, plain_ssim(a, b, H, W, 7, most - least), 1e-12);
    SsimRule five = {.window = 5, .range = 2, .k1 = 0.01, .k2 = 0.03};
    CHECK_CLOSE(similarity(&five, a, b, 1, H, W).ssim, plain_ssim(a, b, H, W, 5, 2), 1e-12);
    found = similarity(&ssim_default, a, a, 1, H, W);
    CHECK(found.mse == 0 && fabs(found.pcc - 1) < 1e-15 && fabs(found.ssim - 1) < 1e-15);
}

static void similarity_does_not_depend_on_the_scale(void)
{
    float a[64], b[64], c[64], d[64];
    for (int i = 0; i < 64; i++) {
        a[i] = (float)(1 + i % 7), b[i] = (float)(1 + i % 5);
        c[i] = a[i] / 65536, d[i] = b[i] / 65536;
    }
    Similarity large = similarity(&ssim_default, a, b, 1, 8, 8),
               small = similarity(&ssim_default, c, d, 1, 8, 8);
    CHECK_CLOSE(small.ssim, large.ssim, 1e-12);
    CHECK_CLOSE(small.pcc, large.pcc, 1e-12);
    CHECK_CLOSE(small.mse * 65536 * 65536, large.mse, 1e-9);
    memset(a, 0, sizeof a);
    CHECK(similarity(&ssim_default, a, b, 1, 8, 8).pcc == 0);
    CHECK(similarity(&ssim_default, a, a, 4, 4, 4).ssim == 1);
    CHECK(similarity(&ssim_default, b, b, 1, 2, 2).ssim == 1); // smaller than a window
}

/* ---- targets --------------------------------------------------------------------------------- */

static void refuses(float *values, Shape shape, const char *message)
{
    Error error = {0};
    CHECK(!map_target_take(values, shape, 2, 3, "map.npy", &error));
    CHECK(error.code == ERROR_DATA);
    CHECK_TEXT(error.message, message);
}

static void only_maps_without_negative_values_are_targets(void)
{
    float map[6] = {1, 2, 3, 0, 0, 2}, zero[6] = {0}, less[6] = {1, -1}, odd[6] = {1, NAN};
    CHECK(map_target_take(map, shape_2d(2, 3), 2, 3, "map.npy", NULL));
    CHECK(map[0] == 0.125f && map[2] == 0.375f && map[5] == 0.25f);
    refuses(map, shape_2d(3, 2), "map.npy: is 3x2, expected a map of 2x3 (rows x columns)");
    refuses(zero, shape_2d(2, 3), "map.npy: is zero everywhere, expected a map with a sum");
    refuses(less, shape_2d(2, 3), "map.npy: element 1 is -1, expected none below 0");
    refuses(odd, shape_2d(2, 3), "map.npy: element 1 is nan, expected none below 0");
}

static void a_word_is_drawn_in_the_middle(void)
{
    float map[16 * 9];
    char  text[9 * 17], *at = text;
    CHECK(map_target_word("l1", 9, 16, map, NULL));
    for (int i = 0; i < 9 * 16; i++) {
        *at++ = map[i] > 0 ? '#' : '.';
        if (i % 16 == 15)
            *at++ = i == 9 * 16 - 1 ? 0 : '\n';
    }
    CHECK_TEXT(text, "................\n"
                     "..#.......#.....\n"
                     "..#......##.....\n"
                     "..#.....#.#.....\n"
                     "..#.......#.....\n"
                     "..#.......#.....\n"
                     "..#.......#.....\n"
                     "..#####.#####...\n"
                     "................");
    double sum = 0;
    for (int i = 0; i < 9 * 16; i++)
        sum += (double)map[i];
    CHECK_CLOSE(sum, 1, 1e-6);
    CHECK(!map_target_word("abc", 9, 16, map, NULL));
    CHECK(!map_target_word("", 9, 16, map, NULL));
    CHECK(!map_target_word("  ", 9, 16, map, NULL));
    CHECK(!map_target_word("a?", 9, 16, map, NULL));
}

SUITE(map_attack)
{
    RUN(losses_and_gradients_are_the_published_ones);
    RUN(the_gradient_is_the_slope_of_the_loss);
    RUN(a_relu_network_gives_flat_maps_no_gradient);
    RUN(steps_lower_the_loss_and_stay_in_the_box);
    RUN(first_steps_lower_the_loss_of_every_method);
    RUN(programs_of_activations_change_no_bit);
    RUN(the_same_attack_gives_the_same_bytes);
    RUN(beta_grows_as_published);
    RUN(presets_are_rows_of_the_published_tables);
    RUN(similarities_follow_their_formulas);
    RUN(similarity_does_not_depend_on_the_scale);
    RUN(only_maps_without_negative_values_are_targets);
    RUN(a_word_is_drawn_in_the_middle);
}
