/* tests/test_likeness.c - runs that differ are not taken for runs that are alike, and a run is
 * found again wherever it goes. */
#include "../base/file.h"
#include "../format/csv.h"
#include "../format/json.h"
#include "play.h"
#include "small_inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool says(const Outcome *o, int code, const char *told)
{
    bool right = o->code == code && (strstr(o->err, told) || strstr(o->out, told));
    if (!right)
        printf("  exit %d, expected %d and '%s': %s", o->code, code, told, o->err);
    return right;
}

// Paths that last, below the test's folder.
static const char *lasting(int slot, const char *name)
{
    static char paths[8][LIMIT_PATH];
    snprintf(paths[slot], LIMIT_PATH, "%s", in_folder("%s", name));
    return paths[slot];
}

/* ---- what may be compared -------------------------------------------------------------------- */

static void other_units_are_not_compared(void)
{
    const char *a = lasting(0, "a"), *b = lasting(1, "b"), *c = lasting(2, "c");
    const char *noise = lasting(3, "noise");
    NEED_INPUTS();
    dissect("a", "");
    REQUIRE(program_run("dissect -m %s -l conv21 -d %s -o %s", blob, probe, b)->code == 0);
    CHECK(says(program_run("compare %s %s", a, b), 2, "layer is 'conv22' and 'conv21'"));
    REQUIRE(program_run("noise --baseline %s --type uniform --std 0.1 -o %s", a, noise)->code == 0);
    CHECK(says(program_run("compare %s %s", a, noise), 2, "is a run of noise; compare takes two"));
    CHECK(says(program_run("compare %s %s", noise, a), 2, "changes.csv already compares"));
    REQUIRE(make_blob(blob, 2));
    dissect("c", "");
    CHECK(says(program_run("compare %s %s", a, c), 2, "weights_sha256 is"));
}

static void other_settings_are_told(void)
{
    static const char *const more[] = {"--limit 9", "--compat clean", "--readout post",
                                       "--categories color"};
    static const char *const told[] = {"limit", "compat", "readout", "categories"};
    const char              *a      = lasting(0, "a");
    NEED_INPUTS();
    dissect("a", "");
    for (int i = 0; i < 4; i++) {
        char        line[64];
        const char *b = lasting(1, more[i] + 2);
        snprintf(line, sizeof line, "the runs differ in %s", told[i]);
        for (char *blank = strchr((char *)(uintptr_t)b, ' '); blank; blank = NULL)
            *blank = '-';
        const Outcome *o =
            program_run("dissect -m %s -l conv22 -d %s -o %s %s", blob, probe, b, more[i]);
        if (o->code == 2 && strstr(o->err, "has no category"))
            continue;
        REQUIRE(o->code == 0);
        CHECK(says(program_run("compare %s %s", a, b), 0, line));
        CHECK(says(program_run("compare %s %s --json", a, b), 0, told[i]));
    }
    CHECK(says(program_run("compare %s %s --json", a, a), 0, "\"differences\": []"));
}

/* ---- photos that were stored ----------------------------------------------------------------- */

static Csv *table_open(const char *folder, const char *file)
{
    char  path[LIMIT_PATH];
    Bytes bytes = {0};
    Csv  *csv   = NULL;
    CHECK(path_join(path, folder, file, NULL) && file_read(path, 1 << 20, &bytes, NULL) &&
          csv_open(&csv, bytes.data, bytes.size, path, NULL));
    bytes_close(&bytes);
    return csv;
}

static const char *cell(const Csv *csv, int64_t row, const char *column)
{
    return csv_text(csv, row, csv_column(csv, column));
}

// Each unit's new description and score in the control row of a sweep are those of the clean run.
static void check_control(const char *clean, const char *sweep, const char *store)
{
    Csv    *units = table_open(clean, "units.csv"), *changes = table_open(sweep, "changes.csv");
    int64_t unit = 0;
    REQUIRE(units && changes);
    for (int64_t row = 0; row < csv_row_count(changes); row++) {
        if (strcmp(cell(changes, row, "strength"), "0") != 0 ||
            strcmp(cell(changes, row, "store"), store) != 0)
            continue;
        REQUIRE(unit < csv_row_count(units));
        CHECK_TEXT(cell(changes, row, "new_label"), cell(units, unit, "description"));
        CHECK(fabs(strtod(cell(changes, row, "new_iou"), NULL) -
                   strtod(cell(units, unit, "score"), NULL)) < 1e-9);
        unit++;
    }
    CHECK(unit == SMALL_UNITS);
    csv_close(units);
    csv_close(changes);
}

static void a_stored_set_is_a_control_of_its_own(void)
{
    const char *clean = lasting(0, "clean"), *stored = lasting(1, "stored");
    const char *png = lasting(2, "png"), *noise = lasting(3, "noise"), *out = lasting(4, "out");
    NEED_INPUTS();
    dissect("clean", "");
    dissect("stored", "--store jpeg75");
    dissect("png", "--store png8");
    REQUIRE(program_run("noise --baseline %s --type uniform --std 0.1 --store jpeg75,png8 -o %s",
                        clean, noise)
                ->code == 0);
    check_control(stored, noise, "jpeg75");
    check_control(png, noise, "png8");
    CHECK(!same_file(in_folder("clean/tally.csv"), in_folder("stored/tally.csv")));
    CHECK(same_file(in_folder("clean/tally.csv"), in_folder("png/tally.csv"))); // (W5)
    CHECK(says(program_run("compare %s %s", clean, stored), 0,
               "the runs differ in store: 'float' and 'jpeg75'"));
    CHECK(says(program_run("explain unit 0 --baseline %s", stored), 0, "images stored as jpeg75"));
    CHECK(says(program_run("report %s -o %s", stored, out), 0, "index.html"));
    CHECK(says(program_run("dissect -m %s -l conv22 -d %s -o %s --resume", blob, probe, stored), 73,
               "store was 'jpeg75', now it is 'float'"));
    // A baseline is of photos as they are.
    const char *told = "of photos stored as jpeg75";
    out              = lasting(5, "other");
    CHECK(says(program_run("noise --baseline %s --type uniform --std 0.1 -o %s", stored, out), 2,
               told));
    CHECK(says(program_run("attack --baseline %s -u 0 -o %s", stored, out), 2, told));
    CHECK(says(program_run("report %s --baseline %s -o %s", noise, stored, out), 2, told));
    CHECK(!folder_exists(out));
    CHECK(says(
        program_run("dissect -m %s -l conv22 -d %s -o %s --store png8,float", blob, probe, out), 2,
        "--store: 'png8,float' is not one of"));
}

/* ---- sets that changed ----------------------------------------------------------------------- */

static void a_photo_that_changed_is_noticed(void)
{
    const char *clean = lasting(0, "clean"), *noise = lasting(1, "noise");
    Bytes       bytes = {0};
    NEED_INPUTS();
    dissect("clean", "");
    REQUIRE(program_run("noise --baseline %s --type uniform --std 0.1 -o %s", clean, noise)->code ==
            0);
    ProbeSet set = {0};
    REQUIRE(probe_open(&set, probe, NULL, NULL));
    char first[LIMIT_PATH], second[LIMIT_PATH];
    snprintf(first, sizeof first, "%s", photo_path(&set, 0));
    snprintf(second, sizeof second, "%s", photo_path(&set, 1));
    probe_close(&set);
    REQUIRE(file_read(second, 1 << 20, &bytes, NULL) &&
            file_publish(first, bytes.data, bytes.size, NULL));
    bytes_close(&bytes);
    const char *told = "are other files than when";
    const char *out  = lasting(2, "out");
    CHECK(says(program_run("noise --baseline %s --type uniform --std 0.1 -o %s", clean, out), 65,
               told));
    CHECK(says(program_run("attack --baseline %s -u 0 -o %s", clean, out), 65, told));
    CHECK(says(program_run("report %s -o %s", noise, out), 65, told));
    CHECK(says(program_run("explain unit 0 --baseline %s", clean), 65, told));
    CHECK(!folder_exists(out));
}

static void an_image_in_two_rows_is_refused(void)
{
    NEED_INPUTS();
    const char *index = lasting(0, "probe/index.csv"), *out = lasting(1, "out");
    Bytes       bytes = {0};
    snprintf((char *)(uintptr_t)index, LIMIT_PATH, "%s/index.csv", probe);
    REQUIRE(file_read(index, 1 << 20, &bytes, NULL));
    const char *row  = strchr((const char *)bytes.data, '\n') + 1;
    size_t      end  = (size_t)(strchr(row, '\n') + 1 - row);
    char       *text = memory_new(bytes.size + end, 1, NULL);
    REQUIRE(text != NULL);
    memcpy(text, bytes.data, bytes.size);
    memcpy(text + bytes.size, row, end);
    REQUIRE(file_publish(index, text, bytes.size + end, NULL));
    memory_free(text);
    bytes_close(&bytes);
    CHECK(says(program_run("verify -d %s", probe), 1, "is in line 2 already"));
    CHECK(says(program_run("dissect -m %s -l conv22 -d %s -o %s", blob, probe, out), 65,
               "index.csv: line 72: "));
    CHECK(!folder_exists(out));
}

/* ---- runs that travel ------------------------------------------------------------------------ */

static void a_run_is_found_again_wherever_it_goes(void)
{
    const char *home = lasting(0, "home"), *there = lasting(1, "there"), *runs = lasting(2, "runs");
    const char *moved = lasting(3, "moved"), *net = lasting(4, "other.nw");
    NEED_INPUTS();
    char line[4 * LIMIT_PATH], here[LIMIT_PATH];
    REQUIRE(getcwd(here, sizeof here) && play_inputs(7) && folder_create(home, NULL));
    snprintf(line, sizeof line, "%s/set", home);
    REQUIRE(play_copy_tree(play_probe, line));
    REQUIRE(chdir(home) == 0);
    bool made =
        play("dissect -m ../net.nw -l conv22 -d set -o runs/clean -t 1 -q")->code == 0 &&
        play("noise --baseline runs/clean --type uniform --std 0.1 -o runs/noise -t 1 -q")->code ==
            0;
    REQUIRE(chdir(here) == 0);
    REQUIRE(made);
    // From another folder, then with its surroundings moved.
    CHECK(play("explain unit 0 --baseline %s/runs/clean -t 1", home)->code == 0);
    CHECK(play("report %s/runs/noise -o %s/a -t 1", home, home)->code == 0);
    REQUIRE(rename(home, there) == 0);
    CHECK(play("report %s/runs/noise -o %s/b -t 1", there, there)->code == 0);
    // Both runs for a colleague: what they were made with is named.
    snprintf(line, sizeof line, "%s/runs", there);
    REQUIRE(rename(line, runs) == 0);
    REQUIRE(rename(in_folder("net.nw"), net) == 0);
    CHECK(says(play("explain unit 0 %s/clean -t 1", runs), 66,
               "which are not there; name them with -m and -d"));
    CHECK(says(play("explain unit 0 --baseline %s/clean -d %s/set -t 1", runs, there), 66,
               "name it with -m"));
    const Outcome *o = play("report %s/noise -m %s -o %s/c -t 1", runs, net, there);
    CHECK(says(o, 66, "which is not there; name it with -d"));
    CHECK(strstr(o->err, "was made with the probing set set"));
    CHECK(play("report %s/noise -m %s -d %s/set -o %s/c -t 1", runs, net, there, there)->code == 0);
    CHECK(play("attack --baseline %s/clean -u 0 --steps 1 -m %s -d %s/set -o %s/attack -t 1", runs,
               net, there, there)
              ->code == 0);
    // The clean run elsewhere, and another one in its place.
    snprintf(line, sizeof line, "%s/clean", runs);
    REQUIRE(rename(line, moved) == 0);
    CHECK(says(play("report %s/noise -m %s -d %s/set -o %s/d -t 1", runs, net, there, there), 66,
               "name it with --baseline"));
    snprintf(line, sizeof line, "report %s/noise -m %s -d %s/set -t 1", runs, net, there);
    CHECK(play("%s --baseline %s -o %s/d", line, moved, there)->code == 0);
    REQUIRE(
        play("dissect -m %s -l conv22 -d %s/set --limit 5 -o %s/clean -t 1 -q", net, there, runs)
            ->code == 0);
    CHECK(says(play("%s -o %s/e", line, there), 2, "was made from another clean run"));
    REQUIRE(make_blob(net, 2));
    CHECK(says(play("explain unit 0 --baseline %s -m %s -d %s/set -t 1", moved, net, there), 65,
               "SHA-256 is"));
}

SUITE(likeness)
{
    RUN(other_units_are_not_compared);
    RUN(other_settings_are_told);
    RUN(a_stored_set_is_a_control_of_its_own);
    RUN(a_photo_that_changed_is_noticed);
    RUN(an_image_in_two_rows_is_refused);
    RUN(a_run_is_found_again_wherever_it_goes);
}
