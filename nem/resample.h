/* nem/resample.h - activation maps brought to the size of label maps or of images, and back.
 *
 * Every way to do it is separable and linear: along one axis (image/axis.h), output d is a weighted
 * sum of a few neighbouring inputs, in double. Pillow rounds to float between its two passes, the
 * others once at the end. */
#ifndef NEM_RESAMPLE_H
#define NEM_RESAMPLE_H

#include "../image/axis.h"

typedef struct Resampler Resampler;

/* Takes both axes over, also where it fails. Errors: ERROR_MEMORY. */
bool resampler_join(Resampler **out, Axis *y, Axis *x, bool rounds_between, Error *error);
/* Bilinear with half-pixel centres. */
bool resampler_half_pixel(Resampler **out, int64_t height, int64_t width, int64_t to_height,
                          int64_t to_width, AxisEnd end, Error *error);
void resampler_close(Resampler *resampler); // NULL allowed

/* map [height, width] -> out [to_height, to_width]. */
void resampler_map(const Resampler *resampler, const float *map, float *out);
/* The transpose of the same linear map (D10), which attacks need: weights [to_height, to_width] ->
 * out [height, width], so that sum(weights * resampled map) = sum(out * map) up to rounding. */
void resampler_transpose(const Resampler *resampler, const float *weights, float *out);

/* ---- masks, row by row: for weights that sum to one ------------------------------------------ */

typedef struct MaskScratch {
    double  *across;  // [height, to_width]: rows brought to the new width
    uint8_t *has_row; // [height]
    uint8_t *wants;   // [to_height]
    float   *line;    // [to_width]
} MaskScratch;

bool mask_scratch_open(MaskScratch *scratch, const Resampler *resampler, Error *error);
void mask_scratch_close(MaskScratch *scratch);
/* Positions (y * to_width + x) of the resampled pixels above the threshold, in increasing order,
 * into pixels [to_height * to_width]; returns how many. Only rows that can have one are
 * resampled. */
int64_t resampler_mask(const Resampler *resampler, const float *map, float threshold,
                       MaskScratch *scratch, uint32_t *pixels);
/* Cells further than this from a cell above the threshold cannot touch a pixel above it. */
void resampler_reach(const Resampler *resampler, int *rows, int *columns);

#endif
