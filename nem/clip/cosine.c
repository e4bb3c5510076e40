/* nem/clip/cosine.c - the cosine of a unit's activations and a concept's cosines, over all images
 * (L3), and the same with deviations from the means, cubed, so that large ones count (L4).
 *
 * sim[u][m] = sum_n x[n][m] y[n][u] / (|x[.][m]| |y[.][u]|) with x = P and y = q, or x = (P - mean
 * P)^3 and y = (q - mean q)^3. A norm of the latter is at least 1e-3; of the former it may be 0,
 * and then the similarity is NaN. */
#include "similarity.h"
#include "../../base/parallel.h"

#include <math.h>

static const double LEAST_NORM = 1e-3; // of cubed values

enum { SUM_BYTES = 128 << 20 }; // of sums that are held at a time

typedef struct CosineScore {
    const Similarity *rule;
    const ScoreJob   *job;
    Cosines          *cosines;
    float            *found;                 // [COSINE_ROWS, concepts]
    double           *values;                // [COSINE_ROWS, concepts]: x of the block
    double           *mean, *size;           // [concepts]: of x; what is taken off, and the norm
    double           *unit_mean, *unit_size; // [room]: likewise of y
    double           *sums;                  // [room, concepts]
    int64_t          *images;                // [COSINE_ROWS] of the block
    int64_t           room;                  // units at a time
    int64_t           first, block, rows; // first unit at hand; first image and images of a block
} CosineScore;

static bool score_open(CosineScore *score, const Similarity *rule, const ScoreJob *job,
                       Error *error)
{
    size_t concepts = (size_t)job->concept_count;
    size_t most     = SUM_BYTES / sizeof *score->sums / concepts;
    *score          = (CosineScore){.rule = rule, .job = job};
    score->room     = (int64_t)most < job->unit_count ? (int64_t)most : job->unit_count;
    score->room     = score->room < 1 ? 1 : score->room;
    size_t room     = (size_t)score->room;
    return cosines_open(&score->cosines, job->images, job->concepts, COSINE_TILE, error) &&
           (score->found = memory_new(COSINE_ROWS * concepts, sizeof *score->found, error)) &&
           (score->values = memory_new(COSINE_ROWS * concepts, sizeof *score->values, error)) &&
           (score->mean = memory_new(concepts, sizeof *score->mean, error)) &&
           (score->size = memory_new(concepts, sizeof *score->size, error)) &&
           (score->unit_mean = memory_new(room, sizeof *score->unit_mean, error)) &&
           (score->unit_size = memory_new(room, sizeof *score->unit_size, error)) &&
           (score->sums = memory_new(room * concepts, sizeof *score->sums, error)) &&
           (score->images = memory_new(COSINE_ROWS, sizeof *score->images, error));
}

static void score_close(CosineScore *score)
{
    cosines_close(score->cosines);
    memory_free(score->found);
    memory_free(score->values);
    memory_free(score->mean);
    memory_free(score->size);
    memory_free(score->unit_mean);
    memory_free(score->unit_size);
    memory_free(score->sums);
    memory_free(score->images);
}

static double value_of(const CosineScore *score, float x, double mean)
{
    double centred = (double)x - mean;
    return score->rule->power == 1 ? centred : centred * centred * centred;
}

/* ---- one block of images --------------------------------------------------------------------- */

static void add_to_means(void *data, int64_t i, int thread)
{
    const CosineScore *score = data;
    ScoreTile          tile  = score_tile(score->job->concept_count, i);
    (void)thread;
    for (int64_t row = 0; row < score->rows; row++)
        for (int64_t m = tile.first; m < tile.end; m++)
            score->mean[m] += (double)score->found[row * score->job->concept_count + m];
}

// x of the block, and its squares to the norms.
static void take_values(void *data, int64_t i, int thread)
{
    const CosineScore *score    = data;
    int64_t            concepts = score->job->concept_count;
    ScoreTile          tile     = score_tile(concepts, i);
    (void)thread;
    for (int64_t row = 0; row < score->rows; row++)
        for (int64_t m = tile.first; m < tile.end; m++) {
            double x = value_of(score, score->found[row * concepts + m], score->mean[m]);
            score->values[row * concepts + m] = x;
            score->size[m] += x * x;
        }
}

static void add_products(void *data, int64_t i, int thread)
{
    const CosineScore *score    = data;
    int64_t            concepts = score->job->concept_count;
    ScoreTile          tile     = score_tile(concepts, i);
    double            *sums     = score->sums + tile.unit * concepts;
    const float       *q =
        score->job->activations + (score->first + tile.unit) * score->job->images->count;
    (void)thread;
    for (int64_t row = 0; row < score->rows; row++) {
        double        y = value_of(score, q[score->block + row], score->unit_mean[tile.unit]);
        const double *x = score->values + row * concepts;
        for (int64_t m = tile.first; m < tile.end; m++)
            sums[m] += y * x[m];
    }
}

// Calls `turn` for all tiles of `units` with every block of images.
static bool over_images(CosineScore *score, int64_t units, bool with_values,
                        void (*turn)(void *, int64_t, int), Error *error)
{
    int64_t images = score->job->images->count, concepts = score->job->concept_count;
    for (score->block = 0; score->block < images; score->block += COSINE_ROWS) {
        int64_t rest = images - score->block;
        score->rows  = rest < COSINE_ROWS ? rest : COSINE_ROWS;
        if (!scoring_goes_on(score->job, error))
            return false;
        for (int64_t row = 0; row < score->rows; row++)
            score->images[row] = score->block + row;
        cosines_run(score->cosines, score->images, score->rows, 0, concepts, score->found);
        if (with_values)
            parallel_for(score_tiles(concepts), take_values, score);
        parallel_for(units * score_tiles(concepts), turn, score);
    }
    return true;
}

/* ---- means and norms ------------------------------------------------------------------------- */

static bool find_means(CosineScore *score, Error *error)
{
    int64_t concepts = score->job->concept_count;
    if (score->rule->power == 1)
        return true;
    if (!over_images(score, 1, false, add_to_means, error))
        return false;
    for (int64_t m = 0; m < concepts; m++)
        score->mean[m] /= (double)score->job->images->count;
    return true;
}

static void measure_unit(CosineScore *score, int64_t u)
{
    int64_t      images = score->job->images->count;
    const float *q      = score->job->activations + (score->first + u) * images;
    double       mean = 0, squares = 0;
    for (int64_t n = 0; score->rule->power != 1 && n < images; n++)
        mean += (double)q[n] / (double)images;
    for (int64_t n = 0; n < images; n++) {
        double y = value_of(score, q[n], mean);
        squares += y * y;
    }
    score->unit_mean[u] = mean;
    score->unit_size[u] = sqrt(squares);
}

static double norm_of(const CosineScore *score, double norm)
{
    return score->rule->power == 1 ? norm : fmax(norm, LEAST_NORM);
}

static bool score_units(CosineScore *score, int64_t count, float *scores, Error *error)
{
    int64_t concepts = score->job->concept_count;
    for (int64_t u = 0; u < count; u++)
        measure_unit(score, u);
    for (int64_t m = 0; m < concepts; m++)
        score->size[m] = 0;
    for (int64_t i = 0; i < count * concepts; i++)
        score->sums[i] = 0;
    if (!over_images(score, count, true, add_products, error))
        return false;
    for (int64_t i = 0; i < count * concepts; i++) {
        double along = score->sums[i] / norm_of(score, sqrt(score->size[i % concepts]));
        scores[i]    = (float)(along / norm_of(score, score->unit_size[i / concepts]));
    }
    return true;
}

bool cosine_score(const Similarity *rule, const ScoreJob *job, float *scores, Error *error)
{
    CosineScore score;
    bool        ok = score_open(&score, rule, job, error) && find_means(&score, error);
    for (score.first = 0; ok && score.first < job->unit_count; score.first += score.room) {
        int64_t rest = job->unit_count - score.first;
        ok           = score_units(&score, rest < score.room ? rest : score.room,
                                   scores + score.first * job->concept_count, error);
    }
    score_close(&score);
    return ok;
}
