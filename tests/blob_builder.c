/* tests/blob_builder.c - see blob_builder.h. Writes the format from its description, not with the
 * reader's structs, so the two check each other. */
#include "blob_builder.h"

#include "../engine/digest.h"
#include "../engine/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 64, ENTRY_BYTES = 192, ALIGNMENT = 64, ABOUT_BYTES = 4096 };

typedef struct Built {
    char     name[128];
    BlobType type;
    Shape    shape;
    size_t   bytes;
    void    *data;
} Built;

struct BlobBuilder {
    Built    tensors[LIMIT_TENSORS];
    int      count;
    char     about[ABOUT_BYTES];
    uint8_t *file;
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

BlobBuilder *blob_builder_new(const char *architecture, int64_t width, int64_t height)
{
    BlobBuilder *builder = must(calloc(1, sizeof *builder));
    char         text[32];
    blob_builder_about(builder, "architecture", architecture);
    snprintf(text, sizeof text, "%lld", (long long)width);
    blob_builder_about(builder, "width", text);
    snprintf(text, sizeof text, "%lld", (long long)height);
    blob_builder_about(builder, "height", text);
    blob_builder_about(builder, "scale", "1");
    blob_builder_about(builder, "mean", "0,0,0");
    blob_builder_about(builder, "std", "1,1,1");
    blob_builder_about(builder, "resize_short", "0");
    return builder;
}

void blob_builder_free(BlobBuilder *builder)
{
    for (int i = 0; i < builder->count; i++)
        free(builder->tensors[i].data);
    free(builder->file);
    free(builder);
}

void blob_builder_about(BlobBuilder *builder, const char *key, const char *value)
{
    size_t length = strlen(key);
    for (char *line = builder->about; *line;) {
        char *next = strchr(line, '\n') + 1;
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            memmove(line, next, strlen(next) + 1);
            break;
        }
        line = next;
    }
    size_t used = strlen(builder->about);
    snprintf(builder->about + used, sizeof builder->about - used, "%s=%s\n", key, value);
}

static size_t element_bytes(BlobType type)
{
    return type == BLOB_F32 ? 4 : type == BLOB_F16 ? 2 : 1;
}

void blob_builder_tensor(BlobBuilder *builder, const char *name, BlobType type, Shape shape,
                         const void *data)
{
    Built *built = builder->tensors + builder->count++;
    snprintf(built->name, sizeof built->name, "%s", name);
    built->type  = type;
    built->shape = shape;
    built->bytes = (size_t)shape_elements(shape) * element_bytes(type);
    built->data  = must(malloc(built->bytes + 1));
    memcpy(built->data, data, built->bytes);
}

void blob_builder_constant(BlobBuilder *builder, const char *name, Shape shape, float value)
{
    size_t count  = (size_t)shape_elements(shape);
    float *values = must(malloc(count * sizeof *values));
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    blob_builder_tensor(builder, name, BLOB_F32, shape, values);
    free(values);
}

void blob_builder_random(BlobBuilder *builder, const char *name, Shape shape, uint64_t seed,
                         float centre, float spread)
{
    size_t   count  = (size_t)shape_elements(shape);
    float   *values = must(malloc(count * sizeof *values));
    uint64_t key    = random_key(seed, name);
    for (size_t first = 0; first < count; first += 4) {
        RandomBlock block = random_block(key, 0, first / 4);
        for (size_t i = first; i < count && i < first + 4; i++)
            values[i] = centre + spread * (2 * random_unit(block.word[i - first]) - 1);
    }
    blob_builder_tensor(builder, name, BLOB_F32, shape, values);
    free(values);
}

// ---- the file -----------------------------------------------------------------------------------

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void put64(uint8_t *at, uint64_t value)
{
    put32(at, (uint32_t)value);
    put32(at + 4, (uint32_t)(value >> 32));
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static size_t padded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void blob_reseal(uint8_t *bytes, size_t size)
{
    uint32_t count = (uint32_t)get64(bytes + 40);
    for (uint32_t i = 0; i < count && HEADER_BYTES + (i + 1) * ENTRY_BYTES <= size; i++) {
        uint8_t *entry  = bytes + HEADER_BYTES + i * ENTRY_BYTES;
        uint64_t offset = get64(entry + 168), length = get64(entry + 176);
        if (offset <= size && length <= size - offset)
            put32(entry + 184, digest_crc32(0, bytes + offset, (size_t)length));
    }
    if (HEADER_BYTES + (uint64_t)count * ENTRY_BYTES <= size)
        put32(bytes + 44, digest_crc32(0, bytes + HEADER_BYTES, (size_t)count * ENTRY_BYTES));
    put32(bytes + 60, digest_crc32(0, bytes, 60));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Built *)a)->name, ((const Built *)b)->name);
}

uint8_t *blob_builder_bytes(BlobBuilder *builder, size_t *size)
{
    Built list[LIMIT_TENSORS + 1];
    int   count = builder->count;
    memcpy(list, builder->tensors, (size_t)count * sizeof *list);
    size_t about_bytes = strlen(builder->about);
    list[count++]      = (Built){.name  = "about",
                                 .type  = BLOB_U8,
                                 .shape = shape_1d((int64_t)about_bytes),
                                 .bytes = about_bytes,
                                 .data  = builder->about};
    qsort(list, (size_t)count, sizeof *list, by_name);
    size_t data = HEADER_BYTES + (size_t)count * ENTRY_BYTES, total = data;
    for (int i = 0; i < count; i++)
        total += padded(list[i].bytes);
    free(builder->file);
    uint8_t *file = builder->file = must(calloc(total, 1));
    memcpy(file, "\x89NWB\r\n\x1a\n", 8);
    put32(file + 8, 1);
    put32(file + 12, 0x01020304);
    put64(file + 16, total);
    put64(file + 24, HEADER_BYTES);
    put64(file + 32, data);
    put32(file + 40, (uint32_t)count);
    for (int i = 0; i < count; data += padded(list[i].bytes), i++) {
        uint8_t *entry = file + HEADER_BYTES + i * ENTRY_BYTES;
        memcpy(entry, list[i].name, sizeof list[i].name);
        put32(entry + 128, list[i].type);
        put32(entry + 132, (uint32_t)list[i].shape.rank);
        for (int d = 0; d < list[i].shape.rank; d++)
            put64(entry + 136 + 8 * d, (uint64_t)list[i].shape.dim[d]);
        put64(entry + 168, data);
        put64(entry + 176, list[i].bytes);
        memcpy(file + data, list[i].data, list[i].bytes);
    }
    blob_reseal(file, total);
    *size = total;
    return file;
}

bool blob_builder_save(BlobBuilder *builder, const char *path, Error *error)
{
    size_t   size  = 0;
    uint8_t *bytes = blob_builder_bytes(builder, &size);
    return file_publish(path, bytes, size, error);
}
