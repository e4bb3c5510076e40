/* tests/test_clip.c - CLIP's two towers and RoBERTa's encoder beside numbers of published code. */
#include "../models/text.h"
#include "program.h"
#include "published.h"
#include "small_clip.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char numbers[] = "reference/clip_thin.npz";
enum {
    IMAGES       = 3,
    SIDE         = 64,
    PIXELS       = IMAGES * 3 * SIDE * SIDE,
    TEXTS        = 5,
    ROW          = 77,
    OUTPUTS      = 48,
    WIDTH        = 128,
    IMAGE_TOKENS = 65
};

static void check_close(const char *archive, const char *name, const real *found, int64_t count)
{
    double *want = published_numbers(archive, name, count);
    if (CHECK(want != NULL) && !CHECK_CLOSE(published_error(found, want, count), 0, 1e-5))
        printf("  %s\n", name);
    memory_free(want);
}

// [n, width, 1, tokens] or, with a class token apart, [n, width, h, w] as [n, tokens, width].
static void check_states(const char *archive, const char *name, const real *map, const real *class,
                         int64_t n, int64_t tokens, int64_t width)
{
    real   *found = memory_new((size_t)(n * tokens * width), sizeof *found, NULL);
    int64_t rest  = class ? tokens - 1 : tokens;
    for (int64_t i = 0; i < n * tokens * width; i++) {
        int64_t c = i % width, token = i / width % tokens, row = i / (width * tokens) * width + c;
        found[i] = class && token == 0 ? class[row] : map[row * rest + token - (class != NULL)];
    }
    check_close(archive, name, found, n * tokens * width);
    memory_free(found);
}

static int32_t *read_tokens(const char *archive, const char *name, int64_t count)
{
    double  *values = published_numbers(archive, name, count);
    int32_t *tokens = memory_new((size_t)count, sizeof *tokens, NULL);
    for (int64_t i = 0; values && i < count; i++)
        tokens[i] = (int32_t)values[i];
    memory_free(values);
    return tokens;
}

// The cosine of every row of e [n, c] with one vector, summed.
static NodeId sum_of_cosines(Graph *graph, NodeId e, const double *vector)
{
    static real direction[OUTPUTS];
    double      size = 0;
    Shape       in = graph_shape(graph, e), rows = in;
    for (int i = 0; i < OUTPUTS; i++)
        size += vector[i] * vector[i];
    for (int i = 0; i < OUTPUTS; i++)
        direction[i] = (real)(vector[i] / sqrt(size));
    rows.dim[1] = 1;
    NodeId towards =
        op_broadcast_to(graph, op_parameter(graph, shape_2d(1, OUTPUTS), direction), in);
    NodeId along   = op_sum_to(graph, op_mul(graph, e, towards), rows);
    NodeId squares = op_sum_to(graph, op_mul(graph, e, e), rows);
    return op_dot(graph, along, op_power(graph, squares, (real)-0.5));
}

static void image_tower_equals_clip(void)
{
    static const char *const names[] = {"embedding", "encoder_layer_0", "encoder_layer_0:class",
                                        "encoder_layer_2", "encoder_layer_2:class"};
    enum { NAMES = sizeof names / sizeof *names };
    WeightBlob *blob = published_network("reference/clip_thin.pth", "");
    if (!blob)
        SKIP("no published numbers, no python3, or the double build");
    Graph         *graph   = NULL;
    Plan          *plan    = NULL;
    Network        network = {0};
    NodeId         outputs[NAMES + 1];
    Error          error   = {0};
    double        *text    = published_numbers(numbers, "text_embedding_double", TEXTS * OUTPUTS);
    double        *pixels  = published_numbers(numbers, "pixels", PIXELS);
    NetworkRequest request = {.batch = IMAGES, .unit = -1, .layers = names, .layer_count = NAMES};
    REQUIRE(text && pixels && graph_create(&graph, NULL) &&
            network_build(graph, blob, &request, &network, &error));
    memcpy(outputs, network.layers, NAMES * sizeof *outputs);
    graph_gradient(graph, sum_of_cosines(graph, network.layer, text), &network.pixels, 1,
                   &outputs[NAMES]);
    REQUIRE(plan_create(&plan, graph, outputs, NAMES + 1, NULL, &error));
    for (int64_t i = 0; i < PIXELS; i++)
        plan_input(plan, network.pixels)[i] = (real)pixels[i];
    plan_run(plan);
    const real *embedding = plan_output(plan, outputs[0]);
    check_close(numbers, "image_embedding_double", embedding, (int64_t)IMAGES * OUTPUTS);
    check_states(numbers, "image_block0", plan_output(plan, outputs[1]),
                 plan_output(plan, outputs[2]), IMAGES, IMAGE_TOKENS, WIDTH);
    check_states(numbers, "image_block2", plan_output(plan, outputs[3]),
                 plan_output(plan, outputs[4]), IMAGES, IMAGE_TOKENS, WIDTH);
    check_close(numbers, "cosine_input_gradient", plan_output(plan, outputs[NAMES]), PIXELS);
    double *cosine = published_numbers(numbers, "cosine", IMAGES * TEXTS);
    for (int i = 0; cosine && i < IMAGES * TEXTS; i++) {
        double ab = 0, aa = 0, bb = 0;
        for (int k = 0; k < OUTPUTS; k++) {
            double a = (double)embedding[i / TEXTS * OUTPUTS + k],
                   b = text[i % TEXTS * OUTPUTS + k];
            ab += a * b, aa += a * a, bb += b * b;
        }
        CHECK_CLOSE(ab / sqrt(aa * bb), cosine[i], 1e-6);
    }
    memory_free(cosine);
    memory_free(text);
    memory_free(pixels);
    plan_destroy(plan);
    graph_destroy(graph);
    blob_close(blob);
}

// Cut at their ends, and whole with their padding.
static void text_tower_equals_clip(void)
{
    WeightBlob *blob = published_network("reference/clip_thin.pth", "");
    if (!blob)
        SKIP("no published numbers, no python3, or the double build");
    int32_t   *tokens = read_tokens(numbers, "tokens", TEXTS * ROW);
    real      *out = NULL, *states = memory_new((size_t)TEXTS * ROW * WIDTH, sizeof *states, NULL);
    int64_t    outputs = 0;
    TextRunner runner  = {0};
    Error      error   = {0};
    REQUIRE(text_embed(blob, tokens, TEXTS, ROW, &out, &outputs, &error) && outputs == OUTPUTS);
    check_close(numbers, "text_embedding_double", out, TEXTS * OUTPUTS);
    REQUIRE(text_runner_open(&runner, blob, "embedding", TEXTS, ROW, &error));
    REQUIRE(text_runner_run(&runner, tokens, TEXTS, out, &error));
    check_close(numbers, "text_embedding_double", out, TEXTS * OUTPUTS);
    text_runner_close(&runner);
    REQUIRE(text_runner_open(&runner, blob, "encoder_layer_1", TEXTS, ROW, &error));
    REQUIRE(text_runner_run(&runner, tokens, TEXTS, states, &error));
    check_states(numbers, "text_block1", states, NULL, TEXTS, ROW, WIDTH);
    tokens[3] = 600; // the vocabulary has words 0 to 599
    CHECK(!text_runner_run(&runner, tokens, TEXTS, states, &error) && error.code == ERROR_DATA);
    text_runner_close(&runner);
    error = (Error){0};
    CHECK(!text_runner_open(&runner, blob, "embedding", 1, ROW + 1, &error));
    CHECK(strstr(error.message, "78 tokens, it takes up to 77") != NULL);
    memory_free(states);
    memory_free(out);
    memory_free(tokens);
    blob_close(blob);
}

static void hidden_states_equal_roberta(void)
{
    static const char archive[] = "reference/bertscore_thin.npz";
    enum { STATES = 16 };
    static const int64_t lengths[2] = {4, 13};
    WeightBlob          *blob       = published_network("reference/roberta_thin.bin", "--heads 2");
    if (!blob)
        SKIP("no published numbers, no python3, or the double build");
    for (int text = 0; text < 2; text++) {
        char    name[32];
        int64_t length = lengths[text];
        real    states[13 * STATES];
        snprintf(name, sizeof name, "text%d_ids", text);
        int32_t *tokens = read_tokens(archive, name, length);
        for (int layer = 0; layer <= 3; layer++) {
            TextRunner runner = {0};
            Error      error  = {0};
            char       wanted[48];
            snprintf(wanted, sizeof wanted, layer ? "encoder_layer_%d" : "embeddings", layer - 1);
            snprintf(name, sizeof name, "text%d_layer%d", text, layer);
            REQUIRE(text_runner_open(&runner, blob, wanted, 2, length, &error));
            REQUIRE(text_runner_run(&runner, tokens, 1, states, &error));
            check_states(archive, name, states, NULL, 1, length, STATES);
            text_runner_close(&runner);
        }
        memory_free(tokens);
    }
    NetworkRequest images = {.batch = 1, .unit = -1, .layer = "encoder_layer_0"};
    LayerRunner    runner = {0};
    Error          error  = {0};
    CHECK(!layer_runner_open(&runner, blob, &images, &error));
    CHECK(strstr(error.message, "roberta takes tokens of a text, not images") != NULL);
    blob_close(blob);
}

/* ---- a drawn text tower ---------------------------------------------------------------------- */

enum { SMALL_ROW = 6, SMALL_WORDS = 20, SMALL_OUTPUTS = SMALL_CLIP_OUTPUTS, SMALL_TEXTS = 3 };

// The end token is 19; zeros fill the rest.
static const int32_t small_texts[SMALL_TEXTS * SMALL_ROW] = {18, 5, 19, 0,  0, 0,  18, 7, 3,
                                                             2,  9, 19, 18, 4, 19, 0,  0, 0};

static WeightBlob *small_tower(void)
{
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = blob_builder_new("clip_vit", 32, 32);
    small_text_tower(builder, SMALL_WORDS, SMALL_ROW);
    CHECK(blob_builder_save(builder, in_folder("tower.nw"), NULL) &&
          blob_open(in_folder("tower.nw"), &blob, NULL));
    blob_builder_free(builder);
    return blob;
}

static void texts_are_cut_at_their_ends(void)
{
    WeightBlob *blob    = small_tower();
    real       *cut     = NULL, whole[SMALL_TEXTS * SMALL_OUTPUTS];
    int64_t     outputs = 0;
    TextRunner  runner  = {0};
    REQUIRE(text_embed(blob, small_texts, SMALL_TEXTS, SMALL_ROW, &cut, &outputs, NULL));
    REQUIRE(outputs == SMALL_OUTPUTS);
    REQUIRE(text_runner_open(&runner, blob, "embedding", SMALL_TEXTS, SMALL_ROW, NULL));
    REQUIRE(text_runner_run(&runner, small_texts, SMALL_TEXTS, whole, NULL));
    for (int i = 0; i < SMALL_TEXTS * SMALL_OUTPUTS; i++)
        CHECK_CLOSE((double)cut[i], (double)whole[i], 1e-5);
    text_runner_close(&runner);
    memory_free(cut);
    blob_close(blob);
}

static void no_memory_for_texts_is_clean(void)
{
    int64_t before = memory_live_blocks();
    for (int64_t call = 1;; call++) {
        WeightBlob *blob    = small_tower();
        real       *out     = NULL;
        int64_t     outputs = 0;
        Error       error   = {0};
        memory_fail_at(call, false);
        bool ok = text_embed(blob, small_texts, SMALL_TEXTS, SMALL_ROW, &out, &outputs, &error);
        memory_fail_at(0, false);
        memory_free(out);
        blob_close(blob);
        CHECK(memory_live_blocks() == before);
        if (ok)
            break;
        CHECK(error.code == ERROR_MEMORY && error.message[0]);
    }
}

static void texts_that_cannot_be_are_refused(void)
{
    static const int32_t wrong[2] = {3, SMALL_WORDS};
    WeightBlob          *blob     = small_tower();
    TextRunner           runner   = {0};
    real                 out[2 * SMALL_OUTPUTS];
    Error                error = {0};
    CHECK(!text_runner_open(&runner, blob, "embedding", 1, SMALL_ROW + 1, &error));
    CHECK(strstr(error.message, "7 tokens, it takes up to 6") != NULL);
    error = (Error){0};
    CHECK(!text_runner_open(&runner, blob, "embedding", 1, 0, &error));
    CHECK(error.code == ERROR_USAGE);
    error = (Error){0};
    CHECK(!text_runner_open(&runner, blob, "encoder_layer_1", 1, 2, &error));
    CHECK(strstr(error.message, "has no layer 'encoder_layer_1'") != NULL);
    error = (Error){0};
    REQUIRE(text_runner_open(&runner, blob, "embedding", 1, 2, NULL));
    CHECK(!text_runner_run(&runner, wrong, 1, out, &error) && error.code == ERROR_DATA);
    text_runner_close(&runner);
    blob_close(blob);
}

SUITE(clip)
{
    RUN(texts_are_cut_at_their_ends);
    RUN(no_memory_for_texts_is_clean);
    RUN(texts_that_cannot_be_are_refused);
    RUN(image_tower_equals_clip);
    RUN(text_tower_equals_clip);
    RUN(hidden_states_equal_roberta);
}
