/* tests/test_changes.c - changes.csv and summary.csv: the same bytes always, going on, shares. */
#include "test.h"
#include "tiny_world.h"
#include "../base/file.h"
#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the same bytes -------------------------------------------------------------------------- */

static bool csv_of(const World *world, const Changes *changes, const char *name, Bytes *out)
{
    char folder[LIMIT_PATH], path[LIMIT_PATH];
    return path_join(folder, test_folder(), "csv", NULL) && folder_create(folder, NULL) &&
           changes_write(changes, &world->explainer, folder, NULL) &&
           path_join(path, folder, name, NULL) && file_read(path, LIMIT_TEXT_FILE, out, NULL);
}

static bool same_bytes(const Bytes *a, const Bytes *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void threads_and_batches_give_the_same_bytes(void)
{
    static const int settings[3][2] = {{1, 1}, {2, 70}, {3, 4}}; // threads, images per run
    World            world;
    for (int loss = 0; loss < 2; loss++) {
        Bytes wanted = {0};
        for (int i = 0; i < 3; i++) {
            Changes changes = {0};
            Bytes   found   = {0};
            parallel_set_threads(settings[i][0]);
            REQUIRE(world_open(&world, "corrupt23", settings[i][1]));
            AttackJob job   = world_job(&world);
            job.loss        = (AttackLoss)loss;
            job.target.kind = TARGET_RANDOM;
            job.units       = (int64_t[]){0, 3};
            job.unit_count  = 2;
            job.eps_count   = 1;
            job.batch       = i == 2 ? 2 : 0;
            REQUIRE(attack_run(&job, &changes, NULL));
            REQUIRE(csv_of(&world, &changes, "changes.csv", i ? &found : &wanted));
            if (i)
                CHECK(same_bytes(&wanted, &found));
            bytes_close(&found);
            changes_close(&changes);
            world_close(&world);
        }
        bytes_close(&wanted);
    }
    parallel_set_threads(1);
}

typedef struct Interrupt {
    int           after; // settings until the run is cancelled
    int           seen;
    volatile bool cancel;
} Interrupt;

static bool interrupt_after(void *self, const Changes *changes, Error *error)
{
    (void)changes;
    (void)error;
    Interrupt *interrupt = self;
    if (++interrupt->seen == interrupt->after)
        interrupt->cancel = true;
    return true;
}

// Interrupted anywhere, written, read and taken up again: the same file, with fewer runs.
static void interrupted_attacks_go_on(void)
{
    World   world;
    Changes whole  = {0};
    Bytes   wanted = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob job  = world_job(&world);
    job.unit_count = 4;
    job.steps      = 2;
    REQUIRE(attack_run(&job, &whole, NULL));
    int64_t all_runs = world.layer.runs;
    REQUIRE(csv_of(&world, &whole, "changes.csv", &wanted));
    for (int after = 2; after <= 11; after += 3) {
        Changes   part = {0}, earlier = {0}, rest = {0};
        Bytes     found     = {0};
        Error     error     = {0};
        Interrupt interrupt = {.after = after};
        char      folder[LIMIT_PATH];
        world.pass.cancel = &interrupt.cancel;
        job.observer      = (ChangeObserver){interrupt_after, &interrupt};
        CHECK(!attack_run(&job, &part, &error) && error.code == ERROR_AGAIN);
        CHECK(part.count == (int64_t)after * STORE_ARMS);
        world.pass.cancel = NULL;
        job.observer      = (ChangeObserver){0};
        REQUIRE(csv_of(&world, &part, "changes.csv", &found));
        bytes_close(&found);
        REQUIRE(path_join(folder, test_folder(), "csv", NULL));
        REQUIRE(changes_read(&earlier, folder, &world.explainer, NULL));
        world.layer.runs = 0;
        job.earlier      = &earlier;
        REQUIRE(attack_run(&job, &rest, NULL));
        job.earlier = NULL;
        CHECK(world.layer.runs < all_runs);
        REQUIRE(csv_of(&world, &rest, "changes.csv", &found));
        CHECK(same_bytes(&wanted, &found));
        bytes_close(&found);
        changes_close(&part);
        changes_close(&earlier);
        changes_close(&rest);
    }
    bytes_close(&wanted);
    changes_close(&whole);
    world_close(&world);
}

static void a_finished_attack_runs_nothing_again(void)
{
    World   world;
    Changes whole = {0}, again = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob job  = world_job(&world);
    job.unit_count = 4;
    job.steps      = 2;
    REQUIRE(attack_run(&job, &whole, NULL));
    world.layer.runs = 0;
    job.earlier      = &whole;
    REQUIRE(attack_run(&job, &again, NULL));
    CHECK(world.layer.runs == 0 && again.count == whole.count);
    CHECK(memcmp(again.rows, whole.rows, (size_t)whole.count * sizeof *whole.rows) == 0);
    changes_close(&whole);
    changes_close(&again);
    world_close(&world);
}

/* ---- files and shares ------------------------------------------------------------------------ */

// Published values: 8 of 10 gives 0.490 to 0.943 (Wilson 1927, as tabulated in textbooks).
static void wilson_known_values(void)
{
    double low, high;
    wilson_interval(8, 10, &low, &high);
    CHECK_CLOSE(low, 0.4901625, 1e-6);
    CHECK_CLOSE(high, 0.9433178, 1e-6);
    wilson_interval(0, 10, &low, &high);
    CHECK(low == 0);
    CHECK_CLOSE(high, 0.2775328, 1e-6); // z^2 / (n + z^2)
    wilson_interval(10, 10, &low, &high);
    CHECK(high == 1);
    CHECK_CLOSE(low, 1 - 0.2775328, 1e-6);
    wilson_interval(0, 0, &low, &high);
    CHECK(low == 0 && high == 1);
}

static void shares_count_their_group(void)
{
    Changes   changes = {0};
    ChangeRow row     = {.perturbation = "pgd", .strength = 0.02, .store = STORE_PNG8};
    for (int i = 0; i < 12; i++) {
        row.unit     = i;
        row.clean    = (Concept){1 + i % 3, i % 3, i < 6 ? 0.03 : 0.04};
        row.changed  = i % 2 == 0;
        row.target   = i < 8 ? 9 : 0;
        row.hit      = i == 2;
        row.fraction = i < 6 ? 0.5 : 0.25;
        REQUIRE(changes_add(&changes, &row, NULL));
    }
    ChangeRow other = row;
    other.strength  = 0.04;
    other.changed   = true;
    REQUIRE(changes_add(&changes, &other, NULL));
    ChangeShare all = changes_share(&changes, &row, group_all());
    CHECK(all.units == 12 && all.changed == 6 && all.share == 0.5 && all.fraction == 0.375);
    CHECK(all.targeted == 8 && all.hits == 1 && all.hit_share == 0.125);
    ChangeShare detectors = changes_share(&changes, &row, group_detectors(method_at(0)));
    CHECK(detectors.units == 6 && detectors.changed == 3);
    ChangeShare category = changes_share(&changes, &row, group_category(2));
    CHECK(category.units == 4 && category.changed == 2);
    CHECK(changes_share(&changes, &other, group_all()).units == 1);
    changes_close(&changes);
}

static ChangeRow outcome_row(bool changed, double before, double kept, double now)
{
    return (ChangeRow){.perturbation    = "pgd",
                       .strength        = 0.02,
                       .clean           = {1, 2, before},
                       .now             = {changed ? 3 : 1, 2, now},
                       .clean_label_iou = kept,
                       .changed         = changed};
}

// The word that differs is not what counts: how well old and new concept fit is (C26).
static void outcomes_tell_ties_from_losses(void)
{
    static const struct {
        bool          changed;
        double        before, kept, now;
        ChangeOutcome wanted;
    } cases[] = {
        {false, 0.1, 0.01, 0.01, OUTCOME_SAME}, // kept its name, hardly its score
        {true, 0.1, 0.0901, 0.095, OUTCOME_TIE},   {true, 0.1, 0.0899, 0.095, OUTCOME_OTHER},
        {true, 0.1, 0.02, 0.04, OUTCOME_OTHER},    {true, 0.1, 0.02, 0.0399, OUTCOME_NONE},
        {true, 0.041, 0.039, 0.0395, OUTCOME_TIE}, // of a detector no more, but a tie
        {true, 0.039, 0.01, 0.05, OUTCOME_OTHER}}; // was none: not counted
    Changes changes = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ChangeRow row = outcome_row(cases[i].changed, cases[i].before, cases[i].kept, cases[i].now);
        row.unit      = (int64_t)i;
        CHECK(outcome_of(&row, method_at(0)) == cases[i].wanted);
        REQUIRE(changes_add(&changes, &row, NULL));
    }
    OutcomeCount count = outcomes_count(&changes, &changes.rows[0], method_at(0), -1);
    CHECK(count.detectors == 6 && count.of[OUTCOME_SAME] == 1 && count.of[OUTCOME_TIE] == 2);
    CHECK(count.of[OUTCOME_OTHER] == 2 && count.of[OUTCOME_NONE] == 1);
    CHECK_CLOSE(count.kept, (0.1 + 0.901 + 0.899 + 0.2 + 0.2 + 0.039 / 0.041) / 6, 1e-12);
    CHECK(outcomes_count(&changes, &changes.rows[0], method_at(0), 1).detectors == 0);
    ChangeRow unnamed = outcome_row(true, 0, 0, 0.05);
    unnamed.clean     = (Concept){0}; // had no concept that could be kept
    CHECK(outcome_of(&unnamed, method_at(0)) == OUTCOME_OTHER);
    changes_close(&changes);
}

// Whatever its score, as a caption without words has one.
static void a_unit_without_a_concept_detects_nothing(void)
{
    Changes   changes = {0};
    ChangeRow row     = outcome_row(true, 0.5, 0, 0.6);
    row.now.label     = 0;
    REQUIRE(changes_add(&changes, &row, NULL));
    for (int m = 0; method_at(m); m++)
        CHECK(outcome_of(&row, method_at(m)) == OUTCOME_NONE);
    row.clean.label = 0;
    row.now.label   = 3;
    REQUIRE(changes_add(&changes, &row, NULL));
    CHECK(outcomes_count(&changes, &row, method_named("milan"), -1).detectors == 1);
    CHECK(changes_share(&changes, &row, group_detectors(method_named("milan"))).units == 1);
    changes_close(&changes);
}

// Of a similarity that turned negative no part is left, so that nothing is said of it (C26).
static void only_shares_have_a_part_that_is_kept(void)
{
    Changes   changes = {0};
    ChangeRow row     = outcome_row(true, 0.5, -1.7, 0.6);
    REQUIRE(changes_add(&changes, &row, NULL));
    for (int m = 0; method_at(m); m++) {
        OutcomeCount count = outcomes_count(&changes, &row, method_at(m), -1);
        CHECK(count.detectors == 1 && count.of[OUTCOME_OTHER] == 1);
        CHECK(isnan(count.kept) == !method_at(m)->score_is_share);
    }
    CHECK(method_at(0)->score_is_share && !method_named("clip-dissect")->score_is_share);
    changes_close(&changes);
}

static void changes_read_back_as_written(void)
{
    World   world;
    Changes changes = {0}, read = {0};
    Bytes   first = {0}, second = {0}, summary = {0};
    char    folder[LIMIT_PATH];
    REQUIRE(world_open(&world, "clean", 4));
    AttackJob job   = world_job(&world);
    job.eps_count   = 1;
    job.target.kind = TARGET_RANDOM;
    REQUIRE(attack_run(&job, &changes, NULL));
    changes.rows[1].now = (Concept){5, 2, 0.25}; // a name with a comma and quotes
    REQUIRE(csv_of(&world, &changes, "changes.csv", &first));
    REQUIRE(path_join(folder, test_folder(), "csv", NULL));
    REQUIRE(changes_read(&read, folder, &world.explainer, NULL));
    CHECK(read.count == changes.count && read.rows[1].now.label == 5);
    REQUIRE(csv_of(&world, &read, "changes.csv", &second));
    CHECK(same_bytes(&first, &second));
    static const char header[] =
        "method,strength,store,unit0,clean_category,clean_label,clean_iou,new_category,new_label,"
        "new_iou,clean_label_iou,target_category,target_label,target_iou,poisoned,fraction,"
        "linf_before_store,linf_after_store,changed,hit,outcome,new_threshold\n";
    CHECK(strncmp((const char *)first.data, header, sizeof header - 1) == 0);
    REQUIRE(csv_of(&world, &changes, "summary.csv", &summary));
    CHECK(strstr((const char *)summary.data, "\npgd,0,float,all,6,0,0,0,") != NULL);
    CHECK(strstr((const char *)summary.data, "\npgd,0.0156862745,jpeg75,detectors,") != NULL);
    bytes_close(&first);
    bytes_close(&second);
    bytes_close(&summary);
    changes_close(&changes);
    changes_close(&read);
    world_close(&world);
}

// As the table of methods may have it one day: the same dissection under another name.
static void other_methods_have_two_columns_more(void)
{
    World   world;
    Changes changes = {0}, read = {0};
    Bytes   first = {0}, second = {0};
    char    folder[LIMIT_PATH];
    REQUIRE(world_open(&world, "clean", 4));
    Method other           = *world.explainer.method;
    other.name             = "other";
    world.explainer.method = &other;
    AttackJob job          = world_job(&world);
    job.eps_count = job.arm_count = 1;
    REQUIRE(attack_run(&job, &changes, NULL));
    changes.rows[0].similarity = 0.25;
    REQUIRE(csv_of(&world, &changes, "changes.csv", &first));
    REQUIRE(path_join(folder, test_folder(), "csv", NULL));
    REQUIRE(changes_read(&read, folder, &world.explainer, NULL));
    CHECK(read.count == changes.count && read.rows[0].similarity == 0.25);
    REQUIRE(csv_of(&world, &read, "changes.csv", &second));
    CHECK(same_bytes(&first, &second));
    CHECK(strstr((const char *)first.data, ",changed,hit,outcome,nem,similarity,new_threshold\n") !=
          NULL);
    CHECK(strstr((const char *)first.data, ",other,0.25,") != NULL);
    bytes_close(&first);
    bytes_close(&second);
    changes_close(&changes);
    changes_close(&read);
    world_close(&world);
}

static void broken_changes_are_refused(void)
{
    World world;
    REQUIRE(world_open(&world, "clean", 4));
    static const char header[] =
        "method,strength,store,unit0,clean_category,clean_label,clean_iou,new_category,new_label,"
        "new_iou,clean_label_iou,target_category,target_label,target_iou,poisoned,fraction,"
        "linf_before_store,linf_after_store,changed,hit\n";
    static const char *const rows[] = {
        "pgd,0.1,float,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,tiff,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,-1,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,color,green-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,colour,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,color,red-c,nan,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,2,0\n",
        "method of a long name,0.1,float,0,color,red-c,0.1,object,box,0.2,0.1,,,,3,0.1,0,0,1,0\n",
        "pgd,0.1,float,0\n"};
    for (int i = 0; i < 9; i++) {
        char    path[LIMIT_PATH], text[1024];
        Changes changes = {0};
        Error   error   = {0};
        snprintf(text, sizeof text, "%s%s", header, rows[i]);
        REQUIRE(path_join(path, test_folder(), "changes.csv", NULL));
        REQUIRE(file_publish(path, text, strlen(text), NULL));
        bool read = changes_read(&changes, test_folder(), &world.explainer, &error);
        CHECK(read == (i == 0));
        CHECK(!read || isnan(changes.rows[0].new_threshold)); // as earlier versions wrote it
        CHECK(read || (error.message[0] && changes.rows == NULL));
        changes_close(&changes);
    }
    world_close(&world);
}

SUITE(changes)
{
    parallel_set_threads(1); // the tiny network is no work for two
    RUN(threads_and_batches_give_the_same_bytes);
    RUN(interrupted_attacks_go_on);
    RUN(a_finished_attack_runs_nothing_again);
    RUN(wilson_known_values);
    RUN(shares_count_their_group);
    RUN(outcomes_tell_ties_from_losses);
    RUN(a_unit_without_a_concept_detects_nothing);
    RUN(only_shares_have_a_part_that_is_kept);
    RUN(changes_read_back_as_written);
    RUN(other_methods_have_two_columns_more);
    RUN(broken_changes_are_refused);
    parallel_set_threads(0);
}
