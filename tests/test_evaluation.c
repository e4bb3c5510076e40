/* tests/test_evaluation.c - perturbed sets: rows equal full reruns, controls, errors, noise.
 */
#include "test.h"
#include "tiny_world.h"
#include "../base/file.h"
#include "../base/parallel.h"
#include "../image/image.h"
#include "../format/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- reruns from the stored files ------------------------------------------------------------ */

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
    static const char *const suffix[STORE_ARMS] = {
        [STORE_FLOAT] = ".npy", [STORE_PNG8] = ".png", [STORE_JPEG75] = ".jpg"};
    StoredSource      *stored = self;
    const ImageSource *clean  = &stored->world->inputs.images;
    char               path[LIMIT_PATH];
    snprintf(path, sizeof path, "%.3900s/%06lld%s", stored->folder, (long long)image,
             suffix[stored->arm]);
    if (file_exists(path))
        return read_stored(path, stored->arm, planes);
    return clean->load(clean->self, image, planes, error);
}

// Of one row's stored images.
static bool folder_of_row(char out[LIMIT_PATH], const ChangeRow *row, const char *poisoned)
{
    char name[128];
    if (row->strength > 0)
        snprintf(name, sizeof name, "unit%lld_%.6g_%s", (long long)row->unit, row->strength,
                 store_arm_name(row->store));
    else
        snprintf(name, sizeof name, "control_%s", store_arm_name(row->store));
    return path_join(out, poisoned, name, NULL) && folder_exists(out);
}

// A full dissection with a row's stored images agrees with the row to the last bit.
static bool row_equals_rerun(const World *world, const ChangeRow *row, const char *poisoned)
{
    char         folder[LIMIT_PATH];
    Dissection   full   = {0};
    StoredSource stored = {world, folder, row->store, 0};
    ImageSource  source = {stored_load, &stored};
    if (!folder_of_row(folder, row, poisoned) ||
        !dissect_layer(&full, &world->rules, &world->inputs, &source, &world->pass, NULL))
        return false;
    Concept now   = dissect_concept(&full, row->unit);
    bool    equal = now.label == row->now.label && now.score == row->now.score &&
                 full.threshold[row->unit] == row->new_threshold &&
                 (!row->clean.label ||
                  dissect_iou(&full, row->unit, row->clean.label) == row->clean_label_iou) &&
                 (!row->target || dissect_iou(&full, row->unit, row->target) == row->target_iou);
    dissection_close(&full);
    return equal;
}

static void check_reruns(const AttackJob *settings, const World *world)
{
    char      poisoned[LIMIT_PATH];
    AttackJob job     = *settings;
    Changes   changes = {0};
    int       moved   = 0;
    REQUIRE(path_join(poisoned, test_folder(), "poisoned", NULL) && folder_create(poisoned, NULL));
    job.stored_folder = poisoned;
    REQUIRE(attack_run(&job, &changes, NULL));
    CHECK(changes.count == job.unit_count * job.arm_count * (1 + job.eps_count));
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row = &changes.rows[i];
        if (row->strength > 0)
            CHECK(row_equals_rerun(world, row, poisoned));
        moved += row->strength > 0 && row->now.score != row->clean.score;
    }
    CHECK(moved > changes.count / 3); // the attack does reach the scores
    changes_close(&changes);
}

static void incremental_rows_equal_full_reruns(void)
{
    World world;
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob job  = world_job(&world);
    job.units      = (int64_t[]){0, 3};
    job.unit_count = 2;
    check_reruns(&job, &world);
    world_close(&world);
}

static void targeted_clean_rows_equal_full_reruns(void)
{
    World world;
    REQUIRE(world_open(&world, "clean", 3));
    AttackJob job   = world_job(&world);
    job.target.kind = TARGET_RANDOM;
    job.units       = (int64_t[]){1, 4};
    job.unit_count  = 2;
    job.eps_count   = 1;
    job.variant     = PGD_FGSM;
    job.cache_bytes = 1; // one unit at a time
    check_reruns(&job, &world);
    world_close(&world);
}

static void soft_iou_rows_equal_full_reruns(void)
{
    World world;
    REQUIRE(world_open(&world, "corrupt23", 5));
    AttackJob job   = world_job(&world);
    job.target.kind = TARGET_RANDOM;
    job.units       = (int64_t[]){2, 3};
    job.unit_count  = 2;
    job.eps_count   = 1;
    job.loss        = LOSS_SOFT_IOU;
    check_reruns(&job, &world);
    world_close(&world);
}

/* ---- a method of free texts that sees pixels ------------------------------------------------- */

extern const Method method_palette; // tests/toy/palette.c

static bool palette_open(World *out, const char *pool)
{
    static char words[LIMIT_PATH];
    const char *values[] = {words, pool, "4"};
    return path_join(words, test_folder(), "words.txt", NULL) &&
           file_publish(words, "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n", 24, NULL) &&
           world_open_by(out, &method_palette, values, 4);
}

// As a full collect of the stored images says it, to the last bit.
static bool palette_row_equals_rerun(const World *world, const ChangeRow *row, const char *poisoned)
{
    const Explainer *explainer = world->clean.explainer;
    char             folder[LIMIT_PATH];
    Evidence        *full   = NULL;
    StoredSource     stored = {world, folder, row->store, 0};
    ImageSource      source = {stored_load, &stored};
    if (!folder_of_row(folder, row, poisoned) ||
        !method_palette.collect(explainer, &source, &world->pass, &full, NULL))
        return false;
    Concept now   = method_palette.explain(explainer, full, row->unit);
    bool    equal = now.label == row->now.label && now.score == row->now.score;
    method_palette.release(full);
    return equal;
}

// One unit, so that the images of its controls are those of the unit.
static void check_palette(const char *pool, AttackMasks masks)
{
    World   world;
    Changes changes = {0};
    char    poisoned[LIMIT_PATH];
    int     changed = 0;
    REQUIRE(palette_open(&world, pool));
    REQUIRE(path_join(poisoned, test_folder(), pool, NULL) && folder_create(poisoned, NULL));
    AttackJob job     = world_job(&world);
    job.stored_folder = poisoned;
    job.masks         = masks;
    job.unit_count = job.eps_count = 1;
    REQUIRE(attack_run(&job, &changes, NULL));
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row = &changes.rows[i];
        CHECK(palette_row_equals_rerun(&world, row, poisoned));
        CHECK(isnan(row->clean_label_iou) && isnan(row->new_threshold));
        changed += row->strength > 0 && row->changed;
    }
    CHECK(changes.count == 2 * STORE_ARMS && changed > 0);
    changes_close(&changes);
    world_close(&world);
}

static void pixels_are_seen_as_stored(void)
{
    check_palette("mean", MASKS_LABELS);
    check_palette("max", MASKS_ACTIVATIONS);
}

/* ---- what rows say --------------------------------------------------------------------------- */

static void float_controls_change_nothing(void)
{
    World   world;
    Changes changes = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob job = world_job(&world);
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

typedef struct Watched {
    int64_t planned, units, done, total;
} Watched;

static void watch_plan(void *self, const AttackPlan *plan)
{
    Watched *watched = self;
    CHECK(watched->done == 0 && !plan->at_most && plan->shared > 0);
    watched->planned = plan->shared;
    watched->units   = plan->unit_count;
    for (int64_t i = 0; i < plan->unit_count; i++)
        watched->planned += plan->of_unit[i];
    CHECK(plan->total == watched->planned);
}

static void watch_passes(void *self, int64_t done, int64_t total)
{
    Watched *watched = self;
    watched->done    = done;
    watched->total   = total;
}

/* `rows`: where not NULL, those of an earlier run go on in place of one that begins, and those of
 * this one come out. */
static Watched watch_attack(const StoreArm *arms, int arm_count, Share share, Changes *rows)
{
    static const double strengths[] = {0.02, 0.05};
    World               world;
    Changes             changes = {0};
    Watched             watched = {0};
    if (!CHECK(world_open(&world, "corrupt23", 4)))
        return watched;
    AttackJob job            = world_job(&world);
    job.units                = (int64_t[]){0, 3};
    job.unit_count           = 2;
    job.arms                 = arms;
    job.arm_count            = arm_count;
    job.eps                  = strengths;
    job.eps_count            = 2;
    job.share                = share;
    job.earlier              = rows;
    job.planned              = watch_plan;
    job.planned_self         = &watched;
    world.pass.progress      = watch_passes;
    world.pass.progress_self = &watched;
    CHECK(attack_run(&job, &changes, NULL));
    CHECK(watched.planned > 0 && watched.done == watched.total);
    if (rows) {
        changes_close(rows);
        *rows   = changes;
        changes = (Changes){0};
    }
    changes_close(&changes);
    world_close(&world);
    return watched;
}

// Control images that storage leaves as they are need no run, which is seen when they are stored;
// floats are known to be such.
static void the_plan_of_an_attack_is_what_it_costs(void)
{
    static const StoreArm arms[]  = {STORE_FLOAT, STORE_JPEG75, STORE_PNG8};
    Watched               kept    = watch_attack(arms, 1, (Share){0}, NULL);
    Watched               changed = watch_attack(arms, 2, (Share){0}, NULL),
            same                  = watch_attack(arms, 3, (Share){0}, NULL);
    CHECK(kept.units == 2 && kept.total == kept.planned && changed.total == changed.planned);
    CHECK(changed.total > kept.total && same.total < same.planned);
}

// Where a share cuts a unit's eps, too.
static void a_share_that_was_done_is_told_as_done(void)
{
    static const StoreArm arms[] = {STORE_JPEG75};
    for (int64_t i = 0; i < 4; i++) {
        Changes rows  = {0};
        Watched first = watch_attack(arms, 1, (Share){i, 4}, &rows);
        int64_t count = rows.count;
        Watched again = watch_attack(arms, 1, (Share){i, 4}, &rows);
        CHECK(first.total > 0 && again.total == first.total && rows.count == count);
        changes_close(&rows);
    }
}

static void distances_keep_their_bounds(void)
{
    World   world;
    Changes changes = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob job  = world_job(&world);
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
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob job  = world_job(&world);
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
    REQUIRE(world_open(&world, "clean", 4));
    AttackJob job = world_job(&world);
    job.arm_count = job.eps_count = 1;
    job.target                    = (TargetChoice){.kind = TARGET_LABEL, .label = 6};
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

/* ---- errors ---------------------------------------------------------------------------------- */

static bool broken_load(void *self, int64_t image, float *planes, Error *error)
{
    const World *world = self;
    if (image == 33)
        return fail(error, ERROR_DATA, "photo 33 is broken");
    return world->inputs.images.load(world->inputs.images.self, image, planes, error);
}

static void wrong_jobs_are_refused(void)
{
    World world;
    REQUIRE(world_open(&world, "corrupt23", 4));
    for (int i = 0; i < 6; i++) {
        AttackJob job     = world_job(&world);
        Changes   changes = {0};
        Error     error   = {0};
        double    nothing = 0;
        int64_t   absent  = WORLD_UNITS;
        float     kept    = world.record.units[0].threshold;
        Explainer broken  = world.explainer;
        if (i == 0)
            job.eps = &nothing, job.eps_count = 1;
        if (i == 1)
            job.steps = 0;
        if (i == 2)
            job.units = &absent, job.unit_count = 1;
        if (i == 3)
            broken.inputs.images = (ImageSource){broken_load, &world},
            job.clean.explainer  = &broken;
        if (i == 4)
            world.record.units[0].threshold *= 1.5f;
        if (i == 5)
            job.target = (TargetChoice){.kind = TARGET_LABEL, .label = 0};
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
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob job  = world_job(&world);
    job.unit_count = job.eps_count = 1;
    int64_t live = memory_live_blocks(), call = 1;
    bool    done = false;
    for (; !done && call < 10000; call += 11) {
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
    const PlainNoise  *plain = self;
    const ImageSource *clean = &plain->world->inputs.images;
    if (!clean->load(clean->self, image, planes, error))
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
    REQUIRE(world_open(&world, "corrupt23", 4));
    NoiseJob job = {.clean          = world.clean,
                    .type           = NOISE_UNIFORM,
                    .strengths      = strengths,
                    .strength_count = 2,
                    .fraction       = 0.7,
                    .arms           = world_arms,
                    .arm_count      = STORE_ARMS,
                    .seed           = test_seed()};
    REQUIRE(noise_run(&job, &changes, NULL));
    CHECK(changes.count == STORE_ARMS * 3 * WORLD_UNITS);
    for (int64_t i = 0; i < changes.count; i += WORLD_UNITS) {
        const ChangeRow *rows = &changes.rows[i];
        PlainNoise plain = {&world, {NOISE_UNIFORM, rows->strength, 0.7, test_seed()}, rows->store};
        ImageSource source = {plain_load, &plain};
        Dissection  full   = {0};
        REQUIRE(dissect_layer(&full, &world.rules, &world.inputs, &source, &world.pass, NULL));
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

SUITE(evaluation)
{
    parallel_set_threads(1); // the tiny network is no work for two
    RUN(incremental_rows_equal_full_reruns);
    RUN(targeted_clean_rows_equal_full_reruns);
    RUN(soft_iou_rows_equal_full_reruns);
    RUN(pixels_are_seen_as_stored);
    RUN(float_controls_change_nothing);
    RUN(the_plan_of_an_attack_is_what_it_costs);
    RUN(a_share_that_was_done_is_told_as_done);
    RUN(distances_keep_their_bounds);
    RUN(dead_unit_is_not_attackable);
    RUN(poisoned_images_carry_the_concepts);
    RUN(wrong_jobs_are_refused);
    RUN(nothing_leaks_when_memory_runs_out);
    RUN(noise_rows_equal_dissections);
    parallel_set_threads(0);
}
