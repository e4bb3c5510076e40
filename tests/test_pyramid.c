/* tests/test_pyramid.c - what MILAN's captioner sees of an image: features under masks, beside
 * PyTorch's, and the resampling of masks on the way. */
#include "blob_builder.h"
#include "program.h"
#include "published.h"
#include "test.h"

#include "../base/file.h"
#include "../models/pyramid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one axis -------------------------------------------------------------------------------- */

// A square map of in x in, brought to out x out.
static void resample(const double *map, int64_t in, int64_t out, AxisEnd end, double *result)
{
    Axis axis = {0};
    REQUIRE(axis_half_pixel(&axis, in, out, end, NULL));
    for (int64_t row = 0; row < out; row++)
        for (int64_t column = 0; column < out; column++) {
            double sum = 0;
            for (int32_t v = 0; v < axis.count[row]; v++)
                for (int32_t u = 0; u < axis.count[column]; u++)
                    sum += axis.weight[row * axis.room + v] * axis.weight[column * axis.room + u] *
                           map[(axis.first[row] + v) * in + axis.first[column] + u];
            *result++ = sum;
        }
    axis_close(&axis);
}

static const double four[] = {0, 1, 2, 3}; // [2, 2]

static void ends_are_clamped(void)
{
    static const double want[] = {0,   .25,  .75,  1,   .5, .75,  1.25, 1.5,
                                  1.5, 1.75, 2.25, 2.5, 2,  2.25, 2.75, 3};
    double              found[16];
    resample(four, 2, 4, AXIS_CLAMPED, found);
    for (int i = 0; i < 16; i++)
        CHECK(found[i] == want[i]);
}

static void ends_fade_to_zeros(void)
{
    static const double want[] = {0,     .1875, .5625, .5625, .375,  .75,    1.25,   1.125,
                                  1.125, 1.75,  2.25,  1.875, 1.125, 1.6875, 2.0625, 1.6875};
    double              found[16];
    resample(four, 2, 4, AXIS_ZEROS, found);
    for (int i = 0; i < 16; i++)
        CHECK(found[i] == want[i]);
}

static void a_single_value_is_everywhere(void)
{
    static const double one = 3;
    double              found[9];
    resample(&one, 1, 3, AXIS_ZEROS, found);
    for (int i = 0; i < 9; i++)
        CHECK(found[i] == 3);
}

static void shrinking_reads_the_two_at_the_centre(void)
{
    Axis axis = {0};
    REQUIRE(axis_half_pixel(&axis, 224, 7, AXIS_CLAMPED, NULL));
    for (int32_t i = 0; i < 7; i++)
        CHECK(axis.first[i] == 32 * i + 15 && axis.count[i] == 2 && axis.weight[2 * i] == 0.5 &&
              axis.weight[2 * i + 1] == 0.5);
    axis_close(&axis);
    REQUIRE(axis_half_pixel(&axis, 4, 2, AXIS_CLAMPED, NULL));
    for (int32_t i = 0; i < 2; i++)
        CHECK(axis.first[i] == 2 * i && axis.weight[2 * i] == 0.5);
    axis_close(&axis);
}

/* ---- features -------------------------------------------------------------------------------- */

enum {
    SIDE     = 224,
    IMAGES   = 3,
    PIXELS   = 3 * SIDE * SIDE,
    MASK     = SIDE * SIDE,
    FEATURES = 128, // of the published thin ResNet, and of the drawn AlexNet
};

typedef struct Material {
    real    *pixels; // [IMAGES, 3, SIDE, SIDE]
    uint8_t *masks;  // [IMAGES, SIDE, SIDE]: a disc; scattered pixels; one that deep layers miss
} Material;

static bool material_make(Material *out)
{
    Random random = random_stream(5, "pyramid");
    out->pixels   = memory_new((size_t)IMAGES * PIXELS, sizeof *out->pixels, NULL);
    out->masks    = memory_new((size_t)IMAGES * MASK, 1, NULL);
    if (!CHECK(out->pixels && out->masks))
        return false;
    for (int64_t i = 0; i < (int64_t)IMAGES * PIXELS; i++)
        out->pixels[i] = (real)random_unit(random_word(&random));
    for (int64_t y = 0; y < SIDE; y++)
        for (int64_t x = 0; x < SIDE; x++) {
            int64_t at                = y * SIDE + x;
            out->masks[at]            = (y - 90) * (y - 90) + (x - 60) * (x - 60) < 2500;
            out->masks[MASK + at]     = random_word(&random) % 50 == 0;
            out->masks[2 * MASK + at] = y < 3 && x >= 30 && x < 40;
        }
    return true;
}

static void material_free(Material *material)
{
    memory_free(material->pixels);
    memory_free(material->masks);
}

static bool run_pyramid(Pyramid *pyramid, const Material *material, real *out)
{
    PyramidMask masks[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        masks[i] = (PyramidMask){i, material->masks + (size_t)i * MASK, out + (size_t)i * FEATURES};
    if (!CHECK(pyramid->features == FEATURES && pyramid->level_count == 5))
        return false;
    pyramid_run(pyramid, material->pixels, IMAGES);
    pyramid_pool(pyramid, masks, IMAGES);
    return true;
}

static bool torch_features(const char *blob, const Material *material, double *out)
{
    char  command[4 * LIMIT_PATH];
    Bytes file = {0};
    bool  ok   = file_publish(in_folder("pixels"), material->pixels,
                              (size_t)IMAGES * PIXELS * sizeof *material->pixels, NULL) &&
              file_publish(in_folder("masks"), material->masks, (size_t)IMAGES * MASK, NULL);
    snprintf(command, sizeof command, "/usr/bin/python3 tests/pyramid_torch.py '%s' '%s' '%s' '%s'",
             blob, in_folder("pixels"), in_folder("masks"), in_folder("features"));
    ok = ok && CHECK(system(command) == 0) &&
         file_read(in_folder("features"), LIMIT_ARRAY_FILE, &file, NULL) &&
         CHECK(file.size == (size_t)IMAGES * FEATURES * sizeof *out);
    if (ok)
        memcpy(out, file.data, file.size);
    bytes_close(&file);
    return ok;
}

// A captioner's blob whose encoder is a thin AlexNet, without a decoder.
static bool save_alexnet(const char *path)
{
    static const struct {
        int place, outputs, inputs, side;
    } convs[5] = {{0, 8, 3, 11}, {3, 16, 8, 5}, {6, 32, 16, 3}, {8, 32, 32, 3}, {10, 40, 32, 3}};
    BlobBuilder *builder = blob_builder_new("milan", SIDE, SIDE);
    blob_builder_about(builder, "encoder", "alexnet");
    blob_builder_about(builder, "mean", "0.485,0.456,0.406");
    blob_builder_about(builder, "std", "0.229,0.224,0.225");
    for (int i = 0; i < 5; i++) {
        int64_t inputs = (int64_t)convs[i].inputs * convs[i].side * convs[i].side;
        Shape   shape  = shape_4d(convs[i].outputs, convs[i].inputs, convs[i].side, convs[i].side);
        char    name[64];
        snprintf(name, sizeof name, "encoder.encoder.model.features.%d.weight", convs[i].place);
        blob_builder_random(builder, name, shape, 9, 0, 3 / sqrtf((float)inputs));
        snprintf(name, sizeof name, "encoder.encoder.model.features.%d.bias", convs[i].place);
        blob_builder_random(builder, name, shape_1d(convs[i].outputs), 9, 0, 0.1f);
    }
    bool saved = blob_builder_save(builder, path, NULL);
    blob_builder_free(builder);
    return CHECK(saved);
}

static void alexnet_is_read_behind_its_activations(void)
{
    WeightBlob *blob     = NULL;
    Pyramid     pyramid  = {0};
    Material    material = {0};
    real        found[IMAGES * FEATURES];
    double      want[IMAGES * FEATURES];
    if (!torch_exists())
        SKIP("no PyTorch");
    REQUIRE(save_alexnet(in_folder("alexnet.nw")) &&
            blob_open(in_folder("alexnet.nw"), &blob, NULL));
    if (material_make(&material) && CHECK(pyramid_open(&pyramid, blob, IMAGES, NULL)) &&
        run_pyramid(&pyramid, &material, found) &&
        CHECK(torch_features(blob_path(blob), &material, want)))
        CHECK_CLOSE(published_error(found, want, (int64_t)IMAGES * FEATURES), 0, 1e-5);
    pyramid_close(&pyramid);
    material_free(&material);
    blob_close(blob);
}

static void features_are_those_of_the_published_rule(void)
{
    WeightBlob *blob     = published_network("reference/milan_thin.pth", "");
    Pyramid     pyramid  = {0};
    Material    material = {0};
    real        found[IMAGES * FEATURES], alone[FEATURES];
    double      want[IMAGES * FEATURES];
    if (!blob || !torch_exists()) {
        blob_close(blob);
        SKIP("no milan_thin.pth, or no PyTorch");
    }
    if (material_make(&material) && CHECK(pyramid_open(&pyramid, blob, IMAGES, NULL)) &&
        run_pyramid(&pyramid, &material, found) &&
        CHECK(torch_features(blob_path(blob), &material, want))) {
        CHECK_CLOSE(published_error(found, want, (int64_t)IMAGES * FEATURES), 0, 1e-5);
        int zeros = 0; // the small mask is seen in conv1 and layer1 alone
        for (int i = 0; i < FEATURES; i++)
            zeros += found[2 * FEATURES + i] == 0;
        CHECK(zeros >= 112 && found[2 * FEATURES] != 0);
        pyramid_run(&pyramid, material.pixels + PIXELS, 1); // the second image alone
        pyramid_pool(&pyramid, &(PyramidMask){0, material.masks + MASK, alone}, 1);
        CHECK(memcmp(alone, found + FEATURES, sizeof alone) == 0);
    }
    pyramid_close(&pyramid);
    material_free(&material);
    blob_close(blob);
}

static void a_network_without_known_layers_is_refused(void)
{
    Pyramid     pyramid = {0};
    WeightBlob *blob    = NULL;
    Error       error   = {0};
    REQUIRE(blob_open("models/zoo/lenet-ce-1.nw", &blob, NULL));
    CHECK(!pyramid_open(&pyramid, blob, 1, &error) && error.code == ERROR_DATA);
    CHECK(strstr(error.message, "its encoder is 'lenet', expected resnet18") != NULL);
    blob_close(blob);
}

static void the_small_network_has_a_pyramid(void)
{
    Pyramid     pyramid = {0};
    WeightBlob *blob    = NULL;
    REQUIRE(blob_open("demo/mini.nw", &blob, NULL));
    if (CHECK(pyramid_open(&pyramid, blob, 2, NULL))) {
        CHECK(pyramid.level_count == 4);
        size_t   pixels = (size_t)(3 * pyramid.runner.image_height * pyramid.runner.image_width);
        uint8_t *mask   = memory_new(pixels / 3, 1, NULL);
        real    *image  = memory_new(pixels, sizeof *image, NULL);
        real    *out    = memory_new((size_t)pyramid.features, sizeof *out, NULL);
        memset(mask, 1, pixels / 3);
        pyramid_run(&pyramid, image, 1);
        pyramid_pool(&pyramid, &(PyramidMask){0, mask, out}, 1);
        for (int64_t i = 0; i < pyramid.features; i++)
            CHECK(out[i] >= 0); // behind a ReLU
        memory_free(mask);
        memory_free(image);
        memory_free(out);
    }
    pyramid_close(&pyramid);
    blob_close(blob);
}

static void out_of_memory_leaves_nothing(void)
{
    WeightBlob *blob = NULL;
    bool        done = false;
    REQUIRE(blob_open("demo/mini.nw", &blob, NULL));
    for (int call = 1; !done && call < 400; call += call < 40 ? 1 : 7) {
        Pyramid pyramid = {0};
        Error   error   = {0};
        int64_t blocks  = memory_live_blocks();
        memory_fail_at(call, false);
        done = pyramid_open(&pyramid, blob, 1, &error);
        memory_fail_at(0, false);
        CHECK(done || error.code == ERROR_MEMORY);
        pyramid_close(&pyramid);
        CHECK(done || memory_live_blocks() == blocks);
    }
    CHECK(done);
    blob_close(blob);
}

SUITE(pyramid)
{
    RUN(ends_are_clamped);
    RUN(ends_fade_to_zeros);
    RUN(a_single_value_is_everywhere);
    RUN(shrinking_reads_the_two_at_the_centre);
    RUN(features_are_those_of_the_published_rule);
    RUN(alexnet_is_read_behind_its_activations);
    RUN(a_network_without_known_layers_is_refused);
    RUN(the_small_network_has_a_pyramid);
    RUN(out_of_memory_leaves_nothing);
}
