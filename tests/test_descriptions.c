/* tests/test_descriptions.c - lists of descriptions read back, joined and compared. */
#include "../base/file.h"
#include "../nem/descriptions.h"
#include "../study/agreement.h"
#include "drawn_roberta.h"
#include "small_inputs.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *put(const char *name, const char *text)
{
    const char *path = in_folder("%s", name);
    CHECK(file_publish(path, text, strlen(text), NULL));
    return path;
}

static const char *put_run(const char *run, const char *name, const char *text)
{
    CHECK(folder_create(in_folder("%s", run), NULL));
    const char *path = in_folder("%s/%s", run, name);
    CHECK(file_publish(path, text, strlen(text), NULL));
    return in_folder("%s", run);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void check_row(const Descriptions *list, int64_t row, const char *layer, int64_t unit,
                      const char *text)
{
    if (!CHECK(row < list->count))
        return;
    CHECK_TEXT(list->rows[row].layer, layer);
    CHECK(list->rows[row].unit == unit);
    CHECK_TEXT(list->rows[row].text, text);
}

static void files_of_three_and_four_columns(void)
{
    Descriptions list = {0};
    REQUIRE(descriptions_read(&list,
                              put("a.csv", "layer,unit,description\nb,1,Dogs\nb,0,\"a, b\"\n"
                                           "a,7,\n"),
                              NULL));
    CHECK(list.count == 3 && !list.has_stayed);
    CHECK_TEXT(list.name, "a");
    check_row(&list, 0, "a", 7, "");
    check_row(&list, 1, "b", 0, "a, b");
    check_row(&list, 2, "b", 1, "Dogs");
    descriptions_close(&list);
    REQUIRE(descriptions_read(
        &list, put("b.csv", "layer,unit,description,similarity\r\na,0,red,0.25\r\n"), NULL));
    CHECK(list.count == 1);
    check_row(&list, 0, "a", 0, "red");
    descriptions_close(&list);
}

static void tallies_count_from_one_and_name_their_layer(void)
{
    static const char tally[] =
        "unit,category,label,score\n2,scene,street-s,0.1\n1,color,red-c,0.2\n";
    Descriptions list = {0};
    char         source[2 * LIMIT_PATH];
    snprintf(source, sizeof source, "%s,", put("net_50_layer1.csv", tally));
    size_t used = strlen(source);
    snprintf(source + used, sizeof source - used, "layer4=%s", put("tally.csv", tally));
    REQUIRE(descriptions_read(&list, source, NULL));
    CHECK(list.count == 4);
    check_row(&list, 0, "layer1", 0, "red-c");
    check_row(&list, 3, "layer4", 1, "street-s");
    CHECK_TEXT(list.name, "net_50_layer1");
    descriptions_close(&list);
}

static void runs_of_any_verb(void)
{
    static const char changes[] = "method,strength,store,unit0,clean_label,changed\n"
                                  "gaussian,0,float,0,dog,1\ngaussian,0,float,1,cat,0\n"
                                  "gaussian,0.1,float,0,dog,0\ngaussian,0.1,float,1,cat,0\n"
                                  "gaussian,0.2,float,0,dog,0\ngaussian,0.2,float,1,cat,1\n";
    Descriptions      list      = {0};
    REQUIRE(descriptions_read(&list,
                              put_run("clean", "units.csv",
                                      "layer,unit,description,score,category,threshold\n"
                                      "conv1,0,dog,0.1,object,2\n"),
                              NULL));
    check_row(&list, 0, "conv1", 0, "dog");
    CHECK(list.rows[0].stayed == -1 && !list.has_stayed);
    descriptions_close(&list);
    put_run("noise", "run.json", "{\"layer\": {\"name\": \"conv1\"}}");
    REQUIRE(descriptions_read(&list, put_run("noise", "changes.csv", changes), NULL));
    CHECK(list.count == 2 && list.has_stayed);
    check_row(&list, 0, "conv1", 0, "dog");
    CHECK(list.rows[0].stayed == 1 && list.rows[1].stayed == 0);
    descriptions_close(&list);
}

static void malformed_descriptions_are_refused(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {{"layer,unit\na,0\n", "neither a column 'description' nor, as a tally, 'label'"},
                 {"layer,description\na,b\n", "'unit'"},
                 {"unit,description\n0,b\n", "'layer'"},
                 {"layer,unit,description\na,-1,b\n", "unit is -1"},
                 {"layer,unit,description\na,1e3,b\n", "'1e3'"},
                 {"layer,unit,description\na,99999999,b\n", "unit is 99999999"},
                 {"layer,unit,description\n,0,b\n", "line 2 names no layer"},
                 {"layer,unit,description\na,0,b\na,0,b\n", "unit 0 of a appears twice"},
                 {"layer,unit,description\n", "has no unit"},
                 {"layer,unit,description\na,0\n", "line 2"},
                 {"unit,label\n1,a\n", "is a tally, which names no layer; give it as LAYER="},
                 {"unit,label\n0,a\n", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Descriptions list  = {0};
        Error        error = {0};
        CHECK(!descriptions_read(&list, put("bad.csv", cases[i].text), &error));
        CHECK_REFUSED("descriptions", &error, cases[i].message ? cases[i].message : "bad.csv");
        CHECK(list.rows == NULL);
    }
    Descriptions list  = {0};
    Error        error = {0};
    CHECK(!descriptions_read(&list, "", &error) && error.code == ERROR_USAGE);
    error = (Error){0};
    char source[LIMIT_PATH];
    snprintf(source, sizeof source, "%s,", put("good.csv", "layer,unit,description\na,0,b\n"));
    CHECK(!descriptions_read(&list, source, &error) && error.code == ERROR_USAGE);
    CHECK(strstr(error.message, "no file in place 2") != NULL);
    error = (Error){0};
    CHECK(!descriptions_read(&list, in_folder("nowhere"), &error));
    CHECK(error.code == ERROR_NOT_FOUND);
    error = (Error){0};
    put_run("bare", "changes.csv", "strength,unit0,clean_label,changed\n0,0,a,0\n");
    put_run("bare", "run.json", "{}");
    CHECK(!descriptions_read(&list, in_folder("bare"), &error));
    CHECK_REFUSED("descriptions", &error, "names no layer");
}

/* ---- likeness -------------------------------------------------------------------------------- */

static void words_of_plain_texts_overlap(void)
{
    static const char *const texts[] = {"A red dog.",  "dog, red", "street_wide-s",
                                        "street wide", "",         "...",
                                        "red-c",       "Red",      "the the red"};
    enum { COUNT = sizeof texts / sizeof *texts };
    TextTable table = {0};
    int32_t   ids[COUNT];
    REQUIRE(text_table_open(&table, texts, COUNT, NULL, ids, NULL));
    CHECK(ids[2] == ids[3] && ids[4] == ids[5] && ids[6] == ids[7] && table.count == 6);
    CHECK_TEXT(table.texts[ids[0]], "a red dog");
    CHECK_TEXT(table.texts[ids[2]], "street wide");
    CHECK_CLOSE(text_table_overlap(&table, ids[0], ids[1]), 2.0 / 3, 1e-15);
    CHECK_CLOSE(text_table_overlap(&table, ids[1], ids[7]), 0.5, 1e-15);
    CHECK_CLOSE(text_table_overlap(&table, ids[8], ids[7]), 0.5, 1e-15);
    CHECK(text_table_overlap(&table, ids[0], ids[2]) == 0);
    CHECK(text_table_overlap(&table, ids[4], ids[5]) == 1);
    CHECK(text_table_overlap(&table, ids[4], ids[0]) == 0);
    text_table_close(&table);
}

/* ---- agreement ------------------------------------------------------------------------------- */

enum { UNITS = 60 };

// Units of two layers; every text is one of five, and those of `b` are those of `a` but for a third.
static void write_lists(void)
{
    char   a[8192] = "layer,unit,description\n", b[8192] = "layer,unit,description\nlast,9,x\n";
    size_t at = strlen(a), bt = strlen(b);
    for (int unit = 0; unit < UNITS; unit++) {
        const char *layer = unit < 20 ? "low" : "high";
        at += (size_t)snprintf(a + at, sizeof a - at, "%s,%d,thing %d\n", layer, unit, unit % 5);
        bt += (size_t)snprintf(b + bt, sizeof b - bt, "%s,%d,Thing %d.\n", layer, unit,
                               unit % 3 ? unit % 5 : 7);
    }
    put("a.csv", a);
    put("b.csv", b);
}

static void figures_have_their_chance_beside_them(void)
{
    Descriptions lists[2]  = {{0}};
    Agreement    agreement = {0};
    AgreeFigure  figures[3][AGREE_FIGURES], again[3][AGREE_FIGURES];
    write_lists();
    REQUIRE(descriptions_read(&lists[0], in_folder("a.csv"), NULL) &&
            descriptions_read(&lists[1], in_folder("b.csv"), NULL));
    REQUIRE(agreement_open(&agreement, lists, 2, NULL, NULL));
    CHECK(agreement.count == UNITS && agreement.layer_count == 2);
    CHECK(agreement.alone[0] == 0 && agreement.alone[1] == 1);
    REQUIRE(agreement_figures(&agreement, 0, 1, 3, figures, NULL));
    const AgreeFigure *same = &figures[0][AGREE_SAME], *overlap = &figures[0][AGREE_OVERLAP];
    CHECK(same->value == 40.0 / UNITS && same->units == UNITS);
    CHECK_CLOSE(overlap->value, (40 + 20 / 3.0) / UNITS, 1e-12);
    CHECK(same->low < same->value && same->value < same->high);
    CHECK(overlap->low < overlap->value && overlap->value < overlap->high);
    // Forty of sixty units are one of five texts, so two in fifteen agree by chance.
    CHECK_CLOSE(same->chance, 2.0 / 15, 0.02);
    CHECK(same->chance_low < same->chance && same->chance < same->chance_high);
    CHECK(same->chance_high < same->value);
    CHECK(figures[0][AGREE_BERT].units == 0);
    CHECK(figures[1][AGREE_SAME].units == 40 && figures[2][AGREE_SAME].units == 20);
    CHECK_CLOSE(figures[1][AGREE_SAME].value * 40 + figures[2][AGREE_SAME].value * 20, 40, 1e-9);
    REQUIRE(agreement_figures(&agreement, 0, 1, 3, again, NULL));
    CHECK(memcmp(figures, again, sizeof again) == 0);
    agreement_close(&agreement);
    descriptions_close(&lists[0]);
    descriptions_close(&lists[1]);
}

static void units_have_to_be_the_same(void)
{
    Descriptions lists[2]  = {{0}};
    Agreement    agreement = {0};
    Error        error     = {0};
    REQUIRE(descriptions_read(&lists[0], put("a.csv", "layer,unit,description\na,0,x\n"), NULL) &&
            descriptions_read(&lists[1], put("b.csv", "layer,unit,description\nb,0,x\n"), NULL));
    CHECK(!agreement_open(&agreement, lists, 2, NULL, &error));
    CHECK_REFUSED("descriptions", &error, "no unit is described in all of them");
    descriptions_close(&lists[0]);
    descriptions_close(&lists[1]);
}

static void no_memory_for_agreement_is_clean(void)
{
    write_lists();
    int64_t before = memory_live_blocks();
    for (int64_t call = 1;; call++) {
        Descriptions lists[2]  = {{0}};
        Agreement    agreement = {0};
        AgreeFigure  figures[3][AGREE_FIGURES];
        Error        error = {0};
        memory_fail_at(call, false);
        bool ok = descriptions_read(&lists[0], in_folder("a.csv"), &error) &&
                  descriptions_read(&lists[1], in_folder("b.csv"), &error) &&
                  agreement_open(&agreement, lists, 2, NULL, &error) &&
                  agreement_figures(&agreement, 0, 1, 0, figures, &error);
        memory_fail_at(0, false);
        agreement_close(&agreement);
        descriptions_close(&lists[0]);
        descriptions_close(&lists[1]);
        CHECK(memory_live_blocks() == before);
        if (ok)
            break;
        CHECK(error.code == ERROR_MEMORY && error.message[0]);
        call += call / 8; // there is an allocation a row
    }
}

/* ---- compare --text -------------------------------------------------------------------------- */

static bool file_has(const char *path, const char *text)
{
    Bytes bytes = {0};
    bool  has   = CHECK(file_read(path, LIMIT_TEXT_FILE, &bytes, NULL)) &&
               strstr((const char *)bytes.data, text) != NULL;
    bytes_close(&bytes);
    return has;
}

static void compare_takes_lists_of_descriptions(void)
{
    DrawnRoberta shape = drawn_roberta_small();
    NEED_PROGRAM();
    write_lists();
    REQUIRE(drawn_roberta_save(&shape, in_folder("bert.nw"), NULL));
    const Outcome *run = program_run("compare --text %s %s -o %s", in_folder("a.csv"),
                                     in_folder("b.csv"), in_folder("out.csv"));
    CHECK(run->code == 0);
    CHECK(strstr(run->out, "60 units in both; 0 in A alone, 1 in B alone") != NULL);
    CHECK(strstr(run->out, "66.7 %") != NULL && strstr(run->out, "F1-BERT") == NULL);
    CHECK(file_has(in_folder("out.csv"),
                   "layer,unit,description_a,description_b,same,word_overlap\n"
                   "high,20,thing 0,Thing 0.,1,1\n"
                   "high,21,thing 1,Thing 7.,0,0.333333\n"));
    run = program_run("compare --text %s %s --bert %s --idf --json -o %s", in_folder("a.csv"),
                      in_folder("b.csv"), in_folder("bert.nw"), in_folder("out.csv"));
    CHECK(run->code == 0 && strstr(run->err, "F1-BERT is not rescaled") != NULL);
    CHECK(strstr(run->out, "\"figure\": \"f1_below_0.3\"") != NULL);
    CHECK(file_has(in_folder("out.csv"), ",precision_bert,recall_bert,f1_bert\n"));
    CHECK(program_run("compare --text %s %s --fail-over 30", in_folder("a.csv"), in_folder("b.csv"))
              ->code == ERROR_CHECK);
}

static void compare_refuses_what_makes_no_sense(void)
{
    NEED_PROGRAM();
    write_lists();
    const char *a = in_folder("a.csv"), *b = in_folder("b.csv");
    CHECK(program_run("compare %s %s --idf", a, b)->code == ERROR_USAGE);
    CHECK(program_run("compare --text %s %s --idf", a, b)->code == ERROR_USAGE);
    CHECK(program_run("compare --text %s %s -o %s", a, b, b)->code == ERROR_USAGE);
    CHECK(program_run("compare --text %s,x=%s %s -o %s", a, b, a, b)->code == ERROR_USAGE);
    CHECK(program_run("compare --text %s %s", a, in_folder("none"))->code == ERROR_NOT_FOUND);
    CHECK(program_run("compare --text %s %s --bert %s", a, b, a)->code == ERROR_DATA);
}

SUITE(descriptions)
{
    RUN(files_of_three_and_four_columns);
    RUN(tallies_count_from_one_and_name_their_layer);
    RUN(runs_of_any_verb);
    RUN(malformed_descriptions_are_refused);
    RUN(words_of_plain_texts_overlap);
    RUN(figures_have_their_chance_beside_them);
    RUN(units_have_to_be_the_same);
    RUN(no_memory_for_agreement_is_clean);
    RUN(compare_takes_lists_of_descriptions);
    RUN(compare_refuses_what_makes_no_sense);
}
