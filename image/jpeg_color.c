/* image/jpeg_color.c - samples to rows of pixels, equal bit for bit to libjpeg-turbo's defaults.
 *
 * Components at half resolution are interpolated with a triangle filter ("fancy upsampling": each
 * output sample is 3/4 of the nearer and 1/4 of the further input, per direction); other whole
 * ratios repeat samples. The further row may belong to the next row of MCUs, so the last row of
 * pixels of every row of MCUs waits for it, and two rows of MCUs are all that is kept.
 * Source: JFIF 1.02 (colour equations); T.81 leaves upsampling open, so libjpeg-turbo decides. */
#include "jpeg.h"

#include <assert.h>
#include <string.h>

/* ---- rings ----------------------------------------------------------------------------------- */

static uint8_t *ring_row(const JpegComponent *component, int y)
{
    return component->ring + (size_t)(y % (16 * component->v)) * (size_t)component->padded_wide * 8;
}

void jpeg_block_put(const JpegComponent *component, const int16_t coefs[64], int x, int y)
{
    jpeg_inverse_dct(coefs, component->quant, ring_row(component, 8 * y) + 8 * (size_t)x,
                     (size_t)component->padded_wide * 8);
}

/* ---- upsampling ------------------------------------------------------------------------------ */

typedef enum Upsampling { UP_NONE, UP_H2V1, UP_H2V2, UP_H1V2, UP_REPEAT } Upsampling;

static Upsampling upsampling_of(const Jpeg *jpeg, const JpegComponent *component)
{
    int h = jpeg->max_h / component->h, v = jpeg->max_v / component->v;
    if (h == 1 && v == 1)
        return UP_NONE;
    if (h == 1 && v == 2)
        return UP_H1V2;
    if (h == 2 && v <= 2 && component->width > 2)
        return v == 1 ? UP_H2V1 : UP_H2V2;
    return UP_REPEAT;
}

// out has 2 * width samples, which may be one more than the picture is wide.
static void row_h2v1(const uint8_t *in, int width, uint8_t *out)
{
    out[0] = in[0];
    out[1] = (uint8_t)((in[0] * 3 + in[1] + 2) >> 2);
    for (int x = 1; x < width - 1; x++) {
        out[2 * x]     = (uint8_t)((in[x] * 3 + in[x - 1] + 1) >> 2);
        out[2 * x + 1] = (uint8_t)((in[x] * 3 + in[x + 1] + 2) >> 2);
    }
    int last          = width - 1;
    out[2 * last]     = (uint8_t)((in[last] * 3 + in[last - 1] + 1) >> 2);
    out[2 * last + 1] = in[last];
}

// The same after mixing the nearer and the further row; `sums` has room for width numbers.
static void row_h2v2(const uint8_t *near, const uint8_t *far, int width, uint16_t *sums,
                     uint8_t *out)
{
    for (int x = 0; x < width; x++)
        sums[x] = (uint16_t)(near[x] * 3 + far[x]);
    out[0] = (uint8_t)((sums[0] * 4 + 8) >> 4);
    out[1] = (uint8_t)((sums[0] * 3 + sums[1] + 7) >> 4);
    for (int x = 1; x < width - 1; x++) {
        out[2 * x]     = (uint8_t)((sums[x] * 3 + sums[x - 1] + 8) >> 4);
        out[2 * x + 1] = (uint8_t)((sums[x] * 3 + sums[x + 1] + 7) >> 4);
    }
    int last          = width - 1;
    out[2 * last]     = (uint8_t)((sums[last] * 3 + sums[last - 1] + 8) >> 4);
    out[2 * last + 1] = (uint8_t)((sums[last] * 4 + 7) >> 4);
}

// Row y of the picture for one component: inside the ring, or made in `line`.
static const uint8_t *row_upsampled(const Jpeg *jpeg, const JpegComponent *component, int y,
                                    uint16_t *sums, uint8_t *line)
{
    int            h = jpeg->max_h / component->h, v = jpeg->max_v / component->v;
    int            from = y / v, last = component->height - 1;
    int            other = y % 2 ? from + 1 : from - 1; // the further row when v is 2
    const uint8_t *near  = ring_row(component, from);
    const uint8_t *far   = ring_row(component, other < 0 ? 0 : other > last ? last : other);
    switch (upsampling_of(jpeg, component)) {
    case UP_NONE:
        return near;
    case UP_H2V1:
        row_h2v1(near, component->width, line);
        break;
    case UP_H2V2:
        row_h2v2(near, far, component->width, sums, line);
        break;
    case UP_H1V2:
        for (int x = 0; x < component->width; x++)
            line[x] = (uint8_t)((near[x] * 3 + far[x] + 1 + y % 2) >> 2);
        break;
    case UP_REPEAT:
        for (int x = 0; x < component->width; x++)
            memset(line + (size_t)x * (size_t)h, near[x], (size_t)h);
        break;
    }
    return line;
}

/* ---- colours --------------------------------------------------------------------------------- */

typedef enum ColorSpace { SPACE_DIRECT, SPACE_YCC, SPACE_CMYK, SPACE_YCCK } ColorSpace;

static ColorSpace space_of(const Jpeg *jpeg)
{
    const JpegComponent *c = jpeg->components;
    if (jpeg->component_count == 1)
        return SPACE_DIRECT;
    if (jpeg->component_count == 4)
        return jpeg->has_adobe && jpeg->adobe_transform != 0 ? SPACE_YCCK : SPACE_CMYK;
    if (jpeg->has_jfif)
        return SPACE_YCC;
    if (jpeg->has_adobe)
        return jpeg->adobe_transform == 0 ? SPACE_DIRECT : SPACE_YCC;
    return c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B' ? SPACE_DIRECT : SPACE_YCC;
}

static void color_tables_fill(ColorTables *tables)
{
    enum { HALF = 1 << 15 };
    for (int i = 0; i < 256; i++) {
        int x               = i - 128;
        tables->cr_red[i]   = (91881 * x + HALF) >> 16;  // 1.40200
        tables->cb_blue[i]  = (116130 * x + HALF) >> 16; // 1.77200
        tables->cr_green[i] = -46802 * x;                // 0.71414
        tables->cb_green[i] = -22554 * x + HALF;         // 0.34414
    }
}

static inline uint8_t to_byte(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void row_ycc_to_rgb(const ColorTables *tables, const uint8_t *y, const uint8_t *cb,
                           const uint8_t *cr, int width, int step, uint8_t *out)
{
    for (int x = 0; x < width; x++, out += step) {
        out[0] = to_byte(y[x] + tables->cr_red[cr[x]]);
        out[1] = to_byte(y[x] + ((tables->cb_green[cb[x]] + tables->cr_green[cr[x]]) >> 16));
        out[2] = to_byte(y[x] + tables->cb_blue[cb[x]]);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

bool jpeg_rows_start(Jpeg *jpeg, Error *error)
{
    size_t channels = (size_t)jpeg->component_count;
    color_tables_fill(&jpeg->colors);
    jpeg->line_size = (size_t)jpeg->mcus_wide * (size_t)jpeg->max_h * 8;
    jpeg->lines     = memory_new(jpeg->line_size, channels, error);
    jpeg->sums      = memory_new(jpeg->line_size, sizeof *jpeg->sums, error);
    bool done       = jpeg->lines && jpeg->sums;
    for (int i = 0; done && i < jpeg->component_count; i++) {
        JpegComponent *c = &jpeg->components[i];
        c->ring          = memory_new((size_t)c->padded_wide * (size_t)c->v, 128, error);
        done             = c->ring != NULL;
    }
    if (done)
        jpeg->pixels = memory_new((size_t)jpeg->width * (size_t)jpeg->height, channels, error);
    return jpeg->pixels != NULL;
}

static void row_make(const Jpeg *jpeg, int y)
{
    int        channels = jpeg->component_count, width = jpeg->width;
    ColorSpace space = space_of(jpeg);
    assert(channels == 1 || channels == 3 || channels == 4);
    uint8_t       *out = jpeg->pixels + (size_t)y * (size_t)width * (size_t)channels;
    const uint8_t *row[JPEG_COMPONENTS] = {NULL};
    for (int i = 0; i < channels; i++)
        row[i] = row_upsampled(jpeg, &jpeg->components[i], y, jpeg->sums,
                               jpeg->lines + (size_t)i * jpeg->line_size);
    if (space == SPACE_YCC || space == SPACE_YCCK)
        row_ycc_to_rgb(&jpeg->colors, row[0], row[1], row[2], width, channels, out);
    if (channels == 1)
        memcpy(out, row[0], (size_t)width);
    else if (space == SPACE_DIRECT)
        for (int x = 0; x < width; x++)
            for (int i = 0; i < 3; i++)
                out[3 * x + i] = row[i][x];
    else if (space == SPACE_YCCK) // red is the file's 255 - C, and files store 255 - ink
        for (int x = 0; x < width; x++)
            out[4 * x + 3] = (uint8_t)(255 - row[3][x]);
    else if (space == SPACE_CMYK)
        for (int x = 0; x < width; x++)
            for (int i = 0; i < 4; i++)
                out[4 * x + i] = (uint8_t)(255 - row[i][x]);
}

void jpeg_rows_make(Jpeg *jpeg, int mcu_row)
{
    int  rows = 8 * jpeg->max_v;
    bool last = mcu_row == jpeg->mcus_high - 1;
    int  end  = last ? jpeg->height : (mcu_row + 1) * rows - 1;
    for (int y = mcu_row ? mcu_row * rows - 1 : 0; y < end; y++)
        row_make(jpeg, y);
}
