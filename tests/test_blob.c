/* tests/test_blob.c - blobs that are read, and every rule by which one is refused. */
#include "test.h"

#include "blob_builder.h"
#include "../base/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HEADER = 64, ENTRY = 192 };

static const char *blob_file(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/test.nw", test_folder());
    return path;
}

/* Index order: about, bias, kernel, scalar; `kernel` is padded, `bias` is not. */
static BlobBuilder *small_builder(void)
{
    BlobBuilder *builder = blob_builder_new("vgg16", 224, 192);
    float        bias[16];
    for (int i = 0; i < 16; i++)
        bias[i] = (float)i / 4;
    blob_builder_random(builder, "kernel", shape_4d(2, 3, 3, 3), 1, 0, 1);
    blob_builder_tensor(builder, "bias", BLOB_F32, shape_1d(16), bias);
    blob_builder_constant(builder, "scalar", shape_scalar(), 2.5f);
    blob_builder_about(builder, "scale", "255");
    blob_builder_about(builder, "mean", "123.68,116.779,103.939");
    return builder;
}

// Thousands of files are written: without the sync of file_publish.
static bool open_bytes(const uint8_t *bytes, size_t size, WeightBlob **out, Error *error)
{
    FILE *file = fopen(blob_file(), "wb");
    bool  ok   = file && fwrite(bytes, 1, size, file) == size;
    return CHECK(file && fclose(file) == 0 && ok) && blob_open(blob_file(), out, error);
}

static void reads_what_was_written(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    const real  *data    = NULL;
    BlobBuilder *builder = small_builder();
    REQUIRE(blob_builder_save(builder, blob_file(), &error));
    REQUIRE(blob_open(blob_file(), &blob, &error));
    CHECK(blob_tensor_count(blob) == 4);
    CHECK_TEXT(blob_tensor(blob, 2)->name, "kernel");
    CHECK(blob_tensor(blob, 4) == NULL && blob_tensor(blob, -1) == NULL);
    CHECK_TEXT(blob_architecture(blob), "vgg16");
    CHECK_TEXT(blob_path(blob), blob_file());
    CHECK(blob_about(blob, "nothing") == NULL);
    const Preparation *preparation = blob_preparation(blob);
    CHECK(preparation->width == 224 && preparation->height == 192);
    CHECK(preparation->scale == 255 && preparation->resize_short == 0);
    CHECK_CLOSE((double)preparation->mean[1], 116.779, 1e-5);
    CHECK(preparation->std[2] == 1);
    REQUIRE(blob_find(blob, "bias", shape_1d(16), &data, &error));
    CHECK((uintptr_t)data % 64 == 0);
    for (int i = 0; i < 16; i++)
        CHECK(data[i] == (real)i / 4);
    REQUIRE(blob_find(blob, "scalar", shape_scalar(), &data, &error));
    CHECK(data[0] == (real)2.5);
    CHECK(((uintptr_t)blob_lookup(blob, "kernel")->data & 63) == 0);
    CHECK(blob_lookup(blob, "kerne") == NULL && blob_lookup(blob, "zzz") == NULL);
    blob_close(blob);
    blob_builder_free(builder);
}

static void digest_is_that_of_the_file(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    Sha256       sha;
    char         want[65];
    sha256_start(&sha);
    sha256_add(&sha, bytes, size);
    sha256_text(&sha, want);
    REQUIRE(open_bytes(bytes, size, &blob, &error));
    CHECK_TEXT(blob_sha256(blob), want);
    CHECK_TEXT(blob_sha256(blob), want); // the second time from memory
    blob_close(blob);
    blob_builder_free(builder);
}

static void half_precision_is_widened(void)
{
    static const uint16_t half[8] = {0x0000, 0x3c00, 0xc000, 0x3555,
                                     0x7bff, 0x0001, 0x8400, 0x03ff};
    static const double   want[8] = {0,     1,       -2,       0.333251953125,
                                     65504, 0x1p-24, -0x1p-14, 1023 * 0x1p-24};
    Error                 error   = {0};
    WeightBlob           *blob    = NULL;
    const real           *data = NULL, *again = NULL;
    BlobBuilder          *builder = blob_builder_new("x", 8, 8);
    blob_builder_tensor(builder, "half", BLOB_F16, shape_2d(2, 4), half);
    REQUIRE(blob_builder_save(builder, blob_file(), &error));
    REQUIRE(blob_open(blob_file(), &blob, &error));
    REQUIRE(blob_find(blob, "half", shape_2d(2, 4), &data, &error));
    for (int i = 0; i < 8; i++)
        CHECK((double)data[i] == want[i]);
    CHECK(blob_find(blob, "half", shape_2d(2, 4), &again, &error) && again == data);
    blob_close(blob);
    blob_builder_free(builder);
}

static void find_says_what_is_wrong(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    const real  *data    = NULL;
    BlobBuilder *builder = small_builder();
    REQUIRE(blob_builder_save(builder, blob_file(), &error));
    REQUIRE(blob_open(blob_file(), &blob, &error));
    CHECK(!blob_find(blob, "gone", shape_1d(1), &data, &error));
    CHECK(error.code == ERROR_DATA && strstr(error.message, "no tensor 'gone'"));
    error = (Error){0};
    CHECK(!blob_find(blob, "bias", shape_2d(4, 4), &data, &error));
    CHECK(strstr(error.message, "'bias' is 16, expected 4x4"));
    error = (Error){0};
    CHECK(!blob_find(blob, "about", blob_lookup(blob, "about")->shape, &data, &error));
    CHECK(strstr(error.message, "holds bytes"));
    CHECK(data == NULL);
    blob_close(blob);
    blob_builder_free(builder);
}

/* ---- refused --------------------------------------------------------------------------------- */

typedef struct Damage {
    size_t      at;    // byte that is changed, from the start of the file
    int         width; // bytes written, little-endian
    uint64_t    value;
    bool        reseal; // make the checksums fit the damage
    const char *message;
} Damage;

static void check_damage(const Damage *damage)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    for (int i = 0; i < damage->width; i++)
        bytes[damage->at + i] = (uint8_t)(damage->value >> 8 * i);
    if (damage->reseal)
        blob_reseal(bytes, size);
    CHECK(!open_bytes(bytes, size, &blob, &error));
    CHECK(blob == NULL);
    CHECK_REFUSED("blob", &error, damage->message);
    CHECK(strstr(error.message, "test.nw"));
    blob_builder_free(builder);
}

#define ENTRY_FIELD(entry, field) (HEADER + (entry)*ENTRY + (field))
#define DAMAGES(name, ...)                                                                         \
    static void name(void)                                                                         \
    {                                                                                              \
        static const Damage list[] = {__VA_ARGS__};                                                \
        for (size_t i = 0; i < sizeof list / sizeof *list; i++)                                    \
            check_damage(list + i);                                                                \
    }

DAMAGES(refuses_a_broken_header, {0, 1, 'X', true, "is not a weight blob"},
        {12, 4, 0x04030201, true, "byte-order word is 04030201"},
        {8, 4, 2, true, "blob version is 2"},
        {60, 4, 0, false, "header does not match its checksum"},
        {41, 1, 1, false, "header does not match its checksum"},
        {16, 8, 1 << 20, true, "its header says 1048576"},
        {48, 4, 1, true, "reserved header words"}, {40, 4, 0, true, "has 0 tensors"},
        {40, 4, 4097, true, "has 4097 tensors"}, {24, 8, 128, true, "index offset is 128"},
        {32, 8, 64, true, "data offset is 64"}, {40, 4, 3, true, "data offset is 832"})

DAMAGES(refuses_a_broken_index,
        {ENTRY_FIELD(1, 0), 1, 'B', false, "index does not match its checksum"},
        {ENTRY_FIELD(1, 0), 1, 0, true, "name of tensor 1 is empty"},
        {ENTRY_FIELD(1, 4), 1, ' ', true, "holds byte 0x20"},
        {ENTRY_FIELD(1, 1), 1, 7, true, "holds byte 0x07"},
        {ENTRY_FIELD(1, 127), 1, 'x', true, "after its end"},
        {ENTRY_FIELD(1, 0), 1, 'z', true, "'kernel' is not in the order of names"},
        {ENTRY_FIELD(2, 128), 4, 0, true, "'kernel' is of type 0"},
        {ENTRY_FIELD(2, 128), 4, 4, true, "'kernel' is of type 4"},
        {ENTRY_FIELD(2, 132), 4, 5, true, "rank 5"},
        {ENTRY_FIELD(2, 136), 8, 0, true, "0 as dimension 0"},
        {ENTRY_FIELD(2, 136), 8, UINT64_MAX, true, "as dimension 0"},
        {ENTRY_FIELD(1, 144), 8, 1, true, "expected 0 past its rank"},
        {ENTRY_FIELD(2, 136), 8, 3, true, "'kernel' is 3x3x3x3 and has 216 bytes, expected 324"},
        {ENTRY_FIELD(2, 136), 8, INT32_MAX, true, "which is more than the limit of 4 GiB"},
        {ENTRY_FIELD(2, 176), 8, 220, true, "has 220 bytes, expected 216"},
        {ENTRY_FIELD(2, 188), 4, 1, true, "reserved word"},
        {ENTRY_FIELD(2, 168), 1, 1, true, "not a multiple of 64"},
        {ENTRY_FIELD(1, 168), 8, 832, true, "inside what comes before it"},
        {ENTRY_FIELD(3, 168), 8, 1 << 20, true, "with a hole before it"},
        {ENTRY_FIELD(3, 168), 8, UINT64_MAX - 63, true, "with a hole before it"})

static void refuses_names_that_do_not_end(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    memset(bytes + ENTRY_FIELD(3, 0), 'x', 128);
    blob_reseal(bytes, size);
    CHECK(!open_bytes(bytes, size, &blob, &error));
    CHECK_REFUSED("blob", &error, "name of tensor 3 is not terminated");
    blob_builder_free(builder);
}

static void refuses_a_name_twice(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    blob_builder_constant(builder, "scalar", shape_scalar(), 1);
    REQUIRE(blob_builder_save(builder, blob_file(), &error));
    CHECK(!blob_open(blob_file(), &blob, &error));
    CHECK_REFUSED("blob", &error, "'scalar' is listed twice");
    blob_builder_free(builder);
}

static void refuses_shapes_that_overflow(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    for (int d = 0; d < 4; d++)
        memcpy(bytes + ENTRY_FIELD(2, 136 + 8 * d), "\xff\xff\xff\x7f\0\0\0\0", 8);
    blob_reseal(bytes, size);
    CHECK(!open_bytes(bytes, size, &blob, &error));
    CHECK_REFUSED("blob", &error, "more than the limit of 4 GiB");
    blob_builder_free(builder);
}

// Damage to the data: the tensors follow the index in order, `about` first.
static void refuses_broken_data(void)
{
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    uint64_t     offset[2];
    memcpy(&offset[0], bytes + ENTRY_FIELD(1, 168), 8);
    memcpy(&offset[1], bytes + ENTRY_FIELD(2, 168), 8);
    size_t bias = (size_t)offset[0], kernel = (size_t)offset[1];
    blob_builder_free(builder);
    const Damage list[] = {
        {bias + 5, 1, 1, false, "'bias' does not match its checksum"},
        {kernel + 216, 1, 1, true, "padding after 'kernel' is not zero"},
        {bias + 60, 4, 0x7f800000, true, "'bias' holds a NaN or an infinity"},
        {kernel, 4, 0xffc00001, true, "'kernel' holds a NaN or an infinity"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        check_damage(list + i);
}

static void refuses_half_infinities(void)
{
    static const uint16_t half[2] = {0x3c00, 0xfc00};
    Error                 error   = {0};
    WeightBlob           *blob    = NULL;
    BlobBuilder          *builder = blob_builder_new("x", 8, 8);
    blob_builder_tensor(builder, "half", BLOB_F16, shape_1d(2), half);
    REQUIRE(blob_builder_save(builder, blob_file(), &error));
    CHECK(!blob_open(blob_file(), &blob, &error));
    CHECK_REFUSED("blob", &error, "'half' holds a NaN or an infinity");
    blob_builder_free(builder);
}

static void refuses_every_truncation(void)
{
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    for (size_t kept = 0; kept < size; kept += kept < 64 ? 1 : 13) {
        Error       error = {0};
        WeightBlob *blob  = NULL;
        CHECK(!open_bytes(bytes, kept, &blob, &error));
        CHECK(error.code == ERROR_DATA && error.message[0]);
    }
    blob_builder_free(builder);
}

static void refuses_every_flipped_byte(void)
{
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    for (size_t at = 0; at < size; at++) {
        Error       error = {0};
        WeightBlob *blob  = NULL;
        bytes[at] ^= 0x41;
        if (!CHECK(!open_bytes(bytes, size, &blob, &error)))
            printf("  byte %zu may be changed\n", at);
        CHECK(error.code == ERROR_DATA);
        blob_close(blob);
        bytes[at] ^= 0x41;
    }
    blob_builder_free(builder);
}

static void refuses_what_follows_the_last_tensor(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes = blob_builder_bytes(builder, &size), longer[4096] = {0};
    memcpy(longer, bytes, size);
    uint64_t total = size + 64;
    memcpy(longer + 16, &total, 8);
    blob_reseal(longer, size + 64);
    CHECK(!open_bytes(longer, size + 64, &blob, &error));
    CHECK_REFUSED("blob", &error, "64 bytes follow the last tensor");
    blob_builder_free(builder);
}

static void check_about(const char *key, const char *value, const char *message)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    blob_builder_about(builder, key, value);
    REQUIRE(blob_builder_save(builder, blob_file(), &error));
    CHECK(!blob_open(blob_file(), &blob, &error));
    CHECK_REFUSED("blob", &error, message);
    blob_builder_free(builder);
}

static void refuses_a_broken_about(void)
{
    check_about("width", "0", "width=0, expected 1 number in 1 to 65535");
    check_about("width", "12.5", "not whole");
    check_about("height", "65536", "height=65536");
    check_about("scale", "nan", "scale=nan");
    check_about("scale", "", "scale=,");
    check_about("mean", "1,2", "mean=1,2, expected 3 numbers");
    check_about("mean", "1,2,3,4", "mean=1,2,3,4");
    check_about("mean", "1,inf,3", "mean=1,inf,3");
    check_about("std", "1,0,1", "std=1,0,1");
    check_about("resize_short", "-1", "resize_short=-1");
    check_about("geometry", "square", "geometry=square, expected torchvision or rounded");
    check_about("filter", "lanczos", "filter=lanczos, expected bilinear or bicubic");
    check_about("note", "one\nno pair\nx=1", "not key=value");
    check_about("note", "one\n=2", "not key=value");
    check_about("note", "one\nnote=2", "has the key 'note' twice");
    check_about("note", "\x1b[31m", "holds byte 0x1b");
}

// Every key a network needs, spoiled by its first letter.
static void refuses_an_about_without_a_key(void)
{
    static const char *const keys[] = {"architecture", "width", "height",      "scale",
                                       "mean",         "std",   "resize_short"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        Error        error   = {0};
        WeightBlob  *blob    = NULL;
        BlobBuilder *builder = small_builder();
        size_t       size    = 0;
        uint8_t     *bytes   = blob_builder_bytes(builder, &size);
        char         line[32], want[48];
        snprintf(line, sizeof line, "%s=", keys[i]);
        snprintf(want, sizeof want, "'about' has no %s", keys[i]);
        uint8_t *found = memmem(bytes, size, line, strlen(line));
        REQUIRE(found != NULL);
        *found = '_';
        blob_reseal(bytes, size);
        CHECK(!open_bytes(bytes, size, &blob, &error));
        CHECK_REFUSED("blob", &error, want);
        blob_builder_free(builder);
    }
}

static void refuses_a_blob_without_about(void)
{
    Error        error   = {0};
    WeightBlob  *blob    = NULL;
    BlobBuilder *builder = small_builder();
    size_t       size    = 0;
    uint8_t     *bytes   = blob_builder_bytes(builder, &size);
    memcpy(bytes + ENTRY_FIELD(0, 0), "abouu", 5);
    blob_reseal(bytes, size);
    CHECK(!open_bytes(bytes, size, &blob, &error));
    CHECK_REFUSED("blob", &error, "no text 'about'");
    blob_builder_free(builder);
}

static void refuses_what_is_not_there(void)
{
    Error       error = {0};
    WeightBlob *blob  = NULL;
    CHECK(!blob_open("/nowhere/at/all.nw", &blob, &error));
    CHECK(error.code == ERROR_NOT_FOUND);
    error = (Error){0};
    CHECK(!blob_open(test_folder(), &blob, &error));
    CHECK(error.code == ERROR_NOT_FOUND);
    blob_close(NULL);
}

static void survives_failing_allocations(void)
{
    static const uint16_t half[1] = {0x3c00};
    Error                 error   = {0};
    BlobBuilder          *builder = small_builder();
    blob_builder_tensor(builder, "half", BLOB_F16, shape_1d(1), half);
    REQUIRE(blob_builder_save(builder, blob_file(), &error));
    int64_t before = memory_live_blocks();
    for (int64_t call = 1;; call++) {
        WeightBlob *blob = NULL;
        const real *data = NULL;
        error            = (Error){0};
        memory_fail_at(call, false);
        bool ok = blob_open(blob_file(), &blob, &error) &&
                  blob_find(blob, "half", shape_1d(1), &data, &error);
        memory_fail_at(0, false);
        blob_close(blob);
        CHECK(memory_live_blocks() == before);
        if (ok)
            break;
        CHECK(error.code == ERROR_MEMORY && error.message[0]);
    }
    blob_builder_free(builder);
}

SUITE(blob)
{
    RUN(reads_what_was_written);
    RUN(digest_is_that_of_the_file);
    RUN(half_precision_is_widened);
    RUN(find_says_what_is_wrong);
    RUN(refuses_a_broken_header);
    RUN(refuses_a_broken_index);
    RUN(refuses_names_that_do_not_end);
    RUN(refuses_a_name_twice);
    RUN(refuses_shapes_that_overflow);
    RUN(refuses_broken_data);
    RUN(refuses_half_infinities);
    RUN(refuses_every_truncation);
    RUN(refuses_every_flipped_byte);
    RUN(refuses_what_follows_the_last_tensor);
    RUN(refuses_a_broken_about);
    RUN(refuses_an_about_without_a_key);
    RUN(refuses_a_blob_without_about);
    RUN(refuses_what_is_not_there);
    RUN(survives_failing_allocations);
}
