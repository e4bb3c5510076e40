/* tests/test_towers_torch.c - one step of the trainings of a pair of towers and of a captioner
 * beside PyTorch, which is given the same weights, images and captions and takes the losses from
 * their formulas. tests/towers_torch.py is the other side. */
#include "program.h"
#include "test.h"

#include "../base/file.h"
#include "../base/words.h"
#include "../cli/caption_data.h"
#include "../mini/mini.h"
#include "../training/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, EXEMPLARS = 15, FEATURES = 40, PIXELS = 3 * MINI_SIDE * MINI_SIDE };

static TrainSettings settings_of(const char *objective)
{
    int row = word_index(OBJECTIVE_NAMES, objective, strlen(objective));
    return (TrainSettings){.optimiser = {.kind = OPTIMISER_SGD, .momentum = 0.9},
                           .batch     = BATCH,
                           .epochs    = 1,
                           .seed      = 7,
                           .objective = {.row = row}};
}

// What the first step sees, in its order: images, captions, and which captions are true of which.
static bool write_inputs(const TrainingSet *set, uint64_t seed)
{
    const CaptionSet *captions = set->captions;
    int64_t           count = set->units ? set->units->count : set->count, row = captions->row;
    int64_t          *order    = memory_new((size_t)count, sizeof *order, NULL), claim[BATCH];
    uint8_t          *pixels   = memory_new(BATCH, PIXELS, NULL), truth[BATCH * BATCH];
    int32_t          *tokens   = memory_new((size_t)(BATCH * row), sizeof *tokens, NULL);
    size_t            size     = (size_t)EXEMPLARS * FEATURES;
    real             *features = memory_new(BATCH * size, sizeof *features, NULL);
    bool              ok       = order && pixels && tokens && features;
    if (ok)
        training_order(seed, 0, count, order);
    for (int64_t i = 0; ok && i < BATCH; i++) {
        int64_t text = captions_draw(captions, seed, 0, order[i], &claim[i]);
        memcpy(tokens + i * row, captions->tokens + text * row, (size_t)row * sizeof *tokens);
        if (set->units)
            memcpy(features + (size_t)i * size, set->units->values + (size_t)order[i] * size,
                   size * sizeof *features);
        else
            memcpy(pixels + i * PIXELS, set->pixels + order[i] * PIXELS, PIXELS);
    }
    for (int64_t i = 0; ok && i < (int64_t)BATCH * BATCH; i++)
        truth[i] = captions_true(captions, order[i / BATCH], claim[i % BATCH]);
    ok = ok &&
         file_publish(in_folder("tokens"), tokens, (size_t)(BATCH * row) * sizeof *tokens, NULL) &&
         file_publish(in_folder("images"), pixels, BATCH * PIXELS, NULL) &&
         file_publish(in_folder("truth"), truth, sizeof truth, NULL) &&
         file_publish(in_folder("features"), features, BATCH * size * sizeof *features, NULL);
    memory_free(order);
    memory_free(pixels);
    memory_free(tokens);
    memory_free(features);
    return CHECK(ok);
}

// One step from start.nw to end.nw.
static bool take_step(const TrainingSet *set, const TrainSettings *settings, double *loss)
{
    WeightBlob *blob    = NULL;
    Trainer    *trainer = NULL;
    int64_t     correct = 0;
    bool        ok      = blob_open(in_folder("start.nw"), &blob, NULL) &&
              trainer_open(&trainer, blob, set, settings, NULL) &&
              trainer_step(trainer, loss, &correct, NULL) &&
              trainer_save(trainer, in_folder("end.nw"), true, NULL, NULL);
    trainer_close(trainer);
    blob_close(blob);
    return CHECK(ok);
}

static void check_step(const TrainingSet *set, const char *objective)
{
    TrainSettings settings = settings_of(objective);
    double        loss = 0, wanted = 0, apart = 1;
    char          command[2 * LIMIT_PATH];
    snprintf(command, sizeof command, "/usr/bin/python3 tests/towers_torch.py %s %s %d", objective,
             test_folder(), BATCH);
    if (!write_inputs(set, settings.seed) || !take_step(set, &settings, &loss))
        return;
    FILE *pipe = popen(command, "r");
    REQUIRE(pipe);
    CHECK(fscanf(pipe, "%lf %lf", &wanted, &apart) == 2);
    CHECK(pclose(pipe) == 0);
    printf("  %s: loss %.9g (PyTorch %.9g), gradients %.2g apart\n", objective, loss, wanted,
           apart);
    CHECK_CLOSE(loss, wanted, 1e-5 * fabs(wanted));
    CHECK_CLOSE(apart, 0, 1e-4);
}

static void the_step_of_a_pair_is_pytorchs(void)
{
    TrainingSet set = {0};
    if (!torch_exists())
        SKIP("no PyTorch");
    REQUIRE(caption_data_open(&set, "mini:40:1", "mini", NULL, NULL));
    REQUIRE(training_begin(in_folder("start.nw"), "clip_mini", "relu", &set, MINI_SIDE, 1, NULL));
    check_step(&set, "contrastive");
    training_set_free(&set);
}

static void the_step_of_a_captioner_is_pytorchs(void)
{
    TrainingSet set     = {0};
    WeightBlob *encoder = NULL;
    Bytes       drawn   = {0};
    Random      random  = random_stream(3, "features");
    if (!torch_exists())
        SKIP("no PyTorch");
    REQUIRE(caption_data_open(&set, "mini:40:1", "mini", NULL, NULL) &&
            unit_set_new(&set.units, set.count, EXEMPLARS, FEATURES, false, NULL) &&
            blob_open("demo/mini.nw", &encoder, NULL));
    for (int64_t i = 0; i < set.count * EXEMPLARS * FEATURES; i++)
        set.units->values[i] = (real)random_unit(random_word(&random));
    REQUIRE(captioner_draw(&drawn, encoder, &set, 1, NULL) &&
            file_publish(in_folder("start.nw"), drawn.data, drawn.size, NULL));
    check_step(&set, "caption");
    bytes_close(&drawn);
    blob_close(encoder);
    training_set_free(&set);
}

SUITE(towers_torch)
{
    RUN(the_step_of_a_pair_is_pytorchs);
    RUN(the_step_of_a_captioner_is_pytorchs);
}
