/* training/trainer.c - the graph of one batch: loss, gradients, statistics; and the step after it.
 */
#include "trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double norm_momentum = 0.1; // of running statistics, as PyTorch has it

/* ---- graph ----------------------------------------------------------------------------------- */

// Outputs: loss, logits, gradients, statistics of the batch.
static bool make_plan(Trainer *trainer, Error *error)
{
    const Trainables *list    = &trainer->list;
    size_t            weights = (size_t)list->weight_count, norms = (size_t)list->norm_count;
    int               count   = 0;
    NodeId           *wrt     = memory_new(weights, sizeof *wrt, error);
    NodeId           *outputs = memory_new(2 + weights + 2 * norms, sizeof *outputs, error);
    trainer->gradients        = memory_new(weights, sizeof *trainer->gradients, error);
    bool ok                   = wrt && outputs && trainer->gradients;
    if (ok) {
        for (int i = 0; i < list->weight_count; i++)
            wrt[i] = list->weights[i].node;
        graph_gradient(trainer->graph, trainer->loss, wrt, list->weight_count, trainer->gradients);
        outputs[count++] = trainer->loss;
        outputs[count++] = trainer->network.layer;
        for (int i = 0; i < list->weight_count; i++)
            outputs[count++] = trainer->gradients[i];
        for (int i = 0; i < list->norm_count; i++) {
            outputs[count++] = list->norms[i].mean;
            outputs[count++] = list->norms[i].variance;
        }
        ok = plan_create(&trainer->plan, trainer->graph, outputs, count,
                         &(PlanOptions){.conv = trainer->settings.conv}, error);
    }
    memory_free(wrt);
    memory_free(outputs);
    return ok;
}

static bool build(Trainer *trainer, WeightBlob *blob, Error *error)
{
    const TrainingSet *set     = trainer->set;
    Trainables        *list    = &trainer->list;
    NetworkRequest     request = {.batch      = trainer->settings.batch,
                                  .unit       = -1,
                                  .width      = set->width,
                                  .height     = set->height,
                                  .trainables = list};
    if (!graph_create(&trainer->graph, error) ||
        !network_build(trainer->graph, blob, &request, &trainer->network, error))
        return false;
    Shape logits = graph_shape(trainer->graph, trainer->network.layer);
    if (logits.rank != 2 || logits.dim[1] < set->classes)
        return fail(error, ERROR_USAGE, "%s: gives %s, expected logits of at least %d classes",
                    blob_path(blob), SHAPE_TEXT(logits), (int)set->classes);
    trainer->classes = (int32_t)logits.dim[1];
    trainer->target  = op_input(trainer->graph, logits, "target");
    trainer->loss    = cross_entropy_node(trainer->graph, trainer->network.layer, trainer->target);
    return make_plan(trainer, error);
}

/* ---- state ----------------------------------------------------------------------------------- */

// Weights of the units that stay as they are come first in a kernel and in its bias.
static int64_t first_free(const Trainer *trainer, int index)
{
    const TrainableWeight *weight = &trainer->list.weights[index];
    int64_t                units  = trainer->fixed_units;
    if (weight->shape.rank == 4 && units >= 0 && units <= weight->shape.dim[0])
        return units * (shape_elements(weight->shape) / weight->shape.dim[0]);
    size_t length  = strlen(weight->name);
    bool   is_bias = length > 5 && strcmp(weight->name + length - 5, ".bias") == 0;
    // A layer's bias is listed right after its kernel.
    return is_bias && index > 0 && trainer->list.weights[index - 1].shape.rank == 4 && units >= 0
               ? units
               : 0;
}

static bool keep_state(Trainer *trainer, WeightBlob *blob, Error *error)
{
    const Trainables *list = &trainer->list;
    for (int part = 0; part < 2; part++) {
        trainer->moments[part]    = memory_new((size_t)list->weight_count, sizeof(real *), error);
        trainer->statistics[part] = memory_new((size_t)list->norm_count, sizeof(real *), error);
        if (!trainer->moments[part] || !trainer->statistics[part])
            return false;
    }
    for (int i = 0; i < list->weight_count; i++) {
        const TrainableWeight *weight = &list->weights[i];
        size_t                 count  = (size_t)shape_elements(weight->shape);
        memcpy(plan_input(trainer->plan, weight->node), weight->initial, count * sizeof(real));
        for (int moment = 0; moment < 2; moment++)
            if (!(trainer->moments[moment][i] = memory_new(count, sizeof(real), error)))
                return false;
    }
    for (int i = 0; i < list->norm_count; i++) {
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
    return trainer_restore(trainer, blob, error);
}

static bool check_settings(const TrainSettings *s, const TrainingSet *set, Error *error)
{
    if (s->batch < 1 || s->batch > set->count || s->batch > 4096)
        return fail(error, ERROR_USAGE, "batch is %lld, expected 1 to %lld images",
                    (long long)s->batch, (long long)(set->count < 4096 ? set->count : 4096));
    if (s->epochs < 1 || s->epochs > 1000000 || s->shift < 0 || s->shift >= set->width)
        return fail(error, ERROR_USAGE, "%lld epochs with a shift of %d pixels cannot be",
                    (long long)s->epochs, s->shift);
    for (int64_t i = 0; i < set->count; i++)
        if (set->labels[i] < 0 || set->labels[i] >= set->classes)
            return fail(error, ERROR_DATA, "training image %lld has class %d, expected 0 to %d",
                        (long long)i, (int)set->labels[i], (int)set->classes - 1);
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
    trainer->settings    = *settings;
    trainer->epoch       = -1;
    const char *fixed    = blob_about(blob, "fixed_units");
    trainer->fixed_units = fixed ? strtoll(fixed, NULL, 10) : 0;
    trainer->order       = memory_new((size_t)set->count, sizeof *trainer->order, error);
    if (!trainer->order || !build(trainer, blob, error) || !keep_state(trainer, blob, error)) {
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
        for (int i = 0; trainer->moments[part] && i < trainer->list.weight_count; i++)
            memory_free(trainer->moments[part][i]);
        for (int i = 0; trainer->statistics[part] && i < trainer->list.norm_count; i++)
            memory_free(trainer->statistics[part][i]);
        memory_free(trainer->moments[part]);
        memory_free(trainer->statistics[part]);
    }
    memory_free(trainer->gradients);
    trainables_close(&trainer->list);
    plan_destroy(trainer->plan);
    graph_destroy(trainer->graph);
    memory_free(trainer->order);
    memory_free(trainer->about);
    memory_free(trainer);
}

int64_t trainer_steps_per_epoch(const Trainer *trainer)
{
    return trainer->set->count / trainer->settings.batch;
}

int64_t trainer_steps(const Trainer *trainer)
{
    return trainer->settings.epochs * trainer_steps_per_epoch(trainer);
}

int64_t trainer_done(const Trainer *trainer)
{
    return trainer->done;
}

/* ---- a step ---------------------------------------------------------------------------------- */

static void fill_batch(Trainer *trainer)
{
    const TrainingSet   *set    = trainer->set;
    const TrainSettings *s      = &trainer->settings;
    int64_t              epoch  = trainer->done / trainer_steps_per_epoch(trainer);
    int64_t              first  = trainer->done % trainer_steps_per_epoch(trainer) * s->batch;
    int64_t              size   = 3 * set->height * set->width;
    real                *pixels = plan_input(trainer->plan, trainer->network.pixels);
    real                *target = plan_input(trainer->plan, trainer->target);
    if (epoch != trainer->epoch)
        training_order(s->seed, epoch, set->count, trainer->order);
    trainer->epoch = epoch;
    memset(target, 0, (size_t)(s->batch * trainer->classes) * sizeof *target);
    for (int64_t i = 0; i < s->batch; i++) {
        int64_t image = trainer->order[first + i];
        training_image(set, image, s->seed, epoch, s->flip, s->shift, pixels + i * size);
        target[i * trainer->classes + set->labels[image]] = 1;
    }
}

// The running variance is that of the values, so over n - 1.
static void update_statistics(Trainer *trainer)
{
    for (int i = 0; i < trainer->list.norm_count; i++) {
        const TrainableNorm *norm = &trainer->list.norms[i];
        double unbiased  = norm->values > 1 ? (double)norm->values / (double)(norm->values - 1) : 1;
        const real *mean = plan_output(trainer->plan, norm->mean);
        const real *variance = plan_output(trainer->plan, norm->variance);
        for (int64_t c = 0; c < norm->channels; c++) {
            real *kept_mean     = &trainer->statistics[0][i][c],
                 *kept_variance = &trainer->statistics[1][i][c];
            *kept_mean += (real)(norm_momentum * ((double)mean[c] - (double)*kept_mean));
            *kept_variance +=
                (real)(norm_momentum * ((double)variance[c] * unbiased - (double)*kept_variance));
        }
    }
}

static void update_weights(Trainer *trainer)
{
    const Optimiser *optimiser = &trainer->settings.optimiser;
    double           left      = 1 - (double)trainer->done / (double)trainer_steps(trainer);
    for (int i = 0; i < trainer->list.weight_count; i++) {
        const TrainableWeight *weight = &trainer->list.weights[i];
        int64_t start = first_free(trainer, i), count = shape_elements(weight->shape);
        if (start >= count)
            continue;
        optimiser_step(optimiser, optimiser->rate * left, trainer->done + 1, count - start,
                       plan_output(trainer->plan, trainer->gradients[i]) + start,
                       plan_input(trainer->plan, weight->node) + start,
                       trainer->moments[0][i] + start, trainer->moments[1][i] + start);
    }
}

bool trainer_step(Trainer *trainer, double *loss, int64_t *correct, Error *error)
{
    const TrainSettings *s = &trainer->settings;
    fill_batch(trainer);
    plan_run(trainer->plan);
    *loss    = (double)*plan_output(trainer->plan, trainer->loss);
    *correct = training_correct(
        plan_output(trainer->plan, trainer->network.layer), s->batch, trainer->classes,
        trainer->order + trainer->done % trainer_steps_per_epoch(trainer) * s->batch,
        trainer->set->labels);
    if (!isfinite(*loss))
        return fail(error, ERROR_DATA,
                    "the loss of step %lld is not a number; a smaller rate may help",
                    (long long)trainer->done + 1);
    update_statistics(trainer);
    update_weights(trainer);
    trainer->done++;
    return true;
}
