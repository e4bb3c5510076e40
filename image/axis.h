/* image/axis.h - linear resampling along one axis of a map or a mask: which inputs an output is
 * made of, and with which weights. Two axes make a resampling of maps, as all in use are separable.
 * */
#ifndef IMAGE_AXIS_H
#define IMAGE_AXIS_H

#include "../base/base.h"

/* Output d is the sum over i in 0..count[d]-1 of weight[d * room + i] * input[first[d] + i]. */
typedef struct Axis {
    int32_t  in, out, room; // room: inputs of the widest output
    int32_t *first, *count; // [out]; count at least 1
    double  *weight;        // [out, room]
    int32_t *from, *to;     // [in] outputs that may use an input: from..to-1
} Axis;

/* What stands beyond the outermost centres. */
typedef enum AxisEnd {
    AXIS_CLAMPED, // the end value goes on
    AXIS_ZEROS // zeros, and weights are not renormalised; but an axis of one input has that value
} AxisEnd;

/* Room for the weights, which the caller fills with axis_between and closes with axis_finish. */
bool axis_open(Axis *axis, int64_t in, int64_t out, int64_t room, Error *error);
void axis_close(Axis *axis); // accepts a zeroed object
/* Output d lies `at` inputs past the first one: linear between two neighbours. */
void axis_between(Axis *axis, int32_t d, double at, AxisEnd end);
void axis_finish(Axis *axis); // fills `from` and `to`

/* Half-pixel centres: output d lies (d + 1/2) in / out - 1/2 past the first input. No smoothing
 * where it shrinks. Source: PyTorch's interpolate with align_corners=False; with zeros its
 * grid_sample. Errors: ERROR_MEMORY. */
bool axis_half_pixel(Axis *axis, int64_t in, int64_t out, AxisEnd end, Error *error);

#endif
