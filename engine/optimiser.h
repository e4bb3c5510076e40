/* engine/optimiser.h - one step down a gradient: of weights in a training, of pixels in an attack
 * on a map. */
#ifndef ENGINE_OPTIMISER_H
#define ENGINE_OPTIMISER_H

#include "../base/base.h"

typedef enum OptimiserKind {
    OPTIMISER_SGD,  // v = momentum v + g; w -= rate v
    OPTIMISER_ADAM, // Kingma and Ba, ICLR 2015, algorithm 1, with beta1 = momentum
    OPTIMISER_ADAMW // the same with decay apart: Loshchilov and Hutter, ICLR 2019, algorithm 2
} OptimiserKind;
#define OPTIMISER_NAMES "sgd|adam|adamw"

typedef struct Optimiser {
    OptimiserKind kind;
    double        rate;         // of the first step
    double        momentum;     // 0.9
    double        beta2;        // 0.999; Adam and AdamW only
    double        epsilon;      // 1e-8; likewise
    double        weight_decay; // added to the gradient: g + weight_decay w; AdamW: taken from the
                                // weights, w -= rate weight_decay w
    bool nesterov; // SGD only: w -= rate (g + momentum v) (Sutskever et al., ICML 2013)
} Optimiser;

/* One step on `count` weights, as PyTorch's optimisers take it, in float32 with double constants.
 * `step` counts from 1; `first` and `second` are the running moments (SGD leaves `second` alone,
 * NULL allowed). */
void optimiser_step(const Optimiser *optimiser, double rate, int64_t step, int64_t count,
                    const real *gradient, real *weight, real *first, real *second);

#endif
