/* tests/blob_builder.c - see blob_builder.h. */
#include "blob_builder.h"

#include "../base/digest.h"
#include "../base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 64, ENTRY_BYTES = 192, ABOUT_BYTES = 4096 };

typedef struct Built {
    char     name[128];
    BlobType type;
    Shape    shape;
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
    memory_free(builder->file);
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
    size_t bytes = (size_t)shape_elements(shape) * element_bytes(type);
    built->data  = must(malloc(bytes + 1));
    memcpy(built->data, data, bytes);
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

static uint64_t get64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
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

uint8_t *blob_builder_bytes(BlobBuilder *builder, size_t *size)
{
    BlobTensor list[LIMIT_TENSORS];
    for (int i = 0; i < builder->count; i++) {
        const Built *built = &builder->tensors[i];
        list[i]            = (BlobTensor){
                       .name = built->name, .type = built->type, .shape = built->shape, .data = built->data};
    }
    memory_free(builder->file);
    builder->file = NULL;
    if (!blob_encode(list, builder->count, builder->about, &builder->file, size, NULL))
        abort();
    return builder->file;
}

bool blob_builder_save(BlobBuilder *builder, const char *path, Error *error)
{
    size_t   size  = 0;
    uint8_t *bytes = blob_builder_bytes(builder, &size);
    return file_publish(path, bytes, size, error);
}
