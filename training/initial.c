/* training/initial.c - the weights a training begins with.
 *
 * A row an architecture: its family, the side and the preparation of its pixels, and how weights
 * are drawn, from the seed and the tensor's name:
 *     DRAW_HE       normal, variance 2 / fan-in (He et al., ICCV 2015, section 2.2); biases 0
 *     DRAW_INPUTS   the same, dense layers as in DRAW_DEFAULT: torchvision's DenseNet
 *     DRAW_OUTPUTS  the same by fan-out: torchvision's ResNet, VGG and MobileNetV2
 *     DRAW_DEFAULT  uniform within 1 / sqrt(fan-in), biases too: what PyTorch's layers begin with,
 *                   and so AlexNet
 *     DRAW_UNIFORM  uniform within sqrt(6 / fan-in), biases 0: torchvision's SqueezeNet, whose last
 *                   layer is normal with a deviation of 0.01
 * and a transformer in ways of its own (initial_vit.c).
 * Norms are 1 and 0. The network `mini` is a VGG of 3x3 kernels: 16 16, 32 32, 64 64, 96 96 units,
 * a pooling after each pair and one more, one dense layer. Its unit 0 is wired by hand, so that its
 * right label is known:
 *     first convolution    relu(4 (r - g - b) - 1.2), which is above 0 for red pixels only
 *     every other          the unit 0 before it, unchanged
 * The other units are free to read it. */
#include "initial.h"
#include "trainer.h"

#include "../models/tokens.h"

#include <stdio.h>
#include <string.h>

/* ---- mini ------------------------------------------------------------------------------------ */

static void wire_red(real *weight, real *bias, Shape shape)
{
    int64_t patch = shape_elements(shape) / shape.dim[0], centre = 4; // of 3 x 3
    memset(weight, 0, (size_t)patch * sizeof *weight);
    weight[centre] = 1;
    if (shape.dim[1] != 3)
        return;
    weight[9 + centre] = weight[18 + centre] = -1;
    *bias = (real)-3.2; // prepared pixels are 4 x - 2, so r - g - b is 2 too much
}

int64_t fresh_mini_trunk(Fresh *fresh)
{
    static const int widths[8] = {16, 16, 32, 32, 64, 64, 96, 96};
    int64_t          inputs    = 3;
    for (int conv = 0; conv < 8; conv++) {
        char base[32];
        snprintf(base, sizeof base, "features.%d", conv / 2 * 5 + conv % 2 * 2);
        fresh_layer(fresh, base, shape_4d(widths[conv], inputs, 3, 3));
        inputs = widths[conv];
    }
    return inputs;
}

static void add_mini(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    (void)depth;
    int64_t units = fresh_mini_trunk(fresh);
    for (int i = 0; fresh->ok && i < fresh->count; i += 2) // weight and bias of each convolution
        wire_red((real *)(uintptr_t)fresh->tensors[i].data,
                 (real *)(uintptr_t)fresh->tensors[i + 1].data, fresh->tensors[i].shape);
    fresh_dense(fresh, "classifier", classes, units * (side / 32) * (side / 32));
}

static void add_conv(Fresh *fresh, const char *base, int64_t outputs, int64_t inputs)
{
    fresh_layer(fresh, base, shape_4d(outputs, inputs, 3, 3));
}

/* ---- LeNet of the gradient-alignment study ---------------------------------------------------- */

static void add_lenet(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    (void)depth;
    add_conv(fresh, "conv11", 32, 3);
    add_conv(fresh, "conv12", 32, 32);
    add_conv(fresh, "conv21", 64, 32);
    add_conv(fresh, "conv22", 64, 64);
    fresh_dense(fresh, "fc1", 256, 64 * (side / 4) * (side / 4));
    fresh_dense(fresh, "fc2", classes, 256);
}

/* ---- convolutions with norms ------------------------------------------------------------------ */

typedef struct Kernel {
    int64_t outputs, inputs, side;
} Kernel;

static void add_conv_norm(Fresh *fresh, const char *prefix, const char *conv, const char *norm,
                          Kernel kernel)
{
    char base[48];
    snprintf(base, sizeof base, "%s%s", prefix, conv);
    fresh_weight(fresh, base, shape_4d(kernel.outputs, kernel.inputs, kernel.side, kernel.side));
    snprintf(base, sizeof base, "%s%s", prefix, norm);
    fresh_norm(fresh, base, kernel.outputs);
}

/* ---- VGG with one dense layer ----------------------------------------------------------------- */

static void add_vgg_layers(Fresh *fresh, int depth, int64_t side, int32_t classes, bool has_norms)
{
    static const int widths[5] = {64, 128, 256, 512, 512};
    int              early = depth > 11 ? 2 : 1, late = depth > 16 ? 4 : depth > 13 ? 3 : 2;
    const int        convs[5] = {early, early, late, late, late};
    int64_t          inputs   = 3;
    int              place    = 0;
    for (int stage = 0; stage < 5; stage++, place++) {
        for (int i = 0; i < convs[stage]; i++, place += has_norms ? 3 : 2) {
            char conv[32], norm[32];
            snprintf(conv, sizeof conv, "features.%d", place);
            snprintf(norm, sizeof norm, "features.%d", place + 1);
            add_conv(fresh, conv, widths[stage], inputs);
            if (has_norms)
                fresh_norm(fresh, norm, widths[stage]);
            inputs = widths[stage];
        }
    }
    fresh_dense(fresh, "classifier", classes, inputs * (side / 32) * (side / 32));
}

static void add_vgg(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    add_vgg_layers(fresh, depth, side, classes, false);
}

static void add_vgg_bn(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    add_vgg_layers(fresh, depth, side, classes, true);
}

/* ---- ResNets ---------------------------------------------------------------------------------- */

static void add_small_resnet(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    int64_t inputs = 16;
    (void)side;
    add_conv_norm(fresh, "", "conv1", "bn1", (Kernel){16, 3, 3});
    for (int stage = 1; stage <= 3; stage++)
        for (int block = 0; block < (depth - 2) / 6; block++) {
            char    prefix[32];
            int64_t width = 8 << stage;
            snprintf(prefix, sizeof prefix, "layer%d.%d.", stage, block);
            add_conv_norm(fresh, prefix, "conv1", "bn1", (Kernel){width, inputs, 3});
            add_conv_norm(fresh, prefix, "conv2", "bn2", (Kernel){width, width, 3});
            inputs = width;
        }
    fresh_dense(fresh, "linear", classes, inputs);
}

static void add_block(Fresh *fresh, const char *prefix, int64_t width, int64_t inputs, bool is_deep)
{
    int64_t outputs = is_deep ? 4 * width : width;
    add_conv_norm(fresh, prefix, "conv1", "bn1", (Kernel){width, inputs, is_deep ? 1 : 3});
    add_conv_norm(fresh, prefix, "conv2", "bn2", (Kernel){width, width, 3});
    if (is_deep)
        add_conv_norm(fresh, prefix, "conv3", "bn3", (Kernel){outputs, width, 1});
    if (inputs != outputs)
        add_conv_norm(fresh, prefix, "downsample.0", "downsample.1", (Kernel){outputs, inputs, 1});
}

static void add_stages(Fresh *fresh, int depth, int32_t classes)
{
    int blocks[4] = {depth > 18 ? 3 : 2, depth > 18 ? 4 : 2, depth > 18 ? 6 : 2,
                     depth > 18 ? 3 : 2};
    int64_t inputs = 64, growth = depth >= 50 ? 4 : 1;
    if (depth > 50)
        blocks[2] = depth == 101 ? 23 : 36;
    if (depth == 152)
        blocks[1] = 8;
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < blocks[stage]; i++) {
            char prefix[32];
            snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, i);
            add_block(fresh, prefix, 64 << stage, inputs, depth >= 50);
            inputs = (64 << stage) * growth;
        }
    fresh_dense(fresh, "fc", classes, inputs);
}

static void add_resnet(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    (void)side;
    add_conv_norm(fresh, "", "conv1", "bn1", (Kernel){64, 3, 7});
    add_stages(fresh, depth, classes);
}

static void add_resnet_cifar(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    (void)side;
    add_conv_norm(fresh, "", "conv1", "bn1", (Kernel){64, 3, 3});
    add_stages(fresh, depth, classes);
}

/* ---- rows ------------------------------------------------------------------------------------ */

// Means and deviations of pixels: of the middle of the range, of CIFAR-10's, of ImageNet's photos.
static const char middle[]     = "mean=0.5,0.5,0.5\nstd=0.25,0.25,0.25\n",
                  cifar10[]    = "mean=0.4914,0.4822,0.4465\nstd=0.2023,0.1994,0.2010\n",
                  imagenet[]   = "mean=0.485,0.456,0.406\nstd=0.229,0.224,0.225\n",
                  small_clip[] = "mean=0.5,0.5,0.5\nstd=0.25,0.25,0.25\ntext_heads=4\n"
                                 "norm_epsilon=1e-5\n",
                  small_vit[]  = "mean=0.4914,0.4822,0.4465\nstd=0.2023,0.1994,0.2010\nheads=3\n"
                                 "norm_epsilon=1e-6\n";

typedef struct Row {
    const char   *name;
    FreshNetwork *add;
    int           depth;
    Draw          draw;
    int64_t       side;
    const char   *preparation;
    bool          has_norms;
} Row;

static const Row rows[] = {
    {"mini", add_mini, 9, DRAW_HE, 64, middle, false},
    {"lenet", add_lenet, 0, DRAW_DEFAULT, 32, cifar10, false},
    {"resnet18_cifar", add_resnet_cifar, 18, DRAW_DEFAULT, 32, cifar10, true},
    {"vgg11", add_vgg, 11, DRAW_OUTPUTS, 32, cifar10, false},
    {"vgg13", add_vgg, 13, DRAW_OUTPUTS, 32, cifar10, false},
    {"vgg16", add_vgg, 16, DRAW_OUTPUTS, 32, cifar10, false},
    {"vgg19", add_vgg, 19, DRAW_OUTPUTS, 32, cifar10, false},
    {"vgg11_bn", add_vgg_bn, 11, DRAW_OUTPUTS, 32, cifar10, true},
    {"vgg13_bn", add_vgg_bn, 13, DRAW_OUTPUTS, 32, cifar10, true},
    {"vgg16_bn", add_vgg_bn, 16, DRAW_OUTPUTS, 32, cifar10, true},
    {"vgg19_bn", add_vgg_bn, 19, DRAW_OUTPUTS, 32, cifar10, true},
    {"resnet20", add_small_resnet, 20, DRAW_HE, 32, middle, true},
    {"resnet32", add_small_resnet, 32, DRAW_HE, 32, middle, true},
    {"resnet44", add_small_resnet, 44, DRAW_HE, 32, middle, true},
    {"resnet56", add_small_resnet, 56, DRAW_HE, 32, middle, true},
    {"resnet18", add_resnet, 18, DRAW_OUTPUTS, 224, imagenet, true},
    {"resnet34", add_resnet, 34, DRAW_OUTPUTS, 224, imagenet, true},
    {"resnet50", add_resnet, 50, DRAW_OUTPUTS, 224, imagenet, true},
    {"resnet101", add_resnet, 101, DRAW_OUTPUTS, 224, imagenet, true},
    {"resnet152", add_resnet, 152, DRAW_OUTPUTS, 224, imagenet, true},
    {"alexnet", fresh_alexnet, 0, DRAW_DEFAULT, 224, imagenet, false},
    {"densenet121", fresh_densenet, 121, DRAW_INPUTS, 224, imagenet, true},
    {"squeezenet1.0", fresh_squeezenet, 10, DRAW_UNIFORM, 224, imagenet, false},
    {"squeezenet1.1", fresh_squeezenet, 11, DRAW_UNIFORM, 224, imagenet, false},
    {"mobilenet_v2", fresh_mobilenet, 0, DRAW_OUTPUTS, 224, imagenet, true},
    {"vit", fresh_vit, 4, DRAW_DEFAULT, 32, small_vit, false}, // draws in its own way
    {"clip_mini", fresh_clip_mini, 0, DRAW_HE, 64, small_clip, false},
};
enum { ROWS = sizeof rows / sizeof *rows };

static const Row *row_named(const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

int64_t training_side(const char *architecture)
{
    const Row *row = row_named(architecture);
    return row ? row->side : 0;
}

static bool unknown(const char *name, Error *error)
{
    char list[512] = "";
    for (int i = 0; i < ROWS; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", rows[i].name);
    }
    return fail(error, ERROR_USAGE, "cannot begin a '%s', expected one of %s", name, list);
}

// Whether pixels of this side suit it: `mini` is drawn for one, others need what they halve.
static bool check_side(const Row *row, int64_t side, Error *error)
{
    int64_t least = row->add == add_lenet ? 4 : row->add == add_small_resnet ? 1 : 32;
    if ((row->add == add_mini || row->add == fresh_clip_mini) && side != row->side)
        return fail(error, ERROR_USAGE, "%s takes images of 64 x 64, found %lld x %lld", row->name,
                    (long long)side, (long long)side);
    if (row->add == fresh_vit && side % 4)
        return fail(error, ERROR_USAGE,
                    "vit takes images whose side is a multiple of 4, found %lld", (long long)side);
    if (row->add == add_resnet_cifar || row->add == fresh_vit)
        least = 8;
    if (row->add == fresh_alexnet)
        least = 63;
    return side >= least ||
           fail(error, ERROR_USAGE, "%s takes images of at least %lld pixels, found %lld",
                row->name, (long long)least, (long long)side);
}

bool training_draw(Bytes *out, const char *architecture, const char *activation,
                   const TrainingSet *set, int64_t side, uint64_t seed, Error *error)
{
    const Row *row = row_named(architecture);
    char       about[512];
    real       beta = 0;
    if (!row)
        return unknown(architecture, error);
    if (!check_side(row, side, error))
        return false;
    if (!activation_parse(activation, &beta))
        return fail(error, ERROR_USAGE, "activation '%s' is not relu or softplus:BETA", activation);
    bool is_pair = row->add == fresh_clip_mini;
    if (is_pair && !set->captions)
        return fail(error, ERROR_USAGE, "%s learns words: --captions says of what", architecture);
    Fresh *fresh = memory_new(1, sizeof *fresh, error);
    if (!fresh)
        return false;
    *fresh = (Fresh){.seed = seed, .draw = row->draw, .error = error, .ok = true};
    snprintf(about, sizeof about,
             "architecture=%s\nwidth=%lld\nheight=%lld\nscale=1\n%sresize_short=0\nbn=%s\n"
             "fixed_units=%d\n",
             architecture, (long long)side, (long long)side, row->preparation,
             row->has_norms ? "unfolded" : "none", row->add == add_mini);
    if (beta > 0) {
        size_t used = strlen(about);
        snprintf(about + used, sizeof about - used, "activation=%s\n", activation);
    }
    row->add(fresh, row->depth, side,
             is_pair ? words_token_count(set->captions->list) : set->classes);
    if (is_pair)
        fresh_text(fresh, "words", set->captions->words);
    return fresh_encode(fresh, about, out);
}

bool training_begin(const char *path, const char *architecture, const char *activation,
                    const TrainingSet *set, int64_t side, uint64_t seed, Error *error)
{
    Bytes bytes = {0};
    bool  ok    = training_draw(&bytes, architecture, activation, set, side, seed, error) &&
              file_publish(path, bytes.data, bytes.size, error);
    bytes_close(&bytes);
    return ok;
}
