/* image/jpeg_decode.c - the segments of a JPEG file, and the order in which it is decoded.
 *
 * Segments are read until the picture is complete: behind the only scan of a sequential file, else
 * at the end marker. A single sequential scan becomes rows of pixels while it is read; otherwise
 * all coefficients, two bytes each, are kept until the last scan. Sizes, scans and total work are
 * checked before anything is allocated or decoded. A file whose data ends before its last block is
 * refused.
 * An incomplete progressive file with an end marker shows what it has; libjpeg would smooth it.
 * Source: ITU-T T.81, annex B; JFIF 1.02; Exif 2.3 (orientation); Adobe TN 5116 (APP14). */
#include "jpeg.h"

#include <string.h>

enum {
    LIMIT_SCANS = 100,
    LIMIT_WORK  = 40 // coefficient visits per coefficient of the picture
};

typedef struct Segment {
    int            marker;
    const uint8_t *data; // behind the length field
    size_t         size;
} Segment;

static int load_be16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* ---- tables and small segments --------------------------------------------------------------- */

static bool quantization_read(Jpeg *jpeg, const Segment *segment, Error *error)
{
    for (size_t at = 0; at < segment->size;) {
        int    slot = segment->data[at] & 15, wide = segment->data[at] >> 4;
        size_t bytes = wide ? 128 : 64;
        at++;
        if (slot > 3 || wide > 1 || segment->size - at < bytes)
            return fail(error, ERROR_DATA, "%s: quantization table %d is cut short or unknown",
                        jpeg->name, slot);
        for (size_t k = 0; k < 64; k++) {
            const uint8_t *p                   = segment->data + at + k * (bytes / 64);
            jpeg->quants[slot][jpeg_zigzag[k]] = (uint16_t)(wide ? load_be16(p) : *p);
        }
        jpeg->has_quants[slot] = true;
        at += bytes;
    }
    return true;
}

static bool huffman_read(Jpeg *jpeg, const Segment *segment, Error *error)
{
    for (size_t at = 0; at < segment->size;) {
        HuffmanSpec spec = {{0}, {0}};
        int         slot = segment->data[at] & 15, is_ac = segment->data[at] >> 4;
        size_t      count = 0;
        at++;
        if (slot > 3 || is_ac > 1 || segment->size - at < sizeof spec.counts)
            return fail(error, ERROR_DATA, "%s: Huffman table %d is cut short or unknown",
                        jpeg->name, slot);
        memcpy(spec.counts, segment->data + at, sizeof spec.counts);
        at += sizeof spec.counts;
        for (size_t i = 0; i < sizeof spec.counts; i++)
            count += spec.counts[i];
        if (count > 256 || segment->size - at < count)
            return fail(error, ERROR_DATA, "%s: Huffman table %d has %zu codes, %zu bytes are left",
                        jpeg->name, slot, count, segment->size - at);
        memcpy(spec.symbols, segment->data + at, count);
        at += count;
        if (!jpeg_huffman_make(is_ac ? &jpeg->ac[slot] : &jpeg->dc[slot], &spec, !is_ac))
            return fail(error, ERROR_DATA, "%s: Huffman table %d is no prefix code", jpeg->name,
                        slot);
    }
    return true;
}

static bool restart_read(Jpeg *jpeg, const Segment *segment, Error *error)
{
    if (segment->size != 2)
        return fail(error, ERROR_DATA, "%s: restart interval has %zu bytes, expected 2", jpeg->name,
                    segment->size);
    jpeg->restart_interval = load_be16(segment->data);
    return true;
}

// EXIF orientation: tag 0x0112 of the first directory. Anything odd counts as absent.
static int exif_orientation(const uint8_t *tiff, size_t size)
{
    if (size < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
        return 1;
    bool     big    = tiff[0] == 'M';
    uint32_t offset = big ? (uint32_t)load_be16(tiff + 4) << 16 | (uint32_t)load_be16(tiff + 6)
                          : (uint32_t)tiff[4] | (uint32_t)tiff[5] << 8 | (uint32_t)tiff[6] << 16 |
                                (uint32_t)tiff[7] << 24;
    if (offset > size - 2)
        return 1;
    const uint8_t *entry = tiff + offset + 2;
    int            count = big ? load_be16(entry - 2) : entry[-2] | entry[-1] << 8;
    for (size_t left = (size - 2 - offset) / 12; count > 0 && left > 0;
         count--, left--, entry += 12) {
        int tag   = big ? load_be16(entry) : entry[0] | entry[1] << 8;
        int kind  = big ? load_be16(entry + 2) : entry[2] | entry[3] << 8;
        int value = big ? load_be16(entry + 8) : entry[8] | entry[9] << 8;
        if (tag == 0x0112)
            return kind == 3 && value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

static void application_read(Jpeg *jpeg, const Segment *segment)
{
    const uint8_t *p = segment->data;
    if (segment->marker == MARKER_APP0 && segment->size >= 14 && !memcmp(p, "JFIF\0", 5))
        jpeg->has_jfif = true;
    if (segment->marker == MARKER_APP0 + 1 && segment->size >= 6 && !memcmp(p, "Exif\0\0", 6) &&
        jpeg->orientation == 1)
        jpeg->orientation = exif_orientation(p + 6, segment->size - 6);
    if (segment->marker == MARKER_APP0 + 14 && segment->size >= 12 && !memcmp(p, "Adobe", 5)) {
        jpeg->has_adobe       = true;
        jpeg->adobe_transform = p[11];
    }
}

/* ---- frame ----------------------------------------------------------------------------------- */

static bool frame_read(Jpeg *jpeg, const Segment *segment, size_t bytes_left, Error *error)
{
    const uint8_t *p = segment->data;
    if (jpeg->has_frame)
        return fail(error, ERROR_DATA, "%s: has two frame headers", jpeg->name);
    if (segment->size < 6 || segment->size != 6 + 3 * (size_t)p[5])
        return fail(error, ERROR_DATA, "%s: frame header has %zu bytes, which is wrong", jpeg->name,
                    segment->size);
    if (p[0] != 8)
        return fail(error, ERROR_DATA, "%s: samples have %d bits, only 8 are supported", jpeg->name,
                    p[0]);
    jpeg->height          = load_be16(p + 1);
    jpeg->width           = load_be16(p + 3);
    jpeg->component_count = p[5];
    jpeg->progressive     = segment->marker == MARKER_SOF2;
    if (!image_size_check(jpeg->name, jpeg->width, jpeg->height, ERROR_DATA, error))
        return false;
    if (p[5] != 1 && p[5] != 3 && p[5] != 4)
        return fail(error, ERROR_DATA, "%s: has %d components, expected 1, 3 or 4", jpeg->name,
                    p[5]);
    for (int i = 0; i < jpeg->component_count; i++) {
        JpegComponent *c = &jpeg->components[i];
        c->id            = p[6 + 3 * i];
        c->h             = p[7 + 3 * i] >> 4;
        c->v             = p[7 + 3 * i] & 15;
        c->quant_index   = p[8 + 3 * i];
        if (c->h < 1 || c->h > 4 || c->v < 1 || c->v > 4 || c->quant_index > 3)
            return fail(error, ERROR_DATA, "%s: component %d has sampling %dx%d and table %d",
                        jpeg->name, i, c->h, c->v, c->quant_index);
        if (jpeg->component_count == 1) // whatever is said: one block is an MCU
            c->h = c->v = 1;
        jpeg->max_h = c->h > jpeg->max_h ? c->h : jpeg->max_h;
        jpeg->max_v = c->v > jpeg->max_v ? c->v : jpeg->max_v;
    }
    jpeg->mcus_wide = ceil_div(jpeg->width, 8 * jpeg->max_h);
    jpeg->mcus_high = ceil_div(jpeg->height, 8 * jpeg->max_v);
    size_t blocks   = 0;
    for (int i = 0; i < jpeg->component_count; i++) {
        JpegComponent *c = &jpeg->components[i];
        if (jpeg->max_h % c->h || jpeg->max_v % c->v)
            return fail(error, ERROR_DATA, "%s: sampling %dx%d does not divide %dx%d", jpeg->name,
                        c->h, c->v, jpeg->max_h, jpeg->max_v);
        c->width       = ceil_div(jpeg->width * c->h, jpeg->max_h);
        c->height      = ceil_div(jpeg->height * c->v, jpeg->max_v);
        c->blocks_wide = ceil_div(c->width, 8);
        c->blocks_high = ceil_div(c->height, 8);
        c->padded_wide = jpeg->mcus_wide * c->h;
        c->padded_high = jpeg->mcus_high * c->v;
        blocks += (size_t)c->blocks_wide * (size_t)c->blocks_high;
    }
    // A block takes at least one bit, so a small file cannot claim a large picture.
    if (blocks / 8 > bytes_left)
        return fail(error, ERROR_DATA, "%s: %zu bytes cannot hold %dx%d pixels", jpeg->name,
                    bytes_left, jpeg->width, jpeg->height);
    jpeg->has_frame = true;
    return true;
}

static bool coefs_prepare(Jpeg *jpeg, Error *error)
{
    for (int i = 0; i < jpeg->component_count; i++) {
        JpegComponent *c = &jpeg->components[i];
        c->coefs         = memory_new((size_t)c->padded_wide * (size_t)c->padded_high,
                                      64 * sizeof *c->coefs, error);
        if (!c->coefs)
            return false;
    }
    return true;
}

/* ---- scans ----------------------------------------------------------------------------------- */

static bool scan_components_read(Jpeg *jpeg, const Segment *segment, Error *error)
{
    const uint8_t *p      = segment->data;
    int            blocks = 0; // in an MCU
    jpeg->scan_count      = 0;
    for (int i = 0; i < p[0]; i++) {
        JpegComponent *found = NULL;
        for (int c = 0; c < jpeg->component_count && !found; c++) {
            found = jpeg->components[c].id == p[1 + 2 * i] ? &jpeg->components[c] : NULL;
            for (int s = 0; found && s < jpeg->scan_count; s++)
                found = jpeg->scan_components[s] == found ? NULL : found;
        }
        if (!found)
            return fail(error, ERROR_DATA, "%s: scan %d names unknown component %d", jpeg->name,
                        jpeg->scans, p[1 + 2 * i]);
        found->dc_table = p[2 + 2 * i] >> 4;
        found->ac_table = p[2 + 2 * i] & 15;
        if (found->dc_table > 3 || found->ac_table > 3)
            return fail(error, ERROR_DATA, "%s: scan %d names Huffman tables %d and %d", jpeg->name,
                        jpeg->scans, found->dc_table, found->ac_table);
        jpeg->scan_components[jpeg->scan_count++] = found;
        blocks += found->h * found->v;
    }
    if (jpeg->scan_count > 1 && blocks > JPEG_BLOCKS_IN_MCU)
        return fail(error, ERROR_DATA,
                    "%s: scan %d has %d blocks in a unit, at most %d are allowed", jpeg->name,
                    jpeg->scans, blocks, JPEG_BLOCKS_IN_MCU);
    return true;
}

static bool scan_band_read(Jpeg *jpeg, const uint8_t *p, Error *error)
{
    jpeg->band_first = 0;
    jpeg->band_last  = 63;
    jpeg->bit_high = jpeg->bit_low = 0;
    if (!jpeg->progressive)
        return true;
    jpeg->band_first = p[0];
    jpeg->band_last  = p[1];
    jpeg->bit_high   = p[2] >> 4;
    jpeg->bit_low    = p[2] & 15;
    bool band_fine   = jpeg->band_first == 0 ? jpeg->band_last == 0
                                             : jpeg->band_first <= jpeg->band_last &&
                                                 jpeg->band_last <= 63 && jpeg->scan_count == 1;
    bool bits_fine =
        jpeg->bit_low <= 13 && (!jpeg->bit_high || jpeg->bit_low == jpeg->bit_high - 1);
    if (!band_fine || !bits_fine)
        return fail(error, ERROR_DATA, "%s: scan %d has impossible band %d-%d, bits %d-%d",
                    jpeg->name, jpeg->scans, p[0], p[1], jpeg->bit_high, jpeg->bit_low);
    return true;
}

// Counts the work of the scan and makes sure that the tables it uses are there.
static bool scan_check(Jpeg *jpeg, Error *error)
{
    uint64_t blocks = 0, total = 0;
    for (int i = 0; i < jpeg->component_count; i++)
        total +=
            (uint64_t)jpeg->components[i].padded_wide * (uint64_t)jpeg->components[i].padded_high;
    for (int i = 0; i < jpeg->scan_count; i++) {
        JpegComponent *c = jpeg->scan_components[i];
        blocks += (uint64_t)c->padded_wide * (uint64_t)c->padded_high;
        if (!c->has_quant) { // a component keeps the table that is valid when it first appears
            if (!jpeg->has_quants[c->quant_index])
                return fail(error, ERROR_DATA, "%s: scan %d needs quantization table %d",
                            jpeg->name, jpeg->scans, c->quant_index);
            memcpy(c->quant, jpeg->quants[c->quant_index], sizeof c->quant);
            c->has_quant = true;
        }
        bool needs_dc = jpeg->band_first == 0 && jpeg->bit_high == 0,
             needs_ac = jpeg->band_last > 0;
        if ((needs_dc && !jpeg->dc[c->dc_table].known) ||
            (needs_ac && !jpeg->ac[c->ac_table].known))
            return fail(error, ERROR_DATA, "%s: scan %d needs Huffman tables %d and %d", jpeg->name,
                        jpeg->scans, c->dc_table, c->ac_table);
    }
    jpeg->work += blocks * (uint64_t)(jpeg->band_last - jpeg->band_first + 1);
    if (jpeg->work > total * 64 * LIMIT_WORK)
        return fail(error, ERROR_DATA, "%s: scan %d takes the work over %d visits per coefficient",
                    jpeg->name, jpeg->scans, LIMIT_WORK);
    return true;
}

// One scan. *complete is set when a sequential file has shown all of its components at once.
static bool scan_read(Jpeg *jpeg, const Segment *segment, const uint8_t *data, size_t size,
                      size_t *at, bool *complete, Error *error)
{
    if (!jpeg->has_frame)
        return fail(error, ERROR_DATA, "%s: has a scan before the frame header", jpeg->name);
    if (segment->size < 1 || segment->data[0] < 1 || segment->data[0] > JPEG_COMPONENTS ||
        segment->size != 4 + 2 * (size_t)segment->data[0])
        return fail(error, ERROR_DATA, "%s: scan header has %zu bytes, which is wrong", jpeg->name,
                    segment->size);
    if (++jpeg->scans > LIMIT_SCANS)
        return fail(error, ERROR_DATA, "%s: has more than %d scans", jpeg->name, LIMIT_SCANS);
    if (!scan_components_read(jpeg, segment, error) ||
        !scan_band_read(jpeg, segment->data + segment->size - 3, error) || !scan_check(jpeg, error))
        return false;
    *complete = jpeg->scans == 1 && !jpeg->progressive && jpeg->scan_count == jpeg->component_count;
    if (jpeg->scans == 1 &&
        !(*complete ? jpeg_rows_start(jpeg, error) : coefs_prepare(jpeg, error)))
        return false;
    return jpeg_scan_decode(jpeg, data, size, at, error);
}

/* ---- file ------------------------------------------------------------------------------------ */

// The next segment. Stray bytes between segments are stepped over, as libjpeg does.
static bool segment_next(const Jpeg *jpeg, const uint8_t *data, size_t size, size_t *at,
                         Segment *segment, Error *error)
{
    while (size - *at >= 2 && (data[*at] != 0xFF || data[*at + 1] == 0 || data[*at + 1] == 0xFF))
        ++*at;
    if (size - *at < 2)
        return fail(error, ERROR_DATA, "%s: file ends at byte %zu, before the end of the picture",
                    jpeg->name, size);
    *segment = (Segment){.marker = data[*at + 1]};
    *at += 2;
    if (segment->marker == 0x01 ||
        (segment->marker >= MARKER_RST0 && segment->marker <= MARKER_EOI))
        return true; // markers without content
    size_t length = size - *at >= 2 ? (size_t)load_be16(data + *at) : 0;
    if (length < 2 || length > size - *at)
        return fail(error, ERROR_DATA, "%s: segment %02x at byte %zu has a wrong length",
                    jpeg->name, segment->marker, *at - 2);
    segment->data = data + *at + 2;
    segment->size = length - 2;
    *at += length;
    return true;
}

static bool segments_read(Jpeg *jpeg, const uint8_t *data, size_t size, Error *error)
{
    if (size < 2 || data[0] != 0xFF || data[1] != MARKER_SOI)
        return fail(error, ERROR_DATA, "%s: does not start as a JPEG file", jpeg->name);
    size_t at       = 2;
    bool   complete = false;
    while (!complete) {
        Segment segment = {0};
        bool    fine    = true;
        if (!segment_next(jpeg, data, size, &at, &segment, error))
            return false;
        switch (segment.marker) {
        case MARKER_SOF0:
        case MARKER_SOF1:
        case MARKER_SOF2:
            fine = frame_read(jpeg, &segment, size - at, error);
            break;
        case MARKER_DQT:
            fine = quantization_read(jpeg, &segment, error);
            break;
        case MARKER_DHT:
            fine = huffman_read(jpeg, &segment, error);
            break;
        case MARKER_DRI:
            fine = restart_read(jpeg, &segment, error);
            break;
        case MARKER_SOS:
            fine = scan_read(jpeg, &segment, data, size, &at, &complete, error);
            break;
        case MARKER_EOI:
            complete = true;
            break;
        default:
            if ((segment.marker > MARKER_SOF2 && segment.marker <= 0xCF) ||
                segment.marker == MARKER_SOI)
                return fail(error, ERROR_DATA,
                            "%s: marker %02x: only one sequential or progressive picture with "
                            "Huffman coding is supported",
                            jpeg->name, segment.marker);
            application_read(jpeg, &segment);
        }
        if (!fine)
            return false;
    }
    for (int i = 0; i < jpeg->component_count; i++)
        if (!jpeg->components[i].has_quant)
            return fail(error, ERROR_DATA, "%s: component %d is in no scan", jpeg->name, i);
    if (!jpeg->has_frame)
        return fail(error, ERROR_DATA, "%s: has no picture", jpeg->name);
    return true;
}

static bool rows_from_coefs(Jpeg *jpeg, Error *error)
{
    if (!jpeg_rows_start(jpeg, error))
        return false;
    for (int row = 0; row < jpeg->mcus_high; row++) {
        for (int i = 0; i < jpeg->component_count; i++) {
            const JpegComponent *c = &jpeg->components[i];
            const int16_t *coefs   = c->coefs + (size_t)row * (size_t)(c->v * c->padded_wide) * 64;
            for (int y = row * c->v; y < (row + 1) * c->v; y++)
                for (int x = 0; x < c->padded_wide; x++, coefs += 64)
                    jpeg_block_put(c, coefs, x, y);
        }
        jpeg_rows_make(jpeg, row);
    }
    return true;
}

bool jpeg_decode(const uint8_t *data, size_t size, const char *name, Image *out, Error *error)
{
    Jpeg *jpeg = memory_new(1, sizeof *jpeg, error);
    if (!jpeg)
        return false;
    jpeg->name        = name;
    jpeg->orientation = 1;
    jpeg->clock       = decode_clock_start();
    for (int i = 0; i < 2; i++) { // motion JPEG leaves the tables out
        jpeg_huffman_make(&jpeg->dc[i], &jpeg_huffman[i][0], true);
        jpeg_huffman_make(&jpeg->ac[i], &jpeg_huffman[i][1], false);
    }
    bool done =
        segments_read(jpeg, data, size, error) && (jpeg->pixels || rows_from_coefs(jpeg, error));
    if (done)
        *out = (Image){.width       = jpeg->width,
                       .height      = jpeg->height,
                       .channels    = jpeg->component_count,
                       .is_cmyk     = jpeg->component_count == 4,
                       .orientation = jpeg->orientation,
                       .pixels      = jpeg->pixels};
    else
        memory_free(jpeg->pixels);
    for (int i = 0; i < JPEG_COMPONENTS; i++) {
        memory_free(jpeg->components[i].coefs);
        memory_free(jpeg->components[i].ring);
    }
    memory_free(jpeg->lines);
    memory_free(jpeg->sums);
    memory_free(jpeg);
    return done;
}
