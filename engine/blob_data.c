/* engine/blob_data.c - see blob_data.h. */
#include "blob_data.h"

#include "../base/digest.h"
#include "../base/loop_errors.h"
#include "../base/parallel.h"

#include <string.h>

enum { CHECK_BLOCK = 1 << 16 }; // bytes that are summed and searched for NaN while in cache

// An exponent of all ones is an infinity or a NaN. Blocks start on multiples of the element size.
static bool block_is_finite(BlobType type, const uint8_t *data, size_t bytes)
{
    const uint32_t *words  = (const uint32_t *)data;
    const uint16_t *halves = (const uint16_t *)data;
    bool            finite = true;
    if (type == BLOB_F32)
        for (size_t i = 0; i < bytes / 4; i++)
            finite &= (words[i] & 0x7f800000) != 0x7f800000;
    else if (type == BLOB_F16)
        for (size_t i = 0; i < bytes / 2; i++)
            finite &= (halves[i] & 0x7c00) != 0x7c00;
    return finite;
}

static bool check_data(const BlobTensor *tensor, const char *path, Error *error)
{
    uint32_t       crc    = 0;
    bool           finite = true;
    const uint8_t *data   = tensor->data;
    for (size_t at = 0; at < tensor->bytes; at += CHECK_BLOCK) {
        size_t part = tensor->bytes - at < CHECK_BLOCK ? tensor->bytes - at : CHECK_BLOCK;
        crc         = digest_crc32(crc, data + at, part);
        finite &= block_is_finite(tensor->type, data + at, part);
    }
    if (crc != tensor->crc)
        return fail(error, ERROR_DATA, "%s: '%s' does not match its checksum", path, tensor->name);
    if (!finite)
        return fail(error, ERROR_DATA, "%s: '%s' holds a NaN or an infinity", path, tensor->name);
    return true;
}

typedef struct Checking {
    const BlobTensor *tensors;
    const char       *path;
    LoopErrors        errors;
} Checking;

static void check_tensor(void *data, int64_t i, int thread)
{
    Checking *checking = data;
    Error     error    = {0};
    if (!check_data(&checking->tensors[i], checking->path, &error))
        loop_errors_add(&checking->errors, i, thread, &error);
}

bool blob_data_check(const BlobTensor *tensors, int count, const char *path, Error *error)
{
    Checking checking = {.tensors = tensors, .path = path};
    bool     ok       = loop_errors_open(&checking.errors, error);
    if (ok) {
        parallel_for(count, check_tensor, &checking);
        ok = loop_errors_check(&checking.errors, error);
    }
    loop_errors_close(&checking.errors);
    return ok;
}

// The exponent of a float counts from 112 lower; a subnormal half is a normal float.
static real half_value(uint16_t half)
{
    uint32_t size = half & 0x7fff, bits = (size << 13) + (112u << 23);
    float    value;
    memcpy(&value, &bits, sizeof value);
    if (size < 0x400)
        value = (float)size * 0x1p-24f;
    return (real)(half & 0x8000 ? -value : value);
}

void blob_data_widen(const BlobTensor *tensor, size_t elements, real *out)
{
    if (tensor->type == BLOB_F16)
        for (size_t i = 0; i < elements; i++)
            out[i] = half_value(((const uint16_t *)tensor->data)[i]);
    else
        for (size_t i = 0; i < elements; i++)
            out[i] = (real)((const float *)tensor->data)[i];
}
