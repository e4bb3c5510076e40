/* image/zlib.h - what the two directions of zlib share; private to image/. */
#ifndef IMAGE_ZLIB_H
#define IMAGE_ZLIB_H

#include "../engine/base.h"

/* Lengths 3..258 and distances 1..32768 as (base, extra bits) per code; order of the code lengths
 * in a block header. Source: RFC 1951, sections 3.2.5 and 3.2.7. */
extern const uint16_t zlib_length_base[29];
extern const uint8_t  zlib_length_extra[29];
extern const uint16_t zlib_distance_base[30];
extern const uint8_t  zlib_distance_extra[30];
extern const uint8_t  zlib_length_order[19];

uint32_t zlib_adler32(const uint8_t *data, size_t size);

/* Bytes to zlib data. *out is allocated (memory_free); the same input gives the same output.
 * Errors: ERROR_MEMORY. */
bool deflate_zlib(const uint8_t *data, size_t size, uint8_t **out, size_t *out_size, Error *error);

#endif
