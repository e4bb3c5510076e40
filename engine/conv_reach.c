/* engine/conv_reach.c - see conv_reach.h. */
#include "conv_reach.h"

#include <string.h>

void reach_row_set(uint16_t *row, int64_t channel, double w[3][3])
{
    unsigned taps = 0;
    for (int r = 0; r < 3; r++)
        for (int s = 0; s < 3; s++)
            taps |= (unsigned)(w[r][s] != 0) << (3 * r + s); // NaN is not zero
    row[channel] = (uint16_t)taps;
}

void reach_row_end(uint16_t *row, int64_t channels)
{
    unsigned common = REACH_ALL_TAPS;
    for (int64_t c = 0; c < channels; c++)
        common &= row[c];
    row[channels] = common == REACH_ALL_TAPS;
}

bool reach_covers(const uint64_t places[REACH_PLACES], const uint64_t inside[REACH_PLACES])
{
    for (int e = 0; e < REACH_PLACES; e++)
        if (inside[e] & ~places[e])
            return false;
    return true;
}

void reach_add(uint64_t outputs[REACH_OUTPUTS], const uint64_t places[REACH_PLACES], int taps)
{
    for (int r = 0; r < 3; r++)
        for (int s = 0; s < 3; s++)
            for (int i = 0; i < 4 && taps >> (3 * r + s) & 1; i++)
                for (int j = 0; j < 4; j++)
                    outputs[4 * i + j] |= places[6 * (i + r) + j + s];
}

/* Most targets are reached everywhere after a few channels. */
void reach_row(uint64_t outputs[REACH_OUTPUTS], const uint16_t *row, int64_t channels,
               const uint64_t *places, const uint64_t most[REACH_OUTPUTS])
{
    size_t bytes = REACH_OUTPUTS * sizeof *outputs;
    memset(outputs, 0, bytes);
    for (int64_t c = 0; c < channels && memcmp(outputs, most, bytes) != 0; c++)
        if (row[c])
            reach_add(outputs, places + c * REACH_PLACES, row[c]);
}

/* Bits 0 to 15 at places 0, 4, 8, ... */
static uint64_t to_every_fourth(uint64_t bits)
{
    bits &= 0xFFFF;
    bits = (bits | bits << 24) & 0x000000FF000000FFu;
    bits = (bits | bits << 12) & 0x000F000F000F000Fu;
    bits = (bits | bits << 6) & 0x0303030303030303u;
    return (bits | bits << 3) & 0x1111111111111111u;
}

void reach_pixels(const uint64_t outputs[REACH_OUTPUTS], uint64_t pixels[REACH_OUTPUTS])
{
    for (int i = 0; i < 4; i++)
        for (int q = 0; q < 4; q++) {
            uint64_t *row = &pixels[4 * i + q];
            *row          = 0;
            for (int j = 0; j < 4; j++)
                *row |= to_every_fourth(outputs[4 * i + j] >> (16 * q)) << j;
        }
}
