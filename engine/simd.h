/* engine/simd.h - the few vector primitives the kernel text needs, one section per instruction set.
 *
 * Vec is a compiler vector of LANES floats, so + - * and comparisons are written as on scalars;
 * only the fused multiply-add and the stride-4 shuffles are spelled per set. Included by isa_*.c
 * alone. */
#ifndef ENGINE_SIMD_H
#define ENGINE_SIMD_H

#include <stdint.h>
#include <string.h>

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined SIMD_AVX512
#include <immintrin.h>
enum { LANES = 16 };
#elif defined SIMD_AVX2
#include <immintrin.h>
enum { LANES = 8 };
#elif defined SIMD_NEON
#include <arm_neon.h>
enum { LANES = 4 };
#else
enum { LANES = 4 };
#endif

#ifdef REAL_IS_DOUBLE
typedef double  Vec __attribute__((vector_size(LANES * 8)));
typedef int64_t VecInt __attribute__((vector_size(LANES * 8)));
#else
typedef float   Vec __attribute__((vector_size(LANES * 4)));
typedef int32_t VecInt __attribute__((vector_size(LANES * 4)));
#endif

/* Half as many doubles fill a register. */
typedef real    VecHalf __attribute__((vector_size(LANES / 2 * sizeof(real))));
typedef double  VecDouble __attribute__((vector_size(LANES / 2 * 8)));
typedef int64_t VecLong __attribute__((vector_size(LANES / 2 * 8)));

static inline __attribute__((always_inline)) VecDouble vec_widened(const real *p)
{
    VecHalf half;
    memcpy(&half, p, sizeof half);
    return __builtin_convertvector(half, VecDouble);
}

static inline __attribute__((always_inline)) VecDouble wide_fma(VecDouble a, VecDouble b,
                                                                VecDouble c)
{
#if defined SIMD_AVX512
    return (VecDouble)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined SIMD_AVX2
    return (VecDouble)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined SIMD_NEON
    return (VecDouble)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

static inline __attribute__((always_inline)) Vec vec_load(const real *p)
{
    Vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline __attribute__((always_inline)) void vec_store(real *p, Vec v)
{
    memcpy(p, &v, sizeof v);
}

/* A store past the caches where p allows it; a fence makes it visible to other threads. */
static inline __attribute__((always_inline)) void vec_stream(real *p, Vec v)
{
#if defined SIMD_AVX512
    _mm512_stream_ps(p, (__m512)v);
#elif defined SIMD_AVX2
    _mm256_stream_ps(p, (__m256)v);
#else
    vec_store(p, v);
#endif
}

/* Minus zero, not plus: x - 0 is x for every x, so a plain broadcast from memory is left of it. */
static inline __attribute__((always_inline)) Vec vec_all(real x)
{
    return x - (Vec){0};
}

/* a where the mask is set, else b. */
static inline __attribute__((always_inline)) Vec vec_select(VecInt mask, Vec a, Vec b)
{
    return (Vec)((mask & (VecInt)a) | (~mask & (VecInt)b));
}

/* `least` where x is less, else x, also where that is no number. */
static inline __attribute__((always_inline)) Vec vec_at_least(Vec x, Vec least)
{
#if defined SIMD_AVX512
    return (Vec)_mm512_max_ps((__m512)least, (__m512)x);
#elif defined SIMD_AVX2
    return (Vec)_mm256_max_ps((__m256)least, (__m256)x);
#else
    return vec_select(x < least, least, x);
#endif
}

static inline __attribute__((always_inline)) Vec vec_at_most(Vec x, Vec most)
{
#if defined SIMD_AVX512
    return (Vec)_mm512_min_ps((__m512)most, (__m512)x);
#elif defined SIMD_AVX2
    return (Vec)_mm256_min_ps((__m256)most, (__m256)x);
#else
    return vec_select(x > most, most, x);
#endif
}

static inline __attribute__((always_inline)) Vec vec_fma(Vec a, Vec b, Vec c)
{
#if defined SIMD_AVX512
    return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined SIMD_AVX2
    return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined SIMD_NEON
    return (Vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

/* Bit i: whether lane i is other than zero, as NaN is. */
static inline __attribute__((always_inline)) unsigned vec_nonzero(Vec v)
{
#if defined SIMD_AVX512
    return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
#elif defined SIMD_AVX2
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)v, _mm256_setzero_ps(), _CMP_NEQ_UQ));
#elif defined SIMD_NEON
    uint32x4_t bit = {1, 2, 4, 8};
    return vaddvq_u32(vbicq_u32(bit, vceqzq_f32((float32x4_t)v)));
#else
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++)
        bits |= (unsigned)(v[i] != 0) << i;
    return bits;
#endif
}

/* The inverse: all ones in lane i where bit i is set. */
static inline __attribute__((always_inline)) VecInt vec_lanes(unsigned bits)
{
    VecInt bit                                    = {0};
    UNROLL for (int i = 0; i < LANES; i++) bit[i] = 1 << i;
    return (((VecInt){0} + (int)bits) & bit) != 0;
}

/* The sum of the lanes: the upper half is added to the lower one until one lane is left. */
static inline __attribute__((always_inline)) real vec_total(Vec v)
{
#if defined SIMD_AVX512 || defined SIMD_AVX2
#if defined                        SIMD_AVX512
    __m256 eight = _mm512_castps512_ps256((__m512)v) + _mm512_extractf32x8_ps((__m512)v, 1);
#else
    __m256 eight = (__m256)v;
#endif
    __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
    __m128 two  = four + _mm_movehl_ps(four, four);
    return two[0] + two[1];
#else
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

/* The first n reals at p, the rest zero, none for a negative n; writes the first n. */
static inline __attribute__((always_inline)) Vec vec_load_some(const real *p, int64_t n)
{
#if defined SIMD_AVX512
    return (Vec)_mm512_maskz_loadu_ps((__mmask16)(n >= LANES ? 0xFFFF
                                                  : n < 0    ? 0
                                                             : (1 << n) - 1),
                                      p);
#elif defined SIMD_AVX2
    __m256i inside = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n > LANES ? LANES : n)),
                                        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return (Vec)_mm256_maskload_ps(p, inside);
#else
    Vec v = {0};
    if (n >= LANES)
        return vec_load(p);
    UNROLL for (int i = 0; i < LANES - 1; i++) if (i < n) v[i] = p[i];
    return v;
#endif
}

/* The first half of a vector, or n reals and zeros if that is fewer. */
static inline __attribute__((always_inline)) VecHalf half_load(const real *p, int64_t n)
{
    VecHalf half;
    Vec     some = n < LANES / 2 ? vec_load_some(p, n) : (Vec){0};
    memcpy(&half, n < LANES / 2 ? (const void *)&some : (const void *)p, sizeof half);
    return half;
}

static inline __attribute__((always_inline)) void vec_store_some(real *p, Vec v, int64_t n)
{
#if defined SIMD_AVX512
    _mm512_mask_storeu_ps(p, (__mmask16)(n >= LANES ? 0xFFFF : (1 << n) - 1), (__m512)v);
#else
    if (n >= LANES)
        vec_store(p, v);
    for (int i = 0; n < LANES && i < n; i++)
        p[i] = v[i];
#endif
}

/* Every other real, LANES of them, from p[0..LANES-1] and p[LANES-1..2*LANES-2]. */
static inline __attribute__((always_inline)) Vec vec_even_of(Vec low, Vec high)
{
#if defined SIMD_AVX512
    __m512i pick = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
    return (Vec)_mm512_permutex2var_ps((__m512)low, pick, (__m512)high);
#elif defined SIMD_AVX2
    return (Vec)_mm256_permute4x64_pd((__m256d)_mm256_shuffle_ps((__m256)low, (__m256)high, 0xD8),
                                      0xD8);
#elif defined SIMD_NEON
    return (Vec)vcombine_f32(vget_low_f32(vuzp1q_f32((float32x4_t)low, (float32x4_t)low)),
                             vget_low_f32(vuzp2q_f32((float32x4_t)high, (float32x4_t)high)));
#else
    Vec v = {0};
    for (int i = 0; i < LANES; i++)
        v[i] = 2 * i < LANES ? low[2 * i] : high[2 * i - LANES + 1];
    return v;
#endif
}

/* p[0], p[2], ...: LANES of them, or n and zeros; none past the last is read. */
static inline __attribute__((always_inline)) Vec vec_even(const real *p)
{
    return vec_even_of(vec_load(p), vec_load(p + LANES - 1));
}

static inline __attribute__((always_inline)) Vec vec_even_some(const real *p, int64_t n)
{
    return vec_even_of(vec_load_some(p, 2 * n - 1), vec_load_some(p + LANES - 1, 2 * n - LANES));
}

/* p[2i] = even[i], p[2i + 1] = odd[i]. */
static inline __attribute__((always_inline)) void vec_weave(real *p, Vec even, Vec odd)
{
#if defined SIMD_AVX512
    __m512i low  = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    _mm512_storeu_ps(p, _mm512_permutex2var_ps((__m512)even, low, (__m512)odd));
    _mm512_storeu_ps(p + 16, _mm512_permutex2var_ps((__m512)even, high, (__m512)odd));
#elif defined SIMD_AVX2
    __m256 low  = _mm256_unpacklo_ps((__m256)even, (__m256)odd);
    __m256 high = _mm256_unpackhi_ps((__m256)even, (__m256)odd);
    _mm256_storeu_ps(p, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(low, high, 0x31));
#else
    for (int i = 0; i < LANES; i++) {
        p[2 * i]     = even[i];
        p[2 * i + 1] = odd[i];
    }
#endif
}

/* Four reals from each of LANES / 4 rows. */
static inline __attribute__((always_inline)) Vec vec_fours(const real *p, int64_t step)
{
#if defined SIMD_AVX512
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(p));
    v        = _mm512_insertf32x4(v, _mm_loadu_ps(p + step), 1);
    v        = _mm512_insertf32x4(v, _mm_loadu_ps(p + 2 * step), 2);
    return (Vec)_mm512_insertf32x4(v, _mm_loadu_ps(p + 3 * step), 3);
#elif defined SIMD_AVX2
    return (Vec)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)),
                                     _mm_loadu_ps(p + step), 1);
#else
    (void)step;
    return vec_load(p);
#endif
}

/* Lanes one further down; the last is *next. */
static inline __attribute__((always_inline)) Vec vec_next(Vec v, const real *next)
{
#if defined SIMD_AVX512
    return (Vec)_mm512_alignr_epi32((__m512i)vec_all(*next), (__m512i)v, 1);
#elif defined SIMD_AVX2
    __m256i turned = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0);
    return (Vec)_mm256_blend_ps(_mm256_permutevar8x32_ps((__m256)v, turned),
                                _mm256_broadcast_ss(next), 0x80);
#elif defined SIMD_NEON
    return (Vec)vextq_f32((float32x4_t)v, vdupq_n_f32(*next), 1);
#else
    Vec out = {0};
    for (int i = 0; i < LANES; i++)
        out[i] = i + 1 < LANES ? v[i + 1] : *next;
    return out;
#endif
}

/* out[j] = elements j, j+4, j+8, ... of the 4 * LANES reals in v. */
static inline __attribute__((always_inline)) void vec_spread4(const Vec v[4], Vec out[4])
{
#if defined SIMD_AVX512
    // Even and odd elements of neighbours first, then again: two levels of two-source permutes.
    __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512i odd  = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    __m512  e0   = _mm512_permutex2var_ps((__m512)v[0], even, (__m512)v[1]);
    __m512  e1   = _mm512_permutex2var_ps((__m512)v[2], even, (__m512)v[3]);
    __m512  o0   = _mm512_permutex2var_ps((__m512)v[0], odd, (__m512)v[1]);
    __m512  o1   = _mm512_permutex2var_ps((__m512)v[2], odd, (__m512)v[3]);
    out[0]       = (Vec)_mm512_permutex2var_ps(e0, even, e1);
    out[1]       = (Vec)_mm512_permutex2var_ps(o0, even, o1);
    out[2]       = (Vec)_mm512_permutex2var_ps(e0, odd, e1);
    out[3]       = (Vec)_mm512_permutex2var_ps(o0, odd, o1);
#elif defined SIMD_AVX2
    // Rows of four reals are a 8x4 matrix; transpose it inside 128-bit halves.
    __m256 r0 = _mm256_permute2f128_ps((__m256)v[0], (__m256)v[2], 0x20);
    __m256 r1 = _mm256_permute2f128_ps((__m256)v[0], (__m256)v[2], 0x31);
    __m256 r2 = _mm256_permute2f128_ps((__m256)v[1], (__m256)v[3], 0x20);
    __m256 r3 = _mm256_permute2f128_ps((__m256)v[1], (__m256)v[3], 0x31);
    __m256 a0 = _mm256_unpacklo_ps(r0, r1), a1 = _mm256_unpackhi_ps(r0, r1);
    __m256 a2 = _mm256_unpacklo_ps(r2, r3), a3 = _mm256_unpackhi_ps(r2, r3);
    out[0]    = (Vec)_mm256_shuffle_ps(a0, a2, 0x44);
    out[1]    = (Vec)_mm256_shuffle_ps(a0, a2, 0xEE);
    out[2]    = (Vec)_mm256_shuffle_ps(a1, a3, 0x44);
    out[3]    = (Vec)_mm256_shuffle_ps(a1, a3, 0xEE);
#else
    for (int j = 0; j < 4; j++) {
        Vec lanes = {0};
        for (int t = 0; t < LANES; t++)
            lanes[t] = v[(4 * t + j) / LANES][(4 * t + j) % LANES];
        out[j] = lanes;
    }
#endif
}

/* The inverse: p[4t + j] = in[j][t]. */
static inline __attribute__((always_inline)) void vec_collect4(real *p, const Vec in[4])
{
#if defined SIMD_AVX512
    __m512i low  = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    __m512  a0   = _mm512_permutex2var_ps((__m512)in[0], low, (__m512)in[2]);
    __m512  a1   = _mm512_permutex2var_ps((__m512)in[0], high, (__m512)in[2]);
    __m512  b0   = _mm512_permutex2var_ps((__m512)in[1], low, (__m512)in[3]);
    __m512  b1   = _mm512_permutex2var_ps((__m512)in[1], high, (__m512)in[3]);
    _mm512_storeu_ps(p, _mm512_permutex2var_ps(a0, low, b0));
    _mm512_storeu_ps(p + 16, _mm512_permutex2var_ps(a0, high, b0));
    _mm512_storeu_ps(p + 32, _mm512_permutex2var_ps(a1, low, b1));
    _mm512_storeu_ps(p + 48, _mm512_permutex2var_ps(a1, high, b1));
#elif defined SIMD_AVX2
    __m256 a0 = _mm256_unpacklo_ps((__m256)in[0], (__m256)in[1]);
    __m256 a1 = _mm256_unpackhi_ps((__m256)in[0], (__m256)in[1]);
    __m256 a2 = _mm256_unpacklo_ps((__m256)in[2], (__m256)in[3]);
    __m256 a3 = _mm256_unpackhi_ps((__m256)in[2], (__m256)in[3]);
    __m256 r0 = _mm256_shuffle_ps(a0, a2, 0x44), r1 = _mm256_shuffle_ps(a0, a2, 0xEE);
    __m256 r2 = _mm256_shuffle_ps(a1, a3, 0x44), r3 = _mm256_shuffle_ps(a1, a3, 0xEE);
    _mm256_storeu_ps(p, _mm256_permute2f128_ps(r0, r1, 0x20));
    _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(r2, r3, 0x20));
    _mm256_storeu_ps(p + 16, _mm256_permute2f128_ps(r0, r1, 0x31));
    _mm256_storeu_ps(p + 24, _mm256_permute2f128_ps(r2, r3, 0x31));
#elif defined SIMD_NEON
    vst4q_f32(p, (float32x4x4_t){{(float32x4_t)in[0], (float32x4_t)in[1], (float32x4_t)in[2],
                                  (float32x4_t)in[3]}});
#else
    for (int j = 0; j < 4; j++)
        for (int t = 0; t < LANES; t++)
            p[4 * t + j] = in[j][t];
#endif
}

#endif
