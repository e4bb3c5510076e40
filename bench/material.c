/* bench/material.c - seeded random weights for whole networks. */
#include "bench.h"

#include "../base/file.h"
#include "../tests/blob_builder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void material_fill(real *values, size_t count, const char *purpose, real centre, real spread)
{
    uint64_t key = random_key(0, purpose);
    for (size_t i = 0; i < count; i++) {
        RandomBlock block = random_block(key, 0, i / 4);
        values[i]         = centre + spread * (2 * (real)random_unit(block.word[i % 4]) - 1);
    }
}

/* ---- weights: spread so that activations keep their size from layer to layer ----------------- */

static void conv(BlobBuilder *builder, const char *base, int64_t kernels, int64_t channels,
                 int side)
{
    char  name[96];
    float spread = sqrtf(6.0f / (float)(channels * side * side));
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape_4d(kernels, channels, side, side), 0, 0, spread);
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(kernels), 0, 0, 0.1f);
}

static void dense(BlobBuilder *builder, const char *base, int64_t outputs, int64_t inputs)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape_2d(outputs, inputs), 0, 0,
                        sqrtf(6.0f / (float)inputs));
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(outputs), 0, 0, 0.1f);
}

// Whether what was just built is all that is wanted.
static bool is_last(const Options *options, const char *layer, int stage, int number)
{
    char name[32];
    snprintf(name, sizeof name, layer, stage + 1, number + 1);
    return options->upto && strcmp(options->upto, name) == 0;
}

static void vgg(BlobBuilder *builder, const int *convs, const Options *options)
{
    int64_t channels = 3;
    int     place    = 0;
    for (int stage = 0; stage < 5; stage++, place++) // the pooling has a place too
        for (int i = 0; i < convs[stage]; i++, place += 2) {
            int64_t kernels = stage < 3 ? 64 << stage : 512;
            char    base[32];
            snprintf(base, sizeof base, "features.%d", place);
            conv(builder, base, kernels, channels, 3);
            channels = kernels;
            if (is_last(options, "conv%d_%d", stage, i))
                return;
        }
    dense(builder, "classifier.0", 4096, 512 * 7 * 7);
    dense(builder, "classifier.3", 4096, 4096);
    dense(builder, "classifier.6", 1000, 4096);
}

/* Norms folded into their convolutions, as the converter does. */
static void resnet(BlobBuilder *builder, const int *blocks, bool is_deep, const Options *options)
{
    int64_t channels = 64;
    conv(builder, "conv1", 64, 3, 7);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < blocks[stage]; i++) {
            int64_t width = 64 << stage, kernels = is_deep ? 4 * width : width;
            char    base[48];
#define IN_BLOCK(part) (snprintf(base, sizeof base, "layer%d.%d." part, stage + 1, i), base)
            if (is_deep) {
                conv(builder, IN_BLOCK("conv1"), width, channels, 1);
                conv(builder, IN_BLOCK("conv2"), width, width, 3);
                conv(builder, IN_BLOCK("conv3"), kernels, width, 1);
            } else {
                conv(builder, IN_BLOCK("conv1"), width, channels, 3);
                conv(builder, IN_BLOCK("conv2"), width, width, 3);
            }
            if (i == 0 && channels != kernels)
                conv(builder, IN_BLOCK("downsample.0"), kernels, channels, 1);
            channels = kernels;
#undef IN_BLOCK
        }
        if (is_last(options, "layer%d", stage, 0))
            return;
    }
    dense(builder, "fc", 1000, channels);
}

static void norm(BlobBuilder *builder, const char *base, int64_t width)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape_1d(width), 0, 1, 0.1f);
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(width), 0, 0, 0.1f);
}

/* Torchvision's ViT-B/16. */
static void vit_b_16(BlobBuilder *builder)
{
    enum { WIDTH = 768, DEPTH = 12, SIDE = 16, TOKENS = 197 };
    conv(builder, "conv_proj", WIDTH, 3, SIDE);
    blob_builder_random(builder, "class_token", shape_3d(1, 1, WIDTH), 0, 0, 0.5f);
    blob_builder_random(builder, "encoder.pos_embedding", shape_3d(1, TOKENS, WIDTH), 0, 0, 0.5f);
    for (int i = 0; i < DEPTH; i++) {
        char base[80];
#define IN_BLOCK(part)                                                                             \
    (snprintf(base, sizeof base, "encoder.layers.encoder_layer_%d." part, i), base)
        norm(builder, IN_BLOCK("ln_1"), WIDTH);
        blob_builder_random(builder, IN_BLOCK("self_attention.in_proj_weight"),
                            shape_2d(3 * WIDTH, WIDTH), 0, 0, sqrtf(3.0f / WIDTH));
        blob_builder_random(builder, IN_BLOCK("self_attention.in_proj_bias"), shape_1d(3 * WIDTH),
                            0, 0, 0.1f);
        dense(builder, IN_BLOCK("self_attention.out_proj"), WIDTH, WIDTH);
        norm(builder, IN_BLOCK("ln_2"), WIDTH);
        dense(builder, IN_BLOCK("mlp.0"), 4 * WIDTH, WIDTH);
        dense(builder, IN_BLOCK("mlp.3"), WIDTH, 4 * WIDTH);
#undef IN_BLOCK
    }
    norm(builder, "encoder.ln", WIDTH);
    dense(builder, "heads.head", 1000, WIDTH);
    blob_builder_about(builder, "architecture", "vit");
    blob_builder_about(builder, "heads", "12");
    blob_builder_about(builder, "norm_epsilon", "1e-06");
}

/* ---- networks that filter every channel on its own ------------------------------------------- */

typedef struct Stage {
    int64_t channels; // of its outputs
    int     side, blocks;
} Stage;

static const Stage mobile_stages[7]    = {{16, 3, 1}, {24, 3, 2},  {32, 3, 3}, {64, 3, 4},
                                          {96, 3, 3}, {160, 3, 3}, {320, 3, 1}};
static const Stage efficient_stages[7] = {{16, 3, 1},  {24, 3, 2},  {40, 5, 2}, {80, 3, 3},
                                          {112, 5, 3}, {192, 5, 4}, {320, 3, 1}};

#define IN(base, part) (snprintf(name, sizeof name, "%s." part, base), name)

// A block that widens its channels six times, but for the first stage's.
static void inverted(BlobBuilder *builder, const char *base, int64_t inputs, const Stage *stage,
                     bool is_wider, bool is_excited)
{
    char    name[64];
    int64_t inner = is_wider ? 6 * inputs : inputs;
    int     place = is_wider;
    if (is_wider)
        conv(builder, IN(base, "0.0"), inner, inputs, 1);
    conv(builder, is_wider ? IN(base, "1.0") : IN(base, "0.0"), inner, 1, (int)stage->side);
    if (is_excited) {
        conv(builder, is_wider ? IN(base, "2.fc1") : IN(base, "1.fc1"), inputs / 4, inner, 1);
        conv(builder, is_wider ? IN(base, "2.fc2") : IN(base, "1.fc2"), inner, inputs / 4, 1);
    }
    snprintf(name, sizeof name, "%s.%d%s", base, place + 1 + is_excited, is_excited ? ".0" : "");
    conv(builder, name, stage->channels, inner, 1);
}

/* Norms folded, as above. MobileNetV2 numbers its blocks through, EfficientNet within a stage. */
static void inverted_network(BlobBuilder *builder, const Stage *stages, bool is_excited)
{
    char    base[48];
    int64_t channels = 32;
    int     number   = 0;
    conv(builder, "features.0.0", channels, 3, 3);
    for (int stage = 0; stage < 7; stage++)
        for (int i = 0; i < stages[stage].blocks; i++) {
            number++;
            if (is_excited)
                snprintf(base, sizeof base, "features.%d.%d.block", stage + 1, i);
            else
                snprintf(base, sizeof base, "features.%d.conv", number);
            inverted(builder, base, channels, &stages[stage], stage > 0, is_excited);
            channels = stages[stage].channels;
        }
    conv(builder, is_excited ? "features.8.0" : "features.18.0", 1280, channels, 1);
    dense(builder, "classifier.1", 1000, 1280);
}

static const struct {
    const char *name;
    bool        is_vgg, is_deep;
    int         counts[5]; // convolutions of a VGG stage, blocks of a ResNet stage
} families[] = {
    {"vgg11", true, false, {1, 1, 2, 2, 2}},      {"vgg13", true, false, {2, 2, 2, 2, 2}},
    {"vgg16", true, false, {2, 2, 3, 3, 3}},      {"vgg19", true, false, {2, 2, 4, 4, 4}},
    {"resnet18", false, false, {2, 2, 2, 2, 0}},  {"resnet34", false, false, {3, 4, 6, 3, 0}},
    {"resnet50", false, true, {3, 4, 6, 3, 0}},   {"resnet101", false, true, {3, 4, 23, 3, 0}},
    {"resnet152", false, true, {3, 8, 36, 3, 0}},
};

static bool fill(BlobBuilder *builder, const Options *options)
{
    if (strcmp(options->arch, "vit_b_16") == 0) {
        vit_b_16(builder);
        return true;
    }
    bool is_excited = strcmp(options->arch, "efficientnet_b0") == 0;
    if (is_excited || strcmp(options->arch, "mobilenet_v2") == 0) {
        inverted_network(builder, is_excited ? efficient_stages : mobile_stages, is_excited);
        return true;
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (strcmp(families[i].name, options->arch) != 0)
            continue;
        if (families[i].is_vgg)
            vgg(builder, families[i].counts, options);
        else
            resnet(builder, families[i].counts, families[i].is_deep, options);
        return true;
    }
    return false;
}

bool material_save(const Options *options, const char *path, Error *error)
{
    BlobBuilder *builder = blob_builder_new(options->arch, 224, 224);
    blob_builder_about(builder, "mean", "0.485,0.456,0.406");
    blob_builder_about(builder, "std", "0.229,0.224,0.225");
    bool ok =
        fill(builder, options)
            ? blob_builder_save(builder, path, error)
            : fail(error, ERROR_USAGE,
                   "no random weights for '%s', expected vgg11, vgg13, vgg16, vgg19, resnet18, "
                   "resnet34, resnet50, resnet101, resnet152, mobilenet_v2, efficientnet_b0 or "
                   "vit_b_16",
                   options->arch);
    blob_builder_free(builder);
    return ok;
}

bool material_blob(WeightBlob **out, const Options *options, Error *error)
{
    char folder[LIMIT_PATH], path[LIMIT_PATH];
    if (!folder_temporary(folder, error))
        return false;
    bool ok = path_join(path, folder, "random.nw", error) && material_save(options, path, error) &&
              blob_open(path, out, error); // the blob outlives the name
    folder_discard(folder);
    return ok;
}
