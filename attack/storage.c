/* attack/storage.c - what a perturbed image becomes when it is stored.
 *
 * The published code truncates to 8 bits and writes JPEG under the original name: the network sees
 * something else than the attack computed (Q1). Every evaluation here goes through one of these
 * arms. */
#include "attack.h"
#include "../base/file.h"
#include "../image/image.h"
#include "../format/npy.h"

#include <stdio.h>
#include <string.h>

enum { CHANNELS = 3, JPEG_QUALITY = 75 };

static const char *const extensions[STORE_ARMS] = {
    [STORE_JPEG75] = ".jpg", [STORE_PNG8] = ".png", [STORE_FLOAT] = ".npy"};

bool store_arm_parse(const char *name, StoreArm *out, Error *error)
{
    int arm = word_index(STORE_NAMES, name, strlen(name));
    if (arm < 0)
        return fail(error, ERROR_USAGE, "storage '%s' is unknown, expected " STORE_NAMES, name);
    *out = (StoreArm)arm;
    return true;
}

const char *store_arm_name(StoreArm arm)
{
    return word_text(STORE_NAMES, (int)arm);
}

float planes_distance(const float *a, const float *b, size_t count)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        float difference = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        if (difference > largest)
            largest = difference;
    }
    return largest;
}

static bool path_of(char path[LIMIT_PATH], const char *file, StoreArm arm, Error *error)
{
    int length = snprintf(path, LIMIT_PATH, "%s%s", file, extensions[arm]);
    if (length < 0 || length >= LIMIT_PATH)
        return fail(error, ERROR_CREATE, "%s: the path is longer than %d bytes", file, LIMIT_PATH);
    return true;
}

// Cut off, not rounded (C4).
static void planes_to_bytes(const float *planes, size_t plane_size, uint8_t *pixels)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        for (size_t i = 0; i < plane_size; i++)
            pixels[i * CHANNELS + c] = (uint8_t)(planes[c * plane_size + i] * 255.0f);
    }
}

static void bytes_to_planes(const uint8_t *pixels, size_t plane_size, float *planes)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        for (size_t i = 0; i < plane_size; i++)
            planes[c * plane_size + i] = (float)pixels[i * CHANNELS + c] / 255.0f;
    }
}

// The encoded file of 8-bit pixels; for jpeg75 the pixels become what decoding it gives (C5).
static bool store_bytes(StoreArm arm, Image *image, const char *file, Error *error)
{
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    bool     done  = true;
    if (arm == STORE_JPEG75) {
        Image decoded = {0};
        done          = jpeg_encode(image, JPEG_QUALITY, JPEG_420, &bytes, &size, error) &&
               jpeg_decode(bytes, size, "stored image", &decoded, error);
        if (done)
            memcpy(image->pixels, decoded.pixels,
                   (size_t)image->width * (size_t)image->height * CHANNELS);
        image_free(&decoded);
    } else if (file) {
        done = png_encode(image, &bytes, &size, error);
    }
    if (done && file) {
        char path[LIMIT_PATH];
        done = path_of(path, file, arm, error) && file_publish(path, bytes, size, error);
    }
    memory_free(bytes);
    return done;
}

bool store_image(StoreArm arm, int64_t height, int64_t width, float *planes, const char *file,
                 Error *error)
{
    if (arm == STORE_FLOAT) {
        char path[LIMIT_PATH];
        return !file || (path_of(path, file, arm, error) &&
                         npy_write(path, planes, shape_3d(CHANNELS, height, width), error));
    }
    size_t plane_size = (size_t)(height * width);
    Image  image      = {.width = (int)width, .height = (int)height, .channels = CHANNELS};
    image.pixels      = memory_new(plane_size, CHANNELS, error);
    if (!image.pixels)
        return false;
    planes_to_bytes(planes, plane_size, image.pixels);
    bool done = store_bytes(arm, &image, file, error);
    if (done)
        bytes_to_planes(image.pixels, plane_size, planes);
    memory_free(image.pixels);
    return done;
}

bool stored_images_load(void *self, int64_t image, float *planes, Error *error)
{
    const StoredImages *stored = self;
    return stored->images->load(stored->images->self, image, planes, error) &&
           store_image(stored->arm, stored->height, stored->width, planes, NULL, error);
}
