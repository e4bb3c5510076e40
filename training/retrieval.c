/* training/retrieval.c - how well a pair of towers finds what is true of an image. */
#include "training.h"

#include "../models/text.h"

#include <math.h>
#include <string.h>

enum { BATCH = 32 };

typedef struct Retrieval {
    const TrainingSet *set;
    WeightBlob        *blob;
    int64_t            outputs;
    real              *images;  // [count, outputs], of length 1
    real              *texts;   // [claims, outputs], likewise: the first text of each
    int64_t           *true_of; // [claims]: how many images a claim is true of
} Retrieval;

static void to_length_one(real *row, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)row[i] * (double)row[i];
    for (int64_t i = 0; i < count && sum > 0; i++)
        row[i] = (real)((double)row[i] / sqrt(sum));
}

static bool embed_images(Retrieval *self, Error *error)
{
    const TrainingSet *set     = self->set;
    NetworkRequest     request = {.batch  = BATCH,
                                  .layer  = "embedding",
                                  .unit   = -1,
                                  .width  = set->width,
                                  .height = set->height};
    int64_t            size    = 3 * set->height * set->width;
    LayerRunner        runner  = {0};
    real              *pixels  = memory_new((size_t)(BATCH * size), sizeof *pixels, error);
    bool               ok      = pixels && layer_runner_open(&runner, self->blob, &request, error);
    self->outputs              = runner.units;
    ok = ok && (self->images = memory_new((size_t)set->count * (size_t)self->outputs,
                                          sizeof *self->images, error)) != NULL;
    for (int64_t first = 0; ok && first < set->count; first += BATCH) {
        int64_t count = set->count - first < BATCH ? set->count - first : BATCH;
        for (int64_t i = 0; i < count; i++)
            training_image(set, first + i, NULL, 0, pixels + i * size);
        layer_runner_run(&runner, pixels, count, self->images + first * self->outputs);
    }
    for (int64_t i = 0; ok && i < set->count; i++)
        to_length_one(self->images + i * self->outputs, self->outputs);
    layer_runner_close(&runner);
    memory_free(pixels);
    return ok;
}

static bool embed_texts(Retrieval *self, Error *error)
{
    const CaptionSet *captions = self->set->captions;
    int64_t           claims = captions->claims, row = captions->row, outputs = 0;
    int32_t          *tokens = memory_new((size_t)(claims * row), sizeof *tokens, error);
    for (int64_t c = 0; tokens && c < claims; c++)
        memcpy(tokens + c * row, captions->tokens + captions->first[c] * row,
               (size_t)row * sizeof *tokens);
    bool ok = tokens && text_embed(self->blob, tokens, claims, row, &self->texts, &outputs, error);
    memory_free(tokens);
    if (ok && outputs != self->outputs)
        return fail(error, ERROR_DATA, "%s: texts become %lld numbers, images %lld",
                    blob_path(self->blob), (long long)outputs, (long long)self->outputs);
    for (int64_t c = 0; ok && c < claims; c++)
        to_length_one(self->texts + c * outputs, outputs);
    return ok;
}

// The claim of the nearest text among those that are true of some image; kept: held-out ones alone.
static int64_t nearest(const Retrieval *self, int64_t image, bool kept)
{
    const CaptionSet *captions = self->set->captions;
    const real       *a        = self->images + image * self->outputs;
    int64_t           best     = -1;
    double            most     = 0;
    for (int64_t c = 0; c < captions->claims; c++) {
        const real *b   = self->texts + c * self->outputs;
        double      sum = 0;
        if (self->true_of[c] == 0 || (kept && !captions->is_kept[c]))
            continue;
        for (int64_t i = 0; i < self->outputs; i++)
            sum += (double)a[i] * (double)b[i];
        if (best < 0 || sum > most) {
            best = c;
            most = sum;
        }
    }
    return best;
}

static bool has_kept(const CaptionSet *captions, int64_t image)
{
    for (int64_t c = 0; c < captions->claims; c++)
        if (captions->is_kept[c] && captions_true(captions, image, c))
            return true;
    return false;
}

/* The share of images whose nearest text is true, and what it is by chance: of any other image.
 * With `kept` only images and texts of held-out claims count. */
static RetrievalScore score(const Retrieval *self, bool kept)
{
    const CaptionSet *captions = self->set->captions;
    RetrievalScore    out      = {0};
    double            right = 0, chance = 0;
    for (int64_t image = 0; image < captions->images; image++)
        out.images += !kept || has_kept(captions, image);
    for (int64_t c = 0; c < captions->claims; c++)
        out.texts += self->true_of[c] > 0 && (!kept || captions->is_kept[c]);
    for (int64_t image = 0; image < captions->images; image++) {
        if (kept && !has_kept(captions, image))
            continue;
        int64_t claim   = nearest(self, image, kept);
        int     is_true = captions_true(captions, image, claim);
        right += is_true;
        if (out.images > 1)
            chance += (double)(self->true_of[claim] - is_true) / (double)(out.images - 1);
    }
    if (out.images) {
        out.accuracy = right / (double)out.images;
        out.chance   = chance / (double)out.images;
    }
    return out;
}

bool training_retrieval(WeightBlob *blob, const TrainingSet *set, RetrievalScore *all,
                        RetrievalScore *kept, Error *error)
{
    Retrieval self = {.set = set, .blob = blob};
    bool ok = (self.true_of = memory_new((size_t)set->captions->claims, sizeof(int64_t), error)) !=
                  NULL &&
              embed_images(&self, error) && embed_texts(&self, error);
    for (int64_t i = 0; ok && i < set->count * set->captions->claims; i++)
        self.true_of[i % set->captions->claims] +=
            captions_true(set->captions, i / set->captions->claims, i % set->captions->claims);
    if (ok) {
        *all  = score(&self, false);
        *kept = score(&self, true);
    }
    memory_free(self.images);
    memory_free(self.texts);
    memory_free(self.true_of);
    return ok;
}
