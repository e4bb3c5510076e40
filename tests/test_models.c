/* tests/test_models.c - networks on published weights and inputs, layer names, and what is refused.
 * Equality with another implementation is in test_parity.c. */
#include "test.h"

#include "blob_builder.h"
#include "published.h"
#include "../base/file.h"
#include "../image/image.h"
#include "../models/models.h"
#include "../format/npy.h"
#include "../probe/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *blob_file(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/test.nw", test_folder());
    return path;
}

/* ---- real networks --------------------------------------------------------------------------- */

static float *read_array(const char *name, int64_t elements)
{
    float *data  = NULL;
    Shape  shape = {0};
    Error  error = {0};
    CHECK(npy_read(test_data(name), &data, &shape, &error));
    CHECK(shape_elements(shape) == elements);
    return data;
}

static void squeezenet_gives_the_published_scores(void)
{
    WeightBlob *blob = published_network("weights/squeezenet1.1_imagenet", "");
    if (!blob)
        SKIP("no published weights, no python3, or the double build");
    Error          error   = {0};
    LayerRunner    runner  = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .raw_input = true};
    REQUIRE(layer_runner_open(&runner, blob, &request, &error));
    CHECK(runner.units == 1000 && runner.height == 1 && runner.width == 1);
    for (int set = 0; set < 3; set++) {
        char  name[128];
        real *scores = memory_new(1000, sizeof(real), NULL);
        real *pixels = memory_new(3 * 224 * 224, sizeof(real), NULL);
        snprintf(name, sizeof name, "weights/squeezenet1.1_imagenet/test_data_set/%d/input_0.npy",
                 set);
        float *input = read_array(name, 3 * 224 * 224);
        snprintf(name, sizeof name, "weights/squeezenet1.1_imagenet/test_data_set/%d/output_0.npy",
                 set);
        float *want = read_array(name, 1000);
        for (int i = 0; i < 3 * 224 * 224; i++)
            pixels[i] = (real)input[i];
        layer_runner_run(&runner, pixels, 1, scores);
        double worst = 0;
        for (int i = 0; i < 1000; i++)
            worst = fmax(worst, fabs((double)scores[i] - (double)want[i]));
        CHECK_CLOSE(worst, 0, 2e-4); // of scores near 290
        memory_free(input);
        memory_free(want);
        memory_free(pixels);
        memory_free(scores);
    }
    layer_runner_close(&runner);
    blob_close(blob);
}

// Rows of the reference: file, class, best class, its score, whether the two classes agree. Its
// scores are of crops that are rounded, not of torchvision's.
static void squeezenet_labels_photos_as_published(void)
{
    WeightBlob *blob = published_network("weights/squeezenet1.1_imagenet", "--geometry rounded");
    const char *path = test_data("imagenet/squeezenet1.1_reference.tsv");
    if (!blob || !path)
        SKIP("no published weights or photos, no python3, or the double build");
    Error          error   = {0};
    Bytes          file    = {0};
    LayerRunner    runner  = {0};
    NetworkRequest request = {.batch = 1, .unit = -1};
    static float   planes[3 * 224 * 224];
    static real    pixels[3 * 224 * 224], scores[1000];
    int            photos = 0, agreed = 0;
    double         worst = 0;
    REQUIRE(file_read(path, LIMIT_TEXT_FILE, &file, &error));
    REQUIRE(layer_runner_open(&runner, blob, &request, &error));
    const char *line = strchr((const char *)file.data, '\n');
    for (; line; line = strchr(line + 1, '\n')) {
        char name[128], photo[192];
        int class, best;
        double score;
        if (sscanf(line, " %127s %d %d %lf", name, &class, &best, &score) != 4)
            break;
        snprintf(photo, sizeof photo, "imagenet/%s", name);
        REQUIRE(picture_planes(test_data(photo), blob_preparation(blob), planes, &error));
        for (int i = 0; i < 3 * 224 * 224; i++)
            pixels[i] = (real)planes[i];
        layer_runner_run(&runner, pixels, 1, scores);
        int found = 0;
        for (int i = 1; i < 1000; i++)
            found = scores[i] > scores[found] ? i : found;
        photos++;
        agreed += found == best;
        worst = fmax(worst, fabs((double)scores[found] - score));
    }
    printf("  %d of %d photos, largest difference of a score %.2g\n", agreed, photos, worst);
    CHECK(photos == 52 && agreed >= 51);
    CHECK_CLOSE(worst, 0, 2e-4); // the reference has four decimals
    layer_runner_close(&runner);
    bytes_close(&file);
    blob_close(blob);
}

enum { CIFAR_IMAGES = 1000, CIFAR_PIXELS = 32 * 32, CIFAR_BATCH = 100 };

static bool read_labels(int *labels, int first)
{
    Bytes file = {0};
    if (!file_read(test_data("cifar10/cifar10_labels.js"), LIMIT_TEXT_FILE, &file, NULL))
        return false;
    const char *text = strchr((const char *)file.data, '[');
    for (int i = 0; text && i < first + CIFAR_IMAGES; i++) {
        char *end   = NULL;
        long  label = strtol(text + 1, &end, 10);
        if (i >= first)
            labels[i - first] = (int)label;
        text = end;
    }
    bytes_close(&file);
    return text != NULL;
}

// Row r of the picture is image r, its pixels in row-major order.
static int count_correct(LayerRunner *runner, const Image *picture, const int *labels)
{
    int   correct = 0;
    real *pixels  = memory_new((size_t)CIFAR_BATCH * 3 * CIFAR_PIXELS, sizeof(real), NULL);
    real *logits  = memory_new((size_t)CIFAR_BATCH * 10, sizeof(real), NULL);
    for (int first = 0; first < CIFAR_IMAGES; first += CIFAR_BATCH) {
        for (int i = 0; i < CIFAR_BATCH; i++)
            for (int p = 0; p < CIFAR_PIXELS; p++)
                for (int c = 0; c < 3; c++)
                    pixels[(i * 3 + c) * CIFAR_PIXELS + p] =
                        (real)picture->pixels[((first + i) * CIFAR_PIXELS + p) * 3 + c] / 255;
        layer_runner_run(runner, pixels, CIFAR_BATCH, logits);
        for (int i = 0; i < CIFAR_BATCH; i++) {
            int best = 0;
            for (int k = 1; k < 10; k++)
                if (logits[i * 10 + k] > logits[i * 10 + best])
                    best = k;
            correct += best == labels[first + i];
        }
    }
    memory_free(pixels);
    memory_free(logits);
    return correct;
}

static void check_cifar(const char *weights, const char *options, int want)
{
    WeightBlob *blob = published_network(weights, options);
    if (!blob)
        SKIP("no published weights, no python3, or the double build");
    Error          error   = {0};
    Bytes          file    = {0};
    Image          picture = {0};
    LayerRunner    runner  = {0};
    NetworkRequest request = {.batch = CIFAR_BATCH, .unit = -1};
    static int     labels[CIFAR_IMAGES];
    REQUIRE(read_labels(labels, 50 * CIFAR_IMAGES));
    REQUIRE(file_read(test_data("cifar10/cifar10_batch_50.png"), LIMIT_IMAGE_FILE, &file, &error));
    REQUIRE(png_decode(file.data, file.size, "batch", &picture, &error));
    REQUIRE(picture.width == CIFAR_PIXELS && picture.height == CIFAR_IMAGES &&
            picture.channels == 3);
    REQUIRE(layer_runner_open(&runner, blob, &request, &error));
    CHECK_CLOSE(count_correct(&runner, &picture, labels), want, 1);
    layer_runner_close(&runner);
    image_free(&picture);
    bytes_close(&file);
    blob_close(blob);
}

static void resnet20_labels_cifar(void)
{
    check_cifar("weights/cifar10_resnet/resnet20-12fca82f.th", "", 915);
}

static void resnet56_labels_cifar(void)
{
    check_cifar("weights/cifar10_resnet/resnet56-4bfd9763.th", "", 926);
}

static void vision_transformer_labels_cifar(void)
{
    check_cifar("weights/vit_cifar10/vit_cifar10.pth", "--heads 8", 705);
}

static void check_trunk(const char *weights, const char *layer, int64_t units, int64_t side,
                        const char *missing)
{
    WeightBlob *blob = published_network(weights, "");
    if (!blob)
        SKIP("no published weights, no python3, or the double build");
    Error          error   = {0};
    LayerRunner    runner  = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .layer = layer};
    if (CHECK(layer_runner_open(&runner, blob, &request, &error)))
        CHECK(runner.units == units && runner.height == side && runner.width == side);
    else
        printf("  %s\n", error.message);
    layer_runner_close(&runner);
    request.layer = missing;
    CHECK(!layer_runner_open(&runner, blob, &request, &error));
    CHECK(error.code == ERROR_DATA && strstr(error.message, "no tensor"));
    CHECK(strstr(error.message, layer));
    blob_close(blob);
}

static void partial_vgg16_ends_where_its_weights_do(void)
{
    check_trunk("weights/vgg16_imagenet_conv1_1-conv3_3", "conv3_3", 256, 56, "conv4_1");
}

static void partial_resnet18_ends_where_its_weights_do(void)
{
    check_trunk("weights/resnet18_imagenet_bnfolded", "layer3", 256, 14, "layer4");
}

static void partial_resnet50_v2_ends_where_its_weights_do(void)
{
    check_trunk("weights/resnet50v2_imagenet_stage1-3", "layer3", 1024, 14, NULL);
}

/* ---- names and requests ---------------------------------------------------------------------- */

static void put_conv(BlobBuilder *builder, const char *base, int64_t outputs, int64_t inputs)
{
    char name[128];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape_4d(outputs, inputs, 3, 3), 1, 0, 0.3f);
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(outputs), 1, 0, 0.1f);
}

// VGG-11 with 4 channels everywhere, up to conv3_2.
static WeightBlob *small_vgg(void)
{
    static const char *const bases[] = {"features.0", "features.3", "features.6", "features.8"};
    WeightBlob              *blob    = NULL;
    BlobBuilder             *builder = blob_builder_new("vgg11", 16, 16);
    blob_builder_about(builder, "scale", "2");
    blob_builder_about(builder, "mean", "0.25,0.5,1");
    blob_builder_about(builder, "std", "0.5,1,2");
    for (int i = 0; i < 4; i++)
        put_conv(builder, bases[i], 4, i ? 4 : 3);
    CHECK(blob_builder_save(builder, blob_file(), NULL) && blob_open(blob_file(), &blob, NULL));
    blob_builder_free(builder);
    return blob;
}

static void layers_are_listed_in_order(void)
{
    static const char *const names[] = {"conv1_1", "conv2_1", "conv3_1", "conv3_2"};
    WeightBlob              *blob    = small_vgg();
    for (int i = 0; i < 4; i++)
        CHECK_TEXT(network_layer_name(blob, i), names[i]);
    CHECK(network_layer_name(blob, 4) == NULL);
    CHECK(network_layer_name(blob, -1) == NULL);
    blob_close(blob);
}

static void run_layer(WeightBlob *blob, NetworkRequest request, const real *pixels, real *maps)
{
    LayerRunner runner = {0};
    Error       error  = {0};
    request.batch      = 2;
    if (!CHECK(layer_runner_open(&runner, blob, &request, &error))) {
        printf("  %s\n", error.message);
        return;
    }
    layer_runner_run(&runner, pixels, 2, maps);
    layer_runner_close(&runner);
}

enum { SMALL_PIXELS = 2 * 3 * 16 * 16, SMALL_MAPS = 2 * 4 * 4 * 4 };

static void small_pixels(real *pixels)
{
    Random random = random_stream(3, "pixels");
    for (int i = 0; i < SMALL_PIXELS; i++)
        pixels[i] = (real)random_unit(random_word(&random));
}

static void requests_agree_with_each_other(void)
{
    WeightBlob *blob = small_vgg();
    real        pixels[SMALL_PIXELS], raw[SMALL_PIXELS], maps[SMALL_MAPS], other[SMALL_MAPS];
    small_pixels(pixels);
    run_layer(blob, (NetworkRequest){.layer = "conv3_2", .unit = -1}, pixels, maps);

    run_layer(blob, (NetworkRequest){.layer = "features.8", .unit = -1}, pixels, other);
    CHECK(memcmp(maps, other, sizeof maps) == 0);

    run_layer(blob, (NetworkRequest){.layer = "conv3_2", .unit = -1, .post_relu = true}, pixels,
              other);
    for (int i = 0; i < SMALL_MAPS; i++)
        CHECK(other[i] == (maps[i] > 0 ? maps[i] : 0));

    run_layer(blob, (NetworkRequest){.layer = "conv3_2", .unit = 2}, pixels, other);
    for (int i = 0; i < 2 * 16; i++)
        CHECK_CLOSE((double)other[i], (double)maps[i / 16 * 64 + 2 * 16 + i % 16], 1e-5);

    const double mean[3] = {0.25, 0.5, 1}, std[3] = {0.5, 1, 2};
    for (int i = 0; i < SMALL_PIXELS; i++)
        raw[i] = (real)(((double)pixels[i] * 2 - mean[i / 256 % 3]) / std[i / 256 % 3]);
    run_layer(blob, (NetworkRequest){.layer = "conv3_2", .unit = -1, .raw_input = true}, raw,
              other);
    for (int i = 0; i < SMALL_MAPS; i++)
        CHECK_CLOSE((double)other[i], (double)maps[i], 1e-5);

    run_layer(blob, (NetworkRequest){.layer = "conv3_2", .unit = -1, .softplus_beta = 1000}, pixels,
              other); // softplus is at most log(2) / beta above ReLU
    for (int i = 0; i < SMALL_MAPS; i++)
        CHECK_CLOSE((double)other[i], (double)maps[i], 0.05);
    CHECK(memcmp(maps, other, sizeof maps) != 0);
    blob_close(blob);
}

static void size_of_the_input_may_be_chosen(void)
{
    WeightBlob    *blob    = small_vgg();
    LayerRunner    runner  = {0};
    NetworkRequest request = {
        .batch = 1, .unit = -1, .layer = "conv2_1", .width = 40, .height = 24};
    REQUIRE(layer_runner_open(&runner, blob, &request, NULL));
    CHECK(runner.image_width == 40 && runner.image_height == 24);
    CHECK(runner.units == 4 && runner.width == 20 && runner.height == 12);
    layer_runner_close(&runner);
    blob_close(blob);
}

static void check_refused(WeightBlob *blob, NetworkRequest request, ErrorCode code,
                          const char *message)
{
    LayerRunner runner = {0};
    Error       error  = {0};
    CHECK(!layer_runner_open(&runner, blob, &request, &error));
    CHECK(error.code == code && runner.graph == NULL);
    if (!CHECK(strstr(error.message, message)))
        printf("  wanted \"%s\", found %d \"%s\"\n", message, (int)error.code, error.message);
}

static void impossible_requests_are_refused(void)
{
    WeightBlob *blob = small_vgg();
    check_refused(blob, (NetworkRequest){.batch = 1, .unit = -1, .layer = "conv9"}, ERROR_USAGE,
                  "no layer 'conv9', expected one of conv1_1, conv2_1, conv3_1, conv3_2");
    check_refused(blob, (NetworkRequest){.batch = 1, .unit = -1}, ERROR_DATA,
                  "no tensor 'features.11.weight', which layer 'logits' needs");
    check_refused(blob, (NetworkRequest){.batch = 1, .unit = 4, .layer = "conv1_1"}, ERROR_USAGE,
                  "unit 4 does not exist");
    check_refused(blob, (NetworkRequest){.batch = 0, .unit = -1, .layer = "conv1_1"}, ERROR_USAGE,
                  "batch is 0");
    check_refused(blob, (NetworkRequest){.batch = 1, .unit = -1, .layer = "conv3_1", .width = 2},
                  ERROR_DATA, "pooling");
    check_refused(blob,
                  (NetworkRequest){.batch = 1, .unit = -1, .layer = "conv3_1", .softplus_beta = -1},
                  ERROR_USAGE, "softplus");
    blob_close(blob);
}

static void wrong_tensors_are_refused(void)
{
    static const struct {
        const char *architecture, *name;
        Shape       shape;
        const char *message;
    } cases[] = {
        {"vgg11", "features.0.weight", {4, {4, 3, 5, 5}}, "is 4x3x5x5, expected 4x3x3x3"},
        {"vgg11", "features.0.weight", {4, {4, 2, 3, 3}}, "is 4x2x3x3, expected 4x3x3x3"},
        {"vgg11", "features.0.weight", {2, {4, 27}}, "is 4x27, expected rank 4"},
        {"transformer", "x", {1, {1}}, "architecture 'transformer' is not known"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WeightBlob  *blob    = NULL;
        BlobBuilder *builder = blob_builder_new(cases[i].architecture, 16, 16);
        blob_builder_constant(builder, cases[i].name, cases[i].shape, 1);
        REQUIRE(blob_builder_save(builder, blob_file(), NULL));
        REQUIRE(blob_open(blob_file(), &blob, NULL));
        check_refused(blob, (NetworkRequest){.batch = 1, .unit = -1, .layer = "conv1_1"},
                      ERROR_DATA, cases[i].message);
        CHECK(network_layer_name(blob, 0) == NULL);
        blob_close(blob);
        blob_builder_free(builder);
    }
}

static void negative_variances_are_refused(void)
{
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = blob_builder_new("vgg11_bn", 16, 16);
    put_conv(builder, "features.0", 4, 3);
    blob_builder_constant(builder, "features.1.weight", shape_1d(4), 1);
    blob_builder_constant(builder, "features.1.bias", shape_1d(4), 1);
    blob_builder_constant(builder, "features.1.running_mean", shape_1d(4), 1);
    blob_builder_constant(builder, "features.1.running_var", shape_1d(4), -1);
    REQUIRE(blob_builder_save(builder, blob_file(), NULL));
    REQUIRE(blob_open(blob_file(), &blob, NULL));
    check_refused(blob, (NetworkRequest){.batch = 1, .unit = -1, .layer = "conv1_1"}, ERROR_DATA,
                  "'features.1.running_var' has the negative variance -1");
    blob_close(blob);
    blob_builder_free(builder);
}

// With a batch norm, so that folding allocates too.
static void nothing_leaks_when_memory_runs_out(void)
{
    BlobBuilder *builder = blob_builder_new("vgg11_bn", 16, 16);
    put_conv(builder, "features.0", 4, 3);
    blob_builder_constant(builder, "features.1.weight", shape_1d(4), 1);
    blob_builder_constant(builder, "features.1.bias", shape_1d(4), 1);
    blob_builder_constant(builder, "features.1.running_mean", shape_1d(4), 1);
    blob_builder_constant(builder, "features.1.running_var", shape_1d(4), 1);
    REQUIRE(blob_builder_save(builder, blob_file(), NULL));
    blob_builder_free(builder);
    int64_t before = memory_live_blocks();
    for (int64_t call = 1;; call++) {
        WeightBlob    *blob    = NULL;
        LayerRunner    runner  = {0};
        Error          error   = {0};
        NetworkRequest request = {.batch = 1, .unit = -1, .layer = "conv1_1"};
        memory_fail_at(call, false);
        bool ok = blob_open(blob_file(), &blob, &error) &&
                  layer_runner_open(&runner, blob, &request, &error);
        memory_fail_at(0, false);
        layer_runner_close(&runner);
        blob_close(blob);
        CHECK(memory_live_blocks() == before);
        if (ok)
            break;
        if (!CHECK(error.code == ERROR_MEMORY && error.message[0]))
            printf("  allocation %lld: %d %s\n", (long long)call, (int)error.code, error.message);
    }
}

static void answers_are_as_far_apart_as_their_probabilities(void)
{
    const real a[3] = {800, 801, -5}, b[3] = {2, 1, 3};
    double     sum = 0;
    for (int64_t k = 0; k < 3; k++)
        sum += pow(logits_probability(a, 3, k) - logits_probability(b, 3, k), 2);
    CHECK_CLOSE(logits_distance(a, b, 3), sqrt(sum), 1e-14);
    CHECK(logits_distance(a, a, 3) == 0);
}

SUITE(models)
{
    RUN(answers_are_as_far_apart_as_their_probabilities);
    RUN(squeezenet_gives_the_published_scores);
    RUN(squeezenet_labels_photos_as_published);
    RUN(resnet20_labels_cifar);
    RUN(resnet56_labels_cifar);
    RUN(vision_transformer_labels_cifar);
    RUN(partial_vgg16_ends_where_its_weights_do);
    RUN(partial_resnet18_ends_where_its_weights_do);
    RUN(partial_resnet50_v2_ends_where_its_weights_do);
    RUN(layers_are_listed_in_order);
    RUN(requests_agree_with_each_other);
    RUN(size_of_the_input_may_be_chosen);
    RUN(impossible_requests_are_refused);
    RUN(wrong_tensors_are_refused);
    RUN(negative_variances_are_refused);
    RUN(nothing_leaks_when_memory_runs_out);
}
