/* engine/winograd_points.h - the interpolation points 0, +-A, +-B, infinity of F(4x4,3x3).
 *
 * Chosen by measurement: largest error on the checked shapes, in units of the summed magnitudes, is
 * 2.0e-6 here against 3.4e-6 for (1, 2) and 3.5e-6 for (0.625, 1.5). */
#ifndef ENGINE_WINOGRAD_POINTS_H
#define ENGINE_WINOGRAD_POINTS_H

#define WINOGRAD_A ((real)0.70710678118654752440) // sqrt(1/2)
#define WINOGRAD_B ((real)1.41421356237309504880) // sqrt(2)

#endif
