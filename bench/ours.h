/* bench/ours.h - our side of the work that is measured in turns with another program. */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include "bench.h"

#include "../engine/gemm.h"

typedef struct Case {
    const char *arch, *upto; // NULL: a product
    bool        input_gradient, is_training, is_aligned, is_map_attack;
    int64_t     batch, m, n, k;
    const char *peers; // who can do this
} Case;

typedef struct Ours {
    Options     options;
    WeightBlob *blob;
    Model       model;
    TrainWork   train;
    MapWork     attack;
    Gemm        gemm;
    real       *a, *b, *c, *scratch;
    double      flops; // of a run
    Work       *work;
    void       *data;
} Ours;

/* Writes what both sides work on into `folder`: weights.nw and pixels.f32 (of an attack on a map
 * moved.f32 too), or a.f32 and b.f32. */
bool ours_open(Ours *ours, const Case *one, const char *folder, ConvMethod conv, Error *error);
void ours_close(Ours *ours); // accepts a zeroed object

size_t       ours_bytes(const Ours *ours); // of the plan; 0: there is none
const Error *ours_error(const Ours *ours); // of a run

/* sqrt(sum (a - b)^2 / sum b^2), b what the peer left in output.f32; -1: there is nothing to
 * compare. Of an attack on a map the larger one of its loss and of its gradient. */
bool ours_distance(const Ours *ours, const Case *one, const char *folder, double *out,
                   Error *error);

#endif
