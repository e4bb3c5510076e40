/* tests/test_resize.c - resize, crop and conversion against Pillow's answers. */
#include "test.h"
#include "pictures.h"
#include "../base/file.h"
#include "../probe/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void resize_known_answers(void) // Image.resize of Pillow 9.4
{
    static const struct {
        int          width, height, channels, to_width, to_height;
        ResizeFilter filter;
        uint32_t     pixels;
    } answers[] = {
        {20, 30, 3, 10, 15, RESIZE_BILINEAR, 0x25160777},
        {20, 30, 3, 41, 17, RESIZE_BILINEAR, 0x2dd9100a},
        {256, 192, 3, 224, 224, RESIZE_BILINEAR, 0xec18875a},
        {7, 5, 1, 64, 48, RESIZE_BICUBIC, 0x7ac2ca60},
        {100, 80, 3, 33, 27, RESIZE_BICUBIC, 0x0c5ff26c},
        {1, 1, 3, 9, 4, RESIZE_BICUBIC, 0x83d1f7f3},
        {13, 11, 1, 13, 40, RESIZE_BICUBIC, 0x1ccb2b9b},
        {50, 60, 3, 50, 7, RESIZE_BILINEAR, 0xd54a92d4},
        {31, 1, 1, 4, 1, RESIZE_BICUBIC, 0x2d86b5bf},
        {640, 3, 3, 1, 1, RESIZE_BILINEAR, 0xd1eaceaa},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        Image from = picture_make(answers[i].width, answers[i].height, answers[i].channels);
        Image to   = {0};
        REQUIRE(image_resize(&from, answers[i].to_width, answers[i].to_height, answers[i].filter,
                             &to, NULL));
        CHECK(to.width == answers[i].to_width && to.height == answers[i].to_height);
        CHECK(picture_digest(&to) == answers[i].pixels);
        image_free(&from);
        image_free(&to);
    }
}

static const char *const PILLOW_SCRIPT =
    "import sys\n"
    "from PIL import Image\n"
    "folder = sys.argv[1]\n"
    "for line in open(folder + '/cases'):\n"
    "    case, w, h, c, tw, th, f = map(int, line.split())\n"
    "    mode = 'RGB' if c == 3 else 'L'\n"
    "    data = open('%s/%d' % (folder, case), 'rb').read()\n"
    "    image = Image.frombytes(mode, (w, h), data)\n"
    "    image = image.resize((tw, th), Image.BICUBIC if f else Image.BILINEAR)\n"
    "    open('%s/%d.out' % (folder, case), 'wb').write(image.tobytes())\n";

static void resize_equals_pillow_on_random_pictures(void)
{
    enum { CASES = 150 };
    static Image results[CASES];
    char         path[LIMIT_PATH], command[2 * LIMIT_PATH];
    Random       random = random_stream(test_seed(), "resize");
    if (system("/usr/bin/python3 -c 'from PIL import Image' 2>/dev/null"))
        SKIP("Python with Pillow is not installed");
    snprintf(path, sizeof path, "%s/script.py", test_folder());
    CHECK(file_publish(path, PILLOW_SCRIPT, strlen(PILLOW_SCRIPT), NULL));
    snprintf(path, sizeof path, "%s/cases", test_folder());
    FILE *cases = fopen(path, "w");
    REQUIRE(cases != NULL);
    for (int i = 0; i < CASES; i++) {
        int          side[4];
        ResizeFilter filter = random_below(&random, 2) ? RESIZE_BICUBIC : RESIZE_BILINEAR;
        for (int k = 0; k < 4; k++)
            side[k] = 1 + (int)random_below(&random, random_below(&random, 2) ? 300 : 20);
        Image from = picture_random(&random, side[0], side[1], random_below(&random, 3) ? 3 : 1);
        CHECK(image_resize(&from, side[2], side[3], filter, &results[i], NULL));
        fprintf(cases, "%d %d %d %d %d %d %d\n", i, side[0], side[1], from.channels, side[2],
                side[3], filter == RESIZE_BICUBIC);
        snprintf(path, sizeof path, "%s/%d", test_folder(), i);
        CHECK(file_publish(path, from.pixels, picture_bytes(&from), NULL));
        image_free(&from);
    }
    fclose(cases);
    snprintf(command, sizeof command, "/usr/bin/python3 -W ignore %s/script.py %s", test_folder(),
             test_folder());
    CHECK(system(command) == 0);
    for (int i = 0; i < CASES; i++) {
        Bytes wanted = {0};
        snprintf(path, sizeof path, "%s/%d.out", test_folder(), i);
        CHECK(file_read(path, LIMIT_IMAGE_FILE, &wanted, NULL));
        CHECK(wanted.size == picture_bytes(&results[i]) &&
              !memcmp(wanted.data, results[i].pixels, wanted.size));
        bytes_close(&wanted);
        image_free(&results[i]);
    }
}

static void same_size_is_a_copy(void)
{
    Image from = picture_make(9, 7, 4), to = {0};
    REQUIRE(image_resize(&from, 9, 7, RESIZE_BICUBIC, &to, NULL));
    CHECK(pictures_equal(&from, &to) && from.pixels != to.pixels);
    image_free(&from);
    image_free(&to);
}

static void flat_stays_flat(void) // rounded weights must sum to one
{
    for (int to = 1; to < 60; to += 7)
        for (int filter = 0; filter < 2; filter++) {
            Image from = picture_make(37, 23, 1), result = {0};
            memset(from.pixels, 201, picture_bytes(&from));
            REQUIRE(image_resize(&from, to, 61 - to, (ResizeFilter)filter, &result, NULL));
            for (size_t i = 0; i < picture_bytes(&result); i++)
                CHECK(result.pixels[i] == 201);
            image_free(&from);
            image_free(&result);
        }
}

static void bad_sizes_are_refused(void)
{
    Image from = picture_make(5, 4, 3), to = {0};
    Error error = {0};
    CHECK(!image_resize(&from, 0, 4, RESIZE_BILINEAR, &to, &error) && error.code == ERROR_USAGE);
    CHECK(!image_resize(&from, 4, -1, RESIZE_BILINEAR, &to, NULL));
    CHECK(!image_resize(&from, 65535, 65535, RESIZE_BILINEAR, &to, NULL));
    CHECK(!image_crop(&from, -1, 0, 2, 2, &to, NULL) && !image_crop(&from, 4, 0, 2, 2, &to, NULL));
    CHECK(!image_crop(&from, 0, 3, 2, 2, &to, NULL) && !image_crop(&from, 0, 0, 0, 2, &to, NULL));
    CHECK(!image_crop(&from, 2, 0, INT32_MAX, 2, &to, NULL) && !to.pixels);
    image_free(&from);
}

static void crop_takes_the_rectangle(void)
{
    Image from = picture_make(11, 8, 3), to = {0};
    REQUIRE(image_crop(&from, 3, 2, 5, 6, &to, NULL));
    REQUIRE(to.width == 5 && to.height == 6);
    for (int y = 0; y < 6; y++)
        for (int i = 0; i < 15; i++)
            CHECK(to.pixels[y * 15 + i] == from.pixels[(y + 2) * 33 + 9 + i]);
    image_free(&from);
    image_free(&to);
}

static void crops_are_rounded_as_the_geometry_says(void)
{
    static const struct {
        CropGeometry geometry;
        int          width, height, length, long_side, crop, left;
    } cases[] = {
        {CROP_TORCHVISION, 305, 200, 256, 390, 224, 83}, // 390.4; (390 - 224) / 2 is 83
        {CROP_ROUNDED, 305, 200, 256, 390, 224, 83},
        {CROP_TORCHVISION, 306, 200, 256, 391, 224, 84}, // 391.68; 83.5 to the even 84
        {CROP_ROUNDED, 306, 200, 256, 392, 224, 84},
        {CROP_ROUNDED, 307, 200, 256, 393, 224, 84},     // 392.96; 84.5
        {CROP_TORCHVISION, 309, 200, 256, 395, 224, 86}, // 395.52; 85.5 to the even 86
        {CROP_ROUNDED, 308, 201, 256, 392, 225, 83},     // 392.28; 83.5
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Error error = {0};
        Image image = picture_make(cases[i].width, cases[i].height, 1), whole = {0};
        int   crop = cases[i].crop;
        REQUIRE(picture_resize_short(&image, cases[i].length, cases[i].geometry, RESIZE_BILINEAR,
                                     &error));
        CHECK(image.height == cases[i].length && image.width == cases[i].long_side);
        REQUIRE(image_crop(&image, 0, 0, image.width, image.height, &whole, &error));
        REQUIRE(picture_crop_centre(&image, crop, crop, cases[i].geometry, "picture", &error));
        int top = (whole.height - crop) / 2; // no half here that rounds up
        CHECK(memcmp(image.pixels, whole.pixels + top * whole.width + cases[i].left,
                     (size_t)crop) == 0);
        image_free(&image);
        image_free(&whole);
    }
}

// A photo as a blob wants it, by either filter.
static void photos_are_resized_by_the_blobs_filter(void)
{
    Image from = picture_make(60, 40, 3), want = {0}, found = {0}, plain = {0};
    for (size_t i = 0; i < picture_bytes(&from); i++)
        from.pixels[i] = (uint8_t)(i * 37 % 251);
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    char     path[256];
    snprintf(path, sizeof path, "%s/photo.png", test_folder());
    REQUIRE(png_encode(&from, &bytes, &size, NULL) && file_publish(path, bytes, size, NULL));
    Preparation preparation = {.width = 20, .height = 20, .is_bicubic = true};
    REQUIRE(picture_fitted(path, &preparation, &found, NULL));
    REQUIRE(image_resize(&from, 20, 20, RESIZE_BICUBIC, &want, NULL));
    CHECK(pictures_equal(&found, &want));
    preparation.is_bicubic = false;
    REQUIRE(picture_fitted(path, &preparation, &plain, NULL));
    CHECK(!pictures_equal(&plain, &want));
    memory_free(bytes);
    image_free(&from);
    image_free(&want);
    image_free(&found);
    image_free(&plain);
}

static void memory_failures_are_clean(void)
{
    int64_t blocks = memory_live_blocks();
    Image   from   = picture_make(11, 8, 3);
    bool    done   = false;
    for (int64_t call = 1; !done && CHECK(call < 50); call++) {
        Image to    = {0};
        Error error = {0};
        memory_fail_at(call, false);
        done = image_resize(&from, 5, 20, RESIZE_BICUBIC, &to, &error);
        memory_fail_at(0, false);
        CHECK(done || (error.code == ERROR_MEMORY && !to.pixels));
        image_free(&to);
    }
    image_free(&from);
    CHECK(memory_live_blocks() == blocks);
}

static void rgb_from_every_kind(void)
{
    uint8_t gray[] = {7, 200}, alpha[] = {7, 1, 200, 2}, rgba[] = {1, 2, 3, 4, 5, 6, 7, 8};
    // Pillow: (255 - K) less its share of the ink, each product rounded
    uint8_t  cmyk[]      = {0, 255, 128, 0, 10, 20, 30, 100};
    uint8_t *pixels[]    = {gray, alpha, rgba, cmyk};
    int      channels[]  = {1, 2, 4, 4};
    uint8_t  wanted[][6] = {{7, 7, 7, 200, 200, 200},
                            {7, 7, 7, 200, 200, 200},
                            {1, 2, 3, 5, 6, 7},
                            {255, 0, 127, 149, 143, 137}};
    for (int i = 0; i < 4; i++) {
        Image from = {.width       = 2,
                      .height      = 1,
                      .channels    = channels[i],
                      .is_cmyk     = i == 3,
                      .orientation = 6,
                      .pixels      = pixels[i]};
        Image rgb  = {0};
        REQUIRE(image_to_rgb(&from, &rgb, NULL));
        CHECK(rgb.channels == 3 && !rgb.is_cmyk && rgb.orientation == 6);
        CHECK(!memcmp(rgb.pixels, wanted[i], 6));
        image_free(&rgb);
    }
}

static void planes_divide_by_255(void)
{
    Image picture = picture_make(16, 16, 3);
    float planes[3 * 256];
    for (int i = 0; i < 768; i++)
        picture.pixels[i] = (uint8_t)(i * 7);
    image_to_planes(&picture, planes);
    for (int i = 0; i < 256; i++)
        for (int c = 0; c < 3; c++)
            CHECK(planes[256 * c + i] == (float)picture.pixels[3 * i + c] / 255.0f);
    image_free(&picture);
}

// As pictures are, and untouched where nothing is to be done.
static void pixels_are_fitted_to_another_network(void)
{
    Preparation same    = {.width = 16, .height = 16, .resize_short = 16, .is_bicubic = true};
    Preparation other   = {.width = 10, .height = 8, .resize_short = 11, .is_bicubic = true};
    Image       picture = picture_make(16, 16, 3);
    float       planes[3 * 256], wanted[3 * 80], found[3 * 256];
    for (int i = 0; i < 768; i++)
        picture.pixels[i] = (uint8_t)(i * i * 7);
    image_to_planes(&picture, planes);
    REQUIRE(planes_fit(planes, 16, 16, &other, found, NULL));
    REQUIRE(picture_fit(&picture, &other, "picture", NULL) && picture.width == 10);
    image_to_planes(&picture, wanted);
    CHECK(memcmp(found, wanted, sizeof wanted) == 0);
    for (int i = 0; i < 768; i++)
        planes[i] += 1e-4f;
    REQUIRE(planes_fit(planes, 16, 16, &same, found, NULL));
    CHECK(memcmp(found, planes, sizeof planes) == 0);
    image_free(&picture);
}

static void unknown_files_are_refused(void)
{
    Image image = {0};
    Error error = {0};
    CHECK(!image_decode((const uint8_t *)"GIF89a", 6, "x.gif", &image, &error));
    CHECK_TEXT(error.message, "x.gif: is neither a PNG nor a JPEG file");
    CHECK(!image_decode(NULL, 0, "empty", &image, NULL));
}

SUITE(resize)
{
    RUN(resize_known_answers);
    RUN(resize_equals_pillow_on_random_pictures);
    RUN(same_size_is_a_copy);
    RUN(flat_stays_flat);
    RUN(bad_sizes_are_refused);
    RUN(crop_takes_the_rectangle);
    RUN(crops_are_rounded_as_the_geometry_says);
    RUN(photos_are_resized_by_the_blobs_filter);
    RUN(memory_failures_are_clean);
    RUN(rgb_from_every_kind);
    RUN(planes_divide_by_255);
    RUN(pixels_are_fitted_to_another_network);
    RUN(unknown_files_are_refused);
}
