/* nem/clip/similarity.c - the table of similarities, and what its rows share. */
#include "similarity.h"
#include "../../base/parallel.h"

#include <math.h>
#include <string.h>

// Constants are the published code's (similarity.py).
static const Similarity similarities[] = {
    {.name         = "soft-wpmi",
     .least_images = 100,
     .score        = wpmi_score,
     .top          = 100,
     .factor       = 10,
     .from         = 0.998,
     .to           = 0.97,
     .lambda       = 1},
    {.name         = "wpmi",
     .least_images = 28,
     .score        = wpmi_score,
     .top          = 28,
     .factor       = 2,
     .from         = 1,
     .to           = 1,
     .lambda       = 0.6},
    {.name = "cosine", .least_images = 1, .score = cosine_score, .power = 1},
    {.name = "cosine-cubed", .least_images = 1, .score = cosine_score, .power = 3},
    {.name = "rank-reorder", .least_images = 40, .score = rank_reorder_score},
};

const Similarity *similarity_named(const char *name)
{
    for (size_t i = 0; i < sizeof similarities / sizeof *similarities; i++)
        if (strcmp(similarities[i].name, name) == 0)
            return &similarities[i];
    return NULL;
}

typedef struct Common {
    const float *const *scores;
    int64_t             unit_count, concept_count;
    double             *out;
} Common;

static void find_common(void *data, int64_t i, int thread)
{
    const Common *common = data;
    ScoreTile     tile   = score_tile(common->concept_count, i);
    (void)thread;
    for (int64_t m = tile.first; m < tile.end; m++) {
        double largest = (double)common->scores[0][m];
        for (int64_t u = 1; u < common->unit_count; u++)
            largest = fmax(largest, (double)common->scores[u][m]);
        double sum = exp((double)common->scores[0][m] - largest);
        for (int64_t u = 1; u < common->unit_count; u++)
            sum += exp((double)common->scores[u][m] - largest);
        common->out[m] = largest + log(sum) - log((double)common->unit_count);
    }
}

void scores_common(const float *const *scores, int64_t unit_count, int64_t concept_count,
                   double *out)
{
    Common common = {scores, unit_count, concept_count, out};
    parallel_for(score_tiles(concept_count), find_common, &common);
}

/* ---- ranks ----------------------------------------------------------------------------------- */

// Whether image a stands before image b.
static bool is_before(const float *q, int64_t a, int64_t b)
{
    bool nan_a = isnan(q[a]), nan_b = isnan(q[b]);
    if (nan_a != nan_b)
        return nan_b;
    return !nan_a && q[a] != q[b] ? q[a] > q[b] : a < b;
}

// Moves the image at `place` down a heap of `count` images that has the last of them at its root.
static void sink(const float *q, int64_t *heap, int64_t count, int64_t place)
{
    for (;;) {
        int64_t child = 2 * place + 1;
        if (child >= count)
            return;
        if (child + 1 < count && is_before(q, heap[child], heap[child + 1]))
            child++;
        if (!is_before(q, heap[place], heap[child]))
            return;
        int64_t moved = heap[place];
        heap[place]   = heap[child];
        heap[child]   = moved;
        place         = child;
    }
}

void images_top(const float *q, int64_t images, int64_t count, int64_t *out)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = i;
    for (int64_t i = count / 2 - 1; i >= 0; i--)
        sink(q, out, count, i);
    for (int64_t image = count; count > 0 && image < images; image++) {
        if (is_before(q, image, out[0])) {
            out[0] = image;
            sink(q, out, count, 0);
        }
    }
    for (int64_t last = count - 1; last > 0; last--) {
        int64_t moved = out[0];
        out[0]        = out[last];
        out[last]     = moved;
        sink(q, out, last, 0);
    }
}

/* ---- work ------------------------------------------------------------------------------------ */

bool scoring_goes_on(const ScoreJob *job, Error *error)
{
    return !pass_cancelled(job->pass) ||
           fail(error, ERROR_AGAIN, "interrupted while concepts were scored" CHECKPOINT_HINT);
}

int64_t score_tiles(int64_t concept_count)
{
    return (concept_count + SCORE_TILE - 1) / SCORE_TILE;
}

ScoreTile score_tile(int64_t concept_count, int64_t i)
{
    int64_t tiles = score_tiles(concept_count), first = i % tiles * SCORE_TILE;
    int64_t end = first + SCORE_TILE;
    return (ScoreTile){i / tiles, first, end < concept_count ? end : concept_count};
}
