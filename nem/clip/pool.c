/* nem/clip/pool.c - one number a map (L1). */
#include "clip_private.h"

float clip_pooled(const Clip *clip, const float *map, int64_t cells)
{
    double sum = 0;
    if (clip->pools_max)
        return map_peak(map, cells);
    for (int64_t i = 0; i < cells; i++)
        sum += (double)map[i];
    return (float)(sum / (double)cells);
}
