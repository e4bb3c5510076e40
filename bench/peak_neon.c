#define SIMD_NEON
#define PEAK peak_neon
#include "peak_body.h"
