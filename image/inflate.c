/* image/inflate.c - zlib and deflate data to bytes.
 *
 * Codes are looked up in two levels: a root table over the first bits of the input, and sub-tables
 * for the few codes that are longer. The input is read through a 64-bit window; past its end the
 * window continues with zero bits, which are counted, so that no look-ahead needs a bounds check.
 * The output goes through a buffer that keeps the 32 KiB which later bytes may refer to.
 * Source: RFC 1950 (zlib), RFC 1951 (deflate). */
#include "limits.h"
#include "zlib.h"

#include <string.h>

enum {
    CODE_BITS_MAX    = 15,
    LITERAL_ROOT     = 10,
    DISTANCE_ROOT    = 8,
    LITERAL_SYMBOLS  = 288,
    DISTANCE_SYMBOLS = 32,
    LENGTH_SYMBOLS   = 19,
    HISTORY          = 1 << 15, // longest distance
    BUFFER           = HISTORY + (1 << 16),
    // A complete sub-table of 2^k entries holds at least k + 1 codes, which bounds their sum.
    LITERAL_ENTRIES  = (1 << LITERAL_ROOT) + LITERAL_SYMBOLS * 32 / 6,
    DISTANCE_ENTRIES = (1 << DISTANCE_ROOT) + DISTANCE_SYMBOLS * 128 / 8
};

/* An entry: bits 0-7 code length, 8-11 extra bits (sub-table: its index bits), 12-15 kind,
 * 16-31 value. */
enum { KIND_LITERAL, KIND_BASE, KIND_END, KIND_LINK, KIND_BAD };
#define ENTRY(kind, value, extra)                                                                  \
    ((uint32_t)(value) << 16 | (uint32_t)(kind) << 12 | (uint32_t)(extra) << 8)
#define ENTRY_KIND(entry)  ((entry) >> 12 & 15)
#define ENTRY_EXTRA(entry) ((entry) >> 8 & 15)
#define ENTRY_VALUE(entry) ((entry) >> 16)

const uint16_t zlib_length_base[29]   = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                         15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                         67, 83, 99, 115, 131, 163, 195, 227, 258};
const uint8_t  zlib_length_extra[29]  = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
const uint16_t zlib_distance_base[30] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
const uint8_t zlib_distance_extra[30] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                         6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
const uint8_t zlib_length_order[19]   = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                         11, 4,  12, 3, 13, 2, 14, 1, 15};

typedef struct Inflate {
    const uint8_t *next, *end; // input
    uint64_t       window;     // the next bits, lowest first
    int            bits;       // valid bits in window
    size_t         beyond;     // zero bytes supplied past the end of the input
    bool           is_fixed;   // the tables are those of the fixed code
    uint32_t       literals[LITERAL_ENTRIES];
    uint32_t       distances[DISTANCE_ENTRIES];
    // output
    uint8_t     *fresh, *out, *limit; // in buffer: not yet given away, next byte, end of room
    size_t       wanted;              // bytes that are to come behind `limit`
    uint32_t     adler;
    InflateSink *sink;
    void        *self;
    uint8_t      buffer[BUFFER];
} Inflate;

/* ---- bits ------------------------------------------------------------------------------------ */

static inline uint64_t load_le64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

// At least 56 valid bits: enough for one length code, its extra bits, a distance and its own.
static inline void refill(Inflate *z)
{
    if (z->end - z->next >= 8) {
        z->window |= load_le64(z->next) << z->bits;
        z->next += (63 - z->bits) >> 3;
        z->bits |= 56;
        return;
    }
    for (; z->bits <= 56; z->bits += 8) {
        if (z->next < z->end)
            z->window |= (uint64_t)*z->next++ << z->bits;
        else
            z->beyond++;
    }
}

static inline uint32_t take(Inflate *z, int count)
{
    uint32_t value = (uint32_t)(z->window & ((UINT64_C(1) << count) - 1));
    z->window >>= count;
    z->bits -= count;
    return value;
}

// True when more bits were used than the input has.
static inline bool ran_out(const Inflate *z)
{
    return z->beyond * 8 > (size_t)z->bits;
}

static inline uint32_t lookup(Inflate *z, const uint32_t *table, int root)
{
    uint32_t entry = table[z->window & ((1u << root) - 1)];
    if (ENTRY_KIND(entry) == KIND_LINK) {
        take(z, root);
        entry = table[ENTRY_VALUE(entry) + (z->window & ((1u << ENTRY_EXTRA(entry)) - 1))];
    }
    take(z, (int)(entry & 255));
    return entry;
}

/* ---- output ---------------------------------------------------------------------------------- */

static bool output_give(Inflate *z)
{
    size_t size = (size_t)(z->out - z->fresh);
    z->adler    = zlib_adler32(z->adler, z->fresh, size);
    bool fine   = z->sink(z->self, z->fresh, size);
    z->fresh    = z->out;
    return fine;
}

// For `size` bytes that do not fit: gives the others away and moves the history to the front.
static const char *room_make(Inflate *z, size_t size)
{
    size_t left = (size_t)(z->limit - z->out) + z->wanted;
    if (size > left)
        return "holds more bytes than expected";
    if (!output_give(z)) // the buffer was full to a match's length
        return "is not wanted";
    memmove(z->buffer, z->out - HISTORY, HISTORY);
    z->fresh = z->out = z->buffer + HISTORY;
    size_t room       = BUFFER - HISTORY < left ? BUFFER - HISTORY : left;
    z->limit          = z->out + room;
    z->wanted         = left - room;
    return NULL;
}

/* ---- code tables ----------------------------------------------------------------------------- */

static uint32_t reversed(uint32_t code, int length)
{
    uint32_t out = 0;
    for (int i = 0; i < length; i++)
        out |= (code >> i & 1) << (length - 1 - i);
    return out;
}

/* Fills `table` from code lengths; entries[symbol] is what a code stands for. False if the lengths
 * are not a prefix code that uses every bit pattern; a single one-bit code and, where
 * `may_be_empty`, no code at all are let through, as encoders write them for blocks without
 * matches. */
static bool table_build(uint32_t *table, int capacity, int root, const uint8_t *lengths, int count,
                        const uint32_t *entries, bool may_be_empty)
{
    int      per_length[CODE_BITS_MAX + 1] = {0};
    uint16_t sorted[LITERAL_SYMBOLS];
    int      offsets[CODE_BITS_MAX + 2] = {0};
    for (int i = 0; i < count; i++)
        per_length[lengths[i]]++;
    int used  = count - per_length[0];
    int space = 1; // unused patterns of the current length
    for (int length = 1; length <= CODE_BITS_MAX; length++) {
        space = space * 2 - per_length[length];
        if (space < 0)
            return false;
        offsets[length + 1] = offsets[length] + per_length[length];
    }
    bool lone = used == 1 && per_length[1] == 1;
    if (space > 0 && !lone && !(used == 0 && may_be_empty))
        return false;
    for (int i = 0; i < count; i++)
        if (lengths[i])
            sorted[offsets[lengths[i]]++] = (uint16_t)i;

    for (int i = 0; i < 1 << root; i++)
        table[i] = ENTRY(KIND_BAD, 0, 0) | 1;
    int      next = 1 << root, at = 0, sub_bits = 0, sub_start = 0;
    uint32_t code = 0, sub_prefix = UINT32_MAX;
    for (int length = 1; length <= CODE_BITS_MAX; length++, code <<= 1) {
        for (int i = 0; i < per_length[length]; i++, code++) {
            uint32_t entry = entries[sorted[at++]];
            uint32_t index = reversed(code, length);
            if (length <= root) {
                for (uint32_t k = index; k < 1u << root; k += 1u << length)
                    table[k] = entry | (uint32_t)length;
                continue;
            }
            uint32_t prefix = index & ((1u << root) - 1);
            if (prefix != sub_prefix) { // a new sub-table, as wide as the codes that must fit it
                int left = 1 << (length - root);
                for (sub_bits = length - root; sub_bits + root < CODE_BITS_MAX; sub_bits++) {
                    left -= sub_bits == length - root ? per_length[length] - i
                                                      : per_length[sub_bits + root];
                    if (left <= 0)
                        break;
                    left <<= 1;
                }
                sub_prefix = prefix;
                sub_start  = next;
                next += 1 << sub_bits;
                if (next > capacity)
                    return false;
                table[prefix] = ENTRY(KIND_LINK, sub_start, sub_bits);
            }
            for (uint32_t k = index >> root; k < 1u << sub_bits; k += 1u << (length - root))
                table[(uint32_t)sub_start + k] = entry | (uint32_t)(length - root);
        }
    }
    return true;
}

static void literal_entries(uint32_t entries[LITERAL_SYMBOLS])
{
    for (int i = 0; i < 256; i++)
        entries[i] = ENTRY(KIND_LITERAL, i, 0);
    entries[256] = ENTRY(KIND_END, 0, 0);
    for (int i = 257; i < LITERAL_SYMBOLS; i++)
        entries[i] = i < 286
                         ? ENTRY(KIND_BASE, zlib_length_base[i - 257], zlib_length_extra[i - 257])
                         : ENTRY(KIND_BAD, 0, 0);
}

static void distance_entries(uint32_t entries[DISTANCE_SYMBOLS])
{
    for (int i = 0; i < DISTANCE_SYMBOLS; i++)
        entries[i] = i < 30 ? ENTRY(KIND_BASE, zlib_distance_base[i], zlib_distance_extra[i])
                            : ENTRY(KIND_BAD, 0, 0);
}

static bool tables_build(Inflate *z, const uint8_t *lengths, int literal_count, int distance_count)
{
    uint32_t literals[LITERAL_SYMBOLS], distances[DISTANCE_SYMBOLS];
    literal_entries(literals);
    distance_entries(distances);
    return table_build(z->literals, LITERAL_ENTRIES, LITERAL_ROOT, lengths, literal_count, literals,
                       false) &&
           table_build(z->distances, DISTANCE_ENTRIES, DISTANCE_ROOT, lengths + literal_count,
                       distance_count, distances, true);
}

static void tables_fixed(Inflate *z)
{
    if (z->is_fixed)
        return;
    uint8_t lengths[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
    for (int i = 0; i < LITERAL_SYMBOLS; i++)
        lengths[i] = (uint8_t)(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
    memset(lengths + LITERAL_SYMBOLS, 5, DISTANCE_SYMBOLS);
    z->is_fixed = tables_build(z, lengths, LITERAL_SYMBOLS, DISTANCE_SYMBOLS);
}

static const char *tables_read(Inflate *z)
{
    uint8_t  lengths[LITERAL_SYMBOLS + DISTANCE_SYMBOLS] = {0};
    uint8_t  code_lengths[LENGTH_SYMBOLS]                = {0};
    uint32_t entries[LENGTH_SYMBOLS], table[1 << 7];
    z->is_fixed = false;
    refill(z);
    int literal_count  = 257 + (int)take(z, 5);
    int distance_count = 1 + (int)take(z, 5);
    int code_count     = 4 + (int)take(z, 4);
    if (literal_count > 286 || distance_count > 30)
        return "has a block with too many codes";
    for (int i = 0; i < code_count; i++) {
        refill(z);
        code_lengths[zlib_length_order[i]] = (uint8_t)take(z, 3);
    }
    for (int i = 0; i < LENGTH_SYMBOLS; i++)
        entries[i] = ENTRY(KIND_LITERAL, i, 0);
    if (!table_build(table, 1 << 7, 7, code_lengths, LENGTH_SYMBOLS, entries, false))
        return "has a block with an impossible code-length code";
    int total = literal_count + distance_count;
    for (int i = 0; i < total;) {
        refill(z);
        uint32_t entry = lookup(z, table, 7);
        if (ENTRY_KIND(entry) == KIND_BAD)
            return "has a block with an unused code";
        int symbol = (int)ENTRY_VALUE(entry);
        if (symbol < 16) {
            lengths[i++] = (uint8_t)symbol;
            continue;
        }
        if (symbol == 16 && i == 0)
            return "repeats a code length before the first";
        uint8_t value  = symbol == 16 ? lengths[i - 1] : 0;
        int     repeat = symbol == 16   ? 3 + (int)take(z, 2)
                         : symbol == 17 ? 3 + (int)take(z, 3)
                                        : 11 + (int)take(z, 7);
        if (repeat > total - i)
            return "has more code lengths than codes";
        memset(lengths + i, value, (size_t)repeat);
        i += repeat;
    }
    if (lengths[256] == 0)
        return "has a block without an end code";
    if (!tables_build(z, lengths, literal_count, distance_count))
        return "has a block whose codes overlap or leave gaps";
    return NULL;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static const char *block_stored(Inflate *z)
{
    take(z, z->bits & 7);
    refill(z);
    uint32_t size = take(z, 16), check = take(z, 16);
    if ((size ^ check) != 0xFFFF)
        return "has a stored block with a wrong length";
    // Give back the whole bytes that the window holds.
    size_t held = (size_t)z->bits / 8;
    if (held < z->beyond)
        return "ends too early";
    z->next -= held - z->beyond;
    z->window = 0;
    z->bits   = 0;
    z->beyond = 0;
    if ((size_t)(z->end - z->next) < size)
        return "ends too early";
    while (size > 0) {
        const char *broken = z->out == z->limit ? room_make(z, size) : NULL;
        size_t      part   = (size_t)(z->limit - z->out);
        part               = part < size ? part : size;
        if (broken)
            return broken;
        memcpy(z->out, z->next, part);
        z->out += part;
        z->next += part;
        size -= (uint32_t)part;
    }
    return NULL;
}

static inline void copy_match(uint8_t *out, const uint8_t *limit, size_t distance, size_t length)
{
    const uint8_t *from = out - distance;
    if (distance >= 8 && (size_t)(limit - out) >= length + 8) {
        for (size_t i = 0; i < length; i += 8)
            memcpy(out + i, from + i, 8);
    } else if (distance == 1) {
        memset(out, *from, length);
    } else {
        for (size_t i = 0; i < length; i++)
            out[i] = from[i];
    }
}

static const char *block_coded(Inflate *z)
{
    const char *broken;
    for (;;) {
        refill(z);
        uint32_t entry = lookup(z, z->literals, LITERAL_ROOT);
        if (ENTRY_KIND(entry) == KIND_LITERAL) {
            if (z->out == z->limit && (broken = room_make(z, 1)))
                return broken;
            *z->out++ = (uint8_t)ENTRY_VALUE(entry);
            // A second literal fits the bits that are left without another refill.
            entry = lookup(z, z->literals, LITERAL_ROOT);
            if (ENTRY_KIND(entry) == KIND_LITERAL) {
                if (z->out == z->limit && (broken = room_make(z, 1)))
                    return broken;
                *z->out++ = (uint8_t)ENTRY_VALUE(entry);
                continue;
            }
            refill(z);
        }
        if (ran_out(z))
            return "ends too early";
        if (ENTRY_KIND(entry) == KIND_END)
            return NULL;
        if (ENTRY_KIND(entry) == KIND_BAD)
            return "uses a code that stands for nothing";
        size_t   length = ENTRY_VALUE(entry) + take(z, (int)ENTRY_EXTRA(entry));
        uint32_t code   = lookup(z, z->distances, DISTANCE_ROOT);
        if (ENTRY_KIND(code) == KIND_BAD)
            return "uses a distance code that stands for nothing";
        size_t distance = ENTRY_VALUE(code) + take(z, (int)ENTRY_EXTRA(code));
        if (distance > (size_t)(z->out - z->buffer))
            return "refers to bytes before its start";
        if (length > (size_t)(z->limit - z->out) && (broken = room_make(z, length)))
            return broken;
        copy_match(z->out, z->limit, distance, length);
        z->out += length;
    }
}

static const char *inflate_blocks(Inflate *z)
{
    DecodeClock clock = decode_clock_start();
    for (bool last = false; !last;) {
        if (!decode_clock_goes_on(&clock, 1))
            return "takes more CPU time than one file may";
        refill(z);
        last               = take(z, 1);
        uint32_t    kind   = take(z, 2);
        const char *broken = NULL;
        if (kind == 0) {
            broken = block_stored(z);
        } else if (kind == 3) {
            broken = "has a block of an unknown kind";
        } else {
            if (kind == 1)
                tables_fixed(z);
            else
                broken = tables_read(z);
            if (!broken)
                broken = block_coded(z);
        }
        if (ran_out(z))
            return "ends too early";
        if (broken)
            return broken;
    }
    return NULL;
}

uint32_t zlib_adler32(uint32_t adler, const uint8_t *data, size_t size)
{
    uint32_t a = adler & 0xFFFF, b = adler >> 16;
    while (size) {
        size_t part = size < 5552 ? size : 5552; // the most that keeps b below 2^32
        for (size_t i = 0; i < part; i++) {
            a += data[i];
            b += a;
        }
        a %= 65521;
        b %= 65521;
        data += part;
        size -= part;
    }
    return b << 16 | a;
}

static bool stream_read(Inflate *z, const char *name, size_t size, Error *error)
{
    const char *broken = inflate_blocks(z);
    if (broken)
        return fail(error, ERROR_DATA, "%s: compressed data %s", name, broken);
    size_t missing = (size_t)(z->limit - z->out) + z->wanted;
    if (missing)
        return fail(error, ERROR_DATA, "%s: compressed data holds %zu bytes, expected %zu", name,
                    size - missing, size);
    if (!output_give(z))
        return false;
    take(z, z->bits & 7);
    uint32_t check = 0;
    for (int i = 0; i < 4; i++) {
        refill(z);
        check = check << 8 | take(z, 8);
    }
    if (ran_out(z))
        return fail(error, ERROR_DATA, "%s: compressed data ends too early", name);
    if (check != z->adler)
        return fail(error, ERROR_DATA, "%s: checksum of the compressed data does not match", name);
    return true;
}

bool inflate_zlib(const uint8_t *data, size_t data_size, size_t size, InflateSink *sink, void *self,
                  const char *name, Error *error)
{
    if (data_size < 6)
        return fail(error, ERROR_DATA, "%s: compressed data of %zu bytes is too short", name,
                    data_size);
    if ((data[0] & 15) != 8 || data[0] >> 4 > 7 || (data[0] << 8 | data[1]) % 31 || data[1] & 32)
        return fail(error, ERROR_DATA, "%s: bytes %02x %02x do not start zlib data", name, data[0],
                    data[1]);
    Inflate *z = memory_new(1, sizeof *z, error);
    if (!z)
        return false;
    z->next  = data + 2;
    z->end   = data + data_size;
    z->adler = 1;
    z->sink  = sink;
    z->self  = self;
    z->fresh = z->out = z->buffer;
    z->limit          = z->buffer + (size < BUFFER ? size : BUFFER);
    z->wanted         = size - (size_t)(z->limit - z->out);
    bool done         = stream_read(z, name, size, error);
    memory_free(z);
    return done;
}
