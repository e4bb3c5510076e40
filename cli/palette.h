/* cli/palette.h - numbers as colours. */
#ifndef CLI_PALETTE_H
#define CLI_PALETTE_H

#include <stdint.h>

/* A share in 0..1 as a level in 0..255; cut to that. */
uint8_t palette_level(float share);
/* 0 is black, then red, yellow, 1 white. */
void palette_heat(float share, uint8_t rgb[3]);
/* -1 is blue, 0 white, 1 red. */
void palette_signs(float share, uint8_t rgb[3]);

#endif
