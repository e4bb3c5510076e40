/* tests/test_runs.c - dissect, noise and attack as programs: folders, rows, resuming, signals. */
#include "../format/json.h"
#include "../base/file.h"
#include "../format/npy.h"
#include "small_inputs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static bool starts_with(const char *path, const char *text)
{
    Bytes bytes = {0};
    bool  ok    = file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) && bytes.size >= strlen(text) &&
              memcmp(bytes.data, text, strlen(text)) == 0;
    bytes_close(&bytes);
    return ok;
}

/* ---- dissect --------------------------------------------------------------------------------- */

static void dissect_writes_a_run_folder(void)
{
    NEED_INPUTS();
    const char    *run = in_folder("run");
    const Outcome *o   = program_run("dissect -m %s -l conv22 -d %s -o %s -t 1", blob, probe, run);
    REQUIRE(o->code == 0);
    CHECK(strncmp(o->out, "conv22 of lenet: 6 units, 70 images", 35) == 0);
    CHECK(count_lines(in_folder("run/tally.csv")) == SMALL_UNITS + 1);
    CHECK(starts_with(in_folder("run/units.csv"), "layer,unit,description,score,"));
    CHECK(count_lines(in_folder("run/units.csv")) == SMALL_UNITS + 1);
    float *thresholds = NULL;
    Shape  shape;
    CHECK(npy_read(in_folder("run/quantile.npy"), &thresholds, &shape, NULL) &&
          shape_equal(shape, shape_1d(SMALL_UNITS)));
    memory_free(thresholds);
    Bytes bytes = {0};
    Json  json  = {0};
    REQUIRE(file_read(in_folder("run/run.json"), JSON_BYTES, &bytes, NULL));
    REQUIRE(json_read(bytes.data, bytes.size, "run.json", &json, NULL));
    CHECK_TEXT(json_member_text(&json, "verb"), "dissect");
    CHECK_TEXT(json_member_text(&json, "state"), "done");
    CHECK_TEXT(json_member(&json, json.nodes, "seed")->text, "0");
    CHECK_TEXT(json_member_text(&json, "weights.path"), blob);
    CHECK_TEXT(json_member_text(&json, "compat.mode"), "corrupt23");
    CHECK_TEXT(json_member_text(&json, "method"), "dissection");
    CHECK_TEXT(json_member_text(&json, "settings.method"), "dissection");
    CHECK(json_member(&json, json.nodes, "command")->count == 12);
    CHECK(json_member_text(&json, "weights.sha256") &&
          json_member_text(&json, "data.index_sha256"));
    CHECK(json_member(&json, json.nodes, "peak_memory_bytes") &&
          json_member_text(&json, "machine.isa"));
    json_free(&json);
    bytes_close(&bytes);
}

static void a_run_says_where_it_is_and_what_comes_next(void)
{
    NEED_INPUTS();
    const char    *run = in_folder("run"), *corrupted = in_folder("noise");
    char           told[2048];
    const Outcome *o = program_run("dissect -m %s -l conv22 -d %s -o %s", blob, probe, run);
    snprintf(told, sizeof told, "%s: tally.csv quantile.npy units.csv run.json\nnext: ", run);
    CHECK(o->code == 0 && strstr(o->err, told));
    snprintf(told, sizeof told, " report %s\n", run);
    CHECK(strstr(o->err, told));
    CHECK(
        !*program_run("dissect -m %s -l conv22 -d %s -o %s -q --overwrite", blob, probe, run)->err);
    o = program_run("noise --baseline %s --type uniform --std 0.1 -o %s", run, corrupted);
    snprintf(told, sizeof told, "%s: changes.csv summary.csv run.json\nnext: ", corrupted);
    CHECK(o->code == 0 && strstr(o->err, told));
}

static void pages_lie_beside_their_run(void)
{
    NEED_INPUTS();
    const char *run = dissect("clean", "");
    char        pages[LIMIT_PATH], told[2 * LIMIT_PATH];
    snprintf(pages, sizeof pages, "%s", in_folder("clean-pages"));
    const Outcome *o = program_run("report %s/ -q", run);
    snprintf(told, sizeof told, "%s/index.html\n", pages);
    CHECK(o->code == 0);
    CHECK_TEXT(o->out, told);
    CHECK(file_exists(in_folder("clean-pages/index.html")));
    o = program_run("report %s", run);
    snprintf(told, sizeof told, "%s: exists already; --overwrite replaces it", pages);
    CHECK(o->code == 73 && strstr(o->err, told));
    CHECK(program_run("report %s --overwrite", run)->code == 0);
    o = program_run("report %s/.", run);
    CHECK(o->code == 2 && strstr(o->err, "name them with -o"));
}

// It is somebody's work, so it stays, and whoever reads the run hears of it.
static void an_unfinished_replacement_is_noted(void)
{
    NEED_INPUTS();
    char clean[LIMIT_PATH], noise[LIMIT_PATH], line[5][4 * LIMIT_PATH], told[2 * LIMIT_PATH];
    snprintf(clean, sizeof clean, "%s", dissect("clean", ""));
    snprintf(noise, sizeof noise, "%s", in_folder("noise"));
    snprintf(told, sizeof told, "note: %s/.next holds an unfinished run", clean);
    snprintf(line[0], sizeof line[0], "explain unit 0 %s", clean);
    snprintf(line[1], sizeof line[1], "compare %s %s", clean, clean);
    snprintf(line[2], sizeof line[2], "noise %s --type uniform --std 0.1 -o %s", clean, noise);
    snprintf(line[3], sizeof line[3], "report %s", clean);
    snprintf(line[4], sizeof line[4], "dissect -m %s -l conv22 -d %s -o %s --resume", blob, probe,
             clean);
    CHECK(!strstr(program_run("%s", line[0])->err, "note: "));
    REQUIRE(folder_create(in_folder("clean/.next"), NULL) &&
            file_publish(in_folder("clean/.next/unfinished.json"), "{}", 2, NULL));
    const Outcome *o;
    for (int i = 0; i < 5; i++) {
        o = program_run("%s", line[i]);
        if (!CHECK(o->code == 0 && strstr(o->err, told)))
            printf("  %s: %s\n", line[i], o->err);
    }
    CHECK(!strstr(program_run("%s -q", line[0])->err, "note: "));
    REQUIRE(folder_create(in_folder("noise/.next"), NULL));
    o = program_run("report %s -o %s", noise, in_folder("pages"));
    CHECK(o->code == 0 && strstr(o->err, "noise/.next holds") &&
          strstr(o->err, "clean/.next holds"));
    CHECK(folder_exists(in_folder("clean/.next")));
    CHECK(
        program_run("dissect -m %s -l conv22 -d %s -o %s --overwrite", blob, probe, clean)->code ==
        0);
    CHECK(!folder_exists(in_folder("clean/.next")));
}

static void describe_is_dissect_by_another_name(void)
{
    NEED_INPUTS();
    dissect("a", "");
    const char    *b = in_folder("b");
    const Outcome *o =
        program_run("describe --method dissection -m %s -l conv22 -d %s -o %s", blob, probe, b);
    CHECK(o->code == 0 && strncmp(o->out, "conv22 of lenet: 6 units, 70 images", 35) == 0);
    static const char *const files[] = {"tally.csv", "quantile.npy", "units.csv"};
    for (int i = 0; i < 3; i++)
        CHECK(same_file(in_folder("a/%s", files[i]), in_folder("b/%s", files[i])));
    CHECK(program_run("noise --baseline %s --type uniform --std 0.1 -o %s", b, in_folder("n"))
              ->code == 0);
    CHECK(program_run("compare %s %s --fail-over 0", in_folder("a"), b)->code == 0);
    CHECK(program_run("report %s -o %s", b, in_folder("page"))->code == 0);
    CHECK(program_run("dissect -m %s -l conv22 -d %s -o %s --resume", blob, probe, b)->code == 73);
}

// Runs that were made before run.json named a method.
static void a_run_without_a_method_is_a_dissection(void)
{
    NEED_INPUTS();
    static const char named[] = "\"method\": \"dissection\"";
    const char       *run = dissect("run", ""), *document = in_folder("run/run.json");
    Bytes             bytes = {0};
    REQUIRE(file_read(document, JSON_BYTES, &bytes, NULL));
    char *copy = memory_text((const char *)bytes.data, NULL);
    for (char *at = copy; (at = strstr(at, named)); at++)
        memcpy(at, "\"earlier\": \"\"         ", sizeof named - 1);
    REQUIRE(file_publish(document, copy, bytes.size, NULL));
    memory_free(copy);
    bytes_close(&bytes);
    CHECK(program_run("explain unit 0 --baseline %s", run)->code == 0);
    CHECK(program_run("compare %s %s", run, run)->code == 0);
    CHECK(file_publish(document, "{\"method\": \"guessing\"}", 22, NULL));
    const Outcome *o = program_run("compare %s %s", run, run);
    CHECK(o->code == 65 && strstr(o->err, "'guessing' is no explanation method"));
}

static void results_do_not_depend_on_threads_or_batch(void)
{
    NEED_INPUTS();
    dissect("a", "-t 1 -b 1");
    dissect("b", "-t 2 -b 7");
    CHECK(same_file(in_folder("a/tally.csv"), in_folder("b/tally.csv")) &&
          same_file(in_folder("a/quantile.npy"), in_folder("b/quantile.npy")));
}

static void a_run_is_refused_resumed_or_overwritten(void)
{
    NEED_INPUTS();
    const char *run = dissect("run", "");
    char        line[1024];
    snprintf(line, sizeof line, "dissect -m %s -l conv22 -d %s -o %s", blob, probe, run);
    CHECK(program_run("%s", line)->code == 73);
    const Outcome *o = program_run("%s --resume", line);
    CHECK(o->code == 0 && strstr(o->err, "nothing to do"));
    CHECK(program_run("%s --resume --limit 3", line)->code == 73);
    CHECK(count_lines(in_folder("run/tally.csv")) == SMALL_UNITS + 1);
    CHECK(program_run("%s --overwrite --limit 3", line)->code == 0);
    CHECK(program_run("%s --resume --limit 3", line)->code == 0);
}

static void an_unknown_layer_is_exit_2_and_leaves_nothing(void)
{
    NEED_INPUTS();
    const char    *run = in_folder("run");
    const Outcome *o   = program_run("dissect -m %s -l conv99 -d %s -o %s", blob, probe, run);
    CHECK(o->code == 2 && strstr(o->err, "conv99") && strstr(o->err, "conv12"));
    CHECK(!folder_exists(run));
}

/* ---- noise, attack --------------------------------------------------------------------------- */

static const char changes_header[] =
    "method,strength,store,unit0,clean_category,clean_label,clean_iou,new_category,new_label,new_"
    "iou,"
    "clean_label_iou,target_category,target_label,target_iou,poisoned,fraction,linf_before_store,"
    "linf_after_store,changed,hit,outcome,new_threshold\n";

static void noise_writes_a_row_for_each_unit_and_setting(void)
{
    NEED_INPUTS();
    const char    *clean = dissect("clean", "");
    const Outcome *o     = program_run("noise --baseline %s --type gaussian --std 0.05,0.2 --store "
                                           "png8,float -o %s",
                                       clean, in_folder("noise"));
    REQUIRE(o->code == 0);
    CHECK(strstr(o->out, "seed 0"));
    CHECK(starts_with(in_folder("noise/changes.csv"), changes_header));
    CHECK(count_lines(in_folder("noise/changes.csv")) == 1 + 2 * 3 * SMALL_UNITS);
    CHECK(file_exists(in_folder("noise/summary.csv")) && file_exists(in_folder("noise/run.json")));
    CHECK(!file_exists(in_folder("noise/unfinished.json")));
}

// Passes that two units share.
static int shared_passes(const char *clean, const char *store)
{
    const Outcome *o = program_run("attack --baseline %s -u 0,1 --steps 1 --store %s -o %s", clean,
                                   store, in_folder("attack-%s", store));
    CHECK(o->code == 0 && strncmp(o->err, "attack: 2 units, ", 17) == 0 &&
          strstr(o->err, "\na pass is one photo"));
    const char *passes = strstr(o->err, " passes: ");
    int         shared = 0;
    CHECK(passes && sscanf(passes, " passes: %d shared + ", &shared) == 1);
    return shared;
}

// 70 clean maps, and as controls the images that are perturbed, unless their floats are kept.
static void an_attack_says_what_it_will_cost(void)
{
    NEED_INPUTS();
    const char *clean  = dissect("clean", "");
    int         stored = shared_passes(clean, "jpeg75");
    CHECK(shared_passes(clean, "float") == 70 && stored > 70 && stored <= 140);
}

static void summaries_fit_a_terminal(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "");
    for (int targeted = 0; targeted < 2; targeted++) {
        const Outcome *o = targeted
                               ? program_run("attack --baseline %s -u all --eps 0.123456 --target "
                                             "random --store jpeg75 -o %s -q",
                                             clean, in_folder("attack"))
                               : program_run("noise --baseline %s --type bernoulli --std 0.123456 "
                                             "--store jpeg75 -o %s -q",
                                             clean, in_folder("noise"));
        REQUIRE(o->code == 0 && strstr(o->out, "changed   "));
        for (const char *line = o->out; *line; line += strcspn(line, "\n") + 1)
            CHECK(strcspn(line, "\n") <= 80);
        CHECK(!strstr(o->out, "units with a target") == !targeted);
    }
}

static void noise_does_not_depend_on_threads_or_batch(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "");
    char        line[1024];
    snprintf(line, sizeof line,
             "noise --baseline %s --type uniform --std 0.05,0.2 --store png8,float -q", clean);
    REQUIRE(program_run("%s -o %s", line, in_folder("a"))->code == 0);
    REQUIRE(program_run("%s -o %s -t 1 -b 3", line, in_folder("b"))->code == 0);
    CHECK(same_file(in_folder("a/changes.csv"), in_folder("b/changes.csv")));
}

static void attack_keeps_to_units_and_eps(void)
{
    NEED_INPUTS();
    const char    *clean = dissect("clean", "");
    const Outcome *o =
        program_run("attack --baseline %s -u 0-2,5 --eps 8/255,0.1 --steps 3 --store "
                    "float -o %s --keep-images",
                    clean, in_folder("attack"));
    REQUIRE(o->code == 0);
    CHECK(starts_with(in_folder("attack/changes.csv"), changes_header));
    CHECK(count_lines(in_folder("attack/changes.csv")) == 1 + 4 * 3);
    CHECK(folder_exists(in_folder("attack/poisoned")));
    CHECK(
        program_run("attack --baseline %s -u 6 --keep-images -o %s", clean, in_folder("x"))->code ==
        2);
    CHECK(
        program_run("attack --baseline %s -u 0 --target color:nothing -o %s", clean, in_folder("x"))
            ->code == 2);
    CHECK(!folder_exists(in_folder("x")));
    CHECK(program_run("attack --baseline %s -u 0 --target random --steps 2 --loss soft-iou --masks "
                      "activations --method fgsm -o %s",
                      clean, in_folder("y"))
              ->code == 0);
}

static void a_baseline_of_other_weights_is_refused(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "");
    REQUIRE(make_blob(blob, 2));
    const Outcome *o =
        program_run("noise --baseline %s --type uniform --std 0.1 -o %s", clean, in_folder("x"));
    CHECK(o->code == 65 && strstr(o->err, "SHA-256"));
    CHECK(!folder_exists(in_folder("x")));
}

static void a_baseline_decides_mode_and_limit(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "--compat clean --limit 9");
    char        line[1024];
    snprintf(line, sizeof line, "noise --baseline %s --type uniform --std 0.1 -q", clean);
    CHECK(program_run("%s --compat lite -o %s", line, in_folder("x"))->code == 2);
    CHECK(program_run("%s --limit 8 -o %s", line, in_folder("x"))->code == 2);
    const Outcome *o = program_run("%s --compat clean --limit 9 -o %s", line, in_folder("x"));
    CHECK(o->code == 0 && strstr(o->out, "noise of conv22: 9 images"));
    o = program_run("noise --baseline %s --type uniform --std 0.1 -q -o %s", in_folder("x"),
                    in_folder("y"));
    CHECK(o->code == 2 && strstr(o->err, "run of 'noise'"));
}

static void a_signal_stops_a_run_after_the_batch(void)
{
    NEED_INPUTS();
    const char      *clean     = dissect("clean", "");
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        const char    *out = in_folder("out%d", i);
        const Outcome *o =
            program_interrupt(signals[i], in_folder("out%d/rows.checkpoint", i),
                              "attack --baseline %s -u all --steps 400 --eps "
                              "0.01,0.02,0.03,0.04,0.05,0.06,0.07,0.08,0.09,0.1 -o %s",
                              clean, out);
        if (!CHECK(o->code == 128 + signals[i]))
            printf("  exit %d: %s\n", o->code, o->err);
        char document[LIMIT_PATH];
        CHECK(path_join(document, out, "run.json", NULL) && !file_exists(document));
    }
}

SUITE(runs)
{
    RUN(dissect_writes_a_run_folder);
    RUN(a_run_says_where_it_is_and_what_comes_next);
    RUN(pages_lie_beside_their_run);
    RUN(an_unfinished_replacement_is_noted);
    RUN(describe_is_dissect_by_another_name);
    RUN(a_run_without_a_method_is_a_dissection);
    RUN(results_do_not_depend_on_threads_or_batch);
    RUN(a_run_is_refused_resumed_or_overwritten);
    RUN(an_unknown_layer_is_exit_2_and_leaves_nothing);
    RUN(noise_writes_a_row_for_each_unit_and_setting);
    RUN(an_attack_says_what_it_will_cost);
    RUN(summaries_fit_a_terminal);
    RUN(noise_does_not_depend_on_threads_or_batch);
    RUN(attack_keeps_to_units_and_eps);
    RUN(a_baseline_of_other_weights_is_refused);
    RUN(a_baseline_decides_mode_and_limit);
    RUN(a_signal_stops_a_run_after_the_batch);
}
