/* tests/test_milan.c - MILAN from maps to captions: exemplars and levels beside an obvious oracle,
 * one unit beside the whole layer, runs that were interrupted, bytes and words. */
#include "milan_scene.h"

#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- exemplars and levels -------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// The mid-point rule on all values.
static float oracle_level(const World *world, int unit)
{
    enum { COUNT = SCENE_IMAGES * SCENE_CELLS };
    float values[COUNT];
    for (int image = 0; image < SCENE_IMAGES; image++)
        memcpy(values + image * SCENE_CELLS, world->maps[world->number[image]][unit],
               SCENE_CELLS * sizeof *values);
    qsort(values, COUNT, sizeof *values, by_value);
    double h = 0.99 * COUNT + 0.5;
    int    k = (int)(h + 1e-9);
    return (float)((double)values[k - 1] + (h - k) * ((double)values[k] - (double)values[k - 1]));
}

static float oracle_peak(const World *world, int unit, int image)
{
    float peak = -INFINITY;
    for (int cell = 0; cell < SCENE_CELLS; cell++)
        peak = fmaxf(peak, world->maps[world->number[image]][unit][cell]);
    return peak;
}

static void check_exemplars(const World *world, int unit, const Exemplars *found)
{
    CHECK(found->count == MILAN_EXEMPLARS);
    bool taken[SCENE_IMAGES] = {false};
    for (int rank = 0; rank < MILAN_EXEMPLARS; rank++) {
        int best = -1;
        for (int image = 0; image < SCENE_IMAGES; image++)
            if (!taken[image] &&
                (best < 0 || oracle_peak(world, unit, image) > oracle_peak(world, unit, best)))
                best = image;
        taken[best] = true;
        CHECK(found->image[rank] == best && found->peak[rank] == oracle_peak(world, unit, best));
    }
    CHECK_CLOSE((double)found->level, (double)oracle_level(world, unit),
                1e-6 * fabs((double)found->level));
}

static void exemplars_are_the_highest_peaks(void)
{
    Scene scene;
    if (scene_open(&scene, "corrupt23", 8)) {
        Evidence *evidence = scene_collect(&scene, NULL, NULL, NULL);
        REQUIRE(evidence != NULL);
        for (int unit = 0; unit < WORLD_UNITS; unit++) {
            check_exemplars(scene.setup.world, unit, milan_exemplars(evidence, unit));
            CHECK(method_milan.threshold(evidence, unit) == evidence->exemplars[unit].level);
            Concept found = method_milan.explain(&scene.explainer, evidence, unit);
            CHECK_TEXT(scene.explainer.labels->text[found.label], evidence->text[unit]);
            CHECK(found.score == evidence->score[unit] && isfinite(found.score));
        }
        milan_release(evidence);
    }
    scene_close(&scene);
}

static void batches_and_threads_leave_no_trace(void)
{
    Scene     scene;
    Evidence *first = NULL;
    for (int64_t batch = 1; batch <= 7; batch += 6) {
        parallel_set_threads(batch == 1 ? 1 : 3);
        if (scene_open(&scene, "corrupt23", batch)) {
            Evidence *evidence = scene_collect(&scene, NULL, NULL, NULL);
            CHECK(evidence && (!first || scene_same(first, evidence)));
            if (first)
                milan_release(evidence);
            else
                first = evidence;
        }
        scene_close(&scene);
    }
    parallel_set_threads(0);
    milan_release(first);
}

/* ---- one unit again -------------------------------------------------------------------------- */

/* Some photos are others: their pixels beside the first, which says which one it is. */
typedef struct Moved {
    ImageSource clean;
    int64_t     changed[3];
} Moved;

static bool load_moved(void *self, int64_t image, float *planes, Error *error)
{
    const Moved *moved = self;
    if (!moved->clean.load(moved->clean.self, image, planes, error))
        return false;
    for (int i = 0; i < 3; i++)
        for (int at = 1; image == moved->changed[i] && at < WORLD_PHOTO * WORLD_PHOTO; at++)
            planes[at] = 1 - planes[at];
    return true;
}

/* A whole run over perturbed images, whose maps are others too, and one unit of it from maps at
 * hand. */
static void one_unit_equals_the_layer(const char *mode)
{
    Scene     scene;
    Evidence *before = NULL, *after = NULL, *alone = NULL;
    if (scene_open(&scene, mode, 4)) {
        World      *world  = scene.setup.world;
        Moved       moved  = {scene.explainer.inputs.images, {2, 11, 29}};
        ImageSource images = {load_moved, &moved};
        before             = scene_collect(&scene, NULL, NULL, NULL);
        for (int i = 0; i < 3; i++)
            for (int unit = 0; unit < WORLD_UNITS; unit++)
                world->maps[moved.changed[i]][unit][3] += 700.0f * (float)(1 + i);
        after = scene_collect(&scene, &images, NULL, NULL);
        CHECK(before && after && !scene_same(before, after));
        for (int unit = 0; after && unit < WORLD_UNITS; unit++) {
            const float *maps[SCENE_IMAGES];
            for (int image = 0; image < SCENE_IMAGES; image++)
                maps[image] = world->maps[world->number[image]][unit];
            UnitView view = {unit, maps, &images, moved.changed, 3};
            CHECK(method_milan.collect_unit(&scene.explainer, &view, &alone, NULL) &&
                  scene_same_row(alone, 0, after, unit));
            milan_release(alone);
            alone = NULL;
        }
    }
    milan_release(before);
    milan_release(after);
    scene_close(&scene);
}

static void one_unit_equals_its_row_of_the_layer(void)
{
    for (int i = 0; i < MILAN_MODES; i++)
        one_unit_equals_the_layer(milan_modes[i].name);
}

/* ---- interrupted runs ------------------------------------------------------------------------ */

typedef struct Interruption {
    bool    cancel;
    int64_t left; // pieces of work until it is cancelled
} Interruption;

static void count_down(void *self, int64_t done, int64_t total)
{
    Interruption *interruption = self;
    CHECK(done <= total);
    if (--interruption->left == 0)
        interruption->cancel = true;
}

static bool begin(void *self, Error *error)
{
    (void)self;
    (void)error;
    return true;
}

static void warn(void *self, const char *sentence)
{
    (void)self;
    CHECK(!sentence);
}

// Goes on until it is done, `step` pieces of work at a time. Returns how often it was interrupted.
static int collect_in_pieces(const Scene *scene, int64_t step, Evidence **out)
{
    char         folder[LIMIT_PATH];
    int          times      = 0;
    Checkpoint   checkpoint = {.key = "milan", .resume = true, .begin = begin, .warn = warn};
    Interruption at         = {0};
    Pass         pass       = {.cancel        = &at.cancel,
                               .progress      = count_down,
                               .progress_self = &at,
                               .checkpoint    = &checkpoint,
                               .file          = "milan" PASS_FILE_ENDING,
                               .phase         = "all"};
    snprintf(folder, sizeof folder, "%s",
             in_folder("%s-%lld", scene->explainer.mode->name, (long long)step));
    CHECK(folder_create(folder, NULL));
    checkpoint.folder = folder;
    for (;; times++) {
        Error error = {0};
        at          = (Interruption){.left = step};
        *out        = scene_collect(scene, NULL, &pass, &error);
        if (*out || !CHECK(error.code == ERROR_AGAIN && times < 100))
            return times;
    }
}

static void interrupted_runs_go_on(const char *mode)
{
    Scene scene;
    if (scene_open(&scene, mode, 4)) {
        Evidence *whole = scene_collect(&scene, NULL, NULL, NULL), *pieces = NULL;
        for (int64_t step = 1; step <= 5; step += 2) {
            CHECK(collect_in_pieces(&scene, step, &pieces) > 2 && scene_same(whole, pieces));
            milan_release(pieces);
            pieces = NULL;
        }
        milan_release(whole);
    }
    scene_close(&scene);
}

static void interrupted_runs_end_as_others(void)
{
    double interval = checkpoint_interval();
    checkpoint_interval_set(1e9); // only where they are interrupted
    interrupted_runs_go_on("corrupt23");
    interrupted_runs_go_on("milan22");
    checkpoint_interval_set(interval);
}

/* ---- pixels and words -------------------------------------------------------------------- */

static void exemplars_become_bytes(void)
{
    Scene   scene;
    float   planes[3 * WORLD_PHOTO * WORLD_PHOTO];
    uint8_t bytes[3 * 32 * 32];
    for (int mode = 0; mode < 2; mode++) {
        if (scene_open(&scene, mode ? "clean" : "corrupt23", 1)) {
            for (int i = 0; i < 3 * WORLD_PHOTO * WORLD_PHOTO; i++)
                planes[i] = (float)(i % 256) / 255;
            planes[1] = 100.6f / 255;
            planes[2] = 2; // perturbed pixels are in 0..1, and nothing breaks if they are not
            planes[3] = -1;
            exemplar_bytes(scene.explainer.state, &scene.explainer.inputs, planes, bytes);
            CHECK(bytes[0] == 0 && bytes[2] == (mode ? 101 : 100) && bytes[4] == 255 &&
                  bytes[6] == 0);
            for (int c = 0; c < 3; c++)
                for (int y = 0; y < 32; y++)
                    for (int x = 8; x < 32; x++)
                        CHECK(bytes[(c * 32 + y) * 32 + x] ==
                              ((c * WORLD_PHOTO + y / 2) * WORLD_PHOTO + x / 2) % 256);
        }
        scene_close(&scene);
    }
}

/* After `a b stop` in a buffer of six words the language model scores three words, or the next stop
 * too. */
static void one_stop_more_is_scored(void)
{
    enum { START = SMALL_WORDS, STOP = SMALL_WORDS + 1, ROWS = SMALL_BEAM };
    int32_t tokens[ROWS * SMALL_LENGTH] = {4, 9, STOP, STOP, STOP, STOP};
    double  score = 0, wanted[2] = {0}, found[2][ROWS];
    real    states[2 * ROWS * 6] = {0};
    REQUIRE(scene_captioner(small_captioner(), "captioner.nw"));
    DecodeRules rules     = {0};
    WeightBlob *blob      = NULL;
    Decoder    *decoder   = NULL;
    Captioner   captioner = {0};
    Sentences   sentences = {1, SMALL_LENGTH, tokens, &score};
    REQUIRE(blob_open(in_folder("captioner.nw"), &blob, NULL) &&
            decode_rules(&rules, blob, 0, NULL) && rules.beam == ROWS &&
            rules.length == SMALL_LENGTH &&
            decoder_open(&decoder, blob, &rules, MILAN_EXEMPLARS, NULL) &&
            captioner_open(&captioner, blob, ROWS, MILAN_EXEMPLARS, NULL));
    for (int at = 0; at < 4; at++) {
        int32_t read[ROWS];
        for (int row = 0; row < ROWS; row++)
            read[row] = at ? tokens[at - 1] : START;
        double log_p = (double)captioner_language(&captioner, read, states)[tokens[at]];
        wanted[0] += at < 3 ? log_p : 0;
        wanted[1] += log_p;
    }
    for (int extra = 0; extra < 2; extra++) {
        decoder_language(decoder, &sentences, extra, found[extra]);
        CHECK(found[extra][0] == wanted[extra]);
    }
    for (int at = 0; at < SMALL_LENGTH - 1; at++) // no room behind the stop
        tokens[at] = 4;
    decoder_language(decoder, &sentences, false, found[0]);
    decoder_language(decoder, &sentences, true, found[1]);
    CHECK(found[0][0] == found[1][0]);
    captioner_close(&captioner);
    decoder_close(decoder);
    blob_close(blob);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void out_of_memory_leaves_nothing(void)
{
    Scene     scene;
    Evidence *evidence = NULL;
    if (scene_open(&scene, "milan22", 8)) {
        int64_t first = memory_calls();
        milan_release(scene_collect(&scene, NULL, NULL, NULL));
        int64_t calls = memory_calls() - first, blocks = memory_live_blocks();
        for (int64_t call = 1; call <= calls; call += call < 60 ? 1 : 23) {
            Error error = {0};
            memory_fail_at(call, false);
            evidence = scene_collect(&scene, NULL, NULL, &error);
            memory_fail_at(0, false);
            CHECK(evidence || error.code == ERROR_MEMORY);
            milan_release(evidence);
            CHECK(memory_live_blocks() == blocks);
        }
    }
    scene_close(&scene);
}

SUITE(milan)
{
    RUN(exemplars_are_the_highest_peaks);
    RUN(batches_and_threads_leave_no_trace);
    RUN(one_unit_equals_its_row_of_the_layer);
    RUN(interrupted_runs_end_as_others);
    RUN(exemplars_become_bytes);
    RUN(one_stop_more_is_scored);
    RUN(out_of_memory_leaves_nothing);
}
