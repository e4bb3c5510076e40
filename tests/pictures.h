/* tests/pictures.h - pictures to test with, and what every decoder must survive. */
#ifndef TESTS_PICTURES_H
#define TESTS_PICTURES_H

#include "../image/image.h"

size_t   picture_bytes(const Image *image);
uint32_t picture_digest(const Image *image); // CRC-32 of the pixels
bool     pictures_equal(const Image *a, const Image *b);

/* Slopes that wrap around, different in each channel: edges and gradients, the same everywhere. */
Image picture_make(int width, int height, int channels);

/* One of several kinds of random content. */
Image picture_random(Random *random, int width, int height, int channels);

/* Decodes every truncation of a file, which must succeed from `complete` bytes on and fail before,
 * and the file with each bit flipped and each byte inverted, which may do either. */
void picture_damage(const uint8_t *data, size_t size, size_t complete);

#endif
