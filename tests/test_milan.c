/* tests/test_milan.c - MILAN from maps to captions: exemplars and levels beside an obvious oracle, one
 * unit beside the whole layer, runs that were interrupted, attacks' masks, and what is refused. */
#include "nem_world.h"
#include "program.h"
#include "small_captioner.h"
#include "test.h"

#include "../base/parallel.h"
#include "../nem/milan/milan_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_COUNT = 30, HEIGHT = 5, WIDTH = 4, CELLS = HEIGHT * WIDTH };

/* A drawn world, and MILAN opened on it. */
typedef struct Scene {
    Setup       setup;
    const char *values[2]; // of --captioner and --beam
    Explainer   explainer;
} Scene;

static bool save_captioner(BlobBuilder *builder, const char *name)
{
    bool saved = blob_builder_save(builder, in_folder("%s", name), NULL);
    blob_builder_free(builder);
    return CHECK(saved);
}

static bool open_milan(Scene *scene, const char *mode, int64_t batch, Error *error)
{
    Inputs inputs    = setup_inputs(&scene->setup, batch);
    scene->values[0] = in_folder("captioner.nw");
    return explainer_open(&scene->explainer, &method_milan, mode_named(&method_milan, mode),
                          &inputs, scene->values, error);
}

static bool scene_open(Scene *scene, const char *mode, int64_t batch)
{
    Error error = {0};
    *scene      = (Scene){0};
    if (!CHECK(setup_open(&scene->setup, 7, WORLD_COUNT, HEIGHT, WIDTH, "clean")) ||
        !save_captioner(small_captioner(), "captioner.nw"))
        return false;
    if (CHECK(open_milan(scene, mode, batch, &error)))
        return true;
    printf("  %s\n", error.message);
    return false;
}

static void scene_close(Scene *scene)
{
    explainer_close(&scene->explainer);
    setup_close(&scene->setup);
}

static Evidence *collect(const Scene *scene, const ImageSource *images, const Pass *pass,
                         Error *error)
{
    static const Pass none     = {0};
    Evidence         *evidence = NULL;
    method_milan.collect(&scene->explainer, images ? images : &scene->explainer.inputs.images,
                         pass ? pass : &none, &evidence, error);
    return evidence;
}

static bool same_row(const Evidence *a, int64_t row, const Evidence *b, int64_t other)
{
    return memcmp(&a->exemplars[row], &b->exemplars[other], sizeof *a->exemplars) == 0 &&
           strcmp(a->text[row], b->text[other]) == 0 && a->score[row] == b->score[other] &&
           a->label[row] == b->label[other];
}

static bool same_evidence(const Evidence *a, const Evidence *b)
{
    bool same = a && b;
    for (int64_t unit = 0; same && unit < WORLD_UNITS; unit++)
        same = same_row(a, unit, b, unit);
    return same;
}

/* ---- exemplars and levels -------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// The mid-point rule on all values.
static float oracle_level(const World *world, int unit)
{
    enum { COUNT = WORLD_COUNT * CELLS };
    float values[COUNT];
    for (int image = 0; image < WORLD_COUNT; image++)
        memcpy(values + image * CELLS, world->maps[world->number[image]][unit],
               CELLS * sizeof *values);
    qsort(values, COUNT, sizeof *values, by_value);
    double h = 0.99 * COUNT + 0.5;
    int    k = (int)(h + 1e-9);
    return (float)((double)values[k - 1] + (h - k) * ((double)values[k] - (double)values[k - 1]));
}

static float oracle_peak(const World *world, int unit, int image)
{
    float peak = -INFINITY;
    for (int cell = 0; cell < CELLS; cell++)
        peak = fmaxf(peak, world->maps[world->number[image]][unit][cell]);
    return peak;
}

static void check_exemplars(const World *world, int unit, const Exemplars *found)
{
    CHECK(found->count == MILAN_EXEMPLARS);
    bool taken[WORLD_COUNT] = {false};
    for (int rank = 0; rank < MILAN_EXEMPLARS; rank++) {
        int best = -1;
        for (int image = 0; image < WORLD_COUNT; image++)
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
        Evidence *evidence = collect(&scene, NULL, NULL, NULL);
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
            Evidence *evidence = collect(&scene, NULL, NULL, NULL);
            CHECK(evidence && (!first || same_evidence(first, evidence)));
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
        before             = collect(&scene, NULL, NULL, NULL);
        for (int i = 0; i < 3; i++)
            for (int unit = 0; unit < WORLD_UNITS; unit++)
                world->maps[moved.changed[i]][unit][3] += 700.0f * (float)(1 + i);
        after = collect(&scene, &images, NULL, NULL);
        CHECK(before && after && !same_evidence(before, after));
        for (int unit = 0; after && unit < WORLD_UNITS; unit++) {
            const float *maps[WORLD_COUNT];
            for (int image = 0; image < WORLD_COUNT; image++)
                maps[image] = world->maps[world->number[image]][unit];
            UnitView view = {unit, maps, &images, moved.changed, 3};
            CHECK(method_milan.collect_unit(&scene.explainer, &view, &alone, NULL) &&
                  same_row(alone, 0, after, unit));
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
        *out        = collect(scene, NULL, &pass, &error);
        if (*out || !CHECK(error.code == ERROR_AGAIN && times < 100))
            return times;
    }
}

static void interrupted_runs_go_on(const char *mode)
{
    Scene scene;
    if (scene_open(&scene, mode, 4)) {
        Evidence *whole = collect(&scene, NULL, NULL, NULL), *pieces = NULL;
        for (int64_t step = 1; step <= 5; step += 2) {
            CHECK(collect_in_pieces(&scene, step, &pieces) > 2 && same_evidence(whole, pieces));
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

/* ---- the published estimate of a level ------------------------------------------------------- */

static float sketch_level(const float *values, int64_t count, int64_t resolution, int64_t unit)
{
    Sketch sketch = {0};
    float  level  = NAN;
    CHECK(sketch_open(&sketch, resolution, unit, NULL));
    for (int64_t at = 0; at < count; at += 37)
        CHECK(sketch_add(&sketch, values + at, count - at < 37 ? count - at : 37, NULL));
    CHECK(sketch_quantile(&sketch, 0.99, &level, NULL));
    sketch_close(&sketch);
    return level;
}

static void estimates_of_few_values_are_exact(void)
{
    float values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = (float)((i * 387 + 5) % 1000 + 1);
    CHECK(sketch_level(values, 1000, SKETCH_RESOLUTION, 0) == 990.5f);
    CHECK(sketch_level(values, 1, SKETCH_RESOLUTION, 0) == values[0]);
}

static void estimates_of_many_values_are_near(void)
{
    enum { COUNT = 200000 };
    float *values = memory_new(COUNT, sizeof *values, NULL);
    Random random = random_stream(11, "sketch");
    for (int i = 0; i < COUNT; i++)
        values[i] = random_unit(random_word(&random));
    double worst = 0;
    for (int64_t unit = 0; unit < 5; unit++) {
        double distance = fabs((double)sketch_level(values, COUNT, SKETCH_RESOLUTION, unit) - 0.99);
        worst           = distance > worst ? distance : worst;
    }
    // 10,000 kept values stand for 200,000: their ranks are off by a few tenths of a percent.
    CHECK(worst < 4e-3 && worst > 0);
    CHECK(sketch_level(values, COUNT, SKETCH_RESOLUTION, 1) !=
          sketch_level(values, COUNT, SKETCH_RESOLUTION, 2));
    CHECK(sketch_level(values, COUNT, SKETCH_RESOLUTION, 1) ==
          sketch_level(values, COUNT, SKETCH_RESOLUTION, 1));
    memory_free(values);
}

/* What is kept weighs as much as what came, up to a value at the end of a buffer. */
static void estimates_keep_the_weight(void)
{
    Sketch sketch = {0};
    Random random = random_stream(12, "sketch");
    REQUIRE(sketch_open(&sketch, 256, 0, NULL));
    for (int i = 0; i < 100000; i++) {
        float value = random_unit(random_word(&random));
        REQUIRE(sketch_add(&sketch, &value, 1, NULL));
    }
    double weight = 0;
    for (int i = 0; i < sketch.levels; i++)
        weight += ldexp(sketch.level[i].count, i);
    CHECK_CLOSE(weight, 100000, 2000);
    sketch_close(&sketch);
}

/* ---- pixels, words, masks -------------------------------------------------------------------- */

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
    REQUIRE(save_captioner(small_captioner(), "captioner.nw"));
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
    float        room[32 * 32], map[CELLS], weights[32 * 32], back[CELLS];
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
    for (int i = 0; i < CELLS; i++)
        map[i] = (float)((i * 7) % 13) - 6;
    aim->enlarge(aim->self, map, room);
    aim->transpose(aim->self, weights, back);
    for (int i = 0; i < 32 * 32; i++)
        over_pixels += (double)room[i] * (double)weights[i];
    for (int i = 0; i < CELLS; i++)
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
        Evidence  *evidence  = collect(&scene, NULL, NULL, NULL);
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

/* ---- what is refused ------------------------------------------------------------------------- */

static void refuses(Scene *scene, BlobBuilder *builder, ErrorCode code, const char *message)
{
    Error error = {0};
    if (!save_captioner(builder, "captioner.nw"))
        return;
    CHECK(!open_milan(scene, NULL, 1, &error) && error.code == code);
    if (!CHECK(strstr(error.message, message) != NULL))
        printf("  %s\n", error.message);
}

static BlobBuilder *captioner_with(const char *key, const char *value)
{
    BlobBuilder *builder = small_captioner();
    blob_builder_about(builder, key, value);
    return builder;
}

static void broken_captioners_are_refused(void)
{
    // A row more than the tensors that read the result have columns.
    static const struct {
        const char *name;
        Shape       shape;
        const char *message;
    } taller[] = {
        {"init_h.0.weight", {2, {7, 14}}, "'init_h.0.weight' is"},
        {"init_c.0.weight", {2, {7, 14}}, "'init_c.0.weight' is"},
        {"attend.query_to_hidden.weight", {2, {6, 6}}, "'attend.query_to_hidden.weight' is"},
        {"attend.output.0.weight", {2, {2, 5}}, "'attend.output.0.weight' is"},
        {"feature_gate.0.weight", {2, {15, 6}}, "'feature_gate.0.weight' is"},
        {"lstm.weight_ih", {2, {25, 18}}, "'lstm.weight_ih' is"},
        {"output.1.weight", {2, {25, 6}}, "'output.1.weight' is"},
        {"lm.lstm.weight_hh_l0", {2, {25, 6}}, "'lm.lstm.weight_hh_l0' is"},
        {"lm.output.0.weight", {2, {25, 6}}, "'lm.output.0.weight' is"},
    };
    Scene scene = {0};
    REQUIRE(setup_open(&scene.setup, 7, WORLD_COUNT, HEIGHT, WIDTH, "clean"));
    Inputs inputs = setup_inputs(&scene.setup, 1);
    CHECK(explainer_open(&scene.explainer, &method_milan, milan_modes, &inputs, NULL, NULL));
    explainer_close(&scene.explainer); // of none that is given: the built-in one
    refuses(&scene, captioner_with("encoder", "lenet"), ERROR_DATA, "its encoder is 'lenet'");
    refuses(&scene, captioner_with("strategy", "guess"), ERROR_DATA, "strategy=guess");
    refuses(&scene, captioner_with("length", "0"), ERROR_DATA, "length=0");
    refuses(&scene, captioner_with("beam_size", "25"), ERROR_DATA, "has 24 words, fewer than");
    refuses(&scene, small_captioner_with("words", shape_1d(8)), ERROR_DATA, "has no list of words");
    refuses(&scene, small_captioner_with("lstm.bias_ih", shape_1d(8)), ERROR_DATA,
            "'lstm.bias_ih' is");
    for (size_t i = 0; i < sizeof taller / sizeof *taller; i++)
        refuses(&scene, small_captioner_with(taller[i].name, taller[i].shape), ERROR_DATA,
                taller[i].message);
    refuses(&scene, small_captioner_with("attend.key_to_hidden.weight", shape_2d(5, 13)),
            ERROR_DATA, "'init_h.0.weight' is");
    refuses(&scene, small_captioner_with("lm.embedding.weight", shape_2d(25, 4)), ERROR_DATA,
            "its decoder has 24 words, its language model 25");
    BlobBuilder *deep = small_captioner();
    blob_builder_constant(deep, "lm.lstm.weight_ih_l2", shape_2d(24, 6), 0);
    blob_builder_constant(deep, "lm.lstm.weight_ih_l3", shape_2d(24, 6), 0);
    blob_builder_constant(deep, "lm.lstm.weight_ih_l4", shape_2d(24, 6), 0);
    refuses(&scene, deep, ERROR_DATA, "its language model has more than 4 layers");
    scene.values[1] = "1001";
    refuses(&scene, small_captioner(), ERROR_USAGE, "a beam of 1001 sentences");
    setup_close(&scene.setup);
}

static void out_of_memory_leaves_nothing(void)
{
    Scene     scene;
    Evidence *evidence = NULL;
    if (scene_open(&scene, "milan22", 8)) {
        int64_t first = memory_calls();
        milan_release(collect(&scene, NULL, NULL, NULL));
        int64_t calls = memory_calls() - first, blocks = memory_live_blocks();
        for (int64_t call = 1; call <= calls; call += call < 60 ? 1 : 23) {
            Error error = {0};
            memory_fail_at(call, false);
            evidence = collect(&scene, NULL, NULL, &error);
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
    RUN(estimates_of_few_values_are_exact);
    RUN(estimates_of_many_values_are_near);
    RUN(estimates_keep_the_weight);
    RUN(exemplars_become_bytes);
    RUN(one_stop_more_is_scored);
    RUN(attacks_aim_at_exemplars);
    RUN(broken_captioners_are_refused);
    RUN(out_of_memory_leaves_nothing);
}
