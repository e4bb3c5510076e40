/* tests/test_attribution.c - maps of every network there is: they are finite, relevance is
 * accounted for, and results do not depend on how the work is cut. */
#include "../attribution/runner.h"
#include "../attribution/similarity.h"
#include "drawn_network.h"
#include "program.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const networks[] = {
    "vgg11",           "vgg16_bn",        "resnet18",      "resnet20",    "lenet",
    "densenet121",     "squeezenet1.1",   "alexnet",       "resnet50_v2", "mobilenet_v2",
    "efficientnet_b0", "resnext50_32x4d", "alexnet_groups"};
enum { NETWORKS = sizeof networks / sizeof *networks };

// Sides that the references of tests/parity were drawn for.
static int64_t side_of(const char *name)
{
    if (strstr(name, "cifar") || !strcmp(name, "resnet20") || !strcmp(name, "lenet"))
        return 32;
    return !strcmp(name, "alexnet_groups") ? 227 : strcmp(name, "alexnet") ? 64 : 224;
}

static void draw_image(real *image, int64_t count, uint64_t seed)
{
    uint64_t key = random_key(seed, "image");
    for (int64_t i = 0; i < count; i++) {
        RandomBlock block = random_block(key, 0, (uint64_t)i / 4);
        image[i]          = (real)(4 * (double)random_unit(block.word[i % 4]) - 2);
    }
}

static bool open_network(const char *name, WeightBlob **blob)
{
    const char *path  = in_folder("%s.nw", name);
    Error       error = {0};
    bool ok = CHECK(drawn_network(name, side_of(name), path)) && blob_open(path, blob, &error);
    return CHECK(ok) || test_check_text(error.message, "", __FILE__, __LINE__);
}

/* The share of the start that is not accounted for, less what rounding may take: a millionth of
 * everything that arrived at the layer where most did. Rules whose Z may be close to zero let large
 * relevances of both signs cancel out, which floats do to that precision. */
static double conservation_error(const MapRunner *runner)
{
    double kept = runner->sum, start = runner->account[0].relevance, most = 0;
    for (int i = 0; i < runner->map.account.count; i++) {
        const AccountSums *row = &runner->account[i];
        kept += row->bias + row->stabiliser + row->dead;
        most = fmax(most, row->size);
    }
    double excess = fabs(kept - start) - 1e-6 * (most - fabs(start));
    return fmax(excess, 0) / fabs(start);
}

// Proportional shares by rules of all weights: with them relevance may leave the range of floats.
static bool may_explode(const MapMethod *method)
{
    return method->relevance &&
           (method->relevance->conv == RULE_EPSILON || method->relevance->conv == RULE_GAMMA);
}

static int64_t best_class(const MapRunner *runner)
{
    const real *logits = plan_output(runner->plan, runner->map.layer);
    int64_t     best   = 0;
    for (int64_t k = 1; k < runner->map.units; k++)
        best = logits[k] > logits[best] ? k : best;
    return best;
}

static void check_map(const char *network, WeightBlob *blob, const MapMethod *method,
                      const MapMode *mode, bool softplus)
{
    int64_t   side = side_of(network);
    MapRunner runner;
    Error     error = {0};
    MapJob    job   = {.mode     = *mode,
                       .method   = method,
                       .softplus = softplus,
                       .height   = side,
                       .width    = side,
                       .batch    = 2};
    real     *image = memory_new(3 * (size_t)(side * side), sizeof *image, NULL);
    job.mode.steps  = 3;
    draw_image(image, 3 * side * side, 1);
    if (CHECK(map_runner_open(&runner, blob, &job, &error))) {
        if (softplus)
            map_runner_beta(&runner, 10);
        map_runner_run(&runner, image, 0, 0);
        map_runner_run(&runner, image, best_class(&runner), 0);
        double size = 0;
        for (int64_t i = 0; i < runner.cells; i++)
            size += fabs((double)runner.form[i]);
        bool finite = isfinite(runner.sum) && isfinite(size) && size > 0;
        bool ok     = CHECK(finite || may_explode(method));
        if (finite && method->relevance)
            ok = CHECK_CLOSE(conservation_error(&runner), 0, 1e-3) && ok;
        if (!ok)
            printf("  %s of %s, %s, %s\n", method->name, network, mode->name,
                   softplus ? "softplus" : "ReLU");
        map_runner_close(&runner);
    } else {
        printf("  %s of %s: %s\n", method->name, network, error.message);
    }
    memory_free(image);
}

static void every_method_explains_every_network(void)
{
    for (int n = 0; n < NETWORKS; n++) {
        WeightBlob      *blob = NULL;
        const MapMethod *method;
        if (!open_network(networks[n], &blob))
            continue;
        for (int m = 0; (method = map_method_at(m)); m++)
            if (!method->needs_patterns && !map_method_needs_attention(method))
                check_map(networks[n], blob, method, map_mode_at(m % 3), m % 2);
        blob_close(blob);
    }
}

static void relevance_is_conserved_in_every_mode(void)
{
    static const char *const deep[] = {"resnet50", "densenet121", "squeezenet1.1", "resnet50_v2"};
    for (size_t n = 0; n < sizeof deep / sizeof *deep; n++) {
        WeightBlob      *blob = NULL;
        const MapMethod *method;
        if (!open_network(deep[n], &blob))
            continue;
        for (int m = 0; (method = map_method_at(m)); m++)
            for (int k = 0;
                 method->relevance && !map_method_needs_attention(method) && map_mode_at(k); k++)
                check_map(deep[n], blob, method, map_mode_at(k), false);
        blob_close(blob);
    }
}

/* The map of class 0 as `form`; beta 0: of the network as it is. */
static bool draw_map(WeightBlob *blob, const char *method, double beta, float *form)
{
    enum { PIXELS = 64 };
    MapRunner   runner;
    MapJob      job = {.mode     = *map_mode_at(0),
                       .method   = map_method_named(method),
                       .softplus = beta > 0,
                       .height   = PIXELS,
                       .width    = PIXELS,
                       .batch    = 2};
    static real image[3 * PIXELS * PIXELS];
    Error       error   = {0};
    job.mode.form.scale = MAP_SCALE_SUM;
    draw_image(image, 3 * PIXELS * PIXELS, 1);
    for (int i = 0; i < 3 * PIXELS * PIXELS; i++)
        image[i] *= 20; // beyond the bound, too
    if (!CHECK(map_runner_open(&runner, blob, &job, &error)))
        return false;
    if (beta > 0)
        map_runner_beta(&runner, beta);
    map_runner_run(&runner, image, 0, 0);
    for (int64_t i = 0; i < runner.cells; i++)
        form[i] = (float)runner.form[i];
    map_runner_close(&runner);
    return true;
}

// Smooth, it is a difference of two softpluses, whose signals have both signs.
static void maps_of_smooth_relu6_tend_to_those_of_relu6(void)
{
    static const char *const methods[] = {"gradient", "guided", "deconvnet", "lrp"};
    static float             sharp[64 * 64], smooth[64 * 64];
    WeightBlob              *blob = NULL;
    if (!open_network("mobilenet_v2", &blob))
        return;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        REQUIRE(draw_map(blob, methods[m], 0, sharp) && draw_map(blob, methods[m], 1e6, smooth));
        double alike = similarity_pcc(sharp, smooth, 64 * 64);
        if (!CHECK(alike > 0.99))
            printf("  %s: %.4f\n", methods[m], alike);
    }
    blob_close(blob);
}

SUITE(attribution)
{
    RUN(maps_of_smooth_relu6_tend_to_those_of_relu6);
    RUN(every_method_explains_every_network);
    RUN(relevance_is_conserved_in_every_mode);
}
