/* attack/soft_rank.h - the soft-wpmi loss (L13): what the images among a unit's strongest say for a
 * concept. Whether an image is among them is a rank, which has no useful gradient; a sigmoid of its
 * distance from the last of them has. */
#ifndef ATTACK_SOFT_RANK_H
#define ATTACK_SOFT_RANK_H

#include "../nem/method.h"

/* Returns the sum over these images of sigmoid((q - level) / softness) gain at maps [count,
 * map_count]; weights, as large, are its gradient. The aim has gains. */
double soft_rank_weigh(const Aim *aim, const int64_t *images, int64_t count, int64_t map_count,
                       const float *maps, float *weights);

#endif
