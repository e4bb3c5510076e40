/* tests/test_png.c - inflate, deflate and PNG: known answers, PngSuite, round trips and damage. */
#include "test.h"
#include "pictures.h"
#include "../base/digest.h"
#include "../base/file.h"
#include "../image/zlib.h"
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- zlib ------------------------------------------------------------------------------------ */

static const char    HELLO[]       = "hello hello hello hello, hello";
static const uint8_t HELLO_FIXED[] = {0x78, 0xDA, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40,
                                      0x27, 0x75, 0x20, 0x14, 0x00, 0xAC, 0xF5, 0x0B, 0x11};

static void inflate_known_answer(void) // zlib level 9, a block with the fixed code
{
    uint8_t out[sizeof HELLO] = {0};
    CHECK(inflate_into(HELLO_FIXED, sizeof HELLO_FIXED, out, sizeof HELLO - 1, NULL));
    CHECK_TEXT((char *)out, HELLO);
}

static void inflate_stays_in_its_room(void)
{
    uint8_t out[sizeof HELLO + 1];
    for (size_t room = 0; room < sizeof out; room++) {
        memset(out, 0xEE, sizeof out);
        Error error = {0};
        bool  done  = inflate_into(HELLO_FIXED, sizeof HELLO_FIXED, out, room, &error);
        CHECK(done == (room == sizeof HELLO - 1) && (done || error.code == ERROR_DATA));
        for (size_t i = room; i < sizeof out; i++)
            CHECK(out[i] == 0xEE);
    }
}

static void inflate_ignores_what_follows(void)
{
    uint8_t data[sizeof HELLO_FIXED + 20] = {0}, out[sizeof HELLO] = {0};
    memcpy(data, HELLO_FIXED, sizeof HELLO_FIXED);
    CHECK(inflate_into(data, sizeof data, out, sizeof HELLO - 1, NULL));
}

static void inflate_refuses_named_kinds(void)
{
    static const struct {
        const char *what;
        size_t      size;
        uint8_t     data[24];
    } cases[] = {
        {"too short", 5, {0x78, 0x9C, 3, 0, 0}},
        {"do not start", 8, {0x79, 0x9C, 3, 0, 0, 0, 0, 1}},
        {"do not start", 8, {0x88, 0x1C, 3, 0, 0, 0, 0, 1}}, // a window of 64 KiB
        {"do not start", 8, {0x78, 0xBB, 3, 0, 0, 0, 0, 1}}, // a preset dictionary
        {"unknown kind", 8, {0x78, 0x9C, 7, 0, 0, 0, 0, 1}},
        {"wrong length", 11, {0x78, 0x9C, 1, 1, 0, 1, 0, 9, 0, 0, 1}},
        {"ends too early", 9, {0x78, 0x9C, 1, 9, 0, 0xF6, 0xFF, 9, 0}},
        {"before its start", 9, {0x78, 0x9C, 0x63, 0x00, 0x42, 0, 0, 0, 1}},
        {"too many codes", 9, {0x78, 0x9C, 0xFD, 0xFF, 0, 0, 0, 0, 1}},
        {"code-length code", 9, {0x78, 0x9C, 0x05, 0, 0, 0, 0, 0, 1}},
        {"does not match", 12, {0x78, 0x9C, 1, 1, 0, 0xFE, 0xFF, 'a', 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[1];
        Error   error = {0};
        CHECK(!inflate_into(cases[i].data, cases[i].size, out, sizeof out, &error));
        CHECK_REFUSED("zlib", &error, cases[i].what);
    }
}

static void deflate_round_trips(void)
{
    Random random = random_stream(test_seed(), "deflate");
    for (int i = 0; i < 60; i++) {
        size_t   size  = i < 5 ? (size_t)i : random_below(&random, i < 50 ? 3000 : 200000);
        uint32_t range = 1 + random_below(&random, 256), repeat = 1 + random_below(&random, 40);
        uint8_t *data = memory_new(size, 1, NULL), *back = memory_new(size, 1, NULL),
                *packed    = NULL;
        size_t packed_size = 0;
        for (size_t k = 0; k < size; k++)
            data[k] = (uint8_t)(k >= repeat && random_below(&random, repeat)
                                    ? data[k - repeat]
                                    : random_below(&random, range));
        REQUIRE(deflate_zlib(data, size, &packed, &packed_size, NULL));
        CHECK(inflate_into(packed, packed_size, back, size, NULL));
        CHECK(!memcmp(data, back, size));
        CHECK(packed_size <= size + size / 50 + 400);
        memory_free(data);
        memory_free(back);
        memory_free(packed);
    }
}

/* The weights 1, 1, 2, 3, 5, ... give the deepest Huffman tree: its codes must be kept to 15 bits.
 */
static void deflate_limits_code_lengths(void)
{
    size_t   size = 0, packed_size = 0;
    uint8_t *data = memory_new(200000, 1, NULL), *back = memory_new(200000, 1, NULL),
            *packed = NULL;
    size_t weight = 1, before = 0;
    for (int symbol = 0; symbol < 22; symbol++) {
        for (size_t i = 0; i < weight && size < 30000; i++)
            data[size++] = (uint8_t)symbol;
        size_t next = weight + before;
        before      = weight;
        weight      = next;
    }
    Random random = random_stream(test_seed(), "shuffle"); // without runs there are only literals
    for (size_t i = size - 1; i > 0; i--) {
        size_t  k    = random_below(&random, (uint32_t)i + 1);
        uint8_t swap = data[i];
        data[i]      = data[k];
        data[k]      = swap;
    }
    REQUIRE(deflate_zlib(data, size, &packed, &packed_size, NULL));
    CHECK(inflate_into(packed, packed_size, back, size, NULL));
    CHECK(!memcmp(data, back, size));
    memory_free(data);
    memory_free(back);
    memory_free(packed);
}

/* ---- made-up files --------------------------------------------------------------------------- */

typedef struct Builder {
    uint8_t data[65536];
    size_t  size;
} Builder;

static void add_chunk(Builder *b, const char *type, const void *content, size_t size)
{
    uint8_t *chunk = b->data + b->size;
    for (int i = 0; i < 4; i++)
        chunk[i] = (uint8_t)(size >> (24 - 8 * i));
    memcpy(chunk + 4, type, 4);
    if (size)
        memcpy(chunk + 8, content, size);
    uint32_t crc = digest_crc32(0, chunk + 4, size + 4);
    for (int i = 0; i < 4; i++)
        chunk[8 + size + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    b->size += size + 12;
}

static void add_header(Builder *b, int width, int height, int depth, int color, int interlaced)
{
    uint8_t header[13] = {0,
                          0,
                          (uint8_t)(width >> 8),
                          (uint8_t)width,
                          0,
                          0,
                          (uint8_t)(height >> 8),
                          (uint8_t)height,
                          (uint8_t)depth,
                          (uint8_t)color,
                          0,
                          0,
                          (uint8_t)interlaced};
    memcpy(b->data, "\x89PNG\r\n\x1A\n", 8);
    b->size = 8;
    add_chunk(b, "IHDR", header, sizeof header);
}

// The rows, in `parts` IDAT chunks, and the end.
static void add_rows(Builder *b, const uint8_t *rows, size_t size, size_t parts)
{
    uint8_t *packed      = NULL;
    size_t   packed_size = 0, at = 0;
    CHECK(deflate_zlib(rows, size, &packed, &packed_size, NULL));
    for (size_t part = 1; part <= parts; part++) {
        size_t end = packed_size * part / parts;
        add_chunk(b, "IDAT", packed + at, end - at);
        at = end;
    }
    add_chunk(b, "IEND", NULL, 0);
    memory_free(packed);
}

static void decodes_to(const Builder *b, int width, int height, int channels, const uint8_t *pixels)
{
    Image image = {0};
    Error error = {0};
    if (!CHECK(png_decode(b->data, b->size, "made.png", &image, &error)))
        printf("  %s\n", error.message);
    else if (CHECK(image.width == width && image.height == height && image.channels == channels))
        CHECK(!memcmp(image.pixels, pixels, picture_bytes(&image)));
    image_free(&image);
}

static void refused(const Builder *b, const char *part)
{
    Image image = {0};
    Error error = {0};
    CHECK(!png_decode(b->data, b->size, "bad.png", &image, &error));
    CHECK(!image.pixels);
    CHECK_REFUSED("png", &error, part);
}

static void samples_are_spread(void)
{
    Builder b;
    add_header(&b, 5, 1, 1, 0, 0); // 1-bit gray
    add_rows(&b, (const uint8_t[]){0, 0xA8}, 2, 1);
    decodes_to(&b, 5, 1, 1, (const uint8_t[]){255, 0, 255, 0, 255});
    add_header(&b, 3, 1, 2, 0, 0); // 2-bit gray, one level transparent
    add_chunk(&b, "tRNS", (const uint8_t[]){0, 2}, 2);
    add_rows(&b, (const uint8_t[]){0, 0x1B}, 2, 1);
    decodes_to(&b, 3, 1, 2, (const uint8_t[]){0, 255, 85, 255, 170, 0});
    add_header(&b, 2, 1, 16, 0, 0); // 16-bit gray keeps the high byte
    add_rows(&b, (const uint8_t[]){0, 0x12, 0xFF, 0xFE, 0x80}, 5, 1);
    decodes_to(&b, 2, 1, 1, (const uint8_t[]){0x12, 0xFE});
    add_header(&b, 2, 1, 16, 2, 0); // transparency compares all 16 bits
    add_chunk(&b, "tRNS", (const uint8_t[]){0, 1, 0, 2, 0, 3}, 6);
    add_rows(&b, (const uint8_t[]){0, 0, 1, 0, 2, 0, 3, 0, 1, 0, 2, 0, 4}, 13, 1);
    decodes_to(&b, 2, 1, 4, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 255});
    add_header(&b, 3, 1, 4, 3, 0); // palette with transparency for its first entry
    add_chunk(&b, "PLTE", (const uint8_t[]){1, 2, 3, 4, 5, 6}, 6);
    add_chunk(&b, "tRNS", (const uint8_t[]){9}, 1);
    add_rows(&b, (const uint8_t[]){0, 0x10, 0x10}, 3, 2);
    decodes_to(&b, 3, 1, 4, (const uint8_t[]){4, 5, 6, 255, 1, 2, 3, 9, 4, 5, 6, 255});
}

static void filters_are_undone(void) // one row of each, worked out by hand
{
    Builder b;
    add_header(&b, 3, 5, 8, 0, 0);
    add_rows(&b, (const uint8_t[]){0, 10, 20, 30, 1, 1, 2, 3, 2, 5, 5, 5, 3, 9, 9, 9, 4, 1, 1, 1},
             20, 3);
    decodes_to(&b, 3, 5, 1,
               (const uint8_t[]){10, 20, 30, 1, 3, 6, 6, 8, 11, 12, 19, 24, 13, 20, 25});
}

static void interlacing_is_undone(void) // 3x3: passes 1, 4 (right), 5 (bottom), 6, 7 have pixels
{
    Builder b;
    add_header(&b, 3, 3, 8, 0, 1);
    add_rows(&b, (const uint8_t[]){0, 1, 0, 3, 0, 7, 9, 0, 2, 0, 8, 0, 4, 5, 6}, 15, 1);
    decodes_to(&b, 3, 3, 1, (const uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9});
}

static void headers_are_checked(void)
{
    static const struct {
        int         width, height, depth, color, interlaced;
        const char *message;
    } cases[] = {
        {0, 1, 8, 0, 0, "empty"},
        {1, 0, 8, 0, 0, "empty"},
        {65535, 65535, 8, 0, 0, "limit"},
        {1, 1, 16, 3, 0, "does not exist"},
        {1, 1, 4, 2, 0, "does not exist"},
        {1, 1, 8, 1, 0, "does not exist"},
        {1, 1, 8, 7, 0, "does not exist"},
        {1, 1, 32, 0, 0, "does not exist"},
        {1, 1, 8, 0, 2, "unknown compression"},
        {60000, 1000, 8, 6, 0, "cannot hold"},
        {1, 1, 8, 3, 0, "IDAT is misplaced"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Builder b;
        add_header(&b, cases[i].width, cases[i].height, cases[i].depth, cases[i].color,
                   cases[i].interlaced);
        add_rows(&b, (const uint8_t[]){0, 1}, 2, 1);
        refused(&b, cases[i].message);
    }
}

static void chunks_are_checked(void)
{
    static const uint8_t colors[3 * 257] = {0};
    static const struct {
        const char *type;
        size_t      size;
        int         color;
        const char *message;
    } cases[] = {
        {"PLTE", 3, 0, "PLTE is misplaced"}, {"PLTE", 4, 3, "in threes"},
        {"PLTE", 0, 3, "in threes"},         {"PLTE", 771, 2, "in threes"},
        {"PLTE", 51, 3, "in threes"},        {"tRNS", 1, 3, "tRNS is misplaced"},
        {"tRNS", 3, 0, "tRNS has 3 bytes"},  {"tRNS", 2, 2, "tRNS has 2 bytes"},
        {"tRNS", 2, 4, "tRNS is misplaced"}, {"ABCD", 2, 0, "unknown critical"},
        {"IEND", 0, 0, "before any IDAT"},   {"IHDR", 13, 0, "unknown critical"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Builder b;
        add_header(&b, 1, 1, cases[i].color == 3 ? 4 : 8, cases[i].color, 0);
        add_chunk(&b, cases[i].type, colors, cases[i].size);
        add_rows(&b, (const uint8_t[]){0, 1}, 2, 1);
        refused(&b, cases[i].message);
    }
}

static void data_is_checked(void)
{
    Builder b;
    add_header(&b, 2, 1, 8, 0, 0);
    add_rows(&b, (const uint8_t[]){5, 1, 2}, 3, 1);
    refused(&b, "unknown filter 5");
    add_header(&b, 2, 1, 8, 0, 0);
    add_rows(&b, (const uint8_t[]){0, 1}, 2, 1);
    refused(&b, "holds 2 bytes, expected 3");
    add_header(&b, 2, 1, 8, 0, 0);
    add_rows(&b, (const uint8_t[]){0, 1, 2, 3}, 4, 1);
    refused(&b, "more bytes than expected");
    add_header(&b, 2, 1, 4, 3, 0);
    add_chunk(&b, "PLTE", (const uint8_t[]){1, 2, 3}, 3);
    add_rows(&b, (const uint8_t[]){0, 0x01}, 2, 1);
    refused(&b, "beyond the palette");
    add_header(&b, 2, 1, 8, 0, 0);
    add_rows(&b, (const uint8_t[]){0, 1, 2}, 3, 1);
    b.size -= 12;
    refused(&b, "expected a chunk"); // no IEND
    add_chunk(&b, "teXt", "x", 1);
    add_chunk(&b, "IDAT", "x", 1);
    add_chunk(&b, "IEND", NULL, 0);
    refused(&b, "IDAT is misplaced"); // not in one piece
}

static void other_chunks_are_ignored(void) // even with a wrong CRC, and whatever follows the end
{
    Builder b;
    add_header(&b, 2, 1, 8, 0, 0);
    add_chunk(&b, "teXt", "anything", 8);
    b.data[b.size - 1] ^= 1;
    add_rows(&b, (const uint8_t[]){0, 1, 2}, 3, 1);
    memset(b.data + b.size, 0xAB, 100);
    b.size += 100;
    decodes_to(&b, 2, 1, 1, (const uint8_t[]){1, 2});
}

/* ---- files ----------------------------------------------------------------------------------- */

static void encoding_round_trips(void)
{
    Random random = random_stream(test_seed(), "png");
    for (int i = 0; i < 80; i++) {
        int width = 1 + (int)random_below(&random, 90), height = 1 + (int)random_below(&random, 90);
        Image    picture = picture_random(&random, width, height, 1 + i % 4), back = {0};
        uint8_t *file = NULL, *again = NULL;
        size_t   size = 0, again_size = 0;
        REQUIRE(png_encode(&picture, &file, &size, NULL));
        REQUIRE(png_encode(&picture, &again, &again_size, NULL));
        CHECK(size == again_size && !memcmp(file, again, size));
        REQUIRE(png_decode(file, size, "back", &back, NULL));
        CHECK(pictures_equal(&picture, &back) && back.orientation == 1);
        memory_free(file);
        memory_free(again);
        image_free(&picture);
        image_free(&back);
    }
}

static void encoding_compresses(void) // a label map: large areas of one colour
{
    Image picture = picture_make(112, 112, 3);
    for (size_t i = 0; i < picture_bytes(&picture); i++)
        picture.pixels[i] = (uint8_t)(i / 3 % 112 / 40 * 17 + i / 336 / 50 * 3);
    uint8_t *file = NULL;
    size_t   size = 0;
    REQUIRE(png_encode(&picture, &file, &size, NULL));
    CHECK(size < 400);
    memory_free(file);
    image_free(&picture);
}

static void encoder_refuses_nonsense(void)
{
    Image    picture = picture_make(4, 4, 4);
    uint8_t *file    = NULL;
    size_t   size    = 0;
    Error    error   = {0};
    picture.is_cmyk  = true;
    CHECK(!png_encode(&picture, &file, &size, &error) && error.code == ERROR_USAGE);
    picture.is_cmyk = false;
    picture.width   = 0;
    CHECK(!png_encode(&picture, &file, &size, NULL) && !file);
    image_free(&picture);
}

static void damaged_files_are_refused(void)
{
    Image    picture = picture_make(13, 9, 3);
    uint8_t *file    = NULL;
    size_t   size    = 0;
    REQUIRE(png_encode(&picture, &file, &size, NULL));
    picture_damage(file, size, size);
    memory_free(file);
    image_free(&picture);
}

// The same behind correct checksums: what an attacker would send.
static void damaged_data_with_good_checksums(void)
{
    Builder b;
    Image   picture = picture_make(9, 7, 3), image = {0};
    uint8_t rows[7 * 28];
    for (size_t y = 0; y < 7; y++) {
        rows[28 * y] = (uint8_t)(y % 5);
        memcpy(rows + 28 * y + 1, picture.pixels + 27 * y, 27);
    }
    uint8_t *packed  = NULL, *copy;
    size_t   size    = 0;
    int      decoded = 0;
    REQUIRE(deflate_zlib(rows, sizeof rows, &packed, &size, NULL));
    copy = memory_new(size, 1, NULL);
    for (size_t at = 0; at < size; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, packed, size);
            copy[at] ^= (uint8_t)(1 << bit);
            add_header(&b, 9, 7, 8, 2, (int)at % 2);
            add_chunk(&b, "IDAT", copy, size);
            add_chunk(&b, "IEND", NULL, 0);
            decoded += png_decode(b.data, b.size, "flip", &image, NULL);
            image_free(&image);
        }
    CHECK(decoded < 16); // Adler-32 catches nearly all; flips in the header's hints do no harm
    memory_free(packed);
    memory_free(copy);
    image_free(&picture);
}

static void memory_failures_are_clean(void)
{
    Builder b;
    Image   picture = picture_make(30, 20, 3);
    int64_t blocks  = memory_live_blocks();
    add_header(&b, 2, 1, 8, 0, 0);
    add_rows(&b, (const uint8_t[]){0, 1, 2}, 3, 2);
    for (int kind = 0; kind < 2; kind++) {
        bool done = false;
        for (int64_t call = 1; !done && CHECK(call < 50); call++) {
            Image    image = {0};
            Error    error = {0};
            uint8_t *file  = NULL;
            size_t   size  = 0;
            memory_fail_at(call, false);
            done = kind ? png_encode(&picture, &file, &size, &error)
                        : png_decode(b.data, b.size, "memory", &image, &error);
            memory_fail_at(0, false);
            CHECK(done || error.code == ERROR_MEMORY);
            image_free(&image);
            memory_free(file);
        }
    }
    CHECK(memory_live_blocks() == blocks);
    image_free(&picture);
}

/* ---- PngSuite -------------------------------------------------------------------------------- */

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Compares with the expected pixels, a BMP of 24 or 32 bits. Where a pixel is fully transparent the
 * BMP's colour means nothing. `slack` is what 16-bit gray may differ, as the BMP rounds. */
static bool equals_bmp(const Image *image, const Bytes *bmp, int slack)
{
    const uint8_t *p = bmp->data, *pixels = p + load_le32(p + 10);
    int            width = (int)load_le32(p + 18), height = (int)load_le32(p + 22);
    size_t         bytes = p[28] / 8, stride = ((size_t)width * bytes + 3) / 4 * 4;
    if (width != image->width || height != image->height || (bytes != 3 && bytes != 4))
        return false;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *wanted = pixels + (size_t)(height - 1 - y) * stride + (size_t)x * bytes;
            const uint8_t *found =
                image->pixels + ((size_t)y * (size_t)width + (size_t)x) * (size_t)image->channels;
            bool has_alpha = image->channels % 2 == 0;
            int  alpha     = has_alpha ? found[image->channels - 1] : 255;
            if (bytes == 4 && wanted[3] != alpha)
                return false;
            for (int c = 0; c < 3 && alpha; c++)
                if (abs(wanted[2 - c] - found[image->channels < 3 ? 0 : c]) > slack)
                    return false;
        }
    return true;
}

static void pngsuite_is_exact(void)
{
    const char *folder = test_data("decoder/pngsuite/png");
    DIR        *handle = folder ? opendir(folder) : NULL;
    if (!handle)
        SKIP("decoder/pngsuite is not there");
    struct dirent *entry;
    int            exact = 0, turned_away = 0;
    while ((entry = readdir(handle))) {
        char   path[LIMIT_PATH], twin[LIMIT_PATH];
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".png") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        snprintf(twin, sizeof twin, "%s/../bmp/%.*s.bmp", folder, (int)length - 4, entry->d_name);
        Bytes png = {0}, bmp = {0};
        Image image = {0};
        Error error = {0};
        REQUIRE(file_read(path, LIMIT_IMAGE_FILE, &png, NULL));
        bool done = png_decode(png.data, png.size, entry->d_name, &image, &error);
        if (entry->d_name[0] == 'x') {
            turned_away += CHECK(!done && error.code == ERROR_DATA);
        } else {
            bool gray16 = strstr(entry->d_name, "0g16") != NULL;
            bool equal  = done && file_read(twin, LIMIT_IMAGE_FILE, &bmp, NULL) &&
                         equals_bmp(&image, &bmp, gray16);
            if (!CHECK(equal))
                printf("  %s %s\n", entry->d_name, error.message);
            exact += equal;
        }
        image_free(&image);
        bytes_close(&png);
        bytes_close(&bmp);
    }
    closedir(handle);
    printf("  %d exact, %d refused\n", exact, turned_away);
    CHECK(exact == 161 && turned_away == 14);
}

SUITE(png)
{
    RUN(inflate_known_answer);
    RUN(inflate_stays_in_its_room);
    RUN(inflate_ignores_what_follows);
    RUN(inflate_refuses_named_kinds);
    RUN(deflate_round_trips);
    RUN(deflate_limits_code_lengths);
    RUN(samples_are_spread);
    RUN(filters_are_undone);
    RUN(interlacing_is_undone);
    RUN(headers_are_checked);
    RUN(chunks_are_checked);
    RUN(data_is_checked);
    RUN(other_chunks_are_ignored);
    RUN(encoding_round_trips);
    RUN(encoding_compresses);
    RUN(encoder_refuses_nonsense);
    RUN(damaged_files_are_refused);
    RUN(damaged_data_with_good_checksums);
    RUN(memory_failures_are_clean);
    RUN(pngsuite_is_exact);
}
