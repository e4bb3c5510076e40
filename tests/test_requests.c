/* tests/test_requests.c - what can be asked of a network besides one layer with its own weights. */
#include "blob_builder.h"
#include "drawn_network.h"
#include "test.h"
#include "../base/file.h"
#include "../models/models.h"

#include <stdio.h>
#include <string.h>

/* resnet20 of drawn weights for pictures of SIDE x SIDE. */
enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE };

static WeightBlob *resnet20(void)
{
    char        path[1200];
    WeightBlob *blob = NULL;
    snprintf(path, sizeof path, "%s/resnet20.nw", test_folder());
    CHECK(drawn_network("resnet20", SIDE, path) && blob_open(path, &blob, NULL));
    return blob;
}

static void draw_pixels(real *pixels, int64_t count, uint64_t stream)
{
    Random random = random_stream(test_seed() + stream, "pixels");
    for (int64_t i = 0; i < count; i++)
        pixels[i] = (real)random_unit(random_word(&random));
}

/* ---- a softplus whose beta changes ----------------------------------------------------------- */

/* The logits and the gradient of the first with respect to the pixels. */
typedef struct Map {
    Graph  *graph;
    Plan   *plan;
    Network network;
    NodeId  gradient, beta;
} Map;

/* fixed: beta is built in, else it is an input of each run. */
static bool map_open(Map *map, WeightBlob *blob, real fixed)
{
    Error          error   = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .softplus_beta = fixed};
    if (!CHECK(graph_create(&map->graph, NULL)))
        return false;
    if (fixed == 0) {
        map->beta        = op_scalar_input(map->graph, 1, "beta");
        request.softplus = &map->beta;
    }
    if (!CHECK(network_build(map->graph, blob, &request, &map->network, &error)))
        return false;
    NodeId logit = op_pick(map->graph, map->network.layer, 0);
    graph_gradient(map->graph, logit, &map->network.pixels, 1, &map->gradient);
    NodeId outputs[2] = {map->network.layer, map->gradient};
    if (!CHECK(plan_create(&map->plan, map->graph, outputs, 2, NULL, &error)))
        return false;
    draw_pixels(plan_input(map->plan, map->network.pixels), PIXELS, 0);
    return true;
}

static void map_close(Map *map)
{
    plan_destroy(map->plan);
    graph_destroy(map->graph);
}

static void beta_may_change_between_runs(void)
{
    static const real betas[3] = {30, (real)0.8, 300};
    WeightBlob       *blob     = resnet20();
    Map               run      = {0};
    if (map_open(&run, blob, 0))
        for (int i = 0; i < 3; i++) {
            Map built = {0};
            if (map_open(&built, blob, betas[i])) {
                plan_set_scalar(run.plan, run.beta, betas[i]);
                plan_run(run.plan);
                plan_run(built.plan);
                CHECK(memcmp(plan_output(run.plan, run.network.layer),
                             plan_output(built.plan, built.network.layer), 10 * sizeof(real)) == 0);
                CHECK(memcmp(plan_output(run.plan, run.gradient),
                             plan_output(built.plan, built.gradient), PIXELS * sizeof(real)) == 0);
            }
            map_close(&built);
        }
    map_close(&run);
    blob_close(blob);
}

/* ---- two forward passes with one set of weights ---------------------------------------------- */

/* Sums of squared logits of up to two batches, and the gradient of their sum for every weight. */
typedef struct Passes {
    Graph     *graph;
    Plan      *plan;
    Trainables list;
    Network    network[2];
    NodeId     loss[3];        // of each pass, and the sum
    NodeId     gradients[128]; // of the sum
} Passes;

static const int64_t batches[2] = {2, 3};

/* first, count: which of the two batches. */
static bool passes_open(Passes *p, WeightBlob *blob, int first, int count)
{
    Error  error = {0};
    NodeId wrt[128], outputs[130];
    if (!CHECK(graph_create(&p->graph, NULL)))
        return false;
    p->loss[2] = op_constant(p->graph, shape_scalar(), 0);
    for (int i = first; i < first + count; i++) {
        NetworkRequest request = {.batch = batches[i], .unit = -1, .trainables = &p->list};
        if (!CHECK(network_build(p->graph, blob, &request, &p->network[i], &error)))
            return false;
        p->loss[i] = op_dot(p->graph, p->network[i].layer, p->network[i].layer);
        p->loss[2] = op_add(p->graph, p->loss[2], p->loss[i]);
    }
    int weights = p->list.weight_count;
    if (!CHECK(weights <= 128))
        return false;
    for (int i = 0; i < weights; i++)
        wrt[i] = p->list.weights[i].node;
    graph_gradient(p->graph, p->loss[2], wrt, weights, p->gradients);
    memcpy(outputs, p->gradients, (size_t)weights * sizeof *outputs);
    for (int i = 0; i < count; i++)
        outputs[weights + i] = p->loss[first + i];
    if (!CHECK(plan_create(&p->plan, p->graph, outputs, weights + count, NULL, &error)))
        return false;
    for (int i = first; i < first + count; i++)
        draw_pixels(plan_input(p->plan, p->network[i].pixels), batches[i] * PIXELS, (uint64_t)i);
    for (int i = 0; i < weights; i++)
        memcpy(plan_input(p->plan, wrt[i]), p->list.weights[i].initial,
               (size_t)shape_elements(p->list.weights[i].shape) * sizeof(real));
    plan_run(p->plan);
    return true;
}

static void passes_close(Passes *p)
{
    plan_destroy(p->plan);
    graph_destroy(p->graph);
    trainables_close(&p->list);
}

static void the_gradient_of_two_passes_is_the_sum(void)
{
    WeightBlob *blob = resnet20();
    Passes      both = {0}, one[2] = {{0}, {0}};
    if (passes_open(&both, blob, 0, 2) && passes_open(&one[0], blob, 0, 1) &&
        passes_open(&one[1], blob, 1, 1)) {
        CHECK(both.list.weight_count == one[0].list.weight_count);
        CHECK(both.list.norm_count == 2 * one[0].list.norm_count && both.list.forward_count == 2);
        CHECK(both.list.norms[both.list.norm_count - 1].forward == 1);
        for (int i = 0; i < 2; i++)
            CHECK(*plan_output(both.plan, both.loss[i]) ==
                  *plan_output(one[i].plan, one[i].loss[i]));
        for (int w = 0; w < both.list.weight_count; w++) {
            const real *sum = plan_output(both.plan, both.gradients[w]);
            const real *a   = plan_output(one[0].plan, one[0].gradients[w]);
            const real *b   = plan_output(one[1].plan, one[1].gradients[w]);
            int64_t     n   = shape_elements(both.list.weights[w].shape);
            for (int64_t i = 0; i < n; i++)
                if (!CHECK(sum[i] == a[i] + b[i] || sum[i] == b[i] + a[i]))
                    break;
        }
    }
    passes_close(&both);
    passes_close(&one[0]);
    passes_close(&one[1]);
    blob_close(blob);
}

static void lists_do_not_mix_graphs(void)
{
    WeightBlob    *blob    = resnet20();
    Graph         *other   = NULL;
    Network        network = {0};
    Error          error   = {0};
    Passes         p       = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .trainables = &p.list};
    if (passes_open(&p, blob, 0, 1) && CHECK(graph_create(&other, NULL)))
        CHECK(!network_build(other, blob, &request, &network, &error) &&
              strstr(error.message, "are to join those of another network"));
    graph_destroy(other);
    passes_close(&p);
    blob_close(blob);
}

/* A plan of one or two forward passes with constant weights; the second reads the same pixels. */
static size_t bytes_of_passes(WeightBlob *blob, int count, real *logits)
{
    Graph  *graph = NULL;
    Plan   *plan  = NULL;
    Network network[2];
    NodeId  outputs[2];
    size_t  bytes = 0;
    CHECK(graph_create(&graph, NULL));
    for (int i = 0; i < count; i++) {
        NetworkRequest request = {.batch         = 1,
                                  .unit          = -1,
                                  .softplus_beta = i ? 5 : 0,
                                  .pixels        = i ? &network[0].pixels : NULL};
        CHECK(network_build(graph, blob, &request, &network[i], NULL));
        outputs[i] = network[i].layer;
    }
    if (CHECK(plan_create(&plan, graph, outputs, count, NULL, NULL))) {
        draw_pixels(plan_input(plan, network[0].pixels), PIXELS, 0);
        plan_run(plan);
        for (int i = 0; i < count; i++)
            memcpy(logits + 10 * i, plan_output(plan, outputs[i]), 10 * sizeof(real));
        bytes = plan_bytes(plan);
    }
    plan_destroy(plan);
    graph_destroy(graph);
    return bytes;
}

static void constant_weights_are_held_once(void)
{
    WeightBlob *blob = resnet20();
    real        one[20], two[20];
    size_t      single = bytes_of_passes(blob, 1, one), both = bytes_of_passes(blob, 2, two);
    CHECK(both >= single && both - single < 16384); // of about two million
    CHECK(memcmp(one, two, 10 * sizeof(real)) == 0 &&
          memcmp(two, two + 10, 10 * sizeof(real)) != 0);
    blob_close(blob);
}

static void pixels_of_another_size_are_refused(void)
{
    WeightBlob    *blob    = resnet20();
    Graph         *graph   = NULL;
    Network        network = {0};
    Error          error   = {0};
    NodeId         pixels  = NODE_NONE;
    NetworkRequest request = {.batch = 2, .unit = -1, .pixels = &pixels};
    if (CHECK(graph_create(&graph, NULL))) {
        pixels = op_input(graph, shape_4d(1, 3, SIDE, SIDE), "pixels");
        CHECK(!network_build(graph, blob, &request, &network, &error));
        CHECK(error.code == ERROR_USAGE &&
              strstr(error.message, "takes pixels of 2x3x16x16, found 1x3x16x16"));
    }
    graph_destroy(graph);
    blob_close(blob);
}

/* ---- several layers of one pass -------------------------------------------------------------- */

/* vgg11 of four convolutions. */
static WeightBlob *small_vgg(void)
{
    static const struct {
        const char *weight, *bias;
        int64_t     inputs;
    } convs[4] = {{"features.0.weight", "features.0.bias", 3},
                  {"features.3.weight", "features.3.bias", 20},
                  {"features.6.weight", "features.6.bias", 20},
                  {"features.8.weight", "features.8.bias", 20}};
    char         path[1200];
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = blob_builder_new("vgg11", SIDE, SIDE);
    for (int i = 0; i < 4; i++) { // 20 channels: enough for Winograd
        Shape shape = shape_4d(20, convs[i].inputs, 3, 3);
        blob_builder_random(builder, convs[i].weight, shape, 1, 0, 0.2f);
        blob_builder_random(builder, convs[i].bias, shape_1d(20), 1, 0, 0.2f);
    }
    snprintf(path, sizeof path, "%s/vgg.nw", test_folder());
    CHECK(blob_builder_save(builder, path, NULL) && blob_open(path, &blob, NULL));
    blob_builder_free(builder);
    return blob;
}

enum { MANY = 2, ROOM = MANY * 20 * SIDE * SIDE };

/* Runs the layers together, then one by one; the same bits. */
static void check_layers(WeightBlob *blob, const char *const *names, int count)
{
    static real    maps[NETWORK_LAYERS][ROOM], alone[ROOM];
    real          *all[NETWORK_LAYERS];
    real           pixels[MANY * PIXELS];
    LayerRunner    together = {0};
    Error          error    = {0};
    NetworkRequest request  = {.batch = MANY, .unit = -1, .layers = names, .layer_count = count};
    draw_pixels(pixels, MANY * PIXELS, 0);
    if (!CHECK(layer_runner_open(&together, blob, &request, &error)))
        printf("  %s\n", error.message);
    for (int i = 0; i < count; i++)
        all[i] = maps[i];
    layer_runner_run_all(&together, pixels, MANY, all);
    for (int i = 0; i < count; i++) {
        LayerRunner    runner = {0};
        LayerSize      size   = together.sizes[i];
        NetworkRequest single = {.batch = MANY, .unit = -1, .layer = names[i]};
        if (CHECK(layer_runner_open(&runner, blob, &single, NULL))) {
            layer_runner_run(&runner, pixels, MANY, alone);
            CHECK(runner.units == size.units && runner.height == size.height &&
                  runner.width == size.width);
            size_t numbers = (size_t)(MANY * size.units * size.height * size.width);
            if (!CHECK(memcmp(alone, maps[i], numbers * sizeof(real)) == 0))
                printf("  layer %s\n", names[i]);
        }
        layer_runner_close(&runner);
    }
    layer_runner_close(&together);
}

static void layers_of_a_vgg_come_from_one_pass(void)
{
    static const char *const names[] = {"conv3_2",    "conv1_1", "pool1", "conv2_1",
                                        "features.6", "conv1_1"}; // any order, aliases, twice
    WeightBlob              *blob    = small_vgg();
    check_layers(blob, names, 6);
    blob_close(blob);
}

static void layers_of_a_resnet_come_from_one_pass(void)
{
    static const char *const names[] = {"conv1", "bn1", "layer1", "layer2.0", "layer3", "logits"};
    WeightBlob              *blob    = resnet20();
    check_layers(blob, names, 6);
    blob_close(blob);
}

static void check_refused(WeightBlob *blob, const NetworkRequest *request, const char *message)
{
    LayerRunner runner = {0};
    Error       error  = {0};
    CHECK(!layer_runner_open(&runner, blob, request, &error));
    if (!CHECK(strstr(error.message, message)))
        printf("  %s\n", error.message);
}

static void a_layer_that_is_missing_is_named(void)
{
    static const char *const unknown[] = {"conv1_1", "conv9", "conv2_1"};
    static const char *const lacking[] = {"conv1_1", "conv4_1", "logits"};
    WeightBlob              *blob      = small_vgg();
    NetworkRequest request = {.batch = 1, .unit = -1, .layers = unknown, .layer_count = 3};
    check_refused(blob, &request, "no layer 'conv9', expected one of conv1_1, conv2_1, conv3_1");
    request.layers = lacking;
    check_refused(blob, &request, "no tensor 'features.11.weight', which layer 'conv4_1' needs");
    request.unit = 3;
    check_refused(blob, &request, "unit 3 of 3 layers, expected all units or one layer");
    request.layer_count = NETWORK_LAYERS + 1;
    check_refused(blob, &request, "33 layers at once, expected up to 32");
    blob_close(blob);
}

/* ---- a blob that says nothing about images --------------------------------------------------- */

static void a_text_network_needs_no_preparation(void)
{
    static const float numbers[2] = {1, 2};
    const BlobTensor   tensor     = {
              .name = "table", .type = BLOB_F32, .shape = shape_1d(2), .data = numbers};
    char        path[1200];
    uint8_t    *bytes = NULL;
    size_t      size  = 0;
    WeightBlob *blob  = NULL;
    snprintf(path, sizeof path, "%s/text.nw", test_folder());
    REQUIRE(blob_encode(&tensor, 1, "architecture=vgg11\n", &bytes, &size, NULL));
    if (CHECK(file_publish(path, bytes, size, NULL) && blob_open(path, &blob, NULL))) {
        NetworkRequest request = {.batch = 1, .unit = -1, .layer = "conv1_1"};
        const real    *data    = NULL;
        CHECK(blob_preparation(blob) == NULL && !blob_takes_images(blob, NULL));
        CHECK(blob_find(blob, "table", shape_1d(2), &data, NULL) && data[1] == 2);
        check_refused(blob, &request, "it does not say how images are prepared");
        request.raw_input = true;
        request.width = request.height = 16; // then it needs not know
        check_refused(blob, &request, "no tensor 'features.0.weight'");
        CHECK(network_layer_name(blob, 0) == NULL);
    }
    blob_close(blob);
    memory_free(bytes);
}

SUITE(requests)
{
    RUN(a_text_network_needs_no_preparation);
    RUN(layers_of_a_vgg_come_from_one_pass);
    RUN(layers_of_a_resnet_come_from_one_pass);
    RUN(a_layer_that_is_missing_is_named);
    RUN(the_gradient_of_two_passes_is_the_sum);
    RUN(lists_do_not_mix_graphs);
    RUN(constant_weights_are_held_once);
    RUN(pixels_of_another_size_are_refused);
    RUN(beta_may_change_between_runs);
}
