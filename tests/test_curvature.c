/* tests/test_curvature.c - the verb curvature: rows, threads, resuming, and sentences for bad
 * input. What the numbers mean is checked in check_curvature.c. */
#include "../base/file.h"
#include "../format/csv.h"
#include "../format/npy.h"
#include "play.h"
#include "small_inputs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double number_of(const Csv *csv, int64_t row, const char *column)
{
    double value = -99;
    CHECK(csv_number(csv, row, csv_column(csv, column), &value, NULL));
    return value;
}

static void check_path(const Csv *csv, int64_t first, int64_t steps, double beta)
{
    for (int64_t i = 0; i <= steps; i++) {
        int64_t row = first + i;
        CHECK(number_of(csv, row, "step") == (double)i);
        CHECK(number_of(csv, row, "beta") == beta);
        CHECK(number_of(csv, row, "lambda_max") != 0 && number_of(csv, row, "iterations") > 1);
        CHECK(fabs(number_of(csv, row, "logit") - number_of(csv, first, "logit")) < 1e-4);
        if (i == 0) {
            CHECK(number_of(csv, row, "path_length") == 0 && number_of(csv, row, "integral") == 0);
            CHECK(number_of(csv, row, "distance") == 0 && number_of(csv, row, "switches") == 0);
            continue;
        }
        double length = number_of(csv, row, "path_length") - number_of(csv, row - 1, "path_length");
        double middle = (fabs(number_of(csv, row, "lambda_max")) +
                         fabs(number_of(csv, row - 1, "lambda_max"))) /
                        2;
        CHECK(length > 0);
        CHECK_CLOSE(number_of(csv, row, "integral") - number_of(csv, row - 1, "integral"),
                    length * middle, 1e-6);
        CHECK(number_of(csv, row, "distance") > 0 && number_of(csv, row, "distance") <= 2);
    }
}

static void a_row_stands_for_each_point_and_beta(void)
{
    Bytes bytes = {0};
    Csv  *csv   = NULL;
    REQUIRE(play_inputs(4));
    const Outcome *o = play("curvature -m %s %s --beta 20,2 --steps 3 -t 1 -o %s", play_blob,
                            play_photo(0), in_folder("run"));
    REQUIRE(o->code == 0 && strstr(o->out, "3 steps along the principal direction"));
    REQUIRE(file_read(in_folder("run/curvature.csv"), LIMIT_TEXT_FILE, &bytes, NULL));
    if (CHECK(csv_open(&csv, bytes.data, bytes.size, "curvature.csv", NULL))) {
        CHECK(csv_row_count(csv) == 8);
        check_path(csv, 0, 3, 20);
        check_path(csv, 4, 3, 2);
    }
    csv_close(csv);
    bytes_close(&bytes);
    o = play("curvature -m %s %s --towards %s --steps 2 --json -t 1 -q -o %s", play_blob,
             play_photo(0), play_photo(1), in_folder("line"));
    CHECK(o->code == 0 && strstr(o->out, "\"path\": \"line\"") && strstr(o->out, "\"tightest\""));
    CHECK(count_lines(in_folder("line/curvature.csv")) == 1 + 3);
}

static void a_network_of_softplus_is_measured_with_its_own_beta(void)
{
    REQUIRE(play_inputs(4) && play_classes(4));
    REQUIRE(play("train -d %s --arch lenet --activation softplus:3 --epochs 1 -b 2 -t 1 -q -o %s",
                 in_folder("classes"), in_folder("soft.nw"))
                ->code == 0);
    const Outcome *o = play("curvature -m %s %s --steps 1 --json -t 1 -q -o %s",
                            in_folder("soft.nw"), play_photo(0), in_folder("own"));
    CHECK(o->code == 0 && strstr(o->out, "\"beta\": 3,"));
}

static void the_bytes_do_not_depend_on_threads(void)
{
    REQUIRE(play_inputs(4));
    for (int threads = 1; threads <= 3; threads += 2)
        REQUIRE(play("curvature -m %s %s --steps 2 -q -t %d -o %s", play_blob, play_photo(0),
                     threads, in_folder("run%d", threads))
                    ->code == 0);
    CHECK(play_same_tree(in_folder("run1"), in_folder("run3"), true, true));
}

// How a killed run ends: test_kills.c.
static void a_run_belongs_to_its_settings(void)
{
    static const char line[] = "curvature -m %s %s --steps %d -t 1 -q -o %s %s";
    REQUIRE(play_inputs(4));
    const char *run = in_folder("run");
    CHECK(play(line, play_blob, play_photo(0), 2, run, "")->code == 0);
    CHECK(play(line, play_blob, play_photo(0), 2, run, "")->code == 73);
    CHECK(play(line, play_blob, play_photo(0), 2, run, "--resume")->code == 0);
    CHECK(play(line, play_blob, play_photo(0), 2, run, "--overwrite")->code == 0);
    const Outcome *o = play(line, play_blob, play_photo(0), 3, run, "--resume");
    CHECK(o->code == 73 && strstr(o->err, "steps"));
    o = play(line, play_blob, play_photo(1), 2, run, "--resume");
    CHECK(o->code == 73 && strstr(o->err, "images_sha256"));
}

static void refused(int code, const char *sentence, const Outcome *o)
{
    if (!CHECK(o->code == code && strstr(o->err, sentence)))
        printf("  exit %d: %s", o->code, o->err);
}

static void bad_input_is_one_sentence(void)
{
    static float two[2 * 3 * 16 * 16], small[3 * 8 * 8];
    REQUIRE(play_inputs(4));
    const char *photo = play_photo(0), *run = in_folder("run");
    REQUIRE(npy_write(in_folder("two.npy"), two, shape_4d(2, 3, 16, 16), NULL) &&
            npy_write(in_folder("small.npy"), small, shape_4d(1, 3, 8, 8), NULL));
    const char *start = "curvature -t 1 -q";
    refused(2, "has no curvature; expected the beta of a softplus",
            play("%s -m %s %s --beta 0 -o %s", start, play_blob, photo, run));
    refused(2, "holds 2 images, expected one",
            play("%s -m %s %s -o %s", start, play_blob, in_folder("two.npy"), run));
    refused(65, "is 8x8, the input is 16x16",
            play("%s -m %s %s --towards %s -o %s", start, play_blob, photo, in_folder("small.npy"),
                 run));
    refused(66, "missing.jpg",
            play("%s -m %s %s --towards missing.jpg -o %s", start, play_blob, photo, run));
    refused(2, "--compat", play("%s -m %s %s --compat lite -o %s", start, play_blob, photo, run));
    CHECK(!folder_exists(run));
}

SUITE(curvature_verb)
{
    RUN(a_row_stands_for_each_point_and_beta);
    RUN(a_network_of_softplus_is_measured_with_its_own_beta);
    RUN(the_bytes_do_not_depend_on_threads);
    RUN(a_run_belongs_to_its_settings);
    RUN(bad_input_is_one_sentence);
}
