/* tests/test_storage.c - what the network sees of a stored image: truncation, JPEG, stored files.
 */
#include "test.h"
#include "../attack/attack.h"
#include "../base/file.h"
#include "../image/image.h"
#include "../format/npy.h"
#include "../nem/method.h"

#include <stdio.h>
#include <string.h>

enum { CHANNELS = 3, SIDE = 16, PLANE = SIDE * SIDE, SIZE = CHANNELS * PLANE };

// Smooth and different in every channel, with values between the 8-bit levels.
static void draw(float *planes)
{
    for (int c = 0; c < CHANNELS; c++) {
        for (int i = 0; i < PLANE; i++)
            planes[c * PLANE + i] = ((float)(i % SIDE * 9 + i / SIDE * 5 + c * 20) + 0.75f) / 255;
    }
}

// Truncation of 255 (v / 255) gives v back, for every byte.
static void every_level_survives_truncation(void)
{
    float planes[SIZE], before[SIZE];
    for (int i = 0; i < SIZE; i++)
        planes[i] = before[i] = (float)(i % 256) / 255.0f;
    REQUIRE(store_image(STORE_PNG8, SIDE, SIDE, planes, NULL, NULL));
    CHECK(memcmp(planes, before, sizeof planes) == 0);
}

static void bytes_are_truncated_not_rounded(void)
{
    float planes[SIZE];
    for (int i = 0; i < SIZE; i++)
        planes[i] = ((float)(i % 255) + 0.99f) / 255;
    REQUIRE(store_image(STORE_PNG8, SIDE, SIDE, planes, NULL, NULL));
    int wrong = 0;
    for (int i = 0; i < SIZE; i++)
        wrong += planes[i] != (float)(i % 255) / 255.0f;
    CHECK(wrong == 0);
    for (int i = 0; i < SIZE; i++)
        planes[i] = 1;
    REQUIRE(store_image(STORE_PNG8, SIDE, SIDE, planes, NULL, NULL));
    CHECK(planes[0] == 1 && planes[SIZE - 1] == 1);
}

static void float_storage_changes_nothing(void)
{
    float planes[SIZE], before[SIZE];
    draw(planes);
    memcpy(before, planes, sizeof planes);
    REQUIRE(store_image(STORE_FLOAT, SIDE, SIDE, planes, NULL, NULL));
    CHECK(memcmp(planes, before, sizeof planes) == 0);
}

// The arm is: truncate, encode at quality 75 with 4:2:0, decode.
static void jpeg_arm_is_encoder_then_decoder(void)
{
    float   planes[SIZE], wanted[SIZE];
    uint8_t pixels[SIZE];
    draw(planes);
    for (int i = 0; i < PLANE; i++) {
        for (int c = 0; c < CHANNELS; c++)
            pixels[i * CHANNELS + c] = (uint8_t)(planes[c * PLANE + i] * 255.0f);
    }
    Image    image = {.width = SIDE, .height = SIDE, .channels = CHANNELS, .pixels = pixels};
    Image    back  = {0};
    uint8_t *file  = NULL;
    size_t   size  = 0;
    REQUIRE(jpeg_encode(&image, 75, JPEG_420, &file, &size, NULL));
    REQUIRE(jpeg_decode(file, size, "test", &back, NULL));
    image_to_planes(&back, wanted);
    REQUIRE(store_image(STORE_JPEG75, SIDE, SIDE, planes, NULL, NULL));
    CHECK(memcmp(planes, wanted, sizeof planes) == 0);
    memory_free(file);
    image_free(&back);
}

// The control: JPEG alone moves pixels; what it made is stored unchanged by png8.
static void jpeg_alone_moves_pixels(void)
{
    float before[SIZE], after[SIZE], again[SIZE];
    draw(before);
    memcpy(after, before, sizeof before);
    REQUIRE(store_image(STORE_JPEG75, SIDE, SIDE, after, NULL, NULL));
    CHECK(planes_distance(before, after, SIZE) > 0.5f / 255);
    CHECK(planes_distance(before, after, SIZE) < 0.2f);
    memcpy(again, after, sizeof after);
    REQUIRE(store_image(STORE_PNG8, SIDE, SIDE, again, NULL, NULL));
    CHECK(memcmp(again, after, sizeof after) == 0);
}

static void distance_is_the_largest_difference(void)
{
    float a[4] = {0, 0.5f, 1, 0.25f}, b[4] = {0.125f, 0.5f, 0.5f, 0.5f};
    CHECK(planes_distance(a, b, 4) == 0.5f && planes_distance(b, a, 4) == 0.5f);
    CHECK(planes_distance(a, b, 2) == 0.125f && planes_distance(a, a, 4) == 0);
}

// A stored file holds what the network saw.
static void stored_files_read_back_as_seen(void)
{
    static const char *const suffix[STORE_ARMS] = {
        [STORE_FLOAT] = ".npy", [STORE_PNG8] = ".png", [STORE_JPEG75] = ".jpg"};
    for (int arm = 0; arm < STORE_ARMS; arm++) {
        float planes[SIZE], read[SIZE];
        char  file[LIMIT_PATH], path[LIMIT_PATH];
        Bytes bytes = {0};
        Image image = {0};
        draw(planes);
        REQUIRE(path_join(file, test_folder(), "stored", NULL));
        REQUIRE(store_image((StoreArm)arm, SIDE, SIDE, planes, file, NULL));
        snprintf(path, sizeof path, "%.4000s%s", file, suffix[arm]);
        if (arm == STORE_FLOAT) {
            float *data  = NULL;
            Shape  shape = {0};
            REQUIRE(npy_read(path, &data, &shape, NULL));
            CHECK(shape_equal(shape, shape_3d(CHANNELS, SIDE, SIDE)));
            memcpy(read, data, sizeof read);
            memory_free(data);
        } else {
            REQUIRE(file_read(path, LIMIT_IMAGE_FILE, &bytes, NULL));
            REQUIRE(image_decode(bytes.data, bytes.size, path, &image, NULL));
            REQUIRE(image.width == SIDE && image.height == SIDE && image.channels == CHANNELS);
            image_to_planes(&image, read);
        }
        CHECK(memcmp(planes, read, sizeof planes) == 0);
        bytes_close(&bytes);
        image_free(&image);
    }
}

static void an_unwritable_folder_is_an_error(void)
{
    float planes[SIZE];
    Error error = {0};
    draw(planes);
    CHECK(!store_image(STORE_PNG8, SIDE, SIDE, planes, "/nowhere/at/all", &error));
    CHECK(error.code == ERROR_CREATE || error.code == ERROR_NOT_FOUND);
}

static void arms_have_names(void)
{
    StoreArm arm = STORE_FLOAT;
    for (int i = 0; i < STORE_ARMS; i++)
        CHECK(store_arm_parse(store_arm_name((StoreArm)i), &arm, NULL) && arm == (StoreArm)i);
    CHECK(store_arm_parse("png8", &arm, NULL) && arm == STORE_PNG8);
    CHECK(store_arm_parse(mode_named(method_at(0), "corrupt23")->store, &arm, NULL) &&
          arm == STORE_JPEG75);
    CHECK(store_arm_parse(mode_named(method_at(0), "clean")->store, &arm, NULL) &&
          arm == STORE_FLOAT);
    Error error = {0};
    CHECK(!store_arm_parse("tiff", &arm, &error) && error.code == ERROR_USAGE);
}

SUITE(storage)
{
    RUN(every_level_survives_truncation);
    RUN(bytes_are_truncated_not_rounded);
    RUN(float_storage_changes_nothing);
    RUN(jpeg_arm_is_encoder_then_decoder);
    RUN(jpeg_alone_moves_pixels);
    RUN(distance_is_the_largest_difference);
    RUN(stored_files_read_back_as_seen);
    RUN(an_unwritable_folder_is_an_error);
    RUN(arms_have_names);
}
