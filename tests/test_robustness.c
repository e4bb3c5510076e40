/* tests/test_robustness.c - the verb robustness: controls, attacks within their ball, curves, maps of
 * other programs, the same bytes however it is run, and sentences for what cannot be. */
#include "../base/file.h"
#include "../format/csv.h"
#include "../format/npy.h"
#include "../study/robustness.h"
#include "page_check.h"
#include "play.h"
#include "small_inputs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 6, SIDE = 16, CELLS = SIDE * SIDE, VALUES = 3 * CELLS, SHOWN = 4 };

static const char *classes;

static bool open_play(void)
{
    classes = play_inputs(IMAGES) ? play_classes(IMAGES) : NULL;
    return CHECK(classes != NULL);
}

#define SHORT "robustness -m %s -d %s --draws 2 --eps 8/255 -q "

static const Outcome *measure(const char *name, const char *more)
{
    return play(SHORT "-o %s %s", play_blob, classes, in_folder("%s", name), more);
}

// Else a white pixel that is moved by nothing would be cut.
static void black_and_white_are_the_bounds_of_pixels(void)
{
    static const float planes[6] = {0, 1, 0, 1, 0, 1};
    real               prepared[6], low[3], high[3];
    WeightBlob        *cifar = NULL;
    REQUIRE(blob_open("models/zoo/lenet-ce-1.nw", &cifar, NULL));
    CHECK(pixel_bounds(cifar, low, high, NULL));
    pixels_prepare(blob_preparation(cifar), planes, 2, prepared);
    for (int c = 0; c < 3; c++)
        CHECK(prepared[2 * c] == low[c] && prepared[2 * c + 1] == high[c]);
    blob_close(cifar);
}

/* ---- files ----------------------------------------------------------------------------------- */

static double value_of(const RobustRecord *record, const char *wanted)
{
    char text[160];
    for (int64_t r = 0; r < record->row_count; r++) {
        double value;
        snprintf(text, sizeof text, "%s %.8s %s", robust_record_text(record, r, "measure"),
                 robust_record_text(record, r, "setting"),
                 robust_record_text(record, r, "similarity"));
        if (strcmp(text, wanted) == 0 &&
            CHECK(csv_number(record->csv, r, csv_column(record->csv, "value"), &value, NULL)))
            return value;
    }
    printf("  no row '%s'\n", wanted);
    CHECK(false);
    return (double)NAN;
}

static float *array_of(const char *run, const char *name, Shape wanted)
{
    float *values = NULL;
    Shape  shape  = {0};
    char   path[LIMIT_PATH];
    CHECK(path_join(path, in_folder("%s", run), name, NULL) &&
          npy_read(path, &values, &shape, NULL) && shape_equal(shape, wanted));
    return values;
}

static bool same_results(const char *a, const char *b)
{
    static const char *const files[] = {"robustness.csv", "values.npy", "maps.npy", "photos.npy",
                                        "attacked.npy"};
    bool                     same    = true;
    for (int i = 0; i < 5; i++) {
        char one[LIMIT_PATH], other[LIMIT_PATH];
        snprintf(one, sizeof one, "%s", in_folder("%s/%s", a, files[i]));
        snprintf(other, sizeof other, "%s", in_folder("%s/%s", b, files[i]));
        same &= same_file(one, other);
    }
    return same;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void what_does_not_move_is_exactly_alike(void)
{
    static const char *const modes[] = {"aligned23", "clean"};
    REQUIRE(open_play());
    for (int i = 0; i < 2; i++) {
        RobustRecord record = {0};
        char         more[96];
        snprintf(more, sizeof more, "--measures rps --method gradient,lrp-epsilon --compat %s",
                 modes[i]);
        REQUIRE(measure(modes[i], more)->code == 0);
        REQUIRE(robust_record_read(&record, in_folder("%s", modes[i]), NULL));
        CHECK(value_of(&record, "rps 0 mse") == 0 && value_of(&record, "rps 0 mse-sum") == 0);
        CHECK(value_of(&record, "rps 0 cosine") == 1 && value_of(&record, "rps 0 ssim") == 1);
        CHECK(value_of(&record, "rps 0 ssim-sum") == 1 && value_of(&record, "rps 0 topk:25") == 1);
        // The published Pearson value times (n - 1) / n.
        double pcc = i == 0 ? (CELLS - 1.) / CELLS : 1;
        CHECK_CLOSE(value_of(&record, "rps 0 pcc"), pcc, 1e-9);
        CHECK(value_of(&record, "rps 0.031372 cosine") < 1);
        robust_record_close(&record);
    }
}

// From the second draw on the published code compares with another clean map.
static void only_what_is_published_forgets_the_clean_map(void)
{
    RobustRecord record = {0}, clean = {0};
    REQUIRE(open_play());
    REQUIRE(measure("old", "--measures rps --method gradient")->code == 0);
    REQUIRE(measure("new", "--measures rps --method gradient --compat clean")->code == 0);
    REQUIRE(robust_record_read(&record, in_folder("old"), NULL) &&
            robust_record_read(&clean, in_folder("new"), NULL));
    CHECK(value_of(&record, "rps 0.031372 mse") > 2 * value_of(&clean, "rps 0.031372 mse"));
    CHECK(value_of(&record, "rps 0.031372 ssim") < value_of(&clean, "rps 0.031372 ssim"));
    robust_record_close(&record);
    robust_record_close(&clean);
}

static double frame_distance(const float *map)
{
    double sum = 0;
    for (int i = 0; i < CELLS; i++) {
        int y = i / SIDE, x = i % SIDE, width = 3; // 5 of 32, rounded up
        int is_frame = y < width || x < width || y >= SIDE - width || x >= SIDE - width;
        sum += pow((double)map[i] - is_frame, 2);
    }
    return sum;
}

static void attacks_stay_in_their_ball_and_reach_for_the_frame(void)
{
    static const char *const rules[] = {"--aam-rule adam", "--aam-rule sign"};
    REQUIRE(open_play());
    for (int rule = 0; rule < 2; rule++) {
        char more[160];
        snprintf(more, sizeof more,
                 "--overwrite --measures aam --method gradient --aam-steps 30 %s", rules[rule]);
        REQUIRE(measure("run", more)->code == 0);
        float *maps     = array_of("run", "maps.npy", shape_4d(1, SHOWN, 3, CELLS));
        float *photos   = array_of("run", "photos.npy", shape_4d(SHOWN, 3, SIDE, SIDE));
        float *attacked = array_of("run", "attacked.npy", shape_4d(SHOWN, 3, SIDE, SIDE));
        REQUIRE(maps && photos && attacked);
        WeightBlob *weights = NULL;
        REQUIRE(blob_open(play_blob, &weights, NULL));
        const Preparation *p    = blob_preparation(weights);
        double             most = 0, before = 0, after = 0;
        for (int i = 0; i < SHOWN * VALUES; i++) {
            int    c = i / CELLS % 3;
            double clean =
                ((double)photos[i] * (double)p->scale - (double)p->mean[c]) / (double)p->std[c];
            most = fmax(most, fabs((double)attacked[i] - clean));
        }
        CHECK_CLOSE(most, 5 * (double)p->scale * 4 / 255, 2e-5 * (double)p->scale);
        for (int i = 0; i < SHOWN; i++) {
            before += frame_distance(maps + 3 * i * CELLS);
            after += frame_distance(maps + (3 * i + 2) * CELLS);
        }
        CHECK(after < 0.99 * before);
        blob_close(weights);
        memory_free(maps);
        memory_free(photos);
        memory_free(attacked);
    }
}

static void away_is_farther_than_to_the_frame(void)
{
    RobustRecord frame = {0}, none = {0};
    const char  *more = "--measures aam --method lrp --aam-steps 30 --aam-target";
    char         line[160];
    REQUIRE(open_play());
    snprintf(line, sizeof line, "%s frame", more);
    REQUIRE(measure("frame", line)->code == 0);
    snprintf(line, sizeof line, "%s none", more);
    REQUIRE(measure("none", line)->code == 0);
    REQUIRE(robust_record_read(&frame, in_folder("frame"), NULL) &&
            robust_record_read(&none, in_folder("none"), NULL));
    CHECK(value_of(&none, "aam 0.015686 mse") > value_of(&frame, "aam 0.015686 mse"));
    robust_record_close(&frame);
    robust_record_close(&none);
}

static void nothing_inserted_is_the_mean_colour(void)
{
    RobustRecord record = {0};
    REQUIRE(open_play());
    REQUIRE(measure("run", "--measures insertion,deletion --method gradient,guided")->code == 0);
    REQUIRE(robust_record_read(&record, in_folder("run"), NULL));
    // All images of one class are the same then, whatever the map.
    for (int64_t r = 0; r < record.row_count; r++) {
        const float *values = record.values + r * IMAGES;
        if (strcmp(robust_record_text(&record, r, "measure"), "insertion") == 0 &&
            strcmp(robust_record_text(&record, r, "setting"), "0") == 0)
            CHECK(values[0] == values[1] && values[1] == values[2] && values[3] == values[5] &&
                  fabsf(values[0] + values[3] - 1) < 1);
    }
    double mean = 0;
    for (int i = 0; i < ROBUST_RATIOS; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "deletion %.3g probability", (double)i / ROBUST_RATIOS);
        mean += value_of(&record, wanted) / ROBUST_RATIOS;
    }
    CHECK_CLOSE(value_of(&record, "deletion mean probability"), mean, 1e-7);
    robust_record_close(&record);
}

// The limit holds of the means, since it holds of every image.
static void distances_of_directions_stay_below_their_limit(void)
{
    RobustRecord record = {0};
    REQUIRE(open_play());
    REQUIRE(measure("run", "--measures bound --method gradient")->code == 0);
    REQUIRE(robust_record_read(&record, in_folder("run"), NULL));
    double cosd = value_of(&record, "bound 0.031372 cosd");
    CHECK(cosd > 0 && cosd <= value_of(&record, "bound 0.031372 limit"));
    CHECK(value_of(&record, "bound 0.031372 gradient-norm") > 0);
    CHECK(value_of(&record, "bound 0.031372 hessian-norm") == 0); // a ReLU network is flat
    robust_record_close(&record);
}

static void compare_ways_to_run(const char *more)
{
    char line[160];
    REQUIRE(measure("one", more)->code == 0);
    snprintf(line, sizeof line, "%s -b 4 -t 3", more);
    REQUIRE(measure("two", line)->code == 0);
    CHECK(same_results("one", "two"));
    snprintf(line, sizeof line, "%s -b 1 -t 2", more);
    REQUIRE(measure("three", line)->code == 0);
    CHECK(same_results("one", "three"));
    snprintf(line, sizeof line, "%s --seed 1", more);
    REQUIRE(measure("other", line)->code == 0);
    CHECK(!same_results("one", "other"));
}

static void the_bytes_are_the_same_however_it_is_run(void)
{
    REQUIRE(open_play());
    compare_ways_to_run("--method gradient,lrp,gradcam --aam-steps 2 --limit 5 --overwrite");
    compare_ways_to_run("--method integrated --measures rps --limit 5 --overwrite");
}

/* ---- two runs -------------------------------------------------------------------------------- */

static double choose(int n, int k)
{
    double ways = 1;
    for (int i = 1; i <= k; i++)
        ways *= (double)(n - i + 1) / i;
    return ways;
}

static void two_trainings_are_paired_image_by_image(void)
{
    static const char *const more = "--measures rps,insertion --method gradient";
    const char              *other;
    RobustRecord             a = {0}, b = {0};
    RobustPair              *pairs = NULL;
    int64_t                  count = 0;
    REQUIRE(open_play() && make_blob(in_folder("other.nw"), 2));
    REQUIRE(measure("a", more)->code == 0);
    other = in_folder("other.nw");
    REQUIRE(play(SHORT "-o %s %s", other, classes, in_folder("b"), more)->code == 0);
    REQUIRE(robust_record_read(&a, in_folder("a"), NULL) &&
            robust_record_read(&b, in_folder("b"), NULL) &&
            robust_compare(&a, &b, &pairs, &count, NULL));
    CHECK(count == a.row_count);
    for (int64_t i = 0; i < count; i++) {
        const RobustPair *pair = &pairs[i];
        int               n    = (int)(pair->above + pair->below);
        int               most = (int)(pair->above > pair->below ? pair->above : pair->below);
        double            p    = 0;
        for (int k = most; k <= n; k++)
            p += 2 * choose(n, k) / pow(2, n);
        CHECK(pair->row_a == i && pair->row_b == i && n <= IMAGES);
        CHECK_CLOSE(pair->p, fmin(p, 1), 1e-12);
        CHECK_CLOSE(pair->difference, pair->value_b - pair->value_a, 1e-6);
        CHECK(pair->low <= pair->difference && pair->difference <= pair->high);
    }
    memory_free(pairs);
    robust_record_close(&a);
    robust_record_close(&b);
    const char *one = in_folder("a"), *two = in_folder("b"), *csv = in_folder("pairs.csv");
    REQUIRE(play("compare %s %s -o %s", one, two, csv)->code == 0);
    CHECK(count_lines(csv) == 1 + count);
    CHECK(play("compare %s %s", one, two)->code == 0);
    CHECK(play("compare %s %s --fail-over 5", one, two)->code == 2);
    REQUIRE(measure("few", "--measures rps --method gradient --limit 3")->code == 0);
    const Outcome *o = play("compare %s %s", one, in_folder("few"));
    CHECK(o->code == 2 && strstr(o->err, "other images"));
}

static bool page_has(const char *folder, const char *text)
{
    Bytes       page    = {0};
    const char *problem = NULL;
    bool        found   = file_read(in_folder("%s/index.html", folder), 1 << 22, &page, NULL);
    if (found) {
        problem = page_problem((const char *)page.data);
        found   = !problem && strstr((const char *)page.data, text);
    }
    if (problem)
        printf("  %s: %s\n", folder, problem);
    bytes_close(&page);
    return found;
}

static void pages_show_one_run_or_two(void)
{
    REQUIRE(open_play());
    REQUIRE(measure("a", "--method gradient,lrp --aam-steps 2 --seed 1")->code == 0);
    REQUIRE(measure("b", "--method gradient --measures rps --seed 2")->code == 0);
    const char *a = in_folder("a"), *b = in_folder("b"), *units = in_folder("units");
    REQUIRE(play("report %s -q", a)->code == 0);
    CHECK(page_has("a-pages", "A map and itself have 0.9"));
    CHECK(page_has("a-pages", "adv-insertion") && page_has("a-pages", "map-0-1-3-2.png"));
    CHECK(file_exists(in_folder("a-pages/map-0-1-3-2.png")) && !page_has("a-pages", "<script"));
    REQUIRE(play("report %s %s -o %s -q", a, b, in_folder("two"))->code == 0);
    CHECK(page_has("two", "B - A") && page_has("two", "map-1-0-0-1.png"));
    CHECK(page_has("two", "not made")); // the second run attacked nothing
    CHECK(file_exists(in_folder("two/attacked-0-0-0.png")) &&
          !file_exists(in_folder("two/attacked-1-0-0.png")));
    CHECK(page_has("two", "measures (A: ") && page_has("two", "seed (A: 1, B: 2)"));
    REQUIRE(play("dissect -m %s -l conv22 -d %s -o %s -q", play_blob, play_probe, units)->code ==
            0);
    const Outcome *o = play("report %s %s -o %s -q", a, units, in_folder("mixed"));
    CHECK(o->code == 2 && strstr(o->err, "one of robustness may be named"));
    CHECK(!folder_exists(in_folder("mixed")));
}

// Methods of two runs are paired by name, and only runs of the same images are shown.
static void pages_pair_what_is_the_same(void)
{
    REQUIRE(open_play());
    REQUIRE(measure("a", "--method gradient,lrp --measures rps")->code == 0);
    REQUIRE(measure("b", "--method lrp --measures rps")->code == 0);
    REQUIRE(measure("few", "--method lrp --measures rps --limit 3")->code == 0);
    const char *a = in_folder("a"), *b = in_folder("b"), *few = in_folder("few");
    Bytes       page = {0};
    REQUIRE(play("report %s %s -o %s -q", a, b, in_folder("two"))->code == 0 &&
            file_read(in_folder("two/index.html"), 1 << 22, &page, NULL));
    const char *of_a = strstr((const char *)page.data, "map-0-1-0-0.png"), // lrp, its second
        *of_b        = strstr((const char *)page.data, "map-1-0-0-0.png"); // and the first there
    CHECK(of_a && of_b && of_b > of_a);
    CHECK(same_file(in_folder("two/map-0-1-0-0.png"), in_folder("two/map-1-0-0-0.png")));
    bytes_close(&page);
    const Outcome *o = play("report %s %s -o %s -q", a, few, in_folder("bad"));
    CHECK(o->code == 2 && strstr(o->err, "they are of other images"));
    const char *units = in_folder("units");
    REQUIRE(play("dissect -m %s -l conv22 -d %s -o %s -q", play_blob, play_probe, units)->code ==
            0);
    o = play("report %s %s %s -o %s -q", units, a, few, in_folder("bad"));
    CHECK(o->code == 2 && strstr(o->err, "they are of other images"));
}

// A page of units has a section of them; a method that the second run has not is not made there.
static void pages_of_units_show_them_too(void)
{
    REQUIRE(open_play());
    REQUIRE(measure("a", "--method gradient,lrp --aam-steps 2")->code == 0);
    REQUIRE(measure("b", "--method gradient --measures rps --seed 2")->code == 0);
    const char *a = in_folder("a"), *b = in_folder("b"), *units = in_folder("units");
    REQUIRE(play("dissect -m %s -l conv22 -d %s -o %s -q", play_blob, play_probe, units)->code ==
            0);
    REQUIRE(play("report %s %s -o %s -q", units, a, in_folder("one"))->code == 0);
    CHECK(page_has("one", "<h2>How far maps move</h2>") && !page_has("one", "</b> in A, "));
    REQUIRE(play("report %s %s %s -o %s -q", units, a, b, in_folder("both"))->code == 0);
    CHECK(page_has("both", "<h2>How far maps move in two networks</h2>"));
    CHECK(page_has("both", "<b>Moved at random</b> by up to 8 of 255 levels: <b>"));
    CHECK(page_has("both", "</b> in A, <b>") && page_has("both", "map-1-0-0-1.png"));
    CHECK(file_exists(in_folder("both/map-1-0-0-1.png")) &&
          !file_exists(in_folder("both/map-1-1-0-1.png")));
    const Outcome *o = play("report %s %s %s %s -o %s -q", units, a, b, a, in_folder("more"));
    CHECK(o->code == 2 && strstr(o->err, "one of manipulate and two of robustness may be named"));
}

/* ---- maps of other programs ------------------------------------------------------------------ */

static bool write_maps(const char *method, int images)
{
    float map[CELLS];
    bool  ok = folder_exists(in_folder("maps")) || folder_create(in_folder("maps"), NULL);
    for (int i = 0; i < images; i++) {
        for (int k = 0; k < CELLS; k++)
            map[k] = (float)((k * 37 + i) % CELLS);
        ok = ok && npy_write(in_folder("maps/photo-%04d-%s.npy", i, method), map,
                             shape_2d(SIDE, SIDE), NULL);
    }
    return CHECK(ok);
}

static void maps_of_other_programs_are_scored(void)
{
    RobustRecord record = {0};
    char         line[LIMIT_PATH + 64];
    REQUIRE(open_play() && write_maps("lime", IMAGES) && write_maps("own-2", IMAGES));
    snprintf(line, sizeof line, "--maps %s", in_folder("maps"));
    REQUIRE(measure("run", line)->code == 0);
    REQUIRE(robust_record_read(&record, in_folder("run"), NULL));
    CHECK(record.row_count == 2 + 2 * 2 * (ROBUST_RATIOS + 1));
    CHECK_TEXT(robust_record_text(&record, 2, "method"), "lime");
    CHECK_TEXT(robust_record_text(&record, record.row_count - 1, "method"), "own-2");
    for (int64_t r = 0; r < 42 * IMAGES; r++) // the same maps under two names
        CHECK(record.values[2 * IMAGES + r] == record.values[44 * IMAGES + r]);
    robust_record_close(&record);
}

static bool says(const Outcome *o, int code, const char *told)
{
    bool right = o->code == code && strstr(o->err, told);
    if (!right)
        printf("  exit %d, expected %d and '%s': %s", o->code, code, told, o->err);
    return right;
}

static void what_cannot_be_is_said(void)
{
    char line[LIMIT_PATH + 64];
    REQUIRE(open_play() && write_maps("lime", IMAGES - 1));
    snprintf(line, sizeof line, "--maps %s", in_folder("maps"));
    CHECK(says(measure("run", line), 65, "has no map of image 5 by lime"));
    snprintf(line, sizeof line, "--maps %s --measures insertion,rps", in_folder("maps"));
    CHECK(says(measure("run", line), 2, "--measures rps: needs maps of images that are moved"));
    CHECK(says(measure("run", ""), 2, "expected --method NAME, or --maps DIR"));
    CHECK(says(measure("run", "--method gradient --compat lite"), 2, "aligned23, clean"));
    CHECK(says(measure("run", "--method gradient --similarities cosine,top"), 2, "'top' is not"));
    CHECK(says(measure("run", "--method gradient --similarities topk:999"), 2, "1 to 256 cells"));
    CHECK(says(measure("run", "--method pattern"), 2, "needs patterns"));
    CHECK(!file_exists(in_folder("run/run.json")));
    REQUIRE(measure("run", "--method gradient --measures insertion")->code == 0);
    CHECK(says(measure("run", "--method gradient --measures insertion"), 73, "--overwrite"));
    CHECK(says(measure("run", "--method lrp --measures insertion --resume"), 73,
               "methods was 'gradient'"));
    CHECK(says(play("robustness -m %s -d %s --method gradient --measures insertion -o %s",
                    play_blob, classes, in_folder("told")),
               0, "classes has 2 classes, the network 10; class k is taken for class k"));
    CHECK(measure("run", "--method gradient --measures insertion --resume")->code == 0);
}

SUITE(robustness)
{
    RUN(black_and_white_are_the_bounds_of_pixels);
    RUN(what_does_not_move_is_exactly_alike);
    RUN(only_what_is_published_forgets_the_clean_map);
    RUN(attacks_stay_in_their_ball_and_reach_for_the_frame);
    RUN(away_is_farther_than_to_the_frame);
    RUN(nothing_inserted_is_the_mean_colour);
    RUN(distances_of_directions_stay_below_their_limit);
    RUN(the_bytes_are_the_same_however_it_is_run);
    RUN(two_trainings_are_paired_image_by_image);
    RUN(pages_show_one_run_or_two);
    RUN(pages_of_units_show_them_too);
    RUN(pages_pair_what_is_the_same);
    RUN(maps_of_other_programs_are_scored);
    RUN(what_cannot_be_is_said);
}
