/* tests/test_methods.c - what all methods of explanation share, and dissection's seat among them.
 */
#include "../nem/dissect/dissect_private.h"
#include "../nem/units.h"
#include "nem_world.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ------------------------------------------------------------------------------- */

static void methods_and_modes_have_names(void)
{
    CHECK(method_at(0) == &method_dissection && !method_at(-1));
    for (int i = 0; method_at(i); i++) {
        const Method *method = method_at(i);
        CHECK(method_named(method->name) == method);
        CHECK(mode_named(method, NULL) == &method->modes[0] && !mode_named(method, "none"));
        for (int k = 0; k < method->mode_count; k++)
            CHECK(mode_named(method, method->modes[k].name) == &method->modes[k]);
        CHECK(!method->write == !method->read && !method->write == !method->files);
        CHECK(!method->story == !method->story_close);
    }
    CHECK(!method_named("none"));
}

static void modes_of_dissection(void)
{
    const Mode *corrupt23 = mode_named(&method_dissection, "corrupt23"),
               *clean     = mode_named(&method_dissection, "clean"),
               *lite      = mode_named(&method_dissection, "lite"),
               *nd2017    = mode_named(&method_dissection, "nd2017");
    REQUIRE(corrupt23 && clean && lite && nd2017 && method_dissection.mode_count == 4);
    CHECK(mode_named(&method_dissection, NULL) == corrupt23);
    CHECK(corrupt23->coupled && corrupt23->raw_masks && !corrupt23->post_relu);
    CHECK_TEXT(corrupt23->store, "jpeg75");
    for (int i = 1; i < DISSECT_MODES; i++) {
        CHECK(!dissect_modes[i].coupled && !dissect_modes[i].raw_masks);
        CHECK_TEXT(dissect_modes[i].store, "float");
    }
    CHECK(!clean->post_relu && lite->post_relu && nd2017->post_relu);
    CHECK(!corrupt23->without_category && !clean->without_category && !nd2017->without_category);
    CHECK_TEXT(lite->without_category, "material");
    CHECK(dissect_rules(NULL) == corrupt23->rules && !dissect_rules("none"));
    for (int i = 0; i < DISSECT_MODES; i++) {
        const DissectRules *rules = dissect_rules(dissect_modes[i].name);
        CHECK(rules->quantile_entry == 994 && rules->quantile_entries == 1000);
        CHECK(rules->store_bytes == (size_t)768 << 20);
        CHECK(rules->label0_leaks == (i == 2) && (rules->triples_per_image > 0) == (i == 3));
    }
}

/* ---- labels and descriptions ----------------------------------------------------------------- */

static const char *const texts[] = {
    "",    "=1+1",         "'=1+1",        "a,b \"c\"", "two\nlines", "+",     "red",
    "red", "\xc3\xa9 <b>", " blank ends ", "@here",     "'quoted'",   "\ttab", "-",
};
enum { TEXTS = sizeof texts / sizeof *texts };
static const char *const category_names[]   = {"color, \"odd\"", "=object"};
static const int         category_of[TEXTS] = {1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1};
static Labels            labels             = {.count          = TEXTS,
                                               .text           = texts,
                                               .category_of    = category_of,
                                               .category_count = 2,
                                               .category       = category_names};

static void labels_are_found(void)
{
    for (int32_t i = 1; i < TEXTS; i++)
        CHECK(labels_find(&labels, texts[i], category_of[i]) == i);
    CHECK(labels_find(&labels, "red", -1) == 6); // the first
    CHECK(labels_find(&labels, "=1+1", 1) == 0 && labels_find(&labels, "blue", -1) == 0);
    CHECK(labels_find(&labels, "", -1) == 0 && labels_find(&labels, "", 1) == 0);
    CHECK(labels_category(&labels, "=object") == 1 && labels_category(&labels, "object") == -1);
}

static void free_labels_grow(void)
{
    Labels  free   = {0};
    int64_t before = memory_live_blocks();
    int32_t label  = -1;
    REQUIRE(labels_open_free(&free, "caption", NULL) && free.count == 1 &&
            free.category_count == 1);
    CHECK_TEXT(free.text[0], "");
    CHECK_TEXT(free.category[0], "caption");
    for (int round = 0; round < 2; round++) // a text keeps the number of its first appearance
        for (int i = 1; i <= 1000; i++) {
            char text[32];
            snprintf(text, sizeof text, "caption %d", i * 7919);
            REQUIRE(labels_intern(&free, text, &label, NULL) && label == i);
            CHECK(labels_find(&free, text, -1) == i && free.category_of[i] == 0);
            CHECK_TEXT(free.text[i], text);
        }
    CHECK(labels_intern(&free, "", &label, NULL) && label == 0 && free.count == 1001);
    CHECK(labels_find(&free, "other", -1) == 0 && labels_find(&free, "caption 7919", 1) == 0);
    CHECK(labels_number(&free, "other", 0, &label, NULL) && label == 1001);
    CHECK(labels_number(&labels, "other", 0, &label, NULL) && label == 0);
    labels_close(&free);
    labels_close(&free);
    CHECK(memory_live_blocks() == before);
}

static void free_labels_survive_a_lack_of_memory(void)
{
    int64_t before = memory_live_blocks(), call = 0;
    for (bool done = false; !done && call < 1000; call++) {
        Labels  free  = {0};
        Error   error = {0};
        int32_t label = 0;
        memory_fail_at(call + 1, false);
        done = labels_open_free(&free, "caption", &error);
        for (int i = 0; done && i < 200; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", i);
            done = labels_intern(&free, text, &label, &error);
            for (int32_t k = 1; k < free.count; k++)
                CHECK(atoi(free.text[k]) == k - 1 && labels_find(&free, free.text[k], 0) == k);
        }
        memory_fail_at(0, false);
        CHECK(done || error.code == ERROR_MEMORY);
        labels_close(&free);
        CHECK(memory_live_blocks() == before);
    }
    CHECK(call > 200 && call < 1000);
}

static Change compare_lengths(const char *before, const char *after)
{
    return (Change){.changed = strlen(before) != strlen(after), .similarity = 0.5};
}

static void descriptions_change(void)
{
    Method method = {.detector_score = 0.5};
    Change same   = description_change(&method, "cat", "cat");
    Change other  = description_change(&method, "cat", "dog");
    CHECK(!same.changed && same.similarity == 1);
    CHECK(other.changed && other.similarity == 0);
    method.compare = compare_lengths;
    other          = description_change(&method, "cat", "dog");
    CHECK(!other.changed && other.similarity == 0.5);
    CHECK(is_detector(&method, 0.5) && !is_detector(&method, 0.4999));
    CHECK(is_detector(&method_dissection, 0.04));
}

/* ---- units.csv ------------------------------------------------------------------------------- */

typedef struct Found {
    Concept concept;
    float threshold;
} Found;

static Concept found_concept(const Explainer *explainer, const Evidence *evidence, int64_t row)
{
    (void)explainer;
    return ((const Found *)(const void *)evidence)[row].concept;
}

static float found_threshold(const Evidence *evidence, int64_t row)
{
    return ((const Found *)(const void *)evidence)[row].threshold;
}

static void check_units(const Found *found, bool with_thresholds)
{
    Method    method = {.explain = found_concept};
    RunRecord read = {0}, unnamed = {0};
    method.threshold    = with_thresholds ? found_threshold : NULL;
    Explainer explainer = {
        .method = &method, .labels = &labels, .inputs = {.layer = {.units = TEXTS}}};
    REQUIRE(units_write(&explainer, (const Evidence *)(const void *)found, "layer, \"1\"",
                        test_folder(), NULL));
    REQUIRE(record_read(&read, &method, test_folder(), &labels, NULL));
    REQUIRE(record_read(&unnamed, &method, test_folder(), NULL, NULL));
    CHECK(read.unit_count == TEXTS && unnamed.unit_count == TEXTS);
    for (int32_t i = 0; i < TEXTS; i++) {
        const UnitRecord *unit = &read.units[i];
        CHECK(unit->unit == i && unit->label == i && unit->category == category_of[i]);
        CHECK_TEXT(unit->label_name, texts[i]);
        CHECK_TEXT(unit->category_name, category_names[category_of[i]]);
        CHECK(unit->score == found[i].concept.score);
        CHECK(unit->threshold == (with_thresholds ? found[i].threshold : 0));
        CHECK(unnamed.units[i].label == 0 && unnamed.units[i].category == -1);
        CHECK_TEXT(unnamed.units[i].label_name, texts[i]);
    }
    run_record_close(&read);
    run_record_close(&unnamed);
}

static void units_read_back(void) // whatever the names and however long the numbers
{
    Found  found[TEXTS];
    Random random = random_stream(test_seed(), "units");
    for (int i = 0; i < TEXTS; i++)
        found[i] =
            (Found){{i, category_of[i], (double)random_unit(random_word(&random)) / (3.0 * i + 1)},
                    (random_unit(random_word(&random)) - 0.5f) * 1e-7f * (float)(i * i * i)};
    check_units(found, true);
    check_units(found, false);
}

static void broken_units_are_refused(void)
{
    static const struct {
        const char *rows, *message;
    } cases[] = {
        {"l,-1,red,0,=object,0\n", "unit is -1, expected 0 to"},
        {"l,0,red,0,sound,0\n", "there is no category 'sound'"},
        {"l,0,+,0,'=object,0\n", "there is no =object '+'"},
        {"l,0,red,x,'=object,0\n", "score is 'x', expected a number"},
        {"l,0,red,0,'=object,nan\n", "threshold is 'nan', expected a number"},
        {"l,3,red,0,'=object,0\nl,3,red,0,'=object,0\n", "unit 3 appears twice"},
        {"l,0,red,0,'=object,0\nl,2,red,0,'=object,0\n", "unit 1 is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char      text[256];
        RunRecord record = {0};
        Error     error  = {0};
        snprintf(text, sizeof text, "layer,unit,description,score,category,threshold\n%s",
                 cases[i].rows);
        REQUIRE(write_text(test_folder(), "units.csv", text));
        CHECK(!units_read(&record, test_folder(), &labels, &error) && !record.units);
        if (!CHECK(error.code == ERROR_DATA && strstr(error.message, cases[i].message) != NULL))
            printf("  %s\n", error.message);
    }
}

static void numbers_read_back(void)
{
    static const float values[] = {0.1f, 1e-37f, 123456.7f, 3.0f, -0.33333334f};
    char               path[LIMIT_PATH];
    Writer            *writer = NULL;
    Bytes              bytes  = {0};
    REQUIRE(path_join(path, test_folder(), "numbers", NULL) && writer_open(&writer, path, NULL));
    for (int i = 0; i < 5; i++) {
        units_write_float(writer, values[i]);
        writer_text(writer, " ");
    }
    units_write_double(writer, 0.1 + 0.2);
    REQUIRE(writer_publish(writer, NULL) && file_read(path, 1000, &bytes, NULL));
    static const char wanted[] = "0.1 1e-37 123456.7 3 -0.33333334 0.30000000000000004";
    CHECK(bytes.size == sizeof wanted - 1 && memcmp(bytes.data, wanted, bytes.size) == 0);
    bytes_close(&bytes);
}

/* ---- peaks ----------------------------------------------------------------------------------- */

static void peaks_are_highest_first(void)
{
    static const float   maps[7][2] = {{1, 3}, {5, 0}, {3, 2}, {-1, -2}, {9, 9}, {5, 5}, {3, 3}};
    static const int64_t wanted[STORY_IMAGES] = {4, 1, 5, 0, 2}; // the first of equals wins
    PeakImage            top[STORY_IMAGES];
    CHECK(peaks_find(maps[0], 7, 2, top) == STORY_IMAGES);
    for (int k = 0; k < STORY_IMAGES; k++)
        CHECK(top[k].image == wanted[k]);
    CHECK(top[0].peak == 9 && top[4].peak == 3);
    CHECK(peaks_find(maps[3], 1, 2, top) == 1 && top[0].peak == -1);
}

/* ---- dissection in its seat ------------------------------------------------------------------ */

static void maps_of_unit(const World *world, int unit, float *maps, const float **list)
{
    int cells = world->height * world->width;
    for (int image = 0; image < world->image_count; image++) {
        memcpy(maps + image * cells, world->maps[image][unit], (size_t)cells * sizeof *maps);
        list[image] = maps + image * cells;
    }
}

static void units_alone_equal_their_rows(void)
{
    Setup        setup;
    Explainer    explainer = {0};
    Evidence    *all = NULL, *one = NULL;
    float        maps[20 * 16];
    const float *list[20];
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, "lite"));
    REQUIRE(setup_explain(&setup, "lite", &explainer, &all));
    const Method *method = explainer.method;
    for (int unit = 0; unit < WORLD_UNITS; unit++) {
        maps_of_unit(setup.world, unit, maps, list);
        UnitView view = {.unit = unit, .maps = list, .images = &explainer.inputs.images};
        REQUIRE(method->collect_unit(&explainer, &view, &one, NULL));
        Concept a = method->explain(&explainer, all, unit), b = method->explain(&explainer, one, 0);
        CHECK(a.label == b.label && a.category == b.category && a.score == b.score);
        CHECK(method->threshold(all, unit) == method->threshold(one, 0));
        CHECK(!a.label || method->score_of(&explainer, one, 0, a.label) == a.score);
        for (int32_t label = 0; label < explainer.labels->count; label++)
            CHECK(method->score_of(&explainer, all, unit, label) ==
                  method->score_of(&explainer, one, 0, label));
        method->release(one);
    }
    method->release(all);
    explainer_close(&explainer);
    setup_close(&setup);
}

static void aims_are_the_label_maps(void)
{
    Setup     setup;
    Explainer explainer = {0};
    Evidence *evidence  = NULL;
    uint8_t   source[64], target[64], wanted[64];
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, "corrupt23"));
    REQUIRE(setup_explain(&setup, "corrupt23", &explainer, &evidence));
    bool         present[WORLD_LABELS] = {false};
    PlaneScratch scratch               = {0};
    REQUIRE(method_dissection.candidates(&explainer, present, NULL) && !present[0]);
    for (int32_t label = 1; label + 1 < WORLD_LABELS; label++) {
        int32_t    other  = label % 2 ? label + 1 : 0;
        UnitRecord record = {.label = label, .threshold = 0.25f};
        Aim        aim    = {0};
        int64_t    at = 0, seen = 0;
        REQUIRE(
            method_dissection.aim(&explainer, &record, (AimTarget){.label = other}, &aim, NULL));
        CHECK(aim.mask_count == 64 && aim.threshold == 0.25f);
        for (int64_t image = 0; image < 20; image++) {
            int64_t pixels[2] = {0};
            REQUIRE(planes_mask(setup.planes, image, label, &scratch, wanted, &pixels[0], NULL));
            seen += pixels[0];
            REQUIRE(aim.masks(aim.self, image, source, target, NULL));
            CHECK(memcmp(source, wanted, sizeof wanted) == 0);
            memset(wanted, 0, sizeof wanted);
            REQUIRE(!other ||
                    planes_mask(setup.planes, image, other, &scratch, wanted, &pixels[1], NULL));
            CHECK(memcmp(target, wanted, sizeof wanted) == 0);
            if (pixels[0] || pixels[1])
                CHECK(at < aim.image_count && aim.images[at++] == image);
        }
        CHECK(at == aim.image_count && present[label] == (seen > 0));
        aim_close(&aim);
        aim_close(&aim);
    }
    plane_scratch_free(&scratch);
    method_dissection.release(evidence);
    explainer_close(&explainer);
    setup_close(&setup);
}

// Counted once more from masks that are cut pixel by pixel.
static void stories_count_masks(void)
{
    Setup        setup;
    Explainer    explainer = {0};
    Evidence    *evidence = NULL, *one = NULL;
    Story       *story = NULL;
    float        maps[20 * 16], room[64];
    uint8_t      mask[64], label[64];
    const float *list[20];
    PeakImage    top[STORY_IMAGES];
    PlaneScratch scratch = {0};
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, "corrupt23"));
    REQUIRE(setup_explain(&setup, "corrupt23", &explainer, &evidence));
    for (int unit = 0; unit < WORLD_UNITS; unit++) {
        int64_t pixels = 0, images = 0, above = 0;
        maps_of_unit(setup.world, unit, maps, list);
        int      count = peaks_find(maps, 20, 16, top);
        UnitView view  = {.unit = unit, .maps = list, .images = &explainer.inputs.images};
        REQUIRE(method_dissection.collect_unit(&explainer, &view, &one, NULL));
        REQUIRE(method_dissection.story(&explainer, one, unit, maps, top, count, &story, NULL));
        float threshold = method_dissection.threshold(one, 0);
        for (int image = 0; image < 20; image++) {
            int64_t cut = method_dissection.mask(&explainer, list[image], threshold, room, mask);
            pixels += cut;
            images += cut > 0;
            for (int i = 0; i < 16; i++)
                above += list[image][i] > threshold;
        }
        CHECK(story->mask == pixels && story->images == images && story->above == above);
        CHECK(story->values == 320 && story->top_count == STORY_IMAGES);
        for (int k = 0; k < STORY_IMAGES && story->rank_count; k++) {
            const StoryImage *shown = &story->top[k];
            int64_t           both  = 0;
            CHECK(method_dissection.mask(&explainer, list[shown->peak.image], threshold, room,
                                         mask) == shown->mask);
            REQUIRE(planes_mask(setup.planes, shown->peak.image, story->rank[0].concept.label,
                                &scratch, label, NULL, NULL));
            for (int i = 0; i < 64; i++)
                both += mask[i] && label[i];
            CHECK(shown->both == both);
        }
        method_dissection.story_close(story);
        method_dissection.release(one);
    }
    plane_scratch_free(&scratch);
    method_dissection.release(evidence);
    explainer_close(&explainer);
    setup_close(&setup);
}

static void failed_opens_leave_nothing(void)
{
    Setup setup;
    REQUIRE(setup_open(&setup, test_seed(), 6, 4, 4, "corrupt23"));
    Inputs  inputs = setup_inputs(&setup, 4);
    int64_t before = memory_live_blocks(), call = 0;
    for (bool done = false; !done && call < 100; call++) {
        Explainer explainer = {0};
        Error     error     = {0};
        memory_fail_at(call + 1, false);
        done = explainer_open(&explainer, &method_dissection, &dissect_modes[0], &inputs, NULL,
                              &error);
        memory_fail_at(0, false);
        CHECK(done || (error.code == ERROR_MEMORY && !explainer.method));
        explainer_close(&explainer);
        CHECK(memory_live_blocks() == before);
    }
    CHECK(call > 5 && call < 100);
    inputs.layer.height = 0;
    Explainer explainer = {0};
    CHECK(!explainer_open(&explainer, &method_dissection, &dissect_modes[0], &inputs, NULL, NULL));
    setup_close(&setup);
}

SUITE(methods)
{
    RUN(methods_and_modes_have_names);
    RUN(modes_of_dissection);
    RUN(labels_are_found);
    RUN(free_labels_grow);
    RUN(free_labels_survive_a_lack_of_memory);
    RUN(descriptions_change);
    RUN(units_read_back);
    RUN(broken_units_are_refused);
    RUN(numbers_read_back);
    RUN(peaks_are_highest_first);
    RUN(units_alone_equal_their_rows);
    RUN(aims_are_the_label_maps);
    RUN(stories_count_masks);
    RUN(failed_opens_leave_nothing);
}
