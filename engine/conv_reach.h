/* engine/conv_reach.h - which outputs of Winograd tiles a product that is not zero reaches.
 *
 * The direct sum is exactly zero where all its products are: behind dead ReLUs, outside a window's
 * receptive fields, for weights that are pruned. The transforms of a tile mix its pixels, so they
 * leave rounding noise there; what no product reaches is set to zero instead. A product counts as
 * zero if its input or its weight is, not if two small numbers round to zero.
 *
 * A set of tiles is a word: bit t is tile t of a block, of at most 64. Places (i, j) of a tile's
 * 6x6 pixels are words 6 i + j, its outputs words 4 i + j. */
#ifndef ENGINE_CONV_REACH_H
#define ENGINE_CONV_REACH_H

#include "../base/base.h"

enum { REACH_PLACES = 36, REACH_OUTPUTS = 16, REACH_ALL_TAPS = 0x1FF };

/* A row of taps: for each channel of one target which taps are not zero, bit 3 r + s for (r, s);
 * behind them whether that is all of all channels. Rows lie one after another. */
static inline int64_t reach_row_size(int64_t channels)
{
    return channels + 1;
}

void reach_row_set(uint16_t *row, int64_t channel, double w[3][3]);
void reach_row_end(uint16_t *row, int64_t channels); // after the last channel

/* Whether every tile of `inside` is in `places`, place by place. */
bool reach_covers(const uint64_t places[REACH_PLACES], const uint64_t inside[REACH_PLACES]);

/* outputs, in and out: also the tiles whose output some tap takes from `places`. */
void reach_add(uint64_t outputs[REACH_OUTPUTS], const uint64_t places[REACH_PLACES], int taps);

/* outputs, out: what the target of this row is reached by, `places` [channels][REACH_PLACES] being
 * the pixels that are not zero; `most` bounds it. */
void reach_row(uint64_t outputs[REACH_OUTPUTS], const uint16_t *row, int64_t channels,
               const uint64_t *places, const uint64_t most[REACH_OUTPUTS]);

/* pixels[4 i + q], out: bit 4 t + j where output (i, j) of tile 16 q + t is in `outputs`. */
void reach_pixels(const uint64_t outputs[REACH_OUTPUTS], uint64_t pixels[REACH_OUTPUTS]);

#endif
