/* training/score.c - how good the weights are in the end. */
#include "trainer.h"

int64_t training_correct(const real *logits, int64_t count, int32_t classes, const int64_t *images,
                         const int32_t *labels)
{
    int64_t correct = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t best = 0;
        for (int32_t k = 1; k < classes; k++)
            if (logits[i * classes + k] > logits[i * classes + best])
                best = k;
        correct += best == labels[images ? images[i] : i];
    }
    return correct;
}

bool training_score(WeightBlob *blob, const TrainingSet *set, TrainingScore *out, Error *error)
{
    enum { BATCH = 32 };
    LayerRunner    runner  = {0};
    NetworkRequest request = {
        .batch = BATCH, .unit = -1, .width = set->width, .height = set->height};
    int64_t size = 3 * set->height * set->width, correct = 0;
    double  loss = 0;
    if (!layer_runner_open(&runner, blob, &request, error))
        return false;
    real *pixels = memory_new((size_t)(BATCH * size), sizeof(real), error);
    real *logits = memory_new((size_t)(BATCH * runner.units), sizeof(real), error);
    bool  ok     = pixels && logits;
    if (ok && (runner.units < set->classes || runner.height * runner.width != 1))
        ok = fail(error, ERROR_USAGE, "%s: gives %lld classes, the set has %d", blob_path(blob),
                  (long long)runner.units, (int)set->classes);
    for (int64_t first = 0; ok && first < set->count; first += BATCH) {
        int64_t count = set->count - first < BATCH ? set->count - first : BATCH;
        for (int64_t i = 0; i < count; i++)
            training_image(set, first + i, 0, 0, false, 0, pixels + i * size);
        layer_runner_run(&runner, pixels, count, logits);
        loss += cross_entropy_sum(logits, count, runner.units, set->labels + first);
        correct +=
            training_correct(logits, count, (int32_t)runner.units, NULL, set->labels + first);
    }
    if (ok)
        *out = (TrainingScore){loss / (double)set->count, (double)correct / (double)set->count};
    memory_free(pixels);
    memory_free(logits);
    layer_runner_close(&runner);
    return ok;
}
