/* bench/peak.h - a loop of fused multiply-adds on registers alone, one text per instruction set. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include "../base/base.h"

enum {
    PEAK_CHAINS = 12
}; // independent sums: latency times width of any machine here, and no spills

/* rounds * PEAK_CHAINS multiply-adds of whole vectors; out: room for one vector. */
typedef void PeakLoop(int64_t rounds, real *out);
PeakLoop     peak_portable, peak_avx2, peak_avx512, peak_neon;

#endif
