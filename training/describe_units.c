/* training/describe_units.c - what a captioner says of held-out units, word by word the likeliest.
 * */
#include "trainer.h"

#include <string.h>

enum { BATCH = 32 };

typedef struct Describing {
    StepGraph         *step;
    const TrainingSet *set;
    int64_t            steps, words;
} Describing;

/* Words of `count` units from `first` on, [BATCH, steps]. A word depends on those before it alone,
 * so the graph of a training step says one more in each run. */
static bool say(Describing *self, const real *values, int64_t first, int64_t count, int32_t *said,
                Error *error)
{
    StepGraph  *step   = self->step;
    const real *logits = NULL;
    size_t      size   = (size_t)(self->set->units->exemplars * self->set->units->features);
    memcpy(plan_input(step->plan, step->description.features), values + (size_t)first * size,
           (size_t)count * size * sizeof *values);
    for (int64_t k = 0; k < self->steps; k++) {
        for (int64_t i = 0; i < BATCH; i++)
            step->tokens[i] = k ? said[i * self->steps + k - 1]
                                : word_list_special(self->set->captions->list, WORD_START);
        if (!plan_set_index(step->plan, step->description.words[k], step->tokens, error))
            return false;
        plan_run(step->plan);
        logits = plan_output(step->plan, step->description.log_p);
        for (int64_t i = 0; i < BATCH; i++)
            said[i * self->steps + k] =
                (int32_t)logits_predicted(logits + (k * BATCH + i) * self->words, self->words);
    }
    return true;
}

bool training_names(const CaptionSet *captions, const int32_t *said, int64_t claim)
{
    const int32_t *wanted = captions->tokens + captions->first[claim] * captions->row + 1;
    int32_t        words  = word_list_count(captions->list);
    for (int64_t i = 0; wanted[i] < words; i++) {
        int64_t k = 0;
        while (k + 1 < captions->row && said[k] < words && said[k] != wanted[i])
            k++;
        if (k + 1 == captions->row || said[k] != wanted[i])
            return false;
    }
    return true;
}

static void fill_weights(StepGraph *step)
{
    for (int i = 0; i < step->list.weight_count; i++) {
        const TrainableWeight *weight = &step->list.weights[i];
        memcpy(plan_input(step->plan, weight->node), weight->initial,
               (size_t)shape_elements(weight->shape) * sizeof(real));
    }
}

static bool score_set(Describing *self, const real *values, int64_t named[2], Error *error)
{
    int32_t *said = memory_new((size_t)(BATCH * self->steps), sizeof *said, error);
    bool     ok   = said != NULL;
    for (int64_t first = 0; ok && first < self->set->count; first += BATCH) {
        int64_t left = self->set->count - first, count = left < BATCH ? left : BATCH;
        ok = say(self, values, first, count, said, error);
        for (int64_t i = 0; ok && i < count; i++) {
            int64_t claim = self->set->units->claims[first + i];
            named[self->set->captions->is_kept[claim]] +=
                training_names(self->set->captions, said + i * self->steps, claim);
        }
    }
    memory_free(said);
    return ok;
}

bool training_describe(WeightBlob *blob, const TrainingSet *set, DescribeScore *all,
                       DescribeScore *kept, Error *error)
{
    const TrainSettings settings = {.batch = BATCH, .objective = {.row = objective_of_units()}};
    StepGraph           step     = {0};
    Describing          self     = {&step, set, set->captions->row - 1,
                                    word_list_count(set->captions->list) + SPECIAL_WORDS};
    int64_t             named[2] = {0}, by_chance[2] = {0}, units[2] = {0};
    bool                ok = step_graph_open(&step, blob, set, &settings, BATCH, error);
    if (ok)
        fill_weights(&step);
    ok = ok && score_set(&self, set->units->values, named, error) &&
         (!set->units->random || score_set(&self, set->units->random, by_chance, error));
    for (int64_t i = 0; i < set->count; i++)
        units[set->captions->is_kept[set->units->claims[i]]]++;
    for (int k = 0; ok && k < 2; k++) {
        double count = units[k] ? (double)units[k] : 1;
        *(k ? kept : all) =
            (DescribeScore){units[k], (double)named[k] / count, (double)by_chance[k] / count};
    }
    step_graph_close(&step);
    return ok;
}
