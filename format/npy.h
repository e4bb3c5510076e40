/* format/npy.h - arrays on disk, as NumPy's np.load reads them: .npy, version 1, little-endian
 * float32, C order, rank 0 to 4.
 *
 * Strict: any other version, type, order or a size that does not match is ERROR_DATA.
 * Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays". */
#ifndef FORMAT_NPY_H
#define FORMAT_NPY_H

#include "../base/shape.h"

/* Whether a path's name says that it is such a file. */
bool npy_is_name(const char *path);

/* Publishes data [shape] as a complete file. */
bool npy_write(const char *path, const float *data, Shape shape, Error *error);

/* *data is allocated (memory_free). */
bool npy_read(const char *path, float **data, Shape *shape, Error *error);
/* The same from memory; `name` is the file in messages. */
bool npy_parse(const uint8_t *bytes, size_t size, const char *name, float **data, Shape *shape,
               Error *error);

#endif
