/* tests/test_depthwise.c - networks with convolutions in groups: MobileNetV2, EfficientNet, ResNeXt
 * and the two-group AlexNet. What can be read of them, numbers of published code, what goes wrong.
 * Equality with another implementation is in test_parity.c. */
#include "test.h"

#include "drawn_network.h"
#include "program.h"
#include "published.h"
#include "../models/models.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 64, IMAGE = 3 * SIDE * SIDE, CLASSES = 10 };

/* ---- published numbers ----------------------------------------------------------------------- */

static const char published[] = "reference/mobilenet_v2_thin.npz";

// Two images, one layer, against an array of the archive.
static void layer_is_published(WeightBlob *blob, const double *pixels, const char *layer,
                               const char *array, bool keep_norms)
{
    Error          error   = {0};
    LayerRunner    runner  = {0};
    NetworkRequest request = {
        .batch = 2, .unit = -1, .layer = layer, .width = SIDE, .height = SIDE};
    request.keep_norms = keep_norms;
    if (!CHECK(layer_runner_open(&runner, blob, &request, &error))) {
        printf("  %s\n", error.message);
        return;
    }
    int64_t count = 2 * runner.units * runner.height * runner.width;
    double *want  = published_numbers(published, array, count);
    real   *maps  = memory_new((size_t)count, sizeof *maps, NULL);
    real   *in    = memory_new((size_t)2 * IMAGE, sizeof *in, NULL);
    for (int64_t i = 0; i < 2 * IMAGE; i++)
        in[i] = (real)pixels[i];
    layer_runner_run(&runner, in, 2, maps);
    double error_found = want ? published_error(maps, want, count) : 1;
    if (!CHECK(error_found < 1e-5))
        printf("  %s: %.2g\n", layer, error_found);
    memory_free(want);
    memory_free(maps);
    memory_free(in);
    layer_runner_close(&runner);
}

static void mobilenet_gives_the_published_layers(void)
{
    static const char *const layers[] = {"features.0", "features.1", "features.4", "features.11",
                                         "features.18"};
    WeightBlob *blob   = published_network("reference/mobilenet_v2_thin.pth", "--size 64");
    double     *pixels = published_numbers(published, "pixels", 2 * IMAGE);
    if (!blob || !pixels)
        SKIP("no published numbers, no python3, or the double build");
    for (int norms = 0; norms < 2; norms++) {
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
            char array[64];
            snprintf(array, sizeof array, "layer/%s", layers[i]);
            layer_is_published(blob, pixels, layers[i], array, norms);
        }
        layer_is_published(blob, pixels, "logits", "logits", norms);
    }
    memory_free(pixels);
    blob_close(blob);
}

/* ReLU6 is piecewise linear: its second derivatives are zeros, every one of them. */
static void mobilenet_gives_the_published_gradient(void)
{
    WeightBlob *blob   = published_network("reference/mobilenet_v2_thin.pth", "--size 64");
    double     *pixels = published_numbers(published, "pixels", 2 * IMAGE);
    double     *want   = published_numbers(published, "input_gradient", 2 * IMAGE);
    if (!blob || !pixels || !want)
        SKIP("no published numbers, no python3, or the double build");
    NetworkRequest request = {.batch = 2, .unit = -1, .width = SIDE, .height = SIDE};
    Network        network;
    Graph         *graph = NULL;
    Plan          *plan  = NULL;
    NodeId         slope, again;
    REQUIRE(graph_create(&graph, NULL) && network_build(graph, blob, &request, &network, NULL));
    NodeId third = op_sum(graph, op_slice(graph, network.layer, 1, 3, 1));
    graph_gradient(graph, third, &network.pixels, 1, &slope);
    graph_gradient(graph, op_dot(graph, slope, network.pixels), &network.pixels, 1, &again);
    again = op_sub(graph, again, slope); // of <slope, x> the rest is the Hessian times x
    REQUIRE(plan_create(&plan, graph, (NodeId[]){slope, again}, 2, NULL, NULL));
    for (int64_t i = 0; i < 2 * IMAGE; i++)
        plan_input(plan, network.pixels)[i] = (real)pixels[i];
    plan_run(plan);
    CHECK_CLOSE(published_error(plan_output(plan, slope), want, 2 * IMAGE), 0, 1e-5);
    for (int64_t i = 0; i < 2 * IMAGE; i++)
        if (!CHECK(plan_output(plan, again)[i] == 0))
            break;
    plan_destroy(plan);
    graph_destroy(graph);
    memory_free(pixels);
    memory_free(want);
    blob_close(blob);
}

/* ---- what can be read ------------------------------------------------------------------------ */

static WeightBlob *open_drawn(const char *name, int64_t side)
{
    const char *path  = in_folder("%s.nw", name);
    WeightBlob *blob  = NULL;
    Error       error = {0};
    if (!CHECK(drawn_network(name, side, path) && blob_open(path, &blob, &error)))
        printf("  %s\n", error.message);
    return blob;
}

static void has_layer(const char *network, int64_t side, const char *layer, LayerSize want)
{
    WeightBlob *blob = open_drawn(network, side);
    REQUIRE(blob);
    LayerRunner    runner  = {0};
    Error          error   = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .layer = layer};
    if (CHECK(layer_runner_open(&runner, blob, &request, &error)))
        CHECK(memcmp(&runner.sizes[0], &want, sizeof want) == 0);
    else
        printf("  %s\n", error.message);
    layer_runner_close(&runner);
    blob_close(blob);
}

static void layers_have_their_published_names(void)
{
    has_layer("mobilenet_v2", SIDE, "features.0", (LayerSize){8, 32, 32});
    has_layer("mobilenet_v2", SIDE, "features.2.conv.0", (LayerSize){48, 32, 32});
    has_layer("mobilenet_v2", SIDE, "features.2.conv.1", (LayerSize){48, 16, 16});
    has_layer("mobilenet_v2", SIDE, "features.18", (LayerSize){1280, 2, 2});
    has_layer("efficientnet_b0", SIDE, "features.3", (LayerSize){16, 8, 8});
    has_layer("efficientnet_b0", SIDE, "features.3.1", (LayerSize){16, 8, 8});
    has_layer("efficientnet_b0", SIDE, "logits", (LayerSize){CLASSES, 1, 1});
    has_layer("resnext50_32x4d", SIDE, "layer3", (LayerSize){1024, 4, 4});
    has_layer("alexnet_groups", 227, "conv5", (LayerSize){10, 13, 13});
    has_layer("alexnet_groups", 227, "fc7", (LayerSize){16, 1, 1});
}

/* One unit computes no other channel of its filter, and has the bits of the layer. */
static void a_unit_has_the_bits_of_its_layer(void)
{
    static const char *const cases[][2] = {{"mobilenet_v2", "features.5.conv.1"},
                                           {"mobilenet_v2", "features.12"},
                                           {"efficientnet_b0", "features.4"},
                                           {"resnext50_32x4d", "layer2.1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WeightBlob *blob = open_drawn(cases[i][0], SIDE);
        REQUIRE(blob);
        LayerRunner    all = {0}, one = {0};
        NetworkRequest request = {.batch = 1, .unit = -1, .layer = cases[i][1]};
        REQUIRE(layer_runner_open(&all, blob, &request, NULL));
        request.unit = all.units / 2;
        REQUIRE(layer_runner_open(&one, blob, &request, NULL));
        size_t plane  = (size_t)(all.height * all.width);
        real  *pixels = memory_new(IMAGE, sizeof(real), NULL);
        real  *maps   = memory_new((size_t)all.units * plane, sizeof(real), NULL);
        real  *single = memory_new(plane, sizeof(real), NULL);
        Random random = random_stream(test_seed(), "pixels");
        for (int64_t at = 0; at < IMAGE; at++)
            pixels[at] = (real)random_unit(random_word(&random));
        layer_runner_run(&all, pixels, 1, maps);
        layer_runner_run(&one, pixels, 1, single);
        if (!CHECK(memcmp(maps + (size_t)request.unit * plane, single, plane * sizeof(real)) == 0))
            printf("  %s %s\n", cases[i][0], cases[i][1]);
        memory_free(pixels);
        memory_free(maps);
        memory_free(single);
        layer_runner_close(&all);
        layer_runner_close(&one);
        blob_close(blob);
    }
}

/* A depthwise network sees a window; squeeze-and-excitation the whole picture. */
static void gates_have_no_receptive_field(void)
{
    static const struct {
        const char *network, *layer;
        bool        is_local;
    } cases[] = {{"mobilenet_v2", "features.4", true},
                 {"efficientnet_b0", "features.0", true},
                 {"efficientnet_b0", "features.1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WeightBlob *blob  = open_drawn(cases[i].network, SIDE);
        Graph      *graph = NULL;
        Network     network;
        Field       field[2];
        REQUIRE(blob && graph_create(&graph, NULL));
        NetworkRequest request = {.batch = 1, .unit = -1, .layer = cases[i].layer};
        REQUIRE(network_build(graph, blob, &request, &network, NULL));
        CHECK(graph_field(graph, network.pixels, network.layer, field) == cases[i].is_local);
        graph_destroy(graph);
        blob_close(blob);
    }
}

/* ---- local response normalisation ------------------------------------------------------------ */

static void responses_are_normalised_across_channels(void)
{
    enum { CHANNELS = 7, PLACES = 6 };
    Graph *graph = NULL;
    Plan  *plan  = NULL;
    REQUIRE(graph_create(&graph, NULL));
    NodeId x = op_input(graph, shape_4d(1, CHANNELS, 2, 3), "x");
    NodeId y = op_response_norm(graph, x, 5, (real)0.5, (real)0.75, 2);
    REQUIRE(plan_create(&plan, graph, &y, 1, NULL, NULL));
    real  *in     = plan_input(plan, x);
    Random random = random_stream(test_seed(), "responses");
    for (int i = 0; i < CHANNELS * PLACES; i++)
        in[i] = (real)random_unit(random_word(&random)) * 4 - 2;
    plan_run(plan);
    for (int c = 0; c < CHANNELS; c++)
        for (int i = 0; i < PLACES; i++) {
            double sum = 0;
            for (int d = c - 2; d <= c + 2; d++)
                sum += d < 0 || d >= CHANNELS ? 0 : pow((double)in[d * PLACES + i], 2);
            CHECK_CLOSE((double)plan_output(plan, y)[c * PLACES + i],
                        (double)in[c * PLACES + i] / pow(2 + 0.1 * sum, 0.75), 1e-6);
        }
    plan_destroy(plan);
    graph_destroy(graph);
}

/* ---- the epsilon of norms -------------------------------------------------------------------- */

static bool logits_with(const char *epsilon, bool keep_norms, real *logits)
{
    const char *path   = in_folder("epsilon.nw");
    WeightBlob *blob   = NULL;
    LayerRunner runner = {0};
    Error       error  = {0};
    real       *pixels = memory_new(IMAGE, sizeof(real), NULL);
    for (int64_t i = 0; i < IMAGE; i++)
        pixels[i] = (real)0.5;
    NetworkRequest request = {.batch = 1, .unit = -1, .keep_norms = keep_norms};
    bool           ok =
        drawn_network_with("mobilenet_v2", SIDE, epsilon ? "bn_epsilon" : NULL, epsilon, path) &&
        blob_open(path, &blob, &error) && layer_runner_open(&runner, blob, &request, &error);
    if (ok)
        layer_runner_run(&runner, pixels, 1, logits);
    layer_runner_close(&runner);
    blob_close(blob);
    memory_free(pixels);
    return ok;
}

static void norms_have_the_epsilon_of_their_blob(void)
{
    real plain[CLASSES], same[CLASSES], larger[CLASSES], kept[CLASSES];
    REQUIRE(logits_with(NULL, false, plain) && logits_with("0.00001", false, same) &&
            logits_with("0.1", false, larger) && logits_with("0.1", true, kept));
    CHECK(memcmp(plain, same, sizeof plain) == 0);
    for (int i = 0; i < CLASSES; i++) {
        CHECK(fabs((double)larger[i] - (double)plain[i]) > 1e-4);
        CHECK_CLOSE((double)kept[i], (double)larger[i], 1e-4);
    }
    CHECK(!logits_with("-1", false, plain) && !logits_with("none", false, plain));
}

SUITE(depthwise)
{
    RUN(mobilenet_gives_the_published_layers);
    RUN(mobilenet_gives_the_published_gradient);
    RUN(layers_have_their_published_names);
    RUN(a_unit_has_the_bits_of_its_layer);
    RUN(gates_have_no_receptive_field);
    RUN(responses_are_normalised_across_channels);
    RUN(norms_have_the_epsilon_of_their_blob);
}
