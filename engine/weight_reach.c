/* engine/weight_reach.c - see weight_reach.h. */
#include "weight_reach.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <math.h>
#include <string.h>

enum { TAPS = 9, ALL_TAPS = (1 << TAPS) - 1 };

/* Planes of x or of gy, and a bit for each pixel that is not zero: [channel][image][row][word]. */
typedef struct Marks {
    int64_t     channels, height, width, words;
    const real *planes;
    uint64_t   *rows;
    uint8_t    *is_open; // [channel]: some tap is not known to be reached
} Marks;

typedef struct Reach {
    const ConvShape *shape;
    Marks            x, gy;
    uint16_t        *taps; // [channel of x][channel of gy]: bit 3 r + s
} Reach;

static int64_t words_for(int64_t bytes)
{
    return panels_of(bytes, (int64_t)sizeof(uint64_t));
}

static int64_t marks_size(const ConvShape *s, const Marks *m)
{
    return m->channels * s->n * m->height * m->words;
}

static Reach reach_of(const ConvShape *s, const real *x, const real *gy, void *room)
{
    Reach r      = {.shape = s,
                    .x     = {s->c, s->h, s->w, panels_of(s->w, 64), x, NULL, NULL},
                    .gy    = {s->k, s->oh, s->ow, panels_of(s->ow, 64), gy, NULL, NULL}};
    r.taps       = room;
    r.x.rows     = (uint64_t *)room + words_for(s->c * s->k * (int64_t)sizeof *r.taps);
    r.gy.rows    = r.x.rows + marks_size(s, &r.x);
    r.x.is_open  = (void *)(r.gy.rows + marks_size(s, &r.gy));
    r.gy.is_open = r.x.is_open + s->c;
    return r;
}

size_t weight_reach_size(const ConvShape *s)
{
    Reach   r     = reach_of(s, NULL, NULL, NULL);
    int64_t words = words_for(s->c * s->k * (int64_t)sizeof *r.taps) + marks_size(s, &r.x) +
                    marks_size(s, &r.gy) + words_for(s->c + s->k);
    return (size_t)words * sizeof(uint64_t) / sizeof(real);
}

static void mark_images(const ConvShape *s, const Marks *m, int64_t channel, int64_t first,
                        int64_t end)
{
    for (int64_t image = first; image < end; image++)
        for (int64_t i = 0; i < m->height; i++)
            kernels()->nonzero(
                m->rows + ((channel * s->n + image) * m->height + i) * m->words,
                m->planes + ((image * m->channels + channel) * m->height + i) * m->width, m->width);
}

/* Pixel j + shift of a row as bit j, from 64 * word on. */
static uint64_t shifted(const uint64_t *row, int64_t words, int64_t word, int shift)
{
    uint64_t own = word < words ? row[word] : 0;
    if (shift > 0)
        return own >> shift | (word + 1 < words ? row[word + 1] << (64 - shift) : 0);
    if (shift < 0)
        return own << -shift | (word > 0 && word <= words ? row[word - 1] >> (64 + shift) : 0);
    return own;
}

/* The taps that one image shows to be reached, beside those that are known. */
static unsigned find_taps(const Reach *reach, int64_t c, int64_t k, int64_t image, unsigned known)
{
    const ConvShape *s = reach->shape;
    const uint64_t  *x = reach->x.rows + (c * s->n + image) * s->h * reach->x.words;
    const uint64_t  *g = reach->gy.rows + (k * s->n + image) * s->oh * reach->gy.words;
    for (int64_t i = 0; i < s->oh && known != ALL_TAPS; i++)
        for (int64_t word = 0; word < reach->gy.words; word++, g++)
            for (int r = 0; r < 3 && *g; r++) {
                int64_t y = i + r - s->pad;
                for (int t = 0; t < 3 && y >= 0 && y < s->h; t++)
                    if (shifted(x + y * reach->x.words, reach->x.words, word, t - s->pad) & *g)
                        known |= 1u << (3 * r + t);
            }
    return known;
}

static void mark_first(void *data, int64_t channel, int thread)
{
    const Reach *r = data;
    int64_t      k = channel - r->shape->c;
    (void)thread;
    mark_images(r->shape, k < 0 ? &r->x : &r->gy, k < 0 ? channel : k, 0, 1);
}

static void find_first(void *data, int64_t c, int thread)
{
    const Reach *r = data;
    (void)thread;
    r->x.is_open[c] = false;
    for (int64_t k = 0; k < r->shape->k; k++) {
        unsigned taps                = find_taps(r, c, k, 0, 0);
        r->taps[c * r->shape->k + k] = (uint16_t)taps;
        r->x.is_open[c]              = r->x.is_open[c] || taps != ALL_TAPS;
    }
}

static void mark_rest(void *data, int64_t channel, int thread)
{
    const Reach *r = data;
    int64_t      k = channel - r->shape->c;
    const Marks *m = k < 0 ? &r->x : &r->gy;
    (void)thread;
    if (m->is_open[k < 0 ? channel : k])
        mark_images(r->shape, m, k < 0 ? channel : k, 1, r->shape->n);
}

static void find_rest(void *data, int64_t c, int thread)
{
    const Reach *r = data;
    (void)thread;
    for (int64_t k = 0; k < r->shape->k && r->x.is_open[c]; k++) {
        uint16_t *taps = &r->taps[c * r->shape->k + k];
        for (int64_t image = 1; image < r->shape->n && *taps != ALL_TAPS; image++)
            *taps = (uint16_t)find_taps(r, c, k, image, *taps);
    }
}

void weight_reach_find(const ConvShape *s, const real *x, const real *gy, real *room)
{
    Reach r       = reach_of(s, x, gy, room);
    bool  is_open = false;
    parallel_for(s->c + s->k, mark_first, &r);
    parallel_for(s->c, find_first, &r);
    memset(r.gy.is_open, 0, (size_t)s->k);
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t k = 0; k < s->k && r.x.is_open[c]; k++)
            if (r.taps[c * s->k + k] != ALL_TAPS)
                r.gy.is_open[k] = is_open = true;
    if (!is_open)
        return;
    parallel_for(s->c + s->k, mark_rest, &r);
    parallel_for(s->c, find_rest, &r);
}

void weight_reach_clear(const ConvShape *s, const real *room, int64_t c, int64_t k, int64_t count,
                        real *taps, int64_t stride)
{
    const uint16_t *reached = (const uint16_t *)(const void *)room + c * s->k + k;
    for (int64_t i = 0; i < count; i++)
        for (int tap = 0; tap < TAPS && reached[i] != ALL_TAPS; tap++) {
            real *value = &taps[tap * stride + i];
            if (!(reached[i] >> tap & 1) && isfinite((double)*value))
                *value = 0;
        }
}
