/* tests/test_accuracy.c - the verb accuracy: its rows are what the network says of images that the
 * test perturbs and stores by itself; photos of a run are found by their pixels; labels fit the
 * network, or it is said why not. */
#include "../base/file.h"
#include "../cli/training_data.h"
#include "../format/csv.h"
#include "../format/npy.h"
#include "../study/accuracy.h"
#include "../study/study.h"
#include "page_check.h"
#include "play.h"
#include "small_inputs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 6, SIDE = 16, CELLS = SIDE * SIDE, VALUES = 3 * CELLS, CLASSES = 10 };

// Class folders `a` and `b`, three photos each, are classes 7 and 2 of the network.
static const char *classes, *names;

static bool open_play(void)
{
    static const char lines[] = "0\n1\nb\n3\n4\n5\n6\na\n8\n9\n";
    classes                   = play_inputs(IMAGES) ? play_classes(IMAGES) : NULL;
    names                     = in_folder("names.txt");
    return CHECK(classes != NULL && file_publish(names, lines, strlen(lines), NULL));
}

#define SHORT "accuracy -m %s -d %s -q -o %s %s"

static const Outcome *measure_in(const char *data, const char *name, const char *more)
{
    return play(SHORT, play_blob, data, in_folder("%s", name), more);
}

static const Outcome *measure(const char *name, const char *more)
{
    char line[LIMIT_PATH + 512];
    snprintf(line, sizeof line, "--names %s %s", names, more);
    return measure_in(classes, name, line);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static Csv *open_rows(const char *name)
{
    Bytes file = {0};
    Csv  *csv  = NULL;
    CHECK(file_read(in_folder("%s/accuracy.csv", name), 1 << 20, &file, NULL) &&
          csv_open(&csv, file.data, file.size, name, NULL));
    bytes_close(&file);
    return csv;
}

static int64_t row_of(const Csv *csv, const char *setting, const char *store, const char *class)
{
    for (int64_t r = 0; r < csv_row_count(csv); r++)
        if (strcmp(csv_text(csv, r, csv_column(csv, "setting")), setting) == 0 &&
            strcmp(csv_text(csv, r, csv_column(csv, "store")), store) == 0 &&
            strcmp(csv_name(csv, r, csv_column(csv, "class")), class) == 0)
            return r;
    printf("  no row %s, %s, %s\n", setting, store, class);
    CHECK(false);
    return -1;
}

// A number of a row; NaN where the field is empty.
static double number_of(const Csv *csv, int64_t row, const char *column)
{
    double value = (double)NAN;
    if (row >= 0 && csv_text(csv, row, csv_column(csv, column))[0])
        CHECK(csv_number(csv, row, csv_column(csv, column), &value, NULL));
    return value;
}

static double of_all(const Csv *csv, const char *setting, const char *store, const char *column)
{
    return number_of(csv, row_of(csv, setting, store, "all"), column);
}

static bool same_rows(const char *a, const char *b)
{
    char one[LIMIT_PATH];
    snprintf(one, sizeof one, "%s", in_folder("%s/accuracy.csv", a));
    return same_file(one, in_folder("%s/accuracy.csv", b));
}

/* ---- the truth ------------------------------------------------------------------------------- */

static float       photos[IMAGES][VALUES]; // in the order of the class folders
static WeightBlob *weights_of_truth;
static LayerRunner network;

static bool open_truth(void)
{
    ProbeSet       set     = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .width = SIDE, .height = SIDE};
    bool           ok      = blob_open(play_blob, &weights_of_truth, NULL) &&
              layer_runner_open(&network, weights_of_truth, &request, NULL) &&
              probe_open(&set, play_probe, NULL, NULL);
    ImageSource source = probe_images(&set);
    for (int i = 0; ok && i < IMAGES; i++)
        ok = source.load(source.self, i, photos[i], NULL);
    probe_close(&set);
    return CHECK(ok && network.units == CLASSES);
}

static void close_truth(void)
{
    layer_runner_close(&network);
    blob_close(weights_of_truth);
    weights_of_truth = NULL;
}

static int answer_to(const float *planes)
{
    real pixels[VALUES], logits[CLASSES];
    for (int i = 0; i < VALUES; i++)
        pixels[i] = (real)planes[i];
    layer_runner_run(&network, pixels, 1, logits);
    return (int)logits_predicted(logits, CLASSES);
}

// What the network says of a photo with noise (strength 0: none) after storage.
static int corrupted_answer(int image, NoiseType type, double strength, StoreArm store)
{
    Noise noise = {type, strength, 1, 5};
    float planes[VALUES];
    memcpy(planes, photos[image], sizeof planes);
    if (strength > 0)
        noise_add(&noise, image, CELLS, planes);
    CHECK(store_image(store, SIDE, SIDE, planes, NULL, NULL));
    return answer_to(planes);
}

static void check_setting(const Csv *csv, const char *setting, NoiseType type, double strength,
                          StoreArm store)
{
    int correct[2] = {0}, unchanged[2] = {0};
    for (int i = 0; i < IMAGES; i++) {
        int said = corrupted_answer(i, type, strength, store), of_b = i >= 3;
        correct[of_b] += said == (of_b ? 2 : 7);
        unchanged[of_b] += said == answer_to(photos[i]);
    }
    const char *arm = store_arm_name(store);
    int64_t     all = row_of(csv, setting, arm, "all"), a = row_of(csv, setting, arm, "a"),
            b = row_of(csv, setting, arm, "b");
    CHECK(number_of(csv, all, "correct") == correct[0] + correct[1]);
    CHECK(number_of(csv, a, "correct") == correct[0] && number_of(csv, a, "count") == 3);
    CHECK(number_of(csv, b, "correct") == correct[1] && number_of(csv, b, "label") == 2);
    CHECK(number_of(csv, all, "unchanged") == unchanged[0] + unchanged[1]);
    CHECK(number_of(csv, a, "unchanged") == unchanged[0]);
    double low, high;
    wilson_interval(correct[0] + correct[1], IMAGES, &low, &high);
    CHECK_CLOSE(number_of(csv, all, "accuracy"), (correct[0] + correct[1]) / 6., 1e-8);
    CHECK_CLOSE(number_of(csv, all, "low"), low, 1e-8);
    CHECK_CLOSE(number_of(csv, all, "high"), high, 1e-8);
}

static void rows_are_what_the_network_says(void)
{
    REQUIRE(open_play() && open_truth());
    REQUIRE(measure("run", "--noise gaussian:0.3,0.6,bernoulli:0.5 --seed 5 "
                           "--store float,png8,jpeg75")
                ->code == 0);
    Csv *csv = open_rows("run");
    REQUIRE(csv != NULL);
    CHECK(csv_row_count(csv) == (1 + 3 * 4) * 3);
    check_setting(csv, "clean", NOISE_GAUSSIAN, 0, STORE_FLOAT);
    for (int arm = 0; arm < STORE_ARMS; arm++) {
        check_setting(csv, "control", NOISE_GAUSSIAN, 0, (StoreArm)arm);
        check_setting(csv, "gaussian:0.3", NOISE_GAUSSIAN, 0.3, (StoreArm)arm);
        check_setting(csv, "gaussian:0.6", NOISE_GAUSSIAN, 0.6, (StoreArm)arm);
        check_setting(csv, "bernoulli:0.5", NOISE_BERNOULLI, 0.5, (StoreArm)arm);
    }
    CHECK(of_all(csv, "clean", "float", "unchanged") == IMAGES);
    CHECK(of_all(csv, "bernoulli:0.5", "float", "unchanged") < IMAGES); // or nothing was tried
    csv_close(csv);
    close_truth();
}

// Drawn images and CIFAR pictures have labels of their own, a probing set has none.
static void what_has_no_labels_has_no_accuracy(void)
{
    REQUIRE(open_play());
    REQUIRE(measure_in(play_probe, "run", "--noise uniform:0.5")->code == 0);
    Csv *csv = open_rows("run");
    REQUIRE(csv != NULL);
    CHECK(csv_row_count(csv) == 3 && of_all(csv, "clean", "float", "count") == IMAGES);
    CHECK(isnan(of_all(csv, "clean", "float", "accuracy")));
    CHECK(isnan(of_all(csv, "clean", "float", "correct")));
    CHECK(of_all(csv, "clean", "float", "agreement") == 1);
    csv_close(csv);
    REQUIRE(measure_in(in_folder("classes/a"), "photos", "")->code == 0);
    csv = open_rows("photos");
    REQUIRE(csv != NULL);
    CHECK(of_all(csv, "clean", "float", "count") == 3 && csv_row_count(csv) == 2);
    csv_close(csv);
}

// The training's own score, which runs the network without any of this.
static void drawn_images_have_the_score_of_a_training(void)
{
    WeightBlob   *weights = NULL;
    TrainingSet   set     = {0};
    TrainingScore score   = {0};
    REQUIRE(play("accuracy -m demo/mini.nw -d mini:40:7 -o %s -q", in_folder("run"))->code == 0);
    Csv *csv = open_rows("run");
    REQUIRE(csv && blob_open("demo/mini.nw", &weights, NULL) &&
            training_data_open(&set, "mini:40:7", NULL, NULL) &&
            training_score(weights, &set, &score, NULL));
    CHECK_CLOSE(of_all(csv, "clean", "float", "accuracy"), score.accuracy, 1e-8);
    training_set_free(&set);
    blob_close(weights);
    csv_close(csv);
}

/* ---- poisoned images ------------------------------------------------------------------------- */

static bool make_clean(void)
{
    return CHECK(
        play("dissect -m %s -l conv22 -d %s -o %s -q", play_blob, play_probe, in_folder("clean"))
            ->code == 0);
}

static bool make_attack(const char *name, const char *more)
{
    return CHECK(play("attack %s -u 0-2 --steps 2 --eps 0.1,0.3 --store jpeg75,float -o %s -q %s",
                      in_folder("clean"), in_folder("%s", name), more)
                     ->code == 0);
}

// Noise that a run has put on the same photos is the noise that is drawn here.
static void poisoned_images_are_those_of_the_run(void)
{
    static const char *const arms[] = {"jpeg75", "png8", "float"};
    char                     more[LIMIT_PATH + 128];
    REQUIRE(open_play() && make_clean());
    REQUIRE(play("noise %s --type gaussian --std 0.3,0.6 --store jpeg75,png8,float --keep-images "
                 "-o %s -q --seed 5",
                 in_folder("clean"), in_folder("noise"))
                ->code == 0);
    snprintf(more, sizeof more,
             "--poisoned %s --noise gaussian:0.3,0.6 --seed 5 --store jpeg75,png8,float",
             in_folder("noise"));
    REQUIRE(measure("run", more)->code == 0);
    Csv *csv = open_rows("run");
    REQUIRE(csv != NULL);
    for (int i = 0; i < 3; i++)
        for (int strength = 0; strength < 3; strength++) {
            static const char *const here[]  = {"control", "gaussian:0.3", "gaussian:0.6"};
            static const char *const there[] = {"poisoned:control", "poisoned:gaussian:0.3",
                                                "poisoned:gaussian:0.6"};
            const char *const        same[]  = {"correct", "count", "unchanged"};
            for (int k = 0; k < 3; k++)
                CHECK(of_all(csv, here[strength], arms[i], same[k]) ==
                      of_all(csv, there[strength], arms[i], same[k]));
        }
    csv_close(csv);
}

// What the network says of the images that lie in the run's folders of one strength.
static int64_t unchanged_by(const char *eps, int64_t *count)
{
    int64_t same = 0;
    *count       = 0;
    for (int unit = 0; unit < 3; unit++)
        for (int image = 0; image < IMAGES; image++) {
            float *planes = NULL;
            Shape  shape;
            char   path[LIMIT_PATH];
            snprintf(path, sizeof path, "%s/poisoned/unit%d_%s_float/%06d.npy", in_folder("attack"),
                     unit, eps, image);
            if (!file_exists(path))
                continue;
            CHECK(npy_read(path, &planes, &shape, NULL) && shape.dim[1] == SIDE);
            same += answer_to(planes) == answer_to(photos[image]);
            ++*count;
            memory_free(planes);
        }
    return same;
}

static void images_of_an_attack_are_counted_over_its_units(void)
{
    char    more[LIMIT_PATH + 64];
    int64_t count;
    REQUIRE(open_play() && open_truth() && make_clean() && make_attack("attack", "--keep-images"));
    snprintf(more, sizeof more, "--poisoned %s", in_folder("attack"));
    REQUIRE(measure_in(play_probe, "run", more)->code == 0);
    Csv *csv = open_rows("run");
    REQUIRE(csv != NULL);
    CHECK(csv_row_count(csv) == 2 + 2 * 3); // clean, control; a control and two eps each
    int64_t same = unchanged_by("0.3", &count);
    CHECK(count > 3 && of_all(csv, "poisoned:pgd:0.3", "float", "count") == (double)count);
    CHECK(of_all(csv, "poisoned:pgd:0.3", "float", "unchanged") == (double)same);
    CHECK(of_all(csv, "poisoned:control", "float", "agreement") == 1);
    csv_close(csv);
    close_truth();
}

// Of the run's images at one strength: those of photo 0, or of all others.
static int64_t stored_images(bool of_first)
{
    int64_t found = 0;
    for (int unit = 0; unit < 3; unit++) {
        char  **files = NULL;
        int64_t count = 0;
        CHECK(
            folder_list(in_folder("attack/poisoned/unit%d_0.3_float", unit), &files, &count, NULL));
        for (int64_t i = 0; i < count; i++)
            found += (strcmp(files[i], "000000.npy") == 0) == of_first;
        names_free(files, count);
    }
    return found;
}

static void photos_are_found_by_their_pixels(void)
{
    char        more[LIMIT_PATH + 64], old[LIMIT_PATH], moved[LIMIT_PATH];
    const char *ending = open_play() ? strrchr(play_photo(0), '.') : "";
    REQUIRE(make_clean() && make_attack("attack", "--keep-images"));
    int64_t of_0 = stored_images(true), of_others = stored_images(false);
    REQUIRE(of_0 > 0 && of_others > 0);
    snprintf(old, sizeof old, "%s", in_folder("classes/a/0%s", ending));
    snprintf(moved, sizeof moved, "%s", in_folder("classes/b/last%s", ending));
    REQUIRE(rename(old, moved) == 0); // another name, class and number
    snprintf(more, sizeof more, "--poisoned %s", in_folder("attack"));
    REQUIRE(measure("all", more)->code == 0);
    REQUIRE(file_remove(moved, NULL));
    REQUIRE(measure("rest", more)->code == 0);
    Csv *all = open_rows("all"), *rest = open_rows("rest");
    REQUIRE(all && rest);
    CHECK(of_all(all, "poisoned:pgd:0.3", "float", "count") == (double)(of_0 + of_others));
    CHECK(of_all(rest, "poisoned:pgd:0.3", "float", "count") == (double)of_others);
    CHECK(of_all(rest, "poisoned:control", "jpeg75", "count") == (double)of_others);
    csv_close(all);
    csv_close(rest);
}

/* ---- the same bytes -------------------------------------------------------------------------- */

static void the_bytes_are_the_same_however_it_is_run(void)
{
    char                     more[LIMIT_PATH + 128], line[LIMIT_PATH + 192];
    static const char *const ways[] = {"-t 3 -b 1", "-t 2 -b 5", "-t 1 -b 16", "--conv auto"};
    REQUIRE(open_play() && make_clean() && make_attack("attack", "--keep-images"));
    snprintf(more, sizeof more, "--poisoned %s --noise gaussian:0.4 --store jpeg75,float",
             in_folder("attack"));
    snprintf(line, sizeof line, "%s -t 1 -b 2", more);
    REQUIRE(measure("one", line)->code == 0);
    for (int i = 0; i < 4; i++) {
        snprintf(line, sizeof line, "%s %s --overwrite", more, ways[i]);
        REQUIRE(measure("two", line)->code == 0);
        CHECK(same_rows("one", "two"));
    }
    snprintf(line, sizeof line, "%s --resume", more);
    CHECK(measure("two", line)->code == 0);
    const Outcome *o = measure("two", "--noise gaussian:0.4 --resume");
    CHECK(o->code == 73 && strstr(o->err, "cannot resume"));
    o = measure("two", "--noise gaussian:0.4");
    CHECK(o->code == 73 && strstr(o->err, "--overwrite"));
}

/* ---- hostile --------------------------------------------------------------------------------- */

static bool says(const Outcome *o, int code, const char *told)
{
    bool right = o->code == code && strstr(o->err, told);
    if (!right)
        printf("  exit %d, expected %d and '%s': %s", o->code, code, told, o->err);
    return right && !file_exists(in_folder("run/run.json"));
}

static const Outcome *named(const char *lines)
{
    CHECK(file_publish(names, lines, strlen(lines), NULL));
    return measure("run", "");
}

static void labels_must_be_classes_of_the_network(void)
{
    REQUIRE(open_play() && folder_create(in_folder("empty"), NULL));
    CHECK(says(measure_in(classes, "run", ""), 65, "has 2 classes, the network 10; --names FILE"));
    CHECK(says(named("a\nb\n"), 65, "has 2 lines, "));
    CHECK(says(named("a\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"), 65, "the folder 'b' is no class"));
    CHECK(says(named("a\nb\n2\n3\na\n5\n6\n7\n8\n9\n"), 65, "classes 0 and 4 are both named 'a'"));
    char line[LIMIT_PATH + 16];
    snprintf(line, sizeof line, "--names %s", names);
    CHECK(says(measure_in(play_probe, "run", line), 2, "has no class folders to be named"));
    CHECK(says(measure_in(in_folder("empty"), "run", ""), 66, "has no photo in it"));
    CHECK(says(measure_in(in_folder("nowhere"), "run", ""), 66, "nowhere"));
}

static void words_of_noise_are_checked(void)
{
    REQUIRE(open_play());
    static const char *const wrong[] = {
        "0.1",           "pink:0.1",      "gaussian:",   "gaussian:0", "gaussian:nan",
        "gaussian:0.1,", "gaussian:0.1x", "gaussian:11", "uniform"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[64];
        snprintf(line, sizeof line, "--noise %s", wrong[i]);
        CHECK(says(measure("run", line), 2, "--noise: '"));
    }
    CHECK(says(measure("run", "--noise gaussian:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"), 2,
               "more than 16"));
}

static const Outcome *poison(const char *run)
{
    char line[LIMIT_PATH + 32];
    snprintf(line, sizeof line, "--poisoned %s", in_folder("%s", run));
    return measure_in(play_probe, "run", line);
}

static void runs_without_their_images_are_refused(void)
{
    char line[LIMIT_PATH + 64], other[LIMIT_PATH];
    REQUIRE(open_play() && make_clean() && make_attack("plain", "") &&
            make_attack("attack", "--keep-images"));
    CHECK(says(poison("clean"), 2, "is a run of 'dissect', expected one of noise, attack"));
    CHECK(says(poison("plain"), 2, "make it again with --keep-images"));
    CHECK(says(poison("nowhere"), 66, "no such run folder"));
    // A photo of the same size and other pixels.
    snprintf(other, sizeof other, "%s", in_folder("other"));
    REQUIRE(folder_create(in_folder("other/a"), NULL) &&
            play("image %s --resize 5 -o %s", play_photo(0), in_folder("other/a/x.png"))->code ==
                0);
    snprintf(line, sizeof line, "--names %s --poisoned %s", names, in_folder("attack"));
    CHECK(says(measure_in(other, "run", line), 65, "expected one of the same pixels"));
    play_remove(in_folder("attack/poisoned"));
    CHECK(says(poison("attack"), 66, "poisoned"));
}

static void damaged_images_are_refused(void)
{
    float values[VALUES] = {0};
    char  first[LIMIT_PATH];
    REQUIRE(open_play() && make_clean() && make_attack("attack", "--keep-images"));
    int unit = 0, image = 0;
    while (unit < 3 &&
           !file_exists(in_folder("attack/poisoned/unit%d_0.3_float/%06d.npy", unit, image)))
        unit += ++image % IMAGES == 0;
    snprintf(first, sizeof first, "%s",
             in_folder("attack/poisoned/unit%d_0.3_float/%06d.npy", unit, image % IMAGES));
    REQUIRE(npy_write(first, values, shape_3d(3, 8, 16), NULL));
    CHECK(says(poison("attack"), 65, "is 16 x 8, the images of the data are 16 x 16"));
    REQUIRE(npy_write(first, values, shape_4d(1, 3, 16, 16), NULL));
    CHECK(says(poison("attack"), 65, "expected [3, h, w]"));
    values[5] = NAN;
    REQUIRE(npy_write(first, values, shape_3d(3, 16, 16), NULL));
    CHECK(says(poison("attack"), 65, "element 5 is nan, expected 0 to 1"));
    REQUIRE(file_remove(first, NULL));
    CHECK(says(poison("attack"), 65, "images are missing"));
    values[5] = 0;
    snprintf(strrchr(first, '/'), 16, "/000999.npy");
    REQUIRE(npy_write(first, values, shape_3d(3, 16, 16), NULL));
    CHECK(says(poison("attack"), 65, "has an image 999, the run has 6 photos"));
}

/* ---- the page -------------------------------------------------------------------------------- */

static int count_of(const char *text, const char *word)
{
    int count = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

static void check_page(const char *name, int bars, const char *shown)
{
    Bytes file = {0};
    REQUIRE(program_run("report %s", in_folder("%s", name))->code == 0 &&
            file_read(in_folder("%s-pages/index.html", name), 1 << 20, &file, NULL));
    const char *page = (const char *)file.data;
    CHECK(page_problem(page) == NULL && count_of(page, "<rect class=\"c0\"") == bars);
    CHECK(strstr(page, shown) != NULL && !strstr(page, "nan") && !strstr(page, "inf"));
    bytes_close(&file);
}

static void the_page_has_a_bar_for_each_share(void)
{
    char want[64];
    REQUIRE(open_play());
    REQUIRE(measure("with", "--noise uniform:0.1")->code == 0 &&
            measure_in(play_probe, "without", "")->code == 0);
    Csv *rows = open_rows("with");
    snprintf(want, sizeof want, "of which %.1f %% are named right as they are",
             100 * of_all(rows, "clean", "float", "accuracy"));
    csv_close(rows);
    check_page("with", 6, want);
    check_page("without", 2, "How often the answer stays");
}

// A folder may be a stranger's.
static void numbers_of_a_page_are_text(void)
{
    static const char rows[] =
        "setting,store,class,label,count,accuracy,low,high,agreement,agreement_low,agreement_high\n"
        "clean,float,,,<b>9</b>,1,1,1,1,1,1\nclean,float,door,\"\"\"><b>\",<b>8</b>,1,1,1,1,1,1\n";
    REQUIRE(open_play());
    REQUIRE(measure_in(play_probe, "foreign", "")->code == 0 &&
            file_publish(in_folder("foreign/accuracy.csv"), rows, sizeof rows - 1, NULL));
    check_page("foreign", 2, "&lt;b&gt;9");
}

SUITE(accuracy)
{
    RUN(rows_are_what_the_network_says);
    RUN(what_has_no_labels_has_no_accuracy);
    RUN(drawn_images_have_the_score_of_a_training);
    RUN(poisoned_images_are_those_of_the_run);
    RUN(images_of_an_attack_are_counted_over_its_units);
    RUN(photos_are_found_by_their_pixels);
    RUN(the_bytes_are_the_same_however_it_is_run);
    RUN(labels_must_be_classes_of_the_network);
    RUN(words_of_noise_are_checked);
    RUN(runs_without_their_images_are_refused);
    RUN(damaged_images_are_refused);
    RUN(the_page_has_a_bar_for_each_share);
    RUN(numbers_of_a_page_are_text);
}
