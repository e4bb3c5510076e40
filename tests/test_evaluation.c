/* tests/test_evaluation.c - corrupted runs: rows equal full reruns, controls, targets, going on. */
#include "test.h"
#include "tiny_world.h"
#include "../attack/unit_attack.h"
#include "../engine/file.h"
#include "../engine/parallel.h"
#include "../image/image.h"
#include "../nem/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const StoreArm all_arms[STORE_ARMS]   = {STORE_FLOAT, STORE_PNG8, STORE_JPEG75};
static const int64_t  all_units[WORLD_UNITS] = {0, 1, 2, 3, 4, 5};
static const double   two_eps[2]             = {4.0 / 255, 0.06};

static AttackJob job_of(const World *world)
{
    return (AttackJob){.clean      = world->clean,
                       .builder    = world->builder,
                       .units      = all_units,
                       .unit_count = WORLD_UNITS,
                       .eps        = two_eps,
                       .eps_count  = 2,
                       .steps      = 4,
                       .arms       = all_arms,
                       .arm_count  = STORE_ARMS,
                       .seed       = test_seed()};
}

/* ---- reruns from the files that were kept ---------------------------------------------------- */

typedef struct StoredSource {
    const World *world;
    const char  *folder;
    StoreArm     arm;
    int          used;
} StoredSource;

static bool read_stored(const char *path, StoreArm arm, float *planes)
{
    Bytes  bytes = {0};
    Image  image = {0};
    float *data  = NULL;
    Shape  shape;
    if (arm == STORE_FLOAT) {
        bool done = npy_read(path, &data, &shape, NULL);
        if (done)
            memcpy(planes, data, WORLD_SIZE * sizeof *planes);
        memory_free(data);
        return done;
    }
    bool done = file_read(path, LIMIT_IMAGE_FILE, &bytes, NULL) &&
                image_decode(bytes.data, bytes.size, path, &image, NULL);
    if (done)
        image_to_planes(&image, planes);
    image_free(&image);
    bytes_close(&bytes);
    return done;
}

// As the published readers do: the stored file if there is one, else the clean photo.
static bool stored_load(void *self, int64_t image, float *planes, Error *error)
{
    static const char *const suffix[STORE_ARMS] = {".npy", ".png", ".jpg"};
    StoredSource            *stored             = self;
    char                     path[LIMIT_PATH];
    snprintf(path, sizeof path, "%.3900s/%06lld%s", stored->folder, (long long)image,
             suffix[stored->arm]);
    if (file_exists(path))
        return read_stored(path, stored->arm, planes);
    return stored->world->images.load(stored->world->images.self, image, planes, error);
}

// A full dissection with a row's stored images agrees with the row to the last bit.
static bool row_equals_rerun(const World *world, const ChangeRow *row, const char *keep)
{
    char         name[128], folder[LIMIT_PATH];
    Dissection   full   = {0};
    StoredSource stored = {world, folder, row->store, 0};
    ImageSource  source = {stored_load, &stored};
    snprintf(name, sizeof name, "unit%lld_%.6g_%s", (long long)row->unit, row->strength,
             store_arm_name(row->store));
    if (!path_join(folder, keep, name, NULL) || !folder_exists(folder) ||
        !dissect_layer(&full, &world->settings, &world->probe, world->planes, &source,
                       &world->source, NULL))
        return false;
    Concept now   = dissect_concept(&full, row->unit);
    bool    equal = now.label == row->now.label && now.score == row->now.score &&
                 (!row->clean.label ||
                  dissect_iou(&full, row->unit, row->clean.label) == row->clean_label_iou) &&
                 (!row->target || dissect_iou(&full, row->unit, row->target) == row->target_iou);
    dissection_close(&full);
    return equal;
}

static void check_reruns(const AttackJob *settings, const World *world)
{
    char      keep[LIMIT_PATH];
    AttackJob job     = *settings;
    Changes   changes = {0};
    int       moved   = 0;
    REQUIRE(path_join(keep, test_folder(), "poisoned", NULL) && folder_create(keep, NULL));
    job.keep_folder = keep;
    REQUIRE(attack_run(&job, &changes, NULL));
    CHECK(changes.count == job.unit_count * job.arm_count * (1 + job.eps_count));
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row = &changes.rows[i];
        if (row->strength > 0)
            CHECK(row_equals_rerun(world, row, keep));
        moved += row->strength > 0 && row->now.score != row->clean.score;
    }
    CHECK(moved > changes.count / 3); // the attack does reach the scores
    changes_close(&changes);
}

static void incremental_rows_equal_full_reruns(void)
{
    World world;
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    AttackJob job  = job_of(&world);
    job.units      = (int64_t[]){0, 3};
    job.unit_count = 2;
    check_reruns(&job, &world);
    world_close(&world);
}

static void targeted_clean_rows_equal_full_reruns(void)
{
    World world;
    REQUIRE(world_open(&world, COMPAT_CLEAN, 3));
    AttackJob job   = job_of(&world);
    job.target.kind = TARGET_RANDOM;
    job.units       = (int64_t[]){1, 4};
    job.unit_count  = 2;
    job.eps_count   = 1;
    job.method      = PGD_FGSM;
    job.cache_bytes = 1; // one unit at a time
    check_reruns(&job, &world);
    world_close(&world);
}

static void soft_iou_rows_equal_full_reruns(void)
{
    World world;
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 5));
    AttackJob job   = job_of(&world);
    job.target.kind = TARGET_RANDOM;
    job.units       = (int64_t[]){2, 3};
    job.unit_count  = 2;
    job.eps_count   = 1;
    job.loss        = LOSS_SOFT_IOU;
    check_reruns(&job, &world);
    world_close(&world);
}

/* ---- what rows say --------------------------------------------------------------------------- */

static void float_controls_change_nothing(void)
{
    World   world;
    Changes changes = {0};
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    AttackJob job = job_of(&world);
    job.steps = job.eps_count = 1;
    REQUIRE(attack_run(&job, &changes, NULL));
    int controls = 0, moved_by_jpeg = 0;
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row = &changes.rows[i];
        if (row->strength > 0)
            continue;
        controls++;
        CHECK(row->linf_before == 0);
        if (row->store == STORE_JPEG75)
            moved_by_jpeg += row->linf_after > 0;
        else
            CHECK(!row->changed && row->now.score == row->clean.score && row->linf_after == 0 &&
                  row->clean_label_iou == row->clean.score);
    }
    CHECK(controls == WORLD_UNITS * STORE_ARMS && moved_by_jpeg == WORLD_UNITS - 1);
    changes_close(&changes);
    world_close(&world);
}

static void distances_keep_their_bounds(void)
{
    World   world;
    Changes changes = {0};
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    AttackJob job  = job_of(&world);
    job.units      = (int64_t[]){0, 3};
    job.unit_count = 2;
    REQUIRE(attack_run(&job, &changes, NULL));
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row = &changes.rows[i];
        CHECK(row->linf_before <= row->strength + 0x1p-24);
        if (row->store == STORE_FLOAT)
            CHECK(row->linf_after == row->linf_before);
        if (row->store == STORE_PNG8) // truncation lowers by less than one level
            CHECK(row->linf_after <= row->strength + 1.0 / 255 + 0x1p-24);
        if (row->poisoned && row->strength > 0)
            CHECK(row->linf_before > 0.9 * row->strength);
        CHECK(row->fraction == (double)row->poisoned / WORLD_IMAGES);
    }
    changes_close(&changes);
    world_close(&world);
}

static void dead_unit_is_not_attackable(void)
{
    World   world;
    Changes changes = {0};
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    AttackJob job  = job_of(&world);
    job.units      = (int64_t[]){WORLD_UNITS - 1};
    job.unit_count = 1;
    REQUIRE(attack_run(&job, &changes, NULL));
    CHECK(changes.count == 9);
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row = &changes.rows[i];
        CHECK(row->clean.label == 0 && row->poisoned == 0 && !row->changed && !row->hit);
    }
    changes_close(&changes);
    world_close(&world);
}

// The images poisoned are those with a pixel of the concept, or of the target.
static void poisoned_images_carry_the_concepts(void)
{
    World   world;
    Changes changes = {0};
    REQUIRE(world_open(&world, COMPAT_CLEAN, 4));
    AttackJob job = job_of(&world);
    job.arm_count = job.eps_count = 1;
    job.target    = (TargetChoice){TARGET_LABEL, 6};
    REQUIRE(attack_run(&job, &changes, NULL));
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row   = &changes.rows[i];
        int64_t          count = 0;
        for (int64_t image = 0; image < WORLD_IMAGES; image++) {
            int                found;
            const LabelPixels *labels = planes_labels(world.planes, image, &found);
            bool               in     = false;
            for (int k = 0; k < found; k++)
                in = in || labels[k].label == row->clean.label || labels[k].label == 6;
            count += in;
        }
        bool attackable = row->clean.label != 0 && row->clean.label != 6;
        CHECK(row->poisoned == (attackable ? count : 0));
        CHECK(row->target == 6 && (!row->hit || row->now.label == 6));
    }
    changes_close(&changes);
    world_close(&world);
}

/* ---- the same bytes -------------------------------------------------------------------------- */

static bool csv_of(const World *world, const Changes *changes, const char *name, Bytes *out)
{
    char folder[LIMIT_PATH], path[LIMIT_PATH];
    return path_join(folder, test_folder(), "csv", NULL) && folder_create(folder, NULL) &&
           changes_write(changes, &world->probe, folder, NULL) &&
           path_join(path, folder, name, NULL) && file_read(path, LIMIT_TEXT_FILE, out, NULL);
}

static bool same_bytes(const Bytes *a, const Bytes *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void threads_and_batches_give_the_same_bytes(void)
{
    static const int settings[3][2] = {{1, 1}, {2, 70}, {3, 4}}; // threads, images per run
    World            world;
    for (int loss = 0; loss < 2; loss++) {
        Bytes wanted = {0};
        for (int i = 0; i < 3; i++) {
            Changes changes = {0};
            Bytes   found   = {0};
            parallel_set_threads(settings[i][0]);
            REQUIRE(world_open(&world, COMPAT_CORRUPT23, settings[i][1]));
            AttackJob job   = job_of(&world);
            job.loss        = (AttackLoss)loss;
            job.target.kind = TARGET_RANDOM;
            job.units       = (int64_t[]){0, 3};
            job.unit_count  = 2;
            job.eps_count   = 1;
            job.batch       = i == 2 ? 2 : 0;
            REQUIRE(attack_run(&job, &changes, NULL));
            REQUIRE(csv_of(&world, &changes, "changes.csv", i ? &found : &wanted));
            if (i)
                CHECK(same_bytes(&wanted, &found));
            bytes_close(&found);
            changes_close(&changes);
            world_close(&world);
        }
        bytes_close(&wanted);
    }
    parallel_set_threads(1);
}

typedef struct Interrupt {
    int           after; // settings until the run is cancelled
    int           seen;
    volatile bool cancel;
} Interrupt;

static bool interrupt_after(void *self, const Changes *changes, Error *error)
{
    (void)changes;
    (void)error;
    Interrupt *interrupt = self;
    if (++interrupt->seen == interrupt->after)
        interrupt->cancel = true;
    return true;
}

// Interrupted anywhere, written, read and taken up again: the same file, with fewer runs.
static void interrupted_attacks_go_on(void)
{
    World   world;
    Changes whole = {0};
    Bytes   wanted = {0};
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    AttackJob job  = job_of(&world);
    job.unit_count = 4;
    job.steps      = 2;
    REQUIRE(attack_run(&job, &whole, NULL));
    int64_t all_runs = world.layer.runs;
    REQUIRE(csv_of(&world, &whole, "changes.csv", &wanted));
    for (int after = 2; after <= 11; after += 3) {
        Changes   part = {0}, earlier = {0}, rest = {0};
        Bytes     found     = {0};
        Error     error     = {0};
        Interrupt interrupt = {.after = after};
        char      folder[LIMIT_PATH];
        world.settings.cancel = &interrupt.cancel;
        job.observer          = (ChangeObserver){interrupt_after, &interrupt};
        CHECK(!attack_run(&job, &part, &error) && error.code == ERROR_AGAIN);
        CHECK(part.count == (int64_t)after * STORE_ARMS);
        world.settings.cancel = NULL;
        job.observer          = (ChangeObserver){0};
        REQUIRE(csv_of(&world, &part, "changes.csv", &found));
        bytes_close(&found);
        REQUIRE(path_join(folder, test_folder(), "csv", NULL));
        REQUIRE(changes_read(&earlier, folder, &world.probe, NULL));
        world.layer.runs = 0;
        job.earlier      = &earlier;
        REQUIRE(attack_run(&job, &rest, NULL));
        job.earlier = NULL;
        CHECK(world.layer.runs < all_runs);
        REQUIRE(csv_of(&world, &rest, "changes.csv", &found));
        CHECK(same_bytes(&wanted, &found));
        bytes_close(&found);
        changes_close(&part);
        changes_close(&earlier);
        changes_close(&rest);
    }
    bytes_close(&wanted);
    changes_close(&whole);
    world_close(&world);
}

static void a_finished_attack_runs_nothing_again(void)
{
    World   world;
    Changes whole = {0}, again = {0};
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    AttackJob job  = job_of(&world);
    job.unit_count = 4;
    job.steps      = 2;
    REQUIRE(attack_run(&job, &whole, NULL));
    world.layer.runs = 0;
    job.earlier      = &whole;
    REQUIRE(attack_run(&job, &again, NULL));
    CHECK(world.layer.runs == 0 && again.count == whole.count);
    CHECK(memcmp(again.rows, whole.rows, (size_t)whole.count * sizeof *whole.rows) == 0);
    changes_close(&whole);
    changes_close(&again);
    world_close(&world);
}

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
        AttackJob job  = job_of(&world);
        job.masks      = MASKS_ACTIVATIONS;
        job.unprepared = raw_source;
        job.eps_count  = 1;
        REQUIRE(attack_run(&job, &changes, NULL));
        CHECK((raw.runs > 0) == (mode == 0));
        REQUIRE(dissect_collect(&world.settings, &world.probe, &world.images,
                                mode ? &world.source : &raw_source, all_units, WORLD_UNITS, maps,
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
    pgd_update(rule, clean, pgd_gradient(pgd, x), WORLD_SIZE, x);
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
    PerturbedSink    sink      = {collect, &found};
    int64_t          images[WORLD_IMAGES], count = 0;
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 3));
    REQUIRE(resampler_open(&resampler, &world.settings, &world.probe, WORLD_CELLS, WORLD_CELLS,
                           NULL));
    UnitMasks masks = {.label_planes = world.planes, .resampler = resampler, .source_label = 3,
                       .target_label = 1, .mask_count = WORLD_MAP * WORLD_MAP,
                       .map_count = WORLD_CELLS * WORLD_CELLS};
    AttackJob job   = job_of(&world);
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
    AttackJob job   = job_of(&world);
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

/* ---- errors ---------------------------------------------------------------------------------- */

static bool broken_load(void *self, int64_t image, float *planes, Error *error)
{
    const World *world = self;
    if (image == 33)
        return fail(error, ERROR_DATA, "photo 33 is broken");
    return world->images.load(world->images.self, image, planes, error);
}

static void wrong_jobs_are_refused(void)
{
    World world;
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    for (int i = 0; i < 6; i++) {
        AttackJob job     = job_of(&world);
        Changes   changes = {0};
        Error     error   = {0};
        double    nothing = 0;
        int64_t   absent  = WORLD_UNITS;
        float     kept    = world.record.units[0].threshold;
        if (i == 0)
            job.eps = &nothing, job.eps_count = 1;
        if (i == 1)
            job.steps = 0;
        if (i == 2)
            job.units = &absent, job.unit_count = 1;
        if (i == 3)
            job.clean.images = (ImageSource){broken_load, &world};
        if (i == 4)
            world.record.units[0].threshold *= 1.5f;
        if (i == 5)
            job.target = (TargetChoice){TARGET_LABEL, 0};
        CHECK(!attack_run(&job, &changes, &error));
        CHECK(error.code == (i == 3 || i == 4 ? ERROR_DATA : ERROR_USAGE) && error.message[0]);
        if (i == 3)
            CHECK_TEXT(error.message, "photo 33 is broken");
        world.record.units[0].threshold = kept;
        changes_close(&changes);
    }
    world_close(&world);
}

static void nothing_leaks_when_memory_runs_out(void)
{
    World world;
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    AttackJob job  = job_of(&world);
    job.unit_count = job.eps_count = 1;
    int64_t live = memory_live_blocks(), call = 1;
    bool    done = false;
    for (; !done && call < 5000; call += 7) {
        Changes changes = {0};
        Error   error   = {0};
        memory_fail_at(call, false);
        done = attack_run(&job, &changes, &error);
        memory_fail_at(0, false);
        changes_close(&changes);
        CHECK(done || error.code == ERROR_MEMORY);
        CHECK(memory_live_blocks() == live);
    }
    CHECK(done && call > 50);
    world_close(&world);
}

/* ---- noise ----------------------------------------------------------------------------------- */

typedef struct PlainNoise {
    const World *world;
    Noise        noise;
    StoreArm     arm;
} PlainNoise;

static bool plain_load(void *self, int64_t image, float *planes, Error *error)
{
    const PlainNoise *plain = self;
    if (!plain->world->images.load(plain->world->images.self, image, planes, error))
        return false;
    if (!noise_poisons(&plain->noise, image))
        return true;
    noise_add(&plain->noise, image, WORLD_SIDE * WORLD_SIDE, planes);
    return store_image(plain->arm, WORLD_SIDE, WORLD_SIDE, planes, NULL, error);
}

static void noise_rows_equal_dissections(void)
{
    const double strengths[] = {0.02, 0.2};
    World        world;
    Changes      changes = {0};
    REQUIRE(world_open(&world, COMPAT_CORRUPT23, 4));
    NoiseJob job = {.clean          = world.clean,
                    .type           = NOISE_UNIFORM,
                    .strengths      = strengths,
                    .strength_count = 2,
                    .fraction       = 0.7,
                    .arms           = all_arms,
                    .arm_count      = STORE_ARMS,
                    .seed           = test_seed()};
    REQUIRE(noise_run(&job, &changes, NULL));
    CHECK(changes.count == STORE_ARMS * 3 * WORLD_UNITS);
    for (int64_t i = 0; i < changes.count; i += WORLD_UNITS) {
        const ChangeRow *rows  = &changes.rows[i];
        PlainNoise       plain = {&world, {NOISE_UNIFORM, rows->strength, 0.7, test_seed()},
                                  rows->store};
        ImageSource      source = {plain_load, &plain};
        Dissection       full   = {0};
        REQUIRE(dissect_layer(&full, &world.settings, &world.probe, world.planes, &source,
                              &world.source, NULL));
        for (int64_t unit = 0; unit < WORLD_UNITS; unit++) {
            Concept now = dissect_concept(&full, unit);
            CHECK(rows[unit].unit == unit && rows[unit].now.label == now.label &&
                  rows[unit].now.score == now.score);
            CHECK(rows[unit].linf_before <= rows->strength + 0x1p-24);
            CHECK(rows[unit].fraction > 0.4 && rows[unit].fraction < 1);
            if (rows->strength == 0 && rows->store != STORE_JPEG75)
                CHECK(!rows[unit].changed && rows[unit].linf_after == 0);
        }
        dissection_close(&full);
    }
    Changes again    = {0};
    world.layer.runs = 0;
    job.earlier      = &changes;
    REQUIRE(noise_run(&job, &again, NULL));
    CHECK(world.layer.runs == 0 && again.count == changes.count);
    changes_close(&again);
    changes_close(&changes);
    world_close(&world);
}

/* ---- files and shares ------------------------------------------------------------------------ */

// Published values: 8 of 10 gives 0.490 to 0.943 (Wilson 1927, as tabulated in textbooks).
static void wilson_known_values(void)
{
    double low, high;
    wilson_interval(8, 10, &low, &high);
    CHECK_CLOSE(low, 0.4901625, 1e-6);
    CHECK_CLOSE(high, 0.9433178, 1e-6);
    wilson_interval(0, 10, &low, &high);
    CHECK(low == 0);
    CHECK_CLOSE(high, 0.2775328, 1e-6); // z^2 / (n + z^2)
    wilson_interval(10, 10, &low, &high);
    CHECK(high == 1);
    CHECK_CLOSE(low, 1 - 0.2775328, 1e-6);
    wilson_interval(0, 0, &low, &high);
    CHECK(low == 0 && high == 1);
}

static void shares_count_their_group(void)
{
    Changes   changes = {0};
    ChangeRow row     = {.method = "pgd", .strength = 0.02, .store = STORE_PNG8};
    for (int i = 0; i < 12; i++) {
        row.unit     = i;
        row.clean    = (Concept){1 + i % 3, i % 3, i < 6 ? 0.03 : 0.04};
        row.changed  = i % 2 == 0;
        row.target   = i < 8 ? 9 : 0;
        row.hit      = i == 2;
        row.fraction = i < 6 ? 0.5 : 0.25;
        REQUIRE(changes_add(&changes, &row, NULL));
    }
    ChangeRow other = row;
    other.strength  = 0.04;
    other.changed   = true;
    REQUIRE(changes_add(&changes, &other, NULL));
    ChangeShare all = changes_share(&changes, &row, GROUP_ALL, 0);
    CHECK(all.units == 12 && all.changed == 6 && all.share == 0.5 && all.fraction == 0.375);
    CHECK(all.targeted == 8 && all.hits == 1 && all.hit_share == 0.125);
    ChangeShare detectors = changes_share(&changes, &row, GROUP_DETECTORS, 0);
    CHECK(detectors.units == 6 && detectors.changed == 3);
    ChangeShare category = changes_share(&changes, &row, GROUP_CATEGORY, 2);
    CHECK(category.units == 4 && category.changed == 2);
    CHECK(changes_share(&changes, &other, GROUP_ALL, 0).units == 1);
    changes_close(&changes);
}

static void changes_read_back_as_written(void)
{
    World   world;
    Changes changes = {0}, read = {0};
    Bytes   first = {0}, second = {0}, summary = {0};
    char    folder[LIMIT_PATH];
    REQUIRE(world_open(&world, COMPAT_CLEAN, 4));
    AttackJob job   = job_of(&world);
    job.eps_count   = 1;
    job.target.kind = TARGET_RANDOM;
    REQUIRE(attack_run(&job, &changes, NULL));
    changes.rows[1].now = (Concept){5, 2, 0.25}; // a name with a comma and quotes
    REQUIRE(csv_of(&world, &changes, "changes.csv", &first));
    REQUIRE(path_join(folder, test_folder(), "csv", NULL));
    REQUIRE(changes_read(&read, folder, &world.probe, NULL));
    CHECK(read.count == changes.count && read.rows[1].now.label == 5);
    REQUIRE(csv_of(&world, &read, "changes.csv", &second));
    CHECK(same_bytes(&first, &second));
    static const char header[] =
        "method,strength,store,unit0,clean_category,clean_label,clean_iou,new_category,new_label,"
        "new_iou,clean_label_iou,target_category,target_label,target_iou,poisoned,fraction,"
        "linf_before_store,linf_after_store,changed,hit\n";
    CHECK(strncmp((const char *)first.data, header, sizeof header - 1) == 0);
    REQUIRE(csv_of(&world, &changes, "summary.csv", &summary));
    CHECK(strstr((const char *)summary.data, "\npgd,0,float,all,6,0,0,0,") != NULL);
    CHECK(strstr((const char *)summary.data, "\npgd,0.0156862745,jpeg75,detectors,") != NULL);
    bytes_close(&first);
    bytes_close(&second);
    bytes_close(&summary);
    changes_close(&changes);
    changes_close(&read);
    world_close(&world);
}

static void broken_changes_are_refused(void)
{
    World world;
    REQUIRE(world_open(&world, COMPAT_CLEAN, 4));
    static const char header[] =
        "method,strength,store,unit0,clean_category,clean_label,clean_iou,new_category,new_label,"
        "new_iou,clean_label_iou,target_category,target_label,target_iou,poisoned,fraction,"
        "linf_before_store,linf_after_store,changed,hit\n";
    static const char *const rows[] = {
        "pgd,0.1,float,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,tiff,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,-1,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,color,green-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,colour,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,color,red-c,nan,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,2,0\n",
        "method of a long name,0.1,float,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0\n"};
    for (int i = 0; i < 9; i++) {
        char    path[LIMIT_PATH], text[1024];
        Changes changes = {0};
        Error   error   = {0};
        snprintf(text, sizeof text, "%s%s", header, rows[i]);
        REQUIRE(path_join(path, test_folder(), "changes.csv", NULL));
        REQUIRE(file_publish(path, text, strlen(text), NULL));
        bool read = changes_read(&changes, test_folder(), &world.probe, &error);
        CHECK(read == (i == 0));
        CHECK(read || (error.message[0] && changes.rows == NULL));
        changes_close(&changes);
    }
    world_close(&world);
}

SUITE(evaluation)
{
    parallel_set_threads(1); // the tiny network is no work for two
    RUN(incremental_rows_equal_full_reruns);
    RUN(targeted_clean_rows_equal_full_reruns);
    RUN(soft_iou_rows_equal_full_reruns);
    RUN(float_controls_change_nothing);
    RUN(distances_keep_their_bounds);
    RUN(dead_unit_is_not_attackable);
    RUN(poisoned_images_carry_the_concepts);
    RUN(threads_and_batches_give_the_same_bytes);
    RUN(interrupted_attacks_go_on);
    RUN(a_finished_attack_runs_nothing_again);
    RUN(label_weights_equal_dense_sums);
    RUN(masks_from_activations);
    RUN(stand_in_is_the_best_other_unit);
    RUN(groups_are_sixty_four_consecutive_images);
    RUN(random_targets_depend_on_seed_and_unit_alone);
    RUN(targets_are_read);
    RUN(wrong_jobs_are_refused);
    RUN(nothing_leaks_when_memory_runs_out);
    RUN(noise_rows_equal_dissections);
    RUN(wilson_known_values);
    RUN(shares_count_their_group);
    RUN(changes_read_back_as_written);
    RUN(broken_changes_are_refused);
    parallel_set_threads(0);
}
