/* tests/test_clip_dissect.c - CLIP-Dissect on a set of drawn images: a whole layer, one unit again
 * after some images changed, lists of concepts, attacks, stories, runs of the program. */
#include "../attack/unit_attack.h"
#include "../base/file.h"
#include "../nem/clip/clip_private.h"
#include "program.h"
#include "small_clip.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IMAGES  = 110,
    SIDE    = 16,
    SIZE    = 3 * SIDE * SIDE,
    CELLS   = 4,
    UNITS   = 5,
    CHANGED = 9,
    BATCH   = 8
};

/* ---- a set in memory ------------------------------------------------------------------------- */

typedef struct ClipWorld {
    ProbeSet         probe;
    ProbeImage       paths[IMAGES];
    float            photos[IMAGES][SIZE], perturbed[IMAGES][SIZE];
    real             weights[UNITS][3 * SIDE / 2 * SIDE / 2];
    const char      *values[8]; // of the options, in the order of the row
    ActivationSource layer;
    Pass             pass;
} ClipWorld;

static const int64_t changed_images[CHANGED] = {0, 3, 4, 17, 40, 41, 77, 108, 109};

static bool load_photo(void *self, int64_t image, float *planes, Error *error)
{
    const ClipWorld *world = self;
    (void)error;
    memcpy(planes, world->photos[image], sizeof world->photos[image]);
    return true;
}

/* The images of an explainer, some of them perturbed. */
typedef struct Perturbed {
    const ClipWorld *world;
    const Explainer *explainer;
} Perturbed;

static bool load_perturbed(void *self, int64_t image, float *planes, Error *error)
{
    const Perturbed   *perturbed = self;
    const ImageSource *clean     = &perturbed->explainer->inputs.images;
    for (int i = 0; i < CHANGED; i++)
        if (changed_images[i] == image) {
            memcpy(planes, perturbed->world->perturbed[image], SIZE * sizeof *planes);
            return true;
        }
    return clean->load(clean->self, image, planes, error);
}

// A unit's map has a cell for each quarter of the image: a weighted sum of its pixels.
static void run_layer(void *self, const real *pixels, int64_t count, real *maps)
{
    const ClipWorld *world = self;
    enum { HALF = SIDE / 2 };
    for (int64_t i = 0; i < count * UNITS * CELLS; i++) {
        const real *image = pixels + i / (UNITS * CELLS) * SIZE;
        const real *w     = world->weights[i / CELLS % UNITS];
        int64_t     top = i % CELLS / 2 * HALF, left = i % 2 * HALF;
        double      sum = 0;
        for (int64_t p = 0; p < (int64_t)3 * HALF * HALF; p++) {
            int64_t c = p / (HALF * HALF), y = top + p / HALF % HALF, x = left + p % HALF;
            sum += (double)w[p] * (double)image[(c * SIDE + y) * SIDE + x];
        }
        maps[i] = (real)sum;
    }
}

static float level(Random *random)
{
    return (float)random_below(random, 256) / 255;
}

static bool draw_world(ClipWorld *world)
{
    static const char words[] = "red\n\nblue\r\n  \ndark sky\nred\ngrass\n";
    Random            random  = random_stream(test_seed(), "clip world");
    *world                    = (ClipWorld){0};
    for (int i = 0; i < IMAGES; i++) {
        float tint[3] = {level(&random), level(&random), level(&random)};
        for (int p = 0; p < SIZE; p++)
            world->photos[i][p] =
                roundf((0.7f * tint[p / (SIDE * SIDE)] + 0.3f * level(&random)) * 255) / 255;
    }
    for (int i = 0; i < CHANGED; i++)
        for (int p = 0; p < SIZE; p++)
            world->perturbed[changed_images[i]][p] = level(&random);
    for (int u = 0; u < UNITS; u++)
        for (int p = 0; p < 3 * SIDE / 2 * SIDE / 2; p++)
            world->weights[u][p] = (real)(level(&random) - 0.5f);
    world->probe = (ProbeSet){.folder       = "drawn",
                              .image_count  = IMAGES,
                              .image_height = SIDE,
                              .image_width  = SIDE,
                              .images       = world->paths,
                              .text         = "photo"};
    world->layer = (ActivationSource){.units        = UNITS,
                                      .height       = 2,
                                      .width        = 2,
                                      .batch        = BATCH,
                                      .image_height = SIDE,
                                      .image_width  = SIDE,
                                      .run          = run_layer,
                                      .self         = world};
    for (int i = 0; i < method_clip_dissect.option_count; i++)
        world->values[i] = method_clip_dissect.options[i].initial;
    world->values[0] = in_folder("clip.nw");
    world->values[1] = in_folder("words.txt");
    return CHECK(file_publish(world->values[1], words, sizeof words - 1, NULL)) &&
           (file_exists(world->values[0]) || small_clip_save(world->values[0], 12, 2));
}

static void set_value(ClipWorld *world, const char *name, const char *value)
{
    for (int i = 0; i < method_clip_dissect.option_count; i++)
        if (strcmp(method_clip_dissect.options[i].name, name) == 0)
            world->values[i] = value;
}

static bool open_with(ClipWorld *world, const char *mode, Explainer *out, Error *error)
{
    Inputs inputs = {.probe = &world->probe, .images = {load_photo, world}, .layer = world->layer};
    return explainer_open(out, &method_clip_dissect, mode_named(&method_clip_dissect, mode),
                          &inputs, world->values, error);
}

static Evidence *collect(const Explainer *explainer, const ImageSource *images)
{
    static const Pass pass     = {0};
    Evidence         *evidence = NULL;
    Error             error    = {0};
    if (!CHECK(explainer->method->collect(explainer, images, &pass, &evidence, &error)))
        printf("  %s\n", error.message);
    return evidence;
}

// The world's clean run, written and read back by an explainer of its own.
static bool reopen(ClipWorld *world, const char *mode, Explainer *out, Evidence **clean)
{
    Explainer first = {0};
    Error     error = {0};
    bool      ok    = CHECK(open_with(world, mode, &first, &error));
    *clean          = ok ? collect(&first, &first.inputs.images) : NULL;
    ok              = *clean && CHECK(clip_write(&first, *clean, test_folder(), NULL)) &&
         CHECK(open_with(world, mode, out, NULL)) &&
         CHECK(out->method->baseline(out, test_folder(), &error));
    if (error.code)
        printf("  %s\n", error.message);
    explainer_close(&first);
    return ok;
}

// The unit's maps of the pixels that a source gives.
static void maps_of(ClipWorld *world, const ImageSource *images, int unit,
                    float maps[IMAGES][CELLS], const float *list[IMAGES])
{
    real all[UNITS * CELLS];
    for (int image = 0; image < IMAGES; image++) {
        float pixels[SIZE];
        images->load(images->self, image, pixels, NULL);
        run_layer(world, pixels, 1, all);
        for (int cell = 0; cell < CELLS; cell++)
            maps[image][cell] = (float)all[unit * CELLS + cell];
        list[image] = maps[image];
    }
}

static Evidence *collect_one(ClipWorld *world, const Explainer *explainer,
                             const ImageSource *images, int unit, int64_t changed)
{
    static float maps[IMAGES][CELLS];
    const float *list[IMAGES];
    Evidence    *evidence = NULL;
    Error        error    = {0};
    maps_of(world, images, unit, maps, list);
    UnitView view = {unit, list, images, changed_images, changed};
    if (!CHECK(explainer->method->collect_unit(explainer, &view, &evidence, &error)))
        printf("  %s\n", error.message);
    return evidence;
}

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
    if (!world || !draw_world(world))
        return;
    set_value(world, "similarity", similarity);
    set_value(world, "coupling", coupling);
    Perturbed   self      = {world, &again};
    ImageSource perturbed = {load_perturbed, &self};
    if (reopen(world, mode, &again, &clean) && (full = collect(&again, &perturbed))) {
        int differ = 0;
        for (int unit = 0; unit < UNITS; unit++) {
            Evidence *same = collect_one(world, &again, &again.inputs.images, unit, 0);
            Evidence *now  = collect_one(world, &again, &perturbed, unit, CHANGED);
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
    REQUIRE(world && draw_world(world));
    Perturbed   self      = {world, &again};
    ImageSource perturbed = {load_perturbed, &self};
    REQUIRE(reopen(world, "clean", &again, &clean) && open_with(world, "clean", &fresh, NULL));
    REQUIRE((some = collect(&again, &perturbed)) && (all = collect(&fresh, &perturbed)));
    CHECK(memcmp(some->images, all->images, IMAGES * SMALL_CLIP_OUTPUTS * sizeof(float)) == 0);
    CHECK(memcmp(some->scores, all->scores, UNITS * CONCEPTS * sizeof(float)) == 0);
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
    REQUIRE(world && draw_world(world));
    float border[SIZE];
    for (int mode = 0; mode < 2; mode++) {
        Explainer explainer = {0};
        Evidence *before = NULL, *after = NULL;
        REQUIRE(open_with(world, mode ? "clean" : "clipdissect23", &explainer, NULL));
        ImageSource images = explainer.inputs.images;
        REQUIRE(images.load(images.self, 5, border, NULL));
        CHECK((memcmp(border, world->photos[5], sizeof border) == 0) == (mode == 1));
        REQUIRE((before = collect(&explainer, &images)));
        for (int c = 0; c < 3; c++)
            world->photos[5][c * SIDE * SIDE] = 1 - world->photos[5][c * SIDE * SIDE];
        REQUIRE((after = collect(&explainer, &images)));
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
    bool      same =
        CHECK(open_with(world, NULL, &explainer, NULL)) &&
        (found = collect(&explainer, &explainer.inputs.images)) &&
        memcmp(found->images, wanted->images, IMAGES * SMALL_CLIP_OUTPUTS * sizeof(float)) == 0 &&
        memcmp(found->scores, wanted->scores, UNITS * CONCEPTS * sizeof(float)) == 0;
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
    REQUIRE(world && draw_world(world) && open_with(world, NULL, &explainer, NULL));
    REQUIRE((plain = collect(&explainer, &explainer.inputs.images)));
    set_value(world, "cache", folder);
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    damage(folder, "images");
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    damage(folder, "concepts");
    CHECK(same_as(world, plain) && files_in(folder) == 2);
    world->photos[7][SIZE / 2] = 1 - world->photos[7][SIZE / 2]; // one number of one photo
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
    REQUIRE(world && draw_world(world));
    world->probe.image_count = 99;
    REQUIRE(open_with(world, NULL, &explainer, NULL));
    CHECK(!clip_collect(&explainer, &explainer.inputs.images, &pass, &evidence, &error));
    CHECK_TEXT(error.message, "drawn: has 99 images, the similarity soft-wpmi needs at least 100 "
                              "(--similarity cosine and cosine-cubed do with fewer)");
    explainer_close(&explainer);
    memory_free(world);
}

/* ---- concepts -------------------------------------------------------------------------------- */

static void concepts_are_lines_that_are_not_blank(void)
{
    static const char text[] = "red\n\n  \t\nblue sky \r\n\r\nred\nlast";
    Concepts          concepts;
    const char       *path = in_folder("list.txt");
    REQUIRE(file_publish(path, text, sizeof text - 1, NULL) &&
            concepts_open(&concepts, path, NULL));
    REQUIRE(concepts.count == 4);
    CHECK_TEXT(concepts.text[0], "");
    CHECK_TEXT(concepts.text[1], "red");
    CHECK_TEXT(concepts.text[2], "blue sky ");
    CHECK_TEXT(concepts.text[3], "red");
    CHECK_TEXT(concepts.text[4], "last");
    CHECK(concepts.line[1] == 1 && concepts.line[2] == 4 && concepts.line[3] == 6 &&
          concepts.line[4] == 7);
    concepts_close(&concepts);
}

static void what_is_no_list_is_refused(void)
{
    static const struct {
        const char *text;
        size_t      size;
        const char *message;
    } cases[]        = {{"", 0, "has no concepts, expected one a line"},
                        {"\n \n\r\n", 5, "has no concepts"},
                        {"red\0blue\n", 9, "has a zero byte"}};
    const char *path = in_folder("list.txt");
    Concepts    concepts;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {0};
        REQUIRE(file_publish(path, cases[i].text, cases[i].size, NULL));
        CHECK(!concepts_open(&concepts, path, &error));
        CHECK_REFUSED("concepts", &error, cases[i].message);
    }
    Error error = {0};
    CHECK(!concepts_open(&concepts, in_folder("none.txt"), &error) &&
          error.code == ERROR_NOT_FOUND);
}

// Towers are built in, words are not.
static void words_need_a_list(void)
{
    ClipWorld *world     = memory_new(1, sizeof *world, NULL);
    Explainer  explainer = {0};
    Error      error     = {0};
    REQUIRE(world && draw_world(world));
    set_value(world, "concepts", NULL);
    CHECK(!open_with(world, NULL, &explainer, &error) && error.code == ERROR_USAGE);
    CHECK(strstr(error.message, "--concepts FILE.txt") != NULL);
    memory_free(world);
}

/* ---- attacks and stories --------------------------------------------------------------------- */

// How many images are closer to a concept, the first of equal ones.
static int closer_images(const Clip *clip, int image, int32_t concept)
{
    int   count = 0;
    float own   = clip_cosine(clip, image, concept);
    for (int i = 0; i < IMAGES; i++) {
        float other = clip_cosine(clip, i, concept);
        count += other > own || (other == own && i < image);
    }
    return count;
}

// Whom an image is perturbed for: 1 the unit's word, 2 the target, 0 neither.
static int side_of(const Clip *clip, int image, int32_t word, int32_t target)
{
    int own   = closer_images(clip, image, word - 1);
    int other = target ? closer_images(clip, image, target - 1) : IMAGES;
    if (own >= CLIP_AIMED && other >= CLIP_AIMED)
        return 0;
    return own <= other ? 1 : 2;
}

static void check_aim(const Explainer *explainer, const UnitRecord *unit, int32_t wanted)
{
    Aim     aim = {0};
    uint8_t source[CELLS], target[CELLS];
    int     side[IMAGES] = {0}, count[3] = {0};
    REQUIRE(clip_aim(explainer, unit, (AimTarget){.label = wanted}, &aim, NULL) &&
            aim.mask_count == CELLS && !aim.enlarge);
    for (int64_t i = 0; i < aim.image_count; i++) {
        REQUIRE(i == 0 || aim.images[i] > aim.images[i - 1]);
        REQUIRE(aim.masks(aim.self, aim.images[i], source, target, NULL));
        side[aim.images[i]] = source[0] ? 1 : 2;
        for (int cell = 0; cell < CELLS; cell++)
            CHECK(source[cell] == source[0] && target[cell] == target[0] &&
                  source[cell] + target[cell] == 1);
    }
    for (int i = 0; i < IMAGES; i++) {
        CHECK(side[i] == side_of(explainer->state, i, unit->label, wanted));
        count[side[i]]++;
    }
    CHECK(wanted ? count[1] > 0 && count[2] > 0 : count[1] == CLIP_AIMED && count[2] == 0);
    aim_close(&aim);
}

static void attacks_aim_at_the_closest_images(void)
{
    ClipWorld *world = memory_new(1, sizeof *world, NULL);
    Explainer  again = {0};
    Evidence  *clean = NULL;
    UnitRecord unit  = {.unit = 1, .label = 3};
    REQUIRE(world && draw_world(world) && reopen(world, "clean", &again, &clean));
    check_aim(&again, &unit, 0);
    check_aim(&again, &unit, 2); // nearly all images are close to both
    clip_release(clean);
    explainer_close(&again);
    memory_free(world);
}

/* ---- the loss on ranks ----------------------------------------------------------------------- */

static double loss_at(UnitObjective *objective, const float *maps, float *weights)
{
    double loss = 0;
    CHECK(unit_objective_weigh(objective, maps, weights, &loss, NULL));
    return loss;
}

static void check_rank_loss(ClipWorld *world, const char *pool, int32_t target)
{
    enum { SHOWN = 7, NUMBERS = SHOWN * CELLS };
    Explainer      again     = {0};
    Evidence      *clean     = NULL;
    Aim            aim       = {0};
    UnitObjective *objective = NULL;
    UnitRecord     unit      = {.unit = 1, .label = 3};
    float          maps[NUMBERS], weights[NUMBERS], unused[NUMBERS];
    Random         random = random_stream(test_seed(), "rank loss");
    set_value(world, "pool", pool);
    REQUIRE(reopen(world, "clean", &again, &clean) &&
            clip_aim(&again, &unit, (AimTarget){.label = target}, &aim, NULL));
    REQUIRE(aim.gain && aim.softness > 0);
    REQUIRE(unit_objective_open(&objective, &aim, LOSS_SOFT_WPMI, false, CELLS, NULL));
    CHECK(!unit_objective_is_linear(objective));
    REQUIRE(unit_objective_load(objective, aim.images, SHOWN, NULL));
    for (int i = 0; i < NUMBERS; i++)
        maps[i] = aim.level + aim.softness * (4 * level(&random) - 2);
    double loss = loss_at(objective, maps, weights), by_hand = 0;
    for (int i = 0; i < SHOWN; i++) {
        double q = (double)clip_pooled(again.state, maps + (ptrdiff_t)i * CELLS, CELLS);
        by_hand += (double)aim.gain[aim.images[i]] /
                   (1 + exp(-(q - (double)aim.level) / (double)aim.softness));
    }
    CHECK_CLOSE(loss, by_hand, 1e-9);
    for (int i = 0; i < NUMBERS; i++) {
        float kept = maps[i], step = 0.02f * aim.softness;
        maps[i]     = kept + step;
        double more = loss_at(objective, maps, unused), width = (double)maps[i];
        maps[i]     = kept - step;
        double less = loss_at(objective, maps, unused);
        width -= (double)maps[i];
        maps[i] = kept;
        CHECK_CLOSE((double)weights[i] * width, more - less, 2e-3 * fabs(more - less) + 1e-6);
    }
    unit_objective_close(objective);
    aim_close(&aim);
    clip_release(clean);
    explainer_close(&again);
}

static void weights_are_the_gradient_of_the_loss_on_ranks(void)
{
    ClipWorld *world = memory_new(1, sizeof *world, NULL);
    REQUIRE(world && draw_world(world));
    check_rank_loss(world, "mean", 0);
    check_rank_loss(world, "max", 2);
    memory_free(world);
}

static void the_loss_on_ranks_is_refused_without_gains(void)
{
    ClipWorld     *world     = memory_new(1, sizeof *world, NULL);
    Explainer      again     = {0};
    Evidence      *clean     = NULL;
    Aim            aim       = {0};
    UnitObjective *objective = NULL;
    UnitRecord     unit      = {.unit = 1, .label = 3};
    Error          error     = {0};
    REQUIRE(world && draw_world(world));
    set_value(world, "similarity", "cosine");
    REQUIRE(reopen(world, "clean", &again, &clean) &&
            clip_aim(&again, &unit, (AimTarget){0}, &aim, NULL));
    CHECK(!unit_objective_open(&objective, &aim, LOSS_SOFT_WPMI, false, CELLS, &error));
    CHECK(error.code == ERROR_USAGE && strstr(error.message, "the loss soft-wpmi is for"));
    aim_close(&aim);
    clip_release(clean);
    explainer_close(&again);
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

static bool whole_work(ClipWorld *world, const float *const list[IMAGES], Error *error)
{
    static const Pass pass      = {0};
    Explainer         explainer = {0};
    Evidence         *full = NULL, *one = NULL;
    Aim               aim       = {0};
    UnitRecord        unit      = {.label = 1};
    Perturbed         self      = {world, &explainer};
    ImageSource       perturbed = {load_perturbed, &self};
    bool              ok        = open_with(world, NULL, &explainer, error) &&
              clip_baseline(&explainer, test_folder(), error) &&
              clip_collect(&explainer, &perturbed, &pass, &full, error) &&
              clip_aim(&explainer, &unit, (AimTarget){.label = 2}, &aim, error);
    if (ok) {
        UnitView view = {0, list, &perturbed, changed_images, CHANGED};
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
    static float maps[IMAGES][CELLS];
    const float *list[IMAGES];
    REQUIRE(world && draw_world(world));
    set_value(world, "coupling", "anew");
    REQUIRE(reopen(world, NULL, &again, &clean));
    Perturbed   self      = {world, &again};
    ImageSource perturbed = {load_perturbed, &self};
    maps_of(world, &perturbed, 0, maps, list);
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
    RUN(concepts_are_lines_that_are_not_blank);
    RUN(what_is_no_list_is_refused);
    RUN(words_need_a_list);
    RUN(attacks_aim_at_the_closest_images);
    RUN(weights_are_the_gradient_of_the_loss_on_ranks);
    RUN(the_loss_on_ranks_is_refused_without_gains);
    RUN(best_words_are_in_order);
    RUN(no_memory_is_clean);
}
