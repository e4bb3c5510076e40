/* attack/soft_rank.c - see soft_rank.h. */
#include "soft_rank.h"

#include <math.h>

double soft_rank_weigh(const Aim *aim, const int64_t *images, int64_t count, int64_t map_count,
                       const float *maps, float *weights)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        float *weight = weights + i * map_count; // first the slope of q
        double q      = (double)aim->pool(aim->self, maps + i * map_count, weight);
        double share  = 1 / (1 + exp(((double)aim->level - q) / (double)aim->softness));
        double gain   = (double)aim->gain[images[i]];
        double rate   = share * (1 - share) / (double)aim->softness * gain;
        for (int64_t cell = 0; cell < map_count; cell++)
            weight[cell] = (float)(rate * (double)weight[cell]);
        sum += share * gain;
    }
    return sum;
}
