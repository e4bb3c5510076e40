/* image/jpeg_encode.c - baseline JPEG, equal byte for byte to cjpeg with the same quality.
 *
 * The picture is taken one row of MCUs at a time: converted to Y, Cb, Cr, averaged down where
 * chroma is subsampled, transformed, quantized and coded with the standard tables. What lies beyond
 * the picture is filled the way libjpeg fills it, because those samples reach the file. Source:
 * ITU-T T.81; JFIF 1.02 (header and colour equations). */
#include "jpeg.h"

#include <stdlib.h>
#include <string.h>

typedef struct Plane {
    int      h, v;                     // sampling factors
    int      blocks_wide, blocks_high; // blocks that hold picture
    size_t   stride;                   // samples in a row of `samples`
    uint8_t *samples;                  // one MCU row: v * 8 rows
    uint16_t quant[64];                // natural order
    int      last_dc;
} Plane;

typedef struct Codes {
    uint32_t bits[256];
    uint8_t  length[256];
} Codes;

typedef struct Encoder {
    const Image *image;
    int          plane_count, max_h, max_v, mcus_wide, mcus_high;
    Plane        planes[3];
    size_t       full_stride; // samples in a row of `full`
    uint8_t     *full;        // the MCU row at full resolution: [plane][max_v * 8][full_stride]
    Codes        dc[2], ac[2];
    uint8_t     *out;
    size_t       size, capacity;
    uint64_t     window; // bits not yet written, last at the bottom
    int          bits;
} Encoder;

/* ---- bytes and bits -------------------------------------------------------------------------- */

// Room is made before each header and each MCU row, so putting cannot fail.
static bool reserve(Encoder *e, size_t more, Error *error)
{
    if (e->capacity - e->size >= more)
        return true;
    size_t   wider = e->capacity + e->capacity / 2 + more;
    uint8_t *grown = memory_grow(e->out, e->capacity, wider, 1, error);
    if (!grown)
        return false;
    e->out      = grown;
    e->capacity = wider;
    return true;
}

static void put_byte(Encoder *e, int value)
{
    e->out[e->size++] = (uint8_t)value;
}

static void put_word(Encoder *e, int value)
{
    put_byte(e, value >> 8);
    put_byte(e, value & 255);
}

static void put_bytes(Encoder *e, const void *data, size_t size)
{
    memcpy(e->out + e->size, data, size);
    e->size += size;
}

static void put_marker(Encoder *e, int marker, int length)
{
    put_byte(e, 0xFF);
    put_byte(e, marker);
    put_word(e, length);
}

static inline void put_bits(Encoder *e, uint32_t value, int count)
{
    e->window = e->window << count | value;
    for (e->bits += count; e->bits >= 8; e->bits -= 8) {
        int byte = (int)(e->window >> (e->bits - 8)) & 255;
        put_byte(e, byte);
        if (byte == 0xFF)
            put_byte(e, 0);
    }
}

/* ---- headers --------------------------------------------------------------------------------- */

static void codes_make(Codes *codes, const HuffmanSpec *spec)
{
    uint32_t code = 0;
    int      at   = 0;
    memset(codes, 0, sizeof *codes);
    for (int length = 1; length <= 16; length++, code <<= 1)
        for (int i = 0; i < spec->counts[length - 1]; i++, at++) {
            codes->bits[spec->symbols[at]]   = code++;
            codes->length[spec->symbols[at]] = (uint8_t)length;
        }
}

static void put_quantization(Encoder *e, int slot)
{
    put_marker(e, MARKER_DQT, 67);
    put_byte(e, slot);
    for (int k = 0; k < 64; k++)
        put_byte(e, e->planes[slot].quant[jpeg_zigzag[k]]);
}

static void put_huffman(Encoder *e, int slot, int is_ac)
{
    const HuffmanSpec *spec  = &jpeg_huffman[slot][is_ac];
    int                count = 0;
    for (int i = 0; i < 16; i++)
        count += spec->counts[i];
    put_marker(e, MARKER_DHT, 19 + count);
    put_byte(e, is_ac << 4 | slot);
    put_bytes(e, spec->counts, 16);
    put_bytes(e, spec->symbols, (size_t)count);
}

static void put_headers(Encoder *e)
{
    static const uint8_t jfif[14] = {'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
    int                  slots    = e->plane_count > 1 ? 2 : 1;
    put_byte(e, 0xFF);
    put_byte(e, MARKER_SOI);
    put_marker(e, MARKER_APP0, 16);
    put_bytes(e, jfif, sizeof jfif);
    for (int slot = 0; slot < slots; slot++)
        put_quantization(e, slot);
    put_marker(e, MARKER_SOF0, 8 + 3 * e->plane_count);
    put_byte(e, 8);
    put_word(e, e->image->height);
    put_word(e, e->image->width);
    put_byte(e, e->plane_count);
    for (int i = 0; i < e->plane_count; i++) {
        put_byte(e, i + 1);
        put_byte(e, e->planes[i].h << 4 | e->planes[i].v);
        put_byte(e, i > 0);
    }
    for (int slot = 0; slot < slots; slot++) {
        put_huffman(e, slot, 0);
        put_huffman(e, slot, 1);
    }
    put_marker(e, MARKER_SOS, 6 + 2 * e->plane_count);
    put_byte(e, e->plane_count);
    for (int i = 0; i < e->plane_count; i++) {
        put_byte(e, i + 1);
        put_byte(e, i > 0 ? 0x11 : 0);
    }
    put_byte(e, 0); // the whole band
    put_byte(e, 63);
    put_byte(e, 0);
}

/* ---- samples --------------------------------------------------------------------------------- */

static uint8_t *full_row(const Encoder *e, int plane, int row)
{
    return e->full + ((size_t)plane * (size_t)e->max_v * 8 + (size_t)row) * e->full_stride;
}

// One row of the picture to full resolution planes; the last pixel is repeated up to the stride.
static void row_convert(const Encoder *e, const uint8_t *pixel, int row)
{
    enum { HALF = 1 << 15, CENTER = 128 << 16 };
    uint8_t *y     = full_row(e, 0, row);
    int      width = e->image->width;
    if (e->plane_count == 1) {
        memcpy(y, pixel, (size_t)width);
    } else {
        uint8_t *cb = full_row(e, 1, row), *cr = full_row(e, 2, row);
        for (int x = 0; x < width; x++, pixel += 3) {
            int r = pixel[0], g = pixel[1], b = pixel[2];
            y[x]  = (uint8_t)((19595 * r + 38470 * g + 7471 * b + HALF) >> 16);
            cb[x] = (uint8_t)((-11059 * r - 21709 * g + 32768 * b + CENTER + HALF - 1) >> 16);
            cr[x] = (uint8_t)((32768 * r - 27439 * g - 5329 * b + CENTER + HALF - 1) >> 16);
        }
    }
    for (int i = 0; i < e->plane_count; i++) {
        uint8_t *line = full_row(e, i, row);
        memset(line + width, line[width - 1], e->full_stride - (size_t)width);
    }
}

/* Rows first..7 * v of one MCU row of a plane are averages of full rows. Rounding alternates
 * between neighbours, so that it does not shift the mean. */
static void plane_shrink(const Encoder *e, int index, int row)
{
    const Plane   *plane = &e->planes[index];
    int            h = e->max_h / plane->h, v = e->max_v / plane->v;
    uint8_t       *out  = plane->samples + (size_t)row * plane->stride;
    size_t         wide = (size_t)plane->blocks_wide * 8;
    const uint8_t *a = full_row(e, index, row * v), *b = full_row(e, index, row * v + v - 1);
    if (h == 1) {
        memcpy(out, a, wide);
        return;
    }
    for (size_t x = 0; x < wide; x++, a += 2, b += 2)
        out[x] = (uint8_t)(v == 2 ? (a[0] + a[1] + b[0] + b[1] + 1 + (int)(x & 1)) >> 2
                                  : (a[0] + a[1] + (int)(x & 1)) >> 1);
}

/* Fills every plane for one MCU row. Below the picture libjpeg repeats the last pixel row only to
 * the end of its group of max_v rows, and from there the last averaged row. */
static void samples_load(const Encoder *e, int mcu_y)
{
    const Image *image = e->image;
    int          rows  = image->height - mcu_y * e->max_v * 8;
    rows               = rows > e->max_v * 8 ? e->max_v * 8 : rows;
    int groups         = (rows + e->max_v - 1) / e->max_v;
    for (int row = 0; row < groups * e->max_v; row++) {
        int from = mcu_y * e->max_v * 8 + (row < rows ? row : rows - 1);
        row_convert(
            e, image->pixels + (size_t)from * (size_t)image->width * (size_t)image->channels, row);
    }
    for (int i = 0; i < e->plane_count; i++) {
        const Plane *plane  = &e->planes[i];
        int          filled = groups * plane->v;
        for (int row = 0; row < filled; row++)
            plane_shrink(e, i, row);
        for (int row = filled; row < plane->v * 8; row++)
            memcpy(plane->samples + (size_t)row * plane->stride,
                   plane->samples + (size_t)(filled - 1) * plane->stride, plane->stride);
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static int bit_length(int value)
{
    int length = 0;
    for (; value; value >>= 1)
        length++;
    return length;
}

// A number behind its size: negative numbers are stored less one, without their upper bits.
static inline void put_signed(Encoder *e, int value, int length)
{
    put_bits(e, (uint32_t)(value < 0 ? value - 1 : value) & ((1u << length) - 1), length);
}

static void put_block(Encoder *e, Plane *plane, const int coefs[64], int slot)
{
    const Codes *dc = &e->dc[slot], *ac = &e->ac[slot];
    int          difference = coefs[0] - plane->last_dc, size = bit_length(abs(difference));
    plane->last_dc = coefs[0];
    put_bits(e, dc->bits[size], dc->length[size]);
    put_signed(e, difference, size);
    int run = 0;
    for (int k = 1; k < 64; k++) {
        int value = coefs[jpeg_zigzag[k]];
        if (value == 0) {
            run++;
            continue;
        }
        for (; run > 15; run -= 16)
            put_bits(e, ac->bits[0xF0], ac->length[0xF0]);
        size       = bit_length(abs(value));
        int symbol = run << 4 | size;
        put_bits(e, ac->bits[symbol], ac->length[symbol]);
        put_signed(e, value, size);
        run = 0;
    }
    if (run > 0)
        put_bits(e, ac->bits[0], ac->length[0]);
}

// Rounds to the nearest multiple of the quantizer; the transform's results are scaled by 8.
static void quantize(const int32_t exact[64], const uint16_t quant[64], int coefs[64])
{
    for (int k = 0; k < 64; k++) {
        int step = quant[k] * 8, value = (abs(exact[k]) + step / 2) / step;
        coefs[k] = exact[k] < 0 ? -value : value;
    }
}

/* One MCU. Blocks beyond the picture have no detail and the mean of the block before them, which
 * costs the fewest bits. */
static void put_mcu(Encoder *e, int mcu_x, int mcu_y)
{
    for (int i = 0; i < e->plane_count; i++) {
        Plane  *plane = &e->planes[i];
        int32_t exact[64];
        int     coefs[64];
        for (int y = 0; y < plane->v; y++)
            for (int x = 0; x < plane->h; x++) {
                int block_x = mcu_x * plane->h + x, block_y = mcu_y * plane->v + y;
                if (block_x < plane->blocks_wide && block_y < plane->blocks_high) {
                    jpeg_forward_dct(plane->samples + (size_t)y * 8 * plane->stride +
                                         (size_t)block_x * 8,
                                     plane->stride, exact);
                    quantize(exact, plane->quant, coefs);
                } else {
                    memset(coefs, 0, sizeof coefs);
                    coefs[0] = plane->last_dc;
                }
                put_block(e, plane, coefs, i > 0);
            }
    }
}

/* ---- file ------------------------------------------------------------------------------------ */

static bool encoder_open(Encoder *e, const Image *image, int quality, JpegSampling sampling,
                         Error *error)
{
    int scale      = quality < 50 ? 5000 / quality : 200 - 2 * quality; // libjpeg's percentage
    e->image       = image;
    e->plane_count = image->channels;
    e->max_h       = image->channels == 3 && sampling != JPEG_444 ? 2 : 1;
    e->max_v       = image->channels == 3 && sampling == JPEG_420 ? 2 : 1;
    e->mcus_wide   = (image->width + 8 * e->max_h - 1) / (8 * e->max_h);
    e->mcus_high   = (image->height + 8 * e->max_v - 1) / (8 * e->max_v);
    e->full_stride = (size_t)e->mcus_wide * (size_t)e->max_h * 8;
    e->full   = memory_new((size_t)e->plane_count * (size_t)e->max_v * 8, e->full_stride, error);
    bool fine = e->full != NULL;
    for (int i = 0; i < e->plane_count; i++) {
        Plane *plane       = &e->planes[i];
        plane->h           = i == 0 ? e->max_h : 1;
        plane->v           = i == 0 ? e->max_v : 1;
        int width          = (image->width * plane->h + e->max_h - 1) / e->max_h;
        int height         = (image->height * plane->v + e->max_v - 1) / e->max_v;
        plane->blocks_wide = (width + 7) / 8;
        plane->blocks_high = (height + 7) / 8;
        plane->stride      = (size_t)plane->blocks_wide * 8;
        plane->samples     = memory_new(plane->stride, (size_t)plane->v * 8, error);
        fine               = fine && plane->samples;
        for (int k = 0; k < 64; k++) {
            int value       = (jpeg_quantization[i > 0][k] * scale + 50) / 100;
            plane->quant[k] = (uint16_t)(value < 1 ? 1 : value > 255 ? 255 : value);
        }
    }
    for (int slot = 0; slot < 2; slot++) {
        codes_make(&e->dc[slot], &jpeg_huffman[slot][0]);
        codes_make(&e->ac[slot], &jpeg_huffman[slot][1]);
    }
    return fine && reserve(e, 1024, error);
}

static bool encoder_run(Encoder *e, Error *error)
{
    // A coefficient takes at most 16 + 10 bits, doubled if every byte is stuffed; a block has 64.
    enum { BLOCK_BYTES_MAX = 64 * 26 / 8 * 2 + 8 };
    put_headers(e);
    for (int y = 0; y < e->mcus_high; y++) {
        samples_load(e, y);
        for (int x = 0; x < e->mcus_wide; x++) {
            if (!reserve(e, (JPEG_BLOCKS_IN_MCU + 1) * BLOCK_BYTES_MAX, error))
                return false;
            put_mcu(e, x, y);
        }
    }
    if (e->bits > 0) // the last byte is filled with ones
        put_bits(e, 0x7F, 7);
    put_byte(e, 0xFF);
    put_byte(e, MARKER_EOI);
    return true;
}

bool jpeg_encode(const Image *image, int quality, JpegSampling sampling, uint8_t **out,
                 size_t *size, Error *error)
{
    if ((image->channels != 1 && image->channels != 3) || quality < 1 || quality > 100)
        return fail(error, ERROR_USAGE, "jpeg: cannot write %d channels with quality %d",
                    image->channels, quality);
    if (!image_size_check("jpeg", image->width, image->height, ERROR_USAGE, error))
        return false;
    Encoder *e = memory_new(1, sizeof *e, error);
    if (!e)
        return false;
    bool done = encoder_open(e, image, quality, sampling, error) && encoder_run(e, error);
    if (done) {
        *out  = e->out;
        *size = e->size;
    } else {
        memory_free(e->out);
    }
    memory_free(e->full);
    for (int i = 0; i < e->plane_count; i++)
        memory_free(e->planes[i].samples);
    memory_free(e);
    return done;
}
