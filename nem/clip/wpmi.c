/* nem/clip/wpmi.c - pointwise mutual information of a unit's most active images and a concept (L2).
 *
 * S[n][m] is the soft-max over concepts of factor P[n][m]. Of the images n_0, n_1, ... with the
 * largest activations E[u][m] = sum over k of log(1 + p_k (S[n_k][m] - 1) + 1e-7), where p_k falls
 * from `from` towards `to`: the k-th image belongs to the unit with that probability. With p = 1
 * this is the sum of log(S + 1e-7), WPMI. Only images among the first of some unit need their S,
 * and a block of them serves all units at once; sums are in the order of the images' numbers. */
#include "similarity.h"
#include "../../base/parallel.h"

#include <math.h>
#include <stdlib.h>

enum { SUM_BYTES = 128 << 20 }; // of sums that are held at a time

typedef struct TopImage {
    int64_t image;
    double  share; // p_k
} TopImage;

typedef struct Wpmi {
    const Similarity *rule;
    const ScoreJob   *job;
    Cosines          *cosines;
    float            *found;  // [COSINE_ROWS, concepts]: cosines
    double           *share;  // [COSINE_ROWS, concepts]: S
    int64_t          *images; // [images]: those of the units at hand
    int64_t           image_count;
    int64_t          *row_of; // [images]: row of an image of the block
    TopImage         *top;    // [room, rule->top], by number of the image
    int64_t          *at;     // [room, 2]: which of them the block has
    double           *sums;   // [room, concepts]
    int64_t           room;   // units at a time
} Wpmi;

static bool wpmi_open(Wpmi *wpmi, const Similarity *rule, const ScoreJob *job, Error *error)
{
    size_t concepts = (size_t)job->concept_count, images = (size_t)job->images->count;
    size_t most = SUM_BYTES / sizeof *wpmi->sums / concepts;
    *wpmi       = (Wpmi){.rule = rule, .job = job};
    wpmi->room  = (int64_t)most < job->unit_count ? (int64_t)most : job->unit_count;
    wpmi->room  = wpmi->room < 1 ? 1 : wpmi->room;
    size_t room = (size_t)wpmi->room;
    return cosines_open(&wpmi->cosines, job->images, job->concepts, COSINE_TILE, error) &&
           (wpmi->found = memory_new(COSINE_ROWS * concepts, sizeof *wpmi->found, error)) &&
           (wpmi->share = memory_new(COSINE_ROWS * concepts, sizeof *wpmi->share, error)) &&
           (wpmi->images = memory_new(images, sizeof *wpmi->images, error)) &&
           (wpmi->row_of = memory_new(images, sizeof *wpmi->row_of, error)) &&
           (wpmi->top = memory_new(room * (size_t)rule->top, sizeof *wpmi->top, error)) &&
           (wpmi->at = memory_new(room, 2 * sizeof *wpmi->at, error)) &&
           (wpmi->sums = memory_new(room * concepts, sizeof *wpmi->sums, error));
}

static void wpmi_close(Wpmi *wpmi)
{
    cosines_close(wpmi->cosines);
    memory_free(wpmi->found);
    memory_free(wpmi->share);
    memory_free(wpmi->images);
    memory_free(wpmi->row_of);
    memory_free(wpmi->top);
    memory_free(wpmi->at);
    memory_free(wpmi->sums);
}

static int by_image(const void *a, const void *b)
{
    const TopImage *left = a, *right = b;
    return (left->image > right->image) - (left->image < right->image);
}

// The first images of a unit, and that they are needed.
static void find_top(Wpmi *wpmi, const float *q, int64_t *ranked, TopImage *top)
{
    const Similarity *rule = wpmi->rule;
    images_top(q, wpmi->job->images->count, rule->top, ranked);
    for (int k = 0; k < rule->top; k++) {
        double share            = rule->from - (double)k / rule->top * (rule->from - rule->to);
        top[k]                  = (TopImage){ranked[k], share};
        wpmi->row_of[ranked[k]] = 1;
    }
    qsort(top, (size_t)rule->top, sizeof *top, by_image);
}

// Units first to first + count - 1, from the start.
static bool begin_units(Wpmi *wpmi, int64_t first, int64_t count, Error *error)
{
    const ScoreJob *job    = wpmi->job;
    int64_t         images = job->images->count;
    int64_t        *ranked = memory_new((size_t)wpmi->rule->top, sizeof *ranked, error);
    if (!ranked)
        return false;
    for (int64_t image = 0; image < images; image++)
        wpmi->row_of[image] = 0;
    for (int64_t u = 0; u < count; u++) {
        find_top(wpmi, job->activations + (first + u) * images, ranked,
                 wpmi->top + u * wpmi->rule->top);
        wpmi->at[2 * u + 1] = 0;
    }
    memory_free(ranked);
    wpmi->image_count = 0;
    for (int64_t image = 0; image < images; image++)
        if (wpmi->row_of[image])
            wpmi->images[wpmi->image_count++] = image;
    for (int64_t i = 0; i < count * job->concept_count; i++)
        wpmi->sums[i] = 0;
    return true;
}

// S of one image of the block.
static void soft_max(void *data, int64_t row, int thread)
{
    const Wpmi  *wpmi     = data;
    int64_t      concepts = wpmi->job->concept_count;
    const float *cosine   = wpmi->found + row * concepts;
    double      *share    = wpmi->share + row * concepts;
    double       largest = -(double)INFINITY, sum = 0;
    (void)thread;
    for (int64_t m = 0; m < concepts; m++)
        largest = fmax(largest, (double)cosine[m]);
    for (int64_t m = 0; m < concepts; m++)
        sum += share[m] = exp(wpmi->rule->factor * ((double)cosine[m] - largest));
    for (int64_t m = 0; m < concepts; m++)
        share[m] /= sum;
}

// What the images of the block add to a tile of one unit's concepts.
static void add_images(void *data, int64_t i, int thread)
{
    const Wpmi *wpmi     = data;
    int64_t     concepts = wpmi->job->concept_count;
    ScoreTile   tile     = score_tile(concepts, i);
    double     *sums     = wpmi->sums + tile.unit * concepts;
    (void)thread;
    for (int64_t k = wpmi->at[2 * tile.unit]; k < wpmi->at[2 * tile.unit + 1]; k++) {
        const TopImage *top   = &wpmi->top[tile.unit * wpmi->rule->top + k];
        const double   *share = wpmi->share + wpmi->row_of[top->image] * concepts;
        for (int64_t m = tile.first; m < tile.end; m++)
            sums[m] += log(1 + top->share * (share[m] - 1) + WPMI_LEAST_PROBABILITY);
    }
}

static void add_block(Wpmi *wpmi, int64_t first, int64_t count, int64_t units)
{
    const int64_t *images   = wpmi->images + first;
    int64_t        concepts = wpmi->job->concept_count;
    cosines_run(wpmi->cosines, images, count, 0, concepts, wpmi->found);
    parallel_for(count, soft_max, wpmi);
    for (int64_t row = 0; row < count; row++)
        wpmi->row_of[images[row]] = row;
    for (int64_t u = 0; u < units; u++) {
        const TopImage *top = wpmi->top + u * wpmi->rule->top;
        int64_t         end = wpmi->at[2 * u] = wpmi->at[2 * u + 1];
        while (end < wpmi->rule->top && top[end].image <= images[count - 1])
            end++;
        wpmi->at[2 * u + 1] = end;
    }
    parallel_for(units * score_tiles(concepts), add_images, wpmi);
}

static bool score_units(Wpmi *wpmi, int64_t first, int64_t count, float *scores, Error *error)
{
    if (!begin_units(wpmi, first, count, error))
        return false;
    for (int64_t at = 0; at < wpmi->image_count; at += COSINE_ROWS) {
        int64_t rest = wpmi->image_count - at;
        if (!scoring_goes_on(wpmi->job, error))
            return false;
        add_block(wpmi, at, rest < COSINE_ROWS ? rest : COSINE_ROWS, count);
    }
    for (int64_t i = 0; i < count * wpmi->job->concept_count; i++)
        scores[i] = (float)wpmi->sums[i];
    return true;
}

bool wpmi_score(const Similarity *rule, const ScoreJob *job, float *scores, Error *error)
{
    Wpmi wpmi;
    bool ok = wpmi_open(&wpmi, rule, job, error);
    for (int64_t first = 0; ok && first < job->unit_count; first += wpmi.room) {
        int64_t rest = job->unit_count - first;
        ok           = score_units(&wpmi, first, rest < wpmi.room ? rest : wpmi.room,
                                   scores + first * job->concept_count, error);
    }
    wpmi_close(&wpmi);
    return ok;
}
