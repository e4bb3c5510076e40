/* tests/test_dissect.c - whole dissections: equal to the slow and obvious way, in every mode, for any
 * batch, any number of threads and either number of passes. */
#include "../engine/file.h"
#include "../engine/parallel.h"
#include "nem_world.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Setup {
    World      *world;
    ProbeSet    probe;
    PlaneCache *planes;
} Setup;

static bool setup_probe(Setup *setup, CompatMode mode, size_t plane_bytes)
{
    DissectSettings settings = dissect_settings(mode);
    ProbeRequest    request  = {.without = settings.without_category};
    return probe_open(&setup->probe, setup->world->folder, &request, NULL) &&
           planes_open(&setup->planes, &setup->probe, plane_bytes, NULL);
}

static bool setup_open(Setup *setup, uint64_t seed, int images, int height, int width, CompatMode mode)
{
    *setup = (Setup){.world = world_draw(seed, images, height, width)};
    return world_write(setup->world, "world") && setup_probe(setup, mode, PLANE_CACHE_BYTES);
}

static void setup_close(Setup *setup)
{
    planes_close(setup->planes);
    probe_close(&setup->probe);
    world_free(setup->world);
}

static bool run(Setup *setup, const DissectSettings *settings, int64_t batch, Dissection *out,
                Error *error)
{
    ImageSource      images = probe_images(&setup->probe);
    ActivationSource layer  = world_layer(setup->world, batch);
    return dissect_layer(out, settings, &setup->probe, setup->planes, &images, &layer, error);
}

static bool same_tally(const ConceptTally *a, const ConceptTally *b)
{
    size_t labels = (size_t)a->label_count, units = (size_t)a->unit_count;
    return a->label_count == b->label_count && a->unit_count == b->unit_count &&
           memcmp(a->truth, b->truth, labels * sizeof *a->truth) == 0 &&
           memcmp(a->both, b->both, units * labels * sizeof *a->both) == 0 &&
           memcmp(a->activity, b->activity,
                  units * (size_t)a->category_count * sizeof *a->activity) == 0;
}

static bool same(const Dissection *a, const Dissection *b)
{
    return memcmp(a->threshold, b->threshold,
                  (size_t)a->tally.unit_count * sizeof *a->threshold) == 0 &&
           same_tally(&a->tally, &b->tally);
}

/* ---- the oracle --------------------------------------------------------------------------------- */

static void check_truth(const Dissection *found, const Truth *truth)
{
    const ConceptTally *tally = &found->tally;
    for (int label = 0; label < WORLD_LABELS; label++) {
        CHECK(tally->truth[label] == truth->truth[label]);
        CHECK(found->probe->labels[label].category == truth->primary[label]);
    }
    for (int unit = 0; unit < WORLD_UNITS; unit++) {
        CHECK((double)found->threshold[unit] == truth->threshold[unit]);
        for (int label = 0; label < WORLD_LABELS; label++)
            CHECK(tally->both[unit * WORLD_LABELS + label] == truth->both[unit][label]);
        for (int i = 0; i < truth->category_count; i++)
            CHECK(tally->activity[unit * truth->category_count + i] == truth->activity[unit][i]);
        Concept concept = dissect_concept(found, unit), top[NEM_TOP];
        dissect_top(found, unit, top);
        CHECK(concept.label == truth->concept_label[unit]);
        CHECK(concept.category == truth->concept_category[unit]);
        CHECK_CLOSE(concept.score, truth->concept_score[unit], 1e-15);
        CHECK(top[0].label == concept.label && top[0].category == concept.category &&
              top[0].score == concept.score);
    }
}

static void layers_equal_the_oracle(void)
{
    static const int shapes[4][2] = {{4, 4}, {2, 8}, {3, 5}, {16, 16}};
    int both = 0;
    for (int i = 0; i < 16; i++) {
        CompatMode      mode     = (CompatMode)(i % 4);
        const int      *shape    = shapes[mode == COMPAT_ND2017 ? i / 4 % 2 : i / 4];
        DissectSettings settings = dissect_settings(mode);
        Setup           setup;
        Truth           truth;
        Dissection      found = {0};
        REQUIRE(setup_open(&setup, test_seed() + (uint64_t)i, 12 + i, shape[0], shape[1], mode));
        REQUIRE(run(&setup, &settings, 5, &found, NULL));
        world_truth(setup.world, mode, &truth);
        check_truth(&found, &truth);
        CHECK(found.passes == 1);
        for (int label = 0; label < WORLD_LABELS; label++)
            both += truth.both[0][label] > 0;
        dissection_close(&found);
        setup_close(&setup);
    }
    CHECK(both > 50); // the worlds are not empty
}

static void dead_units_have_no_concept(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 10, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 4, &found, NULL));
    Concept concept = dissect_concept(&found, 4);
    CHECK(concept.label == 0 && concept.score == 0 && concept.category == WORLD_CATEGORIES - 1);
    CHECK_TEXT(setup.probe.labels[concept.label].name, "");
    dissection_close(&found);
    setup_close(&setup);
}

/* ---- invariance --------------------------------------------------------------------------------- */

static void passes_batches_threads_agree(void)
{
    static const int shapes[3][2] = {{16, 16}, {4, 4}, {5, 3}};
    for (int i = 0; i < 6; i++) {
        CompatMode      mode     = i % 2 ? COMPAT_LITE : COMPAT_CORRUPT23;
        DissectSettings one_pass = dissect_settings(mode), two_passes = one_pass;
        Setup           setup;
        Dissection      wanted = {0};
        two_passes.store_bytes = 1000;
        REQUIRE(setup_open(&setup, test_seed() + (uint64_t)i, 36, shapes[i / 2][0], shapes[i / 2][1], mode));
        REQUIRE(run(&setup, &one_pass, 7, &wanted, NULL));
        CHECK(wanted.passes == 1 && setup.world->runs == 6);
        for (int threads = 1; threads <= 3; threads++)
            for (int64_t batch = 1; batch <= 36; batch += 16) {
                Dissection found = {0}, again = {0};
                parallel_set_threads(threads);
                REQUIRE(run(&setup, &one_pass, batch, &found, NULL));
                REQUIRE(run(&setup, &two_passes, batch, &again, NULL));
                CHECK(found.passes == 1 && again.passes == 2);
                CHECK(same(&found, &wanted) && same(&again, &wanted));
                dissection_close(&found);
                dissection_close(&again);
            }
        parallel_set_threads(0);
        dissection_close(&wanted);
        setup_close(&setup);
    }
}

static void planes_need_not_fit(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      wanted = {0}, found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 30, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 8, &wanted, NULL));
    planes_close(setup.planes);
    setup.planes = NULL;
    REQUIRE(planes_open(&setup.planes, &setup.probe, 1000, NULL)); // a few maps of 128 bytes
    REQUIRE(run(&setup, &settings, 8, &found, NULL));
    CHECK(same(&found, &wanted));
    dissection_close(&wanted);
    dissection_close(&found);
    setup_close(&setup);
}

static void one_unit_equals_its_row(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      wanted = {0};
    int64_t         units[2] = {3, 1};
    REQUIRE(setup_open(&setup, test_seed(), 25, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 8, &wanted, NULL));
    ImageSource      images = probe_images(&setup.probe);
    ActivationSource layer  = world_layer(setup.world, 9);
    float           *maps   = memory_new(2 * 25 * 16, sizeof *maps, NULL);
    REQUIRE(dissect_collect(&settings, &setup.probe, &images, &layer, units, 2, maps, NULL));
    for (int i = 0; i < 2; i++) {
        const float *pointers[25];
        Dissection   found = {0};
        for (int image = 0; image < 25; image++)
            pointers[image] = maps + (i * 25 + image) * 16;
        CHECK(memcmp(pointers[24], setup.world->maps[24][units[i]], 16 * sizeof(float)) == 0);
        REQUIRE(dissect_unit(&found, &settings, &setup.probe, setup.planes, 4, 4, pointers, NULL));
        CHECK(found.threshold[0] == wanted.threshold[units[i]]);
        CHECK(memcmp(found.tally.both, wanted.tally.both + units[i] * WORLD_LABELS,
                     WORLD_LABELS * sizeof(uint64_t)) == 0);
        CHECK(memcmp(found.tally.activity, wanted.tally.activity + units[i] * WORLD_CATEGORIES,
                     WORLD_CATEGORIES * sizeof(uint64_t)) == 0);
        CHECK(memcmp(found.tally.truth, wanted.tally.truth, WORLD_LABELS * sizeof(uint64_t)) == 0);
        dissection_close(&found);
    }
    Error error = {0};
    units[1] = WORLD_UNITS;
    CHECK(!dissect_collect(&settings, &setup.probe, &images, &layer, units, 2, maps, &error));
    CHECK_TEXT(error.message, "there is no unit 5, the layer has 0 to 4");
    memory_free(maps);
    dissection_close(&wanted);
    setup_close(&setup);
}

static void image_order_does_not_matter(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      wanted = {0}, found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 30, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 8, &wanted, NULL));
    dissection_close(&found);
    planes_close(setup.planes);
    for (int i = 0; i < 30; i++)
        setup.world->number[i] = (i * 7 + 3) % 30;
    ProbeSet before = setup.probe; // wanted refers to it
    REQUIRE(world_write_tables(setup.world) && setup_probe(&setup, COMPAT_CORRUPT23, PLANE_CACHE_BYTES));
    CHECK_TEXT(probe_image_path(&setup.probe, 0), "3.png");
    REQUIRE(run(&setup, &settings, 8, &found, NULL));
    CHECK(same(&found, &wanted));
    dissection_close(&wanted);
    dissection_close(&found);
    probe_close(&before);
    setup_close(&setup);
}

// Every image twice: the threshold, here in the middle of ties, stays; every count doubles.
static void a_doubled_set_doubles_counts(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      once = {0}, twice = {0};
    setup = (Setup){.world = world_draw(test_seed(), 20, 8, 8)};
    for (int i = 0; i < 20 * 64; i++)
        for (int unit = 0; unit < WORLD_UNITS; unit++)
            setup.world->maps[i / 64][unit][i % 64] = i % 400 == 7 * unit ? 10.0f : (float)(i % 6);
    REQUIRE(world_write(setup.world, "world") && setup_probe(&setup, COMPAT_CORRUPT23, PLANE_CACHE_BYTES));
    REQUIRE(run(&setup, &settings, 8, &once, NULL));
    planes_close(setup.planes);
    ProbeSet before = setup.probe;
    setup.world->image_count = 40;
    for (int i = 0; i < 40; i++)
        setup.world->number[i] = i / 2;
    REQUIRE(world_write_tables(setup.world) && setup_probe(&setup, COMPAT_CORRUPT23, PLANE_CACHE_BYTES));
    REQUIRE(run(&setup, &settings, 8, &twice, NULL));
    for (int unit = 0; unit < WORLD_UNITS; unit++) {
        CHECK(once.threshold[unit] == 5 && twice.threshold[unit] == 5);
        for (int label = 0; label < WORLD_LABELS; label++) {
            CHECK(twice.tally.both[unit * WORLD_LABELS + label] ==
                  2 * once.tally.both[unit * WORLD_LABELS + label]);
            CHECK_CLOSE(dissect_iou(&twice, unit, label), dissect_iou(&once, unit, label), 1e-10);
        }
        CHECK(dissect_concept(&once, unit).score > 0);
        CHECK(dissect_concept(&twice, unit).label == dissect_concept(&once, unit).label);
    }
    dissection_close(&once);
    dissection_close(&twice);
    probe_close(&before);
    setup_close(&setup);
}

static int renamed(int label)
{
    return label == 0 ? 0 : 1 + (label + 4) % (WORLD_LABELS - 1);
}

static void relabelling_permutes_counts(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup, other;
    Dissection      wanted = {0}, found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, COMPAT_CORRUPT23));
    other = (Setup){.world = world_draw(test_seed(), 20, 4, 4)};
    for (int i = 0; i < 20 * WORLD_CATEGORIES; i++) {
        WorldCell *cell = &other.world->cells[i / WORLD_CATEGORIES][i % WORLD_CATEGORIES];
        for (int j = 0; j < cell->whole_count; j++)
            cell->whole[j] = renamed(cell->whole[j]);
        for (int j = 0; j < cell->plane_count * 64; j++)
            cell->planes[j / 64][j % 64] = (uint16_t)renamed(cell->planes[j / 64][j % 64]);
    }
    for (int i = 0; i < WORLD_CATEGORIES * WORLD_LABELS; i++) {
        int category = i / WORLD_LABELS, label = i % WORLD_LABELS;
        other.world->listed[category][renamed(label)]   = setup.world->listed[category][label];
        other.world->coverage[category][renamed(label)] = setup.world->coverage[category][label];
    }
    REQUIRE(world_write(other.world, "other") && setup_probe(&other, COMPAT_CORRUPT23, PLANE_CACHE_BYTES));
    REQUIRE(run(&setup, &settings, 8, &wanted, NULL) && run(&other, &settings, 8, &found, NULL));
    for (int unit = 0; unit < WORLD_UNITS; unit++)
        for (int label = 0; label < WORLD_LABELS; label++) {
            CHECK(found.tally.both[unit * WORLD_LABELS + renamed(label)] ==
                  wanted.tally.both[unit * WORLD_LABELS + label]);
            CHECK(dissect_iou(&found, unit, renamed(label)) == dissect_iou(&wanted, unit, label));
        }
    dissection_close(&wanted);
    dissection_close(&found);
    setup_close(&setup);
    setup_close(&other);
}

/* ---- scores ------------------------------------------------------------------------------------- */

static void ties_and_detectors(void)
{
    ProbeLabel labels[5] = {{.category = 1}, {.category = 0}, {.category = 0}, {.category = 1}, {.category = 1}};
    ProbeSet   probe     = {.category_count = 2, .label_count = 5, .labels = labels};
    float      threshold[3] = {0};
    uint64_t   truth[5]   = {0, 100, 100, 100, 100};
    uint64_t   both[15]   = {0, 50, 50, 50, 50, 0, 4, 0, 0, 0, 0, 0, 5, 0, 0};
    uint64_t   activity[6] = {100, 100, 4, 4, 5, 5};
    Dissection found = {.probe = &probe, .epsilon = 1e-30, .threshold = threshold,
                        .tally = {3, 5, 2, truth, both, activity}};
    Concept        top[NEM_TOP];
    DetectorCounts counts;
    CHECK(dissect_best_in(&found, 0, 0).label == 1); // the lowest of equal labels
    CHECK(dissect_concept(&found, 0).label == 3);    // of the last of equal categories
    dissect_top(&found, 0, top);
    CHECK(top[0].label == 3 && top[1].label == 4 && top[2].label == 1 && top[3].label == 2);
    CHECK(top[4].label == 0 && top[4].category == 1 && top[4].score == 0);
    CHECK(dissect_iou(&found, 1, 1) == 0.04); // a detector of the report, not of the figure
    REQUIRE(dissect_detectors(&found, &counts, NULL));
    CHECK(counts.detectors == 3 && counts.unique == 3);
    CHECK(counts.unique_of_category[0] == 2 && counts.unique_of_category[1] == 1);
    CHECK(counts.figure_detectors_in[0] == 2 && counts.figure_detectors_in[1] == 1);
    CHECK(counts.figure_unique_in[0] == 2 && counts.figure_unique_in[1] == 1);
    CHECK(counts.figure_unique == 3);
}

/* ---- a run on disk ------------------------------------------------------------------------------ */

static void runs_read_back(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    int64_t         numbers[WORLD_UNITS] = {2, 3, 5, 7, 11};
    Setup           setup;
    Dissection      found = {0};
    RunRecord       record = {0}, unnamed = {0};
    Error           error  = {0};
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 8, &found, NULL));
    REQUIRE(dissection_write(&found, numbers, test_folder(), &error));
    REQUIRE(run_record_open(&record, test_folder(), &setup.probe, &error));
    REQUIRE(run_record_open(&unnamed, test_folder(), NULL, &error));
    CHECK(record.unit_count == WORLD_UNITS);
    for (int unit = 0; unit < WORLD_UNITS; unit++) {
        Concept           concept = dissect_concept(&found, unit);
        const UnitRecord *read    = &record.units[unit];
        CHECK(read->unit == numbers[unit] && read->score == concept.score);
        CHECK(read->label == concept.label && read->category == concept.category);
        CHECK_TEXT(read->label_name, setup.probe.labels[concept.label].name);
        CHECK_TEXT(read->category_name, setup.probe.category[concept.category]);
        CHECK(read->threshold == found.threshold[unit]);
        CHECK(unnamed.units[unit].label == 0 && unnamed.units[unit].category == -1);
        CHECK_TEXT(unnamed.units[unit].label_name, read->label_name);
    }
    run_record_close(&record);
    run_record_close(&unnamed);
    dissection_close(&found);
    setup_close(&setup);
}

static void broken_runs_are_refused(void)
{
    static const struct {
        const char *tally, *message; // message: what must be in it
    } cases[] = {
        {"unit,category,label\n", "no column 'score'"},
        {"unit,category,label,score\n0,color,,0\n", "unit is 0, expected 1 to"},
        {"unit,category,label,score\n1,sound,,0\n", "category 'sound' is not in"},
        {"unit,category,label,score\n1,color,mauve,0\n", "color 'mauve' is not in"},
        {"unit,category,label,score\n1,color,,x\n", "score is 'x', expected a number"},
        {"unit,category,label,score\n1,color,,0\n1,color,,0\n", "unit 1 appears twice"},
        {"unit,category,label,score\n1,color,,0\n", "has shape 5, expected the 1 units"},
    };
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      found = {0};
    int64_t         blocks = memory_live_blocks();
    REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 8, &found, NULL) &&
            dissection_write(&found, NULL, test_folder(), NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RunRecord record = {0};
        Error     error  = {0};
        REQUIRE(write_text(test_folder(), "tally.csv", cases[i].tally));
        CHECK(!run_record_open(&record, test_folder(), &setup.probe, &error));
        if (!CHECK(strstr(error.message, cases[i].message) != NULL))
            printf("  %s\n", error.message);
        CHECK(error.code == ERROR_DATA);
    }
    dissection_close(&found);
    setup_close(&setup);
    CHECK(memory_live_blocks() == blocks);
}

static void tally_columns_are_netdissects(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      found = {0};
    Bytes           bytes = {0};
    char            path[600];
    REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 8, &found, NULL) &&
            dissection_write(&found, NULL, test_folder(), NULL));
    snprintf(path, sizeof path, "%s/tally.csv", test_folder());
    REQUIRE(file_read(path, 1 << 20, &bytes, NULL));
    static const char wanted[] =
        "unit,category,label,score,"
        "color-label,color-truth,color-activation,color-intersect,color-iou,"
        "object-label,object-truth,object-activation,object-intersect,object-iou,"
        "material-label,material-truth,material-activation,material-intersect,material-iou,"
        "texture-label,texture-truth,texture-activation,texture-intersect,texture-iou,"
        "top1-label,top1-category,top1-iou,top2-label,top2-category,top2-iou,top3-label,"
        "top3-category,top3-iou,top4-label,top4-category,top4-iou,top5-label,top5-category,top5-iou,"
        "unit0,threshold\n";
    CHECK(strncmp((const char *)bytes.data, wanted, sizeof wanted - 1) == 0);
    const char *last = strstr((const char *)bytes.data, "\n5,texture,,0,"); // dead: sorted last
    CHECK(last && strchr(last + 1, '\n')[1] == 0 && strstr(last, ",4,0\n"));
    bytes_close(&bytes);
    dissection_close(&found);
    setup_close(&setup);
}

/* ---- failures ----------------------------------------------------------------------------------- */

static void infinite_activations_are_named(void)
{
    static const float broken[3] = {NAN, INFINITY, -INFINITY};
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    for (int i = 0; i < 3; i++) {
        Setup setup;
        REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, COMPAT_CORRUPT23));
        setup.world->maps[9][2][5] = setup.world->maps[9][3][0] = setup.world->maps[11][0][0] = broken[i];
        for (int64_t batch = 1; batch <= 12; batch++) {
            Error      error = {0};
            Dissection found = {0};
            CHECK(!run(&setup, &settings, batch, &found, &error) && !found.threshold);
            CHECK_TEXT(error.message,
                       "image '9.png': unit 2 has an activation that is not a finite number");
            CHECK(error.code == ERROR_DATA);
        }
        const float *maps[12];
        Error        error = {0};
        Dissection   found = {0};
        for (int image = 0; image < 12; image++)
            maps[image] = setup.world->maps[image][2];
        CHECK(!dissect_unit(&found, &settings, &setup.probe, setup.planes, 4, 4, maps, &error));
        CHECK(strstr(error.message, "image '9.png'") != NULL);
        setup_close(&setup);
    }
}

static void note_progress(void *self, int64_t done, int64_t total)
{
    int64_t *seen = self;
    CHECK(done > seen[0] && done <= total);
    seen[0] = done;
    seen[1] = total;
}

static void progress_and_cancel(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    int64_t         seen[2]  = {0};
    bool            cancel   = false;
    Setup           setup;
    Error           error = {0};
    Dissection      found = {0};
    settings.progress      = note_progress;
    settings.progress_self = seen;
    settings.cancel        = &cancel;
    REQUIRE(setup_open(&setup, test_seed(), 12, 4, 4, COMPAT_CORRUPT23));
    REQUIRE(run(&setup, &settings, 5, &found, &error));
    CHECK(seen[0] == 12 && seen[1] == 12);
    dissection_close(&found);
    settings.store_bytes = 0;
    seen[0] = 0;
    REQUIRE(run(&setup, &settings, 5, &found, &error));
    CHECK(seen[0] == 24 && seen[1] == 24);
    dissection_close(&found);
    cancel = true;
    CHECK(!run(&setup, &settings, 5, &found, &error) && error.code == ERROR_AGAIN);
    CHECK_TEXT(error.message, "interrupted after 0 of 12 images");
    setup_close(&setup);
}

static void sizes_must_agree(void)
{
    DissectSettings settings = dissect_settings(COMPAT_CORRUPT23);
    Setup           setup;
    Dissection      found = {0};
    Error           error = {0};
    REQUIRE(setup_open(&setup, test_seed(), 6, 4, 4, COMPAT_CORRUPT23));
    ImageSource      images = probe_images(&setup.probe);
    ActivationSource layer  = world_layer(setup.world, 4);
    layer.image_width = 17;
    CHECK(!dissect_layer(&found, &settings, &setup.probe, setup.planes, &images, &layer, &error));
    CHECK(error.code == ERROR_DATA && strstr(error.message, "photos are 16 x 16, the network takes 17 x 16"));
    setup_close(&setup);
}

static void memory_failures_leave_nothing(void)
{
    DissectSettings settings = dissect_settings(COMPAT_ND2017);
    Setup           setup;
    settings.triples_per_image = 10; // the record is full
    REQUIRE(setup_open(&setup, test_seed(), 6, 4, 4, COMPAT_ND2017));
    parallel_set_threads(1);
    int64_t before = memory_live_blocks(), call = 0;
    for (bool done = false; !done && call < 5000; call++) {
        Dissection found = {0};
        Error      error = {0};
        memory_fail_at(call + 1, false);
        done = run(&setup, &settings, 3, &found, &error);
        memory_fail_at(0, false);
        CHECK(done || error.code == ERROR_MEMORY);
        dissection_close(&found);
        CHECK(memory_live_blocks() == before);
    }
    CHECK(call > 50 && call < 5000);
    parallel_set_threads(0);
    setup_close(&setup);
}

SUITE(dissect)
{
    RUN(layers_equal_the_oracle);
    RUN(dead_units_have_no_concept);
    RUN(passes_batches_threads_agree);
    RUN(planes_need_not_fit);
    RUN(one_unit_equals_its_row);
    RUN(image_order_does_not_matter);
    RUN(a_doubled_set_doubles_counts);
    RUN(relabelling_permutes_counts);
    RUN(ties_and_detectors);
    RUN(runs_read_back);
    RUN(broken_runs_are_refused);
    RUN(tally_columns_are_netdissects);
    RUN(infinite_activations_are_named);
    RUN(progress_and_cancel);
    RUN(sizes_must_agree);
    RUN(memory_failures_leave_nothing);
}
