/* image/jpeg_color.c - component planes to pixels, equal bit for bit to libjpeg-turbo's defaults.
 *
 * Planes at half resolution are interpolated with a triangle filter ("fancy upsampling": each
 * output sample is 3/4 of the nearer and 1/4 of the further input, per direction); other whole
 * ratios repeat samples. Everything works on one output row at a time. Source: JFIF 1.02 (colour
 * equations); T.81 leaves upsampling open, so libjpeg-turbo decides. */
#include "jpeg.h"

#include <assert.h>
#include <string.h>

/* ---- upsampling ---------------------------------------------------------------------------- */

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

static const uint8_t *plane_row(const JpegComponent *component, int y)
{
    y = y < 0 ? 0 : y >= component->height ? component->height - 1 : y;
    return component->plane + (size_t)y * (size_t)component->padded_wide * 8;
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

// Row y of the picture for one component: inside the plane, or made in `line`.
static const uint8_t *row_upsampled(const Jpeg *jpeg, const JpegComponent *component, int y,
                                    uint16_t *sums, uint8_t *line)
{
    int            h = jpeg->max_h / component->h, v = jpeg->max_v / component->v;
    int            from  = y / v;
    int            other = y % 2 ? from + 1 : from - 1; // the further row when v is 2
    const uint8_t *near  = plane_row(component, from);
    const uint8_t *far   = plane_row(component, other);
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

/* ---- colours ------------------------------------------------------------------------------- */

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

// Contributions of Cb and Cr, 16 fractional bits for green.
typedef struct ColorTables {
    int32_t cr_red[256], cb_blue[256], cr_green[256], cb_green[256];
} ColorTables;

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

bool jpeg_planes_to_pixels(const Jpeg *jpeg, uint8_t *pixels, Error *error)
{
    int    channels = jpeg->component_count, width = jpeg->width;
    size_t line_size = 0; // of the widest upsampled row
    assert(channels == 1 || channels == 3 || channels == 4);
    for (int i = 0; i < channels; i++) {
        const JpegComponent *c    = &jpeg->components[i];
        size_t               wide = (size_t)c->padded_wide * 8 * (size_t)(jpeg->max_h / c->h);
        line_size                 = wide > line_size ? wide : line_size;
    }
    uint8_t  *lines = memory_new(line_size, (size_t)channels, error);
    uint16_t *sums  = memory_new(line_size, sizeof *sums, error);
    if (!lines || !sums) {
        memory_free(lines);
        memory_free(sums);
        return false;
    }
    ColorTables tables;
    color_tables_fill(&tables);
    ColorSpace space = space_of(jpeg);
    for (int y = 0; y < jpeg->height; y++) {
        const uint8_t *row[JPEG_COMPONENTS];
        uint8_t       *out = pixels + (size_t)y * (size_t)width * (size_t)channels;
        for (int i = 0; i < channels; i++)
            row[i] =
                row_upsampled(jpeg, &jpeg->components[i], y, sums, lines + (size_t)i * line_size);
        if (space == SPACE_YCC || space == SPACE_YCCK)
            row_ycc_to_rgb(&tables, row[0], row[1], row[2], width, channels, out);
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
    memory_free(lines);
    memory_free(sums);
    return true;
}
