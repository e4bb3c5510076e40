/* tests/test_transformers.c - transformers: what can be read of them, what is refused, and numbers
 * of published code. Equality with another implementation is in test_parity.c. */
#include "test.h"

#include "drawn_network.h"
#include "program.h"
#include "published.h"
#include "../base/file.h"
#include "../models/models.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 64, PIXELS = 3 * SIDE * SIDE, WIDTH = 24, HIDDEN = 48, PATCHES = 16, CLASSES = 10 };

static WeightBlob *open_drawn(const char *name)
{
    const char *path  = in_folder("%s.nw", name);
    WeightBlob *blob  = NULL;
    Error       error = {0};
    if (!CHECK(drawn_network(name, SIDE, path) && blob_open(path, &blob, &error)))
        printf("  %s\n", error.message);
    return blob;
}

static void draw_pixels(real *pixels, int64_t count)
{
    Random random = random_stream(3, "pixels");
    for (int64_t i = 0; i < count; i++)
        pixels[i] = (real)random_unit(random_word(&random));
}

// Two images, one layer.
static bool run_layer(WeightBlob *blob, const char *layer, int64_t unit, real *maps)
{
    real           pixels[2 * PIXELS];
    LayerRunner    runner  = {0};
    Error          error   = {0};
    NetworkRequest request = {.batch = 2, .layer = layer, .unit = unit};
    draw_pixels(pixels, 2 * PIXELS);
    if (!CHECK(layer_runner_open(&runner, blob, &request, &error))) {
        printf("  %s\n", error.message);
        return false;
    }
    layer_runner_run(&runner, pixels, 2, maps);
    layer_runner_close(&runner);
    return true;
}

static void blocks_can_be_read_by_name(void)
{
    static const struct {
        const char *name;
        LayerSize   size;
    } layers[] = {{"conv_proj", {WIDTH, 4, 4}},
                  {"encoder_layer_0.heads", {WIDTH, 4, 4}},
                  {"encoder_layer_0.mlp.0", {HIDDEN, 4, 4}},
                  {"encoder_layer_0", {WIDTH, 4, 4}},
                  {"encoder.layers.encoder_layer_1", {WIDTH, 4, 4}},
                  {"encoder_layer_1:class", {WIDTH, 1, 1}},
                  {"encoder_layer_1.mlp.0:class", {HIDDEN, 1, 1}},
                  {"ln", {WIDTH, 4, 4}},
                  {"pooled", {WIDTH, 1, 1}},
                  {"logits", {CLASSES, 1, 1}}};
    enum { LAYERS = sizeof layers / sizeof *layers };
    const char *names[LAYERS];
    real        pixels[2 * PIXELS], *maps[NETWORK_LAYERS] = {NULL}, single[2 * HIDDEN * PATCHES];
    LayerRunner runner = {0};
    WeightBlob *blob   = open_drawn("vit");
    REQUIRE(blob != NULL);
    for (int i = 0; i < LAYERS; i++) {
        names[i] = layers[i].name;
        maps[i]  = memory_new(sizeof single / sizeof *single, sizeof(real), NULL);
    }
    draw_pixels(pixels, 2 * PIXELS);
    NetworkRequest request = {.batch = 2, .unit = -1, .layers = names, .layer_count = LAYERS};
    REQUIRE(layer_runner_open(&runner, blob, &request, NULL));
    layer_runner_run_all(&runner, pixels, 2, maps);
    for (int i = 0; i < LAYERS; i++) {
        LayerSize size  = runner.sizes[i];
        size_t    bytes = (size_t)(2 * size.units * size.height * size.width) * sizeof(real);
        CHECK(memcmp(&size, &layers[i].size, sizeof size) == 0);
        if (run_layer(blob, names[i], -1, single)) // the same bits alone
            CHECK(memcmp(single, maps[i], bytes) == 0);
        memory_free(maps[i]);
    }
    layer_runner_close(&runner);
    blob_close(blob);
}

static void layers_are_listed_in_order(void)
{
    static const char *const names[] = {"encoder_layer_0.heads",
                                        "encoder_layer_0.mlp.0",
                                        "encoder_layer_0",
                                        "encoder_layer_1.heads",
                                        "encoder_layer_1.mlp.0",
                                        "encoder_layer_1",
                                        "logits"};
    WeightBlob              *blob    = open_drawn("encoder");
    for (int i = 0; i < 7; i++)
        CHECK_TEXT(network_layer_name(blob, i), names[i]);
    CHECK(network_layer_name(blob, 7) == NULL);
    blob_close(blob);
}

static void one_unit_is_that_of_the_layer(void)
{
    static const struct {
        const char *name;
        int64_t     units, cells;
    } layers[]       = {{"encoder_layer_1", WIDTH, PATCHES},
                        {"encoder_layer_0.mlp.0", HIDDEN, PATCHES},
                        {"encoder_layer_1:class", WIDTH, 1}};
    WeightBlob *blob = open_drawn("vit");
    for (int i = 0; i < 3; i++) {
        real    all[2 * HIDDEN * PATCHES], one[2 * PATCHES];
        int64_t cells = layers[i].cells;
        if (!run_layer(blob, layers[i].name, -1, all) || !run_layer(blob, layers[i].name, 5, one))
            continue;
        for (int64_t k = 0; k < 2 * cells; k++)
            CHECK_CLOSE((double)one[k],
                        (double)all[(k / cells * layers[i].units + 5) * cells + k % cells], 1e-5);
    }
    blob_close(blob);
}

/* Trained weights are inputs: with the blob's numbers in them the logits are the blob's, and every
 * tensor has a gradient. */
static void weights_can_be_trained(const char *name, int tensors)
{
    Graph         *graph   = NULL;
    Plan          *plan    = NULL;
    Network        network = {0};
    Trainables     list    = {0};
    Error          error   = {0};
    WeightBlob    *blob    = open_drawn(name);
    NetworkRequest request = {.batch = 2, .unit = -1, .trainables = &list};
    real           logits[2 * CLASSES];
    NodeId         outputs[64], weights[64];
    bool           is_built = CHECK(blob && graph_create(&graph, NULL) &&
                                    network_build(graph, blob, &request, &network, &error));
    CHECK(list.weight_count == tensors);
    for (int i = 0; is_built && i < tensors; i++)
        weights[i] = list.weights[i].node;
    if (is_built && run_layer(blob, NULL, -1, logits)) {
        NodeId loss = op_dot(graph, network.layer, network.layer);
        graph_gradient(graph, loss, weights, tensors, outputs);
        outputs[tensors] = network.layer;
        is_built         = CHECK(plan_create(&plan, graph, outputs, tensors + 1, NULL, &error));
    }
    if (plan) {
        draw_pixels(plan_input(plan, network.pixels), 2 * PIXELS);
        for (int i = 0; i < tensors; i++)
            memcpy(plan_input(plan, weights[i]), list.weights[i].initial,
                   (size_t)shape_elements(list.weights[i].shape) * sizeof(real));
        plan_run(plan);
        for (int i = 0; i < 2 * CLASSES; i++)
            CHECK_CLOSE((double)plan_output(plan, network.layer)[i], (double)logits[i], 1e-5);
        for (int i = 0; i < tensors; i++) {
            const real *gradient = plan_output(plan, outputs[i]);
            double      size     = 0;
            for (int64_t k = 0; k < shape_elements(list.weights[i].shape); k++)
                size += fabs((double)gradient[k]);
            if (!CHECK(size > 0 && isfinite(size)))
                printf("  %s\n", list.weights[i].name);
        }
    }
    if (error.code)
        printf("  %s\n", error.message);
    plan_destroy(plan);
    graph_destroy(graph);
    trainables_close(&list);
    blob_close(blob);
}

static void transformers_can_be_trained(void)
{
    weights_can_be_trained("vit", 2 * 12 + 8);
    weights_can_be_trained("encoder", 2 * 12 + 8);
}

// What a request for the logits says.
static void check_refused(const char *key, const char *value, int64_t side, const char *layer,
                          const char *message)
{
    char          *path  = memory_text(in_folder("refused.nw"), NULL);
    WeightBlob    *blob  = NULL;
    Error          error = {0};
    Network        network;
    Graph         *graph   = NULL;
    NetworkRequest request = {
        .batch = 1, .unit = -1, .layer = layer, .width = side, .height = side};
    if (CHECK(drawn_network_with("encoder", SIDE, key, value, path) &&
              blob_open(path, &blob, &error) && graph_create(&graph, &error))) {
        CHECK(!network_build(graph, blob, &request, &network, &error));
        if (!CHECK(strstr(error.message, message) != NULL))
            printf("  %s\n", error.message);
    }
    graph_destroy(graph);
    blob_close(blob);
    memory_free(path);
}

static void settings_that_cannot_be_are_refused(void)
{
    check_refused("heads", "5", SIDE, NULL, "heads=5, which do not divide the width of 24");
    check_refused("heads", "1.5", SIDE, NULL, "heads=1.5");
    check_refused("heads", "0", SIDE, NULL, "expected 1 number in 1 to 24");
    check_refused("heads", "many", SIDE, NULL, "heads=many");
    check_refused("norm_epsilon", "0", SIDE, NULL, "norm_epsilon=0");
    check_refused("source", "test", SIDE, "encoder_layer_2", "has no layer 'encoder_layer_2'");
}

// Places are those of one size and shape of an image, and patches are whole.
static void images_of_other_sizes_are_refused(void)
{
    static const struct {
        const char *network, *layer;
        int64_t     width, height;
        const char *message;
    } cases[] = {
        {"encoder", "logits", 80, 80,
         "an image of 80x80 has 5x5 patches, and there are places for the 4x4 of 64x64"},
        {"vit", "logits", 128, 32,
         "an image of 128x32 has 8x2 patches, and there are places for the 4x4 of 64x64"},
        {"clip_vit", "embedding", 48, 64, "an image of 48x64 has "},
        {"vit", "logits", 70, 64, "an image of 70x64 cannot be cut into whole patches of 16x16"},
        {"clip_vit", "conv_proj", 64, 65, "an image of 64x65 cannot be cut into whole patches"},
        {"clip_resnet", "embedding", 128, 32,
         "an image of 128x32 has 4x1 patches, and there are places for the 2x2 of 64x64"},
        {"clip_resnet", "embedding", 96, 96,
         "an image of 96x96 has 3x3 patches, and there are places for the 2x2 of 64x64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WeightBlob    *blob    = open_drawn(cases[i].network);
        Graph         *graph   = NULL;
        Error          error   = {0};
        NetworkRequest request = {.batch  = 1,
                                  .unit   = -1,
                                  .layer  = cases[i].layer,
                                  .width  = cases[i].width,
                                  .height = cases[i].height};
        Network        network;
        REQUIRE(blob && graph_create(&graph, NULL));
        CHECK(!network_build(graph, blob, &request, &network, &error));
        if (!CHECK(error.code == ERROR_DATA && strstr(error.message, cases[i].message)))
            printf("  %s\n", error.message);
        graph_destroy(graph);
        blob_close(blob);
    }
}

// A blob of the encoder whose tensor of this name, and the bias beside it, have other sizes.
static bool save_misshapen(const char *path, const char *weight, const char *bias, const char *row)
{
    static const char reference[] = "tests/parity/golden/encoder-relu.txt";
    Bytes             file        = {0};
    if (!CHECK(file_read(reference, LIMIT_TEXT_FILE, &file, NULL)))
        return false;
    BlobBuilder *builder = blob_builder_new("encoder", SIDE, SIDE);
    char        *text = memory_text((const char *)file.data, NULL), *rest = NULL, line_of[96];
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        bool is_weight = strstr(line, weight) != NULL, is_bias = strstr(line, bias) != NULL;
        snprintf(line_of, sizeof line_of, "%s 0 0.5 %s", is_weight ? weight : bias, row);
        if (is_bias)
            *strrchr(line_of, ' ') = 0; // its row without the inputs
        if (strncmp(line, "about ", 6) == 0)
            drawn_about(builder, line + 6);
        else if (strncmp(line, "tensor ", 7) == 0)
            drawn_tensor(builder, is_weight || is_bias ? line_of : line + 7);
    }
    bool ok = CHECK(blob_builder_save(builder, path, NULL));
    blob_builder_free(builder);
    memory_free(text);
    bytes_close(&file);
    return ok;
}

// A block keeps its width, and its queries, keys and values are as wide.
static void blocks_of_other_widths_are_refused(void)
{
    static const struct {
        const char *weight, *bias, *row, *message;
    } cases[]  = {{"transformer.layers.1.self_attn.in_proj_weight",
                   "transformer.layers.1.self_attn.in_proj_bias", "96 24",
                   "in_proj_weight' is 96x24, expected 72x24"},
                  {"transformer.layers.0.linear2.weight", "transformer.layers.0.linear2.bias",
                   "48 32", "linear2.weight' is 48x32, expected 24x32"}};
    char *path = memory_text(in_folder("misshapen.nw"), NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WeightBlob    *blob    = NULL;
        Graph         *graph   = NULL;
        Error          error   = {0};
        NetworkRequest request = {.batch = 1, .unit = -1};
        Network        network;
        if (save_misshapen(path, cases[i].weight, cases[i].bias, cases[i].row) &&
            CHECK(blob_open(path, &blob, &error) && graph_create(&graph, &error)) &&
            CHECK(!network_build(graph, blob, &request, &network, &error)))
            CHECK(error.code == ERROR_DATA && strstr(error.message, cases[i].message));
        graph_destroy(graph);
        blob_close(blob);
    }
    memory_free(path);
}

static void no_memory_for_a_network_is_clean(void)
{
    WeightBlob *blob   = NULL;
    int64_t     before = memory_live_blocks();
    char       *path   = memory_text(in_folder("vit.nw"), NULL);
    blob_close(open_drawn("vit"));
    for (int64_t call = 1;; call++) {
        LayerRunner    runner  = {0};
        Error          error   = {0};
        NetworkRequest request = {.batch = 1, .unit = -1};
        REQUIRE(blob_open(path, &blob, NULL));
        memory_fail_at(call, false);
        bool ok = layer_runner_open(&runner, blob, &request, &error);
        memory_fail_at(0, false);
        layer_runner_close(&runner);
        blob_close(blob);
        CHECK(memory_live_blocks() == before + 1);
        if (ok)
            break;
        CHECK(error.code == ERROR_MEMORY && error.message[0]);
    }
    memory_free(path);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

// Tokens attend to all places, so a block sees the whole image; a patch sees its own pixels.
static void receptive_fields_end_at_attention(void)
{
    static const char *const names[] = {"conv_proj", "encoder_layer_0.heads", "encoder_layer_0"};
    Field                    field[2];
    for (int i = 0; i < 3; i++) {
        Graph         *graph = NULL;
        Network        network;
        NetworkRequest request = {.batch = 1, .unit = -1, .layer = names[i]};
        WeightBlob    *blob    = open_drawn("vit");
        REQUIRE(blob && graph_create(&graph, NULL) &&
                network_build(graph, blob, &request, &network, NULL));
        CHECK(graph_field(graph, network.pixels, network.layer, field) == (i == 0));
        CHECK(i || (field[0].size == SIDE / 4 && field[1].step == SIDE / 4));
        graph_destroy(graph);
        blob_close(blob);
    }
}

// What would put softplus in place of ReLU, or change signals at it.
static void options_of_relus_are_refused(void)
{
    static const char none[] = "has no ReLU before what is explained", rule[] = "signals of ReLUs";
    static const struct {
        const char *words, *option, *says;
    } cases[] = {
        {"attribute --method gradient --beta 3", "--beta: ", none},
        {"attribute --method guided", "guided ", rule},
        {"attribute --method gradient,deconvnet", "deconvnet ", rule},
        {"manipulate --target text:I --method gradient --beta 3", "--beta: ", none},
        {"manipulate --target text:I --method gradient --beta-growth 1:9", "--beta-growth: ", none},
        {"manipulate --target text:I --method gradient --preset table5", "--preset table5: ", none},
        {"curvature --beta 3", "--beta: ", none},
    };
    if (!program_exists())
        SKIP("no program");
    blob_close(open_drawn("vit"));
    REQUIRE(program_run("mini --images 1 -o %s -q", in_folder("set"))->code == 0);
    const char *photo = in_folder("set/images/mini/000000.jpg"), *model = in_folder("vit.nw");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Outcome *o =
            program_run("%s -m %s %s -o %s", cases[i].words, model, photo, in_folder("refused"));
        CHECK(o->code == 2 && strstr(o->err, cases[i].option) && strstr(o->err, cases[i].says));
    }
    const Outcome *o =
        program_run("curvature %s -m %s --steps 1 -o %s", photo, model, in_folder("curvature"));
    CHECK(o->code == 0 && strstr(o->out, "\nGELU"));
    o = program_run("manipulate %s -m %s --target text:I --method gradient --steps 1 -o %s", photo,
                    model, in_folder("moved"));
    CHECK(o->code == 0 && strstr(o->out, "GELU") && !strstr(o->err, "warning"));
    o = program_run("attribute %s -m %s --method all -o %s", photo, model, in_folder("maps"));
    CHECK(o->code == 0 && strstr(o->out, "GELU") && !strstr(o->out, "guided"));
    o = program_run("inspect %s", model);
    CHECK(o->code == 0 && strstr(o->out, "\nheads         "));
}

static void verbs_take_transformers(void)
{
    if (!program_exists())
        SKIP("no program");
    const char *set = in_folder("set"), *model = in_folder("vit.nw");
    blob_close(open_drawn("vit"));
    REQUIRE(program_run("mini --images 20 -o %s -q", set)->code == 0);
    const Outcome *o = program_run("dissect -m %s -l encoder_layer_1:class -d %s -o %s", model, set,
                                   in_folder("c"));
    CHECK(o->code == 2 && strstr(o->err, "a class token has no places"));
    CHECK(program_run("dissect -m %s -l encoder_layer_1 -d %s -o %s", model, set, in_folder("d"))
              ->code == 0);
    o = program_run("noise %s --type gaussian --std 0.1 -o %s", in_folder("d"), in_folder("n"));
    CHECK(o->code == 0 && strstr(o->out, "/24"));
    o = program_run("attack %s -u 3,5 --eps 8/255 --store float -o %s", in_folder("d"),
                    in_folder("a"));
    CHECK(o->code == 0 && strstr(o->out, "/2"));
    o = program_run("activations -m %s -l encoder_layer_1:class %s -o %s", model,
                    in_folder("set/images/mini/000013.jpg"), in_folder("a.npy"));
    CHECK(o->code == 0 && strstr(o->out, "1x24"));
    o = program_run("activations -m %s --activation softplus:3 %s -o %s", model,
                    in_folder("set/images/mini/000013.jpg"), in_folder("b.npy"));
    CHECK(o->code == 2 && strstr(o->err, "has no ReLU, so"));
    o = program_run("patterns -m %s -d mini:2:1 -o %s", model, in_folder("patterns.nw"));
    CHECK(o->code == 2 && strstr(o->err, "pattern has no rule for the attention"));
}

/* ---- numbers of published code --------------------------------------------------------------- */

static const char vit_thin[] = "reference/vit_thin.npz";
enum {
    THIN_IMAGES = 2,
    THIN_SIDE   = 48,
    THIN_WIDTH  = 48,
    THIN_TOKENS = 37,
    THIN_LAYERS = 4,
    THIN_PIXELS = THIN_IMAGES * 3 * THIN_SIDE * THIN_SIDE,
    THIN_LABEL  = 3
};

static bool take_pixels(Plan *plan, NodeId pixels, int64_t count)
{
    double *numbers = published_numbers(vit_thin, "pixels", count);
    for (int64_t i = 0; numbers && i < count; i++)
        plan_input(plan, pixels)[i] = (real)numbers[i];
    memory_free(numbers);
    return numbers != NULL;
}

// Patches [n, width, 6, 6] and class tokens [n, width] beside published tokens [n, 37, width].
static void check_tokens(const char *name, const real *map, const real *class)
{
    enum { COUNT = THIN_IMAGES * THIN_TOKENS * THIN_WIDTH, PATCHES_OF = THIN_TOKENS - 1 };
    double *want = published_numbers(vit_thin, name, COUNT);
    real    found[COUNT];
    REQUIRE(want != NULL);
    for (int64_t i = 0; i < COUNT; i++) {
        int64_t c = i % THIN_WIDTH, token = i / THIN_WIDTH % THIN_TOKENS,
                n = i / (THIN_WIDTH * THIN_TOKENS) * THIN_WIDTH + c;
        found[i]  = token ? map[n * PATCHES_OF + token - 1] : class[n];
    }
    CHECK_CLOSE(published_error(found, want, COUNT), 0, 1e-5);
    memory_free(want);
}

static void check_numbers(const char *name, const real *found, int64_t count)
{
    double *want = published_numbers(vit_thin, name, count);
    if (CHECK(want != NULL))
        CHECK_CLOSE(published_error(found, want, count), 0, 1e-5);
    memory_free(want);
}

// All of the archive but `hessian_vector`: what the Hessian was multiplied with is recorded nowhere,
// and is none of ones, the pixels, the gradient or numbers drawn from small seeds. Products with the
// Hessian are compared with PyTorch's in test_parity.c.
static void thin_vit_equals_torchvision(void)
{
    static const char *const names[]                = {"logits",
                                                       "encoder_layer_0",
                                                       "encoder_layer_0:class",
                                                       "encoder_layer_1",
                                                       "encoder_layer_1:class",
                                                       "encoder_layer_2",
                                                       "encoder_layer_2:class",
                                                       "ln",
                                                       "ln:class"};
    static const char *const published[THIN_LAYERS] = {
        "layer/encoder.layers.encoder_layer_0", "layer/encoder.layers.encoder_layer_1",
        "layer/encoder.layers.encoder_layer_2", "layer/encoder.ln"};
    enum { NAMES = sizeof names / sizeof *names };
    WeightBlob *blob = published_network("reference/vit_thin.pth", "--heads 3");
    if (!blob)
        SKIP("no published numbers, no python3, or the double build");
    Graph         *graph   = NULL;
    Plan          *plan    = NULL;
    Network        network = {0};
    NodeId         outputs[NAMES + 1];
    NetworkRequest request = {
        .batch = THIN_IMAGES, .unit = -1, .layers = names, .layer_count = NAMES};
    REQUIRE(graph_create(&graph, NULL) && network_build(graph, blob, &request, &network, NULL));
    NodeId score = NODE_NONE;
    for (int64_t n = 0; n < THIN_IMAGES; n++) {
        NodeId one = op_pick(graph, network.layer, n * CLASSES + THIN_LABEL);
        score      = n ? op_add(graph, score, one) : one;
    }
    memcpy(outputs, network.layers, NAMES * sizeof *outputs);
    graph_gradient(graph, score, &network.pixels, 1, &outputs[NAMES]);
    REQUIRE(plan_create(&plan, graph, outputs, NAMES + 1, NULL, NULL));
    REQUIRE(take_pixels(plan, network.pixels, THIN_PIXELS));
    plan_run(plan);
    check_numbers("logits", plan_output(plan, outputs[0]), (int64_t)THIN_IMAGES * CLASSES);
    for (int i = 0; i < THIN_LAYERS; i++)
        check_tokens(published[i], plan_output(plan, outputs[1 + 2 * i]),
                     plan_output(plan, outputs[2 + 2 * i]));
    check_numbers("input_gradient", plan_output(plan, outputs[NAMES]), THIN_PIXELS);
    plan_destroy(plan);
    graph_destroy(graph);
    blob_close(blob);
}

SUITE(transformers)
{
    RUN(blocks_can_be_read_by_name);
    RUN(layers_are_listed_in_order);
    RUN(one_unit_is_that_of_the_layer);
    RUN(transformers_can_be_trained);
    RUN(settings_that_cannot_be_are_refused);
    RUN(images_of_other_sizes_are_refused);
    RUN(blocks_of_other_widths_are_refused);
    RUN(no_memory_for_a_network_is_clean);
    RUN(receptive_fields_end_at_attention);
    RUN(options_of_relus_are_refused);
    RUN(verbs_take_transformers);
    RUN(thin_vit_equals_torchvision);
}
