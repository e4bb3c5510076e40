/* training/initial.c - the weights a training begins with.
 *
 * Drawn weights: normal, variance 2 / fan-in (He et al., ICCV 2015, section 2.2), from the seed and
 * the tensor's name. The network `mini` is a VGG of 3x3 kernels: 16 16, 32 32, 64 64, 96 96 units,
 * a pooling after each pair and one more, one dense layer. Its unit 0 is wired by hand, so that its
 * right label is known:
 *     first convolution    relu(4 (r - g - b) - 1.2), which is above 0 for red pixels only
 *     every other          the unit 0 before it, unchanged
 * The other units are free to read it. */
#include "trainer.h"

#include "../base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FRESH = 256 };

typedef struct Fresh {
    BlobTensor tensors[MOST_FRESH];
    char       names[MOST_FRESH][64];
    int        count;
    uint64_t   seed;
    Error     *error;
    bool       ok;
} Fresh;

// A tensor of `value`; the data to fill further, or NULL.
static real *add(Fresh *fresh, const char *base, const char *part, Shape shape, real value)
{
    size_t count = (size_t)shape_elements(shape);
    real  *data  = fresh->ok ? memory_new(count, sizeof(real), fresh->error) : NULL;
    fresh->ok    = data != NULL;
    if (!data)
        return NULL;
    for (size_t i = 0; i < count; i++)
        data[i] = value;
    snprintf(fresh->names[fresh->count], sizeof fresh->names[0], "%s.%s", base, part);
    fresh->tensors[fresh->count] = (BlobTensor){
        .name = fresh->names[fresh->count], .type = BLOB_F32, .shape = shape, .data = data};
    fresh->count++;
    return data;
}

static real *add_drawn(Fresh *fresh, const char *base, Shape shape)
{
    size_t count = (size_t)shape_elements(shape);
    double scale = sqrt(2.0 * (double)shape.dim[0] / (double)count);
    real  *data  = add(fresh, base, "weight", shape, 0);
    if (!data)
        return NULL;
    uint64_t key = random_key(fresh->seed, fresh->names[fresh->count - 1]);
    for (size_t i = 0; i < count; i++) {
        RandomBlock block = random_block(key, 0, i);
        double      a, b;
        random_gaussian(block.word[0], block.word[1], &a, &b);
        data[i] = (real)(scale * a);
    }
    return data;
}

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

static void add_mini(Fresh *fresh, int32_t classes)
{
    static const int widths[8] = {16, 16, 32, 32, 64, 64, 96, 96};
    int64_t          inputs    = 3;
    for (int conv = 0; conv < 8; conv++) {
        char  base[32];
        Shape shape = shape_4d(widths[conv], inputs, 3, 3);
        snprintf(base, sizeof base, "features.%d", conv / 2 * 5 + conv % 2 * 2);
        real *weight = add_drawn(fresh, base, shape);
        real *bias   = add(fresh, base, "bias", shape_1d(widths[conv]), 0);
        if (weight && bias)
            wire_red(weight, bias, shape);
        inputs = widths[conv];
    }
    add_drawn(fresh, "classifier",
              shape_2d(classes, inputs * 4)); // 2 x 2 cells are left of 64 x 64
    add(fresh, "classifier", "bias", shape_1d(classes), 0);
}

/* ---- ResNets for CIFAR ----------------------------------------------------------------------- */

static void add_conv_norm(Fresh *fresh, const char *prefix, int number, int64_t outputs,
                          int64_t inputs)
{
    char base[48];
    snprintf(base, sizeof base, "%sconv%d", prefix, number);
    add_drawn(fresh, base, shape_4d(outputs, inputs, 3, 3));
    snprintf(base, sizeof base, "%sbn%d", prefix, number);
    add(fresh, base, "weight", shape_1d(outputs), 1);
    add(fresh, base, "bias", shape_1d(outputs), 0);
    add(fresh, base, "running_mean", shape_1d(outputs), 0);
    add(fresh, base, "running_var", shape_1d(outputs), 1);
}

static void add_resnet(Fresh *fresh, int depth, int32_t classes)
{
    int64_t inputs = 16;
    add_conv_norm(fresh, "", 1, 16, 3);
    for (int stage = 1; stage <= 3; stage++)
        for (int block = 0; block < (depth - 2) / 6; block++) {
            char    prefix[32];
            int64_t width = 8 << stage;
            snprintf(prefix, sizeof prefix, "layer%d.%d.", stage, block);
            add_conv_norm(fresh, prefix, 1, width, inputs);
            add_conv_norm(fresh, prefix, 2, width, width);
            inputs = width;
        }
    add_drawn(fresh, "linear", shape_2d(classes, inputs));
    add(fresh, "linear", "bias", shape_1d(classes), 0);
}

/* ---- the blob -------------------------------------------------------------------------------- */

static bool add_network(Fresh *fresh, const char *architecture, const TrainingSet *set,
                        Error *error)
{
    char *end       = NULL;
    bool  is_resnet = strncmp(architecture, "resnet", 6) == 0;
    long  depth     = is_resnet ? strtol(architecture + 6, &end, 10) : 0;
    if (strcmp(architecture, "mini") == 0) {
        if (set->width != 64 || set->height != 64)
            return fail(error, ERROR_USAGE, "mini takes images of 64 x 64, found %lld x %lld",
                        (long long)set->width, (long long)set->height);
        add_mini(fresh, set->classes);
    } else if (is_resnet && !*end && (depth == 20 || depth == 32 || depth == 44 || depth == 56)) {
        add_resnet(fresh, (int)depth, set->classes);
    } else {
        return fail(error, ERROR_USAGE,
                    "cannot begin a '%s', expected mini, resnet20, resnet32, resnet44 or "
                    "resnet56",
                    architecture);
    }
    return fresh->ok;
}

bool training_begin(const char *path, const char *architecture, const TrainingSet *set,
                    uint64_t seed, Error *error)
{
    char     about[512];
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    Fresh   *fresh = memory_new(1, sizeof *fresh, error);
    if (!fresh)
        return false;
    fresh->seed  = seed;
    fresh->error = error;
    fresh->ok    = true;
    bool is_mini = strcmp(architecture, "mini") == 0;
    snprintf(about, sizeof about,
             "architecture=%s\nwidth=%lld\nheight=%lld\nscale=1\nmean=0.5,0.5,0.5\n"
             "std=0.25,0.25,0.25\nresize_short=0\nbn=%s\nfixed_units=%d\n",
             architecture, (long long)set->width, (long long)set->height,
             is_mini ? "none" : "unfolded", is_mini);
    bool ok = add_network(fresh, architecture, set, error) &&
              blob_encode(fresh->tensors, fresh->count, about, &bytes, &size, error) &&
              file_publish(path, bytes, size, error);
    for (int i = 0; i < fresh->count; i++)
        memory_free((void *)(uintptr_t)fresh->tensors[i].data);
    memory_free(bytes);
    memory_free(fresh);
    return ok;
}
