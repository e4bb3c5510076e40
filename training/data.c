/* training/data.c - a set in memory, the order of an epoch, one image as it is seen in it. */
#include "training.h"

#include <stdio.h>

bool training_set_new(TrainingSet *out, int64_t count, int64_t height, int64_t width,
                      int32_t classes, Error *error)
{
    TrainingSet set   = {.count = count, .height = height, .width = width, .classes = classes};
    size_t      plane = 0, bytes = 0;
    if (count < 1 || classes < 1 || height < 1 || width < 1 || height > LIMIT_IMAGE_SIDE ||
        width > LIMIT_IMAGE_SIDE)
        return fail(error, ERROR_DATA,
                    "a training set of %lld images of %lld x %lld in %d classes, "
                    "expected at least one of each",
                    (long long)count, (long long)height, (long long)width, (int)classes);
    if (!size_mul((size_t)(height * width), 3, &plane) || !size_mul(plane, (size_t)count, &bytes))
        return fail(error, ERROR_MEMORY, "%lld training images do not fit in memory",
                    (long long)count);
    set.pixels = memory_new(bytes, 1, error);
    set.labels = memory_new((size_t)count, sizeof *set.labels, error);
    if (!set.pixels || !set.labels) {
        training_set_free(&set);
        return false;
    }
    *out = set;
    return true;
}

void training_set_free(TrainingSet *set)
{
    memory_free(set->pixels);
    memory_free(set->labels);
    *set = (TrainingSet){0};
}

void training_order(uint64_t seed, int64_t epoch, int64_t count, int64_t *order)
{
    char purpose[64];
    snprintf(purpose, sizeof purpose, "training order, epoch %lld", (long long)epoch);
    Random random = random_stream(seed, purpose);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) { // Fisher and Yates
        int64_t other = random_below(&random, (uint32_t)i + 1), kept = order[i];
        order[i]     = order[other];
        order[other] = kept;
    }
}

static int64_t clamped(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

void training_image(const TrainingSet *set, int64_t index, uint64_t seed, int64_t epoch, bool flip,
                    int shift, real *planes)
{
    uint64_t       key    = random_key(seed, "training augmentation");
    RandomBlock    block  = random_block(key, (uint64_t)epoch, (uint64_t)index);
    uint32_t       places = 2 * (uint32_t)shift + 1;
    bool           mirror = flip && (block.word[0] & 1);
    int64_t        move_x = (int64_t)(block.word[1] % places) - shift;
    int64_t        move_y = (int64_t)(block.word[2] % places) - shift;
    const uint8_t *from   = set->pixels + index * 3 * set->height * set->width;
    for (int64_t row = 0; row < 3 * set->height; row++) {
        int64_t        y    = clamped(row % set->height + move_y, set->height - 1);
        const uint8_t *line = from + (row / set->height * set->height + y) * set->width;
        for (int64_t column = 0; column < set->width; column++) {
            int64_t x                         = clamped(column + move_x, set->width - 1);
            planes[row * set->width + column] = (real)line[mirror ? set->width - 1 - x : x] / 255;
        }
    }
}
