/* engine/conv_tiles.c - see conv_tiles.h. */
#include "conv_tiles.h"

#include "gemm.h"

#include <string.h>

static int64_t between(int64_t low, int64_t x, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Which pixels of the image the span reads. */
static void find_pixels(const Grid *g, TileSpan *s)
{
    int64_t width = 4 * s->count + 2, x = 4 * s->col - g->pad, y = 4 * s->row - g->pad;
    s->left   = between(0, -x, width);
    s->inside = between(0, g->source_w - x, width) - s->left;
    s->inside = s->inside < 0 ? 0 : s->inside;
    for (int i = 0; i < 6; i++) {
        int64_t first = s->image * g->source_channels * g->source_h + y + i;
        bool    is_in = y + i >= 0 && y + i < g->source_h && s->inside > 0;
        s->at[i]      = is_in ? first * g->source_w + x + s->left : -1;
    }
}

int tiles_cut(const Grid *g, int64_t block, TileSpan span[WINOGRAD_MOST_TILES])
{
    int     count = 0;
    int64_t first = block * g->block;
    for (int64_t at = first; at < first + g->block && at < g->tiles;) {
        int64_t row = at / g->tile_cols, col = at % g->tile_cols, length = g->tile_cols - col;
        if (length > first + g->block - at)
            length = first + g->block - at;
        TileSpan *s = &span[count++];
        *s          = (TileSpan){.image = row / g->tile_rows,
                                 .row   = row % g->tile_rows,
                                 .col   = col,
                                 .tile  = at - first,
                                 .count = length};
        find_pixels(g, s);
        at += length;
    }
    return count;
}

uint64_t tiles_last(const TileSpan *span, int spans)
{
    uint64_t last = 0;
    for (int q = 0; q < spans; q++)
        last |= (uint64_t)1 << (span[q].tile + span[q].count - 1);
    return last;
}

/* Tiles first..last-1 of a span as a set of the block's, without those it does not have. */
static uint64_t tiles_between(const TileSpan *s, int64_t first, int64_t last)
{
    first = between(0, first, s->count);
    last  = between(0, last, s->count);
    if (first >= last)
        return 0;
    return ~(uint64_t)0 >> (64 - (last - first)) << (s->tile + first);
}

void tiles_inside(const Grid *g, const TileSpan *span, int spans, uint64_t inside[REACH_PLACES])
{
    memset(inside, 0, REACH_PLACES * sizeof *inside);
    for (const TileSpan *s = span; s < span + spans; s++) {
        int64_t y = 4 * s->row - g->pad, x = 4 * s->col - g->pad;
        for (int j = 0; j < 6; j++) {
            uint64_t tiles =
                tiles_between(s, panels_of(-x - j, 4), panels_of(g->source_w - x - j, 4));
            for (int i = 0; i < 6; i++)
                if (y + i >= 0 && y + i < g->source_h)
                    inside[6 * i + j] |= tiles;
        }
    }
}

/* ---- pixels that were seen: a bit each, row by row ------------------------------------------- */

bool tiles_all_seen(const TileSpan *span, int spans, const uint64_t *seen)
{
    for (const TileSpan *s = span; s < span + spans; s++)
        for (int i = 0; i < 6; i++)
            for (int64_t left = s->inside; left > 0; left -= 64) {
                uint64_t all = left >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1;
                if (*seen++ != all && s->at[i] >= 0)
                    return false;
            }
    return true;
}

/* 64 bits of a row of words from bit `at` on, zero where there are none. */
static uint64_t bits_at(const uint64_t *word, int64_t words, int64_t at)
{
    if (at < 0)
        return word[0] << -at;
    int64_t  first = at / 64, shift = at % 64;
    uint64_t low  = first < words ? word[first] >> shift : 0;
    uint64_t high = shift && first + 1 < words ? word[first + 1] << (64 - shift) : 0;
    return low | high;
}

/* Bits whose place is `step` above one of `places` change theirs with the bit there. */
static uint64_t exchange(uint64_t bits, int step, uint64_t places)
{
    uint64_t differ = (bits ^ bits >> step) & places;
    return bits ^ differ ^ differ << step;
}

/* Bit 4 t + j becomes bit 16 j + t: what a column of 16 tiles sees lies side by side. */
static uint64_t by_column(uint64_t bits)
{
    bits = exchange(bits, 3, 0x0A0A0A0A0A0A0A0Au);
    bits = exchange(bits, 6, 0x00CC00CC00CC00CCu);
    bits = exchange(bits, 12, 0x0000F0F00000F0F0u);
    return exchange(bits, 24, 0x00000000FF00FF00u);
}

/* Row i of the pixels of a span's tiles, of which `row` has the bits. */
static void row_places(const TileSpan *s, int i, const uint64_t *row, int64_t words,
                       uint64_t places[REACH_PLACES])
{
    for (int64_t t = 0; t < s->count; t += 16) {
        int64_t  at = 4 * t - s->left, tiles = s->count - t < 16 ? s->count - t : 16;
        uint64_t columns = by_column(bits_at(row, words, at)), next = bits_at(row, words, at + 64);
        uint64_t kept = ((uint64_t)1 << tiles) - 1;
        for (int j = 0; j < 6; j++) {
            uint64_t seen = columns >> 16 * (j % 4) & 0xFFFF;
            if (j >= 4) // pixel 0 or 1 of the next tile
                seen = seen >> 1 | (next >> (j - 4) & 1) << 15;
            places[6 * i + j] |= (seen & kept) << (s->tile + t);
        }
    }
}

void tiles_places(const TileSpan *span, int spans, const uint64_t *seen,
                  uint64_t places[REACH_PLACES])
{
    memset(places, 0, REACH_PLACES * sizeof *places);
    for (const TileSpan *s = span; s < span + spans; s++) {
        int64_t words = panels_of(s->inside, 64);
        for (int i = 0; i < 6; i++, seen += words)
            if (words > 0 && s->at[i] >= 0)
                row_places(s, i, seen, words, places);
    }
}
