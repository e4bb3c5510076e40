/* training/caption_step.c - the inputs of a step that compares images with captions. */
#include "trainer.h"

#include "../models/text.h"

#include <string.h>

// Rows of target [n, n]: 1 over the number of captions that are true of an image, at each of them.
static void fill_target(const Trainer *trainer, const StepGraph *step, StepPlace place,
                        bool of_texts, real *target)
{
    const int64_t *images = trainer->order + place.first;
    int64_t        n      = place.count;
    for (int64_t i = 0; i < n; i++) {
        real *row = target + i * n, sum = 0;
        for (int64_t j = 0; j < n; j++) {
            row[j] = captions_true(trainer->set->captions, images[of_texts ? j : i],
                                   step->claims[of_texts ? i : j]);
            sum += row[j];
        }
        for (int64_t j = 0; j < n; j++)
            row[j] /= sum;
    }
}

bool step_fill_captions(Trainer *trainer, StepGraph *step, StepPlace place, Error *error)
{
    const CaptionSet *set = trainer->set->captions;
    for (int64_t i = 0; i < place.count; i++) {
        int64_t text = captions_draw(set, trainer->settings.seed, place.epoch,
                                     trainer->order[place.first + i], &step->claims[i]);
        memcpy(step->tokens + i * set->row, set->tokens + text * set->row,
               (size_t)set->row * sizeof *step->tokens);
    }
    fill_target(trainer, step, place, false, plan_input(step->plan, step->target));
    fill_target(trainer, step, place, true, plan_input(step->plan, step->texts_target));
    Shape ends = graph_shape(step->graph, step->texts.ends);
    text_ends(step->tokens, place.count, set->row, ends.dim[1], step->ends);
    return plan_set_index(step->plan, step->texts.tokens, step->tokens, error) &&
           plan_set_index(step->plan, step->texts.ends, step->ends, error);
}
