/* tests/test_unit_attack.c - masks, weights, groups and targets of one unit. */
#include "test.h"
#include "tiny_world.h"
#include "../attack/unit_network.h"
#include "../base/parallel.h"
#include "../study/target.h"

#include <string.h>

enum { MAP = WORLD_CELLS * WORLD_CELLS, MASK = WORLD_MAP * WORLD_MAP };

// Network Dissection's aim from one label to another.
static bool label_aim(const World *world, int32_t source, int32_t target, Aim *out)
{
    UnitRecord unit = {.label = source};
    return world->explainer.method->aim(&world->explainer, &unit, (AimTarget){.label = target}, out,
                                        NULL);
}

/* ---- masks ----------------------------------------------------------------------------------- */

// sum(maps * weights) is the average over enlarged maps, per image and per group.
static void label_weights_equal_dense_sums(void)
{
    World world;
    Aim   aim = {0};
    REQUIRE(world_open(&world, "corrupt23", 4) && label_aim(&world, 3, 5, &aim));
    REQUIRE(aim.mask_count == MASK);
    enum { COUNT = 20 };
    int64_t images[COUNT];
    float   weights[COUNT * MAP], maps[COUNT * MAP], up[MASK];
    for (int i = 0; i < COUNT; i++)
        images[i] = 3 * i;
    for (int coupled = 0; coupled <= 1; coupled++) {
        UnitObjective *objective = NULL;
        double         found = 0, sum[2] = {0}, area[2] = {0}, each = 0, loss = 0;
        PlaneScratch   scratch = {0};
        uint8_t        mask[MASK];
        Random         random = random_stream(test_seed(), "maps");
        for (int i = 0; i < COUNT * MAP; i++)
            maps[i] = random_unit(random_word(&random)) * 2 - 1;
        REQUIRE(unit_objective_open(&objective, &aim, LOSS_MEAN, coupled, MAP, NULL));
        REQUIRE(unit_objective_is_linear(objective));
        REQUIRE(unit_objective_load(objective, images, COUNT, NULL));
        REQUIRE(unit_objective_weigh(objective, maps, weights, &loss, NULL));
        for (int i = 0; i < COUNT; i++) {
            for (int k = 0; k < MAP; k++)
                found += (double)maps[i * MAP + k] * (double)weights[i * MAP + k];
            aim.enlarge(aim.self, maps + i * MAP, up);
            for (int side = 0; side < 2; side++) {
                double overlap = 0, pixels = 0;
                REQUIRE(
                    planes_mask(world.planes, images[i], side ? 5 : 3, &scratch, mask, NULL, NULL));
                for (int k = 0; k < MASK; k++) {
                    overlap += mask[k] ? (double)up[k] : 0;
                    pixels += mask[k];
                }
                sum[side] += overlap;
                area[side] += pixels;
                each += pixels > 0 ? (side ? -1 : 1) * overlap / pixels : 0;
            }
        }
        double together = sum[0] / (area[0] + 1e-8) - sum[1] / (area[1] + 1e-8);
        CHECK(area[0] > 0 && area[1] > 0);
        CHECK_CLOSE(found, coupled ? together : each, 1e-5);
        CHECK(loss == found);
        plane_scratch_free(&scratch);
        unit_objective_close(objective);
    }
    aim_close(&aim);
    world_close(&world);
}

// Images where the unit or its target's stand-in exceeds its threshold; unprepared in corrupt23.
static void masks_from_activations(void)
{
    for (int mode = 0; mode < 2; mode++) {
        World            world;
        WorldLayer       raw = {0};
        ActivationSource raw_source;
        Changes          changes = {0};
        static float     maps[WORLD_UNITS * WORLD_IMAGES * MAP];
        REQUIRE(world_open(&world, mode ? "clean" : "corrupt23", 4));
        REQUIRE(world_layer_open(&world, &raw, 4, (real)0.5, &raw_source));
        AttackJob job  = world_job(&world);
        job.masks      = MASKS_ACTIVATIONS;
        job.unprepared = raw_source;
        job.eps_count  = 1;
        REQUIRE(attack_run(&job, &changes, NULL));
        CHECK((raw.runs > 0) == (mode == 0));
        Inputs seen = world.inputs;
        if (mode == 0)
            seen.layer = raw_source;
        REQUIRE(maps_collect(&seen, world_units, WORLD_UNITS, &world.pass, maps, NULL));
        for (int64_t i = 0; i < changes.count; i++) {
            const ChangeRow *row   = &changes.rows[i];
            int64_t          count = 0;
            for (int image = 0; image < WORLD_IMAGES; image++) {
                bool over = false;
                for (int k = 0; k < MAP; k++)
                    over = over || maps[(row->unit * WORLD_IMAGES + image) * MAP + k] >
                                       world.record.units[row->unit].threshold;
                count += over;
            }
            CHECK(row->poisoned == (row->clean.label ? count : 0));
        }
        changes_close(&changes);
        world_layer_close(&raw);
        world_close(&world);
    }
}

static void stand_in_is_the_best_other_unit(void)
{
    UnitRecord units[5] = {{.label = 3, .score = 0.2},
                           {.label = 3, .score = 0.5},
                           {.label = 4, .score = 0.9},
                           {.label = 3, .score = 0.5},
                           {.label = 0, .score = 0}};
    RunRecord  record   = {5, units};
    AttackJob  job      = {.clean.record = &record};
    CHECK(target_unit(&job, 0, 3) == 1 && target_unit(&job, 1, 3) == 3);
    CHECK(target_unit(&job, 2, 4) == -1 && target_unit(&job, 0, 0) == -1);
    job.target = (TargetChoice){TARGET_UNIT, 3, 0};
    CHECK(target_unit(&job, 2, 3) == 0);
}

/* ---- the run over images --------------------------------------------------------------------- */

typedef struct Collected {
    real    planes[WORLD_IMAGES][WORLD_SIZE];
    int64_t count;
} Collected;

static bool collect(void *self, const int64_t *images, int64_t count, const real *clean,
                    const real *perturbed, Error *error)
{
    Collected *collected = self;
    (void)clean;
    (void)error;
    for (int64_t i = 0; i < count; i++)
        memcpy(collected->planes[images[i]], perturbed + i * WORLD_SIZE, WORLD_SIZE * sizeof(real));
    collected->count += count;
    return true;
}

// One image alone, with the weights it gets in the group of those with the same index / 64.
static void step_alone(World *world, UnitObjective *objective, const int64_t *images, int64_t count,
                       int64_t image, const PgdRule *rule, real *x)
{
    static float weights[ATTACK_GROUP * MAP];
    int64_t      group[ATTACK_GROUP], members = 0, own = 0;
    Network      network;
    Graph       *graph = NULL;
    Pgd         *pgd   = NULL;
    real         clean[WORLD_SIZE];
    for (int64_t i = 0; i < count; i++) {
        if (images[i] / 64 != image / 64)
            continue;
        own              = images[i] == image ? members : own;
        group[members++] = images[i];
    }
    REQUIRE(unit_objective_load(objective, group, members, NULL));
    REQUIRE(unit_objective_weigh(objective, NULL, weights, NULL, NULL));
    REQUIRE(graph_create(&graph, NULL));
    REQUIRE(world->builder.build(world, graph, shape_4d(1, 3, WORLD_SIDE, WORLD_SIDE), 1, &network,
                                 NULL));
    NodeId w = op_input(graph, graph_shape(graph, network.layer), "w");
    REQUIRE(pgd_create(&pgd, graph, network.pixels, op_dot(graph, network.layer, w), NULL, NULL));
    for (int i = 0; i < MAP; i++)
        plan_input(pgd_plan(pgd), w)[i] = weights[own * MAP + i];
    for (int i = 0; i < WORLD_SIZE; i++)
        x[i] = clean[i] = world->photos[image][i];
    pgd_update(rule, clean, pgd_gradient(pgd, x), WORLD_SIZE, x);
    pgd_destroy(pgd);
    graph_destroy(graph);
}

// Batches of three cut across groups, yet every image has the weights of its own group.
static void groups_are_sixty_four_consecutive_images(void)
{
    static Collected found;
    World            world;
    Aim              aim       = {0};
    UnitObjective   *objective = NULL;
    UnitAttack      *attack    = NULL;
    PgdRule          rule      = {PGD_FGSM, (real)0.02, 1};
    PerturbedSink    sink      = {.take = collect, .self = &found};
    int64_t          images[WORLD_IMAGES], count = 0;
    REQUIRE(world_open(&world, "corrupt23", 3) && label_aim(&world, 3, 1, &aim));
    AttackSetup setup = {&world.inputs, world.builder, &world.pass, 0};
    for (int64_t image = 1; image < WORLD_IMAGES; image += image % 5 ? 1 : 2)
        images[count++] = image;
    found.count = 0;
    REQUIRE(unit_objective_open(&objective, &aim, LOSS_MEAN, true, MAP, NULL));
    REQUIRE(unit_attack_open(&attack, &setup, 1, objective, NULL));
    REQUIRE(unit_attack_run(attack, &rule, images, count, &sink, NULL, NULL));
    CHECK(found.count == count);
    for (int64_t i = 0; i < count; i++) {
        real wanted[WORLD_SIZE];
        step_alone(&world, objective, images, count, images[i], &rule, wanted);
        CHECK(memcmp(wanted, found.planes[images[i]], sizeof wanted) == 0);
    }
    unit_attack_close(attack);
    unit_objective_close(objective);
    aim_close(&aim);
    world_close(&world);
}

/* ---- watching -------------------------------------------------------------------------------- */

typedef struct Film {
    int    count;
    double loss[8];
    float  planes[8][WORLD_SIZE];
    int    end; // the state after which the run is to end, -1: none
} Film;

static bool film_state(void *self, int step, double loss, const float *planes, Error *error)
{
    Film *film       = self;
    film->loss[step] = loss;
    memcpy(film->planes[step], planes, sizeof film->planes[step]);
    film->count++;
    return step != film->end || fail(error, ERROR_CHECK, "seen enough");
}

static bool had_all_but_five(void *self, int64_t image)
{
    (void)self;
    return image != 5;
}

// A watched image goes where it goes unwatched, from the clean photo to what the sink takes; a
// sink that has the others changes nothing for it.
static void watched_images_show_every_state(void)
{
    static Collected alone, all;
    static Film      film;
    for (int loss = 0; loss < 2; loss++) {
        World          world;
        Aim            aim       = {0};
        UnitObjective *objective = NULL;
        UnitAttack    *attack    = NULL;
        PgdRule        rule      = {PGD_STEPS, (real)0.03, 3};
        StateWatch     watch     = {5, film_state, &film};
        PerturbedSink  sink      = {.take = collect, .self = &all};
        PerturbedSink  only      = {had_all_but_five, collect, &alone};
        Error          error     = {0};
        REQUIRE(world_open(&world, "corrupt23", 4) && label_aim(&world, 3, 1, &aim));
        AttackSetup setup = {&world.inputs, world.builder, &world.pass, 0};
        REQUIRE(unit_objective_open(&objective, &aim, (AttackLoss)loss, true, MAP, NULL));
        REQUIRE(unit_attack_open(&attack, &setup, 1, objective, NULL));
        alone.count = all.count = film.count = 0;
        film.end                             = -1;
        REQUIRE(unit_attack_run(attack, &rule, aim.images, aim.image_count, &sink, NULL, NULL));
        REQUIRE(unit_attack_run(attack, &rule, aim.images, aim.image_count, &only, &watch, NULL));
        CHECK(all.count == aim.image_count);
        CHECK(alone.count == (loss == LOSS_MEAN ? 1 : group_length(aim.images, aim.image_count)));
        CHECK(film.count == 4 && film.loss[3] < film.loss[0]);
        CHECK(planes_distance(film.planes[0], world.photos[5], WORLD_SIZE) == 0);
        for (int i = 0; i < WORLD_SIZE; i++)
            CHECK(film.planes[3][i] == (float)all.planes[5][i]);
        CHECK(memcmp(alone.planes[5], all.planes[5], sizeof all.planes[5]) == 0);
        film.end = 1;
        CHECK(!unit_attack_run(attack, &rule, aim.images, aim.image_count, &sink, &watch, &error));
        CHECK_TEXT(error.message, "seen enough");
        unit_attack_close(attack);
        unit_objective_close(objective);
        aim_close(&aim);
        world_close(&world);
    }
}

/* ---- targets --------------------------------------------------------------------------------- */

static void random_targets_depend_on_seed_and_unit_alone(void)
{
    World world;
    bool  present[7] = {0}, drawn[7] = {0};
    REQUIRE(world_open(&world, "clean", 4));
    AttackJob job   = world_job(&world);
    job.target.kind = TARGET_RANDOM;
    REQUIRE(target_candidates(&job, present, NULL));
    CHECK(!present[0] && present[1] && present[2] && present[3] && present[4] && present[5] &&
          present[6]);
    int own = 0, other = 0;
    for (int64_t unit = 0; unit < 200; unit++) {
        int32_t target = target_of_unit(&job, present, unit, 3);
        own += target == 3;
        drawn[target] = true;
        CHECK(target == target_of_unit(&job, present, unit, 3));
        job.seed++;
        other += target != target_of_unit(&job, present, unit, 3);
        job.seed--;
    }
    CHECK(own == 0 && !drawn[0] && drawn[1] && drawn[2] && drawn[4] && drawn[5] && drawn[6]);
    CHECK(other > 100);
    world_close(&world);
}

static void targets_are_read(void)
{
    World        world;
    TargetChoice choice   = {0};
    Error        error    = {0};
    UnitRecord   units[3] = {{.label = 2}, {.label = 0}, {.label = 5}};
    RunRecord    clean    = {3, units};
    REQUIRE(world_open(&world, "clean", 4));
    const Labels *labels = world.explainer.labels;
    CHECK(target_parse("random", labels, &clean, &choice, NULL) && choice.kind == TARGET_RANDOM);
    CHECK(target_parse("unit:2", labels, &clean, &choice, NULL) && choice.kind == TARGET_UNIT &&
          choice.unit == 2 && choice.label == 5);
    CHECK(target_parse("object:ball", labels, &clean, &choice, NULL) && choice.label == 4 &&
          choice.kind == TARGET_LABEL);
    static const char *const wrong[] = {
        "object:red-c", "thing:ball", "ball",    "",        "obj:ball", ":",      "unit:1",
        "unit:3",       "unit:-1",    "unit:2x", "unit: 2", "unit:",    "unit:+2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error = (Error){0};
        CHECK(!target_parse(wrong[i], labels, &clean, &choice, &error) &&
              error.code == ERROR_USAGE);
    }
    CHECK(choice.label == 4);
    error = (Error){0};
    CHECK(!target_parse("object:bal", labels, &clean, &choice, &error) &&
          strstr(error.message, "category object has no label 'bal', did you mean 'ball'"));
    int32_t lines[7] = {0, 1, 2, 4, 5, 7, 8};
    Labels  listed   = *labels;
    listed.source    = "words.txt";
    listed.line      = lines;
    error            = (Error){0};
    CHECK(!target_parse("object:bal", &listed, &clean, &choice, &error) &&
          strstr(error.message, "words.txt has no line 'bal', did you mean 'ball' (line 5)"));
    error = (Error){0};
    CHECK(!target_parse("object:something", &listed, &clean, &choice, &error) &&
          strstr(error.message, "words.txt has no line 'something'") &&
          !strstr(error.message, "did you mean"));
    world_close(&world);
}

/* ---- plans ----------------------------------------------------------------------------------- */

// The gradient of one unit of the demo's network, where the weights of its maps are 1.
static bool demo_gradient(ConvMethod conv, real gradient[3 * 64 * 64])
{
    WeightBlob *blob   = NULL;
    UnitNetwork net    = {0};
    Random      random = random_stream(test_seed(), "demo pixels");
    real        pixels[3 * 64 * 64];
    if (!CHECK(blob_open("demo/mini.nw", &blob, NULL)))
        return false;
    BlobLayer   layer   = {blob, "conv4_2", false, conv};
    UnitBuilder builder = unit_builder(&layer);
    bool        done    = CHECK(unit_network_open(&net, &builder, 5, 1, 64, 64, NULL));
    for (int i = 0; i < 3 * 64 * 64; i++)
        pixels[i] = (real)random_unit(random_word(&random));
    for (int64_t i = 0; done && i < net.map_height * net.map_width; i++)
        plan_input(pgd_plan(net.pgd), net.weights)[i] = 1;
    if (done)
        memcpy(gradient, pgd_gradient(net.pgd, pixels), sizeof pixels);
    unit_network_close(&net);
    blob_close(blob);
    return done;
}

/* A run says how its convolutions were computed (--conv), and the attack's are no others; where
 * that is left open its forward passes are direct, its gradients not. */
static void networks_compute_convolutions_as_told(void)
{
    real found[3][3 * 64 * 64];
    for (ConvMethod conv = CONV_AUTO; conv <= CONV_WINOGRAD; conv++)
        REQUIRE(demo_gradient(conv, found[conv]));
    int differs = 0;
    for (int i = 0; i < 3 * 64 * 64; i++)
        differs += found[CONV_DIRECT][i] != found[CONV_WINOGRAD][i];
    CHECK(differs > 1000);
    CHECK(memcmp(found[CONV_DIRECT], found[CONV_AUTO], sizeof found[0]) != 0);
    CHECK(memcmp(found[CONV_WINOGRAD], found[CONV_AUTO], sizeof found[0]) != 0); // direct forward
}

SUITE(unit_attack)
{
    parallel_set_threads(1); // the tiny network is no work for two
    RUN(label_weights_equal_dense_sums);
    RUN(masks_from_activations);
    RUN(stand_in_is_the_best_other_unit);
    RUN(groups_are_sixty_four_consecutive_images);
    RUN(watched_images_show_every_state);
    RUN(random_targets_depend_on_seed_and_unit_alone);
    RUN(targets_are_read);
    RUN(networks_compute_convolutions_as_told);
    parallel_set_threads(0);
}
