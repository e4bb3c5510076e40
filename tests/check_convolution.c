/* tests/check_convolution.c - the convolution triangle against plain loops in double, on every
 * instruction set; the plan against itself without fusion, without reuse and with other threads. */
#include "convolution_shapes.h"
#include "test.h"
#include "../base/cores.h"
#include "../base/parallel.h"
#include "../engine/conv_method.h"
#include "../engine/plan.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void fill(real *to, int64_t count, uint64_t stream, bool whole)
{
    Random random = random_stream(test_seed() + stream, "convolution");
    for (int64_t i = 0; i < count; i++)
        to[i] = whole ? (real)((int)random_below(&random, 7) - 3)
                      : (real)random_unit(random_word(&random)) * 2 - 1;
}

/* ---- reference: the definition, and the sum of magnitudes its error bound needs -------------- */

typedef struct Sum {
    double value, magnitude;
} Sum;

static Sum forward_at(const ConvShape *s, const real *x, const real *w, int64_t n, int64_t k,
                      int64_t i, int64_t j)
{
    Sum sum = {0, 0};
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t r = 0; r < s->r && is_one_group(s, k, c); r++)
            for (int64_t q = 0; q < s->s; q++) {
                int64_t y = i * s->stride - s->pad + r, z = j * s->stride - s->pad + q;
                if (y < 0 || y >= s->h || z < 0 || z >= s->w)
                    continue;
                double term = (double)x[((n * s->c + c) * s->h + y) * s->w + z] *
                              (double)w[weight_place(s, k, c, r, q)];
                sum.value += term;
                sum.magnitude += fabs(term);
            }
    return sum;
}

static Sum input_at(const ConvShape *s, const real *gy, const real *w, int64_t n, int64_t c,
                    int64_t y, int64_t z)
{
    Sum sum = {0, 0};
    for (int64_t k = 0; k < s->k; k++)
        for (int64_t r = 0; r < s->r && is_one_group(s, k, c); r++)
            for (int64_t q = 0; q < s->s; q++) {
                int64_t i = y + s->pad - r, j = z + s->pad - q;
                if (i < 0 || j < 0 || i % s->stride || j % s->stride || i / s->stride >= s->oh ||
                    j / s->stride >= s->ow)
                    continue;
                double term =
                    (double)gy[((n * s->k + k) * s->oh + i / s->stride) * s->ow + j / s->stride] *
                    (double)w[weight_place(s, k, c, r, q)];
                sum.value += term;
                sum.magnitude += fabs(term);
            }
    return sum;
}

static Sum weight_at(const ConvShape *s, const real *x, const real *gy, int64_t k, int64_t c,
                     int64_t r, int64_t q)
{
    Sum sum = {0, 0};
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t i = 0; i < s->oh; i++)
            for (int64_t j = 0; j < s->ow; j++) {
                int64_t y = i * s->stride - s->pad + r, z = j * s->stride - s->pad + q;
                if (y < 0 || y >= s->h || z < 0 || z >= s->w)
                    continue;
                double term = (double)x[((n * s->c + c) * s->h + y) * s->w + z] *
                              (double)gy[((n * s->k + k) * s->oh + i) * s->ow + j];
                sum.value += term;
                sum.magnitude += fabs(term);
            }
    return sum;
}

/* Largest error in units of the bound's sum of magnitudes. */
static double worst(const ConvShape *s, ConvSide side, ConvMethod method, bool whole)
{
    int64_t from_count =
        side == CONV_FORWARD ? s->n * s->c * s->h * s->w : s->n * s->k * s->oh * s->ow;
    int64_t to_count =
        side == CONV_FORWARD ? s->n * s->k * s->oh * s->ow : s->n * s->c * s->h * s->w;
    int64_t w_count  = s->k * kernel_channels(s) * s->r * s->s;
    real   *from     = memory_new((size_t)from_count, sizeof(real), NULL);
    real   *to       = memory_new((size_t)to_count, sizeof(real), NULL);
    real   *w        = memory_new((size_t)w_count, sizeof(real), NULL);
    real   *prepared = memory_new(conv_prepared_size(s, side, method), sizeof(real), NULL);
    real   *scratch =
        memory_new(conv_scratch_size(s, side, method, parallel_threads()), sizeof(real), NULL);
    double most = 0;
    fill(from, from_count, 1, whole);
    fill(w, w_count, 2, whole);
    conv_prepare(s, side, method, w, prepared);
    conv_run(s, side, method, prepared, from, to, &(ConvFinish){0}, scratch);
    int64_t channels = side == CONV_FORWARD ? s->k : s->c, h = side == CONV_FORWARD ? s->oh : s->h,
            width = side == CONV_FORWARD ? s->ow : s->w;
    for (int64_t at = 0; at < to_count; at++) {
        int64_t z = at % width, y = at / width % h, c = at / (width * h) % channels,
                n    = at / (width * h * channels);
        Sum    sum   = side == CONV_FORWARD ? forward_at(s, from, w, n, c, y, z)
                                            : input_at(s, from, w, n, c, y, z);
        double error = fabs((double)to[at] - sum.value);
        if (!(error <= most * sum.magnitude))
            most = sum.magnitude > 0 ? error / sum.magnitude : 1e9;
    }
    memory_free(from);
    memory_free(to);
    memory_free(w);
    memory_free(prepared);
    memory_free(scratch);
    return most;
}

static double epsilon(void)
{
    return sizeof(real) == sizeof(float) ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* Small integers make every sum exact in any order, so the direct path must be exact. */
static void direct_is_exact_on_integers(void)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (ConvSide side = CONV_FORWARD; side <= CONV_INPUT_GRADIENT; side++) {
            ConvShape s = completed(shapes[i]);
            if (!CHECK(worst(&s, side, CONV_DIRECT, true) == 0))
                printf("  shape %zu, side %d\n", i, (int)side);
        }
}

static void direct_is_within_its_bound(void)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (ConvSide side = CONV_FORWARD; side <= CONV_INPUT_GRADIENT; side++) {
            ConvShape s     = completed(shapes[i]);
            double    depth = (double)((side == CONV_FORWARD ? s.c : s.k) / s.groups * s.r * s.s);
            CHECK_CLOSE(worst(&s, side, CONV_DIRECT, false), 0, (depth + 4) * epsilon());
        }
}

/* The transforms mix a tile, so their error is relative to the tile and not to one sum: 3e-5 of the
 * magnitudes in float (measured: below 4e-6), the same number of units in double. */
static void winograd_is_within_its_bound(void)
{
    double most = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (ConvSide side = CONV_FORWARD; side <= CONV_INPUT_GRADIENT; side++) {
            ConvShape s = completed(shapes[i]);
            if (conv_choose(CONV_WINOGRAD, &s, side) != CONV_WINOGRAD)
                continue;
            double error = worst(&s, side, CONV_WINOGRAD, false);
            CHECK_CLOSE(error, 0, 3e-5 * epsilon() / (double)FLT_EPSILON);
            most = error > most ? error : most;
        }
    printf("  largest error of Winograd: %.2g of the magnitudes\n", most);
}

/* Largest error of the weight gradient in units of its sum of magnitudes. */
static double worst_weight(const ConvShape *s, ConvMethod method, bool whole)
{
    int64_t x_count = s->n * s->c * s->h * s->w, y_count = s->n * s->k * s->oh * s->ow;
    int64_t w_count = s->k * kernel_channels(s) * s->r * s->s;
    size_t  size    = conv_weight_scratch_size(s, method, parallel_threads());
    real   *x       = memory_new((size_t)x_count, sizeof(real), NULL);
    real   *gy      = memory_new((size_t)y_count, sizeof(real), NULL);
    real   *gw      = memory_new((size_t)w_count, sizeof(real), NULL);
    real   *scratch = memory_new(size, sizeof(real), NULL);
    double  most    = 0;
    fill(x, x_count, 1, whole);
    fill(gy, y_count, 2, whole);
    memset(scratch, 0xFF, size * sizeof(real)); // NaN: nothing of it may be taken for something
    conv_weight_run(s, method, x, gy, gw, scratch);
    for (int64_t at = 0; at < w_count; at++) {
        int64_t own = kernel_channels(s), k = at / (s->s * s->r * own);
        int64_t c     = k / (s->k / s->groups) * own + at / (s->s * s->r) % own;
        Sum     sum   = weight_at(s, x, gy, k, c, at / s->s % s->r, at % s->s);
        double  error = fabs((double)gw[at] - sum.value);
        if (!(error <= most * sum.magnitude))
            most = sum.magnitude > 0 ? error / sum.magnitude : 1e9;
    }
    memory_free(x);
    memory_free(gy);
    memory_free(gw);
    memory_free(scratch);
    return most;
}

static void weight_gradient_is_exact_on_integers(void)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        ConvShape s = completed(shapes[i]);
        if (!CHECK(worst_weight(&s, CONV_DIRECT, true) == 0))
            printf("  shape %zu\n", i);
    }
}

typedef void SideRun(const ConvShape *s, ConvSide side, const real *prepared, const real *from,
                     real *to, const ConvFinish *finish, real *scratch);

static void auto_run(const ConvShape *s, ConvSide side, const real *prepared, const real *from,
                     real *to, const ConvFinish *finish, real *scratch)
{
    conv_run(s, side, conv_choose(CONV_AUTO, s, side), prepared, from, to, finish, scratch);
}

/* What `side_run` computes of a side with weights prepared for this method; the caller frees it. */
static real *computed_side(const ConvShape *s, ConvSide side, ConvMethod method, SideRun *side_run,
                           size_t scratch_size, int64_t *count)
{
    bool    is_forward = side == CONV_FORWARD;
    int64_t x_count = s->n * s->c * s->h * s->w, y_count = s->n * s->k * s->oh * s->ow;
    int64_t w_count    = s->k * kernel_channels(s) * s->r * s->s,
            from_count = is_forward ? x_count : y_count;
    *count             = is_forward ? y_count : x_count;
    real *prepared     = memory_new(conv_prepared_size(s, side, method), sizeof(real), NULL);
    real *scratch      = memory_new(scratch_size, sizeof(real), NULL);
    real *w            = memory_new((size_t)w_count, sizeof(real), NULL);
    real *from         = memory_new((size_t)from_count, sizeof(real), NULL);
    real *to           = memory_new((size_t)*count, sizeof(real), NULL);
    fill(w, w_count, 4, false);
    fill(from, from_count, 5, false);
    memset(scratch, 0xFF, scratch_size * sizeof(real)); // NaN: nothing of it may be taken
    conv_prepare(s, side, method, w, prepared);
    side_run(s, side, prepared, from, to, &(ConvFinish){.bias = w, .relu = true}, scratch);
    memory_free(prepared);
    memory_free(scratch);
    memory_free(w);
    memory_free(from);
    return to;
}

/* The same on a machine with these caches, by what conv.c chooses. */
static real *side_with_caches(const ConvShape *s, ConvSide side, CacheSizes caches, int64_t *count)
{
    ConvMethod method = conv_choose(CONV_AUTO, s, side);
    cores_set_caches(caches);
    return computed_side(s, side, method, auto_run,
                         conv_scratch_size(s, side, method, parallel_threads()), count);
}

/* Columns read in the copy of a band, and columns packed tap by tap. */
static void bands_have_the_bits_of_panels(void)
{
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        ConvShape s     = completed(shapes[i / 2]);
        ConvSide  side  = i % 2 ? CONV_INPUT_GRADIENT : CONV_FORWARD;
        int64_t   count = 0;
        if (s.stride > 2 || s.groups > 1 || image_fits(&s, side))
            continue;
        size_t direct = direct_scratch_size(&s, side, parallel_threads());
        size_t bands  = bands_scratch_size(&s, side, parallel_threads());
        real  *want   = computed_side(&s, side, CONV_DIRECT, direct_run, direct, &count);
        real  *found  = computed_side(&s, side, CONV_DIRECT, bands_run, bands, &count);
        if (!CHECK(memcmp(found, want, (size_t)count * sizeof(real)) == 0))
            printf("  shape %zu, side %d\n", i / 2, (int)side);
        memory_free(want);
        memory_free(found);
    }
}

/* Few and many columns and rows; 32x32 planes are whole pages apart. */
static void caches_change_no_bit(void)
{
    static const ConvShape cases[] = {
        {2, 40, 33, 34, 72, 1, 1, 33, 34, 1, 0, 1},   {1, 300, 7, 7, 136, 1, 1, 7, 7, 1, 0, 1},
        {1, 24, 32, 32, 40, 1, 1, 32, 32, 1, 0, 1},   {3, 40, 15, 14, 72, 1, 1, 8, 7, 2, 0, 1},
        {2, 30, 21, 20, 70, 3, 3, 11, 10, 2, 1, 1},   {1, 2, 150, 161, 2, 5, 5, 75, 81, 2, 2, 2},
        {1, 4, 160, 161, 4, 3, 3, 160, 161, 1, 1, 4}, {2, 48, 30, 30, 80, 3, 3, 30, 30, 1, 1, 1},
        {1, 100, 7, 7, 100, 3, 3, 7, 7, 1, 1, 1},     {2, 16, 12, 13, 9, 5, 5, 12, 13, 1, 2, 1}};
    static const CacheSizes machines[] = {
        {64 << 10, 64 << 10}, {256 << 10, 8 << 20}, {1 << 20, 32 << 20}, {16 << 20, 1 << 30}};
    CacheSizes own = cores_caches();
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        int64_t  count = 0;
        ConvSide side  = i % 2 ? CONV_INPUT_GRADIENT : CONV_FORWARD;
        real    *want  = side_with_caches(&cases[i / 2], side, machines[0], &count);
        for (size_t m = 1; m < sizeof machines / sizeof *machines; m++) {
            real *found = side_with_caches(&cases[i / 2], side, machines[m], &count);
            if (!CHECK(memcmp(found, want, (size_t)count * sizeof(real)) == 0))
                printf("  shape %zu, side %d, machine %zu\n", i / 2, (int)side, m);
            memory_free(found);
        }
        memory_free(want);
    }
    cores_set_caches(own);
}

/* The bound of winograd_is_within_its_bound: it is the same form of the same three arrays. */
static void weight_gradient_by_winograd_is_within_its_bound(void)
{
    double most = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        ConvShape s = completed(shapes[i]);
        if (conv_choose(CONV_WINOGRAD, &s, CONV_WEIGHT_GRADIENT) != CONV_WINOGRAD)
            continue;
        double error = worst_weight(&s, CONV_WINOGRAD, false);
        if (!CHECK(error <= 3e-5 * epsilon() / (double)FLT_EPSILON))
            printf("  shape %zu: %.2g\n", i, error);
        most = error > most ? error : most;
    }
    printf("  largest error of weight gradients by Winograd: %.2g of the magnitudes\n", most);
}

/* ---- plans ----------------------------------------------------------------------------------- */

typedef struct Built {
    Graph *graph;
    NodeId image, outputs[3];
    real  *weights[4];
} Built;

/* conv-bias-relu, pool, residual block, gradient: everything the plan fuses and reuses. */
static void build(Built *b, int64_t batch)
{
    static const int64_t counts[4] = {24 * 3 * 9, 24, 24 * 24 * 9, 24};
    graph_create(&b->graph, NULL);
    Graph *g = b->graph;
    for (int i = 0; i < 4; i++) {
        b->weights[i] = memory_new((size_t)counts[i], sizeof(real), NULL);
        fill(b->weights[i], counts[i], 10 + (uint64_t)i, false);
    }
    NodeId w1 = op_parameter(g, shape_4d(24, 3, 3, 3), b->weights[0]);
    NodeId b1 = op_parameter(g, shape_1d(24), b->weights[1]);
    NodeId w2 = op_parameter(g, shape_4d(24, 24, 3, 3), b->weights[2]);
    NodeId b2 = op_parameter(g, shape_1d(24), b->weights[3]);
    b->image  = op_input(g, shape_4d(batch, 3, 20, 22), "image");
    NodeId x  = op_relu(g, op_bias(g, op_conv2d(g, b->image, w1, 1, 1), b1));
    x         = op_maxpool(g, x, 2, 2, 0);
    NodeId y  = op_bias(g, op_conv2d(g, x, w2, 1, 1), b2);
    y         = op_clamp(g, op_add(g, y, x), 2);
    graph_name(g, y, "block");
    NodeId one    = op_channel(g, y, 5);
    NodeId last   = op_conv2d(g, y, w2, 1, 1);
    NodeId square = op_dot(g, last, last);
    graph_gradient(g, square, &b->image, 1, &b->outputs[0]);
    b->outputs[1] = y;
    b->outputs[2] = one;
}

static void unbuild(Built *b)
{
    graph_destroy(b->graph);
    for (int i = 0; i < 4; i++)
        memory_free(b->weights[i]);
}

/* Runs with the given options and threads; returns the concatenated outputs. */
static real *run(int64_t batch, const PlanOptions *options, int threads, int64_t *count)
{
    Built b;
    Plan *plan  = NULL;
    Error error = {0};
    build(&b, batch);
    parallel_set_threads(threads);
    real *all = NULL;
    if (!CHECK(plan_create(&plan, b.graph, b.outputs, 3, options, &error)))
        printf("  %s\n", error.message);
    else {
        fill(plan_input(plan, b.image), batch * 3 * 20 * 22, 3, false);
        plan_run(plan);
        plan_run(plan); // a second run must not see the first
        *count = 0;
        for (int i = 0; i < 3; i++)
            *count += shape_elements(graph_shape(b.graph, b.outputs[i]));
        all        = memory_new((size_t)*count, sizeof(real), NULL);
        int64_t at = 0;
        for (int i = 0; i < 3; i++) {
            int64_t size = shape_elements(graph_shape(b.graph, b.outputs[i]));
            memcpy(all + at, plan_output(plan, b.outputs[i]), (size_t)size * sizeof(real));
            at += size;
        }
    }
    plan_destroy(plan);
    unbuild(&b);
    parallel_set_threads(0);
    return all;
}

static void plans_agree_bit_for_bit(void)
{
    int64_t     count      = 0;
    PlanOptions variants[] = {
        {.no_fuse = true}, {.no_reuse = true}, {.no_fuse = true, .no_reuse = true}};
    real *wanted = run(3, NULL, 1, &count);
    REQUIRE(wanted);
    for (int i = 0; i < 3; i++) {
        real *found = run(3, &variants[i], 1, &count);
        CHECK(found && !memcmp(found, wanted, (size_t)count * sizeof(real)));
        memory_free(found);
    }
    for (int threads = 2; threads <= 8; threads += 3) {
        real *found = run(3, NULL, threads, &count);
        CHECK(found && !memcmp(found, wanted, (size_t)count * sizeof(real)));
        memory_free(found);
    }
    memory_free(wanted);
}

/* A unit of a depthwise or grouped convolution, and of what stands behind one. */
static void a_unit_of_a_group_has_the_bits_of_the_layer(void)
{
    static const struct {
        int64_t groups, stride;
        int     side;
    } cases[] = {{48, 1, 3}, {48, 2, 3}, {48, 1, 5}, {48, 2, 5}, {48, 3, 3}, {2, 1, 3}, {16, 1, 3}};
    static const ConvMethod methods[] = {CONV_AUTO, CONV_DIRECT, CONV_WINOGRAD};
    enum { CHANNELS = 48, UNIT = 31 };
    for (size_t i = 0; i < 3 * sizeof cases / sizeof *cases; i++) {
        Graph *g    = NULL;
        Plan  *plan = NULL;
        real   w1[CHANNELS * 5], w2[CHANNELS * 24 * 25], bias[CHANNELS];
        int    side = cases[i / 3].side;
        fill(w1, CHANNELS * 5, 20, false);
        fill(w2, CHANNELS * 24 * 25, 21, false);
        fill(bias, CHANNELS, 22, false);
        REQUIRE(graph_create(&g, NULL));
        Shape  kernel = shape_4d(CHANNELS, CHANNELS / cases[i / 3].groups, side, side);
        NodeId image  = op_input(g, shape_4d(2, 5, 19, 23), "image");
        NodeId b      = op_parameter(g, shape_1d(CHANNELS), bias);
        NodeId x      = op_conv2d(g, image, op_parameter(g, shape_4d(CHANNELS, 5, 1, 1), w1), 1, 0);
        x             = op_relu(g, op_bias(g, x, b));
        x        = op_conv2d(g, x, op_parameter(g, kernel, w2), (int)cases[i / 3].stride, side / 2);
        NodeId y = op_relu(g, op_bias(g, x, b));
        NodeId both[2] = {y, op_channel(g, y, UNIT)};
        REQUIRE(plan_create(&plan, g, both, 2, &(PlanOptions){.conv = methods[i % 3]}, NULL));
        fill(plan_input(plan, image), 2 * 5 * 19 * 23, 23, false);
        plan_run(plan);
        Shape   shape = graph_shape(g, y);
        int64_t plane = shape.dim[2] * shape.dim[3];
        for (int64_t n = 0; n < 2; n++)
            if (!CHECK(!memcmp(plan_output(plan, y) + (n * CHANNELS + UNIT) * plane,
                               plan_output(plan, both[1]) + n * plane,
                               (size_t)plane * sizeof(real))))
                printf("  case %zu, method %zu\n", i / 3, i % 3);
        plan_destroy(plan);
        graph_destroy(g);
    }
}

/* One unit alone, and any batch, give the bits of the whole layer. */
static void channel_and_batch_change_no_bit(void)
{
    int64_t count3 = 0, count1 = 0;
    real   *three = run(3, NULL, 2, &count3), *one = run(1, NULL, 2, &count1);
    REQUIRE(three && one);
    int64_t     plane = 10 * 11, image = 3 * 20 * 22, layer = 24 * plane;
    const real *block = three + 3 * image, *channel = block + 3 * layer;
    for (int64_t n = 0; n < 3; n++)
        CHECK(!memcmp(block + n * layer + 5 * plane, channel + n * plane,
                      (size_t)plane * sizeof(real)));
    CHECK(!memcmp(one + image, block, (size_t)layer * sizeof(real))); // same first image
    memory_free(three);
    memory_free(one);
}

/* The same kernels, on as many channels as they read and on twice as many. */
static void weights_are_laid_out_for_their_groups(void)
{
    enum { PLANE = 6 * 6, CHANNELS = 8 };
    Graph *g    = NULL;
    Plan  *plan = NULL;
    real   w[CHANNELS * CHANNELS * 9];
    fill(w, CHANNELS * CHANNELS * 9, 30, false);
    REQUIRE(graph_create(&g, NULL));
    NodeId x      = op_input(g, shape_4d(1, 2 * CHANNELS, 6, 6), "x");
    NodeId kernel = op_parameter(g, shape_4d(CHANNELS, CHANNELS, 3, 3), w);
    NodeId first  = op_slice(g, x, 1, 0, CHANNELS);
    NodeId dense = op_conv2d(g, first, kernel, 1, 1), grouped = op_conv2d(g, x, kernel, 1, 1);
    REQUIRE(plan_create(&plan, g, (NodeId[]){dense, grouped}, 2, NULL, NULL));
    fill(plan_input(plan, x), 2 * CHANNELS * PLANE, 31, false);
    plan_run(plan);
    CHECK(!memcmp(plan_output(plan, dense), plan_output(plan, grouped),
                  CHANNELS / 2 * PLANE * sizeof(real)));
    plan_destroy(plan);
    graph_destroy(g);
}

/* Convolutions of a gradient's gradient follow no max-pool: those of the forward pass alone are
 * direct. */
static void only_forward_passes_are_even(void)
{
    Graph *g      = NULL;
    Plan  *plan   = NULL;
    int    direct = 0, fast = 0;
    NodeId slope, again;
    REQUIRE(graph_create(&g, NULL));
    NodeId x = op_input(g, shape_4d(1, 16, 8, 8), "x"),
           w = op_input(g, shape_4d(16, 16, 3, 3), "w");
    NodeId y =
        op_softplus(g, op_conv2d(g, op_softplus(g, op_conv2d(g, x, w, 1, 1), 1), w, 1, 1), 1);
    graph_gradient(g, op_dot(g, y, y), &x, 1, &slope);
    graph_gradient(g, op_dot(g, slope, slope), &x, 1, &again);
    REQUIRE(plan_create(&plan, g, &again, 1, &(PlanOptions){.even_forward = true}, NULL));
    for (int32_t i = 0; i < plan_step_count(plan); i++) {
        StepReport report = plan_step_report(plan, i);
        bool       conv   = strncmp(report.text, "conv2d", 6) == 0;
        fast += conv && strstr(report.text, " winograd");
        direct += conv && !strstr(report.text, " winograd");
    }
    CHECK(direct == (sizeof(real) == sizeof(float) ? 2 : 8) && direct + fast == 8);
    plan_destroy(plan);
    graph_destroy(g);
}

static void graphs_say_what_does_not_fit(void)
{
    Graph *g     = NULL;
    Error  error = {0};
    REQUIRE(graph_create(&g, NULL));
    NodeId x = op_input(g, shape_4d(1, 3, 8, 8), "x"), w = op_input(g, shape_4d(4, 5, 3, 3), "w");
    CHECK(op_conv2d(g, x, w, 1, 1) == NODE_NONE);
    CHECK(op_relu(g, x) == NODE_NONE); // sticky
    CHECK(!graph_check(g, &error) && error.code == ERROR_DATA);
    CHECK_TEXT(error.message,
               "convolution: image 1x3x8x8 and kernel 4x5x3x3 do not fit (stride 1, pad 1)");
    graph_destroy(g);
    REQUIRE(graph_create(&g, NULL));
    CHECK(op_input(g, shape_4d(INT32_MAX, INT32_MAX, INT32_MAX, 2), "huge") == NODE_NONE);
    graph_destroy(g);
}

static void plans_survive_failing_allocations(void)
{
    int64_t before = memory_live_blocks();
    bool    done   = false;
    for (int n = 1; n < 100 && !done; n++) {
        Built b;
        Plan *plan  = NULL;
        Error error = {0};
        build(&b, 1);
        memory_fail_at(n, false);
        done = plan_create(&plan, b.graph, b.outputs, 3, NULL, &error);
        memory_fail_at(0, false);
        CHECK(done || (error.code == ERROR_MEMORY && error.message[0]));
        plan_destroy(plan);
        unbuild(&b);
        CHECK(memory_live_blocks() == before);
    }
    CHECK(done);
}

SUITE(convolution)
{
    RUN(direct_is_exact_on_integers);
    RUN(direct_is_within_its_bound);
    RUN(winograd_is_within_its_bound);
    RUN(weight_gradient_is_exact_on_integers);
    RUN(bands_have_the_bits_of_panels);
    RUN(caches_change_no_bit);
    RUN(weight_gradient_by_winograd_is_within_its_bound);
    RUN(plans_agree_bit_for_bit);
    RUN(channel_and_batch_change_no_bit);
    RUN(a_unit_of_a_group_has_the_bits_of_the_layer);
    RUN(weights_are_laid_out_for_their_groups);
    RUN(only_forward_passes_are_even);
    RUN(graphs_say_what_does_not_fit);
    RUN(plans_survive_failing_allocations);
}
