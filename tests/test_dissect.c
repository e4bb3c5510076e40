/* tests/test_dissect.c - whole dissections: equal to the slow and obvious way, in every mode, for
 * any batch, any number of threads and either number of passes. */
#include "../base/parallel.h"
#include "../nem/dissect/dissect_private.h"
#include "nem_world.h"
#include "test.h"

#include <math.h>
#include <string.h>

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
    return memcmp(a->threshold, b->threshold, (size_t)a->tally.unit_count * sizeof *a->threshold) ==
               0 &&
           same_tally(&a->tally, &b->tally);
}

/* ---- the oracle ------------------------------------------------------------------------------ */

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
        Concept concept = dissect_concept(found, unit), top[DISSECT_TOP];
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
    int              both         = 0;
    for (int i = 0; i < 16; i++) {
        const char         *mode  = dissect_modes[i % DISSECT_MODES].name;
        bool                grid  = strcmp(mode, "nd2017") == 0; // places few shapes
        const int          *shape = shapes[grid ? i / 4 % 2 : i / 4];
        const DissectRules *rules = dissect_rules(mode);
        Setup               setup;
        Truth               truth;
        Dissection          found = {0};
        REQUIRE(setup_open(&setup, test_seed() + (uint64_t)i, 12 + i, shape[0], shape[1], mode));
        REQUIRE(setup_run(&setup, rules, 5, &found, NULL));
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
    const DissectRules *rules = dissect_rules("corrupt23");
    Setup               setup;
    Dissection          found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 10, 4, 4, "corrupt23"));
    REQUIRE(setup_run(&setup, rules, 4, &found, NULL));
    Concept concept = dissect_concept(&found, 4);
    CHECK(concept.label == 0 && concept.score == 0 && concept.category == WORLD_CATEGORIES - 1);
    CHECK_TEXT(setup.probe.labels[concept.label].name, "");
    dissection_close(&found);
    setup_close(&setup);
}

/* ---- invariance ------------------------------------------------------------------------------ */

static void passes_batches_threads_agree(void)
{
    static const int shapes[3][2] = {{16, 16}, {4, 4}, {5, 3}};
    for (int i = 0; i < 6; i++) {
        const char  *mode     = i % 2 ? "lite" : "corrupt23";
        DissectRules one_pass = *dissect_rules(mode), two_passes = one_pass;
        Setup        setup;
        Dissection   wanted    = {0};
        two_passes.store_bytes = 1000;
        REQUIRE(setup_open(&setup, test_seed() + (uint64_t)i, 36, shapes[i / 2][0],
                           shapes[i / 2][1], mode));
        REQUIRE(setup_run(&setup, &one_pass, 7, &wanted, NULL));
        CHECK(wanted.passes == 1 && setup.world->runs == 6);
        for (int threads = 1; threads <= 3; threads++)
            for (int64_t batch = 1; batch <= 36; batch += 16) {
                Dissection found = {0}, again = {0};
                parallel_set_threads(threads);
                REQUIRE(setup_run(&setup, &one_pass, batch, &found, NULL));
                REQUIRE(setup_run(&setup, &two_passes, batch, &again, NULL));
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
    const DissectRules *rules = dissect_rules("corrupt23");
    Setup               setup;
    Dissection          wanted = {0}, found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 30, 4, 4, "corrupt23"));
    REQUIRE(setup_run(&setup, rules, 8, &wanted, NULL));
    planes_close(setup.planes);
    setup.planes = NULL;
    REQUIRE(planes_open(&setup.planes, &setup.probe, 1000, NULL)); // a few maps of 128 bytes
    REQUIRE(setup_run(&setup, rules, 8, &found, NULL));
    CHECK(same(&found, &wanted));
    dissection_close(&wanted);
    dissection_close(&found);
    setup_close(&setup);
}

static void one_unit_equals_its_row(void)
{
    const DissectRules *rules = dissect_rules("corrupt23");
    Setup               setup;
    Dissection          wanted   = {0};
    int64_t             units[2] = {3, 1};
    REQUIRE(setup_open(&setup, test_seed(), 25, 4, 4, "corrupt23"));
    REQUIRE(setup_run(&setup, rules, 8, &wanted, NULL));
    Inputs inputs = setup_inputs(&setup, 9);
    Pass   pass   = {0};
    float *maps   = memory_new(2 * 25 * 16, sizeof *maps, NULL);
    REQUIRE(maps_collect(&inputs, units, 2, &pass, maps, NULL));
    for (int i = 0; i < 2; i++) {
        const float *pointers[25];
        Dissection   found = {0};
        for (int image = 0; image < 25; image++)
            pointers[image] = maps + (i * 25 + image) * 16;
        CHECK(memcmp(pointers[24], setup.world->maps[24][units[i]], 16 * sizeof(float)) == 0);
        REQUIRE(dissect_unit(&found, rules, &inputs, pointers, NULL));
        CHECK(found.threshold[0] == wanted.threshold[units[i]]);
        CHECK(memcmp(found.tally.both, wanted.tally.both + units[i] * WORLD_LABELS,
                     WORLD_LABELS * sizeof(uint64_t)) == 0);
        CHECK(memcmp(found.tally.activity, wanted.tally.activity + units[i] * WORLD_CATEGORIES,
                     WORLD_CATEGORIES * sizeof(uint64_t)) == 0);
        CHECK(memcmp(found.tally.truth, wanted.tally.truth, WORLD_LABELS * sizeof(uint64_t)) == 0);
        dissection_close(&found);
    }
    Error error = {0};
    units[1]    = WORLD_UNITS;
    CHECK(!maps_collect(&inputs, units, 2, &pass, maps, &error));
    CHECK_TEXT(error.message, "there is no unit 5, the layer has 0 to 4");
    memory_free(maps);
    dissection_close(&wanted);
    setup_close(&setup);
}

static void image_order_does_not_matter(void)
{
    const DissectRules *rules = dissect_rules("corrupt23");
    Setup               setup;
    Dissection          wanted = {0}, found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 30, 4, 4, "corrupt23"));
    REQUIRE(setup_run(&setup, rules, 8, &wanted, NULL));
    dissection_close(&found);
    planes_close(setup.planes);
    for (int i = 0; i < 30; i++)
        setup.world->number[i] = (i * 7 + 3) % 30;
    ProbeSet before = setup.probe; // wanted refers to it
    REQUIRE(world_write_tables(setup.world) && setup_probe(&setup, "corrupt23", PLANE_CACHE_BYTES));
    CHECK_TEXT(probe_image_path(&setup.probe, 0), "3.png");
    REQUIRE(setup_run(&setup, rules, 8, &found, NULL));
    CHECK(same(&found, &wanted));
    dissection_close(&wanted);
    dissection_close(&found);
    probe_close(&before);
    setup_close(&setup);
}

// Every image twice: the threshold, here in the middle of ties, stays; every count doubles.
static void a_doubled_set_doubles_counts(void)
{
    const DissectRules *rules = dissect_rules("corrupt23");
    Setup               setup;
    Dissection          once = {0}, twice = {0};
    setup = (Setup){.world = world_draw(test_seed(), 20, 8, 8)};
    for (int i = 0; i < 20 * 64; i++)
        for (int unit = 0; unit < WORLD_UNITS; unit++)
            setup.world->maps[i / 64][unit][i % 64] = i % 400 == 7 * unit ? 10.0f : (float)(i % 6);
    REQUIRE(world_write(setup.world, "world") &&
            setup_probe(&setup, "corrupt23", PLANE_CACHE_BYTES));
    REQUIRE(setup_run(&setup, rules, 8, &once, NULL));
    planes_close(setup.planes);
    ProbeSet before          = setup.probe;
    setup.world->image_count = 40;
    for (int i = 0; i < 40; i++)
        setup.world->number[i] = i / 2;
    REQUIRE(world_write_tables(setup.world) && setup_probe(&setup, "corrupt23", PLANE_CACHE_BYTES));
    REQUIRE(setup_run(&setup, rules, 8, &twice, NULL));
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
    const DissectRules *rules = dissect_rules("corrupt23");
    Setup               setup, other;
    Dissection          wanted = {0}, found = {0};
    REQUIRE(setup_open(&setup, test_seed(), 20, 4, 4, "corrupt23"));
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
    REQUIRE(world_write(other.world, "other") &&
            setup_probe(&other, "corrupt23", PLANE_CACHE_BYTES));
    REQUIRE(setup_run(&setup, rules, 8, &wanted, NULL) &&
            setup_run(&other, rules, 8, &found, NULL));
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

/* ---- scores ---------------------------------------------------------------------------------- */

static void ties_and_detectors(void)
{
    ProbeLabel labels[5] = {
        {.category = 1}, {.category = 0}, {.category = 0}, {.category = 1}, {.category = 1}};
    ProbeSet       probe        = {.category_count = 2, .label_count = 5, .labels = labels};
    float          threshold[3] = {0};
    uint64_t       truth[5]     = {0, 100, 100, 100, 100};
    uint64_t       both[15]     = {0, 50, 50, 50, 50, 0, 4, 0, 0, 0, 0, 0, 5, 0, 0};
    uint64_t       activity[6]  = {100, 100, 4, 4, 5, 5};
    Dissection     found        = {.probe     = &probe,
                                   .epsilon   = 1e-30,
                                   .threshold = threshold,
                                   .tally     = {3, 5, 2, truth, both, activity}};
    Concept        top[DISSECT_TOP];
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
}
