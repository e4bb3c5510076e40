/* tests/test_dissect_run.c - a dissection on disk, interrupted, or given something broken. */
#include "../base/file.h"
#include "../base/parallel.h"
#include "../nem/dissect/dissect_private.h"
#include "nem_world.h"
#include "test.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* ---- a run on disk --------------------------------------------------------------------------- */

static void runs_read_back(void)
{
    Setup     setup;
    Explainer explainer = {0};
    Evidence *evidence  = NULL;
    RunRecord record = {0}, unnamed = {0};
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, "corrupt23"));
    REQUIRE(setup_explain(&setup, "corrupt23", &explainer, &evidence));
    REQUIRE(method_dissection.write(&explainer, evidence, test_folder(), NULL));
    REQUIRE(record_read(&record, &method_dissection, test_folder(), explainer.labels, NULL));
    REQUIRE(record_read(&unnamed, &method_dissection, test_folder(), NULL, NULL));
    CHECK(record.unit_count == WORLD_UNITS);
    for (int unit = 0; unit < WORLD_UNITS; unit++) {
        Concept concept        = dissect_concept(&evidence->dissection, unit);
        const UnitRecord *read = &record.units[unit];
        CHECK(read->unit == unit && read->score == concept.score);
        CHECK(read->label == concept.label && read->category == concept.category);
        CHECK_TEXT(read->label_name, setup.probe.labels[concept.label].name);
        CHECK_TEXT(read->category_name, setup.probe.category[concept.category]);
        CHECK(read->threshold == evidence->dissection.threshold[unit]);
        CHECK(unnamed.units[unit].label == 0 && unnamed.units[unit].category == -1);
        CHECK_TEXT(unnamed.units[unit].label_name, read->label_name);
        CHECK(record_check(&explainer, read, evidence, unit, NULL));
    }
    run_record_close(&record);
    run_record_close(&unnamed);
    method_dissection.release(evidence);
    explainer_close(&explainer);
    setup_close(&setup);
}

// Another concept, or a threshold further away than rounding moves it.
static void other_weights_are_noticed(void)
{
    Setup     setup;
    Explainer explainer = {0};
    Evidence *evidence  = NULL;
    Error     error     = {0};
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, "corrupt23"));
    REQUIRE(setup_explain(&setup, "corrupt23", &explainer, &evidence));
    Concept concept      = dissect_concept(&evidence->dissection, 0);
    float      threshold = evidence->dissection.threshold[0];
    UnitRecord record    = {.unit       = 7,
                            .label      = concept.label,
                            .label_name = setup.probe.labels[concept.label].name,
                            .threshold  = threshold * 1.00005f};
    CHECK(record_check(&explainer, &record, evidence, 0, NULL));
    record.threshold = threshold * 1.001f;
    CHECK(!record_check(&explainer, &record, evidence, 0, &error) && error.code == ERROR_DATA);
    CHECK(strstr(error.message, "unit 7: the clean run found '") != NULL);
    record.threshold = threshold;
    record.label     = concept.label + 1;
    CHECK(!record_check(&explainer, &record, evidence, 0, NULL));
    method_dissection.release(evidence);
    explainer_close(&explainer);
    setup_close(&setup);
}

static void broken_runs_are_refused(void)
{
    static const struct {
        const char *tally, *message; // message: what must be in it
    } cases[] = {
        {"unit,category,label\n", "no column 'score'"},
        {"unit,category,label,score\n0,color,,0\n", "unit is 0, expected 1 to"},
        {"unit,category,label,score\n1,sound,,0\n", "there is no category 'sound'"},
        {"unit,category,label,score\n1,color,mauve,0\n", "there is no color 'mauve'"},
        {"unit,category,label,score\n1,color,,x\n", "score is 'x', expected a number"},
        {"unit,category,label,score\n1,color,,0\n1,color,,0\n", "unit 1 appears twice"},
        {"unit,category,label,score\n1,color,,0\n", "has shape 5, expected the 1 units"},
    };
    Setup     setup;
    Explainer explainer = {0};
    Evidence *evidence  = NULL;
    int64_t   blocks    = memory_live_blocks();
    REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, "corrupt23"));
    REQUIRE(setup_explain(&setup, "corrupt23", &explainer, &evidence));
    REQUIRE(method_dissection.write(&explainer, evidence, test_folder(), NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RunRecord record = {0};
        Error     error  = {0};
        REQUIRE(write_text(test_folder(), "tally.csv", cases[i].tally));
        CHECK(!record_read(&record, &method_dissection, test_folder(), explainer.labels, &error));
        if (!CHECK(strstr(error.message, cases[i].message) != NULL))
            printf("  %s\n", error.message);
        CHECK(error.code == ERROR_DATA);
    }
    method_dissection.release(evidence);
    explainer_close(&explainer);
    setup_close(&setup);
    CHECK(memory_live_blocks() == blocks);
}

static void tally_columns_are_netdissects(void)
{
    const DissectRules *rules = dissect_rules("corrupt23");
    Setup               setup;
    Dissection          found = {0};
    Bytes               bytes = {0};
    char                path[600];
    REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, "corrupt23"));
    REQUIRE(setup_run(&setup, rules, 8, &found, NULL) &&
            dissection_write(&found, test_folder(), NULL));
    snprintf(path, sizeof path, "%s/tally.csv", test_folder());
    REQUIRE(file_read(path, 1 << 20, &bytes, NULL));
    static const char wanted[] =
        "unit,category,label,score,"
        "color-label,color-truth,color-activation,color-intersect,color-iou,"
        "object-label,object-truth,object-activation,object-intersect,object-iou,"
        "material-label,material-truth,material-activation,material-intersect,material-iou,"
        "texture-label,texture-truth,texture-activation,texture-intersect,texture-iou,"
        "top1-label,top1-category,top1-iou,top2-label,top2-category,top2-iou,top3-label,"
        "top3-category,top3-iou,top4-label,top4-category,top4-iou,top5-label,top5-category,top5-"
        "iou,"
        "unit0,threshold\n";
    CHECK(strncmp((const char *)bytes.data, wanted, sizeof wanted - 1) == 0);
    const char *last = strstr((const char *)bytes.data, "\n5,texture,,0,"); // dead: sorted last
    CHECK(last && strchr(last + 1, '\n')[1] == 0 && strstr(last, ",4,0\n"));
    bytes_close(&bytes);
    dissection_close(&found);
    setup_close(&setup);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void infinite_activations_are_named(void)
{
    static const float  broken[3] = {NAN, INFINITY, -INFINITY};
    const DissectRules *rules     = dissect_rules("corrupt23");
    for (int i = 0; i < 3; i++) {
        Setup setup;
        REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, "corrupt23"));
        setup.world->maps[9][2][5] = setup.world->maps[9][3][0] = setup.world->maps[11][0][0] =
            broken[i];
        for (int64_t batch = 1; batch <= 12; batch++) {
            Error      error = {0};
            Dissection found = {0};
            CHECK(!setup_run(&setup, rules, batch, &found, &error) && !found.threshold);
            CHECK_TEXT(error.message,
                       "image '9.png': unit 2 has an activation that is not a finite number");
            CHECK(error.code == ERROR_DATA);
        }
        const float *maps[12];
        Inputs       inputs = setup_inputs(&setup, 12);
        Error        error  = {0};
        Dissection   found  = {0};
        for (int image = 0; image < 12; image++)
            maps[image] = setup.world->maps[image][2];
        CHECK(!dissect_unit(&found, rules, &inputs, maps, &error));
        CHECK(strstr(error.message, "image '9.png'") != NULL);
        setup_close(&setup);
    }
}

static void note_progress(void *self, int64_t done, int64_t total)
{
    int64_t *seen = self;
    CHECK(done >= seen[0] && done <= total);
    seen[0] = done;
    seen[1] = total;
}

static void progress_and_cancel(void)
{
    DissectRules rules   = *dissect_rules("corrupt23");
    int64_t      seen[2] = {0};
    bool         cancel  = false;
    Pass         pass    = {.cancel = &cancel, .progress = note_progress, .progress_self = seen};
    Setup        setup;
    Error        error = {0};
    Dissection   found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, "corrupt23"));
    Inputs inputs = setup_inputs(&setup, 5);
    REQUIRE(dissect_layer(&found, &rules, &inputs, &inputs.images, &pass, &error));
    CHECK(seen[0] == 12 && seen[1] == 12);
    dissection_close(&found);
    rules.store_bytes = 0;
    seen[0]           = 0;
    REQUIRE(dissect_layer(&found, &rules, &inputs, &inputs.images, &pass, &error));
    CHECK(seen[0] == 24 && seen[1] == 24);
    dissection_close(&found);
    cancel  = true; // the batch under way is finished
    seen[0] = 0;
    CHECK(!dissect_layer(&found, &rules, &inputs, &inputs.images, &pass, &error));
    CHECK(error.code == ERROR_AGAIN);
    CHECK_TEXT(error.message, "interrupted after 5 of 12 images");
    setup_close(&setup);
}

static void sizes_must_agree(void)
{
    Setup      setup;
    Dissection found = {0};
    Error      error = {0};
    REQUIRE(setup_open(&setup, test_seed(), 6, 4, 4, "corrupt23"));
    Inputs inputs            = setup_inputs(&setup, 4);
    inputs.layer.image_width = 17;
    CHECK(!dissect_layer(&found, dissect_rules(NULL), &inputs, &inputs.images, &(Pass){0}, &error));
    CHECK(error.code == ERROR_DATA &&
          strstr(error.message, "photos are 16 x 16, the network takes 17 x 16"));
    setup_close(&setup);
}

static void memory_failures_leave_nothing(void)
{
    DissectRules rules = *dissect_rules("nd2017");
    Setup        setup;
    rules.triples_per_image = 10; // the record is full
    REQUIRE(setup_open(&setup, test_seed(), 6, 4, 4, "nd2017"));
    parallel_set_threads(1);
    int64_t before = memory_live_blocks(), call = 0;
    for (bool done = false; !done && call < 5000; call++) {
        Dissection found = {0};
        Error      error = {0};
        memory_fail_at(call + 1, false);
        done = setup_run(&setup, &rules, 3, &found, &error);
        memory_fail_at(0, false);
        CHECK(done || error.code == ERROR_MEMORY);
        dissection_close(&found);
        CHECK(memory_live_blocks() == before);
    }
    CHECK(call > 50 && call < 5000);
    parallel_set_threads(0);
    setup_close(&setup);
}

/* ---- photos ahead ---------------------------------------------------------------------------- */

typedef struct Ahead {
    ImageSource      photos;
    ActivationSource layer;
    atomic_int       loaded;
    int              loaded_before[8], runs;
} Ahead;

static bool count_load(void *self, int64_t image, float *planes, Error *error)
{
    Ahead *ahead = self;
    atomic_fetch_add(&ahead->loaded, 1);
    return ahead->photos.load(ahead->photos.self, image, planes, error);
}

static void note_run(void *self, const real *pixels, int64_t count, real *maps)
{
    Ahead *ahead = self;
    if (ahead->runs < 8)
        ahead->loaded_before[ahead->runs] = atomic_load(&ahead->loaded);
    ahead->runs++;
    ahead->layer.run(ahead->layer.self, pixels, count, maps);
}

// Seven threads have three photos of a batch to load, so two batches more are loaded with it.
static void many_threads_load_batches_ahead(void)
{
    static const int expected[7] = {9, 9, 9, 18, 18, 18, 20};
    Setup            setup;
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, "corrupt23"));
    Inputs  inputs = setup_inputs(&setup, 3);
    Ahead   ahead  = {.photos = inputs.images, .layer = inputs.layer};
    int64_t unit   = 1;
    float   one[20 * 16], seven[20 * 16];
    parallel_set_threads(1);
    CHECK(maps_collect(&inputs, &unit, 1, &(Pass){0}, one, NULL));
    inputs.images     = (ImageSource){count_load, &ahead};
    inputs.layer.run  = note_run;
    inputs.layer.self = &ahead;
    parallel_set_threads(7);
    CHECK(maps_collect(&inputs, &unit, 1, &(Pass){0}, seven, NULL));
    parallel_set_threads(0);
    CHECK(ahead.runs == 7 && memcmp(ahead.loaded_before, expected, sizeof expected) == 0);
    CHECK(memcmp(one, seven, sizeof one) == 0);
    setup_close(&setup);
}

SUITE(dissect_run)
{
    RUN(runs_read_back);
    RUN(other_weights_are_noticed);
    RUN(broken_runs_are_refused);
    RUN(tally_columns_are_netdissects);
    RUN(infinite_activations_are_named);
    RUN(progress_and_cancel);
    RUN(sizes_must_agree);
    RUN(memory_failures_leave_nothing);
    RUN(many_threads_load_batches_ahead);
}
