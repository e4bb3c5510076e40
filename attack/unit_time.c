/* attack/unit_time.c - how long a pass of an attack takes on this machine, measured. */
#include "unit_network.h"

bool unit_attack_seconds(const AttackSetup *setup, int64_t unit, double *seconds, Error *error)
{
    enum { RUNS = 3 };
    const ActivationSource *layer   = &setup->inputs->layer;
    UnitNetwork             network = {0};
    int64_t                 batch   = unit_batch(setup);
    double                  least   = 0;
    size_t size = PIXEL_CHANNELS * (size_t)(batch * layer->image_height * layer->image_width);
    real  *x    = memory_new(size, sizeof *x, error);
    bool   ok   = x && unit_network_open(&network, &setup->builder, unit, layer->batch,
                                         layer->image_height, layer->image_width, error);
    for (size_t i = 0; ok && i < size; i++)
        x[i] = (real)(i % 251) / 251;
    for (int i = 0; ok && i < RUNS; i++) {
        double begin = clock_seconds();
        pgd_gradient(network.pgd, x);
        double took = clock_seconds() - begin;
        least       = i == 0 || took < least ? took : least;
    }
    unit_network_close(&network);
    memory_free(x);
    *seconds = least / (3 * (double)batch);
    return ok;
}
