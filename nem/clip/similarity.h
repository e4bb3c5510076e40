/* nem/clip/similarity.h - how well each concept fits each unit: the five similarities of
 * CLIP-Dissect, a row of a table each.
 *
 * P[n][m] is the cosine of image n and concept m, q[n][u] the activation of unit u on image n, a
 * number an image. Where images are ranked, equal activations go by the lower number of the image,
 * and NaN counts as lowest. Sums are in double, in the order of the images, so a unit's scores
 * depend on nothing but its own activations and the embeddings.
 * Source: Oikarinen and Weng, "CLIP-Dissect", ICLR 2023, section 3.2, and its published code. */
#ifndef NEM_CLIP_SIMILARITY_H
#define NEM_CLIP_SIMILARITY_H

#include "../../probe/pass.h"
#include "cosines.h"

typedef struct Similarity Similarity;

/* What is to be scored. Everything outlives the call. */
typedef struct ScoreJob {
    const Embeddings *images;
    const float      *concepts; // [concept_count, width]
    int64_t           concept_count;
    const float      *activations; // [unit_count, images]
    int64_t           unit_count;
    int64_t           first_unit; // number of the first among the units of the layer
    uint64_t          seed;       // of the permutations of rank-reorder
    const Pass       *pass;       // may cancel
} ScoreJob;

/* A row of the table. */
struct Similarity {
    const char *name;         // as --similarity takes it
    int64_t     least_images; // it needs so many
    /* scores [unit_count, concept_count]. Errors: ERROR_MEMORY, ERROR_AGAIN (cancelled). */
    bool (*score)(const Similarity *rule, const ScoreJob *job, float *scores, Error *error);

    /* Where it is pointwise mutual information (L2), else 0: how many images count; what cosines
     * are multiplied with before the soft-max; the share of the first and of the last image's
     * soft-max that counts; how much is taken off of what a concept has in common with all units. A
     * score is then E[u][m] alone, which depends on its unit only. */
    int    top;
    double factor, from, to, lambda;
    int    power; // of centred values (L4); 1: values as they are
};

#define SIMILARITY_NAMES "soft-wpmi|wpmi|cosine|cosine-cubed|rank-reorder"

const Similarity *similarity_named(const char *name); // NULL if there is none

/* D[m] (L2): what concept m has in common with all units, log of the mean over units of
 * exp(E[u][m]), from scores[unit] -> [concept_count]; out [concept_count]. */
void scores_common(const float *const *scores, int64_t unit_count, int64_t concept_count,
                   double *out);

/* The `count` images of largest activation q [images], in descending order; count <= images. */
void images_top(const float *q, int64_t images, int64_t count, int64_t *out);

/* ---- the rows -------------------------------------------------------------------------------- */

#define WPMI_LEAST_PROBABILITY 1e-7 // added below the logarithm (L2)
bool wpmi_score(const Similarity *rule, const ScoreJob *job, float *scores, Error *error);
bool cosine_score(const Similarity *rule, const ScoreJob *job, float *scores, Error *error);
bool rank_reorder_score(const Similarity *rule, const ScoreJob *job, float *scores, Error *error);

/* The permutation pi [count] of 0 to count - 1 that rank-reorder draws (L5) for a unit, `draw` from
 * 0 to RANK_PERMUTATIONS - 1: a Fisher-Yates shuffle from the last place down. */
enum { RANK_PERMUTATIONS = 5 };
void rank_permutation(uint64_t seed, int64_t unit, int draw, int64_t count, int64_t *out);

/* False with ERROR_AGAIN once the pass is cancelled. */
bool scoring_goes_on(const ScoreJob *job, Error *error);

/* Concepts that one task of a parallel loop scores: a tile; which tile and whose turn i is. */
enum { SCORE_TILE = 2048 };
typedef struct ScoreTile {
    int64_t unit, first, end; // concepts first to end - 1
} ScoreTile;
int64_t   score_tiles(int64_t concept_count); // of one unit
ScoreTile score_tile(int64_t concept_count, int64_t i);

#endif
