/* image/jpeg_dct.c - the 8x8 DCT and its inverse in whole numbers, libjpeg's "slow integer" kind.
 *
 * Both are the 11-multiplication flow graph applied to rows and to columns, with constants of 13
 * fractional bits and 2 more bits kept between the passes. Results are part of the contract:
 * decoded pixels and encoded files equal those of libjpeg bit for bit, so the order of the
 * roundings matters. Source: Loeffler, Ligtenberg, Moschytz, "Practical fast 1-D DCT algorithms
 * with 11 multiplications", ICASSP 1989. */
#include "jpeg.h"

enum { CONST_BITS = 13, PASS_BITS = 2 };

enum { // round(x * 2^13)
    C_0_298631336 = 2446,
    C_0_390180644 = 3196,
    C_0_541196100 = 4433,
    C_0_765366865 = 6270,
    C_0_899976223 = 7373,
    C_1_175875602 = 9633,
    C_1_501321110 = 12299,
    C_1_847759065 = 15137,
    C_1_961570560 = 16069,
    C_2_053119869 = 16819,
    C_2_562915447 = 20995,
    C_3_072711026 = 25172
};

static inline int64_t scaled_down(int64_t value, int bits)
{
    return (value + (INT64_C(1) << (bits - 1))) >> bits;
}

/* The four odd outputs (forward) or their contributions (inverse) share this rotation. t[k] are
 * replaced by the sums, scaled by 2^13. */
static inline void rotate_odd(int64_t t[4])
{
    int64_t z1 = t[0] + t[3], z2 = t[1] + t[2], z3 = t[0] + t[2], z4 = t[1] + t[3];
    int64_t z5 = (z3 + z4) * C_1_175875602;
    z1 *= -C_0_899976223;
    z2 *= -C_2_562915447;
    z3   = z5 - z3 * C_1_961570560;
    z4   = z5 - z4 * C_0_390180644;
    t[0] = t[0] * C_0_298631336 + z1 + z3;
    t[1] = t[1] * C_2_053119869 + z2 + z4;
    t[2] = t[2] * C_3_072711026 + z2 + z3;
    t[3] = t[3] * C_1_501321110 + z1 + z4;
}

/* ---- forward --------------------------------------------------------------------------------- */

// Eight values `step` apart, in place; the first pass keeps PASS_BITS more bits than it was given.
static inline void forward_pass(int32_t *x, int step, bool first)
{
    int     down = first ? CONST_BITS - PASS_BITS : CONST_BITS + PASS_BITS;
    int64_t s[4], t[4];
    for (int k = 0; k < 4; k++) {
        s[k]     = x[k * step] + x[(7 - k) * step];
        t[3 - k] = x[k * step] - x[(7 - k) * step];
    }
    int64_t even0 = s[0] + s[3], even1 = s[1] + s[2], odd0 = s[0] - s[3], odd1 = s[1] - s[2];
    int64_t middle = (odd0 + odd1) * C_0_541196100;
    if (first) {
        x[0]        = (int32_t)((even0 + even1) * (1 << PASS_BITS));
        x[4 * step] = (int32_t)((even0 - even1) * (1 << PASS_BITS));
    } else {
        x[0]        = (int32_t)scaled_down(even0 + even1, PASS_BITS);
        x[4 * step] = (int32_t)scaled_down(even0 - even1, PASS_BITS);
    }
    x[2 * step] = (int32_t)scaled_down(middle + odd0 * C_0_765366865, down);
    x[6 * step] = (int32_t)scaled_down(middle - odd1 * C_1_847759065, down);
    rotate_odd(t);
    for (int k = 0; k < 4; k++)
        x[(7 - 2 * k) * step] = (int32_t)scaled_down(t[k], down);
}

void jpeg_forward_dct(const uint8_t *samples, size_t stride, int32_t coefs[64])
{
    for (size_t y = 0; y < 8; y++)
        for (size_t x = 0; x < 8; x++)
            coefs[8 * y + x] = samples[y * stride + x] - 128;
    for (int y = 0; y < 8; y++)
        forward_pass(coefs + 8 * y, 1, true);
    for (int x = 0; x < 8; x++)
        forward_pass(coefs + x, 8, false);
}

/* ---- inverse --------------------------------------------------------------------------------- */

// out[k] for k = 0..7 from eight coefficients, scaled by 2^13.
static inline void inverse_pass(const int64_t in[8], int64_t out[8])
{
    int64_t middle  = (in[2] + in[6]) * C_0_541196100;
    int64_t low     = middle - in[6] * C_1_847759065;
    int64_t high    = middle + in[2] * C_0_765366865;
    int64_t sum     = (in[0] + in[4]) * (1 << CONST_BITS);
    int64_t rest    = (in[0] - in[4]) * (1 << CONST_BITS);
    int64_t even[4] = {sum + high, rest + low, rest - low, sum - high};
    int64_t odd[4]  = {in[7], in[5], in[3], in[1]};
    rotate_odd(odd);
    for (int k = 0; k < 4; k++) {
        out[k]     = even[k] + odd[3 - k];
        out[7 - k] = even[k] - odd[3 - k];
    }
}

static inline uint8_t to_sample(int64_t value)
{
    value += 128;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void jpeg_inverse_dct(const int16_t coefs[64], const uint16_t quant[64], uint8_t *samples,
                      size_t stride)
{
    int64_t between[64], in[8], out[8];
    for (int x = 0; x < 8; x++) {
        const int16_t *c = coefs + x;
        if (!(c[8] | c[16] | c[24] | c[32] | c[40] | c[48] | c[56])) { // flat: same result, sooner
            int64_t value = (int64_t)c[0] * quant[x] * (1 << PASS_BITS);
            for (int y = 0; y < 8; y++)
                between[8 * y + x] = value;
            continue;
        }
        for (int y = 0; y < 8; y++)
            in[y] = (int64_t)c[8 * y] * quant[8 * y + x];
        inverse_pass(in, out);
        for (int y = 0; y < 8; y++)
            between[8 * y + x] = scaled_down(out[y], CONST_BITS - PASS_BITS);
    }
    for (int y = 0; y < 8; y++, samples += stride) {
        const int64_t *row = between + 8 * y;
        if (!(row[1] | row[2] | row[3] | row[4] | row[5] | row[6] | row[7])) {
            uint8_t value = to_sample(scaled_down(row[0], PASS_BITS + 3));
            for (int x = 0; x < 8; x++)
                samples[x] = value;
            continue;
        }
        inverse_pass(row, out);
        for (int x = 0; x < 8; x++)
            samples[x] = to_sample(scaled_down(out[x], CONST_BITS + PASS_BITS + 3));
    }
}
