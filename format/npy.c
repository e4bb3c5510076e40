/* format/npy.c - see npy.h. A file is 6 bytes of magic, 2 of version, 2 of header length, the
 * header (a Python dictionary padded with spaces to a multiple of 64 bytes in all), then the
 * numbers. */
#include "npy.h"

#include "../base/file.h"

#include <stdio.h>
#include <string.h>

enum { NPY_PREFIX = 10, NPY_ALIGNMENT = 64 };

static const uint8_t npy_magic[8] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};

bool npy_is_name(const char *path)
{
    size_t length = strlen(path);
    return length >= 4 && strcmp(path + length - 4, ".npy") == 0;
}

bool npy_write(const char *path, const float *data, Shape shape, Error *error)
{
    char    dims[112] = "";
    uint8_t head[4 * NPY_ALIGNMENT];
    size_t  used = 0, count = 0;
    if (!shape_count(shape, &count))
        return fail(error, ERROR_INTERNAL, "%s: a shape of rank %d cannot be written", path,
                    shape.rank);
    for (int i = 0; i < shape.rank; i++)
        used += (size_t)snprintf(dims + used, sizeof dims - used, "%lld%s", (long long)shape.dim[i],
                                 shape.rank == 1      ? ","
                                 : i + 1 < shape.rank ? ", "
                                                      : "");
    memset(head, ' ', sizeof head);
    memcpy(head, npy_magic, sizeof npy_magic);
    char  *text   = (char *)head + NPY_PREFIX;
    int    length = snprintf(text, sizeof head - NPY_PREFIX,
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", dims);
    size_t size   = ((size_t)NPY_PREFIX + (size_t)length) / NPY_ALIGNMENT * NPY_ALIGNMENT +
                  NPY_ALIGNMENT; // room for the final line feed in any case
    text[length]   = ' ';
    head[size - 1] = '\n';
    head[8]        = (uint8_t)(size - NPY_PREFIX);
    head[9]        = (uint8_t)((size - NPY_PREFIX) >> 8);
    Writer *writer = NULL;
    if (!writer_open(&writer, path, error))
        return false;
    writer_bytes(writer, head, size);
    writer_bytes(writer, data, count * sizeof *data);
    return writer_publish(writer, error);
}

/* ---- reading: the dictionary has exactly the keys descr, fortran_order and shape ------------- */

typedef struct Text {
    const char *at, *end;
} Text;

static bool take(Text *text, const char *wanted) // after any spaces
{
    size_t length = strlen(wanted);
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\n'))
        text->at++;
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, wanted, length) != 0)
        return false;
    text->at += length;
    return true;
}

static bool take_dim(Text *text, int64_t *dim)
{
    int64_t value = 0;
    int     digits;
    take(text, "");
    for (digits = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9'; digits++) {
        if (digits == 18)
            return false;
        value = 10 * value + (*text->at++ - '0');
    }
    *dim = value;
    return digits > 0;
}

static bool take_shape(Text *text, Shape *shape) // (), (2,), (2, 3), (2, 3,)
{
    if (!take(text, "("))
        return false;
    bool comma  = true;
    shape->rank = 0;
    while (!take(text, ")")) {
        if (!comma || shape->rank == SHAPE_MAX_RANK || !take_dim(text, &shape->dim[shape->rank++]))
            return false;
        comma = take(text, ",");
    }
    return shape->rank != 1 || comma;
}

static const char *header_fault(Text text, Shape *shape)
{
    bool has_type = false, has_order = false, has_shape = false, comma = true;
    if (!take(&text, "{"))
        return "its header is not a dictionary";
    while (!take(&text, "}")) {
        if (!comma)
            return "its header lacks a comma";
        if (!has_type && take(&text, "'descr':")) {
            has_type = true;
            if (!take(&text, "'<f4'"))
                return "its type is not little-endian float32 ('<f4')";
        } else if (!has_order && take(&text, "'fortran_order':")) {
            has_order = true;
            if (!take(&text, "False"))
                return "its order is not C order";
        } else if (!has_shape && take(&text, "'shape':")) {
            has_shape = true;
            if (!take_shape(&text, shape))
                return "its shape is not a tuple of at most 4 numbers";
        } else {
            return "its header has an unknown or repeated key";
        }
        comma = take(&text, ",");
    }
    take(&text, "");
    if (text.at != text.end)
        return "its header goes on after the dictionary";
    return has_type && has_order && has_shape ? NULL : "its header lacks a key";
}

bool npy_parse(const uint8_t *bytes, size_t size, const char *name, float **data, Shape *shape,
               Error *error)
{
    if (size < NPY_PREFIX || memcmp(bytes, npy_magic, sizeof npy_magic) != 0)
        return fail(error, ERROR_DATA, "%s: is not a .npy file of version 1.0", name);
    size_t header = NPY_PREFIX + bytes[8] + ((size_t)bytes[9] << 8);
    if (header > size)
        return fail(error, ERROR_DATA, "%s: ends inside its header", name);
    Shape       found = {0};
    const char *fault = header_fault(
        (Text){(const char *)bytes + NPY_PREFIX, (const char *)bytes + header}, &found);
    if (fault)
        return fail(error, ERROR_DATA, "%s: %s", name, fault);
    size_t count = 0, wanted = 0;
    if (!shape_count(found, &count) || !size_mul(count, sizeof **data, &wanted))
        return fail(error, ERROR_DATA, "%s: its shape has a zero or overflows", name);
    if (size - header != wanted)
        return fail(error, ERROR_DATA, "%s: holds %zu bytes of data, its shape needs %zu", name,
                    size - header, wanted);
    float *copy = memory_new(count, sizeof *copy, error);
    if (!copy)
        return false;
    memcpy(copy, bytes + header, wanted);
    *data  = copy;
    *shape = found;
    return true;
}

bool npy_read(const char *path, float **data, Shape *shape, Error *error)
{
    Bytes bytes = {0};
    if (!file_read(path, LIMIT_ARRAY_FILE, &bytes, error))
        return false;
    bool ok = npy_parse(bytes.data, bytes.size, path, data, shape, error);
    bytes_close(&bytes);
    return ok;
}
