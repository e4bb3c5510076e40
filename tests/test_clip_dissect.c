/* tests/test_clip_dissect.c - CLIP-Dissect on a set of drawn images: a whole layer, one unit again
 * after some images changed, what the tower sees, embeddings that are kept. */
#include "clip_world.h"

#include <math.h>
#include <string.h>

/* ---- one unit again -------------------------------------------------------------------------- */

static const char *const similarities[] = {"soft-wpmi", "wpmi", "cosine", "cosine-cubed",
                                           "rank-reorder"};
enum { SIMILARITIES = sizeof similarities / sizeof *similarities, CONCEPTS = 5 };

static bool same_scores(const Evidence *all, int unit, const Evidence *one, const double *common)
{
    return memcmp(all->scores + unit * CONCEPTS, one->scores, CONCEPTS * sizeof *one->scores) ==
               0 &&
           (!one->common || memcmp(one->common, common, CONCEPTS * sizeof *common) == 0);
}

static void check_units(const char *mode, const char *similarity, const char *coupling)
{
    ClipWorld *world = memory_new(1, sizeof *world, NULL);
    Explainer  again = {0};
    Evidence  *clean = NULL, *full = NULL;
    bool       anew = strcmp(coupling, "anew") == 0;
    if (!world || !clip_world_draw(world))
        return;
    clip_world_set(world, "similarity", similarity);
    clip_world_set(world, "coupling", coupling);
    Perturbed   self      = {world, &again};
    ImageSource perturbed = {clip_world_perturbed, &self};
    if (clip_world_reopen(world, mode, &again, &clean) &&
        (full = clip_world_collect(&again, &perturbed))) {
        int differ = 0;
        for (int unit = 0; unit < CLIP_UNITS; unit++) {
            Evidence *same = clip_world_collect_one(world, &again, &again.inputs.images, unit, 0);
            Evidence *now  = clip_world_collect_one(world, &again, &perturbed, unit, CLIP_CHANGED);
            CHECK(same && same_scores(clean, unit, same, clean->common));
            CHECK(now && same_scores(full, unit, now, anew ? full->common : clean->common));
            Concept a = again.method->explain(&again, clean, unit);
            Concept b = same ? again.method->explain(&again, same, 0) : (Concept){0};
            CHECK(a.label == b.label && a.score == b.score);
            differ += now && !same_scores(clean, unit, now, clean->common);
            clip_release(same);
            clip_release(now);
        }
        CHECK(differ > 0);
        if (clean->common)
            CHECK(memcmp(clean->common, full->common, CONCEPTS * sizeof *clean->common) != 0);
    }
    clip_release(clean);
    clip_release(full);
    explainer_close(&again);
    memory_free(world);
}

static void units_again_equal_a_full_rerun(void)
{
    for (int i = 0; i < SIMILARITIES; i++)
        check_units("clipdissect23", similarities[i], "frozen");
    check_units("clean", "soft-wpmi", "frozen");
    for (int i = 0; i < 2; i++) {
        check_units("clipdissect23", similarities[i], "anew");
        check_units("clean", similarities[i], "anew");
    }
}

// Whether only changed images were embedded, or all.
static void a_perturbed_set_has_the_same_scores_without_its_clean_run(void)
{
    ClipWorld *world = memory_new(1, sizeof *world, NULL);
    Explainer  again = {0}, fresh = {0};
    Evidence  *clean = NULL, *some = NULL, *all = NULL;
    REQUIRE(world && clip_world_draw(world));
    Perturbed   self      = {world, &again};
    ImageSource perturbed = {clip_world_perturbed, &self};
    REQUIRE(clip_world_reopen(world, "clean", &again, &clean) &&
            clip_world_open(world, "clean", &fresh, NULL));
    REQUIRE((some = clip_world_collect(&again, &perturbed)) &&
            (all = clip_world_collect(&fresh, &perturbed)));
    CHECK(memcmp(some->images, all->images, CLIP_IMAGES * SMALL_CLIP_OUTPUTS * sizeof(float)) == 0);
    CHECK(memcmp(some->scores, all->scores, CLIP_UNITS * CONCEPTS * sizeof(float)) == 0);
    clip_release(clean);
    clip_release(some);
    clip_release(all);
    explainer_close(&again);
    explainer_close(&fresh);
    memory_free(world);
}

/* ---- what units and towers see --------------------------------------------------------------- */

static void activations_are_pooled(void)
{
    static const float map[] = {1, 4, -2, 3};
    Clip               clip  = {0};
    CHECK(clip_pooled(&clip, map, 4) == 1.5f);
    CHECK(clip_pooled(&clip, map, 1) == 1);
    clip.pools_max = true;
    CHECK(clip_pooled(&clip, map, 4) == 4);
}

// clipdissect23: the network misses the border, the tower does not; clean: both see all of it.
static void modes_crop_for_the_network_alone(void)
{
    ClipWorld *world = memory_new(1, sizeof *world, NULL);
    REQUIRE(world && clip_world_draw(world));
    float border[CLIP_SIZE];
    for (int mode = 0; mode < 2; mode++) {
        Explainer explainer = {0};
        Evidence *before = NULL, *after = NULL;
        REQUIRE(clip_world_open(world, mode ? "clean" : "clipdissect23", &explainer, NULL));
        ImageSource images = explainer.inputs.images;
        REQUIRE(images.load(images.self, 5, border, NULL));
        CHECK((memcmp(border, world->photos[5], sizeof border) == 0) == (mode == 1));
        REQUIRE((before = clip_world_collect(&explainer, &images)));
        for (int c = 0; c < 3; c++)
            world->photos[5][c * CLIP_SIDE * CLIP_SIDE] =
                1 - world->photos[5][c * CLIP_SIDE * CLIP_SIDE];
        REQUIRE((after = clip_world_collect(&explainer, &images)));
        CHECK(memcmp(before->images + 5 * SMALL_CLIP_OUTPUTS,
                     after->images + 5 * SMALL_CLIP_OUTPUTS,
                     SMALL_CLIP_OUTPUTS * sizeof(float)) != 0);
        clip_release(before);
        clip_release(after);
        explainer_close(&explainer);
    }
    memory_free(world);
}

/* ---- embeddings of other runs ---------------------------------------------------------------- */

static int64_t files_in(const char *folder)
{
    char  **names = NULL;
    int64_t count = 0;
    CHECK(folder_list(folder, &names, &count, NULL));
    names_free(names, count);
    return count;
}

static bool same_as(ClipWorld *world, const Evidence *wanted)
{
    Explainer explainer = {0};
    Evidence *found     = NULL;
    bool      same      = CHECK(clip_world_open(world, NULL, &explainer, NULL)) &&
                (found = clip_world_collect(&explainer, &explainer.inputs.images)) &&
                memcmp(found->images, wanted->images,
                       CLIP_IMAGES * SMALL_CLIP_OUTPUTS * sizeof(float)) == 0 &&
                memcmp(found->scores, wanted->scores, CLIP_UNITS * CONCEPTS * sizeof(float)) == 0;
    clip_release(found);
    explainer_close(&explainer);
    return same;
}

// The last byte of the only file of this kind.
static void damage(const char *folder, const char *kind)
{
    char  **names = NULL, path[LIMIT_PATH];
    int64_t count = 0;
    Bytes   file  = {0};
    REQUIRE(folder_list(folder, &names, &count, NULL));
    for (int64_t i = 0; i < count; i++)
        if (strncmp(names[i], kind, strlen(kind)) == 0 &&
            CHECK(path_join(path, folder, names[i], NULL) &&
                  file_read(path, SIZE_MAX, &file, NULL))) {
            CHECK(file_publish(path, file.data, file.size - 1, NULL));
            bytes_close(&file);
        }
    names_free(names, count);
}

static void kept_embeddings_are_those_of_the_same_pixels_and_words(void)
{
    ClipWorld  *world     = memory_new(1, sizeof *world, NULL);
    Explainer   explainer = {0};
    Evidence   *plain     = NULL;
    const char *folder    = in_folder("cache");
    REQUIRE(world && clip_world_draw(world) && clip_world_open(world, NULL, &explainer, NULL));
    REQUIRE((plain = clip_world_collect(&explainer, &explainer.inputs.images)));
    clip_world_set(world, "cache", folder);
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    damage(folder, "images");
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    damage(folder, "concepts");
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    world->photos[7][CLIP_SIZE / 2] =
        1 - world->photos[7][CLIP_SIZE / 2]; // one number of one photo
    CHECK(!same_as(world, plain) && files_in(folder) == 3);
    REQUIRE(file_publish(world->values[1], "red\nblue\ngrass\ndark\nsky\n", 24, NULL));
    CHECK(!same_as(world, plain) && files_in(folder) == 4);
    clip_release(plain);
    explainer_close(&explainer);
    memory_free(world);
}

static void too_few_images_are_said(void)
{
    ClipWorld *world     = memory_new(1, sizeof *world, NULL);
    Explainer  explainer = {0};
    Evidence  *evidence  = NULL;
    Error      error     = {0};
    Pass       pass      = {0};
    REQUIRE(world && clip_world_draw(world));
    world->probe.image_count = 99;
    REQUIRE(clip_world_open(world, NULL, &explainer, NULL));
    CHECK(!clip_collect(&explainer, &explainer.inputs.images, &pass, &evidence, &error));
    CHECK_TEXT(error.message, "drawn: has 99 images, the similarity soft-wpmi needs at least 100 "
                              "(--similarity cosine and cosine-cubed do with fewer)");
    explainer_close(&explainer);
    memory_free(world);
}

static void best_words_are_in_order(void)
{
    float    scores[] = {1, NAN, 3, 3, -INFINITY, 2};
    Concepts six      = {.count = 6};
    double   common[] = {0, 0, 0, 0, 0, -5};
    Clip     clip     = {.concepts = six, .similarity = similarity_named("soft-wpmi")};
    Evidence evidence = {.rows = 1, .scores = scores};
    int32_t  best[6];
    CHECK(clip_best(&clip, &evidence, 0, 6, best) == 5);
    CHECK(best[0] == 2 && best[1] == 3 && best[2] == 5 && best[3] == 0 && best[4] == 4);
    CHECK(clip_best(&clip, &evidence, 0, 2, best) == 2 && best[0] == 2 && best[1] == 3);
    evidence.common = common;
    CHECK(clip_best(&clip, &evidence, 0, 1, best) == 1 && best[0] == 5);
    CHECK(clip_score(&clip, &evidence, 0, 5) == 7);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool whole_work(ClipWorld *world, const float *const list[CLIP_IMAGES], Error *error)
{
    static const Pass pass      = {0};
    Explainer         explainer = {0};
    Evidence         *full = NULL, *one = NULL;
    Aim               aim       = {0};
    UnitRecord        unit      = {.label = 1};
    Perturbed         self      = {world, &explainer};
    ImageSource       perturbed = {clip_world_perturbed, &self};
    bool              ok        = clip_world_open(world, NULL, &explainer, error) &&
              clip_baseline(&explainer, test_folder(), error) &&
              clip_collect(&explainer, &perturbed, &pass, &full, error) &&
              clip_aim(&explainer, &unit, (AimTarget){.label = 2}, &aim, error);
    if (ok) {
        UnitView view = {0, list, &perturbed, clip_changed, CLIP_CHANGED};
        ok            = clip_collect_unit(&explainer, &view, &one, error);
    }
    aim_close(&aim);
    clip_release(full);
    clip_release(one);
    explainer_close(&explainer);
    return ok;
}

static void no_memory_is_clean(void)
{
    ClipWorld   *world = memory_new(1, sizeof *world, NULL);
    Explainer    again = {0};
    Evidence    *clean = NULL;
    static float maps[CLIP_IMAGES][CLIP_CELLS];
    const float *list[CLIP_IMAGES];
    REQUIRE(world && clip_world_draw(world));
    clip_world_set(world, "coupling", "anew");
    REQUIRE(clip_world_reopen(world, NULL, &again, &clean));
    Perturbed   self      = {world, &again};
    ImageSource perturbed = {clip_world_perturbed, &self};
    clip_world_maps(world, &perturbed, 0, maps, list);
    clip_release(clean);
    explainer_close(&again);
    int64_t before = memory_live_blocks(), start = memory_calls();
    Error   error = {0};
    REQUIRE(whole_work(world, list, &error));
    int64_t calls = memory_calls() - start, step = calls / 60 + 1;
    for (int64_t call = 1 + (int64_t)(test_seed() % (uint64_t)step); call <= calls; call += step) {
        error = (Error){0};
        memory_fail_at(call, false);
        bool ok = whole_work(world, list, &error);
        memory_fail_at(0, false);
        CHECK(!ok && error.code == ERROR_MEMORY && error.message[0]);
        CHECK(memory_live_blocks() == before);
    }
    memory_free(world);
}

SUITE(clip_dissect)
{
    RUN(units_again_equal_a_full_rerun);
    RUN(a_perturbed_set_has_the_same_scores_without_its_clean_run);
    RUN(activations_are_pooled);
    RUN(modes_crop_for_the_network_alone);
    RUN(kept_embeddings_are_those_of_the_same_pixels_and_words);
    RUN(too_few_images_are_said);
    RUN(best_words_are_in_order);
    RUN(no_memory_is_clean);
}
