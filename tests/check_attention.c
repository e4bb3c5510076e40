/* tests/check_attention.c - maps of a network with attention, small enough for differences: 2x6x6
 * pixels in 9 patches of 4 channels and a class token, a block that begins with its norms and has
 * GELU, a block that ends with them and has ReLU, two heads each, 3 classes. Weights are sines of
 * their places. */
#include "../attribution/attention.h"
#include "check_difference.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 6, CELLS = 36, PIXELS = 72, WIDTH = 4, HEADS = 2, TOKENS = 10, CLASSES = 3 };
enum { HELD_MOST = 8, HELD_ROOM = 256, WEIGHTS = 1024 };

static real weights[WEIGHTS];

/* ---- the network ----------------------------------------------------------------------------- */

/* What relevance holds constant, in the order in which it comes: soft-maxes, deviations, gates. */
typedef struct Small {
    int         used;  // of the weights
    int         count; // of what is held
    NodeId      held[HELD_MOST];
    const real *frozen[HELD_MOST]; // the values that stand in their place; NULL: themselves
} Small;

static NodeId hold(Small *small, Graph *g, NodeId x)
{
    int i          = small->count++;
    small->held[i] = x;
    return small->frozen[i] ? op_parameter(g, graph_shape(g, x), small->frozen[i]) : x;
}

static NodeId weight(Small *small, Graph *g, Shape shape)
{
    const real *data = weights + small->used;
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (real)(0.6 * sin(1.3 * i + 0.2 * i * i));
    small->used += (int)shape_elements(shape);
    return op_parameter(g, shape, data);
}

static NodeId dense(Small *small, Graph *g, NodeId x, int64_t outputs)
{
    Shape  in = graph_shape(g, x);
    NodeId w  = weight(small, g, shape_4d(outputs, in.dim[1], 1, 1));
    return op_bias(g, op_conv2d(g, x, w, 1, 0), weight(small, g, shape_1d(outputs)));
}

static NodeId mean_of_channels(Graph *g, NodeId x)
{
    Shape all = graph_shape(g, x), one = all;
    one.dim[1] = 1;
    return op_scale(g, op_sum_to(g, x, one), (real)1 / (real)all.dim[1]);
}

// op_layer_norm, with its deviation held.
static NodeId norm(Small *small, Graph *g, NodeId x)
{
    Shape  shape    = graph_shape(g, x);
    NodeId centred  = op_sub(g, x, op_broadcast_to(g, mean_of_channels(g, x), shape));
    NodeId variance = mean_of_channels(g, op_mul(g, centred, centred));
    NodeId inverse  = hold(small, g, op_power(g, op_offset(g, variance, (real)1e-2), (real)-0.5));
    NodeId gain     = weight(small, g, shape_1d(WIDTH));
    return op_affine(g, op_mul(g, centred, op_broadcast_to(g, inverse, shape)), gain,
                     weight(small, g, shape_1d(WIDTH)));
}

static NodeId slab(Graph *g, NodeId x, int i)
{
    int64_t images = graph_shape(g, x).dim[0];
    return op_reshape(g, op_slice(g, x, 1, i * WIDTH, WIDTH),
                      shape_3d(images * HEADS, WIDTH / HEADS, TOKENS));
}

static NodeId attend(Small *small, Graph *g, NodeId x)
{
    int64_t images = graph_shape(g, x).dim[0];
    NodeId  packed = dense(small, g, x, 3 * WIDTH);
    NodeId  q = slab(g, packed, 0), k = slab(g, packed, 1), v = slab(g, packed, 2);
    NodeId  scores = op_scale(g, op_matmul(g, q, k, true, false), (real)0.7071);
    NodeId  each   = hold(small, g, op_softmax(g, scores));
    NodeId  y      = op_matmul(g, v, each, false, true);
    return dense(small, g, op_reshape(g, y, shape_4d(images, WIDTH, 1, TOKENS)), WIDTH);
}

static NodeId feed(Small *small, Graph *g, NodeId x, bool is_relu)
{
    NodeId y    = dense(small, g, x, 6);
    NodeId ones = op_constant(g, graph_shape(g, y), 1);
    NodeId gate = hold(small, g, is_relu ? op_gate(g, y, ones) : op_normal_cdf(g, y));
    y           = is_relu && !small->frozen[0] ? op_relu(g, y) : op_mul(g, y, gate);
    return dense(small, g, y, WIDTH);
}

static NodeId embed(Small *small, Graph *g, NodeId image)
{
    int64_t images = graph_shape(g, image).dim[0];
    NodeId  w      = weight(small, g, shape_4d(WIDTH, 2, 2, 2));
    NodeId  x      = op_bias(g, op_conv2d(g, image, w, 2, 0), weight(small, g, shape_1d(WIDTH)));
    x              = op_reshape(g, x, shape_4d(images, WIDTH, 1, TOKENS - 1));
    NodeId class   = op_broadcast_to(g, weight(small, g, shape_4d(1, WIDTH, 1, 1)),
                                     shape_4d(images, WIDTH, 1, 1));
    NodeId place   = weight(small, g, shape_4d(1, WIDTH, 1, TOKENS));
    return op_add(g, op_concat(g, class, x, 3),
                  op_broadcast_to(g, place, shape_4d(images, WIDTH, 1, TOKENS)));
}

static bool build(void *self, Graph *g, NodeId image, NodeId *layer, Error *error)
{
    Small *small = self;
    small->used = small->count = 0;
    int64_t images             = graph_shape(g, image).dim[0];
    NodeId  x                  = embed(small, g, image);
    x                          = op_add(g, x, attend(small, g, norm(small, g, x)));
    x                          = op_add(g, x, feed(small, g, norm(small, g, x), false));
    x                          = norm(small, g, op_add(g, x, attend(small, g, x)));
    x                          = norm(small, g, op_add(g, x, feed(small, g, x, true)));
    NodeId class               = op_reshape(g, op_slice(g, x, 3, 0, 1), shape_2d(images, WIDTH));
    NodeId last = op_matmul(g, class, weight(small, g, shape_2d(CLASSES, WIDTH)), false, true);
    *layer      = op_bias(g, last, weight(small, g, shape_1d(CLASSES)));
    return graph_check(g, error);
}

static void draw(real *to, int64_t images)
{
    for (int64_t i = 0; i < images * PIXELS; i++)
        to[i] = (real)sin(0.7 * (double)i + 0.3);
}

/* ---- a map ----------------------------------------------------------------------------------- */

static const char *const methods[] = {"rollout", "gradient-rollout", "lrp-transformer", "attnlrp"};
enum { METHODS = sizeof methods / sizeof *methods };

typedef struct Play {
    Graph *graph;
    Small  small;
    NodeId image;
    Map    map;
} Play;

static void play_close(Play *play)
{
    map_close(&play->map);
    graph_destroy(play->graph);
}

static bool play_open(Play *play, const char *method, const char *mode, int64_t images)
{
    Error error = {0};
    *play       = (Play){0};
    if (!CHECK(graph_create(&play->graph, NULL)))
        return false;
    MapNetwork network = {.build = build, .self = &play->small};
    MapRequest request = {
        .method = map_method_named(method), .mode = map_mode_named(mode), .images = images};
    play->image = op_input(play->graph, shape_4d(images ? images : 1, 2, SIDE, SIDE), "image");
    return CHECK(map_build_on(play->graph, &network, &request, play->image, &play->map, &error)) ||
           test_check_text(error.message, "", __FILE__, __LINE__);
}

// A plan of these nodes that has run once, for class 1; NULL on failure.
static Plan *play_run(Play *play, const NodeId *outputs, int count)
{
    Plan *plan = NULL;
    if (!CHECK(plan_create(&plan, play->graph, outputs, count, NULL, NULL)))
        return NULL;
    map_choose(plan, &play->map, 1);
    draw(plan_input(plan, play->image), play->map.images);
    plan_run(plan);
    return plan;
}

static double close_to(double exact, double single)
{
    return check_slopes_are_exact() ? exact : single;
}

/* ---- slopes ---------------------------------------------------------------------------------- */

static void maps_of_attention_have_slopes(void)
{
    if (!check_slopes_are_exact())
        SKIP("slopes of maps need doubles");
    for (int i = 0; i < METHODS; i++)
        for (int k = 0; map_mode_at(k); k++) {
            Play play;
            if (play_open(&play, methods[i], map_mode_at(k)->name, 0)) {
                Graph *g      = play.graph;
                NodeId wanted = op_scale(g, play.map.map, (real)0.3), step;
                NodeId tilted = op_mul(g, op_offset(g, play.map.map, 1), play.map.map);
                NodeId loss   = op_add(g, op_dot(g, wanted, wanted), op_sum(g, tilted));
                graph_gradient(g, loss, &play.image, 1, &step);
                Plan *plan = play_run(&play, (NodeId[]){loss, step}, 2);
                if (plan && !CHECK(check_slope(plan, &(Slope){loss, play.image, step, PIXELS})))
                    printf("  of %s, %s\n", methods[i], map_mode_at(k)->name);
                plan_destroy(plan);
            }
            play_close(&play);
        }
}

/* ---- relevance ------------------------------------------------------------------------------- */

static double number_at(const Plan *plan, NodeId node)
{
    return (double)*plan_output(plan, node);
}

static void check_account(const char *method, const char *mode)
{
    Play   play;
    NodeId outputs[256];
    int    count = 0;
    if (play_open(&play, method, mode, 0)) {
        const Account *account   = &play.map.account;
        int            centrings = 0;
        NodeId         sum       = op_sum(play.graph, play.map.raw);
        outputs[count++]         = sum;
        for (int i = 0; i < account->count; i++) {
            centrings += strcmp(account->rows[i].rule, "centring") == 0;
            outputs[count++] = account->rows[i].relevance;
            outputs[count++] = account->rows[i].bias;
            outputs[count++] = account->rows[i].stabiliser;
            outputs[count++] = account->rows[i].dead;
        }
        CHECK(centrings == (strcmp(method, "attnlrp") ? 4 : 0));
        Plan *plan = play_run(&play, outputs, count);
        if (plan) {
            double start = number_at(plan, account->rows[0].relevance), left = start;
            for (int i = 0; i < account->count; i++)
                left -= number_at(plan, account->rows[i].bias) +
                        number_at(plan, account->rows[i].stabiliser) +
                        number_at(plan, account->rows[i].dead);
            CHECK(fabs(start) > 0.1);
            if (!CHECK_CLOSE(number_at(plan, sum), left, close_to(1e-9, 1e-3) * fabs(start)))
                printf("  of %s, %s\n", method, mode);
        }
        plan_destroy(plan);
    }
    play_close(&play);
}

static void relevance_of_transformers_is_accounted_for(void)
{
    for (int i = 0; i < METHODS; i++)
        for (int k = 0; map_method_named(methods[i])->relevance && map_mode_at(k); k++)
            check_account(methods[i], map_mode_at(k)->name);
}

static real held[HELD_MOST][HELD_ROOM];

// Takes what is held from a run, to be frozen.
static void freeze(const Play *play, const Plan *plan, Small *linear)
{
    for (int i = 0; i < play->small.count; i++) {
        int64_t count = shape_elements(graph_shape(play->graph, play->small.held[i]));
        if (CHECK(count <= HELD_ROOM))
            memcpy(held[i], plan_output(plan, play->small.held[i]), (size_t)count * sizeof(real));
        linear->frozen[i] = held[i];
    }
}

/* The network with what is held as constants is linear: relevance is the pixel times the derivative
 * of its logit (T4). */
static void held_relevance_is_the_pixel_times_a_derivative(void)
{
    Play   play;
    NodeId outputs[HELD_MOST + 1], logits, slope = NODE_NONE;
    Small  linear = {0};
    if (play_open(&play, "lrp-transformer", "manipulated19", 0)) {
        CHECK(play.small.count == HELD_MOST);
        memcpy(outputs, play.small.held, sizeof play.small.held);
        outputs[HELD_MOST] = play.map.raw;
        Plan *plan = play_run(&play, outputs, HELD_MOST + 1), *other = NULL;
        if (plan)
            freeze(&play, plan, &linear);
        if (plan && CHECK(build(&linear, play.graph, play.image, &logits, NULL))) {
            graph_gradient(play.graph, op_pick(play.graph, logits, 1), &play.image, 1, &slope);
            other = play_run(&play, &slope, 1);
        }
        for (int i = 0; other && i < PIXELS; i++)
            CHECK_CLOSE((double)plan_output(plan, play.map.raw)[i],
                        sin(0.7 * i + 0.3) * (double)plan_output(other, slope)[i],
                        close_to(1e-7, 1e-3));
        plan_destroy(plan);
        plan_destroy(other);
    }
    play_close(&play);
}

/* ---- rollout --------------------------------------------------------------------------------- */

/* The whole product of matrices (T2, T3), by loops; `slope` NULL: of the weights alone. */
static void roll(const real *const *attention, const real *const *slope, double row[TOKENS])
{
    double whole[TOKENS][TOKENS], next[TOKENS][TOKENS];
    for (int i = 0; i < TOKENS; i++)
        for (int k = 0; k < TOKENS; k++)
            whole[i][k] = i == k;
    for (int layer = 0; layer < 2; layer++) {
        for (int i = 0; i < TOKENS; i++)
            for (int k = 0; k < TOKENS; k++) {
                next[i][k] = whole[i][k];
                for (int head = 0; head < HEADS; head++)
                    for (int j = 0; j < TOKENS; j++) {
                        int    at = (head * TOKENS + i) * TOKENS + j;
                        double a  = (double)attention[layer][at];
                        if (slope)
                            a = fmax(0, a * (double)slope[layer][at]);
                        next[i][k] += a / HEADS * whole[j][k];
                    }
                next[i][k] *= slope ? 1 : 0.5;
            }
        memcpy(whole, next, sizeof whole);
    }
    memcpy(row, whole[0], sizeof whole[0]);
}

// The value of patches at the centre of a pixel, linearly between their centres.
static double between(const double *patches, int y, int x)
{
    double at[2]  = {fmin(fmax((y + 0.5) / 2 - 0.5, 0), 2), fmin(fmax((x + 0.5) / 2 - 0.5, 0), 2)};
    int    low[2] = {(int)at[0], (int)at[1]};
    double sum    = 0;
    for (int corner = 0; corner < 4; corner++) {
        int    dy = corner / 2, dx = corner % 2;
        double share =
            (dy ? at[0] - low[0] : 1 - at[0] + low[0]) * (dx ? at[1] - low[1] : 1 - at[1] + low[1]);
        if (share > 0)
            sum += share * patches[(low[0] + dy) * 3 + low[1] + dx];
    }
    return sum;
}

static void rollouts_are_products_of_matrices(void)
{
    for (int with_slope = 0; with_slope < 2; with_slope++) {
        Play   play;
        NodeId outputs[5], attention[ATTENTION_MOST];
        double row[TOKENS], least = 1;
        if (play_open(&play, methods[with_slope], "manipulated19", 0) &&
            CHECK(attention_find(play.graph, play.map.layer, attention) == 2)) {
            memcpy(outputs, attention, 2 * sizeof *outputs);
            graph_gradient(play.graph, op_pick(play.graph, play.map.layer, 1), attention, 2,
                           outputs + 2);
            outputs[4] = play.map.raw;
            Plan *plan = play_run(&play, outputs, 5);
            if (plan) {
                const real *values[4];
                for (int i = 0; i < 4; i++)
                    values[i] = plan_output(plan, outputs[i]);
                roll(values, with_slope ? values + 2 : NULL, row);
                for (int i = 0; i < CELLS; i++) {
                    double wanted = between(row + 1, i / SIDE, i % SIDE);
                    least         = fmin(least, wanted);
                    CHECK_CLOSE((double)plan_output(plan, play.map.raw)[i], wanted,
                                close_to(1e-12, 1e-6));
                }
                CHECK(least >= 0 && row[0] < (with_slope ? 4 : 1));
            }
            plan_destroy(plan);
        }
        play_close(&play);
    }
}

/* ---- images side by side --------------------------------------------------------------------- */

static void images_do_not_touch_each_other(void)
{
    for (int i = 0; i < METHODS; i++) {
        Play one, two;
        bool both = play_open(&one, methods[i], "manipulated19", 0);
        both      = play_open(&two, methods[i], "manipulated19", 2) && both;
        if (both) {
            Plan *single = play_run(&one, &one.map.map, 1);
            Plan *pair   = play_run(&two, &two.map.map, 1);
            if (single && pair &&
                !CHECK(memcmp(plan_output(single, one.map.map), plan_output(pair, two.map.map),
                              CELLS * sizeof(real)) == 0))
                printf("  of %s\n", methods[i]);
            plan_destroy(single);
            plan_destroy(pair);
        }
        play_close(&one);
        play_close(&two);
    }
}

/* ---- gates without attention ----------------------------------------------------------------- */

// SiLU, a squeeze gate and ReLU6, as EfficientNet and MobileNetV2 have them.
static bool gated(void *self, Graph *g, NodeId image, NodeId *layer, Error *error)
{
    Small *small    = self;
    Shape  one      = shape_4d(1, WIDTH, 1, 1);
    small->used     = 0;
    NodeId x        = dense(small, g, image, WIDTH);
    x               = op_mul(g, x, op_sigmoid(g, x, 1));
    NodeId squeezed = dense(small, g, op_reshape(g, op_global_mean(g, x), one), WIDTH);
    NodeId gate     = op_sigmoid(g, squeezed, 1);
    x               = op_mul(g, x, op_broadcast_to(g, gate, graph_shape(g, x)));
    x               = op_clamp(g, op_scale(g, dense(small, g, x, WIDTH), 8), 1);
    *layer          = op_global_mean(g, dense(small, g, x, CLASSES));
    return graph_check(g, error);
}

static void check_gated(const char *method)
{
    Play       play    = {0};
    MapNetwork network = {.build = gated, .self = &play.small};
    MapRequest request = {.method = map_method_named(method), .mode = map_mode_named("clean")};
    NodeId     outputs[64];
    int        count = 0;
    REQUIRE(graph_create(&play.graph, NULL));
    play.image = op_input(play.graph, shape_4d(1, 2, SIDE, SIDE), "image");
    if (CHECK(map_build_on(play.graph, &network, &request, play.image, &play.map, NULL))) {
        const Account *account = &play.map.account;
        outputs[count++]       = op_sum(play.graph, play.map.raw);
        for (int i = 0; i < account->count; i++) {
            outputs[count++] = account->rows[i].relevance;
            outputs[count++] = account->rows[i].bias;
            outputs[count++] = account->rows[i].stabiliser;
        }
        Plan *plan = play_run(&play, outputs, count);
        if (plan) {
            double kept = number_at(plan, outputs[0]), start = number_at(plan, outputs[1]);
            CHECK(account->count == 4); // three layers and the mean; none of the gate's
            for (int i = 0; i < account->count; i++)
                kept += number_at(plan, outputs[2 + 3 * i]) + number_at(plan, outputs[3 + 3 * i]);
            CHECK_CLOSE(kept, start, close_to(1e-9, 1e-4) * fabs(start));
        }
        plan_destroy(plan);
    }
    play_close(&play);
}

static void gates_are_constants(void)
{
    check_gated("lrp-epsilon");
    check_gated("lrp-gamma");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static bool without_attention(void *self, Graph *g, NodeId image, NodeId *layer, Error *error)
{
    Small *small = self;
    small->used  = 0;
    *layer       = op_global_mean(g, op_relu(g, dense(small, g, image, CLASSES)));
    return graph_check(g, error);
}

// Attention of a single token, as no image with patches has it.
static bool with_one_token(void *self, Graph *g, NodeId image, NodeId *layer, Error *error)
{
    Small *small  = self;
    small->used   = 0;
    NodeId x      = op_global_mean(g, op_relu(g, dense(small, g, image, CLASSES)));
    NodeId shares = op_softmax(g, op_reshape(g, op_sum(g, x), shape_3d(1, 1, 1)));
    NodeId y      = op_matmul(g, op_reshape(g, x, shape_3d(1, CLASSES, 1)), shares, false, true);
    *layer        = op_reshape(g, y, shape_2d(1, CLASSES));
    return graph_check(g, error);
}

static void check_refusal(const char *method,
                          bool (*network_of)(void *, Graph *, NodeId, NodeId *, Error *),
                          const char *message)
{
    Graph     *g       = NULL;
    Map        map     = {0};
    Error      error   = {0};
    Small      small   = {0};
    MapNetwork network = {.build = network_of, .self = &small};
    MapRequest request = {.method = map_method_named(method), .mode = map_mode_named("clean")};
    REQUIRE(graph_create(&g, NULL));
    NodeId image = op_input(g, shape_4d(1, 2, SIDE, SIDE), "image");
    CHECK(!map_build_on(g, &network, &request, image, &map, &error));
    CHECK(error.code == ERROR_USAGE);
    CHECK_TEXT(error.message, message);
    graph_destroy(g);
}

static void methods_say_which_networks_they_explain(void)
{
    check_refusal("rollout", without_attention,
                  "rollout needs attention between patches, and this network has none");
    check_refusal("attnlrp", without_attention,
                  "attnlrp needs attention, and this network has none");
    check_refusal("lrp-epsilon", build,
                  "lrp-epsilon has no rule for the attention of this network, expected "
                  "lrp-transformer or attnlrp");
    check_refusal("gradcam", build,
                  "gradcam weighs the maps of a last convolution, and this network ends "
                  "with tokens, expected rollout or gradient-rollout");
    check_refusal("rollout", with_one_token,
                  "rollout: attention of 1 tokens, expected a class token and square patches of an "
                  "image of 6 x 6");
}

SUITE(attention)
{
    RUN(maps_of_attention_have_slopes);
    RUN(relevance_of_transformers_is_accounted_for);
    RUN(held_relevance_is_the_pixel_times_a_derivative);
    RUN(rollouts_are_products_of_matrices);
    RUN(images_do_not_touch_each_other);
    RUN(gates_are_constants);
    RUN(methods_say_which_networks_they_explain);
}
