/* engine/conv_method.h - the methods behind the door of conv.h; only conv.c and the methods know
 * it.
 *
 *     conv.c              chooses by channels, kernel and stride
 *     conv_winograd.c     3x3 kernels of stride 1; conv_tiles.c cuts their tiles, conv_reach.c says
 *                         where their sums are zero
 *     conv_depthwise.c    a kernel of its own for every channel
 *     conv_image.c        input gradients to few channels: a direct product, then a sum over taps
 *     conv_bands.c        other kernels of several taps, where a task's part of an image is small
 *     conv_direct.c       everything else; conv_geometry.c says which pixels both read, and lays
 *                         out their weights
 *     conv_weight_winograd.c, conv_weight.c   the same two for weight gradients; weight_reach.c
 *                         says where the sums of the first are zero
 *
 * Each method has the four functions of conv.h: sizes in reals, FORWARD from [n,c,h,w] to
 * [n,k,oh,ow], INPUT_GRADIENT from [n,k,oh,ow] to [n,c,h,w]. Files call only those below them in
 * this list. */
#ifndef ENGINE_CONV_METHOD_H
#define ENGINE_CONV_METHOD_H

#include "conv.h"

#include "../base/cores.h"

/* Whether a result is too large for its reader to find it in a cache: storing it there first would
 * cost a read of every line. Of 32 MB of shared cache this was measured to be 6 MB, so less than a
 * fifth: the cache also holds what else is read. */
static inline bool conv_streams(int64_t elements)
{
    return elements * (int64_t)sizeof(real) >= cores_caches().shared / 16 * 3;
}

/* The tail of rows that begin at element `at` of the result, the first one of `channel`; the caller
 * adds their source, count and steps. */
static inline FinishRows conv_finish_rows(const ConvFinish *finish, real *to, int64_t at,
                                          int64_t channel)
{
    return (FinishRows){.out  = to + at,
                        .bias = finish->bias ? finish->bias + channel : NULL,
                        .add  = finish->add ? finish->add + at : NULL,
                        .gate = finish->gate ? finish->gate + at : NULL,
                        .relu = finish->relu,
                        .most = finish->most};
}

/* line[j * phases + b] = parts[b * stride + j] for j in 0..length-1, b in 0..phases-1. */
void conv_interleave(const real *parts, int64_t stride, int phases, int64_t length, real *line);

size_t direct_prepared_size(const ConvShape *shape, ConvSide side);
void   direct_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared);
size_t direct_scratch_size(const ConvShape *shape, ConvSide side, int threads);
void   direct_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                  real *to, const ConvFinish *finish, real *scratch);

/* Whether conv_image is made for this: up to 4 channels, as an image has, and several taps. */
bool   image_fits(const ConvShape *shape, ConvSide side);
size_t image_prepared_size(const ConvShape *shape);
void   image_prepare(const ConvShape *shape, const real *weights, real *prepared);
size_t image_scratch_size(const ConvShape *shape, int threads);
void   image_run(const ConvShape *shape, const real *prepared, const real *from, real *to,
                 const ConvFinish *finish, real *scratch);

/* As direct_run, from the same prepared weights and with the same bits. */
bool   bands_fit(const ConvShape *shape, ConvSide side);
size_t bands_scratch_size(const ConvShape *shape, ConvSide side, int threads);
void   bands_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                 real *to, const ConvFinish *finish, real *scratch);

/* Groups of one channel each, sides and strides as networks have them. */
bool   depthwise_fits(const ConvShape *shape);
size_t depthwise_prepared_size(const ConvShape *shape);
void depthwise_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared);
size_t depthwise_scratch_size(const ConvShape *shape, ConvSide side, int threads);
void   depthwise_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                     real *to, const ConvFinish *finish, real *scratch);
size_t depthwise_weight_scratch_size(const ConvShape *shape, int threads);
void   depthwise_weight_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                            real *scratch);

size_t winograd_prepared_size(const ConvShape *shape, ConvSide side);
void   winograd_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared);
size_t winograd_scratch_size(const ConvShape *shape, ConvSide side, int threads);
void   winograd_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                    real *to, const ConvFinish *finish, real *scratch);

/* The weight gradient, [k,c,r,s] from [n,c,h,w] and [n,k,oh,ow]. */
size_t weight_direct_scratch_size(const ConvShape *shape, int threads);
void   weight_direct_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                         real *scratch);
size_t weight_winograd_scratch_size(const ConvShape *shape, int threads);
void   weight_winograd_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                           real *scratch);

#endif
