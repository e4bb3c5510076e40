/* training/trainer.c - what a training keeps between steps, and the step. */
#include "trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double norm_momentum = 0.1; // of running statistics, as PyTorch has it

/* ---- state ----------------------------------------------------------------------------------- */

// Weights of the units that stay as they are come first in a kernel and in its bias.
static int64_t first_free(const Trainer *trainer, int index)
{
    const TrainableWeight *weight = &trainer->whole.list.weights[index];
    int64_t                units  = trainer->fixed_units;
    if (weight->shape.rank == 4 && units >= 0 && units <= weight->shape.dim[0])
        return units * (shape_elements(weight->shape) / weight->shape.dim[0]);
    size_t length  = strlen(weight->name);
    bool   is_bias = length > 5 && strcmp(weight->name + length - 5, ".bias") == 0;
    // A layer's bias is listed right after its kernel.
    return is_bias && index > 0 && trainer->whole.list.weights[index - 1].shape.rank == 4 &&
                   units >= 0
               ? units
               : 0;
}

static bool keep_state(Trainer *trainer, WeightBlob *blob, Error *error)
{
    const Trainables *list    = &trainer->whole.list;
    size_t            largest = 1;
    for (int part = 0; part < 2; part++) {
        trainer->moments[part]    = memory_new((size_t)list->weight_count, sizeof(real *), error);
        trainer->statistics[part] = memory_new((size_t)trainer->norm_count, sizeof(real *), error);
        if (!trainer->moments[part] || !trainer->statistics[part])
            return false;
    }
    for (int i = 0; i < list->weight_count; i++) {
        const TrainableWeight *weight = &list->weights[i];
        size_t                 count  = (size_t)shape_elements(weight->shape);
        largest                       = count > largest ? count : largest;
        memcpy(plan_input(trainer->whole.plan, weight->node), weight->initial,
               count * sizeof(real));
        for (int moment = 0; moment < 2; moment++)
            if (!(trainer->moments[moment][i] = memory_new(count, sizeof(real), error)))
                return false;
    }
    for (int i = 0; i < trainer->norm_count; i++) {
        char   name[96];
        Shape  shape    = shape_1d(list->norms[i].channels);
        size_t channels = (size_t)list->norms[i].channels;
        for (int part = 0; part < 2; part++) {
            const real *data = NULL;
            snprintf(name, sizeof name, "%s.running_%s", list->norms[i].name,
                     part ? "var" : "mean");
            real *copy = trainer->statistics[part][i] = memory_new(channels, sizeof(real), error);
            if (!copy || !blob_find(blob, name, shape, &data, error))
                return false;
            memcpy(copy, data, channels * sizeof(real));
        }
    }
    trainer->clipped = memory_new(largest, sizeof(real), error);
    return trainer->clipped && trainer_restore(trainer, blob, error);
}

static bool check_settings(const TrainSettings *s, const TrainingSet *set, Error *error)
{
    if (s->batch < 1 || s->batch > set->count || s->batch > 4096)
        return fail(error, ERROR_USAGE,
                    "batches of %lld images, expected 1 to %lld; --batch N says how many",
                    (long long)s->batch, (long long)(set->count < 4096 ? set->count : 4096));
    if (!(s->clip >= 0) || s->crop < 0 || s->crop > LIMIT_IMAGE_SIDE || s->schedule.count < 0 ||
        s->schedule.count > MILESTONES)
        return fail(error, ERROR_USAGE, "a clip of %g or a crop of %lld pixels cannot be", s->clip,
                    (long long)s->crop);
    if (s->epochs < 1 || s->epochs > 1000000 || s->shift < 0 || s->shift >= set->width)
        return fail(error, ERROR_USAGE, "%lld epochs with a shift of %d pixels cannot be",
                    (long long)s->epochs, s->shift);
    for (int64_t i = 0; i < set->count; i++)
        if (set->labels[i] < 0 || set->labels[i] >= set->classes)
            return fail(error, ERROR_DATA, "training image %lld has class %d, expected 0 to %d",
                        (long long)i, (int)set->labels[i], (int)set->classes - 1);
    return true;
}

static bool open_graphs(Trainer *trainer, WeightBlob *blob, Error *error)
{
    const TrainSettings *s    = &trainer->settings;
    int64_t              rest = s->drop_last ? 0 : trainer->set->count % s->batch;
    if (!step_graph_open(&trainer->whole, blob, trainer->set, s, s->batch, error) ||
        (rest && !step_graph_open(&trainer->rest, blob, trainer->set, s, rest, error)))
        return false;
    const StepGraph *whole = &trainer->whole;
    trainer->classes       = (int32_t)graph_shape(whole->graph, whole->target).dim[1];
    trainer->norm_count    = whole->list.norm_count / whole->list.forward_count;
    return true;
}

bool trainer_open(Trainer **out, WeightBlob *blob, const TrainingSet *set,
                  const TrainSettings *settings, Error *error)
{
    if (!check_settings(settings, set, error))
        return false;
    Trainer *trainer = memory_new(1, sizeof *trainer, error);
    if (!trainer)
        return false;
    trainer->set         = set;
    trainer->pictures    = training_set_digest(set);
    trainer->blob        = blob;
    trainer->settings    = *settings;
    trainer->epoch       = -1;
    const char *fixed    = blob_about(blob, "fixed_units");
    trainer->fixed_units = fixed ? strtoll(fixed, NULL, 10) : 0;
    trainer->order       = memory_new((size_t)set->count, sizeof *trainer->order, error);
    if (!trainer->order || !open_graphs(trainer, blob, error) ||
        !keep_state(trainer, blob, error)) {
        trainer_close(trainer);
        return false;
    }
    *out = trainer;
    return true;
}

void trainer_close(Trainer *trainer)
{
    if (!trainer)
        return;
    for (int part = 0; part < 2; part++) {
        for (int i = 0; trainer->moments[part] && i < trainer->whole.list.weight_count; i++)
            memory_free(trainer->moments[part][i]);
        for (int i = 0; trainer->statistics[part] && i < trainer->norm_count; i++)
            memory_free(trainer->statistics[part][i]);
        memory_free(trainer->moments[part]);
        memory_free(trainer->statistics[part]);
    }
    step_graph_close(&trainer->whole);
    step_graph_close(&trainer->rest);
    memory_free(trainer->clipped);
    memory_free(trainer->order);
    memory_free(trainer->about);
    memory_free(trainer);
}

/* ---- a step ---------------------------------------------------------------------------------- */

/* Passes in their order; the running variance is that of the values, so over n - 1. Every pass has
 * the norms of the first, in its order. */
static void update_statistics(Trainer *trainer, const StepGraph *step)
{
    const ObjectiveTerms *terms = &step->terms;
    int                   first = terms->counted_first * trainer->norm_count;
    for (int k = 0; k < terms->counted * trainer->norm_count; k++) {
        const TrainableNorm *norm = &step->list.norms[first + k];
        int                  i    = k % trainer->norm_count;
        double unbiased  = norm->values > 1 ? (double)norm->values / (double)(norm->values - 1) : 1;
        const real *mean = plan_output(step->plan, norm->mean);
        const real *variance = plan_output(step->plan, norm->variance);
        for (int64_t c = 0; c < norm->channels; c++) {
            real *kept_mean     = &trainer->statistics[0][i][c],
                 *kept_variance = &trainer->statistics[1][i][c];
            *kept_mean += (real)(norm_momentum * ((double)mean[c] - (double)*kept_mean));
            *kept_variance +=
                (real)(norm_momentum * ((double)variance[c] * unbiased - (double)*kept_variance));
        }
    }
}

// Of all that is free to move.
static double gradient_norm(const Trainer *trainer, const StepGraph *step)
{
    double sum = 0;
    for (int i = 0; i < step->list.weight_count; i++) {
        const real *gradient = plan_output(step->plan, step->gradients[i]);
        int64_t     count    = shape_elements(step->list.weights[i].shape);
        for (int64_t k = first_free(trainer, i); k < count; k++)
            sum += (double)gradient[k] * (double)gradient[k];
    }
    return sqrt(sum);
}

static const real *clipped(const Trainer *trainer, const real *gradient, int64_t count)
{
    double clip = trainer->settings.clip, factor = clip / (trainer->terms.gradient_norm + 1e-6);
    if (clip <= 0 || factor >= 1)
        return gradient;
    for (int64_t i = 0; i < count; i++)
        trainer->clipped[i] = (real)factor * gradient[i];
    return trainer->clipped;
}

static void update_weights(Trainer *trainer, const StepGraph *step)
{
    for (int i = 0; i < step->list.weight_count; i++) {
        const TrainableWeight *weight = &trainer->whole.list.weights[i];
        int64_t     start = first_free(trainer, i), count = shape_elements(weight->shape) - start;
        const real *gradient = plan_output(step->plan, step->gradients[i]) + start;
        if (count <= 0)
            continue;
        optimiser_step(&trainer->settings.optimiser, trainer->terms.rate, trainer->done + 1, count,
                       clipped(trainer, gradient, count),
                       plan_input(trainer->whole.plan, weight->node) + start,
                       trainer->moments[0][i] + start, trainer->moments[1][i] + start);
    }
}

// The weights for the smaller batch at the end of an epoch.
static void lend_weights(Trainer *trainer)
{
    for (int i = 0; i < trainer->whole.list.weight_count; i++) {
        const TrainableWeight *from = &trainer->whole.list.weights[i];
        memcpy(plan_input(trainer->rest.plan, trainer->rest.list.weights[i].node),
               plan_input(trainer->whole.plan, from->node),
               (size_t)shape_elements(from->shape) * sizeof(real));
    }
}

void term_places(TrainerTerms *terms, double *out[TERM_COUNT])
{
    double *const places[TERM_COUNT] = {&terms->loss, &terms->ce,      &terms->l2,
                                        &terms->cosd, &terms->hessian, &terms->other};
    memcpy(out, places, sizeof places);
}

static void note_terms(Trainer *trainer, const StepGraph *step, StepPlace place)
{
    const NodeId from[TERM_COUNT] = {step->terms.loss, step->terms.ce,      step->terms.l2,
                                     step->terms.cosd, step->terms.hessian, step->terms.other};
    double      *to[TERM_COUNT];
    term_places(&trainer->terms, to);
    for (int i = 0; i < TERM_COUNT; i++)
        *to[i] = from[i] == NODE_NONE ? (double)NAN : (double)*plan_output(step->plan, from[i]);
    trainer->terms.rate          = place.rate;
    trainer->terms.images        = place.count;
    trainer->terms.gradient_norm = gradient_norm(trainer, step);
}

static void add_to_epoch(Trainer *trainer, int64_t correct)
{
    double *sums[TERM_COUNT], *terms[TERM_COUNT];
    if (trainer->done % trainer_steps_per_epoch(trainer) == 0) {
        trainer->sums    = (TrainerTerms){0};
        trainer->correct = 0;
    }
    term_places(&trainer->sums, sums);
    term_places(&trainer->terms, terms);
    for (int i = 0; i < TERM_COUNT; i++)
        *sums[i] += (double)trainer->terms.images * *terms[i];
    trainer->sums.images += trainer->terms.images;
    trainer->correct += correct;
}

bool trainer_step(Trainer *trainer, double *loss, int64_t *correct, Error *error)
{
    StepPlace  place = step_place(trainer);
    StepGraph *step  = place.count == trainer->settings.batch ? &trainer->whole : &trainer->rest;
    if (!step_fill(trainer, step, place, error))
        return false;
    if (step == &trainer->rest)
        lend_weights(trainer);
    plan_run(step->plan);
    note_terms(trainer, step, place);
    *loss    = trainer->terms.loss;
    *correct = training_correct(plan_output(step->plan, step->terms.logits),
                                plan_input(step->plan, step->target), place.count,
                                graph_shape(step->graph, step->target));
    if (!isfinite(*loss) || !isfinite(trainer->terms.gradient_norm))
        return fail(error, ERROR_DATA,
                    "the loss of step %lld is not a number; a smaller rate may help",
                    (long long)trainer->done + 1);
    update_statistics(trainer, step);
    update_weights(trainer, step);
    add_to_epoch(trainer, *correct);
    trainer->done++;
    return true;
}

TrainerTerms trainer_terms(const Trainer *trainer)
{
    return trainer->terms;
}

TrainerTerms trainer_epoch(const Trainer *trainer, int64_t *correct)
{
    TrainerTerms means = trainer->sums;
    double      *places[TERM_COUNT];
    term_places(&means, places);
    for (int i = 0; i < TERM_COUNT; i++)
        *places[i] /= (double)means.images;
    *correct = trainer->correct;
    return means;
}
