/* tests/test_limits.c - the limits on what comes from outside, at their values, and small files
 * that ask for much: each ends in little time, and in little more memory than its picture. */
#include "../cli/commands.h"
#include "../format/json.h"
#include "../base/file.h"
#include "../base/parallel.h"
#include "../image/image.h"
#include "../image/zlib.h"
#include "../format/csv.h"
#include "../format/npy.h"
#include "blob_builder.h"
#include "fuzz/fuzz.h"
#include "nem_world.h"
#include "play.h"
#include "test.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- limits ---------------------------------------------------------------------------------- */

static void files_over_their_limit_are_not_read(void)
{
    World   *world = world_draw(test_seed(), 3, 4, 4);
    ProbeSet probe = {0};
    Error    error = {0}, table = {0};
    char     path[600];
    uint8_t  pixels[3 * WORLD_PHOTO * WORLD_PHOTO];
    REQUIRE(world_write(world, "world") && probe_open(&probe, world->folder, NULL, NULL));
    snprintf(path, sizeof path, "%s/images/0.png", world->folder);
    REQUIRE(truncate(path, (off_t)LIMIT_IMAGE_FILE + 1) == 0); // a hole: it takes no room
    CHECK(!probe_photo(&probe, 0, pixels, &error));
    CHECK_REFUSED("limit", &error, "has 268435457 bytes, the limit is 268435456");
    probe_close(&probe);
    snprintf(path, sizeof path, "%s/index.csv", world->folder);
    REQUIRE(truncate(path, (off_t)LIMIT_TEXT_FILE + 1) == 0);
    CHECK(!probe_open(&probe, world->folder, NULL, &table));
    CHECK_REFUSED("limit", &table, "has 1073741825 bytes, the limit is 1073741824");
    world_free(world);
}

static void rows_of_a_table_are_limited(void)
{
    size_t   size  = 2 * ((size_t)LIMIT_CSV_ROWS + 2);
    uint8_t *text  = memory_new(size, 1, NULL);
    Csv     *csv   = NULL;
    Error    error = {0};
    for (size_t i = 0; i < size; i += 2)
        memcpy(text + i, "x\n", 2);
    CHECK(csv_open(&csv, text, size - 2, "t.csv", NULL) && csv_row_count(csv) == LIMIT_CSV_ROWS);
    csv_close(csv);
    CHECK(!csv_open(&csv, text, size, "t.csv", &error));
    CHECK_REFUSED("limit", &error, "line 10000002: more rows than the limit of 10000000");
    memory_free(text);
}

static void threads_are_limited(void)
{
    int before = parallel_threads();
    CHECK(parallel_set_threads(100000) == 100000 && parallel_threads() <= LIMIT_THREADS);
    parallel_set_threads(before);
    REQUIRE(program_exists() && play_inputs(1));
    CHECK(!*program_run("inspect %s -t 1024", play_blob)->err);
    const Outcome *outcome = program_run("inspect %s -t 1025", play_blob);
    CHECK(outcome->code == 0 && strstr(outcome->err, "1025 threads asked for, taking 1024"));
}

static void pixels_are_limited_as_asked(void)
{
    REQUIRE(program_exists() && play_inputs(1)); // 16 x 16
    const char *photo = play_photo(0), *out = in_folder("out.png");
    CHECK(program_run("image %s -o %s --max-pixels 256", photo, out)->code == 0);
    const Outcome *outcome = program_run("image %s -o %s --max-pixels 255", photo, out);
    CHECK(outcome->code == ERROR_DATA &&
          strstr(outcome->err, "16x16 is empty or over the limit of 255 pixels"));
    outcome = program_run("image %s -o %s --max-pixels 288 --resize 17", photo, out);
    CHECK(outcome->code != 0 && strstr(outcome->err, "17x17 is empty or over the limit of 288"));
    outcome = program_run("verify -d %s --max-pixels 255", play_probe);
    CHECK(outcome->code == ERROR_DATA && strstr(outcome->err, "more pixels than the limit in"));
    outcome = program_run("image %s -o %s --max-pixels 268435457", photo, out);
    CHECK(outcome->code == ERROR_USAGE && strstr(outcome->err, "in 1..268435456"));
}

/* ---- bombs ----------------------------------------------------------------------------------- */

typedef struct Material {
    uint8_t *data;
    size_t   size;
} Material;

typedef bool Bomb(const Material *material, Error *error); // false: refused

static void put(Material *out, const void *data, size_t size)
{
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

static bool decodes(const Material *material, Error *error)
{
    Image image = {0};
    bool  ok    = image_decode(material->data, material->size, "bomb", &image, error);
    image_free(&image);
    return ok;
}

static bool reads_json(const Material *material, Error *error)
{
    Json json = {0};
    bool ok   = json_read(material->data, material->size, "bomb", &json, error);
    json_free(&json);
    return ok;
}

static bool reads_csv(const Material *material, Error *error)
{
    Csv *csv = NULL;
    bool ok  = csv_open(&csv, material->data, material->size, "bomb", error);
    csv_close(csv);
    return ok;
}

static bool reads_npy(const Material *material, Error *error)
{
    float *data = NULL;
    Shape  shape;
    bool   ok = npy_parse(material->data, material->size, "bomb", &data, &shape, error);
    memory_free(data);
    return ok;
}

static bool opens_blob(const Material *material, Error *error)
{
    WeightBlob *blob = NULL;
    bool        ok   = blob_open(fuzz_file(material->data, material->size), &blob, error);
    blob_close(blob);
    return ok;
}

#ifdef __has_feature
#define IS_CHECKED                                                                                 \
    (__has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                        \
     __has_feature(thread_sanitizer))
#elif defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define IS_CHECKED 1
#else
#define IS_CHECKED 0
#endif

/* What the time of a bomb is held to, so that no machine is too slow: a chain of plain steps, whose
 * results go to fresh memory together with the bytes of an output. */
static bool plain_steps(const Material *output, Error *error)
{
    enum { STEPS = 32 << 20 };
    uint8_t *room = memory_new(STEPS + output->size, 1, error);
    uint32_t word = 1;
    for (int i = 0; room && i < STEPS; i++) {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        room[i] = (uint8_t)word;
    }
    if (room)
        memset(room + STEPS, (int)word, output->size);
    bool done = room != NULL;
    memory_free(room);
    return done;
}

static bool no_steps(const Material *material, Error *error)
{
    (void)material;
    (void)error;
    return true;
}

/* Runs it in a process of its own. Returns its exit code, -1 if it had none. */
static int run_apart(Bomb *bomb, const Material *material, Error *said, struct rusage *used)
{
    int status = 0, child = fork();
    if (child == 0)
        _exit(bomb(material, said));
    return wait4(child, &status, 0, used) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double cpu_of(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
           1e-6 * (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec);
}

/* `message` NULL: it is accepted. `output` are the bytes that the file declares. Sanitizers
 * multiply time and memory, so the bounds are not looked at with them. The slowest of these files
 * takes three times as long as the plain steps; one that a bug let explode took 15 to 40 times. */
static void check_bomb(Bomb *bomb, const Material *material, size_t output, const char *message)
{
    struct rusage idle, plain, used;
    Error        *said =
        mmap(NULL, sizeof *said, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
#ifdef __GLIBC__ // freed blocks that the child would use again count as its parent's
    malloc_trim(0);
#endif
    REQUIRE(said != MAP_FAILED && run_apart(no_steps, NULL, NULL, &idle) == 1);
    REQUIRE(run_apart(plain_steps, &(Material){.size = output}, NULL, &plain) == 1);
    CHECK(run_apart(bomb, material, said, &used) == !message);
    if (message)
        CHECK_REFUSED("bomb", said, message);
    munmap(said, sizeof *said);
    double times = cpu_of(&used) / cpu_of(&plain);
    size_t bytes = (size_t)(used.ru_maxrss - idle.ru_maxrss) * 1024;
    printf("  %-44s %5.2f s, %4.1f times %.2f s, %4zu MiB beside %zu MiB of output\n",
           message ? message : "accepted", cpu_of(&used), times, cpu_of(&plain),
           (bytes > output ? bytes - output : 0) >> 20, output >> 20);
#if !IS_CHECKED
    CHECK(times <= 8);
    CHECK(bytes <= output + ((size_t)64 << 20));
#endif
}

static void put_hex(Material *out, const char *hex) // "FFD8 00": pairs of digits
{
    for (unsigned byte; *hex; hex++)
        if (*hex != ' ' && sscanf(hex, "%2x", &byte) == 1) {
            out->data[out->size++] = (uint8_t)byte;
            hex++;
        }
}

/* Tables and a frame. DC code: 0 = no change. AC codes: 0 = end of block, 10 = the symbol `ac`, of
 * which E0 ends 16384 blocks and 14 bits more, and 01 is a coefficient of one bit. */
static void put_jpeg_start(Material *out, const char *frame, const char *ac)
{
    out->size = 0;
    put_hex(out, "FFD8 FFDB 0043 00");
    memset(out->data + out->size, 1, 64);
    out->size += 64;
    put_hex(out, frame);
    put_hex(out, "FFC4 0015 00 01010000 00000000 00000000 00000000 0001");
    put_hex(out, "FFC4 0015 10 01010000 00000000 00000000 00000000 00");
    put_hex(out, ac);
}

// 8192 x 7680 pixels in one scan: a row of MCUs after the other, never a whole component.
static void large_jpeg_bombs(Material *out)
{
    enum { PIXELS = 8192 * 7680, BLOCKS = PIXELS / 64 };
    static const struct {
        const char *frame, *scan, *bits; // over and over
        size_t      bytes, channels;
    } cases[] = {
        // gray, two coefficients in each block
        {"FFC0 000B 08 1E00 2000 01 01 11 00", "FFDA 0008 01 01 00 00 3F 00", "5A", BLOCKS, 1},
        // chroma halved both ways, a coefficient in each block
        {"FFC0 0011 08 1E00 2000 03 01 22 00 02 11 00 03 11 00",
         "FFDA 000C 03 01 00 02 00 03 00 00 3F 00", "52 94 A5 29 4A", (size_t)BLOCKS * 15 / 16, 3},
        // chroma halved downwards, a coefficient in every second block
        {"FFC0 0011 08 1E00 2000 03 01 12 00 02 11 00 03 11 00",
         "FFDA 000C 03 01 00 02 00 03 00 00 3F 00", "50 A1 42 85 0A 14 28", (size_t)BLOCKS * 7 / 8,
         3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_jpeg_start(out, cases[i].frame, "01");
        put_hex(out, cases[i].scan);
        size_t end = out->size + cases[i].bytes;
        while (out->size < end)
            put_hex(out, cases[i].bits);
        put_hex(out, "FFD9");
        CHECK(out->size <= 1 << 20);
        check_bomb(decodes, out, cases[i].channels * PIXELS, NULL);
    }
}

static void jpeg_bombs(Material *out)
{
    put_jpeg_start(out, "FFC0 000B 08 2000 2000 01 01 11 00", "E0");
    put_hex(out, "FFDA 0008 01 01 00 00 3F 00");
    memset(out->data + out->size, 0, 258 - out->size);
    out->size = 258;
    check_bomb(decodes, out, 0, "cannot hold 8192x8192 pixels");
    put_jpeg_start(out, "FFC2 000B 08 0010 0010 01 01 11 00", "E0");
    put_hex(out, "FFDA 0008 01 01 00 00 00 00 0F");
    for (int i = 0; i < 80000; i++)
        put_hex(out, "FFDA 0008 01 01 00 01 01 00 0F");
    check_bomb(decodes, out, 0, "more than 100 scans");
    // As many blocks as may be, in as many full scans as may be: 4096 x 4096 and 40 of them.
    put_jpeg_start(out, "FFC2 000B 08 1000 1000 01 01 11 00", "E0");
    put_hex(out, "FFDA 0008 01 01 00 00 00 00");
    memset(out->data + out->size, 0, 32768);
    out->size += 32768;
    for (int scan = 0; scan < 40; scan++) {
        put_hex(out, scan == 0 ? "FFDA 0008 01 01 00 01 3F 01" : "FFDA 0008 01 01 00 01 3F 10");
        for (int blocks = 0; blocks < 512 * 512; blocks += 32767)
            put_hex(out, "BFFF00");
    }
    put_hex(out, "FFD9");
    check_bomb(decodes, out, (size_t)16 << 20, NULL);
}

static void put_chunk(Material *out, const char *type, const void *data, size_t size)
{
    uint8_t head[8] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                       (uint8_t)size};
    memcpy(head + 4, type, 4);
    put(out, head, sizeof head);
    put(out, data, size);
    put(out, "\0\0\0\0", 4);
}

static void put_bits(Material *out, int *used, unsigned bits, int count) // lowest first
{
    for (int i = 0; i < count; i++, bits >>= 1, *used = (*used + 1) % 8) {
        if (*used == 0)
            out->data[out->size++] = 0;
        out->data[out->size - 1] |= (uint8_t)((bits & 1) << *used);
    }
}

// A picture of one pixel behind a megabyte of empty blocks: with the fixed code, or each with its
// own.
static void put_png_of_blocks(Material *out, bool fixed)
{
    static const uint8_t header[13] = {0, 0, 0, 1, 0, 0, 0, 1, 8};
    static const uint8_t last[]     = {2, 0, 0xFD, 0xFF, 0, 0, 0, 2, 0, 1}; // stored; Adler-32
    enum { MEGABYTE = 1 << 20 };
    int      used = 0;
    Material data = {.data = memory_new(MEGABYTE, 1, NULL)};
    put(&data, "\x78\x01", 2);
    while (data.size < MEGABYTE - 100) {
        put_bits(&data, &used, fixed ? 1 << 1 : 2 << 1, fixed ? 10 : 3);
        if (fixed)
            continue;
        put_bits(&data, &used, 14 << 10, 14);           // 257, 1 and 18 lengths
        put_bits(&data, &used, 1 << 6, 27);             // of 18: 1
        put_bits(&data, &used, 1 << 24, 27);            // of 1: 1
        put_bits(&data, &used, 0xFF, 8);                // 138 zeros
        put_bits(&data, &used, 1 | (118 - 11) << 1, 8); // and 118
        put_bits(&data, &used, 0, 3);                   // 1, 1; end of block
    }
    put_bits(&data, &used, 1, 3);
    put(&data, last, sizeof last);
    out->size = 0;
    put(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", header, sizeof header);
    put_chunk(out, "IDAT", data.data, data.size);
    put_chunk(out, "IEND", "", 0);
    repair_png(out->data, out->size);
    memory_free(data.data);
}

static void png_bombs(Material *out)
{
    enum { SIDE = 4096 };
    static const uint8_t header[13] = {0, 0, SIDE >> 8, 0, 0, 0, SIDE >> 8, 0, 16, 6}; // RGBA
    size_t               size = 0, rows = (size_t)SIDE * (8 * SIDE + 1);
    uint8_t             *packed = NULL, *zeros = memory_new(rows, 1, NULL);
    REQUIRE(deflate_zlib(zeros, rows, &packed, &size, NULL));
    memory_free(zeros);
    for (int kind = 0; kind < 4; kind++) {
        out->size = 0;
        put(out, "\x89PNG\r\n\x1a\n", 8);
        put_chunk(out, "IHDR", header, sizeof header);
        for (int i = 0; kind == 2 && i < 80000; i++)
            put_chunk(out, "tEXt", "", 0);
        if (kind == 3) // what a reader of colour profiles would inflate
            put_chunk(out, "iCCP", packed, size);
        put_chunk(out, "IDAT", packed, kind == 1 ? 1000 : size);
        put_chunk(out, "IEND", "", 0);
        repair_png(out->data, out->size);
        check_bomb(decodes, out, kind == 1 ? 0 : (size_t)SIDE * SIDE * 4,
                   kind == 1 ? "1000 compressed bytes cannot hold 4096x4096 pixels" : NULL);
    }
    memory_free(packed);
    put_png_of_blocks(out, true);
    check_bomb(decodes, out, 1, NULL);
    put_png_of_blocks(out, false);
    check_bomb(decodes, out, 1, NULL);
}

// What takes its time, one after the other, when there is none.
static void decoding_ends_when_its_time_is_up(void)
{
    ImageLimits before = image_limits(), none = {.pixels = before.pixels};
    Material    material = {.data = memory_new((size_t)4 << 20, 1, NULL)};
    for (int kind = 0; kind < 2; kind++) {
        Error error = {0};
        if (kind == 0) {
            put_jpeg_start(&material, "FFC0 000B 08 1000 1000 01 01 11 00", "E0");
            put_hex(&material, "FFDA 0008 01 01 00 00 3F 00");
            material.size += 1 << 16; // two bits a block
            put_hex(&material, "FFD9");
        } else {
            put_png_of_blocks(&material, true);
        }
        CHECK(decodes(&material, NULL));
        image_limits_set(none);
        CHECK(!decodes(&material, &error));
        image_limits_set(before);
        CHECK_REFUSED("time", &error,
                      kind == 0 ? "scan 1 goes over the limit of 0 s of CPU"
                                : "takes more CPU time than one file may");
    }
    memory_free(material.data);
}

static void text_bombs(Material *out)
{
    enum { MEGABYTE = 1 << 20 };
    static const struct {
        Bomb       *bomb;
        const char *text, *message; // the text, over and over, a megabyte of it
    } cases[] = {
        {reads_json, "[", "nested too deeply"},
        {reads_json, "{\"a\":", "nested too deeply"},
        {reads_json, "[],", "text after the value"},
        {reads_json, "\"", "text after the value"},
        {reads_json, "9", "number longer than 64 characters"},
        {reads_csv, ",", "more fields than the limit of 4096"},
        {reads_csv, "\"\"\n", NULL},
        {reads_csv, "\n", "is empty, expected a header"},
        {reads_csv, "x", NULL},
        {reads_csv, "\"\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = strlen(cases[i].text);
        for (out->size = 0; out->size + length <= MEGABYTE;)
            put(out, cases[i].text, length);
        check_bomb(cases[i].bomb, out, 0, cases[i].message);
    }
    out->size = 0; // objects with as many keys as may be, each compared with all
    put(out, "[", 1);
    while (out->size < MEGABYTE - 10000) {
        out->size += (size_t)sprintf((char *)out->data + out->size, "{\"k0\":0");
        for (int i = 1; i < JSON_MEMBERS; i++)
            out->size += (size_t)sprintf((char *)out->data + out->size, ",\"k%d\":0", i);
        put(out, "},", 2);
    }
    put(out, "0]", 2);
    check_bomb(reads_json, out, 0, NULL);
}

static void shape_bombs(Material *out)
{
    static const char *const shapes[][2] = {
        {"(999999999999999999, 999999999999999999)", "its shape has a zero or overflows"},
        {"(99999999999999999,)", "its shape needs 399999999999999996"},
        {"(1, 1, 1, 999999999)", "its shape needs 3999999996"}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        memcpy(out->data, "\x93NUMPY\1\0\x76\0", 10);
        out->size = 128;
        snprintf((char *)out->data + 10, 118, "%-117s",
                 "{'descr': '<f4', 'fortran_order': False, 'shape': ");
        snprintf((char *)out->data + 60, 68, "%s}%*s", shapes[i][0],
                 (int)(66 - strlen(shapes[i][0])), "");
        out->data[127] = '\n';
        check_bomb(reads_npy, out, 0, shapes[i][1]);
    }
    BlobBuilder *builder = blob_builder_new("x", 8, 8);
    blob_builder_constant(builder, "kernel", shape_4d(1, 1, 1, 1), 1);
    for (int dims = 1; dims <= 4; dims++) { // 8 GiB, 2^64, 2^95, 2^126 bytes
        size_t         size  = 0;
        const uint8_t *bytes = blob_builder_bytes(builder, &size);
        out->size            = 0;
        put(out, bytes, size);
        for (int d = 0; d < dims; d++)
            memcpy(out->data + 64 + 192 + 136 + 8 * d, "\xff\xff\xff\x7f\0\0\0\0", 8);
        blob_reseal(out->data, out->size);
        check_bomb(opens_blob, out, 0, "which is more than the limit of 4 GiB");
    }
    blob_builder_free(builder);
}

static void bombs_are_harmless(void)
{
    Material material = {.data = memory_new((size_t)4 << 20, 1, NULL)};
    jpeg_bombs(&material);
    large_jpeg_bombs(&material);
    png_bombs(&material);
    text_bombs(&material);
    shape_bombs(&material);
    memory_free(material.data);
}

SUITE(limits)
{
    RUN(files_over_their_limit_are_not_read);
    RUN(rows_of_a_table_are_limited);
    RUN(threads_are_limited);
    RUN(pixels_are_limited_as_asked);
    RUN(decoding_ends_when_its_time_is_up);
    RUN(bombs_are_harmless);
}
