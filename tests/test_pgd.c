/* tests/test_pgd.c - PGD on any scalar node, and the objectives of one unit. */
#include "test.h"
#include "../attack/unit_attack.h"
#include "../base/parallel.h"

#include <math.h>
#include <string.h>

/* ---- a small seeded network ------------------------------------------------------------------ */

enum { BATCH = 2, SIDE = 10, SIZE = BATCH * 3 * SIDE * SIDE, HIDDEN = 5 };

typedef struct SmallNet {
    Graph *graph;
    NodeId pixels, score;
    real   first[HIDDEN * 3 * 3 * 3], second[2 * HIDDEN * 3 * 3];
} SmallNet;

static void draw(const char *purpose, real *values, int count, real spread)
{
    Random random = random_stream(test_seed(), purpose);
    for (int i = 0; i < count; i++)
        values[i] = spread * (2 * (real)random_unit(random_word(&random)) - 1);
}

static bool small_net(SmallNet *net)
{
    draw("first", net->first, HIDDEN * 27, (real)0.5);
    draw("second", net->second, 2 * HIDDEN * 9, (real)0.5);
    if (!graph_create(&net->graph, NULL))
        return false;
    Graph *graph = net->graph;
    net->pixels  = op_input(graph, shape_4d(BATCH, 3, SIDE, SIDE), "pixels");
    NodeId w1    = op_parameter(graph, shape_4d(HIDDEN, 3, 3, 3), net->first);
    NodeId w2    = op_parameter(graph, shape_4d(2, HIDDEN, 3, 3), net->second);
    NodeId x     = op_relu(graph, op_conv2d(graph, net->pixels, w1, 1, 1));
    net->score   = op_sum(graph, op_conv2d(graph, x, w2, 1, 1));
    return true;
}

static void start_image(real *x)
{
    draw("image", x, SIZE, (real)0.5);
    for (int i = 0; i < SIZE; i++)
        x[i] += (real)0.5;
    x[0] = 0; // some pixels at the ends of the range
    x[1] = 1;
}

/* ---- watching -------------------------------------------------------------------------------- */

typedef struct Trace {
    double objective[16];
    int    count;
    int    end; // the state after which the run is to end, -1: none
} Trace;

static bool trace_state(void *self, int step, double objective, const real *x)
{
    Trace *trace           = self;
    trace->objective[step] = objective;
    trace->count++;
    (void)x;
    return step != trace->end;
}

/* ---- masks as they are ----------------------------------------------------------------------- */

typedef struct PlainMasks {
    const uint8_t *source, *target; // [images, cells]
    size_t         cells;
} PlainMasks;

static bool plain_masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    const PlainMasks *masks = self;
    (void)error;
    memcpy(source, masks->source + (size_t)image * masks->cells, masks->cells);
    memcpy(target, masks->target + (size_t)image * masks->cells, masks->cells);
    return true;
}

// At the layer's own resolution.
static Aim plain_aim(PlainMasks *masks, float threshold)
{
    return (Aim){.mask_count = (int64_t)masks->cells,
                 .masks      = plain_masks,
                 .threshold  = threshold,
                 .self       = masks};
}

/* ---- updates --------------------------------------------------------------------------------- */

// Four pixels by hand, through the weights the mean objective makes of the masks.
static void identity_network_golden_vector(void)
{
    const uint8_t  source[4] = {1, 0, 0, 0}, target[4] = {0, 0, 0, 1};
    PlainMasks     masks     = {source, target, 4};
    Aim            aim       = plain_aim(&masks, 0);
    UnitObjective *objective = NULL;
    float          weights[4];
    REQUIRE(unit_objective_open(&objective, &aim, LOSS_MEAN, false, 4, NULL));
    REQUIRE(unit_objective_load(objective, (int64_t[]){0}, 1, NULL));
    REQUIRE(unit_objective_weigh(objective, NULL, weights, NULL, NULL));
    CHECK(weights[0] == 1 && weights[1] == 0 && weights[2] == 0 && weights[3] == -1);

    Graph *graph = NULL;
    Pgd   *pgd   = NULL;
    REQUIRE(graph_create(&graph, NULL));
    NodeId image = op_input(graph, shape_4d(1, 1, 2, 2), "image");
    NodeId w     = op_input(graph, shape_4d(1, 1, 2, 2), "weights");
    REQUIRE(pgd_create(&pgd, graph, image, op_dot(graph, image, w), NULL, NULL));
    real *input = plan_input(pgd_plan(pgd), w);
    for (int i = 0; i < 4; i++)
        input[i] = weights[i];
    const real eps = (real)4 / 255, half = (real)0.5;
    for (int steps = 1; steps <= 10; steps++) { // the first `steps` of ten
        PgdRule rule = {PGD_STEPS, eps, 10};
        real    x[4] = {half, half, half, half}, clean[4] = {half, half, half, half};
        for (int k = 0; k < steps; k++)
            pgd_update(&rule, clean, pgd_gradient(pgd, x), 4, x);
        double moved = steps < 5 ? steps * 0.8 / 255 : 4.0 / 255;
        CHECK_CLOSE((double)x[0], 0.5 - moved, 6 * 0x1p-25); // five sums below one, and the step
        CHECK_CLOSE((double)x[3], 0.5 + moved, 6 * 0x1p-25);
        CHECK(x[1] == half && x[2] == half);
        if (steps == 10) {
            real     whole[4] = {half, half, half, half};
            Trace    trace    = {.end = -1};
            PgdWatch watch    = {trace_state, &trace};
            CHECK(pgd_run(pgd, &rule, whole, &watch, NULL));
            CHECK(memcmp(whole, x, sizeof x) == 0);
            CHECK(trace.count == 11 && trace.objective[0] == 0);
            CHECK_CLOSE(trace.objective[10], -8.0 / 255, 1e-7);
        }
    }
    pgd_destroy(pgd);
    graph_destroy(graph);
    unit_objective_close(objective);
}

static void no_gradient_no_move(void)
{
    PgdRule rule     = {PGD_STEPS, (real)0.1, 4};
    real    clean[3] = {(real)0.5, (real)0.5, (real)0.5}, x[3];
    real    slope[3] = {0, (real)NAN, (real)-0.0};
    memcpy(x, clean, sizeof x);
    pgd_update(&rule, clean, slope, 3, x);
    CHECK(memcmp(x, clean, sizeof x) == 0);
}

// After every step: |x - clean| <= eps + half a unit in the last place, and 0 <= x <= 1.
static void every_step_stays_in_the_ball(void)
{
    static real clean[SIZE], x[SIZE];
    SmallNet    net  = {0};
    Pgd        *pgd  = NULL;
    PgdRule     rule = {PGD_STEPS, (real)6 / 255, 7};
    REQUIRE(small_net(&net) && pgd_create(&pgd, net.graph, net.pixels, net.score, NULL, NULL));
    start_image(clean);
    memcpy(x, clean, sizeof x);
    int outside = 0, moved = 0, at_edge = 0;
    for (int k = 0; k < rule.steps; k++) {
        pgd_update(&rule, clean, pgd_gradient(pgd, x), SIZE, x);
        for (int i = 0; i < SIZE; i++) {
            double away = fabs((double)x[i] - (double)clean[i]);
            outside += !(away <= (double)rule.eps + 0x1p-25 && x[i] >= 0 && x[i] <= 1);
            moved += away > 0;
            at_edge += fabs(away - (double)rule.eps) < 1e-6;
        }
    }
    CHECK(outside == 0 && moved > 5 * SIZE && at_edge > SIZE);
    pgd_destroy(pgd);
    graph_destroy(net.graph);
}

static void objective_falls(void)
{
    static real x[SIZE];
    SmallNet    net   = {0};
    Pgd        *pgd   = NULL;
    PgdRule     rule  = {PGD_STEPS, (real)4 / 255, 10};
    Trace       trace = {.end = -1}, once = {.end = -1};
    PgdWatch    watch = {trace_state, &trace}, watch_once = {trace_state, &once};
    REQUIRE(small_net(&net) && pgd_create(&pgd, net.graph, net.pixels, net.score, NULL, NULL));
    start_image(x);
    CHECK(pgd_run(pgd, &rule, x, &watch, NULL));
    for (int k = 0; k < 5; k++) // until the edge: ten steps are 2 eps long
        CHECK(trace.objective[k + 1] < trace.objective[k]);
    CHECK(trace.objective[10] < trace.objective[0]);

    PgdRule fgsm = {PGD_FGSM, (real)4 / 255, 0};
    start_image(x);
    CHECK(pgd_run(pgd, &fgsm, x, &watch_once, NULL) && once.count == 2);
    CHECK(once.objective[0] == trace.objective[0] && once.objective[1] < once.objective[0]);
    CHECK(trace.objective[10] <= once.objective[1]); // ten steps do not do worse than one
    pgd_destroy(pgd);
    graph_destroy(net.graph);
}

static void fgsm_is_one_step_of_eps(void)
{
    PgdRule rule     = {PGD_FGSM, (real)0.125, 10};
    real    clean[4] = {(real)0.5, (real)0.5, (real)0.0625, 1}, x[4];
    real    slope[4] = {3, -2, 1, -1};
    memcpy(x, clean, sizeof x);
    pgd_update(&rule, clean, slope, 4, x);
    CHECK(x[0] == (real)0.375 && x[1] == (real)0.625 && x[2] == 0 && x[3] == 1);
}

static void thread_counts_give_the_same_bits(void)
{
    static real wanted[SIZE], x[SIZE];
    PgdRule     rule = {PGD_STEPS, (real)4 / 255, 5};
    for (int threads = 1; threads <= 3; threads++) {
        SmallNet net = {0};
        Pgd     *pgd = NULL;
        parallel_set_threads(threads);
        REQUIRE(small_net(&net) && pgd_create(&pgd, net.graph, net.pixels, net.score, NULL, NULL));
        start_image(x);
        CHECK(pgd_run(pgd, &rule, x, NULL, NULL));
        if (threads == 1)
            memcpy(wanted, x, sizeof x);
        CHECK(memcmp(wanted, x, sizeof x) == 0);
        pgd_destroy(pgd);
        graph_destroy(net.graph);
    }
    parallel_set_threads(0);
}

static void a_cancelled_run_says_so(void)
{
    static real   x[SIZE];
    SmallNet      net    = {0};
    Pgd          *pgd    = NULL;
    PgdRule       rule   = {PGD_STEPS, (real)4 / 255, 5};
    volatile bool cancel = true;
    REQUIRE(small_net(&net) && pgd_create(&pgd, net.graph, net.pixels, net.score, NULL, NULL));
    start_image(x);
    CHECK(!pgd_run(pgd, &rule, x, NULL, &cancel));
    cancel = false;
    CHECK(pgd_run(pgd, &rule, x, NULL, &cancel));
    pgd_destroy(pgd);
    graph_destroy(net.graph);
}

static void a_watcher_may_end_the_run(void)
{
    static real x[SIZE];
    SmallNet    net   = {0};
    Pgd        *pgd   = NULL;
    PgdRule     rule  = {PGD_STEPS, (real)4 / 255, 5};
    Trace       trace = {.end = 2};
    PgdWatch    watch = {trace_state, &trace};
    REQUIRE(small_net(&net) && pgd_create(&pgd, net.graph, net.pixels, net.score, NULL, NULL));
    start_image(x);
    CHECK(!pgd_run(pgd, &rule, x, &watch, NULL) && trace.count == 3);
    pgd_destroy(pgd);
    graph_destroy(net.graph);
}

/* ---- objectives at the layer's own resolution ------------------------------------------------ */

enum { IMAGES = 5, CELLS = 12 };

typedef struct MaskCase {
    uint8_t        source[IMAGES * CELLS], target[IMAGES * CELLS];
    float          maps[IMAGES * CELLS];
    PlainMasks     masks;
    Aim            aim;
    UnitObjective *objective;
} MaskCase;

static const int64_t all_images[IMAGES] = {0, 1, 2, 3, 4};

// Image 3 has no source, image 4 no target.
static bool mask_case(MaskCase *out, AttackLoss loss, bool coupled)
{
    Random random = random_stream(test_seed(), "masks");
    *out          = (MaskCase){0};
    for (int i = 0; i < IMAGES * CELLS; i++) {
        out->source[i] = i / CELLS != 3 && random_below(&random, 3) == 0;
        out->target[i] = i / CELLS != 4 && random_below(&random, 4) == 0;
        out->maps[i]   = 4 * random_unit(random_word(&random)) - 2;
    }
    out->masks = (PlainMasks){out->source, out->target, CELLS};
    out->aim   = plain_aim(&out->masks, 0.4f);
    return unit_objective_open(&out->objective, &out->aim, loss, coupled, CELLS, NULL) &&
           unit_objective_load(out->objective, all_images, IMAGES, NULL);
}

// By definition: sum of the map over the mask, by the area of one image or of all.
static double mean_over(const MaskCase *test, const uint8_t *mask, bool coupled)
{
    double total = 0, group_area = 1e-8;
    for (int i = 0; i < IMAGES * CELLS; i++)
        group_area += mask[i];
    for (int image = 0; image < IMAGES; image++) {
        double overlap = 0, area = 0;
        for (int i = image * CELLS; i < (image + 1) * CELLS; i++) {
            overlap += (double)test->maps[i] * mask[i];
            area += mask[i];
        }
        total += coupled ? overlap / group_area : area > 0 ? overlap / area : 0;
    }
    return total;
}

static void mean_weights_equal_the_direct_sums(void)
{
    for (int coupled = 0; coupled <= 1; coupled++) {
        MaskCase test;
        float    weights[IMAGES * CELLS];
        double   found = 0, loss = 0;
        REQUIRE(mask_case(&test, LOSS_MEAN, coupled));
        REQUIRE(unit_objective_weigh(test.objective, test.maps, weights, &loss, NULL));
        for (int i = 0; i < IMAGES * CELLS; i++)
            found += (double)weights[i] * (double)test.maps[i];
        double wanted =
            mean_over(&test, test.source, coupled) - mean_over(&test, test.target, coupled);
        CHECK_CLOSE(found, wanted, 1e-6);
        CHECK(loss == found);
        unit_objective_close(test.objective);
    }
}

// By definition, in double, over images first..last-1.
static double soft_iou(const MaskCase *test, const uint8_t *mask, const double *maps, int first,
                       int last)
{
    double n = (last - first) * CELLS, mean = 0, squares = 0, overlap = 0, larger = 1e-8;
    for (int i = first * CELLS; i < last * CELLS; i++)
        mean += maps[i] / n;
    for (int i = first * CELLS; i < last * CELLS; i++)
        squares += (maps[i] - mean) * (maps[i] - mean);
    for (int i = first * CELLS; i < last * CELLS; i++) {
        double m =
            1 / (1 + exp(-(maps[i] - (double)test->aim.threshold) / sqrt(squares / (n - 1))));
        overlap += m * mask[i];
        larger += fmax(m, mask[i]);
    }
    return overlap / larger;
}

static double soft_iou_loss(const MaskCase *test, const double *maps, bool coupled)
{
    double loss = 0;
    int    step = coupled ? IMAGES : 1;
    for (int first = 0; first < IMAGES; first += step)
        loss += soft_iou(test, test->source, maps, first, first + step) -
                soft_iou(test, test->target, maps, first, first + step);
    return loss;
}

static void soft_iou_equals_formula_and_differences(void)
{
    for (int coupled = 0; coupled <= 1; coupled++) {
        MaskCase test;
        float    weights[IMAGES * CELLS];
        double   maps[IMAGES * CELLS], loss = 0;
        REQUIRE(mask_case(&test, LOSS_SOFT_IOU, coupled));
        REQUIRE(unit_objective_weigh(test.objective, test.maps, weights, &loss, NULL));
        for (int i = 0; i < IMAGES * CELLS; i++)
            maps[i] = (double)test.maps[i];
        CHECK_CLOSE(loss, soft_iou_loss(&test, maps, coupled), 1e-5);
        for (int i = 0; i < IMAGES * CELLS; i++) {
            const double h  = 1e-5;
            double       at = maps[i];
            maps[i]         = at + h;
            double above    = soft_iou_loss(&test, maps, coupled);
            maps[i]         = at - h;
            double below    = soft_iou_loss(&test, maps, coupled);
            maps[i]         = at;
            // The gradient is float arithmetic on values below one.
            CHECK_CLOSE((double)weights[i], (above - below) / (2 * h), 2e-6);
        }
        unit_objective_close(test.objective);
    }
}

// One group of other images after another: the graph follows the number of images.
static void soft_iou_follows_the_group(void)
{
    MaskCase test;
    float    weights[IMAGES * CELLS];
    double   maps[IMAGES * CELLS], loss = 0;
    REQUIRE(mask_case(&test, LOSS_SOFT_IOU, true));
    REQUIRE(unit_objective_weigh(test.objective, test.maps, weights, &loss, NULL));
    for (int i = 0; i < IMAGES * CELLS; i++)
        maps[i] = (double)test.maps[i];
    REQUIRE(unit_objective_load(test.objective, all_images, 2, NULL));
    REQUIRE(unit_objective_weigh(test.objective, test.maps, weights, &loss, NULL));
    CHECK_CLOSE(loss,
                soft_iou(&test, test.source, maps, 0, 2) - soft_iou(&test, test.target, maps, 0, 2),
                1e-5);
    unit_objective_close(test.objective);
}

SUITE(pgd)
{
    RUN(identity_network_golden_vector);
    RUN(no_gradient_no_move);
    RUN(every_step_stays_in_the_ball);
    RUN(objective_falls);
    RUN(fgsm_is_one_step_of_eps);
    RUN(thread_counts_give_the_same_bits);
    RUN(a_cancelled_run_says_so);
    RUN(a_watcher_may_end_the_run);
    RUN(mean_weights_equal_the_direct_sums);
    RUN(soft_iou_equals_formula_and_differences);
    RUN(soft_iou_follows_the_group);
}
