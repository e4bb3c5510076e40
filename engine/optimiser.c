/* engine/optimiser.c - one step on one tensor. */
#include "optimiser.h"

#include <math.h>

static void sgd_step(const Optimiser *o, double rate, int64_t count, const real *gradient,
                     real *weight, real *velocity)
{
    for (int64_t i = 0; i < count; i++) {
        real slope  = gradient[i] + (real)o->weight_decay * weight[i];
        velocity[i] = (real)o->momentum * velocity[i] + slope;
        weight[i] -=
            (real)rate * (o->nesterov ? slope + (real)o->momentum * velocity[i] : velocity[i]);
    }
}

static void decay(double share, int64_t count, real *weight)
{
    for (int64_t i = 0; i < count; i++)
        weight[i] *= (real)(1 - share);
}

/* Both moments start at zero; dividing by 1 - beta^step takes that bias away. */
static void adam_step(const Optimiser *o, double rate, int64_t step, int64_t count,
                      const real *gradient, real *weight, real *first, real *second)
{
    double bias1 = 1 - pow(o->momentum, (double)step), bias2 = 1 - pow(o->beta2, (double)step);
    for (int64_t i = 0; i < count; i++) {
        real slope  = gradient[i] + (real)o->weight_decay * weight[i];
        first[i]    = (real)o->momentum * first[i] + (real)(1 - o->momentum) * slope;
        second[i]   = (real)o->beta2 * second[i] + (real)(1 - o->beta2) * slope * slope;
        double root = sqrt((double)second[i] / bias2) + o->epsilon;
        weight[i] -= (real)(rate * ((double)first[i] / bias1) / root);
    }
}

void optimiser_step(const Optimiser *optimiser, double rate, int64_t step, int64_t count,
                    const real *gradient, real *weight, real *first, real *second)
{
    if (optimiser->kind == OPTIMISER_SGD)
        sgd_step(optimiser, rate, count, gradient, weight, first);
    if (optimiser->kind == OPTIMISER_ADAM)
        adam_step(optimiser, rate, step, count, gradient, weight, first, second);
    if (optimiser->kind == OPTIMISER_ADAMW) {
        Optimiser plain    = *optimiser;
        plain.weight_decay = 0;
        decay(rate * optimiser->weight_decay, count, weight);
        adam_step(&plain, rate, step, count, gradient, weight, first, second);
    }
}
