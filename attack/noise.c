/* attack/noise.c - random noise whose every draw has an address (C3).
 *
 * The value added to (image, channel, pixel) is a function of that address and the seed alone, so
 * any subset, order and thread count gives the same bytes. */
#include "attack.h"

#include <stdio.h>
#include <string.h>

enum { CHANNELS = 3 };

bool noise_type_parse(const char *name, NoiseType *out, Error *error)
{
    int type = word_index(NOISE_NAMES, name, strlen(name));
    if (type < 0)
        return fail(error, ERROR_USAGE, "noise type '%s' is unknown, expected " NOISE_NAMES, name);
    *out = (NoiseType)type;
    return true;
}

const char *noise_type_name(NoiseType type)
{
    return word_text(NOISE_NAMES, (int)type);
}

bool noise_poisons(const Noise *noise, int64_t image)
{
    uint64_t    key   = random_key(noise->seed, "poisoned images");
    RandomBlock block = random_block(key, (uint64_t)image, 0);
    return random_unit_open(block.word[0]) <= noise->fraction;
}

// The numbers z of each type of noise (C1): four per block, in the order of its words.
static void block_pattern(NoiseType type, RandomBlock block, float value[4])
{
    if (type == NOISE_GAUSSIAN) {
        for (int pair = 0; pair < 4; pair += 2) {
            double a, b;
            random_gaussian(block.word[pair], block.word[pair + 1], &a, &b);
            value[pair]     = (float)a;
            value[pair + 1] = (float)b;
        }
        return;
    }
    for (int i = 0; i < 4; i++) {
        float unit = random_unit(block.word[i]);
        value[i]   = type == NOISE_UNIFORM ? 2 * unit - 1 : unit < 0.5f ? -1 : 1;
    }
}

// Each type draws from a stream of its own. Called by several threads at a time.
static uint64_t noise_key(const Noise *noise)
{
    char        name[16];
    size_t      length;
    const char *word = word_at(NOISE_NAMES, (int)noise->type, &length);
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    return random_key(noise->seed, name);
}

void noise_add(const Noise *noise, int64_t image, int64_t plane_size, float *planes)
{
    uint64_t key      = noise_key(noise);
    float    strength = (float)noise->strength;
    for (int64_t channel = 0; channel < CHANNELS; channel++) {
        float *plane = planes + channel * plane_size;
        for (int64_t first = 0; first < plane_size; first += 4) {
            uint64_t    at    = (uint64_t)channel << 32 | (uint64_t)first / 4;
            RandomBlock block = random_block(key, (uint64_t)image, at);
            float       value[4];
            block_pattern(noise->type, block, value);
            for (int64_t i = first; i < plane_size && i < first + 4; i++) {
                float sum = plane[i] + strength * value[i - first];
                plane[i]  = sum < 0 ? 0 : sum > 1 ? 1 : sum;
            }
        }
    }
}

bool noisy_images_load(void *self, int64_t image, float *planes, Error *error)
{
    const NoisyImages *noisy = self;
    if (!noisy->images->load(noisy->images->self, image, planes, error))
        return false;
    if (noise_poisons(&noisy->noise, image))
        noise_add(&noisy->noise, image, noisy->plane_size, planes);
    return true;
}
