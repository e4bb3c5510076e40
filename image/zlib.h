/* image/zlib.h - what the two directions of zlib share; private to image/. */
#ifndef IMAGE_ZLIB_H
#define IMAGE_ZLIB_H

#include "../base/base.h"

/* Lengths 3..258 and distances 1..32768 as (base, extra bits) per code; order of the code lengths
 * in a block header. Source: RFC 1951, sections 3.2.5 and 3.2.7. */
extern const uint16_t zlib_length_base[29];
extern const uint8_t  zlib_length_extra[29];
extern const uint16_t zlib_distance_base[30];
extern const uint8_t  zlib_distance_extra[30];
extern const uint8_t  zlib_length_order[19];

/* Adler-32 (RFC 1950). Start with 1; feeding parts in order equals one call. */
uint32_t zlib_adler32(uint32_t adler, const uint8_t *data, size_t size);

/* Gets inflated bytes in order, in pieces of up to 96 KiB; false, with its own error, ends it. */
typedef bool InflateSink(void *self, const uint8_t *bytes, size_t size);

/* zlib data to exactly `size` bytes, in 120 KiB of memory. The checksum is compared last.
 * Errors: ERROR_DATA, ERROR_MEMORY, and what the sink reports. */
bool inflate_zlib(const uint8_t *data, size_t data_size, size_t size, InflateSink *sink, void *self,
                  const char *name, Error *error);

/* Bytes to zlib data. *out is allocated (memory_free); the same input gives the same output.
 * Errors: ERROR_MEMORY. */
bool deflate_zlib(const uint8_t *data, size_t size, uint8_t **out, size_t *out_size, Error *error);

#endif
