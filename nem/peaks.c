/* nem/peaks.c - the images that a unit answers to most strongly. */
#include "method.h"

static int keep_if_high(PeakImage top[STORY_IMAGES], int count, PeakImage candidate)
{
    int place = count;
    while (place > 0 && top[place - 1].peak < candidate.peak)
        place--;
    if (place == STORY_IMAGES)
        return count;
    if (count < STORY_IMAGES)
        count++;
    for (int i = count - 1; i > place; i--)
        top[i] = top[i - 1];
    top[place] = candidate;
    return count;
}

float map_peak(const float *map, int64_t cells)
{
    float peak = map[0];
    for (int64_t i = 1; i < cells; i++)
        peak = map[i] > peak ? map[i] : peak;
    return peak;
}

int peaks_find(const float *maps, int64_t images, int64_t cells, PeakImage top[STORY_IMAGES])
{
    int count = 0;
    for (int64_t image = 0; image < images; image++) {
        float peak = map_peak(maps + image * cells, cells);
        count      = keep_if_high(top, count, (PeakImage){.image = image, .peak = peak});
    }
    return count;
}
