/* tests/test_objective.c - objectives in a training: falling losses, the same bytes after an
 * interruption and with other threads, differences, schedules, clipping, softplus in a blob; what
 * is proved of the terms, on the demo's network. */
#include "program.h"
#include "test.h"

#include "../base/parallel.h"
#include "../base/words.h"
#include "../cli/training_data.h"
#include "../training/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static TrainSettings settings_of(int row)
{
    return (TrainSettings){.optimiser = {OPTIMISER_ADAM, 0.002, 0.9, 0.999, 1e-8, 1e-4, false},
                           .batch     = 8,
                           .epochs    = 10,
                           .seed      = 3,
                           .flip      = true,
                           .shift     = 1,
                           .objective = {.row            = row,
                                         .lambda_l2      = 0.01,
                                         .lambda_cos     = 1,
                                         .lambda_hessian = 1e-3,
                                         .perturb_eps    = 4.0 / 255,
                                         .attack_eps     = 4.0 / 255,
                                         .attack_steps   = 2}};
}

// Eight pixels a side; class k has a bright quarter.
static bool quarters(TrainingSet *out, int64_t count)
{
    if (!training_set_new(out, count, 8, 8, 4, NULL))
        return false;
    Random random = random_stream(5, "quarters");
    for (int64_t i = 0; i < 192 * count; i++) {
        int64_t image = i / 192, x = i % 8 / 4, y = i / 8 % 8 / 4;
        out->labels[image] = (int32_t)(image % 4);
        out->pixels[i] = (uint8_t)(random_word(&random) % 80 + (2 * y + x == image % 4 ? 150 : 0));
    }
    return true;
}

static bool train(const char *from, const char *to, const TrainingSet *set,
                  const TrainSettings *settings, int64_t steps, TrainerTerms *terms)
{
    WeightBlob *blob    = NULL;
    Trainer    *trainer = NULL;
    double      loss    = 0;
    int64_t     correct = 0;
    bool ok = blob_open(from, &blob, NULL) && trainer_open(&trainer, blob, set, settings, NULL);
    for (int64_t i = 0; ok && i < steps; i++) {
        ok = trainer_step(trainer, &loss, &correct, NULL);
        if (terms)
            terms[i] = trainer_terms(trainer);
    }
    ok = ok && trainer_save(trainer, to, true, NULL, NULL);
    trainer_close(trainer);
    blob_close(blob);
    return ok;
}

static bool begin(const char *architecture, const TrainingSet *set)
{
    return training_begin(in_folder("start.nw"), architecture, "softplus:3", set, set->width, 1,
                          NULL);
}

/* ---- every objective ------------------------------------------------------------------------- */

static void losses_fall(void)
{
    enum { STEPS = 20 };
    TrainingSet set = {0};
    REQUIRE(quarters(&set, 16) && begin("lenet", &set));
    for (int row = 0; row < 5; row++) {
        TrainSettings settings = settings_of(row);
        TrainerTerms  terms[STEPS];
        REQUIRE(train(in_folder("start.nw"), in_folder("end.nw"), &set, &settings, STEPS, terms));
        CHECK(terms[STEPS - 1].loss < terms[0].loss);
        CHECK(isnan(terms[0].cosd) == (row != 1) && isnan(terms[0].hessian) == (row != 2));
    }
    training_set_free(&set);
}

/* Norms, and stopped in the middle of an epoch; other threads after that. */
static void interrupted_trainings_end_with_the_same_bytes(void)
{
    TrainingSet set   = {0};
    const char *whole = in_folder("whole.nw"), *half = in_folder("half.nw");
    const char *end = in_folder("end.nw"), *start = in_folder("start.nw");
    REQUIRE(quarters(&set, 5) && begin("resnet20", &set));
    for (int row = 0; row < 5; row++) {
        TrainSettings settings = settings_of(row);
        settings.batch = 3, settings.clip = 0.5; // and a last batch of two
        parallel_set_threads(1);
        CHECK(train(start, whole, &set, &settings, 2, NULL));
        CHECK(train(start, half, &set, &settings, 1, NULL));
        parallel_set_threads(3);
        CHECK(train(half, end, &set, &settings, 1, NULL));
        parallel_set_threads(0);
        CHECK(same_file(whole, end) && !same_file(half, end));
        settings.objective.lambda_cos = 2; // another training
        CHECK(!train(half, end, &set, &settings, 1, NULL));
    }
    training_set_free(&set);
}

/* The velocity after one step of SGD is the gradient. */
static double distance_of_gradients(const char *a, const char *b)
{
    WeightBlob *one = NULL, *other = NULL;
    double      apart = 0, all = 0;
    if (blob_open(a, &one, NULL) && blob_open(b, &other, NULL))
        for (int i = 0; i < blob_tensor_count(one); i++) {
            const BlobTensor *x = blob_tensor(one, i), *y = blob_lookup(other, x->name);
            const float      *p = x->data, *q = y ? y->data : NULL;
            if (!q || strncmp(x->name, "state.first.", 12) != 0)
                continue;
            for (int64_t k = 0; k < shape_elements(x->shape); k++) {
                apart += ((double)p[k] - (double)q[k]) * ((double)p[k] - (double)q[k]);
                all += (double)q[k] * (double)q[k];
            }
        }
    blob_close(one);
    blob_close(other);
    return all > 0 ? sqrt(apart / all) : 1;
}

/* On a network without pooling by maxima: a difference sees when another pixel becomes the largest,
 * which a derivative does not. */
static void differences_come_close(void)
{
    static const struct {
        int          row;
        bool         is_attached;
        Perturbation perturbation;
    } cases[]       = {{1, false, PERTURB_UNIFORM}, {1, true, PERTURB_GRAD}, {2, false, 0}};
    TrainingSet set = {0};
    REQUIRE(quarters(&set, 4) && begin("resnet20", &set));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TrainSettings settings          = settings_of(cases[i].row);
        settings.optimiser              = (Optimiser){.kind = OPTIMISER_SGD, .momentum = 0.9};
        settings.objective.is_attached  = cases[i].is_attached;
        settings.objective.perturbation = cases[i].perturbation;
        settings.objective.perturb_eps  = cases[i].is_attached ? 1 : settings.objective.perturb_eps;
        settings.batch                  = 4;
        settings.objective.lambda_l2 = 1e-3, settings.objective.lambda_hessian = 1e-5;
        REQUIRE(train(in_folder("start.nw"), in_folder("exact.nw"), &set, &settings, 1, NULL));
        settings.objective.by_difference = true;
        REQUIRE(train(in_folder("start.nw"), in_folder("near.nw"), &set, &settings, 1, NULL));
        double far = distance_of_gradients(in_folder("near.nw"), in_folder("exact.nw"));
        printf("  %s: by differences %.2g of the gradient's length away\n",
               word_text(OBJECTIVE_NAMES, cases[i].row), far);
        CHECK(far > 0 && far < 1e-3);
        settings.objective = (ObjectiveSettings){.row = 0}; // without the term it is another one
        REQUIRE(train(in_folder("start.nw"), in_folder("plain.nw"), &set, &settings, 1, NULL));
        CHECK(distance_of_gradients(in_folder("plain.nw"), in_folder("exact.nw")) > 20 * far);
    }
    training_set_free(&set);
}

static void what_cannot_be_is_refused(void)
{
    ObjectiveSettings s     = {.row = 3, .by_difference = true};
    Error             error = {0};
    CHECK(!objective_check(&s, &error) && error.code == ERROR_USAGE);
    s = (ObjectiveSettings){.row = 1, .lambda_cos = -1};
    CHECK(!objective_check(&s, NULL));
    s = (ObjectiveSettings){.row = 1, .perturb_eps = 2};
    CHECK(!objective_check(&s, NULL));
    s = (ObjectiveSettings){.row = 3, .mode = 1}; // not of the published code
    CHECK(!objective_check(&s, NULL));
}

/* Images of 8 x 8 are no CIFAR, so noise is over the deviations of ImageNet; another training. */
static void published_noise_has_fixed_deviations(void)
{
    TrainingSet   set      = {0};
    TrainSettings settings = settings_of(1);
    const char   *start = in_folder("start.nw"), *end = in_folder("end.nw");
    TrainerTerms  clean[2], published[2];
    REQUIRE(quarters(&set, 16) && begin("resnet20", &set)); // whose own deviations are 1/4
    REQUIRE(train(start, end, &set, &settings, 2, clean));
    settings.objective.mode = 1;
    REQUIRE(train(start, end, &set, &settings, 1, published));
    double ratio = published[0].l2 / clean[0].l2; // of squares, to first order
    CHECK(ratio > 1.0 && ratio < 1.5 && published[0].ce == clean[0].ce);
    settings.objective.mode = 0;
    CHECK(!train(end, in_folder("more.nw"), &set, &settings, 1, clean));
    training_set_free(&set);
}

/* ---- optimisers and schedules ---------------------------------------------------------------- */

// w = 1, g = 0.5, rate 0.1, decay 0.2.
static void optimisers_by_hand(void)
{
    Optimiser nesterov = {
        .kind = OPTIMISER_SGD, .momentum = 0.9, .weight_decay = 0.2, .nesterov = true};
    Optimiser apart    = {.kind         = OPTIMISER_ADAMW,
                          .momentum     = 0.9,
                          .beta2        = 0.999,
                          .epsilon      = 1e-8,
                          .weight_decay = 0.2};
    real      gradient = (real)0.5, weight = 1, first = 0, second = 0;
    optimiser_step(&nesterov, 0.1, 1, 1, &gradient, &weight, &first, NULL);
    CHECK_CLOSE((double)weight, 1 - 0.1 * (0.7 + 0.9 * 0.7), 1e-6);
    weight = 1, first = 0;
    optimiser_step(&apart, 0.1, 1, 1, &gradient, &weight, &first, &second);
    CHECK_CLOSE((double)weight, 1 * (1 - 0.02) - 0.1, 1e-6);
}

static void schedules_and_clips(void)
{
    enum { STEPS = 20 };
    TrainingSet set = {0};
    REQUIRE(quarters(&set, 12) && begin("lenet", &set));
    for (int kind = 0; kind < 3; kind++) {
        TrainSettings settings = settings_of(0);
        TrainerTerms  terms[STEPS];
        settings.schedule = (Schedule){(ScheduleKind)kind, {3, 7}, 2};
        settings.epochs   = STEPS / 2; // two steps an epoch, the second of four images
        REQUIRE(train(in_folder("start.nw"), in_folder("end.nw"), &set, &settings, STEPS, terms));
        double wanted[3] = {0.002 * (1 - 7.0 / STEPS), 0.001 * (1 + cos(acos(-1.0) * 7 / STEPS)),
                            0.0002};
        CHECK_CLOSE(terms[7].rate, wanted[kind], 1e-12);
        CHECK(terms[7].images == 4 && terms[6].images == 8);
        if (kind == SCHEDULE_MILESTONES)
            CHECK_CLOSE(terms[STEPS - 1].rate, 2e-5, 1e-12);
    }
    TrainSettings settings = settings_of(0);
    TrainerTerms  plain, clipped;
    settings.optimiser = (Optimiser){.kind = OPTIMISER_SGD, .momentum = 0.9};
    REQUIRE(train(in_folder("start.nw"), in_folder("plain.nw"), &set, &settings, 1, &plain));
    settings.clip = plain.gradient_norm / 4;
    REQUIRE(train(in_folder("start.nw"), in_folder("end.nw"), &set, &settings, 1, &clipped));
    CHECK_CLOSE(distance_of_gradients(in_folder("end.nw"), in_folder("plain.nw")), 0.75, 1e-4);
    training_set_free(&set);
}

static void random_parts_stay_inside(void)
{
    TrainingSet   set      = {0};
    TrainSettings settings = {.seed = 1, .crop = 6};
    REQUIRE(training_set_new(&set, 1, 8, 8, 1, NULL));
    for (int i = 0; i < 192; i++)
        set.pixels[i] = (uint8_t)(100 + i % 64);
    double spread = 0, first = 0;
    for (int epoch = 0; epoch < 100; epoch++) {
        real   planes[108];
        double sum = 0;
        training_image(&set, 0, &settings, epoch, planes);
        for (int i = 0; i < 108; i++) {
            CHECK(planes[i] >= (real)(99.9 / 255) && planes[i] <= (real)(163.1 / 255));
            sum += (double)planes[i];
        }
        first  = epoch ? first : sum;
        spread = fmax(spread, fabs(sum - first));
    }
    CHECK(spread > 1);
    training_set_free(&set);
}

/* ---- networks -------------------------------------------------------------------------------- */

// Weights of every row make a network with logits, and a blob's softplus is what is computed.
static void networks_begin(void)
{
    static const char *const names[] = {"lenet",       "vgg11_bn",      "resnet20",
                                        "densenet121", "squeezenet1.0", "squeezenet1.1",
                                        "mobilenet_v2"};
    TrainingSet              set     = {0};
    REQUIRE(training_set_new(&set, 1, 32, 32, 10, NULL));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        WeightBlob    *blob    = NULL;
        Graph         *graph   = NULL;
        Network        network = {.layer = NODE_NONE};
        NetworkRequest request = {.batch = 1, .unit = -1};
        Error          error   = {0};
        real           beta    = 0;
        CHECK(begin(names[i], &set) && blob_open(in_folder("start.nw"), &blob, NULL) &&
              graph_create(&graph, NULL));
        if (!CHECK(network_build(graph, blob, &request, &network, &error)))
            printf("  %s\n", error.message);
        else
            CHECK(graph_shape(graph, network.layer).dim[1] == 10);
        CHECK(network_activation(blob, &beta, NULL) && beta == 3);
        graph_destroy(graph);
        blob_close(blob);
    }
    Error error = {0};
    CHECK(!training_begin(in_folder("start.nw"), "lenet", "tanh", &set, 32, 1, &error) &&
          error.code == ERROR_USAGE);
    training_set_free(&set);
}

/* Networks for photos, on the smallest ones they take: a step lowers the loss of its batch. */
static void a_step_lowers_the_loss_of_networks_for_photos(void)
{
    static const struct {
        const char *name;
        int64_t     side;
    } networks[] = {{"alexnet", 63},       {"densenet121", 32},  {"squeezenet1.0", 32},
                    {"squeezenet1.1", 32}, {"mobilenet_v2", 32}, {"vit", 8}};
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        enum { IMAGES = 4, STEPS = 2 };
        TrainingSet   set      = {0};
        TrainSettings settings = settings_of(0);
        TrainerTerms  terms[STEPS];
        int64_t       values = 3 * networks[i].side * networks[i].side;
        Random        random = random_stream(9, networks[i].name);
        settings.optimiser   = (Optimiser){.kind = OPTIMISER_SGD, .rate = 1e-2};
        settings.batch       = IMAGES;
        settings.flip = false, settings.shift = 0;
        REQUIRE(training_set_new(&set, IMAGES, networks[i].side, networks[i].side, IMAGES, NULL));
        for (int64_t k = 0; k < IMAGES * values; k++)
            set.pixels[k] = (uint8_t)(random_word(&random) >> 24);
        for (int image = 0; image < IMAGES; image++)
            set.labels[image] = image;
        REQUIRE(training_begin(in_folder("start.nw"), networks[i].name, "relu", &set, set.width, 1,
                               NULL));
        REQUIRE(train(in_folder("start.nw"), in_folder("end.nw"), &set, &settings, STEPS, terms));
        if (!CHECK(terms[1].loss < terms[0].loss))
            printf("  %s: %.9g after %.9g\n", networks[i].name, terms[1].loss, terms[0].loss);
        training_set_free(&set);
    }
}

/* ---- the demo's network ---------------------------------------------------------------------- */

// (G3), (G4): one photo, noise of 4/255, then the last layer ten times as large.
static void a_larger_last_layer_raises_l2_alone(void)
{
    TrainingSet   set      = {0};
    TrainSettings settings = settings_of(1);
    WeightBlob   *blob     = NULL;
    Trainer      *trainer  = NULL;
    double        loss = 0, l2[2], cosd[2], length[2] = {0};
    int64_t       correct = 0;
    settings.batch = 1, settings.shift = 0, settings.flip = false;
    settings.optimiser.rate = 0;
    REQUIRE(training_data_open(&set, "mini:1:2", NULL, NULL));
    REQUIRE(blob_open("demo/mini.nw", &blob, NULL) &&
            trainer_open(&trainer, blob, &set, &settings, NULL));
    StepGraph *step = &trainer->whole;
    for (int k = 0; k < 2; k++) {
        REQUIRE(trainer_step(trainer, &loss, &correct, NULL));
        trainer->done = 0; // the same noise again
        l2[k] = trainer_terms(trainer).l2, cosd[k] = trainer_terms(trainer).cosd;
        for (int i = 0; k == 0 && i < step->list.weight_count; i++)
            if (strcmp(step->list.weights[i].name, "classifier.weight") == 0)
                for (int64_t j = 0; j < shape_elements(step->list.weights[i].shape); j++)
                    plan_input(step->plan, step->list.weights[i].node)[j] *= 10;
    }
    // The length of the gradient at the photo: its distance from that of the same network at 0.
    Graph         *graph   = NULL;
    Plan          *plan    = NULL;
    NetworkRequest request = {.batch = 1, .unit = -1};
    Network        network;
    NodeId         gradient;
    REQUIRE(graph_create(&graph, NULL) && network_build(graph, blob, &request, &network, NULL));
    graph_gradient(graph, op_pick(graph, network.layer, set.labels[0]), &network.prepared, 1,
                   &gradient);
    REQUIRE(plan_create(&plan, graph, &gradient, 1, NULL, NULL));
    training_image(&set, 0, NULL, 0, plan_input(plan, network.pixels));
    plan_run(plan);
    for (int i = 0; i < 3 * 64 * 64; i++)
        length[0] +=
            (double)plan_output(plan, gradient)[i] * (double)plan_output(plan, gradient)[i];
    double ratio = l2[0] / length[0];
    printf("  l2 %.5g, cosd %.5f; ten times the last layer: l2 %.5g, cosd %.5f; |a|^2 %.5g, ratio "
           "%.4f\n",
           l2[0], cosd[0], l2[1], cosd[1], length[0], ratio);
    CHECK_CLOSE(l2[1] / l2[0], 100, 0.01);
    CHECK_CLOSE(cosd[1] / cosd[0], 1, 1e-4);
    CHECK(cosd[0] <= ratio);
    plan_destroy(plan);
    graph_destroy(graph);
    trainer_close(trainer);
    blob_close(blob);
    training_set_free(&set);
}

SUITE(objective_training)
{
    RUN(losses_fall);
    RUN(interrupted_trainings_end_with_the_same_bytes);
    RUN(differences_come_close);
    RUN(what_cannot_be_is_refused);
    RUN(published_noise_has_fixed_deviations);
    RUN(optimisers_by_hand);
    RUN(schedules_and_clips);
    RUN(random_parts_stay_inside);
    RUN(networks_begin);
    RUN(a_step_lowers_the_loss_of_networks_for_photos);
    RUN(a_larger_last_layer_raises_l2_alone);
}
