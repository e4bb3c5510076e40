/* engine/conv.h - the convolution triangle on floats: forward, input gradient, weight gradient.
 *
 * Letters: n images, c input channels of h x w, k output channels of oh x ow, kernels r x s.
 * The forward pass and the input gradient are the same loop over a different geometry: panels are
 * packed straight from the source image, so the column matrix of im2col never exists. Weights are
 * prepared (packed, or Winograd-transformed) once when they are constant. */
#ifndef ENGINE_CONV_H
#define ENGINE_CONV_H

#include "engine.h"
#include "kernels.h"

enum { CONV_MOST_SIDE = 16 }; // largest r, s

typedef struct ConvShape {
    int64_t n, c, h, w, k, r, s, oh, ow;
    int     stride, pad;
} ConvShape;

typedef enum ConvSide { CONV_FORWARD, CONV_INPUT_GRADIENT } ConvSide;

/* What happens to a result before it is stored: out = gate(relu(conv + bias + add)). Null: skipped.
 * `add` and `gate` have the shape of the result, bias one value a channel. relu and gate exclude
 * each other. */
typedef struct ConvFinish {
    const real *bias, *add, *gate;
    bool        relu;
} ConvFinish;

/* Whether a result is too large for its reader to find it in a cache: storing it there first would cost
 * a read of every line. Measured on 32 MB of shared cache. */
static inline bool conv_streams(int64_t elements)
{
    return elements * (int64_t)sizeof(real) >= 6 << 20;
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
                        .relu = finish->relu};
}

/* AUTO becomes DIRECT or WINOGRAD. Depends on the layer's channels in, kernel and stride alone, never on
 * the batch or the number of units, so that one unit alone has the bits it has among all. */
ConvMethod conv_choose(ConvMethod wanted, const ConvShape *shape, ConvSide side);

/* `method` below is DIRECT or WINOGRAD. Sizes in reals. */
size_t conv_prepared_size(const ConvShape *shape, ConvSide side, ConvMethod method);
void   conv_prepare(const ConvShape *shape, ConvSide side, ConvMethod method, const real *weights,
                    real *prepared);
size_t conv_scratch_size(const ConvShape *shape, ConvSide side, ConvMethod method, int threads);

/* FORWARD: from [n,c,h,w] to [n,k,oh,ow]; INPUT_GRADIENT: from [n,k,oh,ow] to [n,c,h,w]. */
void conv_run(const ConvShape *shape, ConvSide side, ConvMethod method, const real *prepared,
              const real *from, real *to, const ConvFinish *finish, real *scratch);

/* grad_w [k,c,r,s] from x [n,c,h,w] and gy [n,k,oh,ow]. */
size_t conv_weight_scratch_size(const ConvShape *shape, int threads);
void   conv_weight_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                       real *scratch);

/* Input gradients to few channels, called through conv_run: a product to `conv_image_product`, whose
 * prepared weights they share, and a sum over its taps. */
bool      conv_few_channels(const ConvShape *shape, ConvSide side);
ConvShape conv_image_product(const ConvShape *shape);
size_t    conv_image_scratch_size(const ConvShape *shape, int threads);
void      conv_image_run(const ConvShape *shape, const real *prepared, const real *from, real *to,
                         const ConvFinish *finish, real *scratch);

/* line[j * phases + b] = parts[b * stride + j] for j in 0..length-1, b in 0..phases-1. */
void conv_interleave(const real *parts, int64_t stride, int phases, int64_t length, real *line);

/* Winograd F(4x4,3x3) for 3x3 stride-1, called through conv_run. */
size_t winograd_prepared_size(const ConvShape *shape, ConvSide side);
void   winograd_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared);
size_t winograd_scratch_size(const ConvShape *shape, ConvSide side, int threads);
void   winograd_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                    real *to, const ConvFinish *finish, real *scratch);

#endif
