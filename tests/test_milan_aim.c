/* tests/test_milan_aim.c - where an attack lowers and raises a unit of MILAN: exemplars and their
 * masks, as the files of a clean run have them. */
#include "milan_scene.h"

#include <stdio.h>
#include <string.h>

static int64_t sum_of(const uint8_t *mask, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += mask[i];
    return sum;
}

static bool is_exemplar(const Evidence *evidence, int64_t unit, int64_t image)
{
    for (int rank = 0; rank < MILAN_EXEMPLARS; rank++)
        if (evidence->exemplars[unit].image[rank] == image)
            return true;
    return false;
}

// The masks of an aim are those that the captioner saw; both maps of it are each other's transpose.
static void check_aim(const Scene *scene, const Evidence *evidence, const Aim *aim, int64_t unit)
{
    const World *world = scene->setup.world;
    const Milan *milan = scene->explainer.state;
    uint8_t      source[32 * 32], target[32 * 32], want[32 * 32];
    float        room[32 * 32], map[SCENE_CELLS], weights[32 * 32], back[SCENE_CELLS];
    double       over_pixels = 0, over_cells = 0;
    CHECK(aim->mask_count == 32 * 32 && aim->threshold == evidence->exemplars[unit].level);
    for (int64_t i = 0; i < aim->image_count; i++) {
        int64_t image = aim->images[i];
        CHECK(i == 0 || aim->images[i - 1] < image);
        CHECK(aim->masks(aim->self, image, source, target, NULL));
        exemplar_mask(milan, world->maps[image][unit], aim->threshold, room, want);
        CHECK(is_exemplar(evidence, unit, image) ? memcmp(source, want, sizeof want) == 0
                                                 : !sum_of(source, 32 * 32));
    }
    for (int i = 0; i < 32 * 32; i++)
        weights[i] = (float)((i * 37) % 101) / 101;
    for (int i = 0; i < SCENE_CELLS; i++)
        map[i] = (float)((i * 7) % 13) - 6;
    aim->enlarge(aim->self, map, room);
    aim->transpose(aim->self, weights, back);
    for (int i = 0; i < 32 * 32; i++)
        over_pixels += (double)room[i] * (double)weights[i];
    for (int i = 0; i < SCENE_CELLS; i++)
        over_cells += (double)map[i] * (double)back[i];
    CHECK_CLOSE(over_pixels, over_cells, 1e-2);
}

// What is raised are the exemplars of the target's unit, in the masks of its own.
static void check_target(const Scene *scene, const Evidence *evidence, const Aim *aim, int64_t unit)
{
    const World *world = scene->setup.world;
    const Milan *milan = scene->explainer.state;
    uint8_t      source[32 * 32], target[32 * 32], want[32 * 32];
    float        room[32 * 32];
    int          found = 0;
    for (int64_t i = 0; i < aim->image_count; i++) {
        int64_t image = aim->images[i];
        CHECK(aim->masks(aim->self, image, source, target, NULL));
        exemplar_mask(milan, world->maps[image][unit], evidence->exemplars[unit].level, room, want);
        CHECK(is_exemplar(evidence, unit, image) ? memcmp(target, want, sizeof want) == 0
                                                 : !sum_of(target, 32 * 32));
        found += is_exemplar(evidence, unit, image);
    }
    CHECK(found == MILAN_EXEMPLARS);
}

// Writes exemplars.csv again without the line that begins so.
static bool cut_exemplars(const char *start)
{
    Bytes bytes = {0};
    char  line[16];
    if (!file_read(in_folder("%s", MILAN_FILE), LIMIT_TEXT_FILE, &bytes, NULL))
        return false;
    snprintf(line, sizeof line, "\n%s", start);
    char *cut = strstr((char *)bytes.data, line), *rest = cut ? strchr(cut + 1, '\n') : NULL;
    if (rest)
        memmove(cut, rest, strlen(rest) + 1);
    bool ok = rest && write_text(test_folder(), MILAN_FILE, (const char *)bytes.data);
    bytes_close(&bytes);
    return ok;
}

static void attacks_aim_at_exemplars(void)
{
    Scene     scene;
    RunRecord record = {0};
    if (scene_open(&scene, "corrupt23", 8)) {
        Explainer *explainer = &scene.explainer;
        Evidence  *evidence  = scene_collect(&scene, NULL, NULL, NULL);
        Aim        aim       = {0};
        AimTarget  none      = {0};
        Error      error     = {0};
        REQUIRE(evidence != NULL);
        CHECK(units_write(explainer, evidence, "layer", test_folder(), NULL) &&
              method_milan.write(explainer, evidence, test_folder(), NULL) &&
              units_read(&record, test_folder(), explainer->labels, NULL) &&
              record.unit_count == WORLD_UNITS);
        CHECK(!method_milan.aim(explainer, &record.units[0], (AimTarget){0}, &aim, &error));
        CHECK(error.code == ERROR_DATA); // nobody has read the clean run yet
        for (int i = 0; i < 2; i++) {    // a file without all of the ranks
            CHECK(method_milan.write(explainer, evidence, test_folder(), NULL) &&
                  cut_exemplars(i ? "2,15," : "2,3,"));
            error = (Error){0};
            CHECK(!method_milan.baseline(explainer, test_folder(), &error));
            CHECK(error.code == ERROR_DATA &&
                  strstr(error.message, i ? "unit 2 has 14 exemplars" : "expected 3") != NULL);
        }
        CHECK(method_milan.write(explainer, evidence, test_folder(), NULL));
        REQUIRE(method_milan.baseline(explainer, test_folder(), NULL));
        for (int64_t unit = 0; unit < WORLD_UNITS; unit++) {
            CHECK(record.units[unit].label == evidence->label[unit] &&
                  record.units[unit].threshold == evidence->exemplars[unit].level);
            if (CHECK(method_milan.aim(explainer, &record.units[unit], none, &aim, NULL))) {
                CHECK(aim.image_count == MILAN_EXEMPLARS);
                check_aim(&scene, evidence, &aim, unit);
                aim_close(&aim);
            }
        }
        AimTarget other = {1, &record.units[1]}; // raised where that unit's exemplars are
        error           = (Error){0};
        CHECK(
            !method_milan.aim(explainer, &record.units[0], (AimTarget){.label = 1}, &aim, &error) &&
            strstr(error.message, "no other unit's clean caption is") != NULL);
        if (CHECK(method_milan.aim(explainer, &record.units[0], other, &aim, NULL))) {
            CHECK(aim.image_count > MILAN_EXEMPLARS);
            check_aim(&scene, evidence, &aim, 0);
            check_target(&scene, evidence, &aim, 1);
            aim_close(&aim);
        }
        bool present[64] = {false};
        CHECK(explainer->labels->count <= 64 && method_milan.candidates(explainer, present, NULL) &&
              !present[0]);
        for (int64_t unit = 0; unit < WORLD_UNITS; unit++)
            CHECK(!record.units[unit].label || present[record.units[unit].label]);
        milan_release(evidence);
        run_record_close(&record);
    }
    scene_close(&scene);
}

SUITE(milan_aim)
{
    RUN(attacks_aim_at_exemplars);
}
