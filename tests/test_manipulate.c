/* tests/test_manipulate.c - the verb manipulate: files and columns, storage and controls, pairs,
 * resuming, and sentences for bad input. */
#include "../base/file.h"
#include "../format/csv.h"
#include "../format/npy.h"
#include "play.h"
#include "small_inputs.h"

#include <stdio.h>
#include <string.h>

#define ONE "manipulate -m %s %s --target text:I --method gradient --steps 12 --rate 0.01 -t 1 -q "

static bool read_csv(const char *path, Csv **out)
{
    Bytes bytes = {0};
    bool  ok    = file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) &&
              csv_open(out, bytes.data, bytes.size, path, NULL);
    bytes_close(&bytes);
    return CHECK(ok);
}

static double number_of(const Csv *csv, int64_t row, const char *column)
{
    double value = -99;
    CHECK(csv_number(csv, row, csv_column(csv, column), &value, NULL));
    return value;
}

static void check_array(const char *name, Shape wanted)
{
    float *values = NULL;
    Shape  shape  = {0};
    CHECK(npy_read(in_folder("run/%s", name), &values, &shape, NULL) && shape_equal(shape, wanted));
    memory_free(values);
}

static void one_image_leaves_its_files_and_rows(void)
{
    Csv *csv = NULL;
    REQUIRE(play_inputs(4));
    const Outcome *o =
        play(ONE "--store float,png8,jpeg75 -o %s", play_blob, play_photo(0), in_folder("run"));
    REQUIRE(o->code == 0);
    check_array("attacked.npy", shape_4d(1, 3, 16, 16));
    check_array("map_before.npy", shape_2d(16, 16));
    check_array("map_target.npy", shape_2d(16, 16));
    check_array("map_after.npy", shape_2d(16, 16));
    CHECK(file_exists(in_folder("run/attacked.png")) && file_exists(in_folder("run/run.json")));
    CHECK(count_lines(in_folder("run/steps.csv")) == 1 + 13);
    CHECK(count_lines(in_folder("run/smoothing.csv")) == 1 + 13);
    REQUIRE(read_csv(in_folder("run/measures.csv"), &csv));
    CHECK(csv_row_count(csv) == 2 * 3 * 2); // networks, ways to store, attacked and control
    for (int64_t i = 0; i < csv_row_count(csv); i++) {
        bool is_control = number_of(csv, i, "control") == 1;
        bool is_float   = strcmp(csv_text(csv, i, csv_column(csv, "store")), "float") == 0;
        if (is_control && is_float)
            CHECK(number_of(csv, i, "map_mse_original") == 0 && number_of(csv, i, "linf") == 0);
        if (!is_control)
            CHECK(number_of(csv, i, "map_mse_original") > 0 && number_of(csv, i, "linf") > 0);
    }
    CHECK(number_of(csv, 0, "map_pcc_target") > number_of(csv, 1, "map_pcc_target"));
    csv_close(csv);
}

// The map of run A's attacked image is what attribute makes of it.
static void the_map_afterwards_is_that_of_attribute(void)
{
    float *a = NULL, *b = NULL;
    Shape  shape;
    REQUIRE(play_inputs(4));
    REQUIRE(play(ONE "-o %s", play_blob, play_photo(0), in_folder("run"))->code == 0);
    REQUIRE(play("attribute -m %s %s --method gradient -t 1 -q -o %s", play_blob,
                 in_folder("run/attacked.npy"), in_folder("maps"))
                ->code == 0);
    REQUIRE(npy_read(in_folder("run/map_after.npy"), &a, &shape, NULL) &&
            npy_read(in_folder("maps/attacked-gradient.npy"), &b, &shape, NULL));
    CHECK(memcmp(a, b, 16 * 16 * sizeof *a) == 0);
    memory_free(a);
    memory_free(b);
}

static void pairs_are_the_same_for_any_number_of_threads(void)
{
    REQUIRE(play_inputs(6));
    const char *line[2] = {"-t 1", "-t 3 -b 7"};
    for (int i = 0; i < 2; i++)
        REQUIRE(play("manipulate -m %s --pairs 2 -d %s --method gradient,lrp,guided --steps 5 "
                     "--smooth 3:0.05 --noise redrawn -q %s -o %s",
                     play_blob, play_probe, line[i], in_folder(i ? "b" : "a"))
                    ->code == 0);
    CHECK(play_same_tree(in_folder("a"), in_folder("b"), true, true));
    CHECK(file_exists(in_folder("a/pair-001/guided-map_after.npy")));
    CHECK(count_lines(in_folder("a/measures.csv")) == 1 + 2 * (4 + 2 + 4));
    CHECK(play("manipulate -m %s --pairs 4 -d %s --method lrp -t 1 -q -o %s", play_blob, play_probe,
               in_folder("c"))
              ->code == 2);
}

static void smoothed_integrated_gradients_are_attacked(void)
{
    Csv *csv = NULL;
    REQUIRE(play_inputs(4));
    REQUIRE(
        play("manipulate -m %s %s --target text:I --method integrated --smooth 2:0.05 --beta 10 "
             "--steps 2 --rate 0.001 -t 1 -q -o %s",
             play_blob, play_photo(0), in_folder("run"))
            ->code == 0);
    REQUIRE(read_csv(in_folder("run/steps.csv"), &csv));
    CHECK(number_of(csv, 2, "map_term") < number_of(csv, 0, "map_term"));
    csv_close(csv);
}

// Files of the first case stay while the second is made; how a killed run ends: test_kills.c.
static void a_run_belongs_to_its_settings(void)
{
    static const char rest[] = "--method gradient,lrp --steps 6 -t 1 -q";
    REQUIRE(play_inputs(6));
    REQUIRE(play("manipulate -m %s --pairs 1 -d %s %s --factors 1,1 -o %s", play_blob, play_probe,
                 rest, in_folder("one"))
                ->code == 0);
    CHECK(file_exists(in_folder("one/pair-000/gradient-attacked.npy")) &&
          file_exists(in_folder("one/pair-000/lrp-attacked.npy")));
    REQUIRE(play("manipulate -m %s --pairs 2 -d %s %s -o %s", play_blob, play_probe, rest,
                 in_folder("whole"))
                ->code == 0);
    REQUIRE(play("manipulate -m %s --pairs 2 -d %s %s -o %s --overwrite", play_blob, play_probe,
                 rest, in_folder("whole"))
                ->code == 0);
    CHECK(play("manipulate -m %s --pairs 2 -d %s %s -o %s --resume", play_blob, play_probe, rest,
               in_folder("whole"))
              ->code == 0);
    const Outcome *o = play("manipulate -m %s --pairs 2 -d %s --method gradient,lrp --steps 7 -t 1 "
                            "-q -o %s --resume",
                            play_blob, play_probe, in_folder("whole"));
    CHECK(o->code == 73 && strstr(o->err, "steps"));
}

static void refused(int code, const char *sentence, const Outcome *o)
{
    if (!CHECK(o->code == code && strstr(o->err, sentence)))
        printf("  exit %d: %s", o->code, o->err);
}

static void bad_input_is_one_sentence(void)
{
    float       map[6] = {1, 0, 0, 0, 0, 0}, zero[256] = {0};
    const char *photo, *run;
    REQUIRE(play_inputs(4));
    photo = play_photo(0);
    run   = in_folder("run");
    REQUIRE(npy_write(in_folder("small.npy"), map, shape_2d(2, 3), NULL) &&
            npy_write(in_folder("zero.npy"), zero, shape_2d(16, 16), NULL));
    const char *start = "manipulate -t 1 -q --method gradient";
    refused(65, "expected a map of 16x16",
            play("%s -m %s %s --target %s -o %s", start, play_blob, photo, in_folder("small.npy"),
                 run));
    refused(
        65, "is zero everywhere",
        play("%s -m %s %s --target %s -o %s", start, play_blob, photo, in_folder("zero.npy"), run));
    refused(2, "letters A-Z",
            play("%s -m %s %s --target text:? -o %s", start, play_blob, photo, run));
    refused(2, "does not fit",
            play("%s -m %s %s --target text:WORDS -o %s", start, play_blob, photo, run));
    refused(2, "INPUT and --target", play("%s -m %s %s -o %s", start, play_blob, photo, run));
    refused(
        2, "has no row for method",
        play("%s -m %s %s --target text:I --preset table3 -o %s", start, play_blob, photo, run));
    refused(
        2, "needs --smooth",
        play("%s -m %s %s --target text:I --preset table4 -o %s", start, play_blob, photo, run));
    refused(
        2, "--beta-growth",
        play("%s -m %s %s --target text:I --beta-growth 10 -o %s", start, play_blob, photo, run));
    refused(2, "--factors",
            play("%s -m %s %s --target text:I --factors 1 -o %s", start, play_blob, photo, run));
    refused(2, "needs patterns",
            play("manipulate -t 1 -q --method pattern -m %s %s --target "
                 "text:I -o %s",
                 play_blob, photo, run));
    refused(66, "missing.jpg",
            play("%s -m %s %s --target missing.jpg -o %s", start, play_blob, photo, run));
    CHECK(!folder_exists(run));
}

static void a_relu_network_is_warned_of(void)
{
    REQUIRE(play_inputs(4));
    const Outcome *o = play("manipulate -m %s %s --target text:I --method gradient --beta 0 "
                            "--steps 2 -t 1 -o %s",
                            play_blob, play_photo(0), in_folder("run"));
    CHECK(o->code == 0 && strstr(o->err, "has no gradient") && strstr(o->err, "--beta-growth"));
    o = play("manipulate -m %s %s --target text:I --method lrp --steps 2 -t 1 -o %s", play_blob,
             play_photo(0), in_folder("lrp"));
    CHECK(o->code == 0 && !strstr(o->err, "warning"));
}

// Its map has no slope, whichever the activation: all the gradient there is comes from the outputs.
static void deconvnet_is_warned_of_with_softplus_too(void)
{
    REQUIRE(play_inputs(4));
    const Outcome *o = play("manipulate -m %s %s --target text:I --method deconvnet --beta 10 "
                            "--steps 1 -t 1 -o %s",
                            play_blob, play_photo(0), in_folder("run"));
    CHECK(o->code == 0 && strstr(o->err, "max-pools alone") && strstr(o->err, "--method guided"));
    CHECK(!strstr(o->err, "--beta-growth"));
}

static void an_array_of_several_images_is_refused(void)
{
    enum { VALUES = 2 * 3 * 16 * 16 };
    static float two[VALUES];
    REQUIRE(play_inputs(4));
    const char *photo = play_photo(0), *run = in_folder("run");
    REQUIRE(npy_write(in_folder("two.npy"), two, shape_4d(2, 3, 16, 16), NULL));
    refused(65, "two.npy: holds 2 images, expected a single one",
            play("manipulate -t 1 -q --method gradient -m %s %s --target text:I -o %s", play_blob,
                 in_folder("two.npy"), run));
    refused(65, "two.npy: holds 2 images, expected a single one",
            play("manipulate -t 1 -q --method gradient -m %s %s --target %s -o %s", play_blob,
                 photo, in_folder("two.npy"), run));
    CHECK(!folder_exists(run));
}

SUITE(manipulate)
{
    RUN(one_image_leaves_its_files_and_rows);
    RUN(the_map_afterwards_is_that_of_attribute);
    RUN(pairs_are_the_same_for_any_number_of_threads);
    RUN(smoothed_integrated_gradients_are_attacked);
    RUN(a_run_belongs_to_its_settings);
    RUN(bad_input_is_one_sentence);
    RUN(a_relu_network_is_warned_of);
    RUN(deconvnet_is_warned_of_with_softplus_too);
    RUN(an_array_of_several_images_is_refused);
}
