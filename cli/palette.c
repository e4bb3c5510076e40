/* cli/palette.c - see palette.h. */
#include "palette.h"

#include <math.h>

uint8_t palette_level(float share)
{
    return (uint8_t)lrintf(255 * fminf(fmaxf(share, 0), 1));
}

void palette_heat(float share, uint8_t rgb[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = palette_level(3 * share - (float)c);
}

void palette_signs(float share, uint8_t rgb[3])
{
    rgb[0] = palette_level(1 + share);
    rgb[1] = palette_level(1 - fabsf(share));
    rgb[2] = palette_level(1 - share);
}
