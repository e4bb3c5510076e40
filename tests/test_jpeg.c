/* tests/test_jpeg.c - JPEG against known answers, published files, libjpeg-turbo itself and damage.
 *
 * The comparison with cjpeg and djpeg makes NEMESIS_JPEG_FILES random files (default 300). */
#include "test.h"
#include "golden_jpeg.h"
#include "pictures.h"
#include "../base/digest.h"
#include "../base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

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

/* ---- against libjpeg-turbo ------------------------------------------------------------------- */

static bool have_tools(void)
{
    return system("command -v cjpeg djpeg >/dev/null 2>&1") == 0;
}

static bool command_output(const char *command, Bytes *out)
{
    char path[LIMIT_PATH], line[2 * LIMIT_PATH];
    snprintf(path, sizeof path, "%s/output", test_folder());
    snprintf(line, sizeof line, "%s >%s 2>/dev/null", command, path);
    int status = system(line);
    return (status == 0 || WEXITSTATUS(status) == 2) &&
           file_read(path, LIMIT_IMAGE_FILE, out, NULL);
}

// A picture from the PGM or PPM that djpeg writes.
static bool pnm_read(const Bytes *bytes, Image *out)
{
    int  width, height, at = 0;
    char kind;
    if (sscanf((const char *)bytes->data, "P%c %d %d 255%n", &kind, &width, &height, &at) != 3 ||
        at == 0)
        return false;
    *out = picture_make(width, height, kind == '6' ? 3 : 1);
    if (bytes->size - (size_t)at - 1 != picture_bytes(out))
        return false;
    memcpy(out->pixels, bytes->data + at + 1, picture_bytes(out));
    return true;
}

static void pnm_write(const Image *picture, const char *path)
{
    FILE *file = fopen(path, "wb");
    fprintf(file, "P%d\n%d %d\n255\n", picture->channels == 3 ? 6 : 5, picture->width,
            picture->height);
    fwrite(picture->pixels, 1, picture_bytes(picture), file);
    fclose(file);
}

// What djpeg makes of a file; false if it refuses. Its status 2 means warnings (stray bytes).
static bool djpeg_decode(const char *path, Image *out)
{
    char  command[LIMIT_PATH + 64];
    Bytes pnm = {0};
    snprintf(command, sizeof command, "djpeg -pnm '%s'", path);
    bool done = command_output(command, &pnm) && pnm_read(&pnm, out);
    bytes_close(&pnm);
    return done;
}

static int files_wanted(void)
{
    const char *text = getenv("NEMESIS_JPEG_FILES");
    return text && atoi(text) > 0 ? atoi(text) : 300;
}

// Options of cjpeg that choose what the file looks like inside.
static void options_random(Random *random, char *out, size_t room, const char *script)
{
    static const char *const samplings[] = {
        "1x1",         "2x1",         "1x2",         "2x2",         "4x1",         "1x4",
        "4x2",         "2x4",         "2x2,1x2,1x1", "2x2,2x1,1x1", "2x1,1x1,2x1", "1x2,1x1,1x2",
        "2x2,1x2,2x1", "4x1,2x1,1x1", "1x4,1x2,1x1", "1x1,2x1,1x2", "4x2,2x2,1x1", "1x1,2x2,1x1"};
    enum { SAMPLINGS = sizeof samplings / sizeof samplings[0] };
    int size = snprintf(out, room, "-quality %u -sample %s", 1 + random_below(random, 100),
                        samplings[random_below(random, SAMPLINGS)]);
    static const char *const extras[] = {" -progressive", " -optimize", " -grayscale", " -rgb",
                                         " -baseline"};
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++)
        if (random_below(random, i == 0 ? 2 : 5) == 0)
            size += snprintf(out + size, room - (size_t)size, "%s", extras[i]);
    if (random_below(random, 3) == 0)
        size += snprintf(out + size, room - (size_t)size, " -restart %u%s",
                         1 + random_below(random, 5), random_below(random, 2) ? "B" : "");
    if (!strstr(out, "-progressive") && !strstr(out, "-grayscale") && random_below(random, 6) == 0)
        snprintf(out + size, room - (size_t)size, " -scans %s", script);
}

static void decoder_equals_djpeg_on_random_files(void)
{
    if (!have_tools())
        SKIP("cjpeg and djpeg are not installed");
    char script[LIMIT_PATH], source[LIMIT_PATH], jpeg[LIMIT_PATH];
    snprintf(script, sizeof script, "%s/scans", test_folder());
    snprintf(source, sizeof source, "%s/source", test_folder());
    snprintf(jpeg, sizeof jpeg, "%s/file.jpg", test_folder());
    CHECK(file_publish(script, "0;\n2;\n1;\n", 9, NULL)); // three scans, not interleaved
    Random random = random_stream(test_seed(), "jpeg decode");
    int    made = 0, equal = 0;
    for (int i = 0; made < files_wanted() && i < 2 * files_wanted(); i++) {
        int width     = 1 + (int)random_below(&random, 200),
            height    = 1 + (int)random_below(&random, 200);
        Image picture = picture_random(&random, width, height, 3), decoded = {0}, wanted = {0};
        char  options[256 + LIMIT_PATH], command[4 * LIMIT_PATH];
        Bytes bytes = {0};
        Error error = {0};
        options_random(&random, options, sizeof options, script);
        pnm_write(&picture, source);
        snprintf(command, sizeof command, "cjpeg %s -outfile %s %s 2>/dev/null", options, jpeg,
                 source);
        if (system(command) == 0 && file_read(jpeg, LIMIT_IMAGE_FILE, &bytes, NULL)) {
            bool same = jpeg_decode(bytes.data, bytes.size, jpeg, &decoded, &error) &&
                        djpeg_decode(jpeg, &wanted) && pictures_equal(&decoded, &wanted);
            made++;
            equal += same;
            if (!same)
                printf("  %dx%d %s: differs %s\n", width, height, options, error.message);
        }
        bytes_close(&bytes);
        image_free(&wanted);
        image_free(&decoded);
        image_free(&picture);
    }
    printf("  %d of %d files equal\n", equal, made);
    CHECK(made > 0 && equal == made);
}

static void encoder_equals_cjpeg(void)
{
    if (!have_tools())
        SKIP("cjpeg and djpeg are not installed");
    static const char *const names[] = {"2x2", "2x1", "1x1"};
    char                     source[LIMIT_PATH], command[2 * LIMIT_PATH];
    Random                   random = random_stream(test_seed(), "jpeg encode");
    int                      equal = 0, made = 0;
    snprintf(source, sizeof source, "%s/source", test_folder());
    for (int i = 0; i < files_wanted() / 5; i++) {
        int width     = 1 + (int)random_below(&random, 200),
            height    = 1 + (int)random_below(&random, 200);
        Image picture = picture_random(&random, width, height, random_below(&random, 6) ? 3 : 1);
        JpegSampling sampling = (JpegSampling)random_below(&random, 3);
        pnm_write(&picture, source);
        for (int q = 0; q < 5; q++) {
            int      quality = q == 0 ? 75 : q == 1 ? 100 : 1 + (int)random_below(&random, 99);
            Bytes    wanted  = {0};
            uint8_t *file    = NULL;
            size_t   size    = 0;
            // With -sample cjpeg writes a useless factor into gray files; its default does not.
            snprintf(command, sizeof command, "cjpeg -baseline -quality %d %s%s %s", quality,
                     picture.channels == 3 ? "-sample " : "",
                     picture.channels == 3 ? names[sampling] : "", source);
            bool same = command_output(command, &wanted) &&
                        jpeg_encode(&picture, quality, sampling, &file, &size, NULL) &&
                        size == wanted.size && !memcmp(file, wanted.data, size);
            made++;
            equal += same;
            if (!same)
                printf("  %dx%dx%d quality %d sampling %s differs\n", width, height,
                       picture.channels, quality, names[sampling]);
            memory_free(file);
            bytes_close(&wanted);
        }
        image_free(&picture);
    }
    printf("  %d of %d files equal\n", equal, made);
    CHECK(made > 0 && equal == made);
}

/* ---- published files ------------------------------------------------------------------------- */

static int largest_difference(const Image *a, const Image *b)
{
    int largest = 0;
    if (a->width != b->width || a->height != b->height || a->channels != b->channels)
        return 256;
    for (size_t i = 0; i < picture_bytes(a); i++) {
        int difference = abs(a->pixels[i] - b->pixels[i]);
        largest        = difference > largest ? difference : largest;
    }
    return largest;
}

/* The PNG beside a file, made by another JPEG library: libjpeg-turbo itself differs from it by
 * `listed` (JPEG_INDEX.tsv; where it lists more than 2 the reference has 16 bits). */
static bool matches_reference(const char *path, const Image *image, int listed)
{
    char  png[LIMIT_PATH];
    Bytes bytes     = {0};
    Image reference = {0}, wanted = {0}, found = {0};
    snprintf(png, sizeof png, "%.*s.png", (int)(strrchr(path, '.') - path), path);
    bool fine = file_read(png, LIMIT_IMAGE_FILE, &bytes, NULL) &&
                png_decode(bytes.data, bytes.size, png, &reference, NULL) &&
                image_to_rgb(&reference, &wanted, NULL) && image_to_rgb(image, &found, NULL) &&
                largest_difference(&wanted, &found) <= (listed > 2 ? 2 : listed);
    image_free(&reference);
    image_free(&wanted);
    image_free(&found);
    bytes_close(&bytes);
    return fine;
}

// Files that libjpeg decodes and we refuse: arithmetic coding, and a scan that ends too early.
static bool refused_on_purpose(const char *name)
{
    return strstr(name, "crashtest") || strstr(name, "testimgari") ||
           strstr(name, "partial_progressive");
}

/* Every file of the index: what a libjpeg-turbo program refuses is refused, what it accepts is
 * equal, no file crashes. */
static void published_files(void)
{
    const char *index = test_data("decoder/JPEG_INDEX.tsv");
    Bytes       list  = {0};
    if (!index || !file_read(index, LIMIT_TEXT_FILE, &list, NULL))
        SKIP("decoder/JPEG_INDEX.tsv is not there");
    char   *line       = strchr((char *)(uintptr_t)list.data, '\n');
    int     references = 0, compared = 0, decoded_count = 0, files = 0;
    int64_t blocks = memory_live_blocks();
    bool    tools  = have_tools();
    while (line && line[1]) {
        char name[LIMIT_PATH];
        line++;
        size_t name_size = strcspn(line, "\t");
        snprintf(name, sizeof name, "decoder/%.*s", (int)name_size, line);
        size_t      line_size = strcspn(line, "\n");
        const char *verdict   = line + line_size;
        for (int tab = 0; verdict > line && tab < 2; tab++) // the last two columns
            while (*--verdict != '\t')
                ;
        bool        accepted  = !strncmp(verdict + 1, "ok", 2);
        const char *reference = memchr(verdict, '=', line_size - (size_t)(verdict - line));
        const char *path      = test_data(name);
        Bytes       bytes     = {0};
        Image       image = {0}, wanted = {0};
        Error       error = {0};
        line              = strchr(line, '\n');
        if (!CHECK(path && file_read(path, LIMIT_IMAGE_FILE, &bytes, NULL)))
            continue;
        files++;
        bool done = image_decode(bytes.data, bytes.size, name, &image, &error);
        CHECK(done || error.code == ERROR_DATA);
        if (done && !accepted)
            printf("  accepted: %s\n", name);
        CHECK(!done || accepted);
        if (!done && accepted && !refused_on_purpose(name))
            CHECK_TEXT(error.message, "");
        if (reference && done && !strstr(name, "testorig")) { // its PNG shows something else
            references++;
            if (!CHECK(matches_reference(path, &image, atoi(reference + 1))))
                printf("  differs: %s\n", name);
        }
        if (done && tools && !image.is_cmyk && djpeg_decode(path, &wanted)) {
            compared++;
            if (!CHECK(pictures_equal(&image, &wanted)))
                printf("  differs from djpeg: %s\n", name);
        }
        decoded_count += done;
        image_free(&wanted);
        image_free(&image);
        bytes_close(&bytes);
    }
    printf("  %d files, %d decoded; equal: %d to references, %d to djpeg\n", files, decoded_count,
           references, compared);
    CHECK(references >= 33 && (!tools || compared >= 40) && memory_live_blocks() == blocks);
    bytes_close(&list);
}

static void published_orientations(void)
{
    for (int turn = 1; turn <= 6; turn += 5) {
        char name[64];
        snprintf(name, sizeof name, "decoder/exif/Portrait_%d.jpg", turn);
        const char *path  = test_data(name);
        Bytes       bytes = {0};
        Image       image = {0};
        if (!path || !file_read(path, LIMIT_IMAGE_FILE, &bytes, NULL))
            SKIP("decoder/exif is not there");
        CHECK(jpeg_decode(bytes.data, bytes.size, name, &image, NULL));
        CHECK(image.orientation == turn);
        image_free(&image);
        bytes_close(&bytes);
    }
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
    RUN(decoder_equals_djpeg_on_random_files);
    RUN(encoder_equals_cjpeg);
    RUN(published_files);
    RUN(published_orientations);
}
