/* image/png.c - PNG in and out.
 *
 * Decoding: the chunks are walked once and checked; then each row is unfiltered and spread over the
 * picture as soon as it is inflated, pass by pass (one, or the seven of Adam7).
 * Critical chunks and tRNS only: everything else is stepped over unread.
 * Source: PNG specification, second edition (ISO/IEC 15948:2003). */
#include "limits.h"
#include "../base/digest.h"
#include "zlib.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t SIGNATURE[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

enum { COLOR_GRAY = 0, COLOR_RGB = 2, COLOR_PALETTE = 3, COLOR_GRAY_ALPHA = 4, COLOR_RGBA = 6 };
enum { FILTER_NONE, FILTER_LEFT, FILTER_UP, FILTER_AVERAGE, FILTER_PAETH, FILTERS };
enum { CHUNK_OVERHEAD = 12 }; // length, type, CRC

typedef struct Png {
    const char    *name;
    uint32_t       width, height;
    int            depth, color, samples; // samples in the file, per pixel
    bool           interlaced;
    uint8_t        palette[256][4];
    int            palette_size;
    bool           has_transparency;
    uint16_t       transparent[3]; // the colour that tRNS names, for gray and RGB
    const uint8_t *first;          // the only IDAT, if there is one
    size_t         compressed;     // bytes in all IDATs
    int            data_chunks;
} Png;

typedef struct Pass {
    uint32_t left, top, step_x, step_y;
} Pass;

static const Pass WHOLE    = {0, 0, 1, 1};
static const Pass ADAM7[7] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                              {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

#define CHUNK(a, b, c, d)                                                                          \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

typedef struct Chunk {
    uint32_t       type, size;
    const uint8_t *data;
} Chunk;

/* The chunk at *at, which moves past it. The CRC is checked where the content is used. */
static bool chunk_next(const Png *png, const uint8_t *data, size_t size, size_t *at, Chunk *chunk,
                       Error *error)
{
    if (size - *at < CHUNK_OVERHEAD)
        return fail(error, ERROR_DATA, "%s: file ends at byte %zu, expected a chunk", png->name,
                    size);
    chunk->size = load_be32(data + *at);
    chunk->type = load_be32(data + *at + 4);
    chunk->data = data + *at + 8;
    if (chunk->size > size - *at - CHUNK_OVERHEAD)
        return fail(error, ERROR_DATA, "%s: chunk at byte %zu has %u bytes, only %zu are left",
                    png->name, *at, chunk->size, size - *at - CHUNK_OVERHEAD);
    bool critical = !(chunk->type & 0x20000000); // bit 5 of the first letter: lower case
    if (critical || chunk->type == CHUNK('t', 'R', 'N', 'S')) {
        uint32_t wanted = load_be32(chunk->data + chunk->size);
        uint32_t found  = digest_crc32(0, chunk->data - 4, (size_t)chunk->size + 4);
        if (found != wanted)
            return fail(error, ERROR_DATA, "%s: chunk at byte %zu has CRC %08x, expected %08x",
                        png->name, *at, found, wanted);
    }
    *at += (size_t)chunk->size + CHUNK_OVERHEAD;
    return true;
}

static bool header_read(Png *png, const Chunk *chunk, Error *error)
{
    const uint8_t *p = chunk->data;
    if (chunk->type != CHUNK('I', 'H', 'D', 'R') || chunk->size != 13)
        return fail(error, ERROR_DATA, "%s: first chunk is not an IHDR of 13 bytes", png->name);
    png->width  = load_be32(p);
    png->height = load_be32(p + 4);
    png->depth  = p[8];
    png->color  = p[9];
    if (!image_size_check(png->name, png->width, png->height, ERROR_DATA, error))
        return false;
    // Bit d is set where depth d is allowed.
    static const uint32_t depths[7]  = {0x10116, 0, 0x10100, 0x116, 0x10100, 0, 0x10100};
    static const int      samples[7] = {1, 0, 3, 1, 2, 0, 4};
    if (png->color > 6 || png->depth > 16 || !(depths[png->color] >> png->depth & 1))
        return fail(error, ERROR_DATA, "%s: colour type %d with %d bits does not exist", png->name,
                    png->color, png->depth);
    if (p[10] != 0 || p[11] != 0 || p[12] > 1)
        return fail(error, ERROR_DATA, "%s: unknown compression %d, filter %d or interlacing %d",
                    png->name, p[10], p[11], p[12]);
    png->samples    = samples[png->color];
    png->interlaced = p[12] == 1;
    return true;
}

static bool palette_read(Png *png, const Chunk *chunk, Error *error)
{
    if (png->palette_size || png->data_chunks || png->has_transparency ||
        png->color == COLOR_GRAY || png->color == COLOR_GRAY_ALPHA)
        return fail(error, ERROR_DATA, "%s: PLTE is misplaced", png->name);
    uint32_t most = png->color == COLOR_PALETTE ? 1u << png->depth : 256;
    if (chunk->size == 0 || chunk->size % 3 || chunk->size / 3 > most)
        return fail(error, ERROR_DATA, "%s: PLTE has %u bytes, expected 3 to %u in threes",
                    png->name, chunk->size, most * 3);
    png->palette_size = (int)(chunk->size / 3);
    for (int i = 0; i < png->palette_size; i++) {
        memcpy(png->palette[i], chunk->data + 3 * i, 3);
        png->palette[i][3] = 255;
    }
    return true;
}

static bool transparency_read(Png *png, const Chunk *chunk, Error *error)
{
    if (png->has_transparency || png->data_chunks || png->color == COLOR_GRAY_ALPHA ||
        png->color == COLOR_RGBA || (png->color == COLOR_PALETTE && !png->palette_size))
        return fail(error, ERROR_DATA, "%s: tRNS is misplaced", png->name);
    png->has_transparency = true;
    if (png->color == COLOR_PALETTE) {
        if (chunk->size > (uint32_t)png->palette_size)
            return fail(error, ERROR_DATA, "%s: tRNS has %u entries for %d colours", png->name,
                        chunk->size, png->palette_size);
        for (uint32_t i = 0; i < chunk->size; i++)
            png->palette[i][3] = chunk->data[i];
        return true;
    }
    if (chunk->size != 2 * (uint32_t)png->samples)
        return fail(error, ERROR_DATA, "%s: tRNS has %u bytes, expected %d", png->name, chunk->size,
                    2 * png->samples);
    for (int i = 0; i < png->samples; i++)
        png->transparent[i] = load_be16(chunk->data + 2 * i);
    return true;
}

static bool chunks_read(Png *png, const uint8_t *data, size_t size, Error *error)
{
    if (size < sizeof SIGNATURE || memcmp(data, SIGNATURE, sizeof SIGNATURE) != 0)
        return fail(error, ERROR_DATA, "%s: does not start as a PNG file", png->name);
    size_t at          = sizeof SIGNATURE;
    bool   data_closed = false; // another chunk came after an IDAT
    Chunk  chunk;
    if (!chunk_next(png, data, size, &at, &chunk, error) || !header_read(png, &chunk, error))
        return false;
    for (;;) {
        if (!chunk_next(png, data, size, &at, &chunk, error))
            return false;
        bool fine = true;
        switch (chunk.type) {
        case CHUNK('I', 'D', 'A', 'T'):
            if (data_closed || (png->color == COLOR_PALETTE && !png->palette_size))
                return fail(error, ERROR_DATA, "%s: IDAT is misplaced", png->name);
            if (png->data_chunks++ == 0)
                png->first = chunk.data;
            png->compressed += chunk.size;
            continue;
        case CHUNK('P', 'L', 'T', 'E'):
            fine = palette_read(png, &chunk, error);
            break;
        case CHUNK('t', 'R', 'N', 'S'):
            fine = transparency_read(png, &chunk, error);
            break;
        case CHUNK('I', 'E', 'N', 'D'):
            if (!png->data_chunks || chunk.size)
                return fail(error, ERROR_DATA, "%s: IEND is not empty or comes before any IDAT",
                            png->name);
            return true;
        default:
            if (!(chunk.type & 0x20000000))
                return fail(error, ERROR_DATA, "%s: unknown critical chunk %08x", png->name,
                            chunk.type);
        }
        if (!fine)
            return false;
        data_closed = png->data_chunks > 0;
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static uint32_t pass_width(const Png *png, const Pass *pass)
{
    return (png->width - pass->left + pass->step_x - 1) / pass->step_x;
}

static uint32_t pass_height(const Png *png, const Pass *pass)
{
    return (png->height - pass->top + pass->step_y - 1) / pass->step_y;
}

// Bytes of one row without its filter byte; at most 65535 * 8.
static size_t row_bytes(const Png *png, uint32_t width)
{
    return ((size_t)width * (size_t)(png->samples * png->depth) + 7) / 8;
}

static bool pass_is_empty(const Png *png, const Pass *pass)
{
    return png->width <= pass->left || png->height <= pass->top;
}

static inline uint8_t paeth(int left, int up, int corner)
{
    int by_left = abs(up - corner), by_up = abs(left - corner),
        by_both = abs(left + up - 2 * corner);
    return (uint8_t)(by_left <= by_up && by_left <= by_both ? left
                     : by_up <= by_both                     ? up
                                                            : corner);
}

/* Undoes the filter of one row. `above` is the row before, or NULL for the first of a pass.
 * `pixel` is the distance in bytes to the pixel on the left. */
static bool row_unfilter(int filter, uint8_t *row, const uint8_t *above, size_t bytes, size_t pixel)
{
    size_t head = pixel < bytes ? pixel : bytes; // no pixel on the left: it counts as zero
    if (filter == FILTER_PAETH && !above) // the predictor is then always the pixel on the left
        filter = FILTER_LEFT;
    switch (filter) {
    case FILTER_NONE:
        return true;
    case FILTER_LEFT:
        for (size_t i = pixel; i < bytes; i++)
            row[i] = (uint8_t)(row[i] + row[i - pixel]);
        return true;
    case FILTER_UP:
        for (size_t i = 0; above && i < bytes; i++)
            row[i] = (uint8_t)(row[i] + above[i]);
        return true;
    case FILTER_AVERAGE:
        for (size_t i = 0; above && i < head; i++)
            row[i] = (uint8_t)(row[i] + above[i] / 2);
        for (size_t i = pixel; i < bytes; i++)
            row[i] = (uint8_t)(row[i] + (row[i - pixel] + (above ? above[i] : 0)) / 2);
        return true;
    case FILTER_PAETH:
        for (size_t i = 0; i < head; i++)
            row[i] = (uint8_t)(row[i] + above[i]);
        for (size_t i = pixel; i < bytes; i++)
            row[i] = (uint8_t)(row[i] + paeth(row[i - pixel], above[i], above[i - pixel]));
        return true;
    default:
        return false;
    }
}

/* Spreads one unfiltered row: pixel k of the row goes to out + k * step. */
static bool row_spread(const Png *png, const uint8_t *row, uint32_t width, uint8_t *out,
                       size_t step)
{
    int depth = png->depth, samples = png->samples;
    if (png->color == COLOR_PALETTE) {
        size_t channels = png->has_transparency ? 4 : 3;
        for (uint32_t x = 0; x < width; x++, out += step) {
            size_t bit   = (size_t)x * (size_t)depth;
            int    index = row[bit / 8] >> (8 - depth - (int)(bit % 8)) & ((1 << depth) - 1);
            if (index >= png->palette_size)
                return false;
            memcpy(out, png->palette[index], channels);
        }
        return true;
    }
    if (depth == 8 && !png->has_transparency && step == (size_t)samples) {
        memcpy(out, row, (size_t)width * step);
        return true;
    }
    int scale = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
    for (uint32_t x = 0; x < width; x++, out += step) {
        bool transparent = png->has_transparency;
        for (int s = 0; s < samples; s++) {
            size_t sample = (size_t)x * (size_t)samples + (size_t)s;
            int    value;
            if (depth == 16) {
                value  = load_be16(row + 2 * sample);
                out[s] = row[2 * sample];
            } else {
                size_t bit = sample * (size_t)depth;
                value      = row[bit / 8] >> (8 - depth - (int)(bit % 8)) & ((1 << depth) - 1);
                out[s]     = (uint8_t)(value * scale);
            }
            transparent = transparent && value == png->transparent[s];
        }
        if (png->has_transparency)
            out[samples] = transparent ? 0 : 255;
    }
    return true;
}

/* ---- passes ---------------------------------------------------------------------------------- */

// Takes the inflated bytes and makes rows of them.
typedef struct RowReader {
    const Png  *png;
    Image      *image;
    const Pass *pass, *passes_end;
    uint32_t    y;           // row of the pass
    size_t      bytes;       // of a row with its filter byte
    size_t      filled;      // bytes of the row so far
    uint8_t    *row, *above; // with filter bytes
    Error      *error;
} RowReader;

static void pass_start(RowReader *reader)
{
    while (reader->pass < reader->passes_end && pass_is_empty(reader->png, reader->pass))
        reader->pass++;
    reader->y     = 0;
    reader->bytes = reader->pass < reader->passes_end
                        ? row_bytes(reader->png, pass_width(reader->png, reader->pass)) + 1
                        : 0;
}

static bool row_finish(RowReader *reader)
{
    const Png  *png      = reader->png;
    const Pass *pass     = reader->pass;
    size_t      pixel    = ((size_t)(png->samples * png->depth) + 7) / 8;
    size_t      out_y    = (size_t)pass->top + (size_t)reader->y * pass->step_y;
    size_t      channels = (size_t)reader->image->channels;
    uint8_t    *target   = reader->image->pixels + (out_y * png->width + pass->left) * channels;
    uint8_t    *row      = reader->row;
    if (!row_unfilter(row[0], row + 1, reader->y ? reader->above + 1 : NULL, reader->bytes - 1,
                      pixel))
        return fail(reader->error, ERROR_DATA, "%s: row %zu has unknown filter %d", png->name,
                    out_y, row[0]);
    if (!row_spread(png, row + 1, pass_width(png, pass), target, pass->step_x * channels))
        return fail(reader->error, ERROR_DATA, "%s: row %zu uses a colour beyond the palette of %d",
                    png->name, out_y, png->palette_size);
    reader->row    = reader->above;
    reader->above  = row;
    reader->filled = 0;
    if (++reader->y == pass_height(png, pass)) {
        reader->pass++;
        pass_start(reader);
    }
    return true;
}

static bool rows_take(void *self, const uint8_t *data, size_t size)
{
    RowReader *reader = self;
    while (size > 0) {
        size_t part = reader->bytes - reader->filled;
        part        = part < size ? part : size;
        memcpy(reader->row + reader->filled, data, part);
        reader->filled += part;
        data += part;
        size -= part;
        if (reader->filled == reader->bytes && !row_finish(reader))
            return false;
    }
    return true;
}

/* ---- decoding -------------------------------------------------------------------------------- */

// All IDAT contents in one piece; only called for a file whose chunks have been checked.
static uint8_t *data_joined(const Png *png, const uint8_t *data, size_t size, Error *error)
{
    uint8_t *joined = memory_new(png->compressed, 1, error);
    size_t   at = sizeof SIGNATURE, filled = 0;
    while (joined && size - at >= CHUNK_OVERHEAD && filled < png->compressed) {
        uint32_t chunk_size = load_be32(data + at);
        if (load_be32(data + at + 4) == CHUNK('I', 'D', 'A', 'T')) {
            memcpy(joined + filled, data + at + 8, chunk_size);
            filled += chunk_size;
        }
        at += (size_t)chunk_size + CHUNK_OVERHEAD;
    }
    return joined;
}

bool png_decode(const uint8_t *data, size_t size, const char *name, Image *out, Error *error)
{
    Png png = {.name = name};
    if (!chunks_read(&png, data, size, error))
        return false;
    const Pass *passes     = png.interlaced ? ADAM7 : &WHOLE;
    int         pass_count = png.interlaced ? 7 : 1;
    size_t      raw_size   = 0; // a few GiB at most, by the limit on pixels
    for (int i = 0; i < pass_count; i++)
        if (!pass_is_empty(&png, passes + i))
            raw_size +=
                pass_height(&png, passes + i) * (row_bytes(&png, pass_width(&png, passes + i)) + 1);
    // Deflate cannot shrink data more than 1032 times, so a small file cannot claim a large
    // picture.
    if (raw_size / 1032 > png.compressed)
        return fail(error, ERROR_DATA, "%s: %zu compressed bytes cannot hold %ux%u pixels", name,
                    png.compressed, png.width, png.height);

    Image image = {.width       = (int)png.width,
                   .height      = (int)png.height,
                   .channels    = png.color == COLOR_PALETTE ? 3 : png.samples,
                   .orientation = 1};
    image.channels += png.has_transparency;
    size_t         pixels = (size_t)png.width * png.height, row = row_bytes(&png, png.width) + 1;
    const uint8_t *compressed = png.first;
    uint8_t       *joined = NULL, *rows = memory_new(2, row, error);
    if (rows && png.data_chunks > 1)
        compressed = joined = data_joined(&png, data, size, error);
    if (rows && compressed)
        image.pixels = memory_new(pixels, (size_t)image.channels, error);
    RowReader reader = {.png        = &png,
                        .image      = &image,
                        .pass       = passes,
                        .passes_end = passes + pass_count,
                        .row        = rows,
                        .above      = rows ? rows + row : NULL,
                        .error      = error};
    pass_start(&reader);
    bool done = image.pixels &&
                inflate_zlib(compressed, png.compressed, raw_size, rows_take, &reader, name, error);
    memory_free(joined);
    memory_free(rows);
    if (done)
        *out = image;
    else
        memory_free(image.pixels);
    return done;
}

/* ---- encoding -------------------------------------------------------------------------------- */

/* Writes the filtered row and returns the sum of its bytes taken as signed magnitudes: the smaller,
 * the better it tends to compress (PNG specification, section 12.8). */
static size_t row_filter(int filter, const uint8_t *row, const uint8_t *above, size_t bytes,
                         size_t pixel, uint8_t *out)
{
    size_t sum = 0;
    for (size_t i = 0; i < bytes; i++) {
        int left   = i >= pixel ? row[i - pixel] : 0;
        int up     = above ? above[i] : 0;
        int corner = above && i >= pixel ? above[i - pixel] : 0;
        int guess  = filter == FILTER_LEFT      ? left
                     : filter == FILTER_UP      ? up
                     : filter == FILTER_AVERAGE ? (left + up) / 2
                     : filter == FILTER_PAETH   ? paeth(left, up, corner)
                                                : 0;
        out[i]     = (uint8_t)(row[i] - guess);
        sum += (size_t)abs((int8_t)out[i]);
    }
    return sum;
}

static uint8_t *rows_filtered(const Image *image, size_t *size, Error *error)
{
    size_t   pixel = (size_t)image->channels, bytes = (size_t)image->width * pixel;
    uint8_t *raw   = memory_new((size_t)image->height, bytes + 1, error);
    uint8_t *trial = memory_new(bytes, 1, error);
    if (!raw || !trial) {
        memory_free(raw);
        memory_free(trial);
        return NULL;
    }
    for (int y = 0; y < image->height; y++) {
        const uint8_t *row   = image->pixels + (size_t)y * bytes;
        const uint8_t *above = y ? row - bytes : NULL;
        uint8_t       *best  = raw + (size_t)y * (bytes + 1);
        size_t         least = SIZE_MAX;
        for (int filter = 0; filter < FILTERS; filter++) {
            size_t sum = row_filter(filter, row, above, bytes, pixel, trial);
            if (sum < least) {
                least   = sum;
                best[0] = (uint8_t)filter;
                memcpy(best + 1, trial, bytes);
            }
        }
    }
    memory_free(trial);
    *size = (size_t)image->height * (bytes + 1);
    return raw;
}

static void store_be32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

// A chunk whose content is already in place behind 8 free bytes; returns the byte after it.
static uint8_t *chunk_close(uint8_t *chunk, const char *type, size_t size)
{
    store_be32(chunk, (uint32_t)size);
    memcpy(chunk + 4, type, 4);
    store_be32(chunk + 8 + size, digest_crc32(0, chunk + 4, size + 4));
    return chunk + CHUNK_OVERHEAD + size;
}

bool png_encode(const Image *image, uint8_t **out, size_t *size, Error *error)
{
    static const uint8_t colors[5] = {0, COLOR_GRAY, COLOR_GRAY_ALPHA, COLOR_RGB, COLOR_RGBA};
    if (image->channels < 1 || image->channels > 4 || image->is_cmyk ||
        !image_size_is_fine(image->width, image->height))
        return fail(error, ERROR_USAGE, "png: cannot write %dx%d pixels of %d %schannels",
                    image->width, image->height, image->channels, image->is_cmyk ? "CMYK " : "");
    size_t   raw_size = 0, packed_size = 0;
    uint8_t *packed = NULL, *file = NULL;
    uint8_t *raw = rows_filtered(image, &raw_size, error);
    if (raw && deflate_zlib(raw, raw_size, &packed, &packed_size, error))
        file = memory_new(sizeof SIGNATURE + 13 + packed_size + 3 * CHUNK_OVERHEAD, 1, error);
    if (file) {
        memcpy(file, SIGNATURE, sizeof SIGNATURE);
        uint8_t *chunk = file + sizeof SIGNATURE;
        store_be32(chunk + 8, (uint32_t)image->width);
        store_be32(chunk + 12, (uint32_t)image->height);
        chunk[16] = 8;
        chunk[17] = colors[image->channels];
        chunk     = chunk_close(chunk, "IHDR", 13);
        memcpy(chunk + 8, packed, packed_size);
        chunk = chunk_close(chunk, "IDAT", packed_size);
        chunk = chunk_close(chunk, "IEND", 0);
        *out  = file;
        *size = (size_t)(chunk - file);
    }
    memory_free(packed);
    memory_free(raw);
    return file != NULL;
}
