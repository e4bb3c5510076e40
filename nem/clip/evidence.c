/* nem/clip/evidence.c - what CLIP-Dissect knows of units: scores of all concepts, and their order.
 * */
#include "clip_private.h"

#include <math.h>
#include <string.h>

bool clip_evidence(Evidence **out, const Clip *clip, int64_t rows, Error *error)
{
    Evidence *evidence = memory_new(1, sizeof *evidence, error);
    size_t    concepts = (size_t)clip->concepts.count, numbers = 0;
    if (!evidence)
        return false;
    evidence->rows = rows;
    bool ok =
        size_mul((size_t)rows, concepts, &numbers) ||
        fail(error, ERROR_MEMORY, "scores of %lld units do not fit into memory", (long long)rows);
    ok = ok && (evidence->scores = memory_new(numbers, sizeof *evidence->scores, error)) != NULL;
    if (ok && clip->similarity->lambda > 0)
        ok = (evidence->common = memory_new(concepts, sizeof *evidence->common, error)) != NULL;
    if (ok)
        *out = evidence;
    else
        clip_release(evidence);
    return ok;
}

void clip_release(Evidence *evidence)
{
    if (!evidence)
        return;
    memory_free(evidence->scores);
    memory_free(evidence->common);
    memory_free(evidence->activations);
    memory_free(evidence->images);
    memory_free(evidence);
}

double clip_score(const Clip *clip, const Evidence *evidence, int64_t row, int32_t concept)
{
    double score = (double)evidence->scores[row * clip->concepts.count + concept];
    return evidence->common ? score - clip->similarity->lambda * evidence->common[concept] : score;
}

int clip_best(const Clip *clip, const Evidence *evidence, int64_t row, int count, int32_t *out)
{
    int used = 0;
    for (int32_t m = 0; m < clip->concepts.count; m++) {
        double score = clip_score(clip, evidence, row, m);
        int    place = used;
        while (place > 0 && score > clip_score(clip, evidence, row, out[place - 1]))
            place--;
        if (isnan(score) || place == count)
            continue;
        used += used < count;
        memmove(out + place + 1, out + place, (size_t)(used - place - 1) * sizeof *out);
        out[place] = m;
    }
    return used;
}

bool clip_score_layer(const Clip *clip, const Embeddings *images, const float *activations,
                      int64_t units, const Pass *pass, Evidence **out, Error *error)
{
    int64_t       concepts = clip->concepts.count;
    ScoreJob      job      = {.images        = images,
                              .concepts      = clip->concept_rows,
                              .concept_count = concepts,
                              .activations   = activations,
                              .unit_count    = units,
                              .pass          = pass};
    Evidence     *evidence = NULL;
    const float **rows     = memory_new((size_t)units, sizeof *rows, error);
    bool          ok       = rows && clip_evidence(&evidence, clip, units, error) &&
              clip->similarity->score(clip->similarity, &job, evidence->scores, error);
    for (int64_t u = 0; ok && u < units; u++)
        rows[u] = evidence->scores + u * concepts;
    if (ok && evidence->common)
        scores_common(rows, units, concepts, evidence->common);
    memory_free(rows);
    if (ok)
        *out = evidence;
    else
        clip_release(evidence);
    return ok;
}
