/* tests/test_cli.c - arguments, units, text for the terminal: what the command line is made of. */
#include "../cli/commands.h"
#include "../cli/inputs.h"
#include "../cli/next.h"
#include "../cli/output.h"
#include "../cli/progress.h"
#include "../cli/units.h"
#include "../study/study.h"
#include "test.h"

#include <math.h>
#include <string.h>

/* ---- arguments ------------------------------------------------------------------------------- */

enum { MOST_WORDS = 40 };

// Parses words separated by blanks; the words live until the next call but three.
static bool parse(const char *verb, const char *line, Settings *out, Error *error)
{
    static char slots[4][1024];
    static int  next;
    const char *words[MOST_WORDS];
    int         count = 0;
    char       *text  = slots[next++ % 4];
    snprintf(text, sizeof slots[0], "%s", line);
    for (char *word = strtok(text, " "); word && count < MOST_WORDS; word = strtok(NULL, " "))
        words[count++] = word;
    return arguments_parse(verb_named(verb), count, words, out, error);
}

static void every_shared_option_is_read(void)
{
    Settings s = {0};
    REQUIRE(parse("noise",
                  "--baseline P --type uniform --std 1 -o O --threads 3 --batch=5 -s "
                  "18446744073709551615 --limit 7 --compat lite "
                  "-q -v --json --progress plain --overwrite",
                  &s, NULL));
    CHECK(s.threads == 3 && s.batch == 5 && s.limit == 7 && s.seed == UINT64_MAX);
    CHECK_TEXT(s.compat, "lite");
    CHECK(s.quiet && s.verbose && s.json && s.overwrite && !s.resume);
    CHECK(s.progress == PROGRESS_PLAIN);
    CHECK_TEXT(s.baseline, "P");
    arguments_free(&s);
}

static void every_attack_option_is_read(void)
{
    Settings s = {0};
    REQUIRE(
        parse("attack",
              "--baseline B -u detectors:8 --target scene:street-s --eps 4/255,0.5,1e-2 --steps 3 "
              "--method fgsm --loss soft-iou --masks activations --keep-images -o O --resume "
              "--store jpeg75,float",
              &s, NULL));
    CHECK_TEXT(s.baseline, "B");
    CHECK(s.stores.count == 2 && s.stores.value[0] == STORE_JPEG75 &&
          s.stores.value[1] == STORE_FLOAT);
    CHECK_TEXT(s.units, "detectors:8");
    CHECK_TEXT(s.target, "scene:street-s");
    CHECK_TEXT(s.out, "O");
    CHECK(s.strengths.count == 3 && s.strengths.value[0] == 4.0 / 255 &&
          s.strengths.value[1] == 0.5 && s.strengths.value[2] == 0.01);
    CHECK(s.steps == 3 && s.pgd == PGD_FGSM && s.loss == LOSS_SOFT_IOU &&
          s.masks == MASKS_ACTIVATIONS && s.keep_images && s.resume);
    arguments_free(&s);
}

static void every_noise_option_is_read(void)
{
    Settings s = {0};
    REQUIRE(parse("noise", "--baseline B --type bernoulli --std 0.02,0.05 --fraction 0.25 -oOUT",
                  &s, NULL));
    CHECK(s.noise == NOISE_BERNOULLI && s.fraction == 0.25 && s.strengths.count == 2);
    CHECK_TEXT(s.out, "OUT");
    arguments_free(&s);
}

static void network_and_picture_options_are_read(void)
{
    Settings s = {0};
    REQUIRE(
        parse("activations",
              "-m M -l conv1_1 --gradient 17 G.npy --activation softplus:10 a.jpg b.jpg -o O.npy "
              "--readout post --conv winograd",
              &s, NULL));
    CHECK(s.gradient.number == 17 && s.readout == READOUT_POST && s.conv == CONV_WINOGRAD &&
          s.input_count == 2);
    CHECK_TEXT(s.gradient.text, "G.npy");
    CHECK_TEXT(s.inputs[1], "b.jpg");
    arguments_free(&s);
    REQUIRE(parse("image", "-o a.jpg --quality 90 --sampling 444 --resize 256 --crop 224 -- -x.png",
                  &s, NULL));
    CHECK(s.quality == 90 && s.sampling == 2 && s.resize == 256 && s.crop == 224);
    CHECK_TEXT(s.inputs[0], "-x.png");
    arguments_free(&s);
}

static void defaults_are_the_published_ones(void)
{
    Settings s = {0};
    REQUIRE(parse("attack", "--baseline B -u all -o O", &s, NULL));
    CHECK(s.seed == 0 && s.threads == 0 && s.batch == 0 && s.limit == 0 && !s.compat);
    CHECK(s.max_pixels == LIMIT_IMAGE_PIXELS);
    CHECK(s.stores.count == 0 && s.strengths.count == 1 && s.strengths.value[0] == 4.0 / 255);
    CHECK(s.steps == 10 && s.pgd == PGD_STEPS && s.loss == LOSS_MEAN && s.masks == MASKS_LABELS &&
          !s.target);
    arguments_free(&s);
    REQUIRE(parse("compare", "A B", &s, NULL));
    CHECK(s.fail_over < 0);
    arguments_free(&s);
    REQUIRE(parse("compare", "A B --fail-over 0", &s, NULL));
    CHECK(s.fail_over == 0);
    arguments_free(&s);
    REQUIRE(parse("dissect", "-m M -l L -d P -o O", &s, NULL));
    CHECK(s.store == STORE_FLOAT);
    arguments_free(&s);
}

static void all_that_is_missing_is_told_at_once(void)
{
    Settings s     = {0};
    Error    error = {0};
    CHECK(!parse("noise", "", &s, &error));
    CHECK_TEXT(error.message, "noise: needs RUN, --type gaussian|uniform|bernoulli, "
                              "--std S[,S...], --out OUT");
    error = (Error){0};
    CHECK(!parse("report", "", &s, &error));
    CHECK_TEXT(error.message, "report: needs RUN [RUN_B...]");
}

// The last input and the option of that name are two spellings of one thing.
static void a_run_is_positional_everywhere(void)
{
    static const struct {
        const char *verb, *line;
    } cases[]  = {{"noise", "R --type uniform --std 1 -o O"},
                  {"noise", "--type uniform --std 1 -o O --baseline R"},
                  {"noise", "R --type uniform --std 1 -o O --baseline R"},
                  {"attack", "-u 0 R -o O"},
                  {"attack", "-u 0 --baseline=R -o O"},
                  {"explain", "unit 3 R"},
                  {"explain", "unit 3 --baseline R"}};
    Settings s = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REQUIRE(parse(cases[i].verb, cases[i].line, &s, NULL));
        CHECK_TEXT(s.baseline, "R");
        arguments_free(&s);
    }
    REQUIRE(parse("verify", "P", &s, NULL));
    CHECK_TEXT(s.data, "P");
    arguments_free(&s);
}

static void a_slip_is_told_with_what_was_meant(void)
{
    Settings s     = {0};
    Error    error = {0};
    CHECK(!parse("dissect", "--overwirte", &s, &error));
    CHECK(strstr(error.message, "did you mean --overwrite") != NULL);
    error = (Error){0};
    CHECK(!parse("dissect", "--nonsense", &s, &error) && !strstr(error.message, "did you mean"));
    CHECK(word_slips("disect", 6, "dissect") == 1 && word_slips("dissetc", 7, "dissect") == 1);
    CHECK(word_slips("dissect", 7, "dissect") == 0 && word_slips("disecct", 7, "dissect") == 2);
    CHECK(word_slips("attack", 6, "dissect") < 0 && word_slips("", 0, "noise") < 0);
}

static void wrong_usage_names_the_offending_text(void)
{
    static const struct {
        const char *verb, *line, *told;
    } cases[] = {
        {"verify", "-d P --nope", "--nope"},
        {"verify", "-d P -x", "-x"},
        {"verify", "-d P --nope=3", "--nope"},
        {"verify", "", "PROBE"},
        {"verify", "P -d Q", "'P' and --data 'Q' are two"},
        {"noise", "A --baseline B --type uniform --std 1 -o O", "'A' and --baseline 'B' are two"},
        {"explain", "unit 3", "explain unit: needs RUN"},
        {"explain", "unit x RUN", "'x' is not a unit"},
        {"explain", "unit 3 RUN -l conv1_1", "does not take --layer"},
        {"explain", "pixel a.png -l conv1_1", "needs --model FILE.nw, --units U, --at Y,X"},
        {"explain", "pixel a.png RUN -m M -l L -u 0 --at 1,1", "does not take a run"},
        {"explain", "word 3", "'word' is neither unit nor pixel"},
        {"verify", "-d", "--data"},
        {"verify", "-d --json", "--data"},
        {"verify", "--data=", "--data"},
        {"verify", "-d P extra", "extra"},
        {"verify", "-d P -d Q", "--data"},
        {"verify", "-d P --json --json", "--json"},
        {"verify", "-d P --json=1", "'1'"},
        {"verify", "-d P -q2", "'2'"},
        {"verify", "-d P -t x", "'x'"},
        {"verify", "-d P -t -1", "'-1'"},
        {"verify", "-d P -t 3.5", "'3.5'"},
        {"verify", "-d P -t 2147483648", "'2147483648'"},
        {"verify", "-d P -t 99999999999999999999999", "'99999999999999999999999'"},
        {"noise", "-s 18446744073709551616", "'18446744073709551616'"},
        {"noise", "-s -1", "'-1'"},
        {"noise", "--compat caffe", "'caffe'"},
        {"noise", "--store jpeg", "'jpeg'"},
        {"noise", "--store jpeg75,", "'jpeg75,'"},
        {"noise", "--store float,float", "float twice"},
        {"verify", "-d P --progress loud", "'loud'"},
        {"noise", "--baseline B --type pink --std 1 -o O", "'pink'"},
        {"noise", "--baseline B --type uniform --std 0 -o O", "'0'"},
        {"noise", "--baseline B --type uniform --std -0.1 -o O", "'-0.1'"},
        {"noise", "--baseline B --type uniform --std nan -o O", "'nan'"},
        {"noise", "--baseline B --type uniform --std inf -o O", "'inf'"},
        {"noise", "--baseline B --type uniform --std 0x1 -o O", "'0x1'"},
        {"noise", "--baseline B --type uniform --std 0,1 -o O", "'0,1'"},
        {"noise", "--baseline B --type uniform --std 1,,2 -o O", "'1,,2'"},
        {"noise", "--baseline B --type uniform --std 1,2,1 -o O", "1 twice"},
        {"noise", "--baseline B --type uniform --std 1/0 -o O", "'1/0'"},
        {"noise", "--baseline B --type uniform --std 1e999 -o O", "'1e999'"},
        {"noise", "--baseline B --type uniform --std 1 --fraction 1.5 -o O", "'1.5'"},
        {"noise", "--baseline B --type uniform -o O", "--std"},
        {"noise", "--baseline B --type uniform --std 1", "--out"},
        {"attack", "--baseline B -u all,1 -o O", "'all,1'"},
        {"attack", "--baseline B -u 3-1 -o O", "'3-1'"},
        {"attack", "--baseline B -u all --steps 0 -o O", "'0'"},
        {"attack", "--baseline B -u all --eps 2 -o O", "'2'"},
        {"image", "a.png -o b.png --quality 101", "'101'"},
        {"image", "-o b.png", "INPUT"},
        {"activations", "-m M x.npy -o y.npy --gradient 3", "--gradient"},
        {"activations", "-m M x.npy -o y.npy --gradient z y", "'z'"},
        {"compare", "A", "RUN_A RUN_B"},
        {"compare", "A B C", "'C'"},
        {"compare", "A B --fail-over 101", "'101'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Settings s     = {0};
        Error    error = {0};
        bool told = !parse(cases[i].verb, cases[i].line, &s, &error) && error.code == ERROR_USAGE &&
                    strstr(error.message, cases[i].told);
        if (!CHECK(told))
            printf("  %s %s: \"%s\"\n", cases[i].verb, cases[i].line, error.message);
        CHECK(s.inputs == NULL); // outputs untouched on failure
    }
}

static void a_mode_is_one_of_its_method(void)
{
    const Method *method = method_named("dissection");
    const Mode   *mode   = NULL;
    Error         error  = {0};
    REQUIRE(method != NULL);
    CHECK(mode_choose(method, NULL, &mode, NULL) && mode == &method->modes[0]);
    CHECK(mode_choose(method, "lite", &mode, NULL) && strcmp(mode->name, "lite") == 0);
    CHECK(!mode_choose(method, "milan22", &mode, &error) && error.code == ERROR_USAGE);
    CHECK(strstr(error.message, "corrupt23, clean, lite, nd2017"));
}

static void a_method_is_one_of_the_table(void)
{
    Settings s = {0};
    REQUIRE(parse("describe", "-m M -l L -d P -o R", &s, NULL));
    CHECK_TEXT(s.method, method_at(0)->name);
    arguments_free(&s);
    Error error = {0};
    CHECK(!parse("describe", "--method guessing -m M -l L -d P -o R", &s, &error));
    CHECK(error.code == ERROR_USAGE &&
          strstr(error.message, "'guessing' is not one of dissection"));
}

static void help_of_a_verb_needs_nothing_else(void)
{
    Settings s = {0};
    REQUIRE(parse("dissect", "--help", &s, NULL));
    CHECK(s.help);
    arguments_free(&s);
}

static void every_verb_has_consistent_options(void)
{
    for (int v = 0; verb_at(v); v++) {
        const Verb   *verb = verb_at(v);
        const Option *all[80];
        int           count = 0;
        size_t        length;
        for (const Option *option; (option = verb_option(verb, count)); count++)
            all[count] = option;
        for (int i = 0; word_at(verb->shared, i, &length); i++) {
            bool found = false;
            for (const Option *option = shared_options; option->name; option++)
                found = found ||
                        word_index(option->name, word_at(verb->shared, i, &length), length) == 0;
            CHECK(found);
        }
        for (int i = 0; i < count; i++) {
            CHECK(all[i]->help && *all[i]->help);
            CHECK((all[i]->kind == ARGUMENT_FLAG) == (all[i]->value == NULL));
            CHECK(!(all[i]->required && all[i]->initial));
            for (int k = 0; k < i; k++) {
                CHECK(strcmp(all[i]->name, all[k]->name) != 0);
                CHECK(!all[i]->letter || all[i]->letter != all[k]->letter);
            }
        }
    }
}

static void an_option_of_other_verbs_is_refused(void)
{
    static const struct {
        const char *verb, *line, *told;
    } cases[] = {
        {"show", "x.npy --seed 3",
         "show: does not take --seed; noise, attack, mini, train, attribute"},
        {"show", "x.npy --store float", "--store; describe, dissect, noise, attack"},
        {"report", "RUN --resume", "does not take --resume"},
        {"mini", "-o DIR --resume", "does not take --resume"},
        {"compare", "A B --limit=3", "does not take --limit;"},
        {"inspect", "x.nw -b 3", "does not take -b;"},
        {"dissect", "-s 1", "does not take -s;"},
        {"image", "--overwrite", "does not take --overwrite;"},
        {"mini", "--shift 1", "does not take --shift; train does"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Settings s     = {0};
        Error    error = {0};
        CHECK(!parse(cases[i].verb, cases[i].line, &s, &error) && error.code == ERROR_USAGE);
        if (!CHECK(strstr(error.message, cases[i].told)))
            printf("  %s %s: \"%s\"\n", cases[i].verb, cases[i].line, error.message);
    }
    // How many threads at most, and no bar, hold where there is neither: taken, and not listed.
    Settings s = {0};
    REQUIRE(parse("show", "x.npy -t 1 --progress none", &s, NULL));
    CHECK(s.threads == 1 && s.progress == PROGRESS_NONE);
    arguments_free(&s);
    for (int i = 0; verb_option(verb_named("show"), i); i++)
        CHECK(strcmp(verb_option(verb_named("show"), i)->name, "threads") != 0);
}

// The example of each verb must at least parse as a command line of that verb.
static void every_example_parses(void)
{
    for (int v = 0; verb_at(v); v++) {
        const Verb *verb  = verb_at(v);
        Settings    s     = {0};
        Error       error = {0};
        char        start[64];
        snprintf(start, sizeof start, "nemesis %s ", verb->name);
        REQUIRE(strncmp(verb->example, start, strlen(start)) == 0);
        if (!CHECK(parse(verb->name, verb->example + strlen(start), &s, &error)))
            printf("  %s: %s\n", verb->example, error.message);
        arguments_free(&s);
    }
}

static void fractions_and_decimals_are_numbers(void)
{
    double value = -1;
    CHECK(number_parse("4/255", &value) && value == 4.0 / 255);
    CHECK(number_parse("1e-3", &value) && value == 1e-3);
    CHECK(number_parse(".5", &value) && value == 0.5);
    value                            = 7;
    static const char *const wrong[] = {"",     "/",   "1/",  "/2", "1/0", "1/2/3", " 1",   "1 ",
                                        "0x10", "inf", "nan", "1e", "--1", "1,5",   "1e400"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!number_parse(wrong[i], &value) && value == 7);
}

/* ---- units ----------------------------------------------------------------------------------- */

static void unit_grammar_is_strict(void)
{
    static const char *const right[] = {"all", "detectors", "detectors:8", "0", "0-63,190", "5-5"};
    static const char *const wrong[] = {"",
                                        "ALL",
                                        "detectors:",
                                        "detectors:0",
                                        "detectors:-1",
                                        "-1",
                                        "1-",
                                        "-",
                                        "1,,2",
                                        "1,",
                                        ",1",
                                        "3-1",
                                        "1 2",
                                        "1,1",
                                        "0-3,2",
                                        "0x1",
                                        "1.5",
                                        "a",
                                        "detectorsX",
                                        "1-2-3",
                                        "99999999999999999999"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        CHECK(units_check(right[i], NULL));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Error error = {0};
        if (!CHECK(!units_check(wrong[i], &error) && error.code == ERROR_USAGE))
            printf("  '%s'\n", wrong[i]);
    }
}

static void units_are_selected_in_order(void)
{
    static const bool detectors[10] = {1, 0, 1, 0, 1, 0, 0, 1, 1, 1};
    int64_t          *units = NULL, count = 0;
    REQUIRE(units_select("7-9,0", detectors, 10, 0, &units, &count, NULL));
    CHECK(count == 4 && units[0] == 0 && units[1] == 7 && units[2] == 8 && units[3] == 9);
    memory_free(units);
    REQUIRE(units_select("detectors", detectors, 10, 0, &units, &count, NULL));
    CHECK(count == 6 && units[0] == 0 && units[1] == 2 && units[5] == 9);
    memory_free(units);
    REQUIRE(units_select("all", detectors, 10, 0, &units, &count, NULL));
    CHECK(count == 10);
    memory_free(units);
    Error error = {0};
    CHECK(!units_select("3,10", detectors, 10, 0, &units, &count, &error));
    CHECK(error.code == ERROR_USAGE && strstr(error.message, "unit 10"));
    static const bool none[2];
    CHECK(!units_select("detectors", none, 2, 0, &units, &count, NULL));
}

static void a_sample_of_detectors_depends_on_the_seed_alone(void)
{
    enum { UNITS = 200, DRAWN = 8, SEEDS = 400 };
    bool    detectors[UNITS];
    int     hits[UNITS]  = {0};
    int64_t first[DRAWN] = {0};
    bool    differs      = false;
    for (int i = 0; i < UNITS; i++)
        detectors[i] = i % 2;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int64_t *a = NULL, *b = NULL, count = 0;
        REQUIRE(units_select("detectors:8", detectors, UNITS, seed, &a, &count, NULL) &&
                count == DRAWN);
        REQUIRE(units_select("detectors:8", detectors, UNITS, seed, &b, &count, NULL));
        CHECK(memcmp(a, b, DRAWN * sizeof *a) == 0);
        differs = differs || (seed > 0 && memcmp(a, first, sizeof first) != 0);
        memcpy(first, a, sizeof first);
        for (int i = 0; i < DRAWN; i++)
            hits[a[i]]++;
        memory_free(a);
        memory_free(b);
    }
    CHECK(differs);
    // 400 x 8 draws over 100 units: 32 each, standard deviation 5.4; six of those either way.
    for (int i = 0; i < UNITS; i++)
        CHECK(i % 2 ? hits[i] > 0 && hits[i] < 65 : hits[i] == 0);
    int64_t *few = NULL, count = 0;
    REQUIRE(units_select("detectors:8", detectors, 6, 1, &few, &count, NULL));
    CHECK(count == 3); // no more than there are
    memory_free(few);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void control_characters_do_not_reach_the_terminal(void)
{
    char  text[256] = "";
    FILE *stream    = fmemopen(text, sizeof text - 1, "w");
    REQUIRE(stream != NULL);
    print_clean(stream, "a\x1b[31mb\xc2\x9b"
                        "c\xff\nd\x7f gr\xc3\xbcn");
    fclose(stream);
    CHECK_TEXT(text, "a?[31mb?c??d? gr\xc3\xbcn");
}

static void tables_line_up(void)
{
    char  text[256] = "";
    FILE *stream    = fmemopen(text, sizeof text - 1, "w");
    Table table     = {.columns = 2, .alignment = "lr"};
    REQUIRE(stream != NULL);
    static const char *const cells[] = {"name", "n", "gr\xc3\xbcn", "100", "x", "7"};
    for (int i = 0; i < 6; i++)
        table_cell(&table, "%s", cells[i]);
    CHECK(table_print(&table, stream, NULL));
    fclose(stream);
    CHECK_TEXT(text, "name    n\ngr\xc3\xbcn  100\nx       7\n");
}

static void paths_are_quoted_as_a_shell_needs_it(void)
{
    char out[NEXT_WORD];
    CHECK_TEXT(shell_word("runs/clean//", "-pages", out), "runs/clean-pages");
    CHECK_TEXT(shell_word("/", "", out), "/");
    CHECK_TEXT(shell_word("", "", out), "''");
    CHECK_TEXT(shell_word("it's a run", "", out), "'it'\\''s a run'");
}

static void durations_read_well(void)
{
    char text[32];
    duration_text(1.54, text);
    CHECK_TEXT(text, "1.5 s");
    duration_text(125, text);
    CHECK_TEXT(text, "2 min 05 s");
    duration_text(3600 * 3 + 4 * 60, text);
    CHECK_TEXT(text, "3 h 04 min");
}

static void counts_read_well(void)
{
    static const struct {
        int64_t     count;
        const char *text;
    } cases[] = {{0, "0"}, {999, "999"}, {12084, "12,084"}, {1234567, "1,234,567"}, {-100, "-100"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        count_text(cases[i].count, text);
        CHECK_TEXT(text, cases[i].text);
    }
}

// A line as wide as its terminal already moves the cursor on; on 40 columns the time left is told.
static void progress_fits_every_width(void)
{
    static const Progress runs[] = {
        {.what = "attack", .counted = "passes", .done = 12084, .total = 16048},
        {.what = "dissect", .counted = "passes", .done = 1234567, .total = 98765432},
        {.what = "mini", .counted = "images", .done = 1, .total = 7}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        for (int columns = 1; columns <= 300; columns++) {
            char text[PROGRESS_TEXT];
            progress_text(&runs[i], 1586.2, columns, text);
            bool fits  = (int)strlen(text) < columns;
            bool tells = columns < 40 || strstr(text, " left");
            tells      = tells && (columns < 72 || strstr(text, runs[i].counted));
            if (!CHECK(fits && tells))
                printf("  %d: '%s'\n", columns, text);
        }
    }
    char text[PROGRESS_TEXT];
    progress_text(&runs[0], 586.2, 80, text);
    CHECK_TEXT(text,
               "attack [###################.....] 12,084 of 16,048 passes, 586.2/s, 6.8 s left");
    progress_text(&runs[0], 586.2, 40, text);
    CHECK_TEXT(text, "attack [##########...] 75 %, 6.8 s left");
    progress_text(&runs[0], 586.2, 12, text);
    CHECK_TEXT(text, "attack 75 %");
}

// A run of two paces: told at 5 % of each, what is left is right to a fifth; what an earlier run did
// counts for nothing.
static void time_left_follows_the_pace_of_late(void)
{
    Progress progress = {.what = "attack", .counted = "passes", .spacing = 0.25};
    double   now      = 1000;
    progress_note(&progress, now, 5000, 25000);
    CHECK(progress_left(&progress) < 0);
    for (int64_t done = 5010; done <= 15000; done += 10) {
        now += 0.1; // 100 a second
        progress_note(&progress, now, done, 25000);
        CHECK_CLOSE(progress_left(&progress), (double)(25000 - done) / 100, 1e-6);
    }
    for (int64_t done = 15010; done <= 25000; done += 10) {
        now += 0.5; // 20 a second
        progress_note(&progress, now, done, 25000);
        double left = (double)(25000 - done) / 20;
        CHECK(done < 18000 || fabs(progress_left(&progress) - left) <= 0.2 * left);
    }
}

SUITE(cli)
{
    RUN(every_shared_option_is_read);
    RUN(every_attack_option_is_read);
    RUN(every_noise_option_is_read);
    RUN(network_and_picture_options_are_read);
    RUN(defaults_are_the_published_ones);
    RUN(all_that_is_missing_is_told_at_once);
    RUN(a_run_is_positional_everywhere);
    RUN(a_slip_is_told_with_what_was_meant);
    RUN(wrong_usage_names_the_offending_text);
    RUN(a_mode_is_one_of_its_method);
    RUN(a_method_is_one_of_the_table);
    RUN(help_of_a_verb_needs_nothing_else);
    RUN(every_verb_has_consistent_options);
    RUN(an_option_of_other_verbs_is_refused);
    RUN(every_example_parses);
    RUN(fractions_and_decimals_are_numbers);
    RUN(unit_grammar_is_strict);
    RUN(units_are_selected_in_order);
    RUN(a_sample_of_detectors_depends_on_the_seed_alone);
    RUN(control_characters_do_not_reach_the_terminal);
    RUN(tables_line_up);
    RUN(paths_are_quoted_as_a_shell_needs_it);
    RUN(durations_read_well);
    RUN(counts_read_well);
    RUN(progress_fits_every_width);
    RUN(time_left_follows_the_pace_of_late);
}
