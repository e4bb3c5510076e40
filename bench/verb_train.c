/* bench/verb_train.c - steps of a training: forward, gradient of its objective, optimiser; by
 * the trainer itself, on drawn weights and random pictures. */
#include "bench.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../base/words.h"
#include "../engine/plan.h"
#include "../tests/blob_builder.h"
#include "../training/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 32, CLASSES = 10, BATCHES = 2, MOST_STEPS = 1000000 };

/* ---- drawn weights --------------------------------------------------------------------------- */

static void add_tensor(BlobBuilder *builder, const char *base, Shape shape)
{
    char    name[96];
    int64_t fan_in = shape_elements(shape) / shape.dim[0];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape, 0, 0, sqrtf(6.0f / (float)fan_in));
}

static void add_constants(BlobBuilder *builder, const char *base, const char *part, int64_t count,
                          float value)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", base, part);
    blob_builder_constant(builder, name, shape_1d(count), value);
}

static void add_norm(BlobBuilder *builder, const char *base, int64_t channels)
{
    add_constants(builder, base, "weight", channels, 1);
    add_constants(builder, base, "bias", channels, 0);
    add_constants(builder, base, "running_mean", channels, 0);
    add_constants(builder, base, "running_var", channels, 1);
}

/* One 3x3 convolution (1x1 of a shortcut) of `block` and its norm. */
static void add_conv_norm(BlobBuilder *builder, const char *block, const char *conv,
                          const char *norm, int64_t kernels, int64_t channels, int side)
{
    char base[64];
    snprintf(base, sizeof base, "%s%s", block, conv);
    add_tensor(builder, base, shape_4d(kernels, channels, side, side));
    snprintf(base, sizeof base, "%s%s", block, norm);
    add_norm(builder, base, kernels);
}

static void add_dense(BlobBuilder *builder, const char *base, int64_t outputs, int64_t inputs)
{
    add_tensor(builder, base, shape_2d(outputs, inputs));
    add_constants(builder, base, "bias", outputs, 0);
}

static void resnet18_cifar(BlobBuilder *builder)
{
    int64_t channels = 64;
    add_conv_norm(builder, "", "conv1", "bn1", 64, 3, 3);
    for (int stage = 1; stage <= 4; stage++)
        for (int i = 0; i < 2; i++) {
            char    block[32];
            int64_t kernels = 32 << stage;
            snprintf(block, sizeof block, "layer%d.%d.", stage, i);
            add_conv_norm(builder, block, "conv1", "bn1", kernels, channels, 3);
            add_conv_norm(builder, block, "conv2", "bn2", kernels, kernels, 3);
            if (channels != kernels)
                add_conv_norm(builder, block, "downsample.0", "downsample.1", kernels, channels, 1);
            channels = kernels;
        }
    add_dense(builder, "fc", CLASSES, channels);
}

static void lenet(BlobBuilder *builder)
{
    static const struct {
        const char *name;
        int64_t     kernels, channels;
    } convs[] = {{"conv11", 32, 3}, {"conv12", 32, 32}, {"conv21", 64, 32}, {"conv22", 64, 64}};
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        add_tensor(builder, convs[i].name, shape_4d(convs[i].kernels, convs[i].channels, 3, 3));
        add_constants(builder, convs[i].name, "bias", convs[i].kernels, 0);
    }
    add_dense(builder, "fc1", 256, 64 * (SIDE / 4) * (SIDE / 4));
    add_dense(builder, "fc2", CLASSES, 256);
}

static bool save_drawn(const char *arch, const TrainingSet *set, const char *path, Error *error)
{
    if (strcmp(arch, "resnet20") == 0)
        return training_begin(path, arch, "relu", set, SIDE, 0, error);
    BlobBuilder *builder = blob_builder_new(arch, SIDE, SIDE);
    blob_builder_about(builder, "mean", "0.5,0.5,0.5");
    blob_builder_about(builder, "std", "0.25,0.25,0.25");
    blob_builder_about(builder, "bn", strcmp(arch, "lenet") == 0 ? "none" : "unfolded");
    (strcmp(arch, "lenet") == 0 ? lenet : resnet18_cifar)(builder);
    bool ok = blob_builder_save(builder, path, error);
    blob_builder_free(builder);
    return ok;
}

/* ---- trainer --------------------------------------------------------------------------------- */

static bool fill_set(TrainingSet *set, int64_t count, Error *error)
{
    if (!training_set_new(set, count, SIDE, SIDE, CLASSES, error))
        return false;
    Random random = random_stream(0, "bench training set");
    for (int64_t i = 0; i < count * 3 * SIDE * SIDE; i++)
        set->pixels[i] = (uint8_t)(random_word(&random) >> 24);
    for (int64_t i = 0; i < count; i++)
        set->labels[i] = (int32_t)random_below(&random, CLASSES);
    return true;
}

bool train_open(TrainWork *work, const char *arch, int objective, int64_t batch, Error *error)
{
    // A rate at which random labels do no harm: what is measured does not depend on it.
    TrainSettings settings = {
        .optimiser = {.kind = OPTIMISER_SGD, .rate = 1e-4, .momentum = 0.9, .weight_decay = 1e-4},
        .batch     = batch,
        .epochs    = MOST_STEPS / BATCHES,
        .flip      = true,
        .shift     = 4};
    settings.objective = (ObjectiveSettings){.row            = objective,
                                             .lambda_l2      = 0.01,
                                             .lambda_cos     = 1,
                                             .lambda_hessian = 1e-3,
                                             .perturb_eps    = 4.0 / 255,
                                             .attack_eps     = 8.0 / 255,
                                             .attack_steps   = 3,
                                             .attack_inputs  = 1000};
    if (objective)
        settings.softplus_beta = 3;
    char folder[LIMIT_PATH], path[LIMIT_PATH];
    if (!folder_temporary(folder, error))
        return false;
    bool ok = path_join(path, folder, "drawn.nw", error) &&
              fill_set(&work->set, BATCHES * batch, error) &&
              save_drawn(arch, &work->set, path, error) && blob_open(path, &work->blob, error) &&
              trainer_open(&work->trainer, work->blob, &work->set, &settings, error);
    folder_discard(folder);
    return ok;
}

void train_close(TrainWork *work)
{
    trainer_close(work->trainer);
    blob_close(work->blob);
    training_set_free(&work->set);
}

void train_step(void *data)
{
    TrainWork *work    = data;
    double     loss    = 0;
    int64_t    correct = 0;
    trainer_step(work->trainer, &loss, &correct, &work->error);
}

double train_flops(const TrainWork *work)
{
    const Plan *plan  = work->trainer->whole.plan;
    double      flops = 0;
    for (int32_t step = 0; step < plan_step_count(plan); step++)
        flops += plan_step_report(plan, step).flops;
    return flops;
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

static int convolutions(const Plan *plan)
{
    int count = 0;
    for (int32_t step = 0; step < plan_step_count(plan); step++)
        count += strncmp(plan_step_report(plan, step).text, "conv2d", strlen("conv2d")) == 0;
    return count;
}

/* How many convolutions a step runs, in units of those of a forward pass. */
static bool count_sweeps(const TrainWork *work, double *out, Error *error)
{
    NetworkRequest request = {.batch = 1, .unit = -1, .width = SIDE, .height = SIDE};
    Graph         *graph   = NULL;
    Plan          *plan    = NULL;
    Network        network;
    bool           ok = graph_create(&graph, error) &&
              network_build(graph, work->blob, &request, &network, error) &&
              plan_create(&plan, graph, &network.layer, 1, NULL, error);
    if (ok)
        *out = (double)convolutions(work->trainer->whole.plan) / convolutions(plan);
    plan_destroy(plan);
    graph_destroy(graph);
    return ok;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int objective_count(void)
{
    size_t length;
    int    count = 0;
    while (word_at(OBJECTIVE_NAMES, count, &length))
        count++;
    return count;
}

static bool is_all(const Options *options)
{
    return options->objective == objective_count();
}

static bool bench_network(const Options *options, const char *arch, int objective, Error *error)
{
    TrainWork work   = {0};
    Row       row    = {.verb = "train", .threads = parallel_threads()};
    double    images = (double)options->batch, sweeps = 0;
    bool      ok = train_open(&work, arch, objective, options->batch, error) &&
              count_sweeps(&work, &sweeps, error) &&
              row_time(&row, options->runs, train_step, &work, error);
    if (ok && work.error.code)
        ok = fail(error, work.error.code, "%s", work.error.message);
    if (ok) {
        snprintf(row.name, sizeof row.name, "%s %s%sstep b%lld", arch,
                 objective ? word_text(OBJECTIVE_NAMES, objective) : "", objective ? " " : "",
                 (long long)options->batch);
        row.figures[0] = (Figure){"ms_per_step", row.ms.median};
        row.figures[1] = (Figure){"cpu_ms_per_step", row.ms.cpu};
        row.figures[2] = (Figure){"plan_mb", (double)plan_bytes(work.trainer->whole.plan) / 1e6};
        row.figures[3] = (Figure){"sweeps", sweeps};
        row.ms         = timing_scaled(row.ms, 1 / images);
        row.flops      = train_flops(&work) / images;
        row_print(options, &row);
        if (!options->json && !options->title && !is_all(options))
            profile_plan(work.trainer->whole.plan, options->runs);
    }
    train_close(&work);
    return ok;
}

bool bench_train(const Options *options, Error *error)
{
    static const char *const archs[] = {"resnet20", "lenet", "resnet18_cifar"};
    enum { ARCHS = sizeof archs / sizeof *archs };
    int first = 0, end = ARCHS;
    if (options->arch) {
        while (first < ARCHS && strcmp(options->arch, archs[first]) != 0)
            first++;
        if (first == ARCHS)
            return fail(error, ERROR_USAGE,
                        "train: no drawn weights for '%s', expected resnet20, lenet or "
                        "resnet18_cifar",
                        options->arch);
        end = first + 1;
    }
    row_header(options, "a step of a training");
    bool ok            = true;
    int  from          = is_all(options) ? 0 : options->objective;
    int  end_objective = is_all(options) ? objective_count() : from + 1;
    for (int i = first; ok && i < end; i++)
        for (int objective = from; ok && objective < end_objective; objective++)
            ok = bench_network(options, archs[i], objective, error);
    return ok;
}
