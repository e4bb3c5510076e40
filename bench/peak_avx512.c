#define SIMD_AVX512
#define PEAK peak_avx512
#include "peak_body.h"
