/* engine/blob_write.c - the bytes of a weight blob. Written from the format's description in
 * DESIGN.md and not with the reader's structs, so that the two check each other. */
#include "blob.h"

#include "../base/digest.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 64, ENTRY_BYTES = 192, ALIGNMENT = 64 };

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

static size_t padded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const BlobTensor *)a)->name, ((const BlobTensor *)b)->name);
}

static void put_entry(uint8_t *entry, const BlobTensor *tensor, size_t offset, const uint8_t *file)
{
    memcpy(entry, tensor->name, strlen(tensor->name));
    put32(entry + 128, tensor->type);
    put32(entry + 132, (uint32_t)tensor->shape.rank);
    for (int d = 0; d < tensor->shape.rank; d++)
        put64(entry + 136 + 8 * d, (uint64_t)tensor->shape.dim[d]);
    put64(entry + 168, offset);
    put64(entry + 176, tensor->bytes);
    put32(entry + 184, digest_crc32(0, file + offset, tensor->bytes));
}

static void put_file(uint8_t *file, size_t total, const BlobTensor *tensors, int count)
{
    size_t at = HEADER_BYTES + (size_t)count * ENTRY_BYTES;
    memcpy(file, "\x89NWB\r\n\x1a\n", 8);
    put32(file + 8, 1);
    put32(file + 12, 0x01020304);
    put64(file + 16, total);
    put64(file + 24, HEADER_BYTES);
    put64(file + 32, at);
    put32(file + 40, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        memcpy(file + at, tensors[i].data, tensors[i].bytes);
        put_entry(file + HEADER_BYTES + i * ENTRY_BYTES, &tensors[i], at, file);
        at += padded(tensors[i].bytes);
    }
    put32(file + 44, digest_crc32(0, file + HEADER_BYTES, (size_t)count * ENTRY_BYTES));
    put32(file + 60, digest_crc32(0, file, 60));
}

bool blob_encode(const BlobTensor *tensors, int count, const char *about, uint8_t **out,
                 size_t *size, Error *error)
{
    size_t      total  = HEADER_BYTES + (size_t)(count + 1) * ENTRY_BYTES;
    BlobTensor *sorted = memory_new((size_t)count + 1, sizeof *sorted, error);
    if (!sorted)
        return false;
    memcpy(sorted, tensors, (size_t)count * sizeof *sorted);
    sorted[count] = (BlobTensor){
        .name = "about", .type = BLOB_U8, .shape = shape_1d((int64_t)strlen(about)), .data = about};
    qsort(sorted, (size_t)count + 1, sizeof *sorted, by_name);
    for (int i = 0; i <= count; i++) {
        size_t element  = sorted[i].type == BLOB_F32 ? 4 : sorted[i].type == BLOB_F16 ? 2 : 1;
        sorted[i].bytes = (size_t)shape_elements(sorted[i].shape) * element;
        total += padded(sorted[i].bytes);
    }
    uint8_t *file = memory_new(total, 1, error);
    if (file) {
        put_file(file, total, sorted, count + 1);
        *out  = file;
        *size = total;
    }
    memory_free(sorted);
    return file != NULL;
}
