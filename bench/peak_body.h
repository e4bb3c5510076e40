/* bench/peak_body.h - the text of every bench/peak_*.c, which define SIMD_<set> and PEAK before. */
#include "peak.h"

#include "../engine/simd.h"

void PEAK(int64_t rounds, real *out)
{
    const real factor = (real)0.999, term = (real)0.001; // every sum tends to 1: no odd numbers
    Vec        sum[PEAK_CHAINS], total    = {0};
    UNROLL for (int i = 0; i < PEAK_CHAINS; i++) sum[i] = vec_all((real)i);
    for (int64_t round = 0; round < rounds; round++)
        UNROLL for (int i = 0; i < PEAK_CHAINS; i++) sum[i] =
            vec_fma(sum[i], vec_all(factor), vec_all(term));
    UNROLL for (int i = 0; i < PEAK_CHAINS; i++) total += sum[i];
    vec_store(out, total);
}
