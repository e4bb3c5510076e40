/* engine/blob.c - see blob.h. The file is cast to the two structs below and checked rule by rule;
 * nothing in it is trusted before its checksum, and no size is used before its bound. */
#include "blob.h"

#include "about.h"
#include "blob_data.h"
#include "../base/digest.h"
#include "../base/file.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOB_VERSION   = 1,
    BLOB_ORDER     = 0x01020304, // reads otherwise on a machine of the other byte order
    BLOB_ALIGNMENT = 64,
    NAME_BYTES     = 128
};

static const uint8_t blob_magic[8] = {0x89, 'N', 'W', 'B', '\r', '\n', 0x1a, '\n'};

typedef struct BlobHeader {
    uint8_t  magic[8];
    uint32_t version;
    uint32_t order;
    uint64_t file_bytes;
    uint64_t index_offset;
    uint64_t data_offset;
    uint32_t tensor_count;
    uint32_t index_crc;
    uint32_t zero[3];
    uint32_t header_crc; // of the 60 bytes before it
} BlobHeader;

typedef struct BlobEntry {
    char     name[NAME_BYTES];
    uint32_t type;
    uint32_t rank;
    uint64_t dim[SHAPE_MAX_RANK]; // 0 past the rank
    uint64_t offset;
    uint64_t bytes;
    uint32_t crc;
    uint32_t zero;
} BlobEntry;

_Static_assert(sizeof(BlobHeader) == 64, "the header is 64 bytes");
_Static_assert(sizeof(BlobEntry) == 192, "an index entry is 192 bytes");

typedef struct Derived {
    struct Derived *next;
    real           *data;
    char            key[2 * NAME_BYTES];
} Derived;

struct WeightBlob {
    char       *path;
    Bytes       file;
    bool        is_lent; // the file is memory of somebody else
    int         count;
    BlobTensor *tensors; // [count], sorted by name
    real      **widened; // [count], NULL until a tensor is asked for that cannot be used in place
    Derived    *derived;
    About       about;
    Preparation preparation;
    bool        has_preparation;
    char       *sha256; // 65 bytes, empty until asked for
};

/* ---- header and index ------------------------------------------------------------------------ */

static bool check_header(const WeightBlob *blob, const BlobHeader **out, Error *error)
{
    const char       *path   = blob->path;
    const BlobHeader *header = (const BlobHeader *)blob->file.data;
    size_t            size   = blob->file.size;
    if (size < sizeof *header)
        return fail(error, ERROR_DATA, "%s: has %zu bytes, a weight blob has at least %zu", path,
                    size, sizeof *header);
    if (memcmp(header->magic, blob_magic, sizeof blob_magic) != 0)
        return fail(
            error, ERROR_DATA,
            "%s: is not a weight blob (its first bytes differ); weights/convert.py makes one",
            path);
    if (header->order != BLOB_ORDER)
        return fail(error, ERROR_DATA, "%s: byte-order word is %08x, expected %08x", path,
                    header->order, BLOB_ORDER);
    if (header->version != BLOB_VERSION)
        return fail(error, ERROR_DATA, "%s: blob version is %u, this program reads %d", path,
                    header->version, BLOB_VERSION);
    if (digest_crc32(0, header, offsetof(BlobHeader, header_crc)) != header->header_crc)
        return fail(error, ERROR_DATA, "%s: the header does not match its checksum", path);
    if (header->file_bytes != size)
        return fail(error, ERROR_DATA, "%s: has %zu bytes, its header says %llu", path, size,
                    (unsigned long long)header->file_bytes);
    if (header->zero[0] || header->zero[1] || header->zero[2])
        return fail(error, ERROR_DATA, "%s: reserved header words are not zero", path);
    if (header->tensor_count < 1 || header->tensor_count > LIMIT_TENSORS)
        return fail(error, ERROR_DATA, "%s: has %u tensors, expected 1 to %d", path,
                    header->tensor_count, LIMIT_TENSORS);
    uint64_t index_bytes = header->tensor_count * (uint64_t)sizeof(BlobEntry);
    if (header->index_offset != sizeof *header)
        return fail(error, ERROR_DATA, "%s: index offset is %llu, expected %zu", path,
                    (unsigned long long)header->index_offset, sizeof *header);
    if (header->data_offset != sizeof *header + index_bytes || header->data_offset > size)
        return fail(error, ERROR_DATA, "%s: data offset is %llu, expected %llu within %zu bytes",
                    path, (unsigned long long)header->data_offset,
                    (unsigned long long)(sizeof *header + index_bytes), size);
    if (digest_crc32(0, header + 1, (size_t)index_bytes) != header->index_crc)
        return fail(error, ERROR_DATA, "%s: the index does not match its checksum", path);
    *out = header;
    return true;
}

static bool check_name(const WeightBlob *blob, const BlobEntry *entry, int index, Error *error)
{
    const char *end = memchr(entry->name, 0, NAME_BYTES);
    if (!end || end == entry->name)
        return fail(error, ERROR_DATA, "%s: name of tensor %d is %s", blob->path, index,
                    end ? "empty" : "not terminated");
    for (const char *c = entry->name; c < entry->name + NAME_BYTES; c++)
        if (c < end ? *c <= ' ' || *c > '~' : *c != 0)
            return fail(error, ERROR_DATA, "%s: name of tensor %d holds byte 0x%02x %s", blob->path,
                        index, (unsigned)(unsigned char)*c,
                        c < end ? "(printable characters only)" : "after its end");
    if (index > 0) {
        int order = strcmp(entry[-1].name, entry->name);
        if (order >= 0)
            return fail(error, ERROR_DATA, "%s: tensor '%s' %s", blob->path, entry->name,
                        order == 0 ? "is listed twice" : "is not in the order of names");
    }
    return true;
}

static size_t type_bytes(uint32_t type)
{
    return type == BLOB_F32 ? 4 : type == BLOB_F16 ? 2 : type == BLOB_U8 ? 1 : 0;
}

// Fills *tensor except for its data.
static bool check_entry(const WeightBlob *blob, const BlobEntry *entry, BlobTensor *tensor,
                        Error *error)
{
    size_t elements = 0, bytes = 0;
    Shape  shape = {.rank = (int)entry->rank};
    if (type_bytes(entry->type) == 0)
        return fail(error, ERROR_DATA,
                    "%s: '%s' is of type %u, expected 1 (f32), 2 (f16) or 3 (u8)", blob->path,
                    entry->name, entry->type);
    if (entry->rank > SHAPE_MAX_RANK)
        return fail(error, ERROR_DATA, "%s: '%s' has rank %u, expected 0 to %d", blob->path,
                    entry->name, entry->rank, SHAPE_MAX_RANK);
    for (uint32_t i = 0; i < SHAPE_MAX_RANK; i++) {
        bool used = i < entry->rank;
        if (used ? entry->dim[i] < 1 || entry->dim[i] > INT32_MAX : entry->dim[i] != 0)
            return fail(error, ERROR_DATA, "%s: '%s' has %llu as dimension %u, expected %s",
                        blob->path, entry->name, (unsigned long long)entry->dim[i], i,
                        used ? "1 to 2147483647" : "0 past its rank");
        shape.dim[i] = (int64_t)entry->dim[i];
    }
    if (!shape_count(shape, &elements) || !size_mul(elements, type_bytes(entry->type), &bytes) ||
        bytes > LIMIT_TENSOR_BYTES)
        return fail(error, ERROR_DATA, "%s: '%s' is %s, which is more than the limit of 4 GiB",
                    blob->path, entry->name, SHAPE_TEXT(shape));
    if (bytes != entry->bytes)
        return fail(error, ERROR_DATA, "%s: '%s' is %s and has %llu bytes, expected %zu",
                    blob->path, entry->name, SHAPE_TEXT(shape), (unsigned long long)entry->bytes,
                    bytes);
    if (entry->zero)
        return fail(error, ERROR_DATA, "%s: '%s' has a reserved word that is not zero", blob->path,
                    entry->name);
    *tensor = (BlobTensor){.name  = entry->name,
                           .type  = (BlobType)entry->type,
                           .shape = shape,
                           .bytes = bytes,
                           .crc   = entry->crc};
    return true;
}

/* Tensors follow each other in the order of the index, each at the next multiple of 64, and the
 * file ends after the padding of the last: so there are neither holes nor overlaps. */
static bool check_layout(const WeightBlob *blob, const BlobEntry *entry, size_t expected,
                         size_t *next, Error *error)
{
    size_t end = 0, room = 0;
    if (entry->offset % BLOB_ALIGNMENT != 0)
        return fail(error, ERROR_DATA, "%s: '%s' starts at %llu, which is not a multiple of %d",
                    blob->path, entry->name, (unsigned long long)entry->offset, BLOB_ALIGNMENT);
    if (entry->offset != expected)
        return fail(error, ERROR_DATA, "%s: '%s' starts at %llu, %s", blob->path, entry->name,
                    (unsigned long long)entry->offset,
                    entry->offset < expected ? "inside what comes before it"
                                             : "with a hole before it");
    if (!size_add(expected, (size_t)entry->bytes, &end) ||
        !size_add(end, BLOB_ALIGNMENT - 1, &room) ||
        (room -= room % BLOB_ALIGNMENT) > blob->file.size)
        return fail(error, ERROR_DATA, "%s: '%s' reaches past the end of the file", blob->path,
                    entry->name);
    for (size_t i = end; i < room; i++)
        if (blob->file.data[i])
            return fail(error, ERROR_DATA, "%s: the padding after '%s' is not zero", blob->path,
                        entry->name);
    *next = room;
    return true;
}

static bool check_index(WeightBlob *blob, Error *error)
{
    const BlobHeader *header = NULL;
    if (!check_header(blob, &header, error))
        return false;
    const BlobEntry *entries = (const BlobEntry *)(header + 1);
    size_t           next    = (size_t)header->data_offset;
    blob->count              = (int)header->tensor_count;
    blob->tensors            = memory_new((size_t)blob->count, sizeof *blob->tensors, error);
    blob->widened            = memory_new((size_t)blob->count, sizeof *blob->widened, error);
    if (!blob->tensors || !blob->widened)
        return false;
    for (int i = 0; i < blob->count; i++) {
        const BlobEntry *entry  = entries + i;
        BlobTensor      *tensor = blob->tensors + i;
        if (!check_name(blob, entry, i, error) || !check_entry(blob, entry, tensor, error) ||
            !check_layout(blob, entry, next, &next, error))
            return false;
        tensor->data = blob->file.data + entry->offset;
    }
    if (next != blob->file.size)
        return fail(error, ERROR_DATA, "%s: %zu bytes follow the last tensor", blob->path,
                    blob->file.size - next);
    return true;
}

/* ---- tensors ---------------------------------------------------------------------------------- */

bool blob_find(WeightBlob *blob, const char *name, Shape want, const real **data, Error *error)
{
    const BlobTensor *tensor = blob_lookup(blob, name);
    if (!tensor)
        return fail(error, ERROR_DATA, "%s: no tensor '%s'", blob->path, name);
    if (tensor->type == BLOB_U8)
        return fail(error, ERROR_DATA, "%s: '%s' holds bytes, expected numbers", blob->path, name);
    if (!shape_equal(tensor->shape, want))
        return fail(error, ERROR_DATA, "%s: '%s' is %s, expected %s", blob->path, name,
                    SHAPE_TEXT(tensor->shape), SHAPE_TEXT(want));
    if (tensor->type == BLOB_F32 && sizeof(real) == sizeof(float)) {
        *data = tensor->data;
        return true;
    }
    real **widened = blob->widened + (tensor - blob->tensors);
    if (!*widened) {
        size_t elements = (size_t)shape_elements(tensor->shape);
        if (!(*widened = memory_new(elements, sizeof(real), error)))
            return false;
        blob_data_widen(tensor, elements, *widened);
    }
    *data = *widened;
    return true;
}

bool blob_derived(WeightBlob *blob, const char *key, size_t count, real **data, bool *is_new,
                  Error *error)
{
    for (Derived *derived = blob->derived; derived; derived = derived->next)
        if (strcmp(derived->key, key) == 0) {
            *data   = derived->data;
            *is_new = false;
            return true;
        }
    Derived *fresh = memory_new(1, sizeof *fresh, error);
    if (!fresh || !(fresh->data = memory_new(count, sizeof(real), error))) {
        memory_free(fresh);
        return false;
    }
    snprintf(fresh->key, sizeof fresh->key, "%s", key);
    fresh->next   = blob->derived;
    blob->derived = fresh;
    *data         = fresh->data;
    *is_new       = true;
    return true;
}

/* ---- open, close, ask ------------------------------------------------------------------------ */

static bool read_about(WeightBlob *blob, Error *error)
{
    const BlobTensor *tensor = blob_lookup(blob, "about");
    if (!tensor || tensor->type != BLOB_U8 || tensor->shape.rank != 1)
        return fail(error, ERROR_DATA, "%s: has no text 'about'", blob->path);
    return about_parse(&blob->about, tensor->data, tensor->bytes, blob->path, error) &&
           about_preparation(&blob->about, blob->path, &blob->preparation, &blob->has_preparation,
                             error);
}

// Of a file in memory, which is the blob's from now on unless it is lent.
static bool blob_of(Bytes file, bool is_lent, const char *path, WeightBlob **out, Error *error)
{
    WeightBlob *blob = memory_new(1, sizeof *blob, error);
    if (!blob) {
        if (!is_lent)
            bytes_close(&file);
        return false;
    }
    blob->file    = file;
    blob->is_lent = is_lent;
    bool ok       = (blob->path = memory_text(path, error)) != NULL &&
              (blob->sha256 = memory_new(65, 1, error)) != NULL && check_index(blob, error);
    if (!ok || !blob_data_check(blob->tensors, blob->count, blob->path, error) ||
        !read_about(blob, error)) {
        blob_close(blob);
        return false;
    }
    *out = blob;
    return true;
}

bool blob_open(const char *path, WeightBlob **out, Error *error)
{
    Bytes file = {0};
    return file_read(path, LIMIT_ARRAY_FILE, &file, error) &&
           blob_of(file, false, path, out, error);
}

bool blob_take(Bytes *file, const char *name, WeightBlob **out, Error *error)
{
    Bytes taken = *file;
    *file       = (Bytes){0};
    return blob_of(taken, false, name, out, error);
}

bool blob_open_memory(const char *path, const void *data, size_t size, WeightBlob **out,
                      Error *error)
{
    return blob_of((Bytes){data, size}, true, path, out, error);
}

int64_t blob_bytes(const WeightBlob *blob)
{
    return (int64_t)blob->file.size;
}

void blob_forget(WeightBlob *blob)
{
    for (int i = 0; blob->widened && i < blob->count; i++) {
        memory_free(blob->widened[i]);
        blob->widened[i] = NULL;
    }
    for (Derived *next; blob->derived; blob->derived = next) {
        next = blob->derived->next;
        memory_free(blob->derived->data);
        memory_free(blob->derived);
    }
}

void blob_close(WeightBlob *blob)
{
    if (!blob)
        return;
    blob_forget(blob);
    memory_free(blob->widened);
    memory_free(blob->tensors);
    about_close(&blob->about);
    memory_free(blob->sha256);
    memory_free(blob->path);
    if (!blob->is_lent)
        bytes_close(&blob->file);
    memory_free(blob);
}

const char *blob_path(const WeightBlob *blob)
{
    return blob->path;
}

const char *blob_architecture(const WeightBlob *blob)
{
    return blob_about(blob, "architecture");
}

const Preparation *blob_preparation(const WeightBlob *blob)
{
    return blob->has_preparation ? &blob->preparation : NULL;
}

bool blob_takes_images(const WeightBlob *blob, Error *error)
{
    const char *input = blob_about(blob, "input");
    if (input && strcmp(input, "tokens") == 0)
        return fail(error, ERROR_DATA, "%s: %s takes tokens of a text, not images", blob->path,
                    blob_architecture(blob));
    return blob->has_preparation ||
           fail(error, ERROR_DATA,
                "%s: 'about' has no width: it does not say how images are prepared", blob->path);
}

const char *blob_sha256(const WeightBlob *blob)
{
    if (!blob->sha256[0]) {
        Sha256 sha;
        sha256_start(&sha);
        sha256_add(&sha, blob->file.data, blob->file.size);
        sha256_text(&sha, blob->sha256);
    }
    return blob->sha256;
}

int blob_tensor_count(const WeightBlob *blob)
{
    return blob->count;
}

const BlobTensor *blob_tensor(const WeightBlob *blob, int index)
{
    return index >= 0 && index < blob->count ? blob->tensors + index : NULL;
}

const char *blob_about(const WeightBlob *blob, const char *key)
{
    return about_value(&blob->about, key);
}

bool blob_number(const WeightBlob *blob, const char *key, double low, double high, double *value,
                 Error *error)
{
    return about_number(&blob->about, blob->path, key, low, high, value, error);
}

const BlobTensor *blob_lookup(const WeightBlob *blob, const char *name)
{
    int low = 0, high = blob->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order  = strcmp(name, blob->tensors[middle].name);
        if (order == 0)
            return blob->tensors + middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
