/* tests/test_map_report.c - pages of runs of attribute and manipulate: well formed, with every
 * picture, true to the tables; damaged runs are refused; axes and quantiles. */
#include "../base/file.h"
#include "../report/map_report.h"
#include "../report/plot.h"
#include "../study/map_study.h"
#include "../study/quantile.h"
#include "page_check.h"
#include "play.h"
#include "small_inputs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- charts ---------------------------------------------------------------------------------- */

static void axes_take_in_their_numbers(void)
{
    static const double ends[][2] = {{0, 1},     {-0.151, 0.87}, {3e-9, 2e-7},   {1, 1},
                                     {0, 0},     {-2, -1},       {0.1, 123456},  {1e-12, 1e3},
                                     {-1e9, 12}, {5, 5.0001},    {0.999, 0.9999}};
    double              ticks[AXIS_TICKS];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int is_log = 0; is_log < 2; is_log++) {
            Axis axis = axis_new(is_log == 1);
            axis_add(&axis, ends[i][1]);
            axis_add(&axis, (double)NAN);
            axis_add(&axis, ends[i][0]);
            int count = axis_ticks(&axis, ticks);
            CHECK(count >= 2 && count <= AXIS_TICKS);
            for (int k = 1; k < count; k++)
                CHECK(ticks[k] > ticks[k - 1]);
            CHECK(axis.low == ticks[0] &&
                  fabs(axis.high - ticks[count - 1]) <= 1e-9 * fabs(axis.high));
            CHECK(axis_place(&axis, axis.low) == 0);
            CHECK_CLOSE(axis_place(&axis, axis.high), 1, 1e-12);
            CHECK(is_log || (axis.low <= ends[i][0] && axis.high >= ends[i][1]));
            CHECK(!is_log || ends[i][1] <= 0 || axis.high >= ends[i][1] * (1 - 1e-12));
            CHECK(axis_place(&axis, -1e300) == 0 && axis_place(&axis, (double)NAN) == 0);
        }
}

static void quantiles_lie_between_sorted_values(void)
{
    const double values[] = {1, 2, 4, 8, 16};
    CHECK(sorted_quantile(values, 5, 0) == 1 && sorted_quantile(values, 5, 1) == 16);
    CHECK(sorted_quantile(values, 5, 0.5) == 4);
    CHECK_CLOSE(sorted_quantile(values, 5, 0.1), 1.4, 1e-12);
    CHECK(sorted_quantile(values, 1, 0.9) == 1);
}

/* ---- pages ----------------------------------------------------------------------------------- */

// The page in a folder, or NULL; release with bytes_close.
static const char *read_page(const char *folder, Bytes *bytes)
{
    char path[LIMIT_PATH];
    return CHECK(path_join(path, folder, "index.html", NULL) &&
                 file_read(path, LIMIT_TEXT_FILE, bytes, NULL))
               ? (const char *)bytes->data
               : NULL;
}

static int count_of(const char *page, const char *text)
{
    int count = 0;
    for (const char *at = page; (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

// Balanced, without scripts, and every picture it names is there.
static void check_page(const char *folder, const char *page)
{
    const char *problem = page_problem(page);
    if (!CHECK(!problem))
        printf("  %s\n", problem);
    CHECK(!strstr(page, "<script") && !strstr(page, "://"));
    for (const char *at = page; (at = strstr(at, "src=\"")); at += 5) {
        char name[64] = "", path[LIMIT_PATH];
        sscanf(at + 5, "%63[^\"]", name);
        CHECK(path_join(path, folder, name, NULL) && file_exists(path));
    }
}

static void one_photo_has_a_page(void)
{
    Bytes bytes = {0};
    REQUIRE(play_inputs(4));
    REQUIRE(play("manipulate -m %s %s --target text:I --method gradient --steps 12 --rate 0.01 "
                 "--store float,png8 -t 1 -q -o %s",
                 play_blob, play_photo(0), in_folder("run"))
                ->code == 0);
    REQUIRE(play("report %s -t 1 -q -o %s", in_folder("run"), in_folder("page"))->code == 0);
    const char *page = read_page(in_folder("page"), &bytes);
    REQUIRE(page);
    check_page(in_folder("page"), page);
    CHECK(count_of(page, "<img ") == 6 && count_of(page, "class=\"control\"") == 4);
    CHECK(strstr(page, "amplified ") && strstr(page, "id=\"again\"") &&
          !strstr(page, "id=\"boxes\""));
    CHECK(count_of(page, "<polyline") == 3 + 2 * 2);
    bytes_close(&bytes);
    CHECK(play("report %s -t 1 -q -o %s", in_folder("run"), in_folder("run"))->code == 2);
}

static void pairs_have_box_plots(void)
{
    Bytes bytes = {0};
    REQUIRE(play_inputs(6));
    REQUIRE(play("manipulate -m %s --pairs 3 -d %s --method gradient,lrp --steps 3 --store "
                 "float,jpeg75 -t 1 -q -o %s",
                 play_blob, play_probe, in_folder("run"))
                ->code == 0);
    REQUIRE(play("report %s -t 1 -q", in_folder("run"))->code == 0);
    const char *page = read_page(in_folder("run-pages"), &bytes);
    REQUIRE(page);
    check_page(in_folder("run-pages"), page);
    // gradient on two networks, lrp on one; two ways to store, nine measures, each with its control
    CHECK(count_of(page, "<g class=\"box\">") == (2 + 1) * 2 * 9);
    CHECK(count_of(page, "<g class=\"box control\">") == (2 + 1) * 2 * 9);
    CHECK(count_of(page, "<h4>Pair ") == 6 && count_of(page, "<img ") == 36);
    CHECK(count_of(page, "class=\"band") == 2 * (3 + 2 * 2) && strstr(page, "3/3"));
    bytes_close(&bytes);
}

// Runs of units have no room for other runs than those of manipulate, and those no room for others.
static void a_moved_map_joins_the_page_of_units(void)
{
    Bytes bytes = {0};
    REQUIRE(play_inputs(4));
    REQUIRE(play("manipulate -m %s %s --target text:I --method lrp --steps 2 -t 1 -q -o %s",
                 play_blob, play_photo(0), in_folder("moved"))
                    ->code == 0 &&
            play("dissect -m %s -l conv22 -d %s -t 1 -q -o %s", play_blob, play_probe,
                 in_folder("clean"))
                    ->code == 0);
    REQUIRE(play("report %s %s -t 1 -q -o %s", in_folder("clean"), in_folder("moved"),
                 in_folder("page"))
                ->code == 0);
    const char *page = read_page(in_folder("page"), &bytes);
    REQUIRE(page);
    CHECK(!page_problem(page) && strstr(page, "href=\"#maps\"") && strstr(page, "id=\"maps\"") &&
          strstr(page, "src=\"pictures/0005.png\""));
    bytes_close(&bytes);
    CHECK(play("report %s %s -t 1 -q -o %s", in_folder("moved"), in_folder("moved"), in_folder("x"))
              ->code == 2);
    CHECK(play("report %s %s -t 1 -q -o %s", in_folder("clean"), in_folder("clean"), in_folder("x"))
              ->code == 2);
}

static void tables_are_read_as_they_were_written(void)
{
    MapStudy   study   = {0};
    MapResults results = {0};
    Bytes      first = {0}, second = {0};
    REQUIRE(play_inputs(6));
    REQUIRE(play("manipulate -m %s --pairs 2 -d %s --method guided,lrp --steps 3 --smooth 3:0.05 "
                 "--store float,jpeg75 -t 1 -q -o %s",
                 play_blob, play_probe, in_folder("run"))
                ->code == 0);
    REQUIRE(map_results_read(in_folder("run"), &study, &results, NULL));
    CHECK(study.pairs == 2 && study.method_count == 2);
    study.copies = 3, study.level = 0.05;
    REQUIRE(folder_create(in_folder("again"), NULL) &&
            map_results_write(&study, &results, in_folder("again"), NULL));
    static const char *const tables[] = {"measures.csv", "smoothing.csv", "steps.csv"};
    for (int i = 0; i < 3; i++)
        CHECK(same_file(in_folder("run/%s", tables[i]), in_folder("again/%s", tables[i])));
    map_results_close(&results);
    bytes_close(&first);
    bytes_close(&second);
}

static void maps_have_a_page(void)
{
    char  photo[LIMIT_PATH];
    Bytes bytes = {0};
    REQUIRE(play_inputs(4));
    snprintf(photo, sizeof photo, "%s", play_photo(1));
    REQUIRE(
        play("attribute -m %s %s %s --method gradient,integrated,lrp --steps 3 --beta 1,10 -t 1 "
             "-q -o %s",
             play_blob, play_photo(0), photo, in_folder("maps"))
            ->code == 0);
    CHECK(file_exists(in_folder("maps/0-photo.png")));
    REQUIRE(play("report %s -t 1 -q -o %s", in_folder("maps"), in_folder("page"))->code == 0);
    const char *page = read_page(in_folder("page"), &bytes);
    REQUIRE(page);
    check_page(in_folder("page"), page);
    CHECK(count_of(page, "<img ") == 2 * (1 + 3 * 2 * 2)); // photo; map and overlay
    CHECK(count_of(page, "<details>") == 2 && strstr(page, ">z-plus<"));
    bytes_close(&bytes);
}

/* ---- refused --------------------------------------------------------------------------------- */

// The text of a file with one word replaced by another, both once.
static bool damage(const char *path, const char *from, const char *to)
{
    Bytes   bytes  = {0};
    Writer *writer = NULL;
    if (!CHECK(file_read(path, LIMIT_TEXT_FILE, &bytes, NULL)))
        return false;
    const char *text = (const char *)bytes.data, *at = strstr(text, from);
    bool        ok = CHECK(at) && writer_open(&writer, path, NULL);
    if (ok)
        writer_text(writer, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    bytes_close(&bytes);
    return ok && writer_publish(writer, NULL);
}

static void damaged_runs_are_refused(void)
{
    static const struct {
        const char *run, *file, *from, *to, *says;
    } cases[] = {{"moved", "measures.csv", ",gradient,", ",magic,", "method is 'magic'"},
                 {"moved", "measures.csv", "map_mse_target", "x", "no column 'map_mse_target'"},
                 {"moved", "measures.csv", ",float,", ",tape,", "store is 'tape'"},
                 {"moved", "smoothing.csv", ",10:0.001,", ",10:,", "smooth is '10:'"},
                 {"moved", "steps.csv", "0,gradient,0,", "0,gradient,-1,", "steps.csv"},
                 {"moved", "run.json", "\"std\"", "\"stb\"", "no preparation"},
                 {"maps", "maps.csv", "\n0,", "\n../0,", "not the name of an image"},
                 {"maps", "maps.csv", ",gradient,", ",gradient/../x,", "not a method"},
                 {"maps", "maps.csv", "\n0,", "\nabsent,", "absent"}};
    REQUIRE(play_inputs(4));
    REQUIRE(play("manipulate -m %s %s --target text:I --method gradient --steps 1 -t 1 -q -o %s",
                 play_blob, play_photo(0), in_folder("moved"))
                    ->code == 0 &&
            play("attribute -m %s %s --method gradient -t 1 -q -o %s", play_blob, play_photo(0),
                 in_folder("maps"))
                    ->code == 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *run = in_folder("damaged%d", (int)i);
        REQUIRE(
            play_copy_tree(in_folder("%s", cases[i].run), run) &&
            damage(in_folder("damaged%d/%s", (int)i, cases[i].file), cases[i].from, cases[i].to));
        const Outcome *o = play("report %s -t 1 -q", run);
        if (!CHECK((o->code == ERROR_DATA || o->code == ERROR_NOT_FOUND) &&
                   strstr(o->err, cases[i].says)))
            printf("  %d: %s", o->code, o->err);
        CHECK(!file_exists(in_folder("damaged%d-pages/index.html", (int)i)));
    }
}

SUITE(map_report)
{
    RUN(axes_take_in_their_numbers);
    RUN(quantiles_lie_between_sorted_values);
    RUN(one_photo_has_a_page);
    RUN(pairs_have_box_plots);
    RUN(a_moved_map_joins_the_page_of_units);
    RUN(tables_are_read_as_they_were_written);
    RUN(maps_have_a_page);
    RUN(damaged_runs_are_refused);
}
