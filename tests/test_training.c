/* tests/test_training.c - gradients of the training loss, optimiser steps, curves, checkpoints. */
#include "blob_builder.h"
#include "program.h"
#include "test.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../cli/training_data.h"
#include "../mini/mini.h"
#include "../probe/picture.h"
#include "../training/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static TrainSettings plain_settings(int64_t batch, int64_t epochs)
{
    return (TrainSettings){.optimiser = {OPTIMISER_SGD, 0.02, 0.9, 0.999, 1e-8, 5e-4, false},
                           .batch     = batch,
                           .epochs    = epochs,
                           .seed      = 7};
}

static bool begin(const char *path, const char *arch, const TrainingSet *set)
{
    return training_begin(path, arch, "relu", set, set->width, 1, NULL);
}

// A set of noise in which class k has a bright square at a place of its own.
static bool squares(TrainingSet *out, int64_t count, int64_t side, int32_t classes)
{
    if (!training_set_new(out, count, side, side, classes, NULL))
        return false;
    Random random = random_stream(3, "squares");
    for (int64_t i = 0; i < count; i++) {
        uint8_t *planes = out->pixels + i * 3 * side * side;
        int32_t  label = out->labels[i] = (int32_t)(i % classes);
        for (int64_t p = 0; p < 3 * side * side; p++) {
            int64_t x = p % side, y = p / side % side;
            bool    inside = x / 4 == label % 4 && y / 4 == label / 4;
            planes[p]      = (uint8_t)(random_word(&random) % 60 + (inside ? 180 : 0));
        }
    }
    return true;
}

/* ---- optimisers ------------------------------------------------------------------------------ */

// w = 1, g = 0.5, rate 0.1, decay 0.2: slope 0.7; v = 0.7, w = 0.93. Again: slope 0.686; v = 1.316.
static void momentum_by_hand(void)
{
    Optimiser sgd      = {.kind = OPTIMISER_SGD, .momentum = 0.9, .weight_decay = 0.2};
    real      gradient = (real)0.5, weight = 1, velocity = 0;
    optimiser_step(&sgd, 0.1, 1, 1, &gradient, &weight, &velocity, NULL);
    CHECK_CLOSE((double)velocity, 0.7, 1e-6);
    CHECK_CLOSE((double)weight, 0.93, 1e-6);
    optimiser_step(&sgd, 0.1, 2, 1, &gradient, &weight, &velocity, NULL);
    CHECK_CLOSE((double)velocity, 1.316, 1e-6);
    CHECK_CLOSE((double)weight, 0.7984, 1e-6);
}

/* w = 1, g = 0.5: m = 0.05, v = 0.00025; both corrected: 0.5, 0.25, so the step is the rate. Then g
 * = -1: m = -0.055, v = 0.00124975; corrected -0.2894737, 0.6251876: w = 0.9 + 0.1 * 0.2894737 /
 * 0.7906881. */
static void adam_by_hand(void)
{
    Optimiser adam     = {.kind = OPTIMISER_ADAM, .momentum = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    real      gradient = (real)0.5, weight = 1, first = 0, second = 0;
    optimiser_step(&adam, 0.1, 1, 1, &gradient, &weight, &first, &second);
    CHECK_CLOSE((double)first, 0.05, 1e-7);
    CHECK_CLOSE((double)second, 0.00025, 1e-9);
    CHECK_CLOSE((double)weight, 0.9, 1e-6);
    gradient = -1;
    optimiser_step(&adam, 0.1, 2, 1, &gradient, &weight, &first, &second);
    CHECK_CLOSE((double)first, -0.055, 1e-7);
    CHECK_CLOSE((double)second, 0.00124975, 1e-9);
    CHECK_CLOSE((double)weight, 0.936610344, 1e-6);
}

/* ---- order and augmentation ------------------------------------------------------------------ */

static void an_order_has_every_place_once(void)
{
    enum { COUNT = 100 };
    int64_t first[COUNT], again[COUNT], next[COUNT];
    bool    seen[COUNT] = {0};
    training_order(1, 0, COUNT, first);
    training_order(1, 0, COUNT, again);
    training_order(1, 1, COUNT, next);
    CHECK(memcmp(first, again, sizeof first) == 0 && memcmp(first, next, sizeof first) != 0);
    for (int i = 0; i < COUNT; i++)
        seen[first[i]] = true;
    for (int i = 0; i < COUNT; i++)
        CHECK(seen[i]);
}

// Every augmented image is the image moved and perhaps mirrored; all 2 x 3 x 3 of them occur.
static void augmentation_moves_and_mirrors(void)
{
    enum { SIDE = 5, SIZE = 3 * SIDE * SIDE, DRAWS = 300 };
    TrainingSet   set           = {0};
    TrainSettings settings      = {.seed = 1, .flip = true, .shift = 1};
    bool          seen[2][3][3] = {{{false}}};
    REQUIRE(training_set_new(&set, 1, SIDE, SIDE, 1, NULL));
    for (int i = 0; i < SIZE; i++)
        set.pixels[i] = (uint8_t)(3 * i + 1);
    for (int epoch = 0; epoch < DRAWS; epoch++) {
        real found[SIZE];
        int  matches = 0;
        training_image(&set, 0, &settings, epoch, found);
        for (int way = 0; way < 18; way++) {
            bool same = true;
            for (int p = 0; p < SIZE; p++) {
                int x = p % SIDE + way / 2 % 3 - 1, y = p / SIDE % SIDE + way / 6 - 1;
                if (way % 2)
                    x = SIDE - 1 - p % SIDE + way / 2 % 3 - 1;
                bool inside = x >= 0 && x < SIDE && y >= 0 && y < SIDE;
                int  from   = p / (SIDE * SIDE) * SIDE * SIDE + y * SIDE + x;
                same        = same && found[p] == (inside ? (real)set.pixels[from] / 255 : 0);
            }
            matches += same;
            if (same)
                seen[way % 2][way / 2 % 3][way / 6] = true;
        }
        CHECK(matches == 1);
    }
    for (int way = 0; way < 18; way++)
        CHECK(seen[way % 2][way / 2 % 3][way / 6]);
    training_set_free(&set);
}

/* ---- gradients ------------------------------------------------------------------------------- */

static double loss_at(Trainer *trainer)
{
    plan_run(trainer->whole.plan);
    return (double)*plan_output(trainer->whole.plan, trainer->whole.terms.loss);
}

/* Central differences of the loss in float32: of every tensor of a ResNet-20 in training mode the
 * element with the largest gradient, where rounding (1e-7 of a loss near 3, over a step of 4e-3)
 * matters least. */
static void gradients_of_the_loss_are_its_slopes(void)
{
    TrainingSet   set      = {0};
    TrainSettings settings = plain_settings(4, 1);
    WeightBlob   *blob     = NULL;
    Trainer      *trainer  = NULL;
    double        loss = 0, dot = 0, error = 0;
    int64_t       correct = 0;
    REQUIRE(squares(&set, 4, 16, 4));
    REQUIRE(begin(in_folder("start.nw"), "resnet20", &set));
    REQUIRE(blob_open(in_folder("start.nw"), &blob, NULL));
    settings.optimiser.rate = 0; // a step that only fills the batch
    REQUIRE(trainer_open(&trainer, blob, &set, &settings, NULL));
    REQUIRE(trainer_step(trainer, &loss, &correct, NULL));
    CHECK(trainer->whole.list.weight_count == 19 * 3 + 2 && trainer->whole.list.norm_count == 19);
    for (int i = 0; i < trainer->whole.list.weight_count; i++) {
        const TrainableWeight *weight   = &trainer->whole.list.weights[i];
        const real            *gradient = NULL;
        real                  *value    = plan_input(trainer->whole.plan, weight->node);
        int64_t                best     = 0;
        loss_at(trainer);
        gradient = plan_output(trainer->whole.plan, trainer->whole.gradients[i]);
        for (int64_t k = 0; k < shape_elements(weight->shape); k++)
            if (fabs((double)gradient[k]) > fabs((double)gradient[best]))
                best = k;
        double slope = (double)gradient[best], kept = (double)value[best], step = 2e-3;
        value[best]  = (real)(kept + step);
        double above = loss_at(trainer);
        value[best]  = (real)(kept - step);
        double below = loss_at(trainer);
        value[best]  = (real)kept;
        double found = (above - below) / (2 * step);
        dot += slope * slope;
        error += (found - slope) * (found - slope);
    }
    CHECK(dot > 1e-3);
    CHECK_CLOSE(sqrt(error / dot), 0, 0.03); // kinks of relu lie within the step
    trainer_close(trainer);
    blob_close(blob);
    training_set_free(&set);
}

/* ---- training -------------------------------------------------------------------------------- */

static bool train(const char *from, const char *to, const TrainingSet *set,
                  const TrainSettings *settings, int64_t steps, bool with_state, double *losses)
{
    WeightBlob *blob    = NULL;
    Trainer    *trainer = NULL;
    bool ok = blob_open(from, &blob, NULL) && trainer_open(&trainer, blob, set, settings, NULL);
    for (int64_t i = 0; ok && i < steps; i++) {
        double  loss    = 0;
        int64_t correct = 0;
        ok              = trainer_step(trainer, &loss, &correct, NULL);
        if (losses)
            losses[i] = loss;
    }
    ok = ok && trainer_save(trainer, to, with_state, "note=kept\n", NULL);
    trainer_close(trainer);
    blob_close(blob);
    return ok;
}

static void the_loss_falls_and_the_classes_are_learned(void)
{
    enum { STEPS = 40 };
    TrainingSet   set      = {0};
    TrainSettings settings = plain_settings(16, 10);
    TrainingScore before = {0}, after = {0};
    WeightBlob   *blob = NULL;
    double        losses[STEPS];
    const char   *start = in_folder("start.nw"), *end = in_folder("end.nw");
    REQUIRE(squares(&set, 64, 16, 4));
    REQUIRE(begin(start, "resnet20", &set));
    REQUIRE(blob_open(start, &blob, NULL) && training_score(blob, &set, &before, NULL));
    blob_close(blob);
    REQUIRE(train(start, end, &set, &settings, STEPS, false, losses));
    REQUIRE(blob_open(end, &blob, NULL) && training_score(blob, &set, &after, NULL));
    CHECK_TEXT(blob_about(blob, "note"), "kept");
    CHECK(blob_about(blob, "training_step") == NULL);
    CHECK(losses[STEPS - 1] < losses[0] / 4);
    CHECK(before.accuracy < 0.6);
    CHECK(after.accuracy > 0.95 && after.loss < before.loss);
    blob_close(blob);
    training_set_free(&set);
}

// half.nw is one step of 8 images into its epoch.
static void check_broken_sums(const TrainingSet *set, const TrainSettings *settings)
{
    Bytes file = {0};
    REQUIRE(file_read(in_folder("half.nw"), 1 << 24, &file, NULL));
    uint8_t *bytes = memory_new(file.size, 1, NULL);
    REQUIRE(bytes);
    memcpy(bytes, file.data, file.size);
    char *line = memmem(bytes, file.size, "training_epoch=8 ", 17);
    if (CHECK(line)) {
        line[15] = '9';
        blob_reseal(bytes, file.size);
        REQUIRE(file_publish(in_folder("broken.nw"), bytes, file.size, NULL));
        CHECK(!train(in_folder("broken.nw"), in_folder("other.nw"), set, settings, 4, true, NULL));
    }
    memory_free(bytes);
    bytes_close(&file);
}

static void check_resume(OptimiserKind kind)
{
    TrainingSet   set       = {0};
    TrainSettings settings  = plain_settings(8, 3); // 5 steps an epoch, the last of 3 images
    settings.optimiser.kind = kind;
    settings.flip           = true;
    settings.shift          = 2;
    REQUIRE(squares(&set, 35, 12, 4));
    REQUIRE(begin(in_folder("start.nw"), "resnet20", &set));
    REQUIRE(train(in_folder("start.nw"), in_folder("whole.nw"), &set, &settings, 15, true, NULL));
    REQUIRE(train(in_folder("start.nw"), in_folder("half.nw"), &set, &settings, 11, true, NULL));
    REQUIRE(train(in_folder("half.nw"), in_folder("resumed.nw"), &set, &settings, 4, true, NULL));
    CHECK(same_file(in_folder("whole.nw"), in_folder("resumed.nw")));
    CHECK(!same_file(in_folder("whole.nw"), in_folder("half.nw")));
    check_broken_sums(&set, &settings);
    settings.seed++; // another training
    CHECK(!train(in_folder("half.nw"), in_folder("other.nw"), &set, &settings, 6, true, NULL));
    settings.seed--;
    settings.conv = CONV_DIRECT;
    CHECK(!train(in_folder("half.nw"), in_folder("other.nw"), &set, &settings, 6, true, NULL));
    settings.conv = CONV_AUTO;
    set.pixels[5] ^= 1;
    CHECK(!train(in_folder("half.nw"), in_folder("other.nw"), &set, &settings, 6, true, NULL));
    set.pixels[5] ^= 1;
    snprintf(settings.start, sizeof settings.start, "lenet");
    CHECK(!train(in_folder("half.nw"), in_folder("other.nw"), &set, &settings, 6, true, NULL));
    training_set_free(&set);
}

static void a_stopped_training_ends_with_the_same_bytes(void)
{
    check_resume(OPTIMISER_SGD);
    check_resume(OPTIMISER_ADAM);
}

static void threads_do_not_change_the_weights(void)
{
    TrainingSet   set      = {0};
    TrainSettings settings = plain_settings(8, 1);
    const char   *start = in_folder("start.nw"), *one = in_folder("one.nw");
    const char   *three = in_folder("three.nw");
    REQUIRE(squares(&set, 16, 12, 4));
    REQUIRE(begin(start, "resnet20", &set));
    parallel_set_threads(1);
    CHECK(train(start, one, &set, &settings, 2, false, NULL));
    parallel_set_threads(3);
    CHECK(train(start, three, &set, &settings, 2, false, NULL));
    parallel_set_threads(0);
    CHECK(same_file(one, three));
    training_set_free(&set);
}

// Unit 0 of every convolution of `mini` keeps its weights to the bit, the others move.
static void a_wired_unit_stays(void)
{
    TrainingSet   set      = {0};
    TrainSettings settings = plain_settings(4, 1);
    WeightBlob   *before = NULL, *after = NULL;
    REQUIRE(training_data_open(&set, "mini:8:1", NULL, NULL));
    CHECK(set.count == 8 && set.classes == mini_kind_count());
    REQUIRE(begin(in_folder("start.nw"), "mini", &set));
    REQUIRE(train(in_folder("start.nw"), in_folder("end.nw"), &set, &settings, 2, false, NULL));
    REQUIRE(blob_open(in_folder("start.nw"), &before, NULL) &&
            blob_open(in_folder("end.nw"), &after, NULL));
    for (int place = 0; place <= 17; place++) {
        char name[64];
        for (int part = 0; part < 2; part++) {
            snprintf(name, sizeof name, "features.%d.%s", place, part ? "bias" : "weight");
            const BlobTensor *a = blob_lookup(before, name), *b = blob_lookup(after, name);
            if (!a)
                continue;
            size_t unit = a->bytes / (size_t)a->shape.dim[0];
            CHECK(memcmp(a->data, b->data, unit) == 0);
            CHECK(memcmp((const char *)a->data + unit, (const char *)b->data + unit,
                         a->bytes - unit) != 0);
        }
    }
    blob_close(before);
    blob_close(after);
    training_set_free(&set);
}

/* ---- data ------------------------------------------------------------------------------------ */

static void bad_names_of_data_are_refused(void)
{
    static const char *const names[] = {"mini:",           "mini:5",
                                        "mini:0:1",        "mini:5:x",
                                        "mini:99999999:1", "mini:123456789012345678901234567890:1"};
    TrainingSet              set     = {0};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
        Error error = {0};
        CHECK(!training_data_open(&set, names[i], NULL, &error) && error.code == ERROR_USAGE);
    }
    CHECK(!training_data_open(&set, in_folder("nothing"), NULL, NULL));
}

static void a_folder_of_folders_is_a_set(void)
{
    Preparation fit = {.width = 16, .height = 16};
    TrainingSet set = {0};
    // images/mini of a mini world: one class called mini, maps and photos alike are pictures
    REQUIRE(mini_write(in_folder("world"), 0, 2, NULL, NULL, NULL));
    REQUIRE(training_data_open(&set, in_folder("world/images"), &fit, NULL));
    CHECK(set.classes == 1 && set.count >= 4 && set.width == 16 && set.labels[0] == 0);
    training_set_free(&set);
}

// By the names of the folders: where one is missing, the numbers of those behind it are others.
static void held_out_folders_are_those_of_the_training(void)
{
    Error       error = {0};
    const char *all = in_folder("all"), *same = in_folder("same"), *fewer = in_folder("fewer");
    for (int i = 0; i < 3; i++) {
        char class = "abc"[i];
        REQUIRE(mini_write(in_folder("all/%c", class), 0, 1, NULL, NULL, NULL));
        REQUIRE(mini_write(in_folder("same/%c", class), 0, 2, NULL, NULL, NULL));
        REQUIRE(i == 1 || mini_write(in_folder("fewer/%c", class), 0, 1, NULL, NULL, NULL));
    }
    CHECK(training_data_agree(all, same, NULL));
    CHECK(training_data_agree(all, "mini:5:0", NULL));
    CHECK(!training_data_agree(all, fewer, &error) && error.code == ERROR_DATA);
    CHECK(strstr(error.message, "class 1 is the folder 'c'"));
    REQUIRE(mini_write(in_folder("same/d"), 0, 1, NULL, NULL, NULL));
    error = (Error){0};
    CHECK(!training_data_agree(all, same, &error) && strstr(error.message, "has 4 class folders"));
}

// A photo of 20 x 10, by its short side to 16 x 8 and cropped, as `classify` has it.
static void a_network_says_how_pictures_of_a_folder_fit(void)
{
    enum { SIDE = 6 };
    Preparation fit   = {.width = SIDE, .height = SIDE, .scale = 1, .resize_short = 8};
    TrainingSet set   = {0};
    Image       image = {.width = 20, .height = 10, .channels = 3, .pixels = NULL};
    uint8_t    *bytes = NULL;
    size_t      size  = 0;
    float       planes[3 * SIDE * SIDE];
    image.pixels = memory_new(3 * 20 * 10, 1, NULL);
    REQUIRE(image.pixels);
    for (int i = 0; i < 3 * 20 * 10; i++)
        image.pixels[i] = (uint8_t)(i % 3 ? 7 * i : i / 3 % 20 * 12);
    const char *path = in_folder("photos/wide/one.png");
    REQUIRE(png_encode(&image, &bytes, &size, NULL) && folder_create(in_folder("photos"), NULL) &&
            folder_create(in_folder("photos/wide"), NULL) && file_publish(path, bytes, size, NULL));
    REQUIRE(training_data_open(&set, in_folder("photos"), &fit, NULL) &&
            picture_planes(path, &fit, planes, NULL));
    CHECK(set.width == SIDE && set.height == SIDE && set.count == 1);
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        CHECK_CLOSE(set.pixels[i] / 255.0, (double)planes[i], 1e-6);
    CHECK(set.pixels[0] > 40); // its left edge is 5 pixels into the photo
    training_set_free(&set);
    image_free(&image);
    memory_free(bytes);
}

SUITE(training)
{
    RUN(momentum_by_hand);
    RUN(adam_by_hand);
    RUN(an_order_has_every_place_once);
    RUN(augmentation_moves_and_mirrors);
    RUN(gradients_of_the_loss_are_its_slopes);
    RUN(the_loss_falls_and_the_classes_are_learned);
    RUN(a_stopped_training_ends_with_the_same_bytes);
    RUN(threads_do_not_change_the_weights);
    RUN(a_wired_unit_stays);
    RUN(bad_names_of_data_are_refused);
    RUN(a_folder_of_folders_is_a_set);
    RUN(held_out_folders_are_those_of_the_training);
    RUN(a_network_says_how_pictures_of_a_folder_fit);
}
