/* tests/test_hostile.c - labels that are markup, formulas, quotes, line ends, escapes or no text:
 * they come back as they were, and nothing that shows them obeys them. */
#include "../format/json.h"
#include "../base/file.h"
#include "../cli/clean_run.h"
#include "../format/csv.h"
#include "page_check.h"
#include "small_inputs.h"

#include <stdio.h>
#include <string.h>

enum { LABELS = 6, SETS = 3, LONG_NAME = 10240 };

static char long_name[LONG_NAME + 1];

// Colours 1 and 2, objects 3 and 4, textures 5 and 6.
static const char *const names[SETS][LABELS] = {
    {"=1+1", "@SUM(A1)", "<script>alert(1)</script>", "+1", "-1", "\"quoted\", 'twice' \\ \\n"},
    {"\xff\xfe\x80 not UTF-8", "\x1b[31m\x07\x01\302\2335m", "\t=1", "'=1", "two\nlines",
     "\r\n=cmd|' /C calc'!A0"},
    {long_name, "'-", "</bdi><img src=x onerror=alert(1)>", "&lt;b&gt;", "\342\200\256cba",
     "''@x\xe2\x80\xa8"},
};

/* ---- a probing set with these names ---------------------------------------------------------- */

static void put_label(Writer *table, int set, int label, const char *format, int number)
{
    writer_text(table, format, number);
    writer_text(table, "\"");
    for (const char *c = names[set][label - 1]; *c; c++)
        writer_text(table, *c == '"' ? "\"\"" : "%c", *c);
    writer_text(table, "\"");
}

// label.csv with the names; the tables of the categories stay.
static bool rename_labels(int set)
{
    static const char *const rest[LABELS] = {"color(70),70,35",   "color(70),70,35",
                                             "object(47),47,9",   "object(23),23,4",
                                             "texture(14),14,14", "texture(14),14,14"};
    char                     path[LIMIT_PATH];
    Writer                  *table = NULL;
    memset(long_name, 'x', LONG_NAME);
    if (!path_join(path, probe, "label.csv", NULL) || !writer_open(&table, path, NULL))
        return false;
    writer_text(table, "number,name,category,frequency,coverage,syns\n");
    for (int label = 1; label <= LABELS; label++) {
        put_label(table, set, label, "%d,", label);
        writer_text(table, ",%s,\n", rest[label - 1]);
    }
    return writer_publish(table, NULL);
}

/* ---- what must not happen -------------------------------------------------------------------- */

static bool is_known_name(int set, const char *text)
{
    for (int i = 0; i < LABELS; i++)
        if (strcmp(text, names[set][i]) == 0)
            return true;
    return false;
}

// No cell of text that a spreadsheet would run; cells of labels are labels once the guard is off.
static int bad_cells(int set, const char *folder, const char *file, int *found)
{
    Bytes bytes = {0};
    Csv  *csv   = NULL;
    char  path[LIMIT_PATH];
    int   bad = 0;
    if (!path_join(path, folder, file, NULL) || !file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) ||
        !csv_open(&csv, bytes.data, bytes.size, file, NULL))
        return -1;
    for (int64_t row = 0; row < csv_row_count(csv); row++)
        for (int column = 0; column < csv_column_count(csv); column++) {
            const char *text = csv_text(csv, row, column), *head = csv_column_name(csv, column);
            const char *tail = strstr(head, "label");
            bool        is_label =
                tail && strcmp(head, "clean_label_iou") != 0 && strstr(tail, "iou") == NULL;
            double number;
            if (*text && strchr("=+-@\t\r\n", *text) &&
                !csv_number(csv, row, column, &number, NULL))
                bad++;
            if (!is_label || !*text)
                continue;
            bad += !is_known_name(set, csv_name(csv, row, column));
            (*found)++;
        }
    csv_close(csv);
    bytes_close(&bytes);
    return bad;
}

static bool is_clean_text(const char *text)
{
    int width = 0;
    for (size_t left = strlen(text); left > 0; width++) {
        int n = *text == '\n' ? 1 : utf8_shown((const unsigned char *)text, left);
        width = *text == '\n' ? 0 : width;
        if (n == 0 || width > 400)
            return false;
        text += n;
        left -= (size_t)n;
    }
    return true;
}

static bool is_json(const char *text)
{
    Json json = {0};
    bool ok   = json_read(text, strlen(text), "stdout", &json, NULL);
    json_free(&json);
    for (; ok && *text; text++)
        ok = (unsigned char)*text >= 0x20 || *text == '\n';
    return ok;
}

static bool is_harmless_page(const char *folder)
{
    Bytes bytes = {0};
    char  path[LIMIT_PATH];
    bool  ok = path_join(path, folder, "index.html", NULL) &&
              file_read(path, LIMIT_TEXT_FILE, &bytes, NULL);
    const char *page = (const char *)bytes.data, *problem = ok ? page_problem(page) : "unreadable";
    if (problem)
        printf("  %s\n", problem);
    ok = ok && !problem && !strstr(page, "<script>alert") && !strstr(page, "<img src=x") &&
         !strstr(page, "\xe2\x80\xae") && !strstr(page, "\xff") && !strchr(page, 0x1b) &&
         bytes.size < 1000000;
    bytes_close(&bytes);
    return ok;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void guarded_text_comes_back(void)
{
    static const char *const texts[] = {"",   "a",   "=1",   "'=1", "''=1", "'",
                                        "''", "'a",  "-",    "'-",  "\t",   "\r\n",
                                        "\"", "'\"", "'+\"", "a=b", " =",   "@,"};
    enum { COUNT = sizeof texts / sizeof *texts };
    const char *path   = in_folder("texts.csv");
    Bytes       bytes  = {0};
    Csv        *csv    = NULL;
    Writer     *writer = NULL;
    REQUIRE(writer_open(&writer, path, NULL));
    writer_text(writer, "n,text\n");
    for (int i = 0; i < COUNT; i++) {
        writer_text(writer, "%d,", i);
        csv_write_text(writer, texts[i]);
        writer_text(writer, "\n");
    }
    REQUIRE(writer_publish(writer, NULL) && file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) &&
            csv_open(&csv, bytes.data, bytes.size, path, NULL));
    REQUIRE(csv_row_count(csv) == COUNT);
    for (int i = 0; i < COUNT; i++) {
        CHECK_TEXT(csv_name(csv, i, 1), texts[i]);
        const char *cell = csv_text(csv, i, 1);
        CHECK(!*cell || !strchr("=+-@\t\r\n", *cell));
    }
    CHECK_TEXT(csv_text(csv, 1, 1), "a"); // guarded only where it must be
    CHECK_TEXT(csv_text(csv, 2, 1), "'=1");
    CHECK_TEXT(csv_text(csv, 7, 1), "'a");
    csv_close(csv);
    bytes_close(&bytes);
}

static void names_that_must_not_be_shown_are_not(void)
{
    static const char *const hidden[] = {
        "\x1f",         "\x7f",         "\xc2\x80",     "\xc2\x9f",     "\xd8\x9c", "\xe2\x80\x8e",
        "\xe2\x80\xa8", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xff",     "\xc3"};
    static const char *const shown[] = {
        " ", "~", "\xc2\xa0", "\xc3\xbc", "\xe2\x80\xa6", "\xe2\x82\xac", "\xf0\x9f\x8e\x88"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        CHECK(utf8_shown((const unsigned char *)hidden[i], strlen(hidden[i])) == 0);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        CHECK(utf8_shown((const unsigned char *)shown[i], strlen(shown[i])) ==
              (int)strlen(shown[i]));
}

static void check_tables(int set, const char *clean, const char *attack, const char *noise)
{
    CleanRunFiles files    = {0};
    RunRecord     alone    = {0};
    Settings      settings = {0};
    Pass          pass     = {0};
    const char   *table    = in_folder("compare%d.csv", set);
    int           found    = 0;
    CHECK(program_run("compare %s %s -o %s", clean, clean, table)->code == 0);
    CHECK(bad_cells(set, clean, "tally.csv", &found) == 0);
    CHECK(bad_cells(set, clean, "units.csv", &found) == 0);
    CHECK(bad_cells(set, attack, "changes.csv", &found) == 0);
    CHECK(bad_cells(set, noise, "changes.csv", &found) == 0);
    CHECK(bad_cells(set, test_folder(), strrchr(table, '/') + 1, &found) == 0);
    CHECK(found > 100);
    REQUIRE(clean_run_open(&files, clean, &settings, NULL) &&
            clean_run_load(&files, clean, &pass, NULL) &&
            record_read(&alone, method_at(0), clean, NULL, NULL));
    for (int64_t i = 0; i < files.record.unit_count; i++) {
        const UnitRecord *unit = &files.record.units[i];
        CHECK_TEXT(unit->label_name, unit->label ? names[set][unit->label - 1] : "");
        CHECK_TEXT(alone.units[i].label_name, unit->label_name);
    }
    run_record_close(&alone);
    clean_run_close(&files);
}

static void hostile_labels_stay_names(void)
{
    NEED_INPUTS();
    for (int set = 0; set < SETS; set++) {
        REQUIRE(rename_labels(set));
        char clean[64], out[4][LIMIT_PATH];
        snprintf(clean, sizeof clean, "clean%d", set);
        snprintf(out[0], LIMIT_PATH, "%s", dissect(clean, ""));
        for (int i = 1; i < 4; i++)
            snprintf(out[i], LIMIT_PATH, "%s", in_folder("%d-%d", set, i));
        const char *lines[] = {"noise --baseline %s --type uniform --std 0.5 -o %s --store float",
                               "attack --baseline %s -u all --eps 32/255 --steps 2 -o %s "
                               "--target random --store float"};
        for (int i = 0; i < 2; i++) {
            char line[256 + 2 * LIMIT_PATH];
            snprintf(line, sizeof line, i ? lines[1] : lines[0], out[0], out[i + 1]);
            const Outcome *o = program_run("%s", line);
            CHECK(o->code == 0 && is_clean_text(o->out) && is_clean_text(o->err));
            o = program_run("%s --resume --json", line);
            CHECK(o->code == 0 && is_json(o->out) && is_clean_text(o->err));
            o = program_run("report %s -o %s/page", out[i + 1], out[i + 1]);
            if (!CHECK(o->code == 0))
                printf("  %s", o->err);
            CHECK(is_harmless_page(in_folder("%d-%d/page", set, i + 1)));
        }
        for (int json = 0; json < 2; json++) {
            bool (*fits)(const char *) = json ? is_json : is_clean_text;
            const char *more           = json ? "--json" : "";
            CHECK(fits(program_run("dissect -m %s -l conv22 -d %s -o %s --resume %s", blob, probe,
                                   out[0], more)
                           ->out));
            CHECK(fits(program_run("explain unit 0 --baseline %s %s", out[0], more)->out));
            CHECK(fits(program_run("compare %s %s %s", out[0], out[0], more)->out));
            CHECK(fits(program_run("verify -d %s %s", probe, more)->out));
        }
        check_tables(set, out[0], out[2], out[1]);
    }
}

// The name of a photo is that of its maps, and stands on their page.
static void hostile_names_of_photos_stay_names(void)
{
    static const char *const photos[] = {"=1<script>alert(1)", "\"'\\&<img", "\x1b[31m\xff\xfe",
                                         "\342\200\256cba\xe2\x80\xa8", "'-<b>"};
    enum { PHOTOS = sizeof photos / sizeof *photos };
    char  words[PHOTOS * LIMIT_PATH] = "";
    Bytes bytes                      = {0};
    int   found                      = 0;
    NEED_INPUTS();
    REQUIRE(file_read(first_photo(), LIMIT_IMAGE_FILE, &bytes, NULL));
    for (int i = 0; i < PHOTOS; i++) {
        const char *path = in_folder("%s.png", photos[i]);
        REQUIRE(file_publish(path, bytes.data, bytes.size, NULL));
        size_t used = strlen(words);
        snprintf(words + used, sizeof words - used, " %s", path);
    }
    bytes_close(&bytes);
    const Outcome *o = program_run("attribute -m %s%s --method gradient,lrp -o %s", blob, words,
                                   in_folder("maps"));
    CHECK(o->code == 0 && is_clean_text(o->out) && is_clean_text(o->err));
    CHECK(bad_cells(0, in_folder("maps"), "maps.csv", &found) == 0);
    CHECK(bad_cells(0, in_folder("maps"), "conservation.csv", &found) == 0);
    o = program_run("report %s -o %s", in_folder("maps"), in_folder("page"));
    if (!CHECK(o->code == 0 && is_clean_text(o->err)))
        printf("  %s", o->err);
    CHECK(is_harmless_page(in_folder("page")));
    o = program_run("manipulate -m %s %s --target text:<script> --method lrp --steps 1 -o %s", blob,
                    first_photo(), in_folder("none"));
    CHECK(o->code == 2 && is_clean_text(o->err));
    o = program_run("manipulate -m %s %s --target text:I --method lrp --steps 1 -o %s", blob,
                    in_folder("%s.png", photos[0]), in_folder("moved"));
    CHECK(o->code == 0);
    CHECK(program_run("report %s -o %s", in_folder("moved"), in_folder("moved/page"))->code == 0);
    CHECK(is_harmless_page(in_folder("moved/page")));
}

SUITE(hostile)
{
    RUN(guarded_text_comes_back);
    RUN(names_that_must_not_be_shown_are_not);
    RUN(hostile_labels_stay_names);
    RUN(hostile_names_of_photos_stay_names);
}
