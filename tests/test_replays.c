/* tests/test_replays.c - an image of a finished run, made once more, has the pixels it was stored with.
 */
#include "test.h"
#include "tiny_world.h"
#include "../base/file.h"
#include "../base/parallel.h"
#include "../format/npy.h"

#include <stdio.h>
#include <string.h>

typedef struct Seen {
    const World *world;
    int          states;
    float        planes[WORLD_SIZE];
    float        map[WORLD_CELLS * WORLD_CELLS];
} Seen;

static bool see_state(void *self, int step, double loss, const float *planes, const float *map,
                      Error *error)
{
    Seen *seen = self;
    (void)error;
    CHECK(step == seen->states && loss == loss);
    seen->states++;
    memcpy(seen->planes, planes, sizeof seen->planes);
    memcpy(seen->map, map, sizeof seen->map);
    return true;
}

// Whether a replay gives the pixels of the stored float file of a run's folder, bit for bit.
static bool replay_equals_file(const ReplayResult *result, const char *setting, int64_t image)
{
    char   path[LIMIT_PATH];
    float *stored = NULL;
    Shape  shape;
    snprintf(path, sizeof path, "%.3900s/poisoned/%s/%06lld.npy", test_folder(), setting,
             (long long)image);
    bool same = npy_read(path, &stored, &shape, NULL) && shape_elements(shape) == WORLD_SIZE &&
                memcmp(result->perturbed, stored, WORLD_SIZE * sizeof *stored) == 0 &&
                memcmp(result->stored, stored, WORLD_SIZE * sizeof *stored) == 0;
    memory_free(stored);
    return same;
}

static void check_attack_replay(const AttackJob *job, const World *world, const ChangeRow *setting)
{
    const int64_t cells  = WORLD_CELLS * WORLD_CELLS;
    Replay       *replay = NULL;
    REQUIRE(replay_open(&replay, &world->clean, NULL, job, job->units, job->unit_count, NULL));
    for (int64_t i = 0; i < job->unit_count; i++) {
        PeakImage last     = {.image = WORLD_IMAGES - 1};
        int64_t   shown[2] = {replay_image(replay, i, NULL, 0), replay_image(replay, i, &last, 1)};
        ReplayResult result;
        char         name[64];
        snprintf(name, sizeof name, "unit%lld_%.6g_float", (long long)job->units[i],
                 setting->strength);
        for (int k = 0; k < 2; k++) {
            Seen        seen  = {.world = world};
            ReplayWatch watch = {see_state, &seen};
            REQUIRE(shown[k] >= 0);
            REQUIRE(replay_run(replay, i, shown[k], setting, &watch, &result, NULL));
            CHECK(replay_equals_file(&result, name, shown[k]));
            CHECK(memcmp(result.clean, world->photos[shown[k]], sizeof seen.planes) == 0);
            CHECK(planes_distance(result.clean, result.perturbed, WORLD_SIZE) > 0);
            CHECK(seen.states == job->steps + 1);
            CHECK(memcmp(seen.planes, result.perturbed, sizeof seen.planes) == 0);
            CHECK(memcmp(seen.map, result.map, (size_t)cells * sizeof(float)) == 0);
            REQUIRE(replay_run(replay, i, shown[k], setting, NULL, &result, NULL));
            CHECK(replay_equals_file(&result, name, shown[k]));
        }
    }
    replay_close(replay);
}

// Both losses, coupled and not, masks from labels and from activations.
static void replays_repeat_the_attack(void)
{
    for (int i = 0; i < 6; i++) {
        World      world;
        WorldLayer raw     = {0};
        Changes    changes = {0};
        char       poisoned[LIMIT_PATH];
        REQUIRE(world_open(&world, i % 3 == 1 ? "clean" : "corrupt23", 4));
        AttackJob job     = world_job(&world);
        job.loss          = i < 3 ? LOSS_MEAN : LOSS_SOFT_IOU;
        job.masks         = i % 3 == 2 ? MASKS_ACTIVATIONS : MASKS_LABELS;
        job.units         = (int64_t[]){0, 3};
        job.unit_count    = 2;
        job.eps_count     = 1;
        job.arms          = (StoreArm[]){STORE_FLOAT};
        job.arm_count     = 1;
        job.stored_folder = poisoned;
        REQUIRE(world_layer_open(&world, &raw, 4, (real)1.25, &job.unprepared));
        REQUIRE(path_join(poisoned, test_folder(), "poisoned", NULL) &&
                folder_create(poisoned, NULL));
        REQUIRE(attack_run(&job, &changes, NULL));
        check_attack_replay(&job, &world, &changes.rows[1]);
        changes_close(&changes);
        world_layer_close(&raw);
        world_close(&world);
    }
}

static void replays_repeat_the_noise(void)
{
    const double strength = 0.1;
    World        world;
    Changes      changes = {0};
    Replay      *replay  = NULL;
    char         poisoned[LIMIT_PATH];
    REQUIRE(world_open(&world, "corrupt23", 4));
    REQUIRE(path_join(poisoned, test_folder(), "poisoned", NULL) && folder_create(poisoned, NULL));
    NoiseJob job = {.clean          = world.clean,
                    .type           = NOISE_GAUSSIAN,
                    .strengths      = &strength,
                    .strength_count = 1,
                    .fraction       = 0.5,
                    .arms           = world_arms,
                    .arm_count      = STORE_ARMS,
                    .seed           = test_seed(),
                    .stored_folder  = poisoned};
    REQUIRE(noise_run(&job, &changes, NULL));
    Noise noise = {NOISE_GAUSSIAN, 0, 0.5, test_seed()};
    REQUIRE(replay_open(&replay, &world.clean, &noise, NULL, world_units, WORLD_UNITS, NULL));
    int64_t image = replay_image(replay, 1, NULL, 0);
    REQUIRE(image >= 0 && noise_poisons(&noise, image));
    for (int64_t i = 0; i < changes.count; i += WORLD_UNITS) {
        const ChangeRow *setting = &changes.rows[i];
        ReplayResult     result;
        char             name[64];
        REQUIRE(replay_run(replay, 1, image, setting, NULL, &result, NULL));
        snprintf(name, sizeof name, "gaussian_%.6g_float", setting->strength);
        if (setting->store == STORE_FLOAT)
            CHECK(replay_equals_file(&result, name, image));
        CHECK((double)planes_distance(result.clean, result.stored, WORLD_SIZE) <=
              setting->linf_after);
    }
    replay_close(replay);
    changes_close(&changes);
    world_close(&world);
}

SUITE(replays)
{
    parallel_set_threads(1); // the tiny network is no work for two
    RUN(replays_repeat_the_attack);
    RUN(replays_repeat_the_noise);
    parallel_set_threads(0);
}
