/* training/caption_units.c - the graph and the inputs of a step that describes units. */
#include "trainer.h"

#include "../models/tokens.h"

#include <string.h>

/* ---- the graph ------------------------------------------------------------------------------- */

bool step_graph_of_units(StepGraph *out, WeightBlob *blob, const TrainingSet *set, int64_t batch,
                         Error *error)
{
    const UnitSet    *units = set->units;
    DescriptionGraph *to    = &out->description;
    DescriptionSizes  sizes = {batch, units->exemplars, units->features, set->captions->row - 1};
    int64_t           words = word_list_count(set->captions->list) + SPECIAL_WORDS;
    if (sizes.steps > DESCRIPTION_STEPS)
        return fail(error, ERROR_USAGE, "descriptions of %lld words, expected at most %d",
                    (long long)sizes.steps, DESCRIPTION_STEPS);
    if (!description_build(out->graph, blob, &sizes, &out->list, to, error))
        return false;
    if (graph_shape(out->graph, to->target).dim[1] != words)
        return fail(error, ERROR_USAGE, "%s: has %lld words, the descriptions have %lld",
                    blob_path(blob), (long long)graph_shape(out->graph, to->target).dim[1],
                    (long long)words);
    out->target = to->target;
    out->tokens = memory_new((size_t)batch, sizeof *out->tokens, error);
    out->terms  = (ObjectiveTerms){.loss       = to->loss,
                                   .descended  = to->loss,
                                   .ce         = to->decoder,
                                   .other      = to->language,
                                   .l2         = NODE_NONE,
                                   .cosd       = NODE_NONE,
                                   .hessian    = NODE_NONE,
                                   .logits     = to->log_p,
                                   .pass_count = 1};
    return out->tokens != NULL;
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

// The words before those of a step; their ids are [units, steps].
static bool set_words(StepGraph *step, const CaptionSet *set, int64_t count, const int32_t *ids,
                      Error *error)
{
    int64_t steps = set->row - 1;
    for (int64_t k = 0; k < steps; k++) {
        for (int64_t i = 0; i < count; i++)
            step->tokens[i] = k ? ids[i * steps + k - 1] : word_list_special(set->list, WORD_START);
        if (!plan_set_index(step->plan, step->description.words[k], step->tokens, error))
            return false;
    }
    return true;
}

bool step_fill_units(Trainer *trainer, StepGraph *step, StepPlace place, Error *error)
{
    const CaptionSet *set   = trainer->set->captions;
    const UnitSet    *units = trainer->set->units;
    int64_t           steps = set->row - 1, n = place.count, width = trainer->classes;
    int64_t           size   = units->exemplars * units->features;
    real             *target = plan_input(step->plan, step->target);
    real             *into   = plan_input(step->plan, step->description.features);
    int32_t           pad    = word_list_special(set->list, WORD_PAD);
    int64_t           all    = 0;
    int32_t          *ids    = memory_new((size_t)(n * steps), sizeof *ids, error);
    if (!ids)
        return false;
    memset(target, 0, (size_t)(steps * n * width) * sizeof *target);
    for (int64_t i = 0; i < n; i++) {
        int64_t  unit = trainer->order[place.first + i], claim = 0;
        int32_t *of_unit = ids + i * steps;
        to_ids(set, captions_draw(set, trainer->settings.seed, place.epoch, unit, &claim), of_unit);
        memcpy(into + i * size, units->values + unit * size, (size_t)size * sizeof *into);
        for (int64_t k = 0; k < steps; k++) {
            if (of_unit[k] != pad)
                target[(k * n + i) * width + of_unit[k]] = 1;
            all += of_unit[k] != pad;
        }
    }
    for (int64_t i = 0; i < steps * n * width; i++)
        target[i] /= (real)all;
    bool ok = set_words(step, set, n, ids, error);
    memory_free(ids);
    return ok;
}
