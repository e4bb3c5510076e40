/* engine/conv.h - the convolution triangle on floats: forward, input gradient, weight gradient.
 *
 * Letters: n images, c input channels of h x w, k output channels of oh x ow, kernels r x s. In
 * groups the k / groups outputs of a group read the c / groups inputs of that group alone; weights
 * are [k, c / groups, r, s].
 * The forward pass and the input gradient are the same loop over a different geometry: panels are
 * packed straight from the source image, so the column matrix of im2col never exists. Weights are
 * prepared (packed, or Winograd-transformed) once when they are constant. This is the one door:
 * conv.c chooses the method, the methods stand behind it (conv_method.h). */
#ifndef ENGINE_CONV_H
#define ENGINE_CONV_H

#include "engine.h"
#include "kernels.h"

enum { CONV_MOST_SIDE = 32 }; // largest r, s, stride and pad; patches of transformers have 32

typedef struct ConvShape {
    int64_t n, c, h, w, k, r, s, oh, ow;
    int     stride, pad;
    int64_t groups; // 0 or 1: every output reads every input
} ConvShape;

/* The third has functions of its own below. */
typedef enum ConvSide { CONV_FORWARD, CONV_INPUT_GRADIENT, CONV_WEIGHT_GRADIENT } ConvSide;

/* What happens to a result before it is stored: out = gate(relu(conv + bias + add)). Null: skipped.
 * `add` and `gate` have the shape of the result, bias one value a channel. relu and gate exclude
 * each other; `most` as in FinishRows. */
typedef struct ConvFinish {
    const real *bias, *add, *gate;
    bool        relu;
    real        most;
} ConvFinish;

/* AUTO becomes DIRECT or WINOGRAD. Depends on the layer's channels in (of a weight gradient: in and
 * out; of a group, where there are several), kernel and stride alone, never on the batch or the
 * number of units, so that one unit alone has the bits it has among all. */
ConvMethod conv_choose(ConvMethod wanted, const ConvShape *shape, ConvSide side);

/* `method` below is DIRECT or WINOGRAD. Sizes in reals. Scratch for one thread is enough where a
 * run is part of a task of another loop. */
size_t conv_prepared_size(const ConvShape *shape, ConvSide side, ConvMethod method);
void   conv_prepare(const ConvShape *shape, ConvSide side, ConvMethod method, const real *weights,
                    real *prepared);
size_t conv_scratch_size(const ConvShape *shape, ConvSide side, ConvMethod method, int threads);

/* FORWARD: from [n,c,h,w] to [n,k,oh,ow]; INPUT_GRADIENT: from [n,k,oh,ow] to [n,c,h,w]. */
void conv_run(const ConvShape *shape, ConvSide side, ConvMethod method, const real *prepared,
              const real *from, real *to, const ConvFinish *finish, real *scratch);

/* grad_w [k,c/groups,r,s] from x [n,c,h,w] and gy [n,k,oh,ow]. */
size_t conv_weight_scratch_size(const ConvShape *shape, ConvMethod method, int threads);
void   conv_weight_run(const ConvShape *shape, ConvMethod method, const real *x, const real *gy,
                       real *grad_w, real *scratch);

#endif
