/* tests/test_clip_aim.c - where an attack lowers and raises a unit of CLIP-Dissect, and the loss on
 * the ranks of its images. */
#include "clip_world.h"

#include "../attack/unit_attack.h"

#include <math.h>
#include <string.h>

/* ---- the closest images --------------------------------------------------------------------- */

// How many images are closer to a concept, the first of equal ones.
static int closer_images(const Clip *clip, int image, int32_t concept)
{
    int   count = 0;
    float own   = clip_cosine(clip, image, concept);
    for (int i = 0; i < CLIP_IMAGES; i++) {
        float other = clip_cosine(clip, i, concept);
        count += other > own || (other == own && i < image);
    }
    return count;
}

// Whom an image is perturbed for: 1 the unit's word, 2 the target, 0 neither.
static int side_of(const Clip *clip, int image, int32_t word, int32_t target)
{
    int own   = closer_images(clip, image, word - 1);
    int other = target ? closer_images(clip, image, target - 1) : CLIP_IMAGES;
    if (own >= CLIP_AIMED && other >= CLIP_AIMED)
        return 0;
    return own <= other ? 1 : 2;
}

static void check_aim(const Explainer *explainer, const UnitRecord *unit, int32_t wanted)
{
    Aim     aim = {0};
    uint8_t source[CLIP_CELLS], target[CLIP_CELLS];
    int     side[CLIP_IMAGES] = {0}, count[3] = {0};
    REQUIRE(clip_aim(explainer, unit, (AimTarget){.label = wanted}, &aim, NULL) &&
            aim.mask_count == CLIP_CELLS && !aim.enlarge);
    for (int64_t i = 0; i < aim.image_count; i++) {
        REQUIRE(i == 0 || aim.images[i] > aim.images[i - 1]);
        REQUIRE(aim.masks(aim.self, aim.images[i], source, target, NULL));
        side[aim.images[i]] = source[0] ? 1 : 2;
        for (int cell = 0; cell < CLIP_CELLS; cell++)
            CHECK(source[cell] == source[0] && target[cell] == target[0] &&
                  source[cell] + target[cell] == 1);
    }
    for (int i = 0; i < CLIP_IMAGES; i++) {
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
    REQUIRE(world && clip_world_draw(world) && clip_world_reopen(world, "clean", &again, &clean));
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
    enum { SHOWN = 7, NUMBERS = SHOWN * CLIP_CELLS };
    Explainer      again     = {0};
    Evidence      *clean     = NULL;
    Aim            aim       = {0};
    UnitObjective *objective = NULL;
    UnitRecord     unit      = {.unit = 1, .label = 3};
    float          maps[NUMBERS], weights[NUMBERS], unused[NUMBERS];
    Random         random = random_stream(test_seed(), "rank loss");
    clip_world_set(world, "pool", pool);
    REQUIRE(clip_world_reopen(world, "clean", &again, &clean) &&
            clip_aim(&again, &unit, (AimTarget){.label = target}, &aim, NULL));
    REQUIRE(aim.gain && aim.softness > 0);
    REQUIRE(unit_objective_open(&objective, &aim, LOSS_SOFT_WPMI, false, CLIP_CELLS, NULL));
    CHECK(!unit_objective_is_linear(objective));
    REQUIRE(unit_objective_load(objective, aim.images, SHOWN, NULL));
    for (int i = 0; i < NUMBERS; i++)
        maps[i] = aim.level + aim.softness * (4 * clip_level(&random) - 2);
    double loss = loss_at(objective, maps, weights), by_hand = 0;
    for (int i = 0; i < SHOWN; i++) {
        double q = (double)clip_pooled(again.state, maps + (ptrdiff_t)i * CLIP_CELLS, CLIP_CELLS);
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
    REQUIRE(world && clip_world_draw(world));
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
    REQUIRE(world && clip_world_draw(world));
    clip_world_set(world, "similarity", "cosine");
    REQUIRE(clip_world_reopen(world, "clean", &again, &clean) &&
            clip_aim(&again, &unit, (AimTarget){0}, &aim, NULL));
    CHECK(!unit_objective_open(&objective, &aim, LOSS_SOFT_WPMI, false, CLIP_CELLS, &error));
    CHECK(error.code == ERROR_USAGE && strstr(error.message, "the loss soft-wpmi is for"));
    aim_close(&aim);
    clip_release(clean);
    explainer_close(&again);
    memory_free(world);
}

SUITE(clip_aim)
{
    RUN(attacks_aim_at_the_closest_images);
    RUN(weights_are_the_gradient_of_the_loss_on_ranks);
    RUN(the_loss_on_ranks_is_refused_without_gains);
}
