/* training/initial_captioner.c - the tensors of a small captioner of MILAN's architecture, over an
 * encoder that is there already and stays as it is.
 *
 * Drawn as PyTorch's layers begin: dense layers uniform within 1 / sqrt(fan-in), LSTMs within
 * 1 / sqrt(hidden), embeddings normal. */
#include "initial.h"
#include "trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HIDDEN = 64, EMBEDDING = 32, LM_HIDDEN = 48 };

static void add_lstm(Fresh *fresh, const char *base, const char *end, int64_t width, int64_t inputs)
{
    const struct {
        const char *part;
        Shape       shape;
    } parts[4] = {{"weight_ih", shape_2d(4 * width, inputs)},
                  {"weight_hh", shape_2d(4 * width, width)},
                  {"bias_ih", shape_1d(4 * width)},
                  {"bias_hh", shape_1d(4 * width)}};
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s%s", base, parts[i].part, end);
        fresh_uniform(fresh, name, parts[i].shape, sqrt(1 / (double)width));
    }
}

static void add_captioner(Fresh *fresh, int64_t features, int64_t words)
{
    fresh_dense(fresh, "init_h.0", HIDDEN, features);
    fresh_dense(fresh, "init_c.0", HIDDEN, features);
    fresh_normal(fresh, "embedding.weight", shape_2d(words, EMBEDDING), 1);
    fresh_dense(fresh, "attend.query_to_hidden", HIDDEN, HIDDEN);
    fresh_dense(fresh, "attend.key_to_hidden", HIDDEN, features);
    fresh_dense(fresh, "attend.output.0", 1, HIDDEN);
    fresh_dense(fresh, "feature_gate.0", features, HIDDEN);
    add_lstm(fresh, "lstm", "", HIDDEN, EMBEDDING + features);
    fresh_dense(fresh, "output.1", words, HIDDEN);
    fresh_normal(fresh, "lm.embedding.weight", shape_2d(words, EMBEDDING), 1);
    add_lstm(fresh, "lm.lstm", "_l0", LM_HIDDEN, EMBEDDING);
    add_lstm(fresh, "lm.lstm", "_l1", LM_HIDDEN, LM_HIDDEN);
    fresh_dense(fresh, "lm.output.0", words, LM_HIDDEN);
}

/* The convolutions of an encoder under the names that a captioner has them by, in float32. */
static void add_encoder(Fresh *fresh, WeightBlob *encoder)
{
    for (int i = 0; fresh->ok && i < blob_tensor_count(encoder); i++) {
        const BlobTensor *tensor = blob_tensor(encoder, i);
        const real       *data   = NULL;
        char              name[64];
        if (strncmp(tensor->name, "features.", 9) != 0)
            continue;
        snprintf(name, sizeof name, "%s%.40s", CAPTIONER_PREFIX, tensor->name);
        fresh->ok  = blob_find(encoder, tensor->name, tensor->shape, &data, fresh->error);
        real *copy = fresh_tensor(fresh, name, NULL, tensor->shape, 0);
        if (copy)
            memcpy(copy, data, (size_t)shape_elements(tensor->shape) * sizeof *copy);
    }
}

bool captioner_draw(Bytes *out, WeightBlob *encoder, const TrainingSet *set, uint64_t seed,
                    Error *error)
{
    const char        *architecture = blob_architecture(encoder);
    const Preparation *p            = blob_preparation(encoder);
    char               about[512];
    if (!p || (strcmp(architecture, "mini") != 0 && strcmp(architecture, "clip_mini") != 0))
        return fail(error, ERROR_USAGE, "%s: is %s, expected an encoder mini or clip_mini",
                    blob_path(encoder), architecture);
    snprintf(about, sizeof about,
             "architecture=milan\nencoder=mini\nwidth=%lld\nheight=%lld\nscale=%.9g\n"
             "mean=%.9g,%.9g,%.9g\nstd=%.9g,%.9g,%.9g\nresize_short=0\nbn=none\nlength=%lld\n"
             "strategy=rerank\ntemperature=0.2\nbeam_size=50\nencoder_sha256=%s\n",
             (long long)p->width, (long long)p->height, (double)p->scale, (double)p->mean[0],
             (double)p->mean[1], (double)p->mean[2], (double)p->std[0], (double)p->std[1],
             (double)p->std[2], (long long)set->captions->row - 1, blob_sha256(encoder));
    Fresh *fresh = memory_new(1, sizeof *fresh, error);
    if (!fresh)
        return false;
    *fresh = (Fresh){.seed = seed, .draw = DRAW_DEFAULT, .error = error, .ok = true};
    add_captioner(fresh, set->units->features,
                  word_list_count(set->captions->list) + SPECIAL_WORDS);
    add_encoder(fresh, encoder);
    fresh_text(fresh, "words", set->captions->words);
    return fresh_encode(fresh, about, out);
}
