/* tests/test_objective_torch.c - objectives of a training beside PyTorch's double backward: the
 * same weights, images, order and noise. tests/objective_torch.py is the other side. */
#include "program.h"
#include "test.h"

#include "../base/file.h"
#include "../base/words.h"
#include "../cli/training_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 3 * 32 * 32 };

enum { ROWS = 5 }; // of OBJECTIVE_NAMES

static bool is_ready(void)
{
    return test_data("cifar10/cifar10_batch_0.png") && torch_exists();
}

// Factors so large that each term is seen in the gradients of drawn weights.
static TrainSettings settings_of(int row, int64_t batch)
{
    return (TrainSettings){.optimiser = {.kind = OPTIMISER_SGD, .momentum = 0.9},
                           .batch     = batch,
                           .epochs    = 1,
                           .seed      = 7,
                           .objective = {.row            = row,
                                         .lambda_l2      = 1e6,
                                         .lambda_cos     = 1,
                                         .lambda_hessian = 1e6,
                                         .perturb_eps    = 4.0 / 255,
                                         .attack_eps     = 8.0 / 255,
                                         .attack_steps   = 2,
                                         .attack_inputs  = 1000}};
}

static bool write_inputs(const TrainingSet *set, const TrainSettings *settings, int steps)
{
    const char *name  = word_text(OBJECTIVE_NAMES, settings->objective.row);
    size_t      count = (size_t)set->count, draws = (size_t)(steps * settings->batch);
    int64_t    *order  = memory_new(count, sizeof *order, NULL);
    uint8_t    *labels = memory_new(count, 1, NULL);
    real       *noise  = memory_new(draws * PIXELS, sizeof *noise, NULL);
    bool        ok     = order && labels && noise;
    if (ok)
        training_order(settings->seed, 0, set->count, order);
    for (size_t i = 0; ok && i < count; i++)
        labels[i] = (uint8_t)set->labels[i];
    for (size_t i = 0; ok && i < draws; i++)
        training_noise(settings->seed, (int64_t)i / settings->batch, (int64_t)i % settings->batch,
                       objective_noise(&settings->objective), PIXELS, noise + i * PIXELS);
    ok = ok && file_publish(in_folder("images"), set->pixels, count * PIXELS, NULL) &&
         file_publish(in_folder("labels"), labels, count, NULL) &&
         file_publish(in_folder("order"), order, count * sizeof *order, NULL) &&
         file_publish(in_folder("noise-%s", name), noise, draws * PIXELS * sizeof *noise, NULL);
    memory_free(order);
    memory_free(labels);
    memory_free(noise);
    return ok;
}

static bool train(const TrainingSet *set, const TrainSettings *settings, int steps,
                  TrainerTerms *terms)
{
    const char *name    = word_text(OBJECTIVE_NAMES, settings->objective.row);
    WeightBlob *blob    = NULL;
    Trainer    *trainer = NULL;
    int64_t     correct = 0;
    double      loss    = 0;
    bool        ok      = blob_open(in_folder("start.nw"), &blob, NULL) &&
              trainer_open(&trainer, blob, set, settings, NULL);
    for (int i = 0; ok && i < steps; i++) {
        ok = trainer_step(trainer, &loss, &correct, NULL);
        if (ok)
            terms[i] = trainer_terms(trainer);
    }
    ok = ok && trainer_save(trainer, in_folder("end-%s.nw", name), true, NULL, NULL);
    trainer_close(trainer);
    blob_close(blob);
    return ok;
}

static FILE *torch_open(const char *network, int first, const TrainSettings *s)
{
    const ObjectiveSettings *o = &s->objective;
    char                     command[2 * LIMIT_PATH];
    snprintf(
        command, sizeof command,
        "/usr/bin/python3 tests/objective_torch.py steps %s %s %s %lld 3 %.17g %.17g %.17g %.17g "
        "%.17g %lld %lld",
        test_folder(), network, first ? "l2-cosd,hessian" : "ce,l2-cosd,hessian,pgd,triplet",
        (long long)s->batch, o->lambda_l2, o->lambda_cos, o->lambda_hessian, o->perturb_eps,
        o->attack_eps, (long long)o->attack_steps, (long long)o->attack_inputs);
    return popen(command, "r");
}

static double relative(double found, double wanted)
{
    return fabs(found - wanted) / fmax(fabs(wanted), 1e-30);
}

static bool check_row(FILE *pipe, const char *network, int row, const TrainerTerms *ours)
{
    double loss, ce, l2, cosd, last, gradient, statistic,
        found = row == 2 ? ours->hessian : ours->other;
    if (!CHECK(fscanf(pipe, "%lf %lf %lf %lf %lf %lf %lf", &loss, &ce, &l2, &cosd, &last, &gradient,
                      &statistic) == 7))
        return false;
    printf("  %s, %s: loss %.9g (PyTorch %.9g), l2 %.6g (%.6g), cosd %.6g (%.6g), hessian or other "
           "%.6g (%.6g); gradients %.2g apart, statistics %.2g\n",
           network, word_text(OBJECTIVE_NAMES, row), ours->loss, loss, ours->l2, l2, ours->cosd,
           cosd, found, last, gradient, statistic);
    CHECK_CLOSE(relative(ours->loss, loss), 0, 1e-4);
    CHECK_CLOSE(relative(ours->ce, ce), 0, 1e-4);
    if (row == 1)
        CHECK(relative(ours->l2, l2) < 1e-4 && relative(ours->cosd, cosd) < 1e-4);
    if (row == 2 || row == 4)
        CHECK_CLOSE(relative(found, last), 0, 1e-4);
    // The sign of a slope near zero may be another one in float, which moves a pixel a whole step.
    CHECK_CLOSE(gradient, 0, row < 3 ? 1e-4 : 1e-3);
    CHECK_CLOSE(statistic, 0, 1e-5);
    return true;
}

// One step of each row from `first` on, `count` of them.
static void check_steps(const char *network, int first, int count, int64_t batch)
{
    TrainingSet   set = {0};
    TrainSettings settings;
    TrainerTerms  ours[ROWS];
    REQUIRE(training_data_open(&set, test_data("cifar10/cifar10_batch_0.png"), NULL, NULL));
    REQUIRE(training_begin(in_folder("start.nw"), network, "softplus:3", &set, 32, 1, NULL));
    for (int row = first; row < first + count; row++) {
        settings = settings_of(row, batch);
        if (strcmp(network, "lenet") != 0)
            settings.objective.lambda_l2      = 10,
            settings.objective.lambda_hessian = 0.02; // g is larger
        REQUIRE(write_inputs(&set, &settings, 1) && train(&set, &settings, 1, &ours[row]));
    }
    FILE *pipe = torch_open(network, first, &settings);
    REQUIRE(pipe);
    for (int row = first; row < first + count && check_row(pipe, network, row, &ours[row]); row++)
        ;
    CHECK(pclose(pipe) == 0);
    training_set_free(&set);
}

static void a_step_of_lenet_equals_pytorch(void)
{
    if (!is_ready())
        SKIP("no CIFAR-10 images or no PyTorch");
    check_steps("lenet", 0, ROWS, 8);
}

// Cross-entropy through norms is compared in test_training_torch.c.
static void a_step_of_resnet18_equals_pytorch(void)
{
    if (!is_ready())
        SKIP("no CIFAR-10 images or no PyTorch");
    check_steps("resnet18_cifar", 1, 2, 2);
}

SUITE(objective_torch)
{
    RUN(a_step_of_lenet_equals_pytorch);
    RUN(a_step_of_resnet18_equals_pytorch);
}
