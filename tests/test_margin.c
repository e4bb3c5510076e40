/* tests/test_margin.c - the margin of a label against counting everything again after each pixel
 * that leaves the mask (D29). */
#include "../nem/dissect/dissect_private.h"
#include "test.h"
#include "tiny_world.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS = WORLD_MAP * WORLD_MAP, LABELS = 7, TRIALS = 30 };

static World world;
static float enlarged[WORLD_IMAGES][CELLS];
static bool  mask[WORLD_IMAGES][CELLS];
// How often each label is at each pixel: once for each label map and each whole-image label.
static int carried[WORLD_IMAGES][CELLS][LABELS];

static void read_labels(void)
{
    PlaneScratch scratch = {0};
    memset(carried, 0, sizeof carried);
    for (int image = 0; image < WORLD_IMAGES; image++) {
        ImagePlanes planes;
        REQUIRE(planes_get(world.planes, image, &scratch, &planes, NULL));
        for (int at = 0; at < CELLS; at++) {
            for (int map = 0; map < planes.map_count; map++)
                carried[image][at][planes.maps[map * CELLS + at]] += 1;
            carried[image][at][0] = 0; // no label
            for (int i = 0; i < planes.whole_count; i++)
                if (planes.whole[i] || world.rules.label0_leaks)
                    carried[image][at][planes.whole[i]] += 1;
        }
    }
    plane_scratch_free(&scratch);
}

static bool has_category(int image, int at, int category)
{
    for (int label = 0; label < LABELS; label++)
        if (carried[image][at][label] && world.explainer.labels->category_of[label] == category)
            return true;
    return false;
}

// Whether the activity of an image counts for a category (D14).
static bool is_present(int image, int category)
{
    for (int at = 0; at < CELLS; at++)
        if ((world.rules.presence == PRESENCE_IN_IMAGE || mask[image][at]) &&
            has_category(image, at, category))
            return true;
    return false;
}

static ConceptSum count(int label)
{
    ConceptSum sum = {.concept = {label, world.explainer.labels->category_of[label], 0}};
    for (int image = 0; image < WORLD_IMAGES; image++) {
        bool present = is_present(image, sum.concept.category);
        for (int at = 0; at < CELLS; at++) {
            sum.truth += (uint64_t)carried[image][at][label];
            sum.both += mask[image][at] ? (uint64_t)carried[image][at][label] : 0;
            sum.activity += mask[image][at] && present;
        }
    }
    sum.either        = sum.activity + sum.truth - sum.both;
    sum.concept.score = (double)sum.both / ((double)sum.either + world.rules.epsilon);
    return sum;
}

// The first label of highest score but one.
static ConceptSum best_but(int taken)
{
    ConceptSum best = {0};
    for (int label = 1; label < LABELS; label++) {
        ConceptSum sum = count(label);
        if (label != taken && (!best.concept.label || sum.concept.score > best.concept.score))
            best = sum;
    }
    return best;
}

// Takes the weakest pixel of the mask that carries the label out of it.
static bool take_weakest(int label)
{
    int found = -1;
    for (int i = 0; i < WORLD_IMAGES * CELLS; i++) {
        int image = i / CELLS, at = i % CELLS;
        if (mask[image][at] && carried[image][at][label] &&
            (found < 0 || enlarged[image][at] < enlarged[found / CELLS][found % CELLS]))
            found = i;
    }
    if (found >= 0)
        mask[found / CELLS][found % CELLS] = false;
    return found >= 0;
}

static uint64_t margin_by_counting(const Story *story)
{
    int label = story->rank[0].concept.label, runner_up = story->rank[1].concept.label;
    for (uint64_t left = 1; take_weakest(label); left++)
        if (count(label).concept.score < count(runner_up).concept.score)
            return left;
    return 0;
}

// Few levels, so that many activations are equal.
static void draw_maps(int trial, float *maps)
{
    uint64_t         key       = random_key((uint64_t)trial, "margin");
    const Dissector *dissector = world.explainer.state;
    for (int i = 0; i < WORLD_IMAGES * WORLD_CELLS * WORLD_CELLS; i++) {
        RandomBlock block = random_block(key, (uint64_t)i, 0);
        maps[i]           = (float)(block.word[0] % (trial % 2 ? 8 : 1000)) / 8;
    }
    for (int image = 0; image < WORLD_IMAGES; image++)
        resampler_map(dissector->resampler, maps + image * WORLD_CELLS * WORLD_CELLS,
                      enlarged[image]);
}

static void set_mask(float threshold)
{
    for (int image = 0; image < WORLD_IMAGES; image++)
        for (int at = 0; at < CELLS; at++)
            mask[image][at] = enlarged[image][at] > threshold;
}

static void compare_margins(PresenceRule presence)
{
    static float maps[WORLD_IMAGES * WORLD_CELLS * WORLD_CELLS];
    int          flips   = 0;
    world.rules.presence = presence;
    for (int trial = 0; trial < TRIALS; trial++) {
        Story story = {.rank_count = 2};
        draw_maps(trial, maps);
        story.threshold = trial % 2 ? 0.7f : 100;
        set_mask(story.threshold);
        story.rank[0] = best_but(0);
        story.rank[1] = best_but(story.rank[0].concept.label);
        REQUIRE(story.rank[0].both > 0 && story.rank[1].both > 0);
        REQUIRE(dissect_margin(&world.explainer, maps, world.rules.epsilon, &story, NULL));
        uint64_t wanted = margin_by_counting(&story);
        if (!CHECK(story.leave == wanted))
            printf("  trial %d: %llu, counted %llu\n", trial, (unsigned long long)story.leave,
                   (unsigned long long)wanted);
        flips += wanted > 1;
    }
    CHECK(flips > TRIALS / 4);
}

static void a_margin_is_what_counting_again_finds(void)
{
    static const char *const modes[] = {"corrupt23", "lite"};
    for (int i = 0; i < 2; i++) {
        REQUIRE(world_open(&world, modes[i], 4));
        REQUIRE(world.explainer.labels->count == LABELS);
        read_labels();
        compare_margins(PRESENCE_IN_MASK);
        compare_margins(PRESENCE_IN_IMAGE);
        world_close(&world);
    }
}

SUITE(margin)
{
    RUN(a_margin_is_what_counting_again_finds);
}
