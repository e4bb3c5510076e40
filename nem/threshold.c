/* nem/threshold.c - see threshold.h. */
#include "threshold.h"

#include <math.h>
#include <string.h>

/* The mid-point rule (D4): h = p n + 1/2 counts ranks from 1; between v_k and v_k+1, k = floor(h),
 * the quantile is linear; below v_1 and above v_n it is flat. p = entry / (entries - 1), so 2 h is
 * a ratio of whole numbers and k is exact. */
QuantileRank quantile_rank(int entry, int entries, int64_t n)
{
    int64_t below  = entries - 1;
    int64_t twice  = 2 * entry * n + below; // 2 (entries - 1) h
    int64_t k      = twice / (2 * below);
    double  beyond = (double)(twice - 2 * below * k) / (double)(2 * below);
    if (k < 1)
        return (QuantileRank){.keep = n, .fraction = 0};
    if (k >= n)
        return (QuantileRank){.keep = 1, .fraction = 0};
    return (QuantileRank){.keep = n - k + 1, .fraction = beyond};
}

bool top_open(TopValues *top, int64_t keep, int64_t n, Error *error)
{
    int64_t room = keep <= n / 2 ? 2 * keep : n;
    *top         = (TopValues){.keep = keep, .capacity = room, .bound = -INFINITY};
    top->values  = memory_new((size_t)room, sizeof *top->values, error);
    return top->values != NULL;
}

void top_close(TopValues *top)
{
    memory_free(top->values);
    *top = (TopValues){0};
}

/* ---- selection: linear whatever the values, so no input can make it slow --------------------- */

// A float as a whole number that sorts the same way.
static uint32_t order_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// The rank-th largest of the values (1: the largest), byte by byte from the top.
static uint32_t order_select(const float *values, int64_t count, int64_t rank)
{
    uint32_t prefix = 0, mask = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        int64_t  histogram[256] = {0};
        uint32_t digit          = 255;
        for (int64_t i = 0; i < count; i++) {
            uint32_t order = order_of(values[i]);
            histogram[(order >> shift) & 255] += (order & mask) == prefix;
        }
        for (; rank > histogram[digit]; digit--)
            rank -= histogram[digit];
        prefix |= digit << shift;
        mask |= 255u << shift;
    }
    return prefix;
}

// Leaves the keep largest values and raises the bound to the least of them. Returns how many are
// larger than that; they come first.
static int64_t settle(TopValues *top)
{
    uint32_t least  = order_select(top->values, top->count, top->keep);
    int64_t  larger = 0;
    for (int64_t i = 0; i < top->count; i++) {
        float    value = top->values[i];
        uint32_t order = order_of(value);
        if (order == least)
            top->bound = value;
        if (order > least) {
            top->values[i]        = top->values[larger];
            top->values[larger++] = value;
        }
    }
    for (int64_t i = larger; i < top->keep; i++)
        top->values[i] = top->bound;
    top->count = top->keep;
    return larger;
}

void top_add(TopValues *top, const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!(values[i] > top->bound))
            continue;
        if (top->count == top->capacity)
            settle(top);
        top->values[top->count] = values[i] + 0.0f; // -0 becomes 0: equal values have equal bits
        top->count += values[i] > top->bound;       // settling may have raised the bound
    }
}

void top_trim(TopValues *top)
{
    if (top->count > top->keep)
        settle(top);
}

float top_quantile(TopValues *top, QuantileRank rank)
{
    int64_t larger = settle(top);
    double  value = (double)top->bound, next = value;
    if (larger == rank.keep - 1 && larger > 0) {
        next = (double)top->values[0];
        for (int64_t i = 1; i < larger; i++)
            next = (double)top->values[i] < next ? (double)top->values[i] : next;
    }
    return (float)(value + rank.fraction * (next - value));
}

enum { LANES = 16 };

float values_maximum(const float *values, int64_t count, bool *finite)
{
    float largest[LANES], zero[LANES] = {0}; // x * 0 is 0 exactly when x is finite
    for (int lane = 0; lane < LANES; lane++)
        largest[lane] = -INFINITY;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            float value   = values[i + lane];
            largest[lane] = value > largest[lane] ? value : largest[lane];
            zero[lane] += value * 0.0f;
        }
    for (; i < count; i++) {
        largest[0] = values[i] > largest[0] ? values[i] : largest[0];
        zero[0] += values[i] * 0.0f;
    }
    for (int lane = 1; lane < LANES; lane++) {
        largest[0] = largest[lane] > largest[0] ? largest[lane] : largest[0];
        zero[0] += zero[lane];
    }
    *finite = zero[0] == 0.0f;
    return largest[0];
}
