/* image/jpeg_scan.c - the entropy-coded data of one scan, sequential or progressive.
 *
 * Each block decoder reads one block of one component and returns false for a code that cannot be.
 * Source: ITU-T T.81, annexes F.2 (sequential) and G.2 (progressive). */
#include "jpeg.h"

#include <string.h>

enum { FAST_BITS = 9 };

/* ---- Huffman tables -------------------------------------------------------------------------- */

bool jpeg_huffman_make(HuffmanTable *table, const HuffmanSpec *spec, bool is_dc)
{
    HuffmanTable made = {.known = true};
    uint32_t     code = 0;
    int          at   = 0;
    for (int length = 1; length <= 16; length++, code <<= 1) {
        made.offset[length] = at - (int32_t)code;
        for (int i = 0; i < spec->counts[length - 1]; i++, at++, code++) {
            if (at == 256 || (is_dc && spec->symbols[at] > 15))
                return false;
            if (length > FAST_BITS)
                continue;
            for (uint32_t k = 0; k < 1u << (FAST_BITS - length); k++) {
                uint32_t index = (code << (FAST_BITS - length)) + k;
                if (index < 1 << FAST_BITS)
                    made.fast[index] = (uint16_t)(length << 8 | spec->symbols[at]);
            }
        }
        // The code of only ones is reserved, so the next code must still have `length` bits.
        if (spec->counts[length - 1] && code >= 1u << length)
            return false;
        made.limit[length] = code << (16 - length);
    }
    made.limit[17] = UINT32_MAX;
    memcpy(made.symbols, spec->symbols, sizeof made.symbols);
    *table = made;
    return true;
}

/* ---- bits ------------------------------------------------------------------------------------ */

static inline uint64_t load_be64(const uint8_t *p)
{
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

static void refill_bytewise(BitReader *r)
{
    for (; r->bits <= 56; r->bits += 8) {
        const uint8_t *p     = r->next;
        uint64_t       value = 0;
        while (p < r->end &&
               *p == 0xFF) // a stuffed zero, or a marker; more FF may come before both
            p++;
        if (p == r->end || (p > r->next && *p != 0)) {
            r->beyond++;
        } else {
            value   = p > r->next ? 0xFF : *p;
            r->next = p + 1;
        }
        r->window |= value << (56 - r->bits);
    }
}

// At least 32 valid bits: a code and the number behind it.
static inline void refill(BitReader *r)
{
    if (r->bits >= 32)
        return;
    if (r->end - r->next >= 8) {
        uint64_t word = load_be64(r->next);
        if (!((~word - 0x0101010101010101u) & word & 0x8080808080808080u)) { // no byte is FF
            int bytes = (64 - r->bits) >> 3;
            r->window |= word >> r->bits; // the bits of a last, partial byte are set again later
            r->next += bytes;
            r->bits += 8 * bytes;
            return;
        }
    }
    refill_bytewise(r);
}

// `count` is 1..16 and was refilled.
static inline int take(BitReader *r, int count)
{
    int value = (int)(r->window >> (64 - count));
    r->window <<= count;
    r->bits -= count;
    return value;
}

static inline int take_bit(BitReader *r)
{
    refill(r);
    return take(r, 1);
}

// The next symbol, or -1.
static inline int symbol_next(BitReader *r, const HuffmanTable *table)
{
    refill(r);
    uint32_t entry = table->fast[r->window >> (64 - FAST_BITS)];
    if (entry) {
        take(r, (int)(entry >> 8));
        return (int)(entry & 255);
    }
    uint32_t next   = (uint32_t)(r->window >> 48);
    int      length = FAST_BITS + 1;
    while (next >= table->limit[length])
        length++;
    if (length > 16)
        return -1;
    return table->symbols[take(r, length) + table->offset[length]];
}

// A number of `size` bits, 0..15, in the standard's signed form (T.81, F.2.2.1). Refilled before.
static inline int signed_next(BitReader *r, int size)
{
    if (size == 0)
        return 0;
    int value = take(r, size);
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static inline bool dc_next(Jpeg *jpeg, JpegComponent *component)
{
    int size = symbol_next(&jpeg->reader, &jpeg->dc[component->dc_table]);
    if (size < 0)
        return false;
    component->last_dc += (uint32_t)signed_next(&jpeg->reader, size);
    return true;
}

static bool block_sequential(Jpeg *jpeg, JpegComponent *component, int16_t *block)
{
    BitReader          *r  = &jpeg->reader;
    const HuffmanTable *ac = &jpeg->ac[component->ac_table];
    if (!dc_next(jpeg, component))
        return false;
    block[0] = (int16_t)component->last_dc;
    for (int k = 1; k < 64; k++) {
        int symbol = symbol_next(r, ac);
        if (symbol < 0)
            return false;
        int run = symbol >> 4, size = symbol & 15;
        if (size == 0 && run < 15) // end of block
            return true;
        k += run;
        if (size == 0)
            continue;
        if (k > 63)
            return false;
        block[jpeg_zigzag[k]] = (int16_t)signed_next(r, size);
    }
    return true;
}

static bool block_dc_first(Jpeg *jpeg, JpegComponent *component, int16_t *block)
{
    if (!dc_next(jpeg, component))
        return false;
    block[0] = (int16_t)(component->last_dc << jpeg->bit_low);
    return true;
}

static bool block_dc_refine(Jpeg *jpeg, JpegComponent *component, int16_t *block)
{
    (void)component;
    if (take_bit(&jpeg->reader))
        block[0] = (int16_t)(block[0] | 1 << jpeg->bit_low);
    return true;
}

// The number of blocks whose bands end here, from symbol run << 4: 2^run and `run` more bits.
static inline uint32_t end_run_next(BitReader *r, int run)
{
    uint32_t count = 1u << run;
    return run ? count + (uint32_t)take(r, run) : count;
}

static bool block_ac_first(Jpeg *jpeg, JpegComponent *component, int16_t *block)
{
    BitReader          *r  = &jpeg->reader;
    const HuffmanTable *ac = &jpeg->ac[component->ac_table];
    if (jpeg->end_run > 0) {
        jpeg->end_run--;
        return true;
    }
    for (int k = jpeg->band_first; k <= jpeg->band_last; k++) {
        int symbol = symbol_next(r, ac);
        if (symbol < 0)
            return false;
        int run = symbol >> 4, size = symbol & 15;
        if (size == 0 && run < 15) {
            jpeg->end_run = end_run_next(r, run) - 1;
            return true;
        }
        k += run;
        if (size == 0)
            continue;
        if (k > jpeg->band_last)
            return false;
        block[jpeg_zigzag[k]] = (int16_t)(signed_next(r, size) * (1 << jpeg->bit_low));
    }
    return true;
}

// One more bit of a coefficient that is not zero: its magnitude grows if the bit is set.
static inline void coef_refine(BitReader *r, int16_t *coef, int bit)
{
    if (take_bit(r) && !(*coef & bit))
        *coef = (int16_t)(*coef < 0 ? *coef - bit : *coef + bit);
}

// Most blocks of a long run have no detail at all, which is seen faster than 63 zeros.
static bool block_is_flat(const int16_t block[64])
{
    uint64_t any = 0, words[16];
    memcpy(words, block, sizeof words);
    words[0] = 0; // the mean and three neighbours, looked at one by one
    for (int i = 0; i < 16; i++)
        any |= words[i];
    return !(any | (uint64_t)(block[1] | block[2] | block[3]));
}

static bool block_ac_refine(Jpeg *jpeg, JpegComponent *component, int16_t *block)
{
    BitReader          *r   = &jpeg->reader;
    const HuffmanTable *ac  = &jpeg->ac[component->ac_table];
    int                 bit = 1 << jpeg->bit_low, k = jpeg->band_first, last = jpeg->band_last;
    for (; jpeg->end_run == 0 && k <= last; k++) {
        int symbol = symbol_next(r, ac), value = 0;
        if (symbol < 0 || (symbol & 15) > 1)
            return false;
        int run = symbol >> 4;
        if (symbol & 15) {
            value = take_bit(r) ? bit : -bit;
        } else if (run < 15) {
            jpeg->end_run = end_run_next(r, run);
            break;
        }
        // Pass `run` zeros, refining what lies between; the next zero takes the new value.
        for (; k <= last; k++) {
            int16_t *coef = block + jpeg_zigzag[k];
            if (*coef)
                coef_refine(r, coef, bit);
            else if (run-- == 0)
                break;
        }
        if (value) {
            if (k > last)
                return false;
            block[jpeg_zigzag[k]] = (int16_t)value;
        }
    }
    if (jpeg->end_run > 0) {
        bool flat = block_is_flat(block);
        for (; !flat && k <= last; k++)
            if (block[jpeg_zigzag[k]])
                coef_refine(r, block + jpeg_zigzag[k], bit);
        jpeg->end_run--;
    }
    return true;
}

/* ---- scans ----------------------------------------------------------------------------------- */

typedef bool BlockDecoder(Jpeg *jpeg, JpegComponent *component, int16_t *block);

static BlockDecoder *block_decoder(const Jpeg *jpeg)
{
    if (!jpeg->progressive)
        return block_sequential;
    if (jpeg->band_first == 0)
        return jpeg->bit_high ? block_dc_refine : block_dc_first;
    return jpeg->bit_high ? block_ac_refine : block_ac_first;
}

static bool block_at(Jpeg *jpeg, BlockDecoder *decode, JpegComponent *component, int x, int y)
{
    size_t index = (size_t)y * (size_t)component->padded_wide + (size_t)x;
    if (component->coefs)
        return decode(jpeg, component, component->coefs + 64 * index);
    int16_t block[64] = {0};
    if (!decode(jpeg, component, block))
        return false;
    jpeg_block_put(component, block, x, y);
    return true;
}

static bool mcu_at(Jpeg *jpeg, BlockDecoder *decode, int mcu_x, int mcu_y)
{
    if (jpeg->scan_count == 1)
        return block_at(jpeg, decode, jpeg->scan_components[0], mcu_x, mcu_y);
    for (int i = 0; i < jpeg->scan_count; i++) {
        JpegComponent *component = jpeg->scan_components[i];
        for (int y = 0; y < component->v; y++)
            for (int x = 0; x < component->h; x++)
                if (!block_at(jpeg, decode, component, mcu_x * component->h + x,
                              mcu_y * component->v + y))
                    return false;
    }
    return true;
}

static void segment_start(Jpeg *jpeg)
{
    for (int i = 0; i < jpeg->scan_count; i++)
        jpeg->scan_components[i]->last_dc = 0;
    jpeg->end_run       = 0;
    jpeg->reader.window = 0;
    jpeg->reader.bits   = 0;
    jpeg->reader.beyond = 0;
}

// Moves to the next marker, stepping over whatever precedes it; 0 at the end of the data.
static int marker_seek(BitReader *r)
{
    while (r->end - r->next >= 2) {
        if (r->next[0] == 0xFF && r->next[1] != 0 && r->next[1] != 0xFF)
            return r->next[1];
        r->next++;
    }
    return 0;
}

static bool restart(Jpeg *jpeg, int expected, Error *error)
{
    int marker = marker_seek(&jpeg->reader);
    if (marker != MARKER_RST0 + expected)
        return fail(error, ERROR_DATA, "%s: scan %d has marker %02x, expected restart %d",
                    jpeg->name, jpeg->scans, marker, expected);
    jpeg->reader.next += 2;
    segment_start(jpeg);
    return true;
}

bool jpeg_scan_decode(Jpeg *jpeg, const uint8_t *data, size_t size, size_t *at, Error *error)
{
    const JpegComponent *only     = jpeg->scan_components[0];
    bool                 single   = jpeg->scan_count == 1;
    int                  wide     = single ? only->blocks_wide : jpeg->mcus_wide;
    int                  high     = single ? only->blocks_high : jpeg->mcus_high;
    BlockDecoder        *decode   = block_decoder(jpeg);
    BitReader           *r        = &jpeg->reader;
    int                  left     = jpeg->restart_interval; // MCUs before the next restart marker
    int                  restarts = 0;
    r->next                       = data + *at;
    r->end                        = data + size;
    segment_start(jpeg);
    for (int y = 0; y < high; y++) {
        if (!decode_clock_goes_on(&jpeg->clock, wide))
            return fail(error, ERROR_DATA, "%s: scan %d goes over the limit of %g s of CPU",
                        jpeg->name, jpeg->scans, image_limits().seconds);
        for (int x = 0; x < wide; x++) {
            if (jpeg->restart_interval && left-- == 0) {
                if (!restart(jpeg, restarts++ & 7, error))
                    return false;
                left = jpeg->restart_interval - 1;
            }
            bool decoded = mcu_at(jpeg, decode, x, y);
            if (r->beyond * 8 > (size_t)r->bits)
                return fail(error, ERROR_DATA, "%s: scan %d ends at unit %d, %d of %d x %d",
                            jpeg->name, jpeg->scans, x, y, wide, high);
            if (!decoded)
                return fail(error, ERROR_DATA, "%s: scan %d has an impossible code at unit %d, %d",
                            jpeg->name, jpeg->scans, x, y);
        }
        if (!only->coefs) // then the scan has all components, and y counts rows of MCUs
            jpeg_rows_make(jpeg, y);
    }
    marker_seek(r);
    *at = (size_t)(r->next - data);
    return true;
}
