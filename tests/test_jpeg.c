/* tests/test_jpeg.c - JPEG against known answers, made-up files and damage. */
#include "test.h"
#include "golden_jpeg.h"
#include "pictures.h"
#include "../base/digest.h"

#include <stdio.h>
#include <string.h>

/* ---- known answers --------------------------------------------------------------------------- */

static void known_answers(void) // files of cjpeg -baseline, pixels of djpeg
{
    static const struct {
        int          width, height, channels, quality;
        JpegSampling sampling;
        size_t       size;
        uint32_t     file, pixels;
    } answers[] = {
        {1, 1, 3, 75, JPEG_420, 633, 0xafe28fbc, 0x3a6cde7b},
        {16, 16, 3, 75, JPEG_420, 704, 0xf9693331, 0xc651901f},
        {17, 9, 3, 75, JPEG_420, 693, 0x03309086, 0x6b191e59},
        {33, 31, 3, 1, JPEG_420, 680, 0xa17c7804, 0x09642a63},
        {40, 24, 3, 100, JPEG_444, 3521, 0x16377522, 0x8f3b52be},
        {29, 30, 3, 50, JPEG_422, 968, 0x53fb70e0, 0x23d798fa},
        {64, 48, 1, 90, JPEG_444, 2364, 0xb141d3bb, 0xc8ee67af},
        {5, 70, 1, 25, JPEG_444, 428, 0x1c24a06b, 0x27122576},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        Image    picture = picture_make(answers[i].width, answers[i].height, answers[i].channels);
        Image    decoded = {0};
        uint8_t *file    = NULL;
        size_t   size    = 0;
        REQUIRE(jpeg_encode(&picture, answers[i].quality, answers[i].sampling, &file, &size, NULL));
        CHECK(size == answers[i].size && digest_crc32(0, file, size) == answers[i].file);
        REQUIRE(jpeg_decode(file, size, "answer", &decoded, NULL));
        CHECK(picture_digest(&decoded) == answers[i].pixels);
        CHECK(decoded.orientation == 1 && !decoded.is_cmyk);
        memory_free(file);
        image_free(&decoded);
        image_free(&picture);
    }
}

static void golden_files_decode(void)
{
    Image image = {0};
    REQUIRE(jpeg_decode(GOLDEN_PROGRESSIVE, sizeof GOLDEN_PROGRESSIVE, "golden", &image, NULL));
    CHECK(image.width == 20 && image.height == 19 && image.channels == 3);
    CHECK(picture_digest(&image) == 0xc35139aa);
    image_free(&image);
    REQUIRE(jpeg_decode(GOLDEN_SUBSAMPLED, sizeof GOLDEN_SUBSAMPLED, "golden", &image, NULL));
    CHECK(image.width == 11 && image.height == 18 && picture_digest(&image) == 0x262b189e);
    image_free(&image);
}

static void flat_pictures_stay_flat(void)
{
    for (int value = 0; value < 256; value += 5) {
        Image picture = picture_make(19, 21, 1), decoded = {0};
        memset(picture.pixels, value, picture_bytes(&picture));
        uint8_t *file = NULL;
        size_t   size = 0;
        REQUIRE(jpeg_encode(&picture, 100, JPEG_444, &file, &size, NULL));
        REQUIRE(jpeg_decode(file, size, "flat", &decoded, NULL));
        CHECK(pictures_equal(&picture, &decoded));
        memory_free(file);
        image_free(&decoded);
        image_free(&picture);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void damaged_progressive_is_refused_or_decoded(void)
{
    picture_damage(GOLDEN_PROGRESSIVE, sizeof GOLDEN_PROGRESSIVE, sizeof GOLDEN_PROGRESSIVE);
}

static void damaged_baseline_is_refused_or_decoded(void) // complete without its end marker
{
    picture_damage(GOLDEN_SUBSAMPLED, sizeof GOLDEN_SUBSAMPLED, sizeof GOLDEN_SUBSAMPLED - 2);
}

static void memory_failures_are_clean(void)
{
    int64_t blocks  = memory_live_blocks();
    Image   picture = picture_make(40, 30, 3);
    for (int kind = 0; kind < 3; kind++) {
        bool done = false;
        for (int64_t call = 1; !done && CHECK(call < 100); call++) {
            Image    image = {0};
            Error    error = {0};
            uint8_t *file  = NULL;
            size_t   size  = 0;
            memory_fail_at(call, false);
            if (kind == 0)
                done =
                    jpeg_decode(GOLDEN_PROGRESSIVE, sizeof GOLDEN_PROGRESSIVE, "m", &image, &error);
            else if (kind == 1)
                done =
                    jpeg_decode(GOLDEN_SUBSAMPLED, sizeof GOLDEN_SUBSAMPLED, "m", &image, &error);
            else
                done = jpeg_encode(&picture, 100, JPEG_420, &file, &size, &error);
            memory_fail_at(0, false);
            CHECK(done ? error.code == ERROR_NONE : error.code == ERROR_MEMORY);
            image_free(&image);
            memory_free(file);
        }
    }
    image_free(&picture);
    CHECK(memory_live_blocks() == blocks);
}

/* ---- made-up files --------------------------------------------------------------------------- */

typedef struct Builder {
    uint8_t data[16384];
    size_t  size;
} Builder;

static void add(Builder *b, const char *hex) // "FFD8 00": pairs of digits
{
    for (; *hex; hex++) {
        unsigned byte;
        if (*hex == ' ' || sscanf(hex, "%2x", &byte) != 1)
            continue;
        b->data[b->size++] = (uint8_t)byte;
        hex++;
    }
}

static void add_flat_quantization(Builder *b)
{
    add(b, "FFDB 0043 00");
    memset(b->data + b->size, 8, 64);
    b->size += 64;
}

/* An 8x8 gray picture. DC code: 0 = no change, 10 = one bit follows. AC code: 0 = end of block,
 * 10 = one coefficient of one bit. */
static void add_gray_start(Builder *b, const char *frame)
{
    b->size = 0;
    add(b, "FFD8");
    add_flat_quantization(b);
    add(b, frame);
    add(b, "FFC4 0015 00 01010000 00000000 00000000 00000000 0001");
    add(b, "FFC4 0015 10 01010000 00000000 00000000 00000000 0001");
}

static void made_up_file_decodes(void) // DC difference +1: a step of 8 / 8 = 1 level
{
    Builder b;
    Image   image = {0};
    add_gray_start(&b, "FFC0 000B 08 0008 0008 01 01 11 00");
    add(&b, "FFDA 0008 01 01 00 00 3F 00 AF FFD9"); // 10 1 0, filled with ones
    REQUIRE(jpeg_decode(b.data, b.size, "made", &image, NULL));
    CHECK(image.width == 8 && image.height == 8 && image.channels == 1);
    for (int i = 0; i < 64; i++)
        CHECK(image.pixels[i] == 129);
    image_free(&image);
}

static void refused(const Builder *b, const char *part)
{
    Error error = {0};
    Image image = {0};
    CHECK(!jpeg_decode(b->data, b->size, "bad.jpg", &image, &error));
    CHECK(!image.pixels);
    CHECK_REFUSED("jpeg", &error, part);
}

static void frames_are_checked(void)
{
    static const struct {
        const char *frame, *message;
    } cases[] = {
        {"FFC0 000B 0C 0008 0008 01 01 11 00", "12 bits"},
        {"FFC0 000B 08 0000 0008 01 01 11 00", "empty"},
        {"FFC0 000B 08 0008 0000 01 01 11 00", "empty"},
        {"FFC0 000B 08 FFFF FFFF 01 01 11 00", "limit"},
        {"FFC0 000B 08 2000 2000 01 01 11 00", "cannot hold"},
        {"FFC0 000E 08 0008 0008 02 01 11 00 02 11 00", "components"},
        {"FFC0 000B 08 0008 0008 01 01 01 00", "sampling"},
        {"FFC0 000B 08 0008 0008 01 01 15 00", "sampling"},
        {"FFC0 000B 08 0008 0008 01 01 11 04", "sampling"},
        {"FFC0 0011 08 0008 0008 03 01 31 00 02 21 00 03 11 00", "does not divide"},
        {"FFC0 000C 08 0008 0008 01 01 11 00 00", "frame header"},
        {"FFC0 000B 08 0008 0008 01 01 11 00 FFC0 000B 08 0008 0008 01 01 11 00", "two frame"},
        {"FFC0 000B 08 0008 0008 01 01 11 01", "quantization table 1"},
        {"FFC3 000B 08 0008 0008 01 01 11 00", "is supported"},
        {"FFC5 000B 08 0008 0008 01 01 11 00", "is supported"},
        {"FFC9 000B 08 0008 0008 01 01 11 00", "is supported"},
        {"FFCA 000B 08 0008 0008 01 01 11 00", "is supported"},
        {"", "before the frame"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Builder b;
        add_gray_start(&b, cases[i].frame);
        add(&b, "FFDA 0008 01 01 00 00 3F 00 AF FFD9");
        refused(&b, cases[i].message);
    }
}

static void tables_and_scans_are_checked(void)
{
    static const struct {
        const char *rest, *message;
    } cases[] = {
        {"FFDA 0008 01 02 00 00 3F 00 AF FFD9", "unknown component"},
        {"FFDA 0008 01 01 40 00 3F 00 AF FFD9", "names Huffman tables"},
        {"FFDA 0008 01 01 22 00 3F 00 AF FFD9", "needs Huffman tables"},
        {"FFDA 0009 01 01 00 00 3F 00 00 AF FFD9", "scan header"},
        {"FFDA 000C 03 01 00 01 00 01 00 00 3F 00 AF FFD9", "unknown component"},
        {"FFDA 0008 01 01 00 00 3F 00 FF FFD9", "scan 1"},
        {"FFDA 0008 01 01 00 00 3F 00 FFD9", "ends at unit"},
        {"FFDD 0003 00 FFD9", "restart interval"},
        {"FFDB 0003 04 FFD9", "quantization table 4"},
        {"FFDB 0004 00 01 FFD9", "quantization table 0"},
        {"FFC4 0014 00 03000000 00000000 00000000 00000000 01 FFD9", "Huffman table 0"},
        {"FFC4 0016 00 03000000 00000000 00000000 00000000 000102 FFD9", "no prefix code"},
        {"FFC4 0015 00 02000000 00000000 00000000 00000000 0001 FFD9", "no prefix code"},
        {"FFC4 0014 00 01000000 00000000 00000000 00000000 10 FFD9", "no prefix code"},
        {"FFC4 0014 24 01000000 00000000 00000000 00000000 10 FFD9", "Huffman table 4"},
        {"FFE1 0001 FFD9", "wrong length"},
        {"FFE1 FFFF FFD9", "wrong length"},
        {"FFD8 FFD9", "is supported"},
        {"FFD9", "in no scan"},
        {"", "before the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Builder b;
        add_gray_start(&b, "FFC0 000B 08 0008 0008 01 01 11 00");
        add(&b, cases[i].rest);
        refused(&b, cases[i].message);
    }
    Builder only_end = {.size = 0};
    add(&only_end, "FFD8 FFD9");
    refused(&only_end, "no picture");
}

static void restart_markers_are_checked(void) // 16x8: two blocks, one to an interval
{
    Builder b;
    Image   image = {0};
    add_gray_start(&b, "FFC0 000B 08 0008 0010 01 01 11 00");
    add(&b, "FFDD 0004 0001 FFDA 0008 01 01 00 00 3F 00");
    size_t start = b.size;
    add(&b, "AF FFD0 AF FFD9");
    REQUIRE(jpeg_decode(b.data, b.size, "restart", &image, NULL));
    CHECK(image.pixels[0] == 129 && image.pixels[15] == 129); // the second starts from zero again
    image_free(&image);
    b.size = start;
    add(&b, "AF FFD1 AF FFD9");
    refused(&b, "expected restart 0");
    b.size = start;
    add(&b, "AF FFD9");
    refused(&b, "expected restart 0");
}

static void progressive_bands_are_checked(void)
{
    static const struct {
        const char *scan, *message;
    } cases[] = {
        {"FFDA 0008 01 01 00 00 01 00 AF", "band 0-1"},
        {"FFDA 0008 01 01 00 05 04 00 AF", "band 5-4"},
        {"FFDA 0008 01 01 00 01 40 00 AF", "band 1-64"},
        {"FFDA 0008 01 01 00 01 3F 0E AF", "bits 0-14"},
        {"FFDA 0008 01 01 00 01 3F 31 AF", "bits 3-1"},
        {"FFDA 0008 01 01 30 00 00 00 AF", "tables 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Builder b;
        add_gray_start(&b, "FFC2 000B 08 0008 0008 01 01 11 00");
        add(&b, cases[i].scan);
        add(&b, "FFD9");
        refused(&b, cases[i].message);
    }
}

static void scans_and_work_are_limited(void)
{
    Builder b;
    add_gray_start(&b, "FFC2 000B 08 0008 0008 01 01 11 00");
    add(&b, "FFDA 0008 01 01 00 00 00 00 AF");
    size_t start = b.size;
    for (int i = 0; i < 99; i++)
        add(&b, "FFDA 0008 01 01 00 01 01 00 7F");
    size_t hundred = b.size;
    add(&b, "FFD9");
    Image image = {0};
    CHECK(jpeg_decode(b.data, b.size, "scans", &image, NULL));
    image_free(&image);
    b.size = hundred;
    add(&b, "FFDA 0008 01 01 00 01 01 00 7F FFD9");
    refused(&b, "more than 100 scans");
    b.size = start;
    for (int i = 0; i < 41; i++)
        add(&b, "FFDA 0008 01 01 00 01 3F 00 7F");
    add(&b, "FFD9");
    refused(&b, "work over 40");
}

/* One block a component, all 128 but the third, which is 129. Pictures with four components store
 * 255 - ink. */
static void color_spaces_are_told_apart(void)
{
    static const struct {
        const char *head, *scan;
        int         channels;
        uint8_t     pixel[4];
    } cases[] = {
        // no marker, usual names: Y Cb Cr, so red +1.402, green -0.714
        {"FFC0 0011 08 0008 0008 03 01 11 00 02 11 00 03 11 00",
         "FFDA 000C 03 01 00 02 00 03 00 00 3F 00 0A FF00 FFD9",
         3,
         {129, 127, 128, 0}},
        // names R, G, B
        {"FFC0 0011 08 0008 0008 03 52 11 00 47 11 00 42 11 00",
         "FFDA 000C 03 52 00 47 00 42 00 00 3F 00 0A FF00 FFD9",
         3,
         {128, 128, 129, 0}},
        // names R, G, B below a JFIF header: Y Cb Cr
        {"FFE0 0010 4A46494600 0101 00 0001 0001 00 00"
         "FFC0 0011 08 0008 0008 03 52 11 00 47 11 00 42 11 00",
         "FFDA 000C 03 52 00 47 00 42 00 00 3F 00 0A FF00 FFD9",
         3,
         {129, 127, 128, 0}},
        // Adobe transform 0: RGB
        {"FFEE 000E 41646F6265 0064 0000 0000 00"
         "FFC0 0011 08 0008 0008 03 01 11 00 02 11 00 03 11 00",
         "FFDA 000C 03 01 00 02 00 03 00 00 3F 00 0A FF00 FFD9",
         3,
         {128, 128, 129, 0}},
        // four components: CMYK
        {"FFC0 0014 08 0008 0008 04 01 11 00 02 11 00 03 11 00 04 11 00",
         "FFDA 000E 04 01 00 02 00 03 00 04 00 00 3F 00 0A 3F FFD9",
         4,
         {127, 127, 126, 127}},
        // Adobe transform 2: Y Cb Cr K
        {"FFEE 000E 41646F6265 0064 0000 0000 02"
         "FFC0 0014 08 0008 0008 04 01 11 00 02 11 00 03 11 00 04 11 00",
         "FFDA 000E 04 01 00 02 00 03 00 04 00 00 3F 00 0A 3F FFD9",
         4,
         {129, 127, 128, 127}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Builder b;
        Image   image = {0};
        add_gray_start(&b, cases[i].head);
        add(&b, cases[i].scan);
        REQUIRE(jpeg_decode(b.data, b.size, "colors", &image, NULL));
        CHECK(image.channels == cases[i].channels && image.is_cmyk == (image.channels == 4));
        for (int k = 0; k < 64; k++)
            CHECK(
                !memcmp(image.pixels + k * image.channels, cases[i].pixel, (size_t)image.channels));
        image_free(&image);
    }
}

static void orientation_is_reported(void)
{
    static const struct {
        const char *exif;
        int         orientation;
    } cases[] = {
        {"4D4D002A 00000008 0001 0112 0003 00000001 0006 0000", 6},
        {"49492A00 08000000 0200 0F01 0300 01000000 0100 0000 1201 0300 01000000 0800 0000", 8},
        {"4D4D002A 00000008 0001 0112 0003 00000001 0009 0000", 1}, // no such orientation
        {"4D4D002A 00000008 0001 0112 0004 00000001 0006 0000", 1}, // wrong type
        {"4D4D002A FFFFFFFF 0001 0112 0003 00000001 0006 0000", 1}, // beyond the segment
        {"4D4D002A 00000008 FFFF 0100 0003 00000001 0006 0000", 1}, // entries beyond it
        {"4D4D002A", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Builder b = {.size = 0}, exif = {.size = 0};
        Image   image = {0};
        char    head[32];
        add(&exif, cases[i].exif);
        add_gray_start(&b, "FFC0 000B 08 0008 0008 01 01 11 00");
        snprintf(head, sizeof head, "FFE1 %04zX 457869660000", exif.size + 8);
        add(&b, head);
        memcpy(b.data + b.size, exif.data, exif.size);
        b.size += exif.size;
        add(&b, "FFDA 0008 01 01 00 00 3F 00 AF FFD9");
        REQUIRE(jpeg_decode(b.data, b.size, "exif", &image, NULL));
        CHECK(image.orientation == cases[i].orientation);
        image_free(&image);
    }
}

static void encoder_refuses_nonsense(void)
{
    Image    picture = picture_make(4, 4, 3);
    uint8_t *file    = NULL;
    size_t   size    = 0;
    Error    error   = {0};
    CHECK(!jpeg_encode(&picture, 0, JPEG_420, &file, &size, &error) && error.code == ERROR_USAGE);
    CHECK(!jpeg_encode(&picture, 101, JPEG_420, &file, &size, NULL));
    picture.channels = 4;
    CHECK(!jpeg_encode(&picture, 75, JPEG_420, &file, &size, NULL));
    picture.channels = 3;
    picture.width    = 0;
    CHECK(!jpeg_encode(&picture, 75, JPEG_420, &file, &size, NULL) && !file);
    image_free(&picture);
}

SUITE(jpeg)
{
    RUN(known_answers);
    RUN(golden_files_decode);
    RUN(flat_pictures_stay_flat);
    RUN(made_up_file_decodes);
    RUN(frames_are_checked);
    RUN(tables_and_scans_are_checked);
    RUN(restart_markers_are_checked);
    RUN(progressive_bands_are_checked);
    RUN(scans_and_work_are_limited);
    RUN(color_spaces_are_told_apart);
    RUN(orientation_is_reported);
    RUN(encoder_refuses_nonsense);
    RUN(memory_failures_are_clean);
    RUN(damaged_baseline_is_refused_or_decoded);
    RUN(damaged_progressive_is_refused_or_decoded);
}
