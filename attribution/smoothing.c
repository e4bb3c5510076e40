/* attribution/smoothing.c - the noise of SmoothGrad. */
#include "attribution.h"

void smoothing_noise(uint64_t seed, uint64_t draw, uint64_t copy, uint64_t round, uint64_t block,
                     double z[4])
{
    uint64_t    key = random_key(seed, "smoothgrad");
    RandomBlock r   = random_block(key, draw * 65536 + copy, round << 32 | block);
    random_gaussian(r.word[0], r.word[1], &z[0], &z[1]);
    random_gaussian(r.word[2], r.word[3], &z[2], &z[3]);
}
