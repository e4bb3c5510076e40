/* training/caption_units.c - the graph and the inputs of a step that describes units. */
#include "trainer.h"

#include "../models/builder.h"
#include "../models/tokens.h"

#include <stdio.h>
#include <string.h>

/* ---- the graph ------------------------------------------------------------------------------- */

typedef struct Weights {
    StepGraph  *step;
    WeightBlob *blob;
    Error      *error;
    bool        ok;
} Weights;

// A tensor of the blob as an input that is trained.
static NodeId trained(void *self, const char *name, Shape shape)
{
    Weights         *weights = self;
    Trainables      *list    = &weights->step->list;
    const real      *initial = NULL;
    TrainableWeight *weight  = NULL;
    weights->ok = weights->ok && blob_find(weights->blob, name, shape, &initial, weights->error) &&
                  (weight = trainables_add_weight(list, weights->error)) != NULL;
    if (!weights->ok)
        return NODE_NONE;
    *weight = (TrainableWeight){
        .node = op_input(weights->step->graph, shape, name), .shape = shape, .initial = initial};
    snprintf(weight->name, sizeof weight->name, "%s", name);
    return weight->node;
}

static bool find_sizes(const WeightBlob *blob, CaptionerSizes *out, Error *error)
{
    const struct {
        const char *name;
        int         axis;
        int64_t    *size;
    } sizes[] = {{"init_h.0.weight", 0, &out->hidden},
                 {"init_h.0.weight", 1, &out->features},
                 {"embedding.weight", 0, &out->words},
                 {"embedding.weight", 1, &out->embedding},
                 {"attend.query_to_hidden.weight", 0, &out->attention},
                 {"lm.embedding.weight", 1, &out->lm_embedding},
                 {"lm.lstm.weight_hh_l0", 1, &out->lm_hidden}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const BlobTensor *tensor = blob_lookup(blob, sizes[i].name);
        if (!tensor || tensor->shape.rank != 2)
            return fail(error, ERROR_DATA, "%s: has no matrix '%s', expected a captioner (milan)",
                        blob_path(blob), sizes[i].name);
        *sizes[i].size = tensor->shape.dim[sizes[i].axis];
    }
    return true;
}

bool step_graph_of_units(StepGraph *out, WeightBlob *blob, const TrainingSet *set, int64_t batch,
                         Error *error)
{
    const UnitSet *units = set->units;
    CaptionerSizes sizes = {
        .units = batch, .exemplars = units->exemplars, .steps = set->captions->row - 1};
    CaptionerGraph *to      = &out->captioner;
    Weights         weights = {out, blob, error, true};
    if (!find_sizes(blob, &sizes, error))
        return false;
    if (sizes.features != units->features ||
        sizes.words != word_list_count(set->captions->list) + SPECIAL_WORDS)
        return fail(error, ERROR_USAGE,
                    "%s: takes %lld features and has %lld words, the units have %lld and %lld",
                    blob_path(blob), (long long)sizes.features, (long long)sizes.words,
                    (long long)units->features,
                    (long long)word_list_count(set->captions->list) + SPECIAL_WORDS);
    captioner_build(out->graph, &sizes, trained, &weights, to);
    out->list.forward_count = 1;
    out->target             = to->target;
    out->tokens             = memory_new((size_t)(sizes.steps * batch), sizeof *out->tokens, error);
    out->terms              = (ObjectiveTerms){.loss       = to->loss,
                                               .descended  = to->loss,
                                               .ce         = to->decoder,
                                               .other      = to->language_model,
                                               .l2         = NODE_NONE,
                                               .cosd       = NODE_NONE,
                                               .hessian    = NODE_NONE,
                                               .logits     = to->logits,
                                               .pass_count = 1};
    return weights.ok && out->tokens && graph_check(out->graph, error);
}

/* ---- the inputs ------------------------------------------------------------------------------ */

// The ids of a caption as a captioner has them: its words, a stop, pads.
static void to_ids(const CaptionSet *set, int64_t text, int32_t *ids)
{
    const int32_t *tokens = set->tokens + text * set->row + 1; // behind the start
    int32_t        words = word_list_count(set->list), end = words_token_count(set->list) - 1;
    bool           is_over = false;
    for (int64_t i = 0; i + 1 < set->row; i++) {
        SpecialWord special = is_over ? WORD_PAD : tokens[i] == end ? WORD_STOP : WORD_UNKNOWN;
        ids[i]  = !is_over && tokens[i] < words ? tokens[i] : word_list_special(set->list, special);
        is_over = is_over || tokens[i] == end;
    }
}

bool step_fill_units(Trainer *trainer, StepGraph *step, StepPlace place, Error *error)
{
    const CaptionSet *set   = trainer->set->captions;
    const UnitSet    *units = trainer->set->units;
    int64_t           steps = set->row - 1, n = place.count, width = trainer->classes;
    int64_t           size   = units->exemplars * units->features;
    real             *target = plan_input(step->plan, step->target);
    real             *into   = plan_input(step->plan, step->captioner.features);
    int32_t           ids[LIMIT_TOKENS], pad = word_list_special(set->list, WORD_PAD);
    int64_t           all = 0;
    memset(target, 0, (size_t)(steps * n * width) * sizeof *target);
    for (int64_t i = 0; i < n; i++) {
        int64_t unit = trainer->order[place.first + i], claim = 0;
        to_ids(set, captions_draw(set, trainer->settings.seed, place.epoch, unit, &claim), ids);
        memcpy(into + i * size, units->values + unit * size, (size_t)size * sizeof *into);
        for (int64_t k = 0; k < steps; k++) {
            step->tokens[k * n + i] = k ? ids[k - 1] : word_list_special(set->list, WORD_START);
            if (ids[k] != pad)
                target[(k * n + i) * width + ids[k]] = 1;
            all += ids[k] != pad;
        }
    }
    for (int64_t i = 0; i < steps * n * width; i++)
        target[i] /= (real)all;
    return plan_set_index(step->plan, step->captioner.words, step->tokens, error);
}
