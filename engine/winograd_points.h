/* engine/winograd_points.h - the interpolation points 0, +-A, +-B, infinity of F(4x4,3x3).
 *
 * Chosen for the smallest rounding error in float; see DESIGN.md, "Winograd". */
#ifndef ENGINE_WINOGRAD_POINTS_H
#define ENGINE_WINOGRAD_POINTS_H

#define WINOGRAD_A ((real)0.625)
#define WINOGRAD_B ((real)1.5)

#endif
