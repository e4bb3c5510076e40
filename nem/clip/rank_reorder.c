/* nem/clip/rank_reorder.c - whether a concept's order of a unit's most active images is the unit's
 * (L5).
 *
 * Of the k = N / 20 images of largest activation t_1 >= ... >= t_k the concept's cosines have
 * ascending ranks r_j in 0..k-1, the earlier image first among equals. Handing out the activations
 * in the concept's order costs e = mean_j |t_j - t_(k - r_j)|^3; by chance it costs b, the mean
 * over five seeded permutations of the same. sim = -(e / b) / sqrt(mean_j P[n_j][m]); NaN where
 * that mean is negative or b is 0. */
#include "similarity.h"
#include "../../base/parallel.h"

#include <math.h>
#include <string.h>

enum { IMAGES_A_RANK = 20, CONCEPTS_AT_ONCE = 64, RADIX = 256 };

typedef struct RankReorder {
    const ScoreJob *job;
    Cosines        *cosines;
    int64_t         top;          // k
    int64_t        *images;       // [units, top], by activation
    double         *chance;       // [units]: b
    float          *cosine;       // [images, CONCEPTS_AT_ONCE] of the tile
    uint64_t       *keys;         // [threads, 2, top]
    int64_t         first, count; // concepts of the tile
    float          *scores;
} RankReorder;

void rank_permutation(uint64_t seed, int64_t unit, int draw, int64_t count, int64_t *out)
{
    Random random = random_stream(seed, "rank-reorder");
    random.next   = ((uint64_t)unit * RANK_PERMUTATIONS + (uint64_t)draw) << 32;
    for (int64_t i = 0; i < count; i++)
        out[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t other = random_below(&random, (uint32_t)i + 1), moved = out[i];
        out[i]     = out[other];
        out[other] = moved;
    }
}

static double cubed(float a, float b)
{
    double distance = fabs((double)a - (double)b);
    return distance * distance * distance;
}

// b of a unit: sorted ascending, t_(k+1-j) is the j-th.
static double chance_of(const RankReorder *self, const float *q, const int64_t *images,
                        int64_t unit, int64_t *order)
{
    int64_t k   = self->top;
    double  sum = 0;
    for (int draw = 0; draw < RANK_PERMUTATIONS; draw++) {
        rank_permutation(self->job->seed, unit, draw, k, order);
        for (int64_t j = 0; j < k; j++)
            sum += cubed(q[images[k - 1 - j]], q[images[k - 1 - order[j]]]);
    }
    return sum / (double)(RANK_PERMUTATIONS * k);
}

static bool self_open(RankReorder *self, const ScoreJob *job, float *scores, Error *error)
{
    size_t threads = (size_t)parallel_threads(), images = (size_t)job->images->count;
    *self      = (RankReorder){.job = job, .scores = scores};
    self->top  = job->images->count / IMAGES_A_RANK;
    size_t top = (size_t)self->top, units = (size_t)job->unit_count;
    return cosines_open(&self->cosines, job->images, job->concepts, CONCEPTS_AT_ONCE, error) &&
           (self->images = memory_new(units * top, sizeof *self->images, error)) &&
           (self->chance = memory_new(units, sizeof *self->chance, error)) &&
           (self->cosine = memory_new(images * CONCEPTS_AT_ONCE, sizeof *self->cosine, error)) &&
           (self->keys = memory_new(threads * 2 * top, sizeof *self->keys, error));
}

static void self_close(RankReorder *self)
{
    cosines_close(self->cosines);
    memory_free(self->images);
    memory_free(self->chance);
    memory_free(self->cosine);
    memory_free(self->keys);
}

static bool find_units(RankReorder *self, Error *error)
{
    const ScoreJob *job   = self->job;
    int64_t        *order = memory_new((size_t)self->top, sizeof *order, error);
    for (int64_t u = 0; order && u < job->unit_count; u++) {
        const float *q      = job->activations + u * job->images->count;
        int64_t     *images = self->images + u * self->top;
        images_top(q, job->images->count, self->top, images);
        self->chance[u] = chance_of(self, q, images, job->first_unit + u, order);
    }
    memory_free(order);
    return order != NULL;
}

static void find_cosines(RankReorder *self)
{
    int64_t images[COSINE_ROWS], total = self->job->images->count;
    for (int64_t at = 0; at < total; at += COSINE_ROWS) {
        int64_t rows = total - at < COSINE_ROWS ? total - at : COSINE_ROWS;
        for (int64_t row = 0; row < rows; row++)
            images[row] = at + row;
        cosines_run(self->cosines, images, rows, self->first, self->count,
                    self->cosine + at * self->count);
    }
}

// An integer whose order is that of the numbers; -0 and 0 are the same.
static uint64_t key_of(float value)
{
    uint32_t bits  = 0;
    float    plain = value + 0.0f;
    memcpy(&bits, &plain, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// Sorts keys by their upper halves, a byte at a time; equal ones keep their order.
static void sort_keys(uint64_t *keys, uint64_t *room, int64_t count)
{
    for (int shift = 32; shift < 64; shift += 8) {
        int64_t place[RADIX + 1] = {0};
        for (int64_t i = 0; i < count; i++)
            place[(keys[i] >> shift) % RADIX + 1]++;
        for (int digit = 1; digit < RADIX; digit++)
            place[digit] += place[digit - 1];
        for (int64_t i = 0; i < count; i++)
            room[place[(keys[i] >> shift) % RADIX]++] = keys[i];
        uint64_t *other = keys;
        keys            = room;
        room            = other;
    }
}

static void score_unit(void *data, int64_t u, int thread)
{
    const RankReorder *self   = data;
    int64_t            k      = self->top;
    const float       *q      = self->job->activations + u * self->job->images->count;
    const int64_t     *images = self->images + u * k;
    uint64_t          *keys   = self->keys + (int64_t)thread * 2 * k;
    for (int64_t m = 0; m < self->count; m++) {
        double sum = 0, error = 0;
        for (int64_t j = 0; j < k; j++) {
            float cosine = self->cosine[images[j] * self->count + m];
            sum += (double)cosine;
            keys[j] = key_of(cosine) << 32 | (uint64_t)j;
        }
        sort_keys(keys, keys + k, k);
        for (int64_t rank = 0; rank < k; rank++) {
            int64_t j = (int64_t)(keys[rank] & 0xFFFFFFFFu);
            error += cubed(q[images[j]], q[images[k - 1 - rank]]);
        }
        double relative = self->chance[u] > 0 ? error / (double)k / self->chance[u] : (double)NAN;
        self->scores[u * self->job->concept_count + self->first + m] =
            (float)(-relative / sqrt(sum / (double)k));
    }
}

bool rank_reorder_score(const Similarity *rule, const ScoreJob *job, float *scores, Error *error)
{
    RankReorder self;
    (void)rule;
    bool ok = self_open(&self, job, scores, error) && find_units(&self, error);
    for (self.first = 0; ok && self.first < job->concept_count; self.first += CONCEPTS_AT_ONCE) {
        int64_t rest = job->concept_count - self.first;
        self.count   = rest < CONCEPTS_AT_ONCE ? rest : CONCEPTS_AT_ONCE;
        ok           = scoring_goes_on(job, error);
        if (ok) {
            find_cosines(&self);
            parallel_for(job->unit_count, score_unit, &self);
        }
    }
    self_close(&self);
    return ok;
}
