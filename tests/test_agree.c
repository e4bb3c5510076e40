/* tests/test_agree.c - `nemesis agree`: its files, its names, stability under noise, its page. */
#include "../base/file.h"
#include "../format/csv.h"
#include "drawn_roberta.h"
#include "page_check.h"
#include "small_inputs.h"

#include <stdio.h>
#include <string.h>

static void put(const char *name, const char *text)
{
    CHECK(file_publish(in_folder("%s", name), text, strlen(text), NULL));
}

static char *text_of(const char *path)
{
    static char text[1 << 16];
    Bytes       bytes = {0};
    text[0]           = 0;
    if (CHECK(file_read(path, sizeof text - 1, &bytes, NULL)))
        memcpy(text, bytes.data, bytes.size + 1);
    bytes_close(&bytes);
    return text;
}

// Three methods on four units of two layers; the third knows one unit more.
static void three_lists(void)
{
    put("one.csv", "layer,unit,description\na,0,dog\na,1,cat\nb,0,red\nb,1,\"<b>, \"\"x\"\"\"\n");
    put("two.csv", "layer,unit,description\na,0,Dog\na,1,dog\nb,0,red dots\nb,1,sky\n");
    put("three.csv", "layer,unit,description,similarity\na,0,dog,1\na,1,cat,1\nb,0,green,1\n"
                     "b,1,=sky,1\nc,3,sea,1\n");
}

static const Outcome *agree(const char *more)
{
    char                     all[3][LIMIT_PATH];
    static const char *const names[3] = {"one.csv", "two.csv", "three.csv"};
    for (int i = 0; i < 3; i++)
        snprintf(all[i], LIMIT_PATH, "%s", in_folder("%s", names[i]));
    return program_run("agree %s %s %s -o %s %s", all[0], all[1], all[2], in_folder("run"), more);
}

static void methods_stand_side_by_side(void)
{
    NEED_PROGRAM();
    three_lists();
    const Outcome *run = agree("");
    REQUIRE(run->code == 0);
    CHECK(strstr(run->out, "4 units that all 3 describe") != NULL);
    CHECK(strstr(run->out, "three: 5 units, 1 not in all") != NULL);
    CHECK_TEXT(text_of(in_folder("run/agree.csv")),
               "layer,unit,one,two,three,same_one_two,word_overlap_one_two,same_one_three,"
               "word_overlap_one_three,same_two_three,word_overlap_two_three\n"
               "a,0,dog,Dog,dog,1,1,1,1,1,1\n"
               "a,1,cat,dog,cat,0,0,1,1,0,0\n"
               "b,0,red,red dots,green,0,0.5,0,0,0,0\n"
               "b,1,\"<b>, \"\"x\"\"\",sky,'=sky,0,0,0,0,0,1\n");
    const char *summary = text_of(in_folder("run/summary.csv"));
    CHECK(strstr(summary, "\none,two,all,same,0.25,") != NULL);
    CHECK(strstr(summary, "\none,two,a,same,0.5,") != NULL);
    CHECK(strstr(summary, "\none,three,all,word_overlap,0.5,") != NULL);
    CHECK(strstr(summary, "stayed") == NULL);
    CHECK(agree("")->code == ERROR_CREATE);
    CHECK(agree("--resume")->code == 0);
    CHECK(agree("--resume -s 1")->code == ERROR_CREATE);
    CHECK(agree("--overwrite -s 1")->code == 0);
}

static void names_tell_methods_apart(void)
{
    NEED_PROGRAM();
    three_lists();
    CHECK(agree("--names A,B,C")->code == 0);
    CHECK(strncmp(text_of(in_folder("run/agree.csv")), "layer,unit,A,B,C,", 17) == 0);
    CHECK(agree("--overwrite --names A,B")->code == ERROR_USAGE);
    CHECK(agree("--overwrite --names A,B,C,D")->code == ERROR_USAGE);
    CHECK(agree("--overwrite --names A,,C")->code == ERROR_USAGE);
    const Outcome *run = agree("--overwrite --names A,B,A");
    CHECK(run->code == ERROR_USAGE && strstr(run->err, "1 and 3 are both called 'A'") != NULL);
    CHECK(program_run("agree %s -o %s", in_folder("one.csv"), in_folder("x"))->code == ERROR_USAGE);
    CHECK(program_run("agree %s %s -o %s", in_folder("one.csv"), in_folder("two.csv"),
                      in_folder("one.csv"))
              ->code == ERROR_USAGE);
}

// A run of noise under each name: of method one unit 1 changes, of method two units 1 and 2.
static void units_that_stay_in_all_are_told(void)
{
    static const char *const rows[2] = {"x,0.1,0,dog,0\nx,0.1,1,cat,1\nx,0.1,2,red,0\n",
                                        "x,0.1,0,dog,0\nx,0.1,1,cat,1\nx,0.1,2,red,1\n"};
    NEED_PROGRAM();
    for (int i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, "method,strength,unit0,clean_label,changed\nx,0,1,cat,1\n%s",
                 rows[i]);
        REQUIRE(folder_create(in_folder("noise%d", i), NULL));
        put(i ? "noise1/changes.csv" : "noise0/changes.csv", text);
        put(i ? "noise1/run.json" : "noise0/run.json", "{\"layer\": {\"name\": \"a\"}}");
    }
    const Outcome *run = program_run("agree %s %s -o %s", in_folder("noise0"), in_folder("noise1"),
                                     in_folder("run"));
    REQUIRE(run->code == 0);
    CHECK(strstr(run->out, "stable in all 2 methods that were tried: 1 of 3 units, 33.3 %") !=
          NULL);
    CHECK_TEXT(text_of(in_folder("run/agree.csv")),
               "layer,unit,noise0,noise1,stayed_noise0,stayed_noise1,stayed_in_all,"
               "same_noise0_noise1,word_overlap_noise0_noise1\n"
               "a,0,dog,dog,1,1,1,1,1\na,1,cat,cat,0,0,0,1,1\na,2,red,red,1,0,0,1,1\n");
    const char *summary = text_of(in_folder("run/summary.csv"));
    CHECK(strstr(summary, "\nnoise0,,all,stayed,0.666667,") != NULL);
    CHECK(strstr(summary, "\n,,all,stayed_in_all,0.333333,") != NULL);
    CHECK(strstr(summary, ",0.222222,,,3\n") != NULL); // 2/3 times 1/3
}

static void the_page_shows_texts_as_texts(void)
{
    DrawnRoberta shape = drawn_roberta_small();
    char         more[LIMIT_PATH + 16];
    NEED_PROGRAM();
    three_lists();
    REQUIRE(drawn_roberta_save(&shape, in_folder("bert.nw"), NULL));
    snprintf(more, sizeof more, "--bert %s", in_folder("bert.nw"));
    REQUIRE(agree(more)->code == 0);
    CHECK(strstr(text_of(in_folder("run/agree.csv")), ",f1_bert_one_two,") != NULL);
    const Outcome *run = program_run("report %s", in_folder("run"));
    REQUIRE(run->code == 0);
    const char *page = text_of(in_folder("run-pages/index.html"));
    CHECK(page_problem(page) == NULL);
    CHECK(strstr(page, "&lt;b&gt;, &quot;x&quot;") != NULL && strstr(page, "<b>,") == NULL);
    CHECK(strstr(page, "F1-BERT &lt; 0.3") != NULL);
    CHECK(strstr(page, "Which stay") == NULL); // no run of noise was given
    CHECK(program_run("report %s %s -o %s", in_folder("run"), in_folder("run"), in_folder("p"))
              ->code == ERROR_USAGE);
}

/* ---- noise and attack ------------------------------------------------------------------------ */

static Csv *table_of(const char *path)
{
    const char *text = text_of(path);
    Csv        *csv  = NULL;
    CHECK(csv_open(&csv, (const uint8_t *)text, strlen(text), path, NULL));
    return csv;
}

static double number(const Csv *csv, int64_t row, const char *name)
{
    double value = -9;
    CHECK(csv_number(csv, row, csv_column(csv, name), &value, NULL));
    return value;
}

static void changes_are_measured_by_f1_bert(void)
{
    DrawnRoberta shape = drawn_roberta_small();
    NEED_INPUTS();
    REQUIRE(drawn_roberta_save(&shape, in_folder("bert.nw"), NULL));
    const char *clean = dissect("clean", "");
    char        bert[LIMIT_PATH];
    snprintf(bert, sizeof bert, "%s", in_folder("bert.nw"));
    const Outcome *run =
        program_run("noise %s --type gaussian --std 2 --store float --bert %s -o %s", clean, bert,
                    in_folder("noise"));
    REQUIRE(run->code == 0);
    CHECK(strstr(run->out, "before and after, all units (F1-BERT, block 2, raw);") != NULL);
    Csv *changes = table_of(in_folder("noise/changes.csv"));
    int  changed = 0;
    REQUIRE(changes && csv_row_count(changes) == 2 * SMALL_UNITS);
    for (int64_t row = 0; row < csv_row_count(changes); row++) {
        double similarity = number(changes, row, "similarity");
        bool   is_other   = number(changes, row, "changed") > 0;
        changed += is_other;
        CHECK(is_other ? similarity < 1 : similarity == 1);
    }
    CHECK(changed > 0);
    csv_close(changes);
    Csv *summary = table_of(in_folder("noise/similarity.csv"));
    REQUIRE(summary && csv_row_count(summary) >= 2);
    CHECK(number(summary, 0, "strength") == 0 && number(summary, 0, "mean") == 1);
    for (int64_t row = 1; row < csv_row_count(summary); row++)
        if (strcmp(csv_text(summary, row, csv_column(summary, "group")), "all") == 0) {
            CHECK(number(summary, row, "mean") < 1);
            CHECK(number(summary, row, "low") <= number(summary, row, "mean"));
            CHECK(number(summary, row, "below_0.7") >= number(summary, row, "below_0.3"));
        }
    csv_close(summary);
    CHECK(program_run("attack %s -u 0,1 --eps 0.1 --store float --bert %s -o %s", clean, bert,
                      in_folder("attack"))
              ->code == 0);
    CHECK(file_exists(in_folder("attack/similarity.csv")));
    CHECK(program_run("attack %s -u 0,1 --eps 0.1 --bert-baseline %s -o %s", clean, bert,
                      in_folder("x"))
              ->code == ERROR_USAGE);
    CHECK(program_run("noise %s --type uniform --std 0.3 --store float -o %s --resume", clean,
                      in_folder("noise"))
              ->code == ERROR_CREATE);
    CHECK(program_run("report %s", in_folder("noise"))->code == 0);
}

SUITE(agree)
{
    RUN(methods_stand_side_by_side);
    RUN(names_tell_methods_apart);
    RUN(units_that_stay_in_all_are_told);
    RUN(the_page_shows_texts_as_texts);
    RUN(changes_are_measured_by_f1_bert);
}
