/* tests/test_turns.c - pieces of work that take turns, and layers that share passes. */
#include "test.h"

#include "../base/turns.h"
#include "../probe/together.h"

#include <stdio.h>
#include <string.h>

typedef struct Story {
    int  meetings[4]; // of each piece of work, before it ends
    char told[256];
} Story;

static void tell(Story *story, char c)
{
    size_t used = strlen(story->told);
    snprintf(story->told + used, sizeof story->told - used, "%c", c);
}

static void play(void *self, Turns *turns, int index)
{
    Story *story = self;
    for (int i = 0; i < story->meetings[index]; i++) {
        tell(story, (char)('a' + index));
        turns_meet(turns, index);
    }
    tell(story, (char)('A' + index));
}

static void meet(void *self)
{
    tell(self, '.');
}

static void turns_go_round(void)
{
    static const struct {
        int         count, meetings[4];
        const char *told;
    } cases[] = {
        {1, {0}, "A"},
        {1, {2}, "a.a.A"},
        {3, {1, 1, 1}, "abc.ABC"},
        {3, {2, 0, 1}, "aBc.aC.A"}, // who has ended is not waited for
        {4, {0, 0, 0, 3}, "ABCd.d.d.D"},
        {2, {3, 1}, "ab.aB.a.A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Story     story = {0};
        TurnsWork work  = {cases[i].count, play, meet, &story};
        memcpy(story.meetings, cases[i].meetings, sizeof story.meetings);
        REQUIRE(turns_run(&work, NULL));
        CHECK_TEXT(story.told, cases[i].told);
    }
}

/* ---- layers ---------------------------------------------------------------------------------- */

enum { BATCH = 2, IMAGES = 6 };

static const char *const names[] = {"conv1_2", "conv3_2", "conv4_1"};

typedef struct Collected {
    ActivationSource layer[3];
    real            *maps[3]; // of all images
    int64_t          skipped; // images that the last layer begins behind
    int64_t          size;    // of an image
} Collected;

static void fill(real *pixels, int64_t size, int64_t first)
{
    for (int64_t i = 0; i < BATCH * size; i++)
        pixels[i] = (real)((i * 37 + first * 11) % 101) / 101;
}

static void collect(void *self, int index)
{
    Collected              *all    = self;
    const ActivationSource *layer  = &all->layer[index];
    int64_t                 cells  = layer->units * layer->height * layer->width;
    real                   *pixels = memory_new((size_t)(BATCH * all->size), sizeof *pixels, NULL);
    for (int64_t first = index == 2 ? all->skipped : 0; first < IMAGES; first += BATCH) {
        fill(pixels, all->size, first);
        layer->run(layer->self, pixels, BATCH, all->maps[index] + first * cells);
    }
    memory_free(pixels);
}

// Each layer gets the bits it gets alone; a layer that is elsewhere has passes of its own.
static void check_layers(int64_t skipped, int64_t passes)
{
    WeightBlob    *blob = NULL;
    LayerRunner    runner, alone;
    Together      *together = NULL;
    Collected      all      = {.skipped = skipped};
    NetworkRequest request  = {.batch = BATCH, .layers = names, .layer_count = 3, .unit = -1};
    REQUIRE(blob_open("demo/mini.nw", &blob, NULL));
    REQUIRE(layer_runner_open(&runner, blob, &request, NULL));
    REQUIRE(together_open(&together, &runner, NULL));
    all.size = 3 * runner.image_height * runner.image_width;
    for (int i = 0; i < 3; i++) {
        all.layer[i]  = together_source(together, i);
        int64_t cells = all.layer[i].units * all.layer[i].height * all.layer[i].width;
        all.maps[i]   = memory_new((size_t)(IMAGES * cells), sizeof(real), NULL);
    }
    REQUIRE(together_run(together, collect, &all, NULL));
    CHECK(together_images(together) == passes * BATCH);
    real *pixels = memory_new((size_t)(BATCH * all.size), sizeof *pixels, NULL);
    for (int i = 0; i < 3; i++) {
        NetworkRequest single = {.batch = BATCH, .layer = names[i], .unit = -1};
        int64_t        cells  = all.layer[i].units * all.layer[i].height * all.layer[i].width;
        real          *maps   = memory_new((size_t)(BATCH * cells), sizeof *maps, NULL);
        REQUIRE(layer_runner_open(&alone, blob, &single, NULL));
        for (int64_t first = i == 2 ? skipped : 0; first < IMAGES; first += BATCH) {
            fill(pixels, all.size, first);
            layer_runner_run(&alone, pixels, BATCH, maps);
            CHECK(memcmp(maps, all.maps[i] + first * cells,
                         (size_t)(BATCH * cells) * sizeof *maps) == 0);
        }
        layer_runner_close(&alone);
        memory_free(maps);
        memory_free(all.maps[i]);
    }
    memory_free(pixels);
    together_close(together);
    layer_runner_close(&runner);
    blob_close(blob);
}

static void layers_share_passes(void)
{
    check_layers(0, 3);
    check_layers(BATCH, 5); // two of its own, and the two others go on
}

SUITE(turns)
{
    RUN(turns_go_round);
    RUN(layers_share_passes);
}
