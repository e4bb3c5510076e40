/* attack/storage.c - what a perturbed image becomes when it is kept (section 9.8).
 *
 * The published code truncates to 8 bits and writes JPEG under the original name, so the network sees
 * something else than the attack computed. Every evaluation here goes through one of these arms. */
#include "attack.h"
#include "../image/image.h"

#include <stdio.h>
#include <string.h>

enum { CHANNELS = 3, JPEG_QUALITY = 75 };

static const char *const store_names[STORE_ARMS]    = {"float", "png8", "jpeg75"};
static const char *const store_suffixes[STORE_ARMS] = {".npy", ".png", ".jpg"};

bool store_arm_parse(const char *name, StoreArm *out, Error *error)
{
    for (int arm = 0; arm < STORE_ARMS; arm++) {
        if (strcmp(name, store_names[arm]) == 0) {
            *out = (StoreArm)arm;
            return true;
        }
    }
    return fail(error, ERROR_USAGE, "storage '%s' is unknown, expected jpeg75, png8 or float", name);
}

const char *store_arm_name(StoreArm arm)
{
    return store_names[arm];
}

real planes_distance(const real *a, const real *b, size_t count)
{
    real largest = 0;
    for (size_t i = 0; i < count; i++) {
        real difference = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        if (difference > largest)
            largest = difference;
    }
    return largest;
}

static bool keep_bytes(const char *keep, StoreArm arm, const void *data, size_t size, Error *error)
{
    char path[LIMIT_PATH];
    int  length = snprintf(path, sizeof path, "%s%s", keep, store_suffixes[arm]);
    if (length < 0 || (size_t)length >= sizeof path)
        return fail(error, ERROR_CREATE, "%s: the path is longer than %d bytes", keep, LIMIT_PATH);
    return file_publish(path, data, size, error);
}

// NumPy format 1.0: magic, version, header length, a Python literal padded to 64 bytes, the data.
static bool keep_npy(const char *keep, int64_t height, int64_t width, const real *planes,
                     Error *error)
{
    enum { HEADER = 128, PREFIX = 10 };
    size_t   count = (size_t)(CHANNELS * height * width);
    uint8_t *file  = memory_new(HEADER + count * sizeof(float), 1, error);
    if (!file)
        return false;
    char text[HEADER - PREFIX];
    int  length = snprintf(text, sizeof text,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %lld, %lld), }",
                           CHANNELS, (long long)height, (long long)width);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = HEADER - PREFIX;
    memset(file + PREFIX, ' ', HEADER - PREFIX);
    memcpy(file + PREFIX, text, (size_t)length);
    file[HEADER - 1] = '\n';
    for (size_t i = 0; i < count; i++) {
        float value = (float)planes[i];
        memcpy(file + HEADER + i * sizeof value, &value, sizeof value);
    }
    bool done = keep_bytes(keep, STORE_FLOAT, file, HEADER + count * sizeof(float), error);
    memory_free(file);
    return done;
}

static void planes_to_bytes(const real *planes, size_t plane_size, uint8_t *pixels)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        for (size_t i = 0; i < plane_size; i++)
            pixels[i * CHANNELS + c] = (uint8_t)((float)planes[c * plane_size + i] * 255.0f);
    }
}

static void bytes_to_planes(const uint8_t *pixels, size_t plane_size, real *planes)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        for (size_t i = 0; i < plane_size; i++)
            planes[c * plane_size + i] = (float)pixels[i * CHANNELS + c] / 255.0f;
    }
}

// The encoded file of 8-bit pixels; for jpeg75 the pixels become what decoding it gives.
static bool store_bytes(StoreArm arm, Image *image, const char *keep, Error *error)
{
    uint8_t *file = NULL;
    size_t   size = 0;
    bool     done = true;
    if (arm == STORE_JPEG75) {
        Image decoded = {0};
        done = jpeg_encode(image, JPEG_QUALITY, JPEG_420, &file, &size, error) &&
               jpeg_decode(file, size, "stored image", &decoded, error);
        if (done)
            memcpy(image->pixels, decoded.pixels,
                   (size_t)image->width * (size_t)image->height * CHANNELS);
        image_free(&decoded);
    } else if (keep) {
        done = png_encode(image, &file, &size, error);
    }
    done = done && (!keep || keep_bytes(keep, arm, file, size, error));
    memory_free(file);
    return done;
}

bool store_image(StoreArm arm, int64_t height, int64_t width, real *planes, const char *keep,
                 Error *error)
{
    if (arm == STORE_FLOAT)
        return !keep || keep_npy(keep, height, width, planes, error);
    size_t plane_size = (size_t)(height * width);
    Image  image      = {.width = (int)width, .height = (int)height, .channels = CHANNELS};
    image.pixels      = memory_new(plane_size, CHANNELS, error);
    if (!image.pixels)
        return false;
    planes_to_bytes(planes, plane_size, image.pixels);
    bool done = store_bytes(arm, &image, keep, error);
    if (done)
        bytes_to_planes(image.pixels, plane_size, planes);
    memory_free(image.pixels);
    return done;
}
