/* engine/weight_reach.c - see weight_reach.h. */
#include "weight_reach.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <math.h>

enum { TAPS = 9, ALL_TAPS = (1 << TAPS) - 1, WORD_REALS = sizeof(uint64_t) / sizeof(real) };

static int64_t words_of(int64_t width)
{
    return panels_of(width, 64);
}

size_t weight_reach_size(const ConvShape *s)
{
    return (size_t)(s->c * s->h * words_of(s->w) + s->k * s->oh * words_of(s->ow) + 1) * WORD_REALS;
}

static void mark_rows(const real *plane, int64_t rows, int64_t width, uint64_t *to)
{
    for (int64_t i = 0; i < rows; i++, plane += width)
        for (int64_t first = 0; first < width; first += 64, to++) {
            *to = 0;
            for (int64_t j = first; j < width && j < first + 64; j++)
                *to |= (uint64_t)(plane[j] != 0) << (j - first); // NaN is not zero
        }
}

typedef struct MarkJob {
    const ConvShape *shape;
    const real      *x, *gy;
    uint64_t        *x_rows, *gy_rows;
} MarkJob;

static void mark_channel(void *data, int64_t channel, int thread)
{
    const MarkJob   *job = data;
    const ConvShape *s   = job->shape;
    int64_t          k   = channel - s->c;
    (void)thread;
    if (k < 0)
        mark_rows(job->x + channel * s->h * s->w, s->h, s->w,
                  job->x_rows + channel * s->h * words_of(s->w));
    else
        mark_rows(job->gy + k * s->oh * s->ow, s->oh, s->ow,
                  job->gy_rows + k * s->oh * words_of(s->ow));
}

WeightReach weight_reach_open(const ConvShape *s, const real *x, const real *gy, real *room)
{
    uintptr_t at    = (uintptr_t)room;
    uint64_t *words = (void *)(room + (at % sizeof(uint64_t) ? 1 : 0));
    MarkJob   job   = {s, x, gy, words, words + s->c * s->h * words_of(s->w)};
    parallel_for(s->c + s->k, mark_channel, &job);
    return (WeightReach){s, x, gy, job.x_rows, job.gy_rows};
}

/* Pixels j of a row of x that stand at column j - shift of gy's word. */
static uint64_t shifted(const uint64_t *row, int64_t words, int64_t word, int shift)
{
    if (shift == 0)
        return word < words ? row[word] : 0;
    if (shift > 0) {
        uint64_t low = word < words ? row[word] >> shift : 0;
        return low | (word + 1 < words ? row[word + 1] << (64 - shift) : 0);
    }
    uint64_t high = word < words ? row[word] << -shift : 0;
    return high | (word > 0 && word <= words ? row[word - 1] >> (64 + shift) : 0);
}

/* Taps of the first image that are reached. */
static unsigned taps_by_rows(const WeightReach *reach, int64_t c, int64_t k)
{
    const ConvShape *s       = reach->shape;
    int64_t          x_words = words_of(s->w), gy_words = words_of(s->ow);
    const uint64_t  *x     = reach->x_rows + c * s->h * x_words;
    const uint64_t  *g     = reach->gy_rows + k * s->oh * gy_words;
    unsigned         found = 0;
    for (int64_t i = 0; i < s->oh && found != ALL_TAPS; i++)
        for (int64_t word = 0; word < gy_words; word++)
            for (int r = 0; r < 3; r++) {
                int64_t y = i + r - s->pad;
                for (int t = 0; t < 3 && y >= 0 && y < s->h; t++)
                    if (shifted(x + y * x_words, x_words, word, t - s->pad) &
                        g[i * gy_words + word])
                        found |= 1u << (3 * r + t);
            }
    return found;
}

/* Whether some product of a tap in some image is not zero. */
static bool is_tap_reached(const WeightReach *reach, int64_t c, int64_t k, int64_t r, int64_t t)
{
    const ConvShape *s = reach->shape;
    for (int64_t image = 0; image < s->n; image++) {
        const real *x  = reach->x + (image * s->c + c) * s->h * s->w;
        const real *gy = reach->gy + (image * s->k + k) * s->oh * s->ow;
        for (int64_t i = 0; i < s->oh; i++) {
            int64_t y = i + r - s->pad;
            for (int64_t j = 0; j < s->ow && y >= 0 && y < s->h; j++) {
                int64_t at = j + t - s->pad;
                if (at >= 0 && at < s->w && x[y * s->w + at] != 0 && gy[i * s->ow + j] != 0)
                    return true;
            }
        }
    }
    return false;
}

void weight_reach_clear(const WeightReach *reach, int64_t c, int64_t k, int64_t count, real *taps,
                        int64_t stride)
{
    for (int64_t i = 0; i < count; i++) {
        unsigned found = taps_by_rows(reach, c, k + i);
        for (int tap = 0; tap < TAPS && found != ALL_TAPS; tap++) {
            real *value = &taps[tap * stride + i];
            if (!(found >> tap & 1) && *value != 0 && isfinite((double)*value) &&
                !is_tap_reached(reach, c, k + i, tap / 3, tap % 3))
                *value = 0;
        }
    }
}
