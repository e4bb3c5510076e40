/* image/image.h - reads, resizes and writes 8-bit pictures, PNG and JPEG.
 *
 * Pixels are interleaved and row-major: pixels[(y * width + x) * channels + c]. Files are
 * untrusted: every decoder takes (pointer, length), validates sizes before allocating, and refuses
 * with ERROR_DATA and the rule that was broken. `name` is only used in messages. Limits: sides of
 * LIMIT_IMAGE_SIDE, ImageLimits; JPEG also limits scans and total work. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "../base/base.h"

typedef struct Image {
    int      width, height;
    int      channels;    // 1 gray, 2 gray+alpha, 3 RGB, 4 RGBA (or CMYK, see is_cmyk)
    bool     is_cmyk;     // JPEG only: 4 channels are C, M, Y, K, 255 = full ink
    int      orientation; // EXIF 1..8; 1 when absent. Reported, never applied here.
    uint8_t *pixels;      // owned; image_free
} Image;

void image_free(Image *image); // accepts a zeroed object

/* The most pixels and time that one picture may take, for the whole process; to be set before the
 * first is read. */
typedef struct ImageLimits {
    size_t pixels;  // read, made or written; LIMIT_IMAGE_PIXELS unless set, at most 2^28
    double seconds; // of CPU, for its packed data; LIMIT_DECODE_SECONDS unless set
} ImageLimits;

ImageLimits image_limits(void);
void        image_limits_set(ImageLimits limits);

/* Whether both sides are in 1..LIMIT_IMAGE_SIDE and the pixels within the limit. */
bool image_size_is_fine(int64_t width, int64_t height);

/* Decodes any supported file; its first bytes tell which kind it is, never its name. */
bool image_decode(const uint8_t *data, size_t size, const char *name, Image *out, Error *error);

/* Decodes PNG: all colour types, depths and interlacing, CRC checked. 16-bit samples keep their
 * high byte; palettes are expanded; tRNS becomes alpha. */
bool png_decode(const uint8_t *data, size_t size, const char *name, Image *out, Error *error);

/* Encodes 1 to 4 channels as PNG. *out is released with memory_free. The same pixels give the same
 * bytes. */
bool png_encode(const Image *image, uint8_t **out, size_t *size, Error *error);

/* Decodes JPEG: baseline and progressive Huffman, 8 bit; pixels are equal bit for bit to
 * libjpeg-turbo's defaults (slow-integer IDCT, fancy upsampling). Beside the pixels it takes two
 * rows of MCUs, at most 17 MiB; of progressive files, and of sequential ones of several scans, two
 * bytes a sample too. */
bool jpeg_decode(const uint8_t *data, size_t size, const char *name, Image *out, Error *error);

typedef enum JpegSampling { JPEG_420, JPEG_422, JPEG_444 } JpegSampling;

/* Encodes a gray or RGB image as baseline JPEG, equal byte for byte to cjpeg's defaults
 * (slow-integer DCT, standard Huffman tables). quality 1..100. */
bool jpeg_encode(const Image *image, int quality, JpegSampling sampling, uint8_t **out,
                 size_t *size, Error *error);

/* The same picture with three channels: gray is replicated, alpha is dropped, CMYK is converted as
 * Pillow does. */
bool image_to_rgb(const Image *image, Image *out, Error *error);

typedef enum ResizeFilter { RESIZE_BILINEAR, RESIZE_BICUBIC } ResizeFilter;

/* Resizes as Pillow does, bit for bit: in 8 bits, and smoothed where the picture shrinks. */
bool image_resize(const Image *image, int width, int height, ResizeFilter filter, Image *out,
                  Error *error);
bool image_crop(const Image *image, int left, int top, int width, int height, Image *out,
                Error *error);

/* RGB planes in 0..1: planes[c][y][x] = pixel / 255, planes holds 3 * height * width floats. */
void image_to_planes(const Image *rgb, float *planes);

#endif
