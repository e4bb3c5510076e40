#define SIMD_AVX2
#define PEAK peak_avx2
#include "peak_body.h"
