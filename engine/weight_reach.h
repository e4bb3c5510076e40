/* engine/weight_reach.h - which taps of a weight gradient a product that is not zero reaches.
 *
 * The counterpart of conv_reach.h: the sum grad_w[k][c][r][s] = sum of gy[k] x[c] over all pixels
 * is exactly zero where each of its products has a factor that is zero, for example for a channel
 * that is dead in every image. Almost always the first image tells that a tap is reached; only
 * channels for which it does not are looked at in the others. */
#ifndef ENGINE_WEIGHT_REACH_H
#define ENGINE_WEIGHT_REACH_H

#include "conv.h"

/* Room in reals for 3x3 kernels of stride 1; it begins at a multiple of 8 bytes. */
size_t weight_reach_size(const ConvShape *shape);

/* Fills the room. */
void weight_reach_find(const ConvShape *shape, const real *x, const real *gy, real *room);

/* taps[3 r + s][i], i < count, of channel c of x and channels k + i of gy: zero where no product
 * reaches; NaN and infinity stay. */
void weight_reach_clear(const ConvShape *shape, const real *room, int64_t c, int64_t k,
                        int64_t count, real *taps, int64_t stride);

#endif
