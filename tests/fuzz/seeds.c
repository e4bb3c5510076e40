/* tests/fuzz/seeds.c - valid files of every format, as small as they can be and as different as
 * they can be: what a fuzzer starts from. usage: seeds FOLDER writes FOLDER/TARGET/NUMBER. */
#include "../../cli/commands.h"
#include "../../base/digest.h"
#include "../../base/file.h"
#include "../../image/image.h"
#include "../../image/zlib.h"
#include "../../format/npy.h"
#include "../blob_builder.h"
#include "../golden_jpeg.h"
#include "../token_tables.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *target_folder; // of the target being written
static int         seed_number;

static void target(const char *root, const char *name)
{
    static char folder[LIMIT_PATH];
    snprintf(folder, sizeof folder, "%s/%s", root, name);
    if (!folder_create(folder, NULL))
        exit(1);
    target_folder = folder;
    seed_number   = 0;
}

static void seed(const void *data, size_t size)
{
    char path[LIMIT_PATH + 32];
    snprintf(path, sizeof path, "%s/seed%03d", target_folder, seed_number++);
    if (!file_publish(path, data, size, NULL))
        exit(1);
}

static void seed_text(const char *text)
{
    seed(text, strlen(text));
}

// A slope with some noise: every kind of code in an encoder's output.
static Image picture(int width, int height, int channels)
{
    Random random = random_stream(1, "seed picture");
    Image  image  = {.width = width, .height = height, .channels = channels, .orientation = 1};
    size_t bytes  = (size_t)width * (size_t)height * (size_t)channels;
    image.pixels  = memory_new(bytes, 1, NULL);
    for (size_t i = 0; i < bytes; i++)
        image.pixels[i] = (uint8_t)(i * 3 + random_below(&random, i % 5 ? 4 : 60));
    return image;
}

/* ---- zlib and PNG ---------------------------------------------------------------------------- */

typedef struct Buffer {
    uint8_t data[1 << 16];
    size_t  size;
} Buffer;

static void put(Buffer *out, const void *data, size_t size)
{
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put_stored(Buffer *out, const uint8_t *data, size_t size)
{
    uint8_t head[7] = {0x78, 0x01, 1, (uint8_t)size, (uint8_t)(size >> 8)};
    size_t  start   = out->size;
    put(out, head, sizeof head);
    put(out, data, size);
    put(out, "\0\0\0\0", 4);
    zlib_reseal(out->data + start, out->size - start);
}

static void put_chunk(Buffer *out, const char *type, const void *data, size_t size)
{
    uint8_t head[8] = {0, 0, (uint8_t)(size >> 8), (uint8_t)size};
    memcpy(head + 4, type, 4);
    put(out, head, sizeof head);
    put(out, data, size);
    uint32_t crc     = digest_crc32(0, out->data + out->size - size - 4, size + 4);
    uint8_t  tail[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                        (uint8_t)crc};
    put(out, tail, sizeof tail);
}

// Rows with every filter in turn and random samples; indices stay in a palette of two.
static void seed_png(Random *random, int side, int depth, int color, bool interlaced, bool clear)
{
    static const int     samples[7] = {1, 0, 3, 1, 2, 0, 4};
    static const int     grid[8][4] = {{0, 0, 1, 1}, {0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8},
                                       {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    static const uint8_t colors[8]  = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t              header[13] = {
                     0, 0, 0,         (uint8_t)side, 0, 0, 0, (uint8_t)side, (uint8_t)depth, (uint8_t)color,
                     0, 0, interlaced};
    Buffer raw = {.size = 0}, packed = {.size = 0}, out = {.size = 0};
    for (int pass = interlaced; pass < (interlaced ? 8 : 1); pass++)
        for (int y = grid[pass][1], row = 0; y < side; y += grid[pass][3], row++) {
            int wide = (side - grid[pass][0] + grid[pass][2] - 1) / grid[pass][2];
            if (side <= grid[pass][0])
                break;
            raw.data[raw.size++] = (uint8_t)(color == 3 ? 0 : row % 5);
            for (int i = 0; i < (wide * samples[color] * depth + 7) / 8; i++)
                raw.data[raw.size++] = (uint8_t)(color == 3 ? 0 : random_word(random));
        }
    put_stored(&packed, raw.data, raw.size);
    put(&out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&out, "IHDR", header, sizeof header);
    if (color == 3)
        put_chunk(&out, "PLTE", colors, 6);
    if (clear)
        put_chunk(&out, "tRNS", colors, color == 3 ? 1 : 2 * (size_t)samples[color]);
    size_t first = depth == 16 ? packed.size / 2 : packed.size; // some data comes in two chunks
    put_chunk(&out, "IDAT", packed.data, first);
    if (first < packed.size)
        put_chunk(&out, "IDAT", packed.data + first, packed.size - first);
    put_chunk(&out, "IEND", "", 0);
    seed(out.data, out.size);
}

// A picture that its two bytes of rows could not fill however they were packed.
static void seed_boast(void)
{
    static const uint8_t header[13] = {0, 0, 8, 0, 0, 0, 8, 0, 8};
    Buffer               packed = {.size = 0}, out = {.size = 0};
    put_stored(&packed, header, 2);
    put(&out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&out, "IHDR", header, sizeof header);
    put_chunk(&out, "IDAT", packed.data, packed.size);
    put_chunk(&out, "IEND", "", 0);
    seed(out.data, out.size);
}

static void seeds_png(void)
{
    static const int kinds[][2] = {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {16, 0}, {8, 2}, {16, 2}, {1, 3},
                                   {2, 3}, {4, 3}, {8, 3}, {8, 4}, {16, 4}, {8, 6}, {16, 6}};
    Random           random     = random_stream(1, "png seeds");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            seed_png(&random, 5, kinds[i][0], kinds[i][1], interlaced, false);
            if (kinds[i][1] < 4)
                seed_png(&random, 3, kinds[i][0], kinds[i][1], interlaced, true);
        }
    seed_boast();
    for (int channels = 1; channels <= 4; channels++) {
        Image    image = picture(9, 7, channels);
        uint8_t *file  = NULL;
        size_t   size  = 0;
        if (png_encode(&image, &file, &size, NULL))
            seed(file, size);
        memory_free(file);
        image_free(&image);
    }
}

static void seeds_inflate(void)
{
    static const uint8_t fixed[] = {0,    29,   0x78, 0xDA, 0xCB, 0x48, 0xCD,
                                    0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x27, 0x75,
                                    0x20, 0x14, 0x00, 0xAC, 0xF5, 0x0B, 0x11};
    Random               random  = random_stream(1, "inflate seeds");
    seed(fixed, sizeof fixed);
    for (uint32_t range = 1; range <= 256; range *= 4) {
        uint8_t  data[3000];
        uint8_t *packed = NULL;
        size_t   size = 0, length = 3 * range + 1 + random_below(&random, 2000);
        Buffer   out = {.data = {(uint8_t)(length >> 8), (uint8_t)length}, .size = 2};
        for (size_t i = 0; i < length; i++)
            data[i] = (uint8_t)(i > 40 && random_below(&random, 8) ? data[i - 1 - range % 40]
                                                                   : random_below(&random, range));
        if (deflate_zlib(data, length, &packed, &size, NULL))
            put(&out, packed, size);
        seed(out.data, out.size);
        memory_free(packed);
    }
    uint8_t skewed[8000]; // the rarer a value, the longer its code
    for (size_t i = 0; i < sizeof skewed; i++) {
        uint32_t word = random_word(&random) & 0xFFFF;
        skewed[i]     = 0;
        while (word & 1) {
            skewed[i]++;
            word >>= 1;
        }
    }
    uint8_t *packed = NULL;
    size_t   size   = 0;
    Buffer   deep   = {.data = {sizeof skewed >> 8, (uint8_t)sizeof skewed}, .size = 2};
    if (deflate_zlib(skewed, sizeof skewed, &packed, &size, NULL))
        put(&deep, packed, size);
    seed(deep.data, deep.size);
    memory_free(packed);
    enum { LONG = 200000 }; // more than the decoder keeps, with matches from far back
    uint8_t *text = memory_new(LONG, 1, NULL);
    Buffer   far  = {.data = {(LONG / 8 | 1 << 15) >> 8, (uint8_t)(LONG / 8)}, .size = 2};
    for (size_t i = 0; i < LONG; i++)
        text[i] = i < 600 ? (uint8_t)random_word(&random) : text[i - (i < 32700 ? 600 : 32700)];
    if (deflate_zlib(text, LONG, &packed, &size, NULL))
        put(&far, packed, size);
    seed(far.data, far.size);
    memory_free(packed);
    memory_free(text);
    Buffer stored = {.data = {0, 5}, .size = 2};
    put_stored(&stored, (const uint8_t *)"abcde", 5);
    seed(stored.data, stored.size);
}

/* ---- JPEG ------------------------------------------------------------------------------------ */

// One 8x8 block of each of four inks, which the Adobe marker calls CMYK (0) or YCCK (2).
static void seed_inks(uint8_t transform)
{
    const uint8_t        adobe[] = {0xFF, 0xEE, 0,   14, 'A', 'd', 'o', 'b',
                                    'e',  0,    100, 0,  0,   0,   0,   transform};
    static const uint8_t frame[] = {0xFF, 0xC0, 0, 20,   8, 0, 8,    0, 8, 4,    1,
                                    0x11, 0,    2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0};
    static const uint8_t scan[]  = {
         0xFF, 0xDA, 0, 14, 4, 1,    0,    2,    0,    3,   0,
         4,    0,    0, 63, 0, 0x28, 0xA2, 0x8A, 0xFF, 0xD9}; // DC 00, AC 1010, four times
    Buffer out = {.size = 0};
    put(&out, "\xFF\xD8\xFF\xDB\0\x43\0", 7);
    memset(out.data + out.size, 8, 64);
    out.size += 64;
    put(&out, adobe, sizeof adobe);
    put(&out, frame, sizeof frame);
    put(&out, scan, sizeof scan);
    seed(out.data, out.size);
}

// A progressive block, then its AC band `scans` times: over the limit of scans, or that of work.
static void seed_scans(int scans, uint8_t last)
{
    const uint8_t band[] = {0xFF, 0xDA, 0, 8, 1, 1, 0, 1, last, 0, 0xAF}; // AC 1010: end of block
    static const uint8_t head[] = {0xFF, 0xC2, 0,    11, 8, 0, 8, 0, 8, 1, 1, 0x11,
                                   0,    0xFF, 0xDA, 0,  8, 1, 1, 0, 0, 0, 0, 0x3F};
    Buffer               out    = {.size = 0};
    put(&out, "\xFF\xD8\xFF\xDB\0\x43\0", 7);
    memset(out.data + out.size, 8, 64);
    out.size += 64;
    put(&out, head, sizeof head);
    for (int i = 0; i < scans; i++)
        put(&out, band, sizeof band);
    put(&out, "\xFF\xD9", 2);
    seed(out.data, out.size);
}

static void seeds_jpeg(void)
{
    seed_inks(0);
    seed_inks(2);
    seed_scans(3, 63);
    seed_scans(100, 1);
    seed_scans(41, 63);
    static const uint8_t two[] = {0xFF, 0xD8, 0xFF, 0xC0, 0, 14, 8,    0, 8,    0,
                                  8,    2,    1,    0x11, 0, 2,  0x11, 0, 0xFF, 0xD9};
    seed(two, sizeof two); // components
    static const uint8_t adobe[] = {0xFF, 0xEE, 0,   14, 'A', 'd', 'o', 'b',
                                    'e',  0,    100, 0,  0,   0,   0,   0};
    static const uint8_t exif[]  = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,  'M', 'M',
                                    0,    42,   0, 0,  0,   8,   0,   1,   1, 18, 0,   3,
                                    0,    0,    0, 1,  0,   6,   0,   0,   0, 0,  0,   0};
    seed(GOLDEN_PROGRESSIVE, sizeof GOLDEN_PROGRESSIVE);
    seed(GOLDEN_SUBSAMPLED, sizeof GOLDEN_SUBSAMPLED);
    for (int channels = 1; channels <= 3; channels += 2)
        for (int sampling = JPEG_420; sampling <= (channels == 1 ? JPEG_420 : JPEG_444); sampling++)
            for (int quality = 1; quality <= 100; quality += 33) {
                Image    image = picture(11 + 8 * sampling, 13, channels);
                uint8_t *file  = NULL;
                size_t   size  = 0;
                if (!jpeg_encode(&image, quality, (JpegSampling)sampling, &file, &size, NULL))
                    exit(1);
                Buffer out = {.size = 0};
                put(&out, file, 2);
                if (quality == 34)
                    put(&out, adobe, sizeof adobe);
                if (quality == 67)
                    put(&out, exif, sizeof exif);
                put(&out, file + 2, size - 2);
                seed(out.data, out.size);
                memory_free(file);
                image_free(&image);
            }
}

/* ---- the project's own ----------------------------------------------------------------------- */

static void seeds_blob(void)
{
    static const uint16_t halves[6] = {0, 0x3C00, 0xBC00, 1, 0x8001, 0x7BFF};
    for (int kind = 0; kind < 4; kind++) {
        BlobBuilder *builder = blob_builder_new(kind ? "resnet18" : "vgg16", 32, 32);
        if (kind > 0)
            blob_builder_random(builder, "conv1.weight", shape_4d(2, 3, 1, 1), 7, 0, 1);
        if (kind > 1)
            blob_builder_tensor(builder, "fc.weight", BLOB_F16, shape_2d(2, 3), halves);
        if (kind > 2) {
            blob_builder_tensor(builder, "a", BLOB_U8, shape_scalar(), "x");
            blob_builder_about(builder, "mean", "0.485,0.456,-1e-3");
        }
        size_t   size  = 0;
        uint8_t *bytes = blob_builder_bytes(builder, &size);
        seed(bytes, size);
        blob_builder_free(builder);
    }
}

// A blob of one array, with `width` bytes at `at` of its entry changed.
static void seed_broken_blob(size_t at, uint64_t value, int width, size_t more)
{
    BlobBuilder *builder = blob_builder_new("x", 8, 8);
    size_t       size    = 0;
    Buffer       out     = {.size = 0};
    blob_builder_constant(builder, "kernel", shape_1d(3), 1);
    const uint8_t *bytes = blob_builder_bytes(builder, &size);
    put(&out, bytes, size);
    for (int i = 0; i < width; i++)
        out.data[64 + 192 + at + (size_t)i] = (uint8_t)(value >> 8 * i);
    uint64_t total = out.size += more, length = 4 * value;
    if (at == 136) // the bytes follow their dimension
        memcpy(out.data + 64 + 192 + 176, &length, 8);
    memcpy(out.data + 16, &total, 8);
    blob_reseal(out.data, out.size);
    seed(out.data, out.size);
    blob_builder_free(builder);
}

static void seeds_broken_blobs(void)
{
    BlobBuilder *builder = blob_builder_new("x", 8, 8);
    size_t       size    = 0;
    seed_broken_blob(136, INT32_MAX, 8, 0); // 8 GiB
    seed_broken_blob(136, 1000, 8, 0);      // past the end
    seed_broken_blob(0, 'k', 1, 64);        // bytes behind the last tensor
    seed_broken_blob(140, 1, 1, 0);         // a dimension that is too large
    for (int i = 0; i < 300; i++) {         // too many lines
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        blob_builder_about(builder, key, "");
        if (i != 200 && i != 299)
            continue;
        const uint8_t *bytes = blob_builder_bytes(builder, &size);
        seed(bytes, size);
    }
    blob_builder_free(builder);
    static const char *const odd[][2] = {{"width", "8.5"}, {"geometry", "round"}};
    for (int i = 0; i < 2; i++) {
        builder = blob_builder_new("x", 8, 8);
        blob_builder_about(builder, odd[i][0], odd[i][1]);
        const uint8_t *bytes = blob_builder_bytes(builder, &size);
        seed(bytes, size);
        blob_builder_free(builder);
    }
}

static void seeds_npy(const char *root)
{
    static const float values[6] = {0, 1, -2.5f, 1e30f, 1e-30f, 7};
    const Shape        shapes[]  = {shape_scalar(), shape_1d(6), shape_2d(2, 3), shape_3d(1, 2, 3),
                                    shape_4d(1, 2, 1, 3)};
    char               path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/npy/array", root);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        Bytes bytes = {0};
        if (!npy_write(path, values, shapes[i], NULL) || !file_read(path, 4096, &bytes, NULL))
            exit(1);
        seed(bytes.data, bytes.size);
        bytes_close(&bytes);
    }
    file_remove(path, NULL);
}

// One for each tokenizer, which the first byte chooses.
static void seed_kinds(const char *text)
{
    char all[512];
    for (int kind = 0; kind < 4; kind++) {
        int size = snprintf(all, sizeof all, "%c%s", '@' + kind, text);
        seed(all, (size_t)size);
    }
}

static void seeds_tokens(void)
{
    seed_kinds("The theme's in the baab, it's 12,345 x\xC2\xB2!? <|endoftext|><|startoftext|>");
    seed_kinds("&amp;lt;b&gt; &eacute;&#233;&#xE9;&#128;&notit; &NotEqualTilde;");
    seed_kinds("  a \t\n b\r\n\xE3\x80\x80\xC2\xA0 aaaaaaaaaaaaaaaa\x1C");
    seed_kinds("\xCE\x91\xCE\xA3' \xC4\xB0 \xC7\x85 \xE4\xBD\xA0\xF0\x9F\x98\x80 e\xCC\x81\xFF\xC3 "
               "'\xC5\xBF");
}

static void seeds_vocabulary(void)
{
    seed_kinds("th\nthe\n\x1Et h\nth e\n");
    seed_kinds("aa\naaaa\nab\n\x1E"
               "aa aa\na b\na a\n");
    seed_kinds("the</w>\nin</w>\n\x1Ei n</w>\n");
    seed_kinds("\x1E");
    seed_kinds("x y\n\x1E");
    seed_kinds("xx\nxx\n\x1E");
    char long_token[LIMIT_TOKEN_BYTES + 4] = "@"; // one byte too many
    memset(long_token + 1, 'x', LIMIT_TOKEN_BYTES + 1);
    long_token[LIMIT_TOKEN_BYTES + 2] = '\n';
    seed_text(long_token);
    seed_kinds("xx\n\x1Ex x\nx x\n");
    seed_text("\x83"
              "a\nb\n\x1E");
}

static void seeds_text(const char *root)
{
    target(root, "csv");
    seed_text("a,b,c\n1,-2,3.5e-1\n4,,\"6\"\n");
    seed_text(
        "\xEF\xBB\xBFname,\"x\"\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\",\"\"\n\nend,7");
    seed_text("unit,category,label,object-label,object-iou\n1,object,tree,tree,0.0734\n");
    char commas[LIMIT_CSV_FIELDS]; // one field too many
    memset(commas, ',', sizeof commas);
    seed(commas, sizeof commas);
    target(root, "probe");
    seed_text("name,first,last,count,frequency\ncolor,1,2,2,3\nobject,3,4,2,2\n\x1e"
              "number,name,category,frequency,coverage,syndata\n1,red,color(2),2,0.5,\n"
              "2,blue,color(1),1,0.25,\n4,tree,object(3),3,1e-3,\n\x1e"
              "code,number,name,frequency,coverage\n1,1,red,2,0.5\n2,2,blue,1,0.25\n\x1e"
              "code,number,name,frequency,coverage\n1,4,tree,3,0.1\n\x1e"
              "image,split,ih,iw,sh,sw,color,object,extra\n"
              "a/1.jpg,train,8,8,4,4,a/1_c.png,4;a/1_o.png,\n"
              "a/2.jpg,val,8,8,4,4,,0;2,\nb.png,val,8,8,4,4,,,\n");
    seed_text("name\nobject\n\x1enumber,name,frequency,coverage\n7,sky,0,0\n\x1e\x1e"
              "number,coverage\n7,1\n\x1eimage,ih,iw,sh,sw,object\nx.jpg,1,1,1,1,7;;7\n");
    Buffer many = {.size = 0};
    put(&many, "name\n", 5);
    for (int i = 0; i < 65; i++)
        many.size += (size_t)sprintf((char *)many.data + many.size, "c%d\n", i);
    seed(many.data, many.size);
    seed_text("name\nobject\n\x1enumber,name,frequency,coverage\n7,sky,0,0\n\x1e\x1e"
              "number,coverage\n7,1\n\x1eimage,ih,iw,sh,sw,object\nx.jpg,65535,65535,1,1,7\n");
    target(root, "json");
    many.size = 0;
    for (int i = 0; i <= 1024; i++)
        many.size += (size_t)sprintf((char *)many.data + many.size, "%c\"%d\":0", i ? ',' : '{', i);
    seed(many.data, many.size);
    seed_text(
        "{\"program\": \"nemesis\", \"seed\": 18446744073709551615, \"list\": [1, -2.5e-3, []]}");
    seed_text(
        "[null, true, false, \"\\u00e9\\ud83d\\udc0d\\n\\\"\", \"gr\xc3\xbc\xc3\x9f\", {}, 0.1]");
    seed_text("{\"weights\": {\"sha256\": \"00ff\"}, \"a\": {\"b\": {\"c\": [[[[0]]]]}}}");
    seed_text("\"\xf0\x9f\x90\x8d \xe2\x82\xac\"");
    target(root, "npy");
    seeds_npy(root);
    target(root, "text");
    seeds_tokens();
    target(root, "vocabulary");
    seeds_vocabulary();
}

// A value that an option takes.
static const char *value_for(const Option *option)
{
    static char text[64];
    size_t      length;
    switch (option->kind) {
    case ARGUMENT_CHOICE:
    case ARGUMENT_CHOICES:
        return word_text(option->value, 0);
    case ARGUMENT_NUMBERS:
        return "0.02,4/255";
    case ARGUMENT_UNITS:
        return "0-3,7";
    case ARGUMENT_TEXT:
        return "file";
    case ARGUMENT_PAIR:
        return "3\nfile";
    default:
        length = (size_t)snprintf(text, sizeof text, "%.15g", option->least);
        return length < sizeof text ? text : "";
    }
}

// What must be said to a verb, or all that can be said.
static size_t put_verb(const Verb *verb, bool all, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "%s", verb->name);
    for (int k = 0; k < verb->input_least; k++)
        used += (size_t)snprintf(text + used, room - used, "\ninput%d", k);
    for (int shared = 0; shared < 2; shared++)
        for (const Option *option = shared ? shared_options : verb->options; option && option->name;
             option++) {
            if ((!all && !option->required) || !strcmp(option->name, "resume") ||
                !strcmp(option->name, "help"))
                continue;
            used += (size_t)snprintf(text + used, room - used, "\n--%s", option->name);
            if (option->kind != ARGUMENT_FLAG)
                used += (size_t)snprintf(text + used, room - used, "%c%s", shared ? '\n' : '=',
                                         value_for(option));
        }
    return used;
}

static void seeds_arguments(void)
{
    char   text[4096];
    size_t used;
    for (int i = 0; verb_at(i); i++)
        for (int all = 0; all < 2; all++) {
            used = put_verb(verb_at(i), all, text, sizeof text);
            seed(text, used);
        }
    seed_text("attack\n--units\ndetectors:8\n-t2\n--\n-x");
    seed_text("noise\n--help");
    seed_text("noise\n--std\n0.1,0.1");
    seed_text(
        "noise\n--std\n1/13,1/9,2/9,3/9,4/9,5/9,6/9,7/9,8/9,1,1/7,2/7,3/7,4/7,5/7,6/7,1/5,2/5,3/5,"
        "4/5,1/3,2/3,1/2,1/8,3/8,5/8,7/8,1/4,3/4,1/6,5/6,1/11,2/11,3/11");
    seed_text("noise\n--store=png8,png8");
    seed_text("noise\n--store=jpeg75,png8,float");
    seed_text("mini\n--out=x\n--overwrite\n--resume");
    seed_text("activations\n--gradient\n3");
    // units_select is asked with every text that the grammar takes
    static const char *const units[] = {
        "detectors", "detectors:2", "detectors:99", "all",   "0-11",
        "3,5",       "5,3",         "3,3",          "11,12", "99999999999999999999"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        snprintf(text, sizeof text, "attack\n--baseline=B\n--out=O\n--units\n%s", units[i]);
        seed_text(text);
    }
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    const char *root = arguments[1];
    target(root, "png");
    seeds_png();
    target(root, "inflate");
    seeds_inflate();
    target(root, "jpeg");
    seeds_jpeg();
    target(root, "blob");
    seeds_blob();
    seeds_broken_blobs();
    seeds_text(root);
    target(root, "arguments");
    seeds_arguments();
    return 0;
}
