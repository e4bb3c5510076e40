/* tests/test_demo.c - the demo's networks and what the demo says about them, cheaply. */
#include "../cli/training_data.h"
#include "../base/file.h"
#include "../models/models.h"
#include "../study/robustness.h"
#include "../format/csv.h"
#include "program.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static const char *const network = "demo/mini.nw", *const layer = "conv4_2";

/* ---- the blob -------------------------------------------------------------------------------- */

/* What demo/train.sh trains again, and what demo/README.md says of it. The right answers are the
 * recipe's own figures of 1000 photos; a few of them take a second. */
static const struct {
    const char *path, *recipe; // as `about` says it, behind what all have
    const char *photos;
    double      least; // right answers among these
} trained[] = {
    {"demo/mini.nw", "", "mini:300:2", 0.7},
    {"demo/plain.nw", " --drop-last --activation softplus:3", "mini:100:2", 0.65},
    {"demo/aligned.nw",
     " --drop-last --activation softplus:3 --objective l2-cosd --lambda-l2 0.01 --lambda-cos 10 "
     "--detach yes --perturb uniform --perturb-eps 0.031372549019607843",
     "mini:100:2", 0.65},
};
enum { TRAINED = sizeof trained / sizeof *trained };

static void the_networks_are_small_and_say_how_they_were_made(void)
{
    Bytes page = {0};
    REQUIRE(file_read("demo/README.md", LIMIT_TEXT_FILE, &page, NULL));
    for (int i = 0; i < TRAINED; i++) {
        WeightBlob *blob = NULL;
        Bytes       file = {0};
        char        recipe[512];
        REQUIRE(file_read(trained[i].path, LIMIT_IMAGE_FILE, &file, NULL));
        CHECK(file.size < 1000000);
        bytes_close(&file);
        REQUIRE(blob_open(trained[i].path, &blob, NULL));
        CHECK_TEXT(blob_architecture(blob), "mini");
        snprintf(recipe, sizeof recipe,
                 "nemesis train -d mini:6000:1 --arch mini --optimiser adam --rate 0.002 --decay 0 "
                 "--batch 32 --epochs 4 --shift 0 --flip%s --seed 0",
                 trained[i].recipe);
        CHECK_TEXT(blob_about(blob, "source"), recipe);
        CHECK(strstr((const char *)page.data, blob_sha256(blob)));
        blob_close(blob);
    }
    bytes_close(&page);
}

static void they_know_worlds_they_have_not_seen(void)
{
    for (int i = 0; i < TRAINED; i++) {
        TrainingSet   set   = {0};
        TrainingScore score = {0};
        WeightBlob   *blob  = NULL;
        REQUIRE(blob_open(trained[i].path, &blob, NULL) &&
                training_data_open(&set, trained[i].photos, NULL, NULL));
        CHECK(training_score(blob, &set, &score, NULL));
        if (!CHECK(score.accuracy > trained[i].least))
            printf("  %s: %.3f\n", trained[i].path, score.accuracy);
        training_set_free(&set);
        blob_close(blob);
    }
}

/* Unit 0 answers to red alone: on a plane of one colour it is 4 (r - g - b) - 1.2 cut at 0, through
 * every layer. */
static void the_wired_unit_answers_to_red(void)
{
    static const float colors[][3] = {{1, 0, 0}, {0.8f, 0.1f, 0.1f}, {0, 1, 0}, {0, 0, 1},
                                      {1, 1, 0}, {1, 1, 1},          {0, 0, 0}};
    enum { COLORS = sizeof colors / sizeof *colors };
    WeightBlob    *blob    = NULL;
    LayerRunner    runner  = {0};
    NetworkRequest request = {.batch = COLORS, .layer = layer, .unit = 0};
    REQUIRE(blob_open(network, &blob, NULL) && layer_runner_open(&runner, blob, &request, NULL));
    int64_t pixels = runner.image_height * runner.image_width, cells = runner.height * runner.width;
    real   *planes = memory_new((size_t)(COLORS * 3 * pixels), sizeof(real), NULL);
    real   *maps   = memory_new((size_t)(COLORS * cells), sizeof(real), NULL);
    for (int64_t i = 0; planes && i < COLORS * 3 * pixels; i++)
        planes[i] = (real)colors[i / (3 * pixels)][i / pixels % 3];
    if (CHECK(planes && maps)) {
        layer_runner_run(&runner, planes, COLORS, maps);
        for (int i = 0; i < COLORS; i++) {
            double wanted =
                4 * ((double)colors[i][0] - (double)colors[i][1] - (double)colors[i][2]) - 1.2;
            for (int64_t cell = 0; cell < cells; cell++)
                CHECK_CLOSE((double)maps[i * cells + cell], wanted > 0 ? wanted : 0, 1e-5);
        }
    }
    memory_free(planes);
    memory_free(maps);
    layer_runner_close(&runner);
    blob_close(blob);
}

/* ---- what it stands for ---------------------------------------------------------------------- */

static bool open_table(const char *path, Csv **out)
{
    Bytes bytes = {0};
    bool  ok    = file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) &&
              csv_open(out, bytes.data, bytes.size, path, NULL);
    bytes_close(&bytes);
    return ok;
}

static bool dissect_demo(void)
{
    return program_run("mini --images 400 -o %s -q", in_folder("world"))->code == 0 &&
           program_run("dissect -m %s -l %s -d %s -o %s -q", network, layer, in_folder("world"),
                       in_folder("clean"))
                   ->code == 0;
}

// Units of a category whose clean IoU is at least 0.04; "" takes every category.
static int detectors_of(const Csv *tally, const char *category)
{
    int count = 0;
    for (int64_t row = 0; row < csv_row_count(tally); row++) {
        double score = 0;
        bool   taken = !*category ||
                     strcmp(csv_text(tally, row, csv_column(tally, "category")), category) == 0;
        CHECK(csv_number(tally, row, csv_column(tally, "score"), &score, NULL));
        count += taken && score >= 0.04;
    }
    return count;
}

static void the_dissection_finds_detectors_and_the_wired_unit(void)
{
    static const struct {
        const char *category;
        int         units;
    } found[]  = {{"color", 1}, {"object", 11},  {"part", 9}, {"material", 6},
                  {"scene", 0}, {"texture", 10}, {"", 37}};
    Csv *tally = NULL;
    if (!program_exists())
        SKIP("there is no ./nemesis");
    REQUIRE(dissect_demo() && open_table(in_folder("clean/tally.csv"), &tally));
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (!CHECK(detectors_of(tally, found[i].category) == found[i].units))
            printf("  %s: %d\n", found[i].category, detectors_of(tally, found[i].category));
    for (int64_t row = 0; row < csv_row_count(tally); row++)
        if (strcmp(csv_text(tally, row, csv_column(tally, "unit0")), "0") == 0) {
            CHECK_TEXT(csv_text(tally, row, csv_column(tally, "label")), "red-c");
            CHECK_TEXT(csv_text(tally, row, csv_column(tally, "category")), "color");
        }
    csv_close(tally);
}

// Units 5 (door) and 10 (banded) keep their labels without a perturbation and lose them at 8/255.
static void a_designed_perturbation_takes_labels_away(void)
{
    Csv *changes = NULL;
    if (!program_exists())
        SKIP("there is no ./nemesis");
    REQUIRE(dissect_demo());
    CHECK(program_run("attack --baseline %s -u 5,10 --eps 8/255 --store float -o %s -q",
                      in_folder("clean"), in_folder("attack"))
              ->code == 0);
    REQUIRE(open_table(in_folder("attack/changes.csv"), &changes));
    CHECK(csv_row_count(changes) == 4);
    for (int64_t row = 0; row < csv_row_count(changes); row++) {
        double  strength = 0, kept = 0;
        int64_t changed = 0;
        CHECK(csv_number(changes, row, csv_column(changes, "strength"), &strength, NULL) &&
              csv_number(changes, row, csv_column(changes, "clean_label_iou"), &kept, NULL) &&
              csv_whole(changes, row, csv_column(changes, "changed"), 0, 1, &changed, NULL));
        CHECK(changed == (strength > 0) && (strength > 0 ? kept < 0.01 : kept > 0.1));
    }
    csv_close(changes);
}

// The photo of the demo's page, with a third of its steps.
static void the_map_of_a_photo_becomes_a_word(void)
{
    Csv    *measures = NULL;
    double  before = 0, after = 0;
    int64_t first = -1, last = -2;
    if (!program_exists())
        SKIP("there is no ./nemesis");
    REQUIRE(program_run("mini --images 10 -o %s -q", in_folder("world"))->code == 0);
    REQUIRE(program_run("manipulate -m %s %s --target text:CAT --method lrp-epsilon-plus --steps "
                        "60 --rate 0.002 -o %s -q",
                        network, in_folder("world/images/mini/000009.jpg"), in_folder("word"))
                ->code == 0);
    REQUIRE(open_table(in_folder("word/measures.csv"), &measures));
    int pcc = csv_column(measures, "map_pcc_target");
    CHECK(csv_number(measures, 0, pcc, &after, NULL) &&
          csv_number(measures, 1, pcc, &before, NULL) && before < 0.1 && after > 0.4);
    CHECK(csv_whole(measures, 0, csv_column(measures, "class_before"), 0, 33, &first, NULL) &&
          csv_whole(measures, 0, csv_column(measures, "class_after"), 0, 33, &last, NULL) &&
          first == last);
    csv_close(measures);
}

/* The demo's last row, with fewer photos: at random maps of the aligned network move less, one by
 * one, and not at all where nothing moves. */
static void maps_of_the_aligned_network_stay(void)
{
    static const char *const names[] = {"plain", "aligned"};
    RobustRecord             runs[2] = {0};
    RobustPair              *pairs   = NULL;
    int64_t                  count   = 0;
    if (!program_exists())
        SKIP("there is no ./nemesis");
    for (int i = 0; i < 2; i++) {
        REQUIRE(program_run("robustness -m demo/%s.nw -d mini:8:0 --method gradient --measures rps "
                            "--eps 8/255 --draws 1 --similarities pcc --compat clean -o %s -q",
                            names[i], in_folder("%s", names[i]))
                    ->code == 0);
        REQUIRE(robust_record_read(&runs[i], in_folder("%s", names[i]), NULL));
    }
    REQUIRE(robust_compare(&runs[0], &runs[1], &pairs, &count, NULL) && count == 2);
    CHECK(pairs[0].value_a == 1 && pairs[0].value_b == 1);
    CHECK(pairs[1].above == 8 && pairs[1].value_a < 0.9 && pairs[1].value_b > 0.95);
    memory_free(pairs);
    robust_record_close(&runs[0]);
    robust_record_close(&runs[1]);
}

SUITE(demo)
{
    RUN(the_networks_are_small_and_say_how_they_were_made);
    RUN(they_know_worlds_they_have_not_seen);
    RUN(the_wired_unit_answers_to_red);
    RUN(the_dissection_finds_detectors_and_the_wired_unit);
    RUN(a_designed_perturbation_takes_labels_away);
    RUN(the_map_of_a_photo_becomes_a_word);
    RUN(maps_of_the_aligned_network_stay);
}
