/* engine/conv.c - the door to convolutions: which method computes one.
 *
 * Winograd where it is possible and pays, else direct, and of the direct ones a product of its own
 * for gradients to the few channels of an image; how the others read their pixels changes no bit. */
#include "conv_method.h"

ConvMethod conv_choose(ConvMethod wanted, const ConvShape *shape, ConvSide side)
{
    bool    possible = shape->r == 3 && shape->s == 3 && shape->stride == 1 && shape->pad <= 2;
    int64_t depth    = side == CONV_INPUT_GRADIENT ? shape->k : shape->c;
    if (side == CONV_WEIGHT_GRADIENT && shape->k < depth)
        depth = shape->k;
    bool pays = depth >= 16 && sizeof(real) == sizeof(float) && !image_fits(shape, side);
    if (!possible || wanted == CONV_DIRECT)
        return CONV_DIRECT;
    return wanted == CONV_WINOGRAD || pays ? CONV_WINOGRAD : CONV_DIRECT;
}

size_t conv_prepared_size(const ConvShape *shape, ConvSide side, ConvMethod method)
{
    if (method == CONV_WINOGRAD)
        return winograd_prepared_size(shape, side);
    return image_fits(shape, side) ? image_prepared_size(shape) : direct_prepared_size(shape, side);
}

void conv_prepare(const ConvShape *shape, ConvSide side, ConvMethod method, const real *weights,
                  real *prepared)
{
    if (method == CONV_WINOGRAD)
        winograd_prepare(shape, side, weights, prepared);
    else if (image_fits(shape, side))
        image_prepare(shape, weights, prepared);
    else
        direct_prepare(shape, side, weights, prepared);
}

size_t conv_scratch_size(const ConvShape *shape, ConvSide side, ConvMethod method, int threads)
{
    if (method == CONV_WINOGRAD)
        return winograd_scratch_size(shape, side, threads);
    if (image_fits(shape, side))
        return image_scratch_size(shape, threads);
    return bands_fit(shape, side) ? bands_scratch_size(shape, side, threads)
                                  : direct_scratch_size(shape, side, threads);
}

void conv_run(const ConvShape *shape, ConvSide side, ConvMethod method, const real *prepared,
              const real *from, real *to, const ConvFinish *finish, real *scratch)
{
    if (method == CONV_WINOGRAD)
        winograd_run(shape, side, prepared, from, to, finish, scratch);
    else if (image_fits(shape, side))
        image_run(shape, prepared, from, to, finish, scratch);
    else if (bands_fit(shape, side))
        bands_run(shape, side, prepared, from, to, finish, scratch);
    else
        direct_run(shape, side, prepared, from, to, finish, scratch);
}

size_t conv_weight_scratch_size(const ConvShape *shape, ConvMethod method, int threads)
{
    return method == CONV_WINOGRAD ? weight_winograd_scratch_size(shape, threads)
                                   : weight_direct_scratch_size(shape, threads);
}

void conv_weight_run(const ConvShape *shape, ConvMethod method, const real *x, const real *gy,
                     real *grad_w, real *scratch)
{
    if (method == CONV_WINOGRAD)
        weight_winograd_run(shape, x, gy, grad_w, scratch);
    else
        weight_direct_run(shape, x, gy, grad_w, scratch);
}
