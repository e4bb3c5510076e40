/* tests/fuzz/seeds.c - valid files of every format, as small as they can be and as different as they
 * can be: what a fuzzer starts from. usage: seeds FOLDER writes FOLDER/TARGET/NUMBER. */
#include "../../cli/commands.h"
#include "../../engine/digest.h"
#include "../../engine/file.h"
#include "../../image/image.h"
#include "../../image/zlib.h"
#include "../../nem/npy.h"
#include "../blob_builder.h"
#include "../golden_jpeg.h"
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
    repair_inflate(out->data + start, out->size - start);
}

static void put_chunk(Buffer *out, const char *type, const void *data, size_t size)
{
    uint8_t head[8] = {0, 0, (uint8_t)(size >> 8), (uint8_t)size};
    memcpy(head + 4, type, 4);
    put(out, head, sizeof head);
    put(out, data, size);
    uint32_t crc     = digest_crc32(0, out->data + out->size - size - 4, size + 4);
    uint8_t  tail[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
    put(out, tail, sizeof tail);
}

// Rows with every filter in turn and random samples; indices stay in a palette of two.
static void seed_png(Random *random, int side, int depth, int color, bool interlaced, bool clear)
{
    static const int    samples[7] = {1, 0, 3, 1, 2, 0, 4};
    static const int    grid[8][4] = {{0, 0, 1, 1}, {0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8},
                                      {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    static const uint8_t colors[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t              header[13] = {0, 0, 0, (uint8_t)side, 0, 0, 0, (uint8_t)side,
                                       (uint8_t)depth, (uint8_t)color, 0, 0, interlaced};
    Buffer               raw = {.size = 0}, packed = {.size = 0}, out = {.size = 0};
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
    static const uint8_t fixed[] = {0, 29, 0x78, 0xDA, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8,
                                    0x40, 0x27, 0x75, 0x20, 0x14, 0x00, 0xAC, 0xF5, 0x0B, 0x11};
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
    Buffer stored = {.data = {0, 5}, .size = 2};
    put_stored(&stored, (const uint8_t *)"abcde", 5);
    seed(stored.data, stored.size);
}

/* ---- JPEG ------------------------------------------------------------------------------------ */

static void seeds_jpeg(void)
{
    static const uint8_t adobe[] = {0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
    static const uint8_t exif[]  = {0xFF, 0xE1, 0,   34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42,
                                    0,    0,    0,   8,  0,   1,   1,   18,  0, 3, 0,   0,   0, 1,
                                    0,    6,    0,   0,  0,   0,   0,   0};
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

static void seeds_text(const char *root)
{
    target(root, "csv");
    seed_text("a,b,c\n1,-2,3.5e-1\n4,,\"6\"\n");
    seed_text("\xEF\xBB\xBFname,\"x\"\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\",\"\"\n\nend,7");
    seed_text("unit,category,label,object-label,object-iou\n1,object,tree,tree,0.0734\n");
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
    target(root, "json");
    seed_text("{\"program\": \"nemesis\", \"seed\": 18446744073709551615, \"list\": [1, -2.5e-3, []]}");
    seed_text("[null, true, false, \"\\u00e9\\ud83d\\udc0d\\n\\\"\", \"gr\xc3\xbc\xc3\x9f\", {}, 0.1]");
    seed_text("{\"weights\": {\"sha256\": \"00ff\"}, \"a\": {\"b\": {\"c\": [[[[0]]]]}}}");
    seed_text("\"\xf0\x9f\x90\x8d \xe2\x82\xac\"");
    target(root, "npy");
    seeds_npy(root);
}

// A value that an option takes.
static const char *value_for(const Option *option)
{
    static char text[64];
    size_t      length;
    switch (option->kind) {
    case ARGUMENT_CHOICE:
    case ARGUMENT_CHOICES:
        return choice_text(option->value, 0);
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

static void seeds_arguments(void)
{
    for (int i = 0; verb_at(i); i++) {
        const Verb *verb = verb_at(i);
        char        text[4096];
        for (int all = 0; all < 2; all++) { // what must be said, and all that can be said
            size_t used = (size_t)snprintf(text, sizeof text, "%s", verb->name);
            for (int k = 0; k < verb->input_least; k++)
                used += (size_t)snprintf(text + used, sizeof text - used, "\ninput%d", k);
            for (const Option *option = verb->options; option && option->name; option++) {
                if (!all && !option->required)
                    continue;
                used += (size_t)snprintf(text + used, sizeof text - used, "\n--%s", option->name);
                if (option->kind != ARGUMENT_FLAG)
                    used += (size_t)snprintf(text + used, sizeof text - used, "%c%s",
                                             option->kind == ARGUMENT_PAIR ? '\n' : '=',
                                             value_for(option));
            }
            for (const Option *option = shared_options; all && option->name; option++)
                if (strcmp(option->name, "resume") && strcmp(option->name, "help"))
                    used += (size_t)snprintf(text + used, sizeof text - used, "\n--%s%s%s",
                                             option->name, option->kind == ARGUMENT_FLAG ? "" : "\n",
                                             option->kind == ARGUMENT_FLAG ? "" : value_for(option));
            seed(text, used);
        }
    }
    seed_text("attack\n--units\ndetectors:8\n-t2\n--\n-x");
    seed_text("noise\n--units=all\n--help");
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
    seeds_text(root);
    target(root, "arguments");
    seeds_arguments();
    return 0;
}
