/* tests/test_unit_attack.c - masks, weights, groups and targets of one unit. */
#include "test.h"
#include "tiny_world.h"
#include "../attack/unit_attack.h"
#include "../base/parallel.h"

#include <string.h>

/* ---- masks ----------------------------------------------------------------------------------- */

// sum(maps * weights) is the actavg of 9.2 computed on resampled maps, per image and per group.
static void label_weights_equal_dense_sums(void)
{
    World      world;
    Resampler *resampler = NULL;
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    REQUIRE(resampler_open(&resampler, &world.settings, &world.probe, WORLD_CELLS, WORLD_CELLS,
                           NULL));
    enum { MAP = WORLD_CELLS * WORLD_CELLS, MASK = WORLD_MAP * WORLD_MAP, COUNT = 20 };
    UnitMasks masks = {.label_planes = world.planes, .resampler = resampler, .source_label = 3,
                       .target_label = 5, .mask_count = MASK, .map_count = MAP};
    int64_t   images[COUNT];
    float     weights[COUNT * MAP], map[MAP], up[MASK];
    for (int i = 0; i < COUNT; i++)
        images[i] = 3 * i;
    for (int coupled = 0; coupled <= 1; coupled++) {
        UnitObjective objective = {0};
        double        found = 0, sum[2] = {0}, area[2] = {0}, each = 0;
        PlaneScratch  scratch = {0};
        uint8_t       mask[MASK];
        Random        random = random_stream(test_seed(), "maps");
        REQUIRE(unit_objective_open(&objective, &masks, LOSS_MEAN, coupled, 0, NULL));
        REQUIRE(unit_objective_load(&objective, images, COUNT, NULL));
        unit_objective_mean(&objective, weights);
        for (int i = 0; i < COUNT; i++) {
            for (int k = 0; k < MAP; k++) {
                map[k] = random_unit(random_word(&random)) * 2 - 1;
                found += (double)map[k] * (double)weights[i * MAP + k];
            }
            resampler_map(resampler, map, up);
            for (int side = 0; side < 2; side++) {
                double overlap = 0, pixels = 0;
                REQUIRE(planes_mask(world.planes, images[i], side ? 5 : 3, &scratch, mask, NULL,
                                    NULL));
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
        plane_scratch_free(&scratch);
        unit_objective_close(&objective);
    }
    resampler_close(resampler);
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
        static float     maps[WORLD_UNITS * WORLD_IMAGES * WORLD_CELLS * WORLD_CELLS];
        REQUIRE(world_open(&world, mode ? COMPAT_CLEAN : COMPAT_CORRUPT23, 4));
        REQUIRE(world_layer_open(&world, &raw, 4, (real)0.5, &raw_source));
        AttackJob job  = world_job(&world);
        job.masks      = MASKS_ACTIVATIONS;
        job.unprepared = raw_source;
        job.eps_count  = 1;
        REQUIRE(attack_run(&job, &changes, NULL));
        CHECK((raw.runs > 0) == (mode == 0));
        REQUIRE(dissect_collect(&world.settings, &world.probe, &world.images,
                                mode ? &world.source : &raw_source, world_units, WORLD_UNITS, maps,
                                NULL));
        const int cells = WORLD_CELLS * WORLD_CELLS;
        for (int64_t i = 0; i < changes.count; i++) {
            const ChangeRow *row   = &changes.rows[i];
            int64_t          count = 0;
            for (int image = 0; image < WORLD_IMAGES; image++) {
                bool over = false;
                for (int k = 0; k < cells; k++)
                    over = over || maps[(row->unit * WORLD_IMAGES + image) * cells + k] >
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
    UnitRecord units[5] = {{.label = 3, .score = 0.2}, {.label = 3, .score = 0.5},
                           {.label = 4, .score = 0.9}, {.label = 3, .score = 0.5},
                           {.label = 0, .score = 0}};
    RunRecord  record   = {5, units};
    CHECK(target_unit(&record, 0, 3) == 1 && target_unit(&record, 1, 3) == 3);
    CHECK(target_unit(&record, 2, 4) == -1 && target_unit(&record, 0, 0) == -1);
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
    enum { MAP = WORLD_CELLS * WORLD_CELLS };
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
    unit_objective_mean(objective, weights);
    REQUIRE(graph_create(&graph, NULL));
    REQUIRE(world->builder.build(world, graph, shape_4d(1, 3, WORLD_SIDE, WORLD_SIDE), 1, &network,
                                 NULL));
    NodeId w = op_input(graph, graph_shape(graph, network.layer), "w");
    REQUIRE(pgd_create(&pgd, graph, network.pixels, op_dot(graph, network.layer, w), NULL));
    for (int i = 0; i < MAP; i++)
        plan_input(pgd_plan(pgd), w)[i] = weights[own * MAP + i];
    for (int i = 0; i < WORLD_SIZE; i++)
        x[i] = clean[i] = world->photos[image][i];
    pgd_update(rule, clean, pgd_gradient(pgd, x), NULL, WORLD_SIZE, x);
    pgd_destroy(pgd);
    graph_destroy(graph);
}

// Batches of three cut across groups, yet every image has the weights of its own group.
static void groups_are_sixty_four_consecutive_images(void)
{
    static Collected found;
    World            world;
    Resampler       *resampler = NULL;
    UnitObjective    objective = {0};
    UnitAttack      *attack    = NULL;
    PgdRule          rule      = {PGD_FGSM, (real)0.02, 1};
    PerturbedSink    sink      = {.take = collect, .self = &found};
    int64_t          images[WORLD_IMAGES], count = 0;
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 3));
    REQUIRE(resampler_open(&resampler, &world.settings, &world.probe, WORLD_CELLS, WORLD_CELLS,
                           NULL));
    UnitMasks masks = {.label_planes = world.planes, .resampler = resampler, .source_label = 3,
                       .target_label = 1, .mask_count = WORLD_MAP * WORLD_MAP,
                       .map_count = WORLD_CELLS * WORLD_CELLS};
    AttackJob job   = world_job(&world);
    for (int64_t image = 1; image < WORLD_IMAGES; image += image % 5 ? 1 : 2)
        images[count++] = image;
    found.count = 0;
    REQUIRE(unit_objective_open(&objective, &masks, LOSS_MEAN, true, 0, NULL));
    REQUIRE(unit_attack_open(&attack, &job, 1, &objective, NULL));
    REQUIRE(unit_attack_run(attack, &rule, images, count, &sink, NULL));
    CHECK(found.count == count);
    for (int64_t i = 0; i < count; i++) {
        real wanted[WORLD_SIZE];
        step_alone(&world, &objective, images, count, images[i], &rule, wanted);
        CHECK(memcmp(wanted, found.planes[images[i]], sizeof wanted) == 0);
    }
    unit_attack_close(attack);
    unit_objective_close(&objective);
    resampler_close(resampler);
    world_close(&world);
}

/* ---- targets --------------------------------------------------------------------------------- */

static void random_targets_depend_on_seed_and_unit_alone(void)
{
    World world;
    bool  present[7] = {0}, drawn[7] = {0};
    REQUIRE(world_open(&world, COMPAT_CLEAN, 4));
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
    TargetChoice choice = {0};
    Error        error  = {0};
    REQUIRE(world_open(&world, COMPAT_CLEAN, 4));
    CHECK(target_parse("random", &world.probe, &choice, NULL) && choice.kind == TARGET_RANDOM);
    CHECK(target_parse("object:ball", &world.probe, &choice, NULL) && choice.label == 4 &&
          choice.kind == TARGET_LABEL);
    static const char *const wrong[] = {"object:red-c", "thing:ball", "ball", "", "obj:ball", ":"};
    for (int i = 0; i < 6; i++) {
        error = (Error){0};
        CHECK(!target_parse(wrong[i], &world.probe, &choice, &error) && error.code == ERROR_USAGE);
    }
    CHECK(choice.label == 4);
    world_close(&world);
}

SUITE(unit_attack)
{
    parallel_set_threads(1); // the tiny network is no work for two
    RUN(label_weights_equal_dense_sums);
    RUN(masks_from_activations);
    RUN(stand_in_is_the_best_other_unit);
    RUN(groups_are_sixty_four_consecutive_images);
    RUN(random_targets_depend_on_seed_and_unit_alone);
    RUN(targets_are_read);
    parallel_set_threads(0);
}
