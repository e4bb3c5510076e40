/* image/deflate.c - bytes to zlib data: LZ77 with hash chains, one dynamic Huffman code per block.
 *
 * A match is emitted one byte late, in case the next position has a longer one. Blocks end after a
 * fixed number of symbols, so their codes follow the data.
 * Source: RFC 1950, RFC 1951; lazy matching as described in RFC 1951, section 4. */
#include "zlib.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW        = 1 << 15,
    HASH_BITS     = 15,
    MATCH_MIN     = 3,
    MATCH_MAX     = 258,
    CHAIN_MAX     = 32, // candidates tried for a match
    MATCH_GOOD    = 64, // long enough to stop looking
    BLOCK_SYMBOLS = 1 << 15,
    LITERALS      = 286,
    DISTANCES     = 30,
    LENGTHS       = 19,
    LENGTH_BITS   = 7, // longest code of the code-length code
    CODE_BITS     = 15
};

typedef struct Deflate {
    uint8_t *out;
    size_t   size, capacity;
    uint64_t window; // bits not yet written, lowest first
    int      bits;
    int32_t  head[1 << HASH_BITS], chain[WINDOW]; // last position of a hash, the one before
    uint16_t length[BLOCK_SYMBOLS], distance[BLOCK_SYMBOLS]; // distance 0: length is a literal
    int      symbols;
    uint8_t  length_code[MATCH_MAX + 1]; // of a match length
} Deflate;

/* ---- bits ------------------------------------------------------------------------------------ */

// Room for a whole block is made in block_write, so putting bits cannot fail.
static inline void put(Deflate *z, uint32_t value, int count)
{
    z->window |= (uint64_t)value << z->bits;
    for (z->bits += count; z->bits >= 8; z->bits -= 8, z->window >>= 8)
        z->out[z->size++] = (uint8_t)z->window;
}

/* ---- Huffman codes --------------------------------------------------------------------------- */

typedef struct Code {
    uint16_t bits[LITERALS]; // reversed, ready to be put
    uint8_t  length[LITERALS];
} Code;

static int by_weight(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Code lengths for `count` symbols, at most `longest` bits. Symbols are merged lightest first; when
 * a code gets too long, the counts are flattened and the tree is built again. */
static void code_lengths(const uint32_t *counts, int count, int longest, uint8_t *length)
{
    for (int flatten = 0;; flatten++) {
        uint64_t leaf[LITERALS]; // weight * 512 + symbol: sorting is then unique
        uint64_t weight[2 * LITERALS];
        int      parent[2 * LITERALS], leaves = 0, deepest = 0;
        memset(length, 0, (size_t)count);
        for (int i = 0; i < count; i++)
            if (counts[i])
                leaf[leaves++] = (uint64_t)((counts[i] >> flatten) + 1) << 9 | (uint64_t)i;
        qsort(leaf, (size_t)leaves, sizeof leaf[0], by_weight);
        if (leaves < 2) {
            if (leaves == 1)
                length[leaf[0] & 511] = 1;
            return;
        }
        for (int i = 0; i < leaves; i++)
            weight[i] = leaf[i] >> 9;
        int root = 2 * leaves - 2;
        for (int node = leaves, next_leaf = 0, next_node = leaves; node <= root; node++) {
            weight[node] = 0;
            for (int child = 0; child < 2; child++) {
                bool take_leaf = next_leaf < leaves &&
                                 (next_node == node || weight[next_leaf] <= weight[next_node]);
                int taken = take_leaf ? next_leaf++ : next_node++;
                weight[node] += weight[taken];
                parent[taken] = node;
            }
        }
        int depth[2 * LITERALS];
        depth[root] = 0;
        for (int node = root - 1; node >= 0; node--) {
            depth[node] = depth[parent[node]] + 1;
            if (depth[node] > deepest)
                deepest = depth[node];
            if (node < leaves)
                length[leaf[node] & 511] = (uint8_t)depth[node];
        }
        if (deepest <= longest)
            return;
    }
}

static void code_make(Code *code, const uint32_t *counts, int count, int longest)
{
    uint32_t next[CODE_BITS + 2] = {0};
    memset(code, 0, sizeof *code);
    code_lengths(counts, count, longest, code->length);
    for (int i = 0; i < count; i++)
        if (code->length[i])
            next[code->length[i] + 1]++;
    for (int length = 1; length <= CODE_BITS; length++) // first code of each length
        next[length + 1] = (next[length] + next[length + 1]) << 1;
    for (int i = 0; i < count; i++) {
        uint32_t value = code->length[i] ? next[code->length[i]]++ : 0;
        for (int bit = 0; bit < code->length[i]; bit++)
            code->bits[i] |= (uint16_t)((value >> bit & 1) << (code->length[i] - 1 - bit));
    }
}

static inline void put_code(Deflate *z, const Code *code, int symbol)
{
    put(z, code->bits[symbol], code->length[symbol]);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static int distance_code(int distance)
{
    if (distance <= 4)
        return distance - 1;
    int high = 31 - __builtin_clz((unsigned)(distance - 1)); // each power of two has two codes
    return 2 * high + ((distance - 1) >> (high - 1) & 1);
}

// The two codes' lengths, run-length coded with symbols 16-18.
static void put_header(Deflate *z, const Code *literals, const Code *distances)
{
    int literal_count = LITERALS, distance_count = DISTANCES, code_count = LENGTHS;
    while (literal_count > 257 && !literals->length[literal_count - 1])
        literal_count--;
    while (distance_count > 1 && !distances->length[distance_count - 1])
        distance_count--;
    uint8_t lengths[LITERALS + DISTANCES], symbol[LITERALS + DISTANCES],
        extra[LITERALS + DISTANCES];
    memcpy(lengths, literals->length, (size_t)literal_count);
    memcpy(lengths + literal_count, distances->length, (size_t)distance_count);
    int      total = literal_count + distance_count, runs = 0;
    uint32_t counts[LENGTHS] = {0};
    for (int i = 0; i < total;) {
        int run = 1;
        while (i + run < total && lengths[i + run] == lengths[i])
            run++;
        symbol[runs] = lengths[i];
        extra[runs]  = 0;
        if (lengths[i] == 0 && run >= 3) {
            run          = run < 138 ? run : 138;
            symbol[runs] = run < 11 ? 17 : 18;
            extra[runs]  = (uint8_t)(run < 11 ? run - 3 : run - 11);
        } else if (i > 0 && lengths[i] == lengths[i - 1] && run >= 3) {
            run          = run < 6 ? run : 6;
            symbol[runs] = 16;
            extra[runs]  = (uint8_t)(run - 3);
        } else {
            run = 1;
        }
        counts[symbol[runs++]]++;
        i += run;
    }
    Code code;
    code_make(&code, counts, LENGTHS, LENGTH_BITS);
    while (code_count > 4 && !code.length[zlib_length_order[code_count - 1]])
        code_count--;
    put(z, (uint32_t)literal_count - 257, 5);
    put(z, (uint32_t)distance_count - 1, 5);
    put(z, (uint32_t)code_count - 4, 4);
    for (int i = 0; i < code_count; i++)
        put(z, code.length[zlib_length_order[i]], 3);
    for (int i = 0; i < runs; i++) {
        put_code(z, &code, symbol[i]);
        if (symbol[i] >= 16)
            put(z, extra[i], symbol[i] == 16 ? 2 : symbol[i] == 17 ? 3 : 7);
    }
}

static bool block_write(Deflate *z, bool last, Error *error)
{
    // A symbol takes at most 15 + 5 + 15 + 13 bits, a header less than 400 bytes.
    size_t needed = z->size + (size_t)z->symbols * 6 + 400;
    if (needed > z->capacity) {
        size_t   wider = needed + needed / 2;
        uint8_t *grown = memory_grow(z->out, z->capacity, wider, 1, error);
        if (!grown)
            return false;
        z->out      = grown;
        z->capacity = wider;
    }
    uint32_t literal_counts[LITERALS] = {0}, distance_counts[DISTANCES] = {0};
    literal_counts[256] = 1;
    for (int i = 0; i < z->symbols; i++) {
        if (z->distance[i]) {
            literal_counts[257 + z->length_code[z->length[i]]]++;
            distance_counts[distance_code(z->distance[i])]++;
        } else {
            literal_counts[z->length[i]]++;
        }
    }
    Code literals, distances;
    code_make(&literals, literal_counts, LITERALS, CODE_BITS);
    code_make(&distances, distance_counts, DISTANCES, CODE_BITS);
    put(z, last, 1);
    put(z, 2, 2);
    put_header(z, &literals, &distances);
    for (int i = 0; i < z->symbols; i++) {
        int length = z->length[i], distance = z->distance[i];
        if (!distance) {
            put_code(z, &literals, length);
            continue;
        }
        int long_code = z->length_code[length], far_code = distance_code(distance);
        put_code(z, &literals, 257 + long_code);
        put(z, (uint32_t)(length - zlib_length_base[long_code]), zlib_length_extra[long_code]);
        put_code(z, &distances, far_code);
        put(z, (uint32_t)(distance - zlib_distance_base[far_code]), zlib_distance_extra[far_code]);
    }
    put_code(z, &literals, 256);
    z->symbols = 0;
    return true;
}

/* ---- matches --------------------------------------------------------------------------------- */

typedef struct Match {
    int length, distance;
} Match;

static inline uint32_t hash_at(const uint8_t *p)
{
    uint32_t word = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    return word * 0x9E3779B1u >> (32 - HASH_BITS);
}

static void chain_enter(Deflate *z, const uint8_t *data, size_t size, size_t at)
{
    if (size - at < MATCH_MIN)
        return;
    uint32_t hash               = hash_at(data + at);
    z->chain[at & (WINDOW - 1)] = z->head[hash];
    z->head[hash]               = (int32_t)at;
}

// The longest earlier match at `at` (length 0: none), which then enters the chains.
static Match match_at(Deflate *z, const uint8_t *data, size_t size, size_t at)
{
    Match best = {MATCH_MIN - 1, 0};
    if (size - at < MATCH_MIN)
        return (Match){0, 0};
    int            room = size - at < MATCH_MAX ? (int)(size - at) : MATCH_MAX;
    const uint8_t *b    = data + at;
    int64_t        from = z->head[hash_at(b)];
    for (int tries = 0; tries < CHAIN_MAX && from >= 0 && (int64_t)at - from < WINDOW; tries++) {
        const uint8_t *a = data + from;
        if (a[best.length] == b[best.length]) {
            int length = 0;
            while (length < room && a[length] == b[length])
                length++;
            if (length > best.length)
                best = (Match){length, (int)((int64_t)at - from)};
            if (length >= MATCH_GOOD || length == room)
                break;
        }
        from = z->chain[from & (WINDOW - 1)];
    }
    chain_enter(z, data, size, at);
    return best.distance ? best : (Match){0, 0};
}

static bool emit(Deflate *z, int length, int distance, Error *error)
{
    z->length[z->symbols]     = (uint16_t)length;
    z->distance[z->symbols++] = (uint16_t)distance;
    return z->symbols < BLOCK_SYMBOLS || block_write(z, false, error);
}

static bool deflate_data(Deflate *z, const uint8_t *data, size_t size, Error *error)
{
    Match now = {0, 0}, next;
    for (size_t at = 0; at < size; now = next) {
        next = (Match){0, 0};
        if (at + 1 < size && now.length < MATCH_GOOD)
            next = match_at(z, data, size, at + 1);
        if (now.length < MATCH_MIN || next.length > now.length) {
            if (!emit(z, data[at++], 0, error))
                return false;
            continue;
        }
        if (!emit(z, now.length, now.distance, error))
            return false;
        size_t end = at + (size_t)now.length;
        for (at += now.length < MATCH_GOOD ? 2 : 1; at < end; at++)
            chain_enter(z, data, size, at);
        at   = end;
        next = at < size ? match_at(z, data, size, at) : (Match){0, 0};
    }
    return block_write(z, true, error);
}

bool deflate_zlib(const uint8_t *data, size_t size, uint8_t **out, size_t *out_size, Error *error)
{
    assert(size <= INT32_MAX);
    Deflate *z = memory_new(1, sizeof *z, error);
    if (!z)
        return false;
    memset(z->head, 0xFF, sizeof z->head);
    for (int code = 0; code < 29; code++)
        for (int k = 0; k < 1 << zlib_length_extra[code]; k++)
            if (zlib_length_base[code] + k <= MATCH_MAX)
                z->length_code[zlib_length_base[code] + k] = (uint8_t)code;
    bool done   = false;
    z->capacity = size / 2 + 64;
    z->out      = memory_new(z->capacity, 1, error);
    if (z->out) {
        put(z, 0x78, 8); // 32 KiB window, default effort
        put(z, 0x9C, 8);
        done = deflate_data(z, data, size, error);
    }
    if (done) {
        uint32_t check = zlib_adler32(1, data, size);
        put(z, 0, (8 - z->bits) & 7);
        for (int shift = 24; shift >= 0; shift -= 8)
            put(z, check >> shift & 255, 8);
        *out      = z->out;
        *out_size = z->size;
    } else {
        memory_free(z->out);
    }
    memory_free(z);
    return done;
}
