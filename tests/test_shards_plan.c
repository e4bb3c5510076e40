/* tests/test_shards_plan.c - what `nemesis plan` refuses, says and writes. */
#include "../cli/plan.h"
#include "play.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

// A dissection of 70 images, of two groups that are never cut.
static const Outcome *make_plan(void)
{
    const Outcome *o = play("mini --images 70 -q -o %s", in_folder("drawn"));
    return o->code
               ? o
               : play("plan dissect -m demo/mini.nw -l conv1_2 -d %s -b 8 -t 1 --shards 4 -o %s",
                      in_folder("drawn"), in_folder("plan"));
}

static void fewer_pieces_than_asked_are_told(void)
{
    const Outcome *o = make_plan();
    REQUIRE(o->code == 0);
    const char *note = strstr(o->err, "note: fewer pieces than 4: the work is cut by groups of 64 "
                                      "images, of which there are no more than 2");
    CHECK(note && !strstr(note + 1, "note: ")); // once, and there are two such phases
}

static void what_a_plan_cannot_hold_is_refused(void)
{
    const char *words[] = {"noise", "caf\xc3\xa9", "caf\xe9"};
    Plan       *plan    = memory_new(1, sizeof *plan, NULL);
    Error       error   = {0};
    char        name[1200];
    REQUIRE(plan != NULL);
    plan->words      = words;
    plan->word_count = 2;
    CHECK(plan_words_fit(plan, &error));
    plan->word_count = 3;
    CHECK(!plan_words_fit(plan, &error) && error.code == ERROR_USAGE);
    plan_phase(plan, "largest values", 500);
    plan_phase(plan, "thresholds", 1);
    plan_phase(plan, "counts", 500);
    error = (Error){0};
    CHECK(plan_count_fits(plan, &error));
    plan_phase(plan, "more", 1);
    CHECK(!plan_count_fits(plan, &error) && strstr(error.message, "--shards 499 fits"));
    memory_free(plan);
    memset(name, '\'', sizeof name); // quoted, each takes four bytes
    snprintf(name + 300, sizeof name - 300, "/plan");
    const Outcome *o = play("plan noise clean --type gaussian --shards 2 -o %s", name);
    CHECK(o->code == ERROR_CREATE && strstr(o->err, "is too long for a script"));
}

/* ---- the scripts ----------------------------------------------------------------------------- */

// A program in place of nemesis that notes its words and then does `what`.
static bool make_stand_in(const char *what)
{
    char text[4096];
    int  length =
        snprintf(text, sizeof text, "#!/bin/sh\necho \"$*\" >>%s\n%s\n", in_folder("calls"), what);
    return file_publish(in_folder("stand-in"), text, (size_t)length, NULL);
}

static int run_plan(void)
{
    char command[4096];
    snprintf(command, sizeof command,
             "cd %s && chmod +x stand-in && NEMESIS=%s sh plan/run.sh run 2 2>/dev/null",
             test_folder(), in_folder("stand-in"));
    int status = system(command); // NOLINT(cert-env33-c): a script that the program wrote
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int calls_with(const char *words)
{
    Bytes bytes = {0};
    int   count = 0;
    if (!file_read(in_folder("calls"), SIZE_MAX, &bytes, NULL))
        return -1;
    for (const char *at = (const char *)bytes.data; (at = strstr(at, words)); at++)
        count++;
    bytes_close(&bytes);
    return count;
}

// Every piece is killed: each is tried three times, nothing of a later phase, and merge has the word.
static void a_killed_piece_stops_no_other(void)
{
    REQUIRE(make_plan()->code == 0);
    REQUIRE(make_stand_in("[ \"$1\" = merge ] && exit 4\nkill -9 $$"));
    CHECK(run_plan() == ERROR_PIECES);
    CHECK(calls_with("shard -q") == 6 && calls_with("merge") == 1 && calls_with("--resume") == 1);
    CHECK(calls_with(" 0\n") == 3 && calls_with(" 1\n") == 3);
}

SUITE(shards_plan)
{
    RUN(fewer_pieces_than_asked_are_told);
    RUN(what_a_plan_cannot_hold_is_refused);
    RUN(a_killed_piece_stops_no_other);
}
